package quantize

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/vecindex/distance"
	"lanceflight/vecindex/kmeans"
)

func normals(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// The code of each sub-vector is the nearest codeword, and the scorer reads it back: the distance of a vector to
// another's code is that to its reconstruction.
func TestPQEncode(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	ctx := context.Background()
	for _, bits := range []int{8, 4} {
		for _, s := range []struct{ dim, subVectors int }{{8, 2}, {12, 4}, {32, 8}, {10, 10}} {
			for _, metric := range []distance.Metric{distance.L2, distance.Dot} {
				t.Run(fmt.Sprintf("%d bits, %d of %d, %s", bits, s.subVectors, s.dim, metric), func(t *testing.T) {
					const n = 300
					vectors := normals(rng, n*s.dim)
					book, err := TrainPQ(ctx, vectors, s.dim, s.subVectors, bits, kmeans.Config{Workers: 2})
					require.NoError(t, err)
					q, err := NewPQ(PQConfig{Metric: metric, Dim: s.dim, SubVectors: s.subVectors, Bits: bits, Codebook: book})
					require.NoError(t, err)
					require.Equal(t, metric != distance.Dot, q.Residual())
					e, err := q.NewEncoder()
					require.NoError(t, err)
					width := e.CodeBytes()
					codes := make([]byte, n*width)
					e.Encode(codes, vectors)

					words, sub := 1<<bits, s.dim/s.subVectors
					word := func(row, m int) []float32 {
						c := int(codes[row*width+m*bits/8])
						if bits == 4 {
							c = c >> (m % 2 * 4) & 15
						}
						return book[(m*words+c)*sub:][:sub]
					}
					transposed := make([]byte, len(codes))
					for i := range n {
						for j := range width {
							transposed[j*n+i] = codes[i*width+j]
						}
						for m := range s.subVectors {
							x := vectors[i*s.dim+m*sub:][:sub]
							best := float32(math.Inf(1))
							for w := range words {
								best = min(best, distance.SquaredL2(x, book[(m*words+w)*sub:][:sub]))
							}
							require.InDelta(t, best, distance.SquaredL2(x, word(i, m)), 1e-4)
						}
					}
					query := normals(rng, s.dim)
					scorer := q.NewScorer()
					scorer.Start(query)
					scorer.Enter(make([]float32, s.dim))
					got := make([]float32, n)
					scorer.Distances(got, transposed, n, 0)
					for i, d := range got {
						var l2, ip float64
						for m := range s.subVectors {
							for j, c := range word(i, m) {
								x := float64(query[m*sub+j])
								l2 += (x - float64(c)) * (x - float64(c))
								ip += x * float64(c)
							}
						}
						if metric == distance.Dot {
							l2 = 1 - ip
						}
						require.InDelta(t, l2, d, 1e-3)
					}
				})
			}
		}
	}
}

func TestTrainPQErrors(t *testing.T) {
	ctx := context.Background()
	v := make([]float32, 300*6)
	for _, c := range []struct {
		vectors               []float32
		dim, subVectors, bits int
		kind                  fault.Kind
	}{
		{v, 6, 2, 5, fault.Unsupported},
		{v, 6, 4, 8, fault.InvalidArgument},
		{v, 6, 0, 8, fault.InvalidArgument},
		{v, 6, 3, 4, fault.InvalidArgument},
		{v[:255*6], 6, 2, 8, fault.InvalidArgument},
	} {
		_, err := TrainPQ(ctx, c.vectors, c.dim, c.subVectors, c.bits, kmeans.Config{})
		require.Equal(t, c.kind, fault.KindOf(err))
	}
}

func TestTrainSQ(t *testing.T) {
	lo, hi := TrainSQ([]float32{3, -2, 7, 0})
	require.Equal(t, [2]float64{-2, 7}, [2]float64{lo, hi})
	q, err := NewSQ(distance.L2, 3, lo, hi)
	require.NoError(t, err)
	e, err := q.NewEncoder()
	require.NoError(t, err)
	codes := make([]byte, 3)
	e.Encode(codes, []float32{-2, 7, 2.5})
	require.Equal(t, []byte{0, 255, 127}, codes)
	e.Encode(codes, []float32{-100, 100, -2})
	require.Equal(t, []byte{0, 255, 0}, codes, "what is out of bounds saturates")
}

func BenchmarkPQEncode(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	const dim, n = 768, 1200
	book := normals(rng, 256*dim)
	q, err := NewPQ(PQConfig{Dim: dim, SubVectors: 96, Bits: 8, Codebook: book})
	require.NoError(b, err)
	e, err := q.NewEncoder()
	require.NoError(b, err)
	vectors, codes := normals(rng, n*dim), make([]byte, n*96)
	for b.Loop() {
		e.Encode(codes, vectors)
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "vectors/s")
}
