// Package index reads the scalar indices of Lance tables: BTREE, BITMAP, LABEL_LIST, NGRAM, ZONEMAP and BLOOMFILTER.
//
//	Open(store, description) ──> Index ──Search(predicate)──> Answer: which rows satisfy it, which may
//
// An Index is one segment. It answers for the rows that it has, by row id or by row address (see
// Index.Addresses; the two are one in tables without stable row ids); rows that were deleted since, and
// fragments that are gone, are the caller's to drop.
//
// An Index is safe for concurrent use. It keeps the directory of its files in memory (the bounds of
// pages and zones, the keys of bitmaps) and what it read below it in a cache of bounded size. Nothing
// that it returns aliases a file.
//
// What there is to know of each kind stands in its own file, as a Kind; kind.go lists them. Kinds that are known by name
// only are in unread.go, those of vectors in vector.go.
//
// Start reading with kind.go and btree.go; keys.go has the order of values, rowset.go the sets.
package index

import (
	"context"
	"path"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

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
	// SkipNulls says that the caller has no use for Answer.Nulls, which can cost reads of their own.
	SkipNulls bool
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
//
// Known are the rows that the answer is about, where the index may lack rows of the fragments that it covers: of any other row
// it says nothing. It is nil where the index has all of them.
type Answer struct {
	May, Sure  *RowSet
	Nulls      *RowSet
	NullsKnown bool
	Known      *RowSet
}

// Index is an open segment.
type Index interface {
	// Supports reports whether Search can say anything about a predicate, without reading files.
	Supports(p Predicate) bool
	// Search answers a predicate that is supported. Damaged files are a fault.CorruptError.
	Search(ctx context.Context, p Predicate) (Answer, error)
	// Addresses reports whether answers are row addresses where the table has stable row ids; see Kind.Addresses.
	Addresses() bool
	// SizeBytes estimates the memory that the index holds now, without a cache that it shares.
	SizeBytes() int64
	// Close closes its files, after the last Search.
	Close() error
}

// Estimator is implemented by indices that can tell how many rows a search would find, about, for much less than the search:
// BTREE and ZONEMAP from memory, BITMAP and LABEL_LIST from row sets that they read and keep.
type Estimator interface {
	// EstimateRows is the number of rows in Answer.May, of the rows of the index; ok is false if that is not known. Errors
	// are those of Search.
	EstimateRows(ctx context.Context, p Predicate, rows int64) (found int64, ok bool, err error)
}

// Description says what Open opens.
type Description struct {
	Kind         string            // the name of a Kind with Open
	Dir          string            // the segment's folder in the store, "_indices/UUID"
	Details      []byte            // the message of IndexMetadata.index_details
	NoDetails    bool              // index_details is absent: by pylance up to 0.19
	IndexVersion int32             // IndexMetadata.index_version
	CreatedAt    time.Time         // as recorded; zero by writers before 0.36
	Files        []table.IndexFile // as recorded; may be empty
	ColumnType   arrow.DataType    // of the indexed column; nil accepts what the files have
	// Remap translates a row id of the files to today's, or reports that the row is gone; nil if ids
	// are as they were. For indices that a fragment reuse index applies to.
	Remap func(id uint64) (uint64, bool)
}

// Options are the bounds of an index.
type Options struct {
	Mem memory.Allocator // for arrays while they are decoded; nil is the Go heap
	// Cache keeps what was read, for all indices that are given it; nil makes a cache of CacheBytes
	// for this index alone (0: 32 MiB).
	Cache      *Cache
	CacheBytes int64
	// MaxLookupBytes bounds the directory that an index keeps in memory; 0 is 1 GiB. A larger index is
	// fault.ResourceExhausted.
	MaxLookupBytes int64
}

const (
	defaultCacheBytes     = 32 << 20
	defaultMaxLookupBytes = 1 << 30
)

// Open opens one segment and reads the directory of its files. Kinds that this package does not read,
// and versions of them that are newer than it, are fault.Unsupported.
func Open(ctx context.Context, store storage.Store, desc Description, opts Options) (Index, error) {
	kind, _ := Find(desc.Kind)
	if kind.Open == nil {
		return nil, fault.New(fault.Unsupported, "scalar index of kind %s", desc.Kind)
	}
	if v := desc.IndexVersion; v < 0 || v > kind.Version {
		return nil, fault.New(fault.Unsupported, "%s index of version %d; versions up to %d are", desc.Kind, v, kind.Version)
	}
	if opts.Mem == nil {
		opts.Mem = memory.DefaultAllocator
	}
	if opts.MaxLookupBytes == 0 {
		opts.MaxLookupBytes = defaultMaxLookupBytes
	}
	s := &segment{kind: kind, store: store, desc: desc, opts: opts, cache: opts.Cache}
	if s.cache == nil {
		bytes := opts.CacheBytes
		if bytes == 0 {
			bytes = defaultCacheBytes
		}
		s.cache, s.ownCache = NewCache(bytes), true
	}
	s.cacheID = s.cache.newOwner()
	x, err := kind.Open(ctx, s)
	if err != nil {
		s.Close()
		return nil, err
	}
	return x, nil
}

// segment is what the kinds share: the files of a segment and where to keep what was read of them.
type segment struct {
	kind     Kind
	store    storage.Store
	desc     Description
	opts     Options
	cache    *Cache
	cacheID  uint64
	ownCache bool
	files    []*indexFile
}

// Addresses implements Index.
func (s *segment) Addresses() bool { return s.kind.namesAddresses(s.desc.IndexVersion) }

// open opens a file of the segment; Close closes it.
func (s *segment) open(ctx context.Context, name string) (*indexFile, error) {
	size := int64(-1)
	for _, f := range s.desc.Files {
		if f.Path == name {
			size = f.SizeBytes
		}
	}
	f, err := openIndexFile(ctx, s.store, path.Join(s.desc.Dir, name), size, s.opts.Mem)
	if err != nil {
		return nil, err
	}
	s.files = append(s.files, f)
	return f, nil
}

// Close implements Index.
func (s *segment) Close() error {
	var first error
	for _, f := range s.files {
		if err := f.reader.Close(); err != nil && first == nil {
			first = err
		}
	}
	s.files = nil
	if s.cache != nil {
		s.cache.drop(s.cacheID)
	}
	return first
}

// cachedBytes is what the segment's own cache holds.
func (s *segment) cachedBytes() int64 {
	if !s.ownCache {
		return 0
	}
	return s.cache.SizeBytes()
}
