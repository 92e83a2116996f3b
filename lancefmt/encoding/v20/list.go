package v20

import (
	"context"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
)

// listReader is a list: offsets in its own column, items in its child.
//
// Offset i of a page is the end of list i in the items of the page, which follow those of the pages
// before it. A NULL list has null_offset_adjustment added to its offset, one more than the page has
// items; what remains is the end of the list before it. As in strings, reading list i takes offsets
// i-1 and i.
//
//	[a b] NULL [] [c]     3 items, null_offset_adjustment 4     ends 2, 2+4, 2, 3
type listReader struct {
	*pages
	dt    arrow.DataType
	wide  bool // 64-bit offsets
	child reader
	lists []listPage
}

// listPage is what a page's message says of its lists.
type listPage struct {
	ends       node
	width      int
	adjustment uint64
	base       int64 // first item of the page
	items      int64
}

// openList opens a list whose items are those of child. The items of a page follow those of the
// pages before it.
func openList(src encoding.Source, number int, col encoding.Column, dt arrow.DataType, child reader) (*listReader, error) {
	p, err := openPages(src, number, col)
	if err != nil {
		return nil, err
	}
	_, wide := storageType(dt).(*arrow.LargeListType)
	r := &listReader{pages: p, dt: dt, wide: wide, child: child}
	var base int64
	for i := range p.pages {
		l, err := r.openPage(i, base, col)
		if err != nil {
			return nil, p.place(err, &p.pages[i])
		}
		r.lists = append(r.lists, l)
		base += l.items
	}
	return r, nil
}

// openPage checks the message of page i, whose items begin at number base of the child's.
func (r *listReader) openPage(i int, base int64, col encoding.Column) (l listPage, err error) {
	pg := &r.pages.pages[i]
	enc, err := pageEncoding(pg.Page)
	if err != nil {
		return l, err
	}
	list := enc.GetList()
	if list == nil {
		return l, fault.Corruptf("the page encoding %s for a list", name(enc))
	}
	items := list.GetNumItems()
	if items > uint64(r.child.rows()-base) {
		return l, fault.Corruptf("lists of %d items from item %d on, but the items' column has %d", items, base, r.child.rows())
	}
	if list.GetNullOffsetAdjustment() == 0 {
		return l, fault.Corruptf("a null offset adjustment of 0")
	}
	b := &builder{src: r.src, page: i, pageBufs: pg.BufRanges, columnBufs: col.BufRanges, cache: &r.cache}
	l = listPage{adjustment: list.GetNullOffsetAdjustment(), base: base, items: int64(items)}
	l.ends, l.width, err = b.unsigned(list.GetOffsets(), pg.NumRows)
	return l, err
}

// read reads the ends of rows, which tell the items, and then these, in a job of the child's own.
func (r *listReader) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (*array.Data, error) {
	n := encoding.Count(rows)
	if n >= math.MaxInt32 {
		return nil, fault.New(fault.ResourceExhausted, "%d rows are too many for one array; read fewer rows at a time", n)
	}
	j := newJob(ctx, r.src, mem)
	defer j.close()
	// A varOut without bytes keeps the lengths, NULLs and later the offsets of lists as it does for
	// strings.
	o := &varOut{dt: r.dt, n: int(n), wide: r.wide, mem: j.mem, valid: validity{n: int(n), mem: j.mem}}
	j.own(o)
	o.lengths()
	parts := make([]*[]encoding.Range, 0, 4)
	err := r.run(j, rows, func(piece pageRows) error {
		l := &r.lists[piece.page]
		items := new([]encoding.Range)
		parts = append(parts, items)
		return readUnsigned(j, l.ends, l.width, withPrevious(piece.rows), func(ends []uint64) (err error) {
			*items, err = l.lengths(ends, piece.rows, o, piece.at)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	var items []encoding.Range
	for _, p := range parts {
		for _, i := range *p {
			if k := len(items); k > 0 && items[k-1].End == i.Start {
				items[k-1].End = i.End
			} else {
				items = append(items, i)
			}
		}
	}
	if err := o.sumLengths("items"); err != nil {
		return nil, err
	}
	child, err := readItems(ctx, r.child, items, mem)
	if err != nil {
		return nil, err
	}
	defer child.Release()
	bitmap, nulls := o.valid.finish()
	return array.NewData(r.dt, int(n), []*memory.Buffer{bitmap, o.offsets}, []arrow.ArrayData{child}, nulls, 0), nil
}

// lengths writes the lengths and NULLs of rows to o and returns the items that the lists hold.
// Items below a NULL list are left out.
func (l *listPage) lengths(ends []uint64, rows []encoding.Range, o *varOut, at int) ([]encoding.Range, error) {
	var items []encoding.Range
	var last uint64
	for _, r := range rows {
		var end uint64
		if r.Start > 0 {
			end = ends[0] % l.adjustment
			ends = ends[1:]
		}
		if end < last {
			return nil, fault.Corruptf("list %d starts at item %d, before item %d, where one before it ends", r.Start, end, last)
		}
		start := end // of the range of items being grown
		for i, e := range ends[:r.Len()] {
			next, length := e, int64(0)
			if e >= l.adjustment {
				if next -= l.adjustment; next >= l.adjustment { // once is enough but in a damaged file
					next %= l.adjustment
				}
			}
			if next < end || next > uint64(l.items) {
				return nil, fault.Corruptf("list %d reaches from item %d to item %d of %d", r.Start+int64(i), end, next, l.items)
			}
			// A NULL list has no items, so those that lie below it are cut out of the range.
			if e >= l.adjustment {
				o.valid.clear(at + i)
				if next > end {
					items = l.extend(items, start, end)
					start = next
				}
			} else {
				length = int64(next - end)
			}
			if err := o.setLen(at+i, length); err != nil {
				return nil, err
			}
			end = next
		}
		items = l.extend(items, start, end)
		at += int(r.Len())
		ends = ends[r.Len():]
		last = end
	}
	return items, nil
}

// extend adds items of the page to ranges of items of the column.
func (l *listPage) extend(items []encoding.Range, start, end uint64) []encoding.Range {
	if start == end {
		return items
	}
	return append(items, encoding.Range{Start: l.base + int64(start), End: l.base + int64(end)})
}

// byteListReader is strings or binary values as the first writers of 2.0 kept them: a list column,
// and behind it a column of uint8, which is no field of the schema.
//
//	"ab", NULL, "", "cde"   column i    List: ends 2, 2+6, 2, 5, null_offset_adjustment 6, num_items 5
//	                        column i+1  uint8: abcde
//
// Source: lance-encoding 0.12.3, src/encodings/logical/binary.rs; pylance wrote such pages up to
// 0.13.
type byteListReader struct {
	list *listReader
	dt   arrow.DataType
}

// IsList reports whether the pages of a column are lists. The column behind it then holds the
// items, even if the field is a string and has no child.
func IsList(col encoding.Column) bool {
	if len(col.Pages) == 0 {
		return false
	}
	enc, err := pageEncoding(&col.Pages[0])
	return err == nil && enc.GetList() != nil
}

// openByteList opens a string field as lists of bytes: its own column has the lists, the next one
// the bytes.
func openByteList(src encoding.Source, cols []encoding.Column, f encoding.Field, wide bool) (reader, error) {
	if f.Column+1 >= len(cols) {
		return nil, fault.Corruptf("strings as lists in the last of %d columns, without a column of their bytes", len(cols))
	}
	items, err := openColumn(src, f.Column+1, cols[f.Column+1], arrow.PrimitiveTypes.Uint8)
	if err != nil {
		return nil, err
	}
	var lists arrow.DataType = arrow.ListOf(arrow.PrimitiveTypes.Uint8)
	if wide {
		lists = arrow.LargeListOf(arrow.PrimitiveTypes.Uint8)
	}
	list, err := openList(src, f.Column, cols[f.Column], lists, items)
	if err != nil {
		return nil, err
	}
	return &byteListReader{list, f.Type}, nil
}

func (r *byteListReader) rows() int64 { return r.list.rows() }

func (r *byteListReader) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (*array.Data, error) {
	data, err := r.list.read(ctx, rows, mem)
	if err != nil {
		return nil, err
	}
	defer data.Release()
	items := data.Children()[0]
	if items.NullN() > 0 {
		return nil, r.list.place(fault.Corruptf("NULLs among the bytes of strings"), nil)
	}
	values := items.Buffers()[1]
	if off := items.Offset(); off > 0 {
		values = memory.SliceBuffer(values, off, items.Len())
		defer values.Release()
	}
	text := array.NewData(r.dt, data.Len(), []*memory.Buffer{data.Buffers()[0], data.Buffers()[1], values}, nil, data.NullN(), 0)
	if err := r.list.checkText(text, rows); err != nil {
		text.Release()
		return nil, err
	}
	return text, nil
}
