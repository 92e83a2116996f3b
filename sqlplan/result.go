package sqlplan

import (
	"context"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/internal/half"
	"lanceflight/lancefmt/storage"
	"lanceflight/sqlplan/plan"
)

// distanceKey is our own key: of a column of distances it says whether they are exact or may be estimates.
const distanceKey = "lance:distance"

// resultSchema is what clients see of a plan's columns: plain types, what drivers read about them, and the
// accuracy of distances, which are those of all columns or nil.
func resultSchema(cols []plan.Col, distances []plan.Accuracy) *arrow.Schema {
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		t := plan.ResultType(c.Type)
		fields[i] = arrow.Field{Name: c.Name, Type: t, Nullable: c.Nullable, Metadata: columnMetadata(c, t)}
		if i < len(distances) && distances[i] != plan.NoDistance {
			m := fields[i].Metadata
			fields[i].Metadata = arrow.NewMetadata(
				slices.Concat(m.Keys(), []string{distanceKey}), slices.Concat(m.Values(), []string{string(distances[i])}))
		}
	}
	return arrow.NewSchema(fields, nil)
}

// converter turns batches of a plan into batches of its result schema.
type converter struct {
	mem    memory.Allocator
	schema *arrow.Schema
	same   []bool // columns whose type needs no change
}

func newConverter(mem memory.Allocator, cols []plan.Col, schema *arrow.Schema) *converter {
	c := &converter{mem: mem, schema: schema, same: make([]bool, len(cols))}
	for i, col := range cols {
		c.same[i] = arrow.TypeEqual(col.Type, schema.Field(i).Type)
	}
	return c
}

// record converts a batch, which it takes over.
func (c *converter) record(ctx context.Context, rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	defer rec.Release()
	cols := make([]arrow.Array, rec.NumCols())
	defer func() {
		for _, a := range cols {
			if a != nil {
				a.Release()
			}
		}
	}()
	for i := range cols {
		if c.same[i] {
			cols[i] = rec.Column(i)
			cols[i].Retain()
			continue
		}
		err := storage.Guard(func() (err error) {
			cols[i], err = c.convert(ctx, rec.Column(i), c.schema.Field(i).Type)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return array.NewRecordBatch(c.schema, cols, rec.NumRows()), nil
}

// convert returns the values of a in the plain type to. The caller releases the result.
func (c *converter) convert(ctx context.Context, a arrow.Array, to arrow.DataType) (arrow.Array, error) {
	if arrow.TypeEqual(a.DataType(), to) {
		a.Retain()
		return a, nil
	}
	switch a := a.(type) {
	case *array.Dictionary:
		values, err := compute.TakeArray(compute.WithAllocator(ctx, c.mem), a.Dictionary(), a.Indices())
		if err != nil {
			return nil, fault.New(fault.Internal, "decode a dictionary: %w", err)
		}
		defer values.Release()
		return c.convert(ctx, values, to)
	case array.ExtensionArray:
		return c.convert(ctx, a.Storage(), to)
	case *array.Float16:
		b := array.NewFloat32Builder(c.mem)
		defer b.Release()
		b.Reserve(a.Len())
		for i := range a.Len() {
			if a.IsNull(i) {
				b.AppendNull()
			} else {
				b.Append(half.Float32(a.Value(i)))
			}
		}
		return b.NewArray(), nil
	case *array.StringView:
		b := array.NewStringBuilder(c.mem)
		defer b.Release()
		err := appendViews(b, a.Len(), a.IsNull, func(i int) int {
			b.Append(a.Value(i))
			return len(a.Value(i))
		})
		if err != nil {
			return nil, err
		}
		return b.NewArray(), nil
	case *array.BinaryView:
		b := array.NewBinaryBuilder(c.mem, arrow.BinaryTypes.Binary)
		defer b.Release()
		err := appendViews(b, a.Len(), a.IsNull, func(i int) int {
			b.Append(a.Value(i))
			return len(a.Value(i))
		})
		if err != nil {
			return nil, err
		}
		return b.NewArray(), nil
	}
	return c.nested(ctx, a, to)
}

// appendViews copies n values; their bytes may be more than 32-bit offsets reach.
func appendViews(b array.Builder, n int, null func(int) bool, add func(int) int) error {
	bytes := 0
	for i := range n {
		if null(i) {
			b.AppendNull()
		} else if bytes += add(i); bytes > math.MaxInt32 {
			return fault.New(fault.ResourceExhausted, "a batch has more than 2 GiB of text")
		}
	}
	return nil
}

// nested converts the children of a list, map or struct, and keeps the parent's own buffers.
func (c *converter) nested(ctx context.Context, a arrow.Array, to arrow.DataType) (arrow.Array, error) {
	data := a.Data()
	types, ok := to.(arrow.NestedType)
	if !ok || len(types.Fields()) != len(data.Children()) {
		return nil, fault.New(fault.Internal, "%s cannot be sent as %s", a.DataType(), to)
	}
	children := make([]arrow.ArrayData, 0, len(data.Children()))
	defer func() {
		for _, ch := range children {
			ch.Release()
		}
	}()
	for i, child := range data.Children() {
		arr := array.MakeFromData(child)
		conv, err := c.convert(ctx, arr, childType(to, i))
		arr.Release()
		if err != nil {
			return nil, err
		}
		conv.Data().Retain()
		children = append(children, conv.Data())
		conv.Release()
	}
	out := array.NewData(to, data.Len(), data.Buffers(), children, data.NullN(), data.Offset())
	defer out.Release()
	return array.MakeFromData(out), nil
}

func childType(t arrow.DataType, i int) arrow.DataType {
	switch t := t.(type) {
	case *arrow.MapType:
		return t.Elem()
	case *arrow.StructType:
		return t.Field(i).Type
	case arrow.ListLikeType:
		return t.Elem()
	}
	return t.(arrow.NestedType).Fields()[i].Type
}
