package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// Bits of integers: & | # (exclusive or) and the shifts << and >>.

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

func newBits2(op string, x, y Expr) (Expr, error) {
	both, t, err := unify(op, []Expr{x, y})
	if err != nil {
		return nil, err
	}
	for _, e := range both {
		if !kindOf(e.Type()).integer() {
			return nil, fault.New(fault.InvalidArgument, "%s needs integers, but %s is %s", op, shortText(e), TypeName(e.Type()))
		}
	}
	if (op == "<<" || op == ">>") && kindOf(x.Type()).integer() {
		// The type of what is shifted, whatever that of the distance.
		t = x.Type()
		both = []Expr{x, implicitCast(both[1], t)}
	}
	return &Arith{Op: op, X: both[0], Y: both[1], T: t}, nil
}

func bitInts[T integer](c *call, op string, x, y nums[T], out []T) (bad int) {
	width := T(bitWidth(c.t))
	for i := range out {
		a, b := x.at(i), y.at(i)
		switch op {
		case "&":
			out[i] = a & b
		case "|":
			out[i] = a | b
		case "#":
			out[i] = a ^ b
		default:
			switch {
			case b < 0 || b >= width:
				if !c.null(i) {
					return i
				}
				out[i] = 0
			case op == "<<":
				out[i] = a << b
			default:
				out[i] = a >> b
			}
		}
	}
	return -1
}
