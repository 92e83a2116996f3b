package match

import (
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf8"

	"lanceflight/sqlplan/expr/value"
)

// Ascii says whether all bytes are below 128.
func Ascii(s []byte) bool {
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

// FlipCase changes the case of the ASCII letters from first on, 'a' or 'A', in ASCII text.
//
// Eight bytes at a time: all are below 128, so adding 128-x sets the top bit of those from x on and
// carries nowhere; the top bits of the letters, moved to bit 5, are what upper and lower case differ by.
func FlipCase(s []byte, first byte) {
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

// RuneCount is the number of characters of valid UTF-8: of the bytes that do not continue one.
func RuneCount(s []byte) int {
	n := len(s)
	for len(s) >= 8 {
		w := binary.LittleEndian.Uint64(s)
		// Bit 7 set and bit 6 clear marks a continuation.
		n -= bits.OnesCount64(w & ^(w << 1) & 0x8080808080808080)
		s = s[8:]
	}
	for _, b := range s {
		n -= int(value.Bit(b&0xc0 == 0x80))
	}
	return n
}

// AppendLower appends s in lower case, one to one.
func AppendLower(dst, s []byte) []byte {
	if Ascii(s) {
		n := len(dst)
		dst = append(dst, s...)
		FlipCase(dst[n:], 'A')
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
