package distance

// dot is the definition of Σaᵢ·bᵢ. Both slices have the same length.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i, x := range a {
		s0 += x * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// dotFloat64 is Σaᵢ·bᵢ in float64.
func dotFloat64(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1 float64
	for len(a) >= 2 && len(b) >= 2 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		a, b = a[2:], b[2:]
	}
	for i, x := range a {
		s0 += x * b[i]
	}
	return s0 + s1
}
