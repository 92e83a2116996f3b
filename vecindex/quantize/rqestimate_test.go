package quantize_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/vecindex/distance"
	"lanceflight/vecindex/ivf/ivftest"
	"lanceflight/vecindex/quantize"
)

func normals(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func randomSigns(rng *rand.Rand, dim int) []byte {
	signs := make([]byte, 4*((dim+7)/8))
	for i := range signs {
		signs[i] = byte(rng.IntN(256))
	}
	return signs
}

// Estimates have no bias, and an error that each bit about halves: [RQ] theorem 3.2 has it below 1.9 σ with σ² = (1/cos² − 1)/(D − 1) of
// |o − c|·|q − c|, in 94 % of cases.
func TestRQEstimates(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const n = 100
	for _, metric := range []distance.Metric{distance.L2, distance.Dot} {
		for _, dim := range []int{128, 264} {
			before := math.Inf(1)
			for bits := 1; bits <= 9; bits++ {
				var bias, square float64
				const rotations = 4
				for range rotations {
					q, err := quantize.NewRQ(quantize.RQConfig{Metric: metric, Dim: dim, CodeDim: dim, Bits: bits,
						Signs: randomSigns(rng, dim)})
					require.NoError(t, err)
					centroid, query := normals(rng, dim), normals(rng, dim)
					vectors := make([][]float32, n)
					for i := range vectors {
						vectors[i] = normals(rng, dim)
						for j, c := range centroid {
							vectors[i][j] += c
						}
					}
					codes, err := q.Pack(ivftest.EncodeRQ(q, metric, centroid, vectors), n)
					require.NoError(t, err)
					s := q.NewScorer()
					s.Start(query)
					s.Enter(normals(rng, dim)) // a partition before must leave nothing behind
					s.Enter(centroid)
					all := make([]float32, n)
					s.Distances(all, codes, n, 0)
					for i, v := range vectors {
						e := float64(all[i]-distance.Between(metric, query, v)) / float64(dim)
						bias += e / n / rotations
						square += e * e / n / rotations
					}
					// Any window and any selection agree to the bit.
					for _, first := range []int{0, 1, 31, 32, 33, 63, 95, 96, 99} {
						some := make([]float32, min(40, n-first))
						s.Distances(some, codes, n, first)
						require.Equal(t, all[first:first+len(some)], some)
					}
					rows := []uint32{99, 0, 31, 32, 64, 97}
					at := make([]float32, len(rows))
					s.DistancesAt(at, codes, n, rows)
					for i, row := range rows {
						require.Equal(t, all[row], at[i])
					}
				}
				sigma := math.Sqrt(square)
				name := fmt.Sprintf("%s dim=%d bits=%d: bias %.5f, error %.5f", metric, dim, bits, bias, sigma)
				require.Less(t, math.Abs(bias), sigma/3+0.002, name)
				if bits <= 5 {
					require.Less(t, sigma, before*0.8, name)
				}
				// Rounding the tables to bytes leaves an error of its own, of the signs' part: 2^x times as large as theirs is worth.
				require.Less(t, sigma, 0.2, name)
				before = sigma
			}
		}
	}
}

// Rows at their centroid, queries at it, zero queries, and huge ones have the distance that they have.
func TestRQAtTheEdge(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const dim = 64
	for _, bits := range []int{1, 5} {
		q, err := quantize.NewRQ(quantize.RQConfig{Dim: dim, CodeDim: dim, Bits: bits, Signs: randomSigns(rng, dim)})
		require.NoError(t, err)
		centroid := normals(rng, dim)
		const n = 40
		vectors := make([][]float32, n)
		for i := range vectors {
			vectors[i] = centroid
		}
		codes, err := q.Pack(ivftest.EncodeRQ(q, distance.L2, centroid, vectors), n)
		require.NoError(t, err)
		s := q.NewScorer()
		got := make([]float32, n)
		for name, query := range map[string][]float32{"centroid": centroid, "zero": make([]float32, dim), "other": normals(rng, dim)} {
			s.Start(query)
			s.Enter(centroid)
			s.Distances(got, codes, n, 0)
			for _, d := range got {
				require.InDelta(t, distance.SquaredL2(query, centroid), d, 1e-3, name)
			}
		}
		huge := make([]float32, dim)
		huge[3] = 1e38 // tables overflow what bytes could stand for
		s.Start(huge)
		s.Enter(centroid)
		s.Distances(got, codes, n, 0)
		at := make([]float32, 1)
		s.DistancesAt(at, codes, n, []uint32{7})
		require.Equal(t, math.Float32bits(got[7]), math.Float32bits(at[0]))
	}
}

// Matrices, and residuals of queries, are what indices of old versions have.
func TestRQOfOldVersions(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	const dim, n = 48, 64
	matrix := make([]float32, dim*dim)
	for i := range dim {
		matrix[i*dim+(i*5+3)%dim] = float32(1 - 2*(i%2)) // a permutation with signs
	}
	for _, metric := range []distance.Metric{distance.L2, distance.Dot} {
		centroid, query := normals(rng, dim), normals(rng, dim)
		vectors := make([][]float32, n)
		for i := range vectors {
			vectors[i] = normals(rng, dim)
		}
		raw, err := quantize.NewRQ(quantize.RQConfig{Metric: metric, Dim: dim, CodeDim: dim, Bits: 1, Matrix: matrix})
		require.NoError(t, err)
		old, err := quantize.NewRQ(quantize.RQConfig{Metric: metric, Dim: dim, CodeDim: dim, Bits: 1, Matrix: matrix, Residual: true})
		require.NoError(t, err)
		r := ivftest.EncodeRQ(raw, metric, centroid, vectors)
		a, err := raw.Pack(r, n)
		require.NoError(t, err)
		// With q − c rotated, ⟨ū, P c⟩ is not wanted in add, and scale is for ū of unit length.
		for i, v := range vectors {
			residual := make([]float32, dim)
			for j := range v {
				residual[j] = v[j] - centroid[j]
			}
			r.Add[i] = distance.InnerProduct(residual, residual)
			if metric == distance.Dot {
				r.Add[i] = 1 - distance.InnerProduct(residual, centroid)
			}
			r.Scale[i] *= float32(math.Sqrt(dim)) / 2
		}
		b, err := old.Pack(r, n)
		require.NoError(t, err)
		want, got := make([]float32, n), make([]float32, n)
		s := raw.NewScorer()
		s.Start(query)
		s.Enter(centroid)
		s.Distances(want, a, n, 0)
		s = old.NewScorer()
		s.Start(query)
		s.Enter(centroid)
		s.Distances(got, b, n, 0)
		if metric == distance.L2 {
			require.InDeltaSlice(t, want, got, 3) // tables are rounded differently
		}
		var wantError, gotError float64
		for i, v := range vectors {
			d := distance.Between(metric, query, v)
			wantError += math.Pow(float64(want[i]-d), 2)
			gotError += math.Pow(float64(got[i]-d), 2)
		}
		require.Less(t, gotError, 3*wantError+1, "%s", metric)
	}
}

func TestRQConfigurationsThatContradictThemselves(t *testing.T) {
	good := quantize.RQConfig{Dim: 16, CodeDim: 16, Bits: 4, Signs: make([]byte, 8)}
	q, err := quantize.NewRQ(good)
	require.NoError(t, err)
	_, err = q.Pack(quantize.RQRows{Add: make([]float32, 3)}, 2)
	require.True(t, fault.Is(err, fault.Corrupt))
	for kind, spoils := range map[fault.Kind][]func(*quantize.RQConfig){
		fault.Corrupt: {
			func(c *quantize.RQConfig) { c.Dim = 0 },
			func(c *quantize.RQConfig) { c.Dim = 17 },
			func(c *quantize.RQConfig) { c.CodeDim = 1 << 30 },
			func(c *quantize.RQConfig) { c.Signs = c.Signs[1:] },
			func(c *quantize.RQConfig) { c.Matrix = make([]float32, 255) },
		},
		fault.Unsupported: {
			func(c *quantize.RQConfig) { c.Metric = distance.Hamming },
			func(c *quantize.RQConfig) { c.Bits = 0 },
			func(c *quantize.RQConfig) { c.Bits = 10 },
			func(c *quantize.RQConfig) { c.Residual = true },
			func(c *quantize.RQConfig) { c.Dim, c.CodeDim = 12, 20 },
		},
	} {
		for i, spoil := range spoils {
			c := good
			spoil(&c)
			_, err := quantize.NewRQ(c)
			require.True(t, fault.Is(err, kind), "%v %d: %v", kind, i, err)
		}
	}
}
