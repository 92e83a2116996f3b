package distance_test

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

	"lanceflight/internal/fault"
	"lanceflight/vecindex/distance"
)

// multivectors builds lists of vectors; nil stands for NULL, at every level. NaN as an element stands for itself.
func multivectors(mem memory.Allocator, item arrow.DataType, dim int, large bool, rows [][][]any) arrow.Array {
	inner := arrow.FixedSizeListOf(int32(dim), item)
	var b array.Builder
	var values array.Builder
	if large {
		l := array.NewLargeListBuilder(mem, inner)
		b, values = l, l.ValueBuilder()
	} else {
		l := array.NewListBuilder(mem, inner)
		b, values = l, l.ValueBuilder()
	}
	defer b.Release()
	vectors := values.(*array.FixedSizeListBuilder)
	for _, row := range rows {
		if row == nil {
			b.AppendNull()
			continue
		}
		b.(array.ListLikeBuilder).Append(true)
		for _, v := range row {
			vectors.Append(v != nil)
			for j := range dim {
				if v == nil || v[j] == nil {
					vectors.ValueBuilder().AppendNull()
					continue
				}
				switch items := vectors.ValueBuilder().(type) {
				case *array.Float16Builder:
					items.Append(float16.New(float32(v[j].(float64))))
				case *array.Float32Builder:
					items.Append(float32(v[j].(float64)))
				case *array.Float64Builder:
					items.Append(v[j].(float64))
				}
			}
		}
	}
	return b.NewArray()
}

// naiveMaxSim is the definition, in float64.
func naiveMaxSim(m distance.Metric, query [][]float32, row [][]any, dim int) float64 {
	if len(row) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for _, q := range query {
		least, any := math.Inf(1), false
		for _, v := range row {
			l2, dot, qq, vv, nan := 0.0, 0.0, 0.0, 0.0, false
			for j := range dim {
				x, y := float64(q[j]), 0.0
				if v != nil && v[j] != nil {
					y = v[j].(float64)
				}
				nan = nan || y != y
				l2 += (x - y) * (x - y)
				dot, qq, vv = dot+x*y, qq+x*x, vv+y*y
			}
			d := map[distance.Metric]float64{distance.L2: l2, distance.Dot: 1 - dot, distance.Cosine: 1 - dot/math.Sqrt(qq*vv)}[m]
			switch {
			case nan:
			case d != d:
				return d
			default:
				least, any = min(least, d), true
			}
		}
		if !any {
			return math.NaN()
		}
		sum += least
	}
	return sum
}

// randomMultivectors makes rows of up to most vectors of numbers that halves can hold, with every kind of NULL.
func randomMultivectors(r *rand.Rand, n, most, dim int, odd bool) [][][]any {
	rows := make([][][]any, n)
	for i := range rows {
		switch r.IntN(12) {
		case 0:
			continue
		case 1:
			rows[i] = [][]any{}
			continue
		}
		rows[i] = make([][]any, 1+r.IntN(most))
		for k := range rows[i] {
			v := make([]any, dim)
			for j := range v {
				v[j] = float64(r.IntN(33)-16) / 8
			}
			rows[i][k] = v
			if !odd {
				continue
			}
			switch r.IntN(60) {
			case 0:
				rows[i][k] = nil
			case 1:
				v[r.IntN(dim)] = nil
			case 2:
				v[r.IntN(dim)] = math.NaN()
			case 3:
				for j := range v {
					v[j] = 0.0
				}
			}
		}
	}
	return rows
}

func TestMaxSim(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, item := range []arrow.DataType{arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64} {
		for _, dim := range []int{1, 3, 8, 40} {
			for _, most := range []int{3, 700} { // 700 vectors of 40 dimensions are several blocks
				rows := randomMultivectors(r, 60, most, dim, true)
				if most > 3 {
					rows = rows[:6]
				}
				mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
				whole := multivectors(mem, item, dim, r.IntN(2) == 0, rows)
				slice := array.NewSlice(whole, int64(len(rows)/3), int64(len(rows)))
				query := make([][]float32, 1+r.IntN(5))
				for i := range query {
					query[i] = make([]float32, dim)
					for j := range query[i] {
						query[i][j] = float32(r.IntN(33)-16) / 8
					}
					query[i][0] = 0.5
				}
				for _, metric := range []distance.Metric{distance.L2, distance.Cosine, distance.Dot} {
					q, err := distance.NewMultiQuery(metric, query)
					require.NoError(t, err)
					m, err := distance.NewMultivectors(slice)
					require.NoError(t, err)
					s := distance.NewMaxSim(q)
					got := make([]float32, m.Len())
					require.NoError(t, s.Distances(got, m, 0))
					for i, row := range rows[len(rows)/3:] {
						want := naiveMaxSim(metric, query, row, dim)
						place := fmt.Sprintf("%s of %s, %d dimensions, row %d of %d vectors", metric, item, dim, i, len(row))
						if want != want {
							require.True(t, got[i] != got[i], "%s: %v, not NaN", place, got[i])
							continue
						}
						require.InDelta(t, want, got[i], 1e-5*(1+math.Abs(want)), place)
						// A row's distance does not depend on its neighbours.
						var alone [1]float32
						require.NoError(t, s.Distances(alone[:], m, i))
						require.Equal(t, got[i], alone[0], place)
					}
				}
				slice.Release()
				whole.Release()
				mem.AssertSize(t, 0)
			}
		}
	}
}

func TestMultiQueryErrors(t *testing.T) {
	for name, c := range map[string]struct {
		metric  distance.Metric
		vectors [][]float32
	}{
		"no vectors":             {distance.L2, nil},
		"too many":               {distance.L2, make([][]float32, distance.MaxQueryVectors+1)},
		"no dimension":           {distance.L2, [][]float32{{}}},
		"different dimensions":   {distance.L2, [][]float32{{1, 2}, {1}}},
		"NaN":                    {distance.Dot, [][]float32{{1, 2}, {1, float32(math.NaN())}}},
		"infinity":               {distance.Dot, [][]float32{{1, float32(math.Inf(-1))}}},
		"hamming":                {distance.Hamming, [][]float32{{1, 2}}},
		"a metric that is not":   {distance.Hamming + 1, [][]float32{{1, 2}}},
		"different, first empty": {distance.L2, [][]float32{{1}, {}}},
	} {
		_, err := distance.NewMultiQuery(c.metric, c.vectors)
		require.Equal(t, fault.InvalidArgument, fault.KindOf(err), "%s: %v", name, err)
	}
	q, err := distance.NewMultiQuery(distance.L2, [][]float32{{1, 2}})
	require.NoError(t, err)
	mem := memory.NewGoAllocator()
	three := multivectors(mem, arrow.PrimitiveTypes.Float32, 3, false, [][][]any{{{1.0, 2.0, 3.0}}})
	m, err := distance.NewMultivectors(three)
	require.NoError(t, err)
	require.Equal(t, fault.InvalidArgument, fault.KindOf(distance.NewMaxSim(q).Distances(make([]float32, 1), m, 0)))
	_, err = distance.NewMultivectors(three.(*array.List).ListValues())
	require.Equal(t, fault.InvalidArgument, fault.KindOf(err))
}

// BenchmarkMaxSim compares 32 query vectors with pages of 64 vectors of 128 dimensions; a "byte" of
// the speed is one of the rows, read once for each query vector.
func BenchmarkMaxSim(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	vector := func() []float32 {
		v := make([]float32, 128)
		for j := range v {
			v[j] = r.Float32() - 0.5
		}
		return v
	}
	query := make([][]float32, 32)
	for i := range query {
		query[i] = vector()
	}
	list := array.NewListBuilder(memory.NewGoAllocator(), arrow.FixedSizeListOf(128, arrow.PrimitiveTypes.Float32))
	inner := list.ValueBuilder().(*array.FixedSizeListBuilder)
	for range 64 {
		list.Append(true)
		for range 64 {
			inner.Append(true)
			inner.ValueBuilder().(*array.Float32Builder).AppendValues(vector(), nil)
		}
	}
	rows := list.NewArray()
	for _, metric := range []distance.Metric{distance.L2, distance.Cosine, distance.Dot} {
		b.Run(metric.String(), func(b *testing.B) {
			q, err := distance.NewMultiQuery(metric, query)
			require.NoError(b, err)
			m, err := distance.NewMultivectors(rows)
			require.NoError(b, err)
			s := distance.NewMaxSim(q)
			dst := make([]float32, m.Len())
			b.SetBytes(64 * 64 * 128 * 4 * int64(q.Len()))
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, s.Distances(dst, m, 0))
			}
		})
	}
}
