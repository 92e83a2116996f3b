package v21

import (
	"encoding/binary"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding/bitpack"
	"lanceflight/lancefmt/encoding/bss"
	"lanceflight/lancefmt/encoding/fsst"
	"lanceflight/lancefmt/encoding/general"
	"lanceflight/lancefmt/encoding/v23"
	"lanceflight/lancefmt/encoding/variable"
	"lanceflight/lancefmt/pb/enc21pb"
)

// span is a run of values of a chunk: from <= i < to.
type span struct{ from, to int }

// chunk is one mini-block chunk whose values are wanted. It lives as long as the call that decodes
// it.
type chunk struct {
	// bufs are the value buffers, without their padding.
	bufs []([]byte)
	// n is the number of values in the chunk, which the chunk table told. Levels may be more.
	n int
	// want are the values to append, ascending and not touching.
	want []span
	a    *arena
}

// whole reports whether all values are wanted.
func (c *chunk) whole() bool { return len(c.want) == 1 && c.want[0] == span{0, c.n} }

// wanted returns the number of values wanted.
func (c *chunk) wanted() (n int) {
	for _, s := range c.want {
		n += s.to - s.from
	}
	return n
}

// miniCodec decodes the values of mini-block chunks into an array under construction. It is
// immutable, and shared by all reads of a page.
type miniCodec interface {
	// buffers is the number of value buffers in a chunk.
	buffers() int
	// decode appends the wanted values. A chunk whose buffers cannot hold c.n values is corrupt.
	decode(c *chunk, out *values) error
	// firstLimit bounds the bytes of the first buffer of a chunk of n values, decompressed. It is
	// what a compression around this codec may produce at most. Nothing in the file states that.
	firstLimit(n int) int
}

// wordCodec decodes chunks of fixed-width values of whole bytes. Unlike a miniCodec it writes to
// plain memory, so that dictionary indices and values to be tested can be decoded without an array.
type wordCodec interface {
	buffers() int
	bits() int
	// words writes all n values to dst, which holds n values.
	words(bufs [][]byte, n int, dst []byte, a *arena) error
	// check verifies that the buffers can hold n values, before memory is taken for them.
	check(bufs [][]byte, n int) error
	firstLimit(n int) int
}

// newMiniCodec builds the codec for values of shape s. The order of the questions matters: General
// may be around anything, then the kind of the column decides, and only then the encoding. An
// encoding whose values are of another width than the column's is corrupt.
func newMiniCodec(e *enc21pb.CompressiveEncoding, s *shape, depth int) (miniCodec, error) {
	if depth > maxCodecDepth {
		return nil, fault.Corruptf("encodings nest deeper than %d", maxCodecDepth)
	}
	if c, ok := e.GetCompression().(*enc21pb.CompressiveEncoding_General); ok {
		inner, err := newMiniCodec(c.General.GetValues(), s, depth+1)
		if err != nil {
			return nil, err
		}
		scheme, err := generalScheme(c.General)
		return &generalMini{scheme, inner}, err
	}
	switch s.kind {
	case kindVariable:
		return newTextMini(e)
	case kindPacked:
		return newPackedMini(e, s)
	case kindFixed:
	default:
		return nil, unsupportedIn("a chunk of "+s.typ.String(), e)
	}
	if c, ok := e.GetCompression().(*enc21pb.CompressiveEncoding_FixedSizeList); ok {
		dims, bits, err := flatList(c.FixedSizeList)
		if err != nil {
			return nil, err
		}
		return listMini{dims, bits}, dims.fit(s, bits)
	}
	// Flat is asked for here and not among the words, because values may have any number of bits,
	// as booleans have.
	if c, ok := e.GetCompression().(*enc21pb.CompressiveEncoding_Flat); ok {
		bits, err := flatBits(c.Flat)
		if err != nil {
			return nil, err
		}
		if bits != s.valueBits() {
			return nil, fault.Corruptf("values of %d bits in a column of type %s", bits, s.typ)
		}
		return flatMini(bits), nil
	}
	w, err := newWordCodec(e, depth)
	if err != nil {
		return nil, err
	}
	if w.bits() != s.valueBits() {
		return nil, fault.Corruptf("values of %d bits in a column of type %s", w.bits(), s.typ)
	}
	return &wordMini{w}, nil
}

// newWordCodec builds the codec of integers and floats, which are all words of some bytes here.
func newWordCodec(e *enc21pb.CompressiveEncoding, depth int) (wordCodec, error) {
	if depth > maxCodecDepth {
		return nil, fault.Corruptf("encodings nest deeper than %d", maxCodecDepth)
	}
	switch c := e.GetCompression().(type) {
	case *enc21pb.CompressiveEncoding_Flat:
		bits, err := flatBits(c.Flat)
		if err == nil && bits%8 != 0 {
			err = fault.Corruptf("words of %d bits", bits)
		}
		return flatWords(bits), err
	case *enc21pb.CompressiveEncoding_InlineBitpacking:
		bits, err := wordBits(c.InlineBitpacking.GetUncompressedBitsPerValue())
		if err == nil && c.InlineBitpacking.GetValues() != nil {
			err = fault.New(fault.Unsupported, "encoding InlineBitpacking with buffer compression")
		}
		return packedWords(bits), err
	case *enc21pb.CompressiveEncoding_OutOfLineBitpacking:
		b, err := newBlockCodec(e, depth)
		if err != nil {
			return nil, err
		}
		return outOfLineWords{b.(outOfLineBlock)}, nil
	case *enc21pb.CompressiveEncoding_Rle:
		r, err := newRLECodec(c.Rle, depth)
		return rleWords{r}, err
	case *enc21pb.CompressiveEncoding_ByteStreamSplit:
		flat := c.ByteStreamSplit.GetValues().GetFlat()
		if flat == nil {
			return nil, unsupportedIn("ByteStreamSplit", c.ByteStreamSplit.GetValues())
		}
		bits, err := flatBits(flat)
		if err == nil && bits%8 != 0 {
			err = fault.Corruptf("byte stream split of values of %d bits", bits)
		}
		return splitWords(bits), err
	case *enc21pb.CompressiveEncoding_General:
		inner, err := newWordCodec(c.General.GetValues(), depth+1)
		if err != nil {
			return nil, err
		}
		scheme, err := generalScheme(c.General)
		return &generalWords{scheme, inner}, err
	}
	return nil, unsupportedIn("a chunk of fixed-width values", e)
}

// wordMini appends the wanted ones of decoded words. There are three ways: all of them are written
// to the array directly, a few are unpacked one by one, and otherwise the chunk is decoded to
// scratch memory of which the wanted parts are copied.
type wordMini struct{ wordCodec }

// decode appends the wanted words. The buffers are checked against the number of values first,
// since memory for all of them is taken in most cases.
func (m *wordMini) decode(c *chunk, out *values) error {
	if err := m.check(c.bufs, c.n); err != nil {
		return err
	}
	size := m.bits() / 8
	// The usual case in a scan: values are unpacked into the array itself.
	if c.whole() {
		dst, err := out.extend(c.n)
		if err != nil {
			return err
		}
		return m.words(c.bufs, c.n, dst, c.a)
	}
	if p, ok := m.wordCodec.(packedWords); ok && c.wanted() <= fewValues {
		return p.pick(c, out)
	}
	all := c.a.bytes(c.n * size)
	if err := m.words(c.bufs, c.n, all, c.a); err != nil {
		return err
	}
	for _, s := range c.want {
		dst, err := out.extend(s.to - s.from)
		if err != nil {
			return err
		}
		copy(dst, all[s.from*size:s.to*size])
	}
	return nil
}

// fewValues is up to how many values of a bit-packed chunk are cheaper to unpack one by one than
// with their block of 1,024.
const fewValues = 32

// flatWords is plain words. The Go value is their width in bits.
type flatWords int

func (c flatWords) buffers() int         { return 1 }
func (c flatWords) bits() int            { return int(c) }
func (c flatWords) firstLimit(n int) int { return byteLen(int(c), n) }

func (c flatWords) check(bufs [][]byte, n int) error {
	// Chunks state the exact size of their buffers; padding is not part of it.
	if len(bufs[0]) != byteLen(int(c), n) {
		return fault.Corruptf("chunk of %d values of %d bits has %d bytes", n, int(c), len(bufs[0]))
	}
	return nil
}

func (c flatWords) words(bufs [][]byte, n int, dst []byte, _ *arena) error {
	copy(dst, bufs[0])
	return nil
}

// packedWords is one inline bit-packed block for each chunk: a word with the width, then 1,024
// values of that many bits, of which the chunk has n. The Go value is the width of an unpacked
// value in bits.
//
//	0500 | 1,024 values of 5 bits: 640 bytes        values of uint16 that need at most 5 bits
type packedWords int

func (c packedWords) buffers() int         { return 1 }
func (c packedWords) bits() int            { return int(c) }
func (c packedWords) firstLimit(n int) int { return int(c)/8 + bitpack.PackedBytes(int(c)) }

// check reads the width, which decides how many bytes there must be.
func (c packedWords) check(bufs [][]byte, n int) error {
	if n == 0 {
		return nil
	}
	_, _, err := bitpack.InlineWidth(bufs[0], int(c), n)
	return err
}

func (c packedWords) words(bufs [][]byte, n int, dst []byte, a *arena) error {
	return bitpack.DecodeInline(dst, bufs[0], int(c), n, a.bytes(bitpack.BlockLen*int(c)/8))
}

// pick unpacks single values. The value that PutUint64 writes is little endian, so its first bytes
// are the narrower word.
func (c packedWords) pick(ch *chunk, out *values) error {
	width, packed, err := bitpack.InlineWidth(ch.bufs[0], int(c), ch.n)
	if err != nil {
		return err
	}
	size := int(c) / 8
	var word [8]byte
	for _, s := range ch.want {
		dst, err := out.extend(s.to - s.from)
		if err != nil {
			return err
		}
		for i := s.from; i < s.to; i++ {
			binary.LittleEndian.PutUint64(word[:], bitpack.Value(packed, int(c), width, i))
			copy(dst, word[:size])
			dst = dst[size:]
		}
	}
	return nil
}

// outOfLineWords is bit packing whose width is in the page's encoding.
type outOfLineWords struct{ outOfLineBlock }

func (c outOfLineWords) buffers() int { return 1 }
func (c outOfLineWords) firstLimit(n int) int {
	return byteLen(c.word, n) + bitpack.PackedBytes(c.word)
}

func (c outOfLineWords) check(bufs [][]byte, n int) error {
	return c.checkCount(bufs[0], n)
}

func (c outOfLineWords) words(bufs [][]byte, n int, dst []byte, a *arena) error {
	return bitpack.DecodeOutOfLine(dst, bufs[0], c.word, c.width, n, a.bytes(bitpack.BlockLen*c.word/8))
}

// rleWords is runs: a buffer of values and one of lengths. Chunks of old writers cut a run that
// goes on in the next chunk, but store it as a whole in both, so that runs may reach beyond n here.
//
// For the uint16 values 7 7 7 9 9 with lengths of 8 bits:
//
//	buffer 0   0700 0900      run values
//	buffer 1   03 02          run lengths
type rleWords struct{ *rleCodec }

func (c rleWords) buffers() int         { return 2 }
func (c rleWords) firstLimit(n int) int { return 2*byteLen(c.bits(), n) + 4<<10 }

// check has nothing to compare n with, since a run may have any length. The chunk index bounds n.
func (c rleWords) check(bufs [][]byte, n int) error { return nil }

// words expands the runs to n values, and cuts what reaches beyond.
func (c rleWords) words(bufs [][]byte, n int, dst []byte, a *arena) error {
	if n == 0 {
		return nil
	}
	r, err := c.runs(bufs[0], bufs[1], a)
	if err != nil {
		return err
	}
	return r.Expand(dst, n, true)
}

// splitWords is byte stream split: byte j of all values, then byte j+1. The Go value is their width
// in bits.
//
// For the uint32 values 0x04030201 and 0x08070605:
//
//	01 05 | 02 06 | 03 07 | 04 08
type splitWords int

func (c splitWords) buffers() int         { return 1 }
func (c splitWords) bits() int            { return int(c) }
func (c splitWords) firstLimit(n int) int { return byteLen(int(c), n) }

func (c splitWords) check(bufs [][]byte, n int) error { return flatWords(c).check(bufs, n) }

func (c splitWords) words(bufs [][]byte, n int, dst []byte, _ *arena) error {
	return bss.Decode(dst, bufs[0], int(c)/8, n)
}

// generalWords is words whose first buffer is compressed. What can be checked is known only after
// that buffer is decompressed, so check does nothing and words calls the inner check.
type generalWords struct {
	scheme general.Scheme
	inner  wordCodec
}

func (c *generalWords) buffers() int                     { return c.inner.buffers() }
func (c *generalWords) bits() int                        { return c.inner.bits() }
func (c *generalWords) firstLimit(n int) int             { return 2*c.inner.firstLimit(n) + 64<<10 }
func (c *generalWords) check(bufs [][]byte, n int) error { return nil }

// words decompresses the first buffer, checks it as if it had come from the file, and decodes it.
func (c *generalWords) words(bufs [][]byte, n int, dst []byte, a *arena) error {
	plain, err := decompressFirst(c.scheme, bufs, c.inner.firstLimit(n), a)
	if err != nil {
		return err
	}
	if err := c.inner.check(plain, n); err != nil {
		return err
	}
	return c.inner.words(plain, n, dst, a)
}

// decompressFirst returns bufs with the first one replaced by what it decodes to. Only the first
// value buffer of a chunk is compressed; others, such as run lengths, are stored as they are.
func decompressFirst(s general.Scheme, bufs [][]byte, limit int, a *arena) ([][]byte, error) {
	plain, err := general.Decompress(decompressRoom(s, bufs[0], limit, a), s, bufs[0], limit)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(bufs))
	copy(out, bufs)
	out[0] = plain
	return out, nil
}

// decompressRoom returns scratch memory for a buffer that says to be small, and nil otherwise.
// Nothing has checked what the buffer says; if it lies, the decompression fails.
func decompressRoom(s general.Scheme, src []byte, limit int, a *arena) []byte {
	if size := general.Size(s, src); size > 0 && size <= min(int64(limit), keepBytes/4) {
		return a.bytes(int(size) + general.Slack)[:0]
	}
	return nil
}

// generalMini is any codec whose first buffer is compressed, as generalWords for words.
type generalMini struct {
	scheme general.Scheme
	inner  miniCodec
}

func (m *generalMini) buffers() int         { return m.inner.buffers() }
func (m *generalMini) firstLimit(n int) int { return 2*m.inner.firstLimit(n) + 64<<10 }

// decode decompresses the first buffer and gives the chunk to the inner codec, with that buffer in
// its place.
func (m *generalMini) decode(c *chunk, out *values) error {
	plain, err := decompressFirst(m.scheme, c.bufs, m.inner.firstLimit(c.n), c.a)
	if err != nil {
		return err
	}
	inner := *c
	inner.bufs = plain
	return m.inner.decode(&inner, out)
}

// flatMini is plain values of any number of bits. The Go value is that number.
type flatMini int

func (m flatMini) buffers() int         { return 1 }
func (m flatMini) firstLimit(n int) int { return byteLen(int(m), n) }

func (m flatMini) decode(c *chunk, out *values) error {
	if err := flatWords(m).check(c.bufs, c.n); err != nil {
		return err
	}
	return appendFlat(c, c.bufs[0], int(m), out)
}

// appendFlat appends the wanted of plain values of valueBits bits. Values of less than a byte go to
// the array's bitmap bit by bit; all others have whole bytes.
func appendFlat(c *chunk, src []byte, valueBits int, out *values) error {
	for _, s := range c.want {
		if out.bits != nil {
			if err := out.appendBits(src, s.from*valueBits, s.to-s.from); err != nil {
				return err
			}
			continue
		}
		dst, err := out.extend(s.to - s.from)
		if err != nil {
			return err
		}
		copy(dst, src[s.from*valueBits/8:])
	}
	return nil
}

// listDims is the layers of nested fixed-size lists, outermost first. A layer that has NULL items
// has a validity buffer with a bit for each of them.
type listDims struct {
	dims     []int
	has      []bool // whether a layer's items have a validity buffer
	product  int
	validity bool // whether any has
}

// flatList reads fixed-size lists of plain items. bits is the width of an item, or 0 if all items
// are NULL, which the encoding Constant stands for: then no items are stored.
func flatList(e *enc21pb.FixedSizeList) (d listDims, bits int, err error) {
	d.product = 1
	for {
		n := e.GetItemsPerValue()
		// The product of the dimensions is bounded before it is formed.
		if n == 0 || n > maxValueBits/uint64(d.product) || len(d.dims) > maxCodecDepth {
			return d, 0, fault.Corruptf("fixed-size list of %d items", n)
		}
		d.dims = append(d.dims, int(n))
		d.has = append(d.has, e.GetHasValidity())
		d.product *= int(n)
		d.validity = d.validity || e.GetHasValidity()
		switch c := e.GetValues().GetCompression().(type) {
		case *enc21pb.CompressiveEncoding_FixedSizeList:
			e = c.FixedSizeList
			continue
		case *enc21pb.CompressiveEncoding_Flat:
			bits, err = flatBits(c.Flat)
			if err == nil && bits > maxValueBits/d.product {
				err = fault.Corruptf("fixed-size list of %d items of %d bits", d.product, bits)
			}
			return d, bits, err
		case *enc21pb.CompressiveEncoding_Constant:
			return d, 0, nil
		}
		return d, 0, unsupportedIn("a fixed-size list", e.GetValues())
	}
}

// fit checks that the lists are those of a column's type. Where all items are NULL, their width is
// not known, and inner lists may be missing: of lists that are all NULL inside of lists nothing is
// said.
func (d listDims) fit(s *shape, bits int) error {
	ok := len(d.dims) == len(s.dims) && d.product == s.perValue && bits == s.itemBits
	if bits == 0 {
		ok = len(d.dims) <= len(s.dims)
	}
	for i := range min(len(d.dims), len(s.dims)) {
		ok = ok && d.dims[i] == s.dims[i]
	}
	if !ok {
		return fault.Corruptf("fixed-size lists %v of %d bits in a column of type %s", d.dims, bits, s.typ)
	}
	return nil
}

// listMini is fixed-size lists in a chunk. A buffer of validity for each layer that has NULLs comes
// first, outermost layer first, then one buffer with the items of all lists.
//
// For the lists [1 NULL 3] and [4 5 6] of uint8:
//
//	buffer 0   3d                    validity of the items, 1 0 1 1 1 1, lowest bit first
//	buffer 1   01 00 03 04 05 06     items; that of a NULL may be anything
type listMini struct {
	listDims
	itemBits int
}

func (m listMini) buffers() int {
	n := 1
	for _, has := range m.has {
		if has {
			n++
		}
	}
	return n
}

// firstLimit bounds the first buffer, which is the outermost validity or else the items.
func (m listMini) firstLimit(n int) int { return byteLen(max(1, m.itemBits)*m.product, n) }

// decode measures all buffers against the number of values, and then appends items and validity
// span by span.
func (m listMini) decode(c *chunk, out *values) error {
	if m.itemBits == 0 && len(c.bufs[len(c.bufs)-1]) > 0 {
		return fault.Corruptf("bytes for items that are all NULL")
	}
	// First all buffers are measured, before anything is appended.
	items, b := c.n, 0
	for i, dim := range m.dims {
		items *= dim // at most chunk values times maxValueBits
		if m.has[i] {
			if len(c.bufs[b]) != byteLen(1, items) {
				return fault.Corruptf("validity of %d items has %d bytes", items, len(c.bufs[b]))
			}
			b++
		}
	}
	valueBits := m.itemBits * m.product
	data := c.bufs[b]
	if len(data) != byteLen(m.itemBits, items) {
		return fault.Corruptf("chunk of %d items of %d bits has %d bytes", items, m.itemBits, len(data))
	}
	// appendFlat is given one span at a time, because the validity of its items must be appended
	// between.
	one := *c
	one.want = make([]span, 1)
	for _, s := range c.want {
		n := s.to - s.from
		one.want[0] = s
		var err error
		if m.itemBits == 0 {
			err = out.appendEmpty(n)
		} else {
			err = appendFlat(&one, data, valueBits, out)
		}
		if err != nil {
			return err
		}
		b, per := 0, 1
		for i, dim := range m.dims {
			per *= dim
			if !m.has[i] {
				continue
			}
			// Bits of layer i begin at the item that the first wanted value has there.
			if err := out.setInner(i, n, c.bufs[b], s.from*per); err != nil {
				return err
			}
			b++
		}
	}
	return nil
}

// textMini is offsets and bytes in one buffer. The bytes may be FSST codes. Offsets count from the
// start of the buffer, so that the first one is the size of the offsets.
//
//	offset 0 | … | offset n | bytes
//
// For the values "ab", "" and "cde" with offsets of 32 bits:
//
//	10000000 12000000 12000000 15000000 | 6162 636465      offsets 16, 18, 18, 21
type textMini struct {
	offsetBits int
	symbols    *fsst.Decoder // nil: plain
}

// newTextMini builds the codec of strings: Variable, perhaps inside of Fsst. Offsets are plain
// before 2.3; a page of 2.3 may encode them apart from the bytes, which is an offsetMini.
func newTextMini(e *enc21pb.CompressiveEncoding) (miniCodec, error) {
	m := &textMini{}
	if c, ok := e.GetCompression().(*enc21pb.CompressiveEncoding_Fsst); ok {
		var err error
		if m.symbols, err = fsst.New(c.Fsst.GetSymbolTable()); err != nil {
			return nil, err
		}
		e = c.Fsst.GetValues()
	}
	if v := e.GetVariable(); m.symbols == nil && v != nil && v.GetValues() == nil && v.GetOffsets() != nil && v.GetOffsets().GetFlat() == nil {
		offsets, err := v23.NewAnySequence(v.GetOffsets())
		return &offsetMini{offsets}, err
	}
	var err error
	m.offsetBits, err = variableOffsets(e, "a chunk of strings")
	return m, err
}

// offsetMini is encoded offsets in a buffer of their own, and the bytes in another. If the offsets
// follow from the encoding, as those of strings of one length, they have no buffer. Only 2.3 has
// such chunks.
type offsetMini struct{ offsets *v23.Sequence }

func (m *offsetMini) buffers() int {
	if m.offsets.HasPayload() {
		return 2
	}
	return 1
}

// firstLimit bounds the offsets, or the bytes of the strings if those are the first buffer.
func (m *offsetMini) firstLimit(n int) int {
	if m.offsets.HasPayload() {
		return 16*n + 64<<10
	}
	return maxGeneralBytes
}

// decode decodes the offsets of all values of the chunk, and appends the wanted strings.
func (m *offsetMini) decode(c *chunk, out *values) error {
	var payload []byte
	if m.offsets.HasPayload() {
		payload = c.bufs[0]
	}
	text := c.bufs[len(c.bufs)-1]
	// There is one offset more than values. They start at 0, ascend, and end with the bytes.
	v, err := m.offsets.Decode(payload, int64(c.n)+1)
	if err != nil {
		return err
	}
	offsets, err := v.Offsets(len(text))
	if err != nil {
		return err
	}
	view := variable.NewView(offsets, text)
	for _, s := range c.want {
		if err := out.appendView(view, s.from, s.to); err != nil {
			return err
		}
	}
	return nil
}

// variableOffsets returns the width of the plain offsets of a Variable encoding.
func variableOffsets(e *enc21pb.CompressiveEncoding, where string) (int, error) {
	v := e.GetVariable()
	if v == nil {
		return 0, unsupportedIn(where, e)
	}
	if v.GetValues() != nil {
		return 0, fault.New(fault.Unsupported, "encoding Variable with buffer compression")
	}
	flat := v.GetOffsets().GetFlat()
	if flat == nil {
		return 0, unsupportedIn("the offsets of "+where, v.GetOffsets())
	}
	return flatBits(flat)
}

func (m *textMini) buffers() int         { return 1 }
func (m *textMini) firstLimit(n int) int { return maxGeneralBytes }

// decode appends the wanted strings, which lie one behind the other in the chunk, so that a span is
// one copy.
func (m *textMini) decode(c *chunk, out *values) error {
	// The view checks the offsets that it is asked for, and no others.
	view, err := variable.ChunkView(c.bufs[0], m.offsetBits, c.n)
	if err != nil {
		return err
	}
	for _, s := range c.want {
		// A symbol table can say that strings are stored as they are.
		if m.symbols == nil || m.symbols.Plain() {
			if err := out.appendView(view, s.from, s.to); err != nil {
				return err
			}
			continue
		}
		if err := out.appendFSST(m.symbols, view, s.from, s.to, c.a); err != nil {
			return err
		}
	}
	return nil
}

// appendFSST appends the texts of values from..to of a view of codes. Codes may become eight times
// as long, which is rare. Where the space behind the values is large enough for that, they are
// decoded in place; elsewhere they are decoded to scratch memory and copied, lest arrays be given
// memory that they do not need.
func (v *values) appendFSST(d *fsst.Decoder, view variable.View, from, to int, a *arena) error {
	codes, err := view.Bytes(from, to)
	if err != nil {
		return err
	}
	ends, err := v.ends.extend((to - from) * v.endBytes())
	if err != nil {
		return err
	}
	most := d.MaxLen(len(codes))
	var room []byte
	inPlace := v.want == wantAll && len(v.data.spare()) >= most
	if inPlace {
		room = v.data.spare()
	} else {
		room = a.bytes(most)
	}
	// base is where the values before these end, and at counts the bytes of text decoded since.
	base, at := int64(v.data.n), 0
	start := view.Offset(from)
	first := start
	for i := from; i < to; i++ {
		end := view.Offset(i + 1)
		// Bytes(from, to) has checked the first and the last offset; those between may be anything.
		if end < start || end-first > uint64(len(codes)) {
			return fault.Corruptf("offsets of values %d..%d do not ascend", from, to)
		}
		n, err := d.Decode(room[at:], codes[start-first:end-first])
		if err != nil {
			return err
		}
		start = end
		at += n
		if v.shape.wide {
			int64s(ends)[i-from] = base + int64(at)
		} else {
			int32s(ends)[i-from] = int32(base + int64(at))
		}
	}
	v.n += to - from
	if inPlace {
		v.data.advance(at)
	} else if err := v.appendData(room[:at]); err != nil {
		return err
	}
	// Ends may have been cut to 32 bits above. They are of no use then, and this reports it.
	return variable.CheckEnd(int64(v.data.n), v.limit)
}
