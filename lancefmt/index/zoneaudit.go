package index

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// zoneAudit looks whether each row's value may stand in one of the zones that the row lies in.
type zoneAudit struct {
	zones *zones
	typ   keyType
	order []int  // of zones by their first row
	most  uint64 // rows of the longest zone
	// holds reports whether a zone may have a value, and hasNull whether it may have NULL.
	holds   func(zone int, k key) bool
	hasNull func(zone int) bool
}

func (z *zones) audit(t keyType, holds func(zone int, k key) bool, hasNull func(zone int) bool) (Audit, error) {
	if z.seg.desc.Remap != nil {
		return nil, fault.New(fault.Unsupported, "zones of rows that a compaction has moved since are not compared with their column")
	}
	a := &zoneAudit{zones: z, typ: t, holds: holds, hasNull: hasNull}
	for i, n := range z.length {
		a.order, a.most = append(a.order, i), max(a.most, n)
	}
	slices.SortFunc(a.order, func(i, j int) int { return cmp.Compare(z.first[i], z.first[j]) })
	return a, nil
}

// Wrong implements Audit.
func (a *zoneAudit) Wrong(ctx context.Context, values arrow.Array, ids []uint64, wrong func(i int)) error {
	k, err := columnValues(a.typ, values)
	if err != nil {
		return err
	}
	for i, id := range ids {
		null := k.null(i)
		ok := a.zones.nulls == nil || a.zones.nulls.Contains(id) == null
		if ok {
			ok = a.some(id, func(zone int) bool {
				if null {
					return a.zones.nulls != nil || a.hasNull(zone)
				}
				return a.holds(zone, k.at(i))
			})
		}
		if !ok {
			wrong(i)
		}
	}
	return ctx.Err()
}

// some reports whether it is so for some zone that a row lies in.
func (a *zoneAudit) some(addr uint64, is func(zone int) bool) bool {
	z := a.zones
	i, _ := slices.BinarySearchFunc(a.order, addr, func(zone int, addr uint64) int {
		if z.first[zone] <= addr {
			return -1
		}
		return 1
	})
	for i--; i >= 0 && addr-z.first[a.order[i]] < a.most; i-- {
		if zone := a.order[i]; addr-z.first[zone] < z.length[zone] && is(zone) {
			return true
		}
	}
	return false
}

// Audit implements Auditor.
func (x *zoneMap) Audit(context.Context, *RowSet) (Audit, error) {
	holds := func(zone int, k key) bool {
		if x.typ.float() && isNaNKey(k) {
			return x.nanCount[zone] > 0
		}
		s, ok := x.numbers(zone)
		return ok && compareKeys(s.lo, k) <= 0 && !s.below(k)
	}
	return x.zones.audit(x.typ, holds, func(zone int) bool { return x.nullCount[zone] > 0 })
}

// Audit implements Auditor. The filters of all zones are held at once.
func (x *bloomFilter) Audit(ctx context.Context, _ *RowSet) (Audit, error) {
	filters := make([]sbbf, len(x.first))
	if err := x.filters(ctx, func(i int, f sbbf) { filters[i] = f }); err != nil {
		return nil, err
	}
	holds := func(zone int, k key) bool {
		for _, h := range x.hashesOf(k) {
			if filters[zone].has(h) {
				return true
			}
		}
		return x.typ.float() && isNaNKey(k)
	}
	return x.zones.audit(x.typ, holds, func(zone int) bool { return x.hasNull[zone] })
}

// hashesOf are the hashes that a value of the column may have.
func (x *bloomFilter) hashesOf(k key) []uint64 {
	v := any(k.str)
	switch {
	case x.width == 0:
	case x.typ.float():
		bits := k.word &^ signBit
		if k.word&signBit == 0 {
			bits = ^k.word
		}
		v = math.Float64frombits(bits)
	case signed(x.typ.typ):
		v = int64(k.word ^ signBit)
	default:
		v = k.word
	}
	hashes, _, err := x.hashes([]any{v})
	if err != nil {
		return nil
	}
	return hashes
}
