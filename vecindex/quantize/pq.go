package quantize

import (
	"lanceflight/internal/fault"
	"lanceflight/internal/half"
	"lanceflight/internal/prefetch"
	"lanceflight/vecindex/distance"
)

// PQ is a product quantizer: a vector is cut into m sub-vectors, and each is replaced by the number of
// the nearest of 2^bits codewords.
//
//	vector   [ x₀ … | x₁ … | … | x_{m-1} … ]     dim / m elements each
//	codes    [ c₀   | c₁   | … | c_{m-1}   ]     8 or 4 bits each
//
// A partition of n rows is stored transposed, so that a scan adds one table's entries for many rows:
//
//	8 bits   n bytes c₀, n bytes c₁, …
//	4 bits   n bytes c₁<<4|c₀, n bytes c₃<<4|c₂, …
//
// Source: lance-index 14.0.2, vector/pq/{storage,distance}.rs.
type PQ struct {
	metric     distance.Metric
	dim        int
	subVectors int
	bits       int
	half       bool
	rowMajor   bool
	// columns holds the codebook with a column per codeword: [sub-vector][element][codeword].
	columns []float32
	finite  bool // no number of the codebook is NaN or infinite
}

// PQConfig describes a product quantizer as index files do.
type PQConfig struct {
	Metric     distance.Metric // Cosine means that vectors were normalised and compared by L2
	Dim        int
	SubVectors int // divides Dim; even with 4 bits
	Bits       int // 8 or 4
	// Codebook is [sub-vector][codeword][Dim / SubVectors], 2^Bits × Dim numbers. It is not retained.
	Codebook []float32
	// Half says that vectors are float16: queries and residuals are rounded to that, as Lance does.
	Half bool
	// RowMajor says that a partition's codes are not transposed, but row by row: for walks, which score rows here and
	// there. Distances are the same to the bit.
	RowMajor bool
}

// NewPQ checks a configuration. What contradicts itself is a CorruptError, Hamming and other code
// widths are fault.Unsupported.
func NewPQ(c PQConfig) (*PQ, error) {
	if c.Bits != 8 && c.Bits != 4 {
		return nil, fault.New(fault.Unsupported, "product quantization with %d bits", c.Bits)
	}
	if c.Metric == distance.Hamming {
		return nil, fault.New(fault.Unsupported, "product quantization under the hamming distance")
	}
	if c.Dim <= 0 || c.Dim > distance.MaxDim || c.SubVectors <= 0 || c.Dim%c.SubVectors != 0 {
		return nil, fault.Corruptf("product quantizer with %d sub-vectors of %d dimensions", c.SubVectors, c.Dim)
	}
	if c.Bits == 4 && c.SubVectors%2 != 0 {
		return nil, fault.Corruptf("4-bit product quantizer with an odd number of sub-vectors, %d", c.SubVectors)
	}
	words := 1 << c.Bits
	if len(c.Codebook) != words*c.Dim {
		return nil, fault.Corruptf("codebook of %d numbers; %d codewords of %d dimensions need %d", len(c.Codebook),
			words, c.Dim, words*c.Dim)
	}
	q := &PQ{
		metric: c.Metric, dim: c.Dim, subVectors: c.SubVectors, bits: c.Bits, half: c.Half, rowMajor: c.RowMajor,
		columns: make([]float32, len(c.Codebook)),
	}
	sub := c.Dim / c.SubVectors
	for m := range c.SubVectors {
		block, columns := c.Codebook[m*words*sub:][:words*sub], q.columns[m*words*sub:][:words*sub]
		for w := range words {
			for j := range sub {
				columns[j*words+w] = block[w*sub+j]
			}
		}
	}
	var zero float32
	for _, x := range c.Codebook {
		zero += x * 0
	}
	q.finite = zero == 0
	return q, nil
}

// Kind implements Quantizer.
func (q *PQ) Kind() string { return "PQ" }

// Dim implements Quantizer.
func (q *PQ) Dim() int { return q.dim }

// SubVectors returns the number of sub-vectors.
func (q *PQ) SubVectors() int { return q.subVectors }

// Bits returns the width of one code, 8 or 4.
func (q *PQ) Bits() int { return q.bits }

// CodeBytes implements Quantizer.
func (q *PQ) CodeBytes() int { return q.subVectors * q.bits / 8 }

// Approximate implements Quantizer.
func (q *PQ) Approximate() bool { return true }

// residual reports whether codes are of the vector minus its centroid: for L2 and cosine they are, for dot
// they are of the vector itself.
func (q *PQ) residual() bool { return q.metric != distance.Dot }

// pqScorer sums table entries: [PQ] equation 13, d²(x, y) ≈ Σⱼ d²(xⱼ, c_{j,code}) (ADC), of residuals
// as in section IV.
type pqScorer struct {
	q     *PQ
	query []float32
	// tables has 256 entries for every byte of a code. With 4 bits an entry is the sum for both
	// nibbles, so the scan is the same, and rounds as Lance's does.
	tables  []float32
	rest    []float32 // residual of the query
	nibbles []float32 // 4 bits: the tables of single sub-vectors
	offset  float32   // subtracted from each sum
	ready   bool      // tables do not depend on the partition and are filled
	prune   pruneTables
	coming  []byte // codes to prefetch while tables are filled

	// What was announced besides, until Enter.
	after       []float32
	comingAfter []byte
	// Tables and residual for the centroid at aheadOf, if that is not nil.
	aheadOf     *float32
	tablesAhead []float32
	restAhead   []float32
}

// NewScorer implements Quantizer.
func (q *PQ) NewScorer() Scorer {
	s := &pqScorer{q: q, tables: make([]float32, q.CodeBytes()*256)}
	if q.residual() {
		s.rest = make([]float32, q.dim)
	} else {
		// Each entry is 1 − dot of the sub-vectors; the sum has m ones where one is wanted.
		s.offset = float32(q.subVectors) - 1
	}
	if q.bits == 4 {
		s.nibbles = make([]float32, q.subVectors*16)
	}
	return s
}

// Start implements Scorer.
func (s *pqScorer) Start(query []float32) { s.query, s.ready, s.aheadOf = query, false, nil }

// maxPrefetch bounds the codes that are fetched ahead: more would push each other, and the codebook, out of the second-level
// cache. Those that follow are in a stream by then, which the processor sees itself.
const maxPrefetch = 256 << 10

// Announce implements Announcer.
func (s *pqScorer) Announce(codes []byte, after []float32, codesAfter []byte) {
	if !s.q.residual() || s.q.rowMajor {
		return
	}
	s.coming = codes[:min(len(codes), maxPrefetch)]
	s.after, s.comingAfter = nil, nil
	if s.q.bits == 8 {
		s.after, s.comingAfter = after, codesAfter[:min(len(codesAfter), maxPrefetch-len(s.coming))]
	}
}

// Enter implements Scorer.
func (s *pqScorer) Enter(centroid []float32) {
	if !s.q.residual() {
		if !s.ready {
			s.fill(s.query)
			s.ready = true
		}
		return
	}
	after := s.after
	s.after = nil
	if s.aheadOf == &centroid[0] {
		s.tables, s.tablesAhead = s.tablesAhead, s.tables
		s.rest, s.restAhead = s.restAhead, s.rest
		s.aheadOf, s.coming, s.prune.state = nil, nil, pruneUnknown
		return
	}
	s.subtract(s.rest, centroid)
	if after == nil {
		s.fill(s.rest)
		return
	}
	if s.tablesAhead == nil {
		s.tablesAhead, s.restAhead = make([]float32, len(s.tables)), make([]float32, len(s.rest))
	}
	s.subtract(s.restAhead, after)
	s.fillTwo()
	s.aheadOf = &after[0]
}

// subtract makes the residual of the query to a centroid.
func (s *pqScorer) subtract(rest, centroid []float32) {
	for i, c := range centroid[:len(rest)] {
		rest[i] = s.query[i] - c
	}
	if s.q.half {
		for i, x := range rest {
			rest[i] = half.Round(x)
		}
	}
}

// fillTwo is fill for both residuals, with 8 bits. The codebook is most of a second-level cache: reading it takes as long as the sums do.
func (s *pqScorer) fillTwo() {
	s.prune.state = pruneUnknown
	sub := s.q.dim / s.q.subVectors
	ahead, behind := s.coming, s.comingAfter
	s.coming, s.comingAfter = nil, nil
	step, stepBehind := len(ahead)/s.q.subVectors+1, len(behind)/s.q.subVectors+1
	for m := range s.q.subVectors {
		prefetch.Lines(ahead[:min(step, len(ahead))])
		prefetch.Lines(behind[:min(stepBehind, len(behind))])
		ahead, behind = ahead[min(step, len(ahead)):], behind[min(stepBehind, len(behind)):]
		distance.SquaredL2ColumnsOfTwo(s.tables[m*256:][:256], s.tablesAhead[m*256:][:256],
			s.q.columns[m*256*sub:][:256*sub], s.rest[m*sub:][:sub], s.restAhead[m*sub:][:sub])
	}
}

// fill computes the tables for a vector: the distance of each sub-vector to each codeword.
func (s *pqScorer) fill(v []float32) {
	s.prune.state = pruneUnknown
	words := 1 << s.q.bits
	sub := s.q.dim / s.q.subVectors
	tables := s.tables
	if s.q.bits == 4 {
		tables = s.nibbles
	}
	ahead, step := s.coming, len(s.coming)/s.q.subVectors+1
	s.coming = nil
	for m := range s.q.subVectors {
		prefetch.Lines(ahead[:min(step, len(ahead))])
		ahead = ahead[min(step, len(ahead)):]
		table := tables[m*words:][:words]
		columns := s.q.columns[m*words*sub:][:words*sub]
		if s.q.residual() {
			distance.SquaredL2Columns(table, columns, v[m*sub:][:sub])
			continue
		}
		distance.DotColumns(table, columns, v[m*sub:][:sub])
		for i, d := range table {
			table[i] = 1 - d
		}
	}
	if s.q.bits == 4 {
		for b := range s.q.CodeBytes() {
			lo, hi := s.nibbles[b*32:][:16], s.nibbles[b*32+16:][:16]
			table := s.tables[b*256:][:256]
			for h, y := range hi {
				for l, x := range lo {
					table[h<<4|l] = x + y
				}
			}
		}
	}
}

// Distances implements Scorer.
func (s *pqScorer) Distances(dst []float32, codes []byte, n, first int) {
	if s.q.rowMajor {
		scanRows(dst, s.tables, codes[first*s.q.CodeBytes():])
	} else {
		scanTransposed(dst, s.tables, codes, n, first)
	}
	if s.offset != 0 {
		for i := range dst {
			dst[i] -= s.offset
		}
	}
}

// DistancesAt implements Scorer.
func (s *pqScorer) DistancesAt(dst []float32, codes []byte, n int, rows []uint32) {
	dst = dst[:len(rows)]
	if s.q.rowMajor {
		width := s.q.CodeBytes()
		for i, row := range rows {
			scanRows(dst[i:i+1], s.tables, codes[int(row)*width:])
			dst[i] -= s.offset
		}
		return
	}
	for i, row := range rows {
		var d float32
		at := int(row)
		for t := s.tables; len(t) >= 256; t = t[256:] {
			d += t[codes[at]]
			at += n
		}
		dst[i] = d - s.offset
	}
}

// scanRows is scanTransposed for codes that lie row by row; the order of additions is the same.
func scanRows(dst, tables []float32, codes []byte) {
	width := len(tables) / 256
	for i := range dst {
		row := codes[i*width:][:width]
		var d float32
		t := tables
		for _, c := range row {
			d += t[c]
			t = t[256:]
		}
		dst[i] = d
	}
}

// scanTransposed adds, for each row, the entry of each byte's table, in the order of the bytes: that is
// the order in which Lance adds, so that sums agree to the bit. Four bytes at a time keep the sum in
// a register between them; the accumulators of a block stay in the first-level cache.
func scanTransposed(dst, tables []float32, codes []byte, n, first int) {
	const block = 2048 // rows; 8 KiB of sums
	for len(dst) > 0 {
		acc := dst[:min(block, len(dst))]
		scanBlock(acc, tables, codes, n, first)
		dst = dst[len(acc):]
		first += len(acc)
	}
}

func scanBlock(acc, tables []float32, codes []byte, n, first int) {
	clear(acc)
	numBytes := len(tables) / 256
	m := 0
	for ; m+4 <= numBytes; m += 4 {
		t0 := (*[256]float32)(tables[m*256:])
		t1 := (*[256]float32)(tables[m*256+256:])
		t2 := (*[256]float32)(tables[m*256+512:])
		t3 := (*[256]float32)(tables[m*256+768:])
		c0 := codes[m*n+first:][:len(acc)]
		c1 := codes[(m+1)*n+first:][:len(acc)]
		c2 := codes[(m+2)*n+first:][:len(acc)]
		c3 := codes[(m+3)*n+first:][:len(acc)]
		for i, d := range acc {
			acc[i] = d + t0[c0[i]] + t1[c1[i]] + t2[c2[i]] + t3[c3[i]]
		}
	}
	for ; m < numBytes; m++ {
		t := (*[256]float32)(tables[m*256:])
		for i, c := range codes[m*n+first:][:len(acc)] {
			acc[i] += t[c]
		}
	}
}
