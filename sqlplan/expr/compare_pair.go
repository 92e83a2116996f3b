package expr

import (
	"bytes"
	"cmp"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
)

// Two computed operands, of any type.

// compareVecs compares two vecs of the same type over n rows. Both stay the caller's.
func compareVecs(mem memory.Allocator, op cmpOp, x, y vec, n int) (vec, error) {
	scalar := x.scalar && y.scalar
	if scalar {
		n = 1
	}
	if op < opDistinct && (x.nullScalar() || y.nullScalar()) {
		a, err := nullArray(mem, tBool, 1)
		return vec{arr: a, scalar: true}, err
	}
	c := &call{alloc: mem, args: []vec{x, y}, n: n, t: tBool}
	defer c.free()
	if err := c.prepare(true); err != nil {
		return vec{}, err
	}
	buf, vals := newBits(mem, n)
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

func pairNums[T fixed](op cmpOp, x, y vec) func(row, n int) uint64 {
	nx, ny := numsOf[T](x), numsOf[T](y)
	if y.scalar && !x.scalar && ny.vals[0] == ny.vals[0] {
		c := ny.vals[0]
		return func(row, n int) uint64 { return scalarChunk(op, nx.vals[row:row+n], c) }
	}
	return func(row, n int) (w uint64) {
		for i := range n {
			w |= b2u(op.of(compareNums(nx.at(row+i), ny.at(row+i)))) << i
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
