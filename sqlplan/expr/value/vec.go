package value

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/gather"
)

// Vec is an intermediate result. It owns a reference to arr.
type Vec struct {
	Arr arrow.Array
	// Scalar: arr has one row, which stands for all rows.
	Scalar bool
	// Sel, if lazy: the rows of arr that are meant.
	Sel  []int32
	Lazy bool
}

func (v *Vec) Release() {
	if v.Arr != nil {
		v.Arr.Release()
	}
}

// NullScalar says whether v is NULL for all rows.
func (v Vec) NullScalar() bool {
	return v.Arr.DataType().ID() == arrow.NULL || v.Scalar && v.Arr.IsNull(0)
}

// Flatten gathers the rows of a lazy column.
func (v *Vec) Flatten(mem memory.Allocator) error {
	if !v.Lazy {
		return nil
	}
	a, err := gather.Take(mem, v.Arr, v.Sel)
	if err != nil {
		return err
	}
	v.Arr.Release()
	*v = Vec{Arr: a}
	return nil
}

// Materialize turns v into an array of n rows and gives it away.
func (v Vec) Materialize(mem memory.Allocator, n int) (arrow.Array, error) {
	if v.Lazy {
		if err := v.Flatten(mem); err != nil {
			v.Release()
			return nil, err
		}
	}
	if !v.Scalar {
		return v.Arr, nil
	}
	defer v.Release()
	return RepeatRow(mem, v.Arr, n)
}

// Row is the row of v.arr that row i is about; v is not lazy.
func (v Vec) Row(i int) int {
	if v.Scalar {
		return 0
	}
	return i
}

// Source is where row i of a call lies in the array, lazy or not.
func (v Vec) Source(i int) int {
	switch {
	case v.Scalar:
		return 0
	case v.Lazy:
		return int(v.Sel[i])
	}
	return i
}

// Validity is where the array behind v is not NULL.
func Validity(v Vec) Words {
	n := v.Arr.Len()
	switch {
	case v.Arr.DataType().ID() == arrow.NULL:
		return Words{make([]byte, n/8+1), 0, n}
	case v.Arr.DataType().ID() == arrow.DICTIONARY && v.Arr.(*array.Dictionary).Dictionary().NullN() > 0:
		// A valid index may point to a NULL.
		d, b := v.Arr.(*array.Dictionary), make([]byte, n/8+1)
		for i := range n {
			if d.IsValid(i) && d.Dictionary().IsValid(d.GetValueIndex(i)) {
				b[i>>3] |= 1 << (i & 7)
			}
		}
		return Words{b, 0, n}
	case v.Arr.NullN() == 0:
		return Words{nil, 0, n}
	}
	if b := v.Arr.NullBitmapBytes(); b != nil {
		return Words{b, v.Arr.Data().Offset(), n}
	}
	// Types without a bitmap of their own, such as unions and run-end encoding.
	b := make([]byte, n/8+1)
	for i := range n {
		if v.Arr.IsValid(i) {
			b[i>>3] |= 1 << (i & 7)
		}
	}
	return Words{b, 0, n}
}
