package v21

import "sync"

// arena hands out short-lived memory for the decoding of one chunk. Contents are undefined. What it
// gave stays valid until reset, even when it had to take a larger block meanwhile.
type arena struct {
	buf []byte
	at  int
}

var arenas = sync.Pool{New: func() any { return new(arena) }}

// keepBytes is the largest block that an arena takes back to the pool.
const keepBytes = 1 << 20

func newArena() *arena { return arenas.Get().(*arena) }

func (a *arena) free() {
	if len(a.buf) > keepBytes {
		a.buf = nil
	}
	a.at = 0
	arenas.Put(a)
}

func (a *arena) reset() { a.at = 0 }

// bytes returns n bytes, aligned to 8.
func (a *arena) bytes(n int) []byte {
	if n > len(a.buf)-a.at {
		a.buf = make([]byte, max(n, 2*len(a.buf), 64<<10))
		a.at = 0
	}
	b := a.buf[a.at : a.at+n : a.at+n]
	a.at = min((a.at+n+63)&^63, len(a.buf))
	return b
}

func (a *arena) levels(n int) []uint16 { return uint16s(a.bytes(2 * n)) }
