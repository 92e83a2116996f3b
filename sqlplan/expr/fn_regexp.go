package expr

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
)

// Functions of regular expressions, in RE2 syntax.

func init() {
	match := func(name string, whole bool, aliases ...string) *function {
		return &function{name: name, aliases: aliases, category: "string", volatility: Immutable, cost: CostHeavy, fails: FailsOnOption, options: []int{1, 2}, args: []argClass{textArg, textArg, textArg}, required: 2, out: tBool, lazy: true,
			kernel: withRegexp(1, 2, func(e *Call, res *regexps) func(*call) (arrow.Array, error) {
				run, _ := boolOut(func(a *rowArgs, i int) (bool, error) {
					re, _, err := res.at(a, i)
					if err != nil {
						return false, err
					}
					if whole {
						loc := re.longest().FindIndex(a.bytes(0, i))
						return loc != nil && loc[0] == 0 && loc[1] == len(a.bytes(0, i)), nil
					}
					return re.Match(a.bytes(0, i)), nil
				})(e)
				return run
			})}
	}
	register(
		match("regexp_matches", false, "regexp_like", "regexp"),
		match("regexp_full_match", true),
		&function{name: "regexp_replace", category: "string", volatility: Immutable, cost: CostHeavy, fails: FailsOnOption, options: []int{1, 3}, args: []argClass{textArg, textArg, textArg, textArg}, required: 3, out: tText,
			kernel: withRegexp(1, 3, regexpReplace)},
		&function{name: "regexp_extract", category: "string", volatility: Immutable, cost: CostHeavy, fails: FailsOnValue, args: []argClass{textArg, textArg, intArg, textArg}, required: 2, out: tText,
			kernel: withRegexp(1, 3, func(e *Call, res *regexps) func(*call) (arrow.Array, error) { return regexpExtract(e, res, false) })},
		&function{name: "regexp_substr", category: "string", volatility: Immutable, cost: CostHeavy, fails: FailsOnOption, options: []int{1}, args: []argClass{textArg, textArg}, out: tText,
			kernel: withRegexp(1, -1, func(e *Call, res *regexps) func(*call) (arrow.Array, error) { return regexpExtract(e, res, true) })},
		&function{name: "regexp_count", category: "string", volatility: Immutable, cost: CostHeavy, fails: FailsOnOption, options: []int{1, 2}, args: []argClass{textArg, textArg, textArg}, required: 2, out: tInt64,
			kernel: withRegexp(1, 2, func(e *Call, res *regexps) func(*call) (arrow.Array, error) {
				run, _ := fixedOut(func(a *rowArgs, i int) (int64, bool, error) {
					re, _, err := res.at(a, i)
					if err != nil {
						return 0, false, err
					}
					return int64(len(re.FindAllIndex(a.bytes(0, i), -1))), true, nil
				})(e)
				return run
			})},
		&function{name: "regexp_extract_all", category: "string", volatility: Immutable, cost: CostHeavy, fails: FailsOnValue, args: []argClass{textArg, textArg, intArg}, required: 2, out: arrow.ListOf(tText),
			kernel: withRegexp(1, -1, func(_ *Call, res *regexps) func(*call) (arrow.Array, error) {
				return textLists(func(a *rowArgs, i int, add func(string)) error {
					re, _, err := res.at(a, i)
					if err != nil {
						return err
					}
					group, err := groupOf(a, i, re.Regexp)
					if err != nil {
						return err
					}
					s := a.str(0, i)
					for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
						if m[2*group] >= 0 {
							add(s[m[2*group]:m[2*group+1]])
						} else {
							add("")
						}
					}
					return nil
				})
			})},
		&function{name: "regexp_split_to_array", aliases: []string{"string_split_regex", "str_split_regex"}, category: "string", volatility: Immutable, cost: CostHeavy, fails: FailsOnOption, options: []int{1}, args: []argClass{textArg, textArg}, out: arrow.ListOf(tText),
			kernel: withRegexp(1, -1, func(_ *Call, res *regexps) func(*call) (arrow.Array, error) {
				return textLists(func(a *rowArgs, i int, add func(string)) error {
					re, _, err := res.at(a, i)
					if err != nil {
						return err
					}
					for _, p := range re.Split(a.str(0, i), -1) {
						add(p)
					}
					return nil
				})
			})},
		&function{name: "string_split", aliases: []string{"str_split", "split"}, category: "string", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{textArg, textArg}, out: arrow.ListOf(tText),
			kernel: plainKernel(textLists(func(a *rowArgs, i int, add func(string)) error {
				for _, p := range strings.Split(a.str(0, i), a.str(1, i)) {
					add(p)
				}
				return nil
			}))},
		&function{name: "string_to_array", category: "string", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{textArg, textArg}, out: arrow.ListOf(tText),
			kernel: plainKernel(textLists(func(a *rowArgs, i int, add func(string)) error {
				s, sep := a.str(0, i), a.str(1, i)
				switch {
				case s == "": // no items, where string_split has an empty one
				case sep == "":
					add(s)
				default:
					for _, p := range strings.Split(s, sep) {
						add(p)
					}
				}
				return nil
			}))},
	)
}

// compiled is a regular expression, also in its leftmost-longest form once somebody asked for that.
type compiled struct{ *regexp.Regexp }

func (c compiled) longest() *regexp.Regexp {
	re := regexp.MustCompile(c.String()) // it compiled before
	re.Longest()
	return re
}

// regexps yields the regular expression of each row: compiled once if pattern and flags are constant.
type regexps struct {
	pattern, flags int // argument numbers; flags -1 if there are none
	fixed          *compiled
	fixedAll       bool
}

// withRegexp makes a kernel around the pattern in one argument and the flags in another.
func withRegexp(pattern, flags int, make func(*Call, *regexps) func(*call) (arrow.Array, error)) func(*Call) (func(*call) (arrow.Array, error), error) {
	return func(e *Call) (func(*call) (arrow.Array, error), error) {
		res := &regexps{pattern: pattern, flags: flags}
		if flags >= len(e.Args) {
			res.flags = -1
		}
		p, constant := literalText(e.Args[pattern])
		f := ""
		if constant && res.flags >= 0 {
			f, constant = literalText(e.Args[res.flags])
		}
		if constant {
			re, all, err := compileFlags(p, f)
			if err != nil {
				return nil, err
			}
			res.fixed, res.fixedAll = &compiled{re}, all
		}
		return make(e, res), nil
	}
}

// compileFlags compiles a pattern with PostgreSQL's flags: i ignores case, g means all matches, s and n
// (and m, p) say whether a dot matches a newline.
func compileFlags(pattern, flags string) (re *regexp.Regexp, all bool, err error) {
	prefix := ""
	insensitive := false
	for _, f := range flags {
		switch f {
		case 'g':
			all = true
		case 'i':
			insensitive = true
		case 'c':
			insensitive = false
		case 's':
			prefix = ""
		case 'n', 'm', 'p':
			prefix = "(?-s)(?m)"
		case 'l':
			pattern = regexp.QuoteMeta(pattern)
		default:
			return nil, false, fault.New(fault.InvalidArgument, "unknown regular expression flag '%c'; there are i, c, g, s, n and l", f)
		}
	}
	re, err = compileRegexp(prefix+pattern, insensitive)
	return re, all, err
}

func (r *regexps) at(a *rowArgs, i int) (compiled, bool, error) {
	if r.fixed != nil {
		return *r.fixed, r.fixedAll, nil
	}
	flags := ""
	if r.flags >= 0 {
		flags = a.str(r.flags, i)
	}
	re, all, err := compileFlags(string(a.bytes(r.pattern, i)), string([]byte(flags)))
	return compiled{re}, all, err
}

// regexpReplace replaces the first match, or all with the flag g. \1 … \9 in the replacement are
// groups, \& and \0 the match.
func regexpReplace(e *Call, res *regexps) func(*call) (arrow.Array, error) {
	run, _ := textOut(func(a *rowArgs, i int, w *textWriter) (bool, error) {
		re, all, err := res.at(a, i)
		if err != nil {
			return false, err
		}
		s, by := a.str(0, i), a.str(2, i)
		limit := 1
		if all {
			limit = -1
		}
		last := 0
		for _, m := range re.FindAllStringSubmatchIndex(s, limit) {
			w.writeString(s[last:m[0]])
			expandGroups(w, by, s, m)
			last = m[1]
		}
		w.writeString(s[last:])
		return true, nil
	})(e)
	return run
}

func expandGroups(w *textWriter, by, s string, m []int) {
	for i := 0; i < len(by); i++ {
		if by[i] != '\\' || i+1 == len(by) {
			w.writeString(by[i : i+1])
			continue
		}
		i++
		group := -1
		switch c := by[i]; {
		case c == '&':
			group = 0
		case isDigit(c):
			group = int(c - '0')
		case c == '\\':
			w.writeString(`\`)
			continue
		default:
			w.writeString(by[i-1 : i+1])
			continue
		}
		if 2*group+1 < len(m) && m[2*group] >= 0 {
			w.writeString(s[m[2*group]:m[2*group+1]])
		}
	}
}

// groupOf is the group asked for by the third argument, 0 without one.
func groupOf(a *rowArgs, i int, re *regexp.Regexp) (int, error) {
	if !a.has(2) {
		return 0, nil
	}
	g := a.int(2, i)
	if g < 0 || g > int64(re.NumSubexp()) {
		return 0, fault.New(fault.InvalidArgument, "the regular expression has %d groups, not %d", re.NumSubexp(), g)
	}
	return int(g), nil
}

// regexpExtract is the first match, or a group of it. Without a match it is empty, as in DuckDB; for
// substring (null set) it is NULL, and the first group if there is one, as in PostgreSQL.
func regexpExtract(e *Call, res *regexps, null bool) func(*call) (arrow.Array, error) {
	run, _ := textOut(func(a *rowArgs, i int, w *textWriter) (bool, error) {
		re, _, err := res.at(a, i)
		if err != nil {
			return false, err
		}
		group := 0
		if null {
			group = min(1, re.NumSubexp())
		} else if group, err = groupOf(a, i, re.Regexp); err != nil {
			return false, err
		}
		s := a.str(0, i)
		m := re.FindStringSubmatchIndex(s)
		if m == nil || m[2*group] < 0 {
			return !null, nil
		}
		w.writeString(s[m[2*group]:m[2*group+1]])
		return true, nil
	})(e)
	return run
}

// textLists is the kernel of a function whose result is a list of strings; add copies.
func textLists(fn func(a *rowArgs, i int, add func(string)) error) func(*call) (arrow.Array, error) {
	return func(c *call) (arrow.Array, error) {
		a := rowArgsOf(c)
		b := array.NewListBuilder(c.mem(), tText)
		defer b.Release()
		items := b.ValueBuilder().(*array.StringBuilder)
		add := func(s string) {
			if !utf8.ValidString(s) {
				s = strings.ToValidUTF8(s, "\uFFFD")
			}
			items.Append(s)
		}
		for i := range c.n {
			if c.null(i) {
				b.AppendNull()
				continue
			}
			b.Append(true)
			if err := fn(a, i, add); err != nil {
				return nil, err
			}
		}
		return b.NewArray(), nil
	}
}
