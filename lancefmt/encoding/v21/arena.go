package v21

import "sync"

// arena hands out short-lived memory for the decoding of one chunk: its levels, its unpacked words,
// what a general compression gave. Contents are undefined. What it gave stays valid until reset,
// even if it had to take a larger block meanwhile, because the old block then belongs to those who
// hold it.
//
// A reset at the start of each chunk means that a page of thousands of chunks is decoded in a block
// of some ten KiB that stays in the processor's cache. Nothing of an arena may be kept in an array.
type arena struct {
	buf []byte
	// at is the first free byte of buf.
	at int
}

var arenas = sync.Pool{New: func() any { return new(arena) }}

// keepBytes is the largest block that an arena takes back to the pool. A larger one was needed for
// an unusual chunk, and would be held for the life of the process by the pool otherwise.
const keepBytes = 1 << 20

// newArena takes an arena from the pool, to which free returns it.
func newArena() *arena { return arenas.Get().(*arena) }

func (a *arena) free() {
	if len(a.buf) > keepBytes {
		a.buf = nil
	}
	a.at = 0
	arenas.Put(a)
}

func (a *arena) reset() { a.at = 0 }

// bytes returns n bytes, aligned to 8, so that they may be viewed as words of any width. The
// capacity is n, too: an append to the result cannot reach into what the arena gives next.
func (a *arena) bytes(n int) []byte {
	if n > len(a.buf)-a.at {
		// The new block is at least twice the old one, so that a few chunks are enough to find the
		// size that all later ones fit.
		a.buf = make([]byte, max(n, 2*len(a.buf), 64<<10))
		a.at = 0
	}
	b := a.buf[a.at : a.at+n : a.at+n]
	// The next piece begins at a cache line of its own.
	a.at = min((a.at+n+63)&^63, len(a.buf))
	return b
}

// levels returns room for n levels.
func (a *arena) levels(n int) []uint16 { return uint16s(a.bytes(2 * n)) }
