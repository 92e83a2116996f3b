package expr

import "github.com/apache/arrow-go/v18/arrow"

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
	c := &call{alloc: f.mem, n: r.n, t: n.t, args: make([]vec, 0, len(n.args))}
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
			if err := v.flatten(f.mem); err != nil {
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
