package exec

import (
	"container/list"
	"context"
	"errors"
	"sync"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/vecindex"
	"lanceflight/vecindex/lanceidx"
)

// IndexCache keeps vector indices open between queries: their centroids and codebooks here, their
// partitions in a lanceidx.Cache. Both are bounded; an index that a search still uses is closed when
// that search ends. One cache serves a process. Safe for concurrent use.
type IndexCache struct {
	partitions *lanceidx.Cache
	modelBytes int64 // bound

	mu      sync.Mutex
	entries map[indexKey]*list.Element // of *indexEntry
	recent  list.List                  // most recent first
	bytes   int64
	live    map[liveKey]*vecindex.RowSet
	liveAge []liveKey // oldest first
}

// indexKey names an index: files below a uuid never change.
type indexKey struct{ store, dir string }

type indexEntry struct {
	key   indexKey
	ready chan struct{}
	index vecindex.Index
	err   error
	bytes int64
	users int
	gone  bool // evicted; the last user closes
}

// liveKey names the rows of a version that a segment has.
type liveKey struct {
	snap *lancefmt.Snapshot
	uuid string
}

// maxLiveSets bounds the sets of live rows kept; each takes an eighth of a byte per row.
const maxLiveSets = 16

// NewIndexCache makes a cache of about the given size, a quarter of it for centroids and codebooks.
// 0 is 256 MiB.
func NewIndexCache(bytes int64) *IndexCache {
	if bytes <= 0 {
		bytes = 256 << 20
	}
	return &IndexCache{partitions: lanceidx.NewCache(bytes - bytes/4), modelBytes: bytes / 4,
		entries: map[indexKey]*list.Element{}, live: map[liveKey]*vecindex.RowSet{}}
}

// Partitions is the part of the cache that holds partitions, for its counters.
func (c *IndexCache) Partitions() *lanceidx.Cache { return c.partitions }

// Metric is the metric that an index segment was built for. Its files are opened, and stay open. Errors are
// as for Open.
func (c *IndexCache) Metric(ctx context.Context, snap *lancefmt.Snapshot, idx *lancefmt.Index) (vecindex.Metric, error) {
	x, release, err := c.Open(ctx, snap, idx)
	if err != nil {
		return 0, err
	}
	defer release()
	return x.Metric(), nil
}

// Open returns the index of a segment; release must be called when the caller is done with it.
// An index of a kind that is not read is fault.Unsupported, a damaged one a fault.CorruptError.
func (c *IndexCache) Open(ctx context.Context, snap *lancefmt.Snapshot, idx *lancefmt.Index) (x vecindex.Index, release func(), err error) {
	if idx.Err != nil {
		return nil, nil, idx.Err
	}
	key := indexKey{snap.Store().URI(), idx.Dir()}
	for {
		c.mu.Lock()
		el, ok := c.entries[key]
		if !ok {
			e := &indexEntry{key: key, ready: make(chan struct{}), users: 1}
			c.entries[key] = c.recent.PushFront(e)
			c.mu.Unlock()
			c.fill(ctx, e, snap, idx)
			if e.err != nil {
				return nil, nil, e.err
			}
			return e.index, c.releaser(e), nil
		}
		e := el.Value.(*indexEntry)
		e.users++
		c.recent.MoveToFront(el)
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			c.drop(e)
			return nil, nil, context.Cause(ctx)
		case <-e.ready:
		}
		if e.err == nil {
			return e.index, c.releaser(e), nil
		}
		// Failed entries have left the map. If only the opener's own context ended, try again.
		if errors.Is(e.err, context.Canceled) || errors.Is(e.err, context.DeadlineExceeded) {
			continue
		}
		return nil, nil, e.err
	}
}

// fill opens the index behind a new entry.
func (c *IndexCache) fill(ctx context.Context, e *indexEntry, snap *lancefmt.Snapshot, idx *lancefmt.Index) {
	e.err = fault.New(fault.Internal, "opening index %s was abandoned", idx.Name)
	defer func() {
		c.mu.Lock()
		if e.err != nil {
			if el := c.entries[e.key]; el != nil && el.Value == e {
				c.recent.Remove(el)
				delete(c.entries, e.key)
			}
		} else {
			e.bytes = int64(e.index.NumPartitions()+256) * int64(e.index.Dim()) * 4
			c.bytes += e.bytes
		}
		closing := c.shrink()
		close(e.ready)
		c.mu.Unlock()
		closeAll(closing)
	}()
	e.index, e.err = lanceidx.OpenWith(ctx, snap.Store(), idx.Dir(), lanceidx.Options{Cache: c.partitions})
}

// evict takes a filled entry out of the cache, and appends its index to closing if nobody uses it.
func (c *IndexCache) evict(el *list.Element, closing []vecindex.Index) []vecindex.Index {
	e := el.Value.(*indexEntry)
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
func (c *IndexCache) shrink() (closing []vecindex.Index) {
	for el := c.recent.Back(); el != nil && c.bytes > c.modelBytes && c.recent.Len() > 1; {
		prev := el.Prev()
		if el.Value.(*indexEntry).index != nil {
			closing = c.evict(el, closing)
		}
		el = prev
	}
	return closing
}

func (c *IndexCache) releaser(e *indexEntry) func() {
	return sync.OnceFunc(func() { c.drop(e) })
}

func (c *IndexCache) drop(e *indexEntry) {
	c.mu.Lock()
	e.users--
	last := e.gone && e.users == 0 && e.index != nil
	c.mu.Unlock()
	if last {
		e.index.Close()
	}
}

func closeAll(indexes []vecindex.Index) {
	for _, x := range indexes {
		x.Close()
	}
}

// Close closes every index that no search uses; others close with their search. The cache stays usable.
func (c *IndexCache) Close() error {
	c.mu.Lock()
	var closing []vecindex.Index
	for el := c.recent.Front(); el != nil; {
		next := el.Next()
		if el.Value.(*indexEntry).index != nil {
			closing = c.evict(el, closing)
		}
		el = next
	}
	c.live, c.liveAge = map[liveKey]*vecindex.RowSet{}, nil
	c.mu.Unlock()
	closeAll(closing)
	return nil
}

// liveRows returns the set for key, made by build if it is not there. Two callers may build the same
// set at once; that costs time, nothing else.
func (c *IndexCache) liveRows(key liveKey, build func() (*vecindex.RowSet, error)) (*vecindex.RowSet, error) {
	if c != nil {
		c.mu.Lock()
		s := c.live[key]
		c.mu.Unlock()
		if s != nil {
			return s, nil
		}
	}
	s, err := build()
	if err != nil || c == nil {
		return s, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.live[key]; !ok {
		if len(c.liveAge) == maxLiveSets {
			delete(c.live, c.liveAge[0])
			c.liveAge = c.liveAge[1:]
		}
		c.live[key] = s
		c.liveAge = append(c.liveAge, key)
	}
	return s, nil
}
