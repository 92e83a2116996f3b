// Package bitpack unpacks integers of 8, 16, 32 or 64 bits stored with fewer bits each, in blocks
// of 1024 values in the FastLanes order.
//
//	inline:       [width: one word][1024 × width bits]          one block, the width may differ per block
//	out of line:  [1024 × width bits]…[tail]                    one width, held in the page's encoding
//
// A word has as many bits T as an unpacked value. A block holds T rows of 1024/T lanes, so a row is
// 128 bytes whatever T is, and lane l of row r is value order[r/8]·16 + (r%8)·128 + l. The packed
// block is the T rows' lanes squeezed to width bits: word w of lane l lies at row w of the packed
// bytes. Because all lanes of a row shift by the same amount, eight bytes are unpacked at a time,
// with masks repeated per lane, for every T with the same code.
//
//	T = 64, 16 lanes: row 0 holds values 0 to 15, row 1 values 128 to 143, row 8 values 64 to 79
//	width 3:          3 rows of 128 bytes; bits 0 to 2 of a lane are row 0, bits 3 to 5 row 1, …
//
// Functions write to caller's memory, keep nothing, and are safe for concurrent use.
//
// Source: "The FastLanes Compression Layout" (VLDB 2023) and lance-encoding 14.0.2, bitpacking.rs.
package bitpack

import (
	"encoding/binary"
	"math/bits"

	"lanceflight/internal/fault"
)

const (
	// BlockLen is the number of values in a block.
	BlockLen = 1024
	rowBytes = 128
)

// order is where a group of eight rows goes; it makes the same packed bytes decode with any lane
// width.
var order = [8]int{0, 4, 2, 6, 1, 5, 3, 7}

// PackedBytes returns the size of a packed block of 1024 values.
func PackedBytes(width int) int { return BlockLen * width / 8 }

// ValidWord reports whether values of wordBits bits can be packed: those of 8, 16, 32 and 64 bits.
func ValidWord(wordBits int) bool {
	return wordBits == 8 || wordBits == 16 || wordBits == 32 || wordBits == 64
}

// Unpack unpacks one block: src holds PackedBytes(width) bytes, dst 1024 little-endian values of
// wordBits bits. width is at most wordBits. It panics if the slices are too short.
func Unpack(dst, src []byte, wordBits, width int) {
	dst = dst[:BlockLen*wordBits/8]
	src = src[:PackedBytes(width)]
	switch width {
	case 0:
		clear(dst)
		return
	// Nothing was squeezed: the rows only have another order.
	case wordBits:
		for r := range wordBits {
			copy(dst[rowOffset(r, wordBits):][:rowBytes], src[r*rowBytes:])
		}
		return
	}
	all := repeat(width, wordBits)
	for r := range wordBits {
		// Row r of a lane has the bits from r·width on of the lane's packed words.
		at := r * width
		word, shift := at/wordBits, at%wordBits
		out := (*[rowBytes]byte)(dst[rowOffset(r, wordBits):])
		in := (*[rowBytes]byte)(src[word*rowBytes:])
		if have := wordBits - shift; have < width {
			// The value straddles two words: have bits in this one, the rest in the next.
			low := repeat(have, wordBits)
			next := (*[rowBytes]byte)(src[(word+1)*rowBytes:])
			unpackSplit(out, in, next, uint(shift), uint(have), low, all&^low)
			continue
		}
		unpackRow(out, in, uint(shift), all)
	}
}

// rowOffset returns where the lanes of row r begin among the unpacked values, in bytes.
func rowOffset(r, wordBits int) int {
	return (order[r/8]*16 + r%8*128) * wordBits / 8
}

// repeat returns 64 bits in which every lane of wordBits bits has its low n bits set; 0 < n < 64.
func repeat(n, wordBits int) uint64 {
	m := uint64(1)<<n - 1
	for b := wordBits; b < 64; b *= 2 {
		m |= m << b
	}
	return m
}

// unpackRow shifts every lane right; what a lane receives from its neighbour is masked away.
func unpackRow(out, in *[rowBytes]byte, shift uint, mask uint64) {
	shift &= 63
	for i := 0; i <= rowBytes-32; i += 32 {
		a := binary.LittleEndian.Uint64(in[i:])
		b := binary.LittleEndian.Uint64(in[i+8:])
		c := binary.LittleEndian.Uint64(in[i+16:])
		d := binary.LittleEndian.Uint64(in[i+24:])
		binary.LittleEndian.PutUint64(out[i:], a>>shift&mask)
		binary.LittleEndian.PutUint64(out[i+8:], b>>shift&mask)
		binary.LittleEndian.PutUint64(out[i+16:], c>>shift&mask)
		binary.LittleEndian.PutUint64(out[i+24:], d>>shift&mask)
	}
}

// unpackSplit is unpackRow for values of which the low have bits are in one packed word of each
// lane, at its end, and the others at the start of the next word.
func unpackSplit(out, in, next *[rowBytes]byte, shift, have uint, low, high uint64) {
	shift, have = shift&63, have&63
	for i := 0; i <= rowBytes-16; i += 16 {
		a := binary.LittleEndian.Uint64(in[i:])>>shift&low | binary.LittleEndian.Uint64(next[i:])<<have&high
		b := binary.LittleEndian.Uint64(in[i+8:])>>shift&low | binary.LittleEndian.Uint64(next[i+8:])<<have&high
		binary.LittleEndian.PutUint64(out[i:], a)
		binary.LittleEndian.PutUint64(out[i+8:], b)
	}
}

// Bits16 is Unpack for values of 16 bits packed to one bit each, into a bit each: bit i of dst is
// value i.
func Bits16(dst *[BlockLen / 64]uint64, src *[BlockLen / 8]byte) {
	// Lane l is 16 bits of src, and row r of it is value order[r/8]·16 + r%8·128 + l: bit l of word
	// r%8·2 + r/8. What is to be done is to turn a matrix of 64 lanes of 16 bits round, four lanes
	// at a time.
	const first = 0x0001000100010001 // the first bit of each lane
	*dst = [BlockLen / 64]uint64{}
	for four := range 16 {
		x := binary.LittleEndian.Uint64(src[8*four:])
		if x == 0 {
			continue
		}
		for r := range 16 {
			// The product moves bits 0, 16, 32 and 48 to 48, 49, 50 and 51.
			dst[r%8*2+r/8] |= (x >> r & first) * (1<<48 | 1<<33 | 1<<18 | 1<<3) >> 48 & 15 << (4 * four)
		}
	}
}

// Value returns value i of a packed block without unpacking the others.
func Value(src []byte, wordBits, width, i int) uint64 {
	if width == 0 {
		return 0
	}
	// The inverse of value = order[r/8]·16 + (r%8)·128 + lane. Groups of rows are 16 values apart,
	// which is one row of 64-bit lanes; with narrower words a row spans several groups' places.
	lanes := BlockLen / wordBits
	lane := i % 16
	group := i / 16 % 8
	sub := i / 128
	span := lanes / 16 // places of 16 values that one row covers
	lane += group % span * 16
	group -= group % span
	row := inverse[group]*8 + sub
	at := row * width
	word, shift := at/wordBits, at%wordBits
	bytes := wordBits / 8
	v := load(src[word*rowBytes+lane*bytes:], bytes) >> shift
	if have := wordBits - shift; have < width {
		v |= load(src[(word+1)*rowBytes+lane*bytes:], bytes) << have
	}
	if width < 64 {
		v &= 1<<width - 1
	}
	return v
}

var inverse = [8]int{0, 4, 2, 6, 1, 5, 3, 7} // order is its own inverse

// load reads a little-endian word of n bytes.
func load(b []byte, n int) uint64 {
	switch n {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// InlineWidth checks an inline block of n values and returns its width and its packed bytes.
func InlineWidth(src []byte, wordBits, n int) (width int, packed []byte, err error) {
	word := wordBits / 8
	if len(src) < word {
		return 0, nil, fault.Corruptf("bit-packed block of %d bytes has no header", len(src))
	}
	if n > BlockLen {
		return 0, nil, fault.Corruptf("bit-packed block is said to hold %d values, at most %d fit", n, BlockLen)
	}
	w := load(src, word)
	if w > uint64(wordBits) {
		return 0, nil, fault.Corruptf("bit width %d for values of %d bits", w, wordBits)
	}
	if packed = src[word:]; len(packed) != PackedBytes(int(w)) {
		return 0, nil, fault.Corruptf("bit-packed block has %d bytes, %d expected for width %d", len(packed), PackedBytes(int(w)), w)
	}
	return int(w), packed, nil
}

// DecodeInline unpacks the first n values of an inline block into dst, which holds n values.
// scratch is used if n is below 1024: it must have room for 1024 values.
func DecodeInline(dst, src []byte, wordBits, n int, scratch []byte) error {
	if n == 0 {
		return nil
	}
	width, packed, err := InlineWidth(src, wordBits, n)
	if err != nil {
		return err
	}
	if n == BlockLen {
		Unpack(dst, packed, wordBits, width)
		return nil
	}
	Unpack(scratch, packed, wordBits, width)
	copy(dst[:n*wordBits/8], scratch)
	return nil
}

// DecodeOutOfLine unpacks n values into dst. Whole blocks are packed; the tail is either packed
// too, padded to a block, or plain words, whichever is shorter, and told apart by the size of src.
// scratch must have room for 1024 values.
func DecodeOutOfLine(dst, src []byte, wordBits, width, n int, scratch []byte) error {
	if width > wordBits || width < 0 {
		return fault.Corruptf("bit width %d for values of %d bits", width, wordBits)
	}
	// Sizes in whole words: for widths that do not divide the word the block is rounded up.
	word := wordBits / 8
	block := (BlockLen*width + wordBits - 1) / wordBits * word
	blocks, tail := n/BlockLen, n%BlockLen
	hi, full := bits.Mul64(uint64(blocks), uint64(block))
	if hi != 0 || full > uint64(len(src)) {
		return fault.Corruptf("%d bit-packed values of %d bits need %d bytes, there are %d", n, width, full, len(src))
	}
	for i := range blocks {
		Unpack(dst[i*BlockLen*word:], src[i*block:], wordBits, width)
	}
	rest, out := src[full:], dst[blocks*BlockLen*word:]
	switch {
	case tail == 0:
		return nil
	case len(rest) == tail*word:
		copy(out, rest)
	case len(rest) >= block:
		Unpack(scratch, rest, wordBits, width)
		copy(out[:tail*word], scratch)
	default:
		return fault.Corruptf("tail of %d bit-packed values has %d bytes, neither %d nor %d", tail, len(rest), tail*word, block)
	}
	return nil
}
