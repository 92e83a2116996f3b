package v20

import (
	"context"
	"math"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/enc20pb"
	"lanceflight/lancefmt/storage"
)

// NewReader returns the reader of field f of a data file with footer version (0, 3). cols are the
// file's columns by number; f.Column and those of f.Children name the field's own. Nothing is read.
//
// Types: everything that pylance 14.0.2 writes, extension types too (their storage is read). A blob
// column reads as its values if f.Type is large_binary or another binary type, and as the
// descriptions {position, size} if it is a struct. Fields that other encodings than these need are
// fault.Unsupported here or at the first read of the page; columns that contradict their type,
// their buffers or the file's size are corrupt.
//
// One Read returns at most 2^31-1 bytes of strings and 2^31-1 items of lists with 32-bit offsets
// (fault.ResourceExhausted), and a page that decodes to a thousand times the size of the file is
// refused likewise.
func NewReader(src encoding.Source, cols []encoding.Column, f encoding.Field) (encoding.ColumnReader, error) {
	r, err := open(src, cols, f)
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

func (g guarded) Read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (a arrow.Array, err error) {
	err = storage.Guard(func() error {
		data, err := g.read(ctx, rows, mem)
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

// open returns the reader of a field. The type decides, with three exceptions that only the column
// tells: blobs, packed structs, which have all children in one column, and strings that are kept as
// lists of bytes.
func open(src encoding.Source, cols []encoding.Column, f encoding.Field) (reader, error) {
	if f.Column < 0 || f.Column >= len(cols) {
		return nil, fault.Corruptf("field %q is column %d of %d", f.Name, f.Column, len(cols))
	}
	col := cols[f.Column]
	blob, err := columnEncoding(col)
	if err != nil {
		return nil, err
	}
	switch t := storageType(f.Type).(type) {
	case *arrow.ListType, *arrow.LargeListType:
		if len(f.Children) != 1 {
			return nil, fault.New(fault.Internal, "list field %q has %d children", f.Name, len(f.Children))
		}
		child, err := open(src, cols, f.Children[0])
		if err != nil {
			return nil, fault.Place(err, src.Name(), f.Children[0].Column, -1, -1)
		}
		return openList(src, f.Column, col, f.Type, child)
	case *arrow.StructType:
		if !blob && !isPacked(col) {
			return openStruct(src, cols, f, t)
		}
	}
	if wide, ok := offsetsOf(f.Type); ok && blob {
		return openBlob(src, f.Column, col, f.Type)
	} else if ok && IsList(col) {
		return openByteList(src, cols, f, wide)
	}
	return openColumn(src, f.Column, col, f.Type)
}

// columnEncoding says whether a column holds blobs.
func columnEncoding(col encoding.Column) (blob bool, err error) {
	if len(col.Encoding) == 0 {
		return false, nil
	}
	if !strings.HasSuffix(col.TypeURL, "/lance.encodings.ColumnEncoding") {
		return false, fault.New(fault.Unsupported, "the column encoding %s in storage version 2.0", col.TypeURL)
	}
	var enc enc20pb.ColumnEncoding
	if err := proto.Unmarshal(col.Encoding, &enc); err != nil {
		return false, fault.Corruptf("the column's encoding: %v", err)
	}
	switch e := enc.GetColumnEncoding().(type) {
	case nil, *enc20pb.ColumnEncoding_Values:
		return false, nil
	case *enc20pb.ColumnEncoding_Blob:
		switch e.Blob.GetInner().GetColumnEncoding().(type) {
		case nil, *enc20pb.ColumnEncoding_Values:
			return true, nil
		}
		return false, fault.New(fault.Unsupported, "blobs inside another column encoding")
	}
	return false, fault.New(fault.Unsupported, "the column encoding ZoneIndex")
}

// pageEncoding parses a page's encoding.
func pageEncoding(p *encoding.Page) (*enc20pb.ArrayEncoding, error) {
	if !strings.HasSuffix(p.TypeURL, "/lance.encodings.ArrayEncoding") {
		return nil, fault.New(fault.Unsupported, "the page encoding %s in storage version 2.0", p.TypeURL)
	}
	var enc enc20pb.ArrayEncoding
	if err := proto.Unmarshal(p.Encoding, &enc); err != nil {
		return nil, fault.Corruptf("the page's encoding: %v", err)
	}
	return &enc, nil
}

// isPacked says whether a struct's children are in its own column.
func isPacked(col encoding.Column) bool {
	if len(col.Pages) == 0 {
		return false
	}
	enc, err := pageEncoding(&col.Pages[0])
	return err == nil && enc.GetPackedStruct() != nil
}

// pages is the pages of a column that have rows, and what has been built of them.
type pages struct {
	src    encoding.Source
	number int // of the column
	pages  []page
	starts []int64 // first row of each page, and the number of rows at the end
	cache  cache
}

// page is a page of a column, whose node is built when it is first read.
type page struct {
	*encoding.Page
	number int
	once   sync.Once
	node   node
	err    error
}

// openPages lays out a column. Some writers made pages without rows; they are left out here, so a
// page keeps its number in the file beside its position.
func openPages(src encoding.Source, number int, col encoding.Column) (*pages, error) {
	p := &pages{src: src, number: number}
	p.pages = make([]page, 0, len(col.Pages))
	p.starts = make([]int64, 0, len(col.Pages)+1)
	var total int64
	for i := range col.Pages {
		n := col.Pages[i].NumRows
		if n == 0 {
			continue
		}
		if n < 0 || n > math.MaxInt64-total {
			return nil, fault.Place(fault.Corruptf("%d rows", n), src.Name(), number, i, -1)
		}
		p.pages = append(p.pages, page{Page: &col.Pages[i], number: i})
		p.starts = append(p.starts, total)
		total += n
	}
	p.starts = append(p.starts, total)
	return p, nil
}

func (p *pages) rows() int64 { return p.starts[len(p.starts)-1] }

// place fills the place of a corruption into err.
func (p *pages) place(err error, pg *page) error {
	if pg == nil {
		return fault.Place(err, p.src.Name(), p.number, -1, -1)
	}
	offset := int64(-1)
	if len(pg.BufRanges) > 0 {
		offset = pg.BufRanges[0].Offset
	}
	return fault.Place(err, p.src.Name(), p.number, pg.number, offset)
}

// run splits rows by page, plans each piece and runs the job.
func (p *pages) run(j *job, rows []encoding.Range, plan func(piece pageRows) error) error {
	pieces, err := splitRows(rows, p.starts)
	if err != nil {
		return p.place(err, nil)
	}
	for _, piece := range pieces {
		j.page = piece.page
		if err := plan(piece); err != nil {
			return p.place(err, &p.pages[piece.page])
		}
	}
	if err := j.run(); err != nil {
		if j.page < len(p.pages) {
			return p.place(err, &p.pages[j.page])
		}
		return p.place(err, nil)
	}
	return nil
}

// column is a field that lies in one column: everything but lists and structs with children.
type column struct {
	*pages
	dt      arrow.DataType
	text    bool            // dt is or has strings
	buffers []storage.Range // of the column
}

func openColumn(src encoding.Source, number int, col encoding.Column, dt arrow.DataType) (*column, error) {
	if _, err := newOut(dt, 0, memoryOf{}); err != nil {
		return nil, err
	}
	if err := checkDimensions(dt); err != nil {
		return nil, err
	}
	p, err := openPages(src, number, col)
	if err != nil {
		return nil, err
	}
	return &column{p, dt, encoding.HasText(dt), col.BufRanges}, nil
}

// checkDimensions refuses fixed-size lists without items, whose number of rows nothing bounds.
func checkDimensions(dt arrow.DataType) error {
	for {
		t, ok := storageType(dt).(*arrow.FixedSizeListType)
		if !ok {
			return nil
		}
		if t.Len() <= 0 {
			return fault.Corruptf("a fixed-size list of %d items", t.Len())
		}
		dt = t.Elem()
	}
}

// node returns the node of a page, and builds it when it is first wanted.
func (c *column) node(i int) (node, error) {
	pg := &c.pages.pages[i]
	pg.once.Do(func() {
		var enc *enc20pb.ArrayEncoding
		if enc, pg.err = pageEncoding(pg.Page); pg.err == nil {
			b := c.builder(i)
			pg.node, pg.err = b.build(enc, c.dt, pg.NumRows)
		}
	})
	return pg.node, pg.err
}

// builder returns the builder of a page.
func (c *column) builder(i int) *builder {
	return &builder{src: c.src, page: i, pageBufs: c.pages.pages[i].BufRanges, columnBufs: c.buffers, cache: &c.cache}
}

func (c *column) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (*array.Data, error) {
	j := newJob(ctx, c.src, mem)
	defer j.close()
	o, err := c.plan(j, rows)
	if err != nil {
		return nil, err
	}
	data, err := o.finish()
	if err != nil {
		return nil, c.place(err, nil)
	}
	if c.text {
		if err := c.checkText(data, rows); err != nil {
			data.Release()
			return nil, err
		}
	}
	return data, nil
}

// checkText refuses strings that are no UTF-8, with the page that they are in.
func (p *pages) checkText(data arrow.ArrayData, rows []encoding.Range) error {
	value, err := encoding.CheckText(data)
	if err == nil {
		return nil
	}
	if pieces, split := splitRows(rows, p.starts); split == nil {
		for _, x := range pieces {
			if value < x.at+x.n {
				return p.place(err, &p.pages[x.page])
			}
		}
	}
	return p.place(err, nil)
}

// plan decodes rows to an out that the job owns.
func (c *column) plan(j *job, rows []encoding.Range) (out, error) {
	n := encoding.Count(rows)
	if n > math.MaxInt32 {
		return nil, fault.New(fault.ResourceExhausted, "%d rows are too many for one array; read fewer rows at a time", n)
	}
	o, err := newOut(c.dt, int(n), j.mem)
	if err != nil {
		return nil, err
	}
	j.own(o)
	return o, c.run(j, rows, func(piece pageRows) error {
		nd, err := c.node(piece.page)
		if err != nil {
			return err
		}
		return nd.read(j, piece.rows, o, piece.at)
	})
}
