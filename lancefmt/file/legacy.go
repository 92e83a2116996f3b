package file

import (
	"context"
	"encoding/binary"
	"math"
	"path"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/filepb"
	"lanceflight/lancefmt/storage"
)

// Files of storage version 0.1 ("legacy") have another container.
//
//	pages of batch 0, of batch 1, …                   one page for each field and batch
//	page table          int64 position, int64 length  by field id, from the smallest on, then by batch
//	statistics          pages, and a page table of their own: not read
//	dictionaries        plain values, or bytes and positions
//	schema              u32 length, Manifest message of which only the schema is set
//	metadata            u32 length, Metadata message
//	footer              u64 position of the metadata, u16 major, u16 minor, "LANC"
//
// Here a row of the page table is a column: the field with the smallest id is column 0.
//
// Source: lance-file 14.0.2, src/versions/v1; lance-io, utils.rs (read_message).

const (
	legacyFooterLen = 16
	pageEntry       = 16 // i64 position, i64 length
)

// legacy is what a legacy file says of itself.
type legacy struct {
	metadata  storage.Range // messages, without their lengths
	schemaAt  storage.Range
	pageTable int64
	batches   []int64 // first row of each batch; last, the number of rows
	schema    *filepb.Schema
	minID     int64
	fields    []legacyField // by column
	physical  []int         // columns that have pages, in the order in which they were written
}

// legacyField is one row of the page table.
type legacyField struct {
	proto *filepb.Field // nil: no field of the file has the id
	kind  legacyKind
	bits  int64 // of an entry of the page
	extra int64 // entries more than values
	below bool  // below a list: values are items
	err   error // the logical type is not known
}

// legacyKind is how the values of a field are stored.
type legacyKind string

const (
	kindNone       legacyKind = "struct" // without pages
	kindPlain      legacyKind = "plain"
	kindNull       legacyKind = "null"
	kindVarBinary  legacyKind = "var-binary"
	kindList       legacyKind = "list"
	kindDictionary legacyKind = "dictionary"
)

// isLegacy reports whether a file with these last bytes has the container of storage version 0.1.
func isLegacy(tail []byte) bool {
	n := len(tail)
	return n >= legacyFooterLen && string(tail[n-4:]) == magic &&
		binary.LittleEndian.Uint16(tail[n-8:]) == 0 && binary.LittleEndian.Uint16(tail[n-6:]) <= 2
}

// openLegacy is open for a file whose tail has been read.
func (r *Reader) openLegacy(ctx context.Context) error {
	size := r.obj.SizeBytes()
	end := size - legacyFooterLen
	b := r.tail.buf.Bytes()
	b = b[len(b)-legacyFooterLen:]
	at := binary.LittleEndian.Uint64(b)
	r.foot.major, r.foot.minor = binary.LittleEndian.Uint16(b[8:]), binary.LittleEndian.Uint16(b[10:])
	if path.Ext(r.obj.Name()) == ".idx" {
		return fault.New(fault.Unsupported, "index file in the container of storage version 0.1, which has no columns")
	}
	l := &legacy{}
	var m filepb.Metadata
	var err error
	if l.metadata, err = r.message(ctx, at, end, &m, "metadata"); err != nil {
		return fault.Place(err, "", -1, -1, end)
	}
	bad := func(format string, args ...any) error {
		return fault.Place(fault.Corruptf(format, args...), "", -1, -1, l.metadata.Offset)
	}
	l.batches = make([]int64, max(len(m.GetBatchOffsets()), 1))
	for i, row := range m.GetBatchOffsets() {
		l.batches[i] = int64(row)
		if i == 0 && row != 0 || i > 0 && l.batches[i] < l.batches[i-1] {
			return bad("batch %d starts at row %d", i, row)
		}
	}
	r.rows = l.batches[len(l.batches)-1]
	l.schema = new(filepb.Schema)
	if l.schemaAt, err = r.message(ctx, m.GetManifestPosition(), end, l.schema, "schema"); err != nil {
		return fault.Place(err, "", -1, -1, l.metadata.Offset)
	}
	if err := l.layOut(size); err != nil {
		return fault.Place(err, "", -1, -1, l.schemaAt.Offset)
	}
	l.pageTable = int64(m.GetPageTablePosition())
	rows := int64(len(l.fields))
	if n := l.numBatches(); n > 0 && rows > end/(n*pageEntry) || !inside(l.pageTable, rows*n*pageEntry, end) {
		return bad("a page table of %d fields and %d batches at %d in a file of %d bytes", rows, n, uint64(l.pageTable), size)
	}
	r.legacy = l
	return r.checkPageTable(ctx)
}

// checkPageTable refuses a position of the page table that cannot be right: all writers put it
// directly behind the last page. Nothing else tells another place in the file from a page table.
func (r *Reader) checkPageTable(ctx context.Context) error {
	l := r.legacy
	n := int(l.numBatches())
	if n == 0 || len(l.physical) == 0 {
		return nil
	}
	for i := range l.fields {
		if l.fields[i].err != nil {
			return nil // pages of unknown length
		}
	}
	last := l.physical[len(l.physical)-1]
	bufs, err := r.read(ctx, []storage.Range{{Offset: l.entry(last, n-1), Length: pageEntry}})
	if err != nil {
		return err
	}
	defer release(bufs)
	b := bufs[0].Bytes()
	position, length := int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))
	f := &l.fields[last]
	// The length of a list's page counts its offsets, of which there is one more than lists.
	extra := f.extra
	if f.kind == kindList {
		extra = 0 // counted
	}
	if length < 0 || length > maxRows || f.bits > 0 && length > math.MaxInt64/f.bits-8 ||
		!inside(position, ((length+extra)*f.bits+7)/8, l.pageTable) || position+((length+extra)*f.bits+7)/8 != l.pageTable {
		return fault.Place(fault.Corruptf("the last page, %d values at %d, does not end where the page table starts, at %d",
			length, position, l.pageTable), "", -1, -1, l.entry(last, n-1))
	}
	return nil
}

// message reads a message behind its length, a u32, and returns where the message lies without it.
func (r *Reader) message(ctx context.Context, at uint64, end int64, m proto.Message, what string) (storage.Range, error) {
	if !inside(int64(at), 4, end) {
		return storage.Range{}, fault.Corruptf("the %s is said to be at %d of %d bytes", what, at, end)
	}
	read := func(rng storage.Range, use func(b []byte) error) error {
		bufs, err := r.read(ctx, []storage.Range{rng})
		if err != nil {
			return err
		}
		defer release(bufs)
		return use(bufs[0].Bytes())
	}
	rng := storage.Range{Offset: int64(at), Length: 4}
	if err := read(rng, func(b []byte) error {
		rng = storage.Range{Offset: rng.Offset + 4, Length: int64(binary.LittleEndian.Uint32(b))}
		if !inside(rng.Offset, rng.Length, end) {
			return fault.Place(fault.Corruptf("the %s of %d bytes leaves the file", what, rng.Length), "", -1, -1, int64(at))
		}
		return nil
	}); err != nil {
		return rng, err
	}
	return rng, read(rng, func(b []byte) error {
		if err := proto.Unmarshal(b, m); err != nil {
			return fault.Place(fault.Corruptf("%s: %v", what, err), "", -1, -1, rng.Offset)
		}
		return nil
	})
}

// numBatches returns the number of batches, which is that of the pages of each field.
func (l *legacy) numBatches() int64 { return int64(len(l.batches) - 1) }

// maxLegacyGap bounds the ids of a file without rows, which may have gaps where other files have
// the fields between. Otherwise each id has its place in the page table.
const maxLegacyGap = 1 << 16

// layOut numbers the columns of a file of size bytes.
func (l *legacy) layOut(size int64) error {
	fields := l.schema.GetFields()
	if len(fields) == 0 {
		return fault.Corruptf("a schema without fields")
	}
	low, high := int64(math.MaxInt64), int64(math.MinInt64)
	for _, f := range fields {
		low, high = min(low, int64(f.GetId())), max(high, int64(f.GetId()))
	}
	if high-low >= max(maxLegacyGap, size/pageEntry) {
		return fault.Corruptf("field ids from %d to %d", low, high)
	}
	l.minID = low
	l.fields = make([]legacyField, high-low+1)
	for _, f := range fields {
		i := int64(f.GetId()) - low
		if l.fields[i].proto != nil {
			return fault.Corruptf("two fields with id %d", f.GetId())
		}
		x := legacyField{proto: f}
		if f.GetParentId() >= 0 {
			if p := int64(f.GetParentId()) - low; p >= 0 && p < int64(len(l.fields)) && l.fields[p].proto != nil {
				x.below = l.fields[p].below || l.fields[p].kind == kindList
			}
		}
		x.kind, x.bits, x.extra, x.err = legacyLayout(f.GetLogicalType())
		l.fields[i] = x
		if x.err == nil && x.kind != kindNone {
			l.physical = append(l.physical, int(i))
		}
	}
	return nil
}

// legacyLayout returns how values of a logical type are stored: an entry of the page has so many
// bits, and there are extra entries more than values. Strings have entries of 64 bits, which are
// positions, and lists have offsets.
func legacyLayout(logical string) (kind legacyKind, bits, extra int64, err error) {
	switch kind, _, _ := strings.Cut(logical, ":"); kind {
	case "struct":
		return kindNone, 0, 0, nil
	case "list", "list.struct":
		return kindList, 32, 1, nil
	case "large_list", "large_list.struct":
		return kindList, 64, 1, nil
	}
	t, err := ParseLogicalType(logical)
	if err != nil {
		return kindNone, 0, 0, err
	}
	kind, bits = kindPlain, 1
	if d, ok := t.(*arrow.DictionaryType); ok {
		kind, t = kindDictionary, d.IndexType
	}
	for {
		l, ok := t.(*arrow.FixedSizeListType)
		if !ok {
			break
		}
		if bits > math.MaxInt32/int64(l.Len()) {
			return kindNone, 0, 0, fault.Corruptf("the logical type %q", logical)
		}
		bits *= int64(l.Len())
		t = l.Elem()
	}
	switch t := t.(type) {
	case *arrow.StringType, *arrow.BinaryType, *arrow.LargeStringType, *arrow.LargeBinaryType:
		return kindVarBinary, 64, 1, nil
	case *arrow.NullType:
		return kindNull, 0, 0, nil
	case *arrow.FixedSizeBinaryType:
		return kind, bits * int64(t.ByteWidth) * 8, 0, nil
	case arrow.FixedWidthDataType:
		return kind, bits * int64(t.BitWidth()), 0, nil
	}
	return kindNone, 0, 0, fault.New(fault.Unsupported, "the logical type %q in storage version 0.1", logical)
}

// loadLegacyColumn reads a row of the page table and makes of it the column and the pages that a
// newer file would describe in messages. The length of a page in bytes follows from its number of
// values, and is checked against the file before any decoder sees it.
func (r *Reader) loadLegacyColumn(ctx context.Context, i int) error {
	l := r.legacy
	f := &l.fields[i]
	if f.err != nil {
		return f.err
	}
	c := encoding.Column{Index: i, TypeURL: string(f.kind)}
	if f.proto == nil || f.kind == kindNone {
		r.columns[i], r.loaded[i] = c, true
		return nil
	}
	end := r.obj.SizeBytes() - legacyFooterLen
	positions, lengths, err := r.pageRow(ctx, i)
	if err != nil {
		return err
	}
	c.Pages = make([]encoding.Page, l.numBatches())
	ranges := make([]storage.Range, 2*len(c.Pages))
	var first int64
	for b := range c.Pages {
		bad := func(format string, args ...any) error {
			return fault.Place(fault.Corruptf(format, args...), "", i, b, l.entry(i, b))
		}
		n := lengths[b]
		if f.kind == kindList && n > 0 {
			n-- // of a list's page the length counts offsets
		}
		// Below a list a page has as many values as its lists have items. Elsewhere it has those of
		// the batch, or more: see below.
		rows := n
		if !f.below {
			if rows = l.batches[b+1] - l.batches[b]; n < rows {
				return bad("a page of %d values in a batch of %d rows", n, rows)
			}
		}
		if n < 0 || n > maxRows || first > maxRows {
			return bad("a page of %d values", n)
		}
		size := (n*f.bits + 7) / 8
		if f.bits > 0 && n > (math.MaxInt64-7)/f.bits-f.extra {
			return bad("a page of %d values of %d bits", n, f.bits)
		}
		if n > 0 {
			size += f.extra * f.bits / 8
		}
		if !inside(positions[b], size, end) {
			return bad("a page of %d values, %d bytes at %d, leaves the file", n, size, positions[b])
		}
		ranges[2*b] = storage.Range{Offset: positions[b], Length: size}
		c.Pages[b] = encoding.Page{NumRows: rows, FirstRow: first, Priority: l.batches[b], TypeURL: c.TypeURL,
			BufRanges: ranges[2*b : 2*b+1 : 2*b+2]}
		first += rows
	}
	if f.kind == kindVarBinary {
		if err := r.findBytes(ctx, i, c.Pages); err != nil {
			return err
		}
	}
	if f.kind == kindDictionary {
		at, err := l.dictionary(f, end)
		if err != nil {
			return fault.Place(err, "", i, -1, l.schemaAt.Offset)
		}
		if at.Length > 0 {
			c.BufRanges = []storage.Range{at}
		}
		if l.textual(f) && at.Length > 0 {
			if err := r.findEntries(ctx, &c); err != nil {
				return err
			}
		}
	}
	r.columns[i], r.loaded[i] = c, true
	return nil
}

// Writers up to pylance 0.23 wrote all of a struct's children when they were given a part of it:
// such pages have more values than their batch, and the first ones count.

// entry returns where the page table has a page.
//
// An entry has 16 bytes: i64 position in the file, i64 number of values. Entries are sorted by
// field, then by batch.
func (l *legacy) entry(column, batch int) int64 {
	return l.pageTable + (int64(column)*l.numBatches()+int64(batch))*pageEntry
}

// pageRow reads the pages of a column.
func (r *Reader) pageRow(ctx context.Context, i int) (positions, lengths []int64, err error) {
	n := r.legacy.numBatches()
	bufs, err := r.read(ctx, []storage.Range{{Offset: r.legacy.entry(i, 0), Length: n * pageEntry}})
	if err != nil {
		return nil, nil, err
	}
	defer release(bufs)
	b := bufs[0].Bytes()
	numbers := make([]int64, 2*n)
	positions, lengths = numbers[:n], numbers[n:]
	for k := range positions {
		positions[k] = int64(binary.LittleEndian.Uint64(b[k*pageEntry:]))
		lengths[k] = int64(binary.LittleEndian.Uint64(b[k*pageEntry+8:]))
	}
	return positions, lengths, nil
}

// findBytes adds to pages of strings where their bytes are: between the page and what was written
// in front of it, which is the field before, or the last field of the batch before. Positions say
// it exactly, and decoders go by them; this is for those who ask how large pages are.
func (r *Reader) findBytes(ctx context.Context, i int, pages []encoding.Page) error {
	l := r.legacy
	before, shift := l.physical[len(l.physical)-1], 1
	for k, p := range l.physical {
		if p == i && k > 0 {
			before, shift = l.physical[k-1], 0
		}
	}
	positions, lengths, err := r.pageRow(ctx, before)
	if err != nil {
		return err
	}
	f := &l.fields[before]
	for b := range pages {
		from, at := int64(0), pages[b].BufRanges[0].Offset
		if k := b - shift; k >= 0 {
			bits := lengths[k]*f.bits + 7
			if f.kind == kindVarBinary {
				bits += f.bits
			}
			from = positions[k] + bits/8
		}
		if from < 0 || from > at {
			from = at // not in the usual order
		}
		pages[b].BufRanges = append(pages[b].BufRanges, storage.Range{Offset: from, Length: at - from})
	}
	return nil
}

// textual reports whether the values of a dictionary are strings.
func (l *legacy) textual(f *legacyField) bool {
	t, err := ParseLogicalType(f.proto.GetLogicalType())
	if err != nil {
		return false
	}
	_, fixed := t.(*arrow.DictionaryType).ValueType.(arrow.FixedWidthDataType)
	return !fixed
}

// findEntries adds to a dictionary of strings where their bytes are, as its positions say.
func (r *Reader) findEntries(ctx context.Context, c *encoding.Column) error {
	at := c.BufRanges[0]
	bufs, err := r.read(ctx, []storage.Range{{Offset: at.Offset, Length: 8}})
	if err != nil {
		return err
	}
	defer release(bufs)
	if from := int64(binary.LittleEndian.Uint64(bufs[0].Bytes())); from >= 0 && from <= at.Offset {
		c.BufRanges = append(c.BufRanges, storage.Range{Offset: from, Length: at.Offset - from})
	}
	return nil
}

// dictionary returns the range of a dictionary's values, or of their positions.
func (l *legacy) dictionary(f *legacyField, end int64) (storage.Range, error) {
	d := f.proto.GetDictionary()
	if d == nil {
		return storage.Range{}, nil
	}
	t, err := ParseLogicalType(f.proto.GetLogicalType())
	if err != nil {
		return storage.Range{}, err
	}
	bits, extra := int64(64), int64(1)
	if w, ok := t.(*arrow.DictionaryType).ValueType.(arrow.FixedWidthDataType); ok {
		bits, extra = int64(w.BitWidth()), 0
	}
	n := d.GetLength()
	if n < 0 || n > maxRows || bits <= 0 || n > (math.MaxInt64-7)/bits-extra {
		return storage.Range{}, fault.Corruptf("field %q has a dictionary of %d values", f.proto.GetName(), n)
	}
	at := storage.Range{Offset: d.GetOffset(), Length: ((n+extra)*bits + 7) / 8}
	if !inside(at.Offset, at.Length, end) {
		return storage.Range{}, fault.Corruptf("the dictionary of field %q, %d values at %d, leaves the file",
			f.proto.GetName(), n, at.Offset)
	}
	return at, nil
}

// assign numbers the columns of the file's own fields.
func (l *legacy) assign(fields []encoding.Field) {
	children := make(map[int32][]*filepb.Field)
	for _, f := range l.schema.GetFields() {
		children[f.GetParentId()] = append(children[f.GetParentId()], f)
	}
	var walk func(fields []encoding.Field, parent int32)
	walk = func(fields []encoding.Field, parent int32) {
		for i, f := range children[parent] {
			fields[i].Column = int(int64(f.GetId()) - l.minID)
			walk(fields[i].Children, f.GetId())
		}
	}
	walk(fields, -1)
}
