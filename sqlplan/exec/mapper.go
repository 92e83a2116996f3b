package exec

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// mapper is the common part of operators that turn each batch into one other, whatever the batches
// before it were: filter, project. It splits wherever its input does.
type mapper struct {
	base
	// apply makes the output of one batch, which it borrows; it may return an empty batch. It is
	// called from several goroutines at once.
	apply func(ctx context.Context, in arrow.RecordBatch) (arrow.RecordBatch, error)
}

func (m *mapper) Next(ctx context.Context) (arrow.RecordBatch, error) {
	return m.pull(ctx, func(ctx context.Context) (arrow.RecordBatch, error) {
		in, err := m.inputs[0].Next(ctx)
		if err != nil {
			return nil, err
		}
		defer in.Release()
		return m.apply(ctx, in)
	})
}

func (m *mapper) splits() bool {
	p, ok := m.inputs[0].(parallel)
	return ok && p.splits()
}

func (m *mapper) each(ctx context.Context, fn eachFunc) error {
	return each(ctx, m.inputs[0], func(ctx context.Context, worker int, at position, in arrow.RecordBatch) error {
		start := time.Now()
		out, err := m.apply(ctx, in)
		m.stats.WorkerNanos.Add(int64(time.Since(start)))
		if err != nil {
			return err
		}
		defer out.Release()
		if out.NumRows() == 0 {
			return nil
		}
		m.stats.count(out)
		return fn(ctx, worker, at, out)
	})
}
