package agg

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/internal/half"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/kernel"
)

// newExtreme makes min(x) or max(x). Numbers, booleans, dates and times are compared as normalised
// words, strings as bytes, all else by the bytes of kernel.Keys.
func newExtreme(largest bool, t, out arrow.DataType, env *op.Env) (accumulator, error) {
	switch {
	case op.WordType(t) && arrow.TypeEqual(t, out):
		return &wordExtreme{env: env, largest: largest, out: out}, nil
	case op.TextType(t) && t.ID() != arrow.DICTIONARY && arrow.TypeEqual(t, out):
		return &textExtreme{env: env, largest: largest, out: out}, nil
	}
	return &keyExtreme{firstAcc: newFirst(true, out, env), largest: largest}, nil
}

// wordExtreme is min or max of what fits a word.
type wordExtreme struct {
	env     *op.Env
	largest bool
	out     arrow.DataType
	best    []uint64
	seen    []bool
	words   []uint64
}

func (e *wordExtreme) Resize(n int) { e.best, e.seen = grow(e.best, n), grow(e.seen, n) }

func (e *wordExtreme) Add(in op.GroupInput) error {
	a := in.Args[0]
	var ok bool
	if e.words, ok = kernel.Normalise(a, e.words[:0]); !ok {
		return fault.New(fault.Internal, "min or max of %s was planned as %s", a.DataType(), e.out)
	}
	valid := kernel.ValidityOf(a)
	for r, w := range e.words {
		g := in.Group(r)
		if g < 0 || valid.Null(r) {
			continue
		}
		if !e.seen[g] || (w > e.best[g]) == e.largest && w != e.best[g] {
			e.best[g], e.seen[g] = w, true
		}
	}
	return nil
}

func (e *wordExtreme) Merge(o accumulator, to []int32) error {
	p := o.(*wordExtreme)
	for i, w := range p.best {
		g := to[i]
		if p.seen[i] && (!e.seen[g] || (w > e.best[g]) == e.largest && w != e.best[g]) {
			e.best[g], e.seen[g] = w, true
		}
	}
	return nil
}

func (e *wordExtreme) Result(groups []int32) (arrow.Array, error) {
	b := array.NewBuilder(e.env.Mem, e.out)
	defer b.Release()
	b.Reserve(len(groups))
	for _, g := range groups {
		if !e.seen[g] {
			b.AppendNull()
			continue
		}
		if err := appendWord(b, e.best[g]); err != nil {
			return nil, err
		}
	}
	return b.NewArray(), nil
}

// appendWord appends the value that normalises to w, see kernel.Normalise.
func appendWord(b array.Builder, w uint64) error {
	signed := int64(w ^ 1<<63)
	switch b := b.(type) {
	case *array.Int8Builder:
		b.Append(int8(signed))
	case *array.Int16Builder:
		b.Append(int16(signed))
	case *array.Int32Builder:
		b.Append(int32(signed))
	case *array.Int64Builder:
		b.Append(signed)
	case *array.Uint8Builder:
		b.Append(uint8(w))
	case *array.Uint16Builder:
		b.Append(uint16(w))
	case *array.Uint32Builder:
		b.Append(uint32(w))
	case *array.Uint64Builder:
		b.Append(w)
	case *array.Float16Builder:
		b.Append(half.FromFloat64(kernel.Float64FromWord(w)))
	case *array.Float32Builder:
		b.Append(float32(kernel.Float64FromWord(w)))
	case *array.Float64Builder:
		b.Append(kernel.Float64FromWord(w))
	case *array.BooleanBuilder:
		b.Append(w != 0)
	case *array.Date32Builder:
		b.Append(arrow.Date32(signed))
	case *array.Date64Builder:
		b.Append(arrow.Date64(signed))
	case *array.Time32Builder:
		b.Append(arrow.Time32(signed))
	case *array.Time64Builder:
		b.Append(arrow.Time64(signed))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(signed))
	case *array.DurationBuilder:
		b.Append(arrow.Duration(signed))
	default:
		return fault.New(fault.Internal, "no value of %s fits a word", b.Type())
	}
	return nil
}

func (e *wordExtreme) bytes() int64 { return 9*int64(cap(e.best)) + 8*int64(cap(e.words)) }
func (e *wordExtreme) release()     { e.best, e.seen, e.words = nil, nil, nil }

// textExtreme is min or max of strings and binaries. A group's buffer is reused.
type textExtreme struct {
	env     *op.Env
	largest bool
	out     arrow.DataType
	best    [][]byte // nil = none yet
	held    int64
}

func (e *textExtreme) Resize(n int) { e.best = grow(e.best, n) }

func (e *textExtreme) offer(g int32, v []byte) {
	old := e.best[g]
	if old != nil {
		if c := bytes.Compare(v, old); c == 0 || (c > 0) != e.largest {
			return
		}
	}
	if cap(old) < len(v) || old == nil {
		old = make([]byte, 0, len(v)+8)
		e.held += int64(cap(old))
	}
	e.best[g] = append(old[:0], v...)
}

func (e *textExtreme) Add(in op.GroupInput) error {
	value := op.TextOf(in.Args[0])
	in.Counted(func(r int, g int32) { e.offer(g, value(r)) })
	return nil
}

func (e *textExtreme) Merge(o accumulator, to []int32) error {
	for g, v := range o.(*textExtreme).best {
		if v != nil {
			e.offer(to[g], v)
		}
	}
	return nil
}

func (e *textExtreme) Result(groups []int32) (arrow.Array, error) {
	return textArray(e.env.Mem, e.out, groups, func(g int32) []byte { return e.best[g] })
}

// textArray makes a string or binary array; nil values are NULL.
func textArray(mem memory.Allocator, t arrow.DataType, groups []int32, value func(g int32) []byte) (arrow.Array, error) {
	b := array.NewBuilder(mem, t)
	defer b.Release()
	for _, g := range groups {
		v := value(g)
		if v == nil {
			b.AppendNull()
			continue
		}
		switch b := b.(type) {
		case *array.StringBuilder:
			b.BinaryBuilder.Append(v)
		case *array.LargeStringBuilder:
			b.BinaryBuilder.Append(v)
		case *array.BinaryBuilder:
			b.Append(v)
		default:
			return nil, fault.New(fault.Internal, "a text aggregate was planned as %s", t)
		}
	}
	return b.NewArray(), nil
}

func (e *textExtreme) bytes() int64 { return e.held + 24*int64(cap(e.best)) }
func (e *textExtreme) release()     { e.best = nil }

// keyExtreme is min or max of any type that sorts, and arg_min(x, by), arg_max(x, by): it keeps the row of
// the best value, the first of equal ones. Rows with a NULL among the arguments do not count.
type keyExtreme struct {
	*firstAcc
	largest bool
	by      int // argument that decides; argument 0 is the result
	keys    [][]byte
	encoded kernel.Keys
}

func (e *keyExtreme) Resize(n int) {
	e.firstAcc.Resize(n)
	e.keys = grow(e.keys, n)
}

func (e *keyExtreme) better(g int32, key []byte, at op.Position) bool {
	if e.keys[g] == nil {
		return true
	}
	if c := bytes.Compare(key, e.keys[g]); c != 0 {
		return (c > 0) == e.largest
	}
	return at < e.at[g]
}

func (e *keyExtreme) Add(in op.GroupInput) error {
	if err := e.encoded.Encode(in.Args[e.by:e.by+1], nil, in.Rows); err != nil {
		return err
	}
	var won []int32
	in.Counted(func(r int, g int32) {
		if key := e.encoded.Row(r); e.better(g, key, in.At+op.Position(r)) {
			e.keys[g] = append(e.keys[g][:0], key...)
			e.at[g] = in.At + op.Position(r)
			e.pending[g] = int32(r)
			won = append(won, g)
		}
	})
	return e.settle(in.Args[0], won)
}

func (e *keyExtreme) Merge(o accumulator, to []int32) error {
	p := o.(*keyExtreme)
	return e.absorb(p.firstAcc, to, func(from int, g int32) bool {
		if p.keys[from] == nil || !e.better(g, p.keys[from], p.at[from]) {
			return false
		}
		e.keys[g] = append(e.keys[g][:0], p.keys[from]...)
		return true
	})
}

func (e *keyExtreme) bytes() int64 { return e.firstAcc.bytes() + 64*int64(cap(e.keys)) }
