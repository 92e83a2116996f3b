package exec

import (
	"context"
	"fmt"
	"math/bits"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
	"lanceflight/vecindex/calibrate"
)

// Calibrate implements logical.Indexes: what the search will do when it runs.
func (c *IndexCache) Calibrate(ctx context.Context, n *plan.VectorSearch, k int) (plan.Calibrated, error) {
	env := &Env{Mem: memory.DefaultAllocator, Indexes: c}
	req, err := newSearchRequest(n)
	if err != nil {
		return plan.Calibrated{}, err
	}
	req.k = k
	if req.lists { // whose calibration depends on the number of the query's vectors
		if _, ok := n.Query.(*expr.Literal); !ok {
			return plan.Calibrated{}, fault.New(fault.InvalidArgument, "the query is known when the statement runs")
		}
		query, err := bindQuery(&req, n, env)
		if err != nil {
			return plan.Calibrated{}, err
		}
		req.queries = []searchQuery{query}
	}
	run := newSearchRun(env, n.Snap, &OpStats{}, "vector search")
	defer run.share.releaseAll()
	segments, _, err := run.openSegments(ctx, &req)
	if err != nil {
		return plan.Calibrated{}, err
	}
	defer releaseSegments(segments)
	return chooseKnobs(ctx, newSegmentCalibration(env, req, segments))
}

// chooseKnobs finds the knobs that reach the recall that a request asks for, in the segments of a source.
func chooseKnobs(ctx context.Context, src *calibrationSource) (plan.Calibrated, error) {
	if len(src.segments) == 0 || src.req.k == 0 {
		return plan.Calibrated{Exact: true, Recall: "1 (exact)"}, nil
	}
	cache := src.env.Indexes
	if cache == nil {
		cache = NewIndexCache(0) // of this search alone
	}
	cal, err := cache.calibrations.get(ctx, src.key(), func() (*calibrate.Calibration, error) {
		return calibrate.New(ctx, src, src.config())
	})
	if err != nil {
		return plan.Calibrated{}, err
	}
	choice, err := cal.Choose(ctx, src, src.req.options.MinRecall)
	if err != nil {
		return plan.Calibrated{}, err
	}
	out := plan.Calibrated{Exact: choice.Exact, NProbes: choice.NProbes, EF: choice.EF, Recall: recallText(choice.Estimate, choice.Share)}
	if choice.Exact {
		out.Recall = fmt.Sprintf("1 (exact); the index alone, at most %s", out.Recall)
		return out, nil
	}
	if src.config().Approximate {
		out.RefineFactor = choice.Refine(src.req.k)
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

func (s *calibrationSource) key() calibrationKey {
	var names []string
	for _, seg := range s.segments {
		names = append(names, fmt.Sprint(keyOf(seg.meta)))
	}
	return calibrationKey{table: s.req.selection.Snap.Store().URI(), version: s.req.selection.Snap.Version(), branch: s.req.selection.Snap.Branch(), segments: strings.Join(names, " "),
		column: s.req.column, k: s.class(), vectors: s.queryVectors()}
}

// class is the number of rows that is calibrated for. Over lists of vectors it decides how many entries are looked at, so that it is no other.
func (s *calibrationSource) class() int {
	if s.req.lists {
		return s.req.k
	}
	return calibrate.Class(s.req.k)
}

// queryVectors is the number of vectors of the queries that are calibrated with: as many as the statement's query has, or of many a power of two that is
// no less. More are the harder case: a row may be near to all of them together without being among the nearest of any. It is 0 where rows have one vector.
func (s *calibrationSource) queryVectors() int {
	n := s.req.listLength()
	if n > 8 {
		n = 1 << bits.Len(uint(n-1))
	}
	return n
}

func (s *calibrationSource) config() calibrate.Config {
	c := calibrate.Config{K: s.class(), Dim: s.req.dim, Workers: s.env.workers(), Products: calibrationProducts, Vectors: s.queryVectors()}
	if s.req.lists {
		c.RowVectors = 1 + int(s.req.vectorBytes())/(4*s.req.dim)
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
