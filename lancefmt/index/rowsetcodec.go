package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/internal/fault"
)

// decodeRowSet decodes a row set as index files hold them:
//
//	u32        number of parts
//	per part:  u32 upper half of the ids (a fragment, where ids are addresses)
//	           u32 length in bytes; 0 stands for the whole fragment
//	           portable 32-bit Roaring bitmap of the lower halves
//
// All numbers are little endian. Bytes behind the last part are corrupt. Nothing of b is kept. Sources:
// docs "index/scalar/bitmap"; lance-select 14.0.2, mask.rs, RowAddrTreeMap::deserialize_from. No writer
// of an index file stores whole fragments, whose number of rows the file would not tell: they are
// fault.Unsupported.
func decodeRowSet(b []byte) (*RowSet, error) {
	if len(b) < 4 {
		return nil, fault.Corruptf("a row set of %d bytes", len(b))
	}
	n := binary.LittleEndian.Uint32(b)
	b = b[4:]
	s := &RowSet{}
	for i := range n {
		if len(b) < 8 {
			return nil, fault.Corruptf("a row set of %d parts ends in part %d", n, i)
		}
		upper, size := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		b = b[8:]
		if size == 0 {
			return nil, fault.New(fault.Unsupported, "a row set with all rows of fragment %d", upper)
		}
		if uint64(size) > uint64(len(b)) {
			return nil, fault.Corruptf("part %d of a row set has %d bytes where %d are left", i, size, len(b))
		}
		bitmap, err := decodeRoaring(b[:size])
		if err != nil {
			return nil, fault.Corruptf("part %d of a row set: %v", i, err)
		}
		if s.parts[upper] != nil {
			return nil, fault.Corruptf("a row set has fragment %d twice", upper)
		}
		if !bitmap.IsEmpty() {
			s.set(upper, bitmap)
		}
		b = b[size:]
	}
	if len(b) > 0 {
		return nil, fault.Corruptf("%d bytes follow a row set", len(b))
	}
	return s, nil
}

// decodeRoaring decodes a portable 32-bit Roaring bitmap that takes all of b.
func decodeRoaring(b []byte) (*roaring.Bitmap, error) {
	bitmap, n, err := decodeRoaringPrefix(b)
	if err == nil && n != len(b) {
		return nil, fmt.Errorf("%d bytes follow the Roaring bitmap", len(b)-n)
	}
	return bitmap, err
}

// decodeRoaringPrefix decodes a portable 32-bit Roaring bitmap at the start of b and returns its length.
func decodeRoaringPrefix(b []byte) (bitmap *roaring.Bitmap, n int, err error) {
	defer func() {
		// The library checks lengths, but indexes by some of what it reads. Faults of a mapping are
		// storage.Guard's to judge.
		if cause := recover(); cause != nil {
			if _, mapped := cause.(interface{ Addr() uintptr }); mapped {
				panic(cause)
			}
			bitmap, err = nil, fmt.Errorf("malformed Roaring bitmap: %v", cause)
		}
	}()
	bitmap = roaring.New()
	read, err := bitmap.ReadFrom(bytes.NewReader(b))
	if err != nil {
		return nil, 0, err
	}
	if err := bitmap.Validate(); err != nil {
		return nil, 0, fmt.Errorf("malformed Roaring bitmap: %w", err)
	}
	return bitmap, int(read), nil
}

// parseUint parses a number of the metadata of a file.
func parseUint(text string, limit uint64) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > limit {
		return 0, fmt.Errorf("%q is not a number up to %d", text, limit)
	}
	return n, nil
}
