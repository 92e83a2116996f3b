package expr

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/sqlname"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
)

// This file is the set of expression nodes. They are built by the New… functions, which check types;
// rewrites may inspect them and copy them with WithChildren. Fields are read-only.

type (
	// Not is NOT X.
	Not struct{ X Expr }
	// Logic is AND or OR of two or more operands; no operand is itself a Logic of the same Op.
	Logic struct {
		Op   string // "AND", "OR"
		Args []Expr
	}
	// Compare is X Op Y; both sides have comparable types (equal up to the physical layout of
	// strings). Op is one of = != < <= > >= "IS DISTINCT FROM" "IS NOT DISTINCT FROM".
	Compare struct {
		Op   string
		X, Y Expr
	}
	// Between is X [NOT] BETWEEN Lo AND Hi where X is not worth computing twice; for columns
	// NewBetween makes two Compares.
	Between struct {
		X, Lo, Hi Expr
		Negated   bool
	}
	// Arith is X Op Y with Op one of + - * / % ^ || & | # << >>.
	Arith struct {
		Op   string
		X, Y Expr
		T    arrow.DataType
	}
	// Negate is -X.
	Negate struct{ X Expr }
	// IsNull is X IS [NOT] NULL.
	IsNull struct {
		X       Expr
		Negated bool
	}
	// IsBool is X IS [NOT] TRUE|FALSE|UNKNOWN; Want is nil for UNKNOWN.
	IsBool struct {
		X       Expr
		Want    *bool
		Negated bool
	}
	// In is X [NOT] IN (List); the items have a type comparable with X's.
	In struct {
		X       Expr
		List    []Expr
		Negated bool
	}
	// Like is X [NOT] LIKE|ILIKE|SIMILAR Pattern [ESCAPE Escape]; Escape is nil for the default, a
	// backslash.
	Like struct {
		Kind       string // "LIKE", "ILIKE", "SIMILAR"
		X, Pattern Expr
		Escape     Expr
		Negated    bool
	}
	// RegexMatch is X ~ Pattern; Op is one of ~ ~* !~ !~*.
	RegexMatch struct {
		Op         string
		X, Pattern Expr
	}
	// CaseWhen is one arm of a CASE.
	CaseWhen struct{ Cond, Result Expr }
	// Case is CASE WHEN … END; a CASE with an operand becomes comparisons. Else is nil for NULL.
	Case struct {
		Whens []CaseWhen
		Else  Expr
		T     arrow.DataType
	}
	// Coalesce is the first operand that is not NULL; later operands are computed only for rows
	// where the earlier ones are NULL.
	Coalesce struct {
		Args []Expr
		T    arrow.DataType
	}
	// Cast converts X to To. Implicit ones were inserted by a constructor and are not shown in SQL
	// text; Try yields NULL where the value does not convert.
	Cast struct {
		X        Expr
		To       arrow.DataType
		Try      bool
		Implicit bool
		Guessed  bool // as Param.Guessed, of an operand without a type
	}
	// Call is a scalar function by its primary, lower-case name.
	Call struct {
		Name string
		Args []Expr
		T    arrow.DataType
		fn   *Function
	}
	// Field is a member of a struct.
	Field struct {
		X     Expr
		Name  string
		Index int
		T     arrow.DataType
	}
)

func (*Not) Type() arrow.DataType        { return arrow.FixedWidthTypes.Boolean }
func (*Logic) Type() arrow.DataType      { return arrow.FixedWidthTypes.Boolean }
func (*Compare) Type() arrow.DataType    { return arrow.FixedWidthTypes.Boolean }
func (*Between) Type() arrow.DataType    { return arrow.FixedWidthTypes.Boolean }
func (*IsNull) Type() arrow.DataType     { return arrow.FixedWidthTypes.Boolean }
func (*IsBool) Type() arrow.DataType     { return arrow.FixedWidthTypes.Boolean }
func (*In) Type() arrow.DataType         { return arrow.FixedWidthTypes.Boolean }
func (*Like) Type() arrow.DataType       { return arrow.FixedWidthTypes.Boolean }
func (*RegexMatch) Type() arrow.DataType { return arrow.FixedWidthTypes.Boolean }
func (e *Arith) Type() arrow.DataType    { return e.T }
func (e *Negate) Type() arrow.DataType   { return e.X.Type() }
func (e *Case) Type() arrow.DataType     { return e.T }
func (e *Coalesce) Type() arrow.DataType { return e.T }
func (e *Cast) Type() arrow.DataType     { return e.To }
func (e *Call) Type() arrow.DataType     { return e.T }
func (e *Field) Type() arrow.DataType    { return e.T }

func (e *Not) Children() []Expr        { return []Expr{e.X} }
func (e *Logic) Children() []Expr      { return e.Args }
func (e *Compare) Children() []Expr    { return []Expr{e.X, e.Y} }
func (e *Between) Children() []Expr    { return []Expr{e.X, e.Lo, e.Hi} }
func (e *Arith) Children() []Expr      { return []Expr{e.X, e.Y} }
func (e *Negate) Children() []Expr     { return []Expr{e.X} }
func (e *IsNull) Children() []Expr     { return []Expr{e.X} }
func (e *IsBool) Children() []Expr     { return []Expr{e.X} }
func (e *RegexMatch) Children() []Expr { return []Expr{e.X, e.Pattern} }
func (e *Coalesce) Children() []Expr   { return e.Args }
func (e *Cast) Children() []Expr       { return []Expr{e.X} }
func (e *Call) Children() []Expr       { return e.Args }
func (e *Field) Children() []Expr      { return []Expr{e.X} }
func (e *In) Children() []Expr         { return append([]Expr{e.X}, e.List...) }
func (e *Like) Children() []Expr {
	if e.Escape == nil {
		return []Expr{e.X, e.Pattern}
	}
	return []Expr{e.X, e.Pattern, e.Escape}
}

// Children are condition and result of each arm in turn, then Else if there is one.
func (e *Case) Children() []Expr {
	out := make([]Expr, 0, 2*len(e.Whens)+1)
	for _, w := range e.Whens {
		out = append(out, w.Cond, w.Result)
	}
	if e.Else != nil {
		out = append(out, e.Else)
	}
	return out
}

func (e *Not) WithChildren(c []Expr) Expr   { return &Not{X: c[0]} }
func (e *Logic) WithChildren(c []Expr) Expr { return &Logic{Op: e.Op, Args: c} }
func (e *Compare) WithChildren(c []Expr) Expr {
	return &Compare{Op: e.Op, X: c[0], Y: c[1]}
}
func (e *Between) WithChildren(c []Expr) Expr {
	return &Between{X: c[0], Lo: c[1], Hi: c[2], Negated: e.Negated}
}
func (e *Arith) WithChildren(c []Expr) Expr {
	return &Arith{Op: e.Op, X: c[0], Y: c[1], T: e.T}
}
func (e *Negate) WithChildren(c []Expr) Expr { return &Negate{X: c[0]} }
func (e *IsNull) WithChildren(c []Expr) Expr { return &IsNull{X: c[0], Negated: e.Negated} }
func (e *IsBool) WithChildren(c []Expr) Expr {
	return &IsBool{X: c[0], Want: e.Want, Negated: e.Negated}
}
func (e *In) WithChildren(c []Expr) Expr {
	return &In{X: c[0], List: c[1:], Negated: e.Negated}
}
func (e *Like) WithChildren(c []Expr) Expr {
	l := &Like{Kind: e.Kind, X: c[0], Pattern: c[1], Negated: e.Negated}
	if len(c) > 2 {
		l.Escape = c[2]
	}
	return l
}
func (e *RegexMatch) WithChildren(c []Expr) Expr {
	return &RegexMatch{Op: e.Op, X: c[0], Pattern: c[1]}
}
func (e *Case) WithChildren(c []Expr) Expr {
	out := &Case{T: e.T, Whens: make([]CaseWhen, len(e.Whens))}
	for i := range e.Whens {
		out.Whens[i] = CaseWhen{Cond: c[2*i], Result: c[2*i+1]}
	}
	if e.Else != nil {
		out.Else = c[len(c)-1]
	}
	return out
}
func (e *Coalesce) WithChildren(c []Expr) Expr { return &Coalesce{Args: c, T: e.T} }
func (e *Cast) WithChildren(c []Expr) Expr {
	return &Cast{X: c[0], To: e.To, Try: e.Try, Implicit: e.Implicit, Guessed: e.Guessed}
}
func (e *Call) WithChildren(c []Expr) Expr {
	return &Call{Name: e.Name, Args: c, T: e.T, fn: e.fn}
}
func (e *Field) WithChildren(c []Expr) Expr {
	return &Field{X: c[0], Name: e.Name, Index: e.Index, T: e.T}
}

// The precedence of an expression's outermost operator, loosest first, to place parentheses.
const (
	precOr = iota + 1
	precAnd
	precNot
	precIs
	precCompare
	precOther
	precAdd
	precMul
	precPow
	precUnary
	precAtom
)

func precedence(e Expr) int {
	switch e := e.(type) {
	case *Logic:
		if e.Op == "OR" {
			return precOr
		}
		return precAnd
	case *Not:
		return precNot
	case *IsNull, *IsBool:
		return precIs
	case *Compare:
		if strings.HasPrefix(e.Op, "IS") {
			return precIs
		}
		return precCompare
	case *Between, *In, *Like, *RegexMatch:
		return precCompare
	case *Arith:
		switch e.Op {
		case "+", "-":
			return precAdd
		case "*", "/", "%":
			return precMul
		case "^":
			return precPow
		}
		return precOther
	case *Negate:
		return precUnary
	case *Literal:
		if strings.HasPrefix(e.String(), "-") {
			return precUnary
		}
	case *Cast:
		if e.Implicit {
			return precedence(e.X)
		}
	}
	return precAtom
}

// operand renders e for a place where operators looser than min need parentheses.
func operand(e Expr, min int) string {
	if precedence(e) < min {
		return "(" + e.String() + ")"
	}
	return e.String()
}

func not(negated bool) string {
	if negated {
		return "NOT "
	}
	return ""
}

func (c *Column) String() string { return sqlname.QuoteIfNeeded(c.Name) }

func (e *Not) String() string { return "NOT " + operand(e.X, precNot) }
func (e *Logic) String() string {
	p := precedence(e) + 1
	parts := make([]string, len(e.Args))
	for i, a := range e.Args {
		parts[i] = operand(a, p)
	}
	return strings.Join(parts, " "+e.Op+" ")
}
func (e *Compare) String() string {
	p := precedence(e) + 1
	return operand(e.X, p) + " " + e.Op + " " + operand(e.Y, p)
}
func (e *Between) String() string {
	return operand(e.X, precOther) + " " + not(e.Negated) + "BETWEEN " + operand(e.Lo, precOther) + " AND " + operand(e.Hi, precOther)
}
func (e *Arith) String() string {
	p := precedence(e)
	return operand(e.X, p) + " " + e.Op + " " + operand(e.Y, p+1)
}
func (e *Negate) String() string { return "-" + operand(e.X, precAtom) }
func (e *IsNull) String() string {
	return operand(e.X, precIs+1) + " IS " + not(e.Negated) + "NULL"
}
func (e *IsBool) String() string {
	want := "UNKNOWN"
	if e.Want != nil {
		want = strings.ToUpper(cast.BoolText(*e.Want))
	}
	return operand(e.X, precIs+1) + " IS " + not(e.Negated) + want
}
func (e *In) String() string {
	return operand(e.X, precOther) + " " + not(e.Negated) + "IN (" + list(e.List) + ")"
}

// list renders operands, cutting very long ones: the text is for people.
func list(args []Expr) string {
	const most = 100
	var b strings.Builder
	for i, a := range args {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == most {
			b.WriteString("…")
			break
		}
		b.WriteString(a.String())
	}
	return b.String()
}
func (e *Like) String() string {
	op := e.Kind
	if op == "SIMILAR" {
		op = "SIMILAR TO"
	}
	s := operand(e.X, precOther) + " " + not(e.Negated) + op + " " + operand(e.Pattern, precOther)
	if e.Escape != nil {
		s += " ESCAPE " + operand(e.Escape, precOther)
	}
	return s
}
func (e *RegexMatch) String() string {
	return operand(e.X, precOther) + " " + e.Op + " " + operand(e.Pattern, precOther+1)
}
func (e *Case) String() string {
	var b strings.Builder
	b.WriteString("CASE")
	for _, w := range e.Whens {
		b.WriteString(" WHEN " + w.Cond.String() + " THEN " + w.Result.String())
	}
	if e.Else != nil {
		b.WriteString(" ELSE " + e.Else.String())
	}
	b.WriteString(" END")
	return b.String()
}
func (e *Coalesce) String() string { return "coalesce(" + list(e.Args) + ")" }
func (e *Cast) String() string {
	if e.Implicit {
		return e.X.String()
	}
	word := "CAST("
	if e.Try {
		word = "TRY_CAST("
	}
	return word + e.X.String() + " AS " + value.TypeName(e.To) + ")"
}

// distanceOps are the functions that have an operator for a name.
var distanceOps = map[string]string{
	"l2_distance":            "<->",
	"cosine_distance":        "<=>",
	"negative_inner_product": "<#>",
}

func (e *Call) String() string {
	if op, ok := distanceOps[e.Name]; ok && len(e.Args) == 2 {
		return "(" + operand(e.Args[0], precOther) + " " + op + " " + operand(e.Args[1], precOther+1) + ")"
	}
	return e.Name + "(" + list(e.Args) + ")"
}
func (e *Field) String() string { return operand(e.X, precAtom) + "." + sqlname.QuoteIfNeeded(e.Name) }
