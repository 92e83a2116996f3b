package quantize

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/vecindex/distance"
)

// requirePruned checks that no row within the threshold is lost, and returns how many are left.
func requirePruned(t testing.TB, s Scorer, codes []byte, n, first, count int, threshold float32) int {
	mask := make([]uint64, (count+63)/64)
	for i := range mask {
		mask[i] = rand.Uint64() // must be overwritten
	}
	if !s.(Pruner).Prune(mask, codes, n, first, count, threshold) {
		return count
	}
	dst := make([]float32, count)
	s.Distances(dst, codes, n, first)
	left := 0
	for i, d := range dst {
		kept := mask[i/64]>>(i%64)&1 != 0
		if d <= threshold {
			require.True(t, kept, "row %d at %v is lost, threshold %v", i, d, threshold)
		}
		if kept {
			left++
		}
	}
	if tail := count % 64; tail != 0 {
		require.Zero(t, mask[len(mask)-1]>>tail, "bits behind the last row")
	}
	return left
}

func TestPruningLosesNoRowWithinTheThreshold(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, metric := range []distance.Metric{distance.L2, distance.Dot} {
		for _, c := range []struct{ dim, sub, bits, n int }{
			{32, 4, 8, 1000}, {35, 5, 8, 300}, {768, 96, 8, 500}, {12, 3, 8, 128}, {9, 1, 8, 129}, {64, 64, 8, 191},
			{512, 512, 8, 130}, {32, 8, 4, 1000}, {768, 96, 4, 333}, {12, 2, 4, 200},
		} {
			q, _, codes := randomPQ(t, rng, metric, c.dim, c.sub, c.bits, c.n)
			s := start(q, randomVector(rng, c.dim))
			for range 3 {
				s.Enter(randomVector(rng, c.dim))
				all := make([]float32, c.n)
				s.Distances(all, codes, c.n, 0)
				sorted := slices.Clone(all)
				slices.Sort(sorted)
				for _, at := range []int{c.n / 2, 20, 0} { // thresholds only fall within a partition
					requirePruned(t, s, codes, c.n, 0, c.n, sorted[at])
					requirePruned(t, s, codes, c.n, c.n-128, 128, sorted[at])
				}
				requirePruned(t, s, codes, c.n, 0, c.n, sorted[0]-1)
				requirePruned(t, s, codes, c.n, 0, c.n, -1e30)
			}
		}
	}
}

func TestPruningIsWorthItsWhile(t *testing.T) {
	if !canPrune {
		t.Skip("this processor, or build tag noasm, has no kernels to prune with")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 4096
	for _, bits := range []int{8, 4} {
		q, _, codes := randomPQ(t, rng, distance.L2, 768, 96, bits, n)
		s := start(q, randomVector(rng, 768))
		s.Enter(randomVector(rng, 768))
		all := make([]float32, n)
		s.Distances(all, codes, n, 0)
		slices.Sort(all)
		left := requirePruned(t, s, codes, n, 0, n, all[50])
		require.Less(t, left, 200, "%d bits", bits)
	}
}

func TestPruningGivesUpOnNumbersThatAreNone(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	rng := rand.New(rand.NewPCG(1, 2))
	for _, bad := range []float32{nan, inf, 3e38} {
		book := randomVector(rng, 8<<8)
		book[77] = bad
		q, err := NewPQ(PQConfig{Dim: 8, SubVectors: 4, Bits: 8, Codebook: book})
		require.NoError(t, err)
		codes := make([]byte, 4*200)
		for i := range codes {
			codes[i] = byte(rng.IntN(256))
		}
		s := start(q, randomVector(rng, 8))
		centroid := randomVector(rng, 8)
		s.Enter(centroid)
		for _, threshold := range []float32{1, 10, nan, inf, -inf} {
			requirePruned(t, s, codes, 200, 0, 200, threshold)
		}
		centroid[3] = bad
		s.Enter(centroid)
		requirePruned(t, s, codes, 200, 0, 200, 10)
	}
	// All entries alike.
	q, err := NewPQ(PQConfig{Dim: 8, SubVectors: 4, Bits: 8, Codebook: make([]float32, 8<<8)})
	require.NoError(t, err)
	for _, query := range [][]float32{make([]float32, 8), {1, 2, 3, 4, 5, 6, 7, 8}} {
		s := start(q, query)
		s.Enter(make([]float32, 8))
		for _, threshold := range []float32{0, 203, 204, 205, 1e-30} {
			requirePruned(t, s, make([]byte, 4*200), 200, 0, 200, threshold)
		}
	}
}

// FuzzPrune compares the kernels with their definitions on arbitrary tables and codes.
func FuzzPrune(f *testing.F) {
	seed := make([]byte, 3000)
	for i := range seed {
		seed[i] = byte(i * i >> 3)
	}
	f.Add(seed, uint8(4), uint16(130), uint16(900), float32(1))
	f.Add(seed, uint8(7), uint16(128), uint16(0), float32(0.01))
	f.Add(seed[:100], uint8(1), uint16(200), uint16(65535), float32(1e9))
	f.Fuzz(func(t *testing.T, data []byte, numBytes uint8, rows, cutoff uint16, inverse float32) {
		nb, n := int(numBytes)%9+1, int(rows)%300+1
		at := func(i int) byte {
			if len(data) == 0 {
				return 0
			}
			return data[i%len(data)] ^ byte(i/len(data))
		}
		tables := make([]float32, nb*256)
		for i := range tables {
			tables[i] = math.Float32frombits(binary.LittleEndian.Uint32([]byte{at(4 * i), at(4*i + 1), at(4*i + 2), at(4*i + 3)}))
			if tables[i] != tables[i] {
				tables[i] = 0 // NaN entries never come this far
			}
		}
		mins, mags := make([]float32, nb), make([]float32, nb)
		wantMins, wantMags := make([]float32, nb), make([]float32, nb)
		tableRanges(mins, mags, tables)
		tableRangesPortable(wantMins, wantMags, tables)
		require.Equal(t, wantMags, mags)
		for i, m := range wantMins {
			require.True(t, m == mins[i], "%v %v", m, mins[i]) // zeros of either sign are one
		}
		if inverse > 0 && inverse < 1e30 {
			got, want := make([]byte, len(tables)), make([]byte, len(tables))
			quantizeTables(got, tables, mins, inverse)
			quantizeTablesPortable(want, tables, mins, inverse)
			require.Equal(t, want, got)
		}

		bytes, codes := make([]byte, nb*256), make([]byte, nb*n)
		for i := range bytes {
			bytes[i] = at(i)
		}
		for i := range codes {
			codes[i] = at(i * 7)
		}
		first := int(cutoff) % n
		count := n - first
		got, want := make([]uint64, (count+63)/64), make([]uint64, (count+63)/64)
		acc := make([]uint16, (count+63)&^63)
		pruneSums(got, acc, bytes, codes, n, first, count, cutoff)
		pruneSumsPortable(want, bytes, codes, n, first, count, cutoff)
		require.Equal(t, want, got)
	})
}

func BenchmarkPQPrune(b *testing.B) {
	if !canPrune {
		b.Skip("no kernels")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, bits := range []int{8, 4} {
		const dim, sub, n = 768, 96, 4096
		q, _, codes := randomPQ(b, rng, distance.L2, dim, sub, bits, n)
		s := start(q, randomVector(rng, dim)).(*pqScorer)
		s.Enter(make([]float32, dim))
		all := make([]float32, n)
		s.Distances(all, codes, n, 0)
		slices.Sort(all)
		mask := make([]uint64, n/64)
		b.Run(fmt.Sprintf("dim=%d/sub=%d/bits=%d/rows=%d", dim, sub, bits, n), func(b *testing.B) {
			b.SetBytes(int64(len(codes)))
			b.ReportAllocs()
			for b.Loop() {
				s.Prune(mask, codes, n, 0, n, all[10])
			}
		})
		b.Run(fmt.Sprintf("tables/dim=%d/sub=%d/bits=%d", dim, sub, bits), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.prune.state = pruneUnknown
				s.Prune(mask, codes, n, 0, minPruneRows, all[10])
			}
		})
	}
}
