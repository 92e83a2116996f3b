package match

import (
	"lanceflight/internal/fault"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Similar compiles SIMILAR TO: SQL's regular expression, which has to match as a whole, with %
// and _ as in LIKE, | * + ? {} () [] as in POSIX, and no meaning for . ^ $.
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
	var b strings.Builder
	b.WriteString(`(?s)\A(?:`)
	inSet, quoted := false, false
	for _, r := range s {
		switch {
		case quoted:
			b.WriteString(regexp.QuoteMeta(string(r)))
			quoted = false
		case r == esc:
			quoted = true
		case inSet:
			inSet = r != ']'
			if r == '\\' {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		case r == '[':
			inSet = true
			b.WriteRune(r)
		case r == '%':
			b.WriteString(".*")
		case r == '_':
			b.WriteByte('.')
		case strings.ContainsRune(`.^$\`, r):
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
	}
	if quoted {
		return Pattern{}, fault.New(fault.InvalidArgument, "the SIMILAR TO pattern '%s' ends with its escape character", s)
	}
	b.WriteString(`)\z`)
	re, err := CompileRegexp(b.String(), false)
	if err != nil {
		return Pattern{}, fault.New(fault.InvalidArgument, "'%s' is not a SIMILAR TO pattern", s)
	}
	return Regexp(re), nil
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

// Regexp tests for a literal part first where the expression begins with one that is all of it.
func Regexp(re *regexp.Regexp) Pattern {
	if prefix, complete := re.LiteralPrefix(); complete && prefix != "" {
		return containsWord([]byte(prefix))
	}
	return Pattern{Match: re.Match}
}
