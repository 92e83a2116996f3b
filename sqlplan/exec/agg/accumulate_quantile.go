package agg

import (
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/kernel"
	"lanceflight/sqlplan/plan"
)

// quantileAcc is median(x), quantile_cont(x, q) and quantile_disc(x, q). It keeps every value, as a
// normalised word: exact answers need them all.
type quantileAcc struct {
	env    *op.Env
	name   string
	out    arrow.DataType
	values [][]uint64
	q      []float64 // NaN = not seen yet
	held   int64
	words  []uint64
}

func newQuantile(call plan.AggCall, types []arrow.DataType, env *op.Env) (accumulator, error) {
	name := call.Name
	switch name {
	case "percentile_cont", "quantile":
		name = "quantile_cont"
	case "percentile_disc":
		name = "quantile_disc"
	}
	out := call.Col.Type
	interpolates := name == "median" || name == "quantile_cont"
	if !op.WordType(types[0]) || interpolates && out.ID() != arrow.FLOAT64 || !interpolates && !arrow.TypeEqual(out, types[0]) {
		return nil, fault.New(fault.Unsupported, "%s of %s", call.Name, types[0])
	}
	if interpolates && !arrow.IsFloating(types[0].ID()) && !arrow.IsInteger(types[0].ID()) {
		return nil, fault.New(fault.Unsupported, "%s of %s", call.Name, types[0])
	}
	return &quantileAcc{env: env, name: name, out: out}, nil
}

func (a *quantileAcc) Resize(n int) {
	old := len(a.values)
	a.values, a.q = grow(a.values, n), grow(a.q, n)
	for g := old; g < n; g++ {
		a.q[g] = math.NaN()
	}
}

func (a *quantileAcc) Add(in op.GroupInput) (err error) {
	interpolates := a.out.ID() == arrow.FLOAT64
	a.words = a.words[:0]
	if f, ok := floatsOf(in.Args[0]); ok && interpolates {
		for r := range in.Rows {
			a.words = append(a.words, kernel.Float64Word(f(r)))
		}
	} else {
		a.words, _ = kernel.Normalise(in.Args[0], a.words)
	}
	var fraction func(r int) float64
	if len(in.Args) > 1 {
		var ok bool
		if fraction, ok = floatsOf(in.Args[1]); !ok {
			return fault.New(fault.InvalidArgument, "the fraction of %s must be a number", a.name)
		}
	}
	in.Counted(func(r int, g int32) {
		if fraction != nil {
			q := fraction(r)
			if !(q >= 0 && q <= 1) {
				err = fault.New(fault.InvalidArgument, "the fraction of %s must be between 0 and 1, got %v", a.name, q)
				return
			}
			a.q[g] = q
		}
		if len(a.values[g]) == cap(a.values[g]) {
			a.held += 8 * int64(max(len(a.values[g]), 4))
		}
		a.values[g] = append(a.values[g], a.words[r])
	})
	return err
}

func (a *quantileAcc) Merge(o accumulator, to []int32) error {
	p := o.(*quantileAcc)
	for g, v := range p.values {
		a.values[to[g]] = append(a.values[to[g]], v...)
		if p.q[g] == p.q[g] {
			a.q[to[g]] = p.q[g]
		}
	}
	a.held += p.held
	return nil
}

func (a *quantileAcc) Result(groups []int32) (arrow.Array, error) {
	b := array.NewBuilder(a.env.Mem, a.out)
	defer b.Release()
	for _, g := range groups {
		v := a.values[g]
		if len(v) == 0 {
			b.AppendNull()
			continue
		}
		slices.Sort(v)
		var err error
		switch a.name {
		case "quantile_disc":
			err = appendWord(b, v[max(0, int(math.Ceil(a.q[g]*float64(len(v))))-1)])
		case "median":
			b.(*array.Float64Builder).Append(interpolate(v, 0.5))
		default:
			b.(*array.Float64Builder).Append(interpolate(v, a.q[g]))
		}
		if err != nil {
			return nil, err
		}
	}
	return b.NewArray(), nil
}

// interpolate is the quantile q of sorted values, linear between neighbours.
func interpolate(v []uint64, q float64) float64 {
	at := q * float64(len(v)-1)
	i := int(at)
	lo := kernel.Float64FromWord(v[i])
	if at == float64(i) {
		return lo
	}
	hi := kernel.Float64FromWord(v[i+1])
	return lo + (hi-lo)*(at-float64(i))
}

func (a *quantileAcc) bytes() int64 { return a.held + 32*int64(cap(a.values)) }
func (a *quantileAcc) release()     { a.values = nil }
