package expr

import (
	"bytes"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

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
