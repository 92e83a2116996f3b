package calibrate

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
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

// mostListQueries is the number of queries over lists of vectors: the answers of one cost as many times as much as the query has vectors.
const mostListQueries = 64

// Draw takes up to n rows from all over a table as queries, one from each of n stretches of equal length; the same ones each time. Some
// more are drawn, for those that were deleted, or are NULL or at a distance from nothing. Where rows are lists of vectors, a query has
// perQuery of them, evenly from the row, or fewer if there are not n rows with so many; else perQuery is 0.
func Draw(ctx context.Context, src Source, n, perQuery, workers int) ([]Query, error) {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	total := src.NumPositions()
	var ranges []Range
	drawn := int64(n + n/4)
	if perQuery > 0 {
		drawn = int64(4 * n)
	}
	for i := range drawn {
		from, to := i*(total/drawn)+min(i, total%drawn), (i+1)*(total/drawn)+min(i+1, total%drawn)
		if to > from {
			p := from + rng.Int64N(to-from)
			ranges = append(ranges, Range{p, p + 1})
		}
	}
	var mu sync.Mutex
	var queries []Query
	err := src.Read(ctx, ranges, workers, func(_ int, vectors arrow.Array, rowIDs []uint64) error {
		read, err := queryVectors(vectors, perQuery)
		if err != nil {
			return err
		}
		for i, id := range rowIDs {
			of := slices.DeleteFunc(read(i), func(v []float32) bool { return !usable(src.Metric(), v) })
			if n := min(perQuery, len(of)); n > 0 {
				for k := range n {
					of[k] = of[k*len(of)/n]
				}
				of = of[:n]
			}
			if len(of) > 0 {
				mu.Lock()
				queries = append(queries, Query{id, of})
				mu.Unlock()
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(queries, func(a, b Query) int { return cmp.Compare(a.RowID, b.RowID) })
	// Levels that cost much are measured with the first queries alone, which must not be the first rows.
	rng.Shuffle(len(queries), func(i, j int) { queries[i], queries[j] = queries[j], queries[i] })
	slices.SortStableFunc(queries, func(a, b Query) int { return len(b.Vectors) - len(a.Vectors) })
	return queries[:min(n, len(queries))], nil
}

// queryVectors reads the vectors of rows that may be asked with, copied.
func queryVectors(vectors arrow.Array, perQuery int) (read func(i int) [][]float32, err error) {
	if perQuery > 0 {
		lists, err := distance.NewMultivectors(vectors)
		if err != nil {
			return nil, err
		}
		return lists.Vectors, nil
	}
	floats, ok := floatsOf(vectors)
	if !ok {
		return func(int) [][]float32 { return nil }, nil
	}
	return func(i int) [][]float32 {
		if vectors.IsNull(i) || elementNull(vectors, i) {
			return nil
		}
		return [][]float32{slices.Clone(floats(i, nil))}
	}, nil
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
