package bind

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
)

// where binds WHERE over a node. Terms of its AND that are [NOT] EXISTS (query) and x [NOT] IN (query)
// become semi and anti joins; their queries may read columns of this block.
func (b *binder) where(node plan.Node, e parse.Expr, c exprCtx) (plan.Node, error) {
	var plain []expr.Expr
	var joins []parse.Expr
	for _, term := range terms(e) {
		if isSemi(term) {
			joins = append(joins, term)
			continue
		}
		cond, err := b.condition(term, c)
		if err != nil {
			return nil, err
		}
		plain = append(plain, expr.Conjuncts(cond)...)
	}
	for _, term := range joins {
		var err error
		if node, err = b.semiJoin(node, term, c); err != nil {
			return nil, place(err, term.Position())
		}
	}
	// On top, where splitCorrelated finds them; they are pushed through the joins later.
	return plan.FilterBy(node, plain), nil
}

// terms are the operands of the AND at the top of e.
func terms(e parse.Expr) []parse.Expr {
	if x, ok := e.(*parse.Binary); ok && x.Op == "AND" {
		return append(terms(x.X), terms(x.Y)...)
	}
	return []parse.Expr{e}
}

func isSemi(e parse.Expr) bool {
	switch x := e.(type) {
	case *parse.Exists:
		return true
	case *parse.In:
		_, tuple := x.X.(*parse.Tuple)
		return x.Query != nil && !tuple
	case *parse.Unary:
		if x.Op == "NOT" {
			return isSemi(x.X)
		}
	}
	return false
}

func (b *binder) semiJoin(node plan.Node, e parse.Expr, c exprCtx) (plan.Node, error) {
	not := false
	for {
		u, ok := e.(*parse.Unary)
		if !ok {
			break
		}
		not, e = !not, u.X
	}
	var query *parse.Query
	var x expr.Expr
	switch t := e.(type) {
	case *parse.Exists:
		query = t.Query
	case *parse.In:
		query, not = t.Query, not != t.Not
		var err error
		if x, err = b.expr(t.X, c); err != nil {
			return nil, err
		}
	}
	right, values, correlated, err := b.subselect(query, c.scope)
	if err != nil {
		return nil, err
	}
	kind := plan.SemiJoin
	if not {
		kind = plan.AntiJoin
	}
	j := &plan.Join{Kind: kind, Left: node, Right: right, Out: node.Columns()}
	if x == nil {
		if len(correlated) == 0 {
			// One row says as much as all of them.
			j.Right = &plan.Limit{Input: right, Count: expr.NewLiteral(int64(1), arrow.PrimitiveTypes.Int64)}
		}
		return plan.JoinOn(j, correlated), nil
	}
	if len(values) != 1 {
		return nil, invalid(e.Position(), "the query of IN must return one column, this one returns %d", len(values))
	}
	equal, err := expr.NewCompare("=", x, values[0])
	if err != nil {
		return nil, place(err, e.Position())
	}
	if !not {
		return plan.JoinOn(j, append(correlated, equal)), nil
	}
	if len(correlated) > 0 {
		return nil, unsupported(e.Position(), "NOT IN (query) that reads columns of the query around it; write NOT EXISTS")
	}
	return b.antiIn(plan.JoinOn(j, []expr.Expr{equal}), right, x, values[0])
}

// antiIn completes x NOT IN (query) over the anti join that drops the matches. With NULLs the join is not
// enough: x NOT IN () is true for any x; else it is NULL if x is, or if the query returns a NULL.
func (b *binder) antiIn(joined, right plan.Node, x, value expr.Expr) (plan.Node, error) {
	counts := make([]expr.Expr, 2)
	for i, args := range [][]expr.Expr{nil, {value}} {
		call := plan.AggCall{Name: "count", Args: args}
		call.Col = b.newCol(plan.CallText(call), arrow.PrimitiveTypes.Int64, false)
		slot := b.newSlot()
		b.subplans = append(b.subplans,
			plan.Subplan{Slot: slot, Root: &plan.Aggregate{Input: right, Aggs: []plan.AggCall{call}}, Type: call.Col.Type})
		counts[i] = &expr.Param{Slot: slot, T: call.Col.Type}
	}
	empty, err := expr.NewCompare("=", counts[0], expr.NewLiteral(int64(0), arrow.PrimitiveTypes.Int64))
	if err != nil {
		return nil, err
	}
	noNull, err := expr.NewCompare("=", counts[0], counts[1])
	if err != nil {
		return nil, err
	}
	known, err := expr.NewAnd(expr.NewIsNull(x, true), noNull)
	if err != nil {
		return nil, err
	}
	cond, err := expr.NewOr(empty, known)
	if err != nil {
		return nil, err
	}
	return &plan.Filter{Input: joined, Cond: cond}, nil
}

// subselect binds the query of EXISTS or IN. values are what its SELECT list computes. If the query is
// a plain SELECT, its WHERE may read columns of the block around it: such terms come back as
// correlated, to become the condition of the join.
func (b *binder) subselect(q *parse.Query, outer *scope) (node plan.Node, values []expr.Expr, correlated []expr.Expr, err error) {
	ctes, hints := b.ctes, b.hints
	defer func() { b.ctes, b.hints = ctes, hints }()
	s, ok := q.Body.(*parse.Select)
	if !ok || !plainSelect(q, s) {
		sub, err := b.query(q, outer)
		if err != nil {
			return nil, nil, nil, err
		}
		for _, c := range sub.cols {
			values = append(values, plan.Ref(c))
		}
		return sub.node, values, nil, nil
	}
	if err := b.with(q.With, outer); err != nil {
		return nil, nil, nil, err
	}
	node, sc, err := b.from(s.From, outer)
	if err != nil {
		return nil, nil, nil, err
	}
	sc.correlates = true
	c := exprCtx{scope: sc, clause: "WHERE"}
	if s.Where != nil {
		if node, err = b.where(node, s.Where, c); err != nil {
			return nil, nil, nil, err
		}
		node, correlated = splitCorrelated(node)
	}
	items, err := b.items(s, sc)
	if err != nil {
		return nil, nil, nil, err
	}
	c.clause = "the SELECT list"
	for _, i := range items {
		var x expr.Expr = plan.Ref(i.col)
		if i.expr != nil {
			if x, err = b.expr(i.expr, c); err != nil {
				return nil, nil, nil, err
			}
		}
		values = append(values, x)
	}
	return node, values, correlated, nil
}

// plainSelect reports whether the rows of a query are those of its FROM that pass its WHERE.
func plainSelect(q *parse.Query, s *parse.Select) bool {
	if q.Limit != nil || s.GroupBy != nil || s.Having != nil || len(s.DistinctOn) > 0 || s.Qualify != nil || len(s.Windows) > 0 {
		return false
	}
	for _, i := range s.Items {
		if hasAggregate(i.Expr) {
			return false
		}
	}
	return true
}

// splitCorrelated takes conditions that read columns from outside out of the filters on top of a node.
func splitCorrelated(n plan.Node) (plan.Node, []expr.Expr) {
	f, ok := n.(*plan.Filter)
	if !ok {
		return n, nil
	}
	own := plan.ColumnSet(f.Input)
	var inner, outer []expr.Expr
	for _, c := range expr.Conjuncts(f.Cond) {
		if plan.AllIn(expr.Columns(c), own) {
			inner = append(inner, c)
		} else {
			outer = append(outer, c)
		}
	}
	return plan.FilterBy(f.Input, inner), outer
}

// exists binds EXISTS (query) where it is no term of WHERE: the query runs once, before the statement,
// so it cannot read columns of the block around it.
func (b *binder) exists(e *parse.Exists, c exprCtx) (expr.Expr, error) {
	ctes, hints := b.ctes, b.hints
	q, err := b.query(e.Query, c.scope)
	b.ctes, b.hints = ctes, hints
	if err != nil {
		return nil, err
	}
	one := expr.NewLiteral(int64(1), arrow.PrimitiveTypes.Int64)
	count := plan.AggCall{Name: "count", Col: b.newCol("count(*)", arrow.PrimitiveTypes.Int64, false)}
	slot := b.newSlot()
	b.subplans = append(b.subplans, plan.Subplan{
		Slot: slot, Type: count.Col.Type,
		Root: &plan.Aggregate{Input: &plan.Limit{Input: q.node, Count: one}, Aggs: []plan.AggCall{count}},
	})
	return expr.NewCompare("=", &expr.Param{Slot: slot, T: count.Col.Type}, one)
}
