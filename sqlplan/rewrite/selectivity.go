package rewrite

import "lanceflight/sqlplan/expr"

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
