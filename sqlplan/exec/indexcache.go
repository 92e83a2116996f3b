package exec

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"

	"lanceflight/sqlplan/question"
	"lanceflight/vecindex"
	"lanceflight/vecindex/lanceidx"
)

// IndexCache keeps indices open between queries. Of vector indices it has centroids and codebooks here, and their
// partitions in a lanceidx.Cache; of scalar indices their directories here, and pages and bitmaps in a index.Cache. All are
// bounded; an index that a search still uses is closed when that search ends. One cache serves a process. Safe
// for concurrent use.
type IndexCache struct {
	partitions   *lanceidx.Cache
	vectors      *openCache[vecindex.Index]
	calibrations calibrationCache
	pages        *index.Cache
	scalars      *openCache[index.Index]

	mu      sync.Mutex
	live    map[liveKey]*vecindex.RowSet
	liveAge []liveKey // oldest first
	warned  map[string]bool
	guesses map[guessKey]question.Estimate

	searches atomic.Int32 // vector searches under way
	filters  filterCache

	// Log gets a warning for each index that cannot be read, once; nil = none. Set before the first use.
	Log *slog.Logger
}

// liveKey names the rows of a version that a segment has.
type liveKey struct {
	snap *lancefmt.Snapshot
	uuid string
}

// maxLiveSets bounds the sets of live rows kept; each takes an eighth of a byte per row.
const maxLiveSets = 16

// NewIndexCache makes a cache of about the given size: three quarters for vector indices, of which a quarter for
// centroids and codebooks, and one for scalar indices. 0 is 256 MiB.
func NewIndexCache(bytes int64) *IndexCache {
	if bytes <= 0 {
		bytes = 256 << 20
	}
	part := bytes / 16
	return &IndexCache{
		partitions: lanceidx.NewCache(bytes - 7*part),
		vectors: newOpenCache(3*part, func(x vecindex.Index) int64 {
			return int64(x.NumPartitions()+256) * int64(x.Dim()) * 4
		}),
		pages:   index.NewCache(3 * part),
		scalars: newOpenCache(part, index.Index.SizeBytes),
		live:    map[liveKey]*vecindex.RowSet{},
		warned:  map[string]bool{},
		guesses: map[guessKey]question.Estimate{},
	}
}

// Partitions is the part of the cache that holds partitions, for its counters.
func (c *IndexCache) Partitions() *lanceidx.Cache { return c.partitions }

// Metric is the metric that an index segment was built for. Its files are opened, and stay open. Errors are
// as for Open, and are logged.
func (c *IndexCache) Metric(ctx context.Context, snap *lancefmt.Snapshot, idx *lancefmt.Index) (vecindex.Metric, error) {
	x, release, err := c.Open(ctx, snap, idx)
	if err != nil {
		if ctx.Err() == nil {
			c.warn(fmt.Sprintf("index segment %s of %s cannot be used: %v", idx.UUID, idx.Name, err))
		}
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
	return c.vectors.get(ctx, keyOf(idx), func() (vecindex.Index, error) {
		return lanceidx.OpenWith(ctx, idx.Store(), idx.Dir(), lanceidx.Options{Cache: c.partitions, RemapRow: idx.Remap, RemapKey: idx.RemapKey})
	})
}

func keyOf(idx *lancefmt.Index) indexKey {
	return indexKey{store: idx.Store().URI(), dir: idx.Dir(), remap: idx.RemapKey}
}

// NumPartitions implements logical.Indexes. Errors are as for Open.
func (c *IndexCache) NumPartitions(ctx context.Context, snap *lancefmt.Snapshot, idx *lancefmt.Index) (int, error) {
	x, release, err := c.Open(ctx, snap, idx)
	if err != nil {
		return 0, err
	}
	defer release()
	return x.NumPartitions(), nil
}

// maxWarned bounds the warnings that are remembered.
const maxWarned = 1000

// warn logs a warning that was not logged yet, and returns it.
func (c *IndexCache) warn(text string) string {
	if c == nil || c.Log == nil {
		return text
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.warned[text] {
		if len(c.warned) == maxWarned {
			clear(c.warned)
		}
		c.warned[text] = true
		c.Log.Warn(text)
	}
	return text
}

// Close closes every index that no search uses; others close with their search. The cache stays usable.
func (c *IndexCache) Close() error {
	c.mu.Lock()
	c.live, c.liveAge = map[liveKey]*vecindex.RowSet{}, nil
	c.mu.Unlock()
	c.calibrations.clear()
	c.vectors.clear()
	c.scalars.clear()
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
