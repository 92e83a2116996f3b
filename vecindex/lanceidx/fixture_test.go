package lanceidx_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
	"lanceflight/vecindex"
	"lanceflight/vecindex/lanceidx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// expected is what pylance said about the vectors of a table.
type expected struct {
	Vector []vectorAnswers `json:"vector"`
}

type vectorAnswers struct {
	Column  string `json:"column"`
	K       int    `json:"k"`
	Queries []struct {
		Vector string `json:"vector"`
	} `json:"queries"`
	Exact    map[string][]answer `json:"exact"`
	Flat     map[string][]answer `json:"flat"`
	Filtered []struct {
		Where   string `json:"where"`
		Metric  string `json:"metric"`
		Results []struct {
			Exact []int64 `json:"exact"`
		} `json:"results"`
	} `json:"filtered"`
	ANN []struct {
		Settings    settings `json:"settings"`
		IndexMetric string   `json:"index_metric"`
		MeanRecall  float64  `json:"mean_recall"`
		Results     []answer `json:"results"`
	} `json:"ann"`
}

type settings struct {
	NProbes   int    `json:"nprobes"`
	Refine    int    `json:"refine_factor"`
	EF        int    `json:"ef"`
	Where     string `json:"where"`
	Prefilter *bool  `json:"prefilter"`
}

type answer struct {
	Keys      []int64   `json:"keys"`
	Distances []float64 `json:"distances"`
}

func (v vectorAnswers) query(t testing.TB, i int) []float32 {
	raw, err := base64.StdEncoding.DecodeString(v.Queries[i].Vector)
	require.NoError(t, err)
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
}

// tableRows is a fixture's table in memory, and its indices: enough to play the executor.
type tableRows struct {
	refined  int // candidates whose distance ann has computed from the vector, so far
	store    storage.Store
	mem      memory.Allocator
	indices  []vecindex.Index
	keys     map[uint64]int64
	rows     map[uint64]rowRef
	live     *vecindex.RowSet // rows that are not deleted
	batches  []arrow.RecordBatch
	fallback []int // batches of fragments that no segment covers
}

type rowRef struct{ batch, row int }

var filterColumns = []string{"NSFW", "similarity", "width"}

// openTable reads the latest version of a fixture and opens the segments of the index on column.
func openTable(t testing.TB, name, column string, cache *lanceidx.Cache) *tableRows {
	t.Helper()
	ctx := context.Background()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	tbl, err := lancefmt.Open(ctx, fixtures.Path(t, name+".lance"), lancefmt.Options{})
	require.NoError(t, err)
	snap, err := tbl.Snapshot(ctx, lancefmt.Ref{})
	require.NoError(t, err)
	r := &tableRows{store: tbl.Store(), mem: mem, keys: map[uint64]int64{}, rows: map[uint64]rowRef{}, live: vecindex.NewRowSet()}
	t.Cleanup(func() {
		for _, x := range r.indices {
			require.NoError(t, x.Close())
		}
		for _, b := range r.batches {
			b.Release()
		}
		require.NoError(t, tbl.Close())
		mem.AssertSize(t, 0)
	})
	var segments []*lancefmt.Index
	for _, x := range snap.Indexes() {
		if slices.Equal(x.Fields, []string{column}) && strings.HasPrefix(x.Kind, "IVF") {
			segments = append(segments, x)
		}
	}
	for _, x := range segments {
		index, err := lanceidx.OpenWith(ctx, tbl.Store(), x.Dir(), lanceidx.Options{Mem: mem, Cache: cache})
		require.NoError(t, err)
		r.indices = append(r.indices, index)
	}
	columns := append([]string{lancefmt.RowIDColumn, "key", column}, filterColumns...)
	for _, f := range snap.Fragments() {
		batch, err := f.Read(ctx, lancefmt.Columns(columns...), []encoding.Range{{Start: 0, End: f.NumPhysicalRows()}}, mem)
		require.NoError(t, err)
		r.batches = append(r.batches, batch)
		deleted, err := f.Deleted(ctx)
		require.NoError(t, err)
		covered := slices.ContainsFunc(segments, func(x *lancefmt.Index) bool { return x.Fragments.Contains(f.ID()) })
		if !covered {
			r.fallback = append(r.fallback, len(r.batches)-1)
		}
		ids := batch.Column(0).(*array.Uint64).Uint64Values()
		keys := batch.Column(1).(*array.Int64).Int64Values()
		for i, id := range ids {
			r.keys[id], r.rows[id] = keys[i], rowRef{len(r.batches) - 1, i}
			if deleted == nil || !deleted.Contains(uint32(i)) {
				r.live.Add(id)
			}
		}
	}
	return r
}

var condition = regexp.MustCompile(`^"?(\w+)"? (=|>=|>) ([0-9.]+)$`)

// where evaluates "a" = 1 AND b > 2 AND … on live rows.
func (r *tableRows) where(t testing.TB, text string) *vecindex.RowSet {
	if text == "" {
		return r.live
	}
	out := vecindex.NewRowSet()
	for id, at := range r.rows {
		keep := r.live.Contains(id)
		for _, c := range strings.Split(text, " AND ") {
			m := condition.FindStringSubmatch(c)
			require.NotNil(t, m, "condition %q", c)
			want, err := strconv.ParseFloat(m[3], 64)
			require.NoError(t, err)
			col := r.batches[at.batch].Column(3 + slices.Index(filterColumns, m[1]))
			if col.IsNull(at.row) {
				keep = false
				continue
			}
			var v float64
			switch col := col.(type) {
			case *array.Int64:
				v = float64(col.Value(at.row))
			case *array.Float64:
				v = col.Value(at.row)
			}
			keep = keep && map[string]bool{"=": v == want, ">": v > want, ">=": v >= want}[m[2]]
		}
		if keep {
			out.Add(id)
		}
	}
	return out
}

// vectors gathers the vectors of rows, one row at a time as an executor's take would return them.
func (r *tableRows) rank(t testing.TB, q []float32, k int, ids []uint64) []vecindex.Hit {
	query, err := vecindex.NewQuery(r.indices[0].Metric(), q)
	require.NoError(t, err)
	e := vecindex.NewExact(query, k)
	for _, id := range ids {
		at := r.rows[id]
		one := array.NewSlice(r.batches[at.batch].Column(2), int64(at.row), int64(at.row+1))
		require.NoError(t, e.Add(one, []uint64{id}))
		one.Release()
	}
	return e.Hits()
}

// exact ranks all rows of filter.
func (r *tableRows) exact(t testing.TB, m vecindex.Metric, q []float32, k int, filter *vecindex.RowSet) []vecindex.Hit {
	query, err := vecindex.NewQuery(m, q)
	require.NoError(t, err)
	e := vecindex.NewExact(query, len(r.rows))
	for _, b := range r.batches {
		require.NoError(t, e.Add(b.Column(2), b.Column(0).(*array.Uint64).Uint64Values()))
	}
	hits := slices.DeleteFunc(e.Hits(), func(h vecindex.Hit) bool { return !filter.Contains(h.RowID) })
	return hits[:min(k, len(hits))]
}

// ann plays the executor: search every segment, refine, add the rows that no segment covers.
func (r *tableRows) ann(t testing.TB, q []float32, k int, s settings) ([]vecindex.Hit, vecindex.Stats) {
	filter := r.where(t, s.Where)
	pre := s.Prefilter == nil || *s.Prefilter
	if !pre {
		filter = r.live
	}
	// pylance takes nprobes as minimum and maximum.
	p := vecindex.Params{K: k * max(1, s.Refine), NProbes: s.NProbes, MaxNProbes: s.NProbes, Filter: filter}
	var lists [][]vecindex.Hit
	var stats vecindex.Stats
	for _, x := range r.indices {
		res, err := x.Search(context.Background(), q, p)
		require.NoError(t, err)
		lists = append(lists, res.Hits)
		stats.Add(res.Stats)
	}
	hits := vecindex.MergeHits(p.K, lists...)
	if s.Refine > 0 || len(r.fallback) > 0 {
		var ids []uint64
		for _, h := range hits {
			ids = append(ids, h.RowID)
		}
		if s.Refine == 0 {
			ids = ids[:min(k, len(ids))]
		}
		if s.Refine > 0 {
			r.refined += len(ids)
		}
		for _, b := range r.fallback {
			for _, id := range r.batches[b].Column(0).(*array.Uint64).Uint64Values() {
				if filter.Contains(id) {
					ids = append(ids, id)
				}
			}
		}
		hits = r.rank(t, q, k, ids)
	}
	if !pre {
		passing := r.where(t, s.Where)
		hits = slices.DeleteFunc(hits, func(h vecindex.Hit) bool { return !passing.Contains(h.RowID) })
	}
	return hits, stats
}

func (r *tableRows) keysOf(hits []vecindex.Hit) []int64 {
	out := make([]int64, len(hits))
	for i, h := range hits {
		out[i] = r.keys[h.RowID]
	}
	return out
}

// requireAnswer compares with pylance: the same distances in order, and the same keys, except that keys
// at equal distances may swap and, at the last distance, differ.
func (r *tableRows) requireAnswer(t testing.TB, want answer, hits []vecindex.Hit, relative float64) {
	t.Helper()
	require.Len(t, hits, len(want.Keys))
	if len(hits) == 0 {
		return
	}
	if want.Distances == nil {
		require.ElementsMatch(t, want.Keys, r.keysOf(hits))
		return
	}
	absolute := 1e-6
	if relative > tolerance {
		absolute = relative // 1 − dot cancels digits that rounding the query has spoiled
	}
	near := func(a, b float64) bool { return math.Abs(a-b) <= relative*max(math.Abs(a), math.Abs(b))+absolute }
	last := want.Distances[len(want.Distances)-1]
	for i, h := range hits {
		require.True(t, near(want.Distances[i], float64(h.Distance)), "hit %d: pylance %v, here %v", i, want.Distances[i], h.Distance)
		key := r.keys[h.RowID]
		if at := slices.Index(want.Keys, key); at >= 0 {
			require.True(t, near(want.Distances[at], float64(h.Distance)), "key %d: pylance %v, here %v", key,
				want.Distances[at], h.Distance)
		} else {
			require.True(t, near(last, float64(h.Distance)), "key %d at %v is not among pylance's %v", key, h.Distance, want)
		}
	}
}

// requireNoWorse is requireAnswer, except that there may be one row among ten that pylance missed, instead of its last ones.
func (r *tableRows) requireNoWorse(t testing.TB, want answer, hits []vecindex.Hit, relative float64) {
	t.Helper()
	require.Len(t, hits, len(want.Keys))
	near := func(a, b float64) bool { return math.Abs(a-b) <= relative*max(math.Abs(a), math.Abs(b))+1e-6 }
	missed := 0
	for _, h := range hits {
		key, d := r.keys[h.RowID], float64(h.Distance)
		if at := slices.Index(want.Keys, key); at >= 0 {
			require.True(t, near(want.Distances[at], d), "key %d: pylance %v, here %v", key, want.Distances[at], d)
			continue
		}
		missed++
		last := want.Distances[len(want.Distances)-1]
		require.True(t, d < last || near(d, last), "key %d at %v is not among pylance's %v", key, d, want)
	}
	require.LessOrEqual(t, missed, 1+len(hits)/10)
}

func recall(want []int64, got []int64) float64 {
	n := 0
	for _, k := range got {
		if slices.Contains(want, k) {
			n++
		}
	}
	return float64(n) / float64(max(1, len(want)))
}
