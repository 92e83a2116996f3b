package distance

// SquaredL2Bytes returns Σ(aᵢ−bᵢ)² of bytes; exact. The slices have the same length; it panics otherwise.
func SquaredL2Bytes(a, b []byte) uint64 {
	if len(a) != len(b) {
		panic("distance: vectors of different dimensions")
	}
	return squaredL2Bytes(a, b)
}

// DotBytes returns Σaᵢ·bᵢ of floats and bytes. The slices have the same length; it panics otherwise.
func DotBytes(a []float32, b []byte) float32 {
	if len(a) != len(b) {
		panic("distance: vectors of different dimensions")
	}
	return dotBytes(a, b)
}

// squaredL2BytesPortable is the definition of SquaredL2Bytes.
func squaredL2BytesPortable(a, b []byte) uint64 {
	b = b[:len(a)]
	var sum uint64
	for i, x := range a {
		d := int64(x) - int64(b[i])
		sum += uint64(d * d)
	}
	return sum
}

// dotBytesPortable is the definition of DotBytes.
func dotBytesPortable(a []float32, b []byte) float32 {
	b = b[:len(a)]
	var s0, s1 float32
	for len(a) >= 2 && len(b) >= 2 {
		s0 += a[0] * float32(b[0])
		s1 += a[1] * float32(b[1])
		a, b = a[2:], b[2:]
	}
	for i, x := range a {
		s0 += x * float32(b[i])
	}
	return s0 + s1
}
