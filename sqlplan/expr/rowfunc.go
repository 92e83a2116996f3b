package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/sqlplan/expr/value"
)

// Kernels of functions that work row by row. They run only on rows where no argument is NULL.

// RowArgs gives a function the arguments of a row.
type RowArgs struct {
	C      *value.KernelCall
	Texts  []value.Texts
	ints   []value.Nums[int64]
	floats []value.Nums[float64]
	bools  []value.Bools
}

func RowArgsOf(c *value.KernelCall) *RowArgs {
	n := len(c.Args)
	a := &RowArgs{
		C:      c,
		Texts:  make([]value.Texts, n),
		ints:   make([]value.Nums[int64], n),
		floats: make([]value.Nums[float64], n),
		bools:  make([]value.Bools, n),
	}
	for i, v := range c.Args {
		switch t := v.Arr.DataType(); value.KindOf(t) {
		case value.KindText, value.KindBinary, value.KindUUID:
			a.Texts[i] = value.TextsOf(v)
		case value.KindBool:
			a.bools[i] = value.BoolsOf(v)
		case value.KindInt:
			if t.ID() == arrow.INT64 {
				a.ints[i] = value.NumsOf[int64](v)
			}
		case value.KindFloat:
			if t.ID() == arrow.FLOAT64 {
				a.floats[i] = value.NumsOf[float64](v)
			}
		}
	}
	return a
}

// Has says whether the call has an argument k.
func (a *RowArgs) Has(k int) bool { return k < len(a.C.Args) }

func (a *RowArgs) Bytes(k, i int) []byte  { return a.Texts[k].At(i) }
func (a *RowArgs) Str(k, i int) string    { return a.Texts[k].Str(i) }
func (a *RowArgs) Int(k, i int) int64     { return a.ints[k].At(i) }
func (a *RowArgs) Float(k, i int) float64 { return a.floats[k].At(i) }

// TextOut is a function whose result is a string or binary, written to w; false makes it NULL.
func TextOut(
	fn func(a *RowArgs, i int, w *value.TextWriter) (bool, error),
) func(*Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	return PlainKernel(func(c *value.KernelCall) (arrow.Array, error) {
		a := RowArgsOf(c)
		w := value.NewTextWriter(c.Mem(), c.Type, c.N, 16*c.N)
		for i := range c.N {
			if !c.Null(i) {
				start := w.Used
				ok, err := fn(a, i, w)
				if err != nil {
					w.Free()
					return nil, err
				}
				if !ok {
					w.Used = start
					c.SetNull(i)
				}
			}
			if err := w.End(); err != nil {
				w.Free()
				return nil, err
			}
		}
		return w.Finish(c.CountedValid()), nil
	})
}

// FixedOut is a function whose result has the fixed width of R; false makes it NULL.
func FixedOut[R any](fn func(a *RowArgs, i int) (R, bool, error)) func(*Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	return PlainKernel(func(c *value.KernelCall) (arrow.Array, error) {
		a := RowArgsOf(c)
		buf, out := value.NewFixed[R](c.Mem(), c.N)
		clear(out)
		for i := range out {
			if c.Null(i) {
				continue
			}
			r, ok, err := fn(a, i)
			if err != nil {
				buf.Release()
				return nil, err
			}
			if !ok {
				c.SetNull(i)
				continue
			}
			out[i] = r
		}
		return c.Finish(buf), nil
	})
}

// BoolOut is a function whose result is BOOLEAN.
func BoolOut(fn func(a *RowArgs, i int) (bool, error)) func(*Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	return PlainKernel(func(c *value.KernelCall) (arrow.Array, error) {
		a := RowArgsOf(c)
		buf, vals := value.NewBits(c.Mem(), c.N)
		clear(vals)
		for i := range c.N {
			if c.Null(i) {
				continue
			}
			r, err := fn(a, i)
			if err != nil {
				buf.Release()
				return nil, err
			}
			vals[i>>6] |= value.Bit(r) << (i & 63)
		}
		return value.MakeBools(c.N, buf, c.TakeValid()), nil
	})
}

// Items is where the items of row i of a list or map lie among all items.
func (a *RowArgs) Items(k, i int) (start, end int) {
	v := a.C.Args[k]
	s, e := v.Arr.(array.ListLike).ValueOffsets(v.Row(i))
	return int(s), int(e)
}
