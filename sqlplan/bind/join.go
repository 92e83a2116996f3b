package bind

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
)

// joinNext binds the right side of a join, and the join. What is LATERAL there sees the columns of the left side.
func (b *binder) joinNext(j *parse.Join, left source, outer, lateral *scope) (source, error) {
	frame := &lateralFrame{params: map[expr.ColID]*expr.Param{}, subplans: len(b.subplans), inner: lateral != outer, rels: left.scope.rels}
	seen := &scope{rels: left.scope.rels, open: left.scope.open, parent: lateral, lateral: frame}
	right, err := b.tableRef(j.Right, outer, seen)
	if err != nil {
		return source{}, err
	}
	return b.join(j, left, right, outer, frame)
}

// join binds a join of two bound table references; frame is what the right one reads of the left one.
func (b *binder) join(j *parse.Join, left, right source, outer *scope, frame *lateralFrame) (source, error) {
	rels := slices.Concat(left.scope.rels, right.scope.rels)
	if j.UsingAlias.Name != "" {
		rels = append(rels, &relation{name: j.UsingAlias.Name}) // its columns follow in mergeUsing
	}
	for i, l := range rels {
		for _, r := range rels[i+1:] {
			// Two tables of one name in different schemas can be told apart, as in PostgreSQL.
			if l.name != "" && l.name == r.name && (l.schema == r.schema || l.schema == "" || r.schema == "") {
				return source{}, invalid(j.Pos, "FROM has two tables called %q; give one of them an alias", l.name)
			}
		}
	}
	n := &plan.Join{Kind: j.Kind, Left: left.node, Right: right.node}
	out := source{n, &scope{rels: rels, parent: outer}}
	if left.scope.open != nil || right.scope.open != nil {
		out.scope.open = slices.Concat(left.scope.star(), right.scope.star())
	}
	var conds []expr.Expr
	using := j.Using
	if j.Natural {
		using = commonNames(left.scope, right.scope)
	}
	var merged []usingPair
	for i, id := range using {
		if slices.ContainsFunc(using[:i], func(o parse.Ident) bool { return o.Name == id.Name }) {
			return source{}, invalid(id.Pos, "USING names %q twice", id.Name)
		}
		l, r, err := usingColumns(id, left.scope, right.scope)
		if err != nil {
			return source{}, err
		}
		eq, err := expr.NewCompare("=", plan.Ref(l), plan.Ref(r))
		if err != nil {
			return source{}, place(err, id.Pos)
		}
		conds = append(conds, eq)
		merged = append(merged, usingPair{l, r})
	}
	if j.On != nil {
		on, err := b.condition(j.On, exprCtx{scope: out.scope, clause: "ON"})
		if err != nil {
			return source{}, err
		}
		conds = append(conds, expr.Conjuncts(on)...)
	}
	if len(frame.args) > 0 {
		lateral, err := b.lateralJoin(n, conds, frame)
		if err != nil {
			return source{}, err
		}
		b.refresh(out.scope)
		out.node = lateral
		return b.mergeUsing(out, j, merged, left.scope, right.scope)
	}
	if n.Kind.LeftOnly() {
		// Only the left side comes out.
		n.Out = left.node.Columns()
		out.scope = left.scope
		out.node = plan.JoinOn(n, conds)
		return out, nil
	}
	n.Out = slices.Concat(
		b.nullableIf(left.node.Columns(), n.Kind.KeepsRight()), b.nullableIf(right.node.Columns(), n.Kind.KeepsLeft()))
	b.refresh(out.scope)
	out.node = plan.JoinOn(n, conds)
	return b.mergeUsing(out, j, merged, left.scope, right.scope)
}

// usingPair are the columns of the two sides that USING puts together, by the names they have there.
type usingPair struct{ left, right plan.Col }

// mergeUsing makes the columns of USING, which come first in a star and are what their names mean
// without a qualifier: the left one, the right one of a right join, whichever is there in a full join,
// in the type that both have in common. left and right are what the sides' names mean.
func (b *binder) mergeUsing(s source, j *parse.Join, merged []usingPair, left, right *scope) (source, error) {
	if len(merged) == 0 {
		return s, nil
	}
	var computed []plan.NamedExpr
	using := &relation{}
	gone := [2]map[expr.ColID]bool{{}, {}}
	for _, m := range merged {
		gone[0][m.left.ID], gone[1][m.right.ID] = true, true
		e, err := mergedValue(j.Kind, m)
		if err != nil {
			return s, err
		}
		col := b.outputCol(m.left.Name, e)
		if _, plain := e.(*expr.Column); !plain {
			computed = append(computed, plan.NamedExpr{Expr: e, Col: col})
		}
		using.cols = append(using.cols, col)
	}
	if len(computed) > 0 {
		p := &plan.Project{Input: s.node}
		for _, c := range s.node.Columns() {
			p.Exprs = append(p.Exprs, plan.PassOn(c))
		}
		p.Exprs = append(p.Exprs, computed...)
		s.node = p
	}
	open := starOf([]*relation{using})
	for i, side := range []*scope{left, right} {
		for _, c := range side.star() {
			if !gone[i][c.col.ID] || !named(merged, c.col.Name) {
				open = append(open, c)
			}
		}
	}
	s.scope.open = open
	b.refresh(s.scope)
	if j.UsingAlias.Name != "" {
		s.scope.rels[len(s.scope.rels)-1].cols = using.cols
	}
	return s, nil
}

// named reports whether a column of one of the names is merged. A table can show one column under two
// names, of which USING takes one.
func named(merged []usingPair, name string) bool {
	return slices.ContainsFunc(merged, func(m usingPair) bool { return m.left.Name == name || m.right.Name == name })
}

// mergedValue is the value of a column of USING.
func mergedValue(kind plan.JoinKind, m usingPair) (expr.Expr, error) {
	l, r := plan.Ref(m.left), plan.Ref(m.right)
	same := arrow.TypeEqual(m.left.Type, m.right.Type)
	if same && kind != plan.FullJoin {
		if kind == plan.RightJoin {
			return r, nil
		}
		return l, nil
	}
	either, err := expr.NewCall("coalesce", []expr.Expr{l, r})
	if kind == plan.FullJoin {
		return either, err
	}
	side := l
	if err == nil && kind == plan.InnerJoin && !arrow.TypeEqual(l.Type(), either.Type()) && arrow.TypeEqual(r.Type(), either.Type()) ||
		kind == plan.RightJoin {
		side = r
	}
	if err == nil {
		if converted, err := expr.Coerce(side, either.Type()); err == nil {
			return converted, nil
		}
	}
	// No type holds all values of both: decimals that compare may need more than 38 digits together. What
	// one side has is right for it.
	return side, nil
}

// nullableIf marks columns of the side of an outer join that may have no partner.
func (b *binder) nullableIf(cols []plan.Col, null bool) []plan.Col {
	if !null {
		return cols
	}
	out := slices.Clone(cols)
	for i := range out {
		out[i].Nullable = true
		c := b.cols[out[i].ID]
		c.Nullable = true
		b.cols[c.ID] = c
	}
	return out
}

// refresh brings what relations know about nullability up to date. The relations are this block's own.
func (b *binder) refresh(s *scope) {
	for _, r := range s.rels {
		for _, cols := range [][]plan.Col{r.cols, r.hidden} {
			for i := range cols {
				cols[i].Nullable = b.cols[cols[i].ID].Nullable
			}
		}
	}
	for i := range s.open {
		s.open[i].col.Nullable = b.cols[s.open[i].col.ID].Nullable
	}
}

// commonNames are the columns that both sides of a NATURAL join have.
func commonNames(left, right *scope) []parse.Ident {
	var out []parse.Ident
	for _, c := range left.star() {
		id := parse.Ident{Name: c.col.Name, Quoted: true}
		seen := slices.ContainsFunc(out, func(o parse.Ident) bool { return o.Name == id.Name })
		if !seen && len(visible(right, id)) > 0 {
			out = append(out, id)
		}
	}
	return out
}

// visible finds a column by name, system columns left out.
func visible(s *scope, id parse.Ident) []found {
	var m matches
	for _, c := range s.star() {
		m.try(id, c.rel, c.col)
	}
	return m.best()
}

// usingColumns finds the two columns of a name in USING.
func usingColumns(id parse.Ident, left, right *scope) (l, r plan.Col, err error) {
	for i, s := range []*scope{left, right} {
		hits := visible(s, id)
		if len(hits) == 0 {
			var names []string
			for _, c := range s.star() {
				names = append(names, c.col.Name)
			}
			return l, r, fault.At(fault.InvalidArgument, int(id.Pos), "USING: no column is called %q on the %s side of the join%s",
				id.Name, [2]string{"left", "right"}[i], catalog.Hint(id.Name, names, "columns"))
		}
		c, err := single(hits, id)
		if err != nil {
			return l, r, err
		}
		if i == 0 {
			l = c
		} else {
			r = c
		}
	}
	return l, r, nil
}
