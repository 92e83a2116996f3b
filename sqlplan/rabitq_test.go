package sqlplan_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
)

// A table with a RaBitQ index of one bit and of several, after rows were appended, indexed as a segment of
// their own, deleted and moved: with every partition probed and many candidates refined, all searches find
// what exact search does, and no row is lost or found twice.
func TestRaBitQLifecycleAgainstPylance(t *testing.T) {
	dir := t.TempDir()
	var oracle struct {
		Queries [][]float32
		Found   map[string][][]int64 // keys by table and query
	}
	require.NoError(t, json.Unmarshal([]byte(fixtures.Python(t, filepath.Join("testdata", "rabitq_lifecycle.py"), dir)), &oracle))
	queries := oracle.Queries
	e := newEngineOver(t, dir, sqlplan.Options{})
	const wide = "nprobes=1000, refine_factor=40"
	for _, bits := range []int{1, 4} {
		for _, stage := range []string{"built", "appended", "segments", "deleted", "compacted", "deferred"} {
			table := fmt.Sprintf("%s_%d", stage, bits)
			t.Run(table, func(t *testing.T) {
				_, count, err := e.rows(t, fmt.Sprintf("SELECT count(*) FROM %s", table), sqlplan.Session{})
				require.NoError(t, err)
				all := int(asFloat(t, count[0][0]))
				found, foundByPylance := 0, 0
				for i, q := range queries {
					search := func(where, tail, options string) []string {
						sql := fmt.Sprintf(
							"SELECT key, l2_distance(vec, '%[1]s') AS d FROM %[2]s %[3]s ORDER BY l2_distance(vec, '%[1]s', '%[4]s') %[5]s",
							jsonOf(t, q), table, strings.ReplaceAll(where, "$q", "'"+jsonOf(t, q)+"'"), options, tail)
						rows, err := texts(e, sql, sqlplan.Session{})
						require.NoError(t, err)
						return rows
					}
					for _, c := range [][2]string{
						{"", "LIMIT 10"}, {"", "LIMIT 7 OFFSET 5"}, {"WHERE n = 3", "LIMIT 10"},
						{"WHERE n < 5 AND key > 200", "LIMIT 20"}, {"WHERE key = 1620", "LIMIT 10"},
						{"WHERE l2_distance(vec, $q) < 3.5", "LIMIT 10"}, {"WHERE l2_distance(vec, $q) < 4 AND n <> 2", "LIMIT 10"},
					} {
						require.Equal(t, search(c[0], c[1], "use_index=false"), search(c[0], c[1], wide+", use_index=true"), c)
					}
					// No row is lost or found twice, however few partitions are asked for.
					require.Len(t, search("", "LIMIT 5000", "nprobes=1, use_index=true"), all)
					exact := map[string]bool{}
					for _, r := range search("", "LIMIT 10", "use_index=false") {
						exact[strings.Fields(r)[0]] = true
					}
					for _, r := range search("", "LIMIT 10", "nprobes=8, refine_factor=5") {
						if exact[strings.Fields(r)[0]] {
							found++
						}
					}
					for _, key := range oracle.Found[table][i] {
						if exact[fmt.Sprint(key)] {
							foundByPylance++
						}
					}
				}
				// One bit of each of 48 dimensions tells the ten nearest from the rest poorly, how poorly differs by where training left the centroids:
				// the same codes give pylance as many of the right ones. Candidates whose estimates are all but equal may be others.
				require.Positive(t, foundByPylance)
				require.GreaterOrEqual(t, found, foundByPylance-2)
				lines, err := texts(e,
					fmt.Sprintf("EXPLAIN ANALYZE SELECT key FROM %s ORDER BY l2_distance(vec, '%s', 'use_index=true') LIMIT 10", table,
						jsonOf(t, queries[0])), sqlplan.Session{})
				require.NoError(t, err)
				text := strings.Join(lines, "\n")
				require.Contains(t, text, "kind=IVF_RQ")
				require.NotContains(t, text, "cannot be")
				switch stage {
				case "appended", "segments", "deleted":
					require.Contains(t, text, "no index covers")
				}
			})
		}
	}
}
