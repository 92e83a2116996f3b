package exec

import (
	"context"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/exec/scan"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/indexes"
	"lanceflight/sqlplan/plan"
	"lanceflight/vecindex"
)

// benchTable opens the table that LANCEFLIGHT_BENCH_TABLE names, made by make_laion.py; without it the
// benchmarks are skipped.
func benchTable(b *testing.B) planner {
	path := os.Getenv("LANCEFLIGHT_BENCH_TABLE")
	if path == "" {
		b.Skip("LANCEFLIGHT_BENCH_TABLE is not set: make_laion.py --rows 100000 --out …")
	}
	return planner{b, openTable(b, path)}
}

// benchmark runs a plan to its end, b.N times.
func benchmark(b *testing.B, p planner, cache *indexes.Cache, plan func() plan.Node) {
	b.Helper()
	var rows, bytes int64
	for b.Loop() {
		env := &op.Env{Mem: memory.DefaultAllocator, Budget: op.NewBudget(0), Indexes: cache}
		op, err := Build(plan(), env)
		require.NoError(b, err)
		ctx := context.Background()
		require.NoError(b, op.Open(ctx))
		rows = 0
		for {
			rec, err := op.Next(ctx)
			if err == io.EOF {
				break
			}
			require.NoError(b, err)
			rows += rec.NumRows()
			rec.Release()
		}
		bytes = op.Stats().Bytes.Load()
		require.NoError(b, op.Close())
	}
	b.ReportMetric(float64(rows), "rows")
	b.SetBytes(bytes)
	b.ReportMetric(float64(p.snap.NumRows())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

func (p planner) ref(name string) *expr.Column {
	c := p.column(name)
	return &expr.Column{ID: c.ID, Name: name, T: c.Type}
}

func (p planner) aggregate(in plan.Node, groups []string, calls ...plan.AggCall) *plan.Aggregate {
	n := &plan.Aggregate{Input: in}
	for _, g := range groups {
		n.Groups = append(n.Groups, plan.NamedExpr{Expr: p.ref(g), Col: p.column(g).Col})
	}
	for i, c := range calls {
		c.Col.ID = expr.ColID(3000 + i)
		n.Aggs = append(n.Aggs, c)
	}
	return n
}

func (p planner) call(name string, out arrow.DataType, distinct bool, args ...string) plan.AggCall {
	c := plan.AggCall{Name: name, Distinct: distinct, Col: outCol(0, name, out)}
	for _, a := range args {
		c.Args = append(c.Args, p.ref(a))
	}
	return c
}

const cardFilter = `"NSFW" = 0 AND similarity > 0.3 AND width >= 512`

func BenchmarkScans(b *testing.B) {
	p := benchTable(b)
	count := p.call("count", int64Type, false)
	for _, c := range []struct {
		name string
		plan func() plan.Node
	}{
		{"count", func() plan.Node { return p.aggregate(p.scan(""), nil, count) }},
		{"count_filtered", func() plan.Node { return p.aggregate(p.scan(cardFilter), nil, count) }},
		{"count_like", func() plan.Node { return p.aggregate(p.scan(`caption LIKE '%cat%'`), nil, count) }},
		{"sum", func() plan.Node {
			return p.aggregate(p.scan("", "width"), nil, p.call("sum", &arrow.Decimal128Type{Precision: 38}, false, "width"))
		}},
		{"avg_double", func() plan.Node {
			return p.aggregate(p.scan("", "similarity"), nil, p.call("avg", float64Type, false, "similarity"))
		}},
		{"filter_key_url_caption", func() plan.Node { return p.scan(cardFilter, "key", "url", "caption") }},
		{"group_by", func() plan.Node {
			return p.aggregate(p.scan("", "NSFW", "similarity"), []string{"NSFW"}, count, p.call("avg", float64Type, false, "similarity"))
		}},
		{"group_by_two", func() plan.Node {
			return p.aggregate(p.scan("", "NSFW", "status"), []string{"NSFW", "status"}, count)
		}},
		{"group_by_caption", func() plan.Node { return p.aggregate(p.scan("", "caption"), []string{"caption"}, count) }},
		{"count_distinct_captions", func() plan.Node {
			return p.aggregate(p.scan("", "caption"), nil, p.call("count", int64Type, true, "caption"))
		}},
		{"distinct_captions", func() plan.Node { return &plan.Distinct{Input: p.scan("", "caption")} }},
		{"top_100", func() plan.Node {
			keys := []plan.SortKey{{Expr: p.ref("similarity"), Desc: true}}
			return &plan.Sort{Input: p.scan("", "key", "similarity"), Limit: intLiteral(100), Keys: keys}
		}},
		{"sort_double", func() plan.Node {
			return &plan.Sort{Input: p.scan("", "key", "similarity"), Keys: []plan.SortKey{{Expr: p.ref("similarity"), Desc: true}}}
		}},
		{"sort_captions", func() plan.Node {
			return &plan.Sort{Input: p.scan("", "caption"), Keys: []plan.SortKey{{Expr: p.ref("caption")}}}
		}},
		{"embeddings", func() plan.Node { return p.scan("", "img_emb") }},
		{"images_100", func() plan.Node {
			n := p.scan("key >= 40000 AND key < 40100", "key", "image")
			return n
		}},
		{"first_batch_of_all", func() plan.Node {
			var names []string
			for _, f := range p.snap.Schema().Fields() {
				names = append(names, f.Name)
			}
			n := p.scan("", names...)
			n.Limit = 10
			return n
		}},
	} {
		b.Run(c.name, func(b *testing.B) { benchmark(b, p, nil, c.plan) })
	}
}

func BenchmarkVectorSearch(b *testing.B) {
	p := benchTable(b)
	env := &op.Env{Mem: memory.DefaultAllocator}
	var queries [][]float32
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		addrs := []uint64{uint64(r.Int64N(p.snap.Fragments()[0].NumPhysicalRows()))}
		row, err := scan.NewFetcher(env, p.snap, &op.OpStats{}).Rows(context.Background(), addrs, lancefmt.Columns("img_emb"))
		require.NoError(b, err)
		if row.Column(0).IsValid(0) {
			l := row.Column(0).(*array.FixedSizeList)
			start, end := l.ValueOffsets(0)
			queries = append(queries, append([]float32(nil), l.ListValues().(*array.Float32).Float32Values()[start:end]...))
		}
		row.Release()
	}
	cache := indexes.New(indexes.Options{})
	defer cache.Close()
	n := 0
	search := func(k int, where string, change func(*plan.VectorSearch)) func() plan.Node {
		return func() plan.Node {
			n++
			s := p.search("img_emb", vecindex.L2, queries[n%len(queries)], k, where)
			change(s)
			return s
		}
	}
	exact := func(*plan.VectorSearch) {}
	ann := func(s *plan.VectorSearch) {
		s.Indexes, s.Options.NProbes, s.Options.RefineFactor = p.indexesOn("img_emb"), 20, 10
	}
	b.Run("exact_10", func(b *testing.B) { benchmark(b, p, cache, search(10, "", exact)) })
	b.Run("exact_10_filtered", func(b *testing.B) { benchmark(b, p, cache, search(10, cardFilter, exact)) })
	if len(p.indexesOn("img_emb")) == 0 {
		b.Log("the table has no index on img_emb")
		return
	}
	b.Run("ann_10", func(b *testing.B) { benchmark(b, p, cache, search(10, "", ann)) })
	b.Run("ann_100_filtered", func(b *testing.B) { benchmark(b, p, cache, search(100, cardFilter, ann)) })
}
