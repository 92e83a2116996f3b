package expr

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
)

var errLater = fault.New(fault.Unsupported, "this expression")

type function struct{}

// FunctionInfo describes a function for the server's metadata.
type FunctionInfo struct {
	Name     string
	Category string // "numeric", "string", "datetime", "system", "vector", "list", "conditional", "aggregate"
}

func boolText(b bool) string      { return fmt.Sprint(b) }
func (l *Literal) String() string { return fmt.Sprint(l.Value) }
func (p *Param) String() string   { return fmt.Sprintf("$%d", p.Slot+1) }

func NewLiteral(v any, t arrow.DataType) *Literal { return &Literal{Value: v, T: t} }
func NewNot(x Expr) (Expr, error)                 { return nil, errLater }
func NewAnd(xs ...Expr) (Expr, error)             { return nil, errLater }
func NewOr(xs ...Expr) (Expr, error)              { return nil, errLater }
func NewCompare(op string, x, y Expr) (Expr, error) {
	return nil, errLater
}
func NewArith(op string, x, y Expr) (Expr, error)          { return nil, errLater }
func NewNegate(x Expr) (Expr, error)                       { return nil, errLater }
func NewIsNull(x Expr, not bool) Expr                      { return &IsNull{X: x, Negated: not} }
func NewIsBool(x Expr, want *bool, not bool) (Expr, error) { return nil, errLater }
func NewIn(x Expr, list []Expr, not bool) (Expr, error)    { return nil, errLater }
func NewBetween(x, lo, hi Expr, not bool) (Expr, error)    { return nil, errLater }
func NewLike(kind string, x, pattern, escape Expr, not bool) (Expr, error) {
	return nil, errLater
}
func NewRegexMatch(op string, x, pattern Expr) (Expr, error)         { return nil, errLater }
func NewCase(operand Expr, whens []CaseWhen, els Expr) (Expr, error) { return nil, errLater }
func NewCast(x Expr, to arrow.DataType, try bool) (Expr, error)      { return nil, errLater }

// NewField is access to a member of a struct by name.
func NewField(x Expr, name string) (Expr, error) { return nil, errLater }

// NewList is ARRAY[items].
func NewList(items []Expr) (Expr, error) { return nil, errLater }

// NewNumber is a number as written in SQL, without sign: INTEGER, else BIGINT, else DECIMAL or DOUBLE.
func NewNumber(text string) (*Literal, error)                 { return nil, errLater }
func Coerce(x Expr, to arrow.DataType) (Expr, error)          { return nil, errLater }
func CommonType(ts ...arrow.DataType) (arrow.DataType, error) { return nil, errLater }
func NewCall(name string, args []Expr) (Expr, error)          { return nil, errLater }
func FunctionNames() []FunctionInfo                           { return nil }
func ParseType(name string, args []int, dims []int, tz bool) (arrow.DataType, error) {
	return nil, errLater
}
func TypeName(t arrow.DataType) string                     { return t.String() }
func Fold(e Expr) (Expr, error)                            { return nil, errLater }
func ConstValue(e Expr, params []Literal) (Literal, error) { return Literal{}, errLater }
func ResolveAggregate(name string, args []Expr, star, distinct bool) (out arrow.DataType, cast []Expr, err error) {
	return nil, nil, errLater
}
func IsAggregate(name string) bool                              { return false }
func WithParamType(e Expr, t arrow.DataType) Expr               { return e }
func CastLiteral(l Literal, to arrow.DataType) (Literal, error) { return Literal{}, errLater }
func VectorOf(l Literal, dim int) ([]float32, error)            { return nil, errLater }
func LiteralAt(arr arrow.Array, i int) (Literal, error)         { return Literal{}, errLater }
func Broadcast(l Literal, n int, mem memory.Allocator) (arrow.Array, error) {
	return nil, errLater
}

// Equal says whether two expressions are the same computation.
func Equal(a, b Expr) bool { return false }

// Program is a compiled expression, safe for concurrent use.
type Program struct{}

// Input is a batch: Cols[position[id]] holds column id. Nothing is retained beyond the call.
type Input struct {
	Cols   []arrow.Array
	Rows   int
	Params []Literal
	Mem    memory.Allocator
}

func Compile(e Expr, position map[ColID]int) (*Program, error)             { return nil, errLater }
func (p *Program) Eval(ctx context.Context, in Input) (arrow.Array, error) { return nil, errLater }
func (p *Program) Select(ctx context.Context, in Input, sel []int32) ([]int32, error) {
	return nil, errLater
}
