package v20

import (
	"context"
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/lancefmt/encoding"
)

// Lists that are NULL may have items below them, which are left out of arrays. Where there are
// many, the items that are wanted lie in short ranges, and to plan each of them costs more than to
// read what lies between too and to copy what is wanted.
const (
	manyRanges  = 64
	shortRanges = 4096 // items in a range, on average
)

// readItems reads ranges of items, which ascend.
func readItems(ctx context.Context, child reader, items []encoding.Range, mem memory.Allocator) (*array.Data, error) {
	c, ok := child.(*column)
	if !ok || len(items) < manyRanges {
		return child.read(ctx, items, mem)
	}
	whole := encoding.Range{Start: items[0].Start, End: items[len(items)-1].End}
	wanted := encoding.Count(items)
	size := wholeBytes(c.dt)
	if size == 0 || whole.Len() > 2*wanted || wanted/int64(len(items)) > shortRanges {
		return child.read(ctx, items, mem)
	}
	all, err := child.read(ctx, []encoding.Range{whole}, mem)
	if err != nil {
		return nil, err
	}
	defer all.Release()
	values := memory.NewResizableBuffer(mem)
	defer values.Release()
	values.Resize(int(wanted) * size)
	src, dst := all.Buffers()[1].Bytes()[all.Offset()*size:], values.Bytes()
	for _, r := range items {
		n := copy(dst, src[int(r.Start-whole.Start)*size:int(r.End-whole.Start)*size])
		dst = dst[n:]
	}
	var validity *memory.Buffer
	nulls := 0
	if all.NullN() > 0 {
		validity = memory.NewResizableBuffer(mem)
		defer validity.Release()
		validity.Resize((int(wanted) + 7) / 8)
		clear(validity.Bytes())
		nulls = int(wanted) - packBits(validity.Bytes(), all.Buffers()[0].Bytes(), items, all.Offset()-int(whole.Start))
		if nulls == 0 {
			validity = nil
		}
	}
	return array.NewData(all.DataType(), int(wanted), []*memory.Buffer{validity, values}, nil, nulls, 0), nil
}

// wholeBytes is the size of a value of a type whose arrays are validity and values of so many
// bytes. It is 0 for others.
func wholeBytes(dt arrow.DataType) int {
	switch t := storageType(dt).(type) {
	case *arrow.BooleanType, *arrow.DictionaryType, *arrow.FixedSizeListType:
	case arrow.FixedWidthDataType:
		if t.BitWidth()%8 == 0 {
			return t.BitWidth() / 8
		}
	}
	return 0
}

// packBits copies the bits of src at ranges, moved by shift, to the start of dst, which is zero,
// and returns how many are set.
func packBits(dst, src []byte, ranges []encoding.Range, shift int) (set int) {
	at := 0
	for _, r := range ranges {
		from, to := int(r.Start)+shift, int(r.End)+shift
		for from < to {
			n := min(56, to-from) // seven bytes, so that eight hold them wherever they begin
			word := bits64(src, from>>3) >> (from & 7) & (1<<n - 1)
			set += bits.OnesCount64(word)
			if i := at >> 3; i+8 <= len(dst) {
				binary.LittleEndian.PutUint64(dst[i:], binary.LittleEndian.Uint64(dst[i:])|word<<(at&7))
			} else {
				word <<= at & 7
				for ; word != 0; word >>= 8 {
					dst[i] |= byte(word)
					i++
				}
			}
			from, at = from+n, at+n
		}
	}
	return set
}

// bits64 loads eight bytes from i on; those behind the end are zero.
func bits64(b []byte, i int) (word uint64) {
	if i+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[i:])
	}
	for k := range b[i:] {
		word |= uint64(b[i+k]) << (8 * k)
	}
	return word
}
