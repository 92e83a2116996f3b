package op

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// NewProject computes columns. Plain column references share the input's arrays.
func NewProject(n *plan.Project, env *Env, in Operator) (Operator, error) {
	at := Positions(in.Columns())
	programs := make([]*expr.Program, len(n.Exprs))
	for i, e := range n.Exprs {
		p, err := expr.Compile(e.Expr, at)
		if err != nil {
			return nil, err
		}
		programs[i] = p
	}
	p := &mapper{Base: NewBase(env, "Projection", n.Columns(), in)}
	p.apply = func(ctx context.Context, b arrow.RecordBatch) (arrow.RecordBatch, error) {
		cols, err := EvalAll(ctx, programs, Input(env, b))
		if err != nil {
			return nil, err
		}
		defer ReleaseAll(cols)
		return MakeBatch(p.Schema, cols, b.NumRows())
	}
	return p, nil
}

// EvalAll evaluates programs over one batch; the caller releases the arrays.
func EvalAll(ctx context.Context, programs []*expr.Program, in expr.Input) ([]arrow.Array, error) {
	cols := make([]arrow.Array, 0, len(programs))
	for _, p := range programs {
		a, err := p.Eval(ctx, in)
		if err != nil {
			ReleaseAll(cols)
			return nil, err
		}
		cols = append(cols, a)
	}
	return cols, nil
}

func ReleaseAll(cols []arrow.Array) {
	for _, c := range cols {
		if c != nil {
			c.Release()
		}
	}
}

// MakeBatch makes a batch that retains cols. Arrow's constructor panics where a column does not fit
// its field; here that is an error which names the column.
func MakeBatch(schema *arrow.Schema, cols []arrow.Array, rows int64) (arrow.RecordBatch, error) {
	for i, c := range cols {
		f := schema.Field(i)
		if int64(c.Len()) != rows {
			return nil, fault.New(fault.Internal, "column %q has %d rows in a batch of %d", f.Name, c.Len(), rows)
		}
		if !arrow.TypeEqual(c.DataType(), f.Type) {
			return nil, fault.New(fault.Internal, "column %q was planned as %s and came out as %s", f.Name, f.Type, c.DataType())
		}
	}
	return array.NewRecordBatch(schema, cols, rows), nil
}
