package fn

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/value"
)

// Bits of integers as functions; the operators & | # << >> are arithmetic.

func init() {
	expr.Register(
		&expr.Function{
			Name:       "xor",
			Category:   "numeric",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.OpenArg, expr.OpenArg},
			Rewrite:    func(a []expr.Expr) (expr.Expr, error) { return expr.NewArith("#", a[0], a[1]) },
		},
		&expr.Function{
			Name:       "bit_not",
			Category:   "numeric",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.OpenArg},
			Rewrite: func(a []expr.Expr) (expr.Expr, error) {
				x := expr.Decoded(a[0])
				if value.KindOf(x.Type()) == value.KindUint {
					return nil, expr.Needs("a signed integer", x)
				}
				return expr.NewArith("#", x, expr.NewLiteral(int64(-1), arrow.PrimitiveTypes.Int8))
			},
		},
	)
}
