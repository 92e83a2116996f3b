package file

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/filepb"
	"lanceflight/lancefmt/storage"
)

// Column returns the metadata of column i, reading and parsing it on first use. The result is
// shared, do not change it.
func (r *Reader) Column(ctx context.Context, i int) (*encoding.Column, error) {
	if i < 0 || i >= len(r.columns) {
		return nil, fault.New(fault.Internal, "file %s has %d columns, asked for number %d", r.obj.Name(), len(r.columns), i)
	}
	err := r.use(func() error { return r.loadColumn(ctx, i) })
	if err != nil {
		return nil, err
	}
	return &r.columns[i], nil
}

// Columns returns the metadata of all columns. The result is shared, do not change it.
func (r *Reader) Columns(ctx context.Context) ([]encoding.Column, error) {
	for i := range r.columns {
		if _, err := r.Column(ctx, i); err != nil {
			return nil, err
		}
	}
	return r.columns, nil
}

// loadColumn reads and parses the metadata of column i, once. The caller runs below use.
func (r *Reader) loadColumn(ctx context.Context, i int) error {
	r.columnMu[i].Lock()
	defer r.columnMu[i].Unlock()
	if r.loaded[i] {
		return nil
	}
	if r.legacy != nil {
		return fault.Place(r.loadLegacyColumn(ctx, i), "", i, -1, r.legacy.entry(i, 0))
	}
	bufs, err := r.read(ctx, r.columnTable[i:i+1])
	if err != nil {
		return fault.Place(err, "", i, -1, -1)
	}
	defer release(bufs)
	c, deferred, err := parseColumn(i, bufs[0].Bytes(), r.obj.SizeBytes(), r.foot.columnMetaStart)
	if err == nil {
		err = r.loadDeferred(ctx, &c, deferred)
	}
	if err != nil {
		return fault.Place(err, "", i, -1, r.columnTable[i].Offset)
	}
	r.columns[i], r.loaded[i] = c, true
	return nil
}

// deferredEncoding is an encoding message that lies elsewhere in the file, as a
// google.protobuf.Any. Writers may share one between pages. Page -1 stands for the column's own
// encoding.
type deferredEncoding struct {
	page int
	at   storage.Range
}

// maxEncodingBytes bounds a deferred encoding message. Symbol tables make the largest ones: 2.3 KiB
// per string column.
const maxEncodingBytes = 16 << 20

// loadDeferred reads encoding messages that lie elsewhere and puts them where they belong.
func (r *Reader) loadDeferred(ctx context.Context, c *encoding.Column, list []deferredEncoding) error {
	for _, d := range list {
		if d.at.Length > maxEncodingBytes {
			return fault.Corruptf("deferred encoding of %d bytes", d.at.Length)
		}
		bufs, err := r.read(ctx, []storage.Range{d.at})
		if err != nil {
			return err
		}
		url, payload, err := parseAny(bufs[0].Bytes())
		bufs[0].Release()
		if err != nil {
			return err
		}
		if d.page < 0 {
			c.TypeURL, c.Encoding = url, payload
		} else {
			c.Pages[d.page].TypeURL, c.Pages[d.page].Encoding = url, payload
		}
	}
	return nil
}

// parseColumn decodes a ColumnMetadata message of a file of size bytes.
//
//	1 encoding   2 pages   3 buffer_offsets   4 buffer_sizes
//	page: 1 buffer_offsets   2 buffer_sizes   3 length   4 encoding   5 priority
//
// Every buffer must lie before dataEnd, where the column metadata starts: writers put it behind all
// pages. From then on no decoder can be led outside of the pages' bytes. Encodings that lie
// elsewhere are returned for the caller to read.
func parseColumn(index int, b []byte, size, dataEnd int64) (encoding.Column, []deferredEncoding, error) {
	var m filepb.ColumnMetadata
	if err := proto.Unmarshal(b, &m); err != nil {
		return encoding.Column{}, nil, fault.Corruptf("column metadata: %v", err)
	}
	c := encoding.Column{Index: index, Pages: make([]encoding.Page, len(m.GetPages()))}
	var deferred []deferredEncoding
	var err error
	if c.BufRanges, err = bufferRanges(m.GetBufferOffsets(), m.GetBufferSizes(), dataEnd); err != nil {
		return encoding.Column{}, nil, err
	}
	// take returns an encoding that stands in the message, or notes one that lies elsewhere. An
	// encoding that is neither is none, as of columns of 2.1 that need none.
	take := func(page int, e *filepb.Encoding) (url string, payload []byte, err error) {
		switch loc := e.GetLocation().(type) {
		case *filepb.Encoding_Direct:
			return parseAny(loc.Direct.GetEncoding())
		case *filepb.Encoding_Indirect:
			at := storage.Range{Offset: int64(loc.Indirect.GetBufferLocation()), Length: int64(loc.Indirect.GetBufferLength())}
			if !inside(at.Offset, at.Length, size) {
				return "", nil, fault.Corruptf("deferred encoding of %d bytes at %d lies outside the file",
					uint64(at.Length), uint64(at.Offset))
			}
			deferred = append(deferred, deferredEncoding{page, at})
		}
		return "", nil, nil
	}
	if c.TypeURL, c.Encoding, err = take(-1, m.GetEncoding()); err != nil {
		return encoding.Column{}, nil, err
	}
	// The first row of a page is the number of rows before it. The message's own number, priority,
	// is kept beside it.
	var first int64
	for i, p := range m.GetPages() {
		if p.GetLength() > maxRows || p.GetPriority() > maxRows || first > maxRows {
			return encoding.Column{}, nil, fault.Place(fault.Corruptf("page claims %d rows from row %d on",
				p.GetLength(), p.GetPriority()), "", index, i, -1)
		}
		page := encoding.Page{NumRows: int64(p.GetLength()), FirstRow: first, Priority: int64(p.GetPriority())}
		first += page.NumRows
		if page.BufRanges, err = bufferRanges(p.GetBufferOffsets(), p.GetBufferSizes(), dataEnd); err == nil {
			page.TypeURL, page.Encoding, err = take(i, p.GetEncoding())
		}
		if err != nil {
			return encoding.Column{}, nil, fault.Place(err, "", index, i, -1)
		}
		c.Pages[i] = page
	}
	return c, deferred, nil
}

// bufferRanges pairs offsets with sizes. Numbers above the range of int64 become negative and are
// refused by inside.
func bufferRanges(offsets, sizes []uint64, dataEnd int64) ([]storage.Range, error) {
	if len(offsets) != len(sizes) {
		return nil, fault.Corruptf("%d buffer offsets but %d buffer sizes", len(offsets), len(sizes))
	}
	out := make([]storage.Range, len(offsets))
	for i := range out {
		out[i] = storage.Range{Offset: int64(offsets[i]), Length: int64(sizes[i])}
		if !inside(out[i].Offset, out[i].Length, dataEnd) {
			return nil, fault.Corruptf("buffer %d: %d bytes at %d lie outside the file's %d bytes of pages", i,
				sizes[i], offsets[i], dataEnd)
		}
	}
	return out, nil
}

// parseAny splits a serialised google.protobuf.Any: 1 type URL, 2 bytes of the message. It does not
// decode the message, whose type the decoders of the storage version know. The payload is a copy,
// because b may be mapped.
func parseAny(b []byte) (url string, payload []byte, err error) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return "", nil, fault.Corruptf("encoding: %v", protowire.ParseError(n))
		}
		b = b[n:]
		if typ == protowire.BytesType && (num == 1 || num == 2) {
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return "", nil, fault.Corruptf("encoding: %v", protowire.ParseError(n))
			}
			if num == 1 {
				url = string(v)
			} else {
				payload = append([]byte{}, v...)
			}
			b = b[n:]
			continue
		}
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return "", nil, fault.Corruptf("encoding: %v", protowire.ParseError(n))
		}
		b = b[n:]
	}
	return url, payload, nil
}

// ColumnReader returns the reader of a field, which may come from a manifest: only its columns need
// be the file's. Readers are cached, so that what they learn about pages is learned once. A column
// that the file lacks is a fault.CorruptError. Metadata is read at the first Read.
func (r *Reader) ColumnReader(f encoding.Field) (encoding.ColumnReader, error) {
	cols, err := r.fieldColumns(f, nil)
	if err != nil {
		return nil, err
	}
	key := fieldKey(f)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.readers == nil {
		return nil, fault.New(fault.Internal, "file %s is closed", r.obj.Name())
	}
	c, ok := r.readers[key]
	if !ok {
		c = &columnReader{r: r, field: f, columns: cols}
		r.readers[key] = c
	}
	return c, nil
}

// fieldColumns appends the columns of f and its children.
func (r *Reader) fieldColumns(f encoding.Field, cols []int) ([]int, error) {
	if f.Type == nil {
		return nil, fault.New(fault.Internal, "field %q has no type", f.Name)
	}
	if f.Column >= len(r.columns) {
		return nil, fault.Place(fault.Corruptf("field %q is said to be column %d of %d", f.Name, f.Column,
			len(r.columns)), r.obj.Name(), -1, -1, -1)
	}
	if f.Column >= 0 {
		cols = append(cols, f.Column)
	}
	for _, child := range f.Children {
		var err error
		if cols, err = r.fieldColumns(child, cols); err != nil {
			return nil, err
		}
	}
	return cols, nil
}

// fieldKey tells fields apart that are decoded differently. The same columns may be read under
// other names or types, for example as descriptors and as values.
func fieldKey(f encoding.Field) string {
	var b strings.Builder
	var walk func(encoding.Field)
	walk = func(f encoding.Field) {
		fmt.Fprintf(&b, "%d %q %t %t", f.Column, f.Name, f.Nullable, f.JSONB)
		keys := make([]string, 0, len(f.Metadata))
		for k := range f.Metadata {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			fmt.Fprintf(&b, " %q=%q", k, f.Metadata[k])
		}
		b.WriteByte('(')
		for _, c := range f.Children {
			walk(c)
		}
		b.WriteByte(')')
	}
	walk(f)
	b.WriteString(f.Type.String())
	return b.String()
}

// columnReader creates the decoder of its field at the first Read, keeps the file open during
// reads, and turns memory faults into errors.
type columnReader struct {
	r       *Reader
	field   encoding.Field
	columns []int

	mu    sync.Mutex
	inner encoding.ColumnReader
}

// Read implements encoding.ColumnReader.
func (c *columnReader) Read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (arrow.Array, error) {
	return c.read(ctx, rows, func(inner encoding.ColumnReader) (arrow.Array, error) { return inner.Read(ctx, rows, mem) })
}

// ReadLengths implements encoding.PartialReader: where the decoder can do no better, by reading
// values.
func (c *columnReader) ReadLengths(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (arrow.Array, error) {
	return c.read(ctx, rows, func(inner encoding.ColumnReader) (arrow.Array, error) {
		if p, ok := inner.(encoding.PartialReader); ok {
			a, err := p.ReadLengths(ctx, rows, mem)
			if err == nil || !fault.Is(err, fault.Unsupported) {
				return a, err
			}
		}
		whole, err := inner.Read(ctx, rows, mem)
		if err != nil {
			return nil, err
		}
		defer whole.Release()
		return lengthsOf(whole, mem)
	})
}

// ReadValidity implements encoding.PartialReader: where the decoder can do no better, by reading
// values.
func (c *columnReader) ReadValidity(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (arrow.Array, error) {
	return c.read(ctx, rows, func(inner encoding.ColumnReader) (arrow.Array, error) {
		if p, ok := inner.(encoding.PartialReader); ok {
			a, err := p.ReadValidity(ctx, rows, mem)
			if err == nil || !fault.Is(err, fault.Unsupported) {
				return a, err
			}
		}
		whole, err := inner.Read(ctx, rows, mem)
		if err != nil {
			return nil, err
		}
		defer whole.Release()
		b := array.NewBooleanBuilder(mem)
		defer b.Release()
		for i := range whole.Len() {
			b.Append(whole.IsValid(i) && whole.DataType().ID() != arrow.NULL) // arrow-go calls items of a null array valid
		}
		return b.NewArray(), nil
	})
}

// Match implements encoding.Matcher: not for every field, and not in files before 2.1.
func (c *columnReader) Match(ctx context.Context, first, n int64, t *encoding.Test, bits []uint64,
	mem memory.Allocator) (ok bool, err error) {
	if n < 0 || int64(len(bits)) < (n+63)/64 {
		return false, fault.New(fault.Internal, "%d words of bits for %d rows", len(bits), n)
	}
	_, err = c.read(ctx, []encoding.Range{{Start: first, End: first + n}}, func(inner encoding.ColumnReader) (arrow.Array, error) {
		m, is := inner.(encoding.Matcher)
		if !is {
			return nil, nil
		}
		var err error
		ok, err = m.Match(ctx, first, n, t, bits, mem)
		return nil, err
	})
	return ok, err
}

// lengthsOf returns the octet lengths of an array of strings or bytes.
func lengthsOf(a arrow.Array, mem memory.Allocator) (arrow.Array, error) {
	b := array.NewInt64Builder(mem)
	defer b.Release()
	b.Reserve(a.Len())
	var length func(i int) int
	switch a := a.(type) {
	case *array.String:
		length = a.ValueLen
	case *array.LargeString:
		length = a.ValueLen
	case *array.Binary:
		length = a.ValueLen
	case *array.LargeBinary:
		length = a.ValueLen
	default:
		return nil, fault.New(fault.Unsupported, "octet length of %s", a.DataType())
	}
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
		} else {
			b.Append(int64(length(i)))
		}
	}
	return b.NewArray(), nil
}

// read runs fn with the decoder.
func (c *columnReader) read(ctx context.Context, rows []encoding.Range,
	fn func(inner encoding.ColumnReader) (arrow.Array, error)) (out arrow.Array, err error) {
	if err := checkRows(rows, c.r.rows); err != nil {
		return nil, err
	}
	err = c.r.use(func() error {
		inner, err := c.decoder(ctx)
		if err != nil {
			return err
		}
		out, err = fn(inner)
		return err
	})
	if err != nil {
		if out != nil {
			out.Release()
		}
		if fault.Is(err, fault.Corrupt) { // names the file already
			return nil, fmt.Errorf("read column %q: %w", c.field.Name, err)
		}
		return nil, fmt.Errorf("read column %q of %s: %w", c.field.Name, c.r.obj.Name(), err)
	}
	return out, nil
}

// decoder returns the decoder of the field, and makes it at the first read. The caller runs below
// use.
func (c *columnReader) decoder(ctx context.Context) (encoding.ColumnReader, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner != nil {
		return c.inner, nil
	}
	for _, i := range c.columns {
		if err := c.r.loadColumn(ctx, i); err != nil {
			return nil, err
		}
		if c.r.hidesItems(i) {
			if err := c.r.loadColumn(ctx, i+1); err != nil {
				return nil, err
			}
		}
	}
	inner, err := newDecoder(c.r, c.field)
	if err != nil {
		return nil, err
	}
	c.inner = inner
	return inner, nil
}

// close releases buffers that the decoder retains; the caller holds Reader.live.
func (c *columnReader) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x, ok := c.inner.(interface{ Close() }); ok {
		x.Close()
	}
	c.inner = nil
}

// checkRows makes sure that rows ascend within the file, which the decoders take for granted.
func checkRows(rows []encoding.Range, n int64) error {
	var at int64
	for _, rng := range rows {
		if rng.Start < at || rng.End < rng.Start || rng.End > n {
			return fault.New(fault.Internal, "row ranges must ascend within %d rows: %d..%d after %d", n, rng.Start, rng.End, at)
		}
		at = rng.End
	}
	return nil
}
