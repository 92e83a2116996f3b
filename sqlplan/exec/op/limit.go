package op

import (
	"context"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/plan"
)

// limitOp skips rows, passes some, and then stops pulling.
type limitOp struct {
	Base
	node       *plan.Limit
	skip, left int64
}

func NewLimit(n *plan.Limit, env *Env, in Operator) (Operator, error) {
	return &limitOp{Base: NewBase(env, "Limit", in.Columns(), in), node: n}, nil
}

func (l *limitOp) Open(ctx context.Context) (err error) {
	if l.left, err = ConstInt(l.node.Count, l.Env, math.MaxInt64, "LIMIT"); err != nil {
		return err
	}
	if l.skip, err = ConstInt(l.node.Offset, l.Env, 0, "OFFSET"); err != nil {
		return err
	}
	return l.Base.Open(ctx)
}

func (l *limitOp) Next(ctx context.Context) (arrow.RecordBatch, error) { return l.Pull(ctx, l.next) }

func (l *limitOp) next(ctx context.Context) (arrow.RecordBatch, error) {
	for {
		if l.left == 0 {
			return nil, io.EOF
		}
		b, err := l.In[0].Next(ctx)
		if err != nil {
			return nil, err
		}
		n := b.NumRows()
		if l.skip >= n {
			l.skip -= n
			b.Release()
			continue
		}
		from := l.skip
		to := n
		if n-from > l.left {
			to = from + l.left
		}
		l.skip, l.left = 0, l.left-(to-from)
		if from == 0 && to == n {
			return b, nil
		}
		defer b.Release()
		return b.NewSlice(from, to), nil
	}
}
