package expr

import (
	"fmt"
	"lanceflight/internal/fault"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// kind groups Arrow types that SQL treats alike.
type kind uint8

const (
	kNull kind = iota
	kBool
	kInt
	kUint
	kFloat
	kDecimal
	kText
	kBinary
	kDate
	kTime
	kTimestamp
	kInterval // calendar intervals and durations
	kList     // lists, large lists, fixed-size lists
	kStruct
	kMap
	kOther
)

var (
	tBool      = arrow.FixedWidthTypes.Boolean
	tInt32     = arrow.PrimitiveTypes.Int32
	tInt64     = arrow.PrimitiveTypes.Int64
	tUint64    = arrow.PrimitiveTypes.Uint64
	tFloat32   = arrow.PrimitiveTypes.Float32
	tFloat64   = arrow.PrimitiveTypes.Float64
	tText      = arrow.BinaryTypes.String
	tBinary    = arrow.BinaryTypes.Binary
	tDate      = arrow.FixedWidthTypes.Date32
	tTime      = arrow.FixedWidthTypes.Time64us
	tTimestamp = &arrow.TimestampType{Unit: arrow.Microsecond}
	tInterval  = arrow.FixedWidthTypes.MonthDayNanoInterval
)

// plain returns the type of the values behind an encoding or an extension: dictionary<utf8> is utf8.
func plain(t arrow.DataType) arrow.DataType {
	for {
		switch x := t.(type) {
		case *arrow.DictionaryType:
			t = x.ValueType
		case *arrow.RunEndEncodedType:
			t = x.Encoded()
		case arrow.ExtensionType:
			t = x.StorageType()
		default:
			return t
		}
	}
}

// kindOf classifies a plain type; see plain.
func kindOf(t arrow.DataType) kind {
	switch t.ID() {
	case arrow.NULL:
		return kNull
	case arrow.BOOL:
		return kBool
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64:
		return kInt
	case arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64:
		return kUint
	case arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64:
		return kFloat
	case arrow.DECIMAL128:
		return kDecimal
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		return kText
	case arrow.BINARY, arrow.LARGE_BINARY, arrow.BINARY_VIEW, arrow.FIXED_SIZE_BINARY:
		return kBinary
	case arrow.DATE32, arrow.DATE64:
		return kDate
	case arrow.TIME32, arrow.TIME64:
		return kTime
	case arrow.TIMESTAMP:
		return kTimestamp
	case arrow.DURATION, arrow.INTERVAL_MONTHS, arrow.INTERVAL_DAY_TIME, arrow.INTERVAL_MONTH_DAY_NANO:
		return kInterval
	case arrow.LIST, arrow.LARGE_LIST, arrow.FIXED_SIZE_LIST:
		return kList
	case arrow.STRUCT:
		return kStruct
	case arrow.MAP:
		return kMap
	}
	return kOther
}

func (k kind) numeric() bool { return k >= kInt && k <= kDecimal }
func (k kind) integer() bool { return k == kInt || k == kUint }

// bitWidth is the width of an integer or float type.
func bitWidth(t arrow.DataType) int { return t.(arrow.FixedWidthDataType).BitWidth() }

// digits is the number of decimal digits that hold every value of an integer type.
func digits(t arrow.DataType) int32 {
	switch bitWidth(t) {
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

func intType(bits int) arrow.DataType {
	switch bits {
	case 8:
		return arrow.PrimitiveTypes.Int8
	case 16:
		return arrow.PrimitiveTypes.Int16
	case 32:
		return tInt32
	}
	return tInt64
}

func uintType(bits int) arrow.DataType {
	switch bits {
	case 8:
		return arrow.PrimitiveTypes.Uint8
	case 16:
		return arrow.PrimitiveTypes.Uint16
	case 32:
		return arrow.PrimitiveTypes.Uint32
	}
	return tUint64
}

// isVector says whether t is a fixed-size list of floats, and its dimension.
func isVector(t arrow.DataType) (dim int, ok bool) {
	f, ok := t.(*arrow.FixedSizeListType)
	if !ok || kindOf(plain(f.Elem())) != kFloat {
		return 0, false
	}
	return int(f.Len()), true
}

func elemOf(t arrow.DataType) arrow.DataType { return t.(arrow.ListLikeType).Elem() }

// TypeName is the SQL name of an Arrow type: BIGINT, VARCHAR, FLOAT[768]. Types that SQL has no name
// for come out as Arrow prints them.
func TypeName(t arrow.DataType) string {
	switch t := t.(type) {
	case nil:
		return "UNKNOWN"
	case *arrow.DictionaryType, *arrow.RunEndEncodedType, arrow.ExtensionType:
		return TypeName(plain(t))
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
			parts[i] = quoteName(t.Field(i).Name) + " " + TypeName(t.Field(i).Type)
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
	switch kindOf(t) {
	case kText:
		return "VARCHAR"
	case kBinary:
		return "BLOB"
	case kDate:
		return "DATE"
	case kTime:
		return "TIME"
	case kInterval:
		return "INTERVAL"
	case kList:
		return TypeName(elemOf(t)) + "[]"
	}
	return t.String()
}

func timeUnit(t arrow.DataType) arrow.TimeUnit {
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

// intRange is the range of an integer type; the bounds of 64-bit types are rounded.
func intRange(t arrow.DataType) (lo, hi float64) {
	w := bitWidth(t)
	if kindOf(t) == kUint {
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

// quoteName quotes a name that would not read back as itself.
func quoteName(name string) string {
	plain := name != ""
	for i, r := range name {
		if r == '_' || r >= 'a' && r <= 'z' || i > 0 && r >= '0' && r <= '9' {
			continue
		}
		plain = false
	}
	if plain {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// beyond is the error of an operation on a type that is carried through (selected, grouped, sorted, counted) and not computed with;
// nil for other types. Else such an operation would seem to be a mistake of the user's.
func beyond(types ...arrow.DataType) error {
	for _, t := range types {
		if t.ID() == arrow.DECIMAL256 {
			return fault.New(fault.Unsupported, "computing with %s: values of more than 38 digits can be selected, counted, grouped and sorted", TypeName(t))
		}
	}
	return nil
}
