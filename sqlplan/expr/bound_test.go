package expr_test

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
)

// layouts makes arrays for a test, and releases them when it ends.
type layouts struct {
	t   *testing.T
	mem memory.Allocator
}

func newLayouts(t *testing.T) *layouts {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return &layouts{t, mem}
}

func (l *layouts) own(a arrow.Array, err error) arrow.Array {
	l.t.Helper()
	require.NoError(l.t, err)
	l.t.Cleanup(a.Release)
	return a
}

func (l *layouts) fromJSON(t arrow.DataType, text string) arrow.Array {
	a, _, err := array.FromJSON(l.mem, t, strings.NewReader(text))
	return l.own(a, err)
}

func (l *layouts) ints(t arrow.DataType, n int, f func(i int) int64) arrow.Array {
	b := array.NewBuilder(l.mem, t)
	defer b.Release()
	for i := range n {
		switch b := b.(type) {
		case *array.Int8Builder:
			b.Append(int8(f(i)))
		case *array.Int32Builder:
			b.Append(int32(f(i)))
		}
	}
	return l.own(b.NewArray(), nil)
}

// runs encodes each value as a run of one.
func (l *layouts) runs(a arrow.Array) arrow.Array {
	ends := l.ints(arrow.PrimitiveTypes.Int32, a.Len(), func(i int) int64 { return int64(i + 1) })
	return l.own(array.NewRunEndEncodedArray(ends, a, a.Len(), 0), nil)
}

// decoys are children of unions that no row chooses.
func (l *layouts) decoys(n int) (arrow.Array, arrow.Array) {
	text := "[" + strings.TrimSuffix(strings.Repeat(`"decoy",`, n), ",") + "]"
	return l.ints(arrow.PrimitiveTypes.Int8, n, func(int) int64 { return 7 }), l.fromJSON(arrow.BinaryTypes.String, text)
}

var unionCodes = []arrow.UnionTypeCode{5, 127, 0}

func (l *layouts) sparse(a arrow.Array) arrow.Array {
	x, y := l.decoys(a.Len())
	ids := l.ints(arrow.PrimitiveTypes.Int8, a.Len(), func(int) int64 { return int64(unionCodes[1]) })
	u, err := array.NewSparseUnionFromArrays(ids, []arrow.Array{x, a, y}, unionCodes...)
	return l.own(u, err)
}

// dense keeps the values in reverse order in its child.
func (l *layouts) dense(a arrow.Array) arrow.Array {
	n := a.Len()
	backwards := make([]arrow.Array, n)
	for i := range n {
		backwards[i] = l.own(array.NewSlice(a, int64(n-1-i), int64(n-i)), nil)
	}
	child := a
	offset := func(i int) int64 { return int64(i) }
	if _, ok := a.(array.Union); !ok { // arrow-go cannot concatenate unions
		child = l.own(array.Concatenate(backwards, l.mem))
		offset = func(i int) int64 { return int64(n - 1 - i) }
	}
	x, y := l.decoys(0)
	ids := l.ints(arrow.PrimitiveTypes.Int8, n, func(int) int64 { return int64(unionCodes[1]) })
	u, err := array.NewDenseUnionFromArrays(ids, l.ints(arrow.PrimitiveTypes.Int32, n, offset), []arrow.Array{x, child, y}, unionCodes...)
	return l.own(u, err)
}

// Every layout in which a client may send a value gives the constant that the plain one gives: run ends,
// unions of both kinds, one inside the other, and slices of them.
func TestBoundLiteralOfEveryLayout(t *testing.T) {
	l := newLayouts(t)
	list := arrow.ListOf(arrow.PrimitiveTypes.Float64)
	for _, c := range []struct {
		t    arrow.DataType
		text string
	}{
		{arrow.PrimitiveTypes.Int64, `[3, null, -5, 9223372036854775807]`},
		{arrow.PrimitiveTypes.Uint8, `[3, null, 255, 0]`},
		{arrow.PrimitiveTypes.Float64, `[0.5, null, -1e300, 3]`},
		{arrow.FixedWidthTypes.Boolean, `[true, null, false, true]`},
		{arrow.BinaryTypes.String, `["", null, "größe", "a"]`},
		{arrow.BinaryTypes.Binary, `["YWJj", null, "", "AAA="]`},
		{arrow.FixedWidthTypes.Date32, `["2024-02-29", null, "1970-01-01", "0001-01-01"]`},
		{&arrow.Decimal128Type{Precision: 10, Scale: 2}, `["1.25", null, "-3.00", "0.01"]`},
		{list, `[[1, 2], null, [], [0.5, null]]`},
	} {
		plain := l.fromJSON(c.t, c.text)
		made := map[string]arrow.Array{
			"plain": plain, "run ends": l.runs(plain), "dense union": l.dense(plain), "sparse union": l.sparse(plain),
			"run ends of a union": l.runs(l.dense(plain)), "union of run ends": l.sparse(l.runs(plain)),
			"dense union of a sparse one": l.dense(l.sparse(plain)), "sparse union of a dense one": l.sparse(l.dense(plain)),
		}
		for name, a := range made {
			for from := range a.Len() {
				s := array.NewSlice(a, int64(from), int64(a.Len()))
				for i := range s.Len() {
					want, err := expr.LiteralAt(plain, from+i)
					require.NoError(t, err)
					got, err := expr.BoundLiteral(s, i)
					require.NoError(t, err)
					require.Equal(t, want, got, "%s as %s, row %d of the slice from %d", c.t, name, i, from)
				}
				s.Release()
			}
		}
	}
}

// Types that hold the same values as another one are that other one.
func TestBoundLiteralOfOtherTypes(t *testing.T) {
	l := newLayouts(t)
	double, text := arrow.PrimitiveTypes.Float64, arrow.BinaryTypes.String
	wide := &arrow.Decimal128Type{Precision: 38, Scale: 2}
	for _, c := range []struct {
		t     arrow.DataType
		text  string
		plain arrow.DataType
	}{
		{arrow.ListViewOf(double), `[[1, 2], null, []]`, arrow.ListOf(double)},
		{arrow.LargeListViewOf(double), `[[1, 2], null, []]`, arrow.LargeListOf(double)},
		{arrow.ListOf(arrow.ListViewOf(double)), `[[[1], null], null]`, arrow.ListOf(arrow.ListOf(double))},
		{arrow.ListViewOf(arrow.ListViewOf(text)), `[[["a"], null], null]`, arrow.ListOf(arrow.ListOf(text))},
		{&arrow.Decimal32Type{Precision: 9, Scale: 2}, `["1.25", null, "-3.00"]`, &arrow.Decimal128Type{Precision: 9, Scale: 2}},
		{&arrow.Decimal64Type{Precision: 18, Scale: 2}, `["1.25", null, "-3.00"]`, &arrow.Decimal128Type{Precision: 18, Scale: 2}},
		{&arrow.Decimal256Type{Precision: 76, Scale: 2}, `["1.25", "-3.00"]`, wide},
		{&arrow.Decimal256Type{Precision: 76, Scale: 2}, `["-999999999999999999999999999999999999.99"]`, wide},
	} {
		got, want := l.fromJSON(c.t, c.text), l.fromJSON(c.plain, c.text)
		for i := range got.Len() {
			x, err := expr.BoundLiteral(got, i)
			require.NoError(t, err)
			y, err := expr.BoundLiteral(want, i)
			require.NoError(t, err)
			require.Equal(t, y.Value, x.Value, "%s", c.t)
			require.True(t, arrow.TypeEqual(y.T, x.T), "%s gives %s", c.t, x.T)
		}
	}
	_, err := expr.BoundLiteral(l.fromJSON(&arrow.Decimal256Type{Precision: 76, Scale: 2}, `["1000000000000000000000000000000000000.00"]`), 0)
	require.ErrorContains(t, err, "not supported: the value 1000000000000000000000000000000000000, a decimal of more than 38 digits")
	_, err = expr.BoundLiteral(l.own(listOf(l, l.sparse(l.fromJSON(double, `[1]`)))), 0)
	require.ErrorContains(t, err, "not supported: a constant of type sparse_union")
}

// listOf is a list with all values of an array as its only row.
func listOf(l *layouts, values arrow.Array) (arrow.Array, error) {
	offsets := l.ints(arrow.PrimitiveTypes.Int32, 2, func(i int) int64 { return int64(i * values.Len()) })
	data := array.NewData(arrow.ListOf(values.DataType()), 1, []*memory.Buffer{nil, offsets.Data().Buffers()[1]},
		[]arrow.ArrayData{values.Data()}, 0, 0)
	defer data.Release()
	return array.MakeFromData(data), nil
}

// Type codes and offsets come from a client. Those that lead nowhere are an error.
func TestBoundLiteralOfDamagedUnions(t *testing.T) {
	l := newLayouts(t)
	child := l.fromJSON(arrow.PrimitiveTypes.Int64, `[1, 2]`)
	dt := arrow.DenseUnionOf([]arrow.Field{{Name: "a", Type: child.DataType()}}, []arrow.UnionTypeCode{3})
	for _, c := range []struct {
		code, offset int64
		want         string
	}{
		{-1, 0, "type code -1"}, {4, 0, "type code 4, which none of its types has"}, {3, 2, "value 2 of 2"}, {3, -1, "value -1 of 2"},
	} {
		codes := l.ints(arrow.PrimitiveTypes.Int8, 1, func(int) int64 { return c.code })
		offsets := l.ints(arrow.PrimitiveTypes.Int32, 1, func(int) int64 { return c.offset })
		u := l.own(array.NewDenseUnion(dt, 1, []arrow.Array{child}, codes.Data().Buffers()[1], offsets.Data().Buffers()[1], 0), nil)
		_, err := expr.BoundLiteral(u, 0)
		require.ErrorContains(t, err, c.want)
		require.True(t, fault.Is(err, fault.InvalidArgument))
	}
}
