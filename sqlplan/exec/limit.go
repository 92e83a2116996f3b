package exec

import (
	"context"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/plan"
)

// limitOp skips rows, passes some, and then stops pulling.
type limitOp struct {
	base
	node       *plan.Limit
	skip, left int64
}

func newLimit(n *plan.Limit, env *Env, in Operator) (Operator, error) {
	return &limitOp{base: newBase(env, "Limit", in.Columns(), in), node: n}, nil
}

func (l *limitOp) Open(ctx context.Context) (err error) {
	if l.left, err = constInt(l.node.Count, l.env, math.MaxInt64, "LIMIT"); err != nil {
		return err
	}
	if l.skip, err = constInt(l.node.Offset, l.env, 0, "OFFSET"); err != nil {
		return err
	}
	return l.base.Open(ctx)
}

func (l *limitOp) Next(ctx context.Context) (arrow.RecordBatch, error) { return l.pull(ctx, l.next) }

func (l *limitOp) next(ctx context.Context) (arrow.RecordBatch, error) {
	for {
		if l.left == 0 {
			return nil, io.EOF
		}
		b, err := l.inputs[0].Next(ctx)
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
