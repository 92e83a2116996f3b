package vecindex

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/vecindex/distance"
)

// vectorArray builds a list of vectors; a nil row is NULL, a NaN element is a NULL element if nulls.
func vectorArray(t testing.TB, mem memory.Allocator, elem arrow.DataType, dim int, rows [][]float32,
	nullElements bool) *array.FixedSizeList {
	b := array.NewFixedSizeListBuilder(mem, int32(dim), elem)
	defer b.Release()
	for _, row := range rows {
		if row == nil {
			b.AppendNull()
			continue
		}
		b.Append(true)
		for _, x := range row {
			if nullElements && x != x {
				b.ValueBuilder().AppendNull()
				continue
			}
			switch v := b.ValueBuilder().(type) {
			case *array.Float16Builder:
				v.Append(float16.New(x))
			case *array.Float32Builder:
				v.Append(x)
			case *array.Float64Builder:
				v.Append(float64(x))
			case *array.Uint8Builder:
				v.Append(uint8(x))
			case *array.Int8Builder:
				v.Append(int8(x))
			default:
				t.Fatalf("%T", v)
			}
		}
	}
	return b.NewArray().(*array.FixedSizeList)
}

func smallVectors(rng *rand.Rand, n, dim int) [][]float32 {
	rows := make([][]float32, n)
	for i := range rows {
		if rng.IntN(10) == 0 {
			continue // NULL
		}
		rows[i] = make([]float32, dim)
		for j := range rows[i] {
			rows[i][j] = float32(rng.IntN(100)) // exact in every element type
		}
	}
	return rows
}

func TestExactAgreesWithTheDefinitionForEveryTypeAndSlice(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	rng := rand.New(rand.NewPCG(1, 2))
	const dim, n, k = 20, 2500, 37
	rows := smallVectors(rng, n, dim)
	query := make([]float32, dim)
	for i := range query {
		query[i] = float32(rng.IntN(100))
	}
	for _, elem := range []arrow.DataType{arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float32,
		arrow.PrimitiveTypes.Float64, arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Int8} {
		list := vectorArray(t, mem, elem, dim, rows, false)
		for _, m := range []Metric{L2, Cosine, Dot} {
			q, err := NewQuery(m, query)
			require.NoError(t, err)
			var want []Hit
			for i, row := range rows {
				if row != nil {
					want = append(want, Hit{RowID: uint64(i) * 3, Distance: distance.Between(m, query, row)})
				}
			}
			e, other := NewExact(q, k), NewExact(q, k)
			for start := 0; start < n; start += 1000 {
				end := min(start+1000, n)
				ids := make([]uint64, 0, end-start)
				for i := start; i < end; i++ {
					ids = append(ids, uint64(i)*3)
				}
				slice := array.NewSlice(list, int64(start), int64(end))
				into := e
				if start == 1000 {
					into = other
				}
				require.NoError(t, into.Add(slice, ids))
				slice.Release()
			}
			e.Merge(other)
			require.EqualValues(t, n, e.Rows())
			got := e.Hits()
			if elem.ID() == arrow.FLOAT64 && m == Cosine {
				require.Len(t, got, k) // other rounding: the order of near ties may differ
				for i, h := range got {
					require.InDelta(t, bruteTopK(k, want)[i].Distance, h.Distance, 1e-6)
				}
				continue
			}
			require.Equal(t, bruteTopK(k, want), got, "%s %s", elem, m)

			all := make([]float32, n)
			require.NoError(t, Distances(q, list, all))
			for i, row := range rows {
				if row == nil {
					require.True(t, math.IsNaN(float64(all[i])))
				} else {
					require.Equal(t, distance.Between(m, query, row), all[i])
				}
			}
		}
		list.Release()
	}
}

func TestExactDropsWhatHasNoDistance(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	nan := float32(math.NaN())
	rows := [][]float32{{1, 0}, nil, {0, 0}, {nan, 1}, {0, 2}, {float32(math.Inf(1)), 0}}
	ids := []uint64{0, 1, 2, 3, 4, 5}
	for _, nullElements := range []bool{false, true} {
		list := vectorArray(t, mem, arrow.PrimitiveTypes.Float32, 2, rows, nullElements)
		for m, want := range map[Metric][]uint64{L2: {0, 2, 4, 5}, Cosine: {0, 4}, Dot: {0, 2, 4}} {
			q, err := NewQuery(m, []float32{1, 0})
			require.NoError(t, err)
			hits, err := Refine(q, 10, list, ids)
			require.NoError(t, err)
			var got []uint64
			for _, h := range hits {
				got = append(got, h.RowID)
			}
			require.Equal(t, want, got, "%s", m)
		}
		list.Release()
	}
}

func TestExactOfPlainSlices(t *testing.T) {
	q, err := NewQuery(L2, []float32{0, 0})
	require.NoError(t, err)
	values := []float32{3, 0, 99, 1, 0, 99, 2, 0}
	e := NewExact(q, 2)
	require.NoError(t, e.AddFloat32(values, 3, nil, 0, []uint64{10, 11, 12}))
	require.Equal(t, []Hit{{11, 1}, {12, 4}}, e.Hits())
	require.Equal(t, float32(4), e.Threshold())
	e = NewExact(q, 2)
	require.NoError(t, e.AddFloat32(values, 3, []byte{0b1010}, 1, []uint64{10, 11, 12})) // bits 1, 2, 3: row 1 is NULL
	require.Equal(t, []Hit{{12, 4}, {10, 9}}, e.Hits())
	require.Error(t, e.AddFloat32(values, 3, nil, 0, []uint64{1, 2, 3, 4}), "too short")
	require.Error(t, e.AddFloat32(values, 1, nil, 0, []uint64{1}), "stride below the dimension")
	require.NoError(t, e.AddFloat32(nil, 2, nil, 0, nil))

	lo, hi := float32(1), float32(9)
	e = NewExact(q, 5)
	e.Bound(&lo, &hi)
	require.NoError(t, e.AddFloat32(values, 3, nil, 0, []uint64{10, 11, 12}))
	require.Equal(t, []Hit{{11, 1}, {12, 4}}, e.Hits(), "1 <= distance < 9")
}

func TestExactRefusesWhatDoesNotFit(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	q, err := NewQuery(L2, []float32{1, 2, 3})
	require.NoError(t, err)
	list := vectorArray(t, mem, arrow.PrimitiveTypes.Float32, 2, [][]float32{{1, 2}}, false)
	defer list.Release()
	_, err = Refine(q, 1, list, []uint64{1})
	require.True(t, fault.Is(err, fault.InvalidArgument))
	require.ErrorContains(t, err, "the query vector has 3 dimensions, the column 2")
	_, err = Refine(q, 1, list.ListValues(), []uint64{1, 2})
	require.ErrorContains(t, err, "a fixed-size list of numbers is needed")
	_, err = Refine(q, 1, list, []uint64{1, 2})
	require.Error(t, err)
	require.Error(t, Distances(q, list, nil))
	h, err := NewQuery(Hamming, []float32{1, 2})
	require.NoError(t, err)
	_, err = Refine(h, 1, list, []uint64{1})
	require.ErrorContains(t, err, "vectors of uint8")

	b := array.NewFixedSizeListBuilder(mem, 3, arrow.PrimitiveTypes.Int32)
	defer b.Release()
	b.Append(true)
	b.ValueBuilder().(*array.Int32Builder).AppendValues([]int32{1, 2, 3}, nil)
	ints := b.NewArray()
	defer ints.Release()
	_, err = Refine(q, 1, ints, []uint64{1})
	require.ErrorContains(t, err, "vectors of int32")
	empty := array.NewSlice(ints, 0, 0)
	defer empty.Release()
	hits, err := Refine(q, 1, empty, nil)
	require.NoError(t, err)
	require.Empty(t, hits)
}
