package search

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/exec/scan"
	"lanceflight/sqlplan/indexes"
	"lanceflight/sqlplan/plan"
	"lanceflight/vecindex"
	"lanceflight/vecindex/calibrate"
)

// calibrate changes the knobs of a request to what its MinRecall comes to. useful is false if the segments are not sure to reach it, or
// cannot tell: then the search is exact.
func (r *Run) calibrate(ctx context.Context, req *Request, segments []*segmentSource) (useful bool, err error) {
	if req.Options.MinRecall == 0 || req.calibrated || len(segments) == 0 {
		return true, nil
	}
	name := req.indexes[0].Name
	found, err := chooseKnobs(ctx, newSegmentCalibration(r.env, *req, segments))
	if err != nil {
		if !indexes.Recoverable(ctx, err) {
			return false, err
		}
		if req.Options.MustUse {
			return false, plan.UnusableIndex(req.indexes[0], err)
		}
		r.Counters.Note(r.env.Indexes.Warn(fmt.Sprintf("index %s cannot be calibrated, the search is exact: %v", name, err)))
		return false, nil
	}
	if found.Exact {
		r.Counters.Note(fmt.Sprintf("index %s is not sure to reach min_recall %v: calibrated recall %s", name,
			req.Options.MinRecall, found.Recall))
		return false, nil
	}
	found.Apply(&req.Options)
	req.calibrated = true
	o := req.Options
	text := fmt.Sprintf("min_recall %v: nprobes=%d", o.MinRecall, o.NProbes)
	if found.RefineFactor > 0 {
		text += fmt.Sprintf(" refine_factor=%d", o.RefineFactor)
	}
	if o.EF > 0 {
		text += fmt.Sprintf(" ef=%d", o.EF)
	}
	r.Counters.Note(text + " calibrated_recall=" + found.Recall)
	return true, nil
}

// calibrationSource lets package calibrate read and search rows as a vector search does. It implements calibrate.Source.
type calibrationSource struct {
	env      *op.Env
	req      Request          // k and, over lists of vectors, the length of the queries say what is calibrated for
	segments []*segmentSource // that are searched
	frags    []*lancefmt.Fragment
	starts   []int64 // position of each fragment's first row; one more
}

// newCalibrationSource makes a source that reads the rows of some fragments, and searches some segments.
func newCalibrationSource(env *op.Env, req Request, segments []*segmentSource, frags []*lancefmt.Fragment) *calibrationSource {
	s := &calibrationSource{env: env, req: req, segments: segments, frags: frags, starts: []int64{0}}
	for _, f := range frags {
		s.starts = append(s.starts, s.NumPositions()+f.NumPhysicalRows())
	}
	return s
}

// newSegmentCalibration makes a source of the rows that segments cover.
func newSegmentCalibration(env *op.Env, req Request, segments []*segmentSource) *calibrationSource {
	var frags []*lancefmt.Fragment
	for _, seg := range segments {
		frags = append(frags, seg.frags...)
	}
	return newCalibrationSource(env, req, segments, frags)
}

// Metric implements calibrate.Source.
func (s *calibrationSource) Metric() vecindex.Metric { return s.req.metric }

// NumPositions implements calibrate.Source.
func (s *calibrationSource) NumPositions() int64 { return s.starts[len(s.starts)-1] }

// calibrationPiece are rows of one fragment that are read at once.
type calibrationPiece struct {
	frag   *lancefmt.Fragment
	ranges []encoding.Range
}

// Read implements calibrate.Source.
func (s *calibrationSource) Read(ctx context.Context, ranges []calibrate.Range, workers int,
	f func(worker int, vectors arrow.Array, rowIDs []uint64) error) error {
	pieces, err := s.pieces(ctx, ranges)
	if err != nil {
		return err
	}
	columns := lancefmt.Columns(s.req.column, lancefmt.RowIDColumn)
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
				err := op.Guard(func() error {
					b, err := pieces[i].frag.Read(ctx, columns, pieces[i].ranges, s.env.Mem)
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
	most := max(1, int64(exactBatchBytes/max(1, s.req.vectorBytes())))
	for i, frag := range s.frags {
		deleted, err := scan.DeletedRows(ctx, frag)
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
			for _, r := range scan.Live(deleted, from, to) {
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
func (s *calibrationSource) Search(ctx context.Context, query calibrate.Query, l calibrate.Level, count int, within *vecindex.RowSet) (
	[]vecindex.Hit, int64, error) {
	env := *s.env
	env.Workers = 1 // queries run side by side
	run := NewRun(&env, s.req.Selection.Snap, &op.OpStats{}, "calibration")
	defer run.Share.ReleaseAll()
	req := s.req.Ask(count, Query{vectors: query.Vectors})
	req.Selection.Filter = nil
	req.Options.NProbes, req.Options.EF, req.Options.RefineFactor = l.NProbes, l.EF, 0
	req.Options.MaxNProbes = l.NProbes // more candidates are asked for than a search wants: probing must not go on for them
	segments := make([]*segmentSource, len(s.segments))
	for i, seg := range s.segments {
		one := *seg
		one.allowed = within
		segments[i] = &one
	}
	if req.lists {
		hits, err := s.searchLists(ctx, run, &req, segments, within)
		return hits, run.Counters.Codes.Load(), err
	}
	lists := make([][]vecindex.Hit, len(segments))
	for i, seg := range segments {
		found, err := seg.candidates(ctx, run, &req)
		if err != nil {
			return nil, 0, err
		}
		lists[i] = found[0]
	}
	return vecindex.MergeHits(count, lists...), run.Counters.Codes.Load(), nil
}

// searchLists is Search where rows are lists of vectors. How many entries are looked at depends on the rows that the statement wants, of
// which a sample has its share.
func (s *calibrationSource) searchLists(ctx context.Context, run *Run, req *Request, segments []*segmentSource,
	within *vecindex.RowSet) ([]vecindex.Hit, error) {
	wanted := s.req.K + 1 // but for the query itself
	if within != nil {
		share := float64(within.Len()) / float64(max(1, s.NumPositions()))
		wanted = int(math.Ceil(share * float64(wanted)))
	}
	for entries := wanted * multiOverfetch; ; entries *= 4 {
		found, err := run.listCandidates(ctx, req, asSources(segments), entries)
		if err != nil {
			return nil, err
		}
		run.Share.Release(found.bytes)
		if len(found.used) < len(segments) {
			return nil, fault.New(fault.Corrupt, "index %s cannot be searched", s.segments[0].meta.Name)
		}
		if found.complete || len(found.hits) >= wanted {
			return vecindex.MergeHits(req.K, found.hits), nil
		}
	}
}
