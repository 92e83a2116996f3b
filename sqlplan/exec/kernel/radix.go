package kernel

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Keyed is a sort key with the number of the row it belongs to.
type Keyed struct {
	Key uint64
	Row int32
}

// SortKeyed sorts by key, stably: least significant byte first, one counting pass per byte that
// differs somewhere. scratch is used if it is long enough. The result is in items.
func SortKeyed(items, scratch []Keyed) {
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
	if len(scratch) < n {
		scratch = make([]Keyed, n)
	}
	src, dst := items, scratch[:n]
	for b := range 8 {
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

// SortRows returns the row numbers of k in key order, stably: a radix sort of the first eight bytes,
// then comparisons within what is equal there.
func (k *Keys) SortRows() []int32 {
	items := make([]Keyed, k.Len())
	for i := range items {
		items[i] = Keyed{Prefix(k.Row(i)), int32(i)}
	}
	SortKeyed(items, nil)
	rows := make([]int32, len(items))
	for i, it := range items {
		rows[i] = it.Row
	}
	for i := 0; i < len(items); {
		j := i + 1
		for j < len(items) && items[j].Key == items[i].Key {
			j++
		}
		if j-i > 1 {
			slices.SortFunc(rows[i:j], func(a, b int32) int {
				if c := bytes.Compare(k.Row(int(a)), k.Row(int(b))); c != 0 {
					return c
				}
				return int(a - b)
			})
		}
		i = j
	}
	return rows
}

// Prefix is the first eight bytes of a key as a word, zeros behind a shorter one.
func Prefix(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}
