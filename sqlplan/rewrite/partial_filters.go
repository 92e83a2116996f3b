package rewrite

import (
	"slices"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/question"
)

// filterPartsOfColumns is the same for the filters of scans and searches, once what they return is settled. A column
// that is returned too is read anyway.
func (r *rewriter) filterPartsOfColumns(n plan.Node) plan.Node {
	return plan.MapSelections(n, func(s *plan.Selection, of plan.Node) {
		var out []expr.ColID
		if scan, ok := of.(*plan.Scan); ok {
			for _, c := range scan.Out {
				out = append(out, c.ID)
			}
		}
		if filter, read, ok := r.filterParts(s.Snap, s.Filter, s.Read, out); ok {
			s.Filter, s.Read = filter, read
		}
	})
}

func (r *rewriter) filterParts(snap *lancefmt.Snapshot, filter expr.Expr, read []plan.ScanCol,
	out []expr.ColID) (expr.Expr, []plan.ScanCol, bool) {
	if filter == nil {
		return nil, nil, false
	}
	indexed := question.ScalarIndexes(snap)
	var candidates []plan.Col
	for _, c := range read {
		if !slices.Contains(out, c.ID) && len(indexed[c.Ref()]) == 0 {
			candidates = append(candidates, c.Col)
		}
	}
	p := r.newPartialReads(snap, read, candidates)
	p.look(filter)
	if !p.any() {
		return nil, nil, false
	}
	filter = p.rewrite(filter)
	read, _ = p.columns(read, nil, out)
	return filter, read, true
}
