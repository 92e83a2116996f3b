package exec

import (
	"container/list"
	"context"
	"errors"
	"sync"

	"lanceflight/internal/fault"
)

// openCache keeps indices of one kind open, up to a number of bytes. An index that somebody uses
// is closed when the last user is done. Safe for concurrent use.
type openCache[T interface {
	comparable
	Close() error
}] struct {
	maxBytes int64
	size     func(T) int64

	mu      sync.Mutex
	entries map[indexKey]*list.Element // of *openEntry[T]
	recent  list.List                  // most recent first
	bytes   int64
}

// indexKey names an index: files below a uuid never change, but rows may have moved since.
type indexKey struct {
	store, dir, remap string
}

type openEntry[T any] struct {
	key   indexKey
	ready chan struct{}
	index T
	err   error
	bytes int64
	users int
	open  bool // index is there; the cache's lock guards it, as users and gone
	gone  bool // evicted; the last user closes
}

func newOpenCache[T interface {
	comparable
	Close() error
}](maxBytes int64, size func(T) int64) *openCache[T] {
	return &openCache[T]{maxBytes: maxBytes, size: size, entries: map[indexKey]*list.Element{}}
}

// get returns the index of a key, opened by open if it is not there; release must be called when the caller is done with
// it. Callers that come while an index is being opened wait for it.
func (c *openCache[T]) get(ctx context.Context, key indexKey, open func() (T, error)) (x T, release func(), err error) {
	var none T
	for {
		c.mu.Lock()
		el, ok := c.entries[key]
		if !ok {
			e := &openEntry[T]{key: key, ready: make(chan struct{}), users: 1}
			c.entries[key] = c.recent.PushFront(e)
			c.mu.Unlock()
			c.fill(e, open)
			if e.err != nil {
				return none, nil, e.err
			}
			return e.index, c.releaser(e), nil
		}
		e := el.Value.(*openEntry[T])
		e.users++
		c.recent.MoveToFront(el)
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			c.drop(e)
			return none, nil, context.Cause(ctx)
		case <-e.ready:
		}
		if e.err == nil {
			return e.index, c.releaser(e), nil
		}
		// Failed entries have left the map. If only the opener's own context ended, try again.
		if errors.Is(e.err, context.Canceled) || errors.Is(e.err, context.DeadlineExceeded) {
			continue
		}
		return none, nil, e.err
	}
}

// fill opens the index behind a new entry.
func (c *openCache[T]) fill(e *openEntry[T], open func() (T, error)) {
	e.err = fault.New(fault.Internal, "opening an index was abandoned")
	defer func() {
		c.mu.Lock()
		if e.err != nil {
			if el := c.entries[e.key]; el != nil && el.Value == e {
				c.recent.Remove(el)
				delete(c.entries, e.key)
			}
		} else {
			e.open = true
			e.bytes = c.size(e.index)
			c.bytes += e.bytes
		}
		closing := c.shrink()
		close(e.ready)
		c.mu.Unlock()
		closeAll(closing)
	}()
	e.index, e.err = open()
}

// evict takes a filled entry out of the cache, and appends its index to closing if nobody uses it.
func (c *openCache[T]) evict(el *list.Element, closing []T) []T {
	e := el.Value.(*openEntry[T])
	c.recent.Remove(el)
	delete(c.entries, e.key)
	c.bytes -= e.bytes
	e.gone = true
	if e.users == 0 {
		closing = append(closing, e.index)
	}
	return closing
}

// shrink evicts the least recently used, and returns what nobody uses any more.
func (c *openCache[T]) shrink() (closing []T) {
	for el := c.recent.Back(); el != nil && c.bytes > c.maxBytes && c.recent.Len() > 1; {
		prev := el.Prev()
		if el.Value.(*openEntry[T]).open {
			closing = c.evict(el, closing)
		}
		el = prev
	}
	return closing
}

func (c *openCache[T]) releaser(e *openEntry[T]) func() {
	return sync.OnceFunc(func() { c.drop(e) })
}

func (c *openCache[T]) drop(e *openEntry[T]) {
	c.mu.Lock()
	e.users--
	last := e.gone && e.users == 0
	c.mu.Unlock()
	if last {
		e.index.Close()
	}
}

// clear closes every index that nobody uses; the others are closed by their last user.
func (c *openCache[T]) clear() {
	c.mu.Lock()
	var closing []T
	for el := c.recent.Front(); el != nil; {
		next := el.Next()
		if el.Value.(*openEntry[T]).open {
			closing = c.evict(el, closing)
		}
		el = next
	}
	c.mu.Unlock()
	closeAll(closing)
}

func closeAll[T interface{ Close() error }](indexes []T) {
	for _, x := range indexes {
		x.Close()
	}
}
