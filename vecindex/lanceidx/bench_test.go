package lanceidx

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/vecindex"
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
