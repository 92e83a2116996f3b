package cache

import (
	"context"
	"errors"
)

// ErrClosed is the error of a cache that was closed.
var ErrClosed = errors.New("the cache is closed")

// A Counted keeps values that must be closed, and counts the users of each. A value is closed once: when
// it was forgotten, and its last user has released it. It is safe for concurrent use.
type Counted[K comparable, V any] struct{ core[K, V] }

// NewCounted makes an empty cache whose values are closed by close, which may call the cache.
func NewCounted[K comparable, V any](o Options[K, V], close func(V)) *Counted[K, V] {
	c := &Counted[K, V]{}
	c.init(o)
	c.close = close
	return c
}

// A Handle is the use of a value of a Counted. The value stays open until Release.
type Handle[K comparable, V any] struct {
	cache *Counted[K, V]
	entry *entry[V]
}

// Value is the value.
func (h Handle[K, V]) Value() V { return h.entry.value }

// Release ends the use. It must be called once.
func (h Handle[K, V]) Release() {
	c := h.cache
	c.mu.Lock()
	c.unuse(h.entry, 1)
	c.unlock()
}

// Acquire returns the value of a key, loading it if it is not kept, as Cache.Load does. After Close the
// error is ErrClosed.
func (c *Counted[K, V]) Acquire(ctx context.Context, key K, load func(context.Context) (V, error)) (Handle[K, V], error) {
	e, _, err := c.load(ctx, key, load, 1)
	if err != nil {
		return Handle[K, V]{}, err
	}
	return Handle[K, V]{c, e}, nil
}

// Get returns the value of a key if it is kept. It is for callers that make a load function only when they
// need one: a miss is not counted, because Acquire follows and counts it.
func (c *Counted[K, V]) Get(key K) (Handle[K, V], bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.kept.Get(key)
	if !ok {
		return Handle[K, V]{}, false
	}
	c.stats.Hits++
	e.users++
	return Handle[K, V]{c, e}, true
}

// Close forgets all values, for good. Those in use are closed by their last user.
func (c *Counted[K, V]) Close() {
	c.mu.Lock()
	defer c.unlock()
	c.closed = true
	c.clear()
}
