package value

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
)

// Chosen follows row i of a union to the child that the row has chosen, and of run ends to the value of
// its run, until the array is neither. The array returned belongs to arr. Unions come from clients, which
// bind one for values of several types: their type codes and offsets were checked by nobody, and lead to
// fault.InvalidArgument if they point to nothing.
func Chosen(arr arrow.Array, i int) (arrow.Array, int, error) {
	for {
		switch a := arr.(type) {
		case array.Union:
			code := a.TypeCode(i)
			if code < 0 {
				return nil, 0, fault.New(fault.InvalidArgument, "a union has the type code %d", code)
			}
			child := a.Field(a.ChildID(i))
			if dense, ok := a.(*array.DenseUnion); ok {
				i = int(dense.ValueOffset(i))
			}
			if child == nil {
				return nil, 0, fault.New(fault.InvalidArgument, "a union has the type code %d, which none of its types has", code)
			}
			arr = child
		case *array.RunEndEncoded:
			arr, i = a.Values(), a.GetPhysicalIndex(i)
		default:
			if i < 0 || i >= arr.Len() {
				return nil, 0, fault.New(fault.InvalidArgument, "a union or run points to value %d of %d", i, arr.Len())
			}
			return arr, i, nil
		}
	}
}

// ConstantType is the type of the constants that ValueAt takes from arrays of type t: encodings and views
// that hold the same Go values as a plain type are that type. It is t itself if nothing in it changes. A
// union has no such type, because each row has its own.
func ConstantType(t arrow.DataType) arrow.DataType {
	elem := func(f arrow.Field) (arrow.Field, bool) {
		c := ConstantType(f.Type)
		changed := c != f.Type
		f.Type = c
		return f, changed
	}
	switch x := t.(type) {
	case *arrow.RunEndEncodedType:
		return ConstantType(x.Encoded())
	case *arrow.Decimal32Type:
		return &arrow.Decimal128Type{Precision: x.Precision, Scale: x.Scale}
	case *arrow.Decimal64Type:
		return &arrow.Decimal128Type{Precision: x.Precision, Scale: x.Scale}
	case *arrow.ListViewType:
		f, _ := elem(x.ElemField())
		return arrow.ListOfField(f)
	case *arrow.LargeListViewType:
		f, _ := elem(x.ElemField())
		return arrow.LargeListOfField(f)
	case *arrow.ListType:
		if f, changed := elem(x.ElemField()); changed {
			return arrow.ListOfField(f)
		}
	case *arrow.LargeListType:
		if f, changed := elem(x.ElemField()); changed {
			return arrow.LargeListOfField(f)
		}
	case *arrow.FixedSizeListType:
		if f, changed := elem(x.ElemField()); changed {
			return arrow.FixedSizeListOfField(x.Len(), f)
		}
	}
	return t
}
