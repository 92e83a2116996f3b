package parse

// from parses the comma list of FROM.
func (p *parser) from() []TableRef {
	var refs []TableRef
	for {
		refs = append(refs, p.tableRef())
		if !p.acceptOp(",") {
			return refs
		}
	}
}

// tableRef parses a table and the joins that follow it.
func (p *parser) tableRef() TableRef {
	left := p.tablePrimary()
	for {
		j := p.joinHead()
		if j == nil {
			return left
		}
		j.Left = left
		p.joinTail(j)
		left = j
	}
}

// joinStart says whether the current token begins a join: JOIN, or a word that leads to it.
func (p *parser) joinStart() bool {
	switch {
	case p.tok.isAny("JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL"):
		return true
	case p.tok.isAny("SEMI", "ANTI", "ASOF", "POSITIONAL"):
		next, after := p.peek2()
		return next.is("JOIN") || p.is("ASOF") && next.isAny("LEFT", "RIGHT", "FULL", "INNER") && after.isAny("JOIN", "OUTER")
	case p.is("OUTER"):
		return p.peek().is("APPLY")
	}
	return false
}

// joinHead parses [NATURAL] [kind [OUTER]] JOIN, or returns nil where no join begins.
func (p *parser) joinHead() *Join {
	if !p.joinStart() {
		return nil
	}
	j := &Join{Kind: InnerJoin, Pos: p.pos()}
	j.Natural = p.accept("NATURAL")
	switch kind := p.tok.up; kind {
	case "JOIN":
	case "INNER", "SEMI", "ANTI":
		p.next()
		j.Kind = JoinKind(kind)
	case "LEFT", "RIGHT", "FULL":
		p.next()
		j.Kind = JoinKind(kind)
		if p.tok.isAny("SEMI", "ANTI") {
			if kind != "LEFT" {
				p.unsupported(p.tok.pos, "%s %s JOIN; swap the tables", kind, p.tok.up)
			}
			j.Kind = JoinKind(p.tok.up)
			p.next()
		} else {
			p.accept("OUTER")
		}
	case "CROSS":
		if j.Natural {
			p.expected("JOIN")
		}
		p.next()
		j.Kind = JoinKind(kind)
	case "ASOF", "POSITIONAL":
		p.unsupported(p.tok.pos, "%s JOIN", kind)
	case "OUTER":
		p.fail(p.tok.pos, "syntax error: OUTER APPLY is written LEFT JOIN LATERAL (…) ON TRUE")
	}
	p.expect("JOIN", "")
	return j
}

// joinTail parses the right side of a join and its condition. Where no condition follows the right
// table but another join does, that join belongs to the right side: a JOIN b JOIN c ON … ON ….
func (p *parser) joinTail(j *Join) {
	j.Right = p.tablePrimary()
	if j.Kind == CrossJoin || j.Natural {
		if p.tok.isAny("ON", "USING") {
			what := "a CROSS JOIN"
			if j.Natural {
				what = "a NATURAL JOIN"
			}
			p.fail(p.tok.pos, "syntax error: %s takes no %s", what, p.tok.up)
		}
		return
	}
	for p.joinStart() {
		p.enter()
		k := p.joinHead()
		k.Left = j.Right
		p.joinTail(k)
		j.Right = k
		p.leave()
	}
	switch {
	case p.accept("ON"):
		j.On = p.expr(0)
	case p.is("USING"):
		p.next()
		j.Using = p.nameList()
		if p.accept("AS") {
			j.UsingAlias = p.name("an alias")
		}
	default:
		p.expected("ON or USING for the join at byte %d", j.Pos)
	}
}

// tablePrimary parses one table: by name, a function, a query, or a parenthesised FROM.
func (p *parser) tablePrimary() TableRef {
	at := p.pos()
	lateral := p.accept("LATERAL")
	switch {
	case p.op("("):
		return p.parenthesised(at, lateral)
	case p.tok.kind == tkString:
		p.fail(p.tok.pos, "syntax error: found the string '%s', expected a table; names are written bare or in double quotes", clip(p.tok.text))
	case p.tok.isAny("UNNEST", "ROWS") && p.peek().is("FROM"):
		p.unsupported(p.tok.pos, "ROWS FROM (…)")
	case p.tok.isAny("SELECT", "VALUES", "WITH") && (!p.is("VALUES") || p.peek().op("(")):
		p.fail(p.tok.pos, "syntax error: a query in FROM needs parentheses around it")
	}
	name := p.tableName()
	if p.op("(") {
		return p.tableFunc(name, lateral, at)
	}
	if lateral {
		p.expected("( after LATERAL %s", name.Table.Name)
	}
	t := &NamedTable{Name: name, Pos: name.Pos}
	if p.op("@") {
		p.fail(p.tok.pos, "syntax error: found @, expected the end of a name; %s", instead["@"])
	}
	t.AsOf = p.asOf()
	t.Alias, t.Columns = p.tableAlias()
	if t.AsOf == nil && t.Alias.Name != "" && p.asOfStart() {
		p.fail(p.tok.pos, "syntax error: time travel stands before the alias: train FOR VERSION AS OF 5 AS t")
	}
	if p.is("TABLESAMPLE") {
		t.Sample = p.sample()
		if p.is("AS") || p.tok.kind == tkWord && !reserved[p.tok.up] && t.Alias.Name == "" && !p.joinStart() && !notTableAlias[p.tok.up] {
			p.fail(p.tok.pos, "syntax error: the alias stands before TABLESAMPLE")
		}
	}
	p.noPivot()
	return t
}

func (p *parser) noPivot() {
	if p.tok.isAny("PIVOT", "UNPIVOT") && p.peek().op("(") {
		p.unsupported(p.tok.pos, "%s", p.tok.up)
	}
}

// parenthesised parses ( query ) or ( tables and joins ); the current token is the parenthesis.
func (p *parser) parenthesised(at Pos, lateral bool) TableRef {
	p.enter()
	defer p.leave()
	inner := p.pos()
	open := p.open("")
	var q *Query
	if p.startsQuery() {
		q = p.query()
	} else {
		ref := p.tableRef()
		d, bare := ref.(*Derived)
		bare = bare && !d.Lateral && d.Alias.Name == ""
		switch {
		case bare && p.continuesQuery():
			q = p.continueQuery(d.Query, inner+1)
		case bare && p.op(")"):
			q = d.Query
		default:
			if lateral {
				p.fail(int(at), "syntax error: LATERAL stands before a query or a function, not before a join")
			}
			if p.op(",") {
				p.fail(p.tok.pos, "syntax error: found a comma inside the parentheses of FROM; write CROSS JOIN")
			}
			p.close(")", open)
			if j, ok := ref.(*Join); ok && j.Alias.Name == "" {
				j.Alias, j.Columns = p.tableAlias()
			}
			return ref
		}
	}
	p.close(")", open)
	d := &Derived{Query: q, Lateral: lateral, Pos: at}
	d.Alias, d.Columns = p.tableAlias()
	if p.is("TABLESAMPLE") {
		p.unsupported(p.tok.pos, "TABLESAMPLE of a query; sample the tables in it")
	}
	p.noPivot()
	return d
}

// tableFunc parses name(arguments) [WITH ORDINALITY] [alias].
func (p *parser) tableFunc(name TableName, lateral bool, at Pos) TableRef {
	parts := []Ident{name.Table}
	if name.Schema.Name != "" {
		parts = append([]Ident{name.Schema}, parts...)
	}
	if name.Catalog.Name != "" {
		parts = append([]Ident{name.Catalog}, parts...)
	}
	f := &TableFunc{Call: p.callNamed(parts), Lateral: lateral, Pos: at}
	if p.is("WITH") && p.peek().is("ORDINALITY") {
		p.unsupported(p.tok.pos, "WITH ORDINALITY; number the rows with row_number() OVER ()")
	}
	if p.asOfStart() {
		p.fail(p.tok.pos, "syntax error: time travel stands after a table's name, not after a function")
	}
	f.Alias, f.Columns = p.tableAlias()
	if p.is("TABLESAMPLE") {
		p.unsupported(p.tok.pos, "TABLESAMPLE of a table function")
	}
	p.noPivot()
	return f
}

// tableAlias parses [[AS] alias [(columns)]].
func (p *parser) tableAlias() (Ident, []Ident) {
	if p.accept("AS") {
		alias := p.name("an alias")
		return alias, p.aliasColumns()
	}
	if p.tok.kind == tkQuoted || p.tok.kind == tkWord && !reserved[p.tok.up] && !notTableAlias[p.tok.up] && !p.joinStart() && !p.asOfStart() {
		alias := p.ident()
		p.alias, p.aliasEnd = p.tok.text, p.tok.end
		p.next()
		return alias, p.aliasColumns()
	}
	return Ident{}, nil
}

func (p *parser) aliasColumns() []Ident {
	if !p.op("(") {
		return nil
	}
	return p.nameList()
}

// asOfWords begin a time travel clause, after an optional FOR.
var asOfWords = set("VERSION SYSTEM_VERSION TIMESTAMP SYSTEM_TIME")

// asOfStart says whether a time travel clause begins here. Without FOR its words are names, so AS OF
// must follow: FROM train version is an alias.
func (p *parser) asOfStart() bool {
	if p.is("FOR") {
		return asOfWords[p.peek().up]
	}
	if p.tok.kind == tkWord && asOfWords[p.tok.up] {
		as, of := p.peek2()
		return as.is("AS") && of.is("OF")
	}
	return false
}

// asOf parses [FOR] VERSION|SYSTEM_VERSION|TIMESTAMP|SYSTEM_TIME AS OF value, or returns nil.
func (p *parser) asOf() *AsOf {
	if p.is("AT") && p.peek().op("(") {
		p.fail(p.tok.pos, "syntax error: time travel is written train FOR VERSION AS OF 5")
	}
	if !p.asOfStart() {
		return nil
	}
	a := &AsOf{Pos: p.pos()}
	p.accept("FOR")
	what := p.tok.up
	a.Timestamp = what == "TIMESTAMP" || what == "SYSTEM_TIME"
	p.next()
	if p.tok.isAny("BETWEEN", "FROM", "CONTAINED", "ALL") {
		p.unsupported(p.tok.pos, "a range of versions; SHOW VERSIONS FROM t lists them, one can be read AS OF")
	}
	if !p.accept("AS", "OF") {
		p.expected("AS OF: FOR %s AS OF …", what)
	}
	switch {
	case p.tok.kind == tkNumber && !a.Timestamp, p.tok.kind == tkString, p.tok.kind == tkParam:
		a.Value = p.primary()
	case a.Timestamp && p.tok.isAny("TIMESTAMP", "TIMESTAMPTZ", "DATE"):
		at := p.tok.pos
		v, ok := p.primary().(*TypedString)
		if !ok {
			p.fail(at, "syntax error: expected a point in time in single quotes, such as '2026-01-01 00:00:00'")
		}
		a.Value = v
	case a.Timestamp:
		p.expected("a point in time in single quotes, such as '2026-01-01 00:00:00', or a parameter")
	default:
		p.expected("a version's number, a tag or branch in single quotes, or a parameter")
	}
	return a
}

// sample parses TABLESAMPLE [method] (n [%|PERCENT|ROWS]) [REPEATABLE (seed)], and DuckDB's
// TABLESAMPLE n %|PERCENT|ROWS [(method)]. Without a unit it is PERCENT, as in PostgreSQL.
func (p *parser) sample() *Sample {
	s := &Sample{Pos: p.pos(), Percent: true}
	p.next()
	if p.tok.kind == tkWord {
		s.Method = p.tok.up
		p.next()
	}
	if p.op("(") {
		open := p.open("")
		unit := p.sampleSize(s)
		if !unit && s.Method == "RESERVOIR" {
			p.expected("ROWS or PERCENT")
		}
		p.close(")", open)
	} else {
		if s.Method != "" {
			p.expected("( and the size of the sample")
		}
		if !p.sampleSize(s) {
			p.expected("PERCENT or ROWS")
		}
		if p.op("(") {
			open := p.open("")
			if p.tok.kind != tkWord {
				p.expected("a method: BERNOULLI, SYSTEM or RESERVOIR")
			}
			s.Method = p.tok.up
			p.next()
			if p.acceptOp(",") {
				s.Seed = p.expr(0)
			}
			p.close(")", open)
		}
	}
	switch s.Method {
	case "", "BERNOULLI", "SYSTEM", "RESERVOIR":
	default:
		p.fail(int(s.Pos), "TABLESAMPLE knows the methods BERNOULLI, SYSTEM and RESERVOIR, not %s", clip(s.Method))
	}
	if p.accept("REPEATABLE") {
		open := p.open("and a seed")
		s.Seed = p.expr(0)
		p.close(")", open)
	}
	return s
}

// sampleSize parses a number and its unit; it says whether a unit was written.
func (p *parser) sampleSize(s *Sample) bool {
	if p.tok.kind != tkNumber && p.tok.kind != tkParam {
		p.expected("the size of the sample, such as (10 PERCENT)")
	}
	s.Size = p.primary()
	switch {
	case p.acceptOp("%"), p.accept("PERCENT"):
		return true
	case p.accept("ROWS"), p.accept("ROW"):
		s.Percent = false
		return true
	}
	return false
}
