package quantize

// Quantizer is a trained way of turning vectors into codes.
type Quantizer interface {
	// Kind is the name in index types: "PQ", "SQ", "FLAT".
	Kind() string
	// Dim is the number of dimensions of the vectors.
	Dim() int
	// CodeBytes is the size of one row's code.
	CodeBytes() int
	// Approximate reports whether distances are estimates.
	Approximate() bool
	// NewScorer makes the scratch for one query at a time. It is worth keeping: tables are large.
	NewScorer() Scorer
}

// Scorer computes the distances of one query to codes. It belongs to one goroutine.
type Scorer interface {
	// Start begins a query of Dim elements, which is normalised under cosine. The Scorer keeps query,
	// which must not change until the next Start.
	Start(query []float32)
	// Enter fits the scorer to a partition; Start came before. centroid has Dim elements; quantizers whose codes are
	// not residuals ignore it.
	Enter(centroid []float32)
	// Distances writes the distances of rows first … first+len(dst)-1 of a partition of n rows, whose
	// codes are n × CodeBytes bytes, to dst.
	Distances(dst []float32, codes []byte, n, first int)
	// DistancesAt is Distances for the given rows; dst is as long as rows. Both give the same
	// value for a row, to the bit.
	DistancesAt(dst []float32, codes []byte, n int, rows []uint32)
}

// Announcer is a Scorer that has long sums to do when it enters a partition, and brings the codes that are scanned after that
// from memory meanwhile. It changes no distance.
type Announcer interface {
	Scorer
	// Announce names the codes of the partition that the next Enter is for. If after is not nil, it
	// is the centroid of the one that is probably entered after that, with its codes: sums for both
	// can then be done together. What after points to must not change until then.
	Announce(codes []byte, after []float32, codesAfter []byte)
}
