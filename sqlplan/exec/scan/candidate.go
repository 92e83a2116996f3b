package scan

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/gather"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/kernel"
)

type rowRanges = []encoding.Range

func CountRows(r rowRanges) int64 { return encoding.Count(r) }

// candidate is the part of a morsel that has passed the filter stages so far: which physical rows, and the
// columns read for them (nil where not read yet).
type candidate struct {
	ranges rowRanges
	rows   int64
	cols   []arrow.Array
}

// keep narrows c to the given ordinals, sorted.
func (c *candidate) keep(env *op.Env, sel []int32) error {
	if int64(len(sel)) == c.rows {
		return nil
	}
	if len(sel) == 0 {
		c.release()
		c.ranges, c.rows = nil, 0
		return nil
	}
	for i, a := range c.cols {
		if a == nil {
			continue
		}
		kept, err := gather.Take(env.Mem, a, sel)
		if err != nil {
			return err
		}
		a.Release()
		c.cols[i] = kept
	}
	c.ranges = Pick(c.ranges, sel)
	c.rows = int64(len(sel))
	return nil
}

// split makes two candidates of the halves of c, which keeps its own references.
func (c *candidate) split() (head, tail *candidate) {
	n := c.rows / 2
	head, tail = &candidate{rows: n}, &candidate{rows: c.rows - n}
	head.ranges, tail.ranges = CutRanges(c.ranges, n)
	for _, a := range c.cols {
		if a == nil {
			head.cols, tail.cols = append(head.cols, nil), append(tail.cols, nil)
			continue
		}
		head.cols = append(head.cols, slice(a, 0, n))
		tail.cols = append(tail.cols, slice(a, n, c.rows))
	}
	return head, tail
}

func (c *candidate) release() {
	op.ReleaseAll(c.cols)
	clear(c.cols)
}

func slice(a arrow.Array, from, to int64) arrow.Array {
	if from == 0 && to == int64(a.Len()) {
		a.Retain()
		return a
	}
	return array.NewSlice(a, from, to)
}

func arrayBytes(a arrow.Array) int64 { return kernel.ArrayBytes(a) }

// emitCut passes b on, halved until each piece is near the size wanted: an average over the file
// says little about rows of very different sizes. It takes b over.
func emitCut(b arrow.RecordBatch, batchBytes, row int64, emit func(int64, arrow.RecordBatch) error) error {
	n := b.NumRows()
	if n <= 1 || b.NumCols() == 0 || kernel.BatchBytes(b) <= batchBytes+batchBytes/2 {
		return emit(row, b)
	}
	head, tail := b.NewSlice(0, n/2), b.NewSlice(n/2, n)
	b.Release()
	if err := emitCut(head, batchBytes, row, emit); err != nil {
		tail.Release()
		return err
	}
	return emitCut(tail, batchBytes, row+n/2, emit)
}

// rowReader reads rows of fragments and counts what that costs.
type rowReader struct {
	env      *op.Env
	Counters *op.OpStats
	sizes    op.RowSizes
}

// A read of scattered rows decodes whole chunks anyway. If the rows asked for are at least one in
// denseShare of the rows they span, and their values are narrow, reading the span in one piece and dropping
// the rest is cheaper than following the pieces.
const (
	denseShare  = 3
	denseBytes  = 512 // per row, of all columns together
	denseRanges = 64  // fewer pieces than this are followed
)

// read returns the given columns of the given physical rows. The caller releases the batch.
func (r *rowReader) read(ctx context.Context, f *lancefmt.Fragment, columns []lancefmt.ColumnRef,
	rows rowRanges) (arrow.RecordBatch, error) {
	return r.ReadInto(ctx, r.env.Mem, f, columns, rows)
}

// ReadInto is read with an allocator of its own.
func (r *rowReader) ReadInto(ctx context.Context, mem memory.Allocator, f *lancefmt.Fragment, columns []lancefmt.ColumnRef,
	rows rowRanges) (arrow.RecordBatch, error) {
	r.Counters.Requests.Add(1)
	n := CountRows(rows)
	if len(rows) > denseRanges {
		span := encoding.Range{Start: rows[0].Start, End: rows[len(rows)-1].End}
		if span.Len() <= denseShare*n && f.BytesPerRow(columns) <= denseBytes {
			return r.readDense(ctx, mem, f, columns, rows, span)
		}
	}
	b, err := f.Read(ctx, columns, rows, mem)
	if err != nil {
		return nil, err
	}
	r.Counters.BytesRead.Add(kernel.BatchBytes(b))
	r.sizes.Learn(columns, b)
	return b, nil
}

func (r *rowReader) readDense(ctx context.Context, mem memory.Allocator, f *lancefmt.Fragment, columns []lancefmt.ColumnRef,
	rows rowRanges, span encoding.Range) (arrow.RecordBatch, error) {
	b, err := f.Read(ctx, columns, rowRanges{span}, mem)
	if err != nil {
		return nil, err
	}
	defer b.Release()
	r.Counters.BytesRead.Add(kernel.BatchBytes(b))
	r.sizes.Learn(columns, b)
	sel := make([]int32, 0, CountRows(rows))
	for _, g := range rows {
		for i := g.Start; i < g.End; i++ {
			sel = append(sel, int32(i-span.Start))
		}
	}
	return gather.TakeBatch(mem, b, sel)
}
