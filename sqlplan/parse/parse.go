package parse

import (
	"strings"
	"unicode/utf8"

	"lanceflight/internal/fault"
)

// Options bound what Parse accepts; the zero value means the defaults.
type Options struct {
	MaxBytes  int // length of the text outside literals; default 1 MiB
	MaxDepth  int // nesting of expressions and queries, unary operators and CASE included; default 150
	MaxHeight int // levels of the finished tree; a chain a + b + c … makes one per operator; default 4096
}

func (o Options) withDefaults() Options {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 1 << 20
	}
	if o.MaxDepth <= 0 {
		o.MaxDepth = 150
	}
	if o.MaxHeight <= 0 {
		o.MaxHeight = 4096
	}
	return o
}

// Parse parses one statement with the default Options.
//
// Errors are *fault.Error with the statement and the position filled in: InvalidArgument where the
// text is no SQL (what was found, what was expected, what works instead), Unsupported for legal
// clauses that the tree has no place for, ResourceExhausted where a bound of Options was hit.
// Statements that are known but not supported as a whole are no error: see Unsupported.
func Parse(sql string) (Statement, error) { return ParseWith(sql, Options{}) }

// ParseWith parses one statement within the bounds of o.
func ParseWith(sql string, o Options) (st Statement, err error) {
	defer func() {
		if r := recover(); r != nil {
			b, ok := r.(bailout)
			if !ok {
				panic(r)
			}
			st, err = nil, fault.WithSQL(b.err, sql)
		}
	}()
	p := newParser(sql, o)
	st = p.statement()
	p.end(st)
	p.checkHeight(st)
	return st, nil
}

// ParseExpr parses one expression alone, within the default Options: for filters and settings that
// hold an expression without a statement around it.
func ParseExpr(sql string) (e Expr, err error) {
	defer func() {
		if r := recover(); r != nil {
			b, ok := r.(bailout)
			if !ok {
				panic(r)
			}
			e, err = nil, fault.WithSQL(b.err, sql)
		}
	}()
	p := newParser(sql, Options{})
	e = p.expr(0)
	if p.tok.kind != tkEOF {
		p.expected("the end of the expression")
	}
	p.checkHeight(e)
	return e, nil
}

// bailout carries an error from anywhere in the parser to the door; nothing else recovers it.
type bailout struct{ err error }

// parser holds the token it looks at and the lexer behind it.
type parser struct {
	lex      lexer
	tok      token
	prevEnd  int // where the token before tok ended
	literals int // bytes of the literals before tok
	depth    int
	opt      Options

	questions int // parameters written ?, so far
	dollars   bool
	alias     string // the last alias that was taken without AS, for advice, and
	aliasEnd  int    // where it ended; -1 = there was none
}

func newParser(sql string, o Options) *parser {
	p := &parser{lex: lexer{src: sql}, opt: o.withDefaults(), aliasEnd: -1}
	if i := strings.IndexByte(sql, 0); i >= 0 {
		p.fail(i, "the statement contains a NUL byte")
	}
	if !utf8.ValidString(sql) {
		for i, r := range sql {
			if r == utf8.RuneError {
				if _, n := utf8.DecodeRuneInString(sql[i:]); n == 1 {
					p.fail(i, "the statement is not valid UTF-8: byte 0x%02x", sql[i])
				}
			}
		}
	}
	p.next()
	return p
}

// next moves to the next token.
func (p *parser) next() {
	switch p.tok.kind {
	case tkString, tkNumber, tkBytes:
		p.literals += p.tok.end - p.tok.pos
	}
	p.prevEnd = p.tok.end
	tok, err := p.lex.next()
	outside := tok.end - p.literals
	if tok.kind == tkString || tok.kind == tkBytes || tok.kind == tkNumber {
		outside = tok.pos - p.literals
	}
	if outside > p.opt.MaxBytes {
		p.bail(fault.At(fault.ResourceExhausted, min(p.opt.MaxBytes+p.literals, len(p.lex.src)),
			"the statement is longer than %d bytes, strings and numbers not counted; bind long lists as parameters", p.opt.MaxBytes))
	}
	if err != nil {
		p.bail(err)
	}
	p.tok = tok
}

// peek returns the token after p.tok; a token that does not lex is an end of text.
func (p *parser) peek() token {
	l := p.lex
	t, err := l.next()
	if err != nil {
		return token{}
	}
	return t
}

// peek2 returns the two tokens after p.tok.
func (p *parser) peek2() (token, token) {
	l := p.lex
	t, err := l.next()
	if err != nil {
		return token{}, token{}
	}
	u, err := l.next()
	if err != nil {
		return t, token{}
	}
	return t, u
}

func (t token) is(word string) bool { return t.kind == tkWord && t.up == word }
func (t token) op(op string) bool   { return t.kind == tkOp && t.text == op }

func (t token) isAny(words ...string) bool {
	if t.kind == tkWord {
		for _, w := range words {
			if t.up == w {
				return true
			}
		}
	}
	return false
}

// is says whether the current token is the keyword.
func (p *parser) is(word string) bool { return p.tok.is(word) }

// op says whether the current token is the operator or mark.
func (p *parser) op(op string) bool { return p.tok.op(op) }

// accept moves over the keywords if they all come next, in this order; at most three.
func (p *parser) accept(words ...string) bool {
	if !p.tok.is(words[0]) {
		return false
	}
	l := p.lex
	for _, w := range words[1:] {
		if t, err := l.next(); err != nil || !t.is(w) {
			return false
		}
	}
	for range words {
		p.next()
	}
	return true
}

// acceptOp moves over the operator or mark if it comes next.
func (p *parser) acceptOp(op string) bool {
	if !p.tok.op(op) {
		return false
	}
	p.next()
	return true
}

// expect moves over the keyword, or fails. what says what it is needed for ("" = nothing to say).
func (p *parser) expect(word, what string) {
	if !p.accept(word) {
		if what != "" {
			word += " " + what
		}
		p.expected("%s", word)
	}
}

// expectOp moves over the mark, or fails.
func (p *parser) expectOp(op, what string) {
	if !p.acceptOp(op) {
		if what != "" {
			op += " " + what
		}
		p.expected("%s", op)
	}
}

// open moves over "(" and returns its place for close.
func (p *parser) open(what string) int {
	at := p.tok.pos
	p.expectOp("(", what)
	return at
}

// close moves over the bracket that closes the one at open.
func (p *parser) close(bracket string, open int) {
	if p.acceptOp(bracket) {
		return
	}
	if p.tok.kind == tkEOF || p.op(";") {
		p.fail(open, "the %c that opens here is not closed by %s", p.lex.src[open], bracket)
	}
	p.expected("%s to close the %c at byte %d", bracket, p.lex.src[open], open)
}

// enter counts one level of nesting; every enter has its leave.
func (p *parser) enter() {
	p.depth++
	if p.depth > p.opt.MaxDepth {
		p.bail(
			fault.At(
				fault.ResourceExhausted,
				p.tok.pos,
				"the statement nests deeper than %d levels (parentheses, unary operators, CASE, subqueries)",
				p.opt.MaxDepth,
			),
		)
	}
}

func (p *parser) leave() { p.depth-- }

func (p *parser) pos() Pos { return Pos(p.tok.pos) }
