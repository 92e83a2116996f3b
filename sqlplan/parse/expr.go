package parse

// Expressions by operator precedence (Pratt): prefix reads an operand, infix the operators behind it
// that bind at least as tight as min. The levels and their order are PostgreSQL's, which are
// DuckDB's too.
const (
	precOr    = 1 + iota
	precAnd   // chains of AND, and of OR, become balanced trees
	precNot   // prefix
	precIs    // IS NULL, IS TRUE, IS DISTINCT FROM, ISNULL, NOTNULL
	precCmp   // = != < <= > >=; do not chain
	precRange // BETWEEN, IN, LIKE, ILIKE, SIMILAR TO; all but IN do not chain
	precOp    // every other operator: || <-> <=> <#> -> ->> ~ & | << >>, and prefix ~
	precAdd
	precMul
	precPow   // left-associative: 2 ^ 3 ^ 2 is 64
	precAt    // AT TIME ZONE
	precSign  // prefix - and +: -2 ^ 2 is 4
	precIndex // x[i], x::t, x.y
)

// binaryOps gives the level of the operators that are written between two operands.
var binaryOps = map[string]int{
	"=": precCmp, "!=": precCmp, "<>": precCmp, "<": precCmp, "<=": precCmp, ">": precCmp, ">=": precCmp,
	"||": precOp, "&&": precOp, "@>": precOp, "<@": precOp, "<->": precOp, "<=>": precOp, "<#>": precOp, "->": precOp, "->>": precOp,
	"~": precOp, "~*": precOp, "!~": precOp, "!~*": precOp, "&": precOp, "|": precOp, "<<": precOp, ">>": precOp,
	"+": precAdd, "-": precAdd, "*": precMul, "/": precMul, "%": precMul, "^": precPow,
}

// expr parses an expression whose operators all bind at least as tight as min; 0 means any.
func (p *parser) expr(min int) Expr { return p.infix(p.prefix(), min) }

// exprList parses one or more expressions with commas between them.
func (p *parser) exprList() []Expr {
	var list []Expr
	for {
		list = append(list, p.expr(0))
		if !p.acceptOp(",") {
			return list
		}
	}
}

// prefix parses an operand with the operators before it. What NOT takes in does not depend on what
// stands before it: a + NOT b = c is a + (NOT (b = c)), as in PostgreSQL's grammar.
func (p *parser) prefix() Expr {
	var operator string
	var level int
	switch {
	case p.is("NOT"):
		operator, level = "NOT", precNot
	case p.op("-"), p.op("+"):
		operator, level = p.tok.text, precSign
	case p.op("~"):
		operator, level = "~", precOp+1
	default:
		return p.primary()
	}
	p.enter()
	defer p.leave()
	at := p.pos()
	p.next()
	return &Unary{Op: operator, X: p.expr(level), Pos: at}
}

// infix parses the operators behind x.
func (p *parser) infix(x Expr, min int) Expr {
	chained := 0 // level of the operator that made x in this call, if it does not chain
	for {
		level := p.infixLevel()
		if level == 0 || level < min {
			return x
		}
		if level == chained {
			p.noChain(level)
		}
		chained = 0
		switch level {
		case precOr, precAnd:
			x = p.logical(x, level)
		case precIs:
			x = p.isPredicate(x)
		case precCmp:
			x = p.comparison(x)
			chained = level
		case precRange:
			x = p.rangePredicate(x)
			if _, in := x.(*In); !in { // IN ends with its parenthesis, so more may follow
				chained = level
			}
		case precAt:
			at := p.pos()
			if !p.accept("AT", "TIME", "ZONE") {
				p.unsupported(int(at), "AT LOCAL; write AT TIME ZONE '…'")
			}
			x = &AtTimeZone{X: x, Zone: p.expr(precAt + 1), Pos: at}
		case precIndex:
			x = p.postfix(x)
		default:
			b := &Binary{Op: p.tok.text, X: x, Pos: p.pos()}
			p.next()
			b.Y = p.expr(level + 1)
			x = b
		}
	}
}

// infixLevel is the level of the current token as an operator behind an operand; 0 = it is none.
func (p *parser) infixLevel() int {
	t := &p.tok
	switch t.kind {
	case tkOp:
		switch t.text {
		case ",", ")", "]", ";": // most often
			return 0
		}
		if t.text == "::" || t.text == "[" || t.text == "." {
			return precIndex
		}
		return binaryOps[t.text]
	case tkWord:
		switch t.up {
		case "OR":
			return precOr
		case "AND":
			return precAnd
		case "IS", "ISNULL", "NOTNULL":
			return precIs
		case "BETWEEN", "IN", "LIKE", "ILIKE":
			return precRange
		case "SIMILAR":
			return precRange
		case "NOT":
			next := p.peek()
			if next.isAny("BETWEEN", "IN", "LIKE", "ILIKE", "SIMILAR") {
				return precRange
			}
			if next.is("NULL") {
				p.fail(t.pos, "syntax error: found NOT NULL, expected an operator; write IS NOT NULL")
			}
		case "AT":
			if p.peek().isAny("TIME", "LOCAL") {
				return precAt
			}
		case "COLLATE":
			p.unsupported(t.pos, "COLLATE; strings compare by their bytes")
		case "OVERLAPS":
			p.unsupported(t.pos, "OVERLAPS; write a < d AND c < b")
		}
	}
	return 0
}

func (p *parser) noChain(level int) {
	if level == precCmp {
		p.fail(p.tok.pos, "syntax error: comparisons do not chain; write a < b AND b < c, or parentheses")
	}
	p.fail(p.tok.pos, "syntax error: BETWEEN and LIKE do not chain; write parentheses")
}

// logical parses a chain of AND or OR behind x.
func (p *parser) logical(x Expr, level int) Expr {
	op := p.tok.up
	terms, places := appendTerms(op, x, nil, nil)
	for p.is(op) {
		places = append(places, p.pos())
		p.next()
		terms, places = appendTerms(op, p.expr(level+1), terms, places)
	}
	return balance(op, terms, places)
}

// appendTerms appends the terms of a chain x, and the places of its operators, in order. Its
// recursion is as deep as the balanced tree that the chain already is.
func appendTerms(op string, x Expr, terms []Expr, places []Pos) ([]Expr, []Pos) {
	if b, ok := x.(*Binary); ok && b.Op == op {
		terms, places = appendTerms(op, b.X, terms, places)
		places = append(places, b.Pos)
		return appendTerms(op, b.Y, terms, places)
	}
	return append(terms, x), places
}

// balance makes the tree of a chain of AND or OR; places are the operators between the terms.
func balance(op string, terms []Expr, places []Pos) Expr {
	if len(terms) == 1 {
		return terms[0]
	}
	mid := (len(terms) + 1) / 2
	return &Binary{Op: op, X: balance(op, terms[:mid], places[:mid-1]), Y: balance(op, terms[mid:], places[mid:]), Pos: places[mid-1]}
}

// comparison parses op y, or op ANY|SOME|ALL (…), behind x.
func (p *parser) comparison(x Expr) Expr {
	op, at := p.tok.text, p.pos()
	if op == "<>" {
		op = "!="
	}
	p.next()
	if p.op("=") && (op == "=" || op == "!=") {
		p.expected("an operand; write a single =")
	}
	if !p.tok.isAny("ANY", "SOME", "ALL") {
		return &Binary{Op: op, X: x, Y: p.expr(precCmp + 1), Pos: at}
	}
	q := &Quantified{Op: op, Quantifier: p.tok.up, X: x, Pos: at}
	if q.Quantifier == "SOME" {
		q.Quantifier = "ANY"
	}
	p.next()
	p.enter()
	defer p.leave()
	open := p.open("and a query or a list")
	q.Query, q.Array = p.queryOrExpr()
	p.close(")", open)
	return q
}

// queryOrExpr parses the inside of parentheses that hold a query or one expression; a query in
// further parentheses is a query.
func (p *parser) queryOrExpr() (*Query, Expr) {
	if p.startsQuery() {
		return p.query(), nil
	}
	at := p.pos()
	x := p.expr(0)
	if s, ok := x.(*Subquery); ok {
		if p.continuesQuery() {
			return p.continueQuery(s.Query, at), nil
		}
		return s.Query, nil
	}
	return nil, x
}

// isPredicate parses IS [NOT] …, ISNULL, NOTNULL behind x.
func (p *parser) isPredicate(x Expr) Expr {
	at := p.pos()
	word := p.tok.up
	p.next()
	if word != "IS" {
		return &IsNull{X: x, Not: word == "NOTNULL", Pos: at}
	}
	not := p.accept("NOT")
	switch {
	case p.accept("NULL"):
		return &IsNull{X: x, Not: not, Pos: at}
	case p.is("TRUE"), p.is("FALSE"):
		v := p.is("TRUE")
		p.next()
		return &IsBool{X: x, Value: &v, Not: not, Pos: at}
	case p.accept("UNKNOWN"):
		return &IsBool{X: x, Not: not, Pos: at}
	case p.accept("DISTINCT"):
		p.expect("FROM", "after IS DISTINCT")
		return &IsDistinct{X: x, Y: p.expr(precIs + 1), Not: not, Pos: at}
	}
	p.expected("NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM after IS")
	return nil
}

// rangePredicate parses [NOT] BETWEEN, IN, LIKE, ILIKE, SIMILAR TO behind x.
func (p *parser) rangePredicate(x Expr) Expr {
	at := p.pos()
	not := p.accept("NOT")
	word := p.tok.up
	p.next()
	switch word {
	case "BETWEEN":
		b := &Between{X: x, Not: not, Pos: at}
		b.Symmetric = p.accept("SYMMETRIC")
		if !b.Symmetric {
			p.accept("ASYMMETRIC")
		}
		b.Lo = p.expr(precRange + 1)
		p.expect("AND", "and the upper bound of BETWEEN")
		b.Hi = p.expr(precRange + 1)
		return b
	case "IN":
		return p.in(x, not, at)
	}
	l := &Like{Kind: word, X: x, Not: not, Pos: at}
	if word == "SIMILAR" {
		p.expect("TO", "after SIMILAR")
	}
	if p.tok.isAny("ANY", "SOME", "ALL") {
		p.unsupported(p.tok.pos, "%s %s; write one %s per pattern with OR or AND, or ~ with a regular expression", word, p.tok.up, word)
	}
	l.Pattern = p.expr(precRange + 1)
	if p.accept("ESCAPE") {
		l.Escape = p.expr(precRange + 1)
	}
	return l
}

// startsOperand says whether t can begin an operand, so that the word before it is no name.
func (p *parser) startsOperand(t token) bool {
	switch t.kind {
	case tkEOF:
		return false
	case tkOp:
		return t.text == "(" || t.text == "[" || t.text == "-" || t.text == "+" || t.text == "~"
	case tkWord:
		return !reserved[t.up] || t.isAny("CASE", "CAST", "NULL", "TRUE", "FALSE", "ARRAY", "NOT", "LEFT", "RIGHT") || callsWithoutParens[t.up]
	}
	return true
}

// in parses the list or query behind IN.
func (p *parser) in(x Expr, not bool, at Pos) Expr {
	in := &In{X: x, Not: not, Pos: at}
	if !p.op("(") {
		if p.op("[") || p.tok.kind == tkParam {
			p.expected("( and a list; for one list of values write = ANY (…)")
		}
		p.expected("( and a list or a query after IN")
	}
	p.enter()
	defer p.leave()
	open := p.open("")
	if p.op(")") {
		p.fail(p.tok.pos, "syntax error: the list after IN is empty; write FALSE for a condition that holds for nothing")
	}
	var first Expr
	in.Query, first = p.queryOrExpr()
	if in.Query != nil && p.op(",") {
		first, in.Query = &Subquery{Query: in.Query, Pos: Pos(open + 1)}, nil
	}
	if in.Query == nil {
		in.List = append(in.List, first)
		for p.acceptOp(",") {
			in.List = append(in.List, p.expr(0))
		}
	}
	p.close(")", open)
	return in
}

// postfix parses ::type, [i], [a:b] or .name behind x.
func (p *parser) postfix(x Expr) Expr {
	at := p.pos()
	switch {
	case p.acceptOp("::"):
		return &Cast{X: x, Type: p.typeName(), Pos: at}
	case p.acceptOp("."):
		if p.op("*") {
			p.fail(p.tok.pos, "syntax error: x.* stands in a SELECT list only, behind the name of a table")
		}
		f := &FieldAccess{X: x, Name: p.label("the name of a field"), Pos: at}
		if p.op("(") {
			p.fail(p.tok.pos, "syntax error: functions are written f(x), not x.f()")
		}
		return f
	}
	p.enter()
	defer p.leave()
	open := p.tok.pos
	p.next()
	i := &Index{X: x, Pos: at}
	if p.op("]") {
		p.expected("an index")
	}
	if !p.op(":") {
		i.I = p.expr(0)
	}
	if p.acceptOp(":") {
		i.Slice = true
		if !p.op("]") {
			i.Hi = p.expr(0)
		}
		if p.op(":") {
			p.unsupported(p.tok.pos, "the step of a slice")
		}
	}
	p.close("]", open)
	return i
}
