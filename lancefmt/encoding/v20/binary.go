package v20

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/enc20pb"
	"lanceflight/lancefmt/storage"
)

// binary builds the encoding Binary: strings or binary values as offsets and bytes.
//
// Offset i is the end of value i in the page's bytes; the first value starts at 0. A NULL has
// null_adjustment added to its offset, and null_adjustment is greater than all offsets.
//
//	"ab", NULL, "", "cde"   offsets 2, 2+6, 2, 5   null_adjustment 6   bytes abcde
func (b *builder) binary(enc *enc20pb.Binary, dt arrow.DataType, n int64) (node, error) {
	if _, ok := offsetsOf(dt); !ok {
		return nil, fault.Corruptf("the page encoding Binary for values of type %s", dt)
	}
	ends, width, err := b.unsigned(enc.GetIndices(), n)
	if err != nil {
		return nil, err
	}
	if enc.GetNullAdjustment() == 0 && n > 0 {
		return nil, fault.Corruptf("a null adjustment of 0")
	}
	values, err := b.valueBytes(enc.GetBytes(), 8)
	if err != nil {
		return nil, err
	}
	return &binaryNode{ends, width, values, enc.GetNullAdjustment()}, nil
}

// valueBytes is the bytes of all strings of a page: an uncompressed range, or a compressed buffer.
type valueBytes struct {
	plain      storage.Range
	compressed *compressedBuf
}

// limit returns the number of bytes, as far as it is known without decompressing.
func (v *valueBytes) limit() uint64 {
	if v.compressed != nil {
		return math.MaxInt64
	}
	return uint64(v.plain.Length)
}

// valueBytes makes the bytes from their encoding, a Flat of width bits per value.
func (b *builder) valueBytes(enc *enc20pb.ArrayEncoding, width uint64) (v valueBytes, err error) {
	if inner := enc.GetNullable().GetNoNulls(); inner != nil {
		return b.valueBytes(inner.GetValues(), width)
	}
	flat := enc.GetFlat()
	if flat == nil {
		if enc.GetArrayEncoding() == nil {
			return v, fault.Corruptf("the encoding of the bytes is missing")
		}
		return v, fault.New(fault.Unsupported, "the page encoding %s for the bytes of strings in storage version 2.0", name(enc))
	}
	if have := flat.GetBitsPerValue(); have != 8 && have != width {
		return v, fault.Corruptf("the bytes of strings have %d bits", have)
	}
	scheme, err := schemeOf(flat.GetCompression())
	if err != nil {
		return v, err
	}
	if v.plain, err = b.buffer(flat.GetBuffer()); err != nil {
		return v, err
	}
	if scheme != 0 {
		v.compressed = &compressedBuf{b.cache, b.key(), v.plain, scheme}
	}
	return v, nil
}

// load gives the parts of the bytes to c, whose size is set, in a later step.
func (v *valueBytes) load(j *job, parts []encoding.Range, c *chunk) error {
	if len(parts) == 0 {
		return nil
	}
	c.spans = make([]span, len(parts))
	if v.compressed != nil {
		return v.compressed.load(j, math.MaxInt64, func(data []byte) error {
			if end := parts[len(parts)-1].End; end > int64(len(data)) {
				return fault.Corruptf("a value ends at byte %d of %d", end, len(data))
			}
			if c.size < int64(len(data))/2 { // do not hold whole pages for the few values of a take
				few := make([]byte, 0, c.size)
				for _, p := range parts {
					few = append(few, data[p.Start:p.End]...)
				}
				c.spans = []span{{memory.NewBufferBytes(few), 0, len(few)}}
				return nil
			}
			whole := memory.NewBufferBytes(data)
			for i, p := range parts {
				c.spans[i] = span{whole, int(p.Start), int(p.Len())}
			}
			return nil
		})
	}
	first := -1
	for _, p := range parts {
		h := j.want(storage.Range{Offset: v.plain.Offset + p.Start, Length: p.Len()})
		if first < 0 {
			first = h
		}
	}
	j.then(func() error {
		copy(c.spans, j.spans[first:])
		return nil
	})
	return nil
}

// binaryNode reads strings in two rounds: ends first, and then the bytes that they span.
type binaryNode struct {
	ends       node
	width      int
	values     valueBytes
	adjustment uint64
}

// read asks for the ends of rows, and of the value before each range, which is where the range
// begins. Its step asks for the bytes.
func (d *binaryNode) read(j *job, rows []encoding.Range, o out, at int) error {
	v := o.(*varOut)
	// The chunk is reserved now, in row order, though its bytes come later.
	c := v.reserve()
	return readUnsigned(j, d.ends, d.width, withPrevious(rows), func(ends []uint64) error {
		parts, err := d.lengths(ends, rows, v, at)
		if err != nil {
			return err
		}
		c.size = encoding.Count(parts)
		return d.values.load(j, parts, c)
	})
}

// lengths writes the lengths and NULLs of rows to v and returns the byte ranges of their values.
// ends has the offsets of rows, each range led by the one before it where there is one.
func (d *binaryNode) lengths(ends []uint64, rows []encoding.Range, v *varOut, at int) ([]encoding.Range, error) {
	v.lengths()
	limit := d.values.limit()
	var parts []encoding.Range
	var last uint64 // end of the last value read
	for _, r := range rows {
		var end uint64
		if r.Start > 0 {
			// The value before may be NULL, and then has the adjustment in its end, too.
			if end = ends[0]; end >= d.adjustment {
				end -= d.adjustment
			}
			ends = ends[1:]
		}
		if end < last {
			return nil, fault.Corruptf("value %d starts at byte %d, before byte %d, where one before it ends", r.Start, end, last)
		}
		start := end
		for i, next := range ends[:r.Len()] {
			if next >= d.adjustment {
				next -= d.adjustment
				v.valid.clear(at + i)
			}
			if next < end || next > limit {
				return nil, fault.Corruptf("value %d reaches from byte %d to byte %d of %d", r.Start+int64(i), end, next, limit)
			}
			if err := v.setLen(at+i, int64(next-end)); err != nil {
				return nil, err
			}
			end = next
		}
		at += int(r.Len())
		ends = ends[r.Len():]
		last = end
		// The values of the range have no bytes.
		if start == end {
			continue
		}
		if n := len(parts); n > 0 && parts[n-1].End == int64(start) {
			parts[n-1].End = int64(end)
		} else {
			parts = append(parts, encoding.Range{Start: int64(start), End: int64(end)})
		}
	}
	return parts, nil
}

// readUnsigned reads numbers of so many bits and hands them to use, in a later step.
func readUnsigned(j *job, nd node, width int, rows []encoding.Range, use func(values []uint64) error) error {
	f := newFixed(arrow.PrimitiveTypes.Uint64, width, int(encoding.Count(rows)), j.mem)
	j.own(f)
	return j.after(func() error {
		return nd.read(j, rows, f, 0)
	}, func() error {
		b, err := f.bytes()
		if err != nil {
			return err
		}
		if width == 64 {
			return use(arrow.Uint64Traits.CastFromBytes(b))
		}
		wide := make([]uint64, f.n)
		for i := range wide {
			wide[i] = loadUint(b[i*width/8 : (i+1)*width/8])
		}
		return use(wide)
	})
}

// fixedSizeBinary builds the encoding FixedSizeBinary: strings or binary values that all have the
// same number of bytes, without offsets. Older writers chose it.
func (b *builder) fixedSizeBinary(enc *enc20pb.FixedSizeBinary, dt arrow.DataType, n int64) (node, error) {
	if _, ok := offsetsOf(dt); !ok {
		return nil, fault.Corruptf("the page encoding FixedSizeBinary for values of type %s", dt)
	}
	width := int64(enc.GetByteWidth())
	values, err := b.valueBytes(enc.GetBytes(), uint64(width)*8)
	if err != nil {
		return nil, err
	}
	if total, ok := product(n, width); !ok || uint64(total) > values.limit() {
		return nil, fault.Corruptf("%d values of %d bytes do not fit a buffer of %d bytes", n, width, values.plain.Length)
	}
	return &fixedSizeBinaryNode{values, width}, nil
}

// fixedSizeBinaryNode reads strings that all have width bytes: value i is bytes i·width to
// (i+1)·width.
type fixedSizeBinaryNode struct {
	values valueBytes
	width  int64
}

// read asks for the bytes of rows. All lengths are the same.
func (d *fixedSizeBinaryNode) read(j *job, rows []encoding.Range, o out, at int) error {
	v := o.(*varOut)
	c := v.reserve()
	n := int(encoding.Count(rows))
	if d.width == 0 || d.values.compressed != nil { // offsets without bytes behind them
		if err := j.charge(int64(n)*8, "offsets"); err != nil {
			return err
		}
	}
	if d.width > 0 {
		c.size = int64(n) * d.width
		if err := d.values.load(j, scaleRows(rows, d.width), c); err != nil {
			return err
		}
	}
	j.then(func() error {
		v.lengths()
		for i := range n {
			if err := v.setLen(at+i, d.width); err != nil {
				return err
			}
		}
		return nil
	})
	return nil
}
