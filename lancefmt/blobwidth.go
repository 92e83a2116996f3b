package lancefmt

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/table"
)

// sampledBlobs is how many rows tell how large the blobs of a fragment are.
const sampledBlobs = 256

// unknownBlob is what a blob counts as whose size is only known once its file is opened.
const unknownBlob = 64 << 10

// blobWidth estimates the bytes of blobs in a row of a column, which its pages do not tell: 0 for
// columns without blobs. It reads descriptors of some rows, no blobs.
func (f *Fragment) blobWidth(ctx context.Context, field *table.Field) (float64, error) {
	var rows []encoding.Range
	step := max(1, f.rows/sampledBlobs)
	for at := int64(0); at < f.rows && len(rows) < sampledBlobs; at += step {
		rows = append(rows, encoding.Range{Start: at, End: at + 1})
	}
	var sum float64
	for _, p := range f.plan(field) {
		field, ok := describeBlobs(p.field)
		if !ok || len(rows) == 0 {
			continue
		}
		a, err := f.readDescribed(ctx, p.file, field, rows)
		if err != nil {
			return 0, err
		}
		sum += blobBytes(field, a.Data())
		a.Release()
	}
	return sum / float64(max(1, len(rows))), nil
}

func (f *Fragment) readDescribed(ctx context.Context, i int, field encoding.Field, rows []encoding.Range) (arrow.Array, error) {
	r, err := f.open(ctx, i)
	if err != nil {
		return nil, err
	}
	defer r.release()
	c, err := r.value.ColumnReader(field)
	if err != nil {
		return nil, err
	}
	return c.Read(ctx, rows, memory.NewGoAllocator())
}

// describeBlobs returns a field that reads descriptors instead of blobs; not ok if it has none.
func describeBlobs(f encoding.Field) (out encoding.Field, ok bool) {
	switch {
	case described(f):
		return f, true
	case file.IsBlob(f) && f.Column >= 0 && !file.IsBlobV2(f):
		f.Type = file.BlobDescriptor
		return f, true
	}
	children := slices.Clone(f.Children)
	for i, c := range children {
		d, has := describeBlobs(c)
		children[i] = d
		ok = ok || has
	}
	if ok {
		f.Children = children
		f.Type = withChildren(f.Type, children)
	}
	return f, ok
}

// blobBytes sums up the sizes in the descriptors below a field.
func blobBytes(f encoding.Field, data arrow.ArrayData) (sum float64) {
	if !file.IsBlob(f) || f.Type.ID() != arrow.STRUCT {
		for i, c := range f.Children {
			if i < len(data.Children()) {
				sum += blobBytes(c, data.Children()[i])
			}
		}
		return sum
	}
	field := 1 // of BlobDescriptor
	if described(f) {
		field = 2
	}
	s := array.NewStructData(data)
	defer s.Release()
	sizes, ok := s.Field(field).(*array.Uint64)
	if !ok {
		return 0
	}
	for i := range sizes.Len() {
		switch {
		case s.IsNull(i):
		case sizes.Value(i) == 0 && field == 2 && s.Field(0).(*array.Uint8).Value(i) == blobExternal:
			sum += unknownBlob
		default:
			sum += float64(sizes.Value(i))
		}
	}
	return sum
}
