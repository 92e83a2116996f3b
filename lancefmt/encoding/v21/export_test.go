package v21

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/lancefmt/encoding"
)

// DecodeLeaf reads rows of a column of a leaf type, and their lengths and validity. A nested leaf
// unravels its own layer only.
func DecodeLeaf(ctx context.Context, src encoding.Source, col encoding.Column, t arrow.DataType, nested bool,
	rows []encoding.Range, mem memory.Allocator) (arrow.ArrayData, error) {
	l, err := newLeaf(src, []encoding.Column{col}, encoding.Field{Name: "x", Type: t}, nested)
	if err != nil {
		return nil, err
	}
	defer l.close()
	c, err := l.read(ctx, rows, mem)
	if nested {
		return c.data, err
	}
	for _, w := range []want{wantLengths, wantValidity} {
		if part, err := l.readWhat(ctx, rows, w, mem); err == nil {
			if c.data != nil && part.data.Len() != c.data.Len() {
				panic("a part has another length than the whole")
			}
			part.data.Release()
		}
	}
	return c.data, err
}

// MatchLeaf tests n rows of a column of a leaf type, from row first on.
func MatchLeaf(ctx context.Context, src encoding.Source, col encoding.Column, t arrow.DataType, first, n int64,
	test *encoding.Test, bits []uint64, mem memory.Allocator) (bool, error) {
	l, err := newLeaf(src, []encoding.Column{col}, encoding.Field{Name: "x", Type: t}, false)
	if err != nil {
		return false, err
	}
	defer l.close()
	return (&Reader{src: src, root: l, typ: t}).Match(ctx, first, n, test, bits, mem)
}
