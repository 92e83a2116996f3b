package zstdframe

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

const maxHuffLog = 11

// huffman is the code of literals.
type huffman struct {
	symbols [1 << maxHuffLog]uint16 // symbol in the upper byte, bits of its code in the lower, by the next log bits
	log     uint
	ready   bool

	counts counts
	maker  maker
	used   [256]uint16 // symbols that have a code in the upper byte, their weights in the lower
	n      int         // of them
}

// add takes note of the weight of the next symbol, without a branch: most symbols have none.
func (h *huffman) add(symbol int, weight uint) {
	h.used[h.n&255] = uint16(symbol)<<8 | uint16(weight)
	h.n += int((weight + 15) >> 4)
}

// read reads a tree description from src[at:end] and builds the table. It returns the offset behind it.
func (h *huffman) read(src []byte, at, end int) (int, bool) {
	h.ready, h.n = false, 0
	if at >= end {
		return 0, false
	}
	head := int(src[at])
	at++
	n := 0
	if head >= 128 { // four bits each
		n = head - 127
		size := (n + 1) / 2
		if size > end-at {
			return 0, false
		}
		for i := range n {
			h.add(i, uint(src[at+i/2]>>(4*(1-i&1))&15))
		}
		at += size
	} else {
		if head > end-at {
			return 0, false
		}
		var ok bool
		if n, ok = h.readWeights(src, at, at+head); !ok {
			return 0, false
		}
		at += head
	}
	return at, h.build(n)
}

// readWeights decodes weights that are compressed by FSE: two states take turns until there
// are no more bits, the last of which must be used up.
func (h *huffman) readWeights(src []byte, start, end int) (n int, ok bool) {
	size, ok := h.counts.read(src[start:end], maxWeights, weightLog)
	if !ok {
		return 0, false
	}
	log := h.counts.log
	m := &h.maker
	m.spread(h.counts.norm[:h.counts.n], log)
	var states [1 << weightLog]uint16 // base of the next state, bits of it, weight: 8, 4, 4 bits
	for i, s := range m.symbol[:1<<log] {
		x := m.next[s&15]
		m.next[s&15] = x + 1
		width := (log + 1 - uint(bits.Len16(x))) & 15
		states[i] = (x<<width-1<<log)<<8 | uint16(width)<<4 | uint16(s&15)
	}
	start += size
	pos, ok := streamEnd(src, start, end)
	low := 8 * start
	if pos -= int(2 * log); !ok || pos < low {
		return 0, false
	}
	// Positions do not go below low but for the last read, whose bits are not used. Ahead of a tree are at
	// least twelve bytes of the frame, and one of its own.
	p := unsafe.Pointer(unsafe.SliceData(src))
	v := top(p, pos+int(2*log))
	a, b := uint(take(v, log)), uint(take(v<<log, log))
	const mask = 1<<weightLog - 1
	for n < 250 && pos-low > 64 { // far from the end: four weights, of at most six bits each, from one word
		v := top(p, pos)
		s := states[a&mask]
		width := uint(s >> 4 & 15)
		h.add(n, uint(s&15))
		a = uint(s>>8) + uint(take(v, width))
		v <<= width
		pos -= int(width)
		s = states[b&mask]
		width = uint(s >> 4 & 15)
		h.add(n+1, uint(s&15))
		b = uint(s>>8) + uint(take(v, width))
		v <<= width
		pos -= int(width)
		s = states[a&mask]
		width = uint(s >> 4 & 15)
		h.add(n+2, uint(s&15))
		a = uint(s>>8) + uint(take(v, width))
		v <<= width
		pos -= int(width)
		s = states[b&mask]
		width = uint(s >> 4 & 15)
		h.add(n+3, uint(s&15))
		b = uint(s>>8) + uint(take(v, width))
		pos -= int(width)
		n += 4
	}
	for n < 254 {
		s := states[a&mask]
		h.add(n, uint(s&15))
		n++
		width := uint(s >> 4 & 15)
		if pos-int(width) < low {
			h.add(n, uint(states[b&mask]&15))
			return n + 1, pos == low
		}
		next := uint(s>>8) + uint(take(top(p, pos), width))
		pos -= int(width)
		a, b = b, next
	}
	return 0, false // more weights than symbols
}

// build makes the table from n weights; that of the last symbol follows from the others'.
func (h *huffman) build(n int) bool {
	var ranks [16]uint32
	sum := uint32(0)
	for _, u := range h.used[:h.n] {
		ranks[u&15]++
		sum += 1 << (u & 15) >> 1
	}
	if sum == 0 {
		return false
	}
	log := uint(bits.Len32(sum))
	if log > maxHuffLog {
		return false
	}
	rest := uint32(1)<<log - sum
	if rest&(rest-1) != 0 || n > 255 {
		return false
	}
	last := uint8(bits.Len32(rest))
	h.add(n, uint(last))
	ranks[last]++
	if ranks[1] < 2 || ranks[1]&1 != 0 {
		return false
	}
	// Symbols of lower weight, whose codes are longer, come first.
	var starts [16]uint32
	at := uint32(0)
	for w := 1; w <= int(log); w++ {
		starts[w] = at
		at += ranks[w] << (w - 1)
	}
	if at != 1<<log {
		return false
	}
	for _, u := range h.used[:h.n] {
		w := u & 15
		count := uint32(1) << (w - 1)
		from := starts[w]
		starts[w] += count
		e := u&^0xff | uint16(log+1-uint(w))
		if w == 1 {
			h.symbols[from&(1<<maxHuffLog-1)] = e
			continue
		}
		cells := h.symbols[from : from+count]
		if w == 2 {
			cells[1], cells[0] = e, e
			continue
		}
		four := uint64(e) * 0x0001_0001_0001_0001
		p := unsafe.Pointer(unsafe.SliceData(cells)) // four cells and more, of two bytes each
		for i := 0; i < len(cells); i += 4 {
			binary.NativeEndian.PutUint64((*[8]byte)(unsafe.Add(p, 2*i))[:], four)
		}
	}
	h.log, h.ready = log, true
	return true
}

// decode1 decodes one stream, src[start:end], to dst.
func (h *huffman) decode1(dst, src []byte, start, end int) bool {
	pos, ok := streamEnd(src, start, end)
	if !ok {
		return false
	}
	pos, ok = h.tail(dst, src, pos)
	return ok && pos == 8*start
}

// tail decodes len(dst) symbols from bit position pos on.
func (h *huffman) tail(dst, src []byte, pos int) (int, bool) {
	p := unsafe.Pointer(unsafe.SliceData(src))
	shift := 64 - h.log
	for len(dst) >= 5 {
		if pos < 64 {
			return 0, false
		}
		v := top(p, pos)
		used := 0
		for i := range dst[:5] {
			e := h.symbols[v>>(shift&63)&(1<<maxHuffLog-1)]
			dst[i] = byte(e >> 8)
			v <<= e & 63
			used += int(e & 63)
		}
		pos -= used
		dst = dst[5:]
	}
	if len(dst) == 0 {
		return pos, true
	}
	if pos < 64 {
		return 0, false
	}
	v := top(p, pos)
	for i := range dst {
		e := h.symbols[v>>(shift&63)&(1<<maxHuffLog-1)]
		dst[i] = byte(e >> 8)
		v <<= e & 63
		pos -= int(e & 63)
	}
	return pos, true
}

// decode4 decodes the four streams of src[start:end], sizes of the first three ahead of them, to dst.
func (h *huffman) decode4(dst, src []byte, start, end int) bool {
	if end-start < 10 {
		return false
	}
	n1 := int(src[start]) | int(src[start+1])<<8
	n2 := int(src[start+2]) | int(src[start+3])<<8
	n3 := int(src[start+4]) | int(src[start+5])<<8
	s1 := start + 6
	s2 := s1 + n1
	s3 := s2 + n2
	s4 := s3 + n3
	if s4 >= end {
		return false
	}
	p1, ok1 := streamEnd(src, s1, s2)
	p2, ok2 := streamEnd(src, s2, s3)
	p3, ok3 := streamEnd(src, s3, s4)
	p4, ok4 := streamEnd(src, s4, end)
	each := (len(dst) + 3) / 4
	if !ok1 || !ok2 || !ok3 || !ok4 || 3*each > len(dst) {
		return false
	}
	d1, d2, d3, d4 := dst[:each], dst[each:2*each], dst[2*each:3*each], dst[3*each:]
	p := unsafe.Pointer(unsafe.SliceData(src))
	shift := (64 - h.log) & 63
	const mask = 1<<maxHuffLog - 1
	for len(d4) >= 5 && len(d1) >= 5 && len(d2) >= 5 && len(d3) >= 5 {
		// A damaged stream may run into the one before it, which is found at the end, but not out of the frame.
		if (p1-64)|(p2-64)|(p3-64)|(p4-64) < 0 {
			return false
		}
		v1, v2, v3, v4 := top(p, p1), top(p, p2), top(p, p3), top(p, p4)
		b1, b2, b3, b4 := (*[5]byte)(d1), (*[5]byte)(d2), (*[5]byte)(d3), (*[5]byte)(d4)
		for i := range 5 {
			e1 := h.symbols[v1>>shift&mask]
			e2 := h.symbols[v2>>shift&mask]
			e3 := h.symbols[v3>>shift&mask]
			e4 := h.symbols[v4>>shift&mask]
			b1[i], b2[i], b3[i], b4[i] = byte(e1>>8), byte(e2>>8), byte(e3>>8), byte(e4>>8)
			v1 <<= e1 & 63
			v2 <<= e2 & 63
			v3 <<= e3 & 63
			v4 <<= e4 & 63
			p1 -= int(e1 & 63)
			p2 -= int(e2 & 63)
			p3 -= int(e3 & 63)
			p4 -= int(e4 & 63)
		}
		d1, d2, d3, d4 = d1[5:], d2[5:], d3[5:], d4[5:]
	}
	p1, ok1 = h.tail(d1, src, p1)
	p2, ok2 = h.tail(d2, src, p2)
	p3, ok3 = h.tail(d3, src, p3)
	p4, ok4 = h.tail(d4, src, p4)
	return ok1 && ok2 && ok3 && ok4 && p1 == 8*s1 && p2 == 8*s2 && p3 == 8*s3 && p4 == 8*s4
}
