package rewrite

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// limitToTopK keeps only as many rows in a sort as the LIMIT above it wants, and reads columns that
// neither sort nor filter needs for those rows alone.
//
//	Limit 10                              Limit 10
//	  Sort similarity DESC                  Project key, image
//	    Project key, image, …        ->       Take key, image
//	      LanceScan width > 512                 Sort similarity DESC, top 10
//	                                              LanceScan similarity, _rowaddr, filter: width > 512
//
// The second part is done where a column is wide enough for reading rows one by one to pay off.
func (r *rewriter) limitToTopK(n plan.Node) plan.Node {
	return plan.MapNodes(n, func(n plan.Node) plan.Node {
		l, ok := n.(*plan.Limit)
		if !ok || l.Count == nil {
			return n
		}
		s, ok := l.Input.(*plan.Sort)
		if !ok || s.Limit != nil {
			return n
		}
		rows := addRows(l.Count, l.Offset)
		if rows == nil {
			return n
		}
		top := &plan.Sort{Input: s.Input, Keys: s.Keys, Limit: rows, Nearest: s.Nearest}
		out := &plan.Limit{Input: r.lateTake(top, rows), Count: l.Count, Offset: l.Offset}
		if l.Offset == nil {
			return out.Input // the sort returns no more rows than that
		}
		return out
	})
}

// Late reading is random access: beyond lateRows rows a scan is as good.
const lateRows = 10_000

// lateTake rewrites a top-k over a scan to fetch wide columns behind it.
func (r *rewriter) lateTake(s *plan.Sort, rows expr.Expr) plan.Node {
	if k, ok := int64Literal(rows); ok && k > lateRows {
		return s
	}
	defs, scan, ok := overScan(s.Input)
	if !ok || scan.Limit >= 0 {
		return s
	}
	by := plan.Definitions(defs)
	keys := make([]plan.SortKey, len(s.Keys))
	var keyExprs []expr.Expr
	for i, k := range s.Keys {
		k.Expr = plan.Substitute(k.Expr, by)
		if expr.IsVolatile(k.Expr) {
			return s
		}
		keys[i] = k
		keyExprs = append(keyExprs, k.Expr)
	}
	narrow := idSet(expr.Columns(keyExprs...))
	wide := false
	var fetch []plan.ScanCol
	needed := idSet(expr.Columns(exprsOf(defs)...))
	for _, c := range scan.Read {
		if !needed[c.ID] || narrow[c.ID] || plan.IsSystem(c.Source) {
			continue
		}
		fetch = append(fetch, c)
		wide = wide || isWide(c.Type)
	}
	if !wide {
		return s
	}
	addr, ok := findSource(scan, plan.RowAddrColumn)
	if !ok {
		return s
	}
	low := *scan
	low.Out = nil
	var out []plan.Col
	for _, c := range scan.Out {
		if narrow[c.ID] || c.ID == addr.ID || plan.IsSystem(c.Source) && needed[c.ID] {
			low.Out = append(low.Out, c)
			if needed[c.ID] {
				out = append(out, c)
			}
		}
	}
	for _, c := range fetch {
		out = append(out, c.Col)
	}
	take := &plan.Take{
		Input: &plan.Sort{Input: &low, Keys: keys, Limit: s.Limit, Nearest: s.Nearest}, Snap: scan.Snap, Name: scan.Name,
		RowAddr: addr.ID, Fetch: fetch, Out: out,
	}
	return &plan.Project{Input: take, Exprs: defs.Exprs}
}

// overScan composes the projections between n and a scan into one. ok is false if there is something
// else between them.
func overScan(n plan.Node) (*plan.Project, *plan.Scan, bool) {
	switch n := n.(type) {
	case *plan.Scan:
		p := &plan.Project{Input: n}
		for _, c := range n.Out {
			p.Exprs = append(p.Exprs, plan.PassOn(c))
		}
		return p, n, true
	case *plan.Project:
		below, scan, ok := overScan(n.Input)
		if !ok {
			return nil, nil, false
		}
		by := plan.Definitions(below)
		p := &plan.Project{Input: scan, Exprs: make([]plan.NamedExpr, len(n.Exprs))}
		for i, e := range n.Exprs {
			x := plan.Substitute(e.Expr, by)
			if expr.IsVolatile(x) {
				return nil, nil, false
			}
			p.Exprs[i] = plan.NamedExpr{Expr: x, Col: e.Col}
		}
		return p, scan, true
	}
	return nil, nil, false
}

func exprsOf(p *plan.Project) []expr.Expr {
	out := make([]expr.Expr, len(p.Exprs))
	for i, e := range p.Exprs {
		out[i] = e.Expr
	}
	return out
}

func idSet(ids []expr.ColID) map[expr.ColID]bool {
	m := make(map[expr.ColID]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}

func findSource(s *plan.Scan, source string) (plan.ScanCol, bool) {
	// The system column comes last, behind a column of the table that may have its name.
	for i := len(s.Read) - 1; i >= 0; i-- {
		if s.Read[i].Source == source {
			return s.Read[i], true
		}
	}
	return plan.ScanCol{}, false
}

// isWide reports whether values of a type take more than two numbers' space.
func isWide(t arrow.DataType) bool {
	f, ok := t.(arrow.FixedWidthDataType)
	return !ok || f.BitWidth() > 128 || f.BitWidth() <= 0
}
