package sqlplan_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
)

// writtenTable is what testdata/index_writers/answers.py says of a table: what pylance 14 finds without indices.
type writtenTable struct {
	Filters map[string][]int64 `json:"filters"` // ids by condition
	Nearest []struct {
		Column   string       `json:"column"`
		Query    []float32    `json:"query"`
		Filtered bool         `json:"filtered"`
		Hits     [][2]float64 `json:"hits"` // id and distance, ties included
	} `json:"nearest"`
}

// Tables of all minor releases of pylance from 0.36 on, with each kind of index and each history of changes that some release
// did not bring an index through: every filter and every search has the rows that a scan finds. testdata/index_writers has the
// tables and the scripts that made them. LANCEFLIGHT_INDEX_WRITERS is a folder of others, RELEASE/TABLE.lance with
// RELEASE/answers.json.
func TestIndicesOfReleases(t *testing.T) {
	root := os.Getenv("LANCEFLIGHT_INDEX_WRITERS")
	all := root != ""
	if !all {
		root = fixtures.Unpack(t, filepath.Join("testdata", "index_writers", "tables.tar.zst"))
	}
	paths, err := filepath.Glob(filepath.Join(root, "*", "answers.json"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		release := filepath.Base(filepath.Dir(path))
		t.Run(release, func(t *testing.T) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			var tables map[string]writtenTable
			require.NoError(t, json.Unmarshal(text, &tables))
			e := newEngineOver(t, filepath.Dir(path), sqlplan.Options{})
			used, checked := 0, 0
			for i, name := range slices.Sorted(maps.Keys(tables)) {
				if leftOut(i, 10) {
					continue
				}
				table := tables[name]
				if bad := wrongAnswers(e, name, table, all); len(bad) > 0 {
					t.Errorf("%s: %d wrong answers\n%s", name, len(bad), strings.Join(bad, "\n"))
				}
				for where := range table.Filters {
					plan, err := texts(e, fmt.Sprintf(`EXPLAIN SELECT id FROM "%s" WHERE %s`, name, where), withIndex)
					require.NoError(t, err)
					if contains(plan, "index=[") {
						used++
					}
					if contains(plan, "index_check=") {
						checked++
					}
					break
				}
			}
			// Indices are asked, and those of old releases only after a comparison with the column.
			major, err := strconv.Atoi(strings.Split(release, ".")[0])
			require.NoError(t, err)
			require.Positive(t, used)
			require.Equal(t, major < 13, checked > 0, "%d of %d tables are compared", checked, used)
		})
	}
}

// wrongAnswers asks a table everything that is known of it, with indices and, some of it, without: every fourth question, and
// count(*) of every second one. The answers that are compared come from elsewhere, so that this saves time and loses nothing.
// Unless all is set, half of the filters are asked, and the other half of the table of the same history whose name ends in
// "_stable", which is longer by an odd number.
func wrongAnswers(e *engine, name string, table writtenTable, all bool) (bad []string) {
	for n, where := range slices.Sorted(maps.Keys(table.Filters)) {
		if !all && (n+len(name))%2 != 0 {
			continue
		}
		ids := table.Filters[where]
		want := make([]string, len(ids))
		for i, id := range ids {
			want[i] = fmt.Sprint(id)
		}
		for i, s := range []sqlplan.Session{withIndex, withoutIndex} {
			if i == 1 && n%8 > 1 {
				continue
			}
			got, err := texts(e, fmt.Sprintf(`SELECT id FROM "%s" WHERE %s ORDER BY id`, name, where), s)
			if err != nil || !slices.Equal(got, want) {
				bad = append(bad, fmt.Sprintf("%d: WHERE %s: %v\n want %v\n got %v", i, where, err, want, got))
			}
		}
		if n%4 > 1 {
			continue
		}
		count, err := texts(e, fmt.Sprintf(`SELECT count(*) FROM "%s" WHERE %s`, name, where), withIndex)
		if err != nil || count[0] != fmt.Sprint(len(ids)) {
			bad = append(bad, fmt.Sprintf("count WHERE %s: %v: want %d, got %v", where, err, len(ids), count))
		}
	}
	for _, q := range table.Nearest {
		where := ""
		if q.Filtered {
			where = "WHERE id < 40"
		}
		const limit = 4
		vector := strings.Join(strings.Fields(fmt.Sprint(q.Query)), ", ")
		sql := fmt.Sprintf(`SELECT id FROM "%s" %s ORDER BY l2_distance(%s, %s) LIMIT %d`, name, where, q.Column, vector, limit)
		for i, settings := range []map[string]string{
			{"lance.refine_factor": "20"}, {"lance.refine_factor": "20", "lance.nprobes": "2", "lance.use_index": "false"},
		} {
			got, err := texts(e, sql, sqlplan.Session{Settings: settings})
			var ids []string
			for _, h := range q.Hits {
				ids = append(ids, fmt.Sprint(int64(h[0])))
			}
			right := err == nil && len(got) == min(limit, len(ids)) && len(slices.Compact(slices.Sorted(slices.Values(got)))) == len(got)
			for _, id := range got {
				right = right && slices.Contains(ids, id)
			}
			if !right {
				bad = append(bad, fmt.Sprintf("%d: %s: %v: want %d of %v, got %v", i, sql, err, limit, q.Hits, got))
			}
		}
	}
	return bad
}
