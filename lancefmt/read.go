package lancefmt

import (
	"context"
	"fmt"
	"runtime"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/errgroup"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
)

// Names of columns that every table has, beside those of its schema.
const (
	RowIDColumn     = "_rowid"                       // stable row id, or the row address without them
	RowAddrColumn   = "_rowaddr"                     // fragment id << 32 | physical offset
	CreatedAtColumn = "_row_created_at_version"      // version that inserted the row
	UpdatedAtColumn = "_row_last_updated_at_version" // version that last changed it
)

// systemColumns are uint64, not nullable.
var systemColumns = map[string]func(f *Fragment, ctx context.Context) (sequence, error){
	RowIDColumn: func(f *Fragment, ctx context.Context) (sequence, error) {
		if !f.snapshot.HasStableRowIDs() {
			return addresses(f.id), nil
		}
		return f.rowIDs(ctx)
	},
	RowAddrColumn: func(f *Fragment, ctx context.Context) (sequence, error) { return addresses(f.id), nil },
	CreatedAtColumn: func(f *Fragment, ctx context.Context) (sequence, error) {
		return f.rowVersions(ctx, createdAt)
	},
	UpdatedAtColumn: func(f *Fragment, ctx context.Context) (sequence, error) {
		return f.rowVersions(ctx, updatedAt)
	},
}

// IsSystemColumn reports whether every table has a column of that name, of type uint64.
func IsSystemColumn(name string) bool {
	_, ok := systemColumns[name]
	return ok
}

// sequence is a number for each physical row.
type sequence interface {
	Fill(dst []uint64, from int64)
}

// addresses is the row address of each row of a fragment.
type addresses uint32

func (a addresses) Fill(dst []uint64, from int64) {
	base := uint64(a)<<32 + uint64(from)
	for i := range dst {
		dst[i] = base + uint64(i)
	}
}

// parallelRows is how many rows make it worth to decode columns side by side.
const parallelRows = 2048

// Read reads rows of columns: top-level columns, system columns, and parts of top-level columns. rows are ranges of
// physical offsets, ascending and apart; rows that are deleted are read too. The batch has a column
// for each of columns, in that order and named by its String, and as many rows as the ranges, in their order; without columns
// it has the number of rows only. A column that the fragment lacks is NULL.
//
// The caller releases the batch, whose buffers may alias mapped files. An unknown column is
// fault.NotFound. Errors name fragment, file and column.
func (f *Fragment) Read(ctx context.Context, columns []ColumnRef, rows []encoding.Range, mem memory.Allocator) (arrow.RecordBatch, error) {
	at := int64(0)
	for _, r := range rows {
		if r.Start < at || r.End < r.Start || r.End > f.rows {
			return nil, fault.New(fault.Internal, "fragment %d of %d rows: rows %d to %d were asked for after row %d",
				f.meta.ID, f.rows, r.Start, r.End, at)
		}
		at = r.End
	}
	n := encoding.Count(rows)
	fields := make([]arrow.Field, len(columns))
	arrays := make([]arrow.Array, len(columns))
	defer func() {
		for _, a := range arrays {
			if a != nil {
				a.Release()
			}
		}
	}()
	read := func(ctx context.Context, i int) error {
		return storage.Guard(func() (err error) {
			fields[i], arrays[i], err = f.readColumn(ctx, columns[i], rows, n, mem)
			return err
		})
	}
	if len(columns) > 1 && n >= parallelRows && runtime.GOMAXPROCS(0) > 1 {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(runtime.GOMAXPROCS(0))
		for i := range columns {
			group.Go(func() error { return read(ctx, i) })
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
	} else {
		for i := range columns {
			if err := read(ctx, i); err != nil {
				return nil, err
			}
		}
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), arrays, n), nil
}

func (f *Fragment) readColumn(ctx context.Context, column ColumnRef, rows []encoding.Range, n int64,
	mem memory.Allocator) (arrow.Field, arrow.Array, error) {
	if err := ctx.Err(); err != nil {
		return arrow.Field{}, nil, err
	}
	name := column.Name
	if system, ok := systemColumns[name]; ok && column.Part == Whole {
		out := arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Uint64}
		values, err := system(f, ctx)
		if err != nil {
			return out, nil, err
		}
		return out, numbers(values, rows, n, mem), nil
	}
	field, err := f.snapshot.field(name)
	if err != nil {
		return arrow.Field{}, nil, err
	}
	if column.Part != Whole {
		a, err := f.readPartial(ctx, field, column.Part, rows, n, mem)
		return partialField(column), a, err
	}
	out := field.Arrow()
	parts := f.plan(field)
	if len(parts) == 0 {
		out.Nullable = true
		a := nulls(out.Type, n, mem)
		if len(f.meta.Overlays) > 0 {
			defer a.Release()
			a, err = f.overlay(ctx, field, a, rows, mem)
		}
		return out, a, err
	}
	have := make([]arrow.Array, 0, len(parts))
	defer func() {
		for _, a := range have {
			a.Release()
		}
	}()
	for _, p := range parts {
		a, err := f.readPart(ctx, p.file, p.field, rows, mem)
		if err != nil {
			return out, nil, err
		}
		have = append(have, a)
		if int64(a.Len()) != n {
			return out, nil, fault.New(fault.Internal, "column %q: %d rows were read instead of %d", name, a.Len(), n)
		}
	}
	a, err := assemble(out.Type, have, mem)
	if err != nil {
		return out, nil, fmt.Errorf("fragment %d, column %q: %w", f.meta.ID, name, err)
	}
	if len(f.meta.Overlays) > 0 {
		defer a.Release()
		a, err = f.overlay(ctx, field, a, rows, mem)
	}
	return out, a, err
}

// readPart reads what one data file has of a column.
func (f *Fragment) readPart(ctx context.Context, i int, field encoding.Field, rows []encoding.Range,
	mem memory.Allocator) (arrow.Array, error) {
	r, err := f.open(ctx, i)
	if err != nil {
		return nil, err
	}
	defer r.release()
	c, err := r.value.ColumnReader(field)
	if err != nil {
		return nil, err
	}
	a, err := c.Read(ctx, rows, mem)
	if err == nil && hasBlobV2(field) {
		described := a
		a, err = f.loadBlobs(ctx, i, field, described, mem)
		described.Release()
	}
	if err != nil {
		return nil, fmt.Errorf("fragment %d: %w", f.meta.ID, err)
	}
	return a, nil
}

// numbers makes a column of a sequence.
func numbers(values sequence, rows []encoding.Range, n int64, mem memory.Allocator) arrow.Array {
	buffer := memory.NewResizableBuffer(mem)
	defer buffer.Release()
	buffer.Resize(arrow.Uint64Traits.BytesRequired(int(n)))
	dst := arrow.Uint64Traits.CastFromBytes(buffer.Bytes())[:n]
	for _, r := range rows {
		values.Fill(dst[:r.Len()], r.Start)
		dst = dst[r.Len():]
	}
	data := array.NewData(arrow.PrimitiveTypes.Uint64, int(n), []*memory.Buffer{nil, buffer}, nil, 0, 0)
	defer data.Release()
	return array.NewUint64Data(data)
}

// all is the range of all rows.
func (f *Fragment) all() []encoding.Range {
	if f.rows == 0 {
		return nil
	}
	return []encoding.Range{{Start: 0, End: f.rows}}
}
