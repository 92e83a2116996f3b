package expr

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// Arithmetic on integers and floats. Operands have the type of the result. Integers that overflow and
// integer division by zero fail the batch, unless the row is NULL: what lies under a NULL is arbitrary.

// arithKernel is the kernel of x op y for operands of types tx and ty and a result of type t.
func arithKernel(op string, tx, ty, t arrow.DataType) (func(*call) (arrow.Array, error), error) {
	x, y := kindOf(tx), kindOf(ty)
	switch {
	case t.ID() == arrow.NULL:
		return func(c *call) (arrow.Array, error) { return nullArray(c.mem(), c.t, c.n) }, nil
	case op == "||":
		return concatKernel(t)
	case x == kDate || x == kTime || x == kTimestamp || x == kInterval || y == kDate || y == kTime || y == kTimestamp || y == kInterval:
		return temporalKernel(op, tx, ty, t)
	case kindOf(t) == kDecimal:
		return decimalKernel(op), nil
	}
	switch t.ID() {
	case arrow.INT8:
		return func(c *call) (arrow.Array, error) { return arithInts[int8](c, op) }, nil
	case arrow.INT16:
		return func(c *call) (arrow.Array, error) { return arithInts[int16](c, op) }, nil
	case arrow.INT32:
		return func(c *call) (arrow.Array, error) { return arithInts[int32](c, op) }, nil
	case arrow.INT64:
		return func(c *call) (arrow.Array, error) { return arithInts[int64](c, op) }, nil
	case arrow.UINT8:
		return func(c *call) (arrow.Array, error) { return arithInts[uint8](c, op) }, nil
	case arrow.UINT16:
		return func(c *call) (arrow.Array, error) { return arithInts[uint16](c, op) }, nil
	case arrow.UINT32:
		return func(c *call) (arrow.Array, error) { return arithInts[uint32](c, op) }, nil
	case arrow.UINT64:
		return func(c *call) (arrow.Array, error) { return arithInts[uint64](c, op) }, nil
	case arrow.FLOAT32:
		return func(c *call) (arrow.Array, error) { return arithFloats[float32](c, op) }, nil
	case arrow.FLOAT64:
		return func(c *call) (arrow.Array, error) { return arithFloats[float64](c, op) }, nil
	}
	return nil, fault.New(fault.Internal, "no kernel for %s %s %s", TypeName(tx), op, TypeName(ty))
}

func overflow[T integer](op string, a, b T, t arrow.DataType) error {
	return fault.New(fault.InvalidArgument, "integer overflow: %d %s %d does not fit %s", a, op, b, TypeName(t))
}

func arithInts[T integer](c *call, op string) (arrow.Array, error) {
	x, y := numsOf[T](c.args[0]), numsOf[T](c.args[1])
	buf, out := newFixed[T](c.mem(), c.n)
	bad := -1
	switch op {
	case "+":
		bad = addInts(c, x, y, out)
	case "-":
		bad = subInts(c, x, y, out)
	case "*":
		bad = mulInts(c, x, y, out)
	case "/", "%":
		bad = divInts(c, op == "%", x, y, out)
	default:
		bad = bitInts(c, op, x, y, out)
	}
	if bad >= 0 {
		buf.Release()
		if op == "<<" || op == ">>" {
			return nil, fault.New(fault.InvalidArgument, "%s by %d: %s has %d bits", op, y.at(bad), TypeName(c.t), bitWidth(c.t))
		}
		if (op == "/" || op == "%") && y.at(bad) == 0 {
			return nil, divisionByZero()
		}
		return nil, overflow(op, x.at(bad), y.at(bad), c.t)
	}
	return c.finish(buf), nil
}

// The loops return the first row that fails, or -1. Each overflow test holds for signed and unsigned
// types alike, since b < 0 is never true for the latter.

func addInts[T integer](c *call, x, y nums[T], out []T) int {
	if y.mask == 0 && x.mask != 0 {
		b := y.vals[0]
		vals := x.vals[:len(out)]
		for i, a := range vals {
			r := a + b
			out[i] = r
			if (r < a) != (b < 0) && !c.null(i) {
				return i
			}
		}
		return -1
	}
	for i := range out {
		a, b := x.at(i), y.at(i)
		r := a + b
		out[i] = r
		if (r < a) != (b < 0) && !c.null(i) {
			return i
		}
	}
	return -1
}

func subInts[T integer](c *call, x, y nums[T], out []T) int {
	for i := range out {
		a, b := x.at(i), y.at(i)
		r := a - b
		out[i] = r
		if (r > a) != (b < 0) && !c.null(i) {
			return i
		}
	}
	return -1
}

func mulInts[T integer](c *call, x, y nums[T], out []T) int {
	for i := range out {
		a, b := x.at(i), y.at(i)
		r := a * b
		out[i] = r
		// Operands of 31 bits cannot overflow 64; only larger ones pay for a division.
		if uint64(a)+1<<30 < 1<<31 && uint64(b)+1<<30 < 1<<31 {
			if int64(r) == int64(a)*int64(b) {
				continue
			}
		} else if b == 0 || r/b == a && !(b+1 == 0 && a < 0 && a == -a) {
			continue
		}
		if !c.null(i) {
			return i
		}
	}
	return -1
}

func divInts[T integer](c *call, mod bool, x, y nums[T], out []T) int {
	for i := range out {
		a, b := x.at(i), y.at(i)
		switch {
		case b == 0:
			if !c.null(i) {
				return i
			}
			out[i] = 0
		case b+1 == 0 && a < 0 && a == -a: // the smallest integer by -1
			if !mod && !c.null(i) {
				return i
			}
			out[i] = 0
		case mod:
			out[i] = a % b
		default:
			out[i] = a / b
		}
	}
	return -1
}

func arithFloats[T float32 | float64](c *call, op string) (arrow.Array, error) {
	x, y := numsOf[T](c.args[0]), numsOf[T](c.args[1])
	buf, out := newFixed[T](c.mem(), c.n)
	switch op {
	case "+":
		for i := range out {
			out[i] = x.at(i) + y.at(i)
		}
	case "-":
		for i := range out {
			out[i] = x.at(i) - y.at(i)
		}
	case "*":
		for i := range out {
			out[i] = x.at(i) * y.at(i)
		}
	case "/":
		for i := range out {
			out[i] = x.at(i) / y.at(i)
		}
	case "%":
		for i := range out {
			out[i] = T(math.Mod(float64(x.at(i)), float64(y.at(i))))
		}
	case "^":
		for i := range out {
			r, err := power(float64(x.at(i)), float64(y.at(i)))
			if err != nil && !c.null(i) {
				buf.Release()
				return nil, err
			}
			out[i] = T(r)
		}
	}
	return c.finish(buf), nil
}

// power is a^b; what has no real value fails as in PostgreSQL.
func power(a, b float64) (float64, error) {
	switch {
	case a == 0 && b < 0:
		return 0, fault.New(fault.InvalidArgument, "zero raised to a negative power is undefined")
	case a < 0 && !math.IsInf(a, 0) && !math.IsInf(b, 0) && b != math.Floor(b):
		return 0, fault.New(fault.InvalidArgument, "a negative number raised to a non-integer power yields a complex result")
	}
	return math.Pow(a, b), nil
}

func negateInts[T integer](c *call) (arrow.Array, error) {
	x := numsOf[T](c.args[0])
	buf, out := newFixed[T](c.mem(), c.n)
	for i := range out {
		a := x.at(i)
		out[i] = -a
		if a < 0 && a == -a && !c.null(i) {
			buf.Release()
			return nil, fault.New(fault.InvalidArgument, "integer overflow: -(%d) does not fit %s", a, TypeName(c.t))
		}
	}
	return c.finish(buf), nil
}

func negateInterval(v arrow.MonthDayNanoInterval) arrow.MonthDayNanoInterval {
	return arrow.MonthDayNanoInterval{Months: -v.Months, Days: -v.Days, Nanoseconds: -v.Nanoseconds}
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

// negateKernel is the kernel of -x for a type.
func negateKernel(t arrow.DataType) (func(*call) (arrow.Array, error), error) {
	switch t.ID() {
	case arrow.INT8:
		return negateInts[int8], nil
	case arrow.INT16:
		return negateInts[int16], nil
	case arrow.INT32:
		return negateInts[int32], nil
	case arrow.INT64:
		return negateInts[int64], nil
	case arrow.FLOAT32:
		return mapFixed(func(x float32) float32 { return -x }), nil
	case arrow.FLOAT64:
		return mapFixed(func(x float64) float64 { return -x }), nil
	case arrow.DECIMAL128:
		return mapFixed(negateDecimal), nil
	case arrow.INTERVAL_MONTH_DAY_NANO:
		return mapFixed(negateInterval), nil
	case arrow.NULL:
		return func(c *call) (arrow.Array, error) { return nullArray(c.mem(), c.t, c.n) }, nil
	default:
		return nil, fault.New(fault.Internal, "no kernel for -%s", TypeName(t))
	}
}
