package quantize

import "math"

// nan marks distances that do not exist.
func nan(dst []float32) {
	for i := range dst {
		dst[i] = float32(math.NaN())
	}
}
