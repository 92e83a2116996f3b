package check

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// dataFacts is what is known of a data file.
type dataFacts struct {
	name string // for reports
	size int64  // -1: missing
	// readable is whether its pages can be decoded; the rest is known then only.
	readable bool
	rows     int64 // -1: not known
	major    uint16
	minor    uint16
	columns  []columnFacts
}

// columnFacts is what a file says of a column.
type columnFacts struct {
	pages int
	bytes int64
	rows  int64   // of all pages
	first []int64 // row that each page starts with
}

type deletionFacts struct {
	deleted *roaring.Bitmap // nil: not read
}

// fragment checks the files of a fragment and puts the pages of its columns into jobs.
func (c *checker) fragment(ctx context.Context, s *lancefmt.Snapshot, f *lancefmt.Fragment) error {
	facts := make([]*dataFacts, len(f.Files()))
	for i, d := range f.Files() {
		x, err := c.dataFile(ctx, f, i, &d)
		if err != nil {
			return err
		}
		facts[i] = x
	}
	c.fieldsInTwoFiles(s, f)
	if err := c.deletionFile(ctx, f); err != nil {
		return err
	}
	lost, err := c.overlaysOf(ctx, s, f)
	if err != nil {
		return err
	}
	for _, field := range s.Fields() {
		c.column(f, field, facts, lost)
	}
	return nil
}

// fieldsInTwoFiles tells of columns that several data files of a fragment have. Only Lance 0.10 wrote
// such. Readers take the first file, and the next commit by pylance makes it the last.
func (c *checker) fieldsInTwoFiles(s *lancefmt.Snapshot, f *lancefmt.Fragment) {
	if len(f.Files()) < 2 {
		return
	}
	first := map[int32]string{}
	for _, d := range f.Files() {
		for _, id := range d.Fields {
			if path, ok := s.Manifest().Schema.Path(id); ok {
				if other, twice := first[id]; twice && other != d.Path {
					p := in(f, BadManifest)
					p.Column = path
					c.addf(p, BadManifest, "the data files %s and %s both have the column (field %d); the first is read", other, d.Path, id)
				} else {
					first[id] = d.Path
				}
			}
		}
	}
}

// dataFile checks one data file, nil if it is out of reach.
func (c *checker) dataFile(ctx context.Context, f *lancefmt.Fragment, i int, d *table.DataFile) (*dataFacts, error) {
	p := in(f, BadDataFile)
	store, name, err := f.Locate(i)
	if err != nil {
		p.File = d.Path
		return nil, c.fail(ctx, p, err)
	}
	p.File = c.fileName(store, name)
	x, err := c.fileFacts(ctx, store, name, d, p, false)
	if err != nil || x == nil {
		return nil, err
	}
	if x.rows != f.NumPhysicalRows() {
		c.addf(p, RowCount, "the file has %d rows, the fragment %d", x.rows, f.NumPhysicalRows())
		return nil, nil
	}
	for j, column := range d.ColumnIndices {
		if int(column) >= len(x.columns) {
			c.addf(p, BadDataFile, "field %d is said to be column %d of %d", d.Fields[j], column, len(x.columns))
			return nil, nil
		}
	}
	return x, nil
}

// fileFacts looks into a file, unless a newer version had it; nil if it is out of reach. Columns of an overlay have
// numbers of rows of their own.
func (c *checker) fileFacts(ctx context.Context, store storage.Store, name string, d *table.DataFile, p Problem,
	overlay bool) (*dataFacts, error) {
	key := fileKey{store, name}
	x := c.data[key]
	if x == nil {
		var err error
		x = &dataFacts{name: p.File, rows: -1}
		c.data[key] = x
		if overlay {
			c.report.Checked.Overlays++
		} else {
			c.report.Checked.DataFiles++
		}
		if x.size, err = c.stat(ctx, store, name, d.SizeBytes, p); err != nil {
			return nil, err
		}
		if x.size >= 0 {
			if err := c.openData(ctx, store, name, d, x, p, overlay); err != nil {
				return nil, err
			}
		}
	} else if x.size >= 0 && d.SizeBytes >= 0 && x.size != d.SizeBytes {
		c.addf(p, FileSize, "the file has %d bytes, the manifest says %d", x.size, d.SizeBytes)
	}
	// A file of another size is not read at all.
	if x.size < 0 || !x.readable || d.SizeBytes >= 0 && x.size != d.SizeBytes {
		return nil, nil
	}
	return x, nil
}

// openData reads footer and column metadata of a data file or an overlay.
func (c *checker) openData(ctx context.Context, store storage.Store, name string, d *table.DataFile, x *dataFacts,
	p Problem, overlay bool) error {
	o, err := store.Open(ctx, name, -1)
	if err != nil {
		return c.fail(ctx, p, err)
	}
	r, err := file.Open(ctx, o)
	if err != nil {
		return c.fail(ctx, p, err)
	}
	defer r.Close()
	x.rows = r.NumRows()
	if x.major, x.minor = r.Version(); !sameVersion(d, x.major, x.minor) {
		// pylance 0.16 wrote that; the footer decides how the file is read.
		q := p
		q.Severity = Warning
		c.addf(q, BadDataFile, "the file is of version %d.%d, the manifest says %d.%d", x.major, x.minor, d.Major, d.Minor)
	}
	if _, err := r.Fields(ctx); err != nil {
		if err := c.fail(ctx, p, err); err != nil {
			return err
		}
	}
	x.columns = make([]columnFacts, r.NumColumns())
	x.readable = true
	for i := range x.columns {
		column, err := r.Column(ctx, i)
		if err != nil {
			x.readable = false
			if err := c.fail(ctx, p, err); err != nil {
				return err
			}
			continue
		}
		y := &x.columns[i]
		y.pages = len(column.Pages)
		for _, b := range column.BufRanges {
			y.bytes += b.Length
		}
		for _, page := range column.Pages {
			y.first = append(y.first, page.FirstRow)
			y.rows += page.NumRows
			for _, b := range page.BufRanges {
				y.bytes += b.Length
			}
		}
		// In 2.0 and in drafts of 2.1 pages below lists count items.
		stable := !slices.ContainsFunc(column.Pages, func(p encoding.Page) bool { return !slices.Contains(rowLayouts, p.TypeURL) })
		if x.countsRows() && stable && !overlay && y.rows != x.rows {
			q := p
			q.ColumnIndex = &i
			c.addf(q, RowCount, "the column's pages have %d rows, the file %d", y.rows, x.rows)
			x.readable = false
		}
	}
	return nil
}

// rowLayouts are the types of the encodings of pages that count rows: since 2.1 is stable, and of 2.3.
var rowLayouts = []string{"/lance.encodings21.PageLayout", "/lance.encodings23.PlanarLayout"}

// sameVersion compares a footer with the manifest. Storage version 2.0 has the numbers 0.3 in footers, and
// 2.0 in manifests.
func sameVersion(d *table.DataFile, major, minor uint16) bool {
	normal := func(major, minor uint32) [2]uint32 {
		if major == 0 && minor == 3 {
			return [2]uint32{2, 0}
		}
		if major == 0 && minor < 3 { // storage version 0.1
			minor = 1
		}
		return [2]uint32{major, minor}
	}
	return normal(d.Major, d.Minor) == normal(uint32(major), uint32(minor))
}

// countsRows reports whether pages of all columns count rows of the table.
func (x *dataFacts) countsRows() bool { return x.major == 2 && x.minor >= 1 }

// deletionFile checks a fragment's deletion file, if it has one.
func (c *checker) deletionFile(ctx context.Context, f *lancefmt.Fragment) error {
	d := f.DeletionFile()
	if d == nil {
		return nil
	}
	p := in(f, BadDeletions)
	store, name, err := f.LocateDeletions()
	if err != nil {
		return c.fail(ctx, p, err)
	}
	p.File = c.fileName(store, name)
	key := fileKey{store, name}
	x := c.deletions[key]
	if x == nil {
		x = &deletionFacts{}
		c.deletions[key] = x
		c.report.Checked.DeletionFiles++
		n, err := c.stat(ctx, store, name, -1, p)
		if err != nil || n < 0 {
			return err
		}
		any := *d
		any.NumDeleted = -1 // the number is compared below, with a code of its own
		if x.deleted, err = table.ReadDeletions(ctx, store, name, any, 1<<32); err != nil {
			x.deleted = nil
			return c.fail(ctx, p, err)
		}
	}
	if x.deleted == nil {
		return nil
	}
	if d.NumDeleted >= 0 && uint64(d.NumDeleted) != x.deleted.GetCardinality() {
		c.addf(p, DeletionCount, "the file deletes %d rows, the manifest says %d", x.deleted.GetCardinality(), d.NumDeleted)
	}
	if last := int64(x.deleted.Maximum()); last >= f.NumPhysicalRows() {
		c.addf(p, BadDeletions, "the file deletes row %d of a fragment with %d rows", last, f.NumPhysicalRows())
	}
	return nil
}

// column puts the pages of a column of the table into jobs, unless a newer version had them.
func (c *checker) column(f *lancefmt.Fragment, field *table.Field, facts []*dataFacts, lost map[int32]bool) {
	hash := sha256.New()
	found := false
	var file string
	var bytes, pages int64
	starts := []int64{0}
	var walk func(x *table.Field, depth int) bool
	walk = func(x *table.Field, depth int) bool {
		if lost[x.ID] {
			return false // told already
		}
		fmt.Fprintf(hash, "%q %s %t(", x.Name, x.LogicalType, x.Nullable)
		for i, d := range f.Files() {
			j := slices.Index(d.Fields, x.ID)
			if j < 0 {
				continue
			}
			column, ok := columnIndex(&d, j)
			if !ok {
				continue
			}
			if facts[i] == nil {
				return false // told already
			}
			fmt.Fprintf(hash, "%q %d,", facts[i].name, column)
			if found = true; file == "" {
				file = facts[i].name
			}
			if depth > 0 && isBlobV2(x) {
				c.blobHolders[facts[i].name] = true
			}
			if column >= 0 && int(column) < len(facts[i].columns) {
				y := &facts[i].columns[column]
				bytes += y.bytes
				pages += int64(y.pages)
				if facts[i].countsRows() || depth == 0 && len(x.Children) == 0 {
					starts = append(starts, y.first...)
				}
			}
		}
		for _, child := range x.Children {
			if !walk(child, depth+1) {
				return false
			}
		}
		hash.Write([]byte(")"))
		return true
	}
	if !walk(field, 0) || !found {
		return
	}
	key := [32]byte(hash.Sum(nil))
	if c.columns[key] {
		return
	}
	c.columns[key] = true
	c.report.Checked.Columns++
	c.pages.Add(pages)
	rows := f.NumPhysicalRows()
	starts = sortedStarts(starts, rows)
	if rows == 0 {
		return
	}
	// A job is some pages, so that the columns of a single large fragment keep all workers busy.
	step := rows
	if bytes > jobBytes {
		step = max(rows*jobBytes/bytes, 1)
	}
	for from := int64(0); from < rows; {
		to := min(from+step, rows)
		if i := firstFrom(starts, to); i < len(starts) && starts[i] < to+step/2 {
			to = starts[i]
		}
		if rows-to < step/2 {
			to = rows
		}
		share := bytes*to/rows - bytes*from/rows
		c.total += share
		j := decodeJob{c: c, f: f, column: field.Name, file: file, starts: starts, from: from, to: to, bytes: share}
		if isBlobV2(field) {
			j.blobs = blobFiles(f, field)
		}
		c.jobs = append(c.jobs, job{share, j.run})
		from = to
	}
}

// columnIndex returns the column of a file's field number i. Files of storage version 0.1 have a column for
// each id, from that of their first field on.
func columnIndex(d *table.DataFile, i int) (int32, bool) {
	switch {
	case i < len(d.ColumnIndices):
		return d.ColumnIndices[i], true
	case d.Legacy():
		return d.Fields[i] - d.Fields[0], true
	}
	return -1, false
}

// jobBytes is how many bytes of pages a job decodes.
const jobBytes = 64 << 20

// firstFrom returns the index of the first element that is not below v.
func firstFrom(sorted []int64, v int64) int {
	i, _ := slices.BinarySearch(sorted, v)
	return i
}

// sortedStarts sorts rows that pages start with, and leaves out those behind the last row.
func sortedStarts(starts []int64, rows int64) []int64 {
	slices.Sort(starts)
	starts = slices.Compact(starts)
	return starts[:firstFrom(starts, rows)]
}

// blobFolder returns the folder with the blobs of a data file, "data/STEM/" for data/STEM.lance.
func blobFolder(name string) string { return strings.TrimSuffix(name, ".lance") + "/" }
