package v21

import (
	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/enc21pb"
)

// packedMini is rows of fixed-width fields, side by side.
type packedMini struct {
	fields []int // bytes of each field
	row    int   // bytes of a row
}

func newPackedMini(e *enc21pb.CompressiveEncoding, s *shape) (miniCodec, error) {
	c := e.GetPackedStruct()
	if c == nil {
		return nil, unsupportedIn("a chunk of packed structs", e)
	}
	return newPackedRows(c, s)
}

// newPackedRows checks the widths of the fields against the column's type.
func newPackedRows(c *enc21pb.PackedStruct, s *shape) (*packedMini, error) {
	flat := c.GetValues().GetFlat()
	if flat == nil {
		return nil, unsupportedIn("PackedStruct", c.GetValues())
	}
	bits, err := flatBits(flat)
	if err != nil {
		return nil, err
	}
	if len(c.GetBitsPerValue()) != len(s.fields) {
		return nil, fault.Corruptf("packed struct of %d fields in a column of type %s", len(c.GetBitsPerValue()), s.typ)
	}
	m := &packedMini{}
	for i, width := range c.GetBitsPerValue() {
		f := s.fields[i]
		if f.kind == kindAbsent || f.kind == kindFixed && width%8 != 0 {
			return nil, fault.New(fault.Unsupported, "packed struct with a field of type %s", f.typ)
		}
		if f.kind != kindFixed || width%8 != 0 || width != uint64(f.valueBits()) {
			return nil, fault.Corruptf("packed field of %d bits in a column of type %s", width, s.typ)
		}
		m.fields = append(m.fields, int(width/8))
		m.row += int(width / 8)
	}
	if bits != 8*m.row {
		return nil, fault.Corruptf("packed rows of %d bits, their fields have %d bytes", bits, m.row)
	}
	return m, nil
}

func (m *packedMini) buffers() int         { return 1 }
func (m *packedMini) firstLimit(n int) int { return m.row * n }

func (m *packedMini) decode(c *chunk, out *values) error {
	if err := flatWords(8*m.row).check(c.bufs, c.n); err != nil {
		return err
	}
	for _, s := range c.want {
		if err := m.appendRows(c.bufs[0][s.from*m.row:], m.row, s.to-s.from, out); err != nil {
			return err
		}
	}
	return nil
}

// appendRows appends n rows that start stride bytes apart.
func (m *packedMini) appendRows(src []byte, stride, n int, out *values) error {
	if n == 0 {
		return nil
	}
	at := 0
	for i, size := range m.fields {
		dst, err := out.fields[i].extend(n)
		if err != nil {
			return err
		}
		from := src[at:]
		for r := range n {
			copy(dst[r*size:(r+1)*size], from[r*stride:])
		}
		at += size
	}
	out.n += n
	return nil
}
