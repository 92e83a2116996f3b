package lanceidx

import (
	"container/list"
	"context"
	"errors"
	"sync"

	"lanceflight/vecindex/ivf"
)

// DefaultCacheBytes is the size of the cache that Open uses when it is given none.
const DefaultCacheBytes = 256 << 20

// Cache keeps partitions of vector indices in memory, up to a number of bytes, and forgets those that were
// used least recently. One cache serves a whole process. It is safe for concurrent use.
type Cache struct {
	maxBytes int64

	mu      sync.Mutex
	bytes   int64
	entries map[cacheKey]*list.Element // of *cacheEntry
	recent  list.List                  // most recent first; only entries that are filled
	hits    int64
	misses  int64
}

// cacheKey names a partition: the files of an index never change.
type cacheKey struct {
	root, dir, remap string
	partition        int
}

type cacheEntry struct {
	key   cacheKey
	ready chan struct{} // closed when part or err is set
	part  ivf.Partition
	bytes int64
	err   error
}

// NewCache makes an empty cache. Zero or less keeps nothing, but searches that need a partition at the same
// time still share one read.
func NewCache(maxBytes int64) *Cache {
	return &Cache{maxBytes: maxBytes, entries: make(map[cacheKey]*list.Element)}
}

var defaultCache = sync.OnceValue(func() *Cache { return NewCache(DefaultCacheBytes) })

// CacheStats says what a cache holds and how it fared.
type CacheStats struct {
	Bytes, MaxBytes int64
	Partitions      int
	Hits, Misses    int64
}

// Stats returns the counters.
func (c *Cache) Stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return CacheStats{Bytes: c.bytes, MaxBytes: c.maxBytes, Partitions: c.recent.Len(), Hits: c.hits, Misses: c.misses}
}

// Resize changes the bound, and forgets what is above it.
func (c *Cache) Resize(maxBytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.maxBytes = maxBytes
	c.shrink()
}

// get returns a partition, calling load if it is not there. Of callers that ask at the same time one loads,
// the others wait; if it fails because its own context ended, the next one tries.
func (c *Cache) get(ctx context.Context, key cacheKey, load func(context.Context) (ivf.Partition, error)) (ivf.Partition, error) {
	for {
		c.mu.Lock()
		if el, ok := c.entries[key]; ok {
			e := el.Value.(*cacheEntry)
			select {
			case <-e.ready:
				// Filled: failures leave the map.
				c.hits++
				c.recent.MoveToFront(el)
				c.mu.Unlock()
				p := e.part
				p.BytesRead = 0
				return p, nil
			default:
			}
			c.mu.Unlock()
			select {
			case <-ctx.Done():
				return ivf.Partition{}, ctx.Err()
			case <-e.ready:
			}
			if e.err == nil {
				p := e.part
				p.BytesRead = 0
				return p, nil
			}
			if errors.Is(e.err, context.Canceled) || errors.Is(e.err, context.DeadlineExceeded) {
				if err := ctx.Err(); err != nil {
					return ivf.Partition{}, err
				}
				continue
			}
			return ivf.Partition{}, e.err
		}
		c.misses++
		e := &cacheEntry{key: key, ready: make(chan struct{})}
		el := &list.Element{Value: e}
		c.entries[key] = el
		c.mu.Unlock()
		return c.fill(ctx, e, load)
	}
}

// errAbandoned is left behind for waiters if load panics, so that they do not wait for ever.
var errAbandoned = errors.New("reading a partition of a vector index was abandoned")

func (c *Cache) fill(ctx context.Context, e *cacheEntry, load func(context.Context) (ivf.Partition, error)) (ivf.Partition, error) {
	e.err = errAbandoned
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.entries, e.key)
		if e.err == nil && e.bytes <= c.maxBytes {
			c.entries[e.key] = c.recent.PushFront(e)
			c.bytes += e.bytes
			c.shrink()
		}
		close(e.ready)
	}()
	p, err := load(ctx)
	e.part, e.err = p, err
	e.bytes = int64(cap(p.Codes)) + 8*int64(cap(p.RowIDs)) + entryOverhead
	if p.Graph != nil {
		e.bytes += p.Graph.SizeBytes()
	}
	return p, err
}

// entryOverhead is roughly what an entry costs beyond its partition.
const entryOverhead = 256

// shrink forgets the least recent entries until the bound holds.
func (c *Cache) shrink() {
	for c.bytes > c.maxBytes {
		el := c.recent.Back()
		if el == nil {
			return
		}
		e := c.recent.Remove(el).(*cacheEntry)
		delete(c.entries, e.key)
		c.bytes -= e.bytes
	}
}
