package match

import (
	"regexp"
	"regexp/syntax"
	"sync"
	"unicode/utf8"
)

// Finder finds all matches of a regular expression. Go leaves out an empty match where a match that
// is not empty has just ended; PostgreSQL and DuckDB have it: b* matches abc four times. It is safe
// for concurrent use.
type Finder struct {
	re *regexp.Regexp
	// behind matches one character and the expression behind it: that tells whether the expression
	// matches at a place that is not the beginning. nil if the expression has no empty match.
	behind func() *regexp.Regexp
}

// NewFinder makes the finder of an expression.
func NewFinder(re *regexp.Regexp) *Finder {
	f := &Finder{re: re}
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil || !canBeEmpty(tree) {
		return f
	}
	f.behind = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\A(?s:.)(?:` + re.String() + `)`) })
	return f
}

// All returns the matches in their order, each as regexp.FindStringSubmatchIndex does.
func (f *Finder) All(s string) [][]int {
	found := f.re.FindAllStringSubmatchIndex(s, -1)
	if f.behind == nil || len(found) == 0 {
		return found
	}
	out := make([][]int, 0, len(found))
	for i, m := range found {
		out = append(out, m)
		end := m[1]
		if m[0] == end || i+1 < len(found) && found[i+1][0] == end {
			continue
		}
		_, before := utf8.DecodeLastRuneInString(s[:end])
		n := f.behind().FindStringSubmatchIndex(s[end-before:])
		if n == nil {
			continue
		}
		n[0] = before // the match begins behind the character
		for k := range n {
			if n[k] >= 0 {
				n[k] += end - before
			}
		}
		out = append(out, n)
	}
	return out
}

// canBeEmpty reports whether an expression may match without taking a character.
func canBeEmpty(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune) == 0
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpNoMatch:
		return false
	case syntax.OpCapture, syntax.OpPlus:
		return canBeEmpty(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min == 0 || canBeEmpty(re.Sub[0])
	case syntax.OpConcat:
		for _, x := range re.Sub {
			if !canBeEmpty(x) {
				return false
			}
		}
	case syntax.OpAlternate:
		for _, x := range re.Sub {
			if canBeEmpty(x) {
				return true
			}
		}
		return false
	}
	return true
}
