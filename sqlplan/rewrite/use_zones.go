package rewrite

import (
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/question"
)

// useZones lets scans and searches with a filter remember what they see of its columns, and ask what was remembered. To
// the filter, statistics of zones are one more kind of index: a ZONEMAP of every column that nobody made.
func (r *rewriter) useZones(n plan.Node) plan.Node {
	if r.env.Session.Get("lance.learn_statistics") == "false" {
		return n
	}
	return plan.MapSelections(n, func(s *plan.Selection, _ plan.Node) {
		s.Zones = question.NewZones(s.Filter, plan.QuestionColumns(s.Read))
	})
}
