package search

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/indexes"
	"lanceflight/sqlplan/plan"
)

// Measure is the indexes.Measure of vector searches: it opens what the search will search when it runs.
func Measure(
	ctx context.Context, c *indexes.Cache, n *plan.VectorSearch, k int,
) (r *indexes.Request, release func(), err error) {
	env := &op.Env{Mem: memory.DefaultAllocator, Indexes: c}
	req, err := NewRequest(n)
	if err != nil {
		return nil, nil, err
	}
	req.K = k
	if req.lists { // whose calibration depends on the number of the query's vectors
		if _, ok := n.Query.(*expr.Literal); !ok {
			return nil, nil, fault.New(fault.InvalidArgument, "the query is known when the statement runs")
		}
		query, err := bindQuery(&req, n, env)
		if err != nil {
			return nil, nil, err
		}
		req.queries = []Query{query}
	}
	run := NewRun(env, n.Snap, &op.OpStats{}, "vector search")
	segments, _, err := run.openSegments(ctx, &req)
	if err != nil {
		run.Share.ReleaseAll()
		return nil, nil, err
	}
	return calibrationRequest(newSegmentCalibration(env, req, segments)), func() {
		releaseSegments(segments)
		run.Share.ReleaseAll()
	}, nil
}

// chooseKnobs finds the knobs that reach the recall that a request asks for, in the segments of a source.
func chooseKnobs(ctx context.Context, src *calibrationSource) (plan.Calibrated, error) {
	cache := src.env.Indexes
	if cache == nil {
		cache = indexes.New(indexes.Options{}) // of this search alone
	}
	return cache.Knobs(ctx, calibrationRequest(src))
}

// calibrationRequest asks for the knobs of a search in the segments of a source.
func calibrationRequest(s *calibrationSource) *indexes.Request {
	r := &indexes.Request{
		Snap: s.req.Selection.Snap, Column: s.req.column, Dim: s.req.dim, K: s.req.K, MinRecall: s.req.Options.MinRecall,
		Workers: s.env.NumWorkers(), Searches: s,
		Lists: s.req.lists, QueryVectors: s.req.listLength(), Products: calibrationProducts,
	}
	if s.req.lists {
		r.RowVectors = 1 + int(s.req.vectorBytes())/(4*s.req.dim)
	}
	for _, seg := range s.segments {
		r.Segments = append(r.Segments, indexes.Segment{Meta: seg.meta, Index: seg.index})
	}
	return r
}

// calibrationProducts bounds the exact answers of a calibration; 0 is the default. Tests change it.
var calibrationProducts int64
