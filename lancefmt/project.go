package lancefmt

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/table"
)

// part is what one data file has of a top-level column: the whole of it nearly always. A column is
// in several files if children were added to a struct later, and in none if the fragment is older
// than the column.
type part struct {
	file  int            // in Fragment.Files
	field encoding.Field // without the children that the file lacks
}

// columns returns the columns of the file that the part reads.
func (p *part) columns() (columns []int) {
	var walk func(encoding.Field)
	walk = func(f encoding.Field) {
		if f.Column >= 0 {
			columns = append(columns, f.Column)
		}
		for _, c := range f.Children {
			walk(c)
		}
	}
	walk(p.field)
	return columns
}

// plan finds the data files that have (some of) a top-level column, in file order. Files list ids of
// fields: those that the schema does not have (any more), and negative ones, are not asked for.
//
// Where several files of the fragment list one id, the first of them counts, as it does for pylance.
// Lance 0.10 wrote such fragments: it gave columns that it added the ids of columns that it had
// dropped before. A later commit by pylance gives the last of the files a new id, and that version
// then has other values (lance 0.39, io/commit.rs, fix_schema). The check of a table tells of it.
func (f *Fragment) plan(field *table.Field) (parts []part) {
	taken := make(map[int32]bool) // leaves that an earlier file has
	for i := range f.meta.Files {
		p := projector{file: &f.meta.Files[i], taken: taken}
		if e, ok := p.project(field); ok {
			parts = append(parts, part{file: i, field: e})
		}
	}
	return parts
}

// projector builds the encoding.Field of a schema field for one data file.
type projector struct {
	file  *table.DataFile
	taken map[int32]bool
}

// column returns the column of a field in the file; ok is whether the file lists the field. Files of 0.1
// have a column for each id, from that of their first field on.
func (p *projector) column(id int32) (int, bool) {
	if id < 0 {
		return -1, false
	}
	i := slices.Index(p.file.Fields, id)
	if i >= 0 && p.file.Legacy() {
		return int(id) - int(p.file.Fields[0]), true
	}
	if i < 0 || i >= len(p.file.ColumnIndices) {
		return -1, false
	}
	return int(p.file.ColumnIndices[i]), true
}

// project returns the field with the children that the file has; not ok if it has nothing of it.
//
// In 0.1 and 2.0 every field has a column, struct and list parents too, if it is empty for structs of 0.1. From 2.1 on leaves have, and a
// parent that is listed itself is stored as one column with all of its children: a packed struct or
// a blob.
func (p *projector) project(f *table.Field) (encoding.Field, bool) {
	column, listed := p.column(f.ID)
	e := encoding.Field{Name: f.Name, Type: f.Type, Nullable: f.Nullable, Column: column, Metadata: f.Metadata, JSONB: f.JSON()}
	if f.BlobV2() {
		if !listed || p.taken[f.ID] {
			return e, false
		}
		p.taken[f.ID] = true
		e.Type = file.BlobV2Descriptor
		return e, true
	}
	if len(f.Children) == 0 {
		if !listed || p.taken[f.ID] {
			return e, false
		}
		p.taken[f.ID] = true
		return e, true
	}
	if listed && !p.file.Legacy() && (file.IsPacked(e) || file.IsBlob(e) || (p.file.Major == 2 && p.file.Minor >= 1 && column >= 0)) {
		if p.taken[f.ID] {
			return e, false
		}
		p.taken[f.ID] = true
		e.Children = whole(f.Children)
		return e, true
	}
	pruned := false
	for _, c := range f.Children {
		child, ok := p.project(c)
		if !ok {
			pruned = true
			continue
		}
		pruned = pruned || child.Type != c.Type
		e.Children = append(e.Children, child)
	}
	if len(e.Children) == 0 {
		return e, false
	}
	if pruned {
		e.Type = withChildren(f.Type, e.Children)
	}
	return e, true
}

// whole returns the children of a field that is one column.
func whole(children []*table.Field) []encoding.Field {
	fields := make([]encoding.Field, len(children))
	for i, c := range children {
		fields[i] = encoding.Field{Name: c.Name, Type: c.Type, Nullable: c.Nullable, Column: -1,
			Children: whole(c.Children), Metadata: c.Metadata, JSONB: c.JSON()}
	}
	return fields
}

// withChildren returns a nested type with other children: fewer, or ones that have fewer.
func withChildren(t arrow.DataType, children []encoding.Field) arrow.DataType {
	switch t := t.(type) {
	case *arrow.StructType:
		fields := make([]arrow.Field, len(children))
		for i, c := range children {
			fields[i] = file.ArrowField(c)
		}
		return arrow.StructOf(fields...)
	case *arrow.ListType:
		return arrow.ListOfField(file.ArrowField(children[0]))
	case *arrow.LargeListType:
		return arrow.LargeListOfField(file.ArrowField(children[0]))
	case *arrow.FixedSizeListType:
		return arrow.FixedSizeListOfField(t.Len(), file.ArrowField(children[0]))
	}
	return t // maps have all or nothing
}
