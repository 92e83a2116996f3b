package cache

import (
	"context"
	"errors"
)

// errAbandoned is what callers get that waited for a load which panicked.
var errAbandoned = errors.New("the load of a value was abandoned")

// OwnContext reports whether a load failed because the context of the one who loaded ended, which is no
// reason for those who waited to fail.
func OwnContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// AnyError is a Retry for loads that may fail for a reason of the caller's own, such as its limit of
// memory.
func AnyError(error) bool { return true }

// flight is a load under way.
//
// Its fields but for done are guarded by the cache's lock until done is closed, and do not change
// after.
type flight[V any] struct {
	done    chan struct{} // closed when the load has ended
	waiting int           // callers that wait, besides the one who loads
	ended   bool
	entry   *entry[V]
	err     error
}

// load finds a value, or loads it. The caller becomes users users of the value, which is 0 where nobody
// counts them and 1 otherwise.
func (c *core[K, V]) load(ctx context.Context, key K, load func(context.Context) (V, error), users int) (*entry[V], bool, error) {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, false, ErrClosed
		}
		if e, ok := c.kept.Get(key); ok {
			c.stats.Hits++
			e.users += users
			c.mu.Unlock()
			return e, false, nil
		}
		f := c.loading[key]
		if f == nil {
			c.stats.Misses++
			f = &flight[V]{done: make(chan struct{})}
			if c.loading == nil {
				c.loading = map[K]*flight[V]{}
			}
			c.loading[key] = f
			c.mu.Unlock()
			c.fill(ctx, key, f, load, users)
			return f.entry, true, f.err
		}
		c.stats.Waits++
		f.waiting++
		c.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			c.leave(f, users)
			return nil, false, context.Cause(ctx)
		}
		if f.err == nil {
			return f.entry, false, nil
		}
		if !c.opts.Retry(f.err) {
			return nil, false, f.err
		}
		if ctx.Err() != nil {
			return nil, false, context.Cause(ctx)
		}
	}
}

// fill runs the load of a flight. If load panics, those who wait get an error, and the panic goes on.
func (c *core[K, V]) fill(ctx context.Context, key K, f *flight[V], load func(context.Context) (V, error), users int) {
	var e *entry[V]
	err := errAbandoned
	defer func() {
		c.mu.Lock()
		defer c.unlock()
		// The flight is another one, or none, if the key was removed meanwhile.
		current := c.loading[key] == f
		if current {
			delete(c.loading, key)
		}
		f.ended, f.err = true, err
		if err == nil {
			f.entry = e
			e.users = users * (1 + f.waiting)
			if old, ok := c.kept.Peek(key); ok && current {
				c.forget(key, old) // it was put in while this one was loaded
			}
			if current {
				c.keep(key, e)
			}
		}
		close(f.done)
	}()
	value, failed := load(ctx)
	if failed != nil {
		err = failed
		return
	}
	e = &entry[V]{value: value, bytes: c.cost(key, value)}
	err = nil
}

// leave ends a caller's wait.
func (c *core[K, V]) leave(f *flight[V], users int) {
	c.mu.Lock()
	defer c.unlock()
	switch {
	case !f.ended:
		f.waiting--
	case f.err == nil:
		c.unuse(f.entry, users)
	}
}

// unuse takes users of a value away. The lock is held.
func (c *core[K, V]) unuse(e *entry[V], users int) {
	if users == 0 {
		return
	}
	if e.users -= users; e.users == 0 && !e.kept && c.close != nil {
		c.dead = append(c.dead, e)
	}
}
