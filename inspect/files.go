package inspect

import (
	"context"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"lanceflight/internal/fault"
	"lanceflight/internal/hexdump"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// FileColumnReport is a column of a data or index file.
type FileColumnReport struct {
	Index     int              `json:"index"`
	Field     string           `json:"field,omitempty"` // path in the file's own schema
	Type      string           `json:"type,omitempty"`
	Rows      int64            `json:"rows"`
	Pages     int              `json:"pages"`
	Bytes     int64            `json:"bytes"`
	Encodings []EncodingReport `json:"encodings"`
}

// FileReport is a single data or index file.
type FileReport struct {
	File           string             `json:"file"`
	Bytes          int64              `json:"bytes"`
	StorageVersion string             `json:"storage_version"`
	Rows           int64              `json:"rows"`
	GlobalBuffers  int                `json:"global_buffers"`
	Metadata       map[string]string  `json:"metadata,omitempty"`
	Columns        []FileColumnReport `json:"columns"`
}

// maxFileBytes bounds manifests and deletion files that are described.
const maxFileBytes = 2 << 30

// File reports a single file by what it is: of a data or index file its columns, or with args "bytes" its
// own structure in bytes, or with "page COLUMN PAGE" a page (COLUMN by number or path); of manifests,
// deletion files and transactions their bytes. lines bounds the lines of a section (0: hexdump.MaxLines).
func File(ctx context.Context, store storage.Store, name string, args []string, lines int) (Report, error) {
	var describe func(data []byte) []hexdump.Section
	switch path.Ext(name) {
	case ".manifest":
		describe = func(data []byte) []hexdump.Section { return table.DescribeManifest(data, lines) }
	case ".arrow":
		describe = func(data []byte) []hexdump.Section { return table.DescribeDeletions(table.DeletionArrow, data, lines) }
	case ".bin":
		describe = func(data []byte) []hexdump.Section { return table.DescribeDeletions(table.DeletionBitmap, data, lines) }
	case ".txn":
		describe = func(data []byte) []hexdump.Section { return table.DescribeTransaction(data, lines) }
	}
	if describe == nil {
		return dataReport(ctx, store, name, args, lines)
	}
	if len(args) > 0 && args[0] != "bytes" {
		return nil, fault.New(fault.InvalidArgument, "%s has no %s", name, args[0])
	}
	data, err := storage.ReadAll(ctx, store, name, maxFileBytes)
	if err != nil {
		return nil, err
	}
	return &BytesReport{File: name, Sections: describe(data)}, nil
}

func dataReport(ctx context.Context, store storage.Store, name string, args []string, lines int) (Report, error) {
	o, err := store.Open(ctx, name, -1)
	if err != nil {
		return nil, err
	}
	r, err := file.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	switch {
	case len(args) == 0:
		return columnsOf(ctx, r)
	case args[0] == "bytes" && len(args) == 1:
		sections, err := r.Describe(ctx, lines)
		if err != nil {
			return nil, err
		}
		return &BytesReport{File: name, Sections: sections}, nil
	case args[0] == "page" && len(args) == 3:
		page, err := strconv.Atoi(args[2])
		if err != nil {
			return nil, fault.New(fault.InvalidArgument, "page %q is not a number", args[2])
		}
		column, label, err := columnNumber(ctx, r, args[1])
		if err != nil {
			return nil, err
		}
		sections, err := r.DescribePage(ctx, column, page, lines)
		if err != nil {
			return nil, err
		}
		c, err := r.Column(ctx, column)
		if err != nil {
			return nil, err
		}
		return &BytesReport{File: name, Column: label, Sections: sections, Page: &pageReports(ctx, 0, r, c)[page]}, nil
	}
	return nil, fault.New(fault.InvalidArgument, "of a file give nothing, \"bytes\", or \"page COLUMN PAGE\"; not %q",
		strings.Join(args, " "))
}

// columnNumber finds a column by number or path.
func columnNumber(ctx context.Context, r *file.Reader, name string) (int, string, error) {
	if n, err := strconv.Atoi(name); err == nil {
		return n, name, nil
	}
	labels, err := fileLabels(ctx, r)
	if err != nil {
		return 0, "", err
	}
	for i, l := range labels {
		if l.path == name {
			return i, name, nil
		}
	}
	return 0, "", fault.New(fault.NotFound, "file %s has no column %q", r.Name(), name)
}

// label is what a file's own schema says of a column.
type label struct{ path, typ string }

func fileLabels(ctx context.Context, r *file.Reader) (map[int]label, error) {
	fields, err := r.Fields(ctx)
	if err != nil {
		return nil, err
	}
	labels := make(map[int]label)
	var walk func(fields []encoding.Field, prefix string)
	walk = func(fields []encoding.Field, prefix string) {
		for _, f := range fields {
			if f.Column >= 0 {
				labels[f.Column] = label{prefix + f.Name, f.Type.String()}
			}
			walk(f.Children, prefix+f.Name+".")
		}
	}
	walk(fields, "")
	return labels, nil
}

func columnsOf(ctx context.Context, r *file.Reader) (*FileReport, error) {
	major, minor := r.Version()
	x := &FileReport{File: r.Name(), Bytes: r.SizeBytes(), StorageVersion: StorageVersion(uint32(major), uint32(minor)), Rows: r.NumRows(),
		GlobalBuffers: r.NumGlobalBuffers(), Columns: []FileColumnReport{}}
	var err error
	if x.Metadata, err = r.SchemaMetadata(ctx); err != nil {
		return nil, err
	}
	labels, err := fileLabels(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range r.NumColumns() {
		c, err := r.Column(ctx, i)
		if err != nil {
			return nil, err
		}
		sum := &columnSum{}
		sum.add(ctx, r, c)
		y := sum.report()
		var rows int64
		for _, p := range c.Pages {
			rows += p.NumRows
		}
		x.Columns = append(x.Columns, FileColumnReport{Index: i, Field: labels[i].path, Type: labels[i].typ, Rows: rows, Pages: y.Pages,
			Bytes: y.Bytes, Encodings: y.Encodings})
	}
	return x, nil
}

// WriteText implements Report.
func (r *FileReport) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "file %s, storage version %s, %s, %s, %s\n", r.File, r.StorageVersion, size(r.Bytes), count(r.Rows, "row"),
		count(int64(r.GlobalBuffers), "global buffer"))
	pairs(w, "  ", r.Metadata)
	g := newGrid("index", "field", "type", "rows", "pages", "bytes", "encodings")
	for _, c := range r.Columns {
		g.row(c.Index, c.Field, c.Type, c.Rows, c.Pages, size(c.Bytes), encodings(c.Encodings))
	}
	return g.writeTo(w, "")
}
