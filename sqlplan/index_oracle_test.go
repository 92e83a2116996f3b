package sqlplan_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
)

// Random filters over tables that pylance has just written find the rows that DuckDB finds, with scalar indices and without.
func TestIndexedFiltersAgainstPylance(t *testing.T) {
	dir := t.TempDir()
	seed, count := "1", "150"
	if s := os.Getenv("LANCEFLIGHT_SEED"); s != "" {
		seed = s
	}
	if n := os.Getenv("LANCEFLIGHT_FILTERS"); n != "" {
		count = n
	}
	t.Log(fixtures.Python(t, filepath.Join("testdata", "indexed", "random_filters.py"), dir, seed, count))
	reuseFragments(t, filepath.Join(dir, "reused.lance"))
	e := newEngineOver(t, dir, sqlplan.Options{})
	for _, table := range []string{"dense", "history", "compacted", "deferred", "stable", "reused"} {
		t.Run(table, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(dir, table+".json"))
			require.NoError(t, err)
			var filters []struct {
				Where string  `json:"where"`
				Keys  []int64 `json:"keys"`
			}
			require.NoError(t, json.Unmarshal(text, &filters))
			used := 0
			for _, f := range filters {
				sql := fmt.Sprintf("SELECT key FROM %s WHERE %s ORDER BY key", table, f.Where)
				if bothWays(t, e, sql) {
					used++
				}
				got, err := texts(e, sql, withIndex)
				if err != nil {
					t.Errorf("%s: %v", f.Where, err)
					continue
				}
				want := []string{}
				for _, k := range f.Keys {
					want = append(want, fmt.Sprint(k))
				}
				if len(got) != len(want) || fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s: %d rows, %d by DuckDB\n%v\n%v", f.Where, len(got), len(want), got, want)
				}
			}
			for _, near := range []string{"17", "200", "300"} { // an index of one partition that has the vectors themselves finds all
				sql := fmt.Sprintf("SELECT key, l2_distance(vec, (SELECT vec FROM %s WHERE key = %s)) AS d FROM %[1]s ORDER BY d, key LIMIT 20",
					table, near)
				got, err := texts(e, sql, withIndex)
				require.NoError(t, err)
				want, err := texts(e, sql, sqlplan.Session{Settings: map[string]string{"lance.use_index": "false"}})
				require.NoError(t, err)
				require.Equal(t, want, got)
				plan, err := texts(e, "EXPLAIN "+sql, withIndex)
				require.NoError(t, err)
				require.Contains(t, fmt.Sprint(plan), "vec_idx")
			}
			require.Greater(t, used, len(filters)/2, "filters that asked an index")
			t.Logf("%d of %d filters asked an index", used, len(filters))
		})
	}
}
