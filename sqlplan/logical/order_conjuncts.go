package logical

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
)

// orderConjuncts puts the conditions of each scan in the order in which they are best tried.
//
//	caption LIKE '%cat%' AND 100 / width > 2 AND "NSFW" = 0
//	->  "NSFW" = 0 AND caption LIKE '%cat%' AND 100 / width > 2
//
// Comparisons of numbers come first, then those of strings, patterns, and distances. What can fail
// comes last, so that a guard in the same WHERE (width <> 0) is tried before it.
func orderConjuncts(n Node) Node {
	return mapNodes(n, func(n Node) Node {
		switch n := n.(type) {
		case *Scan:
			c := *n
			c.Filter = ordered(n.Filter)
			c.EstimatedRows = n.Snap.NumRows()
			if n.Limit >= 0 {
				c.EstimatedRows = min(c.EstimatedRows, n.Limit)
			}
			return &c
		case *VectorSearch:
			c := *n
			c.Filter = ordered(n.Filter)
			return &c
		}
		return n
	})
}

func ordered(filter expr.Expr) expr.Expr {
	terms := conjuncts(filter)
	if len(terms) < 2 {
		return filter
	}
	terms = slices.Clone(terms)
	slices.SortStableFunc(terms, func(a, b expr.Expr) int { return condCost(a) - condCost(b) })
	return conjoin(terms)
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
				if _, ok := vectorDim(x.T); ok {
					c = 4
				}
			}
		case *expr.Like, *expr.RegexMatch:
			c = 3
		case *expr.Call:
			c = 2
			if _, ok := distanceFunctions[x.Name]; ok {
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

// selectivity guesses the share of rows for which a condition is true where no index tells: the numbers are the customary
// ones (System R's, and PostgreSQL's defaults).
func selectivity(e expr.Expr) float64 {
	const (
		equal  = 0.01
		ranges = 0.33
		both   = 0.1
		like   = 0.1
		null   = 0.05
		other  = 0.33
	)
	neg := func(s float64, not bool) float64 {
		if not {
			return 1 - s
		}
		return s
	}
	switch e := e.(type) {
	case *expr.Logic:
		s := 1.0
		for _, a := range e.Args {
			if e.Op == "AND" {
				s *= selectivity(a)
			} else {
				s *= 1 - selectivity(a)
			}
		}
		return neg(s, e.Op == "OR")
	case *expr.Not:
		return 1 - selectivity(e.X)
	case *expr.Compare:
		switch e.Op {
		case "=", "IS NOT DISTINCT FROM":
			return equal
		case "!=", "IS DISTINCT FROM":
			return 1 - equal
		}
		return ranges
	case *expr.Between:
		return neg(both, e.Negated)
	case *expr.In:
		return neg(min(0.5, equal*float64(len(e.List))), e.Negated)
	case *expr.Like:
		return neg(like, e.Negated)
	case *expr.RegexMatch:
		return neg(like, e.Op[0] == '!')
	case *expr.IsNull:
		return neg(null, e.Negated)
	case *expr.Literal:
		if v, _ := e.Value.(bool); v {
			return 1
		}
		return 0
	}
	return other
}
