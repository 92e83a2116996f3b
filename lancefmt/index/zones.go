package index

import (
	"context"
	"math"
	"sync"

	"lanceflight/internal/fault"
)

// zones are ranges of rows that ZONEMAP and BLOOMFILTER know something about:
// fragment_id | zone_start | zone_length, all u64. A length spans the offsets from the first row to the
// last, so rows that were deleted when the index was made are inside too.
//
// Source: lance-index 14.0.2, scalar/zoned.rs.
type zones struct {
	seg    *segment
	first  []uint64 // address of the first row
	length []uint64
	nulls  *RowSet // the rows that are NULL; nil if not recorded

	// known are the rows that lie in a zone, by their addresses today. Releases of Lance have cut zones short, by counting
	// rows that were not deleted instead of all rows, and have said that zones cover fragments to which updates or
	// compactions moved rows, without making zones of them.
	known func() *RowSet
}

// zoneNulls is the key of a file's metadata that names the global buffer with the rows that are NULL.
const zoneNulls = "null_bitmap"

// maxZoneRows bounds the rows of all zones of a segment, since the sets that searches return grow with it:
// 64 bytes for 65,536 rows.
const maxZoneRows = 1 << 36

func openZones(ctx context.Context, s *segment, f *indexFile) (*zones, error) {
	z := &zones{seg: s}
	limit := s.opts.MaxLookupBytes
	fragments, err := f.unsigned(ctx, "fragment_id", limit)
	if err != nil {
		return nil, err
	}
	starts, err := f.unsigned(ctx, "zone_start", limit)
	if err != nil {
		return nil, err
	}
	if z.length, err = f.unsigned(ctx, "zone_length", limit); err != nil {
		return nil, err
	}
	z.first = make([]uint64, len(fragments))
	var total uint64
	for i, fragment := range fragments {
		const most = math.MaxUint32 + 1
		if fragment > math.MaxUint32 || starts[i] >= most || z.length[i] > most-starts[i] {
			return nil, f.corruptf("zone %d is %d rows from row %d of fragment %d on", i, z.length[i], starts[i], fragment)
		}
		if total += z.length[i]; total > maxZoneRows {
			return nil, fault.New(fault.ResourceExhausted, "the zones of a scalar index have more than %d rows (%s)",
				uint64(maxZoneRows), f.name)
		}
		z.first[i] = fragment<<32 | starts[i]
	}
	z.nulls, err = f.rowSet(ctx, zoneNulls, nil)
	z.known = sync.OnceValue(func() *RowSet {
		known := &RowSet{}
		for i := range z.first {
			z.add(known, i)
		}
		return known.remap(s.desc.Remap)
	})
	return z, err
}

// Known returns the rows that lie in a zone, by their addresses today. The set is shared.
func (z *zones) Known() *RowSet { return z.known() }

// add collects zones.
func (z *zones) add(set *RowSet, i int) {
	if z.length[i] > 0 {
		lower := z.first[i] & math.MaxUint32
		set.part(uint32(z.first[i]>>32)).AddRange(lower, lower+z.length[i])
	}
}

// answer makes an answer of the rows in zones that may satisfy a predicate which is NULL for NULLs. No row is sure: bounds
// that were right when a zone was made hold for values that were changed in place since, if the writer did not make another
// zone. noNulls says that there are no NULLs though they are not recorded.
func (z *zones) answer(may *RowSet, noNulls bool) Answer {
	out := Answer{May: may, Sure: &RowSet{}}
	switch {
	case z.nulls != nil:
		out.May = may.AndNot(z.nulls)
		out.Nulls, out.NullsKnown = z.nulls, true
	case noNulls:
		out.Nulls, out.NullsKnown = &RowSet{}, true
	}
	return z.remap(out)
}

// remap brings the rows of an answer up to date.
func (z *zones) remap(a Answer) Answer {
	a.Known = z.known()
	if now := z.seg.desc.Remap; now != nil {
		a.May, a.Sure = a.May.remap(now), a.Sure.remap(now)
		if a.Nulls != nil {
			a.Nulls = a.Nulls.remap(now)
		}
	}
	return a
}

// isNull answers IsNull: exactly where NULLs are recorded, else by the zones that have some.
func (z *zones) isNull(some func(i int) bool) Answer {
	if z.nulls != nil {
		return z.remap(Answer{May: z.nulls, Sure: z.nulls, Nulls: &RowSet{}, NullsKnown: true})
	}
	may := &RowSet{}
	for i := range z.first {
		if some(i) {
			z.add(may, i)
		}
	}
	return z.remap(Answer{May: may, Sure: &RowSet{}, Nulls: &RowSet{}, NullsKnown: true})
}

func (z *zones) sizeBytes() int64 {
	n := int64(16 * len(z.first))
	if z.nulls != nil {
		n += z.nulls.sizeBytes()
	}
	return n
}
