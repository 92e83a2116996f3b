package index

import "github.com/RoaringBitmap/roaring/v2"

// rowSetBuilder collects row ids in any order. Ids are gathered by fragment first: adding them to a
// bitmap one at a time would search its containers for each.
type rowSetBuilder struct {
	set     RowSet
	pending map[uint32][]uint32
	last    uint32   // fragment of the last id
	run     []uint32 // its pending ids
}

// flushIDs is how many ids of one fragment are gathered before they go into its bitmap.
const flushIDs = 1 << 18

func (b *rowSetBuilder) add(ids []uint64) {
	for _, id := range ids {
		if id == droppedID {
			continue
		}
		if upper := uint32(id >> 32); upper != b.last {
			b.put()
			b.last, b.run = upper, b.pending[upper]
		}
		b.run = append(b.run, uint32(id))
		if len(b.run) == flushIDs {
			b.flush(b.last, b.run)
			b.run = b.run[:0]
		}
	}
}

func (b *rowSetBuilder) put() {
	if len(b.run) > 0 {
		if b.pending == nil {
			b.pending = map[uint32][]uint32{}
		}
	}
	if b.pending != nil {
		b.pending[b.last] = b.run
	}
}

func (b *rowSetBuilder) flush(upper uint32, lower []uint32) {
	if len(lower) == 0 {
		return
	}
	most := lower[0]
	for _, v := range lower {
		most = max(most, v)
	}
	// A bit per possible row, where that is little more than a word per id.
	if n := int(most)/64 + 1; len(lower) >= 1024 && n <= 2*len(lower) {
		dense := make([]uint64, n)
		for _, v := range lower {
			dense[v/64] |= 1 << (v % 64)
		}
		made := roaring.FromDense(dense, true)
		if have := b.set.parts[upper]; have != nil {
			have.Or(made)
		} else {
			b.set.set(upper, made)
		}
		return
	}
	b.set.part(upper).AddMany(lower)
}

// finish returns the set; the builder is used up.
func (b *rowSetBuilder) finish() *RowSet {
	if b.pending == nil {
		b.flush(b.last, b.run)
		return &b.set
	}
	b.put()
	for upper, lower := range b.pending {
		b.flush(upper, lower)
	}
	return &b.set
}

// droppedID stands for a row that is gone: Lance's own mark of a deleted row, no row's address.
const droppedID = ^uint64(0)
