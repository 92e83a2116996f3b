package rewrite

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// orderConjuncts puts the conditions of each scan in the order in which they are best tried.
//
//	caption LIKE '%cat%' AND 100 / width > 2 AND "NSFW" = 0
//	->  "NSFW" = 0 AND caption LIKE '%cat%' AND 100 / width > 2
//
// What reads numbers comes first, then what reads strings, then what reads vectors: the scan reads the
// columns in that order. Within these, expr.OrderConditions decides.
func orderConjuncts(n plan.Node) plan.Node {
	return plan.MapSelections(n, func(s *plan.Selection, _ plan.Node) { s.Filter = ordered(s.Filter) })
}

// ordered is a filter with its conditions in expr's order.
func ordered(filter expr.Expr) expr.Expr {
	terms := expr.Conjuncts(filter)
	if len(terms) < 2 {
		return filter
	}
	types := map[expr.ColID]arrow.DataType{}
	expr.Walk(filter, func(x expr.Expr) bool {
		if c, ok := x.(*expr.Column); ok {
			types[c.ID] = c.T
		}
		return true
	})
	return expr.Conjoin(expr.OrderConditions(terms, func(id expr.ColID) int {
		if _, ok := plan.VectorDim(types[id]); ok {
			return 2
		}
		if isWide(types[id]) {
			return 1
		}
		return 0
	}))
}
