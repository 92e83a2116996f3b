package value

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// VectorOfBytes reads little-endian float32 values, the form in which clients without Arrow lists bind a
// vector, as the value of a Literal of type to, a list of floating-point numbers of any width. The
// length must be that of the type.
func VectorOfBytes(raw []byte, to arrow.DataType) (any, error) {
	if len(raw)%4 != 0 {
		return nil, fault.New(fault.InvalidArgument, "%d bytes are no vector of 4-byte numbers", len(raw))
	}
	n := len(raw) / 4
	fixed, isFixed := to.(*arrow.FixedSizeListType)
	if isFixed && int(fixed.Len()) != n {
		return nil, DimensionError(n, int(fixed.Len()))
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	if isFixed && fixed.Elem().ID() == arrow.FLOAT32 {
		return v, nil
	}
	items := make([]any, n)
	for i, x := range v {
		items[i] = float64(x)
	}
	return items, nil
}
