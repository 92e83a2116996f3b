package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr/value"
)

var anyFunctions = map[string]string{"=": "$any_eq", "!=": "$any_ne", "<": "$any_lt", "<=": "$any_le", ">": "$any_gt", ">=": "$any_ge"}

var negatedOps = map[string]string{"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}

// NewQuantified is x op ANY (list), or x op ALL (list), for a comparison operator: NULL where no item decides it and
// some item is NULL.
func NewQuantified(op, quantifier string, x, list Expr) (Expr, error) {
	if anyFunctions[op] == "" {
		return nil, fault.New(fault.Unsupported, "the operator %s before %s", op, quantifier)
	}
	l, err := ListArg.convert(list)
	if err != nil {
		return nil, err
	}
	if UnknownString(list) || Undecided(list) {
		item := Decoded(x).Type()
		if Undecided(x) {
			item = value.TypeText
		}
		l, err = coerceBy(!Undecided(x) && decisive(x), list, arrow.ListOf(item))
		if err != nil {
			return nil, err
		}
	}
	if l == nil {
		return nil, fault.New(fault.InvalidArgument, "%s needs a list, but %s is %s", quantifier, ShortText(list), value.TypeName(list.Type()))
	}
	if quantifier == "ANY" {
		return NewCall(anyFunctions[op], []Expr{x, l})
	}
	// Every item satisfies op where none satisfies its opposite; comparisons are total, so this holds for NaN too.
	some, err := NewCall(anyFunctions[negatedOps[op]], []Expr{x, l})
	if err != nil {
		return nil, err
	}
	return NewNot(some)
}
