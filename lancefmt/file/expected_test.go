package file

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
)

// expectedTable is what NAME.expected.json says about a table, as far as files go.
type expectedTable struct {
	Versions []struct {
		Version   int
		Rows      int64
		Fragments []struct {
			ID           int
			PhysicalRows int64 `json:"physical_rows"`
			Files        []struct{ Path string }
			Deletion     *struct {
				FileType    string `json:"file_type"`
				ReadVersion uint64 `json:"read_version"`
				ID          uint64
			} `json:"deletion_file"`
		}
		Columns map[string]struct {
			Type   string
			Nulls  int
			SHA256 string
		}
	}
	ArrowFileRows []int64 `json:"arrow_file_rows"`
}

// deletedRows reads a deletion file.
func deletedRows(t *testing.T, table string, fragment int, fileType string, readVersion, id uint64) *roaring.Bitmap {
	name := fmt.Sprintf("%s/_deletions/%d-%d-%d", table, fragment, readVersion, id)
	if fileType == "bitmap" {
		b, err := os.ReadFile(name + ".bin")
		require.NoError(t, err)
		m := roaring.New()
		_, err = m.FromBuffer(b)
		require.NoError(t, err)
		return m
	}
	b, err := os.ReadFile(name + ".arrow")
	require.NoError(t, err)
	m := roaring.New()
	tbl := readTable(t, b)
	for _, chunk := range tbl.Column(0).Data().Chunks() {
		m.AddMany(chunk.(*array.Uint32).Uint32Values())
	}
	return m
}

// liveRanges returns the rows of a fragment that are not deleted.
func liveRanges(n int64, deleted *roaring.Bitmap) (rows []encoding.Range) {
	start := int64(0)
	if deleted != nil {
		for it := deleted.Iterator(); it.HasNext(); {
			at := int64(it.Next())
			if at > start {
				rows = append(rows, encoding.Range{Start: start, End: at})
			}
			start = at + 1
		}
	}
	if start < n {
		rows = append(rows, encoding.Range{Start: start, End: n})
	}
	return rows
}

// TestExpected reads the live rows of every table of storage version 2.x and compares each column with
// pylance's digest, and with pylance's rows where there is an .arrow file. Columns that were renamed
// or rewritten, so that the files alone do not tell where they are, are left to the table's tests.
func TestExpected(t *testing.T) {
	digests, rowsCompared := 0, 0
	for _, path := range fixtures.Glob(t, "*.expected.json") {
		name := strings.TrimSuffix(filepath.Base(path), ".expected.json")
		t.Run(name, func(t *testing.T) {
			var want expectedTable
			fixtures.Expected(t, name, &want)
			table := fixtures.Path(t, name+".lance")
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			for i, v := range want.Versions {
				columns := map[string]arrow.Array{}
				for column, exp := range v.Columns {
					var parts []arrow.Array
					for _, f := range v.Fragments {
						var deleted *roaring.Bitmap
						if d := f.Deletion; d != nil {
							deleted = deletedRows(t, table, f.ID, d.FileType, d.ReadVersion, d.ID)
						}
						var paths []string
						for _, x := range f.Files {
							paths = append(paths, x.Path)
						}
						a := readFragment(t, table, paths, column, liveRanges(f.PhysicalRows, deleted), mem)
						if a == nil {
							parts = nil
							break
						}
						defer a.Release()
						parts = append(parts, a)
					}
					if len(parts) == 0 {
						continue
					}
					// Some tables moved a column to another file under the same name; the type tells.
					if got := parts[0].DataType().String(); exp.Type != "" && exp.SHA256 != "" && !sameType(exp.Type, got) {
						continue
					}
					if exp.SHA256 != "" {
						h := sha256.New()
						nulls := 0
						for _, a := range parts {
							digest(t, h, a)
							nulls += a.NullN()
						}
						require.Equal(t, exp.Nulls, nulls, "version %d column %s", v.Version, column)
						require.Equal(t, exp.SHA256, hex.EncodeToString(h.Sum(nil)), "version %d column %s", v.Version, column)
						digests++
					}
					sameTypes := true
					for _, a := range parts {
						sameTypes = sameTypes && arrow.TypeEqual(a.DataType(), parts[0].DataType())
					}
					if i == len(want.Versions)-1 && sameTypes {
						columns[column] = concat(t, parts)
					}
				}
				if i < len(want.Versions)-1 {
					continue
				}
				arrowPath := strings.TrimSuffix(path, ".json") + ".arrow"
				b, err := os.ReadFile(arrowPath)
				if err != nil {
					continue
				}
				tbl := readTable(t, b)
				for c := range int(tbl.NumCols()) {
					col := tbl.Column(c)
					got, ok := columns[col.Name()]
					if !ok {
						continue
					}
					exp := chunksOf(t, col)
					for row := range exp.Len() {
						at := row
						if len(want.ArrowFileRows) > 0 {
							at = int(want.ArrowFileRows[row])
						}
						require.Equal(t, text(exp, row), text(got, at), "column %s row %d", col.Name(), at)
						rowsCompared++
					}
				}
			}
		})
	}
	if _, only := os.LookupEnv(fixtures.Variable); !only {
		require.Greater(t, digests, 1000)
		require.Greater(t, rowsCompared, 20000)
	}
	t.Logf("%d digests, %d values", digests, rowsCompared)
}

// concat copies the parts into one array; dictionaries may differ between them.
func concat(t *testing.T, parts []arrow.Array) arrow.Array {
	if len(parts) == 1 {
		return parts[0]
	}
	a, err := array.Concatenate(parts, memory.DefaultAllocator)
	require.NoError(t, err)
	return a
}

func sameType(want, got string) bool {
	head := func(s string) string { return strings.FieldsFunc(s+" ", func(r rune) bool { return !isWord(r) })[0] }
	alias := map[string]string{"utf8": "string", "large_utf8": "large_string", "float": "float32", "double": "float64",
		"halffloat": "float16"}
	w, g := head(want), head(got)
	if a, ok := alias[w]; ok {
		w = a
	}
	if a, ok := alias[g]; ok {
		g = a
	}
	return w == g
}

func isWord(r rune) bool { return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' }

// readFragment reads a column of a fragment, or returns nil if not exactly one of its files has a
// column of that name (or the storage version is another one).
func readFragment(t *testing.T, table string, paths []string, column string, rows []encoding.Range, mem memory.Allocator) arrow.Array {
	ctx := context.Background()
	var found arrow.Array
	for _, p := range paths {
		r, err := openPath(t, filepath.Join(table, "data", p))
		if fault.Is(err, fault.Unsupported) {
			return nil
		}
		require.NoError(t, err)
		defer r.Close()
		fields, err := r.Fields(ctx)
		require.NoError(t, err)
		for _, f := range fields {
			if f.Name != column {
				continue
			}
			if found != nil {
				found.Release()
				return nil
			}
			if IsBlob(f) && f.Type.ID() == arrow.LARGE_BINARY {
				f.Type = BlobDescriptor // what pylance gives
			}
			cr, err := r.ColumnReader(f)
			require.NoError(t, err)
			found, err = cr.Read(ctx, rows, mem)
			require.NoError(t, err)
		}
	}
	return found
}

// digest feeds h with a column by the rule of the fixtures' README.
func digest(t *testing.T, h hash.Hash, a arrow.Array) {
	var b [8]byte
	i64 := func(v int64) {
		binary.LittleEndian.PutUint64(b[:], uint64(v))
		h.Write(b[:])
	}
	f64 := func(v float64) { i64(int64(math.Float64bits(v))) }
	blob := func(v []byte) {
		i64(int64(len(v)))
		h.Write(v)
	}
	for i := range a.Len() {
		if d, ok := a.(*array.Dictionary); ok && !a.IsNull(i) {
			item := array.NewSlice(d.Dictionary(), int64(d.GetValueIndex(i)), int64(d.GetValueIndex(i))+1)
			digest(t, h, item)
			item.Release()
			continue
		}
		if a.IsNull(i) {
			h.Write([]byte{0})
			continue
		}
		h.Write([]byte{1})
		switch a := a.(type) {
		case *array.Int8:
			i64(int64(a.Value(i)))
		case *array.Int16:
			i64(int64(a.Value(i)))
		case *array.Int32:
			i64(int64(a.Value(i)))
		case *array.Int64:
			i64(a.Value(i))
		case *array.Uint8:
			i64(int64(a.Value(i)))
		case *array.Uint16:
			i64(int64(a.Value(i)))
		case *array.Uint32:
			i64(int64(a.Value(i)))
		case *array.Uint64:
			i64(int64(a.Value(i)))
		case *array.Boolean:
			if a.Value(i) {
				i64(1)
			} else {
				i64(0)
			}
		case *array.Date32:
			i64(int64(a.Value(i)))
		case *array.Date64:
			i64(int64(a.Value(i)))
		case *array.Time32:
			i64(int64(a.Value(i)))
		case *array.Time64:
			i64(int64(a.Value(i)))
		case *array.Timestamp:
			i64(int64(a.Value(i)))
		case *array.Duration:
			i64(int64(a.Value(i)))
		case *array.Float16:
			f64(float64(a.Value(i).Float32()))
		case *array.Float32:
			f64(float64(a.Value(i)))
		case *array.Float64:
			f64(a.Value(i))
		case *array.String:
			blob([]byte(a.Value(i)))
		case *array.LargeString:
			blob([]byte(a.Value(i)))
		case *array.Binary:
			blob(a.Value(i))
		case *array.LargeBinary:
			blob(a.Value(i))
		case *array.FixedSizeBinary:
			blob(a.Value(i))
		case *array.FixedSizeList:
			lo, hi := a.ValueOffsets(i)
			items := a.ListValues().(*array.Float32).Float32Values()
			for _, v := range items[lo:hi] {
				binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
				h.Write(b[:4])
			}
		default:
			t.Fatalf("no digest of %s", a.DataType())
		}
	}
}
