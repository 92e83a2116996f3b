package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/sqlplan/expr/value"
)

// Three-valued logic. Every boolean is held as two bitmaps, where it is true and where it is false;
// NULL is in neither. AND is then (true: both; false: either), OR its mirror, NOT their exchange.

// logicNode is AND or OR. and says which; OR is AND with true and false exchanged.
type logicNode struct {
	and  bool
	args []node
	// wordy[i]: operand i is cheap and cannot fail, so it is computed for all rows at once; others
	// only for the rows that are still undecided.
	wordy []bool
}

func (c *compiler) logic(e *Logic) (node, error) {
	n := &logicNode{and: e.Op == "AND"}
	for _, a := range OrderConditions(e.Args, nil) {
		x, err := c.compile(a)
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, x)
		n.wordy = append(n.wordy, CostOf(a) == CostFixed && !CanFail(a))
	}
	return n, nil
}

func (n *logicNode) typ() arrow.DataType { return value.TypeBool }

// eval works on the rows that no operand has decided yet: not false so far for AND, not true for OR.
func (n *logicNode) eval(f *frame, r rows) (value.Vec, error) {
	v, err := run(n.args[0], f, r)
	if err != nil {
		return value.Vec{}, err
	}
	for i, arg := range n.args[1:] {
		if err := v.Flatten(f.mem); err != nil {
			v.Release()
			return value.Vec{}, err
		}
		b := value.BoolsOf(v)
		if v.Scalar || n.wordy[i+1] {
			if v.Scalar && b.Is(0, !n.and)&1 != 0 {
				return v, nil // decided for all rows
			}
			w, err := run(arg, f, r)
			if err == nil {
				err = w.Flatten(f.mem)
			}
			if err != nil {
				v.Release()
				w.Release()
				return value.Vec{}, err
			}
			v = n.combine(f, v, w)
			continue
		}
		v, err = n.refine(f, r, v, arg)
		if err != nil {
			return value.Vec{}, err
		}
	}
	return v, nil
}

// combine is v AND w, or v OR w; it takes both over.
func (n *logicNode) combine(f *frame, v, w value.Vec) value.Vec {
	defer v.Release()
	defer w.Release()
	a, b := value.BoolsOf(v), value.BoolsOf(w)
	rows := a.N
	if v.Scalar {
		rows = b.N
	}
	scalar := a.Scalar && b.Scalar
	if scalar {
		rows = 1
	}
	valBuf, vals := value.NewBits(f.mem, rows)
	okBuf, ok := value.NewBits(f.mem, rows)
	for k := range vals {
		ay, an := a.Pair(k)
		by, bn := b.Pair(k)
		yes, no := ay&by, an|bn
		if !n.and {
			yes, no = ay|by, an&bn
		}
		vals[k], ok[k] = yes, yes|no
	}
	return value.Vec{Arr: value.MakeBools(rows, valBuf, okBuf), Scalar: scalar}
}

// refine computes arg for the undecided rows of v (flat) only, and merges; it takes v over.
func (n *logicNode) refine(f *frame, r rows, v value.Vec, arg node) (value.Vec, error) {
	defer v.Release()
	b := value.BoolsOf(v)
	positions := borrow(b.N)
	defer giveBack(positions)
	// Undecided: NULL, or true so far (AND), false so far (OR).
	decided := func(k int) uint64 { return b.Is(k, !n.and) }
	_, room := value.GrowRows(*positions, b.N)
	k := 0
	for w := 0; 64*w < b.N; w++ {
		k = emit(value.Tail(^decided(w), b.N-64*w), int32(64*w), room, k)
	}
	todo := room[:k]
	if k == 0 {
		v.Arr.Retain()
		return value.Vec{Arr: v.Arr}, nil
	}
	sub := r
	if k < r.n {
		rowsOf := borrow(k)
		defer giveBack(rowsOf)
		for _, p := range todo {
			*rowsOf = append(*rowsOf, r.at(int(p)))
		}
		sub = someRows(*rowsOf)
	}
	w, err := run(arg, f, sub)
	if err != nil {
		return value.Vec{}, err
	}
	defer w.Release()
	if err := w.Flatten(f.mem); err != nil {
		return value.Vec{}, err
	}
	c := value.BoolsOf(w)
	valBuf, vals := value.NewBits(f.mem, b.N)
	okBuf, ok := value.NewBits(f.mem, b.N)
	for k := range vals {
		yes, no := b.Pair(k)
		vals[k], ok[k] = yes, yes|no
	}
	for i, p := range todo {
		cy, cn := c.Pair(i >> 6)
		j := uint(i & 63)
		if c.Scalar {
			j = 0
		}
		word, bit := p>>6, uint64(1)<<(p&63)
		yes, known := vals[word]&bit != 0, ok[word]&bit != 0
		cYes, cNo := cy>>j&1 != 0, cn>>j&1 != 0
		// Here the row is NULL, or true for AND, false for OR.
		switch {
		case n.and && cNo, !n.and && cYes:
			known, yes = true, !n.and
		case !cYes && !cNo:
			known = false
		}
		vals[word] &^= bit
		ok[word] &^= bit
		if known {
			ok[word] |= bit
			if yes {
				vals[word] |= bit
			}
		}
	}
	return value.Vec{Arr: value.MakeBools(b.N, valBuf, okBuf)}, nil
}

// filter finds the rows step by step: AND is true (and OR false) where every operand is; AND is false
// (and OR true) where any operand is.
func (n *logicNode) filter(f *frame, r rows, want bool, out []int32) ([]int32, error) {
	if n.and == want {
		return n.every(f, r, want, out)
	}
	return n.any(f, r, want, out)
}

// words joins the words of all operands; they must all have some.
func (n *logicNode) words(f *frame, want bool) (func(k int) uint64, bool, error) {
	fns := make([]func(int) uint64, len(n.args))
	for i, arg := range n.args {
		if _, scan := arg.(*likeNode); scan && n.and == want {
			return nil, false, nil // strings are searched after the other conditions; see every
		}
		fn, ok, err := wordsOf(arg, f, want)
		if err != nil || !ok {
			return nil, false, err
		}
		fns[i] = fn
	}
	return join(fns, n.and == want), true, nil
}

// join is the conjunction or the disjunction of words.
func join(fns []func(int) uint64, and bool) func(k int) uint64 {
	if len(fns) == 1 {
		return fns[0]
	}
	if and {
		return func(k int) uint64 {
			w := fns[0](k)
			for _, fn := range fns[1:] {
				if w == 0 {
					break
				}
				w &= fn(k)
			}
			return w
		}
	}
	return func(k int) uint64 {
		var w uint64
		for _, fn := range fns {
			w |= fn(k)
		}
		return w
	}
}

func (n *logicNode) every(f *frame, r rows, want bool, out []int32) ([]int32, error) {
	start, args := len(out), n.args
	if r.all {
		// The operands that answer in words go first and together; they are the cheap ones.
		var fns []func(int) uint64
		for len(args) > 0 {
			if _, scan := args[0].(*likeNode); scan && len(fns) > 0 {
				break
			}
			fn, ok, err := wordsOf(args[0], f, want)
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			fns, args = append(fns, fn), args[1:]
		}
		if len(fns) > 0 {
			out = collectWords(f, join(fns, true), out)
			r = someRows(out[start:])
		}
	}
	for _, arg := range args {
		var err error
		if out, err = filter(arg, f, r, want, out[:start]); err != nil {
			return nil, err
		}
		r = someRows(out[start:])
	}
	return out, nil
}

func (n *logicNode) any(f *frame, r rows, want bool, out []int32) ([]int32, error) {
	found, hits, rest := borrow(r.n), borrow(r.n), borrow(r.n)
	defer giveBack(found)
	defer giveBack(hits)
	defer giveBack(rest)
	left := r
	for i, arg := range n.args {
		var err error
		if *hits, err = filter(arg, f, left, want, (*hits)[:0]); err != nil {
			return nil, err
		}
		if i == 0 {
			*found, *hits = *hits, *found
		} else {
			*found = merge(*found, *hits)
		}
		if i == len(n.args)-1 || len(*found) == r.n {
			break
		}
		// left may be *rest itself; without writes behind what it reads.
		last := *found
		if i > 0 {
			last = *hits
		}
		*rest = without(left, last, (*rest)[:0])
		left = someRows(*rest)
	}
	return append(out, *found...), nil
}

// merge merges b into the ascending list a.
func merge(a, b []int32) []int32 {
	i, j := len(a)-1, len(b)-1
	a = append(a, b...)
	for k := len(a) - 1; j >= 0; k-- {
		if i >= 0 && a[i] > b[j] {
			a[k] = a[i]
			i--
		} else {
			a[k] = b[j]
			j--
		}
	}
	return a
}

type notNode struct{ x node }

func (n *notNode) typ() arrow.DataType { return value.TypeBool }
func (n *notNode) filter(f *frame, r rows, want bool, out []int32) ([]int32, error) {
	return filter(n.x, f, r, !want, out)
}

func (n *notNode) words(f *frame, want bool) (func(k int) uint64, bool, error) {
	return wordsOf(n.x, f, !want)
}

func (n *notNode) eval(f *frame, r rows) (value.Vec, error) {
	return mapBools(n.x, f, r, func(yes, no uint64) (uint64, uint64) { return no, yes })
}

// mapBools evaluates x and maps its bitmaps of truth and falsehood.
func mapBools(x node, f *frame, r rows, fn func(yes, no uint64) (uint64, uint64)) (value.Vec, error) {
	v, err := run(x, f, r)
	if err != nil {
		return value.Vec{}, err
	}
	defer v.Release()
	if err := v.Flatten(f.mem); err != nil {
		return value.Vec{}, err
	}
	b := value.BoolsOf(v)
	rows := b.N
	if b.Scalar {
		rows = 1
	}
	valBuf, vals := value.NewBits(f.mem, rows)
	okBuf, ok := value.NewBits(f.mem, rows)
	for k := range vals {
		yes, no := fn(b.Pair(k))
		vals[k], ok[k] = yes, yes|no
	}
	return value.Vec{Arr: value.MakeBools(rows, valBuf, okBuf), Scalar: b.Scalar}, nil
}

// isBoolNode is IS [NOT] TRUE, FALSE, UNKNOWN.
type isBoolNode struct {
	x       node
	want    *bool
	negated bool
}

func (n *isBoolNode) typ() arrow.DataType { return value.TypeBool }
func (n *isBoolNode) eval(f *frame, r rows) (value.Vec, error) {
	return mapBools(n.x, f, r, func(yes, no uint64) (uint64, uint64) {
		var is uint64
		switch {
		case n.want == nil:
			is = ^(yes | no)
		case *n.want:
			is = yes
		default:
			is = no
		}
		if n.negated {
			is = ^is
		}
		return is, ^is
	})
}

func (n *isBoolNode) words(f *frame, want bool) (func(k int) uint64, bool, error) {
	if n.want == nil || want == n.negated {
		return nil, false, nil
	}
	return wordsOf(n.x, f, *n.want)
}

func (n *isBoolNode) filter(f *frame, r rows, want bool, out []int32) ([]int32, error) {
	if n.want != nil && want != n.negated {
		return filter(n.x, f, r, *n.want, out)
	}
	return filterEval(n, f, r, want, out)
}

// isNullNode is IS [NOT] NULL.
type isNullNode struct {
	x       node
	negated bool
}

func (n *isNullNode) typ() arrow.DataType { return value.TypeBool }

func (n *isNullNode) eval(f *frame, r rows) (value.Vec, error) {
	v, err := run(n.x, f, r)
	if err != nil {
		return value.Vec{}, err
	}
	defer v.Release()
	rows := r.n
	if v.Scalar {
		rows = 1
	}
	buf, vals := value.NewBits(f.mem, rows)
	valid := value.Validity(v)
	for k := range vals {
		vals[k] = 0
		if v.Lazy {
			for j, row := range v.Sel[64*k : min(64*k+64, rows)] {
				vals[k] |= valid.Word(int(row)>>6) >> (row & 63) & 1 << j
			}
		} else {
			vals[k] = valid.Word(k)
		}
		if !n.negated {
			vals[k] = ^vals[k]
		}
	}
	return value.Vec{Arr: value.MakeArray(value.TypeBool, rows, nil, 0, buf), Scalar: v.Scalar}, nil
}

func (n *isNullNode) words(f *frame, want bool) (func(k int) uint64, bool, error) {
	col, ok := n.x.(*colNode)
	if !ok {
		return nil, false, nil
	}
	a, err := col.column(f)
	if err != nil {
		return nil, false, err
	}
	valid, rows := value.Validity(value.Vec{Arr: a}), f.in.Rows
	if want == n.negated {
		return valid.Word, true, nil
	}
	return func(k int) uint64 { return value.Tail(^valid.Word(k), rows-64*k) }, true, nil
}

func (n *isNullNode) filter(f *frame, r rows, want bool, out []int32) ([]int32, error) {
	col, ok := n.x.(*colNode)
	if !ok {
		return filterEval(n, f, r, want, out)
	}
	a, err := col.column(f)
	if err != nil {
		return nil, err
	}
	b := value.Bools{Vals: value.Validity(value.Vec{Arr: a}), Valid: value.Words{Bytes: nil, Off: 0, N: a.Len()}, N: a.Len()}
	return collectColumn(b, r, want == n.negated, out), nil
}

// ---- CASE and COALESCE ------------------------------------------------------------------------

// branches gathers results that were computed for disjoint sets of rows.
type branches struct {
	f    *frame
	r    rows
	src  []value.Vec
	rows [][]int32 // nil: all rows of r
}

func (b *branches) free() {
	for _, v := range b.src {
		v.Release()
	}
}

// take computes n for the given rows of r and keeps the result. The rows are retained.
func (b *branches) take(n node, sub rows) error {
	v, err := run(n, b.f, sub)
	if err != nil {
		return err
	}
	b.src = append(b.src, v)
	b.rows = append(b.rows, sub.sel)
	return nil
}

// assemble puts the results into the order of r.
func (b *branches) assemble(t arrow.DataType) (value.Vec, error) {
	if len(b.src) == 1 {
		v := b.src[0]
		b.src = nil
		return v, nil
	}
	refs := make([]value.Interleaved, b.r.n)
	arrs := make([]arrow.Array, len(b.src))
	for k, v := range b.src {
		arrs[k] = v.Arr
		p := 0
		for j, row := range b.rows[k] {
			at := int(row)
			if !b.r.all {
				for b.r.sel[p] != row {
					p++
				}
				at = p
			}
			ref := int32(j)
			switch {
			case v.Scalar:
				ref = 0
			case v.Lazy:
				ref = v.Sel[j]
			}
			refs[at] = value.Interleaved{Batch: int32(k), Row: ref}
		}
	}
	a, err := value.Interleave(b.f.mem, t, arrs, refs)
	return value.Vec{Arr: a}, err
}

type caseNode struct {
	conds, results []node
	els            node // nil: NULL
	t              arrow.DataType
}

func (c *compiler) caseWhen(e *Case) (node, error) {
	n := &caseNode{t: e.T}
	for _, w := range e.Whens {
		cond, err := c.compile(w.Cond)
		if err != nil {
			return nil, err
		}
		result, err := c.compile(w.Result)
		if err != nil {
			return nil, err
		}
		n.conds, n.results = append(n.conds, cond), append(n.results, result)
	}
	els := e.Else
	if els == nil {
		els = NewLiteral(nil, e.T)
	}
	var err error
	n.els, err = c.compile(els)
	return n, err
}

func (n *caseNode) typ() arrow.DataType { return n.t }

// eval gives each row to the first condition that is true for it.
func (n *caseNode) eval(f *frame, r rows) (value.Vec, error) {
	b := branches{f: f, r: r}
	defer b.free()
	left := r
	for i, cond := range n.conds {
		hits, err := filter(cond, f, left, true, make([]int32, 0, left.n))
		if err != nil {
			return value.Vec{}, err
		}
		if len(hits) == 0 {
			continue
		}
		if len(hits) == left.n {
			if err := b.take(n.results[i], left); err != nil {
				return value.Vec{}, err
			}
			left = someRows(nil)
			break
		}
		if err := b.take(n.results[i], someRows(hits)); err != nil {
			return value.Vec{}, err
		}
		left = someRows(without(left, hits, make([]int32, 0, left.n-len(hits))))
	}
	if left.n > 0 {
		if err := b.take(n.els, left); err != nil {
			return value.Vec{}, err
		}
	}
	return b.assemble(n.t)
}

type coalesceNode struct {
	args []node
	t    arrow.DataType
}

func (n *coalesceNode) typ() arrow.DataType { return n.t }

// eval asks each operand about the rows where the ones before were NULL.
func (n *coalesceNode) eval(f *frame, r rows) (value.Vec, error) {
	b := branches{f: f, r: r}
	defer b.free()
	left := r
	for i, arg := range n.args {
		if err := b.take(arg, left); err != nil {
			return value.Vec{}, err
		}
		if i == len(n.args)-1 {
			break
		}
		last := len(b.src) - 1
		v := &b.src[last]
		if v.Scalar {
			if v.NullScalar() {
				b.drop(last)
				continue
			}
			break
		}
		if err := v.Flatten(f.mem); err != nil {
			return value.Vec{}, err
		}
		if v.Arr.NullN() == 0 && v.Arr.DataType().ID() != arrow.NULL {
			break
		}
		valid := value.Validity(*v)
		at := make([]int32, left.n)
		missing := 0
		for k := 0; 64*k < left.n; k++ {
			missing = emit(value.Tail(^valid.Word(k), left.n-64*k), int32(64*k), at, missing)
		}
		nulls := at[:missing]
		if missing == 0 {
			break
		}
		if !left.all {
			for j, p := range nulls {
				nulls[j] = left.sel[p]
			}
		}
		if missing == left.n {
			b.drop(last)
		} else {
			// Keep all rows of this branch: the later branch, assembled after it, overwrites.
			b.rows[last] = left.list()
		}
		left = someRows(nulls)
	}
	if len(b.src) == 0 {
		a, err := value.NullArray(f.mem, n.t, 1)
		return value.Vec{Arr: a, Scalar: true}, err
	}
	return b.assemble(n.t)
}

func (b *branches) drop(i int) {
	b.src[i].Release()
	b.src, b.rows = b.src[:i], b.rows[:i]
}

// list is the row numbers of r.
func (r rows) list() []int32 {
	if !r.all {
		return r.sel
	}
	return appendRows(r, nil)
}

// fieldNode is a member of a struct.
type fieldNode struct {
	x     node
	index int
	t     arrow.DataType
}

func (n *fieldNode) typ() arrow.DataType { return n.t }
func (n *fieldNode) eval(f *frame, r rows) (value.Vec, error) {
	v, err := run(n.x, f, r)
	if err != nil {
		return value.Vec{}, err
	}
	defer v.Release()
	s := v.Arr.(*array.Struct)
	a := s.Field(n.index)
	if s.NullN() == 0 {
		a.Retain()
	} else {
		// A NULL struct has NULL members, whatever their own bitmaps say.
		buf, bits := value.NewBits(f.mem, s.Len())
		outer, inner := value.Validity(v), value.Validity(value.Vec{Arr: a})
		for k := range bits {
			bits[k] = outer.Word(k) & inner.Word(k)
		}
		a = value.WithValidity(f.mem, a, buf)
	}
	return value.Vec{Arr: a, Scalar: v.Scalar, Sel: v.Sel, Lazy: v.Lazy}, nil
}
