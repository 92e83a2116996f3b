package rewrite

import (
	"fmt"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// calibrateSearches shows in EXPLAIN what min_recall comes to:
//
//	VectorSearch k = 10, min_recall 0.95   ->   VectorSearch k = 10, nprobes = 24, refine_factor = 5
//
// Other statements find it when they run, since they are planned several times before. Where k is a
// parameter, EXPLAIN cannot know; EXPLAIN ANALYZE remarks it.
func (r *rewriter) calibrateSearches(n plan.Node) (_ plan.Node, failed error) {
	if !r.explain || r.env.Indexes == nil {
		return n, nil
	}
	n = plan.MapNodes(n, func(n plan.Node) plan.Node {
		vs, ok := n.(*plan.VectorSearch)
		if !ok || vs.Options.MinRecall == 0 || len(vs.Indexes) == 0 || failed != nil {
			return n
		}
		l, ok := vs.K.(*expr.Literal)
		if !ok {
			return n
		}
		k, ok := l.Value.(int64)
		if !ok || k <= 0 {
			return n
		}
		found, err := r.env.Indexes.Calibrate(r.ctx, vs, int(min(k, vs.Snap.NumRows())))
		if err != nil {
			failed = r.ctx.Err() // the execution says what is wrong with an index
			return n
		}
		c := *vs
		c.Calibrated = &found
		if found.Exact {
			c.Indexes, c.Why = nil, fmt.Sprintf("exact search: index %s is not sure to reach min_recall %v", vs.Indexes[0].Name,
				vs.Options.MinRecall)
			return &c
		}
		found.Apply(&c.Options)
		return &c
	})
	return n, failed
}
