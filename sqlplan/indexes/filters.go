package indexes

import (
	"hash/maphash"
	"reflect"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/internal/cache"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/expr"
)

// Filter is a filter over some fragments of a version: neither changes, so the rows that pass do not
// either.
type Filter struct {
	snap    *lancefmt.Snapshot
	frags   []*lancefmt.Fragment
	columns []lancefmt.ColumnRef
	cond    expr.Expr
	hash    filterHash
}

// NewFilter makes a filter that can be asked about. columns are what cond reads,
// by the ids that they have in it: 1 and on. cond has no parameters, and is not volatile.
func NewFilter(snap *lancefmt.Snapshot, frags []*lancefmt.Fragment, columns []lancefmt.ColumnRef, cond expr.Expr) *Filter {
	return &Filter{snap, frags, columns, cond, hashFilter(snap, frags, cond)}
}

func (f *Filter) same(o *Filter) bool {
	return f.snap == o.snap && slices.Equal(f.frags, o.frags) && slices.Equal(f.columns, o.columns) && expr.Equal(f.cond, o.cond)
}

// filterHash is equal for equal filters, and seldom for others: of those that meet in one, the last is
// kept.
type filterHash struct {
	snap *lancefmt.Snapshot
	sum  uint64
}

var filterSeed = maphash.MakeSeed()

func hashFilter(snap *lancefmt.Snapshot, frags []*lancefmt.Fragment, cond expr.Expr) filterHash {
	var h maphash.Hash
	h.SetSeed(filterSeed)
	maphash.WriteComparable(&h, len(frags))
	if len(frags) > 0 {
		maphash.WriteComparable(&h, frags[0])
	}
	expr.Walk(cond, func(e expr.Expr) bool {
		maphash.WriteComparable(&h, reflect.TypeOf(e))
		switch x := e.(type) {
		case *expr.Column:
			maphash.WriteComparable(&h, x.ID)
		case *expr.Compare:
			h.WriteString(x.Op)
		case *expr.Literal:
			// Vectors are values too, and are not comparable.
			if t := reflect.TypeOf(x.Value); t != nil && t.Comparable() {
				maphash.WriteComparable(&h, x.Value)
			}
		}
		return true
	})
	return filterHash{snap, h.Sum64()}
}

// RowsByFragment are rows of fragments, by offset. Fragments without rows may be missing.
type RowsByFragment map[*lancefmt.Fragment]*roaring.Bitmap

// Count is the number of rows.
func (r RowsByFragment) Count() (n int64) {
	for _, b := range r {
		n += int64(b.GetCardinality())
	}
	return n
}

// SizeBytes is the memory of the bitmaps, about.
func (r RowsByFragment) SizeBytes() (n int64) {
	for _, b := range r {
		n += int64(b.GetSizeInBytes())
	}
	return n
}

// Bounds of the filters kept: a search with the same filter and another vector comes soon or not at all.
const (
	maxFilters     = 16
	maxFilterBytes = 16 << 20
)

type keptFilter struct {
	filter *Filter
	rows   RowsByFragment
}

func newFilters() *cache.Cache[filterHash, keptFilter] {
	return cache.New(cache.Options[filterHash, keptFilter]{
		MaxBytes:      maxFilterBytes,
		MaxEntries:    maxFilters,
		MaxEntryBytes: maxFilterBytes / 4,
		Cost:          func(_ filterHash, k keptFilter) int64 { return k.rows.SizeBytes() + 1024 },
	})
}

// RowsOf returns the rows that pass a filter if a search before has found them. They are shared, and must
// not be changed. A nil filter has none.
func (c *Cache) RowsOf(f *Filter) (RowsByFragment, bool) {
	if f == nil {
		return nil, false
	}
	k, ok := c.filters.Get(f.hash)
	if !ok || k.filter != f && !k.filter.same(f) {
		return nil, false
	}
	return k.rows, true
}

// KeepRowsOf keeps the rows that pass a filter, which must not be changed any more. It does nothing for a
// nil filter, and for rows that would push out all others.
func (c *Cache) KeepRowsOf(f *Filter, rows RowsByFragment) {
	if f != nil {
		c.filters.Put(f.hash, keptFilter{f, rows})
	}
}
