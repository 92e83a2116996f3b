// Package gather moves rows of Arrow arrays and batches: chosen rows of one, or of several in any order.
//
//	Take(array, rows)          rows of one array; those that follow each other without a gap share its buffers
//	Interleave(arrays, refs)   rows of several arrays
//	SortKeyed(items)           a radix sort of rows by 64-bit keys, such as row addresses
//
// The storage layer puts the rows that it takes into order with it, and so do operators, by way of sqlplan/kernel.
// Functions are pure. Arrays that come out are the caller's to release; arrays that go in are borrowed.
package gather

import (
	"math"
	"slices"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
)

// Ref names a row of one of several arrays (or batches).
type Ref struct{ Batch, Row int32 }

// Take returns the given rows of src, in that order; rows may repeat. Rows that follow each other
// without a gap come back as a slice that shares src's buffers.
func Take(mem memory.Allocator, src arrow.Array, rows []int32) (arrow.Array, error) {
	if len(rows) > 0 && contiguous(rows) {
		return array.NewSlice(src, int64(rows[0]), int64(rows[0])+int64(len(rows))), nil
	}
	g := gatherer{mem: mem, src: []arrow.Array{src}, rows: rows, n: len(rows)}
	return g.run(src.DataType())
}

// Interleave returns rows of several arrays of one type: the i-th is row refs[i].Row of
// src[refs[i].Batch].
func Interleave(mem memory.Allocator, src []arrow.Array, refs []Ref) (arrow.Array, error) {
	if len(src) == 1 {
		rows := make([]int32, len(refs))
		for i, r := range refs {
			rows[i] = r.Row
		}
		return Take(mem, src[0], rows)
	}
	g := gatherer{mem: mem, src: src, refs: refs, n: len(refs)}
	return g.run(src[0].DataType())
}

// TakeBatch returns the given rows of a batch.
func TakeBatch(mem memory.Allocator, b arrow.RecordBatch, rows []int32) (arrow.RecordBatch, error) {
	if len(rows) > 0 && contiguous(rows) {
		if len(rows) == int(b.NumRows()) {
			b.Retain()
			return b, nil
		}
		return b.NewSlice(int64(rows[0]), int64(rows[0])+int64(len(rows))), nil
	}
	return buildBatch(b.Schema(), len(rows), func(c int) (arrow.Array, error) {
		return Take(mem, b.Column(c), rows)
	})
}

// Copy is Take, but never shares buffers with src.
func Copy(mem memory.Allocator, src arrow.Array, rows []int32) (arrow.Array, error) {
	g := gatherer{mem: mem, src: []arrow.Array{src}, rows: rows, n: len(rows)}
	return g.run(src.DataType())
}

// CopyRows is TakeBatch, but never shares buffers with b: for few rows that outlive many batches.
func CopyRows(mem memory.Allocator, b arrow.RecordBatch, rows []int32) (arrow.RecordBatch, error) {
	return buildBatch(b.Schema(), len(rows), func(c int) (arrow.Array, error) {
		return Copy(mem, b.Column(c), rows)
	})
}

// InterleaveBatches returns rows of several batches of one schema.
func InterleaveBatches(mem memory.Allocator, schema *arrow.Schema, src []arrow.RecordBatch, refs []Ref) (arrow.RecordBatch, error) {
	cols := make([]arrow.Array, len(src))
	return buildBatch(schema, len(refs), func(c int) (arrow.Array, error) {
		for i, b := range src {
			cols[i] = b.Column(c)
		}
		return Interleave(mem, cols, refs)
	})
}

// ConcatBatches joins batches of one schema, at least one.
func ConcatBatches(mem memory.Allocator, schema *arrow.Schema, batches []arrow.RecordBatch) (arrow.RecordBatch, error) {
	if len(batches) == 1 {
		batches[0].Retain()
		return batches[0], nil
	}
	rows := 0
	for _, b := range batches {
		rows += int(b.NumRows())
	}
	cols := make([]arrow.Array, len(batches))
	return buildBatch(schema, rows, func(c int) (arrow.Array, error) {
		for i, b := range batches {
			cols[i] = b.Column(c)
		}
		a, err := array.Concatenate(cols, mem)
		if err != nil {
			return nil, fault.New(fault.Unsupported, "joining batches of type %s: %w", cols[0].DataType(), err)
		}
		return a, nil
	})
}

func buildBatch(schema *arrow.Schema, rows int, column func(c int) (arrow.Array, error)) (arrow.RecordBatch, error) {
	cols := make([]arrow.Array, 0, schema.NumFields())
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	for c := range schema.NumFields() {
		a, err := column(c)
		if err != nil {
			return nil, err
		}
		cols = append(cols, a)
	}
	return array.NewRecordBatch(schema, cols, int64(rows)), nil
}

func contiguous(rows []int32) bool {
	if int(rows[len(rows)-1]-rows[0]) != len(rows)-1 {
		return false
	}
	for i, r := range rows {
		if r != rows[0]+int32(i) {
			return false
		}
	}
	return true
}

// gatherer moves n rows of the arrays src into a new array. The rows are either rows (of src[0]) or
// refs.
type gatherer struct {
	mem  memory.Allocator
	src  []arrow.Array
	rows []int32
	refs []Ref
	n    int
}

func (g *gatherer) run(t arrow.DataType) (arrow.Array, error) {
	switch t := t.(type) {
	case *arrow.NullType:
		return array.NewNull(g.n), nil
	case *arrow.BooleanType:
		return g.booleans(t)
	case *arrow.StringType, *arrow.BinaryType:
		return variable[int32](g, t, math.MaxInt32)
	case *arrow.LargeStringType, *arrow.LargeBinaryType:
		return variable[int64](g, t, math.MaxInt64)
	case *arrow.FixedSizeListType:
		return g.fixedSizeLists(t)
	case *arrow.ListType:
		return lists[int32](g, t, math.MaxInt32)
	case *arrow.MapType:
		return lists[int32](g, t, math.MaxInt32)
	case *arrow.LargeListType:
		return lists[int64](g, t, math.MaxInt64)
	case *arrow.StructType:
		return g.structs(t)
	case *arrow.DictionaryType:
		return g.dictionaries(t)
	case arrow.ExtensionType:
		return g.extensions(t)
	case *arrow.StringViewType, *arrow.BinaryViewType:
		return g.views(t)
	}
	if fw, ok := t.(arrow.FixedWidthDataType); ok && fw.BitWidth()%8 == 0 {
		return g.fixedWidth(t, fw.BitWidth()/8)
	}
	return nil, fault.New(fault.Unsupported, "moving rows of type %s", t)
}

// each calls f for every output row with its source.
func (g *gatherer) each(f func(i int, src arrow.Array, batch, row int)) {
	if g.refs == nil {
		for i, r := range g.rows {
			f(i, g.src[0], 0, int(r))
		}
		return
	}
	for i, r := range g.refs {
		f(i, g.src[r.Batch], int(r.Batch), int(r.Row))
	}
}

// validity builds the validity bitmap; nil if no source has NULLs. The caller owns the buffer.
func (g *gatherer) validity() (*memory.Buffer, int) {
	if !slices.ContainsFunc(g.src, func(a arrow.Array) bool { return a.NullN() > 0 }) {
		return nil, 0
	}
	buf := g.newBuffer(int(bitutil.BytesForBits(int64(g.n))))
	bits := buf.Bytes()
	clear(bits)
	nulls := 0
	if g.refs == nil {
		src, offset := g.src[0].NullBitmapBytes(), g.src[0].Data().Offset()
		for i, r := range g.rows {
			if bitutil.BitIsSet(src, offset+int(r)) {
				bits[i>>3] |= 1 << (i & 7)
			} else {
				nulls++
			}
		}
		return buf, nulls
	}
	for i, r := range g.refs {
		if g.src[r.Batch].IsValid(int(r.Row)) {
			bits[i>>3] |= 1 << (i & 7)
		} else {
			nulls++
		}
	}
	return buf, nulls
}

func (g *gatherer) newBuffer(n int) *memory.Buffer {
	buf := memory.NewResizableBuffer(g.mem)
	buf.Resize(n)
	return buf
}

// finish makes the array and gives the buffers and children to it.
func finish(t arrow.DataType, n int, buffers []*memory.Buffer, children []arrow.ArrayData, nulls int) arrow.Array {
	data := array.NewData(t, n, buffers, children, nulls, 0)
	for _, b := range buffers {
		if b != nil {
			b.Release()
		}
	}
	defer data.Release()
	return array.MakeFromData(data)
}

func (g *gatherer) booleans(t arrow.DataType) (arrow.Array, error) {
	valid, nulls := g.validity()
	buf := g.newBuffer(int(bitutil.BytesForBits(int64(g.n))))
	bits := buf.Bytes()
	clear(bits)
	g.each(func(i int, src arrow.Array, _, row int) {
		if src.(*array.Boolean).Value(row) {
			bits[i>>3] |= 1 << (i & 7)
		}
	})
	return finish(t, g.n, []*memory.Buffer{valid, buf}, nil, nulls), nil
}

func (g *gatherer) fixedWidth(t arrow.DataType, width int) (arrow.Array, error) {
	valid, nulls := g.validity()
	buf := g.newBuffer(g.n * width)
	g.copyFixed(buf.Bytes(), width, func(a arrow.Array) []byte {
		d := a.Data()
		return d.Buffers()[1].Bytes()[d.Offset()*width:]
	})
	return finish(t, g.n, []*memory.Buffer{valid, buf}, nil, nulls), nil
}

// copyFixed copies values of width bytes; values gives the bytes of a source's first value on.
func (g *gatherer) copyFixed(dst []byte, width int, values func(arrow.Array) []byte) {
	if g.n == 0 {
		return
	}
	from := make([][]byte, len(g.src))
	for i, a := range g.src {
		if a.Len() > 0 {
			from[i] = values(a)
		}
	}
	if g.refs == nil {
		switch width {
		case 1:
			takeWords[uint8](dst, from[0], g.rows)
		case 2:
			takeWords[uint16](dst, from[0], g.rows)
		case 4:
			takeWords[uint32](dst, from[0], g.rows)
		case 8:
			takeWords[uint64](dst, from[0], g.rows)
		default:
			for i, r := range g.rows {
				copy(dst[i*width:(i+1)*width], from[0][int(r)*width:])
			}
		}
		return
	}
	if width == 8 {
		out := words[uint64](dst)
		for i, r := range g.refs {
			out[i] = *(*uint64)(unsafe.Pointer(&from[r.Batch][int(r.Row)*8]))
		}
		return
	}
	for i, r := range g.refs {
		copy(dst[i*width:(i+1)*width], from[r.Batch][int(r.Row)*width:])
	}
}

type word interface {
	uint8 | uint16 | uint32 | uint64 | int32 | int64
}

func words[T word](b []byte) []T {
	if len(b) == 0 {
		return nil
	}
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), len(b)/int(unsafe.Sizeof(t)))
}

func takeWords[T word](dst, src []byte, rows []int32) {
	out, in := words[T](dst), words[T](src)
	for i, r := range rows {
		out[i] = in[r]
	}
}

// variable gathers strings and binaries with offsets of type O.
func variable[O int32 | int64](g *gatherer, t arrow.DataType, limit int64) (arrow.Array, error) {
	type source struct {
		offsets []O
		bytes   []byte
	}
	from := make([]source, len(g.src))
	for i, a := range g.src {
		d := a.Data()
		if a.Len() > 0 {
			from[i].offsets = words[O](d.Buffers()[1].Bytes())[d.Offset() : d.Offset()+a.Len()+1]
			if d.Buffers()[2] != nil {
				from[i].bytes = d.Buffers()[2].Bytes()
			}
		}
	}
	valid, nulls := g.validity()
	var zero O
	offsetBuf := g.newBuffer((g.n + 1) * int(unsafe.Sizeof(zero)))
	offsets := words[O](offsetBuf.Bytes())
	offsets[0] = 0
	var total int64
	if g.refs == nil {
		if g.n > 0 {
			o := from[0].offsets
			for i, r := range g.rows {
				total += int64(o[r+1] - o[r])
				offsets[i+1] = O(total)
			}
		}
	} else {
		for i, r := range g.refs {
			o := from[r.Batch].offsets
			total += int64(o[r.Row+1] - o[r.Row])
			offsets[i+1] = O(total)
		}
	}
	if total > limit {
		offsetBuf.Release()
		if valid != nil {
			valid.Release()
		}
		return nil, fault.New(fault.ResourceExhausted,
			"a batch of column type %s would hold %d bytes, more than 2 GiB; select fewer rows per batch", t, total)
	}
	valueBuf := g.newBuffer(int(total))
	dst := valueBuf.Bytes()
	if g.refs == nil {
		if g.n > 0 {
			o, b := from[0].offsets, from[0].bytes
			for i, r := range g.rows {
				copy(dst[offsets[i]:offsets[i+1]], b[o[r]:o[r+1]])
			}
		}
	} else {
		for i, r := range g.refs {
			s := &from[r.Batch]
			copy(dst[offsets[i]:offsets[i+1]], s.bytes[s.offsets[r.Row]:s.offsets[r.Row+1]])
		}
	}
	return finish(t, g.n, []*memory.Buffer{valid, offsetBuf, valueBuf}, nil, nulls), nil
}

func (g *gatherer) fixedSizeLists(t *arrow.FixedSizeListType) (arrow.Array, error) {
	dim := int(t.Len())
	child := make([]arrow.Array, len(g.src))
	plain := true
	for i, a := range g.src {
		child[i] = a.(*array.FixedSizeList).ListValues()
		plain = plain && child[i].NullN() == 0
	}
	valid, nulls := g.validity()
	fw, ok := t.Elem().(arrow.FixedWidthDataType)
	if _, ext := t.Elem().(arrow.ExtensionType); plain && ok && !ext && fw.BitWidth()%8 == 0 && fw.BitWidth() > 0 && !nested(t.Elem()) {
		// The values of a list are one run of bytes, whatever their type.
		width := dim * fw.BitWidth() / 8
		buf := g.newBuffer(g.n * width)
		if width > 0 {
			g.copyFixed(buf.Bytes(), width, func(a arrow.Array) []byte {
				v := a.(*array.FixedSizeList).ListValues().Data()
				return v.Buffers()[1].Bytes()[v.Offset()*fw.BitWidth()/8+a.Data().Offset()*width:]
			})
		}
		values := array.NewData(t.Elem(), g.n*dim, []*memory.Buffer{nil, buf}, nil, 0, 0)
		buf.Release()
		defer values.Release()
		return finish(t, g.n, []*memory.Buffer{valid}, []arrow.ArrayData{values}, nulls), nil
	}
	refs := make([]Ref, 0, g.n*dim)
	g.each(func(_ int, a arrow.Array, batch, row int) {
		start := (a.Data().Offset() + row) * dim
		for j := range dim {
			refs = append(refs, Ref{int32(batch), int32(start + j)})
		}
	})
	return g.withChild(t, t.Elem(), child, refs, []*memory.Buffer{valid}, nulls)
}

func nested(t arrow.DataType) bool {
	switch t.ID() {
	case arrow.FIXED_SIZE_LIST, arrow.LIST, arrow.LARGE_LIST, arrow.STRUCT, arrow.MAP, arrow.DICTIONARY:
		return true
	}
	return false
}

// withChild gathers the child and makes the parent array from it.
func (g *gatherer) withChild(t, elem arrow.DataType, child []arrow.Array, refs []Ref, buffers []*memory.Buffer,
	nulls int) (arrow.Array, error) {
	c := gatherer{mem: g.mem, src: child, refs: refs, n: len(refs)}
	values, err := c.run(elem)
	if err != nil {
		for _, b := range buffers {
			if b != nil {
				b.Release()
			}
		}
		return nil, err
	}
	defer values.Release()
	return finish(t, g.n, buffers, []arrow.ArrayData{values.Data()}, nulls), nil
}

// lists gathers lists, large lists and maps.
func lists[O int32 | int64](g *gatherer, t arrow.DataType, limit int64) (arrow.Array, error) {
	child := make([]arrow.Array, len(g.src))
	for i, a := range g.src {
		child[i] = a.(array.ListLike).ListValues()
	}
	valid, nulls := g.validity()
	var zero O
	offsetBuf := g.newBuffer((g.n + 1) * int(unsafe.Sizeof(zero)))
	offsets := words[O](offsetBuf.Bytes())
	offsets[0] = 0
	refs := []Ref{}
	g.each(func(i int, a arrow.Array, batch, row int) {
		if a.IsValid(row) { // a NULL list may still cover values
			start, end := a.(array.ListLike).ValueOffsets(row)
			for j := start; j < end; j++ {
				refs = append(refs, Ref{int32(batch), int32(j)})
			}
		}
		offsets[i+1] = O(min(int64(len(refs)), limit))
	})
	elem := child[0].DataType()
	return g.withChild(t, elem, child, refs, []*memory.Buffer{valid, offsetBuf}, nulls)
}

func (g *gatherer) structs(t *arrow.StructType) (arrow.Array, error) {
	valid, nulls := g.validity()
	fields := make([]arrow.ArrayData, 0, t.NumFields())
	defer func() {
		for _, f := range fields {
			f.Release()
		}
	}()
	for f := range t.NumFields() {
		c := *g
		c.src = make([]arrow.Array, len(g.src))
		for i, a := range g.src {
			c.src[i] = a.(*array.Struct).Field(f)
		}
		a, err := c.run(t.Field(f).Type)
		if err != nil {
			if valid != nil {
				valid.Release()
			}
			return nil, err
		}
		a.Data().Retain()
		fields = append(fields, a.Data())
		a.Release()
	}
	return finish(t, g.n, []*memory.Buffer{valid}, fields, nulls), nil
}

// dictionaries gathers indices where all sources share one dictionary; else it unifies the
// dictionaries by concatenating the sources first.
func (g *gatherer) dictionaries(t *arrow.DictionaryType) (arrow.Array, error) {
	dict := g.src[0].(*array.Dictionary).Dictionary()
	for _, a := range g.src[1:] {
		d := a.(*array.Dictionary).Dictionary()
		if d != dict && d.Data() != dict.Data() && !array.Equal(d, dict) {
			return g.concatenated()
		}
	}
	c := *g
	c.src = make([]arrow.Array, len(g.src))
	for i, a := range g.src {
		c.src[i] = a.(*array.Dictionary).Indices()
	}
	indices, err := c.run(t.IndexType)
	if err != nil {
		return nil, err
	}
	defer indices.Release()
	return array.NewDictionaryArray(t, indices, dict), nil
}

func (g *gatherer) concatenated() (arrow.Array, error) {
	all, err := array.Concatenate(g.src, g.mem)
	if err != nil {
		return nil, fault.New(fault.Unsupported, "joining batches of type %s: %w", g.src[0].DataType(), err)
	}
	defer all.Release()
	starts := make([]int32, len(g.src))
	for i := 1; i < len(g.src); i++ {
		starts[i] = starts[i-1] + int32(g.src[i-1].Len())
	}
	rows := make([]int32, g.n)
	g.each(func(i int, _ arrow.Array, batch, row int) { rows[i] = starts[batch] + int32(row) })
	return Take(g.mem, all, rows)
}

func (g *gatherer) extensions(t arrow.ExtensionType) (arrow.Array, error) {
	c := *g
	c.src = make([]arrow.Array, len(g.src))
	for i, a := range g.src {
		c.src[i] = a.(array.ExtensionArray).Storage()
	}
	storage, err := c.run(t.StorageType())
	if err != nil {
		return nil, err
	}
	defer storage.Release()
	return array.NewExtensionArrayWithStorage(t, storage), nil
}

// views gathers the 16-byte headers and keeps the data buffers they point into.
func (g *gatherer) views(t arrow.DataType) (arrow.Array, error) {
	if len(g.src) > 1 {
		return g.concatenated()
	}
	valid, nulls := g.validity()
	headers := g.newBuffer(g.n * arrow.ViewHeaderSizeBytes)
	g.copyFixed(headers.Bytes(), arrow.ViewHeaderSizeBytes, func(a arrow.Array) []byte {
		d := a.Data()
		return d.Buffers()[1].Bytes()[d.Offset()*arrow.ViewHeaderSizeBytes:]
	})
	buffers := []*memory.Buffer{valid, headers}
	for _, b := range g.src[0].Data().Buffers()[2:] {
		if b != nil {
			b.Retain()
		}
		buffers = append(buffers, b)
	}
	return finish(t, g.n, buffers, nil, nulls), nil
}
