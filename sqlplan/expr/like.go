package expr

import (
	"bytes"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr/match"
	"lanceflight/sqlplan/expr/value"
)

// likeNode is [NOT] LIKE, ILIKE, SIMILAR TO, and the regular expression operators.
type likeNode struct {
	x       node
	pattern []node // pattern, and the escape if there is one
	compile func(pattern string, escape *string) (match.Pattern, error)
	fixed   match.Pattern // of a constant pattern; match nil: it is not constant
	negated bool
}

func (c *compiler) like(e *Like) (node, error) {
	compile := map[string]func(string, *string) (match.Pattern, error){
		"LIKE": match.Like, "ILIKE": match.ILike, "SIMILAR": match.Similar,
	}[e.Kind]
	return c.pattern(e.Children(), e.Negated, compile)
}

func (c *compiler) regexMatch(e *RegexMatch) (node, error) {
	op := e.Op
	negated := strings.HasPrefix(op, "!")
	insensitive := strings.HasSuffix(op, "*")
	return c.pattern(e.Children(), negated, func(p string, _ *string) (match.Pattern, error) {
		re, err := match.CompileRegexp(p, insensitive)
		if err != nil {
			return match.Pattern{}, err
		}
		return match.Regexp(re), nil
	})
}

func (c *compiler) pattern(xs []Expr, negated bool, compile func(string, *string) (match.Pattern, error)) (node, error) {
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

func (n *likeNode) typ() arrow.DataType { return value.TypeBool }

// matcherFor returns the matcher if the pattern is the same for all rows. ok false: it differs by row,
// or is NULL (match nil, null true).
func (n *likeNode) matcherFor(f *frame) (out match.Pattern, null, ok bool, err error) {
	if n.fixed.Match != nil {
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

func (n *likeNode) eval(f *frame, r rows) (value.Vec, error) {
	p, null, ok, err := n.matcherFor(f)
	if err != nil {
		return value.Vec{}, err
	}
	if null {
		a, err := value.NullArray(f.mem, value.TypeBool, 1)
		return value.Vec{Arr: a, Scalar: true}, err
	}
	args := []node{n.x}
	if !ok {
		args = append(args, n.pattern...)
	}
	k := kernelNode{args: args, t: value.TypeBool, lazy: true, run: func(c *value.KernelCall) (arrow.Array, error) {
		return n.matchRows(c, p.Match)
	}}
	return k.eval(f, r)
}

// matchRows tests all rows; without a matcher the pattern is the second argument.
func (n *likeNode) matchRows(c *value.KernelCall, match match.Matcher) (arrow.Array, error) {
	x := value.TextsOf(c.Args[0])
	var pattern, escape value.Texts
	if match == nil {
		pattern = value.TextsOf(c.Args[1])
		if len(c.Args) > 2 {
			escape = value.TextsOf(c.Args[2])
		}
	}
	buf, vals := value.NewBits(c.Mem(), c.N)
	clear(vals)
	m := match
	var last string // pattern of m
	for i := range c.N {
		if c.Null(i) {
			continue
		}
		if match == nil {
			if p := pattern.At(i); m == nil || len(c.Args) > 2 || string(p) != last {
				last = string(p)
				var esc *string
				if len(c.Args) > 2 {
					s := string(escape.At(i))
					esc = &s
				}
				p, err := n.compile(last, esc)
				if err != nil {
					buf.Release()
					return nil, err
				}
				m = p.Match
			}
		}
		if m(x.At(i)) != n.negated {
			vals[i>>6] |= 1 << (i & 63)
		}
	}
	return value.MakeBools(c.N, buf, c.TakeValid()), nil
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
	x, valid := value.TextsOf(value.Vec{Arr: a}), value.Validity(value.Vec{Arr: a})
	want = want != n.negated
	for i := range r.n {
		row := r.at(i)
		if valid.Bytes != nil {
			if bit := valid.Off + int(row); valid.Bytes[bit>>3]>>(bit&7)&1 == 0 {
				continue
			}
		}
		if p.Match(x.At(int(row))) == want {
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
	if err != nil || null || !ok || len(p.Word) == 0 {
		return nil, false, err
	}
	a, err := col.column(f)
	if err != nil {
		return nil, false, err
	}
	x, valid, rows := value.TextsOf(value.Vec{Arr: a}), value.Validity(value.Vec{Arr: a}), f.in.Rows
	if x.Off32 == nil {
		return nil, false, nil
	}
	found := want != n.negated
	// next is where the search goes on; hits before it are done.
	next, row := int(x.Off32[0]), 0
	return func(k int) uint64 {
		end := min(64*k+64, rows)
		if row < 64*k { // a conjunction skipped some words
			row = 64 * k
			next = max(next, int(x.Off32[row]))
		}
		var hits uint64
		limit := int(x.Off32[end])
		for next < limit {
			i := bytes.Index(x.Data[next:limit], p.Word)
			if i < 0 {
				break
			}
			at := next + i
			for int(x.Off32[row+1]) <= at {
				row++
			}
			if at+len(p.Word) <= int(x.Off32[row+1]) {
				hits |= 1 << (row - 64*k)
				next = int(x.Off32[row+1])
			} else {
				next = at + 1
			}
		}
		next = max(next, limit)
		if !found {
			hits = ^hits
		}
		return hits & valid.Word(k)
	}, true, nil
}
