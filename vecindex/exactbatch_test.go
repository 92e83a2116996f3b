package vecindex_test

import (
	"fmt"
	"math"
	"math/rand"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
)

// vectorsOf builds a fixed-size list of the given element type; every seventh row is NULL.
func vectorsOf(mem memory.Allocator, t arrow.DataType, rows [][]float64) arrow.Array {
	b := array.NewFixedSizeListBuilder(mem, int32(len(rows[0])), t)
	defer b.Release()
	for i, row := range rows {
		b.Append(i%7 != 3)
		for _, x := range row {
			switch v := b.ValueBuilder().(type) {
			case *array.Float32Builder:
				v.Append(float32(x))
			case *array.Float64Builder:
				v.Append(x)
			case *array.Float16Builder:
				v.Append(float16.New(float32(x)))
			case *array.Uint8Builder:
				v.Append(uint8(max(0, min(255, x))))
			case *array.Int8Builder:
				v.Append(int8(max(-128, min(127, x))))
			}
		}
	}
	return b.NewArray()
}

// A batch finds what its queries find one by one, to the bit: near ties, duplicates, zero vectors, infinities, numbers at the ends
// of the range, and any number of queries, rows and dimensions around the widths of the kernel.
func TestExactBatchIsExact(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	types := []arrow.DataType{arrow.PrimitiveTypes.Float32, arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float64,
		arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Int8}
	metrics := []vecindex.Metric{vecindex.L2, vecindex.Cosine, vecindex.Dot, vecindex.Hamming}
	trials := 300
	if testing.Short() {
		trials = 60
	}
	for trial := range trials {
		r := rand.New(rand.NewSource(int64(trial)))
		typ := types[r.Intn(len(types))]
		metric := metrics[r.Intn(len(metrics))]
		if metric == vecindex.Hamming {
			typ = arrow.PrimitiveTypes.Uint8
		}
		dim := 1 + r.Intn(40)
		numRows, numQueries, k := 1+r.Intn(2500), 1+r.Intn(40), 1+r.Intn(30)
		size := []float64{1, 1e-3, 1e6, 1e-20, 1e18, 1e-42}[r.Intn(6)]
		odd := r.Intn(3) == 0 // with NaN, infinities and zeros
		if typ.ID() == arrow.UINT8 || typ.ID() == arrow.INT8 {
			size, odd = 100, false
		}
		centre := r.NormFloat64() * 10 * float64(r.Intn(2))
		vector := func() []float64 {
			v := make([]float64, dim)
			for i := range v {
				v[i] = (centre + r.NormFloat64()) * size
			}
			return v
		}
		rows := make([][]float64, numRows)
		for i := range rows {
			if rows[i] = vector(); i > 0 && r.Intn(4) == 0 {
				copy(rows[i], rows[r.Intn(i)]) // a duplicate
				if r.Intn(2) == 0 {
					rows[i][0] *= 1 + 1e-7*float64(r.Intn(3))
				}
			}
			if odd && r.Intn(10) == 0 {
				switch r.Intn(4) {
				case 0:
					rows[i][r.Intn(dim)] = math.NaN()
				case 1:
					rows[i][r.Intn(dim)] = math.Inf(r.Intn(2) - 1)
				case 2:
					clear(rows[i])
				case 3:
					rows[i][r.Intn(dim)] = 3e38
				}
			}
		}
		var queries []*distance.Query
		for range numQueries {
			v := vector()
			if r.Intn(3) == 0 {
				copy(v, rows[r.Intn(numRows)])
			}
			q := make([]float32, dim)
			for i, x := range v {
				if q[i] = float32(x); q[i]-q[i] != 0 {
					q[i] = 0
				}
				if metric == vecindex.Hamming {
					q[i] = float32(uint8(max(0, min(255, x))))
				}
			}
			if odd && r.Intn(5) == 0 {
				clear(q)
			}
			query, err := vecindex.NewQuery(metric, q)
			require.NoError(t, err)
			queries = append(queries, query)
		}
		batch, err := vecindex.NewQueries(queries)
		require.NoError(t, err)
		got := vecindex.NewExactBatch(batch, k)
		var upper []*float32
		for i := range queries {
			upper = append(upper, nil)
			if r.Intn(3) == 0 {
				u := float32(r.ExpFloat64() * size * size * float64(dim))
				upper[i] = &u
				got.Bound(i, u)
			}
		}
		all := vectorsOf(mem, typ, rows)
		half := vecindex.NewExactBatch(batch, k)
		for i, u := range upper {
			if u != nil {
				half.Bound(i, *u)
			}
		}
		allowed := func(query, row int) bool { return true }
		selective := r.Intn(2) == 0
		if selective {
			allowed = func(query, row int) bool { return (query+row)%3 != 0 }
		}
		ids := make([]uint64, numRows)
		for i := range ids {
			ids[i] = uint64(numRows - i)
		}
		// In two accumulators, and pieces of any size.
		for at := 0; at < numRows; {
			n := 1 + r.Intn(numRows-at)
			piece := array.NewSlice(all, int64(at), int64(at+n))
			into := got
			if r.Intn(2) == 0 {
				into = half
			}
			first := at
			f := func(query, row int) bool { return allowed(query, first+row) }
			if !selective {
				f = nil
			}
			require.NoError(t, into.Add(piece, ids[at:at+n], f))
			piece.Release()
			at += n
		}
		got.Merge(half)
		require.Equal(t, int64(numRows), got.Rows())
		for i, q := range queries {
			// By Exact where it sees all rows.
			var hits []vecindex.Hit
			if selective {
				distances, want := make([]float32, numRows), vecindex.NewTopK(k)
				require.NoError(t, vecindex.Distances(q, all, distances))
				for row, d := range distances {
					if allowed(i, row) && (upper[i] == nil || d < *upper[i]) {
						want.Push(ids[row], d)
					}
				}
				hits = want.Hits()
			} else {
				want := vecindex.NewExact(q, k)
				want.Bound(nil, upper[i])
				require.NoError(t, want.Add(all, ids))
				hits = want.Hits()
			}
			require.Equal(t, hits, got.Hits(i), "trial %d: query %d of %d, %s over %s, dim %d, %d rows", trial, i,
				numQueries, metric, typ, dim, numRows)
		}
		all.Release()
	}
}

// The kernel rules nearly everything out.
func TestExactBatchComparesFewPairs(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	r := rand.New(rand.NewSource(1))
	const dim, numRows, numQueries, k = 96, 5000, 32, 10
	rows := make([][]float64, numRows)
	ids := make([]uint64, numRows)
	for i := range rows {
		ids[i] = uint64(i)
		for range dim {
			rows[i] = append(rows[i], r.NormFloat64())
		}
	}
	all := vectorsOf(mem, arrow.PrimitiveTypes.Float32, rows)
	defer all.Release()
	for _, metric := range []vecindex.Metric{vecindex.L2, vecindex.Cosine, vecindex.Dot} {
		var queries []*distance.Query
		for range numQueries {
			v := make([]float32, dim)
			for i := range v {
				v[i] = float32(r.NormFloat64())
			}
			q, err := vecindex.NewQuery(metric, v)
			require.NoError(t, err)
			queries = append(queries, q)
		}
		batch, err := vecindex.NewQueries(queries)
		require.NoError(t, err)
		e := vecindex.NewExactBatch(batch, k)
		require.NoError(t, e.Add(all, ids, nil))
		// k·ln(n/k) rows pass the threshold of the moment on their way.
		require.Less(t, e.Compared(), int64(numQueries*200), "%s", metric)
	}
}

func BenchmarkExactBatch(b *testing.B) {
	mem := memory.NewGoAllocator()
	r := rand.New(rand.NewSource(1))
	const dim, numRows = 768, 4096
	rows := make([][]float64, numRows)
	ids := make([]uint64, numRows)
	for i := range rows {
		ids[i] = uint64(i)
		for range dim {
			rows[i] = append(rows[i], r.NormFloat64())
		}
	}
	all := vectorsOf(mem, arrow.PrimitiveTypes.Float32, rows)
	defer all.Release()
	for _, n := range []int{1, 16, 100} {
		var queries []*distance.Query
		for range n {
			v := make([]float32, dim)
			for i := range v {
				v[i] = float32(r.NormFloat64())
			}
			q, _ := vecindex.NewQuery(vecindex.L2, v)
			queries = append(queries, q)
		}
		b.Run(fmt.Sprintf("batch/%d", n), func(b *testing.B) {
			batch, _ := vecindex.NewQueries(queries)
			for range b.N {
				e := vecindex.NewExactBatch(batch, 10)
				_ = e.Add(all, ids, nil)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/numRows/float64(n), "ns/pair")
		})
		b.Run(fmt.Sprintf("single/%d", n), func(b *testing.B) {
			for range b.N {
				for _, q := range queries {
					e := vecindex.NewExact(q, 10)
					_ = e.Add(all, ids)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/numRows/float64(n), "ns/pair")
		})
	}
}
