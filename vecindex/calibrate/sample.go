package calibrate

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/vecindex"
)

// seed makes the choice of queries the same for ever.
const seed = 0x6c616e6365

// numQueries is the number of queries for k answers each: the recalls of 128 queries tell a mean of 0.95 to a hundredth or so, and the
// answers of one query are too much alike to count for more than a few.
func numQueries(k int) int {
	switch {
	case k > 1000:
		return 16
	case k > 100:
		return 32
	}
	return min(256, max(128, 640/k))
}

// Draw returns the vectors of up to n rows from all over a table, and their row ids; the same ones each time.
func Draw(ctx context.Context, src Source, n, workers int) (vectors [][]float32, rowIDs []uint64, err error) {
	queries, err := drawQueries(ctx, src, n, workers)
	for _, q := range queries {
		rowIDs = append(rowIDs, q.rowID)
	}
	return vectorsOf(queries), rowIDs, err
}

// drawQueries takes rows from all over the table, one from each of n stretches of equal length. Some more are drawn, for those that were deleted,
// or are NULL or at a distance from nothing.
func drawQueries(ctx context.Context, src Source, n, workers int) ([]query, error) {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	total := src.NumPositions()
	var ranges []Range
	drawn := int64(n + n/4)
	for i := range drawn {
		from, to := i*(total/drawn)+min(i, total%drawn), (i+1)*(total/drawn)+min(i+1, total%drawn)
		if to > from {
			p := from + rng.Int64N(to-from)
			ranges = append(ranges, Range{p, p + 1})
		}
	}
	var mu sync.Mutex
	found := map[uint64][]float32{}
	err := src.Read(ctx, ranges, workers, func(_ int, vectors arrow.Array, rowIDs []uint64) error {
		read, ok := floatsOf(vectors)
		if !ok {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		for i, id := range rowIDs {
			if vectors.IsNull(i) || elementNull(vectors, i) {
				continue
			}
			v := append([]float32(nil), read(i, nil)...)
			if usable(src.Metric(), v) {
				found[id] = v
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	queries := make([]query, 0, len(found))
	for id, v := range found {
		queries = append(queries, query{rowID: id, vector: v})
	}
	slices.SortFunc(queries, func(a, b query) int {
		if a.rowID < b.rowID {
			return -1
		}
		return 1
	})
	// Levels that cost much are measured with the first queries alone, which must not be the first rows.
	rng.Shuffle(len(queries), func(i, j int) { queries[i], queries[j] = queries[j], queries[i] })
	return queries[:min(n, len(queries))], nil
}

// elementNull reports whether a vector lacks an element.
func elementNull(vectors arrow.Array, i int) bool {
	list := vectors.(*array.FixedSizeList)
	values := list.ListValues()
	if values.NullN() == 0 {
		return false
	}
	for at, end := list.ValueOffsets(i); at < end; at++ {
		if values.IsNull(int(at)) {
			return true
		}
	}
	return false
}

// usable reports whether a vector can be searched for.
func usable(m vecindex.Metric, v []float32) bool {
	q, err := vecindex.NewQuery(m, v)
	if err != nil {
		return false
	}
	if m != vecindex.Cosine {
		return true
	}
	var d [1]float32
	q.Float32(d[:], v, len(v))
	return d[0] == d[0] // a zero vector has no direction
}

// blockRows is the number of neighbouring rows that are in the sample together: reading fewer at a time costs more for each.
const blockRows = 256

// sampleBlocks chooses about so many of the positions, block by block, and returns the share that was chosen.
func sampleBlocks(total, rows int64) ([]Range, float64) {
	share := float64(rows) / float64(total)
	most := uint64(share * math.MaxUint64)
	var out []Range
	var chosen int64
	for first := int64(0); first < total; first += blockRows {
		if mix(uint64(first/blockRows)) >= most {
			continue
		}
		end := min(first+blockRows, total)
		chosen += end - first
		if n := len(out); n > 0 && out[n-1].End == first {
			out[n-1].End = end
			continue
		}
		out = append(out, Range{first, end})
	}
	if chosen == 0 {
		return []Range{{0, min(blockRows, total)}}, float64(min(blockRows, total)) / float64(total)
	}
	return out, float64(chosen) / float64(total)
}

// mix spreads the bits of a number: the finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
func mix(x uint64) uint64 {
	x += seed
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func ceil(x float64) int { return int(math.Ceil(x - 1e-9)) }
