package logical

// useZones lets scans and searches with a filter remember what they see of its columns, and ask what was remembered. To
// the filter, statistics of zones are one more kind of index: a ZONEMAP of every column that nobody made.
func (r *rewriter) useZones(n Node) Node {
	if r.env.Session.Get("lance.learn_statistics") == "false" {
		return n
	}
	return MapSelections(n, func(s *Selection, _ Node) { s.Zones = NewZoneFilter(s.Filter, QuestionColumns(s.Read)) })
}
