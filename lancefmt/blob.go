package lancefmt

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"path"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// Kinds of blobs of the extension type lance.blob.v2: where the descriptor says the bytes are.
//
// Source: lance-core 14.0.2, datatypes.rs (BlobKind); lance 14.0.2, blob/locate.rs.
const (
	blobInline    = 0 // position, size in the data file
	blobPacked    = 1 // position, size in the file blob_id beside it
	blobDedicated = 2 // all of the file blob_id beside it
	blobExternal  = 3 // position, size in blob_uri, below base path blob_id unless that is 0; size 0: to its end
)

// maxBlobBytes bounds the bytes that several blobs of one array have together. Descriptors may name the
// same bytes often, so that the files' sizes bound nothing.
const maxBlobBytes = 1 << 32

// hasBlobV2 reports whether a field holds blobs of version 2, at any depth.
func hasBlobV2(f encoding.Field) bool {
	return described(f) || slices.ContainsFunc(f.Children, hasBlobV2)
}

// described reports whether what is read of a field is descriptors. It is not inside of a packed struct,
// which Lance writes with blobs only if no struct has a value.
func described(f encoding.Field) bool { return file.IsBlobV2(f) && f.Type.ID() == arrow.STRUCT }

// loadBlobs returns an array with bytes in place of the descriptors in a, which is what data file i has
// of field. The caller keeps a.
func (f *Fragment) loadBlobs(ctx context.Context, i int, field encoding.Field, a arrow.Array, mem memory.Allocator) (arrow.Array, error) {
	l := blobLoader{fragment: f, file: &f.meta.Files[i], mem: mem, objects: make(map[location]storage.Object)}
	defer l.close()
	data, err := l.load(ctx, field, a.Data())
	if err != nil {
		return nil, fmt.Errorf("blobs of column %q: %w", field.Name, err)
	}
	defer data.Release()
	return array.MakeFromData(data), nil
}

// blobLoader reads the blobs of one array. It keeps files open until close.
type blobLoader struct {
	fragment *Fragment
	file     *table.DataFile
	mem      memory.Allocator
	objects  map[location]storage.Object
}

func (l *blobLoader) close() {
	for _, o := range l.objects {
		o.Close()
	}
}

// load replaces the descriptors below field by bytes.
func (l *blobLoader) load(ctx context.Context, field encoding.Field, data arrow.ArrayData) (arrow.ArrayData, error) {
	if described(field) {
		return l.bytes(ctx, data)
	}
	if !hasBlobV2(field) {
		data.Retain()
		return data, nil
	}
	if len(field.Children) != len(data.Children()) {
		return nil, fault.New(fault.Internal, "%s has %d children instead of %d", field.Type, len(data.Children()), len(field.Children))
	}
	fields := slices.Clone(field.Children)
	children := make([]arrow.ArrayData, 0, len(fields))
	defer func() { releaseData(children) }()
	for i := range fields {
		child, err := l.load(ctx, fields[i], data.Children()[i])
		if err != nil {
			return nil, err
		}
		children = append(children, child)
		fields[i].Type = child.DataType()
	}
	return array.NewData(withChildren(field.Type, fields), data.Len(), data.Buffers(), children, data.NullN(), data.Offset()), nil
}

// blobLengths returns the octet lengths of blobs, which their descriptors tell; only files of which a blob
// is all are opened.
func (f *Fragment) blobLengths(ctx context.Context, i int, c encoding.ColumnReader, rows []encoding.Range,
	mem memory.Allocator) (arrow.Array, error) {
	a, err := c.Read(ctx, rows, mem)
	if err != nil {
		return nil, err
	}
	defer a.Release()
	d, err := newDescriptors(a.Data())
	if err != nil {
		return nil, err
	}
	defer d.Release()
	l := blobLoader{fragment: f, file: &f.meta.Files[i], mem: mem, objects: make(map[location]storage.Object)}
	defer l.close()
	b := array.NewInt64Builder(mem)
	defer b.Release()
	b.Reserve(d.Len())
	for row := range d.Len() {
		switch {
		case d.null(row):
			b.AppendNull()
		case d.kind.Value(row) == blobExternal && d.size.Value(row) == 0:
			p, err := l.place(ctx, d, row)
			if err != nil {
				return nil, fmt.Errorf("blob %d: %w", row, err)
			}
			b.Append(p.Length)
		case d.size.Value(row) > math.MaxInt64:
			return nil, fault.Corruptf("blob %d of %d bytes", row, d.size.Value(row))
		default:
			b.Append(int64(d.size.Value(row)))
		}
	}
	return b.NewArray(), nil
}

// blobPlace is where one blob lies; size 0 is empty, without a place.
type blobPlace struct {
	row int
	at  location
	storage.Range
}

// bytes reads the blobs that descriptors name, each file's with one request.
func (l *blobLoader) bytes(ctx context.Context, data arrow.ArrayData) (arrow.ArrayData, error) {
	d, err := newDescriptors(data)
	if err != nil {
		return nil, err
	}
	defer d.Release()
	places := make([]blobPlace, 0, d.Len())
	total := int64(0)
	for row := range d.Len() {
		if d.null(row) {
			continue
		}
		p, err := l.place(ctx, d, row)
		if err != nil {
			return nil, fmt.Errorf("blob %d: %w", row, err)
		}
		if p.Length == 0 {
			continue
		}
		if total += p.Length; total < 0 || total > maxBlobBytes && len(places) > 0 {
			return nil, fault.New(fault.ResourceExhausted, "more than %d bytes of blobs in one array: read fewer rows at a time",
				int64(maxBlobBytes))
		}
		places = append(places, p)
	}
	return l.gather(ctx, d, places)
}

// gather copies blobs, which are in row order, into an array.
func (l *blobLoader) gather(ctx context.Context, d *descriptors, places []blobPlace) (arrow.ArrayData, error) {
	lengths := make([]int64, d.Len())
	perFile := make(map[location][]int)
	for i, p := range places {
		lengths[p.row] = p.Length
		perFile[p.at] = append(perFile[p.at], i)
	}
	loaded := make([]*memory.Buffer, len(places))
	defer func() {
		for _, b := range loaded {
			if b != nil {
				b.Release()
			}
		}
	}()
	for at, list := range perFile {
		o, err := l.open(ctx, at)
		if err != nil {
			return nil, err
		}
		ranges := make([]storage.Range, len(list))
		for k, i := range list {
			ranges[k] = places[i].Range
		}
		bufs, err := o.ReadRanges(ctx, ranges)
		if err != nil {
			return nil, err
		}
		for k, i := range list {
			loaded[i] = bufs[k]
		}
	}
	b := array.NewBinaryBuilder(l.mem, arrow.BinaryTypes.LargeBinary)
	defer b.Release()
	total := int64(0)
	for _, n := range lengths {
		total += n
	}
	b.Reserve(d.Len())
	b.ReserveData(int(total))
	next := 0
	for row := range d.Len() {
		switch {
		case next < len(places) && places[next].row == row:
			b.Append(loaded[next].Bytes())
			next++
		case d.null(row):
			b.AppendNull()
		default:
			b.Append(nil)
		}
	}
	a := b.NewLargeBinaryArray()
	defer a.Release()
	a.Data().Retain()
	return a.Data(), nil
}

// open returns a file, opened once.
func (l *blobLoader) open(ctx context.Context, at location) (storage.Object, error) {
	if o, ok := l.objects[at]; ok {
		return o, nil
	}
	o, err := at.store.Open(ctx, at.name, -1)
	if err != nil {
		return nil, l.fragment.needs(at.name, err)
	}
	l.objects[at] = o
	return o, nil
}

// place returns where a blob lies.
func (l *blobLoader) place(ctx context.Context, d *descriptors, row int) (blobPlace, error) {
	p := blobPlace{row: row}
	position, size := d.position.Value(row), d.size.Value(row)
	if position > math.MaxInt64 || size > math.MaxInt64 || position+size > math.MaxInt64 {
		return p, fault.Corruptf("%d bytes at %d", size, position)
	}
	p.Range = storage.Range{Offset: int64(position), Length: int64(size)}
	kind, id := d.kind.Value(row), d.id.Value(row)
	if kind == blobExternal {
		return l.external(ctx, p, d.uri.Value(row), id)
	}
	if kind > blobExternal {
		return p, fault.New(fault.Unsupported, "blobs of kind %d", kind)
	}
	if size == 0 {
		return p, nil
	}
	folder, err := l.fragment.snapshot.folder(l.file.Base, table.DataDir)
	if err != nil {
		return p, err
	}
	if kind == blobInline {
		p.at = folder.file(l.file.Path)
		return p, nil
	}
	if kind == blobDedicated {
		p.Offset = 0
	}
	stem := strings.TrimSuffix(path.Base(l.file.Path), ".lance")
	p.at = folder.file(fmt.Sprintf("%s/%032b.blob", stem, bits.Reverse32(id)))
	return p, nil
}

// external returns where a blob lies that the table does not own. Only what is below the table's
// folder or the allowed ones is read.
func (l *blobLoader) external(ctx context.Context, p blobPlace, uri string, base uint32) (blobPlace, error) {
	var err error
	if base == 0 {
		p.at, err = l.fragment.snapshot.outside(uri)
	} else {
		p.at, err = l.fragment.snapshot.belowBase(base, uri)
	}
	if err != nil {
		return p, err
	}
	if p.Length == 0 {
		o, err := l.open(ctx, p.at)
		if err != nil {
			return p, err
		}
		if p.Length = o.SizeBytes() - p.Offset; p.Length < 0 {
			return p, fault.Place(fault.Corruptf("a blob starts at %d of %d bytes", p.Offset, o.SizeBytes()), p.at.name, -1, -1, p.Offset)
		}
	}
	return p, nil
}

// descriptors is an array of BlobV2Descriptor, whose fields older writers may have called nullable.
type descriptors struct {
	*array.Struct
	kind           *array.Uint8
	position, size *array.Uint64
	id             *array.Uint32
	uri            *array.String
}

// newDescriptors views data, which the result keeps alive until Release.
func newDescriptors(data arrow.ArrayData) (*descriptors, error) {
	if !arrow.TypeEqual(data.DataType(), file.BlobV2Descriptor) {
		return nil, fault.New(fault.Internal, "blob descriptors as %s", data.DataType())
	}
	s := array.NewStructData(data)
	return &descriptors{Struct: s, kind: s.Field(0).(*array.Uint8), position: s.Field(1).(*array.Uint64), size: s.Field(2).(*array.Uint64),
		id: s.Field(3).(*array.Uint32), uri: s.Field(4).(*array.String)}, nil
}

func (d *descriptors) null(row int) bool { return d.IsNull(row) || d.kind.IsNull(row) }
