package encoding

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Test says which values of a column of numbers pass, by their bits: whatever the type, a
// comparison with a constant is a few arcs of the circle of all bit patterns.
//
//	int32  x > -5       0 … 2^31-1 and 2^32-4 … 2^32-1, which is one arc
//	double x > 0.3      the bits of the next number … +NaN, and all -NaN
//
// NULL never passes.
type Test struct {
	Bits int // of a value: 8, 16, 32 or 64
	Arcs []Arc
}

// Arc is the bit patterns Low, Low+1, … Low+Size, counted modulo 2^Bits.
type Arc struct{ Low, Size uint64 }

// Pass reports whether a value passes.
func (t *Test) Pass(bits uint64) bool {
	mask := ^uint64(0) >> (64 - t.Bits)
	for _, a := range t.Arcs {
		if (bits-a.Low)&mask <= a.Size {
			return true
		}
	}
	return false
}

// Below is the test for values that are known to be less than 2^width, as those packed to so many
// bits are. all reports that each passes, none that none does.
func (t *Test) Below(width int) (short Test, all, none bool) {
	mask, most := ^uint64(0)>>(64-t.Bits), ^uint64(0)>>(64-t.Bits)
	if width < t.Bits {
		most = 1<<width - 1
	}
	short.Bits = t.Bits
	for _, a := range t.Arcs {
		zero := -a.Low & mask // how far behind the arc's first 0 is
		switch {
		case a.Size >= mask || zero <= a.Size && most <= a.Size-zero:
			return short, true, false
		case a.Low <= most || zero <= a.Size:
			short.Arcs = append(short.Arcs, a)
		}
	}
	return short, false, len(short.Arcs) == 0
}

// Matcher is a ColumnReader that can test values where they are decoded, without making an array of
// them.
type Matcher interface {
	ColumnReader
	// Match clears those of n bits, the first for row first, whose rows do not pass a test. Rows
	// whose bits are not set need not be read. ok is false, and the bits are as they were, if the
	// column is not one of fixed-width values of t.Bits bits. mem is used meanwhile. Errors are
	// those of Read; then the bits mean nothing.
	Match(ctx context.Context, first, n int64, t *Test, bits []uint64, mem memory.Allocator) (ok bool, err error)
}
