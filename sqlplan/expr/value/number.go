package value

import (
	"lanceflight/internal/fault"

	"github.com/apache/arrow-go/v18/arrow"
)

type Integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

func Bit(b bool) uint64 {
	var u uint64
	if b {
		u = 1
	}
	return u
}

func DimensionError(got, want int) error {
	return fault.New(fault.InvalidArgument, "the vector has %d dimensions, but %d are needed", got, want)
}

func DivisionByZero() error { return fault.New(fault.InvalidArgument, "division by zero") }

func OutOfRange(t arrow.DataType) error {
	return fault.New(fault.InvalidArgument, "the result is out of the range of %s", TypeName(t))
}

// GrowRows makes room for n more and returns the room.
func GrowRows(out []int32, n int) (grown, room []int32) {
	if cap(out)-len(out) < n {
		bigger := make([]int32, len(out), len(out)+n)
		copy(bigger, out)
		out = bigger
	}
	return out, out[len(out) : len(out)+n]
}
