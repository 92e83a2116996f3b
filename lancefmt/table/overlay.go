package table

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/tablepb"
)

// Overlay has new values for some cells of a fragment, laid over the data files that have the
// others.
//
//	offset           0  1  2  3  4
//	data file        a  b  c  d  e
//	overlay {1, 3}      B     D        the file's column: B D
//	rows             a  B  c  D  e
//
// A column of the file has as many values as its coverage has rows: that of row r stands at the
// number of covered rows before r.
//
// Source: fragment_metadata.proto, DataOverlayFile; lance-table 14.0.2, format/overlay.rs.
type Overlay struct {
	// File has the values. FieldTombstone stands for fields that the overlay no longer covers.
	File             DataFile
	CommittedVersion uint64

	shared *roaring.Bitmap
	fields []*roaring.Bitmap // one per field, if not shared
}

// Coverage returns the physical offsets that the overlay covers of field i of its file. Shared, do
// not change it.
func (o *Overlay) Coverage(i int) *roaring.Bitmap {
	if o.shared != nil {
		return o.shared
	}
	return o.fields[i]
}

func overlayOf(p *tablepb.DataOverlayFile, fragment uint32) (o Overlay, err error) {
	if p.GetDataFile() == nil {
		return o, fault.Corruptf("an overlay of fragment %d has no file", fragment)
	}
	o.CommittedVersion = p.GetCommittedVersion()
	if o.File, err = dataFileOf(p.GetDataFile(), fragment); err != nil {
		return o, err
	}
	if err := o.File.check(fragment); err != nil {
		return o, err
	}
	coverage := func(data []byte) (*roaring.Bitmap, error) {
		b, err := decodeRoaring(data)
		if err != nil {
			return nil, fault.Corruptf("the rows of overlay %q of fragment %d: %v", o.File.Path, fragment, err)
		}
		return b, nil
	}
	switch c := p.GetCoverage().(type) {
	case *tablepb.DataOverlayFile_SharedOffsetBitmap:
		o.shared, err = coverage(c.SharedOffsetBitmap)
		return o, err
	case *tablepb.DataOverlayFile_FieldCoverage:
		list := c.FieldCoverage.GetOffsetBitmaps()
		if len(list) != len(o.File.Fields) {
			return o, fault.Corruptf("overlay %q of fragment %d has %d fields, but the rows of %d", o.File.Path,
				fragment, len(o.File.Fields), len(list))
		}
		for _, data := range list {
			b, err := coverage(data)
			if err != nil {
				return o, err
			}
			o.fields = append(o.fields, b)
		}
		return o, nil
	}
	return o, fault.Corruptf("overlay %q of fragment %d does not say which rows it has", o.File.Path, fragment)
}

// changed reports whether an overlay that is newer than an index gives a fragment new values of the
// index's columns, or of columns in them or around them. The index then has values that are no
// more.
func (s *Schema) changed(f *Fragment, x *Index) bool {
	for i := range f.Overlays {
		o := &f.Overlays[i]
		if o.CommittedVersion <= x.DatasetVersion {
			continue
		}
		for k, id := range o.File.Fields {
			if id >= 0 && !o.Coverage(k).IsEmpty() && slices.ContainsFunc(x.Fields,
				func(indexed int32) bool { return s.related(id, indexed) }) {
				return true
			}
		}
	}
	return false
}

// related reports whether one field is the other, or in it.
func (s *Schema) related(a, b int32) bool {
	under := func(f *Field, id int32) bool {
		var find func(*Field) bool
		find = func(f *Field) bool { return f.ID == id || slices.ContainsFunc(f.Children, find) }
		return find(f)
	}
	var either func(f *Field) bool
	either = func(f *Field) bool {
		return f.ID == a && under(f, b) || f.ID == b && under(f, a) || slices.ContainsFunc(f.Children, either)
	}
	return slices.ContainsFunc(s.Fields, either)
}

// Overlaid returns the fragments of which overlays changed columns of an index since it was made;
// nil if there are none.
func (m *Manifest) Overlaid(x *Index) *roaring.Bitmap {
	var changed *roaring.Bitmap
	for i := range m.Fragments {
		if f := &m.Fragments[i]; len(f.Overlays) > 0 && m.Schema.changed(f, x) {
			if changed == nil {
				changed = roaring.New()
			}
			changed.Add(f.ID)
		}
	}
	return changed
}
