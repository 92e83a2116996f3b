package file

import (
	"context"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/jsonb"
)

// storedJSON returns a field with the types that its columns store where it holds JSON, at any
// depth; not ok if it does not.
func storedJSON(f encoding.Field) (stored encoding.Field, ok bool) {
	if f.JSONB {
		f.Type, f.JSONB = arrow.BinaryTypes.LargeBinary, false
		return f, true
	}
	children := make([]encoding.Field, len(f.Children))
	for i, c := range f.Children {
		s, has := storedJSON(c)
		children[i] = s
		ok = ok || has
	}
	if !ok {
		return f, false
	}
	fields := make([]arrow.Field, len(children))
	for i, c := range children {
		fields[i] = ArrowField(c)
	}
	f.Children = children
	switch t := f.Type.(type) {
	case *arrow.StructType:
		f.Type = arrow.StructOf(fields...)
	case *arrow.ListType:
		f.Type = arrow.ListOfField(fields[0])
	case *arrow.LargeListType:
		f.Type = arrow.LargeListOfField(fields[0])
	case *arrow.FixedSizeListType:
		f.Type = arrow.FixedSizeListOfField(t.Len(), fields[0])
	case *arrow.MapType:
		f.Type = mapOf(fields[0].Type.(*arrow.StructType))
	}
	return f, true
}

// jsonReader reads a field that holds JSON as text.
type jsonReader struct {
	inner encoding.ColumnReader
	typ   arrow.DataType
}

// Read implements encoding.ColumnReader.
func (r *jsonReader) Read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (arrow.Array, error) {
	stored, err := r.inner.Read(ctx, rows, mem)
	if err != nil {
		return nil, err
	}
	defer stored.Release()
	data, err := jsonText(stored.Data(), r.typ, mem)
	if err != nil {
		return nil, err
	}
	defer data.Release()
	return array.MakeFromData(data), nil
}

func (r *jsonReader) Close() {
	if c, ok := r.inner.(interface{ Close() }); ok {
		c.Close()
	}
}

// jsonText turns data as it is stored into data of type want, which has strings where JSON is
// stored as large binary.
func jsonText(stored arrow.ArrayData, want arrow.DataType, mem memory.Allocator) (arrow.ArrayData, error) {
	if want.ID() == arrow.STRING && stored.DataType().ID() == arrow.LARGE_BINARY {
		return jsonStrings(stored, mem)
	}
	var wants []arrow.Field
	switch t := want.(type) {
	case *arrow.StructType:
		wants = t.Fields()
	case *arrow.MapType:
		wants = []arrow.Field{{Type: t.Elem()}}
	case arrow.ListLikeType:
		wants = []arrow.Field{t.ElemField()}
	}
	if len(wants) != len(stored.Children()) {
		return nil, fault.New(fault.Internal, "%s is not stored as %s", want, stored.DataType())
	}
	children := make([]arrow.ArrayData, 0, len(wants))
	defer func() {
		for _, c := range children {
			c.Release()
		}
	}()
	for i, c := range stored.Children() {
		child, err := jsonText(c, wants[i].Type, mem)
		if err != nil {
			return nil, err
		}
		children = append(children, child)
	}
	out := array.NewData(want, stored.Len(), stored.Buffers(), children, stored.NullN(), stored.Offset())
	if want.ID() == arrow.DICTIONARY {
		out.SetDictionary(stored.Dictionary())
	}
	return out, nil
}

// jsonStrings turns JSONB into strings.
func jsonStrings(stored arrow.ArrayData, mem memory.Allocator) (arrow.ArrayData, error) {
	in := array.NewLargeBinaryData(stored)
	defer in.Release()
	n := in.Len()
	ends, text := memory.NewResizableBuffer(mem), memory.NewResizableBuffer(mem)
	defer ends.Release()
	defer text.Release()
	ends.Resize(arrow.Int32Traits.BytesRequired(n + 1))
	offsets := arrow.Int32Traits.CastFromBytes(ends.Bytes())
	offsets[0] = 0
	at := 0
	for i := range n {
		if in.IsValid(i) {
			// Text goes straight behind the text before it. Where it did not fit, append has moved
			// it all.
			value := in.Value(i)
			if need := at + 2*len(value) + 64; need > text.Cap() {
				text.Reserve(max(need, text.Cap()*2))
			}
			room := text.Buf()
			out, err := jsonb.AppendText(room[:at:len(room)], value)
			if err != nil {
				return nil, err
			}
			if len(out) > math.MaxInt32 {
				return nil, fault.New(fault.ResourceExhausted,
					"more than %d bytes of JSON text in one array: read fewer rows at a time", math.MaxInt32)
			}
			if len(out) > len(room) {
				text.Reserve(len(out))
				copy(text.Buf()[at:], out[at:])
			}
			at = len(out)
		}
		offsets[i+1] = int32(at)
	}
	text.ResizeNoShrink(at)
	var validity *memory.Buffer
	if in.NullN() > 0 {
		validity = memory.NewResizableBuffer(mem)
		defer validity.Release()
		validity.Resize(int(bitutil.BytesForBits(int64(n))))
		clear(validity.Bytes())
		bitutil.CopyBitmap(stored.Buffers()[0].Bytes(), stored.Offset(), n, validity.Bytes(), 0)
	}
	return array.NewData(arrow.BinaryTypes.String, n, []*memory.Buffer{validity, ends, text}, nil, in.NullN(), 0), nil
}
