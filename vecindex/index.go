package vecindex

import "context"

// DefaultNProbes is the number of partitions searched when Params.NProbes is 0.
const DefaultNProbes = 20

// DefaultEF is the least number of candidates kept in the walk of a graph when Params.EF is 0.
const DefaultEF = 100

// Index is a vector index over one column of one table: what one uuid below _indices holds. A
// logical index of several segments is several of these, whose results MergeHits puts together.
// It is safe for concurrent use.
type Index interface {
	Metric() Metric
	// Dim is the number of dimensions of the indexed vectors.
	Dim() int
	NumPartitions() int
	// NumRows counts the rows in the index; rows with NULL vectors are not in it.
	NumRows() int64
	// Kind is the name of the index type, "IVF_PQ" or "IVF_FLAT".
	Kind() string
	// DistanceScale is what Search multiplies distances with, compared to the metric's own: 2 for
	// a quantised cosine index, whose distances are squared L2 distances of normalised vectors,
	// else 1. Hits of Search must be divided by it (or refined) before they are merged with exact
	// distances.
	DistanceScale() float32
	// Approximate reports whether distances are estimates, which refining would correct.
	Approximate() bool
	// Search returns the nearest rows, see Params and Result. A query of another dimension, or one
	// that holds NaN or an infinity, is fault.InvalidArgument. The index keeps no reference to query.
	Search(ctx context.Context, query []float32, p Params) (Result, error)
	// SearchBatch is Search for several queries, each with a Result of its own, by fewer passes over the index. An error of one query is
	// the error of all.
	SearchBatch(ctx context.Context, queries [][]float32, p Params) ([]Result, error)
	// Close releases the index's files. It is idempotent; searches that still run may fail.
	Close() error
}

// Params are the knobs of one search.
type Params struct {
	// K is the number of hits wanted, refine factor included; 0 yields none.
	K int
	// NProbes is the number of partitions to search, nearest centroid first; 0 means
	// DefaultNProbes. More than the index has means all.
	NProbes int
	// MaxNProbes bounds the probing that goes on behind NProbes while a filter has left fewer than
	// K hits; 0 means every partition. Below NProbes it has no effect.
	MaxNProbes int
	// Widen is how many times NProbes partitions are searched at most, so that as many rows pass the filter as the first NProbes
	// partitions have; 0 and 1 stop at K. What lies near a query lies in few partitions, but the nearest rows of those that
	// pass lie in more of them, the fewer pass.
	Widen int
	// EF is how many candidates are kept while the graph of a partition is walked, at least K; 0 means one and a half times K, at least
	// DefaultEF. It has no effect on partitions that are scanned.
	EF int
	// Filter keeps a row, or not; nil keeps all. It must be safe for concurrent use.
	Filter RowFilter
	// LowerBound and UpperBound keep hits with LowerBound <= distance < UpperBound, in the distances that
	// Search reports; nil means no bound.
	LowerBound, UpperBound *float32
	// Workers bounds the goroutines of this search; 0 means GOMAXPROCS. The result does not
	// depend on it.
	Workers int
}

// Hit is one row of a result.
type Hit struct {
	RowID    uint64 // value of _rowid: the stable row id in tables that have them, else the row address
	Distance float32
}

// Less is the total order of hits: distance, then row id.
func (h Hit) Less(o Hit) bool {
	if h.Distance != o.Distance {
		return h.Distance < o.Distance
	}
	return h.RowID < o.RowID
}

// Compare is Less for slices.SortFunc.
func (h Hit) Compare(o Hit) int {
	switch {
	case h.Less(o):
		return -1
	case o.Less(h):
		return 1
	}
	return 0
}

// Result is what a search found, and what it cost.
type Result struct {
	Hits  []Hit // at most K, ascending, ties by row id
	Stats Stats
}

// Stats counts the work of a search.
type Stats struct {
	PartitionsProbed int   // partitions whose codes were looked at
	PartitionsTotal  int   // partitions of the index
	CodesScanned     int64 // distances computed: rows in the probed partitions, or those that a walk came by
	RowsFiltered     int64 // of these, rows that the filter dropped
	BytesRead        int64 // bytes read from storage; partitions in the cache cost none
}

// Add sums the counters of two searches.
func (s *Stats) Add(o Stats) {
	s.PartitionsProbed += o.PartitionsProbed
	s.PartitionsTotal += o.PartitionsTotal
	s.CodesScanned += o.CodesScanned
	s.RowsFiltered += o.RowsFiltered
	s.BytesRead += o.BytesRead
}
