package op

import (
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/kernel"
	"lanceflight/sqlplan/plan"
)

// valuesOp yields literal rows, a batch of at most valuesRows at a time.
type valuesOp struct {
	Base
	node *plan.Values
	row  int
}

const valuesRows = 4096

func NewValues(n *plan.Values, env *Env) (Operator, error) {
	return &valuesOp{Base: NewBase(env, "Values", n.Out), node: n}, nil
}

func (v *valuesOp) Next(ctx context.Context) (arrow.RecordBatch, error) { return v.Pull(ctx, v.next) }

func (v *valuesOp) next(context.Context) (arrow.RecordBatch, error) {
	if v.row >= len(v.node.Rows) {
		return nil, io.EOF
	}
	rows := v.node.Rows[v.row:min(v.row+valuesRows, len(v.node.Rows))]
	v.row += len(rows)
	cols := make([]arrow.Array, 0, len(v.Cols))
	defer func() { ReleaseAll(cols) }()
	for c, col := range v.Cols {
		a, err := v.column(rows, c, col.Type)
		if err != nil {
			return nil, err
		}
		cols = append(cols, a)
	}
	return MakeBatch(v.Schema, cols, int64(len(rows)))
}

// column builds column c of the rows out of one-row arrays.
func (v *valuesOp) column(rows [][]expr.Expr, c int, t arrow.DataType) (arrow.Array, error) {
	cells := make([]arrow.Array, 0, len(rows))
	defer func() { ReleaseAll(cells) }()
	for _, row := range rows {
		l, err := expr.ConstValue(row[c], v.Env.Params)
		if err != nil {
			return nil, err
		}
		if l.T == nil || !arrow.TypeEqual(l.T, t) {
			if l, err = expr.CastLiteral(l, t); err != nil {
				return nil, err
			}
		}
		a, err := expr.Broadcast(l, 1, v.Env.Mem)
		if err != nil {
			return nil, err
		}
		cells = append(cells, a)
	}
	if len(cells) == 1 {
		cells[0].Retain()
		return cells[0], nil
	}
	return array.Concatenate(cells, v.Env.Mem)
}

// recordsOp yields an in-memory relation, made when it is first asked for, in slices of the batch
// size.
type recordsOp struct {
	Base
	node *plan.Records
	made arrow.RecordBatch
	row  int64
	rows int64 // per slice
}

func NewRecords(n *plan.Records, env *Env) (Operator, error) {
	return &recordsOp{Base: NewBase(env, "Records", n.Out), node: n}, nil
}

func (r *recordsOp) Next(ctx context.Context) (arrow.RecordBatch, error) { return r.Pull(ctx, r.next) }

func (r *recordsOp) next(context.Context) (arrow.RecordBatch, error) {
	if r.made == nil {
		b, err := r.node.Make()
		if err != nil {
			return nil, err
		}
		defer b.Release()
		if r.made, err = MakeBatch(r.Schema, b.Columns(), b.NumRows()); err != nil {
			return nil, err
		}
		r.rows = RowsPerBatch(kernel.BatchBytes(b), b.NumRows(), r.Env.BatchSize())
	}
	if r.row >= r.made.NumRows() {
		return nil, io.EOF
	}
	to := min(r.row+r.rows, r.made.NumRows())
	b := r.made.NewSlice(r.row, to)
	r.row = to
	return b, nil
}

func (r *recordsOp) Close() error {
	if r.made != nil {
		r.made.Release()
		r.made, r.row, r.Err = nil, 0, io.EOF
	}
	return r.Base.Close()
}

// RowsPerBatch is how many rows of the given average size make a batch, at least one.
func RowsPerBatch(bytes, rows, batchBytes int64) int64 {
	if bytes <= batchBytes || rows == 0 {
		return max(rows, 1)
	}
	return max(1, int64(float64(batchBytes)/(float64(bytes)/float64(rows))))
}
