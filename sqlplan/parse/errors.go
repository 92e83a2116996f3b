package parse

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"lanceflight/internal/fault"
	"lanceflight/internal/sqlname"
)

func (p *parser) bail(err error) { panic(bailout{err}) }

// fail ends the parse with an InvalidArgument at a byte offset.
func (p *parser) fail(pos int, format string, args ...any) {
	p.bail(fault.At(fault.InvalidArgument, pos, format, args...))
}

// unsupported ends the parse: the clause is SQL, and is not done here.
func (p *parser) unsupported(pos int, format string, args ...any) {
	p.bail(fault.At(fault.Unsupported, pos, format, args...))
}

// expected ends the parse at the current token, which is not what is needed. A word or operator of
// another dialect is answered with what to write here, other well-known slips with advice behind
// the general sentence.
func (p *parser) expected(format string, args ...any) {
	t := p.tok
	if a := p.foreign(t); a != "" {
		p.fail(t.pos, "syntax error: found %s; %s", t.describe(), a)
	}
	what := fmt.Sprintf(format, args...)
	if a := p.advice(what); a != "" {
		p.fail(t.pos, "syntax error: found %s, expected %s; %s", t.describe(), what, a)
	}
	p.fail(t.pos, "syntax error: found %s, expected %s", t.describe(), what)
}

// describe names a token in a message.
func (t token) describe() string {
	switch t.kind {
	case tkEOF:
		return "the end of the statement"
	case tkString:
		return "the string '" + clip(t.text) + "'"
	case tkBytes:
		return "the bytes X'…'"
	case tkNumber:
		return "the number " + clip(t.text)
	case tkQuoted:
		return "the name " + sqlname.Quote(clip(t.text))
	case tkParam:
		return "the parameter " + t.text
	case tkWord:
		if reserved[t.up] {
			return t.up
		}
		return strconv.Quote(clip(t.text))
	}
	if t.text == "," {
		return "a comma"
	}
	return t.text
}

// clip shortens text for a message, at a character's edge.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// instead says what to write for an operator or word of another dialect.
var instead = map[string]string{
	"==":     "write = to compare",
	"!":      "write NOT",
	"**":     "write ^ for a power",
	"//":     "write /, which truncates between integers",
	"!~~":    "write NOT LIKE",
	"~~":     "write LIKE",
	"~~*":    "write ILIKE",
	"#":      "comments begin with --",
	"@":      "write \"name@5\" in double quotes, or name FOR VERSION AS OF 5",
	"{":      "structs and maps cannot be written out; dates are DATE '2026-01-01'",
	":":      "parameters are written ? or $1",
	"=>":     "only arguments of functions have names; at least is >=",
	"GLOB":   "write LIKE, or ~ with a regular expression",
	"REGEXP": "write ~ with a regular expression",
	"RLIKE":  "write ~ with a regular expression",
	"DIV":    "write /, which truncates between integers",
	"XOR":    "write a != b for two booleans",
	"OUTER":  "write LEFT, RIGHT or FULL OUTER JOIN",
	"APPLY":  "write JOIN LATERAL (…) ON TRUE",
}

// foreign looks a token up in instead. A word of another dialect may have been taken for an alias
// already: a REGEXP 'x'.
func (p *parser) foreign(t token) string {
	switch t.kind {
	case tkWord:
		return instead[t.up]
	case tkOp:
		return instead[t.text]
	}
	return ""
}

// clauses in the order in which a query has them.
var clauses = []string{
	"WITH",
	"SELECT",
	"FROM",
	"WHERE",
	"GROUP",
	"HAVING",
	"QUALIFY",
	"WINDOW",
	"UNION",
	"INTERSECT",
	"EXCEPT",
	"ORDER",
	"LIMIT",
	"OFFSET",
	"FETCH",
}

const clauseOrder = "the order of clauses is WITH, SELECT, FROM, WHERE, GROUP BY, HAVING, WINDOW, QUALIFY, UNION, ORDER BY, LIMIT, OFFSET"

// advice looks at the offending token and the one before it for a slip that is easily named. what is
// what was expected.
func (p *parser) advice(what string) string {
	t := p.tok
	comma := p.prevEnd > 0 && p.lex.src[p.prevEnd-1] == ','
	switch {
	case p.aliasEnd == p.prevEnd && nearest(p.alias, clauses) != "":
		return fmt.Sprintf("was %s meant to be %s?", p.alias, nearest(p.alias, clauses))
	case t.kind == tkNumber && p.prevEnd >= 3 && strings.EqualFold(p.lex.src[p.prevEnd-3:p.prevEnd], "top"):
		return "write LIMIT at the end of the query"
	case comma && (t.kind == tkWord && reserved[t.up] || t.kind == tkEOF || t.op(")") || t.op("]")):
		return "the comma before it is one too many"
	case t.kind == tkWord && reserved[t.up] && !isClause(t.up) &&
		(strings.HasPrefix(what, "a name") || strings.HasPrefix(what, "an alias") || strings.HasPrefix(what, "a table") ||
			strings.HasPrefix(what, "a column")):
		return fmt.Sprintf("%s is a keyword: as a name it needs double quotes", t.up)
	}
	return ""
}

func isClause(up string) bool {
	for _, c := range clauses {
		if c == up {
			return true
		}
	}
	return false
}

// end checks that the statement ends here, a semicolon or several aside.
func (p *parser) end(st Statement) {
	semicolon := -1
	for p.op(";") {
		semicolon = p.tok.pos
		p.next()
	}
	t := p.tok
	switch {
	case t.kind == tkEOF:
		return
	case semicolon >= 0:
		p.fail(t.pos, "a second statement begins here; send statements one at a time")
	case t.op(")"), t.op("]"), t.op("}"):
		p.fail(t.pos, "syntax error: this %s closes nothing", t.text)
	}
	if x, ok := st.(*Explain); ok {
		st = x.Statement
	}
	if _, ok := st.(*Query); !ok {
		p.expected("the end of the statement")
	}
	switch {
	case t.kind == tkWord && isClause(t.up) && t.up != "WITH" && t.up != "SELECT":
		p.fail(t.pos, "syntax error: %s cannot stand here; %s", t.up, clauseOrder)
	case t.kind == tkWord && statementHeads[t.up] != nil:
		p.fail(t.pos, "syntax error: a second statement seems to begin here; send statements one at a time")
	case t.kind == tkString:
		p.fail(
			t.pos,
			"syntax error: found %s, expected the end of the statement; aliases are names, in double quotes if need be, and strings join with ||",
			t.describe(),
		)
	}
	p.expected("an operator, a comma, the next clause or the end of the statement")
}
