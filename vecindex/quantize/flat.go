package quantize

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/float16"

	"lanceflight/internal/fault"
	"lanceflight/vecindex/distance"
)

// Flat keeps vectors as they are, row-major; its distances are exact. A cosine index holds normalised
// vectors.
type Flat struct {
	metric  distance.Metric
	dim     int
	element arrow.Type
	size    int
}

// NewFlat makes a quantizer for vectors of float16, float32, float64 or uint8 elements (uint8 alone has a
// hamming distance). Other elements are fault.Unsupported.
func NewFlat(metric distance.Metric, dim int, element arrow.Type) (*Flat, error) {
	if dim <= 0 || dim > distance.MaxDim {
		return nil, fault.Corruptf("vectors of %d dimensions", dim)
	}
	size := map[arrow.Type]int{arrow.FLOAT16: 2, arrow.FLOAT32: 4, arrow.FLOAT64: 8, arrow.UINT8: 1}[element]
	if size == 0 || (metric == distance.Hamming) != (element == arrow.UINT8) {
		return nil, fault.New(fault.Unsupported, "vector index over %s under the %s distance", element, metric)
	}
	return &Flat{metric: metric, dim: dim, element: element, size: size}, nil
}

// Kind implements Quantizer.
func (q *Flat) Kind() string { return "FLAT" }

// Dim implements Quantizer.
func (q *Flat) Dim() int { return q.dim }

// CodeBytes implements Quantizer.
func (q *Flat) CodeBytes() int { return q.dim * q.size }

// Approximate implements Quantizer.
func (q *Flat) Approximate() bool { return false }

type flatScorer struct {
	q     *Flat
	query *distance.Query
}

// NewScorer implements Quantizer.
func (q *Flat) NewScorer() Scorer { return &flatScorer{q: q} }

// Start implements Scorer. A query that distance.NewQuery refuses finds nothing; callers check it before.
func (s *flatScorer) Start(query []float32) {
	prepared, err := distance.NewQuery(s.q.metric, query)
	if err != nil {
		prepared = nil
	}
	s.query = prepared
}

// Enter implements Scorer.
func (s *flatScorer) Enter([]float32) {}

// Distances implements Scorer.
func (s *flatScorer) Distances(dst []float32, codes []byte, n, first int) {
	if s.query == nil {
		nan(dst)
		return
	}
	rowBytes := s.q.CodeBytes()
	values := codes[first*rowBytes:][:len(dst)*rowBytes]
	switch s.q.element {
	case arrow.FLOAT32:
		s.query.Float32(dst, arrow.Float32Traits.CastFromBytes(values), s.q.dim)
	case arrow.FLOAT16:
		s.query.Float16(dst, arrow.GetData[float16.Num](values), s.q.dim)
	case arrow.FLOAT64:
		s.query.Float64(dst, arrow.Float64Traits.CastFromBytes(values), s.q.dim)
	case arrow.UINT8:
		s.query.Uint8(dst, values, s.q.dim)
	}
}

// DistancesAt implements Scorer.
func (s *flatScorer) DistancesAt(dst []float32, codes []byte, n int, rows []uint32) {
	dst = dst[:len(rows)]
	for i, row := range rows {
		s.Distances(dst[i:i+1], codes, n, int(row))
	}
}
