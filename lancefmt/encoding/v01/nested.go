package v01

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
)

// structReader reads a struct, which has nothing in the file but its children.
type structReader struct {
	dt       arrow.DataType
	children []reader
	starts   []int64 // of the pages of every child, nil without children
}

// openStruct opens the children of a struct, and finds out how many rows all of them have in each
// batch.
func openStruct(src encoding.Source, cols []encoding.Column, f encoding.Field, t *arrow.StructType) (reader, error) {
	if len(f.Children) != t.NumFields() {
		return nil, fault.New(fault.Internal, "struct field %q has %d children for type %s", f.Name, len(f.Children), t)
	}
	s := &structReader{dt: f.Type}
	for _, c := range f.Children {
		child, err := open(src, cols, c)
		if err != nil {
			return nil, fault.Place(err, src.Name(), c.Column, -1, -1)
		}
		s.children = append(s.children, child)
		at := starts(child)
		switch {
		case at == nil:
		case s.starts == nil:
			s.starts = at
		case len(at) != len(s.starts):
			return nil, fault.Place(fault.Corruptf("field %q of a struct has %d pages, one before it %d",
				c.Name, len(at)-1, len(s.starts)-1), src.Name(), c.Column, -1, -1)
		default:
			s.starts = shorter(s.starts, at)
		}
	}
	for _, c := range s.children {
		trim(c, s.starts)
	}
	return s, nil
}

// shorter returns the first values of pages that have as many values as the shorter one of each
// pair. Children of one struct differ where an old writer was given a part of the struct: the first
// values count.
func shorter(a, b []int64) []int64 {
	if slices.Equal(a, b) {
		return a
	}
	out := make([]int64, len(a))
	for i := range a[1:] {
		out[i+1] = out[i] + min(a[i+1]-a[i], b[i+1]-b[i])
	}
	return out
}

// trim leaves out what pages have behind the values that starts knows.
func trim(r reader, starts []int64) {
	switch r := r.(type) {
	case *plainReader:
		r.starts = starts
	case *nullReader:
		r.starts = starts
	case *binaryReader:
		r.starts = starts
	case *listReader:
		r.starts = starts
	case *dictionaryReader:
		r.indices.starts = starts
	case *structReader:
		if r.starts != nil {
			r.starts = starts
		}
		for _, c := range r.children {
			trim(c, starts)
		}
	}
}

func (s *structReader) rows() int64 {
	if s.starts == nil {
		return -1
	}
	return s.starts[len(s.starts)-1]
}

func (s *structReader) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (*array.Data, error) {
	n, err := count(rows)
	if err != nil {
		return nil, err
	}
	children := make([]arrow.ArrayData, 0, len(s.children))
	defer func() {
		for _, c := range children {
			c.Release()
		}
	}()
	for _, c := range s.children {
		data, err := c.read(ctx, rows, mem)
		if err != nil {
			return nil, err
		}
		children = append(children, data)
	}
	return array.NewData(s.dt, n, []*memory.Buffer{nil}, children, 0, 0), nil
}
