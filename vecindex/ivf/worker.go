package ivf

import (
	"context"
	"math"
	"math/bits"

	"lanceflight/internal/fault"
	"lanceflight/vecindex"
	"lanceflight/vecindex/hnsw"
	"lanceflight/vecindex/quantize"
)

// scratch is memory that outlives a search.
type scratch struct {
	scorer    quantize.Scorer
	distances []float32
	rows      []uint32
	mask      [scanRows / 64]uint64
	found     []vecindex.Hit
	walk      hnsw.Scratch
	allowed   []uint64 // bitmap of rows that a walk may end at
}

// worker scans partitions for one search in one goroutine.
type worker struct {
	*scratch
	search    *search
	best      *best
	limit     float32 // best's threshold before the rows that are being scored
	lo, hi    float32 // distances wanted, if bounded
	bounded   bool
	stats     vecindex.Stats
	survivors int64
	pruner    quantize.Pruner    // the scorer, if it is one
	announcer quantize.Announcer // the same
	block     int                // size of the block before
}

func (s *search) newWorker() *worker {
	w := &worker{
		scratch: s.index.scratch.Get().(*scratch),
		search:  s,
		best:    s.best,
	}
	w.lo, w.hi, w.bounded = bounds(s.params)
	w.scorer.Start(s.query)
	w.pruner, _ = w.scorer.(quantize.Pruner)
	w.announcer, _ = w.scorer.(quantize.Announcer)
	return w
}

// scanRows is the number of rows between two looks at the context, and the size of the scratch: 16 KiB
// of distances, a few tenths of a millisecond.
const scanRows = 4096

// sparse is the number of rows of a block for each survivor of the filter from which on survivors are
// scored one by one instead of the whole block: a lone row touches one cache line for every byte
// of its code.
const sparse = 4

// probeAll scans partitions into the search's heap, one or two of them: tables for two take less than twice the time of those for one.
func (w *worker) probeAll(ctx context.Context, partitions []int) error {
	first, err := w.open(ctx, partitions[0])
	if err != nil {
		return err
	}
	defer first.release()
	if len(partitions) == 1 {
		return w.probe(ctx, partitions[0], first, nil, nil)
	}
	second, err := w.open(ctx, partitions[1])
	if err != nil {
		return err
	}
	defer second.release()
	if err := w.probe(ctx, partitions[0], first, w.search.index.model.centroid(partitions[1]), second.Codes); err != nil {
		return err
	}
	return w.probe(ctx, partitions[1], second, nil, nil)
}

// open gets a partition from the store. The caller releases it.
func (w *worker) open(ctx context.Context, p int) (Partition, error) {
	if err := ctx.Err(); err != nil {
		return Partition{}, err
	}
	m := &w.search.index.model
	part, err := w.search.index.store.Partition(ctx, p)
	if err != nil {
		return Partition{}, err
	}
	// A store may have dropped rows, but not found more.
	if n := len(part.RowIDs); n > int(m.Lengths[p]) || len(part.Codes) != n*m.Quantizer.CodeBytes() {
		part.release()
		return Partition{}, fault.Corruptf("partition %d has %d row ids and %d bytes of codes; %d rows of %d bytes were announced",
			p, n, len(part.Codes), m.Lengths[p], m.Quantizer.CodeBytes())
	}
	return part, nil
}

// probe scans one partition. after is the centroid of the one that comes next, if that is known, with its codes.
func (w *worker) probe(ctx context.Context, p int, part Partition, after []float32, codesAfter []byte) error {
	m := &w.search.index.model
	n := len(part.RowIDs)
	w.stats.PartitionsProbed++
	w.stats.BytesRead += part.BytesRead
	if n == 0 {
		return nil
	}
	if walked, err := w.walkGraph(ctx, p, part); walked || err != nil {
		return err
	}
	w.stats.CodesScanned += int64(n)
	entered := false
	for first := 0; first < n; {
		if err := ctx.Err(); err != nil {
			return err
		}
		count := min(w.blockRows(), n-first)
		rowIDs := part.RowIDs[first : first+count]
		w.rows = w.rows[:0]
		f := w.search.params.Filter
		if f != nil {
			w.rows = vecindex.SelectRows(f, rowIDs, w.rows)
			w.stats.RowsFiltered += int64(count - len(w.rows))
			w.survivors += int64(len(w.rows))
			if len(w.rows) == 0 {
				first += count
				continue
			}
		} else {
			w.survivors += int64(count)
		}
		if !entered {
			if w.announcer != nil {
				w.announcer.Announce(part.Codes, after, codesAfter)
			}
			w.scorer.Enter(m.centroid(p))
			entered = true
		}
		w.score(part, first, count, f != nil)
		first += count
	}
	return nil
}

// firstRows is the size of a worker's first block where pruning is possible. Blocks double from there, so
// that the first rows set a threshold that the others are measured by.
const firstRows = 512

// blockRows returns the size of the next block.
func (w *worker) blockRows() int {
	if w.pruner == nil {
		return scanRows
	}
	if math.IsInf(float64(w.best.threshold()), 1) {
		return min(scanRows, max(firstRows, w.search.params.K))
	}
	w.block = min(scanRows, max(firstRows, 2*w.block))
	return w.block
}

// score offers rows first … first+count-1, or of these, if selected, the ones at w.rows (relative to
// first), to the heap. Every path gives a row the same distance; they differ in cost alone.
func (w *worker) score(part Partition, first, count int, selected bool) {
	n := len(part.RowIDs)
	few := selected && len(w.rows)*sparse <= count
	w.limit = w.best.threshold()
	if !few && w.pruner != nil && !math.IsInf(float64(w.limit), 1) {
		mask := w.mask[:(count+63)/64]
		if w.pruner.Prune(mask, part.Codes, n, first, count, w.limit) {
			w.maskRows(mask, selected)
			selected, few = true, len(w.rows)*sparse <= count
		}
	}
	w.found = w.found[:0]
	switch {
	case few:
		for i := range w.rows {
			w.rows[i] += uint32(first)
		}
		w.distances = grow(w.distances, len(w.rows))
		w.scorer.DistancesAt(w.distances, part.Codes, n, w.rows)
		for i, row := range w.rows {
			w.find(part.RowIDs[row], w.distances[i])
		}
	case selected:
		w.distances = grow(w.distances, count)
		w.scorer.Distances(w.distances, part.Codes, n, first)
		for _, i := range w.rows {
			w.find(part.RowIDs[first+int(i)], w.distances[i])
		}
	default:
		w.distances = grow(w.distances, count)
		w.scorer.Distances(w.distances, part.Codes, n, first)
		ids := part.RowIDs[first:][:count]
		for i, d := range w.distances {
			w.find(ids[i], d)
		}
	}
	w.best.push(w.found)
}

// find notes a row for best, unless it is too far.
func (w *worker) find(rowID uint64, d float32) {
	if !(d <= w.limit) || w.bounded && !(w.lo <= d && d < w.hi) { // also NaN
		return
	}
	w.found = append(w.found, vecindex.Hit{RowID: rowID, Distance: d})
}

// maskRows keeps of w.rows, or if nothing was selected of all rows, those whose bit is set.
func (w *worker) maskRows(mask []uint64, selected bool) {
	if selected {
		kept := w.rows[:0]
		for _, i := range w.rows {
			if mask[i/64]>>(i%64)&1 != 0 {
				kept = append(kept, i)
			}
		}
		w.rows = kept
		return
	}
	w.rows = w.rows[:0]
	for g, word := range mask {
		for ; word != 0; word &= word - 1 {
			w.rows = append(w.rows, uint32(g*64+bits.TrailingZeros64(word)))
		}
	}
}

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n, max(n, scanRows))
	}
	return s[:n]
}
