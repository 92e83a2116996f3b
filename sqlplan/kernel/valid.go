package kernel

import (
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
)

// Validity tells the NULLs of an array without a call per row into the array. The zero Validity has
// none.
type Validity struct {
	bits   []byte
	offset int
}

// ValidityOf returns the validity of a.
func ValidityOf(a arrow.Array) Validity {
	if a.NullN() == 0 {
		return Validity{}
	}
	if b := a.NullBitmapBytes(); len(b) > 0 {
		return Validity{b, a.Data().Offset()}
	}
	return Validity{make([]byte, bitutil.BytesForBits(int64(a.Len()))), 0} // arrays of type null have no bitmap
}

// None reports whether no row is NULL.
func (v Validity) None() bool { return v.bits == nil }

// Null reports whether row r is NULL.
func (v Validity) Null(r int) bool {
	return v.bits != nil && v.bits[(v.offset+r)>>3]>>((v.offset+r)&7)&1 == 0
}

// Runs calls f with the runs of valid rows among rows 0 … n-1, in order.
func (v Validity) Runs(n int, f func(start, end int)) {
	if v.bits == nil {
		if n > 0 {
			f(0, n)
		}
		return
	}
	start := -1 // of the run under way
	for r := 0; r < n; {
		w, k := v.word(r, n)
		switch {
		case w == 0:
			if start >= 0 {
				f(start, r)
				start = -1
			}
			r += k
		case k == 64 && w == ^uint64(0):
			if start < 0 {
				start = r
			}
			r += 64
		default:
			for end := r + k; r < end; {
				if start >= 0 {
					ones := min(bits.TrailingZeros64(^w), end-r)
					r, w = r+ones, w>>ones
					if r < end {
						f(start, r)
						start = -1
					}
				} else {
					zeros := min(bits.TrailingZeros64(w), end-r)
					r, w = r+zeros, w>>zeros
					if r < end {
						start = r
					}
				}
			}
		}
	}
	if start >= 0 {
		f(start, n)
	}
}

// word returns the bits of k rows from row r on, 64 unless the rows end before.
func (v Validity) word(r, n int) (w uint64, k int) {
	k = min(64, n-r)
	at := v.offset + r
	b := v.bits[at>>3:]
	if len(b) >= 9 {
		w = binary.LittleEndian.Uint64(b) >> (at & 7)
		if at&7 != 0 {
			w |= uint64(b[8]) << (64 - at&7)
		}
	} else {
		for i := range k {
			if bitutil.BitIsSet(v.bits, at+i) {
				w |= 1 << i
			}
		}
	}
	if k < 64 {
		w &= 1<<k - 1
	}
	return w, k
}
