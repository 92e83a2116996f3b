package levels

import (
	"math/bits"
	"unsafe"
)

// Levels are compared four at a time: a word holds four lanes of 16 bits, and the highest bit of
// each lane is the answer for it.
const (
	lanes    = 4
	laneLow  = 0x7fff7fff7fff7fff
	laneHigh = 0x8000800080008000
	laneOnes = 0x0001000100010001
)

// threshold prepares t < 0x8000 for above: adding it to a lane of 15 bits carries into the highest
// bit exactly if the lane is greater than t.
func threshold(t uint16) uint64 { return uint64(0x7fff-t) * laneOnes }

// above has the highest bit of each lane of x set whose level is above the threshold. A level of
// 0x8000 or more has it set from the beginning. The sum cannot carry into the next lane.
func above(x, threshold uint64) uint64 { return (x&laneLow + threshold | x) & laneHigh }

// word returns levels i … i+3. The caller has checked that they exist.
func word(l []uint16, i int) uint64 {
	return *(*uint64)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(l)), 2*i))
}

// CountAbove returns how many levels are above t, which is below 0x8000.
func CountAbove(l []uint16, t uint16) (n int) {
	th, i := threshold(t), 0
	for ; i+lanes <= len(l); i += lanes {
		n += bits.OnesCount64(above(word(l, i), th))
	}
	for ; i < len(l); i++ {
		if l[i] > t {
			n++
		}
	}
	return n
}

// anyAbove reports whether a level is above t, which is below 0x8000.
func anyAbove(l []uint16, t uint16) bool {
	th, i, seen := threshold(t), 0, uint64(0)
	for ; i+lanes <= len(l); i += lanes {
		seen |= above(word(l, i), th)
	}
	for ; i < len(l); i++ {
		if l[i] > t {
			return true
		}
	}
	return seen != 0
}

// nibble gathers the highest bits of the lanes, the first lane's lowest.
func nibble(m uint64) byte { return byte(m>>15|m>>30|m>>45|m>>60) & 0xf }

// countLists returns how many entries have a repetition level above 0 and a definition level (def
// nil: none) of at most visible.
func countLists(rep, def []uint16, visible uint16) (n int) {
	if def == nil {
		return CountAbove(rep, 0)
	}
	first, seen, i := threshold(0), threshold(visible), 0
	for ; i+lanes <= len(rep); i += lanes {
		n += bits.OnesCount64(above(word(rep, i), first) &^ above(word(def, i), seen))
	}
	for ; i < len(rep); i++ {
		if rep[i] != 0 && def[i] <= visible {
			n++
		}
	}
	return n
}

// startsOf writes where lists start, first for the first entry, and moves their repetition levels,
// less one, to the front. offsets has room for all of them.
func startsOf[T int32 | int64](rep []uint16, offsets []T, first T) {
	n, i := 0, 0
	for ; i+lanes <= len(rep); i += lanes {
		for m := above(word(rep, i), threshold(0)); m != 0; m &= m - 1 {
			j := i + bits.TrailingZeros64(m)/16
			offsets[n] = first + T(j)
			rep[n] = rep[j] - 1
			n++
		}
	}
	for ; i < len(rep); i++ {
		if rep[i] != 0 {
			offsets[n] = first + T(i)
			rep[n] = rep[i] - 1
			n++
		}
	}
}
