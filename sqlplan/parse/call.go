package parse

import "strings"

// callNamed parses (arguments) and what follows them; parts is the function's name, qualifier first.
func (p *parser) callNamed(parts []Ident) *Call {
	last := parts[len(parts)-1]
	c := &Call{Name: last.Name, Quoted: last.Quoted, Pos: parts[0].Pos}
	if !c.Quoted {
		c.Name = strings.ToLower(c.Name)
	}
	if len(parts) > 1 {
		c.Qualifier = parts[:len(parts)-1]
	}
	p.enter()
	open := p.open("")
	p.args(c, open)
	p.leave()
	p.callTail(c)
	return c
}

// args parses the arguments up to and with the closing parenthesis.
func (p *parser) args(c *Call, open int) {
	if p.op(")") || p.op("*") {
		c.Star = p.acceptOp("*")
		p.close(")", open)
		return
	}
	if p.accept("DISTINCT") {
		c.Distinct = true
	} else if p.is("ALL") {
		p.next()
	}
	c.Args = append(c.Args, p.arg())
	p.moreArgs(c, open)
}

// moreArgs parses what follows the first argument, up to and with the closing parenthesis.
func (p *parser) moreArgs(c *Call, open int) {
	for p.acceptOp(",") {
		c.Args = append(c.Args, p.arg())
	}
	if p.is("ORDER") {
		c.OrderBy = p.orderBy()
	}
	p.nullsClause()
	p.close(")", open)
}

// arg parses expression or name => expression.
func (p *parser) arg() Arg {
	if p.tok.kind == tkWord || p.tok.kind == tkQuoted {
		if next := p.peek(); next.op("=>") || next.op(":=") {
			name := p.tok.text
			if p.tok.kind == tkWord {
				name = strings.ToLower(name)
			}
			p.next()
			p.next()
			return Arg{Name: name, Expr: p.expr(0)}
		}
		if p.tok.isAny("SELECT", "WITH") {
			p.fail(p.tok.pos, "syntax error: found %s, expected an argument; a query as an argument needs parentheses of its own", p.tok.up)
		}
	}
	return Arg{Expr: p.expr(0)}
}

// nullsClause parses RESPECT NULLS, which is the default, and refuses IGNORE NULLS.
func (p *parser) nullsClause() {
	if p.is("IGNORE") && p.peek().is("NULLS") {
		p.unsupported(p.tok.pos, "IGNORE NULLS; filter them with FILTER (WHERE x IS NOT NULL)")
	}
	p.accept("RESPECT", "NULLS")
}

// callTail parses WITHIN GROUP (…), FILTER (…) and OVER … behind a call.
func (p *parser) callTail(c *Call) {
	p.nullsClause()
	if p.is("WITHIN") && p.peek().is("GROUP") {
		at := p.tok.pos
		p.next()
		p.next()
		if c.OrderBy != nil {
			p.fail(at, "syntax error: a call has one ORDER BY, inside its parentheses or in WITHIN GROUP")
		}
		p.enter()
		open := p.open("and ORDER BY")
		if !p.is("ORDER") {
			p.expected("ORDER BY")
		}
		c.OrderBy, c.WithinGroup = p.orderBy(), true
		p.close(")", open)
		p.leave()
	}
	if p.is("FILTER") && p.peek().op("(") {
		p.enter()
		p.next()
		open := p.open("")
		p.expect("WHERE", "after FILTER (")
		c.Filter = p.expr(0)
		p.close(")", open)
		p.leave()
	}
	if p.is("OVER") {
		p.next()
		if p.op("(") {
			c.Over = p.windowSpec()
		} else {
			at := p.pos()
			c.Over = &Window{Name: p.name("a window: OVER (…) or the name of one"), Pos: at}
		}
	}
}

// windowSpec parses ([name] [PARTITION BY …] [ORDER BY …] [frame]).
func (p *parser) windowSpec() *Window {
	p.enter()
	defer p.leave()
	w := &Window{Pos: p.pos()}
	open := p.open("and a window")
	if p.tok.kind == tkQuoted || p.tok.kind == tkWord && !reserved[p.tok.up] && !p.tok.isAny("PARTITION", "ROWS", "RANGE", "GROUPS") {
		w.Name = p.ident()
		p.next()
	}
	if p.accept("PARTITION") {
		p.expect("BY", "after PARTITION")
		w.PartitionBy = p.exprList()
	}
	if p.is("ORDER") {
		w.OrderBy = p.orderBy()
	}
	if p.tok.isAny("ROWS", "RANGE", "GROUPS") {
		w.Frame = p.frame()
	}
	p.close(")", open)
	return w
}

// The bounds of a frame, in the order in which they may follow each other.
const (
	unboundedPreceding = "UNBOUNDED PRECEDING"
	preceding          = "PRECEDING"
	currentRow         = "CURRENT ROW"
	following          = "FOLLOWING"
	unboundedFollowing = "UNBOUNDED FOLLOWING"
)

var boundOrder = map[string]int{unboundedPreceding: 0, preceding: 1, currentRow: 2, following: 3, unboundedFollowing: 4}

// frame parses ROWS|RANGE|GROUPS …; see Frame.
func (p *parser) frame() *Frame {
	f := &Frame{Unit: p.tok.up, End: Bound{Kind: currentRow}}
	p.next()
	at := p.tok.pos
	between := p.accept("BETWEEN")
	f.Start = p.bound()
	if between {
		p.expect("AND", "and the end of the frame")
		f.End = p.bound()
	}
	if boundOrder[f.Start.Kind] > boundOrder[f.End.Kind] || f.Start.Kind == unboundedFollowing || f.End.Kind == unboundedPreceding {
		p.fail(at, "a frame cannot begin at %s and end at %s", f.Start.Kind, f.End.Kind)
	}
	if p.accept("EXCLUDE") {
		switch {
		case p.accept("CURRENT", "ROW"):
			f.Exclude = currentRow
		case p.accept("GROUP"):
			f.Exclude = "GROUP"
		case p.accept("TIES"):
			f.Exclude = "TIES"
		case p.accept("NO", "OTHERS"):
		default:
			p.expected("CURRENT ROW, GROUP, TIES or NO OTHERS after EXCLUDE")
		}
	}
	return f
}

// bound parses one end of a frame.
func (p *parser) bound() Bound {
	switch {
	case p.accept("UNBOUNDED", "PRECEDING"):
		return Bound{Kind: unboundedPreceding}
	case p.accept("UNBOUNDED", "FOLLOWING"):
		return Bound{Kind: unboundedFollowing}
	case p.accept("CURRENT", "ROW"):
		return Bound{Kind: currentRow}
	}
	b := Bound{Offset: p.expr(precOp)}
	switch {
	case p.accept("PRECEDING"):
		b.Kind = preceding
	case p.accept("FOLLOWING"):
		b.Kind = following
	default:
		p.expected("PRECEDING or FOLLOWING")
	}
	return b
}

// callWithoutParens parses CURRENT_DATE and its kin; parentheses, and a precision in them, may follow.
func (p *parser) callWithoutParens() Expr {
	id := p.ident()
	p.next()
	if p.op("(") {
		return p.callNamed([]Ident{id})
	}
	return &Call{Name: strings.ToLower(id.Name), Pos: id.Pos}
}

// special begins a call whose arguments may be separated by words. It returns nil, having moved
// nothing, where the word is a name.
func (p *parser) special() (c *Call, open int) {
	if !p.peek().op("(") {
		return nil, 0
	}
	c = &Call{Name: strings.ToLower(p.tok.text), Pos: p.pos()}
	p.next()
	p.enter()
	return c, p.open("")
}

// finish ends a call that special began: with further plain arguments where the first one came
// without a word behind it, else at the closing parenthesis.
func (p *parser) finish(c *Call, open int, plain bool) Expr {
	switch {
	case !plain:
		p.close(")", open)
	case len(c.Args) > 0:
		p.moreArgs(c, open)
	default:
		p.args(c, open)
	}
	p.leave()
	p.callTail(c)
	return c
}

func positional(xs ...Expr) []Arg {
	args := make([]Arg, 0, len(xs))
	for _, x := range xs {
		if x != nil {
			args = append(args, Arg{Expr: x})
		}
	}
	return args
}

// extract parses EXTRACT(field FROM x).
func (p *parser) extract() Expr {
	c, open := p.special()
	if c == nil {
		return nil
	}
	if (p.tok.kind == tkWord || p.tok.kind == tkString || p.tok.kind == tkQuoted) && p.peek().is("FROM") {
		field := &String{Value: strings.ToLower(p.tok.text), Pos: p.pos()}
		p.next()
		p.next()
		c.Args = positional(field, p.expr(0))
		return p.finish(c, open, false)
	}
	return p.finish(c, open, true)
}

// substring parses SUBSTRING(x FROM a [FOR b]) and SUBSTRING(x FOR b [FROM a]).
func (p *parser) substring() Expr {
	c, open := p.special()
	if c == nil {
		return nil
	}
	if p.op(")") || p.op("*") || p.tok.isAny("DISTINCT", "ALL") {
		return p.finish(c, open, true)
	}
	first := p.arg()
	var from, length Expr
	for p.tok.isAny("FROM", "FOR") {
		if p.is("FROM") && from == nil {
			p.next()
			from = p.expr(0)
		} else if p.is("FOR") && length == nil {
			p.next()
			length = p.expr(0)
		} else {
			p.expected(")")
		}
	}
	c.Args = []Arg{first}
	if from == nil && length == nil {
		return p.finish(c, open, true)
	}
	if from == nil {
		from = &Number{Text: "1", Pos: length.Position()}
	}
	c.Args = append(c.Args, positional(from, length)...)
	return p.finish(c, open, false)
}

// position parses POSITION(a IN x).
func (p *parser) position() Expr {
	c, open := p.special()
	if c == nil {
		return nil
	}
	if p.op(")") || p.op("*") || p.tok.isAny("DISTINCT", "ALL") || p.peek().op("=>") || p.peek().op(":=") {
		return p.finish(c, open, true)
	}
	x := p.expr(precRange + 1)
	if p.accept("IN") {
		c.Args = positional(x, p.expr(0))
		return p.finish(c, open, false)
	}
	c.Args = positional(p.infix(x, 0))
	return p.finish(c, open, true)
}

// trim parses TRIM([BOTH|LEADING|TRAILING] [chars] [FROM] x).
func (p *parser) trim() Expr {
	c, open := p.special()
	if c == nil {
		return nil
	}
	side := ""
	if p.tok.isAny("BOTH", "LEADING", "TRAILING") {
		if next := p.peek(); next.is("FROM") || p.startsOperand(next) && !(next.kind == tkOp && next.text != "(") {
			side = p.tok.up
			p.next()
		}
	}
	switch side {
	case "LEADING":
		c.Name = "ltrim"
	case "TRAILING":
		c.Name = "rtrim"
	}
	if side == "" && (p.op(")") || p.op("*") || p.tok.isAny("DISTINCT", "ALL")) {
		return p.finish(c, open, true)
	}
	if p.accept("FROM") {
		c.Args = positional(p.expr(0))
		return p.finish(c, open, true)
	}
	first := p.arg()
	if p.accept("FROM") {
		c.Args = positional(p.expr(0), first.Expr)
		return p.finish(c, open, false)
	}
	c.Args = []Arg{first}
	return p.finish(c, open, true)
}

// overlay parses OVERLAY(x PLACING y FROM a [FOR b]).
func (p *parser) overlay() Expr {
	c, open := p.special()
	if c == nil {
		return nil
	}
	if p.op(")") || p.op("*") || p.tok.isAny("DISTINCT", "ALL") {
		return p.finish(c, open, true)
	}
	c.Args = []Arg{p.arg()}
	if !p.accept("PLACING") {
		return p.finish(c, open, true)
	}
	y := p.expr(0)
	p.expect("FROM", "and a position in OVERLAY")
	from := p.expr(0)
	var length Expr
	if p.accept("FOR") {
		length = p.expr(0)
	}
	c.Args = append(c.Args, positional(y, from, length)...)
	return p.finish(c, open, false)
}
