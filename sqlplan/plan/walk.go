package plan

import (
	"lanceflight/sqlplan/expr"
)

// MapNodes rebuilds a plan bottom-up: f sees each node after its inputs and returns its replacement.
func MapNodes(n Node, f func(Node) Node) Node {
	old := n.Inputs()
	changed := false
	inputs := make([]Node, len(old))
	for i, in := range old {
		inputs[i] = MapNodes(in, f)
		changed = changed || inputs[i] != in
	}
	if changed {
		n = n.WithInputs(inputs)
	}
	return f(n)
}

// WalkNodes visits n and everything below it, parents first.
func WalkNodes(n Node, visit func(Node)) {
	visit(n)
	for _, in := range n.Inputs() {
		WalkNodes(in, visit)
	}
}

// MapExprs returns n with f applied to each of its own expressions, nil ones left out.
func MapExprs(n Node, f func(expr.Expr) expr.Expr) Node {
	g := func(e expr.Expr) expr.Expr {
		if e == nil {
			return nil
		}
		return f(e)
	}
	list := func(in []expr.Expr) []expr.Expr {
		out := make([]expr.Expr, len(in))
		for i, e := range in {
			out[i] = g(e)
		}
		return out
	}
	named := func(in []NamedExpr) []NamedExpr {
		out := make([]NamedExpr, len(in))
		for i, e := range in {
			out[i] = NamedExpr{Expr: g(e.Expr), Col: e.Col}
		}
		return out
	}
	switch n := n.(type) {
	case *Scan:
		c := *n
		c.Filter = g(n.Filter)
		return &c
	case *VectorSearch:
		c := *n
		c.Query, c.K, c.Within, c.Filter = g(n.Query), g(n.K), g(n.Within), g(n.Filter)
		return &c
	case *Filter:
		c := *n
		c.Cond = g(n.Cond)
		return &c
	case *Project:
		c := *n
		c.Exprs = named(n.Exprs)
		return &c
	case *Aggregate:
		c := *n
		c.Groups = named(n.Groups)
		c.Aggs = make([]AggCall, len(n.Aggs))
		for i, a := range n.Aggs {
			a.Args, a.Filter = list(a.Args), g(a.Filter)
			c.Aggs[i] = a
		}
		return &c
	case *Sort:
		c := *n
		c.Keys = make([]SortKey, len(n.Keys))
		for i, k := range n.Keys {
			k.Expr = g(k.Expr)
			c.Keys[i] = k
		}
		c.Limit = g(n.Limit)
		return &c
	case *Limit:
		c := *n
		c.Count, c.Offset = g(n.Count), g(n.Offset)
		return &c
	case *Values:
		c := *n
		c.Rows = make([][]expr.Expr, len(n.Rows))
		for i, row := range n.Rows {
			c.Rows[i] = list(row)
		}
		return &c
	case *Join:
		c := *n
		c.LeftKeys, c.RightKeys, c.Residual = list(n.LeftKeys), list(n.RightKeys), g(n.Residual)
		return &c
	case *LateralJoin:
		c := *n
		c.Args = make([]LateralArg, len(n.Args))
		for i, a := range n.Args {
			c.Args[i] = LateralArg{Slot: a.Slot, Expr: g(a.Expr)}
		}
		return &c
	}
	return n
}

// VisitExprs calls visit for each of a node's own expressions, roots only.
func VisitExprs(n Node, visit func(expr.Expr)) {
	MapExprs(n, func(e expr.Expr) expr.Expr {
		visit(e)
		return e
	})
}

// Substitute replaces columns by the expressions a projection computes for them.
func Substitute(e expr.Expr, by map[expr.ColID]expr.Expr) expr.Expr {
	return expr.Rewrite(e, func(x expr.Expr) expr.Expr {
		if c, ok := x.(*expr.Column); ok {
			if r, ok := by[c.ID]; ok {
				return r
			}
		}
		return x
	})
}

// Definitions maps the columns of a projection to their expressions.
func Definitions(p *Project) map[expr.ColID]expr.Expr {
	m := make(map[expr.ColID]expr.Expr, len(p.Exprs))
	for _, e := range p.Exprs {
		m[e.Col.ID] = e.Expr
	}
	return m
}

// Ref is the expression that reads a column.
func Ref(c Col) expr.Expr { return &expr.Column{ID: c.ID, Name: c.Name, T: c.Type} }

// PassOn is the projection entry that passes a column on.
func PassOn(c Col) NamedExpr { return NamedExpr{Expr: Ref(c), Col: c} }
