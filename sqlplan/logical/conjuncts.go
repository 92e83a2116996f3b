package logical

import "lanceflight/sqlplan/expr"

// conjuncts are the operands of the AND at the top of e, or e itself.
func conjuncts(e expr.Expr) []expr.Expr {
	if e == nil {
		return nil
	}
	if l, ok := e.(*expr.Logic); ok && l.Op == "AND" {
		var out []expr.Expr
		for _, a := range l.Args {
			out = append(out, conjuncts(a)...)
		}
		return out
	}
	return []expr.Expr{e}
}

// conjoin is the inverse of conjuncts; nil for none.
func conjoin(xs []expr.Expr) expr.Expr {
	switch len(xs) {
	case 0:
		return nil
	case 1:
		return xs[0]
	}
	return &expr.Logic{Op: "AND", Args: xs}
}

// Volatile reports whether an expression may differ from one evaluation to the next.
func Volatile(e expr.Expr) bool {
	found := false
	expr.Walk(e, func(x expr.Expr) bool {
		if c, ok := x.(*expr.Call); ok && (c.Name == "random" || c.Name == "uuid" || c.Name == "gen_random_uuid") {
			found = true
		}
		return !found
	})
	return found
}

