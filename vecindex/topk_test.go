package vecindex

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// bruteTopK is the definition: sort everything that qualifies, keep k.
func bruteTopK(k int, all []Hit) []Hit {
	var out []Hit
	for _, h := range all {
		if h.Distance == h.Distance {
			out = append(out, h)
		}
	}
	slices.SortFunc(out, Hit.Compare)
	return out[:min(k, len(out))]
}

func TestTopKIsTheHeadOfTheSortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(0, 20).Draw(t, "k")
		// Few distinct distances, so that ties at the threshold are common; each row once.
		distances := rapid.SliceOf(rapid.SampledFrom([]float32{0, 1, 1, 2, 3, -1,
			float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))})).Draw(t, "distances")
		all := make([]Hit, len(distances))
		for i, d := range distances {
			all[i] = Hit{RowID: uint64(i), Distance: d}
		}
		want := bruteTopK(k, all)
		perm := rapid.Permutation(all).Draw(t, "order")

		one, batch := NewTopK(k), NewTopK(k)
		var ids []uint64
		var ds []float32
		parts := []*TopK{NewTopK(k), NewTopK(k), NewTopK(k)}
		for i, h := range perm {
			one.Push(h.RowID, h.Distance)
			ids, ds = append(ids, h.RowID), append(ds, h.Distance)
			parts[i%3].Push(h.RowID, h.Distance)
		}
		batch.PushBatch(ds, ids)
		merged := NewTopK(k)
		for _, p := range parts {
			merged.Merge(p)
		}
		hits := NewTopK(k)
		hits.PushHits(perm)
		for name, got := range map[string]*TopK{"push": one, "batch": batch, "merge": merged, "hits": hits} {
			require.Equal(t, len(want), got.Len(), name)
			for i, h := range got.Hits() {
				require.Equal(t, want[i], h, "%s %d", name, i)
			}
			require.Equal(t, k <= len(want), got.Full())
			if got.Full() && k > 0 {
				require.Equal(t, want[k-1].Distance, got.Threshold())
			} else {
				require.Equal(t, float32(math.Inf(1)), got.Threshold())
			}
		}
		require.Equal(t, len(want), len(MergeHits(k, perm, perm[:len(perm)/2])), "duplicates count once")
	})
}

func TestTopKOfManyHits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const k, n = 10000, 100000
	top := NewTopK(k)
	all := make([]Hit, n)
	for i := range all {
		all[i] = Hit{RowID: rng.Uint64(), Distance: rng.Float32()}
		top.Push(all[i].RowID, all[i].Distance)
	}
	require.Equal(t, bruteTopK(k, all), top.Hits())
	top.Reset(3)
	require.Zero(t, top.Len())
	top.PushHits(all)
	require.Equal(t, bruteTopK(3, all), top.Hits())
}

func TestMergeHitsKeepsARowOnceAtItsSmallerDistance(t *testing.T) {
	a := []Hit{{1, 0.5}, {2, 0.7}}
	b := []Hit{{2, 0.6}, {3, float32(math.NaN())}, {4, 0.9}}
	require.Equal(t, []Hit{{1, 0.5}, {2, 0.6}, {4, 0.9}}, MergeHits(10, a, b))
	require.Equal(t, []Hit{{1, 0.5}}, MergeHits(1, a, b))
	require.Empty(t, MergeHits(0, a, b))
	require.Empty(t, MergeHits(-1, a))
	require.Empty(t, MergeHits(5))
}

func BenchmarkTopKPushBatch(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 1 << 16
	ds, ids := make([]float32, n), make([]uint64, n)
	for i := range ds {
		ds[i], ids[i] = rng.Float32(), uint64(i)
	}
	for _, k := range []int{10, 100, 10000} {
		b.Run(fmt.Sprintf("k=%d/rows=%d", k, n), func(b *testing.B) {
			b.SetBytes(4 * n)
			b.ReportAllocs()
			top := NewTopK(k)
			for b.Loop() {
				top.Reset(k)
				top.PushBatch(ds, ids)
			}
		})
	}
}
