package compare

import (
	"bytes"
	"cmp"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
)

// Two computed operands, of any type.

// Vecs compares two vecs of the same type, or two of decimals, over n rows. Both stay the caller's.
func Vecs(mem memory.Allocator, op Op, x, y value.Vec, n int) (value.Vec, error) {
	scalar := x.Scalar && y.Scalar
	if scalar {
		n = 1
	}
	if op < OpDistinct && (x.NullScalar() || y.NullScalar()) {
		a, err := value.NullArray(mem, value.TypeBool, 1)
		return value.Vec{Arr: a, Scalar: true}, err
	}
	c := &value.KernelCall{Alloc: mem, Args: []value.Vec{x, y}, N: n, Type: value.TypeBool}
	defer c.Free()
	if err := c.Prepare(true); err != nil {
		return value.Vec{}, err
	}
	buf, vals := value.NewBits(mem, n)
	eachChunk, err := chunkPair(op, c)
	if err != nil {
		buf.Release()
		return value.Vec{}, err
	}
	for k := range vals {
		vals[k] = eachChunk(64*k, min(64, n-64*k))
	}
	if op < OpDistinct {
		return value.Vec{Arr: value.MakeBools(n, buf, c.TakeValid()), Scalar: scalar}, nil
	}
	// Two NULLs are the same, a NULL and a value are distinct.
	vx, vy := c.ValidOf(0), c.ValidOf(1)
	for k := range vals {
		a, b := vx(k), vy(k)
		distinct := a ^ b
		if op == OpDistinct {
			vals[k] = vals[k]&a&b | distinct
		} else {
			vals[k] = vals[k]&a&b | ^a&^b
		}
	}
	return value.Vec{Arr: value.MakeArray(value.TypeBool, n, nil, 0, buf), Scalar: scalar}, nil
}

// chunkPair is ChunkOf for two prepared arguments.
func chunkPair(op Op, c *value.KernelCall) (func(row, n int) uint64, error) {
	x, y := c.Args[0], c.Args[1]
	switch x.Arr.DataType().ID() {
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
		order := decimal128.Num.Cmp
		by := y.Arr.DataType().(*arrow.Decimal128Type).Scale - x.Arr.DataType().(*arrow.Decimal128Type).Scale
		if by != 0 {
			order = func(a, b decimal128.Num) int { return cast.CompareDecimals(a, b, by) }
		}
		return pairFunc(op, value.NumsOf[decimal128.Num](x), value.NumsOf[decimal128.Num](y), order), nil
	case arrow.INTERVAL_MONTH_DAY_NANO:
		return pairFunc(op, value.NumsOf[arrow.MonthDayNanoInterval](x), value.NumsOf[arrow.MonthDayNanoInterval](y), compareIntervals), nil
	case arrow.BOOL:
		bx, by := value.BoolsOf(x), value.BoolsOf(y)
		return func(row, n int) uint64 {
			x1, x0 := bx.Pair(row >> 6)
			y1, y0 := by.Pair(row >> 6)
			lt, gt := x0&y1, x1&y0
			switch op {
			case OpEq, opSame:
				return ^(lt | gt)
			case OpNe, OpDistinct:
				return lt | gt
			case OpLt:
				return lt
			case OpLe:
				return ^gt
			case OpGt:
				return gt
			}
			return ^lt
		}, nil
	}
	switch value.KindOf(x.Arr.DataType()) {
	case value.KindText, value.KindBinary, value.KindUUID:
		tx, ty := value.TextsOf(x), value.TextsOf(y)
		if y.Scalar && !x.Scalar {
			c := ty.At(0)
			return func(row, n int) uint64 { return TextChunk(op, &tx, row, n, c) }, nil
		}
		return func(row, n int) (w uint64) {
			for i := range n {
				w |= value.Bit(op.Holds(bytes.Compare(tx.At(row+i), ty.At(row+i)))) << i
			}
			return w
		}, nil
	case value.KindList, value.KindStruct, value.KindMap:
		return func(row, n int) (w uint64) {
			for i := range n {
				w |= value.Bit(op.Holds(Rows(x.Arr, x.Row(row+i), y.Arr, y.Row(row+i)))) << i
			}
			return w
		}, nil
	}
	return nil, fault.New(fault.Unsupported, "comparing values of type %s", value.TypeName(x.Arr.DataType()))
}

func pairNums[T value.Fixed](op Op, x, y value.Vec) func(row, n int) uint64 {
	nx, ny := value.NumsOf[T](x), value.NumsOf[T](y)
	if y.Scalar && !x.Scalar && ny.Vals[0] == ny.Vals[0] {
		c := ny.Vals[0]
		return func(row, n int) uint64 { return scalarChunk(op, nx.Vals[row:row+n], c) }
	}
	return func(row, n int) (w uint64) {
		for i := range n {
			w |= value.Bit(op.Holds(compareNums(nx.At(row+i), ny.At(row+i)))) << i
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

func pairFunc[T any](op Op, x, y value.Nums[T], compare func(a, b T) int) func(row, n int) uint64 {
	return func(row, n int) (w uint64) {
		for i := range n {
			w |= value.Bit(op.Holds(compare(x.At(row+i), y.At(row+i)))) << i
		}
		return w
	}
}

// compareIntervals takes a month for 30 days and a day for 24 hours, as PostgreSQL does.
func compareIntervals(a, b arrow.MonthDayNanoInterval) int {
	da, na := cast.IntervalSpan(a)
	db, nb := cast.IntervalSpan(b)
	if c := cmp.Compare(da, db); c != 0 {
		return c
	}
	return cmp.Compare(na, nb)
}

// Rows orders two rows of arrays of the same type, element by element; NULLs inside are last
// and equal to each other. It is for nested types, which are rarely compared: it is slow.
func Rows(a arrow.Array, i int, b arrow.Array, j int) int {
	if a.IsNull(i) || b.IsNull(j) {
		return int(value.Bit(a.IsNull(i))) - int(value.Bit(b.IsNull(j)))
	}
	switch x := a.(type) {
	case array.ListLike:
		y := b.(array.ListLike)
		xs, xe := x.ValueOffsets(i)
		ys, ye := y.ValueOffsets(j)
		for ; xs < xe && ys < ye; xs, ys = xs+1, ys+1 {
			if c := Rows(x.ListValues(), int(xs), y.ListValues(), int(ys)); c != 0 {
				return c
			}
		}
		return cmp.Compare(xe-xs, ye-ys)
	case *array.Struct:
		y := b.(*array.Struct)
		for k := range x.NumField() {
			if c := Rows(x.Field(k), i, y.Field(k), j); c != 0 {
				return c
			}
		}
		return 0
	}
	x, err := value.ValueAt(a, i)
	if err != nil {
		return 0
	}
	y, err := value.ValueAt(b, j)
	if err != nil {
		return 0
	}
	return Values(x, y)
}

// Values orders two values of a Literal of the same type.
func Values(x, y any) int {
	switch x := x.(type) {
	case bool:
		return int(value.Bit(x)) - int(value.Bit(y.(bool)))
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
