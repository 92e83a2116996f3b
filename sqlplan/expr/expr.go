// Package expr is typed, vectorised scalar expressions over Arrow arrays.
//
//	logical binder ──New…──> Expr (typed, column ids) ──Fold, Rewrite──> Expr ──Compile(columns)──> Program
//	                                                                                             │
//	        arrow.Array <── Eval(batch) ─────────────────────────────────────────────────────────┤
//	        row numbers <── Select(batch) ───────────────────────────────────────────────────────┘
//
// The semantics are PostgreSQL's: three-valued logic, errors on integer overflow and division by zero,
// NaN above all numbers and equal to itself, strings compared bytewise. What differs is listed in
// golden_test.go (departures), where a thousand expressions are held against PostgreSQL and DuckDB.
//
// Inside a Program, a node yields a vec for some rows of the batch: an array, one value for all rows, or
// a column of which only some rows are meant. Operands of AND, OR, CASE and COALESCE see only the rows
// that are still open, so a branch that is not taken raises no error. Conditions of columns and
// constants skip arrays altogether: they answer in words of 64 rows (wordy) or pick row numbers
// (filterer). Start reading at nodes.go and program.go.
//
// An Expr is immutable and shared freely; it holds no Arrow memory. Columns are named by a ColID that
// is unique in a plan, so that rewrites never renumber; Compile turns ids into positions. A Program is
// safe for concurrent use: all state of an evaluation is on the stack of Eval.
package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
)

// ColID identifies a column of a plan: unique within one statement.
type ColID int32

// Expr is a typed scalar expression.
type Expr interface {
	// Type is the Arrow type of the result. arrow.Null is the type of an untyped NULL.
	Type() arrow.DataType
	// Children returns the operands, in order; callers do not modify the slice.
	Children() []Expr
	// WithChildren returns a copy with other operands of the same types, in the same order.
	WithChildren([]Expr) Expr
	// String renders SQL text for EXPLAIN and messages.
	String() string
}

// Column refers to a column of the input.
type Column struct {
	ID   ColID
	Name string
	T    arrow.DataType
}

// Literal is a constant. Value is nil for NULL, else a Go value by type: bool; int64 for all signed
// integers and date/time/timestamp/duration values in the type's unit; uint64 for unsigned integers;
// float64 for float16/32/64; string for utf8/large_utf8; []byte for binary types; decimal128.Num;
// []float32 for fixed_size_list<float32>; []any of such values for other lists;
// arrow.MonthDayNanoInterval for intervals.
type Literal struct {
	Value any
	T     arrow.DataType
}

// Param is the value of a statement parameter or of a scalar subquery, known when execution starts;
// Slot indexes Input.Params. A column of the query around a LATERAL one is a parameter with that column's Name.
type Param struct {
	Slot int
	T    arrow.DataType
	Name string // for String; "" = its number
	// Guessed says that the statement does not ask for T: it is what goes with a literal, or what a
	// function takes if nothing better is known. The type of the value that a client binds counts more.
	Guessed bool
}

func (c *Column) Type() arrow.DataType  { return c.T }
func (c *Column) Children() []Expr      { return nil }
func (l *Literal) Type() arrow.DataType { return l.T }
func (l *Literal) Children() []Expr     { return nil }
func (p *Param) Type() arrow.DataType   { return p.T }
func (p *Param) Children() []Expr       { return nil }

func (c *Column) WithChildren([]Expr) Expr  { return c }
func (l *Literal) WithChildren([]Expr) Expr { return l }
func (p *Param) WithChildren([]Expr) Expr   { return p }

// Walk calls visit for e and everything below it, parents first; visit returns false to skip the
// children.
func Walk(e Expr, visit func(Expr) bool) {
	if e == nil || !visit(e) {
		return
	}
	for _, c := range e.Children() {
		Walk(c, visit)
	}
}

// Columns returns the ids of the columns e refers to, each once, in order of first appearance.
func Columns(exprs ...Expr) []ColID {
	var out []ColID
	seen := map[ColID]bool{}
	for _, e := range exprs {
		Walk(e, func(x Expr) bool {
			if c, ok := x.(*Column); ok && !seen[c.ID] {
				seen[c.ID] = true
				out = append(out, c.ID)
			}
			return true
		})
	}
	return out
}

// Rewrite rebuilds e bottom-up: f sees each node after its children were rewritten and returns the
// replacement (or the node itself).
func Rewrite(e Expr, f func(Expr) Expr) Expr {
	if e == nil {
		return nil
	}
	old := e.Children()
	changed := false
	children := make([]Expr, len(old))
	for i, c := range old {
		children[i] = Rewrite(c, f)
		changed = changed || children[i] != c
	}
	if changed {
		e = e.WithChildren(children)
	}
	return f(e)
}
