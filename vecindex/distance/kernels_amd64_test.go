//go:build !noasm

package distance

import "testing"

// What a processor without AVX-512 runs.
func TestColumnKernelsOfAVX2(t *testing.T) {
	defer func(was bool) { wide = was }(wide)
	wide = false
	TestColumnKernels(t)
}
