package rewrite

import (
	"lanceflight/sqlplan/plan"
)

// pushLimits moves LIMIT below projections, and a constant one into a scan that it ends: the scan
// stops after that many rows have passed its filter.
//
//	Limit 10 offset 5                     Project key, width * 2
//	  Project key, width * 2       ->       Limit 10 offset 5
//	    LanceScan                             LanceScan limit: 15
func pushLimits(n plan.Node) plan.Node {
	if l, ok := n.(*plan.Limit); ok {
		if p, ok := l.Input.(*plan.Project); ok {
			c := *p
			c.Input = pushLimits(&plan.Limit{Input: p.Input, Count: l.Count, Offset: l.Offset})
			return &c
		}
		if s, ok := l.Input.(*plan.Scan); ok && s.Limit < 0 && l.Count != nil {
			if rows, ok := int64Literal(addRows(l.Count, l.Offset)); ok {
				c := *s
				c.Limit = rows
				if l.Offset == nil {
					return &c
				}
				return &plan.Limit{Input: &c, Count: l.Count, Offset: l.Offset}
			}
		}
	}
	in := n.Inputs()
	if len(in) == 0 {
		return n
	}
	out := make([]plan.Node, len(in))
	for i, x := range in {
		out[i] = pushLimits(x)
	}
	return n.WithInputs(out)
}
