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
		return pushInto(f.Input, conjuncts(f.Cond))
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
		c.Filter = conjoin(append(conjuncts(n.Filter), conds...))
		return &c
	case *Filter:
		return pushInto(n.Input, append(conjuncts(n.Cond), conds...))
	case *Project:
		defs := definitions(n)
		for _, c := range conds {
			moved := substitute(c, defs)
			if volatile(moved) {
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
	case *Aggregate:
		if len(n.Groups) == 0 {
			break // one row comes out whatever goes in
		}
		groups := map[expr.ColID]expr.Expr{}
		for _, g := range n.Groups {
			groups[g.Col.ID] = g.Expr
		}
		for _, c := range conds {
			onGroups := !volatile(c)
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

func filtered(n Node, conds []expr.Expr) Node {
	if len(conds) == 0 {
		return n
	}
	return &Filter{Input: n, Cond: conjoin(conds)}
}
