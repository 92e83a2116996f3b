package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr/compare"
	"lanceflight/sqlplan/expr/value"
)

// Comparisons. 64 rows at a time become one word of a bitmap; a filter then reads off the positions of
// the set bits. A column against a constant is the hot path of every scan: it touches the column's
// buffer in place, and converts the constant to the column's type rather than the column.

// compareNode is x op y.
type compareNode struct {
	op   compare.Op
	x, y node
	t    arrow.DataType // of both sides, up to the layout of strings
	// col and k are set for a column, bare or losslessly widened, against a constant.
	col *colNode
	k   node
}

func (c *compiler) compare(e *Compare) (node, error) {
	args, err := c.compileAll(e.Children())
	if err != nil {
		return nil, err
	}
	n := &compareNode{op: compare.Ops[e.Op], x: args[0], y: args[1], t: e.X.Type()}
	x := e.X
	if constant(n.x) && !constant(n.y) {
		n.x, n.y, n.op, x = n.y, n.x, compare.Swapped[n.op], e.Y
	}
	if !constant(n.y) {
		return n, nil
	}
	if w, ok := x.(*Cast); ok && lossless(w) && value.KindOf(value.PlainType(w.X.Type())).Numeric() {
		x = w.X
	}
	if col, ok := x.(*Column); ok && fastColumn(col.T) {
		inner, err := c.compile(col)
		if err != nil {
			return nil, err
		}
		n.col, n.k = inner.(*colNode), n.y
	}
	return n, nil
}

// fastColumn says whether columns of type t are compared in place.
func fastColumn(t arrow.DataType) bool {
	switch value.KindOf(t) {
	case value.KindInt, value.KindUint, value.KindTime, value.KindTimestamp, value.KindText:
		return true
	case value.KindFloat:
		return value.BitWidth(t) > 16
	case value.KindDate:
		return t.ID() == arrow.DATE32
	case value.KindBinary, value.KindUUID:
		return true
	}
	return false
}

func (n *compareNode) typ() arrow.DataType { return value.TypeBool }

// bind prepares the comparison with the constant's value in this execution. usable is false where
// the general path has to do it.
func (n *compareNode) bind(f *frame) (b compare.Bound, usable bool, err error) {
	if n.col == nil || n.op >= compare.OpDistinct {
		return b, false, nil
	}
	var l Literal
	switch k := n.k.(type) {
	case *constNode:
		l = k.lit
	case *paramNode:
		if l, err = k.literal(f); err != nil {
			return b, false, err
		}
	}
	if l.Value == nil {
		return b, false, nil
	}
	b.Op = n.op
	switch value.KindOf(n.col.t) {
	case value.KindText, value.KindBinary, value.KindUUID:
		switch v := l.Value.(type) {
		case string:
			b.Value = []byte(v)
		case []byte:
			b.Value = v
		}
		return b, true, nil
	case value.KindDate, value.KindTime, value.KindTimestamp:
		b.Value = l.Value
		return b, true, nil
	}
	return compare.Narrow(n.col.t, n.op, l.Value)
}

func (n *compareNode) words(f *frame, want bool) (func(k int) uint64, bool, error) {
	b, usable, err := n.bind(f)
	if err != nil || !usable {
		return nil, false, err
	}
	a, err := n.col.column(f)
	if err != nil {
		return nil, false, err
	}
	if !want {
		b.Op, b.Outcome = compare.Negated[b.Op], !b.Outcome
	}
	valid, rows := value.Validity(value.Vec{Arr: a}), f.in.Rows
	if b.Fixed {
		if !b.Outcome {
			return func(int) uint64 { return 0 }, true, nil
		}
		return valid.Word, true, nil
	}
	chunk := compare.ChunkOf(a, b)
	if valid.Bytes == nil {
		return func(k int) uint64 { return chunk(64*k, min(64, rows-64*k)) }, true, nil
	}
	return func(k int) uint64 { return chunk(64*k, min(64, rows-64*k)) & valid.Word(k) }, true, nil
}

// filter finds the rows of a column in place, without an array of booleans.
func (n *compareNode) filter(f *frame, r rows, want bool, out []int32) ([]int32, error) {
	b, usable, err := n.bind(f)
	if err != nil {
		return nil, err
	}
	if !usable {
		return filterEval(n, f, r, want, out)
	}
	a, err := n.col.column(f)
	if err != nil {
		return nil, err
	}
	if !want {
		b.Op, b.Outcome = compare.Negated[b.Op], !b.Outcome
	}
	valid := value.Validity(value.Vec{Arr: a})
	start := len(out)
	if b.Fixed {
		if !b.Outcome {
			return out, nil
		}
		out = appendRows(r, out)
	} else {
		out = compare.PickRows(a, b, r.sel, out)
	}
	if valid.Bytes != nil {
		kept := out[:start]
		for _, row := range out[start:] {
			if bit := valid.Off + int(row); valid.Bytes[bit>>3]>>(bit&7)&1 != 0 {
				kept = append(kept, row)
			}
		}
		out = kept
	}
	return out, nil
}

// eval makes an array of booleans.
func (n *compareNode) eval(f *frame, r rows) (value.Vec, error) {
	if r.all && n.col != nil {
		b, usable, err := n.bind(f)
		if err != nil {
			return value.Vec{}, err
		}
		if usable {
			return n.evalColumn(f, r, b)
		}
	}
	x, err := run(n.x, f, r)
	if err != nil {
		return value.Vec{}, err
	}
	defer x.Release()
	y, err := run(n.y, f, r)
	if err != nil {
		return value.Vec{}, err
	}
	defer y.Release()
	return compare.Vecs(f.mem, n.op, x, y, r.n)
}

func (n *compareNode) evalColumn(f *frame, r rows, b compare.Bound) (value.Vec, error) {
	a, err := n.col.column(f)
	if err != nil {
		return value.Vec{}, err
	}
	buf, vals := value.NewBits(f.mem, r.n)
	if b.Fixed {
		for k := range vals {
			vals[k] = -value.Bit(b.Outcome)
		}
	} else {
		chunk := compare.ChunkOf(a, b)
		for k := range vals {
			vals[k] = chunk(64*k, min(64, r.n-64*k))
		}
	}
	if a.NullN() == 0 {
		return value.Vec{Arr: value.MakeBools(r.n, buf, nil)}, nil
	}
	okBuf, ok := value.NewBits(f.mem, r.n)
	valid := value.Validity(value.Vec{Arr: a})
	for k := range ok {
		ok[k] = valid.Word(k)
	}
	return value.Vec{Arr: value.MakeBools(r.n, buf, okBuf)}, nil
}

// betweenNode is x BETWEEN lo AND hi with x computed once.
type betweenNode struct {
	x, lo, hi node
	negated   bool
}

func (c *compiler) between(e *Between, args []node) (node, error) {
	return &betweenNode{x: args[0], lo: args[1], hi: args[2], negated: e.Negated}, nil
}

func (n *betweenNode) typ() arrow.DataType { return value.TypeBool }
func (n *betweenNode) eval(f *frame, r rows) (value.Vec, error) {
	var vs [3]value.Vec
	for i, x := range []node{n.x, n.lo, n.hi} {
		v, err := run(x, f, r)
		if err != nil {
			return value.Vec{}, err
		}
		defer v.Release()
		vs[i] = v
	}
	lo, hi := compare.OpGe, compare.OpLe
	if n.negated {
		lo, hi = compare.OpLt, compare.OpGt
	}
	a, err := compare.Vecs(f.mem, lo, vs[0], vs[1], r.n)
	if err != nil {
		return value.Vec{}, err
	}
	b, err := compare.Vecs(f.mem, hi, vs[0], vs[2], r.n)
	if err != nil {
		a.Release()
		return value.Vec{}, err
	}
	and := logicNode{and: !n.negated}
	return and.combine(f, a, b), nil
}
