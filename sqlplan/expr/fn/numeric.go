package fn

import (
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/arith"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
)

func init() {
	float1 := func(name string, fn func(float64) float64, aliases ...string) *expr.Function {
		return &expr.Function{
			Name:       name,
			Aliases:    aliases,
			Category:   "numeric",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.FloatArg},
			Out:        value.TypeFloat64,
			Kernel:     expr.PlainKernel(value.MapFixed(fn)),
		}
	}
	checked := func(name string, fn func(float64) (float64, error), aliases ...string) *expr.Function {
		return &expr.Function{
			Name:       name,
			Aliases:    aliases,
			Category:   "numeric",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.FloatArg},
			Out:        value.TypeFloat64,
			Kernel:     expr.PlainKernel(value.MapFixedErr(fn)),
		}
	}
	float2 := func(name string, fails expr.Failure, fn func(x, y float64) (float64, error), aliases ...string) *expr.Function {
		return &expr.Function{
			Name:       name,
			Aliases:    aliases,
			Category:   "numeric",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      fails,
			Args:       []expr.ArgClass{expr.FloatArg, expr.FloatArg},
			Out:        value.TypeFloat64,
			Kernel:     expr.PlainKernel(value.MapFixed2Err(fn)),
		}
	}
	finite := func(fn func(float64) float64) func(float64) (float64, error) {
		return func(x float64) (float64, error) {
			if math.IsInf(x, 0) {
				return 0, fault.New(fault.InvalidArgument, "the angle is infinite")
			}
			return fn(x), nil
		}
	}
	within1 := func(name string, fn func(float64) float64) func(float64) (float64, error) {
		return func(x float64) (float64, error) {
			if x < -1 || x > 1 {
				return 0, fault.New(fault.InvalidArgument, "%s of %v: the argument must be between -1 and 1", name, x)
			}
			return fn(x), nil
		}
	}
	int2 := func(name string, fn func(x, y int64) (int64, error), aliases ...string) *expr.Function {
		return &expr.Function{
			Name:       name,
			Aliases:    aliases,
			Category:   "numeric",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnRange,
			Args:       []expr.ArgClass{expr.IntArg, expr.IntArg},
			Out:        value.TypeInt64,
			Kernel:     expr.PlainKernel(value.MapFixed2Err(fn)),
		}
	}
	operator := func(op string) func([]expr.Expr) (expr.Expr, error) {
		return func(a []expr.Expr) (expr.Expr, error) { return expr.NewArith(op, a[0], a[1]) }
	}
	test := func(name string, fn func(float64) bool) *expr.Function {
		return &expr.Function{
			Name:       name,
			Category:   "numeric",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.FloatArg},
			Out:        value.TypeBool,
			Kernel:     expr.BoolOut(func(a *expr.RowArgs, i int) (bool, error) { return fn(a.Float(0, i)), nil }),
		}
	}
	expr.Register(
		&expr.Function{
			Name:       "abs",
			Category:   "numeric",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnRange,
			Args:       []expr.ArgClass{expr.NumberArg},
			Result:     sameNumberType,
			Kernel:     absKernel,
		},
		&expr.Function{
			Name:       "sign",
			Category:   "numeric",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.NumberArg},
			Result:     signType,
			Kernel:     signKernel,
		},
		&expr.Function{
			Name:       "ceil",
			Aliases:    []string{"ceiling"},
			Category:   "numeric",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnRange,
			Args:       []expr.ArgClass{expr.NumberArg},
			Result:     wholeType,
			Kernel:     roundKernel(roundUp),
		},
		&expr.Function{
			Name:       "floor",
			Category:   "numeric",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnRange,
			Args:       []expr.ArgClass{expr.NumberArg},
			Result:     wholeType,
			Kernel:     roundKernel(roundDown),
		},
		&expr.Function{
			Name:       "round",
			Category:   "numeric",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnRange,
			Args:       []expr.ArgClass{expr.NumberArg, expr.IntArg},
			Required:   1,
			Result:     placesType,
			Kernel:     roundKernel(roundHalf),
		},
		&expr.Function{
			Name:       "trunc",
			Aliases:    []string{"truncate"},
			Category:   "numeric",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnRange,
			Args:       []expr.ArgClass{expr.NumberArg, expr.IntArg},
			Required:   1,
			Result:     placesType,
			Kernel:     roundKernel(roundZero),
		},
		checked("sqrt", func(x float64) (float64, error) {
			if x < 0 {
				return 0, fault.New(fault.InvalidArgument, "the square root of a negative number, %v", x)
			}
			return math.Sqrt(x), nil
		}),
		float1("cbrt", math.Cbrt),
		float1("exp", math.Exp),
		checked("ln", func(x float64) (float64, error) { return logarithm(x, naturalLog) }),
		checked("log10", func(x float64) (float64, error) { return logarithm(x, decimalLog) }),
		checked("log2", func(x float64) (float64, error) { return logarithm(x, math.Log2) }),
		&expr.Function{
			Name:       "log",
			Category:   "numeric",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.FloatArg, expr.FloatArg},
			Required:   1,
			Out:        value.TypeFloat64,
			Kernel:     expr.FixedOut(logRow),
		},
		float2("power", expr.FailsOnValue, arith.Power, "pow"),
		&expr.Function{
			Name:       "mod",
			Category:   "numeric",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.NumberArg, expr.NumberArg},
			Rewrite:    operator("%"),
		},
		&expr.Function{
			Name:       "div",
			Category:   "numeric",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.NumberArg, expr.NumberArg},
			Rewrite: func(a []expr.Expr) (expr.Expr, error) {
				q, err := expr.NewArith("/", a[0], a[1])
				if err != nil || value.KindOf(q.Type()).Integer() {
					return q, err
				}
				return expr.NewCall("trunc", []expr.Expr{q})
			},
		},
		float1(
			"degrees",
			func(x float64) float64 { return x * (180 / math.Pi) },
		),
		float1("radians", func(x float64) float64 { return x * (math.Pi / 180) }),
		checked("sin", finite(math.Sin)),
		checked("cos", finite(math.Cos)),
		checked("tan", finite(math.Tan)),
		checked("cot", finite(func(x float64) float64 { return 1 / math.Tan(x) })),
		checked("asin", within1("asin", math.Asin)),
		checked("acos", within1("acos", math.Acos)),
		float1("atan", math.Atan),
		float2("atan2", expr.FailsNever, func(y, x float64) (float64, error) { return math.Atan2(y, x), nil }),
		float1("sinh", math.Sinh),
		float1("cosh", math.Cosh),
		float1("tanh", math.Tanh),
		float1("asinh", math.Asinh),
		checked("acosh", func(x float64) (float64, error) {
			if x < 1 {
				return 0, fault.New(fault.InvalidArgument, "acosh of %v: the argument must be at least 1", x)
			}
			return math.Acosh(x), nil
		}),
		checked("atanh", within1("atanh", math.Atanh)),
		&expr.Function{
			Name:       "pi",
			Category:   "numeric",
			Volatility: expr.Immutable,
			Rewrite:    func([]expr.Expr) (expr.Expr, error) { return expr.NewLiteral(math.Pi, value.TypeFloat64), nil },
		},
		int2("gcd", func(x, y int64) (int64, error) { return positive("gcd", x, y, gcd(x, y)) }, "greatest_common_divisor"),
		int2("lcm", lcm, "least_common_multiple"),
		&expr.Function{
			Name:       "factorial",
			Category:   "numeric",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.IntArg},
			Out:        value.TypeInt64,
			Kernel:     expr.PlainKernel(value.MapFixedErr(factorial)),
		},
		&expr.Function{
			Name:       "bit_count",
			Category:   "numeric",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.IntArg},
			Out:        value.TypeInt64,
			Kernel:     expr.PlainKernel(value.MapFixed(func(x int64) int64 { return int64(bits.OnesCount64(uint64(x))) })),
		},
		test("isnan", func(x float64) bool { return x != x }),
		test("isinf", func(x float64) bool { return math.IsInf(x, 0) }),
		test("isfinite", func(x float64) bool { return x-x == 0 }),
		&expr.Function{
			Name:       "width_bucket",
			Category:   "numeric",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.FloatArg, expr.FloatArg, expr.FloatArg, expr.IntArg},
			Out:        value.TypeInt64,
			Kernel:     expr.FixedOut(widthBucket),
		},
	)
}

func logarithm(x float64, fn func(float64) float64) (float64, error) {
	if x <= 0 {
		return 0, fault.New(fault.InvalidArgument, "the logarithm of %v: the argument must be above 0", x)
	}
	return fn(x), nil
}

// naturalLog and decimalLog make a subnormal number a normal one first, which math.Log does not.
func naturalLog(x float64) float64 {
	if x < 0x1p-1022 {
		return math.Log(x*0x1p54) - 54*math.Ln2
	}
	return math.Log(x)
}

func decimalLog(x float64) float64 {
	if x < 0x1p-1022 {
		return math.Log10(x*0x1p54) - 54*(math.Ln2/math.Ln10)
	}
	return math.Log10(x)
}

// logRow is log(x), to base 10, or log(base, x).
func logRow(a *expr.RowArgs, i int) (float64, bool, error) {
	if !a.Has(1) {
		v, err := logarithm(a.Float(0, i), decimalLog)
		return v, true, err
	}
	base, err := logarithm(a.Float(0, i), naturalLog)
	if err != nil {
		return 0, false, err
	}
	if base == 0 {
		return 0, false, value.DivisionByZero()
	}
	v, err := logarithm(a.Float(1, i), naturalLog)
	return v / base, true, err
}

func gcd(x, y int64) int64 {
	for y != 0 {
		if y == -1 { // the smallest integer has no remainder by -1 in int64
			return 1
		}
		x, y = y, x%y
	}
	if x < 0 {
		return -x
	}
	return x
}

// positive checks a result that has to be positive but wrapped.
func positive(name string, x, y, v int64) (int64, error) {
	if v < 0 {
		return 0, fault.New(fault.InvalidArgument, "integer overflow: %s(%d, %d) does not fit BIGINT", name, x, y)
	}
	return v, nil
}

func lcm(x, y int64) (int64, error) {
	if x == 0 || y == 0 {
		return 0, nil
	}
	v, ok := cast.Mul64(x/gcd(x, y), y)
	if v < 0 {
		v = -v
	}
	if !ok || v < 0 {
		return 0, fault.New(fault.InvalidArgument, "integer overflow: lcm(%d, %d) does not fit BIGINT", x, y)
	}
	return v, nil
}

func factorial(n int64) (int64, error) {
	if n < 0 || n > 20 {
		return 0, fault.New(fault.InvalidArgument, "factorial(%d): the argument must be between 0 and 20", n)
	}
	v := int64(1)
	for k := int64(2); k <= n; k++ {
		v *= k
	}
	return v, nil
}

// widthBucket is the number of the bucket, 1 to n, of n equal ones between two bounds; 0 and n+1 lie
// outside.
func widthBucket(a *expr.RowArgs, i int) (int64, bool, error) {
	x, lo, hi, n := a.Float(0, i), a.Float(1, i), a.Float(2, i), a.Int(3, i)
	switch {
	case n <= 0:
		return 0, false, fault.New(fault.InvalidArgument, "width_bucket needs at least one bucket, not %d", n)
	case x != x || lo-lo != 0 || hi-hi != 0:
		return 0, false, fault.New(fault.InvalidArgument, "width_bucket needs finite bounds and a number")
	case lo == hi:
		return 0, false, fault.New(fault.InvalidArgument, "the bounds of width_bucket are equal")
	}
	if lo > hi {
		x, lo, hi = -x, -lo, -hi
	}
	switch {
	case x < lo:
		return 0, true, nil
	case x >= hi:
		return n + 1, true, nil
	}
	return min(n, int64(float64(n)*((x-lo)/(hi-lo)))+1), true, nil
}

// ---- Functions that keep the type of a number -------------------------------------------------

func sameNumberType(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) { return a, a[0].Type(), nil }

func signType(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	if value.KindOf(a[0].Type()) == value.KindFloat {
		return a, a[0].Type(), nil
	}
	return a, value.TypeInt32, nil
}

// wholeType is the type of a number without its fraction.
func wholeType(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	if d, ok := a[0].Type().(*arrow.Decimal128Type); ok {
		// Rounding up may add a digit: 9.9 -> 10.
		return a, &arrow.Decimal128Type{Precision: min(38, max(1, d.Precision-d.Scale+1))}, nil
	}
	return a, a[0].Type(), nil
}

// placesType is wholeType, with as many digits behind the point as the second argument asks for.
func placesType(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	d, ok := a[0].Type().(*arrow.Decimal128Type)
	if !ok || len(a) == 1 {
		return wholeType(a)
	}
	scale := d.Scale
	if l, ok := a[1].(*expr.Literal); ok && l.Value != nil {
		scale = int32(max(0, min(int64(scale), l.Value.(int64))))
	}
	return a, &arrow.Decimal128Type{Precision: min(38, d.Precision-d.Scale+1+scale), Scale: scale}, nil
}

func absKernel(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	switch e.T.ID() {
	case arrow.INT8:
		return absInts[int8], nil
	case arrow.INT16:
		return absInts[int16], nil
	case arrow.INT32:
		return absInts[int32], nil
	case arrow.INT64:
		return absInts[int64], nil
	case arrow.FLOAT32:
		return value.MapFixed(func(x float32) float32 { return float32(math.Abs(float64(x))) }), nil
	case arrow.FLOAT64:
		return value.MapFixed(math.Abs), nil
	case arrow.DECIMAL128:
		return value.MapFixed(decimal128.Num.Abs), nil
	}
	return func(c *value.KernelCall) (arrow.Array, error) { return c.Spread(0) }, nil
}

func absInts[T value.Integer](c *value.KernelCall) (arrow.Array, error) {
	x := value.NumsOf[T](c.Args[0])
	buf, out := value.NewFixed[T](c.Mem(), c.N)
	for i := range out {
		v := x.At(i)
		if v < 0 {
			v = -v
		}
		out[i] = v
		if v < 0 && !c.Null(i) {
			buf.Release()
			return nil, fault.New(fault.InvalidArgument, "integer overflow: abs(%d) does not fit %s", v, value.TypeName(c.Type))
		}
	}
	return c.Finish(buf), nil
}

func signKernel(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	sign := func(x float64) float64 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return 0 // NaN too, as in PostgreSQL
	}
	switch t := e.Args[0].Type(); value.KindOf(t) {
	case value.KindFloat:
		if t.ID() == arrow.FLOAT32 {
			return value.MapFixed(func(x float32) float32 { return float32(sign(float64(x))) }), nil
		}
		return value.MapFixed(sign), nil
	case value.KindDecimal:
		return value.MapFixed(func(x decimal128.Num) int32 { return int32(x.Sign()) }), nil
	}
	return func(c *value.KernelCall) (arrow.Array, error) {
		x := cast.Int64s(c.Args[0])
		buf, out := value.NewFixed[int32](c.Mem(), c.N)
		for i := range out {
			v, ok := x(i)
			switch {
			case !ok || v > 0:
				out[i] = 1
			case v < 0:
				out[i] = -1
			default:
				out[i] = 0
			}
		}
		return c.Finish(buf), nil
	}, nil
}

type rounding uint8

const (
	roundHalf rounding = iota
	roundZero
	roundUp
	roundDown
)

// roundKernel rounds a number to places digits behind the point (0 if there is no second argument).
// DOUBLE rounds halves to even without places, as PostgreSQL does, and away from zero with places;
// decimals and integers round halves away from zero.
func roundKernel(how rounding) func(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	return func(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
		switch t := e.T; value.KindOf(t) {
		case value.KindFloat:
			if t.ID() == arrow.FLOAT32 {
				return roundFloats[float32](how), nil
			}
			return roundFloats[float64](how), nil
		case value.KindDecimal:
			return roundDecimals(how), nil
		}
		if len(e.Args) == 1 {
			return func(c *value.KernelCall) (arrow.Array, error) { return c.Spread(0) }, nil
		}
		return func(c *value.KernelCall) (arrow.Array, error) { return roundIntegers(c, how) }, nil
	}
}

func roundFloats[T float32 | float64](how rounding) func(*value.KernelCall) (arrow.Array, error) {
	return func(c *value.KernelCall) (arrow.Array, error) {
		x := value.NumsOf[T](c.Args[0])
		var places value.Nums[int64]
		if len(c.Args) > 1 {
			places = value.NumsOf[int64](c.Args[1])
		}
		buf, out := value.NewFixed[T](c.Mem(), c.N)
		for i := range out {
			v := float64(x.At(i))
			if len(c.Args) > 1 {
				out[i] = T(roundPlaces(v, places.At(i), how))
				continue
			}
			switch how {
			case roundHalf:
				v = math.RoundToEven(v)
			case roundZero:
				v = math.Trunc(v)
			case roundUp:
				v = math.Ceil(v)
			case roundDown:
				v = math.Floor(v)
			}
			out[i] = T(v)
		}
		return c.Finish(buf), nil
	}
}

func roundPlaces(v float64, places int64, how rounding) float64 {
	if v-v != 0 || places > 308 {
		return v
	}
	if places < -308 {
		return 0
	}
	p := math.Pow(10, math.Abs(float64(places)))
	scaled := v * p
	if places < 0 {
		scaled = v / p
	}
	if scaled-scaled != 0 {
		return v
	}
	if how == roundHalf {
		scaled = math.Round(scaled)
	} else {
		scaled = math.Trunc(scaled)
	}
	if places < 0 {
		return scaled * p
	}
	return scaled / p
}

func roundDecimals(how rounding) func(*value.KernelCall) (arrow.Array, error) {
	return func(c *value.KernelCall) (arrow.Array, error) {
		x := value.NumsOf[decimal128.Num](c.Args[0])
		from, to := c.Args[0].Arr.DataType().(*arrow.Decimal128Type), c.Type.(*arrow.Decimal128Type)
		var places value.Nums[int64]
		if len(c.Args) > 1 {
			places = value.NumsOf[int64](c.Args[1])
		}
		buf, out := value.NewFixed[decimal128.Num](c.Mem(), c.N)
		clear(out)
		for i := range out {
			if c.Null(i) {
				continue
			}
			digits := int32(0)
			if len(c.Args) > 1 {
				digits = int32(max(-40, min(int64(from.Scale), places.At(i))))
			}
			v, ok := roundDecimal(x.At(i), from.Scale, digits, how)
			if ok {
				v, ok = cast.Rescale(v, digits, to.Scale, to.Precision)
			}
			if !ok {
				buf.Release()
				return nil, value.OutOfRange(to)
			}
			out[i] = v
		}
		return c.Finish(buf), nil
	}
}

// roundDecimal moves a decimal from one scale to a smaller one.
func roundDecimal(n decimal128.Num, from, to int32, how rounding) (decimal128.Num, bool) {
	if how == roundHalf {
		return cast.Rescale(n, from, to, 38)
	}
	if to >= from {
		return n, true
	}
	if from-to > 38 {
		return decimal128.Num{}, true
	}
	b := n.BigInt()
	q, r := b.QuoRem(b, cast.TenTo[from-to], n.BigInt())
	switch {
	case how == roundUp && r.Sign() > 0:
		q.Add(q, cast.TenTo[0])
	case how == roundDown && r.Sign() < 0:
		q.Sub(q, cast.TenTo[0])
	}
	return cast.FromBig(q, 38)
}

func roundIntegers(c *value.KernelCall, how rounding) (arrow.Array, error) {
	dec, err := cast.Array(c.Mem(), c.Args[0].Arr, &arrow.Decimal128Type{Precision: 20}, false)
	if err != nil {
		return nil, err
	}
	defer dec.Release()
	inner := &value.KernelCall{
		Alloc: c.Alloc,
		Args:  []value.Vec{{Arr: dec, Scalar: c.Args[0].Scalar}, c.Args[1]},
		N:     c.N,
		Type:  &arrow.Decimal128Type{Precision: 38},
	}
	defer inner.Free()
	inner.CombineValidity()
	out, err := roundDecimals(how)(inner)
	if err != nil {
		return nil, err
	}
	defer out.Release()
	return cast.Array(c.Mem(), out, c.Type, false)
}
