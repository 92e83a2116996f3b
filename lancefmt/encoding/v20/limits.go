package v20

import (
	"math"
	"math/bits"
	"unsafe"

	"lanceflight/internal/fault"
)

const (
	// expandFloor and expandFactor bound what one Read may allocate beyond the bytes it reads:
	// all-NULL pages, dictionary and FSST decoding, decompression, blobs that overlap. A file of n
	// bytes may expand to expandFloor + n·expandFactor bytes. Constant strings of a kilobyte behind
	// one-byte dictionary indices come close to the factor; real files stay two orders of magnitude
	// below.
	expandFloor  = 64 << 20
	expandFactor = 1 << 10
	// cacheBytes is what a column keeps decoded between reads (dictionaries, decompressed buffers).
	// One larger entry is kept alone, so that batches of one page decompress it once.
	cacheBytes = 8 << 20
	// gapBytes is the distance up to which two ranges of one buffer are asked for as one, and
	// groupBytes the length up to which they are joined across gaps.
	gapBytes   = 32 << 10
	groupBytes = 8 << 20
	// maxOffset32 is the last offset that a string, binary or list array with 32-bit offsets holds.
	maxOffset32 = math.MaxInt32
)

// expandLimit returns the allocation limit for a file of sizeBytes.
func expandLimit(sizeBytes int64) int64 {
	if sizeBytes > (math.MaxInt64-expandFloor)/expandFactor {
		return math.MaxInt64
	}
	return expandFloor + sizeBytes*expandFactor
}

// product multiplies two counts; ok is false if one is negative or the result does not fit.
func product(a, b int64) (p int64, ok bool) {
	if a < 0 || b < 0 {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	return int64(lo), hi == 0 && lo <= math.MaxInt64
}

// bytesFor returns the length of a buffer of n values of so many bits each.
func bytesFor(n int64, valueBits uint64) (length int64, ok bool) {
	if n < 0 || valueBits > math.MaxInt64 {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(n), valueBits)
	if hi != 0 || lo > math.MaxInt64-7 {
		return 0, false
	}
	return int64((lo + 7) / 8), true
}

// errTooWide is the error of a batch whose strings or items exceed 32-bit offsets.
func errTooWide(what string) error {
	return fault.New(fault.ResourceExhausted,
		"the %s of the rows read at once exceed the 2^31 that 32-bit offsets reach; read fewer rows at a time", what)
}

// aligned says whether values of so many bytes may be used where b lies: Arrow's kernels load
// numbers of up to eight bytes directly.
func aligned(b []byte, width int) bool {
	align := width & -width // largest power of two in the width
	if align > 8 {
		align = 8
	}
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))%uintptr(align) == 0
}
