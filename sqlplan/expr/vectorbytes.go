package expr

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// vectorOfBytes reads little-endian float32 values, the form in which clients without Arrow lists bind a
// vector. ok is false if to is no list of floating-point numbers. The length must be that of the type.
func vectorOfBytes(raw []byte, to arrow.DataType) (value any, ok bool, err error) {
	list, isList := to.(arrow.ListLikeType)
	if !isList || !arrow.IsFloating(list.Elem().ID()) {
		return nil, false, nil
	}
	if len(raw)%4 != 0 {
		return nil, true, fault.New(fault.InvalidArgument, "%d bytes are no vector of 4-byte numbers", len(raw))
	}
	n := len(raw) / 4
	fixed, isFixed := to.(*arrow.FixedSizeListType)
	if isFixed && int(fixed.Len()) != n {
		return nil, true, dimensionError(n, int(fixed.Len()))
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	if isFixed && list.Elem().ID() == arrow.FLOAT32 {
		return v, true, nil
	}
	items := make([]any, n)
	for i, x := range v {
		items[i] = float64(x)
	}
	return items, true, nil
}
