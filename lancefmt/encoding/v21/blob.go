package v21

import (
	"context"
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/levels"
	"lanceflight/lancefmt/pb/enc21pb"
	"lanceflight/lancefmt/storage"
)

// blobPage is a page of descriptors, which say where in the file each value lies. The inner layout
// is any other layout of this package, for packed structs of two numbers:
//
//	descriptor: u64 position | u64 size
//
//	size > 0                the value is size bytes at position
//	size 0, position 0      an empty value
//	size 0, position p      no value; p is repetition level | definition level << 16
//
// A column whose type is a struct of position and size is given the descriptors, and one of binary
// type the values. For the latter a page keeps its descriptors from prepare on, 16 bytes for each
// row, so that plan knows what to ask for.
//
// Values under a NULL have size 0, so the size alone tells whether there are bytes to read.
//
// Spec: file/encoding.md, "Blob Page Layout"; lance-encoding 14.0.2, blob.rs, for what the text
// calls the definition level, which is shifted.
type blobPage struct {
	inner   page
	shape   *shape
	schema  *levels.Schema
	numRows int64
	// at and size are the descriptors by row. They are nil where descriptors themselves are wanted.
	at, size []uint64
	// file is the size of the file in bytes.
	file uint64
}

// maxBlobRows bounds the descriptors that a page keeps. Lance writes some thousand of them in a
// page.
const maxBlobRows = 1 << 24

var descriptorType = arrow.StructOf(
	arrow.Field{Name: "position", Type: arrow.PrimitiveTypes.Uint64},
	arrow.Field{Name: "size", Type: arrow.PrimitiveTypes.Uint64},
)

// newBlobPage builds the page and its inner page. Levels are those of the outer message; the inner
// layout has layers of its own, of descriptors that are never NULL.
func newBlobPage(l *enc21pb.BlobLayout, p *encoding.Page, s *shape) (*blobPage, error) {
	schema, err := newSchema(l.GetLayers())
	if err != nil {
		return nil, err
	}
	if schema.MaxRep > 0 {
		return nil, fault.New(fault.Unsupported, "blobs in lists")
	}
	b := &blobPage{shape: s, schema: schema, numRows: p.NumRows}
	// ds is the shape of the inner page's values, which are descriptors in any case.
	ds := s
	switch s.kind {
	case kindVariable:
		if ds, err = newShape(descriptorType); err != nil {
			return nil, err
		}
	case kindPacked:
		if !isDescriptor(s) {
			return nil, fault.New(fault.Unsupported, "blob descriptors as %s", s.typ)
		}
	default:
		return nil, fault.New(fault.Unsupported, "blobs as %s", s.typ)
	}
	b.inner, err = newLayout(l.GetInnerLayout(), p, ds, 1)
	return b, err
}

// isDescriptor reports whether a packed struct has the two fields of a descriptor.
func isDescriptor(s *shape) bool {
	return len(s.fields) == 2 && s.fields[0].valueBits() == 64 && s.fields[1].valueBits() == 64
}

func (b *blobPage) metadata() []storage.Range { return b.inner.metadata() }

// prepare prepares the inner page, and reads and checks the descriptors if values are wanted.
func (b *blobPage) prepare(ctx context.Context, src encoding.Source, meta []*memory.Buffer) error {
	if err := b.inner.prepare(ctx, src, meta); err != nil || b.shape.kind == kindPacked {
		return err
	}
	s, err := newShape(descriptorType)
	if err != nil {
		return err
	}
	b.file = uint64(src.SizeBytes())
	if b.numRows > maxBlobRows {
		return fault.New(fault.Unsupported, "page of %d blobs", b.numRows)
	}
	all := []encoding.Range{{End: b.numRows}}
	if b.numRows == 0 {
		all = nil
	}
	ranges, _, err := b.inner.plan(all, wantAll, nil)
	if err != nil {
		return err
	}
	bufs, err := src.ReadRanges(ctx, ranges)
	if err != nil {
		return err
	}
	defer releaseAll(bufs)
	v, err := newValues(s, memory.DefaultAllocator, int(b.numRows), 0)
	if err != nil {
		return err
	}
	out := &sink{values: v, mem: memory.DefaultAllocator, a: newArena(), expect: int(b.numRows)}
	defer out.release()
	if err := b.inner.decode(all, bufs, out); err != nil {
		return err
	}
	b.at, b.size = uint64s(v.fields[0]), uint64s(v.fields[1])
	if int64(len(b.at)) != b.numRows || int64(len(b.size)) != b.numRows {
		return fault.Corruptf("%d blob descriptors for %d rows", len(b.at), b.numRows)
	}
	for i, n := range b.size {
		// The sum may overflow, which end < n tells. From here on every value lies inside of the
		// file.
		if end := b.at[i] + n; n > 0 && (end < n || end > b.file) {
			return fault.Corruptf("blob of row %d: %d bytes at %d lie outside the file", i, n, b.at[i])
		}
	}
	return nil
}

// uint64s copies the values of an 8-byte column, little endian.
func uint64s(v *values) []uint64 {
	out := make([]uint64, v.n)
	b := v.items.buf.Buf()[:v.items.n]
	for i := range out {
		out[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return out
}

// plan asks for the bytes of each value that has any, one range each. The source joins what is
// near.
func (b *blobPage) plan(rows []encoding.Range, w want, ranges []storage.Range) ([]storage.Range, int, error) {
	if b.shape.kind == kindPacked {
		return b.inner.plan(rows, wantAll, ranges)
	}
	if w != wantAll {
		return ranges, 0, nil // descriptors say it
	}
	total := uint64(0)
	for _, r := range rows {
		for row := r.Start; row < r.End; row++ {
			if n := b.size[row]; n > 0 {
				ranges = append(ranges, storage.Range{Offset: int64(b.at[row]), Length: int64(n)})
				total += n
			}
		}
	}
	// Descriptors may overlap, so their sum says little in a corrupt file; it is a hint only.
	return ranges, int(min(total, b.file)), nil
}

// definition returns the definition level in a descriptor: 0 for a value, also for an empty one,
// whose position is 0.
func definition(at, size uint64) uint16 {
	if size > 0 {
		return 0
	}
	return uint16(at >> 16)
}

// decode appends rows. bufs has a buffer for each wanted value that has bytes, in row order.
func (b *blobPage) decode(rows []encoding.Range, bufs []*memory.Buffer, out *sink) error {
	if err := out.accept(b.schema); err != nil {
		return err
	}
	if b.shape.kind == kindPacked {
		return b.decodeDescriptors(rows, bufs, out)
	}
	var def []uint16
	for _, r := range rows {
		def = def[:0]
		for row := r.Start; row < r.End; row++ {
			if n := int(b.size[row]); out.values.want == wantLengths {
				out.values.data.n += n
				if err := out.values.end(1); err != nil {
					return err
				}
			} else if n == 0 || out.values.want == wantValidity {
				if err := out.values.appendEmpty(1); err != nil {
					return err
				}
			} else {
				if err := out.values.appendBytes(bufs[0].Bytes()); err != nil {
					return err
				}
				bufs = bufs[1:]
			}
			def = append(def, definition(b.at[row], b.size[row]))
		}
		if err := b.addLevels(def, out); err != nil {
			return err
		}
	}
	return nil
}

// decodeDescriptors appends the descriptors themselves, and the levels that are hidden in them.
func (b *blobPage) decodeDescriptors(rows []encoding.Range, bufs []*memory.Buffer, out *sink) error {
	into := out.values
	// The descriptors are decoded even if only validity is wanted, because it is in them; then they
	// go to values that are thrown away.
	if into.want == wantValidity { // which the descriptors tell
		tmp, err := newValues(b.shape, out.mem, int(encoding.Count(rows)), 0)
		if err != nil {
			return err
		}
		defer tmp.release()
		into = tmp
	}
	before := into.n
	// The inner page adds the levels of its own layers to this sink, where nobody looks at them.
	inner := &sink{values: into, mem: out.mem, a: out.a, expect: out.expect}
	err := b.inner.decode(rows, bufs, inner)
	if inner.validity != nil {
		inner.validity.release()
	}
	if err != nil {
		return err
	}
	if into != out.values {
		out.values.n += into.n
	}
	// The last rows of both fields are those that were just decoded.
	at, size := into.fields[0].items, into.fields[1].items
	def := make([]uint16, into.n-before)
	for i := range def {
		k := 8 * (before + i)
		def[i] = definition(binary.LittleEndian.Uint64(at.buf.Buf()[k:]), binary.LittleEndian.Uint64(size.buf.Buf()[k:]))
	}
	return b.addLevels(def, out)
}

// addLevels adds the levels of rows. A page without levels has descriptors whose positions of empty
// values are 0, and def is not needed.
func (b *blobPage) addLevels(def []uint16, out *sink) error {
	n := len(def)
	if b.schema.MaxDef == 0 {
		def = nil
	}
	return out.addLevels(b.schema, nil, def, n)
}

func (b *blobPage) close() { b.inner.close() }

// releaseAll releases the buffers of one request, of which some may have been taken out.
func releaseAll(bufs []*memory.Buffer) {
	for _, b := range bufs {
		if b != nil {
			b.Release()
		}
	}
}
