package v21

import (
	"context"
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/levels"
	"lanceflight/lancefmt/pb/enc21pb"
	"lanceflight/lancefmt/storage"
)

// maxChunkBuffers bounds the value buffers of a chunk. Nested fixed-size lists with NULLs need the
// most: one buffer of validity for each layer, and one of items.
const maxChunkBuffers = 64

// maxChunkLevels bounds the levels of a chunk whose levels are runs, and which therefore may hold
// more of them than the header can say. The size of a level buffer is a uint16. After the 8 bytes
// of the frame, each run takes two bytes of level and one of length and stands for at most 255
// levels (lance-encoding 14.0.2, MAX_LEGACY_RLE_LEVELS).
const maxChunkLevels = (1<<16 - 1 - 8) / 3 * 255

// miniPage is a page of chunks, each of which is decoded as a whole.
//
//	buffers: chunk table | chunks | dictionary, if any | repetition index, if any
//	chunk:   u16 levels | u16 bytes of rep | u16 bytes of def | u16 or u32 bytes of each value buffer
//	         pad 8 | rep | pad 8 | def | pad 8 | value buffer | pad 8 | …
//
// The sizes of rep and def stand there only if the page has such levels. Offsets count from the
// start of the chunk, and padding may hold anything.
//
// In a page with a dictionary the chunks hold indices. values then is a dictionaryMini, which
// prepare makes, since the items lie in a buffer; indices is its codec.
//
// Spec: file/encoding.md, "Mini Block Page Layout".
type miniPage struct {
	shape  *shape
	schema *levels.Schema
	// rep and def are nil if the page stores no such levels.
	rep    blockCodec
	def    blockCodec
	values miniCodec
	// large says that chunk table and value buffer sizes have four bytes (has_large_chunk).
	large bool

	// numItems counts the values in chunks, and numRows the rows of the page. Without lists they
	// are the same.
	numRows, numItems int64
	bufs              []storage.Range
	buffers           int // value buffers per chunk
	repDepth          int

	// Of pages with a dictionary: the codec of indices, the encoding of the items and their number.
	indices   wordCodec // dictionary pages
	dictCodec *enc21pb.CompressiveEncoding
	dictItems uint64

	// index is nil until prepare.
	index *chunkIndex
}

// newMiniPage checks the message of a page: that levels, layers and indices belong together, that
// encodings fit the column's type, and that the page has the buffers that they need. No byte is
// read.
func newMiniPage(l *enc21pb.MiniBlockLayout, p *encoding.Page, s *shape) (*miniPage, error) {
	m := &miniPage{shape: s, large: l.GetHasLargeChunk(), numRows: p.NumRows, bufs: p.BufRanges, repDepth: int(l.GetRepetitionIndexDepth())}
	var err error
	if m.schema, err = newSchema(l.GetLayers()); err != nil {
		return nil, err
	}
	if l.GetRepCompression() != nil {
		if m.rep, err = newLevelCodec(l.GetRepCompression()); err != nil {
			return nil, err
		}
	}
	if l.GetDefCompression() != nil {
		if m.def, err = newLevelCodec(l.GetDefCompression()); err != nil {
			return nil, err
		}
	}
	// These numbers are claims, of which sizes are computed: they are bounded before.
	if l.GetNumItems() > 1<<48 || l.GetNumBuffers() > maxChunkBuffers || l.GetRepetitionIndexDepth() > 1<<10 {
		return nil, fault.Corruptf("mini-block page of %d items, %d buffers, depth %d",
			l.GetNumItems(), l.GetNumBuffers(), l.GetRepetitionIndexDepth())
	}
	// num_items counts values in chunks, not levels: entries of NULL and empty lists are not in it.
	m.numItems, m.buffers = int64(l.GetNumItems()), int(l.GetNumBuffers())
	// Without a repetition index nobody could find a row among chunks that cut rows.
	if m.rep != nil != (m.repDepth > 0) {
		return nil, fault.Corruptf("page has repetition levels or a repetition index, but not both")
	}
	if m.rep == nil && m.schema.MaxRep > 0 {
		return nil, fault.Corruptf("page of lists without repetition levels")
	}
	// Levels that no layer has a meaning for are corrupt. Layers without levels are not: such a
	// page has nothing that is NULL or empty.
	if m.def != nil && m.schema.MaxDef == 0 { // the other way round: nothing is NULL or empty after all
		return nil, fault.Corruptf("layers and definition levels disagree")
	}
	// need is the number of buffers: chunk table and chunks, and what else the message says.
	need := 2
	if m.repDepth > 0 {
		need++
	}
	if l.GetDictionary() != nil {
		need++
		if m.indices, err = newWordCodec(l.GetValueCompression(), 0); err != nil {
			return nil, err
		}
		// The items are decoded by prepare, when their bytes are there.
		m.dictCodec, m.dictItems = l.GetDictionary(), l.GetNumDictionaryItems()
		// The header of a chunk has a size for each value buffer, so a wrong number would shift all
		// that follows.
		if have := m.indices.buffers(); have != m.buffers {
			return nil, fault.Corruptf("chunks of %d buffers, their encoding has %d", m.buffers, have)
		}
	} else {
		if m.values, err = newMiniCodec(l.GetValueCompression(), s, 0); err != nil {
			return nil, err
		}
		if have := m.values.buffers(); have != m.buffers {
			return nil, fault.Corruptf("chunks of %d buffers, their encoding has %d", m.buffers, have)
		}
	}
	// More buffers than needed are no error. The repetition index is the last one then, too.
	if len(p.BufRanges) < need {
		return nil, fault.Corruptf("mini-block page has %d buffers, needs %d", len(p.BufRanges), need)
	}
	return m, nil
}

// newLevelCodec builds the codec of repetition or definition levels, which are uint16.
func newLevelCodec(e *enc21pb.CompressiveEncoding) (blockCodec, error) {
	c, err := newBlockCodec(e, 0)
	if err == nil && c.bits() != 16 {
		err = fault.Corruptf("levels of %d bits", c.bits())
	}
	return c, err
}

// metadata asks for the chunk table, the dictionary and the repetition index, in this order. The
// chunks themselves are planned read by read.
func (m *miniPage) metadata() []storage.Range {
	out := []storage.Range{m.bufs[0]}
	if m.dictCodec != nil {
		out = append(out, m.bufs[2])
	}
	if m.repDepth > 0 {
		// The repetition index is the last buffer, whether there is a dictionary or not.
		out = append(out, m.bufs[len(m.bufs)-1])
	}
	return out
}

// prepare decodes the dictionary and the chunk table. meta has the buffers that metadata asked for.
func (m *miniPage) prepare(_ context.Context, _ encoding.Source, meta []*memory.Buffer) error {
	if m.dictCodec != nil {
		// meta follows metadata: chunk table, dictionary, repetition index.
		dict, err := newDictionary(m.dictCodec, m.shape, meta[1].Bytes(), m.dictItems)
		if err != nil {
			return fault.Place(err, "", -1, -1, m.bufs[2].Offset)
		}
		m.values = &dictionaryMini{m.indices, dict}
	}
	var repIndex []byte
	if m.repDepth > 0 {
		if repIndex = meta[len(meta)-1].Bytes(); repIndex == nil {
			// Not nil even if it is empty: nil says that the page has no lists.
			repIndex = []byte{}
		}
	}
	x, err := newChunkIndex(meta[0].Bytes(), m.large, m.numItems, m.numRows, m.bufs[1].Length, repIndex, m.repDepth)
	if err != nil {
		return fault.Place(err, "", -1, -1, m.bufs[0].Offset)
	}
	m.index = x
	return nil
}

// close has nothing to release, since what prepare decoded lies in memory of its own.
func (m *miniPage) close() {}

// visits lists the chunks that hold rows. plan and decode call it with the same rows, so that the
// buffers which decode is given are those of the same chunks.
func (m *miniPage) visits(rows []encoding.Range) []visit {
	return m.index.visits(func(i int) (int64, int64) { return rows[i].Start, rows[i].End }, len(rows))
}

// plan asks for the chunks, neighbours together: chunks follow each other without a gap, so that a
// scan of a page is one range. decode cuts the ranges in the same places.
func (m *miniPage) plan(rows []encoding.Range, w want, ranges []storage.Range) ([]storage.Range, int, error) {
	// Nothing is NULL, so there is nothing to read.
	if w == wantValidity && m.def == nil {
		return ranges, 0, nil
	}
	// Ranges of the pages before are not to be joined with, even if they happen to end here.
	own := len(ranges)
	total := int64(0)
	for _, v := range m.visits(rows) {
		// newChunkIndex has made sure that chunks lie inside of the value buffer.
		at := m.bufs[1].Offset + m.index.bytes[v.chunk]
		n := m.index.bytes[v.chunk+1] - m.index.bytes[v.chunk]
		total += n
		if k := len(ranges) - 1; k >= own && ranges[k].End() == at {
			ranges[k].Length += n
			continue
		}
		ranges = append(ranges, storage.Range{Offset: at, Length: n})
	}
	// The bytes of strings are at most those of the chunks, if they are not compressed; few rows of
	// a large chunk will not need all of it. FSST makes text about half as long.
	hint := 0
	if m.shape.kind == kindVariable {
		hint = int(min(total, encoding.Count(rows)*4096))
		if t, ok := m.values.(*textMini); ok && t.symbols != nil && !t.symbols.Plain() {
			hint *= 2
		}
	}
	return ranges, hint, nil
}

// decode appends rows. A buffer of bufs may hold several chunks, as plan joined them.
func (m *miniPage) decode(rows []encoding.Range, bufs []*memory.Buffer, out *sink) error {
	if err := out.accept(m.schema); err != nil {
		return err
	}
	if out.values.want == wantValidity && m.def == nil {
		n := int(encoding.Count(rows))
		out.values.n += n
		return out.addLevels(m.schema, nil, nil, n)
	}
	d := miniDecoder{m: m, rows: rows, out: out}
	var data []byte
	visits := m.visits(rows)
	// Room for the items of all chunks, of which a few at the ends may not be wanted.
	if out.nested {
		n := 0
		for _, v := range visits {
			n += m.index.count(v.chunk)
		}
		if err := out.expectItems(n); err != nil {
			return err
		}
	}
	for i, v := range visits {
		size := int(m.index.bytes[v.chunk+1] - m.index.bytes[v.chunk])
		// The range before has been used up, so this chunk begins the next one.
		if i == 0 || len(data) == 0 {
			data, bufs = bufs[0].Bytes(), bufs[1:]
		}
		// The buffers have the bytes of these chunks and no others, so none can be too short.
		if err := d.chunk(v, data[:size]); err != nil {
			return fault.Place(fmt.Errorf("chunk %d: %w", v.chunk, err), "", -1, -1, m.bufs[1].Offset+m.index.bytes[v.chunk])
		}
		data = data[size:]
	}
	return nil
}

// miniDecoder decodes the chunks of one read. Its slices are used again for each chunk.
type miniDecoder struct {
	m    *miniPage
	rows []encoding.Range
	out  *sink
	// spans are the values of the chunk that are wanted, ascending and not touching.
	spans []span
	// bufs are the value buffers of the chunk.
	bufs [][]byte
}

// chunk decodes what the rows of v want of the chunk with the bytes b: first levels, which tell
// which values are wanted, then those values.
func (d *miniDecoder) chunk(v visit, b []byte) error {
	m := d.m
	n := m.index.count(v.chunk)
	d.out.a.reset()
	rep, def, err := d.split(b, n)
	if err != nil {
		return err
	}
	d.spans = d.spans[:0]
	// Without lists value i of the chunk is row i of it, and there is a level for each value.
	if rep == nil {
		if def != nil && len(def) != n {
			return fault.Corruptf("%d definition levels for %d values", len(def), n)
		}
		// Without lists rows[i] is values[i], and rows of the page count as values.
		first := m.index.rows[v.chunk]
		for _, r := range d.rows[v.lo:v.hi] {
			// A range may begin before the chunk or end behind it.
			s := span{int(max(r.Start-first, 0)), int(min(r.End-first, int64(n)))}
			// Values and levels are taken from the same positions of the chunk.
			d.want(s)
			var defs []uint16
			if def != nil {
				defs = def[s.from:s.to]
			}
			if err := d.out.addLevels(m.schema, nil, defs, s.to-s.from); err != nil {
				return err
			}
		}
	} else if err := d.lists(v, rep, def, n); err != nil {
		return err
	}
	// All that is wanted of the chunk are entries of NULL or empty lists.
	if len(d.spans) == 0 {
		return nil
	}
	// The levels were all that is wanted.
	if d.out.values.want == wantValidity {
		for _, s := range d.spans {
			d.out.values.n += s.to - s.from
		}
		return nil
	}
	return m.values.decode(&chunk{bufs: d.bufs, n: n, want: d.spans, a: d.out.a}, d.out.values)
}

// want adds a span of values, joining it to the one before if it follows directly. Codecs have a
// short way for a chunk that is wanted as a whole, which they recognise by its single span.
func (d *miniDecoder) want(s span) {
	if s.from == s.to {
		return
	}
	if k := len(d.spans) - 1; k >= 0 && d.spans[k].to == s.from {
		d.spans[k].to = s.to
		return
	}
	d.spans = append(d.spans, s)
}

// split reads the header of a chunk of n values and decodes its levels. Both are nil if the page
// stores none, and they are valid until the arena is reset.
func (d *miniDecoder) split(b []byte, n int) (rep, def []uint16, err error) {
	m := d.m
	numLevels, repBytes, defBytes, err := d.cut(b)
	if err != nil {
		return nil, nil, err
	}
	if numLevels, err = m.countLevels(numLevels, repBytes, defBytes, d.out.a); err != nil {
		return nil, nil, err
	}
	if m.rep != nil {
		if rep, err = decodeLevels(m.rep, repBytes, numLevels, d.out.a); err != nil {
			return nil, nil, err
		}
	}
	if m.def != nil {
		def, err = decodeLevels(m.def, defBytes, numLevels, d.out.a)
	}
	return rep, def, err
}

// cut reads the header of a chunk: the number of levels that it declares, and where its levels lie,
// still encoded. It leaves the value buffers in d.bufs. Sizes are uint16 in the file, but for those
// of value buffers, which may be uint32.
//
// For 64 values of which the page has definition levels, plain, and one run of a uint32:
//
//	4000 8000 0400 0100 | 128 bytes of levels | 2a000000 pad 8 | 40 pad 8
func (d *miniDecoder) cut(b []byte) (numLevels int, rep, def []byte, err error) {
	m := d.m
	header := 2
	if m.rep != nil {
		header += 2
	}
	if m.def != nil {
		header += 2
	}
	word := 2
	if m.large {
		word = 4
	}
	// The whole header is checked once, so that the sizes below can be read without a check.
	if len(b) < header+word*m.buffers {
		return 0, nil, nil, fault.Corruptf("%d bytes are too few for the header", len(b))
	}
	// at is where the next part begins. Each part begins at a multiple of 8 from the chunk's start.
	at := align8(header + word*m.buffers)
	// take returns the next part. at may have been rounded up beyond the end of the chunk, which is
	// legal if nothing follows.
	take := func(size int) ([]byte, error) {
		if at > len(b) || size > len(b)-at {
			return nil, fault.Corruptf("buffer of %d bytes at %d of %d", size, at, len(b))
		}
		part := b[at : at+size]
		at = align8(at + size)
		return part, nil
	}
	sizes := 2
	if m.rep != nil {
		// sizes is the place of the next size in the header, in the order of the parts.
		if rep, err = take(int(binary.LittleEndian.Uint16(b[sizes:]))); err != nil {
			return 0, nil, nil, err
		}
		sizes += 2
	}
	if m.def != nil {
		if def, err = take(int(binary.LittleEndian.Uint16(b[sizes:]))); err != nil {
			return 0, nil, nil, err
		}
		sizes += 2
	}
	d.bufs = d.bufs[:0]
	for i := range m.buffers {
		var size int
		if m.large {
			size = int(binary.LittleEndian.Uint32(b[sizes+4*i:]))
		} else {
			size = int(binary.LittleEndian.Uint16(b[sizes+2*i:]))
		}
		part, err := take(size)
		if err != nil {
			return 0, nil, nil, err
		}
		d.bufs = append(d.bufs, part)
	}
	// The first two bytes are the number of levels; they are there, as the header was checked.
	return int(binary.LittleEndian.Uint16(b)), rep, def, nil
}

// align8 rounds up to a multiple of 8.
func align8(n int) int { return (n + 7) &^ 7 }

// countLevels returns the number of levels of a chunk. The header declares it modulo 65,536, which
// is the number itself in nearly all files. A chunk of lists whose levels are plain runs may hold
// more, because NULL and empty lists have levels but take no bytes of values: then the runs tell
// the number, and the header must agree with it modulo 65,536.
func (m *miniPage) countLevels(declared int, rep, def []byte, a *arena) (int, error) {
	for _, part := range []struct {
		codec blockCodec
		b     []byte
	}{{m.rep, rep}, {m.def, def}} {
		// Other codecs need to be told how many levels there are, so writers do not go beyond the
		// header with them. Without lists the chunk's number of values is the number of levels.
		c, ok := part.codec.(*rleCodec)
		if !ok || m.schema.MaxRep == 0 {
			continue
		}
		r, err := c.frame(part.b, a)
		if err != nil {
			return 0, err
		}
		n, err := r.Count()
		if err != nil {
			return 0, err
		}
		if n > maxChunkLevels || n&(1<<16-1) != int64(declared) {
			return 0, fault.Corruptf("runs tell of %d levels, the header of %d", n, declared)
		}
		return int(n), nil
	}
	return declared, nil
}

// decodeLevels decodes n levels. They are read-only, since they may lie in src, which can be a
// mapped file.
func decodeLevels(c blockCodec, src []byte, n int, a *arena) ([]uint16, error) {
	b, err := c.decode(src, n, a)
	if err != nil {
		return nil, err
	}
	if len(b) != 2*n {
		return nil, fault.Corruptf("levels have %d bytes instead of %d", len(b), 2*n)
	}
	// Plain levels are used where they are if their address allows it: chunks are aligned to 8 in
	// the value buffer, but the buffer itself may lie anywhere.
	if uintptr(unsafe.Pointer(unsafe.SliceData(b)))%2 == 0 {
		return uint16s(b), nil
	}
	out := a.levels(n)
	for i := range out {
		out[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return out, nil
}

// lists finds the levels and values of the wanted rows of a chunk of n values in which rows may
// begin before it and go on behind it. It adds the levels to the sink and the values to d.spans.
//
// A row is cut at the border of chunks without a mark: the first entries of a chunk whose
// repetition level is not the highest belong to the last row of the chunk before.
func (d *miniDecoder) lists(v visit, rep, def []uint16, n int) error {
	m := d.m
	if def != nil && len(rep) != len(def) {
		return fault.Corruptf("%d repetition levels but %d definition levels", len(rep), len(def))
	}
	if err := m.schema.Check(rep, def); err != nil {
		return err
	}
	// before is the number of rows that start before the chunk, starts of those that start in it.
	before, starts := m.index.rows[v.chunk], m.index.rows[v.chunk+1]-m.index.rows[v.chunk]
	w := levelWalk{rep: rep, def: def, schema: m.schema}
	for _, r := range d.rows[v.lo:v.hi] {
		// Rows are counted from the first that starts in this chunk. A range that started earlier
		// wants the chunk's head, too, and one that goes on behind it, its tail.
		if from := r.Start - before; from >= 0 {
			w.seek(from)
		}
		// The walk remembers where it was, so ranges that ascend cost one pass over the levels in
		// all.
		level, value := w.level, w.value
		// The walk stops at the start of the first row that is not wanted; where no such row starts
		// in this chunk, all that is left belongs to the range.
		if to := r.End - before; to < starts {
			w.seek(to)
		} else {
			w.seekEnd()
		}
		var defs []uint16
		if def != nil {
			defs = def[level:w.level]
		}
		if err := d.out.addLevels(m.schema, rep[level:w.level], defs, w.value-value); err != nil {
			return err
		}
		// The levels tell of more values than the chunk has. No span may reach behind them; the
		// check below reports it.
		if w.value > n {
			break
		}
		d.want(span{value, w.value})
	}
	// The chunk table, the repetition index and the levels each say how many values and rows there
	// are. All of them must agree, or else the levels would not line up with the values.
	w.seekEnd()
	if w.value != n || w.row != starts {
		return fault.Corruptf("levels tell of %d values and %d rows, there are %d and %d", w.value, w.row, n, starts)
	}
	return nil
}

// levelWalk goes over the levels of a chunk once, from front to back, counting rows and values. It
// also serves constant pages, whose levels are those of the whole page.
//
//	rows          [a b] [] [c]
//	repetition     1 0  1   1
//	definition     0 0  1   0        level 1 is an empty list
//	seek(1)       level 2, value 2
//	seek(2)       level 3, value 2
type levelWalk struct {
	rep, def []uint16
	schema   *levels.Schema
	// level is the number of the next entry.
	level int
	// value counts the entries before it that stand for a value of the leaf.
	value int
	// row counts the rows that start before it.
	row int64
}

// seek goes on to the start of row number row, counted from the first that starts in these levels,
// or to the end if there are not so many. It never goes back.
func (w *levelWalk) seek(row int64) {
	// As long as the row does not start among the next 64 entries, these are counted four at a time
	// rather than looked at one by one.
	const stride = 64
	for w.schema.MaxRep > 0 && w.level+stride <= len(w.rep) {
		starts := levels.CountAbove(w.rep[w.level:w.level+stride], w.schema.MaxRep-1) // none is above the highest
		if w.row+int64(starts) > row {
			break
		}
		w.row += int64(starts)
		w.value += stride
		if w.def != nil {
			w.value -= levels.CountAbove(w.def[w.level:w.level+stride], w.schema.MaxVisible)
		}
		w.level += stride
	}
	for w.level < len(w.rep) {
		// The highest repetition level begins a row. Equality is enough, because Check refused
		// higher ones.
		if w.rep[w.level] == w.schema.MaxRep {
			if w.row == row {
				return
			}
			w.row++
		}
		// Above MaxVisible the entry is of a list that is NULL or empty, and has no value.
		if w.def == nil || w.def[w.level] <= w.schema.MaxVisible {
			w.value++
		}
		w.level++
	}
}

// seekEnd goes to the end. Without lists, where MaxRep is 0, each entry is a row; else the rows are
// the entries above MaxRep-1.
func (w *levelWalk) seekEnd() {
	rest := w.rep[w.level:]
	w.row += int64(len(rest))
	if w.schema.MaxRep > 0 {
		w.row += int64(levels.CountAbove(rest, w.schema.MaxRep-1) - len(rest)) // none is above the highest
	}
	w.value += len(rest)
	if w.def != nil {
		w.value -= levels.CountAbove(w.def[w.level:], w.schema.MaxVisible)
	}
	w.level = len(w.rep)
}
