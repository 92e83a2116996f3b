package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/sqlplan/exec/kernel"
)

// interleaved names a row of one of several arrays.
type interleaved = kernel.Ref

// interleave makes an array out of rows of several arrays of type t.
func interleave(mem memory.Allocator, t arrow.DataType, src []arrow.Array, refs []interleaved) (arrow.Array, error) {
	anyNull := false
	for _, a := range src {
		anyNull = anyNull || a.NullN() > 0
	}
	if !anyNull {
		switch kindOf(t) {
		case kInt, kUint, kFloat, kDate, kTime, kTimestamp:
			switch bitWidth(t) {
			case 64:
				return interleaveFixed[uint64](mem, t, src, refs), nil
			case 32:
				return interleaveFixed[uint32](mem, t, src, refs), nil
			}
		}
	}
	return kernel.Interleave(mem, src, refs)
}

func interleaveFixed[T uint32 | uint64](mem memory.Allocator, t arrow.DataType, src []arrow.Array, refs []interleaved) arrow.Array {
	vals := make([][]T, len(src))
	for i, a := range src {
		vals[i] = fixedOf[T](a)
	}
	buf, out := newFixed[T](mem, len(refs))
	for i, r := range refs {
		out[i] = vals[r.Batch][r.Row]
	}
	return makeArray(t, len(refs), nil, 0, buf)
}
