package v20

import (
	"math"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding/general"
	"lanceflight/lancefmt/pb/enc20pb"
	"lanceflight/lancefmt/storage"
)

// schemeOf returns the compression of a Flat buffer, 0 for none. The writer also says "none"
// explicitly.
func schemeOf(c *enc20pb.Compression) (general.Scheme, error) {
	switch c.GetScheme() {
	case "none":
		return 0, nil
	case "zstd":
		return general.Zstd, nil
	case "lz4":
		return general.LZ4, nil
	}
	if c == nil {
		return 0, nil
	}
	return 0, fault.New(fault.Unsupported, "the compression scheme %q of a Flat buffer", c.GetScheme())
}

// compressedBuf is a buffer that is compressed as a whole, so that one row costs all of it. The
// column's cache keeps it decompressed for the batches that follow.
type compressedBuf struct {
	cache  *cache
	key    cacheKey
	buf    storage.Range
	scheme general.Scheme
}

// load hands the decompressed bytes, at most limit of them, to use, in a later step. use must not
// write to them.
func (c *compressedBuf) load(j *job, limit int64, use func(data []byte) error) error {
	if data, ok := c.cache.get(c.key).([]byte); ok {
		j.then(func() error { return use(data) })
		return nil
	}
	h := j.want(c.buf)
	j.then(func() error {
		value, err := c.cache.once(j.ctx, c.key, func() (any, int64, error) {
			data, err := general.Decompress(nil, c.scheme, j.span(h).bytes(), int(min(limit, j.limit-j.spent, math.MaxInt)))
			if err != nil {
				return nil, 0, err
			}
			return data, int64(cap(data)), j.charge(int64(len(data)), "a compressed buffer")
		})
		if err != nil {
			return err
		}
		data := value.([]byte)
		return use(data)
	})
	return nil
}
