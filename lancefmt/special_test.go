//go:build unix

package lancefmt

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
)

// TestPipesInsteadOfFiles puts a named pipe in the place of each file of a table. Whoever opens one waits for a writer that
// never comes, so each of them has to be refused: as damage that names the file.
func TestPipesInsteadOfFiles(t *testing.T) {
	source := fixtures.Path(t, "deletions_arrow_and_bitmap.lance")
	for _, pattern := range []string{"_versions/*.manifest", "data/*.lance", "_deletions/*"} {
		names, err := filepath.Glob(filepath.Join(source, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, names)
		dir := filepath.Join(t.TempDir(), "t.lance")
		require.NoError(t, os.CopyFS(dir, os.DirFS(source)))
		for _, path := range names {
			name, err := filepath.Rel(source, path)
			require.NoError(t, err)
			require.NoError(t, os.Remove(filepath.Join(dir, name)))
			require.NoError(t, syscall.Mkfifo(filepath.Join(dir, name), 0o600))
		}
		tab := openAt(t, dir, Options{})
		s, err := tab.Snapshot(ctx, Ref{})
		if err == nil {
			mem := checked(t)
			f := s.Fragments()[0]
			if pattern == "_deletions/*" {
				_, err = f.Deleted(ctx)
			} else {
				_, err = f.Read(ctx, Columns(s.Fields()[0].Name), f.all(), mem)
			}
		}
		require.Equal(t, fault.Corrupt, fault.KindOf(err), "%s: %v", pattern, err)
		require.ErrorContains(t, err, "it is a named pipe, not a regular file")
		require.ErrorContains(t, err, filepath.Dir(pattern)+"/")
	}
}
