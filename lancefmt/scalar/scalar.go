// Package scalar reads the scalar indices of Lance tables: BTREE, BITMAP, LABEL_LIST, NGRAM, ZONEMAP and BLOOMFILTER.
//
//	Open(store, description) ──> Index ──Search(predicate)──> Answer: which rows satisfy it, which may
//
// An Index is one segment. It answers for the rows that it has, by row id (the row address in tables
// without stable row ids); rows that were deleted since, and fragments that are gone, are the caller's
// to drop. An Index is safe for concurrent use and holds a bounded number of bytes beside the cache it is given.
package scalar

import "context"

// Op is what a predicate asks of the indexed column's value v.
type Op int

// The operators. With a NULL value each of them but IsNull is NULL.
const (
	In       Op = iota // v equals one of Values (none is NULL); NaN equals NaN
	InRange            // Low and High, either of which may be nil; NaN is above every number
	IsNull             // v is NULL
	HasAny             // the list v has one of Values (array_has, array_has_any)
	HasAll             // the list v has all of Values
	Contains           // the string v contains Values[0]
	Prefix             // the string or binary v starts with Values[0]
)

// Predicate is a condition on the indexed column.
//
// Values and bounds are Go values by the type of the column (of its items for lists), as in
// expr.Literal: bool; int64 for signed integers and dates, times, timestamps and durations in the column's unit;
// uint64; float64 for all floats; string; []byte; decimal128.Num (of the column's scale). The caller has
// cast them without loss; a value outside of the column's range is legal and equals nothing.
type Predicate struct {
	Op        Op
	Values    []any
	Low, High *Bound
}

// Bound is an end of a range.
type Bound struct {
	Value     any
	Inclusive bool
}

// Answer says for which rows of the index a predicate is true. A row outside of May is not true (it is false or NULL). A row in
// Sure is true. Sure is a subset of May; the rows between them have to be looked at.
//
// Nulls are the rows for which the predicate is NULL, if NullsKnown: then rows of the index outside of May and
// Nulls are surely false, which is what NOT needs. Rows in Nulls are never in Sure. The sets are shared: do not change them.
type Answer struct {
	May, Sure  *RowSet
	Nulls      *RowSet
	NullsKnown bool
}

// Index is an open segment.
type Index interface {
	// Supports reports whether Search can say anything about a predicate, without reading files.
	Supports(p Predicate) bool
	// Search answers a predicate that is supported. Damaged files are a fault.CorruptError.
	Search(ctx context.Context, p Predicate) (Answer, error)
	// SizeBytes estimates the memory that the index holds now.
	SizeBytes() int64
	// Close closes its files, after the last Search.
	Close() error
}
