package logical

// pushLimits moves LIMIT below projections, and a constant one into a scan that it ends: the scan
// stops after that many rows have passed its filter.
//
//	Limit 10 offset 5                     Project key, width * 2
//	  Project key, width * 2       ->       Limit 10 offset 5
//	    LanceScan                             LanceScan limit: 15
func pushLimits(n Node) Node {
	if l, ok := n.(*Limit); ok {
		if p, ok := l.Input.(*Project); ok {
			c := *p
			c.Input = pushLimits(&Limit{Input: p.Input, Count: l.Count, Offset: l.Offset})
			return &c
		}
		if s, ok := l.Input.(*Scan); ok && s.Limit < 0 && l.Count != nil {
			if rows, ok := int64Literal(addRows(l.Count, l.Offset)); ok {
				c := *s
				c.Limit = rows
				if l.Offset == nil {
					return &c
				}
				return &Limit{Input: &c, Count: l.Count, Offset: l.Offset}
			}
		}
	}
	in := n.Inputs()
	if len(in) == 0 {
		return n
	}
	out := make([]Node, len(in))
	for i, x := range in {
		out[i] = pushLimits(x)
	}
	return n.WithInputs(out)
}
