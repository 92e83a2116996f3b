package v20

import (
	"context"
	"sync"
)

// cache keeps decoded pieces of a column's pages between reads: dictionaries and decompressed
// buffers. Entries are immutable and live on the Go heap. It is safe for concurrent use; no lock is
// held while an entry is made. Two readers may make the same one, unless they use once.
type cache struct {
	mu      sync.Mutex
	entries []cacheEntry // most recently used first
	bytes   int64
	making  map[cacheKey]chan struct{} // closed when the entry is made, or has failed
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

// once returns an entry, and makes it if there is none. Readers that meet in one entry wait for the
// first, which is for work worth more than the wait. Where that one fails the next makes it, since what
// failed may have been the first one's own limit. load must not call once.
func (c *cache) once(ctx context.Context, key cacheKey, load func() (value any, bytes int64, err error)) (any, error) {
	for {
		if value := c.get(key); value != nil {
			return value, nil
		}
		busy, mine := c.claim(key)
		if mine {
			defer c.release(key, busy)
			if value := c.get(key); value != nil { // made between the look and the claim
				return value, nil
			}
			value, bytes, err := load()
			if err != nil {
				return nil, err
			}
			c.put(key, value, bytes)
			return value, nil
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// claim makes the caller the one who makes an entry, or returns what to wait for.
func (c *cache) claim(key cacheKey) (busy chan struct{}, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if busy, ok := c.making[key]; ok {
		return busy, false
	}
	if c.making == nil {
		c.making = map[cacheKey]chan struct{}{}
	}
	busy = make(chan struct{})
	c.making[key] = busy
	return busy, true
}

func (c *cache) release(key cacheKey, busy chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.making, key)
	close(busy)
}

// maxCacheEntries keeps the search of the list short.
const maxCacheEntries = 256
