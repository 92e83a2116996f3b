package levels

import "lanceflight/internal/fault"

// Domain is one layer of pages that store structure apart from values: slots, some valid, and what
// each holds of the domain below, which comes before it. Slots are counted from 0.
type Domain interface {
	Slots() int64
	IsList() bool
	Dim() int64   // items of fixed-size lists, 0 if the slots are none
	Valid() int64 // slots that are valid
	// ValidRuns calls f with the runs of valid slots, ascending.
	ValidRuns(f func(start, end int64))
	// Lists calls f with the lists that have items and with how many, ascending.
	Lists(f func(slot, items int64))
}

// domain returns the domain that a segment is at.
func (s *segment) domain(list bool) (Domain, error) {
	if s.layer >= len(s.Domains) {
		return nil, fault.Corruptf("page has %d layers, the column's type has more", len(s.Domains))
	}
	d := s.Domains[s.layer]
	if d.IsList() != list {
		return nil, fault.Corruptf("layer %d of the page does not fit the column's type", s.layer)
	}
	return d, nil
}

// domainValidity is Validity for the slots of one page, which are items from at on.
func (s *segment) domainValidity(bitmap []byte, at, n int) (nulls int, err error) {
	d, err := s.domain(false)
	if err != nil {
		return 0, err
	}
	if s.fixed != (d.Dim() > 0) {
		return 0, fault.Corruptf("layer %d of the page does not fit the column's type", s.layer)
	}
	if d.Slots() != int64(s.slots) || at+s.slots > n {
		return 0, fault.Corruptf("layer %d of the page has %d slots instead of %d", s.layer, d.Slots(), s.slots)
	}
	setValid(d, bitmap, at)
	s.layer++
	s.fixed = false
	return s.slots - int(d.Valid()), nil
}

// setValid sets the bits of the valid slots, which are items from at on.
func setValid(d Domain, bitmap []byte, at int) {
	if bitmap != nil {
		d.ValidRuns(func(start, end int64) { setBits(bitmap, at+int(start), int(end-start)) })
	}
}

// domainOffsets is Offsets for the lists of one page, which are lists from number lists on; their
// items are those from at on. It returns the end of the items.
func domainOffsets[T int32 | int64](s *segment, offsets []T, bitmap []byte, lists, at int) (end, nulls int, err error) {
	d, err := s.domain(true)
	if err != nil {
		return 0, 0, err
	}
	if d.Slots() > int64(len(offsets)-1-lists) {
		return 0, 0, fault.Corruptf("structure tells of more than %d lists", len(offsets)-1)
	}
	n := int(d.Slots())
	items, next := at, 0
	d.Lists(func(slot, count int64) {
		for ; next <= int(slot); next++ {
			offsets[lists+next] = T(items)
		}
		items += int(count)
	})
	for ; next < n; next++ {
		offsets[lists+next] = T(items)
	}
	if items-at != s.slots {
		return 0, 0, fault.Corruptf("structure tells of %d items of lists instead of %d", items-at, s.slots)
	}
	setValid(d, bitmap, lists)
	s.layer++
	s.slots = n
	return items, n - int(d.Valid()), nil
}

// decimate goes from the items of fixed-size lists of dim to the lists.
func (s *segment) decimate(dim int) error {
	d, err := s.domain(false)
	if err != nil {
		return err
	}
	if s.fixed || d.Dim() != int64(dim) || d.Slots()*int64(dim) != int64(s.slots) {
		return fault.Corruptf("layer %d of the page is not one of fixed-size lists of %d", s.layer, dim)
	}
	s.slots /= dim
	s.fixed = true
	return nil
}
