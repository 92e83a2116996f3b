package v20

import (
	"github.com/apache/arrow-go/v18/arrow/bitutil"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/enc20pb"
	"lanceflight/lancefmt/storage"
)

// flat builds the encoding Flat: values of one width, one after the other in a buffer, which may be
// compressed as a whole. Values of one bit start at the lowest bit of a byte. Widths that are
// neither 1 nor a multiple of 8 are in the specification, but neither written nor read by
// lance-encoding 14.0.2.
func (b *builder) flat(enc *enc20pb.Flat, width int, n int64) (node, error) {
	if have := enc.GetBitsPerValue(); have != uint64(width) {
		if have == 0 || have%8 == 0 || have == 1 {
			return nil, fault.Corruptf("Flat values of %d bits where %d bits are wanted", have, width)
		}
		return nil, fault.New(fault.Unsupported, "the page encoding Flat with %d bits per value", have)
	}
	scheme, err := schemeOf(enc.GetCompression())
	if err != nil {
		return nil, err
	}
	if scheme == 0 {
		r, err := b.valuesBuffer(enc.GetBuffer(), n, uint64(width))
		if err != nil {
			return nil, err
		}
		return &flatNode{buf: r, width: width}, nil
	}
	r, err := b.buffer(enc.GetBuffer())
	if err != nil {
		return nil, err
	}
	size, ok := bytesFor(n, uint64(width))
	if !ok {
		return nil, fault.Corruptf("%d values of %d bits", n, width)
	}
	return &compressedNode{compressedBuf{b.cache, b.key(), r, scheme}, width, size}, nil
}

// flatNode is an uncompressed buffer.
type flatNode struct {
	buf   storage.Range
	width int
}

// read asks for the bytes of rows and copies them, or leaves the array with the fetched bytes.
func (d *flatNode) read(j *job, rows []encoding.Range, o out, at int) error {
	f := o.(*fixedOut)
	first := -1
	for _, r := range rows {
		from, to := bitSpan(r, d.width)
		h := j.want(storage.Range{Offset: d.buf.Offset + from, Length: to - from})
		if first < 0 {
			first = h
		}
	}
	j.then(func() error {
		// One range that is all of the array needs no copy.
		if len(rows) == 1 && f.alias(j.span(first), at, int(rows[0].Len())) {
			return nil
		}
		dst, err := f.bytes()
		if err != nil {
			return err
		}
		for i, r := range rows {
			src := j.span(first + i).bytes()
			if d.width == 1 {
				copyBits(dst, at, src, int(r.Start%8), int(r.Len()))
			} else {
				copy(dst[at*(d.width/8):], src)
			}
			at += int(r.Len())
		}
		return nil
	})
	return nil
}

// bitSpan returns the byte range of rows of so many bits.
func bitSpan(r encoding.Range, width int) (from, to int64) {
	if width == 1 {
		return r.Start / 8, (r.End + 7) / 8
	}
	w := int64(width / 8)
	return r.Start * w, r.End * w
}

// compressedNode is a compressed buffer of size uncompressed bytes.
type compressedNode struct {
	compressedBuf
	width int
	size  int64
}

// read copies rows out of the decompressed buffer.
func (d *compressedNode) read(j *job, rows []encoding.Range, o out, at int) error {
	f := o.(*fixedOut)
	return d.load(j, d.size, func(data []byte) error {
		if int64(len(data)) < d.size {
			return fault.Corruptf("a compressed buffer has %d bytes where %d are declared", len(data), d.size)
		}
		dst, err := f.bytes()
		if err != nil {
			return err
		}
		for _, r := range rows {
			if d.width == 1 {
				copyBits(dst, at, data, int(r.Start), int(r.Len()))
			} else {
				from, to := bitSpan(r, d.width)
				copy(dst[at*(d.width/8):], data[from:to])
			}
			at += int(r.Len())
		}
		return nil
	})
}

// copyBits copies n bits. Arrow's copy allocates, which single rows of a take would feel.
func copyBits(dst []byte, at int, src []byte, from, n int) {
	if n >= 64 {
		bitutil.CopyBitmap(src, from, n, dst, at)
		return
	}
	for i := range n {
		bitutil.SetBitTo(dst, at+i, bitutil.BitIsSet(src, from+i))
	}
}
