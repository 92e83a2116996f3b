package lancefmt

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// Fragment is a horizontal slice of a version: rows 0 … NumPhysicalRows, of which some are deleted,
// in data files that each have some of the columns. It is safe for concurrent use.
type Fragment struct {
	snapshot *Snapshot
	meta     *table.Fragment
	id       uint32 // in row addresses; see Snapshot.distinguish
	rows     int64  // physical
	deleted  int64

	content atomic.Pointer[string] // ContentKey, once it was asked for
}

func (f *Fragment) init(s *Snapshot, meta *table.Fragment) {
	*f = Fragment{snapshot: s, meta: meta, id: meta.ID, rows: meta.PhysicalRows}
	if meta.Deletions != nil {
		f.deleted = meta.Deletions.NumDeleted
	}
}

// needs puts an error about one of the fragment's files into words. A file that is not there was
// there when the version was committed: a clean-up removed it since, or the table was replaced.
func (f *Fragment) needs(file string, err error) error {
	if fault.Is(err, fault.NotFound) {
		return fmt.Errorf("fragment %d: version %d of table %s needs %s, which is gone: %w", f.meta.ID,
			f.snapshot.Version(), f.snapshot.table.Name(), file, err)
	}
	return fmt.Errorf("fragment %d: %w", f.meta.ID, err)
}

// resolveCounts finds the numbers of rows that manifests of very old writers do not have.
func (f *Fragment) resolveCounts(ctx context.Context) error {
	if f.rows < 0 {
		r, err := f.open(ctx, 0)
		if err != nil {
			return err
		}
		f.rows = r.value.NumRows()
		r.release()
		if f.rows > math.MaxUint32+1 {
			return fault.Corruptf("fragment %d has %d rows, more than a row address can tell apart", f.meta.ID, f.rows)
		}
	}
	if f.deleted < 0 {
		deleted, err := f.Deleted(ctx)
		if err != nil {
			return err
		}
		f.deleted = int64(deleted.GetCardinality())
	}
	return nil
}

// ID returns the fragment's id, the upper half of its rows' addresses. It is unique in the snapshot.
func (f *Fragment) ID() uint32 { return f.id }

// StoredID returns the id that the manifest gives the fragment. It differs from ID where an earlier
// fragment of the version has the same.
func (f *Fragment) StoredID() uint32 { return f.meta.ID }

// NumPhysicalRows returns the number of rows, deleted ones included.
func (f *Fragment) NumPhysicalRows() int64 { return f.rows }

// NumRows returns the number of rows that are not deleted.
func (f *Fragment) NumRows() int64 { return f.rows - f.deleted }

// Files returns the fragment's data files. The slice is shared.
func (f *Fragment) Files() []table.DataFile { return f.meta.Files }

// DeletionFile returns what the manifest says of the deletion file, nil if there is none.
func (f *Fragment) DeletionFile() *table.DeletionFile { return f.meta.Deletions }

// Snapshot returns the version that the fragment belongs to.
func (f *Fragment) Snapshot() *Snapshot { return f.snapshot }

type deletionKey struct {
	store    storage.Store
	made     uint64
	name     string
	fragment uint32
	rows     int64
}

// Deleted returns the physical offsets of deleted rows, nil if there are none. The bitmap is shared:
// do not change it.
func (f *Fragment) Deleted(ctx context.Context) (*roaring.Bitmap, error) {
	d := f.meta.Deletions
	if d == nil {
		return nil, nil
	}
	at, err := f.snapshot.folder(d.Base, table.DeletionsDir)
	if err != nil {
		return nil, err
	}
	at.name = at.name[:len(at.name)-len(table.DeletionsDir)] + table.DeletionName(f.meta.ID, *d)
	key := deletionKey{at.store, f.snapshot.made, at.name, f.meta.ID, f.rows}
	p, err := get(ctx, f.snapshot.table.cache, key, func(ctx context.Context) (loaded[*roaring.Bitmap], error) {
		deleted, err := table.ReadDeletions(ctx, at.store, at.name, *d, f.rows)
		if err != nil {
			return loaded[*roaring.Bitmap]{}, err
		}
		return loaded[*roaring.Bitmap]{value: deleted, cost: int64(deleted.GetSizeInBytes()) + 128}, nil
	})
	if err != nil {
		return nil, f.needs(at.name, err)
	}
	defer p.release()
	return p.value, nil
}

type readerKey struct {
	store storage.Store
	made  uint64
	name  string
	size  int64
}

// open returns the reader of a data file. It is closed once the cache forgets it and nobody holds it.
func (f *Fragment) open(ctx context.Context, i int) (pinned[*file.Reader], error) {
	d := &f.meta.Files[i]
	p, err := f.openFile(ctx, d)
	if err != nil {
		return p, err
	}
	if n := p.value.NumRows(); f.rows >= 0 && n != f.rows {
		name := p.value.Name()
		p.release()
		return pinned[*file.Reader]{}, f.needs(d.Path,
			fault.Place(fault.Corruptf("the file has %d rows, but the fragment has %d", n, f.rows), name, -1, -1, -1))
	}
	return p, nil
}

// openFile returns the reader of a data file or an overlay.
func (f *Fragment) openFile(ctx context.Context, d *table.DataFile) (p pinned[*file.Reader], err error) {
	at, err := f.snapshot.folder(d.Base, table.DataDir)
	if err != nil {
		return p, f.needs(d.Path, err)
	}
	at = at.file(d.Path)
	size := d.SizeBytes
	if d.Legacy() {
		size = -1 // pylance 0.30 to 12 counted legacy files before their footers were written
	}
	key := readerKey{at.store, f.snapshot.made, at.name, size}
	p, err = get(ctx, f.snapshot.table.cache, key, func(ctx context.Context) (loaded[*file.Reader], error) {
		o, err := at.store.Open(ctx, at.name, size)
		if err != nil {
			return loaded[*file.Reader]{}, err
		}
		r, err := file.Open(ctx, o)
		if err != nil {
			return loaded[*file.Reader]{}, err
		}
		// Footer and column metadata, and what decoders learn of pages, which grows with the
		// number of mini-block chunks and of full-zip rows.
		cost := 16<<10 + int64(r.NumColumns())<<10 + r.SizeBytes()>>10 + r.NumPages()*256
		return loaded[*file.Reader]{value: r, cost: cost, close: func() { r.Close() }}, nil
	})
	if err != nil {
		return p, f.needs(d.Path, err)
	}
	return p, nil
}

// BytesPerRow estimates how much memory a row of the columns takes, for sizing batches: exactly for
// types of fixed width, by the size of the pages otherwise. It may read footers and column metadata;
// what cannot be read counts as its type alone.
func (f *Fragment) BytesPerRow(columns []ColumnRef) float64 {
	var sum float64
	for _, column := range columns {
		if column.isSystem() {
			sum += 8
			continue
		}
		p, err := get(context.Background(), f.snapshot.table.cache, widthKey{f.snapshot, f.id, column},
			func(ctx context.Context) (loaded[float64], error) {
				w, err := f.width(ctx, column)
				return loaded[float64]{value: w, cost: 128}, err
			})
		if err != nil {
			sum += 16
			continue
		}
		sum += p.value
		p.release()
	}
	return sum
}

type widthKey struct {
	snapshot *Snapshot
	fragment uint32
	column   ColumnRef
}

func (f *Fragment) width(ctx context.Context, column ColumnRef) (float64, error) {
	field, err := f.snapshot.field(column.Name)
	if err != nil {
		return 0, err
	}
	if column.Part != Whole {
		return 8, nil
	}
	if w, ok := fixedWidth(field.Type); ok {
		return w, nil
	}
	var onDisk int64
	for _, part := range f.plan(field) {
		r, err := f.open(ctx, part.file)
		if err != nil {
			return 0, err
		}
		for _, column := range part.columns() {
			c, err := r.value.Column(ctx, column)
			if err != nil {
				r.release()
				return 0, err
			}
			for _, page := range c.Pages {
				for _, b := range page.BufRanges {
					onDisk += b.Length
				}
			}
			for _, b := range c.BufRanges {
				onDisk += b.Length
			}
		}
		r.release()
	}
	blobs, err := f.blobWidth(ctx, field)
	return float64(onDisk)/float64(max(f.rows, 1)) + blobs + 8, err
}

// fixedWidth returns the bytes of a value of a fixed-width type, with its validity bit.
func fixedWidth(t arrow.DataType) (float64, bool) {
	switch t := t.(type) {
	case *arrow.FixedSizeListType:
		w, ok := fixedWidth(t.Elem())
		return w*float64(t.Len()) + 0.125, ok
	case *arrow.StructType:
		sum := 0.125
		for _, c := range t.Fields() {
			w, ok := fixedWidth(c.Type)
			if !ok {
				return 0, false
			}
			sum += w
		}
		return sum, true
	case *arrow.DictionaryType:
		return fixedWidth(t.IndexType)
	case arrow.FixedWidthDataType:
		return float64(t.BitWidth()+1) / 8, true
	case *arrow.NullType:
		return 0, true
	}
	return 0, false
}
