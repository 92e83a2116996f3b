package lancefmt

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/table"
)

// Part says what of a column is read.
type Part uint8

const (
	// Whole is the values themselves.
	Whole Part = iota
	// Lengths are the octet lengths of values that are strings or bytes: int64, NULL where the value is.
	Lengths
	// Validity is true for each value that is not NULL: bool, NULL where the value is.
	Validity
)

// ColumnRef names what is read: a top-level column or a system column, or a part of a top-level column. Parts are read
// without the values where the layout lets them. No name of a column can be taken for a part of another one.
type ColumnRef struct {
	Name string
	Part Part
}

// Columns refers to whole columns.
func Columns(names ...string) []ColumnRef {
	out := make([]ColumnRef, len(names))
	for i, name := range names {
		out[i].Name = name
	}
	return out
}

// String is the column as a plan or a message shows it: the name itself, octet_length(name) or is_valid(name). A column of a
// table may be called like that too, so the text is for people alone.
func (c ColumnRef) String() string {
	switch c.Part {
	case Lengths:
		return "octet_length(" + c.Name + ")"
	case Validity:
		return "is_valid(" + c.Name + ")"
	}
	return c.Name
}

// isSystem reports whether every table has the column.
func (c ColumnRef) isSystem() bool { return c.Part == Whole && IsSystemColumn(c.Name) }

// valueType is the type of a part of a column.
func (p Part) valueType() arrow.DataType {
	if p == Lengths {
		return arrow.PrimitiveTypes.Int64
	}
	return arrow.FixedWidthTypes.Boolean
}

// partialField is the column as a part of it is read.
func partialField(c ColumnRef) arrow.Field {
	return arrow.Field{Name: c.String(), Type: c.Part.valueType(), Nullable: true}
}

// readPartial reads lengths or validity of n rows. Where the values themselves are needed for that, it reads them.
func (f *Fragment) readPartial(ctx context.Context, field *table.Field, part Part, rows []encoding.Range, n int64,
	mem memory.Allocator) (arrow.Array, error) {
	parts := f.plan(field)
	switch {
	case f.overlaid(field) || len(parts) > 1:
		return f.measure(ctx, field, part, rows, n, mem)
	case len(parts) == 0:
		return nulls(part.valueType(), n, mem), nil
	}
	r, err := f.open(ctx, parts[0].file)
	if err != nil {
		return nil, err
	}
	defer r.release()
	c, err := r.value.ColumnReader(parts[0].field)
	if err != nil {
		return nil, err
	}
	if part == Lengths && described(parts[0].field) {
		a, err := f.blobLengths(ctx, parts[0].file, c, rows, mem)
		if err != nil {
			return nil, fmt.Errorf("fragment %d: %w", f.meta.ID, err)
		}
		return a, nil
	}
	reader, ok := c.(encoding.PartialReader)
	if !ok {
		return f.measure(ctx, field, part, rows, n, mem)
	}
	read := reader.ReadValidity
	if part == Lengths {
		read = reader.ReadLengths
	}
	a, err := read(ctx, rows, mem)
	if err != nil {
		return nil, fmt.Errorf("fragment %d: %w", f.meta.ID, err)
	}
	if part == Lengths {
		return a, nil
	}
	// What is not true is NULL: the bits are values and validity at once.
	defer a.Release()
	bits := a.Data().Buffers()[1]
	data := array.NewData(a.DataType(), a.Len(), []*memory.Buffer{bits, bits}, nil, array.UnknownNullCount, a.Data().Offset())
	defer data.Release()
	return array.MakeFromData(data), nil
}

// measure reads the values and looks at them.
func (f *Fragment) measure(ctx context.Context, field *table.Field, part Part, rows []encoding.Range, n int64,
	mem memory.Allocator) (arrow.Array, error) {
	_, a, err := f.readColumn(ctx, ColumnRef{Name: field.Name}, rows, n, mem)
	if err != nil {
		return nil, err
	}
	defer a.Release()
	if part == Validity {
		b := array.NewBooleanBuilder(mem)
		defer b.Release()
		b.Reserve(a.Len())
		for i := range a.Len() {
			if a.IsNull(i) || a.DataType().ID() == arrow.NULL {
				b.AppendNull()
			} else {
				b.Append(true)
			}
		}
		return b.NewArray(), nil
	}
	var length func(int) int64
	switch a := a.(type) {
	case *array.String:
		length = func(i int) int64 { return int64(a.ValueLen(i)) }
	case *array.LargeString:
		length = func(i int) int64 { return int64(len(a.Value(i))) }
	case *array.Binary:
		length = func(i int) int64 { return int64(a.ValueLen(i)) }
	case *array.LargeBinary:
		length = func(i int) int64 { return int64(len(a.Value(i))) }
	case *array.FixedSizeBinary:
		length = func(i int) int64 { return int64(len(a.Value(i))) }
	default:
		return nil, fault.New(fault.Unsupported, "lengths of column %q, which is %s", field.Name, a.DataType())
	}
	b := array.NewInt64Builder(mem)
	defer b.Release()
	b.Reserve(a.Len())
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
		} else {
			b.Append(length(i))
		}
	}
	return b.NewArray(), nil
}
