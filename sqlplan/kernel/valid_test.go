package kernel

import (
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestValidity(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		n := rapid.IntRange(0, 400).Draw(rt, "rows")
		density := rapid.SampledFrom([]int{0, 1, 2, 50, 1000}).Draw(rt, "one NULL in")
		b := array.NewInt8Builder(memory.DefaultAllocator)
		for range n {
			if density > 0 && r.IntN(density) == 0 {
				b.AppendNull()
			} else {
				b.Append(1)
			}
		}
		whole := b.NewArray()
		from := rapid.IntRange(0, n).Draw(rt, "from")
		a := array.NewSlice(whole, int64(from), int64(n))
		v := ValidityOf(a)
		valid := make([]bool, a.Len())
		last := -1
		v.Runs(a.Len(), func(start, end int) {
			require.Less(t, last, start, "runs are apart")
			require.Less(t, start, end)
			last = end
			for i := start; i < end; i++ {
				valid[i] = true
			}
		})
		for i := range valid {
			require.Equal(t, a.IsValid(i), valid[i])
			require.Equal(t, a.IsNull(i), v.Null(i))
		}
		require.Equal(t, a.NullN() == 0, v.None())
	})
	null := ValidityOf(array.NewNull(5))
	require.True(t, null.Null(4) && !null.None())
	null.Runs(5, func(int, int) { t.Fatal("no row is valid") })
}
