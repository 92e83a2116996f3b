package sqlplan_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
)

// What one statement saw of a column, the next need not read; a setting turns that off.
func TestLearnedStatistics(t *testing.T) {
	e := newEngine(t, map[string]string{"t": "many_small_fragments"})
	off := sqlplan.Session{Settings: map[string]string{"lance.learn_statistics": "false"}}
	explain := func(sql string, s sqlplan.Session) string {
		_, rows, err := e.rows(t, "EXPLAIN ANALYZE "+sql, s)
		require.NoError(t, err)
		return rows[0][1].(string)
	}
	const all, few = "SELECT count(*) FROM t WHERE key >= 0", "SELECT key FROM t WHERE key < 3 ORDER BY key"
	require.NotContains(t, explain(all, off), "zones_pruned")
	require.NotContains(t, explain(few, off), "zones_pruned")
	require.NotContains(t, explain(all, sqlplan.Session{}), "zones_pruned") // learns
	require.Contains(t, explain(few, sqlplan.Session{}), "zones_pruned=")
	require.NotContains(t, explain(few, off), "zones_pruned")
	for _, s := range []sqlplan.Session{{}, off} {
		_, rows, err := e.rows(t, few, s)
		require.NoError(t, err)
		require.Len(t, rows, 3)
	}
}
