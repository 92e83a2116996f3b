package index

import "testing"

func BenchmarkCacheGet(b *testing.B) {
	c := NewCache(64 << 20)
	const pages = 1000
	for i := range uint32(pages) {
		c.put(cacheKey{1, i, 0}, make([]byte, 64), 4096)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := uint32(0); pb.Next(); i++ {
			if _, ok := c.get(cacheKey{1, i % pages, 0}); !ok {
				b.Fatal("gone")
			}
		}
	})
}
