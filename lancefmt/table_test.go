package lancefmt

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/internal/mmap"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/faulty"
	"lanceflight/lancefmt/storage/local"
)

// copyOf copies a fixture, so that a test may change it.
func copyOf(t testing.TB, name string) string {
	dir := filepath.Join(t.TempDir(), name+".lance")
	require.NoError(t, os.CopyFS(dir, os.DirFS(fixtures.Path(t, name+".lance"))))
	return dir
}

func openAt(t testing.TB, dir string, opts Options) *Table {
	tab, err := Open(ctx, dir, opts)
	require.NoError(t, err)
	t.Cleanup(func() { tab.Close() })
	return tab
}

func TestWhatIsNoTable(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(ctx, filepath.Join(dir, "missing.lance"), Options{})
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	_, err = Open(ctx, dir, Options{})
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	require.ErrorContains(t, err, "is not a Lance table")
	_, err = Open(ctx, "gopher://x", Options{})
	require.Equal(t, fault.Unsupported, fault.KindOf(err))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "x.lance", "_versions"), 0o777))
	_, err = Open(ctx, filepath.Join(dir, "x.lance"), Options{})
	require.ErrorContains(t, err, "is not a Lance table")
}

func TestRefs(t *testing.T) {
	tab := open(t, "laion_history")
	latest, err := tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	again, err := tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	require.Same(t, latest, again)
	same, err := tab.Snapshot(ctx, Ref{Version: latest.Version()})
	require.NoError(t, err)
	require.Same(t, latest, same)

	for _, ref := range []Ref{{Version: 1, Tag: "x"}, {Version: 1, Time: time.Now()}, {Tag: "x", Branch: "y"}, {Tag: "../x"}} {
		require.Equal(t, fault.InvalidArgument, fault.KindOf(errOf(tab.Snapshot(ctx, ref))), "%v", ref)
	}
	_, err = tab.Snapshot(ctx, Ref{Version: 99})
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	require.ErrorContains(t, err, "it has versions 1 to 15")
	cleaned := open(t, "cleaned_up")
	require.ErrorContains(t, errOf(cleaned.Snapshot(ctx, Ref{Version: 3})), "it has versions 2, 5")

	versions, err := tab.Versions(ctx)
	require.NoError(t, err)
	for i, v := range versions {
		for _, at := range []time.Time{v.Timestamp, v.Timestamp.Add(time.Microsecond)} {
			s, err := tab.Snapshot(ctx, Ref{Time: at})
			require.NoError(t, err)
			require.Equal(t, v.Version, s.Version())
		}
		if i > 0 {
			s, err := tab.Snapshot(ctx, Ref{Time: v.Timestamp.Add(-time.Nanosecond)})
			require.NoError(t, err)
			require.Equal(t, versions[i-1].Version, s.Version())
		}
	}
	_, err = tab.Snapshot(ctx, Ref{Time: versions[0].Timestamp.Add(-time.Hour)})
	require.Equal(t, fault.NotFound, fault.KindOf(err))
}

func TestCommitsOfOthersAreSeen(t *testing.T) {
	for _, name := range []string{"laion_history", "manifest_names_v1"} {
		dir := copyOf(t, name)
		tab := openAt(t, dir, Options{})
		versions, err := tab.Versions(ctx)
		require.NoError(t, err)
		before, err := tab.Snapshot(ctx, Ref{})
		require.NoError(t, err)
		l := tab.lines[""]
		f, _, err := l.tracker.Latest(ctx)
		require.NoError(t, err)
		held := filepath.Join(t.TempDir(), "held")
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		require.NoError(t, os.Rename(path, held))
		s, err := tab.Snapshot(ctx, Ref{})
		require.NoError(t, err)
		require.Equal(t, versions[len(versions)-2].Version, s.Version())
		require.NoError(t, os.Rename(held, path))
		s, err = tab.Snapshot(ctx, Ref{})
		require.NoError(t, err)
		require.Equal(t, before.Version(), s.Version())
	}
}

func TestTableMadeAnew(t *testing.T) {
	dir := copyOf(t, "tags")
	tab := openAt(t, dir, Options{})
	old, err := tab.Snapshot(ctx, Ref{Version: 1})
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(dir))
	_, err = tab.Snapshot(ctx, Ref{})
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	require.NoError(t, os.CopyFS(dir, os.DirFS(fixtures.Path(t, "manifest_names_v1.lance"))))
	s, err := tab.Snapshot(ctx, Ref{Version: 1})
	require.NoError(t, err)
	require.NotEqual(t, old.NumRows(), s.NumRows())
}

func TestDamagedTables(t *testing.T) {
	for what, damage := range map[string]struct {
		pattern string
		do      func(path string) error
		kind    fault.Kind
		says    string
	}{
		"a data file is gone": {"data/*.lance", os.Remove, fault.NotFound, "data/"},
		"a data file is cut": {"data/*.lance", func(p string) error { return os.Truncate(p, 1000) },
			fault.Corrupt, "1000 bytes, but the table says"},
		"a data file is another":     {"data/*.lance", overwrite("x"), fault.Corrupt, "data/"},
		"a deletion file is gone":    {"_deletions/*", os.Remove, fault.NotFound, "_deletions/"},
		"a deletion file is cut":     {"_deletions/*", func(p string) error { return os.Truncate(p, 9) }, fault.Corrupt, "_deletions/"},
		"a deletion file is another": {"_deletions/*", overwrite("x"), fault.Corrupt, "_deletions/"},
		"a manifest is cut": {"_versions/*.manifest", func(p string) error { return os.Truncate(p, 99) },
			fault.Corrupt, "_versions/"},
		"a manifest is empty": {"_versions/*.manifest", func(p string) error { return os.Truncate(p, 0) },
			fault.Corrupt, "_versions/"},
		"a manifest has another's name": {"_versions/*.manifest", swapManifest, fault.Corrupt, "its name of version"},
	} {
		t.Run(what, func(t *testing.T) {
			dir := copyOf(t, "deletions_arrow_and_bitmap")
			paths, err := filepath.Glob(filepath.Join(dir, damage.pattern))
			require.NoError(t, err)
			for _, p := range paths {
				require.NoError(t, damage.do(p))
			}
			mem := checked(t)
			tab := openAt(t, dir, Options{})
			err = func() error {
				s, err := tab.Snapshot(ctx, Ref{})
				if err != nil {
					return err
				}
				for _, f := range s.Fragments() {
					if _, err := f.Deleted(ctx); err != nil {
						return err
					}
					b, err := f.Read(ctx, Columns("key"), f.all(), mem)
					if err != nil {
						return err
					}
					b.Release()
				}
				return nil
			}()
			require.Equal(t, damage.kind, fault.KindOf(err), "%v", err)
			require.ErrorContains(t, err, damage.says)
			tab.Close()
			require.Zero(t, mmap.Open())
		})
	}
}

// overwrite replaces a file by one of the same size.
func overwrite(fill string) func(path string) error {
	return func(path string) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i := range data {
			data[i] = fill[0]
		}
		return os.WriteFile(path, data, 0o666)
	}
}

// swapManifest puts the manifest of the oldest version in place of this one.
func swapManifest(path string) error {
	all, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.manifest"))
	if err != nil {
		return err
	}
	data, err := os.ReadFile(all[len(all)-1])
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o666)
}

// TestFileCutWhileMapped: the pages of a file that was opened are gone when they are read.
func TestFileCutWhileMapped(t *testing.T) {
	dir := copyOf(t, "laion_v2_2")
	mem := checked(t)
	tab := openAt(t, dir, Options{})
	s, err := tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	f := s.Fragments()[0]
	b, err := f.Read(ctx, Columns("key"), f.all(), mem)
	require.NoError(t, err)
	b.Release()
	paths, err := filepath.Glob(filepath.Join(dir, "data", "*.lance"))
	require.NoError(t, err)
	for _, p := range paths {
		require.NoError(t, os.Truncate(p, 0))
	}
	_, err = f.Read(ctx, Columns("caption", "url"), f.all(), mem)
	require.Equal(t, fault.Corrupt, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "another process cut the file")
}

func TestFaultyStorage(t *testing.T) {
	local, err := local.Dir(fixtures.Path(t, "laion_v2_1.lance"))
	require.NoError(t, err)
	store := faulty.Wrap(local)
	tab, err := OpenStore(ctx, store, Options{})
	require.NoError(t, err)
	mem := checked(t)
	boom := fault.New(fault.Unavailable, "boom")
	store.Add(faulty.Fault{Match: "_versions/*", Times: 1, ReadErr: boom})
	require.Equal(t, fault.Unavailable, fault.KindOf(errOf(tab.Snapshot(ctx, Ref{}))))
	s, err := tab.Snapshot(ctx, Ref{}) // a failure is not remembered
	require.NoError(t, err)
	columns := names(s)
	f := s.Fragments()[0]
	store.Add(faulty.Fault{Match: "data/*", Times: 1, OpenErr: boom})
	require.Equal(t, fault.Unavailable, fault.KindOf(errOf(f.Read(ctx, Columns(columns...), f.all(), mem))))
	// Each read fails once, wherever in the work it is.
	for skip := range 200 {
		store.Clear()
		store.Add(faulty.Fault{Match: "data/*", Skip: skip, Times: 1, ReadErr: boom})
		tab.cache.shut()
		tab.cache = newCache(1 << 30)
		b, err := f.Read(ctx, Columns(columns...), f.all(), mem)
		if err == nil {
			b.Release()
			require.Greater(t, skip, len(columns))
			break
		}
		require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	}
	require.NoError(t, tab.Close())
	require.Zero(t, mmap.Open())
}

func TestBasesOutsideAreRefused(t *testing.T) {
	// A branch's folder opened by itself has its base outside.
	dir := copyOf(t, "branches")
	mem := checked(t)
	branch := filepath.Join(dir, "tree", "experiment")
	tab := openAt(t, branch, Options{})
	s, err := tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	refused := 0
	for _, f := range s.Fragments() {
		b, err := f.Read(ctx, Columns("key"), f.all(), mem)
		if err == nil {
			b.Release()
			continue
		}
		require.Equal(t, fault.PermissionDenied, fault.KindOf(err), "%v", err)
		require.ErrorContains(t, err, "/tmp/lance-fixtures/branches.lance")
		refused++
	}
	require.Positive(t, refused)

	// Allowed, it is looked for.
	tab = openAt(t, branch, Options{AllowBases: []string{"/tmp/lance-fixtures/"}})
	s, err = tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	for i := range s.manifest.Bases {
		s.manifest.Bases[i].Path = dir
	}
	tab.opts.AllowBases = []string{filepath.Dir(dir)}
	var keys []int64
	scan(t, s, Columns("key"), mem, func(b arrow.RecordBatch) { keys = append(keys, int64s(b.Column(0))...) })
	require.Len(t, keys, int(s.NumRows()))

	for _, x := range []struct{ path, root, rest string }{
		{"/a/b", "/a/b", ""}, {"/a/b/c", "/a/b", "c"}, {"/a/bc", "/a/b", "!"}, {"/a", "/a/b", "!"}, {"file:///a/b%20c/d", "/a/b c", "d"},
		{"a/b/../b/c", "/a/b/", "c"}, {"/a/b/../../etc", "/a/b", "!"}, {"s3://x/y/z", "s3://x/y", "z"}, {"/x/y/z", "s3://x/y", "!"},
	} {
		rest, ok := below(basePath(x.path), basePath(x.root))
		if !ok {
			rest = "!"
		}
		require.Equal(t, x.rest, rest, "%+v", x)
	}
}

func TestReadShapes(t *testing.T) {
	mem := checked(t)
	tab := open(t, "laion_v2_1")
	s, err := tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	f := s.Fragments()[0]
	rows := []encoding.Range{{Start: 1, End: 3}, {Start: 3, End: 4}, {Start: 10, End: 10}, {Start: 12, End: 14}}
	b, err := f.Read(ctx, nil, rows, mem)
	require.NoError(t, err)
	require.Equal(t, int64(5), b.NumRows())
	require.Zero(t, b.NumCols())
	b.Release()
	b, err = f.Read(ctx, Columns(RowAddrColumn, "key", "key", RowIDColumn, CreatedAtColumn, UpdatedAtColumn), rows, mem)
	require.NoError(t, err)
	require.Equal(t, []uint64{1, 2, 3, 12, 13}, b.Column(0).(*array.Uint64).Uint64Values())
	require.Equal(t, []uint64{1, 1, 1, 1, 1}, b.Column(4).(*array.Uint64).Uint64Values())
	require.True(t, array.Equal(b.Column(1), b.Column(2)))
	require.True(t, array.Equal(b.Column(0), b.Column(3)))
	b.Release()
	b, err = f.Read(ctx, Columns("img_emb", "image"), nil, mem)
	require.NoError(t, err)
	require.Zero(t, b.NumRows())
	b.Release()
	_, err = f.Read(ctx, Columns("nobody"), rows, mem)
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	for _, bad := range [][]encoding.Range{{{Start: 0, End: f.NumPhysicalRows() + 1}}, {{Start: -1, End: 1}},
		{{Start: 5, End: 4}}, {{Start: 5, End: 6}, {Start: 5, End: 7}}} {
		require.Equal(t, fault.Internal, fault.KindOf(errOf(f.Read(ctx, Columns("key"), bad, mem))))
	}

	// Estimates of sizes are near what is read.
	for column, want := range map[string]float64{"key": 8, "img_emb": 768 * 4, RowIDColumn: 8, "nobody": 16} {
		require.InDelta(t, want, f.BytesPerRow(Columns(column)), 100, column)
	}
	b, err = f.Read(ctx, Columns("image"), f.all(), mem)
	require.NoError(t, err)
	images := b.Column(0).(*array.LargeBinary)
	require.InEpsilon(t, float64(len(images.ValueBytes()))/float64(images.Len()), f.BytesPerRow(Columns("image")), 0.2)
	b.Release()
}

func TestTake(t *testing.T) {
	mem := checked(t)
	for _, name := range []string{"laion_v2_2", "laion_v2_0", "laion_stable_row_ids", "many_small_fragments"} {
		tab := open(t, name)
		s, err := tab.Snapshot(ctx, Ref{})
		require.NoError(t, err)
		columns := append(names(s), RowIDColumn, RowAddrColumn)
		var batches []arrow.RecordBatch
		var ids []uint64
		scan(t, s, Columns(columns...), mem, func(b arrow.RecordBatch) {
			b.Retain()
			batches = append(batches, b)
			ids = append(ids, b.Column(len(columns)-2).(*array.Uint64).Uint64Values()...)
		})
		whole := make([]arrow.Array, len(columns))
		for i := range columns {
			pieces := make([]arrow.Array, len(batches))
			for j, b := range batches {
				pieces[j] = b.Column(i)
			}
			whole[i], err = array.Concatenate(pieces, mem)
			require.NoError(t, err)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for _, n := range []int{0, 1, 2, 17, 300} {
			positions := make([]int, n)
			take := make([]uint64, n)
			for i := range positions {
				positions[i] = rng.IntN(len(ids))
				take[i] = ids[positions[i]]
			}
			b, err := s.Take(ctx, take, Columns(columns...), mem)
			require.NoError(t, err)
			require.Equal(t, int64(n), b.NumRows())
			for c := range columns {
				require.Equal(t, columns[c], b.ColumnName(c))
				for i, p := range positions {
					require.True(t, array.SliceEqual(b.Column(c), int64(i), int64(i+1), whole[c], int64(p), int64(p+1)),
						"%s row %d", columns[c], i)
				}
			}
			b.Release()
		}
		// Ascending ids of one fragment need no second copy; all of them in order need one.
		b, err := s.Take(ctx, ids, Columns(columns...), mem)
		require.NoError(t, err)
		for c := range columns {
			require.True(t, array.Equal(whole[c], b.Column(c)), columns[c])
		}
		b.Release()
		for _, a := range whole {
			a.Release()
		}
		for _, b := range batches {
			b.Release()
		}
		for _, id := range []uint64{1 << 60, 99 << 32, 1<<32 - 1} {
			_, err = s.Take(ctx, []uint64{ids[0], id}, Columns(columns...), mem)
			require.Equal(t, fault.NotFound, fault.KindOf(err), "%v", err)
			require.ErrorContains(t, err, fmt.Sprint(id))
			_, err = s.TakeAddresses(ctx, []uint64{id}, Columns(columns...), mem)
			require.Equal(t, fault.NotFound, fault.KindOf(err), "%v", err)
		}
		_, err = s.Take(ctx, ids[:1], Columns("nobody"), mem)
		require.Equal(t, fault.NotFound, fault.KindOf(err))
		_, err = s.Take(ctx, nil, Columns("nobody"), mem)
		require.Equal(t, fault.NotFound, fault.KindOf(err))
	}
}

func TestDeletedRowsHaveNoAddress(t *testing.T) {
	tab := open(t, "deletions_arrow_and_bitmap")
	mem := checked(t)
	s, err := tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	found := 0
	for _, f := range s.Fragments() {
		deleted, err := f.Deleted(ctx)
		require.NoError(t, err)
		if deleted == nil {
			continue
		}
		again, err := f.Deleted(ctx)
		require.NoError(t, err)
		require.Same(t, deleted, again)
		id := uint64(f.ID())<<32 | uint64(deleted.Minimum())
		_, ok, err := s.Addresses(ctx, []uint64{id})
		require.NoError(t, err)
		require.Equal(t, []bool{false}, ok)
		_, err = s.Take(ctx, []uint64{id}, Columns("key"), mem)
		require.Equal(t, fault.NotFound, fault.KindOf(err))
		found++
	}
	require.Positive(t, found)
}

// TestOwnTables reads the tables of testdata, see testdata/make.py.
func TestOwnTables(t *testing.T) {
	var want struct {
		Spilled [][]uint64        `json:"spilled_lineage"`
		Struct  []json.RawMessage `json:"struct_in_two_files"`
	}
	data, err := os.ReadFile("testdata/expected.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &want))
	mem := checked(t)

	tab := openAt(t, "testdata/spilled_lineage.lance", Options{})
	s, err := tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	require.True(t, s.Fragments()[0].meta.RowIDs.Spilled)
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
	require.Equal(t, want.Spilled, rows)
	for _, r := range rows {
		addrs, ok, err := s.Addresses(ctx, []uint64{r[1], 5})
		require.NoError(t, err)
		require.Equal(t, []bool{true, false}, ok)
		require.Equal(t, r[2], addrs[0])
	}

	tab = openAt(t, "testdata/struct_in_two_files.lance", Options{})
	s, err = tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	i := 0
	scan(t, s, Columns("key", "s"), mem, func(b arrow.RecordBatch) {
		require.Len(t, s.Fragments()[0].plan(s.Fields()[1]), 2)
		for j := range int(b.NumRows()) {
			row, err := json.Marshal(map[string]any{"key": b.Column(0).GetOneForMarshal(j), "s": b.Column(1).GetOneForMarshal(j)})
			require.NoError(t, err)
			require.JSONEq(t, string(want.Struct[i]), string(row))
			i++
		}
	})
	require.Len(t, want.Struct, i)
}

// TestConcurrentUse reads one table from many goroutines with a cache that is far too small, so that
// files are closed while others read them.
func TestConcurrentUse(t *testing.T) {
	mem := checked(t)
	tab := openAt(t, fixtures.Path(t, "many_small_fragments.lance"), Options{CacheBytes: 1})
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			for i := range 30 {
				s, err := tab.Snapshot(ctx, Ref{})
				if err != nil {
					t.Error(err)
					return
				}
				f := s.Fragments()[(worker*7+i)%len(s.Fragments())]
				b, err := f.Read(ctx, Columns("key", "caption", RowIDColumn), liveRanges(t, f), mem)
				if err != nil {
					t.Error(err)
					return
				}
				b.Release()
			}
		})
	}
	wg.Wait()
	_, entries := tab.CacheUsage()
	require.Equal(t, 1, entries)
	s, err := tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	require.NoError(t, tab.Close())
	require.NoError(t, tab.Close())
	require.Zero(t, mmap.Open())
	_, err = s.Fragments()[0].Read(ctx, Columns("key"), nil, mem)
	require.Equal(t, fault.Internal, fault.KindOf(err))
}

// TestBatchesOutliveTheTable: buffers keep the mapping.
func TestBatchesOutliveTheTable(t *testing.T) {
	mem := checked(t)
	tab := open(t, "laion_v2_2")
	s, err := tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	f := s.Fragments()[0]
	b, err := f.Read(ctx, Columns("img_emb", "key"), f.all(), mem)
	require.NoError(t, err)
	d := newDigest()
	d.add(b.Column(0))
	require.NoError(t, tab.Close())
	after := newDigest()
	after.add(b.Column(0))
	require.Equal(t, d.hex(), after.hex())
	b.Release()
	require.Zero(t, mmap.Open())
}

func TestIndexes(t *testing.T) {
	tab := open(t, "laion_v2_2")
	s, err := tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	kinds := make(map[string]string)
	for _, x := range s.Indexes() {
		require.NoError(t, x.Err)
		kinds[x.Name] = x.Kind
		require.Equal(t, "_indices/"+x.UUID, x.Dir())
		require.NotEmpty(t, x.Files)
		for _, file := range x.Files {
			info, err := storage.Stat(ctx, s.Store(), x.Dir()+"/"+file.Path)
			require.NoError(t, err)
			require.Equal(t, file.SizeBytes, info.SizeBytes)
		}
		require.NotNil(t, x.Fragments)
		require.False(t, x.CreatedAt.IsZero())
	}
	require.Equal(t, "IVF_PQ", kinds["img_emb_idx"])
	require.Equal(t, "INVERTED", kinds["caption_idx"])
	require.Equal(t, "BTREE", kinds["key_idx"])

	for name, want := range map[string]string{"vector_ivf_hnsw_sq_l2": "IVF_HNSW_SQ", "vector_ivf_rq_l2": "IVF_RQ",
		"vector_ivf_flat_dot": "IVF_FLAT"} {
		s, err := open(t, name).Snapshot(ctx, Ref{})
		require.NoError(t, err)
		require.Equal(t, want, s.Indexes()[0].Kind, name)
	}
}

func TestConfigAndMetadata(t *testing.T) {
	var want struct {
		Config        map[string]string
		TableMetadata map[string]string `json:"table_metadata"`
	}
	fixtures.Expected(t, "config_and_metadata", &want)
	s, err := open(t, "config_and_metadata").Snapshot(ctx, Ref{})
	require.NoError(t, err)
	require.Equal(t, want.Config, s.Config())
	require.Equal(t, want.TableMetadata, s.Metadata())
	require.Equal(t, "2.2", s.StorageVersion())
	require.NotEmpty(t, s.Writer())
}
