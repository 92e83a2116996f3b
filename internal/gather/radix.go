package gather

import (
	"slices"
)

// Keyed is a sort key with the number of the row it belongs to.
type Keyed struct {
	Key uint64
	Row int32
}

// SortKeyed sorts by key, stably: least significant byte first, one counting pass per byte that
// differs somewhere. The result is in items.
func SortKeyed(items []Keyed) { SortKeyedUntil(items, nil) }

// SortKeyedUntil is SortKeyed with a function that is asked now and then whether to give up, leaving
// items in any order; nil never does.
func SortKeyedUntil(items []Keyed, stop func() bool) {
	n := len(items)
	if n < 64 {
		slices.SortStableFunc(items, func(a, b Keyed) int {
			switch {
			case a.Key < b.Key:
				return -1
			case a.Key > b.Key:
				return 1
			}
			return 0
		})
		return
	}
	var counts [8][256]int32
	for _, it := range items {
		for b := range 8 {
			counts[b][byte(it.Key>>(8*b))]++
		}
	}
	src, dst := items, make([]Keyed, n)
	for b := range 8 {
		if stop != nil && stop() {
			return
		}
		c := &counts[b]
		if c[byte(src[0].Key>>(8*b))] == int32(n) {
			continue // all the same
		}
		var sum int32
		for i, k := range c {
			c[i], sum = sum, sum+k
		}
		for _, it := range src {
			d := byte(it.Key >> (8 * b))
			dst[c[d]] = it
			c[d]++
		}
		src, dst = dst, src
	}
	if &src[0] != &items[0] {
		copy(items, src)
	}
}
