package op

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// mapper is the common part of operators that turn each batch into one other, whatever the batches
// before it were: filter, project. It splits wherever its input does.
type mapper struct {
	Base
	// apply makes the output of one batch, which it borrows; it may return an empty batch. It is
	// called from several goroutines at once.
	apply func(ctx context.Context, in arrow.RecordBatch) (arrow.RecordBatch, error)
}

func (m *mapper) Next(ctx context.Context) (arrow.RecordBatch, error) {
	return m.Pull(ctx, func(ctx context.Context) (arrow.RecordBatch, error) {
		in, err := m.In[0].Next(ctx)
		if err != nil {
			return nil, err
		}
		defer in.Release()
		return m.apply(ctx, in)
	})
}

func (m *mapper) Splits() bool {
	p, ok := m.In[0].(Parallel)
	return ok && p.Splits()
}

func (m *mapper) Each(ctx context.Context, fn EachFunc) error {
	return Each(ctx, m.In[0], func(ctx context.Context, worker int, at Position, in arrow.RecordBatch) error {
		start := time.Now()
		out, err := m.apply(ctx, in)
		m.Counters.WorkerNanos.Add(int64(time.Since(start)))
		if err != nil {
			return err
		}
		defer out.Release()
		if out.NumRows() == 0 {
			return nil
		}
		m.Counters.Count(out)
		return fn(ctx, worker, at, out)
	})
}

// Operators that split say so by implementing Parallel, which nothing else would notice if they stopped.
var (
	_ Parallel = (*mapper)(nil)
	_ Parallel = (*unionOp)(nil)
)
