package check

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/table"
)

// overlaysOf checks the files of a fragment's overlays, and puts their pages into jobs. It returns the fields of which
// values are out of reach, and with them the column.
func (c *checker) overlaysOf(ctx context.Context, s *lancefmt.Snapshot, f *lancefmt.Fragment) (lost map[int32]bool, err error) {
	overlays := f.Overlays()
	for i := range overlays {
		o := &overlays[i]
		x, err := c.overlay(ctx, f, i, o)
		if err != nil {
			return nil, err
		}
		good := x != nil
		for _, field := range s.Fields() {
			if good && !c.overlayValues(f, i, o, x, nil, field) {
				good = false
			}
		}
		if !good {
			if lost == nil {
				lost = map[int32]bool{}
			}
			for _, id := range o.File.Fields {
				lost[id] = true
			}
		}
	}
	return lost, nil
}

// overlay checks the file of an overlay, nil if it is out of reach.
func (c *checker) overlay(ctx context.Context, f *lancefmt.Fragment, i int, o *table.Overlay) (*dataFacts, error) {
	p := in(f, BadOverlay)
	store, name, err := f.LocateOverlay(i)
	if err != nil {
		p.File = o.File.Path
		return nil, c.fail(ctx, p, err)
	}
	p.File = c.fileName(store, name)
	x, err := c.fileFacts(ctx, store, name, &o.File, p, true)
	if err != nil || x == nil {
		return nil, err
	}
	for j, id := range o.File.Fields {
		if id < 0 { // the overlay no longer has it
			continue
		}
		column, ok := columnIndex(&o.File, j)
		t := f.Snapshot().Manifest().Schema.Field(id)
		parent := column == -1 && t != nil && len(t.Children) > 0 // of columns, without one of its own
		if !ok || column < 0 && !parent || int(column) >= len(x.columns) {
			c.addf(p, BadOverlay, "field %d is said to be column %d of %d", id, column, len(x.columns))
			return nil, nil
		}
		if rows := o.Coverage(j); !rows.IsEmpty() && int64(rows.Maximum()) >= f.NumPhysicalRows() {
			c.addf(p, BadOverlay, "the overlay has row %d of a fragment with %s", rows.Maximum(), count(f.NumPhysicalRows(), "row"))
			return nil, nil
		}
	}
	return x, nil
}

// overlayValues compares the number of values of a field, and of fields in it, with that of the rows covered, and puts
// them into jobs. It reports whether they agree.
func (c *checker) overlayValues(f *lancefmt.Fragment, i int, o *table.Overlay, x *dataFacts, around []*table.Field,
	field *table.Field) bool {
	path := append(append([]*table.Field(nil), around...), field)
	e := encoding.Field{Metadata: field.Metadata}
	if _, ok := field.Type.(*arrow.StructType); ok && !file.IsPacked(e) && !file.IsBlob(e) && !isBlobV2(field) {
		for _, child := range field.Children {
			if !c.overlayValues(f, i, o, x, path, child) {
				return false
			}
		}
		return true
	}
	// The first field of the file that is the field, or below it, says which rows are covered.
	first, counts := -1, -1
	var bytes, pages int64
	starts := []int64{0}
	var walk func(t *table.Field)
	walk = func(t *table.Field) {
		for j, id := range o.File.Fields {
			if id < 0 || id != t.ID {
				continue
			}
			if len(t.Children) == 0 && (first < 0 || j < first) {
				first = j
			}
			if column, ok := columnIndex(&o.File, j); ok && column >= 0 && int(column) < len(x.columns) {
				if counts < 0 && (x.countsRows() || t == field) { // before 2.1 what is in a list counts items
					counts = int(column)
				}
				y := &x.columns[column]
				bytes += y.bytes
				pages += int64(y.pages)
				if x.countsRows() || len(field.Children) == 0 {
					starts = append(starts, y.first...)
				}
			}
		}
		for _, child := range t.Children {
			walk(child)
		}
	}
	walk(field)
	if first < 0 {
		return true // nothing of it is in the overlay
	}
	name := path[0].Name
	for _, s := range path[1:] {
		name += "." + s.Name
	}
	p := in(f, BadOverlay)
	p.File, p.Column = x.name, name
	rows := int64(o.Coverage(first).GetCardinality())
	if counts >= 0 {
		if n := x.columns[counts].rows; n != rows {
			c.addf(p, RowCount, "the file has %s of the column, the overlay covers %s", count(n, "value"), count(rows, "row"))
			return false
		}
	}
	key := sha256.Sum256(fmt.Appendf(nil, "overlay %q %q %s", x.name, name, field.LogicalType))
	if c.columns[key] || rows == 0 {
		return true
	}
	c.columns[key] = true
	c.report.Checked.Columns++
	c.pages.Add(pages)
	c.total += bytes
	p.Code = BadPage
	c.jobs = append(c.jobs, job{bytes, func(ctx context.Context) error {
		return c.decode(ctx, p, func(ctx context.Context, values encoding.Range) (arrow.Array, error) {
			a, err := f.ReadOverlay(ctx, i, path, []encoding.Range{values}, c.opts.Mem)
			if fault.Is(err, fault.Unsupported) && (file.IsBlob(e) || file.IsPacked(e) || isBlobV2(field)) {
				return nil, fault.New(fault.Unsupported, "overlays of blobs and packed structs")
			}
			return a, err
		}, nil, float64(bytes)/float64(rows), sortedStarts(starts, rows), 0, rows, bytes)
	}})
	return true
}
