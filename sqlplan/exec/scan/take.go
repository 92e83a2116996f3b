package scan

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/kernel"
	"lanceflight/sqlplan/plan"
)

// takeOp fetches further columns for the rows of its input, by row address, keeping their order. What
// one batch of input asks for is read in as few pieces as its addresses allow, in batches of
// about Env.BatchBytes.
type takeOp struct {
	op.Base
	node   *plan.Take
	fetch  *Fetcher
	addr   int
	out    []takeColumn
	reads  []lancefmt.ColumnRef // columns fetched, each once
	width  float64              // bytes per row of the fetched columns
	input  arrow.RecordBatch
	at     int64
	queued []arrow.RecordBatch // pieces of a batch that came out too large
}

// takeColumn says where an output column comes from.
type takeColumn struct {
	input int // column of the input, or -1
	fetch int // else index into reads
}

func NewTake(n *plan.Take, env *op.Env, in op.Operator) (op.Operator, error) {
	t := &takeOp{Base: op.NewBase(env, "Take", n.Out, in), node: n}
	t.fetch = NewFetcher(env, n.Snap, &t.Counters)
	at := op.Positions(in.Columns())
	var ok bool
	if t.addr, ok = at[n.RowAddr]; !ok {
		return nil, fault.New(fault.Internal, "take from %s: row addresses (column %d) are not in its input", n.Name, n.RowAddr)
	}
	readAt := map[lancefmt.ColumnRef]int{}
	for _, c := range n.Out {
		if i, ok := at[c.ID]; ok {
			t.out = append(t.out, takeColumn{input: i})
			continue
		}
		source, ok := fetchSource(n, c)
		if !ok {
			return nil, fault.New(fault.Internal, "take from %s: column %s is neither fetched nor in the input", n.Name, c.Name)
		}
		i, ok := readAt[source]
		if !ok {
			i = len(t.reads)
			readAt[source] = i
			t.reads = append(t.reads, source)
		}
		t.out = append(t.out, takeColumn{input: -1, fetch: i})
	}
	t.width = BytesPerRow(n.Snap, t.reads)
	return t, nil
}

func fetchSource(n *plan.Take, c plan.Col) (lancefmt.ColumnRef, bool) {
	for _, f := range n.Fetch {
		if f.ID == c.ID {
			return f.Ref(), true
		}
	}
	return lancefmt.ColumnRef{}, false
}

func (t *takeOp) Next(ctx context.Context) (arrow.RecordBatch, error) { return t.Pull(ctx, t.next) }

func (t *takeOp) next(ctx context.Context) (arrow.RecordBatch, error) {
	if len(t.queued) == 0 {
		if err := t.fill(ctx); err != nil {
			return nil, err
		}
	}
	b := t.queued[0]
	t.queued = t.queued[1:]
	return b, nil
}

// fill takes the next piece of the input.
func (t *takeOp) fill(ctx context.Context) (err error) {
	if t.input == nil {
		if t.input, err = t.In[0].Next(ctx); err != nil {
			t.input = nil
			return err
		}
		t.at = 0
	}
	n := t.input.NumRows() - t.at
	perRow := t.width + float64(kernel.BatchBytes(t.input))/float64(t.input.NumRows())
	n = min(n, op.RowsPerBatch(int64(perRow*float64(n)), n, t.Env.BatchSize()))
	if frags := t.node.Snap.Fragments(); len(frags) > 0 {
		n = min(n, t.fetch.Reader.sizes.RowsFor(frags[0], t.reads, float64(t.Env.BatchSize())))
	}
	b, err := t.take(ctx, t.at, n)
	if err != nil {
		return err
	}
	if t.at += n; t.at == t.input.NumRows() {
		t.input.Release()
		t.input = nil
	}
	return emitCut(b, t.Env.BatchSize(), 0, func(_ int64, b arrow.RecordBatch) error {
		t.queued = append(t.queued, b)
		return nil
	})
}

// take makes the output for n rows of the input.
func (t *takeOp) take(ctx context.Context, from, n int64) (arrow.RecordBatch, error) {
	addrs, ok := t.input.Column(t.addr).(*array.Uint64)
	if !ok || addrs.NullN() > 0 {
		return nil, fault.New(fault.Internal, "take from %s: row addresses of type %s, %d of them NULL", t.node.Name,
			t.input.Column(t.addr).DataType(), t.input.Column(t.addr).NullN())
	}
	var got arrow.RecordBatch
	if len(t.reads) > 0 {
		var err error
		if got, err = t.fetch.Rows(ctx, addrs.Uint64Values()[from:from+n], t.reads); err != nil {
			return nil, err
		}
		defer got.Release()
	}
	cols := make([]arrow.Array, 0, len(t.out))
	defer func() { op.ReleaseAll(cols) }()
	for _, o := range t.out {
		if o.input >= 0 {
			cols = append(cols, slice(t.input.Column(o.input), from, from+n))
		} else {
			a := got.Column(o.fetch)
			a.Retain()
			cols = append(cols, a)
		}
	}
	return op.MakeBatch(t.Schema, cols, n)
}

func (t *takeOp) Close() error {
	if t.input != nil {
		t.input.Release()
		t.input = nil
	}
	for _, b := range t.queued {
		b.Release()
	}
	t.queued = nil
	if t.Err == nil {
		t.Err = fault.New(fault.Internal, "take is closed")
	}
	return t.Base.Close()
}

// Fetcher reads rows of a snapshot by address.
type Fetcher struct {
	env    *op.Env
	snap   *lancefmt.Snapshot
	Reader *rowReader
}

func NewFetcher(env *op.Env, snap *lancefmt.Snapshot, stats *op.OpStats) *Fetcher {
	return &Fetcher{env: env, snap: snap, Reader: &rowReader{env: env, Counters: stats}}
}

// Rows returns the given columns for row addresses in any order; addresses may repeat.
func (f *Fetcher) Rows(ctx context.Context, addrs []uint64, columns []lancefmt.ColumnRef) (arrow.RecordBatch, error) {
	b, err := f.snap.TakeWith(ctx, addrs, columns, lancefmt.TakeOptions{
		Mem: f.env.Mem, Workers: f.env.NumWorkers(),
		Read: func(ctx context.Context, frag *lancefmt.Fragment, columns []lancefmt.ColumnRef,
			rows []encoding.Range) (b arrow.RecordBatch, err error) {
			err = op.Guard(func() error {
				b, err = f.Reader.read(ctx, frag, columns, rows)
				return err
			})
			return b, err
		},
	})
	if err != nil {
		// Whoever made the addresses looked at the same snapshot.
		for _, a := range addrs {
			if id := uint32(a >> 32); f.snap.Fragment(id) == nil {
				return nil, fault.New(fault.Internal, "row address in fragment %d, which version %d does not have", id, f.snap.Version())
			}
		}
	}
	return b, err
}
