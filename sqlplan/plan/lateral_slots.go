package plan

import (
	"slices"

	"lanceflight/sqlplan/expr"
)

// ReadsSlots reports whether a plan reads one of some parameters.
func ReadsSlots(n Node, slots map[int]bool) bool {
	found := false
	WalkNodes(n, func(n Node) {
		VisitExprs(n, func(e expr.Expr) { found = found || ExprReadsSlots(e, slots) })
	})
	return found
}

func ExprReadsSlots(e expr.Expr, slots map[int]bool) bool {
	found := false
	expr.Walk(e, func(x expr.Expr) bool {
		if p, ok := x.(*expr.Param); ok && slots[p.Slot] {
			found = true
		}
		return !found
	})
	return found
}

// Placed gives a node's slots, and those of its subplans, their final numbers.
func (n *LateralJoin) Placed(place func(int) int) Node {
	c := *n
	c.Args, c.Subplans = slices.Clone(n.Args), slices.Clone(n.Subplans)
	for i := range c.Args {
		c.Args[i].Slot = place(c.Args[i].Slot)
	}
	for i := range c.Subplans {
		c.Subplans[i].Slot = place(c.Subplans[i].Slot)
	}
	return &c
}

// Argued puts what parameters of the join stand for in their places.
func (n *LateralJoin) Argued(e expr.Expr) expr.Expr {
	return expr.Rewrite(e, func(x expr.Expr) expr.Expr {
		if p, ok := x.(*expr.Param); ok {
			for _, a := range n.Args {
				if a.Slot == p.Slot {
					return a.Expr
				}
			}
		}
		return x
	})
}

func (n *LateralJoin) OnLeft(conds []expr.Expr) []expr.Expr {
	out := make([]expr.Expr, len(conds))
	for i, c := range conds {
		out[i] = n.Argued(c)
	}
	return out
}
