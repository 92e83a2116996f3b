package v20_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/v20"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/pb/enc20pb"
	"lanceflight/lancefmt/storage"
	memstore "lanceflight/lancefmt/storage/mem"
)

// boundedAllocator fails the test if more than limit bytes are held at once.
type boundedAllocator struct {
	memory.Allocator
	t     testing.TB
	limit int
	held  int
}

func (a *boundedAllocator) Allocate(size int) []byte {
	a.grow(size)
	return a.Allocator.Allocate(size)
}

func (a *boundedAllocator) Reallocate(size int, b []byte) []byte {
	a.grow(size - len(b))
	return a.Allocator.Reallocate(size, b)
}

func (a *boundedAllocator) Free(b []byte) {
	a.held -= len(b)
	a.Allocator.Free(b)
}

func (a *boundedAllocator) grow(n int) {
	if a.held += n; a.held > a.limit {
		a.t.Fatalf("%d bytes held, more than %d", a.held, a.limit)
	}
}

// fuzzTypes are the types that a fuzzed page is read as.
var fuzzTypes = []arrow.DataType{
	arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Uint8, arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Float32,
	arrow.PrimitiveTypes.Int16, &arrow.Decimal128Type{Precision: 10, Scale: 2}, &arrow.FixedSizeBinaryType{ByteWidth: 3},
	arrow.BinaryTypes.String, arrow.BinaryTypes.LargeBinary,
	arrow.FixedSizeListOf(4, arrow.PrimitiveTypes.Float32), arrow.FixedSizeListOf(768, arrow.PrimitiveTypes.Float32),
	arrow.FixedSizeListOf(5, arrow.FixedWidthTypes.Boolean), arrow.FixedSizeListOf(2, arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Int32)),
	&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String},
	&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: arrow.PrimitiveTypes.Int64},
	arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int32},
		arrow.Field{Name: "b", Type: arrow.PrimitiveTypes.Float64}, arrow.Field{Name: "c", Type: arrow.PrimitiveTypes.Uint8}),
	arrow.StructOf(arrow.Field{Name: "position", Type: arrow.PrimitiveTypes.Uint64},
		arrow.Field{Name: "size", Type: arrow.PrimitiveTypes.Uint64}),
	arrow.ListOf(arrow.PrimitiveTypes.Int32), arrow.Null,
}

// typeIndex returns the number of a type in fuzzTypes, or -1.
func typeIndex(dt arrow.DataType) int {
	for i, c := range fuzzTypes {
		if arrow.TypeEqual(c, dt) || c.ID() == dt.ID() && c.String() == dt.String() {
			return i
		}
	}
	return -1
}

// FuzzPage decodes a page whose encoding message, buffers and row count are arbitrary, as a column
// of any type, whole and by ranges. The outcome is an array that can be walked, or an error, with
// bounded memory. Seeds are pages of the fixtures.
//
// data is cut into the page's buffers by sizes (two bytes each). A list's items are the page read
// again as int32.
func FuzzPage(f *testing.F) {
	for _, path := range version20Files(f) {
		d := openPath(f, path)
		for _, field := range d.fields {
			kind := typeIndex(field.Type)
			col := d.cols[field.Column]
			if kind < 0 || len(col.Pages) == 0 {
				continue
			}
			page := col.Pages[0]
			bufs, err := d.ReadRanges(context.Background(), page.BufRanges)
			require.NoError(f, err)
			var data, sizes []byte
			for _, b := range bufs {
				data = append(data, b.Bytes()...)
				sizes = binary.LittleEndian.AppendUint16(sizes, uint16(b.Len()))
				b.Release()
			}
			if len(data) < 1<<12 {
				f.Add(uint8(kind), page.NumRows, page.Encoding, sizes, data, uint8(0))
			}
		}
	}
	list := listMessage(f)
	for kind, dt := range fuzzTypes {
		if dt.ID() == arrow.STRING || dt.ID() == arrow.LARGE_BINARY { // strings as lists, their bytes in the column behind
			data := append([]byte("abcde..."), 2, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0)
			f.Add(uint8(kind), int64(3), list, []byte{8, 0, 24, 0}, data, uint8(4))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, rows int64, enc, sizes, data []byte, options uint8) {
		if rows < 0 || len(data) > 1<<16 {
			return
		}
		page := encoding.Page{NumRows: rows, Encoding: enc, TypeURL: "/lance.encodings.ArrayEncoding"}
		at := int64(0)
		for ; len(sizes) >= 2; sizes = sizes[2:] {
			n := min(int64(binary.LittleEndian.Uint16(sizes)), int64(len(data))-at)
			page.BufRanges = append(page.BufRanges, storage.Range{Offset: at, Length: n})
			at += n
		}
		col := encoding.Column{Pages: []encoding.Page{page}}
		if options&1 != 0 {
			col.Pages = append(col.Pages, page)
		}
		if options&2 != 0 {
			col.Encoding, col.TypeURL = []byte{26, 0}, "/lance.encodings.ColumnEncoding" // blob
		}
		field := encoding.Field{Name: "c", Type: fuzzTypes[int(kind)%len(fuzzTypes)]}
		cols := []encoding.Column{col}
		if field.Type.ID() == arrow.LIST {
			field.Children = []encoding.Field{{Name: "item", Type: arrow.PrimitiveTypes.Int32, Column: 1}}
			item := encoding.Page{NumRows: rows, Encoding: []byte{18, 2, 26, 0}, TypeURL: page.TypeURL} // all NULL
			cols = append(cols, encoding.Column{Index: 1, Pages: []encoding.Page{item, item, item}})
		}
		if options&4 != 0 { // the first buffer as bytes
			items := encoding.Page{NumRows: int64(len(data)), Encoding: []byte{18, 10, 10, 8, 10, 6, 10, 4, 8, 8, 18, 0}, TypeURL: page.TypeURL}
			items.BufRanges = []storage.Range{{Length: int64(len(data))}}
			cols = append(cols, encoding.Column{Index: len(cols), Pages: []encoding.Page{items}})
		}
		store := memstore.New()
		store.Put("f", data)
		obj, err := store.Open(context.Background(), "f", -1)
		require.NoError(t, err)
		before := string(data)
		r, err := v20.NewReader(obj, cols, field)
		if err != nil {
			return
		}
		checked := memory.NewCheckedAllocator(memory.NewGoAllocator())
		mem := &boundedAllocator{Allocator: checked, t: t, limit: 4 * (64<<20 + len(data)<<10)}
		for _, want := range [][]encoding.Range{
			{{Start: 0, End: min(rows, 3000)}},
			{{Start: rows / 3, End: rows/3 + 1}, {Start: rows / 2, End: rows/2 + min(rows-rows/2, 100)}},
		} {
			if want[0].End > rows || len(want) > 1 && want[0].End > want[1].Start {
				continue
			}
			a, err := r.Read(context.Background(), want, mem)
			if err != nil {
				continue
			}
			require.Equal(t, encoding.Count(want), int64(a.Len()))
			walk(t, a)
			a.Release()
		}
		checked.AssertSize(t, 0)
		require.Equal(t, before, string(data), "the file was written to")
	})
}

// listMessage is the encoding of a page of lists with 5 items, whose ends are in buffer 1.
func listMessage(t testing.TB) []byte {
	b, err := proto.Marshal(&enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_List{List: &enc20pb.List{
		NullOffsetAdjustment: 6, NumItems: 5,
		Offsets: &enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_Flat{Flat: &enc20pb.Flat{BitsPerValue: 64,
			Buffer: &enc20pb.Buffer{BufferIndex: 1}}}},
	}}})
	require.NoError(t, err)
	return b
}

// walk touches every value of an array.
func walk(t testing.TB, a arrow.Array) {
	switch a := a.(type) {
	case *array.Binary:
		require.NoError(t, a.ValidateFull())
	case *array.LargeBinary:
		require.NoError(t, a.ValidateFull())
	case *array.String: // not ValidateFull: flipped bytes need not be UTF-8
		for i := range a.Len() {
			_ = a.Value(i)
		}
	case *array.List:
		require.LessOrEqual(t, int(a.Offsets()[a.Len()]), a.ListValues().Len())
		walk(t, a.ListValues())
	case *array.FixedSizeList:
		walk(t, a.ListValues())
	case *array.Struct:
		for i := range a.NumField() {
			walk(t, a.Field(i))
		}
	case *array.Dictionary:
		walk(t, a.Dictionary())
		for i := range a.Len() {
			if a.IsValid(i) {
				require.Less(t, a.GetValueIndex(i), a.Dictionary().Len())
			}
		}
	default:
		for i := range min(a.Len(), 1000) {
			_ = a.ValueStr(i)
		}
	}
}

// TestFlippedBytes reads files whole, one for each flipped byte: every outcome is rows or an error,
// with bounded memory and no panic. There are no checksums in the format, so that a flipped value
// byte cannot be told from another value. Only a sample of the bytes of larger files is flipped,
// unless LANCEFLIGHT_EXHAUSTIVE is set.
func TestFlippedBytes(t *testing.T) {
	sample := 200
	if testing.Short() {
		sample = 25 // the run under the race detector, where nothing here is concurrent
	}
	for _, path := range []string{
		"laion_v2_0.lance/_indices/*/page_lookup.lance",
		"laion_v2_0.lance/_indices/*/page_data.lance",
		"laion_v2_0.lance/_indices/*/part_0_tokens.lance",
		"types_v2_0.lance/data/111000110101100101011100ef95a64858a47c5673736d06fd.lance",
		"encodings_v2_0.lance/data/*.lance",
		"blob_metadata_v2_0.lance/data/11111011100000000000111080abe048db9739dadbadc30e1a.lance",
	} {
		original, err := os.ReadFile(fixtures.Glob(t, path)[0])
		require.NoError(t, err)
		// The metadata starts behind the last page; its bytes count more than those of values.
		meta := int(binary.LittleEndian.Uint64(original[len(original)-40:]))
		positions := make([]int, 0, len(original))
		for i := range original {
			positions = append(positions, i)
		}
		if os.Getenv("LANCEFLIGHT_EXHAUSTIVE") == "" && len(original) > 1000 {
			rng := rand.New(rand.NewPCG(5, 6))
			positions = positions[:0]
			for range sample {
				positions = append(positions, meta+rng.IntN(len(original)-meta))
				if len(positions)%4 == 0 {
					positions = append(positions, rng.IntN(meta))
				}
			}
		}
		errs := 0
		for _, at := range positions {
			for _, mask := range []byte{0xff, 1 << (at % 8)} {
				data := bytes.Clone(original)
				data[at] ^= mask
				if err := readEverything(t, data); err != nil {
					errs++
				}
			}
		}
		t.Logf("%s: %d flips, %d errors", path, 2*len(positions), errs)
	}
}

// readEverything opens a file image and reads all its columns; it returns the first error.
func readEverything(t testing.TB, data []byte) (first error) {
	ctx := context.Background()
	store := memstore.New()
	store.Put("f", data)
	obj, err := store.Open(ctx, "f", -1)
	require.NoError(t, err)
	r, err := file.Open(ctx, obj)
	if err != nil {
		return err
	}
	defer r.Close()
	if major, minor := r.Version(); major != 0 || minor != 3 {
		return errors.New("another version")
	}
	cols, err := r.Columns(ctx)
	if err != nil {
		return err
	}
	fields, err := r.Fields(ctx)
	if err != nil {
		return err
	}
	checked := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer checked.AssertSize(t, 0)
	for _, f := range asStored(fields) {
		mem := &boundedAllocator{Allocator: checked, t: t, limit: 4 * (64<<20 + len(data)<<10)}
		decoder, err := v20.NewReader(obj, cols, f)
		if err == nil {
			var a arrow.Array
			if a, err = decoder.Read(ctx, []encoding.Range{{Start: 0, End: min(r.NumRows(), 1<<16)}}, mem); err == nil {
				walk(t, a)
				a.Release()
			}
		}
		if err != nil {
			first = err
			switch fault.KindOf(err) {
			case fault.Corrupt, fault.Unsupported, fault.ResourceExhausted:
			default:
				t.Errorf("kind %d: %v", fault.KindOf(err), err)
			}
		}
	}
	return first
}
