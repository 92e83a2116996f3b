package exec

import (
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/sqlplan/expr"

	"lanceflight/sqlplan/plan"
	"lanceflight/vecindex"
	"lanceflight/vecindex/calibrate"
)

// RecallEstimator is an operator that can measure how many of the true neighbours it finds.
type RecallEstimator interface {
	// EstimateRecall runs searches like the one that ran, for a sample of the table's vectors, and says in words what share of the exact answers
	// they found. Call it after the operator has returned its last batch, and before Close.
	EstimateRecall(ctx context.Context) (string, error)
}

// recallQueries is the number of searches of an estimate. All exact answers together cost about what one exact search
// costs, or two.
const recallQueries = 32

// recallLists is the same for lists of vectors, each of which costs as much as it has vectors.
const recallLists = 8

// EstimateRecall implements RecallEstimator: the same search, filter, range and knobs included, for other vectors. A vector of the table is left
// out of its own answers. Rows that fast_search skips are missing, as they are for the statement. Under LATERAL, filter, range and knobs are those of the
// last row.
func (v *vectorSearchOp) EstimateRecall(ctx context.Context) (string, error) {
	if v.last != nil {
		return v.last.EstimateRecall(ctx)
	}
	if !v.ready || v.k == 0 {
		return "not measured: nothing was asked", nil
	}
	if !v.byIndex {
		return "1 (exact)", nil
	}
	src := &calibrationSource{v: v, frags: v.node.Snap.Fragments(), starts: []int64{0}}
	for _, f := range src.frags {
		src.starts = append(src.starts, src.NumPositions()+f.NumPhysicalRows())
	}
	n := recallQueries
	if v.multi {
		n = recallLists
	}
	queries, err := calibrate.Draw(ctx, src, n, len(v.vectors), v.env.workers())
	if err != nil {
		return "", err
	}
	if len(queries) == 0 {
		return "unknown: no row has a vector", nil
	}
	exact, err := v.exactAnswers(ctx, queries)
	if err != nil {
		return "", err
	}
	var recalls []float64
	for i, q := range queries {
		want := without(exact.Hits(i), q.RowID, v.k)
		if len(want) == 0 {
			continue // nothing is within the range
		}
		o, err := v.like(q)
		if err != nil {
			return "", err
		}
		hits, err := o.drain(ctx)
		if err != nil {
			return "", err
		}
		recalls = append(recalls, recallOf(want, without(hits, q.RowID, v.k), v.node.Options.RefineFactor > 0))
	}
	if len(recalls) == 0 {
		return "unknown: the sample has no answers", nil
	}
	return recallText(calibrate.NewEstimate(recalls, v.k), 1), nil
}

// exactAnswers compares every row that passes the filter with all queries.
func (v *vectorSearchOp) exactAnswers(ctx context.Context, queries []calibrate.Query) (*calibrate.Answers, error) {
	answers := calibrate.NewAnswers
	if v.multi {
		answers = calibrate.NewListAnswers
	}
	o, err := v.like(queries[0])
	if err != nil {
		return nil, err
	}
	defer o.Close()
	s, err := o.scan(v.node.Snap.Fragments(), v.node.Filter, o.vectorCols())
	if err != nil {
		return nil, err
	}
	s.resize(exactBatchBytes)
	found := make([]*calibrate.Answers, v.env.workers())
	for i := range found {
		if found[i], err = answers(v.node.Metric, queries, v.k+1); err != nil {
			return nil, err
		}
		found[i].Bound(v.upper)
	}
	err = o.runScan(ctx, s, func(_ context.Context, worker int, _ position, b arrow.RecordBatch) error {
		return found[worker].Add(b.Column(0), b.Column(1).(*array.Uint64).Uint64Values())
	})
	if err != nil {
		return nil, err
	}
	for _, f := range found[1:] {
		found[0].Merge(f)
	}
	return found[0], nil
}

// like makes the same search for another vector, or other ones, and one row more.
func (v *vectorSearchOp) like(query calibrate.Query) (*vectorSearchOp, error) {
	n := *v.node
	if v.multi {
		n.Query = expr.MultivectorLiteral(query.Vectors)
	} else {
		n.Query = expr.NewLiteral(query.Vectors[0], arrow.FixedSizeListOf(int32(v.dim), arrow.PrimitiveTypes.Float32))
	}
	n.K = expr.NewLiteral(int64(v.k+1), arrow.PrimitiveTypes.Int64)
	n.Calibrated = &plan.Calibrated{} // its knobs are chosen already
	op, err := newVectorSearch(&n, v.env)
	if err != nil {
		return nil, err
	}
	return op.(*vectorSearchOp), nil
}

// drain runs a search, and closes it.
func (v *vectorSearchOp) drain(ctx context.Context) ([]vecindex.Hit, error) {
	defer v.Close()
	if err := v.Open(ctx); err != nil {
		return nil, err
	}
	var hits []vecindex.Hit
	for {
		b, err := v.Next(ctx)
		if err == io.EOF {
			return hits, nil
		}
		if err != nil {
			return nil, err
		}
		ids, distances := b.Column(1).(*array.Uint64).Uint64Values(), b.Column(2).(*array.Float32).Float32Values()
		for i, id := range ids {
			hits = append(hits, vecindex.Hit{RowID: id, Distance: distances[i]})
		}
		b.Release()
	}
}

// without is the first k hits but for one row.
func without(hits []vecindex.Hit, rowID uint64, k int) []vecindex.Hit {
	var out []vecindex.Hit
	for _, h := range hits {
		if h.RowID != rowID && len(out) < k {
			out = append(out, h)
		}
	}
	return out
}

// recallOf is the share of the wanted rows that were found. Where distances are exact, a row as near as the farthest wanted one is as good.
func recallOf(want, got []vecindex.Hit, exact bool) float64 {
	wanted := map[uint64]bool{}
	for _, h := range want {
		wanted[h.RowID] = true
	}
	found := 0
	for _, h := range got {
		if wanted[h.RowID] || exact && h.Distance <= want[len(want)-1].Distance {
			found++
		}
	}
	return min(1, float64(found)/float64(len(want)))
}
