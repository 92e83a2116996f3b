package sqlplan_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
)

// movableTable serves a table whose versions the test adds and takes away: manifests are links into a fixture of six versions.
func movableTable(t *testing.T) (e *engine, setVersions func(n int)) {
	t.Helper()
	source := fixtures.Path(t, "laion_v2_2.lance")
	dir := t.TempDir()
	table := filepath.Join(dir, "train.lance")
	require.NoError(t, os.MkdirAll(filepath.Join(table, "_versions"), 0o777))
	parts, err := os.ReadDir(source)
	require.NoError(t, err)
	for _, p := range parts {
		if p.Name() != "_versions" {
			require.NoError(t, os.Symlink(filepath.Join(source, p.Name()), filepath.Join(table, p.Name())))
		}
	}
	setVersions = func(n int) {
		for v := 1; v <= 6; v++ {
			name := fmt.Sprintf("%020d.manifest", ^uint64(0)-uint64(v))
			to := filepath.Join(table, "_versions", name)
			if v > n {
				require.NoError(t, os.RemoveAll(to))
			} else if _, err := os.Stat(to); err != nil {
				b, err := os.ReadFile(filepath.Join(source, "_versions", name))
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(to, b, 0o666))
			}
		}
	}
	setVersions(4)
	return newEngineOver(t, dir, sqlplan.Options{}), setVersions
}

func TestPlansAreReused(t *testing.T) {
	e, setVersions := movableTable(t)
	prepare := func(s sqlplan.Session, sql string, pins sqlplan.Pins) *sqlplan.Prepared {
		p, err := e.Prepare(context.Background(), s, sql, pins)
		require.NoError(t, err)
		return p
	}
	const sql = "SELECT count(*) FROM train WHERE width > 600"
	var none sqlplan.Session
	first := prepare(none, sql, nil)
	require.Same(t, first, prepare(none, sql, nil))
	require.Same(t, first, prepare(none, sql, first.Pins()))
	require.NotSame(t, first, prepare(none, sql+" ", nil))

	nprobes := sqlplan.Session{Settings: map[string]string{"lance.nprobes": "3", "lance.ef": "4"}}
	other := prepare(nprobes, sql, nil)
	require.NotSame(t, first, other)
	require.Same(t, other, prepare(nprobes, sql, nil))
	require.NotSame(t, first, prepare(sqlplan.Session{User: "u"}, sql, nil))

	// A new version is seen at once; a ticket goes on reading the one before.
	old := first.Pins()
	require.Equal(t, map[string]uint64{"train": 4}, pinnedVersions(first))
	first = prepare(none, sql, nil)
	setVersions(6)
	second := prepare(none, sql, nil)
	require.NotSame(t, first, second)
	require.Equal(t, map[string]uint64{"train": 6}, pinnedVersions(second))
	require.Equal(t, old, prepare(none, sql, old).Pins())
	require.Equal(t, map[string]uint64{"train": 6}, pinnedVersions(prepare(none, sql, nil)))
	// So it is when versions go.
	setVersions(5)
	require.Equal(t, map[string]uint64{"train": 5}, pinnedVersions(prepare(none, sql, nil)))
	_, err := e.Prepare(context.Background(), none, sql, sqlplan.Pins{"train": {Version: 6}})
	require.ErrorContains(t, err, "version 6")
}

func TestPlansThatAreGoodForOneUse(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2", "tagged": "tags"})
	for sql, reused := range map[string]bool{
		"SELECT 1": true,
		"SELECT key FROM train ORDER BY img_emb <-> ? LIMIT 3":                true,
		"SELECT count(*) FROM \"tagged@v1\"":                                  true,
		"SELECT count(*) FROM train WHERE key > (SELECT min(key) FROM train)": true,
		"SELECT current_user":                                                 true,
		"SELECT now()":                                                        true,
		"SELECT 1 FROM train WHERE current_date > DATE '2020-01-01' LIMIT 1":  true,
		"WITH a AS (SELECT (SELECT localtimestamp) AS t) SELECT t FROM a":     true,
		"SELECT count(*) FROM information_schema.tables":                      false,
		`SELECT count(*) FROM "train$versions"`:                               false,
		"SHOW TABLES":                                                         false,
		"DESCRIBE train":                                                      false,
		"EXPLAIN SELECT 1":                                                    false,
		"EXPLAIN ANALYZE SELECT count(*) FROM train":                          false,
		"SET lance.nprobes = 3":                                               false,
	} {
		a, err := e.Prepare(context.Background(), sqlplan.Session{User: "u"}, sql, nil)
		require.NoError(t, err, sql)
		b, err := e.Prepare(context.Background(), sqlplan.Session{User: "u"}, sql, nil)
		require.NoError(t, err, sql)
		require.Equal(t, reused, a == b, sql)
	}
}

func TestExecutionsShareAPlan(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2"})
	vector := "[" + strings.TrimSuffix(strings.Repeat("0.01,", 768), ",") + "]"
	for _, sql := range []string{
		"SELECT key FROM train WHERE width > 300 ORDER BY img_emb <-> " + vector + " LIMIT 5",
		"SELECT key FROM train WHERE caption LIKE '%a%' AND regexp_matches(url, 'h.*') " +
			"AND key > (SELECT min(key) FROM train) ORDER BY key LIMIT 20",
		`SELECT "LICENSE", count(*) AS n, avg(similarity) FROM train GROUP BY 1 ORDER BY 1`,
		"SELECT a.key FROM train a JOIN train b ON a.key = b.key + 1 ORDER BY 1 LIMIT 10",
	} {
		_, want, err := e.rows(t, sql, sqlplan.Session{})
		require.NoError(t, err, sql)
		var wg sync.WaitGroup
		for range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range 5 {
					_, got, err := e.rows(t, sql, sqlplan.Session{})
					if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("%s: %v, %v; want %v", sql, got, err, want)
					}
				}
			}()
		}
		wg.Wait()
	}
}
