package v21

import (
	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
)

// NewReader returns the reader of a field.
func NewReader(src encoding.Source, cols []encoding.Column, f encoding.Field) (encoding.ColumnReader, error) {
	return nil, fault.New(fault.Unsupported, "reading columns of storage version 2.1")
}
