package logical

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
)

// countFromMetadata answers count(*) of a whole table from the manifest, which says how many rows the
// fragments have and how many of them are deleted.
//
//	Aggregate count(*)       ->  Values 1000000
//	  LanceScan, no columns
func countFromMetadata(n Node) Node {
	return mapNodes(n, func(n Node) Node {
		a, ok := n.(*Aggregate)
		if !ok || len(a.Groups) > 0 || len(a.Aggs) == 0 {
			return n
		}
		s, ok := a.Input.(*Scan)
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
		v := &Values{Out: a.Columns(), Rows: [][]expr.Expr{nil}}
		for range a.Aggs {
			v.Rows[0] = append(v.Rows[0], expr.NewLiteral(rows, arrow.PrimitiveTypes.Int64))
		}
		return v
	})
}
