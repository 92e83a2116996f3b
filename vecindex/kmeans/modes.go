package kmeans

import (
	"context"
	"math"
	"math/bits"
	"math/rand/v2"

	"lanceflight/internal/fault"
	"lanceflight/vecindex/distance"
)

// BytesResult is what was trained on bytes.
type BytesResult struct {
	Centroids  []byte // K × dim, row-major
	Loss       float64
	Iterations int
}

// TrainBytes clusters the n = len(data) / dim vectors of bytes under the Hamming distance; the centroid of a cluster has
// each bit that most of its vectors have (k-modes, Huang 1998, with bits for attributes; ties are 0 bits). Config.Metric is
// not looked at. Fewer vectors than K are fault.InvalidArgument.
func TrainBytes(ctx context.Context, data []byte, dim int, c Config) (*BytesResult, error) {
	c.defaults()
	if dim <= 0 || len(data)%dim != 0 {
		return nil, fault.New(fault.InvalidArgument, "%d bytes are no vectors of %d dimensions", len(data), dim)
	}
	n := len(data) / dim
	if c.K <= 0 || c.K > n {
		return nil, fault.New(fault.InvalidArgument, "cannot train %d centroids on %d vectors", c.K, n)
	}
	t := &modes{Config: c, data: data, dim: dim, n: n, labels: make([]uint32, n), best: make([]uint32, n)}
	if err := t.seed(ctx); err != nil {
		return nil, err
	}
	loss := int64(-1)
	for i := 1; ; i++ {
		next, err := t.assign(ctx)
		if err != nil {
			return nil, err
		}
		if next == 0 || loss >= 0 && float64(loss-next) <= t.Tolerance*float64(next) || i > t.MaxIterations {
			return &BytesResult{Centroids: t.centroids, Loss: float64(next), Iterations: i - 1}, nil
		}
		loss = next
		if t.update() {
			loss = -1
		}
		if t.Progress != nil {
			t.Progress(i, t.MaxIterations)
		}
	}
}

type modes struct {
	Config
	data      []byte
	dim, n    int
	centroids []byte
	labels    []uint32
	best      []uint32 // distance to the centroid of the label
}

func (t *modes) row(i int) []byte { return t.data[i*t.dim:][:t.dim] }

// seed is k-means++ with the Hamming distance, which is the squared L2 distance of bits.
func (t *modes) seed(ctx context.Context) error {
	rng := rand.New(rand.NewPCG(t.Seed, 0x6b6d6f646573))
	t.centroids = make([]byte, 0, t.K*t.dim)
	weights, sums := make([]float32, t.n), make([]float64, numChunks(t.n))
	pick := rng.IntN(t.n)
	for first := true; ; first = false {
		t.centroids = append(t.centroids, t.row(pick)...)
		if len(t.centroids) == cap(t.centroids) {
			return nil
		}
		seed := t.centroids[len(t.centroids)-t.dim:]
		err := chunks(ctx, t.Workers, t.n, func(chunk, from, to int) {
			sums[chunk] = 0
			for i := from; i < to; i++ {
				d := float32(distance.HammingBytes(t.row(i), seed))
				if first || d < weights[i] {
					weights[i] = d
				}
				sums[chunk] += float64(weights[i])
			}
		})
		if err != nil {
			return err
		}
		pick = draw(rng, weights, sums)
	}
}

// NearestBytes returns the number of the centroid nearest to x, and the differing bits; ties by the lowest number. There is at
// least one.
func NearestBytes(x, centroids []byte) (label, bits uint32) {
	dim := len(x)
	bits = math.MaxUint32
	for k := 0; (k+1)*dim <= len(centroids); k++ {
		if d := uint32(distance.HammingBytes(x, centroids[k*dim:][:dim])); d < bits {
			label, bits = uint32(k), d
		}
	}
	return label, bits
}

func (t *modes) assign(ctx context.Context) (int64, error) {
	sums := make([]int64, numChunks(t.n))
	err := chunks(ctx, t.Workers, t.n, func(chunk, from, to int) {
		for i := from; i < to; i++ {
			t.labels[i], t.best[i] = NearestBytes(t.row(i), t.centroids)
			sums[chunk] += int64(t.best[i])
		}
	})
	var loss int64
	for _, s := range sums {
		loss += s
	}
	return loss, err
}

// update takes the majority of each bit, and moves empty clusters onto the vectors farthest from their centroids.
func (t *modes) update() (repaired bool) {
	sizes := make([]uint32, t.K)
	ones := make([]uint32, t.K*t.dim*8)
	for i, l := range t.labels {
		sizes[l]++
		count := ones[int(l)*t.dim*8:][:t.dim*8]
		for j, b := range t.row(i) {
			for ; b != 0; b &= b - 1 {
				count[j*8+bits.TrailingZeros8(b)]++
			}
		}
	}
	for k, n := range sizes {
		centroid := t.centroids[k*t.dim:][:t.dim]
		if n == 0 {
			far := 0
			for i, d := range t.best {
				if d > t.best[far] {
					far = i
				}
			}
			if t.best[far] == 0 {
				continue // every vector is a centroid already
			}
			copy(centroid, t.row(far))
			t.best[far] = 0 // the next one takes another
			repaired = true
			continue
		}
		count := ones[k*t.dim*8:][:t.dim*8]
		for j := range centroid {
			var b byte
			for bit := range 8 {
				if 2*count[j*8+bit] > n {
					b |= 1 << bit
				}
			}
			centroid[j] = b
		}
	}
	return repaired
}
