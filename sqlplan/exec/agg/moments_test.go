package agg

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// exactMoment is Σab − ΣaΣb/n over n−1, of which no step is rounded but the last.
func exactMoment(a, b []float64) *big.Float {
	f := func(v float64) *big.Float { return new(big.Float).SetPrec(8000).SetFloat64(v) }
	sum, sumA, sumB := f(0), f(0), f(0)
	for i := range a {
		sum.Add(sum, new(big.Float).Mul(f(a[i]), f(b[i])))
		sumA.Add(sumA, f(a[i]))
		sumB.Add(sumB, f(b[i]))
	}
	sumA.Mul(sumA, sumB)
	sumA.Quo(sumA, f(float64(len(a))))
	sum.Sub(sum, sumA)
	return sum.Quo(sum, f(float64(len(a)-1)))
}

// TestMomentsAreExact compares with unrounded arithmetic: values that lie close together far from
// zero, values whose squares overflow or vanish, and mixtures of them, taken at once and in parts that
// are merged.
func TestMomentsAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	centres := []float64{0, 1, -3.5, 1e9, 1e15, -1e16, 1e150, 1e200, -1e300, 1e-160, 1e-200, 1e-300}
	spreads := []float64{0, 1, 1e-6, 1e3, 1e140, 1e200, 1e-170, 1e-250}
	draw := func(n int, mixed bool) []float64 {
		out := make([]float64, n)
		centre, spread := centres[r.IntN(len(centres))], spreads[r.IntN(len(spreads))]
		for i := range out {
			if mixed && r.IntN(8) == 0 {
				centre, spread = centres[r.IntN(len(centres))], spreads[r.IntN(len(spreads))]
			}
			out[i] = centre + spread*r.NormFloat64()
		}
		return out
	}
	within := func(want *big.Float, got float64, what string, x []float64) {
		t.Helper()
		w, _ := want.Float64()
		if math.IsInf(w, 0) || w == 0 || math.Abs(w) < 1e-290 {
			return // does not fit a float64, or only with fewer digits
		}
		require.InEpsilon(t, w, got, 1e-12, "%s of %v", what, x)
	}
	for round := range 3000 {
		n := 2 + r.IntN(12)
		x, y := draw(n, round%3 == 0), draw(n, round%3 == 0)
		var whole, left, right moments
		for i := range x {
			add := func(s *moments) {
				s.n++
				b, a := s.offsetY(y[i]), s.offsetX(x[i])
				s.x.add(a)
				s.y.add(b)
				addProduct(&s.xx, a, a)
				addProduct(&s.yy, b, b)
				addProduct(&s.xy, a, b)
			}
			add(&whole)
			if i%2 == 0 {
				add(&left)
			} else {
				add(&right)
			}
		}
		left.merge(right)
		for _, s := range []*moments{&whole, &left} {
			require.EqualValues(t, n, s.n)
			variance := exactMoment(x, x)
			v, ok := s.value("var_samp")
			require.True(t, ok)
			within(variance, v, "variance", x)
			v, _ = s.value("stddev")
			within(new(big.Float).Sqrt(variance), v, "stddev", x)
			// A covariance can cancel to nothing, so its error is measured by the deviations.
			v, _ = s.value("covar_samp")
			bound := new(big.Float).Sqrt(new(big.Float).Mul(variance, exactMoment(y, y)))
			if b, _ := bound.Float64(); b > 1e-280 && !math.IsInf(b, 0) {
				w, _ := exactMoment(x, y).Float64()
				require.InDelta(t, w/b, v/b, 1e-12, "covariance of %v and %v", x, y)
			}
		}
	}
}
