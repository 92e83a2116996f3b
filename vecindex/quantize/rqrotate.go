package quantize

import (
	"math"
	"math/bits"

	"lanceflight/vecindex/distance"
)

// fastRounds is the number of rounds of the fast rotation.
const fastRounds = 4

// Rotate writes the rotation of v, of Dim elements, to dst, of CodeDim.
func (q *RQ) Rotate(dst, v []float32) {
	if q.matrix != nil {
		for i := range dst {
			dst[i] = distance.InnerProduct(q.matrix[i*q.codeDim:][:len(v)], v)
		}
		return
	}
	clear(dst[copy(dst, v):])
	rotateFast(dst, q.signs)
}

// rotateFast rotates in place by random signs and Hadamard transforms, in O(D log D) instead of D²:
// each round flips signs, transforms as many elements as the largest power of two within D, those
// at the front in even rounds and those at the end in odd ones, and if that is not all, rotates
// element i against i + D/2 by 45°. Everything is orthogonal once scaled; 45° rotations are scaled
// all at the end.
func rotateFast(v []float32, signs []byte) {
	d := len(v)
	perRound := (d + 7) / 8
	power := 1 << (bits.Len(uint(d)) - 1)
	scale := 1 / float32(math.Sqrt(float64(power)))
	for round := range fastRounds {
		flipSigns(v, signs[round*perRound:][:perRound])
		part := v[:power]
		if round%2 == 1 {
			part = v[d-power:]
		}
		hadamard(part)
		for i := range part {
			part[i] *= scale
		}
		if power < d {
			butterfly(v[:d/2], v[d/2:])
		}
	}
	if power < d {
		for i := range v {
			v[i] *= 0.25 // √2 for each round
		}
	}
}

// flipSigns negates the elements whose bit is set.
func flipSigns(v []float32, signs []byte) {
	for i := range v {
		sign := uint32(signs[i/8]>>(i%8)) << 31
		v[i] = math.Float32frombits(math.Float32bits(v[i]) ^ sign)
	}
}

// hadamard is the Walsh-Hadamard transform, not scaled; len(v) is a power of two.
func hadamard(v []float32) {
	for half := 1; half < len(v); half *= 2 {
		for at := 0; at < len(v); at += 2 * half {
			butterfly(v[at:at+half], v[at+half:at+2*half])
		}
	}
}

func butterfly(a, b []float32) {
	b = b[:len(a)]
	for i, x := range a {
		y := b[i]
		a[i], b[i] = x+y, x-y
	}
}
