package v20

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
)

// structReader is a struct whose children have columns. Its own column has one page with the
// encoding SimpleStruct and no buffers. Structs are never NULL in storage version 2.0.
type structReader struct {
	dt       arrow.DataType
	children []reader
	n        int64
}

// openStruct opens a struct and its children, which must have as many rows as the struct's own page
// states.
func openStruct(src encoding.Source, cols []encoding.Column, f encoding.Field, t *arrow.StructType) (reader, error) {
	if len(f.Children) != t.NumFields() {
		return nil, fault.New(fault.Internal, "struct field %q has %d children for type %s", f.Name, len(f.Children), t)
	}
	header, err := openPages(src, f.Column, cols[f.Column])
	if err != nil {
		return nil, err
	}
	for i := range header.pages {
		pg := &header.pages[i]
		enc, err := pageEncoding(pg.Page)
		if err == nil && enc.GetStruct() == nil {
			err = fault.Corruptf("the page encoding %s for a struct", name(enc))
		}
		if err != nil {
			return nil, header.place(err, pg)
		}
	}
	s := &structReader{dt: f.Type, n: header.rows()}
	for _, c := range f.Children {
		child, err := open(src, cols, c)
		if err != nil {
			return nil, fault.Place(err, src.Name(), c.Column, -1, -1)
		}
		if child.rows() != s.n {
			return nil, fault.Place(fault.Corruptf("%d rows in a struct of %d rows", child.rows(), s.n), src.Name(), c.Column, -1, -1)
		}
		s.children = append(s.children, child)
	}
	return s, nil
}

func (s *structReader) rows() int64 { return s.n }

func (s *structReader) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (*array.Data, error) {
	if _, err := splitRows(rows, []int64{0, s.n}); err != nil {
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
	return array.NewData(s.dt, int(encoding.Count(rows)), []*memory.Buffer{nil}, children, 0, 0), nil
}
