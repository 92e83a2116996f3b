package expr

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"lanceflight/sqlplan/expr/compare"
	"lanceflight/sqlplan/expr/value"
)

// x IN (constants): a set that is built once for literals, once per batch for parameters.

type inNode struct {
	x       node
	t       arrow.DataType
	items   []node // constNode or paramNode
	negated bool
	set     *valueSet // nil: depends on parameters
	col     *colNode  // x is a column, bare or losslessly widened
}

func (c *compiler) in(e *In) (node, error) {
	args, err := c.compileAll(e.Children())
	if err != nil {
		return nil, err
	}
	n := &inNode{x: args[0], t: e.X.Type(), items: args[1:], negated: e.Negated}
	ready := true
	for _, it := range n.items {
		_, isParam := it.(*paramNode)
		ready = ready && !isParam
	}
	if ready {
		if n.set, err = n.build(nil); err != nil {
			return nil, err
		}
	}
	x := e.X
	// The set has the bits of the wider type: those of an integer and of the float that it is widened to differ.
	if w, ok := x.(*Cast); ok && lossless(w) && (value.KindOf(w.To) == value.KindFloat) == (value.KindOf(w.X.Type()) == value.KindFloat) {
		x = w.X
	}
	if col, ok := x.(*Column); ok && fastColumn(col.T) {
		inner, err := c.compile(col)
		if err != nil {
			return nil, err
		}
		n.col = inner.(*colNode)
	}
	return n, nil
}

func (n *inNode) typ() arrow.DataType { return value.TypeBool }

// build makes the set; f may be nil if there are no parameters.
func (n *inNode) build(f *frame) (*valueSet, error) {
	s := &valueSet{}
	for _, it := range n.items {
		var l Literal
		switch it := it.(type) {
		case *constNode:
			l = it.lit
		case *paramNode:
			var err error
			if l, err = it.literal(f); err != nil {
				return nil, err
			}
		}
		s.add(l.Value)
	}
	s.ready()
	return s, nil
}

func (n *inNode) prepared(f *frame) (*valueSet, error) {
	if n.set != nil {
		return n.set, nil
	}
	return n.build(f)
}

func (n *inNode) eval(f *frame, r rows) (value.Vec, error) {
	set, err := n.prepared(f)
	if err != nil {
		return value.Vec{}, err
	}
	v, err := run(n.x, f, r)
	if err != nil {
		return value.Vec{}, err
	}
	defer v.Release()
	if v.NullScalar() && len(n.items) > 0 {
		a, err := value.NullArray(f.mem, value.TypeBool, 1)
		return value.Vec{Arr: a, Scalar: true}, err
	}
	c := &value.KernelCall{Alloc: f.mem, Args: []value.Vec{v}, N: r.n, Type: value.TypeBool}
	defer c.Free()
	if v.Scalar {
		c.N = 1
	}
	if err := c.Prepare(true); err != nil {
		return value.Vec{}, err
	}
	buf, vals := value.NewBits(f.mem, c.N)
	chunk := set.chunk(c.Args[0])
	for k := range vals {
		vals[k] = chunk(64*k, min(64, c.N-64*k))
	}
	if set.null {
		// Not found among items of which one is unknown: unknown.
		ok := c.TakeValid()
		if ok == nil {
			okBuf, bits := value.NewBits(f.mem, c.N)
			copy(bits, vals)
			ok = okBuf
		} else {
			bits := value.FixedWords(ok)
			for k := range bits {
				bits[k] &= vals[k]
			}
		}
		c.Valid = ok
	}
	if n.negated {
		for k := range vals {
			vals[k] = ^vals[k]
		}
	}
	return value.Vec{Arr: value.MakeBools(c.N, buf, c.TakeValid()), Scalar: v.Scalar}, nil
}

// filter looks a column up in place.
func (n *inNode) filter(f *frame, r rows, want bool, out []int32) ([]int32, error) {
	if n.col == nil {
		return filterEval(n, f, r, want, out)
	}
	set, err := n.prepared(f)
	if err != nil {
		return nil, err
	}
	a, err := n.col.column(f)
	if err != nil {
		return nil, err
	}
	found := want != n.negated
	if !found && set.null {
		return out, nil
	}
	chunk, valid := set.chunk(value.Vec{Arr: a}), value.Validity(value.Vec{Arr: a})
	for i := range r.n {
		row := r.at(i)
		if (chunk(int(row), 1) != 0) == found && valid.Word(int(row)>>6)>>(row&63)&1 != 0 {
			out = append(out, row)
		}
	}
	return out, nil
}

func (n *inNode) words(f *frame, want bool) (func(k int) uint64, bool, error) {
	if n.col == nil {
		return nil, false, nil
	}
	set, err := n.prepared(f)
	if err != nil {
		return nil, false, err
	}
	a, err := n.col.column(f)
	if err != nil {
		return nil, false, err
	}
	found := want != n.negated
	if !found && set.null {
		return func(int) uint64 { return 0 }, true, nil
	}
	chunk, valid, rows := set.chunk(value.Vec{Arr: a}), value.Validity(value.Vec{Arr: a}), f.in.Rows
	return func(k int) uint64 {
		hits := chunk(64*k, min(64, rows-64*k))
		if !found {
			hits = ^hits
		}
		return hits & valid.Word(k)
	}, true, nil
}

// valueSet is a set of constants of one type. Numbers of any width are kept as 64 bits.
type valueSet struct {
	null  bool
	nums  map[uint64]struct{}
	small []uint64 // nums, if they are few
	dense []uint64 // a bitmap over base…, if they are close together
	base  uint64
	texts map[string]struct{}
	decs  map[decimal128.Num]struct{}
}

func (s *valueSet) add(v any) {
	num := func(u uint64) {
		if s.nums == nil {
			s.nums = map[uint64]struct{}{}
		}
		s.nums[u] = struct{}{}
	}
	text := func(t string) {
		if s.texts == nil {
			s.texts = map[string]struct{}{}
		}
		s.texts[t] = struct{}{}
	}
	switch v := v.(type) {
	case nil:
		s.null = true
	case bool:
		num(value.Bit(v))
	case int64:
		num(uint64(v))
	case uint64:
		num(v)
	case float64:
		num(floatKey(v))
	case string:
		text(v)
	case []byte:
		text(string(v))
	case decimal128.Num:
		if s.decs == nil {
			s.decs = map[decimal128.Num]struct{}{}
		}
		s.decs[v] = struct{}{}
	}
}

// floatKey maps equal numbers to equal bits: -0 and 0, all NaN.
func floatKey(f float64) uint64 {
	switch {
	case f == 0:
		return 0
	case f != f:
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(f)
}

// ready chooses how to look numbers up.
func (s *valueSet) ready() {
	if len(s.nums) == 0 {
		return
	}
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	for u := range s.nums {
		lo, hi = min(lo, int64(u)), max(hi, int64(u))
	}
	if span := uint64(hi) - uint64(lo); span < 1<<16 {
		s.base = uint64(lo)
		s.dense = make([]uint64, span/64+1)
		for u := range s.nums {
			s.dense[(u-s.base)>>6] |= 1 << ((u - s.base) & 63)
		}
	} else if len(s.nums) <= 8 {
		for u := range s.nums {
			s.small = append(s.small, u)
		}
	}
}

func (s *valueSet) has(u uint64) bool {
	if s.dense != nil {
		d := u - s.base
		return d>>6 < uint64(len(s.dense)) && s.dense[d>>6]>>(d&63)&1 != 0
	}
	if s.small != nil {
		for _, x := range s.small {
			if x == u {
				return true
			}
		}
		return false
	}
	_, ok := s.nums[u]
	return ok
}

// chunk returns a function that looks up n <= 64 rows from row on.
func (s *valueSet) chunk(v value.Vec) func(row, n int) uint64 {
	switch v.Arr.DataType().ID() {
	case arrow.INT8:
		return lookup(s, v, func(x int8) uint64 { return uint64(int64(x)) })
	case arrow.INT16:
		return lookup(s, v, func(x int16) uint64 { return uint64(int64(x)) })
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		return lookup(s, v, func(x int32) uint64 { return uint64(int64(x)) })
	case arrow.INT64, arrow.TIMESTAMP, arrow.TIME64:
		return lookup(s, v, func(x int64) uint64 { return uint64(x) })
	case arrow.UINT8:
		return lookup(s, v, func(x uint8) uint64 { return uint64(x) })
	case arrow.UINT16:
		return lookup(s, v, func(x uint16) uint64 { return uint64(x) })
	case arrow.UINT32:
		return lookup(s, v, func(x uint32) uint64 { return uint64(x) })
	case arrow.UINT64:
		return lookup(s, v, func(x uint64) uint64 { return x })
	case arrow.FLOAT32:
		return lookup(s, v, func(x float32) uint64 { return floatKey(float64(x)) })
	case arrow.FLOAT64:
		return lookup(s, v, floatKey)
	case arrow.BOOL:
		b := value.BoolsOf(v)
		yes, no := s.has(1), s.has(0)
		return func(row, n int) (w uint64) {
			t, f := b.Pair(row >> 6)
			if yes {
				w |= t
			}
			if no {
				w |= f
			}
			return w
		}
	case arrow.DECIMAL128:
		vals := value.NumsOf[decimal128.Num](v)
		return func(row, n int) (w uint64) {
			for i := range n {
				_, ok := s.decs[vals.At(row+i)]
				w |= value.Bit(ok) << i
			}
			return w
		}
	}
	t := value.TextsOf(v)
	if len(s.texts) == 1 {
		for only := range s.texts {
			return func(row, n int) uint64 { return compare.TextChunk(compare.OpEq, &t, row, n, []byte(only)) }
		}
	}
	return func(row, n int) (w uint64) {
		for i := range n {
			_, ok := s.texts[string(t.At(row+i))]
			w |= value.Bit(ok) << i
		}
		return w
	}
}

func lookup[T value.Fixed](s *valueSet, v value.Vec, key func(T) uint64) func(row, n int) uint64 {
	vals := value.NumsOf[T](v)
	return func(row, n int) (w uint64) {
		for i := range n {
			w |= value.Bit(s.has(key(vals.At(row+i)))) << i
		}
		return w
	}
}
