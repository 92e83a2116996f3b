package distance

import "math"

// Below finds, of all pairs of a row and a centre, those whose score may be small enough, without saying how small:
//
//	rows     values[i*stride : i*stride+Dim], i < len(shift)
//	score    |c|² − 2·x·c under L2, −x·c under Dot, by the matrix kernel
//	pair     score·scale[row] + shift[row] <= limit[centre], or not a finite number
//
// and calls pair for each, rows ascending within a block of rows and centres, which is how both stay in the cache. limit has one
// element for each centre; pair may change it, and the pairs that follow are measured by what it holds then. scale is as long as shift;
// nil means 1. Rounding is the caller's to allow for; see Centers.
func (c *Centers) Below(values []float32, stride int, scale, shift, limit []float32, pair func(row, centre int)) {
	var (
		scores [tileRows * panelWidth]float32
		index  [tileRows * panelWidth]uint32
		tail   []float32
	)
	rows := len(shift)
	panels := len(c.starts) / panelWidth
	step := max(1, blockFloats/(c.dim*panelWidth))
	for first := 0; first < rows; first += blockRows {
		n := min(blockRows, rows-first)
		for p0 := 0; p0 < panels; p0 += step {
			for r := 0; r < n; r += tileRows {
				at, count := first+r, min(tileRows, n-r)
				tile, tileStride := values[at*stride:], stride
				if count < tileRows { // the kernel takes them by sixes
					if tail == nil {
						tail = make([]float32, tileRows*c.dim)
					}
					for i := range count {
						copy(tail[i*c.dim:][:c.dim], tile[i*stride:])
					}
					tile, tileStride = tail, c.dim
				}
				for p := p0; p < min(p0+step, panels); p++ {
					for i := range scores {
						scores[i] = float32(math.Inf(1))
					}
					nearestTile(&scores, &index, tile, tileStride, c.panels[p*panelWidth*c.dim:][:panelWidth*c.dim],
						c.starts[p*panelWidth:][:panelWidth], c.dim, 0)
					lanes := min(panelWidth, c.n-p*panelWidth)
					limits := limit[p*panelWidth:][:lanes]
					for i := range count {
						factor, plus := float32(1), shift[at+i]
						if scale != nil {
							factor = scale[at+i]
						}
						for lane, s := range scores[i*panelWidth:][:lanes] {
							// The kernel leaves +Inf where a sum is NaN.
							if t := s*factor + plus; t > limits[lane] && t <= math.MaxFloat32 {
								continue
							}
							pair(at+i, p*panelWidth+lane)
						}
					}
				}
			}
		}
	}
}
