// Package encoding holds what the page decoders of all storage versions share. Each codec is a
// folder below this one and a leaf: bytes in, values or an error out.
//
//	file.Reader ──Field, Columns, Source──> v20.NewReader | v21.NewReader ──> ColumnReader
//	ColumnReader.Read(rows) ──> arrow.Array
//
// A ColumnReader is safe for concurrent use and may keep small per-page state (chunk tables,
// dictionaries, repetition index) between reads; that state is bounded by the file's own metadata.
package encoding

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/lancefmt/storage"
)

// Range is a half-open range of row numbers of a file (or page): Start <= row < End.
type Range struct {
	Start, End int64
}

// Len returns the number of rows.
func (r Range) Len() int64 { return r.End - r.Start }

// Count returns the number of rows in ranges.
func Count(ranges []Range) (n int64) {
	for _, r := range ranges {
		n += r.Len()
	}
	return n
}

// Field is a column of the table as one data file stores it.
//
// Column is the index of the field's own column in the file, -1 if it has none: in 2.0 every field,
// struct and list parents too, has one; from 2.1 only leaves have (a fixed-size list of primitives
// is one leaf and has no child here).
type Field struct {
	Name     string
	Type     arrow.DataType // what Read returns; dictionary types keep their index type
	Nullable bool
	Column   int
	Children []Field
	Metadata map[string]string // field metadata ("lance-encoding:…")
	// JSONB: the values are stored as JSONB in a large binary column, and read as text.
	JSONB bool
}

// Page is one page of a column, from the column's metadata.
type Page struct {
	NumRows   int64  // "length": top-level rows from 2.1 on, items of this column in 2.0
	FirstRow  int64  // sum of NumRows of the pages before it
	Priority  int64  // first top-level row (2.x metadata "priority")
	Encoding  []byte // the serialised google.protobuf.Any value's payload (after the type URL)
	TypeURL   string
	BufRanges []storage.Range // absolute byte ranges in the file
}

// Column is one column's metadata.
type Column struct {
	Index     int
	Pages     []Page
	BufRanges []storage.Range // column-level buffers (e.g. 2.0 dictionary or blob descriptors)
	Encoding  []byte          // column encoding Any payload
	TypeURL   string
}

// Source reads byte ranges of the file; storage.Object is one.
type Source interface {
	ReadRanges(ctx context.Context, ranges []storage.Range) ([]*memory.Buffer, error)
	SizeBytes() int64
	Name() string
}

// ColumnReader decodes rows of one field (with its children).
type ColumnReader interface {
	// Read decodes the given rows: ranges sorted, non-overlapping, within the file. The array has
	// Count(rows) elements in that order, type Field.Type; the caller releases it. Neighbouring
	// rows share reads and nothing is decoded twice in one call. Errors wrap fault.CorruptError
	// (file, column, page, offset) or are fault.Unsupported naming the encoding.
	// Buffers may alias the file's mapping (uncompressed fixed-width pages): read-only.
	Read(ctx context.Context, rows []Range, mem memory.Allocator) (arrow.Array, error)
}

// PartialReader is a ColumnReader that can tell something about values without reading them.
type PartialReader interface {
	ColumnReader
	// ReadLengths returns the octet length of each row's value as int64, NULL where the value is.
	// The field is a string or binary one, else fault.Unsupported. Rows and ownership are as in
	// Read.
	ReadLengths(ctx context.Context, rows []Range, mem memory.Allocator) (arrow.Array, error)
	// ReadValidity returns a boolean for each row, true where its value is not NULL.
	ReadValidity(ctx context.Context, rows []Range, mem memory.Allocator) (arrow.Array, error)
}
