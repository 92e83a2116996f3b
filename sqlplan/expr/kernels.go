package expr

import "github.com/apache/arrow-go/v18/arrow"

// plainKernel is the kernel of a function that does not depend on how it is called.
func plainKernel(run func(*call) (arrow.Array, error)) func(*Call) (func(*call) (arrow.Array, error), error) {
	return func(*Call) (func(*call) (arrow.Array, error), error) { return run, nil }
}

// literalText is the value of a constant string argument; ok false if it is not constant or NULL.
func literalText(x Expr) (string, bool) {
	l, ok := x.(*Literal)
	if !ok {
		return "", false
	}
	s, ok := l.Value.(string)
	return s, ok
}
