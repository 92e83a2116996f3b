package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// concatKernel is x || y for strings, binaries and lists of one type.
func concatKernel(e *Arith) (func(*call) (arrow.Array, error), error) {
	if kindOf(e.T) == kList {
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

// finishList makes a list array whose items are rows of src; off are its offsets.
func (c *call) finishList(elem arrow.DataType, src []arrow.Array, refs []interleaved, off []int32) (arrow.Array, error) {
	values, err := interleave(c.mem(), elem, src, refs)
	if err != nil {
		return nil, err
	}
	defer values.Release()
	return c.listOf(values, off), nil
}

// listOf makes a list array of type c.t around its items.
func (c *call) listOf(values arrow.Array, off []int32) arrow.Array {
	offBuf, o := newFixed[int32](c.mem(), c.n+1)
	copy(o, off)
	valid, nulls := c.countedValid()
	d := array.NewData(c.t, c.n, buffers(valid, offBuf), []arrow.ArrayData{values.Data()}, nulls, 0)
	defer d.Release()
	offBuf.Release()
	if valid != nil {
		valid.Release()
	}
	return array.MakeFromData(d)
}
