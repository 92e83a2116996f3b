package lanceidx

import (
	"context"
	"sync"

	"lanceflight/internal/cache"
	"lanceflight/vecindex/ivf"
)

// DefaultCacheBytes is the size of the cache that Open uses when it is given none.
const DefaultCacheBytes = 256 << 20

// Cache keeps partitions of vector indices in memory, up to a number of bytes, and forgets those that were
// used least recently. One cache serves a whole process. It is safe for concurrent use.
type Cache struct {
	kept *cache.Cache[cacheKey, ivf.Partition]
}

// cacheKey names a partition: the files of an index never change.
type cacheKey struct {
	root, dir, remap string
	partition        int
}

// entryOverhead is roughly what an entry costs beyond its partition.
const entryOverhead = 256

// NewCache makes an empty cache. Zero or less keeps nothing, but searches that need a partition at the same
// time still share one read.
func NewCache(maxBytes int64) *Cache {
	return &Cache{cache.New(cache.Options[cacheKey, ivf.Partition]{
		MaxBytes: maxBytes,
		Cost: func(_ cacheKey, p ivf.Partition) int64 {
			n := int64(cap(p.Codes)) + 8*int64(cap(p.RowIDs)) + entryOverhead
			if p.Graph != nil {
				n += p.Graph.SizeBytes()
			}
			return n
		},
	})}
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
	s := c.kept.Stats()
	return CacheStats{Bytes: s.Bytes, MaxBytes: s.MaxBytes, Partitions: s.Entries, Hits: s.Hits, Misses: s.Misses}
}

// Resize changes the bound, and forgets what is above it.
func (c *Cache) Resize(maxBytes int64) { c.kept.Resize(maxBytes) }

// get returns a partition, calling load if it is not there. Of callers that ask at the same time one loads,
// the others wait; if it fails because its own context ended, the next one tries.
func (c *Cache) get(ctx context.Context, key cacheKey, load func(context.Context) (ivf.Partition, error)) (ivf.Partition, error) {
	p, loaded, err := c.kept.Load(ctx, key, load)
	if !loaded {
		p.BytesRead = 0 // only the one who loads reads
	}
	return p, err
}
