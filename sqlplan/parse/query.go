package parse

import (
	"strings"
)

// startsQuery says whether a query expression begins at the current token, an opening parenthesis
// aside. VALUES is a name too, so it needs its parenthesis.
func (p *parser) startsQuery() bool { return startsQuery(p.tok, p.peek) }

func startsQuery(t token, next func() token) bool {
	switch {
	case t.isAny("SELECT", "WITH", "FROM", "TABLE"):
		return true
	case t.is("VALUES"):
		return next().op("(")
	}
	return false
}

// query parses [WITH …] body [ORDER BY …] [LIMIT …].
func (p *parser) query() *Query {
	p.enter()
	defer p.leave()
	q := &Query{Pos: p.pos()}
	if p.is("WITH") {
		q.With = p.with()
	}
	q.Body = p.setOps(q, nil)
	p.queryTail(q)
	return unwrap(q)
}

// unwrap takes redundant parentheses off a query: ((SELECT 1)) is SELECT 1.
func unwrap(q *Query) *Query {
	if n, ok := q.Body.(*Nested); ok && q.With == nil && q.OrderBy == nil && q.Limit == nil && q.Hints == nil {
		return n.Query
	}
	return q
}

// queryTail parses what follows the body.
func (p *parser) queryTail(q *Query) {
	if p.is("ORDER") {
		q.OrderBy = p.orderBy()
	}
	q.Limit = p.limit()
	if p.is("FOR") {
		p.unsupported(
			p.tok.pos,
			"FOR %s (row locks); tables are read at one snapshot. Time travel stands right after the table's name: train FOR VERSION AS OF 5",
			p.peek().up,
		)
	}
}

// continueQuery goes on with a query in parentheses that turned out to be the first operand of a
// set operation, or to have an ORDER BY or LIMIT behind them.
func (p *parser) continueQuery(inner *Query, at Pos) *Query {
	q := &Query{Pos: at}
	q.Body = p.setOps(q, &Nested{Query: inner})
	p.queryTail(q)
	return q
}

// continuesQuery says whether the token can follow a query in parentheses as part of a query.
func (p *parser) continuesQuery() bool {
	return p.tok.isAny("UNION", "INTERSECT", "EXCEPT", "ORDER", "LIMIT", "OFFSET", "FETCH")
}

// with parses WITH [RECURSIVE] name [(columns)] AS [[NOT] MATERIALIZED] (query), ….
func (p *parser) with() *With {
	w := &With{Pos: p.pos()}
	p.next()
	w.Recursive = p.accept("RECURSIVE")
	for {
		c := CTE{Name: p.name("a name for the query")}
		if p.op("(") {
			c.Columns = p.nameList()
		}
		if p.is("USING") {
			p.unsupported(p.tok.pos, "WITH … USING KEY")
		}
		p.expect("AS", "and a query in parentheses")
		// The planner decides what to keep; the word changes no result.
		_ = p.accept("NOT", "MATERIALIZED") || p.accept("MATERIALIZED")
		open := p.open("and a query")
		if p.tok.isAny("INSERT", "UPDATE", "DELETE", "MERGE") {
			p.unsupported(p.tok.pos, "%s inside WITH", p.tok.up)
		}
		c.Query = p.query()
		p.close(")", open)
		w.CTEs = append(w.CTEs, c)
		if p.tok.isAny("SEARCH", "CYCLE") {
			p.unsupported(p.tok.pos, "WITH RECURSIVE … %s; carry a depth or a path column in the query", p.tok.up)
		}
		if !p.acceptOp(",") {
			return w
		}
	}
}

// setOps parses body {UNION|EXCEPT body}; first is an operand already parsed, or nil. Hints of the
// first SELECT go to q.
func (p *parser) setOps(q *Query, first QueryBody) QueryBody {
	left := p.intersects(q, first)
	for p.tok.isAny("UNION", "EXCEPT") {
		op, all, at := p.setOp()
		right := p.intersects(nil, nil)
		if op != "UNION" {
			left = &SetOp{Op: op, All: all, Left: left, Right: right, Pos: at}
			continue
		}
		terms, places := []QueryBody{left, right}, []Pos{at}
		for p.is("UNION") {
			// The chain ends where the next UNION is of the other kind.
			if (p.peek().is("ALL")) != all {
				break
			}
			_, _, at := p.setOp()
			terms, places = append(terms, p.intersects(nil, nil)), append(places, at)
		}
		left = balanceUnion(all, terms, places)
	}
	return left
}

// balanceUnion makes the tree of a chain; places are the operators between the terms.
func balanceUnion(all bool, terms []QueryBody, places []Pos) QueryBody {
	if len(terms) == 1 {
		return terms[0]
	}
	mid := (len(terms) + 1) / 2
	return &SetOp{Op: "UNION", All: all, Left: balanceUnion(all, terms[:mid], places[:mid-1]),
		Right: balanceUnion(all, terms[mid:], places[mid:]), Pos: places[mid-1]}
}

// intersects parses body {INTERSECT body}, which binds tighter than the other two.
func (p *parser) intersects(q *Query, first QueryBody) QueryBody {
	left := first
	if left == nil {
		left = p.body(q)
	}
	for p.is("INTERSECT") {
		op, all, at := p.setOp()
		left = &SetOp{Op: op, All: all, Left: left, Right: p.body(nil), Pos: at}
	}
	return left
}

// setOp parses UNION|INTERSECT|EXCEPT [ALL|DISTINCT].
func (p *parser) setOp() (op string, all bool, at Pos) {
	op, at = p.tok.up, p.pos()
	p.next()
	all = p.accept("ALL")
	if !all {
		p.accept("DISTINCT")
	}
	if p.is("BY") && p.peek().is("NAME") {
		p.unsupported(p.tok.pos, "%s BY NAME; name the columns in the same order on both sides", op)
	}
	return op, all, at
}

// body parses a SELECT block, VALUES, TABLE t, FROM t …, or a query in parentheses.
func (p *parser) body(q *Query) QueryBody {
	switch {
	case p.op("("):
		open := p.open("")
		n := &Nested{Query: p.query()}
		p.close(")", open)
		return n
	case p.is("SELECT"):
		return p.selectBlock(q)
	case p.is("VALUES"):
		return p.values()
	case p.is("FROM"):
		return p.fromFirst(q)
	case p.is("TABLE"):
		at := p.pos()
		p.next()
		t := &NamedTable{Name: p.tableName()}
		t.Pos = t.Name.Pos
		t.AsOf = p.asOf()
		return &Select{Items: []SelectItem{{Star: &Star{}, Pos: at, End: at}}, From: []TableRef{t}, Pos: at}
	case p.tok.isAny("INSERT", "UPDATE", "DELETE", "MERGE"):
		p.unsupported(p.tok.pos, "%s inside a query", p.tok.up)
	}
	p.expected("SELECT, VALUES or a query in parentheses")
	return nil
}

// selectBlock parses SELECT … up to the windows. Hints go to q; nil means that none may stand here.
func (p *parser) selectBlock(q *Query) *Select {
	s := &Select{Pos: p.pos()}
	p.selectList(s, q)
	if p.accept("FROM") {
		s.From = p.from()
	}
	p.afterFrom(s)
	return s
}

// fromFirst parses FROM t [SELECT …] [WHERE …], DuckDB's way to begin with the tables.
func (p *parser) fromFirst(q *Query) *Select {
	s := &Select{Pos: p.pos()}
	p.next()
	s.From = p.from()
	if p.is("SELECT") {
		p.selectList(s, q)
	} else {
		s.Items = []SelectItem{{Star: &Star{}, Pos: s.Pos, End: s.Pos}}
	}
	p.afterFrom(s)
	return s
}

// selectList parses SELECT [hints] [ALL | DISTINCT [ON (…)]] items.
func (p *parser) selectList(s *Select, q *Query) {
	p.next()
	if p.tok.hintPos > 0 {
		if q == nil {
			p.fail(p.tok.hintPos, "a hint stands after the first SELECT of a query expression, not in its other operands")
		}
		q.Hints = p.hints(p.tok.hint, p.tok.hintPos)
	}
	switch {
	case p.accept("DISTINCT"):
		s.Distinct = true
		if p.is("ON") && p.peek().op("(") {
			p.next()
			open := p.open("")
			s.DistinctOn = p.exprList()
			p.close(")", open)
		}
	case p.is("ALL"):
		p.next()
	}
	for {
		s.Items = append(s.Items, p.selectItem())
		if !p.acceptOp(",") {
			break
		}
	}
	if p.is("INTO") {
		p.unsupported(p.tok.pos, "SELECT … INTO")
	}
}

// hints parses the inside of /*+ name(value) name(value), … */.
func (p *parser) hints(text string, at int) []Hint {
	var out []Hint
	i := 0
	for {
		for i < len(text) && strings.IndexByte(" \t\r\n,", text[i]) >= 0 {
			i++
		}
		if i == len(text) {
			return out
		}
		from := i
		for i < len(text) && (isWordStart(text[i]) || isDigit(text[i]) || text[i] == '.') {
			i++
		}
		name := strings.ToLower(text[from:i])
		value, shut := "", -1
		if i < len(text) && text[i] == '(' {
			shut = strings.IndexByte(text[i:], ')')
		}
		if shut > 0 {
			value = strings.TrimSpace(text[i+1 : i+shut])
		}
		if name == "" || value == "" || strings.ContainsAny(value, "(/*") {
			p.fail(at+from, "a hint is written name(value), as in /*+ nprobes(40) refine_factor(8) */")
		}
		out = append(out, Hint{Name: name, Value: value, Pos: Pos(at + from)})
		i += shut + 1
	}
}

// selectItem parses *, t.*, or an expression with an alias.
func (p *parser) selectItem() SelectItem {
	it := SelectItem{Pos: p.pos()}
	if it.Star = p.star(); it.Star != nil {
		it.End = Pos(p.prevEnd)
		p.starTail(it.Star)
		return it
	}
	it.Expr = p.expr(0)
	it.End = Pos(p.prevEnd)
	it.Alias = p.columnAlias()
	return it
}

// star parses * or t.* and returns nil, having moved nothing, where neither comes next.
func (p *parser) star() *Star {
	if p.acceptOp("*") {
		return &Star{}
	}
	if p.tok.kind != tkQuoted && (p.tok.kind != tkWord || reserved[p.tok.up]) {
		return nil
	}
	l := p.lex
	for parts := 1; ; parts++ {
		if dot, err := l.next(); err != nil || !dot.op(".") {
			return nil
		}
		t, err := l.next()
		switch {
		case err != nil:
			return nil
		case t.op("*"):
			if parts > 3 {
				return nil
			}
			name := p.dotted(parts)
			p.next() // .
			p.next() // *
			return &Star{Table: &name}
		case t.kind != tkWord && t.kind != tkQuoted:
			return nil
		}
	}
}

// dotted parses a table name of a number of parts that is known to be there.
func (p *parser) dotted(parts int) TableName {
	n := TableName{Pos: p.pos()}
	for i := range parts {
		if i > 0 {
			p.next()
			n.Catalog, n.Schema = n.Schema, n.Table
		}
		n.Table = p.ident()
		p.next()
	}
	return n
}

// starTail parses EXCLUDE (columns), and refuses what else DuckDB and others have there.
func (p *parser) starTail(s *Star) {
	switch {
	case p.is("EXCLUDE"):
		p.next()
		if p.op("(") {
			s.Exclude = p.nameList()
		} else {
			s.Exclude = []Ident{p.name("a column")}
		}
	case p.is("EXCEPT") && p.peek().op("("):
		if _, second := p.peek2(); !second.isAny("SELECT", "WITH", "VALUES", "FROM", "TABLE") && !second.op("(") {
			p.fail(p.tok.pos, "syntax error: to leave columns out of * write EXCLUDE (…)")
		}
	}
	if p.tok.isAny("REPLACE", "RENAME") && p.peek().op("(") {
		p.unsupported(p.tok.pos, "* %s; write the columns out, or * EXCLUDE (…) and the expressions", p.tok.up)
	}
	if p.is("AS") {
		p.fail(p.tok.pos, "syntax error: * takes no alias")
	}
}

// columnAlias parses [AS] alias.
func (p *parser) columnAlias() Ident {
	if p.accept("AS") {
		if p.tok.kind == tkString {
			p.fail(p.tok.pos, "syntax error: found the string '%s', expected an alias; names are written in double quotes", clip(p.tok.text))
		}
		return p.label("an alias")
	}
	if p.tok.kind == tkQuoted || p.tok.kind == tkWord && !reserved[p.tok.up] && !notAliases[p.tok.up] {
		id := p.ident()
		p.alias, p.aliasEnd = p.tok.text, p.tok.end
		p.next()
		return id
	}
	return Ident{}
}

// afterFrom parses WHERE … GROUP BY … HAVING … WINDOW … QUALIFY.
func (p *parser) afterFrom(s *Select) {
	if p.accept("WHERE") {
		s.Where = p.expr(0)
	}
	if p.is("GROUP") {
		s.GroupBy = p.groupBy()
	}
	if p.accept("HAVING") {
		s.Having = p.expr(0)
	}
	if p.accept("QUALIFY") {
		s.Qualify = p.expr(0)
	}
	if p.accept("WINDOW") {
		for {
			w := NamedWindow{Name: p.name("a name for the window")}
			p.expect("AS", "and a window in parentheses")
			w.Window = p.windowSpec()
			s.Windows = append(s.Windows, w)
			if !p.acceptOp(",") {
				break
			}
		}
		if s.Qualify == nil && p.accept("QUALIFY") {
			s.Qualify = p.expr(0)
		}
	}
	if p.is("USING") && p.peek().is("SAMPLE") {
		p.unsupported(p.tok.pos, "USING SAMPLE")
	}
}

// groupBy parses GROUP BY ALL | items.
func (p *parser) groupBy() *GroupBy {
	g := &GroupBy{Pos: p.pos()}
	p.next()
	p.expect("BY", "after GROUP")
	if p.accept("ALL") {
		g.All = true
		return g
	}
	p.accept("DISTINCT")
	for {
		if next := p.peek(); p.tok.isAny("ROLLUP", "CUBE") && next.op("(") || p.is("GROUPING") && next.is("SETS") || p.op("(") && next.op(")") {
			p.unsupported(p.tok.pos, "GROUP BY with ROLLUP, CUBE or GROUPING SETS; write one query per grouping and UNION ALL")
		}
		g.Items = append(g.Items, p.expr(0))
		if !p.acceptOp(",") {
			return g
		}
	}
}

// values parses VALUES (…), ….
func (p *parser) values() *Values {
	v := &Values{Pos: p.pos()}
	p.next()
	for {
		open := p.open("and a row of values")
		at := p.tok.pos
		row := p.exprList()
		p.close(")", open)
		if len(v.Rows) > 0 && len(row) != len(v.Rows[0]) {
			p.fail(at, "this row of VALUES has %d columns, the first has %d", len(row), len(v.Rows[0]))
		}
		v.Rows = append(v.Rows, row)
		if !p.acceptOp(",") {
			return v
		}
	}
}

// orderBy parses ORDER BY items.
func (p *parser) orderBy() []OrderItem {
	p.next()
	p.expect("BY", "after ORDER")
	if p.is("ALL") {
		p.unsupported(p.tok.pos, "ORDER BY ALL; name the columns, or their ordinals: ORDER BY 1, 2")
	}
	var items []OrderItem
	for {
		o := OrderItem{Pos: p.pos(), Expr: p.expr(0)}
		if p.accept("DESC") {
			o.Desc = true
		} else if p.is("USING") {
			p.unsupported(p.tok.pos, "ORDER BY … USING; write ASC or DESC")
		} else {
			p.accept("ASC")
		}
		if p.is("NULLS") && p.peek().isAny("FIRST", "LAST") {
			p.next()
			first := p.is("FIRST")
			p.next()
			o.NullsFirst = &first
		}
		items = append(items, o)
		if !p.acceptOp(",") {
			return items
		}
	}
}

// limit parses LIMIT n [OFFSET m], LIMIT m, n, OFFSET m [ROWS], FETCH FIRST n ROWS ONLY: each of
// the two counts once, in any order. It returns nil where there is neither.
func (p *parser) limit() *Limit {
	at := p.pos()
	l := &Limit{Pos: at}
	count, offset := false, false
	for {
		switch {
		case p.is("LIMIT") && !count:
			count = true
			p.next()
			if p.accept("ALL") {
				break
			}
			first := p.expr(0)
			if p.op("%") || p.is("PERCENT") {
				p.unsupported(p.tok.pos, "LIMIT in percent")
			}
			l.Count = first
			if p.op(",") && !offset {
				p.next()
				offset = true
				l.Offset, l.Count = first, p.expr(0)
			}
		case p.is("OFFSET") && !offset:
			offset = true
			p.next()
			l.Offset = p.expr(0)
			if !p.accept("ROWS") {
				p.accept("ROW")
			}
		case p.is("FETCH") && !count:
			count = true
			l.Count = p.fetch()
		default:
			if !count && !offset {
				return nil
			}
			return l
		}
	}
}

// fetch parses FETCH FIRST|NEXT [n] ROW|ROWS ONLY.
func (p *parser) fetch() Expr {
	p.next()
	if !p.accept("FIRST") && !p.accept("NEXT") {
		p.expected("FIRST or NEXT: FETCH FIRST 10 ROWS ONLY")
	}
	var n Expr
	if p.tok.isAny("ROW", "ROWS") {
		n = &Number{Text: "1", Pos: p.pos()}
	} else {
		n = p.expr(precAdd)
	}
	if p.is("PERCENT") {
		p.unsupported(p.tok.pos, "FETCH FIRST … PERCENT")
	}
	if !p.accept("ROWS") && !p.accept("ROW") {
		p.expected("ROWS ONLY")
	}
	if p.is("WITH") {
		p.unsupported(p.tok.pos, "FETCH … WITH TIES; write ONLY")
	}
	p.expect("ONLY", "")
	return n
}
