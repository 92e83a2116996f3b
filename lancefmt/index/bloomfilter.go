package index

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
)

// BloomFilter is the kind of index that knows which values a zone of rows surely lacks.
var BloomFilter = Kind{
	Name: "BLOOMFILTER", Details: "bloomfilterindexdetails", Version: 0, Open: openBloomFilter,
	Ops: []Op{In, IsNull}, Rank: 4, Addresses: always, Internal: []string{zoneNulls},
}

// A BLOOMFILTER index has a row per zone of bloomfilter_item rows of a fragment, bloomfilter.lance:
// fragment_id | zone_start | zone_length | has_null | bloom_filter_data, the last a split-block filter
// (sbbf.go) of the zone's values, read when it is asked for. The metadata null_bitmap is as in ZONEMAP.
//
// A value is hashed as its little-endian bytes in the column's width, a string or binary as its bytes.
// Zeros of either sign hash differently, so both are looked for; NaNs have many forms, so NaN may be
// anywhere.
//
// Sources: docs "index/scalar/bloom_filter"; lance-index 14.0.2, scalar/bloomfilter.rs; lance-core
// 14.0.2, utils/bloomfilter.
type bloomFilter struct {
	*segment
	zones
	file    *indexFile
	typ     keyType // of the column, which the file does not tell
	width   int     // bytes of a value, 0 for strings and binaries
	hasNull []bool
	noNulls bool
}

const (
	bloomFile   = "bloomfilter.lance"
	bloomColumn = "bloom_filter_data"
)

func openBloomFilter(ctx context.Context, s *segment) (Index, error) {
	x := &bloomFilter{segment: s}
	if err := x.hashing(s.desc.ColumnType); err != nil {
		return nil, err
	}
	f, err := s.open(ctx, bloomFile)
	if err != nil {
		return nil, err
	}
	x.file = f
	if _, err := f.field(bloomColumn, arrow.BINARY, arrow.LARGE_BINARY); err != nil {
		return nil, err
	}
	z, err := openZones(ctx, s, f)
	if err != nil {
		return nil, err
	}
	x.zones = *z
	if _, err := f.field("has_null", arrow.BOOL); err != nil {
		return nil, err
	}
	x.noNulls = true
	return x, f.each(ctx, "has_null", func(arr arrow.Array) error {
		a := arr.(*array.Boolean)
		for i := range a.Len() {
			null := a.IsNull(i) || a.Value(i)
			x.hasNull = append(x.hasNull, null)
			x.noNulls = x.noNulls && !null
		}
		return nil
	})
}

// hashing finds out how values of the column are hashed.
func (x *bloomFilter) hashing(t arrow.DataType) error {
	if t == nil {
		return fault.New(fault.Internal, "a BLOOMFILTER index is opened without the column's type")
	}
	t = plain(t)
	switch t.ID() {
	case arrow.INT8, arrow.UINT8:
		x.width = 1
	case arrow.INT16, arrow.UINT16:
		x.width = 2
	case arrow.INT32, arrow.UINT32, arrow.FLOAT32, arrow.DATE32, arrow.TIME32:
		x.width = 4
	case arrow.INT64, arrow.UINT64, arrow.FLOAT64, arrow.DATE64, arrow.TIME64, arrow.TIMESTAMP:
		x.width = 8
	case arrow.STRING, arrow.LARGE_STRING, arrow.BINARY, arrow.LARGE_BINARY:
	default:
		return fault.New(fault.Unsupported, "a BLOOMFILTER index for a column of type %s", t)
	}
	var err error
	x.typ, err = newKeyType(t)
	return err
}

// hashes returns the hashes of which one is in the filter of every zone that has one of the values;
// anywhere is true if a value may hash to anything.
func (x *bloomFilter) hashes(values []any) (hashes []uint64, anywhere bool, err error) {
	for _, v := range values {
		k, at, err := x.typ.of(v)
		if err != nil {
			return nil, false, err
		}
		switch {
		case at != inside:
		case x.width == 0:
			hashes = append(hashes, xxHash64([]byte(k.str)))
		case x.typ.float():
			f := v.(float64)
			switch {
			case f != f:
				anywhere = true
			case f == 0:
				hashes = append(hashes, x.hashFloat(0), x.hashFloat(math.Copysign(0, -1)))
			case x.width == 8 || float64(float32(f)) == f:
				hashes = append(hashes, x.hashFloat(f))
			}
		default:
			if signed(x.typ.typ) {
				k.word ^= signBit
			}
			var b [8]byte
			binary.LittleEndian.PutUint64(b[:], k.word)
			if fits(k.word, x.width, signed(x.typ.typ)) {
				hashes = append(hashes, xxHash64(b[:x.width]))
			}
		}
	}
	return hashes, anywhere, nil
}

func (x *bloomFilter) hashFloat(f float64) uint64 {
	var b [8]byte
	if x.width == 4 {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(float32(f)))
	} else {
		binary.LittleEndian.PutUint64(b[:], math.Float64bits(f))
	}
	return xxHash64(b[:x.width])
}

func signed(t arrow.DataType) bool {
	switch t.ID() {
	case arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64:
		return false
	}
	return true
}

// fits reports whether a column of that width can have the value.
func fits(word uint64, width int, signed bool) bool {
	shift := 64 - 8*width
	if signed {
		return int64(word)<<shift>>shift == int64(word)
	}
	return word<<shift>>shift == word
}

// SizeBytes implements Index.
func (x *bloomFilter) SizeBytes() int64 {
	return x.sizeBytes() + int64(len(x.hasNull)) + x.cachedBytes()
}

// Supports implements Index: In, and IsNull, which is exact where NULLs are recorded.
func (x *bloomFilter) Supports(p Predicate) bool {
	return (p.Op == In || p.Op == IsNull) && ordered(x.typ, p)
}

// Search implements Index.
func (x *bloomFilter) Search(ctx context.Context, p Predicate) (Answer, error) {
	if !x.Supports(p) {
		return Answer{}, errUnsupportedPredicate
	}
	if p.Op == IsNull {
		return x.isNull(func(i int) bool { return x.hasNull[i] }), nil
	}
	hashes, anywhere, err := x.hashes(p.Values)
	if err != nil {
		return Answer{}, err
	}
	may := &RowSet{}
	switch {
	case anywhere:
		for i := range x.first {
			x.add(may, i)
		}
	case len(hashes) > 0:
		err = x.filters(ctx, func(i int, f sbbf) {
			for _, h := range hashes {
				if f.has(h) {
					x.add(may, i)
					return
				}
			}
		})
	}
	if err != nil {
		return Answer{}, err
	}
	return x.answer(may, x.noNulls), nil
}

// chunkFilters is how many filters are read together: 16 KiB each by default.
const chunkFilters = 64

// filters calls fn with the filter of each zone.
func (x *bloomFilter) filters(ctx context.Context, fn func(i int, f sbbf)) error {
	for start := 0; start < len(x.first); start += chunkFilters {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := min(start+chunkFilters, len(x.first))
		var missing []encoding.Range
		for i := start; i < end; i++ {
			if v, ok := x.cache.get(cacheKey{x.cacheID, uint32(i), cacheRows}); ok {
				fn(i, v.(sbbf))
			} else {
				missing = append(missing, encoding.Range{Start: int64(i), End: int64(i) + 1})
			}
		}
		if len(missing) == 0 {
			continue
		}
		err := x.file.read(ctx, bloomColumn, missing, func(arr arrow.Array) error {
			for j, at := range missing {
				f, err := x.filter(arr, j)
				if err != nil {
					return fmt.Errorf("row %d of column %q: %w", at.Start, bloomColumn, err)
				}
				x.cache.put(cacheKey{x.cacheID, uint32(at.Start), cacheRows}, f, int64(4*len(f)))
				fn(int(at.Start), f)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *bloomFilter) filter(arr arrow.Array, j int) (sbbf, error) {
	b, err := blobAt(arr, j)
	if err != nil {
		return nil, err
	}
	return newSBBF(b)
}
