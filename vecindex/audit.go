package vecindex

import (
	"context"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
)

// Auditor is implemented by indices that can be compared with the column that they are on. Writers have left indices with
// the vector that a row had before an update, beside its new one or instead of it.
type Auditor interface {
	// Audit reads all partitions and keeps eight bytes for each row whose id, less its lower sixteen bits, is in ids.
	Audit(ctx context.Context, ids iter.Seq[uint64]) (Audit, error)
}

// Audit is a comparison of an index with its column.
type Audit interface {
	// Wrong calls wrong for each i whose row rowIDs[i] has other entries than the value i of vectors accounts for, which is a
	// vector or a list of vectors: another number of them or, in an index that has whole vectors, entries at other distances
	// from a place that the audit has chosen. That a quantised index has one entry of another vector is not seen.
	Wrong(ctx context.Context, vectors arrow.Array, rowIDs []uint64, wrong func(i int)) error
}
