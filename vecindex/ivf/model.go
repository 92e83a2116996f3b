package ivf

import (
	"lanceflight/internal/fault"
	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
	"lanceflight/vecindex/quantize"
)

// Model is what a search needs before it touches a partition.
type Model struct {
	Metric    vecindex.Metric
	Centroids []float32 // number of partitions × Dim of the quantizer, row-major
	Lengths   []uint32  // rows of each partition
	Quantizer quantize.Quantizer
	// Half says that the vectors are float16: the query is rounded to that, as Lance does.
	Half bool
	// Double says that they are float64: the query is normalised in that precision, as Lance does.
	Double bool
	// Bytes says that the vectors are uint8, compared by Hamming; centroids then are bytes too.
	Bytes bool
	// Kind is the name of the index type; empty means IVF_ and the quantizer's.
	Kind string
}

// validate cross-checks sizes. A contradiction is a CorruptError.
func (m *Model) validate() error {
	dim := m.Quantizer.Dim()
	if len(m.Centroids) != dim*len(m.Lengths) {
		return fault.Corruptf("%d numbers of centroids; %d partitions of %d dimensions need %d",
			len(m.Centroids), len(m.Lengths), dim, dim*len(m.Lengths))
	}
	return nil
}

func (m *Model) centroid(p int) []float32 {
	dim := m.Quantizer.Dim()
	return m.Centroids[p*dim:][:dim]
}

// rankMetric is the metric that centroids are ranked by: under cosine everything is normalised, and
// L2 ranks the same.
func (m *Model) rankMetric() vecindex.Metric {
	if m.Metric == vecindex.Cosine {
		return vecindex.L2
	}
	return m.Metric
}

// rank returns the number of the n partitions nearest to query, nearest first, ties by number.
// Centroids at a NaN distance come last.
func (m *Model) rank(query []float32, n int) ([]int, error) {
	partitions := len(m.Lengths)
	n = min(n, partitions)
	distances := make([]float32, partitions)
	if m.Bytes {
		q, err := distance.NewQuery(vecindex.Hamming, query)
		if err != nil {
			return nil, err
		}
		row := make([]uint8, len(query))
		for p := range distances {
			for i, x := range m.centroid(p) {
				row[i] = uint8(x)
			}
			q.Uint8(distances[p:p+1], row, len(row))
		}
	} else {
		q, err := distance.NewQuery(m.rankMetric(), query)
		if err != nil {
			return nil, err
		}
		q.Float32(distances, m.Centroids, len(query))
	}
	top := vecindex.NewTopK(n)
	for p, d := range distances {
		top.Push(uint64(p), d)
	}
	order := make([]int, 0, n)
	for _, h := range top.Hits() {
		order = append(order, int(h.RowID))
	}
	for p := 0; len(order) < n; p++ {
		if d := distances[p]; d != d {
			order = append(order, p)
		}
	}
	return order, nil
}
