package kmeans

import (
	"context"

	"lanceflight/internal/parallel"
)

// chunkRows is the unit of work; what is summed is summed by chunk.
const chunkRows = 1200

func numChunks(n int) int { return (n + chunkRows - 1) / chunkRows }

func chunks(ctx context.Context, workers, n int, f func(chunk, from, to int)) error {
	return parallel.Chunks(ctx, workers, n, chunkRows, f)
}
