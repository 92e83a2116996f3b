package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr/value"
)

// kernelNode computes a function of all its arguments, one batch at a time.
type kernelNode struct {
	args []node
	t    arrow.DataType
	// loose kernels look after NULLs themselves; the others get no rows but the result is NULL
	// wherever an argument is.
	loose bool
	// lazy kernels read only strings through texts, which gathers on the fly.
	lazy bool
	run  func(c *value.KernelCall) (arrow.Array, error)
}

func (n *kernelNode) typ() arrow.DataType { return n.t }

func (n *kernelNode) eval(f *frame, r rows) (value.Vec, error) {
	if err := f.ctx.Err(); err != nil {
		return value.Vec{}, err
	}
	c := &value.KernelCall{Alloc: f.mem, N: r.n, Type: n.t, Args: make([]value.Vec, 0, len(n.args))}
	defer func() {
		c.Free()
		for _, v := range c.Args {
			v.Release()
		}
	}()
	scalar := true
	for _, a := range n.args {
		v, err := run(a, f, r)
		if err != nil {
			return value.Vec{}, err
		}
		if v.Lazy && !n.lazy {
			if err := v.Flatten(f.mem); err != nil {
				v.Release()
				return value.Vec{}, err
			}
		}
		c.Args = append(c.Args, v)
		scalar = scalar && v.Scalar
		if !n.loose && v.NullScalar() {
			a, err := value.NullArray(f.mem, n.t, 1)
			return value.Vec{Arr: a, Scalar: true}, err
		}
	}
	if scalar {
		c.N = 1
	}
	if !n.loose {
		c.CombineValidity()
	}
	a, err := n.run(c)
	if err != nil {
		return value.Vec{}, err
	}
	return value.Vec{Arr: a, Scalar: scalar}, nil
}
