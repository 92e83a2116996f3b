package v20

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/enc20pb"
	"lanceflight/lancefmt/storage"
)

// packedStruct builds the encoding PackedStruct: row after row, each the bytes of all children. The
// children are fixed-width, or fixed-size lists of such, and have no NULLs. The encodings of the
// children say only how wide they are: their buffer numbers are not used.
//
//	{1, 2}, {3, 4} of a uint8 and a uint16     01 0200 03 0400
func (b *builder) packedStruct(enc *enc20pb.PackedStruct, dt arrow.DataType, n int64) (node, error) {
	t, ok := storageType(dt).(*arrow.StructType)
	if !ok {
		return nil, fault.Corruptf("the page encoding PackedStruct for values of type %s", dt)
	}
	if len(enc.GetInner()) != t.NumFields() {
		return nil, fault.Corruptf("a packed struct of %d children in a column of type %s", len(enc.GetInner()), dt)
	}
	d := &packedStructNode{}
	for i, f := range t.Fields() {
		width, err := packedWidth(enc.GetInner()[i], f.Type)
		if err != nil {
			return nil, err
		}
		d.children = append(d.children, packedChild{offset: d.width, width: width})
		if d.width += width; d.width > math.MaxInt32 {
			return nil, fault.Corruptf("a packed struct of more than %d bytes", math.MaxInt32)
		}
	}
	if d.width == 0 {
		return nil, fault.Corruptf("a packed struct without children")
	}
	var err error
	d.buf, err = b.valuesBuffer(enc.GetBuffer(), n, uint64(d.width)*8)
	return d, err
}

// packedWidth returns the bytes of one value of a child, and checks them against its type.
func packedWidth(enc *enc20pb.ArrayEncoding, dt arrow.DataType) (int, error) {
	switch e := enc.GetArrayEncoding().(type) {
	case *enc20pb.ArrayEncoding_Nullable:
		if v := e.Nullable.GetNoNulls(); v != nil {
			return packedWidth(v.GetValues(), dt)
		}
		return 0, fault.New(fault.Unsupported, "NULLs inside a packed struct in storage version 2.0")
	case *enc20pb.ArrayEncoding_FixedSizeList:
		t, ok := storageType(dt).(*arrow.FixedSizeListType)
		if !ok || int64(t.Len()) != int64(e.FixedSizeList.GetDimension()) || t.Len() <= 0 {
			break
		}
		width, err := packedWidth(e.FixedSizeList.GetItems(), t.Elem())
		if err != nil {
			return 0, err
		}
		if total, ok := product(int64(width), int64(t.Len())); ok && total <= math.MaxInt32 {
			return int(total), nil
		}
	case *enc20pb.ArrayEncoding_Flat:
		width, ok := bitsOf(dt)
		if !ok || e.Flat.GetBitsPerValue() != uint64(width) {
			break
		}
		if width%8 != 0 || e.Flat.GetCompression() != nil {
			return 0, fault.New(fault.Unsupported, "bits or compressed values inside a packed struct")
		}
		return width / 8, nil
	default:
		return 0, fault.New(fault.Unsupported, "the page encoding %s inside a packed struct", name(enc))
	}
	return 0, fault.Corruptf("the page encoding %s for a packed child of type %s", name(enc), dt)
}

type packedStructNode struct {
	buf      storage.Range
	width    int // bytes of a row
	children []packedChild
}

type packedChild struct{ offset, width int }

// read asks for the bytes of rows, and copies each child out of them.
func (d *packedStructNode) read(j *job, rows []encoding.Range, o out, at int) error {
	first := -1
	for _, r := range rows {
		h := j.want(storage.Range{Offset: d.buf.Offset + r.Start*int64(d.width), Length: r.Len() * int64(d.width)})
		if first < 0 {
			first = h
		}
	}
	j.then(func() error {
		for i, c := range d.children {
			f := leaf(o.(*structOut).children[i])
			dst, err := f.bytes()
			if err != nil {
				return err
			}
			dst = dst[at*c.width:]
			for k := range rows {
				for src := j.span(first + k).bytes(); len(src) > 0; src = src[d.width:] {
					dst = dst[copy(dst[:c.width], src[c.offset:]):]
				}
			}
		}
		return nil
	})
	return nil
}

// leaf returns the values of a fixed-width child or of the items of fixed-size lists.
func leaf(o out) *fixedOut {
	for {
		l, ok := o.(*fixedListOut)
		if !ok {
			return o.(*fixedOut)
		}
		o = l.child
	}
}
