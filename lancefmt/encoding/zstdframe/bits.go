package zstdframe

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// load64 reads the eight bytes at offset off. They must be there: the callers' comments say why they are.
func load64(p unsafe.Pointer, off int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(p, off))[:])
}

// top returns the bits of a backward stream below bit position pos, the next one highest: at least 57 of
// them. p is the start of the frame, where positions count from. pos must be 57 or more.
func top(p unsafe.Pointer, pos int) uint64 {
	return load64(p, (pos+7)>>3-8) << (-uint(pos) & 7)
}

// take returns the n highest bits of v, n below 64.
func take(v uint64, n uint) uint64 { return v >> 1 >> (^n & 63) }

// streamEnd returns the position of a backward stream's first bit, in bits from the start of the frame: below
// the mark that the last byte has. end is the offset behind that byte. No mark is not ok.
func streamEnd(src []byte, start, end int) (pos int, ok bool) {
	if end <= start || src[end-1] == 0 {
		return 0, false
	}
	return 8*(end-1) + bits.Len8(src[end-1]) - 1, true
}

// forward reads a stream from the lowest bit of its first byte on. Bits behind the end are zero.
type forward struct {
	b   []byte
	pos int // bits read
}

// peek returns the next bits, at least 25 of them.
func (f *forward) peek() uint32 {
	at := f.pos >> 3
	if at+8 <= len(f.b) {
		return uint32(binary.LittleEndian.Uint64(f.b[at:]) >> (f.pos & 7))
	}
	var v uint64
	for i := 0; i < 8 && at+i < len(f.b); i++ {
		v |= uint64(f.b[at+i]) << (8 * i)
	}
	return uint32(v >> (f.pos & 7))
}
