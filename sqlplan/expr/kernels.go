package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr/value"
)

// PlainKernel is the kernel of a function that does not depend on how it is called.
func PlainKernel(run func(*value.KernelCall) (arrow.Array, error)) func(*Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	return func(*Call) (func(*value.KernelCall) (arrow.Array, error), error) { return run, nil }
}

// LiteralText is the value of a constant string argument; ok false if it is not constant or NULL.
func LiteralText(x Expr) (string, bool) {
	l, ok := x.(*Literal)
	if !ok {
		return "", false
	}
	s, ok := l.Value.(string)
	return s, ok
}
