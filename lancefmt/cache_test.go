package lancefmt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
)

// thing counts how often it is open.
type thing struct {
	key    int
	closed atomic.Bool
}

func thingOf(key int, cost int64, open *atomic.Int64) func(context.Context) (loaded[*thing], error) {
	return func(context.Context) (loaded[*thing], error) {
		open.Add(1)
		x := &thing{key: key}
		return loaded[*thing]{value: x, cost: cost, close: func() {
			if x.closed.Swap(true) {
				panic("closed twice")
			}
			open.Add(-1)
		}}, nil
	}
}

func TestCacheForgetsWhatWasNotUsed(t *testing.T) {
	c := newCache(30)
	var open atomic.Int64
	use := func(key int) pinned[*thing] {
		p, err := get(ctx, c, key, thingOf(key, 10, &open))
		require.NoError(t, err)
		require.Equal(t, key, p.value.key)
		require.False(t, p.value.closed.Load())
		return p
	}
	for key := range 3 {
		use(key).release()
	}
	zero := use(0)
	zero.release()
	use(3).release() // 1 was used longest ago
	require.Equal(t, int64(3), open.Load())
	require.Same(t, zero.value, use(0).value)
	bytes, values := c.usage()
	require.Equal(t, int64(30), bytes)
	require.Equal(t, 3, values)

	// Pinned values stay open when they are forgotten. (0 is still pinned by the line above.)
	two := use(2)
	for key := range 10 {
		use(key + 10).release()
	}
	require.False(t, two.value.closed.Load())
	require.False(t, zero.value.closed.Load())
	two.release()
	require.True(t, two.value.closed.Load())
	c.shut()
	require.Equal(t, int64(1), open.Load(), "the one that is pinned")
	_, err := get(ctx, c, 1, thingOf(1, 1, &open))
	require.Equal(t, fault.Internal, fault.KindOf(err))
}

func TestCacheLoadsOnce(t *testing.T) {
	c := newCache(1000)
	gate := make(chan struct{})
	var loads atomic.Int64
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			p, err := get(ctx, c, "k", func(context.Context) (loaded[int], error) {
				loads.Add(1)
				<-gate
				return loaded[int]{value: 7}, nil
			})
			if err != nil || p.value != 7 {
				t.Errorf("%v %v", p.value, err)
				return
			}
			p.release()
		})
	}
	close(gate)
	wg.Wait()
	require.Equal(t, int64(1), loads.Load())
}

func TestCacheKeepsNoErrors(t *testing.T) {
	c := newCache(1000)
	boom := errors.New("boom")
	_, err := get(ctx, c, 1, func(context.Context) (loaded[int], error) { return loaded[int]{}, boom })
	require.Equal(t, boom, err)
	p, err := get(ctx, c, 1, func(context.Context) (loaded[int], error) { return loaded[int]{value: 2}, nil })
	require.NoError(t, err)
	require.Equal(t, 2, p.value)
	p.release()
	require.Panics(t, func() {
		_, _ = get(ctx, c, 2, func(context.Context) (loaded[int], error) { panic("bug") })
	})
	_, values := c.usage()
	require.Equal(t, 1, values)
}

// TestCacheWaitersOutliveACancelledLoader: the cancellation of the one who loads is not theirs.
func TestCacheWaitersOutliveACancelledLoader(t *testing.T) {
	c := newCache(1000)
	loading, cancel := context.WithCancel(ctx)
	started := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := get(loading, c, 1, func(ctx context.Context) (loaded[int], error) {
			close(started)
			<-ctx.Done()
			return loaded[int]{}, ctx.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("loader: %v", err)
		}
	})
	<-started
	wg.Go(func() {
		p, err := get(ctx, c, 1, func(context.Context) (loaded[int], error) { return loaded[int]{value: 5}, nil })
		if err != nil || p.value != 5 {
			t.Errorf("waiter: %v %v", p.value, err)
			return
		}
		p.release()
	})
	// One who gives up waiting gets his own error.
	impatient, stop := context.WithCancel(ctx)
	stop()
	_, err := get(impatient, c, 1, func(context.Context) (loaded[int], error) { return loaded[int]{value: 5}, nil })
	if err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
	cancel()
	wg.Wait()
}

func TestCacheUnderLoad(t *testing.T) {
	c := newCache(50)
	var open atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(worker), 1))
			var held []pinned[*thing]
			for range 2000 {
				key := rng.IntN(30)
				p, err := get(ctx, c, key, thingOf(key, int64(key), &open))
				if err != nil || p.value.key != key || p.value.closed.Load() {
					t.Error(fmt.Sprint("key ", key, " is closed: ", err))
					return
				}
				if held = append(held, p); len(held) > 3 {
					held[0].release()
					held = held[1:]
				}
			}
			for _, p := range held {
				p.release()
			}
		})
	}
	wg.Wait()
	bytes, _ := c.usage()
	require.LessOrEqual(t, bytes, int64(50))
	c.shut()
	require.Zero(t, open.Load())
}
