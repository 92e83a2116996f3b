package ivftest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/vecindex"
)

// Run checks an index of at least 100 rows against itself and the contract of vecindex.Index. It
// does not close the index.
func Run(t *testing.T, x vecindex.Index, queries [][]float32) { run(t, suite{x: x, queries: queries}) }

// RunWalking is Run for an index that walks graphs: it looks at the rows that it comes by instead of all.
func RunWalking(t *testing.T, x vecindex.Index, queries [][]float32) {
	run(t, suite{x: x, queries: queries, walks: true})
}

func run(t *testing.T, s suite) {
	t.Run("describes itself", s.describes)
	t.Run("order and prefixes", s.order)
	t.Run("workers", s.workers)
	t.Run("probes", s.probes)
	t.Run("filters", s.filters)
	t.Run("bounds", s.bounds)
	t.Run("batches", s.batches)
	t.Run("refusals", s.refusals)
	t.Run("concurrent searches", s.concurrent)
}

type suite struct {
	x       vecindex.Index
	queries [][]float32
	walks   bool
}

func (s suite) search(t testing.TB, q []float32, p vecindex.Params) vecindex.Result {
	t.Helper()
	r, err := s.x.Search(context.Background(), q, p)
	require.NoError(t, err)
	require.LessOrEqual(t, len(r.Hits), max(p.K, 0))
	require.True(t, slices.IsSortedFunc(r.Hits, vecindex.Hit.Compare), "ascending, ties by row id")
	seen := make(map[uint64]bool)
	for _, h := range r.Hits {
		require.False(t, seen[h.RowID], "row %d twice", h.RowID)
		require.False(t, math.IsNaN(float64(h.Distance)))
		seen[h.RowID] = true
	}
	return r
}

// everything returns all rows of the index by distance.
func (s suite) everything(t testing.TB, q []float32) []vecindex.Hit {
	return s.search(t, q, vecindex.Params{K: int(s.x.NumRows()) + 1, NProbes: s.x.NumPartitions()}).Hits
}

func hits(r vecindex.Result) []vecindex.Hit { return r.Hits }

func withoutIO(st vecindex.Stats) vecindex.Stats {
	st.BytesRead = 0
	return st
}

func (s suite) describes(t *testing.T) {
	require.GreaterOrEqual(t, s.x.NumRows(), int64(100))
	require.Positive(t, s.x.NumPartitions())
	require.Equal(t, len(s.queries[0]), s.x.Dim())
	require.Regexp(t, "^IVF_", s.x.Kind())
	want := float32(1)
	if s.x.Metric() == vecindex.Cosine && s.x.Approximate() {
		want = 2
	}
	require.Equal(t, want, s.x.DistanceScale())
}

func (s suite) order(t *testing.T) {
	for _, q := range s.queries {
		all := s.everything(t, q)
		require.EqualValues(t, s.x.NumRows(), len(all), "every indexed row has a distance")
		for _, k := range []int{1, 2, 10, 99} {
			got := s.search(t, q, vecindex.Params{K: k, NProbes: s.x.NumPartitions()})
			require.Equal(t, all[:k], hits(got), "k=%d is a prefix of the whole", k)
		}
		require.Empty(t, s.search(t, q, vecindex.Params{K: 0}).Hits)
		require.Empty(t, s.search(t, q, vecindex.Params{K: -1}).Hits)
	}
}

func (s suite) workers(t *testing.T) {
	filter := vecindex.FilterFunc(func(id uint64) bool { return id%3 == 0 })
	for _, q := range s.queries {
		for _, f := range []vecindex.RowFilter{nil, filter} {
			p := vecindex.Params{K: 10, NProbes: 3, Filter: f, Workers: 1}
			want := s.search(t, q, p)
			for _, n := range []int{0, 2, 8} {
				p.Workers = n
				got := s.search(t, q, p)
				require.Equal(t, want.Hits, got.Hits, "%d workers", n)
				require.Equal(t, withoutIO(want.Stats), withoutIO(got.Stats), "%d workers", n)
			}
		}
	}
}

func (s suite) probes(t *testing.T) {
	parts := s.x.NumPartitions()
	for _, q := range s.queries {
		var before vecindex.Stats
		for n := 1; n <= parts; n++ {
			r := s.search(t, q, vecindex.Params{K: 10, NProbes: n})
			require.Equal(t, n, r.Stats.PartitionsProbed)
			require.Equal(t, parts, r.Stats.PartitionsTotal)
			require.GreaterOrEqual(t, r.Stats.CodesScanned, before.CodesScanned)
			require.Zero(t, r.Stats.RowsFiltered)
			before = r.Stats
		}
		if s.walks {
			require.LessOrEqual(t, before.CodesScanned, 2*s.x.NumRows(), "a node of several levels is met on each")
		} else {
			require.Equal(t, s.x.NumRows(), before.CodesScanned, "all partitions hold all rows")
		}
		many := s.search(t, q, vecindex.Params{K: 10, NProbes: parts * 100})
		require.Equal(t, parts, many.Stats.PartitionsProbed)
		standard := s.search(t, q, vecindex.Params{K: 10})
		require.Equal(t, min(parts, vecindex.DefaultNProbes), standard.Stats.PartitionsProbed)
		capped := s.search(t, q, vecindex.Params{K: 10, NProbes: 2, MaxNProbes: 1})
		require.Equal(t, min(2, parts), capped.Stats.PartitionsProbed, "MaxNProbes does not lower NProbes")
	}
}

func (s suite) filters(t *testing.T) {
	const k = 10
	parts := s.x.NumPartitions()
	for _, q := range s.queries {
		all := s.everything(t, q)
		unfiltered := s.search(t, q, vecindex.Params{K: k, NProbes: 2})
		everyRow := s.search(t, q, vecindex.Params{K: k, NProbes: 2, Filter: vecindex.FilterFunc(func(uint64) bool { return true })})
		if unfiltered.Stats.CodesScanned >= k {
			require.Equal(t, unfiltered.Hits, everyRow.Hits)
			require.Equal(t, unfiltered.Stats.PartitionsProbed, everyRow.Stats.PartitionsProbed)
		}

		none := s.search(t, q, vecindex.Params{K: k, NProbes: 1, Filter: vecindex.FilterFunc(func(uint64) bool { return false })})
		require.Empty(t, none.Hits)
		require.Equal(t, parts, none.Stats.PartitionsProbed, "probing goes on to the end")
		require.Equal(t, s.x.NumRows(), none.Stats.RowsFiltered)
		if !s.walks {
			require.Equal(t, none.Stats.CodesScanned, none.Stats.RowsFiltered)
		}
		empty := s.search(t, q, vecindex.Params{K: k, NProbes: 1, Filter: vecindex.NewRowSet()})
		require.Equal(t, 1, empty.Stats.PartitionsProbed, "a filter that knows it is empty needs no search")
		capped := s.search(t, q, vecindex.Params{K: k, NProbes: 1, MaxNProbes: 2,
			Filter: vecindex.FilterFunc(func(uint64) bool { return false })})
		require.Equal(t, min(2, parts), capped.Stats.PartitionsProbed)

		// From dense to a few rows: k come back wherever k qualify, the right ones if all are probed.
		for _, step := range []int{2, 5, 17, len(all) / 4} {
			set := vecindex.NewRowSet()
			var want []vecindex.Hit
			for i, h := range all {
				if i%step == 1 {
					set.Add(h.RowID)
					want = append(want, h)
				}
			}
			for name, f := range map[string]vecindex.RowFilter{"set": set, "func": vecindex.FilterFunc(set.Contains)} {
				whole := s.search(t, q, vecindex.Params{K: k, NProbes: parts, Filter: f})
				require.Equal(t, want[:min(k, len(want))], whole.Hits, "%s, one of %d", name, step)
				require.EqualValues(t, len(all)-len(want), whole.Stats.RowsFiltered)
				some := s.search(t, q, vecindex.Params{K: k, NProbes: 1, Filter: f})
				require.Len(t, some.Hits, min(k, len(want)), "%s, one of %d: probing goes on until k are found", name, step)

				wide := s.search(t, q, vecindex.Params{K: k, NProbes: 2, Widen: 3, Filter: f})
				require.Len(t, wide.Hits, min(k, len(want)))
				require.GreaterOrEqual(t, wide.Stats.PartitionsProbed, min(parts, 2))
				narrow := s.search(t, q, vecindex.Params{K: k, NProbes: 2, Filter: f})
				if narrow.Stats.PartitionsProbed <= 2 {
					require.LessOrEqual(t, wide.Stats.PartitionsProbed, 6, "no further than that")
				} else {
					require.GreaterOrEqual(t, wide.Stats.PartitionsProbed, narrow.Stats.PartitionsProbed)
				}
				for _, h := range some.Hits {
					require.True(t, set.Contains(h.RowID))
				}
			}
		}
	}
}

func (s suite) bounds(t *testing.T) {
	for _, q := range s.queries {
		all := s.everything(t, q)
		lo, hi := all[len(all)/4].Distance, all[len(all)/2].Distance
		for name, c := range map[string]struct{ lo, hi *float32 }{"both": {&lo, &hi}, "lower": {&lo, nil}, "upper": {nil, &hi}} {
			var want []vecindex.Hit
			for _, h := range all {
				if (c.lo == nil || h.Distance >= *c.lo) && (c.hi == nil || h.Distance < *c.hi) {
					want = append(want, h)
				}
			}
			p := vecindex.Params{K: len(all), NProbes: s.x.NumPartitions(), LowerBound: c.lo, UpperBound: c.hi}
			require.Equal(t, want, hits(s.search(t, q, p)), name)
			p.Filter = vecindex.FilterFunc(func(uint64) bool { return true })
			require.Equal(t, want, hits(s.search(t, q, p)), name+", filtered")
			p.K = 3
			require.Equal(t, want[:min(3, len(want))], hits(s.search(t, q, p)), name+", k=3")
		}
	}
}

// batches: each query of a batch gets what it gets alone.
func (s suite) batches(t *testing.T) {
	upper := s.everything(t, s.queries[0])[s.x.NumRows()/3].Distance
	few := vecindex.NewRowSet()
	for i, h := range s.everything(t, s.queries[0]) {
		if i%29 == 3 {
			few.Add(h.RowID)
		}
	}
	queries := slices.Clone(s.queries)
	for len(queries) < 70 { // more than go together
		queries = append(queries, s.queries[len(queries)*len(queries)%len(s.queries)])
	}
	for name, p := range map[string]vecindex.Params{
		"one probe":   {K: 10, NProbes: 1},
		"standard":    {K: 10},
		"everything":  {K: int(s.x.NumRows()), NProbes: s.x.NumPartitions()},
		"none wanted": {K: 0},
		"filtered":    {K: 10, NProbes: 1, Filter: few},
		"widened":     {K: 3, NProbes: 1, Widen: 3, Filter: few},
		"bounded":     {K: 10, NProbes: 3, UpperBound: &upper, Filter: vecindex.FilterFunc(func(id uint64) bool { return id%2 == 0 })},
	} {
		for _, workers := range []int{0, 1, 3, 100} {
			p.Workers = workers
			got, err := s.x.SearchBatch(context.Background(), queries, p)
			require.NoError(t, err)
			require.Len(t, got, len(queries))
			if p.K > 10 {
				got = got[:len(s.queries)]
			}
			for i, r := range got {
				want := s.search(t, queries[i], p)
				require.Equal(t, want.Hits, r.Hits, "%s, query %d, %d workers", name, i, workers)
				require.Equal(t, withoutIO(want.Stats), withoutIO(r.Stats), "%s, query %d, %d workers", name, i, workers)
			}
		}
	}
	none, err := s.x.SearchBatch(context.Background(), nil, vecindex.Params{K: 1})
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = s.x.SearchBatch(context.Background(), [][]float32{queries[0], queries[0][1:]}, vecindex.Params{K: 1})
	require.True(t, fault.Is(err, fault.InvalidArgument))
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = s.x.SearchBatch(gone, queries, vecindex.Params{K: 1})
	require.ErrorIs(t, err, context.Canceled)
}

func (s suite) refusals(t *testing.T) {
	ctx := context.Background()
	q := slices.Clone(s.queries[0])
	_, err := s.x.Search(ctx, q[1:], vecindex.Params{K: 1})
	require.True(t, fault.Is(err, fault.InvalidArgument))
	require.ErrorContains(t, err, fmt.Sprintf("the query vector has %d dimensions, the indexed column %d", len(q)-1, len(q)))
	_, err = s.x.Search(ctx, nil, vecindex.Params{K: 1})
	require.True(t, fault.Is(err, fault.InvalidArgument))
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		q[len(q)/2] = bad
		_, err = s.x.Search(ctx, q, vecindex.Params{K: 1})
		require.True(t, fault.Is(err, fault.InvalidArgument))
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = s.x.Search(cancelled, s.queries[0], vecindex.Params{K: 1})
	require.ErrorIs(t, err, context.Canceled)

	if s.x.Metric() != vecindex.Hamming {
		zero := make([]float32, s.x.Dim())
		r := s.search(t, zero, vecindex.Params{K: 5})
		if s.x.Metric() == vecindex.Cosine {
			require.Empty(t, r.Hits, "a zero vector has no direction")
		} else {
			require.NotEmpty(t, r.Hits)
		}
	}
}

func (s suite) concurrent(t *testing.T) {
	want := make([]vecindex.Result, len(s.queries))
	for i, q := range s.queries {
		want[i] = s.search(t, q, vecindex.Params{K: 10, NProbes: 4})
	}
	done := make(chan error)
	const clients = 4
	for c := range clients {
		go func() {
			var err error
			for n := range 3 * len(s.queries) {
				i := (n + c) % len(s.queries)
				r, e := s.x.Search(context.Background(), s.queries[i], vecindex.Params{K: 10, NProbes: 4, Workers: 2})
				if e != nil {
					err = e
				} else if !slices.Equal(r.Hits, want[i].Hits) {
					err = fmt.Errorf("query %d found other rows while others searched", i)
				}
			}
			done <- err
		}()
	}
	for range clients {
		require.NoError(t, <-done)
	}
}
