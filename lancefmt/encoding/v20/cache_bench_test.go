package v20

import "testing"

func BenchmarkCacheGet(b *testing.B) {
	var c cache
	const pages = 32
	for i := range pages {
		c.put(cacheKey{page: i}, make([]byte, 8), 4096)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if c.get(cacheKey{page: i / 100 % pages}) == nil {
			b.Fatal("gone")
		}
	}
}
