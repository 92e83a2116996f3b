package sqlplan_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
)

// explainText is what EXPLAIN says about a statement.
func explainText(t testing.TB, e *engine, s sqlplan.Session, sql string) string {
	t.Helper()
	p, err := e.Prepare(context.Background(), s, "EXPLAIN "+sql, nil)
	require.NoError(t, err, sql)
	lines, err := drain(p)
	require.NoError(t, err, sql)
	return strings.Join(lines, "\n")
}

// EXPLAIN says what is asked of which index, what is evaluated again, how many rows are expected, and what is left aside.
func TestExplainIndexes(t *testing.T) {
	e, _ := indexedTables(t)
	for _, c := range []struct {
		where string
		has   []string
		hasNo []string
	}{
		{"key = 17", []string{"index=[key_idx BTREE key = 17]", "recheck=none: exact", "indexed_fragments=",
			"index_estimate=[key = 17: 1 of ", "estimate_by=index"}, []string{"index_aside", "warning"}},
		{"key = 17 AND w > 3", []string{"recheck=w > 3", "estimate_by=index and guess"}, nil},
		{"flag AND ls = 'cat'", []string{"index_estimate=[flag: ", "ls = 'cat': "}, nil},
		{"txt LIKE '%photo%'", []string{"txt_idx NGRAM", "recheck=txt LIKE '%photo%'", "estimate_by=guess"}, nil},
		{"key + 1 = 18", []string{"index_aside=[key_idx: BTREE does not answer key + 1 = 18]", "estimate_by=guess"}, []string{"index=["}},
		{"key = 17 AND lower(s) = 's1'",
			[]string{"index=[key_idx BTREE key = 17]", "index_aside=[s_idx: BTREE does not answer lower(s) = 's1']"}, nil},
		{"key = $1", []string{"index=[key_idx BTREE key = $1]"}, []string{"index_estimate"}},
		{"w > 3", []string{"estimate_by=guess"}, []string{"index"}},
	} {
		text := explainText(t, e, withIndex, "SELECT note FROM plain WHERE "+c.where)
		for _, s := range c.has {
			require.Contains(t, text, s, c.where)
		}
		for _, s := range c.hasNo {
			require.NotContains(t, text, s, c.where)
		}
	}
	require.Contains(t, explainText(t, e, withoutIndex, "SELECT note FROM plain WHERE key = 17"),
		"index_aside=[key_idx: lance.use_scalar_index is false]")
	require.Contains(t, explainText(t, e, withIndex,
		"SELECT key FROM vector_ivf_pq_delta_segments WHERE key < 10 "+
			"ORDER BY vec <-> (SELECT vec FROM vector_ivf_pq_delta_segments WHERE key = 3) LIMIT 2"),
		"expected=exact over the rows that pass: about ")
}

// An index that is damaged is named by EXPLAIN and, once, in the log.
func TestDamagedIndexWarns(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "plain.lance"), os.DirFS(filepath.Join("testdata", "indexed", "plain.lance"))))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "plain.lance", "_indices")))
	var log bytes.Buffer
	e := newEngineOver(t, dir, sqlplan.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for range 2 {
		require.Contains(t, explainText(t, e, withIndex, "SELECT note FROM plain WHERE key = 17"), "warning=[index key_idx (segment ")
		rows, err := texts(e, "SELECT key FROM plain WHERE key = 17", withIndex)
		require.NoError(t, err)
		require.Equal(t, []string{"17"}, rows)
	}
	require.Equal(t, 2, strings.Count(log.String(), "cannot be used, its rows are scanned"), "one line for each segment: %s", log.String())
}

// Queries that ask the same indices at once share them, also where the cache has room for almost none.
func TestIndexesUnderConcurrency(t *testing.T) {
	for _, bytes := range []int64{0, 64 << 10} {
		t.Run(fmt.Sprint(bytes), func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, linkAll(dir, filepath.Join("testdata", "indexed"), "plain", "stable"))
			require.NoError(t, linkAll(dir, filepath.Dir(fixtures.Path(t, "compacted_deferred_remap.lance")), "compacted_deferred_remap"))
			e := newEngineOver(t, dir, sqlplan.Options{IndexCacheBytes: bytes})
			statements := []string{"SELECT key FROM compacted_deferred_remap WHERE key < 50 OR key IN (300, 301)"}
			for _, where := range damagedFilters {
				statements = append(statements, "SELECT key, txt FROM plain WHERE "+where, "SELECT count(*) FROM stable WHERE NOT ("+where+")")
			}
			want := make([][]string, len(statements))
			for i, sql := range statements {
				var err error
				want[i], err = texts(e, sql, withoutIndex)
				require.NoError(t, err)
			}
			var wg sync.WaitGroup
			for w := range 8 {
				wg.Go(func() {
					for i := range statements {
						i = (i + w*5) % len(statements)
						got, err := texts(e, statements[i], withIndex)
						if err != nil || fmt.Sprint(got) != fmt.Sprint(want[i]) {
							t.Errorf("%s: %v, %d rows instead of %d", statements[i], err, len(got), len(want[i]))
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// Where no index tells, what earlier scans learnt does.
func TestEstimatesFromStatistics(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, linkAll(dir, filepath.Dir(fixtures.Path(t, "laion_v2_2.lance")), "laion_v2_2"))
	e := newEngineOver(t, dir, sqlplan.Options{})
	const where = "width BETWEEN 500 AND 700 AND height > 400"
	require.Contains(t, explainText(t, e, withIndex, "SELECT key FROM laion_v2_2 WHERE "+where), "estimate_by=guess")
	_, rows, err := e.rows(t, "SELECT count(*) FILTER (WHERE width BETWEEN 500 AND 700), count(*) FROM laion_v2_2 WHERE width > -1", withIndex)
	require.NoError(t, err)
	text := explainText(t, e, withIndex, "SELECT key FROM laion_v2_2 WHERE width BETWEEN 500 AND 700")
	require.Contains(t, text, "estimate_by=statistics")
	var estimated float64
	_, after, _ := strings.Cut(text, "estimated_rows=")
	_, err = fmt.Sscan(strings.SplitN(after, ",", 2)[0], &estimated)
	require.NoError(t, err)
	share, all := asFloat(t, rows[0][0])/asFloat(t, rows[0][1]), asFloat(t, rows[0][1])
	require.InDelta(t, share, estimated/all, 0.2, "of %v rows", all)
	require.Contains(t, explainText(t, e, withIndex, "SELECT key FROM laion_v2_2 WHERE "+where), "estimate_by=statistics and guess")
	require.Contains(t, explainText(t, e, withIndex, `SELECT key FROM laion_v2_2 WHERE "NSFW" = 0 AND width > 500`),
		"estimate_by=index and statistics")
}
