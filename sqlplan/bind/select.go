package bind

import (
	"slices"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
)

// item is one output column of a SELECT block: an expression as written, or a column of a star.
type item struct {
	name  string
	expr  parse.Expr // nil for a column of a star
	col   plan.Col
	alias parse.Ident
	pos   parse.Pos
	bound expr.Expr
}

// aliasSet are the aliases of a SELECT list, visible in other clauses (and in the items themselves)
// for names that no input column has, as in DuckDB; PostgreSQL shows them to GROUP BY and ORDER BY.
type aliasSet struct {
	items []*item
	busy  map[*item]bool // items being bound: an alias does not see itself
}

func (a *aliasSet) names() []string {
	if a == nil {
		return nil
	}
	var out []string
	for _, i := range a.items {
		if i.alias.Name != "" {
			out = append(out, i.alias.Name)
		}
	}
	return out
}

// alias binds the expression that an alias stands for.
func (b *binder) alias(id parse.Ident, c exprCtx) (expr.Expr, bool, error) {
	var hit *item
	best := noMatch
	for _, i := range c.aliases.items {
		if i.alias.Name == "" || c.aliases.busy[i] {
			continue
		}
		switch m := matchIdent(id, i.alias.Name); {
		case m > best:
			hit, best = i, m
		case m == best && m != noMatch:
			return nil, false, invalid(id.Pos, "name %q is ambiguous: two items of the SELECT list have this alias", id.Name)
		}
	}
	if hit == nil {
		return nil, false, nil
	}
	c.aliases.busy[hit] = true
	defer delete(c.aliases.busy, hit)
	x, err := b.expr(hit.expr, c)
	return x, true, err
}

// selectBlock binds SELECT … with the ORDER BY and LIMIT behind it. The node it makes is
//
//	[Project the visible columns] ─ [Limit] ─ [Sort] ─ [Distinct] ─ Project items and hidden sort keys
//	─ [Filter HAVING] ─ [Aggregate] ─ [Filter WHERE] ─ FROM
func (b *binder) selectBlock(s *parse.Select, order []parse.OrderItem, limit *parse.Limit, outer *scope) (bound, error) {
	switch {
	case s.Qualify != nil:
		return bound{}, unsupported(s.Qualify.Position(), "QUALIFY")
	case len(s.Windows) > 0:
		return bound{}, unsupported(s.Windows[0].Name.Pos, "WINDOW")
	}
	node, sc, err := b.from(s.From, outer)
	if err != nil {
		return bound{}, err
	}
	items, err := b.items(s, sc)
	if err != nil {
		return bound{}, err
	}
	c := exprCtx{scope: sc, aliases: &aliasSet{items: items, busy: map[*item]bool{}}}
	if s.Where != nil {
		if node, err = b.where(node, s.Where, c.in("WHERE")); err != nil {
			return bound{}, err
		}
	}
	var aggs *aggSet
	if grouped(s, items, order) {
		aggs = &aggSet{}
		if err := b.groups(s.GroupBy, items, c.in("GROUP BY"), aggs); err != nil {
			return bound{}, err
		}
	}
	c.aggs = aggs
	for _, i := range items {
		if err := b.item(i, c); err != nil {
			return bound{}, err
		}
	}
	var having expr.Expr
	if s.Having != nil {
		hc := c
		hc.clause = "HAVING"
		if having, err = b.condition(s.Having, hc); err != nil {
			return bound{}, err
		}
	}
	keys, err := b.sortKeys(order, items, c)
	if err != nil {
		return bound{}, err
	}
	on, err := b.distinctOn(s.DistinctOn, items, c)
	if err != nil {
		return bound{}, err
	}
	if aggs != nil {
		if node, err = b.aggregated(node, aggs, items, having, s, keys, on); err != nil {
			return bound{}, err
		}
	}
	return b.project(node, s, items, keys, on, limit)
}

// grouped reports whether a block aggregates.
func grouped(s *parse.Select, items []*item, order []parse.OrderItem) bool {
	if s.GroupBy != nil || s.Having != nil {
		return true
	}
	for _, i := range items {
		if hasAggregate(i.expr) {
			return true
		}
	}
	for _, o := range order {
		if hasAggregate(o.Expr) {
			return true
		}
	}
	return false
}

// items expands the stars of a SELECT list.
func (b *binder) items(s *parse.Select, sc *scope) ([]*item, error) {
	var out []*item
	for _, i := range s.Items {
		if i.Star == nil {
			name := i.Alias.Name
			if name == "" {
				name = outputName(i.Expr)
			}
			out = append(out, &item{name: name, expr: i.Expr, alias: i.Alias, pos: i.Pos})
			continue
		}
		cols, err := starColumns(i, sc)
		if err != nil {
			return nil, err
		}
		for _, c := range cols {
			out = append(out, &item{name: c.Name, col: c, pos: i.Pos})
		}
	}
	return out, nil
}

func starColumns(i parse.SelectItem, sc *scope) ([]plan.Col, error) {
	all, rels := sc.star(), sc.rels
	if t := i.Star.Table; t != nil {
		parts := make([]parse.Ident, 0, 4)
		for _, p := range []parse.Ident{t.Catalog, t.Schema, t.Table} {
			if p.Name != "" {
				parts = append(parts, p)
			}
		}
		var used int
		if rels, used = sc.qualifier(append(parts, parse.Ident{})); used != len(parts) {
			return nil, sc.notFound(append(parts, parse.Ident{Name: "*"}), nil)
		}
		all = starOf(rels)
	}
	if len(rels) == 0 {
		return nil, invalid(i.Pos, "SELECT * needs a FROM")
	}
	drop := make([]bool, len(all))
	for _, x := range i.Star.Exclude {
		best := noMatch
		for _, c := range all {
			best = max(best, matchIdent(x, c.col.Name))
		}
		if best == noMatch {
			// A column that only its name reaches is not in the star, and may be left out all the same.
			if len(lookup(rels, x)) == 0 {
				return nil, notFoundIn(rels, x)
			}
			continue
		}
		for k, c := range all {
			drop[k] = drop[k] || matchIdent(x, c.col.Name) == best
		}
	}
	var cols []plan.Col
	for k, c := range all {
		if !drop[k] {
			cols = append(cols, c.col)
		}
	}
	if len(cols) == 0 {
		return nil, invalid(i.Pos, "EXCLUDE leaves no column")
	}
	return cols, nil
}

// item binds one item of the SELECT list.
func (b *binder) item(i *item, c exprCtx) error {
	c.clause = "the SELECT list"
	if i.expr == nil {
		i.bound = plan.Ref(i.col)
		b.colPos[i.col.ID] = i.pos
		return nil
	}
	if i.bound != nil && c.aggs == nil {
		return nil
	}
	c.aliases.busy[i] = true
	defer delete(c.aliases.busy, i)
	x, err := b.expr(i.expr, c)
	i.bound = x
	return err
}

// groups binds GROUP BY: names of input columns, aliases, ordinals, expressions, or ALL, which is
// every item that does not aggregate.
func (b *binder) groups(g *parse.GroupBy, items []*item, c exprCtx, aggs *aggSet) error {
	if g == nil {
		return nil
	}
	add := func(e expr.Expr, name string) {
		for _, have := range aggs.groups {
			if expr.Equal(have.Expr, e) {
				return
			}
		}
		aggs.groups = append(aggs.groups, plan.NamedExpr{Expr: e, Col: b.outputCol(name, e)})
	}
	if g.All {
		for _, i := range items {
			if hasAggregate(i.expr) {
				continue
			}
			if err := b.item(i, c); err != nil {
				return err
			}
			add(i.bound, i.name)
		}
		return nil
	}
	for _, e := range g.Items {
		n, ok, err := ordinal(e, len(items), "GROUP BY")
		if err != nil {
			return err
		}
		var x expr.Expr
		name := outputName(e)
		if ok {
			name = items[n].name
			if hasAggregate(items[n].expr) {
				return invalid(e.Position(), "GROUP BY position %d is an aggregate", n+1)
			}
			if err := b.item(items[n], c); err != nil {
				return err
			}
			x = items[n].bound
		} else if x, err = b.expr(e, c); err != nil {
			return err
		}
		add(x, name)
	}
	return nil
}

// outputCol is the column that an expression becomes: a plain column keeps its identity, and with it
// where it comes from.
func (b *binder) outputCol(name string, e expr.Expr) plan.Col {
	if c, ok := e.(*expr.Column); ok {
		col := b.cols[c.ID]
		col.Name = name
		return col
	}
	return b.newCol(name, e.Type(), b.nullable(e))
}

// orderKey is a sort key with where it comes from: an item of the SELECT list, or an expression.
type orderKey struct {
	key  plan.SortKey
	item int // -1 = an expression of its own
	pos  parse.Pos
}

// sortKeys binds ORDER BY: ordinals, names of output columns, then expressions over input columns and
// aliases.
func (b *binder) sortKeys(order []parse.OrderItem, items []*item, c exprCtx) ([]orderKey, error) {
	c.clause = "ORDER BY"
	var keys []orderKey
	for _, o := range order {
		k := orderKey{key: sortKey(o, nil), item: -1, pos: o.Pos}
		n, ok, err := ordinal(o.Expr, len(items), "ORDER BY")
		if err != nil {
			return nil, err
		}
		if !ok {
			if n, ok, err = outputNamed(o.Expr, items, c.scope); err != nil {
				return nil, err
			}
		}
		if ok {
			k.item, k.key.Expr = n, items[n].bound
		} else {
			if k.key.Expr, err = b.expr(o.Expr, c); err != nil {
				return nil, err
			}
			k.item = slices.IndexFunc(items, func(i *item) bool { return expr.Equal(i.bound, k.key.Expr) })
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// outputNamed finds the output column that a bare name in ORDER BY means: an alias or a plain column, else,
// if no input column has the name, one that is named after its function or cast (ORDER BY count).
func outputNamed(e parse.Expr, items []*item, sc *scope) (int, bool, error) {
	col, ok := e.(*parse.Column)
	if !ok || len(col.Parts) != 1 {
		return 0, false, nil
	}
	id := col.Parts[0]
	find := func(given bool) (int, bool, error) {
		best, at := noMatch, -1
		for n, i := range items {
			_, plain := i.expr.(*parse.Column)
			if given != (plain || i.expr == nil || i.alias.Name != "") {
				continue
			}
			m := matchIdent(id, i.name)
			switch {
			case m > best:
				best, at = m, n
			case m == best && m != noMatch && !expr.Equal(items[at].bound, i.bound):
				return 0, false, invalid(id.Pos, "ORDER BY name %q is ambiguous: several output columns have it", id.Name)
			}
		}
		return at, best != noMatch, nil
	}
	if n, ok, err := find(true); ok || err != nil {
		return n, ok, err
	}
	if len(sc.find(id)) > 0 {
		return 0, false, nil
	}
	return find(false)
}

func (b *binder) distinctOn(on []parse.Expr, items []*item, c exprCtx) ([]orderKey, error) {
	c.clause = "DISTINCT ON"
	var keys []orderKey
	for _, e := range on {
		k := orderKey{item: -1, pos: e.Position()}
		n, ok, err := ordinal(e, len(items), "DISTINCT ON")
		if err != nil {
			return nil, err
		}
		if ok {
			k.item, k.key.Expr = n, items[n].bound
		} else if k.key.Expr, err = b.expr(e, c); err != nil {
			return nil, err
		} else {
			k.item = slices.IndexFunc(items, func(i *item) bool { return expr.Equal(i.bound, k.key.Expr) })
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// aggregated puts the Aggregate node and HAVING on top, and turns what stands above them to their
// columns.
func (b *binder) aggregated(node plan.Node, aggs *aggSet, items []*item, having expr.Expr, s *parse.Select,
	keys, on []orderKey) (plan.Node, error) {
	var err error
	for _, i := range items {
		if i.bound, err = b.overGroups(i.bound, aggs, i.pos); err != nil {
			return nil, err
		}
	}
	for _, list := range [][]orderKey{keys, on} {
		for n := range list {
			k := &list[n]
			if k.item >= 0 {
				k.key.Expr = items[k.item].bound
			} else if k.key.Expr, err = b.overGroups(k.key.Expr, aggs, k.pos); err != nil {
				return nil, err
			}
		}
	}
	node = &plan.Aggregate{Input: node, Groups: aggs.groups, Aggs: aggs.calls}
	if having != nil {
		if having, err = b.overGroups(having, aggs, s.Having.Position()); err != nil {
			return nil, err
		}
		node = &plan.Filter{Input: node, Cond: having}
	}
	return node, nil
}

// project computes the items, and what only ORDER BY or DISTINCT ON needs beside them.
func (b *binder) project(node plan.Node, s *parse.Select, items []*item, keys, on []orderKey, limit *parse.Limit) (bound, error) {
	p := &plan.Project{Input: node}
	out := make([]plan.Col, len(items))
	for n, i := range items {
		out[n] = b.outputCol(i.name, i.bound)
		p.Exprs = append(p.Exprs, plan.NamedExpr{Expr: i.bound, Col: out[n]})
	}
	hidden := func(k orderKey) plan.Col {
		if k.item >= 0 {
			return out[k.item]
		}
		for _, e := range p.Exprs[len(items):] {
			if expr.Equal(e.Expr, k.key.Expr) {
				return e.Col
			}
		}
		c := b.outputCol(k.key.Expr.String(), k.key.Expr)
		if _, plain := k.key.Expr.(*expr.Column); plain {
			c.Name = b.cols[c.ID].Name
		}
		p.Exprs = append(p.Exprs, plan.NamedExpr{Expr: k.key.Expr, Col: c})
		return c
	}
	var sortKeys []plan.SortKey
	for _, k := range keys {
		if len(expr.Columns(k.key.Expr)) == 0 && k.item < 0 {
			continue // a constant orders nothing
		}
		if k.item < 0 && s.Distinct && len(s.DistinctOn) == 0 {
			return bound{}, invalid(k.pos, "with SELECT DISTINCT, ORDER BY can use output columns only; add the expression to the SELECT list")
		}
		k.key.Expr = plan.Ref(hidden(k))
		sortKeys = append(sortKeys, k.key)
	}
	var onCols []expr.ColID
	for _, k := range on {
		onCols = append(onCols, hidden(k).ID)
	}
	q := bound{p, out}
	sorted := func() {
		if len(sortKeys) > 0 {
			q.node = &plan.Sort{Input: q.node, Keys: sortKeys}
		}
	}
	switch {
	case len(onCols) > 0:
		// The first row of each group, in the order asked for.
		sorted()
		q.node = &plan.Distinct{Input: q.node, On: onCols}
	case s.Distinct:
		q.node = &plan.Distinct{Input: q.node}
		sorted()
	default:
		sorted()
	}
	q, err := b.limited(q, limit)
	if err != nil {
		return bound{}, err
	}
	if len(p.Exprs) > len(items) {
		visible := &plan.Project{Input: q.node}
		for _, c := range out {
			visible.Exprs = append(visible.Exprs, plan.PassOn(c))
		}
		q.node = visible
	}
	return q, nil
}
