package search

import (
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/plan"
	"lanceflight/vecindex"
)

// VectorSearchOp returns the k rows nearest to a query, nearest first, ties by row id, as batches of row address, row id and distance.
// It makes a request of its node, runs it when the first batch is asked for, and cuts the hits into batches. Where the answer has been
// found already, together with those of other rows of a lateral join, it returns that.
type VectorSearchOp struct {
	op.Base
	node    *plan.VectorSearch
	Request Request // without k and queries until Open
	run     *Run

	outcome Outcome
	at      int // hits that were returned
	ready   bool
	// last is the search of the last row, closed, where this operator stands for those of all rows of a lateral join.
	last *VectorSearchOp
}

func NewVectorSearch(n *plan.VectorSearch, env *op.Env) (op.Operator, error) {
	v := &VectorSearchOp{Base: op.NewBase(env, "KNNVectorDistance", n.Columns()), node: n}
	if len(n.Indexes) > 0 {
		v.Counters.Name = "ANNSubIndex"
	}
	v.run = NewRun(env, n.Snap, &v.Counters, "vector search")
	var err error
	if v.Request, err = NewRequest(n); err != nil {
		return nil, err
	}
	// Whether the filter compiles is known now rather than at the first row.
	if _, err := v.run.scan(&v.Request, nil, n.Filter, v.Request.vectorCols()); err != nil {
		return nil, err
	}
	if n.Why != "" {
		v.Counters.Note(n.Why)
	}
	return v, nil
}

// Open evaluates what is constant for the execution: k, the query and its range.
func (v *VectorSearchOp) Open(ctx context.Context) error {
	k, query, err := bindSearch(&v.Request, v.node, v.Env)
	if err != nil {
		return err
	}
	v.Request = v.Request.Ask(k, query)
	return ctx.Err()
}

func (v *VectorSearchOp) Next(ctx context.Context) (arrow.RecordBatch, error) {
	return v.Pull(ctx, v.next)
}

// hitRows is the number of rows in a batch of hits: 20 bytes each.
const hitRows = 64 << 10

func (v *VectorSearchOp) next(ctx context.Context) (arrow.RecordBatch, error) {
	if !v.ready {
		if err := v.search(ctx); err != nil {
			return nil, err
		}
		v.ready = true
	}
	if v.at >= len(v.outcome.Hits) {
		return nil, io.EOF
	}
	n := min(hitRows, len(v.outcome.Hits)-v.at)
	hits, addrs := v.outcome.Hits[v.at:v.at+n], v.outcome.Addrs[v.at:v.at+n]
	v.at += n
	return v.batch(hits, addrs)
}

// search finds the hits, unless they have been found.
func (v *VectorSearchOp) search(ctx context.Context) error {
	if v.Request.K == 0 {
		return nil
	}
	if found, ok := v.Env.Ahead[v.node].(*Outcome); ok {
		v.outcome = *found
	} else {
		found, err := v.run.Search(ctx, v.Request)
		if err != nil {
			return err
		}
		v.outcome = *found[0]
	}
	v.Request.Options = v.outcome.options
	return nil
}

func (v *VectorSearchOp) batch(hits []vecindex.Hit, addrs []uint64) (arrow.RecordBatch, error) {
	addr, id := array.NewUint64Builder(v.Env.Mem), array.NewUint64Builder(v.Env.Mem)
	dist := array.NewFloat32Builder(v.Env.Mem)
	defer addr.Release()
	defer id.Release()
	defer dist.Release()
	for i, h := range hits {
		addr.Append(addrs[i])
		id.Append(h.RowID)
		d := h.Distance
		if v.node.Metric == vecindex.L2 {
			d = max(0, d) // A RaBitQ code's estimate of a small square may be negative, and has no root.
		}
		dist.Append(d)
	}
	cols := []arrow.Array{addr.NewArray(), id.NewArray(), dist.NewArray()}
	defer op.ReleaseAll(cols)
	return op.MakeBatch(v.Schema, cols, int64(len(hits)))
}

// Follow implements op.RowStandIn: it remembers the search of the last row, whose recall can be estimated.
func (v *VectorSearchOp) Follow(row op.Operator) {
	from := row.(*VectorSearchOp)
	last := from.last // of a join inside of this one
	if from.ready {
		last, from.Env.Ahead = from, nil
	}
	if last != nil {
		v.last = last
	}
}

func (v *VectorSearchOp) Close() error {
	v.outcome.Hits, v.outcome.Addrs = nil, nil
	v.run.Share.ReleaseAll()
	if v.Err == nil {
		v.Err = fault.New(fault.Internal, "vector search is closed")
	}
	return v.Base.Close()
}

var _ op.RowStandIn = (*VectorSearchOp)(nil)
