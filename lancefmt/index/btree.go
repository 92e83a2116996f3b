package index

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
)

// BTree is the kind of index that has a column's values in order.
var BTree = Kind{
	Name: "BTREE", Details: "btreeindexdetails", Version: 1, Open: openBTree,
	Ops: []Op{In, InRange, IsNull, Prefix}, Rank: 0, Exact: true,
	Addresses: func(version int32) bool { return version >= btreeAddresses }, Rows: RowsInColumn,
	InFiles: func(has map[string]bool, _ arrow.DataType) bool { return has[btreeLookup] },
}

// A BTREE index is the column's values in order, cut into pages of batch_size rows, and a directory:
//
//	page_lookup.lance   min | max | null_count | page_idx     a row per page; kept in memory
//	page_data.lance     values | ids                          page p is rows [p·batch_size, (p+1)·batch_size)
//
// Writers before 1.0 call ids row_ids.
//
// NULLs come first, then values in the order of keys.go. min and max are a page's first and last value,
// so the min of a page that begins with NULLs is NULL, and the max too if it has nothing else.
//
// A range-partitioned index has its pages in part_{id}_page_data.lance, one file after the other as the
// metadata page_num_per_range_partition lists them, [[id, pages], …]; each file cuts its own pages. A
// segment of one worker that was never merged has both files under part_{id}_ names.
//
// Writers before 2.0, when they compacted a table with deleted rows, dropped the rows from page_data.lance
// and left the directory as it was, so that it describes pages that are no more (and they themselves
// miss rows then). Such a directory is made anew from the values, which are still in order. It is told
// by the number of pages, or by the metadata range_partitioned, which these writers do not have yet.
//
// Sources: docs "index/scalar/btree"; lance-index 14.0.2, scalar/btree.rs, BTreeIndex::load; what pylance
// 0.30, 0.39, 1.0 and 2.0 write.
type btree struct {
	*segment
	typ       keyType
	batch     int64
	parts     []btreePart
	ids       string // the column of row ids
	mins      *keys  // in order of pages' values
	maxs      *keys
	nullCount []uint64
	page      []uint64
	monotone  bool // mins and maxs of pages with values ascend, so both can be searched
	first     int  // the first row with values, if monotone
	nullRows  []int
}

// btreePart is a page file and the global numbers of its pages.
type btreePart struct {
	file       *indexFile
	start, end uint64
}

const (
	btreeLookup    = "page_lookup.lance"
	btreePages     = "page_data.lance"
	defaultBatch   = 4096
	maxBatch       = 1 << 20 // rows of a page, which is decoded whole
	btreeAddresses = 1       // index_version from which on ids are row addresses
)

// Parts of cache keys.
const (
	cacheKeys  = iota // *keys of page id
	cacheIDs          // []uint64 of page id
	cacheNulls        // *RowSet
	cacheRows         // *RowSet of key id
)

func openBTree(ctx context.Context, s *segment) (Index, error) {
	x := &btree{segment: s}
	prefix := ""
	lookup, err := s.open(ctx, btreeLookup)
	if fault.Is(err, fault.NotFound) {
		if prefix = singlePart(s); prefix != "" {
			lookup, err = s.open(ctx, prefix+btreeLookup)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := x.readLookup(ctx, lookup); err != nil {
		return nil, err
	}
	if err := x.openPages(ctx, lookup, prefix); err != nil {
		return nil, err
	}
	ambiguous := x.losesNulls()
	if x.outdated(lookup) {
		if err := x.renew(ctx); err != nil {
			return nil, err
		}
	}
	if ambiguous || x.losesNulls() {
		return nil, fault.New(fault.Unsupported,
			"a BTREE index of a column with NULLs in files of storage version 0.1, which do not tell them from values")
	}
	for i, p := range x.page {
		if part := x.part(p); part == nil {
			return nil, lookup.corruptf("row %d names page %d, which no file has", i, p)
		} else if start, end := x.pageRows(part, p); x.nullCount[i] > uint64(end-start) {
			return nil, lookup.corruptf("page %d of %d rows has %d NULLs", p, end-start, x.nullCount[i])
		}
	}
	x.order()
	return x, nil
}

// losesNulls reports whether the index has NULLs, by the directory, and its pages have storage version 0.1, where a NULL reads as 0,
// and an empty text as NULL. So wrote pylance up to 0.19.
func (x *btree) losesNulls() bool {
	return len(x.parts) > 0 && x.parts[0].file.legacy() && slices.ContainsFunc(x.nullCount, func(n uint64) bool { return n > 0 })
}

// outdated reports whether the directory may be of other pages than the file's.
func (x *btree) outdated(lookup *indexFile) bool {
	if len(x.parts) != 1 {
		return false
	}
	_, new := lookup.metadata["range_partitioned"]
	return !new || uint64(len(x.page)) != x.parts[0].end
}

// renew makes the directory from the pages.
func (x *btree) renew(ctx context.Context) error {
	part := x.parts[0]
	f := part.file
	limit := f.lookupBytes(x.opts.MaxLookupBytes)
	mins, maxs := new(keys), new(keys)
	x.nullCount, x.page = nil, nil
	for start := uint64(0); start < part.end; start += chunkPages {
		if err := ctx.Err(); err != nil {
			return err
		}
		var rows []encoding.Range
		for p := start; p < min(start+chunkPages, part.end); p++ {
			from, to := x.pageRows(&part, p)
			rows = append(rows, encoding.Range{Start: from, End: to})
		}
		pages, _, err := x.readKeys(ctx, f, rows)
		if err != nil {
			return err
		}
		for i, page := range pages {
			if err := errors.Join(mins.push(x.typ, page, 0), maxs.push(x.typ, page, page.n-1)); err != nil {
				return err
			}
			x.nullCount = append(x.nullCount, uint64(page.numNulls))
			x.page = append(x.page, start+uint64(i))
		}
		if n := mins.growingBytes() + maxs.growingBytes() + int64(16*len(x.page)); n > limit {
			return errLookup(limit, f.name)
		}
	}
	mins.seal()
	maxs.seal()
	x.mins, x.maxs = mins, maxs
	return nil
}

// singlePart returns the prefix of the files of an unmerged part, if the segment is one.
func singlePart(s *segment) string {
	var lookups, pages []string
	for _, f := range s.desc.Files {
		if name, ok := strings.CutSuffix(f.Path, btreeLookup); ok && strings.HasPrefix(name, "part_") {
			lookups = append(lookups, name)
		}
		if name, ok := strings.CutSuffix(f.Path, btreePages); ok && strings.HasPrefix(name, "part_") {
			pages = append(pages, name)
		}
	}
	if len(lookups) == 1 && slices.Equal(lookups, pages) {
		return lookups[0]
	}
	return ""
}

func (x *btree) readLookup(ctx context.Context, f *indexFile) (err error) {
	field, err := f.field("min")
	if err != nil {
		return err
	}
	if x.typ, err = columnKeys(x.desc, field.Type); err != nil {
		return err
	}
	if other, err := f.field("max"); err != nil {
		return err
	} else if !arrow.TypeEqual(other.Type, field.Type) {
		return f.corruptf("column \"max\" has type %s, \"min\" %s", other.Type, field.Type)
	}
	limit := x.opts.MaxLookupBytes
	if x.mins, err = f.allKeys(ctx, "min", x.typ, limit); err != nil {
		return err
	}
	if x.maxs, err = f.allKeys(ctx, "max", x.typ, limit); err != nil {
		return err
	}
	if x.nullCount, err = f.unsigned(ctx, "null_count", limit); err != nil {
		return err
	}
	if x.page, err = f.unsigned(ctx, "page_idx", limit); err != nil {
		return err
	}
	x.batch = defaultBatch
	if text, ok := f.metadata["batch_size"]; ok {
		n, err := parseUint(text, maxBatch)
		if err != nil || n == 0 {
			return f.corruptf("batch_size is %q", text)
		}
		x.batch = int64(n)
	}
	return nil
}

// columnKeys returns the keys of a segment's values, whose type its files tell.
func columnKeys(desc Description, t arrow.DataType) (keyType, error) {
	if want := desc.ColumnType; want != nil && !arrow.TypeEqual(plain(want), plain(t)) {
		return keyType{}, fault.New(fault.Unsupported, "a scalar index over %s for a column of type %s", t, want)
	}
	return newKeyType(t)
}

// plain drops what does not matter for keys: dictionaries and extensions.
func plain(t arrow.DataType) arrow.DataType {
	switch x := t.(type) {
	case *arrow.DictionaryType:
		return plain(x.ValueType)
	case arrow.ExtensionType:
		return plain(x.StorageType())
	}
	return t
}

func (x *btree) openPages(ctx context.Context, lookup *indexFile, prefix string) error {
	add := func(name string, pages uint64, counted bool) error {
		f, err := x.open(ctx, name)
		if err != nil {
			return err
		}
		field, err := f.field("values")
		if err != nil {
			return err
		}
		if !arrow.TypeEqual(plain(field.Type), plain(x.typ.typ)) {
			return f.corruptf("values have type %s, their bounds %s", field.Type, x.typ.typ)
		}
		if x.ids = "ids"; f.lacks(x.ids) {
			x.ids = "row_ids"
		}
		if _, err := f.field(x.ids, arrow.UINT64); err != nil {
			return err
		}
		have := uint64((f.rows + x.batch - 1) / x.batch)
		if counted && pages != have {
			return f.corruptf("%d pages where the directory has %d", have, pages)
		}
		start := uint64(0)
		if n := len(x.parts); n > 0 {
			start = x.parts[n-1].end
		}
		x.parts = append(x.parts, btreePart{f, start, start + have})
		return nil
	}
	if partitioned := lookup.metadata["range_partitioned"] == "true"; !partitioned || prefix != "" {
		return add(prefix+btreePages, 0, false)
	}
	var sizes [][2]uint64
	text := lookup.metadata["page_num_per_range_partition"]
	if err := json.Unmarshal([]byte(text), &sizes); err != nil {
		return lookup.corruptf("page_num_per_range_partition is %.100q: %v", text, err)
	}
	for _, part := range sizes {
		if err := add(fmt.Sprintf("part_%d_%s", part[0], btreePages), part[1], true); err != nil {
			return err
		}
	}
	return nil
}

func (x *btree) part(page uint64) *btreePart {
	i := sort.Search(len(x.parts), func(i int) bool { return x.parts[i].end > page })
	if i == len(x.parts) {
		return nil
	}
	return &x.parts[i]
}

// pageRows returns the rows of its file that a page takes.
func (x *btree) pageRows(part *btreePart, page uint64) (start, end int64) {
	start = int64(page-part.start) * x.batch
	return start, min(start+x.batch, part.file.rows)
}

// order finds out how the directory can be searched. Lance writes it in order; one that is not is
// searched row by row.
func (x *btree) order() {
	x.monotone = true
	x.first = len(x.page)
	prev := -1
	for i := range x.page {
		if x.nullCount[i] > 0 {
			x.nullRows = append(x.nullRows, i)
		}
		if x.maxs.null(i) {
			x.monotone = x.monotone && prev < 0
			continue
		}
		if prev < 0 {
			x.first = i
		} else if x.mins.null(i) || compareKeys(x.maxs.at(prev), x.maxs.at(i)) > 0 || compareKeys(x.min(prev), x.min(i)) > 0 {
			x.monotone = false
		}
		prev = i
	}
}

// min is the least value of a page that has values: unknown, so the least key, where NULLs come first.
func (x *btree) min(row int) key {
	if x.mins.null(row) {
		return key{}
	}
	return x.mins.at(row)
}

// SizeBytes implements Index.
func (x *btree) SizeBytes() int64 {
	return x.mins.sizeBytes() + x.maxs.sizeBytes() + int64(16*len(x.page)+8*len(x.nullRows)) + x.cachedBytes()
}

// Supports implements Index: In, InRange, IsNull, and Prefix where values have prefixes, all of them exactly.
func (x *btree) Supports(p Predicate) bool { return ordered(x.typ, p) }

// ordered reports whether a predicate is one that an order of values answers.
func ordered(t keyType, p Predicate) bool {
	switch p.Op {
	case IsNull:
		return true
	case In:
	case InRange:
		return validBounds(t, p.Low) && validBounds(t, p.High)
	case Prefix:
		if !t.text() || len(p.Values) != 1 {
			return false
		}
	default:
		return false
	}
	for _, v := range p.Values {
		if _, _, err := t.of(v); err != nil {
			return false
		}
	}
	return true
}

func validBounds(t keyType, b *Bound) bool {
	if b == nil {
		return true
	}
	_, _, err := t.of(b.Value)
	return err == nil
}

// visit is a page to look at, for some spans; whole if all of its values lie in one.
type visit struct {
	row        int
	start, end int
	whole      bool
}

// Search implements Index.
func (x *btree) Search(ctx context.Context, p Predicate) (Answer, error) {
	if !x.Supports(p) {
		return Answer{}, errUnsupportedPredicate
	}
	if p.Op == IsNull {
		nulls, err := x.nulls(ctx)
		return Answer{May: nulls, Sure: nulls, Nulls: &RowSet{}, NullsKnown: true}, err
	}
	spans, err := x.typ.spans(p)
	if err != nil {
		return Answer{}, err
	}
	rows, err := x.collect(ctx, x.visits(spans), spans)
	if err != nil {
		return Answer{}, err
	}
	out := Answer{May: rows, Sure: rows}
	if !p.SkipNulls {
		out.Nulls, err = x.nulls(ctx)
		out.NullsKnown = err == nil
	}
	return out, err
}

// errUnsupportedPredicate is what Search returns for a predicate that Supports refuses.
var errUnsupportedPredicate = fault.New(fault.Internal, "a scalar index was asked what it does not support")

func (x *btree) visits(spans []span) []visit {
	var out []visit
	if !x.monotone {
		for row := range x.page {
			if x.maxs.null(row) {
				continue
			}
			start := sort.Search(len(spans), func(i int) bool { return !spans[i].below(x.min(row)) })
			end := sort.Search(len(spans), func(i int) bool { return compareKeys(spans[i].lo, x.maxs.at(row)) > 0 })
			if start < end {
				out = append(out, visit{row: row, start: start, end: end})
			}
		}
	} else {
		for i, s := range spans {
			row := x.maxs.search(x.first, s.lo)
			for ; row < len(x.page) && !s.below(x.min(row)); row++ {
				if n := len(out); n > 0 && out[n-1].row == row {
					out[n-1].end = i + 1
				} else {
					out = append(out, visit{row: row, start: i, end: i + 1})
				}
			}
		}
	}
	for i := range out {
		v := &out[i]
		s := spans[v.start]
		v.whole = v.end == v.start+1 && x.nullCount[v.row] == 0 && !x.mins.null(v.row) &&
			compareKeys(s.lo, x.mins.at(v.row)) <= 0 && !s.below(x.maxs.at(v.row))
	}
	return out
}

// chunkPages is how many pages are read together: neighbours share reads, and what a search holds
// beside its answer stays bounded.
const chunkPages = 64

func (x *btree) collect(ctx context.Context, visits []visit, spans []span) (*RowSet, error) {
	var b rowSetBuilder
	for chunk := range slices.Chunk(visits, chunkPages) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		partial := make([]uint64, 0, len(chunk))
		all := make([]uint64, len(chunk))
		for i, v := range chunk {
			all[i] = x.page[v.row]
			if !v.whole {
				partial = append(partial, x.page[v.row])
			}
		}
		values, err := loadPages(ctx, x, cacheKeys, partial, x.readKeys)
		if err != nil {
			return nil, err
		}
		ids, err := loadPages(ctx, x, cacheIDs, all, x.readIDs)
		if err != nil {
			return nil, err
		}
		for i, v := range chunk {
			if v.whole {
				b.add(ids[i])
				continue
			}
			page := values[0]
			values = values[1:]
			if err := x.fits(page, v.row); err != nil {
				return nil, err
			}
			for _, s := range spans[v.start:v.end] {
				from, to := page.rows(page.numNulls, s)
				b.add(ids[i][from:to])
			}
		}
	}
	return b.finish(), nil
}

// fits checks that a page is the one that the directory describes.
func (x *btree) fits(page *keys, row int) error {
	if uint64(page.numNulls) == x.nullCount[row] && page.null(0) == x.mins.null(row) && page.null(page.n-1) == x.maxs.null(row) &&
		(page.null(0) || page.at(0) == x.mins.at(row)) && (page.null(page.n-1) || page.at(page.n-1) == x.maxs.at(row)) {
		return nil
	}
	return x.part(x.page[row]).file.corruptf("page %d is not what the directory says of it", x.page[row])
}

func (x *btree) nulls(ctx context.Context) (*RowSet, error) {
	if len(x.nullRows) == 0 {
		return &RowSet{}, nil
	}
	slot := cacheKey{owner: x.cacheID, part: cacheNulls}
	if v, ok := x.cache.get(slot); ok {
		return v.(*RowSet), nil
	}
	var b rowSetBuilder
	for chunk := range slices.Chunk(x.nullRows, chunkPages) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		pages := make([]uint64, len(chunk))
		for i, row := range chunk {
			pages[i] = x.page[row]
		}
		ids, err := loadPages(ctx, x, cacheIDs, pages, x.readIDs)
		if err != nil {
			return nil, err
		}
		for i, row := range chunk {
			b.add(ids[i][:x.nullCount[row]])
		}
	}
	set := b.finish()
	x.cache.put(slot, set, set.sizeBytes())
	return set, nil
}

// loadPages returns what the cache or the files have of pages, in order.
func loadPages[V any](ctx context.Context, x *btree, kind uint8, pages []uint64,
	read func(ctx context.Context, f *indexFile, rows []encoding.Range) ([]V, []int64, error),
) ([]V, error) {
	out := make([]V, len(pages))
	var missing []int
	for i, p := range pages {
		v, ok := x.cache.get(cacheKey{x.cacheID, uint32(p), kind})
		if ok {
			out[i] = v.(V)
		} else {
			missing = append(missing, i)
		}
	}
	// Ranges of one read ascend; a directory out of order may name pages in any.
	slices.SortFunc(missing, func(a, b int) int { return int(int64(pages[a]) - int64(pages[b])) })
	for len(missing) > 0 {
		part := x.part(pages[missing[0]])
		var rows []encoding.Range
		n := 0
		for ; n < len(missing) && pages[missing[n]] < part.end; n++ {
			start, end := x.pageRows(part, pages[missing[n]])
			if n > 0 && rows[n-1].End > start {
				break // the same page twice
			}
			rows = append(rows, encoding.Range{Start: start, End: end})
		}
		values, sizes, err := read(ctx, part.file, rows)
		if err != nil {
			return nil, err
		}
		for j, i := range missing[:n] {
			out[i] = values[j]
			x.cache.put(cacheKey{x.cacheID, uint32(pages[i]), kind}, values[j], sizes[j])
		}
		missing = missing[n:]
	}
	return out, nil
}

func (x *btree) readKeys(ctx context.Context, f *indexFile, rows []encoding.Range) ([]*keys, []int64, error) {
	k, err := f.keysOf(ctx, "values", x.typ, rows)
	if err != nil {
		return nil, nil, err
	}
	out, sizes := make([]*keys, len(rows)), make([]int64, len(rows))
	at := 0
	for i, r := range rows {
		page := k
		if len(rows) > 1 {
			page = k.slice(at, at+int(r.Len()))
		}
		if !page.sorted() {
			return nil, nil, f.corruptf("the values of rows %d to %d are not in order", r.Start, r.End)
		}
		out[i], sizes[i] = page, page.sizeBytes()
		at += int(r.Len())
	}
	return out, sizes, nil
}

func (x *btree) readIDs(ctx context.Context, f *indexFile, rows []encoding.Range) ([][]uint64, []int64, error) {
	ids, err := f.ids(ctx, x.ids, rows)
	if err != nil {
		return nil, nil, err
	}
	if x.desc.Remap != nil {
		for i, id := range ids {
			now, ok := x.desc.Remap(id)
			if !ok {
				now = droppedID
			}
			ids[i] = now
		}
	}
	out, sizes := make([][]uint64, len(rows)), make([]int64, len(rows))
	for i, r := range rows {
		out[i] = ids[:r.Len():r.Len()]
		if len(rows) > 1 {
			out[i] = slices.Clone(out[i]) // so that one page does not keep its neighbours
		}
		sizes[i] = 8*r.Len() + 24
		ids = ids[r.Len():]
	}
	return out, sizes, nil
}

// fewPages is the number of pages of which a part satisfies a predicate that are looked into; of more, half is taken to.
const fewPages = 4

// EstimateRows implements Estimator. Where few pages satisfy the predicate in part it reads their
// values, which the search needs too, and is exact. Else values of an In that do not fill a page
// are taken to be distinct.
func (x *btree) EstimateRows(ctx context.Context, p Predicate, _ int64) (found int64, ok bool, err error) {
	if !x.Supports(p) {
		return 0, false, nil
	}
	if p.Op == IsNull {
		for _, n := range x.nullCount {
			found += int64(n)
		}
		return found, true, nil
	}
	spans, err := x.typ.spans(p)
	if err != nil {
		return 0, false, err
	}
	var partial []visit
	var guess int64 // of the rows in partial
	for _, v := range x.visits(spans) {
		start, end := x.pageRows(x.part(x.page[v.row]), x.page[v.row])
		switch {
		case v.whole:
			found += end - start
			continue
		case p.Op == In:
			guess += int64(v.end - v.start)
		default:
			guess += (end - start) / 2
		}
		partial = append(partial, v)
	}
	if len(partial) > fewPages {
		if p.Op == In {
			guess = max(guess, int64(len(p.Values))) // neighbours are one span
		}
		return found + guess, true, nil
	}
	pages := make([]uint64, len(partial))
	for i, v := range partial {
		pages[i] = x.page[v.row]
	}
	values, err := loadPages(ctx, x, cacheKeys, pages, x.readKeys)
	if err != nil {
		return 0, false, err
	}
	for i, v := range partial {
		if err := x.fits(values[i], v.row); err != nil {
			return 0, false, err
		}
		for _, s := range spans[v.start:v.end] {
			from, to := values[i].rows(values[i].numNulls, s)
			found += int64(to - from)
		}
	}
	return found, true, nil
}

// NumRows is the number of rows that the index has, NULLs included. An index that has less than the fragments that it covers
// was damaged by its writer: such are known of versions before 2.0.
func (x *btree) NumRows() (rows int64) {
	for _, p := range x.parts {
		rows += p.file.rows
	}
	return rows
}
