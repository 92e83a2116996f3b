package gather

import (
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/gather/gathertest"
)

// sameRow compares by what Arrow prints, which tells -0 and 0 apart and takes NaN for NaN.
func sameRow(t *testing.T, want arrow.Array, i int, got arrow.Array, j int) {
	t.Helper()
	require.Equal(t, want.IsNull(i), got.IsNull(j))
	if want.IsValid(i) {
		require.Equal(t, want.ValueStr(i), got.ValueStr(j))
	}
}

func TestTakeEveryType(t *testing.T) {
	for _, dt := range gathertest.Types {
		for _, nulls := range []bool{false, true} {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			r := rand.New(rand.NewPCG(1, 2))
			src := gathertest.RandomArray(t, mem, r, dt, 40, nulls)
			for _, n := range []int{0, 1, 7, 100} {
				rows := make([]int32, n)
				for i := range rows {
					rows[i] = r.Int32N(40)
				}
				for _, take := range []func(memory.Allocator, arrow.Array, []int32) (arrow.Array, error){Take, Copy} {
					got, err := take(mem, src, rows)
					require.NoError(t, err, dt)
					require.Equal(t, n, got.Len())
					require.True(t, arrow.TypeEqual(dt, got.DataType()))
					for i, row := range rows {
						sameRow(t, src, int(row), got, i)
					}
					got.Release()
				}
			}
			src.Release()
			mem.AssertSize(t, 0)
		}
	}
}

func TestTakeOfARunIsASlice(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	src := gathertest.RandomArray(t, memory.DefaultAllocator, r, arrow.PrimitiveTypes.Int64, 10, false)
	got, err := Take(memory.DefaultAllocator, src, []int32{3, 4, 5})
	require.NoError(t, err)
	require.Equal(t, src.Data().Buffers()[1], got.Data().Buffers()[1])
	copied, err := Copy(memory.DefaultAllocator, src, []int32{3, 4, 5})
	require.NoError(t, err)
	require.NotEqual(t, src.Data().Buffers()[1], copied.Data().Buffers()[1])
}

func TestInterleaveEveryType(t *testing.T) {
	for _, dt := range gathertest.Types {
		for _, nulls := range []bool{false, true} {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			r := rand.New(rand.NewPCG(3, 4))
			var src []arrow.Array
			for i := range 3 {
				src = append(src, gathertest.RandomArray(t, mem, r, dt, 5+i, nulls && i != 1))
			}
			refs := make([]Ref, 60)
			for i := range refs {
				b := r.IntN(3)
				refs[i] = Ref{int32(b), r.Int32N(int32(5 + b))}
			}
			got, err := Interleave(mem, src, refs)
			require.NoError(t, err, dt)
			for i, ref := range refs {
				sameRow(t, src[ref.Batch], int(ref.Row), got, i)
			}
			got.Release()
			for _, a := range src {
				a.Release()
			}
			mem.AssertSize(t, 0)
		}
	}
}

func TestBatches(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	r := rand.New(rand.NewPCG(3, 4))
	schema := arrow.NewSchema([]arrow.Field{{Name: "a", Type: gathertest.Types[3]},
		{Name: "b", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	var src []arrow.RecordBatch
	for range 2 {
		a, b := gathertest.RandomArray(t, mem, r, gathertest.Types[3], 9, false), gathertest.RandomArray(t, mem, r,
			arrow.BinaryTypes.String, 9, true)
		src = append(src, array.NewRecordBatch(schema, []arrow.Array{a, b}, 9))
		a.Release()
		b.Release()
	}
	got, err := InterleaveBatches(mem, schema, src, []Ref{{1, 8}, {0, 0}, {1, 8}})
	require.NoError(t, err)
	sameRow(t, src[1].Column(1), 8, got.Column(1), 2)
	got.Release()

	none, err := TakeBatch(mem, src[0], nil)
	require.NoError(t, err)
	require.Zero(t, none.NumRows())
	none.Release()

	all, err := TakeBatch(mem, src[0], []int32{0, 1, 2, 3, 4, 5, 6, 7, 8})
	require.NoError(t, err)
	require.Equal(t, src[0], all)
	all.Release()

	empty := array.NewRecordBatch(arrow.NewSchema(nil, nil), nil, 5)
	some, err := TakeBatch(mem, empty, []int32{1, 3})
	require.NoError(t, err)
	require.EqualValues(t, 2, some.NumRows())
	for _, b := range src {
		b.Release()
	}
}

func TestTakeRefusesOffsetsBeyond2GiB(t *testing.T) {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	b.Append(string(make([]byte, 1<<20)))
	src := b.NewArray()
	rows := make([]int32, 2048)
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	_, err := Take(mem, src, rows)
	require.ErrorContains(t, err, "2 GiB")
}
