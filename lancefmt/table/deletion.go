package table

import (
	"bytes"
	"context"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

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
// uint32 (the docs say int32), compressed with zstd, in any order.
func DecodeDeletions(kind DeletionKind, data []byte, physicalRows int64) (*roaring.Bitmap, error) {
	var deleted *roaring.Bitmap
	var err error
	switch kind {
	case DeletionArrow:
		deleted, err = decodeArrowDeletions(data, physicalRows)
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

// decodeArrowDeletions decodes the Arrow form. A file of more values than the fragment has rows is
// refused before memory is taken for them.
func decodeArrowDeletions(data []byte, physicalRows int64) (*roaring.Bitmap, error) {
	offsets, err := uint32Column(data, physicalRows)
	if err != nil {
		return nil, fmt.Errorf("malformed Arrow file: %w", err)
	}
	bitmap := roaring.New()
	bitmap.AddMany(offsets)
	return bitmap, nil
}
