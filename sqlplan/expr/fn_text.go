package expr

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// String functions. Positions and lengths count characters (code points) in strings and bytes in
// binaries; positions start at 1.

func init() {
	one := func(name string, fn func(dst, s []byte) []byte, aliases ...string) *function {
		return &function{name: name, aliases: aliases, category: "string", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{textArg}, out: tText, lazy: true,
			kernel: textOut(func(a *rowArgs, i int, w *textWriter) (bool, error) {
				w.append(func(dst []byte) []byte { return fn(dst, a.bytes(0, i)) })
				return true, nil
			})}
	}
	digest := func(name string, sum func([]byte) []byte) *function {
		return &function{name: name, category: "string", volatility: Immutable, cost: CostHeavy, fails: FailsNever, args: []argClass{stringArg}, out: tText, lazy: true,
			kernel: textOut(func(a *rowArgs, i int, w *textWriter) (bool, error) {
				w.append(func(dst []byte) []byte { return hex.AppendEncode(dst, sum(a.bytes(0, i))) })
				return true, nil
			})}
	}
	count := func(name string, class argClass, fn func(a *rowArgs, i int) int64, aliases ...string) *function {
		return &function{name: name, aliases: aliases, category: "string", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{class}, out: tInt64, lazy: true,
			kernel: fixedOut(func(a *rowArgs, i int) (int64, bool, error) { return fn(a, i), true, nil })}
	}
	find := func(name string, fn func(s, sub []byte) bool, aliases ...string) *function {
		return &function{name: name, aliases: aliases, category: "string", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{textArg, textArg}, out: tBool, lazy: true,
			kernel: boolOut(func(a *rowArgs, i int) (bool, error) { return fn(a.bytes(0, i), a.bytes(1, i)), nil })}
	}
	trim := func(name string, left, right bool, aliases ...string) *function {
		return &function{name: name, aliases: aliases, category: "string", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{textArg, textArg}, required: 1, out: tText, lazy: true,
			kernel: textOut(func(a *rowArgs, i int, w *textWriter) (bool, error) {
				set := " "
				if a.has(1) {
					set = a.str(1, i)
				}
				s := a.str(0, i)
				if left {
					s = strings.TrimLeft(s, set)
				}
				if right {
					s = strings.TrimRight(s, set)
				}
				w.writeString(s)
				return true, nil
			})}
	}
	where := func(name string, str, sub int, aliases ...string) *function {
		return &function{name: name, aliases: aliases, category: "string", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{textArg, textArg}, out: tInt64, lazy: true,
			kernel: fixedOut(func(a *rowArgs, i int) (int64, bool, error) {
				s := a.bytes(str, i)
				at := bytes.Index(s, a.bytes(sub, i))
				if at < 0 {
					return 0, true, nil
				}
				return int64(runeCount(s[:at])) + 1, true, nil
			})}
	}
	text := func(name string, fails Failure, args []argClass, required int, fn func(a *rowArgs, i int, w *textWriter) (bool, error), aliases ...string) *function {
		return &function{name: name, aliases: aliases, category: "string", volatility: Immutable, cost: CostScan, fails: fails, args: args, required: required, out: tText, lazy: false,
			kernel: textOut(fn)}
	}
	register(
		&function{name: "length", aliases: []string{"len"}, category: "string", volatility: Immutable, args: []argClass{anyArg}, rewrite: func(a []Expr) (Expr, error) {
			switch k := kindOf(a[0].Type()); k {
			case kList, kMap:
				return NewCall("array_length", a)
			case kBinary:
				return NewCall("octet_length", a)
			}
			return NewCall("char_length", a)
		}},
		count("char_length", textArg, func(a *rowArgs, i int) int64 { return int64(runeCount(a.bytes(0, i))) }, "character_length"),
		count("octet_length", stringArg, func(a *rowArgs, i int) int64 { return int64(a.texts[0].length(i)) }, "strlen"),
		count("bit_length", stringArg, func(a *rowArgs, i int) int64 { return 8 * int64(a.texts[0].length(i)) }),
		count("ascii", textArg, func(a *rowArgs, i int) int64 { return int64(firstRune(a.bytes(0, i))) }, "unicode", "ord"),
		one("lower", appendLower, "lcase"),
		one("upper", appendUpper, "ucase"),
		one("initcap", appendInitcap),
		one("reverse", appendReverse),
		trim("trim", true, true, "btrim"), trim("ltrim", true, false), trim("rtrim", false, true),
		&function{name: "substring", aliases: []string{"substr"}, category: "string", volatility: Immutable, args: []argClass{stringArg, anyArg, intArg}, required: 2, rewrite: newSubstring},
		&function{name: "$substring", category: "string", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{stringArg, intArg, intArg}, required: 2, result: sameString, kernel: textOut(substring)},
		text("left", FailsNever, []argClass{textArg, intArg}, 0, left), text("right", FailsNever, []argClass{textArg, intArg}, 0, right),
		text("replace", FailsOnRange, []argClass{textArg, textArg, textArg}, 0, func(a *rowArgs, i int, w *textWriter) (bool, error) {
			s, old := a.bytes(0, i), a.bytes(1, i)
			if len(old) == 0 {
				w.write(s)
				return true, nil
			}
			return true, replaceAll(w, s, old, a.bytes(2, i))
		}),
		text("repeat", FailsOnRange, []argClass{textArg, intArg}, 0, func(a *rowArgs, i int, w *textWriter) (bool, error) {
			s, n := a.bytes(0, i), max(0, a.int(1, i))
			if len(s) > 0 && n > maxText/int64(len(s)) {
				return false, tooLong("repeat")
			}
			for range n {
				w.write(s)
			}
			return true, nil
		}),
		text("lpad", FailsOnRange, []argClass{textArg, intArg, textArg}, 2, func(a *rowArgs, i int, w *textWriter) (bool, error) { return pad(a, i, w, true) }),
		text("rpad", FailsOnRange, []argClass{textArg, intArg, textArg}, 2, func(a *rowArgs, i int, w *textWriter) (bool, error) { return pad(a, i, w, false) }),
		&function{name: "concat", category: "string", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{anyArg}, variadic: true, out: tText, result: asTexts, loose: true, kernel: plainKernel(concatRows)},
		&function{name: "concat_ws", category: "string", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{textArg, anyArg}, variadic: true, out: tText, result: asTexts, loose: true, kernel: plainKernel(concatWS)},
		where("position", 1, 0), where("strpos", 0, 1, "instr"),
		find("starts_with", bytes.HasPrefix, "prefix", "startswith"), find("ends_with", bytes.HasSuffix, "suffix", "endswith"),
		&function{name: "contains", category: "string", volatility: Immutable, args: []argClass{anyArg, anyArg}, rewrite: func(a []Expr) (Expr, error) {
			if kindOf(a[0].Type()) == kList {
				return NewCall("list_contains", a)
			}
			return NewCall("$contains", a)
		}},
		find("$contains", bytes.Contains),
		text("split_part", FailsOnValue, []argClass{textArg, textArg, intArg}, 0, splitPart),
		text("chr", FailsOnValue, []argClass{intArg}, 0, func(a *rowArgs, i int, w *textWriter) (bool, error) {
			r := a.int(0, i)
			if r <= 0 || r > unicode.MaxRune || r >= 0xd800 && r <= 0xdfff {
				return false, fault.New(fault.InvalidArgument, "there is no character with the number %d", r)
			}
			w.append(func(dst []byte) []byte { return utf8.AppendRune(dst, rune(r)) })
			return true, nil
		}),
		text("translate", FailsNever, []argClass{textArg, textArg, textArg}, 0, translate),
		text("overlay", FailsOnValue, []argClass{textArg, textArg, intArg, intArg}, 3, overlay),
		digest("md5", func(b []byte) []byte { s := md5.Sum(b); return s[:] }),
		digest("sha1", func(b []byte) []byte { s := sha1.Sum(b); return s[:] }),
		digest("sha256", func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }),
		digest("sha512", func(b []byte) []byte { s := sha512.Sum512(b); return s[:] }),
		&function{name: "to_hex", category: "string", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{intArg}, out: tText,
			kernel: textOut(func(a *rowArgs, i int, w *textWriter) (bool, error) {
				w.append(func(dst []byte) []byte { return strconv.AppendUint(dst, uint64(a.int(0, i)), 16) })
				return true, nil
			})},
		&function{name: "hex", category: "string", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{stringArg}, out: tText,
			kernel: textOut(func(a *rowArgs, i int, w *textWriter) (bool, error) {
				w.append(func(dst []byte) []byte {
					n := len(dst)
					return append(dst[:n], bytes.ToUpper(hex.AppendEncode(nil, a.bytes(0, i)))...)
				})
				return true, nil
			})},
		&function{name: "encode", category: "string", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{bytesArg, textArg}, out: tText, kernel: textOut(encode)},
		&function{name: "decode", category: "string", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{textArg, textArg}, out: tBinary, kernel: textOut(decodeText)},
		&function{name: "to_base64", aliases: []string{"base64"}, category: "string", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{bytesArg}, out: tText,
			kernel: textOut(func(a *rowArgs, i int, w *textWriter) (bool, error) {
				w.append(func(dst []byte) []byte { return base64.StdEncoding.AppendEncode(dst, a.bytes(0, i)) })
				return true, nil
			})},
		&function{name: "from_base64", category: "string", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{textArg}, out: tBinary, kernel: textOut(func(a *rowArgs, i int, w *textWriter) (bool, error) {
			return true, writeDecoded(w, a.bytes(0, i), "base64")
		})},
		&function{name: "from_hex", aliases: []string{"unhex"}, category: "string", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{textArg}, out: tBinary, kernel: textOut(func(a *rowArgs, i int, w *textWriter) (bool, error) {
			return true, writeDecoded(w, a.bytes(0, i), "hex")
		})},
		&function{name: "levenshtein", aliases: []string{"editdist3"}, category: "string", volatility: Immutable, cost: CostHeavy, fails: FailsOnValue, args: []argClass{textArg, textArg}, out: tInt64,
			kernel: fixedOut(func(a *rowArgs, i int) (int64, bool, error) {
				d, err := levenshtein([]rune(a.str(0, i)), []rune(a.str(1, i)))
				return d, true, err
			})},
	)
}

func replaceAll(w *textWriter, s, old, by []byte) error {
	start := w.used
	for {
		i := bytes.Index(s, old)
		if i < 0 {
			break
		}
		w.write(s[:i])
		w.write(by)
		s = s[i+len(old):]
		if w.used-start > maxText {
			return tooLong("replace")
		}
	}
	w.write(s)
	return nil
}

func firstRune(s []byte) rune {
	if len(s) == 0 {
		return 0
	}
	r, _ := utf8.DecodeRune(s)
	return r
}

// appendUpper appends s in upper case, one to one.
func appendUpper(dst, s []byte) []byte {
	if ascii(s) {
		n := len(dst)
		dst = append(dst, s...)
		flipCase(dst[n:], 'a')
		return dst
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, s[i])
		} else {
			dst = utf8.AppendRune(dst, unicode.ToUpper(r))
		}
		i += n
	}
	return dst
}

func appendInitcap(dst, s []byte) []byte {
	start := true
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRune(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, s[i])
			start = true
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if start {
				r = unicode.ToUpper(r)
			} else {
				r = unicode.ToLower(r)
			}
			start = false
			dst = utf8.AppendRune(dst, r)
		default:
			start = true
			dst = utf8.AppendRune(dst, r)
		}
		i += n
	}
	return dst
}

func appendReverse(dst, s []byte) []byte {
	for len(s) > 0 {
		_, n := utf8.DecodeLastRune(s)
		dst = append(dst, s[len(s)-n:]...)
		s = s[:len(s)-n]
	}
	return dst
}

// sameString is the result type of functions of strings and binaries alike.
func sameString(a []Expr) ([]Expr, arrow.DataType, error) {
	if kindOf(a[0].Type()) == kBinary {
		return a, tBinary, nil
	}
	return a, tText, nil
}

// newSubstring is substring(x, from [, count]), or substring(x, pattern): the first match of a regular
// expression, or of its first group.
func newSubstring(a []Expr) (Expr, error) {
	if len(a) == 2 && kindOf(a[1].Type()) == kText {
		return NewCall("regexp_substr", a)
	}
	return NewCall("$substring", a)
}

// byteRange finds the bytes of n characters from character number from on, both counted from 0; they
// may lie outside.
func byteRange(s []byte, from, n int64) (start, end int) {
	if from < 0 {
		n += from
		from = 0
	}
	if n <= 0 {
		return 0, 0
	}
	start = skipRunes(s, from)
	return start, start + skipRunes(s[start:], n)
}

// skipRunes is the number of bytes of the first n characters.
func skipRunes(s []byte, n int64) int {
	i := 0
	for ; n > 0 && i < len(s); n-- {
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		_, size := utf8.DecodeRune(s[i:])
		i += size
	}
	return i
}

// substring is PostgreSQL's: positions before the first character count towards the length.
func substring(a *rowArgs, i int, w *textWriter) (bool, error) {
	s, from, n := a.bytes(0, i), a.int(1, i), int64(1<<40)
	if a.has(2) {
		if n = a.int(2, i); n < 0 {
			return false, fault.New(fault.InvalidArgument, "substring with a negative length, %d", n)
		}
		n = min(n, 1<<40)
	}
	from = max(-1<<40, min(1<<40, from)) - 1
	if !a.has(2) {
		from = max(from, 0)
	}
	if kindOf(w.t) == kBinary {
		end := min(from+n, int64(len(s)))
		from = min(max(from, 0), int64(len(s)))
		if from < end {
			w.write(s[from:end])
		}
		return true, nil
	}
	start, end := byteRange(s, from, n)
	w.write(s[start:end])
	return true, nil
}

// left is the first n characters; a negative n leaves out the last |n|.
func left(a *rowArgs, i int, w *textWriter) (bool, error) {
	s, n := a.bytes(0, i), a.int(1, i)
	if n < 0 {
		n += int64(runeCount(s))
	}
	w.write(s[:skipRunes(s, n)])
	return true, nil
}

// right is the last n characters; a negative n leaves out the first |n|.
func right(a *rowArgs, i int, w *textWriter) (bool, error) {
	s, n := a.bytes(0, i), a.int(1, i)
	skip := -n
	if n >= 0 {
		skip = int64(runeCount(s)) - n
	}
	w.write(s[skipRunes(s, skip):])
	return true, nil
}

// pad fills a string to n characters, or cuts it to that many.
func pad(a *rowArgs, i int, w *textWriter, front bool) (bool, error) {
	s, n, fill := a.bytes(0, i), a.int(1, i), []byte(" ")
	if a.has(2) {
		fill = a.bytes(2, i)
	}
	if n > maxText {
		return false, tooLong("lpad")
	}
	missing := n - int64(runeCount(s))
	if missing <= 0 || len(fill) == 0 {
		w.write(s[:skipRunes(s, n)])
		return true, nil
	}
	if !front {
		w.write(s)
	}
	per := int64(runeCount(fill))
	for ; missing >= per; missing -= per {
		w.write(fill)
	}
	w.write(fill[:skipRunes(fill, missing)])
	if front {
		w.write(s)
	}
	return true, nil
}

// asTexts casts all arguments to strings.
func asTexts(a []Expr) ([]Expr, arrow.DataType, error) {
	out := make([]Expr, len(a))
	for i, x := range a {
		var err error
		if out[i], err = asText(x); err != nil {
			return nil, nil, err
		}
	}
	return out, tText, nil
}

// concatRows joins all arguments that are not NULL.
func concatRows(c *call) (arrow.Array, error) {
	return concatFrom(c, 0, func(int) []byte { return nil })
}

// concatWS joins the arguments that are not NULL with a separator; a NULL separator makes it NULL.
func concatWS(c *call) (arrow.Array, error) {
	for i := range c.n {
		if !c.validRow(0, i) {
			c.setNull(i)
		}
	}
	sep := textsOf(c.args[0])
	return concatFrom(c, 1, sep.at)
}

func concatFrom(c *call, first int, sep func(i int) []byte) (arrow.Array, error) {
	parts := make([]texts, len(c.args))
	for k := first; k < len(parts); k++ {
		parts[k] = textsOf(c.args[k])
	}
	w := newTextWriter(c.mem(), tText, c.n, 32*c.n)
	for i := range c.n {
		some := false
		for k := first; k < len(parts) && !c.null(i); k++ {
			if !c.validRow(k, i) {
				continue
			}
			if some {
				w.write(sep(i))
			}
			some = true
			w.write(parts[k].at(i))
		}
		if err := w.end(); err != nil {
			w.free()
			return nil, err
		}
	}
	return w.finish(c.countedValid()), nil
}

// splitPart is the n-th part between delimiters, from the end for a negative n; empty if there are
// not so many.
func splitPart(a *rowArgs, i int, w *textWriter) (bool, error) {
	s, sep, n := a.str(0, i), a.str(1, i), a.int(2, i)
	if n == 0 {
		return false, fault.New(fault.InvalidArgument, "the position in split_part must not be 0; the first part is 1")
	}
	if sep == "" {
		if n == 1 || n == -1 {
			w.writeString(s)
		}
		return true, nil
	}
	if n < 0 {
		n += int64(strings.Count(s, sep)) + 2
		if n <= 0 {
			return true, nil
		}
	}
	for ; n > 1; n-- {
		at := strings.Index(s, sep)
		if at < 0 {
			return true, nil
		}
		s = s[at+len(sep):]
	}
	if at := strings.Index(s, sep); at >= 0 {
		s = s[:at]
	}
	w.writeString(s)
	return true, nil
}

// translate replaces each character of a set by the one at the same place in another; those without a
// counterpart are dropped.
func translate(a *rowArgs, i int, w *textWriter) (bool, error) {
	from, to := []rune(a.str(1, i)), []rune(a.str(2, i))
	w.append(func(dst []byte) []byte {
	next:
		for _, r := range a.str(0, i) {
			for k, f := range from {
				if f != r {
					continue
				}
				if k < len(to) {
					dst = utf8.AppendRune(dst, to[k])
				}
				continue next
			}
			dst = utf8.AppendRune(dst, r)
		}
		return dst
	})
	return true, nil
}

// overlay replaces the characters from a position on, as many as the new text has unless told.
func overlay(a *rowArgs, i int, w *textWriter) (bool, error) {
	s, by, from := a.bytes(0, i), a.bytes(1, i), a.int(2, i)
	n := int64(runeCount(by))
	if a.has(3) {
		n = a.int(3, i)
	}
	if from < 1 {
		return false, fault.New(fault.InvalidArgument, "overlay at position %d; the first is 1", from)
	}
	start := skipRunes(s, from-1)
	w.write(s[:start])
	w.write(by)
	w.write(s[skipRunes(s, max(0, min(from, 1<<40)-1+max(n, -1<<40))):])
	return true, nil
}

func unknownFormat(f string) error {
	return fault.New(fault.InvalidArgument, "unknown encoding '%s'; use base64, hex or escape", f)
}

// encode writes bytes as base64, hex or escape.
func encode(a *rowArgs, i int, w *textWriter) (bool, error) {
	b, f := a.bytes(0, i), strings.ToLower(a.str(1, i))
	switch f {
	case "base64", "hex", "escape":
	default:
		return false, unknownFormat(f)
	}
	w.append(func(dst []byte) []byte {
		switch f {
		case "base64":
			return base64.StdEncoding.AppendEncode(dst, b)
		case "hex":
			return hex.AppendEncode(dst, b)
		}
		for _, c := range b {
			switch {
			case c == '\\':
				dst = append(dst, `\\`...)
			case c == 0 || c >= 0x80:
				dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
			default:
				dst = append(dst, c)
			}
		}
		return dst
	})
	return true, nil
}

func decodeText(a *rowArgs, i int, w *textWriter) (bool, error) {
	return true, writeDecoded(w, a.bytes(0, i), strings.ToLower(a.str(1, i)))
}

// writeDecoded writes the bytes that an encoded text stands for.
func writeDecoded(w *textWriter, s []byte, format string) error {
	var out []byte
	var err error
	switch format {
	case "base64":
		clean := strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}, string(s))
		out, err = base64.StdEncoding.DecodeString(clean)
	case "hex":
		out, err = hex.DecodeString(string(s))
	case "escape":
		var ok bool
		if out, ok = scanBytes(string(s)); !ok {
			err = fault.New(fault.InvalidArgument, "bad escape")
		}
	default:
		return unknownFormat(format)
	}
	if err != nil {
		return fault.New(fault.InvalidArgument, "%s is not %s", shortQuoted(string(s)), format)
	}
	w.write(out)
	return nil
}

func levenshtein(a, b []rune) (int64, error) {
	if len(a)*len(b) > 1<<26 {
		return 0, fault.New(fault.ResourceExhausted, "levenshtein of strings of %d and %d characters", len(a), len(b))
	}
	row := make([]int64, len(b)+1)
	for j := range row {
		row[j] = int64(j)
	}
	for i, ra := range a {
		corner := row[0]
		row[0] = int64(i) + 1
		for j, rb := range b {
			best := corner
			if ra != rb {
				best++
			}
			corner = row[j+1]
			row[j+1] = min(best, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)], nil
}

func tooLong(name string) error {
	return fault.New(fault.ResourceExhausted, "%s would make a string of more than 256 MiB", name)
}

// maxText bounds one string that a function makes.
const maxText = 1 << 28
