package expr

import (
	"bytes"
	"cmp"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"lanceflight/internal/fault"
)

// Comparisons. 64 rows at a time become one word of a bitmap; a filter then reads off the positions of
// the set bits. A column against a constant is the hot path of every scan: it touches the column's
// buffer in place, and converts the constant to the column's type rather than the column.

type cmpOp uint8

const (
	opEq cmpOp = iota
	opNe
	opLt
	opLe
	opGt
	opGe
	opDistinct
	opSame // IS NOT DISTINCT FROM
)

var cmpOps = map[string]cmpOp{
	"=": opEq, "!=": opNe, "<>": opNe, "<": opLt, "<=": opLe, ">": opGt, ">=": opGe,
	"IS DISTINCT FROM": opDistinct, "IS NOT DISTINCT FROM": opSame,
}

// negated holds NOT (x op y) for values that are not NULL: the order is total, NaN included.
var negated = [...]cmpOp{opEq: opNe, opNe: opEq, opLt: opGe, opLe: opGt, opGt: opLe, opGe: opLt, opDistinct: opSame, opSame: opDistinct}

// swapped holds y op x.
var swapped = [...]cmpOp{opEq: opEq, opNe: opNe, opLt: opGt, opLe: opGe, opGt: opLt, opGe: opLe, opDistinct: opDistinct, opSame: opSame}

// of turns a three-way comparison into the answer of op.
func (op cmpOp) of(c int) bool {
	switch op {
	case opEq, opSame:
		return c == 0
	case opNe, opDistinct:
		return c != 0
	case opLt:
		return c < 0
	case opLe:
		return c <= 0
	case opGt:
		return c > 0
	}
	return c >= 0
}

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

// bound is a comparison of a column with a constant, ready to run: x op v for the values of the
// column, or the same answer for all of them.
type bound struct {
	op      cmpOp
	v       any // int64, uint64, float64, []byte
	fixed   bool
	outcome bool
}

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

// narrow states the comparison of x, of type t, with a constant of a wider type in t's own values: for
// integers x > 0.5 becomes x > 0, for FLOAT x > 0.3 becomes x > the largest FLOAT below 0.3.
func narrow(t arrow.DataType, op cmpOp, v any) (bound, bool, error) {
	same := bound{op: op, v: v}
	constantly := func(c int) (bound, bool, error) {
		return bound{fixed: true, outcome: op.of(c)}, true, nil
	}
	switch kindOf(t) {
	case kInt, kUint:
		lo, hi := intRange(t)
		if f, ok := v.(float64); ok {
			switch {
			case f != f || f > hi || f == hi && bitWidth(t) == 64:
				return constantly(-1) // every x is below
			case f < lo:
				return constantly(1)
			}
			below := math.Floor(f)
			if below != f {
				switch op {
				case opEq:
					return bound{fixed: true}, true, nil
				case opNe:
					return bound{fixed: true, outcome: true}, true, nil
				case opLt: // x < 1.5  ->  x <= 1
					same.op = opLe
				case opGe: // x >= 1.5  ->  x > 1
					same.op = opGt
				}
			}
			if below < lo { // lo is not an integer below lo: lo-0.5 was caught above
				return constantly(1)
			}
			if kindOf(t) == kInt {
				same.v = int64(below)
			} else {
				same.v = uint64(below)
			}
			return same, true, nil
		}
		switch c := v.(type) {
		case int64:
			if kindOf(t) == kUint {
				if c < 0 {
					return constantly(1)
				}
				v = uint64(c)
			}
		case uint64:
			if kindOf(t) == kInt {
				if c > math.MaxInt64 {
					return constantly(-1)
				}
				v = int64(c)
			}
		default:
			return same, false, nil
		}
		switch c := v.(type) {
		case int64:
			if float64(c) > hi && bitWidth(t) < 64 {
				return constantly(-1)
			}
			if float64(c) < lo && bitWidth(t) < 64 {
				return constantly(1)
			}
		case uint64:
			if float64(c) > hi && bitWidth(t) < 64 {
				return constantly(-1)
			}
		}
		same.v = v
		return same, true, nil
	case kFloat:
		c, ok := v.(float64)
		if !ok {
			return same, false, nil
		}
		if bitWidth(t) == 64 || c != c {
			return same, true, nil
		}
		f := float32(c)
		if float64(f) == c {
			return same, true, nil
		}
		// No FLOAT equals c: compare with the neighbour below.
		if float64(f) > c {
			f = math.Nextafter32(f, float32(math.Inf(-1)))
		}
		same.v = float64(f)
		switch op {
		case opEq:
			return bound{fixed: true}, true, nil
		case opNe:
			return bound{fixed: true, outcome: true}, true, nil
		case opLt:
			same.op = opLe
		case opGe:
			same.op = opGt
		}
		return same, true, nil
	}
	return same, false, nil
}

// intRange is the range of an integer type; the bounds of 64-bit types are rounded.
func intRange(t arrow.DataType) (lo, hi float64) {
	w := bitWidth(t)
	if kindOf(t) == kUint {
		return 0, math.Ldexp(1, w) - boolFloat(w < 64)
	}
	return -math.Ldexp(1, w-1), math.Ldexp(1, w-1) - boolFloat(w < 64)
}

func boolFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
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

// chunkOf returns a function that compares n <= 64 rows from row on and sets a bit for each hit. NULL
// rows get arbitrary bits.
func chunkOf(a arrow.Array, b bound) func(row, n int) uint64 {
	switch a.DataType().ID() {
	case arrow.INT8:
		return chunkNums[int8](a, b)
	case arrow.INT16:
		return chunkNums[int16](a, b)
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		return chunkNums[int32](a, b)
	case arrow.INT64, arrow.TIMESTAMP, arrow.TIME64:
		return chunkNums[int64](a, b)
	case arrow.UINT8:
		return chunkNums[uint8](a, b)
	case arrow.UINT16:
		return chunkNums[uint16](a, b)
	case arrow.UINT32:
		return chunkNums[uint32](a, b)
	case arrow.UINT64:
		return chunkNums[uint64](a, b)
	case arrow.FLOAT32:
		return chunkNums[float32](a, b)
	case arrow.FLOAT64:
		return chunkNums[float64](a, b)
	}
	t, v := textsOf(vec{arr: a}), b.v.([]byte)
	return func(row, n int) uint64 { return textChunk(b.op, &t, row, n, v) }
}

func chunkNums[T fixed](a arrow.Array, b bound) func(row, n int) uint64 {
	vals := fixedOf[T](a)
	c, isNaN := constAs[T](b.v)
	op := b.op
	if isNaN {
		return func(row, n int) uint64 { return nanChunk(op, vals[row:row+n]) }
	}
	return func(row, n int) uint64 { return scalarChunk(op, vals[row:row+n], c) }
}

// constAs converts a constant to the type of the column; it fits, see narrow.
func constAs[T fixed](v any) (c T, isNaN bool) {
	switch v := v.(type) {
	case int64:
		return T(v), false
	case uint64:
		return T(v), false
	case float64:
		return T(v), v != v
	}
	return c, false
}

func b2u(b bool) uint64 {
	var u uint64
	if b {
		u = 1
	}
	return u
}

// scalarChunk compares up to 64 values with a constant that is not NaN. NaN values are above it, so the
// tests for "above" are the negation of those for "not above".
func scalarChunk[T fixed](op cmpOp, v []T, c T) uint64 {
	switch op {
	case opEq, opSame:
		return eqChunk(v, c)
	case opNe, opDistinct:
		return tail(^eqChunk(v, c), len(v))
	case opLt:
		return ltChunk(v, c)
	case opGe:
		return tail(^ltChunk(v, c), len(v))
	case opLe:
		return leChunk(v, c)
	}
	return tail(^leChunk(v, c), len(v))
}

// The three loops below take eight values per turn, with constant shifts, so that the compiler drops
// the bounds checks and the comparisons overlap.

func eqChunk[T fixed](v []T, c T) (w uint64) {
	shift := 0
	for len(v) >= 8 {
		x := v[:8]
		w |= (b2u(x[0] == c) | b2u(x[1] == c)<<1 | b2u(x[2] == c)<<2 | b2u(x[3] == c)<<3 |
			b2u(x[4] == c)<<4 | b2u(x[5] == c)<<5 | b2u(x[6] == c)<<6 | b2u(x[7] == c)<<7) << (shift & 63)
		shift += 8
		v = v[8:]
	}
	for i, x := range v {
		w |= b2u(x == c) << ((shift + i) & 63)
	}
	return w
}

func ltChunk[T fixed](v []T, c T) (w uint64) {
	shift := 0
	for len(v) >= 8 {
		x := v[:8]
		w |= (b2u(x[0] < c) | b2u(x[1] < c)<<1 | b2u(x[2] < c)<<2 | b2u(x[3] < c)<<3 |
			b2u(x[4] < c)<<4 | b2u(x[5] < c)<<5 | b2u(x[6] < c)<<6 | b2u(x[7] < c)<<7) << (shift & 63)
		shift += 8
		v = v[8:]
	}
	for i, x := range v {
		w |= b2u(x < c) << ((shift + i) & 63)
	}
	return w
}

func leChunk[T fixed](v []T, c T) (w uint64) {
	shift := 0
	for len(v) >= 8 {
		x := v[:8]
		w |= (b2u(x[0] <= c) | b2u(x[1] <= c)<<1 | b2u(x[2] <= c)<<2 | b2u(x[3] <= c)<<3 |
			b2u(x[4] <= c)<<4 | b2u(x[5] <= c)<<5 | b2u(x[6] <= c)<<6 | b2u(x[7] <= c)<<7) << (shift & 63)
		shift += 8
		v = v[8:]
	}
	for i, x := range v {
		w |= b2u(x <= c) << ((shift + i) & 63)
	}
	return w
}

// nanChunk compares with NaN, which equals itself and is above everything else.
func nanChunk[T fixed](op cmpOp, v []T) (w uint64) {
	for i, x := range v {
		c := -1
		if x != x {
			c = 0
		}
		w |= b2u(op.of(c)) << i
	}
	return w
}

// textChunk compares n strings from row on with a constant, bytewise.
func textChunk(op cmpOp, t *texts, row, n int, c []byte) (w uint64) {
	switch op {
	case opEq, opNe, opSame, opDistinct:
		if t.off32 != nil {
			off := t.off32[row : row+n+1]
			for i := range n {
				s, e := off[i], off[i+1]
				if int(e-s) == len(c) && string(t.data[s:e]) == string(c) {
					w |= 1 << i
				}
			}
		} else {
			for i := range n {
				w |= b2u(t.length(row+i) == len(c) && bytes.Equal(t.at(row+i), c)) << i
			}
		}
		if op == opNe || op == opDistinct {
			w = tail(^w, n)
		}
		return w
	}
	for i := range n {
		w |= b2u(op.of(bytes.Compare(t.at(row+i), c))) << i
	}
	return w
}

// pickRows appends those of sel, ascending row numbers, where the comparison holds.
func pickRows(a arrow.Array, b bound, sel, out []int32) []int32 {
	switch a.DataType().ID() {
	case arrow.INT8:
		return pickNums[int8](a, b, sel, out)
	case arrow.INT16:
		return pickNums[int16](a, b, sel, out)
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		return pickNums[int32](a, b, sel, out)
	case arrow.INT64, arrow.TIMESTAMP, arrow.TIME64:
		return pickNums[int64](a, b, sel, out)
	case arrow.UINT8:
		return pickNums[uint8](a, b, sel, out)
	case arrow.UINT16:
		return pickNums[uint16](a, b, sel, out)
	case arrow.UINT32:
		return pickNums[uint32](a, b, sel, out)
	case arrow.UINT64:
		return pickNums[uint64](a, b, sel, out)
	case arrow.FLOAT32:
		return pickNums[float32](a, b, sel, out)
	case arrow.FLOAT64:
		return pickNums[float64](a, b, sel, out)
	}
	t, v := textsOf(vec{arr: a}), b.v.([]byte)
	for _, row := range sel {
		if textChunk(b.op, &t, int(row), 1, v) != 0 {
			out = append(out, row)
		}
	}
	return out
}

func pickNums[T fixed](a arrow.Array, b bound, sel, out []int32) []int32 {
	vals := fixedOf[T](a)
	c, isNaN := constAs[T](b.v)
	if isNaN {
		for _, row := range sel {
			if nanChunk(b.op, vals[row:row+1]) != 0 {
				out = append(out, row)
			}
		}
		return out
	}
	start := len(out)
	out, dst := grow(out, len(sel))
	k := 0
	// Writing first and counting after has no branch to mispredict.
	switch b.op {
	case opEq:
		for _, row := range sel {
			dst[k] = row
			k += int(b2u(vals[row] == c))
		}
	case opNe:
		for _, row := range sel {
			dst[k] = row
			k += int(b2u(vals[row] != c))
		}
	case opLt:
		for _, row := range sel {
			dst[k] = row
			k += int(b2u(vals[row] < c))
		}
	case opLe:
		for _, row := range sel {
			dst[k] = row
			k += int(b2u(vals[row] <= c))
		}
	case opGt:
		for _, row := range sel {
			dst[k] = row
			k += int(b2u(!(vals[row] <= c)))
		}
	case opGe:
		for _, row := range sel {
			dst[k] = row
			k += int(b2u(!(vals[row] < c)))
		}
	}
	return out[:start+k]
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
	return compareVecs(f, n.op, x, y, r.n)
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

// compareVecs compares two vecs of the same type over n rows. Both stay the caller's.
func compareVecs(f *frame, op cmpOp, x, y vec, n int) (vec, error) {
	scalar := x.scalar && y.scalar
	if scalar {
		n = 1
	}
	if op < opDistinct && (x.nullScalar() || y.nullScalar()) {
		a, err := nullArray(f.mem, tBool, 1)
		return vec{arr: a, scalar: true}, err
	}
	c := &call{f: f, args: []vec{x, y}, n: n, t: tBool}
	defer c.free()
	if err := c.prepare(true); err != nil {
		return vec{}, err
	}
	buf, vals := newBits(f.mem, n)
	eachChunk, err := chunkPair(op, c)
	if err != nil {
		buf.Release()
		return vec{}, err
	}
	for k := range vals {
		vals[k] = eachChunk(64*k, min(64, n-64*k))
	}
	if op < opDistinct {
		return vec{arr: makeBools(n, buf, c.takeValid()), scalar: scalar}, nil
	}
	// Two NULLs are the same, a NULL and a value are distinct.
	vx, vy := c.validOf(0), c.validOf(1)
	for k := range vals {
		a, b := vx(k), vy(k)
		distinct := a ^ b
		if op == opDistinct {
			vals[k] = vals[k]&a&b | distinct
		} else {
			vals[k] = vals[k]&a&b | ^a&^b
		}
	}
	return vec{arr: makeArray(tBool, n, nil, 0, buf), scalar: scalar}, nil
}

// chunkPair is chunkOf for two prepared arguments.
func chunkPair(op cmpOp, c *call) (func(row, n int) uint64, error) {
	x, y := c.args[0], c.args[1]
	switch x.arr.DataType().ID() {
	case arrow.NULL:
		return func(int, int) uint64 { return 0 }, nil
	case arrow.INT8:
		return pairNums[int8](op, x, y), nil
	case arrow.INT16:
		return pairNums[int16](op, x, y), nil
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		return pairNums[int32](op, x, y), nil
	case arrow.INT64, arrow.TIMESTAMP, arrow.TIME64, arrow.DATE64, arrow.DURATION:
		return pairNums[int64](op, x, y), nil
	case arrow.UINT8:
		return pairNums[uint8](op, x, y), nil
	case arrow.UINT16:
		return pairNums[uint16](op, x, y), nil
	case arrow.UINT32:
		return pairNums[uint32](op, x, y), nil
	case arrow.UINT64:
		return pairNums[uint64](op, x, y), nil
	case arrow.FLOAT32:
		return pairNums[float32](op, x, y), nil
	case arrow.FLOAT64:
		return pairNums[float64](op, x, y), nil
	case arrow.DECIMAL128:
		return pairFunc(op, numsOf[decimal128.Num](x), numsOf[decimal128.Num](y), decimal128.Num.Cmp), nil
	case arrow.INTERVAL_MONTH_DAY_NANO:
		return pairFunc(op, numsOf[arrow.MonthDayNanoInterval](x), numsOf[arrow.MonthDayNanoInterval](y), compareIntervals), nil
	case arrow.BOOL:
		bx, by := boolsOf(x), boolsOf(y)
		return func(row, n int) uint64 {
			x1, x0 := bx.pair(row >> 6)
			y1, y0 := by.pair(row >> 6)
			lt, gt := x0&y1, x1&y0
			switch op {
			case opEq, opSame:
				return ^(lt | gt)
			case opNe, opDistinct:
				return lt | gt
			case opLt:
				return lt
			case opLe:
				return ^gt
			case opGt:
				return gt
			}
			return ^lt
		}, nil
	}
	switch kindOf(x.arr.DataType()) {
	case kText, kBinary:
		tx, ty := textsOf(x), textsOf(y)
		if y.scalar && !x.scalar {
			c := ty.at(0)
			return func(row, n int) uint64 { return textChunk(op, &tx, row, n, c) }, nil
		}
		return func(row, n int) (w uint64) {
			for i := range n {
				w |= b2u(op.of(bytes.Compare(tx.at(row+i), ty.at(row+i)))) << i
			}
			return w
		}, nil
	case kList, kStruct, kMap:
		return func(row, n int) (w uint64) {
			for i := range n {
				w |= b2u(op.of(compareRows(x.arr, x.row(row+i), y.arr, y.row(row+i)))) << i
			}
			return w
		}, nil
	}
	return nil, fault.New(fault.Unsupported, "comparing values of type %s", TypeName(x.arr.DataType()))
}

// row is the row of v.arr that row i is about; v is not lazy.
func (v vec) row(i int) int {
	if v.scalar {
		return 0
	}
	return i
}

func pairNums[T fixed](op cmpOp, x, y vec) func(row, n int) uint64 {
	nx, ny := numsOf[T](x), numsOf[T](y)
	if y.scalar && !x.scalar && ny.vals[0] == ny.vals[0] {
		c := ny.vals[0]
		return func(row, n int) uint64 { return scalarChunk(op, nx.vals[row:row+n], c) }
	}
	return func(row, n int) (w uint64) {
		for i := range n {
			// cmp.Compare puts NaN below everything; exchanging the sides of two NaN-free values
			// costs nothing, so only NaN needs care.
			a, b := nx.at(row+i), ny.at(row+i)
			w |= b2u(op.of(compareNums(a, b))) << i
		}
		return w
	}
}

// compareNums orders numbers with NaN above all and equal to itself.
func compareNums[T cmp.Ordered](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	case a == a: // b is NaN
		return -1
	case b == b:
		return 1
	}
	return 0
}

func pairFunc[T any](op cmpOp, x, y nums[T], compare func(a, b T) int) func(row, n int) uint64 {
	return func(row, n int) (w uint64) {
		for i := range n {
			w |= b2u(op.of(compare(x.at(row+i), y.at(row+i)))) << i
		}
		return w
	}
}

// compareIntervals takes a month for 30 days and a day for 24 hours, as PostgreSQL does.
func compareIntervals(a, b arrow.MonthDayNanoInterval) int {
	da, na := intervalSpan(a)
	db, nb := intervalSpan(b)
	if c := cmp.Compare(da, db); c != 0 {
		return c
	}
	return cmp.Compare(na, nb)
}

// intervalSpan is the length of an interval in days and nanoseconds of a day.
func intervalSpan(v arrow.MonthDayNanoInterval) (days, nanos int64) {
	days = floorDiv(v.Nanoseconds, nanosPerDay)
	return days + int64(v.Months)*30 + int64(v.Days), v.Nanoseconds - days*nanosPerDay
}

// compareRows orders two rows of arrays of the same type, element by element; NULLs inside are last
// and equal to each other. It is for nested types, which are rarely compared: it is slow.
func compareRows(a arrow.Array, i int, b arrow.Array, j int) int {
	if a.IsNull(i) || b.IsNull(j) {
		return int(b2u(a.IsNull(i))) - int(b2u(b.IsNull(j)))
	}
	switch x := a.(type) {
	case array.ListLike:
		y := b.(array.ListLike)
		xs, xe := x.ValueOffsets(i)
		ys, ye := y.ValueOffsets(j)
		for ; xs < xe && ys < ye; xs, ys = xs+1, ys+1 {
			if c := compareRows(x.ListValues(), int(xs), y.ListValues(), int(ys)); c != 0 {
				return c
			}
		}
		return cmp.Compare(xe-xs, ye-ys)
	case *array.Struct:
		y := b.(*array.Struct)
		for k := range x.NumField() {
			if c := compareRows(x.Field(k), i, y.Field(k), j); c != 0 {
				return c
			}
		}
		return 0
	}
	x, err := valueAt(a, i)
	if err != nil {
		return 0
	}
	y, err := valueAt(b, j)
	if err != nil {
		return 0
	}
	return compareValues(x, y)
}

// compareValues orders two values of a Literal of the same type.
func compareValues(x, y any) int {
	switch x := x.(type) {
	case bool:
		return int(b2u(x)) - int(b2u(y.(bool)))
	case int64:
		return cmp.Compare(x, y.(int64))
	case uint64:
		return cmp.Compare(x, y.(uint64))
	case float64:
		return compareNums(x, y.(float64))
	case string:
		return cmp.Compare(x, y.(string))
	case []byte:
		return bytes.Compare(x, y.([]byte))
	case decimal128.Num:
		return x.Cmp(y.(decimal128.Num))
	case arrow.MonthDayNanoInterval:
		return compareIntervals(x, y.(arrow.MonthDayNanoInterval))
	}
	return 0
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
	a, err := compareVecs(f, lo, vs[0], vs[1], r.n)
	if err != nil {
		return vec{}, err
	}
	b, err := compareVecs(f, hi, vs[0], vs[2], r.n)
	if err != nil {
		a.release()
		return vec{}, err
	}
	and := logicNode{and: !n.negated}
	return and.combine(f, a, b), nil
}
