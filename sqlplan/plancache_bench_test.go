package sqlplan

import (
	"fmt"
	"testing"
)

func BenchmarkPlanCacheGet(b *testing.B) {
	c := newPlanCache()
	keys := make([]planKey, 100)
	for i := range keys {
		keys[i] = planKey{sql: fmt.Sprintf("SELECT key FROM train WHERE width > %d ORDER BY img_emb <-> ? LIMIT 10", i)}
		c.put(keys[i], &Prepared{})
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if c.get(keys[i%len(keys)]) == nil {
			b.Fatal("gone")
		}
	}
}
