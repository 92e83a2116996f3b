package quantize

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/vecindex/distance"
)

// RQ is the RaBitQ quantizer: a vector's residual r = o − c is rotated at random, and each of its D elements becomes a sign, and with
// more than one bit a magnitude besides. What a code loses is repaired by two numbers for each row, so that the estimate has no bias.
//
//	o_r  = P (o − c)                                 P: rotation
//	u    = Σ over signs, u_i = 1 for +, 0 for −      1 bit
//	U    = 2^x u + e, x = bits − 1                   more bits: e is the magnitude's code, turned round for −
//	‖o − q‖² ≈ add + ‖q − c‖² + scale (⟨u, P q⟩ − ½ Σ (P q)_i)
//	         ≈ add' + ‖q − c‖² + scale' (⟨U, P q⟩ − (2^x − ½) Σ (P q)_i)
//
// That is equation 12 of [RQ] with ⟨o_r, code⟩ and norms folded into add and scale when the index was made; there
// ⟨code, P c⟩ went into add, so that the query is rotated once and not for each partition.
//
// A partition of n rows lies in memory as Pack leaves it:
//
//	n × float32 add, n × float32 scale               add', scale' behind them with more bits
//	binary codes, 32 rows to a block                 as packSigns leaves them
//	binary codes of the last n mod 32 rows           row by row
//	codes of magnitudes, row by row                  two to a byte up to 4 bits, else one
//
// [RQ]: Gao and Long, "RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound for Approximate Nearest Neighbor
// Search", SIGMOD 2024; Gao et al., "Practical and Asymptotically Optimal Quantization of High-Dimensional Vectors in
// Euclidean Space for Approximate Nearest Neighbor Search", SIGMOD 2025, for more bits. Layout and constants: lance-index 14.0.2,
// vector/bq.
type RQ struct {
	metric   distance.Metric
	dim      int
	codeDim  int
	bits     int
	signs    []byte
	matrix   []float32
	residual bool
	half     bool
}

// RQConfig describes a RaBitQ quantizer as index files do.
type RQConfig struct {
	Metric distance.Metric // Cosine means that vectors were normalised and compared by L2
	Dim    int
	// CodeDim is the number of dimensions after rotation, a multiple of 8, at least Dim.
	CodeDim int
	Bits    int // of each dimension, 1 to 9
	// Signs are those of the fast rotation, fastRounds × ceil(CodeDim / 8) bytes; nil where Matrix is set.
	Signs []byte
	// Matrix is the rotation, CodeDim × CodeDim, row-major.
	Matrix []float32
	// Residual says that the query is rotated as a residual to each partition's centroid, as indices of old versions want; one bit only.
	Residual bool
	// Half says that vectors are float16: residuals of queries are rounded to that, as Lance does.
	Half bool
}

// MaxRQBits is the largest number of bits for a dimension.
const MaxRQBits = 9

// NewRQ checks a configuration, whose slices it keeps. What contradicts itself is a CorruptError;
// Hamming, and combinations that Lance does not write, are fault.Unsupported.
func NewRQ(c RQConfig) (*RQ, error) {
	if c.Metric == distance.Hamming {
		return nil, fault.New(fault.Unsupported, "RaBitQ under the hamming distance")
	}
	if c.Bits < 1 || c.Bits > MaxRQBits {
		return nil, fault.New(fault.Unsupported, "RaBitQ with %d bits", c.Bits)
	}
	if c.Residual && c.Bits > 1 {
		return nil, fault.New(fault.Unsupported, "RaBitQ with %d bits and rotated residuals of queries", c.Bits)
	}
	if c.Dim <= 0 || c.CodeDim < c.Dim || c.CodeDim > distance.MaxDim {
		return nil, fault.Corruptf("RaBitQ of %d dimensions with codes of %d", c.Dim, c.CodeDim)
	}
	if c.CodeDim%8 != 0 {
		return nil, fault.New(fault.Unsupported, "RaBitQ codes of %d dimensions, which is no multiple of 8", c.CodeDim)
	}
	if c.Matrix == nil {
		if want := fastRounds * c.CodeDim / 8; len(c.Signs) != want {
			return nil, fault.Corruptf("%d bytes of signs; a rotation of %d dimensions needs %d", len(c.Signs), c.CodeDim, want)
		}
	} else if len(c.Matrix) != c.CodeDim*c.CodeDim {
		return nil, fault.Corruptf("a rotation of %d numbers for %d dimensions", len(c.Matrix), c.CodeDim)
	}
	return &RQ{
		metric: c.Metric, dim: c.Dim, codeDim: c.CodeDim, bits: c.Bits, signs: c.Signs, matrix: c.Matrix, residual: c.Residual, half: c.Half,
	}, nil
}

// Kind implements Quantizer.
func (q *RQ) Kind() string { return "RQ" }

// Dim implements Quantizer.
func (q *RQ) Dim() int { return q.dim }

// Bits returns the number of bits for each dimension.
func (q *RQ) Bits() int { return q.bits }

// CodeDim returns the number of dimensions after rotation.
func (q *RQ) CodeDim() int { return q.codeDim }

// Approximate implements Quantizer.
func (q *RQ) Approximate() bool { return true }

// CodeBytes implements Quantizer: factors included.
func (q *RQ) CodeBytes() int { return 4*q.numFactors() + q.binaryBytes() + q.magnitudeBytes() }

// numFactors is the number of float32 for each row.
func (q *RQ) numFactors() int {
	if q.bits > 1 {
		return 4
	}
	return 2
}

// binaryBytes is the size of a row's signs.
func (q *RQ) binaryBytes() int { return q.codeDim / 8 }

// magnitudeBytes is the size of a row's magnitudes in memory.
func (q *RQ) magnitudeBytes() int {
	switch {
	case q.bits == 1:
		return 0
	case q.nibbles():
		return (q.codeDim + nibbleDims - 1) / nibbleDims * (nibbleDims / 2)
	}
	return q.codeDim
}

// nibbles says whether magnitudes take half a byte.
func (q *RQ) nibbles() bool { return q.bits <= 5 }

// rqPartition is what Pack left of a partition.
type rqPartition struct {
	add, scale   []float32 // of the most precise codes
	signs, rest  []byte    // in blocks; row by row
	packed       int       // rows in blocks
	magnitudes   []byte
	binAdd, binS []float32 // of the signs alone
}

// split cuts a partition of n rows.
func (q *RQ) split(codes []byte, n int) rqPartition {
	floats := func(i int) []float32 { return arrow.Float32Traits.CastFromBytes(codes[4*n*i:][:4*n]) }
	p := rqPartition{packed: n - n%signRows, binAdd: floats(0), binS: floats(1)}
	p.add, p.scale = p.binAdd, p.binS
	if q.bits > 1 {
		p.add, p.scale = floats(2), floats(3)
	}
	at := 4 * n * q.numFactors()
	p.signs = codes[at:][:p.packed*q.binaryBytes()]
	at += len(p.signs)
	p.rest = codes[at:][:(n-p.packed)*q.binaryBytes()]
	at += len(p.rest)
	p.magnitudes = codes[at:][:n*q.magnitudeBytes()]
	return p
}

// RQRows are the rows of a partition as index files have them, each slice row by row.
type RQRows struct {
	Add, Scale     []float32
	Signs          []byte    // CodeDim / 8 bytes each, element 8i + j at bit j of byte i
	AddEx, ScaleEx []float32 // with more than one bit
	Magnitudes     []byte    // a byte for each dimension
}

// Pack brings a partition of n rows into the layout that the scorer wants. Slices of the wrong length are a CorruptError.
func (q *RQ) Pack(r RQRows, n int) ([]byte, error) {
	ok := len(r.Add) == n && len(r.Scale) == n && len(r.Signs) == n*q.binaryBytes()
	if q.bits > 1 {
		ok = ok && len(r.AddEx) == n && len(r.ScaleEx) == n && len(r.Magnitudes) == n*q.codeDim
	}
	if !ok {
		return nil, fault.Corruptf("%d factors and %d bytes of codes for %d rows of %d dimensions", len(r.Add), len(r.Signs), n, q.codeDim)
	}
	out := make([]byte, n*q.CodeBytes())
	p := q.split(out, n)
	copy(p.binAdd, r.Add)
	copy(p.binS, r.Scale)
	if q.bits > 1 {
		copy(p.add, r.AddEx)
		copy(p.scale, r.ScaleEx)
	}
	packSigns(p.signs, r.Signs, q.binaryBytes())
	copy(p.rest, r.Signs[p.packed*q.binaryBytes():])
	switch {
	case q.bits == 1:
	case q.nibbles():
		width := q.magnitudeBytes()
		for i := range n {
			packNibbles(p.magnitudes[i*width:][:width], r.Magnitudes[i*q.codeDim:][:q.codeDim])
		}
	default:
		copy(p.magnitudes, r.Magnitudes)
	}
	return out, nil
}
