package exec

import (
	"context"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/lancefmt"
)

// rowsByFragment are rows by fragment and offset.
type rowsByFragment map[*lancefmt.Fragment]*roaring.Bitmap

// count is the number of rows.
func (r rowsByFragment) count() (n int64) {
	for _, b := range r {
		n += int64(b.GetCardinality())
	}
	return n
}

// bytes is the memory of the bitmaps, about.
func (r rowsByFragment) bytes() (n int64) {
	for _, b := range r {
		n += int64(b.GetSizeInBytes())
	}
	return n
}

// passing runs the scan for nothing but the rows that pass its filter. Where indices know them, nothing is read. The bitmaps are
// shared: do not change them.
func (s *scanOp) passing(ctx context.Context) (rowsByFragment, error) {
	s.recycle()
	if err := s.useIndexes(ctx); err != nil {
		return nil, err
	}
	out := rowsByFragment{}
	var rest []*lancefmt.Fragment
	for _, f := range s.frags {
		if x := s.indexed[f]; x != nil && x.doubtful == nil && len(x.plan.stages) == 0 {
			out[f] = x.rows
		} else {
			rest = append(rest, f)
		}
	}
	s.zones = newScanZones(s.node, s.env, &s.stats)
	var mu sync.Mutex
	err := s.drive(ctx, rest, func(ctx context.Context, _, _ int, m morsel) error {
		start := time.Now()
		defer func() { s.stats.WorkerNanos.Add(int64(time.Since(start))) }()
		s.stats.Morsels.Add(1)
		rows, err := s.prunedCandidates(ctx, m)
		if err != nil || len(rows) == 0 {
			return err
		}
		var passed rowRanges
		r := morselRun{scanPlan: s.planOf(m.frag), scan: s, ctx: ctx, frag: m.frag, passed: &passed}
		if err := r.start(rows); err != nil {
			return err
		}
		part := bitmapOf(passed)
		mu.Lock()
		defer mu.Unlock()
		if b := out[m.frag]; b != nil {
			b.Or(part)
		} else {
			out[m.frag] = part
		}
		return nil
	})
	return out, err
}

// bitmapOf is the set of the rows of ranges that are in order.
func bitmapOf(ranges rowRanges) *roaring.Bitmap {
	b := roaring.New()
	var run []uint32
	for _, r := range ranges {
		if r.Len() > 8 {
			b.AddMany(run)
			run = run[:0]
			b.AddRange(uint64(r.Start), uint64(r.End))
			continue
		}
		for row := r.Start; row < r.End; row++ {
			run = append(run, uint32(row))
		}
	}
	b.AddMany(run)
	return b
}
