package lancefmt

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/table"
)

// LengthColumn and ValidityColumn name columns that every table has beside a column of its schema: the
// octet lengths of its values, which are strings or bytes (int64, NULL where the value is), and true for those
// that are not NULL (bool, NULL where the value is). Fragment.Read and Take read them without the values, where the layout lets them. A
// column of the schema that has such a name itself hides them.
func LengthColumn(column string) string { return lengthPrefix + column + ")" }

// ValidityColumn is like LengthColumn.
func ValidityColumn(column string) string { return validityPrefix + column + ")" }

const (
	lengthPrefix   = "octet_length("
	validityPrefix = "is_valid("
)

// partial is what LengthColumn or ValidityColumn names.
type partial struct {
	field   *table.Field
	lengths bool // else validity
}

// partial takes a name apart; ok is false if it is not one of those.
func (s *Snapshot) partial(name string) (p partial, ok bool) {
	inner, isLength := strings.CutPrefix(name, lengthPrefix)
	if !isLength {
		if inner, ok = strings.CutPrefix(name, validityPrefix); !ok {
			return p, false
		}
	}
	if inner, ok = strings.CutSuffix(inner, ")"); !ok {
		return p, false
	}
	if _, err := s.field(name); err == nil {
		return p, false
	}
	field, err := s.field(inner)
	return partial{field, isLength}, err == nil
}

// arrow is the column as read.
func (p partial) arrow(name string) arrow.Field {
	if p.lengths {
		return arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64, Nullable: true}
	}
	return arrow.Field{Name: name, Type: arrow.FixedWidthTypes.Boolean, Nullable: true}
}

// readPartial reads lengths or validity of n rows. Where the values themselves are needed for that, it reads them.
func (f *Fragment) readPartial(ctx context.Context, p partial, rows []encoding.Range, n int64, mem memory.Allocator) (arrow.Array, error) {
	parts := f.plan(p.field)
	switch {
	case f.overlaid(p.field) || len(parts) > 1:
		return f.measure(ctx, p, rows, n, mem)
	case len(parts) == 0:
		return nulls(p.arrow("").Type, n, mem), nil
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
	if p.lengths && described(parts[0].field) {
		a, err := f.blobLengths(ctx, parts[0].file, c, rows, mem)
		if err != nil {
			return nil, fmt.Errorf("fragment %d: %w", f.meta.ID, err)
		}
		return a, nil
	}
	reader, ok := c.(encoding.PartialReader)
	if !ok {
		return f.measure(ctx, p, rows, n, mem)
	}
	read := reader.ReadValidity
	if p.lengths {
		read = reader.ReadLengths
	}
	a, err := read(ctx, rows, mem)
	if err != nil {
		return nil, fmt.Errorf("fragment %d: %w", f.meta.ID, err)
	}
	if p.lengths {
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
func (f *Fragment) measure(ctx context.Context, p partial, rows []encoding.Range, n int64, mem memory.Allocator) (arrow.Array, error) {
	_, a, err := f.readColumn(ctx, p.field.Name, rows, n, mem)
	if err != nil {
		return nil, err
	}
	defer a.Release()
	if !p.lengths {
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
		return nil, fault.New(fault.Unsupported, "lengths of column %q, which is %s", p.field.Name, a.DataType())
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
