package kernel

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"lanceflight/internal/gather"
	"lanceflight/internal/gather/gathertest"
)

// compareFloats is PostgreSQL's order: NaN equals itself and is above +Inf.
func compareFloats(a, b float64) int {
	switch {
	case a != a && b != b:
		return 0
	case a != a:
		return 1
	case b != b:
		return -1
	}
	return cmp.Compare(a, b)
}

// compareRows is the order that keys should have, by a second definition.
func compareRows(a arrow.Array, i, j int, o Order) int {
	ni, nj := a.IsNull(i), a.IsNull(j)
	switch {
	case ni && nj:
		return 0
	case ni != nj:
		if ni == o.NullsFirst {
			return -1
		}
		return 1
	}
	c := compareValues(a, i, j)
	if o.Desc {
		return -c
	}
	return c
}

func compareValues(a arrow.Array, i, j int) int {
	switch a := a.(type) {
	case *array.Boolean:
		return cmp.Compare(map[bool]int{true: 1}[a.Value(i)], map[bool]int{true: 1}[a.Value(j)])
	case *array.Int8:
		return cmp.Compare(a.Value(i), a.Value(j))
	case *array.Int64:
		return cmp.Compare(a.Value(i), a.Value(j))
	case *array.Uint64:
		return cmp.Compare(a.Value(i), a.Value(j))
	case *array.Uint16:
		return cmp.Compare(a.Value(i), a.Value(j))
	case *array.Float16:
		return compareFloats(float64(a.Value(i).Float32()), float64(a.Value(j).Float32()))
	case *array.Float32:
		return compareFloats(float64(a.Value(i)), float64(a.Value(j)))
	case *array.Float64:
		return compareFloats(a.Value(i), a.Value(j))
	case *array.String:
		return cmp.Compare(a.Value(i), a.Value(j))
	case *array.LargeBinary:
		return bytes.Compare(a.Value(i), a.Value(j))
	case *array.Timestamp:
		return cmp.Compare(a.Value(i), a.Value(j))
	case *array.Decimal128:
		return a.Value(i).Cmp(a.Value(j))
	case *array.Decimal256:
		return a.Value(i).Cmp(a.Value(j))
	case *array.MonthDayNanoInterval:
		nanos := func(v arrow.MonthDayNanoInterval) *big.Int {
			n := big.NewInt(int64(v.Months)*30 + int64(v.Days))
			return n.Mul(n, big.NewInt(86400e9)).Add(n, big.NewInt(v.Nanoseconds))
		}
		return nanos(a.Value(i)).Cmp(nanos(a.Value(j)))
	case *array.Dictionary:
		return compareValues(a.Dictionary(), a.GetValueIndex(i), a.GetValueIndex(j))
	case *array.Struct:
		for f := range a.NumField() {
			if c := compareRows(a.Field(f), i, j, Order{}); c != 0 {
				return c
			}
		}
		return 0
	case array.ListLike:
		si, ei := a.ValueOffsets(i)
		sj, ej := a.ValueOffsets(j)
		for k := range min(ei-si, ej-sj) {
			if c := compareRows(a.ListValues(), int(si+k), int(sj+k), Order{}); c != 0 {
				return c
			}
		}
		return cmp.Compare(ei-si, ej-sj)
	}
	panic(a.DataType().String())
}

// comparable are the types compareValues knows.
var comparable = []arrow.DataType{
	arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Uint64,
	arrow.PrimitiveTypes.Uint16,
	arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64, arrow.BinaryTypes.String,
	arrow.BinaryTypes.LargeBinary,
	arrow.FixedWidthTypes.Timestamp_us, &arrow.Decimal128Type{Precision: 20, Scale: 3}, &arrow.Decimal256Type{Precision: 50, Scale: 3},
	arrow.FixedWidthTypes.MonthDayNanoInterval, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16,
		ValueType: arrow.BinaryTypes.String},
	arrow.ListOf(arrow.PrimitiveTypes.Int64), arrow.FixedSizeListOf(2, arrow.BinaryTypes.String),
	arrow.StructOf(
		arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		arrow.Field{Name: "b", Type: arrow.BinaryTypes.String, Nullable: true},
	),
}

func TestKeysOrderAsValuesDo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		const n = 30
		var cols []arrow.Array
		var orders []Order
		for range rapid.IntRange(1, 3).Draw(rt, "columns") {
			dt := rapid.SampledFrom(comparable).Draw(rt, "type")
			cols = append(cols, gathertest.RandomArray(t, memory.DefaultAllocator, r, dt, n, rapid.Bool().Draw(rt, "nulls")))
			orders = append(orders, Order{rapid.Bool().Draw(rt, "desc"), rapid.Bool().Draw(rt, "nulls first")})
		}
		compare := func(i, j int) int {
			for c, a := range cols {
				if d := compareRows(a, i, j, orders[c]); d != 0 {
					return d
				}
			}
			return 0
		}
		var k Keys
		require.NoError(t, k.Encode(cols, orders, n))
		require.Equal(t, n, k.Len())
		for i := range n {
			for j := range n {
				require.Equal(t, compare(i, j), bytes.Compare(k.Row(i), k.Row(j)), "%v %v", i, j)
			}
		}
		want := make([]int32, n)
		for i := range want {
			want[i] = int32(i)
		}
		slices.SortStableFunc(want, func(a, b int32) int { return compare(int(a), int(b)) })
		rows, ok := k.SortRows(nil)
		require.True(t, ok)
		require.Equal(t, want, rows)
	})
}

func TestKeysAppendInPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	a := gathertest.RandomArray(t, memory.DefaultAllocator, r, arrow.BinaryTypes.String, 20, true)
	var whole, pieces Keys
	require.NoError(t, whole.Encode([]arrow.Array{a}, nil, 20))
	for i := int64(0); i < 20; i += 5 {
		s := array.NewSlice(a, i, i+5)
		require.NoError(t, pieces.Append([]arrow.Array{s}, nil, 5))
	}
	require.Equal(t, whole.Data, pieces.Data)
	require.Equal(t, whole.Offsets, pieces.Offsets)
	require.Zero(t, (&Keys{}).Len())
	rows, ok := (&Keys{}).SortRows(nil)
	require.True(t, ok)
	require.Empty(t, rows)
}

func TestWordsOrderAsValuesDo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, dt := range gathertest.Types {
		a := gathertest.RandomArray(t, memory.DefaultAllocator, r, dt, 50, false)
		words, ok := Normalise(a, nil)
		var k Keys
		require.NoError(t, k.Encode([]arrow.Array{a}, nil, 50))
		if !ok {
			continue
		}
		for i := range words {
			for j := range words {
				require.Equal(t, bytes.Compare(k.Row(i), k.Row(j)), cmp.Compare(words[i], words[j]), dt)
			}
			x := AppendWordKey(nil, words[i], false, Order{Desc: true})
			require.Equal(t, ^words[i], binary.BigEndian.Uint64(x[1:]))
		}
	}
}

func TestFloatWordsInvert(t *testing.T) {
	for _, v := range []float64{1, -1, math.Pi, math.Inf(1), math.Inf(-1), 5e-324, -5e-324, math.MaxFloat64} {
		require.Equal(t, v, Float64FromWord(Float64Word(v)))
	}
	require.Equal(t, Float64Word(0), Float64Word(math.Copysign(0, -1)))
	require.True(t, math.IsNaN(Float64FromWord(Float64Word(-math.NaN()))))
}

func TestSortKeyed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		mask := rapid.SampledFrom([]uint64{3, 0xff00, 0xffff_ffff_ffff_ffff, 0xff << 56}).Draw(rt, "mask")
		keys := rapid.SliceOfN(rapid.Uint64(), 0, 300).Draw(rt, "keys")
		items := make([]gather.Keyed, len(keys))
		for i, k := range keys {
			items[i] = gather.Keyed{Key: k & mask, Row: int32(i)}
		}
		want := slices.Clone(items)
		slices.SortStableFunc(want, func(a, b gather.Keyed) int { return cmp.Compare(a.Key, b.Key) })
		gather.SortKeyed(items)
		require.Equal(t, want, items)
	})
}

func TestSortRowsGivesUp(t *testing.T) {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	r := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		b.Append("the same beginning " + string(rune('a'+r.IntN(26))) + string(rune('a'+r.IntN(26))))
	}
	var k Keys
	require.NoError(t, k.Encode([]arrow.Array{b.NewArray()}, nil, 100_000))
	for after := range 10 { // after so many questions
		asked := 0
		_, ok := k.SortRows(func() bool { asked++; return asked > after })
		require.False(t, ok)
	}
	_, ok := k.SortRows(func() bool { return false })
	require.True(t, ok)
}
