package plan

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
	"lanceflight/vecindex"
)

// DistanceFn is a function that compares two vectors.
type DistanceFn struct {
	Name   string // primary name in package expr
	Metric vecindex.Metric
	// Negated says that the larger value is the nearer one: inner_product, cosine_similarity.
	Negated bool
}

var (
	l2Distance     = DistanceFn{Name: "l2_distance", Metric: vecindex.L2}
	CosineDistance = DistanceFn{Name: "cosine_distance", Metric: vecindex.Cosine}
	cosineSimilar  = DistanceFn{Name: "cosine_similarity", Metric: vecindex.Cosine, Negated: true}
	negativeDot    = DistanceFn{Name: "negative_inner_product", Metric: vecindex.Dot}
	innerProduct   = DistanceFn{Name: "inner_product", Metric: vecindex.Dot, Negated: true}
	hamming        = DistanceFn{Name: "hamming_distance", Metric: vecindex.Hamming}
)

// DistanceOps are the operators, as pgvector has them.
var DistanceOps = map[string]DistanceFn{"<->": l2Distance, "<=>": CosineDistance, "<#>": negativeDot}

// DistanceFunctions are the functions by all their names: pgvector's and DuckDB's.
var DistanceFunctions = map[string]DistanceFn{
	"l2_distance": l2Distance, "array_distance": l2Distance, "list_distance": l2Distance, "euclidean_distance": l2Distance,
	"cosine_distance": CosineDistance, "array_cosine_distance": CosineDistance, "list_cosine_distance": CosineDistance,
	"cosine_similarity": cosineSimilar, "array_cosine_similarity": cosineSimilar, "list_cosine_similarity": cosineSimilar,
	"negative_inner_product": negativeDot, "array_negative_inner_product": negativeDot, "list_negative_inner_product": negativeDot,
	"array_negative_dot_product": negativeDot, "list_negative_dot_product": negativeDot,
	"inner_product": innerProduct, "array_inner_product": innerProduct, "list_inner_product": innerProduct,
	"array_dot_product": innerProduct, "list_dot_product": innerProduct,
	"hamming_distance": hamming,
}

// VectorDim returns the dimension of a vector type: a fixed-size list of floats.
func VectorDim(t arrow.DataType) (int, bool) {
	f, ok := t.(*arrow.FixedSizeListType)
	if !ok {
		return 0, false
	}
	switch f.Elem().ID() {
	case arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64:
		return int(f.Len()), true
	}
	return 0, false
}

// RowsDim returns the dimension of a type of vectors that a distance compares: of bytes for hamming, of floats for the others.
func (d DistanceFn) RowsDim(t arrow.DataType) (int, bool) {
	if d.Metric == vecindex.Hamming {
		return expr.BytesDim(t)
	}
	return VectorDim(t)
}
