package quantize

import (
	"math"

	"lanceflight/internal/fault"
	"lanceflight/vecindex/distance"
)

// SQ is a scalar quantizer: every element becomes one byte of a common scale from Lo to Hi. Codes are
// row-major and of the vector itself, not of a residual.
//
// Source: lance-index 14.0.2, vector/sq.rs and vector/sq/storage.rs.
type SQ struct {
	metric distance.Metric
	dim    int
	lo, hi float64
}

// NewSQ makes a scalar quantizer of 8 bits for values from lo to hi. Bounds that are not finite or in the
// wrong order are a CorruptError. Cosine means that vectors were normalised and compared by L2.
func NewSQ(metric distance.Metric, dim int, lo, hi float64) (*SQ, error) {
	if metric == distance.Hamming {
		return nil, fault.New(fault.Unsupported, "scalar quantization under the hamming distance")
	}
	if dim <= 0 || dim > distance.MaxDim {
		return nil, fault.Corruptf("scalar quantizer of %d dimensions", dim)
	}
	if !(lo <= hi) || math.IsInf(lo, 0) || math.IsInf(hi, 0) {
		return nil, fault.Corruptf("scalar quantizer with bounds %v and %v", lo, hi)
	}
	return &SQ{metric: metric, dim: dim, lo: lo, hi: hi}, nil
}

// Kind implements Quantizer.
func (q *SQ) Kind() string { return "SQ" }

// Dim implements Quantizer.
func (q *SQ) Dim() int { return q.dim }

// CodeBytes implements Quantizer.
func (q *SQ) CodeBytes() int { return q.dim }

// Approximate implements Quantizer.
func (q *SQ) Approximate() bool { return true }

// encode maps v to codes; out of bounds saturates.
func (q *SQ) encode(dst []byte, v []float32) {
	if q.lo == q.hi {
		clear(dst)
		return
	}
	for i, x := range v {
		dst[i] = byte(max(0, min(255, (float64(x)-q.lo)*255/(q.hi-q.lo))))
	}
}

type sqScorer struct {
	q     *SQ
	query []float32
	code  []byte
	// distance = base + scale × integer or dot product of codes
	base, scale float32
}

// NewScorer implements Quantizer.
func (q *SQ) NewScorer() Scorer { return &sqScorer{q: q, code: make([]byte, q.dim)} }

// Start implements Scorer. For L2 the query is encoded too and codes are compared, as Lance does; for
// dot it keeps its digits.
func (s *sqScorer) Start(query []float32) {
	s.query = query
	step := float32(s.q.hi-s.q.lo) / 255
	if s.q.metric == distance.Dot {
		// Σ x·(lo + step·c) = lo·Σx + step·Σx·c
		var sum float32
		for _, x := range query {
			sum += x
		}
		s.base, s.scale = float32(s.q.lo)*sum, step
		return
	}
	s.q.encode(s.code, query)
	s.scale = step * step
}

// Enter implements Scorer.
func (s *sqScorer) Enter([]float32) {}

func (s *sqScorer) one(row []byte) float32 {
	if s.q.metric == distance.Dot {
		return 1 - (s.base + s.scale*distance.DotBytes(s.query, row))
	}
	return float32(distance.SquaredL2Bytes(s.code, row)) * s.scale
}

// Distances implements Scorer.
func (s *sqScorer) Distances(dst []float32, codes []byte, n, first int) {
	for i := range dst {
		dst[i] = s.one(codes[(first+i)*s.q.dim:][:s.q.dim])
	}
}

// DistancesAt implements Scorer.
func (s *sqScorer) DistancesAt(dst []float32, codes []byte, n int, rows []uint32) {
	dst = dst[:len(rows)]
	for i, row := range rows {
		dst[i] = s.one(codes[int(row)*s.q.dim:][:s.q.dim])
	}
}
