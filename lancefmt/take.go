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
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
)

// Take reads rows by row id, in that order; an id may occur several times. columns are as in
// Fragment.Read. Each row is read once, neighbours together. An id of no row, or of a deleted one, is
// fault.NotFound: ids from an index have to pass Addresses first. The caller releases the batch.
func (s *Snapshot) Take(ctx context.Context, rowIDs []uint64, columns []string, mem memory.Allocator) (arrow.RecordBatch, error) {
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
func (s *Snapshot) TakeAddresses(ctx context.Context, addrs []uint64, columns []string, mem memory.Allocator) (arrow.RecordBatch, error) {
	// Sorted, equal addresses stand together and so do those of a fragment.
	sorted := slices.Clone(addrs)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	var groups []takeGroup
	for _, addr := range sorted {
		id, offset := uint32(addr>>32), int64(uint32(addr))
		if len(groups) == 0 || groups[len(groups)-1].fragment.meta.ID != id {
			f := s.Fragment(id)
			if f == nil {
				return nil, fault.New(fault.NotFound, "version %d of table %s has no fragment %d", s.Version(), s.table.Name(), id)
			}
			groups = append(groups, takeGroup{fragment: f})
		}
		g := &groups[len(groups)-1]
		if offset >= g.fragment.rows {
			return nil, fault.New(fault.NotFound, "fragment %d of table %s has no row %d", id, s.table.Name(), offset)
		}
		if n := len(g.rows); n > 0 && g.rows[n-1].End == offset {
			g.rows[n-1].End++
		} else {
			g.rows = append(g.rows, encoding.Range{Start: offset, End: offset + 1})
		}
	}
	if len(groups) == 0 {
		return s.empty(columns, mem)
	}
	batches := make([]arrow.RecordBatch, len(groups))
	defer func() {
		for _, b := range batches {
			if b != nil {
				b.Release()
			}
		}
	}()
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(max(2, runtime.GOMAXPROCS(0)))
	for i := range groups {
		read := func() (err error) {
			batches[i], err = groups[i].fragment.Read(gctx, columns, groups[i].rows, mem)
			return err
		}
		if len(groups) == 1 {
			if err := read(); err != nil {
				return nil, err
			}
			break
		}
		group.Go(read)
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if len(groups) == 1 && slices.Equal(sorted, addrs) {
		batches[0].Retain()
		return batches[0], nil
	}
	positions := make([]int64, len(addrs))
	for i, addr := range addrs {
		at, _ := slices.BinarySearch(sorted, addr)
		positions[i] = int64(at)
	}
	var out arrow.RecordBatch
	err := storage.Guard(func() (err error) {
		out, err = gather(ctx, batches, positions, mem)
		return err
	})
	return out, err
}

type takeGroup struct {
	fragment *Fragment
	rows     []encoding.Range
}

// empty returns a batch without rows.
func (s *Snapshot) empty(columns []string, mem memory.Allocator) (arrow.RecordBatch, error) {
	fields := make([]arrow.Field, len(columns))
	arrays := make([]arrow.Array, len(columns))
	for i, name := range columns {
		if IsSystemColumn(name) {
			fields[i] = arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Uint64}
		} else if p, ok := s.partial(name); ok {
			fields[i] = p.arrow(name)
		} else {
			f, err := s.field(name)
			if err != nil {
				return nil, err
			}
			fields[i] = f.Arrow()
		}
	}
	for i := range fields {
		arrays[i] = nulls(fields[i].Type, 0, mem)
		defer arrays[i].Release()
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), arrays, 0), nil
}
