package check

import (
	"context"
	"runtime"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
)

// decodeJob decodes the rows from … to of a column of a fragment.
type decodeJob struct {
	c        *checker
	f        *lancefmt.Fragment
	column   string
	file     string  // that has it, or the first of several
	starts   []int64 // rows that pages start with, ascending, 0 among them
	from, to int64
	bytes    int64 // of the pages, for the progress
	blobs    *blobColumn
}

func (j decodeJob) run(ctx context.Context) error {
	read := func(ctx context.Context, rows encoding.Range) (arrow.Array, error) {
		b, err := j.f.Read(ctx, lancefmt.Columns(j.column), []encoding.Range{rows}, j.c.opts.Mem)
		if err != nil {
			return nil, err
		}
		defer b.Release()
		a := b.Column(0)
		a.Retain()
		return a, nil
	}
	var visit func(ctx context.Context, a arrow.Array) error
	if j.blobs != nil {
		read, visit = j.blobs.read(j.c), j.blobs.visit(j.c)
		defer j.blobs.close()
	}
	width := j.f.BytesPerRow(lancefmt.Columns(j.column))
	p := in(j.f, BadPage)
	p.Column, p.File = j.column, j.file
	return j.c.decode(ctx, p, read, visit, width, j.starts, j.from, j.to, j.bytes)
}

// decode reads rows from … to batch by batch, of which none crosses the start of a page, and tells what
// fails. width is the estimated size of a row in bytes; visit, which may be nil, looks at the values.
func (c *checker) decode(ctx context.Context, p Problem, read func(context.Context, encoding.Range) (arrow.Array, error),
	visit func(context.Context, arrow.Array) error, width float64, starts []int64, from, to, onDisk int64) error {
	// The estimate is not trusted for long: values may be larger than the pages that describe them.
	rows := min(max(int64(batchBytes/max(width, 1)), 1), 1024)
	for at := from; at < to; {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := min(at+rows, to)
		if i := firstFrom(starts, at+1); i < len(starts) {
			end = min(end, starts[i])
		}
		size, err := c.decodeBatch(ctx, read, visit, encoding.Range{Start: at, End: end})
		if err != nil {
			if err := c.fail(ctx, p, err); err != nil {
				return err
			}
			// What follows in the page would fail likewise.
			if k := fault.KindOf(err); k == fault.Unsupported || k == fault.NotFound {
				end = to
			} else if i := firstFrom(starts, at+1); i < len(starts) {
				end = min(starts[i], to)
			}
		} else {
			c.decoded.Add(size)
			rows = min(max((end-at)*batchBytes/max(size, 1), 1), 4*rows)
		}
		c.progress(onDisk*(end-from)/(to-from) - onDisk*(at-from)/(to-from))
		at = end
	}
	return nil
}

// decodeBatch decodes rows, checks the values and touches every byte of them: the buffers may alias a
// mapped file, which is not read before.
func (c *checker) decodeBatch(ctx context.Context, read func(context.Context, encoding.Range) (arrow.Array, error),
	visit func(context.Context, arrow.Array) error, rows encoding.Range) (size int64, err error) {
	err = storage.Guard(func() error {
		a, err := read(ctx, rows)
		if err != nil {
			return err
		}
		defer a.Release()
		if int64(a.Len()) != rows.End-rows.Start {
			return fault.Corruptf("%d rows instead of %d", a.Len(), rows.End-rows.Start)
		}
		if err := array.ValidateFull(a); err != nil {
			return badValue(rows, err)
		}
		size = touchAll(a)
		if visit != nil {
			return visit(ctx, a)
		}
		return nil
	})
	return size, err
}

// valueError says that a page decodes into what is no value.
type valueError struct{ error }

func (e valueError) Unwrap() error { return e.error }

func badValue(rows encoding.Range, err error) error {
	what := strings.TrimPrefix(err.Error(), "arrow/array: ")
	if i := strings.Index(what, "not valid utf8"); i >= 0 { // the value follows
		what = what[:i] + "not UTF-8"
	}
	return valueError{fault.Corruptf("rows %d to %d: %s", rows.Start, rows.End-1, what)}
}

// touchAll touches an array and what is below it, and returns the size of all buffers in bytes.
func touchAll(a arrow.Array) (size int64) {
	size = touch(a.Data())
	switch a := a.(type) {
	case *array.Struct:
		for i := range a.NumField() {
			size += touchAll(a.Field(i))
		}
	case array.ListLike:
		size += touchAll(a.ListValues())
	case *array.Dictionary:
		size += touchAll(a.Dictionary())
	case array.ExtensionArray:
		size += touchAll(a.Storage())
	}
	return size
}

// touch reads a byte of each memory page of the array's own buffers, and returns their size.
func touch(d arrow.ArrayData) (size int64) {
	var sum byte
	for _, b := range d.Buffers() {
		if b == nil {
			continue
		}
		data := b.Bytes()
		for i := 0; i < len(data); i += 4096 {
			sum ^= data[i]
		}
		size += int64(len(data))
	}
	runtime.KeepAlive(sum)
	return size
}
