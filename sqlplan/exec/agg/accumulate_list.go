package agg

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/internal/gather"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/kernel"
)

// listAcc collects the values of each group in input order: array_agg keeps NULLs, as PostgreSQL does.
// It is fed by one worker only, see seesOrder, so merge is for DISTINCT and empty inputs.
type listAcc struct {
	env    *op.Env
	elem   arrow.DataType
	skip   bool // NULLs
	chunks []arrow.Array
	groups []int32 // of each value, over all chunks
	counts []int64 // values per group
	held   int64
	// make builds the result of the groups from their values, one group behind the other.
	make func(values arrow.Array, counts []int64) (arrow.Array, error)
}

// newArrayAgg makes array_agg(x). A group without rows is NULL.
func newArrayAgg(out arrow.DataType, env *op.Env) (accumulator, error) {
	t, ok := out.(arrow.ListLikeType)
	if !ok {
		return nil, fault.New(fault.Internal, "array_agg was planned as %s", out)
	}
	l := &listAcc{env: env, elem: t.Elem()}
	l.make = func(values arrow.Array, counts []int64) (arrow.Array, error) {
		return listArray(env, out, values, counts)
	}
	return l, nil
}

func (l *listAcc) Resize(n int) { l.counts = grow(l.counts, n) }

func (l *listAcc) Add(in op.GroupInput) error {
	a := in.Args[0]
	var rows []int32
	for r := range in.Rows {
		g := in.Group(r)
		if g < 0 || l.skip && a.IsNull(r) {
			continue
		}
		rows = append(rows, int32(r))
		l.groups = append(l.groups, g)
		l.counts[g]++
	}
	if len(rows) == 0 {
		return nil
	}
	chunk, err := gather.Copy(l.env.Mem, a, rows)
	if err != nil {
		return err
	}
	l.chunks = append(l.chunks, chunk)
	l.held += kernel.ArrayBytes(chunk)
	return nil
}

func (l *listAcc) Merge(o accumulator, to []int32) error {
	p := o.(*listAcc)
	for _, c := range p.chunks {
		c.Retain()
		l.chunks = append(l.chunks, c)
	}
	for _, g := range p.groups {
		l.groups = append(l.groups, to[g])
		l.counts[to[g]]++
	}
	l.held += p.held
	return nil
}

func (l *listAcc) Result(groups []int32) (arrow.Array, error) {
	counts := make([]int64, len(groups))
	start := make([]int64, len(l.counts)) // where the next value of a group goes; -1 = not wanted
	for g := range start {
		start[g] = -1
	}
	var total int64
	for i, g := range groups {
		counts[i] = l.counts[g]
		start[g] = total
		total += counts[i]
	}
	refs := make([]gather.Ref, total)
	n := 0
	for b, c := range l.chunks {
		for r := range c.Len() {
			g := l.groups[n]
			n++
			if start[g] >= 0 {
				refs[start[g]] = gather.Ref{Batch: int32(b), Row: int32(r)}
				start[g]++
			}
		}
	}
	var values arrow.Array
	var err error
	if total == 0 {
		values = array.MakeArrayOfNull(l.env.Mem, l.elem, 0)
	} else if values, err = gather.Interleave(l.env.Mem, l.chunks, refs); err != nil {
		return nil, err
	}
	defer values.Release()
	return l.make(values, counts)
}

func (l *listAcc) bytes() int64 { return l.held + 4*int64(cap(l.groups)) + 8*int64(cap(l.counts)) }

func (l *listAcc) release() {
	for _, c := range l.chunks {
		c.Release()
	}
	l.chunks = nil
}

// listArray makes lists of the given lengths over values; empty ones are NULL.
func listArray(env *op.Env, t arrow.DataType, values arrow.Array, counts []int64) (arrow.Array, error) {
	if !arrow.TypeEqual(t.(arrow.ListLikeType).Elem(), values.DataType()) {
		return nil, fault.New(fault.Internal, "array_agg of %s was planned as %s", values.DataType(), t)
	}
	// Offsets of both widths are built; one pair is used.
	offsets := array.NewInt32Builder(env.Mem)
	defer offsets.Release()
	large := t.ID() == arrow.LARGE_LIST
	wide := array.NewInt64Builder(env.Mem)
	defer wide.Release()
	valid := array.NewBooleanBuilder(env.Mem)
	defer valid.Release()
	var at int64
	offsets.Append(0)
	wide.Append(0)
	nulls := 0
	for _, n := range counts {
		at += n
		offsets.Append(int32(at))
		wide.Append(at)
		valid.Append(n > 0)
		if n == 0 {
			nulls++
		}
	}
	bits := valid.NewArray()
	defer bits.Release()
	var off arrow.Array
	if large {
		off = wide.NewArray()
	} else {
		off = offsets.NewArray()
	}
	defer off.Release()
	data := array.NewData(t, len(counts), []*memory.Buffer{bits.Data().Buffers()[1], off.Data().Buffers()[1]},
		[]arrow.ArrayData{values.Data()}, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data), nil
}

// stringAgg joins the strings of each group; the separator is that of the row behind which it
// stands, as in PostgreSQL. NULL strings are skipped, a NULL separator is empty.
type stringAgg struct {
	env  *op.Env
	out  arrow.DataType
	text [][]byte // nil = none yet
	held int64
}

func newStringAgg(out arrow.DataType, env *op.Env) accumulator { return &stringAgg{env: env, out: out} }

func (s *stringAgg) Resize(n int) { s.text = grow(s.text, n) }

func (s *stringAgg) Add(in op.GroupInput) error {
	value := op.TextOf(in.Args[0])
	separator := func(int) []byte { return []byte{','} }
	if len(in.Args) > 1 {
		separator = op.TextOf(in.Args[1])
	}
	for r := range in.Rows {
		g := in.Group(r)
		if g < 0 || in.Args[0].IsNull(r) {
			continue
		}
		old := s.text[g]
		if old == nil {
			s.text[g] = append(make([]byte, 0, 16), value(r)...)
			s.held += int64(cap(s.text[g]))
			continue
		}
		if len(in.Args) < 2 || in.Args[1].IsValid(r) {
			s.text[g] = append(s.text[g], separator(r)...)
		}
		s.text[g] = append(s.text[g], value(r)...)
		s.held += int64(cap(s.text[g]) - cap(old))
	}
	return nil
}

// Merge is only called with states that saw no rows, since one worker sees them all.
func (s *stringAgg) Merge(o accumulator, to []int32) error {
	for g, t := range o.(*stringAgg).text {
		if t != nil && s.text[to[g]] == nil {
			s.text[to[g]] = t
		}
	}
	return nil
}

func (s *stringAgg) Result(groups []int32) (arrow.Array, error) {
	return textArray(s.env.Mem, s.out, groups, func(g int32) []byte { return s.text[g] })
}

func (s *stringAgg) bytes() int64 { return s.held + 24*int64(cap(s.text)) }
func (s *stringAgg) release()     { s.text = nil }
