package lanceidx

import (
	"context"

	"lanceflight/lancefmt/index"
	"lanceflight/vecindex"
)

// Auditor compares a vector index with its column as scalar indices are compared with theirs; ok is false if the index
// cannot be compared.
func Auditor(x vecindex.Index) (a index.Auditor, ok bool) {
	v, ok := x.(vecindex.Auditor)
	return vectorAuditor{v}, ok
}

type vectorAuditor struct{ vecindex.Auditor }

// Audit implements index.Auditor.
func (a vectorAuditor) Audit(ctx context.Context, ids *index.RowSet) (index.Audit, error) {
	return a.Auditor.Audit(ctx, func(yield func(id uint64) bool) {
		for _, upper := range ids.Uppers() {
			for it := ids.Part(upper).Iterator(); it.HasNext(); {
				chunk := it.Next() >> 16
				if !yield(uint64(upper)<<32 | uint64(chunk)<<16) {
					return
				}
				if chunk == 1<<16-1 {
					break
				}
				it.AdvanceIfNeeded((chunk + 1) << 16)
			}
		}
	})
}
