package v20

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/enc20pb"
	"lanceflight/lancefmt/storage"
)

// TestRefusals reads pages that break the format, or that are legal and not done. No page gets far
// enough to allocate what it declares.
func TestRefusals(t *testing.T) {
	type refusal struct {
		name string
		dt   arrow.DataType
		page testPage
		kind fault.Kind
		text string
	}
	u8, u32, str := arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint32, arrow.BinaryTypes.String
	flat8 := noNulls(flatOf(8, 0))
	with := func(p testPage, change func(e *enc20pb.ArrayEncoding)) testPage {
		p.enc = proto.Clone(p.enc).(*enc20pb.ArrayEncoding)
		change(p.enc)
		return p
	}
	words3 := stringPage("a", "bc", "d")
	for _, c := range []refusal{
		{"no encoding", u8, testPage{&enc20pb.ArrayEncoding{}, 1, nil}, fault.Corrupt, "array encoding is missing"},
		{"no nullability", u8, testPage{nullableOf(&enc20pb.Nullable{}), 1, nil}, fault.Corrupt, "without nullability"},
		{"no values", u8, testPage{noNulls(nil), 1, nil}, fault.Corrupt, "array encoding is missing"},
		{"short buffer", u8, testPage{flat8, 3, [][]byte{{1, 2}}}, fault.Corrupt, "3 values of 8 bits do not fit a buffer of 2 bytes"},
		{"short bitmap", u8, testPage{someNulls(flatOf(1, 0), flatOf(8, 1)), 9, [][]byte{{1}, make([]byte, 9)}},
			fault.Corrupt, "9 values of 1 bits"},
		{"many rows", u8, testPage{flat8, math.MaxInt64 - 1, [][]byte{{1, 2}}}, fault.Corrupt, "do not fit"},
		{"no buffer", u8, testPage{flat8, 3, nil}, fault.Corrupt, "buffer 0 of 0"},
		{"other width", u32, testPage{flat8, 1, [][]byte{{1}}}, fault.Corrupt, "Flat values of 8 bits where 32"},
		{"odd width", u8, testPage{noNulls(flatOf(12, 0)), 1, [][]byte{{1, 2}}}, fault.Unsupported, "Flat with 12 bits"},
		{"scheme", u8, testPage{noNulls(flatOf(8, 0, "snappy")), 1, [][]byte{{1}}}, fault.Unsupported, `"snappy"`},
		{"bad zstd", u8, testPage{noNulls(flatOf(8, 0, "zstd")), 8, [][]byte{words(64, 8, 1)}}, fault.Corrupt, "zstd"},
		{"huge zstd", u8, testPage{noNulls(flatOf(8, 0, "zstd")), 1 << 50, [][]byte{words(64, 1<<50, 1)}}, fault.Corrupt, "zstd"},
		{"bad lz4", u8, testPage{noNulls(flatOf(8, 0, "lz4")), 8, [][]byte{words(32, 8, 0xffffffff)}}, fault.Corrupt, "LZ4"},
		{"short zstd", u8, testPage{noNulls(flatOf(8, 0, "zstd")), 9, [][]byte{zstdOf(t, make([]byte, 8))}}, fault.Corrupt, "9 are declared"},
		{"file buffer", u8, testPage{noNulls(&enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_Flat{Flat: &enc20pb.Flat{
			BitsPerValue: 8, Buffer: &enc20pb.Buffer{BufferType: enc20pb.Buffer_file}}}}), 1, nil}, fault.Unsupported, "buffer of the whole file"},
		{"buffer type", u8, testPage{noNulls(&enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_Flat{Flat: &enc20pb.Flat{
			BitsPerValue: 8, Buffer: &enc20pb.Buffer{BufferType: 9}}}}), 1, nil}, fault.Corrupt, "buffer type 9"},
		{"constant", u8, testPage{noNulls(&enc20pb.ArrayEncoding{
			ArrayEncoding: &enc20pb.ArrayEncoding_Constant{Constant: &enc20pb.Constant{}},
		}), 1, nil}, fault.Unsupported, "Constant"},
		{"list of bytes", str, testPage{listOf(noNulls(flatOf(64, 0)), 4, 3), 1, [][]byte{words(64, 3)}}, fault.Corrupt,
			"without a column of their bytes"},
		{"struct page", u8, testPage{&enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_Struct{}}, 1, nil},
			fault.Unsupported, "Struct"},
		{"zero packed bits", u8, testPage{&enc20pb.ArrayEncoding{
			ArrayEncoding: &enc20pb.ArrayEncoding_Bitpacked{
				Bitpacked: &enc20pb.Bitpacked{UncompressedBitsPerValue: 8, Buffer: pageBuffer(0)},
			},
		}, 1 << 40, [][]byte{{1}}}, fault.Corrupt, "packed to 0 bits"},
		{"packed width", u8, testPage{&enc20pb.ArrayEncoding{
			ArrayEncoding: &enc20pb.ArrayEncoding_BitpackedForNonNeg{
				BitpackedForNonNeg: &enc20pb.BitpackedForNonNeg{
					CompressedBitsPerValue: 9, UncompressedBitsPerValue: 8, Buffer: pageBuffer(0),
				},
			},
		}, 1, [][]byte{{1}}}, fault.Corrupt, "packed to 9 bits"},

		{"binary type", u8, words3, fault.Corrupt, "Binary for values of type uint8"},
		{"null adjustment", str, with(words3, func(e *enc20pb.ArrayEncoding) { e.GetBinary().NullAdjustment = 0 }),
			fault.Corrupt, "null adjustment of 0"},
		{"falling offsets", str, testPage{words3.enc, 3, [][]byte{words(64, 1, 0, 4), []byte("abcd")}}, fault.Corrupt,
			"value 1 reaches from byte 1 to byte 0"},
		{"far offset", str, testPage{words3.enc, 3, [][]byte{words(64, 1, 2, 4), []byte("abc")}}, fault.Corrupt,
			"value 2 reaches from byte 2 to byte 4 of 3"},
		{"index NULLs", str, with(words3, func(e *enc20pb.ArrayEncoding) { e.GetBinary().Indices = allNulls() }),
			fault.Unsupported, "NULLs in offsets"},
		{"index width", str, with(words3, func(e *enc20pb.ArrayEncoding) {
			e.GetBinary().Indices = noNulls(flatOf(24, 0))
		}), fault.Corrupt, "24 bits"},
		{"no indices", str, with(words3, func(e *enc20pb.ArrayEncoding) { e.GetBinary().Indices = nil }), fault.Corrupt, "missing"},
		{"index encoding", str, with(words3, func(e *enc20pb.ArrayEncoding) { e.GetBinary().Indices = words3.enc }),
			fault.Unsupported, "Binary for offsets"},
		{"no bytes", str, with(words3, func(e *enc20pb.ArrayEncoding) { e.GetBinary().Bytes = nil }), fault.Corrupt,
			"encoding of the bytes is missing"},
		{"bytes encoding", str, with(words3, func(e *enc20pb.ArrayEncoding) { e.GetBinary().Bytes = words3.enc }),
			fault.Unsupported, "Binary for the bytes"},
		{"bytes width", str, with(words3, func(e *enc20pb.ArrayEncoding) { e.GetBinary().Bytes = flatOf(16, 1) }), fault.Corrupt, "16 bits"},
		{"compressed bytes", str, testPage{with(words3, func(e *enc20pb.ArrayEncoding) { e.GetBinary().Bytes = flatOf(8, 1, "lz4") }).enc, 3,
			[][]byte{words3.bufs[0], lz4Of(t, []byte("abcabcabc"))[:8]}}, fault.Corrupt, "LZ4"},
		{"few compressed bytes", str, testPage{with(words3, func(e *enc20pb.ArrayEncoding) { e.GetBinary().Bytes = flatOf(8, 1, "zstd") }).enc, 3,
			[][]byte{words3.bufs[0], zstdOf(t, []byte("abc"))}}, fault.Corrupt, "ends at byte 4 of 3"},
		{"fixed binary", str, testPage{&enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_FixedSizeBinary{
			FixedSizeBinary: &enc20pb.FixedSizeBinary{Bytes: flatOf(8, 0), ByteWidth: 3}}}, 3, [][]byte{make([]byte, 8)}},
			fault.Corrupt, "3 values of 3 bytes"},
		{"symbol table", str, testPage{&enc20pb.ArrayEncoding{
			ArrayEncoding: &enc20pb.ArrayEncoding_Fsst{Fsst: &enc20pb.Fsst{Binary: words3.enc, SymbolTable: []byte{1}}},
		}, 3, words3.bufs}, fault.Corrupt, "symbol table"},
		{"dictionary of numbers", u8, testPage{dictionaryOf(flat8, flat8, 1), 1, [][]byte{{1}}}, fault.Unsupported,
			"Dictionary for values of type uint8"},
		{"dictionary size", str, testPage{dictionaryOf(flatOf(8, 2), words3.enc, math.MaxUint32), 1,
			append(append([][]byte{}, words3.bufs...), []byte{1})}, fault.Corrupt, "do not fit"},

		{"dimension", arrow.FixedSizeListOf(2, u8), testPage{noNulls(fixedListOf(3, flat8)), 1, [][]byte{{1, 2, 3}}},
			fault.Corrupt, "lists of 3 items"},
		{"list type", u8, testPage{noNulls(fixedListOf(3, flat8)), 1, [][]byte{{1, 2, 3}}}, fault.Corrupt,
			"FixedSizeList for values of type uint8"},
		{"list validity", arrow.FixedSizeListOf(1, u8), testPage{&enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_FixedSizeList{
			FixedSizeList: &enc20pb.FixedSizeList{Dimension: 1, HasValidity: true, Items: flat8}}}, 1, [][]byte{{1}}},
			fault.Unsupported, "with validity"},
		{"many NULLs", arrow.FixedSizeListOf(1<<20, u32), testPage{allNulls(), 100000, nil}, fault.ResourceExhausted, "read fewer rows"},
		{"no row fits", arrow.FixedSizeListOf(math.MaxInt32, arrow.FixedSizeListOf(math.MaxInt32,
			arrow.FixedSizeListOf(16, u8))), testPage{allNulls(), 1, nil}, fault.ResourceExhausted, "too many"},
		{"many rows at once", u8, testPage{allNulls(), math.MaxInt32 + 1, nil}, fault.ResourceExhausted, "too many for one array"},
		{"type", arrow.BinaryTypes.StringView, testPage{allNulls(), 1, nil}, fault.Unsupported, "columns of type string_view"},
		{"no items", arrow.FixedSizeListOf(1, arrow.FixedSizeListOf(1, &arrow.FixedSizeBinaryType{})),
			testPage{allNulls(), 1, nil}, fault.Unsupported, "fixed_size_binary"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rows []encoding.Range
			if c.page.rows > math.MaxInt32+1 {
				rows = ranges(0, 1)
			}
			_, err := decode(t, column0(c.dt), rows, []testPage{c.page})
			require.Equal(t, c.kind, fault.KindOf(err), "%v", err)
			require.ErrorContains(t, err, c.text)
			if c.kind == fault.Corrupt {
				require.ErrorContains(t, err, "t.lance")
				require.ErrorContains(t, err, "column 0")
			}
		})
	}
}

// TestOverlaps: the ranges of a take must not read the same bytes again and again.
func TestOverlaps(t *testing.T) {
	page := stringPage("a", "b", "c", "d")
	page.bufs[0] = words(64, 4, 0, 4, 4)
	_, err := decode(t, column0(arrow.BinaryTypes.String), ranges(0, 1, 2, 3), []testPage{page})
	require.True(t, fault.Is(err, fault.Corrupt), "%v", err)
	require.ErrorContains(t, err, "before byte 4")
}

func TestListRefusals(t *testing.T) {
	items := []testPage{{noNulls(flatOf(8, 0)), 3, [][]byte{{1, 2, 3}}}}
	f := encoding.Field{Name: "l", Type: arrow.ListOf(arrow.PrimitiveTypes.Uint8),
		Children: []encoding.Field{{Name: "item", Type: arrow.PrimitiveTypes.Uint8, Column: 1}}}
	for text, page := range map[string]testPage{
		"has 3":                    {listOf(noNulls(flatOf(64, 0)), 5, 4), 1, [][]byte{words(64, 4)}},
		"adjustment of 0":          {listOf(noNulls(flatOf(64, 0)), 0, 3), 1, [][]byte{words(64, 3)}},
		"from item 2 to item 1":    {listOf(noNulls(flatOf(64, 0)), 4, 3), 2, [][]byte{words(64, 2, 1)}},
		"from item 0 to item 3 of": {listOf(noNulls(flatOf(64, 0)), 4, 2), 1, [][]byte{words(64, 3)}},
		"Nullable for a list":      {noNulls(flatOf(64, 0)), 1, [][]byte{words(64, 3)}},
	} {
		_, err := decode(t, f, nil, []testPage{page}, items)
		require.True(t, fault.Is(err, fault.Corrupt), "%s: %v", text, err)
		require.ErrorContains(t, err, text)
	}
	page := testPage{listOf(noNulls(flatOf(64, 0)), 4, 3), 4, [][]byte{words(64, 3, 0, 3, 3)}}
	_, err := decode(t, f, ranges(0, 1, 2, 3), []testPage{page}, items)
	require.ErrorContains(t, err, "before item 3")
	f.Children = nil
	_, err = decode(t, f, nil, []testPage{page}, items)
	require.Equal(t, fault.Internal, fault.KindOf(err))
}

func TestStructs(t *testing.T) {
	header := testPage{&enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_Struct{Struct: &enc20pb.SimpleStruct{}}}, 2, nil}
	child := testPage{noNulls(flatOf(8, 0)), 2, [][]byte{{1, 2}}}
	f := encoding.Field{Name: "s", Type: arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Uint8}),
		Children: []encoding.Field{{Name: "a", Type: arrow.PrimitiveTypes.Uint8, Column: 1}}}
	got, err := decode(t, f, ranges(1, 2), []testPage{header}, []testPage{child})
	require.NoError(t, err)
	require.Equal(t, []string{`{"a":2}`}, got)
	header.rows = 3
	_, err = decode(t, f, nil, []testPage{header}, []testPage{child})
	require.ErrorContains(t, err, "2 rows in a struct of 3 rows")
	_, err = decode(t, f, nil, []testPage{child}, []testPage{child})
	require.ErrorContains(t, err, "Nullable for a struct")
	require.True(t, fault.Is(err, fault.Corrupt))
	f.Children[0].Column = 7
	_, err = decode(t, f, nil, []testPage{header}, []testPage{child})
	require.ErrorContains(t, err, "column 7 of 2")
}

func TestPackedRefusals(t *testing.T) {
	packed := func(inner ...*enc20pb.ArrayEncoding) testPage {
		return testPage{&enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_PackedStruct{
			PackedStruct: &enc20pb.PackedStruct{Inner: inner, Buffer: pageBuffer(0)}}}, 2, [][]byte{words(16, 1, 2, 3, 4)}}
	}
	u16 := arrow.PrimitiveTypes.Uint16
	two := arrow.StructOf(arrow.Field{Name: "a", Type: u16}, arrow.Field{Name: "b", Type: u16})
	flat16 := noNulls(flatOf(16, 0))
	got, err := decode(t, column0(two), nil, []testPage{packed(flat16, flat16)})
	require.NoError(t, err)
	require.Equal(t, []string{`{"a":1,"b":2}`, `{"a":3,"b":4}`}, got)
	for text, page := range map[string]testPage{
		"of 1 children":          packed(flat16),
		"NULLs inside":           packed(flat16, allNulls()),
		"Flat for a packed":      packed(flat16, noNulls(flatOf(8, 0))),
		"Binary inside a packed": packed(flat16, stringPage("a").enc),
		"FixedSizeList for":      packed(flat16, noNulls(fixedListOf(2, flat16))),
	} {
		_, err := decode(t, column0(two), nil, []testPage{page})
		require.ErrorContains(t, err, text)
		require.True(t, fault.Is(err, fault.Corrupt) || fault.Is(err, fault.Unsupported))
	}
	bits := arrow.StructOf(arrow.Field{Name: "a", Type: u16}, arrow.Field{Name: "b", Type: arrow.FixedWidthTypes.Boolean})
	_, err = decode(t, column0(bits), nil, []testPage{packed(flat16, noNulls(flatOf(1, 0)))})
	require.True(t, fault.Is(err, fault.Unsupported), "%v", err)
	_, err = decode(t, column0(two), nil, []testPage{packed(flat16, flat16), {packed(flat16, flat16).enc, 3, [][]byte{make([]byte, 11)}}})
	require.ErrorContains(t, err, "page 1")
}

func TestBlobRefusals(t *testing.T) {
	page := testPage{&enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_PackedStruct{PackedStruct: &enc20pb.PackedStruct{
		Inner: []*enc20pb.ArrayEncoding{noNulls(flatOf(64, 0)), noNulls(flatOf(64, 0))}, Buffer: pageBuffer(0)}}}, 3,
		[][]byte{words(64, 0, 4, 1, 0, 0, 0)}}
	blob := func(e *enc20pb.ColumnEncoding) *enc20pb.ColumnEncoding {
		return &enc20pb.ColumnEncoding{ColumnEncoding: &enc20pb.ColumnEncoding_Blob{Blob: &enc20pb.Blob{Inner: e}}}
	}
	read := func(page testPage, enc *enc20pb.ColumnEncoding) (string, error) {
		data, cols := layout(t, []testPage{page})
		b, err := proto.Marshal(enc)
		require.NoError(t, err)
		cols[0].Encoding, cols[0].TypeURL = b, columnURL
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		defer mem.AssertSize(t, 0)
		r, err := NewReader(sourceOf(t, data, mem), cols, column0(arrow.BinaryTypes.LargeBinary))
		if err != nil {
			return "", err
		}
		a, err := r.Read(context.Background(), ranges(0, page.rows), mem)
		if err != nil {
			return "", err
		}
		defer a.Release()
		return a.String(), nil
	}
	got, err := read(page, blob(nil))
	require.NoError(t, err)
	require.Equal(t, `["\x00\x00\x00\x00" (null) ""]`, got)

	page.bufs[0] = words(64, 60, 5, 1, 0, 0, 0)
	_, err = read(page, blob(nil))
	require.True(t, fault.Is(err, fault.Corrupt), "%v", err)
	require.ErrorContains(t, err, "a blob of 5 bytes at 60")
	page.bufs[0] = words(64, math.MaxUint64, 5, 1, 0, 0, 0)
	_, err = read(page, blob(nil))
	require.True(t, fault.Is(err, fault.Corrupt), "%v", err)

	_, err = read(page, blob(blob(nil)))
	require.True(t, fault.Is(err, fault.Unsupported), "%v", err)
	_, err = read(page, &enc20pb.ColumnEncoding{ColumnEncoding: &enc20pb.ColumnEncoding_ZoneIndex{ZoneIndex: &enc20pb.ZoneIndex{}}})
	require.ErrorContains(t, err, "not supported: the column encoding ZoneIndex")

	// Many rows that each name the whole file.
	const n = 70000
	page = testPage{page.enc, n, [][]byte{make([]byte, n*16)}}
	for i := range n {
		copy(page.bufs[0][i*16+8:], words(64, n*16))
	}
	_, err = read(page, blob(nil))
	require.True(t, fault.Is(err, fault.ResourceExhausted), "%v", err)
}

func TestMetadataRefusals(t *testing.T) {
	data, cols := layout(t, []testPage{{noNulls(flatOf(8, 0)), 1, [][]byte{{1}}}})
	src := sourceOf(t, data, memory.DefaultAllocator)
	f := column0(arrow.PrimitiveTypes.Uint8)
	read := func(change func(c *encoding.Column)) error {
		c := cols[0]
		c.Pages = []encoding.Page{c.Pages[0]}
		change(&c)
		r, err := NewReader(src, []encoding.Column{c}, f)
		if err != nil {
			return err
		}
		_, err = r.Read(context.Background(), ranges(0, 1), memory.DefaultAllocator)
		return err
	}
	require.ErrorContains(t, read(func(c *encoding.Column) { c.Pages[0].TypeURL = "/lance.encodings21.PageLayout" }),
		"not supported: the page encoding /lance.encodings21.PageLayout")
	require.ErrorContains(t, read(func(c *encoding.Column) { c.Pages[0].Encoding = []byte{7} }), "the page's encoding")
	require.ErrorContains(t, read(func(c *encoding.Column) { c.Encoding, c.TypeURL = []byte{7}, columnURL }), "the column's encoding")
	require.ErrorContains(t, read(func(c *encoding.Column) { c.Encoding, c.TypeURL = []byte{7}, "/x" }),
		"not supported: the column encoding /x")
	require.ErrorContains(t, read(func(c *encoding.Column) { c.Pages[0].NumRows = -1 }), "-1 rows")
	require.ErrorContains(t, read(func(c *encoding.Column) { c.Pages = nil }), "row 0 is wanted of a column of 0 rows")
	require.ErrorContains(t, read(func(c *encoding.Column) {
		c.Pages[0].BufRanges = []storage.Range{{Offset: 1 << 40, Length: 1 << 40}}
	}), "does not lie inside the file")
	f.Column = 1
	require.ErrorContains(t, read(func(c *encoding.Column) {}), "column 1 of 1")
}

// failing is a source that fails in the middle of a read.
type failing struct {
	encoding.Source
	after int
}

var errDisk = errors.New("disk on fire")

func (f *failing) ReadRanges(ctx context.Context, r []storage.Range) ([]*memory.Buffer, error) {
	if f.after--; f.after < 0 {
		return nil, errDisk
	}
	return f.Source.ReadRanges(ctx, r)
}

// TestErrorsRelease: whatever fails, nothing is leaked, and the next read works.
func TestErrorsRelease(t *testing.T) {
	items := stringPage("red", "green")
	dict := testPage{dictionaryOf(noNulls(flatOf(8, 2)), items.enc, 2), 3, [][]byte{items.bufs[0], items.bufs[1], {1, 0, 2}}}
	data, cols := layout(t, []testPage{stringPage("a", nil, "b"), dict})
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	src := &failing{Source: sourceOf(t, data, mem)}
	r, err := NewReader(src, cols, column0(arrow.BinaryTypes.String))
	require.NoError(t, err)
	for after := range 3 {
		src.after = after
		a, err := r.Read(context.Background(), ranges(0, 6), mem)
		if after < 2 {
			require.ErrorIs(t, err, errDisk)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, `["a" (null) "b" "red" (null) "green"]`, a.String())
		a.Release()
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = r.Read(ctx, ranges(0, 6), mem)
	require.True(t, fault.Is(err, fault.Cancelled), "%v", err)
}
