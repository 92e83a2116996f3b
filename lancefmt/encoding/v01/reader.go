package v01

import (
	"context"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
)

// NewReader returns the reader of field f of a legacy data file of so many rows. cols are the
// file's columns by number; f.Column and those of f.Children name the field's own. Nothing is read.
//
// Types: booleans, numbers, decimals, dates, times, timestamps, durations, fixed-size binary,
// fixed-size lists of them, null, strings and binary, lists, structs, dictionaries with any of
// these values that have no children; extension types too (their storage is read). Others are
// fault.Unsupported. Pages that contradict the type, the number of rows or the file's size are
// corrupt.
//
// One Read returns at most 2^31-1 rows, bytes of strings and items of lists with 32-bit offsets
// (fault.ResourceExhausted).
func NewReader(src encoding.Source, cols []encoding.Column, f encoding.Field, rows int64) (encoding.ColumnReader, error) {
	r, err := open(src, cols, f)
	if err == nil && r.rows() >= 0 && r.rows() != rows {
		err = fault.Corruptf("the pages have %d rows, the file has %d", r.rows(), rows)
	}
	if err != nil {
		return nil, fault.Place(err, src.Name(), f.Column, -1, -1)
	}
	return guarded{r}, nil
}

// reader reads rows of a field: a column, or a list or struct of them.
type reader interface {
	// read returns the rows as data that the caller releases.
	read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (*array.Data, error)
	// rows is the number of rows (items, below a list). It is -1 if the field knows none.
	rows() int64
}

// guarded reads below storage.Guard, since pages of a mapped file are read when they are touched.
type guarded struct{ reader }

// Read implements encoding.ColumnReader.
func (g guarded) Read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (arrow.Array, error) {
	return guard(func() (*array.Data, error) { return g.read(ctx, rows, mem) })
}

// ReadLengths implements encoding.PartialReader: positions tell lengths.
func (g guarded) ReadLengths(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (arrow.Array, error) {
	b, ok := g.reader.(*binaryReader)
	if !ok {
		return nil, fault.New(fault.Unsupported, "octet lengths of a column that holds no strings")
	}
	return guard(func() (*array.Data, error) { return b.lengths(ctx, rows, mem) })
}

// ReadValidity implements encoding.PartialReader: positions tell which strings are NULL.
func (g guarded) ReadValidity(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (arrow.Array, error) {
	b, ok := g.reader.(*binaryReader)
	if !ok {
		return nil, fault.New(fault.Unsupported, "validity of a column that holds no strings")
	}
	return guard(func() (*array.Data, error) { return b.validity(ctx, rows, mem) })
}

// guard turns a fault of mapped memory during a read into an error.
func guard(read func() (*array.Data, error)) (a arrow.Array, err error) {
	err = storage.Guard(func() error {
		data, err := read()
		if err != nil {
			return err
		}
		defer data.Release()
		a = array.MakeFromData(data)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// open returns the reader of a field, which the type alone decides.
func open(src encoding.Source, cols []encoding.Column, f encoding.Field) (reader, error) {
	if t, ok := storageType(f.Type).(*arrow.StructType); ok {
		return openStruct(src, cols, f, t)
	}
	if f.Column < 0 || f.Column >= len(cols) {
		return nil, fault.Corruptf("field %q is column %d of %d", f.Name, f.Column, len(cols))
	}
	p, err := openPages(src, f.Column, cols[f.Column])
	if err != nil {
		return nil, err
	}
	switch t := storageType(f.Type).(type) {
	case *arrow.NullType:
		return &nullReader{p, f.Type}, nil
	case *arrow.ListType, *arrow.LargeListType:
		return openList(src, cols, f, p)
	case *arrow.DictionaryType:
		return openDictionary(p, cols[f.Column], f.Type, t)
	case *arrow.StringType, *arrow.BinaryType, *arrow.LargeStringType, *arrow.LargeBinaryType:
		return openBinary(p, f.Type, f.Nullable)
	}
	return openPlain(p, f.Type)
}

// storageType looks through extension types.
func storageType(dt arrow.DataType) arrow.DataType {
	for {
		ext, ok := dt.(arrow.ExtensionType)
		if !ok {
			return dt
		}
		dt = ext.StorageType()
	}
}

// pages is the pages of a column: one for each batch of rows, all of the same form.
type pages struct {
	src    encoding.Source
	number int // of the column
	pages  []encoding.Page
	starts []int64 // first value of each page, and the number of values at the end
	apart  bool    // not a page of the page table, but a dictionary
}

// openPages checks that pages lie inside of the file, and counts their values.
func openPages(src encoding.Source, number int, col encoding.Column) (*pages, error) {
	p := &pages{src: src, number: number, pages: col.Pages, starts: make([]int64, len(col.Pages)+1)}
	size := src.SizeBytes()
	for i := range col.Pages {
		n := col.Pages[i].NumRows
		if n < 0 || n > math.MaxInt64-p.starts[i] {
			return nil, fault.Place(fault.Corruptf("%d values", n), src.Name(), number, i, -1)
		}
		if len(col.Pages[i].BufRanges) == 0 {
			return nil, fault.New(fault.Internal, "page %d of column %d has no range", i, number)
		}
		r := col.Pages[i].BufRanges[0]
		if r.Offset < 0 || r.Length < 0 || r.Offset > size || r.Length > size-r.Offset {
			return nil, fault.Place(fault.Corruptf("%d bytes lie outside the file of %d bytes", r.Length, size), src.Name(), number, i, r.Offset)
		}
		p.starts[i+1] = p.starts[i] + n
	}
	return p, nil
}

func (p *pages) rows() int64 { return p.starts[len(p.starts)-1] }

// fits checks that every page has room for entries of so many bits, extra more than it has values.
// It also checks that pages do not overlap so much that together they claim more than the file
// holds, which is what bounds the memory of a read.
func (p *pages) fits(bits, extra int64) error {
	var total int64
	for i := range p.pages {
		r := p.pages[i].BufRanges[0]
		if p.pages[i].NumRows == 0 {
			continue
		}
		need, ok := bytesFor(p.pages[i].NumRows+extra, bits)
		if !ok || need > r.Length {
			return p.place(fault.Corruptf("%d entries of %d bits do not fit into %d bytes", p.pages[i].NumRows+extra, bits, r.Length), i)
		}
		if total += need; total > p.src.SizeBytes() {
			return p.place(fault.Corruptf("the pages up to this one have more bytes than the file of %d bytes", p.src.SizeBytes()), i)
		}
	}
	return nil
}

// place fills the place of a corruption into err.
func (p *pages) place(err error, page int) error {
	offset := int64(-1)
	if page >= 0 {
		offset = p.pages[page].BufRanges[0].Offset
	}
	if p.apart {
		page = -1
	}
	return fault.Place(err, p.src.Name(), p.number, page, offset)
}

// bytesFor returns the bytes of n values of so many bits.
func bytesFor(n, bits int64) (int64, bool) {
	if n < 0 || bits < 0 || (bits > 0 && n > (math.MaxInt64-7)/bits) {
		return 0, false
	}
	return (n*bits + 7) / 8, true
}

// count returns the number of rows, which one array must be able to hold.
func count(rows []encoding.Range) (int, error) {
	n := encoding.Count(rows)
	if n >= math.MaxInt32 {
		return 0, fault.New(fault.ResourceExhausted, "%d rows are too many for one array; read fewer rows at a time", n)
	}
	return int(n), nil
}

func resized(mem memory.Allocator, size int) *memory.Buffer {
	b := memory.NewResizableBuffer(mem)
	b.Resize(size)
	return b
}

// nullReader reads a column of type null.
type nullReader struct {
	*pages
	dt arrow.DataType
}

func (r *nullReader) read(_ context.Context, rows []encoding.Range, _ memory.Allocator) (*array.Data, error) {
	n, err := count(rows)
	if err != nil {
		return nil, err
	}
	if _, err := r.split(rows); err != nil {
		return nil, err
	}
	return array.NewData(r.dt, n, []*memory.Buffer{nil}, nil, n, 0), nil
}
