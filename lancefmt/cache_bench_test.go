package lancefmt

import (
	"context"
	"testing"
)

func BenchmarkCacheGet(b *testing.B) {
	c := newCache(1 << 20)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p, err := get(ctx, c, deletedKeyOfBench{i % 100}, func(context.Context) (loaded[int], error) {
			return loaded[int]{value: i, cost: 100}, nil
		})
		if err != nil {
			b.Fatal(err)
		}
		p.release()
	}
}

type deletedKeyOfBench struct{ n int }
