package rewrite

import (
	"slices"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// flattenLaterals makes projections and plain joins of lateral joins whose right side is a plain SELECT: what reads the left side
// stands on top, in projections and conditions.
//
//	LateralJoin INNER reads q.a              Project q.a, t.key, t.b + q.a AS s
//	  LanceScan q                      ->      HashJoin INNER q.a = t.key
//	  Project t.key, t.b + q.a AS s              LanceScan q
//	    Filter t.key = q.a                       LanceScan t
//	      LanceScan t
//
// Without a table on the right, the projection alone is left. A LEFT join makes NULLs of what the right side computes for a row,
// which a projection above cannot, so it stays lateral if that reads the left side.
func flattenLaterals(n plan.Node) plan.Node {
	return plan.MapNodes(n, func(n plan.Node) plan.Node {
		if l, ok := n.(*plan.LateralJoin); ok {
			return flattenLateral(l)
		}
		return n
	})
}

func flattenLateral(n *plan.LateralJoin) plan.Node {
	if len(n.Subplans) > 0 {
		return n
	}
	slots := map[int]bool{}
	for _, a := range n.Args {
		slots[a.Slot] = true
	}
	exprs, conds, base, ok := plainBlock(n.Right)
	if !ok || plan.ReadsSlots(base, slots) {
		return n
	}
	top := &plan.Project{}
	for _, c := range n.Left.Columns() {
		top.Exprs = append(top.Exprs, plan.PassOn(c))
	}
	reads := slices.ContainsFunc(exprs, func(e plan.NamedExpr) bool { return plan.ExprReadsSlots(e.Expr, slots) })
	if v, ok := base.(*plan.Values); ok && len(v.Out) == 0 && len(v.Rows) == 1 && (n.Kind == plan.InnerJoin || len(conds) == 0) {
		top.Input = n.Left
		if len(conds) > 0 {
			top.Input = &plan.Filter{Input: n.Left, Cond: expr.Conjoin(n.OnLeft(conds))}
		}
		for _, e := range exprs {
			top.Exprs = append(top.Exprs, plan.NamedExpr{Expr: n.Argued(e.Expr), Col: e.Col})
		}
		return top
	}
	j := &plan.Join{Kind: plan.CrossJoin, Left: n.Left, Right: base, Out: slices.Concat(n.Left.Columns(), base.Columns())}
	if n.Kind == plan.LeftJoin {
		if reads || slices.ContainsFunc(exprs, func(e plan.NamedExpr) bool { return expr.IsVolatile(e.Expr) }) {
			return n
		}
		// The columns of conditions come along.
		p := &plan.Project{Input: base, Exprs: slices.Clone(exprs)}
		for _, c := range base.Columns() {
			if !slices.ContainsFunc(exprs, func(e plan.NamedExpr) bool { return e.Col.ID == c.ID }) {
				p.Exprs = append(p.Exprs, plan.PassOn(c))
			}
		}
		j.Kind, j.Right = plan.LeftJoin, p
		j.Out = slices.Concat(n.Left.Columns(), p.Columns())
		for i := range j.Out[len(n.Left.Columns()):] {
			j.Out[len(n.Left.Columns())+i].Nullable = true
		}
		top.Input = plan.JoinOn(j, n.OnLeft(conds))
		for _, e := range exprs {
			c := e.Col
			c.Nullable = true
			top.Exprs = append(top.Exprs, plan.PassOn(c))
		}
		return top
	}
	top.Input = plan.JoinOn(j, n.OnLeft(conds))
	for _, e := range exprs {
		top.Exprs = append(top.Exprs, plan.NamedExpr{Expr: n.Argued(e.Expr), Col: e.Col})
	}
	return top
}

// plainBlock takes projections and filters off a node: what they compute and which rows they keep, over the columns of base.
func plainBlock(n plan.Node) (exprs []plan.NamedExpr, conds []expr.Expr, base plan.Node, ok bool) {
	switch n := n.(type) {
	case *plan.Project:
		below, conds, base, ok := plainBlock(n.Input)
		if !ok {
			return nil, nil, nil, false
		}
		by := map[expr.ColID]expr.Expr{}
		for _, e := range below {
			by[e.Col.ID] = e.Expr
		}
		for _, e := range n.Exprs {
			x := plan.Substitute(e.Expr, by)
			if expr.IsVolatile(x) {
				return nil, nil, nil, false // it may stand in two places now
			}
			exprs = append(exprs, plan.NamedExpr{Expr: x, Col: e.Col})
		}
		return exprs, conds, base, true
	case *plan.Filter:
		exprs, conds, base, ok := plainBlock(n.Input)
		if !ok || expr.IsVolatile(n.Cond) {
			return nil, nil, nil, false
		}
		by := map[expr.ColID]expr.Expr{}
		for _, e := range exprs {
			by[e.Col.ID] = e.Expr
		}
		for _, c := range expr.Conjuncts(n.Cond) {
			conds = append(conds, plan.Substitute(c, by))
		}
		return exprs, conds, base, true
	}
	for _, c := range n.Columns() {
		exprs = append(exprs, plan.PassOn(c))
	}
	return exprs, nil, n, true
}
