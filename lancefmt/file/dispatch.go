package file

import (
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/v01"
	"lanceflight/lancefmt/encoding/v20"
	"lanceflight/lancefmt/encoding/v21"
)

// hidesItems reports whether column i, which is loaded, has its items in column i+1 although its
// field may have no child. The first writers of 2.0 kept strings so.
func (r *Reader) hidesItems(i int) bool {
	return r.legacy == nil && r.foot.major == 0 && i+1 < len(r.columns) && v20.IsList(r.columns[i])
}

// newDecoder chooses the decoder by the footer's version: pages of 0.1 carry no message, and those
// of 2.0 other messages than those of 2.1 to 2.3. Each page of 2.3 names its message, which package
// v21 tells from that of 2.1.
func newDecoder(r *Reader, f encoding.Field) (encoding.ColumnReader, error) {
	stored, ok := storedJSON(f)
	if !ok {
		return newStored(r, f)
	}
	inner, err := newStored(r, stored)
	if err != nil {
		return nil, err
	}
	return &jsonReader{inner: inner, typ: f.Type}, nil
}

// newStored is newDecoder for a field whose type is that of what is stored.
func newStored(r *Reader, f encoding.Field) (encoding.ColumnReader, error) {
	if r.legacy != nil {
		return v01.NewReader(r.obj, r.columns, f, r.rows)
	}
	if r.foot.major == 2 && r.foot.minor >= 1 {
		return v21.NewReader(r.obj, r.columns, f)
	}
	return v20.NewReader(r.obj, r.columns, f)
}
