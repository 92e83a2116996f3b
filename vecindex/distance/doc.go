// Package distance computes the distance of one query to many vectors.
//
//	l2.go, dot.go, rows.go: definitions in Go ─┐ agree under fuzz, up to rounding
//	kernels_amd64.s: AVX2 and FMA ─────────────┤ (tag noasm, or a machine without AVX2: definitions)
//	                                           v
//	Query{metric, vector, norm} ── Float32 | Float16 | Float64 | Uint8 | Int8 ──> []float32
//
// A Query reads row-major vectors where they lie (the values buffer of an Arrow fixed-size list, a
// mapped page) and copies none. It is immutable, so any number of goroutines may use one; results do
// not depend on where in a batch a vector stands.
//
// The values are those that Lance reports as _distance: squared L2, 1 − cosine, 1 − dot, differing
// bits. Vectors of 16 and 32 bits are summed in float32, of 64 bits in float64. IEEE rules hold:
// a NaN in either vector gives NaN, and so does the cosine distance of a zero vector.
//
// Sources: lance-linalg 14.0.2, distance/{l2,dot,cosine,hamming}.rs.
//
// Why kernels of our own: vek32's Distance ends in a reciprocal square root estimate, which loses
// two digits, turns an infinite sum into NaN and a tiny one into zero; it has no kernel for cosine in
// one pass, none for many rows, and is scalar below 32 dimensions, where codebooks live.
//
// This package is a leaf: it imports nothing of lanceflight but the error kinds.
package distance
