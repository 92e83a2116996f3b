package v20

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/bitpack"
	"lanceflight/lancefmt/pb/enc20pb"
	"lanceflight/lancefmt/storage"
	memstore "lanceflight/lancefmt/storage/mem"
)

// testPage is a page to be laid out in memory.
type testPage struct {
	enc  *enc20pb.ArrayEncoding
	rows int64
	bufs [][]byte
}

const (
	pageURL   = "/lance.encodings.ArrayEncoding"
	columnURL = "/lance.encodings.ColumnEncoding"
)

// layout puts columns of pages into a file image. Buffers start at multiples of 64 bytes.
func layout(t testing.TB, columns ...[]testPage) ([]byte, []encoding.Column) {
	var data []byte
	var cols []encoding.Column
	for i, pages := range columns {
		col := encoding.Column{Index: i}
		var first int64
		for _, p := range pages {
			enc, err := proto.Marshal(p.enc)
			require.NoError(t, err)
			page := encoding.Page{NumRows: p.rows, FirstRow: first, Encoding: enc, TypeURL: pageURL}
			first += p.rows
			for _, b := range p.bufs {
				page.BufRanges = append(page.BufRanges, storage.Range{Offset: int64(len(data)), Length: int64(len(b))})
				data = append(data, b...)
				data = append(data, make([]byte, -len(data)&63)...)
			}
			col.Pages = append(col.Pages, page)
		}
		cols = append(cols, col)
	}
	return data, cols
}

func sourceOf(t testing.TB, data []byte, mem memory.Allocator) encoding.Source {
	store := memstore.NewWith(mem)
	store.Put("t.lance", data)
	obj, err := store.Open(context.Background(), "t.lance", -1)
	require.NoError(t, err)
	return obj
}

// decode reads rows of field f from columns of pages; nil rows are all.
func decode(t testing.TB, f encoding.Field, rows []encoding.Range, columns ...[]testPage) ([]string, error) {
	data, cols := layout(t, columns...)
	before := bytes.Clone(data)
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	r, err := NewReader(sourceOf(t, data, mem), cols, f)
	if err != nil {
		return nil, err
	}
	if rows == nil {
		rows = []encoding.Range{{Start: 0, End: r.(guarded).rows()}}
	}
	a, err := r.Read(context.Background(), rows, mem)
	var out []string
	if err == nil {
		require.True(t, arrow.TypeEqual(f.Type, a.DataType()))
		for i := range a.Len() {
			if a.IsNull(i) {
				out = append(out, "NULL")
			} else {
				out = append(out, a.ValueStr(i))
			}
		}
		a.Release()
	}
	mem.AssertSize(t, 0)
	require.Equal(t, before, data, "the file was written to")
	return out, err
}

func column0(dt arrow.DataType) encoding.Field { return encoding.Field{Name: "c", Type: dt} }

func pageBuffer(i uint32) *enc20pb.Buffer { return &enc20pb.Buffer{BufferIndex: i} }

func flatOf(width uint64, buf uint32, scheme ...string) *enc20pb.ArrayEncoding {
	f := &enc20pb.Flat{BitsPerValue: width, Buffer: pageBuffer(buf)}
	if len(scheme) > 0 {
		f.Compression = &enc20pb.Compression{Scheme: scheme[0]}
	}
	return &enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_Flat{Flat: f}}
}

func noNulls(values *enc20pb.ArrayEncoding) *enc20pb.ArrayEncoding {
	return nullableOf(&enc20pb.Nullable{Nullability: &enc20pb.Nullable_NoNulls{NoNulls: &enc20pb.Nullable_NoNull{Values: values}}})
}

func someNulls(validity, values *enc20pb.ArrayEncoding) *enc20pb.ArrayEncoding {
	return nullableOf(&enc20pb.Nullable{Nullability: &enc20pb.Nullable_SomeNulls{
		SomeNulls: &enc20pb.Nullable_SomeNull{Validity: validity, Values: values},
	}})
}

func allNulls() *enc20pb.ArrayEncoding {
	return nullableOf(&enc20pb.Nullable{Nullability: &enc20pb.Nullable_AllNulls{AllNulls: &enc20pb.Nullable_AllNull{}}})
}

func nullableOf(n *enc20pb.Nullable) *enc20pb.ArrayEncoding {
	return &enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_Nullable{Nullable: n}}
}

func binaryOf(indices, values *enc20pb.ArrayEncoding, adjustment uint64) *enc20pb.ArrayEncoding {
	return &enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_Binary{Binary: &enc20pb.Binary{
		Indices: indices, Bytes: values, NullAdjustment: adjustment}}}
}

func listOf(offsets *enc20pb.ArrayEncoding, adjustment, items uint64) *enc20pb.ArrayEncoding {
	return &enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_List{List: &enc20pb.List{
		Offsets: offsets, NullOffsetAdjustment: adjustment, NumItems: items}}}
}

func fixedListOf(dim uint32, items *enc20pb.ArrayEncoding) *enc20pb.ArrayEncoding {
	return &enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_FixedSizeList{FixedSizeList: &enc20pb.FixedSizeList{
		Dimension: dim, Items: items}}}
}

func dictionaryOf(indices, items *enc20pb.ArrayEncoding, n uint32) *enc20pb.ArrayEncoding {
	return &enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_Dictionary{Dictionary: &enc20pb.Dictionary{
		Indices: indices, Items: items, NumDictionaryItems: n}}}
}

// words packs numbers of so many bits.
func words(width int, values ...uint64) []byte {
	var out []byte
	for _, v := range values {
		out = append(out, binary.LittleEndian.AppendUint64(nil, v)[:width/8]...)
	}
	return out
}

// stringPage is a Binary page; "" and NULL (nil) have no bytes.
func stringPage(values ...any) testPage {
	var ends []uint64
	var text []byte
	total := 0
	for _, v := range values {
		if s, ok := v.(string); ok {
			total += len(s)
		}
	}
	for _, v := range values {
		if s, ok := v.(string); ok {
			text = append(text, s...)
			ends = append(ends, uint64(len(text)))
		} else {
			ends = append(ends, uint64(len(text)+total+1))
		}
	}
	return testPage{binaryOf(noNulls(flatOf(64, 0)), flatOf(8, 1), uint64(total+1)), int64(len(values)), [][]byte{words(64, ends...), text}}
}

func zstdOf(t testing.TB, b []byte) []byte {
	w, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	return w.EncodeAll(b, binary.LittleEndian.AppendUint64(nil, uint64(len(b))))
}

func lz4Of(t testing.TB, b []byte) []byte {
	out := make([]byte, 4+lz4.CompressBlockBound(len(b)))
	binary.LittleEndian.PutUint32(out, uint32(len(b)))
	n, err := lz4.CompressBlock(b, out[4:], nil)
	require.NoError(t, err)
	return out[:4+n]
}

func ranges(pairs ...int64) (out []encoding.Range) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, encoding.Range{Start: pairs[i], End: pairs[i+1]})
	}
	return out
}

func TestFlatPages(t *testing.T) {
	plain := testPage{noNulls(flatOf(16, 0)), 4, [][]byte{words(16, 1, 2, 3, 4)}}
	nulls := testPage{someNulls(flatOf(1, 0), flatOf(16, 1)), 3, [][]byte{{0b101}, words(16, 5, 0, 7)}}
	none := testPage{allNulls(), 2, nil}
	empty := testPage{noNulls(flatOf(16, 0)), 0, nil}
	big := bytes.Repeat(words(16, 9, 10), 2000)
	packed := testPage{noNulls(flatOf(16, 0, "zstd")), 4000, [][]byte{zstdOf(t, big)}}
	packed4 := testPage{noNulls(flatOf(16, 0, "lz4")), 4000, [][]byte{lz4Of(t, big)}}
	f := column0(arrow.PrimitiveTypes.Uint16)
	pages := []testPage{plain, empty, nulls, none, packed, packed4}

	got, err := decode(t, f, ranges(0, 1, 2, 6, 7, 10, 4008, 4010), pages)
	require.NoError(t, err)
	require.Equal(t, []string{"1", "3", "4", "5", "NULL", "NULL", "NULL", "9", "10", "9"}, got)
	got, err = decode(t, f, ranges(3, 4), pages)
	require.NoError(t, err)
	require.Equal(t, []string{"4"}, got)

	bits := testPage{noNulls(flatOf(1, 0)), 13, [][]byte{{0b01010011, 0b10110}}}
	zbits := testPage{noNulls(flatOf(1, 0, "lz4")), 400, [][]byte{lz4Of(t, bytes.Repeat([]byte{0b1010}, 50))}}
	got, err = decode(t, column0(arrow.FixedWidthTypes.Boolean), ranges(0, 3, 4, 5, 7, 12, 14, 16), []testPage{bits, zbits})
	require.NoError(t, err)
	require.Equal(t, []string{"true", "true", "false", "true", "false", "false", "true", "true", "false", "true", "false"}, got)

	got, err = decode(t, column0(arrow.Null), nil, []testPage{none})
	require.NoError(t, err)
	require.Equal(t, []string{"(null)", "(null)"}, got) // as arrow-go spells them
}

// TestReadAliases pins that uncompressed rows of one page are not copied.
func TestReadAliases(t *testing.T) {
	data, cols := layout(t, []testPage{{noNulls(flatOf(32, 0)), 4, [][]byte{words(32, 1, 2, 3, 4)}}})
	store := memstore.New()
	store.Put("t", data)
	obj, err := store.Open(context.Background(), "t", -1)
	require.NoError(t, err)
	r, err := NewReader(obj, cols, column0(arrow.PrimitiveTypes.Int32))
	require.NoError(t, err)
	a, err := r.Read(context.Background(), ranges(1, 3), memory.DefaultAllocator)
	require.NoError(t, err)
	defer a.Release()
	data[4] = 77
	require.Equal(t, "[77 3]", a.String())
}

func TestFixedSizeLists(t *testing.T) {
	// Items with NULLs, lists with NULLs, two levels.
	inner := someNulls(flatOf(1, 1), flatOf(8, 2))
	page := testPage{someNulls(flatOf(1, 0), fixedListOf(2, noNulls(fixedListOf(3, inner)))), 3,
		[][]byte{{0b101}, {0b11111101, 0xff, 0b11}, []byte("abcdefghijklmnopqr")}}
	dt := arrow.FixedSizeListOf(2, arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Uint8))
	got, err := decode(t, column0(dt), ranges(0, 1, 2, 3), []testPage{page, page})
	require.NoError(t, err)
	require.Equal(t, []string{"[[97,null,99],[100,101,102]]", "[[109,110,111],[112,113,114]]"}, got)
	got, err = decode(t, column0(dt), ranges(1, 2, 4, 6), []testPage{page, {allNulls(), 2, nil}, page})
	require.NoError(t, err)
	require.Equal(t, []string{"NULL", "NULL", "[[97,null,99],[100,101,102]]"}, got)
}

func TestStrings(t *testing.T) {
	first := stringPage("ab", nil, "", "cde", nil)
	second := stringPage("x", "yz")
	third := testPage{allNulls(), 2, nil}
	compressed := stringPage("long", nil, "text")
	compressed.enc.GetBinary().Bytes = flatOf(8, 1, "zstd")
	compressed.bufs[1] = zstdOf(t, compressed.bufs[1])
	wrapped := stringPage("p", "q", "r")
	wrapped.enc = someNulls(flatOf(1, 2), wrapped.enc)
	wrapped.bufs = append(wrapped.bufs, []byte{0b101})
	narrow := testPage{binaryOf(flatOf(8, 0), noNulls(flatOf(8, 1, "none")), 9), 3, [][]byte{{2, 11, 3}, []byte("uvw")}}
	fixed := testPage{&enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_FixedSizeBinary{FixedSizeBinary: &enc20pb.FixedSizeBinary{
		Bytes: flatOf(8, 0), ByteWidth: 3}}}, 3, [][]byte{[]byte("onetwosix")}}
	pages := []testPage{first, second, third, compressed, wrapped, narrow, fixed}
	all := []string{"ab", "NULL", "", "cde", "NULL", "x", "yz", "NULL", "NULL", "long", "NULL", "text", "p", "NULL", "r",
		"uv", "NULL", "w", "one", "two", "six"}
	for _, dt := range []arrow.DataType{arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString} {
		got, err := decode(t, column0(dt), nil, pages)
		require.NoError(t, err)
		require.Equal(t, all, got)
		rapid.Check(t, func(rt *rapid.T) {
			var rows []encoding.Range
			var want []string
			for at := int64(0); at < int64(len(all)); {
				start := at + rapid.Int64Range(0, 3).Draw(rt, "skip")
				end := min(start+rapid.Int64Range(0, 6).Draw(rt, "take"), int64(len(all)))
				if start >= int64(len(all)) {
					break
				}
				rows = append(rows, encoding.Range{Start: start, End: end})
				want = append(want, all[start:end]...)
				at = max(end, start)
			}
			if rows == nil {
				return
			}
			got, err := decode(t, column0(dt), rows, pages)
			require.NoError(t, err)
			require.Equal(t, want, got, "%v", rows)
		})
	}
}

func TestDictionaryStrings(t *testing.T) {
	items := stringPage("red", "green", nil)
	page := testPage{dictionaryOf(noNulls(flatOf(8, 2)), items.enc, 3), 5, [][]byte{items.bufs[0], items.bufs[1], {1, 0, 2, 3, 1}}}
	for _, dt := range []arrow.DataType{arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString} {
		got, err := decode(t, column0(dt), ranges(0, 5, 6, 8), []testPage{page, page})
		require.NoError(t, err)
		require.Equal(t, []string{"red", "NULL", "green", "NULL", "red", "NULL", "green"}, got)
	}
	none := testPage{dictionaryOf(noNulls(flatOf(8, 0)), items.enc, 0), 2, [][]byte{{0, 0}, nil}}
	none.enc.GetDictionary().Items = stringPage().enc
	got, err := decode(t, column0(arrow.BinaryTypes.String), nil, []testPage{none})
	require.NoError(t, err)
	require.Equal(t, []string{"NULL", "NULL"}, got)

	page.bufs[2][4] = 4
	_, err = decode(t, column0(arrow.BinaryTypes.String), nil, []testPage{page})
	require.True(t, fault.Is(err, fault.Corrupt), "%v", err)
	require.ErrorContains(t, err, "index 3 into a dictionary of 3 items")
}

func TestDictionaryColumns(t *testing.T) {
	page := func(indices []byte, values ...any) testPage {
		items := stringPage(values...)
		return testPage{dictionaryOf(noNulls(flatOf(8, 2)), items.enc, uint32(len(values))), int64(len(indices)),
			[][]byte{items.bufs[0], items.bufs[1], indices}}
	}
	dt := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	got, err := decode(t, column0(dt), nil, []testPage{
		page([]byte{0, 1, 2, 1}, "a", nil, "b"),
		page([]byte{1, 0, 1}, "b", "c"),
		{allNulls(), 1, nil},
		page([]byte{1, 0, 1}, "b", "c"),
	})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "NULL", "b", "NULL", "c", "b", "c", "NULL", "c", "b", "c"}, got)
	got, err = decode(t, column0(dt), nil, []testPage{{allNulls(), 2, nil}})
	require.NoError(t, err)
	require.Equal(t, []string{"NULL", "NULL"}, got)

	_, err = decode(t, column0(dt), nil, []testPage{page([]byte{0xff}, "a")})
	require.True(t, fault.Is(err, fault.Corrupt), "%v", err)

	var a, b []any
	for i := range 100 {
		a, b = append(a, fmt.Sprint("a", i)), append(b, fmt.Sprint("b", i))
	}
	_, err = decode(t, column0(dt), nil, []testPage{page([]byte{0}, a...), page([]byte{0}, b...)})
	require.True(t, fault.Is(err, fault.ResourceExhausted), "%v", err)
}

// Dictionaries of several pages become one, whatever the type of the indices.
func TestDictionariesUnderEveryIndexType(t *testing.T) {
	for _, index := range []arrow.DataType{
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Uint16,
		arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Uint64,
	} {
		page := func(values ...any) testPage {
			items := stringPage(values...)
			width := index.(arrow.FixedWidthDataType).BitWidth()
			return testPage{dictionaryOf(noNulls(flatOf(uint64(width), 2)), items.enc, uint32(len(values))), 2,
				[][]byte{items.bufs[0], items.bufs[1], words(width, 1, 0)}}
		}
		got, err := decode(t, column0(&arrow.DictionaryType{IndexType: index, ValueType: arrow.BinaryTypes.String}), nil,
			[]testPage{page("a", "b"), page("b", "c")})
		require.NoError(t, err, "%s", index)
		require.Equal(t, []string{"b", "a", "c", "b"}, got, "%s", index)
	}
}

func TestLists(t *testing.T) {
	items := []testPage{
		{noNulls(flatOf(8, 0)), 3, [][]byte{{1, 2, 3}}},
		{someNulls(flatOf(1, 0), flatOf(8, 1)), 5, [][]byte{{0b11011}, {4, 5, 6, 7, 8}}},
	}
	lists := []testPage{
		// [1 2] NULL [] [3 4 5]
		{listOf(noNulls(flatOf(64, 0)), 6, 5), 4, [][]byte{words(64, 2, 8, 2, 5)}},
		// NULL with an item below it (6), [7] [8]
		{listOf(noNulls(flatOf(64, 0)), 4, 3), 3, [][]byte{words(64, 5, 2, 3)}},
	}
	for _, dt := range []arrow.DataType{arrow.ListOf(arrow.PrimitiveTypes.Uint8), arrow.LargeListOf(arrow.PrimitiveTypes.Uint8)} {
		f := encoding.Field{Name: "l", Type: dt, Children: []encoding.Field{{Name: "item", Type: arrow.PrimitiveTypes.Uint8, Column: 1}}}
		got, err := decode(t, f, nil, lists, items)
		require.NoError(t, err)
		require.Equal(t, []string{"[1,2]", "NULL", "[]", "[3,4,5]", "NULL", "[7]", "[8]"}, got)
		got, err = decode(t, f, ranges(1, 2, 3, 4, 5, 6), lists, items)
		require.NoError(t, err)
		require.Equal(t, []string{"NULL", "[3,4,5]", "[7]"}, got)
		got, err = decode(t, f, ranges(1, 3), lists, items)
		require.NoError(t, err)
		require.Equal(t, []string{"NULL", "[]"}, got)
	}
}

// Strings of the first writers: lists, whose items are in the column behind.
func TestStringsAsLists(t *testing.T) {
	items := []testPage{
		{noNulls(flatOf(8, 0)), 5, [][]byte{[]byte("abcde")}},
		{noNulls(flatOf(8, 0)), 3, [][]byte{[]byte("xyz")}},
	}
	lists := []testPage{
		{listOf(noNulls(flatOf(64, 0)), 6, 5), 4, [][]byte{words(64, 2, 8, 2, 5)}},
		{listOf(noNulls(flatOf(64, 0)), 4, 3), 3, [][]byte{words(64, 5, 2, 3)}}, // a byte below NULL
	}
	for _, dt := range []arrow.DataType{arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString} {
		got, err := decode(t, column0(dt), nil, lists, items)
		require.NoError(t, err)
		require.Equal(t, []string{"ab", "NULL", "", "cde", "NULL", "y", "z"}, got)
		for want, rows := range map[string][]encoding.Range{"NULL cde y": ranges(1, 2, 3, 4, 5, 6), "NULL ": ranges(1, 3),
			"z": ranges(6, 7), "": ranges(2, 3)} {
			got, err = decode(t, column0(dt), rows, lists, items)
			require.NoError(t, err)
			require.Equal(t, want, strings.Join(got, " "))
		}
	}
	_, err := decode(t, column0(arrow.BinaryTypes.Binary), nil, lists,
		[]testPage{{someNulls(flatOf(1, 0), flatOf(8, 1)), 8, [][]byte{{0b11011}, make([]byte, 8)}}})
	require.ErrorContains(t, err, "NULLs among the bytes of strings")
	_, err = decode(t, column0(arrow.BinaryTypes.Binary), nil, lists, items[:1])
	require.ErrorContains(t, err, "lists of 3 items from item 5 on, but the items' column has 5")
	_, err = decode(t, column0(arrow.BinaryTypes.Binary), nil, lists, []testPage{{noNulls(flatOf(32, 0)), 8, [][]byte{make([]byte, 32)}}})
	require.ErrorContains(t, err, "Flat values of 32 bits where 8 bits are wanted")
}

func TestExtensionTypes(t *testing.T) {
	dt := arrow.FixedSizeListOf(1, newTestExtension())
	page := testPage{noNulls(fixedListOf(1, noNulls(flatOf(16, 0)))), 2, [][]byte{words(16, 7, 8)}}
	data, cols := layout(t, []testPage{page})
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	r, err := NewReader(sourceOf(t, data, mem), cols, column0(dt))
	require.NoError(t, err)
	a, err := r.Read(context.Background(), ranges(1, 2), mem)
	require.NoError(t, err)
	defer a.Release()
	inner := a.(*array.FixedSizeList).ListValues().(array.ExtensionArray)
	require.Equal(t, uint16(8), inner.Storage().(*array.Uint16).Value(0))
}

// testExtension is an extension type over uint16.
type testExtension struct{ arrow.ExtensionBase }

func newTestExtension() *testExtension {
	return &testExtension{arrow.ExtensionBase{Storage: arrow.PrimitiveTypes.Uint16}}
}
func (*testExtension) ArrayType() reflect.Type { return reflect.TypeOf(testExtensionArray{}) }
func (*testExtension) ExtensionName() string   { return "test" }
func (*testExtension) Serialize() string       { return "" }
func (x *testExtension) ExtensionEquals(y arrow.ExtensionType) bool {
	return y.ExtensionName() == "test"
}
func (*testExtension) Deserialize(arrow.DataType, string) (arrow.ExtensionType, error) {
	return newTestExtension(), nil
}

type testExtensionArray struct{ array.ExtensionArrayBase }

// TestBitpacked packs numbers by the definition and reads them back, in ranges that start and end
// inside bytes.
func TestBitpacked(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	types := map[int][2]arrow.DataType{
		8:  {arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Int8},
		16: {arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Int16},
		32: {arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Int32},
		64: {arrow.PrimitiveTypes.Uint64, arrow.PrimitiveTypes.Int64},
	}
	for width, dts := range types {
		for packed := 1; packed <= width; packed++ {
			for signed, dt := range dts {
				const n = 37
				buf := make([]byte, (n*packed+7)/8)
				var want []string
				for i := range n {
					v := rng.Uint64() >> (64 - packed)
					for b := range packed {
						if v>>b&1 != 0 {
							buf[(i*packed+b)/8] |= 1 << ((i*packed + b) % 8)
						}
					}
					if signed == 1 {
						want = append(want, fmt.Sprint(int64(v<<(64-packed))>>(64-packed)))
					} else {
						want = append(want, fmt.Sprint(v))
					}
				}
				enc := noNulls(&enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_Bitpacked{Bitpacked: &enc20pb.Bitpacked{
					CompressedBitsPerValue: uint64(packed), UncompressedBitsPerValue: uint64(width), Buffer: pageBuffer(0), Signed: signed == 1}}})
				page := testPage{enc, n, [][]byte{buf}}
				got, err := decode(t, column0(dt), nil, []testPage{page})
				require.NoError(t, err)
				require.Equal(t, want, got, "%d of %d bits", packed, width)
				got, err = decode(t, column0(dt), ranges(3, 4, 9, 21, 36, 37), []testPage{page})
				require.NoError(t, err)
				require.Equal(t, append(append(append([]string{}, want[3]), want[9:21]...), want[36]), got, "%d of %d bits", packed, width)
			}
		}
	}
}

// TestBlockPacked fills blocks with random bits; package bitpack's Value is the definition.
func TestBlockPacked(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		width, packed int
		dt            arrow.DataType
	}{{8, 3, arrow.PrimitiveTypes.Uint8}, {16, 9, arrow.PrimitiveTypes.Uint16}, {32, 32, arrow.PrimitiveTypes.Uint32},
		{64, 33, arrow.PrimitiveTypes.Uint64}} {
		const n = 2500
		size := bitpack.PackedBytes(c.packed)
		buf := make([]byte, 3*size)
		for i := range buf {
			buf[i] = byte(rng.Uint32())
		}
		var want []string
		for i := range n {
			want = append(want, fmt.Sprint(bitpack.Value(buf[i/1024*size:][:size], c.width, c.packed, i%1024)))
		}
		enc := noNulls(&enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_BitpackedForNonNeg{
			BitpackedForNonNeg: &enc20pb.BitpackedForNonNeg{
				CompressedBitsPerValue: uint64(c.packed), UncompressedBitsPerValue: uint64(c.width), Buffer: pageBuffer(0),
			},
		}})
		got, err := decode(t, column0(c.dt), nil, []testPage{{enc, n, [][]byte{buf}}})
		require.NoError(t, err)
		require.Equal(t, want, got)
		rows := ranges(0, 1, 5, 6, 1000, 1100, 1500, 1501, 2000, 2500)
		got, err = decode(t, column0(c.dt), rows, []testPage{{enc, n, [][]byte{buf}}})
		require.NoError(t, err)
		var some []string
		for _, r := range rows {
			some = append(some, want[r.Start:r.End]...)
		}
		require.Equal(t, some, got)
		_, err = decode(t, column0(c.dt), nil, []testPage{{enc, n, [][]byte{buf[:len(buf)-1]}}})
		require.True(t, fault.Is(err, fault.Corrupt), "%v", err)
	}
}

func TestCopyBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "src")
		dst := rapid.SliceOfN(rapid.Byte(), 40, 40).Draw(t, "dst")
		from := rapid.IntRange(0, len(src)*8-1).Draw(t, "from")
		n := rapid.IntRange(0, len(src)*8-from).Draw(t, "n")
		at := rapid.IntRange(0, 320-n).Draw(t, "at")
		want := bytes.Clone(dst)
		for i := range n {
			bit := src[(from+i)/8] >> ((from + i) % 8) & 1
			want[(at+i)/8] = want[(at+i)/8]&^(1<<((at+i)%8)) | bit<<((at+i)%8)
		}
		copyBits(dst, at, src, from, n)
		require.Equal(t, want, dst)
	})
}

func TestSplitRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		starts := []int64{0}
		for range rapid.IntRange(1, 8).Draw(t, "pages") {
			starts = append(starts, starts[len(starts)-1]+rapid.Int64Range(1, 10).Draw(t, "rows"))
		}
		total := starts[len(starts)-1]
		var rows []encoding.Range
		var want []int64
		for at := int64(0); at < total; {
			start := at + rapid.Int64Range(0, 4).Draw(t, "skip")
			end := min(start+rapid.Int64Range(0, 20).Draw(t, "take"), total)
			if start >= total {
				break
			}
			rows = append(rows, encoding.Range{Start: start, End: end})
			for i := start; i < end; i++ {
				want = append(want, i)
			}
			at = end
		}
		pieces, err := splitRows(rows, starts)
		require.NoError(t, err)
		var got []int64
		page := -1
		for _, p := range pieces {
			require.Greater(t, p.page, page)
			page = p.page
			require.Equal(t, len(got), p.at)
			last := int64(-1)
			for _, r := range p.rows {
				require.Greater(t, r.Start, last) // touching ranges are joined
				require.Less(t, r.Start, r.End)
				last = r.End
				for i := r.Start; i < r.End; i++ {
					got = append(got, starts[p.page]+i)
				}
			}
			require.Equal(t, p.at+p.n, len(got))
			require.LessOrEqual(t, starts[p.page]+last, starts[p.page+1])
		}
		require.Equal(t, want, got)
		_, err = splitRows([]encoding.Range{{Start: total, End: total + 1}}, starts)
		require.True(t, fault.Is(err, fault.Corrupt))
	})
}

func TestCache(t *testing.T) {
	var c cache
	key := func(i int) cacheKey { return cacheKey{page: i} }
	for i := range 3 {
		c.put(key(i), i, cacheBytes/3)
	}
	require.Equal(t, 0, c.get(key(0)))
	c.put(key(0), "again", 1) // the first one stays
	require.Equal(t, 0, c.get(key(0)))
	c.put(key(3), 3, cacheBytes/3)
	require.Nil(t, c.get(key(1)), "least recently used")
	require.Equal(t, 2, c.get(key(2)))
	c.put(key(4), 4, 2*cacheBytes)
	require.Equal(t, 4, c.get(key(4)))
	require.Equal(t, 1, c.kept.Stats().Entries)
	require.Equal(t, int64(2*cacheBytes), c.kept.Stats().Bytes)
	for i := range 2 * maxCacheEntries {
		c.put(key(100+i), i, 0)
	}
	require.Equal(t, maxCacheEntries, c.kept.Stats().Entries)
}

func TestLimits(t *testing.T) {
	require.Equal(t, int64(expandFloor+5*expandFactor), expandLimit(5))
	require.Equal(t, int64(math.MaxInt64), expandLimit(math.MaxInt64/2))
	for _, c := range [][3]int64{{3, 1, 1}, {8, 1, 1}, {9, 1, 2}, {math.MaxInt64, 1, 1 << 60}} {
		n, ok := bytesFor(c[0], uint64(c[1]))
		require.Equal(t, c[0] < math.MaxInt64-7, ok)
		if ok {
			require.Equal(t, c[2], n)
		}
	}
	_, ok := bytesFor(-1, 1)
	require.False(t, ok)
	_, ok = bytesFor(1<<40, 1<<40)
	require.False(t, ok)
	_, ok = product(1<<32, 1<<32)
	require.False(t, ok)
	_, ok = product(-1, 1)
	require.False(t, ok)
}

// Readers that meet in one entry have it made once; a failure is its maker's own.
func TestCacheMakesOnce(t *testing.T) {
	var (
		c     cache
		key   = cacheKey{1, 2}
		made  atomic.Int32
		begun = make(chan struct{})
		going = make(chan struct{})
		group errgroup.Group
	)
	load := func() (any, int64, error) {
		if made.Add(1) == 1 {
			close(begun)
			<-going
			return nil, 0, io.ErrUnexpectedEOF
		}
		return "value", 5, nil
	}
	first := make(chan error, 1)
	go func() {
		_, err := c.once(context.Background(), key, load)
		first <- err
	}()
	<-begun
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := c.once(gone, key, load)
	require.ErrorIs(t, err, context.Canceled)
	for range 8 {
		group.Go(func() error {
			v, err := c.once(context.Background(), key, load)
			if err == nil && v != "value" {
				err = io.ErrNoProgress
			}
			return err
		})
	}
	close(going)
	require.ErrorIs(t, <-first, io.ErrUnexpectedEOF)
	require.NoError(t, group.Wait())
	require.Equal(t, int32(2), made.Load())
	require.Zero(t, c.kept.Stats().Loading)
}
