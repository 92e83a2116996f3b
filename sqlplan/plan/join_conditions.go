package plan

import (
	"slices"

	"lanceflight/sqlplan/expr"
)

// JoinOn gives a join its conditions: equations between the sides become keys, conditions on one side
// go below the join where that keeps its meaning, the rest is its residual. A cross join with a
// condition is an inner join.
func JoinOn(n *Join, conds []expr.Expr) Node {
	c := *n
	left, right := ColumnSet(n.Left), ColumnSet(n.Right)
	var toLeft, toRight, residual []expr.Expr
	for _, cond := range conds {
		ids := expr.Columns(cond)
		onLeft, onRight := AllIn(ids, left), AllIn(ids, right)
		switch {
		case len(ids) > 0 && !expr.IsVolatile(cond) && onLeft &&
			(c.Kind == InnerJoin || c.Kind == CrossJoin || c.Kind == RightJoin || c.Kind == SemiJoin):
			toLeft = append(toLeft, cond)
		case len(ids) > 0 && !expr.IsVolatile(cond) && onRight && c.Kind != RightJoin && c.Kind != FullJoin:
			toRight = append(toRight, cond)
		default:
			if l, r, ok := equation(cond, left, right); ok {
				c.LeftKeys, c.RightKeys = append(slices.Clone(c.LeftKeys), l), append(slices.Clone(c.RightKeys), r)
			} else {
				residual = append(residual, cond)
			}
		}
	}
	if len(toLeft) > 0 {
		c.Left = &Filter{Input: n.Left, Cond: expr.Conjoin(toLeft)}
	}
	if len(toRight) > 0 {
		c.Right = &Filter{Input: n.Right, Cond: expr.Conjoin(toRight)}
	}
	c.Residual = expr.Conjoin(append(expr.Conjuncts(n.Residual), residual...))
	if c.Kind == CrossJoin && (len(c.LeftKeys) > 0 || c.Residual != nil) {
		c.Kind = InnerJoin
	}
	return &c
}

// equation takes apart left = right where each side reads one input.
func equation(e expr.Expr, left, right map[expr.ColID]bool) (l, r expr.Expr, ok bool) {
	c, isCompare := e.(*expr.Compare)
	if !isCompare || c.Op != "=" || expr.IsVolatile(e) {
		return nil, nil, false
	}
	x, y := expr.Columns(c.X), expr.Columns(c.Y)
	if len(x) == 0 || len(y) == 0 {
		return nil, nil, false
	}
	switch {
	case AllIn(x, left) && AllIn(y, right):
		l, r = expr.JoinKeys(c.X, c.Y)
		return l, r, true
	case AllIn(x, right) && AllIn(y, left):
		l, r = expr.JoinKeys(c.Y, c.X)
		return l, r, true
	}
	return nil, nil, false
}

func ColumnSet(n Node) map[expr.ColID]bool {
	m := map[expr.ColID]bool{}
	for _, c := range n.Columns() {
		m[c.ID] = true
	}
	return m
}

func AllIn(ids []expr.ColID, set map[expr.ColID]bool) bool {
	for _, id := range ids {
		if !set[id] {
			return false
		}
	}
	return true
}

func FilterBy(n Node, conds []expr.Expr) Node {
	if len(conds) == 0 {
		return n
	}
	return &Filter{Input: n, Cond: expr.Conjoin(conds)}
}
