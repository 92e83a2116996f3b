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

// maxChunkBuffers bounds the value buffers of a chunk; nested lists with NULLs need the most.
const maxChunkBuffers = 64

// maxChunkLevels bounds the levels of a chunk where runs stand for more of them than the header can
// say: what 64 KiB of plain runs can hold (lance-encoding 14.0.2, MAX_LEGACY_RLE_LEVELS).
const maxChunkLevels = (1<<16 - 1 - 8) / 3 * 255

// miniPage is a page of chunks.
//
//	buffers: chunk table | chunks | dictionary, if any | repetition index, if any
//	chunk:   u16 levels | u16 bytes of rep | u16 bytes of def | u16 or u32 bytes of each value buffer
//	         pad 8 | rep | pad 8 | def | pad 8 | value buffer | pad 8 | …
//
// The sizes of rep and def stand there only if the page has such levels.
type miniPage struct {
	shape  *shape
	schema *levels.Schema
	rep    blockCodec // nil: none
	def    blockCodec
	values miniCodec
	large  bool

	numRows, numItems int64
	bufs              []storage.Range
	buffers           int // value buffers per chunk
	repDepth          int

	indices   wordCodec // dictionary pages
	dictCodec *enc21pb.CompressiveEncoding
	dictItems uint64

	index *chunkIndex
}

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
	if l.GetNumItems() > 1<<48 || l.GetNumBuffers() > maxChunkBuffers || l.GetRepetitionIndexDepth() > 1<<10 {
		return nil, fault.Corruptf("mini-block page of %d items, %d buffers, depth %d", l.GetNumItems(), l.GetNumBuffers(), l.GetRepetitionIndexDepth())
	}
	m.numItems, m.buffers = int64(l.GetNumItems()), int(l.GetNumBuffers())
	if m.rep != nil != (m.repDepth > 0) {
		return nil, fault.Corruptf("page has repetition levels or a repetition index, but not both")
	}
	if m.rep == nil && m.schema.MaxRep > 0 {
		return nil, fault.Corruptf("page of lists without repetition levels")
	}
	if m.def != nil && m.schema.MaxDef == 0 { // the other way round: nothing is NULL or empty after all
		return nil, fault.Corruptf("layers and definition levels disagree")
	}
	need := 2
	if m.repDepth > 0 {
		need++
	}
	if l.GetDictionary() != nil {
		need++
		if m.indices, err = newWordCodec(l.GetValueCompression(), 0); err != nil {
			return nil, err
		}
		m.dictCodec, m.dictItems = l.GetDictionary(), l.GetNumDictionaryItems()
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

func (m *miniPage) metadata() []storage.Range {
	out := []storage.Range{m.bufs[0]}
	if m.dictCodec != nil {
		out = append(out, m.bufs[2])
	}
	if m.repDepth > 0 {
		out = append(out, m.bufs[len(m.bufs)-1])
	}
	return out
}

func (m *miniPage) prepare(_ context.Context, _ encoding.Source, meta []*memory.Buffer) error {
	if m.dictCodec != nil {
		dict, err := newDictionary(m.dictCodec, m.shape, meta[1].Bytes(), m.dictItems)
		if err != nil {
			return fault.Place(err, "", -1, -1, m.bufs[2].Offset)
		}
		m.values = &dictionaryMini{m.indices, dict}
	}
	var repIndex []byte
	if m.repDepth > 0 {
		if repIndex = meta[len(meta)-1].Bytes(); repIndex == nil {
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

func (m *miniPage) close() {}

func (m *miniPage) visits(rows []encoding.Range) []visit {
	return m.index.visits(func(i int) (int64, int64) { return rows[i].Start, rows[i].End }, len(rows))
}

// plan asks for the chunks, neighbours together.
func (m *miniPage) plan(rows []encoding.Range, w want, ranges []storage.Range) ([]storage.Range, int, error) {
	if w == wantValidity && m.def == nil {
		return ranges, 0, nil
	}
	own := len(ranges)
	total := int64(0)
	for _, v := range m.visits(rows) {
		at := m.bufs[1].Offset + m.index.bytes[v.chunk]
		n := m.index.bytes[v.chunk+1] - m.index.bytes[v.chunk]
		total += n
		if k := len(ranges) - 1; k >= own && ranges[k].End() == at {
			ranges[k].Length += n
			continue
		}
		ranges = append(ranges, storage.Range{Offset: at, Length: n})
	}
	hint := 0
	if m.shape.kind == kindVariable {
		hint = int(min(total, int64(encoding.Count(rows))*4096))
		if t, ok := m.values.(*textMini); ok && t.symbols != nil && !t.symbols.Plain() {
			hint *= 2
		}
	}
	return ranges, hint, nil
}

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
		if i == 0 || len(data) == 0 {
			data, bufs = bufs[0].Bytes(), bufs[1:]
		}
		if err := d.chunk(v, data[:size]); err != nil {
			return fault.Place(fmt.Errorf("chunk %d: %w", v.chunk, err), "", -1, -1, m.bufs[1].Offset+m.index.bytes[v.chunk])
		}
		data = data[size:]
	}
	return nil
}

// miniDecoder decodes the chunks of one read.
type miniDecoder struct {
	m     *miniPage
	rows  []encoding.Range
	out   *sink
	spans []span
	bufs  [][]byte
}

// chunk decodes what the rows of v want of a chunk.
func (d *miniDecoder) chunk(v visit, b []byte) error {
	m := d.m
	n := m.index.count(v.chunk)
	d.out.a.reset()
	rep, def, err := d.split(b, n)
	if err != nil {
		return err
	}
	d.spans = d.spans[:0]
	if rep == nil {
		if def != nil && len(def) != n {
			return fault.Corruptf("%d definition levels for %d values", len(def), n)
		}
		first := m.index.rows[v.chunk]
		for _, r := range d.rows[v.lo:v.hi] {
			s := span{int(max(r.Start-first, 0)), int(min(r.End-first, int64(n)))}
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
	if len(d.spans) == 0 {
		return nil
	}
	if d.out.values.want == wantValidity {
		for _, s := range d.spans {
			d.out.values.n += s.to - s.from
		}
		return nil
	}
	return m.values.decode(&chunk{bufs: d.bufs, n: n, want: d.spans, a: d.out.a}, d.out.values)
}

// want adds a span, joining it to the one before if it follows directly.
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

// split reads the header of a chunk of n values and decodes its levels; d.bufs are the value buffers.
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

// cut reads the header of a chunk: the number of levels that it declares, and where they lie, encoded; d.bufs are the value buffers.
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
	if len(b) < header+word*m.buffers {
		return 0, nil, nil, fault.Corruptf("%d bytes are too few for the header", len(b))
	}
	at := align8(header + word*m.buffers)
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
	return int(binary.LittleEndian.Uint16(b)), rep, def, nil
}

func align8(n int) int { return (n + 7) &^ 7 }

// countLevels returns the number of levels of a chunk: declared, except that the header has it modulo
// 65,536. Chunks of lists compressed as plain runs may hold more, which the runs tell.
func (m *miniPage) countLevels(declared int, rep, def []byte, a *arena) (int, error) {
	for _, part := range []struct {
		codec blockCodec
		b     []byte
	}{{m.rep, rep}, {m.def, def}} {
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

// decodeLevels decodes n levels. They are read-only: they may lie in src.
func decodeLevels(c blockCodec, src []byte, n int, a *arena) ([]uint16, error) {
	b, err := c.decode(src, n, a)
	if err != nil {
		return nil, err
	}
	if len(b) != 2*n {
		return nil, fault.Corruptf("levels have %d bytes instead of %d", len(b), 2*n)
	}
	if uintptr(unsafe.Pointer(unsafe.SliceData(b)))%2 == 0 {
		return uint16s(b), nil
	}
	out := a.levels(n)
	for i := range out {
		out[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return out, nil
}

// lists finds the levels and values of the wanted rows of a chunk in which rows may begin before it
// and go on behind it.
func (d *miniDecoder) lists(v visit, rep, def []uint16, n int) error {
	m := d.m
	if def != nil && len(rep) != len(def) {
		return fault.Corruptf("%d repetition levels but %d definition levels", len(rep), len(def))
	}
	if err := m.schema.Check(rep, def); err != nil {
		return err
	}
	before, starts := m.index.rows[v.chunk], m.index.rows[v.chunk+1]-m.index.rows[v.chunk]
	w := levelWalk{rep: rep, def: def, schema: m.schema}
	for _, r := range d.rows[v.lo:v.hi] {
		// Rows counted from the first that starts in this chunk. A range that started earlier wants the
		// chunk's head too; one that goes on behind it, its tail.
		if from := r.Start - before; from >= 0 {
			w.seek(from)
		}
		level, value := w.level, w.value
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
		if w.value > n {
			break
		}
		d.want(span{value, w.value})
	}
	w.seekEnd()
	if w.value != n || w.row != starts {
		return fault.Corruptf("levels tell of %d values and %d rows, there are %d and %d", w.value, w.row, n, starts)
	}
	return nil
}

// levelWalk goes over the levels of a chunk once, counting rows and values.
type levelWalk struct {
	rep, def []uint16
	schema   *levels.Schema
	level    int   // next entry
	value    int   // values before it
	row      int64 // rows started before it
}

// seek goes on to the start of row number row, or to the end.
func (w *levelWalk) seek(row int64) {
	// As long as the row does not start among the next ones, they are counted rather than looked at.
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
		if w.rep[w.level] == w.schema.MaxRep {
			if w.row == row {
				return
			}
			w.row++
		}
		if w.def == nil || w.def[w.level] <= w.schema.MaxVisible {
			w.value++
		}
		w.level++
	}
}

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
