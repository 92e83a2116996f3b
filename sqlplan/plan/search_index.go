package plan

import (
	"fmt"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
	"lanceflight/sqlplan/settings"
	"lanceflight/vecindex"
)

// UnusableIndex is the error of a search that was told to use an index of which a segment cannot be read. Its kind is that of err.
func UnusableIndex(x *lancefmt.Index, err error) error {
	return fmt.Errorf("use_index=true was asked for, but index %s cannot be used (segment %s): %w", x.Name, x.UUID, err)
}

// IsVectorIndex reports whether an index on a column of vectors is one to search. Kinds that are not known
// are: when they are opened, that is found out and said.
func IsVectorIndex(x *lancefmt.Index) bool {
	kind, _ := index.Find(x.Kind)
	return kind.Vector
}

// ExactLimit is the number of survivors of a filter up to which comparing each one's vector costs less than an index: a read and a
// comparison take about a microsecond, and an index that has to probe on until k survivors are found scans the more codes
// the fewer survivors there are. partitions are those of the segments.
func ExactLimit(k int, o settings.SearchOptions, partitions []int) int {
	const mostExpected = 20_000
	limit := max(1000, 4*k*max(1, o.RefineFactor))
	probes := o.NProbes
	if probes <= 0 {
		probes = vecindex.DefaultNProbes
	}
	for _, n := range partitions {
		// With fewer survivors than this, the partitions probed at first are expected to have less than k.
		expected := float64(k) * float64(n) / float64(probes)
		limit = max(limit, int(min(expected, mostExpected)))
	}
	return limit
}
