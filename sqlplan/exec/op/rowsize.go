package op

import (
	"math"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/kernel"
)

// RowSizes says how many rows may be decoded at once. What a file says of its pages is their size as they are
// stored, and a page of one repeated value, or of compressed text, grows a thousandfold when it is
// decoded. So the width of fixed types counts as it is in memory, and for others the first read is
// small and the rest follows what was seen. The zero value is ready; safe for concurrent use.
type RowSizes struct {
	mu   sync.Mutex
	seen map[string]*readSize // by the columns read together
}

// readSize is what reads of some columns came to: all of them, and the last one that was large enough
// to stand for its neighbours.
type readSize struct{ bytes, rows, last float64 }

func (s *readSize) perRow() float64 { return max(s.bytes/s.rows, s.last) }

// tellingRows is how many rows a read must have to stand for its neighbours.
const tellingRows = 256

// probeRows is how many rows are read before the size of their values is known.
const probeRows = 1 << 10

// RowsFor returns the number of rows of the columns that take about bytes bytes, at least one.
func (z *RowSizes) RowsFor(f *lancefmt.Fragment, columns []lancefmt.ColumnRef, bytes float64) int64 {
	if len(columns) == 0 {
		return math.MaxInt64
	}
	fixed, variable := decodedWidth(f.Snapshot().Schema(), columns)
	width := max(f.BytesPerRow(columns), fixed, 1)
	limit := int64(math.MaxInt64)
	if variable {
		var room [sizeKeyRoom]byte
		key := appendSizeKey(room[:0], columns)
		z.mu.Lock()
		s, known := z.seen[string(key)]
		var seen float64
		if known {
			seen = s.perRow()
		}
		z.mu.Unlock()
		if !known {
			limit = probeRows
		}
		if known {
			width = max(width, seen)
		}
	}
	return min(limit, max(1, int64(bytes/width)))
}

// Learn takes note of rows that were read.
func (z *RowSizes) Learn(columns []lancefmt.ColumnRef, b arrow.RecordBatch) {
	if b.NumRows() == 0 {
		return
	}
	bytes, rows := float64(kernel.BatchBytes(b)), float64(b.NumRows())
	var room [sizeKeyRoom]byte
	key := appendSizeKey(room[:0], columns)
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.seen == nil {
		z.seen = map[string]*readSize{}
	}
	s := z.seen[string(key)]
	if s == nil {
		s = &readSize{}
		z.seen[string(key)] = s
	}
	s.bytes += bytes
	s.rows += rows
	if rows >= tellingRows {
		s.last = bytes / rows
	}
}

// sizeKeyRoom is enough for the keys of most reads, which then need no memory of their own.
const sizeKeyRoom = 256

// appendSizeKey appends what tells the columns from others that are read together.
func appendSizeKey(key []byte, columns []lancefmt.ColumnRef) []byte {
	for _, c := range columns {
		key = append(key, byte(c.Part))
		key = append(key, c.Name...)
		key = append(key, 0)
	}
	return key
}

// decodedWidth returns the bytes per row that the columns' fixed-width values take in memory, and whether
// there are others. Parts of columns, and system columns, which are not in the schema, take 8 bytes.
func decodedWidth(schema *arrow.Schema, columns []lancefmt.ColumnRef) (fixed float64, variable bool) {
	for _, c := range columns {
		if c.Part != lancefmt.Whole {
			fixed += 8
			continue
		}
		fields, ok := schema.FieldsByName(c.Name)
		if !ok {
			fixed += 8
			continue
		}
		w, v := typeWidth(fields[0].Type)
		fixed += w
		variable = variable || v
	}
	return fixed, variable
}

func typeWidth(t arrow.DataType) (fixed float64, variable bool) {
	switch t := t.(type) {
	case *arrow.FixedSizeListType:
		w, v := typeWidth(t.Elem())
		return w * float64(t.Len()), v
	case *arrow.StructType:
		for _, f := range t.Fields() {
			w, v := typeWidth(f.Type)
			fixed += w
			variable = variable || v
		}
		return fixed, variable
	case arrow.ExtensionType:
		return typeWidth(t.StorageType())
	case arrow.FixedWidthDataType:
		return float64(t.BitWidth()) / 8, false
	}
	return 0, t.ID() != arrow.NULL
}
