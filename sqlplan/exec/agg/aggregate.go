package agg

import (
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/internal/gather"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/kernel"
	"lanceflight/sqlplan/plan"
)

// aggregateOp groups rows by a hash table and folds them.
//
//	batches ──> worker: group numbers, accumulators ──┐
//	batches ──> worker: group numbers, accumulators ──┴──merge──> groups by first appearance ──> batches
//
// Groups come out in the order in which the input first shows them, whatever the number of workers;
// sums of floats carry twice the digits while they run (accumulate_sum.go), so they do not depend on it
// either. Aggregates that see the order of rows (array_agg, string_agg) are computed by one worker.
type aggregateOp struct {
	op.Base
	node     *plan.Aggregate
	groups   []*expr.Program
	calls    []aggCall
	keyTypes []arrow.DataType
	keySpec  *arrow.Schema
	share    *op.Share
	states   []*aggState

	order []int32 // groups in output order
	at    int
	ready bool
}

// aggCall is one compiled aggregate.
type aggCall struct {
	args   []*expr.Program
	filter *expr.Program // nil = none
	make   func() (accumulator, error)
}

func NewAggregate(n *plan.Aggregate, env *op.Env, in op.Operator) (op.Operator, error) {
	a := &aggregateOp{Base: op.NewBase(env, "Aggregate", n.Columns(), in), node: n}
	a.share = op.NewShare(env, &a.Counters, "aggregate")
	at := op.Positions(in.Columns())
	var keyCols []plan.Col
	for _, g := range n.Groups {
		p, err := expr.Compile(g.Expr, at)
		if err != nil {
			return nil, err
		}
		a.groups = append(a.groups, p)
		a.keyTypes = append(a.keyTypes, g.Col.Type)
		keyCols = append(keyCols, g.Col)
	}
	a.keySpec = op.SchemaOf(keyCols)
	for _, call := range n.Aggs {
		c, err := compileAgg(call, at, env)
		if err != nil {
			return nil, err
		}
		a.calls = append(a.calls, c)
	}
	return a, nil
}

func compileAgg(call plan.AggCall, at map[expr.ColID]int, env *op.Env) (c aggCall, err error) {
	types := make([]arrow.DataType, len(call.Args))
	for i, e := range call.Args {
		p, err := expr.Compile(e, at)
		if err != nil {
			return c, err
		}
		c.args = append(c.args, p)
		types[i] = e.Type()
	}
	if call.Filter != nil {
		if c.filter, err = expr.Compile(call.Filter, at); err != nil {
			return c, err
		}
	}
	c.make = func() (accumulator, error) { return newAccumulator(call, types, env) }
	_, err = c.make()
	return c, err
}

func (a *aggregateOp) Next(ctx context.Context) (arrow.RecordBatch, error) {
	return a.Pull(ctx, a.next)
}

// aggRows is the number of groups in an output batch; their size is not known before.
const aggRows = 32 << 10

func (a *aggregateOp) next(ctx context.Context) (arrow.RecordBatch, error) {
	if !a.ready {
		if err := a.collect(ctx); err != nil {
			return nil, err
		}
		a.ready = true
	}
	if a.at >= len(a.order) {
		return nil, io.EOF
	}
	n := min(aggRows, len(a.order)-a.at)
	groups := a.order[a.at : a.at+n]
	a.at += n
	return a.states[0].output(a.Schema, groups)
}

// collect folds the input and merges the workers' states into the first.
func (a *aggregateOp) collect(ctx context.Context) error {
	ordered := false
	for _, c := range a.node.Aggs {
		ordered = ordered || seesOrder(c)
	}
	workers := a.Env.NumWorkers()
	if ordered {
		workers = 1
	}
	for range workers {
		s, err := a.newState()
		if err != nil {
			return err
		}
		a.states = append(a.states, s)
	}
	fold := func(ctx context.Context, worker int, at op.Position, b arrow.RecordBatch) error {
		a.Counters.RowsRead.Add(b.NumRows())
		return a.states[worker].add(ctx, at, b)
	}
	var err error
	if ordered {
		err = op.EachInOrder(ctx, a.In[0], fold)
	} else {
		err = op.Each(ctx, a.In[0], fold)
	}
	if err != nil {
		return err
	}
	if err := a.merge(ctx); err != nil {
		return err
	}
	a.order = a.states[0].inOrder()
	return nil
}

// merge folds the workers' states into the first. Without groups, accumulators that can take all the
// others at once do.
func (a *aggregateOp) merge(ctx context.Context) error {
	first, others := a.states[0], a.states[1:]
	if len(a.groups) == 0 {
		for i, acc := range first.accs {
			if b, ok := acc.(bulkMerger); ok && len(others) > 0 {
				all := make([]accumulator, len(others))
				for j, o := range others {
					all[j] = o.accs[i]
				}
				if err := b.mergeAll(all, []int32{0}); err != nil {
					return err
				}
				first.merged[i] = true
			}
		}
	}
	for i, s := range others {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := first.merge(s); err != nil {
			return err
		}
		s.release()
		a.states[i+1] = nil
	}
	a.states = a.states[:1]
	return nil
}

func (a *aggregateOp) Close() error {
	for _, s := range a.states {
		if s != nil {
			s.release()
		}
	}
	a.states, a.order = nil, nil
	a.share.ReleaseAll()
	if a.Err == nil {
		a.Err = fault.New(fault.Internal, "aggregate is closed")
	}
	return a.Base.Close()
}

// aggState is what one worker has folded.
type aggState struct {
	op     *aggregateOp
	groups *op.Grouper
	// keys are the key columns of new groups, a batch for every input batch that had some: their
	// rows, one batch behind the other, are the groups in order. first is where each was seen.
	keys  []arrow.RecordBatch
	first []op.Position
	accs  []accumulator
	held  int64
	// places are the groups' rows in keys, made for the output.
	places []gather.Ref
	// merged tells the accumulators that have taken over the other workers' already.
	merged []bool

	ids, fresh []int32
	masked     []int32
}

func (a *aggregateOp) newState() (*aggState, error) {
	s := &aggState{op: a}
	if len(a.groups) > 0 {
		s.groups = op.NewGrouper(a.keyTypes)
	} else {
		s.first = []op.Position{0} // one group, even without rows
	}
	for _, c := range a.calls {
		acc, err := c.make()
		if err != nil {
			return nil, err
		}
		acc.Resize(len(s.first))
		s.accs = append(s.accs, acc)
	}
	s.merged = make([]bool, len(s.accs))
	return s, nil
}

// add folds a batch.
func (s *aggState) add(ctx context.Context, at op.Position, b arrow.RecordBatch) error {
	in := op.Input(s.op.Env, b)
	rows := int(b.NumRows())
	if s.groups != nil {
		keys, err := op.EvalAll(ctx, s.op.groups, in)
		if err != nil {
			return err
		}
		err = s.assign(keys, rows, at)
		op.ReleaseAll(keys)
		if err != nil {
			return err
		}
	}
	for i, c := range s.op.calls {
		if err := s.fold(ctx, c, s.accs[i], in, at); err != nil {
			return err
		}
	}
	return s.account()
}

// assign finds the group of every row, and keeps the keys of new groups.
func (s *aggState) assign(keys []arrow.Array, rows int, at op.Position) (err error) {
	s.ids, s.fresh, err = s.groups.Assign(keys, rows, s.ids[:0], s.fresh[:0])
	if err != nil || len(s.fresh) == 0 {
		return err
	}
	b, err := op.MakeBatch(s.op.keySpec, keys, int64(rows))
	if err != nil {
		return err
	}
	defer b.Release()
	fresh, err := gather.CopyRows(s.op.Env.Mem, b, s.fresh)
	if err != nil {
		return err
	}
	s.keys = append(s.keys, fresh)
	for _, r := range s.fresh {
		s.first = append(s.first, at+op.Position(r))
	}
	for _, acc := range s.accs {
		acc.Resize(len(s.first))
	}
	return nil
}

// fold feeds one aggregate. Rows that FILTER drops get group -1; without groups, ids are nil.
func (s *aggState) fold(ctx context.Context, c aggCall, acc accumulator, in expr.Input, at op.Position) error {
	ids := s.ids
	if s.groups == nil {
		ids = nil
	}
	if c.filter != nil {
		sel, err := c.filter.Select(ctx, in, nil)
		if err != nil {
			return err
		}
		ids = s.mask(ids, sel, in.Rows)
	}
	args, err := op.EvalAll(ctx, c.args, in)
	if err != nil {
		return err
	}
	defer op.ReleaseAll(args)
	return acc.Add(op.GroupInput{Args: args, Rows: in.Rows, Groups: ids, At: at})
}

// mask returns ids with -1 wherever a row is not selected.
func (s *aggState) mask(ids, sel []int32, rows int) []int32 {
	s.masked = s.masked[:0]
	for range rows {
		s.masked = append(s.masked, -1)
	}
	for _, r := range sel {
		if ids == nil {
			s.masked[r] = 0
		} else {
			s.masked[r] = ids[r]
		}
	}
	return s.masked
}

// account reserves what the state has grown by.
func (s *aggState) account() error {
	var now int64
	if s.groups != nil {
		now = s.groups.Bytes() + 8*int64(cap(s.first))
		if len(s.keys) > 0 { // the keys, estimated by the latest
			last := s.keys[len(s.keys)-1]
			now += int64(float64(kernel.BatchBytes(last)) / float64(last.NumRows()) * float64(len(s.first)))
		}
	}
	for _, acc := range s.accs {
		now += acc.bytes()
	}
	if now <= s.held {
		return nil
	}
	if err := s.op.share.Reserve(now - s.held); err != nil {
		return err
	}
	s.held = now
	return nil
}

// merge folds another worker's state into s.
func (s *aggState) merge(o *aggState) error {
	to := []int32{0}
	if s.groups != nil {
		to = to[:0]
		for _, keys := range o.keys {
			n := int(keys.NumRows())
			s.ids, s.fresh = s.ids[:0], s.fresh[:0]
			first := o.first[len(to) : len(to)+n]
			if err := s.adopt(keys, first); err != nil {
				return err
			}
			to = append(to, s.ids...)
		}
	}
	for i, acc := range s.accs {
		if s.merged[i] {
			continue
		}
		if err := acc.Merge(o.accs[i], to); err != nil {
			return err
		}
	}
	return s.account()
}

// adopt looks up the groups of another state, adding those that are new here.
func (s *aggState) adopt(keys arrow.RecordBatch, first []op.Position) (err error) {
	s.ids, s.fresh, err = s.groups.Assign(keys.Columns(), int(keys.NumRows()), s.ids, s.fresh)
	if err != nil {
		return err
	}
	if len(s.fresh) > 0 {
		fresh, err := gather.TakeBatch(s.op.Env.Mem, keys, s.fresh)
		if err != nil {
			return err
		}
		s.keys = append(s.keys, fresh)
		for _, r := range s.fresh {
			s.first = append(s.first, first[r])
		}
		for _, acc := range s.accs {
			acc.Resize(len(s.first))
		}
	}
	for r, id := range s.ids {
		s.first[id] = min(s.first[id], first[r])
	}
	return nil
}

// inOrder returns the groups by first appearance.
func (s *aggState) inOrder() []int32 {
	items := make([]gather.Keyed, len(s.first))
	for g, at := range s.first {
		items[g] = gather.Keyed{Key: uint64(at), Row: int32(g)}
	}
	gather.SortKeyed(items)
	order := make([]int32, len(items))
	for i, it := range items {
		order[i] = it.Row
	}
	return order
}

// output makes the batch of the given groups.
func (s *aggState) output(schema *arrow.Schema, groups []int32) (arrow.RecordBatch, error) {
	cols := make([]arrow.Array, 0, schema.NumFields())
	defer func() { op.ReleaseAll(cols) }()
	if s.groups != nil {
		refs := s.keyRefs(groups)
		keys, err := gather.InterleaveBatches(s.op.Env.Mem, s.op.keySpec, s.keys, refs)
		if err != nil {
			return nil, err
		}
		for _, c := range keys.Columns() {
			c.Retain()
			cols = append(cols, c)
		}
		keys.Release()
	}
	for _, acc := range s.accs {
		a, err := acc.Result(groups)
		if err != nil {
			return nil, err
		}
		cols = append(cols, a)
	}
	return op.MakeBatch(schema, cols, int64(len(groups)))
}

// keyRefs finds the groups in the batches of keys.
func (s *aggState) keyRefs(groups []int32) []gather.Ref {
	if s.places == nil {
		for b, keys := range s.keys {
			for r := range keys.NumRows() {
				s.places = append(s.places, gather.Ref{Batch: int32(b), Row: int32(r)})
			}
		}
	}
	refs := make([]gather.Ref, len(groups))
	for i, g := range groups {
		refs[i] = s.places[g]
	}
	return refs
}

func (s *aggState) release() {
	for _, b := range s.keys {
		b.Release()
	}
	for _, acc := range s.accs {
		acc.release()
	}
	s.keys, s.accs = nil, nil
}
