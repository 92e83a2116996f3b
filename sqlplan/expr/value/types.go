package value

import (
	"fmt"
	"math"
	"strings"

	"lanceflight/internal/fault"
	"lanceflight/internal/sqlname"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"
)

// Kind groups Arrow types that SQL treats alike.
type Kind uint8

const (
	KindNull Kind = iota
	KindBool
	KindInt
	KindUint
	KindFloat
	KindDecimal
	KindText
	KindBinary
	KindDate
	KindTime
	KindTimestamp
	KindInterval // calendar intervals and durations
	KindUUID
	KindList // lists, large lists, fixed-size lists
	KindStruct
	KindMap
	KindOther
)

var (
	TypeBool      = arrow.FixedWidthTypes.Boolean
	TypeInt32     = arrow.PrimitiveTypes.Int32
	TypeInt64     = arrow.PrimitiveTypes.Int64
	TypeUint64    = arrow.PrimitiveTypes.Uint64
	TypeFloat32   = arrow.PrimitiveTypes.Float32
	TypeFloat64   = arrow.PrimitiveTypes.Float64
	TypeText      = arrow.BinaryTypes.String
	TypeBinary    = arrow.BinaryTypes.Binary
	TypeDate      = arrow.FixedWidthTypes.Date32
	TypeTime      = arrow.FixedWidthTypes.Time64us
	TypeTimestamp = &arrow.TimestampType{Unit: arrow.Microsecond}
	TypeInterval  = arrow.FixedWidthTypes.MonthDayNanoInterval
)

// PlainType returns the type of the values behind an encoding or an extension: dictionary<utf8> is utf8.
func PlainType(t arrow.DataType) arrow.DataType {
	for {
		switch x := t.(type) {
		case *arrow.DictionaryType:
			t = x.ValueType
		case *arrow.RunEndEncodedType:
			t = x.Encoded()
		case *extensions.UUIDType:
			return t // a type of its own in SQL
		case arrow.ExtensionType:
			t = x.StorageType()
		default:
			return t
		}
	}
}

// KindOf classifies a plain type; see plain.
func KindOf(t arrow.DataType) Kind {
	switch t.ID() {
	case arrow.EXTENSION:
		if _, ok := t.(*extensions.UUIDType); ok {
			return KindUUID
		}
	case arrow.NULL:
		return KindNull
	case arrow.BOOL:
		return KindBool
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64:
		return KindInt
	case arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64:
		return KindUint
	case arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64:
		return KindFloat
	case arrow.DECIMAL128:
		return KindDecimal
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		return KindText
	case arrow.BINARY, arrow.LARGE_BINARY, arrow.BINARY_VIEW, arrow.FIXED_SIZE_BINARY:
		return KindBinary
	case arrow.DATE32, arrow.DATE64:
		return KindDate
	case arrow.TIME32, arrow.TIME64:
		return KindTime
	case arrow.TIMESTAMP:
		return KindTimestamp
	case arrow.DURATION, arrow.INTERVAL_MONTHS, arrow.INTERVAL_DAY_TIME, arrow.INTERVAL_MONTH_DAY_NANO:
		return KindInterval
	case arrow.LIST, arrow.LARGE_LIST, arrow.FIXED_SIZE_LIST:
		return KindList
	case arrow.STRUCT:
		return KindStruct
	case arrow.MAP:
		return KindMap
	}
	return KindOther
}

func (k Kind) Numeric() bool { return k >= KindInt && k <= KindDecimal }
func (k Kind) Integer() bool { return k == KindInt || k == KindUint }

// BitWidth is the width of an integer or float type.
func BitWidth(t arrow.DataType) int { return t.(arrow.FixedWidthDataType).BitWidth() }

// Digits is the number of decimal digits that hold every value of an integer type.
func Digits(t arrow.DataType) int32 {
	switch BitWidth(t) {
	case 8:
		return 3
	case 16:
		return 5
	case 32:
		return 10
	}
	if t.ID() == arrow.UINT64 {
		return 20
	}
	return 19
}

func IntType(bits int) arrow.DataType {
	switch bits {
	case 8:
		return arrow.PrimitiveTypes.Int8
	case 16:
		return arrow.PrimitiveTypes.Int16
	case 32:
		return TypeInt32
	}
	return TypeInt64
}

func UintType(bits int) arrow.DataType {
	switch bits {
	case 8:
		return arrow.PrimitiveTypes.Uint8
	case 16:
		return arrow.PrimitiveTypes.Uint16
	case 32:
		return arrow.PrimitiveTypes.Uint32
	}
	return TypeUint64
}

// IsVector says whether t is a fixed-size list of floats, and its dimension.
func IsVector(t arrow.DataType) (dim int, ok bool) {
	f, ok := t.(*arrow.FixedSizeListType)
	if !ok || KindOf(PlainType(f.Elem())) != KindFloat {
		return 0, false
	}
	return int(f.Len()), true
}

func ElemOf(t arrow.DataType) arrow.DataType { return t.(arrow.ListLikeType).Elem() }

// TypeName is the SQL name of an Arrow type: BIGINT, VARCHAR, FLOAT[768]. Types that SQL has no name
// for come out as Arrow prints them.
func TypeName(t arrow.DataType) string {
	switch t := t.(type) {
	case nil:
		return "UNKNOWN"
	case *extensions.UUIDType:
		return "UUID"
	case *arrow.DictionaryType, *arrow.RunEndEncodedType, arrow.ExtensionType:
		return TypeName(PlainType(t))
	case *arrow.Decimal128Type:
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Precision, t.Scale)
	case *arrow.TimestampType:
		name := "TIMESTAMP"
		switch t.Unit {
		case arrow.Second:
			name = "TIMESTAMP_S"
		case arrow.Millisecond:
			name = "TIMESTAMP_MS"
		case arrow.Nanosecond:
			name = "TIMESTAMP_NS"
		}
		if t.TimeZone != "" {
			return "TIMESTAMP WITH TIME ZONE"
		}
		return name
	case *arrow.FixedSizeListType:
		return fmt.Sprintf("%s[%d]", TypeName(t.Elem()), t.Len())
	case *arrow.MapType:
		return fmt.Sprintf("MAP(%s, %s)", TypeName(t.KeyType()), TypeName(t.ItemType()))
	case *arrow.StructType:
		parts := make([]string, t.NumFields())
		for i := range parts {
			parts[i] = sqlname.QuoteIfNeeded(t.Field(i).Name) + " " + TypeName(t.Field(i).Type)
		}
		return "STRUCT(" + strings.Join(parts, ", ") + ")"
	}
	switch t.ID() {
	case arrow.NULL:
		return "NULL"
	case arrow.BOOL:
		return "BOOLEAN"
	case arrow.INT8:
		return "TINYINT"
	case arrow.INT16:
		return "SMALLINT"
	case arrow.INT32:
		return "INTEGER"
	case arrow.INT64:
		return "BIGINT"
	case arrow.UINT8:
		return "UTINYINT"
	case arrow.UINT16:
		return "USMALLINT"
	case arrow.UINT32:
		return "UINTEGER"
	case arrow.UINT64:
		return "UBIGINT"
	case arrow.FLOAT16:
		return "HALF"
	case arrow.FLOAT32:
		return "FLOAT"
	case arrow.FLOAT64:
		return "DOUBLE"
	}
	switch KindOf(t) {
	case KindText:
		return "VARCHAR"
	case KindBinary:
		return "BLOB"
	case KindDate:
		return "DATE"
	case KindTime:
		return "TIME"
	case KindInterval:
		return "INTERVAL"
	case KindList:
		return TypeName(ElemOf(t)) + "[]"
	}
	return t.String()
}

func TimeUnit(t arrow.DataType) arrow.TimeUnit {
	switch t := t.(type) {
	case *arrow.Time32Type:
		return t.Unit
	case *arrow.Time64Type:
		return t.Unit
	case *arrow.TimestampType:
		return t.Unit
	case *arrow.DurationType:
		return t.Unit
	}
	return arrow.Microsecond
}

// IntRange is the range of an integer type; the bounds of 64-bit types are rounded.
func IntRange(t arrow.DataType) (lo, hi float64) {
	w := BitWidth(t)
	if KindOf(t) == KindUint {
		return 0, math.Ldexp(1, w) - boolFloat(w < 64)
	}
	return -math.Ldexp(1, w-1), math.Ldexp(1, w-1) - boolFloat(w < 64)
}

func boolFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// NotComputed is the error of an operation on a type that is carried through (selected, grouped, sorted, counted) and not computed with;
// nil for other types. Else such an operation would seem to be a mistake of the user's.
func NotComputed(types ...arrow.DataType) error {
	for _, t := range types {
		if t.ID() == arrow.DECIMAL256 {
			return fault.New(
				fault.Unsupported,
				"computing with %s: values of more than 38 digits can be selected, counted, grouped and sorted",
				TypeName(t),
			)
		}
	}
	return nil
}
