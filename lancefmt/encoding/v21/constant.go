package v21

import (
	"context"
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/levels"
	"lanceflight/lancefmt/pb/enc21pb"
	"lanceflight/lancefmt/storage"
)

// constantPage is a page in which all values are the same, or all are NULL.
//
//	buffers: [value] [repetition levels | definition levels]      levels plain uint16 or compressed
//
// The value is in the message if it is short, else in a buffer of its own; a page of NULLs has
// neither. Level buffers are there, both of them and perhaps empty, if there is more to tell than
// that one layer is all NULL. So the number of buffers tells which parts there are:
//
//	0 buffers   value in the message, or all NULL
//	1 buffer    value
//	2 buffers   levels, and a value in the message or none
//	3 buffers   value and levels
//
// prepare reads and decodes all of that, and a read takes no bytes.
//
// Spec: file/encoding.md, "All Null Page Layout", which has no value yet; lance-encoding 14.0.2,
// constant.rs and all_null.rs.
type constantPage struct {
	shape   *shape
	schema  *levels.Schema
	numRows int64
	// inline is the value in the message, or nil.
	inline []byte
	value  storage.Range
	// rep and def are where the levels lie; their length is 0 if there are none.
	rep, def storage.Range
	// repC and defC decode them, to nRep and nDef levels; nil stands for plain ones, whose number
	// follows from their bytes.
	repC, defC blockCodec
	nRep, nDef int
	// hasValue is unset in a page of NULLs.
	hasValue bool
	// fixed and text are the value after prepare, by the kind of the column.
	fixed []byte
	text  []byte
	// repL and defL are the decoded levels of the whole page, nil if there are none.
	repL, defL []uint16
	// starts has the level at which every startsEvery-th row begins. It is only there with
	// repetition levels, without which level i is row i.
	starts []int64
}

// startsEvery is the distance, in rows, between the remembered places in the levels. A row is found
// by looking at the levels of at most so many rows.
const startsEvery = 256

// newConstantPage finds out from the message and the number of buffers which parts the page has.
func newConstantPage(l *enc21pb.ConstantLayout, p *encoding.Page, s *shape) (*constantPage, error) {
	c := &constantPage{shape: s, numRows: p.NumRows}
	var err error
	if c.schema, err = newSchema(l.GetLayers()); err != nil {
		return nil, err
	}
	bufs := p.BufRanges
	switch n := len(bufs); {
	case l.InlineValue != nil && (n == 0 || n == 2):
		c.inline, c.hasValue = l.GetInlineValue(), true
	case l.InlineValue == nil && (n == 1 || n == 3):
		c.value, c.hasValue = bufs[0], true
		bufs = bufs[1:]
	case l.InlineValue == nil && (n == 0 || n == 2):
	default:
		return nil, fault.Corruptf("constant page with %d buffers", n)
	}
	if len(bufs) == 2 {
		c.rep, c.def = bufs[0], bufs[1]
	}
	if l.GetRepCompression() != nil {
		if c.repC, err = newLevelCodec(l.GetRepCompression()); err != nil {
			return nil, err
		}
	}
	if l.GetDefCompression() != nil {
		if c.defC, err = newLevelCodec(l.GetDefCompression()); err != nil {
			return nil, err
		}
	}
	// The numbers are claims, for which the level codecs would take memory.
	if l.GetNumRepValues() > maxGeneralBytes || l.GetNumDefValues() > maxGeneralBytes {
		return nil, fault.Corruptf("%d and %d levels", l.GetNumRepValues(), l.GetNumDefValues())
	}
	c.nRep, c.nDef = int(l.GetNumRepValues()), int(l.GetNumDefValues())
	if c.hasValue && s.kind != kindFixed && s.kind != kindVariable {
		return nil, fault.New(fault.Unsupported, "constant page of %s", s.typ)
	}
	return c, nil
}

// metadata asks for all buffers that have bytes.
func (c *constantPage) metadata() []storage.Range {
	var out []storage.Range
	for _, r := range []storage.Range{c.value, c.rep, c.def} {
		if r.Length > 0 {
			out = append(out, r)
		}
	}
	return out
}

// prepare decodes value and levels. Nothing of meta is kept.
func (c *constantPage) prepare(_ context.Context, _ encoding.Source, meta []*memory.Buffer) error {
	// next returns the bytes of one of the ranges, in the order in which metadata lists them.
	// Ranges without bytes were not asked for.
	next := func(r storage.Range) (b []byte) {
		if r.Length > 0 {
			b, meta = meta[0].Bytes(), meta[1:]
		}
		return b
	}
	value := next(c.value)
	if c.hasValue {
		if err := c.setValue(value); err != nil {
			return fault.Place(err, "", -1, -1, c.value.Offset)
		}
	}
	var err error
	if c.repL, err = constantLevels(next(c.rep), c.rep.Length > 0, c.repC, c.nRep); err != nil {
		return fault.Place(err, "", -1, -1, c.rep.Offset)
	}
	if c.defL, err = constantLevels(next(c.def), c.def.Length > 0, c.defC, c.nDef); err != nil {
		return fault.Place(err, "", -1, -1, c.def.Offset)
	}
	if err = c.checkLevels(); err != nil {
		return fault.Place(err, "", -1, -1, c.rep.Offset)
	}
	return nil
}

// setValue takes the value from the message, or from its buffer b. The buffer holds the buffers of
// an Arrow array of one value, little endian:
//
//	u32 number of buffers | u32 size of each | bytes of each
//	2                     | 8 | 8            | offsets 0 and 8 | "constant"
func (c *constantPage) setValue(b []byte) error {
	if c.inline != nil {
		return c.setBuffers([][]byte{c.inline})
	}
	if len(b) < 4 {
		return fault.Corruptf("constant of %d bytes", len(b))
	}
	n := binary.LittleEndian.Uint32(b)
	b = b[4:]
	// Arrays of one fixed-width value have one buffer here, arrays of strings have offsets and
	// bytes. Validity is left out, as the value is not NULL.
	if n > 2 || len(b) < int(4*n) {
		return fault.Corruptf("constant of %d buffers in %d bytes", n, len(b))
	}
	sizes, b := b[:4*n], b[4*n:]
	var parts [][]byte
	for i := range int(n) {
		size := binary.LittleEndian.Uint32(sizes[4*i:])
		if uint64(size) > uint64(len(b)) {
			return fault.Corruptf("constant: buffer %d of %d bytes in %d", i, size, len(b))
		}
		// A copy, because b may be a mapped file that is closed before the page.
		parts = append(parts, append([]byte{}, b[:size]...))
		b = b[size:]
	}
	if len(b) > 0 {
		return fault.Corruptf("%d bytes behind a constant", len(b))
	}
	return c.setBuffers(parts)
}

// setBuffers takes the value out of the buffers of an Arrow array of one value.
func (c *constantPage) setBuffers(parts [][]byte) error {
	if c.shape.kind == kindFixed {
		if len(parts) != 1 || len(c.shape.dims) > 0 || len(parts[0]) < byteLen(c.shape.itemBits, 1) {
			return fault.Corruptf("constant does not fit a column of type %s", c.shape.typ)
		}
		c.fixed = parts[0][:byteLen(c.shape.itemBits, 1)]
		return nil
	}
	// Strings: two offsets of the column's own width, of which the first need not be 0.
	word := 4
	if c.shape.wide {
		word = 8
	}
	if len(parts) != 2 || len(parts[0]) < 2*word {
		return fault.Corruptf("constant does not fit a column of type %s", c.shape.typ)
	}
	offset := func(i int) uint64 {
		if c.shape.wide {
			return binary.LittleEndian.Uint64(parts[0][8*i:])
		}
		return uint64(binary.LittleEndian.Uint32(parts[0][4*i:]))
	}
	lo, hi := offset(0), offset(1)
	if lo > hi || hi > uint64(len(parts[1])) {
		return fault.Corruptf("constant lies at %d..%d of %d bytes", lo, hi, len(parts[1]))
	}
	c.text = parts[1][lo:hi]
	return nil
}

// constantLevels decodes one level buffer, to a copy that outlives the arena. The result is nil if
// there is no such buffer, which differs from one with no levels in it. Plain levels may come
// without their number.
func constantLevels(b []byte, there bool, codec blockCodec, n int) ([]uint16, error) {
	if !there {
		return nil, nil
	}
	if codec == nil {
		if len(b)%2 != 0 || n > 0 && len(b) != 2*n {
			return nil, fault.Corruptf("%d levels in %d bytes", n, len(b))
		}
		codec, n = flatBlock(16), len(b)/2
	}
	a := newArena()
	defer a.free()
	l, err := decodeLevels(codec, b, n, a)
	if err != nil {
		return nil, err
	}
	return append([]uint16{}, l...), nil
}

// checkLevels makes sure that there is a level for every row and remembers where rows start, so
// that decode can index the levels by row without a check.
func (c *constantPage) checkLevels() error {
	if err := c.schema.Check(c.repL, c.defL); err != nil {
		return err
	}
	if c.repL == nil {
		if c.schema.MaxRep > 0 && c.numRows > 0 {
			return fault.Corruptf("page of lists without repetition levels")
		}
		if c.defL != nil && int64(len(c.defL)) != c.numRows {
			return fault.Corruptf("%d definition levels for %d rows", len(c.defL), c.numRows)
		}
		// Without levels a page of NULLs has one layer that can be NULL, and that layer is. With
		// more of them nobody could tell which.
		if c.defL == nil && !c.hasValue && c.schema.MaxDef != 1 && c.shape.kind != kindNull && c.numRows > 0 {
			return fault.Corruptf("page of NULLs does not tell of which kind")
		}
		return nil
	}
	if c.defL != nil && len(c.defL) != len(c.repL) {
		return fault.Corruptf("%d repetition levels but %d definition levels", len(c.repL), len(c.defL))
	}
	w := levelWalk{rep: c.repL, def: c.defL, schema: c.schema}
	if len(c.repL) > 0 && c.repL[0] != c.schema.MaxRep {
		return fault.Corruptf("levels do not start with a row")
	}
	// One walk over all levels, which stops at every startsEvery-th row.
	for row := int64(0); w.level < len(c.repL); row += startsEvery {
		w.seek(row)
		c.starts = append(c.starts, int64(w.level))
	}
	w.seekEnd()
	if w.row != c.numRows {
		return fault.Corruptf("levels tell of %d rows instead of %d", w.row, c.numRows)
	}
	return nil
}

// plan asks for nothing: prepare has read all there is.
func (c *constantPage) plan(_ []encoding.Range, _ want, ranges []storage.Range) ([]storage.Range, int, error) {
	return ranges, 0, nil
}

// decode appends rows, range by range. There are no bytes to read.
func (c *constantPage) decode(rows []encoding.Range, _ []*memory.Buffer, out *sink) error {
	if err := out.accept(c.schema); err != nil {
		return err
	}
	for _, r := range rows {
		if err := c.decodeRange(r, out); err != nil {
			return err
		}
	}
	return nil
}

// decodeRange appends the levels of rows, and as many values as these have.
func (c *constantPage) decodeRange(r encoding.Range, out *sink) error {
	var rep, def []uint16
	// n is the number of values: rows, unless there are lists.
	n := int(r.Len())
	switch {
	case c.repL != nil:
		from, to := c.rowStart(r.Start), c.rowStart(r.End)
		// Rows with lists: the levels from the start of the first row to that of the row behind the
		// last.
		rep = c.repL[from:to]
		n = len(rep)
		if c.defL != nil {
			def = c.defL[from:to]
			n = c.schema.Visible(def)
		}
	case c.defL != nil:
		def = c.defL[r.Start:r.End]
		n = len(def) // no lists: every level is a value
	case !c.hasValue && c.shape.kind != kindNull:
		return c.allNull(n, out)
	}
	if err := out.addLevels(c.schema, rep, def, n); err != nil {
		return err
	}
	if !c.hasValue || out.values.want == wantValidity {
		return out.values.appendEmpty(n)
	}
	return c.repeat(def, n, out.values)
}

// allNull appends n NULLs of a page that stores no levels because one layer says it all. Parents
// are given levels of 1 all the same, which they unravel as those of any other page.
func (c *constantPage) allNull(n int, out *sink) error {
	if !out.nested {
		if err := out.addRun(false, n); err != nil {
			return err
		}
		return out.values.appendEmpty(n)
	}
	out.a.reset()
	for left := n; left > 0; left -= min(left, batchValues) {
		def := out.a.levels(min(left, batchValues))
		for i := range def {
			def[i] = 1
		}
		if err := out.addLevels(c.schema, nil, def, len(def)); err != nil {
			return err
		}
	}
	return out.values.appendEmpty(n)
}

// rowStart returns the level at which row starts, or the number of levels for the row behind the
// last. It goes to the remembered row before it and counts starts of rows from there.
func (c *constantPage) rowStart(row int64) int {
	k := int(min(row/startsEvery, int64(len(c.starts))))
	if k == len(c.starts) {
		return len(c.repL)
	}
	at := int(c.starts[k])
	for left := row - int64(k)*startsEvery; left > 0; {
		at++
		if at >= len(c.repL) {
			return len(c.repL)
		}
		if c.repL[at] == c.schema.MaxRep {
			left--
		}
	}
	return at
}

// repeat appends n copies of the value, or with def the values of those entries that have one.
// Strings are empty where the level says NULL: one long string must not be multiplied by a million
// NULLs. Fixed-width values are repeated under NULLs, too, because their size does not depend on it
// and copying is faster than choosing.
func (c *constantPage) repeat(def []uint16, n int, out *values) error {
	switch {
	case c.shape.kind == kindVariable:
		if def == nil {
			return out.appendCopies(c.text, n)
		}
		for _, d := range def {
			var err error
			switch {
			// The entry is of a list that is NULL or empty, and has no value.
			case d > c.schema.MaxVisible:
			case d == 0:
				err = out.appendBytes(c.text)
			default:
				err = out.appendEmpty(1)
			}
			if err != nil {
				return err
			}
		}
		return nil
	// A boolean is the lowest bit of its byte.
	case out.bits != nil:
		if err := out.bits.appendRun(c.fixed[0]&1 != 0, n); err != nil {
			return err
		}
		return out.extendInner(n)
	}
	dst, err := out.extend(n)
	if err != nil || n == 0 {
		return err
	}
	// What is there is doubled until dst is full. Copies of large pieces are faster than many of
	// small ones.
	for k := copy(dst, c.fixed); k < len(dst); k *= 2 {
		copy(dst[k:], dst[:k])
	}
	return nil
}

// close has nothing to release.
func (c *constantPage) close() {}
