package table

import (
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/filepb"
)

// Field is a node of a table's schema.
type Field struct {
	ID          int32
	Name        string
	LogicalType string
	Nullable    bool
	Metadata    map[string]string // of the Arrow field; nil if there is none
	Children    []*Field

	// Type is the Arrow type. Where Err is set it is null instead, and reading the column fails
	// with Err, which names the logical type.
	Type arrow.DataType
	Err  error
}

// Arrow returns the field as Arrow has it. Blobs are bytes there, not the extension type. Of a UUID the
// type itself says that it is an extension. The names of other extension types are in the metadata.
func (f *Field) Arrow() arrow.Field {
	if f.BlobV2() || f.uuid() {
		rest := maps.Clone(f.Metadata)
		delete(rest, extensionName)
		delete(rest, extensionMetadata)
		return arrow.Field{Name: f.Name, Type: f.Type, Nullable: f.Nullable, Metadata: metadata(rest)}
	}
	return arrow.Field{Name: f.Name, Type: f.Type, Nullable: f.Nullable, Metadata: metadata(f.Metadata)}
}

// BlobV2 reports whether the column holds blobs of the extension type lance.blob.v2: bytes to
// whoever reads it, descriptors in files.
func (f *Field) BlobV2() bool {
	return f.LogicalType == "struct" && f.Metadata[extensionName] == blobV2Name
}

// JSON reports whether the column holds JSON: text to whoever reads it, JSONB in files.
func (f *Field) JSON() bool { return f.LogicalType == "json" }

// metadata sorts keys, so that equal schemas print equally.
func metadata(m map[string]string) arrow.Metadata {
	keys := slices.Sorted(maps.Keys(m))
	values := make([]string, len(keys))
	for i, k := range keys {
		values[i] = m[k]
	}
	return arrow.NewMetadata(keys, values)
}

// Schema is the schema of one version.
type Schema struct {
	Fields   []*Field // top level, in column order
	Metadata map[string]string
	Arrow    *arrow.Schema

	byID map[int32]*Field
}

// Field returns the field with an id, nil if there is none.
func (s *Schema) Field(id int32) *Field { return s.byID[id] }

// Path returns the name of a field from the top level, "a.b.c". A name with a dot in it is quoted
// with backquotes, as Lance does.
func (s *Schema) Path(id int32) (string, bool) {
	var walk func(fields []*Field, prefix string) (string, bool)
	walk = func(fields []*Field, prefix string) (string, bool) {
		for _, f := range fields {
			name := f.Name
			if strings.ContainsAny(name, ".`") {
				name = "`" + strings.ReplaceAll(name, "`", "``") + "`"
			}
			if f.ID == id {
				return prefix + name, true
			}
			if found, ok := walk(f.Children, prefix+name+"."); ok {
				return found, true
			}
		}
		return "", false
	}
	return walk(s.Fields, "")
}

// NewSchema builds the tree of a flat list of fields, in which parents come before children.
// A field whose logical type is not known keeps its place with Err set. A list that makes no tree
// is a fault.CorruptError.
//
// Source: lance-file 14.0.2, datatypes.rs: of two fields with one id, which old manifests contain,
// the first is the parent of later fields that name the id.
func NewSchema(fields []*filepb.Field, schemaMetadata map[string][]byte) (*Schema, error) {
	s := &Schema{byID: make(map[int32]*Field, len(fields)), Metadata: text(schemaMetadata)}
	depth := make(map[*Field]int, len(fields))
	for _, p := range fields {
		f := &Field{ID: p.GetId(), Name: p.GetName(), LogicalType: p.GetLogicalType(), Nullable: p.GetNullable(),
			Metadata: text(p.GetMetadata())}
		f.annotate(p.GetExtensionName())
		if p.GetParentId() == -1 {
			s.Fields = append(s.Fields, f)
		} else {
			parent := s.byID[p.GetParentId()]
			if parent == nil {
				return nil, fault.Corruptf("field %d (%s) names the parent %d, which does not stand before it", f.ID,
					f.Name, p.GetParentId())
			}
			if depth[f] = depth[parent] + 1; depth[f] > maxDepth {
				return nil, fault.New(fault.Unsupported, "fields nested more than %d deep (field %d)", maxDepth, f.ID)
			}
			parent.Children = append(parent.Children, f)
		}
		if _, taken := s.byID[f.ID]; !taken {
			s.byID[f.ID] = f
		}
	}
	top := make([]arrow.Field, len(s.Fields))
	for i, f := range s.Fields {
		if err := f.resolve(); err != nil {
			return nil, err
		}
		top[i] = f.Arrow()
	}
	var md *arrow.Metadata
	if len(s.Metadata) > 0 {
		m := metadata(s.Metadata)
		md = &m
	}
	s.Arrow = arrow.NewSchema(top, md)
	return s, nil
}

// annotate adds the metadata that a logical type implies.
func (f *Field) annotate(extension string) {
	set := func(key, value string) {
		if f.Metadata == nil {
			f.Metadata = make(map[string]string)
		}
		f.Metadata[key] = value
	}
	if extension != "" {
		set(extensionName, extension)
	}
	switch f.LogicalType {
	case "json":
		set(extensionName, jsonName)
	case "blob":
		if f.Metadata[blobKey] == "" {
			set(blobKey, "true")
		}
	}
}

// resolve sets the types of a field and all below. Only what makes the schema corrupt is returned.
func (f *Field) resolve() error {
	for _, c := range f.Children {
		if err := c.resolve(); err != nil {
			return err
		}
		if c.Err != nil && f.Err == nil {
			f.Err = c.Err
		}
	}
	if f.Err == nil {
		f.Type, f.Err = f.arrowType()
		if fault.Is(f.Err, fault.Corrupt) {
			return f.Err
		}
		if f.Err != nil {
			f.Err = fault.New(fault.Unsupported, "column %q: %w", f.Name, f.Err)
		}
	}
	if f.Err != nil {
		f.Type = arrow.Null
	}
	return nil
}

// text converts metadata values; invalid UTF-8 is replaced, as Lance does.
func text(m map[string][]byte) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = strings.ToValidUTF8(string(v), "\uFFFD")
	}
	return out
}
