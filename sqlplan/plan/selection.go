package plan

import (
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/question"
)

// A Selection is a set of rows of one version of a table, and what is known before reading it about how to find them. Scans and vector
// searches have one, so that whatever improves a filter improves both: rewrites change selections (MapSelections), and the executor runs
// them with the same code.
type Selection struct {
	Snap *lancefmt.Snapshot
	Name string    // of the table, for EXPLAIN
	Read []ScanCol // every column that is read, by Filter or for the result
	// Filter is true for the rows that are wanted; nil wants all of them, and NULL counts as false. Its conjuncts stand in the order in
	// which they are best tried, once the rewrites are done.
	Filter expr.Expr
	// Index is what scalar indices can be asked about Filter; nil = nothing. Aside says which indices on its columns are not asked, and why.
	Index *question.Filter
	Aside []string
	// Unsound is why indices are compared with their columns before they are asked for the first time, "" if they are not.
	Unsound string
	// Zones is what statistics learnt by earlier scans can be asked about Filter; nil = nothing.
	Zones *question.Filter
	// Selectivity is the planner's guess of the share of rows that pass Filter; -1 = unknown. EstimateBy says where it comes from:
	// "index", "statistics", "guess" or several of them; "" without Filter.
	Selectivity float64
	EstimateBy  string
}

// QuestionColumns are scanned columns as questions to indices name them.
func QuestionColumns(read []ScanCol) []question.Column {
	out := make([]question.Column, len(read))
	for i, c := range read {
		out[i] = question.Column{ID: c.ID, Ref: c.Ref(), Type: c.Type}
	}
	return out
}

// MapSelections replaces the selection of every node below n that has one and a filter in it. f gets a copy, which it may change, and the
// node that it belongs to.
func MapSelections(n Node, f func(s *Selection, of Node)) Node {
	return MapNodes(n, func(n Node) Node {
		switch n := n.(type) {
		case *Scan:
			if n.Filter != nil {
				c := *n
				f(&c.Selection, n)
				return &c
			}
		case *VectorSearch:
			if n.Filter != nil {
				c := *n
				f(&c.Selection, n)
				return &c
			}
		}
		return n
	})
}
