package sqlplan_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
)

// damagedFilters ask every index of testdata/indexed, in conditions that are true, false and NULL for some rows.
var damagedFilters = []string{
	"key IN (17, 200, 300)", "NOT (key = 17)", "i8 > 5 AND w > 3", "u64 > 5", "f32 > 0", "f64 IS NULL", "dec < 5",
	"s LIKE 's1%'", "ls = 'cat'", "NOT flag", "d > '1969-12-31'",
	"ts < '1970-01-01'", "ts_s < '1970-01-01'", "array_has(tags, 'cat')", "array_has_all(nums, [1, 2])", "place.zip < 20",
	"contains(txt, 'photo')", "z BETWEEN 50 AND 250", "fz > 20", "bl = 'b17'", "bl IS NULL",
}

// A scalar index that is missing or cut short costs time and a remark, never rows or an error.
func TestDamagedScalarIndex(t *testing.T) {
	source := filepath.Join("testdata", "indexed", "plain.lance")
	want := newEngineOver(t, filepath.Join("testdata", "indexed"), sqlplan.Options{})
	for name, damage := range map[string]func(path string, size int64) error{
		"missing": func(path string, _ int64) error { return os.Remove(path) },
		"empty":   func(path string, _ int64) error { return os.Truncate(path, 0) },
		"half":    func(path string, size int64) error { return os.Truncate(path, size/2) },
		"zeros":   func(path string, size int64) error { return os.WriteFile(path, make([]byte, size), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.CopyFS(filepath.Join(dir, "plain.lance"), os.DirFS(source)))
			require.NoError(t, filepath.WalkDir(filepath.Join(dir, "plain.lance", "_indices"), func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				info, err := d.Info()
				if err != nil {
					return err
				}
				return damage(path, info.Size())
			}))
			e := newEngineOver(t, dir, sqlplan.Options{})
			for _, where := range damagedFilters {
				sql := "SELECT key, s FROM plain WHERE " + where
				rows, err := texts(want, sql, withoutIndex)
				require.NoError(t, err)
				got, err := texts(e, sql, withIndex)
				require.NoError(t, err, where)
				require.Equal(t, rows, got, where)
				p, err := e.Prepare(context.Background(), withIndex, "EXPLAIN ANALYZE "+sql, nil)
				require.NoError(t, err)
				lines, err := drain(p)
				require.NoError(t, err)
				require.Contains(t, strings.Join(lines, "\n"), "cannot be used, its rows are scanned", where)
			}
		})
	}
}
