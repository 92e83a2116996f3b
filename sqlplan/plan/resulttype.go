package plan

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"
)

// ResultType is the type that a client sees for values of type t: half floats become floats,
// dictionary, run-end and view layouts plain ones, extension types but UUID their storage, so that every
// stock driver can read them (the JDBC driver knows no half floats, list views or run ends).
func ResultType(t arrow.DataType) arrow.DataType {
	field := func(f arrow.Field) arrow.Field {
		f.Type = ResultType(f.Type)
		return f
	}
	switch t := t.(type) {
	case *arrow.DictionaryType:
		return ResultType(t.ValueType)
	case *arrow.RunEndEncodedType:
		return ResultType(t.Encoded())
	case *extensions.UUIDType:
		return t
	case arrow.ExtensionType:
		return ResultType(t.StorageType())
	case *arrow.ListType:
		return arrow.ListOfField(field(t.ElemField()))
	case *arrow.LargeListType:
		return arrow.LargeListOfField(field(t.ElemField()))
	case *arrow.FixedSizeListType:
		return arrow.FixedSizeListOfField(t.Len(), field(t.ElemField()))
	case *arrow.ListViewType:
		return arrow.ListOfField(field(t.ElemField()))
	case *arrow.LargeListViewType:
		return arrow.LargeListOfField(field(t.ElemField()))
	case *arrow.MapType:
		m := arrow.MapOfFields(field(t.KeyField()), field(t.ItemField()))
		m.KeysSorted = t.KeysSorted
		return m
	case *arrow.StructType:
		fields := make([]arrow.Field, t.NumFields())
		for i := range fields {
			fields[i] = field(t.Field(i))
		}
		return arrow.StructOf(fields...)
	}
	switch t.ID() {
	case arrow.FLOAT16:
		return arrow.PrimitiveTypes.Float32
	case arrow.STRING_VIEW:
		return arrow.BinaryTypes.String
	case arrow.BINARY_VIEW:
		return arrow.BinaryTypes.Binary
	}
	return t
}
