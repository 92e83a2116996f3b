package logical

import (
	"lanceflight/sqlplan/expr"
)

// rewrite runs the rewrites over every root of a plan, each in its own file:
//
//	fold_constants      WHERE 1 = 0 reads nothing
//	flatten_lateral     LATERAL becomes a projection or a plain join
//	push_limit          LIMIT below projections, into scans
//	push_filter         WHERE into the scan, through projections, sorts, unions, groups
//	vector_search       ORDER BY distance LIMIT k becomes a search
//	limit_to_topk       ORDER BY … LIMIT k keeps k rows, and reads wide columns for those only
//	count_metadata      count(*) of a table is known without reading
//	prune_columns       nothing is read that nothing uses
//	partial_columns     lengths and NULLs are read without the values
//	order_conjuncts     cheap conditions before dear ones
//	calibrate_search    EXPLAIN shows what min_recall comes to
//	index_filter        what scalar indices know of a filter, they are asked
//	zone_filter         what earlier scans learnt of a filter's columns, it asks
//	choose_build_side   the smaller input of a join is kept in memory
func (b *binder) rewrite(p *Plan) (*Plan, error) {
	out := *p
	var err error
	b.explain = p.Explain != nil
	if out.Root, err = b.rewriteRoot(p.Root); err != nil {
		return nil, err
	}
	out.Subplans = make([]Subplan, len(p.Subplans))
	for i, s := range p.Subplans {
		if s.Root, err = b.rewriteRoot(s.Root); err != nil {
			return nil, err
		}
		out.Subplans[i] = s
	}
	return &out, nil
}

func (b *binder) rewriteRoot(n Node) (Node, error) {
	n = foldConstants(n)
	n = flattenLaterals(n)
	n = pushFilters(n)
	n = pushLimits(n)
	n, err := b.searchVectors(n)
	if err != nil {
		return nil, err
	}
	n = b.limitToTopK(n)
	n = pruneColumns(n)
	n = b.readPartsOfColumns(n)
	n = b.filterPartsOfColumns(n)
	n = countFromMetadata(n)
	n = orderConjuncts(n)
	if n, err = b.calibrateSearches(n); err != nil {
		return nil, err
	}
	if n, err = b.useScalarIndexes(n); err != nil {
		return nil, err
	}
	n = b.useZones(n)
	return chooseBuildSides(n), nil
}

// conjuncts are the operands of the AND at the top of e, or e itself.
func conjuncts(e expr.Expr) []expr.Expr {
	if e == nil {
		return nil
	}
	if l, ok := e.(*expr.Logic); ok && l.Op == "AND" {
		var out []expr.Expr
		for _, a := range l.Args {
			out = append(out, conjuncts(a)...)
		}
		return out
	}
	return []expr.Expr{e}
}

// conjoin is the inverse of conjuncts; nil for none.
func conjoin(xs []expr.Expr) expr.Expr {
	switch len(xs) {
	case 0:
		return nil
	case 1:
		return xs[0]
	}
	return &expr.Logic{Op: "AND", Args: xs}
}

// Volatile reports whether an expression may differ from one evaluation to the next.
func Volatile(e expr.Expr) bool { return volatile(e) }

// volatile reports whether an expression may differ from one evaluation to the next.
func volatile(e expr.Expr) bool {
	found := false
	expr.Walk(e, func(x expr.Expr) bool {
		if c, ok := x.(*expr.Call); ok && (c.Name == "random" || c.Name == "uuid" || c.Name == "gen_random_uuid") {
			found = true
		}
		return !found
	})
	return found
}
