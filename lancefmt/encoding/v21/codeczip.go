package v21

import (
	"encoding/binary"

	"lanceflight/internal/fault"
	"lanceflight/internal/prefetch"
	"lanceflight/lancefmt/encoding/fsst"
	"lanceflight/lancefmt/encoding/general"
	"lanceflight/lancefmt/pb/enc21pb"
)

// zipFixed decodes values of one width out of a full-zip page.
type zipFixed interface {
	// size is the bytes of a value.
	size() int
	// append appends n values that start stride bytes apart. src begins with the first value and
	// holds all of them; what lies between two values is a control word.
	append(src []byte, stride, n int, out *values) error
}

// newZipFixed builds the codec for values of shape s. Every codec has whole bytes for a value,
// because a value of a full-zip page begins at a byte.
func newZipFixed(e *enc21pb.CompressiveEncoding, s *shape) (zipFixed, error) {
	if s.kind == kindPacked {
		c := e.GetPackedStruct()
		if c == nil {
			return nil, unsupportedIn("a full-zip page of packed structs", e)
		}
		rows, err := newPackedRows(c, s)
		return packedZip{rows}, err
	}
	if s.kind != kindFixed {
		return nil, fault.Corruptf("values of one width in a column of type %s", s.typ)
	}
	switch c := e.GetCompression().(type) {
	case *enc21pb.CompressiveEncoding_Flat:
		bits, err := flatBits(c.Flat)
		if err != nil {
			return nil, err
		}
		if s.itemBits == 1 && len(s.dims) == 0 && bits == 8 {
			return listZip{listDims: listDims{product: 1}, itemBytes: 1}, nil // a byte per boolean
		}
		if bits != s.valueBits() || bits%8 != 0 {
			return nil, fault.Corruptf("values of %d bits in a column of type %s", bits, s.typ)
		}
		return flatZip(bits / 8), nil
	case *enc21pb.CompressiveEncoding_FixedSizeList:
		dims, bits, err := flatList(c.FixedSizeList)
		if err != nil {
			return nil, err
		}
		// Booleans in lists may be spread to a byte each, or packed as in chunks.
		fit := bits
		if s.itemBits == 1 && bits == 8 {
			fit = 1
		}
		if err := dims.fit(s, fit); err != nil {
			return nil, err
		}
		if bits == 1 && s.itemBits == 1 && dims.product%8 == 0 && !dims.validity {
			return bitsZip(dims.product / 8), nil
		}
		if bits%8 != 0 {
			return nil, fault.New(fault.Unsupported, "full-zip page of items of %d bits", bits)
		}
		if !dims.validity && s.itemBits != 1 && bits > 0 {
			return flatZip(bits / 8 * dims.product), nil
		}
		return listZip{dims, bits / 8}, nil
	// All values are NULL, and nothing is stored but control words.
	case *enc21pb.CompressiveEncoding_Constant:
		return flatNull{}, nil
	}
	return nil, unsupportedIn("a full-zip page of "+s.typ.String(), e)
}

// flatZip is plain bytes. The Go value is their number.
type flatZip int

func (c flatZip) size() int { return int(c) }

func (c flatZip) append(src []byte, stride, n int, out *values) error {
	dst, err := out.extend(n)
	if err != nil {
		return err
	}
	// Without control words the values follow each other as in an array.
	if stride == int(c) {
		copy(dst, src)
		return nil
	}
	for i := range n {
		if next := (i + streamRows) * stride; int(c) >= streamBytes && next < len(src) {
			prefetch.Lines(src[next:min(len(src), next+int(c))])
		}
		copy(dst[i*int(c):(i+1)*int(c)], src[i*stride:])
	}
	return nil
}

// A copy of a few kilobytes is over before the processor has seen that it reads a stream. So of
// rows of at least streamBytes, the row that comes streamRows later is asked for while one is
// copied. It saves a tenth of the time of scanning vectors of 768 floats.
const streamBytes, streamRows = 1024, 1

// bitsZip is fixed-size lists of bits that fill whole bytes. The Go value is the number of bytes.
type bitsZip int

func (c bitsZip) size() int { return int(c) }

func (c bitsZip) append(src []byte, stride, n int, out *values) error {
	if stride == int(c) {
		return out.appendBits(src, 0, n)
	}
	for i := range n {
		if err := out.appendBits(src[i*stride:], 0, 1); err != nil {
			return err
		}
	}
	return nil
}

// flatNull is values of which nothing is stored, because all are NULL.
type flatNull struct{}

func (flatNull) size() int { return 0 }

func (flatNull) append(_ []byte, _, n int, out *values) error { return out.appendEmpty(n) }

// listZip is fixed-size lists whose items' validity stands in front of them, or whose items are
// booleans of a byte each. itemBytes is 0 if all items are NULL.
//
//	validity of layer 0 | validity of layer 1 | … | items      validity has whole bytes
//
// Only layers that have NULLs have validity. Dictionaries of lists have the same rows.
//
// For the list [1 NULL 3] of uint8:
//
//	05 | 01 00 03      validity 1 0 1, then the items
type listZip struct {
	listDims
	itemBytes int
}

// size sums up the validity of each layer that has one, and the items.
func (c listZip) size() int {
	n, per := c.itemBytes*c.product, 1
	for i, dim := range c.dims {
		per *= dim
		if c.has[i] {
			n += (per + 7) / 8
		}
	}
	return n
}

func (c listZip) append(src []byte, stride, n int, out *values) error {
	// head is where the items begin, behind the validity of all layers.
	head := c.size() - c.itemBytes*c.product
	for i := range n {
		v := src[i*stride:]
		items := v[head : head+c.itemBytes*c.product]
		switch {
		case c.itemBytes == 0:
			if err := out.appendEmpty(1); err != nil {
				return err
			}
		case out.bits != nil:
			if err := out.bits.appendBools(items); err != nil {
				return err
			}
			if err := out.extendInner(1); err != nil {
				return err
			}
		default:
			dst, err := out.extend(1)
			if err != nil {
				return err
			}
			copy(dst, items)
		}
		per := 1
		for j, dim := range c.dims {
			per *= dim
			if !c.has[j] {
				continue
			}
			if err := out.setInner(j, 1, v, 0); err != nil {
				return err
			}
			v = v[(per+7)/8:]
		}
	}
	return nil
}

// packedZip is rows of packed fields of fixed width, each behind a control word.
type packedZip struct{ *packedMini }

func (c packedZip) size() int { return c.row }

func (c packedZip) append(src []byte, stride, n int, out *values) error {
	return c.appendRows(src, stride, n, out)
}

// zipText decodes values of varying width out of a full-zip page, one at a time.
type zipText interface {
	// append appends the value stored as b.
	append(b []byte, out *values, a *arena) error
}

// newZipText builds the codec for values of shape s: strings, or packed structs with strings in
// them.
func newZipText(e *enc21pb.CompressiveEncoding, s *shape) (zipText, error) {
	switch s.kind {
	case kindPacked:
		return newPackedText(e, s)
	case kindVariable:
	default:
		return nil, fault.Corruptf("values of varying width in a column of type %s", s.typ)
	}
	switch c := e.GetCompression().(type) {
	case *enc21pb.CompressiveEncoding_Variable:
		// The width of offsets is that of lengths, which the page states, too. Here it is only
		// checked to be something that is known.
		_, err := variableOffsets(e, "a full-zip page")
		return plainText{}, err
	case *enc21pb.CompressiveEncoding_Fsst:
		d, err := fsst.New(c.Fsst.GetSymbolTable())
		if err != nil {
			return nil, err
		}
		if _, err := variableOffsets(c.Fsst.GetValues(), "a full-zip page"); err != nil {
			return nil, err
		}
		return fsstText{d}, nil
	case *enc21pb.CompressiveEncoding_General:
		scheme, err := generalScheme(c.General)
		return generalText{scheme}, err
	}
	return nil, unsupportedIn("a full-zip page of strings", e)
}

// plainText is bytes as they are.
type plainText struct{}

func (plainText) append(b []byte, out *values, _ *arena) error { return out.appendBytes(b) }

// fsstText is FSST codes, of which a text of up to eight times the length is made.
type fsstText struct{ *fsst.Decoder }

func (c fsstText) append(b []byte, out *values, a *arena) error {
	// Only the length is wanted, which the codes do not tell: they are decoded elsewhere.
	if out.want != wantAll {
		room := a.bytes(c.MaxLen(len(b)))
		n, err := c.Decode(room, b)
		if err != nil {
			return err
		}
		return out.appendBytes(room[:n])
	}
	dst, err := out.data.room(c.MaxLen(len(b)))
	if err != nil {
		return err
	}
	n, err := c.Decode(dst, b)
	if err != nil {
		return err
	}
	out.data.advance(n)
	return out.end(1)
}

// generalText is values that are compressed one by one. The reference takes the encoding below
// General for granted: what is decompressed is the plain bytes.
type generalText struct{ scheme general.Scheme }

func (c generalText) append(b []byte, out *values, _ *arena) error {
	if out.want != wantAll {
		plain, err := general.Decompress(nil, c.scheme, b, maxGeneralBytes)
		if err != nil {
			return err
		}
		return out.appendBytes(plain)
	}
	// Decompress appends; given the free room behind the values it need not allocate.
	room, err := out.data.room(0)
	if err != nil {
		return err
	}
	plain, err := general.Decompress(room[:0], c.scheme, b, maxGeneralBytes)
	if err != nil {
		return err
	}
	// The result lies in the room if it was large enough, and then is part of the array already.
	// The first byte tells. Otherwise it is in memory of its own and is copied.
	if len(plain) <= len(room) && len(plain) > 0 && &plain[0] == &room[:1][0] {
		out.data.advance(len(plain))
		return out.end(1)
	}
	return out.appendBytes(plain)
}

// packedText is rows of packed fields of which some have varying width.
//
//	row: field | field | …     field: bytes, or length and bytes
//
// A row has no length of its own beyond the one in front of it in the page. Its fields must use up
// exactly that.
//
// For the row {"ab", 7} of a string with a length of 32 bits and a uint16:
//
//	02000000 6162 0700
type packedText struct{ fields []packedField }

// packedField is one field. Either fixed is set, or text with lengths of lenBytes bytes.
type packedField struct {
	fixed    zipFixed
	text     zipText
	lenBytes int
}

// newPackedText builds the codecs of all fields and checks them against the column's type.
func newPackedText(e *enc21pb.CompressiveEncoding, s *shape) (zipText, error) {
	c := e.GetVariablePackedStruct()
	if c == nil {
		return nil, unsupportedIn("a full-zip page of packed structs", e)
	}
	if len(c.GetFields()) != len(s.fields) {
		return nil, fault.Corruptf("packed struct of %d fields in a column of type %s", len(c.GetFields()), s.typ)
	}
	p := &packedText{}
	for i, f := range c.GetFields() {
		var field packedField
		var err error
		switch l := f.GetLayout().(type) {
		case *enc21pb.VariablePackedStruct_FieldEncoding_BitsPerValue:
			if field.fixed, err = newZipFixed(f.GetValue(), s.fields[i]); err == nil && l.BitsPerValue != 8*uint64(field.fixed.size()) {
				err = fault.Corruptf("packed field of %d bits, its encoding has %d bytes", l.BitsPerValue, field.fixed.size())
			}
		case *enc21pb.VariablePackedStruct_FieldEncoding_BitsPerLength:
			if l.BitsPerLength != 32 && l.BitsPerLength != 64 {
				return nil, fault.Corruptf("lengths of %d bits", l.BitsPerLength)
			}
			field.lenBytes = int(l.BitsPerLength / 8)
			field.text, err = newZipText(f.GetValue(), s.fields[i])
		default:
			err = missing("the width of a packed field")
		}
		if err != nil {
			return nil, err
		}
		p.fields = append(p.fields, field)
	}
	return p, nil
}

func (p *packedText) append(b []byte, out *values, a *arena) error {
	// A NULL row may come without bytes. It takes a place in every field all the same.
	if len(b) == 0 {
		return out.appendEmpty(1)
	}
	for i, f := range p.fields {
		var size int
		if f.fixed != nil {
			size = f.fixed.size()
		} else {
			if len(b) < f.lenBytes {
				return fault.Corruptf("length of %d bytes in %d", f.lenBytes, len(b))
			}
			var n uint64
			if f.lenBytes == 4 {
				n = uint64(binary.LittleEndian.Uint32(b))
			} else {
				n = binary.LittleEndian.Uint64(b)
			}
			b = b[f.lenBytes:]
			// The length is compared as it is, before it becomes an int.
			if n > uint64(len(b)) {
				return fault.Corruptf("packed field of %d bytes in %d", n, len(b))
			}
			size = int(n)
		}
		if size > len(b) {
			return fault.Corruptf("packed field of %d bytes in %d", size, len(b))
		}
		var err error
		if f.fixed != nil {
			err = f.fixed.append(b[:size], size, 1, out.fields[i])
		} else {
			err = f.text.append(b[:size], out.fields[i], a)
		}
		if err != nil {
			return err
		}
		b = b[size:]
	}
	if len(b) > 0 {
		return fault.Corruptf("%d bytes behind the fields of a packed struct", len(b))
	}
	out.n++
	return nil
}
