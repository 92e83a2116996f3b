package op

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/gather"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// NewFilter keeps the rows for which a condition is true. A batch that passes whole is passed on as it
// is, and a run of neighbouring rows as a slice of it.
func NewFilter(n *plan.Filter, env *Env, in Operator) (Operator, error) {
	cond, err := expr.Compile(n.Cond, Positions(in.Columns()))
	if err != nil {
		return nil, err
	}
	f := &mapper{Base: NewBase(env, "Filter", in.Columns(), in)}
	f.apply = func(ctx context.Context, b arrow.RecordBatch) (arrow.RecordBatch, error) {
		f.Counters.RowsRead.Add(b.NumRows())
		sel, err := cond.Select(ctx, Input(env, b), nil)
		if err != nil {
			return nil, err
		}
		return gather.TakeBatch(env.Mem, b, sel)
	}
	return f, nil
}

// Input is what an expression sees of a batch.
func Input(env *Env, b arrow.RecordBatch) expr.Input {
	return expr.Input{Cols: b.Columns(), Rows: int(b.NumRows()), Params: env.Params, Mem: env.Mem}
}
