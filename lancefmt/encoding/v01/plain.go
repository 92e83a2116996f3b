package v01

import (
	"context"
	"math"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
)

// plainReader reads values of a fixed number of bits, and fixed-size lists of them. Row i of a page
// has the bits from i·bits on, so that rows need not begin at a byte: lists of three booleans have
// three bits.
type plainReader struct {
	*pages
	dt    arrow.DataType
	lists []arrow.DataType // fixed-size lists around the values, outermost first
	leaf  arrow.DataType
	bits  int64 // of a row
	dim   int64 // values in a row
}

// openPlain opens a column of values of one width: the type's, times the items of fixed-size lists
// around it.
func openPlain(p *pages, dt arrow.DataType) (*plainReader, error) {
	r := &plainReader{pages: p, dt: dt, leaf: dt, dim: 1}
	for {
		t, ok := storageType(r.leaf).(*arrow.FixedSizeListType)
		if !ok {
			break
		}
		if t.Len() <= 0 || r.dim > math.MaxInt32/int64(t.Len()) {
			return nil, fault.Corruptf("a fixed-size list of %d times %d items", r.dim, t.Len())
		}
		r.dim *= int64(t.Len())
		r.lists = append(r.lists, r.leaf)
		r.leaf = t.Elem()
	}
	bits, ok := bitsOf(r.leaf)
	if !ok {
		return nil, fault.New(fault.Unsupported, "columns of type %s in storage version 0.1", dt)
	}
	r.bits = bits * r.dim
	return r, p.fits(r.bits, 0)
}

// bitsOf returns the width of the values of types that pages hold as they are.
func bitsOf(dt arrow.DataType) (int64, bool) {
	switch t := storageType(dt).(type) {
	case *arrow.DictionaryType, *arrow.FixedSizeListType:
		return 0, false
	case *arrow.FixedSizeBinaryType:
		return int64(t.ByteWidth) * 8, t.ByteWidth > 0
	case arrow.FixedWidthDataType:
		return int64(t.BitWidth()), t.BitWidth() > 0
	}
	return 0, false
}

func (r *plainReader) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (*array.Data, error) {
	n, err := count(rows)
	if err != nil {
		return nil, err
	}
	values, err := r.values(ctx, rows, n, mem)
	if err != nil {
		return nil, err
	}
	defer values.Release()
	data := array.NewData(r.leaf, n*int(r.dim), []*memory.Buffer{nil, values}, nil, 0, 0)
	length := n * int(r.dim)
	for i := len(r.lists) - 1; i >= 0; i-- {
		length /= int(storageType(r.lists[i]).(*arrow.FixedSizeListType).Len())
		outer := array.NewData(r.lists[i], length, []*memory.Buffer{nil}, []arrow.ArrayData{data}, 0, 0)
		data.Release()
		data = outer
	}
	return data, nil
}

// values returns the values of n rows in one buffer.
func (r *plainReader) values(ctx context.Context, rows []encoding.Range, n int, mem memory.Allocator) (*memory.Buffer, error) {
	pieces, err := r.split(rows)
	if err != nil {
		return nil, err
	}
	size, ok := bytesFor(int64(n), r.bits)
	if !ok || size > math.MaxInt {
		return nil, fault.New(fault.ResourceExhausted, "%d values of %d bits are too many for one array", n, r.bits)
	}
	wants := make([]storage.Range, len(pieces))
	for i, p := range pieces {
		from := p.from * r.bits / 8
		wants[i] = storage.Range{Offset: r.pages.pages[p.page].BufRanges[0].Offset + from, Length: (p.to*r.bits+7)/8 - from}
	}
	f, err := r.fetch(ctx, wants)
	if err != nil {
		return nil, err
	}
	defer f.release()
	whole := r.bits%8 == 0 // rows are whole bytes and share none with their neighbours
	if len(pieces) == 1 && (whole || pieces[0].from*r.bits%8 == 0) && aligned(f.spans[0].bytes(), r.leaf) {
		return f.spans[0].share(), nil
	}
	out := resized(mem, int(size))
	dst := out.Bytes()
	if whole {
		for i := range pieces {
			dst = dst[copy(dst, f.spans[i].bytes()):]
		}
		return out, nil
	}
	// Bits behind the last value must not be what the pool left there.
	if size > 0 {
		dst[size-1] = 0
	}
	at := 0
	for i, p := range pieces {
		k := int((p.to - p.from) * r.bits)
		copyBits(dst, at, f.spans[i].bytes(), int(p.from*r.bits%8), k)
		at += k
	}
	return out, nil
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

// aligned reports whether values of the type can be used where they are.
func aligned(b []byte, leaf arrow.DataType) bool {
	if storageType(leaf).ID() == arrow.FIXED_SIZE_BINARY {
		return true
	}
	bits, _ := bitsOf(leaf)
	align := uintptr(min(max(bits/8, 1), 8))
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))%align == 0
}
