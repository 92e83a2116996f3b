package v21

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/levels"
)

// maxRows bounds the rows of one array: Arrow's lengths are int, but offsets and many kernels have
// 32 bits.
const maxRows = 1<<31 - 1

// Reader reads a field; see the package comment.
type Reader struct {
	src  encoding.Source
	root node
	typ  arrow.DataType
}

// node is a field of the tree. Leaves read pages; all others are made of what their children read.
type node interface {
	// read decodes rows, which ascend. The caller releases the data.
	read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (column, error)
	close()
}

// NewReader returns the reader of a field of a file: cols holds the metadata of at least the
// columns that f and its children name. The Reader reads src whenever it is asked to Read, never
// here. A type that Lance cannot store in this version is fault.Unsupported.
func NewReader(src encoding.Source, cols []encoding.Column, f encoding.Field) (encoding.ColumnReader, error) {
	root, err := newNode(src, cols, f, false, 0)
	if err != nil {
		return nil, err
	}
	return &Reader{src: src, root: root, typ: f.Type}, nil
}

// maxNesting bounds the depth of a field's type.
const maxNesting = 64

// newNode builds the tree. From 2.1 on only leaves have columns, so a field that has one is a leaf,
// whatever its type: packed structs and blob descriptors are stored in a column of their own, and
// other structs have none.
func newNode(src encoding.Source, cols []encoding.Column, f encoding.Field, nested bool, depth int) (node, error) {
	if depth > maxNesting {
		return nil, fault.New(fault.Unsupported, "types nested deeper than %d", maxNesting)
	}
	if f.Column >= 0 {
		return newLeaf(src, cols, f, nested)
	}
	switch t := f.Type.(type) {
	case *arrow.StructType:
		if len(f.Children) != t.NumFields() {
			return nil, fault.New(fault.Internal, "field %q has %d children for type %s", f.Name, len(f.Children), t)
		}
		n := &structNode{typ: t, root: !nested && depth == 0}
		for _, c := range f.Children {
			child, err := newNode(src, cols, c, true, depth+1)
			if err != nil {
				return nil, err
			}
			n.children = append(n.children, child)
		}
		return n, nil
	case *arrow.ListType, *arrow.LargeListType, *arrow.MapType, *arrow.FixedSizeListType:
		if len(f.Children) != 1 {
			return nil, fault.New(fault.Internal, "field %q has %d children for type %s", f.Name, len(f.Children), t)
		}
		child, err := newNode(src, cols, f.Children[0], true, depth+1)
		if err != nil {
			return nil, err
		}
		if fsl, ok := t.(*arrow.FixedSizeListType); ok {
			return &fixedListNode{typ: fsl, child: child}, nil
		}
		return &listNode{typ: t, child: child}, nil
	}
	return nil, fault.Corruptf("field %q of type %s has no column", f.Name, f.Type)
}

// Read implements encoding.ColumnReader.
func (r *Reader) Read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (arrow.Array, error) {
	return r.read(ctx, rows, mem, r.root.read)
}

// ReadLengths implements encoding.PartialReader. Of uncompressed values of a full-zip page it reads
// nothing but the offsets of rows, of blobs nothing but their descriptors.
func (r *Reader) ReadLengths(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (arrow.Array, error) {
	return r.readPart(ctx, rows, wantLengths, mem)
}

// ReadValidity implements encoding.PartialReader, for fields that are not nested. Pages that store
// no definition levels are not read.
func (r *Reader) ReadValidity(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (arrow.Array, error) {
	return r.readPart(ctx, rows, wantValidity, mem)
}

// readPart reads less than the values, of a field that is a leaf.
func (r *Reader) readPart(ctx context.Context, rows []encoding.Range, w want, mem memory.Allocator) (arrow.Array, error) {
	l, ok := r.root.(*leaf)
	if !ok {
		return nil, fault.New(fault.Unsupported, "lengths or validity alone of %s", r.typ)
	}
	return r.read(ctx, rows, mem, func(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (column, error) {
		return l.readWhat(ctx, rows, w, mem)
	})
}

func (r *Reader) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator,
	decode func(context.Context, []encoding.Range, memory.Allocator) (column, error)) (arrow.Array, error) {
	if n := encoding.Count(rows); n > maxRows {
		return nil, fault.New(fault.ResourceExhausted, "%d rows in one array, at most %d: read fewer rows at a time", n, maxRows)
	}
	col, err := decode(ctx, rows, mem)
	if err != nil {
		return nil, fault.Place(err, r.src.Name(), -1, -1, -1)
	}
	defer col.data.Release()
	if n := encoding.Count(rows); int64(col.data.Len()) != n {
		return nil, fault.Place(fault.Corruptf("field of type %s has %d rows instead of %d", r.typ, col.data.Len(), n), r.src.Name(), -1, -1, -1)
	}
	return array.MakeFromData(col.data), nil
}

// Close releases what pages keep. No Read may be in progress, none may follow.
func (r *Reader) Close() { r.root.close() }

// structNode is a struct whose fields have columns. Every leaf below it stores the NULLs of the
// struct in its own definition levels, so all children tell the same; the first one is asked. The
// levels of the other children stay unread.
type structNode struct {
	typ      *arrow.StructType
	children []node
	root     bool
}

// read reads all children for the same rows, and the struct's validity from the levels of the
// first.
func (n *structNode) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (column, error) {
	// A struct without fields has no leaf that could tell how many there are or which are NULL. At
	// the top the rows say the number.
	if len(n.children) == 0 {
		if !n.root {
			return column{}, fault.New(fault.Unsupported, "struct without fields inside of another type")
		}
		count := int(encoding.Count(rows))
		return column{data: array.NewData(n.typ, count, []*memory.Buffer{nil}, nil, 0, 0)}, nil
	}
	var lv *levels.Column
	data := make([]arrow.ArrayData, 0, len(n.children))
	defer func() {
		for _, d := range data {
			d.Release()
		}
	}()
	for i, child := range n.children {
		c, err := child.read(ctx, rows, mem)
		if err != nil {
			return column{}, err
		}
		data = append(data, c.data)
		if c.data.Len() != data[0].Len() {
			return column{}, fault.Corruptf("field %q of a struct has %d values, the first field has %d",
				n.typ.Field(i).Name, c.data.Len(), data[0].Len())
		}
		// The first child's levels are unraveled up to this struct by now, as all children's are.
		if lv == nil {
			lv = c.levels
		}
	}
	validity, nulls, err := unravelValidity(lv, data[0].Len(), mem)
	if err != nil {
		return column{}, err
	}
	if validity != nil {
		defer validity.Release()
	}
	return column{data: array.NewData(n.typ, data[0].Len(), []*memory.Buffer{validity}, data, nulls, 0), levels: lv}, nil
}

func (n *structNode) close() {
	for _, c := range n.children {
		c.close()
	}
}

// listNode is a list, a large list or a map. The child has been read with all items of the wanted
// rows, and the levels say where each list begins.
type listNode struct {
	typ   arrow.DataType
	child node
}

// read reads the items of rows, whose number only the levels tell, and makes offsets and validity
// from these.
func (n *listNode) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (column, error) {
	c, err := n.child.read(ctx, rows, mem)
	if err != nil {
		return column{}, err
	}
	defer c.data.Release()
	// Lists counts the lists before the offsets are written, for they need their memory first.
	lists, err := c.levels.Lists()
	if err != nil {
		return column{}, err
	}
	// Maps and lists have 32-bit offsets, large lists 64-bit ones.
	word := 4
	if n.typ.ID() == arrow.LARGE_LIST {
		word = 8
	}
	ends, bits := newBytes(mem), newBytes(mem)
	defer ends.release()
	defer bits.release()
	offsets, err := ends.extend((lists + 1) * word)
	if err != nil {
		return column{}, err
	}
	var bitmap []byte
	if c.levels.HasNulls() {
		if bitmap, err = bits.extend((lists + 7) / 8); err != nil {
			return column{}, err
		}
		clear(bitmap)
	}
	var nulls int
	if word == 8 {
		nulls, err = levels.Offsets(c.levels, int64s(offsets), bitmap, c.data.Len())
	} else {
		nulls, err = levels.Offsets(c.levels, int32s(offsets), bitmap, c.data.Len())
	}
	if err != nil {
		return column{}, err
	}
	buf := ends.finish()
	defer buf.Release()
	var validity *memory.Buffer
	// HasNulls only says that there could be some.
	if nulls > 0 {
		validity = bits.finish()
		defer validity.Release()
	}
	return column{data: array.NewData(n.typ, lists, []*memory.Buffer{validity, buf}, []arrow.ArrayData{c.data}, nulls, 0),
		levels: c.levels}, nil
}

func (n *listNode) close() { n.child.close() }

// fixedListNode is a fixed-size list of structs. The pages below count its items as rows, so rows
// are multiplied on the way down, and levels are thinned out on the way up. For its NULLs the list
// has a layer like any other item.
type fixedListNode struct {
	typ   *arrow.FixedSizeListType
	child node
}

// read reads dim items for each row.
func (n *fixedListNode) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (column, error) {
	dim := int(n.typ.Len())
	if dim < 1 || encoding.Count(rows) > maxRows/int64(dim) {
		return column{}, fault.New(fault.ResourceExhausted,
			"%d lists of %d items in one array: read fewer rows at a time", encoding.Count(rows), dim)
	}
	items := make([]encoding.Range, len(rows))
	for i, r := range rows {
		items[i] = encoding.Range{Start: r.Start * int64(dim), End: r.End * int64(dim)}
	}
	c, err := n.child.read(ctx, items, mem)
	if err != nil {
		return column{}, err
	}
	defer c.data.Release()
	if c.data.Len()%dim != 0 {
		return column{}, fault.Corruptf("%d items do not make fixed-size lists of %d", c.data.Len(), dim)
	}
	// All items of one list carry the same level for everything outside of it.
	if err := c.levels.Decimate(dim); err != nil {
		return column{}, err
	}
	lists := c.data.Len() / dim
	validity, nulls, err := unravelValidity(c.levels, lists, mem)
	if err != nil {
		return column{}, err
	}
	if validity != nil {
		defer validity.Release()
	}
	return column{data: array.NewData(n.typ, lists, []*memory.Buffer{validity}, []arrow.ArrayData{c.data}, nulls, 0), levels: c.levels}, nil
}

func (n *fixedListNode) close() { n.child.close() }
