package stores

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/mem"
	"lanceflight/lancefmt/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

// emptyRoots makes an empty root of each scheme and returns its URI.
var emptyRoots = map[string]func(t *testing.T) string{
	"file": func(t *testing.T) string { return "file://" + filepath.ToSlash(t.TempDir()) },
	"memory": func(t *testing.T) string {
		roots++
		s, withdraw := mem.Publish(fmt.Sprintf("root%d", roots))
		t.Cleanup(withdraw)
		return s.URI() + "/folder"
	},
}

var roots int

func TestEverySchemeConforms(t *testing.T) {
	for _, scheme := range schemes {
		t.Run(scheme.Name, func(t *testing.T) {
			root := emptyRoots[scheme.Name]
			require.NotNil(t, root, "say in emptyRoots how an empty root of %s:// is made", scheme.Name)
			for wrapped, wrap := range map[string]func(storage.Store) storage.Store{
				"plain":    func(s storage.Store) storage.Store { return s },
				"retrying": func(s storage.Store) storage.Store { return storage.NewRetrying(s, storage.RetryOptions{}) },
			} {
				t.Run(wrapped, func(t *testing.T) {
					storagetest.Run(t, func(t *testing.T) storage.Store {
						s, err := Open(ctx, root(t))
						require.NoError(t, err)
						return wrap(s)
					})
				})
			}
		})
	}
}

func TestOpenByURI(t *testing.T) {
	dir := t.TempDir()
	spaced := filepath.Join(dir, "a b")
	require.NoError(t, os.Mkdir(spaced, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o666))
	for uri, kind := range map[string]fault.Kind{
		"s3://bucket/x": fault.Unsupported, "file://host/x": fault.InvalidArgument, "": fault.InvalidArgument,
		filepath.Join(dir, "missing"): fault.NotFound, filepath.Join(dir, "file"): fault.InvalidArgument,
		"file:///%zz": fault.InvalidArgument,
	} {
		_, err := Open(ctx, uri)
		require.Error(t, err, uri)
		require.Equal(t, kind, fault.KindOf(err), "%s: %v", uri, err)
	}
	for _, uri := range []string{spaced, "file://" + filepath.Join(dir, "a%20b"), "file://localhost" + spaced} {
		s, err := Open(ctx, uri)
		require.NoError(t, err)
		require.Equal(t, spaced, s.URI())
	}
}

func TestFindObject(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o666))
	lake, withdraw := mem.Publish("objects")
	defer withdraw()
	lake.Put("a/f", []byte("x"))
	for _, uri := range []string{filepath.Join(dir, "f"), "file://" + dir + "/f", "memory://objects/a/f"} {
		store, name, ok := FindObject(ctx, uri)
		require.True(t, ok, uri)
		require.Equal(t, "f", name)
		data, err := storage.ReadAll(ctx, store, name, 10)
		require.NoError(t, err)
		require.Equal(t, "x", string(data))
	}
	for _, uri := range []string{dir, dir + "/", dir + "/missing", ".", "memory://objects", "memory://objects/a", "s3://x/y", ""} {
		_, _, ok := FindObject(ctx, uri)
		require.False(t, ok, uri)
	}
}

// docs/LIMITS.md shows what an unknown scheme is answered, which names all schemes that are known.
func TestLimitsPageListsTheSchemes(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "LIMITS.md"))
	require.NoError(t, err)
	_, err = Open(ctx, "s3://bucket/table.lance")
	require.Error(t, err)
	require.Contains(t, string(page), err.Error(), "docs/LIMITS.md is out of date")
}
