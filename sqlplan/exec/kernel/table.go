package kernel

import (
	"bytes"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
)

// WordTable numbers distinct 64-bit keys in the order of their first appearance: open addressing,
// at most half full. It belongs to one goroutine.
type WordTable struct {
	slots []wordSlot
	shift uint // 64 - log2(len(slots))
	seed  uint64
	keys  []uint64
	null  int32 // number of the NULL key + 1; 0 = none
}

type wordSlot struct {
	key uint64
	id  int32 // group number + 1; 0 = free
}

// NewWordTable returns an empty table.
func NewWordTable() *WordTable {
	return &WordTable{slots: make([]wordSlot, 64), shift: 64 - 6, seed: rand.Uint64() | 1}
}

// Len returns the number of keys.
func (t *WordTable) Len() int { return len(t.keys) }

// Keys returns the keys by number; read-only.
func (t *WordTable) Keys() []uint64 { return t.keys }

// Bytes is the memory the table takes.
func (t *WordTable) Bytes() int64 { return 16*int64(len(t.slots)) + 8*int64(cap(t.keys)) }

// slot mixes all bits of the key into the high bits of a product, which choose the slot. The seed
// keeps a crafted column from colliding on purpose.
func (t *WordTable) slot(key uint64) uint64 {
	hi, lo := bits.Mul64(key^t.seed, 0x9e3779b97f4a7c15)
	return (hi ^ lo) * 0xd6e8feb86659fd93 >> t.shift
}

// Find returns the number of key, adding it if it is new.
func (t *WordTable) Find(key uint64) (id int32, added bool) {
	mask := uint64(len(t.slots) - 1)
	for i := t.slot(key); ; i++ {
		s := &t.slots[i&mask]
		if s.id == 0 {
			if 2*len(t.keys) >= len(t.slots) {
				t.grow()
				return t.Find(key)
			}
			t.keys = append(t.keys, key)
			*s = wordSlot{key, int32(len(t.keys))}
			return s.id - 1, true
		}
		if s.key == key {
			return s.id - 1, false
		}
	}
}

// Null returns the number of the NULL key, adding it if it is new; its entry in Keys means nothing.
func (t *WordTable) Null() (id int32, added bool) {
	if t.null != 0 {
		return t.null - 1, false
	}
	t.keys = append(t.keys, 0)
	t.null = int32(len(t.keys))
	return t.null - 1, true
}

func (t *WordTable) grow() {
	t.slots = make([]wordSlot, 4*len(t.slots))
	t.shift -= 2
	mask := uint64(len(t.slots) - 1)
	for n, key := range t.keys {
		if int32(n+1) == t.null {
			continue
		}
		i := t.slot(key)
		for t.slots[i&mask].id != 0 {
			i++
		}
		t.slots[i&mask] = wordSlot{key, int32(n + 1)}
	}
}

// BytesTable numbers distinct byte strings in the order of their first appearance. It keeps copies of
// them, one behind the other. It belongs to one goroutine.
type BytesTable struct {
	slots   []bytesSlot
	seed    maphash.Seed
	arena   []byte
	offsets []int64 // len = keys+1
	null    int32   // number of the NULL key + 1; 0 = none
}

type bytesSlot struct {
	tag uint32 // high bits of the hash, to skip comparisons
	id  int32  // number + 1; 0 = free
}

// NewBytesTable returns an empty table.
func NewBytesTable() *BytesTable {
	return &BytesTable{slots: make([]bytesSlot, 64), seed: maphash.MakeSeed(), offsets: []int64{0}}
}

// Len returns the number of keys.
func (t *BytesTable) Len() int { return len(t.offsets) - 1 }

// Key returns key number id; it aliases the table and is read-only.
func (t *BytesTable) Key(id int) []byte { return t.arena[t.offsets[id]:t.offsets[id+1]] }

// Bytes is the memory the table takes.
func (t *BytesTable) Bytes() int64 {
	return 8*int64(len(t.slots)) + int64(cap(t.arena)) + 8*int64(cap(t.offsets))
}

// Find returns the number of key, adding a copy if it is new.
func (t *BytesTable) Find(key []byte) (id int32, added bool) {
	h := maphash.Bytes(t.seed, key)
	tag := uint32(h >> 32)
	mask := uint64(len(t.slots) - 1)
	for i := h; ; i++ {
		s := &t.slots[i&mask]
		if s.id == 0 {
			if 2*t.Len() >= len(t.slots) {
				t.grow()
				return t.Find(key)
			}
			t.arena = append(t.arena, key...)
			t.offsets = append(t.offsets, int64(len(t.arena)))
			*s = bytesSlot{tag, int32(t.Len())}
			return s.id - 1, true
		}
		if s.tag == tag && bytes.Equal(t.Key(int(s.id-1)), key) {
			return s.id - 1, false
		}
	}
}

// Null returns the number of the NULL key, adding it if it is new; Key gives no bytes for it.
func (t *BytesTable) Null() (id int32, added bool) {
	if t.null != 0 {
		return t.null - 1, false
	}
	t.offsets = append(t.offsets, int64(len(t.arena)))
	t.null = int32(t.Len())
	return t.null - 1, true
}

// Lookup returns the number of key, or -1.
func (t *BytesTable) Lookup(key []byte) int32 {
	h := maphash.Bytes(t.seed, key)
	tag := uint32(h >> 32)
	mask := uint64(len(t.slots) - 1)
	for i := h; ; i++ {
		s := &t.slots[i&mask]
		if s.id == 0 {
			return -1
		}
		if s.tag == tag && bytes.Equal(t.Key(int(s.id-1)), key) {
			return s.id - 1
		}
	}
}

func (t *BytesTable) grow() {
	t.slots = make([]bytesSlot, 4*len(t.slots))
	mask := uint64(len(t.slots) - 1)
	for n := range t.Len() {
		if int32(n+1) == t.null {
			continue
		}
		h := maphash.Bytes(t.seed, t.Key(n))
		i := h
		for t.slots[i&mask].id != 0 {
			i++
		}
		t.slots[i&mask] = bytesSlot{uint32(h >> 32), int32(n + 1)}
	}
}

// IsNull reports whether id is the number of the NULL key.
func (t *WordTable) IsNull(id int) bool { return int32(id+1) == t.null }

// HasNull reports whether the NULL key is there.
func (t *WordTable) HasNull() bool { return t.null != 0 }

// IsNull reports whether id is the number of the NULL key.
func (t *BytesTable) IsNull(id int) bool { return int32(id+1) == t.null }

// HasNull reports whether the NULL key is there.
func (t *BytesTable) HasNull() bool { return t.null != 0 }

// Lookup returns the number of key, or -1.
func (t *WordTable) Lookup(key uint64) int32 {
	mask := uint64(len(t.slots) - 1)
	for i := t.slot(key); ; i++ {
		s := &t.slots[i&mask]
		if s.id == 0 {
			return -1
		}
		if s.key == key {
			return s.id - 1
		}
	}
}
