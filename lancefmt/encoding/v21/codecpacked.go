package v21

import (
	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/enc21pb"
)

// packedMini is rows of fixed-width fields, side by side, without padding between fields or rows.
//
//	row: field 0 | field 1 | …      field i has fields[i] bytes
//
// For the rows {1, 2} and {3, 4} of a uint8 and a uint16:
//
//	01 0200 | 03 0400
type packedMini struct {
	// fields has the bytes of each field, in the order of the struct's.
	fields []int
	// row is the bytes of a row.
	row int
}

// newPackedMini builds the codec of a chunk of packed structs.
func newPackedMini(e *enc21pb.CompressiveEncoding, s *shape) (miniCodec, error) {
	c := e.GetPackedStruct()
	if c == nil {
		return nil, unsupportedIn("a chunk of packed structs", e)
	}
	return newPackedRows(c, s)
}

// newPackedRows checks the widths of the fields against the column's type, and their sum against
// the width of a row. Fields of less than a byte, which are booleans, are not packed by any writer.
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

// appendRows appends n rows that start stride bytes apart: in chunks stride is the size of a row,
// and in full-zip pages a control word more. Rows are taken apart field by field, since each field
// is an array of its own.
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
