package sqlplan_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
)

// Indices of pylance before 0.20, of which manifests say nothing but the column, are used all the same: the kind follows from
// the files. The answers are those that pylance 14 finds without the indices.
func TestIndicesOfOldWriters(t *testing.T) {
	dir := filepath.Join("testdata", "old_indices")
	e := newEngineOver(t, dir, sqlplan.Options{})
	for table, kinds := range map[string][]string{"by_0_10_18": {"BTREE"}, "by_0_16_1": {"BTREE", "BITMAP", "LABEL_LIST"},
		"by_0_19_2": {"BTREE", "BITMAP", "LABEL_LIST"}} {
		t.Run(table, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(dir, table+".json"))
			require.NoError(t, err)
			var filters []struct {
				Where string  `json:"where"`
				Keys  []int64 `json:"keys"`
			}
			require.NoError(t, json.Unmarshal(text, &filters))
			require.NotEmpty(t, filters)
			used := map[string]bool{}
			for _, f := range filters {
				sql := fmt.Sprintf("SELECT k FROM %s WHERE %s ORDER BY k", table, f.Where)
				bothWays(t, e, sql)
				got, err := texts(e, sql, withIndex)
				require.NoError(t, err, f.Where)
				want := []string{}
				for _, k := range f.Keys {
					want = append(want, fmt.Sprint(k))
				}
				require.Equal(t, fmt.Sprint(want), fmt.Sprint(got), f.Where)
				plan, err := texts(e, "EXPLAIN ANALYZE "+sql, withIndex)
				require.NoError(t, err)
				for _, kind := range kinds {
					if contains(plan, "_idx "+kind+" ") && contains(plan, "fragments_by_index=2 of 3") {
						used[kind] = true
					}
				}
				// Their BTREE files do not tell NULL from 0, and their compactions made others mix NULL up with the empty text.
				lost := table != "by_0_10_18" && (strings.Contains(f.Where, "maybe") || strings.Contains(f.Where, "cn "))
				require.Equal(t, lost, contains(plan, "cannot be used"), plan)
			}
			for _, kind := range kinds {
				require.True(t, used[kind], "%s is used", kind)
			}
			plan, err := texts(e,
				fmt.Sprintf("EXPLAIN ANALYZE SELECT k FROM %s ORDER BY l2_distance(v, (SELECT v FROM %[1]s WHERE k = 17)) LIMIT 5", table), withIndex)
			require.NoError(t, err)
			require.Contains(t, fmt.Sprint(plan), "v_idx")
		})
	}
}

func contains(lines []string, what string) bool {
	return strings.Contains(strings.Join(lines, "\n"), what)
}
