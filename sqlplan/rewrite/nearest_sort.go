package rewrite

import (
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// sortsNearest reports whether the first key of a sort is a distance, wherever below it is computed, and
// the nearest rows come first:
//
//	Limit 10
//	  Sort d, caption                         <- leaves rows out whose d is NULL
//	    HashJoin inner key = key
//	      Project key, img_emb <-> $1 AS d
//	      LanceScan captions
//
// Such a sort is a search in all but speed, so that it has to find the rows that a search finds.
func sortsNearest(s *plan.Sort) bool {
	if len(s.Keys) == 0 {
		return false
	}
	return nearestAt(s.Input, s.Keys[0], s.Keys[0].Expr)
}

// nearestFirst returns the distance call that a sort key orders by, nearest first. e is the key's
// expression.
func nearestFirst(key plan.SortKey, e expr.Expr) (call *expr.Call, ok bool) {
	if key.NullsFirst && !key.Desc {
		return nil, false // NULL distances are asked for, and a search never finds them
	}
	call, descending, ok := monotone(e)
	if !ok {
		return nil, false
	}
	return call, (descending != plan.DistanceFunctions[call.Name].Negated) == key.Desc // else farthest first
}

// nearestAt follows the expression of a key downwards from n until it is a distance.
func nearestAt(n plan.Node, key plan.SortKey, e expr.Expr) bool {
	for {
		if _, ok := nearestFirst(key, e); ok {
			return true
		}
		ids := expr.Columns(e)
		if len(ids) != 1 {
			return false
		}
		switch x := n.(type) {
		case *plan.Project:
			n, e = x.Input, plan.Substitute(e, plan.Definitions(x))
		case *plan.Filter, *plan.Limit, *plan.Sort, *plan.Distinct:
			n = n.Inputs()[0]
		case *plan.Join:
			switch {
			case hasColumn(x.Left, ids[0]) && !x.Kind.KeepsRight():
				n = x.Left
			case hasColumn(x.Right, ids[0]) && !x.Kind.KeepsLeft():
				n = x.Right
			default:
				return false // NULL may stand for the lack of a partner
			}
		case *plan.LateralJoin:
			switch {
			case hasColumn(x.Left, ids[0]):
				n = x.Left
			case x.Kind == plan.InnerJoin:
				n = x.Right
			default:
				return false
			}
		case *plan.Union:
			return nearestInAll(x, key, e, ids[0])
		default:
			return false
		}
	}
}

// nearestInAll is nearestAt for each input of a union.
func nearestInAll(u *plan.Union, key plan.SortKey, e expr.Expr, id expr.ColID) bool {
	for i, c := range u.Out {
		if c.ID != id {
			continue
		}
		for _, in := range u.In {
			by := map[expr.ColID]expr.Expr{id: plan.Ref(in.Columns()[i])}
			if !nearestAt(in, key, plan.Substitute(e, by)) {
				return false
			}
		}
		return len(u.In) > 0
	}
	return false
}

func hasColumn(n plan.Node, id expr.ColID) bool {
	for _, c := range n.Columns() {
		if c.ID == id {
			return true
		}
	}
	return false
}
