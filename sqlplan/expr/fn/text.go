package fn

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/match"
	"lanceflight/sqlplan/expr/value"
)

// String functions. Positions and lengths count characters (code points) in strings and bytes in
// binaries; positions start at 1.

func init() {
	one := func(name string, fn func(dst, s []byte) []byte, aliases ...string) *expr.Function {
		return &expr.Function{
			Name:       name,
			Aliases:    aliases,
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.TextArg},
			Out:        value.TypeText,
			Lazy:       true,
			Kernel: expr.TextOut(func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
				w.Append(func(dst []byte) []byte { return fn(dst, a.Bytes(0, i)) })
				return true, nil
			}),
		}
	}
	digest := func(name string, sum func([]byte) []byte) *expr.Function {
		return &expr.Function{
			Name:       name,
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostHeavy,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.StringArg},
			Out:        value.TypeText,
			Lazy:       true,
			Kernel: expr.TextOut(func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
				w.Append(func(dst []byte) []byte { return hex.AppendEncode(dst, sum(a.Bytes(0, i))) })
				return true, nil
			}),
		}
	}
	count := func(name string, class expr.ArgClass, fn func(a *expr.RowArgs, i int) int64, aliases ...string) *expr.Function {
		return &expr.Function{
			Name:       name,
			Aliases:    aliases,
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{class},
			Out:        value.TypeInt64,
			Lazy:       true,
			Kernel:     expr.FixedOut(func(a *expr.RowArgs, i int) (int64, bool, error) { return fn(a, i), true, nil }),
		}
	}
	find := func(name string, fn func(s, sub []byte) bool, aliases ...string) *expr.Function {
		return &expr.Function{
			Name:       name,
			Aliases:    aliases,
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.TextArg, expr.TextArg},
			Out:        value.TypeBool,
			Lazy:       true,
			Kernel:     expr.BoolOut(func(a *expr.RowArgs, i int) (bool, error) { return fn(a.Bytes(0, i), a.Bytes(1, i)), nil }),
		}
	}
	trim := func(name string, left, right bool, aliases ...string) *expr.Function {
		return &expr.Function{
			Name:       name,
			Aliases:    aliases,
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.TextArg, expr.TextArg},
			Required:   1,
			Out:        value.TypeText,
			Lazy:       true,
			Kernel: expr.TextOut(func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
				set := " "
				if a.Has(1) {
					set = a.Str(1, i)
				}
				s := a.Str(0, i)
				if left {
					s = strings.TrimLeft(s, set)
				}
				if right {
					s = strings.TrimRight(s, set)
				}
				w.WriteString(s)
				return true, nil
			}),
		}
	}
	where := func(name string, str, sub int, aliases ...string) *expr.Function {
		return &expr.Function{
			Name:       name,
			Aliases:    aliases,
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.TextArg, expr.TextArg},
			Out:        value.TypeInt64,
			Lazy:       true,
			Kernel: expr.FixedOut(func(a *expr.RowArgs, i int) (int64, bool, error) {
				s := a.Bytes(str, i)
				at := bytes.Index(s, a.Bytes(sub, i))
				if at < 0 {
					return 0, true, nil
				}
				return int64(match.RuneCount(s[:at])) + 1, true, nil
			}),
		}
	}
	text := func(name string, fails expr.Failure, args []expr.ArgClass, required int,
		fn func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error), aliases ...string) *expr.Function {
		return &expr.Function{
			Name:       name,
			Aliases:    aliases,
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      fails,
			Args:       args,
			Required:   required,
			Out:        value.TypeText,
			Lazy:       false,
			Kernel:     expr.TextOut(fn),
		}
	}
	expr.Register(
		&expr.Function{
			Name:       "length",
			Aliases:    []string{"len"},
			Category:   "string",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.AnyArg},
			Rewrite: func(a []expr.Expr) (expr.Expr, error) {
				switch k := value.KindOf(a[0].Type()); k {
				case value.KindList, value.KindMap:
					return expr.NewCall("array_length", a)
				case value.KindBinary:
					return expr.NewCall("octet_length", a)
				}
				return expr.NewCall("char_length", a)
			},
		},
		count(
			"char_length",
			expr.TextArg,
			func(a *expr.RowArgs, i int) int64 { return int64(match.RuneCount(a.Bytes(0, i))) },
			"character_length",
		),
		count("octet_length", expr.StringArg, func(a *expr.RowArgs, i int) int64 { return int64(a.Texts[0].Length(i)) }, "strlen"),
		count("bit_length", expr.StringArg, func(a *expr.RowArgs, i int) int64 { return 8 * int64(a.Texts[0].Length(i)) }),
		count("ascii", expr.TextArg, func(a *expr.RowArgs, i int) int64 { return int64(firstRune(a.Bytes(0, i))) }, "unicode", "ord"),
		one("lower", match.AppendLower, "lcase"),
		one("upper", appendUpper, "ucase"),
		one("initcap", appendInitcap),
		one("reverse", appendReverse),
		trim("trim", true, true, "btrim"),
		trim("ltrim", true, false),
		trim("rtrim", false, true),
		&expr.Function{
			Name:       "substring",
			Aliases:    []string{"substr"},
			Category:   "string",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.StringArg, expr.AnyArg, expr.IntArg},
			Required:   2,
			Rewrite:    newSubstring,
		},
		&expr.Function{
			Name:       "$substring",
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.StringArg, expr.IntArg, expr.IntArg},
			Required:   2,
			Result:     sameString,
			Kernel:     expr.TextOut(substring),
		},
		text(
			"left",
			expr.FailsNever,
			[]expr.ArgClass{expr.TextArg, expr.IntArg},
			0,
			left,
		),
		text("right", expr.FailsNever, []expr.ArgClass{expr.TextArg, expr.IntArg}, 0, right),
		text(
			"replace",
			expr.FailsOnRange,
			[]expr.ArgClass{expr.TextArg, expr.TextArg, expr.TextArg},
			0,
			func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
				s, old := a.Bytes(0, i), a.Bytes(1, i)
				if len(old) == 0 {
					w.Write(s)
					return true, nil
				}
				return true, replaceAll(w, s, old, a.Bytes(2, i))
			},
		),
		text(
			"repeat",
			expr.FailsOnRange,
			[]expr.ArgClass{expr.TextArg, expr.IntArg},
			0,
			func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
				s, n := a.Bytes(0, i), max(0, a.Int(1, i))
				if len(s) == 0 {
					return true, nil // however often
				}
				if n > maxText/int64(len(s)) {
					return false, tooLong("repeat")
				}
				for range n {
					w.Write(s)
				}
				return true, nil
			},
		),
		text(
			"lpad",
			expr.FailsOnRange,
			[]expr.ArgClass{expr.TextArg, expr.IntArg, expr.TextArg},
			2,
			func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) { return pad(a, i, w, true) },
		),
		text(
			"rpad",
			expr.FailsOnRange,
			[]expr.ArgClass{expr.TextArg, expr.IntArg, expr.TextArg},
			2,
			func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) { return pad(a, i, w, false) },
		),
		&expr.Function{
			Name:       "concat",
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.AnyArg},
			Variadic:   true,
			Out:        value.TypeText,
			Result:     asTexts,
			Loose:      true,
			Kernel:     expr.PlainKernel(concatRows),
		},
		&expr.Function{
			Name:       "concat_ws",
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.TextArg, expr.AnyArg},
			Variadic:   true,
			Out:        value.TypeText,
			Result:     asTexts,
			Loose:      true,
			Kernel:     expr.PlainKernel(concatWS),
		},
		where("position", 1, 0),
		where("strpos", 0, 1, "instr"),
		find("starts_with", bytes.HasPrefix, "prefix", "startswith"),
		find("ends_with", bytes.HasSuffix, "suffix", "endswith"),
		&expr.Function{
			Name:       "contains",
			Category:   "string",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.AnyArg, expr.AnyArg},
			Rewrite: func(a []expr.Expr) (expr.Expr, error) {
				if value.KindOf(a[0].Type()) == value.KindList {
					return expr.NewCall("list_contains", a)
				}
				return expr.NewCall("$contains", a)
			},
		},
		find("$contains", bytes.Contains),
		text("split_part", expr.FailsOnValue, []expr.ArgClass{expr.TextArg, expr.TextArg, expr.IntArg}, 0, splitPart),
		text("chr", expr.FailsOnValue, []expr.ArgClass{expr.IntArg}, 0, func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
			r := a.Int(0, i)
			if r <= 0 || r > unicode.MaxRune || r >= 0xd800 && r <= 0xdfff {
				return false, fault.New(fault.InvalidArgument, "there is no character with the number %d", r)
			}
			w.Append(func(dst []byte) []byte { return utf8.AppendRune(dst, rune(r)) })
			return true, nil
		}),
		text("translate", expr.FailsNever, []expr.ArgClass{expr.TextArg, expr.TextArg, expr.TextArg}, 0, translate),
		text("overlay", expr.FailsOnValue, []expr.ArgClass{expr.TextArg, expr.TextArg, expr.IntArg, expr.IntArg}, 3, overlay),
		digest("md5", func(b []byte) []byte { s := md5.Sum(b); return s[:] }),
		digest("sha1", func(b []byte) []byte { s := sha1.Sum(b); return s[:] }),
		digest("sha256", func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }),
		digest("sha512", func(b []byte) []byte { s := sha512.Sum512(b); return s[:] }),
		&expr.Function{
			Name:       "to_hex",
			Category:   "string",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.AnyArg},
			Rewrite: func(a []expr.Expr) (expr.Expr, error) {
				// A negative number has as many digits as its type.
				if t := a[0].Type(); value.KindOf(t) == value.KindInt && value.BitWidth(t) <= 32 {
					return expr.NewCall("$to_hex_32", a)
				}
				return expr.NewCall("$to_hex_64", a)
			},
		},
		text("$to_hex_32", expr.FailsNever, []expr.ArgClass{expr.IntArg}, 0, func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
			w.Append(func(dst []byte) []byte { return strconv.AppendUint(dst, uint64(uint32(a.Int(0, i))), 16) })
			return true, nil
		}),
		text("$to_hex_64", expr.FailsNever, []expr.ArgClass{expr.IntArg}, 0, func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
			w.Append(func(dst []byte) []byte { return strconv.AppendUint(dst, uint64(a.Int(0, i)), 16) })
			return true, nil
		}),
		&expr.Function{
			Name:       "hex",
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.StringArg},
			Out:        value.TypeText,
			Kernel: expr.TextOut(func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
				w.Append(func(dst []byte) []byte {
					n := len(dst)
					return append(dst[:n], bytes.ToUpper(hex.AppendEncode(nil, a.Bytes(0, i)))...)
				})
				return true, nil
			}),
		},
		&expr.Function{
			Name:       "encode",
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.BytesArg, expr.TextArg},
			Out:        value.TypeText,
			Kernel:     expr.TextOut(encode),
		},
		&expr.Function{
			Name:       "decode",
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.TextArg, expr.TextArg},
			Out:        value.TypeBinary,
			Kernel:     expr.TextOut(decodeText),
		},
		&expr.Function{
			Name:       "to_base64",
			Aliases:    []string{"base64"},
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.BytesArg},
			Out:        value.TypeText,
			Kernel: expr.TextOut(func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
				w.Append(func(dst []byte) []byte { return base64.StdEncoding.AppendEncode(dst, a.Bytes(0, i)) })
				return true, nil
			}),
		},
		&expr.Function{
			Name:       "from_base64",
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.TextArg},
			Out:        value.TypeBinary,
			Kernel: expr.TextOut(func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
				return true, writeDecoded(w, a.Bytes(0, i), "base64")
			}),
		},
		&expr.Function{
			Name:       "from_hex",
			Aliases:    []string{"unhex"},
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.TextArg},
			Out:        value.TypeBinary,
			Kernel: expr.TextOut(func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
				return true, writeDecoded(w, a.Bytes(0, i), "hex")
			}),
		},
		&expr.Function{
			Name:       "levenshtein",
			Aliases:    []string{"editdist3"},
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostHeavy,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.TextArg, expr.TextArg},
			Out:        value.TypeInt64,
			Kernel: expr.FixedOut(func(a *expr.RowArgs, i int) (int64, bool, error) {
				d, err := levenshtein([]rune(a.Str(0, i)), []rune(a.Str(1, i)))
				return d, true, err
			}),
		},
	)
}

func replaceAll(w *value.TextWriter, s, old, by []byte) error {
	start := w.Used
	for {
		i := bytes.Index(s, old)
		if i < 0 {
			break
		}
		w.Write(s[:i])
		w.Write(by)
		s = s[i+len(old):]
		if w.Used-start > maxText {
			return tooLong("replace")
		}
	}
	w.Write(s)
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
	if match.Ascii(s) {
		n := len(dst)
		dst = append(dst, s...)
		match.FlipCase(dst[n:], 'a')
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
func sameString(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	if value.KindOf(a[0].Type()) == value.KindBinary {
		return a, value.TypeBinary, nil
	}
	return a, value.TypeText, nil
}

// newSubstring is substring(x, from [, count]), or substring(x, pattern): the first match of a regular
// expression, or of its first group.
func newSubstring(a []expr.Expr) (expr.Expr, error) {
	if len(a) == 2 && value.KindOf(a[1].Type()) == value.KindText {
		return expr.NewCall("regexp_substr", a)
	}
	return expr.NewCall("$substring", a)
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
func substring(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
	s, from, n := a.Bytes(0, i), a.Int(1, i), int64(1<<40)
	if a.Has(2) {
		if n = a.Int(2, i); n < 0 {
			return false, fault.New(fault.InvalidArgument, "substring with a negative length, %d", n)
		}
		n = min(n, 1<<40)
	}
	from = max(-1<<40, min(1<<40, from)) - 1
	if !a.Has(2) {
		from = max(from, 0)
	}
	if value.KindOf(w.T) == value.KindBinary {
		end := min(from+n, int64(len(s)))
		from = min(max(from, 0), int64(len(s)))
		if from < end {
			w.Write(s[from:end])
		}
		return true, nil
	}
	start, end := byteRange(s, from, n)
	w.Write(s[start:end])
	return true, nil
}

// left is the first n characters; a negative n leaves out the last |n|.
func left(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
	s, n := a.Bytes(0, i), a.Int(1, i)
	if n < 0 {
		n += int64(match.RuneCount(s))
	}
	w.Write(s[:skipRunes(s, n)])
	return true, nil
}

// right is the last n characters; a negative n leaves out the first |n|.
func right(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
	s, n := a.Bytes(0, i), a.Int(1, i)
	skip := -max(n, -math.MaxInt64)
	if n >= 0 {
		skip = int64(match.RuneCount(s)) - n
	}
	w.Write(s[skipRunes(s, skip):])
	return true, nil
}

// pad fills a string to n characters, or cuts it to that many.
func pad(a *expr.RowArgs, i int, w *value.TextWriter, front bool) (bool, error) {
	s, n, fill := a.Bytes(0, i), a.Int(1, i), []byte(" ")
	if a.Has(2) {
		fill = a.Bytes(2, i)
	}
	missing := max(n, 0) - int64(match.RuneCount(s))
	if missing <= 0 || len(fill) == 0 {
		w.Write(s[:skipRunes(s, n)])
		return true, nil
	}
	if n > maxText {
		return false, tooLong("lpad or rpad")
	}
	if !front {
		w.Write(s)
	}
	per := int64(match.RuneCount(fill))
	for ; missing >= per; missing -= per {
		w.Write(fill)
	}
	w.Write(fill[:skipRunes(fill, missing)])
	if front {
		w.Write(s)
	}
	return true, nil
}

// asTexts casts all arguments to strings.
func asTexts(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	out := make([]expr.Expr, len(a))
	for i, x := range a {
		var err error
		if out[i], err = expr.AsText(x); err != nil {
			return nil, nil, err
		}
	}
	return out, value.TypeText, nil
}

// concatRows joins all arguments that are not NULL.
func concatRows(c *value.KernelCall) (arrow.Array, error) {
	return concatFrom(c, 0, func(int) []byte { return nil })
}

// concatWS joins the arguments that are not NULL with a separator; a NULL separator makes it NULL.
func concatWS(c *value.KernelCall) (arrow.Array, error) {
	for i := range c.N {
		if !c.ValidRow(0, i) {
			c.SetNull(i)
		}
	}
	sep := value.TextsOf(c.Args[0])
	return concatFrom(c, 1, sep.At)
}

func concatFrom(c *value.KernelCall, first int, sep func(i int) []byte) (arrow.Array, error) {
	parts := make([]value.Texts, len(c.Args))
	for k := first; k < len(parts); k++ {
		parts[k] = value.TextsOf(c.Args[k])
	}
	w := value.NewTextWriter(c.Mem(), value.TypeText, c.N, 32*c.N)
	for i := range c.N {
		some := false
		for k := first; k < len(parts) && !c.Null(i); k++ {
			if !c.ValidRow(k, i) {
				continue
			}
			if some {
				w.Write(sep(i))
			}
			some = true
			w.Write(parts[k].At(i))
		}
		if err := w.End(); err != nil {
			w.Free()
			return nil, err
		}
	}
	return w.Finish(c.CountedValid()), nil
}

// splitPart is the n-th part between delimiters, from the end for a negative n; empty if there are
// not so many.
func splitPart(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
	s, sep, n := a.Str(0, i), a.Str(1, i), a.Int(2, i)
	if n == 0 {
		return false, fault.New(fault.InvalidArgument, "the position in split_part must not be 0; the first part is 1")
	}
	if sep == "" {
		if n == 1 || n == -1 {
			w.WriteString(s)
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
	w.WriteString(s)
	return true, nil
}

// translate replaces each character of a set by the one at the same place in another; those without a
// counterpart are dropped.
func translate(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
	from, to := []rune(a.Str(1, i)), []rune(a.Str(2, i))
	w.Append(func(dst []byte) []byte {
	next:
		for _, r := range a.Str(0, i) {
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
func overlay(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
	s, by, from := a.Bytes(0, i), a.Bytes(1, i), a.Int(2, i)
	n := int64(match.RuneCount(by))
	if a.Has(3) {
		n = a.Int(3, i)
	}
	if from < 1 {
		return false, fault.New(fault.InvalidArgument, "overlay at position %d; the first is 1", from)
	}
	start := skipRunes(s, from-1)
	w.Write(s[:start])
	w.Write(by)
	w.Write(s[skipRunes(s, max(0, min(from, 1<<40)-1+max(n, -1<<40))):])
	return true, nil
}

func unknownFormat(f string) error {
	return fault.New(fault.InvalidArgument, "unknown encoding '%s'; use base64, hex or escape", f)
}

// encode writes bytes as base64, hex or escape.
func encode(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
	b, f := a.Bytes(0, i), strings.ToLower(a.Str(1, i))
	switch f {
	case "base64", "hex", "escape":
	default:
		return false, unknownFormat(f)
	}
	w.Append(func(dst []byte) []byte {
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

func decodeText(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
	return true, writeDecoded(w, a.Bytes(0, i), strings.ToLower(a.Str(1, i)))
}

// writeDecoded writes the bytes that an encoded text stands for.
func writeDecoded(w *value.TextWriter, s []byte, format string) error {
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
		if out, ok = cast.ScanBytes(string(s)); !ok {
			err = fault.New(fault.InvalidArgument, "bad escape")
		}
	default:
		return unknownFormat(format)
	}
	if err != nil {
		return fault.New(fault.InvalidArgument, "%s is not %s", cast.ShortQuoted(string(s)), format)
	}
	w.Write(out)
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
