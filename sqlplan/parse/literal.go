package parse

import (
	"encoding/hex"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"lanceflight/internal/fault"
)

// maxNumberBytes bounds one number: a double needs about 340 digits at most, a decimal 38.
const maxNumberBytes = 1000

// maxParam is the largest parameter number, as in PostgreSQL's protocol.
const maxParam = 65535

// number reads 42, 1_000, 4.2, .5, 1., 1e-3, 0x1F, 0o17, 0b1010. The token's text is plain decimal:
// underscores go, and the other bases become decimal digits, so that consumers need not know them.
func (l *lexer) number(t *token) error {
	start := l.pos
	t.kind = tkNumber
	if l.src[start] == '0' && start+1 < len(l.src) {
		base := 0
		switch l.src[start+1] | 0x20 {
		case 'x':
			base = 16
		case 'o':
			base = 8
		case 'b':
			base = 2
		}
		if base > 0 {
			l.pos += 2
			l.digits(base)
			text := strings.ReplaceAll(l.src[start+2:l.pos], "_", "")
			if err := l.numberEnds(start, text != ""); err != nil {
				return err
			}
			n, ok := new(big.Int).SetString(text, base)
			if !ok {
				return fault.At(fault.InvalidArgument, start, "syntax error: %q is not a number", clip(l.src[start:l.pos]))
			}
			t.text = n.String()
			return nil
		}
	}
	l.digits(10)
	if l.pos < len(l.src) && l.src[l.pos] == '.' {
		l.pos++
		l.digits(10)
	}
	if l.pos < len(l.src) && l.src[l.pos]|0x20 == 'e' {
		i := l.pos + 1
		if i < len(l.src) && (l.src[i] == '+' || l.src[i] == '-') {
			i++
		}
		if i < len(l.src) && isDigit(l.src[i]) {
			l.pos = i
			l.digits(10)
		}
	}
	if err := l.numberEnds(start, true); err != nil {
		return err
	}
	t.text = l.src[start:l.pos]
	if strings.IndexByte(t.text, '_') >= 0 {
		t.text = strings.ReplaceAll(t.text, "_", "")
	}
	return nil
}

// digits skips digits of a base, and single underscores between them.
func (l *lexer) digits(base int) {
	for first := true; l.pos < len(l.src); first = false {
		c := l.src[l.pos]
		if c == '_' && !first && l.pos+1 < len(l.src) && digitOf(l.src[l.pos+1]) < base {
			l.pos++
			continue
		}
		if digitOf(c) >= base {
			return
		}
		l.pos++
	}
}

func digitOf(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return 99
}

// numberEnds checks that nothing runs into the number that began at start.
func (l *lexer) numberEnds(start int, ok bool) error {
	if l.pos-start > maxNumberBytes {
		return fault.At(fault.InvalidArgument, start, "a number is longer than %d characters", maxNumberBytes)
	}
	if ok && l.pos < len(l.src) {
		c := l.src[l.pos]
		// 1.2.3 and 1..2 are no numbers; a space that is not ASCII may follow one.
		ok = c != '.' && (!isWordStart(c) || c >= utf8.RuneSelf)
	}
	if ok {
		return nil
	}
	for l.pos < len(l.src) && l.src[l.pos] < utf8.RuneSelf && (isWordStart(l.src[l.pos]) || isDigit(l.src[l.pos]) || l.src[l.pos] == '.') {
		l.pos++
	}
	return fault.At(
		fault.InvalidArgument,
		start,
		"syntax error: %q is neither a number nor a name; put names that begin with a digit in double quotes, sizes and times in single quotes",
		clip(l.src[start:l.pos]),
	)
}

// quotedString reads '…' with a doubled quote for a quote; backslashes mean themselves.
func (l *lexer) quotedString(t *token) error {
	start := l.pos
	body, ok := l.doubled('\'')
	if !ok {
		return fault.At(fault.InvalidArgument, start, "the string that begins here is not closed by '")
	}
	t.kind, t.text = tkString, body
	return nil
}

// escapedString reads the '…' of E'…': backslash escapes as in PostgreSQL. l.pos is at the quote.
func (l *lexer) escapedString(t *token) error {
	start := t.pos
	var b strings.Builder
	i := l.pos + 1
	for {
		n := strings.IndexAny(l.src[i:], `'\`)
		if n < 0 {
			return fault.At(fault.InvalidArgument, start, "the string that begins here is not closed by '")
		}
		b.WriteString(l.src[i : i+n])
		i += n
		if l.src[i] == '\'' {
			if i+1 < len(l.src) && l.src[i+1] == '\'' {
				b.WriteByte('\'')
				i += 2
				continue
			}
			break
		}
		next, err := l.escape(&b, i)
		if err != nil {
			return err
		}
		i = next
	}
	l.pos = i + 1
	t.kind, t.text = tkString, b.String()
	if !utf8.ValidString(t.text) || strings.IndexByte(t.text, 0) >= 0 {
		return fault.At(fault.InvalidArgument, start, "the escapes in this string do not make valid UTF-8 without NUL; write bytes as X'…'")
	}
	return nil
}

// escape decodes the escape whose backslash is at i and returns where the text goes on.
func (l *lexer) escape(b *strings.Builder, i int) (int, error) {
	if i+1 >= len(l.src) {
		return len(l.src), nil // the caller then finds the string unclosed
	}
	c := l.src[i+1]
	switch c {
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case 'x', 'u', 'U':
		width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		j := i + 2
		for j < len(l.src) && j-i-2 < width && digitOf(l.src[j]) < 16 {
			j++
		}
		n, err := strconv.ParseUint(l.src[i+2:j], 16, 32)
		if err != nil || c != 'x' && j-i-2 < width || c != 'x' && !utf8.ValidRune(rune(n)) {
			return 0, fault.At(fault.InvalidArgument, i, "the escape \\%c needs hexadecimal digits: \\x41, \\u0041 or \\U00000041", c)
		}
		if c == 'x' {
			b.WriteByte(byte(n))
		} else {
			b.WriteRune(rune(n))
		}
		return j, nil
	case '0', '1', '2', '3', '4', '5', '6', '7':
		j, n := i+1, 0
		for ; j < len(l.src) && j < i+4 && l.src[j] >= '0' && l.src[j] <= '7'; j++ {
			n = n*8 + int(l.src[j]-'0')
		}
		b.WriteByte(byte(n))
		return j, nil
	default:
		b.WriteByte(c)
	}
	return i + 2, nil
}

// hexString reads the '…' of X'…'. l.pos is at the quote.
func (l *lexer) hexString(t *token) error {
	body, ok := l.doubled('\'')
	if !ok {
		return fault.At(fault.InvalidArgument, t.pos, "the bytes that begin here are not closed by '")
	}
	b, err := hex.DecodeString(body)
	if err != nil {
		return fault.At(fault.InvalidArgument, t.pos, "X'…' needs pairs of hexadecimal digits")
	}
	t.kind, t.text = tkBytes, string(b)
	return nil
}

// maxExactInt is the largest integer that no other integer rounds to in float64.
const maxExactInt = 1<<53 - 1

// vector reads a bracketed list of plain decimal numbers whose bracket is at l.pos, and moves behind
// it. It returns false, with l unmoved, where anything else is in the list: other items, another
// notation, no item at all, or a number that float64 cannot hold (an integer of 2^53 or more, 1e400).
// The general path then makes an Array of it. One pass, no tokens.
func (l *lexer) vector() (*Vector, bool) {
	s := l.src
	i := l.pos + 1
	v := &Vector{Ints: true, Pos: Pos(l.pos)}
	for {
		i = skipASCIISpace(s, i)
		f, whole, end, ok := shortDecimal(s, i)
		if !ok {
			f, whole, end, ok = decimal(s, i)
		}
		if !ok || whole && math.Abs(f) > maxExactInt {
			return nil, false
		}
		i = end
		if len(v.Values) == cap(v.Values) {
			v.Values = slices.Grow(v.Values, 1+commas(s, i, len(v.Values)))
		}
		v.Values = append(v.Values, f)
		v.Ints = v.Ints && whole
		i = skipASCIISpace(s, i)
		if i >= len(s) {
			return nil, false
		}
		switch s[i] {
		case ',':
			i++
		case ']':
			l.pos = i + 1
			return v, true
		default:
			return nil, false
		}
	}
}

// commas is how many further items a list of n items, of which the rest begins at s[i], may have: room for
// them is made at once. It looks no further ahead than is paid for by the items already read.
func commas(s string, i, n int) int {
	if n < 16 {
		return 15
	}
	ahead := s[i:min(len(s), i+4096*n)]
	if end := strings.IndexByte(ahead, ']'); end >= 0 {
		ahead = ahead[:end]
	}
	return strings.Count(ahead, ",")
}

// decimal reads a decimal number at s[i:] of any length that numbers may have, and says where it ends and whether it
// has neither point nor exponent.
func decimal(s string, i int) (f float64, whole bool, end int, ok bool) {
	from := i
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	digits := i
	whole = true
	for i < len(s) {
		c := s[i]
		if isDigit(c) {
			i++
		} else if c == '.' {
			whole = false
			i++
		} else if c|0x20 == 'e' && i > digits {
			whole = false
			i++
			if i < len(s) && (s[i] == '-' || s[i] == '+') {
				i++
			}
		} else {
			break
		}
	}
	if i == digits || i-from > maxNumberBytes {
		return 0, false, 0, false
	}
	f, err := strconv.ParseFloat(s[from:i], 64)
	return f, whole, i, err == nil
}

func skipASCIISpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] >= '\t' && s[i] <= '\r') {
		i++
	}
	return i
}
