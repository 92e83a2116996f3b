package ivf

import (
	"context"
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
	walk      hnsw.Scratch
	allowed   []uint64 // bitmap of rows that a walk may end at
}

// worker scans partitions for one search in one goroutine.
type worker struct {
	*scratch
	search    *search
	top       *vecindex.TopK
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
		top:     vecindex.NewTopK(s.params.K),
	}
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

// probe scans one partition into the worker's heap.
func (w *worker) probe(ctx context.Context, p int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m := &w.search.index.model
	part, err := w.search.index.store.Partition(ctx, p)
	if err != nil {
		return err
	}
	defer part.release()
	n := len(part.RowIDs)
	// A store may have dropped rows, but not found more.
	if n > int(m.Lengths[p]) || len(part.Codes) != n*m.Quantizer.CodeBytes() {
		return fault.Corruptf("partition %d has %d row ids and %d bytes of codes; %d rows of %d bytes were announced",
			p, n, len(part.Codes), m.Lengths[p], m.Quantizer.CodeBytes())
	}
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
				w.announcer.Announce(part.Codes)
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
	if !w.top.Full() {
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
	if !few && w.pruner != nil && w.top.Full() {
		mask := w.mask[:(count+63)/64]
		if w.pruner.Prune(mask, part.Codes, n, first, count, w.top.Threshold()) {
			w.maskRows(mask, selected)
			selected, few = true, len(w.rows)*sparse <= count
		}
	}
	switch {
	case few:
		for i := range w.rows {
			w.rows[i] += uint32(first)
		}
		w.distances = grow(w.distances, len(w.rows))
		w.scorer.DistancesAt(w.distances, part.Codes, n, w.rows)
		for i, row := range w.rows {
			w.push(part.RowIDs[row], w.distances[i])
		}
	case selected:
		w.distances = grow(w.distances, count)
		w.scorer.Distances(w.distances, part.Codes, n, first)
		for _, i := range w.rows {
			w.push(part.RowIDs[first+int(i)], w.distances[i])
		}
	default:
		w.distances = grow(w.distances, count)
		w.scorer.Distances(w.distances, part.Codes, n, first)
		w.pushAll(w.distances, part.RowIDs[first:first+count])
	}
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

func (w *worker) pushAll(distances []float32, rowIDs []uint64) {
	if _, _, ok := bounds(w.search.params); !ok {
		w.top.PushBatch(distances, rowIDs)
		return
	}
	for i, d := range distances {
		w.push(rowIDs[i], d)
	}
}

func (w *worker) push(rowID uint64, d float32) {
	if lo, hi, ok := bounds(w.search.params); ok && !(lo <= d && d < hi) {
		return
	}
	w.top.Push(rowID, d)
}

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n, max(n, scanRows))
	}
	return s[:n]
}
