package distance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
)

// scoresExact is the distance of x to each centre in float64.
func scoresExact(metric Metric, x, centers []float32) []float64 {
	out := make([]float64, len(centers)/len(x))
	for i := range out {
		l2, ip, _ := exactSums(x, centers[i*len(x):][:len(x)])
		out[i] = l2
		if metric == Dot {
			out[i] = -ip
		}
	}
	return out
}

func TestNearestAgainstExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, metric := range []Metric{L2, Dot} {
		for _, dim := range []int{1, 2, 3, 7, 8, 9, 16, 31, 64, 768} {
			for _, n := range []int{1, 2, 15, 16, 17, 33, 256, 300} {
				centers := randomVector(rng, n*dim)
				c, err := NewCenters(metric, centers, dim)
				require.NoError(t, err)
				require.Equal(t, n, c.Len())
				rows, stride := 1+rng.IntN(2*blockRows), dim+rng.IntN(3)
				values := randomVector(rng, rows*stride)
				labels, scores := make([]uint32, rows), make([]float32, rows)
				c.Nearest(labels, scores, values, stride)
				for i, l := range labels {
					msg := fmt.Sprintf("%s dim=%d n=%d row %d", metric, dim, n, i)
					x := values[i*stride:][:dim]
					exact := scoresExact(metric, x, centers)
					require.Less(t, int(l), n, msg)
					best := exact[0]
					for _, d := range exact {
						best = min(best, d)
					}
					// Sums of dim products of normal numbers, whose squares add up to a few dim.
					bound := 16 * roundingBound(dim+1, 8*float64(dim)+64)
					require.InDelta(t, best, exact[l], bound, msg)
					score := float64(scores[i])
					if metric == L2 {
						score += float64(InnerProduct(x, x))
					}
					require.InDelta(t, exact[l], score, bound, msg)
				}
				// One by one gives the same: neighbours do not matter.
				one, s := make([]uint32, 1), make([]float32, 1)
				for i := range min(rows, 10) {
					c.Nearest(one, s, values[i*stride:], stride)
					require.Equal(t, labels[i], one[0])
					require.Equal(t, math.Float32bits(scores[i]), math.Float32bits(s[0]))
				}
			}
		}
	}
}

func TestNearestTiesAndSpecials(t *testing.T) {
	// The same centre many times over: the first one wins, in whatever lane it stands.
	centers := make([]float32, 40*3)
	for i := range centers {
		centers[i] = 9
	}
	for _, i := range []int{37, 21, 5} {
		copy(centers[i*3:], []float32{1, 2, 3})
	}
	c, err := NewCenters(L2, centers, 3)
	require.NoError(t, err)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	values := []float32{1, 2, 3, nan, 0, 0, 0, inf, 0, 0, -inf, 0, 1, 2, 2.5, 0, 0, 0, inf, -inf, 0, 9, 9, 8}
	labels := make([]uint32, 8)
	c.Nearest(labels, nil, values, 3)
	require.Equal(t, []uint32{5, NoCenter, NoCenter, NoCenter, 5, 5, NoCenter, 0}, labels)

	for _, bad := range []func() (*Centers, error){
		func() (*Centers, error) { return NewCenters(Hamming, centers, 3) },
		func() (*Centers, error) { return NewCenters(L2, nil, 3) },
		func() (*Centers, error) { return NewCenters(L2, centers, 0) },
		func() (*Centers, error) { return NewCenters(L2, centers[:4], 3) },
	} {
		_, err := bad()
		require.Equal(t, fault.InvalidArgument, fault.KindOf(err))
	}
}

// FuzzNearest compares the kernel with its definition on arbitrary bits.
func FuzzNearest(f *testing.F) {
	f.Add(uint64(1), 5, 17)
	f.Add(uint64(9), 8, 256)
	f.Fuzz(func(t *testing.T, seed uint64, dim, n int) {
		if dim < 1 || dim > 70 || n < 1 || n > 70 {
			t.Skip()
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		number := func() float32 {
			switch rng.IntN(20) {
			case 0:
				return math.Float32frombits(rng.Uint32())
			case 1:
				return 0
			}
			return float32(rng.IntN(17) - 8) // sums of small integers are exact: ties are ties
		}
		panels, starts := make([]float32, (n+15)/16*16*dim), make([]float32, (n+15)/16*16)
		for i := range panels {
			panels[i] = number()
		}
		for i := range starts {
			starts[i] = number()
		}
		stride := dim + rng.IntN(3)
		rows := make([]float32, tileRows*stride)
		exact := true
		for i := range rows {
			rows[i] = number()
		}
		for _, v := range [][]float32{panels, starts, rows} {
			for _, x := range v {
				exact = exact && x == float32(math.Trunc(float64(x))) && x >= -8 && x <= 8
			}
		}
		var b1, b2 [tileRows * panelWidth]float32
		var i1, i2 [tileRows * panelWidth]uint32
		for i := range b1 {
			b1[i], i1[i] = float32(math.Inf(1)), NoCenter
		}
		b2, i2 = b1, i1
		nearestTile(&b1, &i1, rows, stride, panels, starts, dim, 7)
		nearestTilePortable(&b2, &i2, rows, stride, panels, starts, dim, 7)
		if exact {
			require.Equal(t, b2, b1)
			require.Equal(t, i2, i1)
			return
		}
		for i := range b1 {
			require.False(t, math.IsNaN(float64(b1[i])))
			require.Equal(t, b1[i] == float32(math.Inf(1)), i1[i] == NoCenter)
		}
	})
}

func BenchmarkNearest(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, s := range []struct{ dim, n int }{{768, 1000}, {8, 256}, {16, 16}} {
		b.Run(fmt.Sprintf("dim=%d/n=%d", s.dim, s.n), func(b *testing.B) {
			c, err := NewCenters(L2, randomVector(rng, s.dim*s.n), s.dim)
			require.NoError(b, err)
			const rows = 1200
			values, labels := randomVector(rng, rows*s.dim), make([]uint32, rows)
			for b.Loop() {
				c.Nearest(labels, nil, values, s.dim)
			}
			b.ReportMetric(2*float64(rows*s.dim*s.n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
