package file

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/enc20pb"
	"lanceflight/lancefmt/pb/filepb"
)

// ColumnSpec is one column of a file that a Writer makes.
type ColumnSpec struct {
	Name string
	// Type is an integer, a float, or a fixed-size list of them.
	Type arrow.DataType
	// Nullable is what the schema says; there are no NULLs.
	Nullable bool
}

// Writer writes a file of storage version 2.0 whose columns are of fixed width and without NULLs, which is what index
// files consist of:
//
//	Page(column, values) ──> 64-byte aligned buffers ─┐
//	GlobalBuffer(bytes) ─────────────────────────────>├─> io.Writer, front to back
//	Finish: schema, column metadata, offset tables, footer ─┘
//
// The version is 2.0, because every pylance since 0.20 reads it and because its pages are the bare values, so that a
// reader can map them. A Writer keeps the places of what it wrote, some 100 bytes a page, and nothing else. It belongs
// to one goroutine.
//
// Sources: Lance's file format specification (docs, format/file), protos/file2.proto, protos/encodings_v2_0.proto.
type Writer struct {
	w        io.Writer
	at       uint64
	columns  []*columnState
	metadata map[string][]byte
	globals  []writtenRange // without the schema, which is the first
	err      error          // of w; final
}

type writtenRange struct{ offset, size uint64 }

type columnState struct {
	ColumnSpec
	logicalType string
	rowBytes    int
	encoding    []byte // of every page
	rows        uint64
	pages       []*filepb.ColumnMetadata_Page
}

// NewWriter begins a file. Column types other than those of ColumnSpec are fault.Unsupported.
func NewWriter(w io.Writer, columns []ColumnSpec) (*Writer, error) {
	f := &Writer{w: w, metadata: map[string][]byte{}}
	for _, c := range columns {
		state, err := newColumnState(c)
		if err != nil {
			return nil, err
		}
		f.columns = append(f.columns, state)
	}
	return f, nil
}

// logicalTypes are the names of types in schemas.
var logicalTypes = map[arrow.Type]string{
	arrow.INT8: "int8", arrow.INT16: "int16", arrow.INT32: "int32", arrow.INT64: "int64",
	arrow.UINT8: "uint8", arrow.UINT16: "uint16", arrow.UINT32: "uint32", arrow.UINT64: "uint64",
	arrow.FLOAT16: "halffloat", arrow.FLOAT32: "float", arrow.FLOAT64: "double",
}

func newColumnState(c ColumnSpec) (*columnState, error) {
	item, dim := c.Type, 1
	list, isList := c.Type.(*arrow.FixedSizeListType)
	if isList {
		item, dim = list.Elem(), int(list.Len())
	}
	name, ok := logicalTypes[item.ID()]
	if !ok || dim <= 0 {
		return nil, fault.New(fault.Unsupported, "write a column of %s", c.Type)
	}
	bits := item.(arrow.FixedWidthDataType).BitWidth()
	values := noNulls(&enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_Flat{Flat: &enc20pb.Flat{
		BitsPerValue: uint64(bits),
		Buffer:       &enc20pb.Buffer{BufferIndex: 0, BufferType: enc20pb.Buffer_page},
	}}})
	if isList {
		name = fmt.Sprintf("fixed_size_list:%s:%d", name, dim)
		values = noNulls(&enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_FixedSizeList{
			FixedSizeList: &enc20pb.FixedSizeList{Dimension: uint32(dim), Items: values},
		}})
	}
	encoding, err := anyMessage(values)
	return &columnState{ColumnSpec: c, logicalType: name, rowBytes: bits / 8 * dim, encoding: encoding}, err
}

func noNulls(values *enc20pb.ArrayEncoding) *enc20pb.ArrayEncoding {
	return &enc20pb.ArrayEncoding{ArrayEncoding: &enc20pb.ArrayEncoding_Nullable{Nullable: &enc20pb.Nullable{
		Nullability: &enc20pb.Nullable_NoNulls{NoNulls: &enc20pb.Nullable_NoNull{Values: values}},
	}}}
}

// wrap serialises an encoding in a google.protobuf.Any.
func anyMessage(m proto.Message) ([]byte, error) {
	any, err := anypb.New(m)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(any)
}

// SetMetadata adds to the schema's metadata.
func (f *Writer) SetMetadata(key, value string) { f.metadata[key] = []byte(value) }

// RowBytes is the width of a column.
func (f *Writer) RowBytes(column int) int { return f.columns[column].rowBytes }

// Page appends rows to a column: their values, little endian, one after the other, in as many pieces as the caller has. That their sizes
// are no multiple of the width is fault.Internal. Each call is one page; some MiB are a good size.
func (f *Writer) Page(column int, values ...[]byte) error {
	c := f.columns[column]
	offset := f.at
	for _, v := range values {
		if err := f.write(v); err != nil {
			return err
		}
	}
	size := f.at - offset
	if size%uint64(c.rowBytes) != 0 {
		return fault.New(fault.Internal, "%d bytes are no rows of %d bytes in column %q", size, c.rowBytes, c.Name)
	}
	rows := size / uint64(c.rowBytes)
	c.pages = append(c.pages, &filepb.ColumnMetadata_Page{
		BufferOffsets: []uint64{offset}, BufferSizes: []uint64{size}, Length: rows, Priority: c.rows,
		Encoding: storedInline(c.encoding),
	})
	c.rows += rows
	return f.align()
}

func storedInline(encoding []byte) *filepb.Encoding {
	return &filepb.Encoding{Location: &filepb.Encoding_Direct{Direct: &filepb.DirectEncoding{Encoding: encoding}}}
}

// GlobalBuffer adds a global buffer and returns its number, by which metadata refers to it.
func (f *Writer) GlobalBuffer(data []byte) (number int, err error) {
	p := writtenRange{offset: f.at, size: uint64(len(data))}
	if err := f.write(data); err != nil {
		return 0, err
	}
	f.globals = append(f.globals, p)
	return len(f.globals), f.align()
}

// Finish writes what describes the file. Columns of different lengths are fault.Internal. The caller closes the io.Writer.
func (f *Writer) Finish() error {
	if f.err != nil {
		return f.err
	}
	var rows uint64
	for i, c := range f.columns {
		if i == 0 {
			rows = c.rows
		}
		if c.rows != rows {
			return fault.New(fault.Internal, "column %q has %d rows, %q has %d", c.Name, c.rows, f.columns[0].Name, rows)
		}
	}
	schema := &filepb.Schema{Metadata: f.metadata}
	for i, c := range f.columns {
		schema.Fields = append(schema.Fields, &filepb.Field{
			Type: filepb.Field_LEAF, Name: c.Name, Id: int32(i), ParentId: -1, LogicalType: c.logicalType, Nullable: c.Nullable,
		})
	}
	descriptor, err := proto.MarshalOptions{Deterministic: true}.Marshal(&filepb.FileDescriptor{Schema: schema, Length: rows})
	if err != nil {
		return err
	}
	globals := []writtenRange{{offset: f.at, size: uint64(len(descriptor))}}
	if err := f.write(descriptor); err != nil {
		return err
	}
	if err := f.align(); err != nil {
		return err
	}
	globals = append(globals, f.globals...)

	columnEncoding, err := anyMessage(&enc20pb.ColumnEncoding{ColumnEncoding: &enc20pb.ColumnEncoding_Values{Values: &emptypb.Empty{}}})
	if err != nil {
		return err
	}
	metaStart := f.at
	var columns []writtenRange
	for _, c := range f.columns {
		meta, err := proto.Marshal(&filepb.ColumnMetadata{Encoding: storedInline(columnEncoding), Pages: c.pages})
		if err != nil {
			return err
		}
		columns = append(columns, writtenRange{offset: f.at, size: uint64(len(meta))})
		if err := f.write(meta); err != nil {
			return err
		}
	}
	columnTable := f.at
	if err := f.write(offsetTable(columns)); err != nil {
		return err
	}
	globalTable := f.at
	if err := f.write(offsetTable(globals)); err != nil {
		return err
	}
	footer := binary.LittleEndian.AppendUint64(nil, metaStart)
	footer = binary.LittleEndian.AppendUint64(footer, columnTable)
	footer = binary.LittleEndian.AppendUint64(footer, globalTable)
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(globals)))
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(columns)))
	footer = binary.LittleEndian.AppendUint16(footer, 0) // 2.0 calls itself 0.3
	footer = binary.LittleEndian.AppendUint16(footer, 3)
	return f.write(append(footer, "LANC"...))
}

func offsetTable(places []writtenRange) (b []byte) {
	for _, p := range places {
		b = binary.LittleEndian.AppendUint64(b, p.offset)
		b = binary.LittleEndian.AppendUint64(b, p.size)
	}
	return b
}

func (f *Writer) write(b []byte) error {
	if f.err != nil {
		return f.err
	}
	n, err := f.w.Write(b)
	f.at += uint64(n)
	f.err = err
	return err
}

// alignment is that of buffers, so that mapped pages are aligned for any type and for SIMD.
const alignment = 64

var padding [alignment]byte

func (f *Writer) align() error {
	return f.write(padding[:(alignment-f.at%alignment)%alignment])
}
