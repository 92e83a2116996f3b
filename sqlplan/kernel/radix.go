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

// SortRows returns the row numbers of k in key order, stably: a radix sort of the first eight bytes,
// then comparisons within what is equal there. stop is asked now and then whether to give up, in which case ok is
// false; nil never does.
func (k *Keys) SortRows(stop func() bool) (rows []int32, ok bool) {
	items := make([]Keyed, k.Len())
	for i := range items {
		items[i] = Keyed{Prefix(k.Row(i)), int32(i)}
	}
	SortKeyedUntil(items, stop)
	rows = make([]int32, len(items))
	for i, it := range items {
		rows[i] = it.Row
	}
	calls, stopped := 0, false
	compare := func(a, b int32) int {
		if calls++; calls&0xffff == 0 && !stopped && stop != nil {
			stopped = stop()
		}
		if stopped {
			return 0 // the sort then ends quickly
		}
		if c := bytes.Compare(k.Row(int(a)), k.Row(int(b))); c != 0 {
			return c
		}
		return int(a - b)
	}
	for i := 0; i < len(items) && !stopped; {
		j := i + 1
		for j < len(items) && items[j].Key == items[i].Key {
			j++
		}
		if j-i > 1 {
			slices.SortFunc(rows[i:j], compare)
		}
		i = j
	}
	return rows, !stopped && (stop == nil || !stop())
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
