//go:build !amd64 || noasm

package quantize

func addSigns(sums *[signRows]uint32, block, tables []byte) { addSignsPortable(sums, block, tables) }

func dotNibbles(v []float32, codes []byte) float32 { return dotNibblesPortable(v, codes) }
