package lanceidx

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/vecindex/ivf"
)

func part(n int) ivf.Partition {
	return ivf.Partition{RowIDs: make([]uint64, n), Codes: make([]byte, 8*n), BytesRead: int64(n)}
}

func loader(n int, calls *int) func(context.Context) (ivf.Partition, error) {
	return func(context.Context) (ivf.Partition, error) {
		*calls++
		return part(n), nil
	}
}

func TestCacheForgetsTheLeastRecentPartition(t *testing.T) {
	const each = 16*100 + entryOverhead
	c := NewCache(2 * each)
	ctx := context.Background()
	calls := 0
	get := func(p int) ivf.Partition {
		out, err := c.get(ctx, cacheKey{partition: p}, loader(100, &calls))
		require.NoError(t, err)
		require.Len(t, out.RowIDs, 100)
		return out
	}
	require.EqualValues(t, 100, get(1).BytesRead)
	require.Zero(t, get(1).BytesRead, "a partition at hand costs no bytes")
	get(2)
	get(1)
	require.Equal(t, 2, calls)
	get(3) // drops 2
	require.Equal(t, CacheStats{Bytes: 2 * each, MaxBytes: 2 * each, Partitions: 2, Hits: 2, Misses: 3}, c.Stats())
	get(1)
	require.Equal(t, 3, calls)
	get(2)
	require.Equal(t, 4, calls)
	c.Resize(each)
	require.Equal(t, 1, c.Stats().Partitions)
	get(2)
	require.Equal(t, 4, calls, "the most recent one stays")
	c.Resize(0)
	require.Zero(t, c.Stats().Bytes)
	get(2)
	get(2)
	require.Equal(t, 6, calls, "nothing is kept")
	require.Zero(t, c.kept.Stats().Entries)
	require.Zero(t, c.kept.Stats().Loading)
}

func TestCacheSeparatesKeysAndSkipsWhatIsTooLarge(t *testing.T) {
	c := NewCache(10_000)
	calls := 0
	for _, k := range []cacheKey{{root: "a"}, {root: "b"}, {root: "a", dir: "x"}, {root: "a", remap: "r"}, {root: "a", partition: 1}} {
		_, err := c.get(context.Background(), k, loader(1, &calls))
		require.NoError(t, err)
	}
	require.Equal(t, 5, calls)
	_, err := c.get(context.Background(), cacheKey{root: "large"}, loader(10_000, &calls))
	require.NoError(t, err)
	require.Equal(t, 5, c.Stats().Partitions)
}

func TestCacheLoadsOnceForAllWhoWait(t *testing.T) {
	for _, bytes := range []int64{0, 1 << 20} {
		c := NewCache(bytes)
		var calls atomic.Int32
		start := make(chan struct{})
		var wg sync.WaitGroup
		load := func(context.Context) (ivf.Partition, error) {
			calls.Add(1)
			<-start
			return part(3), nil
		}
		for range 8 {
			wg.Go(func() {
				p, err := c.get(context.Background(), cacheKey{}, load)
				require.NoError(t, err)
				require.Len(t, p.RowIDs, 3)
			})
		}
		for calls.Load() == 0 {
		}
		close(start)
		wg.Wait()
		if bytes > 0 {
			require.EqualValues(t, 1, calls.Load())
		}
	}
}

func TestCacheDoesNotKeepFailures(t *testing.T) {
	c := NewCache(1 << 20)
	broken := errors.New("disk on fire")
	_, err := c.get(context.Background(), cacheKey{}, func(context.Context) (ivf.Partition, error) { return ivf.Partition{}, broken })
	require.ErrorIs(t, err, broken)
	calls := 0
	_, err = c.get(context.Background(), cacheKey{}, loader(1, &calls))
	require.NoError(t, err)
	require.Equal(t, 1, calls)
	func() {
		defer func() { require.NotNil(t, recover()) }()
		_, _ = c.get(context.Background(), cacheKey{partition: 1}, func(context.Context) (ivf.Partition, error) { panic("bug") })
	}()
	_, err = c.get(context.Background(), cacheKey{partition: 1}, loader(1, &calls))
	require.NoError(t, err, "a panic leaves nobody waiting")
}

func TestCacheWaitersSurviveTheLoadersCancellation(t *testing.T) {
	c := NewCache(1 << 20)
	ctx, cancel := context.WithCancel(context.Background())
	loading := make(chan struct{})
	first := make(chan error)
	go func() {
		_, err := c.get(ctx, cacheKey{}, func(ctx context.Context) (ivf.Partition, error) {
			close(loading)
			<-ctx.Done()
			return ivf.Partition{}, ctx.Err()
		})
		first <- err
	}()
	<-loading
	second := make(chan error)
	calls := 0
	go func() {
		_, err := c.get(context.Background(), cacheKey{}, loader(1, &calls))
		second <- err
	}()
	gone, leave := context.WithCancel(context.Background())
	third := make(chan error)
	go func() {
		_, err := c.get(gone, cacheKey{}, loader(1, new(int)))
		third <- err
	}()
	leave()
	err3 := <-third
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
	require.NoError(t, <-second)
	if err3 != nil { // it may have come before the first one asked
		require.ErrorIs(t, err3, context.Canceled)
	}
	require.LessOrEqual(t, calls, 1)
}
