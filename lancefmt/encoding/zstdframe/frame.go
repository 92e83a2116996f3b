package zstdframe

import (
	"encoding/binary"
	"sync"
)

const (
	// Slack is how many bytes of memory behind what a frame holds Decode may overwrite.
	Slack = 32

	magic    = 0xFD2FB528
	maxBlock = 128 << 10
)

// Decoder holds the tables of a frame.
type Decoder struct {
	huff     huffman
	ll       table
	of       table
	ml       table
	counts   counts
	run      run
	rep      [3]int
	window   int
	literals []byte // scratch, with Slack behind what is used
}

var decoders = sync.Pool{New: func() any { return new(Decoder) }}

// Decode decodes the frame that src is into dst and returns the number of bytes; Slack more than these may be
// overwritten, up to len(dst). A frame that holds more than len(dst) − Slack bytes, is not of this package's
// kind or is damaged is not ok; dst may be overwritten then too.
func Decode(dst, src []byte) (n int, ok bool) {
	d := decoders.Get().(*Decoder)
	defer decoders.Put(d)
	return d.decode(dst, src)
}

func (d *Decoder) decode(dst, src []byte) (n int, ok bool) {
	at, size, ok := d.header(src)
	limit := len(dst) - Slack
	if !ok || limit < 0 || size > int64(limit) {
		return 0, false
	}
	if size >= 0 {
		limit = int(size)
	}
	d.rep = [3]int{1, 4, 8}
	d.huff.ready, d.ll.ready, d.of.ready, d.ml.ready = false, false, false, false
	for last := false; !last; {
		if len(src)-at < 3 {
			return 0, false
		}
		head := int(src[at]) | int(src[at+1])<<8 | int(src[at+2])<<16
		at += 3
		last = head&1 != 0
		length := head >> 3
		if length > min(maxBlock, d.window) {
			return 0, false
		}
		switch head >> 1 & 3 {
		case 0: // as it is
			if length > len(src)-at || length > limit-n {
				return 0, false
			}
			copy(dst[n:], src[at:at+length])
			n += length
			at += length
		case 1: // one byte, repeated
			if at >= len(src) || length > limit-n {
				return 0, false
			}
			fill(dst[n:n+length], src[at])
			n += length
			at++
		case 2:
			if length > len(src)-at {
				return 0, false
			}
			if n, ok = d.block(dst, n, limit, src, at, at+length); !ok {
				return 0, false
			}
			at += length
		default:
			return 0, false
		}
	}
	return n, at == len(src) && (size < 0 || int64(n) == size)
}

// header reads the frame header: offset behind it, and the size of the content, -1 if it does not say.
func (d *Decoder) header(src []byte) (at int, size int64, ok bool) {
	if len(src) < 9 || binary.LittleEndian.Uint32(src) != magic {
		return 0, 0, false
	}
	const odd = 1<<3 | 1<<2 | 3 // reserved, checksum, dictionary
	flags := src[4]
	if flags&odd != 0 {
		return 0, 0, false
	}
	single := flags>>5&1 != 0
	at, size = 5, -1
	if !single {
		exponent, mantissa := uint(src[5]>>3), int(src[5]&7)
		if exponent > 18 { // 256 MiB
			return 0, 0, false
		}
		d.window = 1<<(10+exponent) + 1<<(10+exponent)/8*mantissa
		at++
	}
	width := [4]int{0, 2, 4, 8}[flags>>6]
	if width == 0 && single {
		width = 1
	}
	if len(src) < at+width {
		return 0, 0, false
	}
	switch b := src[at:]; width {
	case 1:
		size = int64(b[0])
	case 2:
		size = int64(binary.LittleEndian.Uint16(b)) + 256
	case 4:
		size = int64(binary.LittleEndian.Uint32(b))
	case 8:
		if size = int64(binary.LittleEndian.Uint64(b)); size < 0 {
			return 0, 0, false
		}
	}
	if single {
		d.window = int(min(size, 1<<30))
	}
	return at + width, size, true
}

// fill sets all bytes to c.
func fill(dst []byte, c byte) {
	if len(dst) == 0 {
		return
	}
	dst[0] = c
	for k := 1; k < len(dst); k *= 2 {
		copy(dst[k:], dst[:k])
	}
}

// block decodes a compressed block, src[at:end], behind the n bytes that dst has.
func (d *Decoder) block(dst []byte, n, limit int, src []byte, at, end int) (int, bool) {
	limit = min(limit, n+min(maxBlock, d.window))
	at, literals, ok := d.readLiterals(src, at, end, limit-n)
	if !ok || at >= end {
		return 0, false
	}
	count := int(src[at])
	at++
	switch {
	case count == 0:
		if at != end || len(literals) > limit-n {
			return 0, false
		}
		return n + copy(dst[n:], literals), true
	case count < 128:
	case count < 255:
		if at >= end {
			return 0, false
		}
		count = (count-128)<<8 + int(src[at])
		at++
	default:
		if end-at < 2 {
			return 0, false
		}
		count = int(src[at]) + int(src[at+1])<<8 + 0x7f00
		at += 2
	}
	if at >= end || src[at]&3 != 0 || count == 0 {
		return 0, false
	}
	modes := src[at]
	at++
	for _, t := range []struct {
		own  *table
		kind *alphabet
		mode byte
		use  **table
	}{{&d.ll, literalLengths, modes >> 6, &d.run.llt}, {&d.of, offsets, modes >> 4 & 3, &d.run.oft}, {&d.ml, matchLengths, modes >> 2 & 3, &d.run.mlt}} {
		*t.use = t.own
		switch t.mode {
		case 0:
			*t.use = &t.kind.def
			t.own.ready, t.own.log = true, defaultLog
		case 1:
			if at >= end || int(src[at]) >= len(t.kind.codes) {
				return 0, false
			}
			t.own.one(t.kind.codes[src[at]])
			at++
		case 2:
			size, ok := d.counts.read(src[at:end], len(t.kind.codes), t.kind.log)
			if !ok {
				return 0, false
			}
			t.own.build(&d.huff.maker, d.counts.norm[:d.counts.n], d.counts.log, t.kind.codes)
			at += size
		default:
			if !t.own.ready {
				return 0, false
			}
			if t.own.log == defaultLog {
				*t.use = &t.kind.def
			}
		}
	}
	return d.sequences(dst, n, limit, src, at, end, count, literals)
}

// defaultLog stands for the default table as the one that a later block may repeat.
const defaultLog = 64

// readLiterals reads a block's literals, of which there may be most: the offset behind them, and the bytes,
// Slack more of which may be read.
func (d *Decoder) readLiterals(src []byte, at, end, most int) (int, []byte, bool) {
	if at >= end {
		return 0, nil, false
	}
	form := src[at] >> 2 & 3
	if kind := src[at] & 3; kind < 2 { // plain, or one byte repeated
		head, size := 1, int(src[at]>>3)
		switch {
		case form == 1:
			if head = 2; end-at < head {
				return 0, nil, false
			}
			size = int(src[at])>>4 | int(src[at+1])<<4
		case form == 3:
			if head = 3; end-at < head {
				return 0, nil, false
			}
			size = int(src[at])>>4 | int(src[at+1])<<4 | int(src[at+2])<<12
		}
		at += head
		if size > most {
			return 0, nil, false
		}
		if kind == 1 {
			if at >= end {
				return 0, nil, false
			}
			out := d.scratch(size)
			fill(out, src[at])
			return at + 1, out, true
		}
		if size > end-at {
			return 0, nil, false
		}
		if size+Slack <= len(src)-at {
			return at + size, src[at : at+size], true
		}
		out := d.scratch(size)
		copy(out, src[at:at+size])
		return at + size, out, true
	}
	head, width := 3, 10
	switch form {
	case 2:
		head, width = 4, 14
	case 3:
		head, width = 5, 18
	}
	if end-at < head {
		return 0, nil, false
	}
	var word uint64
	for i := range head {
		word |= uint64(src[at+i]) << (8 * i)
	}
	size, packed := int(word>>4)&(1<<width-1), int(word>>(4+width))&(1<<width-1)
	fresh := src[at]&3 == 2
	at += head
	if size > most || size == 0 || packed > end-at {
		return 0, nil, false
	}
	stop := at + packed
	if fresh {
		var ok bool
		if at, ok = d.huff.read(src, at, stop); !ok {
			return 0, nil, false
		}
	} else if !d.huff.ready {
		return 0, nil, false
	}
	out := d.scratch(size)
	ok := false
	if form == 0 {
		ok = d.huff.decode1(out, src, at, stop)
	} else {
		ok = d.huff.decode4(out, src, at, stop)
	}
	return stop, out, ok
}

// scratch returns memory for n literals, Slack more behind it.
func (d *Decoder) scratch(n int) []byte {
	if cap(d.literals) < n+Slack {
		d.literals = make([]byte, max(n+Slack, 16<<10))
	}
	return d.literals[: n : n+Slack]
}
