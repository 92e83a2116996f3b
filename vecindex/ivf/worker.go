package ivf

import (
	"context"

	"lanceflight/internal/fault"
	"lanceflight/vecindex"
	"lanceflight/vecindex/quantize"
)

// scratch is memory that outlives a search.
type scratch struct {
	scorer    quantize.Scorer
	distances []float32
	rows      []uint32
}

// worker scans partitions for one search in one goroutine.
type worker struct {
	*scratch
	search    *search
	top       *vecindex.TopK
	stats     vecindex.Stats
	survivors int64
}

func (s *search) newWorker() *worker {
	w := &worker{
		scratch: s.index.scratch.Get().(*scratch),
		search:  s,
		top:     vecindex.NewTopK(s.params.K),
	}
	w.scorer.Start(s.query)
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
	w.stats.CodesScanned += int64(n)
	if n == 0 {
		return nil
	}
	entered := false
	for first := 0; first < n; first += scanRows {
		if first > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		count := min(scanRows, n-first)
		rowIDs := part.RowIDs[first : first+count]
		w.rows = w.rows[:0]
		if f := w.search.params.Filter; f != nil {
			w.rows = vecindex.SelectRows(f, rowIDs, w.rows)
			w.stats.RowsFiltered += int64(count - len(w.rows))
			w.survivors += int64(len(w.rows))
			if len(w.rows) == 0 {
				continue
			}
		} else {
			w.survivors += int64(count)
		}
		if !entered {
			w.scorer.Enter(m.centroid(p))
			entered = true
		}
		if w.search.params.Filter != nil {
			w.scoreSelected(part, first, count)
			continue
		}
		w.distances = grow(w.distances, count)
		w.scorer.Distances(w.distances, part.Codes, n, first)
		w.push(w.distances, rowIDs)
	}
	return nil
}

// scoreSelected scores the rows at w.rows, positions relative to first.
func (w *worker) scoreSelected(part Partition, first, count int) {
	n := len(part.RowIDs)
	rowIDs := part.RowIDs[first : first+count]
	if len(w.rows)*sparse > count {
		w.distances = grow(w.distances, count)
		w.scorer.Distances(w.distances, part.Codes, n, first)
		for _, i := range w.rows {
			w.pushOne(rowIDs[i], w.distances[i])
		}
		return
	}
	for i := range w.rows {
		w.rows[i] += uint32(first)
	}
	w.distances = grow(w.distances, len(w.rows))
	w.scorer.DistancesAt(w.distances, part.Codes, n, w.rows)
	for i, row := range w.rows {
		w.pushOne(part.RowIDs[row], w.distances[i])
	}
}

func (w *worker) push(distances []float32, rowIDs []uint64) {
	if _, _, ok := bounds(w.search.params); !ok {
		w.top.PushBatch(distances, rowIDs)
		return
	}
	for i, d := range distances {
		w.pushOne(rowIDs[i], d)
	}
}

func (w *worker) pushOne(rowID uint64, d float32) {
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
