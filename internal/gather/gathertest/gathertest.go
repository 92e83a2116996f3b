// Package gathertest makes random arrays of every type that rows are moved in, for tests.
package gathertest

import (
	"math"
	"math/rand/v2"
	"testing"

	"lanceflight/internal/half"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Types are the Arrow types that rows are moved and compared in.
var Types = []arrow.DataType{
	arrow.Null, arrow.FixedWidthTypes.Boolean,
	arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
	arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
	arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
	arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString, arrow.BinaryTypes.Binary, arrow.BinaryTypes.LargeBinary,
	arrow.BinaryTypes.StringView,
	arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Date64, arrow.FixedWidthTypes.Time32ms, arrow.FixedWidthTypes.Time64us,
	arrow.FixedWidthTypes.Timestamp_us, arrow.FixedWidthTypes.Duration_s, arrow.FixedWidthTypes.MonthDayNanoInterval,
	&arrow.FixedSizeBinaryType{ByteWidth: 5}, &arrow.Decimal128Type{Precision: 20,
		Scale: 3}, &arrow.Decimal256Type{Precision: 50, Scale: 3},
	arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Float32), arrow.FixedSizeListOf(2, arrow.BinaryTypes.String),
	arrow.ListOf(arrow.PrimitiveTypes.Int32), arrow.LargeListOf(arrow.BinaryTypes.String),
	arrow.ListOf(arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float64)),
	arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		arrow.Field{Name: "b", Type: arrow.BinaryTypes.String, Nullable: true}),
	arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int32),
	&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: arrow.BinaryTypes.String},
}

// RandomArray makes an array of n values, a slice of a longer one; one in five is NULL if nulls. Values come from
// small domains, so that they repeat.
func RandomArray(t testing.TB, mem memory.Allocator, r *rand.Rand, dt arrow.DataType, n int, nulls bool) arrow.Array {
	b := array.NewBuilder(mem, dt)
	defer b.Release()
	lead := r.IntN(4)
	for range n + lead + 2 {
		appendRandom(t, b, r, nulls)
	}
	whole := b.NewArray()
	defer whole.Release()
	return array.NewSlice(whole, int64(lead), int64(lead+n))
}

var floats = []float64{0, math.Copysign(0, -1), 1, -1, 2.5, math.Inf(1), math.Inf(-1), math.NaN(), -math.NaN(), 1e300, -1e-300}

func appendRandom(t testing.TB, b array.Builder, r *rand.Rand, nulls bool) {
	if nulls && r.IntN(5) == 0 {
		b.AppendNull()
		return
	}
	small := int64(r.IntN(7) - 3)
	text := []string{"", "a", "a\x00", "a\x00b", "b", "ba", "日本", "\xff"}[r.IntN(8)]
	switch b := b.(type) {
	case *array.NullBuilder:
		b.AppendNull()
	case *array.BooleanBuilder:
		b.Append(small > 0)
	case *array.Int8Builder:
		b.Append(int8(small * 40))
	case *array.Int16Builder:
		b.Append(int16(small * 9000))
	case *array.Int32Builder:
		b.Append(int32(small * 500_000_000))
	case *array.Int64Builder:
		b.Append(small << 61)
	case *array.Uint8Builder:
		b.Append(uint8(small))
	case *array.Uint16Builder:
		b.Append(uint16(small))
	case *array.Uint32Builder:
		b.Append(uint32(small))
	case *array.Uint64Builder:
		b.Append(uint64(small))
	case *array.Float16Builder:
		b.Append(half.FromFloat64(floats[r.IntN(8)]))
	case *array.Float32Builder:
		b.Append(float32(floats[r.IntN(len(floats))]))
	case *array.Float64Builder:
		b.Append(floats[r.IntN(len(floats))])
	case *array.StringBuilder:
		b.Append(text)
	case *array.LargeStringBuilder:
		b.Append(text)
	case *array.StringViewBuilder:
		b.Append(text + "longer than twelve bytes"[:r.IntN(24)])
	case *array.BinaryBuilder:
		b.Append([]byte(text))
	case *array.Date32Builder:
		b.Append(arrow.Date32(small))
	case *array.Date64Builder:
		b.Append(arrow.Date64(small))
	case *array.Time32Builder:
		b.Append(arrow.Time32(small))
	case *array.Time64Builder:
		b.Append(arrow.Time64(small))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(small))
	case *array.DurationBuilder:
		b.Append(arrow.Duration(small))
	case *array.MonthDayNanoIntervalBuilder:
		b.Append(arrow.MonthDayNanoInterval{Months: int32(small), Days: int32(r.IntN(3) * 15), Nanoseconds: small * 12 * 3600e9})
	case *array.FixedSizeBinaryBuilder:
		b.Append([]byte{0, byte(small), 0, 1, byte(r.IntN(2))})
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(small * 1e15))
	case *array.Decimal256Builder:
		b.Append(decimal256.FromI64(small * 1e15))
	case *array.FixedSizeListBuilder:
		b.Append(true)
		for range b.Type().(*arrow.FixedSizeListType).Len() {
			appendRandom(t, b.ValueBuilder(), r, nulls)
		}
	case *array.MapBuilder:
		b.Append(true)
		for range r.IntN(3) {
			appendRandom(t, b.KeyBuilder(), r, false)
			appendRandom(t, b.ItemBuilder(), r, nulls)
		}
	case *array.ListBuilder:
		b.Append(true)
		for range r.IntN(3) {
			appendRandom(t, b.ValueBuilder(), r, nulls)
		}
	case *array.LargeListBuilder:
		b.Append(true)
		for range r.IntN(3) {
			appendRandom(t, b.ValueBuilder(), r, nulls)
		}
	case *array.StructBuilder:
		b.Append(true)
		for f := range b.NumField() {
			appendRandom(t, b.FieldBuilder(f), r, nulls)
		}
	case *array.BinaryDictionaryBuilder:
		if err := b.AppendString(text); err != nil {
			t.Fatal(err)
		}
	default:
		t.Fatalf("no random value of %s", b.Type())
	}
}
