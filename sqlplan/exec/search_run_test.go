package exec

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/exec/scan"
	"lanceflight/sqlplan/exec/search"
	"lanceflight/sqlplan/indexes"
	"lanceflight/sqlplan/plan"
	"lanceflight/vecindex"
)

// sampleQueries are vectors, or lists of vectors, of some rows of a table, moved a little away from them.
func (p planner) sampleQueries(column string, n int) (queries [][][]float32) {
	env := &op.Env{Mem: newChecked(p.t)}
	for i := 0; len(queries) < n; i++ {
		frag := p.snap.Fragments()[i%len(p.snap.Fragments())]
		addr := uint64(frag.ID())<<32 | uint64(i*37)%uint64(frag.NumPhysicalRows())
		b, err := scan.NewFetcher(env, p.snap, &op.OpStats{}).Rows(context.Background(), []uint64{addr}, lancefmt.Columns(column))
		require.NoError(p.t, err)
		if query := vectorsIn(p.t, b.Column(0)); query != nil {
			if x := query[0][0]; x != float32(int(x)) { // bytes stay bytes
				query[0][0] += float32(i%3) / 64
			}
			queries = append(queries, query)
		}
		b.Release()
	}
	return queries
}

// vectorsIn are the vectors of the only row of an array; nil for NULL.
func vectorsIn(t testing.TB, a arrow.Array) (vectors [][]float32) {
	if a.IsNull(0) {
		return nil
	}
	if list, ok := a.(*array.List); ok {
		from, to := list.ValueOffsets(0)
		for i := from; i < to; i++ {
			one := array.NewSlice(list.ListValues(), i, i+1)
			vectors = append(vectors, vectorsIn(t, one)...)
			one.Release()
		}
		return vectors
	}
	list := a.(*array.FixedSizeList)
	from, to := list.ValueOffsets(0)
	vector := []float32{}
	for i := from; i < to; i++ {
		switch values := list.ListValues().(type) {
		case *array.Float32:
			vector = append(vector, values.Value(int(i)))
		case *array.Float16:
			vector = append(vector, values.Value(int(i)).Float32())
		case *array.Float64:
			vector = append(vector, float32(values.Value(int(i))))
		case *array.Uint8:
			vector = append(vector, float32(values.Value(int(i))))
		default:
			require.Fail(t, "vectors of another type", "%s", values.DataType())
		}
	}
	return [][]float32{vector}
}

// searchTogether runs a request for several queries at once, and for each by itself, checks that the outcomes are the same, and returns
// them with the remarks of the former.
func searchTogether(t testing.TB, env *op.Env, req search.Request, queries []search.Query) ([]*search.Outcome, string) {
	t.Helper()
	ctx := context.Background()
	search := func(queries ...search.Query) ([]*search.Outcome, *op.OpStats) {
		var stats op.OpStats
		run := search.NewRun(env, req.Selection.Snap, &stats, "vector search")
		found, err := run.Search(ctx, req.Ask(req.K, queries...))
		require.NoError(t, err)
		require.Zero(t, run.Share.Held.Load(), "all memory is given back")
		return found, &stats
	}
	together, stats := search(queries...)
	require.Len(t, together, len(queries))
	codes, refined := int64(0), int64(0)
	for i, q := range queries {
		alone, stats := search(q)
		require.Equal(t, alone[0].Hits, together[i].Hits, "query %d: %v", i, stats.Notes())
		require.Equal(t, alone[0].Addrs, together[i].Addrs)
		require.Equal(t, alone[0].ByIndex, together[i].ByIndex)
		codes, refined = codes+stats.Codes.Load(), refined+stats.Refined.Load()
	}
	require.Equal(t, refined, stats.Refined.Load())
	require.GreaterOrEqual(t, stats.Codes.Load(), codes, "a query that goes on alone starts anew")
	require.EqualValues(t, len(queries), stats.Queries.Load())
	require.EqualValues(t, 1, stats.QueryBatches.Load())
	return together, strings.Join(stats.Notes(), "\n")
}

// prepareQueries makes queries of vectors, each with a bound of its distance if bounds has any for it.
func prepareQueries(t testing.TB, r *search.Request, vectors [][][]float32, bounds func(i int) *float32) (queries []search.Query) {
	for i, v := range vectors {
		q, err := r.NewSearchQuery(v)
		require.NoError(t, err)
		q.Upper = bounds(i)
		queries = append(queries, q)
	}
	return queries
}

func unbounded(int) *float32 { return nil }

// Several queries at once find what each finds alone, to the bit: by either source and by both, with filters that leave many rows and
// few, for one query more than are compared one by one and for many, and whatever is done to make a query go on alone.
func TestManyQueriesFindWhatEachFinds(t *testing.T) {
	names := append([]string{"vector_multivector_cosine", "laion_stable_row_ids"}, vectorFixtures[8:]...)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			p := planner{t, openFixture(t, name)}
			column := "vec"
			switch name {
			case "vector_multivector_cosine":
				column = "vecs"
			case "laion_stable_row_ids":
				column = "img_emb"
			}
			segments := p.indexesOn(column)
			cache := indexes.New(indexes.Options{})
			defer cache.Close()
			metric := vecindex.Dot
			if len(segments) > 0 {
				var err error
				metric, err = cache.Metric(context.Background(), p.snap, segments[0])
				require.NoError(t, err)
			}
			vectors := p.sampleQueries(column, 20)
			for i, c := range []struct {
				where             string
				k, n, few, probes int
				change            func(r *search.Request)
			}{
				{k: 5, n: 2, change: func(r *search.Request) { r.Options.UseIndex = false }},
				{k: 5, n: 20, change: func(r *search.Request) { r.Options.UseIndex = false }},
				{where: `key % 3 = 1`, k: 7, n: 6, change: func(r *search.Request) { r.Options.UseIndex = false }},
				{k: 5, n: 20, probes: 2, change: func(r *search.Request) { r.Options.RefineFactor = 5 }},
				{k: 5, n: 3, probes: 2, change: func(*search.Request) {}},
				{k: 400, n: 6, probes: 1, change: func(*search.Request) {}},
				{k: 400, n: 4, probes: 1, change: func(r *search.Request) { r.Options.MaxNProbes = 2 }},
				{k: 4, n: 9, probes: 4, change: func(r *search.Request) { r.Options.FastSearch = true }},
				{where: `key % 3 = 1`, k: 7, n: 9, change: func(*search.Request) {}},
				{where: `key % 3 = 1`, k: 7, n: 9, few: -1, probes: 1, change: func(r *search.Request) { r.Options.RefineFactor = 3 }},
				{where: `key % 3 = 1`, k: 7, n: 2, few: -1, probes: 2, change: func(*search.Request) {}},
				{where: `key < 0`, k: 7, n: 3, few: -1, change: func(*search.Request) {}},
			} {
				for _, workers := range []int{1, 3} {
					n := p.search(column, metric, []float32{0}, c.k, c.where)
					n.Indexes, n.Options.NProbes = segments, c.probes
					req, err := search.NewRequest(n)
					require.NoError(t, err)
					req.K, req.Few = c.k, c.few
					c.change(&req)
					env := &op.Env{Mem: newChecked(t), Workers: workers, Indexes: cache, Budget: op.NewBudget(0)}
					found, notes := searchTogether(t, env, req, prepareQueries(t, &req, vectors[:c.n], unbounded))
					require.Equal(t, c.where != `key < 0`, len(found[0].Hits) > 0, "case %d: %s", i, notes)

					// A range of its own for each query: half of its hits, none, or all.
					middle := func(i int) *float32 {
						if hits := found[i].Hits; i%3 > 0 && len(hits) > 0 {
							return &hits[len(hits)/2/(i%3)].Distance
						}
						return nil
					}
					searchTogether(t, env, req, prepareQueries(t, &req, vectors[:c.n], middle))
					require.Zero(t, env.Budget.Used())
				}
			}
		})
	}
}

// damage spoils a file of an index of a copy of a fixture, after its first bytes, and opens the copy.
func damage(t *testing.T, name, file string, keep func(size int) int) planner {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "t.lance")
	require.NoError(t, os.CopyFS(dir, os.DirFS(fixtures.Path(t, name+".lance"))))
	found, err := filepath.Glob(filepath.Join(dir, "_indices", "*", file))
	require.NoError(t, err)
	require.NotEmpty(t, found)
	data, err := os.ReadFile(found[0])
	require.NoError(t, err)
	n := keep(len(data))
	clear(data[n : len(data)-len(data)/4])
	require.NoError(t, os.Remove(found[0]))
	require.NoError(t, os.WriteFile(found[0], data, 0o600))
	return planner{t, openTable(t, dir)}
}

// A segment that cannot be opened, or turns out to be damaged while it is searched, is searched exactly for all queries. Those in other
// segments are not.
func TestManyQueriesOverDamagedSegments(t *testing.T) {
	for _, name := range []string{"vector_ivf_pq_l2", "vector_ivf_pq_delta_segments", "vector_ivf_flat_cosine", "vector_multivector_cosine"} {
		for what, keep := range map[string]func(size int) int{
			"all":  func(int) int { return 0 },
			"body": func(size int) int { return size / 8 },
		} {
			for _, file := range []string{"index.idx", "auxiliary.idx"} {
				t.Run(fmt.Sprintf("%s_%s_%s", name, what, file), func(t *testing.T) {
					p := damage(t, name, file, keep)
					column := "vec"
					if name == "vector_multivector_cosine" {
						column = "vecs"
					}
					metric := vecindex.L2
					if strings.HasSuffix(name, "cosine") {
						metric = vecindex.Cosine
					}
					vectors := p.sampleQueries(column, 5)
					for _, where := range []string{"", `key % 3 = 1`} {
						n := p.search(column, metric, []float32{0}, 6, where)
						n.Indexes, n.Options.NProbes, n.Options.RefineFactor = p.indexesOn(column), 1000, 100
						req, err := search.NewRequest(n)
						require.NoError(t, err)
						req.K, req.Few = 6, -1
						env := &op.Env{Mem: newChecked(t), Workers: 2, Budget: op.NewBudget(0)}
						queries := prepareQueries(t, &req, vectors, unbounded)
						found, notes := searchTogether(t, env, req, queries)
						if what == "body" { // which may be in a part that the search does not read, or change vectors unseen
							continue
						}
						require.Contains(t, notes, "its rows are searched exactly")
						req.Options.UseIndex = false
						exact, _ := searchTogether(t, env, req, queries)
						for i := range found {
							require.Equal(t, exact[i].Hits, found[i].Hits, notes)
						}
					}
				})
			}
		}
	}
}

// Without a search that reads the row there is nothing to find ahead.
func TestNoSearchWindows(t *testing.T) {
	p := planner{t, openFixture(t, "vector_ivf_pq_l2")}
	n := p.search("vec", vecindex.L2, make([]float32, 32), 3, "")
	oper, err := search.NewVectorSearch(n, &op.Env{Mem: newChecked(t)})
	require.NoError(t, err)
	defer oper.Close()
	require.Nil(t, search.NewWindows(&plan.LateralJoin{Right: n}, oper, op.LateralRows{}),
		"a search that does not read the row is made once a row")
}
