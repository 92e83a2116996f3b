package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// concatKernel is x || y for strings, binaries and lists of one type.
func concatKernel(t arrow.DataType) (func(*call) (arrow.Array, error), error) {
	if kindOf(t) == kList {
		return concatLists, nil
	}
	return func(c *call) (arrow.Array, error) {
		x, y := textsOf(c.args[0]), textsOf(c.args[1])
		w := newTextWriter(c.mem(), c.t, c.n, 32*c.n)
		for i := range c.n {
			if !c.null(i) {
				w.write(x.at(i))
				w.write(y.at(i))
			}
			if err := w.end(); err != nil {
				w.free()
				return nil, err
			}
		}
		return w.finish(c.countedValid()), nil
	}, nil
}

// concatLists joins two lists. A NULL list counts as an empty one; two of them make NULL.
func concatLists(c *call) (arrow.Array, error) {
	elem := elemOf(c.t)
	var refs []interleaved
	off := make([]int32, c.n+1)
	src := make([]arrow.Array, 2)
	for k := range src {
		src[k] = c.args[k].arr.(array.ListLike).ListValues()
	}
	for i := range c.n {
		if !c.validRow(0, i) && !c.validRow(1, i) {
			c.setNull(i)
		} else {
			for k := range src {
				if !c.validRow(k, i) {
					continue
				}
				l := c.args[k].arr.(array.ListLike)
				start, end := l.ValueOffsets(c.args[k].row(i))
				for j := start; j < end; j++ {
					refs = append(refs, interleaved{Batch: int32(k), Row: int32(j)})
				}
			}
		}
		off[i+1] = int32(len(refs))
	}
	return c.finishList(elem, src, refs, off)
}
