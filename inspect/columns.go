package inspect

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"lanceflight/internal/fault"
	"lanceflight/internal/hexdump"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/table"
)

// EncodingReport is an encoding and how many pages have it.
type EncodingReport struct {
	Encoding string `json:"encoding"`
	Pages    int    `json:"pages"`
}

// ColumnReport is a column of the files: of a leaf, in storage version 2.0 of lists and structs too.
type ColumnReport struct {
	Column      string           `json:"column"` // path, "a.b"
	Fragment    *uint32          `json:"fragment,omitempty"`
	File        string           `json:"file,omitempty"`
	Index       *int             `json:"index,omitempty"` // of the column in its file
	Files       int              `json:"files"`
	Rows        int64            `json:"rows"` // deleted ones included
	Pages       int              `json:"pages"`
	Bytes       int64            `json:"bytes"`
	BytesPerRow float64          `json:"bytes_per_row"`
	Encodings   []EncodingReport `json:"encodings"`
}

// ColumnsReport is the columns of a version, in the order of the schema.
type ColumnsReport struct {
	Columns []ColumnReport `json:"columns"`
	// Unread are files whose columns cannot be told, with the reason.
	Unread []string `json:"unread,omitempty"`
}

// Columns reports what columns take on disk: of all files together, or perFile.
func Columns(ctx context.Context, s *lancefmt.Snapshot, perFile bool) (*ColumnsReport, error) {
	r := &ColumnsReport{Columns: []ColumnReport{}}
	byName := make(map[string]*columnSum)
	var order []*columnSum
	places := fieldPlaces(s)
	err := eachFile(ctx, s, func(f *lancefmt.Fragment, d *table.DataFile, x *file.Reader, err error) error {
		if err != nil {
			r.Unread = append(r.Unread, err.Error())
			return nil
		}
		for i := range d.Fields {
			column := columnIndex(d, i)
			if column < 0 || int(column) >= x.NumColumns() {
				continue
			}
			c, err := x.Column(ctx, int(column))
			if err != nil {
				r.Unread = append(r.Unread, err.Error())
				continue
			}
			name := fieldPath(s, d.Fields[i])
			key := name
			if perFile {
				key = fmt.Sprintf("%s\x00%d\x00%s", name, f.ID(), x.Name())
			}
			sum := byName[key]
			if sum == nil {
				place, ok := places[d.Fields[i]]
				if !ok {
					place = len(places) // hidden and dropped ones come last
				}
				sum = &columnSum{ColumnReport: ColumnReport{Column: name}, place: place}
				if perFile {
					id, index := f.ID(), int(column)
					sum.Fragment, sum.File, sum.Index = &id, x.Name(), &index
				}
				byName[key] = sum
				order = append(order, sum)
			}
			sum.add(ctx, x, c)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(order, func(a, b *columnSum) int { return a.place - b.place })
	for _, sum := range order {
		r.Columns = append(r.Columns, sum.report())
	}
	return r, nil
}

// columnSum adds up the columns of several files.
type columnSum struct {
	ColumnReport
	place     int // in the schema
	encodings map[string]int
}

func (s *columnSum) add(ctx context.Context, x *file.Reader, c *encoding.Column) {
	s.Files++
	s.Rows += x.NumRows()
	s.Pages += len(c.Pages)
	for _, b := range c.BufRanges {
		s.Bytes += b.Length
	}
	if s.encodings == nil {
		s.encodings = make(map[string]int)
	}
	for i := range c.Pages {
		for _, b := range c.Pages[i].BufRanges {
			s.Bytes += b.Length
		}
		if e, err := x.PageSummary(ctx, c.Index, i); err == nil {
			s.encodings[e]++
		}
	}
}

func (s *columnSum) report() ColumnReport {
	s.BytesPerRow = float64(s.Bytes) / float64(max(s.Rows, 1))
	s.Encodings = make([]EncodingReport, 0, len(s.encodings))
	for e, n := range s.encodings {
		s.Encodings = append(s.Encodings, EncodingReport{e, n})
	}
	slices.SortFunc(s.Encodings, func(a, b EncodingReport) int {
		if a.Pages != b.Pages {
			return b.Pages - a.Pages
		}
		return strings.Compare(a.Encoding, b.Encoding)
	})
	return s.ColumnReport
}

// WriteText implements Report.
func (r *ColumnsReport) WriteText(w io.Writer) error {
	perFile := slices.ContainsFunc(r.Columns, func(c ColumnReport) bool { return c.File != "" })
	g := newGrid("column", "rows", "pages", "bytes", "bytes/row", "encodings")
	if perFile {
		g = newGrid("fragment", "file", "index", "column", "rows", "pages", "bytes", "bytes/row", "encodings")
	}
	for _, c := range r.Columns {
		perRow := fmt.Sprintf("%.2f", c.BytesPerRow)
		if perFile {
			g.row(*c.Fragment, c.File, *c.Index, c.Column, c.Rows, c.Pages, size(c.Bytes), perRow, encodings(c.Encodings))
		} else {
			g.row(c.Column, c.Rows, c.Pages, size(c.Bytes), perRow, encodings(c.Encodings))
		}
	}
	if err := g.writeTo(w, ""); err != nil {
		return err
	}
	for _, u := range r.Unread {
		fmt.Fprintln(w, "not read:", u)
	}
	return nil
}

// encodings renders the most frequent encodings of a column.
func encodings(list []EncodingReport) string {
	var parts []string
	for i, e := range list {
		if i == 3 {
			parts = append(parts, fmt.Sprintf("%d more", len(list)-i))
			break
		}
		text := e.Encoding
		if e.Pages > 1 {
			text = fmt.Sprintf("%d× %s", e.Pages, text)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// PageReport is a page of a column.
type PageReport struct {
	Fragment uint32         `json:"fragment"`
	File     string         `json:"file"`
	Page     int            `json:"page"`
	FirstRow int64          `json:"first_row"`
	Rows     int64          `json:"rows"` // in storage version 2.0 items of the column
	Bytes    int64          `json:"bytes"`
	Buffers  []BufferReport `json:"buffers"`
	Encoding string         `json:"encoding"`
}

// BufferReport is a buffer of a page.
type BufferReport struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// PagesReport is the pages of one column.
type PagesReport struct {
	Column string       `json:"column"`
	Pages  []PageReport `json:"pages"`
	Unread []string     `json:"unread,omitempty"`
}

// Pages reports the pages of a column, by path ("a.b"), in all fragments. A path that no file has is
// fault.NotFound.
func Pages(ctx context.Context, s *lancefmt.Snapshot, column string) (*PagesReport, error) {
	r := &PagesReport{Column: column, Pages: []PageReport{}}
	found := false
	err := eachFile(ctx, s, func(f *lancefmt.Fragment, d *table.DataFile, x *file.Reader, err error) error {
		if err != nil {
			r.Unread = append(r.Unread, err.Error())
			return nil
		}
		for i := range d.Fields {
			index := columnIndex(d, i)
			if index < 0 || fieldPath(s, d.Fields[i]) != column {
				continue
			}
			found = true
			c, err := x.Column(ctx, int(index))
			if err != nil {
				r.Unread = append(r.Unread, err.Error())
				continue
			}
			r.Pages = append(r.Pages, pageReports(ctx, f.ID(), x, c)...)
		}
		return nil
	})
	if err == nil && !found && len(r.Unread) == 0 {
		err = noColumn(s, column)
	}
	return r, err
}

func pageReports(ctx context.Context, fragment uint32, x *file.Reader, c *encoding.Column) []PageReport {
	var out []PageReport
	for i, p := range c.Pages {
		y := PageReport{Fragment: fragment, File: x.Name(), Page: i, FirstRow: p.FirstRow, Rows: p.NumRows, Buffers: []BufferReport{}}
		for _, b := range p.BufRanges {
			y.Buffers = append(y.Buffers, BufferReport{b.Offset, b.Length})
			y.Bytes += b.Length
		}
		y.Encoding, _ = x.PageSummary(ctx, c.Index, i)
		out = append(out, y)
	}
	return out
}

// WriteText implements Report.
func (r *PagesReport) WriteText(w io.Writer) error {
	g := newGrid("fragment", "page", "first row", "rows", "bytes", "buffers (offset+length)", "encoding")
	for _, p := range r.Pages {
		g.row(p.Fragment, p.Page, p.FirstRow, p.Rows, size(p.Bytes), buffers(p.Buffers), p.Encoding)
	}
	if err := g.writeTo(w, ""); err != nil {
		return err
	}
	for _, u := range r.Unread {
		fmt.Fprintln(w, "not read:", u)
	}
	return nil
}

func buffers(list []BufferReport) string {
	parts := make([]string, len(list))
	for i, b := range list {
		parts[i] = fmt.Sprintf("%d+%d", b.Offset, b.Length)
	}
	return strings.Join(parts, " ")
}

// BytesReport is annotated bytes.
type BytesReport struct {
	File     string            `json:"file"`
	Column   string            `json:"column,omitempty"`
	Page     *PageReport       `json:"page,omitempty"`
	Sections []hexdump.Section `json:"sections"`
}

// WriteText implements Report.
func (r *BytesReport) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "file %s\n", r.File)
	if p := r.Page; p != nil {
		fmt.Fprintf(w, "column %s, page %d: rows %d…%d, %s\n", r.Column, p.Page, p.FirstRow, p.FirstRow+p.Rows, p.Encoding)
	}
	fmt.Fprintln(w)
	return hexdump.WriteText(w, r.Sections)
}

// Page reports the bytes of one page of a column in a fragment, with at most lines lines for each buffer
// (0: hexdump.MaxLines). What is not there is fault.NotFound.
func Page(ctx context.Context, s *lancefmt.Snapshot, fragment uint32, column string, page, lines int) (*BytesReport, error) {
	f := s.Fragment(fragment)
	if f == nil {
		return nil, fault.New(fault.NotFound, "version %d has no fragment %d", s.Version(), fragment)
	}
	for i, d := range f.Files() {
		for j := range d.Fields {
			index := columnIndex(&d, j)
			if index < 0 || fieldPath(s, d.Fields[j]) != column {
				continue
			}
			x, err := openData(ctx, f, i)
			if err != nil {
				return nil, err
			}
			defer x.Close()
			sections, err := x.DescribePage(ctx, int(index), page, lines)
			if err != nil {
				return nil, err
			}
			c, err := x.Column(ctx, int(index))
			if err != nil {
				return nil, err
			}
			r := &BytesReport{File: x.Name(), Column: column, Sections: sections}
			r.Page = &pageReports(ctx, fragment, x, c)[page]
			return r, nil
		}
	}
	return nil, noColumn(s, column)
}

// eachFile opens the data files of a version one after the other. Where one cannot be opened fn is given
// the error.
func eachFile(ctx context.Context, s *lancefmt.Snapshot, fn func(f *lancefmt.Fragment, d *table.DataFile,
	x *file.Reader, err error) error) error {
	for _, f := range s.Fragments() {
		for i := range f.Files() {
			if err := ctx.Err(); err != nil {
				return err
			}
			x, err := openData(ctx, f, i)
			if err = fn(f, &f.Files()[i], x, err); x != nil {
				x.Close()
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func openData(ctx context.Context, f *lancefmt.Fragment, i int) (*file.Reader, error) {
	store, name, err := f.Locate(i)
	if err != nil {
		return nil, err
	}
	o, err := store.Open(ctx, name, -1)
	if err != nil {
		return nil, err
	}
	return file.Open(ctx, o)
}

// columnIndex returns the column of a file's field number i, -1 if it has none. Files of storage version 0.1
// have a column for each id, from that of their first field on.
func columnIndex(d *table.DataFile, i int) int32 {
	switch {
	case i < len(d.ColumnIndices):
		return d.ColumnIndices[i]
	case d.Legacy():
		return d.Fields[i] - d.Fields[0]
	}
	return -1
}

// fieldPath names a field of a file: its path, or what hidden column it is.
func fieldPath(s *lancefmt.Snapshot, id int32) string {
	switch id {
	case table.FieldRowID:
		return lancefmt.RowIDColumn
	case table.FieldCreatedAt:
		return lancefmt.CreatedAtColumn
	case table.FieldUpdatedAt:
		return lancefmt.UpdatedAtColumn
	}
	if path, ok := s.Manifest().Schema.Path(id); ok {
		return path
	}
	return fmt.Sprintf("field %d (not in this version's schema)", id)
}

// fieldPlaces numbers the fields of the schema in order, parents first.
func fieldPlaces(s *lancefmt.Snapshot) map[int32]int {
	places := make(map[int32]int)
	var walk func(fields []*table.Field)
	walk = func(fields []*table.Field) {
		for _, f := range fields {
			if _, ok := places[f.ID]; !ok {
				places[f.ID] = len(places)
			}
			walk(f.Children)
		}
	}
	walk(s.Fields())
	return places
}

func noColumn(s *lancefmt.Snapshot, column string) error {
	names := make([]string, 0, len(s.Fields()))
	for _, f := range s.Fields() {
		names = append(names, f.Name)
	}
	return fault.New(fault.NotFound, "no file has a column %q (paths such as a.b name leaves); the schema has %s",
		column, strings.Join(names, ", "))
}
