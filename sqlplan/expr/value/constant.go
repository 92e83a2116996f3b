package value

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/internal/gather"
	"lanceflight/internal/half"
)

// ValueAt is row i in the Go type that Literal documents.
func ValueAt(arr arrow.Array, i int) (any, error) {
	if arr.IsNull(i) {
		return nil, nil
	}
	switch a := arr.(type) {
	case *array.Null: // its IsNull says false
		return nil, nil
	case *array.Boolean:
		return a.Value(i), nil
	case *array.Int8:
		return int64(a.Value(i)), nil
	case *array.Int16:
		return int64(a.Value(i)), nil
	case *array.Int32:
		return int64(a.Value(i)), nil
	case *array.Int64:
		return a.Value(i), nil
	case *array.Uint8:
		return uint64(a.Value(i)), nil
	case *array.Uint16:
		return uint64(a.Value(i)), nil
	case *array.Uint32:
		return uint64(a.Value(i)), nil
	case *array.Uint64:
		return a.Value(i), nil
	case *array.Float16:
		return half.Float64(a.Value(i)), nil
	case *array.Float32:
		return float64(a.Value(i)), nil
	case *array.Float64:
		return a.Value(i), nil
	case *array.Date32:
		return int64(a.Value(i)), nil
	case *array.Date64:
		return int64(a.Value(i)), nil
	case *array.Time32:
		return int64(a.Value(i)), nil
	case *array.Time64:
		return int64(a.Value(i)), nil
	case *array.Timestamp:
		return int64(a.Value(i)), nil
	case *array.Duration:
		return int64(a.Value(i)), nil
	case *array.MonthInterval:
		return arrow.MonthDayNanoInterval{Months: int32(a.Value(i))}, nil
	case *array.DayTimeInterval:
		v := a.Value(i)
		return arrow.MonthDayNanoInterval{Days: v.Days, Nanoseconds: int64(v.Milliseconds) * 1e6}, nil
	case *array.MonthDayNanoInterval:
		return a.Value(i), nil
	case *array.Decimal128:
		return a.Value(i), nil
	case *array.Decimal32:
		return decimal128.FromI64(int64(a.Value(i))), nil
	case *array.Decimal64:
		return decimal128.FromI64(int64(a.Value(i))), nil
	case *array.String:
		return cloneText(a.Value(i)), nil
	case *array.LargeString:
		return cloneText(a.Value(i)), nil
	case *array.StringView:
		return cloneText(a.Value(i)), nil
	case *array.Binary:
		return append([]byte{}, a.Value(i)...), nil
	case *array.LargeBinary:
		return append([]byte{}, a.Value(i)...), nil
	case *array.BinaryView:
		return append([]byte{}, a.Value(i)...), nil
	case *array.FixedSizeBinary:
		return append([]byte{}, a.Value(i)...), nil
	case *array.RunEndEncoded:
		return ValueAt(a.Values(), a.GetPhysicalIndex(i))
	case *array.Dictionary:
		return ValueAt(a.Dictionary(), a.GetValueIndex(i))
	case array.ExtensionArray:
		return ValueAt(a.Storage(), i)
	case *array.FixedSizeList:
		start, end := a.ValueOffsets(i)
		if v, ok := a.ListValues().(*array.Float32); ok && NoNulls(v, int(start), int(end)) {
			return append([]float32{}, v.Float32Values()[start:end]...), nil
		}
		return itemsAt(a.ListValues(), int(start), int(end))
	case *array.Map:
		start, end := a.ValueOffsets(i)
		return itemsAt(a.ListValues(), int(start), int(end))
	case array.ListLike:
		start, end := a.ValueOffsets(i)
		return itemsAt(a.ListValues(), int(start), int(end))
	case *array.Struct:
		out := make([]any, a.NumField())
		for f := range out {
			v, err := ValueAt(a.Field(f), i)
			if err != nil {
				return nil, err
			}
			out[f] = v
		}
		return out, nil
	}
	return nil, fault.New(fault.Unsupported, "a constant of type %s", arr.DataType())
}

// cloneText copies a string out of Arrow memory.
func cloneText(s string) string { return string(append([]byte(nil), s...)) }

func NoNulls(a arrow.Array, start, end int) bool {
	if a.NullN() == 0 {
		return true
	}
	return bitutil.CountSetBits(a.NullBitmapBytes(), a.Data().Offset()+start, end-start) == end-start
}

func itemsAt(values arrow.Array, start, end int) (any, error) {
	out := make([]any, 0, end-start)
	for i := start; i < end; i++ {
		v, err := ValueAt(values, i)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// NullArray makes n NULLs of a type.
func NullArray(mem memory.Allocator, t arrow.DataType, n int) (arrow.Array, error) {
	if t.ID() == arrow.NULL {
		return array.NewNull(n), nil
	}
	switch x := t.(type) {
	case *arrow.DictionaryType:
		values, err := NullArray(mem, x.ValueType, 0)
		if err != nil {
			return nil, err
		}
		defer values.Release()
		indices, err := NullArray(mem, x.IndexType, n)
		if err != nil {
			return nil, err
		}
		defer indices.Release()
		return array.NewDictionaryArray(x, indices, values), nil
	case arrow.ExtensionType:
		storage, err := NullArray(mem, x.StorageType(), n)
		if err != nil {
			return nil, err
		}
		defer storage.Release()
		return array.NewExtensionArrayWithStorage(x, storage), nil
	}
	b := array.NewBuilder(mem, t)
	defer b.Release()
	b.AppendNulls(n)
	return b.NewArray(), nil
}

// RepeatRow makes n copies of the only row of an array.
func RepeatRow(mem memory.Allocator, one arrow.Array, n int) (arrow.Array, error) {
	if n == 1 {
		one.Retain()
		return one, nil
	}
	return gather.Take(mem, one, make([]int32, n))
}

// OneValue makes an array of one row, which is not NULL, from a value as AppendValue takes it.
func OneValue(v any, t arrow.DataType, mem memory.Allocator) (arrow.Array, error) {
	switch t := t.(type) {
	case *arrow.DictionaryType:
		values, err := OneValue(v, t.ValueType, mem)
		if err != nil {
			return nil, err
		}
		defer values.Release()
		indices := array.NewBuilder(mem, t.IndexType)
		defer indices.Release()
		indices.AppendEmptyValue() // index 0
		zero := indices.NewArray()
		defer zero.Release()
		return array.NewDictionaryArray(t, zero, values), nil
	case arrow.ExtensionType:
		storage, err := OneValue(v, t.StorageType(), mem)
		if err != nil {
			return nil, err
		}
		defer storage.Release()
		return array.NewExtensionArrayWithStorage(t, storage), nil
	}
	b := array.NewBuilder(mem, t)
	defer b.Release()
	if err := AppendValue(b, v); err != nil {
		return nil, err
	}
	return b.NewArray(), nil
}

// AppendValue appends a value of the Go type that Literal documents. A value of another type is a bug
// of whoever made the Literal, but parameters come from clients, so it is an error.
func AppendValue(b array.Builder, v any) error {
	if v == nil {
		b.AppendNull()
		return nil
	}
	switch v := v.(type) {
	case bool:
		if b, ok := b.(*array.BooleanBuilder); ok {
			b.Append(v)
			return nil
		}
	case int64:
		switch b := b.(type) {
		case *array.Int8Builder:
			b.Append(int8(v))
		case *array.Int16Builder:
			b.Append(int16(v))
		case *array.Int32Builder:
			b.Append(int32(v))
		case *array.Int64Builder:
			b.Append(v)
		case *array.Date32Builder:
			b.Append(arrow.Date32(v))
		case *array.Date64Builder:
			b.Append(arrow.Date64(v))
		case *array.Time32Builder:
			b.Append(arrow.Time32(v))
		case *array.Time64Builder:
			b.Append(arrow.Time64(v))
		case *array.TimestampBuilder:
			b.Append(arrow.Timestamp(v))
		case *array.DurationBuilder:
			b.Append(arrow.Duration(v))
		default:
			return misfit(b, v)
		}
		return nil
	case uint64:
		switch b := b.(type) {
		case *array.Uint8Builder:
			b.Append(uint8(v))
		case *array.Uint16Builder:
			b.Append(uint16(v))
		case *array.Uint32Builder:
			b.Append(uint32(v))
		case *array.Uint64Builder:
			b.Append(v)
		default:
			return misfit(b, v)
		}
		return nil
	case float64:
		switch b := b.(type) {
		case *array.Float16Builder:
			b.Append(half.FromFloat64(v))
		case *array.Float32Builder:
			b.Append(float32(v))
		case *array.Float64Builder:
			b.Append(v)
		default:
			return misfit(b, v)
		}
		return nil
	case string:
		switch b := b.(type) {
		case *array.StringBuilder:
			b.Append(v)
		case *array.LargeStringBuilder:
			b.Append(v)
		case *array.StringViewBuilder:
			b.Append(v)
		default:
			return misfit(b, v)
		}
		return nil
	case []byte:
		switch b := b.(type) {
		case *array.BinaryBuilder:
			b.Append(v)
		case *array.BinaryViewBuilder:
			b.Append(v)
		case *extensions.UUIDBuilder:
			if len(v) != uuidBytes {
				return fault.New(fault.InvalidArgument, "a UUID has %d bytes, not %d", uuidBytes, len(v))
			}
			b.AppendBytes([uuidBytes]byte(v))
		case *array.FixedSizeBinaryBuilder:
			if t := b.Type().(*arrow.FixedSizeBinaryType); len(v) != t.ByteWidth {
				return fault.New(fault.InvalidArgument, "the value has %d bytes, but %d are needed", len(v), t.ByteWidth)
			}
			b.Append(v)
		default:
			return misfit(b, v)
		}
		return nil
	case decimal128.Num:
		if b, ok := b.(*array.Decimal128Builder); ok {
			b.Append(v)
			return nil
		}
	case arrow.MonthDayNanoInterval:
		switch b := b.(type) {
		case *array.MonthDayNanoIntervalBuilder:
			b.Append(v)
			return nil
		case *array.MonthIntervalBuilder:
			b.Append(arrow.MonthInterval(v.Months))
			return nil
		case *array.DayTimeIntervalBuilder:
			b.Append(arrow.DayTimeInterval{Days: v.Days, Milliseconds: int32(v.Nanoseconds / 1e6)})
			return nil
		}
	case []float32:
		return appendVector(b, v)
	case []any:
		return appendItems(b, v)
	}
	return misfit(b, v)
}

func misfit(b array.Builder, v any) error {
	return fault.New(fault.Internal, "a constant of type %s holds a Go %T", b.Type(), v)
}

func appendVector(b array.Builder, v []float32) error {
	lb, ok := b.(array.ListLikeBuilder)
	if !ok {
		return misfit(b, v)
	}
	if t, ok := b.Type().(*arrow.FixedSizeListType); ok && int(t.Len()) != len(v) {
		return DimensionError(len(v), int(t.Len()))
	}
	lb.Append(true)
	if vb, ok := lb.ValueBuilder().(*array.Float32Builder); ok {
		vb.AppendValues(v, nil)
		return nil
	}
	for _, x := range v {
		if err := AppendValue(lb.ValueBuilder(), float64(x)); err != nil {
			return err
		}
	}
	return nil
}

func appendItems(b array.Builder, v []any) error {
	switch b := b.(type) {
	case *array.StructBuilder:
		if len(v) != b.NumField() {
			return misfit(b, v)
		}
		b.Append(true)
		for i, x := range v {
			if err := AppendValue(b.FieldBuilder(i), x); err != nil {
				return err
			}
		}
		return nil
	case array.ListLikeBuilder:
		if t, ok := b.Type().(*arrow.FixedSizeListType); ok && int(t.Len()) != len(v) {
			return DimensionError(len(v), int(t.Len()))
		}
		b.Append(true)
		for _, x := range v {
			if err := AppendValue(b.ValueBuilder(), x); err != nil {
				return err
			}
		}
		return nil
	}
	return misfit(b, v)
}
