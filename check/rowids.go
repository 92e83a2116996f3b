package check

import (
	"context"
	"crypto/sha256"

	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/index"
	"lanceflight/lancefmt/storage"
)

// rowSetKey tells row ids of fragments apart across versions.
type rowSetKey struct {
	ids      [32]byte
	fragment uint32
	rows     int64
	deleted  string
}

// rowSet is the row ids of the rows of a fragment that are not deleted.
type rowSet struct {
	live *index.RowSet // nil: not read
	last uint64        // highest id, of deleted rows too
	used int           // round of the version that needed it last
}

// sequenceRows is how many row ids are looked at in one go.
const sequenceRows = 1 << 16

// rowIDs checks that stable row ids are unique among the rows that are not deleted (an updated row keeps
// its id at its new place), and that versions of rows are not above the table's. Without stable row ids a
// row id is the row's address.
func (c *checker) rowIDs(ctx context.Context, s *lancefmt.Snapshot) error {
	if !s.HasStableRowIDs() {
		return nil
	}
	round := c.report.Checked.Versions
	all := &index.RowSet{}
	sets := make([]*rowSet, len(s.Fragments()))
	for i, f := range s.Fragments() {
		if err := ctx.Err(); err != nil {
			return err
		}
		x, err := c.rowSet(ctx, s, f, i)
		if err != nil {
			return err
		}
		x.used = round
		sets[i] = x
		if x.live == nil {
			continue
		}
		if next := s.Manifest().NextRowID; f.NumPhysicalRows() > 0 && x.last >= next {
			c.addf(in(f, ""), BadRowIDs, "a row has the id %d, the next one to be given away is %d", x.last, next)
		}
		// The union with a set that is large costs a copy of it: sets of one fragment are small.
		for _, upper := range x.live.Uppers() {
			part := x.live.Part(upper)
			if mine := all.Part(upper); mine != nil && mine.Intersects(part) {
				both := mine.Clone()
				both.And(part)
				first := uint64(upper)<<32 | uint64(both.Minimum())
				other := uint32(0)
				for k := range i {
					if sets[k].live != nil && sets[k].live.Contains(first) {
						other = s.Fragments()[k].ID()
						break
					}
				}
				c.addf(in(f, ""), DuplicateRowID, "%s with the id of a row of another fragment, the first is %d, of fragment %d",
					count(int64(both.GetCardinality()), "row"), first, other)
			}
			all.AddBitmap(upper, part)
		}
	}
	for k, x := range c.rowSets { // of fragments that older versions do not have either, most likely
		if x.used < round-1 {
			delete(c.rowSets, k)
		}
	}
	return nil
}

// rowSet returns the row ids of a fragment; their versions are checked with them.
func (c *checker) rowSet(ctx context.Context, s *lancefmt.Snapshot, f *lancefmt.Fragment, i int) (*rowSet, error) {
	m := &s.Manifest().Fragments[i]
	key := rowSetKey{fragment: f.ID(), rows: f.NumPhysicalRows(), ids: sha256.Sum256(m.RowIDs.Inline)}
	if store, name, err := f.LocateDeletions(); err == nil && store != nil {
		key.deleted = name
	}
	if m.RowIDs.Spilled {
		for _, d := range f.Files() {
			key.deleted += "\x00" + d.Path
		}
	}
	if x := c.rowSets[key]; x != nil {
		return x, nil
	}
	x := &rowSet{}
	c.rowSets[key] = x
	deleted, err := f.Deleted(ctx)
	if err != nil {
		return x, c.told(ctx, err) // by deletionFile
	}
	p := in(f, BadRowIDs)
	live := &index.RowSet{}
	err = c.sequence(ctx, f, lancefmt.RowIDColumn, func(offset int64, id uint64) {
		x.last = max(x.last, id)
		if deleted == nil || !deleted.Contains(uint32(offset)) {
			live.Add(id)
		}
	})
	if err != nil {
		return x, c.fail(ctx, p, err)
	}
	x.live = live
	if want := f.NumRows(); live.Len() < want {
		c.addf(p, DuplicateRowID, "%d different row ids for %s", live.Len(), count(want, "row"))
	}
	for _, column := range []string{lancefmt.CreatedAtColumn, lancefmt.UpdatedAtColumn} {
		var highest uint64
		if err := c.sequence(ctx, f, column, func(_ int64, version uint64) { highest = max(highest, version) }); err != nil {
			q := p
			q.Column = column
			if err := c.fail(ctx, q, err); err != nil {
				return x, err
			}
		}
		if highest > s.Version() {
			q := p
			q.Column = column
			c.addf(q, BadRowIDs, "a row says it is of version %d, which came later", highest)
		}
	}
	return x, nil
}

// told returns the error if the context ended: other errors are told elsewhere.
func (c *checker) told(ctx context.Context, _ error) error { return ctx.Err() }

// sequence calls fn with the number of each row of a system column.
func (c *checker) sequence(ctx context.Context, f *lancefmt.Fragment, column string, fn func(offset int64, v uint64)) error {
	rows := f.NumPhysicalRows()
	for from := int64(0); from < rows; from += sequenceRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := f.Read(ctx, lancefmt.Columns(column), []encoding.Range{{Start: from, End: min(from+sequenceRows, rows)}}, c.opts.Mem)
		if err != nil {
			return err
		}
		err = storage.Guard(func() error {
			values, ok := b.Column(0).(*array.Uint64)
			if !ok {
				return fault.New(fault.Internal, "%s is of type %s", column, b.Column(0).DataType())
			}
			for i, v := range values.Uint64Values() {
				fn(from+int64(i), v)
			}
			return nil
		})
		b.Release()
		if err != nil {
			return err
		}
	}
	return nil
}
