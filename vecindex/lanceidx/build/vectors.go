package build

import (
	"context"
	"math/rand/v2"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
)

// Vectors is where the vectors come from. NULL vectors, and vectors with NULL elements, are left out of an index.
type Vectors interface {
	// Type is a fixed-size list of float16, float32, float64 or uint8.
	Type() *arrow.FixedSizeListType
	// NumRows is an upper bound of what Scan gives.
	NumRows() int64
	// Sample calls f with n rows drawn by chance, or all if there are fewer, in several batches; the same ones for the same seed.
	// Batches are f's until it returns.
	Sample(ctx context.Context, n int, seed uint64, f func(*array.FixedSizeList) error) error
	// Scan calls f with all rows and their ids, in the order of the table; batches are f's until it returns.
	Scan(ctx context.Context, f func(rowIDs []uint64, vectors *array.FixedSizeList) error) error
}

// column is a column of one version of a table.
type column struct {
	snap *lancefmt.Snapshot
	name string
	typ  *arrow.FixedSizeListType
	mem  memory.Allocator
}

// Column gives the vectors of a top-level column; deleted rows are left out. mem is where pages are
// decoded; nil means the Go heap. A column that is no fixed-size list is fault.InvalidArgument, one
// that is not there fault.NotFound.
func Column(snap *lancefmt.Snapshot, name string, mem memory.Allocator) (Vectors, error) {
	if mem == nil {
		mem = memory.DefaultAllocator
	}
	fields, ok := snap.Schema().FieldsByName(name)
	if !ok {
		return nil, fault.New(fault.NotFound, "there is no column %q", name)
	}
	t, ok := fields[0].Type.(*arrow.FixedSizeListType)
	if !ok {
		return nil, fault.New(fault.InvalidArgument, "column %q is %s; a vector index is of a fixed-size list", name, fields[0].Type)
	}
	return &column{snap: snap, name: name, typ: t, mem: mem}, nil
}

func (c *column) Type() *arrow.FixedSizeListType { return c.typ }

func (c *column) NumRows() int64 { return c.snap.NumRows() }

// batchRows is what is read at a time: some 16 MiB of vectors, a multiple of what workers take.
func (c *column) batchRows() int64 {
	width := int64(c.typ.Len()) * int64(c.typ.Elem().(arrow.FixedWidthDataType).Bytes())
	return max(chunkRows, (16<<20)/max(1, width)/chunkRows*chunkRows)
}

// Sample draws positions among all rows, deleted ones too, which then do not count: deletions are rare, or the table is compacted.
func (c *column) Sample(ctx context.Context, n int, seed uint64, f func(*array.FixedSizeList) error) error {
	rng := rand.New(rand.NewPCG(seed, 0x73616d706c65))
	// Selection sampling (Knuth, TAOCP 2, algorithm 3.4.2 S): every row in turn, with the right chance, so they come in order.
	want, left := int64(n), c.snap.NumRows()
	for _, frag := range c.snap.Fragments() {
		deleted, err := frag.Deleted(ctx)
		if err != nil {
			return err
		}
		var rows []encoding.Range
		picked := int64(0)
		flush := func() error {
			if picked == 0 {
				return nil
			}
			err := c.read(ctx, frag, []string{c.name}, rows, func(b arrow.RecordBatch) error {
				return f(b.Column(0).(*array.FixedSizeList))
			})
			rows, picked = nil, 0
			return err
		}
		for row := range frag.NumPhysicalRows() {
			if deleted != nil && deleted.Contains(uint32(row)) {
				continue
			}
			take := want > 0 && rng.Int64N(left) < want
			left--
			if !take {
				continue
			}
			want--
			if k := len(rows); k > 0 && rows[k-1].End == row {
				rows[k-1].End++
			} else {
				rows = append(rows, encoding.Range{Start: row, End: row + 1})
			}
			if picked++; picked == c.batchRows() {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if err := flush(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Scan reads ahead by one batch.
func (c *column) Scan(ctx context.Context, f func([]uint64, *array.FixedSizeList) error) error {
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		batch arrow.RecordBatch
		err   error
	}
	batches := make(chan result)
	go func() {
		defer close(batches)
		err := c.scan(ctx, func(b arrow.RecordBatch) error {
			b.Retain()
			select {
			case batches <- result{batch: b}:
				return nil
			case <-ctx.Done():
				b.Release()
				return ctx.Err()
			}
		})
		if err != nil {
			select {
			case batches <- result{err: err}:
			case <-ctx.Done():
			}
		}
	}()
	var failed error
	for r := range batches { // to the end, so that nothing is left behind
		switch {
		case failed != nil:
		case r.err != nil:
			failed = r.err
		default:
			failed = storage.Guard(func() error {
				return f(r.batch.Column(1).(*array.Uint64).Uint64Values(), r.batch.Column(0).(*array.FixedSizeList))
			})
		}
		if r.batch != nil {
			r.batch.Release()
		}
		if failed != nil {
			cancel()
		}
	}
	if failed == nil {
		failed = outer.Err() // the error may not have come through
	}
	return failed
}

func (c *column) scan(ctx context.Context, f func(arrow.RecordBatch) error) error {
	for _, frag := range c.snap.Fragments() {
		deleted, err := frag.Deleted(ctx)
		if err != nil {
			return err
		}
		for from := int64(0); from < frag.NumPhysicalRows(); from += c.batchRows() {
			to := min(from+c.batchRows(), frag.NumPhysicalRows())
			rows := []encoding.Range{{Start: from, End: to}}
			if deleted != nil {
				rows = nil
				for at := from; at < to; at++ {
					if deleted.Contains(uint32(at)) {
						continue
					}
					if k := len(rows); k > 0 && rows[k-1].End == at {
						rows[k-1].End++
					} else {
						rows = append(rows, encoding.Range{Start: at, End: at + 1})
					}
				}
				if len(rows) == 0 {
					continue
				}
			}
			if err := c.read(ctx, frag, []string{c.name, lancefmt.RowIDColumn}, rows, f); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func (c *column) read(ctx context.Context, frag *lancefmt.Fragment, names []string, rows []encoding.Range,
	f func(arrow.RecordBatch) error) error {
	b, err := frag.Read(ctx, lancefmt.Columns(names...), rows, c.mem)
	if err != nil {
		return err
	}
	defer b.Release()
	return storage.Guard(func() error { return f(b) })
}
