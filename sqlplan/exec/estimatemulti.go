package exec

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/sqlplan/expr"
	"lanceflight/vecindex"
	"lanceflight/vecindex/calibrate"
	"lanceflight/vecindex/distance"
)

// multiRecallQueries is the number of searches of an estimate over lists of vectors. Each one's exact answers cost what an exact search costs, but
// for reading the table, which all of them do together.
const multiRecallQueries = 8

// sampledLists is a row whose vectors are a query: as many as the statement's query has, from all over the row.
type sampledLists struct {
	rowID   uint64
	vectors [][]float32
}

// estimateMulti is EstimateRecall for a column of lists of vectors.
func (v *vectorSearchOp) estimateMulti(ctx context.Context) (string, error) {
	queries, err := v.drawLists(ctx)
	if err != nil {
		return "", err
	}
	if len(queries) == 0 {
		return "unknown: no row has vectors", nil
	}
	exact, err := v.exactLists(ctx, queries)
	if err != nil {
		return "", err
	}
	var recalls []float64
	for i, q := range queries {
		want := without(exact[i].Hits(), q.rowID, v.k)
		if len(want) == 0 {
			continue // nothing is within the range
		}
		o, err := v.likeQuery(expr.MultivectorLiteral(q.vectors))
		if err != nil {
			return "", err
		}
		hits, err := o.drain(ctx)
		if err != nil {
			return "", err
		}
		recalls = append(recalls, recallOf(want, without(hits, q.rowID, v.k), v.node.Options.RefineFactor > 0))
	}
	if len(recalls) == 0 {
		return "unknown: the sample has no answers", nil
	}
	return recallText(calibrate.NewEstimate(recalls, v.k), 1), nil
}

// drawLists draws rows from all over the table, at the same places each time.
func (v *vectorSearchOp) drawLists(ctx context.Context) ([]sampledLists, error) {
	src := &calibrationSource{v: v, frags: v.node.Snap.Fragments(), starts: []int64{0}}
	for _, f := range src.frags {
		src.starts = append(src.starts, src.NumPositions()+f.NumPhysicalRows())
	}
	const drawn = 2 * multiRecallQueries // some are deleted, NULL or without vectors
	rng := rand.New(rand.NewPCG(uint64(src.NumPositions()), drawn))
	var ranges []calibrate.Range
	for i := range int64(drawn) {
		from, to := src.NumPositions()*i/drawn, src.NumPositions()*(i+1)/drawn
		if from < to {
			p := from + rng.Int64N(to-from)
			ranges = append(ranges, calibrate.Range{Start: p, End: p + 1})
		}
	}
	var mu sync.Mutex
	var found []sampledLists
	err := src.Read(ctx, ranges, v.env.workers(), func(_ int, vectors arrow.Array, rowIDs []uint64) error {
		lists, err := distance.NewMultivectors(vectors)
		if err != nil {
			return err
		}
		for i, id := range rowIDs {
			all := slices.DeleteFunc(lists.Vectors(i), func(x []float32) bool {
				return isZero(x) || slices.ContainsFunc(x, func(e float32) bool { return e-e != 0 })
			})
			if len(all) == 0 {
				continue
			}
			q := sampledLists{rowID: id}
			n := min(len(v.vectors), len(all))
			for k := range n {
				q.vectors = append(q.vectors, all[k*len(all)/n])
			}
			mu.Lock()
			found = append(found, q)
			mu.Unlock()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b sampledLists) int { return vecindex.Hit{RowID: a.rowID}.Compare(vecindex.Hit{RowID: b.rowID}) })
	rng.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	return found[:min(multiRecallQueries, len(found))], nil
}

// exactLists compares every row that passes the filter with all queries.
func (v *vectorSearchOp) exactLists(ctx context.Context, queries []sampledLists) ([]*vecindex.Exact, error) {
	s, err := v.scan(v.node.Snap.Fragments(), v.node.Filter, v.vectorCols())
	if err != nil {
		return nil, err
	}
	s.resize(exactBatchBytes)
	found := make([][]*vecindex.Exact, v.env.workers())
	for i := range found {
		for _, q := range queries {
			prepared, err := distance.NewMultiQuery(v.node.Metric, q.vectors)
			if err != nil {
				return nil, err
			}
			e := vecindex.NewExactMulti(prepared, v.k+1) // the row itself is among them
			e.Bound(nil, v.upper)
			found[i] = append(found[i], e)
		}
	}
	o, err := v.likeQuery(expr.MultivectorLiteral(queries[0].vectors)) // whose counters are not the statement's
	if err != nil {
		return nil, err
	}
	defer o.Close()
	err = o.runScan(ctx, s, func(_ context.Context, worker int, _ position, b arrow.RecordBatch) error {
		for _, e := range found[worker] {
			if err := e.Add(b.Column(0), b.Column(1).(*array.Uint64).Uint64Values()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, of := range found[1:] {
		for i, e := range of {
			found[0][i].Merge(e)
		}
	}
	return found[0], nil
}
