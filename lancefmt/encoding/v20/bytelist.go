package v20

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
)

// byteListReader is strings or binary values as the first writers of 2.0 kept them: a list column,
// and behind it a column of uint8, which is no field of the schema.
//
//	"ab", NULL, "", "cde"   column i    List: ends 2, 2+6, 2, 5, null_offset_adjustment 6, num_items 5
//	                        column i+1  uint8: abcde
//
// Source: lance-encoding 0.12.3, src/encodings/logical/binary.rs; pylance wrote such pages up to
// 0.13.
type byteListReader struct {
	list *listReader
	dt   arrow.DataType
}

// IsList reports whether the pages of a column are lists. The column behind it then holds the
// items, even if the field is a string and has no child.
func IsList(col encoding.Column) bool {
	if len(col.Pages) == 0 {
		return false
	}
	enc, err := pageEncoding(&col.Pages[0])
	return err == nil && enc.GetList() != nil
}

// openByteList opens a string field as lists of bytes: its own column has the lists, the next one
// the bytes.
func openByteList(src encoding.Source, cols []encoding.Column, f encoding.Field, wide bool) (reader, error) {
	if f.Column+1 >= len(cols) {
		return nil, fault.Corruptf("strings as lists in the last of %d columns, without a column of their bytes", len(cols))
	}
	items, err := openColumn(src, f.Column+1, cols[f.Column+1], arrow.PrimitiveTypes.Uint8)
	if err != nil {
		return nil, err
	}
	var lists arrow.DataType = arrow.ListOf(arrow.PrimitiveTypes.Uint8)
	if wide {
		lists = arrow.LargeListOf(arrow.PrimitiveTypes.Uint8)
	}
	list, err := openList(src, f.Column, cols[f.Column], lists, items)
	if err != nil {
		return nil, err
	}
	return &byteListReader{list, f.Type}, nil
}

func (r *byteListReader) rows() int64 { return r.list.rows() }

func (r *byteListReader) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (*array.Data, error) {
	data, err := r.list.read(ctx, rows, mem)
	if err != nil {
		return nil, err
	}
	defer data.Release()
	items := data.Children()[0]
	if items.NullN() > 0 {
		return nil, r.list.place(fault.Corruptf("NULLs among the bytes of strings"), nil)
	}
	values := items.Buffers()[1]
	if off := items.Offset(); off > 0 {
		values = memory.SliceBuffer(values, off, items.Len())
		defer values.Release()
	}
	return array.NewData(r.dt, data.Len(), []*memory.Buffer{data.Buffers()[0], data.Buffers()[1], values}, nil, data.NullN(), 0), nil
}
