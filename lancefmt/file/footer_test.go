package file

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/filepb"
	"lanceflight/lancefmt/storage"
)

// footerBytes writes a footer.
func footerBytes(meta, columns, globals uint64, numGlobals, numColumns uint32, major, minor uint16) []byte {
	b := binary.LittleEndian.AppendUint64(nil, meta)
	b = binary.LittleEndian.AppendUint64(b, columns)
	b = binary.LittleEndian.AppendUint64(b, globals)
	b = binary.LittleEndian.AppendUint32(b, numGlobals)
	b = binary.LittleEndian.AppendUint32(b, numColumns)
	b = binary.LittleEndian.AppendUint16(b, major)
	b = binary.LittleEndian.AppendUint16(b, minor)
	return append(b, magic...)
}

func TestFooter(t *testing.T) {
	f, err := parseFooter(append([]byte("anything"), footerBytes(0, 16, 48, 1, 2, 2, 2)...), 200)
	require.NoError(t, err)
	require.Equal(t, footer{columnTable: 16, globalTable: 48, numGlobals: 1, numColumns: 2, major: 2, minor: 2}, f)

	for name, c := range map[string]struct {
		tail    []byte
		message string
		kind    fault.Kind
	}{
		"short":          {footerBytes(0, 0, 0, 0, 0, 2, 2)[1:], "too few", fault.Corrupt},
		"magic":          {append(footerBytes(0, 0, 0, 0, 0, 2, 2)[:36], "PAR1"...), "not a Lance file", fault.Corrupt},
		"2.4":            {footerBytes(0, 0, 0, 0, 0, 2, 4), "2.4", fault.Unsupported},
		"meta":           {footerBytes(1000, 0, 0, 0, 0, 2, 1), "starts at 1000", fault.Corrupt},
		"meta huge":      {footerBytes(1<<63, 0, 0, 0, 0, 2, 1), "starts at", fault.Corrupt},
		"columns":        {footerBytes(0, 100, 0, 0, 100, 2, 1), "100 columns", fault.Corrupt},
		"columns huge":   {footerBytes(0, 1<<64-1, 0, 0, 1, 2, 1), "1 columns", fault.Corrupt},
		"globals":        {footerBytes(0, 0, 150, 1, 0, 0, 3), "1 global buffers", fault.Corrupt},
		"globals, count": {footerBytes(0, 0, 0, 1<<32-1, 0, 0, 3), "4294967295 global buffers", fault.Corrupt},
	} {
		_, err := parseFooter(c.tail, 200)
		require.ErrorContains(t, err, c.message, name)
		require.Equal(t, c.kind, fault.KindOf(err), name)
	}
}

func TestTable(t *testing.T) {
	b := binary.LittleEndian.AppendUint64(nil, 8)
	b = binary.LittleEndian.AppendUint64(b, 92)
	got, err := parseTable(b, 1, 100, "column")
	require.NoError(t, err)
	require.Equal(t, []storage.Range{{Offset: 8, Length: 92}}, got)
	_, err = parseTable(b, 1, 99, "column")
	require.ErrorContains(t, err, "column 0")
	_, err = parseTable(b[:15], 1, 100, "column")
	require.ErrorContains(t, err, "15 bytes")
}

func TestParseColumn(t *testing.T) {
	marshal := func(m *filepb.ColumnMetadata) []byte {
		b, err := proto.Marshal(m)
		require.NoError(t, err)
		return b
	}
	page := &filepb.ColumnMetadata_Page{BufferOffsets: []uint64{0}, BufferSizes: []uint64{10}, Length: 5,
		Encoding: &filepb.Encoding{Location: &filepb.Encoding_Indirect{Indirect: &filepb.DeferredEncoding{BufferLocation: 3, BufferLength: 4}}}}
	c, deferred, err := parseColumn(2, marshal(&filepb.ColumnMetadata{Pages: []*filepb.ColumnMetadata_Page{page, page}}), 100, 100)
	require.NoError(t, err)
	require.Equal(t, 2, c.Index)
	require.EqualValues(t, 5, c.Pages[1].FirstRow)
	require.Equal(t, []deferredEncoding{{0, storage.Range{Offset: 3, Length: 4}}, {1, storage.Range{Offset: 3, Length: 4}}}, deferred)

	for name, p := range map[string]*filepb.ColumnMetadata_Page{
		"sizes":   {BufferOffsets: []uint64{0}},
		"outside": {BufferOffsets: []uint64{95}, BufferSizes: []uint64{10}},
		"huge":    {BufferOffsets: []uint64{0}, BufferSizes: []uint64{1 << 63}},
		"rows":    {Length: 1 << 60},
		"deferred": {Encoding: &filepb.Encoding{Location: &filepb.Encoding_Indirect{
			Indirect: &filepb.DeferredEncoding{BufferLocation: 99, BufferLength: 2}}}},
		"any": {Encoding: &filepb.Encoding{Location: &filepb.Encoding_Direct{Direct: &filepb.DirectEncoding{Encoding: []byte{0xff}}}}},
	} {
		_, _, err := parseColumn(0, marshal(&filepb.ColumnMetadata{Pages: []*filepb.ColumnMetadata_Page{p}}), 100, 100)
		require.True(t, fault.Is(err, fault.Corrupt), "%s: %v", name, err)
	}
	_, _, err = parseColumn(0, []byte{0xff}, 100, 100)
	require.True(t, fault.Is(err, fault.Corrupt))
}

func TestLogicalTypes(t *testing.T) {
	for logical, want := range map[string]string{
		"int64":                     "int64",
		"fixed_size_list:float:768": "fixed_size_list<item: float32, nullable>[768]",
		"fixed_size_list:fixed_size_list:int8:2:3": "fixed_size_list<item: fixed_size_list<item: int8, nullable>[2], nullable>[3]",
		"fixed_size_list:timestamp:us:UTC:2":       "fixed_size_list<item: timestamp[us, tz=UTC], nullable>[2]",
		"timestamp:ns:-":                           "timestamp[ns]",
		"timestamp:s:+08:00":                       "timestamp[s, tz=+08:00]",
		"dict:string:int16:false":                  "dictionary<values=utf8, indices=int16, ordered=false>",
		"decimal:256:40:-2":                        "decimal256(40, -2)",
		"fixed_size_binary:5":                      "fixed_size_binary[5]",
		"blob":                                     "large_binary",
	} {
		got, err := ParseLogicalType(logical)
		require.NoError(t, err, logical)
		require.Equal(t, want, got.String())
	}
	for _, bad := range []string{"", "int65", "struct", "fixed_size_list:float", "fixed_size_list:float:0", "fixed_size_list:float:x",
		"fixed_size_binary:-1", "dict:string:float:false", "dict:string", "decimal:64:3:1", "decimal:128:99:1", "timestamp:m:-", "timestamp:s"} {
		_, err := ParseLogicalType(bad)
		require.Error(t, err, bad)
	}
}

func TestFieldsOf(t *testing.T) {
	schema := &filepb.Schema{Fields: []*filepb.Field{
		{Id: 0, ParentId: -1, Name: "s", LogicalType: "struct", Nullable: true},
		{Id: 1, ParentId: 0, Name: "a", LogicalType: "int32"},
		{Id: 2, ParentId: 0, Name: "l", LogicalType: "list"},
		{Id: 3, ParentId: 2, Name: "item", LogicalType: "string"},
		{Id: 4, ParentId: -1, Name: "p", LogicalType: "struct", Metadata: map[string][]byte{metaPacked: []byte("true")}},
		{Id: 5, ParentId: 4, Name: "x", LogicalType: "int8"},
		{Id: 6, ParentId: -1, Name: "m", LogicalType: "map"},
		{Id: 7, ParentId: 6, Name: "entries", LogicalType: "struct"},
		{Id: 8, ParentId: 7, Name: "key", LogicalType: "string", Nullable: true},
		{Id: 9, ParentId: 7, Name: "value", LogicalType: "int64", Nullable: true},
	}}
	fields, err := FieldsOf(schema, 2, 2)
	require.NoError(t, err)
	require.Equal(t, -1, fields[0].Column)
	require.Equal(t, 0, fields[0].Children[0].Column)
	require.Equal(t, 1, fields[0].Children[1].Children[0].Column)
	require.Equal(t, 2, fields[1].Column)
	require.Equal(t, -1, fields[1].Children[0].Column)
	require.Equal(t, 4, fields[2].Children[0].Children[1].Column)
	require.Equal(t, arrow.MAP, fields[2].Type.ID())
	fields, err = FieldsOf(schema, 0, 3)
	require.NoError(t, err)
	require.Equal(t, 0, fields[0].Column)
	require.Equal(t, 3, fields[0].Children[1].Children[0].Column)
	require.Equal(t, 4, fields[1].Column)
	require.Equal(t, 5, fields[2].Column)

	schema.Fields[3].ParentId = 3 // a field inside of itself
	_, err = FieldsOf(schema, 2, 2)
	require.Error(t, err)
	schema.Fields[3] = schema.Fields[1]
	_, err = FieldsOf(schema, 2, 2)
	require.ErrorContains(t, err, "two fields")
}

func TestReaderEdges(t *testing.T) {
	ctx := context.Background()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	r := openFixture(t, fixtures.Glob(t, "laion_v2_2.lance/data/*.lance")[0])
	_, err := r.ReadColumn(ctx, "nothing", nil, mem)
	require.True(t, fault.Is(err, fault.NotFound))
	_, err = r.GlobalBuffer(ctx, 99)
	require.True(t, fault.Is(err, fault.NotFound))
	a, err := r.ReadColumn(ctx, "key", []encoding.Range{}, mem)
	require.NoError(t, err)
	require.Zero(t, a.Len())
	a.Release()
	for _, rows := range [][]encoding.Range{{{Start: 1, End: 0}}, {{Start: -1, End: 0}},
		{{Start: 0, End: r.NumRows() + 1}}, {{Start: 5, End: 6}, {Start: 5, End: 7}}} {
		_, err = r.ReadColumn(ctx, "key", rows, mem)
		require.Error(t, err, "%v", rows)
	}
	fields, err := r.Fields(ctx)
	require.NoError(t, err)
	one, err := r.ColumnReader(fields[0])
	require.NoError(t, err)
	two, err := r.ColumnReader(fields[0])
	require.NoError(t, err)
	require.Same(t, one, two)
	_, err = r.ColumnReader(encoding.Field{Name: "x", Type: arrow.PrimitiveTypes.Int64, Column: 1000})
	require.True(t, fault.Is(err, fault.Corrupt))
	_, err = r.ColumnReader(encoding.Field{Name: "x", Column: 0})
	require.Error(t, err)

	// Arrays outlive the file, and the file answers with an error once closed.
	emb, err := r.ReadColumn(ctx, "img_emb", []encoding.Range{{Start: 0, End: 10}}, mem)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	require.NotEmpty(t, emb.String())
	emb.Release()
	_, err = one.Read(ctx, []encoding.Range{{End: 1}}, mem)
	require.ErrorContains(t, err, "closed")
	_, err = r.ColumnReader(fields[0])
	require.ErrorContains(t, err, "closed")

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	r = openFixture(t, fixtures.Glob(t, "laion_v2_2.lance/data/*.lance")[0])
	_, err = r.ReadColumn(cancelled, "key", nil, mem)
	require.True(t, fault.Is(err, fault.Cancelled), "%v", err)
	a, err = r.ReadColumn(ctx, "key", nil, mem)
	require.NoError(t, err)
	a.Release()
}

// TestWrongType reads columns as types that their pages do not hold.
func TestWrongType(t *testing.T) {
	ctx := context.Background()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	r := openFixture(t, fixtures.Glob(t, "laion_v2_2.lance/data/*.lance")[0])
	fields, err := r.Fields(ctx)
	require.NoError(t, err)
	types := []arrow.DataType{arrow.PrimitiveTypes.Int8, arrow.BinaryTypes.LargeString,
		arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Float32), BlobDescriptor}
	for _, f := range fields {
		for _, typ := range types {
			f.Type = typ
			cr, err := r.ColumnReader(f)
			require.NoError(t, err)
			a, err := cr.Read(ctx, []encoding.Range{{End: r.NumRows()}}, mem)
			if err == nil {
				a.Release() // strings may be read with other offsets
				continue
			}
			checkKinds(t, []error{err})
		}
	}
}
