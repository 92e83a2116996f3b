package sqlplan_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
)

// TestVersionsThatAreNone names versions, tags and times that no table has, in every way that SQL has for it. None may
// read the latest version in silence.
func TestVersionsThatAreNone(t *testing.T) {
	e := newEngine(t, map[string]string{"t": "tags"})
	for _, version := range []string{
		"0", "00", "-1", "-0", "+0", "0.0", "1.5", "4", "99", fmt.Sprint(uint64(math.MaxInt64)), fmt.Sprint(uint64(math.MaxUint64)),
		"18446744073709551616", "99999999999999999999999999", "1e0", "nobody", " ", "",
	} {
		statements := map[string]sqlplan.Session{
			fmt.Sprintf(`SELECT * FROM t VERSION AS OF '%s'`, version):          {},
			fmt.Sprintf(`SELECT * FROM t FOR VERSION AS OF '%s'`, version):      {},
			fmt.Sprintf(`SELECT * FROM t FOR SYSTEM_VERSION AS OF %s`, version): {},
			fmt.Sprintf(`SELECT * FROM "t@%s"`, version):                        {},
			fmt.Sprintf(`SET lance.as_of = '%s'`, version):                      {},
		}
		if version != "" { // which means the latest
			statements[fmt.Sprintf("SELECT * FROM t /* %q */", version)] = sqlplan.Session{Settings: map[string]string{"lance.as_of": version}}
		}
		for sql, session := range statements {
			_, rows, err := e.rows(t, sql, session)
			if sql[:3] == "SET" && err == nil {
				continue // what tags there are, each table tells
			}
			require.Error(t, err, "%s gives %d rows", sql, len(rows))
			kind := fault.KindOf(err)
			require.True(t, kind == fault.NotFound || kind == fault.InvalidArgument, "%s: %v", sql, err)
		}
	}
	for _, sql := range []string{
		`SELECT * FROM "t@0"`, "SELECT * FROM t VERSION AS OF '0'", "SET lance.as_of = 0", "SET lance.as_of = '000'",
	} {
		_, _, err := e.rows(t, sql, sqlplan.Session{})
		require.ErrorContains(t, err, "there is no version 0", sql)
	}
	_, _, err := e.rows(t, "SELECT * FROM t FOR VERSION AS OF 0", sqlplan.Session{})
	require.ErrorContains(t, err, "a version is a whole number from 1")
	for _, at := range []string{"0001-01-01", "0001-01-01 00:00:00", "1970-01-01"} {
		_, _, err := e.rows(t, fmt.Sprintf("SELECT * FROM t FOR TIMESTAMP AS OF '%s'", at), sqlplan.Session{})
		require.Equal(t, fault.NotFound, fault.KindOf(err), "%s: %v", at, err)
	}
}

// A table that is removed and made anew under its path has versions of the same numbers. Pins of the old one do not
// read them, plans and cached metadata of the old one are not taken for the new one, and it is read as what it is.
func TestTableMadeAnew(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "t.lance")
	put := func(fixture string) {
		require.NoError(t, os.RemoveAll(at))
		require.NoError(t, os.CopyFS(at, os.DirFS(fixtures.Path(t, fixture+".lance"))))
	}
	put("tags")
	e := newEngineOver(t, dir, sqlplan.Options{})
	ctx := context.Background()
	const sql = `SELECT count(*) FROM t UNION ALL SELECT count(*) FROM "t@2"`
	before, err := e.Prepare(ctx, sqlplan.Session{}, sql, nil)
	require.NoError(t, err)
	_, _, err = run(t, before)
	require.NoError(t, err)
	for _, fixture := range []string{"laion_history", "restore_and_overwrite"} {
		put(fixture)
		_, err := e.Prepare(ctx, sqlplan.Session{}, sql, before.Pins())
		require.True(t, fault.Is(err, fault.NotFound), "%v", err)
		require.ErrorContains(t, err, "made anew")
		after, err := e.Prepare(ctx, sqlplan.Session{}, sql, nil)
		require.NoError(t, err)
		_, got, err := run(t, after)
		require.NoError(t, err)
		_, want, err := newEngine(t, map[string]string{"t": fixture}).rows(t, sql, sqlplan.Session{})
		require.NoError(t, err)
		require.Equal(t, want, got)
		_, _, err = e.rows(t, "SELECT * FROM t", sqlplan.Session{})
		require.NoError(t, err)
	}
	// The same table in the old place is the same.
	put("tags")
	_, err = e.Prepare(ctx, sqlplan.Session{}, sql, before.Pins())
	require.NoError(t, err)
}
