package fn

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
)

// JSON in strings. A path is walked over the text without building a tree, and only what is passed on
// the way is checked: text that is no JSON is an error where the walk meets it.
//
// A path is a key ('Make', exactly as written), JSONPath ('$.exif."Image Make"[0]'), a JSON pointer
// ('/exif/0'), or an index into an array, from 0; negative ones count from the end.

func init() {
	extract := func(name string, asText bool, aliases ...string) *expr.Function {
		return &expr.Function{
			Name:       name,
			Aliases:    aliases,
			Category:   "json",
			Volatility: expr.Immutable,
			Cost:       expr.CostHeavy,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.TextArg, expr.AnyArg},
			Out:        value.TypeText,
			Lazy:       true,
			Result:     pathArg,
			Kernel: withPath(1, func(e *expr.Call, paths *jsonPaths) func(*value.KernelCall) (arrow.Array, error) {
				run, _ := expr.TextOut(func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
					v, ok, err := paths.find(a, i)
					if err != nil || !ok || asText && v == "null" {
						return false, err
					}
					if asText && v[0] == '"' {
						s, err := jsonString(v)
						w.WriteString(s)
						return true, err
					}
					w.WriteString(v)
					return true, nil
				})(e)
				return run
			}),
		}
	}
	expr.Register(
		extract("json_extract", false, "json_extract_path", "json_query"),
		extract("json_extract_string", true, "json_extract_path_text", "json_value"),
		&expr.Function{
			Name:       "json_array_length",
			Category:   "json",
			Volatility: expr.Immutable,
			Cost:       expr.CostHeavy,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.TextArg, expr.AnyArg},
			Required:   1,
			Lazy:       true,
			Result: func(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
				a, _, err := pathArg(a)
				return a, value.TypeInt64, err
			},
			Kernel: withPath(1, func(e *expr.Call, paths *jsonPaths) func(*value.KernelCall) (arrow.Array, error) {
				run, _ := expr.FixedOut(func(a *expr.RowArgs, i int) (int64, bool, error) {
					v, ok, err := paths.find(a, i)
					if err != nil || !ok {
						return 0, false, err
					}
					n := int64(0)
					p := &jsonScanner{s: v}
					if p.peek() == '[' {
						err = p.array(func(*jsonScanner) (bool, error) { n++; return true, p.skip() })
					}
					return n, true, err
				})(e)
				return run
			}),
		},
		&expr.Function{
			Name:       "json_type",
			Aliases:    []string{"json_typeof"},
			Category:   "json",
			Volatility: expr.Immutable,
			Cost:       expr.CostHeavy,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.TextArg, expr.AnyArg},
			Required:   1,
			Out:        value.TypeText,
			Lazy:       true,
			Result:     pathArg,
			Kernel: withPath(1, func(e *expr.Call, paths *jsonPaths) func(*value.KernelCall) (arrow.Array, error) {
				run, _ := expr.TextOut(func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
					v, ok, err := paths.find(a, i)
					if err != nil || !ok {
						return false, err
					}
					w.WriteString(jsonKind(v))
					return true, nil
				})(e)
				return run
			}),
		},
		&expr.Function{
			Name:       "json_keys",
			Category:   "json",
			Volatility: expr.Immutable,
			Cost:       expr.CostHeavy,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.TextArg, expr.AnyArg},
			Required:   1,
			Out:        arrow.ListOf(value.TypeText),
			Result: func(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
				a, _, err := pathArg(a)
				return a, arrow.ListOf(value.TypeText), err
			},
			Kernel: withPath(1, func(_ *expr.Call, paths *jsonPaths) func(*value.KernelCall) (arrow.Array, error) {
				return textLists(func(a *expr.RowArgs, i int, add func(*string)) error {
					v, ok, err := paths.find(a, i)
					if err != nil || !ok || v[0] != '{' {
						return err
					}
					p := &jsonScanner{s: v}
					return p.object(func(key string) (bool, error) {
						add(&key)
						return true, p.skip()
					})
				})
			}),
		},
		&expr.Function{
			Name:       "json_valid",
			Category:   "json",
			Volatility: expr.Immutable,
			Cost:       expr.CostHeavy,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.TextArg},
			Out:        value.TypeBool,
			Lazy:       true,
			Kernel:     expr.BoolOut(func(a *expr.RowArgs, i int) (bool, error) { return json.Valid(a.Bytes(0, i)), nil }),
		},
	)
}

// pathArg makes the path a string or an integer, and keeps the type of the result.
func pathArg(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	out := arrow.DataType(value.TypeText)
	if len(a) > 1 {
		switch k := value.KindOf(a[1].Type()); {
		case k == value.KindText:
		case k.Integer():
			a = []expr.Expr{a[0], expr.ImplicitCast(a[1], value.TypeInt64)}
		default:
			return nil, nil, fault.New(
				fault.InvalidArgument,
				"a JSON path is VARCHAR or an integer, but %s is %s",
				expr.ShortText(a[1]),
				value.TypeName(a[1].Type()),
			)
		}
	}
	return a, out, nil
}

// jsonStep is a key, or an index if key is nil.
type jsonStep struct {
	key   *string
	index int64
}

// jsonPaths yields the path of each row.
type jsonPaths struct {
	arg   int // number of the argument
	fixed bool
	steps []jsonStep
}

func withPath(
	arg int,
	make func(*expr.Call, *jsonPaths) func(*value.KernelCall) (arrow.Array, error),
) func(*expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	return func(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
		p := &jsonPaths{arg: arg}
		if len(e.Args) <= arg {
			p.fixed = true
		} else if l, ok := e.Args[arg].(*expr.Literal); ok && l.Value != nil {
			p.fixed = true
			switch v := l.Value.(type) {
			case string:
				var err error
				if p.steps, err = parsePath(v); err != nil {
					return nil, err
				}
			case int64:
				p.steps = []jsonStep{{index: v}}
			}
		}
		return make(e, p), nil
	}
}

// find is the raw text of the value at the path of row i; ok false if there is none.
func (p *jsonPaths) find(a *expr.RowArgs, i int) (string, bool, error) {
	steps := p.steps
	if !p.fixed {
		if value.KindOf(a.C.Args[p.arg].Arr.DataType()) == value.KindText {
			var err error
			if steps, err = parsePath(a.Str(p.arg, i)); err != nil {
				return "", false, err
			}
		} else {
			steps = []jsonStep{{index: a.Int(p.arg, i)}}
		}
	}
	s := &jsonScanner{s: a.Str(0, i)}
	v, ok, err := s.walk(steps)
	if err != nil {
		return "", false, fault.New(fault.InvalidArgument, "cannot read %s as JSON", cast.ShortQuoted(a.Str(0, i)))
	}
	return v, ok, nil
}

// parsePath reads a path; see the head of this file.
func parsePath(s string) ([]jsonStep, error) {
	bad := func() ([]jsonStep, error) {
		return nil, fault.New(fault.InvalidArgument, "%s is not a JSON path; write '$.key[0].\"another key\"'", cast.ShortQuoted(s))
	}
	switch {
	case strings.HasPrefix(s, "/"):
		var steps []jsonStep
		for _, part := range strings.Split(s[1:], "/") {
			part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
			steps = append(steps, jsonStep{key: &part})
			if n, err := strconv.ParseInt(part, 10, 32); err == nil {
				steps[len(steps)-1].index = n // an index where the pointer meets an array
			}
		}
		return steps, nil
	case !strings.HasPrefix(s, "$"):
		return []jsonStep{{key: &s}}, nil
	}
	var steps []jsonStep
	for rest := s[1:]; rest != ""; {
		switch rest[0] {
		case '.':
			rest = rest[1:]
			var key string
			if strings.HasPrefix(rest, `"`) {
				end := strings.IndexByte(rest[1:], '"')
				if end < 0 {
					return bad()
				}
				key, rest = rest[1:1+end], rest[2+end:]
			} else {
				end := strings.IndexAny(rest, ".[")
				if end < 0 {
					end = len(rest)
				}
				key, rest = rest[:end], rest[end:]
			}
			if key == "" || key == "*" {
				return bad()
			}
			steps = append(steps, jsonStep{key: &key})
		case '[':
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				return bad()
			}
			inside := strings.TrimPrefix(rest[1:end], "#-") // [#-1] is the last item in DuckDB
			n, err := strconv.ParseInt(inside, 10, 32)
			if err != nil {
				return bad()
			}
			if len(inside) < end-1 {
				n = -n
			}
			steps = append(steps, jsonStep{index: n})
			rest = rest[end+1:]
		default:
			return bad()
		}
	}
	return steps, nil
}

var errJSON = fault.New(fault.InvalidArgument, "no JSON")

// maxJSONDepth bounds the nesting that is walked.
const maxJSONDepth = 1000

// jsonScanner walks over JSON text.
type jsonScanner struct {
	s     string
	i     int
	depth int
}

func (p *jsonScanner) peek() byte {
	for p.i < len(p.s) {
		switch c := p.s[p.i]; c {
		case ' ', '\t', '\r', '\n':
			p.i++
		default:
			return c
		}
	}
	return 0
}

// walk goes down the steps and returns the text of the value there.
func (p *jsonScanner) walk(steps []jsonStep) (string, bool, error) {
	for _, st := range steps {
		found := false
		var err error
		switch c := p.peek(); {
		case c == '{' && st.key != nil:
			err = p.object(func(key string) (bool, error) {
				if key == *st.key {
					found = true
					return false, nil
				}
				return true, p.skip()
			})
		case c == '[' && (st.key == nil || isIndex(*st.key)):
			found, err = p.item(st.index)
		case c == 0:
			return "", false, errJSON
		default:
			return "", false, p.skip()
		}
		if err != nil || !found {
			return "", false, err
		}
	}
	p.peek()
	start := p.i
	if err := p.skip(); err != nil {
		return "", false, err
	}
	raw := p.s[start:p.i]
	if len(steps) == 0 && p.peek() != 0 {
		return "", false, errJSON // something behind the value
	}
	return raw, true, nil
}

// isIndex says whether a step of a JSON pointer may be an index.
func isIndex(key string) bool {
	_, err := strconv.ParseUint(key, 10, 31)
	return err == nil
}

// item moves to an item of the array that comes next.
func (p *jsonScanner) item(index int64) (bool, error) {
	if index < 0 {
		start, n := p.i, int64(0)
		if err := p.array(func(*jsonScanner) (bool, error) { n++; return true, p.skip() }); err != nil {
			return false, err
		}
		p.i = start
		if index += n; index < 0 {
			return false, nil
		}
	}
	found := false
	err := p.array(func(*jsonScanner) (bool, error) {
		if index == 0 {
			found = true
			return false, nil
		}
		index--
		return true, p.skip()
	})
	return found, err
}

// object calls fn at each value, which has to move past it, or return false to stop there.
func (p *jsonScanner) object(fn func(key string) (bool, error)) error {
	return p.members('}', func() (bool, error) {
		if p.peek() != '"' {
			return false, errJSON
		}
		start := p.i
		if err := p.str(); err != nil {
			return false, err
		}
		raw := p.s[start:p.i]
		if p.peek() != ':' {
			return false, errJSON
		}
		p.i++
		key := raw[1 : len(raw)-1]
		if strings.IndexByte(key, '\\') >= 0 {
			var err error
			if key, err = jsonString(raw); err != nil {
				return false, err
			}
		}
		return fn(key)
	})
}

func (p *jsonScanner) array(fn func(*jsonScanner) (bool, error)) error {
	return p.members(']', func() (bool, error) { return fn(p) })
}

// members walks over what stands between brackets.
func (p *jsonScanner) members(end byte, fn func() (bool, error)) error {
	if p.depth++; p.depth > maxJSONDepth {
		return errJSON
	}
	defer func() { p.depth-- }()
	p.i++
	if p.peek() == end {
		p.i++
		return nil
	}
	for {
		if p.peek() == 0 {
			return errJSON
		}
		if more, err := fn(); err != nil || !more {
			return err
		}
		switch p.peek() {
		case ',':
			p.i++
		case end:
			p.i++
			return nil
		default:
			return errJSON
		}
	}
}

// str moves past a string.
func (p *jsonScanner) str() error {
	for p.i++; p.i < len(p.s); p.i++ {
		switch p.s[p.i] {
		case '\\':
			p.i++
		case '"':
			p.i++
			return nil
		}
	}
	p.i = len(p.s)
	return errJSON
}

// skip moves past a value.
func (p *jsonScanner) skip() error {
	switch c := p.peek(); c {
	case '{':
		return p.object(func(string) (bool, error) { return true, p.skip() })
	case '[':
		return p.array(func(*jsonScanner) (bool, error) { return true, p.skip() })
	case '"':
		return p.str()
	}
	start := p.i
	for p.i < len(p.s) && strings.IndexByte(",]} \t\r\n:\"[{", p.s[p.i]) < 0 {
		p.i++
	}
	switch word := p.s[start:p.i]; word {
	case "true", "false", "null":
		return nil
	default:
		if word == "" || !json.Valid([]byte(word)) {
			return errJSON
		}
	}
	return nil
}

// jsonString is the value of a quoted string.
func jsonString(raw string) (string, error) {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	var s string
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		return "", fault.New(fault.InvalidArgument, "cannot read %s as JSON", cast.ShortQuoted(raw))
	}
	return s, nil
}

// jsonKind is the type of a value, by DuckDB's names.
func jsonKind(v string) string {
	switch v[0] {
	case '{':
		return "OBJECT"
	case '[':
		return "ARRAY"
	case '"':
		return "VARCHAR"
	case 't', 'f':
		return "BOOLEAN"
	case 'n':
		return "NULL"
	}
	if strings.ContainsAny(v, ".eE") {
		return "DOUBLE"
	}
	if v[0] == '-' {
		return "BIGINT"
	}
	return "UBIGINT"
}
