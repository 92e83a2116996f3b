package v20

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/enc20pb"
	"lanceflight/lancefmt/storage"
)

// node is one encoding of a page's tree. It is immutable.
type node interface {
	// read plans the decoding of rows (values of this node, ascending) into o from value number at:
	// it asks j for byte ranges and leaves steps. The rows are within what the node was built for.
	read(j *job, rows []encoding.Range, o out, at int) error
}

// builder makes the nodes of one page. Each node is built for a number of values, which must fit
// its buffers, and for the out that it will write.
type builder struct {
	src        encoding.Source
	page       int
	pageBufs   []storage.Range
	columnBufs []storage.Range
	cache      *cache
	nodes      int // nodes that cache something, so far
}

// build returns the node for n values of type dt.
func (b *builder) build(enc *enc20pb.ArrayEncoding, dt arrow.DataType, n int64) (node, error) {
	switch e := enc.GetArrayEncoding().(type) {
	case nil:
		return nil, fault.Corruptf("an array encoding is missing")
	case *enc20pb.ArrayEncoding_Nullable:
		return b.nullable(e.Nullable, dt, n)
	case *enc20pb.ArrayEncoding_FixedSizeList:
		return b.fixedSizeList(e.FixedSizeList, dt, n)
	case *enc20pb.ArrayEncoding_Binary:
		return b.binary(e.Binary, dt, n)
	case *enc20pb.ArrayEncoding_Fsst:
		return b.fsst(e.Fsst, dt, n)
	case *enc20pb.ArrayEncoding_Dictionary:
		return b.dictionary(e.Dictionary, dt, n)
	case *enc20pb.ArrayEncoding_PackedStruct:
		return b.packedStruct(e.PackedStruct, dt, n)
	case *enc20pb.ArrayEncoding_FixedSizeBinary:
		return b.fixedSizeBinary(e.FixedSizeBinary, dt, n)
	}
	width, ok := bitsOf(dt)
	if !ok {
		return nil, mismatch(enc, dt)
	}
	return b.fixed(enc, width, n)
}

// fixed returns the node for n values of width bits, without a look at their type.
func (b *builder) fixed(enc *enc20pb.ArrayEncoding, width int, n int64) (node, error) {
	switch e := enc.GetArrayEncoding().(type) {
	case *enc20pb.ArrayEncoding_Flat:
		return b.flat(e.Flat, width, n)
	case *enc20pb.ArrayEncoding_Bitpacked:
		return b.bitpacked(e.Bitpacked, width, n)
	case *enc20pb.ArrayEncoding_BitpackedForNonNeg:
		return b.blockPacked(e.BitpackedForNonNeg, width, n)
	}
	return nil, fault.New(fault.Unsupported, "the page encoding %s for fixed-width values in storage version 2.0", name(enc))
}

// unsigned returns the node for n unsigned numbers, without NULLs, and their width.
func (b *builder) unsigned(enc *enc20pb.ArrayEncoding, n int64) (node, int, error) {
	var width uint64
	switch e := enc.GetArrayEncoding().(type) {
	case *enc20pb.ArrayEncoding_Nullable:
		if v := e.Nullable.GetNoNulls(); v != nil {
			return b.unsigned(v.GetValues(), n)
		}
		return nil, 0, fault.New(fault.Unsupported, "NULLs in offsets or indices in storage version 2.0")
	case *enc20pb.ArrayEncoding_Flat:
		width = e.Flat.GetBitsPerValue()
	case *enc20pb.ArrayEncoding_Bitpacked:
		width = e.Bitpacked.GetUncompressedBitsPerValue()
	case *enc20pb.ArrayEncoding_BitpackedForNonNeg:
		width = e.BitpackedForNonNeg.GetUncompressedBitsPerValue()
	case nil:
		return nil, 0, fault.Corruptf("the encoding of offsets or indices is missing")
	default:
		return nil, 0, fault.New(fault.Unsupported, "the page encoding %s for offsets or indices in storage version 2.0", name(enc))
	}
	switch width {
	case 8, 16, 32, 64:
	default:
		return nil, 0, fault.Corruptf("offsets or indices of %d bits", width)
	}
	nd, err := b.fixed(enc, int(width), n)
	return nd, int(width), err
}

// buffer returns the byte range that a Buffer message names; it lies inside the file.
func (b *builder) buffer(ref *enc20pb.Buffer) (storage.Range, error) {
	bufs := b.pageBufs
	switch ref.GetBufferType() {
	case enc20pb.Buffer_page:
	case enc20pb.Buffer_column:
		bufs = b.columnBufs
	case enc20pb.Buffer_file:
		return storage.Range{}, fault.New(fault.Unsupported, "values in a buffer of the whole file")
	default:
		return storage.Range{}, fault.Corruptf("buffer type %d is not defined", ref.GetBufferType())
	}
	i := ref.GetBufferIndex()
	if uint64(i) >= uint64(len(bufs)) {
		return storage.Range{}, fault.Corruptf("buffer %d of %d is wanted", i, len(bufs))
	}
	r := bufs[i]
	if size := b.src.SizeBytes(); r.Offset < 0 || r.Length < 0 || r.Offset > size || r.Length > size-r.Offset {
		return storage.Range{}, fault.Corruptf("buffer %d, %d bytes at %d, does not lie inside the file of %d bytes", i, r.Length, r.Offset, size)
	}
	return r, nil
}

// valuesBuffer returns the buffer of n uncompressed values of width bits.
func (b *builder) valuesBuffer(ref *enc20pb.Buffer, n int64, width uint64) (storage.Range, error) {
	r, err := b.buffer(ref)
	if err != nil {
		return r, err
	}
	if need, ok := bytesFor(n, width); !ok || need > r.Length {
		return r, fault.Corruptf("%d values of %d bits do not fit a buffer of %d bytes", n, width, r.Length)
	}
	return r, nil
}

// key returns a new cache key of the page.
func (b *builder) key() cacheKey {
	b.nodes++
	return cacheKey{page: b.page, node: b.nodes}
}

// name returns the name of an encoding as in the format's specification.
func name(enc *enc20pb.ArrayEncoding) string {
	if enc.GetArrayEncoding() == nil {
		return "(none)"
	}
	return fmt.Sprintf("%T", enc.GetArrayEncoding())[len("*enc20pb.ArrayEncoding_"):]
}

// mismatch is the error of an encoding that values of a type cannot have.
func mismatch(enc *enc20pb.ArrayEncoding, dt arrow.DataType) error {
	switch enc.GetArrayEncoding().(type) {
	case *enc20pb.ArrayEncoding_Constant:
		// The specification leaves open how the value is written, and no writer uses it.
		return fault.New(fault.Unsupported, "the page encoding Constant in storage version 2.0")
	}
	return fault.Corruptf("the page encoding %s for values of type %s", name(enc), dt)
}
