package arith

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr/value"
)

// Arithmetic on integers and floats. Operands have the type of the result. Integers that overflow and
// integer division by zero fail the batch, unless the row is NULL: what lies under a NULL is arbitrary.

// Kernel is the kernel of x op y for operands of types tx and ty and a result of type t.
func Kernel(op string, tx, ty, t arrow.DataType) (func(*value.KernelCall) (arrow.Array, error), error) {
	x, y := value.KindOf(tx), value.KindOf(ty)
	switch {
	case t.ID() == arrow.NULL:
		return func(c *value.KernelCall) (arrow.Array, error) { return value.NullArray(c.Mem(), c.Type, c.N) }, nil
	case op == "||":
		return concatKernel(t)
	case x == value.KindDate || x == value.KindTime || x == value.KindTimestamp || x == value.KindInterval ||
		y == value.KindDate || y == value.KindTime || y == value.KindTimestamp || y == value.KindInterval:
		return temporalKernel(op, tx, ty, t)
	case value.KindOf(t) == value.KindDecimal:
		return decimalKernel(op), nil
	case x == value.KindDecimal && op == "/":
		return quotientKernel, nil
	}
	switch t.ID() {
	case arrow.INT8:
		return func(c *value.KernelCall) (arrow.Array, error) { return arithInts[int8](c, op) }, nil
	case arrow.INT16:
		return func(c *value.KernelCall) (arrow.Array, error) { return arithInts[int16](c, op) }, nil
	case arrow.INT32:
		return func(c *value.KernelCall) (arrow.Array, error) { return arithInts[int32](c, op) }, nil
	case arrow.INT64:
		return func(c *value.KernelCall) (arrow.Array, error) { return arithInts[int64](c, op) }, nil
	case arrow.UINT8:
		return func(c *value.KernelCall) (arrow.Array, error) { return arithInts[uint8](c, op) }, nil
	case arrow.UINT16:
		return func(c *value.KernelCall) (arrow.Array, error) { return arithInts[uint16](c, op) }, nil
	case arrow.UINT32:
		return func(c *value.KernelCall) (arrow.Array, error) { return arithInts[uint32](c, op) }, nil
	case arrow.UINT64:
		return func(c *value.KernelCall) (arrow.Array, error) { return arithInts[uint64](c, op) }, nil
	case arrow.FLOAT32:
		return func(c *value.KernelCall) (arrow.Array, error) { return arithFloats[float32](c, op) }, nil
	case arrow.FLOAT64:
		return func(c *value.KernelCall) (arrow.Array, error) { return arithFloats[float64](c, op) }, nil
	}
	return nil, fault.New(fault.Internal, "no kernel for %s %s %s", value.TypeName(tx), op, value.TypeName(ty))
}

func overflow[T value.Integer](op string, a, b T, t arrow.DataType) error {
	return fault.New(fault.InvalidArgument, "integer overflow: %d %s %d does not fit %s", a, op, b, value.TypeName(t))
}

func arithInts[T value.Integer](c *value.KernelCall, op string) (arrow.Array, error) {
	x, y := value.NumsOf[T](c.Args[0]), value.NumsOf[T](c.Args[1])
	buf, out := value.NewFixed[T](c.Mem(), c.N)
	var bad int
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
			return nil, fault.New(fault.InvalidArgument, "%s by %d: %s has %d bits", op, y.At(bad), value.TypeName(c.Type), value.BitWidth(c.Type))
		}
		if (op == "/" || op == "%") && y.At(bad) == 0 {
			return nil, value.DivisionByZero()
		}
		return nil, overflow(op, x.At(bad), y.At(bad), c.Type)
	}
	return c.Finish(buf), nil
}

// The loops return the first row that fails, or -1. Each overflow test holds for signed and unsigned
// types alike, since b < 0 is never true for the latter.

func addInts[T value.Integer](c *value.KernelCall, x, y value.Nums[T], out []T) int {
	if y.Mask == 0 && x.Mask != 0 {
		b := y.Vals[0]
		vals := x.Vals[:len(out)]
		for i, a := range vals {
			r := a + b
			out[i] = r
			if (r < a) != (b < 0) && !c.Null(i) {
				return i
			}
		}
		return -1
	}
	for i := range out {
		a, b := x.At(i), y.At(i)
		r := a + b
		out[i] = r
		if (r < a) != (b < 0) && !c.Null(i) {
			return i
		}
	}
	return -1
}

func subInts[T value.Integer](c *value.KernelCall, x, y value.Nums[T], out []T) int {
	for i := range out {
		a, b := x.At(i), y.At(i)
		r := a - b
		out[i] = r
		if (r > a) != (b < 0) && !c.Null(i) {
			return i
		}
	}
	return -1
}

func mulInts[T value.Integer](c *value.KernelCall, x, y value.Nums[T], out []T) int {
	for i := range out {
		a, b := x.At(i), y.At(i)
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
		if !c.Null(i) {
			return i
		}
	}
	return -1
}

func divInts[T value.Integer](c *value.KernelCall, mod bool, x, y value.Nums[T], out []T) int {
	for i := range out {
		a, b := x.At(i), y.At(i)
		switch {
		case b == 0:
			if !c.Null(i) {
				return i
			}
			out[i] = 0
		case b+1 == 0 && a < 0 && a == -a: // the smallest integer by -1
			if !mod && !c.Null(i) {
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

func arithFloats[T float32 | float64](c *value.KernelCall, op string) (arrow.Array, error) {
	x, y := value.NumsOf[T](c.Args[0]), value.NumsOf[T](c.Args[1])
	buf, out := value.NewFixed[T](c.Mem(), c.N)
	switch op {
	case "+":
		for i := range out {
			out[i] = x.At(i) + y.At(i)
		}
	case "-":
		for i := range out {
			out[i] = x.At(i) - y.At(i)
		}
	case "*":
		for i := range out {
			out[i] = x.At(i) * y.At(i)
		}
	case "/":
		for i := range out {
			out[i] = x.At(i) / y.At(i)
		}
	case "%":
		for i := range out {
			out[i] = T(math.Mod(float64(x.At(i)), float64(y.At(i))))
		}
	case "^":
		for i := range out {
			r, err := Power(float64(x.At(i)), float64(y.At(i)))
			if err != nil && !c.Null(i) {
				buf.Release()
				return nil, err
			}
			out[i] = T(r)
		}
	}
	return c.Finish(buf), nil
}

// Power is a^b; what has no real value fails as in PostgreSQL.
func Power(a, b float64) (float64, error) {
	switch {
	case a == 0 && b < 0:
		return 0, fault.New(fault.InvalidArgument, "zero raised to a negative power is undefined")
	case a < 0 && !math.IsInf(a, 0) && !math.IsInf(b, 0) && b == b && b != math.Floor(b):
		return 0, fault.New(fault.InvalidArgument, "a negative number raised to a non-integer power yields a complex result")
	}
	return math.Pow(a, b), nil
}

func negateInts[T value.Integer](c *value.KernelCall) (arrow.Array, error) {
	x := value.NumsOf[T](c.Args[0])
	buf, out := value.NewFixed[T](c.Mem(), c.N)
	for i := range out {
		a := x.At(i)
		out[i] = -a
		if a < 0 && a == -a && !c.Null(i) {
			buf.Release()
			return nil, fault.New(fault.InvalidArgument, "integer overflow: -(%d) does not fit %s", a, value.TypeName(c.Type))
		}
	}
	return c.Finish(buf), nil
}

func negateInterval(v arrow.MonthDayNanoInterval) arrow.MonthDayNanoInterval {
	return arrow.MonthDayNanoInterval{Months: -v.Months, Days: -v.Days, Nanoseconds: -v.Nanoseconds}
}

func bitInts[T value.Integer](c *value.KernelCall, op string, x, y value.Nums[T], out []T) (bad int) {
	width := T(value.BitWidth(c.Type))
	for i := range out {
		a, b := x.At(i), y.At(i)
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
				if !c.Null(i) {
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

// NegateKernel is the kernel of -x for a type.
func NegateKernel(t arrow.DataType) (func(*value.KernelCall) (arrow.Array, error), error) {
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
		return value.MapFixed(func(x float32) float32 { return -x }), nil
	case arrow.FLOAT64:
		return value.MapFixed(func(x float64) float64 { return -x }), nil
	case arrow.DECIMAL128:
		return value.MapFixed(negateDecimal), nil
	case arrow.INTERVAL_MONTH_DAY_NANO:
		return value.MapFixed(negateInterval), nil
	case arrow.NULL:
		return func(c *value.KernelCall) (arrow.Array, error) { return value.NullArray(c.Mem(), c.Type, c.N) }, nil
	default:
		return nil, fault.New(fault.Internal, "no kernel for -%s", value.TypeName(t))
	}
}
