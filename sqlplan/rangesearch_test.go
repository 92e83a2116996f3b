package sqlplan_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
)

// A bound on the distance, turned into the range of a search, keeps the rows that the expression itself
// keeps: whatever the metric, the spelling and the bound, with an index and without.
func TestRangeSearch(t *testing.T) {
	e := newEngine(t, map[string]string{"l2": "vector_ivf_flat_l2", "cosine": "vector_ivf_flat_cosine", "dot": "vector_ivf_flat_dot"})
	const query = "(SELECT vec FROM %[1]s WHERE key = 5)"
	for _, tc := range []struct{ table, distance, condition string }{
		{"l2", "vec <-> " + query, "d < 1"},
		{"l2", "vec <-> " + query, "d <= 0.9 AND d > 0"},
		{"l2", "vec <-> " + query, "d < -0.5"},
		{"l2", "vec <-> " + query, "d <= 0"},
		{"l2", "vec <-> " + query, "-d > -1 AND key % 2 = 0"},
		{"cosine", "vec <=> " + query, "d < 0.4"},
		{"cosine", "vec <=> " + query, "1 - d >= 0.5"},
		{"cosine", "vec <=> " + query, "0.3 > d"},
		{"dot", "vec <#> " + query, "d < -0.4"},
		{"dot", "vec <#> " + query, "d + 1 <= 0.5"},
	} {
		inner := fmt.Sprintf("SELECT key, "+tc.distance+" AS d FROM %[1]s", tc.table)
		// OFFSET keeps the filter out of the scan, so that the expression is computed row by row.
		plain := fmt.Sprintf("SELECT key FROM (%s OFFSET 0) WHERE %s ORDER BY key", inner, tc.condition)
		want, _, err := keysOf(t, e, plain, sqlplan.Session{})
		require.NoError(t, err)
		for _, useIndex := range []string{"true", "false"} {
			search := fmt.Sprintf("SELECT key FROM (SELECT key FROM (%s) WHERE %s ORDER BY d LIMIT 1000) ORDER BY key", inner, tc.condition)
			s := sqlplan.Session{Settings: map[string]string{"lance.use_index": useIndex, "lance.nprobes": "1000"}}
			got, _, err := keysOf(t, e, search, s)
			require.NoError(t, err)
			require.Equal(t, want, got, "%s: %s, index %s", tc.table, tc.condition, useIndex)
			_, plan, err := e.rows(t, "EXPLAIN "+search, s)
			require.NoError(t, err)
			require.Contains(t, plan[0][1], "range=_distance", "%s", tc.condition)
		}
	}
}

// An alias stands for one expression in every clause that uses it. A subquery in it is run once, so that
// a condition on the alias is one on the distance that is sorted by, and becomes the range of the search.
func TestRangeSearchByAlias(t *testing.T) {
	e := newEngine(t, map[string]string{"l2": "vector_ivf_flat_l2"})
	const query = "(SELECT vec FROM l2 WHERE key = 5)"
	const search = "SELECT key, vec <-> " + query + " AS d FROM l2 WHERE d < 1 AND key % 2 = 0 ORDER BY d LIMIT 1000"
	const spelt = "SELECT key FROM (SELECT key, vec <-> " + query + " AS d FROM l2 OFFSET 0) WHERE d < 1 AND key % 2 = 0 ORDER BY d, key"
	want, _, err := keysOf(t, e, spelt, sqlplan.Session{})
	require.NoError(t, err)
	require.NotEmpty(t, want)
	for _, useIndex := range []string{"true", "false"} {
		s := sqlplan.Session{Settings: map[string]string{"lance.use_index": useIndex, "lance.nprobes": "1000"}}
		got, _, err := keysOf(t, e, "SELECT key FROM ("+search+") ORDER BY d, key", s)
		require.NoError(t, err)
		require.Equal(t, want, got, "index %s", useIndex)
		_, rows, err := e.rows(t, "EXPLAIN "+search, s)
		require.NoError(t, err)
		require.Contains(t, rows[0][1], "range=_distance")
		require.Len(t, rows, 2, "the plan and one subquery")
	}
}
