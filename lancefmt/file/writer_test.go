package file

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
	memstore "lanceflight/lancefmt/storage/mem"
)

// allTypes are columns of every type, in the order in which randomPages writes them.
func allTypes() (columns []ColumnSpec) {
	for _, t := range []arrow.DataType{
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
		arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
		arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
	} {
		columns = append(columns,
			ColumnSpec{Name: t.Name(), Type: t, Nullable: true},
			ColumnSpec{Name: t.Name() + "s", Type: arrow.FixedSizeListOf(7, t)})
	}
	return columns
}

// randomPages writes rows of random bits in pages of various sizes; it returns the bytes of each column.
func randomPages(t *testing.T, w *Writer, columns []ColumnSpec, rows int) [][]byte {
	rng := rand.New(rand.NewPCG(uint64(rows), 1))
	want := make([][]byte, len(columns))
	for i := range columns {
		for left := rows; left > 0; {
			n := min(left, 1+rng.IntN(400))
			values := make([]byte, n*w.RowBytes(i))
			for j := range values {
				values[j] = byte(rng.Uint32()) & 0x3f // no NaN, which would not equal itself
			}
			require.NoError(t, w.Page(i, values[:w.RowBytes(i)], values[w.RowBytes(i):]))
			want[i] = append(want[i], values...)
			left -= n
		}
	}
	return want
}

func writeRandom(t *testing.T, rows int) (data []byte, columns []ColumnSpec, want [][]byte) {
	columns = allTypes()
	var buf bytes.Buffer
	w, err := NewWriter(&buf, columns)
	require.NoError(t, err)
	n, err := w.GlobalBuffer([]byte("first"))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	want = randomPages(t, w, columns, rows)
	n, err = w.GlobalBuffer(nil)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	n, err = w.GlobalBuffer(bytes.Repeat([]byte{9}, 1000))
	require.NoError(t, err)
	require.Equal(t, 3, n)
	w.SetMetadata("a", "b")
	w.SetMetadata("lance:ivf", "1")
	require.NoError(t, w.Finish())
	return buf.Bytes(), columns, want
}

// valueBytes are the values of an array without NULLs.
func valueBytes(t *testing.T, a arrow.Array) []byte {
	require.Zero(t, a.NullN())
	n := a.Len()
	if list, ok := a.(*array.FixedSizeList); ok {
		dim := int(list.DataType().(*arrow.FixedSizeListType).Len())
		a = array.NewSlice(list.ListValues(), int64(a.Data().Offset()*dim), int64((a.Data().Offset()+n)*dim))
		defer a.Release()
		require.Zero(t, a.NullN())
	}
	width := a.DataType().(arrow.FixedWidthDataType).BitWidth() / 8
	if a.Len() == 0 {
		return nil
	}
	return a.Data().Buffers()[1].Bytes()[a.Data().Offset()*width:][:a.Len()*width]
}

func TestWriterReadBack(t *testing.T) {
	for _, rows := range []int{0, 1, 1000} {
		data, columns, want := writeRandom(t, rows)
		store := memstore.New()
		ctx := context.Background()
		require.NoError(t, store.PutIfAbsent(ctx, "f", data))
		obj, err := store.Open(ctx, "f", -1)
		require.NoError(t, err)
		r, err := Open(ctx, obj)
		require.NoError(t, err)
		defer r.Close()
		require.EqualValues(t, rows, r.NumRows())
		meta, err := r.SchemaMetadata(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"a": "b", "lance:ivf": "1"}, meta)
		require.Equal(t, 4, r.NumGlobalBuffers())
		for i, size := range []int{0, 5, 0, 1000} {
			if i > 0 {
				b, err := r.GlobalBuffer(ctx, i)
				require.NoError(t, err)
				require.Equal(t, size, b.Len())
				b.Release()
			}
		}
		fields, err := r.Fields(ctx)
		require.NoError(t, err)
		for i, c := range columns {
			require.Equal(t, c.Name, fields[i].Name)
			require.Equal(t, c.Nullable, fields[i].Nullable)
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			arr, err := r.ReadColumn(ctx, c.Name, []encoding.Range{{Start: 0, End: int64(rows)}}, mem)
			require.NoError(t, err)
			require.Equal(t, c.Type.ID(), arr.DataType().ID())
			require.True(t, bytes.Equal(want[i], valueBytes(t, arr)), c.Name)
			arr.Release()
			mem.AssertSize(t, 0)
			column, err := r.Column(ctx, i)
			require.NoError(t, err)
			for _, p := range column.Pages {
				for _, b := range p.BufRanges {
					require.Zero(t, b.Offset%alignment)
				}
			}
		}
	}
}

func TestWriterAgainstPylance(t *testing.T) {
	for _, rows := range []int{1, 3000} {
		data, columns, want := writeRandom(t, rows)
		path, out := filepath.Join(t.TempDir(), "f.lance"), filepath.Join(t.TempDir(), "f.arrow")
		require.NoError(t, os.WriteFile(path, data, 0o666))
		fixtures.Python(t, "testdata/read_written.py", path, out)
		f, err := os.Open(out)
		require.NoError(t, err)
		defer f.Close()
		r, err := ipc.NewFileReader(f)
		require.NoError(t, err)
		defer r.Close()
		batch, err := r.RecordBatch(0)
		require.NoError(t, err)
		defer batch.Release()
		require.EqualValues(t, rows, batch.NumRows())
		for i, c := range columns {
			require.Equal(t, c.Name, batch.ColumnName(i))
			require.Equal(t, c.Nullable, batch.Schema().Field(i).Nullable)
			require.Equal(t, c.Type.ID(), batch.Column(i).DataType().ID())
			require.True(t, bytes.Equal(want[i], valueBytes(t, batch.Column(i))), c.Name)
		}
		meta := batch.Schema().Metadata().ToMap()
		require.Equal(t, map[string]string{
			"a": "b", "lance:ivf": "1",
			"global 1": hex.EncodeToString([]byte("first")), "global 2": "", "global 3": hex.EncodeToString(bytes.Repeat([]byte{9}, 1000)),
		}, meta)
	}
}

// failing takes some bytes, then no more.
type failing struct{ left int }

var errFull = errors.New("disk full")

func (f *failing) Write(p []byte) (int, error) {
	n := min(len(p), f.left)
	f.left -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestWriterErrors(t *testing.T) {
	_, err := NewWriter(new(bytes.Buffer), []ColumnSpec{{Name: "s", Type: arrow.BinaryTypes.String}})
	require.Equal(t, fault.Unsupported, fault.KindOf(err))
	_, err = NewWriter(new(bytes.Buffer), []ColumnSpec{{Name: "s", Type: arrow.FixedSizeListOf(2,
		arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int8))}})
	require.Equal(t, fault.Unsupported, fault.KindOf(err))

	columns := []ColumnSpec{{Name: "a", Type: arrow.PrimitiveTypes.Int32}, {Name: "b", Type: arrow.PrimitiveTypes.Int8}}
	w, err := NewWriter(new(bytes.Buffer), columns)
	require.NoError(t, err)
	require.Error(t, w.Page(0, make([]byte, 7)))
	w, err = NewWriter(new(bytes.Buffer), columns)
	require.NoError(t, err)
	require.NoError(t, w.Page(0, make([]byte, 8)))
	require.NoError(t, w.Page(1, make([]byte, 3)))
	require.Error(t, w.Finish())

	// An error of the writer below is the outcome, wherever it strikes.
	for room := 0; ; room++ {
		w, err := NewWriter(&failing{left: room}, columns)
		require.NoError(t, err)
		_ = w.Page(0, make([]byte, 8))
		_ = w.Page(1, make([]byte, 2))
		_, _ = w.GlobalBuffer([]byte("x"))
		if err = w.Finish(); err == nil {
			require.Greater(t, room, 300)
			break
		}
		require.ErrorIs(t, err, errFull)
	}
}
