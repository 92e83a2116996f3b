package index

import (
	"context"
	"sync/atomic"
)

// Work counts what searches read from files; what the cache has costs nothing.
type Work struct {
	Reads atomic.Int64 // of a column, some pages of it at a time
	Bytes atomic.Int64 // of the values, decoded
}

type workKey struct{}

// WithWork returns a context under which what is read counts in w too.
func WithWork(ctx context.Context, w *Work) context.Context {
	return context.WithValue(ctx, workKey{}, w)
}

func countRead(ctx context.Context, bytes uint64) {
	if w, ok := ctx.Value(workKey{}).(*Work); ok {
		w.Reads.Add(1)
		w.Bytes.Add(int64(bytes))
	}
}
