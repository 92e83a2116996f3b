package arith

import (
	"math"
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
)

// DecimalResult is the type of x op y for decimals.
//
// Sums keep all digits. Products keep the sum of the scales, and quotients at least 16 digits behind
// the point, while 38 digits suffice; where they do not, digits behind the point give way, down to 6.
func DecimalResult(op string, x, y *arrow.Decimal128Type) *arrow.Decimal128Type {
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
func decimalKernel(op string) func(*value.KernelCall) (arrow.Array, error) {
	return func(c *value.KernelCall) (arrow.Array, error) {
		x, y := value.NumsOf[decimal128.Num](c.Args[0]), value.NumsOf[decimal128.Num](c.Args[1])
		tx, ty := c.Args[0].Arr.DataType().(*arrow.Decimal128Type), c.Args[1].Arr.DataType().(*arrow.Decimal128Type)
		t := c.Type.(*arrow.Decimal128Type)
		buf, out := value.NewFixed[decimal128.Num](c.Mem(), c.N)
		for i := range out {
			if c.Null(i) {
				out[i] = decimal128.Num{}
				continue
			}
			r, err := decimalOp(op, x.At(i), y.At(i), tx.Scale, ty.Scale, t)
			if err != nil {
				buf.Release()
				return nil, err
			}
			out[i] = r
		}
		return c.Finish(buf), nil
	}
}

func decimalOp(op string, x, y decimal128.Num, sx, sy int32, t *arrow.Decimal128Type) (decimal128.Num, error) {
	if a, ok := cast.SmallDecimal(x); ok && sx == sy && sx == t.Scale {
		if b, ok := cast.SmallDecimal(y); ok && (op == "+" || op == "-") {
			if op == "-" {
				b = -b
			}
			s := a + b
			if b != math.MinInt64 && (a^s)&(b^s) >= 0 && cast.FitsPrecision(s, t.Precision) {
				return decimal128.FromI64(s), nil
			}
		}
	}
	a, b := x.BigInt(), y.BigInt()
	var r *big.Int
	switch op {
	case "+", "-", "%":
		s := max(sx, sy)
		a, b = cast.RescaleBig(a, s-sx), cast.RescaleBig(b, s-sy)
		switch op {
		case "+":
			r = a.Add(a, b)
		case "-":
			r = a.Sub(a, b)
		default:
			if b.Sign() == 0 {
				return decimal128.Num{}, value.DivisionByZero()
			}
			r = a.Rem(a, b)
		}
		r = cast.RescaleBig(r, t.Scale-s)
	case "*":
		r = cast.RescaleBig(a.Mul(a, b), t.Scale-sx-sy)
	case "/":
		if b.Sign() == 0 {
			return decimal128.Num{}, value.DivisionByZero()
		}
		// a·10^-sx / (b·10^-sy), in units of 10^-scale.
		shift := t.Scale + sy - sx
		if shift >= 0 {
			a = cast.RescaleBig(a, shift)
		} else {
			b = cast.RescaleBig(b, -shift)
		}
		r = cast.QuoRound(a, b)
	}
	n, ok := cast.FromBig(r, t.Precision)
	if !ok {
		return n, fault.New(
			fault.InvalidArgument,
			"decimal overflow: %s %s %s does not fit %s",
			x.ToString(sx),
			op,
			y.ToString(sy),
			value.TypeName(t),
		)
	}
	return n, nil
}
