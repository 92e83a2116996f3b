package value

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// KernelCall is one evaluation of a kernel: its arguments, and where the result is not NULL.
type KernelCall struct {
	Alloc memory.Allocator
	Args  []Vec // scalars have one row, others n; lazy ones only if the kernel said so
	N     int
	Type  arrow.DataType // of the result

	owned []Vec          // arguments that were flattened here
	Valid *memory.Buffer // nil = no NULL
	bits  []uint64       // of valid
}

func (c *KernelCall) Mem() memory.Allocator { return c.Alloc }

// Prepare flattens lazy arguments and, for strict kernels, combines the arguments' validity.
func (c *KernelCall) Prepare(strict bool) error {
	for i := range c.Args {
		if c.Args[i].Lazy {
			v := c.Args[i]
			v.Arr.Retain()
			if err := v.Flatten(c.Alloc); err != nil {
				v.Release()
				return err
			}
			c.owned = append(c.owned, v)
			c.Args[i] = v
		}
	}
	if strict {
		c.CombineValidity()
	}
	return nil
}

// CombineValidity makes the result NULL where any argument is.
func (c *KernelCall) CombineValidity() {
	for i := range c.Args {
		v := &c.Args[i]
		if v.Arr.DataType().ID() != arrow.NULL && v.Arr.NullN() == 0 && v.Arr.DataType().ID() != arrow.DICTIONARY {
			continue
		}
		word := c.ValidOf(i)
		if c.Valid == nil {
			c.Valid, c.bits = NewBits(c.Mem(), c.N)
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

// ValidOf reads the validity of argument i by words of 64 rows.
func (c *KernelCall) ValidOf(i int) func(k int) uint64 {
	v := c.Args[i]
	w := Validity(v)
	switch {
	case v.Scalar:
		all := -(w.Word(0) & 1)
		return func(int) uint64 { return all }
	case v.Lazy:
		return func(k int) (out uint64) {
			for j, row := range v.Sel[64*k : min(64*k+64, c.N)] {
				out |= w.Word(int(row)>>6) >> (row & 63) & 1 << j
			}
			return out
		}
	}
	return w.Word
}

// Null says whether row i of the result is NULL because an argument is.
func (c *KernelCall) Null(i int) bool { return c.Valid != nil && c.bits[i>>6]>>(i&63)&1 == 0 }

// SetNull makes row i of the result NULL.
func (c *KernelCall) SetNull(i int) {
	if c.Valid == nil {
		c.Valid, c.bits = NewBits(c.Mem(), c.N)
		for k := range c.bits {
			c.bits[k] = ^uint64(0)
		}
	}
	c.bits[i>>6] &^= 1 << (i & 63)
}

// TakeValid gives the validity of the result away, nil if there is no NULL.
func (c *KernelCall) TakeValid() *memory.Buffer {
	v := c.Valid
	c.Valid, c.bits = nil, nil
	return v
}

// Finish makes the result from its value buffers, which it takes over.
func (c *KernelCall) Finish(bufs ...*memory.Buffer) arrow.Array {
	valid, nulls := c.CountedValid()
	return MakeArray(c.Type, c.N, valid, nulls, bufs...)
}

func (c *KernelCall) CountedValid() (*memory.Buffer, int) {
	valid := c.TakeValid()
	if valid == nil {
		return nil, 0
	}
	nulls := c.N - bitutil.CountSetBits(valid.Bytes(), 0, c.N)
	if nulls == 0 {
		valid.Release()
		return nil, 0
	}
	return valid, nulls
}

// Free releases what prepare made, whatever became of the call.
func (c *KernelCall) Free() {
	for _, v := range c.owned {
		v.Release()
	}
	c.owned = nil
	if c.Valid != nil {
		c.Valid.Release()
		c.Valid = nil
	}
}

// Nested makes a list or struct around children; it takes the buffers over.
func (c *KernelCall) Nested(children []arrow.ArrayData, bufs ...*memory.Buffer) arrow.Array {
	valid, nulls := c.CountedValid()
	all := append(buffers(valid), bufs...)
	d := array.NewData(c.Type, c.N, all, children, nulls, 0)
	defer d.Release()
	for _, b := range all {
		if b != nil {
			b.Release()
		}
	}
	return array.MakeFromData(d)
}

// FinishList makes a list array whose items are rows of src; off are its offsets.
func (c *KernelCall) FinishList(elem arrow.DataType, src []arrow.Array, refs []Interleaved, off []int32) (arrow.Array, error) {
	values, err := Interleave(c.Mem(), elem, src, refs)
	if err != nil {
		return nil, err
	}
	defer values.Release()
	return c.listOf(values, off), nil
}

// listOf makes a list array of type c.t around its items.
func (c *KernelCall) listOf(values arrow.Array, off []int32) arrow.Array {
	offBuf, o := NewFixed[int32](c.Mem(), c.N+1)
	copy(o, off)
	valid, nulls := c.CountedValid()
	d := array.NewData(c.Type, c.N, buffers(valid, offBuf), []arrow.ArrayData{values.Data()}, nulls, 0)
	defer d.Release()
	offBuf.Release()
	if valid != nil {
		valid.Release()
	}
	return array.MakeFromData(d)
}

// Spread is argument i with one row per row of the result.
func (c *KernelCall) Spread(i int) (arrow.Array, error) {
	v := c.Args[i]
	if !v.Scalar {
		v.Arr.Retain()
		return v.Arr, nil
	}
	return RepeatRow(c.Mem(), v.Arr, c.N)
}

// ValidRow says whether argument k of a loose kernel is not NULL in row i.
func (c *KernelCall) ValidRow(k, i int) bool {
	v := c.Args[k]
	return v.Arr.DataType().ID() != arrow.NULL && v.Arr.IsValid(v.Row(i))
}
