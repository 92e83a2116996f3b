package v21

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/levels"
	"lanceflight/lancefmt/encoding/v23"
	"lanceflight/lancefmt/pb/enc21pb"
	"lanceflight/lancefmt/pb/enc23pb"
	"lanceflight/lancefmt/storage"
)

// sparsePage is a page of 2.3 whose structure is stored apart from its values. Structure says for
// each layer of nesting which slots are NULL and how many items lists have; values are stored for
// the slots of the leaf, or for those of them that have a value.
//
//	buffers: those of the values | those of the structure's sequences that have bytes
//
//	rows ──structure──> slots of the leaf ──> their values, empty ones for slots that store none
//
// The structure is decoded once, in prepare, and a read maps its rows through it before it knows
// which values it needs.
//
// Source: lance-encoding 14.0.2, sparse/planar.rs.
type sparsePage struct {
	shape  *shape
	plane  *v23.Plane
	values sparseValues
	// bufs are the buffers of the structure, which are the last ones of the page.
	bufs    []storage.Range
	decoded *v23.Structure
}

// sparseValues is how the values of the slots are stored. Slots are counted from the page's first.
// The four methods are those of a page, with slots in place of rows and no levels.
type sparseValues interface {
	metadata() []storage.Range
	prepare(s *v23.Structure, meta []*memory.Buffer) error
	plan(slots []encoding.Range, w want, ranges []storage.Range) ([]storage.Range, int, error)
	// decode appends a value for each slot to out.values. Values of NULLs may be anything.
	decode(slots []encoding.Range, bufs []*memory.Buffer, out *sink) error
	close()
}

// maxEmptyBytes bounds what the slots of one read may take that the file has no bytes for, where
// rows are not what the caller counts: a list of one row may claim any number of NULL items.
const maxEmptyBytes = 1 << 28

// leafSchema is the layers of values without structure: the values' own pages know nothing of
// NULLs.
var leafSchema = []enc21pb.RepDefLayer{enc21pb.RepDefLayer_REPDEF_ALL_VALID_ITEM}

// newSparsePage builds structure and values from a page's message. The number of buffers that the
// structure needs is known from its encodings, and the rest are the values'.
func newSparsePage(l *v23.Layout, p *encoding.Page, s *shape) (*sparsePage, error) {
	plane, err := v23.NewPlane(l.Sparse, p.NumRows)
	if err != nil {
		return nil, err
	}
	// The structure's buffers come last, and how many there are only its encodings tell.
	n := len(p.BufRanges) - plane.Buffers()
	if n < 0 {
		return nil, fault.Corruptf("page has %d buffers, its structure alone %d", len(p.BufRanges), plane.Buffers())
	}
	page := &sparsePage{shape: s, plane: plane, bufs: p.BufRanges[n:]}
	page.values, err = newSparseValues(l.Values, p.BufRanges[:n], plane.LeafSlots(), s)
	return page, err
}

// newSparseValues builds the values of slots slots. Every form has an exact number of buffers.
func newSparseValues(v *enc23pb.ValuePlane, bufs []storage.Range, slots int64, s *shape) (sparseValues, error) {
	need := func(n int) error {
		if len(bufs) != n {
			return fault.Corruptf("values have %d buffers instead of %d", len(bufs), n)
		}
		return nil
	}
	switch v := v.GetCodec().(type) {
	case *enc23pb.ValuePlane_Chunked:
		n := 2
		if v.Chunked.GetDictionary() != nil {
			n++
		}
		if v.Chunked.GetLevels() != nil || v.Chunked.GetNumItems() != 0 {
			return nil, fault.Corruptf("chunks of a page with sparse structure have levels")
		}
		// The chunks are those of a mini-block page without levels, one value for each slot.
		m := v23.Chunked(v.Chunked, leafSchema)
		m.NumItems = uint64(slots)
		page, err := newMiniPage(m, &encoding.Page{NumRows: slots, BufRanges: bufs}, s)
		if err == nil {
			err = need(n)
		}
		return &sparseChunks{page}, err
	case *enc23pb.ValuePlane_Zipped:
		z, err := newSparseZip(v.Zipped, bufs, s)
		if err != nil {
			return nil, err
		}
		return &sparseZip{fullZip: z}, nil
	case *enc23pb.ValuePlane_Constant:
		if s.kind != kindFixed || len(s.dims) > 0 || len(v.Constant.GetScalar()) != byteLen(s.itemBits, 1) {
			return nil, fault.Corruptf("constant of %d bytes in a column of type %s", len(v.Constant.GetScalar()), s.typ)
		}
		return &sparseConstant{constantPage{shape: s, fixed: v.Constant.GetScalar()}}, need(0)
	case *enc23pb.ValuePlane_None:
		return &sparseNone{shape: s}, need(0)
	case *enc23pb.ValuePlane_Indexed:
		if err := need(3); err != nil {
			return nil, err
		}
		return newSparseIndexed(v.Indexed, bufs, slots, s)
	}
	return nil, fault.New(fault.Unsupported, "storage version 2.3 page with unknown values")
}

// newSparseZip builds zipped values as a full-zip page without levels. Its rows are values, of
// which there may be fewer than slots.
func newSparseZip(v *enc23pb.ZippedValues, bufs []storage.Range, s *shape) (*fullZip, error) {
	// Items and visible items differ where levels stand for lists without values. There are no
	// levels here.
	if v.GetLevels() != nil || v.GetNumItems() != v.GetNumVisibleItems() || v.GetNumItems() > maxRows {
		return nil, fault.Corruptf("zipped values of a page with sparse structure: %d, visible %d", v.GetNumItems(), v.GetNumVisibleItems())
	}
	z, err := newFullZip(v23.Zipped(v, leafSchema), &encoding.Page{NumRows: int64(v.GetNumItems()), BufRanges: bufs}, s)
	if err != nil {
		return nil, err
	}
	if want := 2 - b2i(z.strided()); len(bufs) != want {
		return nil, fault.Corruptf("zipped values have %d buffers instead of %d", len(bufs), want)
	}
	return z, nil
}

// b2i is 1 for true.
func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *sparsePage) metadata() []storage.Range {
	return append(p.values.metadata(), p.bufs...)
}

// prepare decodes the structure, and gives it to the values, whose number it must agree with.
func (p *sparsePage) prepare(_ context.Context, _ encoding.Source, meta []*memory.Buffer) error {
	// meta follows metadata: the values' buffers, then the structure's.
	own := meta[len(meta)-len(p.bufs):]
	payloads := make([][]byte, len(own))
	for i, b := range own {
		payloads[i] = b.Bytes()
	}
	s, err := p.plane.Decode(payloads)
	if err != nil {
		at := int64(-1)
		if len(p.bufs) > 0 {
			at = p.bufs[0].Offset
		}
		return fault.Place(err, "", -1, -1, at)
	}
	if err := p.values.prepare(s, meta[:len(meta)-len(p.bufs)]); err != nil {
		return err
	}
	p.decoded = s
	return nil
}

func (p *sparsePage) close() { p.values.close() }

// plan maps rows to slots of the leaf and asks for their values. Validity is known from the
// structure.
func (p *sparsePage) plan(rows []encoding.Range, w want, ranges []storage.Range) ([]storage.Range, int, error) {
	if w == wantValidity {
		return ranges, 0, nil
	}
	sel, err := p.decoded.Select(rows)
	if err != nil {
		return ranges, 0, err
	}
	return p.values.plan(sel.Leaf, w, ranges)
}

// decode appends the structure of rows to the sink, and a value for each slot of the leaf.
func (p *sparsePage) decode(rows []encoding.Range, bufs []*memory.Buffer, out *sink) error {
	sel, err := p.decoded.Select(rows)
	if err != nil {
		return err
	}
	// The caller has bounded the rows, but not the items of their lists.
	if sel.Slots > maxRows {
		return fault.New(fault.ResourceExhausted, "%d items in one array: read fewer rows at a time", sel.Slots)
	}
	if err := out.addDomains(sel); err != nil {
		return err
	}
	if out.values.want == wantValidity {
		return out.values.appendEmpty(int(sel.Slots))
	}
	if out.nested {
		if err := p.boundEmpty(sel); err != nil {
			return err
		}
	}
	// The values come without levels: what a page adds of those goes nowhere.
	inner := &sink{values: out.values, mem: out.mem, a: out.a, expect: out.expect}
	return p.values.decode(sel.Leaf, bufs, inner)
}

// boundEmpty refuses selections whose values would be large and are not there. Chunks store a value
// for every slot, so the file's size bounds them; the other forms make values out of nothing.
func (p *sparsePage) boundEmpty(sel *v23.Selection) error {
	// A value of varying width takes at least an offset.
	bits := int64(p.shape.valueBits())
	if p.shape.kind != kindFixed {
		bits = 32
	}
	stored := int64(0)
	switch v := p.values.(type) {
	case *sparseChunks:
		return nil
	case *sparseZip:
		for _, r := range sel.Leaf {
			stored += v.materialized.Values(r).Len()
		}
	}
	if n := sel.Slots - stored; n > 8*maxEmptyBytes/max(1, bits) {
		return fault.New(fault.ResourceExhausted, "%d items without values in one array: read fewer rows at a time", n)
	}
	return nil
}

// addDomains appends the structure of a selection: as domains for the parents of a nested column,
// else as the runs of valid slots of its one layer.
func (o *sink) addDomains(sel *v23.Selection) error {
	if o.nested {
		seg := levels.Segment{Values: int(sel.Slots), Domains: make([]levels.Domain, len(sel.Domains))}
		for i, d := range sel.Domains {
			seg.Domains[i] = d
		}
		o.segs = append(o.segs, seg)
		return nil
	}
	if d := sel.Domains[0]; len(sel.Domains) != 1 || d.IsList() || d.Dim() != 0 {
		return fault.Corruptf("page with %d layers in a column without nesting", len(sel.Domains))
	}
	// What lies between two runs of valid slots is NULL.
	at := int64(0)
	var err error
	run := func(valid bool, n int64) {
		if err == nil && n > 0 {
			err = o.addRun(valid, int(n))
		}
	}
	sel.Domains[0].ValidRuns(func(start, end int64) {
		run(false, start-at)
		run(true, end-start)
		at = end
	})
	run(false, sel.Slots-at)
	return err
}

// sparseChunks is values in chunks, for all slots.
type sparseChunks struct{ *miniPage }

func (c *sparseChunks) prepare(_ *v23.Structure, meta []*memory.Buffer) error {
	return c.miniPage.prepare(context.Background(), nil, meta)
}

// sparseConstant is one value for all slots, of which only the fixed value of constantPage is used.
type sparseConstant struct{ constantPage }

func (c *sparseConstant) metadata() []storage.Range                          { return nil }
func (c *sparseConstant) prepare(_ *v23.Structure, _ []*memory.Buffer) error { return nil }

func (c *sparseConstant) decode(slots []encoding.Range, _ []*memory.Buffer, out *sink) error {
	return c.repeat(nil, int(encoding.Count(slots)), out.values)
}

// sparseNone is no values: all slots are NULL, or the type has none.
type sparseNone struct{ shape *shape }

func (c *sparseNone) metadata() []storage.Range { return nil }

func (c *sparseNone) prepare(s *v23.Structure, _ []*memory.Buffer) error {
	// A slot that is valid would need a value.
	m, err := s.Materialize()
	if err == nil && m.Len() > 0 && c.shape.kind != kindNull && (c.shape.kind != kindPacked || len(c.shape.fields) > 0) {
		err = fault.Corruptf("page without values has %d", m.Len())
	}
	return err
}

func (c *sparseNone) plan(_ []encoding.Range, _ want, ranges []storage.Range) ([]storage.Range, int, error) {
	return ranges, 0, nil
}

func (c *sparseNone) decode(slots []encoding.Range, _ []*memory.Buffer, out *sink) error {
	return out.values.appendEmpty(int(encoding.Count(slots)))
}

func (c *sparseNone) close() {}

// sparseZip is zipped values of the slots that are not NULL, and lie in nothing that is NULL. The
// structure tells which those are, and thereby which value a slot has.
type sparseZip struct {
	*fullZip
	materialized *v23.Materialized
}

// prepare finds the slots that have values, of which there must be as many as the page has.
func (c *sparseZip) prepare(s *v23.Structure, meta []*memory.Buffer) error {
	m, err := s.Materialize()
	if err != nil {
		return err
	}
	if m.Len() != c.numRows {
		return fault.Place(fault.Corruptf("structure tells of %d values, there are %d", m.Len(), c.numRows), "", -1, -1, c.data.Offset)
	}
	c.materialized = m
	return c.fullZip.prepare(context.Background(), nil, meta)
}

// stored lists the numbers of the values of slots, which ascend as the slots do. Ranges that touch
// are joined, so there may be fewer ranges than those of slots; plan and decode join them alike.
func (c *sparseZip) stored(slots []encoding.Range) (rows []encoding.Range) {
	for _, r := range slots {
		if v := c.materialized.Values(r); v.Len() > 0 {
			rows = appendRange(rows, v)
		}
	}
	return rows
}

func (c *sparseZip) plan(slots []encoding.Range, w want, ranges []storage.Range) ([]storage.Range, int, error) {
	return c.fullZip.plan(c.stored(slots), w, ranges)
}

// decode appends an empty value for each slot without one, and decodes runs of values between them.
// rows[k] is the range of values that bufs[k] holds.
func (c *sparseZip) decode(slots []encoding.Range, bufs []*memory.Buffer, out *sink) error {
	rows := c.stored(slots)
	indexed := c.indexed(out.values.want)
	k := 0
	for _, r := range slots {
		at := r.Start
		err := c.materialized.Pieces(r, func(run encoding.Range, value int64) error {
			if err := out.values.appendEmpty(int(run.Start - at)); err != nil {
				return err
			}
			at = run.End
			// Pieces ascend, so the range of values that holds one is found by going on.
			for rows[k].End <= value {
				k++
			}
			piece := encoding.Range{Start: value, End: value + run.Len()}
			var b []byte
			if !indexed {
				b = c.slice(bufs[k].Bytes(), rows[k], piece)
			}
			if err := c.decodeRange(piece, b, out); err != nil {
				return fault.Place(fmt.Errorf("values from %d on: %w", value, err), "", -1, -1, c.data.Offset)
			}
			return nil
		})
		if err == nil {
			err = out.values.appendEmpty(int(r.End - at))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// slice returns the bytes of a part of rows, whose bytes are b. Row offsets have been checked at
// the ends of rows only, so those of part may be anything in a damaged file.
func (z *fullZip) slice(b []byte, rows, part encoding.Range) []byte {
	if z.strided() {
		n := int64(z.stride())
		return b[(part.Start-rows.Start)*n : (part.End-rows.Start)*n]
	}
	first := z.offset(rows.Start)
	lo, hi := z.offset(part.Start), z.offset(part.End)
	if lo < first || hi < lo || hi-first > uint64(len(b)) {
		return nil // offsets do not ascend: too few bytes, which decoding notices
	}
	return b[lo-first : hi-first]
}

// sparseIndexed is strings in a dictionary whose items are read one by one: they are zipped values,
// of which a read asks for those that its slots choose. The indices are read as a whole, in
// prepare.
type sparseIndexed struct {
	shape   *shape
	slots   int64
	at      storage.Range
	indices *v23.Sequence
	items   *fullZip
	codes   []uint32 // one per slot
}

func newSparseIndexed(v *enc23pb.IndexedValues, bufs []storage.Range, slots int64, s *shape) (*sparseIndexed, error) {
	c := &sparseIndexed{shape: s, slots: slots, at: bufs[0]}
	if s.kind != kindVariable {
		return nil, fault.Corruptf("indexed values in a column of type %s", s.typ)
	}
	var err error
	if c.indices, err = v23.NewSequence(v.GetIndices(), 32); err != nil {
		return nil, err
	}
	if c.items, err = newSparseZip(v.GetItems(), bufs[1:], s); err != nil {
		return nil, err
	}
	if c.items.text == nil || c.items.numRows == 0 {
		return nil, fault.Corruptf("dictionary of %d items", c.items.numRows)
	}
	return c, nil
}

func (c *sparseIndexed) metadata() []storage.Range {
	return append([]storage.Range{c.at}, c.items.metadata()...)
}

// prepare decodes the indices of all slots and checks that the dictionary has them.
func (c *sparseIndexed) prepare(_ *v23.Structure, meta []*memory.Buffer) error {
	v, err := c.indices.Decode(meta[0].Bytes(), c.slots)
	if err == nil {
		c.codes, err = v.Codes(c.items.numRows)
	}
	if err != nil {
		return fault.Place(err, "", -1, -1, c.at.Offset)
	}
	return c.items.prepare(context.Background(), nil, meta[1:])
}

func (c *sparseIndexed) close() { c.items.close() }

// wanted lists the items of slots, ascending, each once. plan and decode call it with the same
// slots.
func (c *sparseIndexed) wanted(slots []encoding.Range) (rows []encoding.Range) {
	seen := map[uint32]bool{}
	var codes []uint32
	for _, r := range slots {
		for _, x := range c.codes[r.Start:r.End] {
			if !seen[x] {
				seen[x] = true
				codes = append(codes, x)
			}
		}
	}
	slices.Sort(codes)
	for _, x := range codes {
		rows = appendRange(rows, encoding.Range{Start: int64(x), End: int64(x) + 1})
	}
	return rows
}

func (c *sparseIndexed) plan(slots []encoding.Range, w want, ranges []storage.Range) ([]storage.Range, int, error) {
	ranges, hint, err := c.items.plan(c.wanted(slots), wantAll, ranges)
	if w != wantAll {
		hint = 0
	}
	return ranges, hint, err
}

// decode decodes the items that slots choose, and copies one for each slot.
func (c *sparseIndexed) decode(slots []encoding.Range, bufs []*memory.Buffer, out *sink) error {
	rows := c.wanted(slots)
	// The items are decoded to strings of their own first, each once, and copied from there for
	// each slot.
	items, err := newValues(&shape{kind: kindVariable, wide: true, perValue: 1, typ: c.shape.typ}, out.mem, int(encoding.Count(rows)), 0)
	if err != nil {
		return err
	}
	defer items.release()
	inner := &sink{values: items, mem: out.mem, a: out.a, expect: items.expect}
	if err := c.items.decode(rows, bufs, inner); err != nil {
		return err
	}
	// place is the position of each item among those that were decoded.
	place := make(map[uint32]int, items.n)
	for _, r := range rows {
		for x := r.Start; x < r.End; x++ {
			place[uint32(x)] = len(place)
		}
	}
	ends := int64s(items.ends.buf.Buf()[:items.ends.n])
	for _, r := range slots {
		for _, x := range c.codes[r.Start:r.End] {
			i := place[x]
			if err := out.values.appendBytes(items.data.buf.Buf()[ends[i]:ends[i+1]]); err != nil {
				return err
			}
		}
	}
	return nil
}
