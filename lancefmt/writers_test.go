package lancefmt

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
)

// unpackWriters unpacks the tables of older writers: testdata/writers/VERSION-NAME.tar.zst, or those
// of write.py below the folder in LANCEFLIGHT_WRITERS, VERSION/NAME.lance.
func unpackWriters(t *testing.T) (dirs []string) {
	if root := os.Getenv("LANCEFLIGHT_WRITERS"); root != "" {
		dirs, err := filepath.Glob(filepath.Join(root, "*", "*.lance"))
		require.NoError(t, err)
		return dirs
	}
	packed, err := filepath.Glob("testdata/writers/*.tar.zst")
	require.NoError(t, err)
	require.NotEmpty(t, packed)
	for _, path := range packed {
		tables, err := filepath.Glob(filepath.Join(fixtures.Unpack(t, path), "*.lance"))
		require.NoError(t, err)
		require.Len(t, tables, 1)
		dirs = append(dirs, tables...)
	}
	return dirs
}

// Tables that older pylance wrote, with appends, deletions, added, renamed, cast and dropped columns,
// updates, indices and a compaction: every version, against the rows that today's pylance reads.
func TestOlderWritersAgainstPylance(t *testing.T) {
	for _, dir := range unpackWriters(t) {
		t.Run(filepath.Base(filepath.Dir(dir))+"/"+filepath.Base(dir), func(t *testing.T) {
			out := t.TempDir()
			t.Log(fixtures.Python(t, "testdata/writers/read.py", dir, out))
			rows, err := filepath.Glob(filepath.Join(out, "*.arrow"))
			require.NoError(t, err)
			require.NotEmpty(t, rows)
			tab := openAt(t, dir, Options{})
			for _, path := range rows {
				version, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(path), ".arrow"), 10, 64)
				require.NoError(t, err)
				s, err := tab.Snapshot(ctx, Ref{Version: version})
				require.NoError(t, err)
				compareRows(t, s, path)
			}
		})
	}
}

// brokenVersions are wrong from some version on: their writer cut structs and row id sequences short in what it
// appended last, and pylance refuses them too.
var brokenVersions = map[string]uint64{"0.16.1-v2_0": 15, "0.23.2-stable_ids": 15}

// The same without pylance: all of it can be read, and the counts agree.
func TestOlderWriters(t *testing.T) {
	for _, dir := range unpackWriters(t) {
		t.Run(filepath.Base(filepath.Dir(dir))+"/"+filepath.Base(dir), func(t *testing.T) {
			tab := openAt(t, dir, Options{})
			versions, err := tab.Versions(ctx)
			require.NoError(t, err)
			for _, v := range versions {
				s, err := tab.Snapshot(ctx, Ref{Version: v.Version})
				require.NoError(t, err)
				columns := []string{RowIDColumn, RowAddrColumn, CreatedAtColumn, UpdatedAtColumn}
				for _, f := range s.Fields() {
					columns = append(columns, f.Name)
				}
				var live int64
				for _, frag := range s.Fragments() {
					b, err := frag.Read(ctx, Columns(columns...), frag.all(), checked(t))
					live += frag.NumRows()
					if first, ok := brokenVersions[filepath.Base(filepath.Dir(dir))]; err != nil && ok && v.Version >= first {
						require.Equal(t, fault.Corrupt, fault.KindOf(err))
						continue
					}
					require.NoError(t, err)
					b.Release()
				}
				require.Equal(t, live, s.NumRows())
			}
		})
	}
}

// compareRows compares a version with an Arrow file.
func compareRows(t *testing.T, s *Snapshot, path string) {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	r, err := ipc.NewFileReader(f)
	require.NoError(t, err)
	defer r.Close()
	var want [][]string
	for i := range r.NumRecords() {
		b, err := r.RecordBatch(i)
		require.NoError(t, err)
		want = appendTexts(want, b, nil)
	}
	columns := fieldNames(r.Schema())
	var got [][]string
	for _, frag := range s.Fragments() {
		deleted, err := frag.Deleted(ctx)
		require.NoError(t, err)
		b, err := frag.Read(ctx, Columns(columns...), frag.all(), checked(t))
		require.NoError(t, err)
		got = appendTexts(got, b, func(row int) bool { return deleted != nil && deleted.Contains(uint32(row)) })
		b.Release()
	}
	if want == nil && got == nil {
		require.Zero(t, s.NumRows())
		return
	}
	for i, name := range columns {
		require.Equal(t, len(want[i]), len(got[i]), "version %d, column %q", s.Version(), name)
		for row := range want[i] {
			require.Equal(t, want[i][row], got[i][row], "version %d, column %q, row %d", s.Version(), name, row)
		}
	}
	require.EqualValues(t, len(want[0]), s.NumRows())
}

func fieldNames(s *arrow.Schema) (out []string) {
	for _, f := range s.Fields() {
		out = append(out, f.Name)
	}
	return out
}

// appendTexts appends the values of a batch, as text with their type.
func appendTexts(out [][]string, b arrow.RecordBatch, skip func(row int) bool) [][]string {
	if out == nil {
		out = make([][]string, b.NumCols())
	}
	for i := range int(b.NumCols()) {
		c := b.Column(i)
		dict, _ := c.(*array.Dictionary)
		for row := range c.Len() {
			if skip != nil && skip(row) {
				continue
			}
			text := c.ValueStr(row)
			if dict != nil && !c.IsNull(row) {
				text = dict.Dictionary().ValueStr(dict.GetValueIndex(row))
			}
			out[i] = append(out[i], c.DataType().String()+" "+text)
		}
	}
	return out
}
