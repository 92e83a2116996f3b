package order

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/kernel"
	"lanceflight/sqlplan/plan"
)

// sortKeys evaluates and encodes the keys of a sort. It is immutable: workers share one.
type sortKeys struct {
	env      *op.Env
	programs []*expr.Program
	orders   []kernel.Order
	// nearest: rows whose first key is NULL are left out.
	nearest bool
}

func newSortKeys(keys []plan.SortKey, env *op.Env, cols []plan.Col) (*sortKeys, error) {
	k := &sortKeys{env: env}
	at := op.Positions(cols)
	for _, key := range keys {
		p, err := expr.Compile(key.Expr, at)
		if err != nil {
			return nil, err
		}
		k.programs = append(k.programs, p)
		k.orders = append(k.orders, kernel.Order{Desc: key.Desc, NullsFirst: key.NullsFirst})
	}
	return k, nil
}

// eval returns the key columns of a batch; the caller releases them.
func (k *sortKeys) eval(ctx context.Context, b arrow.RecordBatch) ([]arrow.Array, error) {
	return op.EvalAll(ctx, k.programs, op.Input(k.env, b))
}

// single reports whether one word orders the rows but for NULLs.
func (k *sortKeys) single(cols []arrow.Array) bool {
	return len(cols) == 1 && op.WordType(cols[0].DataType())
}
