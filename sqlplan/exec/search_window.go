package exec

import (
	"context"

	"lanceflight/internal/fault"

	"lanceflight/sqlplan/plan"
	"lanceflight/vecindex"
)

// searchAnswer is what a vector search finds; read-only.
type searchAnswer struct {
	hits  []vecindex.Hit
	addrs []uint64

	node    *plan.VectorSearch // with the knobs that were chosen for min_recall
	byIndex bool
}

// lateralSearch answers a vector search on the right side of a lateral join for a window of rows of its left side at a time, before
// the right side runs for the first of them. A window that does not fit the statement's memory is halved:
//
//	left rows ──vectors──> batchSearch ──> an answer for each row ──Env──> vectorSearchOp of the row's right side
//
// A row whose vector or bound is wrong has no answer: its own search fails, if that row is ever asked for.
type lateralSearch struct {
	op    *lateralOp
	node  *plan.VectorSearch
	shape *vectorSearchOp // in the shape of the right side: it carries the counters

	first   int // row of the left batch that the first answer is for
	answers []*searchAnswer
	bytes   int64 // reserved in the join's share
}

// Bounds of a window. More queries than these share the reading of vectors no better, and answers are memory.
const (
	windowRows  = 256
	windowBytes = 32 << 20
)

// newLateralSearches finds the searches that can be made for several rows at once.
func newLateralSearches(l *lateralOp) (searches []*lateralSearch) {
	nodes, _ := l.node.BatchSearches()
	for _, n := range nodes {
		if shape := findSearch(l.shape, n); shape != nil {
			searches = append(searches, &lateralSearch{op: l, node: n, shape: shape})
		}
	}
	return searches
}

func findSearch(op Operator, n *plan.VectorSearch) *vectorSearchOp {
	if v, ok := op.(*vectorSearchOp); ok && v.node == n {
		return v
	}
	for _, in := range op.Inputs() {
		if v := findSearch(in, n); v != nil {
			return v
		}
	}
	return nil
}

// answers are those of the current row.
func (l *lateralOp) answers(ctx context.Context) (map[*plan.VectorSearch]*searchAnswer, error) {
	var out map[*plan.VectorSearch]*searchAnswer
	for _, s := range l.searches {
		if i := l.row - s.first; i >= len(s.answers) {
			if err := s.search(ctx); err != nil {
				return nil, err
			}
		}
		if i := l.row - s.first; i < len(s.answers) && s.answers[i] != nil {
			if out == nil {
				out = map[*plan.VectorSearch]*searchAnswer{}
			}
			out[s.node] = s.answers[i]
		}
	}
	return out, nil
}

// search answers a window of rows from the current one on.
func (s *lateralSearch) search(ctx context.Context) error {
	s.drop()
	l := s.op
	s.first = l.row
	n := min(windowRows, int(l.left.NumRows())-l.row)
	if n < 2 {
		return nil
	}
	env := *l.env
	op, err := newVectorSearch(s.node, &env)
	if err != nil {
		return err
	}
	lead := op.(*vectorSearchOp)
	defer lead.Close()
	b := &batchSearch{lead: lead}
	rows := make([]int, 0, n)
	for i := 0; i < n; i++ {
		env, err := l.rowEnv(l.row + i)
		if err != nil {
			return err
		}
		one := lead.sibling(&env)
		if err := one.Open(ctx); err != nil {
			if ctx.Err() != nil {
				return err
			}
			continue
		}
		if len(rows) == 0 {
			lead.k = one.k
			if one.k == 0 {
				return nil
			}
			// An answer has its hits once for each goroutine while it is found, and then with their addresses.
			each := int64(one.k) * 24 * int64(l.env.workers()+1)
			n = min(n, i+max(1, int(windowBytes/each)))
			for n > 1 && !l.share.tryReserve(each*int64(n)) {
				n /= 2
			}
			if n < 2 {
				return nil
			}
			s.bytes = each * int64(n)
			if n <= i {
				break
			}
		}
		b.each, rows = append(b.each, one), append(rows, i)
	}
	var found []*searchAnswer
	for ; len(rows) > 1; n, rows = rows[len(rows)/2], rows[:len(rows)/2] {
		b.each = b.each[:len(rows)]
		if found, err = b.run(ctx); err == nil {
			break
		}
		if fault.KindOf(err) != fault.ResourceExhausted {
			return err
		}
	}
	s.shape.stats.add(&lead.stats)
	s.answers = make([]*searchAnswer, n)
	for i, a := range found {
		s.answers[rows[i]] = a
	}
	return nil
}

// drop forgets the answers.
func (s *lateralSearch) drop() {
	s.op.share.release(s.bytes)
	s.first, s.answers, s.bytes = 0, nil, 0
}
