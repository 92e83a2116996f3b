package v23

import (
	"encoding/binary"
	"sort"
	"sync"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding/bitpack"
	"lanceflight/lancefmt/encoding/general"
	"lanceflight/lancefmt/encoding/rle"
	"lanceflight/lancefmt/pb/enc21pb"
)

// Sequence is the encoding of unsigned integers of 32 or 64 bits. How many there are the container
// knows. Encodings nest once: a delta, runs, a dictionary or compressed bytes hold plain ones.
//
// A Sequence is made from a message when a page is opened, and decodes bytes when it is prepared.
// It is immutable.
type Sequence struct {
	// width is the bits of a value.
	width      int
	codec      codec
	hasPayload bool
}

// codec decodes n values of a payload, which is nil for codecs that have none.
type codec interface {
	payload() bool
	decode(src []byte, n int64) (Values, error)
}

// maxDictionaryItems is the number of items of a dictionary that the reference allows.
const maxDictionaryItems = 4096

// NewSequence builds the decoder of values of width bits.
func NewSequence(e *enc21pb.CompressiveEncoding, width int) (*Sequence, error) {
	c, err := newCodec(e, width, true)
	if err != nil {
		return nil, err
	}
	return &Sequence{width: width, codec: c, hasPayload: c.payload()}, nil
}

// NewAnySequence builds the decoder of values of the width that the encoding tells: 32 or 64 bits.
func NewAnySequence(e *enc21pb.CompressiveEncoding) (*Sequence, error) {
	width := widthOf(e, 0)
	if width != 32 && width != 64 {
		return nil, fault.Corruptf("sequence of values of %d bits", width)
	}
	return NewSequence(e, int(width))
}

// widthOf returns the width that an encoding states for its values, or 0 if it states none.
func widthOf(e *enc21pb.CompressiveEncoding, depth int) uint64 {
	if depth > 2 {
		return 0
	}
	switch c := e.GetCompression().(type) {
	case *enc21pb.CompressiveEncoding_Flat:
		return c.Flat.GetBitsPerValue()
	case *enc21pb.CompressiveEncoding_Constant:
		return 8 * uint64(len(c.Constant.GetValue()))
	case *enc21pb.CompressiveEncoding_Range:
		return c.Range.GetUncompressedBitsPerValue()
	case *enc21pb.CompressiveEncoding_Delta:
		return c.Delta.GetUncompressedBitsPerValue()
	case *enc21pb.CompressiveEncoding_InlineBitpacking:
		return c.InlineBitpacking.GetUncompressedBitsPerValue()
	case *enc21pb.CompressiveEncoding_OutOfLineBitpacking:
		return c.OutOfLineBitpacking.GetUncompressedBitsPerValue()
	case *enc21pb.CompressiveEncoding_General:
		return widthOf(c.General.GetValues(), depth+1)
	case *enc21pb.CompressiveEncoding_Rle:
		return widthOf(c.Rle.GetValues(), depth+1)
	case *enc21pb.CompressiveEncoding_Dictionary:
		return widthOf(c.Dictionary.GetItems(), depth+1)
	}
	return 0
}

// Width returns the bits of a value.
func (s *Sequence) Width() int { return s.width }

// HasPayload reports whether the values need bytes; without, they follow from the encoding.
func (s *Sequence) HasPayload() bool { return s.hasPayload }

// Decode returns n values. src is not retained; it is nil if there is no payload.
func (s *Sequence) Decode(src []byte, n int64) (Values, error) {
	if n < 0 || n > maxDomain {
		return Values{}, fault.Corruptf("sequence of %d values", uint64(n))
	}
	if !s.hasPayload && len(src) > 0 {
		return Values{}, fault.Corruptf("%d bytes for a sequence that has none", len(src))
	}
	// No values have the encoding Constant without a value, and no other.
	if _, ok := s.codec.(emptyCodec); !ok && n == 0 {
		return Values{}, fault.Corruptf("a sequence of no values with an encoding")
	}
	return s.codec.decode(src, n)
}

// newCodec builds a codec. outer: it may hold others.
func newCodec(e *enc21pb.CompressiveEncoding, width int, outer bool) (codec, error) {
	fit := func(bits uint64) error {
		if bits != uint64(width) {
			return fault.Corruptf("sequence of values of %d bits instead of %d", bits, width)
		}
		return nil
	}
	switch c := e.GetCompression().(type) {
	case *enc21pb.CompressiveEncoding_Flat:
		if c.Flat.GetData() != nil {
			return nil, unsupported("a sequence of flat values with buffer compression")
		}
		return flatCodec(width), fit(c.Flat.GetBitsPerValue())
	case *enc21pb.CompressiveEncoding_Constant:
		if c.Constant.Value == nil {
			return emptyCodec{}, nil
		}
		if err := fit(8 * uint64(len(c.Constant.GetValue()))); err != nil {
			return nil, err
		}
		return rangeCodec{start: word(c.Constant.GetValue(), width), width: width}, nil
	case *enc21pb.CompressiveEncoding_Range:
		if c.Range.GetStep() == 0 {
			return nil, fault.Corruptf("range with step 0")
		}
		return rangeCodec{c.Range.GetStart(), c.Range.GetStep(), width}, fit(c.Range.GetUncompressedBitsPerValue())
	case *enc21pb.CompressiveEncoding_InlineBitpacking:
		if c.InlineBitpacking.GetValues() != nil {
			return nil, unsupported("a bit-packed sequence with buffer compression")
		}
		return inlineCodec(width), fit(c.InlineBitpacking.GetUncompressedBitsPerValue())
	case *enc21pb.CompressiveEncoding_OutOfLineBitpacking:
		flat := c.OutOfLineBitpacking.GetValues().GetFlat()
		if flat == nil || flat.GetData() != nil {
			return nil, unsupported("a bit-packed sequence of values that are not flat")
		}
		packed := flat.GetBitsPerValue()
		if packed == 0 || packed >= uint64(width) {
			return nil, fault.Corruptf("values of %d bits packed to %d", width, packed)
		}
		return outOfLineCodec{width, int(packed)}, fit(c.OutOfLineBitpacking.GetUncompressedBitsPerValue())
	}
	if !outer {
		return nil, unsupported("the sequence encoding %s inside of another", encodingName(e))
	}
	switch c := e.GetCompression().(type) {
	case *enc21pb.CompressiveEncoding_Delta:
		if width == 32 && c.Delta.GetBase()>>32 != 0 {
			return nil, fault.Corruptf("delta from %d on in 32 bits", c.Delta.GetBase())
		}
		inner, err := newCodec(c.Delta.GetDeltas(), width, false)
		if err != nil {
			return nil, err
		}
		return deltaCodec{c.Delta.GetBase(), width, inner}, fit(c.Delta.GetUncompressedBitsPerValue())
	case *enc21pb.CompressiveEncoding_General:
		inner, err := newCodec(c.General.GetValues(), width, false)
		if err != nil {
			return nil, err
		}
		if _, ok := inner.(flatCodec); !ok {
			return nil, unsupported("a compressed sequence of values that are not flat")
		}
		scheme := general.Scheme(c.General.GetCompression().GetScheme())
		return generalCodec{scheme, width}, general.Check(scheme)
	case *enc21pb.CompressiveEncoding_Rle:
		values, err := newCodec(c.Rle.GetValues(), width, false)
		if err != nil {
			return nil, err
		}
		lengths, err := newCodec(c.Rle.GetRunLengths(), 32, false)
		return rleCodec{width, values, lengths}, err
	case *enc21pb.CompressiveEncoding_Dictionary:
		n := c.Dictionary.GetNumDictionaryItems()
		if n == 0 || n > maxDictionaryItems {
			return nil, fault.Corruptf("sequence with a dictionary of %d items", n)
		}
		indices, err := newCodec(c.Dictionary.GetIndices(), 32, false)
		if err != nil {
			return nil, err
		}
		items, err := newCodec(c.Dictionary.GetItems(), width, false)
		return dictionaryCodec{int64(n), indices, items}, err
	case nil:
		return nil, fault.Corruptf("encoding of a sequence lacks its variant")
	}
	return nil, unsupported("the sequence encoding %s", encodingName(e))
}

// word reads a little-endian value of width bits.
func word(b []byte, width int) uint64 {
	if width == 32 {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// words reads n values of width bits; b holds them.
func words(b []byte, n int64, width int) Values {
	out := make([]uint64, n)
	for i := range out {
		out[i] = word(b[i*width/8:], width)
	}
	return listed(out)
}

// emptyCodec is a sequence of no values.
type emptyCodec struct{}

func (emptyCodec) payload() bool { return false }

func (emptyCodec) decode(_ []byte, n int64) (Values, error) {
	if n != 0 {
		return Values{}, fault.Corruptf("constant sequence of %d values lacks its value", n)
	}
	return listed(nil), nil
}

// flatCodec is plain values; its value is their width.
type flatCodec int

func (flatCodec) payload() bool { return true }

func (c flatCodec) decode(src []byte, n int64) (Values, error) {
	if int64(len(src)) != n*int64(c)/8 {
		return Values{}, fault.Corruptf("%d values of %d bits in %d bytes", n, int(c), len(src))
	}
	return words(src, n, int(c)), nil
}

// rangeCodec is an arithmetic sequence: start, start+step, …; with step 0 a constant one. It has no
// bytes, and its values stay symbolic, whatever their number.
type rangeCodec struct {
	start, step uint64
	width       int
}

func (rangeCodec) payload() bool { return false }

func (c rangeCodec) decode(_ []byte, n int64) (Values, error) {
	return symbolic(n, c.start, c.step, c.width)
}

// inlineCodec is one bit-packed block with its width in front; its value is the width unpacked.
type inlineCodec int

func (inlineCodec) payload() bool { return true }

func (c inlineCodec) decode(src []byte, n int64) (Values, error) {
	if n > bitpack.BlockLen {
		return Values{}, fault.Corruptf("%d values in one bit-packed block", n)
	}
	width, packed, err := bitpack.InlineWidth(src, int(c), int(n))
	if err != nil {
		return Values{}, err
	}
	out := make([]byte, bitpack.BlockLen*int(c)/8)
	bitpack.Unpack(out, packed, int(c), width)
	return words(out, n, int(c)), nil
}

// outOfLineCodec is bit-packed blocks of one width.
type outOfLineCodec struct{ width, packed int }

func (outOfLineCodec) payload() bool { return true }

func (c outOfLineCodec) decode(src []byte, n int64) (Values, error) {
	if n > 8*int64(len(src)) {
		return Values{}, fault.Corruptf("%d values packed to %d bits in %d bytes", n, c.packed, len(src))
	}
	r := rooms.Get().(*room)
	defer rooms.Put(r)
	b, err := c.unpack(src, n, r)
	if err != nil {
		return Values{}, err
	}
	return words(b, n, c.width), nil
}

// unpack decodes n values to memory of r.
func (c outOfLineCodec) unpack(src []byte, n int64, r *room) ([]byte, error) {
	if size := n * int64(c.width) / 8; int64(cap(r.values)) < size {
		r.values = make([]byte, size)
	}
	out := r.values[:n*int64(c.width)/8]
	err := bitpack.DecodeOutOfLine(out, src, c.width, c.packed, int(n), r.block[:bitpack.BlockLen*c.width/8])
	if cap(r.values) > maxRoom {
		r.values = nil // out is in use, but not kept for others
	}
	return out, err
}

// room is memory for values that are on their way to others.
type room struct {
	values []byte
	block  [bitpack.BlockLen * 8]byte
}

// maxRoom is more than the values of a chunk take.
const maxRoom = 1 << 20

var rooms = sync.Pool{New: func() any { return new(room) }}

// deltaCodec is a base and the differences that lead from it to the other values, one less than
// there are values. Values never descend: a difference is unsigned, and a sum that overflows is
// corrupt.
type deltaCodec struct {
	base  uint64
	width int
	inner codec
}

func (c deltaCodec) payload() bool { return c.inner.payload() }

func (c deltaCodec) decode(src []byte, n int64) (Values, error) {
	if n < 2 {
		return Values{}, fault.Corruptf("delta encoding of %d values", n)
	}
	// The usual offsets of strings, without a list of differences.
	switch inner := c.inner.(type) {
	case flatCodec:
		if inner == 32 && int64(len(src)) == 4*(n-1) {
			return c.sum32(src, n)
		}
	case outOfLineCodec:
		if inner.width == 32 && n-1 <= 8*int64(len(src)) {
			r := rooms.Get().(*room)
			defer rooms.Put(r)
			b, err := inner.unpack(src, n-1, r)
			if err != nil {
				return Values{}, err
			}
			return c.sum32(b, n)
		}
	}
	d, err := c.inner.decode(src, n-1)
	if err != nil {
		return Values{}, err
	}
	// Equal differences make an arithmetic sequence, which needs no list.
	if d.list == nil && d.step == 0 {
		return symbolic(n, c.base, d.start, c.width)
	}
	if err := checkCount(n, len(src)); err != nil {
		return Values{}, err
	}
	out := make([]uint64, n)
	out[0] = c.base
	for i := range d.n {
		next := out[i] + d.At(i)
		if next < out[i] || c.width == 32 && next>>32 != 0 {
			return Values{}, fault.Corruptf("delta encoding exceeds %d bits at value %d", c.width, i+1)
		}
		out[i+1] = next
	}
	return listed(out), nil
}

// sum32 adds up plain 32-bit differences.
func (c deltaCodec) sum32(src []byte, n int64) (Values, error) {
	out := make([]uint64, n)
	at := c.base
	out[0] = at
	rest := out[1:]
	for i := range rest {
		next := at + uint64(binary.LittleEndian.Uint32(src[4*i:]))
		if next < at || c.width == 32 && next>>32 != 0 {
			return Values{}, fault.Corruptf("delta encoding exceeds %d bits at value %d", c.width, i+1)
		}
		at = next
		rest[i] = at
	}
	return listed(out), nil
}

// generalCodec is plain values, compressed.
type generalCodec struct {
	scheme general.Scheme
	width  int
}

func (generalCodec) payload() bool { return true }

func (c generalCodec) decode(src []byte, n int64) (Values, error) {
	if err := checkCount(n, len(src)); err != nil {
		return Values{}, err
	}
	plain, err := general.Decompress(nil, c.scheme, src, int(n)*c.width/8)
	if err != nil {
		return Values{}, err
	}
	return flatCodec(c.width).decode(plain, n)
}

// rleCodec is values and lengths of runs. They are framed in one buffer if either has bytes:
//
//	u64 bytes of values | values | lengths
type rleCodec struct {
	width           int
	values, lengths codec
}

func (c rleCodec) payload() bool { return c.values.payload() || c.lengths.payload() }

func (c rleCodec) decode(src []byte, n int64) (Values, error) {
	if err := checkCount(n, len(src)); err != nil {
		return Values{}, err
	}
	var values, lengths []byte
	if c.payload() {
		var err error
		if values, lengths, err = rle.SplitFrame(src); err != nil {
			return Values{}, err
		}
		if !c.values.payload() && len(values) > 0 || !c.lengths.payload() && len(lengths) > 0 {
			return Values{}, fault.Corruptf("bytes for a part of runs that has none")
		}
	}
	runs, err := c.count(values, lengths, n)
	if err != nil {
		return Values{}, err
	}
	l, err := c.lengths.decode(lengths, runs)
	if err != nil {
		return Values{}, err
	}
	total := int64(0)
	for i := range l.n {
		k := l.At(i)
		if total += int64(k); k == 0 || total > n {
			return Values{}, fault.Corruptf("run %d of length %d in a sequence of %d values", i, k, n)
		}
	}
	if total != n {
		return Values{}, fault.Corruptf("runs of %d values instead of %d", total, n)
	}
	v, err := c.values.decode(values, runs)
	if err != nil {
		return Values{}, err
	}
	out := make([]uint64, 0, n)
	for i := range runs {
		x := v.At(i)
		for range l.At(i) {
			out = append(out, x)
		}
	}
	return listed(out), nil
}

// count returns the number of runs, which is not stored. It follows from lengths that keep to a
// rule, whose sum must reach n, or from the bytes of a plain part.
func (c rleCodec) count(values, lengths []byte, n int64) (int64, error) {
	var runs int64
	if r, ok := c.lengths.(rangeCodec); ok {
		if r.start == 0 {
			return 0, fault.Corruptf("runs of length 0")
		}
		// Lengths ascend: the fewest runs that reach n.
		runs = int64(sort.Search(int(n), func(i int) bool { return r.sum(int64(i)+1) >= float64(n) })) + 1
	} else if f, ok := c.values.(flatCodec); ok {
		runs = int64(len(values)) / (int64(f) / 8)
	} else if _, ok := c.lengths.(flatCodec); ok {
		runs = int64(len(lengths)) / 4
	} else {
		return 0, fault.Corruptf("neither values nor lengths of runs tell how many there are")
	}
	if runs == 0 || runs > n {
		return 0, fault.Corruptf("%d runs in a sequence of %d values", runs, n)
	}
	return runs, nil
}

// sum returns the sum of the first k values. It need only be exact up to 2^53, where float64 is.
func (c rangeCodec) sum(k int64) float64 {
	return float64(k) * (2*float64(c.start) + float64(k-1)*float64(c.step)) / 2
}

// dictionaryCodec is indices and items. They are framed in one buffer if either has bytes:
//
//	u64 bytes of indices | u64 bytes of items | indices | items
type dictionaryCodec struct {
	n              int64
	indices, items codec
}

func (c dictionaryCodec) payload() bool { return c.indices.payload() || c.items.payload() }

func (c dictionaryCodec) decode(src []byte, n int64) (Values, error) {
	if err := checkCount(n, len(src)); err != nil {
		return Values{}, err
	}
	var indices, items []byte
	if c.payload() {
		if len(src) < 16 {
			return Values{}, fault.Corruptf("sequence with a dictionary has %d bytes", len(src))
		}
		a, b := binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[8:])
		src = src[16:]
		if a > uint64(len(src)) || b != uint64(len(src))-a {
			return Values{}, fault.Corruptf("indices of %d bytes and items of %d in %d", a, b, len(src))
		}
		if a > 0 && !c.indices.payload() || b > 0 && !c.items.payload() {
			return Values{}, fault.Corruptf("bytes for a part of a dictionary that has none")
		}
		indices, items = src[:a], src[a:]
	}
	x, err := c.indices.decode(indices, n)
	if err != nil {
		return Values{}, err
	}
	v, err := c.items.decode(items, c.n)
	if err != nil {
		return Values{}, err
	}
	out := make([]uint64, n)
	for i := range out {
		at := x.At(int64(i))
		if at >= uint64(c.n) {
			return Values{}, fault.Corruptf("index %d into a dictionary of %d items", at, c.n)
		}
		out[i] = v.At(int64(at))
	}
	return listed(out), nil
}

// unsupported names what of 2.3 is not read.
func unsupported(format string, args ...any) error {
	return fault.New(fault.Unsupported, "storage version 2.3 page with "+format, args...)
}

// encodingName names the variant of an encoding.
func encodingName(e *enc21pb.CompressiveEncoding) string {
	m := e.ProtoReflect()
	if f := m.WhichOneof(m.Descriptor().Oneofs().Get(0)); f != nil {
		return string(f.Message().Name())
	}
	return "without a variant"
}
