package scan

import (
	"math/rand/v2"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"lanceflight/lancefmt/encoding"
)

func TestRowBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var ranges rowRanges
		var rows []uint32
		for at := rng.Int64N(200_000); len(ranges) < 1+rng.IntN(5); {
			n := 1 + rng.Int64N([]int64{3, 200, 70_000}[rng.IntN(3)])
			ranges = append(ranges, encoding.Range{Start: at, End: at + n})
			for i := range n {
				rows = append(rows, uint32(at+i))
			}
			at += n + rng.Int64N(100)
		}
		all := newRowBits(ranges)
		all.addAll(ranges)
		require.Equal(t, rows, all.bitmap().ToArray())

		some, want := newRowBits(ranges), roaring.New()
		var sel []int32
		for i, row := range rows {
			if rng.IntN(3) == 0 || i == len(rows)-1 {
				sel = append(sel, int32(i))
				want.Add(row)
			}
		}
		some.add(ranges, sel)
		require.True(t, want.Equals(some.bitmap()))
		none := newRowBits(ranges)
		none.add(ranges, nil)
		require.True(t, none.bitmap().IsEmpty())
	}
}
