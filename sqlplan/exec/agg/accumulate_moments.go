package agg

import (
	"math"
	"math/big"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/op"
)

// momentsAcc is variance, standard deviation, covariance, correlation and regression: all follow from the
// sums of x, y, x², y² and xy. The sums have twice the digits of a float64 (twofold), and products are
// split exactly with a fused multiply-add, so the subtraction Σx² − (Σx)²/n leaves about as many
// digits as the two-pass formula would; it is done with big floats.
type momentsAcc struct {
	env  *op.Env
	name string
	out  arrow.DataType
	pair bool
	sums []moments
}

type moments struct {
	n                int64
	x, y, xx, yy, xy twofold
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
		return func(r int) float64 { return float64(a.Value(r).Float32()) }, true
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
			s, v := &m.sums[g], first(r)
			s.n++
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
		s, y, x := &m.sums[g], first(r), second(r)
		s.n++
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
		s, p := &m.sums[to[g]], &o.(*momentsAcc).sums[g]
		s.n += p.n
		s.x.merge(p.x)
		s.y.merge(p.y)
		s.xx.merge(p.xx)
		s.yy.merge(p.yy)
		s.xy.merge(p.xy)
	}
	return nil
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
	switch name {
	case "variance", "var_samp":
		return s.square(s.xx, s.x) / (n - 1), s.n > 1
	case "var_pop":
		return s.square(s.xx, s.x) / n, s.n > 0
	case "stddev", "stddev_samp":
		return math.Sqrt(s.square(s.xx, s.x) / (n - 1)), s.n > 1
	case "stddev_pop":
		return math.Sqrt(s.square(s.xx, s.x) / n), s.n > 0
	case "covar_samp":
		return s.centred(s.xy, s.x, s.y) / (n - 1), s.n > 1
	case "covar_pop":
		return s.centred(s.xy, s.x, s.y) / n, s.n > 0
	case "regr_count":
		return n, true
	case "regr_avgx":
		return s.x.value() / n, s.n > 0
	case "regr_avgy":
		return s.y.value() / n, s.n > 0
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
		return xy / xx, xx != 0
	case "regr_intercept":
		return s.y.value()/n - xy/xx*(s.x.value()/n), xx != 0
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

func (m *momentsAcc) bytes() int64 { return 128 * int64(cap(m.sums)) }
func (m *momentsAcc) release()     { m.sums = nil }
