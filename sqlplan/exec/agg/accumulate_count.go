package agg

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/sqlplan/exec/op"
)

// countAcc is count(*), count(x), count_if(b).
type countAcc struct {
	env      *op.Env
	onlyTrue bool
	n        []int64
}

func (c *countAcc) Resize(n int) { c.n = grow(c.n, n) }

func (c *countAcc) Add(in op.GroupInput) error {
	if c.onlyTrue {
		b := in.Args[0].(*array.Boolean)
		in.Counted(func(r int, g int32) {
			if b.Value(r) {
				c.n[g]++
			}
		})
		return nil
	}
	nulls := false
	for _, a := range in.Args {
		nulls = nulls || a.NullN() > 0
	}
	switch {
	case nulls:
		in.Counted(func(_ int, g int32) { c.n[g]++ })
	case in.Groups == nil:
		c.n[0] += int64(in.Rows)
	default:
		for _, g := range in.Groups {
			if g >= 0 {
				c.n[g]++
			}
		}
	}
	return nil
}

func (c *countAcc) Merge(o accumulator, to []int32) error {
	for g, n := range o.(*countAcc).n {
		c.n[to[g]] += n
	}
	return nil
}

func (c *countAcc) Result(groups []int32) (arrow.Array, error) {
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
