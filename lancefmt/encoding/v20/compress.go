package v20

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/enc20pb"
	"lanceflight/lancefmt/storage"
)

type scheme uint8

const (
	schemeNone scheme = iota
	schemeZstd
	schemeLZ4
)

// schemeOf returns the compression of a Flat buffer. The writer also says "none" explicitly.
func schemeOf(c *enc20pb.Compression) (scheme, error) {
	if c == nil {
		return schemeNone, nil
	}
	switch c.GetScheme() {
	case "none":
		return schemeNone, nil
	case "zstd":
		return schemeZstd, nil
	case "lz4":
		return schemeLZ4, nil
	}
	return 0, fault.New(fault.Unsupported, "the compression scheme %q of a Flat buffer", c.GetScheme())
}

// compressedBuf is a buffer that is compressed as a whole. The column's cache keeps it decompressed.
type compressedBuf struct {
	cache  *cache
	key    cacheKey
	buf    storage.Range
	scheme scheme
}

// load hands the decompressed bytes to use, in a later step. use must not write to them.
func (c *compressedBuf) load(j *job, use func(data []byte) error) error {
	if data, ok := c.cache.get(c.key).([]byte); ok {
		j.then(func() error { return use(data) })
		return nil
	}
	h := j.want(c.buf)
	j.then(func() error {
		data, err := decompress(j, c.scheme, j.span(h).bytes())
		if err != nil {
			return err
		}
		c.cache.put(c.key, data, int64(len(data)))
		return use(data)
	})
	return nil
}

// decompress returns the bytes of a compressed buffer, on the Go heap. The declared length is
// charged before anything is allocated.
//
// Layouts: lance-encoding 14.0.2, src/encodings/physical/block.rs. zstd: u64 length of the result,
// then a frame; or, from older writers, the frame alone, told apart by the frame's magic number and
// reserved bit. lz4: u32 length of the result, then a block. An empty zstd buffer is empty.
func decompress(j *job, s scheme, src []byte) ([]byte, error) {
	if s == schemeLZ4 {
		if len(src) < 4 {
			return nil, fault.Corruptf("an lz4 buffer of %d bytes", len(src))
		}
		size := int64(binary.LittleEndian.Uint32(src))
		src = src[4:]
		if size > int64(len(src))*255+64 { // lz4 cannot do better
			return nil, fault.Corruptf("an lz4 buffer of %d bytes declares %d bytes", len(src), size)
		}
		if err := j.charge(size, "an lz4 buffer"); err != nil {
			return nil, err
		}
		dst := make([]byte, size)
		n, err := lz4.UncompressBlock(src, dst)
		if err != nil || int64(n) != size {
			return nil, fault.Corruptf("an lz4 buffer of %d bytes does not decompress to the declared %d bytes", len(src), size)
		}
		return dst, nil
	}
	if len(src) == 0 {
		return nil, nil
	}
	if len(src) < 8 || bareFrame(src) {
		return decompressFrame(j, src)
	}
	size := binary.LittleEndian.Uint64(src)
	src = src[8:]
	if size > uint64(j.limit) {
		return nil, j.charge(-1, "a zstd buffer")
	}
	var header zstd.Header
	if err := header.Decode(src); err != nil || header.HasFCS && header.FrameContentSize != size {
		return nil, fault.Corruptf("a zstd buffer of %d bytes declares %d bytes, its frame does not", len(src), size)
	}
	if err := j.charge(int64(size), "a zstd buffer"); err != nil {
		return nil, err
	}
	dst, err := zstdDecoder().DecodeAll(src, make([]byte, 0, size))
	if err != nil || uint64(len(dst)) != size {
		return nil, fault.Corruptf("a zstd buffer of %d bytes does not decompress to the declared %d bytes", len(src), size)
	}
	return dst, nil
}

// bareFrame says whether a zstd frame starts here, rather than a length (RFC 8878, 3.1.1).
func bareFrame(src []byte) bool {
	const magic, reservedBit = 0xFD2FB528, 0x10
	return binary.LittleEndian.Uint32(src) == magic && src[4]&reservedBit == 0
}

// decompressFrame decompresses a frame whose result may have any length.
func decompressFrame(j *job, src []byte) ([]byte, error) {
	d, err := zstd.NewReader(bytes.NewReader(src), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(expandFloor))
	if err != nil {
		return nil, fault.Corruptf("a zstd buffer of %d bytes: %v", len(src), err)
	}
	defer d.Close()
	left := j.limit - j.spent
	dst, err := io.ReadAll(io.LimitReader(d, left))
	if err != nil {
		return nil, fault.Corruptf("a zstd buffer of %d bytes: %v", len(src), err)
	}
	if int64(len(dst)) == left {
		return nil, j.charge(-1, "a zstd buffer")
	}
	return dst, j.charge(int64(len(dst)), "a zstd buffer")
}

// zstdDecoder is shared: DecodeAll is safe for concurrent use, and with the capacity limit it never
// writes more than the declared length.
var zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
})
