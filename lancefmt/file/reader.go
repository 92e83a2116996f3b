package file

import (
	"context"
	"fmt"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/filepb"
	"lanceflight/lancefmt/storage"
)

// tailBytes is what Open asks for first. It covers footer, tables, schema and column metadata of
// ordinary files, so that opening one costs a single request on an object store.
const tailBytes = 64 << 10

// maxRows bounds the number of rows a file may claim: row numbers, and bit counts of eight times
// as many, stay far from the end of int64.
const maxRows = 1 << 48

// Reader reads one data file. See the package comment for lifetimes.
//
// What Open reads (footer, offset tables, number of rows) never changes afterwards. The rest is
// read when it is first asked for, each part under a lock of its own: columns[i] under columnMu[i],
// and schema, fields and readers under mu.
type Reader struct {
	obj     storage.Object
	foot    footer
	globals []storage.Range
	rows    int64

	// live is held for reading while bytes of the file are in use, so that Close waits for them.
	live   sync.RWMutex
	closed bool
	tail   tail

	// legacy is what a file of storage version 0.1 says of itself; nil from 2.0 on.
	legacy *legacy
	// columnTable is where the metadata of each column lies; unused for 0.1.
	columnTable []storage.Range
	columns     []encoding.Column
	columnMu    []sync.Mutex // guards loaded[i] and columns[i]
	loaded      []bool

	mu sync.Mutex
	// desc is the schema, nil until it is asked for, and readers are the column readers by
	// fieldKey; nil after Close.
	desc    *filepb.FileDescriptor
	fields  []encoding.Field
	readers map[string]*columnReader
}

// tail is the end of the file, kept because schema and column metadata usually lie in it.
type tail struct {
	buf   *memory.Buffer
	start int64 // its offset in the file
}

// Open reads the footer and the offset tables. The Reader owns obj from here on, also when Open
// fails. A file that is not a Lance file, or whose tables leave the file, is a
// fault.CorruptError; storage versions after 2.3 are fault.Unsupported.
func Open(ctx context.Context, obj storage.Object) (*Reader, error) {
	r := &Reader{obj: obj, readers: make(map[string]*columnReader)}
	err := storage.Guard(func() error { return r.open(ctx) })
	if err != nil {
		r.Close()
		if fault.Is(err, fault.Unsupported) {
			return nil, fmt.Errorf("open %s: %w", obj.Name(), err)
		}
		return nil, fault.Place(err, obj.Name(), -1, -1, -1)
	}
	return r, nil
}

func (r *Reader) open(ctx context.Context) error {
	size := r.obj.SizeBytes()
	n := min(size, tailBytes)
	bufs, err := r.obj.ReadRanges(ctx, []storage.Range{{Offset: size - n, Length: n}})
	if err != nil {
		return err
	}
	r.tail = tail{buf: bufs[0], start: size - n}
	// Both containers end with "LANC" and a version in front of it, at the same place, so the
	// version is looked at first.
	if isLegacy(bufs[0].Bytes()) {
		if err := r.openLegacy(ctx); err != nil {
			return err
		}
		r.makeColumns(len(r.legacy.fields))
		return nil
	}
	if r.foot, err = parseFooter(bufs[0].Bytes(), size); err != nil {
		return fault.Place(err, "", -1, -1, max(0, size-footerLen))
	}
	f := r.foot
	tables, err := r.read(ctx, []storage.Range{
		{Offset: f.columnTable, Length: f.numColumns * tableEntry},
		{Offset: f.globalTable, Length: f.numGlobals * tableEntry},
	})
	if err != nil {
		return err
	}
	defer release(tables)
	if r.columnTable, err = parseTable(tables[0].Bytes(), f.numColumns, size-footerLen, "column"); err != nil {
		return fault.Place(err, "", -1, -1, f.columnTable)
	}
	for i, c := range r.columnTable {
		if c.Offset < f.columnMetaStart || c.End() > f.columnTable {
			return fault.Place(fault.Corruptf("metadata of column %d at %d to %d, all of it is said to be at %d to %d",
				i, c.Offset, c.End(), f.columnMetaStart, f.columnTable), "", -1, -1, f.columnTable)
		}
	}
	if r.globals, err = parseTable(tables[1].Bytes(), f.numGlobals, size-footerLen, "global buffer"); err != nil {
		return fault.Place(err, "", -1, -1, f.globalTable)
	}
	r.makeColumns(int(f.numColumns))
	return r.readNumRows(ctx)
}

func (r *Reader) makeColumns(n int) {
	r.columns = make([]encoding.Column, n)
	r.columnMu = make([]sync.Mutex, n)
	r.loaded = make([]bool, n)
}

// readNumRows finds FileDescriptor.length without parsing the schema, which in a wide file is by
// far the larger part.
func (r *Reader) readNumRows(ctx context.Context) error {
	if len(r.globals) == 0 {
		return fault.Corruptf("no global buffer, so no schema")
	}
	bufs, err := r.read(ctx, r.globals[:1])
	if err != nil {
		return err
	}
	defer release(bufs)
	at := r.globals[0].Offset
	for b := bufs[0].Bytes(); len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fault.Place(fault.Corruptf("file descriptor: %v", protowire.ParseError(n)), "", -1, -1, at)
		}
		b = b[n:]
		if num == 2 && typ == protowire.VarintType {
			rows, n := protowire.ConsumeVarint(b)
			if n < 0 || rows > maxRows {
				return fault.Place(fault.Corruptf("file descriptor claims %d rows", rows), "", -1, -1, at)
			}
			r.rows = int64(rows)
			b = b[n:]
			continue
		}
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return fault.Place(fault.Corruptf("file descriptor: %v", protowire.ParseError(n)), "", -1, -1, at)
		}
		b = b[n:]
	}
	return nil
}

// read is ReadRanges, except that ranges within the tail cost no request. The result has a buffer
// for each range, in the same order, which the caller releases.
func (r *Reader) read(ctx context.Context, ranges []storage.Range) ([]*memory.Buffer, error) {
	out := make([]*memory.Buffer, len(ranges))
	var missing []storage.Range
	for i, rng := range ranges {
		if r.tail.buf != nil && rng.Offset >= r.tail.start {
			from := rng.Offset - r.tail.start
			if !inside(from, rng.Length, int64(r.tail.buf.Len())) {
				release(out)
				return nil, fault.Corruptf("%d bytes at %d lie outside the file", rng.Length, rng.Offset)
			}
			out[i] = memory.SliceBuffer(r.tail.buf, int(from), int(rng.Length))
			continue
		}
		missing = append(missing, rng)
	}
	if len(missing) == 0 {
		return out, nil
	}
	bufs, err := r.obj.ReadRanges(ctx, missing)
	if err != nil {
		release(out)
		return nil, err
	}
	for i := range out {
		if out[i] == nil {
			out[i], bufs = bufs[0], bufs[1:]
		}
	}
	return out, nil
}

// release releases buffers, of which some may be nil.
func release(bufs []*memory.Buffer) {
	for _, b := range bufs {
		if b != nil {
			b.Release()
		}
	}
}

// use runs fn with the file kept open and memory faults of its mapping turned into errors.
func (r *Reader) use(fn func() error) error {
	r.live.RLock()
	defer r.live.RUnlock()
	if r.closed {
		return fault.New(fault.Internal, "file %s is closed", r.obj.Name())
	}
	return fault.Place(storage.Guard(fn), r.obj.Name(), -1, -1, -1)
}

// Name is the object's name.
func (r *Reader) Name() string { return r.obj.Name() }

// SizeBytes is the length of the file.
func (r *Reader) SizeBytes() int64 { return r.obj.SizeBytes() }

// NumRows returns the number of rows, deleted ones included.
func (r *Reader) NumRows() int64 { return r.rows }

// NumColumns returns the number of columns of the container, which counts leaves (in 2.0 parents
// too). In 0.1 they are the ids from the file's smallest to its largest, also those that no field
// has.
func (r *Reader) NumColumns() int { return len(r.columns) }

// NumGlobalBuffers returns the number of global buffers, the schema included.
func (r *Reader) NumGlobalBuffers() int { return len(r.globals) }

// NumPages returns the number of pages of all columns where that is known without reading any
// column, as it is in storage version 0.1; else 0.
func (r *Reader) NumPages() int64 {
	if r.legacy == nil {
		return 0
	}
	return int64(len(r.columns)) * r.legacy.numBatches()
}

// Version returns the version in the footer, which is (0, 3) for storage version 2.0, (0, 0) to (0,
// 2) for 0.1.
func (r *Reader) Version() (major, minor uint16) { return r.foot.major, r.foot.minor }

// GlobalBuffer returns global buffer i; buffer 0 is the serialised FileDescriptor. The caller
// releases it. An i outside the table is fault.NotFound. The buffer may alias the mapped file:
// touch its bytes below storage.Guard.
func (r *Reader) GlobalBuffer(ctx context.Context, i int) (buf *memory.Buffer, err error) {
	if i < 0 || i >= len(r.globals) {
		return nil, fault.New(fault.NotFound, "file %s has %d global buffers, asked for number %d", r.obj.Name(), len(r.globals), i)
	}
	err = r.use(func() error {
		bufs, err := r.read(ctx, r.globals[i:i+1])
		if err == nil {
			buf = bufs[0]
		}
		return err
	})
	return buf, err
}

// Schema returns the file's own schema. In a data file of a table it may list fields that the table
// has since dropped or renamed: there the manifest decides. The message is shared, do not change
// it.
func (r *Reader) Schema(ctx context.Context) (desc *filepb.FileDescriptor, err error) {
	r.mu.Lock()
	desc = r.desc
	r.mu.Unlock()
	if desc != nil {
		return desc, nil
	}
	if r.legacy != nil {
		return &filepb.FileDescriptor{Schema: r.legacy.schema, Length: uint64(r.rows)}, nil
	}
	err = r.use(func() error {
		bufs, err := r.read(ctx, r.globals[:1])
		if err != nil {
			return err
		}
		defer release(bufs)
		desc = new(filepb.FileDescriptor)
		if err := proto.Unmarshal(bufs[0].Bytes(), desc); err != nil {
			return fault.Place(fault.Corruptf("file descriptor: %v", err), "", -1, -1, r.globals[0].Offset)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.desc == nil {
		r.desc = desc
	}
	return r.desc, nil
}

// SchemaMetadata returns the key-value pairs of the schema, such as "lance:ivf" of index files.
func (r *Reader) SchemaMetadata(ctx context.Context) (map[string]string, error) {
	desc, err := r.Schema(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(desc.GetSchema().GetMetadata()))
	for k, v := range desc.GetSchema().GetMetadata() {
		out[k] = string(v)
	}
	return out, nil
}

// Fields returns the top-level fields of the file's own schema, with the columns that they have in
// this file. The slice is shared, do not change it.
func (r *Reader) Fields(ctx context.Context) ([]encoding.Field, error) {
	desc, err := r.Schema(ctx)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fields == nil {
		fields, err := FieldsOf(desc.GetSchema(), r.foot.major, r.foot.minor)
		if err != nil {
			return nil, fault.Place(err, r.obj.Name(), -1, -1, r.schemaOffset())
		}
		switch {
		case r.legacy != nil:
			r.legacy.assign(fields)
		case r.foot.major == 0 && hasByteColumns(fields, len(r.columns)):
			assignWithBytes(fields, new(int))
		}
		r.fields = fields
	}
	return r.fields, nil
}

// schemaOffset returns where the file's own schema lies.
func (r *Reader) schemaOffset() int64 {
	if r.legacy != nil {
		return r.legacy.schemaAt.Offset
	}
	return r.globals[0].Offset
}

// ReadColumn reads rows (nil: all) of the top-level field called name. The caller releases the
// array. A name that the file lacks is fault.NotFound.
func (r *Reader) ReadColumn(ctx context.Context, name string, rows []encoding.Range, mem memory.Allocator) (arrow.Array, error) {
	fields, err := r.Fields(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		if f.Name != name {
			continue
		}
		cr, err := r.ColumnReader(f)
		if err != nil {
			return nil, err
		}
		if rows == nil {
			rows = []encoding.Range{{Start: 0, End: r.rows}}
		}
		return cr.Read(ctx, rows, mem)
	}
	return nil, fault.New(fault.NotFound, "file %s has no column %q", r.obj.Name(), name)
}

// Close waits for reads in progress and releases the object. It may be called again.
func (r *Reader) Close() error {
	r.live.Lock()
	defer r.live.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.readers {
		c.close()
	}
	r.readers = nil
	if r.tail.buf != nil {
		r.tail.buf.Release()
		r.tail.buf = nil
	}
	return r.obj.Close()
}
