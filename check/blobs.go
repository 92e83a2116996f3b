package check

import (
	"context"
	"fmt"
	"math/bits"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// isBlobV2 reports whether a column has the extension type lance.blob.v2, whose values lie in the data
// file or in files beside it. Values of the older kind lie in the data file, and are read with the column.
func isBlobV2(f *table.Field) bool { return f.Metadata["ARROW:extension:name"] == "lance.blob.v2" }

// blobColumn reads the descriptors of such a column instead of its values.
type blobColumn struct {
	f      *lancefmt.Fragment
	i      int // data file
	column int
	store  storage.Store
	name   string // of the data file
	reader *file.Reader
}

// blobFiles returns where the descriptors of a column are, nil if that cannot be told.
func blobFiles(f *lancefmt.Fragment, field *table.Field) *blobColumn {
	for i, d := range f.Files() {
		if j := slices.Index(d.Fields, field.ID); j >= 0 && j < len(d.ColumnIndices) && d.ColumnIndices[j] >= 0 {
			if store, name, err := f.Locate(i); err == nil {
				return &blobColumn{f: f, i: i, column: int(d.ColumnIndices[j]), store: store, name: name}
			}
		}
	}
	return nil
}

func (b *blobColumn) close() {
	if b.reader != nil {
		b.reader.Close()
		b.reader = nil
	}
}

// read returns descriptors, under the type that the file itself gives them.
func (b *blobColumn) read(c *checker) func(ctx context.Context, rows encoding.Range) (arrow.Array, error) {
	return func(ctx context.Context, rows encoding.Range) (arrow.Array, error) {
		if b.reader == nil {
			o, err := b.store.Open(ctx, b.name, -1)
			if err != nil {
				return nil, err
			}
			if b.reader, err = file.Open(ctx, o); err != nil {
				return nil, err
			}
		}
		fields, err := b.reader.Fields(ctx)
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			if f.Column == b.column {
				return b.reader.ReadColumn(ctx, f.Name, []encoding.Range{rows}, c.opts.Mem)
			}
		}
		return nil, fault.Place(fault.Corruptf("the file's schema has nothing for column %d", b.column), b.name, b.column, -1, -1)
	}
}

// Kinds of descriptors. Source: lance-core 14.0.2, datatypes.rs.
const (
	blobInline    = 0 // in the data file
	blobPacked    = 1 // in a file that blobs share
	blobDedicated = 2 // in a file of its own
	blobExternal  = 3 // at a URI, which is nobody's to check
)

// visit checks where descriptors lead.
func (b *blobColumn) visit(c *checker) func(ctx context.Context, a arrow.Array) error {
	return func(ctx context.Context, a arrow.Array) error {
		s, ok := a.(*array.Struct)
		if !ok {
			return fault.New(fault.Unsupported, "blobs that are described by %s", a.DataType())
		}
		kinds, ok1 := child[*array.Uint8](s, "kind")
		positions, ok2 := child[*array.Uint64](s, "position")
		sizes, ok3 := child[*array.Uint64](s, "size")
		ids, ok4 := child[*array.Uint32](s, "blob_id")
		if !ok1 || !ok2 || !ok3 || !ok4 {
			return fault.New(fault.Unsupported, "blobs that are described by %s", a.DataType())
		}
		for i := range s.Len() {
			if s.IsNull(i) || kinds.IsNull(i) || positions.IsNull(i) || sizes.IsNull(i) {
				continue
			}
			store, name := b.store, b.name
			switch kind := kinds.Value(i); kind {
			case blobInline:
			case blobPacked, blobDedicated:
				c.blobValues.Add(1)
				name = blobFolder(b.name) + blobName(ids.Value(i))
			case blobExternal:
				continue
			default:
				return fault.Place(fault.Corruptf("a blob of kind %d", kind), b.name, b.column, -1, -1)
			}
			if err := b.within(ctx, c, store, name, positions.Value(i), sizes.Value(i)); err != nil {
				return err
			}
		}
		return nil
	}
}

func child[T arrow.Array](s *array.Struct, name string) (t T, ok bool) {
	i, found := s.DataType().(*arrow.StructType).FieldIdx(name)
	if !found {
		return t, false
	}
	t, ok = s.Field(i).(T)
	return t, ok
}

// blobName returns the name of a file of blobs: its number in binary, lowest digit first.
// Source: lance-core 14.0.2, utils/blob.rs.
func blobName(id uint32) string { return fmt.Sprintf("%032b.blob", bits.Reverse32(id)) }

// within checks that a blob lies inside of a file.
func (b *blobColumn) within(ctx context.Context, c *checker, store storage.Store, name string, position, size uint64) error {
	p := in(b.f, BadBlob)
	p.File = name
	if store != c.t.Store() {
		p.File = store.URI() + "/" + name
	}
	key := fileKey{store, name}
	c.mu.Lock()
	bytes, known := c.blobs[key]
	c.mu.Unlock()
	if !known {
		var err error
		if bytes, err = c.stat(ctx, store, name, -1, p); err != nil {
			return err
		}
		c.mu.Lock()
		c.blobs[key] = bytes
		c.mu.Unlock()
	}
	if bytes >= 0 && (position > uint64(bytes) || size > uint64(bytes)-position) {
		c.addf(p, BadBlob, "a blob of %d bytes at %d lies outside of the file's %d bytes", size, position, bytes)
	}
	return nil
}
