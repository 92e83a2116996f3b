package table

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/file"
)

// Extension metadata of Arrow fields.
const (
	extensionName     = "ARROW:extension:name"
	extensionMetadata = "ARROW:extension:metadata"
	jsonName          = "arrow.json" // lance.json where it is stored
	blobV2Name        = "lance.blob.v2"
	blobKey           = "lance-encoding:blob"
	uuidName          = "arrow.uuid"
	uuidStorage       = "fixed_size_binary:16"
)

// maxDepth bounds the nesting of schemas.
const maxDepth = 64

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
	case f.BlobV2():
		return arrow.BinaryTypes.LargeBinary, nil
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
		key := entries.Children[0].Arrow()
		key.Nullable = false // as Arrow demands, whatever the schema says
		return arrow.MapOfFields(key, entries.Children[1].Arrow()), nil
	}
	if len(f.Children) > 0 {
		return nil, fault.New(fault.Unsupported, "the logical type %q with %d children", f.LogicalType, len(f.Children))
	}
	// Newer writers may have types of their own, and the other columns stay readable.
	t, err := file.ParseLogicalType(f.LogicalType)
	if err != nil {
		return nil, fault.New(fault.Unsupported, "the logical type %q", f.LogicalType)
	}
	if f.uuid() {
		return extensions.NewUUIDType(), nil
	}
	return t, nil
}

// uuid reports whether the field is of Arrow's extension type arrow.uuid, which has no parameters.
func (f *Field) uuid() bool {
	return f.LogicalType == uuidStorage && f.Metadata[extensionName] == uuidName && f.Metadata[extensionMetadata] == ""
}

func (f *Field) String() string { return fmt.Sprintf("field %d (%s %s)", f.ID, f.Name, f.LogicalType) }
