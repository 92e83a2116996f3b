package expr

import (
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"lanceflight/internal/fault"
)

func init() {
	float1 := func(name string, fn func(float64) float64, aliases ...string) *function {
		return &function{name: name, aliases: aliases, category: "numeric", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{floatArg}, out: tFloat64,
			kernel: plainKernel(mapFixed(fn))}
	}
	checked := func(name string, fn func(float64) (float64, error), aliases ...string) *function {
		return &function{name: name, aliases: aliases, category: "numeric", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{floatArg}, out: tFloat64,
			kernel: plainKernel(mapFixedErr(fn))}
	}
	float2 := func(name string, fails Failure, fn func(x, y float64) (float64, error), aliases ...string) *function {
		return &function{name: name, aliases: aliases, category: "numeric", volatility: Immutable, cost: CostScan, fails: fails, args: []argClass{floatArg, floatArg}, out: tFloat64,
			kernel: plainKernel(mapFixed2Err(fn))}
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
	int2 := func(name string, fn func(x, y int64) (int64, error), aliases ...string) *function {
		return &function{name: name, aliases: aliases, category: "numeric", volatility: Immutable, cost: CostScan, fails: FailsOnRange, args: []argClass{intArg, intArg}, out: tInt64,
			kernel: plainKernel(mapFixed2Err(fn))}
	}
	operator := func(op string) func([]Expr) (Expr, error) {
		return func(a []Expr) (Expr, error) { return NewArith(op, a[0], a[1]) }
	}
	test := func(name string, fn func(float64) bool) *function {
		return &function{name: name, category: "numeric", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{floatArg}, out: tBool,
			kernel: boolOut(func(a *rowArgs, i int) (bool, error) { return fn(a.float(0, i)), nil })}
	}
	register(
		&function{name: "abs", category: "numeric", volatility: Immutable, cost: CostScan, fails: FailsOnRange, args: []argClass{numberArg}, result: sameNumberType, kernel: absKernel},
		&function{name: "sign", category: "numeric", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{numberArg}, result: signType, kernel: signKernel},
		&function{name: "ceil", aliases: []string{"ceiling"}, category: "numeric", volatility: Immutable, cost: CostScan, fails: FailsOnRange, args: []argClass{numberArg}, result: wholeType, kernel: roundKernel(roundUp)},
		&function{name: "floor", category: "numeric", volatility: Immutable, cost: CostScan, fails: FailsOnRange, args: []argClass{numberArg}, result: wholeType, kernel: roundKernel(roundDown)},
		&function{name: "round", category: "numeric", volatility: Immutable, cost: CostScan, fails: FailsOnRange, args: []argClass{numberArg, intArg}, required: 1, result: placesType, kernel: roundKernel(roundHalf)},
		&function{name: "trunc", aliases: []string{"truncate"}, category: "numeric", volatility: Immutable, cost: CostScan, fails: FailsOnRange, args: []argClass{numberArg, intArg}, required: 1, result: placesType, kernel: roundKernel(roundZero)},
		checked("sqrt", func(x float64) (float64, error) {
			if x < 0 {
				return 0, fault.New(fault.InvalidArgument, "the square root of a negative number, %v", x)
			}
			return math.Sqrt(x), nil
		}),
		float1("cbrt", math.Cbrt), float1("exp", math.Exp),
		checked("ln", func(x float64) (float64, error) { return logarithm(x, math.Log) }),
		checked("log10", func(x float64) (float64, error) { return logarithm(x, math.Log10) }),
		checked("log2", func(x float64) (float64, error) { return logarithm(x, math.Log2) }),
		&function{name: "log", category: "numeric", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{floatArg, floatArg}, required: 1, out: tFloat64, kernel: fixedOut(logRow)},
		float2("power", FailsOnValue, power, "pow"),
		&function{name: "mod", category: "numeric", volatility: Immutable, args: []argClass{numberArg, numberArg}, rewrite: operator("%")},
		&function{name: "div", category: "numeric", volatility: Immutable, args: []argClass{numberArg, numberArg}, rewrite: func(a []Expr) (Expr, error) {
			q, err := NewArith("/", a[0], a[1])
			if err != nil || kindOf(q.Type()).integer() {
				return q, err
			}
			return NewCall("trunc", []Expr{q})
		}},
		float1("degrees", func(x float64) float64 { return x * (180 / math.Pi) }), float1("radians", func(x float64) float64 { return x * (math.Pi / 180) }),
		checked("sin", finite(math.Sin)), checked("cos", finite(math.Cos)), checked("tan", finite(math.Tan)),
		checked("cot", finite(func(x float64) float64 { return 1 / math.Tan(x) })),
		checked("asin", within1("asin", math.Asin)), checked("acos", within1("acos", math.Acos)), float1("atan", math.Atan),
		float2("atan2", FailsNever, func(y, x float64) (float64, error) { return math.Atan2(y, x), nil }),
		float1("sinh", math.Sinh), float1("cosh", math.Cosh), float1("tanh", math.Tanh), float1("asinh", math.Asinh),
		checked("acosh", func(x float64) (float64, error) {
			if x < 1 {
				return 0, fault.New(fault.InvalidArgument, "acosh of %v: the argument must be at least 1", x)
			}
			return math.Acosh(x), nil
		}),
		checked("atanh", within1("atanh", math.Atanh)),
		&function{name: "pi", category: "numeric", volatility: Immutable, rewrite: func([]Expr) (Expr, error) { return NewLiteral(math.Pi, tFloat64), nil }},
		int2("gcd", func(x, y int64) (int64, error) { return positive("gcd", x, y, gcd(x, y)) }, "greatest_common_divisor"),
		int2("lcm", lcm, "least_common_multiple"),
		&function{name: "factorial", category: "numeric", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{intArg}, out: tInt64, kernel: plainKernel(mapFixedErr(factorial))},
		&function{name: "bit_count", category: "numeric", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{intArg}, out: tInt64,
			kernel: plainKernel(mapFixed(func(x int64) int64 { return int64(bits.OnesCount64(uint64(x))) }))},
		test("isnan", func(x float64) bool { return x != x }),
		test("isinf", func(x float64) bool { return math.IsInf(x, 0) }),
		test("isfinite", func(x float64) bool { return x-x == 0 }),
		&function{name: "width_bucket", category: "numeric", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{floatArg, floatArg, floatArg, intArg}, out: tInt64, kernel: fixedOut(widthBucket)},
	)
}

func logarithm(x float64, fn func(float64) float64) (float64, error) {
	if x <= 0 {
		return 0, fault.New(fault.InvalidArgument, "the logarithm of %v: the argument must be above 0", x)
	}
	return fn(x), nil
}

// logRow is log(x), to base 10, or log(base, x).
func logRow(a *rowArgs, i int) (float64, bool, error) {
	if !a.has(1) {
		v, err := logarithm(a.float(0, i), math.Log10)
		return v, true, err
	}
	base, err := logarithm(a.float(0, i), math.Log)
	if err != nil {
		return 0, false, err
	}
	if base == 0 {
		return 0, false, divisionByZero()
	}
	v, err := logarithm(a.float(1, i), math.Log)
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
	v, ok := mul64(x/gcd(x, y), y)
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
func widthBucket(a *rowArgs, i int) (int64, bool, error) {
	x, lo, hi, n := a.float(0, i), a.float(1, i), a.float(2, i), a.int(3, i)
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

func sameNumberType(a []Expr) ([]Expr, arrow.DataType, error) { return a, a[0].Type(), nil }

func signType(a []Expr) ([]Expr, arrow.DataType, error) {
	if kindOf(a[0].Type()) == kFloat {
		return a, a[0].Type(), nil
	}
	return a, tInt32, nil
}

// wholeType is the type of a number without its fraction.
func wholeType(a []Expr) ([]Expr, arrow.DataType, error) {
	if d, ok := a[0].Type().(*arrow.Decimal128Type); ok {
		// Rounding up may add a digit: 9.9 -> 10.
		return a, &arrow.Decimal128Type{Precision: min(38, max(1, d.Precision-d.Scale+1))}, nil
	}
	return a, a[0].Type(), nil
}

// placesType is wholeType, with as many digits behind the point as the second argument asks for.
func placesType(a []Expr) ([]Expr, arrow.DataType, error) {
	d, ok := a[0].Type().(*arrow.Decimal128Type)
	if !ok || len(a) == 1 {
		return wholeType(a)
	}
	scale := d.Scale
	if l, ok := a[1].(*Literal); ok && l.Value != nil {
		scale = int32(max(0, min(int64(scale), l.Value.(int64))))
	}
	return a, &arrow.Decimal128Type{Precision: min(38, d.Precision-d.Scale+1+scale), Scale: scale}, nil
}

func absKernel(e *Call) (func(*call) (arrow.Array, error), error) {
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
		return mapFixed(func(x float32) float32 { return float32(math.Abs(float64(x))) }), nil
	case arrow.FLOAT64:
		return mapFixed(math.Abs), nil
	case arrow.DECIMAL128:
		return mapFixed(decimal128.Num.Abs), nil
	}
	return func(c *call) (arrow.Array, error) { return c.spread(0) }, nil
}

func absInts[T integer](c *call) (arrow.Array, error) {
	x := numsOf[T](c.args[0])
	buf, out := newFixed[T](c.mem(), c.n)
	for i := range out {
		v := x.at(i)
		if v < 0 {
			v = -v
		}
		out[i] = v
		if v < 0 && !c.null(i) {
			buf.Release()
			return nil, fault.New(fault.InvalidArgument, "integer overflow: abs(%d) does not fit %s", v, TypeName(c.t))
		}
	}
	return c.finish(buf), nil
}

func signKernel(e *Call) (func(*call) (arrow.Array, error), error) {
	sign := func(x float64) float64 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return 0 // NaN too, as in PostgreSQL
	}
	switch t := e.Args[0].Type(); kindOf(t) {
	case kFloat:
		if t.ID() == arrow.FLOAT32 {
			return mapFixed(func(x float32) float32 { return float32(sign(float64(x))) }), nil
		}
		return mapFixed(sign), nil
	case kDecimal:
		return mapFixed(func(x decimal128.Num) int32 { return int32(x.Sign()) }), nil
	}
	return func(c *call) (arrow.Array, error) {
		x := int64s(c.args[0])
		buf, out := newFixed[int32](c.mem(), c.n)
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
		return c.finish(buf), nil
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
func roundKernel(how rounding) func(e *Call) (func(*call) (arrow.Array, error), error) {
	return func(e *Call) (func(*call) (arrow.Array, error), error) {
		switch t := e.T; kindOf(t) {
		case kFloat:
			if t.ID() == arrow.FLOAT32 {
				return roundFloats[float32](how), nil
			}
			return roundFloats[float64](how), nil
		case kDecimal:
			return roundDecimals(how), nil
		}
		if len(e.Args) == 1 {
			return func(c *call) (arrow.Array, error) { return c.spread(0) }, nil
		}
		return func(c *call) (arrow.Array, error) { return roundIntegers(c, how) }, nil
	}
}

func roundFloats[T float32 | float64](how rounding) func(*call) (arrow.Array, error) {
	return func(c *call) (arrow.Array, error) {
		x := numsOf[T](c.args[0])
		var places nums[int64]
		if len(c.args) > 1 {
			places = numsOf[int64](c.args[1])
		}
		buf, out := newFixed[T](c.mem(), c.n)
		for i := range out {
			v := float64(x.at(i))
			if len(c.args) > 1 {
				out[i] = T(roundPlaces(v, places.at(i), how))
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
		return c.finish(buf), nil
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

func roundDecimals(how rounding) func(*call) (arrow.Array, error) {
	return func(c *call) (arrow.Array, error) {
		x := numsOf[decimal128.Num](c.args[0])
		from, to := c.args[0].arr.DataType().(*arrow.Decimal128Type), c.t.(*arrow.Decimal128Type)
		var places nums[int64]
		if len(c.args) > 1 {
			places = numsOf[int64](c.args[1])
		}
		buf, out := newFixed[decimal128.Num](c.mem(), c.n)
		clear(out)
		for i := range out {
			if c.null(i) {
				continue
			}
			digits := int32(0)
			if len(c.args) > 1 {
				digits = int32(max(-40, min(int64(from.Scale), places.at(i))))
			}
			v, ok := roundDecimal(x.at(i), from.Scale, digits, how)
			if ok {
				v, ok = rescale(v, digits, to.Scale, to.Precision)
			}
			if !ok {
				buf.Release()
				return nil, outOfRange(to)
			}
			out[i] = v
		}
		return c.finish(buf), nil
	}
}

// roundDecimal moves a decimal from one scale to a smaller one.
func roundDecimal(n decimal128.Num, from, to int32, how rounding) (decimal128.Num, bool) {
	if how == roundHalf {
		return rescale(n, from, to, 38)
	}
	if to >= from {
		return n, true
	}
	if from-to > 38 {
		return decimal128.Num{}, true
	}
	b := n.BigInt()
	q, r := b.QuoRem(b, tenTo[from-to], n.BigInt())
	switch {
	case how == roundUp && r.Sign() > 0:
		q.Add(q, tenTo[0])
	case how == roundDown && r.Sign() < 0:
		q.Sub(q, tenTo[0])
	}
	return fromBig(q, 38)
}

func roundIntegers(c *call, how rounding) (arrow.Array, error) {
	dec, err := castArray(c.mem(), c.args[0].arr, &arrow.Decimal128Type{Precision: 20}, false)
	if err != nil {
		return nil, err
	}
	defer dec.Release()
	inner := &call{alloc: c.alloc, args: []vec{{arr: dec, scalar: c.args[0].scalar}, c.args[1]}, n: c.n, t: &arrow.Decimal128Type{Precision: 38}}
	defer inner.free()
	inner.combineValidity()
	out, err := roundDecimals(how)(inner)
	if err != nil {
		return nil, err
	}
	defer out.Release()
	return castArray(c.mem(), out, c.t, false)
}
