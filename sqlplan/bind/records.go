package bind

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/plan"
)

// The types of columns of Records.
var (
	textType   = arrow.BinaryTypes.String
	bigintType = arrow.PrimitiveTypes.Int64
	timeType   = &arrow.TimestampType{Unit: arrow.Microsecond} // UTC, without a zone
)

// column is a column of Records.
type column struct {
	name string
	t    arrow.DataType
}

func texts(names ...string) []column {
	cols := make([]column, len(names))
	for i, n := range names {
		cols[i] = column{n, textType}
	}
	return cols
}

// records makes an in-memory relation. rows is called when the statement runs; a value is nil, string,
// bool, int, int64, uint64 or time.Time.
func (b *binder) records(name string, cols []column, rows func(context.Context) ([][]any, error)) *plan.Records {
	b.once = true
	n := &plan.Records{Name: name}
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		n.Out = append(n.Out, b.newCol(c.name, c.t, true))
		fields[i] = arrow.Field{Name: c.name, Type: c.t, Nullable: true}
	}
	schema, mem := arrow.NewSchema(fields, nil), b.env.Mem
	// The statement may run under another context than it was planned under.
	ctx := context.WithoutCancel(b.ctx)
	n.Make = func() (arrow.RecordBatch, error) {
		values, err := rows(ctx)
		if err != nil {
			return nil, err
		}
		return buildRecords(mem, schema, values)
	}
	return n
}

// nameTable says that the columns of n are those of a table, or of a view.
func (b *binder) nameTable(n *plan.Records, schema, table string) {
	for i := range n.Out {
		n.Out[i].Schema, n.Out[i].Table, n.Out[i].Source = schema, table, n.Out[i].Name
		b.cols[n.Out[i].ID] = n.Out[i]
	}
}

func buildRecords(mem memory.Allocator, schema *arrow.Schema, rows [][]any) (arrow.RecordBatch, error) {
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for _, row := range rows {
		for i, v := range row {
			if err := appendValue(b.Field(i), v); err != nil {
				return nil, fmt.Errorf("column %s: %w", schema.Field(i).Name, err)
			}
		}
	}
	return b.NewRecordBatch(), nil
}

func appendValue(b array.Builder, v any) error {
	if t, ok := v.(time.Time); ok && t.IsZero() {
		v = nil // not recorded
	}
	if v == nil {
		b.AppendNull()
		return nil
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		if s, ok := v.(string); ok {
			b.Append(s)
			return nil
		}
	case *array.BooleanBuilder:
		if x, ok := v.(bool); ok {
			b.Append(x)
			return nil
		}
	case *array.Int64Builder:
		switch n := v.(type) {
		case int:
			b.Append(int64(n))
			return nil
		case int64:
			b.Append(n)
			return nil
		case uint64:
			b.Append(int64(n))
			return nil
		}
	case *array.TimestampBuilder:
		if t, ok := v.(time.Time); ok {
			b.Append(arrow.Timestamp(t.UnixMicro()))
			return nil
		}
	}
	return fault.New(fault.Internal, "a %T does not fit the column", v)
}
