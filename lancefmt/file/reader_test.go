package file

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/storage/local"
)

// openPath opens a file of the local file system.
func openPath(t testing.TB, path string) (*Reader, error) {
	t.Helper()
	store, err := local.Dir(filepath.Dir(path))
	require.NoError(t, err)
	obj, err := store.Open(context.Background(), filepath.Base(path), -1)
	require.NoError(t, err)
	return Open(context.Background(), obj)
}

func openFixture(t testing.TB, path string) *Reader {
	t.Helper()
	r, err := openPath(t, path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// fixtureFiles returns every Lance file of the fixtures, index files included, that this package
// claims to open.
func fixtureFiles(t testing.TB) []string {
	t.Helper()
	dir, ok := fixtures.Dir()
	if !ok {
		fixtures.Path(t, "laion_v2_2.lance")
	}
	var out []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if ext := filepath.Ext(path); err == nil && !d.IsDir() && (ext == ".lance" || ext == ".idx") {
			out = append(out, path)
		}
		return err
	}))
	return out
}

func TestOpenEveryFixture(t *testing.T) {
	ctx := context.Background()
	opened := 0
	for _, path := range fixtureFiles(t) {
		r, err := openPath(t, path)
		if err != nil {
			require.True(t, fault.Is(err, fault.Unsupported), "%s: %v", path, err)
			continue
		}
		opened++
		cols, err := r.Columns(ctx)
		require.NoError(t, err, path)
		for _, c := range cols {
			for _, p := range c.Pages {
				require.NotEmpty(t, p.TypeURL, path)
			}
		}
		_, err = r.Fields(ctx)
		require.NoError(t, err, path)
		require.NoError(t, r.Close())
	}
	require.Greater(t, opened, 300)
	t.Logf("%d files", opened)
}
