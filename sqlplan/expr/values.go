package expr

import (
	"lanceflight/internal/fault"

	"github.com/apache/arrow-go/v18/arrow"
)

type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

func b2u(b bool) uint64 {
	var u uint64
	if b {
		u = 1
	}
	return u
}

func dimensionError(got, want int) error {
	return fault.New(fault.InvalidArgument, "the vector has %d dimensions, but %d are needed", got, want)
}

func divisionByZero() error { return fault.New(fault.InvalidArgument, "division by zero") }

func outOfRange(t arrow.DataType) error {
	return fault.New(fault.InvalidArgument, "the result is out of the range of %s", TypeName(t))
}

// grow makes room for n more and returns the room.
func grow(out []int32, n int) (grown, room []int32) {
	if cap(out)-len(out) < n {
		bigger := make([]int32, len(out), len(out)+n)
		copy(bigger, out)
		out = bigger
	}
	return out, out[len(out) : len(out)+n]
}
