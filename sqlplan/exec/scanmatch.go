package exec

import (
	"context"
	"slices"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/sqlplan/expr"
)

// Where nothing but the rows that pass is wanted, comparisons of numbers with constants are left to the decoders, as tests of bits:
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
	column string
	test   encoding.Test
}

// newTestedPlan takes the filter of a plan apart; nil if there is nothing to test.
func (s *scanOp) newTestedPlan(p *scanPlan) (*testedPlan, error) {
	if p.filter == nil {
		return nil, nil
	}
	source := map[expr.ColID]string{}
	for _, c := range s.node.Read {
		source[c.ID] = c.Source
	}
	t := &testedPlan{}
	var rest []expr.Expr
	for _, c := range conjuncts(p.filter) {
		if test, ok := s.testOf(c, source); ok {
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
		left = conjoin(rest)
	}
	var err error
	t.rest, err = newScanPlan(s.node, left)
	return t, err
}

func (s *scanOp) testOf(cond expr.Expr, source map[expr.ColID]string) (columnTest, bool) {
	ids := expr.Columns(cond)
	if len(ids) != 1 {
		return columnTest{}, false
	}
	name, ok := source[ids[0]]
	if !ok {
		return columnTest{}, false
	}
	p, err := expr.Compile(cond, map[expr.ColID]int{ids[0]: 0})
	if err != nil {
		return columnTest{}, false
	}
	v, ok := p.ValueTest(s.env.Params)
	if !ok {
		return columnTest{}, false
	}
	t := encoding.Test{Bits: v.Bits}
	for _, a := range v.Arcs {
		t.Arcs = append(t.Arcs, encoding.Arc(a))
	}
	return columnTest{column: name, test: t}, true
}

// test clears the bits of those of rows that do not pass all tests. ok is false, and the bits mean nothing, where values have to be
// looked at: because a decoder does not test, or because zones are to be learnt from them.
func (s *scanOp) test(ctx context.Context, f *lancefmt.Fragment, tests []columnTest, rows rowRanges, bits *rowBits) (ok bool, err error) {
	if s.zones != nil {
		known, err := s.zones.of(ctx, f)
		if err != nil {
			return false, err
		}
		for i, name := range s.zones.columns {
			tested := slices.ContainsFunc(tests, func(t columnTest) bool { return t.column == name })
			if z := known.columns[i]; tested && z != nil && z.Wants(rows) {
				return false, nil
			}
		}
	}
	first := rows[0].Start &^ 63
	n := rows[len(rows)-1].End - first
	words := bits.words[(first-bits.first)/64:]
	for i := range tests {
		t := &tests[i]
		ok, err := f.Match(ctx, t.column, first, n, &t.test, words, s.env.Mem)
		if err != nil || !ok {
			return false, err
		}
		s.stats.Requests.Add(1)
		s.stats.BytesRead.Add(countRows(rows) * int64(t.test.Bits) / 8)
	}
	s.stats.RowsRead.Add(countRows(rows))
	return true, nil
}
