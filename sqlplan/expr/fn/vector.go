package fn

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/value"
	"lanceflight/vecindex/distance"
)

// Distances between vectors, and what else there is about one vector. Vectors of 16 and 32 bits yield
// FLOAT, so that a value computed here is the one that an index search over the same rows computes;
// vectors of 64 bits yield DOUBLE.
//
// A distance that is not a finite number is NULL, because an index search never finds such a row: that of
// a vector with a NaN or an infinite element, of a zero vector under cosine, and one beyond what a FLOAT
// holds, as Lance's _distance is one. So is the distance of a vector with a NULL element.

// vectorFunc is one distance: over 32 bits from the kernels, over 64 bits from the three sums.
type vectorFunc struct {
	f32 func(a, b []float32) float32
	// f64 gets Σ(a-b)², Σab, Σa², Σb². lance is what a search has for the value, before it is a FLOAT.
	f64 func(l2, dot, aa, bb float64) (v, lance float64)
	// metric, if not nil, computes f32 for many rows against one vector; finish maps its result.
	metric *distance.Metric
	finish func(float32) float32
}

func metric(m distance.Metric) *distance.Metric { return &m }

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

var vectorFuncs = map[string]vectorFunc{
	"l2_distance": {
		f32:    func(a, b []float32) float32 { return sqrt32(distance.SquaredL2(a, b)) },
		f64:    func(l2, _, _, _ float64) (v, lance float64) { return math.Sqrt(l2), l2 },
		metric: metric(distance.L2), finish: sqrt32,
	},
	"cosine_distance": {
		f32: distance.CosineDistance,
		f64: func(_, dot, aa, bb float64) (v, lance float64) {
			d := distance.CosineOfSums(dot, aa, bb)
			return d, d
		},
		metric: metric(distance.Cosine), finish: func(x float32) float32 { return x },
	},
	"cosine_similarity": {
		f32: func(a, b []float32) float32 { return 1 - distance.CosineDistance(a, b) },
		f64: func(_, dot, aa, bb float64) (v, lance float64) {
			return dot / (math.Sqrt(aa) * math.Sqrt(bb)), distance.CosineOfSums(dot, aa, bb)
		},
		metric: metric(distance.Cosine), finish: func(x float32) float32 { return 1 - x },
	},
	"inner_product": {
		f32: distance.InnerProduct,
		f64: func(_, dot, _, _ float64) (v, lance float64) { return dot, dot },
	},
	"negative_inner_product": {
		f32: func(a, b []float32) float32 { return -distance.InnerProduct(a, b) },
		f64: func(_, dot, _, _ float64) (v, lance float64) { return -dot, dot },
	},
}

func init() {
	for name, aliases := range map[string][]string{
		"l2_distance":            {"array_distance", "list_distance", "euclidean_distance"},
		"cosine_distance":        {"array_cosine_distance", "list_cosine_distance"},
		"cosine_similarity":      {"array_cosine_similarity", "list_cosine_similarity"},
		"inner_product":          {"array_inner_product", "array_dot_product", "list_inner_product", "list_dot_product"},
		"negative_inner_product": {"array_negative_inner_product", "array_negative_dot_product", "list_negative_inner_product"},
	} {
		vf := vectorFuncs[name]
		expr.Register(&expr.Function{
			Name: name, Aliases: aliases, Category: "vector", Volatility: expr.Immutable, Cost: expr.CostHeavy,
			Fails: expr.FailsNever, Args: []expr.ArgClass{expr.VectorsArg, expr.VectorsArg, expr.TextArg}, Required: 2,
			Result: vectorPair, Lazy: true,
			Kernel: func(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
				if expr.ListOfLists(e.Args[0]) || expr.ListOfLists(e.Args[1]) {
					return func(c *value.KernelCall) (arrow.Array, error) { return runMulti(c, name) }, nil
				}
				return func(c *value.KernelCall) (arrow.Array, error) { return vf.run(c) }, nil
			},
		})
	}
	expr.Register(
		&expr.Function{
			Name:       "l2_norm",
			Aliases:    []string{"vector_norm"},
			Category:   "vector",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.VectorArg},
			Result:     oneVector(nil),
			Kernel:     expr.PlainKernel(vectorNorm),
		},
		&expr.Function{
			Name:       "vector_dims",
			Category:   "vector",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.VectorArg},
			Result:     oneVector(value.TypeInt32),
			Kernel:     expr.PlainKernel(vectorDims),
		},
	)
}

// vectorPair makes the two vectors of a distance agree in type. A third argument, a string of search
// options, is for the planner.
func vectorPair(args []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	if conv, t, ok, err := multivectorPair(args); ok {
		return conv, t, err
	}
	x, y := args[0], args[1]
	// The side that is no constant decides the element type and the dimension.
	from := x
	if !typedVector(x) && typedVector(y) {
		from = y
	}
	dim, wide := 0, false
	var elem arrow.DataType = value.TypeFloat32
	if typedVector(from) {
		t := value.PlainType(from.Type())
		elem = value.PlainType(value.ElemOf(t))
		dim, _ = value.IsVector(t)
		other := y
		if from == y {
			other = x
		}
		if typedVector(other) {
			ot := value.PlainType(other.Type())
			wide = value.PlainType(value.ElemOf(ot)).ID() == arrow.FLOAT64
			if d, ok := value.IsVector(ot); ok && dim > 0 && d != dim {
				return nil, nil, fault.New(
					fault.InvalidArgument,
					"%s has %d dimensions, but %s has %d",
					expr.ShortText(from),
					dim,
					expr.ShortText(other),
					d,
				)
			} else if dim == 0 {
				dim = d
			}
		}
	} else {
		// Two constants: the first that shows how many numbers it has.
		for _, a := range []expr.Expr{x, y} {
			if l, ok := a.(*expr.Literal); ok && l.Value != nil && dim == 0 {
				v, err := expr.CastLiteral(*l, arrow.ListOf(value.TypeFloat32))
				if err != nil {
					return nil, nil, err
				}
				dim = len(v.Value.([]any))
			}
			if d, ok := value.IsVector(value.PlainType(a.Type())); ok && dim == 0 {
				dim = d
			}
		}
	}
	wide = wide || elem.ID() == arrow.FLOAT64
	var out arrow.DataType = value.TypeFloat32
	if wide {
		out = value.TypeFloat64
	}
	conv := make([]expr.Expr, len(args))
	copy(conv, args)
	for i, a := range []expr.Expr{x, y} {
		var want arrow.DataType = value.TypeFloat32
		switch t := value.PlainType(a.Type()); {
		case wide:
			want = value.TypeFloat64
		case typedVector(a) && value.PlainType(value.ElemOf(t)).ID() == arrow.FLOAT16 && t.ID() == arrow.FIXED_SIZE_LIST:
			// Half-precision columns are read as they are.
			conv[i] = expr.ImplicitCast(a, t)
			continue
		}
		var t arrow.DataType = arrow.ListOf(want)
		if dim > 0 {
			t = arrow.FixedSizeListOf(int32(dim), want)
		}
		if f, ok := value.PlainType(a.Type()).(*arrow.FixedSizeListType); ok && int(f.Len()) == dim &&
			value.PlainType(f.Elem()).ID() == want.ID() {
			t = f // names and metadata of the items do not matter
		}
		if l, ok := a.(*expr.Literal); ok {
			c, err := expr.CastLiteral(*l, t)
			if err != nil {
				return nil, nil, err
			}
			conv[i] = &c
			continue
		}
		if dim == 0 && expr.Undecided(x) && expr.Undecided(y) {
			return nil, nil, fault.New(fault.InvalidArgument, "the dimension of the vectors is not known here; CAST(? AS FLOAT[768]) gives it")
		}
		conv[i] = expr.ImplicitCast(a, t)
	}
	return conv, out, nil
}

// typedVector says whether x is a vector by its type alone: not a constant, not a parameter.
func typedVector(x expr.Expr) bool {
	if _, ok := x.(*expr.Literal); ok {
		return false
	}
	return value.KindOf(value.PlainType(x.Type())) == value.KindList
}

// oneVector is the result of a function of one vector; out nil: as for distances.
func oneVector(out arrow.DataType) func([]expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	return func(args []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
		x := args[0]
		if l, ok := x.(*expr.Literal); ok {
			c, err := expr.CastLiteral(*l, arrow.ListOf(value.TypeFloat32))
			if err != nil {
				return nil, nil, err
			}
			x = &c
		}
		if expr.Undecided(x) {
			var err error
			if x, err = expr.GuessType(x, arrow.ListOf(value.TypeFloat32)); err != nil {
				return nil, nil, err
			}
		}
		elem := value.PlainType(value.ElemOf(value.PlainType(x.Type())))
		if value.KindOf(elem) != value.KindFloat || elem.ID() == arrow.FLOAT16 {
			elem = value.TypeFloat32
			x = expr.ImplicitCast(x, arrow.ListOf(elem))
		}
		if out != nil {
			return []expr.Expr{x}, out, nil
		}
		return []expr.Expr{x}, elem, nil
	}
}

// vectorRows reads the vectors of an argument.
type vectorRows struct {
	v    value.Vec
	list array.ListLike
	f32  []float32
	f16  []float16.Num
	f64  []float64
	// nulls: some elements are NULL.
	nulls bool
}

func vectorsOf(v value.Vec) vectorRows {
	r := vectorRows{v: v, list: v.Arr.(array.ListLike)}
	items := r.list.ListValues()
	switch items.DataType().ID() {
	case arrow.FLOAT16:
		r.f16 = value.FixedOf[float16.Num](items)
	case arrow.FLOAT32:
		r.f32 = value.FixedOf[float32](items)
	default:
		r.f64 = value.FixedOf[float64](items)
	}
	r.nulls = items.NullN() > 0
	return r
}

// span is where row i of the call lies among the items; ok false if one of them is NULL.
func (r *vectorRows) span(i int) (start, end int, ok bool) {
	switch {
	case r.v.Scalar:
		i = 0
	case r.v.Lazy:
		i = int(r.v.Sel[i])
	}
	s, e := r.list.ValueOffsets(i)
	start, end = int(s), int(e)
	return start, end, !r.nulls || value.NoNulls(r.list.ListValues(), start, end)
}

// row32 is a vector of 16 or 32 bits as 32 bits; buf is used for widening.
func (r *vectorRows) row32(start, end int, buf *[]float32) []float32 {
	if r.f16 == nil {
		return r.f32[start:end]
	}
	if cap(*buf) < end-start {
		*buf = make([]float32, end-start)
	}
	out := (*buf)[:end-start]
	distance.WidenHalves(out, r.f16[start:end])
	return out
}

func (vf vectorFunc) run(c *value.KernelCall) (arrow.Array, error) {
	x, y := vectorsOf(c.Args[0]), vectorsOf(c.Args[1])
	if c.Type.ID() == arrow.FLOAT64 {
		return vf.run64(c, x, y)
	}
	buf, out := value.NewFixed[float32](c.Mem(), c.N)
	if vf.metric != nil && (x.v.Scalar != y.v.Scalar) {
		one, many := x, y
		if y.v.Scalar {
			one, many = y, x
		}
		done, err := vf.against(c, one, many, out)
		if err != nil {
			buf.Release()
			return nil, err
		}
		if done {
			return c.Finish(buf), nil
		}
	}
	var bufX, bufY []float32
	for i := range out {
		out[i] = 0
		if c.Null(i) {
			continue
		}
		xs, xe, okX := x.span(i)
		ys, ye, okY := y.span(i)
		if xe-xs != ye-ys {
			buf.Release()
			return nil, differentDims(xe-xs, ye-ys)
		}
		if !okX || !okY {
			c.SetNull(i)
			continue
		}
		setDistance(c, out, i, vf.f32(x.row32(xs, xe, &bufX), y.row32(ys, ye, &bufY)))
	}
	return c.Finish(buf), nil
}

// setDistance makes d the distance of row i; one that is not a finite number is NULL.
func setDistance(c *value.KernelCall, out []float32, i int, d float32) {
	if d-d != 0 {
		c.SetNull(i)
		d = 0
	}
	out[i] = d
}

func differentDims(a, b int) error {
	return fault.New(fault.InvalidArgument, "the vectors have %d and %d dimensions; both need the same number", a, b)
}

// against computes the distances of many rows to one vector with the kernels for that. done false: the
// general loop has to do it.
func (vf vectorFunc) against(c *value.KernelCall, one, many vectorRows, out []float32) (done bool, err error) {
	fixedList, ok := many.list.(*array.FixedSizeList)
	start, end, valid := one.span(0)
	if !ok || !valid || end == start {
		return false, nil
	}
	dim := int(fixedList.DataType().(*arrow.FixedSizeListType).Len())
	if dim != end-start {
		return false, differentDims(dim, end-start)
	}
	var widened []float32
	q, err := distance.NewQuery(*vf.metric, one.row32(start, end, &widened))
	if err != nil {
		return false, err
	}
	first := fixedList.Data().Offset() * dim
	rows := func(dst []float32, row int) {
		if many.f16 != nil {
			q.Float16(dst, many.f16[first+row*dim:], dim)
		} else {
			q.Float32(dst, many.f32[first+row*dim:], dim)
		}
	}
	if !many.v.Lazy {
		rows(out, 0)
	} else {
		// Runs of neighbouring rows go through the kernel together.
		sel := many.v.Sel
		for i := 0; i < len(out); {
			j := i + 1
			for j < len(out) && sel[j] == sel[j-1]+1 {
				j++
			}
			rows(out[i:j], int(sel[i]))
			i = j
		}
	}
	for i, d := range out {
		if d = vf.finish(d); d-d == 0 {
			out[i] = d
		} else {
			setDistance(c, out, i, d)
		}
	}
	if many.nulls {
		for i := range out {
			if _, _, ok := many.span(i); !ok && !c.Null(i) {
				c.SetNull(i)
			}
		}
	}
	return true, nil
}

func (vf vectorFunc) run64(c *value.KernelCall, x, y vectorRows) (arrow.Array, error) {
	buf, out := value.NewFixed[float64](c.Mem(), c.N)
	for i := range out {
		out[i] = 0
		if c.Null(i) {
			continue
		}
		xs, xe, okX := x.span(i)
		ys, ye, okY := y.span(i)
		if xe-xs != ye-ys {
			buf.Release()
			return nil, differentDims(xe-xs, ye-ys)
		}
		if !okX || !okY {
			c.SetNull(i)
			continue
		}
		a, b := x.f64[xs:xe], y.f64[ys:ye]
		var l2, dot, aa, bb float64
		for k, p := range a {
			q := b[k]
			l2 += (p - q) * (p - q)
			dot += p * q
			aa += p * p
			bb += q * q
		}
		v, lance := vf.f64(l2, dot, aa, bb)
		if narrow := float32(lance); narrow-narrow != 0 {
			c.SetNull(i)
			continue
		}
		out[i] = v
	}
	return c.Finish(buf), nil
}

// vectorNorm is the Euclidean length.
func vectorNorm(c *value.KernelCall) (arrow.Array, error) {
	x := vectorsOf(c.Args[0])
	norm := func(i int) (float64, bool) {
		s, e, ok := x.span(i)
		if !ok {
			return 0, false
		}
		if x.f64 != nil {
			sum := 0.0
			for _, v := range x.f64[s:e] {
				sum += v * v
			}
			return math.Sqrt(sum), true
		}
		v := x.f32[s:e]
		if len(v) == 0 {
			return 0, true
		}
		return math.Sqrt(float64(distance.InnerProduct(v, v))), true
	}
	if c.Type.ID() == arrow.FLOAT64 {
		buf, out := value.NewFixed[float64](c.Mem(), c.N)
		for i := range out {
			if out[i] = 0; !c.Null(i) {
				v, ok := norm(i)
				if out[i] = v; !ok {
					c.SetNull(i)
				}
			}
		}
		return c.Finish(buf), nil
	}
	buf, out := value.NewFixed[float32](c.Mem(), c.N)
	for i := range out {
		if out[i] = 0; !c.Null(i) {
			v, ok := norm(i)
			if out[i] = float32(v); !ok {
				c.SetNull(i)
			}
		}
	}
	return c.Finish(buf), nil
}

func vectorDims(c *value.KernelCall) (arrow.Array, error) {
	x := vectorsOf(c.Args[0])
	buf, out := value.NewFixed[int32](c.Mem(), c.N)
	for i := range out {
		if out[i] = 0; !c.Null(i) {
			s, e, _ := x.span(i)
			out[i] = int32(e - s)
		}
	}
	return c.Finish(buf), nil
}
