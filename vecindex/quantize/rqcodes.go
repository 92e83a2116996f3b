package quantize

import (
	"encoding/binary"

	"lanceflight/internal/fault"
)

// signRows is the number of rows in a block of signs.
const signRows = 32

// packSigns brings signs of rows, width bytes each, into blocks of 32 rows, so that one shuffle looks up as many rows; dst holds
// whole blocks, and rows behind them are left out:
//
//	of every block, for byte i of a code, 32 bytes
//	  byte j < 16   low half of byte i:  row j in the low nibble, row 16 + j in the high one
//	  byte 16 + j   high half of byte i: the same rows
func packSigns(dst, rows []byte, width int) {
	for len(dst) >= signRows*width && width > 0 {
		for i := range width {
			out := dst[i*signRows:][:signRows]
			for j := range 16 {
				a, b := rows[j*width+i], rows[(16+j)*width+i]
				out[j] = a&15 | b<<4
				out[16+j] = a>>4 | b&0xf0
			}
		}
		dst, rows = dst[signRows*width:], rows[signRows*width:]
	}
}

// packedByte returns byte i of the code of a row in a block.
func packedByte(block []byte, row, i int) byte {
	lo, hi := block[i*signRows+row%16], block[i*signRows+16+row%16]
	if row < 16 {
		return lo&15 | hi<<4
	}
	return lo>>4 | hi&0xf0
}

// lancePermutation are the rows of a block in the order of Lance's bytes: even and odd sums come from different accumulators there.
var lancePermutation = [16]int{0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15}

// UnpackSigns turns the signs of a partition of rows of width bytes from how Lance keeps them, as if they were
// not packed, row by row. Whole blocks of 32 rows look as those of packSigns with rows permuted; the rows behind them are transposed.
func UnpackSigns(packed []byte, width int) []byte {
	if width <= 0 {
		return nil
	}
	n := len(packed) / width
	out := make([]byte, n*width)
	whole := n - n%signRows
	for first := 0; first < whole; first += signRows {
		block := packed[first*width:][:signRows*width]
		for i := range width {
			for j, row := range lancePermutation {
				lo, hi := block[i*signRows+j], block[i*signRows+16+j]
				out[(first+row)*width+i] = lo&15 | hi<<4
				out[(first+16+row)*width+i] = lo>>4 | hi&0xf0
			}
		}
	}
	rest := n - whole
	for row := range rest {
		for i := range width {
			out[(whole+row)*width+i] = packed[whole*width+i*rest+row]
		}
	}
	return out
}

// magnitudeDims is the number of dimensions that Lance packs together.
const magnitudeDims = 64

// MagnitudeBytes is the size of a row's magnitudes of so many bits in index files.
func MagnitudeBytes(codeDim, bits int) int {
	return (codeDim + magnitudeDims - 1) / magnitudeDims * magnitudeDims * bits / 8
}

// UnpackMagnitudes reads rows of magnitudes, of 1 to 8 bits, to a byte for each dimension. Every 64 dimensions have bytes of their
// own, the dimensions behind the last being zero. r is one of four runs of 16 dimensions, b a dimension in it:
//
//	1, 8      bit stream, or bytes, in order
//	2         byte b:         runs 0 to 3 from the lowest two bits up
//	4         byte 8j + b:    dimension 16j + b, and 16j + 8 + b in the high nibble; b < 8
//	6         byte 16r + b:   run r < 3 in the low six bits; above, bits 2r and 2r + 1 of run 3
//	3, 5, 7   the lower bits as 2, 6; as 5's lower four bits byte b: runs 0 and 1, byte 16 + b: runs 2 and 3;
//	          then 8 bytes of top bits: dimension b of run r at bit 8 (b mod 8) + 2r + b/8 of a word
//
// What contradicts itself is a CorruptError.
func UnpackMagnitudes(rows []byte, codeDim, bits int) ([]byte, error) {
	width := MagnitudeBytes(codeDim, bits)
	if bits < 1 || bits > 8 || width == 0 || len(rows)%width != 0 {
		return nil, fault.Corruptf("%d bytes of magnitudes, in rows of %d dimensions with %d bits", len(rows), codeDim, bits)
	}
	n := len(rows) / width
	out := make([]byte, 0, n*codeDim)
	var values [magnitudeDims]byte
	for range n {
		for left := codeDim; left > 0; left -= magnitudeDims {
			unpackBlock(&values, rows, bits)
			out = append(out, values[:min(left, magnitudeDims)]...)
			rows = rows[8*bits:]
		}
	}
	return out, nil
}

func unpackBlock(out *[magnitudeDims]byte, in []byte, bits int) {
	low := 0 // bytes below the plane of top bits
	switch bits {
	case 1:
		for i := range out {
			out[i] = in[i/8] >> (i % 8) & 1
		}
	case 2, 3:
		for i := range out {
			out[i] = in[i%16] >> (2 * (i / 16)) & 3
		}
		low = 16
	case 4:
		for i := range out {
			out[i] = in[i/16*8+i%8] >> (4 * (i / 8 % 2)) & 15
		}
	case 5:
		for i := range out {
			out[i] = in[i/32*16+i%16] >> (4 * (i / 16 % 2)) & 15
		}
		low = 32
	case 6, 7:
		for i := range 48 {
			out[i] = in[i] & 63
		}
		for b := range 16 {
			out[48+b] = in[b]>>6 | in[16+b]>>6<<2 | in[32+b]>>6<<4
		}
		low = 48
	case 8:
		copy(out[:], in)
	}
	if bits == 3 || bits == 5 || bits == 7 {
		plane := binary.LittleEndian.Uint64(in[low:])
		for i := range out {
			r, b := i/16, i%16
			out[i] |= byte(plane>>(8*(b%8)+2*r+b/8)&1) << (bits - 1)
		}
	}
}

// UnpackMagnitudeStream is UnpackMagnitudes for index files of old versions: codes follow each other bit by bit, the lowest first, and a
// row ends at a whole byte.
func UnpackMagnitudeStream(rows []byte, codeDim, bits int) ([]byte, error) {
	width := (codeDim*bits + 7) / 8
	if bits < 1 || bits > 8 || width == 0 || len(rows)%width != 0 {
		return nil, fault.Corruptf("%d bytes of magnitudes, in rows of %d dimensions with %d bits", len(rows), codeDim, bits)
	}
	n := len(rows) / width
	out := make([]byte, 0, n*codeDim)
	for range n {
		for i := range codeDim {
			at := i * bits
			word := uint16(rows[at/8])
			if at/8+1 < width {
				word |= uint16(rows[at/8+1]) << 8
			}
			out = append(out, byte(word>>(at%8))&byte(1<<bits-1))
		}
		rows = rows[width:]
	}
	return out, nil
}

// nibbleDims is the number of dimensions that packNibbles puts together: dimension j and 16 + j share byte j.
const nibbleDims = 32

// packNibbles packs values below 16; missing dimensions are zero.
func packNibbles(dst, values []byte) {
	clear(dst)
	for i, v := range values {
		dst[i/nibbleDims*16+i%16] |= v << (4 * (i / 16 % 2))
	}
}
