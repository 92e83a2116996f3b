package fn

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/compare"
	"lanceflight/sqlplan/expr/value"
)

// Lists as sets: what two of them have in common, and a value against all items of one.
//
// The functions by DuckDB's names answer as DuckDB does, where NULLs among the items wanted do not count; the
// operators && @> <@ are PostgreSQL's array functions behind them, where a NULL equals nothing, so that no
// list contains one that has a NULL. Lance's filters take two NULLs for equal there.

func init() {
	sets := func(name string, aliases []string, swap bool, of setRelation) *expr.Function {
		return &expr.Function{
			Name:       name,
			Aliases:    aliases,
			Category:   "list",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.OpenArg, expr.OpenArg},
			Result: func(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
				a, err := listPair(name, a)
				if err == nil && swap {
					a[0], a[1] = a[1], a[0]
				}
				return a, value.TypeBool, err
			},
			Kernel: expr.PlainKernel(of.kernel),
		}
	}
	expr.Register(
		sets("list_has_any", []string{"array_has_any", "array_overlap", "arrayoverlap"}, false, setRelation{any: true}),
		sets("list_has_all", []string{"array_has_all"}, false, setRelation{}),
		sets("arraycontains", nil, false, setRelation{strict: true}),
		&expr.Function{Name: "arraycontained", Category: "list", Volatility: expr.Immutable, Args: []expr.ArgClass{expr.OpenArg, expr.OpenArg},
			Rewrite: func(a []expr.Expr) (expr.Expr, error) { return expr.NewCall("arraycontains", []expr.Expr{a[1], a[0]}) }},
	)
	for name, op := range map[string]compare.Op{"any_eq": compare.OpEq, "any_ne": compare.OpNe, "any_lt": compare.OpLt,
		"any_le": compare.OpLe, "any_gt": compare.OpGt, "any_ge": compare.OpGe} {
		expr.Register(
			&expr.Function{
				Name:       "$" + name,
				Category:   "list",
				Volatility: expr.Immutable,
				Cost:       expr.CostScan,
				Fails:      expr.FailsNever,
				Args:       []expr.ArgClass{expr.OpenArg, expr.OpenArg},
				Loose:      true,
				Result: func(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
					pair, _, err := itemPair([]expr.Expr{a[1], a[0]}, value.TypeBool)
					if err != nil {
						return nil, nil, err
					}
					return []expr.Expr{pair[1], pair[0]}, value.TypeBool, nil
				},
				Kernel: expr.PlainKernel(func(c *value.KernelCall) (arrow.Array, error) { return compareItems(c, op) }),
			},
		)
	}
}

// compareItems is x op ANY (list).
func compareItems(c *value.KernelCall, op compare.Op) (arrow.Array, error) {
	a := expr.RowArgsOf(c)
	buf, vals := value.NewBits(c.Mem(), c.N)
	clear(vals)
	x, values := c.Args[0], c.Args[1].Arr.(array.ListLike).ListValues()
	for i := range c.N {
		if !c.ValidRow(1, i) {
			c.SetNull(i)
			continue
		}
		s, e := a.Items(1, i)
		known := c.ValidRow(0, i)
		found, null := false, !known && s < e
		for j := s; known && j < e && !found; j++ {
			if values.IsNull(j) {
				null = true
			} else {
				found = op.Holds(compare.Rows(x.Arr, x.Row(i), values, j))
			}
		}
		vals[i>>6] |= value.Bit(found) << (i & 63)
		if null && !found {
			c.SetNull(i)
		}
	}
	return value.MakeBools(c.N, buf, c.TakeValid()), nil
}

// listPair makes two lists agree on the type of their items. A constant adapts to the other list.
func listPair(what string, a []expr.Expr) ([]expr.Expr, error) {
	out := make([]expr.Expr, 2)
	var probes []expr.Expr
	for i, x := range a {
		if expr.Undecided(x) || expr.UnknownString(x) {
			continue
		}
		t := value.PlainType(x.Type())
		if value.KindOf(t) != value.KindList {
			return nil, fault.New(
				fault.InvalidArgument,
				"%s needs two lists, but %s is %s%s",
				what,
				expr.ShortText(x),
				value.TypeName(x.Type()),
				boolAdvice(t),
			)
		}
		out[i] = expr.ImplicitCast(x, t)
		other := a[1-i]
		if l, ok := x.(*expr.Literal); ok && value.KindOf(value.PlainType(other.Type())) == value.KindList {
			if _, constant := other.(*expr.Literal); !constant {
				if c, ok := adaptItems(l, value.PlainType(value.ElemOf(value.PlainType(other.Type())))); ok {
					out[i] = c
				}
			}
		}
		item := expr.NewLiteral(nil, value.PlainType(value.ElemOf(out[i].Type())))
		probes = append(probes, &expr.Cast{X: item, To: item.T})
	}
	if len(probes) == 0 {
		return nil, fault.New(
			fault.InvalidArgument,
			"%s needs a list, but neither %s nor %s is known to be one",
			what,
			expr.ShortText(a[0]),
			expr.ShortText(a[1]),
		)
	}
	_, t, err := expr.Unify(what, probes)
	if err != nil {
		return nil, err
	}
	for i, x := range out {
		if x == nil {
			if out[i], err = expr.Coerce(a[i], arrow.ListOf(t)); err != nil {
				return nil, err
			}
			continue
		}
		out[i] = expr.ImplicitCast(x, arrow.ListOf(t))
	}
	return out, nil
}

// boolAdvice helps those who mean AND by &&.
func boolAdvice(t arrow.DataType) string {
	if value.KindOf(t) == value.KindBool {
		return "; write AND between conditions"
	}
	return ""
}

// adaptItems converts a constant list to a type of items in which each of them is the same value: ['2024-01-01']
// for dates, [1, 2] for SMALLINT, [] and [NULL] for anything.
func adaptItems(l *expr.Literal, item arrow.DataType) (*expr.Literal, bool) {
	values, ok := l.Value.([]any)
	if !ok {
		return nil, false
	}
	from := value.ElemOf(value.PlainType(l.T))
	out := make([]any, len(values))
	for i, v := range values {
		if v == nil {
			continue
		}
		x := &expr.Literal{Value: v, T: from}
		if expr.UnknownString(x) {
			c, err := expr.CastLiteral(*x, item)
			if err != nil {
				return nil, false
			}
			out[i] = c.Value
			continue
		}
		c, ok := expr.SameNumber(x, item)
		if !ok {
			return nil, false
		}
		out[i] = c.Value
	}
	return &expr.Literal{Value: out, T: arrow.ListOf(item)}, true
}

// setRelation is a relation of the items of two lists: the first has any, or all, of the second's.
type setRelation struct {
	any    bool
	strict bool // a NULL among the items wanted is one that no list has
}

func (rel setRelation) kernel(c *value.KernelCall) (arrow.Array, error) {
	a := expr.RowArgsOf(c)
	var holds func(i int) bool
	if c.Args[1].Scalar && !c.Args[1].Arr.IsNull(0) {
		holds = rel.constant(a)
	}
	if holds == nil {
		holds = func(i int) bool { return rel.pairwise(a, i) }
	}
	buf, vals := value.NewBits(c.Mem(), c.N)
	clear(vals)
	for i := range c.N {
		if !c.Null(i) {
			vals[i>>6] |= value.Bit(holds(i)) << (i & 63)
		}
	}
	return value.MakeBools(c.N, buf, c.TakeValid()), nil
}

// pairwise compares each item wanted with each item there is.
func (rel setRelation) pairwise(a *expr.RowArgs, i int) bool {
	have, want := a.C.Args[0].Arr.(array.ListLike).ListValues(), a.C.Args[1].Arr.(array.ListLike).ListValues()
	hs, he := a.Items(0, i)
	ws, we := a.Items(1, i)
	for w := ws; w < we; w++ {
		if want.IsNull(w) {
			if rel.strict {
				return false
			}
			continue
		}
		found := false
		for h := hs; h < he && !found; h++ {
			found = have.IsValid(h) && compare.Rows(have, h, want, w) == 0
		}
		if found == rel.any {
			return found
		}
	}
	return !rel.any
}

// constant looks items up in a table of those wanted, which are the same for all rows; nil if their type has none.
func (rel setRelation) constant(a *expr.RowArgs) func(i int) bool {
	have, want := a.C.Args[0].Arr.(array.ListLike).ListValues(), a.C.Args[1].Arr.(array.ListLike).ListValues()
	at := finder(want, have)
	if at == nil {
		return nil
	}
	s, e := a.Items(1, 0)
	distinct := 0
	for w := s; w < e; w++ {
		if want.IsNull(w) {
			if rel.strict {
				return func(int) bool { return false }
			}
			continue
		}
		distinct += int(value.Bit(at.add(w, distinct)))
	}
	if distinct == 0 {
		return func(int) bool { return !rel.any }
	}
	seen := make([]int, distinct) // the last row, counted from 1, in which an item was seen
	return func(i int) bool {
		missing := distinct
		hs, he := a.Items(0, i)
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
	switch k := value.KindOf(want.DataType()); {
	case k == value.KindText || k == value.KindBinary || k == value.KindUUID:
		return &textTable{want: value.TextsOf(value.Vec{Arr: want}), have: value.TextsOf(value.Vec{Arr: have}), at: map[string]int{}}
	case k.Integer() || k == value.KindFloat || k == value.KindDate || k == value.KindTimestamp:
		return &numberTable{want: want, have: have, at: map[any]int{}}
	}
	return nil
}

type textTable struct {
	want, have value.Texts
	at         map[string]int
}

func (t *textTable) add(w, number int) bool {
	s := string(t.want.At(w))
	if _, ok := t.at[s]; ok {
		return false
	}
	t.at[s] = number
	return true
}

func (t *textTable) find(h int) (int, bool) {
	k, ok := t.at[string(t.have.At(h))]
	return k, ok
}

type numberTable struct {
	want, have arrow.Array
	at         map[any]int
}

// number is an item as a key: all NaN are one, and so are the two zeros.
func number(a arrow.Array, i int) any {
	v, err := value.ValueAt(a, i)
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
