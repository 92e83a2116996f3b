package fn

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/match"
	"lanceflight/sqlplan/expr/value"
)

// Functions of regular expressions, in RE2 syntax.

func init() {
	match := func(name string, whole bool, aliases ...string) *expr.Function {
		return &expr.Function{
			Name:       name,
			Aliases:    aliases,
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostHeavy,
			Fails:      expr.FailsOnOption,
			Options:    []int{1, 2},
			Args:       []expr.ArgClass{expr.TextArg, expr.TextArg, expr.TextArg},
			Required:   2,
			Out:        value.TypeBool,
			Lazy:       true,
			Kernel: withRegexp(1, 2, func(e *expr.Call, res *regexps) func(*value.KernelCall) (arrow.Array, error) {
				run, _ := expr.BoolOut(func(a *expr.RowArgs, i int) (bool, error) {
					re, _, err := res.at(a, i)
					if err != nil {
						return false, err
					}
					if whole {
						loc := re.longest().FindIndex(a.Bytes(0, i))
						return loc != nil && loc[0] == 0 && loc[1] == len(a.Bytes(0, i)), nil
					}
					return re.Match(a.Bytes(0, i)), nil
				})(e)
				return run
			}),
		}
	}
	expr.Register(
		match("regexp_matches", false, "regexp_like", "regexp"),
		match("regexp_full_match", true),
		&expr.Function{
			Name:       "regexp_replace",
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostHeavy,
			Fails:      expr.FailsOnOption,
			Options:    []int{1, 3},
			Args:       []expr.ArgClass{expr.TextArg, expr.TextArg, expr.TextArg, expr.TextArg},
			Required:   3,
			Out:        value.TypeText,
			Kernel:     withRegexp(1, 3, regexpReplace),
		},
		&expr.Function{
			Name:       "regexp_extract",
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostHeavy,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.TextArg, expr.TextArg, expr.IntArg, expr.TextArg},
			Required:   2,
			Out:        value.TypeText,
			Kernel: withRegexp(1, 3, func(e *expr.Call, res *regexps) func(*value.KernelCall) (arrow.Array, error) {
				return regexpExtract(e, res, false)
			}),
		},
		&expr.Function{
			Name:       "regexp_substr",
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostHeavy,
			Fails:      expr.FailsOnOption,
			Options:    []int{1},
			Args:       []expr.ArgClass{expr.TextArg, expr.TextArg},
			Out:        value.TypeText,
			Kernel: withRegexp(1, -1, func(e *expr.Call, res *regexps) func(*value.KernelCall) (arrow.Array, error) {
				return regexpExtract(e, res, true)
			}),
		},
		&expr.Function{
			Name:       "regexp_count",
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostHeavy,
			Fails:      expr.FailsOnOption,
			Options:    []int{1, 2},
			Args:       []expr.ArgClass{expr.TextArg, expr.TextArg, expr.TextArg},
			Required:   2,
			Out:        value.TypeInt64,
			Kernel: withRegexp(1, 2, func(e *expr.Call, res *regexps) func(*value.KernelCall) (arrow.Array, error) {
				run, _ := expr.FixedOut(func(a *expr.RowArgs, i int) (int64, bool, error) {
					re, _, err := res.at(a, i)
					if err != nil {
						return 0, false, err
					}
					return int64(len(re.all.All(a.Str(0, i)))), true, nil
				})(e)
				return run
			}),
		},
		&expr.Function{
			Name:       "regexp_extract_all",
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostHeavy,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.TextArg, expr.TextArg, expr.IntArg},
			Required:   2,
			Out:        arrow.ListOf(value.TypeText),
			Kernel: withRegexp(1, -1, func(_ *expr.Call, res *regexps) func(*value.KernelCall) (arrow.Array, error) {
				return textLists(func(a *expr.RowArgs, i int, add func(*string)) error {
					re, _, err := res.at(a, i)
					if err != nil {
						return err
					}
					group, err := groupOf(a, i, re.Regexp)
					if err != nil {
						return err
					}
					s := a.Str(0, i)
					for _, m := range re.all.All(s) {
						if m[2*group] >= 0 {
							text := s[m[2*group]:m[2*group+1]]
							add(&text)
						} else {
							add(nil) // the group took no part in the match
						}
					}
					return nil
				})
			}),
		},
		&expr.Function{
			Name:       "regexp_split_to_array",
			Aliases:    []string{"string_split_regex", "str_split_regex"},
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostHeavy,
			Fails:      expr.FailsOnOption,
			Options:    []int{1},
			Args:       []expr.ArgClass{expr.TextArg, expr.TextArg},
			Out:        arrow.ListOf(value.TypeText),
			Kernel: withRegexp(1, -1, func(_ *expr.Call, res *regexps) func(*value.KernelCall) (arrow.Array, error) {
				return textLists(func(a *expr.RowArgs, i int, add func(*string)) error {
					re, _, err := res.at(a, i)
					if err != nil {
						return err
					}
					for _, p := range re.Split(a.Str(0, i), -1) {
						add(&p)
					}
					return nil
				})
			}),
		},
		&expr.Function{
			Name:       "string_split",
			Aliases:    []string{"str_split", "split"},
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.TextArg, expr.TextArg},
			Out:        arrow.ListOf(value.TypeText),
			Kernel: expr.PlainKernel(textLists(func(a *expr.RowArgs, i int, add func(*string)) error {
				for _, p := range strings.Split(a.Str(0, i), a.Str(1, i)) {
					add(&p)
				}
				return nil
			})),
		},
		&expr.Function{
			Name:       "string_to_array",
			Category:   "string",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.TextArg, expr.TextArg, expr.TextArg},
			Required:   2,
			Loose:      true,
			Out:        arrow.ListOf(value.TypeText),
			Kernel:     expr.PlainKernel(stringToArray),
		},
	)
}

// stringToArray cuts a text at a delimiter, and into its characters where that is NULL. Items that
// equal the third argument become NULL.
func stringToArray(c *value.KernelCall) (arrow.Array, error) {
	for i := range c.N {
		if !c.ValidRow(0, i) {
			c.SetNull(i)
		}
	}
	return textLists(func(a *expr.RowArgs, i int, add func(*string)) error {
		s := a.Str(0, i)
		var items []string
		switch {
		case s == "": // no items, where string_split has an empty one
		case !c.ValidRow(1, i):
			items = strings.Split(s, "")
		case len(a.Bytes(1, i)) == 0:
			items = []string{s}
		default:
			items = strings.Split(s, a.Str(1, i))
		}
		for _, p := range items {
			if a.Has(2) && c.ValidRow(2, i) && p == a.Str(2, i) {
				add(nil)
			} else {
				add(&p)
			}
		}
		return nil
	})(c)
}

// compiled is a regular expression, also in its leftmost-longest form once somebody asked for that.
type compiled struct {
	*regexp.Regexp
	all *match.Finder
}

func newCompiled(re *regexp.Regexp) compiled { return compiled{re, match.NewFinder(re)} }

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
func withRegexp(
	pattern, flags int,
	make func(*expr.Call, *regexps) func(*value.KernelCall) (arrow.Array, error),
) func(*expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	return func(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
		res := &regexps{pattern: pattern, flags: flags}
		if flags >= len(e.Args) {
			res.flags = -1
		}
		p, constant := expr.LiteralText(e.Args[pattern])
		f := ""
		if constant && res.flags >= 0 {
			f, constant = expr.LiteralText(e.Args[res.flags])
		}
		if constant {
			re, all, err := compileFlags(p, f)
			if err != nil {
				return nil, err
			}
			fixed := newCompiled(re)
			res.fixed, res.fixedAll = &fixed, all
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
	re, err = match.CompileRegexp(prefix+pattern, insensitive)
	return re, all, err
}

func (r *regexps) at(a *expr.RowArgs, i int) (compiled, bool, error) {
	if r.fixed != nil {
		return *r.fixed, r.fixedAll, nil
	}
	flags := ""
	if r.flags >= 0 {
		flags = a.Str(r.flags, i)
	}
	re, all, err := compileFlags(string(a.Bytes(r.pattern, i)), string([]byte(flags)))
	if err != nil {
		return compiled{}, false, err
	}
	return newCompiled(re), all, nil
}

// regexpReplace replaces the first match, or all with the flag g. \1 … \9 in the replacement are
// groups, \& and \0 the match.
func regexpReplace(e *expr.Call, res *regexps) func(*value.KernelCall) (arrow.Array, error) {
	run, _ := expr.TextOut(func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
		re, all, err := res.at(a, i)
		if err != nil {
			return false, err
		}
		s, by := a.Str(0, i), a.Str(2, i)
		var found [][]int
		if all {
			found = re.all.All(s)
		} else if m := re.FindStringSubmatchIndex(s); m != nil {
			found = [][]int{m}
		}
		last := 0
		for _, m := range found {
			w.WriteString(s[last:m[0]])
			expandGroups(w, by, s, m)
			last = m[1]
		}
		w.WriteString(s[last:])
		return true, nil
	})(e)
	return run
}

func expandGroups(w *value.TextWriter, by, s string, m []int) {
	for i := 0; i < len(by); i++ {
		if by[i] != '\\' || i+1 == len(by) {
			w.WriteString(by[i : i+1])
			continue
		}
		i++
		var group int
		switch c := by[i]; {
		case c == '&':
			group = 0
		case cast.IsDigit(c):
			group = int(c - '0')
		case c == '\\':
			w.WriteString(`\`)
			continue
		default:
			w.WriteString(by[i-1 : i+1])
			continue
		}
		if 2*group+1 < len(m) && m[2*group] >= 0 {
			w.WriteString(s[m[2*group]:m[2*group+1]])
		}
	}
}

// groupOf is the group asked for by the third argument, 0 without one.
func groupOf(a *expr.RowArgs, i int, re *regexp.Regexp) (int, error) {
	if !a.Has(2) {
		return 0, nil
	}
	g := a.Int(2, i)
	if g < 0 || g > int64(re.NumSubexp()) {
		return 0, fault.New(fault.InvalidArgument, "the regular expression has %d groups, not %d", re.NumSubexp(), g)
	}
	return int(g), nil
}

// regexpExtract is the first match, or a group of it. Without a match it is empty, as in DuckDB; for
// substring (null set) it is NULL, and the first group if there is one, as in PostgreSQL.
func regexpExtract(e *expr.Call, res *regexps, null bool) func(*value.KernelCall) (arrow.Array, error) {
	run, _ := expr.TextOut(func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
		re, _, err := res.at(a, i)
		if err != nil {
			return false, err
		}
		var group int
		if null {
			group = min(1, re.NumSubexp())
		} else if group, err = groupOf(a, i, re.Regexp); err != nil {
			return false, err
		}
		s := a.Str(0, i)
		m := re.FindStringSubmatchIndex(s)
		if m == nil || m[2*group] < 0 {
			return !null, nil
		}
		w.WriteString(s[m[2*group]:m[2*group+1]])
		return true, nil
	})(e)
	return run
}

// textLists is the kernel of a function whose result is a list of strings; add copies, and takes nil
// for NULL.
func textLists(fn func(a *expr.RowArgs, i int, add func(*string)) error) func(*value.KernelCall) (arrow.Array, error) {
	return func(c *value.KernelCall) (arrow.Array, error) {
		a := expr.RowArgsOf(c)
		b := array.NewListBuilder(c.Mem(), value.TypeText)
		defer b.Release()
		items := b.ValueBuilder().(*array.StringBuilder)
		add := func(s *string) {
			switch {
			case s == nil:
				items.AppendNull()
			case utf8.ValidString(*s):
				items.Append(*s)
			default:
				items.Append(strings.ToValidUTF8(*s, "\uFFFD"))
			}
		}
		for i := range c.N {
			if c.Null(i) {
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
