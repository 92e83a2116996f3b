package indexes

import (
	"context"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/internal/cache"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
	"lanceflight/lancefmt/storage"
	"lanceflight/sqlplan/question"
)

// estimateKey names an estimate: of a predicate, by what a segment has in some version.
type estimateKey struct {
	segment   indexKey
	branch    string
	version   uint64
	predicate string
}

// Bounds of the estimates that are kept. They are kept because a statement is planned twice or more.
const (
	maxEstimates    = 4096
	maxEstimateText = 512 // bytes of a predicate
)

func newEstimates() *cache.Cache[estimateKey, question.Estimate] {
	return cache.New(cache.Options[estimateKey, question.Estimate]{MaxBytes: cache.Unbounded, MaxEntries: maxEstimates})
}

// EstimateRows tells for how many rows of an index a predicate holds, about. Segments that cannot be read
// are problems of the estimate. The error is that of ctx.
func (c *Cache) EstimateRows(
	ctx context.Context, snap *lancefmt.Snapshot, about *question.Index, p index.Predicate,
) (question.Estimate, error) {
	out := question.Estimate{Known: true}
	rest := roaring.New()
	for _, f := range snap.Fragments() {
		rest.Add(f.ID())
	}
	text := predicateText(p)
	for _, seg := range about.Segments {
		covered := roaring.And(rest, seg.Fragments)
		if covered.IsEmpty() {
			continue
		}
		rest.AndNot(covered)
		estimate := func(ctx context.Context) (question.Estimate, error) {
			return c.estimateSegment(ctx, snap, about, seg, p, covered)
		}
		var e question.Estimate
		var err error
		if len(text) <= maxEstimateText {
			e, _, err = c.estimates.Load(ctx, estimateKey{keyOf(seg), snap.Branch(), snap.Version(), text}, estimate)
		} else {
			e, err = estimate(ctx)
		}
		if err != nil {
			if !Recoverable(ctx, err) {
				return out, err
			}
			out.Problems = append(out.Problems, c.Warn(Unusable(seg, err)))
			continue
		}
		out.Found, out.Of = out.Found+e.Found, out.Of+e.Of
		out.Known = out.Known && e.Known
	}
	out.Known = out.Known && out.Of > 0
	return out, nil
}

func (c *Cache) estimateSegment(
	ctx context.Context, snap *lancefmt.Snapshot, about *question.Index, seg *lancefmt.Index,
	p index.Predicate, covered *roaring.Bitmap,
) (e question.Estimate, err error) {
	err = storage.Contain("reading an index", func() error {
		x, release, err := c.OpenScalar(ctx, snap, about, seg)
		if err != nil {
			return err
		}
		defer release()
		if err := EnoughRows(snap, x, covered); err != nil {
			return err
		}
		e.Of = RowsIn(snap, covered, (*lancefmt.Fragment).NumPhysicalRows)
		if g, ok := x.(index.Estimator); ok {
			e.Found, e.Known, err = g.EstimateRows(ctx, p, e.Of)
			e.Found = min(e.Found, e.Of)
		}
		return err
	})
	return e, err
}

// predicateText tells predicates apart.
func predicateText(p index.Predicate) string {
	bound := func(b *index.Bound) string {
		if b == nil {
			return "-"
		}
		return fmt.Sprintf("%T %#v %t", b.Value, b.Value, b.Inclusive)
	}
	return fmt.Sprintf("%d %#v %s %s", p.Op, p.Values, bound(p.Low), bound(p.High))
}
