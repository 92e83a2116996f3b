package cache

import (
	"context"
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Unbounded is the MaxBytes of a cache that is bounded by its number of values alone.
const Unbounded = math.MaxInt64

// Options say what a cache keeps.
type Options[K comparable, V any] struct {
	// MaxBytes bounds the sum of the costs. Zero or less keeps nothing, except as KeepLast says.
	MaxBytes int64
	// MaxEntries bounds the number of values; 0 is no bound.
	MaxEntries int
	// MaxEntryBytes bounds the cost of one value, so that it does not push out all others. A value
	// that costs more is handed to its callers and not kept. 0 is no bound besides MaxBytes.
	MaxEntryBytes int64
	// KeepLast keeps the value that came in last even if it alone costs more than MaxBytes. It is for
	// values that are needed again and again while they are in use.
	KeepLast bool
	// Cost is what a value costs in bytes. It is asked once, when the value comes in, without a lock.
	// nil is no cost.
	Cost func(K, V) int64
	// Retry reports whether a caller that waited for somebody else's load, which failed with this
	// error, should load itself instead of failing too. nil is OwnContext.
	Retry func(error) bool
}

// A Cache keeps values that need not be closed. It is safe for concurrent use.
type Cache[K comparable, V any] struct{ core[K, V] }

// New makes an empty cache.
func New[K comparable, V any](o Options[K, V]) *Cache[K, V] {
	c := &Cache[K, V]{}
	c.init(o)
	return c
}

// Get returns the value of a key if it is kept.
func (c *Cache[K, V]) Get(key K) (value V, ok bool) {
	c.mu.Lock()
	e, ok := c.kept.Get(key)
	if !ok {
		c.stats.Misses++
		c.mu.Unlock()
		return value, false
	}
	c.stats.Hits++
	c.mu.Unlock()
	return e.value, true
}

// Put keeps a value, in place of the one that the key had. It reports whether the value is kept, which
// it is not if it costs too much.
func (c *Cache[K, V]) Put(key K, value V) bool { return c.put(key, value, true) }

// Add keeps a value unless the key has one already. It reports whether the value is kept.
func (c *Cache[K, V]) Add(key K, value V) bool { return c.put(key, value, false) }

func (c *Cache[K, V]) put(key K, value V, replace bool) bool {
	e := &entry[V]{value: value, bytes: c.cost(key, value)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.kept.Peek(key); ok {
		if !replace {
			return false
		}
		c.forget(key, old)
	}
	return c.keep(key, e)
}

// Load returns the value of a key, loading it if it is not kept; loaded reports whether this call did.
// Callers that come while a value is loaded wait for it. The error is that of load, or that of ctx if
// it ends while the caller waits. Errors are not kept.
func (c *Cache[K, V]) Load(ctx context.Context, key K, load func(context.Context) (V, error)) (value V, loaded bool, err error) {
	e, loaded, err := c.load(ctx, key, load, 0)
	if err != nil {
		return value, loaded, err
	}
	return e.value, loaded, nil
}

// Stats are the counters of a cache since it was made, and what it holds.
type Stats struct {
	Hits      int64 // look-ups that found a value
	Misses    int64 // look-ups that did not
	Waits     int64 // look-ups that found somebody else loading the value
	Evictions int64 // values forgotten because the bounds did not hold
	Entries   int   // values kept
	Loading   int   // values being loaded
	Bytes     int64 // the sum of their costs
	MaxBytes  int64
}

// core is what both kinds of cache are made of.
type core[K comparable, V any] struct {
	opts  Options[K, V]
	close func(V) // of a Counted; nil otherwise

	mu       sync.Mutex
	kept     *simplelru.LRU[K, *entry[V]]
	loading  map[K]*flight[V]
	maxBytes int64
	stats    Stats
	dead     []*entry[V] // forgotten with no user left: to be closed when the lock is free
	closed   bool
}

// entry is a value that is kept, or was kept and is still used.
type entry[V any] struct {
	value V
	bytes int64
	users int  // of a Counted
	kept  bool // in the LRU
}

func (c *core[K, V]) init(o Options[K, V]) {
	lru, err := simplelru.NewLRU[K, *entry[V]](math.MaxInt, nil) // the bounds are kept here, see trim
	if err != nil {
		panic(err) // sizes above zero are none
	}
	if o.Retry == nil {
		o.Retry = OwnContext
	}
	c.opts, c.kept, c.maxBytes = o, lru, o.MaxBytes
}

func (c *core[K, V]) cost(key K, value V) int64 {
	if c.opts.Cost == nil {
		return 0
	}
	return c.opts.Cost(key, value)
}

// keep takes a value in as the one used last, unless it costs too much. The key has none. The lock is
// held.
func (c *core[K, V]) keep(key K, e *entry[V]) bool {
	most := c.opts.MaxEntryBytes
	if c.closed || most > 0 && e.bytes > most || !c.opts.KeepLast && e.bytes > c.maxBytes {
		return false
	}
	if !c.opts.KeepLast && c.maxBytes <= 0 {
		return false
	}
	c.kept.Add(key, e)
	e.kept = true
	c.stats.Bytes += e.bytes
	c.trim()
	return true
}

// trim forgets the values used least recently until the bounds hold. The lock is held.
func (c *core[K, V]) trim() {
	least := 0
	if c.opts.KeepLast {
		least = 1
	}
	most := c.opts.MaxEntries
	for n := c.kept.Len(); n > least && (c.stats.Bytes > c.maxBytes || most > 0 && n > most); n-- {
		key, e, _ := c.kept.GetOldest()
		c.forget(key, e)
		c.stats.Evictions++
	}
}

// forget takes a value out. The lock is held.
func (c *core[K, V]) forget(key K, e *entry[V]) {
	c.kept.Remove(key)
	e.kept = false
	c.stats.Bytes -= e.bytes
	if e.users == 0 && c.close != nil {
		c.dead = append(c.dead, e)
	}
}

// unlock releases the lock, and closes what was forgotten meanwhile.
func (c *core[K, V]) unlock() {
	dead := c.dead
	c.dead = nil
	c.mu.Unlock()
	for _, e := range dead {
		c.close(e.value)
	}
}

// Remove forgets the value of a key. One that is being loaded will not be kept.
func (c *core[K, V]) Remove(key K) {
	c.mu.Lock()
	defer c.unlock()
	delete(c.loading, key)
	if e, ok := c.kept.Peek(key); ok {
		c.forget(key, e)
	}
}

// RemoveFunc forgets the values for which f returns true. f must not call the cache.
func (c *core[K, V]) RemoveFunc(f func(K, V) bool) {
	c.mu.Lock()
	defer c.unlock()
	for _, key := range c.kept.Keys() {
		if e, ok := c.kept.Peek(key); ok && f(key, e.value) {
			c.forget(key, e)
		}
	}
}

// RemoveOldest forgets the values used least recently for as long as f returns true. f must not call
// the cache.
func (c *core[K, V]) RemoveOldest(f func(K, V) bool) {
	c.mu.Lock()
	defer c.unlock()
	for key, e, ok := c.kept.GetOldest(); ok && f(key, e.value); key, e, ok = c.kept.GetOldest() {
		c.forget(key, e)
	}
}

// Resize changes the bound, and forgets what is above it.
func (c *core[K, V]) Resize(maxBytes int64) {
	c.mu.Lock()
	defer c.unlock()
	c.maxBytes = maxBytes
	c.trim()
}

// Clear forgets all values. Those that are being loaded will not be kept. The cache stays usable.
func (c *core[K, V]) Clear() {
	c.mu.Lock()
	defer c.unlock()
	c.clear()
}

func (c *core[K, V]) clear() {
	clear(c.loading)
	for key, e, ok := c.kept.GetOldest(); ok; key, e, ok = c.kept.GetOldest() {
		c.forget(key, e)
	}
}

// Stats returns the counters.
func (c *core[K, V]) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Entries, s.Loading, s.MaxBytes = c.kept.Len(), len(c.loading), c.maxBytes
	return s
}
