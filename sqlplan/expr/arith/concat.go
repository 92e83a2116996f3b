package arith

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/sqlplan/expr/value"
)

// concatKernel is x || y for strings, binaries and lists of one type.
func concatKernel(t arrow.DataType) (func(*value.KernelCall) (arrow.Array, error), error) {
	if value.KindOf(t) == value.KindList {
		return concatLists, nil
	}
	return func(c *value.KernelCall) (arrow.Array, error) {
		x, y := value.TextsOf(c.Args[0]), value.TextsOf(c.Args[1])
		w := value.NewTextWriter(c.Mem(), c.Type, c.N, 32*c.N)
		for i := range c.N {
			if !c.Null(i) {
				w.Write(x.At(i))
				w.Write(y.At(i))
			}
			if err := w.End(); err != nil {
				w.Free()
				return nil, err
			}
		}
		return w.Finish(c.CountedValid()), nil
	}, nil
}

// concatLists joins two lists. A NULL list counts as an empty one; two of them make NULL.
func concatLists(c *value.KernelCall) (arrow.Array, error) {
	elem := value.ElemOf(c.Type)
	var refs []value.Interleaved
	off := make([]int32, c.N+1)
	src := make([]arrow.Array, 2)
	for k := range src {
		src[k] = c.Args[k].Arr.(array.ListLike).ListValues()
	}
	for i := range c.N {
		if !c.ValidRow(0, i) && !c.ValidRow(1, i) {
			c.SetNull(i)
		} else {
			for k := range src {
				if !c.ValidRow(k, i) {
					continue
				}
				l := c.Args[k].Arr.(array.ListLike)
				start, end := l.ValueOffsets(c.Args[k].Row(i))
				for j := start; j < end; j++ {
					refs = append(refs, value.Interleaved{Batch: int32(k), Row: int32(j)})
				}
			}
		}
		off[i+1] = int32(len(refs))
	}
	return c.FinishList(elem, src, refs, off)
}
