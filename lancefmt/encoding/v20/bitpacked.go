package v20

import (
	"encoding/binary"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/enc20pb"
	"lanceflight/lancefmt/storage"
)

// bitpacked builds the encoding Bitpacked: value i has the c bits from bit i·c on, low bits first,
// of one little-endian number that fills the buffer. If signed, the highest of the c bits is
// repeated in the bits above. Older writers chose it, and lance-encoding 14.0.2 still reads it.
//
//	5, 1, 6 in 3 bits each     5 + 1·8 + 6·64 = 397     8d 01
func (b *builder) bitpacked(enc *enc20pb.Bitpacked, width int, n int64) (node, error) {
	packed := enc.GetCompressedBitsPerValue()
	if err := checkPacked(packed, enc.GetUncompressedBitsPerValue(), width); err != nil {
		return nil, err
	}
	r, err := b.valuesBuffer(enc.GetBuffer(), n, packed)
	if err != nil {
		return nil, err
	}
	return &bitpackedNode{r, int(packed), width, enc.GetSigned()}, nil
}

// checkPacked checks the widths, in bits, of packed and unpacked values.
func checkPacked(packed, unpacked uint64, width int) error {
	if unpacked != uint64(width) || width < 8 || width > 64 {
		return fault.Corruptf("packed values of %d bits where %d bits are wanted", unpacked, width)
	}
	if packed == 0 || packed > unpacked {
		return fault.Corruptf("values of %d bits packed to %d bits", unpacked, packed)
	}
	return nil
}

type bitpackedNode struct {
	buf    storage.Range
	packed int // bits
	width  int // bits
	signed bool
}

// read asks for the bytes that rows touch. A range may begin and end inside of a byte.
func (d *bitpackedNode) read(j *job, rows []encoding.Range, o out, at int) error {
	f := o.(*fixedOut)
	first, c := -1, int64(d.packed)
	for _, r := range rows {
		from, to := firstByte(r.Start, c), firstByte(r.End, c)
		// The last value ends inside of a byte.
		if (r.End%8)*c%8 != 0 {
			to++
		}
		h := j.want(storage.Range{Offset: d.buf.Offset + from, Length: to - from})
		if first < 0 {
			first = h
		}
	}
	j.then(func() error {
		for i, r := range rows {
			dst, err := f.slot(at, int(r.Len()))
			if err != nil {
				return err
			}
			d.unpack(dst, j.span(first+i).bytes(), int((r.Start%8)*c%8))
			at += int(r.Len())
		}
		return nil
	})
	return nil
}

// firstByte returns the byte in which value i of c bits starts, without overflow in i·c.
func firstByte(i, c int64) int64 { return i/8*c + i%8*c/8 }

// unpack fills dst from the values that start at a bit of src.
func (d *bitpackedNode) unpack(dst, src []byte, bit int) {
	w := d.width / 8
	mask := ^uint64(0) >> (64 - d.packed)
	var wide [8]byte
	for ; len(dst) > 0; dst = dst[w:] {
		v := load64(src[bit/8:]) >> (bit % 8)
		// Up to seven bits of a value are in a ninth byte.
		if have := 64 - bit%8; have < d.packed {
			v |= uint64(src[bit/8+8]) << have
		}
		v &= mask
		if d.signed && v>>(d.packed-1) != 0 {
			v |= ^mask
		}
		binary.LittleEndian.PutUint64(wide[:], v)
		copy(dst[:w], wide[:])
		bit += d.packed
	}
}

// load64 reads up to eight bytes.
func load64(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	return loadUint(b)
}
