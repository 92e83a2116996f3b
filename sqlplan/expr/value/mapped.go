package value

import "github.com/apache/arrow-go/v18/arrow"

// MapFixed is the kernel of a function of one fixed-width value that cannot fail. It also runs on what
// lies under NULLs.
func MapFixed[A, R any](fn func(A) R) func(*KernelCall) (arrow.Array, error) {
	return func(c *KernelCall) (arrow.Array, error) {
		x := NumsOf[A](c.Args[0])
		buf, out := NewFixed[R](c.Mem(), c.N)
		for i := range out {
			out[i] = fn(x.At(i))
		}
		return c.Finish(buf), nil
	}
}

// MapFixedErr is MapFixed for functions that can fail; it skips NULLs.
func MapFixedErr[A, R any](fn func(A) (R, error)) func(*KernelCall) (arrow.Array, error) {
	return func(c *KernelCall) (arrow.Array, error) {
		x := NumsOf[A](c.Args[0])
		buf, out := NewFixed[R](c.Mem(), c.N)
		for i := range out {
			if c.Null(i) {
				var zero R
				out[i] = zero
				continue
			}
			r, err := fn(x.At(i))
			if err != nil {
				buf.Release()
				return nil, err
			}
			out[i] = r
		}
		return c.Finish(buf), nil
	}
}

// MapFixed2Err is MapFixedErr for two arguments.
func MapFixed2Err[A, B, R any](fn func(A, B) (R, error)) func(*KernelCall) (arrow.Array, error) {
	return func(c *KernelCall) (arrow.Array, error) {
		x, y := NumsOf[A](c.Args[0]), NumsOf[B](c.Args[1])
		buf, out := NewFixed[R](c.Mem(), c.N)
		for i := range out {
			if c.Null(i) {
				var zero R
				out[i] = zero
				continue
			}
			r, err := fn(x.At(i), y.At(i))
			if err != nil {
				buf.Release()
				return nil, err
			}
			out[i] = r
		}
		return c.Finish(buf), nil
	}
}
