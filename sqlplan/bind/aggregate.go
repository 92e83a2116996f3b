package bind

import (
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
)

// aggSet are the groups and aggregate calls of one block.
type aggSet struct {
	groups []plan.NamedExpr
	calls  []plan.AggCall
}

// aggregate binds an aggregate call to the column that the Aggregate node will have for it; the same
// call written twice is computed once.
func (b *binder) aggregate(name string, e *parse.Call, c exprCtx) (expr.Expr, error) {
	if c.aggs == nil {
		return nil, invalid(e.Pos, "aggregate function %s cannot stand in %s", e.Name, c.clause)
	}
	if len(e.OrderBy) > 0 {
		return nil, unsupported(e.OrderBy[0].Pos, "ORDER BY inside %s(…)", e.Name)
	}
	inner := c.in("the arguments of an aggregate function")
	call := plan.AggCall{Name: name, Distinct: e.Distinct}
	for _, a := range e.Args {
		if a.Name != "" {
			return nil, invalid(a.Expr.Position(), "%s takes no argument by name", e.Name)
		}
		x, err := b.expr(a.Expr, inner)
		if err != nil {
			return nil, err
		}
		call.Args = append(call.Args, x)
	}
	if e.Star && name != "count" {
		return nil, invalid(e.Pos, "%s(*): only count takes a star", e.Name)
	}
	// count(1) counts rows, as count(*) does.
	if name == "count" && len(call.Args) == 1 && !e.Distinct {
		if l, ok := call.Args[0].(*expr.Literal); ok && l.Value != nil {
			call.Args = nil
		}
	}
	star := e.Star || name == "count" && len(call.Args) == 0
	t, args, err := expr.ResolveAggregate(name, call.Args, star, e.Distinct)
	if err != nil {
		return nil, place(err, e.Pos)
	}
	call.Args = args
	if name == "min" || name == "max" {
		call.Distinct = false
	}
	if e.Filter != nil {
		inner.clause = "FILTER (WHERE …)"
		if call.Filter, err = b.condition(e.Filter, inner); err != nil {
			return nil, err
		}
	}
	for _, have := range c.aggs.calls {
		if sameCall(have, call) {
			return plan.Ref(have.Col), nil
		}
	}
	call.Col = b.newCol(plan.CallText(call), t, name != "count")
	c.aggs.calls = append(c.aggs.calls, call)
	return plan.Ref(call.Col), nil
}

func sameCall(a, b plan.AggCall) bool {
	if a.Name != b.Name || a.Distinct != b.Distinct || len(a.Args) != len(b.Args) || (a.Filter == nil) != (b.Filter == nil) {
		return false
	}
	for i := range a.Args {
		if !expr.Equal(a.Args[i], b.Args[i]) {
			return false
		}
	}
	return a.Filter == nil || expr.Equal(a.Filter, b.Filter)
}

// hasAggregate reports whether an expression calls an aggregate function outside of subqueries.
func hasAggregate(e parse.Expr) bool {
	found := false
	if e == nil {
		return false
	}
	parse.Walk(e, func(n any) bool {
		switch n := n.(type) {
		case *parse.Subquery, *parse.Exists, *parse.Query:
			return false
		case *parse.Call:
			if n.Over == nil && expr.IsAggregate(n.Name) {
				found = true
			}
		}
		return !found
	})
	return found
}

// overGroups rewrites an expression of the SELECT list, HAVING or ORDER BY of a grouped block to read
// the Aggregate node: parts that equal a group become its column. What still reads an input column
// then is an error.
func (b *binder) overGroups(e expr.Expr, s *aggSet, pos parse.Pos) (expr.Expr, error) {
	made := map[expr.ColID]bool{}
	for _, c := range s.calls {
		made[c.Col.ID] = true
	}
	for _, g := range s.groups {
		made[g.Col.ID] = true
	}
	var replace func(x expr.Expr) expr.Expr
	replace = func(x expr.Expr) expr.Expr {
		for _, g := range s.groups {
			if expr.Equal(g.Expr, x) {
				return plan.Ref(g.Col)
			}
		}
		children := x.Children()
		if len(children) == 0 {
			return x
		}
		out := make([]expr.Expr, len(children))
		for i, c := range children {
			out[i] = replace(c)
		}
		return x.WithChildren(out)
	}
	e = replace(e)
	for _, id := range expr.Columns(e) {
		if made[id] {
			continue
		}
		at := pos
		if p, ok := b.colPos[id]; ok {
			at = p
		}
		name := b.cols[id].Name
		if len(s.groups) == 0 {
			return nil, invalid(at, "column %q must stand in an aggregate function, or in GROUP BY: the query aggregates all rows into one", name)
		}
		return nil, invalid(at, "column %q must appear in GROUP BY or stand in an aggregate function", name)
	}
	return e, nil
}
