package exec

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// countAcc is count(*), count(x), count_if(b).
type countAcc struct {
	env      *Env
	onlyTrue bool
	n        []int64
}

func (c *countAcc) resize(n int) { c.n = grow(c.n, n) }

func (c *countAcc) add(in aggInput) error {
	if c.onlyTrue {
		b := in.args[0].(*array.Boolean)
		in.counted(func(r int, g int32) {
			if b.Value(r) {
				c.n[g]++
			}
		})
		return nil
	}
	nulls := false
	for _, a := range in.args {
		nulls = nulls || a.NullN() > 0
	}
	switch {
	case nulls:
		in.counted(func(_ int, g int32) { c.n[g]++ })
	case in.groups == nil:
		c.n[0] += int64(in.rows)
	default:
		for _, g := range in.groups {
			if g >= 0 {
				c.n[g]++
			}
		}
	}
	return nil
}

func (c *countAcc) merge(o accumulator, to []int32) error {
	for g, n := range o.(*countAcc).n {
		c.n[to[g]] += n
	}
	return nil
}

func (c *countAcc) result(groups []int32) (arrow.Array, error) {
	b := array.NewInt64Builder(c.env.Mem)
	defer b.Release()
	b.Reserve(len(groups))
	for _, g := range groups {
		b.UnsafeAppend(c.n[g])
	}
	return b.NewArray(), nil
}

func (c *countAcc) bytes() int64 { return 8 * int64(cap(c.n)) }
func (c *countAcc) release()     { c.n = nil }

// grow lengthens s to n elements, at least doubling its room.
func grow[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s[:max(n, len(s))]
	}
	out := make([]T, n, max(n, 2*cap(s)))
	copy(out, s)
	return out
}
