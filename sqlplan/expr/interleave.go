package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/sqlplan/kernel"
)

// interleaved names a row of one of several arrays.
type interleaved = kernel.Ref

// interleave makes an array out of rows of several arrays of type t.
func interleave(mem memory.Allocator, t arrow.DataType, src []arrow.Array, refs []interleaved) (arrow.Array, error) {
	switch kindOf(t) {
	case kInt, kUint, kFloat, kDate, kTime, kTimestamp:
		switch bitWidth(t) {
		case 64:
			return interleaveFixed[uint64](mem, t, src, refs), nil
		case 32:
			return interleaveFixed[uint32](mem, t, src, refs), nil
		}
	}
	return kernel.Interleave(mem, src, refs)
}

func interleaveFixed[T uint32 | uint64](mem memory.Allocator, t arrow.DataType, src []arrow.Array, refs []interleaved) arrow.Array {
	vals := make([][]T, len(src))
	valid := make([]words, len(src))
	anyNull := false
	for i, a := range src {
		vals[i] = fixedOf[T](a)
		valid[i] = validity(vec{arr: a})
		anyNull = anyNull || a.NullN() > 0
	}
	buf, out := newFixed[T](mem, len(refs))
	for i, r := range refs {
		out[i] = vals[r.Batch][r.Row]
	}
	if !anyNull {
		return makeArray(t, len(refs), nil, 0, buf)
	}
	okBuf, ok := newBits(mem, len(refs))
	clear(ok)
	nulls := len(refs)
	for i, r := range refs {
		v := &valid[r.Batch]
		bit := uint64(1)
		if v.bytes != nil {
			at := v.off + int(r.Row)
			bit = uint64(v.bytes[at>>3] >> (at & 7) & 1)
		}
		ok[i>>6] |= bit << (i & 63)
		nulls -= int(bit)
	}
	return makeArray(t, len(refs), okBuf, nulls, buf)
}
