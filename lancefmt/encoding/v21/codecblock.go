package v21

import (
	"math"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding/bitpack"
	"lanceflight/lancefmt/encoding/general"
	"lanceflight/lancefmt/encoding/rle"
	"lanceflight/lancefmt/encoding/variable"
	"lanceflight/lancefmt/pb/enc21pb"
)

// maxCodecDepth bounds the nesting of encoding messages, and so the recursion that builds codecs.
// Lance nests at most four deep.
const maxCodecDepth = 8

// maxGeneralBytes bounds what a compressed buffer may decode to where nothing else says how much to
// expect, as of strings, whose lengths lie in the compressed bytes themselves.
const maxGeneralBytes = 1 << 30

// unknown is the number of values where only the codec knows it, from the size of its bytes.
const unknown = -1

// blockCodec decodes a whole buffer of fixed-width values: levels, dictionaries, the parts of
// run-length encoding. The result may alias src, which may be mapped, or lie in the arena. So it is
// read-only, and valid until the arena is reset or src is released.
//
// A codec never takes memory for n values on the word of n alone: it compares n with the bytes that
// are there, or with a bound of its own where values take no bytes.
type blockCodec interface {
	// decode returns n values, or as many as there are if n is unknown.
	decode(src []byte, n int, a *arena) ([]byte, error)
	// bits is the width of a value.
	bits() int
	// needsCount reports whether n must be known.
	needsCount() bool
}

// missing is the error of a message without a part that it must have.
func missing(what string) error { return fault.Corruptf("encoding lacks %s", what) }

// unsupportedIn is the error of an encoding that is not known in a place. A message without a
// variant is corrupt, or of a variant that is newer than the schema here.
func unsupportedIn(where string, e *enc21pb.CompressiveEncoding) error {
	if e.GetCompression() == nil {
		return missing("its variant")
	}
	return fault.New(fault.Unsupported, "encoding %s in %s", encodingName(e), where)
}

// encodingName names the variant of an encoding for messages.
func encodingName(e *enc21pb.CompressiveEncoding) string {
	m := e.ProtoReflect()
	if f := m.WhichOneof(m.Descriptor().Oneofs().Get(0)); f != nil {
		return string(f.Message().Name())
	}
	return "without a variant"
}

// flatBits returns the width of a Flat encoding. The message has a field for the compression of its
// buffer, which Lance does not set; compressed values are inside of General instead.
func flatBits(f *enc21pb.Flat) (int, error) {
	if f.GetData() != nil {
		return 0, fault.New(fault.Unsupported, "encoding Flat with buffer compression")
	}
	if f.GetBitsPerValue() == 0 || f.GetBitsPerValue() > maxValueBits {
		return 0, fault.Corruptf("Flat encoding of %d bits", f.GetBitsPerValue())
	}
	return int(f.GetBitsPerValue()), nil
}

// newBlockCodec builds the codec of a buffer of fixed-width values. Anything that cannot be a block
// is refused here, so that decode need not look at messages.
func newBlockCodec(e *enc21pb.CompressiveEncoding, depth int) (blockCodec, error) {
	if depth > maxCodecDepth {
		return nil, fault.Corruptf("encodings nest deeper than %d", maxCodecDepth)
	}
	switch c := e.GetCompression().(type) {
	case *enc21pb.CompressiveEncoding_Flat:
		bits, err := flatBits(c.Flat)
		return flatBlock(bits), err
	case *enc21pb.CompressiveEncoding_InlineBitpacking:
		bits, err := wordBits(c.InlineBitpacking.GetUncompressedBitsPerValue())
		if err == nil && c.InlineBitpacking.GetValues() != nil {
			err = fault.New(fault.Unsupported, "encoding InlineBitpacking with buffer compression")
		}
		return inlineBlock(bits), err
	case *enc21pb.CompressiveEncoding_OutOfLineBitpacking:
		bits, err := wordBits(c.OutOfLineBitpacking.GetUncompressedBitsPerValue())
		if err != nil {
			return nil, err
		}
		flat := c.OutOfLineBitpacking.GetValues().GetFlat()
		if flat == nil {
			return nil, unsupportedIn("OutOfLineBitpacking", c.OutOfLineBitpacking.GetValues())
		}
		// Width 0: all values are 0, as definition levels are in a page that was split off one with
		// NULLs.
		width := flat.GetBitsPerValue()
		if width > uint64(bits) || flat.GetData() != nil {
			return nil, fault.Corruptf("values of %d bits packed to %d", bits, width)
		}
		return outOfLineBlock{word: bits, width: int(width)}, nil
	// One value of some bytes, which all items have.
	case *enc21pb.CompressiveEncoding_Constant:
		v := c.Constant.GetValue()
		if len(v) == 0 {
			return nil, fault.New(fault.Unsupported, "encoding Constant without a value")
		}
		return constantBlock(v), nil
	case *enc21pb.CompressiveEncoding_FixedSizeList:
		dims, bits, err := flatList(c.FixedSizeList)
		if err == nil && dims.validity {
			err = fault.New(fault.Unsupported, "fixed-size lists with NULL items in a block")
		}
		return flatBlock(bits * dims.product), err
	// What is inside decodes the decompressed bytes as if they had been stored.
	case *enc21pb.CompressiveEncoding_General:
		inner, err := newBlockCodec(c.General.GetValues(), depth+1)
		if err != nil {
			return nil, err
		}
		scheme, err := generalScheme(c.General)
		return generalBlock{scheme, inner}, err
	case *enc21pb.CompressiveEncoding_Rle:
		return newRLECodec(c.Rle, depth)
	}
	return nil, unsupportedIn("a block", e)
}

// wordBits checks the width of unpacked values: 8, 16, 32 or 64 bits.
func wordBits(n uint64) (int, error) {
	if n > 64 || !bitpack.ValidWord(int(n)) {
		return 0, fault.Corruptf("bit packing of values of %d bits", n)
	}
	return int(n), nil
}

// generalScheme returns the compression of General, and refuses unknown ones.
func generalScheme(g *enc21pb.General) (general.Scheme, error) {
	s := general.Scheme(g.GetCompression().GetScheme())
	return s, general.Check(s)
}

// byteLen returns the bytes of n values.
func byteLen(bits, n int) int { return (bits*n + 7) / 8 }

// flatBlock is plain values, one after the other. The Go value is the width of a value in bits.
type flatBlock int

func (c flatBlock) bits() int        { return int(c) }
func (c flatBlock) needsCount() bool { return false }

// decode returns a part of src. A buffer that is longer than its values need is no error here.
func (c flatBlock) decode(src []byte, n int, _ *arena) ([]byte, error) {
	if n == unknown {
		// Values of some bits do not tell how many of them there are, because the last byte may
		// have bits to spare.
		if int(c)%8 != 0 || len(src)%(int(c)/8) != 0 {
			return nil, fault.Corruptf("%d bytes of values of %d bits", len(src), int(c))
		}
		return src, nil
	}
	if n > math.MaxInt/int(c) || len(src) < byteLen(int(c), n) {
		return nil, fault.Corruptf("%d values of %d bits in %d bytes", n, int(c), len(src))
	}
	return src[:byteLen(int(c), n)], nil
}

// inlineBlock is one inline bit-packed block, of at most 1,024 values. The Go value is the width of
// an unpacked value in bits.
type inlineBlock int

func (c inlineBlock) bits() int        { return int(c) }
func (c inlineBlock) needsCount() bool { return true }

// decode unpacks one block and returns its first n values.
func (c inlineBlock) decode(src []byte, n int, a *arena) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	width, packed, err := bitpack.InlineWidth(src, int(c), n)
	if err != nil {
		return nil, err
	}
	// A block is always unpacked as a whole.
	out := a.bytes(bitpack.BlockLen * int(c) / 8)
	bitpack.Unpack(out, packed, int(c), width)
	return out[:n*int(c)/8], nil
}

// outOfLineBlock is bit-packed blocks of one width, which the message states: values of word bits
// are packed to width bits, 1,024 at a time.
//
// A tail of fewer than 1,024 values is a block like the others, padded, or plain words if that is
// shorter:
//
//	1,030 uint16 values of 3 bits    384 bytes: 1,024 values | 12 bytes: 6 plain words
type outOfLineBlock struct{ word, width int }

func (c outOfLineBlock) bits() int        { return c.word }
func (c outOfLineBlock) needsCount() bool { return true }

// checkCount bounds the memory that n values need by the bytes there are: a value takes at least
// one bit, and the last block is padded. Values of width 0 take no bytes at all. Levels of a page
// that was split off one with NULLs are of that kind, so the bound for them is what a chunk can
// hold.
func (c outOfLineBlock) checkCount(src []byte, n int) error {
	if c.width > 0 && n > 8*len(src)+bitpack.BlockLen || n > maxChunkLevels && c.width == 0 {
		return fault.Corruptf("%d values packed to %d bits in %d bytes", n, c.width, len(src))
	}
	return nil
}

// decode unpacks as many blocks as n values have, and a tail.
func (c outOfLineBlock) decode(src []byte, n int, a *arena) ([]byte, error) {
	if err := c.checkCount(src, n); err != nil {
		return nil, err
	}
	out := a.bytes(n * c.word / 8)
	return out, bitpack.DecodeOutOfLine(out, src, c.word, c.width, n, a.bytes(bitpack.BlockLen*c.word/8))
}

// constantBlock repeats one value, which the message holds. The Go value is that value.
type constantBlock []byte

func (c constantBlock) bits() int        { return 8 * len(c) }
func (c constantBlock) needsCount() bool { return true }

func (c constantBlock) decode(_ []byte, n int, a *arena) ([]byte, error) {
	if n > maxGeneralBytes/len(c) {
		return nil, fault.Corruptf("block of %d constants", n)
	}
	out := a.bytes(n * len(c))
	for at := 0; at < len(out); at += len(c) {
		copy(out[at:], c)
	}
	return out, nil
}

// generalBlock is a block that is compressed as a whole.
type generalBlock struct {
	scheme general.Scheme
	inner  blockCodec
}

func (c generalBlock) bits() int        { return c.inner.bits() }
func (c generalBlock) needsCount() bool { return c.inner.needsCount() }

// decode decompresses the buffer, to at most what n values can take, and decodes what is inside.
func (c generalBlock) decode(src []byte, n int, a *arena) ([]byte, error) {
	limit := maxGeneralBytes
	if n != unknown && n < maxGeneralBytes/max(1, c.bits()) {
		// The inner block may be larger than its values: bit packing pads its last block, and runs
		// of single values cost more than these. Four times as much, and some, is beyond what
		// writers make.
		limit = 4*byteLen(c.bits(), n) + 64<<10
	}
	plain, err := general.Decompress(decompressRoom(c.scheme, src, limit, a), c.scheme, src, limit)
	if err != nil {
		return nil, err
	}
	return c.inner.decode(plain, n, a)
}

// rleCodec expands runs. Values and lengths of the runs are blocks of their own, either framed in
// one buffer (as a block) or given as two (as the buffers of a chunk).
//
//	framed    u64 bytes of run values | run values | run lengths
type rleCodec struct {
	values, lengths blockCodec
}

// newRLECodec builds the codecs of both parts. Neither the number of runs nor that of values is in
// the message: at least one part must tell the number of runs by its size.
func newRLECodec(e *enc21pb.Rle, depth int) (*rleCodec, error) {
	part := func(e *enc21pb.CompressiveEncoding) (blockCodec, error) {
		c, err := newBlockCodec(e, depth+1)
		if err == nil && (c.bits()%8 != 0 || c.bits() > 64) {
			err = fault.Corruptf("run-length encoding of values of %d bits", c.bits())
		}
		return c, err
	}
	if e.GetValues() == nil || e.GetRunLengths() == nil {
		return nil, missing("the values or lengths of runs")
	}
	values, err := part(e.GetValues())
	if err != nil {
		return nil, err
	}
	lengths, err := part(e.GetRunLengths())
	if err != nil {
		return nil, err
	}
	if values.needsCount() && lengths.needsCount() {
		return nil, fault.Corruptf("neither values nor lengths of runs tell how many there are")
	}
	if _, err := rle.New(nil, nil, values.bits()/8, lengths.bits()/8); err != nil {
		return nil, err
	}
	return &rleCodec{values, lengths}, nil
}

func (c *rleCodec) bits() int        { return c.values.bits() }
func (c *rleCodec) needsCount() bool { return true }

// runs decodes both buffers. If one of them needs to be told the number of runs, the other is
// decoded first and tells it. newRLECodec has made sure that not both need it.
func (c *rleCodec) runs(values, lengths []byte, a *arena) (rle.Runs, error) {
	// Both widths are whole bytes, which newRLECodec has checked.
	vb, lb := c.values.bits()/8, c.lengths.bits()/8
	n := unknown
	var err error
	if c.values.needsCount() {
		if lengths, err = c.lengths.decode(lengths, unknown, a); err != nil {
			return rle.Runs{}, err
		}
		n = len(lengths) / lb
	}
	if values, err = c.values.decode(values, n, a); err != nil {
		return rle.Runs{}, err
	}
	if !c.values.needsCount() {
		if !c.lengths.needsCount() {
			n = unknown
		} else {
			n = len(values) / vb
		}
		if lengths, err = c.lengths.decode(lengths, n, a); err != nil {
			return rle.Runs{}, err
		}
	}
	// New compares the numbers of values and lengths, and so catches parts that disagree.
	return rle.New(values, lengths, vb, lb)
}

// frame splits a framed buffer, u64 bytes of values | values | lengths, and decodes its parts.
func (c *rleCodec) frame(src []byte, a *arena) (rle.Runs, error) {
	values, lengths, err := rle.SplitFrame(src)
	if err != nil {
		return rle.Runs{}, err
	}
	return c.runs(values, lengths, a)
}

// decode expands a framed buffer. The runs are counted first, since n alone is no reason to take
// memory: a few bytes of runs can stand for any number of values. Unlike in chunks, the runs of a
// block must come to exactly n.
func (c *rleCodec) decode(src []byte, n int, a *arena) ([]byte, error) {
	r, err := c.frame(src, a)
	if err != nil {
		return nil, err
	}
	have, err := r.Count()
	if err != nil {
		return nil, err
	}
	if have != int64(n) || have > maxGeneralBytes/8 {
		return nil, fault.Corruptf("runs expand to %d values instead of %d", have, n)
	}
	out := a.bytes(n * c.bits() / 8)
	return out, r.Expand(out, n, false)
}

// newBlockView decodes a block of n strings, which is a dictionary. The view may alias src, and its
// offsets have not been checked.
func newBlockView(e *enc21pb.CompressiveEncoding, src []byte, n, depth int) (variable.View, error) {
	if depth > maxCodecDepth {
		return variable.View{}, fault.Corruptf("encodings nest deeper than %d", maxCodecDepth)
	}
	switch c := e.GetCompression().(type) {
	case *enc21pb.CompressiveEncoding_Variable:
		return variable.BlockView(src, n)
	case *enc21pb.CompressiveEncoding_General:
		scheme, err := generalScheme(c.General)
		if err != nil {
			return variable.View{}, err
		}
		plain, err := general.Decompress(nil, scheme, src, maxGeneralBytes)
		if err != nil {
			return variable.View{}, err
		}
		return newBlockView(c.General.GetValues(), plain, n, depth+1)
	}
	return variable.View{}, unsupportedIn("a block of strings", e)
}
