package question

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
	"lanceflight/sqlplan/expr"
)

// Expr is a condition as far as scalar indices can answer it: AND, OR and NOT over leaves that ask one index one
// question. Evaluated for some rows, it yields bounds for the rows where the condition is true and for those
// where it is false: the rows that may be, and those that surely are. What is in neither is NULL, so that NOT
// swaps the two, and is right where NULLs are. (Lance keeps one set with a NULL set beside it; bounds
// on both sides let inexact indices and parts without an index stand below NOT.)
type Expr interface {
	// String is the condition as EXPLAIN shows it, leaves with the index they ask.
	String() string
	// bounds reports whether the rows where the condition has a truth value can be fewer than all.
	bounds(truth bool) bool
	// exact reports whether indices of these kinds usually know those rows exactly.
	exact(truth bool) bool
}

type (
	// Leaf asks an index for the rows that satisfy a predicate.
	Leaf struct {
		Index *Index
		// Predicate is nil while the constants in it are not known: parameters before the execution.
		Predicate *index.Predicate
		Text      string
	}
	// Logic is AND or OR.
	Logic struct {
		And  bool
		Args []Expr
	}
	// Not is NOT X.
	Not struct{ X Expr }
	// IsTrue is X IS TRUE, which is never NULL.
	IsTrue struct{ X Expr }
	// Weak is a condition about which X says something less than everything.
	Weak struct {
		X    Expr
		Mode Weakness
	}
	// Const is a condition that is the same for all rows: true, false, or NULL (nil).
	Const struct{ Value *bool }
	// Unknown is a condition that no index answers.
	Unknown struct{ Text string }
)

// Weakness says how a condition C differs from the X of its Weak.
type Weakness int

// The ways in which C differs.
const (
	Implies    Weakness = iota // C is false where X is false, NULL where X is NULL; where X is true, C can be anything
	MaybeNull                  // C is true where X is true; where X is false, C can be NULL instead
	NeverFalse                 // C is true where X is true, and NULL elsewhere
)

// Index is an index of one column, in segments that cover different fragments.
type Index struct {
	Name, Kind, Column string
	Part               lancefmt.Part  // of the column, whose values are asked about; Whole in files of indices
	Type               arrow.DataType // of the column
	Segments           []*lancefmt.Index
}

// Ref is what of the table the index is about.
func (x *Index) Ref() lancefmt.ColumnRef { return lancefmt.ColumnRef{Name: x.Column, Part: x.Part} }

// Covers reports whether a segment has the rows of a fragment.
func (x *Index) Covers(fragment uint32) bool {
	for _, s := range x.Segments {
		if s.Fragments.Contains(fragment) {
			return true
		}
	}
	return false
}

// kind is what the index can do.
func (x *Index) kind() index.Kind {
	k, _ := index.Find(x.Kind)
	return k
}

func (x *Leaf) bounds(bool) bool { return true }
func (x *Logic) bounds(truth bool) bool {
	// The rows where AND is true are in those of each operand; where it is false, in those of all together.
	any := x.And == truth
	for _, a := range x.Args {
		if a.bounds(truth) == any {
			return any
		}
	}
	return !any
}
func (x *Not) bounds(truth bool) bool { return x.X.bounds(!truth) }
func (x *IsTrue) bounds(truth bool) bool {
	return truth && x.X.bounds(true) || !truth && x.X.exact(true)
}
func (x *Weak) bounds(truth bool) bool {
	switch {
	case x.Mode == Implies && !truth:
		return false
	case x.Mode == NeverFalse && !truth:
		return true
	}
	return x.X.bounds(truth)
}
func (*Const) bounds(bool) bool   { return true }
func (*Unknown) bounds(bool) bool { return false }

func (x *Leaf) exact(bool) bool { return x.Index.kind().Exact || x.isNull() }
func (x *Logic) exact(truth bool) bool {
	for _, a := range x.Args {
		if !a.exact(truth) {
			return false
		}
	}
	return true
}
func (x *Not) exact(truth bool) bool { return x.X.exact(!truth) }
func (x *IsTrue) exact(bool) bool    { return x.X.exact(true) }
func (x *Weak) exact(truth bool) bool {
	switch x.Mode {
	case Implies:
		return false
	case MaybeNull:
		return truth && x.X.exact(true)
	}
	return !truth || x.X.exact(true)
}
func (*Const) exact(bool) bool   { return true }
func (*Unknown) exact(bool) bool { return false }

// isNull reports whether the leaf asks for NULLs, and its index knows exactly which rows they are.
func (x *Leaf) isNull() bool {
	return x.Predicate != nil && x.Predicate.Op == index.IsNull && (x.Index.kind().Exact || x.Index.kind().ExactNulls)
}

func (x *Leaf) String() string { return x.Index.Name + " " + x.Index.Kind + " " + x.Text }
func (x *Logic) String() string {
	op := " OR "
	if x.And {
		op = " AND "
	}
	var parts []string
	for _, a := range x.Args {
		text := a.String()
		switch a.(type) {
		case *Unknown:
			if x.And {
				continue // what the others say stands
			}
		case *Logic:
			text = "(" + text + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, op)
}
func (x *Not) String() string {
	if _, ok := x.X.(*Logic); ok {
		return "NOT (" + x.X.String() + ")"
	}
	return "NOT " + x.X.String()
}
func (x *IsTrue) String() string { return "(" + x.X.String() + ") IS TRUE" }
func (x *Weak) String() string   { return x.X.String() }
func (x *Const) String() string {
	switch {
	case x.Value == nil:
		return "NULL"
	case *x.Value:
		return "true"
	}
	return "false"
}
func (x *Unknown) String() string { return "no index for " + x.Text }

// Walk calls visit for the leaves of an index expression, each with the truth values about which something is
// asked of it.
func Walk(x Expr, truth bool, visit func(leaf *Leaf, truth bool)) {
	switch x := x.(type) {
	case *Leaf:
		visit(x, truth)
	case *Logic:
		for _, a := range x.Args {
			Walk(a, truth, visit)
		}
	case *Not:
		Walk(x.X, !truth, visit)
	case *IsTrue:
		Walk(x.X, true, visit)
	case *Weak:
		if truth || x.Mode != NeverFalse {
			Walk(x.X, truth, visit)
		}
	}
}

// Term is some of the conditions of a filter that are joined by AND, with what indices say about all of them;
// Index is nil if they say nothing.
type Term struct {
	Conds []expr.Expr
	Index Expr
}

// Exact reports whether the indices are of kinds that answer the term exactly.
func (t Term) Exact() bool { return t.Index != nil && t.Index.exact(true) }

// Short cuts a long literal.
func Short(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
