package index

import (
	"container/list"
	"sync"
	"sync/atomic"
)

// Cache keeps pages and bitmaps of any number of indices, up to a number of bytes, and forgets what was
// not used for longest. Values are immutable and live in the Go heap, so a value that is forgotten
// stays usable by whom it was handed to. Safe for concurrent use.
type Cache struct {
	shards [cacheShards]cacheShard
	owners atomic.Uint64
}

const cacheShards = 8

type cacheShard struct {
	mu              sync.Mutex
	entries         map[cacheKey]*list.Element
	recent          *list.List // of cacheEntry, most recently used first
	bytes, maxBytes int64
}

// cacheKey names a value: part number id of a kind that the owner distinguishes.
type cacheKey struct {
	owner uint64
	id    uint32
	part  uint8
}

type cacheEntry struct {
	key   cacheKey
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
		c.shards[i] = cacheShard{entries: map[cacheKey]*list.Element{}, recent: list.New(), maxBytes: maxBytes / cacheShards}
	}
	return c
}

// SizeBytes is the sum of the sizes of the values that are kept.
func (c *Cache) SizeBytes() (n int64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += s.bytes
		s.mu.Unlock()
	}
	return n
}

func (c *Cache) newOwner() uint64 { return c.owners.Add(1) }

func (c *Cache) shard(k cacheKey) *cacheShard {
	return &c.shards[(k.id+uint32(k.part)+uint32(k.owner))%cacheShards]
}

func (c *Cache) get(k cacheKey) (any, bool) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[k]
	if !ok {
		return nil, false
	}
	s.recent.MoveToFront(e)
	return e.Value.(cacheEntry).value, true
}

func (c *Cache) put(k cacheKey, value any, bytes int64) {
	bytes += entryOverhead
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.entries[k]; ok || bytes > s.maxBytes {
		return
	}
	for s.bytes+bytes > s.maxBytes {
		s.remove(s.recent.Back())
	}
	s.entries[k] = s.recent.PushFront(cacheEntry{k, value, bytes})
	s.bytes += bytes
}

func (s *cacheShard) remove(e *list.Element) {
	x := s.recent.Remove(e).(cacheEntry)
	delete(s.entries, x.key)
	s.bytes -= x.bytes
}

// drop forgets the values of an owner that is closed.
func (c *Cache) drop(owner uint64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for e := s.recent.Front(); e != nil; {
			next := e.Next()
			if e.Value.(cacheEntry).key.owner == owner {
				s.remove(e)
			}
			e = next
		}
		s.mu.Unlock()
	}
}
