package lancefmt

import (
	"context"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
)

// gather puts rows of batches, which follow one another, into the order of positions.
func gather(ctx context.Context, batches []arrow.RecordBatch, positions []int64, mem memory.Allocator) (arrow.RecordBatch, error) {
	g := gatherer{ctx: compute.WithAllocator(ctx, mem), mem: mem, positions: positions, places: make([]place, len(positions))}
	starts := make([]int64, len(batches)+1)
	for i, b := range batches {
		starts[i+1] = starts[i] + b.NumRows()
	}
	for i, p := range positions {
		piece, found := slices.BinarySearch(starts, p)
		if !found {
			piece--
		}
		for starts[piece+1] == p { // an empty batch
			piece++
		}
		g.places[i] = place{piece: piece, row: int(p - starts[piece])}
	}
	defer g.release()

	fields := slices.Clone(batches[0].Schema().Fields())
	columns := make([]arrow.Array, len(fields))
	defer func() {
		for _, a := range columns {
			if a != nil {
				a.Release()
			}
		}
	}()
	pieces := make([]arrow.Array, len(batches))
	for i := range fields {
		for j, b := range batches {
			pieces[j] = b.Column(i)
			fields[i].Nullable = fields[i].Nullable || b.Schema().Field(i).Nullable
		}
		var err error
		if columns[i], err = g.column(pieces); err != nil {
			return nil, err
		}
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, int64(len(positions))), nil
}

// place is a row of one of several arrays.
type place struct{ piece, row int }

type gatherer struct {
	ctx       context.Context
	mem       memory.Allocator
	positions []int64
	places    []place
	indices   arrow.Array // positions, made when arrow-go's Take needs them
}

func (g *gatherer) release() {
	if g.indices != nil {
		g.indices.Release()
	}
}

// column gathers one column. What makes most of the bytes (vectors, images, strings) is copied once
// from where it was read; other types are joined and taken by arrow-go.
func (g *gatherer) column(pieces []arrow.Array) (arrow.Array, error) {
	switch t := pieces[0].DataType().(type) {
	case *arrow.FixedSizeListType:
		item, ok := t.Elem().(arrow.FixedWidthDataType)
		if ok && plainWidth(t.Elem()) && !slices.ContainsFunc(pieces, itemsHaveNulls) {
			return g.fixed(pieces, item.Bytes()*int(t.Len()), int(t.Len())), nil
		}
	case *arrow.BinaryType, *arrow.StringType:
		return gatherBytes[int32](g, pieces, arrow.Int32Traits.CastFromBytes)
	case *arrow.LargeBinaryType, *arrow.LargeStringType:
		return gatherBytes[int64](g, pieces, arrow.Int64Traits.CastFromBytes)
	case arrow.FixedWidthDataType:
		if plainWidth(t) {
			return g.fixed(pieces, t.Bytes(), 0), nil
		}
	}
	if g.indices == nil {
		b := array.NewInt64Builder(g.mem)
		defer b.Release()
		b.AppendValues(g.positions, nil)
		g.indices = b.NewArray()
	}
	whole := pieces[0]
	if len(pieces) > 1 {
		var err error
		if whole, err = array.Concatenate(pieces, g.mem); err != nil {
			return nil, err
		}
		defer whole.Release()
	}
	return compute.TakeArray(g.ctx, whole, g.indices)
}

// plainWidth reports whether values are whole bytes in one buffer.
func plainWidth(t arrow.DataType) bool {
	switch t.ID() {
	case arrow.BOOL, arrow.DICTIONARY, arrow.EXTENSION, arrow.FIXED_SIZE_LIST:
		return false
	}
	f, ok := t.(arrow.FixedWidthDataType)
	return ok && f.BitWidth()%8 == 0 && f.Bytes() > 0
}

func itemsHaveNulls(a arrow.Array) bool { return a.Data().Children()[0].NullN() > 0 }

// fixed gathers values of width bytes; listSize > 0 says that they are the items of fixed-size lists.
func (g *gatherer) fixed(pieces []arrow.Array, width, listSize int) arrow.Array {
	sources := make([][]byte, len(pieces))
	for i, a := range pieces {
		d := a.Data()
		from := d.Offset() * width
		if listSize > 0 {
			d = d.Children()[0]
			from += d.Offset() * (width / listSize)
		}
		if buffer := d.Buffers()[1]; buffer != nil {
			sources[i] = buffer.Bytes()[min(from, buffer.Len()):]
		}
	}
	out := memory.NewResizableBuffer(g.mem)
	defer out.Release()
	out.Resize(len(g.places) * width)
	dst := out.Bytes()
	for _, p := range g.places {
		copy(dst[:width], sources[p.piece][p.row*width:])
		dst = dst[width:]
	}
	validity, nulls := g.validity(pieces)
	if validity != nil {
		defer validity.Release()
	}
	n := len(g.places)
	var data *array.Data
	if t, ok := pieces[0].DataType().(*arrow.FixedSizeListType); ok {
		items := array.NewData(t.Elem(), n*listSize, []*memory.Buffer{nil, out}, nil, 0, 0)
		defer items.Release()
		data = array.NewData(t, n, []*memory.Buffer{validity}, []arrow.ArrayData{items}, nulls, 0)
	} else {
		data = array.NewData(pieces[0].DataType(), n, []*memory.Buffer{validity, out}, nil, nulls, 0)
	}
	defer data.Release()
	return array.MakeFromData(data)
}

// validity gathers the validity bitmaps; nil if there is no null.
func (g *gatherer) validity(pieces []arrow.Array) (*memory.Buffer, int) {
	if !slices.ContainsFunc(pieces, func(a arrow.Array) bool { return a.NullN() > 0 }) {
		return nil, 0
	}
	out := memory.NewResizableBuffer(g.mem)
	out.Resize(int(bitutil.BytesForBits(int64(len(g.places)))))
	bits := out.Bytes()
	clear(bits)
	nulls := 0
	for i, p := range g.places {
		if pieces[p.piece].IsNull(p.row) {
			nulls++
		} else {
			bitutil.SetBit(bits, i)
		}
	}
	return out, nulls
}

// gatherBytes gathers strings with offsets of type O.
func gatherBytes[O int32 | int64](g *gatherer, pieces []arrow.Array, cast func([]byte) []O) (arrow.Array, error) {
	offsets := make([][]O, len(pieces))
	values := make([][]byte, len(pieces))
	for i, a := range pieces {
		d := a.Data()
		if b := d.Buffers()[1]; b != nil && d.Len() > 0 {
			offsets[i] = cast(b.Bytes())[d.Offset() : d.Offset()+d.Len()+1]
		}
		if b := d.Buffers()[2]; b != nil {
			values[i] = b.Bytes()
		}
	}
	total := int64(0)
	for _, p := range g.places {
		if !pieces[p.piece].IsNull(p.row) {
			total += int64(offsets[p.piece][p.row+1] - offsets[p.piece][p.row])
		}
	}
	if total > math.MaxInt32 && int64(O(total)) != total {
		return nil, fault.New(fault.ResourceExhausted, "%d bytes of %s do not fit into one batch: take fewer rows", total, pieces[0].DataType())
	}
	ends := memory.NewResizableBuffer(g.mem)
	defer ends.Release()
	var o O
	width := 4
	if _, ok := any(o).(int64); ok {
		width = 8
	}
	ends.Resize((len(g.places) + 1) * width)
	bytes := memory.NewResizableBuffer(g.mem)
	defer bytes.Release()
	bytes.Resize(int(total))
	out, at := cast(ends.Bytes()), 0
	out[0] = 0
	for i, p := range g.places {
		if !pieces[p.piece].IsNull(p.row) {
			from, to := offsets[p.piece][p.row], offsets[p.piece][p.row+1]
			at += copy(bytes.Bytes()[at:], values[p.piece][from:to])
		}
		out[i+1] = O(at)
	}
	validity, nulls := g.validity(pieces)
	if validity != nil {
		defer validity.Release()
	}
	data := array.NewData(pieces[0].DataType(), len(g.places), []*memory.Buffer{validity, ends, bytes}, nil, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data), nil
}
