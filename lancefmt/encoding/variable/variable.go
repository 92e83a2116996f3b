// Package variable reads the two forms in which strings and bytes stand beside their offsets.
//
//	chunk:  offset 0 … offset n | bytes          offsets count from the start of the chunk
//	block:  header | offset 0 … offset n | bytes  offsets count from the start of the bytes
//	        header: u32 32, u32 start of bytes   or   u64 64, u64 start of bytes
//	        old:    u8 32, u32 values, u32 start  or   u8 64, u64 values, u64 start
//
// Offsets have 32 or 64 bits. A View points into the caller's buffer; it is immutable and safe for
// concurrent use as long as the buffer is.
//
// Source: lance-encoding 14.0.2, binary.rs.
package variable

import (
	"encoding/binary"
	"math"
	"unsafe"

	"lanceflight/internal/fault"
)

// View is n values: n+1 offsets and the bytes that they count into. Its offsets are checked by
// Check and Append, not when it is made, so that taking one value from a chunk of thousands costs
// one look. Bytes and Value check those that they use.
type View struct {
	offsets []byte // n+1 words
	data    []byte // what offsets count into
	word    int    // bytes of an offset
	n       int
}

// ChunkView reads a mini-block chunk of n values. Its offsets count from the start of b, so that
// the first one is at least the size of all offsets. A chunk without values may have no bytes at
// all.
func ChunkView(b []byte, bitsPerOffset, n int) (View, error) {
	v := View{data: b, word: bitsPerOffset / 8, n: n}
	if bitsPerOffset != 32 && bitsPerOffset != 64 {
		return View{}, fault.New(fault.Unsupported, "offsets of %d bits", bitsPerOffset)
	}
	if n < 0 || n >= len(b)/v.word {
		if n == 0 && len(b) == 0 {
			return View{word: v.word, offsets: make([]byte, 8)}, nil
		}
		return View{}, fault.Corruptf("chunk of %d bytes cannot hold the offsets of %d values", len(b), n)
	}
	v.offsets = b[:(n+1)*v.word]
	if first := v.Offset(0); first < uint64(len(v.offsets)) {
		return View{}, fault.Corruptf("bytes of the first value at %d overlap the %d bytes of offsets", first, len(v.offsets))
	}
	return v, nil
}

// BlockView reads a block of n values, such as a dictionary. Its first offset is 0, and its header
// says where the bytes begin, which must be directly behind the offsets.
//
// For "ab" and "c":
//
//	20000000 14000000 | 00000000 02000000 03000000 | 616263
func BlockView(b []byte, n int) (View, error) {
	if len(b) < 4 {
		return View{}, fault.Corruptf("block of %d bytes has no header", len(b))
	}
	old := b[1] != 0 || b[2] != 0 || b[3] != 0 // the count of the old form, the high bytes of the width now
	v := View{word: int(b[0]) / 8, n: n}
	if b[0] != 32 && b[0] != 64 {
		return View{}, fault.Corruptf("offsets of %d bits", b[0])
	}
	header := 2 * v.word
	if old {
		header = 1 + 2*v.word
	}
	if len(b) < header {
		return View{}, fault.Corruptf("block of %d bytes has no header", len(b))
	}
	start := word(b[header-v.word:], v.word)
	if start > uint64(len(b)) || start < uint64(header) || n < 0 || n >= math.MaxInt32 ||
		start-uint64(header) != uint64(n+1)*uint64(v.word) {
		return View{}, fault.Corruptf("offsets of %d values lie at %d..%d in a block of %d bytes", n, header, start, len(b))
	}
	v.offsets, v.data = b[header:start], b[start:]
	if first := v.Offset(0); first != 0 {
		return View{}, fault.Corruptf("first offset is %d instead of 0", first)
	}
	return v, nil
}

// NewView is a view of values whose offsets, one more than values, have been decoded. It keeps
// both. The offsets are viewed as the little-endian bytes that they are in memory.
func NewView(offsets []uint64, data []byte) View {
	return View{offsets: unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(offsets))), 8*len(offsets)), data: data,
		word: 8, n: len(offsets) - 1}
}

func word(b []byte, n int) uint64 {
	if n == 4 {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// Offset returns offset i, unchecked; i is at most Len.
func (v View) Offset(i int) uint64 { return word(v.offsets[i*v.word:], v.word) }

// Len returns the number of values.
func (v View) Len() int { return v.n }

// Value returns the bytes of value i, which must be below Len.
func (v View) Value(i int) ([]byte, error) {
	return v.slice(i, i+1)
}

// Bytes returns the bytes of values from..to, which lie one behind the other if offsets ascend.
func (v View) Bytes(from, to int) ([]byte, error) { return v.slice(from, to) }

func (v View) slice(from, to int) ([]byte, error) {
	lo, hi := v.Offset(from), v.Offset(to)
	if lo > hi || hi > uint64(len(v.data)) {
		return nil, fault.Corruptf("values %d..%d lie at %d..%d of %d bytes", from, to, lo, hi, len(v.data))
	}
	return v.data[lo:hi], nil
}

// Append appends to ends the ends of values from..to, counted from base, the end of what precedes
// them, and returns the bytes of those values, which lie one behind the other. ends must have room.
// An end beyond limit is fault.ResourceExhausted: the target's offsets are too narrow.
func Append[T int32 | int64](v View, ends []T, base int64, from, to int, limit int64) ([]T, []byte, error) {
	data, err := v.slice(from, to)
	if err != nil {
		return ends, nil, err
	}
	if err := CheckEnd(base+int64(len(data)), limit); err != nil {
		return ends, nil, err
	}
	first := v.Offset(from)
	last := first
	delta := base - int64(first)
	at := len(ends)
	ends = ends[:at+to-from]
	out := ends[at:]
	// One flag for all offsets is cheaper than a branch for each.
	ok := true
	if v.word == 4 {
		src := v.offsets[(from+1)*4 : (to+1)*4]
		prev := uint32(last)
		for i := range out {
			o := binary.LittleEndian.Uint32(src[4*i:])
			ok = ok && o >= prev
			prev = o
			out[i] = T(int64(o) + delta)
		}
	} else {
		src := v.offsets[(from+1)*8 : (to+1)*8]
		for i := range out {
			o := binary.LittleEndian.Uint64(src[8*i:])
			ok = ok && o >= last
			last = o
			out[i] = T(int64(o) + delta)
		}
	}
	if !ok {
		return ends[:at], nil, fault.Corruptf("offsets of values %d..%d do not ascend", from, to)
	}
	return ends, data, nil
}

// CheckEnd refuses an end of values that offsets of the target type cannot hold.
func CheckEnd(end, limit int64) error {
	if end > limit {
		return fault.New(fault.ResourceExhausted,
			"%d bytes of text in one array, at most %d fit its offsets: read fewer rows at a time", end, limit)
	}
	return nil
}

// Check verifies all offsets, after which Value cannot fail.
func (v View) Check() error {
	last := v.Offset(0)
	for i := 1; i <= v.n; i++ {
		o := v.Offset(i)
		if o < last {
			return fault.Corruptf("offset %d is %d, below %d before it", i, o, last)
		}
		last = o
	}
	if last > uint64(len(v.data)) {
		return fault.Corruptf("last offset %d lies behind %d bytes", last, len(v.data))
	}
	return nil
}
