package check

import (
	"context"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/index"
	"lanceflight/lancefmt/storage"
	"lanceflight/vecindex/lanceidx"
)

// segment is what is known of a segment of an index.
type segment struct {
	mu     sync.Mutex
	rows   *index.RowSet // row ids that it has
	rowIDs bool          // its files say which rows it has
	// addresses is whether it names rows by address where the table has stable row ids.
	addresses bool
	broken    bool // some of that could not be read
}

// coverKey is a comparison of a segment with a fragment, which versions share.
type coverKey struct {
	segment  *segment
	fragment uint32
	rows     int64
	deleted  string
}

// indexes checks the files of the indices of a version, and tells their coverage if it is the head of its line.
func (c *checker) indexes(ctx context.Context, s *lancefmt.Snapshot, head bool) error {
	byName := map[string][]*lancefmt.Index{}
	var names []string
	for _, x := range s.Indexes() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(byName[x.Name]) == 0 {
			names = append(names, x.Name)
		}
		byName[x.Name] = append(byName[x.Name], x)
		if err := c.segmentFiles(ctx, s, x); err != nil {
			return err
		}
		if x.Fragments == nil || x.Fragments.IsEmpty() {
			continue
		}
		// Fragments that are gone are legal: all of their rows were deleted, or they were compacted.
		if m := s.Manifest(); m.MaxFragmentID > 0 && x.Fragments.Maximum() > m.MaxFragmentID {
			c.addf(c.ofSegment(s, x), IndexFragment, "the index covers fragment %d, but no fragment above %d was ever made",
				x.Fragments.Maximum(), m.MaxFragmentID)
		}
	}
	if !head {
		return nil
	}
	for _, name := range names {
		if byName[name][0].Kind != index.FragmentReuse.Name {
			c.report.Indexes = append(c.report.Indexes, coverage(s, byName[name]))
		}
	}
	return nil
}

func (c *checker) ofSegment(s *lancefmt.Snapshot, x *lancefmt.Index) Problem {
	p := problemAt(s, BadIndex)
	p.Index, p.Segment = x.Name, x.UUID
	return p
}

// coverage tells which rows the segments of an index cover.
func coverage(s *lancefmt.Snapshot, segments []*lancefmt.Index) Coverage {
	x := segments[0]
	out := Coverage{Branch: s.Branch(), Version: s.Version(), Index: x.Name, Kind: x.Kind, Columns: x.Fields, Segments: len(segments),
		Fragments: len(s.Fragments()), Rows: s.NumRows()}
	covered := roaring.New()
	for _, x := range segments {
		if x.Fragments == nil {
			return out
		}
		covered.Or(x.Fragments)
	}
	n := 0
	for _, f := range s.Fragments() {
		if covered.Contains(f.ID()) {
			n++
			out.CoveredRows += f.NumRows()
		}
	}
	out.CoveredFragments = &n
	return out
}

// segmentFiles checks that the files of a segment are there, and puts their pages into jobs.
func (c *checker) segmentFiles(ctx context.Context, s *lancefmt.Snapshot, x *lancefmt.Index) error {
	p := c.ofSegment(s, x)
	if x.Err != nil {
		return c.fail(ctx, p, x.Err)
	}
	key := fileKey{x.Store(), x.Dir()}
	if c.segments[key] != nil {
		return nil
	}
	seg := &segment{rows: &index.RowSet{}}
	c.segments[key] = seg
	c.report.Checked.Segments++
	there, err := files(ctx, x.Store(), x.Dir()+"/")
	if err != nil {
		return c.fail(ctx, p, err)
	}
	whole := true
	for _, stated := range x.Files {
		q := p
		q.File = c.fileName(x.Store(), path.Join(x.Dir(), stated.Path))
		i := slices.IndexFunc(there, func(f storage.Info) bool { return f.Name == q.File })
		switch {
		case i < 0:
			c.addf(q, MissingFile, "there is no such file")
			whole = false
		case stated.SizeBytes > 0 && there[i].SizeBytes != stated.SizeBytes: // old writers left the size out
			c.addf(q, FileSize, "the file has %d bytes, the manifest says %d", there[i].SizeBytes, stated.SizeBytes)
			whole = false
		}
	}
	if len(there) == 0 {
		if kind, known := index.Find(x.Kind); len(x.Files) == 0 && known && !kind.MayLackFiles {
			p.File = x.Dir()
			c.addf(p, MissingFile, "there are no files of this segment")
		}
		return nil
	}
	for _, f := range there {
		c.names[f.Name] = true
		c.report.Checked.IndexFiles++
		if err := c.indexFile(ctx, s, x, seg, f); err != nil {
			return err
		}
	}
	if whole {
		c.jobs = append(c.jobs, job{0, func(ctx context.Context) error { return c.openIndex(ctx, s, x, seg) }})
	}
	return nil
}

// files lists a folder, and folders in it.
func files(ctx context.Context, store storage.Store, dir string) ([]storage.Info, error) {
	objects, dirs, err := store.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	for _, d := range dirs {
		below, err := files(ctx, store, d)
		if err != nil {
			return nil, err
		}
		objects = append(objects, below...)
	}
	return objects, nil
}

// indexFile puts the columns of a file into jobs. Files that are no Lance files are left alone.
func (c *checker) indexFile(ctx context.Context, s *lancefmt.Snapshot, x *lancefmt.Index, seg *segment, info storage.Info) error {
	switch path.Ext(info.Name) {
	case ".lance", ".idx":
	default:
		return nil
	}
	p := c.ofSegment(s, x)
	p.File = info.Name
	r, err := openIndexFile(ctx, s.Store(), info.Name)
	if err != nil {
		seg.broken = true
		return c.fail(ctx, p, err)
	}
	defer r.Close()
	fields, err := r.Fields(ctx)
	if err != nil {
		seg.broken = true
		return c.fail(ctx, p, err)
	}
	columns, err := r.Columns(ctx)
	if err != nil {
		seg.broken = true
		return c.fail(ctx, p, err)
	}
	share := info.SizeBytes / int64(max(len(fields), 1))
	for _, field := range fields {
		starts := []int64{0}
		if i := field.Column; i >= 0 && i < len(columns) && len(field.Children) == 0 {
			for _, page := range columns[i].Pages {
				starts = append(starts, page.FirstRow)
			}
			slices.Sort(starts)
			starts = slices.Compact(starts)
		}
		if r.NumRows() == 0 {
			continue
		}
		c.total += share
		c.jobs = append(c.jobs, job{share, func(ctx context.Context) error {
			return c.indexColumn(ctx, s, x, seg, info, field.Name, starts, share)
		}})
	}
	return nil
}

func openIndexFile(ctx context.Context, store storage.Store, name string) (*file.Reader, error) {
	o, err := store.Open(ctx, name, -1)
	if err != nil {
		return nil, err
	}
	return file.Open(ctx, o)
}

// rowIDColumns are the names of columns of index files that hold row ids: of vector and full-text indices,
// and of BTREE.
var rowIDColumns = []string{"_rowid", "ids"}

// indexColumn decodes a column of an index file, and keeps the row ids in it.
func (c *checker) indexColumn(ctx context.Context, s *lancefmt.Snapshot, x *lancefmt.Index, seg *segment,
	info storage.Info, column string, starts []int64, onDisk int64) error {
	p := c.ofSegment(s, x)
	p.File, p.Column = info.Name, column
	r, err := openIndexFile(ctx, s.Store(), info.Name)
	if err != nil {
		return c.fail(ctx, p, err)
	}
	defer r.Close()
	var visit func(ctx context.Context, a arrow.Array) error
	if slices.Contains(rowIDColumns, column) {
		visit = func(_ context.Context, a arrow.Array) error {
			if ids, ok := a.(*array.Uint64); ok {
				seg.mu.Lock()
				defer seg.mu.Unlock()
				seg.rowIDs = true
				for i, id := range ids.Uint64Values() {
					if !ids.IsNull(i) {
						seg.rows.Add(id)
					}
				}
			}
			return nil
		}
	}
	width := float64(info.SizeBytes) / float64(max(r.NumRows(), 1))
	before := c.problems()
	err = c.decode(ctx, p, func(ctx context.Context, rows encoding.Range) (arrow.Array, error) {
		return r.ReadColumn(ctx, column, []encoding.Range{rows}, c.opts.Mem)
	}, visit, width, starts, 0, r.NumRows(), onDisk)
	if visit != nil && c.problems() != before {
		seg.mu.Lock()
		seg.broken = true
		seg.mu.Unlock()
	}
	return err
}

func (c *checker) problems() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.report.Checked.Errors + c.report.Checked.Warnings
}

// openIndex opens a segment as a search would, which compares its files with each other.
func (c *checker) openIndex(ctx context.Context, s *lancefmt.Snapshot, x *lancefmt.Index, seg *segment) error {
	p := c.ofSegment(s, x)
	kind, _ := index.Find(x.Kind)
	var err error
	switch {
	case kind.Vector:
		vectors, e := lanceidx.OpenWith(ctx, x.Store(), x.Dir(), lanceidx.Options{Mem: c.opts.Mem, Cache: lanceidx.NewCache(0)})
		if err = e; err == nil {
			err = vectors.Close()
		}
	case kind.Open != nil:
		err = c.openScalar(ctx, s, x, kind, seg)
	}
	// Kinds that cannot be searched yet are no finding: their files are decoded.
	if err == nil || fault.Is(err, fault.Unsupported) {
		return ctx.Err()
	}
	return c.fail(ctx, p, err)
}

func (c *checker) openScalar(ctx context.Context, s *lancefmt.Snapshot, x *lancefmt.Index, kind index.Kind, seg *segment) error {
	opened, err := index.Open(ctx, x.Store(), index.Description{Kind: x.Kind, Dir: x.Dir(), Details: x.Details,
		NoDetails: x.TypeURL == "", IndexVersion: x.IndexVersion,
		Files: x.Files, ColumnType: keyType(s, x)}, index.Options{Mem: c.opts.Mem})
	if err != nil {
		return err
	}
	defer opened.Close()
	seg.mu.Lock()
	seg.addresses = opened.Addresses()
	seg.mu.Unlock()
	if kind.Rows != index.RowsInSets {
		return nil
	}
	// The union of all sets is the rows that the index has.
	for _, p := range []index.Predicate{{Op: index.InRange}, {Op: index.IsNull}} {
		if !opened.Supports(p) {
			return nil
		}
		found, err := opened.Search(ctx, p)
		if err != nil {
			seg.mu.Lock()
			seg.broken = true
			seg.mu.Unlock()
			return err
		}
		seg.mu.Lock()
		seg.rows = seg.rows.Or(found.May)
		seg.rowIDs = true
		seg.mu.Unlock()
	}
	return nil
}

// keyType returns the type of the column that an index is on, nil if it was dropped.
func keyType(s *lancefmt.Snapshot, x *lancefmt.Index) arrow.DataType {
	m := s.Manifest()
	for i := range m.Indexes {
		if m.Indexes[i].UUID != x.UUID || len(m.Indexes[i].Fields) == 0 {
			continue
		}
		if f := m.Schema.Field(m.Indexes[i].Fields[0]); f != nil && f.Err == nil {
			return f.Type
		}
	}
	return nil
}

// indexRows compares the rows that indices have with those of a version.
func (c *checker) indexRows(ctx context.Context, s *lancefmt.Snapshot) error {
	reused := slices.ContainsFunc(s.Indexes(), func(x *lancefmt.Index) bool { return x.Kind == index.FragmentReuse.Name })
	for _, x := range s.Indexes() {
		seg := c.segments[fileKey{s.Store(), x.Dir()}]
		if seg == nil || !seg.rowIDs {
			continue
		}
		if s.HasStableRowIDs() && !seg.addresses {
			c.unknownIDs(s, x, seg)
		}
		for i, f := range s.Fragments() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := c.segmentRows(ctx, s, x, seg, f, i, reused); err != nil {
				return err
			}
		}
	}
	return nil
}

// unknownIDs tells of row ids in a segment that were not given away yet.
func (c *checker) unknownIDs(s *lancefmt.Snapshot, x *lancefmt.Index, seg *segment) {
	key := coverKey{segment: seg, deleted: "ids"}
	if c.covered[key] {
		return
	}
	c.covered[key] = true
	uppers := seg.rows.Uppers()
	if len(uppers) == 0 {
		return
	}
	upper := uppers[len(uppers)-1]
	if last, next := uint64(upper)<<32|uint64(seg.rows.Part(upper).Maximum()), s.Manifest().NextRowID; last >= next {
		c.addf(c.ofSegment(s, x), IndexRow, "the index has the row id %d, the next one to be given away is %d", last, next)
	}
}

// segmentRows compares a segment with fragment i of a version.
func (c *checker) segmentRows(ctx context.Context, s *lancefmt.Snapshot, x *lancefmt.Index, seg *segment,
	f *lancefmt.Fragment, i int, reused bool) error {
	covers := x.Fragments != nil && x.Fragments.Contains(f.ID())
	key := coverKey{segment: seg, fragment: f.ID(), rows: f.NumPhysicalRows()}
	if store, name, err := f.LocateDeletions(); err == nil && store != nil {
		key.deleted = name
	}
	if !covers {
		key.deleted += "\x00not covered"
	}
	if c.covered[key] {
		return nil
	}
	c.covered[key] = true
	p := c.ofSegment(s, x)
	id := f.ID()
	p.Fragment = &id
	byID := s.HasStableRowIDs() && !seg.addresses
	if !byID {
		part := seg.rows.Part(f.ID())
		if part != nil && int64(part.Maximum()) >= f.NumPhysicalRows() {
			c.addf(p, IndexRow, "the index has row %d of a fragment with %s", part.Maximum(), count(f.NumPhysicalRows(), "row"))
			return nil
		}
	}
	// The other kinds leave out rows, such as those whose value is NULL. Addresses in fragments that were compacted are
	// mapped to new ones when the index is read.
	if kind, _ := index.Find(x.Kind); !covers || seg.broken || reused && !byID || kind.Rows == index.RowsPartly {
		return nil
	}
	missing, err := c.missing(ctx, s, seg, f, i, byID)
	if err != nil || missing.IsEmpty() {
		return err
	}
	null, complete, err := c.allNull(ctx, x, f, missing)
	if err != nil {
		return c.told(ctx, err) // the column's pages are in jobs
	}
	c.lacking[coverKey{segment: seg, fragment: f.ID()}] = missing
	n := count(int64(missing.GetCardinality()), "row")
	if null {
		// Writers up to pylance 0.23 dropped them where indices were brought up to date.
		p.Severity = Warning
		n += " with NULL"
		if !complete {
			n += ", as far as was looked,"
		}
	}
	c.addf(p, IndexRows, "the index lacks %s of a fragment that it covers, the first is row %d", n, missing.Minimum())
	return nil
}

// missing returns the offsets of the rows of fragment i that are not deleted, and that a segment lacks; none where that
// cannot be told.
func (c *checker) missing(ctx context.Context, s *lancefmt.Snapshot, seg *segment, f *lancefmt.Fragment, i int,
	byID bool) (*roaring.Bitmap, error) {
	none := roaring.New()
	deleted, err := f.Deleted(ctx)
	if err != nil {
		return none, c.told(ctx, err)
	}
	if !byID {
		live := roaring.New()
		live.AddRange(0, uint64(f.NumPhysicalRows()))
		if deleted != nil {
			live.AndNot(deleted)
		}
		if part := seg.rows.Part(f.ID()); part != nil {
			live.AndNot(part)
		}
		return live, nil
	}
	x, err := c.rowSet(ctx, s, f, i)
	if err != nil || x.live == nil {
		return none, err
	}
	lacks := x.live.AndNot(seg.rows)
	if lacks.Len() == 0 {
		return none, nil
	}
	offsets := roaring.New()
	err = c.sequence(ctx, f, lancefmt.RowIDColumn, func(offset int64, id uint64) {
		if lacks.Contains(id) && (deleted == nil || !deleted.Contains(uint32(offset))) {
			offsets.Add(uint32(offset))
		}
	})
	if err != nil {
		return none, c.told(ctx, err)
	}
	return offsets, nil
}

// maxMissingRead bounds the rows whose values allNull reads.
const maxMissingRead = 1 << 16

// allNull reports whether the indexed column is NULL in the rows, and whether all of them were looked at.
func (c *checker) allNull(ctx context.Context, x *lancefmt.Index, f *lancefmt.Fragment, rows *roaring.Bitmap) (null,
	complete bool, err error) {
	if len(x.Fields) != 1 || strings.Contains(x.Fields[0], ".") {
		return false, true, nil
	}
	var ranges []encoding.Range
	complete = true
	it := rows.Iterator()
	for n := 0; it.HasNext(); n++ {
		if n == maxMissingRead {
			complete = false
			break
		}
		row := int64(it.Next())
		if k := len(ranges) - 1; k >= 0 && ranges[k].End == row {
			ranges[k].End++
		} else {
			ranges = append(ranges, encoding.Range{Start: row, End: row + 1})
		}
	}
	b, err := f.Read(ctx, lancefmt.Columns(x.Fields...), ranges, c.opts.Mem)
	if err != nil {
		return false, complete, err
	}
	defer b.Release()
	return b.Column(0).NullN() == b.Column(0).Len(), complete, nil
}

// orphans lists files of the table's folders that no version names.
func (c *checker) orphans(ctx context.Context) error {
	store := c.t.Store()
	lines, err := c.branches(ctx)
	if err != nil {
		return err
	}
	dirs := []string{""}
	for _, b := range lines {
		dirs = append(dirs, "tree/"+b+"/")
	}
	for _, dir := range dirs {
		for _, kind := range []string{"_versions/", "_transactions/", "data/", "_deletions/", "_indices/"} {
			list, err := files(ctx, store, dir+kind)
			if err != nil {
				return err
			}
			for _, f := range list {
				if !c.names[f.Name] && !c.known(strings.TrimPrefix(f.Name, dir), f.Name) {
					c.report.Unreferenced = append(c.report.Unreferenced, Unreferenced{f.Name, f.SizeBytes})
				}
			}
		}
	}
	slices.SortFunc(c.report.Unreferenced, func(a, b Unreferenced) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// known reports whether a file belongs there without being named: hints, detached versions, blobs.
func (c *checker) known(short, name string) bool {
	switch {
	case strings.HasPrefix(short, "_versions/"):
		base := path.Base(short)
		return base == "latest_version_hint.json" || strings.HasPrefix(base, "d") && strings.HasSuffix(base, ".manifest")
	case strings.HasSuffix(short, ".blob"):
		_, used := c.blobs[fileKey{c.t.Store(), name}]
		return used || c.blobHolders[path.Dir(name)+".lance"]
	}
	return false
}
