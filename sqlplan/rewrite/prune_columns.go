package rewrite

import (
	"maps"
	"slices"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// pruneColumns takes out columns that nothing above reads: from projections, aggregations, takes, and
// in the end from what scans read. Columns that only a scan's filter needs stay in Read, not in Out.
//
//	Aggregate count(*)                    Aggregate count(*)
//	  Project key, url           ->         LanceScan, no columns, filter: width > 512
//	    LanceScan of 17 columns, filter: width > 512
func pruneColumns(root plan.Node) plan.Node {
	return prune(root, idSetOf(root.Columns()), true)
}

func idSetOf(cols []plan.Col) map[expr.ColID]bool {
	need := map[expr.ColID]bool{}
	for _, c := range cols {
		need[c.ID] = true
	}
	return need
}

// prune returns n with at least the columns in need; exact says that columns and their order must stay
// as they are, because the parent knows them by position.
func prune(n plan.Node, need map[expr.ColID]bool, exact bool) plan.Node {
	reads := func(exprs ...expr.Expr) {
		for _, id := range expr.Columns(exprs...) {
			need[id] = true
		}
	}
	switch n := n.(type) {
	case *plan.Scan:
		c := *n
		filter := idSet(expr.Columns(n.Filter))
		c.Read, c.Out = nil, nil
		for _, x := range n.Out {
			if need[x.ID] {
				c.Out = append(c.Out, x)
			}
		}
		for _, x := range n.Read {
			if need[x.ID] || filter[x.ID] {
				c.Read = append(c.Read, x)
			}
		}
		return &c
	case *plan.VectorSearch:
		c := *n
		filter := idSet(expr.Columns(n.Filter))
		c.Read = nil
		for _, x := range n.Read {
			if filter[x.ID] {
				c.Read = append(c.Read, x)
			}
		}
		return &c
	case *plan.Take:
		c := *n
		c.Fetch, c.Out = nil, nil
		for _, x := range n.Fetch {
			if need[x.ID] {
				c.Fetch = append(c.Fetch, x)
			}
		}
		for _, x := range n.Out {
			if need[x.ID] {
				c.Out = append(c.Out, x)
			}
		}
		below := map[expr.ColID]bool{n.RowAddr: true}
		for _, x := range c.Out {
			below[x.ID] = true
		}
		c.Input = prune(n.Input, below, false)
		if len(c.Fetch) == 0 && !exact {
			return c.Input
		}
		return &c
	case *plan.Project:
		c := *n
		c.Exprs = nil
		below := map[expr.ColID]bool{}
		for _, e := range n.Exprs {
			if exact || need[e.Col.ID] {
				c.Exprs = append(c.Exprs, e)
				for _, id := range expr.Columns(e.Expr) {
					below[id] = true
				}
			}
		}
		c.Input = prune(n.Input, below, false)
		if len(c.Exprs) == 0 || sameColumns(c.Exprs, c.Input.Columns(), exact) {
			return c.Input
		}
		return &c
	case *plan.Aggregate:
		c := *n
		c.Aggs = nil
		below := map[expr.ColID]bool{}
		for i, a := range n.Aggs {
			// One aggregate stays where nothing else would make the row.
			last := i == len(n.Aggs)-1 && len(c.Aggs) == 0 && len(n.Groups) == 0
			if !exact && !need[a.Col.ID] && !last {
				continue
			}
			c.Aggs = append(c.Aggs, a)
			for _, id := range expr.Columns(append([]expr.Expr{a.Filter}, a.Args...)...) {
				below[id] = true
			}
		}
		for _, g := range n.Groups {
			for _, id := range expr.Columns(g.Expr) {
				below[id] = true
			}
		}
		c.Input = prune(n.Input, below, false)
		return &c
	case *plan.Join:
		c := *n
		below := map[expr.ColID]bool{}
		c.Out = nil
		for _, x := range n.Out {
			if exact || need[x.ID] {
				c.Out = append(c.Out, x)
				below[x.ID] = true
			}
		}
		for _, id := range expr.Columns(append(slices.Concat(n.LeftKeys, n.RightKeys), n.Residual)...) {
			below[id] = true
		}
		c.Left, c.Right = prune(n.Left, maps.Clone(below), false), prune(n.Right, maps.Clone(below), false)
		return &c
	case *plan.LateralJoin:
		c := *n
		below := map[expr.ColID]bool{}
		c.Out = nil
		for _, x := range n.Out {
			if exact || need[x.ID] {
				c.Out = append(c.Out, x)
				below[x.ID] = true
			}
		}
		for _, a := range n.Args {
			for _, id := range expr.Columns(a.Expr) {
				below[id] = true
			}
		}
		c.Left, c.Right = prune(n.Left, maps.Clone(below), false), prune(n.Right, maps.Clone(below), false)
		c.Subplans = slices.Clone(n.Subplans)
		for i, s := range c.Subplans {
			c.Subplans[i].Root = prune(s.Root, idSetOf(s.Root.Columns()), true)
		}
		return &c
	case *plan.Values:
		if exact {
			return n
		}
		c := &plan.Values{Rows: make([][]expr.Expr, len(n.Rows))}
		for i, x := range n.Out {
			if !need[x.ID] {
				continue
			}
			c.Out = append(c.Out, x)
			for r, row := range n.Rows {
				c.Rows[r] = append(c.Rows[r], row[i])
			}
		}
		return c
	case *plan.Filter:
		reads(n.Cond)
		return &plan.Filter{Input: prune(n.Input, need, exact), Cond: n.Cond}
	case *plan.Sort:
		for _, k := range n.Keys {
			reads(k.Expr)
		}
		c := *n
		c.Input = prune(n.Input, need, exact)
		return &c
	case *plan.Limit:
		c := *n
		c.Input = prune(n.Input, need, exact)
		return &c
	case *plan.Distinct:
		if n.On != nil {
			for _, id := range n.On {
				need[id] = true
			}
			return &plan.Distinct{Input: prune(n.Input, need, exact), On: n.On}
		}
		all := map[expr.ColID]bool{}
		for _, c := range n.Columns() {
			all[c.ID] = true
		}
		return &plan.Distinct{Input: prune(n.Input, all, true)}
	}
	// Columns of the others are known by position.
	in := n.Inputs()
	out := make([]plan.Node, len(in))
	for i, x := range in {
		all := map[expr.ColID]bool{}
		for _, c := range x.Columns() {
			all[c.ID] = true
		}
		out[i] = prune(x, all, true)
	}
	return n.WithInputs(out)
}

// sameColumns reports whether a projection only passes columns on. If names and places count, they
// must be the same too.
func sameColumns(exprs []plan.NamedExpr, in []plan.Col, exact bool) bool {
	if exact && len(exprs) != len(in) {
		return false
	}
	for i, e := range exprs {
		c, ok := e.Expr.(*expr.Column)
		if !ok || c.ID != e.Col.ID {
			return false
		}
		if exact && (in[i].ID != e.Col.ID || in[i].Name != e.Col.Name) {
			return false
		}
	}
	return true
}
