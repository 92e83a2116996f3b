package scan

import (
	"context"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/question"
)

// A scan whose filter scalar indices know asks them once, before its first morsel. Then each fragment has a plan of its own:
//
//	filter:  key < 500 AND text LIKE '%cat%' AND width > 9     BTREE on key, NGRAM on text, none on width
//	answer:  rows that may pass, of which some surely do       deleted rows are taken off
//	plan:    only those rows are read; key < 500 is not evaluated, LIKE for all but the sure ones, width for each
//
// A fragment that the indices do not cover is scanned as if there were none.

// indexedFragment is how a fragment is scanned of which indices know something.
type indexedFragment struct {
	plan *scanPlan
	rows *roaring.Bitmap // live rows that may pass
	out  *roaring.Bitmap // all other rows, if they are fewer; else nil
	// doubtful are those of rows that must pass check before plan is run; nil = none, plan checks all it has to.
	doubtful *roaring.Bitmap
	check    *scanPlan
}

// useIndexes asks the scalar indices, if the scan has any to ask.
func (s *ScanOp) useIndexes(ctx context.Context) error {
	if s.node.Index == nil {
		return nil
	}
	filter := s.node.Index.Resolve(s.Env.Params)
	answers, err := askIndexes(ctx, s.Env, s.node.Snap, filter, s.Frags, &s.Counters)
	if err != nil {
		return err
	}
	plans := map[string]*scanPlan{}
	s.indexed = make(map[*lancefmt.Fragment]*indexedFragment, len(s.Frags))
	for _, f := range s.Frags {
		x, err := s.indexFragment(ctx, f, filter, answers, plans)
		if err != nil {
			return err
		}
		if x != nil {
			s.indexed[f] = x
			s.Counters.IndexRows.Add(int64(x.rows.GetCardinality()))
		}
	}
	s.Counters.IndexedFragments.Add(int64(len(s.indexed)))
	s.Counters.FragmentsN.Add(int64(len(s.Frags)))
	return nil
}

// indexFragment combines the answers for a fragment; nil if they say nothing.
func (s *ScanOp) indexFragment(ctx context.Context, f *lancefmt.Fragment, filter *question.Filter,
	answers *indexAnswers, plans map[string]*scanPlan) (*indexedFragment, error) {
	leaf := func(l *question.Leaf, truth bool) truthBounds { return answers.bounds(l, truth, f.ID()) }
	may, sure := allRows, allRows // sure: of the terms that are not exact
	var rest, doubtful []int      // terms to evaluate: always, or for rows that are not sure
	for i, t := range filter.Terms {
		if t.Index == nil {
			rest = append(rest, i)
			continue
		}
		b := boundsOf(t.Index, true, leaf)
		may = may.and(b.may)
		switch {
		case b.exact():
		case b.sure.empty() || b.may.all():
			rest = append(rest, i)
		default:
			doubtful = append(doubtful, i)
			sure = sure.and(b.sure)
		}
	}
	if len(rest)+len(doubtful) == len(filter.Terms) && may.all() {
		return nil, nil
	}
	deleted, err := DeletedRows(ctx, f)
	if err != nil {
		return nil, err
	}
	x := &indexedFragment{rows: may.within(f.NumPhysicalRows(), deleted)}
	left := int64(x.rows.GetCardinality())
	if 2*left > f.NumRows() && len(rest)+len(doubtful) > 0 && s.cheaply(f, filter, rest, doubtful) {
		return nil, nil
	}
	if 2*left > f.NumPhysicalRows() {
		x.out = roaring.Flip(x.rows, 0, uint64(f.NumPhysicalRows()))
	}
	if len(doubtful) > 0 {
		x.doubtful = roaring.And(x.rows, sure.not().within(f.NumPhysicalRows(), nil))
		switch x.doubtful.GetCardinality() {
		case 0:
			x.doubtful = nil
		case x.rows.GetCardinality():
			rest, x.doubtful = append(rest, doubtful...), nil
		default:
			if x.check, err = s.planFor(filter, doubtful, plans); err != nil {
				return nil, err
			}
		}
	}
	x.plan, err = s.planFor(filter, rest, plans)
	return x, err
}

// narrowBytes is the size up to which the columns of a condition are read as fast as the rows that an index leaves over are
// picked out.
const narrowBytes = 16

// cheaply reports whether the terms that need no evaluation are about narrow columns.
func (s *ScanOp) cheaply(f *lancefmt.Fragment, filter *question.Filter, rest, doubtful []int) bool {
	source := map[expr.ColID]lancefmt.ColumnRef{}
	for _, c := range s.node.Read {
		source[c.ID] = c.Ref()
	}
	var columns []lancefmt.ColumnRef
	for i, t := range filter.Terms {
		if slices.Contains(rest, i) || slices.Contains(doubtful, i) {
			continue
		}
		for _, id := range expr.Columns(t.Conds...) {
			columns = append(columns, source[id])
		}
	}
	return f.BytesPerRow(columns) <= narrowBytes
}

// planFor is the plan that evaluates some of a filter's terms.
func (s *ScanOp) planFor(filter *question.Filter, terms []int, plans map[string]*scanPlan) (*scanPlan, error) {
	slices.Sort(terms)
	key := make([]byte, len(filter.Terms))
	var conds []expr.Expr
	for _, i := range terms {
		key[i] = 1
		conds = append(conds, filter.Terms[i].Conds...)
	}
	if p := plans[string(key)]; p != nil {
		return p, nil
	}
	var cond expr.Expr
	if len(conds) > 0 {
		cond = expr.Conjoin(conds)
	}
	p, err := newScanPlan(s.node, cond)
	plans[string(key)] = p
	return p, err
}

// planOf is the plan of a fragment.
func (s *ScanOp) planOf(f *lancefmt.Fragment) *scanPlan {
	if x := s.indexed[f]; x != nil {
		return x.plan
	}
	return s.scanPlan
}

// rowsOf are the rows of a fragment that indices leave over; nil = all.
func (s *ScanOp) rowsOf(f *lancefmt.Fragment) *roaring.Bitmap {
	if x := s.indexed[f]; x != nil {
		return x.rows
	}
	return nil
}

// candidates are the rows of a morsel that are not known to fail.
func (s *ScanOp) candidates(ctx context.Context, m morsel) (rowRanges, error) {
	x := s.indexed[m.frag]
	if x == nil {
		del, err := DeletedRows(ctx, m.frag)
		if err != nil {
			return nil, err
		}
		return Live(del, m.start, m.end), nil
	}
	if x.out != nil && x.doubtful == nil {
		return Live(x.out, m.start, m.end), nil
	}
	if x.doubtful == nil {
		return rangesOf(x.rows, m.start, m.end), nil
	}
	var passed rowRanges
	r := morselRun{scanPlan: x.check, scan: s, ctx: ctx, frag: m.frag}
	r.passed = &passed
	doubtful := rangesOf(x.doubtful, m.start, m.end)
	s.Counters.Rechecked.Add(CountRows(doubtful))
	if err := r.start(doubtful); err != nil {
		return nil, err
	}
	return mergeRanges(rangesOf(roaring.AndNot(x.rows, x.doubtful), m.start, m.end), passed), nil
}

// rangesOf returns the rows of b in [start, end), as ranges in order.
func rangesOf(b *roaring.Bitmap, start, end int64) rowRanges {
	var out rowRanges
	it := b.Iterator()
	it.AdvanceIfNeeded(uint32(start))
	for it.HasNext() {
		row := int64(it.Next())
		if row >= end {
			break
		}
		if n := len(out); n > 0 && out[n-1].End == row {
			out[n-1].End++
		} else {
			out = append(out, encoding.Range{Start: row, End: row + 1})
		}
	}
	return out
}

// mergeRanges is the union of ranges in order that do not overlap.
func mergeRanges(a, b rowRanges) rowRanges {
	out := make(rowRanges, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		if len(b) == 0 || len(a) > 0 && a[0].Start < b[0].Start {
			a, b = b, a
		}
		r := b[0]
		b = b[1:]
		if n := len(out); n > 0 && out[n-1].End == r.Start {
			out[n-1].End = r.End
		} else {
			out = append(out, r)
		}
	}
	return out
}
