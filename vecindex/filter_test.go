package vecindex

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRowSetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Ids cluster in pages of two fragments, and at the ends of the range.
		id := rapid.OneOf(rapid.Uint64Range(0, 200), rapid.Uint64Range(65500, 65600),
			rapid.Uint64Range(3<<32, 3<<32+70000), rapid.Just(^uint64(0)))
		ids := rapid.SliceOf(id).Draw(t, "ids")
		want := make(map[uint64]bool)
		for _, x := range ids {
			want[x] = true
		}
		s := NewRowSet(ids...)
		start := rapid.Uint64Range(0, 70000).Draw(t, "start")
		length := rapid.Uint64Range(0, 70000).Draw(t, "length")
		s.AddRange(start, start+length)
		for x := start; x < start+length; x++ {
			want[x] = true
		}
		require.Equal(t, len(want), s.Len())
		probe := append(rapid.SliceOf(id).Draw(t, "probe"), start, start+length, start+length-1)
		var sel []uint32
		for i, x := range probe {
			require.Equal(t, want[x], s.Contains(x), "%d", x)
			if want[x] {
				sel = append(sel, uint32(i))
			}
		}
		require.Equal(t, sel, s.Select(probe, nil))
		require.Equal(t, sel, SelectRows(s, probe, nil))
		require.Equal(t, sel, SelectRows(FilterFunc(s.Contains), probe, nil))
		require.Equal(t, append([]uint32{7}, sel...), s.Select(probe, []uint32{7}), "appends")
	})
}

func TestRowSetRangesAtWordAndPageBorders(t *testing.T) {
	borders := []uint64{0, 1, 63, 64, 65, 127, 128, 65535, 65536, 65537, 131072, 1 << 32}
	for _, start := range borders {
		for _, n := range []uint64{0, 1, 63, 64, 65, 65536} {
			s := NewRowSet()
			s.AddRange(start, start+n)
			require.EqualValues(t, n, s.Len(), "%d+%d", start, n)
			require.Equal(t, n > 0, s.Contains(start))
			require.False(t, s.Contains(start+n))
			if n > 0 {
				require.True(t, s.Contains(start+n-1))
			}
			s.AddRange(start, start+n)
			require.EqualValues(t, n, s.Len(), "added twice")
		}
	}
	require.True(t, slices.Equal(NewRowSet(5, 6).Select([]uint64{4, 5, 6}, nil), []uint32{1, 2}))
}
