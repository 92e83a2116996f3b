package expr

import "github.com/apache/arrow-go/v18/arrow"

// Bits of integers as functions; the operators & | # << >> are arithmetic.

func init() {
	register(
		&function{name: "xor", category: "numeric", volatility: Immutable, args: []argClass{openArg, openArg}, rewrite: func(a []Expr) (Expr, error) { return NewArith("#", a[0], a[1]) }},
		&function{name: "bit_not", category: "numeric", volatility: Immutable, args: []argClass{openArg}, rewrite: func(a []Expr) (Expr, error) {
			x := decoded(a[0])
			if kindOf(x.Type()) == kUint {
				return nil, needs("a signed integer", x)
			}
			return NewArith("#", x, NewLiteral(int64(-1), arrow.PrimitiveTypes.Int8))
		}},
	)
}
