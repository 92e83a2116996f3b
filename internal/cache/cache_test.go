package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

func self(_, v int) int64 { return int64(v) }

func give(v int) func(context.Context) (int, error) {
	return func(context.Context) (int, error) { return v, nil }
}

func TestBounds(t *testing.T) {
	c := New(Options[int, int]{MaxBytes: 30, MaxEntries: 4, MaxEntryBytes: 20, Cost: self})
	for k := range 3 {
		require.True(t, c.Put(k, 10))
	}
	_, ok := c.Get(0)
	require.True(t, ok)
	require.True(t, c.Put(3, 10))
	_, ok = c.Get(1)
	require.False(t, ok, "used least recently")
	require.Equal(t, Stats{Hits: 1, Misses: 1, Evictions: 1, Entries: 3, Bytes: 30, MaxBytes: 30}, c.Stats())

	require.False(t, c.Put(4, 21), "too large, and it pushes out none")
	require.Equal(t, 3, c.Stats().Entries)
	require.False(t, c.Add(3, 5), "there is one")
	require.True(t, c.Put(3, 5))
	v, ok := c.Get(3)
	require.True(t, ok)
	require.Equal(t, 5, v)
	require.EqualValues(t, 25, c.Stats().Bytes)
	require.False(t, c.Put(3, 25), "what is too large takes the place of none, but the old value is wrong")
	_, ok = c.Get(3)
	require.False(t, ok)

	for k := range 10 {
		c.Put(k, 1)
	}
	require.Equal(t, 4, c.Stats().Entries)
	c.Resize(2)
	require.Equal(t, 2, c.Stats().Entries)
	c.Resize(0)
	require.Zero(t, c.Stats().Entries)
	require.False(t, c.Put(1, 0), "nothing is kept")
}

func TestKeepLast(t *testing.T) {
	c := New(Options[int, int]{KeepLast: true, Cost: self})
	for k := range 3 {
		require.True(t, c.Put(k, 10))
		require.Equal(t, 1, c.Stats().Entries)
	}
	_, ok := c.Get(2)
	require.True(t, ok)
}

func TestRemove(t *testing.T) {
	c := New(Options[int, int]{MaxBytes: Unbounded, Cost: self})
	fill := func() {
		for k := range 6 {
			c.Put(k, k)
		}
	}
	fill()
	c.Remove(3)
	c.Remove(9)
	require.EqualValues(t, 12, c.Stats().Bytes)
	c.RemoveFunc(func(k, _ int) bool { return k%2 == 0 })
	require.EqualValues(t, 6, c.Stats().Bytes)
	fill()
	c.Get(0)
	c.RemoveOldest(func(k, _ int) bool { return k < 4 })
	require.Equal(t, 3, c.Stats().Entries, "4, 5 and 0, which was used last")
	c.Clear()
	require.Zero(t, c.Stats().Entries)
	require.Zero(t, c.Stats().Bytes)
	require.Zero(t, c.Stats().Evictions, "that is what bounds do")
	require.True(t, c.Put(1, 1))
}

func TestLoadOnceForAllWhoWait(t *testing.T) {
	for _, most := range []int64{0, 100} {
		c := New(Options[string, int]{MaxBytes: most})
		gate := make(chan struct{})
		var loads atomic.Int64
		var wg sync.WaitGroup
		load := func(context.Context) (int, error) {
			loads.Add(1)
			<-gate
			return 7, nil
		}
		for range 10 {
			wg.Go(func() {
				v, _, err := c.Load(ctx, "k", load)
				if err != nil || v != 7 {
					t.Errorf("%v %v", v, err)
				}
			})
		}
		for c.Stats().Waits < 9 {
		}
		close(gate)
		wg.Wait()
		require.EqualValues(t, 1, loads.Load())
		require.EqualValues(t, 1, c.Stats().Misses)
	}
}

func TestErrorsAreNotKept(t *testing.T) {
	c := New(Options[int, int]{MaxBytes: 100})
	boom := errors.New("boom")
	_, loaded, err := c.Load(ctx, 1, func(context.Context) (int, error) { return 0, boom })
	require.ErrorIs(t, err, boom)
	require.True(t, loaded)
	v, loaded, err := c.Load(ctx, 1, give(2))
	require.NoError(t, err)
	require.True(t, loaded)
	require.Equal(t, 2, v)
	_, loaded, _ = c.Load(ctx, 1, give(3))
	require.False(t, loaded)
	require.Panics(t, func() { _, _, _ = c.Load(ctx, 2, func(context.Context) (int, error) { panic("bug") }) })
	v, _, err = c.Load(ctx, 2, give(4))
	require.NoError(t, err)
	require.Equal(t, 4, v, "a panic leaves nobody waiting")
}

// waitFor returns when n callers have come to wait.
func waitFor(n int64, stats func() Stats) {
	for stats().Waits < n {
	}
}

func TestWaitersAndFailures(t *testing.T) {
	boom := errors.New("boom")
	for _, test := range []struct {
		name  string
		retry func(error) bool
		err   error
		want  error
	}{
		{"the context of the one who loads is its own", nil, context.Canceled, nil},
		{"other errors are shared", nil, boom, boom},
		{"unless they may be the loader's own", AnyError, boom, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := New(Options[int, int]{MaxBytes: 100, Retry: test.retry})
			fail := make(chan error)
			go func() { _, _, _ = c.Load(ctx, 1, func(context.Context) (int, error) { return 0, <-fail }) }()
			for c.Stats().Misses == 0 {
			}
			results := make(chan error)
			for range 3 {
				go func() {
					v, _, err := c.Load(ctx, 1, give(5))
					if err == nil && v != 5 {
						err = fmt.Errorf("got %d", v)
					}
					results <- err
				}()
			}
			waitFor(3, c.Stats)
			fail <- test.err
			for range 3 {
				require.Equal(t, test.want, <-results)
			}
		})
	}
}

func TestWhoGivesUpDisturbsNobody(t *testing.T) {
	var open atomic.Int64
	c := NewCounted(Options[int, int]{MaxBytes: 100}, func(int) { open.Add(-1) })
	gate := make(chan struct{})
	load := func(context.Context) (int, error) {
		<-gate
		open.Add(1)
		return 5, nil
	}
	results := make(chan error, 3)
	use := func(ctx context.Context) {
		h, err := c.Acquire(ctx, 1, load)
		if err == nil {
			h.Release()
		}
		results <- err
	}
	go use(ctx)
	for c.Stats().Misses == 0 {
	}
	reason := errors.New("tired")
	tired, leave := context.WithCancelCause(ctx)
	go use(tired)
	go use(ctx)
	waitFor(2, c.Stats)
	leave(reason)
	require.Equal(t, reason, <-results)
	close(gate)
	require.NoError(t, <-results)
	require.NoError(t, <-results)
	require.EqualValues(t, 1, open.Load())
	c.Close()
	require.Zero(t, open.Load())
}

func TestWhatIsRemovedWhileItIsLoadedIsNotKept(t *testing.T) {
	for name, remove := range map[string]func(*Counted[int, int]){
		"Remove": func(c *Counted[int, int]) { c.Remove(1) },
		"Clear":  func(c *Counted[int, int]) { c.Clear() },
		"Close":  func(c *Counted[int, int]) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			var closed atomic.Int64
			c := NewCounted(Options[int, int]{MaxBytes: 100}, func(int) { closed.Add(1) })
			h, err := c.Acquire(ctx, 1, func(context.Context) (int, error) {
				remove(c)
				return 1, nil
			})
			require.NoError(t, err)
			require.Zero(t, c.Stats().Entries)
			require.Zero(t, closed.Load())
			h.Release()
			require.EqualValues(t, 1, closed.Load())
			h, err = c.Acquire(ctx, 1, give(2))
			if name == "Close" {
				require.ErrorIs(t, err, ErrClosed)
				return
			}
			require.NoError(t, err)
			require.Equal(t, 2, h.Value())
			h.Release()
			require.Equal(t, 1, c.Stats().Entries)
		})
	}
}

// thing knows whether it was closed.
type thing struct {
	key, size int
	closed    atomic.Bool
}

// TestUnderLoad uses more keys than fit from many goroutines: nothing is closed while it is used, and
// everything is closed once in the end.
func TestUnderLoad(t *testing.T) {
	var open atomic.Int64
	o := Options[int, *thing]{MaxBytes: 50, MaxEntryBytes: 25, Cost: func(_ int, x *thing) int64 { return int64(x.size) }}
	c := NewCounted(o, func(x *thing) {
		if x.closed.Swap(true) {
			panic("closed twice")
		}
		open.Add(-1)
	})
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(worker), 1))
			var held []Handle[int, *thing]
			for range 2000 {
				ctx, cancel := context.WithCancel(ctx)
				if rng.IntN(10) == 0 {
					go cancel()
				}
				key := rng.IntN(30)
				h, err := c.Acquire(ctx, key, func(ctx context.Context) (*thing, error) {
					if rng.IntN(10) == 0 {
						return nil, context.Canceled
					}
					open.Add(1)
					return &thing{key: key, size: key}, nil
				})
				cancel()
				switch {
				case err == nil:
					held = append(held, h)
				case !errors.Is(err, context.Canceled):
					t.Error(err)
				}
				for _, h := range held {
					if h.Value().closed.Load() {
						t.Error("closed in use")
					}
				}
				if len(held) > 3 {
					held[0].Release()
					held = held[1:]
				}
				switch rng.IntN(100) {
				case 0:
					c.Clear()
				case 1:
					c.Remove(key)
				case 2:
					c.Resize(int64(30 + rng.IntN(20)))
				}
				if s := c.Stats(); s.Bytes > 50 {
					t.Errorf("%d bytes", s.Bytes)
				}
			}
			for _, h := range held {
				h.Release()
			}
		})
	}
	wg.Wait()
	c.Close()
	require.Zero(t, open.Load())
	require.Zero(t, c.Stats().Bytes)
}
