package v20

import (
	"context"
	"sync"

	caches "lanceflight/internal/cache"
)

// cache keeps decoded pieces of a column's pages between reads: dictionaries and decompressed
// buffers. Entries are immutable and live on the Go heap. It is safe for concurrent use; no lock is
// held while an entry is made. Two readers may make the same one, unless they use once. The zero value
// is empty, and takes little memory until something is kept.
type cache struct {
	start sync.Once
	kept  *caches.Cache[cacheKey, cacheEntry]
}

type cacheKey struct {
	page int
	node int // number of the node in the page
}

type cacheEntry struct {
	value any
	bytes int64
}

// maxCacheEntries bounds what entries take that are small, besides their bytes.
const maxCacheEntries = 256

func (c *cache) entries() *caches.Cache[cacheKey, cacheEntry] {
	c.start.Do(func() {
		c.kept = caches.New(caches.Options[cacheKey, cacheEntry]{
			MaxBytes:   cacheBytes,
			MaxEntries: maxCacheEntries,
			KeepLast:   true,
			Cost:       func(_ cacheKey, e cacheEntry) int64 { return e.bytes },
			// What failed may have been the first reader's own limit.
			Retry: caches.AnyError,
		})
	})
	return c.kept
}

// get returns an entry, or nil.
func (c *cache) get(key cacheKey) any {
	e, _ := c.entries().Get(key)
	return e.value
}

// put adds an entry and drops the least recently used ones beyond cacheBytes, but not the new one.
func (c *cache) put(key cacheKey, value any, bytes int64) {
	c.entries().Add(key, cacheEntry{value, bytes})
}

// once returns an entry, and makes it if there is none. Readers that meet in one entry wait for the
// first, which is for work worth more than the wait. Where that one fails the next makes it. load must
// not call once.
func (c *cache) once(ctx context.Context, key cacheKey, load func() (value any, bytes int64, err error)) (any, error) {
	e, _, err := c.entries().Load(ctx, key, func(context.Context) (cacheEntry, error) {
		value, bytes, err := load()
		return cacheEntry{value, bytes}, err
	})
	return e.value, err
}
