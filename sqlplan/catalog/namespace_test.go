package catalog

import (
	"archive/zip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/parse"
)

// unpack makes a directory of what testdata/namespaces.py wrote.
func unpack(t *testing.T, archive string) string {
	t.Helper()
	r, err := zip.OpenReader(filepath.Join("testdata", archive))
	require.NoError(t, err)
	defer r.Close()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, r))
	return dir
}

func in(schema, table string) parse.TableName {
	return parse.TableName{Schema: parse.Ident{Name: schema}, Table: parse.Ident{Name: table}}
}

// rowsOf is how many rows the table has that a name leads to, or -1 if there is none.
func rowsOf(t *testing.T, c *Catalog, name parse.TableName) int64 {
	t.Helper()
	table, err := c.Lookup(t.Context(), name)
	if fault.Is(err, fault.NotFound) {
		return -1
	}
	require.NoError(t, err)
	snap, err := table.Snapshot(t.Context(), lancefmt.Ref{})
	require.NoError(t, err)
	return snap.NumRows()
}

func TestNamespaces(t *testing.T) {
	c := open(t, unpack(t, "namespaces.zip"))
	require.Equal(t, []string{"a", "team/a", "team/inner", "team.sub/deep"}, names(t, c), "what was only declared has no rows to read")
	schemas, err := c.Schemas(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"empty", "main", "team", "team.sub"}, schemas)
	require.NoError(t, c.Problem(t.Context()))

	nested := in("sub", "deep")
	nested.Catalog.Name = "Team"
	full := in("team", "inner")
	full.Catalog.Name = "lance"
	for _, tc := range []struct {
		name parse.TableName
		rows int64
	}{
		{table("a"), 2}, {in("main", "a"), 2}, {in("lance", "a"), 2}, {in("team", "a"), 3}, {in("TEAM", "A"), 3}, {in("team", "inner"), 4},
		{full, 4}, {in("team.sub", "deep"), 5}, {nested, 5},
		{table("inner"), -1}, {in("empty", "a"), -1}, {in("sub", "deep"), -1}, {in("team", "declared"), -1}, {table("__manifest"), -1},
	} {
		require.Equal(t, tc.rows, rowsOf(t, c, tc.name), "%+v", tc.name)
	}
	_, err = c.Resolve(t.Context(), in("other", "a"))
	require.ErrorContains(t, err, `no schema is called "other"; the schemas are empty, main, team, team.sub and information_schema`)
	nested.Schema.Name = "nosuch"
	_, err = c.Resolve(t.Context(), nested)
	require.ErrorContains(t, err, `no catalog is called "Team"`)
}

// Tables and namespaces come and go while the directory is served.
func TestNamespacesChange(t *testing.T) {
	dir := unpack(t, "namespaces.zip")
	versions, err := filepath.Glob(filepath.Join(dir, "__manifest", "_versions", "*.manifest"))
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, "__manifest", "_versions", "latest_version_hint.json")))
	require.Len(t, versions, 11)
	aside := t.TempDir()
	take := func(version string) string { return filepath.Join(aside, filepath.Base(version)) }
	for _, v := range versions { // the names count down, so the first is the newest
		require.NoError(t, os.Rename(v, take(v)))
	}
	c := open(t, dir)
	var history []string
	for i := len(versions) - 1; i >= 0; i-- {
		require.NoError(t, os.Rename(take(versions[i]), versions[i]))
		history = append(history, fmt.Sprint(names(t, c)))
	}
	require.Equal(t, []string{
		"[a]", "[a]", "[a]", "[a]", "[a]", "[a]", "[a]", "[a team/a]", "[a team/a team/inner]",
		"[a team/a team/inner team.sub/deep]", "[a team/a team/inner team.sub/deep]",
	}, history, "a.lance is listed without its row too")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.lance", deregistered), nil, 0o600))
	inner, err := filepath.Glob(filepath.Join(dir, "*_team$inner"))
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(inner[0]))
	require.Equal(t, int64(-1), rowsOf(t, open(t, dir), in("team", "inner")))
	require.Equal(t, []string{"team/a", "team.sub/deep"}, names(t, open(t, dir)))
}

// A list of objects that leads out of the directory is not followed, and what it says of other tables holds.
func TestHostileNamespaces(t *testing.T) {
	dir := unpack(t, "hostile.zip")
	require.NoError(t, os.Mkdir(filepath.Join(filepath.Dir(dir), "outside"), 0o700))
	c := open(t, dir)
	require.Equal(t, int64(3), rowsOf(t, c, in("team", "a")))
	require.Equal(t, int64(2), rowsOf(t, c, in("lance", "a")))
	bad := 0
	entries, err := c.Entries(t.Context())
	require.NoError(t, err)
	for _, e := range entries {
		if e.Schema != "bad" {
			continue
		}
		bad++
		_, err := c.Lookup(t.Context(), e.TableName())
		require.True(t, fault.Is(err, fault.PermissionDenied), "%s: %v", e.outside, err)
	}
	require.Equal(t, 12, bad)
}

// Where the list of objects is damaged, the tables that do not need it are served, and an error that may
// come of it says so.
func TestDamagedNamespaces(t *testing.T) {
	for _, what := range []string{"data", "_versions"} {
		dir := unpack(t, "namespaces.zip")
		files, err := filepath.Glob(filepath.Join(dir, "__manifest", what, "*"))
		require.NoError(t, err)
		for _, f := range files {
			require.NoError(t, os.WriteFile(f, []byte("damaged"), 0o600))
		}
		c := open(t, dir)
		require.Equal(t, []string{"a"}, names(t, c))
		require.ErrorContains(t, c.Problem(t.Context()), "__manifest")
		require.Equal(t, int64(2), rowsOf(t, c, table("a")))
		for _, name := range []parse.TableName{in("team", "a"), table("b")} {
			_, err = c.Resolve(context.Background(), name)
			require.True(t, fault.Is(err, fault.NotFound), "%v", err)
			require.ErrorContains(t, err, "namespaces of "+dir+" cannot be read")
		}
	}
}
