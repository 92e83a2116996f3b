package indexes

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// opened counts how often it is opened and closed.
type opened struct {
	size           int64
	closed, lateBy *atomic.Int64
	users          atomic.Int64
}

func (o *opened) Close() error {
	o.closed.Add(1)
	o.lateBy.Add(o.users.Load())
	return nil
}

func TestOpenIndexes(t *testing.T) {
	ctx := context.Background()
	var opens, closed, inUse atomic.Int64
	c := newOpenIndexes(300, func(o *opened) int64 { return o.size })
	open := func(context.Context) (*opened, error) {
		opens.Add(1)
		return &opened{size: 100, closed: &closed, lateBy: &inUse}, nil
	}
	key := func(i int) indexKey { return indexKey{store: "s", dir: fmt.Sprint(i)} }

	// Whoever comes while it is opened waits for it.
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			_, release, err := c.get(ctx, key(0), open)
			require.NoError(t, err)
			release()
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, opens.Load())

	// Three of a hundred bytes fit. One that is used outlives its place.
	_, release, err := c.get(ctx, key(0), open)
	require.NoError(t, err)
	for i := 1; i < 10; i++ {
		_, done, err := c.get(ctx, key(i), open)
		require.NoError(t, err)
		done()
		require.LessOrEqual(t, c.kept.Stats().Bytes, int64(300))
	}
	require.EqualValues(t, 10, opens.Load())
	require.EqualValues(t, 6, closed.Load())
	release()
	release()
	require.EqualValues(t, 7, closed.Load())

	// Rows that moved make it another one; an error is not kept.
	_, done, err := c.get(ctx, indexKey{store: "s", dir: "9", remap: "r"}, open)
	require.NoError(t, err)
	done()
	require.EqualValues(t, 11, opens.Load())
	failure := errors.New("no")
	_, _, err = c.get(ctx, key(20), func(context.Context) (*opened, error) { return nil, failure })
	require.ErrorIs(t, err, failure)
	_, done, err = c.get(ctx, key(20), open)
	require.NoError(t, err)
	done()

	// All at once, over more keys than fit: nothing is closed while it is used, and everything in the end.
	for w := range 8 {
		wg.Go(func() {
			for i := range 500 {
				x, release, err := c.get(ctx, key((i*7+w)%12), open)
				if err != nil {
					t.Error(err)
					return
				}
				x.users.Add(1)
				x.users.Add(-1)
				release()
			}
		})
	}
	wg.Wait()
	c.kept.Clear()
	require.Equal(t, opens.Load(), closed.Load())
	require.Zero(t, inUse.Load())
	require.Zero(t, c.kept.Stats().Bytes)
}
