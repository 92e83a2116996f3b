package logical

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
	"lanceflight/vecindex"
)

// distanceFn is a function that compares two vectors.
type distanceFn struct {
	name   string // primary name in package expr
	metric vecindex.Metric
	// negated says that the larger value is the nearer one: inner_product, cosine_similarity.
	negated bool
}

var (
	l2Distance     = distanceFn{name: "l2_distance", metric: vecindex.L2}
	cosineDistance = distanceFn{name: "cosine_distance", metric: vecindex.Cosine}
	cosineSimilar  = distanceFn{name: "cosine_similarity", metric: vecindex.Cosine, negated: true}
	negativeDot    = distanceFn{name: "negative_inner_product", metric: vecindex.Dot}
	innerProduct   = distanceFn{name: "inner_product", metric: vecindex.Dot, negated: true}
	hamming        = distanceFn{name: "hamming_distance", metric: vecindex.Hamming}
)

// distanceOps are the operators, as pgvector has them.
var distanceOps = map[string]distanceFn{"<->": l2Distance, "<=>": cosineDistance, "<#>": negativeDot}

// distanceFunctions are the functions by all their names: pgvector's and DuckDB's.
var distanceFunctions = map[string]distanceFn{
	"l2_distance": l2Distance, "array_distance": l2Distance, "list_distance": l2Distance, "euclidean_distance": l2Distance,
	"cosine_distance": cosineDistance, "array_cosine_distance": cosineDistance, "list_cosine_distance": cosineDistance,
	"cosine_similarity": cosineSimilar, "array_cosine_similarity": cosineSimilar, "list_cosine_similarity": cosineSimilar,
	"negative_inner_product": negativeDot, "array_negative_inner_product": negativeDot, "list_negative_inner_product": negativeDot,
	"array_negative_dot_product": negativeDot, "list_negative_dot_product": negativeDot,
	"inner_product": innerProduct, "array_inner_product": innerProduct, "list_inner_product": innerProduct,
	"array_dot_product": innerProduct, "list_dot_product": innerProduct,
	"hamming_distance": hamming,
}

// vectorDim returns the dimension of a vector type: a fixed-size list of floats.
func vectorDim(t arrow.DataType) (int, bool) {
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

// rowsDim returns the dimension of a type of vectors that a distance compares: of bytes for hamming, of floats for the others.
func (d distanceFn) rowsDim(t arrow.DataType) (int, bool) {
	if d.metric == vecindex.Hamming {
		return expr.BytesDim(t)
	}
	return vectorDim(t)
}
