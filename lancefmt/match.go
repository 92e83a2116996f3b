package lancefmt

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
)

// Match clears those of n bits, the first for physical row first, whose rows do not pass a test of a top-level column. It is what
// Read and a comparison would come to, without an array between them: rows whose bits are not set may not be read at all. Deleted
// rows are like others.
//
// ok is false, and the bits are as they were, where that cannot be done: columns whose type is not one of t.Bits bits, system
// columns, parts of columns, columns in several files or in none, overlaid ones, and files before 2.1. mem is used
// meanwhile. After an error the bits mean nothing.
func (f *Fragment) Match(ctx context.Context, column ColumnRef, first, n int64, t *encoding.Test, bits []uint64,
	mem memory.Allocator) (ok bool, err error) {
	if first < 0 || n < 0 || n > f.rows-first {
		return false, fault.New(fault.Internal, "fragment %d of %d rows: %d rows from %d on were to be tested", f.meta.ID, f.rows, n, first)
	}
	if column.Part != Whole || column.isSystem() {
		return false, nil
	}
	field, err := f.snapshot.field(column.Name)
	if err != nil {
		return false, err
	}
	parts := f.plan(field)
	if len(field.Children) > 0 || len(parts) != 1 || parts[0].field.Column < 0 || f.overlaid(field) {
		return false, nil
	}
	r, err := f.open(ctx, parts[0].file)
	if err != nil {
		return false, err
	}
	defer r.release()
	c, err := r.value.ColumnReader(parts[0].field)
	if err != nil {
		return false, err
	}
	m, is := c.(encoding.Matcher)
	if !is {
		return false, nil
	}
	err = storage.Guard(func() (err error) {
		ok, err = m.Match(ctx, first, n, t, bits, mem)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("fragment %d: %w", f.meta.ID, err)
	}
	return ok, nil
}
