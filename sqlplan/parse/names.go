package parse

// ident makes the current token a name; the caller has checked that it can be one.
func (p *parser) ident() Ident {
	return Ident{Name: p.tok.text, Quoted: p.tok.kind == tkQuoted, Pos: p.pos()}
}

// name parses a name that is not a reserved word. what says what the name is of.
func (p *parser) name(what string) Ident {
	if p.tok.kind != tkQuoted && (p.tok.kind != tkWord || reserved[p.tok.up]) {
		if p.tok.kind == tkString {
			p.fail(p.tok.pos, "syntax error: found the string '%s', expected %s; names are written bare or in double quotes", clip(p.tok.text), what)
		}
		p.expected("%s", what)
	}
	id := p.ident()
	p.next()
	return id
}

// label parses a name where no keyword can follow, so that every word may be one: after AS or a dot.
func (p *parser) label(what string) Ident {
	if p.tok.kind != tkQuoted && p.tok.kind != tkWord {
		p.expected("%s", what)
	}
	id := p.ident()
	p.next()
	return id
}

// nameList parses (name, …).
func (p *parser) nameList() []Ident {
	open := p.open("and names of columns")
	var ids []Ident
	for {
		ids = append(ids, p.name("a column"))
		if !p.acceptOp(",") {
			break
		}
	}
	p.close(")", open)
	return ids
}

// tableName parses [catalog.][schema.]table.
func (p *parser) tableName() TableName {
	n := TableName{Pos: p.pos(), Table: p.name("a table")}
	for parts := 1; p.op("."); parts++ {
		if parts == 3 {
			p.fail(p.tok.pos, "syntax error: a table's name has at most three parts, catalog.schema.table")
		}
		p.next()
		n.Catalog, n.Schema, n.Table = n.Schema, n.Table, p.label("a table")
	}
	return n
}
