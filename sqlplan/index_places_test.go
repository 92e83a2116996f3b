package sqlplan_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/catalog"
)

// Indices and what scans learn answer as DuckDB and pylance do of tables that were moved, with their branches, of shallow clones and
// clones of those, under overlays of indexed columns, and in every version of a table whose zones differ.
func TestPlacesAgainstPylance(t *testing.T) {
	dir := t.TempDir()
	seed, count := "1", "30"
	if s := os.Getenv("LANCEFLIGHT_SEED"); s != "" {
		seed = s
	}
	if n := os.Getenv("LANCEFLIGHT_FILTERS"); n != "" {
		count = n
	}
	t.Log(fixtures.Python(t, filepath.Join("testdata", "indexed", "places.py"), dir, seed, count))
	text, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	require.NoError(t, err)
	var cases []struct {
		From, Where string
		Keys        []int64
		Near        struct {
			Query []float32
			Keys  []int64
		}
	}
	require.NoError(t, json.Unmarshal(text, &cases))

	ctx := context.Background()
	cat, err := catalog.Open(ctx, []string{dir}, catalog.Options{Table: lancefmt.Options{AllowBases: []string{dir}}})
	require.NoError(t, err)
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	e := &engine{Engine: sqlplan.NewEngine(cat, sqlplan.Options{Mem: mem}), cat: cat, mem: mem}
	defer func() {
		require.NoError(t, cat.Close())
		mem.AssertSize(t, 0)
	}()

	sessions := map[string]sqlplan.Session{
		"with indices":    withIndex,
		"without indices": withoutIndex,
		"without indices and what was learnt": {
			Settings: map[string]string{"lance.use_scalar_index": "false", "lance.learn_statistics": "false"},
		},
	}
	asked, pruned := map[string]int{}, 0
	for round := range 2 { // the second knows what scans of the first have learnt
		for _, c := range cases {
			name := strings.Fields(c.From)[0]
			want := fmt.Sprint(numbersAsText(c.Keys))
			if c.Where == "" {
				sql := fmt.Sprintf("SELECT key FROM %s ORDER BY l2_distance(vec, %s) LIMIT 10", c.From,
					strings.ReplaceAll(fmt.Sprint(c.Near.Query), " ", ","))
				got, err := texts(e, sql, withIndex)
				require.NoError(t, err, sql)
				require.Equal(t, numbersAsText(c.Near.Keys), got, sql)
				plan, err := texts(e, "EXPLAIN "+sql, withIndex)
				require.NoError(t, err)
				require.Equal(t, name != "zones", strings.Contains(fmt.Sprint(plan), "vec_idx"), "%v", plan)
				continue
			}
			sql := fmt.Sprintf("SELECT key FROM %s WHERE %s ORDER BY key", c.From, c.Where)
			for how, session := range sessions {
				got, err := texts(e, sql, session)
				if err != nil {
					t.Errorf("%s, %s: %v", sql, how, err)
				} else if fmt.Sprint(got) != want {
					t.Errorf("%s, %s: %v, by DuckDB %v", sql, how, got, want)
				}
			}
			if round == 0 {
				continue
			}
			plan, err := texts(e, "EXPLAIN ANALYZE "+sql, withIndex)
			require.NoError(t, err)
			if strings.Contains(fmt.Sprint(plan), "index=[") {
				asked[name]++
			}
			if name == "zones" && strings.Contains(fmt.Sprint(plan), "zones_pruned") {
				pruned++
			}
		}
	}
	t.Logf("filters that asked an index: %v; that left out zones: %d", asked, pruned)
	for _, name := range []string{"moved", "clone", "again", "overlaid"} {
		require.Greater(t, asked[name], 5, name)
	}
	require.Greater(t, pruned, 5)
}

func numbersAsText(keys []int64) []string {
	var out []string
	for _, k := range keys {
		out = append(out, fmt.Sprint(k))
	}
	return out
}
