package ivf

import (
	"context"

	"lanceflight/internal/fault"
	"lanceflight/vecindex"
	"lanceflight/vecindex/hnsw"
)

// walkShare is the share of a partition's rows, one of so many, that must pass the filter for a walk to be worth it: a walk goes through
// rows that do not pass, about as many for each that does as there are rows for each that does.
const walkShare = 16

// walkGraph searches a partition by its graph, if it has one and that is the better way: then it
// reports true. Rows that pass the filter are never lost by a walk that finds too few: they are
// scored one by one.
func (w *worker) walkGraph(ctx context.Context, p int, part Partition) (walked bool, err error) {
	params := w.search.params
	if part.Graph == nil {
		return false, nil
	}
	n := len(part.RowIDs)
	if part.Graph.NumNodes() != n {
		return false, fault.Corruptf("partition %d has %d rows, and a graph of %d", p, n, part.Graph.NumNodes())
	}
	if _, _, bounded := bounds(params); bounded {
		return false, nil // the nearest may be below the bound, however many are kept
	}
	passed := n
	var accept func(hnsw.Node) bool
	if params.Filter != nil {
		w.rows = vecindex.SelectRows(params.Filter, part.RowIDs, w.rows[:0])
		passed = len(w.rows)
		if passed*walkShare < n {
			return true, w.scoreRows(ctx, p, part, w.rows)
		}
		w.allow(n)
		accept = func(x hnsw.Node) bool { return w.allowed[x.ID/64]>>(x.ID%64)&1 != 0 }
	}
	ef := params.EF
	if ef <= 0 {
		ef = max(vecindex.DefaultEF, params.K+params.K/2)
	}
	w.scorer.Enter(w.search.index.model.centroid(p))
	distances := func(dst []float32, nodes []uint32) { w.scorer.DistancesAt(dst, part.Codes, n, nodes) }
	found, visited, err := part.Graph.Search(ctx, max(ef, params.K), distances, accept, &w.walk)
	w.stats.CodesScanned += int64(visited)
	if err != nil {
		return true, err
	}
	if len(found) < min(params.K, passed) {
		// The graph does not lead to all of them.
		if params.Filter == nil {
			return false, nil
		}
		return true, w.scoreRows(ctx, p, part, w.rows)
	}
	w.survivors += int64(passed)
	w.stats.RowsFiltered += int64(n - passed)
	w.limit, w.found = w.best.threshold(), w.found[:0]
	for _, x := range found {
		w.find(part.RowIDs[x.ID], x.Distance)
	}
	w.best.push(w.found)
	return true, nil
}

// allow makes the bitmap of w.rows.
func (w *worker) allow(n int) {
	words := (n + 63) / 64
	if cap(w.allowed) < words {
		w.allowed = make([]uint64, words)
	}
	w.allowed = w.allowed[:words]
	clear(w.allowed)
	for _, row := range w.rows {
		w.allowed[row/64] |= 1 << (row % 64)
	}
}

// scoreRows offers some rows of a partition to the heap.
func (w *worker) scoreRows(ctx context.Context, p int, part Partition, rows []uint32) error {
	n := len(part.RowIDs)
	w.survivors += int64(len(rows))
	w.stats.RowsFiltered += int64(n - len(rows))
	w.stats.CodesScanned += int64(len(rows))
	if len(rows) > 0 {
		w.scorer.Enter(w.search.index.model.centroid(p))
	}
	for len(rows) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		some := rows[:min(scanRows, len(rows))]
		w.distances = grow(w.distances, len(some))
		w.scorer.DistancesAt(w.distances, part.Codes, n, some)
		w.limit, w.found = w.best.threshold(), w.found[:0]
		for i, row := range some {
			w.find(part.RowIDs[row], w.distances[i])
		}
		w.best.push(w.found)
		rows = rows[len(some):]
	}
	return nil
}
