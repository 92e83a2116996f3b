package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
)

// Comparisons. 64 rows at a time become one word of a bitmap; a filter then reads off the positions of
// the set bits. A column against a constant is the hot path of every scan: it touches the column's
// buffer in place, and converts the constant to the column's type rather than the column.

// compareNode is x op y.
type compareNode struct {
	op   cmpOp
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
	n := &compareNode{op: cmpOps[e.Op], x: args[0], y: args[1], t: e.X.Type()}
	x := e.X
	if constant(n.x) && !constant(n.y) {
		n.x, n.y, n.op, x = n.y, n.x, swapped[n.op], e.Y
	}
	if !constant(n.y) {
		return n, nil
	}
	if w, ok := x.(*Cast); ok && lossless(w) && kindOf(plain(w.X.Type())).numeric() {
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
	switch kindOf(t) {
	case kInt, kUint, kTime, kTimestamp, kText:
		return true
	case kFloat:
		return bitWidth(t) > 16
	case kDate:
		return t.ID() == arrow.DATE32
	case kBinary:
		return true
	}
	return false
}

func (n *compareNode) typ() arrow.DataType { return tBool }

// bind prepares the comparison with the constant's value in this execution. usable is false where
// the general path has to do it.
func (n *compareNode) bind(f *frame) (b bound, usable bool, err error) {
	if n.col == nil || n.op >= opDistinct {
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
	b.op = n.op
	switch kindOf(n.col.t) {
	case kText, kBinary:
		switch v := l.Value.(type) {
		case string:
			b.v = []byte(v)
		case []byte:
			b.v = v
		}
		return b, true, nil
	case kDate, kTime, kTimestamp:
		b.v = l.Value
		return b, true, nil
	}
	return narrow(n.col.t, n.op, l.Value)
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
		b.op, b.outcome = negated[b.op], !b.outcome
	}
	valid, rows := validity(vec{arr: a}), f.in.Rows
	if b.fixed {
		if !b.outcome {
			return func(int) uint64 { return 0 }, true, nil
		}
		return valid.word, true, nil
	}
	chunk := chunkOf(a, b)
	if valid.bytes == nil {
		return func(k int) uint64 { return chunk(64*k, min(64, rows-64*k)) }, true, nil
	}
	return func(k int) uint64 { return chunk(64*k, min(64, rows-64*k)) & valid.word(k) }, true, nil
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
		b.op, b.outcome = negated[b.op], !b.outcome
	}
	valid := validity(vec{arr: a})
	start := len(out)
	if b.fixed {
		if !b.outcome {
			return out, nil
		}
		out = appendRows(r, out)
	} else {
		out = pickRows(a, b, r.sel, out)
	}
	if valid.bytes != nil {
		kept := out[:start]
		for _, row := range out[start:] {
			if bit := valid.off + int(row); valid.bytes[bit>>3]>>(bit&7)&1 != 0 {
				kept = append(kept, row)
			}
		}
		out = kept
	}
	return out, nil
}

// eval makes an array of booleans.
func (n *compareNode) eval(f *frame, r rows) (vec, error) {
	if r.all && n.col != nil {
		b, usable, err := n.bind(f)
		if err != nil {
			return vec{}, err
		}
		if usable {
			return n.evalColumn(f, r, b)
		}
	}
	x, err := run(n.x, f, r)
	if err != nil {
		return vec{}, err
	}
	defer x.release()
	y, err := run(n.y, f, r)
	if err != nil {
		return vec{}, err
	}
	defer y.release()
	return compareVecs(f.mem, n.op, x, y, r.n)
}

func (n *compareNode) evalColumn(f *frame, r rows, b bound) (vec, error) {
	a, err := n.col.column(f)
	if err != nil {
		return vec{}, err
	}
	buf, vals := newBits(f.mem, r.n)
	if b.fixed {
		for k := range vals {
			vals[k] = -b2u(b.outcome)
		}
	} else {
		chunk := chunkOf(a, b)
		for k := range vals {
			vals[k] = chunk(64*k, min(64, r.n-64*k))
		}
	}
	if a.NullN() == 0 {
		return vec{arr: makeBools(r.n, buf, nil)}, nil
	}
	okBuf, ok := newBits(f.mem, r.n)
	valid := validity(vec{arr: a})
	for k := range ok {
		ok[k] = valid.word(k)
	}
	return vec{arr: makeBools(r.n, buf, okBuf)}, nil
}

// betweenNode is x BETWEEN lo AND hi with x computed once.
type betweenNode struct {
	x, lo, hi node
	negated   bool
}

func (c *compiler) between(e *Between, args []node) (node, error) {
	return &betweenNode{x: args[0], lo: args[1], hi: args[2], negated: e.Negated}, nil
}

func (n *betweenNode) typ() arrow.DataType { return tBool }
func (n *betweenNode) eval(f *frame, r rows) (vec, error) {
	var vs [3]vec
	for i, x := range []node{n.x, n.lo, n.hi} {
		v, err := run(x, f, r)
		if err != nil {
			return vec{}, err
		}
		defer v.release()
		vs[i] = v
	}
	lo, hi := opGe, opLe
	if n.negated {
		lo, hi = opLt, opGt
	}
	a, err := compareVecs(f.mem, lo, vs[0], vs[1], r.n)
	if err != nil {
		return vec{}, err
	}
	b, err := compareVecs(f.mem, hi, vs[0], vs[2], r.n)
	if err != nil {
		a.release()
		return vec{}, err
	}
	and := logicNode{and: !n.negated}
	return and.combine(f, a, b), nil
}
