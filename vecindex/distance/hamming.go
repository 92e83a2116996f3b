package distance

import (
	"encoding/binary"
	"math/bits"
)

// HammingBytes counts the bits in which a and b differ. Both have the same length.
func HammingBytes(a, b []byte) int { return hamming(a, b) }

// hamming counts the bits in which a and b differ, eight bytes at a time. Both have the same length.
func hamming(a, b []byte) int {
	n := 0
	for len(a) >= 8 && len(b) >= 8 {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(a) ^ binary.LittleEndian.Uint64(b))
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		n += bits.OnesCount8(x ^ b[i])
	}
	return n
}
