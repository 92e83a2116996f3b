// Package rle expands runs: an array of values and an array of run lengths of the same number.
//
//	values:  7 7 7 9 9  <──  values 7 9, lengths 3 2
//
// Both arrays are plain little-endian words here; where the page compresses them further, the
// caller has undone that. Functions write to caller's memory, keep nothing, and are safe for
// concurrent use.
//
// Source: lance-encoding 14.0.2, rle.rs.
package rle

import (
	"encoding/binary"

	"lanceflight/internal/fault"
)

// Runs are the two arrays of one chunk or block, checked against each other: as many values as
// lengths. The slices are the caller's.
type Runs struct {
	values, lengths    []byte
	valueLen, widthLen int // bytes of a value, bytes of a length
	n                  int // number of runs
}

// New checks that both arrays have whole words and as many runs. Values have 1, 2, 4 or 8 bytes,
// lengths 1, 2 or 4.
func New(values, lengths []byte, valueBytes, lengthBytes int) (Runs, error) {
	switch valueBytes {
	case 1, 2, 4, 8:
	default:
		return Runs{}, fault.New(fault.Unsupported, "run-length encoded values of %d bytes", valueBytes)
	}
	switch lengthBytes {
	case 1, 2, 4:
	default:
		return Runs{}, fault.New(fault.Unsupported, "run lengths of %d bytes", lengthBytes)
	}
	if len(values)%valueBytes != 0 || len(lengths)%lengthBytes != 0 || len(values)/valueBytes != len(lengths)/lengthBytes {
		return Runs{}, fault.Corruptf("%d bytes of run values (%d each) but %d bytes of run lengths (%d each)",
			len(values), valueBytes, len(lengths), lengthBytes)
	}
	return Runs{values, lengths, valueBytes, lengthBytes, len(values) / valueBytes}, nil
}

// SplitFrame splits the block form, where both arrays share a buffer: u64 size of the values,
// values, lengths.
func SplitFrame(b []byte) (values, lengths []byte, err error) {
	if len(b) < 8 {
		return nil, nil, fault.Corruptf("run-length frame of %d bytes has no header", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	b = b[8:]
	if n > uint64(len(b)) {
		return nil, nil, fault.Corruptf("run-length frame claims %d bytes of values, %d are left", n, len(b))
	}
	return b[:n], b[n:], nil
}

// Len returns the number of runs.
func (r Runs) Len() int { return r.n }

func (r Runs) length(i int) int {
	switch r.widthLen {
	case 1:
		return int(r.lengths[i])
	case 2:
		return int(binary.LittleEndian.Uint16(r.lengths[2*i:]))
	}
	return int(binary.LittleEndian.Uint32(r.lengths[4*i:]))
}

// Count returns the number of values that the runs expand to. It takes no memory for them, so that
// a caller can compare the number with what it expects first. A run of length zero is corrupt.
func (r Runs) Count() (n int64, err error) {
	for i := range r.n {
		l := r.length(i)
		if l == 0 {
			return 0, fault.Corruptf("run %d has length 0", i)
		}
		n += int64(l)
	}
	return n, nil
}

// Expand writes the first n values to dst, which holds n values. Fewer values than n are corrupt.
// The runs may go on behind n only if clamp is set: old writers cut chunks at a power of two in the
// middle of a run and stored the whole run in both (lance-encoding 14.0.2 clamps mini-blocks, not
// blocks).
func (r Runs) Expand(dst []byte, n int, clamp bool) error {
	w := r.valueLen
	dst = dst[:n*w]
	at := 0
	for i := 0; i < r.n && at < n; i++ {
		l := r.length(i)
		if l == 0 {
			return fault.Corruptf("run %d has length 0", i)
		}
		if l > n-at {
			if !clamp {
				return fault.Corruptf("runs expand to more than %d values", n)
			}
			l = n - at
		}
		fill(dst[at*w:(at+l)*w], r.values[i*w:(i+1)*w])
		at += l
		if at == n && i+1 < r.n && !clamp {
			return fault.Corruptf("runs expand to more than %d values", n)
		}
	}
	if at != n {
		return fault.Corruptf("runs expand to %d values instead of %d", at, n)
	}
	return nil
}

// Zeros sets dst, which holds n bits, to 1 for each value that is 0, and to 0 for each other. Other
// numbers of values than n are corrupt.
func (r Runs) Zeros(dst []uint64, n int) error {
	dst = dst[:(n+63)/64]
	clear(dst)
	at := 0
	for i := range r.n {
		l := r.length(i)
		switch {
		case l == 0:
			return fault.Corruptf("run %d has length 0", i)
		case l > n-at:
			return fault.Corruptf("runs expand to more than %d values", n)
		case isZero(r.values[i*r.valueLen : (i+1)*r.valueLen]):
			setBits(dst, at, at+l)
		}
		at += l
	}
	if at != n {
		return fault.Corruptf("runs expand to %d values instead of %d", at, n)
	}
	return nil
}

func isZero(value []byte) bool {
	var any byte
	for _, b := range value {
		any |= b
	}
	return any == 0
}

// setBits sets the bits from <= i < to, which are some.
func setBits(dst []uint64, from, to int) {
	first, last := from>>6, (to-1)>>6
	// head has the bits of the first word from from on, tail those of the last word up to to-1.
	head, tail := ^uint64(0)<<(from&63), ^uint64(0)>>(63-(to-1)&63)
	if first == last {
		dst[first] |= head & tail
		return
	}
	dst[first] |= head
	for i := first + 1; i < last; i++ {
		dst[i] = ^uint64(0)
	}
	dst[last] |= tail
}

// fill repeats value over dst. Short runs of words are stored one by one; longer ones are doubled
// until dst is full, which copies large pieces.
func fill(dst, value []byte) {
	switch {
	case len(value) == 8 && len(dst) <= 64:
		v := binary.LittleEndian.Uint64(value)
		for ; len(dst) >= 8; dst = dst[8:] {
			binary.LittleEndian.PutUint64(dst, v)
		}
		return
	case len(value) == 4 && len(dst) <= 32:
		v := binary.LittleEndian.Uint32(value)
		for ; len(dst) >= 4; dst = dst[4:] {
			binary.LittleEndian.PutUint32(dst, v)
		}
		return
	}
	for n := copy(dst, value); n < len(dst); n *= 2 {
		copy(dst[n:], dst[:n])
	}
}
