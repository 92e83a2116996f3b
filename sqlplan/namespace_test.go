package sqlplan_test

import (
	"archive/zip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
)

// Namespaces of LanceDB are schemas, in every place that names a table.
func TestNamespaces(t *testing.T) {
	r, err := zip.OpenReader(filepath.Join("catalog", "testdata", "namespaces.zip"))
	require.NoError(t, err)
	defer r.Close()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, r))
	e := newEngineOver(t, dir, sqlplan.Options{})
	team := map[string]string{"schema": "team"}
	for _, tc := range []struct {
		settings map[string]string
		sql      string
		want     [][]any
	}{
		// Two tables of one name in one statement, which is also a matter of what the plan keeps by name.
		{nil, "SELECT (SELECT count(*) FROM a) AS x, (SELECT count(*) FROM team.a) AS y, (SELECT count(*) FROM a) AS z",
			[][]any{{2.0, 3.0, 2.0}}},
		{nil, `SELECT count(*) FROM a JOIN team.a AS b ON true JOIN team."a@1" AS c ON true JOIN "a@1" AS d ON true`, [][]any{{36.0}}},
		{nil, "SELECT count(team.a.a), count(main.a.a) FROM team.a JOIN main.a ON true", [][]any{{6.0, 6.0}}},
		{nil, "SELECT count(*) FROM team.sub.deep", [][]any{{5.0}}},
		{nil, `SELECT count(*) FROM lance."team.sub".deep FOR VERSION AS OF 1`, [][]any{{5.0}}},
		{nil, `SELECT version, rows FROM team."inner$versions"`, [][]any{{1.0, 4.0}}},
		{nil, `SELECT rows FROM team."inner$fragments"`, [][]any{{4.0}}},
		{nil, "SHOW SCHEMAS", [][]any{{"empty"}, {"information_schema"}, {"main"}, {"team"}, {"team.sub"}}},
		{nil, "SHOW TABLES", [][]any{{"a"}}},
		{nil, "SHOW TABLES FROM team", [][]any{{"a"}, {"inner"}}},
		{nil, "SHOW TABLES FROM team.sub", [][]any{{"deep"}}},
		{nil, "SHOW TABLES FROM empty", [][]any{}},
		{nil, "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema <> 'information_schema' ORDER BY 1, 2",
			[][]any{{"main", "a"}, {"team", "a"}, {"team", "inner"}, {"team.sub", "deep"}}},
		{nil, "SELECT schema_name FROM information_schema.schemata ORDER BY 1",
			[][]any{{"empty"}, {"information_schema"}, {"main"}, {"team"}, {"team.sub"}}},
		{nil, "SELECT table_schema, column_name FROM information_schema.columns WHERE table_name = 'inner'", [][]any{{"team", "a"}}},
		{team, `SELECT count(*) FROM "inner"`, [][]any{{4.0}}},
		{team, "SELECT count(*) FROM a", [][]any{{3.0}}},
		{team, "SELECT count(*) FROM main.a", [][]any{{2.0}}},
		{team, `SELECT rows FROM "inner$versions"`, [][]any{{4.0}}},
		{team, "SHOW TABLES", [][]any{{"a"}, {"inner"}}},
		{team, "WITH a AS (SELECT 1) SELECT count(*) FROM a", [][]any{{1.0}}},
	} {
		for range 2 { // the second time the plan may come from the cache
			_, rows, err := e.rows(t, tc.sql, sqlplan.Session{Settings: tc.settings})
			require.NoError(t, err, tc.sql)
			if len(tc.want) == 0 {
				require.Empty(t, rows, tc.sql)
				continue
			}
			require.Equal(t, tc.want, rows, tc.sql)
		}
	}
	p, err := e.Prepare(t.Context(), sqlplan.Session{}, `SELECT a FROM team."inner"`, nil)
	require.NoError(t, err)
	require.Equal(t, "team", p.Schema().Field(0).Metadata.ToMap()["ARROW:FLIGHT:SQL:SCHEMA_NAME"])
	_, err = e.Prepare(t.Context(), sqlplan.Session{}, "USE team.sub", nil)
	require.NoError(t, err)
	for sql, want := range map[string]string{
		"USE nosuch":                               "no schema is called",
		"SELECT * FROM empty.a":                    "no table is called",
		"SELECT a.a FROM team.a, main.a":           "a.a",
		"SELECT 1 FROM team.a JOIN team.a ON true": "two tables called",
	} {
		_, err = e.Prepare(t.Context(), sqlplan.Session{}, sql, nil)
		require.ErrorContains(t, err, want)
	}
	_, err = e.Prepare(t.Context(), sqlplan.Session{Settings: map[string]string{"schema": "gone"}}, "SELECT * FROM a", nil)
	require.ErrorContains(t, err, `no schema is called "gone"`)
}
