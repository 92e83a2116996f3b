package match

import (
	"bytes"
	"lanceflight/internal/fault"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Matcher tests one string.
type Matcher func(s []byte) bool

// Pattern is a compiled pattern. word is not nil if a string matches exactly where it contains word:
// then a whole column can be searched at once.
type Pattern struct {
	Match Matcher
	Word  []byte
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

// Like compiles a LIKE pattern: % is any sequence, _ any one character, a backslash (or the
// given escape) takes the next one literally; an empty escape switches that off.
func Like(s string, escape *string) (Pattern, error) {
	pieces, err := splitLike(s, escape, false)
	if err != nil {
		return Pattern{}, err
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
func likeMatcher(pieces []likePiece) Pattern {
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
		return Pattern{Match: generalLike(pieces)}
	case len(pieces) == 1:
		return Pattern{Match: func(s []byte) bool { return string(s) == string(first) }}
	case len(inner) == 0 && len(first) == 0 && len(last) == 0:
		return Pattern{Match: func([]byte) bool { return true }}
	case len(inner) == 0 && len(last) == 0:
		return Pattern{Match: func(s []byte) bool { return bytes.HasPrefix(s, first) }}
	case len(inner) == 0 && len(first) == 0:
		return Pattern{Match: func(s []byte) bool { return bytes.HasSuffix(s, last) }}
	case len(inner) == 1 && len(first) == 0 && len(last) == 0:
		return containsWord(inner[0])
	}
	return Pattern{Match: func(s []byte) bool {
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

func containsWord(word []byte) Pattern {
	return Pattern{Match: func(s []byte) bool { return bytes.Contains(s, word) }, Word: word}
}

// generalLike matches pieces with _ in them: the first piece at the start, the last at the end, those
// between at the leftmost place, which is never a wrong choice. Time is at most length × pattern.
func generalLike(pieces []likePiece) Matcher {
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

// ILike is Like without regard to case: both sides are lowered character by character.
func ILike(s string, escape *string) (Pattern, error) {
	pieces, err := splitLike(s, escape, true)
	if err != nil {
		return Pattern{}, err
	}
	match := likeMatcher(pieces).Match
	buffers := sync.Pool{New: func() any { return new([]byte) }}
	return Pattern{Match: func(s []byte) bool {
		buf := buffers.Get().(*[]byte)
		*buf = AppendLower((*buf)[:0], s)
		ok := match(*buf)
		buffers.Put(buf)
		return ok
	}}, nil
}
