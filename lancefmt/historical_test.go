package lancefmt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
)

// historical is what ../historical/NAME.expected.json says.
type historical struct {
	answers
	Rows   int64
	Schema []struct {
		Name, Type string
		Nullable   bool
	}
	CannotOpen string `json:"cannot_open"`
	CannotRead string `json:"cannot_read"`
}

// TestHistorical reads the tables that writers from 0.5 to 0.36 left behind, some of them with faults: every version,
// as far as pylance says what is in it. What pylance cannot open or read, because data files are
// missing, is an error here too, which says what is missing.
func TestHistorical(t *testing.T) {
	for _, path := range fixtures.Glob(t, "../historical/*.lance") {
		name := strings.TrimSuffix(filepath.Base(path), ".lance")
		t.Run(name, func(t *testing.T) {
			var want historical
			fixtures.Expected(t, "../historical/"+name, &want)
			tab := openAt(t, path, Options{})
			latest, err := tab.Snapshot(ctx, Ref{})
			if want.CannotOpen != "" {
				require.Equal(t, fault.NotFound, fault.KindOf(err), "%v", err)
				require.ErrorContains(t, err, ".lance, which is gone")
				return
			}
			require.NoError(t, err)
			require.Equal(t, want.Rows, latest.NumRows())
			require.Len(t, latest.Schema().Fields(), len(want.Schema))
			for i, f := range latest.Schema().Fields() {
				require.Equal(t, want.Schema[i].Name, f.Name)
				require.Equal(t, want.Schema[i].Nullable, f.Nullable, f.Name)
				require.NoError(t, latest.Fields()[i].Err)
			}
			if want.CannotRead != "" {
				f := latest.Fragments()[0]
				_, err := f.Read(ctx, Columns(latest.Fields()[0].Name), f.all(), checked(t))
				require.Equal(t, fault.NotFound, fault.KindOf(err), "%v", err)
				require.ErrorContains(t, err, f.Files()[0].Path)
				return
			}
			require.Equal(t, want.LatestVersion, latest.Version())
			rows := filepath.Join(filepath.Dir(path), name+".expected.arrow")
			_, err = os.Stat(rows)
			require.NoError(t, err)
			compareRows(t, latest, rows)
			versions, err := tab.Versions(ctx)
			require.NoError(t, err)
			infos := map[uint64]VersionInfo{}
			for _, v := range versions {
				infos[v.Version] = v
			}
			for _, v := range want.Versions {
				s, err := tab.Snapshot(ctx, Ref{Version: v.Version})
				require.NoError(t, err)
				require.Equal(t, v.Rows, s.NumRows())
				if n := infos[v.Version].NumRows; n >= 0 {
					require.Equal(t, v.Rows, n)
				} else {
					require.Empty(t, s.Writer(), "writers that have a name count rows")
				}
				require.Len(t, s.Fragments(), len(v.Fragments))
				seen := map[uint32]bool{}
				for i, f := range v.Fragments {
					have := s.Fragments()[i]
					require.Equal(t, f.ID, have.StoredID())
					require.Equal(t, f.Rows, have.NumRows())
					require.False(t, seen[have.ID()], "two fragments have the id %d", have.ID())
					seen[have.ID()] = true
				}
				compareTakes(t, s)
			}
		})
	}
}

// compareTakes takes all rows of a version by row id, backwards, and compares them with a scan.
func compareTakes(t *testing.T, s *Snapshot) {
	mem := checked(t)
	var ids []uint64
	var scanned [][]string
	columns := append(names(s), RowIDColumn)
	for _, f := range s.Fragments() {
		deleted, err := f.Deleted(ctx)
		require.NoError(t, err)
		b, err := f.Read(ctx, Columns(columns...), f.all(), mem)
		require.NoError(t, err)
		skip := func(row int) bool { return deleted != nil && deleted.Contains(uint32(row)) }
		scanned = appendTexts(scanned, b, skip)
		for row, id := range b.Column(len(columns) - 1).(*array.Uint64).Uint64Values() {
			if !skip(row) {
				ids = append(ids, id)
			}
		}
		b.Release()
	}
	if len(ids) == 0 {
		return
	}
	backwards := make([]uint64, len(ids))
	for i, id := range ids {
		backwards[len(ids)-1-i] = id
	}
	b, err := s.Take(ctx, backwards, Columns(columns...), mem)
	require.NoError(t, err)
	defer b.Release()
	taken := appendTexts(nil, b, nil)
	for c := range columns {
		for i := range ids {
			require.Equal(t, scanned[c][i], taken[c][len(ids)-1-i], "version %d, column %s, row %d", s.Version(), columns[c], i)
		}
	}
}
