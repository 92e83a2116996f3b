package expr

import (
	"lanceflight/internal/fault"
	"math"
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// decimalResult is the type of x op y for decimals.
//
// Sums keep all digits. Products keep the sum of the scales, and quotients at least 16 digits behind
// the point, while 38 digits suffice; where they do not, digits behind the point give way, down to 6.
func decimalResult(op string, x, y *arrow.Decimal128Type) *arrow.Decimal128Type {
	wx, wy := x.Precision-x.Scale, y.Precision-y.Scale
	whole, scale := max(wx, wy)+1, max(x.Scale, y.Scale)
	switch op {
	case "*":
		whole, scale = wx+wy, x.Scale+y.Scale
	case "/":
		whole, scale = wx+y.Scale, max(16, x.Scale, y.Scale)
	case "%":
		whole = max(wx, wy)
	}
	if whole+scale > 38 {
		scale = max(min(scale, 6), min(scale, 38-whole))
	}
	return &arrow.Decimal128Type{Precision: min(38, whole+scale), Scale: scale}
}

func negateDecimal(n decimal128.Num) decimal128.Num { return n.Negate() }

// decimalKernel computes x op y; both are decimals, of any scale.
func decimalKernel(op string) func(*call) (arrow.Array, error) {
	return func(c *call) (arrow.Array, error) {
		x, y := numsOf[decimal128.Num](c.args[0]), numsOf[decimal128.Num](c.args[1])
		tx, ty := c.args[0].arr.DataType().(*arrow.Decimal128Type), c.args[1].arr.DataType().(*arrow.Decimal128Type)
		t := c.t.(*arrow.Decimal128Type)
		buf, out := newFixed[decimal128.Num](c.mem(), c.n)
		for i := range out {
			if c.null(i) {
				out[i] = decimal128.Num{}
				continue
			}
			r, err := decimalOp(op, x.at(i), y.at(i), tx.Scale, ty.Scale, t)
			if err != nil {
				buf.Release()
				return nil, err
			}
			out[i] = r
		}
		return c.finish(buf), nil
	}
}

func decimalOp(op string, x, y decimal128.Num, sx, sy int32, t *arrow.Decimal128Type) (decimal128.Num, error) {
	if a, ok := small(x); ok && sx == sy && sx == t.Scale {
		if b, ok := small(y); ok && (op == "+" || op == "-") {
			if op == "-" {
				b = -b
			}
			s := a + b
			if b != math.MinInt64 && (a^s)&(b^s) >= 0 && fitsPrecision(s, t.Precision) {
				return decimal128.FromI64(s), nil
			}
		}
	}
	a, b := x.BigInt(), y.BigInt()
	var r *big.Int
	switch op {
	case "+", "-", "%":
		s := max(sx, sy)
		a, b = rescaleBig(a, s-sx), rescaleBig(b, s-sy)
		switch op {
		case "+":
			r = a.Add(a, b)
		case "-":
			r = a.Sub(a, b)
		default:
			if b.Sign() == 0 {
				return decimal128.Num{}, divisionByZero()
			}
			r = a.Rem(a, b)
		}
		r = rescaleBig(r, t.Scale-s)
	case "*":
		r = rescaleBig(a.Mul(a, b), t.Scale-sx-sy)
	case "/":
		if b.Sign() == 0 {
			return decimal128.Num{}, divisionByZero()
		}
		// a·10^-sx / (b·10^-sy), in units of 10^-scale.
		shift := t.Scale + sy - sx
		if shift >= 0 {
			a = rescaleBig(a, shift)
		} else {
			b = rescaleBig(b, -shift)
		}
		r = quoRound(a, b)
	}
	n, ok := fromBig(r, t.Precision)
	if !ok {
		return n, fault.New(fault.InvalidArgument, "decimal overflow: %s %s %s does not fit %s", x.ToString(sx), op, y.ToString(sy), TypeName(t))
	}
	return n, nil
}
