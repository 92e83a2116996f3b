package value

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/gather"
)

// Interleaved names a row of one of several arrays.
type Interleaved = gather.Ref

// Interleave makes an array out of rows of several arrays of type t.
func Interleave(mem memory.Allocator, t arrow.DataType, src []arrow.Array, refs []Interleaved) (arrow.Array, error) {
	switch KindOf(t) {
	case KindInt, KindUint, KindFloat, KindDate, KindTime, KindTimestamp:
		switch BitWidth(t) {
		case 64:
			return interleaveFixed[uint64](mem, t, src, refs), nil
		case 32:
			return interleaveFixed[uint32](mem, t, src, refs), nil
		}
	}
	return gather.Interleave(mem, src, refs)
}

func interleaveFixed[T uint32 | uint64](mem memory.Allocator, t arrow.DataType, src []arrow.Array, refs []Interleaved) arrow.Array {
	vals := make([][]T, len(src))
	valid := make([]Words, len(src))
	anyNull := false
	for i, a := range src {
		vals[i] = FixedOf[T](a)
		valid[i] = Validity(Vec{Arr: a})
		anyNull = anyNull || a.NullN() > 0
	}
	buf, out := NewFixed[T](mem, len(refs))
	for i, r := range refs {
		out[i] = vals[r.Batch][r.Row]
	}
	if !anyNull {
		return MakeArray(t, len(refs), nil, 0, buf)
	}
	okBuf, ok := NewBits(mem, len(refs))
	clear(ok)
	nulls := len(refs)
	for i, r := range refs {
		v := &valid[r.Batch]
		bit := uint64(1)
		if v.Bytes != nil {
			at := v.Off + int(r.Row)
			bit = uint64(v.Bytes[at>>3] >> (at & 7) & 1)
		}
		ok[i>>6] |= bit << (i & 63)
		nulls -= int(bit)
	}
	return MakeArray(t, len(refs), okBuf, nulls, buf)
}
