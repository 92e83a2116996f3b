package check

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
)

// A check finds every index that releases of Lance wrote wrongly, and none in tables that they wrote right. Which are wrong
// says selection.txt: those with which some filter or search of the tests of sqlplan has other rows than a scan, if it is
// trusted.
func TestWrongIndicesOfReleasesAreFound(t *testing.T) {
	folder := filepath.Join("..", "sqlplan", "testdata", "index_writers")
	root := fixtures.Unpack(t, filepath.Join(folder, "tables.tar.zst"))
	list, err := os.Open(filepath.Join(folder, "selection.txt"))
	require.NoError(t, err)
	defer list.Close()
	lines := 0
	for in := bufio.NewScanner(list); in.Scan(); {
		f := strings.Fields(in.Text())
		require.Len(t, f, 3)
		release, table, wrong := f[0], f[1], f[2] == "wrong"
		if lines++; !wrong && lines%4 != 0 {
			continue // there are many
		}
		tab, err := lancefmt.Open(context.Background(), filepath.Join(root, release, table+".lance"), lancefmt.Options{})
		require.NoError(t, err)
		r, err := Run(context.Background(), tab, Options{})
		require.NoError(t, err)
		found := 0
		for _, p := range r.Problems {
			if p.Code != IndexValue && p.Code != IndexRows || p.Severity != Error {
				continue
			}
			found++
			require.NotEmpty(t, p.Index)
			require.NotEmpty(t, p.Segment)
			require.NotNil(t, p.Fragment)
			require.Contains(t, p.Message, "the first is row")
		}
		require.Equal(t, wrong, found > 0, "%s of %s: %v", table, release, r.Problems)
		require.NoError(t, tab.Close())
	}
	require.Positive(t, lines)
}
