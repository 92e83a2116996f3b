package search

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/vecindex"
)

// exactSource are fragments whose rows are all compared, as far as they pass the filter.
type exactSource []*lancefmt.Fragment

func (s exactSource) approximate() bool { return false }

func (s exactSource) fragments() []*lancefmt.Fragment { return s }

func (s exactSource) giveUp(_ context.Context, _ *Run, _ *Request, err error) error {
	return err
}

// exactBatchBytes is what an exact search reads at a time: the buffers of a piece stay in cache between
// decoding and comparing, and are so large that what a piece costs, some 14 µs, does not count.
const exactBatchBytes = 2 << 20

// candidates implements source. Each vector is read once for all queries.
func (s exactSource) candidates(ctx context.Context, r *Run, req *Request) ([][]vecindex.Hit, error) {
	scan, err := r.scan(req, s, req.Selection.Filter, req.vectorCols())
	if err != nil {
		return nil, err
	}
	scan.Resize(exactBatchBytes)
	found := make([]nearestRows, r.env.NumWorkers())
	for i := range found {
		found[i] = newNearestRows(req)
	}
	err = r.runScan(ctx, scan, func(_ context.Context, worker int, _ op.Position, b arrow.RecordBatch) error {
		return found[worker].add(b.Column(0), b.Column(1).(*array.Uint64).Uint64Values())
	})
	if err != nil {
		return nil, err
	}
	hits, rows := mergeNearest(req, found)
	if req.Selection.Filter == nil {
		r.Counters.RowsRead.Add(rows)
	}
	return hits, nil
}

// nearestRows keeps the k rows within range that are nearest to each query of all that it is fed, comparing whole vectors. There are
// two, because one query alone is compared without what sharing vectors among several costs. A nearestRows belongs to one goroutine
// and retains nothing of what it is fed.
type nearestRows interface {
	// add compares vectors with all queries. Each vector has a row id.
	add(vectors arrow.Array, rowIDs []uint64) error
	// addPairs compares some pairs of a vector and a query.
	addPairs(vectors arrow.Array, rowIDs []uint64, pairs []vecindex.Pair) error
	// merge takes the hits of another one of the same kind and request over.
	merge(nearestRows)
	// hits are those of a query so far, ascending, ties by row id.
	hits(query int) []vecindex.Hit
	// rows counts the vectors that were fed.
	rows() int64
}

func newNearestRows(req *Request) nearestRows {
	if req.together != nil {
		e := vecindex.NewExactBatch(req.together, req.K)
		for i := range req.queries {
			if upper := req.queries[i].Upper; upper != nil {
				e.Bound(i, *upper)
			}
		}
		return nearestOfBatch{e}
	}
	each := make(nearestOfEach, len(req.queries))
	for i := range req.queries {
		q := &req.queries[i]
		if req.lists {
			each[i] = vecindex.NewExactMulti(q.list, req.K)
		} else {
			each[i] = vecindex.NewExact(q.single, req.K)
		}
		each[i].Bound(nil, q.Upper)
	}
	return each
}

// mergeNearest merges what the workers found, which changes it, and counts their rows.
func mergeNearest(req *Request, found []nearestRows) (hits [][]vecindex.Hit, rows int64) {
	for _, f := range found[1:] {
		found[0].merge(f)
	}
	hits = make([][]vecindex.Hit, len(req.queries))
	for i := range hits {
		hits[i] = found[0].hits(i)
	}
	return hits, found[0].rows()
}

// nearestOfBatch compares blocks of vectors with all queries at once.
type nearestOfBatch struct{ batch *vecindex.ExactBatch }

func (n nearestOfBatch) add(vectors arrow.Array, rowIDs []uint64) error {
	return n.batch.Add(vectors, rowIDs, nil)
}

func (n nearestOfBatch) addPairs(vectors arrow.Array, rowIDs []uint64, pairs []vecindex.Pair) error {
	return n.batch.AddPairs(vectors, rowIDs, pairs)
}

func (n nearestOfBatch) merge(o nearestRows) { n.batch.Merge(o.(nearestOfBatch).batch) }

func (n nearestOfBatch) hits(query int) []vecindex.Hit { return n.batch.Hits(query) }

func (n nearestOfBatch) rows() int64 { return n.batch.Rows() }

// nearestOfEach compares vectors with one query after the other: with the only one, or with lists of vectors, each of which takes so
// many comparisons that the reading does not count.
type nearestOfEach []*vecindex.Exact

func (n nearestOfEach) add(vectors arrow.Array, rowIDs []uint64) error {
	for _, e := range n {
		if err := e.Add(vectors, rowIDs); err != nil {
			return err
		}
	}
	return nil
}

func (n nearestOfEach) addPairs(vectors arrow.Array, rowIDs []uint64, pairs []vecindex.Pair) error {
	for _, p := range pairs {
		i := int64(p.Row)
		one := array.NewSlice(vectors, i, i+1)
		err := n[p.Query].Add(one, rowIDs[i:i+1])
		one.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func (n nearestOfEach) merge(o nearestRows) {
	for i, e := range o.(nearestOfEach) {
		n[i].Merge(e)
	}
}

func (n nearestOfEach) hits(query int) []vecindex.Hit { return n[query].Hits() }

func (n nearestOfEach) rows() int64 { return n[0].Rows() }
