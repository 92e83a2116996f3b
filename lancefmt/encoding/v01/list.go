package v01

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
)

// listReader reads lists: offsets in its own column, int32 or int64 as the type's, items in its
// child. Offset i of a page is the start of list i in the child's page for the same batch.
type listReader struct {
	*pages
	dt    arrow.DataType
	width int64 // bytes of an offset
	child reader
	items []int64 // first item of each page, and the number of items at the end. Nil if the child knows none.
}

// openList opens a list and its items, which have a page for the same batches.
func openList(src encoding.Source, cols []encoding.Column, f encoding.Field, p *pages) (reader, error) {
	if len(f.Children) != 1 {
		return nil, fault.New(fault.Internal, "list field %q has %d children", f.Name, len(f.Children))
	}
	child, err := open(src, cols, f.Children[0])
	if err != nil {
		return nil, fault.Place(err, src.Name(), f.Children[0].Column, -1, -1)
	}
	r := &listReader{pages: p, dt: f.Type, width: 4, child: child}
	if storageType(f.Type).ID() == arrow.LARGE_LIST {
		r.width = 8
	}
	if err := p.fits(8*r.width, 1); err != nil {
		return nil, err
	}
	if r.items = starts(child); r.items != nil && len(r.items) != len(p.starts) {
		return nil, fault.Corruptf("lists in %d pages, their items in %d", len(p.starts)-1, len(r.items)-1)
	}
	return r, nil
}

// starts returns the first value of each page of a reader. It is nil if it has no pages, which only
// structs without fields do not have.
func starts(r reader) []int64 {
	switch r := r.(type) {
	case *plainReader:
		return r.starts
	case *nullReader:
		return r.starts
	case *binaryReader:
		return r.starts
	case *listReader:
		return r.starts
	case *dictionaryReader:
		return r.indices.starts
	case *structReader:
		return r.starts
	}
	return nil
}

// read reads the offsets of rows, one more than rows for each piece of a page, and then the items
// between them.
func (r *listReader) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (*array.Data, error) {
	n, err := count(rows)
	if err != nil {
		return nil, err
	}
	pieces, err := r.split(rows)
	if err != nil {
		return nil, err
	}
	wants := make([]storage.Range, len(pieces))
	for i, p := range pieces {
		wants[i] = storage.Range{Offset: r.pages.pages[p.page].BufRanges[0].Offset + r.width*p.from, Length: r.width * (p.to - p.from + 1)}
	}
	f, err := r.fetch(ctx, wants)
	if err != nil {
		return nil, err
	}
	defer f.release()
	offsets := resized(mem, (n+1)*int(r.width))
	defer offsets.Release()
	var items []encoding.Range
	if r.width == 8 {
		items, err = listOffsets(r, arrow.Int64Traits.CastFromBytes(offsets.Bytes()), pieces, f.spans)
	} else {
		items, err = listOffsets(r, arrow.Int32Traits.CastFromBytes(offsets.Bytes()), pieces, f.spans)
	}
	if err != nil {
		return nil, err
	}
	child, err := r.child.read(ctx, items, mem)
	if err != nil {
		return nil, err
	}
	defer child.Release()
	return array.NewData(r.dt, n, []*memory.Buffer{nil, offsets}, []arrow.ArrayData{child}, 0, 0), nil
}

// listOffsets writes the offsets of lists that follow one another, and returns the items that the
// lists hold, as ranges of the child.
func listOffsets[O int32 | int64](r *listReader, dst []O, pieces []piece, spans []span) ([]encoding.Range, error) {
	load := func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }
	if r.width == 8 {
		load = func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }
	}
	var items []encoding.Range
	dst[0] = 0
	at, sum := 1, int64(0)
	for i, p := range pieces {
		b := spans[i].bytes()
		// base is the first item of the child's page, and limit the number of items of that page.
		base, limit := int64(0), int64(math.MaxInt32)
		if r.items != nil {
			base, limit = r.items[p.page], r.items[p.page+1]-r.items[p.page]
		}
		first := load(b)
		before := first
		if first < 0 {
			return nil, r.place(fault.Corruptf("list %d starts at item %d", p.from, first), p.page)
		}
		for b = b[r.width:]; len(b) > 0; b = b[r.width:] {
			next := load(b)
			if next < before || next > limit {
				return nil, r.place(fault.Corruptf("a list of %d to %d reaches from item %d to item %d of %d",
					p.from, p.to-1, before, next, limit), p.page)
			}
			end := sum + next - first
			if end > math.MaxInt32 && r.width == 4 {
				return nil, fault.New(fault.ResourceExhausted, "%d items of lists are too many for one array; read fewer rows at a time", end)
			}
			dst[at] = O(end)
			at++
			before = next
		}
		if before == first {
			continue
		}
		sum += before - first
		start := base + first
		if k := len(items) - 1; k >= 0 && items[k].End > start && r.items != nil {
			return nil, r.place(fault.Corruptf("list %d starts at item %d, before the end of a list in front of it", p.from, first), p.page)
		}
		items = append(items, encoding.Range{Start: start, End: base + before})
	}
	return items, nil
}
