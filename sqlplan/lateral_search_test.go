package sqlplan_test

import (
	"context"
	"fmt"
	"math/rand"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
)

// Each row of a batch gets the rows and distances that a statement of its own gets, to the bit: every kind of
// index, exact search, filters of all selectivities, ranges, offsets, rows outside of the index, and more
// rows than are searched for together.
func TestLateralSearchIsSearch(t *testing.T) {
	all, err := filepath.Glob(filepath.Join(filepath.Dir(fixtures.Path(t, "vector_ivf_pq_l2.lance")), "vector_ivf_*.lance"))
	require.NoError(t, err)
	require.Greater(t, len(all), 15)
	knobs := []map[string]string{
		nil,
		{"lance.nprobes": "1"},
		{"lance.refine_factor": "0"},
		{"lance.nprobes": "3", "lance.refine_factor": "2", "lance.ef": "40"},
		{"lance.fast_search": "true"},
		{"lance.use_index": "false"},
		{"lance.nprobes": "2", "lance.max_nprobes": "3"},
	}
	filters := []string{"", "WHERE width > 0", "WHERE key % 3 = 1", "WHERE key % 97 = 5", "WHERE key < 2", "WHERE key < 0"}
	trials := 4
	if testing.Short() {
		trials = 2
	}
	for n, path := range all {
		name := strings.TrimSuffix(filepath.Base(path), ".lance")
		if strings.Contains(name, "hamming") {
			continue // no operator for it
		}
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, map[string]string{"t": name})
			r := rand.New(rand.NewSource(int64(n)))
			for range trials {
				op := []string{"<->", "<=>", "<#>"}[r.Intn(3)]
				filter := filters[r.Intn(len(filters))]
				tail := fmt.Sprintf("LIMIT %d OFFSET %d", 1+r.Intn(20), r.Intn(3)*r.Intn(5))
				switch r.Intn(8) {
				case 0:
					tail = "LIMIT 0"
				case 1:
					tail = "LIMIT 1000"
				}
				s := sqlplan.Session{Settings: knobs[r.Intn(len(knobs))]}
				outer := fmt.Sprintf("vec IS NOT NULL AND key %% %d = 0", []int{2, 7, 50, 200}[r.Intn(4)])
				bound := ""
				if op == "<->" && r.Intn(3) == 0 {
					bound = "vec <-> %s < 1.1"
				}
				search := func(vector string) string {
					where := filter
					if bound != "" {
						if where == "" {
							where = "WHERE "
						} else {
							where += " AND "
						}
						where += fmt.Sprintf(bound, vector)
					}
					return fmt.Sprintf("SELECT key, vec %s %s AS d FROM t %s ORDER BY d %s", op, vector, where, tail)
				}
				_, rows, err := e.rows(t,
					fmt.Sprintf("SELECT q.key, u.key, u.d FROM (SELECT key, vec FROM t WHERE %s) q LEFT JOIN LATERAL (%s) u ON TRUE",
						outer, search("q.vec")), s)
				require.NoError(t, err)
				got := map[float64][][]any{}
				var keys []float64
				for _, row := range rows {
					k := asFloat(t, row[0])
					if _, ok := got[k]; !ok {
						keys = append(keys, k)
						got[k] = [][]any{}
					}
					if row[1] != nil {
						got[k] = append(got[k], row[1:])
					}
				}
				_, outerRows, err := e.rows(t, "SELECT count(*) FROM t WHERE "+outer, sqlplan.Session{})
				require.NoError(t, err)
				require.Len(t, keys, int(asFloat(t, outerRows[0][0])), "LEFT keeps every row")
				for i := 0; i < len(keys); i += 1 + len(keys)/6 {
					alone := fmt.Sprintf("SELECT u.key, u.d FROM (SELECT * FROM t WHERE key = %v) q CROSS JOIN LATERAL (%s) u", keys[i], search("q.vec"))
					_, want, err := e.rows(t, alone, s)
					require.NoError(t, err)
					if want == nil {
						want = [][]any{}
					}
					require.Equal(t, want, got[keys[i]], "%s under %v", alone, s.Settings)
				}
			}
		})
	}
}

// A row whose vector is wrong fails as it does alone, and only if it is asked for.
func TestLateralSearchErrors(t *testing.T) {
	e := newEngine(t, map[string]string{"t": "vector_ivf_pq_l2"})
	sql := `SELECT q.k, u.key FROM (SELECT key AS k, CASE WHEN key = 7 THEN NULL ELSE vec END AS v FROM t WHERE key < 20) q
		CROSS JOIN LATERAL (SELECT key FROM t ORDER BY vec <-> q.v LIMIT 2) u LIMIT %d`
	_, _, err := e.rows(t, fmt.Sprintf(sql, 1000), sqlplan.Session{})
	require.Equal(t, fault.InvalidArgument, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "the query vector is NULL")
}

// EXPLAIN says whether the searches go together, and EXPLAIN ANALYZE how many did.
func TestLateralSearchExplain(t *testing.T) {
	e := newEngine(t, map[string]string{"t": "vector_ivf_pq_l2"})
	for tail, want := range map[string]string{
		"WHERE key > 10 ORDER BY vec <-> q.vec LIMIT 2":                     `vector_search=batched`,
		"WHERE vec <-> q.vec < q.similarity ORDER BY vec <-> q.vec LIMIT 2": `vector_search=batched`,
		"WHERE key > q.key ORDER BY vec <-> q.vec LIMIT 2":                  `vector_search=row by row: its filter reads the row`,
		"ORDER BY vec <-> (SELECT vec FROM t WHERE key = q.key) LIMIT 2": `vector_search=row by row: ` +
			`it reads a subquery of the row`,
		"WHERE key > (SELECT min(key) FROM t) ORDER BY vec <-> q.vec LIMIT 3 OFFSET 300": `vector_search=batched`,
	} {
		_, rows, err := e.rows(t, "EXPLAIN SELECT q.key, u.key FROM t q CROSS JOIN LATERAL (SELECT key FROM t "+tail+") u", sqlplan.Session{})
		require.NoError(t, err)
		require.Contains(t, rows[0][1], want, tail)
	}
	_, rows, err := e.rows(t, `EXPLAIN ANALYZE SELECT q.key, u.key FROM (SELECT key, vec FROM t WHERE key < 40 AND vec IS NOT NULL) q
		CROSS JOIN LATERAL (SELECT key FROM t ORDER BY vec <-> q.vec LIMIT 2) u`, sqlplan.Session{})
	require.NoError(t, err)
	require.Regexp(t, `ANNSubIndex: .*queries=\d+ in 1 batches.*codes_scanned=\d+.*rows_refined=\d+`, rows[0][1])
}

// A batch that is cancelled ends, and one that does not fit the statement's memory goes in parts.
func TestLateralSearchBounds(t *testing.T) {
	e := newEngine(t, map[string]string{"t": "vector_ivf_pq_l2"})
	sql := `SELECT count(*), sum(u.key) FROM t q 
		CROSS JOIN LATERAL (SELECT key FROM t ORDER BY vec <-> q.vec LIMIT 100) u WHERE q.vec IS NOT NULL`
	_, want, err := e.rows(t, sql, sqlplan.Session{})
	require.NoError(t, err)
	_, got, err := e.rows(t, sql, sqlplan.Session{Settings: map[string]string{"lance.memory_limit": "4194304"}})
	require.NoError(t, err)
	require.Equal(t, want, got)

	p, err := e.Prepare(context.Background(), sqlplan.Session{}, sql, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := p.Execute(ctx, sqlplan.ExecOptions{})
	require.NoError(t, err)
	cancel()
	_, err = stream.Next(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, stream.Close())
}

// EXPLAIN (ANALYZE, VERBOSE) measures the recall of searches under LATERAL as it does that of one search:
// with the same knobs, filter and range, in a batch or row by row.
func TestLateralSearchRecall(t *testing.T) {
	e := newEngine(t, map[string]string{"t": "vector_ivf_pq_l2"})
	_, vector, err := e.rows(t, "SELECT vec FROM t WHERE key = 5", sqlplan.Session{})
	require.NoError(t, err)
	one := "'" + jsonOf(t, vector[0][0]) + "'"
	for _, c := range []struct{ where, tail, options string }{
		{"", "LIMIT 10", "nprobes=1"},
		{"", "LIMIT 10", "nprobes=1, refine_factor=0"},
		{"WHERE key <> 7", "LIMIT 10", "nprobes=1, max_nprobes=1, refine_factor=1"},
		{"WHERE vec <-> $ < 0.9", "LIMIT 20 OFFSET 1", "nprobes=1, refine_factor=1"},
		{"", "LIMIT 10", "min_recall=0.8"},
		{"", "LIMIT 10", "use_index=false"},
	} {
		search := func(vector string) string {
			return fmt.Sprintf("SELECT key FROM t %s ORDER BY l2_distance(vec, %s, '%s') %s",
				strings.ReplaceAll(c.where, "$", vector), vector, c.options, c.tail)
		}
		want, _ := recallEstimate(t, e, search(one), sqlplan.Session{})
		for _, outer := range []string{"key < 6", "key = 5"} { // several rows, then one
			sql := fmt.Sprintf("SELECT u.key FROM (SELECT key, vec FROM t WHERE %s) q CROSS JOIN LATERAL (%s) u", outer, search("q.vec"))
			got, _ := recallEstimate(t, e, sql, sqlplan.Session{})
			require.Equal(t, want, got, sql)
		}
		if c.where == "" && !strings.Contains(c.options, "use_index") {
			require.Less(t, want, 1.0, c)
		}
	}
	text := explainText(t, e, sqlplan.Session{},
		"(ANALYZE, VERBOSE) SELECT u.key FROM (SELECT key, vec FROM t WHERE key < 0) q CROSS JOIN LATERAL ("+
			"SELECT key FROM t ORDER BY vec <-> q.vec LIMIT 3) u")
	require.Contains(t, text, "recall_estimate=not measured: nothing was asked")
}
