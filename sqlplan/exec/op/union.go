package op

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
	Base
	at int // input being read
}

func NewUnion(n *plan.Union, env *Env, in []Operator) (Operator, error) {
	return &unionOp{Base: NewBase(env, "Union", n.Out, in...)}, nil
}

func (u *unionOp) Next(ctx context.Context) (arrow.RecordBatch, error) { return u.Pull(ctx, u.next) }

func (u *unionOp) next(ctx context.Context) (arrow.RecordBatch, error) {
	for u.at < len(u.In) {
		b, err := u.In[u.at].Next(ctx)
		if err == io.EOF {
			u.at++
			continue
		}
		if err != nil {
			return nil, err
		}
		defer b.Release()
		return MakeBatch(u.Schema, b.Columns(), b.NumRows())
	}
	return nil, io.EOF
}

func (u *unionOp) Splits() bool {
	for _, in := range u.In {
		if p, ok := in.(Parallel); ok && p.Splits() {
			return true
		}
	}
	return false
}

// Each drives one input after the other, each in parallel. The positions of an input start with the
// morsel behind the last of the one before.
func (u *unionOp) Each(ctx context.Context, fn EachFunc) error {
	var last atomic.Int64
	stopped := atomic.Bool{}
	for _, in := range u.In {
		first := Position((last.Load()>>32 + 1) << 32)
		err := Each(ctx, in, func(ctx context.Context, worker int, at Position, b arrow.RecordBatch) error {
			out, err := MakeBatch(u.Schema, b.Columns(), b.NumRows())
			if err != nil {
				return err
			}
			defer out.Release()
			at += first
			raise(&last, int64(at)+b.NumRows())
			u.Counters.Count(out)
			if err = fn(ctx, worker, at, out); err == ErrStop {
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
