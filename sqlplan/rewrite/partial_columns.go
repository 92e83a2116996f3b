package rewrite

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// readPartsOfColumns reads the lengths of values, or which of them are NULL, where a plan wants nothing else of
// a column of strings, bytes or vectors.
//
//	Aggregate sum(octet_length(image)), count(image)  ->  the same of what stands for it
//	  LanceScan columns=[image]                             LanceScan columns=[octet_length(image), is_valid(image)]
//
// Conditions on columns that a scalar index answers stay as they are.
func (r *rewriter) readPartsOfColumns(n plan.Node) plan.Node {
	return plan.MapNodes(n, func(n plan.Node) plan.Node {
		switch n := n.(type) {
		case *plan.Project, *plan.Aggregate:
			switch in := n.Inputs()[0].(type) {
			case *plan.Scan:
				c := *in
				p := r.newPartialReads(in.Snap, in.Read, in.Out)
				if out, ok := p.replace(n); ok {
					c.Read, c.Out = p.columns(in.Read, in.Out, expr.Columns(in.Filter))
					return out.WithInputs([]plan.Node{&c})
				}
			case *plan.Take:
				c := *in
				p := r.newPartialReads(in.Snap, in.Fetch, in.Out)
				if out, ok := p.replace(n); ok {
					c.Fetch, c.Out = p.columns(in.Fetch, in.Out, nil)
					return out.WithInputs([]plan.Node{&c})
				}
			}
		}
		return n
	})
}

// partialReads finds the columns of which an expression wants parts alone, and replaces them.
type partialReads struct {
	r     *rewriter
	cols  map[expr.ColID]*partialColumn
	order []*partialColumn
}

type partialColumn struct {
	source          string
	lengths         bool // its values have octet lengths
	whole           bool // something wants values
	used            bool
	length, isValid *plan.ScanCol // once wanted
}

// newPartialReads considers those of the scanned columns that are among the candidates.
func (r *rewriter) newPartialReads(snap *lancefmt.Snapshot, scanned []plan.ScanCol, candidates []plan.Col) *partialReads {
	p := &partialReads{r: r, cols: map[expr.ColID]*partialColumn{}}
	for _, c := range scanned {
		if plan.IsSystem(c.Source) || c.Part != lancefmt.Whole ||
			!slices.ContainsFunc(candidates, func(x plan.Col) bool { return x.ID == c.ID }) {
			continue
		}
		x := &partialColumn{source: c.Source}
		switch c.Type.ID() {
		case arrow.STRING, arrow.LARGE_STRING, arrow.BINARY, arrow.LARGE_BINARY:
			x.lengths = true
		case arrow.FIXED_SIZE_LIST:
			if _, ok := plan.VectorDim(c.Type); !ok {
				continue
			}
		default:
			continue
		}
		if len(snap.Schema().FieldIndices(c.Source)) != 1 {
			continue
		}
		p.cols[c.ID] = x
		p.order = append(p.order, x)
	}
	return p
}

// part returns the column behind octet_length(column) or column IS [NOT] NULL.
func (p *partialReads) part(e expr.Expr) (*partialColumn, bool) {
	var x expr.Expr
	switch e := e.(type) {
	case *expr.IsNull:
		x = e.X
	case *expr.Call:
		if e.Name != "octet_length" || len(e.Args) != 1 {
			return nil, false
		}
		x = e.Args[0]
	default:
		return nil, false
	}
	c, ok := x.(*expr.Column)
	if !ok {
		return nil, false
	}
	col := p.cols[c.ID]
	if col == nil {
		return nil, false
	}
	_, isNull := e.(*expr.IsNull)
	return col, isNull || col.lengths
}

// look notes what an expression wants of the columns.
func (p *partialReads) look(e expr.Expr) {
	expr.Walk(e, func(e expr.Expr) bool {
		if col, ok := p.part(e); ok {
			col.used = true
			return false
		}
		if c, ok := e.(*expr.Column); ok && p.cols[c.ID] != nil {
			p.cols[c.ID].whole = true
		}
		return true
	})
}

func (p *partialReads) any() bool {
	return slices.ContainsFunc(p.order, func(c *partialColumn) bool { return c.used && !c.whole })
}

// replace returns a projection or aggregation that wants parts of columns; ok is false if there is nothing to do.
func (p *partialReads) replace(n plan.Node) (plan.Node, bool) {
	counted := func(a plan.AggCall) *partialColumn {
		if a.Name != "count" || a.Distinct || len(a.Args) != 1 {
			return nil
		}
		if c, ok := a.Args[0].(*expr.Column); ok {
			return p.cols[c.ID]
		}
		return nil
	}
	switch n := n.(type) {
	case *plan.Aggregate:
		for _, g := range n.Groups {
			p.look(g.Expr)
		}
		for _, a := range n.Aggs {
			if a.Filter != nil {
				p.look(a.Filter)
			}
			if col := counted(a); col != nil {
				col.used = true
				continue
			}
			for _, x := range a.Args {
				p.look(x)
			}
		}
	default:
		plan.VisitExprs(n, p.look)
	}
	if !p.any() {
		return n, false
	}
	if a, ok := n.(*plan.Aggregate); ok {
		c := *a
		c.Aggs = slices.Clone(a.Aggs)
		for i, call := range c.Aggs {
			if col := counted(call); col != nil && !col.whole {
				c.Aggs[i].Args = []expr.Expr{p.valid(col)}
			}
		}
		n = &c
	}
	return plan.MapExprs(n, p.rewrite), true
}

// valid is an expression that is NULL where the column is. It prints like the column.
func (p *partialReads) valid(c *partialColumn) expr.Expr {
	if c.isValid == nil {
		c.isValid = p.scanCol(c, lancefmt.Validity, arrow.FixedWidthTypes.Boolean)
	}
	return &expr.Column{ID: c.isValid.ID, Name: c.source, T: c.isValid.Type}
}

// scanCol is a new column for a part of one.
func (p *partialReads) scanCol(c *partialColumn, part lancefmt.Part, t arrow.DataType) *plan.ScanCol {
	ref := lancefmt.ColumnRef{Name: c.source, Part: part}
	return &plan.ScanCol{Col: p.r.newCol(ref.String(), t, true), Source: c.source, Part: part}
}

// rewrite replaces the parts in an expression.
func (p *partialReads) rewrite(e expr.Expr) expr.Expr {
	return expr.Rewrite(e, func(e expr.Expr) expr.Expr {
		col, ok := p.part(e)
		if !ok || col.whole {
			return e
		}
		if is, ok := e.(*expr.IsNull); ok {
			return &expr.IsNull{X: p.valid(col), Negated: is.Negated}
		}
		if col.length == nil {
			col.length = p.scanCol(col, lancefmt.Lengths, e.Type())
		}
		return &expr.Column{ID: col.length.ID, Name: e.String(), T: col.length.Type}
	})
}

// columns returns what is read and returned now. Columns that keep names stay read.
func (p *partialReads) columns(read []plan.ScanCol, out []plan.Col, keep []expr.ColID) ([]plan.ScanCol, []plan.Col) {
	gone := func(id expr.ColID) bool {
		c := p.cols[id]
		return c != nil && c.used && !c.whole
	}
	var newRead []plan.ScanCol
	for _, c := range read {
		if !gone(c.ID) || slices.Contains(keep, c.ID) {
			newRead = append(newRead, c)
		}
	}
	var newOut []plan.Col
	for _, c := range out {
		if !gone(c.ID) {
			newOut = append(newOut, c)
		}
	}
	for _, c := range p.order {
		for _, part := range []*plan.ScanCol{c.length, c.isValid} {
			if part != nil {
				newRead = append(newRead, *part)
				newOut = append(newOut, part.Col)
			}
		}
	}
	return newRead, newOut
}
