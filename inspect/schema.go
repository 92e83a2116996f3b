package inspect

import (
	"fmt"
	"io"
	"strings"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/table"
)

// FieldReport is a node of a schema.
type FieldReport struct {
	ID          int32             `json:"id"`
	Name        string            `json:"name"`
	LogicalType string            `json:"logical_type"`
	ArrowType   string            `json:"arrow_type"`
	Nullable    bool              `json:"nullable"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	// Unsupported says why the column cannot be read.
	Unsupported string        `json:"unsupported,omitempty"`
	Children    []FieldReport `json:"children,omitempty"`
}

// SchemaReport is the schema of a version.
type SchemaReport struct {
	Fields   []FieldReport     `json:"fields"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Schema reports the columns of a version: ids, logical and Arrow types, metadata.
func Schema(s *lancefmt.Snapshot) *SchemaReport {
	return &SchemaReport{Fields: fieldReports(s.Fields()), Metadata: s.Manifest().Schema.Metadata}
}

func fieldReports(fields []*table.Field) []FieldReport {
	out := make([]FieldReport, 0, len(fields))
	for _, f := range fields {
		r := FieldReport{ID: f.ID, Name: f.Name, LogicalType: f.LogicalType, Nullable: f.Nullable, Metadata: f.Metadata,
			Children: fieldReports(f.Children)}
		if f.Err != nil {
			r.Unsupported = f.Err.Error()
		} else {
			r.ArrowType = f.Type.String()
		}
		out = append(out, r)
	}
	return out
}

// WriteText implements Report.
func (r *SchemaReport) WriteText(w io.Writer) error {
	g := newGrid("id", "field", "logical type", "arrow type", "nullable", "metadata")
	var walk func(fields []FieldReport, indent string)
	walk = func(fields []FieldReport, indent string) {
		for _, f := range fields {
			var meta strings.Builder
			pairs(&meta, "", f.Metadata)
			arrow := f.ArrowType
			if f.Unsupported != "" {
				arrow = f.Unsupported
			}
			if len(f.Children) > 0 && len(arrow) > 40 {
				arrow = arrow[:strings.IndexByte(arrow+"<", '<')] + "<…>"
			}
			g.row(f.ID, indent+f.Name, f.LogicalType, arrow, f.Nullable, strings.ReplaceAll(strings.TrimSpace(meta.String()), "\n", ", "))
			walk(f.Children, indent+"  ")
		}
	}
	walk(r.Fields, "")
	if err := g.writeTo(w, ""); err != nil {
		return err
	}
	if len(r.Metadata) > 0 {
		fmt.Fprintln(w, "\nschema metadata:")
		pairs(w, "  ", r.Metadata)
	}
	return nil
}
