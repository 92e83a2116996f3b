package question

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
	"lanceflight/sqlplan/expr"
)

// Filter is what the scalar indices of a table can say about the filter of a scan or of a vector search.
type Filter struct {
	// Terms are the conditions of the filter; all of them, each in one term.
	Terms []Term

	filter    expr.Expr
	match     matcher
	Estimates map[*Leaf]Estimate // of the questions whose constants the planner knows
}

// Column is a column that a filter reads, with what is read for it.
type Column struct {
	ID   expr.ColID
	Ref  lancefmt.ColumnRef
	Type arrow.DataType
}

// NewFilter analyses a filter over columns of a snapshot; nil if no index says anything about it.
func NewFilter(snap *lancefmt.Snapshot, filter expr.Expr, columns []Column) *Filter {
	if filter == nil {
		return nil
	}
	m := matcher{indexes: ScalarIndexes(snap), source: map[expr.ColID]lancefmt.ColumnRef{}}
	if len(m.indexes) == 0 {
		return nil
	}
	for _, c := range columns {
		m.source[c.ID] = c.Ref
	}
	f := &Filter{filter: filter, match: m}
	f.Terms = m.terms(filter)
	if !slices.ContainsFunc(f.Terms, func(t Term) bool { return t.Index != nil }) {
		return nil
	}
	return f
}

// Resolve returns the filter with the values of parameters, by slot, in its predicates.
func (f *Filter) Resolve(params []expr.Literal) *Filter {
	c := *f
	c.match.params, c.match.known = params, true
	c.Terms = c.match.terms(f.filter)
	return &c
}

// Indexes returns the indices that are asked, each once.
func (f *Filter) Indexes() []*Index {
	var out []*Index
	for _, t := range f.Terms {
		Walk(t.Index, true, func(l *Leaf, _ bool) {
			if !slices.Contains(out, l.Index) {
				out = append(out, l.Index)
			}
		})
	}
	return out
}

// Recheck returns the conditions that have to be evaluated for rows that the indices found.
func (f *Filter) Recheck() expr.Expr {
	var conds []expr.Expr
	for _, t := range f.Terms {
		if !t.Exact() {
			conds = append(conds, t.Conds...)
		}
	}
	return expr.Conjoin(conds)
}

// String is what EXPLAIN shows as index.
func (f *Filter) String() string {
	var parts []string
	for _, t := range f.Terms {
		if t.Index != nil {
			parts = append(parts, t.Index.String())
		}
	}
	return strings.Join(parts, "; ")
}

// Coverage is the number of fragments for which the indices narrow the filter down, of all.
func (f *Filter) Coverage(snap *lancefmt.Snapshot) (covered, all int) {
	for _, frag := range snap.Fragments() {
		if slices.ContainsFunc(f.Terms, func(t Term) bool { return t.Index != nil && Covers(t.Index, true, frag.ID()) }) {
			covered++
		}
	}
	return covered, len(snap.Fragments())
}

// Covers reports whether an index expression says something about the rows of a fragment: those where its value
// is the given one can be fewer than all.
func Covers(x Expr, truth bool, fragment uint32) bool {
	return restrict(x, fragment).bounds(truth)
}

// restrict replaces leaves whose index does not cover a fragment.
func restrict(x Expr, fragment uint32) Expr {
	switch x := x.(type) {
	case *Leaf:
		if !x.Index.Covers(fragment) {
			return &Unknown{Text: x.Text}
		}
	case *Logic:
		out := &Logic{And: x.And}
		for _, a := range x.Args {
			out.Args = append(out.Args, restrict(a, fragment))
		}
		return out
	case *Not:
		return &Not{X: restrict(x.X, fragment)}
	case *IsTrue:
		return &IsTrue{X: restrict(x.X, fragment)}
	case *Weak:
		return &Weak{X: restrict(x.X, fragment), Mode: x.Mode}
	}
	return x
}

// ScalarIndexes are the scalar indices of a snapshot's columns, the best first.
func ScalarIndexes(snap *lancefmt.Snapshot) map[lancefmt.ColumnRef][]*Index {
	byName := map[string]*Index{}
	out := map[lancefmt.ColumnRef][]*Index{}
	for _, s := range snap.Indexes() {
		if kind, _ := index.Find(s.Kind); len(kind.Ops) == 0 || len(s.Fields) != 1 || s.Fragments == nil || s.Fragments.IsEmpty() {
			continue
		}
		x := byName[s.Name]
		if x == nil {
			t := fieldType(snap.Schema().Fields(), s.Fields[0])
			if t == nil {
				continue
			}
			x = &Index{Name: s.Name, Kind: s.Kind, Column: s.Fields[0], Type: t}
			byName[s.Name] = x
			out[x.Ref()] = append(out[x.Ref()], x)
		}
		if x.Kind == s.Kind && x.Column == s.Fields[0] {
			x.Segments = append(x.Segments, s)
		}
	}
	for _, list := range out {
		slices.SortStableFunc(list, func(a, b *Index) int { return a.kind().Rank - b.kind().Rank })
	}
	return out
}

// fieldType is the type of a column or of a member of a struct, by path; nil if there is none.
func fieldType(fields []arrow.Field, path string) arrow.DataType {
	for _, f := range fields {
		if f.Name == path {
			return f.Type
		}
		if s, ok := f.Type.(*arrow.StructType); ok && strings.HasPrefix(path, f.Name+".") {
			return fieldType(s.Fields(), path[len(f.Name)+1:])
		}
	}
	return nil
}

// matcher turns conditions into index expressions.
type matcher struct {
	indexes map[lancefmt.ColumnRef][]*Index // by column path
	source  map[expr.ColID]lancefmt.ColumnRef
	params  []expr.Literal
	known   bool // params are the values of parameters
}

// terms splits a filter at its ANDs.
func (m *matcher) terms(filter expr.Expr) []Term {
	var out []Term
	for _, c := range expr.Conjuncts(filter) {
		x := m.condition(c)
		if !x.bounds(true) {
			x = nil
		}
		if r, ok := x.(*Leaf); ok {
			if i := slices.IndexFunc(out, func(t Term) bool { return mergesInto(t.Index, r) }); i >= 0 {
				out[i] = Term{Conds: append(out[i].Conds, c), Index: mergeRanges(out[i].Index.(*Leaf), r)}
				continue
			}
		}
		out = append(out, Term{Conds: []expr.Expr{c}, Index: x})
	}
	return out
}

// ranged reports whether a leaf asks for a range, as far as is known.
func ranged(x *Leaf) bool {
	return x.Predicate != nil && x.Predicate.Op == index.InRange
}

// mergesInto reports whether a AND b is one range of one index.
func mergesInto(a Expr, b *Leaf) bool {
	l, ok := a.(*Leaf)
	return ok && l.Index == b.Index && ranged(l) && ranged(b)
}

func mergeRanges(a, b *Leaf) *Leaf {
	return &Leaf{Index: a.Index, Text: a.Text + " AND " + b.Text, Predicate: intersect(a.Predicate, b.Predicate)}
}

// condition never returns nil.
func (m *matcher) condition(e expr.Expr) Expr {
	var x Expr
	switch e := e.(type) {
	case *expr.Logic:
		x = m.logic(e)
	case *expr.Not:
		x = negated(m.condition(e.X), true)
	case *expr.IsBool:
		x = m.isBool(e)
	case *expr.Literal:
		if v, ok := e.Value.(bool); ok {
			x = &Const{Value: &v}
		} else if e.Value == nil {
			x = &Const{}
		}
	case *expr.Compare:
		x = m.compare(e)
	case *expr.Between:
		lo := m.compare(&expr.Compare{Op: ">=", X: e.X, Y: e.Lo})
		hi := m.compare(&expr.Compare{Op: "<=", X: e.X, Y: e.Hi})
		if lo != nil && hi != nil {
			x = negated(both(lo, hi), e.Negated)
		}
	case *expr.In:
		x = m.in(e)
	case *expr.IsNull:
		x = m.isNull(e)
	case *expr.Like:
		x = m.like(e)
	case *expr.RegexMatch:
		x = m.regex(e)
	case *expr.Call:
		x = m.call(e)
	case *expr.Column, *expr.Field:
		// A column of type BOOLEAN is a condition itself.
		if col, ok := m.column(e); ok && classOf(storageType(e.Type())) == boolClass {
			x = m.leaf(col, e, &index.Predicate{Op: index.In, Values: []any{true}}, index.In)
		}
	}
	if x == nil {
		return &Unknown{Text: e.String()}
	}
	return x
}

func negated(x Expr, not bool) Expr {
	if !not || x == nil {
		return x
	}
	if n, ok := x.(*Not); ok {
		return n.X
	}
	return &Not{X: x}
}

// both is a AND b.
func both(a, b Expr) Expr {
	if r, ok := b.(*Leaf); ok && mergesInto(a, r) {
		return mergeRanges(a.(*Leaf), r)
	}
	return &Logic{And: true, Args: []Expr{a, b}}
}

func (m *matcher) logic(e *expr.Logic) Expr {
	out := &Logic{And: e.Op == "AND"}
	for _, a := range e.Args {
		x := m.condition(a)
		if r, ok := x.(*Leaf); ok && out.And {
			if i := slices.IndexFunc(out.Args, func(o Expr) bool { return mergesInto(o, r) }); i >= 0 {
				out.Args[i] = mergeRanges(out.Args[i].(*Leaf), r)
				continue
			}
		}
		out.Args = append(out.Args, x)
	}
	if len(out.Args) == 1 {
		return out.Args[0]
	}
	if !out.bounds(true) && !out.bounds(false) {
		return nil
	}
	return out
}

// isBool: X IS FALSE is NOT X IS TRUE, and X IS UNKNOWN where neither holds.
func (m *matcher) isBool(e *expr.IsBool) Expr {
	x := m.condition(e.X)
	is := &IsTrue{X: x}
	not := &IsTrue{X: negated(x, true)}
	switch {
	case e.Want == nil:
		return negated(&Logic{Args: []Expr{is, not}}, !e.Negated)
	case *e.Want:
		return negated(is, e.Negated)
	}
	return negated(not, e.Negated)
}

// keyColumn is an indexed column behind an expression that has its values in their order.
type keyColumn struct {
	path lancefmt.ColumnRef
	typ  arrow.DataType // of the column
}

// column takes an expression for a column or a member of a struct column, below casts that change nothing.
func (m *matcher) column(e expr.Expr) (keyColumn, bool) {
	path, t, ok := m.path(e)
	if !ok || len(m.indexes[path]) == 0 {
		return keyColumn{}, false
	}
	return keyColumn{path: path, typ: t}, true
}

func (m *matcher) path(e expr.Expr) (lancefmt.ColumnRef, arrow.DataType, bool) {
	switch e := e.(type) {
	case *expr.Column:
		s, ok := m.source[e.ID]
		return s, e.T, ok
	case *expr.Field:
		p, _, ok := m.path(e.X)
		p.Name += "." + e.Name
		return p, e.T, ok
	case *expr.Cast:
		if !e.Try && (keepsOrder(e.X.Type(), e.To) || sameItems(e.X.Type(), e.To)) {
			return m.path(e.X)
		}
	}
	return lancefmt.ColumnRef{}, nil, false
}

// sameItems reports whether a cast between lists keeps which items are equal.
func sameItems(from, to arrow.DataType) bool {
	f, ok := storageType(from).(arrow.ListLikeType)
	t, okTo := storageType(to).(arrow.ListLikeType)
	return ok && okTo && keepsOrder(f.Elem(), t.Elem())
}

// constant is the value of an expression without columns. known is false for parameters before the execution.
func (m *matcher) constant(e expr.Expr) (l expr.Literal, known, ok bool) {
	hasParam := false
	ok = !expr.IsVolatile(e)
	expr.Walk(e, func(x expr.Expr) bool {
		switch x.(type) {
		case *expr.Column:
			ok = false
		case *expr.Param:
			hasParam = true
		}
		return ok
	})
	if !ok || hasParam && !m.known {
		return l, false, ok
	}
	l, err := expr.ConstValue(e, m.params)
	return l, true, err == nil
}

// leaf asks the best index of a column that answers an operator; nil if there is none.
func (m *matcher) leaf(col keyColumn, e expr.Expr, p *index.Predicate, op index.Op) Expr {
	for _, x := range m.indexes[col.path] {
		if slices.Contains(x.kind().Ops, op) {
			return &Leaf{Index: x, Predicate: p, Text: Short(e.String())}
		}
	}
	return nil
}

// notNull is true where a column is not NULL, and NULL elsewhere: a comparison that holds for every value.
func (m *matcher) notNull(col keyColumn, e expr.Expr) Expr {
	x := m.leaf(col, e, &index.Predicate{Op: index.IsNull}, index.IsNull)
	if x == nil {
		return nil
	}
	return &Weak{X: &Not{X: x}, Mode: NeverFalse}
}
