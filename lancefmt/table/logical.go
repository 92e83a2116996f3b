package table

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// Extension metadata of Arrow fields.
const (
	extensionName     = "ARROW:extension:name"
	extensionMetadata = "ARROW:extension:metadata"
	bfloat16Name      = "lance.bfloat16"
	jsonName          = "lance.json"
	blobKey           = "lance-encoding:blob"
)

// maxTypeDepth bounds fixed_size_list:fixed_size_list:… and the nesting of schemas.
const maxTypeDepth = 64

var leafTypes = map[string]arrow.DataType{
	"null": arrow.Null, "bool": arrow.FixedWidthTypes.Boolean,
	"int8": arrow.PrimitiveTypes.Int8, "uint8": arrow.PrimitiveTypes.Uint8,
	"int16": arrow.PrimitiveTypes.Int16, "uint16": arrow.PrimitiveTypes.Uint16,
	"int32": arrow.PrimitiveTypes.Int32, "uint32": arrow.PrimitiveTypes.Uint32,
	"int64": arrow.PrimitiveTypes.Int64, "uint64": arrow.PrimitiveTypes.Uint64,
	"halffloat": arrow.FixedWidthTypes.Float16, "float": arrow.PrimitiveTypes.Float32, "double": arrow.PrimitiveTypes.Float64,
	"string": arrow.BinaryTypes.String, "large_string": arrow.BinaryTypes.LargeString,
	"binary": arrow.BinaryTypes.Binary, "large_binary": arrow.BinaryTypes.LargeBinary,
	"blob": arrow.BinaryTypes.LargeBinary, "json": arrow.BinaryTypes.LargeBinary,
	"date32:day": arrow.FixedWidthTypes.Date32, "date64:ms": arrow.FixedWidthTypes.Date64,
	"time32:s": arrow.FixedWidthTypes.Time32s, "time32:ms": arrow.FixedWidthTypes.Time32ms,
	"time64:us": arrow.FixedWidthTypes.Time64us, "time64:ns": arrow.FixedWidthTypes.Time64ns,
	"duration:s": arrow.FixedWidthTypes.Duration_s, "duration:ms": arrow.FixedWidthTypes.Duration_ms,
	"duration:us": arrow.FixedWidthTypes.Duration_us, "duration:ns": arrow.FixedWidthTypes.Duration_ns,
}

var timeUnits = map[string]arrow.TimeUnit{
	"s": arrow.Second, "ms": arrow.Millisecond, "us": arrow.Microsecond, "ns": arrow.Nanosecond,
}

// leafType turns a logical type without children in the schema into an Arrow type. An unknown or
// malformed one is fault.Unsupported: newer writers may have types of their own, and the other
// columns stay readable.
//
// Source: lance-core 14.0.2, datatypes.rs.
func leafType(logical string, depth int) (arrow.DataType, error) {
	if t, ok := leafTypes[logical]; ok {
		return t, nil
	}
	unknown := func() error { return fault.New(fault.Unsupported, "the logical type %q", logical) }
	if depth > maxTypeDepth {
		return nil, unknown()
	}
	kind, rest, _ := strings.Cut(logical, ":")
	switch kind {
	case "fixed_size_list": // fixed_size_list:ITEM:N, where ITEM may have colons
		cut := strings.LastIndexByte(rest, ':')
		if cut < 0 {
			return nil, unknown()
		}
		size, ok := typeWidth(rest[cut+1:])
		if !ok {
			return nil, unknown()
		}
		if rest[:cut] == bfloat16Name {
			return arrow.FixedSizeListOfField(size, arrow.Field{Name: "item", Nullable: true,
				Type:     &arrow.FixedSizeBinaryType{ByteWidth: 2},
				Metadata: arrow.NewMetadata([]string{extensionName, extensionMetadata}, []string{bfloat16Name, ""})}), nil
		}
		item, err := leafType(rest[:cut], depth+1)
		if err != nil {
			return nil, unknown()
		}
		return arrow.FixedSizeListOf(size, item), nil
	case "fixed_size_binary":
		if size, ok := typeWidth(rest); ok {
			return &arrow.FixedSizeBinaryType{ByteWidth: int(size)}, nil
		}
	case "decimal": // decimal:BITS:PRECISION:SCALE
		parts := strings.Split(rest, ":")
		if len(parts) != 3 {
			return nil, unknown()
		}
		precision, err1 := strconv.ParseUint(parts[1], 10, 8)
		scale, err2 := strconv.ParseInt(parts[2], 10, 8)
		switch {
		case err1 != nil || err2 != nil || precision == 0:
		case parts[0] == "128" && precision <= 38:
			return &arrow.Decimal128Type{Precision: int32(precision), Scale: int32(scale)}, nil
		case parts[0] == "256" && precision <= 76:
			return &arrow.Decimal256Type{Precision: int32(precision), Scale: int32(scale)}, nil
		}
	case "timestamp": // timestamp:UNIT:ZONE, "-" is no zone, a zone may have a colon
		name, zone, ok := strings.Cut(rest, ":")
		unit, known := timeUnits[name]
		if !ok || !known {
			return nil, unknown()
		}
		if zone == "-" {
			zone = ""
		}
		return &arrow.TimestampType{Unit: unit, TimeZone: zone}, nil
	case "dict": // dict:VALUE:INDEX:ORDERED
		parts := strings.Split(rest, ":")
		if n := len(parts); n > 3 { // a value type with colons, which pylance refuses to write
			parts = []string{strings.Join(parts[:n-2], ":"), parts[n-2], parts[n-1]}
		}
		if len(parts) != 3 {
			return nil, unknown()
		}
		value, err1 := leafType(parts[0], depth+1)
		index, err2 := leafType(parts[1], depth+1)
		if err1 != nil || err2 != nil || !arrow.IsInteger(index.ID()) {
			return nil, unknown()
		}
		return &arrow.DictionaryType{IndexType: index, ValueType: value, Ordered: parts[2] == "true"}, nil
	}
	return nil, unknown()
}

// typeWidth parses the size of a fixed-size type, 1 to 2^31-1.
func typeWidth(s string) (int32, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err == nil && n > 0
}

// arrowType returns the Arrow type of a field whose children have theirs.
func (f *Field) arrowType() (arrow.DataType, error) {
	children := func(want int) error {
		if len(f.Children) != want {
			return fault.Corruptf("field %d (%s) of type %s has %d children, not %d", f.ID, f.Name, f.LogicalType, len(f.Children), want)
		}
		return nil
	}
	kind, rest, _ := strings.Cut(f.LogicalType, ":")
	switch {
	case f.LogicalType == "struct":
		fields := make([]arrow.Field, len(f.Children))
		for i, c := range f.Children {
			fields[i] = c.Arrow()
		}
		return arrow.StructOf(fields...), nil
	case kind == "list" || f.LogicalType == "list.struct":
		if err := children(1); err != nil {
			return nil, err
		}
		return arrow.ListOfField(f.Children[0].Arrow()), nil
	case kind == "large_list" || f.LogicalType == "large_list.struct":
		if err := children(1); err != nil {
			return nil, err
		}
		return arrow.LargeListOfField(f.Children[0].Arrow()), nil
	case kind == "fixed_size_list" && len(f.Children) > 0: // of structs
		size, ok := typeWidth(rest[strings.LastIndexByte(rest, ':')+1:])
		if err := children(1); err != nil || !ok {
			return nil, fault.New(fault.Unsupported, "the logical type %q", f.LogicalType)
		}
		return arrow.FixedSizeListOfField(size, f.Children[0].Arrow()), nil
	case f.LogicalType == "map":
		if err := children(1); err != nil {
			return nil, err
		}
		entries := f.Children[0]
		if len(entries.Children) != 2 {
			return nil, fault.Corruptf("the entries of map field %d (%s) have %d children, not 2", f.ID, f.Name, len(entries.Children))
		}
		return arrow.MapOfFields(entries.Children[0].Arrow(), entries.Children[1].Arrow()), nil
	}
	if len(f.Children) > 0 {
		return nil, fault.New(fault.Unsupported, "the logical type %q with %d children", f.LogicalType, len(f.Children))
	}
	return leafType(f.LogicalType, 0)
}

func (f *Field) String() string { return fmt.Sprintf("field %d (%s %s)", f.ID, f.Name, f.LogicalType) }
