package indexes

import (
	"context"
	"fmt"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/internal/cache"
	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
	"lanceflight/sqlplan/question"
	"lanceflight/vecindex"
	"lanceflight/vecindex/lanceidx"
)

// indexKey names an index: files below a uuid never change as long as the table is the same, but rows may
// have moved since.
type indexKey struct {
	store, dir, remap string
	generation        uint64
}

func keyOf(idx *lancefmt.Index) indexKey {
	return indexKey{store: idx.Store().URI(), dir: idx.Dir(), remap: idx.RemapKey, generation: idx.Generation}
}

// openIndexes keeps indices of one kind open, up to a number of bytes but at least the one used last. An
// index that somebody uses is closed when the last user is done.
type openIndexes[T interface{ Close() error }] struct {
	kept *cache.Counted[indexKey, T]
}

func newOpenIndexes[T interface{ Close() error }](maxBytes int64, size func(T) int64) *openIndexes[T] {
	return &openIndexes[T]{cache.NewCounted(cache.Options[indexKey, T]{
		MaxBytes: maxBytes,
		KeepLast: true,
		Cost:     func(_ indexKey, x T) int64 { return size(x) },
	}, func(x T) { x.Close() })}
}

// get returns the index of a key, opened by open if it is not there. release must be called when the
// caller is done with it, and may be called again. Callers that come while an index is being opened wait
// for it.
func (o *openIndexes[T]) get(
	ctx context.Context, key indexKey, open func(context.Context) (T, error),
) (x T, release func(), err error) {
	h, err := o.kept.Acquire(ctx, key, open)
	if err != nil {
		return x, nil, err
	}
	return h.Value(), sync.OnceFunc(h.Release), nil
}

// Open returns the vector index of a segment; release must be called when the caller is done with it. An
// index of a kind that is not read is fault.Unsupported, a damaged one a fault.CorruptError.
func (c *Cache) Open(ctx context.Context, snap *lancefmt.Snapshot, idx *lancefmt.Index) (x vecindex.Index, release func(), err error) {
	if idx.Err != nil {
		return nil, nil, idx.Err
	}
	return c.vectors.get(ctx, keyOf(idx), func(ctx context.Context) (vecindex.Index, error) {
		return lanceidx.OpenWith(ctx, idx.Store(), idx.Dir(), lanceidx.Options{
			Cache: c.partitions, RemapRow: idx.Remap, RemapKey: idx.RemapKey,
		})
	})
}

// Metric is the metric that a segment of a vector index was built for. Its files are opened, and stay
// open. Errors are as for Open, and are logged.
func (c *Cache) Metric(ctx context.Context, snap *lancefmt.Snapshot, idx *lancefmt.Index) (vecindex.Metric, error) {
	x, release, err := c.Open(ctx, snap, idx)
	if err != nil {
		if ctx.Err() == nil {
			c.Warn(fmt.Sprintf("index segment %s of %s cannot be used: %v", idx.UUID, idx.Name, err))
		}
		return 0, err
	}
	defer release()
	return x.Metric(), nil
}

// Quantized reports whether a segment of a vector index keeps codes of the vectors, which yield estimates of
// distances. Errors are as for Open.
func (c *Cache) Quantized(ctx context.Context, snap *lancefmt.Snapshot, idx *lancefmt.Index) (bool, error) {
	x, release, err := c.Open(ctx, snap, idx)
	if err != nil {
		return false, err
	}
	defer release()
	return x.Approximate(), nil
}

// NumPartitions is the number of partitions of a segment of a vector index. Errors are as for Open.
func (c *Cache) NumPartitions(ctx context.Context, snap *lancefmt.Snapshot, idx *lancefmt.Index) (int, error) {
	x, release, err := c.Open(ctx, snap, idx)
	if err != nil {
		return 0, err
	}
	defer release()
	return x.NumPartitions(), nil
}

// OpenScalar returns a segment of the scalar index that a question is about; release must be called when
// the caller is done with it. Errors are as for Open.
func (c *Cache) OpenScalar(
	ctx context.Context, snap *lancefmt.Snapshot, about *question.Index, seg *lancefmt.Index,
) (x index.Index, release func(), err error) {
	if seg.Err != nil {
		return nil, nil, seg.Err
	}
	return c.scalars.get(ctx, keyOf(seg), func(ctx context.Context) (index.Index, error) {
		return index.Open(ctx, seg.Store(), index.Description{
			Kind:         seg.Kind,
			Dir:          seg.Dir(),
			Details:      seg.Details,
			NoDetails:    seg.TypeURL == "",
			IndexVersion: seg.IndexVersion,
			CreatedAt:    seg.CreatedAt,
			Files:        seg.Files,
			ColumnType:   about.Type,
			Remap:        seg.Remap,
		}, index.Options{Cache: c.pages})
	})
}

// EnoughRows refuses a scalar index that has lost rows: one that has fewer than the fragments that it
// covers.
func EnoughRows(snap *lancefmt.Snapshot, x index.Index, covered *roaring.Bitmap) error {
	n, ok := x.(interface{ NumRows() int64 })
	if ok && n.NumRows() < RowsIn(snap, covered, (*lancefmt.Fragment).NumRows) {
		return fault.Corruptf("the index has %d rows, fewer than the fragments that it covers", n.NumRows())
	}
	return nil
}

// RowsIn adds up the rows of some fragments, as count counts them.
func RowsIn(snap *lancefmt.Snapshot, frags *roaring.Bitmap, count func(*lancefmt.Fragment) int64) (rows int64) {
	for it := frags.Iterator(); it.HasNext(); {
		if f := snap.Fragment(it.Next()); f != nil {
			rows += count(f)
		}
	}
	return rows
}

// liveKey names the rows of a version that a segment has.
type liveKey struct {
	snap *lancefmt.Snapshot
	uuid string
}

// maxLiveSets bounds the sets of live rows kept; each takes an eighth of a byte per row.
const maxLiveSets = 16

func newLiveRows() *cache.Cache[liveKey, *vecindex.RowSet] {
	return cache.New(cache.Options[liveKey, *vecindex.RowSet]{
		MaxBytes: cache.Unbounded, MaxEntries: maxLiveSets, Retry: cache.AnyError,
	})
}

// LiveRows returns the rows that a segment has in a version and that are not deleted, made by build if
// they are not known. The set is shared and must not be changed. c may be nil.
func (c *Cache) LiveRows(
	ctx context.Context, snap *lancefmt.Snapshot, seg *lancefmt.Index, build func() (*vecindex.RowSet, error),
) (*vecindex.RowSet, error) {
	if c == nil {
		return build()
	}
	rows, _, err := c.liveRows.Load(ctx, liveKey{snap, seg.UUID}, func(context.Context) (*vecindex.RowSet, error) { return build() })
	return rows, err
}
