package sqlplan_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
)

// NULL = NULL is not true, of columns without a type as of others: they join with nothing.
func TestNullKeysNeverJoin(t *testing.T) {
	e := newEngineOver(t, t.TempDir(), sqlplan.Options{})
	for _, column := range []string{"NULL", "CAST(NULL AS INTEGER)", "CAST(NULL AS VARCHAR)"} {
		l, r := fmt.Sprintf("(SELECT %s AS x, 1 AS y) l", column), fmt.Sprintf("(SELECT %s AS x, 1 AS y) r", column)
		for sql, want := range map[string]string{
			l + " JOIN " + r + " ON l.x = r.x":                                "[[0]]",
			l + " JOIN " + r + " ON r.x = l.x AND l.y = r.y":                  "[[0]]",
			l + " JOIN " + r + " USING (x)":                                   "[[0]]",
			l + " NATURAL JOIN " + r:                                          "[[0]]",
			l + " LEFT JOIN " + r + " ON l.x = r.x":                           "[[1]]",
			l + " RIGHT JOIN " + r + " ON l.x = r.x":                          "[[1]]",
			l + " FULL JOIN " + r + " ON l.x = r.x":                           "[[2]]",
			l + " JOIN " + r + " ON l.x = NULL":                               "[[0]]",
			l + " JOIN " + r + " ON NULL = NULL":                              "[[0]]",
			l + " JOIN " + r + " ON l.x IS NOT DISTINCT FROM r.x":             "[[1]]",
			l + " WHERE x IN (SELECT x FROM " + r + ")":                       "[[0]]",
			l + " WHERE x NOT IN (SELECT x FROM " + r + ")":                   "[[0]]",
			l + " WHERE EXISTS (SELECT 1 FROM " + r + " WHERE r.x = l.x)":     "[[0]]",
			l + " WHERE NOT EXISTS (SELECT 1 FROM " + r + " WHERE r.x = l.x)": "[[1]]",
			l + ", LATERAL (SELECT 1 FROM " + r + " WHERE r.x = l.x) s":       "[[0]]",
		} {
			_, rows, err := e.rows(t, "SELECT count(*) FROM "+sql, sqlplan.Session{})
			require.NoError(t, err, sql)
			require.Equal(t, want, fmt.Sprint(rows), sql)
		}
	}
}

func TestTextAsCondition(t *testing.T) {
	e := newEngineOver(t, t.TempDir(), sqlplan.Options{})
	for _, place := range []string{
		"SELECT CASE WHEN %s THEN 1 END", "SELECT 1 WHERE %s", "SELECT NOT %s", "SELECT %s AND TRUE", "SELECT FALSE OR %s", "SELECT %s IS TRUE",
		"SELECT count(*) FROM (VALUES (1)) t(x) HAVING %s", "SELECT count(*) FILTER (WHERE %s) FROM (VALUES (1)) t(x)",
		"SELECT 1 FROM (VALUES (1)) t(x) JOIN (VALUES (1)) u(y) ON %s", "SELECT if(%s, 1, 2)", "SELECT bool_and(%s)", "SELECT %s = TRUE",
	} {
		for _, text := range []string{"'t'", "'true'", "'yes'", "'on'", "'1'", "' TRUE '", "'f'", "'no'", "'off'", "'0'", "'false'"} {
			_, _, err := e.rows(t, fmt.Sprintf(place, text), sqlplan.Session{})
			require.NoError(t, err, place, text)
		}
		for _, text := range []string{"'abc'", "''", "'2'", "'truth'"} {
			_, _, err := e.rows(t, fmt.Sprintf(place, text), sqlplan.Session{})
			require.ErrorContains(t, err, "cannot cast "+text+" to BOOLEAN", place)
		}
		_, _, err := e.rows(t, fmt.Sprintf(place, "('a' || 'b')"), sqlplan.Session{})
		require.Error(t, err, place)
	}
}
