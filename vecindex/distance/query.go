package distance

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow/float16"

	"lanceflight/internal/fault"
)

// MaxDim bounds the dimension of a query; Lance's FixedSizeList sizes are int32, and a vector has to
// fit into memory many times over.
const MaxDim = 1 << 20

// Query is a vector prepared for comparison under one metric. It is immutable and safe for
// concurrent use.
type Query struct {
	metric Metric
	v      []float32
	norm   float32 // |v|, for Cosine
	v64    []float64
	norm64 float64
	bits   []byte // for Hamming
}

// NewQuery prepares a float vector; v is copied. NaN, infinities, and dimension 0 are
// fault.InvalidArgument; so is Hamming unless every element is an integer from 0 to 255.
func NewQuery(m Metric, v []float32) (*Query, error) {
	wide := make([]float64, len(v))
	for i, x := range v {
		wide[i] = float64(x)
	}
	return newQuery(m, append([]float32(nil), v...), wide)
}

// NewQueryFloat64 prepares a vector of float64; float64 columns are compared with all of its
// digits, others with its nearest float32 values.
func NewQueryFloat64(m Metric, v []float64) (*Query, error) {
	narrow := make([]float32, len(v))
	for i, x := range v {
		narrow[i] = float32(x)
	}
	return newQuery(m, narrow, append([]float64(nil), v...))
}

// newQuery owns both slices, which hold the same vector.
func newQuery(m Metric, v []float32, wide []float64) (*Query, error) {
	if len(v) == 0 || len(v) > MaxDim {
		return nil, fault.New(fault.InvalidArgument, "the query vector has %d dimensions; 1 to %d are allowed", len(v), MaxDim)
	}
	if m > Hamming {
		return nil, fault.New(fault.InvalidArgument, "unknown metric %d", m)
	}
	for i, x := range v {
		// x - x is 0 for finite x, NaN else.
		if x-x != 0 {
			return nil, fault.New(fault.InvalidArgument, "element %d of the query vector is %v; it must be a finite float32", i, wide[i])
		}
	}
	q := &Query{metric: m, v: v, v64: wide}
	switch m {
	case Cosine:
		q.norm = float32(math.Sqrt(float64(InnerProduct(v, v))))
		q.norm64 = math.Sqrt(dotFloat64(wide, wide))
	case Hamming:
		q.bits = make([]byte, len(v))
		for i, x := range wide {
			b := byte(max(0, min(255, x)))
			if float64(b) != x {
				return nil, fault.New(fault.InvalidArgument, "element %d of the query vector is %v; the hamming distance needs bytes, 0 to 255", i, x)
			}
			q.bits[i] = b
		}
	}
	return q, nil
}

// Metric returns the metric.
func (q *Query) Metric() Metric { return q.metric }

// Dim returns the number of dimensions.
func (q *Query) Dim() int { return len(q.v) }

// Vector returns the query as float32; read-only.
func (q *Query) Vector() []float32 { return q.v }

// Float32 writes the distance of row i, values[i*stride : i*stride+Dim], to dst[i], for every i below
// len(dst). stride is in elements and at least Dim; dense rows have stride Dim. It panics when
// values is too short for that, which is a bug of the caller.
func (q *Query) Float32(dst []float32, values []float32, stride int) {
	switch q.metric {
	case L2:
		squaredL2Rows(dst, q.v, values, stride)
	case Cosine:
		q.cosine32(dst, values, stride)
	case Dot:
		dotRows(dst, q.v, values, stride)
		for i, d := range dst {
			dst[i] = dotOf(d)
		}
	case Hamming:
		nanAll(dst)
	}
}

// dotOf is 1 − x·y. A product of +∞ yields NaN: it would be the nearest of all, and a vector with an
// infinite element is in no index. One of −∞ stays the farthest of all, which other vectors of a list
// may be nearer than.
func dotOf(xy float32) float32 {
	if d := 1 - xy; d >= -math.MaxFloat32 {
		return d
	}
	return float32(math.NaN())
}

// cosine32 is Float32 under Cosine, a few rows at a time so that their norms stay on the stack.
func (q *Query) cosine32(dst, values []float32, stride int) {
	var norms [64]float32
	for len(dst) > 0 {
		n := min(len(dst), len(norms))
		dotNormRows(dst[:n], norms[:n], q.v, values, stride)
		for i, xy := range dst[:n] {
			dst[i] = cosineOf(xy, q.norm, norms[i])
		}
		dst = dst[n:]
		values = values[min(len(values), n*stride):]
	}
}

// cosineOf is 1 − x·y/(|x|·|y|), given |x| and |y|². A zero vector yields 0/0, NaN: it never
// qualifies, as in Lance. So does one that is too long for its length to be a float32.
func cosineOf(xy, xNorm, yy float32) float32 {
	norms := xNorm * float32(math.Sqrt(float64(yy)))
	return 1 - xy/norms - norms*0
}

// CosineOfSums is 1 − x·y/(|x|·|y|), given x·y, |x|² and |y|²; NaN if a vector is zero or infinitely long.
func CosineOfSums(xy, xx, yy float64) float64 {
	norms := math.Sqrt(xx) * math.Sqrt(yy)
	return 1 - xy/norms - norms*0
}

// Float16 is Float32 for rows of half-precision numbers, which are widened one row at a time.
func (q *Query) Float16(dst []float32, values []float16.Num, stride int) {
	row := make([]float32, len(q.v))
	for i := range dst {
		WidenHalves(row, values[i*stride:][:len(row)])
		q.Float32(dst[i:i+1], row, len(row))
	}
}

// Float64 is Float32 for rows of double-precision numbers; sums are float64, the result is rounded.
func (q *Query) Float64(dst []float32, values []float64, stride int) {
	dim := len(q.v64)
	for i := range dst {
		row := values[i*stride:][:dim]
		switch q.metric {
		case L2:
			dst[i] = float32(squaredL2Float64(q.v64, row))
		case Cosine:
			norms := q.norm64 * math.Sqrt(dotFloat64(row, row))
			dst[i] = float32(1 - dotFloat64(q.v64, row)/norms - norms*0)
		case Dot:
			dst[i] = dotOfDouble(dotFloat64(q.v64, row))
		case Hamming:
			nanAll(dst[i : i+1])
		}
	}
}

// dotOfDouble is dotOf of a product in double precision.
func dotOfDouble(xy float64) float32 {
	if d := float32(1 - xy); d >= -math.MaxFloat32 {
		return d
	}
	return float32(math.NaN())
}

// Uint8 is Float32 for rows of bytes: Hamming counts bits, the other metrics take the bytes as
// numbers from 0 to 255.
func (q *Query) Uint8(dst []float32, values []uint8, stride int) {
	if q.metric == Hamming {
		for i := range dst {
			dst[i] = float32(hamming(q.bits, values[i*stride:][:len(q.bits)]))
		}
		return
	}
	row := make([]float32, len(q.v))
	for i := range dst {
		for j, b := range values[i*stride:][:len(row)] {
			row[j] = float32(b)
		}
		q.Float32(dst[i:i+1], row, len(row))
	}
}

// Int8 is Float32 for rows of signed bytes.
func (q *Query) Int8(dst []float32, values []int8, stride int) {
	row := make([]float32, len(q.v))
	for i := range dst {
		for j, b := range values[i*stride:][:len(row)] {
			row[j] = float32(b)
		}
		q.Float32(dst[i:i+1], row, len(row))
	}
}

// nanAll marks distances that do not exist (Hamming of floats), so that no row qualifies. Callers
// refuse such a pairing before; see Supports.
func nanAll(dst []float32) {
	nan := float32(math.NaN())
	for i := range dst {
		dst[i] = nan
	}
}

// CosineDistance returns 1 − a·b/(|a|·|b|) of two vectors of the same length; NaN if one is zero.
func CosineDistance(a, b []float32) float32 {
	return cosineOf(InnerProduct(a, b), float32(math.Sqrt(float64(InnerProduct(a, a)))), InnerProduct(b, b))
}

// Between returns the distance of two vectors of the same length under m, as Float32 would. Hamming is
// NaN.
func Between(m Metric, a, b []float32) float32 {
	switch m {
	case L2:
		return SquaredL2(a, b)
	case Cosine:
		return CosineDistance(a, b)
	case Dot:
		return dotOf(InnerProduct(a, b))
	}
	return float32(math.NaN())
}

// Normalize writes v / |v| to dst, which may be v. A zero vector becomes NaN, as in Lance. Squares
// are added one after another, as Lance does: what quantizers make of a query may hang on its last
// bit.
func Normalize(dst, v []float32) {
	var square float32
	for _, x := range v {
		square += float32(x * x)
	}
	norm := float32(math.Sqrt(float64(square)))
	for i, x := range v {
		dst[i] = x / norm
	}
}

// NormalizeDouble is Normalize as Lance does it for columns of float64: in that precision.
func NormalizeDouble(dst, v []float32) {
	var square float64
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	norm := math.Sqrt(square)
	for i, x := range v {
		dst[i] = float32(float64(x) / norm)
	}
}
