package logical

// chooseBuildSides puts the smaller input of a join on the right, where the executor keeps it in memory
// while the other one streams past.
//
//	HashJoin INNER                      HashJoin INNER
//	  Values, 3 rows               ->     LanceScan train, 1000000 rows
//	  LanceScan train                     Values
//
// A left join becomes a right join. Sizes are guesses, so the sides change only where they differ
// clearly.
func chooseBuildSides(n Node) Node {
	return mapNodes(n, func(n Node) Node {
		j, ok := n.(*Join)
		if !ok {
			return n
		}
		swapped := map[string]string{"INNER": "INNER", "CROSS": "CROSS", "LEFT": "RIGHT", "RIGHT": "LEFT"}[j.Kind]
		if swapped == "" || estimateRows(j.Left)*2 >= estimateRows(j.Right) {
			return n
		}
		c := *j
		c.Kind, c.Left, c.Right, c.LeftKeys, c.RightKeys = swapped, j.Right, j.Left, j.RightKeys, j.LeftKeys
		return &c
	})
}

// estimateRows guesses how many rows a node yields.
func estimateRows(n Node) float64 {
	in := func(i int) float64 { return estimateRows(n.Inputs()[i]) }
	switch n := n.(type) {
	case *Scan:
		if n.EstimatedRows >= 0 {
			return float64(n.EstimatedRows)
		}
		return float64(n.Snap.NumRows())
	case *VectorSearch:
		if k, ok := int64Literal(n.K); ok {
			return float64(k)
		}
		return 100
	case *Values:
		return float64(len(n.Rows))
	case *Records:
		return 100
	case *Filter:
		return in(0) * selectivity(n.Cond)
	case *Limit:
		if k, ok := int64Literal(n.Count); ok {
			return min(in(0), float64(k))
		}
		return in(0)
	case *Sort:
		if k, ok := int64Literal(n.Limit); ok {
			return min(in(0), float64(k))
		}
		return in(0)
	case *Aggregate:
		if len(n.Groups) == 0 {
			return 1
		}
		return in(0) / 10
	case *Distinct:
		return in(0) / 10
	case *Union:
		sum := 0.0
		for i := range n.In {
			sum += in(i)
		}
		return sum
	case *LateralJoin:
		return in(0) * in(1)
	case *Join:
		switch {
		case n.Kind == "SEMI" || n.Kind == "ANTI":
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
