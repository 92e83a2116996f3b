package bind

import (
	"slices"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
)

// joinNext binds the right side of a join, and the join. What is LATERAL there sees the columns of the left side.
func (b *binder) joinNext(j *parse.Join, left source, outer, lateral *scope) (source, error) {
	frame := &lateralFrame{params: map[expr.ColID]*expr.Param{}, subplans: len(b.subplans), inner: lateral != outer, rels: left.scope.rels}
	seen := &scope{rels: left.scope.rels, merged: left.scope.merged, parent: lateral, lateral: frame}
	right, err := b.tableRef(j.Right, outer, seen)
	if err != nil {
		return source{}, err
	}
	return b.join(j, left, right, outer, frame)
}

// join binds a join of two bound table references; frame is what the right one reads of the left one.
func (b *binder) join(j *parse.Join, left, right source, outer *scope, frame *lateralFrame) (source, error) {
	for _, l := range left.scope.rels {
		for _, r := range right.scope.rels {
			// Two tables of one name in different schemas can be told apart, as in PostgreSQL.
			if l.name != "" && l.name == r.name && (l.schema == r.schema || l.schema == "" || r.schema == "") {
				return source{}, invalid(j.Pos, "FROM has two tables called %q; give one of them an alias", l.name)
			}
		}
	}
	n := &plan.Join{Kind: j.Kind, Left: left.node, Right: right.node}
	out := source{n, &scope{rels: slices.Concat(left.scope.rels, right.scope.rels),
		merged: slices.Concat(left.scope.merged, right.scope.merged), parent: outer}}
	var conds []expr.Expr
	using := j.Using
	if j.Natural {
		using = commonNames(left.scope, right.scope)
	}
	var merged []mergedCol
	for _, id := range using {
		l, r, err := usingColumns(id, left.scope, right.scope)
		if err != nil {
			return source{}, err
		}
		eq, err := expr.NewCompare("=", plan.Ref(l), plan.Ref(r))
		if err != nil {
			return source{}, place(err, id.Pos)
		}
		conds = append(conds, eq)
		merged = append(merged, mergedCol{col: l, from: [2]expr.ColID{l.ID, r.ID}})
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
		return b.mergeUsing(out, n.Kind, merged)
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
	return b.mergeUsing(out, n.Kind, merged)
}

// mergeUsing makes the columns of USING: the left one, the right one of a right join, whichever is
// there in a full join.
func (b *binder) mergeUsing(s source, kind plan.JoinKind, merged []mergedCol) (source, error) {
	if kind == plan.FullJoin && len(merged) > 0 {
		p := &plan.Project{Input: s.node}
		for _, c := range s.node.Columns() {
			p.Exprs = append(p.Exprs, plan.PassOn(c))
		}
		for i, m := range merged {
			either, err := expr.NewCall("coalesce", []expr.Expr{plan.Ref(b.cols[m.from[0]]), plan.Ref(b.cols[m.from[1]])})
			if err != nil {
				return s, err
			}
			merged[i].col = b.newCol(m.col.Name, either.Type(), true)
			p.Exprs = append(p.Exprs, plan.NamedExpr{Expr: either, Col: merged[i].col})
		}
		s.node = p
	}
	for i, m := range merged {
		if kind == plan.RightJoin {
			merged[i].col = b.cols[m.from[1]]
		} else if kind != plan.FullJoin {
			merged[i].col = b.cols[m.from[0]]
		}
		// A column that was merged before gives way to the new one.
		s.scope.merged = slices.DeleteFunc(s.scope.merged, func(old mergedCol) bool {
			return old.col.ID == m.from[0] || old.col.ID == m.from[1]
		})
	}
	s.scope.merged = append(merged, s.scope.merged...)
	return s, nil
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
}

// commonNames are the columns that both sides of a NATURAL join have.
func commonNames(left, right *scope) []parse.Ident {
	var out []parse.Ident
	for _, r := range left.rels {
		for _, c := range r.cols {
			id := parse.Ident{Name: c.Name, Quoted: true}
			seen := slices.ContainsFunc(out, func(o parse.Ident) bool { return o.Name == c.Name })
			if !seen && len(visible(right, id)) > 0 {
				out = append(out, id)
			}
		}
	}
	return out
}

// visible finds a column by name, system columns left out.
func visible(s *scope, id parse.Ident) []found {
	return slices.DeleteFunc(s.find(id), func(f found) bool {
		return f.rel != nil && slices.ContainsFunc(f.rel.hidden, func(c plan.Col) bool { return c.ID == f.col.ID })
	})
}

// usingColumns finds the two columns of a name in USING.
func usingColumns(id parse.Ident, left, right *scope) (l, r plan.Col, err error) {
	for i, s := range []*scope{left, right} {
		hits := visible(s, id)
		if len(hits) == 0 {
			var names []string
			for _, rel := range s.rels {
				for _, c := range rel.cols {
					names = append(names, c.Name)
				}
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
