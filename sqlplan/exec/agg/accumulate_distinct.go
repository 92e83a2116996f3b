package agg

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/gather"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/kernel"
)

// distinctSet tells the rows that show a new (group, arguments). Rows that do not count are never new, and
// neither are rows with a NULL argument unless nulls is set: DISTINCT aggregates skip NULLs, but for array_agg.
type distinctSet struct {
	nulls   bool
	groups  *op.Grouper // over group number and arguments; over the arguments alone until group 1 exists
	types   []arrow.DataType
	single  bool // only group 0 so far, and groups has no group column
	mem     memory.Allocator
	rows    []int32
	ids     []int32
	fresh   []int32
	numbers []int32
}

func newDistinctSet(types []arrow.DataType, mem memory.Allocator) *distinctSet {
	return &distinctSet{types: types, mem: mem}
}

// start chooses the keys when the first batch comes: without GROUP BY there is no group column.
func (d *distinctSet) start(ungrouped bool) {
	if d.groups != nil {
		return
	}
	d.single = ungrouped
	types := d.types
	if !ungrouped {
		types = append([]arrow.DataType{arrow.PrimitiveTypes.Int32}, types...)
	}
	d.groups = op.NewGrouper(types)
}

// add returns the arguments and groups of the new rows; the caller releases the arrays.
func (d *distinctSet) add(args []arrow.Array, groups []int32, rows int, ungrouped bool) (kept []arrow.Array, of []int32, err error) {
	d.start(ungrouped)
	d.rows, d.numbers = d.rows[:0], d.numbers[:0]
	in := op.GroupInput{Args: args, Rows: rows, Groups: groups}
	for r := range rows {
		if g := in.Group(r); g >= 0 && (d.nulls || !in.AnyNull(r)) {
			d.rows = append(d.rows, int32(r))
			d.numbers = append(d.numbers, g)
		}
	}
	if len(d.rows) == 0 {
		return nil, nil, nil
	}
	candidates, err := takeAll(d.mem, args, d.rows)
	if err != nil {
		return nil, nil, err
	}
	defer op.ReleaseAll(candidates)
	keys := candidates
	if !d.single {
		b := array.NewInt32Builder(d.mem)
		b.AppendValues(d.numbers, nil)
		numbers := b.NewArray()
		b.Release()
		defer numbers.Release()
		keys = append([]arrow.Array{numbers}, candidates...)
	}
	if d.ids, d.fresh, err = d.groups.Assign(keys, len(d.rows), d.ids[:0], d.fresh[:0]); err != nil || len(d.fresh) == 0 {
		return nil, nil, err
	}
	for _, r := range d.fresh {
		of = append(of, d.numbers[r])
	}
	kept, err = takeAll(d.mem, candidates, d.fresh)
	return kept, of, err
}

func (d *distinctSet) bytes() int64 {
	if d.groups == nil {
		return 0
	}
	return d.groups.Bytes()
}

func takeAll(mem memory.Allocator, cols []arrow.Array, rows []int32) ([]arrow.Array, error) {
	out := make([]arrow.Array, 0, len(cols))
	for _, c := range cols {
		a, err := gather.Take(mem, c, rows)
		if err != nil {
			op.ReleaseAll(out)
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// distinctAcc feeds another accumulator with the first row of every (group, arguments). It keeps those
// rows too: merging two workers' states means feeding one's rows to the other.
type distinctAcc struct {
	inner  accumulator
	set    *distinctSet
	chunks []distinctChunk
	held   int64
}

type distinctChunk struct {
	args   []arrow.Array
	groups []int32
	at     op.Position
	single bool
}

func newDistinctAccumulator(inner accumulator, types []arrow.DataType, env *op.Env) accumulator {
	set := newDistinctSet(types, env.Mem)
	if l, ok := inner.(*listAcc); ok {
		set.nulls = !l.skip
	}
	return &distinctAcc{inner: inner, set: set}
}

func (d *distinctAcc) Resize(n int) { d.inner.Resize(n) }

func (d *distinctAcc) Add(in op.GroupInput) error {
	return d.feed(in.Args, in.Groups, in.Rows, in.At, d.single(in.Groups == nil))
}

// single keeps the choice of the first batch: a FILTER makes groups of an ungrouped aggregate.
func (d *distinctAcc) single(ungrouped bool) bool {
	if d.set.groups != nil {
		return d.set.single
	}
	return ungrouped
}

func (d *distinctAcc) feed(args []arrow.Array, groups []int32, rows int, at op.Position, single bool) error {
	kept, of, err := d.set.add(args, groups, rows, single)
	if err != nil || len(of) == 0 {
		return err
	}
	d.chunks = append(d.chunks, distinctChunk{args: kept, groups: of, at: at, single: single})
	for _, a := range kept {
		d.held += kernel.ArrayBytes(a)
	}
	return d.inner.Add(op.GroupInput{Args: kept, Rows: len(of), Groups: of, At: at})
}

func (d *distinctAcc) Merge(o accumulator, to []int32) error {
	for _, c := range o.(*distinctAcc).chunks {
		groups := make([]int32, len(c.groups))
		for i, g := range c.groups {
			groups[i] = to[g]
		}
		if err := d.feed(c.args, groups, len(groups), c.at, d.single(c.single)); err != nil {
			return err
		}
	}
	return nil
}

func (d *distinctAcc) Result(groups []int32) (arrow.Array, error) { return d.inner.Result(groups) }
func (d *distinctAcc) bytes() int64                               { return d.inner.bytes() + d.set.bytes() + d.held }

func (d *distinctAcc) release() {
	for _, c := range d.chunks {
		op.ReleaseAll(c.args)
	}
	d.chunks = nil
	d.inner.release()
}

// countDistinct is count(DISTINCT …). Without groups, the values of a single argument are a valueSet.
type countDistinct struct {
	env   *op.Env
	types []arrow.DataType
	n     int // groups
	// flat is the set of an ungrouped count of one column; general is used otherwise.
	flat    *valueSet
	general *distinctAcc
}

func newCountDistinct(types []arrow.DataType, env *op.Env) accumulator {
	return &countDistinct{env: env, types: types}
}

func (c *countDistinct) Resize(n int) {
	c.n = n
	if c.general != nil {
		c.general.Resize(n)
	}
}

// choose decides when the first batch comes; grouped says that there is a GROUP BY (or a FILTER, whose
// rows that do not count have group -1; then the general way is as good).
func (c *countDistinct) choose(grouped bool) {
	if c.flat != nil || c.general != nil {
		return
	}
	if !grouped && len(c.types) == 1 && hasValueSet(c.types[0]) {
		c.flat = newValueSet(c.types[0])
		return
	}
	c.general = newDistinctAccumulator(&countAcc{env: c.env}, c.types, c.env).(*distinctAcc)
	c.general.Resize(c.n)
}

func (c *countDistinct) Add(in op.GroupInput) error {
	c.choose(in.Groups != nil)
	if c.general != nil {
		return c.general.Add(in)
	}
	return c.flat.add(in)
}

func (c *countDistinct) Merge(o accumulator, to []int32) error {
	return c.mergeAll([]accumulator{o}, to)
}

// mergeAll implements bulkMerger.
func (c *countDistinct) mergeAll(others []accumulator, to []int32) error {
	var flat []*valueSet
	for _, o := range others {
		p := o.(*countDistinct)
		switch {
		case p.flat != nil:
			c.choose(false)
			flat = append(flat, p.flat)
		case p.general != nil:
			c.choose(true)
			if err := c.general.Merge(p.general, to); err != nil {
				return err
			}
		}
	}
	if len(flat) == 0 {
		return nil
	}
	return c.flat.absorb(flat, c.env.NumWorkers())
}

func (c *countDistinct) Result(groups []int32) (arrow.Array, error) {
	if c.general != nil {
		return c.general.Result(groups)
	}
	b := array.NewInt64Builder(c.env.Mem)
	defer b.Release()
	for range groups {
		var n int64
		if c.flat != nil {
			n = c.flat.size()
		}
		b.Append(n)
	}
	return b.NewArray(), nil
}

func (c *countDistinct) bytes() int64 {
	n := int64(0)
	if c.flat != nil {
		n += c.flat.bytes()
	}
	if c.general != nil {
		n += c.general.bytes()
	}
	return n
}

func (c *countDistinct) release() {
	if c.general != nil {
		c.general.release()
	}
	c.flat = nil
}

var _ bulkMerger = (*countDistinct)(nil)
