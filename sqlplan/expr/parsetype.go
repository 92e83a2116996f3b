package expr

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr/value"
)

// typeNames are the SQL names of types without arguments. Types that take some, and those that SQL has
// and this server does not, are in scalarType.
var typeNames = map[string]arrow.DataType{
	"BOOLEAN": value.TypeBool, "BOOL": value.TypeBool, "LOGICAL": value.TypeBool,
	"TINYINT": arrow.PrimitiveTypes.Int8, "INT1": arrow.PrimitiveTypes.Int8,
	"SMALLINT": arrow.PrimitiveTypes.Int16, "INT2": arrow.PrimitiveTypes.Int16, "SHORT": arrow.PrimitiveTypes.Int16,
	"INTEGER": value.TypeInt32, "INT": value.TypeInt32, "INT4": value.TypeInt32, "SIGNED": value.TypeInt32,
	"BIGINT": value.TypeInt64, "INT8": value.TypeInt64, "LONG": value.TypeInt64,
	"UTINYINT": arrow.PrimitiveTypes.Uint8, "USMALLINT": arrow.PrimitiveTypes.Uint16,
	"UINTEGER": arrow.PrimitiveTypes.Uint32, "UBIGINT": value.TypeUint64,
	"HALF": arrow.FixedWidthTypes.Float16, "FLOAT16": arrow.FixedWidthTypes.Float16, "HALFFLOAT": arrow.FixedWidthTypes.Float16,
	"REAL": value.TypeFloat32, "FLOAT4": value.TypeFloat32, "FLOAT32": value.TypeFloat32, "FLOAT": value.TypeFloat32,
	"DOUBLE": value.TypeFloat64, "DOUBLE PRECISION": value.TypeFloat64, "FLOAT8": value.TypeFloat64, "FLOAT64": value.TypeFloat64,
	"VARCHAR": value.TypeText, "TEXT": value.TypeText, "STRING": value.TypeText, "CHAR": value.TypeText,
	"CHARACTER": value.TypeText, "BPCHAR": value.TypeText,
	"CHARACTER VARYING": value.TypeText, "NAME": value.TypeText, "JSON": value.TypeText,
	"BLOB": value.TypeBinary, "BYTEA": value.TypeBinary, "BINARY": value.TypeBinary, "VARBINARY": value.TypeBinary, "BYTES": value.TypeBinary,
	"DATE": value.TypeDate, "INTERVAL": value.TypeInterval,
	"TIMESTAMP_S": &arrow.TimestampType{Unit: arrow.Second}, "TIMESTAMP_MS": &arrow.TimestampType{Unit: arrow.Millisecond},
	"TIMESTAMP_US": value.TypeTimestamp, "TIMESTAMP_NS": &arrow.TimestampType{Unit: arrow.Nanosecond},
	"DATETIME": value.TypeTimestamp,
	"UUID":     value.TypeUUID,
}

// ParseType turns a SQL type into an Arrow type. name is upper case; args are those in parentheses,
// dims those in brackets, outermost last (0 for an open list). tz says WITH TIME ZONE.
//
// FLOAT is 32 bits, as in DuckDB and Lance (FLOAT(25) and more are DOUBLE, as in PostgreSQL). The
// length of VARCHAR(n) is not enforced. Unknown names are InvalidArgument.
func ParseType(name string, args []int, dims []int, tz bool) (arrow.DataType, error) {
	t, err := scalarType(strings.ToUpper(name), args, tz)
	if err != nil {
		return nil, err
	}
	for _, d := range dims {
		switch {
		case d == 0:
			t = arrow.ListOf(t)
		case d < 0 || d > maxDim:
			return nil, fault.New(fault.InvalidArgument, "the array size %d is not between 1 and %d", d, maxDim)
		default:
			t = arrow.FixedSizeListOf(int32(d), t)
		}
	}
	return t, nil
}

// maxDim bounds the size of a fixed-size list in a type name, so that a cast cannot ask for gigabytes.
const maxDim = 1 << 20

func scalarType(name string, args []int, tz bool) (arrow.DataType, error) {
	arg := func(def int) int {
		if len(args) > 0 {
			return args[0]
		}
		return def
	}
	switch name {
	case "DECIMAL", "NUMERIC", "DEC":
		precision, scale := arg(18), 0
		if len(args) > 1 {
			scale = args[1]
		} else if len(args) == 0 {
			scale = 3
		}
		if precision < 1 || precision > 38 || scale < 0 || scale > precision || len(args) > 2 {
			return nil, fault.New(
				fault.InvalidArgument,
				"DECIMAL takes a precision from 1 to 38 and a scale from 0 to the precision, not (%d,%d)",
				precision,
				scale,
			)
		}
		return &arrow.Decimal128Type{Precision: int32(precision), Scale: int32(scale)}, nil
	case "FLOAT":
		if len(args) == 1 {
			if p := args[0]; p < 1 || p > 53 {
				return nil, fault.New(fault.InvalidArgument, "FLOAT takes a precision from 1 to 53, not %d", p)
			} else if p > 24 {
				return value.TypeFloat64, nil
			}
			return value.TypeFloat32, nil
		}
	case "TIMESTAMP", "TIMESTAMPTZ":
		unit := arrow.Microsecond
		switch p := arg(6); {
		case p == 0:
			unit = arrow.Second
		case p <= 3:
			unit = arrow.Millisecond
		case p <= 6:
		case p <= 9:
			unit = arrow.Nanosecond
		default:
			return nil, fault.New(fault.InvalidArgument, "TIMESTAMP takes a precision from 0 to 9, not %d", p)
		}
		if tz || name == "TIMESTAMPTZ" {
			return &arrow.TimestampType{Unit: unit, TimeZone: "UTC"}, nil
		}
		return &arrow.TimestampType{Unit: unit}, nil
	case "TIME":
		if tz {
			return nil, fault.New(fault.Unsupported, "TIME WITH TIME ZONE; TIME and TIMESTAMP WITH TIME ZONE are")
		}
		return value.TypeTime, nil
	case "VECTOR", "HALFVEC":
		if len(args) != 1 || args[0] < 1 || args[0] > maxDim {
			return nil, fault.New(fault.InvalidArgument, "%s takes its number of dimensions, from 1 to %d: %s(768)", name, maxDim, name)
		}
		if name == "HALFVEC" {
			return arrow.FixedSizeListOf(int32(args[0]), arrow.FixedWidthTypes.Float16), nil
		}
		return arrow.FixedSizeListOf(int32(args[0]), value.TypeFloat32), nil
	case "HUGEINT", "UHUGEINT", "BIT", "VARBIT", "ENUM", "UNION", "MONEY", "XML", "JSONB":
		return nil, fault.New(fault.Unsupported, "the type %s", name)
	}
	t, ok := typeNames[name]
	if !ok {
		names := make([]string, 0, len(typeNames)+2)
		for n := range typeNames {
			names = append(names, n)
		}
		return nil, fault.New(
			fault.InvalidArgument,
			"there is no type %s%s",
			name,
			DidYouMean(name, append(names, "DECIMAL", "TIMESTAMP", "TIME", "VECTOR")),
		)
	}
	if len(args) > 0 && value.KindOf(t) != value.KindText && value.KindOf(t) != value.KindBinary && name != "DATETIME" && name != "INTERVAL" &&
		value.KindOf(t) != value.KindInt {
		return nil, fault.New(fault.InvalidArgument, "the type %s takes no arguments", name)
	}
	return t, nil
}
