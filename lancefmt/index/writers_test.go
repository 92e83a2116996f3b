package index_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/index"
)

// TestOlderWriters compares the indices of tables that pylance 0.23 to 10 wrote, at each of their
// versions, with the rows. LANCEFLIGHT_WRITERS names a folder of more, VERSION/NAME.lance.
func TestOlderWriters(t *testing.T) {
	var tables []string
	if root := os.Getenv("LANCEFLIGHT_WRITERS"); root != "" {
		found, err := filepath.Glob(filepath.Join(root, "*", "*.lance"))
		require.NoError(t, err)
		tables = found
	} else {
		packed, err := filepath.Glob("../testdata/writers/*.tar.zst")
		require.NoError(t, err)
		for _, path := range packed {
			found, err := filepath.Glob(filepath.Join(fixtures.Unpack(t, path), "*.lance"))
			require.NoError(t, err)
			tables = append(tables, found...)
		}
	}
	require.NotEmpty(t, tables)
	total := 0
	for _, path := range tables {
		t.Run(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), func(t *testing.T) {
			table, err := lancefmt.Open(ctx, path, lancefmt.Options{})
			require.NoError(t, err)
			versions, err := table.Versions(ctx)
			require.NoError(t, err)
			require.NoError(t, table.Close())
			segments := 0
			for _, v := range versions {
				t.Run(fmt.Sprint(v.Version), func(t *testing.T) {
					x := openTable(t, path, lancefmt.Ref{Version: v.Version})
					if err := readable(x); err != nil {
						// 0.23 lost count of the rows of its fragments; early files of 2.1 are of other layouts
						t.Skipf("the table itself: %v", err)
					}
					segments += checkSegments(t, x, 40)
				})
			}
			t.Logf("%d segments", segments)
			total += segments
		})
	}
	require.Greater(t, total, 80)
}

// readable tries to read the indexed columns.
func readable(x indexedTable) error {
	for _, segment := range x.snapshot.Indexes() {
		for _, f := range x.snapshot.Fragments() {
			if _, err := f.Deleted(ctx); err != nil {
				return err
			}
			rec, err := f.Read(ctx, lancefmt.Columns(segment.Fields[0], lancefmt.RowIDColumn), []encoding.Range{{End: f.NumPhysicalRows()}}, x.mem)
			if err != nil {
				return err
			}
			rec.Release()
		}
	}
	return nil
}

// TestNewerVersions: an index that is newer than this package is not read, whatever its files have.
func TestNewerVersions(t *testing.T) {
	x := openTable(t, fixtures.Path(t, "scalar_indices.lance"), lancefmt.Ref{})
	seen := map[string]bool{}
	for _, segment := range x.snapshot.Indexes() {
		d := x.describe(segment)
		for d.IndexVersion = 0; ; d.IndexVersion++ {
			opened, err := index.Open(ctx, x.snapshot.Store(), d, index.Options{Mem: x.mem})
			if err != nil {
				require.Equal(t, fault.Unsupported, fault.KindOf(err))
				break
			}
			seen[d.Kind] = true
			require.NoError(t, opened.Close())
		}
		require.LessOrEqual(t, d.IndexVersion, int32(2))
	}
	for _, kind := range kinds {
		require.True(t, seen[kind], kind)
	}
}
