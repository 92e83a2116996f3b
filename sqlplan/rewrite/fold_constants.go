package rewrite

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// foldConstants computes what is constant, and drops filters that are always or never true.
//
//	Filter 1 + 1 = 2 AND key > 5 + 1     Filter key > 6
//	  LanceScan                       ->   LanceScan
//
//	Filter 1 = 0
//	  LanceScan                       ->  Values of no rows
//
// An expression that fails is left for the run, where it may never be reached.
func foldConstants(n plan.Node) plan.Node {
	return plan.MapNodes(n, func(n plan.Node) plan.Node {
		n = plan.MapExprs(n, foldExpr)
		f, ok := n.(*plan.Filter)
		if !ok {
			return n
		}
		var rest []expr.Expr
		for _, c := range expr.Conjuncts(f.Cond) {
			l, ok := c.(*expr.Literal)
			if !ok {
				rest = append(rest, c)
				continue
			}
			if v, _ := l.Value.(bool); !v { // FALSE, or NULL
				return &plan.Values{Out: f.Columns()}
			}
		}
		if len(rest) == 0 {
			return f.Input
		}
		return &plan.Filter{Input: f.Input, Cond: expr.Conjoin(rest)}
	})
}

func foldExpr(e expr.Expr) expr.Expr {
	folded, err := expr.Fold(e)
	if err != nil {
		return e
	}
	return folded
}

// int64Literal is the value of a constant whole number.
func int64Literal(e expr.Expr) (int64, bool) {
	l, ok := e.(*expr.Literal)
	if !ok || l == nil {
		return 0, false
	}
	v, ok := l.Value.(int64)
	return v, ok
}

// addRows adds two row counts, either of which may be nil for 0.
func addRows(a, b expr.Expr) expr.Expr {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	if x, ok := int64Literal(a); ok {
		if y, ok := int64Literal(b); ok {
			sum := x + y
			if sum < x { // beyond every table
				sum = 1<<63 - 1
			}
			return expr.NewLiteral(sum, arrow.PrimitiveTypes.Int64)
		}
	}
	sum, err := expr.NewArith("+", a, b)
	if err != nil {
		return nil
	}
	return sum
}
