package agg

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/internal/gather"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/plan"
)

// distinctOp passes the first row of every distinct key, in input order, as it sees them. Its memory
// is the table of keys; the rows are not kept.
type distinctOp struct {
	op.Base
	on     []int
	groups *op.Grouper
	share  *op.Share
	held   int64
	ids    []int32
}

func NewDistinct(n *plan.Distinct, env *op.Env, in op.Operator) (op.Operator, error) {
	d := &distinctOp{Base: op.NewBase(env, "Distinct", in.Columns(), in)}
	d.share = op.NewShare(env, &d.Counters, "DISTINCT")
	at := op.Positions(in.Columns())
	if n.On == nil {
		for i := range in.Columns() {
			d.on = append(d.on, i)
		}
	}
	for _, id := range n.On {
		i, ok := at[id]
		if !ok {
			return nil, fault.New(fault.Internal, "DISTINCT ON column %d is not in its input", id)
		}
		d.on = append(d.on, i)
	}
	types := make([]arrow.DataType, len(d.on))
	for i, c := range d.on {
		types[i] = in.Columns()[c].Type
	}
	d.groups = op.NewGrouper(types)
	return d, nil
}

func (d *distinctOp) Next(ctx context.Context) (arrow.RecordBatch, error) { return d.Pull(ctx, d.next) }

func (d *distinctOp) next(ctx context.Context) (arrow.RecordBatch, error) {
	b, err := d.In[0].Next(ctx)
	if err != nil {
		return nil, err
	}
	defer b.Release()
	keys := make([]arrow.Array, len(d.on))
	for i, c := range d.on {
		keys[i] = b.Column(c)
	}
	var fresh []int32
	d.ids, fresh, err = d.groups.Assign(keys, int(b.NumRows()), d.ids[:0], nil)
	if err != nil {
		return nil, err
	}
	if grown := d.groups.Bytes() - d.held; grown > 0 {
		if err := d.share.Reserve(grown); err != nil {
			return nil, err
		}
		d.held += grown
	}
	return gather.TakeBatch(d.Env.Mem, b, fresh)
}

func (d *distinctOp) Close() error {
	d.share.ReleaseAll()
	d.groups = nil
	return d.Base.Close()
}
