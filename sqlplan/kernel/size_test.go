package kernel

import (
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/gather/gathertest"
)

func TestArrayBytes(t *testing.T) {
	mem := memory.DefaultAllocator
	r := rand.New(rand.NewPCG(5, 6))
	for _, dt := range gathertest.Types {
		a := gathertest.RandomArray(t, mem, r, dt, 40, true)
		whole, half := ArrayBytes(a), int64(0)
		for i := range int64(2) {
			s := array.NewSlice(a, i*20, i*20+20)
			half += ArrayBytes(s)
		}
		require.InDelta(t, float64(whole), float64(half), 16, dt)
		require.Zero(t, ArrayBytes(array.NewSlice(a, 3, 3)))
	}
	f := gathertest.RandomArray(t, mem, r, arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Float32), 40, false)
	require.EqualValues(t, 40*12, ArrayBytes(f))
}
