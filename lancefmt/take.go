package lancefmt

import (
	"context"
	"runtime"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/errgroup"

	"lanceflight/internal/fault"
	"lanceflight/internal/gather"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
)

// Take reads rows by row id, in that order; an id may occur several times. columns are as in
// Fragment.Read. Each row is read once, neighbours together. An id of no row, or of a deleted one, is
// fault.NotFound: ids from an index have to pass Addresses first. The caller releases the batch.
func (s *Snapshot) Take(ctx context.Context, rowIDs []uint64, columns []ColumnRef, mem memory.Allocator) (arrow.RecordBatch, error) {
	addrs, ok, err := s.Addresses(ctx, rowIDs)
	if err != nil {
		return nil, err
	}
	if i := slices.Index(ok, false); i >= 0 {
		return nil, fault.New(fault.NotFound, "version %d of table %s has no row with row id %d", s.Version(), s.table.Name(), rowIDs[i])
	}
	return s.TakeAddresses(ctx, addrs, columns, mem)
}

// TakeAddresses is Take for row addresses. Deleted rows are read as if they were not.
func (s *Snapshot) TakeAddresses(ctx context.Context, addrs []uint64, columns []ColumnRef,
	mem memory.Allocator) (arrow.RecordBatch, error) {
	return s.TakeWith(ctx, addrs, columns, TakeOptions{Mem: mem})
}

// TakeOptions say how rows are taken.
type TakeOptions struct {
	// Mem allocates the batch that is returned, and what is read for it.
	Mem memory.Allocator
	// Workers is the most fragments that are read at a time; 0 is one for each processor.
	Workers int
	// Read replaces Fragment.Read, for callers that count what they read. It may be called by several goroutines at once.
	Read func(ctx context.Context, f *Fragment, columns []ColumnRef, rows []encoding.Range) (arrow.RecordBatch, error)
}

// sequentialBytes and sequentialParts bound a take that is not worth a goroutine for each fragment: waking one takes as long
// as reading some ten rows.
const (
	sequentialBytes = 64 << 10
	sequentialParts = 16
)

// TakeWith is TakeAddresses with options. Addresses are sorted and grouped, so that each fragment is asked once for ascending
// ranges, and the answers are put into the order asked for. Addresses may repeat.
func (s *Snapshot) TakeWith(ctx context.Context, addrs []uint64, columns []ColumnRef, opts TakeOptions) (arrow.RecordBatch, error) {
	if opts.Read == nil {
		opts.Read = func(ctx context.Context, f *Fragment, columns []ColumnRef, rows []encoding.Range) (arrow.RecordBatch, error) {
			return f.Read(ctx, columns, rows, opts.Mem)
		}
	}
	items := make([]gather.Keyed, len(addrs))
	for i, a := range addrs {
		items[i] = gather.Keyed{Key: a, Row: int32(i)}
	}
	gather.SortKeyed(items)
	refs := make([]gather.Ref, len(addrs))
	parts := SplitAddresses(items, refs)
	if len(parts) == 0 {
		return s.empty(columns, opts.Mem)
	}
	fragments := make([]*Fragment, len(parts))
	for i, p := range parts {
		f := s.Fragment(p.Fragment)
		if f == nil {
			return nil, fault.New(fault.NotFound, "version %d of table %s has no fragment %d", s.Version(), s.table.Name(), p.Fragment)
		}
		if last := p.Rows[len(p.Rows)-1].End - 1; last >= f.rows {
			return nil, fault.New(fault.NotFound, "fragment %d of table %s has no row %d", p.Fragment, s.table.Name(), last)
		}
		fragments[i] = f
	}
	batches := make([]arrow.RecordBatch, len(parts))
	defer func() {
		for _, b := range batches {
			if b != nil {
				b.Release()
			}
		}
	}()
	read := func(ctx context.Context, i int) (err error) {
		batches[i], err = opts.Read(ctx, fragments[i], columns, parts[i].Rows)
		return err
	}
	if err := readParts(ctx, parts, fragments, columns, opts.Workers, read); err != nil {
		return nil, err
	}
	var out arrow.RecordBatch
	err := storage.Guard(func() (err error) {
		out, err = orderRows(batches, refs, opts.Mem)
		return err
	})
	return out, err
}

// readParts calls read for each part, for several at a time if there is enough to read.
func readParts(ctx context.Context, parts []FragmentRows, fragments []*Fragment, columns []ColumnRef, workers int,
	read func(ctx context.Context, i int) error,
) error {
	if len(parts) == 1 || len(parts) <= sequentialParts && takeBytes(parts, fragments, columns) <= sequentialBytes {
		for i := range parts {
			if err := read(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(2, workers))
	for i := range parts {
		group.Go(func() error { return read(ctx, i) })
	}
	return group.Wait()
}

// takeBytes estimates the bytes of a take by the widths of rows in the first three fragments of it.
func takeBytes(parts []FragmentRows, fragments []*Fragment, columns []ColumnRef) float64 {
	var all int64
	for _, p := range parts {
		all += encoding.Count(p.Rows)
	}
	var bytes, rows float64
	for _, f := range fragments[:min(3, len(fragments))] {
		n := float64(f.rows)
		bytes += n * f.BytesPerRow(columns)
		rows += n
	}
	return float64(all) * bytes / max(1, rows)
}

// FragmentRows are ascending rows of one fragment.
type FragmentRows struct {
	Fragment uint32 // its id
	Rows     []encoding.Range
}

// SplitAddresses groups sorted row addresses (fragment << 32 | offset) by fragment, and writes into refs, unless it is nil,
// where each of the original rows will be found: the number of the group, and the row among the group's.
func SplitAddresses(sorted []gather.Keyed, refs []gather.Ref) []FragmentRows {
	var parts []FragmentRows
	row := int32(-1)
	for i, it := range sorted {
		id, offset := uint32(it.Key>>32), int64(uint32(it.Key))
		if len(parts) == 0 || parts[len(parts)-1].Fragment != id {
			parts = append(parts, FragmentRows{Fragment: id})
			row = -1
		}
		p := &parts[len(parts)-1]
		if row < 0 || sorted[i-1].Key != it.Key {
			row++
			if n := len(p.Rows); n > 0 && p.Rows[n-1].End == offset {
				p.Rows[n-1].End++
			} else {
				p.Rows = append(p.Rows, encoding.Range{Start: offset, End: offset + 1})
			}
		}
		if refs != nil {
			refs[it.Row] = gather.Ref{Batch: int32(len(parts) - 1), Row: row}
		}
	}
	return parts
}

// orderRows returns rows of several batches with the same columns. A column may be NULL if it may be in one of them.
func orderRows(batches []arrow.RecordBatch, refs []gather.Ref, mem memory.Allocator) (arrow.RecordBatch, error) {
	schema := batches[0].Schema()
	var fields []arrow.Field // a copy, once one differs
	for _, b := range batches[1:] {
		for i := range schema.NumFields() {
			if b.Schema().Field(i).Nullable && !schema.Field(i).Nullable {
				if fields == nil {
					fields = slices.Clone(schema.Fields())
				}
				fields[i].Nullable = true
			}
		}
	}
	if fields != nil {
		schema = arrow.NewSchema(fields, nil)
	}
	return gather.InterleaveBatches(mem, schema, batches, refs)
}

// empty returns a batch without rows.
func (s *Snapshot) empty(columns []ColumnRef, mem memory.Allocator) (arrow.RecordBatch, error) {
	fields := make([]arrow.Field, len(columns))
	arrays := make([]arrow.Array, len(columns))
	for i, c := range columns {
		if c.isSystem() {
			fields[i] = arrow.Field{Name: c.Name, Type: arrow.PrimitiveTypes.Uint64}
			continue
		}
		f, err := s.field(c.Name)
		if err != nil {
			return nil, err
		}
		if fields[i] = f.Arrow(); c.Part != Whole {
			fields[i] = partialField(c)
		}
	}
	for i := range fields {
		arrays[i] = nulls(fields[i].Type, 0, mem)
		defer arrays[i].Release()
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), arrays, 0), nil
}
