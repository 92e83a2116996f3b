package parse

import (
	"strings"
	"unicode/utf8"

	"lanceflight/internal/fault"
)

// tokenKind says what a token is.
type tokenKind uint8

const (
	tkEOF    tokenKind = iota // the end of the statement's text
	tkWord                    // a bare word, keyword or name: text as written, up in upper case
	tkQuoted                  // "name" or `name`: text without quotes and escapes
	tkNumber                  // text normalised by number()
	tkString                  // '…', E'…', $$…$$: text unescaped
	tkBytes                   // X'…': text is the bytes
	tkParam                   // ? (num 0) or $n (num n)
	tkOp                      // an operator or a punctuation mark
)

// token is one lexical element of src[pos:end].
type token struct {
	kind     tokenKind
	pos, end int
	text     string
	up       string // tkWord: ASCII upper case; else empty
	num      int    // tkParam
	// hint is the text between "/*+" and "*/" when such a comment stands before the token, and
	// hintPos where that text begins (0 = none: the text can never begin at 0).
	hint    string
	hintPos int
}

// lexer cuts a statement into tokens on demand. It is a value: a copy looks ahead.
type lexer struct {
	src string
	pos int
}

// operators by first character, longest first. A run of operator characters is cut at the longest
// operator that is known, so that a<-1 is a < -1 and a<->-b is a <-> -b, with no need for
// PostgreSQL's rule about trailing signs. Some are known only to be refused with advice.
var operators = func() (by [utf8.RuneSelf][]string) {
	for _, list := range []string{
		"->> <-> <=> <#> !~* !~~ ~~*",
		"|| << >> -> <= >= <> != == => := :: ~* ~~ !~ && ** // @> <@ ^@ ?| ?&",
		"( ) [ ] { } , . ; : < = > + - * / % ^ ~ & | ! @ #",
	} {
		for op := range strings.FieldsSeq(list) {
			by[op[0]] = append(by[op[0]], op)
		}
	}
	return by
}()

// next returns the token after l.pos and moves behind it.
func (l *lexer) next() (token, error) {
	t := token{}
	if err := l.space(&t); err != nil {
		return t, err
	}
	t.pos = l.pos
	if l.pos >= len(l.src) {
		t.end = l.pos
		return t, nil
	}
	c := l.src[l.pos]
	var err error
	switch {
	case isWordStart(c):
		err = l.word(&t)
	case isDigit(c), c == '.' && l.pos+1 < len(l.src) && isDigit(l.src[l.pos+1]):
		err = l.number(&t)
	case c == '\'':
		err = l.quotedString(&t)
	case c == '"' || c == '`':
		err = l.quotedName(&t, c)
	case c == '$':
		err = l.dollar(&t)
	case c == '?' && !strings.HasPrefix(l.src[l.pos:], "?|") && !strings.HasPrefix(l.src[l.pos:], "?&"):
		t.kind, t.text = tkParam, "?"
		l.pos++
	default:
		err = l.operator(&t)
	}
	t.end = l.pos
	return t, err
}

// space skips white space and comments, and keeps the last hint comment for t. Unicode spaces and
// the byte order mark count as white space: statements are copied from web pages.
func (l *lexer) space(t *token) error {
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case c == ' ' || c >= '\t' && c <= '\r':
			l.pos++
		case c == '-' && strings.HasPrefix(l.src[l.pos:], "--"):
			if i := strings.IndexByte(l.src[l.pos:], '\n'); i >= 0 {
				l.pos += i + 1
			} else {
				l.pos = len(l.src)
			}
		case c == '/' && strings.HasPrefix(l.src[l.pos:], "/*"):
			if err := l.blockComment(t); err != nil {
				return err
			}
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(l.src[l.pos:])
			if !isUnicodeSpace(r) {
				return nil
			}
			l.pos += n
		default:
			return nil
		}
	}
	return nil
}

// blockComment skips /* … */, which nests as in PostgreSQL.
func (l *lexer) blockComment(t *token) error {
	start := l.pos
	l.pos += 2
	for depth := 1; depth > 0; {
		i := strings.IndexAny(l.src[l.pos:], "*/")
		if i < 0 {
			return fault.At(fault.InvalidArgument, start, "the comment that begins here is not closed by */")
		}
		l.pos += i
		switch rest := l.src[l.pos:]; {
		case strings.HasPrefix(rest, "*/"):
			depth--
			l.pos += 2
		case strings.HasPrefix(rest, "/*"):
			depth++
			l.pos += 2
		default:
			l.pos++
		}
	}
	if l.src[start+2] == '+' {
		t.hint, t.hintPos = l.src[start+3:l.pos-2], start+3
	}
	return nil
}

// word reads a bare word, or the string that a prefix letter begins: E'…', X'…'.
func (l *lexer) word(t *token) error {
	start := l.pos
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		if c < utf8.RuneSelf {
			if !isWordStart(c) && !isDigit(c) && c != '$' {
				break
			}
			l.pos++
			continue
		}
		r, n := utf8.DecodeRuneInString(l.src[l.pos:])
		if isUnicodeSpace(r) {
			break
		}
		if isSmartQuote(r) {
			return fault.At(
				fault.InvalidArgument,
				l.pos,
				"syntax error: found the typographic quote %c; write ' around strings and \" around names",
				r,
			)
		}
		l.pos += n
	}
	t.kind, t.text = tkWord, l.src[start:l.pos]
	t.up = upper(t.text)
	if l.pos < len(l.src) && l.src[l.pos] == '\'' {
		switch t.up {
		case "E":
			t.up = ""
			return l.escapedString(t)
		case "X":
			t.up = ""
			return l.hexString(t)
		case "B", "N":
			return fault.At(fault.Unsupported, start, "the string prefix %s'…'", t.text)
		}
	}
	if t.up == "U" && strings.HasPrefix(l.src[l.pos:], "&'") || t.up == "U" && strings.HasPrefix(l.src[l.pos:], "&\"") {
		return fault.At(fault.Unsupported, start, "the string prefix U&; write the characters themselves, or E'\\u00e9'")
	}
	return nil
}

// quotedName reads "name" or `name`; the doubled quote stands for itself.
func (l *lexer) quotedName(t *token, quote byte) error {
	start := l.pos
	body, ok := l.doubled(quote)
	if !ok {
		return fault.At(fault.InvalidArgument, start, "the name that begins here is not closed by %c", quote)
	}
	if body == "" {
		return fault.At(fault.InvalidArgument, start, "a quoted name needs at least one character (an empty string is '')")
	}
	t.kind, t.text = tkQuoted, body
	return nil
}

// doubled reads from the quote at l.pos to the closing one, and undoubles quotes within.
func (l *lexer) doubled(quote byte) (string, bool) {
	from := l.pos + 1
	var b strings.Builder
	for i := from; ; {
		n := strings.IndexByte(l.src[i:], quote)
		if n < 0 {
			return "", false
		}
		i += n
		if i+1 < len(l.src) && l.src[i+1] == quote {
			b.WriteString(l.src[from : i+1])
			i += 2
			from = i
			continue
		}
		l.pos = i + 1
		if b.Len() == 0 {
			return l.src[from:i], true
		}
		b.WriteString(l.src[from:i])
		return b.String(), true
	}
}

// dollar reads $1, or a string between $$ and $$ or $tag$ and $tag$.
func (l *lexer) dollar(t *token) error {
	start := l.pos
	i := start + 1
	for i < len(l.src) && isDigit(l.src[i]) {
		i++
	}
	if i > start+1 {
		for _, d := range l.src[start+1 : i] {
			t.num = min(t.num*10+int(d-'0'), maxParam+1)
		}
		if t.num < 1 || t.num > maxParam {
			return fault.At(fault.InvalidArgument, start, "parameters are numbered from $1 to $%d", maxParam)
		}
		if i < len(l.src) && (isWordStart(l.src[i]) || l.src[i] == '$') {
			return fault.At(fault.InvalidArgument, start, "syntax error: a word runs into the parameter $%d", t.num)
		}
		t.kind, t.text = tkParam, l.src[start:i]
		l.pos = i
		return nil
	}
	for i < len(l.src) && (isWordStart(l.src[i]) || isDigit(l.src[i])) {
		i++
	}
	if i >= len(l.src) || l.src[i] != '$' {
		if i > start+1 {
			return fault.At(
				fault.InvalidArgument,
				start,
				"syntax error: parameters have no names here; write ? or $1 in place of %s",
				clip(l.src[start:i]),
			)
		}
		return fault.At(fault.InvalidArgument, start, "syntax error: found $, expected a parameter such as $1")
	}
	tag := l.src[start : i+1]
	n := strings.Index(l.src[i+1:], tag)
	if n < 0 {
		return fault.At(fault.InvalidArgument, start, "the string that begins here is not closed by %s", clip(tag))
	}
	t.kind, t.text = tkString, l.src[i+1:i+1+n]
	l.pos = i + 1 + n + len(tag)
	return nil
}

// operator reads an operator or a mark.
func (l *lexer) operator(t *token) error {
	rest := l.src[l.pos:]
	t.kind = tkOp
	if rest[0] < utf8.RuneSelf {
		for _, op := range operators[rest[0]] {
			if strings.HasPrefix(rest, op) {
				t.text = op
				l.pos += len(op)
				return nil
			}
		}
	}
	r, n := utf8.DecodeRuneInString(rest)
	l.pos += n
	return fault.At(fault.InvalidArgument, t.pos, "syntax error: found the character %q, which has no meaning in SQL", r)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isWordStart is true for letters, _ and every byte of a character beyond ASCII.
func isWordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
}

func isUnicodeSpace(r rune) bool {
	switch r {
	case 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF:
		return true
	}
	return r >= 0x2000 && r <= 0x200B
}

func isSmartQuote(r rune) bool { return r >= 0x2018 && r <= 0x201F }

// upper is strings.ToUpper for ASCII letters only, so that no other letter folds into a keyword. A
// keyword's text is shared, not allocated; only a word as long as a keyword can be is folded.
func upper(s string) string {
	const longest = 24
	if len(s) > longest {
		return s
	}
	var b [longest]byte
	changed := false
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
			changed = true
		}
		b[i] = c
	}
	if !changed {
		return s
	}
	if w, ok := words[string(b[:len(s)])]; ok {
		return w
	}
	return string(b[:len(s)])
}
