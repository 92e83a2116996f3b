package compare

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr/value"
)

// A column against a constant, in the column's own type.

// ChunkOf returns a function that compares n <= 64 rows from row on and sets a bit for each hit. NULL
// rows get arbitrary bits.
func ChunkOf(a arrow.Array, b Bound) func(row, n int) uint64 {
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
	t, v := value.TextsOf(value.Vec{Arr: a}), b.Value.([]byte)
	return func(row, n int) uint64 { return TextChunk(b.Op, &t, row, n, v) }
}

func chunkNums[T value.Fixed](a arrow.Array, b Bound) func(row, n int) uint64 {
	vals := value.FixedOf[T](a)
	c, isNaN := constAs[T](b.Value)
	op := b.Op
	if isNaN {
		return func(row, n int) uint64 { return nanChunk(op, vals[row:row+n]) }
	}
	return func(row, n int) uint64 { return scalarChunk(op, vals[row:row+n], c) }
}

// constAs converts a constant to the type of the column; it fits, see narrow.
func constAs[T value.Fixed](v any) (c T, isNaN bool) {
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
func scalarChunk[T value.Fixed](op Op, v []T, c T) uint64 {
	switch op {
	case OpEq, opSame:
		return eqChunk(v, c)
	case OpNe, OpDistinct:
		return value.Tail(^eqChunk(v, c), len(v))
	case OpLt:
		return ltChunk(v, c)
	case OpGe:
		return value.Tail(^ltChunk(v, c), len(v))
	case OpLe:
		return leChunk(v, c)
	}
	return value.Tail(^leChunk(v, c), len(v))
}

// The three loops below take eight values per turn, with constant shifts, so that the compiler drops
// the bounds checks and the comparisons overlap.

func eqChunk[T value.Fixed](v []T, c T) (w uint64) {
	shift := 0
	for len(v) >= 8 {
		x := v[:8]
		w |= (value.Bit(x[0] == c) | value.Bit(x[1] == c)<<1 | value.Bit(x[2] == c)<<2 | value.Bit(x[3] == c)<<3 |
			value.Bit(x[4] == c)<<4 | value.Bit(x[5] == c)<<5 | value.Bit(x[6] == c)<<6 | value.Bit(x[7] == c)<<7) << (shift & 63)
		shift += 8
		v = v[8:]
	}
	for i, x := range v {
		w |= value.Bit(x == c) << ((shift + i) & 63)
	}
	return w
}

func ltChunk[T value.Fixed](v []T, c T) (w uint64) {
	shift := 0
	for len(v) >= 8 {
		x := v[:8]
		w |= (value.Bit(x[0] < c) | value.Bit(x[1] < c)<<1 | value.Bit(x[2] < c)<<2 | value.Bit(x[3] < c)<<3 |
			value.Bit(x[4] < c)<<4 | value.Bit(x[5] < c)<<5 | value.Bit(x[6] < c)<<6 | value.Bit(x[7] < c)<<7) << (shift & 63)
		shift += 8
		v = v[8:]
	}
	for i, x := range v {
		w |= value.Bit(x < c) << ((shift + i) & 63)
	}
	return w
}

func leChunk[T value.Fixed](v []T, c T) (w uint64) {
	shift := 0
	for len(v) >= 8 {
		x := v[:8]
		w |= (value.Bit(x[0] <= c) | value.Bit(x[1] <= c)<<1 | value.Bit(x[2] <= c)<<2 | value.Bit(x[3] <= c)<<3 |
			value.Bit(x[4] <= c)<<4 | value.Bit(x[5] <= c)<<5 | value.Bit(x[6] <= c)<<6 | value.Bit(x[7] <= c)<<7) << (shift & 63)
		shift += 8
		v = v[8:]
	}
	for i, x := range v {
		w |= value.Bit(x <= c) << ((shift + i) & 63)
	}
	return w
}

// nanChunk compares with NaN, which equals itself and is above everything else.
func nanChunk[T value.Fixed](op Op, v []T) (w uint64) {
	for i, x := range v {
		c := -1
		if x != x {
			c = 0
		}
		w |= value.Bit(op.Holds(c)) << i
	}
	return w
}

// TextChunk compares n strings from row on with a constant, bytewise.
func TextChunk(op Op, t *value.Texts, row, n int, c []byte) (w uint64) {
	switch op {
	case OpEq, OpNe, opSame, OpDistinct:
		if t.Off32 != nil {
			off := t.Off32[row : row+n+1]
			for i := range n {
				s, e := off[i], off[i+1]
				if int(e-s) == len(c) && string(t.Data[s:e]) == string(c) {
					w |= 1 << i
				}
			}
		} else {
			for i := range n {
				w |= value.Bit(t.Length(row+i) == len(c) && bytes.Equal(t.At(row+i), c)) << i
			}
		}
		if op == OpNe || op == OpDistinct {
			w = value.Tail(^w, n)
		}
		return w
	}
	for i := range n {
		w |= value.Bit(op.Holds(bytes.Compare(t.At(row+i), c))) << i
	}
	return w
}

// PickRows appends those of sel, ascending row numbers, where the comparison holds.
func PickRows(a arrow.Array, b Bound, sel, out []int32) []int32 {
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
	t, v := value.TextsOf(value.Vec{Arr: a}), b.Value.([]byte)
	for _, row := range sel {
		if TextChunk(b.Op, &t, int(row), 1, v) != 0 {
			out = append(out, row)
		}
	}
	return out
}

func pickNums[T value.Fixed](a arrow.Array, b Bound, sel, out []int32) []int32 {
	vals := value.FixedOf[T](a)
	c, isNaN := constAs[T](b.Value)
	if isNaN {
		for _, row := range sel {
			if nanChunk(b.Op, vals[row:row+1]) != 0 {
				out = append(out, row)
			}
		}
		return out
	}
	start := len(out)
	out, dst := value.GrowRows(out, len(sel))
	k := 0
	// Writing first and counting after has no branch to mispredict.
	switch b.Op {
	case OpEq:
		for _, row := range sel {
			dst[k] = row
			k += int(value.Bit(vals[row] == c))
		}
	case OpNe:
		for _, row := range sel {
			dst[k] = row
			k += int(value.Bit(vals[row] != c))
		}
	case OpLt:
		for _, row := range sel {
			dst[k] = row
			k += int(value.Bit(vals[row] < c))
		}
	case OpLe:
		for _, row := range sel {
			dst[k] = row
			k += int(value.Bit(vals[row] <= c))
		}
	case OpGt:
		for _, row := range sel {
			dst[k] = row
			k += int(value.Bit(!(vals[row] <= c)))
		}
	case OpGe:
		for _, row := range sel {
			dst[k] = row
			k += int(value.Bit(!(vals[row] < c)))
		}
	}
	return out[:start+k]
}
