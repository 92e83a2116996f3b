package quantize

import (
	"context"

	"lanceflight/internal/fault"
	"lanceflight/internal/parallel"
	"lanceflight/vecindex/distance"
	"lanceflight/vecindex/kmeans"
)

// Encoder turns vectors into codes. It is immutable and safe for concurrent use.
type Encoder interface {
	// CodeBytes is the size of one row's code.
	CodeBytes() int
	// Residual says whether Encode wants vectors minus their centroid.
	Residual() bool
	// Encode writes the codes of the n = len(dst) / CodeBytes vectors, row-major; codes too are row-major, whatever the quantizer's
	// layout in a partition. Elements are finite.
	Encode(dst []byte, vectors []float32)
}

// Residual reports whether codes are of vectors minus their centroid.
func (q *PQ) Residual() bool { return q.residual() }

// pqEncoder finds the nearest codewords. [PQ] equation 9 for each sub-vector.
type pqEncoder struct {
	*PQ
	words []*distance.Centers // of each sub-vector
}

// NewEncoder packs the codebook for encoding.
func (q *PQ) NewEncoder() (Encoder, error) {
	e := &pqEncoder{PQ: q}
	words, sub := 1<<q.bits, q.dim/q.subVectors
	block := make([]float32, words*sub)
	for m := range q.subVectors {
		columns := q.columns[m*words*sub:][:words*sub]
		for w := range words {
			for j := range sub {
				block[w*sub+j] = columns[j*words+w]
			}
		}
		// L2 also under dot: the codeword nearest to a sub-vector estimates its products best.
		c, err := distance.NewCenters(distance.L2, block, sub)
		if err != nil {
			return nil, err
		}
		e.words = append(e.words, c)
	}
	return e, nil
}

// Encode implements Encoder.
func (e *pqEncoder) Encode(dst []byte, vectors []float32) {
	// Vectors are read once for each sub-vector: few at a time, so that they stay in the second-level cache.
	const block = 120
	width := e.CodeBytes()
	for len(dst) > 0 {
		n := min(block, len(dst)/width)
		e.encode(dst[:n*width], vectors)
		dst, vectors = dst[n*width:], vectors[n*e.dim:]
	}
}

func (e *pqEncoder) encode(dst []byte, vectors []float32) {
	width := e.CodeBytes()
	n, sub := len(dst)/width, e.dim/e.subVectors
	labels := make([]uint32, n)
	for m, c := range e.words {
		c.Nearest(labels, nil, vectors[m*sub:], e.dim)
		if e.bits == 8 {
			for i, l := range labels {
				dst[i*width+m] = byte(l)
			}
			continue
		}
		for i, l := range labels {
			if at := i*width + m/2; m%2 == 0 {
				dst[at] = byte(l) & 15
			} else {
				dst[at] |= byte(l) << 4
			}
		}
	}
}

// TrainPQ trains the codebook of PQConfig on the n = len(vectors) / dim vectors, row-major, which it only reads: residuals, or vectors
// under dot. Each sub-vector has k-means of its own. cfg.K and cfg.Metric are not looked at; cfg.Progress counts sub-vectors.
// Fewer vectors than codewords are fault.InvalidArgument.
func TrainPQ(ctx context.Context, vectors []float32, dim, subVectors, bits int, cfg kmeans.Config) (codebook []float32, err error) {
	if bits != 8 && bits != 4 {
		return nil, fault.New(fault.Unsupported, "product quantization with %d bits", bits)
	}
	if subVectors <= 0 || dim <= 0 || dim%subVectors != 0 {
		return nil, fault.New(fault.InvalidArgument, "%d dimensions cannot be cut into %d sub-vectors of equal size", dim, subVectors)
	}
	if bits == 4 && subVectors%2 != 0 {
		return nil, fault.New(fault.InvalidArgument, "4-bit product quantization takes an even number of sub-vectors, not %d", subVectors)
	}
	n, sub, words := len(vectors)/dim, dim/subVectors, 1<<bits
	if n < words {
		return nil, fault.New(fault.InvalidArgument, "cannot train %d codewords on %d vectors", words, n)
	}
	cfg.K, cfg.Metric = words, distance.L2
	progress := cfg.Progress
	cfg.Progress = nil
	codebook = make([]float32, words*dim)
	part := make([]float32, n*sub)
	for m := range subVectors {
		err := parallel.Chunks(ctx, max(1, cfg.Workers), n, 4096, func(_, from, to int) {
			for i := from; i < to; i++ {
				copy(part[i*sub:][:sub], vectors[i*dim+m*sub:])
			}
		})
		if err != nil {
			return nil, err
		}
		r, err := kmeans.Train(ctx, part, sub, cfg)
		if err != nil {
			return nil, err
		}
		copy(codebook[m*words*sub:], r.Centroids)
		if progress != nil {
			progress(m+1, subVectors)
		}
	}
	return codebook, nil
}

// Residual is false: codes are of the vector itself.
func (q *SQ) Residual() bool { return false }

// NewEncoder implements encoding; q is its own encoder.
func (q *SQ) NewEncoder() (Encoder, error) { return q, nil }

// Encode implements Encoder.
func (q *SQ) Encode(dst []byte, vectors []float32) { q.encode(dst, vectors) }

// Bounds are the values that the codes 0 and 255 stand for.
func (q *SQ) Bounds() (lo, hi float64) { return q.lo, q.hi }

// TrainSQ returns the smallest and the largest element, which are the bounds of NewSQ. There is at least one.
func TrainSQ(vectors []float32) (lo, hi float64) {
	a, b := vectors[0], vectors[0]
	for _, x := range vectors {
		a, b = min(a, x), max(b, x)
	}
	return float64(a), float64(b)
}
