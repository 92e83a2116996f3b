package agg

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/kernel"
)

// boolAcc is bool_and or bool_or; NULL for a group without values.
type boolAcc struct {
	env   *op.Env
	or    bool
	state []int8 // 0 none yet, 1 false, 2 true
}

func (b *boolAcc) Resize(n int) { b.state = grow(b.state, n) }

func (b *boolAcc) offer(g int32, v int8) {
	old := b.state[g]
	if old == 0 || b.or && v > old || !b.or && v < old {
		b.state[g] = v
	}
}

func (b *boolAcc) Add(in op.GroupInput) error {
	a, ok := in.Args[0].(*array.Boolean)
	if !ok {
		return fault.New(fault.Internal, "bool_and or bool_or of %s", in.Args[0].DataType())
	}
	in.Counted(func(r int, g int32) {
		if a.Value(r) {
			b.offer(g, 2)
		} else {
			b.offer(g, 1)
		}
	})
	return nil
}

func (b *boolAcc) Merge(o accumulator, to []int32) error {
	for g, v := range o.(*boolAcc).state {
		if v != 0 {
			b.offer(to[g], v)
		}
	}
	return nil
}

func (b *boolAcc) Result(groups []int32) (arrow.Array, error) {
	out := array.NewBooleanBuilder(b.env.Mem)
	defer out.Release()
	for _, g := range groups {
		if b.state[g] == 0 {
			out.AppendNull()
		} else {
			out.Append(b.state[g] == 2)
		}
	}
	return out.NewArray(), nil
}

func (b *boolAcc) bytes() int64 { return int64(cap(b.state)) }
func (b *boolAcc) release()     { b.state = nil }

// bitsAcc is bit_and, bit_or or bit_xor of integers.
type bitsAcc struct {
	env   *op.Env
	op    string
	out   arrow.DataType
	value []uint64
	seen  []bool
	words []uint64
}

func newBits(op string, t, out arrow.DataType, env *op.Env) (accumulator, error) {
	if !arrow.IsInteger(t.ID()) || !arrow.TypeEqual(t, out) {
		return nil, fault.New(fault.Unsupported, "%s of %s", op, t)
	}
	return &bitsAcc{env: env, op: op, out: out}, nil
}

func (b *bitsAcc) Resize(n int) { b.value, b.seen = grow(b.value, n), grow(b.seen, n) }

func (b *bitsAcc) offer(g int32, v uint64) {
	switch {
	case !b.seen[g]:
		b.value[g], b.seen[g] = v, true
	case b.op == "bit_and":
		b.value[g] &= v
	case b.op == "bit_or":
		b.value[g] |= v
	default:
		b.value[g] ^= v
	}
}

func (b *bitsAcc) Add(in op.GroupInput) error {
	b.words, _ = kernel.Normalise(in.Args[0], b.words[:0])
	in.Counted(func(r int, g int32) { b.offer(g, b.words[r]^b.bias()) })
	return nil
}

// bias is what normalising did to the sign bit.
func (b *bitsAcc) bias() uint64 {
	if arrow.IsSignedInteger(b.out.ID()) {
		return 1 << 63
	}
	return 0
}

func (b *bitsAcc) Merge(o accumulator, to []int32) error {
	p := o.(*bitsAcc)
	for g, v := range p.value {
		if p.seen[g] {
			b.offer(to[g], v)
		}
	}
	return nil
}

func (b *bitsAcc) Result(groups []int32) (arrow.Array, error) {
	out := array.NewBuilder(b.env.Mem, b.out)
	defer out.Release()
	for _, g := range groups {
		if !b.seen[g] {
			out.AppendNull()
		} else if err := appendWord(out, b.value[g]^b.bias()); err != nil {
			return nil, err
		}
	}
	return out.NewArray(), nil
}

func (b *bitsAcc) bytes() int64 { return 9*int64(cap(b.value)) + 8*int64(cap(b.words)) }
func (b *bitsAcc) release()     { b.value, b.seen = nil, nil }
