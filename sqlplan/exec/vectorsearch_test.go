package exec

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/exec/scan"
	"lanceflight/sqlplan/exec/search"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/indexes"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/settings"
	"lanceflight/vecindex"
)

// search plans a vector search without index.
func (p planner) search(column string, metric vecindex.Metric, query []float32, k int, where string) *plan.VectorSearch {
	n := &plan.VectorSearch{Selection: plan.Selection{Snap: p.snap, Name: "t", Selectivity: -1}, Column: column,
		Metric: metric, K: intLiteral(int64(k)),
		Query:    vectorLiteral(query),
		Distance: outCol(2000, "_distance", arrow.PrimitiveTypes.Float32),
		RowID:    outCol(2001, "_rowid", arrow.PrimitiveTypes.Uint64),
		RowAddr:  outCol(2002, "_rowaddr", arrow.PrimitiveTypes.Uint64),
		Options:  settings.SearchOptions{UseIndex: true}}
	n.Filter, n.Read = p.filter(where)
	return n
}

func vectorLiteral(v []float32) *expr.Literal {
	return expr.NewLiteral(v, arrow.FixedSizeListOf(int32(len(v)), arrow.PrimitiveTypes.Float32))
}

// indexesOn are the segments of the vector index on a column.
func (p planner) indexesOn(column string) (out []*lancefmt.Index) {
	for _, x := range p.snap.Indexes() {
		if slices.Equal(x.Fields, []string{column}) && (strings.HasPrefix(x.Kind, "IVF") || x.Kind == "VECTOR") {
			out = append(out, x)
		}
	}
	return out
}

// hits runs a search and adds the key of each row: key, distance.
func (p planner) hits(t testing.TB, env *op.Env, n *plan.VectorSearch) ([]int64, []float64, op.Operator) {
	key := p.column("key")
	op, err := Build(&plan.Take{Input: n, Snap: p.snap, Name: "t", RowAddr: n.RowAddr.ID,
		Fetch: []plan.ScanCol{key}, Out: []plan.Col{key.Col, n.Distance}}, env)
	require.NoError(t, err)
	var keys []int64
	var distances []float64
	for _, row := range drain(t, op) {
		keys = append(keys, row[0].(int64))
		distances = append(distances, row[1].(float64))
	}
	return keys, distances, op.Inputs()[0]
}

// sameHits compares by distance, since keys at equal distances may swap.
func sameHits(t testing.TB, want expectedHits, keys []int64, distances []float64, msg string) {
	t.Helper()
	require.Len(t, distances, len(want.Distances), msg)
	for i, d := range want.Distances {
		require.InDelta(t, d, distances[i], 2e-3*max(1, math.Abs(d)), "%s, rank %d", msg, i)
		if keys[i] != want.Keys[i] {
			require.InDelta(t, d, distances[i], 1e-5*max(1, math.Abs(d)), "%s, rank %d: key %d instead of %d", msg, i, keys[i], want.Keys[i])
		}
	}
}

func recall(want, got []int64) float64 {
	n := 0
	for _, k := range got {
		if slices.Contains(want, k) {
			n++
		}
	}
	return float64(n) / float64(len(want))
}

// vectorFixtures have vectors whose exact neighbours NumPy computed.
var vectorFixtures = []string{
	"laion_v2_0", "laion_v2_1", "laion_v2_2", "laion_history", "laion_small_pages", "laion_stable_row_ids",
	"compacted", "compacted_deferred_remap",
	"vector_ivf_flat_cosine", "vector_ivf_flat_dot", "vector_ivf_flat_l2", "vector_ivf_flat_uint8_hamming",
	"vector_ivf_flat_unindexed_and_deleted",
	"vector_ivf_hnsw_flat_l2", "vector_ivf_hnsw_pq_l2", "vector_ivf_hnsw_sq_cosine", "vector_ivf_hnsw_sq_l2",
	"vector_ivf_pq_4bit_l2", "vector_ivf_pq_cosine", "vector_ivf_pq_delta_segments", "vector_ivf_pq_dot", "vector_ivf_pq_file_version_legacy",
	"vector_ivf_pq_float16", "vector_ivf_pq_float64", "vector_ivf_pq_l2", "vector_ivf_pq_unindexed_and_deleted",
	"vector_ivf_rq_cosine_4bit", "vector_ivf_rq_l2", "vector_ivf_sq_cosine", "vector_ivf_sq_l2",
}

func TestExactSearch(t *testing.T) {
	for _, name := range vectorFixtures {
		t.Run(name, func(t *testing.T) {
			p := planner{t, openFixture(t, name)}
			var want expected
			fixtures.Expected(t, name, &want)
			for _, v := range want.Vector {
				for metric, results := range v.Exact {
					m, err := vecindex.ParseMetric(metric)
					require.NoError(t, err)
					for i, hits := range results {
						for _, workers := range []int{1, 3} {
							env := &op.Env{Mem: newChecked(t), Workers: workers, Budget: op.NewBudget(0)}
							keys, distances, op := p.hits(t, env, p.search(v.Column, m, v.query(t, i), v.K, ""))
							sameHits(t, hits, keys, distances, fmt.Sprint(metric, " query ", i))
							require.Contains(t, op.Stats().Notes(), "exact")
							require.Zero(t, env.Budget.Used())
						}
					}
				}
			}
		})
	}
}

// With a WHERE, the answer is the best of the rows that qualify: exactly without an index, and with
// one whenever the survivors are few, as they are in the fixtures.
func TestFilteredSearch(t *testing.T) {
	for _, name := range vectorFixtures {
		t.Run(name, func(t *testing.T) {
			p := planner{t, openFixture(t, name)}
			var want expected
			fixtures.Expected(t, name, &want)
			for _, v := range want.Vector {
				for _, f := range v.Filtered {
					m, err := vecindex.ParseMetric(f.Metric)
					require.NoError(t, err)
					for i, r := range f.Results {
						n := p.search(v.Column, m, v.query(t, i), v.K, f.Where)
						keys, distances, _ := p.hits(t, &op.Env{Mem: newChecked(t), Workers: 2}, n)
						if !slices.Equal(r.Exact, keys) { // keys at equal distances may swap
							require.ElementsMatch(t, r.Exact, keys, f.Where)
							for i, k := range keys {
								require.InDelta(t, distances[i], distances[slices.Index(r.Exact, k)], 1e-6)
							}
						}
						n.Indexes = p.indexesOn(v.Column)
						indexed, same, op := p.hits(t, &op.Env{Mem: newChecked(t), Workers: 2}, n)
						require.Equal(t, keys, indexed, op.Stats().Notes())
						require.InDeltaSlice(t, distances, same, 1e-5)
					}
				}
			}
		})
	}
}

// Forced through the index, a filter must not lose rows either, and refined distances are exact.
func TestIndexWithRowFilter(t *testing.T) {
	for _, name := range vectorFixtures {
		t.Run(name, func(t *testing.T) {
			p := planner{t, openFixture(t, name)}
			var want expected
			fixtures.Expected(t, name, &want)
			for _, v := range want.Vector {
				segments := p.indexesOn(v.Column)
				if len(segments) == 0 {
					continue
				}
				cache := indexes.New(indexes.Options{})
				defer cache.Close()
				for _, f := range v.Filtered {
					m, err := vecindex.ParseMetric(f.Metric)
					require.NoError(t, err)
					var found float64
					for i, r := range f.Results {
						n := p.search(v.Column, m, v.query(t, i), v.K, f.Where)
						n.Indexes, n.Options.NProbes, n.Options.RefineFactor = segments, 8, 10
						env := &op.Env{Mem: newChecked(t), Workers: 2, Indexes: cache, Budget: op.NewBudget(0)}
						op, err := search.NewVectorSearch(n, env)
						require.NoError(t, err)
						s := op.(*search.VectorSearchOp)
						s.Request.Few = -1
						rows := drain(t, s)
						require.Len(t, rows, len(r.Exact), "k rows come back whenever k rows qualify: %s", f.Where)
						require.Zero(t, env.Budget.Used())
						keys := p.keysAt(rows)
						found += recall(r.Exact, keys)
					}
					require.Greater(t, found/float64(len(f.Results)), 0.6, f.Where)
				}
			}
		})
	}
}

// keysAt looks up the keys of rows that a search returned.
func (p planner) keysAt(rows [][]any) (keys []int64) {
	if len(rows) == 0 {
		return nil
	}
	addrs := make([]uint64, len(rows))
	for i, r := range rows {
		addrs[i] = uint64(r[0].(int64))
	}
	env := &op.Env{Mem: newChecked(p.t)}
	b, err := scan.NewFetcher(env, p.snap, &op.OpStats{}).Rows(context.Background(), addrs, lancefmt.Columns("key"))
	require.NoError(p.t, err)
	defer b.Release()
	for i := range addrs {
		keys = append(keys, goValue(b.Column(0), i).(int64))
	}
	return keys
}

// With the index, recall must not be below pylance's by more than chance.
func TestIndexRecall(t *testing.T) {
	for _, name := range vectorFixtures {
		t.Run(name, func(t *testing.T) {
			p := planner{t, openFixture(t, name)}
			var want expected
			fixtures.Expected(t, name, &want)
			for _, v := range want.Vector {
				segments := p.indexesOn(v.Column)
				cache := indexes.New(indexes.Options{})
				defer cache.Close()
				for _, a := range v.ANN {
					if a.Settings.Where != "" {
						continue // see TestFilteredSearch
					}
					m, err := vecindex.ParseMetric(a.IndexMetric)
					require.NoError(t, err)
					var found float64
					for i, exact := range v.Exact[a.IndexMetric] {
						n := p.search(v.Column, m, v.query(t, i), v.K, "")
						n.Indexes = segments
						n.Options.NProbes, n.Options.RefineFactor = a.Settings.NProbes, a.Settings.RefineFactor
						env := &op.Env{Mem: newChecked(t), Workers: 2, Indexes: cache}
						keys, distances, op := p.hits(t, env, n)
						require.Len(t, keys, v.K)
						require.True(t, slices.IsSorted(distances))
						found += recall(exact.Keys, keys)
						if a.Settings.RefineFactor > 0 {
							requireExact(t, v, m, exact, keys, distances)
						}
						require.NotEmpty(t, op.Stats().Notes())
					}
					require.GreaterOrEqual(t, found/float64(len(v.Queries)), a.MeanRecall-0.06, "%+v", a.Settings)
				}
			}
		})
	}
}

// requireExact checks that the distance of a row that is among the exact neighbours is its true one.
func requireExact(t testing.TB, v expectedVector, m vecindex.Metric, exact expectedHits, keys []int64, distances []float64) {
	for i, k := range keys {
		if j := slices.Index(exact.Keys, k); j >= 0 {
			require.InDelta(t, exact.Distances[j], distances[i], 2e-3*max(1, math.Abs(exact.Distances[j])))
		}
	}
}

// Without refining, distances are estimates, but on the metric's own scale.
func TestEstimatesOfACosineIndexAreOnScale(t *testing.T) {
	for _, name := range []string{"vector_ivf_pq_cosine", "vector_ivf_sq_cosine"} {
		p := planner{t, openFixture(t, name)}
		var want expected
		fixtures.Expected(t, name, &want)
		v := want.Vector[0]
		n := p.search(v.Column, vecindex.Cosine, v.query(t, 0), v.K, "")
		n.Indexes, n.Options.NProbes = p.indexesOn(v.Column), 1024
		_, distances, op := p.hits(t, &op.Env{Mem: newChecked(t)}, n)
		for i, d := range v.Exact["cosine"][0].Distances {
			require.InDelta(t, d, distances[i], 0.12)
		}
		require.Contains(t, op.Stats().Notes(), "approximate")
	}
}

func TestSearchFindsMoreThanTheProbedPartitionsHave(t *testing.T) {
	p := planner{t, openFixture(t, "vector_ivf_pq_l2")}
	var want expected
	fixtures.Expected(t, "vector_ivf_pq_l2", &want)
	v := want.Vector[0]
	rows := int(p.snap.NumRows())
	for _, k := range []int{1, rows / 2, rows, 100_000} {
		exact, _, _ := p.hits(t, &op.Env{Mem: newChecked(t)}, p.search(v.Column, vecindex.L2, v.query(t, 0), k, ""))
		n := p.search(v.Column, vecindex.L2, v.query(t, 0), k, "")
		n.Indexes, n.Options.NProbes = p.indexesOn(v.Column), 1
		keys, _, _ := p.hits(t, &op.Env{Mem: newChecked(t)}, n)
		require.Len(t, keys, len(exact))
		if k >= rows {
			require.ElementsMatch(t, exact, keys)
		}
	}
}

func TestRangeSearch(t *testing.T) {
	p := planner{t, openFixture(t, "vector_ivf_pq_l2")}
	var want expected
	fixtures.Expected(t, "vector_ivf_pq_l2", &want)
	v := want.Vector[0]
	all, distances, _ := p.hits(t, &op.Env{Mem: newChecked(t)}, p.search(v.Column, vecindex.L2, v.query(t, 0), 1000, ""))
	for _, indexed := range []bool{false, true} {
		for _, exclusive := range []bool{false, true} {
			n := p.search(v.Column, vecindex.L2, v.query(t, 0), 1000, "")
			n.Within, n.WithinExclusive = expr.NewLiteral(distances[20], arrow.PrimitiveTypes.Float64), exclusive
			if indexed {
				n.Indexes, n.Options.NProbes, n.Options.RefineFactor = p.indexesOn(v.Column), 1024, 10
			}
			keys, _, _ := p.hits(t, &op.Env{Mem: newChecked(t)}, n)
			limit := 21
			if exclusive {
				limit = 20
			}
			require.Equal(t, all[:limit], keys)
		}
	}
}

func TestUpperBound(t *testing.T) {
	for _, w := range []float64{0, 1, 0.1, 1e-50, -1e-50, math.Pi, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.MaxFloat32, -3} {
		for _, exclusive := range []bool{false, true} {
			u := search.UpperBound(w, exclusive)
			for _, near := range []float32{u, math.Nextafter32(u, float32(inf)), math.Nextafter32(u, float32(-inf)), float32(w), 0} {
				if float64(near) > math.MaxFloat32 {
					continue // no distance is infinite
				}
				want := float64(near) <= w
				if exclusive {
					want = float64(near) < w
				}
				require.Equal(t, want, near < u, "%v in %v, exclusive %v", near, w, exclusive)
			}
		}
	}
}

func TestBadQueries(t *testing.T) {
	p := planner{t, openFixture(t, "vector_ivf_pq_l2")}
	good := make([]float32, 32)
	for _, c := range []struct {
		query expr.Expr
		text  string
	}{
		{vectorLiteral(make([]float32, 31)), "31"},
		{vectorLiteral(append(make([]float32, 31), float32(nan))), "NaN"},
		{vectorLiteral(append(make([]float32, 31), float32(inf))), "Inf"},
		{&expr.Literal{T: arrow.FixedSizeListOf(32, arrow.PrimitiveTypes.Float32)}, "the query vector is NULL"},
		{&expr.Param{Slot: 0, T: arrow.FixedSizeListOf(32, arrow.PrimitiveTypes.Float32)}, "subquery"},
	} {
		n := p.search("vec", vecindex.L2, good, 10, "")
		n.Query = c.query
		env := &op.Env{Mem: newChecked(t), Params: []expr.Literal{{T: c.query.Type()}}}
		op, err := Build(n, env)
		require.NoError(t, err)
		_, err = tryDrain(t, op)
		require.True(t, fault.Is(err, fault.InvalidArgument), "%v", err)
		require.ErrorContains(t, err, c.text)
	}
	n := p.search("key", vecindex.L2, good, 10, "")
	_, err := Build(n, &op.Env{})
	require.True(t, fault.Is(err, fault.Unsupported))
	require.ErrorContains(t, err, "int64")
	n = p.search("vec", vecindex.L2, good, 0, "")
	op, err := Build(n, &op.Env{Mem: newChecked(t)})
	require.NoError(t, err)
	require.Empty(t, drain(t, op))
}

// Whatever is wrong with an index, the answer is that of exact search, and a note says why.
func TestDamagedIndexFallsBack(t *testing.T) {
	const name = "vector_ivf_pq_l2"
	var want expected
	fixtures.Expected(t, name, &want)
	v := want.Vector[0]
	for what, spoil := range map[string]func(data []byte) []byte{
		"truncated": func(d []byte) []byte { return d[:len(d)/2] },
		"empty":     func([]byte) []byte { return nil },
		"zeroed":    func(d []byte) []byte { return make([]byte, len(d)) },
	} {
		for _, file := range []string{"index.idx", "auxiliary.idx"} {
			dir := filepath.Join(t.TempDir(), "t.lance")
			require.NoError(t, os.CopyFS(dir, os.DirFS(fixtures.Path(t, name+".lance"))))
			found, err := filepath.Glob(filepath.Join(dir, "_indices", "*", file))
			require.NoError(t, err)
			require.Len(t, found, 1)
			data, err := os.ReadFile(found[0])
			require.NoError(t, err)
			require.NoError(t, os.Remove(found[0]))
			require.NoError(t, os.WriteFile(found[0], spoil(data), 0o600))
			p := planner{t, openTable(t, dir)}
			n := p.search(v.Column, vecindex.L2, v.query(t, 0), v.K, "")
			n.Indexes, n.Options.NProbes = p.indexesOn(v.Column), 4
			keys, distances, op := p.hits(t, &op.Env{Mem: newChecked(t)}, n)
			sameHits(t, v.Exact["l2"][0], keys, distances, what)
			require.Contains(t, strings.Join(op.Stats().Notes(), "\n"), "searched exactly", what+" "+file)
		}
	}
}

func TestSearchOptions(t *testing.T) {
	p := planner{t, openFixture(t, "vector_ivf_pq_unindexed_and_deleted")}
	var want expected
	fixtures.Expected(t, "vector_ivf_pq_unindexed_and_deleted", &want)
	v := want.Vector[0]
	search := func(change func(n *plan.VectorSearch)) ([]int64, op.Operator) {
		n := p.search(v.Column, vecindex.L2, v.query(t, 0), 2000, "")
		n.Indexes, n.Options.NProbes, n.Options.RefineFactor = p.indexesOn(v.Column), 1024, 1
		change(n)
		keys, _, op := p.hits(t, &op.Env{Mem: newChecked(t)}, n)
		return keys, op
	}
	exact, op := search(func(n *plan.VectorSearch) { n.Options.UseIndex = false })
	require.Zero(t, op.Stats().PartitionsN.Load())
	all, op := search(func(*plan.VectorSearch) {})
	require.Equal(t, exact, all, "every live row is found, and no deleted one")
	require.Positive(t, op.Stats().PartitionsN.Load())
	require.Positive(t, op.Stats().Codes.Load())
	require.Positive(t, op.Stats().Refined.Load())
	fast, _ := search(func(n *plan.VectorSearch) { n.Options.FastSearch = true })
	require.Less(t, len(fast), len(all))
	require.Subset(t, all, fast)
	wrong, op := search(func(n *plan.VectorSearch) { n.Metric = vecindex.Dot })
	require.Len(t, wrong, len(all))
	require.Contains(t, strings.Join(op.Stats().Notes(), "\n"), "it is for metric l2, not dot")
}

func TestSearchIsCancelled(t *testing.T) {
	p := planner{t, openFixture(t, "laion_v2_2")}
	var want expected
	fixtures.Expected(t, "laion_v2_2", &want)
	v := want.Vector[0]
	for _, indexed := range []bool{false, true} {
		n := p.search(v.Column, vecindex.L2, v.query(t, 0), 10, `width > 10`)
		if indexed {
			n.Indexes = p.indexesOn(v.Column)
		}
		env := &op.Env{Mem: newChecked(t), Budget: op.NewBudget(0)}
		op, err := Build(n, env)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		require.NoError(t, op.Open(ctx))
		cancel()
		_, err = op.Next(ctx)
		require.True(t, fault.Is(err, fault.Cancelled), "%v", err)
		require.NoError(t, op.Close())
		require.Zero(t, env.Budget.Used())
	}
}

func TestIndexCache(t *testing.T) {
	p := planner{t, openFixture(t, "vector_ivf_pq_l2")}
	q := planner{t, openFixture(t, "vector_ivf_pq_cosine")}
	ctx := context.Background()
	cache := indexes.New(indexes.Options{Bytes: 4}) // room for nothing but the latest
	defer cache.Close()
	a, releaseA, err := cache.Open(ctx, p.snap, p.indexesOn("vec")[0])
	require.NoError(t, err)
	m, err := cache.Metric(ctx, q.snap, q.indexesOn("vec")[0])
	require.NoError(t, err)
	require.Equal(t, vecindex.Cosine, m)
	// The first index was evicted while in use: it still works.
	_, err = a.Search(ctx, make([]float32, 32), vecindex.Params{K: 1})
	require.NoError(t, err)
	releaseA()
	releaseA()
	b, releaseB, err := cache.Open(ctx, q.snap, q.indexesOn("vec")[0])
	require.NoError(t, err)
	c, releaseC, err := cache.Open(ctx, q.snap, q.indexesOn("vec")[0])
	require.NoError(t, err)
	require.Same(t, b, c)
	releaseB()
	releaseC()
	bad := *q.indexesOn("vec")[0]
	bad.Err = fault.New(fault.PermissionDenied, "elsewhere")
	_, _, err = cache.Open(ctx, q.snap, &bad)
	require.True(t, fault.Is(err, fault.PermissionDenied))
}
