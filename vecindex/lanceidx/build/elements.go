package build

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"

	"lanceflight/internal/half"
	"lanceflight/vecindex/distance"
)

// rows are the vectors of a batch.
type rows struct {
	list  *array.FixedSizeList
	items arrow.Array
	dim   int
	size  int    // bytes of an element
	raw   []byte // of all elements of items
}

func newRows(v *array.FixedSizeList) rows {
	items := v.ListValues()
	r := rows{list: v, items: items, dim: int(v.DataType().(*arrow.FixedSizeListType).Len())}
	r.size = items.DataType().(arrow.FixedWidthDataType).Bytes()
	if data := items.Data(); items.Len() > 0 && data.Buffers()[1] != nil {
		r.raw = data.Buffers()[1].Bytes()[data.Offset()*r.size:][:items.Len()*r.size]
	}
	return r
}

// bytes are the elements of row i, or nil if it or one of them is NULL.
func (r rows) bytes(i int) []byte {
	if r.list.IsNull(i) {
		return nil
	}
	start, _ := r.list.ValueOffsets(i)
	if r.items.NullN() > 0 {
		for j := range r.dim {
			if r.items.IsNull(int(start) + j) {
				return nil
			}
		}
	}
	return r.raw[int(start)*r.size:][:r.dim*r.size]
}

// floats writes row i as float32 to dst; false if it has a NULL, or a number that is NaN, infinite, or beyond float32.
func (r rows) floats(dst []float32, i int) bool {
	raw := r.bytes(i)
	if raw == nil {
		return false
	}
	switch r.items.DataType().ID() {
	case arrow.FLOAT32:
		copy(arrow.Float32Traits.CastToBytes(dst), raw)
	case arrow.FLOAT16:
		distance.WidenHalves(dst, arrow.GetData[float16.Num](raw))
	case arrow.FLOAT64:
		for j := range dst {
			dst[j] = float32(math.Float64frombits(binary.LittleEndian.Uint64(raw[8*j:])))
		}
	}
	var zero float32
	for _, x := range dst {
		zero += x * 0
	}
	return zero == 0
}

// normalize gives v unit length; false if it has none. half rounds to the precision of the column.
func normalize(v []float32, half bool) bool {
	norm := float32(math.Sqrt(float64(distance.InnerProduct(v, v))))
	if norm == 0 || norm-norm != 0 {
		return false
	}
	for j := range v {
		v[j] /= norm
	}
	if half {
		roundToHalf(v)
	}
	return true
}

func roundToHalf(v []float32) {
	for j, x := range v {
		v[j] = half.Round(x)
	}
}

// normalizeRaw is normalize for the elements of a float64 row, in its own precision.
func normalizeRaw(dst, src []byte) bool {
	var sum float64
	for j := 0; j < len(src); j += 8 {
		x := math.Float64frombits(binary.LittleEndian.Uint64(src[j:]))
		sum += x * x
	}
	norm := math.Sqrt(sum)
	if norm == 0 || norm-norm != 0 {
		return false
	}
	for j := 0; j < len(src); j += 8 {
		x := math.Float64frombits(binary.LittleEndian.Uint64(src[j:]))
		binary.LittleEndian.PutUint64(dst[j:], math.Float64bits(x/norm))
	}
	return true
}

// putFloats writes v as elements of a type, little endian.
func putFloats(dst []byte, v []float32, t arrow.Type) {
	switch t {
	case arrow.FLOAT32:
		copy(dst, arrow.Float32Traits.CastToBytes(v))
	case arrow.FLOAT16:
		for j, x := range v {
			binary.LittleEndian.PutUint16(dst[2*j:], half.FromFloat32(x).Uint16())
		}
	case arrow.FLOAT64:
		for j, x := range v {
			binary.LittleEndian.PutUint64(dst[8*j:], math.Float64bits(float64(x)))
		}
	case arrow.UINT8:
		for j, x := range v {
			dst[j] = byte(x)
		}
	}
}
