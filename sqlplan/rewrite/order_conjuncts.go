package rewrite

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// orderConjuncts puts the conditions of each scan in the order in which they are best tried.
//
//	caption LIKE '%cat%' AND 100 / width > 2 AND "NSFW" = 0
//	->  "NSFW" = 0 AND caption LIKE '%cat%' AND 100 / width > 2
//
// Comparisons of numbers come first, then those of strings, patterns, and distances. What can fail
// comes last, so that a guard in the same WHERE (width <> 0) is tried before it.
func orderConjuncts(n plan.Node) plan.Node {
	return plan.MapSelections(n, func(s *plan.Selection, _ plan.Node) { s.Filter = ordered(s.Filter) })
}

func ordered(filter expr.Expr) expr.Expr {
	terms := expr.Conjuncts(filter)
	if len(terms) < 2 {
		return filter
	}
	terms = slices.Clone(terms)
	slices.SortStableFunc(terms, func(a, b expr.Expr) int { return condCost(a) - condCost(b) })
	return expr.Conjoin(terms)
}

// condCost ranks a condition by what it does per row.
func condCost(e expr.Expr) int {
	cost := 0
	expr.Walk(e, func(x expr.Expr) bool {
		c := 0
		switch x := x.(type) {
		case *expr.Column:
			if isWide(x.T) {
				c = 1
				if _, ok := plan.VectorDim(x.T); ok {
					c = 4
				}
			}
		case *expr.Like, *expr.RegexMatch:
			c = 3
		case *expr.Call:
			c = 2
			if _, ok := plan.DistanceFunctions[x.Name]; ok {
				c = 4
			}
		case *expr.Arith:
			if canFail(x) {
				c = 5
			}
		case *expr.Cast:
			if !x.Try && !x.Implicit {
				c = 5
			}
		}
		cost = max(cost, c)
		return true
	})
	return cost
}

// canFail reports whether arithmetic can end in an error: overflow, or division by zero.
func canFail(x *expr.Arith) bool {
	if x.Op == "||" {
		return false
	}
	switch x.T.ID() {
	case arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64:
		return false
	}
	if x.Op == "/" || x.Op == "%" {
		l, ok := x.Y.(*expr.Literal)
		return !ok || l.Value == int64(0) || l.Value == uint64(0)
	}
	return true
}
