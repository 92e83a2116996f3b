package zstdframe

import (
	"encoding/binary"
	"math/bits"
)

const (
	maxLog     = 9 // of literal lengths and match lengths
	maxOffLog  = 8
	maxSymbols = 53
	maxWeights = 12 // weights of Huffman codes: 0 to 11
	weightLog  = 6
)

// cell is a state of an FSE table of sequences: base of the value in the upper 32 bits, base of the next
// state in 16, bits of the value in 8, and in the lowest 8 those and the bits of the next state together.
type cell uint64

func (c cell) base() int   { return int(c >> 32) }
func (c cell) next() uint  { return uint(c>>16) & 0xffff }
func (c cell) extra() uint { return uint(c>>8) & 0xff }
func (c cell) bits() uint  { return uint(c) & 0xff }

// table is an FSE table of 1 << log states.
type table struct {
	cells [1 << maxLog]cell
	log   uint
	ready bool // of the block before, for blocks that say to use it again
}

// code says what a symbol means: a value of so many bits above a base.
type code struct {
	base  uint32
	extra uint8
}

// cell is that of a symbol whose next state is always 0.
func (c code) cell() cell { return cell(c.base)<<32 | cell(c.extra)<<8 | cell(c.extra) }

// alphabet is one of the three kinds of symbols of sequences.
type alphabet struct {
	codes []code
	log   uint // largest accuracy
	def   table
}

var literalLengths, offsets, matchLengths = newAlphabets()

// newAlphabets makes the code tables and default distributions of RFC 8878, sections 3.1.1.3.2.1 and 3.1.1.3.2.2.
func newAlphabets() (ll, of, ml *alphabet) {
	ll, of, ml = &alphabet{log: maxLog}, &alphabet{log: maxOffLog}, &alphabet{log: maxLog}
	add := func(a *alphabet, first uint32, extras ...uint8) {
		for _, e := range extras {
			a.codes = append(a.codes, code{first, e})
			first += 1 << e
		}
	}
	add(ll, 0, make([]uint8, 16)...)
	add(ll, 16, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
	add(ml, 3, make([]uint8, 32)...)
	add(ml, 35, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
	for i := range 32 {
		of.codes = append(of.codes, code{1 << i, uint8(i)})
	}
	repeat := func(v int16, n int) (out []int16) {
		for range n {
			out = append(out, v)
		}
		return out
	}
	join := func(parts ...[]int16) (out []int16) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	m := new(maker)
	ll.def.build(m, join([]int16{4, 3}, repeat(2, 11), repeat(1, 3), repeat(2, 9), []int16{3, 2}, repeat(1, 5), repeat(-1, 4)), 6, ll.codes)
	ml.def.build(m, join([]int16{1, 4, 3}, repeat(2, 6), repeat(1, 37), repeat(-1, 7)), 6, ml.codes)
	of.def.build(m, join(repeat(1, 6), repeat(2, 3), repeat(1, 15), repeat(-1, 5)), 5, of.codes)
	return ll, of, ml
}

// counts is a normalized distribution: how many of the 1 << log states each symbol has, -1 for less than one.
type counts struct {
	norm [maxSymbols + 1]int16
	n    int // symbols
	log  uint
}

// read reads a distribution of at most symbols symbols and returns its size in bytes.
func (c *counts) read(b []byte, symbols int, most uint) (size int, ok bool) {
	f := forward{b: b}
	c.log = uint(f.peek()&15) + 5
	f.pos = 4
	if c.log > most {
		return 0, false
	}
	left, threshold, width := 1<<c.log+1, 1<<c.log, c.log+1
	c.n = 0
	for left > 1 {
		if c.n >= symbols {
			return 0, false
		}
		v := int(f.peek())
		spare := 2*threshold - 1 - left
		count := v & (threshold - 1)
		if count < spare {
			f.pos += int(width) - 1
		} else {
			if count = v & (2*threshold - 1); count >= threshold {
				count -= spare
			}
			f.pos += int(width)
		}
		count--
		c.norm[c.n] = int16(count)
		c.n++
		if count >= 0 {
			left -= count
		} else {
			left--
		}
		if left < 1 {
			return 0, false
		}
		for left < threshold {
			width--
			threshold >>= 1
		}
		if count != 0 {
			continue
		}
		for more := 3; more == 3; { // how many symbols that do not occur follow
			more = int(f.peek() & 3)
			f.pos += 2
			if c.n+more > symbols {
				return 0, false
			}
			for range more {
				c.norm[c.n] = 0
				c.n++
			}
		}
	}
	size = (f.pos + 7) >> 3
	return size, size <= len(b)
}

// maker is scratch memory for building tables.
type maker struct {
	row    [1<<maxLog + 8]uint8 // symbols one after the other, as often as they have states
	symbol [1 << maxLog]uint8   // of each state
	next   [64]uint16
}

// spread lays the symbols out over the states.
func (m *maker) spread(norm []int16, log uint) {
	size := 1 << log
	mask, high, n := size-1, size-1, 0
	for s, count := range norm {
		if count < 0 {
			m.symbol[high&(1<<maxLog-1)] = uint8(s)
			high--
			m.next[s&63] = 1
			continue
		}
		m.next[s&63] = uint16(count)
		// Eight at a time, what is too much is overwritten by those that follow.
		eight := uint64(s) * 0x0101_0101_0101_0101
		for i := 0; i < int(count); i += 8 {
			binary.LittleEndian.PutUint64(m.row[n+i:], eight)
		}
		n += int(count)
	}
	step, at := size>>1+size>>3+3, 0
	if high == mask {
		for _, s := range m.row[:n] {
			m.symbol[at&(1<<maxLog-1)] = s
			at = (at + step) & mask
		}
		return
	}
	for _, s := range m.row[:n] {
		m.symbol[at&(1<<maxLog-1)] = s
		for at = (at + step) & mask; at > high; {
			at = (at + step) & mask
		}
	}
}

// build makes the table of a distribution over the symbols that codes say the meaning of.
func (t *table) build(m *maker, norm []int16, log uint, codes []code) {
	m.spread(norm, log)
	var value [64]cell
	for s := range norm {
		value[s&63] = codes[s].cell()
	}
	size := cell(1) << log
	for i, s := range m.symbol[:size] {
		x := m.next[s&63]
		m.next[s&63] = x + 1
		width := (log + 1 - uint(bits.Len16(x))) & 15
		t.cells[i] = value[s&63] + (cell(x)<<width-size)<<16 + cell(width)
	}
	t.log, t.ready = log, true
}

// one makes the table of a symbol that is always the same.
func (t *table) one(c code) {
	t.cells[0] = c.cell()
	t.log, t.ready = 0, true
}
