package distance

import (
	"math"

	"lanceflight/internal/fault"
)

// Centers are vectors to be compared with many others, as centroids and codewords are: k-means and
// quantizers ask for the nearest of them again and again. It is immutable and safe for concurrent use.
//
// They are kept in panels of 16, element by element, so that a kernel holds 16 sums for each of a few
// vectors in registers:
//
//	panel 0   [ e₀ of centres 0 … 15 | e₁ of centres 0 … 15 | … ]
//	panel 1   [ e₀ of centres 16 … 31 | … ]
//
// What is compared is |c|² − 2·x·c under L2, −x·c under Dot: both differ from the distance by what
// is the same for all centres. So elements are stored times −2 or −1, and a sum starts at |c|² or 0.
// The classical trick of the matrix product; it costs digits when |x − c| is far below |x|, which
// moves a vector between centres that are about as near.
type Centers struct {
	metric Metric
	dim, n int
	panels []float32 // ⌈n/16⌉ × dim × 16
	starts []float32 // ⌈n/16⌉ × 16; +Inf behind the last centre, which nothing is near
}

// NoCenter is the label of a vector that is near no centre, because it has NaN or infinite elements.
const NoCenter = math.MaxUint32

const (
	panelWidth = 16
	tileRows   = 6 // vectors per call of the kernel
)

// NewCenters packs n = len(values) / dim centres, row-major; values is copied. Cosine is L2 of vectors
// that the caller normalised. Hamming, no centre, and sizes that do not fit are fault.InvalidArgument.
func NewCenters(metric Metric, values []float32, dim int) (*Centers, error) {
	if metric >= Hamming {
		return nil, fault.New(fault.InvalidArgument, "no nearest centres under the %s distance", metric)
	}
	if dim <= 0 || dim > MaxDim || len(values) == 0 || len(values)%dim != 0 {
		return nil, fault.New(fault.InvalidArgument, "%d numbers are no centres of %d dimensions", len(values), dim)
	}
	n := len(values) / dim
	width := (n + panelWidth - 1) / panelWidth * panelWidth
	c := &Centers{metric: metric, dim: dim, n: n, panels: make([]float32, width*dim), starts: make([]float32, width)}
	factor := float32(-2)
	if metric == Dot {
		factor = -1
	}
	for i := range width {
		if i >= n {
			c.starts[i] = float32(math.Inf(1))
			continue
		}
		row := values[i*dim:][:dim]
		if metric != Dot {
			c.starts[i] = InnerProduct(row, row)
		}
		at := c.panels[i/panelWidth*panelWidth*dim+i%panelWidth:]
		for j, x := range row {
			at[j*panelWidth] = factor * x
		}
	}
	return c, nil
}

// Len is the number of centres.
func (c *Centers) Len() int { return c.n }

// Dim is the number of dimensions.
func (c *Centers) Dim() int { return c.dim }

// A block of vectors and one of panels stay in the second-level cache together.
const (
	blockRows   = 20 * tileRows
	blockFloats = 1 << 16
)

// Nearest writes the number of the centre nearest to row i, values[i*stride : i*stride+Dim], to labels[i], for
// every i below len(labels), ties by the lowest number; NoCenter if an element is NaN or infinite. scores, which is nil or as long
// as labels, takes |c|² − 2·x·c under L2, −x·c under Dot, of that centre; with |x|² added that is the squared
// distance up to rounding. stride is in elements and at least Dim. The result for a row does not depend on the others.
func (c *Centers) Nearest(labels []uint32, scores []float32, values []float32, stride int) {
	var (
		best  [blockRows * panelWidth]float32
		index [blockRows * panelWidth]uint32
		tail  []float32
	)
	panels := len(c.starts) / panelWidth
	step := max(1, blockFloats/(c.dim*panelWidth))
	for first := 0; first < len(labels); first += blockRows {
		n := min(blockRows, len(labels)-first)
		for i := range n * panelWidth {
			best[i], index[i] = float32(math.Inf(1)), NoCenter
		}
		for p := 0; p < panels; p += step {
			count := min(step, panels-p)
			block := c.panels[p*panelWidth*c.dim:][:count*panelWidth*c.dim]
			starts := c.starts[p*panelWidth:][:count*panelWidth]
			for r := 0; r < n; r += tileRows {
				rows, rowStride := values[(first+r)*stride:], stride
				if n-r < tileRows { // the kernel takes them by sixes
					if tail == nil {
						tail = make([]float32, tileRows*c.dim)
						for i := range n - r {
							copy(tail[i*c.dim:][:c.dim], rows[i*stride:])
						}
					}
					rows, rowStride = tail, c.dim
				}
				nearestTile((*[tileRows * panelWidth]float32)(best[r*panelWidth:]), (*[tileRows * panelWidth]uint32)(index[r*panelWidth:]),
					rows, rowStride, block, starts, c.dim, uint32(p*panelWidth))
			}
		}
		for r := range n {
			d, l := best[r*panelWidth], index[r*panelWidth]
			for lane := 1; lane < panelWidth; lane++ {
				if e, m := best[r*panelWidth+lane], index[r*panelWidth+lane]; e < d || e == d && m < l {
					d, l = e, m
				}
			}
			if d-d != 0 {
				l = NoCenter // −Inf: an infinite element
			}
			labels[first+r] = l
			if scores != nil {
				scores[first+r] = d
			}
		}
	}
}

// nearestTilePortable is the definition of the kernel: for each of tileRows vectors and each lane, the smallest
// start + Σ xⱼ·panelⱼ over the panels, and the number of its centre, if it is smaller than what is there.
func nearestTilePortable(best *[tileRows * panelWidth]float32, index *[tileRows * panelWidth]uint32, rows []float32,
	stride int, panels, starts []float32, dim int, first uint32) {
	for p := 0; p < len(starts); p += panelWidth {
		panel := panels[p*dim:][:panelWidth*dim]
		for r := range tileRows {
			var sums [panelWidth]float32
			copy(sums[:], starts[p:][:panelWidth])
			for j, x := range rows[r*stride:][:dim] {
				column := (*[panelWidth]float32)(panel[j*panelWidth:])
				for lane := range sums {
					sums[lane] += x * column[lane]
				}
			}
			for lane, d := range sums {
				if at := r*panelWidth + lane; d < best[at] {
					best[at], index[at] = d, first+uint32(p+lane)
				}
			}
		}
	}
}
