package exec

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/plan"
)

// unionOp yields the rows of its inputs, one input behind the other. Columns correspond by position
// and take the union's names.
type unionOp struct {
	base
	at int // input being read
}

func newUnion(n *plan.Union, env *Env, in []Operator) (Operator, error) {
	return &unionOp{base: newBase(env, "Union", n.Out, in...)}, nil
}

func (u *unionOp) Next(ctx context.Context) (arrow.RecordBatch, error) { return u.pull(ctx, u.next) }

func (u *unionOp) next(ctx context.Context) (arrow.RecordBatch, error) {
	for u.at < len(u.inputs) {
		b, err := u.inputs[u.at].Next(ctx)
		if err == io.EOF {
			u.at++
			continue
		}
		if err != nil {
			return nil, err
		}
		defer b.Release()
		return makeBatch(u.schema, b.Columns(), b.NumRows())
	}
	return nil, io.EOF
}

func (u *unionOp) splits() bool {
	for _, in := range u.inputs {
		if p, ok := in.(parallel); ok && p.splits() {
			return true
		}
	}
	return false
}

// each drives one input after the other, each in parallel. The positions of an input start with the
// morsel behind the last of the one before.
func (u *unionOp) each(ctx context.Context, fn eachFunc) error {
	var last atomic.Int64
	stopped := atomic.Bool{}
	for _, in := range u.inputs {
		first := position((last.Load()>>32 + 1) << 32)
		err := each(ctx, in, func(ctx context.Context, worker int, at position, b arrow.RecordBatch) error {
			out, err := makeBatch(u.schema, b.Columns(), b.NumRows())
			if err != nil {
				return err
			}
			defer out.Release()
			at += first
			raise(&last, int64(at)+b.NumRows())
			u.stats.count(out)
			if err = fn(ctx, worker, at, out); err == errStop {
				stopped.Store(true)
			}
			return err
		})
		if err != nil || stopped.Load() {
			return err
		}
	}
	return nil
}

func raise(v *atomic.Int64, n int64) {
	for {
		old := v.Load()
		if n <= old || v.CompareAndSwap(old, n) {
			return
		}
	}
}
