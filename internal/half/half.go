// Package half converts half-precision floats (IEEE 754 binary16) from and to wider ones.
//
// Widening is exact. Narrowing rounds to the nearest half, ties to the even one, from a double in one
// step. arrow-go's own conversions read and write subnormal halves as other numbers and cut off bits
// instead of rounding, so nothing else in this module calls them; a test looks for that.
package half

import (
	"math"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/float16"
)

// Float32 widens a half; exact, and a NaN keeps its payload.
func Float32(n float16.Num) float32 { return FromBits(n.Uint16()) }

// Float64 widens a half; exact.
func Float64(n float16.Num) float64 { return float64(FromBits(n.Uint16())) }

// FromBits widens the bits of a half; exact.
//
// Moving exponent and mantissa to their place in a float32 leaves a number that is 2^112 too small,
// subnormals included, so one multiplication repairs all finite values alike; infinities and NaN then
// need the top exponent. The usual way branches over five cases and takes four times as long.
func FromBits(h uint16) float32 {
	const twoTo112 = 0x1p112
	f := math.Float32frombits(uint32(h&0x7fff)<<13) * twoTo112
	b := math.Float32bits(f)
	if f >= 0x1p16 { // exponent 31: infinity or NaN
		b |= 0xff << 23
	}
	return math.Float32frombits(b | uint32(h&0x8000)<<16)
}

// Bits views halves as their bits, without a copy.
func Bits(src []float16.Num) []uint16 {
	if len(src) == 0 {
		return nil
	}
	return unsafe.Slice((*uint16)(unsafe.Pointer(&src[0])), len(src))
}

// FromFloat32 returns the nearest half; ties go to the even one, and what is 65520 or more to infinity. A
// NaN keeps the upper bits of its payload.
func FromFloat32(f float32) float16.Num {
	b := math.Float32bits(f)
	sign, mag := uint16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case mag > 0x7f800000:
		return float16.FromBits(sign | nan(uint16(mag>>13)))
	case mag >= 0x477ff000: // rounds to 2^16 or more
		return float16.FromBits(sign | 0x7c00)
	case mag < 0x38800000: // below 2^-14, where halves are multiples of 2^-24
		// Adding 0.5 moves the last kept bit to the end of the mantissa, so the addition rounds.
		r := math.Float32frombits(mag) + 0.5
		return float16.FromBits(sign | uint16(math.Float32bits(r)-math.Float32bits(0.5)))
	}
	mag += 0xfff + mag>>13&1
	return float16.FromBits(sign | uint16((mag-(127-15)<<23)>>13))
}

// FromFloat64 is FromFloat32 for a double. It does not round to a float32 on the way, which could move a
// number to the middle of two halves and then to the wrong one.
func FromFloat64(f float64) float16.Num {
	b := math.Float64bits(f)
	sign, mag := uint16(b>>48)&0x8000, b&(1<<63-1)
	switch {
	case mag > 0x7ff<<52:
		return float16.FromBits(sign | nan(uint16(mag>>42)))
	case mag >= 0x40effe0000000000: // 65520
		return float16.FromBits(sign | 0x7c00)
	case mag < 0x3f10000000000000: // 2^-14
		r := math.Float64frombits(mag) + 0x1p28 // whose last bit is 2^-24
		return float16.FromBits(sign | uint16(math.Float64bits(r)-math.Float64bits(0x1p28)))
	}
	mag += 1<<41 - 1 + mag>>42&1
	return float16.FromBits(sign | uint16((mag-(1023-15)<<52)>>42))
}

// nan is a NaN with the lower ten bits of a payload; with none of them it would be infinity.
func nan(payload uint16) uint16 {
	if payload&0x3ff == 0 {
		payload = 1
	}
	return 0x7c00 | payload&0x3ff
}

// Round rounds to the nearest half and returns it as float32. A NaN stays as it is.
func Round(f float32) float32 {
	if f != f {
		return f
	}
	return Float32(FromFloat32(f))
}
