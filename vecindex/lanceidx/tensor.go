package lanceidx

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/internal/half"
	"lanceflight/vecindex/lanceidx/indexpb"
)

// matrix is a tensor of two dimensions, widened or narrowed to float32.
type matrix struct {
	rows, columns int
	values        []float32
	element       indexpb.Tensor_DataType
}

// maxElements bounds the numbers of a tensor, far above a million centroids of 2,048 dimensions. Since the
// data must be there in full, a message cannot claim more than it brings anyway.
const maxElements = 1 << 32

// parseMatrix converts a tensor of floats or bytes. A shape that is not two-dimensional, or
// does not match the data, is a CorruptError. Other element types are fault.Unsupported.
func parseMatrix(t *indexpb.Tensor, what string) (matrix, error) {
	shape := t.GetShape()
	if len(shape) != 2 {
		return matrix{}, fault.Corruptf("%s: a tensor of %d dimensions instead of 2", what, len(shape))
	}
	n := uint64(shape[0]) * uint64(shape[1])
	if n > maxElements {
		return matrix{}, fault.Corruptf("%s: a tensor of %d × %d", what, shape[0], shape[1])
	}
	m := matrix{rows: int(shape[0]), columns: int(shape[1]), element: t.GetDataType()}
	size := map[indexpb.Tensor_DataType]uint64{
		indexpb.Tensor_FLOAT16: 2, indexpb.Tensor_FLOAT32: 4, indexpb.Tensor_FLOAT64: 8, indexpb.Tensor_UINT8: 1,
	}[m.element]
	if size == 0 {
		return matrix{}, fault.New(fault.Unsupported, "%s of %s", what, m.element)
	}
	data := t.GetData()
	if uint64(len(data)) != n*size {
		return matrix{}, fault.Corruptf("%s: %d bytes for %d × %d of %s", what, len(data), shape[0], shape[1], m.element)
	}
	m.values = make([]float32, n)
	switch m.element {
	case indexpb.Tensor_FLOAT32:
		copy(arrow.Float32Traits.CastToBytes(m.values), data) // both little endian
	case indexpb.Tensor_FLOAT16:
		for i := range m.values {
			m.values[i] = half.FromBits(binary.LittleEndian.Uint16(data[2*i:]))
		}
	case indexpb.Tensor_FLOAT64:
		for i := range m.values {
			m.values[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:])))
		}
	case indexpb.Tensor_UINT8:
		for i, x := range data {
			m.values[i] = float32(x)
		}
	}
	return m, nil
}

// half reports whether the vectors behind the tensor are float16.
func (m matrix) half() bool { return m.element == indexpb.Tensor_FLOAT16 }
