package expr

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
)

// Lists as sets: what two of them have in common, and a value against all items of one.
//
// The functions by DuckDB's names answer as DuckDB does, where NULLs among the items wanted do not count; the
// operators && @> <@ are PostgreSQL's array functions behind them, where a NULL equals nothing, so that no
// list contains one that has a NULL. Lance's filters take two NULLs for equal there.

func init() {
	sets := func(name string, aliases []string, swap bool, of setRelation) *function {
		return &function{name: name, aliases: aliases, category: "list", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{openArg, openArg},
			result: func(a []Expr) ([]Expr, arrow.DataType, error) {
				a, err := listPair(name, a)
				if err == nil && swap {
					a[0], a[1] = a[1], a[0]
				}
				return a, tBool, err
			},
			kernel: plainKernel(of.kernel)}
	}
	register(
		sets("list_has_any", []string{"array_has_any", "array_overlap", "arrayoverlap"}, false, setRelation{any: true}),
		sets("list_has_all", []string{"array_has_all"}, false, setRelation{}),
		sets("arraycontains", nil, false, setRelation{strict: true}),
		&function{name: "arraycontained", category: "list", volatility: Immutable, args: []argClass{openArg, openArg},
			rewrite: func(a []Expr) (Expr, error) { return NewCall("arraycontains", []Expr{a[1], a[0]}) }},
	)
	for name, op := range map[string]cmpOp{"any_eq": opEq, "any_ne": opNe, "any_lt": opLt, "any_le": opLe, "any_gt": opGt, "any_ge": opGe} {
		register(&function{name: "$" + name, category: "list", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{openArg, openArg}, loose: true,
			result: func(a []Expr) ([]Expr, arrow.DataType, error) {
				pair, _, err := itemPair([]Expr{a[1], a[0]}, tBool)
				if err != nil {
					return nil, nil, err
				}
				return []Expr{pair[1], pair[0]}, tBool, nil
			},
			kernel: plainKernel(func(c *call) (arrow.Array, error) { return compareItems(c, op) })})
	}
}

// compareItems is x op ANY (list).
func compareItems(c *call, op cmpOp) (arrow.Array, error) {
	a := rowArgsOf(c)
	buf, vals := newBits(c.mem(), c.n)
	clear(vals)
	x, values := c.args[0], c.args[1].arr.(array.ListLike).ListValues()
	for i := range c.n {
		if !c.validRow(1, i) {
			c.setNull(i)
			continue
		}
		s, e := a.items(1, i)
		known := c.validRow(0, i)
		found, null := false, !known && s < e
		for j := s; known && j < e && !found; j++ {
			if values.IsNull(j) {
				null = true
			} else {
				found = op.of(compareRows(x.arr, x.row(i), values, j))
			}
		}
		vals[i>>6] |= b2u(found) << (i & 63)
		if null && !found {
			c.setNull(i)
		}
	}
	return makeBools(c.n, buf, c.takeValid()), nil
}

// listPair makes two lists agree on the type of their items. A constant adapts to the other list.
func listPair(what string, a []Expr) ([]Expr, error) {
	out := make([]Expr, 2)
	var probes []Expr
	for i, x := range a {
		if undecided(x) || unknownString(x) {
			continue
		}
		t := plain(x.Type())
		if kindOf(t) != kList {
			return nil, fault.New(fault.InvalidArgument, "%s needs two lists, but %s is %s%s", what, shortText(x), TypeName(x.Type()), boolAdvice(t))
		}
		out[i] = implicitCast(x, t)
		other := a[1-i]
		if l, ok := x.(*Literal); ok && kindOf(plain(other.Type())) == kList {
			if _, constant := other.(*Literal); !constant {
				if c, ok := adaptItems(l, plain(elemOf(plain(other.Type())))); ok {
					out[i] = c
				}
			}
		}
		item := NewLiteral(nil, plain(elemOf(out[i].Type())))
		probes = append(probes, &Cast{X: item, To: item.T})
	}
	if len(probes) == 0 {
		return nil, fault.New(fault.InvalidArgument, "%s needs a list, but neither %s nor %s is known to be one", what, shortText(a[0]), shortText(a[1]))
	}
	_, t, err := unify(what, probes)
	if err != nil {
		return nil, err
	}
	for i, x := range out {
		if x == nil {
			if out[i], err = Coerce(a[i], arrow.ListOf(t)); err != nil {
				return nil, err
			}
			continue
		}
		out[i] = implicitCast(x, arrow.ListOf(t))
	}
	return out, nil
}

// boolAdvice helps those who mean AND by &&.
func boolAdvice(t arrow.DataType) string {
	if kindOf(t) == kBool {
		return "; write AND between conditions"
	}
	return ""
}

// adaptItems converts a constant list to a type of items in which each of them is the same value: ['2024-01-01']
// for dates, [1, 2] for SMALLINT, [] and [NULL] for anything.
func adaptItems(l *Literal, item arrow.DataType) (*Literal, bool) {
	values, ok := l.Value.([]any)
	if !ok {
		return nil, false
	}
	from := elemOf(plain(l.T))
	out := make([]any, len(values))
	for i, v := range values {
		if v == nil {
			continue
		}
		x := &Literal{Value: v, T: from}
		if unknownString(x) {
			c, err := CastLiteral(*x, item)
			if err != nil {
				return nil, false
			}
			out[i] = c.Value
			continue
		}
		c, ok := sameNumber(x, item)
		if !ok {
			return nil, false
		}
		out[i] = c.Value
	}
	return &Literal{Value: out, T: arrow.ListOf(item)}, true
}

// setRelation is a relation of the items of two lists: the first has any, or all, of the second's.
type setRelation struct {
	any    bool
	strict bool // a NULL among the items wanted is one that no list has
}

func (rel setRelation) kernel(c *call) (arrow.Array, error) {
	a := rowArgsOf(c)
	var holds func(i int) bool
	if c.args[1].scalar && !c.args[1].arr.IsNull(0) {
		holds = rel.constant(a)
	}
	if holds == nil {
		holds = func(i int) bool { return rel.pairwise(a, i) }
	}
	buf, vals := newBits(c.mem(), c.n)
	clear(vals)
	for i := range c.n {
		if !c.null(i) {
			vals[i>>6] |= b2u(holds(i)) << (i & 63)
		}
	}
	return makeBools(c.n, buf, c.takeValid()), nil
}

// pairwise compares each item wanted with each item there is.
func (rel setRelation) pairwise(a *rowArgs, i int) bool {
	have, want := a.c.args[0].arr.(array.ListLike).ListValues(), a.c.args[1].arr.(array.ListLike).ListValues()
	hs, he := a.items(0, i)
	ws, we := a.items(1, i)
	for w := ws; w < we; w++ {
		if want.IsNull(w) {
			if rel.strict {
				return false
			}
			continue
		}
		found := false
		for h := hs; h < he && !found; h++ {
			found = have.IsValid(h) && compareRows(have, h, want, w) == 0
		}
		if found == rel.any {
			return found
		}
	}
	return !rel.any
}

// constant looks items up in a table of those wanted, which are the same for all rows; nil if their type has none.
func (rel setRelation) constant(a *rowArgs) func(i int) bool {
	have, want := a.c.args[0].arr.(array.ListLike).ListValues(), a.c.args[1].arr.(array.ListLike).ListValues()
	at := finder(want, have)
	if at == nil {
		return nil
	}
	s, e := a.items(1, 0)
	distinct := 0
	for w := s; w < e; w++ {
		if want.IsNull(w) {
			if rel.strict {
				return func(int) bool { return false }
			}
			continue
		}
		distinct += int(b2u(at.add(w, distinct)))
	}
	if distinct == 0 {
		return func(int) bool { return !rel.any }
	}
	seen := make([]int, distinct) // the last row, counted from 1, in which an item was seen
	return func(i int) bool {
		missing := distinct
		hs, he := a.items(0, i)
		for h := hs; h < he; h++ {
			if have.IsNull(h) {
				continue
			}
			k, ok := at.find(h)
			if !ok || seen[k] == i+1 {
				continue
			}
			if rel.any {
				return true
			}
			seen[k] = i + 1
			if missing--; missing == 0 {
				return true
			}
		}
		return false
	}
}

// itemTable numbers the items wanted.
type itemTable interface {
	// add gives item w of those wanted a number, and reports whether it is new.
	add(w, number int) bool
	// find returns the number of item h of those there are.
	find(h int) (int, bool)
}

// finder makes a table for strings and numbers, nil for other types.
func finder(want, have arrow.Array) itemTable {
	switch k := kindOf(want.DataType()); {
	case k == kText || k == kBinary:
		return &textTable{want: textsOf(vec{arr: want}), have: textsOf(vec{arr: have}), at: map[string]int{}}
	case k.integer() || k == kFloat || k == kDate || k == kTimestamp:
		return &numberTable{want: want, have: have, at: map[any]int{}}
	}
	return nil
}

type textTable struct {
	want, have texts
	at         map[string]int
}

func (t *textTable) add(w, number int) bool {
	s := string(t.want.at(w))
	if _, ok := t.at[s]; ok {
		return false
	}
	t.at[s] = number
	return true
}

func (t *textTable) find(h int) (int, bool) {
	k, ok := t.at[string(t.have.at(h))]
	return k, ok
}

type numberTable struct {
	want, have arrow.Array
	at         map[any]int
}

// number is an item as a key: all NaN are one, and so are the two zeros.
func number(a arrow.Array, i int) any {
	v, err := valueAt(a, i)
	if err != nil {
		return nil
	}
	if f, ok := v.(float64); ok {
		switch {
		case f != f:
			return "NaN"
		case f == 0:
			return math.Abs(f)
		}
	}
	return v
}

func (t *numberTable) add(w, n int) bool {
	k := number(t.want, w)
	if _, ok := t.at[k]; ok {
		return false
	}
	t.at[k] = n
	return true
}

func (t *numberTable) find(h int) (int, bool) {
	k, ok := t.at[number(t.have, h)]
	return k, ok
}
