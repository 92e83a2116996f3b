package v20

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
)

// blobReader is a column of binary values that lie anywhere in the file: its pages are packed
// structs {position, size} of uint64. NULL is position 1 and size 0, an empty value position 0 and
// size 0.
//
// Source: lance-encoding 14.0.2, src/array_encoding/logical/blob.rs; the specification does not say
// how a NULL is written.
type blobReader struct {
	*column // of the descriptions
	dt      arrow.DataType
}

var blobDescription = arrow.StructOf(
	arrow.Field{Name: "position", Type: arrow.PrimitiveTypes.Uint64},
	arrow.Field{Name: "size", Type: arrow.PrimitiveTypes.Uint64},
)

// openBlob opens a column of descriptions as one of the values that they describe.
func openBlob(src encoding.Source, number int, col encoding.Column, dt arrow.DataType) (reader, error) {
	c, err := openColumn(src, number, col, blobDescription)
	if err != nil {
		return nil, err
	}
	return &blobReader{c, dt}, nil
}

// read reads the descriptions of rows, and then the bytes that they name, in one job.
func (r *blobReader) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (*array.Data, error) {
	j := newJob(ctx, r.src, mem)
	defer j.close()
	descriptions, err := r.plan(j, rows)
	if err != nil {
		return nil, err
	}
	o, err := newOut(r.dt, descriptions.length(), j.mem)
	if err != nil {
		return nil, err
	}
	j.own(o)
	v := o.(*varOut)
	if err := r.want(j, descriptions.(*structOut), v); err != nil {
		return nil, r.place(err, nil)
	}
	if err := j.run(); err != nil {
		return nil, r.place(err, nil)
	}
	data, err := v.finish()
	if err != nil {
		return nil, r.place(err, nil)
	}
	if err := r.checkText(data, rows); err != nil {
		data.Release()
		return nil, err
	}
	return data, nil
}

// want asks for the values' bytes.
func (r *blobReader) want(j *job, d *structOut, v *varOut) error {
	positions, err := uint64s(d.children[0])
	if err != nil {
		return err
	}
	sizes, err := uint64s(d.children[1])
	if err != nil {
		return err
	}
	v.lengths()
	c := v.reserve()
	fileSize := uint64(j.src.SizeBytes())
	first := -1
	for i, size := range sizes {
		if d.valid.isNull(i) || positions[i] == 1 && size == 0 {
			v.valid.clear(i)
			size = 0
		}
		if err := v.setLen(i, int64(min(size, fileSize))); err != nil {
			return err
		}
		if size == 0 {
			continue
		}
		if positions[i] > fileSize || size > fileSize-positions[i] {
			return fault.Corruptf("a blob of %d bytes at %d does not lie inside the file of %d bytes", size, positions[i], fileSize)
		}
		if c.size += int64(size); c.size > j.limit {
			break
		}
		h := j.want(storage.Range{Offset: int64(positions[i]), Length: int64(size)})
		if first < 0 {
			first = h
		}
	}
	if uint64(c.size) > fileSize { // blobs that overlap
		if err := j.charge(c.size, "blobs"); err != nil {
			return err
		}
	}
	j.then(func() error {
		if first >= 0 {
			c.spans = j.spans[first:]
		}
		return nil
	})
	return nil
}

// uint64s views the values of a column of uint64.
func uint64s(o out) ([]uint64, error) {
	b, err := o.(*fixedOut).bytes()
	return arrow.Uint64Traits.CastFromBytes(b), err
}
