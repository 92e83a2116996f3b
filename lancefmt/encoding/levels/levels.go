// Package levels turns repetition and definition levels back into validity bitmaps and list
// offsets, one layer of nesting after the other, from the leaf outwards.
//
//	list<struct<x>>, layers from the leaf: [item x, item struct, list]
//
//	        rows: [{1} null] [] [{2}]        rep: 1 0 1 1   def: 0 2 3 0
//	Validity()  x:  1 ? . 2   ── bits 1 0 1 (the empty list has no x)
//	Validity() struct         ── bits 1 0 1
//	Offsets()  list           ── 0 2 2 3
//
// Unlike Parquet, 0 is the innermost level: repetition 0 continues the innermost list, max starts a
// row; definition 0 is a valid value, and layers take their levels from the leaf outwards (null
// before empty within a list layer). Levels of a list that is null or empty stand for no value at
// all: their entries are invisible to the layers below.
//
// Pages of storage version 2.3 may tell structure by domains instead, one per layer, which count
// slots and lists as arrays do; a Column takes pages of both kinds.
//
// A Column is used by one goroutine; it changes the levels it was given.
//
// docs/format/levels.md has the levels of a real page beside its rows.
//
// Source: lance-encoding 14.0.2, repdef.rs; docs/src/format/file/encoding.md.
package levels

import (
	"math/bits"
	"slices"

	"lanceflight/internal/fault"
)

// Layer is what one level of nesting contributes; the numbers are those of the RepDefLayer message.
type Layer uint8

// The kinds of layers.
const (
	AllValidItem     Layer = 1
	AllValidList     Layer = 2
	NullableItem     Layer = 3
	NullableList     Layer = 4
	EmptyableList    Layer = 5
	NullAndEmptyList Layer = 6
)

// IsList reports whether the layer has repetition.
func (l Layer) IsList() bool { return l != AllValidItem && l != NullableItem }

// hasNulls reports whether a definition level of the layer stands for NULL.
func (l Layer) hasNulls() bool {
	return l == NullableItem || l == NullableList || l == NullAndEmptyList
}

// defs returns the number of definition levels.
func (l Layer) defs() uint16 {
	switch l {
	case AllValidItem, AllValidList:
		return 0
	case NullAndEmptyList:
		return 2
	}
	return 1
}

// Schema is the layers of a page, leaf first, with what follows from them.
//
//	layers                NULLABLE_ITEM  NULL_AND_EMPTY_LIST  NULLABLE_ITEM
//	definition levels     1              2 NULL, 3 empty      4
//	MaxVisible 1, MaxDef 4, MaxRep 1
//	repOf                 0 0 1 1 1      of levels 0 to 4
type Schema struct {
	Layers []Layer
	// MaxRep is the repetition level of the first entry of a row, which is the number of list
	// layers.
	MaxRep uint16
	MaxDef uint16
	// MaxVisible is the highest definition level whose entries still stand for a value of the leaf.
	// Above it are lists that are NULL or empty, and what is NULL around them.
	MaxVisible uint16
	// repOf has, for each definition level, the number of list layers up to the layer that took it.
	// An entry with a level whose number is above that of the layers done so far is of a list
	// further out.
	repOf []uint16
}

// maxLayers bounds the nesting; levels are 16 bits wide.
const maxLayers = 1 << 10

// NewSchema checks layers.
func NewSchema(layers []Layer) (*Schema, error) {
	if len(layers) == 0 || len(layers) > maxLayers {
		return nil, fault.Corruptf("page has %d layers", len(layers))
	}
	s := &Schema{Layers: layers, repOf: []uint16{0}}
	for _, l := range layers {
		if l < AllValidItem || l > NullAndEmptyList {
			return nil, fault.Corruptf("page has a layer of kind %d", l)
		}
		if l.IsList() {
			s.MaxRep++
		}
		for range l.defs() {
			s.repOf = append(s.repOf, s.MaxRep)
		}
		s.MaxDef += l.defs()
		// Up to the first list, what is NULL still has its place among the values.
		if s.MaxRep == 0 {
			s.MaxVisible = s.MaxDef
		}
	}
	return s, nil
}

// Simple reports whether validity of the leaf is all there is: one layer, no lists.
func (s *Schema) Simple() bool { return len(s.Layers) == 1 && !s.Layers[0].IsList() }

// Check refuses levels that the layers do not have.
func (s *Schema) Check(rep, def []uint16) error {
	if anyAbove(rep, s.MaxRep) {
		i := slices.IndexFunc(rep, func(r uint16) bool { return r > s.MaxRep })
		return fault.Corruptf("repetition level %d at %d, highest is %d", rep[i], i, s.MaxRep)
	}
	if anyAbove(def, s.MaxDef) {
		i := slices.IndexFunc(def, func(d uint16) bool { return d > s.MaxDef })
		return fault.Corruptf("definition level %d at %d, highest is %d", def[i], i, s.MaxDef)
	}
	return nil
}

// Visible returns how many entries stand for a value of the leaf.
func (s *Schema) Visible(def []uint16) int { return len(def) - CountAbove(def, s.MaxVisible) }

// Segment is the levels of the rows read from one page. Rep is nil if no layer is a list, Def if
// the page stores none (nothing is NULL or empty). If both are there they are equally long, and
// entry i of both belongs together. Values is the number of leaf values.
type Segment struct {
	Schema   *Schema
	Rep, Def []uint16
	Values   int
	Domains  []Domain // instead of all that but Values
}

// Column is the levels of all rows read, page after page.
type Column struct {
	segs []segment
}

// segment is a Segment that is being unraveled, layer by layer. With each list layer the entries
// that go on with a list are dropped from Rep and Def, so that the entries left are those of the
// next layer out.
type segment struct {
	Segment
	layer int    // next layer to unravel
	def   uint16 // highest definition level of the layers done
	rep   uint16 // lists among the layers done
	slots int    // entries that stand for something in the next layer
	fixed bool   // the next domain is that of the fixed-size lists whose items were just unraveled
}

// NewColumn takes over the levels of segs and checks them.
func NewColumn(segs []Segment) (*Column, error) {
	c := &Column{segs: make([]segment, len(segs))}
	for i, s := range segs {
		if s.Domains != nil {
			c.segs[i] = segment{Segment: s, slots: s.Values}
			continue
		}
		if err := s.Schema.Check(s.Rep, s.Def); err != nil {
			return nil, err
		}
		if s.Rep != nil && s.Def != nil && len(s.Rep) != len(s.Def) {
			return nil, fault.Corruptf("%d repetition levels but %d definition levels", len(s.Rep), len(s.Def))
		}
		if s.Schema.MaxRep == 0 {
			s.Rep = nil
		}
		visible := s.Values
		switch {
		case s.Def != nil:
			visible = s.Schema.Visible(s.Def)
		case s.Rep != nil:
			visible = len(s.Rep)
		case s.Schema.MaxRep > 0 && s.Values > 0:
			return nil, fault.Corruptf("%d values in lists without repetition levels", s.Values)
		}
		if visible != s.Values {
			return nil, fault.Corruptf("levels tell of %d values, there are %d", visible, s.Values)
		}
		c.segs[i] = segment{Segment: s, slots: s.Values}
	}
	return c, nil
}

// next returns the layer that a segment is at.
func (s *segment) next(list bool) (Layer, error) {
	if s.layer >= len(s.Schema.Layers) {
		return 0, fault.Corruptf("page has %d layers, the column's type has more", len(s.Schema.Layers))
	}
	l := s.Schema.Layers[s.layer]
	if l.IsList() != list {
		return 0, fault.Corruptf("layer %d of the page does not fit the column's type", s.layer)
	}
	return l, nil
}

// HasNulls reports whether the next layer can hold NULLs. Where it cannot, Validity and Offsets
// need no bitmap (but must still be called, to pass on to the next layer).
func (c *Column) HasNulls() bool {
	for i := range c.segs {
		s := &c.segs[i]
		if s.Domains != nil {
			if s.layer < len(s.Domains) && s.Domains[s.layer].Valid() < s.Domains[s.layer].Slots() {
				return true
			}
			continue
		}
		if s.Def != nil && s.layer < len(s.Schema.Layers) && s.Schema.Layers[s.layer].hasNulls() {
			return true
		}
	}
	return false
}

// Validity unravels a layer of items, which must be n: it sets the bits of bitmap, one per item,
// lowest bit first, and returns the number of NULLs. bitmap may be nil if HasNulls is false; it
// must be zeroed.
//
// An item is valid if its level is at most the highest one of the layers below: then it is a value,
// or something below it is NULL. Entries of lists further out have no item here and are passed
// over.
func (c *Column) Validity(bitmap []byte, n int) (nulls int, err error) {
	at := 0
	for i := range c.segs {
		s := &c.segs[i]
		if s.Domains != nil {
			k, err := s.domainValidity(bitmap, at, n)
			if err != nil {
				return 0, err
			}
			nulls += k
			at += s.slots
			continue
		}
		layer, err := s.next(false)
		if err != nil {
			return 0, err
		}
		if at+s.slots > n {
			return 0, fault.Corruptf("levels tell of more than %d values", n)
		}
		s.layer++
		switch {
		case layer == AllValidItem || s.Def == nil:
			if bitmap != nil {
				setBits(bitmap, at, s.slots)
			}
			if layer == NullableItem {
				s.def++
			}
			at += s.slots
		default:
			valid, seen := s.def, at
			s.def++
			hidden, null := threshold(s.highest()), threshold(valid)
			for j := 0; j < len(s.Def); j++ {
				if j+lanes <= len(s.Def) && seen+lanes <= at+s.slots {
					// Four values at once, where no entry between them belongs to a list further
					// out.
					if w := word(s.Def, j); above(w, hidden) == 0 {
						no := nibble(above(w, null))
						set := uint16(^no&0xf) << (seen & 7)
						bitmap[seen>>3] |= byte(set)
						if set > 0xff {
							bitmap[seen>>3+1] |= byte(set >> 8)
						}
						nulls += bits.OnesCount8(no)
						seen += lanes
						j += lanes - 1
						continue
					}
				}
				d := s.Def[j]
				if s.Schema.repOf[d] > s.rep {
					continue
				}
				if seen == at+s.slots {
					return 0, fault.Corruptf("levels tell of more than %d values in layer %d", s.slots, s.layer-1)
				}
				if d <= valid {
					bitmap[seen>>3] |= 1 << (seen & 7)
				} else {
					nulls++
				}
				seen++
			}
			if seen != at+s.slots {
				return 0, fault.Corruptf("levels tell of %d values in layer %d instead of %d", seen-at, s.layer-1, s.slots)
			}
			at = seen
		}
	}
	if at != n {
		return 0, fault.Corruptf("levels tell of %d values instead of %d", at, n)
	}
	return nulls, nil
}

// highest returns the highest definition level of an entry that stands for something in the layer
// that s is at: levels of lists further out are above it.
func (s *segment) highest() uint16 {
	d := s.Schema.MaxDef
	for s.Schema.repOf[d] > s.rep {
		d--
	}
	return d
}

// setBits sets n bits from bit at on.
func setBits(b []byte, at, n int) {
	for ; n > 0 && at&7 != 0; n-- {
		b[at>>3] |= 1 << (at & 7)
		at++
	}
	for ; n >= 8; n -= 8 {
		b[at>>3] = 0xff
		at += 8
	}
	for ; n > 0; n-- {
		b[at>>3] |= 1 << (at & 7)
		at++
	}
}

// listLevels are the definition levels around the list layer that s is at.
type listLevels struct {
	null, empty uint16 // 0: there is no such level
	own         uint16 // highest level of the layer itself
	visible     uint16 // highest level of an entry that is a list here: struct layers up to the next list
}

func (s *segment) listLevels(l Layer) listLevels {
	var v listLevels
	switch l {
	case NullableList:
		v.null = s.def + 1
	case EmptyableList:
		v.empty = s.def + 1
	case NullAndEmptyList:
		v.null, v.empty = s.def+1, s.def+2
	}
	v.own = s.def + l.defs()
	v.visible = v.own
	for _, above := range s.Schema.Layers[s.layer+1:] {
		if above.IsList() {
			break
		}
		v.visible += above.defs()
	}
	return v
}

// Lists returns the number of lists of the next layer, which must be a list layer.
func (c *Column) Lists() (n int, err error) {
	for i := range c.segs {
		s := &c.segs[i]
		if s.Domains != nil {
			d, err := s.domain(true)
			if err != nil {
				return 0, err
			}
			n += int(d.Slots())
			continue
		}
		layer, err := s.next(true)
		if err != nil {
			return 0, err
		}
		v := s.listLevels(layer)
		n += countLists(s.Rep, s.Def, v.visible)
	}
	return n, nil
}

// Offsets unravels a list layer of n lists over items values below: it fills offsets, n+1 long, and
// bitmap, one bit per list (nil if HasNulls is false; else zeroed), and returns the number of
// NULLs.
//
// An entry with repetition level 0 goes on with its list, any other begins one. The entries that
// begin a list are moved to the front with a level one less, and become the entries of the next
// layer.
func Offsets[T int32 | int64](c *Column, offsets []T, bitmap []byte, items int) (nulls int, err error) {
	lists, at := 0, 0
	if int64(T(items)) != int64(items) {
		return 0, fault.New(fault.ResourceExhausted, "%d list items in one array do not fit its offsets: read fewer rows at a time", items)
	}
	for i := range c.segs {
		s := &c.segs[i]
		if s.Domains != nil {
			var k int
			if at, k, err = domainOffsets(s, offsets, bitmap, lists, at); err != nil {
				return 0, err
			}
			nulls += k
			lists += s.slots
			continue
		}
		layer, err := s.next(true)
		if err != nil {
			return 0, err
		}
		v := s.listLevels(layer)
		// write is the number of entries kept so far.
		before, write := lists, 0
		if len(s.Rep) > 0 && s.Rep[0] == 0 {
			return 0, fault.Corruptf("levels do not start with a list")
		}
		// Without definition levels every entry is a value, and each list has at least one.
		if s.Def == nil {
			n := CountAbove(s.Rep, 0)
			if n > len(offsets)-1-lists {
				return 0, fault.Corruptf("levels tell of more than %d lists", len(offsets)-1)
			}
			startsOf(s.Rep, offsets[lists:lists+n], T(at))
			if bitmap != nil {
				setBits(bitmap, lists, n)
			}
			at, lists = at+len(s.Rep), lists+n
			s.Rep = s.Rep[:n]
			s.layer++
			s.rep++
			s.def = v.own
			s.slots = n
			continue
		}
		for j := 0; j < len(s.Rep); j++ {
			if j+lanes <= len(s.Rep) && word(s.Rep, j) == 0 { // four more values of a list
				at += lanes
				j += lanes - 1
				continue
			}
			r := s.Rep[j]
			if r == 0 {
				at++
				continue
			}
			d := uint16(0)
			if s.Def != nil {
				d = s.Def[j]
				s.Def[write] = d
			}
			s.Rep[write] = r - 1
			write++
			if d > v.visible {
				continue // part of a list further out that is null or empty
			}
			if lists >= len(offsets)-1 {
				return 0, fault.Corruptf("levels tell of more than %d lists", len(offsets)-1)
			}
			offsets[lists] = T(at)
			switch {
			case d == 0 || d <= s.def:
				at++ // a value, or a null of a layer below
			// An empty list is valid and ends where it starts.
			case d == v.empty:
			default: // null, or a null struct around the list
				nulls++
				lists++
				continue
			}
			if bitmap != nil {
				bitmap[lists>>3] |= 1 << (lists & 7)
			}
			lists++
		}
		s.Rep = s.Rep[:write]
		if s.Def != nil {
			s.Def = s.Def[:write]
		}
		s.layer++
		s.rep++
		s.def = v.own
		s.slots = lists - before
	}
	if at != items || lists != len(offsets)-1 {
		return 0, fault.Corruptf("levels tell of %d lists of %d values, there are %d of %d", lists, at, len(offsets)-1, items)
	}
	offsets[lists] = T(at)
	if bitmap == nil {
		nulls = 0 // lists inside of a NULL struct, which says enough
	}
	return nulls, nil
}

// Decimate keeps the first of every dim entries: the values of a fixed-size list share its level.
func (c *Column) Decimate(dim int) error {
	for i := range c.segs {
		s := &c.segs[i]
		if s.Domains != nil {
			if err := s.decimate(dim); err != nil {
				return err
			}
			continue
		}
		if s.Rep != nil {
			return fault.New(fault.Unsupported, "fixed-size lists of structs inside of lists")
		}
		if dim < 1 || s.slots%dim != 0 {
			return fault.Corruptf("%d values do not make fixed-size lists of %d", s.slots, dim)
		}
		s.slots /= dim
		if s.Def == nil {
			continue
		}
		if len(s.Def)%dim != 0 {
			return fault.Corruptf("%d levels do not make fixed-size lists of %d", len(s.Def), dim)
		}
		for j := range s.slots {
			s.Def[j] = s.Def[j*dim]
		}
		s.Def = s.Def[:s.slots]
	}
	return nil
}
