//go:build !noasm

package quantize

import "golang.org/x/sys/cpu"

var (
	hasAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	hasAVX512 = hasAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
)

// safeBytes is the number of bytes of a code whose sums fit into 16 bits: 2 × 128 × 255.
const safeBytes = 128

//go:noescape
func addSignsAVX2(sums *uint32, block, tables *byte, count int)

//go:noescape
func addSignsAVX512(sums *uint32, block, tables *byte, count int)

//go:noescape
func dotNibblesAVX2(v *float32, codes *byte, count int) float32

//go:noescape
func dotNibblesAVX512(v *float32, codes *byte, count int) float32

func addSigns(sums *[signRows]uint32, block, tables []byte) {
	if !hasAVX2 {
		addSignsPortable(sums, block, tables)
		return
	}
	width := len(block) / signRows
	tables = tables[:signRows*width]
	for at := 0; at < width; at += safeBytes {
		count := min(safeBytes, width-at)
		if pairs := count &^ 1; hasAVX512 && pairs > 0 {
			addSignsAVX512(&sums[0], &block[at*signRows], &tables[at*signRows], pairs)
			if pairs < count {
				last := (at + pairs) * signRows
				addSignsAVX2(&sums[0], &block[last], &tables[last], 1)
			}
			continue
		}
		addSignsAVX2(&sums[0], &block[at*signRows], &tables[at*signRows], count)
	}
}

func dotNibbles(v []float32, codes []byte) float32 {
	count := len(codes) / 16
	if !hasAVX2 || count == 0 {
		return dotNibblesPortable(v, codes)
	}
	v = v[:nibbleDims*count]
	if hasAVX512 {
		return dotNibblesAVX512(&v[0], &codes[0], count)
	}
	return dotNibblesAVX2(&v[0], &codes[0], count)
}
