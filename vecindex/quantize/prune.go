package quantize

import "math"

// Pruner is a Scorer that can tell, much faster than it computes distances, which rows are too far.
//
// It adds tables of bytes instead of floats, 64 rows to an instruction; what it leaves over is scored
// as usual. An entry's byte is never more than the entry is worth, so no row within the threshold is
// lost, ties included, and results stay the same to the bit: André, Kermarrec and Le Scouarnec, "Cache
// locality is not enough: high-performance nearest neighbor search with product quantization
// fast scan", VLDB 2015, section 4; here with 256-entry tables, which VPERMI2B looks up.
type Pruner interface {
	Scorer
	// Prune sets bit i%64 of mask[i/64] for each row first+i, i < count, that may be at a distance of
	// threshold or less, and clears the others. mask has (count+63)/64 words. It returns false,
	// with mask undefined, if it cannot say anything here.
	Prune(mask []uint64, codes []byte, n, first, count int, threshold float32) bool
}

// pruneTables are the byte tables of a partition.
type pruneTables struct {
	state  pruneState
	bytes  []byte    // 256 for every byte of a code
	mins   []float32 // smallest entry of each table
	mags   []float32 // largest magnitude of each table
	acc    []uint16
	minSum float64 // Σ mins
	slack  float64 // bounds the rounding of a sum of float32 entries
	step   float64 // what one unit of a byte is worth
}

type pruneState uint8

const (
	pruneUnknown pruneState = iota // tables are new
	pruneReady
	pruneHopeless
)

// quantizeShift is subtracted, in units of a byte, before truncating, so that rounding in float32 cannot
// make a byte worth more than its entry: the error of (x − min) × inverse up to 256 is below 256 × 2⁻²².
const quantizeShift = 1.0 / 4096

// unitsPerEntry is what an entry is worth on average, in units, in a row at the threshold. Truncation loses
// half a unit, under one per cent; an entry of four times the average saturates, and a pair of
// bytes of twice, which only weakens the bound for rows that are far in few sub-vectors.
const unitsPerEntry = 64

// minPruneRows is the number of rows below which the byte tables cost more than they save.
const minPruneRows = 128

// Prune implements Pruner.
func (s *pqScorer) Prune(mask []uint64, codes []byte, n, first, count int, threshold float32) bool {
	p := &s.prune
	numBytes := len(s.tables) / 256
	if !canPrune || s.q.rowMajor || p.state == pruneHopeless || count < minPruneRows ||
		math.IsInf(float64(threshold), 0) || threshold != threshold {
		return false
	}
	limit := float64(threshold) + float64(s.offset)
	if p.state == pruneUnknown {
		p.state = pruneHopeless
		if numBytes > math.MaxUint16/256 || !s.finite() {
			return false
		}
		if !p.build(s.tables, limit) {
			return false
		}
		p.state = pruneReady
	}
	// One more rounding for the subtraction of the offset.
	units := (limit + p.slack + math.Abs(float64(threshold))*0x1p-22 - p.minSum) / p.step
	if units < 0 {
		clear(mask)
		return true
	}
	cutoff := uint16(min(units, math.MaxUint16-1))
	if groups := (count + 63) / 64; len(p.acc) < 64*groups {
		p.acc = make([]uint16, 64*groups)
	}
	pruneSums(mask, p.acc, p.bytes, codes, n, first, count, cutoff)
	return true
}

// finite reports whether no table entry can be NaN.
func (s *pqScorer) finite() bool {
	if !s.q.finite {
		return false
	}
	v := s.query
	if s.q.residual() {
		v = s.rest
	}
	var a, b, c, d float32 // NaN once an x is NaN or infinite
	for ; len(v) >= 4; v = v[4:] {
		a += v[0] * 0
		b += v[1] * 0
		c += v[2] * 0
		d += v[3] * 0
	}
	for _, x := range v {
		a += x * 0
	}
	return a+b+c+d == 0
}

// build fills the byte tables so that a row at the limit has unitsPerEntry units for each table.
func (p *pruneTables) build(tables []float32, limit float64) bool {
	numBytes := len(tables) / 256
	if len(p.mins) < numBytes {
		p.bytes = make([]byte, 256*numBytes)
		p.mins, p.mags = make([]float32, numBytes), make([]float32, numBytes)
	}
	tableRanges(p.mins, p.mags, tables)
	var mag float64
	p.minSum = 0
	for b := range numBytes {
		p.minSum += float64(p.mins[b])
		mag += float64(p.mags[b])
	}
	// γ_n of n additions, with headroom for the float64 sums here.
	p.slack = float64(numBytes+4) * 0x1p-24 * mag
	p.step = (limit + p.slack - p.minSum) / float64(numBytes*unitsPerEntry)
	if !(p.step > mag*1e-9) || math.IsInf(p.step, 0) {
		// Nothing is near (or everything is at one distance): any positive step is correct.
		p.step = mag * 1e-9
	}
	inverse := float32(1 / p.step * (1 - 0x1p-22)) // rounded down
	if !(p.step > 0) || math.IsInf(float64(inverse), 0) || inverse != inverse {
		return false
	}
	quantizeTables(p.bytes, tables, p.mins[:numBytes], inverse)
	return true
}

// The definitions of the kernels.

func tableRangesPortable(mins, mags, tables []float32) {
	for b := range len(tables) / 256 {
		lo, mag := tables[b*256], float32(0)
		for _, x := range tables[b*256:][:256] {
			lo = min(lo, x)
			mag = max(mag, max(x, -x))
		}
		mins[b], mags[b] = lo, mag
	}
}

func quantizeTablesPortable(dst []byte, tables, mins []float32, inverse float32) {
	for b := range len(tables) / 256 {
		for i, x := range tables[b*256:][:256] {
			d := x - mins[b]
			u := float32(d*inverse) - quantizeShift
			switch {
			case u >= 255:
				dst[b*256+i] = 255
			case u > 0:
				dst[b*256+i] = byte(u)
			default: // also NaN
				dst[b*256+i] = 0
			}
		}
	}
}

// pruneSumsPortable adds bytes as the kernel does: within each four bytes of a code in pairs that saturate.
func pruneSumsPortable(mask []uint64, tables, codes []byte, n, first, count int, cutoff uint16) {
	numBytes := len(tables) / 256
	clear(mask[:(count+63)/64])
	at := func(b, row int) int { return int(tables[b*256+int(codes[b*n+first+row])]) }
	for row := range count {
		sum := 0
		b := 0
		for ; b+4 <= numBytes; b += 4 {
			sum += min(255, at(b, row)+at(b+1, row)) + min(255, at(b+2, row)+at(b+3, row))
		}
		for ; b < numBytes; b++ {
			sum += at(b, row)
		}
		if sum <= int(cutoff) {
			mask[row/64] |= 1 << (row % 64)
		}
	}
}
