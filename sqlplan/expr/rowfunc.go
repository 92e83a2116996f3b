package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Kernels of functions that work row by row. They run only on rows where no argument is NULL.

// rowArgs gives a function the arguments of a row.
type rowArgs struct {
	c      *call
	texts  []texts
	ints   []nums[int64]
	floats []nums[float64]
	bools  []bools
}

func rowArgsOf(c *call) *rowArgs {
	n := len(c.args)
	a := &rowArgs{c: c, texts: make([]texts, n), ints: make([]nums[int64], n), floats: make([]nums[float64], n), bools: make([]bools, n)}
	for i, v := range c.args {
		switch t := v.arr.DataType(); kindOf(t) {
		case kText, kBinary:
			a.texts[i] = textsOf(v)
		case kBool:
			a.bools[i] = boolsOf(v)
		case kInt:
			if t.ID() == arrow.INT64 {
				a.ints[i] = numsOf[int64](v)
			}
		case kFloat:
			if t.ID() == arrow.FLOAT64 {
				a.floats[i] = numsOf[float64](v)
			}
		}
	}
	return a
}

// has says whether the call has an argument k.
func (a *rowArgs) has(k int) bool { return k < len(a.c.args) }

func (a *rowArgs) bytes(k, i int) []byte  { return a.texts[k].at(i) }
func (a *rowArgs) str(k, i int) string    { return a.texts[k].str(i) }
func (a *rowArgs) int(k, i int) int64     { return a.ints[k].at(i) }
func (a *rowArgs) float(k, i int) float64 { return a.floats[k].at(i) }

// textOut is a function whose result is a string or binary, written to w; false makes it NULL.
func textOut(fn func(a *rowArgs, i int, w *textWriter) (bool, error)) func(*Call) (func(*call) (arrow.Array, error), error) {
	return plainKernel(func(c *call) (arrow.Array, error) {
		a := rowArgsOf(c)
		w := newTextWriter(c.mem(), c.t, c.n, 16*c.n)
		for i := range c.n {
			if !c.null(i) {
				start := w.used
				ok, err := fn(a, i, w)
				if err != nil {
					w.free()
					return nil, err
				}
				if !ok {
					w.used = start
					c.setNull(i)
				}
			}
			if err := w.end(); err != nil {
				w.free()
				return nil, err
			}
		}
		return w.finish(c.countedValid()), nil
	})
}

// fixedOut is a function whose result has the fixed width of R; false makes it NULL.
func fixedOut[R any](fn func(a *rowArgs, i int) (R, bool, error)) func(*Call) (func(*call) (arrow.Array, error), error) {
	return plainKernel(func(c *call) (arrow.Array, error) {
		a := rowArgsOf(c)
		buf, out := newFixed[R](c.mem(), c.n)
		clear(out)
		for i := range out {
			if c.null(i) {
				continue
			}
			r, ok, err := fn(a, i)
			if err != nil {
				buf.Release()
				return nil, err
			}
			if !ok {
				c.setNull(i)
				continue
			}
			out[i] = r
		}
		return c.finish(buf), nil
	})
}

// boolOut is a function whose result is BOOLEAN.
func boolOut(fn func(a *rowArgs, i int) (bool, error)) func(*Call) (func(*call) (arrow.Array, error), error) {
	return plainKernel(func(c *call) (arrow.Array, error) {
		a := rowArgsOf(c)
		buf, vals := newBits(c.mem(), c.n)
		clear(vals)
		for i := range c.n {
			if c.null(i) {
				continue
			}
			r, err := fn(a, i)
			if err != nil {
				buf.Release()
				return nil, err
			}
			vals[i>>6] |= b2u(r) << (i & 63)
		}
		return makeBools(c.n, buf, c.takeValid()), nil
	})
}

// items is where the items of row i of a list or map lie among all items.
func (a *rowArgs) items(k, i int) (start, end int) {
	v := a.c.args[k]
	s, e := v.arr.(array.ListLike).ValueOffsets(v.row(i))
	return int(s), int(e)
}
