package exec

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"

	"lanceflight/sqlplan/plan"
)

// newProject computes columns. Plain column references share the input's arrays.
func newProject(n *plan.Project, env *Env, in Operator) (Operator, error) {
	at := positions(in.Columns())
	programs := make([]*expr.Program, len(n.Exprs))
	for i, e := range n.Exprs {
		p, err := expr.Compile(e.Expr, at)
		if err != nil {
			return nil, err
		}
		programs[i] = p
	}
	p := &mapper{base: newBase(env, "Projection", n.Columns(), in)}
	p.apply = func(ctx context.Context, b arrow.RecordBatch) (arrow.RecordBatch, error) {
		cols, err := evalAll(ctx, programs, input(env, b))
		if err != nil {
			return nil, err
		}
		defer releaseAll(cols)
		return makeBatch(p.schema, cols, b.NumRows())
	}
	return p, nil
}

// evalAll evaluates programs over one batch; the caller releases the arrays.
func evalAll(ctx context.Context, programs []*expr.Program, in expr.Input) ([]arrow.Array, error) {
	cols := make([]arrow.Array, 0, len(programs))
	for _, p := range programs {
		a, err := p.Eval(ctx, in)
		if err != nil {
			releaseAll(cols)
			return nil, err
		}
		cols = append(cols, a)
	}
	return cols, nil
}

func releaseAll(cols []arrow.Array) {
	for _, c := range cols {
		if c != nil {
			c.Release()
		}
	}
}

// makeBatch makes a batch that retains cols. Arrow's constructor panics where a column does not fit
// its field; here that is an error which names the column.
func makeBatch(schema *arrow.Schema, cols []arrow.Array, rows int64) (arrow.RecordBatch, error) {
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
