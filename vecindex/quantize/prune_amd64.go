//go:build !noasm

package quantize

import "golang.org/x/sys/cpu"

// canPrune says whether the processor runs the kernels in prune_amd64.s.
var canPrune = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL &&
	cpu.X86.HasAVX512VBMI && cpu.X86.HasBMI2

//go:noescape
func tableRangesAVX512(mins, mags *float32, tables *float32, count int)

//go:noescape
func quantizeTablesAVX512(dst *byte, tables, mins *float32, count int, inverse, shift float32)

//go:noescape
func accumulate4VBMI(acc *uint16, tables, codes *byte, n, groups int, tail uint64)

//go:noescape
func accumulate1VBMI(acc *uint16, tables, codes *byte, n, groups int, tail uint64)

//go:noescape
func maskBelowAVX512(mask *uint64, acc *uint16, groups int, cutoff uint16)

func tableRanges(mins, mags, tables []float32) {
	if !canPrune {
		tableRangesPortable(mins, mags, tables)
		return
	}
	count := len(tables) / 256
	_, _ = mins[count-1], mags[count-1]
	tableRangesAVX512(&mins[0], &mags[0], &tables[0], count)
}

func quantizeTables(dst []byte, tables, mins []float32, inverse float32) {
	if !canPrune {
		quantizeTablesPortable(dst, tables, mins, inverse)
		return
	}
	count := len(tables) / 256
	_, _ = mins[count-1], dst[256*count-1]
	quantizeTablesAVX512(&dst[0], &tables[0], &mins[0], count, inverse, quantizeShift)
}

func pruneSums(mask []uint64, acc []uint16, tables []byte, codes []byte, n, first, count int, cutoff uint16) {
	if !canPrune {
		pruneSumsPortable(mask, tables, codes, n, first, count, cutoff)
		return
	}
	groups := (count + 63) / 64
	tail := ^uint64(0) >> (uint(-count) & 63)
	acc = acc[:64*groups]
	clear(acc)
	numBytes := len(tables) / 256
	// The last byte that is read, and the last word that is written.
	_, _ = codes[(numBytes-1)*n+first+count-1], mask[groups-1]
	b := 0
	for ; b+4 <= numBytes; b += 4 {
		accumulate4VBMI(&acc[0], &tables[256*b], &codes[b*n+first], n, groups, tail)
	}
	for ; b < numBytes; b++ {
		accumulate1VBMI(&acc[0], &tables[256*b], &codes[b*n+first], n, groups, tail)
	}
	maskBelowAVX512(&mask[0], &acc[0], groups, cutoff)
	mask[groups-1] &= tail
}
