package lancefmt

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// lineage is one of the sequences that a fragment stores beside its columns.
type lineage struct {
	name  string
	field int32 // of the hidden column, if the sequence is spilled to a data file
	of    func(*table.Fragment) table.Lineage
}

var (
	stableIDs = lineage{RowIDColumn, table.FieldRowID, func(f *table.Fragment) table.Lineage { return f.RowIDs }}
	createdAt = lineage{CreatedAtColumn, table.FieldCreatedAt, func(f *table.Fragment) table.Lineage { return f.CreatedAt }}
	updatedAt = lineage{UpdatedAtColumn, table.FieldUpdatedAt, func(f *table.Fragment) table.Lineage { return f.UpdatedAt }}
)

type lineageKey struct {
	snapshot *Snapshot
	fragment uint32
	field    int32
}

// rowIDs returns the fragment's stable row ids.
func (f *Fragment) rowIDs(ctx context.Context) (*table.RowIDSequence, error) {
	key := lineageKey{f.snapshot, f.id, table.FieldRowID}
	p, err := get(ctx, f.snapshot.table.cache, key, func(ctx context.Context) (l loaded[*table.RowIDSequence], err error) {
		switch stored := f.meta.RowIDs; {
		case stored.Spilled:
			var values []uint64
			if values, err = f.spilled(ctx, stableIDs); err == nil {
				l.value, l.cost = table.RowIDsOf(values), 12*int64(len(values))
			}
		case stored.Inline != nil:
			l.value, err = table.DecodeRowIDs(stored.Inline, f.rows)
			l.cost = 256 + 2*int64(len(stored.Inline))
		case f.rows == 0:
			l.value = table.RowIDsOf(nil)
		default:
			err = fault.Corruptf("the table has stable row ids, but the fragment lists none")
		}
		return l, f.placed(err)
	})
	if err != nil {
		return nil, err
	}
	defer p.release()
	return p.value, nil
}

// rowVersions returns the version that created or last changed each row. Fragments without such a
// sequence count as made by version 1, as in pylance.
func (f *Fragment) rowVersions(ctx context.Context, what lineage) (*table.VersionSequence, error) {
	stored := what.of(f.meta)
	if !stored.Stored() {
		return table.ConstantVersion(1, f.rows), nil
	}
	key := lineageKey{f.snapshot, f.id, what.field}
	p, err := get(ctx, f.snapshot.table.cache, key, func(ctx context.Context) (l loaded[*table.VersionSequence], err error) {
		if stored.Spilled {
			var values []uint64
			if values, err = f.spilled(ctx, what); err == nil {
				l.value, l.cost = table.VersionsOf(values), 256
			}
		} else {
			l.value, err = table.DecodeVersions(stored.Inline, f.rows)
			l.cost = 256 + 2*int64(len(stored.Inline))
		}
		return l, f.placed(err)
	})
	if err != nil {
		return nil, err
	}
	defer p.release()
	return p.value, nil
}

// checkRowVersions looks at the sequences that the manifest holds itself, also where nobody asks for
// them: a fragment whose other fields were taken for such a sequence, after a bit of a tag flipped, has
// lost what they said, its deletions for example.
func (f *Fragment) checkRowVersions() error {
	for _, what := range []lineage{createdAt, updatedAt} {
		if stored := what.of(f.meta); stored.Stored() && !stored.Spilled {
			if _, err := table.DecodeVersions(stored.Inline, f.rows); err != nil {
				return f.placed(err)
			}
		}
	}
	return nil
}

// placed names fragment and manifest in an error about what the manifest says.
func (f *Fragment) placed(err error) error {
	if err == nil {
		return nil
	}
	err = fault.Place(err, f.snapshot.file, -1, -1, f.snapshot.manifest.Offset)
	return fmt.Errorf("version %d, fragment %d: %w", f.snapshot.Version(), f.meta.ID, err)
}

// spilled reads a sequence that is a hidden column of a data file: uint64, not nullable, under a
// reserved field id. Source: fragment_metadata.proto, RowLineageColumn.
func (f *Fragment) spilled(ctx context.Context, what lineage) (values []uint64, err error) {
	for i := range f.meta.Files {
		at := slices.Index(f.meta.Files[i].Fields, what.field)
		if at < 0 {
			continue
		}
		field := encoding.Field{Name: what.name, Type: arrow.PrimitiveTypes.Uint64, Column: int(f.meta.Files[i].ColumnIndices[at])}
		a, err := f.readPart(ctx, i, field, f.all(), memory.DefaultAllocator)
		if err != nil {
			return nil, err
		}
		defer a.Release()
		column, ok := a.(*array.Uint64)
		if !ok || int64(column.Len()) != f.rows || column.NullN() > 0 {
			return nil, fault.Corruptf("the column %s of data file %s is not a number for each row", what.name, f.meta.Files[i].Path)
		}
		err = storage.Guard(func() error {
			values = slices.Clone(column.Uint64Values())
			return nil
		})
		return values, err
	}
	return nil, fault.Corruptf("no data file has the column %s, which the manifest says is in one", what.name)
}

// rowIDIndex finds the fragment and offset of stable row ids. It keeps the bounds of every run of
// ids, and asks the runs whose bounds an id lies in; updates and compactions make such runs overlap,
// but seldom many.
type rowIDIndex struct {
	runs []idRun  // by lo
	top  []uint64 // the highest hi of runs[:i+1]
}

type idRun struct {
	lo, hi   uint64
	run      int
	fragment *Fragment
	ids      *table.RowIDSequence
}

func (s *Snapshot) rowIDIndex(ctx context.Context) (*rowIDIndex, error) {
	// The lock is held while fragments are read, so that this is done once; nothing under it
	// touches mapped bytes outside of a Guard.
	s.ids.Lock()
	defer s.ids.Unlock()
	if s.ids.index != nil {
		return s.ids.index, nil
	}
	x := new(rowIDIndex)
	for _, f := range s.fragments {
		ids, err := f.rowIDs(ctx)
		if err != nil {
			return nil, err
		}
		ids.Bounds(func(run int, lo, hi uint64) {
			x.runs = append(x.runs, idRun{lo: lo, hi: hi, run: run, fragment: f, ids: ids})
		})
	}
	slices.SortFunc(x.runs, func(a, b idRun) int { return cmp.Compare(a.lo, b.lo) })
	x.top = make([]uint64, len(x.runs))
	for i, r := range x.runs {
		x.top[i] = r.hi
		if i > 0 {
			x.top[i] = max(r.hi, x.top[i-1])
		}
	}
	s.ids.index = x
	return x, nil
}

// find yields the rows that have an id, deleted ones too, until yield returns false.
func (x *rowIDIndex) find(id uint64, yield func(f *Fragment, offset int64) bool) {
	i := sort.Search(len(x.runs), func(i int) bool { return x.runs[i].lo > id }) - 1
	for ; i >= 0 && x.top[i] >= id; i-- {
		r := &x.runs[i]
		if r.hi < id {
			continue
		}
		if offset, ok := r.ids.OffsetInRun(r.run, id); ok && !yield(r.fragment, offset) {
			return
		}
	}
}

// Addresses returns the row address of each row id, and whether such a row exists and is not
// deleted. Without stable row ids the id is the address. Both slices are as long as rowIDs.
func (s *Snapshot) Addresses(ctx context.Context, rowIDs []uint64) (addrs []uint64, ok []bool, err error) {
	addrs = make([]uint64, len(rowIDs))
	ok = make([]bool, len(rowIDs))
	deletions := make(map[*Fragment]*roaring.Bitmap)
	live := func(f *Fragment, offset int64) (bool, error) {
		if f.meta.Deletions == nil {
			return true, nil
		}
		deleted, known := deletions[f]
		if !known {
			if deleted, err = f.Deleted(ctx); err != nil {
				return false, err
			}
			deletions[f] = deleted
		}
		return !deleted.Contains(uint32(offset)), nil
	}
	if !s.HasStableRowIDs() {
		for i, id := range rowIDs {
			f := s.Fragment(uint32(id >> 32))
			offset := int64(uint32(id))
			addrs[i] = id
			if f == nil || offset >= f.rows {
				continue
			}
			if ok[i], err = live(f, offset); err != nil {
				return nil, nil, err
			}
		}
		return addrs, ok, nil
	}
	x, err := s.rowIDIndex(ctx)
	if err != nil {
		return nil, nil, err
	}
	for i, id := range rowIDs {
		// An updated row has its id in two fragments; in the older it is deleted.
		x.find(id, func(f *Fragment, offset int64) bool {
			if ok[i], err = live(f, offset); ok[i] {
				addrs[i] = uint64(f.id)<<32 | uint64(offset)
			}
			return err == nil && !ok[i]
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return addrs, ok, nil
}
