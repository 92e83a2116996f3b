package quantize

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/half"
	"lanceflight/vecindex/distance"
)

func randomVector(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// randomPQ returns a quantizer, its codebook, and transposed codes of n rows.
func randomPQ(t testing.TB, rng *rand.Rand, m distance.Metric, dim, sub, bits, n int) (*PQ, []float32, []byte) {
	book := randomVector(rng, dim<<bits)
	q, err := NewPQ(PQConfig{Metric: m, Dim: dim, SubVectors: sub, Bits: bits, Codebook: book})
	require.NoError(t, err)
	codes := make([]byte, n*q.CodeBytes())
	for i := range codes {
		codes[i] = byte(rng.IntN(256))
	}
	return q, book, codes
}

// decodePQ is the vector that the code of a row stands for, straight from the definition.
func decodePQ(q *PQ, book []float32, codes []byte, n, row int) []float32 {
	words, sub := 1<<q.bits, q.dim/q.subVectors
	var v []float32
	for m := range q.subVectors {
		var c int
		if q.bits == 8 {
			c = int(codes[m*n+row])
		} else {
			c = int(codes[m/2*n+row]) >> (m % 2 * 4) & 15
		}
		v = append(v, book[(m*words+c)*sub:][:sub]...)
	}
	return v
}

func start(q Quantizer, query []float32) Scorer {
	s := q.NewScorer()
	s.Start(query)
	return s
}

func TestPQDistancesAreThoseOfTheDecodedVectors(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, metric := range []distance.Metric{distance.L2, distance.Cosine, distance.Dot} {
		for _, c := range []struct{ dim, sub, bits, n int }{
			{32, 4, 8, 1}, {32, 16, 8, 7}, {35, 5, 8, 100}, {768, 96, 8, 50}, {12, 3, 8, 5000},
			{32, 4, 4, 1}, {32, 16, 4, 9}, {768, 96, 4, 33}, {12, 6, 4, 4100},
		} {
			q, book, codes := randomPQ(t, rng, metric, c.dim, c.sub, c.bits, c.n)
			query, centroid := randomVector(rng, c.dim), randomVector(rng, c.dim)
			s := start(q, query)
			s.Enter(randomVector(rng, c.dim)) // a partition before must leave nothing behind
			s.Enter(centroid)
			all := make([]float32, c.n)
			s.Distances(all, codes, c.n, 0)
			for row := range c.n {
				v := decodePQ(q, book, codes, c.n, row)
				want := 1 - distance.InnerProduct(query, v)
				if metric != distance.Dot {
					for i := range v {
						v[i] += centroid[i]
					}
					want = distance.SquaredL2(query, v)
				}
				require.InDelta(t, want, all[row], 1e-5*float64(c.dim)*10, "%v row %d", c, row)
			}
			// Any window and any selection agree to the bit.
			first := c.n / 3
			some := make([]float32, c.n-first)
			s.Distances(some, codes, c.n, first)
			require.Equal(t, all[first:], some)
			rows := []uint32{uint32(c.n - 1), 0, uint32(first)}
			at := make([]float32, len(rows))
			s.DistancesAt(at, codes, c.n, rows)
			for i, row := range rows {
				require.Equal(t, all[row], at[i])
			}
		}
	}
}

func TestPQOfHalvesRoundsTheResidual(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	book := randomVector(rng, 8<<8)
	halves, err := NewPQ(PQConfig{Dim: 8, SubVectors: 2, Bits: 8, Codebook: book, Half: true})
	require.NoError(t, err)
	s := start(halves, []float32{1, 2, 3, 4, 5, 6, 7, 8}).(*pqScorer)
	s.Enter([]float32{1e-4, 0, 0, 0, 0, 0, 0, 0})
	require.Equal(t, half.Round(1-1e-4), s.rest[0])
	require.NotEqual(t, float32(1-1e-4), s.rest[0])
}

func TestPQConfigurationsThatContradictThemselves(t *testing.T) {
	good := PQConfig{Dim: 8, SubVectors: 4, Bits: 8, Codebook: make([]float32, 8<<8)}
	_, err := NewPQ(good)
	require.NoError(t, err)
	for _, spoil := range []func(*PQConfig){
		func(c *PQConfig) { c.Dim = 0 },
		func(c *PQConfig) { c.Dim = -8 },
		func(c *PQConfig) { c.Dim = distance.MaxDim * 2 },
		func(c *PQConfig) { c.SubVectors = 0 },
		func(c *PQConfig) { c.SubVectors = 3 },
		func(c *PQConfig) { c.Codebook = c.Codebook[1:] },
		func(c *PQConfig) { c.Bits, c.SubVectors, c.Codebook = 4, 1, c.Codebook[:8<<4] },
	} {
		c := good
		spoil(&c)
		_, err := NewPQ(c)
		require.True(t, fault.Is(err, fault.Corrupt), "%v", err)
	}
	good.Bits = 6
	_, err = NewPQ(good)
	require.EqualError(t, err, "not supported: product quantization with 6 bits")
	good.Bits, good.Metric = 8, distance.Hamming
	_, err = NewPQ(good)
	require.True(t, fault.Is(err, fault.Unsupported))
}

func TestSQ(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const dim, n = 24, 40
	step := 6.0 / 255
	for _, metric := range []distance.Metric{distance.L2, distance.Cosine, distance.Dot} {
		q, err := NewSQ(metric, dim, -3, 3)
		require.NoError(t, err)
		var codes []byte
		var vectors [][]float32
		for range n {
			v := randomVector(rng, dim)
			code := make([]byte, dim)
			q.encode(code, v)
			codes = append(codes, code...)
			for i := range v {
				v[i] = float32(-3 + step*float64(code[i])) // decoded
			}
			vectors = append(vectors, v)
		}
		query := randomVector(rng, dim)
		s := start(q, query)
		s.Enter(nil)
		dst, at := make([]float32, n), make([]float32, 2)
		s.Distances(dst, codes, n, 0)
		s.DistancesAt(at, codes, n, []uint32{5, 39})
		require.Equal(t, []float32{dst[5], dst[39]}, at)
		if metric != distance.Dot {
			code := make([]byte, dim)
			q.encode(code, query)
			for i := range query {
				query[i] = float32(-3 + step*float64(code[i]))
			}
		}
		for i, v := range vectors {
			want := distance.SquaredL2(query, v)
			if metric == distance.Dot {
				want = 1 - distance.InnerProduct(query, v)
			}
			require.InDelta(t, want, dst[i], 1e-3)
		}
	}
	q, err := NewSQ(distance.L2, 2, 1, 1)
	require.NoError(t, err)
	dst := make([]float32, 1)
	start(q, []float32{1, 5}).Distances(dst, []byte{0, 0}, 1, 0)
	require.Zero(t, dst[0])
	for _, b := range [][2]float64{{1, 0}, {math.NaN(), 1}, {0, math.Inf(1)}} {
		_, err := NewSQ(distance.L2, 2, b[0], b[1])
		require.True(t, fault.Is(err, fault.Corrupt))
	}
}

func TestFlatTakesAllElementTypes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const dim, n = 16, 10
	values := randomVector(rng, dim*n)
	for i := range values {
		values[i] = half.Round(values[i]) // the same in every type
	}
	query := randomVector(rng, dim)
	encode := map[arrow.Type]func(float32) []byte{
		arrow.FLOAT16: func(x float32) []byte { return binary.LittleEndian.AppendUint16(nil, float16.New(x).Uint16()) },
		arrow.FLOAT32: func(x float32) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(x)) },
		arrow.FLOAT64: func(x float32) []byte { return binary.LittleEndian.AppendUint64(nil, math.Float64bits(float64(x))) },
	}
	for _, metric := range []distance.Metric{distance.L2, distance.Cosine, distance.Dot} {
		for element, enc := range encode {
			q, err := NewFlat(metric, dim, element)
			require.NoError(t, err)
			var codes []byte
			for _, x := range values {
				codes = append(codes, enc(x)...)
			}
			require.Equal(t, len(codes), n*q.CodeBytes())
			s := start(q, query)
			s.Enter(nil)
			dst, at := make([]float32, n-2), make([]float32, 1)
			s.Distances(dst, codes, n, 2)
			s.DistancesAt(at, codes, n, []uint32{9})
			require.Equal(t, dst[7], at[0])
			for i, d := range dst {
				require.InDelta(t, distance.Between(metric, query, values[(i+2)*dim:][:dim]), d, 1e-4)
			}
		}
	}
	_, err := NewFlat(distance.Hamming, 4, arrow.FLOAT32)
	require.True(t, fault.Is(err, fault.Unsupported))
	_, err = NewFlat(distance.L2, 4, arrow.INT64)
	require.True(t, fault.Is(err, fault.Unsupported))
	q, err := NewFlat(distance.Hamming, 2, arrow.UINT8)
	require.NoError(t, err)
	dst := make([]float32, 2)
	start(q, []float32{255, 1}).Distances(dst, []byte{0, 0, 255, 3}, 2, 0)
	require.Equal(t, []float32{9, 1}, dst)
	start(q, []float32{0.5, 1}).Distances(dst, []byte{0, 0, 255, 3}, 2, 0)
	require.True(t, dst[0] != dst[0])
}

func BenchmarkPQScan(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, bits := range []int{8, 4} {
		const dim, sub, n = 768, 96, 4096
		q, _, codes := randomPQ(b, rng, distance.L2, dim, sub, bits, n)
		s := start(q, randomVector(rng, dim))
		s.Enter(make([]float32, dim))
		dst := make([]float32, n)
		b.Run(fmt.Sprintf("dim=%d/sub=%d/bits=%d/rows=%d", dim, sub, bits, n), func(b *testing.B) {
			b.SetBytes(int64(len(codes)))
			b.ReportAllocs()
			for b.Loop() {
				s.Distances(dst, codes, n, 0)
			}
		})
	}
}

func BenchmarkPQTables(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, bits := range []int{8, 4} {
		const dim, sub = 768, 96
		q, _, _ := randomPQ(b, rng, distance.L2, dim, sub, bits, 1)
		s := start(q, randomVector(rng, dim))
		centroid := randomVector(rng, dim)
		b.Run(fmt.Sprintf("dim=%d/sub=%d/bits=%d", dim, sub, bits), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Enter(centroid)
			}
		})
	}
}

// A partition that was announced has the distances, and what Prune says of it, that it has on its own, whether it is entered next or not.
func TestPQAnnouncedPartitions(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const n = 300
	for _, metric := range []distance.Metric{distance.L2, distance.Cosine, distance.Dot} {
		for _, bits := range []int{4, 8} {
			for _, half := range []bool{false, true} {
				q, _, codes := randomPQ(t, rng, metric, 36, 4, bits, n)
				q.half = half
				queries := [][]float32{randomVector(rng, 36), randomVector(rng, 36)}
				centroids := [][]float32{randomVector(rng, 36), randomVector(rng, 36), randomVector(rng, 36)}
				look := func(s Scorer) (all []float32, mask []uint64) {
					all, mask = make([]float32, n), make([]uint64, (n+63)/64)
					s.Distances(all, codes, n, 0)
					if !s.(Pruner).Prune(mask, codes, n, 0, n, all[17]) {
						clear(mask)
					}
					return all, mask
				}
				s := start(q, queries[0])
				check := func(query, centroid int) {
					alone := start(q, queries[query])
					alone.Enter(centroids[centroid])
					want, wantMask := look(alone)
					s.Enter(centroids[centroid])
					got, gotMask := look(s)
					require.Equal(t, want, got)
					require.Equal(t, wantMask, gotMask)
				}
				announce := func(after int) { s.(Announcer).Announce(codes, centroids[after], codes) }
				announce(1)
				check(0, 0)
				check(0, 1)
				check(0, 1) // the tables ahead are used up
				announce(2)
				check(0, 0)
				check(0, 1) // another than was announced
				check(0, 2)
				announce(2)
				check(0, 1)
				s.Start(queries[1]) // what was done ahead was for the query before
				check(1, 2)
				announce(0)
				s.(Announcer).Announce(codes, nil, nil)
				check(1, 1)
				check(1, 0)
			}
		}
	}
}
