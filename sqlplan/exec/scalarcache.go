package exec

import (
	"context"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"

	"lanceflight/sqlplan/question"
)

// OpenScalar returns a segment of a scalar index; release must be called when the caller is done with it. An index of a kind
// that is not read is fault.Unsupported, a damaged one a fault.CorruptError.
func (c *IndexCache) OpenScalar(ctx context.Context, snap *lancefmt.Snapshot, of *question.Index, idx *lancefmt.Index) (x index.Index, release func(), err error) {
	if idx.Err != nil {
		return nil, nil, idx.Err
	}
	return c.scalars.get(ctx, keyOf(idx), func() (index.Index, error) {
		return index.Open(ctx, idx.Store(), index.Description{
			Kind: idx.Kind, Dir: idx.Dir(), Details: idx.Details, NoDetails: idx.TypeURL == "", IndexVersion: idx.IndexVersion, CreatedAt: idx.CreatedAt, Files: idx.Files, ColumnType: of.Type, Remap: idx.Remap,
		}, index.Options{Cache: c.pages})
	})
}

// guessKey names an estimate: of a predicate, by what a segment has in some version.
type guessKey struct {
	segment   indexKey
	branch    string
	version   uint64
	predicate string
}

// The estimates that are kept: a statement is planned twice or more.
const (
	maxGuesses   = 4096
	maxGuessText = 512 // bytes of a predicate
)

// EstimateRows implements logical.Indexes.
func (c *IndexCache) EstimateRows(ctx context.Context, snap *lancefmt.Snapshot, of *question.Index, p index.Predicate) (question.Estimate, error) {
	out := question.Estimate{Known: true}
	rest := roaring.New()
	for _, f := range snap.Fragments() {
		rest.Add(f.ID())
	}
	text := predicateText(p)
	for _, seg := range of.Segments {
		covered := roaring.And(rest, seg.Fragments)
		if covered.IsEmpty() {
			continue
		}
		rest.AndNot(covered)
		key := guessKey{keyOf(seg), snap.Branch(), snap.Version(), text}
		c.mu.Lock()
		e, ok := c.guesses[key]
		c.mu.Unlock()
		if !ok {
			var err error
			if e, err = c.estimateSegment(ctx, snap, of, seg, p, covered); err != nil {
				if !recoverable(ctx, err) {
					return out, err
				}
				out.Problems = append(out.Problems, c.warn(unusable(seg, err)))
				continue
			}
			if len(text) <= maxGuessText {
				c.mu.Lock()
				if len(c.guesses) == maxGuesses {
					clear(c.guesses)
				}
				c.guesses[key] = e
				c.mu.Unlock()
			}
		}
		out.Found, out.Of = out.Found+e.Found, out.Of+e.Of
		out.Known = out.Known && e.Known
	}
	out.Known = out.Known && out.Of > 0
	return out, nil
}

func (c *IndexCache) estimateSegment(ctx context.Context, snap *lancefmt.Snapshot, of *question.Index, seg *lancefmt.Index, p index.Predicate, covered *roaring.Bitmap) (e question.Estimate, err error) {
	err = guard(func() error {
		x, release, err := c.OpenScalar(ctx, snap, of, seg)
		if err != nil {
			return err
		}
		defer release()
		if err := enoughRows(snap, x, covered); err != nil {
			return err
		}
		e.Of = rowsIn(snap, covered, (*lancefmt.Fragment).NumPhysicalRows)
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

// unusable is the remark about a segment that cannot be read.
func unusable(seg *lancefmt.Index, err error) string {
	return fmt.Sprintf("index %s (segment %s) cannot be used, its rows are scanned: %v", seg.Name, seg.UUID, err)
}
