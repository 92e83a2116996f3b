package agg

import (
	"math"
	"math/big"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/internal/half"
	"lanceflight/sqlplan/exec/op"
)

// momentsAcc is variance, standard deviation, covariance, correlation and regression: all follow from the
// sums of x, y, x², y² and xy. They are taken of the distances from the first value, so that large
// values which lie close together lose nothing, and in a unit in which no square overflows or
// vanishes. The sums have twice the digits of a float64 (twofold), and products are split exactly with a
// fused multiply-add. The subtraction Σx² − (Σx)²/n is done with big floats.
type momentsAcc struct {
	env  *op.Env
	name string
	out  arrow.DataType
	pair bool
	sums []moments
}

type moments struct {
	n                int64
	sx, sy           side
	x, y, xx, yy, xy twofold
}

// side is how the values of x or of y are counted: v becomes v·unit − first. The zero value stands for
// values that are all zero so far.
type side struct {
	first, unit float64
	limit       float64 // largest magnitude for which unit is fit
}

// The units, powers of two, and the magnitudes up to which they are fit. Smaller values may vanish in a
// unit, because they are nothing beside the value for which it was chosen.
var scales = [...]side{{unit: 0x1p600, limit: 0x1p-400}, {unit: 1, limit: 0x1p450}, {unit: 0x1p-600, limit: math.MaxFloat64}}

// scaleFor is the unit for a value.
func scaleFor(v float64) side {
	for _, s := range scales {
		if math.Abs(v) <= s.limit {
			return s
		}
	}
	return scales[len(scales)-1]
}

// offset is the distance of a value of x from the first one; v is counted in n already.
func (s *moments) offsetX(v float64) float64 {
	if math.Abs(v) <= s.sx.limit {
		return v*s.sx.unit - s.sx.first
	}
	if f := s.sx.widen(v, s.n == 1); f != 1 {
		scale(f, &s.x, &s.xx, &s.xx, &s.xy)
	}
	return v*s.sx.unit - s.sx.first
}

func (s *moments) offsetY(v float64) float64 {
	if math.Abs(v) <= s.sy.limit {
		return v*s.sy.unit - s.sy.first
	}
	if f := s.sy.widen(v, s.n == 1); f != 1 {
		scale(f, &s.y, &s.yy, &s.yy, &s.xy)
	}
	return v*s.sy.unit - s.sy.first
}

// widen makes the unit fit for a value, and returns what sums in the old unit have to be multiplied by.
func (s *side) widen(v float64, alone bool) float64 {
	if v-v != 0 { // infinite or NaN: fits nowhere
		if s.unit == 0 {
			s.unit = 1
		}
		return 1
	}
	old, next := s.unit, scaleFor(v)
	s.unit, s.limit = next.unit, next.limit
	if alone {
		s.first = v * s.unit
	}
	if old == 0 || alone {
		return 1
	}
	f := s.unit / old
	s.first *= f
	return f
}

func scale(f float64, sums ...*twofold) {
	for _, t := range sums {
		t.hi, t.lo, t.plain = t.hi*f, t.lo*f, t.plain*f
	}
}

// mean is the average of the values whose offsets have a sum.
func (s side) mean(sum twofold, n int64) float64 {
	if s.unit == 0 {
		return 0
	}
	return (sum.value()/float64(n) + s.first) / s.unit
}

func newMoments(name string, types []arrow.DataType, out arrow.DataType, env *op.Env) (accumulator, error) {
	m := &momentsAcc{env: env, name: name, out: out, pair: len(types) == 2}
	if out.ID() != arrow.FLOAT64 && !(name == "regr_count" && out.ID() == arrow.INT64) {
		return nil, fault.New(fault.Unsupported, "%s as %s", name, out)
	}
	for _, t := range types {
		if !arrow.IsFloating(t.ID()) && !arrow.IsInteger(t.ID()) && t.ID() != arrow.DECIMAL128 {
			return nil, fault.New(fault.Unsupported, "%s of %s", name, t)
		}
	}
	single := []string{"stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop"}
	if m.pair == slices.Contains(single, name) {
		return nil, fault.New(fault.Internal, "%s with %d arguments", name, len(types))
	}
	return m, nil
}

// floatsOf returns a function from row to float64.
func floatsOf(a arrow.Array) (func(r int) float64, bool) {
	switch a := a.(type) {
	case *array.Float64:
		return a.Value, true
	case *array.Float32:
		return func(r int) float64 { return float64(a.Value(r)) }, true
	case *array.Float16:
		return func(r int) float64 { return half.Float64(a.Value(r)) }, true
	case *array.Int8:
		return func(r int) float64 { return float64(a.Value(r)) }, true
	case *array.Int16:
		return func(r int) float64 { return float64(a.Value(r)) }, true
	case *array.Int32:
		return func(r int) float64 { return float64(a.Value(r)) }, true
	case *array.Int64:
		return func(r int) float64 { return float64(a.Value(r)) }, true
	case *array.Uint8:
		return func(r int) float64 { return float64(a.Value(r)) }, true
	case *array.Uint16:
		return func(r int) float64 { return float64(a.Value(r)) }, true
	case *array.Uint32:
		return func(r int) float64 { return float64(a.Value(r)) }, true
	case *array.Uint64:
		return func(r int) float64 { return float64(a.Value(r)) }, true
	case *array.Decimal128:
		scale := a.DataType().(*arrow.Decimal128Type).Scale
		return func(r int) float64 { return a.Value(r).ToFloat64(scale) }, true
	}
	return nil, false
}

func (m *momentsAcc) Resize(n int) { m.sums = grow(m.sums, n) }

func (m *momentsAcc) Add(in op.GroupInput) error {
	first, ok := floatsOf(in.Args[0])
	if !ok {
		return fault.New(fault.Internal, "%s of %s", m.name, in.Args[0].DataType())
	}
	if !m.pair {
		in.Counted(func(r int, g int32) {
			s := &m.sums[g]
			s.n++
			v := s.offsetX(first(r))
			s.x.add(v)
			addProduct(&s.xx, v, v)
		})
		return nil
	}
	// SQL writes regr(y, x) and corr(y, x).
	second, ok := floatsOf(in.Args[1])
	if !ok {
		return fault.New(fault.Internal, "%s of %s", m.name, in.Args[1].DataType())
	}
	in.Counted(func(r int, g int32) {
		s := &m.sums[g]
		s.n++
		y, x := s.offsetY(first(r)), s.offsetX(second(r))
		s.x.add(x)
		s.y.add(y)
		addProduct(&s.xx, x, x)
		addProduct(&s.yy, y, y)
		addProduct(&s.xy, x, y)
	})
	return nil
}

// addProduct adds a*b without rounding the product.
func addProduct(t *twofold, a, b float64) {
	p := a * b
	t.add(p)
	if e := math.FMA(a, b, -p); e == e {
		plain := t.plain
		t.add(e)
		t.plain = plain
	}
}

func (m *momentsAcc) Merge(o accumulator, to []int32) error {
	for g := range o.(*momentsAcc).sums {
		m.sums[to[g]].merge(o.(*momentsAcc).sums[g])
	}
	return nil
}

// merge adds the sums of other values, which count from another first value.
func (s *moments) merge(p moments) {
	if p.n == 0 {
		return
	}
	if s.n == 0 {
		*s = p
		return
	}
	if f := join(&s.sx, &p.sx); f.left != 1 {
		scale(f.left, &s.x, &s.xx, &s.xx, &s.xy)
	} else if f.right != 1 {
		scale(f.right, &p.x, &p.xx, &p.xx, &p.xy)
	}
	if f := join(&s.sy, &p.sy); f.left != 1 {
		scale(f.left, &s.y, &s.yy, &s.yy, &s.xy)
	} else if f.right != 1 {
		scale(f.right, &p.y, &p.yy, &p.yy, &p.xy)
	}
	n := float64(p.n)
	dx, dy := difference(p.sx.first, s.sx.first), difference(p.sy.first, s.sy.first)
	// Σ(x+d)(y+e) = Σxy + dΣy + eΣx + nde, where x and y count from the other's first values.
	addProducts(&p.xx, dx, p.x, 2)
	addProducts(&p.yy, dy, p.y, 2)
	addProducts(&p.xy, dx, p.y, 1)
	addProducts(&p.xy, dy, p.x, 1)
	addProducts(&p.xx, dx, dx, n)
	addProducts(&p.yy, dy, dy, n)
	addProducts(&p.xy, dx, dy, n)
	addProducts(&p.x, dx, twofold{hi: 1}, n)
	addProducts(&p.y, dy, twofold{hi: 1}, n)
	s.n += p.n
	s.x.merge(p.x)
	s.y.merge(p.y)
	s.xx.merge(p.xx)
	s.yy.merge(p.yy)
	s.xy.merge(p.xy)
}

// factors are what sums of two sides have to be multiplied by to be in one unit.
type factors struct{ left, right float64 }

// join gives two sides the larger of their units.
func join(a, b *side) factors {
	switch {
	case a.unit == b.unit:
	case a.unit == 0:
		a.unit, a.limit = b.unit, b.limit
	case b.unit == 0:
		b.unit, b.limit = a.unit, a.limit
	case a.limit < b.limit:
		f := b.unit / a.unit
		a.unit, a.limit, a.first = b.unit, b.limit, a.first*f
		return factors{f, 1}
	default:
		f := a.unit / b.unit
		b.unit, b.limit, b.first = a.unit, a.limit, b.first*f
		return factors{1, f}
	}
	return factors{1, 1}
}

// difference is a − b without rounding.
func difference(a, b float64) twofold {
	d := a - b
	t := d - a
	return twofold{hi: d, lo: (a - (d - t)) - (b + t)}
}

// addProducts adds times·a·b. times is a whole number.
func addProducts(t *twofold, a, b twofold, times float64) {
	if a.hi == 0 || b.hi == 0 {
		return
	}
	plain := t.plain
	p := a.hi * b.hi
	addProduct(t, times, p)
	t.add(times * (math.FMA(a.hi, b.hi, -p) + a.hi*b.lo + a.lo*b.hi))
	t.plain = plain
}

func (m *momentsAcc) Result(groups []int32) (arrow.Array, error) {
	if m.out.ID() == arrow.INT64 {
		b := array.NewInt64Builder(m.env.Mem)
		defer b.Release()
		for _, g := range groups {
			b.Append(m.sums[g].n)
		}
		return b.NewArray(), nil
	}
	b := array.NewFloat64Builder(m.env.Mem)
	defer b.Release()
	for _, g := range groups {
		if v, ok := m.sums[g].value(m.name); ok {
			b.Append(v)
		} else {
			b.AppendNull()
		}
	}
	return b.NewArray(), nil
}

// value computes one statistic; ok is false where SQL has NULL.
func (s *moments) value(name string) (v float64, ok bool) {
	n := float64(s.n)
	ux, uy := s.sx.units(), s.sy.units()
	switch name {
	case "variance", "var_samp":
		return s.square(s.xx, s.x) / (n - 1) / ux / ux, s.n > 1
	case "var_pop":
		return s.square(s.xx, s.x) / n / ux / ux, s.n > 0
	case "stddev", "stddev_samp":
		return math.Sqrt(s.square(s.xx, s.x)/(n-1)) / ux, s.n > 1
	case "stddev_pop":
		return math.Sqrt(s.square(s.xx, s.x)/n) / ux, s.n > 0
	case "covar_samp":
		return s.centred(s.xy, s.x, s.y) / (n - 1) / ux / uy, s.n > 1
	case "covar_pop":
		return s.centred(s.xy, s.x, s.y) / n / ux / uy, s.n > 0
	case "regr_count":
		return n, true
	case "regr_avgx":
		return s.sx.mean(s.x, s.n), s.n > 0
	case "regr_avgy":
		return s.sy.mean(s.y, s.n), s.n > 0
	}
	if s.n == 0 {
		return 0, false
	}
	xx, yy, xy := s.square(s.xx, s.x), s.square(s.yy, s.y), s.centred(s.xy, s.x, s.y)
	switch name {
	case "corr":
		if xx == 0 || yy == 0 {
			return 0, false
		}
		return min(1, max(-1, xy/math.Sqrt(xx)/math.Sqrt(yy))), true
	case "regr_slope":
		return xy / xx * ux / uy, xx != 0
	case "regr_intercept":
		return s.sy.mean(s.y, s.n) - xy/xx*ux/uy*s.sx.mean(s.x, s.n), xx != 0
	case "regr_r2":
		if xx == 0 {
			return 0, false
		}
		if yy == 0 {
			return 1, true
		}
		return xy / xx * (xy / yy), true
	}
	return 0, false
}

// units is the unit, of zeros 1.
func (s side) units() float64 {
	if s.unit == 0 {
		return 1
	}
	return s.unit
}

// centred is Σab − Σa·Σb/n.
func (s *moments) centred(ab, a, b twofold) float64 {
	if v := ab.value() + a.value() + b.value(); v-v != 0 {
		return math.NaN() // infinities or NaN among the values
	}
	bigOf := func(t twofold) *big.Float {
		f := new(big.Float).SetPrec(320).SetFloat64(t.hi)
		return f.Add(f, new(big.Float).SetFloat64(t.lo))
	}
	product := bigOf(a)
	product.Mul(product, bigOf(b))
	product.Quo(product, new(big.Float).SetInt64(max(s.n, 1)))
	d := bigOf(ab)
	v, _ := d.Sub(d, product).Float64()
	return v
}

// square is Σaa − (Σa)²/n, which is not negative but for rounding.
func (s *moments) square(aa, a twofold) float64 {
	if v := s.centred(aa, a, a); !(v < 0) {
		return v
	}
	return 0
}

func (m *momentsAcc) bytes() int64 { return 176 * int64(cap(m.sums)) }
func (m *momentsAcc) release()     { m.sums = nil }
