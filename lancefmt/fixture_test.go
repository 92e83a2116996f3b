package lancefmt

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/internal/mmap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

type answers struct {
	LatestVersion  uint64 `json:"latest_version"`
	StorageVersion string `json:"data_storage_version"`
	Versions       []struct {
		Version uint64
		Rows    int64
		Schema  []struct {
			Name, Type string
			Nullable   bool
			Metadata   map[string]string
		}
		Fragments []struct {
			ID   uint32
			Rows int64
		}
		Columns map[string]struct {
			Type   string
			Nulls  int64
			SHA256 string
		}
		Keys *keyList
	}
	Access *struct {
		Scans []struct {
			Limit, Offset int
			Keys          []int64
		}
		Takes []struct {
			Indices []int
			Keys    []int64
		}
		RowIDs []struct {
			Key  int64
			ID   uint64 `json:"_rowid"`
			Addr uint64 `json:"_rowaddr"`
		} `json:"row_ids"`
	}
	Lineage []struct {
		Version uint64
		Rows    [][]uint64
	}
	Tags map[string]struct {
		Version uint64
		Branch  string
	}
	ArrowFileRows []int            `json:"arrow_file_rows"`
	ByTag         map[string]int64 `json:"by_tag"` // rows
	BranchRows    map[string]struct {
		Version uint64
		Rows    int64
		Keys    []int64
	} `json:"branch_rows"`
}

type keyList struct {
	Count  int
	SHA256 string
}

// readables runs a test on the fixtures that can be read; TestFixtures checks that others are refused.
func readables(t *testing.T, use func(t *testing.T, name string, want answers)) {
	tables(t, func(t *testing.T, name string, want answers) {
		if readable(want.StorageVersion) {
			use(t, name, want)
		}
	})
}

func tables(t *testing.T, use func(t *testing.T, name string, want answers)) {
	for _, path := range fixtures.Glob(t, "*.lance") {
		name := strings.TrimSuffix(filepath.Base(path), ".lance")
		t.Run(name, func(t *testing.T) {
			var want answers
			fixtures.Expected(t, name, &want)
			use(t, name, want)
			require.Zero(t, mmap.Open())
		})
	}
}

func readable(version string) bool {
	return version == "0.1" || version == "2.0" || version == "2.1" || version == "2.2" || version == "2.3" || version == ""
}

func open(t testing.TB, name string) *Table {
	tab, err := Open(ctx, fixtures.Path(t, name+".lance"), Options{})
	require.NoError(t, err)
	t.Cleanup(func() { tab.Close() })
	require.Equal(t, name, tab.Name())
	return tab
}

func checked(t testing.TB) *memory.CheckedAllocator {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return mem
}

func TestFixtures(t *testing.T) {
	tables(t, func(t *testing.T, name string, want answers) {
		tab := open(t, name)
		defer tab.Close()
		if !readable(want.StorageVersion) {
			_, err := tab.Snapshot(ctx, Ref{})
			require.Equal(t, fault.Unsupported, fault.KindOf(err), "%v", err)
			require.ErrorContains(t, err, "storage version "+want.StorageVersion)
			return
		}
		latest, err := tab.Snapshot(ctx, Ref{})
		require.NoError(t, err)
		if want.LatestVersion != 0 {
			require.Equal(t, want.LatestVersion, latest.Version())
		}
		versions, err := tab.Versions(ctx)
		require.NoError(t, err)
		byVersion := make(map[uint64]VersionInfo)
		for _, v := range versions {
			byVersion[v.Version] = v
		}
		for _, v := range want.Versions {
			s, err := tab.Snapshot(ctx, Ref{Version: v.Version})
			require.NoError(t, err)
			require.Equal(t, v.Rows, s.NumRows())
			info := byVersion[v.Version]
			require.Equal(t, v.Rows, info.NumRows)
			require.Equal(t, len(v.Fragments), info.Fragments)
			require.Equal(t, s.Timestamp(), info.Timestamp)
			require.Equal(t, s.Manifest().Operation, info.Operation)
			require.Equal(t, s.Manifest().Writer, info.Writer)
			require.Len(t, s.Fragments(), len(v.Fragments))
			for i, f := range v.Fragments {
				require.Equal(t, f.ID, s.Fragments()[i].ID())
				require.Equal(t, f.Rows, s.Fragments()[i].NumRows())
			}
			if v.Schema != nil {
				require.Len(t, s.Schema().Fields(), len(v.Schema))
				for i, f := range v.Schema {
					got := s.Schema().Field(i)
					require.Equal(t, f.Name, got.Name)
					require.Equal(t, f.Nullable, got.Nullable, f.Name)
					for k, x := range f.Metadata {
						have, _ := got.Metadata.GetValue(k)
						require.Equal(t, x, have, "%s: metadata %s", f.Name, k)
					}
					require.NoError(t, s.Fields()[i].Err)
				}
			}
		}
	})
}

// TestColumns compares every column of every version that pylance has a digest of.
func TestColumns(t *testing.T) {
	readables(t, func(t *testing.T, name string, want answers) {
		mem := checked(t)
		tab := open(t, name)
		defer tab.Close()
		for _, v := range want.Versions {
			if v.Columns == nil && v.Keys == nil {
				continue
			}
			s, err := tab.Snapshot(ctx, Ref{Version: v.Version})
			require.NoError(t, err)
			digests := make(map[string]*digest)
			keys := sha256.New()
			count := 0
			scan(t, s, Columns(names(s)...), mem, func(b arrow.RecordBatch) {
				for i, f := range b.Schema().Fields() {
					if digests[f.Name] == nil {
						digests[f.Name] = newDigest()
					}
					if !digests[f.Name].add(b.Column(i)) {
						require.Empty(t, v.Columns[f.Name].SHA256, "%s %s", f.Name, f.Type)
					}
					if f.Name == "key" || f.Name == "id" {
						for _, k := range int64s(b.Column(i)) {
							keys.Write(binary.LittleEndian.AppendUint64(nil, uint64(k)))
							count++
						}
					}
				}
			})
			for column, d := range digests {
				if sum := v.Columns[column].SHA256; sum != "" {
					require.Equal(t, v.Columns[column].Nulls, d.nulls, "version %d column %s: nulls", v.Version, column)
					require.Equal(t, sum, d.hex(), "version %d column %s", v.Version, column)
				}
			}
			if v.Keys != nil {
				require.Equal(t, v.Keys.Count, count)
				require.Equal(t, v.Keys.SHA256, hex.EncodeToString(keys.Sum(nil)))
			}
		}
	})
}

func int64s(a arrow.Array) (values []int64) {
	for i := range a.Len() {
		switch a := a.(type) {
		case *array.Int64:
			values = append(values, a.Value(i))
		case *array.Int32:
			values = append(values, int64(a.Value(i)))
		}
	}
	return values
}

func key(s *Snapshot) string {
	for _, name := range []string{"key", "id"} {
		if _, err := s.field(name); err == nil {
			return name
		}
	}
	return ""
}

// TestAccess compares scans with limits, takes by position, and row ids.
func TestAccess(t *testing.T) {
	readables(t, func(t *testing.T, name string, want answers) {
		if want.Access == nil {
			return
		}
		mem := checked(t)
		tab := open(t, name)
		defer tab.Close()
		s, err := tab.Snapshot(ctx, Ref{})
		require.NoError(t, err)
		var keys []int64
		ids, addrs := []uint64{}, []uint64{}
		column := key(s)
		scan(t, s, Columns(column, RowIDColumn, RowAddrColumn), mem, func(b arrow.RecordBatch) {
			keys = append(keys, int64s(b.Column(0))...)
			ids = append(ids, b.Column(1).(*array.Uint64).Uint64Values()...)
			addrs = append(addrs, b.Column(2).(*array.Uint64).Uint64Values()...)
		})
		for _, x := range want.Access.Scans {
			from := min(x.Offset, len(keys))
			require.Equal(t, x.Keys, append([]int64{}, keys[from:min(from+x.Limit, len(keys))]...))
		}
		type row struct {
			key      int64
			id, addr uint64
		}
		rows := make(map[row]bool) // keys may occur twice
		for i, k := range keys {
			rows[row{k, ids[i], addrs[i]}] = true
		}
		for _, x := range want.Access.RowIDs {
			require.True(t, rows[row{x.Key, x.ID, x.Addr}], "%+v", x)
		}
		for _, x := range want.Access.Takes {
			// Twice the same ids, so that duplicates are taken too.
			var take []uint64
			for range 2 {
				for _, i := range x.Indices {
					take = append(take, ids[i])
				}
			}
			b, err := s.Take(ctx, take, Columns(column, RowIDColumn), mem)
			require.NoError(t, err)
			require.Equal(t, append(append([]int64{}, x.Keys...), x.Keys...), int64s(b.Column(0)))
			require.Equal(t, take, b.Column(1).(*array.Uint64).Uint64Values())
			b.Release()
		}
		found, ok, err := s.Addresses(ctx, ids)
		require.NoError(t, err)
		require.Equal(t, addrs, found)
		require.NotContains(t, ok, false)
	})
}

func TestLineageOfStableRowIDs(t *testing.T) {
	var want answers
	fixtures.Expected(t, "laion_stable_row_ids", &want)
	require.NotEmpty(t, want.Lineage)
	mem := checked(t)
	tab := open(t, "laion_stable_row_ids")
	for _, v := range want.Lineage {
		s, err := tab.Snapshot(ctx, Ref{Version: v.Version})
		require.NoError(t, err)
		require.True(t, s.HasStableRowIDs())
		rows := [][]uint64{}
		scan(t, s, Columns("key", RowIDColumn, RowAddrColumn, CreatedAtColumn, UpdatedAtColumn), mem, func(b arrow.RecordBatch) {
			for i, k := range int64s(b.Column(0)) {
				row := []uint64{uint64(k)}
				for _, c := range b.Columns()[1:] {
					row = append(row, c.(*array.Uint64).Value(i))
				}
				rows = append(rows, row)
			}
		})
		require.Equal(t, v.Rows, rows, "version %d", v.Version)
	}
}

func TestTagsAndBranches(t *testing.T) {
	for _, name := range []string{"tags", "laion_history"} {
		var want answers
		fixtures.Expected(t, name, &want)
		require.NotEmpty(t, want.ByTag)
		tab := open(t, name)
		versions, err := tab.Versions(ctx)
		require.NoError(t, err)
		for tag, rows := range want.ByTag {
			w := want.Tags[tag]
			s, err := tab.Snapshot(ctx, Ref{Tag: tag})
			require.NoError(t, err)
			require.Equal(t, w.Version, s.Version())
			require.Equal(t, rows, s.NumRows())
			for _, v := range versions {
				if v.Version == w.Version {
					require.Contains(t, v.Tags, tag)
				} else {
					require.NotContains(t, v.Tags, tag)
				}
			}
		}
		_, err = tab.Snapshot(ctx, Ref{Tag: "nobody"})
		require.Equal(t, fault.NotFound, fault.KindOf(err))
	}

	var want answers
	fixtures.Expected(t, "branches", &want)
	mem := checked(t)
	tab := open(t, "branches")
	for branch, w := range want.BranchRows {
		for _, ref := range []Ref{{Branch: branch}, {Tag: branch}, {Branch: branch, Version: w.Version}, {Tag: "on-branch"}} {
			s, err := tab.Snapshot(ctx, ref)
			require.NoError(t, err)
			require.Equal(t, branch, s.Branch())
			require.Equal(t, w.Version, s.Version())
			require.Equal(t, w.Rows, s.NumRows())
			var keys []int64
			scan(t, s, Columns("key"), mem, func(b arrow.RecordBatch) { keys = append(keys, int64s(b.Column(0))...) })
			require.Equal(t, w.Keys, keys)
		}
		versions, err := tab.BranchVersions(ctx, branch)
		require.NoError(t, err)
		require.Equal(t, w.Version, versions[len(versions)-1].Version)
		require.Contains(t, versions[len(versions)-1].Tags, "on-branch")
	}
	require.Equal(t, fault.NotFound, fault.KindOf(errOf(tab.Snapshot(ctx, Ref{Branch: "nobody"}))))
	s, err := tab.Snapshot(ctx, Ref{Branch: "main"})
	require.NoError(t, err)
	require.Equal(t, "", s.Branch())
}

func errOf[T any](_ T, err error) error { return err }

// TestRowsOfMixedTypes compares with the rows as pylance reads them.
func TestRowsOfMixedTypes(t *testing.T) {
	compared := 0
	readables(t, func(t *testing.T, name string, want answers) {
		dir, _ := fixtures.Dir()
		f, err := os.Open(filepath.Join(dir, name+".expected.arrow"))
		if err != nil {
			return
		}
		defer f.Close()
		r, err := ipc.NewFileReader(f)
		require.NoError(t, err)
		defer r.Close()
		expected := make([][]arrow.Array, r.Schema().NumFields())
		for i := range r.NumRecords() {
			b, err := r.RecordBatchAt(i)
			require.NoError(t, err)
			for c := range expected {
				expected[c] = append(expected[c], b.Column(c))
			}
		}

		mem := checked(t)
		tab := open(t, name)
		defer tab.Close()
		s, err := tab.Snapshot(ctx, Ref{})
		require.NoError(t, err)
		var ids []uint64
		scan(t, s, Columns(RowIDColumn), mem, func(b arrow.RecordBatch) {
			ids = append(ids, b.Column(0).(*array.Uint64).Uint64Values()...)
		})
		take := ids
		if want.ArrowFileRows != nil { // the file has only some rows
			take = nil
			for _, i := range want.ArrowFileRows {
				take = append(take, ids[i])
			}
		}
		for c, field := range r.Schema().Fields() {
			want, err := array.Concatenate(storages(expected[c]), memory.DefaultAllocator)
			require.NoError(t, err)
			b, err := s.Take(ctx, take, Columns(field.Name), mem)
			require.NoError(t, err, field.Name)
			got := b.Column(0)
			if id, ok := got.(array.ExtensionArray); ok { // UUID, of which the file is compared as bytes
				require.Equal(t, "arrow.uuid", id.ExtensionType().ExtensionName())
				got = id.Storage()
			}
			require.True(t, arrow.TypeEqual(want.DataType(), got.DataType()), "%s is %s, not %s", field.Name,
				got.DataType(), want.DataType())
			switch want.DataType().ID() {
			case arrow.FLOAT16, arrow.DICTIONARY: // arrow-go compares no NaN, and indices instead of values
				require.Equal(t, want.Len(), got.Len())
				for i := range want.Len() {
					require.Equal(t, want.ValueStr(i), got.ValueStr(i), "%s row %d", field.Name, i)
				}
			default:
				require.True(t, array.ApproxEqual(want, got, array.WithNaNsEqual(true)), "%s: %v, not %v", field.Name, got, want)
			}
			b.Release()
			compared++
		}
	})
	require.Greater(t, compared, 800)
}

// storages replaces extension arrays by what they are stored as.
func storages(list []arrow.Array) []arrow.Array {
	for i, a := range list {
		if ext, ok := a.(array.ExtensionArray); ok {
			list[i] = ext.Storage()
		}
	}
	return list
}
