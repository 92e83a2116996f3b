package scan

import (
	"context"
	"slices"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// Where the values themselves are not wanted, comparisons of numbers with constants are left to the decoders, as tests of bits:
//
//	filter:  "NSFW" = 0 AND similarity > 0.3 AND caption LIKE '%cat%'
//	tests:   two, which clear bits where the values are decoded (lancefmt.Fragment.Match)
//	rest:    LIKE, evaluated for the rows that are left, as any filter is

// testedPlan is a scanPlan whose filter is taken apart.
type testedPlan struct {
	tests []columnTest
	rest  *scanPlan // what no test decides
}

type columnTest struct {
	column lancefmt.ColumnRef
	test   encoding.Test
}

// takeApart takes the filters of fragments' plans apart, before workers start. Columns that are wanted
// besides are not tested: they would be decoded twice.
func (s *ScanOp) takeApart(frags []*lancefmt.Fragment, wanted []plan.Col) error {
	s.tested = map[*scanPlan]*testedPlan{}
	for _, f := range frags {
		p := s.planOf(f)
		if _, ok := s.tested[p]; ok || p.filter == nil {
			continue
		}
		t, err := s.newTestedPlan(p, wanted)
		if err != nil {
			return err
		}
		s.tested[p] = t
	}
	return nil
}

// newTestedPlan takes the filter of a plan apart; nil if there is nothing to test.
func (s *ScanOp) newTestedPlan(p *scanPlan, wanted []plan.Col) (*testedPlan, error) {
	source := map[expr.ColID]lancefmt.ColumnRef{}
	for _, c := range s.node.Read {
		source[c.ID] = c.Ref()
	}
	values := map[lancefmt.ColumnRef]bool{}
	for _, c := range wanted {
		values[source[c.ID]] = true
	}
	t := &testedPlan{}
	var rest []expr.Expr
	for _, c := range expr.Conjuncts(p.filter) {
		if test, ok := s.testOf(c, source); ok && !values[test.column] {
			t.tests = append(t.tests, test)
		} else {
			rest = append(rest, c)
		}
	}
	if len(t.tests) == 0 {
		return nil, nil
	}
	var left expr.Expr
	if len(rest) > 0 {
		left = expr.Conjoin(rest)
	}
	var err error
	t.rest, err = newScanPlan(s.node, left)
	return t, err
}

// runTested is run for rows of a morsel whose filter can be tested. ok is false, and nothing was emitted, if it cannot after all.
func (s *ScanOp) runTested(ctx context.Context, f *lancefmt.Fragment, t *testedPlan, rows rowRanges, emit emitFunc) (ok bool, err error) {
	bits := newRowBits(rows)
	bits.addAll(rows)
	if ok, err := s.test(ctx, f, t.tests, rows, bits); err != nil || !ok {
		return false, err
	}
	if len(t.rest.stages) == 0 && len(t.rest.out) == 0 {
		n := bits.count()
		if n == 0 {
			return true, nil
		}
		b, err := op.MakeBatch(s.Schema, nil, n)
		if err != nil {
			return true, err
		}
		return true, emit(0, b)
	}
	if rows = bits.ranges(); len(rows) == 0 {
		return true, nil
	}
	r := morselRun{scanPlan: t.rest, scan: s, ctx: ctx, frag: f, emit: emit}
	return true, r.start(rows)
}

func (s *ScanOp) testOf(cond expr.Expr, source map[expr.ColID]lancefmt.ColumnRef) (columnTest, bool) {
	ids := expr.Columns(cond)
	if len(ids) != 1 {
		return columnTest{}, false
	}
	column, ok := source[ids[0]]
	if !ok {
		return columnTest{}, false
	}
	p, err := expr.Compile(cond, map[expr.ColID]int{ids[0]: 0})
	if err != nil {
		return columnTest{}, false
	}
	v, ok := p.ValueTest(s.Env.Params)
	if !ok {
		return columnTest{}, false
	}
	t := encoding.Test{Bits: v.Bits}
	for _, a := range v.Arcs {
		t.Arcs = append(t.Arcs, encoding.Arc(a))
	}
	return columnTest{column: column, test: t}, true
}

// denseRows is the number of rows for each candidate from which on candidates are read one by one.
const denseRows = 4

// test clears the bits of those of rows that do not pass all tests. ok is false, and the bits mean nothing, where values have to be
// looked at: because a decoder does not test, because candidates are few, or because zones are to be learnt from them.
func (s *ScanOp) test(ctx context.Context, f *lancefmt.Fragment, tests []columnTest, rows rowRanges, bits *rowBits) (ok bool, err error) {
	if s.zones != nil {
		known, err := s.zones.of(ctx, f)
		if err != nil {
			return false, err
		}
		for i, column := range s.zones.columns {
			tested := slices.ContainsFunc(tests, func(t columnTest) bool { return t.column == column })
			if z := known.columns[i]; tested && z != nil && z.Wants(rows) {
				return false, nil
			}
		}
	}
	first := rows[0].Start &^ 63
	n := rows[len(rows)-1].End - first
	if CountRows(rows) < n/denseRows {
		return false, nil // decoders test all there are in between
	}
	words := bits.words[(first-bits.first)/64:]
	for i := range tests {
		t := &tests[i]
		ok, err := f.Match(ctx, t.column, first, n, &t.test, words, s.Env.Mem)
		if err != nil || !ok {
			return false, err
		}
		s.Counters.Requests.Add(1)
		s.Counters.BytesRead.Add(CountRows(rows) * int64(t.test.Bits) / 8)
	}
	s.Counters.RowsRead.Add(CountRows(rows))
	return true, nil
}
