package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// call is one evaluation of a kernel: its arguments, and where the result is not NULL.
type call struct {
	f    *frame
	args []vec // scalars have one row, others n; lazy ones only if the kernel said so
	n    int
	t    arrow.DataType // of the result

	owned []vec          // arguments that were flattened here
	valid *memory.Buffer // nil = no NULL
	bits  []uint64       // of valid
}

func (c *call) mem() memory.Allocator { return c.f.mem }

// prepare flattens lazy arguments and, for strict kernels, combines the arguments' validity.
func (c *call) prepare(strict bool) error {
	for i := range c.args {
		if c.args[i].lazy {
			v := c.args[i]
			v.arr.Retain()
			if err := v.flatten(c.f); err != nil {
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

// kernelNode computes a function of all its arguments, one batch at a time.
type kernelNode struct {
	args []node
	t    arrow.DataType
	// loose kernels look after NULLs themselves; the others get no rows but the result is NULL
	// wherever an argument is.
	loose bool
	// lazy kernels read only strings through texts, which gathers on the fly.
	lazy bool
	run  func(c *call) (arrow.Array, error)
}

func (n *kernelNode) typ() arrow.DataType { return n.t }

func (n *kernelNode) eval(f *frame, r rows) (vec, error) {
	if err := f.ctx.Err(); err != nil {
		return vec{}, err
	}
	c := &call{f: f, n: r.n, t: n.t, args: make([]vec, 0, len(n.args))}
	defer func() {
		c.free()
		for _, v := range c.args {
			v.release()
		}
	}()
	scalar := true
	for _, a := range n.args {
		v, err := run(a, f, r)
		if err != nil {
			return vec{}, err
		}
		if v.lazy && !n.lazy {
			if err := v.flatten(f); err != nil {
				v.release()
				return vec{}, err
			}
		}
		c.args = append(c.args, v)
		scalar = scalar && v.scalar
		if !n.loose && v.nullScalar() {
			a, err := nullArray(f.mem, n.t, 1)
			return vec{arr: a, scalar: true}, err
		}
	}
	if scalar {
		c.n = 1
	}
	if !n.loose {
		c.combineValidity()
	}
	a, err := n.run(c)
	if err != nil {
		return vec{}, err
	}
	return vec{arr: a, scalar: scalar}, nil
}
