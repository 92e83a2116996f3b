package indexes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/internal/cache"
	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
	"lanceflight/sqlplan/question"
	"lanceflight/vecindex"
	"lanceflight/vecindex/calibrate"
	"lanceflight/vecindex/lanceidx"
)

// Options configure a Cache.
type Options struct {
	// Bytes is about the memory that indices may take; 0 is 256 MiB. Three quarters are for vector
	// indices, of which a quarter is for centroids and codebooks, and one quarter is for scalar indices.
	Bytes int64
	// Log gets a warning for each index that cannot be read, once. nil is none.
	Log *slog.Logger
	// Measure makes searches that a calibration can run, for Calibrate. nil is none, and then Calibrate
	// fails.
	Measure Measure
}

// Cache keeps indices open between statements. Of vector indices it has centroids and codebooks here, and
// their partitions in a lanceidx.Cache. Of scalar indices it has their directories here, and pages and
// bitmaps in a index.Cache. It is safe for concurrent use.
type Cache struct {
	log     *slog.Logger
	measure Measure

	partitions *lanceidx.Cache
	vectors    *openIndexes[vecindex.Index]
	pages      *index.Cache
	scalars    *openIndexes[index.Index]

	liveRows     *cache.Cache[liveKey, *vecindex.RowSet]
	estimates    *cache.Cache[estimateKey, question.Estimate]
	calibrations *cache.Cache[calibrationKey, *calibrate.Calibration]
	filters      *cache.Cache[filterHash, keptFilter]
	warned       *cache.Cache[string, struct{}]
	audits       *cache.Cache[auditKey, *roaring.Bitmap]
	auditing     sync.Mutex

	searches atomic.Int32 // vector searches under way
}

// maxWarned bounds the warnings that are remembered.
const maxWarned = 1000

// New makes an empty cache.
func New(o Options) *Cache {
	if o.Bytes <= 0 {
		o.Bytes = 256 << 20
	}
	part := o.Bytes / 16
	return &Cache{
		log:        o.Log,
		measure:    o.Measure,
		partitions: lanceidx.NewCache(o.Bytes - 7*part),
		vectors: newOpenIndexes(3*part, func(x vecindex.Index) int64 {
			return int64(x.NumPartitions()+256) * int64(x.Dim()) * 4
		}),
		pages:        index.NewCache(3 * part),
		scalars:      newOpenIndexes(part, index.Index.SizeBytes),
		liveRows:     newLiveRows(),
		estimates:    newEstimates(),
		calibrations: newCalibrations(),
		filters:      newFilters(),
		audits:       newAudits(),
		warned:       cache.New(cache.Options[string, struct{}]{MaxBytes: cache.Unbounded, MaxEntries: maxWarned}),
	}
}

// Partitions is the part of the cache that holds partitions, for its counters.
func (c *Cache) Partitions() *lanceidx.Cache { return c.partitions }

// Close closes every index that no search uses; others close with their search. The cache stays usable.
func (c *Cache) Close() error {
	c.liveRows.Clear()
	c.calibrations.Clear()
	c.vectors.kept.Clear()
	c.scalars.kept.Clear()
	return nil
}

// BeginSearch counts a vector search among those under way, and returns their number. EndSearch must be
// called when the search has ended.
func (c *Cache) BeginSearch() int { return int(c.searches.Add(1)) }

// EndSearch is the end of what BeginSearch began.
func (c *Cache) EndSearch() { c.searches.Add(-1) }

// Warn logs a warning that was not logged yet, and returns it. c may be nil.
func (c *Cache) Warn(text string) string {
	if c == nil || c.log == nil {
		return text
	}
	if _, known := c.warned.Get(text); !known && c.warned.Add(text, struct{}{}) {
		c.log.Warn(text)
	}
	return text
}

// Unusable is the remark about a segment of a scalar index that cannot be read.
func Unusable(seg *lancefmt.Index, err error) string {
	return fmt.Sprintf("index %s (segment %s) cannot be used, its rows are scanned: %v", seg.Name, seg.UUID, err)
}

// Doubted is the remark about a segment of an index that does not have what its column has.
func Doubted(seg *lancefmt.Index, rows, fragments int64) string {
	const text = "index %s (segment %s) lacks rows, or has other values than column %s: " +
		"%d rows of %d fragments are looked at one by one"
	return fmt.Sprintf(text, seg.Name, seg.UUID, strings.Join(seg.Fields, ", "), rows, fragments)
}

// Recoverable reports whether an error is about an index, so that reading rows instead can do without it.
func Recoverable(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	switch fault.KindOf(err) {
	case fault.Corrupt, fault.Unsupported, fault.NotFound, fault.Internal:
		return !errors.Is(err, context.Canceled)
	}
	return false
}
