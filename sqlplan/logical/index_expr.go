package logical

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/scalar"
	"lanceflight/sqlplan/expr"
)

// IndexExpr is a condition as far as scalar indices can answer it: AND, OR and NOT over leaves that ask one index one
// question. Evaluated for some rows, it yields bounds for the rows where the condition is true and for those
// where it is false: the rows that may be, and those that surely are. What is in neither is NULL, so that NOT
// swaps the two, and is right where NULLs are. (Lance keeps one set with a NULL set beside it; bounds
// on both sides let inexact indices and parts without an index stand below NOT.)
type IndexExpr interface {
	// String is the condition as EXPLAIN shows it, leaves with the index they ask.
	String() string
	// bounds reports whether the rows where the condition has a truth value can be fewer than all.
	bounds(truth bool) bool
	// exact reports whether indices of these kinds usually know those rows exactly.
	exact(truth bool) bool
}

type (
	// IndexLeaf asks an index for the rows that satisfy a predicate.
	IndexLeaf struct {
		Index *ScalarIndex
		// Predicate is nil while the constants in it are not known: parameters before the execution.
		Predicate *scalar.Predicate
		Text      string
	}
	// IndexLogic is AND or OR.
	IndexLogic struct {
		And  bool
		Args []IndexExpr
	}
	// IndexNot is NOT X.
	IndexNot struct{ X IndexExpr }
	// IndexIsTrue is X IS TRUE, which is never NULL.
	IndexIsTrue struct{ X IndexExpr }
	// IndexWeak is a condition about which X says something less than everything.
	IndexWeak struct {
		X    IndexExpr
		Mode Weakness
	}
	// IndexConst is a condition that is the same for all rows: true, false, or NULL (nil).
	IndexConst struct{ Value *bool }
	// IndexUnknown is a condition that no index answers.
	IndexUnknown struct{ Text string }
)

// Weakness says how a condition C differs from the X of its IndexWeak.
type Weakness int

// The ways in which C differs.
const (
	Implies    Weakness = iota // C is false where X is false, NULL where X is NULL; where X is true, C can be anything
	MaybeNull                  // C is true where X is true; where X is false, C can be NULL instead
	NeverFalse                 // C is true where X is true, and NULL elsewhere
)

// ScalarIndex is an index of one column, in segments that cover different fragments.
type ScalarIndex struct {
	Name, Kind, Column string
	Type               arrow.DataType // of the column
	Segments           []*lancefmt.Index
}

// Covers reports whether a segment has the rows of a fragment.
func (x *ScalarIndex) Covers(fragment uint32) bool {
	for _, s := range x.Segments {
		if s.Fragments.Contains(fragment) {
			return true
		}
	}
	return false
}

// exactKinds are the indices that know which rows satisfy a predicate; the others know which cannot.
var exactKinds = map[string]bool{"BTREE": true, "BITMAP": true, "LABEL_LIST": true}

func (x *IndexLeaf) bounds(bool) bool { return true }
func (x *IndexLogic) bounds(truth bool) bool {
	// The rows where AND is true are in those of each operand; where it is false, in those of all together.
	any := x.And == truth
	for _, a := range x.Args {
		if a.bounds(truth) == any {
			return any
		}
	}
	return !any
}
func (x *IndexNot) bounds(truth bool) bool { return x.X.bounds(!truth) }
func (x *IndexIsTrue) bounds(truth bool) bool {
	return truth && x.X.bounds(true) || !truth && x.X.exact(true)
}
func (x *IndexWeak) bounds(truth bool) bool {
	switch {
	case x.Mode == Implies && !truth:
		return false
	case x.Mode == NeverFalse && !truth:
		return true
	}
	return x.X.bounds(truth)
}
func (*IndexConst) bounds(bool) bool   { return true }
func (*IndexUnknown) bounds(bool) bool { return false }

func (x *IndexLeaf) exact(bool) bool { return exactKinds[x.Index.Kind] || x.isNull() }
func (x *IndexLogic) exact(truth bool) bool {
	for _, a := range x.Args {
		if !a.exact(truth) {
			return false
		}
	}
	return true
}
func (x *IndexNot) exact(truth bool) bool { return x.X.exact(!truth) }
func (x *IndexIsTrue) exact(bool) bool    { return x.X.exact(true) }
func (x *IndexWeak) exact(truth bool) bool {
	switch x.Mode {
	case Implies:
		return false
	case MaybeNull:
		return truth && x.X.exact(true)
	}
	return !truth || x.X.exact(true)
}
func (*IndexConst) exact(bool) bool   { return true }
func (*IndexUnknown) exact(bool) bool { return false }

// isNull: every kind but those of zones knows which rows are NULL.
func (x *IndexLeaf) isNull() bool {
	return x.Predicate != nil && x.Predicate.Op == scalar.IsNull && x.Index.Kind != "ZONEMAP" && x.Index.Kind != "BLOOMFILTER"
}

func (x *IndexLeaf) String() string { return x.Index.Name + " " + x.Index.Kind + " " + x.Text }
func (x *IndexLogic) String() string {
	op := " OR "
	if x.And {
		op = " AND "
	}
	var parts []string
	for _, a := range x.Args {
		text := a.String()
		switch a.(type) {
		case *IndexUnknown:
			if x.And {
				continue // what the others say stands
			}
		case *IndexLogic:
			text = "(" + text + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, op)
}
func (x *IndexNot) String() string {
	if _, ok := x.X.(*IndexLogic); ok {
		return "NOT (" + x.X.String() + ")"
	}
	return "NOT " + x.X.String()
}
func (x *IndexIsTrue) String() string { return "(" + x.X.String() + ") IS TRUE" }
func (x *IndexWeak) String() string   { return x.X.String() }
func (x *IndexConst) String() string {
	switch {
	case x.Value == nil:
		return "NULL"
	case *x.Value:
		return "true"
	}
	return "false"
}
func (x *IndexUnknown) String() string { return "no index for " + x.Text }

// WalkIndex calls visit for the leaves of an index expression, each with the truth values about which something is
// asked of it.
func WalkIndex(x IndexExpr, truth bool, visit func(leaf *IndexLeaf, truth bool)) {
	switch x := x.(type) {
	case *IndexLeaf:
		visit(x, truth)
	case *IndexLogic:
		for _, a := range x.Args {
			WalkIndex(a, truth, visit)
		}
	case *IndexNot:
		WalkIndex(x.X, !truth, visit)
	case *IndexIsTrue:
		WalkIndex(x.X, true, visit)
	case *IndexWeak:
		if truth || x.Mode != NeverFalse {
			WalkIndex(x.X, truth, visit)
		}
	}
}

// IndexTerm is some of the conditions of a filter that are joined by AND, with what indices say about all of them;
// Index is nil if they say nothing.
type IndexTerm struct {
	Conds []expr.Expr
	Index IndexExpr
}

// Exact reports whether the indices are of kinds that answer the term exactly.
func (t IndexTerm) Exact() bool { return t.Index != nil && t.Index.exact(true) }

// short cuts a long literal.
func short(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
