package parallel

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestForCallsEachOnce(t *testing.T) {
	for _, workers := range []int{1, 3, 50} {
		for _, n := range []int{0, 1, 2, 1000} {
			calls := make([]atomic.Int32, n)
			require.NoError(t, For(context.Background(), workers, n, func(i int) { calls[i].Add(1) }))
			for i := range calls {
				require.EqualValues(t, 1, calls[i].Load())
			}
		}
	}
}

func TestForEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var calls atomic.Int32
	err := For(ctx, 2, 1000, func(int) {
		if calls.Add(1) == 3 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, calls.Load(), int32(1000))
}

func TestChunks(t *testing.T) {
	for n := range 25 {
		seen := make([]int, n)
		require.NoError(t, Chunks(context.Background(), 1, n, 7, func(chunk, from, to int) {
			require.Equal(t, chunk*7, from)
			for i := from; i < to; i++ {
				seen[i]++
			}
		}))
		for _, s := range seen {
			require.Equal(t, 1, s)
		}
	}
}
