package distance

// squaredL2 is the definition of Σ(aᵢ−bᵢ)². Both slices have the same length.
//
// Four partial sums let the processor overlap the additions; they make the result differ from a
// left-to-right sum by rounding only. See roundingBound in the tests.
func squaredL2(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		d0, d1, d2, d3 := a[0]-b[0], a[1]-b[1], a[2]-b[2], a[3]-b[3]
		s0 += d0 * d0
		s1 += d1 * d1
		s2 += d2 * d2
		s3 += d3 * d3
		a, b = a[4:], b[4:]
	}
	for i, x := range a {
		d := x - b[i]
		s0 += d * d
	}
	return (s0 + s1) + (s2 + s3)
}

// squaredL2Float64 is Σ(aᵢ−bᵢ)² in float64.
func squaredL2Float64(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1 float64
	for len(a) >= 2 && len(b) >= 2 {
		d0, d1 := a[0]-b[0], a[1]-b[1]
		s0 += d0 * d0
		s1 += d1 * d1
		a, b = a[2:], b[2:]
	}
	for i, x := range a {
		d := x - b[i]
		s0 += d * d
	}
	return s0 + s1
}
