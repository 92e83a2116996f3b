package distance

import (
	"github.com/apache/arrow-go/v18/arrow/float16"

	"lanceflight/internal/half"
)

// WidenHalves widens src into dst, which is at least as long. Exact; a signalling NaN may become quiet.
func WidenHalves(dst []float32, src []float16.Num) {
	if len(src) > 0 {
		widenHalves(dst, half.Bits(src))
	}
}

// widenHalvesPortable is the definition of WidenHalves.
func widenHalvesPortable(dst []float32, src []uint16) {
	dst = dst[:len(src)]
	for i, h := range src {
		dst[i] = half.FromBits(h)
	}
}
