package exec

import (
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/plan"
	"lanceflight/vecindex"
)

// vectorSearchOp returns the k rows nearest to a query, nearest first, ties by row id, as batches of row address, row id and distance.
// It makes a request of its node, runs it when the first batch is asked for, and cuts the hits into batches. Where the answer has been
// found already, together with those of other rows of a lateral join, it returns that.
type vectorSearchOp struct {
	base
	node    *plan.VectorSearch
	request searchRequest // without k and queries until Open
	run     *searchRun

	outcome searchOutcome
	at      int // hits that were returned
	ready   bool
	// last is the search of the last row, closed, where this operator stands for those of all rows of a lateral join.
	last *vectorSearchOp
}

func newVectorSearch(n *plan.VectorSearch, env *Env) (Operator, error) {
	v := &vectorSearchOp{base: newBase(env, "KNNVectorDistance", n.Columns()), node: n}
	if len(n.Indexes) > 0 {
		v.stats.Name = "ANNSubIndex"
	}
	v.run = newSearchRun(env, n.Snap, &v.stats, "vector search")
	var err error
	if v.request, err = newSearchRequest(n); err != nil {
		return nil, err
	}
	// Whether the filter compiles is known now rather than at the first row.
	if _, err := v.run.scan(&v.request, nil, n.Filter, v.request.vectorCols()); err != nil {
		return nil, err
	}
	if n.Why != "" {
		v.stats.Note(n.Why)
	}
	return v, nil
}

// Open evaluates what is constant for the execution: k, the query and its range.
func (v *vectorSearchOp) Open(ctx context.Context) error {
	k, query, err := bindSearch(&v.request, v.node, v.env)
	if err != nil {
		return err
	}
	v.request = v.request.ask(k, query)
	return ctx.Err()
}

func (v *vectorSearchOp) Next(ctx context.Context) (arrow.RecordBatch, error) {
	return v.pull(ctx, v.next)
}

// hitRows is the number of rows in a batch of hits: 20 bytes each.
const hitRows = 64 << 10

func (v *vectorSearchOp) next(ctx context.Context) (arrow.RecordBatch, error) {
	if !v.ready {
		if err := v.search(ctx); err != nil {
			return nil, err
		}
		v.ready = true
	}
	if v.at >= len(v.outcome.hits) {
		return nil, io.EOF
	}
	n := min(hitRows, len(v.outcome.hits)-v.at)
	hits, addrs := v.outcome.hits[v.at:v.at+n], v.outcome.addrs[v.at:v.at+n]
	v.at += n
	return v.batch(hits, addrs)
}

// search finds the hits, unless they have been found.
func (v *vectorSearchOp) search(ctx context.Context) error {
	if v.request.k == 0 {
		return nil
	}
	if found, ok := v.env.ahead[v.node].(*searchOutcome); ok {
		v.outcome = *found
	} else {
		found, err := v.run.search(ctx, v.request)
		if err != nil {
			return err
		}
		v.outcome = *found[0]
	}
	v.request.options = v.outcome.options
	return nil
}

func (v *vectorSearchOp) batch(hits []vecindex.Hit, addrs []uint64) (arrow.RecordBatch, error) {
	addr, id := array.NewUint64Builder(v.env.Mem), array.NewUint64Builder(v.env.Mem)
	dist := array.NewFloat32Builder(v.env.Mem)
	defer addr.Release()
	defer id.Release()
	defer dist.Release()
	for i, h := range hits {
		addr.Append(addrs[i])
		id.Append(h.RowID)
		dist.Append(h.Distance)
	}
	cols := []arrow.Array{addr.NewArray(), id.NewArray(), dist.NewArray()}
	defer releaseAll(cols)
	return makeBatch(v.schema, cols, int64(len(hits)))
}

// follow implements rowStandIn: it remembers the search of the last row, whose recall can be estimated.
func (v *vectorSearchOp) follow(row Operator) {
	from := row.(*vectorSearchOp)
	last := from.last // of a join inside of this one
	if from.ready {
		last, from.env.ahead = from, nil
	}
	if last != nil {
		v.last = last
	}
}

func (v *vectorSearchOp) Close() error {
	v.outcome.hits, v.outcome.addrs = nil, nil
	v.run.share.releaseAll()
	if v.err == nil {
		v.err = fault.New(fault.Internal, "vector search is closed")
	}
	return v.base.Close()
}
