package search

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/indexes"
	"lanceflight/vecindex"
)

// survivors are the rows of the segments' fragments that pass the filter of a vector search: a bitmap for each fragment where row ids
// are addresses, a list where they are not.
type survivors struct {
	count int64
	bytes int64 // reserved in the run's share, the caller's to release
	rows  indexes.RowsByFragment
	ids   []rowPlace
}

// survivors finds the rows that pass the filter of a request, once for all of its queries.
func (r *Run) survivors(ctx context.Context, req *Request, segments []*segmentSource) (survivors, error) {
	var frags []*lancefmt.Fragment
	for _, s := range segments {
		frags = append(frags, s.frags...)
	}
	filter := req.Selection.Filter
	if req.Selection.Snap.HasStableRowIDs() {
		ids, err := r.scanRows(ctx, req, frags, filter)
		return survivors{count: int64(len(ids)), bytes: rowPlaceBytes * int64(len(ids)), ids: ids}, err
	}
	var out survivors
	key := newFilterKey(&req.Selection, r.env, frags)
	if key != nil {
		if rows, ok := r.env.Indexes.RowsOf(key); ok {
			out.rows = rows
			r.Counters.Note("the rows that pass are known from a search before")
			return r.counted(out)
		}
	}
	s, err := r.scan(req, frags, filter, nil)
	if err != nil {
		return survivors{}, err
	}
	err = r.driveScan(ctx, s, func() (err error) {
		out.rows, err = s.Passing(ctx)
		return err
	})
	if err != nil {
		return survivors{}, err
	}
	if key != nil {
		r.env.Indexes.KeepRowsOf(key, out.rows)
	}
	return r.counted(out)
}

// counted counts the rows, and reserves their memory.
func (r *Run) counted(out survivors) (survivors, error) {
	out.count, out.bytes = out.rows.Count(), out.rows.SizeBytes()
	if err := r.Share.Reserve(out.bytes); err != nil {
		return survivors{}, err
	}
	return out, nil
}

// list returns the rows, in no order.
func (s survivors) list() []rowPlace {
	if s.rows == nil {
		return s.ids
	}
	out := make([]rowPlace, 0, s.count)
	for f, b := range s.rows {
		first := uint64(f.ID()) << 32
		for it := b.Iterator(); it.HasNext(); {
			addr := first | uint64(it.Next())
			out = append(out, rowPlace{id: addr, addr: addr})
		}
	}
	return out
}

// allow gives each segment the survivors in its own fragments, but for those about which it is not to be asked, which it
// returns.
func (s survivors) allow(segments []*segmentSource) (doubtful []rowPlace) {
	segmentOf := map[uint32]*segmentSource{}
	for _, seg := range segments {
		seg.allowed = vecindex.NewRowSet()
		for _, f := range seg.frags {
			segmentOf[f.ID()] = seg
			b := s.rows[f]
			if d := seg.doubtful[f.ID()]; b != nil && d != nil {
				for it := roaring.And(b, d).Iterator(); it.HasNext(); {
					addr := uint64(f.ID())<<32 | uint64(it.Next())
					doubtful = append(doubtful, rowPlace{id: addr, addr: addr})
				}
				b = roaring.AndNot(b, d)
			}
			if b != nil {
				seg.allowed.AddWords(uint64(f.ID())<<32, b.ToDense())
			}
		}
	}
	for _, p := range s.ids {
		if seg := segmentOf[uint32(p.addr>>32)]; seg.doubts(p.addr) {
			doubtful = append(doubtful, p)
		} else {
			seg.allowed.Add(p.id)
		}
	}
	return doubtful
}
