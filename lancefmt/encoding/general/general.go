// Package general undoes block compression of a whole buffer.
//
//	lz4:   u32 decoded size | one LZ4 block
//	zstd:  u64 decoded size | one Zstandard frame     or, from old writers, a bare frame
//
// The two forms of zstd are told apart as the reference does: a buffer of less than eight bytes, or
// one that begins with the frame magic and a frame header whose reserved bit is clear, is a bare
// frame.
//
// Functions are safe for concurrent use. They share one zstd decoder per process.
//
// Source: lance-encoding 14.0.2, block.rs.
package general

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"lanceflight/internal/fault"
)

// Scheme is a compression algorithm; the numbers are those of the CompressionScheme message.
type Scheme int32

// The algorithms that Lance writes.
const (
	LZ4  Scheme = 1
	Zstd Scheme = 2
)

const (
	// maxLZ4Ratio: a byte of an LZ4 block extends a match by at most 255 bytes.
	maxLZ4Ratio = 255
	// firstGuess bounds the memory taken on the word of a size field alone; the rest is taken when
	// the frame turns out to be that long.
	firstGuess = 4 << 20
	zstdMagic  = 0xFD2FB528
)

// decoder writes at most cap(dst) bytes, so that a frame's own size field cannot make it allocate.
var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxWindow(512<<20))
	if err != nil {
		panic(err) // options are constant
	}
	return d
})

// Check refuses schemes that Decompress does not know.
func Check(s Scheme) error {
	if s != LZ4 && s != Zstd {
		return fault.New(fault.Unsupported, "general compression scheme %d", s)
	}
	return nil
}

// Decompress appends the decoded bytes of src to dst. More than limit of them are corrupt, as is a
// size field that disagrees with the data. An empty zstd buffer decodes to nothing.
func Decompress(dst []byte, s Scheme, src []byte, limit int) ([]byte, error) {
	switch s {
	case LZ4:
		return unLZ4(dst, src, limit)
	case Zstd:
		return unZstd(dst, src, limit)
	}
	return dst, Check(s)
}

// Slack is how many bytes more than it holds a zstd buffer decodes fastest into.
const Slack = 16

// Size returns the size field of a buffer, which nothing has checked yet, or -1 if it has none.
func Size(s Scheme, src []byte) int64 {
	switch {
	case s == LZ4 && len(src) >= 4:
		return int64(binary.LittleEndian.Uint32(src))
	case s == Zstd && !bareFrame(src):
		return int64(binary.LittleEndian.Uint64(src))
	}
	return -1
}

func unLZ4(dst, src []byte, limit int) ([]byte, error) {
	if len(src) < 4 {
		return dst, fault.Corruptf("LZ4 buffer of %d bytes has no size field", len(src))
	}
	size := int64(binary.LittleEndian.Uint32(src))
	src = src[4:]
	// The size is a claim, for which memory is about to be taken: it is held against what the
	// caller expects and what LZ4 can make of so many bytes.
	if size > int64(limit) || size > int64(len(src))*maxLZ4Ratio {
		return dst, fault.Corruptf("LZ4 buffer of %d bytes claims to hold %d, at most %d expected", len(src), size, limit)
	}
	if size == 0 {
		return dst, nil
	}
	at := len(dst)
	dst = slices.Grow(dst, int(size))[:at+int(size)]
	n, err := lz4.UncompressBlock(src, dst[at:])
	if err != nil || int64(n) != size {
		return dst[:at], fault.Corruptf("LZ4 buffer holds %d bytes instead of %d (%v)", n, size, err)
	}
	return dst, nil
}

func unZstd(dst, src []byte, limit int) ([]byte, error) {
	if len(src) == 0 {
		return dst, nil
	}
	size := int64(-1)
	if !bareFrame(src) {
		size = int64(binary.LittleEndian.Uint64(src))
		src = src[8:]
		if size < 0 || size > int64(limit) {
			return dst, fault.Corruptf("zstd buffer claims to hold %d bytes, at most %d expected", uint64(size), limit)
		}
		limit = int(size)
	}
	at := len(dst)
	// room grows while the frame turns out to be longer than expected, up to limit.
	room := min(limit, firstGuess+16*len(src))
	for {
		// The decoder's limit is the capacity, so that must not be larger than meant either. Slack
		// behind what is meant lets it copy in blocks.
		dst = slices.Grow(dst, room+Slack)[: at : at+room+Slack]
		out, err := decoder().DecodeAll(src, dst)
		if err == nil {
			n := len(out) - at
			if size >= 0 && int64(n) != size {
				return dst[:at], fault.Corruptf("zstd buffer holds %d bytes instead of %d", n, size)
			}
			if n > limit {
				return dst[:at], fault.Corruptf("zstd buffer holds %d bytes, at most %d expected", n, limit)
			}
			return out, nil
		}
		tooLong := errors.Is(err, zstd.ErrDecoderSizeExceeded)
		if !tooLong || room == limit {
			return dst[:at], fault.Corruptf("zstd buffer: %v", err)
		}
		room = int(min(int64(limit), 8*int64(room)))
	}
}

// bareFrame reports whether src has no size field of its own. The reference tests bit 4 of the
// frame header for reserved (RFC 8878 has that one at 3, and 4 unused; both are clear in every
// frame).
func bareFrame(src []byte) bool {
	const reserved = 1 << 4
	return len(src) < 8 || binary.LittleEndian.Uint32(src) == zstdMagic && src[4]&reserved == 0
}
