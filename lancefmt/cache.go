package lancefmt

import (
	"container/list"
	"context"
	"sync"

	"lanceflight/internal/fault"
)

// cache keeps what was read of a table's metadata, up to a number of bytes, and forgets what was
// not used for longest. Each value is loaded once, however many ask for it at a time.
//
// A value is pinned while somebody holds it: it may be forgotten, but is closed only after the last
// release. Costs are estimates made when a value is loaded.
type cache struct {
	maxBytes int64

	mu      sync.Mutex
	entries map[any]*entry
	recent  *list.List // of *entry, most recently used first; loaded ones only
	bytes   int64
	closed  bool
}

type entry struct {
	key   any
	ready chan struct{} // closed when loaded
	value any
	err   error
	cost  int64
	close func() // may be nil

	pins int
	at   *list.Element // nil if forgotten
}

func newCache(maxBytes int64) *cache {
	return &cache{maxBytes: maxBytes, entries: make(map[any]*entry), recent: list.New()}
}

// loaded is what a load function returns.
type loaded[V any] struct {
	value V
	cost  int64  // bytes
	close func() // may be nil
}

// pinned is a value that stays open until release, which must be called once.
type pinned[V any] struct {
	value V
	c     *cache
	e     *entry
}

func (p pinned[V]) release() { p.c.unpin(p.e) }

// get returns the value of a key, loading it if need be. Keys of different types never meet.
func get[V any](ctx context.Context, c *cache, key any, load func(ctx context.Context) (loaded[V], error)) (pinned[V], error) {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return pinned[V]{}, fault.New(fault.Internal, "the table is closed")
		}
		e, ok := c.entries[key]
		if !ok {
			e = &entry{key: key, ready: make(chan struct{}), pins: 1}
			c.entries[key] = e
			c.mu.Unlock()
			c.fill(e, func() (any, int64, func(), error) {
				l, err := load(ctx)
				return l.value, l.cost, l.close, err
			})
			if e.err != nil {
				return pinned[V]{}, e.err
			}
			return pinned[V]{e.value.(V), c, e}, nil
		}
		e.pins++
		if e.at != nil {
			c.recent.MoveToFront(e.at)
		}
		c.mu.Unlock()
		select {
		case <-e.ready:
		default:
			select {
			case <-e.ready:
			case <-ctx.Done():
				c.unpin(e)
				return pinned[V]{}, ctx.Err()
			}
		}
		if e.err == nil {
			return pinned[V]{e.value.(V), c, e}, nil
		}
		err := e.err
		c.unpin(e)
		// The one who loaded was cancelled; this one was not, and tries itself.
		if kind := fault.KindOf(err); (kind != fault.Cancelled && kind != fault.DeadlineExceeded) || ctx.Err() != nil {
			return pinned[V]{}, err
		}
	}
}

// fill loads an entry whose pin the caller holds. A panic of load leaves an error behind for those
// who wait.
func (c *cache) fill(e *entry, load func() (any, int64, func(), error)) {
	e.err = fault.New(fault.Internal, "loading was interrupted")
	defer func() {
		c.mu.Lock()
		if e.err != nil {
			delete(c.entries, e.key)
		} else if c.closed {
			delete(c.entries, e.key) // and closed by its last release
		} else {
			e.at = c.recent.PushFront(e)
			c.bytes += e.cost
		}
		close(e.ready)
		dead := c.evict()
		c.mu.Unlock()
		closeAll(dead)
	}()
	e.value, e.cost, e.close, e.err = load()
}

// evict forgets entries until the rest fits; it returns those that are to be closed now.
func (c *cache) evict() (dead []*entry) {
	for c.bytes > c.maxBytes && c.recent.Len() > 1 {
		e := c.recent.Back().Value.(*entry)
		c.forget(e)
		if e.pins == 0 {
			dead = append(dead, e)
		}
	}
	return dead
}

func (c *cache) forget(e *entry) {
	c.recent.Remove(e.at)
	e.at = nil
	c.bytes -= e.cost
	if c.entries[e.key] == e {
		delete(c.entries, e.key)
	}
}

func (c *cache) unpin(e *entry) {
	c.mu.Lock()
	e.pins--
	last := e.pins == 0 && e.at == nil && e.err == nil
	c.mu.Unlock()
	if last && e.close != nil {
		e.close()
	}
}

// shut forgets everything. Pinned values are closed when they are released.
func (c *cache) shut() {
	c.mu.Lock()
	c.closed = true
	var dead []*entry
	for c.recent.Len() > 0 {
		e := c.recent.Back().Value.(*entry)
		c.forget(e)
		if e.pins == 0 {
			dead = append(dead, e)
		}
	}
	c.mu.Unlock()
	closeAll(dead)
}

// usage returns the estimated bytes and the number of values in the cache.
func (c *cache) usage() (bytes int64, values int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes, c.recent.Len()
}

func closeAll(dead []*entry) {
	for _, e := range dead {
		if e.close != nil {
			e.close()
		}
	}
}
