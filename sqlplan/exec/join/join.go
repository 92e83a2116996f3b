package join

import (
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/internal/gather"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/kernel"
	"lanceflight/sqlplan/plan"
)

// joinOp is a hash join: the right input is read into a table, then the left one streams past it.
//
//	right ──> batches, key numbers ──> chains of rows per key
//	left  ──batch──> key numbers ──> pairs ──residual──> output batches
//
// NULL keys match nothing. Without equi-keys every pair is a candidate (CROSS, or a join by residual alone).
// Rows come out in the order of the left input; RIGHT and FULL add the right rows without a partner
// at the end. INNER, CROSS, LEFT, SEMI and ANTI run in parallel over the left input.
type joinOp struct {
	op.Base
	node      *plan.Join
	leftKeys  []*expr.Program
	rightKeys []*expr.Program
	residual  *expr.Program // over the left columns, then the right ones; nil = none
	needed    []int         // columns that residual refers to
	out       []joinColumn
	width     int // number of columns of both inputs
	share     *op.Share

	table *joinTable
	probe *probe // of the left batch under way
	rest  int    // next right batch whose rows without a partner are due
	ended bool   // the left input
}

// joinColumn is an output column: column i of the left or of the right input.
type joinColumn struct {
	right bool
	i     int
}

func NewJoin(n *plan.Join, env *op.Env, left, right op.Operator) (op.Operator, error) {
	j := &joinOp{Base: op.NewBase(env, "HashJoin", n.Out, left, right), node: n}
	switch n.Kind {
	case plan.InnerJoin, plan.LeftJoin, plan.RightJoin, plan.FullJoin, plan.CrossJoin, plan.SemiJoin, plan.AntiJoin:
	default:
		return nil, fault.New(fault.Unsupported, "%s JOIN", n.Kind)
	}
	j.share = op.NewShare(env, &j.Counters, "hash join")
	var err error
	if j.leftKeys, err = compileAll(n.LeftKeys, left.Columns()); err != nil {
		return nil, err
	}
	if j.rightKeys, err = compileAll(n.RightKeys, right.Columns()); err != nil {
		return nil, err
	}
	cols := append(append([]plan.Col{}, left.Columns()...), right.Columns()...)
	j.width = len(cols)
	if n.Residual != nil {
		if j.residual, err = expr.Compile(n.Residual, op.Positions(cols)); err != nil {
			return nil, err
		}
	}
	at := op.Positions(cols)
	for _, id := range expr.Columns(n.Residual) {
		j.needed = append(j.needed, at[id])
	}
	for _, c := range n.Out {
		i, ok := at[c.ID]
		if !ok || n.Kind.LeftOnly() && i >= len(left.Columns()) {
			return nil, fault.New(fault.Internal, "join: column %s is in neither input", c.Name)
		}
		if i < len(left.Columns()) {
			j.out = append(j.out, joinColumn{false, i})
		} else {
			j.out = append(j.out, joinColumn{true, i - len(left.Columns())})
		}
	}
	return j, nil
}

func compileAll(exprs []expr.Expr, cols []plan.Col) ([]*expr.Program, error) {
	at := op.Positions(cols)
	var out []*expr.Program
	for _, e := range exprs {
		p, err := expr.Compile(e, at)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func (j *joinOp) Next(ctx context.Context) (arrow.RecordBatch, error) { return j.Pull(ctx, j.next) }

func (j *joinOp) next(ctx context.Context) (arrow.RecordBatch, error) {
	if err := j.build(ctx); err != nil {
		return nil, err
	}
	for !j.ended {
		if j.probe == nil {
			b, err := j.In[0].Next(ctx)
			if err == io.EOF {
				j.ended = true
				break
			}
			if err != nil {
				return nil, err
			}
			j.probe, err = j.newProbe(ctx, b)
			b.Release()
			if err != nil {
				return nil, err
			}
		}
		b, err := j.probe.next(ctx)
		if err == nil {
			return b, nil
		}
		if err != io.EOF {
			return nil, err
		}
		j.probe.release()
		j.probe = nil
	}
	if j.keepsRight() {
		return j.withoutPartner()
	}
	return nil, io.EOF
}

func (j *joinOp) keepsRight() bool { return j.node.Kind.KeepsRight() }
func (j *joinOp) keepsLeft() bool  { return j.node.Kind.KeepsLeft() }

func (j *joinOp) Splits() bool {
	p, ok := j.In[0].(op.Parallel)
	return ok && p.Splits() && !j.keepsRight()
}

func (j *joinOp) Each(ctx context.Context, fn op.EachFunc) error {
	if err := j.build(ctx); err != nil {
		return err
	}
	// A left row may have many output rows, so positions are counted anew within each morsel, which
	// one worker sees from start to end.
	emitted := make([]struct{ morsel, rows int64 }, j.Env.NumWorkers())
	return op.Each(ctx, j.In[0], func(ctx context.Context, worker int, at op.Position, left arrow.RecordBatch) error {
		e := &emitted[worker]
		if m := int64(at) >> 32; m != e.morsel {
			e.morsel, e.rows = m, 0
		}
		p, err := j.newProbe(ctx, left)
		if err != nil {
			return err
		}
		defer p.release()
		for {
			b, err := p.next(ctx)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			j.Counters.Count(b)
			err = fn(ctx, worker, op.MorselPosition(int(e.morsel), e.rows), b)
			e.rows += b.NumRows()
			b.Release()
			if err != nil {
				return err
			}
		}
	})
}

// joinTable is the right input by key.
type joinTable struct {
	batches []arrow.RecordBatch
	first   []int32      // number of each batch's first row
	rows    []gather.Ref // in input order
	groups  *op.Grouper  // nil without keys
	head    []int32      // first row of each key, -1 = none
	chain   []int32      // next row of the same key, -1 = end
	matched []bool       // RIGHT, FULL: has had a partner
	null    arrow.RecordBatch
	width   float64 // bytes per row
}

// build reads the right input, once.
func (j *joinOp) build(ctx context.Context) error {
	if j.table != nil {
		return nil
	}
	t := &joinTable{}
	j.table = t
	if len(j.rightKeys) > 0 {
		types := make([]arrow.DataType, len(j.node.RightKeys))
		for i, k := range j.node.RightKeys {
			types[i] = k.Type()
		}
		t.groups = op.NewGrouper(types)
	}
	var bytes int64
	for {
		b, err := j.In[1].Next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		t.batches = append(t.batches, b)
		t.first = append(t.first, int32(len(t.rows)))
		size := kernel.BatchBytes(b)
		bytes += size
		if err := j.share.Reserve(size + 48*b.NumRows()); err != nil {
			return err
		}
		if int64(len(t.rows))+b.NumRows() > op.MaxRunRows {
			return fault.New(fault.ResourceExhausted, "the right side of a join has more than %d rows", op.MaxRunRows)
		}
		for r := range b.NumRows() {
			t.rows = append(t.rows, gather.Ref{Batch: int32(len(t.batches) - 1), Row: int32(r)})
		}
		if t.groups == nil {
			continue
		}
		if err := j.number(ctx, b); err != nil {
			return err
		}
	}
	if t.groups == nil {
		t.chainAll()
	}
	t.reverse()
	if j.keepsRight() {
		t.matched = make([]bool, len(t.rows))
	}
	t.width = float64(bytes) / float64(max(1, len(t.rows)))
	var err error
	t.null, err = nullRow(j.Env, op.SchemaOf(j.In[1].Columns()))
	return err
}

// number chains the rows of a right batch by key; chains are in reverse order for now.
func (j *joinOp) number(ctx context.Context, b arrow.RecordBatch) error {
	keys, err := op.EvalAll(ctx, j.rightKeys, op.Input(j.Env, b))
	if err != nil {
		return err
	}
	defer op.ReleaseAll(keys)
	t := j.table
	before := t.groups.Bytes()
	ids, _, err := t.groups.Assign(keys, int(b.NumRows()), nil, nil)
	if err != nil {
		return err
	}
	for len(t.head) < t.groups.Size() {
		t.head = append(t.head, -1)
	}
	null := op.GroupInput{Args: keys}
	for r, id := range ids {
		n := int32(len(t.chain))
		if null.AnyNull(r) {
			t.chain = append(t.chain, -1)
			continue
		}
		t.chain = append(t.chain, t.head[id])
		t.head[id] = n
	}
	return j.share.Reserve(t.groups.Bytes() - before)
}

// chainAll puts all rows into one chain, in reverse order.
func (t *joinTable) chainAll() {
	t.head = []int32{-1}
	for n := range t.rows {
		t.chain = append(t.chain, t.head[0])
		t.head[0] = int32(n)
	}
}

// reverse turns the chains into input order.
func (t *joinTable) reverse() {
	for g, n := range t.head {
		prev := int32(-1)
		for n >= 0 {
			n, t.chain[n], prev = t.chain[n], prev, n
		}
		t.head[g] = prev
	}
}

// lookup returns the first row with each key, -1 = none.
func (t *joinTable) lookup(keys []arrow.Array, rows int) ([]int32, error) {
	heads := make([]int32, rows)
	if t.groups == nil {
		for i := range heads {
			heads[i] = t.head[0]
		}
		return heads, nil
	}
	ids, err := t.groups.Lookup(keys, rows)
	if err != nil {
		return nil, err
	}
	null := op.GroupInput{Args: keys}
	for r, id := range ids {
		if heads[r] = -1; id >= 0 && !null.AnyNull(r) {
			heads[r] = t.head[id]
		}
	}
	return heads, nil
}

// nullRow is a batch with one row of NULLs.
func nullRow(env *op.Env, schema *arrow.Schema) (arrow.RecordBatch, error) {
	fields := schema.Fields()
	cols := make([]arrow.Array, len(fields))
	for i := range fields {
		fields[i].Nullable = true
		cols[i] = array.MakeArrayOfNull(env.Mem, fields[i].Type, 1)
	}
	defer op.ReleaseAll(cols)
	return op.MakeBatch(arrow.NewSchema(fields, nil), cols, 1)
}

// withoutPartner returns right rows that no left row matched, a right batch at a time.
func (j *joinOp) withoutPartner() (arrow.RecordBatch, error) {
	t := j.table
	for ; j.rest < len(t.batches); j.rest++ {
		b, first := t.batches[j.rest], int(t.first[j.rest])
		var pairs pairs
		for r := range int(b.NumRows()) {
			if !t.matched[first+r] {
				pairs.left = append(pairs.left, 0)
				pairs.right = append(pairs.right, t.rows[first+r])
			}
		}
		if len(pairs.left) > 0 {
			j.rest++
			left, err := nullRow(j.Env, op.SchemaOf(j.In[0].Columns()))
			if err != nil {
				return nil, err
			}
			defer left.Release()
			return j.output(left, pairs)
		}
	}
	return nil, io.EOF
}

// pairs are candidate or joined rows: row left[i] of the left batch with right[i].
type pairs struct {
	left  []int32
	right []gather.Ref
}

// output makes the output batch of pairs.
func (j *joinOp) output(left arrow.RecordBatch, p pairs) (arrow.RecordBatch, error) {
	cols := make([]arrow.Array, 0, len(j.out))
	defer func() { op.ReleaseAll(cols) }()
	for _, c := range j.out {
		a, err := j.column(left, p, c)
		if err != nil {
			return nil, err
		}
		cols = append(cols, a)
	}
	return op.MakeBatch(j.Schema, cols, int64(len(p.left)))
}

func (j *joinOp) column(left arrow.RecordBatch, p pairs, c joinColumn) (arrow.Array, error) {
	if !c.right {
		return gather.Take(j.Env.Mem, left.Column(c.i), p.left)
	}
	src := make([]arrow.Array, 0, len(j.table.batches)+1)
	for _, b := range j.table.batches {
		src = append(src, b.Column(c.i))
	}
	return gather.Interleave(j.Env.Mem, append(src, j.table.null.Column(c.i)), p.right)
}

// passes returns which candidate pairs satisfy the residual.
func (j *joinOp) passes(ctx context.Context, left arrow.RecordBatch, p pairs) ([]int32, error) {
	cols := make([]arrow.Array, j.width)
	defer func() { op.ReleaseAll(cols) }()
	nleft := int(left.NumCols())
	for _, i := range j.needed {
		c := joinColumn{false, i}
		if i >= nleft {
			c = joinColumn{true, i - nleft}
		}
		a, err := j.column(left, p, c)
		if err != nil {
			return nil, err
		}
		cols[i] = a
	}
	return j.residual.Select(ctx, expr.Input{Cols: cols, Rows: len(p.left), Params: j.Env.Params, Mem: j.Env.Mem}, nil)
}

func (j *joinOp) Close() error {
	if j.probe != nil {
		j.probe.release()
		j.probe = nil
	}
	if j.table != nil {
		for _, b := range j.table.batches {
			b.Release()
		}
		if j.table.null != nil {
			j.table.null.Release()
		}
		j.table = nil
	}
	j.share.ReleaseAll()
	if j.Err == nil {
		j.Err = fault.New(fault.Internal, "join is closed")
	}
	return j.Base.Close()
}

var _ op.Parallel = (*joinOp)(nil)
