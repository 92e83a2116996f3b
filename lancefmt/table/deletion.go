package table

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
)

// maxDeletionBytes bounds a deletion file: a bitmap of 2^32 rows takes 512 MiB.
const maxDeletionBytes = 1 << 30

// ReadDeletions reads a deletion file. The bitmap has at least one row, all below physicalRows, and
// as many as the manifest says; else the file is corrupt. Errors name the file.
func ReadDeletions(ctx context.Context, store storage.Store, name string, d DeletionFile, physicalRows int64) (*roaring.Bitmap, error) {
	data, err := storage.ReadAll(ctx, store, name, maxDeletionBytes)
	if err != nil {
		return nil, err
	}
	deleted, err := DecodeDeletions(d.Kind, data, physicalRows)
	if err == nil && d.NumDeleted >= 0 && deleted.GetCardinality() != uint64(d.NumDeleted) {
		err = fault.Corruptf("the file has %d deleted rows, but the manifest says %d", deleted.GetCardinality(), d.NumDeleted)
	}
	if err != nil {
		return nil, fault.Place(err, name, -1, -1, -1)
	}
	return deleted, nil
}

// DecodeDeletions decodes the bytes of a deletion file of a fragment of physicalRows rows. The
// bytes are not kept.
//
// Source: lance-table 14.0.2, io/deletion.rs: an Arrow file has one batch with one column of type
// uint32 (the docs say int32), compressed with zstd; order and duplicates do not matter.
func DecodeDeletions(kind DeletionKind, data []byte, physicalRows int64) (*roaring.Bitmap, error) {
	var deleted *roaring.Bitmap
	var err error
	switch kind {
	case DeletionArrow:
		deleted, err = decodeArrowDeletions(data)
	case DeletionBitmap:
		deleted, err = decodeRoaring(data)
	default:
		return nil, fault.New(fault.Unsupported, "deletion file type %d", kind)
	}
	if err != nil {
		return nil, fault.Corruptf("the deletion file cannot be decoded: %v", err)
	}
	if !deleted.IsEmpty() && int64(deleted.Maximum()) >= physicalRows {
		return nil, fault.Corruptf("row %d is deleted, but the fragment has %d rows", deleted.Maximum(), physicalRows)
	}
	return deleted, nil
}

// decodeRoaring decodes a portable 32-bit Roaring bitmap that takes all of data.
func decodeRoaring(data []byte) (bitmap *roaring.Bitmap, err error) {
	defer func() {
		// The library checks lengths, but indexes by some of what it reads.
		if cause := recover(); cause != nil {
			bitmap, err = nil, fmt.Errorf("malformed Roaring bitmap: %v", cause)
		}
	}()
	bitmap = roaring.New()
	n, err := bitmap.ReadFrom(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if n != int64(len(data)) {
		return nil, fmt.Errorf("%d bytes follow the Roaring bitmap", int64(len(data))-n)
	}
	if err := bitmap.Validate(); err != nil {
		return nil, fmt.Errorf("malformed Roaring bitmap: %w", err)
	}
	return bitmap, nil
}

func decodeArrowDeletions(data []byte) (bitmap *roaring.Bitmap, err error) {
	defer func() {
		// The flatbuffers in an IPC file are not verified: a wrong offset panics.
		if cause := recover(); cause != nil {
			bitmap, err = nil, fmt.Errorf("malformed Arrow file: %v", cause)
		}
	}()
	// Compressed buffers state their length; one that zstd could not have made is refused.
	mem := &boundedAllocator{Allocator: memory.DefaultAllocator, left: int64(len(data))*maxCompression + 1<<20}
	r, err := ipc.NewFileReader(bytes.NewReader(data), ipc.WithAllocator(mem))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if n := r.NumRecords(); n != 1 {
		return nil, fmt.Errorf("%d record batches instead of one", n)
	}
	if s := r.Schema(); s.NumFields() != 1 || s.Field(0).Type.ID() != arrow.UINT32 {
		return nil, fmt.Errorf("the schema is %v instead of one uint32 column", s)
	}
	batch, err := r.RecordBatchAt(0)
	if err != nil {
		return nil, err
	}
	defer batch.Release()
	offsets, ok := batch.Column(0).(*array.Uint32)
	if !ok || offsets.NullN() > 0 {
		return nil, errors.New("a deleted row is null")
	}
	bitmap = roaring.New()
	bitmap.AddMany(offsets.Uint32Values())
	return bitmap, nil
}

// maxCompression is how much longer than its compressed form a zstd frame of row offsets may be.
const maxCompression = 1 << 12

// boundedAllocator panics, for the caller to recover, when more is asked for than left.
type boundedAllocator struct {
	memory.Allocator
	left int64
}

func (b *boundedAllocator) take(n int) {
	if b.left -= int64(n); n < 0 || b.left < 0 {
		panic(errors.New("a length in the file asks for too much memory"))
	}
}

func (b *boundedAllocator) Allocate(size int) []byte {
	b.take(size)
	return b.Allocator.Allocate(size)
}

func (b *boundedAllocator) Reallocate(size int, old []byte) []byte {
	b.take(size - min(size, len(old)))
	return b.Allocator.Reallocate(size, old)
}
