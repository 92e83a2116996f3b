package index_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/index"
)

// checkSummaries compares what summaries of runs of an array say with the values in them.
func checkSummaries(t testing.TB, rng *rand.Rand, arr arrow.Array, rounds int) bool {
	s, ok := index.NewSummaries(arr.DataType())
	if !ok || arr.Len() == 0 {
		return false
	}
	c := column{typ: arr.DataType()}
	for i := range arr.Len() {
		c.values = append(c.values, valueAt(arr, i))
	}
	predicates := randomPredicates(rng, c, rounds)
	for _, p := range predicates {
		q, ok := s.Question(p)
		if !ok {
			continue
		}
		from := rng.IntN(arr.Len())
		to := from + 1 + rng.IntN(min(arr.Len()-from, 1<<rng.IntN(9)))
		summary := s.Of(arr, from, to)
		require.Equal(t, to-from, summary.Rows())
		seen := map[truth]int{}
		for _, v := range c.values[from:to] {
			seen[holds(p, v)]++
		}
		got := q.Ask(&summary)
		what := []any{"%s rows %d..%d: %s gives %v, rows %v", arr.DataType(), from, to, describe(p), got, seen}
		require.True(t, got.MaybeTrue || seen[yes] == 0, what...)
		require.True(t, got.MaybeFalse || seen[no] == 0, what...)
		require.True(t, !got.AllTrue || seen[yes] == to-from, what...)
		require.True(t, !got.AllFalse || seen[no] == to-from, what...)
		share := s.Share(&q, &summary)
		require.True(t, share >= 0 && share <= 1 && (share > 0 || !got.AllTrue) && (share == 0 || got.MaybeTrue) &&
			(share > 0.999 || !got.AllTrue), append(what, share)...)
		if to == from+1 && p.Op == index.IsNull { // sharp where it can be
			require.Equal(t, seen[yes] == 1, got.AllTrue, what...)
			require.Equal(t, seen[no] == 1, got.AllFalse, what...)
		}
	}
	return true
}

// Every column of the fixtures, in random runs.
func TestSummariesOfFixtures(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, name := range []string{"types_v2_2", "laion_v2_2", "scalar_indices", "deletions_arrow_and_bitmap"} {
		x := openTable(t, fixtures.Path(t, name+".lance"), lancefmt.Ref{})
		checked := 0
		for _, f := range x.snapshot.Fragments() {
			for _, field := range x.snapshot.Schema().Fields() {
				rec, err := f.Read(ctx, lancefmt.Columns(field.Name), []encoding.Range{{End: f.NumPhysicalRows()}}, x.mem)
				require.NoError(t, err)
				if checkSummaries(t, rng, rec.Column(0), 60) {
					checked++
				}
				rec.Release()
			}
		}
		require.Greater(t, checked, 5, name)
	}
}

// Numbers that are spread evenly are counted well from their bounds.
func TestSharesOfSummaries(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	ints, floats := array.NewInt32Builder(memory.DefaultAllocator), array.NewFloat64Builder(memory.DefaultAllocator)
	for range 4096 {
		ints.Append(int32(rng.IntN(1000) - 500))
		floats.Append(rng.Float64()*10 - 5)
	}
	number := func(v float64, int bool) any {
		if int {
			return int64(v * 100)
		}
		return v
	}
	for _, arr := range []arrow.Array{ints.NewArray(), floats.NewArray()} {
		s, ok := index.NewSummaries(arr.DataType())
		require.True(t, ok)
		summary := s.Of(arr, 0, arr.Len())
		int := arr.DataType().ID() == arrow.INT32
		for _, c := range []struct{ low, high, share float64 }{{-5, 5, 1}, {-4, -3, 0.1}, {-10, 0, 0.5}, {0, 100, 0.5},
			{4.9, 5, 0.01}, {6, 7, 0}, {3, 2, 0}} {
			p := index.Predicate{Op: index.InRange, Low: &index.Bound{Value: number(c.low, int), Inclusive: true},
				High: &index.Bound{Value: number(c.high, int)}}
			q, ok := s.Question(p)
			require.True(t, ok)
			require.InDelta(t, c.share, s.Share(&q, &summary), 0.01, "%v from %v to %v", arr.DataType(), c.low, c.high)
		}
		arr.Release()
	}
}

// Values where orders differ: NaN, zeros of either sign, infinities, prefixes, bytes without a successor,
// strings longer than the bounds kept, extremes of integers.
func TestSummariesOfAwkwardValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	floats := []float64{math.NaN(), math.Copysign(math.NaN(), -1), 0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1),
		1, -1, 1.5, math.MaxFloat32, 5e-324}
	long := strings.Repeat("x", 40)
	strs := []string{"", "a", "ab", "\xff", "\xff\xff", long, long + "y", strings.Repeat("\xff", 33),
		strings.Repeat("\xff", 40) + "a", "b\x00", "b"}
	ints := []int64{math.MinInt64, math.MaxInt64, 0, -1, 1, 7}
	for range 300 {
		few := 1 + rng.IntN(4) // values in play: runs of few are where a summary is sharp
		fill := func(b array.Builder, add func()) arrow.Array {
			defer b.Release()
			for range 64 {
				if rng.IntN(5) == 0 {
					b.AppendNull()
				} else {
					add()
				}
			}
			return b.NewArray()
		}
		pick := func(n int) int { return (rng.IntN(few)*7 + few) % n }
		f64, f32 := array.NewFloat64Builder(mem), array.NewFloat32Builder(mem)
		str, bin := array.NewStringBuilder(mem), array.NewBinaryBuilder(mem, arrow.BinaryTypes.LargeBinary)
		i64, u64, i8 := array.NewInt64Builder(mem), array.NewUint64Builder(mem), array.NewInt8Builder(mem)
		dec := array.NewDecimal128Builder(mem, &arrow.Decimal128Type{Precision: 38})
		boolean := array.NewBooleanBuilder(mem)
		for _, arr := range []arrow.Array{
			fill(f64, func() { f64.Append(floats[pick(len(floats))]) }),
			fill(f32, func() { f32.Append(float32(floats[pick(len(floats))])) }),
			fill(str, func() { str.Append(strs[pick(len(strs))]) }),
			fill(bin, func() { bin.Append([]byte(strs[pick(len(strs))])) }),
			fill(i64, func() { i64.Append(ints[pick(len(ints))]) }),
			fill(u64, func() { u64.Append(uint64(ints[pick(len(ints))])) }),
			fill(i8, func() { i8.Append(int8(ints[pick(len(ints))])) }),
			fill(dec, func() { dec.Append(decimal128.FromI64(ints[pick(len(ints))])) }),
			fill(boolean, func() { boolean.Append(pick(2) == 0) }),
		} {
			part := array.NewSlice(arr, int64(rng.IntN(9)), 60)
			require.True(t, checkSummaries(t, rng, part, 20))
			part.Release()
			arr.Release()
		}
	}
}
