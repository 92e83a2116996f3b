package index

import (
	"cmp"
	"context"
	"fmt"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"slices"
	"sort"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
)

// Bitmap is the kind of index that has the set of rows of each distinct value.
var Bitmap = Kind{
	Name: "BITMAP", Details: "bitmapindexdetails", Version: 0, Open: openBitmap,
	Ops: []Op{In, InRange, IsNull, Prefix}, Rank: 1, Exact: true, Rows: RowsInSets,
	InFiles: func(has map[string]bool, column arrow.DataType) bool {
		return has[bitmapLookup] && column != nil && !isList(column)
	},
}

func isList(t arrow.DataType) bool { return t.ID() == arrow.LIST || t.ID() == arrow.LARGE_LIST }

// A BITMAP index has a row per distinct value, bitmap_page_lookup.lance: keys | bitmaps. The keys are
// kept in memory, sorted here since old writers did not; the row sets (rowsetcodec.go) are read when
// they are asked for. A NULL key has the rows that are NULL. An index over an empty table has no rows.
//
// Writers before 0.36 lost the NULLs when they compacted a table. They do not record when they made an
// index, so one without that date and without a NULL key does not know of NULLs.
//
// Sources: docs "index/scalar/bitmap"; what pylance 0.23 writes; lance-index 14.0.2, scalar/bitmap.rs, BitmapIndex::load. Shards
// (part_{id}_bitmap_page_lookup.lance) are merged into that one file before an index is committed.
type bitmap struct {
	*segment
	keyRows
	nullsKnown bool
}

// keyRows is a file of row sets by key.
type keyRows struct {
	seg    *segment
	file   *indexFile
	typ    keyType
	column string // of row sets
	keys   *keys  // as the file has them
	order  []int32
	nulls  []int32 // rows with a NULL key
	decode func([]byte) (*RowSet, error)
}

const bitmapLookup = "bitmap_page_lookup.lance"

func openBitmap(ctx context.Context, s *segment) (Index, error) {
	f, err := s.open(ctx, bitmapLookup)
	if err != nil {
		return nil, err
	}
	field, err := f.field("keys")
	if err != nil {
		return nil, err
	}
	typ, err := columnKeys(s.desc, field.Type)
	if err != nil {
		return nil, err
	}
	rows, err := openKeyRows(ctx, s, f, typ, "keys", "bitmaps", decodeRowSet)
	if err != nil {
		return nil, err
	}
	return &bitmap{s, *rows, len(rows.nulls) > 0 || !s.desc.CreatedAt.IsZero()}, nil
}

func openKeyRows(ctx context.Context, s *segment, f *indexFile, typ keyType, keyColumn, rowColumn string,
	decode func([]byte) (*RowSet, error),
) (*keyRows, error) {
	if f.legacy() {
		return nil, fault.New(fault.Unsupported,
			"a %s index in a file of storage version 0.1, which does not tell NULL from a value", s.desc.Kind)
	}
	if _, err := f.field(rowColumn, arrow.BINARY, arrow.LARGE_BINARY); err != nil {
		return nil, err
	}
	k, err := f.allKeys(ctx, keyColumn, typ, s.opts.MaxLookupBytes)
	if err != nil {
		return nil, err
	}
	if s.desc.NoDetails && mixesNulls(k) {
		return nil, fault.New(fault.Unsupported, "a %s index by a writer whose compactions mixed NULL up with the zero value", s.desc.Kind)
	}
	x := &keyRows{seg: s, file: f, typ: typ, column: rowColumn, keys: k, decode: decode}
	for i := range k.n {
		if k.null(i) {
			x.nulls = append(x.nulls, int32(i))
		} else {
			x.order = append(x.order, int32(i))
		}
	}
	slices.SortStableFunc(x.order, func(a, b int32) int { return compareKeys(k.at(int(a)), k.at(int(b))) })
	return x, nil
}

// mixesNulls reports whether keys can have come from NULLs: in compactions pylance up to 0.19 gave rows with NULL to the empty text, and
// the other way round. No NULL and no zero is left as it was.
func mixesNulls(k *keys) bool {
	for i := range k.n {
		if k.null(i) {
			return true
		}
		v := k.at(i)
		if k.words == nil && strings.Trim(v.str, "\x00") == "" || k.words != nil &&
			(v.word == 0 || v.word == signBit || v.word == floatKey(0).word) ||
			v == decimal128Key(decimal128.Num{}) || v == decimal256Key(decimal256.Num{}) {
			return true
		}
	}
	return false
}

// find returns the rows of the file whose keys lie in spans.
func (x *keyRows) find(spans []span) []int32 {
	var out []int32
	for _, s := range spans {
		i := sort.Search(len(x.order), func(i int) bool { return compareKeys(x.keys.at(int(x.order[i])), s.lo) >= 0 })
		for ; i < len(x.order) && !s.below(x.keys.at(int(x.order[i]))); i++ {
			out = append(out, x.order[i])
		}
	}
	return out
}

// chunkSets is how many row sets are read together.
const chunkSets = 256

// each calls fn with the row set of each row, in ascending order of rows, which it sorts.
func (x *keyRows) each(ctx context.Context, rows []int32, fn func(row int32, set *RowSet)) error {
	slices.SortFunc(rows, cmp.Compare[int32])
	for chunk := range slices.Chunk(rows, chunkSets) {
		if err := ctx.Err(); err != nil {
			return err
		}
		sets := make([]*RowSet, len(chunk))
		var missing []int
		var ranges []encoding.Range
		for i, row := range chunk {
			if v, ok := x.seg.cache.get(x.slot(row)); ok {
				sets[i] = v.(*RowSet)
			} else {
				missing = append(missing, i)
				ranges = append(ranges, encoding.Range{Start: int64(row), End: int64(row) + 1})
			}
		}
		if len(missing) > 0 {
			err := x.file.read(ctx, x.column, ranges, func(arr arrow.Array) error {
				for j, i := range missing {
					set, err := x.set(arr, j)
					if err != nil {
						return fmt.Errorf("row %d of column %q: %w", chunk[i], x.column, err)
					}
					sets[i] = set
					x.seg.cache.put(x.slot(chunk[i]), set, set.sizeBytes())
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		for i, set := range sets {
			fn(chunk[i], set)
		}
	}
	return nil
}

func (x *keyRows) slot(row int32) cacheKey {
	return cacheKey{x.seg.cacheID, uint32(row), cacheRows}
}

func (x *keyRows) set(arr arrow.Array, i int) (*RowSet, error) {
	b, err := blobAt(arr, i)
	if err != nil {
		return nil, err
	}
	set, err := x.decode(b)
	if err != nil {
		return nil, err
	}
	return set.remap(x.seg.desc.Remap), nil
}

// union returns the rows of keys. A set that is returned alone is shared with the cache.
func (x *keyRows) union(ctx context.Context, rows []int32) (*RowSet, error) {
	var out *RowSet
	err := x.each(ctx, rows, func(_ int32, set *RowSet) {
		switch {
		case len(rows) == 1:
			out = set
		case out == nil:
			out = set.Clone()
		default:
			out.addAll(set)
		}
	})
	if out == nil {
		out = &RowSet{}
	}
	return out, err
}

func (x *keyRows) sizeBytes() int64 {
	return x.keys.sizeBytes() + int64(4*(len(x.order)+len(x.nulls)))
}

// SizeBytes implements Index.
func (x *bitmap) SizeBytes() int64 { return x.sizeBytes() + x.cachedBytes() }

// Supports implements Index: In, InRange, IsNull, and Prefix where values have prefixes, all of them exactly.
func (x *bitmap) Supports(p Predicate) bool {
	return (p.Op != IsNull || x.nullsKnown) && ordered(x.typ, p)
}

// Search implements Index.
func (x *bitmap) Search(ctx context.Context, p Predicate) (Answer, error) {
	if !x.Supports(p) {
		return Answer{}, errUnsupportedPredicate
	}
	var out Answer
	var err error
	if x.nullsKnown && (p.Op == IsNull || !p.SkipNulls) {
		if out.Nulls, err = x.union(ctx, slices.Clone(x.keyRows.nulls)); err != nil {
			return Answer{}, err
		}
		out.NullsKnown = true
	}
	if p.Op == IsNull {
		out.May, out.Sure, out.Nulls = out.Nulls, out.Nulls, &RowSet{}
		return out, nil
	}
	spans, err := x.typ.spans(p)
	if err != nil {
		return Answer{}, err
	}
	if out.May, err = x.union(ctx, x.find(spans)); err != nil {
		return Answer{}, err
	}
	out.Sure = out.May
	return out, nil
}

// fewKeys is the number of row sets that are counted one by one; of more, each is taken for one of average size.
const fewKeys = 64

func (x *keyRows) estimate(ctx context.Context, keys []int32, rows int64) (found int64, err error) {
	if len(keys) > fewKeys {
		return int64(float64(rows) * float64(len(keys)) / float64(x.keys.n)), nil
	}
	err = x.each(ctx, slices.Clone(keys), func(_ int32, set *RowSet) { found += set.Len() })
	return min(found, rows), err
}

// EstimateRows implements Estimator.
func (x *bitmap) EstimateRows(ctx context.Context, p Predicate, rows int64) (found int64, ok bool, err error) {
	if !x.Supports(p) {
		return 0, false, nil
	}
	keys := x.keyRows.nulls
	if p.Op != IsNull {
		spans, err := x.typ.spans(p)
		if err != nil {
			return 0, false, err
		}
		keys = x.find(spans)
	}
	found, err = x.estimate(ctx, keys, rows)
	return found, err == nil, err
}
