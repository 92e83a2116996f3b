package index

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// ZoneMap is the kind of index that has the bounds of the values in each zone of rows.
var ZoneMap = Kind{
	Name: "ZONEMAP", Details: "zonemapindexdetails", Version: 0, Open: openZoneMap,
	Ops: []Op{In, InRange, IsNull, Prefix}, Rank: 5, Addresses: always, Internal: []string{zoneNulls},
}

// A ZONEMAP index has a row per zone of rows_per_zone rows of a fragment, zonemap.lance: min | max |
// null_count | nan_count | fragment_id | zone_start | zone_length, all of it kept in memory. The metadata
// null_bitmap names the global buffer with the rows that are NULL; old writers did not record them.
//
// min and max leave NaNs out, except that max is NaN in a zone that has one. They are NULL in a zone
// without numbers, and in zones of types whose bounds the writer did not know: there the counts tell.
//
// Sources: docs "index/scalar/zonemap"; lance-index 14.0.2, scalar/zonemap.rs.
type zoneMap struct {
	*segment
	zones
	typ       keyType
	mins      *keys
	maxs      *keys
	nullCount []uint64
	nanCount  []uint64
	noNulls   bool // there are none, recorded or not
}

const zoneMapFile = "zonemap.lance"

func openZoneMap(ctx context.Context, s *segment) (Index, error) {
	f, err := s.open(ctx, zoneMapFile)
	if err != nil {
		return nil, err
	}
	field, err := f.field("min")
	if err != nil {
		return nil, err
	}
	x := &zoneMap{segment: s}
	if x.typ, err = columnKeys(s.desc, field.Type); err != nil {
		return nil, err
	}
	if other, err := f.field("max"); err != nil {
		return nil, err
	} else if !arrow.TypeEqual(other.Type, field.Type) {
		return nil, f.corruptf("column \"max\" has type %s, \"min\" %s", other.Type, field.Type)
	}
	limit := s.opts.MaxLookupBytes
	if x.mins, err = f.allKeys(ctx, "min", x.typ, limit); err != nil {
		return nil, err
	}
	if x.maxs, err = f.allKeys(ctx, "max", x.typ, limit); err != nil {
		return nil, err
	}
	if x.nullCount, err = f.unsigned(ctx, "null_count", limit); err != nil {
		return nil, err
	}
	if x.nanCount, err = f.unsigned(ctx, "nan_count", limit); err != nil {
		return nil, err
	}
	z, err := openZones(ctx, s, f)
	if err != nil {
		return nil, err
	}
	x.zones = *z
	x.noNulls = !slices.ContainsFunc(x.nullCount, func(n uint64) bool { return n > 0 })
	return x, nil
}

// numbers returns the span of the values of a zone that are not NULL or NaN, and whether it may have
// such.
func (x *zoneMap) numbers(i int) (span, bool) {
	if x.mins.null(i) || x.maxs.null(i) {
		return span{toEnd: true}, x.nullCount[i]+x.nanCount[i] < x.length[i]
	}
	s := span{lo: x.mins.at(i)}
	most := x.maxs.at(i)
	if x.typ.float() {
		if isNaNKey(s.lo) {
			s.lo = negInf
			if x.nullCount[i]+x.nanCount[i] >= x.length[i] {
				return span{}, false
			}
		}
		if isNaNKey(most) {
			most = posInf
		}
	}
	end, ok := x.typ.next(most)
	s.end, s.toEnd = end, !ok
	return s, true
}

// SizeBytes implements Index.
func (x *zoneMap) SizeBytes() int64 {
	return x.sizeBytes() + x.mins.sizeBytes() + x.maxs.sizeBytes() + int64(8*(len(x.nullCount)+len(x.nanCount)))
}

// Supports implements Index: In, InRange, IsNull, and Prefix where values have prefixes.
func (x *zoneMap) Supports(p Predicate) bool { return ordered(x.typ, p) }

// Search implements Index.
func (x *zoneMap) Search(ctx context.Context, p Predicate) (Answer, error) {
	if !x.Supports(p) {
		return Answer{}, errUnsupportedPredicate
	}
	if p.Op == IsNull {
		return x.isNull(func(i int) bool { return x.nullCount[i] > 0 }), nil
	}
	may := &RowSet{}
	err := x.hits(ctx, p, func(i int, _ bool) { x.add(may, i) })
	if err != nil {
		return Answer{}, err
	}
	return x.answer(may, x.noNulls), nil
}

// hits calls fn with each zone of which some row may satisfy a predicate that is not IsNull. whole says that by its bounds
// all of them do.
func (x *zoneMap) hits(ctx context.Context, p Predicate, fn func(i int, whole bool)) error {
	spans, err := x.typ.spans(p)
	if err != nil {
		return err
	}
	nan := x.typ.float() && slices.ContainsFunc(spans, func(s span) bool { return s.toEnd || s.end.word > posInf.word+1 })
	for i := range x.first {
		if i%4096 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		zone, ok := x.numbers(i)
		hit, all := false, true
		if ok {
			hit = slices.ContainsFunc(spans, func(s span) bool { return s.overlaps(zone) })
			all = hit && slices.ContainsFunc(spans, func(s span) bool { return s.covers(zone) })
		}
		if x.nanCount[i] > 0 {
			hit, all = hit || nan, all && nan
		}
		if hit {
			fn(i, all)
		}
	}
	return nil
}

func (s span) overlaps(o span) bool { return !s.below(o.lo) && !o.below(s.lo) }

func (s span) covers(o span) bool {
	return compareKeys(s.lo, o.lo) <= 0 && (s.toEnd || !o.toEnd && compareKeys(o.end, s.end) <= 0)
}

// Shares of the rows of a zone that a predicate is taken to hold for, if it holds for some and not surely for all.
const (
	zoneShareRange = 0.5
	zoneShareIn    = 0.01
)

// EstimateRows implements Estimator.
func (x *zoneMap) EstimateRows(ctx context.Context, p Predicate, _ int64) (found int64, ok bool, err error) {
	if !x.Supports(p) {
		return 0, false, nil
	}
	if p.Op == IsNull {
		for _, n := range x.nullCount {
			found += int64(n)
		}
		return found, true, nil
	}
	share := zoneShareRange
	if p.Op == In {
		share = zoneShareIn
	}
	var whole, part int64
	err = x.hits(ctx, p, func(i int, all bool) {
		if all {
			whole += int64(x.length[i] - min(x.length[i], x.nullCount[i]))
		} else {
			part += int64(x.length[i] - min(x.length[i], x.nullCount[i]))
		}
	})
	return whole + int64(share*float64(part)+0.5), err == nil, err
}
