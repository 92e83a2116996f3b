package rewrite

import (
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// pushFilters moves conditions towards the scan, each as far as it goes.
//
//	Filter d < 3 AND key > 5               Project key, width * 2 AS d
//	  Project key, width * 2 AS d     ->     LanceScan filter: key > 5 AND width * 2 < 3
//	    LanceScan
//
// A condition passes a projection by reading its definitions, a sort and a DISTINCT as it is, a union
// into each input, and an aggregation if it reads groups only. It stops at LIMIT, which counts the
// rows before it, and at volatile definitions.
func pushFilters(n plan.Node) plan.Node {
	return plan.MapNodes(n, func(n plan.Node) plan.Node {
		f, ok := n.(*plan.Filter)
		if !ok {
			return n
		}
		return pushInto(f.Input, expr.Conjuncts(f.Cond))
	})
}

// pushInto returns n with conditions applied, whose columns are n's.
func pushInto(n plan.Node, conds []expr.Expr) plan.Node {
	if len(conds) == 0 {
		return n
	}
	var down, here []expr.Expr
	switch n := n.(type) {
	case *plan.Scan:
		if n.Limit >= 0 {
			break
		}
		c := *n
		c.Filter = expr.Conjoin(append(expr.Conjuncts(n.Filter), conds...))
		return &c
	case *plan.Filter:
		return pushInto(n.Input, append(expr.Conjuncts(n.Cond), conds...))
	case *plan.Project:
		defs := plan.Definitions(n)
		for _, c := range conds {
			moved := plan.Substitute(c, defs)
			if expr.IsVolatile(moved) {
				here = append(here, c)
			} else {
				down = append(down, foldExpr(moved))
			}
		}
		c := *n
		c.Input = pushInto(n.Input, down)
		return plan.FilterBy(&c, here)
	case *plan.Sort:
		if n.Limit != nil {
			break
		}
		c := *n
		c.Input = pushInto(n.Input, conds)
		return &c
	case *plan.Distinct:
		if n.On != nil {
			break
		}
		return &plan.Distinct{Input: pushInto(n.Input, conds)}
	case *plan.Union:
		c := *n
		c.In = make([]plan.Node, len(n.In))
		for i, in := range n.In {
			by := map[expr.ColID]expr.Expr{}
			for j, col := range in.Columns() {
				by[n.Out[j].ID] = plan.Ref(col)
			}
			moved := make([]expr.Expr, len(conds))
			for j, cond := range conds {
				moved[j] = plan.Substitute(cond, by)
			}
			c.In[i] = pushInto(in, moved)
		}
		return &c
	case *plan.Join:
		return pushIntoJoin(n, conds)
	case *plan.LateralJoin:
		return pushIntoLateral(n, conds)
	case *plan.Aggregate:
		if len(n.Groups) == 0 {
			break // one row comes out whatever goes in
		}
		groups := map[expr.ColID]expr.Expr{}
		for _, g := range n.Groups {
			groups[g.Col.ID] = g.Expr
		}
		for _, c := range conds {
			onGroups := !expr.IsVolatile(c)
			for _, id := range expr.Columns(c) {
				onGroups = onGroups && groups[id] != nil
			}
			if onGroups {
				down = append(down, plan.Substitute(c, groups))
			} else {
				here = append(here, c)
			}
		}
		c := *n
		c.Input = pushInto(n.Input, down)
		return plan.FilterBy(&c, here)
	}
	return plan.FilterBy(n, conds)
}

// pushIntoJoin moves conditions below a join, or into its condition: any for an inner join, those on the
// side that all rows come from for an outer one. What reads the other side of an outer join sees the
// NULLs that the join makes, and stays above.
func pushIntoJoin(n *plan.Join, conds []expr.Expr) plan.Node {
	if n.Kind == plan.InnerJoin || n.Kind == plan.CrossJoin {
		j := plan.JoinOn(n, conds).(*plan.Join)
		return j.WithInputs([]plan.Node{repush(j.Left), repush(j.Right)})
	}
	left, right := plan.ColumnSet(n.Left), plan.ColumnSet(n.Right)
	var toLeft, toRight, here []expr.Expr
	for _, c := range conds {
		ids := expr.Columns(c)
		switch {
		case len(ids) == 0 || expr.IsVolatile(c):
			here = append(here, c)
		case plan.AllIn(ids, left) && (n.Kind == plan.LeftJoin || n.Kind == plan.SemiJoin || n.Kind == plan.AntiJoin):
			toLeft = append(toLeft, c)
		case plan.AllIn(ids, right) && n.Kind == plan.RightJoin:
			toRight = append(toRight, c)
		default:
			here = append(here, c)
		}
	}
	c := *n
	c.Left, c.Right = pushInto(n.Left, toLeft), pushInto(n.Right, toRight)
	return plan.FilterBy(&c, here)
}

// pushIntoLateral moves conditions on one side of a lateral join to that side; those on the right of a LEFT one stay above.
func pushIntoLateral(n *plan.LateralJoin, conds []expr.Expr) plan.Node {
	left, right := plan.ColumnSet(n.Left), plan.ColumnSet(n.Right)
	var toLeft, toRight, here []expr.Expr
	for _, c := range conds {
		ids := expr.Columns(c)
		switch {
		case len(ids) == 0 || expr.IsVolatile(c):
			here = append(here, c)
		case plan.AllIn(ids, left):
			toLeft = append(toLeft, c)
		case plan.AllIn(ids, right) && n.Kind == plan.InnerJoin:
			toRight = append(toRight, c)
		default:
			here = append(here, c)
		}
	}
	c := *n
	c.Left, c.Right = pushInto(n.Left, toLeft), pushInto(n.Right, toRight)
	return plan.FilterBy(&c, here)
}

// repush pushes a filter that was just put on top.
func repush(n plan.Node) plan.Node {
	if f, ok := n.(*plan.Filter); ok {
		return pushInto(f.Input, expr.Conjuncts(f.Cond))
	}
	return n
}
