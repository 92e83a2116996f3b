// Package ivftest holds the tests that every index must pass, whatever stores its partitions, and
// a small trainer that makes indices in memory for them.
//
//	Build(vectors) ──> ivf.Model + ivf.MemStore ──> ivf.New ─┐
//	lanceidx.Open(fixture) ──────────────────────────────────┴─> Run(t, index, queries)
//
// Only tests import it.
package ivftest

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
	"lanceflight/vecindex/ivf"
	"lanceflight/vecindex/quantize"
)

// BuildConfig says what Build makes.
type BuildConfig struct {
	Metric     vecindex.Metric
	Partitions int
	SubVectors int // of the product quantizer; 0: the vectors are kept (FLAT)
	Bits       int // 8 or 4
	RQBits     int // of RaBitQ, instead of the above
	Seed       uint64
}

// Clustered returns n vectors around a number of centres, as embeddings are: uniform ones are far from
// each other and from everything, so that no index helps.
func Clustered(rng *rand.Rand, n, dim, centres int) [][]float32 {
	c := make([][]float32, centres)
	for i := range c {
		c[i] = make([]float32, dim)
		for j := range c[i] {
			c[i][j] = float32(rng.NormFloat64())
		}
	}
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, dim)
		centre := c[rng.IntN(centres)]
		for j := range rows[i] {
			rows[i][j] = centre[j] + 0.4*float32(rng.NormFloat64())
		}
	}
	return rows
}

// Build trains an index over vectors, with the row ids given, by a few rounds of k-means: enough for
// sensible partitions and codes, far from Lance's quality. It is deterministic.
func Build(c BuildConfig, vectors [][]float32, rowIDs []uint64) (ivf.Model, ivf.MemStore, error) {
	rng := rand.New(rand.NewPCG(c.Seed, 1))
	dim := len(vectors[0])
	rows := make([][]float32, len(vectors))
	for i, v := range vectors {
		rows[i] = append([]float32(nil), v...)
		if c.Metric == vecindex.Cosine {
			distance.Normalize(rows[i], rows[i])
		}
	}
	centroids := kmeans(rng, rows, c.Partitions)
	members := make([][]int, c.Partitions)
	for i, v := range rows {
		p := nearest(centroids, v)
		members[p] = append(members[p], i)
	}
	m := ivf.Model{Metric: c.Metric}
	for p, centroid := range centroids {
		m.Centroids = append(m.Centroids, centroid...)
		m.Lengths = append(m.Lengths, uint32(len(members[p])))
	}
	store := make(ivf.MemStore, c.Partitions)
	for p, list := range members {
		for _, i := range list {
			store[p].RowIDs = append(store[p].RowIDs, rowIDs[i])
		}
	}
	if c.RQBits > 0 {
		return buildRQ(c, rng, m, store, rows, members)
	}
	if c.SubVectors == 0 {
		q, err := quantize.NewFlat(c.Metric, dim, arrow.FLOAT32)
		if err != nil {
			return m, nil, err
		}
		m.Quantizer = q
		for p, list := range members {
			for _, i := range list {
				for _, x := range rows[i] {
					store[p].Codes = binary.LittleEndian.AppendUint32(store[p].Codes, math.Float32bits(x))
				}
			}
		}
		return m, store, nil
	}

	// Residuals, except for dot.
	targets := make([][]float32, len(rows))
	for p, list := range members {
		for _, i := range list {
			targets[i] = append([]float32(nil), rows[i]...)
			if c.Metric != vecindex.Dot {
				for j, x := range centroids[p] {
					targets[i][j] -= x
				}
			}
		}
	}
	words, sub := 1<<c.Bits, dim/c.SubVectors
	var book []float32
	codes := make([][]byte, len(rows)) // one byte for each sub-vector
	for s := range c.SubVectors {
		parts := make([][]float32, len(rows))
		for i, v := range targets {
			parts[i] = v[s*sub : (s+1)*sub]
		}
		codewords := kmeans(rng, parts, words)
		for _, w := range codewords {
			book = append(book, w...)
		}
		for i, v := range parts {
			codes[i] = append(codes[i], byte(nearest(codewords, v)))
		}
	}
	q, err := quantize.NewPQ(quantize.PQConfig{Metric: c.Metric, Dim: dim, SubVectors: c.SubVectors, Bits: c.Bits, Codebook: book})
	if err != nil {
		return m, nil, err
	}
	m.Quantizer = q
	for p, list := range members {
		if c.Bits == 8 {
			for s := range c.SubVectors {
				for _, i := range list {
					store[p].Codes = append(store[p].Codes, codes[i][s])
				}
			}
			continue
		}
		for s := 0; s < c.SubVectors; s += 2 {
			for _, i := range list {
				store[p].Codes = append(store[p].Codes, codes[i][s+1]<<4|codes[i][s])
			}
		}
	}
	return m, store, nil
}

func kmeans(rng *rand.Rand, rows [][]float32, k int) [][]float32 {
	dim := len(rows[0])
	centres := make([][]float32, k)
	for i := range centres {
		centres[i] = append([]float32(nil), rows[rng.IntN(len(rows))]...)
	}
	for range 4 {
		sums, counts := make([][]float32, k), make([]int, k)
		for i := range sums {
			sums[i] = make([]float32, dim)
		}
		for _, v := range rows {
			c := nearest(centres, v)
			counts[c]++
			for j, x := range v {
				sums[c][j] += x
			}
		}
		for i, n := range counts {
			for j := range sums[i] {
				if n > 0 {
					centres[i][j] = sums[i][j] / float32(n)
				}
			}
		}
	}
	return centres
}

func nearest(centres [][]float32, v []float32) int {
	best, at := float32(math.Inf(1)), 0
	for i, c := range centres {
		if d := distance.SquaredL2(c, v); d < best {
			best, at = d, i
		}
	}
	return at
}
