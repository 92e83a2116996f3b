package expr

import (
	"lanceflight/sqlplan/kernel"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// vec is an intermediate result. It owns a reference to arr.
type vec struct {
	arr arrow.Array
	// scalar: arr has one row, which stands for all rows.
	scalar bool
	// sel, if lazy: the rows of arr that are meant.
	sel  []int32
	lazy bool
}

func (v *vec) release() {
	if v.arr != nil {
		v.arr.Release()
	}
}

// nullScalar says whether v is NULL for all rows.
func (v vec) nullScalar() bool {
	return v.arr.DataType().ID() == arrow.NULL || v.scalar && v.arr.IsNull(0)
}

// flatten gathers the rows of a lazy column.
func (v *vec) flatten(mem memory.Allocator) error {
	if !v.lazy {
		return nil
	}
	a, err := kernel.Take(mem, v.arr, v.sel)
	if err != nil {
		return err
	}
	v.arr.Release()
	*v = vec{arr: a}
	return nil
}

// materialize turns v into an array of n rows and gives it away.
func (v vec) materialize(mem memory.Allocator, n int) (arrow.Array, error) {
	if v.lazy {
		if err := v.flatten(mem); err != nil {
			v.release()
			return nil, err
		}
	}
	if !v.scalar {
		return v.arr, nil
	}
	defer v.release()
	return repeatRow(mem, v.arr, n)
}

// row is the row of v.arr that row i is about; v is not lazy.
func (v vec) row(i int) int {
	if v.scalar {
		return 0
	}
	return i
}

// source is where row i of a call lies in the array, lazy or not.
func (v vec) source(i int) int {
	switch {
	case v.scalar:
		return 0
	case v.lazy:
		return int(v.sel[i])
	}
	return i
}

// validity is where the array behind v is not NULL.
func validity(v vec) words {
	n := v.arr.Len()
	switch {
	case v.arr.DataType().ID() == arrow.NULL:
		return words{make([]byte, n/8+1), 0, n}
	case v.arr.DataType().ID() == arrow.DICTIONARY && v.arr.(*array.Dictionary).Dictionary().NullN() > 0:
		// A valid index may point to a NULL.
		d, b := v.arr.(*array.Dictionary), make([]byte, n/8+1)
		for i := range n {
			if d.IsValid(i) && d.Dictionary().IsValid(d.GetValueIndex(i)) {
				b[i>>3] |= 1 << (i & 7)
			}
		}
		return words{b, 0, n}
	case v.arr.NullN() == 0:
		return words{nil, 0, n}
	}
	if b := v.arr.NullBitmapBytes(); b != nil {
		return words{b, v.arr.Data().Offset(), n}
	}
	// Types without a bitmap of their own, such as unions and run-end encoding.
	b := make([]byte, n/8+1)
	for i := range n {
		if v.arr.IsValid(i) {
			b[i>>3] |= 1 << (i & 7)
		}
	}
	return words{b, 0, n}
}
