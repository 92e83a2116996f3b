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

// DecimalResult is the type of x op y for decimals. Nothing is rounded but quotients:
//
//   - x + y, x - y and x % y keep all digits behind the point, products the digits of both.
//   - A quotient has 16 significant digits, however small it is: 16 behind the point, and as many more as
//     x has there and y before it. Where 38 digits do not hold that besides the digits before the point, so that
//     a DECIMAL would lose either, it is a DOUBLE.
//
// A value that does not fit the 38 digits of its type is an error when it is computed. InvalidArgument: a
// product that would have more than 38 digits behind the point.
func DecimalResult(op string, x, y *arrow.Decimal128Type) (arrow.DataType, error) {
	wx, wy := x.Precision-x.Scale, y.Precision-y.Scale
	whole, scale := max(wx, wy)+1, max(x.Scale, y.Scale)
	switch op {
	case "*":
		whole, scale = wx+wy, x.Scale+y.Scale
		if scale > 38 {
			return nil, fault.New(fault.InvalidArgument,
				"the product of %s and %s has %d digits behind the point, and a DECIMAL has room for 38; CAST one of them to fewer, or to DOUBLE",
				value.TypeName(x), value.TypeName(y), scale)
		}
	case "/":
		whole, scale = wx+y.Scale, max(x.Scale+wy, 0)+minQuotientDigits
		if whole+scale > 38 {
			return value.TypeFloat64, nil
		}
	case "%":
		whole = max(wx, wy)
	}
	return &arrow.Decimal128Type{Precision: min(38, whole+scale), Scale: scale}, nil
}

// minQuotientDigits is how many significant digits a quotient has at least; PostgreSQL has as many.
const minQuotientDigits = 16

// quotientKernel computes x / y of decimals of any scale as the DOUBLE that is nearest.
func quotientKernel(c *value.KernelCall) (arrow.Array, error) {
	x, y := value.NumsOf[decimal128.Num](c.Args[0]), value.NumsOf[decimal128.Num](c.Args[1])
	sx := c.Args[0].Arr.DataType().(*arrow.Decimal128Type).Scale
	sy := c.Args[1].Arr.DataType().(*arrow.Decimal128Type).Scale
	buf, out := value.NewFixed[float64](c.Mem(), c.N)
	for i := range out {
		switch {
		case c.Null(i):
			out[i] = 0
		case y.At(i).Sign() == 0:
			buf.Release()
			return nil, value.DivisionByZero()
		default:
			out[i] = cast.DecimalQuotient(x.At(i), y.At(i), sy-sx)
		}
	}
	return c.Finish(buf), nil
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
