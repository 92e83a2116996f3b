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
	search := func(filter, column, query string, k int, exact bool) (out []neighbour) {
		s := sqlplan.Session{}
		if exact {
			s.Settings = map[string]string{"lance.use_index": "false"}
		}
		_, rows, err := e.rows(t, fmt.Sprintf("SELECT key, %s, l2_distance(vec, %s) AS d FROM filtered WHERE %s ORDER BY d LIMIT %d", column, query, filter, k), s)
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
	for _, column := range []string{"p", "r"} {
		for _, pass := range []int{total, total / 2, total / 10, total / 100, total / 1000, total / 10_000, 1, 0} {
			filter := fmt.Sprintf("%s < %d", column, pass)
			matches := count(filter)
			for _, k := range []int{1, 10, 100} {
				found, wanted := 0, 0
				for q := range queries {
					query := fmt.Sprintf("(SELECT vec FROM filtered WHERE key = %d)", 1+q*15_013)
					got, want := search(filter, column, query, k, false), search(filter, column, query, k, true)
					require.Len(t, got, min(k, matches), "%s, k = %d", filter, k)
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
				}
				recall := float64(found) / float64(max(1, wanted))
				if pass <= 1000 && wanted > 0 {
					require.EqualValues(t, 1, recall, "%s, k = %d: few rows are compared one by one", filter, k)
				}
				if wanted > 0 {
					require.GreaterOrEqual(t, recall, 0.9, "%s, k = %d", filter, k)
				}
				if k == 10 {
					text := explainText(t, e, withIndex, fmt.Sprintf("SELECT key FROM filtered WHERE %s ORDER BY vec <-> (SELECT vec FROM filtered WHERE key = 1) LIMIT 10", filter))
					_, expected, _ := strings.Cut(text, "expected=")
					expected, _, _ = strings.Cut(expected, ", why=")
					t.Logf("%-12s %6d rows pass, recall@10 %.3f, expected %s", filter, matches, recall, expected)
				}
			}
		}
	}
}

// asFloat is a number as plainValue returns it.
func asFloat(t *testing.T, v any) float64 {
	f, ok := v.(float64)
	require.True(t, ok, "%T is no number", v)
	return f
}
