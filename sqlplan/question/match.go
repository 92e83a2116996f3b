package question

import (
	"math"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt/index"
	"lanceflight/sqlplan/expr"
)

// This file turns single conditions into questions to an index. Each function returns nil for what no index answers.

var swappedOps = map[string]string{"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<=",
	"IS DISTINCT FROM": "IS DISTINCT FROM", "IS NOT DISTINCT FROM": "IS NOT DISTINCT FROM"}

// compare is column op constant, or the same the other way round.
func (m *matcher) compare(e *expr.Compare) Expr {
	op, y := e.Op, e.Y
	col, ok := m.column(e.X)
	if !ok {
		if col, ok = m.column(e.Y); !ok {
			return nil
		}
		op, y = swappedOps[op], e.X
	}
	l, known, ok := m.constant(y)
	if !ok {
		return nil
	}
	switch op {
	case "!=":
		return negated(m.compareTo(col, e, "=", l, known), true)
	case "IS NOT DISTINCT FROM", "IS DISTINCT FROM":
		x := m.same(col, e, l, known)
		return negated(x, op == "IS DISTINCT FROM")
	}
	return m.compareTo(col, e, op, l, known)
}

// same is column IS NOT DISTINCT FROM constant.
func (m *matcher) same(col keyColumn, e expr.Expr, l expr.Literal, known bool) Expr {
	if known && l.Value == nil {
		return m.leaf(col, e, &index.Predicate{Op: index.IsNull}, index.IsNull)
	}
	x := m.compareTo(col, e, "=", l, known)
	if x == nil {
		return nil
	}
	return &IsTrue{X: x}
}

func (m *matcher) compareTo(col keyColumn, e expr.Expr, op string, l expr.Literal, known bool) Expr {
	ask := index.InRange
	if op == "=" {
		ask = index.In
	}
	if !known {
		return m.leaf(col, e, nil, ask)
	}
	if l.Value == nil {
		return &Const{} // NULL for every row
	}
	v, ok := toColumn(l, col.typ)
	if !ok {
		return nil
	}
	if op == "=" {
		if v.beyond || v.lies != 0 {
			return negated(m.notNull(col, e), true)
		}
		return m.leaf(col, e, &index.Predicate{Op: index.In, Values: []any{v.value}}, ask)
	}
	low, high, all, none := rangeOf(op, v)
	if all || none {
		return negated(m.notNull(col, e), none)
	}
	return m.leaf(col, e, &index.Predicate{Op: index.InRange, Low: low, High: high}, ask)
}

// in is column [NOT] IN (constants).
func (m *matcher) in(e *expr.In) Expr {
	col, ok := m.column(e.X)
	if !ok {
		return nil
	}
	items := make([]expr.Literal, 0, len(e.List))
	all := true
	for _, it := range e.List {
		l, known, ok := m.constant(it)
		if !ok {
			return nil
		}
		all = all && known
		items = append(items, l)
	}
	if !all {
		return negated(m.leaf(col, e, nil, index.In), e.Negated)
	}
	return negated(m.oneOf(col, e, items), e.Negated)
}

// oneOf is column IN (items): never false where an item is NULL.
func (m *matcher) oneOf(col keyColumn, e expr.Expr, items []expr.Literal) Expr {
	var values []any
	null := false
	for _, l := range items {
		if l.Value == nil {
			null = true
			continue
		}
		v, ok := toColumn(l, col.typ)
		if !ok {
			return nil
		}
		if !v.beyond && v.lies == 0 {
			values = append(values, v.value)
		}
	}
	var x Expr
	switch {
	case len(values) > 0:
		x = m.leaf(col, e, &index.Predicate{Op: index.In, Values: values}, index.In)
	case null:
		return &Const{}
	default:
		return negated(m.notNull(col, e), true)
	}
	if x != nil && null {
		x = &Weak{X: x, Mode: NeverFalse}
	}
	return x
}

func (m *matcher) isNull(e *expr.IsNull) Expr {
	col, ok := m.column(e.X)
	if !ok {
		return nil
	}
	return negated(m.leaf(col, e, &index.Predicate{Op: index.IsNull}, index.IsNull), e.Negated)
}

// call is a function of an indexed column.
func (m *matcher) call(e *expr.Call) Expr {
	switch e.Name {
	case "starts_with", "contains":
		ask := map[string]index.Op{"starts_with": index.Prefix, "contains": index.Contains}[e.Name]
		return m.text(e, e.Args[0], e.Args[1], ask)
	case "isnan":
		col, ok := m.column(e.Args[0])
		if !ok || classOf(storageType(col.typ)) != floatClass {
			return nil
		}
		nan := expr.Literal{Value: math.NaN(), T: arrow.PrimitiveTypes.Float64}
		return m.compareTo(col, e, "=", nan, true)
	case "list_contains", "list_has_any", "list_has_all", "arraycontains":
		return m.list(e)
	case "any_eq":
		return m.anyEqual(e)
	}
	return nil
}

// text is a question about a string and a constant part of it.
func (m *matcher) text(e, x, part expr.Expr, ask index.Op) Expr {
	col, ok := m.column(x)
	if !ok {
		return nil
	}
	l, known, ok := m.constant(part)
	if !ok {
		return nil
	}
	if !known {
		return m.leaf(col, e, nil, ask)
	}
	if l.Value == nil {
		return &Const{}
	}
	return m.leaf(col, e, &index.Predicate{Op: ask, Values: []any{l.Value}}, ask)
}

// list is a question about the items of a list column. NULLs among constant items count as the functions say: not at
// all, or for arraycontains as an item that no list has.
func (m *matcher) list(e *expr.Call) Expr {
	col, ok := m.column(e.Args[0])
	if !ok {
		return nil
	}
	t, ok := storageType(col.typ).(arrow.ListLikeType)
	if !ok {
		return nil
	}
	ask := index.HasAll
	if e.Name == "list_has_any" {
		ask = index.HasAny
	}
	l, known, ok := m.constant(e.Args[1])
	if !ok {
		return nil
	}
	if !known {
		return m.leaf(col, e, nil, ask)
	}
	if l.Value == nil {
		return &Const{}
	}
	items := []any{l.Value}
	domain := storageType(l.T)
	if e.Name != "list_contains" {
		ld, isList := domain.(arrow.ListLikeType)
		if !isList {
			return nil
		}
		domain = ld.Elem()
		if items, ok = l.Value.([]any); !ok {
			return nil
		}
	}
	var values []any
	never := false // an item that no list has
	for _, it := range items {
		if it == nil {
			never = never || e.Name == "arraycontains"
			continue
		}
		v, ok := toColumn(expr.Literal{Value: it, T: domain}, t.Elem())
		if !ok {
			return nil
		}
		if v.beyond || v.lies != 0 {
			never = true
			continue
		}
		values = append(values, v.value)
	}
	switch {
	case ask == index.HasAll && never, ask == index.HasAny && len(values) == 0:
		return negated(m.notNull(col, e), true)
	case len(values) == 0: // every list has all of nothing
		return m.notNull(col, e)
	}
	return m.leaf(col, e, &index.Predicate{Op: ask, Values: values}, ask)
}

// anyEqual is constant = ANY (list column), or column = ANY (constant list).
func (m *matcher) anyEqual(e *expr.Call) Expr {
	if col, ok := m.column(e.Args[1]); ok {
		t, ok := storageType(col.typ).(arrow.ListLikeType)
		if !ok {
			return nil
		}
		l, known, ok := m.constant(e.Args[0])
		if !ok {
			return nil
		}
		var x Expr
		switch {
		case !known:
			x = m.leaf(col, e, nil, index.HasAll)
		case l.Value == nil:
			return nil // NULL or, for empty lists, false
		default:
			v, ok := toColumn(l, t.Elem())
			if !ok {
				return nil
			}
			if v.beyond || v.lies != 0 {
				x = negated(m.notNull(col, e), true)
			} else {
				x = m.leaf(col, e, &index.Predicate{Op: index.HasAll, Values: []any{v.value}}, index.HasAll)
			}
		}
		if x == nil {
			return nil
		}
		return &Weak{X: x, Mode: MaybeNull}
	}
	col, ok := m.column(e.Args[0])
	if !ok {
		return nil
	}
	l, known, ok := m.constant(e.Args[1])
	if !ok {
		return nil
	}
	if !known {
		return m.leaf(col, e, nil, index.In)
	}
	if l.Value == nil {
		return &Const{}
	}
	t, isList := storageType(l.T).(arrow.ListLikeType)
	values, ok := l.Value.([]any)
	if !ok || !isList || len(values) == 0 {
		return nil
	}
	items := make([]expr.Literal, len(values))
	for i, v := range values {
		items[i] = expr.Literal{Value: v, T: t.Elem()}
	}
	return m.oneOf(col, e, items)
}

// like is column [NOT] LIKE pattern. Indices know of what a pattern begins with and of what it has between
// wildcards; the order of the pieces is left to the condition itself.
func (m *matcher) like(e *expr.Like) Expr {
	col, ok := m.column(e.X)
	if !ok || e.Kind != "LIKE" || classOf(storageType(col.typ)) != textClass {
		return nil
	}
	l, known, ok := m.constant(e.Pattern)
	if !ok {
		return nil
	}
	escape := expr.Literal{Value: `\`}
	if e.Escape != nil {
		var escapeKnown bool
		if escape, escapeKnown, ok = m.constant(e.Escape); !ok {
			return nil
		}
		known = known && escapeKnown
	}
	if !known {
		x := m.leaf(col, e, nil, index.Prefix)
		if x == nil {
			x = m.leaf(col, e, nil, index.Contains)
		}
		if x == nil {
			return nil
		}
		return negated(&Weak{X: x, Mode: Implies}, e.Negated)
	}
	if l.Value == nil || escape.Value == nil {
		return &Const{}
	}
	pattern, ok := l.Value.(string)
	esc, okEsc := escape.Value.(string)
	if !ok || !okEsc {
		return nil
	}
	p, ok := likePieces(pattern, esc)
	if !ok {
		return nil
	}
	return negated(m.pieces(col, e, p), e.Negated)
}

// textPieces is what a pattern says for sure about the strings that match it.
type textPieces struct {
	prefix   string   // they begin with it
	contains []string // they have each of these
	whole    bool     // they are the prefix
	exact    bool     // and every string of which this can be said matches
}

// likePieces takes a LIKE pattern apart; ok false if the pattern is malformed.
func likePieces(pattern, escape string) (p textPieces, ok bool) {
	esc, n := utf8.DecodeRuneInString(escape)
	if n != len(escape) {
		return p, false
	}
	var runs []string // literal runs, with wildcards between them
	var run strings.Builder
	wild, single := 0, false
	quoted := false
	for _, r := range pattern {
		switch {
		case quoted:
			run.WriteRune(r)
			quoted = false
		case n > 0 && r == esc:
			quoted = true
		case r == '%' || r == '_':
			wild++
			single = single || r == '_'
			runs = append(runs, run.String())
			run.Reset()
		default:
			run.WriteRune(r)
		}
	}
	if quoted {
		return p, false
	}
	runs = append(runs, run.String())
	p.prefix = runs[0]
	if wild == 0 {
		p.whole, p.exact = true, true
		return p, true
	}
	for _, s := range runs[1:] {
		if s != "" {
			p.contains = append(p.contains, s)
		}
	}
	// 'abc%' and '%abc%' say no more than that.
	open := !single && runs[len(runs)-1] == ""
	p.exact = open && (p.prefix != "" && len(p.contains) == 0 || p.prefix == "" && len(p.contains) == 1)
	return p, true
}

// pieces asks the indices for what is known of a pattern.
func (m *matcher) pieces(col keyColumn, e expr.Expr, p textPieces) Expr {
	if p.whole {
		return m.compareTo(col, e, "=", expr.Literal{Value: p.prefix, T: arrow.BinaryTypes.String}, true)
	}
	var found []Expr
	ask := func(op index.Op, s string) {
		if x := m.leaf(col, e, &index.Predicate{Op: op, Values: []any{s}}, op); x != nil {
			found = append(found, x)
		}
	}
	if p.prefix != "" {
		ask(index.Prefix, p.prefix)
		if len(found) == 0 {
			ask(index.Contains, p.prefix)
			p.exact = false
		}
	}
	for _, s := range p.contains {
		ask(index.Contains, s)
	}
	var x Expr
	switch len(found) {
	case 0:
		return nil
	case 1:
		x = found[0]
	default:
		x = &Logic{And: true, Args: found}
	}
	if p.exact {
		return x
	}
	return &Weak{X: x, Mode: Implies}
}

// regex is column ~ pattern, of which a literal beginning or literal parts are asked for.
func (m *matcher) regex(e *expr.RegexMatch) Expr {
	col, ok := m.column(e.X)
	if !ok || e.Op != "~" && e.Op != "!~" || classOf(storageType(col.typ)) != textClass {
		return nil
	}
	l, known, ok := m.constant(e.Pattern)
	if !ok || !known {
		return nil
	}
	if l.Value == nil {
		return &Const{}
	}
	pattern, ok := l.Value.(string)
	if !ok {
		return nil
	}
	p, ok := regexPieces(pattern)
	if !ok {
		return nil
	}
	return negated(m.pieces(col, e, p), e.Op == "!~")
}

// regexPieces finds the literal parts that every match of a regular expression has.
func regexPieces(pattern string) (p textPieces, ok bool) {
	re, err := syntax.Parse(pattern, syntax.Perl|syntax.DotNL)
	if err != nil {
		return p, false
	}
	subs := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		subs = re.Sub
	}
	anchored := false
	for i, s := range subs {
		switch {
		case s.Op == syntax.OpBeginText && i == 0:
			anchored = true
		case s.Op == syntax.OpLiteral && s.Flags&syntax.FoldCase == 0:
			if anchored && i == 1 {
				p.prefix = string(s.Rune)
			} else {
				p.contains = append(p.contains, string(s.Rune))
			}
		}
	}
	literal := len(p.contains)
	if p.prefix != "" {
		literal += 2
	}
	p.exact = literal == len(subs) && literal > 0 && (p.prefix == "" && len(subs) == 1 || p.prefix != "" && len(subs) == 2)
	return p, literal > 0
}
