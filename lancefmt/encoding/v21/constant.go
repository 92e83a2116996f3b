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
// The value is in the encoding if it is short, else in a buffer of its own; a page of NULLs has
// neither. Levels are there (both buffers, perhaps empty) if there is more to tell than that one layer
// is all NULL.
//
// Spec: file/encoding.md, "All Null Page Layout", which has no value yet; lance-encoding 14.0.2,
// constant.rs and all_null.rs.
type constantPage struct {
	shape      *shape
	schema     *levels.Schema
	numRows    int64
	inline     []byte // the value, or nil
	value      storage.Range
	rep, def   storage.Range // length 0: none
	repC, defC blockCodec    // nil: plain
	nRep, nDef int
	hasValue   bool
	fixed      []byte // kindFixed: the value
	text       []byte // kindVariable: the value
	repL, defL []uint16
	starts     []int64 // level of every startsEvery-th row; only with repetition
}

// startsEvery is the distance, in rows, between remembered places in the levels.
const startsEvery = 256

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
	if l.GetNumRepValues() > maxGeneralBytes || l.GetNumDefValues() > maxGeneralBytes {
		return nil, fault.Corruptf("%d and %d levels", l.GetNumRepValues(), l.GetNumDefValues())
	}
	c.nRep, c.nDef = int(l.GetNumRepValues()), int(l.GetNumDefValues())
	if c.hasValue && s.kind != kindFixed && s.kind != kindVariable {
		return nil, fault.New(fault.Unsupported, "constant page of %s", s.typ)
	}
	return c, nil
}

func (c *constantPage) metadata() []storage.Range {
	var out []storage.Range
	for _, r := range []storage.Range{c.value, c.rep, c.def} {
		if r.Length > 0 {
			out = append(out, r)
		}
	}
	return out
}

func (c *constantPage) prepare(_ context.Context, _ encoding.Source, meta []*memory.Buffer) error {
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

// setValue takes the value from the encoding or from its buffer, which holds the buffers of an Arrow
// array of one value: u32 number of buffers, u32 size of each, then their bytes.
func (c *constantPage) setValue(b []byte) error {
	if c.inline != nil {
		return c.setBuffers([][]byte{c.inline})
	}
	if len(b) < 4 {
		return fault.Corruptf("constant of %d bytes", len(b))
	}
	n := binary.LittleEndian.Uint32(b)
	b = b[4:]
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
		parts = append(parts, append([]byte{}, b[:size]...))
		b = b[size:]
	}
	if len(b) > 0 {
		return fault.Corruptf("%d bytes behind a constant", len(b))
	}
	return c.setBuffers(parts)
}

func (c *constantPage) setBuffers(parts [][]byte) error {
	if c.shape.kind == kindFixed {
		if len(parts) != 1 || len(c.shape.dims) > 0 || len(parts[0]) < byteLen(c.shape.itemBits, 1) {
			return fault.Corruptf("constant does not fit a column of type %s", c.shape.typ)
		}
		c.fixed = parts[0][:byteLen(c.shape.itemBits, 1)]
		return nil
	}
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

// constantLevels decodes one level buffer; nil if there is none.
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

// checkLevels makes sure that there is a level for every row and remembers where rows start.
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

func (c *constantPage) plan(_ []encoding.Range, _ want, ranges []storage.Range) ([]storage.Range, int, error) {
	return ranges, 0, nil
}

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

func (c *constantPage) decodeRange(r encoding.Range, out *sink) error {
	var rep, def []uint16
	n := int(r.Len())
	switch {
	case c.repL != nil:
		from, to := c.rowStart(r.Start), c.rowStart(r.End)
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

// allNull appends n NULLs of a page that stores no levels because one layer says it all.
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

// rowStart returns the level at which row starts.
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

// repeat appends n copies of the value. Strings are empty where the level says NULL: one long string
// must not be multiplied by NULLs.
func (c *constantPage) repeat(def []uint16, n int, out *values) error {
	switch {
	case c.shape.kind == kindVariable:
		if def == nil {
			return out.appendCopies(c.text, n)
		}
		for _, d := range def {
			var err error
			switch {
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
	for k := copy(dst, c.fixed); k < len(dst); k *= 2 {
		copy(dst[k:], dst[:k])
	}
	return nil
}

func (c *constantPage) close() {}
