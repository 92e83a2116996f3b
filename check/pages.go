package check

import (
	"context"
	"fmt"
	"unicode/utf8"

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
		b, err := j.f.Read(ctx, []string{j.column}, []encoding.Range{rows}, j.c.opts.Mem)
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
	width := j.f.BytesPerRow([]string{j.column})
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
			return badValue(rows, err.Error())
		}
		if size, err = sound(a, rows); err != nil {
			return err
		}
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

func badValue(rows encoding.Range, what string) error {
	return valueError{fault.Corruptf("rows %d to %d: %s", rows.Start, rows.End-1, what)}
}

// sound checks that strings are UTF-8, touches the rest, and returns the size of all buffers in bytes.
func sound(a arrow.Array, rows encoding.Range) (size int64, err error) {
	switch a := a.(type) {
	case *array.String:
		err = utf8Values(a.Len(), a.IsNull, a.Value, a.ValueBytes(), rows)
	case *array.LargeString:
		err = utf8Values(a.Len(), a.IsNull, a.Value, a.ValueBytes(), rows)
	case *array.StringView:
		err = utf8Values(a.Len(), a.IsNull, a.Value, nil, rows)
	}
	if err != nil {
		return 0, err
	}
	return touch(a.Data()) + children(a, rows, &err), err
}

func children(a arrow.Array, rows encoding.Range, err *error) (size int64) {
	add := func(child arrow.Array) {
		if *err == nil {
			var n int64
			n, *err = sound(child, rows)
			size += n
		}
	}
	switch a := a.(type) {
	case *array.Struct:
		for i := range a.NumField() {
			add(a.Field(i))
		}
	case array.ListLike:
		add(a.ListValues())
	case *array.Dictionary:
		add(a.Dictionary())
	case array.ExtensionArray:
		add(a.Storage())
	}
	return size
}

// utf8Values checks strings: all at once if there is a buffer with all of them, one by one to tell which.
func utf8Values(n int, null func(int) bool, at func(int) string, all []byte, rows encoding.Range) error {
	if all != nil && utf8.Valid(all) {
		return nil
	}
	for i := range n {
		if !null(i) && !utf8.ValidString(at(i)) {
			where := fmt.Sprintf("value %d", i)
			if int64(n) == rows.End-rows.Start {
				where = fmt.Sprintf("row %d", rows.Start+int64(i))
			}
			return valueError{fault.Corruptf("%s is a string that is not UTF-8", where)}
		}
	}
	return nil
}

// touched keeps the reads of touch.
var touched byte

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
	if sum == 0 && size < 0 {
		touched = sum // never: keeps the loop
	}
	return size
}
