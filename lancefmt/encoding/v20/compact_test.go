package v20

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/stretchr/testify/require"

	"lanceflight/lancefmt/encoding"
)

// Many NULL lists with items below them, in several pages, over items with NULLs: the ranges of wanted items are
// short, and read as one.
func TestListsOfShortRanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	var lists, items []testPage
	var want []string
	for page := range 3 {
		var bytes []byte
		valid := make([]byte, 2000)
		var ends []uint64
		var nullAt []int
		for i := range 400 {
			n := rng.IntN(5)
			null := rng.IntN(3) == 0
			var parts []string
			for range n {
				x := byte(rng.Uint32())
				if page == 0 || rng.IntN(4) > 0 {
					bitutil.SetBit(valid, len(bytes))
					parts = append(parts, fmt.Sprint(x))
				} else {
					parts = append(parts, "null")
				}
				bytes = append(bytes, x)
			}
			ends = append(ends, uint64(len(bytes)))
			if null {
				nullAt = append(nullAt, i)
				want = append(want, "NULL")
			} else {
				want = append(want, "["+strings.Join(parts, ",")+"]")
			}
		}
		total := uint64(len(bytes))
		for _, i := range nullAt {
			ends[i] += total + 1
		}
		lists = append(lists, testPage{listOf(noNulls(flatOf(64, 0)), total+1, total), 400, [][]byte{words(64, ends...)}})
		items = append(items, testPage{someNulls(flatOf(1, 0), flatOf(8, 1)), int64(total), [][]byte{valid[:(total+7)/8], bytes}})
	}
	f := encoding.Field{Name: "l", Type: arrow.ListOf(arrow.PrimitiveTypes.Uint8),
		Children: []encoding.Field{{Name: "item", Type: arrow.PrimitiveTypes.Uint8, Column: 1}}}
	got, err := decode(t, f, nil, lists, items)
	require.NoError(t, err)
	require.Equal(t, want, got)
	got, err = decode(t, f, ranges(3, 600, 700, 1199), lists, items)
	require.NoError(t, err)
	require.Equal(t, append(append([]string(nil), want[3:600]...), want[700:1199]...), got)
}

// Bits of ranges come out one after the other, wherever they lie.
func TestPackBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	for range 300 {
		src := make([]byte, 1+rng.IntN(100))
		for i := range src {
			src[i] = byte(rng.Uint32())
		}
		shift := rng.IntN(8)
		var ranges []encoding.Range
		var want []bool
		for at := 0; at < 8*len(src)-shift; {
			end := min(at+rng.IntN(150), 8*len(src)-shift)
			ranges = append(ranges, encoding.Range{Start: int64(at), End: int64(end)})
			for i := at; i < end; i++ {
				want = append(want, bitutil.BitIsSet(src, i+shift))
			}
			at = end + rng.IntN(20)
		}
		dst := make([]byte, (len(want)+7)/8)
		set := packBits(dst, src, ranges, shift)
		for i, b := range want {
			require.Equal(t, b, bitutil.BitIsSet(dst, i), i)
		}
		require.Equal(t, bitutil.CountSetBits(dst, 0, 8*len(dst)), set)
	}
}
