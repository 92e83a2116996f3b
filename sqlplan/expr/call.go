package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// call is one evaluation of a kernel: its arguments, and where the result is not NULL.
type call struct {
	alloc memory.Allocator
	args  []vec // scalars have one row, others n; lazy ones only if the kernel said so
	n     int
	t     arrow.DataType // of the result

	owned []vec          // arguments that were flattened here
	valid *memory.Buffer // nil = no NULL
	bits  []uint64       // of valid
}

func (c *call) mem() memory.Allocator { return c.alloc }

// prepare flattens lazy arguments and, for strict kernels, combines the arguments' validity.
func (c *call) prepare(strict bool) error {
	for i := range c.args {
		if c.args[i].lazy {
			v := c.args[i]
			v.arr.Retain()
			if err := v.flatten(c.alloc); err != nil {
				v.release()
				return err
			}
			c.owned = append(c.owned, v)
			c.args[i] = v
		}
	}
	if strict {
		c.combineValidity()
	}
	return nil
}

// combineValidity makes the result NULL where any argument is.
func (c *call) combineValidity() {
	for i := range c.args {
		v := &c.args[i]
		if v.arr.DataType().ID() != arrow.NULL && v.arr.NullN() == 0 && v.arr.DataType().ID() != arrow.DICTIONARY {
			continue
		}
		word := c.validOf(i)
		if c.valid == nil {
			c.valid, c.bits = newBits(c.mem(), c.n)
			for k := range c.bits {
				c.bits[k] = word(k)
			}
			continue
		}
		for k := range c.bits {
			c.bits[k] &= word(k)
		}
	}
}

// validOf reads the validity of argument i by words of 64 rows.
func (c *call) validOf(i int) func(k int) uint64 {
	v := c.args[i]
	w := validity(v)
	switch {
	case v.scalar:
		all := -(w.word(0) & 1)
		return func(int) uint64 { return all }
	case v.lazy:
		return func(k int) (out uint64) {
			for j, row := range v.sel[64*k : min(64*k+64, c.n)] {
				out |= w.word(int(row)>>6) >> (row & 63) & 1 << j
			}
			return out
		}
	}
	return w.word
}

// null says whether row i of the result is NULL because an argument is.
func (c *call) null(i int) bool { return c.valid != nil && c.bits[i>>6]>>(i&63)&1 == 0 }

// setNull makes row i of the result NULL.
func (c *call) setNull(i int) {
	if c.valid == nil {
		c.valid, c.bits = newBits(c.mem(), c.n)
		for k := range c.bits {
			c.bits[k] = ^uint64(0)
		}
	}
	c.bits[i>>6] &^= 1 << (i & 63)
}

// takeValid gives the validity of the result away, nil if there is no NULL.
func (c *call) takeValid() *memory.Buffer {
	v := c.valid
	c.valid, c.bits = nil, nil
	return v
}

// finish makes the result from its value buffers, which it takes over.
func (c *call) finish(bufs ...*memory.Buffer) arrow.Array {
	valid, nulls := c.countedValid()
	return makeArray(c.t, c.n, valid, nulls, bufs...)
}

func (c *call) countedValid() (*memory.Buffer, int) {
	valid := c.takeValid()
	if valid == nil {
		return nil, 0
	}
	nulls := c.n - bitutil.CountSetBits(valid.Bytes(), 0, c.n)
	if nulls == 0 {
		valid.Release()
		return nil, 0
	}
	return valid, nulls
}

// free releases what prepare made, whatever became of the call.
func (c *call) free() {
	for _, v := range c.owned {
		v.release()
	}
	c.owned = nil
	if c.valid != nil {
		c.valid.Release()
		c.valid = nil
	}
}

// nested makes a list or struct around children; it takes the buffers over.
func (c *call) nested(children []arrow.ArrayData, bufs ...*memory.Buffer) arrow.Array {
	valid, nulls := c.countedValid()
	all := append(buffers(valid), bufs...)
	d := array.NewData(c.t, c.n, all, children, nulls, 0)
	defer d.Release()
	for _, b := range all {
		if b != nil {
			b.Release()
		}
	}
	return array.MakeFromData(d)
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

// spread is argument i with one row per row of the result.
func (c *call) spread(i int) (arrow.Array, error) {
	v := c.args[i]
	if !v.scalar {
		v.arr.Retain()
		return v.arr, nil
	}
	return repeatRow(c.mem(), v.arr, c.n)
}

// validRow says whether argument k of a loose kernel is not NULL in row i.
func (c *call) validRow(k, i int) bool {
	v := c.args[k]
	return v.arr.DataType().ID() != arrow.NULL && v.arr.IsValid(v.row(i))
}
