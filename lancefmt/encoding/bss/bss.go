// Package bss undoes byte stream split: values of w bytes stored as w streams, stream j holding
// byte j of every value.
//
//	stored:  a0 b0 c0 … a1 b1 c1 … …    decoded:  a0 a1 … b0 b1 … c0 c1 …
//
// The function writes to caller's memory, keeps nothing, and is safe for concurrent use.
//
// Source: lance-encoding 14.0.2, byte_stream_split.rs.
package bss

import (
	"encoding/binary"

	"lanceflight/internal/fault"
)

// Decode writes the n values of width bytes in src to dst, which holds n·width bytes. Lance splits
// values of 4 and 8 bytes only; others decode too. A src of another length is corrupt.
func Decode(dst, src []byte, width, n int) error {
	if width < 1 || n < 0 || len(src)/width != n || len(src)%width != 0 {
		return fault.Corruptf("byte stream split of %d values of %d bytes has %d bytes", n, width, len(src))
	}
	dst = dst[:len(src)]
	// Four and eight bytes are put together in registers, so that each value is stored once.
	switch width {
	case 4:
		s0, s1, s2, s3 := src[:n], src[n:2*n], src[2*n:3*n], src[3*n:4*n]
		for i := range s0 {
			v := uint32(s0[i]) | uint32(s1[i])<<8 | uint32(s2[i])<<16 | uint32(s3[i])<<24
			binary.LittleEndian.PutUint32(dst[4*i:], v)
		}
	case 8:
		s0, s1, s2, s3 := src[:n], src[n:2*n], src[2*n:3*n], src[3*n:4*n]
		s4, s5, s6, s7 := src[4*n:5*n], src[5*n:6*n], src[6*n:7*n], src[7*n:8*n]
		for i := range s0 {
			lo := uint32(s0[i]) | uint32(s1[i])<<8 | uint32(s2[i])<<16 | uint32(s3[i])<<24
			hi := uint32(s4[i]) | uint32(s5[i])<<8 | uint32(s6[i])<<16 | uint32(s7[i])<<24
			binary.LittleEndian.PutUint64(dst[8*i:], uint64(hi)<<32|uint64(lo))
		}
	default:
		for j := range width {
			for i, b := range src[j*n : (j+1)*n] {
				dst[i*width+j] = b
			}
		}
	}
	return nil
}
