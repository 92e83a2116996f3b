package logical

import (
	"lanceflight/sqlplan/expr"
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
func pushFilters(n Node) Node {
	return mapNodes(n, func(n Node) Node {
		f, ok := n.(*Filter)
		if !ok {
			return n
		}
		return pushInto(f.Input, expr.Conjuncts(f.Cond))
	})
}

// pushInto returns n with conditions applied, whose columns are n's.
func pushInto(n Node, conds []expr.Expr) Node {
	if len(conds) == 0 {
		return n
	}
	var down, here []expr.Expr
	switch n := n.(type) {
	case *Scan:
		if n.Limit >= 0 {
			break
		}
		c := *n
		c.Filter = expr.Conjoin(append(expr.Conjuncts(n.Filter), conds...))
		return &c
	case *Filter:
		return pushInto(n.Input, append(expr.Conjuncts(n.Cond), conds...))
	case *Project:
		defs := definitions(n)
		for _, c := range conds {
			moved := substitute(c, defs)
			if expr.IsVolatile(moved) {
				here = append(here, c)
			} else {
				down = append(down, foldExpr(moved))
			}
		}
		c := *n
		c.Input = pushInto(n.Input, down)
		return filtered(&c, here)
	case *Sort:
		if n.Limit != nil {
			break
		}
		c := *n
		c.Input = pushInto(n.Input, conds)
		return &c
	case *Distinct:
		if n.On != nil {
			break
		}
		return &Distinct{Input: pushInto(n.Input, conds)}
	case *Union:
		c := *n
		c.In = make([]Node, len(n.In))
		for i, in := range n.In {
			by := map[expr.ColID]expr.Expr{}
			for j, col := range in.Columns() {
				by[n.Out[j].ID] = ref(col)
			}
			moved := make([]expr.Expr, len(conds))
			for j, cond := range conds {
				moved[j] = substitute(cond, by)
			}
			c.In[i] = pushInto(in, moved)
		}
		return &c
	case *Join:
		return pushIntoJoin(n, conds)
	case *LateralJoin:
		return pushIntoLateral(n, conds)
	case *Aggregate:
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
				down = append(down, substitute(c, groups))
			} else {
				here = append(here, c)
			}
		}
		c := *n
		c.Input = pushInto(n.Input, down)
		return filtered(&c, here)
	}
	return filtered(n, conds)
}

// pushIntoJoin moves conditions below a join, or into its condition: any for an inner join, those on the
// side that all rows come from for an outer one. What reads the other side of an outer join sees the
// NULLs that the join makes, and stays above.
func pushIntoJoin(n *Join, conds []expr.Expr) Node {
	if n.Kind == "INNER" || n.Kind == "CROSS" {
		j := joinOn(n, conds).(*Join)
		return j.WithInputs([]Node{repush(j.Left), repush(j.Right)})
	}
	left, right := columnSet(n.Left), columnSet(n.Right)
	var toLeft, toRight, here []expr.Expr
	for _, c := range conds {
		ids := expr.Columns(c)
		switch {
		case len(ids) == 0 || expr.IsVolatile(c):
			here = append(here, c)
		case within(ids, left) && (n.Kind == "LEFT" || n.Kind == "SEMI" || n.Kind == "ANTI"):
			toLeft = append(toLeft, c)
		case within(ids, right) && n.Kind == "RIGHT":
			toRight = append(toRight, c)
		default:
			here = append(here, c)
		}
	}
	c := *n
	c.Left, c.Right = pushInto(n.Left, toLeft), pushInto(n.Right, toRight)
	return filtered(&c, here)
}

// pushIntoLateral moves conditions on one side of a lateral join to that side; those on the right of a LEFT one stay above.
func pushIntoLateral(n *LateralJoin, conds []expr.Expr) Node {
	left, right := columnSet(n.Left), columnSet(n.Right)
	var toLeft, toRight, here []expr.Expr
	for _, c := range conds {
		ids := expr.Columns(c)
		switch {
		case len(ids) == 0 || expr.IsVolatile(c):
			here = append(here, c)
		case within(ids, left):
			toLeft = append(toLeft, c)
		case within(ids, right) && n.Kind == "INNER":
			toRight = append(toRight, c)
		default:
			here = append(here, c)
		}
	}
	c := *n
	c.Left, c.Right = pushInto(n.Left, toLeft), pushInto(n.Right, toRight)
	return filtered(&c, here)
}

// repush pushes a filter that was just put on top.
func repush(n Node) Node {
	if f, ok := n.(*Filter); ok {
		return pushInto(f.Input, expr.Conjuncts(f.Cond))
	}
	return n
}
