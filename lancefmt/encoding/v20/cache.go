package v20

import "sync"

// cache keeps decoded pieces of a column's pages between reads: dictionaries and decompressed
// buffers. Entries are immutable and live on the Go heap. It is safe for concurrent use; no lock is
// held while an entry is made, so two readers may make the same one.
type cache struct {
	mu      sync.Mutex
	entries []cacheEntry // most recently used first
	bytes   int64
}

type cacheKey struct {
	page int
	node int // number of the node in the page
}

type cacheEntry struct {
	key   cacheKey
	value any
	bytes int64
}

func (c *cache) get(key cacheKey) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, e := range c.entries {
		if e.key == key {
			copy(c.entries[1:i+1], c.entries[:i])
			c.entries[0] = e
			return e.value
		}
	}
	return nil
}

// put adds an entry and drops the least recently used ones beyond cacheBytes, but not the new one.
func (c *cache) put(key cacheKey, value any, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.entries {
		if e.key == key {
			return
		}
	}
	c.entries = append(c.entries, cacheEntry{})
	copy(c.entries[1:], c.entries)
	c.entries[0] = cacheEntry{key, value, bytes}
	c.bytes += bytes
	for n := len(c.entries); n > 1 && (c.bytes > cacheBytes || n > maxCacheEntries); n-- {
		c.bytes -= c.entries[n-1].bytes
		c.entries[n-1] = cacheEntry{}
		c.entries = c.entries[:n-1]
	}
}

// maxCacheEntries keeps the search of the list short.
const maxCacheEntries = 256
