package v20

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/enc20pb"
)

// fixedSizeList builds the encoding FixedSizeList: the items of all lists, one after the other. The
// lists' own NULLs are in a Nullable around it, those of the items in one inside.
func (b *builder) fixedSizeList(enc *enc20pb.FixedSizeList, dt arrow.DataType, n int64) (node, error) {
	t, ok := storageType(dt).(*arrow.FixedSizeListType)
	if !ok {
		return nil, fault.Corruptf("the page encoding FixedSizeList for values of type %s", dt)
	}
	dim := int64(enc.GetDimension())
	if dim == 0 || dim != int64(t.Len()) {
		return nil, fault.Corruptf("fixed-size lists of %d items in a column of type %s", dim, dt)
	}
	if enc.GetHasValidity() {
		return nil, fault.New(fault.Unsupported, "the page encoding FixedSizeList with validity in storage version 2.0")
	}
	items, ok := product(n, dim)
	if !ok {
		return nil, fault.Corruptf("%d fixed-size lists of %d items", n, dim)
	}
	child, err := b.build(enc.GetItems(), t.Elem(), items)
	if err != nil {
		return nil, err
	}
	return &fixedSizeListNode{child, dim}, nil
}

type fixedSizeListNode struct {
	items node
	dim   int64
}

// read reads the items of rows: list i has the items from i·dim on.
func (d *fixedSizeListNode) read(j *job, rows []encoding.Range, o out, at int) error {
	return d.items.read(j, scaleRows(rows, d.dim), o.(*fixedListOut).child, at*int(d.dim))
}
