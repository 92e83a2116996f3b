package calibrate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/vecindex"
)

// All queries at once have the answers that each has alone, to the last bit and at ties.
func TestAnswersAreThoseOfExactSearch(t *testing.T) {
	for _, metric := range []vecindex.Metric{vecindex.L2, vecindex.Cosine, vecindex.Dot, vecindex.Hamming} {
		for _, of := range []arrow.DataType{arrow.PrimitiveTypes.Float32, arrow.FixedWidthTypes.Float16,
			arrow.PrimitiveTypes.Float64, arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Int8} {
			if metric == vecindex.Hamming && of.ID() != arrow.UINT8 {
				continue
			}
			for _, dim := range []int{1, 7, 33} {
				t.Run(fmt.Sprintf("%s/%s/%d", metric, of, dim), func(t *testing.T) {
					rng := rand.New(rand.NewPCG(uint64(dim), uint64(metric)))
					mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
					defer mem.AssertSize(t, 0)
					b := array.NewFixedSizeListBuilder(mem, int32(dim), of)
					defer b.Release()
					const rows, k = 700, 9
					var rowIDs []uint64
					vectors := make([][]float64, 0, rows)
					for i := range rows {
						v := make([]float64, dim)
						for j := range v {
							v[j] = float64(rng.IntN(60)) // many ties
							if of.ID() != arrow.UINT8 && of.ID() != arrow.INT8 && i%2 == 0 {
								v[j] += rng.Float64()
							}
						}
						if i%9 == 1 {
							copy(v, vectors[i-1])
						}
						vectors = append(vectors, v)
						b.Append(i%11 != 3)
						for j, x := range v {
							if i%97 == 5 && j == dim/2 && of.ID() == arrow.FLOAT32 {
								x = math.NaN()
							}
							switch e := b.ValueBuilder().(type) {
							case *array.Float32Builder:
								e.Append(float32(x))
							case *array.Float16Builder:
								e.Append(float16.New(float32(x)))
							case *array.Float64Builder:
								e.Append(x)
							case *array.Uint8Builder:
								e.Append(uint8(x))
							case *array.Int8Builder:
								e.Append(int8(x))
							}
						}
						rowIDs = append(rowIDs, uint64((i*31)%rows))
					}
					list := b.NewListArray()
					defer list.Release()
					var queries []Query
					for i := range 13 {
						v := make([]float32, dim)
						for j, x := range vectors[i*50] {
							v[j] = float32(math.Floor(x))
						}
						queries = append(queries, Query{Vectors: [][]float32{v}})
					}
					whole, err := NewAnswers(metric, queries, k)
					require.NoError(t, err)
					parts, err := NewAnswers(metric, queries, k)
					require.NoError(t, err)
					require.NoError(t, whole.Add(list, rowIDs))
					for first := 0; first < rows; first += 37 {
						end := min(rows, first+37)
						piece := array.NewSlice(list, int64(first), int64(end))
						require.NoError(t, parts.Add(piece, rowIDs[first:end]))
						piece.Release()
					}
					for i, q := range queries {
						prepared, err := vecindex.NewQuery(metric, q.Vectors[0])
						require.NoError(t, err)
						want := vecindex.NewExact(prepared, k)
						require.NoError(t, want.Add(list, rowIDs))
						require.Equal(t, want.Hits(), whole.Hits(i))
						require.Equal(t, want.Hits(), parts.Hits(i))
					}
				})
			}
		}
	}
}

func TestBlocksOfASample(t *testing.T) {
	for _, total := range []int64{1, 255, 256, 257, 100_000, 10_000_000} {
		rows := min(total, max(1, total/10))
		ranges, share := sampleBlocks(total, rows)
		var n, before int64
		for i, r := range ranges {
			require.Less(t, r.Start, r.End)
			if i > 0 {
				require.Greater(t, r.Start, before, "apart")
			}
			n, before = n+r.End-r.Start, r.End
		}
		require.LessOrEqual(t, before, total)
		require.InDelta(t, float64(n)/float64(total), share, 1e-12)
		if total >= 100_000 {
			require.InDelta(t, float64(rows)/float64(total), share, 0.4*float64(rows)/float64(total))
		}
		again, _ := sampleBlocks(total, rows)
		require.Equal(t, ranges, again)
	}
}
