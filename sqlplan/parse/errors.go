package parse

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"lanceflight/internal/fault"
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

// expected ends the parse at the current token, which is not what is needed. Advice for well-known
// slips comes before the general sentence.
func (p *parser) expected(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if a := p.advice(); a != "" {
		p.fail(p.tok.pos, "syntax error: found %s, expected %s; %s", p.tok.describe(), what, a)
	}
	p.fail(p.tok.pos, "syntax error: found %s, expected %s", p.tok.describe(), what)
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
		return "the name " + quoteName(clip(t.text))
	case tkParam:
		return "the parameter " + t.text
	case tkWord:
		if reserved[t.up] {
			return t.up
		}
		return strconv.Quote(clip(t.text))
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
	"&&":     "write AND",
	"!":      "write NOT",
	"**":     "write ^ for a power",
	"//":     "write /, which truncates between integers",
	"!~~":    "write NOT LIKE",
	"~~":     "write LIKE",
	"~~*":    "write ILIKE",
	"#":      "comments begin with --",
	"@":      "write \"name@5\" in double quotes, or name FOR VERSION AS OF 5",
	"{":      "structs are written struct_pack(a := 1), dates DATE '2026-01-01'",
	":":      "parameters are written ? or $1",
	"=>":     "only arguments of functions have names; at least is >=",
	"GLOB":   "write LIKE, or ~ with a regular expression",
	"REGEXP": "write ~ with a regular expression",
	"RLIKE":  "write ~ with a regular expression",
	"DIV":    "write /, which truncates between integers",
	"XOR":    "write a != b for two booleans",
	"APPLY":  "write JOIN LATERAL (…) ON TRUE",
	"]":      "nothing is open that it could close",
	"}":      "nothing is open that it could close",
}

// clauses in the order in which a query has them.
var clauses = []string{"WITH", "SELECT", "FROM", "WHERE", "GROUP", "HAVING", "QUALIFY", "WINDOW", "UNION", "INTERSECT", "EXCEPT", "ORDER", "LIMIT", "OFFSET", "FETCH"}

const clauseOrder = "the order of clauses is WITH, SELECT, FROM, WHERE, GROUP BY, HAVING, WINDOW, QUALIFY, UNION, ORDER BY, LIMIT, OFFSET"

// advice looks at the offending token, and the alias before it, for a slip that is easily named.
func (p *parser) advice() string {
	t := p.tok
	key := t.text
	if t.kind == tkWord {
		key = t.up
	}
	if t.kind == tkWord || t.kind == tkOp {
		if a, ok := instead[key]; ok {
			return a
		}
	}
	prev := strings.TrimRight(p.lex.src[:p.prevEnd], " \t\r\n")
	switch {
	case p.aliasAt >= 0 && p.aliasText != "" && instead[p.aliasText] != "" && p.prevEnd == p.aliasAt+len(p.aliasText):
		return instead[p.aliasText]
	case t.kind == tkNumber && strings.EqualFold(lastWord(prev), "top"):
		return "write LIMIT at the end of the query"
	case t.kind == tkWord && reserved[t.up] && strings.HasSuffix(prev, ","):
		return "the comma before it is one too many"
	case t.kind == tkWord && reserved[t.up] && !isClause(t.up):
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

func lastWord(s string) string {
	i := len(s)
	for i > 0 && (isWordStart(s[i-1]) || isDigit(s[i-1])) {
		i--
	}
	return s[i:]
}

// end checks that the statement ends here, a semicolon or several aside.
func (p *parser) end() {
	semicolon := -1
	for p.op(";") {
		semicolon = p.tok.pos
		p.next()
	}
	switch {
	case p.tok.kind == tkEOF:
		return
	case semicolon >= 0:
		p.fail(p.tok.pos, "a second statement begins here; send statements one at a time")
	case p.op(")"):
		p.fail(p.tok.pos, "syntax error: this ) closes nothing")
	case p.tok.kind == tkWord && isClause(p.tok.up) && !p.is("WITH") && !p.is("SELECT"):
		p.fail(p.tok.pos, "syntax error: %s cannot stand here; %s", p.tok.up, clauseOrder)
	case p.tok.kind == tkWord && statementHeads[p.tok.up] != nil:
		p.fail(p.tok.pos, "syntax error: a second statement seems to begin here; send statements one at a time")
	case p.tok.kind == tkString:
		p.fail(p.tok.pos, "syntax error: found the string '%s', expected the end of the statement; aliases are names, in double quotes if need be, and strings join with ||", clip(p.tok.text))
	}
	p.expected("an operator, a comma, the next clause or the end of the statement")
}
