package expr

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// matcher tests one string.
type matcher func(s []byte) bool

// pattern is a compiled pattern. word is not nil if a string matches exactly where it contains word:
// then a whole column can be searched at once.
type pattern struct {
	match matcher
	word  []byte
}

// likeNode is [NOT] LIKE, ILIKE, SIMILAR TO, and the regular expression operators.
type likeNode struct {
	x       node
	pattern []node // pattern, and the escape if there is one
	compile func(pattern string, escape *string) (pattern, error)
	fixed   pattern // of a constant pattern; match nil: it is not constant
	negated bool
}

func (c *compiler) like(e *Like) (node, error) {
	compile := map[string]func(string, *string) (pattern, error){
		"LIKE": likePattern, "ILIKE": ilikePattern, "SIMILAR": similarPattern,
	}[e.Kind]
	return c.pattern(e.Children(), e.Negated, compile)
}

func (c *compiler) regexMatch(e *RegexMatch) (node, error) {
	op := e.Op
	negated := strings.HasPrefix(op, "!")
	insensitive := strings.HasSuffix(op, "*")
	return c.pattern(e.Children(), negated, func(p string, _ *string) (pattern, error) {
		re, err := compileRegexp(p, insensitive)
		if err != nil {
			return pattern{}, err
		}
		return regexpMatcher(re), nil
	})
}

func (c *compiler) pattern(xs []Expr, negated bool, compile func(string, *string) (pattern, error)) (node, error) {
	args, err := c.compileAll(xs)
	if err != nil {
		return nil, err
	}
	n := &likeNode{x: args[0], pattern: args[1:], compile: compile, negated: negated}
	consts := make([]*string, 0, 2)
	for _, a := range n.pattern {
		k, ok := a.(*constNode)
		if !ok || k.lit.Value == nil {
			return n, nil
		}
		s := k.lit.Value.(string)
		consts = append(consts, &s)
	}
	n.fixed, err = compile(*consts[0], append(consts, nil)[1])
	return n, err
}

func (n *likeNode) typ() arrow.DataType { return tBool }

// matcherFor returns the matcher if the pattern is the same for all rows. ok false: it differs by row,
// or is NULL (match nil, null true).
func (n *likeNode) matcherFor(f *frame) (out pattern, null, ok bool, err error) {
	if n.fixed.match != nil {
		return n.fixed, false, true, nil
	}
	vals := make([]*string, 2)
	for i, p := range n.pattern {
		var l Literal
		switch p := p.(type) {
		case *constNode:
			l = p.lit
		case *paramNode:
			if l, err = p.literal(f); err != nil {
				return out, false, false, err
			}
		default:
			return out, false, false, nil
		}
		s, isText := l.Value.(string)
		if !isText {
			return out, true, true, nil
		}
		vals[i] = &s
	}
	out, err = n.compile(*vals[0], vals[1])
	return out, false, true, err
}

func (n *likeNode) eval(f *frame, r rows) (vec, error) {
	p, null, ok, err := n.matcherFor(f)
	if err != nil {
		return vec{}, err
	}
	if null {
		a, err := nullArray(f.mem, tBool, 1)
		return vec{arr: a, scalar: true}, err
	}
	args := []node{n.x}
	if !ok {
		args = append(args, n.pattern...)
	}
	k := kernelNode{args: args, t: tBool, lazy: true, run: func(c *call) (arrow.Array, error) {
		return n.matchRows(c, p.match)
	}}
	return k.eval(f, r)
}

// matchRows tests all rows; without a matcher the pattern is the second argument.
func (n *likeNode) matchRows(c *call, match matcher) (arrow.Array, error) {
	x := textsOf(c.args[0])
	var pattern, escape texts
	if match == nil {
		pattern = textsOf(c.args[1])
		if len(c.args) > 2 {
			escape = textsOf(c.args[2])
		}
	}
	buf, vals := newBits(c.mem(), c.n)
	clear(vals)
	m := match
	var last string // pattern of m
	for i := range c.n {
		if c.null(i) {
			continue
		}
		if match == nil {
			if p := pattern.at(i); m == nil || len(c.args) > 2 || string(p) != last {
				last = string(p)
				var esc *string
				if len(c.args) > 2 {
					s := string(escape.at(i))
					esc = &s
				}
				p, err := n.compile(last, esc)
				if err != nil {
					buf.Release()
					return nil, err
				}
				m = p.match
			}
		}
		if m(x.at(i)) != n.negated {
			vals[i>>6] |= 1 << (i & 63)
		}
	}
	return makeBools(c.n, buf, c.takeValid()), nil
}

// filter matches a column in place.
func (n *likeNode) filter(f *frame, r rows, want bool, out []int32) ([]int32, error) {
	col, ok := n.x.(*colNode)
	if !ok {
		return filterEval(n, f, r, want, out)
	}
	if len(r.sel) > f.in.Rows/8 {
		// Rows that stand close together are searched as one piece.
		fn, ok, err := n.words(f, want)
		if err != nil {
			return nil, err
		}
		if ok {
			last, hits := int32(-1), uint64(0)
			for _, row := range r.sel {
				if k := row >> 6; k != last {
					last, hits = k, fn(int(k))
				}
				if hits>>(row&63)&1 != 0 {
					out = append(out, row)
				}
			}
			return out, nil
		}
	}
	p, null, ok, err := n.matcherFor(f)
	if err != nil || null {
		return out, err
	}
	if !ok {
		return filterEval(n, f, r, want, out)
	}
	a, err := col.column(f)
	if err != nil {
		return nil, err
	}
	x, valid := textsOf(vec{arr: a}), validity(vec{arr: a})
	want = want != n.negated
	for i := range r.n {
		row := r.at(i)
		if valid.bytes != nil {
			if bit := valid.off + int(row); valid.bytes[bit>>3]>>(bit&7)&1 == 0 {
				continue
			}
		}
		if p.match(x.at(int(row))) == want {
			out = append(out, row)
		}
	}
	return out, nil
}

// words searches the bytes of a whole utf8 column for a word at once, so that the cost of a match is
// paid per hit and not per row. Hits that span rows do not count.
func (n *likeNode) words(f *frame, want bool) (func(k int) uint64, bool, error) {
	col, ok := n.x.(*colNode)
	if !ok {
		return nil, false, nil
	}
	p, null, ok, err := n.matcherFor(f)
	if err != nil || null || !ok || len(p.word) == 0 {
		return nil, false, err
	}
	a, err := col.column(f)
	if err != nil {
		return nil, false, err
	}
	x, valid, rows := textsOf(vec{arr: a}), validity(vec{arr: a}), f.in.Rows
	if x.off32 == nil {
		return nil, false, nil
	}
	found := want != n.negated
	// next is where the search goes on; hits before it are done.
	next, row := int(x.off32[0]), 0
	return func(k int) uint64 {
		end := min(64*k+64, rows)
		if row < 64*k { // a conjunction skipped some words
			row = 64 * k
			next = max(next, int(x.off32[row]))
		}
		var hits uint64
		limit := int(x.off32[end])
		for next < limit {
			i := bytes.Index(x.data[next:limit], p.word)
			if i < 0 {
				break
			}
			at := next + i
			for int(x.off32[row+1]) <= at {
				row++
			}
			if at+len(p.word) <= int(x.off32[row+1]) {
				hits |= 1 << (row - 64*k)
				next = int(x.off32[row+1])
			} else {
				next = at + 1
			}
		}
		next = max(next, limit)
		if !found {
			hits = ^hits
		}
		return hits & valid.word(k)
	}, true, nil
}

// likePiece is what a LIKE pattern consists of between its % signs: a run of characters, of which
// some may be any.
type likePiece struct {
	text []byte
	any  bool // contains _; chars is then used
	// chars of a piece with _: -1 for any character.
	chars []rune
	head  []byte // the bytes of the characters before the first -1
}

// likePattern compiles a LIKE pattern: % is any sequence, _ any one character, a backslash (or the
// given escape) takes the next one literally; an empty escape switches that off.
func likePattern(s string, escape *string) (pattern, error) {
	pieces, err := splitLike(s, escape, false)
	if err != nil {
		return pattern{}, err
	}
	return likeMatcher(pieces), nil
}

// splitLike cuts a pattern at its % signs. fold lowers the case.
func splitLike(pattern string, escape *string, fold bool) ([]likePiece, error) {
	esc := rune('\\')
	if escape != nil {
		r, n := utf8.DecodeRuneInString(*escape)
		if n != len(*escape) {
			return nil, fault.New(fault.InvalidArgument, "the ESCAPE of LIKE must be one character or empty, not '%s'", *escape)
		}
		esc = r
		if n == 0 {
			esc = -2
		}
	}
	pieces := []likePiece{{}}
	add := func(r rune, size int, raw string) {
		p := &pieces[len(pieces)-1]
		if r >= 0 && fold {
			r = foldRune(r)
			raw = string(r)
		}
		p.chars = append(p.chars, r)
		if r < 0 {
			p.any = true
			return
		}
		if !p.any {
			p.head = append(p.head, raw...)
		}
		p.text = append(p.text, raw...)
	}
	for i := 0; i < len(pattern); {
		r, size := utf8.DecodeRuneInString(pattern[i:])
		raw := pattern[i : i+size]
		i += size
		switch {
		case r == esc:
			if i >= len(pattern) {
				return nil, fault.New(fault.InvalidArgument, "the LIKE pattern '%s' ends with its escape character", pattern)
			}
			r, size = utf8.DecodeRuneInString(pattern[i:])
			add(r, size, pattern[i:i+size])
			i += size
		case r == '%':
			pieces = append(pieces, likePiece{})
		case r == '_':
			add(-1, 0, "")
		default:
			add(r, size, raw)
		}
	}
	return pieces, nil
}

// likeMatcher chooses the cheapest test: most patterns are a word between % signs.
func likeMatcher(pieces []likePiece) pattern {
	simple := true
	var inner [][]byte
	for i, p := range pieces {
		simple = simple && !p.any
		if i > 0 && i < len(pieces)-1 && len(p.chars) > 0 {
			inner = append(inner, p.text)
		}
	}
	first, last := pieces[0].text, pieces[len(pieces)-1].text
	switch {
	case !simple:
		return pattern{match: generalLike(pieces)}
	case len(pieces) == 1:
		return pattern{match: func(s []byte) bool { return string(s) == string(first) }}
	case len(inner) == 0 && len(first) == 0 && len(last) == 0:
		return pattern{match: func([]byte) bool { return true }}
	case len(inner) == 0 && len(last) == 0:
		return pattern{match: func(s []byte) bool { return bytes.HasPrefix(s, first) }}
	case len(inner) == 0 && len(first) == 0:
		return pattern{match: func(s []byte) bool { return bytes.HasSuffix(s, last) }}
	case len(inner) == 1 && len(first) == 0 && len(last) == 0:
		return containsWord(inner[0])
	}
	return pattern{match: func(s []byte) bool {
		if len(s) < len(first)+len(last) || !bytes.HasPrefix(s, first) || !bytes.HasSuffix(s, last) {
			return false
		}
		s = s[len(first) : len(s)-len(last)]
		for _, word := range inner {
			i := bytes.Index(s, word)
			if i < 0 {
				return false
			}
			s = s[i+len(word):]
		}
		return true
	}}
}

func containsWord(word []byte) pattern {
	return pattern{match: func(s []byte) bool { return bytes.Contains(s, word) }, word: word}
}

// generalLike matches pieces with _ in them: the first piece at the start, the last at the end, those
// between at the leftmost place, which is never a wrong choice. Time is at most length × pattern.
func generalLike(pieces []likePiece) matcher {
	return func(s []byte) bool {
		n, ok := matchPiece(pieces[0].chars, s)
		if !ok {
			return false
		}
		if len(pieces) == 1 {
			return n == len(s)
		}
		s = s[n:]
		for _, p := range pieces[1 : len(pieces)-1] {
			for {
				// The characters before the first _ say where to look at all.
				i := bytes.Index(s, p.head)
				if i < 0 {
					return false
				}
				s = s[i:]
				if n, ok := matchPiece(p.chars, s); ok {
					s = s[n:]
					break
				}
				if len(s) == 0 {
					return false
				}
				_, n := utf8.DecodeRune(s)
				s = s[n:]
			}
		}
		// The last piece has a fixed number of characters: count them from the end.
		last := pieces[len(pieces)-1].chars
		end := len(s)
		for range last {
			if end == 0 {
				return false
			}
			_, n := utf8.DecodeLastRune(s[:end])
			end -= n
		}
		_, ok = matchPiece(last, s[end:])
		return ok
	}
}

// matchPiece matches chars at the start of s and returns the bytes they took.
func matchPiece(chars []rune, s []byte) (int, bool) {
	i := 0
	for _, want := range chars {
		if i >= len(s) {
			return 0, false
		}
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(s[i:])
		}
		if want >= 0 && r != want {
			return 0, false
		}
		i += n
	}
	return i, true
}

// foldRune lowers a character, one to one.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	return unicode.ToLower(r)
}

// ilikePattern is likePattern without regard to case: both sides are lowered character by character.
func ilikePattern(s string, escape *string) (pattern, error) {
	pieces, err := splitLike(s, escape, true)
	if err != nil {
		return pattern{}, err
	}
	match := likeMatcher(pieces).match
	buffers := sync.Pool{New: func() any { return new([]byte) }}
	return pattern{match: func(s []byte) bool {
		buf := buffers.Get().(*[]byte)
		*buf = appendLower((*buf)[:0], s)
		ok := match(*buf)
		buffers.Put(buf)
		return ok
	}}, nil
}

// ascii says whether all bytes are below 128.
func ascii(s []byte) bool {
	for len(s) >= 8 {
		if binary.LittleEndian.Uint64(s)&0x8080808080808080 != 0 {
			return false
		}
		s = s[8:]
	}
	var any byte
	for _, b := range s {
		any |= b
	}
	return any < utf8.RuneSelf
}

// flipCase changes the case of the ASCII letters from first on, 'a' or 'A', in ASCII text.
//
// Eight bytes at a time: all are below 128, so adding 128-x sets the top bit of those from x on and
// carries nowhere; the top bits of the letters, moved to bit 5, are what upper and lower case differ by.
func flipCase(s []byte, first byte) {
	const ones = 0x0101010101010101
	from, to := uint64(128-first)*ones, uint64(128-(first+26))*ones
	for len(s) >= 8 {
		w := binary.LittleEndian.Uint64(s)
		letters := (w + from) & ^(w + to) & (0x80 * ones)
		binary.LittleEndian.PutUint64(s, w^letters>>2)
		s = s[8:]
	}
	for i, c := range s {
		if c-first < 26 {
			s[i] = c ^ 0x20
		}
	}
}

// runeCount is the number of characters of valid UTF-8: of the bytes that do not continue one.
func runeCount(s []byte) int {
	n := len(s)
	for len(s) >= 8 {
		w := binary.LittleEndian.Uint64(s)
		// Bit 7 set and bit 6 clear marks a continuation.
		n -= bits.OnesCount64(w & ^(w << 1) & 0x8080808080808080)
		s = s[8:]
	}
	for _, b := range s {
		n -= int(b2u(b&0xc0 == 0x80))
	}
	return n
}

// appendLower appends s in lower case, one to one.
func appendLower(dst, s []byte) []byte {
	if ascii(s) {
		n := len(dst)
		dst = append(dst, s...)
		flipCase(dst[n:], 'A')
		return dst
	}
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, c)
		} else {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		i += n
	}
	return dst
}

// similarPattern compiles SIMILAR TO: SQL's regular expression, which has to match as a whole, with %
// and _ as in LIKE, | * + ? {} () [] as in POSIX, and no meaning for . ^ $.
func similarPattern(s string, escape *string) (pattern, error) {
	esc := rune('\\')
	if escape != nil {
		r, n := utf8.DecodeRuneInString(*escape)
		if n != len(*escape) {
			return pattern{}, fault.New(fault.InvalidArgument, "the ESCAPE of SIMILAR TO must be one character or empty, not '%s'", *escape)
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
		return pattern{}, fault.New(fault.InvalidArgument, "the SIMILAR TO pattern '%s' ends with its escape character", s)
	}
	b.WriteString(`)\z`)
	re, err := compileRegexp(b.String(), false)
	if err != nil {
		return pattern{}, fault.New(fault.InvalidArgument, "'%s' is not a SIMILAR TO pattern", s)
	}
	return regexpMatcher(re), nil
}

// compileRegexp compiles RE2 syntax. A dot also matches a newline, as in PostgreSQL.
func compileRegexp(p string, insensitive bool) (*regexp.Regexp, error) {
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

// regexpMatcher tests for a literal part first where the expression begins with one that is all of it.
func regexpMatcher(re *regexp.Regexp) pattern {
	if prefix, complete := re.LiteralPrefix(); complete && prefix != "" {
		return containsWord([]byte(prefix))
	}
	return pattern{match: re.Match}
}
