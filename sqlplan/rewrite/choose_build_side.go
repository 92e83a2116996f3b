package rewrite

import (
	"lanceflight/sqlplan/plan"
)

// chooseBuildSides puts the smaller input of a join on the right, where the executor keeps it in memory
// while the other one streams past.
//
//	HashJoin INNER                      HashJoin INNER
//	  Values, 3 rows               ->     LanceScan train, 1000000 rows
//	  LanceScan train                     Values
//
// A left join becomes a right join. Sizes are guesses, so the sides change only where they differ
// clearly.
func chooseBuildSides(n plan.Node) plan.Node {
	return plan.MapNodes(n, func(n plan.Node) plan.Node {
		j, ok := n.(*plan.Join)
		if !ok {
			return n
		}
		swapped := map[plan.JoinKind]plan.JoinKind{
			plan.InnerJoin: plan.InnerJoin, plan.CrossJoin: plan.CrossJoin,
			plan.LeftJoin: plan.RightJoin, plan.RightJoin: plan.LeftJoin,
		}[j.Kind]
		if swapped == "" || estimateRows(j.Left)*2 >= estimateRows(j.Right) {
			return n
		}
		c := *j
		c.Kind, c.Left, c.Right, c.LeftKeys, c.RightKeys = swapped, j.Right, j.Left, j.RightKeys, j.LeftKeys
		return &c
	})
}

// estimateRows guesses how many rows a node yields.
func estimateRows(n plan.Node) float64 {
	in := func(i int) float64 { return estimateRows(n.Inputs()[i]) }
	switch n := n.(type) {
	case *plan.Scan:
		if n.EstimatedRows >= 0 {
			return float64(n.EstimatedRows)
		}
		return float64(n.Snap.NumRows())
	case *plan.VectorSearch:
		if k, ok := int64Literal(n.K); ok {
			return float64(k)
		}
		return 100
	case *plan.Values:
		return float64(len(n.Rows))
	case *plan.Records:
		return 100
	case *plan.Filter:
		return in(0) * selectivity(n.Cond)
	case *plan.Limit:
		if k, ok := int64Literal(n.Count); ok {
			return min(in(0), float64(k))
		}
		return in(0)
	case *plan.Sort:
		if k, ok := int64Literal(n.Limit); ok {
			return min(in(0), float64(k))
		}
		return in(0)
	case *plan.Aggregate:
		if len(n.Groups) == 0 {
			return 1
		}
		return in(0) / 10
	case *plan.Distinct:
		return in(0) / 10
	case *plan.Union:
		sum := 0.0
		for i := range n.In {
			sum += in(i)
		}
		return sum
	case *plan.LateralJoin:
		return in(0) * in(1)
	case *plan.Join:
		switch {
		case n.Kind == plan.SemiJoin || n.Kind == plan.AntiJoin:
			return in(0) / 2
		case len(n.LeftKeys) == 0:
			return in(0) * in(1)
		}
		return max(in(0), in(1))
	}
	if len(n.Inputs()) == 1 {
		return in(0)
	}
	return 1
}
