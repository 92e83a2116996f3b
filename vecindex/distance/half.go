package distance

import (
	"math"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/float16"
)

// WidenHalves widens src into dst, which is at least as long. Exact; a signalling NaN may become quiet.
func WidenHalves(dst []float32, src []float16.Num) {
	if len(src) > 0 {
		widenHalves(dst, unsafe.Slice((*uint16)(unsafe.Pointer(&src[0])), len(src)))
	}
}

// widenHalvesPortable is the definition of WidenHalves.
func widenHalvesPortable(dst []float32, src []uint16) {
	dst = dst[:len(src)]
	for i, h := range src {
		dst[i] = HalfToFloat(h)
	}
}

// HalfToFloat widens the bits of an IEEE half-precision number; exact.
//
// Moving exponent and mantissa to their place in a float32 leaves a number that is 2^112 too small,
// subnormals included, so one multiplication repairs all finite values alike; infinities and NaN then
// need the top exponent. The usual way branches over five cases and takes four times as long.
func HalfToFloat(h uint16) float32 {
	const twoTo112 = 0x1p112
	f := math.Float32frombits(uint32(h&0x7fff)<<13) * twoTo112
	b := math.Float32bits(f)
	if f >= 0x1p16 { // exponent 31: infinity or NaN
		b |= 0xff << 23
	}
	return math.Float32frombits(b | uint32(h&0x8000)<<16)
}

// RoundToHalf rounds f to the nearest half-precision number, ties to even, and returns it as float32.
// Lance keeps queries and residuals of float16 columns in that precision.
func RoundToHalf(f float32) float32 {
	b := math.Float32bits(f)
	sign, mag := b&0x80000000, b&0x7fffffff
	switch {
	case mag > 0x7f800000: // NaN
		return f
	case mag >= 0x477ff000: // rounds to 2^16 or more: infinity
		return math.Float32frombits(sign | 0x7f800000)
	case mag < 0x38800000: // below 2^-14: subnormal halves are multiples of 2^-24
		// Adding 0.5 moves the last kept bit to the end of the mantissa, so the addition rounds.
		r := math.Float32frombits(mag) + 0.5
		return math.Float32frombits(sign | math.Float32bits(r-0.5))
	}
	mag += 0xfff + mag>>13&1
	return math.Float32frombits(sign | mag&^0x1fff)
}
