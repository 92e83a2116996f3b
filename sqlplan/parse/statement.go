package parse

import "strings"

// head parses the statements that begin with a certain word; what is left to the caller is the end.
type head func(p *parser) Statement

// statementHeads says, for each word that can begin a statement, how it goes on. It is filled in by
// init because the parsers look words up in it themselves (EXPLAIN, advice).
var statementHeads map[string]head

func init() {
	query := func(p *parser) Statement { return p.query() }
	statementHeads = map[string]head{
		"SELECT": query, "WITH": query, "VALUES": query, "FROM": query, "TABLE": query,
		"EXPLAIN": (*parser).explain, "SHOW": (*parser).show,
		"DESCRIBE": (*parser).describe, "DESC": (*parser).describe,
		"SET": (*parser).set, "RESET": (*parser).reset, "USE": (*parser).use,
	}
	// Heads of more than one word: the words that belong to the head's name, in any order, after
	// the first. OR REPLACE, TEMP and the like are passed over.
	for word, second := range map[string]string{
		"INSERT": "INTO", "UPDATE": "", "DELETE": "FROM", "MERGE": "INTO", "REPLACE": "INTO", "UPSERT": "INTO",
		"CREATE": objects, "ALTER": objects, "DROP": objects, "COMMENT": "ON", "TRUNCATE": "TABLE",
		"OPTIMIZE": "", "VACUUM": "", "RESTORE": "TABLE", "ANALYZE": "", "SUMMARIZE": "", "CHECKPOINT": "", "REINDEX": "",
		"CLUSTER": "", "REFRESH": "MATERIALIZED VIEW",
		"BEGIN": "", "START": "TRANSACTION", "COMMIT": "", "ROLLBACK": "", "ABORT": "", "SAVEPOINT": "", "RELEASE": "SAVEPOINT",
		"COPY": "", "EXPORT": "DATABASE", "IMPORT": "DATABASE", "ATTACH": "", "DETACH": "", "LOAD": "", "INSTALL": "", "PRAGMA": "",
		"PREPARE": "", "EXECUTE": "", "DEALLOCATE": "", "DECLARE": "", "FETCH": "", "CLOSE": "", "CALL": "", "DO": "", "DISCARD": "ALL",
		"GRANT": "", "REVOKE": "", "LOCK": "TABLE", "LISTEN": "", "NOTIFY": "", "UNLISTEN": "", "PIVOT": "", "UNPIVOT": "",
		"KILL": "", "CACHE": "TABLE",
	} {
		statementHeads[word] = func(p *parser) Statement { return p.known(second) }
	}
}

// objects are what CREATE, ALTER and DROP work on.
const objects = "TABLE VIEW INDEX TAG BRANCH SCHEMA DATABASE CATALOG SEQUENCE TYPE FUNCTION " +
	"MACRO SECRET EXTENSION ROLE USER TRIGGER POLICY MATERIALIZED"

// heads are the words offered in place of one that begins no statement.
var heads = []string{
	"SELECT",
	"WITH",
	"VALUES",
	"FROM",
	"EXPLAIN",
	"SHOW",
	"DESCRIBE",
	"SET",
	"RESET",
	"USE",
	"INSERT",
	"UPDATE",
	"DELETE",
	"CREATE",
}

// statement parses what begins at the first token.
func (p *parser) statement() Statement {
	t := p.tok
	switch {
	case t.kind == tkEOF || t.op(";"):
		p.fail(t.pos, "the statement is empty")
	case t.op("("):
		return p.query()
	case t.kind == tkWord:
		if h := statementHeads[t.up]; h != nil {
			return h(p)
		}
		if near := nearest(t.up, heads); near != "" {
			p.fail(t.pos, "syntax error: found %s, which begins no statement; did you mean %s?", t.describe(), near)
		}
	}
	p.expected("a statement: SELECT, WITH, VALUES, EXPLAIN, SHOW, DESCRIBE, SET, RESET or USE")
	return nil
}

// known passes over a statement that is recognised by its head only. Its text need not be SQL that
// we know, so an error of the lexer ends the pass without becoming the answer.
func (p *parser) known(second string) Statement {
	st := &Unsupported{What: p.tok.up, Pos: p.pos()}
	p.next()
	for p.tok.isAny("OR", "REPLACE", "TEMP", "TEMPORARY", "UNIQUE", "EXTERNAL", "LOCAL", "GLOBAL", "UNLOGGED", "RECURSIVE",
		"PERSISTENT") && second == objects {
		p.next()
	}
	for p.tok.kind == tkWord && p.tok.up != "" && containsWord(second, p.tok.up) {
		st.What += " " + p.tok.up
		materialized := p.is("MATERIALIZED")
		p.next()
		if !materialized {
			break
		}
	}
	for p.tok.kind != tkEOF && !p.op(";") {
		tok, err := p.lex.next()
		if err != nil {
			tok = token{pos: len(p.lex.src), end: len(p.lex.src)}
			p.lex.pos = tok.pos
		}
		p.tok = tok
	}
	return st
}

func containsWord(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}

// explain parses EXPLAIN [ANALYZE] [VERBOSE] [(options)] statement.
func (p *parser) explain() Statement {
	x := &Explain{Pos: p.pos()}
	p.next()
	for {
		switch {
		case p.accept("ANALYZE"):
			x.Analyze = true
			continue
		case p.accept("VERBOSE"):
			x.Verbose = true
			continue
		case p.is("FORMAT"):
			p.fail(p.tok.pos, "syntax error: the format goes into parentheses: EXPLAIN (FORMAT JSON) …")
		case p.op("(") && explainOption[p.peek().up]:
			p.explainOptions(x)
		}
		break
	}
	if p.tok.kind == tkEOF || p.op(";") {
		p.expected("the statement to explain")
	}
	if p.is("EXPLAIN") {
		p.fail(p.tok.pos, "syntax error: EXPLAIN cannot explain itself")
	}
	x.Statement = p.statement()
	return x
}

var explainOption = set("FORMAT ANALYZE VERBOSE COSTS BUFFERS TIMING SUMMARY SETTINGS WAL")

// explainOptions parses (FORMAT JSON|TEXT, ANALYZE [on|off], VERBOSE [on|off]).
func (p *parser) explainOptions(x *Explain) {
	open := p.open("")
	for {
		name, at := p.tok.up, p.tok.pos
		if p.tok.kind != tkWord {
			p.expected("an option: FORMAT, ANALYZE or VERBOSE")
		}
		p.next()
		switch name {
		case "FORMAT":
			p.acceptOp("=")
			p.acceptOp("=>")
			what := p.tok.text
			if p.tok.kind != tkWord && p.tok.kind != tkString {
				p.expected("JSON or TEXT")
			}
			switch strings.ToUpper(what) {
			case "JSON":
				x.JSON = true
			case "TEXT":
				x.JSON = false
			default:
				p.fail(p.tok.pos, "EXPLAIN knows the formats JSON and TEXT, not %s", clip(what))
			}
			p.next()
		case "ANALYZE":
			x.Analyze = p.onOff()
		case "VERBOSE":
			x.Verbose = p.onOff()
		default:
			p.unsupported(at, "EXPLAIN's option %s; FORMAT, ANALYZE and VERBOSE are known", clip(name))
		}
		if !p.acceptOp(",") {
			break
		}
	}
	p.close(")", open)
}

// onOff parses the optional value of a switch; nothing means on.
func (p *parser) onOff() bool {
	on := true
	switch {
	case p.op(",") || p.op(")"):
		return true
	case p.tok.isAny("ON", "TRUE") || p.tok.kind == tkNumber && p.tok.text == "1":
	case p.tok.isAny("OFF", "FALSE") || p.tok.kind == tkNumber && p.tok.text == "0":
		on = false
	default:
		p.expected("on or off")
	}
	p.next()
	return on
}

var (
	showOfTable  = set("VERSIONS TAGS BRANCHES INDEXES FRAGMENTS COLUMNS")
	showOfSchema = set("TABLES SCHEMAS DATABASES CATALOGS FUNCTIONS VIEWS ALL")
)

// show parses SHOW …; see Show.
func (p *parser) show() Statement {
	s := &Show{Pos: p.pos()}
	p.next()
	what, at := p.tok.up, p.tok.pos
	switch {
	case p.tok.kind == tkWord && showOfTable[what]:
		p.next()
		s.What = what
		if !p.accept("FROM") && !p.accept("IN") {
			p.expected("FROM and a table: SHOW %s FROM train", what)
		}
		name := p.tableName()
		s.Table = &name
		s.Like = p.showLike()
	case p.tok.kind == tkWord && showOfSchema[what]:
		p.next()
		if what == "ALL" && p.accept("TABLES") {
			what = "TABLES"
		}
		s.What = what
		if p.accept("FROM") || p.accept("IN") {
			s.Table = p.schemaName()
		}
		s.Like = p.showLike()
	case p.is("CREATE"):
		p.unsupported(at, "SHOW CREATE; DESCRIBE t lists the columns of a table")
	case p.accept("TIME", "ZONE"):
		s.What = "timezone"
	case p.accept("TRANSACTION", "ISOLATION", "LEVEL"):
		s.What = "transaction_isolation"
	default:
		s.What = p.settingName()
		if p.tok.isAny("FROM", "IN") {
			p.fail(
				at,
				"SHOW %s FROM is not known; SHOW … FROM lists VERSIONS, TAGS, BRANCHES, INDEXES, FRAGMENTS, COLUMNS or TABLES",
				strings.ToUpper(clip(s.What)),
			)
		}
	}
	return s
}

func (p *parser) showLike() *String {
	if !p.accept("LIKE") {
		return nil
	}
	if p.tok.kind != tkString {
		p.expected("a pattern in single quotes")
	}
	s := &String{Value: p.tok.text, Pos: p.pos()}
	p.next()
	return s
}

// schemaName parses [catalog.]schema.
func (p *parser) schemaName() *TableName {
	n := &TableName{Pos: p.pos()}
	n.Schema = p.name("a schema")
	if p.acceptOp(".") {
		n.Catalog, n.Schema = n.Schema, p.label("a schema")
	}
	return n
}

// settingName parses name or name.name; the result is in lower case.
func (p *parser) settingName() string {
	var parts []string
	for {
		if p.tok.kind != tkWord && p.tok.kind != tkQuoted {
			p.expected("the name of a setting")
		}
		parts = append(parts, strings.ToLower(p.tok.text))
		p.next()
		if !p.acceptOp(".") {
			return strings.Join(parts, ".")
		}
	}
}

// describe parses DESCRIBE [TABLE] t, DESCRIBE query.
func (p *parser) describe() Statement {
	d := &Describe{Pos: p.pos()}
	p.next()
	at := p.tok.pos
	if !p.is("TABLE") && p.startsQuery() || p.op("(") {
		d.Table = &Derived{Query: p.query(), Pos: Pos(at)}
		return d
	}
	p.accept("TABLE")
	t := &NamedTable{Name: p.tableName(), Pos: p.pos()}
	t.Pos = t.Name.Pos
	t.AsOf = p.asOf()
	d.Table = t
	return d
}

// set parses SET [SESSION|LOCAL|GLOBAL] name =|TO value, and the forms of PostgreSQL without a name.
func (p *parser) set() Statement {
	s := &Set{Pos: p.pos()}
	p.next()
	next := p.peek()
	if p.tok.isAny("TRANSACTION", "CONSTRAINTS", "ROLE") && !next.op("=") && !next.is("TO") ||
		p.is("SESSION") && next.isAny("CHARACTERISTICS", "AUTHORIZATION") {
		u := p.known("TRANSACTION CHARACTERISTICS AUTHORIZATION").(*Unsupported)
		u.What, u.Pos = "SET "+u.What, s.Pos
		return u
	}
	if p.tok.isAny("SESSION", "LOCAL", "GLOBAL") && (next.kind == tkWord || next.kind == tkQuoted) && !next.is("TO") {
		p.next()
	}
	if p.accept("TIME", "ZONE") {
		s.Name = "timezone"
	} else {
		s.Name = p.settingName()
		// SET SCHEMA 'main', SET NAMES 'utf8' have no sign between name and value.
		if !p.acceptOp("=") && !p.accept("TO") && !(p.tok.kind == tkString && (s.Name == "schema" || s.Name == "catalog" || s.Name == "names")) {
			p.expected("= or TO and a value")
		}
	}
	if p.accept("DEFAULT") {
		s.Reset = true
		return s
	}
	at := p.pos()
	values := []Expr{p.settingValue()}
	for p.acceptOp(",") {
		values = append(values, p.settingValue())
	}
	s.Value = values[0]
	if len(values) > 1 {
		list := &Array{Items: values, Pos: at}
		s.Value = list
		if v := vectorOf(list); v != nil {
			s.Value = v
		}
	}
	return s
}

// settingValue parses an expression; a bare word alone is the string of its letters.
func (p *parser) settingValue() Expr {
	if next := p.peek(); (p.tok.kind == tkWord && !p.tok.isAny("NULL", "TRUE", "FALSE") || p.tok.kind == tkQuoted) &&
		(next.kind == tkEOF || next.op(";") || next.op(",")) {
		s := &String{Value: p.tok.text, Pos: p.pos()}
		p.next()
		return s
	}
	return p.expr(0)
}

// reset parses RESET name and RESET ALL.
func (p *parser) reset() Statement {
	s := &Set{Reset: true, Pos: p.pos()}
	p.next()
	if p.accept("TIME", "ZONE") {
		s.Name = "timezone"
	} else {
		s.Name = p.settingName()
	}
	return s
}

// use parses USE [catalog.]schema.
func (p *parser) use() Statement {
	u := &Use{Pos: p.pos()}
	p.next()
	u.Name = *p.schemaName()
	return u
}

// nearest returns the keyword that is one or two slips away from word, or "".
func nearest(word string, keywords []string) string {
	best, most := "", 2
	if len(word) < 5 {
		most = 1
	}
	for _, k := range keywords {
		if d := slips(upper(word), k); d <= most && d < len(word) {
			best, most = k, d-1
		}
	}
	return best
}

// slips counts the letters to insert, drop, replace or swap with their neighbour to make b of a
// (the optimal string alignment distance).
func slips(a, b string) int {
	if len(a) > 2*len(b) {
		return len(a)
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
