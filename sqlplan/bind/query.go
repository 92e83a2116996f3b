package bind

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
)

// bound is a bound query: its node, whose columns are cols in this order.
type bound struct {
	node plan.Node
	cols []plan.Col
}

// query binds a query expression. outer is the scope around a subquery, nil for others.
func (b *binder) query(q *parse.Query, outer *scope) (bound, error) {
	ctes, hints := b.ctes, b.hints
	defer func() { b.ctes, b.hints = ctes, hints }()
	search := *b.hints
	for _, h := range q.Hints {
		if err := search.Set(h.Name, h.Value); err != nil {
			return bound{}, place(err, h.Pos)
		}
	}
	b.hints = &search
	if err := b.with(q.With, outer); err != nil {
		return bound{}, err
	}
	if s, ok := q.Body.(*parse.Select); ok {
		return b.selectBlock(s, q.OrderBy, q.Limit, outer)
	}
	body, err := b.body(q.Body, outer)
	if err != nil {
		return bound{}, err
	}
	// Behind a set operation or VALUES, ORDER BY sees the output columns only.
	keys, err := b.orderByOutput(q.OrderBy, body.cols, outer)
	if err != nil {
		return bound{}, err
	}
	if len(keys) > 0 {
		body.node = &plan.Sort{Input: body.node, Keys: keys}
	}
	return b.limited(body, q.Limit)
}

func (b *binder) body(body parse.QueryBody, outer *scope) (bound, error) {
	switch x := body.(type) {
	case *parse.Select:
		return b.selectBlock(x, nil, nil, outer)
	case *parse.Nested:
		return b.query(x.Query, outer)
	case *parse.Values:
		return b.values(x, outer)
	case *parse.SetOp:
		return b.setOp(x, outer)
	}
	return bound{}, fault.New(fault.Internal, "query body %T has no binding", body)
}

// orderByOutput binds ORDER BY where only output columns are visible: ordinals, names, and
// expressions of them.
func (b *binder) orderByOutput(items []parse.OrderItem, cols []plan.Col, outer *scope) ([]plan.SortKey, error) {
	c := exprCtx{scope: &scope{rels: []*relation{{cols: cols}}, parent: outer}, clause: "ORDER BY"}
	var keys []plan.SortKey
	for _, item := range items {
		i, ok, err := ordinal(item.Expr, len(cols), "ORDER BY")
		if err != nil {
			return nil, err
		}
		var e expr.Expr
		if ok {
			e = plan.Ref(cols[i])
		} else if e, err = b.expr(item.Expr, c); err != nil {
			return nil, err
		}
		keys = append(keys, sortKey(item, e))
	}
	return keys, nil
}

// sortKey applies the default for NULLs: last ascending, first descending.
func sortKey(item parse.OrderItem, e expr.Expr) plan.SortKey {
	first := item.Desc
	if item.NullsFirst != nil {
		first = *item.NullsFirst
	}
	return plan.SortKey{Expr: e, Desc: item.Desc, NullsFirst: first}
}

// ordinal reads the position of an output column, as in ORDER BY 2.
func ordinal(e parse.Expr, n int, clause string) (int, bool, error) {
	num, ok := e.(*parse.Number)
	if !ok {
		return 0, false, nil
	}
	var i int
	if n, _ := fmt.Sscanf(num.Text, "%d", &i); n != 1 || fmt.Sprint(i) != num.Text {
		return 0, false, nil // a number of another kind, such as 1.5, is no position
	}
	if i < 1 || i > n {
		return 0, false, invalid(num.Pos, "%s position %d is not in the SELECT list, which has %d columns", clause, i, n)
	}
	return i - 1, true, nil
}

// limited puts LIMIT and OFFSET on top.
func (b *binder) limited(q bound, l *parse.Limit) (bound, error) {
	count, offset, err := b.limitExprs(l)
	if err != nil || count == nil && offset == nil {
		return q, err
	}
	q.node = &plan.Limit{Input: q.node, Count: count, Offset: offset}
	return q, nil
}

func (b *binder) limitExprs(l *parse.Limit) (count, offset expr.Expr, err error) {
	if l == nil {
		return nil, nil, nil
	}
	if count, err = b.rowCount(l.Count, "LIMIT"); err != nil {
		return nil, nil, err
	}
	offset, err = b.rowCount(l.Offset, "OFFSET")
	return count, offset, err
}

// rowCount binds the operand of LIMIT or OFFSET: a constant whole number, not negative.
func (b *binder) rowCount(e parse.Expr, clause string) (expr.Expr, error) {
	if e == nil {
		return nil, nil
	}
	if col, ok := e.(*parse.Column); ok {
		return nil, invalid(e.Position(), "%s needs a whole number, and cannot depend on column %q", clause, outputName(col))
	}
	x, err := b.expr(e, exprCtx{clause: clause})
	if err != nil {
		return nil, err
	}
	if x, err = expr.Coerce(x, arrow.PrimitiveTypes.Int64); err != nil {
		return nil, invalid(e.Position(), "%s needs a whole number, got %s", clause, outputName(e))
	}
	folded, err := expr.Fold(x)
	if err != nil {
		return nil, place(err, e.Position())
	}
	if l, ok := folded.(*expr.Literal); ok {
		switch v := l.Value.(type) {
		case nil:
			return nil, nil // LIMIT NULL is LIMIT ALL
		case int64:
			if v < 0 {
				return nil, invalid(e.Position(), "%s must not be negative, got %d", clause, v)
			}
		}
	}
	return folded, nil
}

// values binds VALUES (…), …: rows of constants.
func (b *binder) values(v *parse.Values, outer *scope) (bound, error) {
	rows := make([][]expr.Expr, len(v.Rows))
	c := exprCtx{scope: &scope{parent: outer}, clause: "VALUES"}
	for i, row := range v.Rows {
		if len(row) != len(v.Rows[0]) {
			return bound{}, invalid(row[0].Position(), "all rows of VALUES have as many values as the first, %d; this one has %d",
				len(v.Rows[0]), len(row))
		}
		var err error
		if rows[i], err = b.exprs(row, c); err != nil {
			return bound{}, err
		}
	}
	n := &plan.Values{Rows: rows}
	for col := range v.Rows[0] {
		column := make([]expr.Expr, len(rows))
		for i := range rows {
			column[i] = rows[i][col]
		}
		t, column, err := b.unify(column, func(i int) parse.Pos { return v.Rows[i][col].Position() })
		if err != nil {
			return bound{}, err
		}
		null := false
		for i := range rows {
			rows[i][col] = column[i]
			null = null || b.nullable(column[i])
		}
		n.Out = append(n.Out, b.newCol(fmt.Sprintf("column%d", col+1), t, null))
	}
	return bound{n, n.Out}, nil
}

// unify gives expressions that become one column their common type. pos tells where the i-th stands.
func (b *binder) unify(column []expr.Expr, pos func(int) parse.Pos) (arrow.DataType, []expr.Expr, error) {
	types := make([]arrow.DataType, 0, len(column))
	for _, e := range column {
		types = append(types, e.Type())
	}
	var t arrow.DataType = arrow.Null
	if len(types) > 0 {
		var err error
		if t, err = expr.CommonType(types...); err != nil {
			return nil, nil, place(err, pos(len(column)-1))
		}
	}
	if t.ID() == arrow.NULL && !b.undecided {
		t = arrow.BinaryTypes.String // a column of NULLs, or of parameters that nothing decides
	}
	out := make([]expr.Expr, len(column))
	for i, e := range column {
		x, err := expr.Coerce(e, t)
		if err != nil {
			if x, err = expr.NewCast(e, t, false); err != nil {
				return nil, nil, place(err, pos(i))
			}
		}
		out[i] = x
	}
	return t, out, nil
}

// setOp binds UNION [ALL]. A chain of one kind becomes one node.
func (b *binder) setOp(s *parse.SetOp, outer *scope) (bound, error) {
	if s.Op != "UNION" {
		return b.exceptOrIntersect(s, outer)
	}
	var terms []bound
	var add func(body parse.QueryBody) error
	add = func(body parse.QueryBody) error {
		if x, ok := body.(*parse.SetOp); ok && x.Op == s.Op && x.All == s.All {
			if err := add(x.Left); err != nil {
				return err
			}
			return add(x.Right)
		}
		t, err := b.body(body, outer)
		if err == nil && len(terms) > 0 && len(t.cols) != len(terms[0].cols) {
			err = invalid(s.Pos, "the queries of UNION return %d and %d columns", len(terms[0].cols), len(t.cols))
		}
		terms = append(terms, t)
		return err
	}
	if err := add(s); err != nil {
		return bound{}, err
	}
	u, err := b.union(terms, s)
	if err != nil {
		return bound{}, err
	}
	var node plan.Node = u
	if !s.All {
		node = &plan.Distinct{Input: u}
	}
	return bound{node, u.Out}, nil
}

// union concatenates queries, whose columns take their common types and the names of the first.
func (b *binder) union(terms []bound, s *parse.SetOp) (*plan.Union, error) {
	u := &plan.Union{}
	projects := make([][]plan.NamedExpr, len(terms))
	for col, first := range terms[0].cols {
		column := make([]expr.Expr, len(terms))
		null := false
		for i, t := range terms {
			column[i] = plan.Ref(t.cols[col])
			null = null || t.cols[col].Nullable
		}
		t, column, err := b.unify(column, func(int) parse.Pos { return s.Pos })
		if err != nil {
			return nil, err
		}
		for i := range terms {
			c := terms[i].cols[col]
			if !arrow.TypeEqual(c.Type, t) {
				c = b.newCol(c.Name, t, c.Nullable)
			}
			projects[i] = append(projects[i], plan.NamedExpr{Expr: column[i], Col: c})
		}
		out := b.newCol(first.Name, t, null)
		// Columns that all say the same of themselves, such as that they hold JSON, say it together.
		same := true
		for _, term := range terms {
			same = same && arrow.TypeEqual(term.cols[col].Type, t) && term.cols[col].Metadata.Equal(first.Metadata)
		}
		if same {
			out.Metadata = first.Metadata
			b.cols[out.ID] = out
		}
		u.Out = append(u.Out, out)
	}
	for i, t := range terms {
		u.In = append(u.In, &plan.Project{Input: t.node, Exprs: projects[i]})
	}
	return u, nil
}

// exceptOrIntersect binds EXCEPT and INTERSECT, without ALL: rows are grouped, NULLs being equal, with a
// mark for the side they come from.
//
//	Filter in_left AND NOT in_right
//	  Aggregate groups: all columns, bool_or(left) AS in_left, bool_or(NOT left) AS in_right
//	    Union (left query, TRUE), (right query, FALSE)
func (b *binder) exceptOrIntersect(s *parse.SetOp, outer *scope) (bound, error) {
	if s.All {
		return bound{}, unsupported(s.Pos, "%s ALL", s.Op)
	}
	var sides []bound
	for i, body := range []parse.QueryBody{s.Left, s.Right} {
		q, err := b.body(body, outer)
		if err != nil {
			return bound{}, err
		}
		if i == 1 && len(q.cols) != len(sides[0].cols)-1 {
			return bound{}, invalid(s.Pos, "the queries of %s return %d and %d columns", s.Op, len(sides[0].cols)-1, len(q.cols))
		}
		p := &plan.Project{Input: q.node}
		for _, c := range q.cols {
			p.Exprs = append(p.Exprs, plan.PassOn(c))
		}
		mark := b.newCol("left", arrow.FixedWidthTypes.Boolean, false)
		p.Exprs = append(p.Exprs, plan.NamedExpr{Expr: expr.NewLiteral(i == 0, mark.Type), Col: mark})
		sides = append(sides, bound{p, append(slices.Clone(q.cols), mark)})
	}
	u, err := b.union(sides, s)
	if err != nil {
		return bound{}, err
	}
	n := len(u.Out) - 1
	agg := &plan.Aggregate{Input: u}
	for _, c := range u.Out[:n] {
		agg.Groups = append(agg.Groups, plan.PassOn(c))
	}
	left := plan.Ref(u.Out[n])
	right, err := expr.NewNot(left)
	if err != nil {
		return bound{}, err
	}
	var has [2]expr.Expr
	for i, arg := range []expr.Expr{left, right} {
		call := plan.AggCall{Name: "bool_or", Args: []expr.Expr{arg}}
		call.Col = b.newCol([2]string{"in_left", "in_right"}[i], arrow.FixedWidthTypes.Boolean, true)
		agg.Aggs = append(agg.Aggs, call)
		has[i] = plan.Ref(call.Col)
	}
	if s.Op == "EXCEPT" {
		if has[1], err = expr.NewNot(has[1]); err != nil {
			return bound{}, err
		}
	}
	cond, err := expr.NewAnd(has[0], has[1])
	if err != nil {
		return bound{}, err
	}
	out := &plan.Project{Input: &plan.Filter{Input: agg, Cond: cond}}
	for _, c := range u.Out[:n] {
		out.Exprs = append(out.Exprs, plan.PassOn(c))
	}
	return bound{out, u.Out[:n]}, nil
}

// nullable reports whether an expression can be NULL; true where that is not easily told.
func (b *binder) nullable(e expr.Expr) bool {
	switch e := e.(type) {
	case *expr.Column:
		return b.cols[e.ID].Nullable
	case *expr.Literal:
		return e.Value == nil
	case *expr.IsNull, *expr.IsBool:
		return false
	}
	return true
}
