package rewrite

import (
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/question"
)

// useScalarIndexes finds the conditions of scans and vector searches that scalar indices answer.
//
//	LanceScan filter: key = 5 AND width > 512  ->  … index=[key_idx BTREE key = 5], recheck=width > 512
//
// The filter stays as it is: it holds for rows that no index covers, and for all rows if an index cannot be read.
//
// Indices of a table that a release with faults in them may have written are compared with their columns first, which the
// plan says.
//
// With them come estimates of the rows that pass. The error is that of the planner's context.
func (r *rewriter) useScalarIndexes(n plan.Node) (_ plan.Node, failed error) {
	off := r.env.Session.Get("lance.use_scalar_index") == "false"
	n = plan.MapSelections(n, func(s *plan.Selection, _ plan.Node) {
		if failed != nil {
			return
		}
		if !off {
			if s.Index = question.NewFilter(s.Snap, s.Filter, plan.QuestionColumns(s.Read)); s.Index != nil && r.env.Indexes != nil {
				if failed = r.estimates(s.Index, s.Snap); failed != nil {
					return
				}
			}
		}
		if s.Index != nil {
			_, s.Unsound = s.Snap.IndexesAreSound(r.ctx)
		}
		s.Aside = leftAside(s.Snap, s.Filter, s.Read, s.Index, off)
		s.Selectivity, s.EstimateBy, failed = r.selectivityOf(s.Snap, s.Filter, s.Read, s.Index)
	})
	if failed != nil {
		return nil, failed
	}
	n = plan.MapNodes(n, func(n plan.Node) plan.Node {
		switch n := n.(type) {
		case *plan.Scan:
			c := *n
			c.EstimatedRows = n.Snap.NumRows()
			if n.Filter != nil {
				c.EstimatedRows = int64(float64(n.Snap.NumRows())*n.Selectivity + 0.5)
			}
			if n.Limit >= 0 {
				c.EstimatedRows = min(c.EstimatedRows, n.Limit)
			}
			return &c
		case *plan.VectorSearch:
			if r.env.Indexes == nil || failed != nil {
				return n
			}
			c := *n
			if len(n.Indexes) > 0 {
				_, c.Unsound = n.Snap.IndexesAreSound(r.ctx)
			}
			c.Expectation, failed = r.expectation(n)
			return &c
		}
		return n
	})
	return n, failed
}
