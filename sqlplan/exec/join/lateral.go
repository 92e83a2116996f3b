package join

import (
	"context"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/internal/gather"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/kernel"
	"lanceflight/sqlplan/plan"
)

// lateralOp runs its right side anew for every row of its left input, with values of that row as parameters.
//
//	left ──row──> parameters ──> build, open, drain right ──> batches ──┐
//	  └────────────────────────────────────────────────────────────────┴─> row beside its batches ──> output
//
// The right side splits its work over the workers as it would alone; rows of the left input follow each other. What is
// held is one left batch and the right rows of one output batch.
type lateralOp struct {
	op.Base
	node  *plan.LateralJoin
	build op.Builder      // of the right side, for each row
	args  []*expr.Program // over the left columns
	share *op.Share
	// shape is the right side as it was built first. It never runs: it carries the counters of those that do.
	shape op.Operator
	// ahead has answers of the right side that are found for several rows at a time; nil = none are.
	ahead op.RowsAhead

	left  arrow.RecordBatch
	cols  []arrow.Array // args over left
	row   int           // of left
	right op.Operator   // running for row; nil = none
	any   bool          // right has returned rows for row
	null  arrow.RecordBatch

	rows    []int32 // left rows of the output batch under way
	refs    []gather.Ref
	batches []arrow.RecordBatch // batches[0] is null
	bytes   int64
}

func NewLateralJoin(n *plan.LateralJoin, env *op.Env, build op.Builder, newAhead op.NewRowsAhead) (op.Operator, error) {
	left, err := build(n.Left, env)
	if err != nil {
		return nil, err
	}
	l := &lateralOp{node: n, build: build}
	inputs := []op.Operator{left}
	for _, root := range n.Inputs()[1:] {
		op, err := build(root, env)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, op)
	}
	l.Base, l.shape = op.NewBase(env, "LateralJoin", n.Out, inputs...), inputs[1]
	l.share = op.NewShare(env, &l.Counters, "lateral join")
	var args []expr.Expr
	for _, a := range n.Args {
		args = append(args, a.Expr)
	}
	if l.args, err = compileAll(args, left.Columns()); err != nil {
		return nil, err
	}
	at := op.Positions(slices.Concat(left.Columns(), l.shape.Columns()))
	for _, c := range n.Out {
		if _, ok := at[c.ID]; !ok {
			return nil, fault.New(fault.Internal, "lateral join: column %s is in neither input", c.Name)
		}
	}
	l.ahead = newAhead(n, l.shape, op.LateralRows{Env: l.Env, Share: l.share, RowEnv: l.rowEnv})
	return l, nil
}

func (l *lateralOp) Open(ctx context.Context) error { return l.In[0].Open(ctx) }

func (l *lateralOp) Next(ctx context.Context) (arrow.RecordBatch, error) { return l.Pull(ctx, l.next) }

func (l *lateralOp) next(ctx context.Context) (arrow.RecordBatch, error) {
	for {
		if l.left == nil {
			if err := l.nextLeft(ctx); err != nil {
				return nil, err
			}
		}
		for l.row < int(l.left.NumRows()) && l.bytes < l.Env.BatchSize() {
			if err := l.pullRight(ctx); err != nil {
				return nil, err
			}
		}
		out, err := l.flush()
		if l.row == int(l.left.NumRows()) {
			l.dropLeft()
		}
		if out != nil || err != nil {
			return out, err
		}
	}
}

func (l *lateralOp) nextLeft(ctx context.Context) (err error) {
	if l.left, err = l.In[0].Next(ctx); err != nil {
		l.left = nil
		return err
	}
	l.row = 0
	l.share.Force(kernel.BatchBytes(l.left))
	l.cols, err = op.EvalAll(ctx, l.args, op.Input(l.Env, l.left))
	return err
}

func (l *lateralOp) dropLeft() {
	if l.ahead != nil {
		l.ahead.Drop()
	}
	if l.left != nil {
		l.share.Release(kernel.BatchBytes(l.left))
		l.left.Release()
		op.ReleaseAll(l.cols)
		l.left, l.cols = nil, nil
	}
}

// pullRight takes one batch of the right side of the current row; at its end, it goes on to the next row.
func (l *lateralOp) pullRight(ctx context.Context) error {
	if l.right == nil {
		if err := l.start(ctx); err != nil {
			return err
		}
	}
	b, err := l.right.Next(ctx)
	if err == io.EOF {
		if !l.any && l.node.Kind == plan.LeftJoin {
			if err := l.missing(); err != nil {
				return err
			}
		}
		l.row++
		return l.stop()
	}
	if err != nil {
		return err
	}
	bytes := kernel.BatchBytes(b)
	if err := l.share.Reserve(bytes); err != nil {
		b.Release()
		return err
	}
	l.any = true
	l.bytes += bytes + b.NumRows()*8
	if len(l.batches) == 0 {
		l.batches = append(l.batches, nil)
	}
	n := int32(len(l.batches))
	l.batches = append(l.batches, b)
	for r := range int32(b.NumRows()) {
		l.rows = append(l.rows, int32(l.row))
		l.refs = append(l.refs, gather.Ref{Batch: n, Row: r})
	}
	return nil
}

// missing puts the current row out beside NULLs.
func (l *lateralOp) missing() (err error) {
	if l.null == nil {
		if l.null, err = nullRow(l.Env, op.SchemaOf(l.shape.Columns())); err != nil {
			return err
		}
	}
	l.rows, l.refs = append(l.rows, int32(l.row)), append(l.refs, gather.Ref{})
	l.bytes += 8
	return nil
}

// start runs the right side for the current row.
func (l *lateralOp) start(ctx context.Context) error {
	env, err := l.rowEnv(l.row)
	if err != nil {
		return err
	}
	if err := op.FillSlots(ctx, l.node.Subplans, &env, l.build); err != nil {
		return err
	}
	if l.ahead != nil {
		if env.Ahead, err = l.ahead.Answers(ctx, l.row, int(l.left.NumRows())); err != nil {
			return err
		}
	}
	right, err := l.build(l.node.Right, &env)
	if err != nil {
		return err
	}
	l.right, l.any = right, false
	return right.Open(ctx)
}

// rowEnv is the environment in which the right side runs for a row.
func (l *lateralOp) rowEnv(row int) (op.Env, error) {
	env := *l.Env
	env.Ahead = nil
	env.Params = slices.Clone(l.Env.Params)
	for i, a := range l.node.Args {
		for len(env.Params) <= a.Slot {
			env.Params = append(env.Params, expr.Literal{T: arrow.Null})
		}
		v, err := expr.LiteralAt(l.cols[i], row)
		if err != nil {
			return env, err
		}
		v.T = a.Expr.Type()
		env.Params[a.Slot] = v
	}
	return env, nil
}

// stop ends the right side of a row, and keeps its counters.
func (l *lateralOp) stop() error {
	if l.right == nil {
		return nil
	}
	addStats(l.shape, l.right)
	err := l.right.Close()
	l.right = nil
	return err
}

// addStats adds what the operators of a row's right side counted to those that stand for all rows.
func addStats(to, from op.Operator) {
	to.Stats().Add(from.Stats())
	if to, ok := to.(op.RowStandIn); ok {
		to.Follow(from)
	}
	for i, in := range from.Inputs() {
		if i < len(to.Inputs()) {
			addStats(to.Inputs()[i], in)
		}
	}
}

// flush makes a batch of the rows at hand; nil if there are none.
func (l *lateralOp) flush() (arrow.RecordBatch, error) {
	if len(l.rows) == 0 {
		return nil, nil
	}
	defer l.dropBatches()
	at := op.Positions(slices.Concat(l.In[0].Columns(), l.shape.Columns()))
	nleft := len(l.In[0].Columns())
	cols := make([]arrow.Array, 0, len(l.cols))
	defer func() { op.ReleaseAll(cols) }()
	for _, c := range l.node.Out {
		i := at[c.ID]
		var a arrow.Array
		var err error
		if i < nleft {
			a, err = gather.Take(l.Env.Mem, l.left.Column(i), l.rows)
		} else {
			a, err = l.rightColumn(i - nleft)
		}
		if err != nil {
			return nil, err
		}
		cols = append(cols, a)
	}
	return op.MakeBatch(l.Schema, cols, int64(len(l.rows)))
}

func (l *lateralOp) rightColumn(i int) (arrow.Array, error) {
	src := make([]arrow.Array, 0, len(l.batches)+1)
	for _, b := range l.batches {
		if b == nil { // the place of the NULLs, which may not be needed
			if b = l.null; b == nil {
				b = l.batches[1]
			}
		}
		src = append(src, b.Column(i))
	}
	if len(src) == 0 {
		src = append(src, l.null.Column(i))
	}
	return gather.Interleave(l.Env.Mem, src, l.refs)
}

func (l *lateralOp) dropBatches() {
	for _, b := range l.batches {
		if b != nil {
			l.share.Release(kernel.BatchBytes(b))
			b.Release()
		}
	}
	l.rows, l.refs, l.batches, l.bytes = l.rows[:0], l.refs[:0], l.batches[:0], 0
}

func (l *lateralOp) Close() error {
	err := l.stop()
	l.dropBatches()
	l.dropLeft()
	if l.null != nil {
		l.null.Release()
		l.null = nil
	}
	l.share.ReleaseAll()
	if l.Err == nil {
		l.Err = fault.New(fault.Internal, "lateral join is closed")
	}
	if cerr := l.Base.Close(); err == nil {
		err = cerr
	}
	return err
}
