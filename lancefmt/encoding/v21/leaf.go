package v21

import (
	"context"
	"sort"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/levels"
	"lanceflight/lancefmt/storage"
)

// leaf reads one column of the file. It is safe for concurrent use: pages are prepared by whoever
// needs them first and are immutable afterwards.
type leaf struct {
	src   encoding.Source
	col   *encoding.Column
	shape *shape
	// text says that values are strings, or have some, and are looked at.
	text bool
	// nested says that a list, struct or map around the leaf wants the levels of its pages.
	nested bool
	pages  []pageState
}

// pageState is a page once it has been prepared. The lock guards the pointer and is not held while
// the page is prepared, so that a slow read delays no other.
type pageState struct {
	mu   sync.Mutex
	page page // nil before
}

// newLeaf looks for the column of a field. Its pages are built when they are first read: a file may
// have columns that nobody asks for.
func newLeaf(src encoding.Source, cols []encoding.Column, f encoding.Field, nested bool) (*leaf, error) {
	if f.Column < 0 || f.Column >= len(cols) {
		return nil, fault.Corruptf("field %q has no column", f.Name)
	}
	s, err := newShape(f.Type)
	if err != nil {
		return nil, err
	}
	col := &cols[f.Column]
	return &leaf{src: src, col: col, shape: s, text: encoding.HasText(f.Type), nested: nested, pages: make([]pageState, len(col.Pages))}, nil
}

// part is what one read wants of one page. Rows are counted from the page's first.
type part struct {
	index int
	page  page
	rows  []encoding.Range
	// bufs is the number of buffers of this page among those of the read, and before the number of
	// those in front of them.
	bufs   int
	before int
	// end is the number of values of the read up to the end of this page.
	end int
}

// split cuts rows, which ascend, into pages. A range may reach over several pages, and several
// ranges may lie in one; each page that is touched has one part.
func (l *leaf) split(rows []encoding.Range) ([]part, error) {
	pages := l.col.Pages
	var parts []part
	k := 0
	for _, r := range rows {
		if r.Start == r.End {
			continue
		}
		// Ranges ascend, so the search begins at the page of the range before.
		if k < len(pages) && pages[k].FirstRow+pages[k].NumRows <= r.Start {
			k += sort.Search(len(pages)-k, func(i int) bool { return pages[k+i].FirstRow+pages[k+i].NumRows > r.Start })
		}
		for at := r.Start; at < r.End; {
			for k < len(pages) && pages[k].FirstRow+pages[k].NumRows <= at {
				k++
			}
			if k == len(pages) {
				return nil, fault.Corruptf("column ends before row %d", at)
			}
			p := &pages[k]
			end := min(r.End, p.FirstRow+p.NumRows)
			if n := len(parts) - 1; n < 0 || parts[n].index != k {
				parts = append(parts, part{index: k})
			}
			q := &parts[len(parts)-1]
			q.rows = appendRange(q.rows, encoding.Range{Start: at - p.FirstRow, End: end - p.FirstRow})
			at = end
		}
	}
	return parts, nil
}

// appendRange joins ranges that touch.
func appendRange(rows []encoding.Range, r encoding.Range) []encoding.Range {
	if n := len(rows) - 1; n >= 0 && rows[n].End == r.Start {
		rows[n].End = r.End
		return rows
	}
	return append(rows, r)
}

func (l *leaf) place(err error, page int) error {
	return fault.Place(err, "", l.col.Index, page, -1)
}

// prepare prepares the pages of a read that have not been, with one request for the metadata of all
// of them. Two reads may prepare the same page at once; the first one to finish wins.
func (l *leaf) prepare(ctx context.Context, parts []part) error {
	type todo struct {
		part *part
		bufs int
	}
	var list []todo
	var ranges []storage.Range
	for i := range parts {
		p := &parts[i]
		st := &l.pages[p.index]
		st.mu.Lock()
		p.page = st.page
		st.mu.Unlock()
		if p.page != nil {
			continue
		}
		pg, err := newPage(&l.col.Pages[p.index], l.shape)
		if err != nil {
			return l.place(err, p.index)
		}
		p.page = pg
		meta := pg.metadata()
		ranges = append(ranges, meta...)
		list = append(list, todo{p, len(meta)})
	}
	if len(list) == 0 {
		return nil
	}
	// Pages may need no metadata, as constant pages with an inline value.
	var bufs []*memory.Buffer
	if len(ranges) > 0 {
		var err error
		if bufs, err = l.src.ReadRanges(ctx, ranges); err != nil {
			return l.place(err, list[0].part.index)
		}
		defer releaseAll(bufs)
	}
	meta := bufs
	for _, t := range list {
		if err := t.part.page.prepare(ctx, l.src, meta[:t.bufs]); err != nil {
			t.part.page.close()
			return l.place(err, t.part.index)
		}
		meta = meta[t.bufs:]
		// Another read may have prepared the page meanwhile: then its state is the one to keep.
		st := &l.pages[t.part.index]
		st.mu.Lock()
		if st.page == nil {
			st.page = t.part.page
		} else {
			t.part.page.close()
			t.part.page = st.page
		}
		st.mu.Unlock()
	}
	return nil
}

// close lets go of what pages keep. No read may be in progress, so that no lock is needed.
func (l *leaf) close() {
	for i := range l.pages {
		if p := l.pages[i].page; p != nil {
			p.close()
			l.pages[i].page = nil
		}
	}
}

// column is a decoded field: its array, and the levels for its parents. Whoever reads it releases
// data.
type column struct {
	data   arrow.ArrayData
	levels *levels.Column // nil if the leaf has no parents
}

// read decodes rows.
func (l *leaf) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (column, error) {
	return l.readWhat(ctx, rows, wantAll, mem)
}

// readWhat decodes what is wanted of rows: values, int64 lengths, or a boolean array that has no
// NULLs. Only leaves without parents give less than values.
//
// The read takes at most two requests: one for the metadata of pages that are new, and one for the
// data of all pages. Pages are decoded one after the other into one array.
func (l *leaf) readWhat(ctx context.Context, rows []encoding.Range, w want, mem memory.Allocator) (col column, err error) {
	parts, err := l.split(rows)
	if err != nil {
		return column{}, l.place(err, -1)
	}
	if err := l.prepare(ctx, parts); err != nil {
		return column{}, err
	}
	var ranges []storage.Range
	dataBytes := 0
	for i := range parts {
		p := &parts[i]
		p.before = len(ranges)
		var hint int
		if ranges, hint, err = p.page.plan(p.rows, w, ranges); err != nil {
			return column{}, l.place(err, p.index)
		}
		p.bufs = len(ranges) - p.before
		dataBytes += hint
	}
	var bufs []*memory.Buffer
	if len(ranges) > 0 {
		if bufs, err = l.src.ReadRanges(ctx, ranges); err != nil {
			return column{}, l.place(err, -1)
		}
		defer releaseAll(bufs)
	}
	expect := int(encoding.Count(rows))
	// One range of uncompressed values is an Arrow buffer already.
	if w == wantAll && l.shape.dictionary == nil && len(parts) == 1 {
		if data, ok := l.alias(&parts[0], bufs, expect); ok {
			return column{data: data}, nil
		}
	}
	out := &sink{mem: mem, a: newArena(), nested: l.nested, expect: expect}
	defer out.release()
	room := expect
	if l.nested {
		room = 0 // items, not rows: their number is known only when they are decoded
	}
	// If all pages have dictionaries, their codes are collected instead of values.
	if w == wantAll && l.shape.dictionary != nil && ofDictionaries(parts) {
		if out.values, err = newValues(codeShape, mem, room, 0); err == nil {
			out.values.codes = &dictCodes{}
		}
	} else if w == wantAll {
		out.values, err = newValues(l.shape, mem, room, dataBytes)
	} else {
		out.values, err = newPartial(w, l.shape, mem, expect)
	}
	if err != nil {
		return column{}, err
	}
	for i := range parts {
		if err := ctx.Err(); err != nil {
			return column{}, err
		}
		p := &parts[i]
		if err := p.page.decode(p.rows, bufs[p.before:p.before+p.bufs], out); err != nil {
			return column{}, l.place(err, p.index)
		}
		p.end = out.values.n
	}
	if col, err = l.finish(out, expect); err != nil {
		return column{}, err
	}
	if l.text && w == wantAll {
		if err := l.checkText(col.data, parts); err != nil {
			return column{}, err
		}
	}
	return col, nil
}

// checkText refuses strings that are no UTF-8, with the page that they are in. It releases data then.
func (l *leaf) checkText(data arrow.ArrayData, parts []part) error {
	value, err := encoding.CheckText(data)
	if err == nil {
		return nil
	}
	data.Release()
	for i := range parts {
		if value < parts[i].end {
			return l.placeBuffers(err, parts[i].index)
		}
	}
	return l.place(err, -1)
}

// placeBuffers is place with the offset of the page's first buffer, for values that decode and are wrong.
func (l *leaf) placeBuffers(err error, page int) error {
	offset := int64(-1)
	if bufs := l.col.Pages[page].BufRanges; len(bufs) > 0 {
		offset = bufs[0].Offset
	}
	return fault.Place(err, "", l.col.Index, page, offset)
}

// alias returns the rows of a page as an array over the source's own bytes, where that is possible.
// The array keeps the buffer, and with it the mapping of the file, alive.
func (l *leaf) alias(p *part, bufs []*memory.Buffer, n int) (arrow.ArrayData, bool) {
	z, ok := p.page.(*fullZip)
	if !ok || l.nested || !z.schema.Simple() {
		return nil, false
	}
	buf := z.alias(p.rows, bufs)
	if buf == nil {
		return nil, false
	}
	buf.Retain()
	v := &values{shape: l.shape, inner: make([]*bitmap, len(l.shape.dims))}
	v.adopt(buf, n)
	data, err := v.finish(nil, 0)
	return data, err == nil
}

// finish builds the array of what the sink has collected, and checks that there are as many values
// as rows, or levels. The caller releases the sink.
func (l *leaf) finish(out *sink, expect int) (column, error) {
	var col column
	var validity *memory.Buffer
	nulls := 0
	n := out.values.n
	if !l.nested {
		// Without lists every row is a value.
		if n != expect {
			return column{}, l.place(fault.Corruptf("%d values for %d rows", n, expect), -1)
		}
		if m := out.validity; m != nil {
			// The bitmap and the values were filled by different code, so their numbers are
			// compared.
			if m.n != n {
				return column{}, l.place(fault.Corruptf("%d definition levels for %d values", m.n, n), -1)
			}
			if m.zeros > 0 {
				nulls = m.zeros
				validity = m.b.finish()
			}
		}
	} else {
		// The levels of all pages together; NewColumn checks each page's against its number of
		// values.
		c, err := levels.NewColumn(out.segs)
		if err != nil {
			return column{}, l.place(err, -1)
		}
		if validity, nulls, err = unravelValidity(c, n, out.mem); err != nil {
			return column{}, l.place(err, -1)
		}
		col.levels = c
	}
	var data arrow.ArrayData
	var err error
	switch out.values.want {
	case wantLengths:
		data, err = out.values.finishLengths(validity, nulls)
	case wantValidity:
		return l.finishValidity(n, validity, out.mem)
	default:
		data, err = out.values.finish(validity, nulls)
	}
	if err != nil {
		return column{}, err
	}
	if l.shape.dictionary != nil {
		plain := data
		if codes := out.values.codes; codes != nil {
			data, err = codes.encode(plain, l.shape, out.mem)
		} else {
			data, err = encodeDictionary(plain, l.shape.dictionary, out.mem)
		}
		plain.Release()
		if err != nil {
			return column{}, err
		}
	}
	col.data = data
	return col, nil
}

// finishValidity turns a validity bitmap, nil if all is valid, into a boolean array.
func (l *leaf) finishValidity(n int, validity *memory.Buffer, mem memory.Allocator) (column, error) {
	if l.shape.kind == kindNull || validity == nil {
		m, err := newBitmap(mem, n)
		if err != nil {
			return column{}, err
		}
		defer m.release()
		if err := m.appendRun(l.shape.kind != kindNull, n); err != nil {
			return column{}, err
		}
		if validity != nil {
			validity.Release()
		}
		validity = m.b.finish()
	}
	defer validity.Release()
	return column{data: array.NewData(arrow.FixedWidthTypes.Boolean, n, []*memory.Buffer{nil, validity}, nil, 0, 0)}, nil
}

// unravelValidity unravels the next layer of levels, which has n items. It is called once for each
// layer, from the leaf outwards, also where there are no NULLs, since that is what moves on to the
// next one. validity is nil if there are no NULLs.
func unravelValidity(c *levels.Column, n int, mem memory.Allocator) (validity *memory.Buffer, nulls int, err error) {
	if !c.HasNulls() {
		_, err := c.Validity(nil, n)
		return nil, 0, err
	}
	b := newBytes(mem)
	defer b.release()
	bits, err := b.extend((n + 7) / 8)
	if err != nil {
		return nil, 0, err
	}
	clear(bits)
	if nulls, err = c.Validity(bits, n); err != nil || nulls == 0 {
		return nil, 0, err
	}
	return b.finish(), nulls, nil
}
