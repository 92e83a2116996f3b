package kmeans

import (
	"context"
	"math"
	"runtime"

	"lanceflight/internal/fault"
	"lanceflight/internal/parallel"
	"lanceflight/vecindex/distance"
)

// Config says what to train. The zero value of each field but K means its default.
type Config struct {
	K      int             // number of centroids
	Metric distance.Metric // L2 or Dot; Cosine is L2 of vectors that the caller normalised
	// MaxIterations bounds the rounds; 0 means 50, as in Lance. Tolerance ends them when the loss falls by less than this share
	// of itself; 0 means 1e-4.
	MaxIterations int
	Tolerance     float64
	Seed          uint64
	Workers       int // goroutines; 0 means GOMAXPROCS
	// Progress is called after each round, by the goroutine that called Train; nil for none.
	Progress func(iteration, of int)
}

// Result is what was trained.
type Result struct {
	Centroids  []float32 // K × dim, row-major
	Loss       float64   // Σ of the distances of the sample to their centroids: squared L2, or 1 − dot
	Iterations int
}

func (c *Config) defaults() {
	if c.MaxIterations <= 0 {
		c.MaxIterations = 50
	}
	if c.Tolerance <= 0 {
		c.Tolerance = 1e-4
	}
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
}

// Train clusters the n = len(data) / dim vectors of data, row-major, which it only reads. Vectors
// with a NaN or an infinite element are left out. Fewer vectors than K are fault.InvalidArgument.
// Memory: the centroids a few times over, and 12 bytes for each vector.
func Train(ctx context.Context, data []float32, dim int, c Config) (*Result, error) {
	c.defaults()
	if dim <= 0 || len(data)%dim != 0 {
		return nil, fault.New(fault.InvalidArgument, "%d numbers are no vectors of %d dimensions", len(data), dim)
	}
	if c.Metric == distance.Hamming {
		return nil, fault.New(fault.InvalidArgument, "k-means needs floats; bytes are clustered by TrainBytes")
	}
	t := &trainer{Config: c, data: data, dim: dim, n: len(data) / dim}
	if c.K <= 0 || c.K > t.n {
		return nil, fault.New(fault.InvalidArgument, "cannot train %d centroids on %d vectors", c.K, t.n)
	}
	if err := t.measure(ctx); err != nil {
		return nil, err
	}
	if t.finite < c.K {
		return nil, fault.New(fault.InvalidArgument,
			"cannot train %d centroids on %d vectors (%d more have NaN or infinite elements)", c.K, t.finite, t.n-t.finite)
	}
	if err := t.seed(ctx); err != nil {
		return nil, err
	}
	return t.run(ctx)
}

type trainer struct {
	Config
	data      []float32
	dim, n    int
	finite    int       // vectors that count
	norms     []float32 // |x|² of each; NaN or Inf for one that does not count
	centroids []float32
	labels    []uint32
	scores    []float32
}

func (t *trainer) row(i int) []float32 { return t.data[i*t.dim:][:t.dim] }

func (t *trainer) centroid(i int) []float32 { return t.centroids[i*t.dim:][:t.dim] }

// measure computes the squared lengths.
func (t *trainer) measure(ctx context.Context) error {
	t.norms = make([]float32, t.n)
	err := chunks(ctx, t.Workers, t.n, func(_, from, to int) {
		for i := from; i < to; i++ {
			t.norms[i] = distance.InnerProduct(t.row(i), t.row(i))
		}
	})
	for _, x := range t.norms {
		if x-x == 0 {
			t.finite++
		}
	}
	return err
}

// run is Lloyd's iteration.
func (t *trainer) run(ctx context.Context) (*Result, error) {
	t.labels, t.scores = make([]uint32, t.n), make([]float32, t.n)
	loss := math.Inf(1)
	for i := 1; ; i++ {
		next, err := t.assign(ctx)
		if err != nil {
			return nil, err
		}
		settled := next == 0 || loss-next <= t.Tolerance*math.Abs(next)
		// The centroids that are returned are those whose loss is: a repair in the last round would not be measured.
		if settled && i > 1 || i > t.MaxIterations {
			return &Result{Centroids: t.centroids, Loss: next, Iterations: i - 1}, nil
		}
		loss = next
		repaired, err := t.update(ctx)
		if err != nil {
			return nil, err
		}
		if repaired {
			loss = math.Inf(1) // empty clusters came back: whatever the loss does now, it is not settled
		}
		if t.Progress != nil {
			t.Progress(i, t.MaxIterations)
		}
	}
}

// assign labels every vector and returns the loss.
func (t *trainer) assign(ctx context.Context) (float64, error) {
	centers, err := distance.NewCenters(t.Metric, t.centroids, t.dim)
	if err != nil {
		return 0, err
	}
	losses := make([]float64, numChunks(t.n))
	err = chunks(ctx, t.Workers, t.n, func(chunk, from, to int) {
		centers.Nearest(t.labels[from:to], t.scores[from:to], t.data[from*t.dim:to*t.dim], t.dim)
		for i := from; i < to; i++ {
			switch {
			case t.labels[i] == distance.NoCenter:
			case t.Metric == distance.Dot:
				losses[chunk] += 1 + float64(t.scores[i])
			default:
				losses[chunk] += max(0, float64(t.scores[i])+float64(t.norms[i]))
			}
		}
	})
	var loss float64
	for _, l := range losses {
		loss += l
	}
	return loss, err
}

// update moves every centroid to the mean of its vectors. It reports whether there were empty clusters,
// which it repaired.
func (t *trainer) update(ctx context.Context) (repaired bool, err error) {
	// The rows of each cluster, in order: a counting sort. One goroutine sums a cluster, so sums have one order.
	starts := make([]int, t.K+1)
	for _, l := range t.labels {
		if l != distance.NoCenter {
			starts[l+1]++
		}
	}
	for k := range t.K {
		starts[k+1] += starts[k]
	}
	rows := make([]uint32, starts[t.K])
	next := append([]int(nil), starts...)
	for i, l := range t.labels {
		if l != distance.NoCenter {
			rows[next[l]] = uint32(i)
			next[l]++
		}
	}
	err = parallel.For(ctx, t.Workers, t.K, func(k int) {
		if members := rows[starts[k]:starts[k+1]]; len(members) > 0 {
			t.mean(t.centroid(k), members)
		}
	})
	if err != nil {
		return false, err
	}
	sizes := make([]int, t.K)
	for k := range sizes {
		sizes[k] = starts[k+1] - starts[k]
	}
	return t.repair(sizes), nil
}

// mean writes the mean of some rows, of unit length under Dot. Sums are of float64: a cluster may have millions of rows.
func (t *trainer) mean(dst []float32, rows []uint32) {
	sum := make([]float64, t.dim)
	for _, r := range rows {
		for j, x := range t.row(int(r)) {
			sum[j] += float64(x)
		}
	}
	scale := 1 / float64(len(rows))
	if t.Metric == distance.Dot {
		var square float64
		for _, x := range sum {
			square += x * x
		}
		if square == 0 {
			return // opposite vectors; the centroid stays
		}
		scale = 1 / math.Sqrt(square)
	}
	for j, x := range sum {
		dst[j] = float32(x * scale)
	}
}

// repair gives every empty cluster half of the largest one: both centroids move apart by a little, in opposite
// directions, and the next round shares the rows out. So does faiss (Clustering.cpp, split_clusters), which draws the cluster.
func (t *trainer) repair(sizes []int) (repaired bool) {
	const epsilon = 1.0 / 1024
	for k, n := range sizes {
		if n > 0 {
			continue
		}
		largest := 0
		for j, m := range sizes {
			if m > sizes[largest] {
				largest = j
			}
		}
		if sizes[largest] < 2 {
			break
		}
		a, b := t.centroid(largest), t.centroid(k)
		for j, x := range a {
			d := x * epsilon
			if j%2 == 1 {
				d = -d
			}
			a[j], b[j] = x+d, x-d
		}
		sizes[k] = sizes[largest] / 2
		sizes[largest] -= sizes[k]
		repaired = true
	}
	return repaired
}
