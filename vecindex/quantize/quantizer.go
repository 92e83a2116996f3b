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
	// NewScorer prepares a query of Dim elements; under cosine it is normalised. The Scorer keeps
	// query, which must not change.
	NewScorer(query []float32) Scorer
}

// Scorer computes the distances of one query to codes. It belongs to one goroutine.
type Scorer interface {
	// Enter fits the scorer to a partition. centroid has Dim elements; quantizers whose codes are
	// not residuals ignore it.
	Enter(centroid []float32)
	// Distances writes the distances of rows first … first+len(dst)-1 of a partition of n rows, whose
	// codes are n × CodeBytes bytes, to dst.
	Distances(dst []float32, codes []byte, n, first int)
	// DistancesAt is Distances for the given rows; dst is as long as rows. Both give the same
	// value for a row, to the bit.
	DistancesAt(dst []float32, codes []byte, n int, rows []uint32)
}
