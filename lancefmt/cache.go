package lancefmt

import (
	"context"
	"errors"

	"lanceflight/internal/cache"
	"lanceflight/internal/fault"
)

// metadataCache keeps what was read of a table's metadata, up to a number of bytes but at least the value
// read last, and forgets what was not used for longest. Each value is loaded once, however many ask for
// it at a time.
//
// Values of all kinds share the one bound. Keys of different types never meet, so the type of a key says
// that of its value.
type metadataCache struct {
	kept *cache.Counted[any, keptMetadata]
}

// keptMetadata is a value with its kind forgotten.
type keptMetadata struct {
	value any
	cost  int64
	close func() // may be nil
}

func newCache(maxBytes int64) *metadataCache {
	return &metadataCache{cache.NewCounted(cache.Options[any, keptMetadata]{
		MaxBytes: maxBytes,
		KeepLast: true,
		Cost:     func(_ any, k keptMetadata) int64 { return k.cost },
		Retry: func(err error) bool {
			kind := fault.KindOf(err)
			return kind == fault.Cancelled || kind == fault.DeadlineExceeded
		},
	}, func(k keptMetadata) {
		if k.close != nil {
			k.close()
		}
	})}
}

// loaded is what a load function returns. The cost is an estimate in bytes.
type loaded[V any] struct {
	value V
	cost  int64
	close func() // may be nil
}

// pinned is a value that stays open until release, which must be called once.
type pinned[V any] struct {
	value  V
	handle cache.Handle[any, keptMetadata]
}

func (p pinned[V]) release() { p.handle.Release() }

// get returns the value of a key, loading it if need be.
func get[V any](ctx context.Context, c *metadataCache, key any, load func(ctx context.Context) (loaded[V], error)) (pinned[V], error) {
	if h, ok := c.kept.Get(key); ok {
		return pinned[V]{h.Value().value.(V), h}, nil
	}
	h, err := c.kept.Acquire(ctx, key, func(ctx context.Context) (keptMetadata, error) {
		l, err := load(ctx)
		return keptMetadata{l.value, l.cost, l.close}, err
	})
	if errors.Is(err, cache.ErrClosed) {
		err = fault.New(fault.Internal, "the table is closed")
	}
	if err != nil {
		return pinned[V]{}, err
	}
	return pinned[V]{h.Value().value.(V), h}, nil
}

// shut forgets everything. Pinned values are closed when they are released.
func (c *metadataCache) shut() { c.kept.Close() }

// usage returns the estimated bytes and the number of values in the cache.
func (c *metadataCache) usage() (bytes int64, values int) {
	s := c.kept.Stats()
	return s.Bytes, s.Entries
}
