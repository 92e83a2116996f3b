package v21

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/lancefmt/encoding"
)

// DecodeLeaf reads rows of a column of a leaf type. A nested leaf unravels its own layer only.
func DecodeLeaf(ctx context.Context, src encoding.Source, col encoding.Column, t arrow.DataType, nested bool, rows []encoding.Range, mem memory.Allocator) (arrow.ArrayData, error) {
	l, err := newLeaf(src, []encoding.Column{col}, encoding.Field{Name: "x", Type: t}, nested)
	if err != nil {
		return nil, err
	}
	defer l.close()
	c, err := l.read(ctx, rows, mem)
	return c.data, err
}
