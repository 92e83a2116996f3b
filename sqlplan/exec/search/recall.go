package search

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/indexes"
	"lanceflight/vecindex"
	"lanceflight/vecindex/calibrate"
)

// RecallEstimator is an operator that can measure how many of the true neighbours it finds.
type RecallEstimator interface {
	// EstimateRecall runs searches like the one that ran, for a sample of the table's vectors, and says in words what share of the
	// exact answers they found. Call it after the operator has returned its last batch, and before Close.
	EstimateRecall(ctx context.Context) (string, error)
}

// recallQueries is the number of searches of an estimate. All exact answers together cost about what one exact search
// costs, or two.
const recallQueries = 32

// recallLists is the same for lists of vectors, each of which costs as much as it has vectors.
const recallLists = 8

// EstimateRecall implements RecallEstimator: the same search, filter, range and knobs included, for other vectors. A vector of the table
// is left out of its own answers. Rows that fast_search skips are missing, as they are for the statement. Under LATERAL, filter, range
// and knobs are those of the last row.
func (v *VectorSearchOp) EstimateRecall(ctx context.Context) (string, error) {
	if v.last != nil {
		return v.last.EstimateRecall(ctx)
	}
	if !v.ready || v.Request.K == 0 {
		return "not measured: nothing was asked", nil
	}
	if !v.outcome.ByIndex {
		return "1 (exact)", nil
	}
	var text string
	err := op.Guard(func() (err error) {
		text, err = estimateRecall(ctx, v.Env, v.Request)
		return err
	})
	return text, err
}

// estimateRecall measures the recall of a request with one query.
func estimateRecall(ctx context.Context, env *op.Env, req Request) (string, error) {
	req.calibrated = true // its knobs are chosen already
	run := NewRun(env, req.Selection.Snap, &op.OpStats{}, "vector search")
	defer run.Share.ReleaseAll()
	n := recallQueries
	if req.lists {
		n = recallLists
	}
	src := newCalibrationSource(env, req, nil, req.Selection.Snap.Fragments())
	samples, err := calibrate.Draw(ctx, src, n, req.listLength(), env.NumWorkers())
	if err != nil {
		return "", err
	}
	if len(samples) == 0 {
		return "unknown: no row has a vector", nil
	}
	exact, err := run.exactAnswers(ctx, &req, samples)
	if err != nil {
		return "", err
	}
	var recalls []float64
	for i, sample := range samples {
		want := withoutRow(exact.Hits(i), sample.RowID, req.K)
		if len(want) == 0 {
			continue // nothing is within the range
		}
		query, err := req.NewSearchQuery(sample.Vectors)
		if err != nil {
			return "", err
		}
		query.Upper = req.queries[0].Upper
		found, err := run.Search(ctx, req.Ask(min(req.K+1, int(req.Selection.Snap.NumRows())), query))
		if err != nil {
			return "", err
		}
		got := withoutRow(found[0].Hits, sample.RowID, req.K)
		recalls = append(recalls, recallOf(want, got, req.Options.RefineFactor > 0))
	}
	if len(recalls) == 0 {
		return "unknown: the sample has no answers", nil
	}
	return indexes.RecallText(calibrate.NewEstimate(recalls, req.K), 1), nil
}

// exactAnswers compares every row that passes the filter of a request with samples instead of its query.
func (r *Run) exactAnswers(ctx context.Context, req *Request, samples []calibrate.Query) (*calibrate.Answers, error) {
	answers := calibrate.NewAnswers
	if req.lists {
		answers = calibrate.NewListAnswers
	}
	s, err := r.scan(req, req.Selection.Snap.Fragments(), req.Selection.Filter, req.vectorCols())
	if err != nil {
		return nil, err
	}
	s.Resize(exactBatchBytes)
	found := make([]*calibrate.Answers, r.env.NumWorkers())
	for i := range found {
		if found[i], err = answers(req.metric, samples, req.K+1); err != nil {
			return nil, err
		}
		found[i].Bound(req.queries[0].Upper)
	}
	err = r.runScan(ctx, s, func(_ context.Context, worker int, _ op.Position, b arrow.RecordBatch) error {
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

// withoutRow is the first k hits but for one row.
func withoutRow(hits []vecindex.Hit, rowID uint64, k int) []vecindex.Hit {
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
