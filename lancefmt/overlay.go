package lancefmt

import (
	"context"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/internal/gather"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/table"
)

// overlay lays the fragment's overlays over what its data files have of a field. Structs are taken apart: an overlay replaces a
// field in one, or a list, map or value as a whole, and never says that a struct is NULL. base is not released.
//
// Source: lance 14.0.2, dataset/overlay.rs.
func (f *Fragment) overlay(ctx context.Context, field *table.Field, base arrow.Array, rows []encoding.Range,
	mem memory.Allocator) (arrow.Array, error) {
	return f.overlayIn(ctx, nil, field, base, rows, mem)
}

// overlayIn is overlay for a field in structs, the outermost first.
func (f *Fragment) overlayIn(ctx context.Context, structs []*table.Field, field *table.Field, base arrow.Array,
	rows []encoding.Range, mem memory.Allocator) (arrow.Array, error) {
	if !f.overlaid(field) {
		base.Retain()
		return base, nil
	}
	e := encoding.Field{Metadata: field.Metadata}
	s, isStruct := base.(*array.Struct)
	switch {
	case file.IsBlob(e) || isStruct && file.IsPacked(e):
		return nil, fault.New(fault.Unsupported, "column %q: overlays of blobs and packed structs", field.Name)
	case !isStruct:
		return f.overlayValues(ctx, structs, field, base, rows, mem)
	}
	children := make([]arrow.ArrayData, 0, s.NumField())
	defer func() { releaseData(children) }()
	inside := append(slices.Clone(structs), field)
	for i, c := range field.Children {
		a, err := f.overlayIn(ctx, inside, c, s.Field(i), rows, mem)
		if err != nil {
			return nil, err
		}
		a.Data().Retain()
		children = append(children, a.Data())
		a.Release()
	}
	data := withValidity(base.DataType(), []arrow.ArrayData{base.Data()}, base.Len(), nil, children, mem)
	defer data.Release()
	return array.MakeFromData(data), nil
}

// overlaid reports whether an overlay has (a part of) a field.
func (f *Fragment) overlaid(field *table.Field) bool {
	return slices.ContainsFunc(f.meta.Overlays, func(o table.Overlay) bool { return overlayColumn(&o, field) >= 0 })
}

// overlayColumn returns the number of the first field of the overlay's file that is a leaf of field; -1 if there is none.
func overlayColumn(o *table.Overlay, field *table.Field) int {
	return slices.IndexFunc(o.File.Fields, func(id int32) bool { return id >= 0 && hasLeaf(field, id) })
}

func hasLeaf(field *table.Field, id int32) bool {
	if len(field.Children) == 0 {
		return field.ID == id
	}
	return slices.ContainsFunc(field.Children, func(c *table.Field) bool { return hasLeaf(c, id) })
}

// overlayValues replaces values of a field that is no struct.
func (f *Fragment) overlayValues(ctx context.Context, structs []*table.Field, field *table.Field, base arrow.Array,
	rows []encoding.Range, mem memory.Allocator) (arrow.Array, error) {
	positions := make([]int64, base.Len()) // in the base and what is read of overlays behind it
	for i := range positions {
		positions[i] = int64(i)
	}
	column := func(a arrow.Array) arrow.RecordBatch {
		schema := arrow.NewSchema([]arrow.Field{{Name: field.Name, Type: base.DataType(), Nullable: true}}, nil)
		return array.NewRecordBatch(schema, []arrow.Array{a}, int64(a.Len()))
	}
	batches := []arrow.RecordBatch{column(base)}
	defer func() {
		for _, b := range batches {
			b.Release()
		}
	}()
	next := int64(base.Len())
	for i := len(f.meta.Overlays) - 1; i >= 0; i-- { // the newest value counts
		o := &f.meta.Overlays[i]
		k := overlayColumn(o, field)
		if k < 0 {
			continue
		}
		wanted := routed(o.Coverage(k), rows, positions, int64(base.Len()), next)
		if len(wanted) == 0 {
			continue
		}
		a, err := f.readOverlay(ctx, o, structs, field, base.DataType(), wanted, mem)
		if err != nil {
			return nil, fmt.Errorf("fragment %d, column %q: %w", f.meta.ID, field.Name, err)
		}
		batches = append(batches, column(a))
		next += int64(a.Len())
		a.Release()
	}
	if len(batches) == 1 {
		base.Retain()
		return base, nil
	}
	merged, err := orderRows(batches, refsOfPositions(batches, positions), mem)
	if err != nil {
		return nil, err
	}
	defer merged.Release()
	out := merged.Column(0)
	out.Retain()
	return out, nil
}

// routed points the positions of rows that are covered, and that no newer overlay has, to next and behind. It returns which values
// of the overlay come to stand there.
func routed(covered *roaring.Bitmap, rows []encoding.Range, positions []int64, base, next int64) (wanted []encoding.Range) {
	it := covered.Iterator()
	at := int64(0) // of the range's first row
	for _, r := range rows {
		it.AdvanceIfNeeded(uint32(r.Start))
		if !it.HasNext() {
			break
		}
		rank := int64(covered.Rank(it.PeekNext())) - 1
		for ; it.HasNext() && int64(it.PeekNext()) < r.End; rank++ {
			row := at + int64(it.Next()) - r.Start
			if positions[row] >= base {
				continue
			}
			positions[row] = next
			next++
			if n := len(wanted); n > 0 && wanted[n-1].End == rank {
				wanted[n-1].End++
			} else {
				wanted = append(wanted, encoding.Range{Start: rank, End: rank + 1})
			}
		}
		at += r.Len()
	}
	return wanted
}

// readOverlay reads values of a field in structs, which is in the overlay, as an array of type want.
func (f *Fragment) readOverlay(ctx context.Context, o *table.Overlay, structs []*table.Field, field *table.Field,
	want arrow.DataType, values []encoding.Range, mem memory.Allocator) (arrow.Array, error) {
	if o.File.Legacy() {
		return nil, fault.New(fault.Unsupported, "overlay %s of storage version 0.1 (legacy)", o.File.Path)
	}
	// What is in a struct is stored with the levels of the structs around it.
	for _, around := range slices.Backward(structs) {
		only := *around
		only.Children, only.Type = []*table.Field{field}, arrow.StructOf(field.Arrow())
		field = &only
	}
	e, ok := (&projector{file: &o.File, taken: map[int32]bool{}}).project(field)
	if !ok {
		return nil, fault.Corruptf("overlay %s has no column of the field", o.File.Path)
	}
	r, err := f.openFile(ctx, &o.File)
	if err != nil {
		return nil, err
	}
	defer r.release()
	c, err := r.value.ColumnReader(e)
	if err != nil {
		return nil, err
	}
	// Columns may have different lengths. The first one of a field has its values, others can have items of lists.
	columns := (&part{field: e}).columns()
	if len(columns) == 0 {
		return nil, fault.Place(fault.Corruptf("the overlay is said to have the field, but in no column"), r.value.Name(), -1, -1, -1)
	}
	column, err := r.value.Column(ctx, columns[0])
	if err != nil {
		return nil, err
	}
	n := int64(0)
	for _, p := range column.Pages {
		n += p.NumRows
	}
	n = min(n, r.value.NumRows())
	if last := values[len(values)-1].End; n < last {
		return nil, fault.Place(fault.Corruptf("the overlay has %d values of the field, but at least %d rows", n, last),
			r.value.Name(), columns[0], -1, -1)
	}
	a, err := c.Read(ctx, values, mem)
	if err != nil {
		return nil, err
	}
	defer a.Release()
	inner := a
	for range structs {
		inner = inner.(*array.Struct).Field(0)
	}
	return assemble(want, []arrow.Array{inner}, mem)
}

// refsOfPositions turns positions in batches that follow one another into the batch and the row in it.
func refsOfPositions(batches []arrow.RecordBatch, positions []int64) []gather.Ref {
	starts := make([]int64, len(batches)+1)
	for i, b := range batches {
		starts[i+1] = starts[i] + b.NumRows()
	}
	refs := make([]gather.Ref, len(positions))
	for i, p := range positions {
		piece, found := slices.BinarySearch(starts, p)
		if !found {
			piece--
		}
		for starts[piece+1] == p { // an empty batch
			piece++
		}
		refs[i] = gather.Ref{Batch: int32(piece), Row: int32(p - starts[piece])}
	}
	return refs
}
