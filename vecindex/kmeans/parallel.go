package kmeans

import (
	"context"
	"sync"
	"sync/atomic"
)

// chunkRows is the unit of work; what is summed is summed by chunk, so that the order of additions does not
// depend on the number of goroutines.
const chunkRows = 1200

func numChunks(n int) int { return (n + chunkRows - 1) / chunkRows }

// chunks calls f for every chunk of 0 … n-1.
func chunks(ctx context.Context, workers, n int, f func(chunk, from, to int)) error {
	return parallel(ctx, workers, numChunks(n), func(i int) { f(i, i*chunkRows, min((i+1)*chunkRows, n)) })
}

// parallel calls f for 0 … n-1 from several goroutines, until ctx ends. It returns when all are back.
func parallel(ctx context.Context, workers, n int, f func(i int)) error {
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
