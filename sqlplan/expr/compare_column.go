package expr

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"
)

// A column against a constant, in the column's own type.

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
