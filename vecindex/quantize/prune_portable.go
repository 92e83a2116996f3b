//go:build !amd64 || noasm

package quantize

// canPrune is false where pruning would cost more than it saves.
var canPrune = false

func tableRanges(mins, mags, tables []float32) { tableRangesPortable(mins, mags, tables) }

func quantizeTables(dst []byte, tables, mins []float32, inverse float32) {
	quantizeTablesPortable(dst, tables, mins, inverse)
}

func pruneSums(mask []uint64, _ []uint16, tables []byte, codes []byte, n, first, count int, cutoff uint16) {
	pruneSumsPortable(mask, tables, codes, n, first, count, cutoff)
}
