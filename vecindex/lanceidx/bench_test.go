package lanceidx

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/vecindex"
	"lanceflight/vecindex/ivf"
)

// Opening, and searching with partitions at hand or not, of 1,561 rows of 768 dimensions in 16 partitions.
func BenchmarkIndex(b *testing.B) {
	ctx := context.Background()
	root, dirs := fixtureDirs(b, "laion_v2_2")
	store := localStore(b, root)
	open := func(cache *Cache) vecindex.Index {
		x, err := OpenWith(ctx, store, dirs[0], Options{Cache: cache})
		require.NoError(b, err)
		return x
	}
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			open(NewCache(0)).Close()
		}
	})
	for name, cacheBytes := range map[string]int64{"cold": 0, "warm": 1 << 20} {
		b.Run("search/nprobes=16/"+name, func(b *testing.B) {
			x := open(NewCache(cacheBytes))
			defer x.Close()
			q := make([]float32, x.Dim())
			q[0] = 1
			b.SetBytes(x.NumRows() * 96)
			b.ReportAllocs()
			for b.Loop() {
				_, err := x.Search(ctx, q, vecindex.Params{K: 10, NProbes: 16, Workers: 1})
				require.NoError(b, err)
			}
		})
	}
}

// largeIndex names the folder of an index to measure, "…/laion-1m.lance/_indices/UUID".
const largeIndex = "LANCEFLIGHT_BENCH_INDEX"

// Searching an index of any size, from an environment variable; queries lie near its centroids.
func BenchmarkLargeIndex(b *testing.B) {
	dir := os.Getenv(largeIndex)
	if dir == "" {
		b.Skipf("set %s to the folder of an index", largeIndex)
	}
	ctx := context.Background()
	f, err := openFiles(ctx, localStore(b, filepath.Dir(filepath.Dir(dir))), "_indices/"+filepath.Base(dir),
		Options{Cache: NewCache(1 << 30)})
	require.NoError(b, err)
	m, err := f.model(ctx)
	require.NoError(b, err)
	x, err := ivf.New(m, f)
	require.NoError(b, err)
	defer x.Close()
	queries := nearby(x, m, 64)
	even := vecindex.NewRowSet()
	for row := range uint64(1 << 20) {
		if row%2 == 0 {
			for fragment := range uint64(4) {
				even.Add(fragment<<32 | row)
			}
		}
	}
	for _, c := range []struct {
		name string
		p    vecindex.Params
	}{
		{"nprobes=20/k=10", vecindex.Params{K: 10, NProbes: 20}},
		{"nprobes=20/k=100", vecindex.Params{K: 100, NProbes: 20}},
		{"nprobes=20/k=1000/filter=half", vecindex.Params{K: 1000, NProbes: 20, Filter: even}},
		{"nprobes=all/k=10", vecindex.Params{K: 10, NProbes: x.NumPartitions()}},
	} {
		for _, workers := range []int{1, 0} {
			c.p.Workers = workers
			b.Run(fmt.Sprintf("%s/workers=%d", c.name, workers), func(b *testing.B) {
				b.ReportAllocs()
				codes, i := int64(0), 0
				for b.Loop() {
					r, err := x.Search(ctx, queries[i%len(queries)], c.p)
					require.NoError(b, err)
					codes += r.Stats.CodesScanned
					i++
				}
				b.ReportMetric(float64(codes)/float64(i), "codes/op")
			})
		}
	}
}
