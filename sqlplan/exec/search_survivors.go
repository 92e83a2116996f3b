package exec

import (
	"context"

	"lanceflight/lancefmt"
	"lanceflight/vecindex"
)

// survivors are the rows of the segments' fragments that pass the filter of a vector search: a bitmap for each fragment where
// row ids are addresses, a list where they are not.
type survivors struct {
	count int64
	bytes int64 // reserved in the search's share, the caller's to release
	rows  rowsByFragment
	ids   []row
}

func (v *vectorSearchOp) survivors(ctx context.Context, segments []*segment) (survivors, error) {
	var frags []*lancefmt.Fragment
	for _, s := range segments {
		frags = append(frags, s.frags...)
	}
	if v.node.Snap.HasStableRowIDs() {
		ids, err := v.rowsOf(ctx, frags, v.node.Filter)
		return survivors{count: int64(len(ids)), bytes: 16 * int64(len(ids)), ids: ids}, err
	}
	var out survivors
	key := v.filterKey(frags)
	if rows, ok := v.keptRows(key); ok {
		out.rows = rows
		v.stats.Note("the rows that pass are known from a search before")
		return v.counted(out)
	}
	s, err := v.scan(frags, v.node.Filter, nil)
	if err != nil {
		return survivors{}, err
	}
	err = v.driveScan(ctx, s, func() (err error) {
		out.rows, err = s.passing(ctx)
		return err
	})
	if err != nil {
		return survivors{}, err
	}
	if key != nil {
		v.env.Indexes.filters.put(key, out.rows)
	}
	return v.counted(out)
}

func (v *vectorSearchOp) keptRows(key *filterKey) (rowsByFragment, bool) {
	if key == nil {
		return nil, false
	}
	return v.env.Indexes.filters.get(key)
}

// counted counts the rows, and reserves their memory.
func (v *vectorSearchOp) counted(out survivors) (survivors, error) {
	out.count, out.bytes = out.rows.count(), out.rows.bytes()
	if err := v.share.reserve(out.bytes); err != nil {
		return survivors{}, err
	}
	return out, nil
}

// list returns the rows, in no order.
func (s survivors) list() []row {
	if s.rows == nil {
		return s.ids
	}
	out := make([]row, 0, s.count)
	for f, b := range s.rows {
		first := uint64(f.ID()) << 32
		for it := b.Iterator(); it.HasNext(); {
			addr := first | uint64(it.Next())
			out = append(out, row{id: addr, addr: addr})
		}
	}
	return out
}

// allow gives each segment the survivors in its own fragments.
func (s survivors) allow(segments []*segment) {
	of := map[uint32]*segment{}
	for _, seg := range segments {
		seg.allowed = vecindex.NewRowSet()
		for _, f := range seg.frags {
			of[f.ID()] = seg
			if b := s.rows[f]; b != nil {
				seg.allowed.AddWords(uint64(f.ID())<<32, b.ToDense())
			}
		}
	}
	for _, r := range s.ids {
		of[uint32(r.addr>>32)].allowed.Add(r.id)
	}
}
