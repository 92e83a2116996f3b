package expr

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"

	"lanceflight/internal/fault"
	"lanceflight/vecindex/distance"
)

// Distances between vectors, and what else there is about one vector. Vectors of 16 and 32 bits yield
// FLOAT, so that a value computed here is the one that an index search over the same rows computes;
// vectors of 64 bits yield DOUBLE. A vector with a NULL element has no distance: NULL.

// vectorFunc is one distance: over 32 bits from the kernels, over 64 bits from the three sums.
type vectorFunc struct {
	f32 func(a, b []float32) float32
	// f64 gets Σ(a-b)², Σab, Σa², Σb².
	f64 func(l2, dot, aa, bb float64) float64
	// metric, if not nil, computes f32 for many rows against one vector; finish maps its result.
	metric *distance.Metric
	finish func(float32) float32
}

func metric(m distance.Metric) *distance.Metric { return &m }

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

var vectorFuncs = map[string]vectorFunc{
	"l2_distance": {
		f32:    func(a, b []float32) float32 { return sqrt32(distance.SquaredL2(a, b)) },
		f64:    func(l2, _, _, _ float64) float64 { return math.Sqrt(l2) },
		metric: metric(distance.L2), finish: sqrt32,
	},
	"cosine_distance": {
		f32:    distance.CosineDistance,
		f64:    func(_, dot, aa, bb float64) float64 { return 1 - dot/(math.Sqrt(aa)*math.Sqrt(bb)) },
		metric: metric(distance.Cosine), finish: func(x float32) float32 { return x },
	},
	"cosine_similarity": {
		f32:    func(a, b []float32) float32 { return 1 - distance.CosineDistance(a, b) },
		f64:    func(_, dot, aa, bb float64) float64 { return dot / (math.Sqrt(aa) * math.Sqrt(bb)) },
		metric: metric(distance.Cosine), finish: func(x float32) float32 { return 1 - x },
	},
	"inner_product": {
		f32: distance.InnerProduct,
		f64: func(_, dot, _, _ float64) float64 { return dot },
	},
	"negative_inner_product": {
		f32: func(a, b []float32) float32 { return -distance.InnerProduct(a, b) },
		f64: func(_, dot, _, _ float64) float64 { return -dot },
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
		register(&function{
			name: name, aliases: aliases, category: "vector", volatility: Immutable, cost: CostHeavy, fails: FailsNever, args: []argClass{vectorsArg, vectorsArg, textArg}, required: 2,
			result: vectorPair, lazy: true,
			kernel: func(e *Call) (func(*call) (arrow.Array, error), error) {
				if listOfLists(e.Args[0]) || listOfLists(e.Args[1]) {
					return func(c *call) (arrow.Array, error) { return runMulti(c, name) }, nil
				}
				return func(c *call) (arrow.Array, error) { return vf.run(c) }, nil
			},
		})
	}
	register(
		&function{name: "l2_norm", aliases: []string{"vector_norm"}, category: "vector", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{vectorArg}, result: oneVector(nil),
			kernel: plainKernel(vectorNorm)},
		&function{name: "vector_dims", category: "vector", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{vectorArg}, result: oneVector(tInt32),
			kernel: plainKernel(vectorDims)},
	)
}

// vectorPair makes the two vectors of a distance agree in type. A third argument, a string of search
// options, is for the planner.
func vectorPair(args []Expr) ([]Expr, arrow.DataType, error) {
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
	var elem arrow.DataType = tFloat32
	if typedVector(from) {
		t := plain(from.Type())
		elem = plain(elemOf(t))
		dim, _ = isVector(t)
		other := y
		if from == y {
			other = x
		}
		if typedVector(other) {
			ot := plain(other.Type())
			wide = plain(elemOf(ot)).ID() == arrow.FLOAT64
			if d, ok := isVector(ot); ok && dim > 0 && d != dim {
				return nil, nil, fault.New(fault.InvalidArgument, "%s has %d dimensions, but %s has %d", shortText(from), dim, shortText(other), d)
			} else if dim == 0 {
				dim = d
			}
		}
	} else {
		// Two constants: the first that shows how many numbers it has.
		for _, a := range []Expr{x, y} {
			if l, ok := a.(*Literal); ok && l.Value != nil && dim == 0 {
				v, err := CastLiteral(*l, arrow.ListOf(tFloat32))
				if err != nil {
					return nil, nil, err
				}
				dim = len(v.Value.([]any))
			}
			if d, ok := isVector(plain(a.Type())); ok && dim == 0 {
				dim = d
			}
		}
	}
	wide = wide || elem.ID() == arrow.FLOAT64
	out := arrow.DataType(tFloat32)
	if wide {
		out = tFloat64
	}
	conv := make([]Expr, len(args))
	copy(conv, args)
	for i, a := range []Expr{x, y} {
		want := arrow.DataType(tFloat32)
		switch t := plain(a.Type()); {
		case wide:
			want = tFloat64
		case typedVector(a) && plain(elemOf(t)).ID() == arrow.FLOAT16 && t.ID() == arrow.FIXED_SIZE_LIST:
			// Half-precision columns are read as they are.
			conv[i] = implicitCast(a, t)
			continue
		}
		var t arrow.DataType = arrow.ListOf(want)
		if dim > 0 {
			t = arrow.FixedSizeListOf(int32(dim), want)
		}
		if f, ok := plain(a.Type()).(*arrow.FixedSizeListType); ok && int(f.Len()) == dim && plain(f.Elem()).ID() == want.ID() {
			t = f // names and metadata of the items do not matter
		}
		if l, ok := a.(*Literal); ok {
			c, err := CastLiteral(*l, t)
			if err != nil {
				return nil, nil, err
			}
			conv[i] = &c
			continue
		}
		if dim == 0 && undecided(x) && undecided(y) {
			return nil, nil, fault.New(fault.InvalidArgument, "the dimension of the vectors is not known here; CAST(? AS FLOAT[768]) gives it")
		}
		conv[i] = implicitCast(a, t)
	}
	return conv, out, nil
}

// typedVector says whether x is a vector by its type alone: not a constant, not a parameter.
func typedVector(x Expr) bool {
	if _, ok := x.(*Literal); ok {
		return false
	}
	return kindOf(plain(x.Type())) == kList
}

// oneVector is the result of a function of one vector; out nil: as for distances.
func oneVector(out arrow.DataType) func([]Expr) ([]Expr, arrow.DataType, error) {
	return func(args []Expr) ([]Expr, arrow.DataType, error) {
		x := args[0]
		if l, ok := x.(*Literal); ok {
			c, err := CastLiteral(*l, arrow.ListOf(tFloat32))
			if err != nil {
				return nil, nil, err
			}
			x = &c
		}
		if undecided(x) {
			x = WithParamType(x, arrow.ListOf(tFloat32))
		}
		elem := plain(elemOf(plain(x.Type())))
		if kindOf(elem) != kFloat || elem.ID() == arrow.FLOAT16 {
			elem = tFloat32
			x = implicitCast(x, arrow.ListOf(elem))
		}
		if out != nil {
			return []Expr{x}, out, nil
		}
		return []Expr{x}, elem, nil
	}
}

// vectorRows reads the vectors of an argument.
type vectorRows struct {
	v    vec
	list array.ListLike
	f32  []float32
	f16  []float16.Num
	f64  []float64
	// nulls: some elements are NULL.
	nulls bool
}

func vectorsOf(v vec) vectorRows {
	r := vectorRows{v: v, list: v.arr.(array.ListLike)}
	items := r.list.ListValues()
	switch items.DataType().ID() {
	case arrow.FLOAT16:
		r.f16 = fixedOf[float16.Num](items)
	case arrow.FLOAT32:
		r.f32 = fixedOf[float32](items)
	default:
		r.f64 = fixedOf[float64](items)
	}
	r.nulls = items.NullN() > 0
	return r
}

// span is where row i of the call lies among the items; ok false if one of them is NULL.
func (r *vectorRows) span(i int) (start, end int, ok bool) {
	switch {
	case r.v.scalar:
		i = 0
	case r.v.lazy:
		i = int(r.v.sel[i])
	}
	s, e := r.list.ValueOffsets(i)
	start, end = int(s), int(e)
	return start, end, !r.nulls || noNulls(r.list.ListValues(), start, end)
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

func (vf vectorFunc) run(c *call) (arrow.Array, error) {
	x, y := vectorsOf(c.args[0]), vectorsOf(c.args[1])
	if c.t.ID() == arrow.FLOAT64 {
		return vf.run64(c, x, y)
	}
	buf, out := newFixed[float32](c.mem(), c.n)
	if vf.metric != nil && (x.v.scalar != y.v.scalar) {
		one, many := x, y
		if y.v.scalar {
			one, many = y, x
		}
		done, err := vf.against(c, one, many, out)
		if err != nil {
			buf.Release()
			return nil, err
		}
		if done {
			return c.finish(buf), nil
		}
	}
	var bufX, bufY []float32
	for i := range out {
		out[i] = 0
		if c.null(i) {
			continue
		}
		xs, xe, okX := x.span(i)
		ys, ye, okY := y.span(i)
		if xe-xs != ye-ys {
			buf.Release()
			return nil, differentDims(xe-xs, ye-ys)
		}
		if !okX || !okY {
			c.setNull(i)
			continue
		}
		out[i] = vf.f32(x.row32(xs, xe, &bufX), y.row32(ys, ye, &bufY))
	}
	return c.finish(buf), nil
}

func differentDims(a, b int) error {
	return fault.New(fault.InvalidArgument, "the vectors have %d and %d dimensions; both need the same number", a, b)
}

// against computes the distances of many rows to one vector with the kernels for that. done false: the
// general loop has to do it.
func (vf vectorFunc) against(c *call, one, many vectorRows, out []float32) (done bool, err error) {
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
	if !many.v.lazy {
		rows(out, 0)
	} else {
		// Runs of neighbouring rows go through the kernel together.
		sel := many.v.sel
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
		out[i] = vf.finish(d)
	}
	if many.nulls {
		for i := range out {
			if _, _, ok := many.span(i); !ok && !c.null(i) {
				c.setNull(i)
			}
		}
	}
	return true, nil
}

func (vf vectorFunc) run64(c *call, x, y vectorRows) (arrow.Array, error) {
	buf, out := newFixed[float64](c.mem(), c.n)
	for i := range out {
		out[i] = 0
		if c.null(i) {
			continue
		}
		xs, xe, okX := x.span(i)
		ys, ye, okY := y.span(i)
		if xe-xs != ye-ys {
			buf.Release()
			return nil, differentDims(xe-xs, ye-ys)
		}
		if !okX || !okY {
			c.setNull(i)
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
		out[i] = vf.f64(l2, dot, aa, bb)
	}
	return c.finish(buf), nil
}

// vectorNorm is the Euclidean length.
func vectorNorm(c *call) (arrow.Array, error) {
	x := vectorsOf(c.args[0])
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
	if c.t.ID() == arrow.FLOAT64 {
		buf, out := newFixed[float64](c.mem(), c.n)
		for i := range out {
			if out[i] = 0; !c.null(i) {
				v, ok := norm(i)
				if out[i] = v; !ok {
					c.setNull(i)
				}
			}
		}
		return c.finish(buf), nil
	}
	buf, out := newFixed[float32](c.mem(), c.n)
	for i := range out {
		if out[i] = 0; !c.null(i) {
			v, ok := norm(i)
			if out[i] = float32(v); !ok {
				c.setNull(i)
			}
		}
	}
	return c.finish(buf), nil
}

func vectorDims(c *call) (arrow.Array, error) {
	x := vectorsOf(c.args[0])
	buf, out := newFixed[int32](c.mem(), c.n)
	for i := range out {
		if out[i] = 0; !c.null(i) {
			s, e, _ := x.span(i)
			out[i] = int32(e - s)
		}
	}
	return c.finish(buf), nil
}
