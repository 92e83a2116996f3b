package expr_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/value"
)

// benchBatch has 64 Ki rows: uniform numbers from 0 to 999, with and without NULLs, captions, vectors.
func benchBatch(tb testing.TB) arrow.RecordBatch {
	const n, dim = 1 << 16, 768
	rng := rand.New(rand.NewPCG(7, 7))
	mem := memory.NewGoAllocator()
	i64, i64n, i32 := array.NewInt64Builder(mem), array.NewInt64Builder(mem), array.NewInt32Builder(mem)
	f32, f64, s := array.NewFloat32Builder(mem), array.NewFloat64Builder(mem), array.NewStringBuilder(mem)
	vec := array.NewFixedSizeListBuilder(mem, dim, value.TypeFloat32)
	vals := vec.ValueBuilder().(*array.Float32Builder)
	words := []string{
		"a red car",
		"the quick brown fox",
		"photo of",
		"jumps",
		"over",
		"lazy dog",
		"in the street",
		"black and white",
		"portrait",
	}
	for i := range n {
		v := rng.Int64N(1000)
		i64.Append(v)
		i32.Append(int32(v))
		f32.Append(float32(v) / 1000)
		f64.Append(float64(v) / 1000)
		if rng.IntN(10) == 0 {
			i64n.AppendNull()
		} else {
			i64n.Append(v)
		}
		s.Append(words[rng.IntN(9)] + " " + words[rng.IntN(9)] + " " + words[rng.IntN(9)])
		if i < 4096 {
			vec.Append(true)
			for range dim {
				vals.Append(rng.Float32())
			}
		} else {
			vec.AppendNull()
		}
	}
	fields := []arrow.Field{
		{
			Name: "i64",
			Type: value.TypeInt64,
		}, {Name: "i64n", Type: value.TypeInt64, Nullable: true}, {Name: "i32", Type: value.TypeInt32}, {Name: "f32", Type: value.TypeFloat32},
		{Name: "f64", Type: value.TypeFloat64}, {Name: "s", Type: value.TypeText}, {Name: "v", Type: vec.Type(), Nullable: true},
	}
	cols := []arrow.Array{i64.NewArray(), i64n.NewArray(), i32.NewArray(), f32.NewArray(), f64.NewArray(), s.NewArray(), vec.NewArray()}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, n)
}

func BenchmarkSelect(b *testing.B) {
	batch := benchBatch(b)
	for _, sql := range []string{
		"i64 > 990", "i64 > 500", "i64 = 7", "i64n > 500", "i32 >= 512", "f32 > 0.3", "f64 > 0.3", "i64 BETWEEN 100 AND 200",
		"i64 > 300 AND f64 > 0.5 AND i32 < 900", "i64 < 10 OR f64 > 0.99", "i64 IN (1, 5, 7, 999)", "i64n IS NULL",
		"s = 'photo of jumps over'", "s LIKE '%quick%'", "s LIKE '%zebra%'", "s LIKE 'photo%'", "s LIKE '%a%red%c_r%'",
		"s ILIKE '%QUICK%'", "s ~ 'qu.ck'",
		"i64 > 990 AND s LIKE '%quick%'", "i64 + 1 > 990", "length(s) > 40",
	} {
		b.Run(sql, func(b *testing.B) {
			e, err := bindText(sql, batch.Schema())
			require.NoError(b, err)
			p, err := expr.Compile(e, positions(batch))
			require.NoError(b, err)
			in := inputOf(batch, memory.DefaultAllocator)
			sel := make([]int32, 0, batch.NumRows())
			b.ReportAllocs()
			for b.Loop() {
				if sel, err = p.Select(context.Background(), in, sel[:0]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(batch.NumRows())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
			b.ReportMetric(float64(len(sel))/float64(batch.NumRows()), "selected")
		})
	}
}

func BenchmarkEval(b *testing.B) {
	batch := benchBatch(b)
	for _, sql := range []string{
		"i64 > 500", "i64 + 1", "i64 * i32", "f64 * 2 + f32", "CASE WHEN i64 > 500 THEN i64 ELSE 0 END", "coalesce(i64n, 0)",
		"upper(s)", "length(s)",
		"s || '!'", "CAST(i32 AS DOUBLE)", "CAST(i64 AS VARCHAR)", "i64 > 500 AND f64 < 0.7",
	} {
		b.Run(sql, func(b *testing.B) {
			e, err := bindText(sql, batch.Schema())
			require.NoError(b, err)
			p, err := expr.Compile(e, positions(batch))
			require.NoError(b, err)
			in := inputOf(batch, memory.DefaultAllocator)
			b.ReportAllocs()
			for b.Loop() {
				a, err := p.Eval(context.Background(), in)
				if err != nil {
					b.Fatal(err)
				}
				a.Release()
			}
			b.ReportMetric(float64(batch.NumRows())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}

func BenchmarkDistance(b *testing.B) {
	batch := benchBatch(b).NewSlice(0, 4096)
	q := make([]float32, 768)
	for i := range q {
		q[i] = float32(i) / 768
	}
	for _, op := range []string{"<->", "<=>", "<#>"} {
		b.Run(fmt.Sprintf("v %s ?", op), func(b *testing.B) {
			e, err := bindText("v "+op+" ?", batch.Schema())
			require.NoError(b, err)
			p, err := expr.Compile(e, positions(batch))
			require.NoError(b, err)
			in := inputOf(batch, memory.DefaultAllocator, expr.Literal{Value: q, T: arrow.FixedSizeListOf(768, value.TypeFloat32)})
			b.SetBytes(4096 * 768 * 4)
			for b.Loop() {
				a, err := p.Eval(context.Background(), in)
				if err != nil {
					b.Fatal(err)
				}
				a.Release()
			}
		})
	}
}
