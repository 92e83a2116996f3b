package expr

import (
	"context"
	"math/bits"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr/value"
)

// Program is an expression compiled for batches with a given column order. It is safe for concurrent
// use and needs no release.
type Program struct {
	root node
	t    arrow.DataType
}

// Input is one batch: Cols[position[id]] holds column id. All of it is borrowed for the call.
type Input struct {
	Cols []arrow.Array
	Rows int
	// Params are the values of parameters by slot; another type than the Param's is cast.
	Params []Literal
	Mem    memory.Allocator // nil = memory.DefaultAllocator
}

// Compile prepares e for batches in which column id stands at position[id]. Constant parts are
// computed here, patterns compiled, sets hashed.
func Compile(e Expr, position map[ColID]int) (*Program, error) {
	e, err := Fold(e)
	if err != nil {
		return nil, err
	}
	c := compiler{position: position}
	n, err := c.compile(e)
	if err != nil {
		return nil, err
	}
	return &Program{root: n, t: e.Type()}, nil
}

// Eval computes the value for every row: an array of in.Rows values of the expression's type, which
// the caller releases; it may share buffers with the input. Errors of single rows (division by zero,
// a text that is no number) fail the whole batch with fault.InvalidArgument.
func (p *Program) Eval(ctx context.Context, in Input) (arrow.Array, error) {
	f := newFrame(ctx, in)
	v, err := run(p.root, f, allRows(in.Rows))
	if err != nil {
		return nil, err
	}
	return v.Materialize(f.mem, in.Rows)
}

// Select appends to sel the numbers of the rows for which a boolean program is true, ascending, and
// returns it; NULL counts as false. With enough capacity in sel, simple filters allocate nothing.
func (p *Program) Select(ctx context.Context, in Input, sel []int32) ([]int32, error) {
	f := newFrame(ctx, in)
	if p.t.ID() == arrow.NULL {
		return sel, nil
	}
	if p.t.ID() != arrow.BOOL {
		return nil, fault.New(fault.InvalidArgument, "a filter must be BOOLEAN, not %s", value.TypeName(p.t))
	}
	return filter(p.root, f, allRows(in.Rows), true, sel)
}

// frame is the state of one evaluation.
type frame struct {
	ctx context.Context
	in  Input
	mem memory.Allocator
}

func newFrame(ctx context.Context, in Input) *frame {
	f := &frame{ctx: ctx, in: in, mem: in.Mem}
	if f.mem == nil {
		f.mem = memory.DefaultAllocator
	}
	return f
}

// rows are the rows of the batch that an evaluation is about: all, or some, ascending.
type rows struct {
	sel []int32
	n   int
	all bool
}

func allRows(n int) rows        { return rows{n: n, all: true} }
func someRows(sel []int32) rows { return rows{sel: sel, n: len(sel)} }
func (r rows) at(i int) int32 {
	if r.all {
		return int32(i)
	}
	return r.sel[i]
}

// node computes one expression.
type node interface {
	// eval returns one value per row of r, r.n of them; it is not called for r.n == 0.
	eval(f *frame, r rows) (value.Vec, error)
	typ() arrow.DataType
}

// filterer is a boolean node that finds rows without an intermediate array.
type filterer interface {
	// filter appends to out the rows of r where the value is want (not NULL), ascending. out may
	// be r.sel[:0] in memory: row i of r is read before anything is written behind out[i].
	filter(f *frame, r rows, want bool, out []int32) ([]int32, error)
}

// wordy is a boolean node over columns that answers 64 rows at a time, without NULLs in between.
type wordy interface {
	// words returns a function that sets a bit for each of the rows 64k … 64k+63 of the batch whose
	// value is want. ok false: not this time, filter has to do it.
	words(f *frame, want bool) (fn func(k int) uint64, ok bool, err error)
}

// wordsOf is words of a node that may not be wordy.
func wordsOf(n node, f *frame, want bool) (func(k int) uint64, bool, error) {
	if w, ok := n.(wordy); ok {
		return w.words(f, want)
	}
	return nil, false, nil
}

// collectWords appends the rows of the batch whose bits are set.
func collectWords(f *frame, fn func(k int) uint64, out []int32) []int32 {
	n := f.in.Rows
	out, dst := value.GrowRows(out, n)
	k := 0
	for w := 0; 64*w < n; w++ {
		if hits := fn(w); hits != 0 {
			k = emit(hits, int32(64*w), dst, k)
		}
	}
	return out[:len(out)+k]
}

// run evaluates n for the rows, unless there are none: a branch that no row takes raises no error.
func run(n node, f *frame, r rows) (value.Vec, error) {
	if r.n == 0 {
		a, err := value.NullArray(f.mem, n.typ(), 0)
		return value.Vec{Arr: a}, err
	}
	return n.eval(f, r)
}

// filter is run for conditions.
func filter(n node, f *frame, r rows, want bool, out []int32) ([]int32, error) {
	if r.n == 0 {
		return out, nil
	}
	if r.all {
		if fn, ok, err := wordsOf(n, f, want); err != nil {
			return nil, err
		} else if ok {
			return collectWords(f, fn, out), nil
		}
	}
	if n, ok := n.(filterer); ok {
		return n.filter(f, r, want, out)
	}
	return filterEval(n, f, r, want, out)
}

// filterEval evaluates a boolean node and collects the rows where it is want.
func filterEval(n node, f *frame, r rows, want bool, out []int32) ([]int32, error) {
	v, err := run(n, f, r)
	if err != nil {
		return nil, err
	}
	defer v.Release()
	if v.Arr.DataType().ID() == arrow.NULL {
		return out, nil
	}
	if v.Scalar {
		if v.Arr.IsNull(0) || v.Arr.(*array.Boolean).Value(0) != want {
			return out, nil
		}
		return appendRows(r, out), nil
	}
	if err := v.Flatten(f.mem); err != nil {
		return nil, err
	}
	return collect(value.BoolsOf(v), r, want, out), nil
}

// appendRows appends all of r.
func appendRows(r rows, out []int32) []int32 {
	if !r.all {
		return append(out, r.sel...)
	}
	out, dst := value.GrowRows(out, r.n)
	for i := range dst {
		dst[i] = int32(i)
	}
	return out[:len(out)+r.n]
}

// scratch lends row lists for the inside of one evaluation.
var scratch = sync.Pool{New: func() any { return new([]int32) }}

func borrow(n int) *[]int32 {
	s := scratch.Get().(*[]int32)
	if cap(*s) < n {
		*s = make([]int32, 0, n)
	}
	*s = (*s)[:0]
	return s
}

func giveBack(s *[]int32) { scratch.Put(s) }

// without appends to out the rows of r that are not in hits; hits is a subset of r.
func without(r rows, hits, out []int32) []int32 {
	for i := range r.n {
		row := r.at(i)
		if len(hits) > 0 && hits[0] == row {
			hits = hits[1:]
			continue
		}
		out = append(out, row)
	}
	return out
}

// ---- Leaves -----------------------------------------------------------------------------------

type colNode struct {
	pos  int
	t    arrow.DataType
	name string
}

func (n *colNode) typ() arrow.DataType { return n.t }

// column is the whole column, borrowed.
func (n *colNode) column(f *frame) (arrow.Array, error) {
	if n.pos >= len(f.in.Cols) || f.in.Cols[n.pos] == nil {
		return nil, fault.New(fault.Internal, "column %q is not in a batch of %d columns", n.name, len(f.in.Cols))
	}
	a := f.in.Cols[n.pos]
	if a.DataType().ID() != n.t.ID() {
		return nil, fault.New(fault.Internal, "column %q was planned as %s and is %s", n.name, n.t, a.DataType())
	}
	if a.Len() != f.in.Rows {
		return nil, fault.New(fault.Internal, "column %q has %d rows in a batch of %d", n.name, a.Len(), f.in.Rows)
	}
	return a, nil
}

func (n *colNode) eval(f *frame, r rows) (value.Vec, error) {
	a, err := n.column(f)
	if err != nil {
		return value.Vec{}, err
	}
	a.Retain()
	if r.all {
		return value.Vec{Arr: a}, nil
	}
	return value.Vec{Arr: a, Sel: r.sel, Lazy: true}, nil
}

func (n *colNode) words(f *frame, want bool) (func(k int) uint64, bool, error) {
	a, err := n.column(f)
	if err != nil || a.DataType().ID() != arrow.BOOL {
		return nil, false, err
	}
	b := value.BoolsOf(value.Vec{Arr: a})
	return func(k int) uint64 { return b.Is(k, want) }, true, nil
}

func (n *colNode) filter(f *frame, r rows, want bool, out []int32) ([]int32, error) {
	a, err := n.column(f)
	if err != nil {
		return nil, err
	}
	if a.DataType().ID() == arrow.NULL {
		return out, nil
	}
	return collectColumn(value.BoolsOf(value.Vec{Arr: a}), r, want, out), nil
}

// constNode is a literal. Its array lives in Go memory as long as the program.
type constNode struct {
	arr arrow.Array
	lit Literal
}

func newConst(l Literal) (*constNode, error) {
	a, err := Broadcast(l, 1, memory.NewGoAllocator())
	if err != nil {
		return nil, err
	}
	return &constNode{arr: a, lit: l}, nil
}

func (n *constNode) typ() arrow.DataType { return n.lit.T }
func (n *constNode) eval(*frame, rows) (value.Vec, error) {
	n.arr.Retain()
	return value.Vec{Arr: n.arr, Scalar: true}, nil
}

type paramNode struct{ p Param }

func (n *paramNode) typ() arrow.DataType { return n.p.T }
func (n *paramNode) literal(f *frame) (Literal, error) {
	if n.p.Slot >= len(f.in.Params) {
		return Literal{}, fault.New(fault.InvalidArgument, "parameter $%d has no value; %d parameters were given", n.p.Slot+1, len(f.in.Params))
	}
	l := f.in.Params[n.p.Slot]
	if l.T != nil && arrow.TypeEqual(l.T, n.p.T) {
		return l, nil
	}
	c, err := CastLiteral(l, n.p.T)
	if err != nil {
		return c, fault.New(fault.InvalidArgument, "parameter $%d: %w", n.p.Slot+1, err)
	}
	return c, nil
}

func (n *paramNode) eval(f *frame, _ rows) (value.Vec, error) {
	l, err := n.literal(f)
	if err != nil {
		return value.Vec{}, err
	}
	a, err := Broadcast(l, 1, f.mem)
	return value.Vec{Arr: a, Scalar: true}, err
}

// collect appends the rows of r at whose position b is want.
func collect(b value.Bools, r rows, want bool, out []int32) []int32 {
	if r.all {
		return collectColumn(b, r, want, out)
	}
	for k := 0; 64*k < b.N; k++ {
		for w := b.Is(k, want); w != 0; w &= w - 1 {
			out = append(out, r.sel[64*k+bits.TrailingZeros64(w)])
		}
	}
	return out
}

// collectColumn appends the rows of r for which b, a whole column, is want.
func collectColumn(b value.Bools, r rows, want bool, out []int32) []int32 {
	if !r.all {
		for _, row := range r.sel {
			if b.Is(int(row)>>6, want)>>(row&63)&1 != 0 {
				out = append(out, row)
			}
		}
		return out
	}
	out, dst := value.GrowRows(out, b.N)
	k := 0
	for w := 0; 64*w < b.N; w++ {
		k = emit(b.Is(w, want), int32(64*w), dst, k)
	}
	return out[:len(out)+k]
}

// emit writes base plus the numbers of the bits in w to dst from k on.
func emit(w uint64, base int32, dst []int32, k int) int {
	if w == ^uint64(0) {
		d := dst[k : k+64]
		for i := range d {
			d[i] = base + int32(i)
		}
		return k + 64
	}
	for ; w != 0; w &= w - 1 {
		dst[k] = base + int32(bits.TrailingZeros64(w))
		k++
	}
	return k
}
