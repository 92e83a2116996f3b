package v23

import (
	"fmt"
	"sort"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/enc21pb"
	"lanceflight/lancefmt/pb/enc23pb"
)

// maxLayers bounds the nesting of a page.
const maxLayers = 1 << 7

// maxRuns bounds the runs of slots that are looked at together.
const maxRuns = 1 << 22

// Plane is the description of a page's structure, whose sequences are not decoded yet. It is made
// from the page's message alone, so that a page knows how many buffers to read.
type Plane struct {
	layers []layerPlan
	// rows is the number of slots of the first domain: top-level rows. The page's own number of
	// rows is scale times as many if there are fixed-size lists, whose items it counts.
	rows  int64
	scale int64
	leaf  int64
	bufs  int
}

// layerPlan is a layer and the encodings of its sequences. Those of lists are nil in other layers.
type layerPlan struct {
	layer
	nonEmptyAs, countsAs, validity *Sequence
	numNonEmpty, numPositions      int64
}

type layerKind uint8

const (
	validityLayer layerKind = iota
	listLayer
	fixedLayer
)

// layer is one step from a domain of slots to the next. A validity layer leaves the slots as they
// are, a layer of fixed-size lists multiplies them, and a layer of lists maps each slot to its
// items.
type layer struct {
	kind  layerKind
	slots int64
	// children is the number of slots of the next domain.
	children int64
	dim      int64
	// positions are the slots that are valid, or those that are not.
	positions   Values
	storedValid bool
	nonEmpty    Values // slots of lists that have items
	counts      Values
	// starts is the first item of each list in nonEmpty, and the end behind the last. It is nil if
	// all counts are equal, and then follows from the number of the list.
	starts []int64
}

// NewPlane checks the description of the structure of a page that claims numRows rows.
func NewPlane(s *enc23pb.SparseStructure, numRows int64) (*Plane, error) {
	p := &Plane{scale: 1}
	if n := len(s.GetLayers()); n == 0 || n > maxLayers {
		return nil, fault.Corruptf("structure of %d layers", n)
	}
	for _, l := range s.GetLayers() {
		if f := l.GetFixedSizeList(); f != nil {
			if f.GetDimension() == 0 || f.GetDimension() > uint64(maxDomain/p.scale) {
				return nil, fault.Corruptf("fixed-size lists of %d items", f.GetDimension())
			}
			p.scale *= int64(f.GetDimension())
		}
	}
	// Pages count the items of fixed-size lists as rows.
	if numRows%p.scale != 0 || numRows > maxDomain {
		return nil, fault.Corruptf("%d rows do not make fixed-size lists of %d", numRows, p.scale)
	}
	p.rows = numRows / p.scale
	p.leaf = p.rows
	for i, l := range s.GetLayers() {
		next, err := p.newLayer(l, p.leaf)
		if err != nil {
			return nil, err
		}
		for _, s := range []*Sequence{next.nonEmptyAs, next.countsAs, next.validity} {
			if s != nil && s.HasPayload() {
				p.bufs++
			}
		}
		if p.leaf = next.children; p.leaf > maxDomain {
			return nil, fault.Corruptf("layer %d has %d slots below it", i, p.leaf)
		}
		p.layers = append(p.layers, next)
	}
	return p, nil
}

func (p *Plane) newLayer(l *enc23pb.SparseStructuralLayer, slots int64) (n layerPlan, err error) {
	n.slots, n.children = slots, slots
	var set *enc23pb.SparseValiditySet
	switch l := l.GetLayer().(type) {
	case *enc23pb.SparseStructuralLayer_Validity:
		n.kind, set = validityLayer, l.Validity
	case *enc23pb.SparseStructuralLayer_List:
		n.kind, set = listLayer, l.List.GetValidity()
		if l.List.GetNumChildSlots() > maxDomain || l.List.GetNumNonEmptyPositions() > uint64(slots) {
			return n, fault.Corruptf("%d of %d lists have %d items", l.List.GetNumNonEmptyPositions(), slots, l.List.GetNumChildSlots())
		}
		n.children, n.numNonEmpty = int64(l.List.GetNumChildSlots()), int64(l.List.GetNumNonEmptyPositions())
		if n.nonEmptyAs, err = newPositions(l.List.GetNonEmptyPositions()); err != nil {
			return n, err
		}
		if n.countsAs, err = newPositions(l.List.GetCounts()); err != nil {
			return n, err
		}
	case *enc23pb.SparseStructuralLayer_FixedSizeList:
		n.kind, set = fixedLayer, l.FixedSizeList.GetValidity()
		n.dim = int64(l.FixedSizeList.GetDimension())
		if slots > maxDomain/n.dim {
			return n, fault.Corruptf("%d fixed-size lists of %d items", slots, n.dim)
		}
		n.children = slots * n.dim
	default:
		return n, fault.Corruptf("structure has a layer of no kind")
	}
	switch set.GetMeaning() {
	case enc23pb.SparseValiditySet_SPARSE_VALIDITY_NULL_POSITIONS:
	case enc23pb.SparseValiditySet_SPARSE_VALIDITY_VALID_POSITIONS:
		n.storedValid = true
	default:
		return n, fault.Corruptf("structure has validity of meaning %d", set.GetMeaning())
	}
	if set.GetNumPositions() > uint64(slots) {
		return n, fault.Corruptf("validity of %d positions in %d slots", set.GetNumPositions(), slots)
	}
	n.numPositions = int64(set.GetNumPositions())
	n.validity, err = newPositions(set.GetPositions())
	return n, err
}

func newPositions(e *enc21pb.CompressiveEncoding) (*Sequence, error) { return NewSequence(e, 64) }

// Buffers returns how many buffers Decode wants: one per sequence that has bytes.
func (p *Plane) Buffers() int { return p.bufs }

// BufferNames tells what each of the buffers is, for people.
func (p *Plane) BufferNames() (names []string) {
	add := func(s *Sequence, format string, args ...any) {
		if s != nil && s.HasPayload() {
			names = append(names, fmt.Sprintf(format, args...))
		}
	}
	for i, l := range p.layers {
		add(l.nonEmptyAs, "layer %d, %d lists that have items", i, l.numNonEmpty)
		add(l.countsAs, "layer %d, items of %d lists", i, l.numNonEmpty)
		what := "NULL"
		if l.storedValid {
			what = "valid"
		}
		add(l.validity, "layer %d, %d of %d slots that are %s", i, l.numPositions, l.slots, what)
	}
	return names
}

// LeafSlots returns the number of slots of the leaf.
func (p *Plane) LeafSlots() int64 { return p.leaf }

// Structure is the decoded structure of a page; see the package comment.
type Structure struct {
	layers []layer
	rows   int64
	scale  int64
	leaf   int64
}

// Decode decodes all sequences and checks them against each other. bufs are those that Buffers
// counts, in the order of the file: of a list non-empty positions, counts, validity.
func (p *Plane) Decode(bufs [][]byte) (*Structure, error) {
	s := &Structure{rows: p.rows, scale: p.scale, leaf: p.leaf, layers: make([]layer, len(p.layers))}
	if len(bufs) != p.bufs {
		return nil, fault.Corruptf("structure of %d buffers has %d", p.bufs, len(bufs))
	}
	next := func(q *Sequence, n int64) (Values, error) {
		var b []byte
		if q.HasPayload() {
			b, bufs = bufs[0], bufs[1:]
		}
		return q.Decode(b, n)
	}
	for i, plan := range p.layers {
		l := plan.layer
		var err error
		if l.kind == listLayer {
			if l.nonEmpty, err = next(plan.nonEmptyAs, plan.numNonEmpty); err != nil {
				return nil, err
			}
			if l.counts, err = next(plan.countsAs, plan.numNonEmpty); err != nil {
				return nil, err
			}
		}
		if l.positions, err = next(plan.validity, plan.numPositions); err != nil {
			return nil, err
		}
		if err := l.check(); err != nil {
			return nil, err
		}
		s.layers[i] = l
	}
	return s, nil
}

// check makes sure that positions ascend within the slots, that counts come to the children, and
// that no list with items is NULL. Everything that is read later relies on it.
func (l *layer) check() error {
	if err := l.positions.checkPositions(l.slots); err != nil {
		return err
	}
	if l.kind != listLayer {
		return nil
	}
	if err := l.nonEmpty.checkPositions(l.slots); err != nil {
		return err
	}
	if err := l.sum(); err != nil {
		return err
	}
	if l.storedValid && l.positions.n == l.slots || !l.storedValid && l.positions.n == 0 {
		return nil
	}
	valid := int64(0)
	err := l.nonEmpty.runs(0, l.nonEmpty.n, func(start, end int64) error {
		valid += l.valid(start, end)
		return nil
	})
	if err == nil && valid != l.nonEmpty.n {
		err = fault.Corruptf("%d NULL lists have items", l.nonEmpty.n-valid)
	}
	return err
}

// sum adds the counts up.
func (l *layer) sum() error {
	c := l.counts
	if c.n == 0 {
		if l.children != 0 {
			return fault.Corruptf("%d items in no lists", l.children)
		}
		return nil
	}
	if c.list == nil && c.step == 0 {
		if c.start == 0 || c.start > uint64(l.children) || l.children%c.n != 0 || int64(c.start) != l.children/c.n {
			return fault.Corruptf("%d lists of %d items have %d", c.n, c.start, l.children)
		}
		return nil
	}
	list, err := c.materialize()
	if err != nil {
		return err
	}
	l.starts = make([]int64, len(list)+1)
	for i, n := range list {
		if n == 0 || n > uint64(l.children-l.starts[i]) {
			return fault.Corruptf("list %d of %d items, %d are left", i, n, l.children-l.starts[i])
		}
		l.starts[i+1] = l.starts[i] + int64(n)
	}
	if l.starts[len(list)] != l.children {
		return fault.Corruptf("lists of %d items, there are %d", l.starts[len(list)], l.children)
	}
	return nil
}

// start returns the first item of the i-th list that has items, or the end.
func (l *layer) start(i int64) int64 {
	if l.starts != nil {
		return l.starts[i]
	}
	return i * int64(l.counts.start)
}

// valid counts the valid slots of start..end.
func (l *layer) valid(start, end int64) int64 {
	n := l.positions.rank(end) - l.positions.rank(start)
	if l.storedValid {
		return n
	}
	return end - start - n
}

// validRuns calls f with the runs of valid slots of start..end.
func (l *layer) validRuns(start, end int64, f func(start, end int64) error) error {
	lo, hi := l.positions.rank(start), l.positions.rank(end)
	if l.storedValid {
		return l.positions.runs(lo, hi, f)
	}
	at := start
	err := l.positions.runs(lo, hi, func(from, to int64) error {
		before := at
		at = to
		if before < from {
			return f(before, from)
		}
		return nil
	})
	if err == nil && at < end {
		err = f(at, end)
	}
	return err
}

// down maps a run of slots to those of the next domain, which are a run again. Slots without items
// map to an empty run.
func (l *layer) down(r encoding.Range) encoding.Range {
	switch l.kind {
	case listLayer:
		return encoding.Range{Start: l.start(l.nonEmpty.rank(r.Start)), End: l.start(l.nonEmpty.rank(r.End))}
	case fixedLayer:
		return encoding.Range{Start: r.Start * l.dim, End: r.End * l.dim}
	}
	return r
}

// appendRun appends a run, joining it to the one before.
func appendRun(runs []encoding.Range, r encoding.Range) ([]encoding.Range, error) {
	if r.Start == r.End {
		return runs, nil
	}
	if k := len(runs) - 1; k >= 0 && runs[k].End == r.Start {
		runs[k].End = r.End
		return runs, nil
	}
	if len(runs) == maxRuns {
		return nil, unsupported("structure of more than %d runs", maxRuns)
	}
	return append(runs, r), nil
}

// Materialized are the slots of the leaf that are valid and lie in nothing that is NULL: those
// whose values zipped pages store. Value i belongs to the i-th of these slots.
type Materialized struct {
	runs   []encoding.Range
	before []int64 // values before each run, and all of them
}

// Materialize finds those slots.
func (s *Structure) Materialize() (*Materialized, error) {
	runs := []encoding.Range{}
	if s.rows > 0 {
		runs = append(runs, encoding.Range{Start: 0, End: s.rows})
	}
	for i := range s.layers {
		l := &s.layers[i]
		var next []encoding.Range
		for _, r := range runs {
			err := l.validRuns(r.Start, r.End, func(start, end int64) (err error) {
				next, err = appendRun(next, l.down(encoding.Range{Start: start, End: end}))
				return err
			})
			if err != nil {
				return nil, err
			}
		}
		runs = next
	}
	m := &Materialized{runs: runs, before: make([]int64, len(runs)+1)}
	for i, r := range runs {
		m.before[i+1] = m.before[i] + r.Len()
	}
	return m, nil
}

// Len returns the number of values.
func (m *Materialized) Len() int64 { return m.before[len(m.runs)] }

// Pieces calls f with the runs of slots that a range of slots holds, and the number of the first
// value of each.
func (m *Materialized) Pieces(r encoding.Range, f func(run encoding.Range, value int64) error) error {
	i := sort.Search(len(m.runs), func(i int) bool { return m.runs[i].End > r.Start })
	for ; i < len(m.runs) && m.runs[i].Start < r.End; i++ {
		run := encoding.Range{Start: max(r.Start, m.runs[i].Start), End: min(r.End, m.runs[i].End)}
		if err := f(run, m.before[i]+run.Start-m.runs[i].Start); err != nil {
			return err
		}
	}
	return nil
}

// Values returns the numbers of the values that a range of slots holds.
func (m *Materialized) Values(r encoding.Range) (values encoding.Range) {
	first := true
	_ = m.Pieces(r, func(run encoding.Range, value int64) error {
		if first {
			values.Start, first = value, false
		}
		values.End = value + run.Len()
		return nil
	})
	return values
}

// Selection is what some rows hold: the runs of slots in each domain that belong to them.
type Selection struct {
	Domains []*Domain        // from the leaf outwards
	Leaf    []encoding.Range // slots of the leaf
	Slots   int64            // of the leaf
}

// Domain is a layer of a selection: the slots that it has there, counted from 0.
type Domain struct {
	l     *layer
	runs  []encoding.Range
	slots int64
}

// Select maps rows, which ascend within those of the page, through all layers. Rows in fixed-size
// lists come in multiples of their items.
func (s *Structure) Select(rows []encoding.Range) (*Selection, error) {
	runs := make([]encoding.Range, 0, len(rows))
	var err error
	for _, r := range rows {
		if r.Start%s.scale != 0 || r.End%s.scale != 0 {
			return nil, fault.Corruptf("rows %d..%d are part of a fixed-size list of %d", r.Start, r.End, s.scale)
		}
		if runs, err = appendRun(runs, encoding.Range{Start: r.Start / s.scale, End: r.End / s.scale}); err != nil {
			return nil, err
		}
	}
	sel := &Selection{Domains: make([]*Domain, len(s.layers))}
	for i := range s.layers {
		l := &s.layers[i]
		sel.Domains[len(s.layers)-1-i] = &Domain{l: l, runs: runs, slots: encoding.Count(runs)}
		if l.kind == validityLayer {
			continue
		}
		next := make([]encoding.Range, 0, len(runs))
		for _, r := range runs {
			if next, err = appendRun(next, l.down(r)); err != nil {
				return nil, err
			}
		}
		runs = next
	}
	sel.Leaf, sel.Slots = runs, encoding.Count(runs)
	return sel, nil
}

// Slots returns the number of slots.
func (d *Domain) Slots() int64 { return d.slots }

// IsList reports whether the slots are lists.
func (d *Domain) IsList() bool { return d.l.kind == listLayer }

// Dim returns the items of fixed-size lists, 0 if the slots are none.
func (d *Domain) Dim() int64 { return d.l.dim }

// Valid returns the number of slots that are valid.
func (d *Domain) Valid() (n int64) {
	for _, r := range d.runs {
		n += d.l.valid(r.Start, r.End)
	}
	return n
}

// ValidRuns calls f with the runs of slots that are valid.
func (d *Domain) ValidRuns(f func(start, end int64)) {
	base := int64(0)
	for _, r := range d.runs {
		_ = d.l.validRuns(r.Start, r.End, func(start, end int64) error {
			f(base+start-r.Start, base+end-r.Start)
			return nil
		})
		base += r.Len()
	}
}

// Lists calls f with the lists that have items and with how many.
func (d *Domain) Lists(f func(slot, items int64)) {
	base := int64(0)
	for _, r := range d.runs {
		lo, hi := d.l.nonEmpty.rank(r.Start), d.l.nonEmpty.rank(r.End)
		for i := lo; i < hi; i++ {
			f(base+int64(d.l.nonEmpty.At(i))-r.Start, d.l.start(i+1)-d.l.start(i))
		}
		base += r.Len()
	}
}
