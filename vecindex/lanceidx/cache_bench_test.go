package lanceidx

import (
	"context"
	"testing"
)

func BenchmarkCacheGet(b *testing.B) {
	c := NewCache(64 << 20)
	ctx := context.Background()
	calls := 0
	const parts = 256
	load := loader(10, &calls)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := c.get(ctx, cacheKey{root: "file:///data/train.lance", dir: "_indices/0123", partition: i % parts}, load); err != nil {
			b.Fatal(err)
		}
	}
}
