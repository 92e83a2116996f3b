package lancefmt

import (
	"math/rand/v2"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
)

// Rows take the value of the newest overlay that covers them, found by rank.
func TestRouted(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		n := 1 + rng.Int64N(60)
		rows := someRanges(rng, n)
		base := encoding.Count(rows)
		positions := make([]int64, base)
		for i := range positions {
			positions[i] = int64(i)
		}
		newest := make([][2]int64, n) // overlay and rank by row; overlay 0 is the base
		next := base
		var source [][2]int64 // what stands behind the base
		for k := int64(1); k < 4; k++ {
			covered := roaring.New()
			for row := range n + 3 { // rows behind the end are never asked for
				if rng.IntN(3) == 0 {
					if row < n && newest[row][0] == 0 {
						newest[row] = [2]int64{k, int64(covered.GetCardinality())}
					}
					covered.Add(uint32(row))
				}
			}
			wanted := routed(covered, rows, positions, base, next)
			for _, r := range wanted {
				for rank := r.Start; rank < r.End; rank++ {
					source = append(source, [2]int64{k, rank})
				}
			}
			next += encoding.Count(wanted)
		}
		i := 0
		for _, r := range rows {
			for row := r.Start; row < r.End; row++ {
				if newest[row][0] == 0 {
					require.EqualValues(t, i, positions[i])
				} else {
					require.Equal(t, newest[row], source[positions[i]-base])
				}
				i++
			}
		}
	}
}

// A manifest can say that an overlay has a field in no column, or in one that the file lacks.
func TestOverlayWithoutColumn(t *testing.T) {
	for _, column := range []int32{-1, -2, 7} {
		tab, err := Open(ctx, "testdata/damage/overlaid_v2_1.lance", Options{})
		require.NoError(t, err)
		s, err := tab.Snapshot(ctx, Ref{})
		require.NoError(t, err)
		f := s.Fragments()[0]
		f.meta.Overlays[0].File.ColumnIndices = []int32{column}
		_, err = f.Read(ctx, Columns("text"), []encoding.Range{{Start: 0, End: f.NumPhysicalRows()}}, memory.DefaultAllocator)
		require.True(t, fault.Is(err, fault.Corrupt), "%v", err)
		require.ErrorContains(t, err, "first.lance")
		require.NoError(t, tab.Close())
	}
}
