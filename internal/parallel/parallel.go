// Package parallel runs a loop on several goroutines.
package parallel

import (
	"context"
	"sync"
	"sync/atomic"
)

// For calls f for 0 … n-1, each once, from several goroutines, until ctx ends, which is the error. It returns when all calls are back.
func For(ctx context.Context, workers, n int, f func(i int)) error {
	var (
		wg   sync.WaitGroup
		next atomic.Int64
	)
	for range min(workers, n) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// Chunks calls f for ranges of size, the last one shorter, that make up 0 … n-1. What a caller sums by chunk and adds up in the order of
// chunks does not depend on the number of goroutines.
func Chunks(ctx context.Context, workers, n, size int, f func(chunk, from, to int)) error {
	return For(ctx, workers, (n+size-1)/size, func(i int) { f(i, i*size, min((i+1)*size, n)) })
}
