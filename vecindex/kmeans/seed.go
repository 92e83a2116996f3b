package kmeans

import (
	"context"
	"math"
	"math/rand/v2"

	"lanceflight/vecindex/distance"
)

// seedRows is how many vectors for each centroid k-means++ chooses among: every new seed is compared with all of
// them, so of a large sample a part must do.
const seedRows = 16

// seed draws the first centroids: one by chance, then each with a probability in proportion to its
// squared distance from the nearest so far (Arthur and Vassilvitskii 2007, section 2.2). Where all
// of the rest are distance 0 away, that is with fewer distinct vectors than centroids, the rest are
// drawn by chance.
func (t *trainer) seed(ctx context.Context) error {
	rng := rand.New(rand.NewPCG(t.Seed, 0x6b6d65616e73))
	rows := t.candidates(rng)
	t.centroids = make([]float32, 0, t.K*t.dim)
	// Candidates lie together, so that a kernel runs over them.
	data := make([]float32, len(rows)*t.dim)
	for i, r := range rows {
		copy(data[i*t.dim:], t.row(r))
		if t.Metric == distance.Dot {
			normalize(data[i*t.dim:][:t.dim])
		}
	}
	nearest := make([]float32, len(rows)) // squared distance to the nearest seed
	for i := range nearest {
		nearest[i] = math.MaxFloat32
	}
	sums := make([]float64, numChunks(len(rows)))
	d := make([]float32, len(rows))
	pick := rng.IntN(len(rows))
	for {
		t.centroids = append(t.centroids, data[pick*t.dim:][:t.dim]...)
		if len(t.centroids) == cap(t.centroids) {
			return nil
		}
		q, err := distance.NewQuery(distance.L2, t.centroids[len(t.centroids)-t.dim:])
		if err != nil {
			return err
		}
		err = chunks(ctx, t.Workers, len(rows), func(chunk, from, to int) {
			q.Float32(d[from:to], data[from*t.dim:to*t.dim], t.dim)
			var sum float64
			for i := from; i < to; i++ {
				nearest[i] = min(nearest[i], d[i])
				sum += float64(nearest[i])
			}
			sums[chunk] = sum
		})
		if err != nil {
			return err
		}
		pick = draw(rng, nearest, sums)
	}
}

// candidates are the numbers of seedRows × K finite vectors, or all of them.
func (t *trainer) candidates(rng *rand.Rand) []int {
	rows := make([]int, 0, t.finite)
	for i, x := range t.norms {
		if x-x == 0 {
			rows = append(rows, i)
		}
	}
	want := seedRows * t.K
	if len(rows) <= want {
		return rows
	}
	for i := range want { // the beginning of a Fisher–Yates shuffle
		j := i + rng.IntN(len(rows)-i)
		rows[i], rows[j] = rows[j], rows[i]
	}
	return rows[:want]
}

// draw returns i with probability weights[i] / Σ weights; sums are those of the chunks.
func draw(rng *rand.Rand, weights []float32, sums []float64) int {
	var total float64
	for _, s := range sums {
		total += s
	}
	if total <= 0 || math.IsInf(total, 0) || math.IsNaN(total) {
		return rng.IntN(len(weights))
	}
	at := rng.Float64() * total
	chunk := 0
	for chunk < len(sums)-1 && at >= sums[chunk] {
		at -= sums[chunk]
		chunk++
	}
	last := -1
	for i := chunk * chunkRows; i < min((chunk+1)*chunkRows, len(weights)); i++ {
		if w := float64(weights[i]); w > 0 {
			last = i
			if at < w {
				return i
			}
			at -= w
		}
	}
	if last >= 0 {
		return last // rounding
	}
	return rng.IntN(len(weights))
}

// normalize gives v unit length; a zero vector stays.
func normalize(v []float32) {
	if n := math.Sqrt(float64(distance.InnerProduct(v, v))); n > 0 {
		for j := range v {
			v[j] = float32(float64(v[j]) / n)
		}
	}
}
