package index

import (
	"sync/atomic"

	"lanceflight/internal/cache"
)

// Cache keeps pages and bitmaps of any number of indices, up to a number of bytes, and forgets what was
// not used for longest. Values are immutable and live in the Go heap, so a value that is forgotten
// stays usable by whom it was handed to. It is safe for concurrent use.
type Cache struct {
	// shards have a lock each, so that searches seldom wait for one another.
	shards [cacheShards]*cache.Cache[cacheKey, cacheEntry]
	owners atomic.Uint64
}

const cacheShards = 8

// cacheKey names a value: part number id of a kind that the owner distinguishes.
type cacheKey struct {
	owner uint64
	id    uint32
	part  uint8
}

type cacheEntry struct {
	value any
	bytes int64
}

// entryOverhead is the cost of an entry beside its value.
const entryOverhead = 160

// NewCache makes a cache of maxBytes. It is divided into eight parts; a value larger than a part is
// not kept.
func NewCache(maxBytes int64) *Cache {
	c := new(Cache)
	for i := range c.shards {
		c.shards[i] = cache.New(cache.Options[cacheKey, cacheEntry]{
			MaxBytes: maxBytes / cacheShards,
			Cost:     func(_ cacheKey, e cacheEntry) int64 { return e.bytes + entryOverhead },
		})
	}
	return c
}

// SizeBytes is the sum of the sizes of the values that are kept.
func (c *Cache) SizeBytes() (n int64) {
	for _, s := range c.shards {
		n += s.Stats().Bytes
	}
	return n
}

func (c *Cache) newOwner() uint64 { return c.owners.Add(1) }

func (c *Cache) shard(k cacheKey) *cache.Cache[cacheKey, cacheEntry] {
	return c.shards[(k.id+uint32(k.part)+uint32(k.owner))%cacheShards]
}

func (c *Cache) get(k cacheKey) (any, bool) {
	e, ok := c.shard(k).Get(k)
	return e.value, ok
}

func (c *Cache) put(k cacheKey, value any, bytes int64) { c.shard(k).Add(k, cacheEntry{value, bytes}) }

// drop forgets the values of an owner that is closed.
func (c *Cache) drop(owner uint64) {
	for _, s := range c.shards {
		s.RemoveFunc(func(k cacheKey, _ cacheEntry) bool { return k.owner == owner })
	}
}
