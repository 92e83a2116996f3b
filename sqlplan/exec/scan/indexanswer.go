package scan

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"golang.org/x/sync/errgroup"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/indexes"
	"lanceflight/sqlplan/question"
)

// indexAnswers is what the segments of scalar indices answer to the leaves of a filter, for the fragments that they cover.
//
//	leaf ──> segments of its index ──Search──> row ids ──> row addresses ──> rows of each fragment
type indexAnswers struct {
	snap     *lancefmt.Snapshot
	cache    *indexes.Cache
	Counters *op.OpStats

	mu     sync.Mutex
	leaves map[*question.Leaf][]segmentAnswer
}

// segmentAnswer is the answer of one segment, by row address.
type segmentAnswer struct {
	frags      *roaring.Bitmap // fragments that the segment answers for
	may, sure  *index.RowSet
	nulls      *index.RowSet
	nullsKnown bool
	known      *index.RowSet              // rows that the segment has something about; nil = all
	doubtful   map[uint32]*roaring.Bitmap // rows of fragments that it has other values of than the column
}

// askIndexes answers the leaves of a resolved filter for some fragments. A segment that cannot be read answers nothing, with
// a note. The error is that of ctx.
func askIndexes(ctx context.Context, env *op.Env, snap *lancefmt.Snapshot, filter *question.Filter,
	frags []*lancefmt.Fragment, stats *op.OpStats) (*indexAnswers, error) {
	start := time.Now()
	var work index.Work
	ctx = index.WithWork(ctx, &work)
	defer func() {
		stats.IndexNanos.Add(int64(time.Since(start)))
		stats.IndexReads.Add(work.Reads.Load())
		stats.IndexBytes.Add(work.Bytes.Load())
	}()
	a := &indexAnswers{snap: snap, cache: env.Indexes, Counters: stats, leaves: map[*question.Leaf][]segmentAnswer{}}
	if a.cache == nil {
		a.cache = indexes.New(indexes.Options{}) // of this scan alone
		defer a.cache.Close()
	}
	wanted := roaring.New()
	for _, f := range frags {
		wanted.Add(f.ID())
	}
	needNulls := map[*question.Leaf]bool{}
	for _, t := range filter.Terms {
		question.Walk(t.Index, true, func(l *question.Leaf, truth bool) {
			needNulls[l] = needNulls[l] || !truth
		})
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(2, env.NumWorkers()))
	for leaf, nulls := range needNulls {
		if leaf.Predicate == nil {
			continue
		}
		rest := wanted.Clone()
		for _, seg := range leaf.Index.Segments {
			covered := roaring.And(rest, seg.Fragments)
			if covered.IsEmpty() {
				continue
			}
			rest.AndNot(covered)
			p := *leaf.Predicate
			p.SkipNulls = !nulls
			g.Go(func() error { return op.Guard(func() error { return a.ask(ctx, leaf, seg, p, covered) }) })
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return a, nil
}

// ask searches one segment.
func (a *indexAnswers) ask(ctx context.Context, leaf *question.Leaf, seg *lancefmt.Index, p index.Predicate,
	covered *roaring.Bitmap) error {
	answer, err := a.search(ctx, leaf, seg, p, covered)
	switch {
	case err == nil && answer != nil:
		answer.frags = covered
		a.mu.Lock()
		a.leaves[leaf] = append(a.leaves[leaf], *answer)
		a.mu.Unlock()
	case err != nil && !indexes.Recoverable(ctx, err):
		return err
	case err != nil:
		a.Counters.Note(a.cache.Warn(indexes.Unusable(seg, err)))
	}
	return nil
}

// search returns nil if the segment says nothing about the predicate, or not cheaply.
func (a *indexAnswers) search(ctx context.Context, leaf *question.Leaf, seg *lancefmt.Index, p index.Predicate,
	covered *roaring.Bitmap) (*segmentAnswer, error) {
	x, release, err := a.cache.OpenScalar(ctx, a.snap, leaf.Index, seg)
	if err != nil {
		return nil, err
	}
	defer release()
	if !x.Supports(p) {
		return nil, nil
	}
	if err := indexes.EnoughRows(a.snap, x, covered); err != nil {
		return nil, err
	}
	many, err := a.tooMany(ctx, x, p, covered)
	if err != nil {
		return nil, err
	}
	if many {
		a.Counters.Note(fmt.Sprintf("index %s is not used: %s holds for most rows", leaf.Index.Name, leaf.Text))
		return nil, nil
	}
	doubts, err := a.cache.Doubts(ctx, a.snap, seg, x, covered)
	if err != nil {
		return nil, err
	}
	if rows, fragments := doubts.Count(); rows > 0 {
		a.Counters.Note(a.cache.Warn(indexes.Doubted(seg, rows, fragments)))
	}
	found, err := x.Search(ctx, p)
	if err != nil {
		return nil, err
	}
	out := &segmentAnswer{may: found.May, sure: found.Sure, nulls: found.Nulls, nullsKnown: found.NullsKnown && !p.SkipNulls,
		known: found.Known, doubtful: doubts.Rows}
	if a.snap.HasStableRowIDs() && !x.Addresses() {
		if out.may, err = a.addresses(ctx, found.May); err != nil {
			return nil, err
		}
		out.sure = out.may
		if found.Sure != found.May {
			if out.sure, err = a.addresses(ctx, found.Sure); err != nil {
				return nil, err
			}
		}
		if out.nullsKnown {
			if out.nulls, err = a.addresses(ctx, found.Nulls); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// tooMany reports whether a search would find so many rows that scanning them is cheaper.
func (a *indexAnswers) tooMany(ctx context.Context, x index.Index, p index.Predicate, covered *roaring.Bitmap) (bool, error) {
	e, ok := x.(index.Estimator)
	if !ok || p.Op != index.InRange && p.Op != index.Prefix {
		return false, nil
	}
	rows := indexes.RowsIn(a.snap, covered, (*lancefmt.Fragment).NumPhysicalRows)
	found, ok, err := e.EstimateRows(ctx, p, rows)
	return question.Estimate{Found: found, Of: rows, Known: ok}.TooMany(p.Op), err
}

// addresses turns row ids into the addresses of those rows that exist.
func (a *indexAnswers) addresses(ctx context.Context, ids *index.RowSet) (*index.RowSet, error) {
	out := &index.RowSet{}
	if ids == nil {
		return out, nil
	}
	const piece = 64 << 10
	buf := make([]uint32, piece)
	list := make([]uint64, 0, piece)
	found := map[uint32]*roaring.Bitmap{}
	for _, upper := range ids.Uppers() {
		it := ids.Part(upper).ManyIterator()
		for n := it.NextMany(buf); n > 0; n = it.NextMany(buf) {
			list = list[:0]
			for _, lower := range buf[:n] {
				list = append(list, uint64(upper)<<32|uint64(lower))
			}
			addrs, ok, err := a.snap.Addresses(ctx, list)
			if err != nil {
				return nil, err
			}
			for i, addr := range addrs {
				if !ok[i] {
					continue
				}
				b := found[uint32(addr>>32)]
				if b == nil {
					b = roaring.New()
					found[uint32(addr>>32)] = b
				}
				b.Add(uint32(addr))
			}
		}
	}
	for upper, b := range found {
		out.AddBitmap(upper, b)
	}
	return out, nil
}

// bounds are those of a leaf for a fragment.
func (a *indexAnswers) bounds(leaf *question.Leaf, truth bool, fragment uint32) truthBounds {
	segs := a.leaves[leaf]
	i := slices.IndexFunc(segs, func(s segmentAnswer) bool { return s.frags.Contains(fragment) })
	if i < 0 {
		return unknownBounds
	}
	s := segs[i]
	part := func(set *index.RowSet) rowMask {
		if set == nil {
			return noRows
		}
		return rowMask{rows: set.Part(fragment)}
	}
	may, sure := part(s.may), part(s.sure)
	out := truthBounds{may: may, sure: sure}
	switch {
	case truth:
	case s.nullsKnown:
		null := part(s.nulls)
		out = truthBounds{may: sure.or(null).not(), sure: may.or(null).not()}
	default:
		out = truthBounds{may: sure.not(), sure: noRows}
	}
	if open := a.open(s, fragment); open != nil {
		out = truthBounds{may: out.may.or(*open), sure: out.sure.and(open.not())}
	}
	return out
}

// open are the rows of a fragment about which a segment's answer says nothing; nil = none.
func (a *indexAnswers) open(s segmentAnswer, fragment uint32) *rowMask {
	var open *roaring.Bitmap
	if s.known != nil {
		f := a.snap.Fragment(fragment)
		open = roaring.New()
		open.AddRange(0, uint64(f.NumPhysicalRows()))
		if known := s.known.Part(fragment); known != nil {
			open.AndNot(known)
		}
	}
	if doubtful := s.doubtful[fragment]; doubtful != nil {
		if open == nil {
			open = doubtful
		} else {
			open.Or(doubtful)
		}
	}
	if open == nil || open.IsEmpty() {
		return nil
	}
	return &rowMask{rows: open}
}
