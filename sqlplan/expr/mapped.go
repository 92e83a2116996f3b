package expr

import "github.com/apache/arrow-go/v18/arrow"

// mapFixed is the kernel of a function of one fixed-width value that cannot fail. It also runs on what
// lies under NULLs.
func mapFixed[A, R any](fn func(A) R) func(*call) (arrow.Array, error) {
	return func(c *call) (arrow.Array, error) {
		x := numsOf[A](c.args[0])
		buf, out := newFixed[R](c.mem(), c.n)
		for i := range out {
			out[i] = fn(x.at(i))
		}
		return c.finish(buf), nil
	}
}

// mapFixedErr is mapFixed for functions that can fail; it skips NULLs.
func mapFixedErr[A, R any](fn func(A) (R, error)) func(*call) (arrow.Array, error) {
	return func(c *call) (arrow.Array, error) {
		x := numsOf[A](c.args[0])
		buf, out := newFixed[R](c.mem(), c.n)
		for i := range out {
			if c.null(i) {
				var zero R
				out[i] = zero
				continue
			}
			r, err := fn(x.at(i))
			if err != nil {
				buf.Release()
				return nil, err
			}
			out[i] = r
		}
		return c.finish(buf), nil
	}
}

// mapFixed2Err is mapFixedErr for two arguments.
func mapFixed2Err[A, B, R any](fn func(A, B) (R, error)) func(*call) (arrow.Array, error) {
	return func(c *call) (arrow.Array, error) {
		x, y := numsOf[A](c.args[0]), numsOf[B](c.args[1])
		buf, out := newFixed[R](c.mem(), c.n)
		for i := range out {
			if c.null(i) {
				var zero R
				out[i] = zero
				continue
			}
			r, err := fn(x.at(i), y.at(i))
			if err != nil {
				buf.Release()
				return nil, err
			}
			out[i] = r
		}
		return c.finish(buf), nil
	}
}
