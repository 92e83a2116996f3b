package scan

import (
	"context"
	"math/bits"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/sqlplan/indexes"
)

// Passing runs the scan for nothing but the rows that pass its filter. Where indices know them, nothing is read. The bitmaps are
// shared: do not change them.
func (s *ScanOp) Passing(ctx context.Context) (indexes.RowsByFragment, error) {
	s.recycle()
	if err := s.useIndexes(ctx); err != nil {
		return nil, err
	}
	out := indexes.RowsByFragment{}
	var rest []*lancefmt.Fragment
	for _, f := range s.Frags {
		if x := s.indexed[f]; x != nil && x.doubtful == nil && len(x.plan.stages) == 0 {
			out[f] = x.rows
		} else {
			rest = append(rest, f)
		}
	}
	s.zones = newScanZones(s.node, s.Env, &s.Counters)
	if err := s.takeApart(rest, nil); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	err := s.drive(ctx, rest, func(ctx context.Context, _, _ int, m morsel) error {
		start := time.Now()
		defer func() { s.Counters.WorkerNanos.Add(int64(time.Since(start))) }()
		s.Counters.Morsels.Add(1)
		rows, err := s.prunedCandidates(ctx, m)
		if err != nil || len(rows) == 0 {
			return err
		}
		p := s.planOf(m.frag)
		bits, err := s.passingOf(ctx, m.frag, p, s.tested[p], rows)
		if err != nil {
			return err
		}
		part := bits.bitmap()
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

// passingOf finds which of some rows pass a plan: with tests of bits as far as those decide, with its stages for the rest.
func (s *ScanOp) passingOf(ctx context.Context, f *lancefmt.Fragment, p *scanPlan, tested *testedPlan, rows rowRanges) (*rowBits, error) {
	bits := newRowBits(rows)
	if tested != nil {
		bits.addAll(rows)
		ok, err := s.test(ctx, f, tested.tests, rows, bits)
		if err != nil {
			return nil, err
		}
		if ok && len(tested.rest.stages) == 0 {
			return bits, nil
		}
		if ok {
			p, rows = tested.rest, bits.ranges()
		}
		clear(bits.words)
	}
	if len(rows) == 0 {
		return bits, nil
	}
	r := morselRun{scanPlan: p, scan: s, ctx: ctx, frag: f, bits: bits}
	return bits, r.start(rows)
}

// rowBits are rows of a morsel, a bit each: what a filter that is all there is to a scan leaves. No column is cut down to the rows
// that pass, and they are not written as ranges.
type rowBits struct {
	first int64 // row of the first bit, a multiple of 2^16
	words []uint64
}

// newRowBits has room for rows of ranges, which are in order and not empty.
func newRowBits(rows rowRanges) *rowBits {
	first := rows[0].Start &^ (1<<16 - 1)
	return &rowBits{first: first, words: make([]uint64, (rows[len(rows)-1].End-first+63)/64)}
}

// add puts rows in: those that ranges have at the positions in sel, which ascend.
func (b *rowBits) add(ranges rowRanges, sel []int32) {
	before := int64(0) // rows of the ranges so far
	for _, r := range ranges {
		n, end := 0, before+r.Len()
		for n < len(sel) && int64(sel[n]) < end {
			n++
		}
		shift := r.Start - before - b.first
		for _, s := range sel[:n] {
			row := int64(s) + shift
			b.words[row>>6] |= 1 << (row & 63)
		}
		if sel = sel[n:]; len(sel) == 0 {
			return
		}
		before = end
	}
}

// addAll puts all rows of ranges in.
func (b *rowBits) addAll(ranges rowRanges) {
	for _, r := range ranges {
		lo, hi := r.Start-b.first, r.End-b.first
		for ; lo < hi && lo&63 != 0; lo++ {
			b.words[lo>>6] |= 1 << (lo & 63)
		}
		for ; lo+64 <= hi; lo += 64 {
			b.words[lo>>6] = ^uint64(0)
		}
		for ; lo < hi; lo++ {
			b.words[lo>>6] |= 1 << (lo & 63)
		}
	}
}

// ranges are the rows that are in.
func (b *rowBits) ranges() (out rowRanges) {
	end := b.first + 64*int64(len(b.words))
	for row := b.next(b.first, 0); row < end; {
		r := encoding.Range{Start: row, End: b.next(row, ^uint64(0))}
		out = append(out, r)
		row = b.next(r.End, 0)
	}
	return out
}

// count is the number of rows.
func (b *rowBits) count() (n int64) {
	for _, w := range b.words {
		n += int64(bits.OnesCount64(w))
	}
	return n
}

// next is the first row from the given one on whose bit is not that of all of flip, or the end.
func (b *rowBits) next(row int64, flip uint64) int64 {
	at := row - b.first
	for i := at >> 6; i < int64(len(b.words)); i++ {
		w := b.words[i] ^ flip
		if i == at>>6 {
			w &= ^uint64(0) << (at & 63)
		}
		if w != 0 {
			return b.first + i<<6 + int64(bits.TrailingZeros64(w))
		}
	}
	return b.first + 64*int64(len(b.words))
}

// bitmap takes the words over.
func (b *rowBits) bitmap() *roaring.Bitmap {
	m := roaring.FromDense(b.words, false)
	if b.first > 0 {
		m = roaring.AddOffset(m, uint32(b.first))
	}
	return m
}
