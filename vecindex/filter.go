package vecindex

import "math/bits"

// RowFilter decides which rows may become hits. Implementations are safe for concurrent use. One that also
// has a method Len() int, the number of rows that it can keep, ends a search as soon as that many were found.
type RowFilter interface {
	// Contains reports whether the row qualifies.
	Contains(rowID uint64) bool
}

// BatchFilter is a RowFilter that is faster over many rows at once.
type BatchFilter interface {
	RowFilter
	// Select appends to sel the positions in rowIDs of the rows that qualify, ascending.
	Select(rowIDs []uint64, sel []uint32) []uint32
}

// SelectRows appends to sel the positions of the rows that f keeps, ascending, by the fast path where f
// has one.
func SelectRows(f RowFilter, rowIDs []uint64, sel []uint32) []uint32 {
	if b, ok := f.(BatchFilter); ok {
		return b.Select(rowIDs, sel)
	}
	for i, id := range rowIDs {
		if f.Contains(id) {
			sel = append(sel, uint32(i))
		}
	}
	return sel
}

// FilterFunc makes a RowFilter of a function.
type FilterFunc func(rowID uint64) bool

// Contains implements RowFilter.
func (f FilterFunc) Contains(rowID uint64) bool { return f(rowID) }

// rowPageBits is the number of low bits of a row id inside one page of a RowSet: 65,536 rows, 8 KiB.
const rowPageBits = 16

type rowPage [1 << rowPageBits / 64]uint64

// RowSet is a set of row ids: 8 KiB for every run of 65,536 ids that has a member. Row addresses (fragment << 32
// | offset) and stable row ids are both dense in that sense, so a set over a million rows takes
// 128 KiB, and a look-up is a shift and a bit test.
//
// Fill it from one goroutine; afterwards any number may read it.
type RowSet struct {
	pages map[uint64]*rowPage
	count int
}

// NewRowSet makes a set of the given row ids.
func NewRowSet(rowIDs ...uint64) *RowSet {
	s := &RowSet{pages: make(map[uint64]*rowPage)}
	s.AddAll(rowIDs)
	return s
}

// Add puts a row into the set.
func (s *RowSet) Add(rowID uint64) {
	p := s.pages[rowID>>rowPageBits]
	if p == nil {
		p = new(rowPage)
		s.pages[rowID>>rowPageBits] = p
	}
	w, bit := rowID>>6&(1<<(rowPageBits-6)-1), uint64(1)<<(rowID&63)
	if p[w]&bit == 0 {
		p[w] |= bit
		s.count++
	}
}

// AddAll puts rows into the set.
func (s *RowSet) AddAll(rowIDs []uint64) {
	for _, id := range rowIDs {
		s.Add(id)
	}
}

// AddRange puts the rows start <= id < end into the set.
func (s *RowSet) AddRange(start, end uint64) {
	for start < end {
		p := s.pages[start>>rowPageBits]
		if p == nil {
			p = new(rowPage)
			s.pages[start>>rowPageBits] = p
		}
		w := start >> 6 & (1<<(rowPageBits-6) - 1)
		mask := ^uint64(0) << (start & 63)
		next := (start | 63) + 1
		if next == 0 || next > end {
			// The last word of the range keeps only its low bits. (end cannot be 0 here.)
			if end&63 != 0 {
				mask &= 1<<(end&63) - 1
			}
			next = end
		}
		s.count += bits.OnesCount64(mask &^ p[w])
		p[w] |= mask
		start = next
	}
}

// AddWords puts the rows into the set whose bits are set in words: bit b of word w is the row first + 64*w + b. first is a multiple
// of 64.
func (s *RowSet) AddWords(first uint64, words []uint64) {
	const perPage = 1 << (rowPageBits - 6)
	for len(words) > 0 {
		at := first >> 6 & (perPage - 1)
		n := min(len(words), int(perPage-at))
		var p *rowPage
		for i, w := range words[:n] {
			if w == 0 {
				continue
			}
			if p == nil {
				if p = s.pages[first>>rowPageBits]; p == nil {
					p = new(rowPage)
					s.pages[first>>rowPageBits] = p
				}
			}
			s.count += bits.OnesCount64(w &^ p[int(at)+i])
			p[int(at)+i] |= w
		}
		first += uint64(n) << 6
		words = words[n:]
	}
}

// Len returns the number of rows in the set.
func (s *RowSet) Len() int { return s.count }

// Contains implements RowFilter.
func (s *RowSet) Contains(rowID uint64) bool {
	p := s.pages[rowID>>rowPageBits]
	return p != nil && p[rowID>>6&(1<<(rowPageBits-6)-1)]>>(rowID&63)&1 != 0
}

// Select implements BatchFilter. Neighbouring rows of a partition often share a page, so the page of
// the row before is tried first.
func (s *RowSet) Select(rowIDs []uint64, sel []uint32) []uint32 {
	var page *rowPage
	last := ^uint64(0)
	for i, id := range rowIDs {
		if n := id >> rowPageBits; n != last {
			page, last = s.pages[n], n
		}
		if page != nil && page[id>>6&(1<<(rowPageBits-6)-1)]>>(id&63)&1 != 0 {
			sel = append(sel, uint32(i))
		}
	}
	return sel
}
