package exec

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/errgroup"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/sqlplan/expr"

	"lanceflight/sqlplan/plan"
	"lanceflight/vecindex"
	"lanceflight/vecindex/calibrate"
)

// Calibrate implements logical.Indexes: what the search will do when it runs.
func (c *IndexCache) Calibrate(ctx context.Context, n *plan.VectorSearch, k int) (plan.Calibrated, error) {
	op, err := newVectorSearch(n, &Env{Mem: memory.DefaultAllocator, Indexes: c})
	if err != nil {
		return plan.Calibrated{}, err
	}
	defer op.Close()
	v := op.(*vectorSearchOp)
	v.k = k
	if v.multi { // whose calibration depends on the number of the query's vectors
		if _, ok := n.Query.(*expr.Literal); !ok {
			return plan.Calibrated{}, fault.New(fault.InvalidArgument, "the query is known when the statement runs")
		}
		if err := v.openQuery(); err != nil {
			return plan.Calibrated{}, err
		}
	}
	segments, _, err := v.openSegments(ctx)
	if err != nil {
		return plan.Calibrated{}, err
	}
	defer releaseSegments(segments)
	return v.calibrated(ctx, segments)
}

// calibrated finds the knobs that reach the recall that is asked for, of searches for k rows in these segments.
func (v *vectorSearchOp) calibrated(ctx context.Context, segments []*segment) (plan.Calibrated, error) {
	if len(segments) == 0 || v.k == 0 {
		return plan.Calibrated{Exact: true, Recall: "1 (exact)"}, nil
	}
	src := v.calibrationSource(segments)
	cache := v.env.Indexes
	if cache == nil {
		cache = NewIndexCache(0) // of this search alone
	}
	cal, err := cache.calibrations.get(ctx, src.key(), func() (*calibrate.Calibration, error) {
		return calibrate.New(ctx, src, src.config())
	})
	if err != nil {
		return plan.Calibrated{}, err
	}
	choice, err := cal.Choose(ctx, src, v.node.Options.MinRecall)
	if err != nil {
		return plan.Calibrated{}, err
	}
	out := plan.Calibrated{Exact: choice.Exact, NProbes: choice.NProbes, EF: choice.EF, Recall: recallText(choice.Estimate, choice.Share)}
	if choice.Exact {
		out.Recall = fmt.Sprintf("1 (exact); the index alone, at most %s", out.Recall)
		return out, nil
	}
	if src.config().Approximate {
		out.RefineFactor = choice.Refine(v.k)
	}
	return out, nil
}

// recallText is an estimate as EXPLAIN shows it.
func recallText(e calibrate.Estimate, share float64) string {
	text := fmt.Sprintf("%.3f ± %.3f of %d queries", e.Recall, e.Margin, e.Queries)
	if share < 1 {
		text += fmt.Sprintf(" on %.2g of the rows", share)
	}
	return text
}

// calibrationSource lets package calibrate read and search the rows of some segments as a vector search does.
type calibrationSource struct {
	v        *vectorSearchOp
	segments []*segment
	frags    []*lancefmt.Fragment
	starts   []int64 // position of each fragment's first row; one more
}

func (v *vectorSearchOp) calibrationSource(segments []*segment) *calibrationSource {
	s := &calibrationSource{v: v, segments: segments, starts: []int64{0}}
	for _, seg := range segments {
		s.frags = append(s.frags, seg.frags...)
	}
	for _, f := range s.frags {
		s.starts = append(s.starts, s.NumPositions()+f.NumPhysicalRows())
	}
	return s
}

func (s *calibrationSource) key() calibrationKey {
	n := s.v.node
	var names []string
	for _, seg := range s.segments {
		names = append(names, fmt.Sprint(keyOf(seg.meta)))
	}
	return calibrationKey{table: n.Snap.Store().URI(), version: n.Snap.Version(), branch: n.Snap.Branch(), segments: strings.Join(names, " "),
		column: n.Column, k: s.class(), vectors: s.queryVectors()}
}

// class is the number of rows that is calibrated for. Over lists of vectors it decides how many entries are looked at, so that it is no other.
func (s *calibrationSource) class() int {
	if s.v.multi {
		return s.v.k
	}
	return calibrate.Class(s.v.k)
}

// queryVectors is the number of vectors of the queries that are calibrated with: as many as the statement's query has, or of many a power of two that is
// no less. More are the harder case: a row may be near to all of them together without being among the nearest of any. It is 0 where rows have one vector.
func (s *calibrationSource) queryVectors() int {
	n := len(s.v.vectors)
	if n > 8 {
		n = 1 << bits.Len(uint(n-1))
	}
	return n
}

func (s *calibrationSource) config() calibrate.Config {
	c := calibrate.Config{K: s.class(), Dim: s.v.dim, Workers: s.v.env.workers(), Products: calibrationProducts, Vectors: s.queryVectors()}
	if s.v.multi {
		c.RowVectors = 1 + int(bytesPerRow(s.v.node.Snap, []string{s.v.node.Column}))/(4*s.v.dim)
		c.Approximate = true // a row's distance is the sum of those of the entries found
	}
	for _, seg := range s.segments {
		c.Partitions = max(c.Partitions, seg.index.NumPartitions())
		c.Rows += seg.index.NumRows()
		c.Approximate = c.Approximate || seg.index.Approximate()
		c.Walks = c.Walks || strings.Contains(seg.index.Kind(), "HNSW")
	}
	return c
}

// calibrationProducts bounds the exact answers of a calibration; 0 is the default. Tests change it.
var calibrationProducts int64

func (s *calibrationSource) Metric() vecindex.Metric { return s.v.node.Metric }
func (s *calibrationSource) NumPositions() int64     { return s.starts[len(s.starts)-1] }

// calibrationPiece are rows of one fragment that are read at once.
type calibrationPiece struct {
	frag   *lancefmt.Fragment
	ranges []encoding.Range
}

// Read implements calibrate.Source.
func (s *calibrationSource) Read(ctx context.Context, ranges []calibrate.Range, workers int, f func(worker int, vectors arrow.Array, rowIDs []uint64) error) error {
	pieces, err := s.pieces(ctx, ranges)
	if err != nil {
		return err
	}
	columns := []string{s.v.node.Column, lancefmt.RowIDColumn}
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for worker := range workers {
		g.Go(func() error {
			for {
				i := int(next.Add(1) - 1)
				if i >= len(pieces) {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				err := guard(func() error {
					b, err := pieces[i].frag.Read(ctx, columns, pieces[i].ranges, s.v.env.Mem)
					if err != nil {
						return err
					}
					defer b.Release()
					return f(worker, b.Column(0), b.Column(1).(*array.Uint64).Uint64Values())
				})
				if err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// pieces cuts positions into reads of about exactBatchBytes of rows that are not deleted.
func (s *calibrationSource) pieces(ctx context.Context, ranges []calibrate.Range) (out []calibrationPiece, err error) {
	most := max(1, int64(exactBatchBytes/max(1, bytesPerRow(s.v.node.Snap, []string{s.v.node.Column}))))
	for i, frag := range s.frags {
		deleted, err := deletedRows(ctx, frag)
		if err != nil {
			return nil, err
		}
		piece, rows := calibrationPiece{frag: frag}, int64(0)
		flush := func() {
			if rows > 0 {
				out = append(out, piece)
			}
			piece, rows = calibrationPiece{frag: frag}, 0
		}
		for len(ranges) > 0 && ranges[0].Start < s.starts[i+1] {
			from, to := max(0, ranges[0].Start-s.starts[i]), min(ranges[0].End, s.starts[i+1])-s.starts[i]
			for _, r := range live(deleted, from, to) {
				for r.Start < r.End {
					n := min(r.End-r.Start, most-rows)
					piece.ranges = append(piece.ranges, encoding.Range{Start: r.Start, End: r.Start + n})
					if rows += n; rows == most {
						flush()
					}
					r.Start += n
				}
			}
			if ranges[0].End > s.starts[i+1] {
				break // goes on in the next fragment
			}
			ranges = ranges[1:]
		}
		flush()
	}
	return out, nil
}

// Search implements calibrate.Source. It finds the candidates that the search itself would find.
func (s *calibrationSource) Search(ctx context.Context, query calibrate.Query, l calibrate.Level, count int, within *vecindex.RowSet) ([]vecindex.Hit, int64, error) {
	n := *s.v.node
	n.Filter, n.Within = nil, nil
	n.Options.NProbes, n.Options.EF, n.Options.RefineFactor = l.NProbes, l.EF, 0
	n.Options.MaxNProbes = l.NProbes // more candidates are asked for than a search wants: probing must not go on for them
	env := *s.v.env
	env.Workers = 1 // queries run side by side
	o := &vectorSearchOp{base: base{env: &env}, node: &n, k: count, dim: s.v.dim, field: s.v.field, multi: s.v.multi}
	o.share = newShare(&env, &o.stats, "calibration")
	defer o.share.releaseAll()
	if o.multi {
		o.vectors = query.Vectors
		hits, err := s.searchLists(ctx, o, count, within)
		return hits, o.stats.Codes.Load(), err
	}
	o.vector = query.Vectors[0]
	lists := make([][]vecindex.Hit, len(s.segments))
	for i, seg := range s.segments {
		one := *seg
		one.allowed = within
		var err error
		if lists[i], err = o.searchSegment(ctx, &one); err != nil {
			return nil, 0, err
		}
	}
	return vecindex.MergeHits(count, lists...), o.stats.Codes.Load(), nil
}

// searchLists is Search where rows are lists of vectors. How many entries are looked at depends on the rows that the statement wants, of which a sample has its share.
func (s *calibrationSource) searchLists(ctx context.Context, o *vectorSearchOp, count int, within *vecindex.RowSet) ([]vecindex.Hit, error) {
	wanted := s.v.k + 1 // but for the query itself
	segments := s.segments
	if within != nil {
		share := float64(within.Len()) / float64(max(1, s.NumPositions()))
		wanted = int(math.Ceil(share * float64(wanted)))
		segments = make([]*segment, len(s.segments))
		for i, seg := range s.segments {
			one := *seg
			one.allowed = within
			segments[i] = &one
		}
	}
	for entries := wanted * multiOverfetch; ; entries *= 4 {
		found, err := o.candidates(ctx, segments, entries)
		if err != nil {
			return nil, err
		}
		o.share.release(found.bytes)
		if len(found.segments) < len(segments) {
			return nil, fault.New(fault.Corrupt, "index %s cannot be searched", s.segments[0].meta.Name)
		}
		if found.complete || len(found.hits) >= wanted {
			return vecindex.MergeHits(count, found.hits), nil
		}
	}
}

func releaseSegments(segments []*segment) {
	for _, s := range segments {
		s.release()
	}
}

// calibrate changes the knobs of this execution to what MinRecall comes to. useful is false if the segments are not sure to reach it, or cannot
// tell: then the search is exact.
func (v *vectorSearchOp) calibrate(ctx context.Context, segments []*segment) (useful bool, err error) {
	if v.node.Options.MinRecall == 0 || v.node.Calibrated != nil || len(segments) == 0 {
		return true, nil
	}
	found, err := v.calibrated(ctx, segments)
	if err != nil {
		if !recoverable(ctx, err) {
			return false, err
		}
		if v.node.Options.MustUse {
			return false, plan.UnusableIndex(v.node.Indexes[0], err)
		}
		v.stats.Note(v.env.Indexes.warn(fmt.Sprintf("index %s cannot be calibrated, the search is exact: %v", v.node.Indexes[0].Name, err)))
		return false, nil
	}
	if found.Exact {
		v.stats.Note(fmt.Sprintf("index %s is not sure to reach min_recall %v: calibrated recall %s", v.node.Indexes[0].Name, v.node.Options.MinRecall, found.Recall))
		return false, nil
	}
	n := *v.node
	found.Apply(&n.Options)
	n.Calibrated = &found
	v.node = &n
	text := fmt.Sprintf("min_recall %v: nprobes=%d", n.Options.MinRecall, n.Options.NProbes)
	if found.RefineFactor > 0 {
		text += fmt.Sprintf(" refine_factor=%d", n.Options.RefineFactor)
	}
	if n.Options.EF > 0 {
		text += fmt.Sprintf(" ef=%d", n.Options.EF)
	}
	v.stats.Note(text + " calibrated_recall=" + found.Recall)
	return true, nil
}
