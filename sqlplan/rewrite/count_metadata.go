package rewrite

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// countFromMetadata answers count(*) of a whole table from the manifest, which says how many rows the
// fragments have and how many of them are deleted.
//
//	Aggregate count(*)       ->  Values 1000000
//	  LanceScan, no columns
func countFromMetadata(n plan.Node) plan.Node {
	return plan.MapNodes(n, func(n plan.Node) plan.Node {
		a, ok := n.(*plan.Aggregate)
		if !ok || len(a.Groups) > 0 || len(a.Aggs) == 0 {
			return n
		}
		s, ok := a.Input.(*plan.Scan)
		if !ok || s.Filter != nil {
			return n
		}
		for _, c := range a.Aggs {
			if c.Name != "count" || len(c.Args) > 0 || c.Filter != nil {
				return n
			}
		}
		rows := s.Snap.NumRows()
		if s.Limit >= 0 {
			rows = min(rows, s.Limit)
		}
		v := &plan.Values{Out: a.Columns(), Rows: [][]expr.Expr{nil}}
		for range a.Aggs {
			v.Rows[0] = append(v.Rows[0], expr.NewLiteral(rows, arrow.PrimitiveTypes.Int64))
		}
		return v
	})
}
