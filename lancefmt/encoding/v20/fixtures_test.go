package v20_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/v20"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dataFile is an open data file with footer version (0, 3).
type dataFile struct {
	storage.Object
	path   string
	rows   int64
	cols   []encoding.Column
	fields []encoding.Field
}

func openObject(t testing.TB, obj storage.Object, path string) *dataFile {
	t.Helper()
	ctx := context.Background()
	r, err := file.Open(ctx, obj)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	d := &dataFile{Object: obj, path: path, rows: r.NumRows()}
	d.cols, err = r.Columns(ctx)
	require.NoError(t, err)
	fields, err := r.Fields(ctx)
	require.NoError(t, err)
	d.fields = asStored(fields)
	return d
}

func openPath(t testing.TB, path string) *dataFile {
	t.Helper()
	store, err := local.Dir(filepath.Dir(path))
	require.NoError(t, err)
	obj, err := store.Open(context.Background(), filepath.Base(path), -1)
	require.NoError(t, err)
	return openObject(t, obj, path)
}

// field finds a field by name.
func (d *dataFile) field(t testing.TB, name string) encoding.Field {
	t.Helper()
	for _, f := range d.fields {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("%s has no field %q", d.path, name)
	return encoding.Field{}
}

func (d *dataFile) read(t testing.TB, f encoding.Field, rows []encoding.Range, mem memory.Allocator) arrow.Array {
	t.Helper()
	r, err := v20.NewReader(d, d.cols, f)
	require.NoError(t, err, f.Name)
	a, err := r.Read(context.Background(), rows, mem)
	require.NoError(t, err, f.Name)
	require.Equal(t, encoding.Count(rows), int64(a.Len()), f.Name)
	require.True(t, arrow.TypeEqual(f.Type, a.DataType()), "%s: %s, not %s", f.Name, a.DataType(), f.Type)
	return a
}

func (d *dataFile) all() []encoding.Range { return []encoding.Range{{Start: 0, End: d.rows}} }

// expectation is what the tests use of NAME.expected.json.
type expectation struct {
	Versions []struct {
		Version   int64
		Rows      int64
		Fragments []struct {
			ID           int
			PhysicalRows int64 `json:"physical_rows"`
			Files        []struct{ Path string }
		}
		Columns map[string]struct {
			Nulls  int
			SHA256 string `json:"sha256"`
		}
	}
	ArrowFileRows []int64 `json:"arrow_file_rows"` // rows in the .arrow file, if not all
	Descriptions  []struct{ Position, Size uint64 }
	Blobs         struct {
		Sizes  []*int64
		SHA256 []*string `json:"sha256"`
	}
}

// fragment is the data files and the deleted rows of a fragment.
type fragment struct {
	files   []*dataFile
	deleted map[int64]bool
}

// latest opens the fragments of the last version of a fixture.
func latest(t testing.TB, name string) (expectation, []fragment) {
	t.Helper()
	var e expectation
	fixtures.Expected(t, name, &e)
	dir := fixtures.Path(t, name+".lance")
	var out []fragment
	v := e.Versions[len(e.Versions)-1]
	for _, f := range v.Fragments {
		fr := fragment{deleted: map[int64]bool{}}
		for _, p := range f.Files {
			d := openPath(t, filepath.Join(dir, "data", p.Path))
			require.Equal(t, f.PhysicalRows, d.rows)
			fr.files = append(fr.files, d)
		}
		deletions, err := filepath.Glob(filepath.Join(dir, "_deletions", fmt.Sprintf("%d-*.arrow", f.ID)))
		require.NoError(t, err)
		for _, p := range deletions {
			in, err := os.Open(p)
			require.NoError(t, err)
			r, err := ipc.NewFileReader(in)
			require.NoError(t, err)
			for i := range r.NumRecords() {
				rec, err := r.RecordBatch(i)
				require.NoError(t, err)
				for _, row := range rec.Column(0).(*array.Uint32).Uint32Values() {
					fr.deleted[int64(row)] = true
				}
			}
			require.NoError(t, r.Close())
			require.NoError(t, in.Close())
		}
		out = append(out, fr)
	}
	return e, out
}

// live returns the ranges of the rows of a fragment that are not deleted.
func (f fragment) live() (rows []encoding.Range) {
	for i := range f.files[0].rows {
		if !f.deleted[i] {
			rows = append(rows, encoding.Range{Start: i, End: i + 1})
		}
	}
	return rows
}

// hashValues is the sha256 that expected.json defines for a column, fed array by array.
func hashValues(t testing.TB, h hash.Hash, a arrow.Array) {
	t.Helper()
	var word [8]byte
	put := func(v uint64) {
		binary.LittleEndian.PutUint64(word[:], v)
		h.Write(word[:])
	}
	for i := range a.Len() {
		if a.IsNull(i) {
			h.Write([]byte{0})
			continue
		}
		h.Write([]byte{1})
		switch a := a.(type) {
		case *array.Int64:
			put(uint64(a.Value(i)))
		case *array.Int32:
			put(uint64(a.Value(i)))
		case *array.Int16:
			put(uint64(a.Value(i)))
		case *array.Int8:
			put(uint64(a.Value(i)))
		case *array.Uint64:
			put(a.Value(i))
		case *array.Uint32:
			put(uint64(a.Value(i)))
		case *array.Uint16:
			put(uint64(a.Value(i)))
		case *array.Uint8:
			put(uint64(a.Value(i)))
		case *array.Boolean:
			v := uint64(0)
			if a.Value(i) {
				v = 1
			}
			put(v)
		case *array.Float64:
			put(math.Float64bits(a.Value(i)))
		case *array.Float32:
			put(math.Float64bits(float64(a.Value(i))))
		case *array.Float16:
			put(math.Float64bits(float64(a.Value(i).Float32())))
		case *array.Date32:
			put(uint64(a.Value(i)))
		case *array.Date64:
			put(uint64(a.Value(i)))
		case *array.Time32:
			put(uint64(a.Value(i)))
		case *array.Time64:
			put(uint64(a.Value(i)))
		case *array.Timestamp:
			put(uint64(a.Value(i)))
		case *array.Duration:
			put(uint64(a.Value(i)))
		case *array.String:
			put(uint64(len(a.Value(i))))
			h.Write([]byte(a.Value(i)))
		case *array.LargeString:
			put(uint64(len(a.Value(i))))
			h.Write([]byte(a.Value(i)))
		case *array.Binary:
			put(uint64(len(a.Value(i))))
			h.Write(a.Value(i))
		case *array.LargeBinary:
			put(uint64(len(a.Value(i))))
			h.Write(a.Value(i))
		case *array.FixedSizeBinary:
			put(uint64(len(a.Value(i))))
			h.Write(a.Value(i))
		case *array.Dictionary:
			switch items := a.Dictionary().(type) {
			case *array.String:
				v := items.Value(a.GetValueIndex(i))
				put(uint64(len(v)))
				h.Write([]byte(v))
			case *array.Int64:
				put(uint64(items.Value(a.GetValueIndex(i))))
			default:
				t.Fatalf("no hash of %s", a.DataType())
			}
		case *array.FixedSizeList:
			from, to := a.ValueOffsets(i)
			for _, v := range a.ListValues().(*array.Float32).Float32Values()[from:to] {
				binary.LittleEndian.PutUint32(word[:4], math.Float32bits(v))
				h.Write(word[:4])
			}
		default:
			t.Fatalf("no hash of %s", a.DataType())
		}
	}
}

// TestColumnHashes reads whole columns and compares them with what pylance read.
func TestColumnHashes(t *testing.T) {
	for _, name := range []string{"laion_v2_0", "types_v2_0", "encodings_v2_0"} {
		t.Run(name, func(t *testing.T) {
			e, fragments := latest(t, name)
			hashed := 0
			for _, f := range fragments[0].files[0].fields {
				want, ok := e.Versions[len(e.Versions)-1].Columns[f.Name]
				if !ok || want.SHA256 == "" {
					continue
				}
				mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
				h, nulls := sha256.New(), 0
				for _, fr := range fragments {
					a := fr.files[0].read(t, f, fr.live(), mem)
					hashValues(t, h, a)
					nulls += a.NullN()
					a.Release()
				}
				require.Equal(t, want.Nulls, nulls, f.Name)
				require.Equal(t, want.SHA256, hex.EncodeToString(h.Sum(nil)), f.Name)
				mem.AssertSize(t, 0)
				hashed++
			}
			require.Greater(t, hashed, 15)
			t.Logf("%d columns", hashed)
		})
	}
}

// expectedRows opens NAME.expected.arrow.
func expectedRows(t testing.TB, name string) arrow.Table {
	t.Helper()
	in, err := os.Open(fixtures.Path(t, name+".expected.arrow"))
	require.NoError(t, err)
	defer in.Close()
	r, err := ipc.NewFileReader(in)
	require.NoError(t, err)
	defer r.Close()
	var recs []arrow.RecordBatch
	for i := range r.NumRecords() {
		rec, err := r.RecordBatch(i)
		require.NoError(t, err)
		rec.Retain()
		recs = append(recs, rec)
	}
	return array.NewTableFromRecords(r.Schema(), recs)
}

// values spells the values of an array, for comparisons across types that differ in names only.
func values(a arrow.Array) []string {
	if ext, ok := a.(array.ExtensionArray); ok {
		a = ext.Storage()
	}
	out := make([]string, a.Len())
	for i := range out {
		if a.IsNull(i) {
			out[i] = "NULL"
		} else {
			out[i] = "=" + a.ValueStr(i)
		}
	}
	return out
}

// TestRows compares all columns of the tables of mixed types with the rows as pylance read them.
func TestRows(t *testing.T) {
	for _, name := range []string{"types_v2_0", "encodings_v2_0"} {
		t.Run(name, func(t *testing.T) {
			e, fragments := latest(t, name)
			table := expectedRows(t, name)
			defer table.Release()
			for _, f := range fragments[0].files[0].fields {
				mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
				var got, want []string
				for _, fr := range fragments {
					rows := fr.live()
					if len(e.ArrowFileRows) > 0 {
						rows = rows[:0]
						for _, i := range e.ArrowFileRows {
							rows = append(rows, encoding.Range{Start: i, End: i + 1})
						}
					}
					a := fr.files[0].read(t, f, rows, mem)
					got = append(got, values(a)...)
					a.Release()
				}
				index := table.Schema().FieldIndices(f.Name)
				require.Len(t, index, 1, f.Name)
				for _, chunk := range table.Column(index[0]).Data().Chunks() {
					want = append(want, values(chunk)...)
				}
				if f.Name == "json" { // pylance re-serialises the JSONB that is stored
					require.Len(t, got, len(want))
					for i := range got {
						require.Equal(t, want[i] == "NULL", got[i] == "NULL")
					}
				} else {
					require.Equal(t, want, got, f.Name)
				}
				mem.AssertSize(t, 0)
			}
		})
	}
}

// randomRows returns ascending ranges of rows, from single rows to long runs.
func randomRows(rng *rand.Rand, n int64) []encoding.Range {
	var rows []encoding.Range
	longest := 1 + rng.Int64N(max(n/3, 1)+1)
	density := 1 + rng.Int64N(max(n/4, 1)+1)
	for at := rng.Int64N(density); at < n; {
		r := encoding.Range{Start: at, End: min(n, at+1+rng.Int64N(longest))}
		rows = append(rows, r)
		at = r.End + rng.Int64N(density)
	}
	return rows
}

// sliceRows takes rows out of the array of all rows.
func sliceRows(all arrow.Array, rows []encoding.Range) []string {
	out := []string{}
	for _, r := range rows {
		part := array.NewSlice(all, r.Start, r.End)
		out = append(out, values(part)...)
		part.Release()
	}
	return out
}

// version20Files returns the data and index files of the fixtures with footer version (0, 3).
func version20Files(t testing.TB) (paths []string) {
	t.Helper()
	fixtures.Path(t, "laion_v2_0.lance")
	dir, _ := fixtures.Dir()
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".lance" && filepath.Ext(path) != ".idx" {
			return err
		}
		data, err := os.ReadFile(path)
		if n := len(data); err == nil && n > 8 && string(data[n-4:]) == "LANC" && binary.LittleEndian.Uint32(data[n-8:]) == 3<<16 {
			paths = append(paths, path)
		}
		return err
	}))
	sort.Strings(paths)
	return paths
}

// TestTakesAgreeWithScan reads every column of every file with footer version (0, 3), data and
// index files, as a whole and by random ranges.
func TestTakesAgreeWithScan(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	paths := version20Files(t)
	require.Greater(t, len(paths), 10)
	columns := 0
	for _, path := range paths {
		d := openPath(t, path)
		for _, f := range d.fields {
			if strings.Contains(path, "blob_metadata") && f.Name == "blob" {
				continue // TestBlobs
			}
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			all := d.read(t, f, d.all(), mem)
			for range 8 {
				rows := randomRows(rng, d.rows)
				a := d.read(t, f, rows, mem)
				require.Equal(t, sliceRows(all, rows), values(a), "%s %s %v", path, f.Name, rows)
				a.Release()
			}
			none := d.read(t, f, nil, mem)
			require.Equal(t, 0, none.Len())
			none.Release()
			all.Release()
			mem.AssertSize(t, 0)
			columns++
		}
	}
	t.Logf("%d columns of %d files", columns, len(paths))
}

// repeated returns the columns with all pages n times: a file of n times the rows, whose columns
// have several pages, also where the fixtures have one.
func (d *dataFile) repeated(n int) []encoding.Column {
	out := make([]encoding.Column, len(d.cols))
	for i, c := range d.cols {
		out[i] = c
		out[i].Pages = nil
		for range n {
			out[i].Pages = append(out[i].Pages, c.Pages...)
		}
	}
	return out
}

// TestManyPages reads across page boundaries.
func TestManyPages(t *testing.T) {
	const n = 3
	rng := rand.New(rand.NewPCG(7, 8))
	for _, name := range []string{"types_v2_0", "encodings_v2_0"} {
		_, fragments := latest(t, name)
		d := fragments[0].files[0]
		cols := d.repeated(n)
		for _, f := range d.fields {
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			once := d.read(t, f, d.all(), mem)
			want := values(once)
			once.Release()
			r, err := v20.NewReader(d, cols, f)
			require.NoError(t, err)
			for k := range 6 {
				rows := []encoding.Range{{Start: 0, End: n * d.rows}}
				if k > 0 {
					rows = randomRows(rng, n*d.rows)
				}
				a, err := r.Read(context.Background(), rows, mem)
				require.NoError(t, err, f.Name)
				some := []string{}
				for _, r := range rows {
					for i := r.Start; i < r.End; i++ {
						some = append(some, want[i%d.rows])
					}
				}
				require.Equal(t, some, values(a), f.Name)
				a.Release()
			}
			mem.AssertSize(t, 0)
		}
	}
}

// TestConcurrentReads shares one reader, whose caches are cold, between goroutines.
func TestConcurrentReads(t *testing.T) {
	_, fragments := latest(t, "encodings_v2_0")
	d := fragments[0].files[0]
	cols := d.repeated(2)
	for _, name := range []string{"string_dictionary_nulls", "string_zstd", "string_lz4", "string_fsst_explicit",
		"list_string_nulls", "struct_packed", "float64_nulls"} {
		f := d.field(t, name)
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		once := d.read(t, f, d.all(), mem)
		want := values(once)
		once.Release()
		r, err := v20.NewReader(d, cols, f)
		require.NoError(t, err)
		var g errgroup.Group
		for k := range 8 {
			g.Go(func() error {
				rng := rand.New(rand.NewPCG(9, uint64(k)))
				for range 4 {
					rows := randomRows(rng, 2*d.rows)
					a, err := r.Read(context.Background(), rows, mem)
					if err != nil {
						return err
					}
					got := values(a)
					a.Release()
					for _, r := range rows {
						for i := r.Start; i < r.End; i++ {
							if got[0] != want[i%d.rows] {
								return fmt.Errorf("%s, row %d: %s, not %s", name, i, got[0], want[i%d.rows])
							}
							got = got[1:]
						}
					}
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
		mem.AssertSize(t, 0)
	}
}

// TestBlobs reads a blob column as values and as descriptions.
func TestBlobs(t *testing.T) {
	e, fragments := latest(t, "blob_metadata_v2_0")
	row := 0
	for _, fr := range fragments {
		d := fr.files[0]
		f := d.field(t, "blob")
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		defer mem.AssertSize(t, 0)

		f.Type = arrow.StructOf(
			arrow.Field{Name: "position", Type: arrow.PrimitiveTypes.Uint64},
			arrow.Field{Name: "size", Type: arrow.PrimitiveTypes.Uint64})
		descriptions := d.read(t, f, d.all(), mem).(*array.Struct)
		defer descriptions.Release()
		for i := range descriptions.Len() {
			want := e.Descriptions[row+i]
			require.Equal(t, want.Position, descriptions.Field(0).(*array.Uint64).Value(i))
			require.Equal(t, want.Size, descriptions.Field(1).(*array.Uint64).Value(i))
		}

		f.Type = arrow.BinaryTypes.LargeBinary
		blobs := d.read(t, f, d.all(), mem).(*array.LargeBinary)
		defer blobs.Release()
		for i := range blobs.Len() {
			size := e.Blobs.Sizes[row+i]
			require.Equal(t, size == nil, blobs.IsNull(i), "row %d", i)
			if size == nil {
				continue
			}
			require.Len(t, blobs.Value(i), int(*size))
			sum := sha256.Sum256(blobs.Value(i))
			require.Equal(t, *e.Blobs.SHA256[row+i], hex.EncodeToString(sum[:]), "row %d", i)
		}
		rng := rand.New(rand.NewPCG(3, 4))
		for range 8 {
			rows := randomRows(rng, d.rows)
			part := d.read(t, f, rows, mem)
			require.Equal(t, sliceRows(blobs, rows), values(part))
			part.Release()
		}
		row += int(d.rows)
	}
	require.Equal(t, len(e.Blobs.Sizes), row)
}

// asStored gives fields of JSON the type of what is stored, as the caller of a decoder does: bytes.
func asStored(fields []encoding.Field) []encoding.Field {
	fields = slices.Clone(fields)
	for i := range fields {
		if fields[i].JSONB {
			fields[i].Type, fields[i].JSONB = arrow.BinaryTypes.Binary, false
		}
	}
	return fields
}
