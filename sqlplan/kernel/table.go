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
// them, in chunks that never move. It belongs to one goroutine.
type BytesTable struct {
	slots  []bytesSlot
	seed   maphash.Seed
	chunks [][]byte
	keys   []keyPlace
	held   int64 // bytes of chunks
	null   int32 // number of the NULL key + 1; 0 = none
}

type bytesSlot struct {
	hash uint64
	id   int32 // number + 1; 0 = free
}

// keyPlace is where a key's copy lies.
type keyPlace struct {
	chunk, from, length uint32
}

// Chunks grow from minChunk to maxChunk bytes; a longer key has one of its own.
const (
	minChunk = 4 << 10
	maxChunk = 1 << 20
)

// NewBytesTable returns an empty table.
func NewBytesTable() *BytesTable { return NewBytesTableWithSeed(maphash.MakeSeed()) }

// NewBytesTableWithSeed returns an empty table that hashes like others with the same seed.
func NewBytesTableWithSeed(seed maphash.Seed) *BytesTable {
	return &BytesTable{slots: make([]bytesSlot, 64), seed: seed}
}

// Len returns the number of keys.
func (t *BytesTable) Len() int { return len(t.keys) }

// Key returns key number id; it aliases the table and is read-only.
func (t *BytesTable) Key(id int) []byte {
	p := t.keys[id]
	if p.length == 0 {
		return nil
	}
	return t.chunks[p.chunk][p.from : p.from+p.length]
}

// Bytes is the memory the table takes.
func (t *BytesTable) Bytes() int64 {
	return 16*int64(len(t.slots)) + t.held + 12*int64(cap(t.keys))
}

// Hash is what FindHashed takes.
func (t *BytesTable) Hash(key []byte) uint64 { return maphash.Bytes(t.seed, key) }

// Find returns the number of key, adding a copy if it is new.
func (t *BytesTable) Find(key []byte) (id int32, added bool) {
	return t.FindHashed(key, maphash.Bytes(t.seed, key))
}

// FindHashed is Find with the key's hash.
func (t *BytesTable) FindHashed(key []byte, hash uint64) (id int32, added bool) {
	mask := uint64(len(t.slots) - 1)
	for i := hash; ; i++ {
		s := &t.slots[i&mask]
		if s.id == 0 {
			if 2*len(t.keys) >= len(t.slots) {
				t.grow()
				return t.FindHashed(key, hash)
			}
			t.keys = append(t.keys, t.store(key))
			*s = bytesSlot{hash, int32(len(t.keys))}
			return s.id - 1, true
		}
		if s.hash == hash && bytes.Equal(t.Key(int(s.id-1)), key) {
			return s.id - 1, false
		}
	}
}

// store copies a key.
func (t *BytesTable) store(key []byte) keyPlace {
	n := len(t.chunks)
	if n == 0 || cap(t.chunks[n-1])-len(t.chunks[n-1]) < len(key) {
		size := max(min(max(minChunk, int(t.held)), maxChunk), len(key))
		t.chunks = append(t.chunks, make([]byte, 0, size))
		t.held += int64(size)
		n++
	}
	c := &t.chunks[n-1]
	from := len(*c)
	*c = append(*c, key...)
	return keyPlace{uint32(n - 1), uint32(from), uint32(len(key))}
}

// Null returns the number of the NULL key, adding it if it is new; Key gives no bytes for it.
func (t *BytesTable) Null() (id int32, added bool) {
	if t.null != 0 {
		return t.null - 1, false
	}
	t.keys = append(t.keys, keyPlace{})
	t.null = int32(t.Len())
	return t.null - 1, true
}

// Lookup returns the number of key, or -1.
func (t *BytesTable) Lookup(key []byte) int32 {
	hash := maphash.Bytes(t.seed, key)
	mask := uint64(len(t.slots) - 1)
	for i := hash; ; i++ {
		s := &t.slots[i&mask]
		if s.id == 0 {
			return -1
		}
		if s.hash == hash && bytes.Equal(t.Key(int(s.id-1)), key) {
			return s.id - 1
		}
	}
}

func (t *BytesTable) grow() {
	old := t.slots
	t.slots = make([]bytesSlot, 4*len(old))
	mask := uint64(len(t.slots) - 1)
	for _, s := range old {
		if s.id == 0 {
			continue
		}
		i := s.hash
		for t.slots[i&mask].id != 0 {
			i++
		}
		t.slots[i&mask] = s
	}
}

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
