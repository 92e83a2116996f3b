package plan

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/settings"
)

// Plan is what a statement becomes: a *Query, an *Explain, a *Set or a *Write, and nothing else. What
// is done with a plan is decided by a switch over these four types.
//
// A query and an EXPLAIN return rows, and may run any number of times. A SET and a write change
// something: each execution of them is to happen exactly once, which is the business of whoever asks
// for executions (package flightsrv).
type Plan interface {
	// Common are the parts of a plan that do not depend on its kind. The result belongs to the plan.
	// It is empty for a Set.
	Common() *Shared
	// MapRoots returns a copy of the plan in which f has replaced the root of the statement, if it
	// has one, and the roots of the subplans. Errors are those of f.
	MapRoots(f func(Node) (Node, error)) (Plan, error)
	// sealed keeps other packages from adding kinds.
	sealed()
}

// Shared are the parts of every plan that reads something.
type Shared struct {
	// Params are the statement's own parameters by number-1; their slots are 0..len-1.
	Params []ParamInfo
	// Subplans are uncorrelated scalar subqueries. Each runs before the root starts, and its single
	// value fills a parameter slot. They fill slots len(Params)…, in order: each may use the slots
	// before it.
	Subplans []Subplan
	// Pins are the versions of the snapshots that the plan reads; given to Bind again, the same snapshots
	// are read.
	Pins Pins
	// Sources are the same snapshots with the names they were found by.
	Sources []Source
	// Reusable says that the plan depends on the statement, the session and Sources alone, so that
	// the statement need not be planned again as long as they stay. It holds for a query that does not
	// look at the tables of settings and of the catalog.
	Reusable bool
	// LastCol is the highest id of a column in the plan; rewrites that make columns count on from it.
	LastCol expr.ColID
	// Knobs are those in the options string of a distance function, by the vector column that it reads.
	Knobs map[expr.ColID]settings.SearchOptions
}

// ParamInfo describes a parameter of the statement.
type ParamInfo struct {
	Type arrow.DataType // from context; arrow.Null if nothing decides it
}

// Subplan yields one value: NULL for no row, an error for more than one.
type Subplan struct {
	Slot int
	Root Node
	Type arrow.DataType
}

// Query returns the rows of Root.
type Query struct {
	Shared
	Root Node
	// Distances say of each column of Root whether it is a distance, and of which accuracy. Rewrites fill it.
	Distances []Accuracy
}

// Explain shows how Statement is planned instead of its rows.
type Explain struct {
	Statement              Plan
	Analyze, Verbose, JSON bool
}

// Set changes settings of the session; SET, RESET and USE are such statements.
type Set struct {
	// Changes are the new values by the name of the setting, nil for its default. Where there are
	// none, the statement sets what is so anyway.
	Changes map[string]*string
}

// Write changes tables.
type Write struct {
	Shared
	Change Change
	Input  Node // the rows that Change takes; nil if it takes none
}

// Change is what a write does: the node of INSERT, UPDATE and the like. It only describes; package exec
// knows how each kind is carried out, in the way in which it knows the operator of each Node.
type Change interface {
	// Verb names the kind of change in messages and in EXPLAIN: "Insert".
	Verb() string
	// Targets are the names of the tables that are changed.
	Targets() []string
	// Returning are the columns of the rows that the statement returns, nil if it returns none.
	Returning() []Col
}

// Common implements Plan for the kinds that embed Shared.
func (s *Shared) Common() *Shared { return s }

// Common are the parts of the statement that is explained.
func (x *Explain) Common() *Shared { return x.Statement.Common() }

// Common is empty: settings are changed to constants.
func (s *Set) Common() *Shared { return &Shared{} }

func (*Query) sealed()   {}
func (*Explain) sealed() {}
func (*Set) sealed()     {}
func (*Write) sealed()   {}

// MapRoots implements Plan.
func (q *Query) MapRoots(f func(Node) (Node, error)) (Plan, error) {
	out := *q
	var err error
	if out.Root, err = f(q.Root); err != nil {
		return nil, err
	}
	out.Subplans, err = mapSubplans(q.Subplans, f)
	return &out, err
}

// MapRoots implements Plan. The roots are those of the statement that is explained.
func (x *Explain) MapRoots(f func(Node) (Node, error)) (Plan, error) {
	out := *x
	var err error
	out.Statement, err = x.Statement.MapRoots(f)
	return &out, err
}

// MapRoots implements Plan. There are no roots.
func (s *Set) MapRoots(func(Node) (Node, error)) (Plan, error) { return s, nil }

// MapRoots implements Plan.
func (w *Write) MapRoots(f func(Node) (Node, error)) (Plan, error) {
	out := *w
	var err error
	if w.Input != nil {
		if out.Input, err = f(w.Input); err != nil {
			return nil, err
		}
	}
	out.Subplans, err = mapSubplans(w.Subplans, f)
	return &out, err
}

func mapSubplans(in []Subplan, f func(Node) (Node, error)) ([]Subplan, error) {
	out := make([]Subplan, len(in))
	for i, s := range in {
		var err error
		if s.Root, err = f(s.Root); err != nil {
			return nil, err
		}
		out[i] = s
	}
	return out, nil
}
