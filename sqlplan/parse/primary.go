package parse

import (
	"math"
	"strconv"
	"strings"
)

// primary parses an operand without the operators around it.
func (p *parser) primary() Expr {
	t := p.tok
	at := p.pos()
	switch t.kind {
	case tkNumber:
		p.next()
		return &Number{Text: t.text, Pos: at}
	case tkString:
		p.next()
		return &String{Value: t.text, Pos: at}
	case tkBytes:
		p.next()
		return &Bytes{Value: []byte(t.text), Pos: at}
	case tkParam:
		return p.param()
	case tkQuoted:
		return p.nameOrCall()
	case tkOp:
		switch t.text {
		case "(":
			return p.parens()
		case "[":
			return p.list(at)
		case "*":
			p.fail(t.pos, "syntax error: found *, expected an expression; * stands in a SELECT list or in count(*)")
		}
	case tkWord:
		if f := wordOperands[t.up]; f != nil {
			if x := f(p); x != nil {
				return x
			}
		}
		if !reserved[t.up] || t.isAny("LEFT", "RIGHT") && p.peek().op("(") {
			return p.nameOrCall()
		}
		if t.isAny("SELECT", "WITH") {
			p.fail(t.pos, "syntax error: found %s, expected an expression; a query here needs parentheses of its own", t.up)
		}
	}
	p.expected("an expression")
	return nil
}

// wordOperands are the operands that begin with a keyword. Each returns nil, having moved nothing,
// where the word turns out to be a name.
var wordOperands map[string]func(p *parser) Expr

// callsWithoutParens are functions written without parentheses.
var callsWithoutParens = set(`CURRENT_CATALOG CURRENT_DATE CURRENT_ROLE CURRENT_SCHEMA CURRENT_TIME CURRENT_TIMESTAMP
	CURRENT_USER LOCALTIME LOCALTIMESTAMP SESSION_USER`)

func init() {
	wordOperands = map[string]func(p *parser) Expr{
		"NULL":  func(p *parser) Expr { at := p.pos(); p.next(); return &Null{Pos: at} },
		"TRUE":  func(p *parser) Expr { at := p.pos(); p.next(); return &Bool{Value: true, Pos: at} },
		"FALSE": func(p *parser) Expr { at := p.pos(); p.next(); return &Bool{Pos: at} },
		"CASE":  (*parser).caseExpr,
		"CAST":  (*parser).cast, "TRY_CAST": (*parser).cast,
		"EXISTS": (*parser).exists,
		"ARRAY":  (*parser).array,
		"ROW":    (*parser).row,
		"DATE":   (*parser).typedString, "TIME": (*parser).typedString, "TIMESTAMP": (*parser).typedString,
		"TIMESTAMPTZ": (*parser).typedString, "TIMETZ": (*parser).typedString,
		"INTERVAL": (*parser).interval,
		"EXTRACT":  (*parser).extract, "SUBSTRING": (*parser).substring, "POSITION": (*parser).position,
		"TRIM": (*parser).trim, "OVERLAY": (*parser).overlay,
	}
	for w := range callsWithoutParens {
		wordOperands[w] = (*parser).callWithoutParens
	}
}

// param parses ? or $n; a statement has one kind.
func (p *parser) param() Expr {
	t := p.tok
	if t.num == 0 {
		p.questions++
		t.num = p.questions
		if t.num > maxParam {
			p.fail(t.pos, "a statement has at most %d parameters", maxParam)
		}
	} else {
		p.dollars = true
	}
	if p.dollars && p.questions > 0 {
		p.fail(t.pos, "syntax error: a statement has parameters written ? or $1, not both")
	}
	p.next()
	return &Param{Number: t.num, Pos: Pos(t.pos)}
}

// parens parses ( expression ), ( a, b … ) and ( query ).
func (p *parser) parens() Expr {
	p.enter()
	defer p.leave()
	at := p.pos()
	open := p.open("")
	if p.op(")") {
		p.fail(p.tok.pos, "syntax error: found ), expected an expression or a query in the parentheses")
	}
	q, x := p.queryOrExpr()
	if q != nil {
		if p.op(",") {
			x = &Subquery{Query: q, Pos: at + 1}
		} else {
			x = &Subquery{Query: q, Pos: at}
		}
	}
	if p.op(",") {
		items := []Expr{x}
		for p.acceptOp(",") {
			items = append(items, p.expr(0))
		}
		x = &Tuple{Items: items, Pos: at}
	}
	p.close(")", open)
	return x
}

// list parses […] at its bracket; at is where ARRAY or the bracket stands.
func (p *parser) list(at Pos) Expr {
	open := p.tok.pos
	// The lexer stands behind the bracket; the fast path wants it in front.
	l := lexer{src: p.lex.src, pos: open}
	if v, ok := l.vector(); ok {
		v.Pos = at
		p.literals += l.pos - open - 1 // the bracket itself counts, so that [1][1]… is bounded
		p.lex.pos = l.pos
		p.tok = token{kind: tkOp, text: "]", pos: l.pos - 1, end: l.pos}
		p.next()
		return v
	}
	p.enter()
	defer p.leave()
	p.next()
	a := &Array{Pos: at}
	if !p.op("]") {
		a.Items = p.exprList()
	}
	p.close("]", open)
	if v := vectorOf(a); v != nil {
		return v
	}
	return a
}

// vectorOf makes a Vector of a list of plain numbers that the fast path did not take: one with a
// comment in it, or 0x1F; nil where the list is none.
func vectorOf(a *Array) *Vector {
	if len(a.Items) == 0 {
		return nil
	}
	v := &Vector{Ints: true, Pos: a.Pos}
	for _, it := range a.Items {
		sign := ""
		if u, ok := it.(*Unary); ok && (u.Op == "-" || u.Op == "+") {
			sign, it = u.Op, u.X
		}
		n, ok := it.(*Number)
		if !ok {
			return nil
		}
		f, err := strconv.ParseFloat(sign+n.Text, 64)
		whole := !strings.ContainsAny(n.Text, ".eE")
		if err != nil || whole && math.Abs(f) > maxExactInt {
			return nil
		}
		v.Values = append(v.Values, f)
		v.Ints = v.Ints && whole
	}
	return v
}

// array parses ARRAY[…].
func (p *parser) array() Expr {
	at := p.pos()
	switch next := p.peek(); {
	case next.op("["):
		p.next()
		return p.list(at)
	case next.op("("):
		p.unsupported(int(at), "ARRAY (SELECT …); write (SELECT list(x) FROM …)")
	}
	p.next()
	p.expected("[ after ARRAY")
	return nil
}

// row parses ROW (a, …).
func (p *parser) row() Expr {
	if !p.peek().op("(") {
		return nil
	}
	at := p.pos()
	id := p.ident()
	p.next()
	c := p.callNamed([]Ident{id})
	if len(c.Args) < 2 || c.Star || c.Distinct || c.OrderBy != nil || c.Filter != nil || c.Over != nil {
		return c
	}
	t := &Tuple{Pos: at}
	for _, a := range c.Args {
		if a.Name != "" {
			return c
		}
		t.Items = append(t.Items, a.Expr)
	}
	return t
}

// caseExpr parses CASE [operand] WHEN … THEN … [ELSE …] END.
func (p *parser) caseExpr() Expr {
	p.enter()
	defer p.leave()
	c := &Case{Pos: p.pos()}
	p.next()
	if !p.is("WHEN") {
		c.Operand = p.expr(0)
	}
	for p.accept("WHEN") {
		w := When{Cond: p.expr(0)}
		p.expect("THEN", "after the condition of WHEN")
		w.Result = p.expr(0)
		c.Whens = append(c.Whens, w)
	}
	if len(c.Whens) == 0 {
		p.expected("WHEN")
	}
	if p.accept("ELSE") {
		c.Else = p.expr(0)
	}
	if p.tok.kind == tkEOF {
		p.fail(int(c.Pos), "the CASE that begins here is not closed by END")
	}
	p.expect("END", "to close the CASE at byte "+strconv.Itoa(int(c.Pos)))
	return c
}

// cast parses CAST(x AS t) and TRY_CAST(x AS t).
func (p *parser) cast() Expr {
	if p.is("TRY_CAST") && !p.peek().op("(") {
		return nil
	}
	p.enter()
	defer p.leave()
	c := &Cast{Try: p.is("TRY_CAST"), Pos: p.pos()}
	p.next()
	open := p.open("after CAST")
	c.X = p.expr(0)
	p.expect("AS", "and a type")
	c.Type = p.typeName()
	if p.is("FORMAT") {
		p.unsupported(p.tok.pos, "CAST … FORMAT; use strptime or strftime")
	}
	p.close(")", open)
	return c
}

// exists parses EXISTS (query).
func (p *parser) exists() Expr {
	if !p.peek().op("(") {
		return nil
	}
	p.enter()
	defer p.leave()
	x := &Exists{Pos: p.pos()}
	p.next()
	open := p.open("")
	if !p.op("(") && !p.startsQuery() {
		p.expected("a query after EXISTS (")
	}
	x.Query = p.query()
	p.close(")", open)
	return x
}

// typedString parses DATE '…', TIME '…', TIMESTAMP '…', each with an optional time zone clause.
func (p *parser) typedString() Expr {
	ts := &TypedString{Type: p.tok.up, Pos: p.pos()}
	l := p.lex
	t, err := l.next()
	words := 1
	if err == nil && t.op("(") && ts.Type != "DATE" {
		var digits, end token
		if digits, err = l.next(); err == nil {
			end, err = l.next()
		}
		p, notNumber := strconv.Atoi(digits.text)
		if err != nil || digits.kind != tkNumber || notNumber != nil || !end.op(")") {
			return nil
		}
		ts.Args = []int{p}
		t, err = l.next()
		words = 4
	}
	if err == nil && t.isAny("WITH", "WITHOUT") && (ts.Type == "TIME" || ts.Type == "TIMESTAMP") {
		with := t.is("WITH")
		for _, w := range []string{"TIME", "ZONE"} {
			if t, err = l.next(); err != nil || !t.is(w) {
				return nil
			}
		}
		t, err = l.next()
		if with {
			ts.Type += "TZ"
		}
		words += 3
	}
	if err != nil || t.kind != tkString {
		return nil
	}
	for range words {
		p.next()
	}
	ts.Value = t.text
	p.next()
	return ts
}

// intervalUnits by every spelling.
var intervalUnits = func() map[string]string {
	m := map[string]string{"MILLENNIA": "MILLENNIUM", "CENTURIES": "CENTURY"}
	for u := range set("MILLENNIUM CENTURY DECADE YEAR QUARTER MONTH WEEK DAY HOUR MINUTE SECOND MILLISECOND MICROSECOND") {
		m[u] = u
		m[u+"S"] = u
	}
	return m
}()

// interval parses INTERVAL '…' [unit [TO unit]] and INTERVAL 1 unit.
func (p *parser) interval() Expr {
	at := p.pos()
	next := p.peek()
	switch {
	case next.op("("):
		p.unsupported(int(at), "INTERVAL of an expression; write x * INTERVAL '1 day'")
	case next.kind != tkString && next.kind != tkNumber:
		return nil
	}
	p.next()
	ts := &TypedString{Type: "INTERVAL", Value: p.tok.text, Pos: at}
	p.next()
	if p.tok.kind == tkWord {
		ts.Unit = intervalUnits[p.tok.up]
	}
	if ts.Unit == "" {
		if next.kind == tkNumber {
			p.expected("a unit: DAY, HOUR, …")
		}
		return ts
	}
	p.next()
	if p.is("TO") {
		p.next()
		unit := intervalUnits[p.tok.up]
		if p.tok.kind != tkWord || unit == "" {
			p.expected("a unit: DAY, HOUR, …")
		}
		ts.Unit += " TO " + unit
		p.next()
	}
	return ts
}

// nameOrCall parses a column, or a function's call.
func (p *parser) nameOrCall() Expr {
	if p.is("VALUES") && p.peek().op("(") {
		p.fail(p.tok.pos, "syntax error: found VALUES, expected an expression; a query here needs parentheses of its own")
	}
	parts := []Ident{p.ident()}
	p.next()
	for p.op(".") {
		p.next()
		if p.op("*") {
			p.fail(p.tok.pos, "syntax error: %s.* stands in a SELECT list only; count(*) counts rows", quoteIfNeeded(parts[len(parts)-1]))
		}
		parts = append(parts, p.label("a name after the dot"))
	}
	if p.op("(") {
		return p.callNamed(parts)
	}
	return &Column{Parts: parts}
}
