package agg

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/internal/gather"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/kernel"
)

// firstAcc keeps the value of one row per group: the first in input order (any_value, which skips
// NULLs, and first), or the last. Values are copied out of their batches, and the copies thinned
// when most of them have been replaced.
type firstAcc struct {
	env       *op.Env
	out       arrow.DataType
	skipNulls bool
	latest    bool

	at      []op.Position // of the row kept; -1 = none
	refs    []gather.Ref
	pending []int32 // row in the batch being added; -1 = none
	chunks  []arrow.Array
	copied  int
	held    int64
}

func newFirst(skipNulls bool, out arrow.DataType, env *op.Env) *firstAcc {
	return &firstAcc{env: env, out: out, skipNulls: skipNulls}
}

func newLast(out arrow.DataType, env *op.Env) *firstAcc {
	return &firstAcc{env: env, out: out, latest: true}
}

func (f *firstAcc) Resize(n int) {
	old := len(f.at)
	f.at, f.refs, f.pending = grow(f.at, n), grow(f.refs, n), grow(f.pending, n)
	for g := old; g < n; g++ {
		f.at[g], f.pending[g] = -1, -1
	}
}

// better reports whether the row at the given position replaces the one kept.
func (f *firstAcc) better(g int32, at op.Position) bool {
	return f.at[g] < 0 || (at > f.at[g]) == f.latest
}

func (f *firstAcc) Add(in op.GroupInput) error {
	a := in.Args[0]
	var won []int32
	for r := range in.Rows {
		g := in.Group(r)
		if g < 0 || f.skipNulls && a.IsNull(r) {
			continue
		}
		if at := in.At + op.Position(r); f.better(g, at) {
			if f.pending[g] < 0 {
				won = append(won, g)
			}
			f.at[g], f.pending[g] = at, int32(r)
		}
	}
	return f.settle(a, won)
}

// settle copies the pending rows of the groups won.
func (f *firstAcc) settle(a arrow.Array, won []int32) error {
	var rows []int32
	for _, g := range won {
		if r := f.pending[g]; r >= 0 {
			f.refs[g] = gather.Ref{Batch: int32(len(f.chunks)), Row: int32(len(rows))}
			rows = append(rows, r)
			f.pending[g] = -1
		}
	}
	if len(rows) == 0 {
		return nil
	}
	chunk, err := gather.Copy(f.env.Mem, a, rows)
	if err != nil {
		return err
	}
	f.keep(chunk)
	if f.copied > 2*len(f.at)+4096 {
		return f.thin()
	}
	return nil
}

func (f *firstAcc) keep(chunk arrow.Array) {
	f.chunks = append(f.chunks, chunk)
	f.copied += chunk.Len()
	f.held += kernel.ArrayBytes(chunk)
}

// thin copies the values still kept into one array.
func (f *firstAcc) thin() error {
	var refs []gather.Ref
	for g := range f.refs {
		if f.at[g] >= 0 {
			refs = append(refs, f.refs[g])
			f.refs[g] = gather.Ref{Row: int32(len(refs) - 1)}
		}
	}
	all, err := gather.Interleave(f.env.Mem, f.chunks, refs)
	if err != nil {
		return err
	}
	f.release()
	f.copied, f.held = 0, 0
	f.keep(all)
	return nil
}

func (f *firstAcc) Merge(o accumulator, to []int32) error {
	p := o.(*firstAcc)
	return f.absorb(p, to, func(from int, g int32) bool { return f.better(g, p.at[from]) })
}

// absorb takes over the groups of p for which wins is true.
func (f *firstAcc) absorb(p *firstAcc, to []int32, wins func(from int, g int32) bool) error {
	base := int32(len(f.chunks))
	for from := range p.at {
		if g := to[from]; p.at[from] >= 0 && wins(from, g) {
			f.at[g] = p.at[from]
			f.refs[g] = gather.Ref{Batch: base + p.refs[from].Batch, Row: p.refs[from].Row}
		}
	}
	for _, c := range p.chunks {
		c.Retain()
		f.keep(c)
	}
	return nil
}

func (f *firstAcc) Result(groups []int32) (arrow.Array, error) {
	null := array.MakeArrayOfNull(f.env.Mem, f.out, 1)
	defer null.Release()
	src := append(f.chunks[:len(f.chunks):len(f.chunks)], null)
	refs := make([]gather.Ref, len(groups))
	for i, g := range groups {
		if refs[i] = f.refs[g]; f.at[g] < 0 {
			refs[i] = gather.Ref{Batch: int32(len(f.chunks))}
		}
	}
	for _, a := range src {
		if !arrow.TypeEqual(a.DataType(), f.out) {
			return nil, fault.New(fault.Internal, "an aggregate of %s was planned as %s", a.DataType(), f.out)
		}
	}
	return gather.Interleave(f.env.Mem, src, refs)
}

func (f *firstAcc) bytes() int64 { return f.held + 20*int64(cap(f.at)) }

func (f *firstAcc) release() {
	for _, c := range f.chunks {
		c.Release()
	}
	f.chunks = nil
}
