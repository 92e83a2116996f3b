package file

import (
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/filepb"
)

// Field metadata keys that change how a field is laid out in a file.
const (
	metaBlob          = "lance-encoding:blob"
	metaPacked        = "lance-encoding:packed"
	metaPackedOld     = "packed"
	metaExtensionName = "ARROW:extension:name"
	extensionBlobV2   = "lance.blob.v2"
)

// maxSchemaDepth bounds the nesting of a schema: a cycle of parent ids cannot recurse for ever.
const maxSchemaDepth = 128

// BlobDescriptor and BlobV2Descriptor are the types under which columns of blobs give, instead of
// their values, where those are: position and size in this file for the older kind; for the
// extension type lance.blob.v2 kind 0 means this file, 1 a shared and 2 a file of its own beside
// it, named by blob_id, 3 blob_uri.
//
// Source: lance-core 14.0.2, datatypes.rs.
var (
	BlobDescriptor = arrow.StructOf(
		arrow.Field{Name: "position", Type: arrow.PrimitiveTypes.Uint64, Nullable: true},
		arrow.Field{Name: "size", Type: arrow.PrimitiveTypes.Uint64, Nullable: true})
	BlobV2Descriptor = arrow.StructOf(
		arrow.Field{Name: "kind", Type: arrow.PrimitiveTypes.Uint8},
		arrow.Field{Name: "position", Type: arrow.PrimitiveTypes.Uint64},
		arrow.Field{Name: "size", Type: arrow.PrimitiveTypes.Uint64},
		arrow.Field{Name: "blob_id", Type: arrow.PrimitiveTypes.Uint32},
		arrow.Field{Name: "blob_uri", Type: arrow.BinaryTypes.String})
)

// FieldsOf turns a Lance schema into the fields of a file that holds exactly this schema: column
// indices are assigned in depth-first order, to every field in 2.0, to leaves from 2.1 on (as
// lance-file's data_file_columns does). Blobs and packed structs are one column with all children.
func FieldsOf(schema *filepb.Schema, major, minor uint16) ([]encoding.Field, error) {
	fields, err := SchemaFields(schema)
	if err != nil {
		return nil, err
	}
	next := 0
	AssignColumns(fields, major, minor, &next)
	return fields, nil
}

// AssignColumns numbers the columns of fields in the order in which the writer of the given storage
// version lays them out, from *next on.
func AssignColumns(fields []encoding.Field, major, minor uint16, next *int) {
	every := major == 0 || minor == 0
	for i := range fields {
		f := &fields[i]
		whole := len(f.Children) == 0 || IsBlob(*f) || IsPacked(*f)
		f.Column = -1
		if every || whole {
			f.Column = *next
			*next++
		}
		if whole {
			for j := range f.Children {
				clearColumns(&f.Children[j])
			}
			continue
		}
		AssignColumns(f.Children, major, minor, next)
	}
}

// hasByteColumns reports whether a file of 2.0 with so many columns has two for each string: its
// first writers made a column of the bytes (v20.IsList).
func hasByteColumns(fields []encoding.Field, columns int) bool {
	want := 0
	var walk func(fields []encoding.Field)
	walk = func(fields []encoding.Field) {
		for _, f := range fields {
			if want++; isString(f) {
				want++
			}
			walk(f.Children)
		}
	}
	walk(fields)
	next := 0
	AssignColumns(fields, 0, 3, &next)
	return columns != next && columns == want
}

func isString(f encoding.Field) bool { return arrow.IsBaseBinary(f.Type.ID()) }

// assignWithBytes numbers the columns of fields in such a file.
func assignWithBytes(fields []encoding.Field, next *int) {
	for i := range fields {
		f := &fields[i]
		f.Column = *next
		if *next++; isString(*f) {
			*next++
		}
		assignWithBytes(f.Children, next)
	}
}

func clearColumns(f *encoding.Field) {
	f.Column = -1
	for j := range f.Children {
		clearColumns(&f.Children[j])
	}
}

// IsBlob reports whether a field's values are stored outside its pages.
func IsBlob(f encoding.Field) bool {
	_, ok := f.Metadata[metaBlob]
	return ok || f.Metadata[metaExtensionName] == extensionBlobV2
}

// IsBlobV2 reports whether a field's values may lie in files of their own; its column then holds
// BlobV2Descriptor.
func IsBlobV2(f encoding.Field) bool { return f.Metadata[metaExtensionName] == extensionBlobV2 }

// IsPacked reports whether a struct field is stored row by row in one column.
func IsPacked(f encoding.Field) bool {
	return truthy(f.Metadata[metaPacked]) || truthy(f.Metadata[metaPackedOld])
}

func truthy(s string) bool {
	switch strings.ToLower(s) {
	case "1", "true", "y", "yes", "on":
		return true
	}
	return false
}

// SchemaFields builds the tree of a schema's flat list of fields, with Arrow types and without
// column indices (-1).
func SchemaFields(schema *filepb.Schema) ([]encoding.Field, error) {
	children := make(map[int32][]*filepb.Field)
	ids := make(map[int32]bool, len(schema.GetFields()))
	var blob *filepb.Field // the blob whose descriptor's fields may follow
	for _, f := range schema.GetFields() {
		// pylance 14.0.2 lists the fields of a blob's descriptor behind it as if they were at the
		// top, all with id -1 (fixture blob_v2_extension).
		if f.GetId() < 0 && f.GetParentId() < 0 && blob != nil {
			children[blob.GetId()] = append(children[blob.GetId()], f)
			continue
		}
		blob = nil
		if _, ok := f.GetMetadata()[metaBlob]; ok && f.GetLogicalType() == "struct" && f.GetId() >= 0 {
			blob = f
		}
		if ids[f.GetId()] && f.GetId() >= 0 {
			return nil, fault.Corruptf("schema has two fields with id %d", f.GetId())
		}
		ids[f.GetId()] = true
		children[f.GetParentId()] = append(children[f.GetParentId()], f)
	}
	return buildFields(children[-1], children, 0)
}

func buildFields(list []*filepb.Field, children map[int32][]*filepb.Field, depth int) ([]encoding.Field, error) {
	if depth > maxSchemaDepth {
		return nil, fault.Corruptf("schema is nested deeper than %d levels", maxSchemaDepth)
	}
	fields := make([]encoding.Field, len(list))
	for i, p := range list {
		var below []encoding.Field
		if p.GetId() >= 0 {
			var err error
			if below, err = buildFields(children[p.GetId()], children, depth+1); err != nil {
				return nil, err
			}
		}
		typ, err := fieldType(p.GetLogicalType(), below)
		if err != nil {
			return nil, err
		}
		f := encoding.Field{Name: p.GetName(), Type: typ, Nullable: p.GetNullable(), Column: -1, Children: below,
			JSONB: p.GetLogicalType() == "json"}
		if n := len(p.GetMetadata()); n > 0 || p.GetExtensionName() != "" {
			f.Metadata = make(map[string]string, n+1)
			for k, v := range p.GetMetadata() {
				f.Metadata[k] = string(v)
			}
			if p.GetExtensionName() != "" {
				f.Metadata[metaExtensionName] = p.GetExtensionName()
			}
		}
		fields[i] = f
	}
	return fields, nil
}

// fieldType returns the Arrow type of a logical type whose children are known.
func fieldType(logical string, children []encoding.Field) (arrow.DataType, error) {
	one := func() (arrow.Field, error) {
		if len(children) != 1 {
			return arrow.Field{}, fault.Corruptf("field of type %q has %d children instead of 1", logical, len(children))
		}
		return ArrowField(children[0]), nil
	}
	switch {
	case logical == "struct":
		fields := make([]arrow.Field, len(children))
		for i, c := range children {
			fields[i] = ArrowField(c)
		}
		return arrow.StructOf(fields...), nil
	case logical == "list", logical == "list.struct":
		item, err := one()
		if err != nil {
			return nil, err
		}
		return arrow.ListOfField(item), nil
	case logical == "large_list", logical == "large_list.struct":
		item, err := one()
		if err != nil {
			return nil, err
		}
		return arrow.LargeListOfField(item), nil
	case logical == "map":
		entries, err := one()
		if err != nil {
			return nil, err
		}
		st, ok := entries.Type.(*arrow.StructType)
		if !ok || st.NumFields() != 2 {
			return nil, fault.Corruptf("map has entries of type %s instead of a struct of two", entries.Type)
		}
		return mapOf(st), nil
	case strings.HasPrefix(logical, "fixed_size_list:struct:"):
		item, err := one()
		if err != nil {
			return nil, err
		}
		n, err := width(logical, logical[len("fixed_size_list:struct:"):])
		if err != nil {
			return nil, err
		}
		return arrow.FixedSizeListOfField(n, item), nil
	}
	return ParseLogicalType(logical)
}

// mapOf returns the map type of entries. Arrow demands that keys are not nullable, whatever the
// schema says.
func mapOf(entries *arrow.StructType) arrow.DataType {
	key := entries.Field(0)
	key.Nullable = false
	return arrow.MapOfFields(key, entries.Field(1))
}

// ArrowField returns the Arrow field of f, with its metadata.
func ArrowField(f encoding.Field) arrow.Field {
	out := arrow.Field{Name: f.Name, Type: f.Type, Nullable: f.Nullable}
	if len(f.Metadata) > 0 {
		out.Metadata = arrow.MetadataFrom(f.Metadata)
	}
	return out
}

var plainTypes = map[string]arrow.DataType{
	"null":         arrow.Null,
	"bool":         arrow.FixedWidthTypes.Boolean,
	"int8":         arrow.PrimitiveTypes.Int8,
	"uint8":        arrow.PrimitiveTypes.Uint8,
	"int16":        arrow.PrimitiveTypes.Int16,
	"uint16":       arrow.PrimitiveTypes.Uint16,
	"int32":        arrow.PrimitiveTypes.Int32,
	"uint32":       arrow.PrimitiveTypes.Uint32,
	"int64":        arrow.PrimitiveTypes.Int64,
	"uint64":       arrow.PrimitiveTypes.Uint64,
	"halffloat":    arrow.FixedWidthTypes.Float16,
	"float":        arrow.PrimitiveTypes.Float32,
	"double":       arrow.PrimitiveTypes.Float64,
	"string":       arrow.BinaryTypes.String,
	"binary":       arrow.BinaryTypes.Binary,
	"large_string": arrow.BinaryTypes.LargeString,
	"large_binary": arrow.BinaryTypes.LargeBinary,
	"blob":         arrow.BinaryTypes.LargeBinary,
	"json":         arrow.BinaryTypes.String, // stored as large binary
	"date32:day":   arrow.FixedWidthTypes.Date32,
	"date64:ms":    arrow.FixedWidthTypes.Date64,
	"time32:s":     arrow.FixedWidthTypes.Time32s,
	"time32:ms":    arrow.FixedWidthTypes.Time32ms,
	"time64:us":    arrow.FixedWidthTypes.Time64us,
	"time64:ns":    arrow.FixedWidthTypes.Time64ns,
	"duration:s":   arrow.FixedWidthTypes.Duration_s,
	"duration:ms":  arrow.FixedWidthTypes.Duration_ms,
	"duration:us":  arrow.FixedWidthTypes.Duration_us,
	"duration:ns":  arrow.FixedWidthTypes.Duration_ns,
}

// ParseLogicalType returns the Arrow type that a leaf's logical type stands for, "int64",
// "timestamp:us:UTC", "fixed_size_list:float:768", "dict:string:int32:false". Types with children
// in the schema (struct, list, map) are not leaves and refused. An unknown name is
// fault.Unsupported.
//
// Source: lance-core datatypes.rs, the conversion of LogicalType.
func ParseLogicalType(logical string) (arrow.DataType, error) {
	return parseLogicalType(logical, 0)
}

func parseLogicalType(logical string, depth int) (arrow.DataType, error) {
	if t, ok := plainTypes[logical]; ok {
		return t, nil
	}
	if depth > maxSchemaDepth {
		return nil, fault.Corruptf("logical type is nested deeper than %d levels", maxSchemaDepth)
	}
	kind, rest, _ := strings.Cut(logical, ":")
	parts := strings.Split(rest, ":")
	switch kind {
	case "fixed_size_list":
		if len(parts) < 2 {
			break
		}
		n, err := width(logical, parts[len(parts)-1])
		if err != nil {
			return nil, err
		}
		inner := strings.Join(parts[:len(parts)-1], ":")
		item := arrow.Field{Name: "item", Nullable: true}
		if inner == "lance.bfloat16" {
			item.Type = &arrow.FixedSizeBinaryType{ByteWidth: 2}
			item.Metadata = arrow.MetadataFrom(map[string]string{metaExtensionName: inner, "ARROW:extension:metadata": ""})
		} else if item.Type, err = parseLogicalType(inner, depth+1); err != nil {
			return nil, err
		}
		return arrow.FixedSizeListOfField(n, item), nil
	case "fixed_size_binary":
		if rest == "0" { // in which 2.2 stores nothing but NULLs
			return &arrow.FixedSizeBinaryType{}, nil
		}
		n, err := width(logical, rest)
		if err != nil {
			return nil, err
		}
		return &arrow.FixedSizeBinaryType{ByteWidth: int(n)}, nil
	case "dict":
		if len(parts) != 3 {
			break
		}
		value, err := parseLogicalType(parts[0], depth+1)
		if err != nil {
			return nil, err
		}
		index, err := parseLogicalType(parts[1], depth+1)
		if err != nil {
			return nil, err
		}
		if !arrow.IsInteger(index.ID()) {
			return nil, fault.Corruptf("dictionary type %q has an index that is no integer", logical)
		}
		return &arrow.DictionaryType{IndexType: index, ValueType: value}, nil
	case "decimal":
		if len(parts) != 3 {
			break
		}
		precision, err1 := strconv.ParseInt(parts[1], 10, 32)
		scale, err2 := strconv.ParseInt(parts[2], 10, 32)
		switch {
		case err1 != nil || err2 != nil || precision < 1:
			return nil, fault.Corruptf("bad logical type %q", logical)
		case parts[0] == "128" && precision <= 38:
			return &arrow.Decimal128Type{Precision: int32(precision), Scale: int32(scale)}, nil
		case parts[0] == "256" && precision <= 76:
			return &arrow.Decimal256Type{Precision: int32(precision), Scale: int32(scale)}, nil
		}
	case "timestamp":
		if len(parts) < 2 {
			break
		}
		unit, ok := map[string]arrow.TimeUnit{"s": arrow.Second, "ms": arrow.Millisecond, "us": arrow.Microsecond,
			"ns": arrow.Nanosecond}[parts[0]]
		if !ok {
			break
		}
		zone := strings.Join(parts[1:], ":") // "+08:00" has a colon of its own
		if zone == "-" {
			zone = ""
		}
		return &arrow.TimestampType{Unit: unit, TimeZone: zone}, nil
	}
	return nil, fault.New(fault.Unsupported, "logical type %q", logical)
}

// width parses the size at the end of a fixed-size type. Zero sizes are refused: nothing writes
// them but for fixed_size_binary, and the number of rows could not be told from the bytes.
func width(logical, digits string) (int32, error) {
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 1 {
		return 0, fault.Corruptf("bad size in logical type %q", logical)
	}
	return int32(n), nil
}
