package kmeans

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lanceflight/internal/fault"
	"lanceflight/vecindex/distance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// blobs are n vectors around k points far apart, in no order; it returns which point each is near.
func blobs(rng *rand.Rand, n, k, dim int, spread float64) (data []float32, of []int) {
	points := make([]float64, k*dim)
	for i := range points {
		points[i] = rng.NormFloat64()
	}
	for range n {
		p := rng.IntN(k)
		of = append(of, p)
		for j := range dim {
			data = append(data, float32(points[p*dim+j]+spread*rng.NormFloat64()))
		}
	}
	return data, of
}

// lossOf is the loss in float64, vector by vector.
func lossOf(data, centroids []float32, dim int, metric distance.Metric) (loss float64) {
	for i := 0; i < len(data); i += dim {
		best := math.Inf(1)
		for c := 0; c < len(centroids); c += dim {
			var l2, ip float64
			for j := range dim {
				x, y := float64(data[i+j]), float64(centroids[c+j])
				l2 += (x - y) * (x - y)
				ip += x * y
			}
			if metric == distance.Dot {
				l2 = 1 - ip
			}
			best = min(best, l2)
		}
		loss += best
	}
	return loss
}

func TestTrainFindsClusters(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const n, k, dim = 4000, 40, 24
	data, of := blobs(rng, n, k, dim, 0.05)
	r, err := Train(context.Background(), data, dim, Config{K: k, Seed: 7})
	require.NoError(t, err)
	require.Len(t, r.Centroids, k*dim)
	require.InEpsilon(t, lossOf(data, r.Centroids, dim, distance.L2), r.Loss, 1e-3)
	// With the right points the loss is dim × spread² for each vector. To join two clusters costs their n / k vectors each half of their
	// distance, squared: 2·dim / 4. k-means++ may do that once or twice of forty.
	require.Less(t, r.Loss, n*dim*0.05*0.05+2*(2*n/k)*(2*dim/4.0))
	c, err := distance.NewCenters(distance.L2, r.Centroids, dim)
	require.NoError(t, err)
	labels := make([]uint32, n)
	c.Nearest(labels, nil, data, dim)
	split := map[[2]int]int{}
	for i, l := range labels {
		split[[2]int{of[i], int(l)}]++
	}
	require.Less(t, len(split), k+k/4)
}

// A plain Lloyd iteration from random vectors, the best of five, is no better by more than a little.
func TestTrainLossAgainstPlainLloyd(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	const n, k, dim = 1500, 20, 8
	data := make([]float32, n*dim)
	for i := range data {
		data[i] = float32(rng.NormFloat64())
	}
	best := math.Inf(1)
	for range 5 {
		centroids := append([]float32(nil), data[rng.IntN(n-k)*dim:][:k*dim]...)
		for range 50 {
			sums, counts := make([]float64, k*dim), make([]float64, k)
			for i := range n {
				nearest, at := math.Inf(1), 0
				for c := range k {
					if d := lossOf(data[i*dim:][:dim], centroids[c*dim:][:dim], dim, distance.L2); d < nearest {
						nearest, at = d, c
					}
				}
				counts[at]++
				for j := range dim {
					sums[at*dim+j] += float64(data[i*dim+j])
				}
			}
			for c := range k {
				for j := range dim {
					if counts[c] > 0 {
						centroids[c*dim+j] = float32(sums[c*dim+j] / counts[c])
					}
				}
			}
		}
		best = min(best, lossOf(data, centroids, dim, distance.L2))
	}
	r, err := Train(context.Background(), data, dim, Config{K: k, Seed: 3})
	require.NoError(t, err)
	require.Less(t, r.Loss, 1.03*best)
}

func TestTrainDotHasUnitCentroids(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	const k, dim = 16, 12
	data, _ := blobs(rng, 1000, k, dim, 0.1)
	for i := range data { // lengths differ, which must not matter to which cluster a vector belongs
		data[i] *= float32(1 + i/dim%5)
	}
	r, err := Train(context.Background(), data, dim, Config{K: k, Metric: distance.Dot})
	require.NoError(t, err)
	for i := range k {
		require.InDelta(t, 1, distance.InnerProduct(r.Centroids[i*dim:][:dim], r.Centroids[i*dim:][:dim]), 1e-5)
	}
	require.InDelta(t, lossOf(data, r.Centroids, dim, distance.Dot), r.Loss, 1e-2)
}

func TestTrainDoesNotDependOnWorkers(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	data, _ := blobs(rng, 5000, 30, 10, 0.5)
	var want *Result
	for _, workers := range []int{1, 2, 7} {
		r, err := Train(context.Background(), data, 10, Config{K: 50, Seed: 9, Workers: workers})
		require.NoError(t, err)
		if want == nil {
			want = r
		}
		require.Equal(t, want, r)
	}
	r, err := Train(context.Background(), data, 10, Config{K: 50, Seed: 10})
	require.NoError(t, err)
	require.NotEqual(t, want.Centroids, r.Centroids)
}

func TestTrainRepairsEmptyClusters(t *testing.T) {
	// 1,000 vectors, nearly all in one place: random seeds would leave clusters empty.
	rng := rand.New(rand.NewPCG(5, 1))
	const k, dim = 32, 4
	data := make([]float32, 1000*dim)
	for i := range data {
		data[i] = float32(1 + 1e-3*rng.NormFloat64())
	}
	trained := &trainer{Config: Config{K: k}, data: data, dim: dim, n: 1000}
	trained.defaults()
	require.NoError(t, trained.measure(context.Background()))
	trained.centroids = make([]float32, k*dim)
	for i := range trained.centroids {
		trained.centroids[i] = 100 // all but one are the nearest of nothing
	}
	copy(trained.centroids, data[:dim])
	r, err := trained.run(context.Background())
	require.NoError(t, err)
	c, err := distance.NewCenters(distance.L2, r.Centroids, dim)
	require.NoError(t, err)
	labels := make([]uint32, 1000)
	c.Nearest(labels, nil, data, dim)
	used := map[uint32]int{}
	for _, l := range labels {
		used[l]++
	}
	require.Len(t, used, k)
}

func TestTrainDegenerate(t *testing.T) {
	ctx := context.Background()
	same := make([]float32, 100*3)
	r, err := Train(ctx, same, 3, Config{K: 10})
	require.NoError(t, err)
	require.Zero(t, r.Loss)
	for _, x := range r.Centroids {
		require.Zero(t, x)
	}

	// As many centroids as vectors: each is one.
	few := []float32{1, 2, 3, 4, 5, 6}
	r, err = Train(ctx, few, 2, Config{K: 3})
	require.NoError(t, err)
	require.Zero(t, r.Loss)

	// Vectors that are not finite count for nothing.
	nan := float32(math.NaN())
	r, err = Train(ctx, []float32{1, 1, nan, 0, 3, 3, 0, float32(math.Inf(-1)), 1, 1}, 2, Config{K: 2})
	require.NoError(t, err)
	require.ElementsMatch(t, []float32{1, 1, 3, 3}, r.Centroids)

	for _, c := range []struct {
		data []float32
		dim  int
		Config
	}{
		{few, 2, Config{K: 4}},
		{few, 2, Config{K: 0}},
		{few, 4, Config{K: 1}},
		{few, 0, Config{K: 1}},
		{[]float32{nan, 1, 2}, 1, Config{K: 3}},
		{few, 2, Config{K: 2, Metric: distance.Hamming}},
	} {
		_, err := Train(ctx, c.data, c.dim, c.Config)
		require.Equal(t, fault.InvalidArgument, fault.KindOf(err))
	}

	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err = Train(gone, few, 2, Config{K: 2})
	require.ErrorIs(t, err, context.Canceled)
}

func TestProgress(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	data, _ := blobs(rng, 2000, 10, 6, 1)
	var seen []int
	r, err := Train(context.Background(), data, 6, Config{K: 20, MaxIterations: 5, Tolerance: 1e-12, Progress: func(i, of int) {
		require.Equal(t, 5, of)
		seen = append(seen, i)
	}})
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 3, 4, 5}, seen)
	require.Equal(t, 5, r.Iterations)
}

func TestTrainBytes(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	const n, k, dim = 1000, 12, 16
	points := make([]byte, k*dim)
	for i := range points {
		points[i] = byte(rng.Uint32())
	}
	var data []byte
	for range n {
		v := append([]byte(nil), points[rng.IntN(k)*dim:][:dim]...)
		for range 5 {
			v[rng.IntN(dim)] ^= 1 << rng.IntN(8)
		}
		data = append(data, v...)
	}
	var want *BytesResult
	for _, workers := range []int{1, 3} {
		r, err := TrainBytes(context.Background(), data, dim, Config{K: k, Seed: 1, Workers: workers})
		require.NoError(t, err)
		if want == nil {
			want = r
		}
		require.Equal(t, want, r)
	}
	require.LessOrEqual(t, want.Loss, 7.0*n) // five flips each, a few clusters may be joined
	var loss int
	for i := range n {
		l, d := NearestBytes(data[i*dim:][:dim], want.Centroids)
		require.Equal(t, int(d), distance.HammingBytes(data[i*dim:][:dim], want.Centroids[int(l)*dim:][:dim]))
		loss += int(d)
	}
	require.InDelta(t, loss, want.Loss, 0)

	r, err := TrainBytes(context.Background(), make([]byte, 30), 3, Config{K: 4})
	require.NoError(t, err)
	require.Equal(t, make([]byte, 12), r.Centroids)
	_, err = TrainBytes(context.Background(), make([]byte, 9), 3, Config{K: 4})
	require.Equal(t, fault.InvalidArgument, fault.KindOf(err))
}

func TestTrainBytesRepairsEmptyClusters(t *testing.T) {
	// All centroids in one place: nothing is nearest to those after the first, until they move onto what is farthest.
	const n, k, dim = 400, 8, 4
	rng := rand.New(rand.NewPCG(8, 1))
	data := make([]byte, n*dim)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	m := &modes{Config: Config{K: k}, data: data, dim: dim, n: n, labels: make([]uint32, n), best: make([]uint32, n),
		centroids: make([]byte, k*dim)}
	m.defaults()
	before, err := m.assign(context.Background())
	require.NoError(t, err)
	require.True(t, m.update())
	after, err := m.assign(context.Background())
	require.NoError(t, err)
	require.Less(t, after, before)
	used := map[uint32]bool{}
	for _, l := range m.labels {
		used[l] = true
	}
	require.Len(t, used, k)
}

func BenchmarkTrain(b *testing.B) {
	rng := rand.New(rand.NewPCG(8, 1))
	data, _ := blobs(rng, 25_600, 100, 768, 1)
	for b.Loop() {
		r, err := Train(context.Background(), data, 768, Config{K: 100})
		require.NoError(b, err)
		b.ReportMetric(float64(r.Iterations), "rounds")
	}
}

// The shape of a sub-vector of a product quantizer.
func BenchmarkTrainCodewords(b *testing.B) {
	rng := rand.New(rand.NewPCG(8, 1))
	data, _ := blobs(rng, 65_536, 1000, 8, 1)
	for b.Loop() {
		r, err := Train(context.Background(), data, 8, Config{K: 256})
		require.NoError(b, err)
		b.ReportMetric(float64(r.Iterations), "rounds")
	}
}
