package match

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"lanceflight/internal/fault"
)

// Similar compiles SIMILAR TO: SQL's regular expression, which has to match as a whole, with %
// and _ as in LIKE, | * + ? {} () [] as in POSIX, and no meaning for . ^ $. As in PostgreSQL, an escaped
// letter can name a class of characters (\d, \s, \w), and an escape at the end means nothing.
func Similar(s string, escape *string) (Pattern, error) {
	esc := rune('\\')
	if escape != nil {
		r, n := utf8.DecodeRuneInString(*escape)
		if n != len(*escape) {
			return Pattern{}, fault.New(fault.InvalidArgument, "the ESCAPE of SIMILAR TO must be one character or empty, not '%s'", *escape)
		}
		esc = r
		if n == 0 {
			esc = -2
		}
	}
	re, err := CompileRegexp(`\A(?:`+similarRegexp(s, esc)+`)\z`, false)
	if err != nil {
		return Pattern{}, fault.New(fault.InvalidArgument, "'%s' is not a SIMILAR TO pattern", s)
	}
	return Regexp(re), nil
}

// similarRegexp is a pattern of SIMILAR TO in RE2 syntax.
func similarRegexp(s string, esc rune) string {
	var b strings.Builder
	inSet, quoted := false, false
	setStart := 0 // where the items of the set begin in b
	for i, r := range s {
		switch {
		case quoted:
			quoted = false
			if strings.ContainsRune("dDsSwW", r) {
				b.WriteString(`\` + string(r))
			} else {
				b.WriteString(regexp.QuoteMeta(string(r)))
			}
		case r == esc:
			quoted = true
		case inSet:
			first := b.Len() == setStart
			switch {
			case r == '[' && strings.HasPrefix(s[i:], "[:"):
				b.WriteRune(r) // a class such as [:alpha:]
			case r == '\\' || r == '[':
				b.WriteString(`\` + string(r))
			case r == '^' && first && s[i-1] == '[':
				b.WriteRune(r)
				setStart = b.Len() // a ] is an item of the set behind [^ too
			case r == ']' && first:
				b.WriteString(`\]`)
			case r == ']' && strings.HasSuffix(b.String(), ":") && strings.Contains(b.String()[setStart:], "[:"):
				b.WriteRune(r)
				closePosixClass(&b)
			default:
				inSet = r != ']'
				b.WriteRune(r)
			}
		case r == '[':
			inSet = true
			b.WriteRune(r)
			setStart = b.Len()
		case r == '%':
			b.WriteString(".*")
		case r == '_':
			b.WriteByte('.')
		case r == '(':
			b.WriteString("(?:")
		case strings.ContainsRune(`.^$\`, r):
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// unicodeClasses are the POSIX classes that hold more than ASCII, as they do in PostgreSQL.
var unicodeClasses = map[string]string{
	"[:alpha:]": `\p{L}\p{Nl}`, "[:alnum:]": `\p{L}\p{Nl}\p{Nd}`, "[:lower:]": `\p{Ll}`, "[:upper:]": `\p{Lu}`, "[:digit:]": `\p{Nd}`,
	"[:punct:]": `\p{P}[:punct:]`, "[:space:]": `\s\v\p{Z}`,
}

// closePosixClass puts a class of Unicode in the place of the POSIX class at the end of b.
func closePosixClass(b *strings.Builder) {
	text := b.String()
	at := strings.LastIndex(text, "[:")
	class, ok := unicodeClasses[text[at:]]
	if !ok {
		return
	}
	b.Reset()
	b.WriteString(text[:at] + class)
}

// CompileRegexp compiles RE2 syntax. A dot also matches a newline, as in PostgreSQL.
func CompileRegexp(p string, insensitive bool) (*regexp.Regexp, error) {
	flags := "(?s)"
	if insensitive {
		flags = "(?si)"
	}
	re, err := regexp.Compile(flags + p)
	if err != nil {
		return nil, fault.New(fault.InvalidArgument, "'%s' is not a regular expression of RE2 syntax: %s", p, regexpProblem(err))
	}
	return re, nil
}

// regexpProblem is the reason without the pattern, which the message has already.
func regexpProblem(err error) string {
	s := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	s, _, _ = strings.Cut(s, ": `")
	return s
}

// Regexp is the pattern of a regular expression. One that is nothing but a literal, anywhere or from
// the beginning to the end, needs no automaton.
func Regexp(re *regexp.Regexp) Pattern {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return Pattern{Match: re.Match}
	}
	tree = tree.Simplify()
	if word, ok := literal(tree); ok && word != "" {
		return containsWord([]byte(word))
	}
	if tree.Op == syntax.OpConcat && len(tree.Sub) == 3 && tree.Sub[0].Op == syntax.OpBeginText &&
		tree.Sub[2].Op == syntax.OpEndText && tree.Sub[2].Flags&syntax.WasDollar == 0 {
		if word, ok := literal(tree.Sub[1]); ok {
			return Pattern{Match: func(s []byte) bool { return string(s) == word }}
		}
	}
	return Pattern{Match: re.Match}
}

// literal is the text that an expression stands for if it stands for one only.
func literal(re *syntax.Regexp) (string, bool) {
	if re.Op != syntax.OpLiteral || re.Flags&syntax.FoldCase != 0 {
		return "", false
	}
	return string(re.Rune), true
}
