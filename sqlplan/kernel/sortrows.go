package kernel

import (
	"bytes"
	"encoding/binary"
	"slices"

	"lanceflight/internal/gather"
)

// SortRows returns the row numbers of k in key order, stably: a radix sort of the first eight bytes,
// then comparisons within what is equal there. stop is asked now and then whether to give up, in which case ok is
// false; nil never does.
func (k *Keys) SortRows(stop func() bool) (rows []int32, ok bool) {
	items := make([]gather.Keyed, k.Len())
	for i := range items {
		items[i] = gather.Keyed{Key: Prefix(k.Row(i)), Row: int32(i)}
	}
	gather.SortKeyedUntil(items, stop)
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
