package sqlplan_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
)

// A filtered search returns min(k, rows that pass) rows, all of which pass, nearest first, whatever share of the rows passes and whether an
// index knows them; and it finds nearly what exact search finds.
func TestFilteredSearchAgainstPylance(t *testing.T) {
	const total, queries = 100_000, 3
	dir := t.TempDir()
	t.Log(fixtures.Python(t, filepath.Join("testdata", "filtered_search.py"), dir, fmt.Sprint(total)))
	e := newEngineOver(t, dir, sqlplan.Options{})
	type neighbour struct {
		key, value int64
		distance   float64
	}
	search := func(vectors, filter, column, query string, k int, exact bool) (out []neighbour) {
		s := sqlplan.Session{}
		if exact {
			s.Settings = map[string]string{"lance.use_index": "false"}
		}
		_, rows, err := e.rows(t, fmt.Sprintf("SELECT key, %s, l2_distance(%s, %s) AS d FROM filtered WHERE %s ORDER BY d LIMIT %d",
			column, vectors, query, filter, k), s)
		require.NoError(t, err)
		for _, r := range rows {
			out = append(out, neighbour{int64(asFloat(t, r[0])), int64(asFloat(t, r[1])), asFloat(t, r[2])})
		}
		return out
	}
	count := func(filter string) int {
		_, rows, err := e.rows(t, "SELECT count(*) FROM filtered WHERE "+filter, withoutIndex)
		require.NoError(t, err)
		return int(asFloat(t, rows[0][0]))
	}
	kinds := []string{"vec", "of_flat", "of_sq", "of_rq", "of_hnsw"}
	recalls := map[string][]float64{} // at k = 10, over all filters
	for _, column := range []string{"p", "r"} {
		for _, pass := range []int{total, total / 2, total / 10, total / 100, total / 1000, total / 10_000, 1, 0} {
			filter := fmt.Sprintf("%s < %d", column, pass)
			matches := count(filter)
			for _, k := range []int{1, 10, 100} {
				found, wanted := 0, 0
				for q := range queries * len(kinds) {
					vectors := kinds[q%len(kinds)] // one index after the other
					query := fmt.Sprintf("(SELECT vec FROM filtered WHERE key = %d)", 1+q/len(kinds)*15_013)
					if k != 10 && q%len(kinds) != 0 {
						continue
					}
					got, want := search(vectors, filter, column, query, k, false), search(vectors, filter, column, query, k, true)
					require.Len(t, got, min(k, matches), "%s, %s, k = %d", vectors, filter, k)
					before := found
					require.Len(t, want, min(k, matches), "%s, k = %d", filter, k)
					exact := map[int64]float64{}
					for _, n := range want {
						exact[n.key] = n.distance
					}
					for i, n := range got {
						require.Less(t, n.value, int64(pass))
						if i > 0 {
							require.LessOrEqual(t, got[i-1].distance, n.distance)
						}
						if d, ok := exact[n.key]; ok {
							require.InDelta(t, d, n.distance, 1e-5)
							found++
						}
					}
					wanted += len(want)
					if k == 10 && len(want) > 0 {
						recalls[vectors] = append(recalls[vectors], float64(found-before)/float64(len(want)))
					}
				}
				recall := float64(found) / float64(max(1, wanted))
				if pass <= 1000 && wanted > 0 {
					require.EqualValues(t, 1, recall, "%s, k = %d: few rows are compared one by one", filter, k)
				}
				if wanted > 0 {
					require.GreaterOrEqual(t, recall, 0.9, "%s, k = %d", filter, k)
				}
				if k == 10 {
					text := explainText(t, e, withIndex,
						fmt.Sprintf("SELECT key FROM filtered WHERE %s ORDER BY vec <-> (SELECT vec FROM filtered WHERE key = 1) LIMIT 10", filter))
					_, expected, _ := strings.Cut(text, "expected=")
					expected, _, _ = strings.Cut(expected, ", why=")
					t.Logf("%-12s %6d rows pass, recall@10 %.3f, expected %s", filter, matches, recall, expected)
				}
			}
		}
	}
	for _, kind := range kinds {
		sum := 0.0
		for _, r := range recalls[kind] {
			sum += r
		}
		mean := sum / float64(len(recalls[kind]))
		t.Logf("%-8s recall@10 %.3f over all filters", kind, mean)
		require.GreaterOrEqual(t, mean, 0.9, kind)

		// The estimate, the choice and its reason, and what it came to.
		text, err := texts(e,
			fmt.Sprintf(
				"EXPLAIN ANALYZE SELECT key FROM filtered WHERE p < %d ORDER BY %s <-> (SELECT vec FROM filtered WHERE key = 1) LIMIT 10",
				total/2, kind), withIndex)
		require.NoError(t, err)
		for _, has := range []string{`estimated_selectivity=0\.\d+, estimate_by=index`,
			`expected=index with a row filter: about \d+ rows pass, more than \d+`, `why=index \S+ \(IVF_\w+\) is on `,
			`partitions_probed=\d+ of \d+`, `codes_scanned=\d+`, `bytes_read=\d+`, `index with a row filter of \d+ rows`} {
			require.Regexp(t, has, strings.Join(text, "\n"))
		}
		if kind != "of_flat" {
			require.Contains(t, strings.Join(text, "\n"), "rows_refined=100", "ten for each wanted row")
		}
	}
}

// asFloat is a number as plainValue returns it.
func asFloat(t *testing.T, v any) float64 {
	f, ok := v.(float64)
	require.True(t, ok, "%T is no number", v)
	return f
}
