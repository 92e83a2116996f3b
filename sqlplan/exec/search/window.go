package search

import (
	"context"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/plan"
)

// searchWindows answers the vector searches on the right side of a lateral join for a window of rows of its left side at a time, before
// the right side runs for the first of them. It implements op.RowsAhead.
//
//	left rows ──vectors──> one request ──> an outcome for each row ──Env──> VectorSearchOp of the row's right side
type searchWindows []*searchWindow

// searchWindow has the answers of one search. A window that does not fit the statement's memory is halved. A row whose vector or bound
// is wrong has no answer: its own search fails, if that row is ever asked for.
type searchWindow struct {
	join  op.LateralRows
	node  *plan.VectorSearch
	shape *VectorSearchOp // in the shape of the right side: it carries the counters

	first   int // row of the left batch that the first answer is for
	answers []*Outcome
	bytes   int64 // reserved in the join's share
}

// Bounds of a window. More queries than these share the reading of vectors no better, and answers are memory.
const (
	windowRows  = 256
	windowBytes = 32 << 20
)

// NewWindows finds the searches that can be made for several rows at once; nil if there are none.
func NewWindows(n *plan.LateralJoin, shape op.Operator, join op.LateralRows) op.RowsAhead {
	var windows searchWindows
	nodes, _ := n.BatchSearches()
	for _, node := range nodes {
		if op := findSearch(shape, node); op != nil {
			windows = append(windows, &searchWindow{join: join, node: node, shape: op})
		}
	}
	if windows == nil {
		return nil
	}
	return windows
}

func findSearch(op op.Operator, n *plan.VectorSearch) *VectorSearchOp {
	if v, ok := op.(*VectorSearchOp); ok && v.node == n {
		return v
	}
	for _, in := range op.Inputs() {
		if v := findSearch(in, n); v != nil {
			return v
		}
	}
	return nil
}

// Answers implements op.RowsAhead.
func (all searchWindows) Answers(ctx context.Context, row, rows int) (map[plan.Node]any, error) {
	var out map[plan.Node]any
	for _, w := range all {
		if row-w.first >= len(w.answers) {
			if err := w.search(ctx, row, rows); err != nil {
				return nil, err
			}
		}
		if i := row - w.first; i < len(w.answers) && w.answers[i] != nil {
			if out == nil {
				out = map[plan.Node]any{}
			}
			out[w.node] = w.answers[i]
		}
	}
	return out, nil
}

// Drop implements op.RowsAhead.
func (all searchWindows) Drop() {
	for _, w := range all {
		w.drop()
	}
}

// search answers a window of rows from a row on, of a left batch of so many rows.
func (w *searchWindow) search(ctx context.Context, first, rows int) error {
	w.drop()
	w.first = first
	n := min(windowRows, rows-first)
	if n < 2 {
		return nil
	}
	env := *w.join.Env
	op, err := NewVectorSearch(w.node, &env)
	if err != nil {
		return err
	}
	lead := op.(*VectorSearchOp)
	defer lead.Close()
	req := lead.Request
	asked := make([]int, 0, n) // the row of each query
	for i := 0; i < n; i++ {
		env, err := w.join.RowEnv(first + i)
		if err != nil {
			return err
		}
		k, query, err := bindSearch(&req, w.node, &env)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			continue
		}
		if len(asked) == 0 {
			req.K = k
			if k == 0 {
				return nil
			}
			if n = w.fit(k, n, i); n < 2 {
				return nil
			}
			if n <= i {
				break
			}
		}
		req.queries, asked = append(req.queries, query), append(asked, i)
	}
	var found []*Outcome
	for ; len(asked) > 1; n, asked = asked[len(asked)/2], asked[:len(asked)/2] {
		if found, err = lead.run.Search(ctx, req.Ask(req.K, req.queries[:len(asked)]...)); err == nil {
			break
		}
		if fault.KindOf(err) != fault.ResourceExhausted {
			return err
		}
	}
	w.shape.Counters.Add(&lead.Counters)
	w.answers = make([]*Outcome, n)
	for i, a := range found {
		w.answers[asked[i]] = a
	}
	return nil
}

// fit reserves the memory of the answers for k rows to a window of at most n rows, of which the first that is searched for is row i. It
// returns the size of the window that fits; below 2 nothing is reserved.
func (w *searchWindow) fit(k, n, i int) int {
	// An answer has its hits once for each goroutine while it is found, and then with their addresses.
	each := int64(k) * 24 * int64(w.join.Env.NumWorkers()+1)
	n = min(n, i+max(1, int(windowBytes/each)))
	for n > 1 && !w.join.Share.TryReserve(each*int64(n)) {
		n /= 2
	}
	if n >= 2 {
		w.bytes = each * int64(n)
	}
	return n
}

// drop forgets the answers.
func (w *searchWindow) drop() {
	w.join.Share.Release(w.bytes)
	w.first, w.answers, w.bytes = 0, nil, 0
}
