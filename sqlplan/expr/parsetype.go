package expr

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// typeNames are the SQL names of types without arguments; the first of each group in the comment of
// unknownType is the one to advise.
var typeNames = map[string]arrow.DataType{
	"BOOLEAN": tBool, "BOOL": tBool, "LOGICAL": tBool,
	"TINYINT": arrow.PrimitiveTypes.Int8, "INT1": arrow.PrimitiveTypes.Int8,
	"SMALLINT": arrow.PrimitiveTypes.Int16, "INT2": arrow.PrimitiveTypes.Int16, "SHORT": arrow.PrimitiveTypes.Int16,
	"INTEGER": tInt32, "INT": tInt32, "INT4": tInt32, "SIGNED": tInt32,
	"BIGINT": tInt64, "INT8": tInt64, "LONG": tInt64,
	"UTINYINT": arrow.PrimitiveTypes.Uint8, "USMALLINT": arrow.PrimitiveTypes.Uint16,
	"UINTEGER": arrow.PrimitiveTypes.Uint32, "UBIGINT": tUint64,
	"HALF": arrow.FixedWidthTypes.Float16, "FLOAT16": arrow.FixedWidthTypes.Float16, "HALFFLOAT": arrow.FixedWidthTypes.Float16,
	"REAL": tFloat32, "FLOAT4": tFloat32, "FLOAT32": tFloat32, "FLOAT": tFloat32,
	"DOUBLE": tFloat64, "DOUBLE PRECISION": tFloat64, "FLOAT8": tFloat64, "FLOAT64": tFloat64,
	"VARCHAR": tText, "TEXT": tText, "STRING": tText, "CHAR": tText, "CHARACTER": tText, "BPCHAR": tText,
	"CHARACTER VARYING": tText, "NAME": tText, "JSON": tText,
	"BLOB": tBinary, "BYTEA": tBinary, "BINARY": tBinary, "VARBINARY": tBinary, "BYTES": tBinary,
	"DATE": tDate, "INTERVAL": tInterval,
	"TIMESTAMP_S": &arrow.TimestampType{Unit: arrow.Second}, "TIMESTAMP_MS": &arrow.TimestampType{Unit: arrow.Millisecond},
	"TIMESTAMP_US": tTimestamp, "TIMESTAMP_NS": &arrow.TimestampType{Unit: arrow.Nanosecond},
	"DATETIME": tTimestamp,
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
			return nil, fault.New(fault.InvalidArgument, "DECIMAL takes a precision from 1 to 38 and a scale from 0 to the precision, not (%d,%d)", precision, scale)
		}
		return &arrow.Decimal128Type{Precision: int32(precision), Scale: int32(scale)}, nil
	case "FLOAT":
		if len(args) == 1 {
			if p := args[0]; p < 1 || p > 53 {
				return nil, fault.New(fault.InvalidArgument, "FLOAT takes a precision from 1 to 53, not %d", p)
			} else if p > 24 {
				return tFloat64, nil
			}
			return tFloat32, nil
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
		return tTime, nil
	case "VECTOR", "HALFVEC":
		if len(args) != 1 || args[0] < 1 || args[0] > maxDim {
			return nil, fault.New(fault.InvalidArgument, "%s takes its number of dimensions, from 1 to %d: %s(768)", name, maxDim, name)
		}
		if name == "HALFVEC" {
			return arrow.FixedSizeListOf(int32(args[0]), arrow.FixedWidthTypes.Float16), nil
		}
		return arrow.FixedSizeListOf(int32(args[0]), tFloat32), nil
	case "HUGEINT", "UHUGEINT", "UUID", "BIT", "VARBIT", "ENUM", "UNION", "MONEY", "XML", "JSONB":
		return nil, fault.New(fault.Unsupported, "the type %s", name)
	}
	t, ok := typeNames[name]
	if !ok {
		names := make([]string, 0, len(typeNames)+2)
		for n := range typeNames {
			names = append(names, n)
		}
		return nil, fault.New(fault.InvalidArgument, "there is no type %s%s", name, didYouMean(name, append(names, "DECIMAL", "TIMESTAMP", "TIME", "VECTOR")))
	}
	if len(args) > 0 && kindOf(t) != kText && kindOf(t) != kBinary && name != "DATETIME" && name != "INTERVAL" && kindOf(t) != kInt {
		return nil, fault.New(fault.InvalidArgument, "the type %s takes no arguments", name)
	}
	return t, nil
}
