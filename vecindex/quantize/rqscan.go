package quantize

import (
	"math"
	"math/bits"

	"lanceflight/internal/half"
	"lanceflight/vecindex/distance"
)

// rqScorer estimates distances from codes; see RQ for the formula.
//
// ⟨u, P q⟩ comes from a table for every four dimensions. Lance rounds their entries to bytes, which
// 32 rows at once can look up, and only for rows in whole blocks of 32; the others get the sum of
// the entries themselves. So does this, to arrive at the same estimates.
type rqScorer struct {
	q       *RQ
	query   []float32
	rotated []float32 // CodeDim, and zeros up to a multiple of nibbleDims
	rest    []float32 // residual of the query, where it is that which is rotated
	center  []float32 // rotated centroid, for dot
	tables  []float32 // 16 entries for each four dimensions
	bytes   []byte    // the same in bytes
	// An entry is about unit × byte + least. exact says that bytes cannot stand for the entries.
	unit, least float32
	exact       bool
	sum         float32 // Σ rotated

	// distance = (factor·⟨u, P q⟩ + shift)·scale + addFactor·(add − addShift) + offset for one bit
	factor, shift float32
	addFactor     float32
	addShift      float32
	offset        float32

	sums [signRows]uint32
}

// NewScorer implements Quantizer.
func (q *RQ) NewScorer() Scorer {
	s := &rqScorer{
		q: q, rotated: make([]float32, (q.codeDim+nibbleDims-1)/nibbleDims*nibbleDims),
		tables: make([]float32, 4*q.codeDim), bytes: make([]byte, 4*q.codeDim),
	}
	if q.residual {
		s.rest = make([]float32, q.dim)
	}
	if q.metric == distance.Dot && !q.residual {
		s.center = make([]float32, q.codeDim)
	}
	return s
}

// Start implements Scorer.
func (s *rqScorer) Start(query []float32) {
	s.query = query
	if !s.q.residual {
		s.prepare(query)
	}
}

// prepare rotates a vector and fills the tables for it.
func (s *rqScorer) prepare(v []float32) {
	r := s.rotated[:s.q.codeDim]
	s.q.Rotate(r, v)
	s.sum = 0
	for _, x := range r {
		s.sum += x
	}
	for t := range len(r) / 4 {
		table, v := (*[16]float32)(s.tables[16*t:]), r[4*t:][:4]
		// As in Lance, the element of the lowest bit is added last: in another order an entry may round to the byte beside.
		for j := 1; j < 16; j++ {
			table[j] = table[j&(j-1)] + v[bits.TrailingZeros(uint(j))]
		}
	}
	s.roundTables()
}

// roundTables makes bytes of the tables: the smallest entry of all is 0, the largest 255.
func (s *rqScorer) roundTables() {
	lo, hi := s.tables[0], s.tables[0]
	for _, x := range s.tables {
		lo, hi = min(lo, x), max(hi, x)
	}
	n := float32(len(s.tables) / 16)
	s.exact = !finite(n*lo) || !finite(n*hi) || !finite(n*(hi-lo))
	s.least, s.unit = n*lo, (hi-lo)/255
	inverse := 255 / (hi - lo)
	if s.exact || !finite(inverse) {
		clear(s.bytes)
		return
	}
	for i, x := range s.tables {
		s.bytes[i] = byte(math.RoundToEven(float64((x - lo) * inverse)))
	}
}

func finite(x float32) bool { return x-x == 0 }

// Enter implements Scorer.
func (s *rqScorer) Enter(centroid []float32) {
	q := s.q
	s.addFactor, s.addShift = 1, 0
	if q.residual {
		for i, c := range centroid[:q.dim] {
			s.rest[i] = s.query[i] - c
		}
		if q.half {
			for i, x := range s.rest {
				s.rest[i] = half.Round(x)
			}
		}
		s.prepare(s.rest)
		// Codes of old versions have unit length.
		root := float32(math.Sqrt(float64(q.codeDim)))
		s.factor, s.shift = 2/root, -s.sum/root
		if q.metric == distance.Dot {
			s.offset = -distance.InnerProduct(s.query, centroid)
		} else {
			s.offset = distance.SquaredL2(s.query, centroid)
		}
		return
	}
	s.factor, s.shift = 1, -0.5*s.sum
	if q.metric != distance.Dot {
		s.offset = distance.SquaredL2(s.query, centroid)
		return
	}
	// add is 1 − ⟨c, r − r'⟩, r' being what the code stands for. Only the part of the query along c, α c, is subject to that
	// correction: α minimises what is left of the query, and with it the error.
	s.q.Rotate(s.center, centroid)
	r := s.rotated[:q.codeDim]
	product := distance.InnerProduct(r, s.center)
	s.offset = 1 - product
	s.addShift = 1
	s.addFactor = product / distance.InnerProduct(s.center, s.center)
	if !finite(s.addFactor) {
		s.addFactor = 0
	}
}

// products writes ⟨u, P q⟩ of rows first … first+len(dst)-1.
func (s *rqScorer) products(dst []float32, p *rqPartition, first int) {
	for i := 0; i < len(dst); {
		row := first + i
		if row >= p.packed || s.exact {
			dst[i] = s.product(p, row)
			i++
			continue
		}
		s.block(p, row/signRows)
		for _, sum := range s.sums[row%signRows : min(signRows, row%signRows+len(dst)-i)] {
			dst[i] = float32(float32(sum)*s.unit) + s.least
			i++
		}
	}
}

// block adds the bytes of 32 rows.
func (s *rqScorer) block(p *rqPartition, block int) {
	width := s.q.binaryBytes()
	clear(s.sums[:])
	addSigns(&s.sums, p.signs[block*signRows*width:][:signRows*width], s.bytes)
}

// product adds the tables' entries for one row.
func (s *rqScorer) product(p *rqPartition, row int) float32 {
	width := s.q.binaryBytes()
	var d float32
	if row < p.packed {
		block := p.signs[row/signRows*signRows*width:][:signRows*width]
		for i := range width {
			c := packedByte(block, row%signRows, i)
			d += s.tables[32*i+int(c&15)] + s.tables[32*i+16+int(c>>4)]
		}
		return d
	}
	for i, c := range p.rest[(row-p.packed)*width:][:width] {
		d += s.tables[32*i+int(c&15)] + s.tables[32*i+16+int(c>>4)]
	}
	return d
}

// roundedProduct is what products gives one row in a block.
func (s *rqScorer) roundedProduct(p *rqPartition, row int) float32 {
	width := s.q.binaryBytes()
	block := p.signs[row/signRows*signRows*width:][:signRows*width]
	var sum uint32
	for i := range width {
		c := packedByte(block, row%signRows, i)
		sum += uint32(s.bytes[32*i+int(c&15)]) + uint32(s.bytes[32*i+16+int(c>>4)])
	}
	return float32(float32(sum)*s.unit) + s.least
}

// finish makes a distance of ⟨u, P q⟩.
func (s *rqScorer) finish(p *rqPartition, row int, product float32) float32 {
	full := s.factor*product + s.shift
	if x := s.q.bits - 1; x > 0 {
		scale := float32(uint32(1) << x)
		full = scale*product + s.magnitude(p, row) - (scale-0.5)*s.sum
	}
	return full*p.scale[row] + s.addFactor*(p.add[row]-s.addShift) + s.offset
}

// magnitude is ⟨e, P q⟩ of a row.
func (s *rqScorer) magnitude(p *rqPartition, row int) float32 {
	width := s.q.magnitudeBytes()
	codes := p.magnitudes[row*width:][:width]
	if s.q.nibbles() {
		return dotNibbles(s.rotated, codes)
	}
	return distance.DotBytes(s.rotated[:width], codes)
}

// Distances implements Scorer.
func (s *rqScorer) Distances(dst []float32, codes []byte, n, first int) {
	p := s.q.split(codes, n)
	s.products(dst, &p, first)
	for i, d := range dst {
		dst[i] = s.finish(&p, first+i, d)
	}
}

// DistancesAt implements Scorer.
func (s *rqScorer) DistancesAt(dst []float32, codes []byte, n int, rows []uint32) {
	p := s.q.split(codes, n)
	dst = dst[:len(rows)]
	for i, row := range rows {
		at := int(row)
		var d float32
		if at >= p.packed || s.exact {
			d = s.product(&p, at)
		} else {
			d = s.roundedProduct(&p, at)
		}
		dst[i] = s.finish(&p, at, d)
	}
}

// The definitions of the kernels.

// addSignsPortable adds to sums the bytes that the codes of 32 rows select: 32 for each byte of a code, 16 for its low half.
func addSignsPortable(sums *[signRows]uint32, block, tables []byte) {
	for at := 0; at+signRows <= len(block); at += signRows {
		codes, table := block[at:][:signRows], tables[at:][:signRows]
		for j, c := range codes[:16] {
			sums[j] += uint32(table[c&15])
			sums[16+j] += uint32(table[c>>4])
		}
		for j, c := range codes[16:] {
			sums[j] += uint32(table[16+c&15])
			sums[16+j] += uint32(table[16+c>>4])
		}
	}
}

// dotNibblesPortable is Σ vᵢ·codeᵢ for codes that packNibbles packed; len(v) is twice that of codes, and a multiple of 32.
func dotNibblesPortable(v []float32, codes []byte) float32 {
	var s0, s1 float32
	for len(codes) >= 16 && len(v) >= nibbleDims {
		lo, hi := v[:16], v[16:nibbleDims]
		for j, c := range codes[:16] {
			s0 += lo[j] * float32(c&15)
			s1 += hi[j] * float32(c>>4)
		}
		v, codes = v[nibbleDims:], codes[16:]
	}
	return s0 + s1
}
