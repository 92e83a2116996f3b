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

// maxCodecDepth bounds the nesting of encoding messages. Lance nests at most four deep.
const maxCodecDepth = 8

// maxGeneralBytes bounds what a compressed buffer of strings may decode to.
const maxGeneralBytes = 1 << 30

// unknown is the number of values where only the codec knows it.
const unknown = -1

// blockCodec decodes a whole buffer of fixed-width values: levels, dictionaries, the parts of
// run-length encoding. The result may alias src or lie in the arena.
type blockCodec interface {
	// decode returns n values, or as many as there are if n is unknown.
	decode(src []byte, n int, a *arena) ([]byte, error)
	// bits is the width of a value.
	bits() int
	// needsCount reports whether n must be known.
	needsCount() bool
}

func missing(what string) error { return fault.Corruptf("encoding lacks %s", what) }

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

// flatBits returns the width of a Flat encoding that is not compressed further.
func flatBits(f *enc21pb.Flat) (int, error) {
	if f.GetData() != nil {
		return 0, fault.New(fault.Unsupported, "encoding Flat with buffer compression")
	}
	if f.GetBitsPerValue() == 0 || f.GetBitsPerValue() > maxValueBits {
		return 0, fault.Corruptf("Flat encoding of %d bits", f.GetBitsPerValue())
	}
	return int(f.GetBitsPerValue()), nil
}

// newBlockCodec builds the codec of a buffer of fixed-width values.
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
		// Width 0: all values are 0, as definition levels are in a page that was split off one with NULLs.
		width := flat.GetBitsPerValue()
		if width > uint64(bits) || flat.GetData() != nil {
			return nil, fault.Corruptf("values of %d bits packed to %d", bits, width)
		}
		return outOfLineBlock{word: bits, width: int(width)}, nil
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

func wordBits(n uint64) (int, error) {
	if n > 64 || !bitpack.ValidWord(int(n)) {
		return 0, fault.Corruptf("bit packing of values of %d bits", n)
	}
	return int(n), nil
}

func generalScheme(g *enc21pb.General) (general.Scheme, error) {
	s := general.Scheme(g.GetCompression().GetScheme())
	return s, general.Check(s)
}

// byteLen returns the bytes of n values.
func byteLen(bits, n int) int { return (bits*n + 7) / 8 }

// flatBlock is plain values; its value is their width.
type flatBlock int

func (c flatBlock) bits() int        { return int(c) }
func (c flatBlock) needsCount() bool { return false }

func (c flatBlock) decode(src []byte, n int, _ *arena) ([]byte, error) {
	if n == unknown {
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

// inlineBlock is one inline bit-packed block.
type inlineBlock int

func (c inlineBlock) bits() int        { return int(c) }
func (c inlineBlock) needsCount() bool { return true }

func (c inlineBlock) decode(src []byte, n int, a *arena) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	width, packed, err := bitpack.InlineWidth(src, int(c), n)
	if err != nil {
		return nil, err
	}
	out := a.bytes(bitpack.BlockLen * int(c) / 8)
	bitpack.Unpack(out, packed, int(c), width)
	return out[:n*int(c)/8], nil
}

type outOfLineBlock struct{ word, width int }

func (c outOfLineBlock) bits() int        { return c.word }
func (c outOfLineBlock) needsCount() bool { return true }

// checkCount bounds the memory that n values need by the bytes there are, or where values have no
// bits by what a chunk can hold.
func (c outOfLineBlock) checkCount(src []byte, n int) error {
	if c.width > 0 && n > 8*len(src)+bitpack.BlockLen || n > maxChunkLevels && c.width == 0 {
		return fault.Corruptf("%d values packed to %d bits in %d bytes", n, c.width, len(src))
	}
	return nil
}

func (c outOfLineBlock) decode(src []byte, n int, a *arena) ([]byte, error) {
	if err := c.checkCount(src, n); err != nil {
		return nil, err
	}
	out := a.bytes(n * c.word / 8)
	return out, bitpack.DecodeOutOfLine(out, src, c.word, c.width, n, a.bytes(bitpack.BlockLen*c.word/8))
}

// constantBlock repeats one value.
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

type generalBlock struct {
	scheme general.Scheme
	inner  blockCodec
}

func (c generalBlock) bits() int        { return c.inner.bits() }
func (c generalBlock) needsCount() bool { return c.inner.needsCount() }

func (c generalBlock) decode(src []byte, n int, a *arena) ([]byte, error) {
	limit := maxGeneralBytes
	if n != unknown && n < maxGeneralBytes/max(1, c.bits()) {
		limit = 4*byteLen(c.bits(), n) + 64<<10 // bit packing pads its last block, runs may cost more than values
	}
	plain, err := general.Decompress(decompressRoom(c.scheme, src, limit, a), c.scheme, src, limit)
	if err != nil {
		return nil, err
	}
	return c.inner.decode(plain, n, a)
}

// rleCodec expands runs, either framed in one buffer or given as two.
type rleCodec struct {
	values, lengths blockCodec
}

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

// runs decodes both buffers. One of them may need the number of runs, which the other tells.
func (c *rleCodec) runs(values, lengths []byte, a *arena) (rle.Runs, error) {
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
	return rle.New(values, lengths, vb, lb)
}

func (c *rleCodec) frame(src []byte, a *arena) (rle.Runs, error) {
	values, lengths, err := rle.SplitFrame(src)
	if err != nil {
		return rle.Runs{}, err
	}
	return c.runs(values, lengths, a)
}

// decode expands a framed buffer. The runs are counted first: n alone is no reason to take memory.
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

// newBlockView decodes a block of strings: a dictionary. The view may alias src.
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
