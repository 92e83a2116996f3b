package v21

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/bitpack"
	"lanceflight/lancefmt/encoding/levels"
	"lanceflight/lancefmt/storage"
)

// Values are tested chunk by chunk, where they are decoded, in memory that stays in the first-level
// cache:
//
//	chunk ─┬─ definition levels ──> a bit for each value that is not NULL ─┐
//	       └─ packed values ──unpack──> words ──arcs──> a bit for each hit ├─ AND ─> the caller's bits
//	          or codes ──unpack──> words ──the dictionary's hits──> bits ──┘
//
// Chunks of which no bit is set any more are not looked at, and values that are packed to so few
// bits that all or none of them pass are not unpacked. Pages that are not made of such chunks are
// decoded as a Read would.

// Match implements encoding.Matcher.
//
// Columns that it answers for are numbers of t.Bits bits without parents, fixed-size lists or a
// dictionary type. Pages of any layout are answered; those of mini-block chunks are answered
// without an array.
func (r *Reader) Match(ctx context.Context, first, n int64, t *encoding.Test, bits []uint64, mem memory.Allocator) (ok bool, err error) {
	l, isLeaf := r.root.(*leaf)
	if !isLeaf || l.nested || l.shape.dictionary != nil || l.shape.kind != kindFixed || len(l.shape.dims) > 0 ||
		l.shape.itemBits != t.Bits || !bitpack.ValidWord(t.Bits) {
		return false, nil
	}
	return true, fault.Place(l.match(ctx, encoding.Range{Start: first, End: first + n}, t, bits, mem), r.src.Name(), -1, -1, -1)
}

// match tests rows page by page. Pages are prepared as for a read. Chunks are read run by run, and
// only those of which a bit is left.
func (l *leaf) match(ctx context.Context, rows encoding.Range, t *encoding.Test, bits []uint64, mem memory.Allocator) error {
	parts, err := l.split([]encoding.Range{rows})
	if err != nil {
		return l.place(err, -1)
	}
	if err := l.prepare(ctx, parts); err != nil {
		return err
	}
	x := matcher{test: t, bits: bits, a: newArena()}
	defer x.a.free()
	for i := range parts {
		p := &parts[i]
		at := l.col.Pages[p.index].FirstRow - rows.Start // of the page's first row
		if m, ok := p.page.(*miniPage); ok && m.matches(t) {
			err = l.place(x.page(ctx, l.src, m, p.rows[0], at), p.index)
		} else {
			err = l.matchRead(ctx, p, t, bits, at, mem)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// matchRead tests the rows of a page that has to be decoded as a whole. at is the bit of the page's
// first row, which is negative if the read begins inside of the page.
func (l *leaf) matchRead(ctx context.Context, p *part, t *encoding.Test, bits []uint64, at int64, mem memory.Allocator) error {
	r := p.rows[0]
	first := l.col.Pages[p.index].FirstRow
	col, err := l.readWhat(ctx, []encoding.Range{{Start: first + r.Start, End: first + r.End}}, wantAll, mem)
	if err != nil {
		return err
	}
	defer col.data.Release()
	n := col.data.Len()
	pass := make([]uint64, (n+63)/64)
	if n > 0 {
		testWords(t, col.data.Buffers()[1].Bytes(), n, pass)
	}
	if valid := col.data.Buffers()[0]; valid != nil && col.data.NullN() > 0 {
		for i := range n {
			if !bitutil.BitIsSet(valid.Bytes(), i) {
				pass[i>>6] &^= 1 << (i & 63)
			}
		}
	}
	andBits(bits, int(at+r.Start), pass, 0, n)
	return nil
}

// matches reports whether a page's chunks can be tested one by one: a value for each row, and
// values or dictionary items of the width that is tested.
func (m *miniPage) matches(t *encoding.Test) bool {
	if m.rep != nil || !m.schema.Simple() {
		return false
	}
	switch v := m.values.(type) {
	case *wordMini:
		return true
	case flatMini:
		return true
	case *dictionaryMini:
		return v.dict.lists == nil && len(v.dict.fixed) == v.dict.n*t.Bits/8
	}
	return false
}

// matcher tests the chunks of one Match. Its slices are used again for each chunk.
type matcher struct {
	test *encoding.Test
	bits []uint64
	a    *arena

	d miniDecoder
	// valid has a bit for each value of the chunk that is not NULL, pass one for each that passes.
	valid, pass []uint64
	// hits has a 1 for each item of the page's dictionary that passes. few has the same as bits if
	// there are at most 64 items, and hit is the number of them.
	hits []uint8
	few  uint64 // the same, a bit each, if they are no more than 64
	hit  int    // number of them
}

// page tests rows of a page. at is the bit of the page's first row. Chunks of which no row is left
// to test are not read.
func (x *matcher) page(ctx context.Context, src encoding.Source, m *miniPage, rows encoding.Range, at int64) error {
	x.d.m = m
	if v, ok := m.values.(*dictionaryMini); ok {
		x.dictionary(v.dict)
	}
	index := m.index
	for c := index.first(rows.Start); c < index.len() && index.rows[c] < rows.End; {
		// Neighbours of which something is left to test, together.
		var run storage.Range
		end := c
		for ; end < index.len() && index.rows[end] < rows.End; end++ {
			from, to := max(index.rows[end], rows.Start), min(index.rows[end+1], rows.End)
			if !anyBits(x.bits, int(at+from), int(to-from)) {
				break
			}
			run.Length += index.bytes[end+1] - index.bytes[end]
		}
		// Nothing is left to test in chunk c.
		if end == c {
			c++
			continue
		}
		run.Offset = m.bufs[1].Offset + index.bytes[c]
		if err := x.chunks(ctx, src, run, rows, at, c, end); err != nil {
			return err
		}
		c = end
	}
	return nil
}

// chunks tests the chunks first <= c < end, which lie at run.
func (x *matcher) chunks(ctx context.Context, src encoding.Source, run storage.Range, rows encoding.Range, at int64, first, end int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	bufs, err := src.ReadRanges(ctx, []storage.Range{run})
	if err != nil {
		return err
	}
	defer releaseAll(bufs)
	index, data := x.d.m.index, bufs[0].Bytes()
	for c := first; c < end; c++ {
		size := index.bytes[c+1] - index.bytes[c]
		from, to := max(rows.Start-index.rows[c], 0), min(rows.End, index.rows[c+1])-index.rows[c]
		if err := x.chunk(data[:size], index.count(c), int(from), int(to), int(at+index.rows[c]+from)); err != nil {
			return fault.Place(fmt.Errorf("chunk %d: %w", c, err), "", -1, -1, x.d.m.bufs[1].Offset+index.bytes[c])
		}
		data = data[size:]
	}
	return nil
}

// chunk tests the values from <= i < to of a chunk of n, the first of which has bit at. All n
// values are tested, since they are unpacked together anyway, and then the bits of those that are
// wanted are used.
func (x *matcher) chunk(b []byte, n, from, to, at int) error {
	x.a.reset()
	numLevels, _, def, err := x.d.cut(b)
	if err != nil {
		return err
	}
	words := (n + 63) / 64
	if cap(x.pass) < words {
		x.valid, x.pass = make([]uint64, words), make([]uint64, words)
	}
	x.valid, x.pass = x.valid[:words], x.pass[:words]
	nulls := false
	if x.d.m.def != nil {
		if numLevels != n {
			return fault.Corruptf("%d definition levels for %d values", numLevels, n)
		}
		if err := x.levels(def, n); err != nil {
			return err
		}
		nulls = x.d.m.schema.Layers[0] == levels.NullableItem
	}
	all, none, err := x.values(n)
	switch {
	case err != nil:
		return err
	case none:
		clear(x.pass)
	// Nothing changes.
	case all && !nulls:
		return nil
	case all:
		copy(x.pass, x.valid)
	case nulls:
		for i, w := range x.valid {
			x.pass[i] &= w
		}
	}
	andBits(x.bits, at, x.pass, from, to-from)
	return nil
}

// levels finds the values of a chunk that are not NULL, which are those of definition level 0. The
// two codecs that nearly all pages use have a short way from the encoded levels to bits.
func (x *matcher) levels(def []byte, n int) error {
	switch c := x.d.m.def.(type) {
	case *rleCodec:
		if c.bits() == 16 {
			r, err := c.frame(def, x.a)
			if err != nil {
				return err
			}
			return r.Zeros(x.valid, n)
		}
	// Levels of one bit in a whole block of 1,024 values are the bits themselves, in another order,
	// and 1 stands for NULL.
	case outOfLineBlock:
		if c.word == 16 && c.width == 1 && n == bitpack.BlockLen && len(def) >= bitpack.PackedBytes(1) {
			bitpack.Bits16((*[bitpack.BlockLen / 64]uint64)(x.valid), (*[bitpack.BlockLen / 8]byte)(def))
			for i := range x.valid {
				x.valid[i] = ^x.valid[i]
			}
			return nil
		}
	}
	l, err := decodeLevels(x.d.m.def, def, n, x.a)
	if err != nil {
		return err
	}
	arcWords(l, 0, 0, x.valid)
	return nil
}

// values tests the values of a chunk into x.pass. With all or none set it does not write them.
func (x *matcher) values(n int) (all, none bool, err error) {
	if n == 0 {
		return true, false, nil
	}
	switch v := x.d.m.values.(type) {
	case *wordMini:
		return x.words(v.wordCodec, n)
	case flatMini:
		return x.words(flatWords(v), n)
	case *dictionaryMini:
		return x.codes(v, n)
	}
	return false, false, fault.New(fault.Internal, "chunks of %T are not tested", x.d.m.values)
}

// words tests words. A bit-packed chunk states in its first bytes that all of its values are below
// 2^width, which can decide the test without unpacking any.
func (x *matcher) words(c wordCodec, n int) (all, none bool, err error) {
	test := *x.test
	if p, ok := c.(packedWords); ok {
		width, packed, err := bitpack.InlineWidth(x.d.bufs[0], int(p), n)
		if err != nil {
			return false, false, err
		}
		if test, all, none = test.Below(width); all || none {
			return all, none, nil
		}
		words := x.a.bytes(bitpack.BlockLen * int(p) / 8)
		bitpack.Unpack(words, packed, int(p), width)
		testWords(&test, words, n, x.pass)
		return false, false, nil
	}
	if err := c.check(x.d.bufs, n); err != nil {
		return false, false, err
	}
	words := x.a.bytes(n * c.bits() / 8)
	if err := c.words(x.d.bufs, n, words, x.a); err != nil {
		return false, false, err
	}
	testWords(&test, words, n, x.pass)
	return false, false, nil
}

// dictionary tests the items of a page, once for all of its chunks.
func (x *matcher) dictionary(d *dictionary) {
	size := x.test.Bits / 8
	if cap(x.hits) < d.n {
		x.hits = make([]uint8, d.n)
	}
	x.hits, x.hit, x.few = x.hits[:d.n], 0, 0
	var word [8]byte
	for i := range x.hits {
		copy(word[:], d.fixed[i*size:(i+1)*size])
		x.hits[i] = 0
		if x.test.Pass(binary.LittleEndian.Uint64(word[:])) {
			x.hits[i] = 1
			x.hit++
			if i < 64 {
				x.few |= 1 << i
			}
		}
	}
}

// codes looks the values of a chunk up among the hits of their dictionary. An index beyond the
// dictionary is an error here as in a read.
func (x *matcher) codes(v *dictionaryMini, n int) (all, none bool, err error) {
	c := v.indices
	if err := c.check(x.d.bufs, n); err != nil {
		return false, false, err
	}
	words := x.a.bytes(n * c.bits() / 8)
	if err := c.words(x.d.bufs, n, words, x.a); err != nil {
		return false, false, err
	}
	var most uint64
	switch c.bits() {
	case 8:
		most = lookUp(words, x.hits, x.few, x.pass)
	case 16:
		most = lookUp(uint16s(words), x.hits, x.few, x.pass)
	case 32:
		most = lookUp(words32(words), x.hits, x.few, x.pass)
	case 64:
		most = lookUp(words64(words), x.hits, x.few, x.pass)
	default:
		return false, false, fault.Corruptf("dictionary indices of %d bits", c.bits())
	}
	if most >= uint64(v.dict.n) {
		return false, false, fault.Corruptf("index %d into a dictionary of %d items", most, v.dict.n)
	}
	return false, false, nil
}

type unsigned interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64
}

// lookUp sets a bit of dst for each code that hits has a 1 for, and returns the largest code. Where
// that is beyond hits, dst is undefined. With at most 64 items the hits are bits of one word, few,
// which stays in a register.
func lookUp[T unsigned](codes []T, hits []uint8, few uint64, dst []uint64) (most uint64) {
	for _, c := range codes {
		most = max(most, uint64(c))
	}
	if most >= uint64(len(hits)) {
		return most
	}
	k := 0
	if len(hits) <= 64 {
		for ; len(codes) >= 64; codes = codes[64:] {
			var w uint64
			for i := 0; i < 64; i += 8 {
				c := codes[i : i+8 : i+8]
				w |= (few>>(c[0]&63)&1 | few>>(c[1]&63)&1<<1 | few>>(c[2]&63)&1<<2 | few>>(c[3]&63)&1<<3 |
					few>>(c[4]&63)&1<<4 | few>>(c[5]&63)&1<<5 | few>>(c[6]&63)&1<<6 | few>>(c[7]&63)&1<<7) << i
			}
			dst[k] = w
			k++
		}
	} else {
		for ; len(codes) >= 64; codes = codes[64:] {
			var w uint64
			for i := 0; i < 64; i += 8 {
				c := codes[i : i+8 : i+8]
				w |= (uint64(hits[c[0]]) | uint64(hits[c[1]])<<1 | uint64(hits[c[2]])<<2 | uint64(hits[c[3]])<<3 |
					uint64(hits[c[4]])<<4 | uint64(hits[c[5]])<<5 | uint64(hits[c[6]])<<6 | uint64(hits[c[7]])<<7) << i
			}
			dst[k] = w
			k++
		}
	}
	if len(codes) > 0 {
		var w uint64
		for i, c := range codes {
			w |= uint64(hits[c]) << i
		}
		dst[k] = w
	}
	return most
}

// testWords sets a bit of dst for each of n values that passes, and clears the others. b holds n
// values of t.Bits bits, little endian, and may hold more.
func testWords(t *encoding.Test, b []byte, n int, dst []uint64) {
	switch t.Bits {
	case 8:
		testArcs(t.Arcs, b[:n], dst)
	case 16:
		testArcs(t.Arcs, uint16s(b)[:n], dst)
	case 32:
		testArcs(t.Arcs, words32(b)[:n], dst)
	default:
		testArcs(t.Arcs, words64(b)[:n], dst)
	}
}

// testArcs tests values for being in one of the arcs, which do not overlap in general but may.
func testArcs[T unsigned](arcs []encoding.Arc, v []T, dst []uint64) {
	if len(arcs) == 0 {
		clear(dst)
		return
	}
	arcWords(v, T(arcs[0].Low), T(arcs[0].Size), dst)
	for _, a := range arcs[1:] {
		for k := range dst {
			dst[k] |= arcWord(v[64*k:min(64*k+64, len(v))], T(a.Low), T(a.Size))
		}
	}
}

// arcWords tests all values for one arc.
func arcWords[T unsigned](v []T, low, size T, dst []uint64) {
	for k := range dst {
		dst[k] = arcWord(v[64*k:min(64*k+64, len(v))], low, size)
	}
}

// arcWord tests up to 64 values.
func arcWord[T unsigned](v []T, low, size T) (w uint64) {
	i := 0
	for ; len(v) >= 8; v = v[8:] {
		x := v[:8:8]
		// A value is on the arc if it lies at most size behind low, counted around the circle: the
		// difference of unsigned words wraps as the circle does.
		w |= (in(x[0]-low, size) | in(x[1]-low, size)<<1 | in(x[2]-low, size)<<2 | in(x[3]-low, size)<<3 |
			in(x[4]-low, size)<<4 | in(x[5]-low, size)<<5 | in(x[6]-low, size)<<6 | in(x[7]-low, size)<<7) << (i & 63)
		i += 8
	}
	for j, x := range v {
		w |= in(x-low, size) << ((i + j) & 63)
	}
	return w
}

// in is 1 if x <= size, else 0, without a branch.
func in[T unsigned](x, size T) (w uint64) {
	if x <= size {
		w = 1
	}
	return w
}

// anyBits reports whether one of n bits from at on is set.
func anyBits(bits []uint64, at, n int) bool {
	for ; n > 0 && at&63 != 0; at, n = at+1, n-1 {
		if bits[at>>6]>>(at&63)&1 != 0 {
			return true
		}
	}
	for ; n >= 64; at, n = at+64, n-64 {
		if bits[at>>6] != 0 {
			return true
		}
	}
	return n > 0 && bits[at>>6]<<(64-n) != 0
}

// andBits ANDs n bits of src, from bit from on, to those of dst from at on.
func andBits(dst []uint64, at int, src []uint64, from, n int) {
	for n > 0 {
		// As many as lie in one word on both sides.
		k := min(n, 64-at&63, 64-from&63)
		some := ^uint64(0) >> (64 - k)
		dst[at>>6] &= ^(some << (at & 63)) | src[from>>6]>>(from&63)&some<<(at&63)
		at, from, n = at+k, from+k, n-k
	}
}
