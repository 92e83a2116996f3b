package zstdframe

import "unsafe"

// sequence is literals, then a copy of what was decoded before.
type sequence struct {
	lits, match uint32
	offset      uint32 // from 4 on the distance + 3, below one of those used last
}

// batch is how many sequences are decoded before they are executed. In one loop both need more registers
// than there are.
const batch = 256

// run is the stream of a block's sequences.
type run struct {
	ll, of, ml    cell
	llt, oft, mlt *table
	pos, low      int // bit positions in the frame: below the next bit, and of the stream's first byte
	left          int // sequences
	list          [batch]sequence
}

// start reads the first states.
func (r *run) start(src []byte, start, end, count int) (ok bool) {
	r.low, r.left = 8*start, count
	if r.pos, ok = streamEnd(src, start, end); !ok {
		return false
	}
	// Ahead of the stream are twelve bytes at least: magic, flags, window or size, the heads of block,
	// literals and sequences. So top may be asked for positions down to low, as all callers do.
	logs := r.llt.log + r.oft.log + r.mlt.log
	if start < 12 || r.pos-int(logs) < r.low {
		return false
	}
	v := top(unsafe.Pointer(unsafe.SliceData(src)), r.pos)
	r.ll = r.llt.cells[take(v, r.llt.log)&(1<<maxLog-1)]
	v <<= r.llt.log & 63
	r.of = r.oft.cells[take(v, r.oft.log)&(1<<maxLog-1)]
	v <<= r.oft.log & 63
	r.ml = r.mlt.cells[take(v, r.mlt.log)&(1<<maxLog-1)]
	r.pos -= int(logs)
	return true
}

// next decodes n more sequences to r.list, at most batch and one less than are left: states follow them.
func (r *run) next(src []byte, n int) bool {
	p := unsafe.Pointer(unsafe.SliceData(src))
	ll, of, ml, pos := r.ll, r.of, r.ml, r.pos
	lls, ofs, mls := &r.llt.cells, &r.oft.cells, &r.mlt.cells
	low := r.low
	list := r.list[:n]
	for i := range list {
		v := top(p, pos)
		bits := ll.bits() + ml.bits() + of.bits()
		if bits > 56 {
			var ok bool
			if list[i], pos, ok = values(p, pos, low, ll, of, ml); !ok {
				return false
			}
			v = top(p, pos)
			bits -= ll.extra() + ml.extra() + of.extra()
		} else {
			s := &list[i]
			s.offset = uint32(of.base() + int(take(v, of.extra())))
			v <<= of.extra() & 63
			s.match = uint32(ml.base() + int(take(v, ml.extra())))
			v <<= ml.extra() & 63
			s.lits = uint32(ll.base() + int(take(v, ll.extra())))
			v <<= ll.extra() & 63
		}
		if pos -= int(bits); pos < low {
			return false
		}
		n := ll.bits() - ll.extra()
		ll = lls[(ll.next()+uint(take(v, n)))&(1<<maxLog-1)]
		v <<= n & 63
		n = ml.bits() - ml.extra()
		ml = mls[(ml.next()+uint(take(v, n)))&(1<<maxLog-1)]
		v <<= n & 63
		n = of.bits() - of.extra()
		of = ofs[(of.next()+uint(take(v, n)))&(1<<maxLog-1)]
	}
	r.ll, r.of, r.ml, r.pos = ll, of, ml, pos
	return true
}

// values decodes one sequence in two steps: its bits may be more than top gives.
func values(p unsafe.Pointer, pos, low int, ll, of, ml cell) (s sequence, _ int, ok bool) {
	s.offset = uint32(of.base() + int(take(top(p, pos), of.extra())))
	if pos -= int(of.extra()); pos < low {
		return s, 0, false
	}
	v := top(p, pos)
	s.match = uint32(ml.base() + int(take(v, ml.extra())))
	v <<= ml.extra() & 63
	s.lits = uint32(ll.base() + int(take(v, ll.extra())))
	pos -= int(ml.extra() + ll.extra())
	return s, pos, pos >= low
}

// sequences decodes count sequences from src[start:end] and executes them. dst has n bytes and may get limit
// of them; the literals that are left end the block.
func (d *Decoder) sequences(dst []byte, n, limit int, src []byte, start, end, count int, literals []byte) (int, bool) {
	r := &d.run
	if !r.start(src, start, end, count) || limit+Slack > len(dst) {
		return 0, false
	}
	used := 0
	for r.left > 0 {
		k := min(r.left-1, batch)
		if k == 0 { // the last one: no states follow
			var ok bool
			if r.list[0], r.pos, ok = values(unsafe.Pointer(unsafe.SliceData(src)), r.pos, r.low, r.ll, r.of, r.ml); !ok {
				return 0, false
			}
			k = 1
		} else if !r.next(src, k) {
			return 0, false
		}
		r.left -= k
		var ok bool
		if n, used, ok = d.execute(dst, n, limit, literals, used, r.list[:k]); !ok {
			return 0, false
		}
	}
	if r.pos != r.low || len(literals)-used > limit-n {
		return 0, false
	}
	return n + copy(dst[n:], literals[used:]), true
}

// execute executes sequences: dst has n bytes, used of the literals are in it.
func (d *Decoder) execute(dst []byte, n, limit int, literals []byte, used int, list []sequence) (int, int, bool) {
	out := unsafe.Pointer(unsafe.SliceData(dst))
	from := unsafe.Pointer(unsafe.SliceData(literals))
	rep0, rep1, rep2 := d.rep[0], d.rep[1], d.rep[2]
	for i := range list {
		lits, match, offset := int(list[i].lits), int(list[i].match), int(list[i].offset)
		if offset > 3 {
			offset -= 3
			rep0, rep1, rep2 = offset, rep0, rep1
		} else {
			if lits == 0 {
				offset++
			}
			switch offset {
			case 1:
				offset = rep0
			case 2:
				offset = rep1
				rep0, rep1 = offset, rep0
			case 3:
				offset = rep2
				rep0, rep1, rep2 = offset, rep0, rep1
			default:
				offset = rep0 - 1
				rep0, rep1, rep2 = offset, rep0, rep1
			}
		}
		// From here on every access is inside of dst[:limit+Slack] and of literals and its Slack.
		if lits > len(literals)-used || lits+match > limit-n || offset <= 0 || offset > min(n+lits, d.window) {
			return 0, 0, false
		}
		to, text := unsafe.Add(out, n), unsafe.Add(from, used)
		*(*[16]byte)(to) = *(*[16]byte)(text)
		if lits > 16 {
			copy(unsafe.Slice((*byte)(to), lits), unsafe.Slice((*byte)(text), lits))
		}
		used += lits
		to = unsafe.Add(to, lits)
		n += lits + match
		// The copy may overlap with what it writes.
		back := unsafe.Add(to, -offset)
		if offset >= 16 {
			*(*[16]byte)(to) = *(*[16]byte)(back)
			for i := 16; i < match; i += 16 {
				*(*[16]byte)(unsafe.Add(to, i)) = *(*[16]byte)(unsafe.Add(back, i))
			}
			continue
		}
		if offset < 8 {
			for i := range 8 {
				*(*byte)(unsafe.Add(to, i)) = *(*byte)(unsafe.Add(back, i))
			}
			// From here on the nearest multiple of offset that is 8 or more is as good.
			back = unsafe.Add(to, 8-int(multiples[offset&7]))
			to = unsafe.Add(to, 8)
			match -= 8
		}
		for i := 0; i < match; i += 8 {
			*(*[8]byte)(unsafe.Add(to, i)) = *(*[8]byte)(unsafe.Add(back, i))
		}
	}
	d.rep = [3]int{rep0, rep1, rep2}
	return n, used, true
}

var multiples = [8]uint8{0, 8, 8, 9, 8, 10, 12, 14}
