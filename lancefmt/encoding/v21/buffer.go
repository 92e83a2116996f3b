package v21

import (
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
)

// maxBufferBytes bounds one buffer of an array. The callers read in batches. One that asks for more
// at once gets an error rather than the end of the process.
const maxBufferBytes = 16 << 30

// bytes is a growing run of bytes in memory of an Arrow allocator. Only the first n are in use; the
// capacity behind them is free room.
type bytes struct {
	buf *memory.Buffer
	n   int // bytes in use
}

func newBytes(mem memory.Allocator) bytes { return bytes{buf: memory.NewResizableBuffer(mem)} }

// reserve makes room for n more bytes. exact takes no more than that, for sizes known beforehand;
// without it the buffer grows by half, so that appending is linear in the end.
func (b *bytes) reserve(n int, exact bool) error {
	need := b.n + n
	if n < 0 || need < 0 || need > maxBufferBytes {
		return fault.New(fault.ResourceExhausted, "more than %d bytes in one array: read fewer rows at a time", maxBufferBytes)
	}
	if have := b.buf.Cap(); need > have {
		if !exact {
			need = max(need, have+have/2)
		}
		b.buf.Reserve(need)
	}
	return nil
}

// extend appends n bytes and returns them. Their contents are undefined: pools do not clear memory.
func (b *bytes) extend(n int) ([]byte, error) {
	if err := b.reserve(n, false); err != nil {
		return nil, err
	}
	at := b.n
	b.n += n
	return b.buf.Buf()[at:b.n:b.n], nil
}

// room returns at least n bytes behind the used ones, to be taken by advance.
func (b *bytes) room(n int) ([]byte, error) {
	if err := b.reserve(n, false); err != nil {
		return nil, err
	}
	return b.buf.Buf()[b.n:], nil
}

// spare returns the free bytes behind the used ones, to be taken by advance.
func (b *bytes) spare() []byte { return b.buf.Buf()[b.n:] }

func (b *bytes) advance(n int) { b.n += n }

func (b *bytes) append(p []byte) error {
	dst, err := b.extend(len(p))
	copy(dst, p)
	return err
}

// finish hands the buffer over, with its length set, to the caller, who releases it. If more than a
// third of a large buffer is unused, that part is given back.
func (b *bytes) finish() *memory.Buffer {
	buf := b.buf
	if spare := buf.Cap() - b.n; spare > 1<<20 && spare > b.n/2 {
		buf.ResizeNoShrink(buf.Cap()) // Resize shrinks only below the length
		buf.Resize(b.n)
	}
	buf.ResizeNoShrink(b.n)
	b.buf = nil
	return buf
}

// release gives the buffer back, unless finish has handed it over.
func (b *bytes) release() {
	if b.buf != nil {
		b.buf.Release()
		b.buf = nil
	}
}

// bitmap is a growing run of bits, lowest first. Bits behind the last are zero, which appending
// relies on: it only ever sets bits.
type bitmap struct {
	b     bytes
	n     int // bits
	zeros int
}

// newBitmap makes an empty bitmap with room for expected bits.
func newBitmap(mem memory.Allocator, expected int) (*bitmap, error) {
	m := &bitmap{b: newBytes(mem)}
	if err := m.b.reserve((expected+7)/8, true); err != nil {
		m.b.release()
		return nil, err
	}
	return m, nil
}

// grow appends n zero bits and returns the index of the first.
func (m *bitmap) grow(n int) (at int, err error) {
	at = m.n
	if more := (at+n+7)/8 - m.b.n; more > 0 {
		dst, err := m.b.extend(more)
		if err != nil {
			return 0, err
		}
		clear(dst)
	}
	m.n += n
	return at, nil
}

// bytes returns the bytes in use, of which the last may have bits to spare.
func (m *bitmap) bytes() []byte { return m.b.buf.Buf()[:m.b.n] }

// appendRun appends n equal bits.
func (m *bitmap) appendRun(bit bool, n int) error {
	at, err := m.grow(n)
	if err != nil {
		return err
	}
	if !bit {
		m.zeros += n
		return nil
	}
	b := m.bytes()
	for ; n > 0 && at&7 != 0; n-- {
		b[at>>3] |= 1 << (at & 7)
		at++
	}
	for ; n >= 8; n -= 8 {
		b[at>>3] = 0xff
		at += 8
	}
	for ; n > 0; n-- {
		b[at>>3] |= 1 << (at & 7)
		at++
	}
	return nil
}

// appendZeroLevels appends one bit for each level, set where the level is 0. Definition level 0 is
// a value, so these bits are Arrow's validity. Eight levels become a byte without a branch, as
// NULLs are often spread at random.
func (m *bitmap) appendZeroLevels(levels []uint16) error {
	at, err := m.grow(len(levels))
	if err != nil {
		return err
	}
	b := m.bytes()
	set := 0
	i := 0
	// The first bits fill up the byte that is begun, the last ones begin a byte.
	for ; i < len(levels) && at&7 != 0; i++ {
		if levels[i] == 0 {
			b[at>>3] |= 1 << (at & 7)
			set++
		}
		at++
	}
	for ; i+8 <= len(levels); i += 8 {
		l := levels[i : i+8 : i+8]
		v := zero(l[0]) | zero(l[1])<<1 | zero(l[2])<<2 | zero(l[3])<<3 | zero(l[4])<<4 | zero(l[5])<<5 | zero(l[6])<<6 | zero(l[7])<<7
		b[at>>3] = v
		set += bits.OnesCount8(v)
		at += 8
	}
	for ; i < len(levels); i++ {
		if levels[i] == 0 {
			b[at>>3] |= 1 << (at & 7)
			set++
		}
		at++
	}
	m.zeros += len(levels) - set
	return nil
}

// appendBools appends one bit per byte, set where the byte is not 0.
func (m *bitmap) appendBools(bools []byte) error {
	at, err := m.grow(len(bools))
	if err != nil {
		return err
	}
	b := m.bytes()
	for _, x := range bools {
		if x != 0 {
			b[at>>3] |= 1 << (at & 7)
		} else {
			m.zeros++
		}
		at++
	}
	return nil
}

// zero returns 1 if l is 0, without a branch: only 0 - 1 has the highest bit of 32 set.
func zero(l uint16) byte { return byte((uint32(l) - 1) >> 31) }

// appendBits appends n bits of src from bit off on. Where both sides are at a byte, whole bytes are
// copied.
func (m *bitmap) appendBits(src []byte, off, n int) error {
	count := n
	at, err := m.grow(n)
	if err != nil {
		return err
	}
	b := m.bytes()
	set := 0
	if at&7 == 0 && off&7 == 0 {
		full := n >> 3
		from := src[off>>3:]
		copy(b[at>>3:], from[:full])
		set += onesCount(from[:full])
		at, off, n = at+full*8, off+full*8, n&7
	}
	for ; n > 0; n-- {
		if src[off>>3]>>(off&7)&1 != 0 {
			b[at>>3] |= 1 << (at & 7)
			set++
		}
		at++
		off++
	}
	m.zeros += count - set
	return nil
}

// onesCount returns the number of bits that are set.
func onesCount(b []byte) (n int) {
	for ; len(b) >= 8; b = b[8:] {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(b))
	}
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return n
}

func (m *bitmap) release() { m.b.release() }
