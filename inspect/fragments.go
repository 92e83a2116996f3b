package inspect

import (
	"context"
	"fmt"
	"io"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// DataFileReport is a data file of a fragment.
type DataFileReport struct {
	Path           string `json:"path"` // below the table's root
	StorageVersion string `json:"storage_version"`
	Bytes          int64  `json:"bytes"` // -1: neither said nor there
	// Base is the id of the base path that the file lies in; absent: the table's own folder.
	Base   *uint32 `json:"base,omitempty"`
	Fields int     `json:"fields"`
	// Missing says why the file cannot be looked at.
	Missing string `json:"missing,omitempty"`
}

// DeletionFileReport is the deletion file of a fragment.
type DeletionFileReport struct {
	Path  string `json:"path"`
	Kind  string `json:"kind"` // arrow, bitmap
	Rows  int64  `json:"rows"` // -1: the manifest does not say
	Bytes int64  `json:"bytes"`
}

// FragmentReport is a fragment of a version.
type FragmentReport struct {
	ID           uint32              `json:"id"`
	Rows         int64               `json:"rows"` // without deleted ones
	PhysicalRows int64               `json:"physical_rows"`
	Deleted      int64               `json:"deleted"`
	Files        []DataFileReport    `json:"files"`
	Deletions    *DeletionFileReport `json:"deletions,omitempty"`
	// RowIDs says where stable row ids are stored: inline, file, or absent.
	RowIDs string `json:"row_ids,omitempty"`
}

// FragmentsReport is the fragments of a version, in scan order.
type FragmentsReport struct {
	Fragments []FragmentReport `json:"fragments"`
}

// StorageVersion names the version that a data file's footer numbers mean, "2.0" for (0, 3).
func StorageVersion(major, minor uint32) string {
	switch {
	case major == 0 && minor == 3:
		return "2.0"
	case major == 0:
		return "0.1"
	}
	return fmt.Sprintf("%d.%d", major, minor)
}

// Fragments reports the fragments of a version and their files.
func Fragments(ctx context.Context, s *lancefmt.Snapshot) (*FragmentsReport, error) {
	r := &FragmentsReport{Fragments: make([]FragmentReport, 0, len(s.Fragments()))}
	for i, f := range s.Fragments() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		x := FragmentReport{ID: f.ID(), Rows: f.NumRows(), PhysicalRows: f.NumPhysicalRows(), Deleted: f.NumPhysicalRows() - f.NumRows(),
			Files: make([]DataFileReport, 0, len(f.Files()))}
		for j, d := range f.Files() {
			x.Files = append(x.Files, dataFile(ctx, f, j, d))
		}
		if d := f.DeletionFile(); d != nil {
			y := &DeletionFileReport{Kind: "arrow", Rows: d.NumDeleted, Bytes: -1}
			if d.Kind == table.DeletionBitmap {
				y.Kind = "bitmap"
			}
			store, name, err := f.LocateDeletions()
			if err == nil {
				y.Path = name
				if info, err := storage.Stat(ctx, store, name); err == nil {
					y.Bytes = info.SizeBytes
				}
			}
			x.Deletions = y
		}
		switch l := s.Manifest().Fragments[i].RowIDs; {
		case l.Inline != nil:
			x.RowIDs = "inline"
		case l.Spilled:
			x.RowIDs = "file"
		}
		r.Fragments = append(r.Fragments, x)
	}
	return r, nil
}

func dataFile(ctx context.Context, f *lancefmt.Fragment, i int, d table.DataFile) DataFileReport {
	x := DataFileReport{Path: d.Path, StorageVersion: StorageVersion(d.Major, d.Minor), Bytes: d.SizeBytes,
		Base: d.Base, Fields: len(d.Fields)}
	store, name, err := f.Locate(i)
	if err != nil {
		x.Missing = err.Error()
		return x
	}
	x.Path = name
	info, err := storage.Stat(ctx, store, name)
	if err != nil {
		x.Missing = err.Error()
		return x
	}
	if x.Bytes < 0 {
		x.Bytes = info.SizeBytes
	}
	return x
}

// WriteText implements Report.
func (r *FragmentsReport) WriteText(w io.Writer) error {
	g := newGrid("fragment", "rows", "deleted", "file", "version", "fields", "bytes")
	for _, f := range r.Fragments {
		first := true
		line := func(path, version string, fields any, bytes int64) {
			if first {
				g.row(f.ID, f.Rows, f.Deleted, path, version, fields, size(bytes))
			} else {
				g.row("", "", "", path, version, fields, size(bytes))
			}
			first = false
		}
		for _, d := range f.Files {
			path := d.Path
			if d.Base != nil {
				path += fmt.Sprintf(" in base %d", *d.Base)
			}
			if d.Missing != "" {
				path += " (" + d.Missing + ")"
			}
			line(path, d.StorageVersion, d.Fields, d.Bytes)
		}
		if d := f.Deletions; d != nil {
			line(d.Path, d.Kind, "", d.Bytes)
		}
		if first {
			g.row(f.ID, f.Rows, f.Deleted, "no files", "", "", "")
		}
	}
	return g.writeTo(w, "")
}
