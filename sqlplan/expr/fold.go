package expr

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/sqlplan/expr/value"
)

// Fold computes the constant parts of e. A constant part that fails, such as 1/0, stays as it is and
// fails where it is evaluated, if it is: CASE may keep it from that.
func Fold(e Expr) (Expr, error) {
	return Rewrite(e, foldNode), nil
}

func foldNode(e Expr) Expr {
	switch e := e.(type) {
	case *Column, *Literal, *Param:
		return e
	case *Logic:
		return foldLogic(e)
	case *Case:
		return foldCase(e)
	case *Coalesce:
		return foldCoalesce(e)
	}
	for _, c := range e.Children() {
		if _, ok := c.(*Literal); !ok {
			return e
		}
	}
	if c, ok := e.(*Call); ok && c.fn.Volatility != Immutable {
		return e
	}
	l, err := ConstValue(e, nil)
	if err != nil {
		return e
	}
	return &l
}

// truth is the value of a constant condition.
func truth(e Expr) (value, null, ok bool) {
	l, ok := e.(*Literal)
	if !ok {
		return false, false, false
	}
	v, isBool := l.Value.(bool)
	return v, !isBool, true
}

// foldLogic drops TRUE from AND and FALSE from OR; the other constant decides the whole.
func foldLogic(e *Logic) Expr {
	and := e.Op == "AND"
	var rest []Expr
	for _, a := range e.Args {
		v, null, ok := truth(a)
		switch {
		case ok && !null && v != and:
			return NewLiteral(v, value.TypeBool)
		case ok && !null:
			continue
		}
		rest = append(rest, a)
	}
	switch len(rest) {
	case 0:
		return NewLiteral(and, value.TypeBool)
	case 1:
		return rest[0]
	case len(e.Args):
		return e
	}
	return &Logic{Op: e.Op, Args: rest}
}

// foldCase drops arms that never apply and ends at the first that always does.
func foldCase(e *Case) Expr {
	out := &Case{T: e.T, Else: e.Else}
	for _, w := range e.Whens {
		v, null, ok := truth(w.Cond)
		if ok && (null || !v) {
			continue
		}
		if ok {
			out.Else = w.Result
			break
		}
		out.Whens = append(out.Whens, w)
	}
	if len(out.Whens) == len(e.Whens) {
		return e
	}
	if len(out.Whens) == 0 {
		if out.Else == nil {
			return NewLiteral(nil, e.T)
		}
		return out.Else
	}
	return out
}

func foldCoalesce(e *Coalesce) Expr {
	var rest []Expr
	for _, a := range e.Args {
		l, ok := a.(*Literal)
		if ok && l.Value == nil {
			continue
		}
		rest = append(rest, a)
		if ok {
			break
		}
	}
	switch len(rest) {
	case 0:
		return NewLiteral(nil, e.T)
	case 1:
		return rest[0]
	case len(e.Args):
		return e
	}
	return &Coalesce{Args: rest, T: e.T}
}

// ConstValue evaluates an expression without columns; params are the parameters by slot.
func ConstValue(e Expr, params []Literal) (Literal, error) {
	if l, ok := e.(*Literal); ok {
		return *l, nil
	}
	c := compiler{}
	n, err := c.compile(e)
	if err != nil {
		return Literal{}, err
	}
	f := newFrame(context.Background(), Input{Rows: 1, Params: params, Mem: memory.NewGoAllocator()})
	v, err := run(n, f, allRows(1))
	if err != nil {
		return Literal{}, err
	}
	defer v.Release()
	l, err := LiteralAt(v.Arr, 0)
	if l.T.ID() == arrow.NULL {
		l.T = e.Type()
	}
	return l, err
}

// Equal says whether two expressions are the same computation: the same nodes over the same columns,
// literals and parameters. Names of columns do not matter.
func Equal(a, b Expr) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || !arrow.TypeEqual(a.Type(), b.Type()) {
		return false
	}
	same := false
	switch x := a.(type) {
	case *Column:
		y, ok := b.(*Column)
		return ok && x.ID == y.ID
	case *Param:
		y, ok := b.(*Param)
		return ok && x.Slot == y.Slot
	case *Literal:
		y, ok := b.(*Literal)
		return ok && sameValue(x.Value, y.Value)
	case *Not:
		_, same = b.(*Not)
	case *Logic:
		y, ok := b.(*Logic)
		same = ok && x.Op == y.Op
	case *Compare:
		y, ok := b.(*Compare)
		same = ok && x.Op == y.Op
	case *Between:
		y, ok := b.(*Between)
		same = ok && x.Negated == y.Negated
	case *Arith:
		y, ok := b.(*Arith)
		same = ok && x.Op == y.Op
	case *Negate:
		_, same = b.(*Negate)
	case *IsNull:
		y, ok := b.(*IsNull)
		same = ok && x.Negated == y.Negated
	case *IsBool:
		y, ok := b.(*IsBool)
		same = ok && x.Negated == y.Negated && (x.Want == nil) == (y.Want == nil) && (x.Want == nil || *x.Want == *y.Want)
	case *In:
		y, ok := b.(*In)
		same = ok && x.Negated == y.Negated
	case *Like:
		y, ok := b.(*Like)
		same = ok && x.Kind == y.Kind && x.Negated == y.Negated
	case *RegexMatch:
		y, ok := b.(*RegexMatch)
		same = ok && x.Op == y.Op
	case *Case:
		y, ok := b.(*Case)
		same = ok && len(x.Whens) == len(y.Whens)
	case *Coalesce:
		_, same = b.(*Coalesce)
	case *Cast:
		y, ok := b.(*Cast)
		same = ok && x.Try == y.Try
	case *Call:
		y, ok := b.(*Call)
		same = ok && x.Name == y.Name
	case *Field:
		y, ok := b.(*Field)
		same = ok && x.Index == y.Index
	}
	if !same {
		return false
	}
	ca, cb := a.Children(), b.Children()
	if len(ca) != len(cb) {
		return false
	}
	for i := range ca {
		if !Equal(ca[i], cb[i]) {
			return false
		}
	}
	return true
}

// sameValue compares the values of two literals of one type; NaN is the same as NaN.
func sameValue(x, y any) bool {
	switch x := x.(type) {
	case nil:
		return y == nil
	case []byte:
		y, ok := y.([]byte)
		return ok && string(x) == string(y)
	case []float32:
		y, ok := y.([]float32)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if x[i] != y[i] && (x[i] == x[i] || y[i] == y[i]) {
				return false
			}
		}
		return true
	case []any:
		y, ok := y.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !sameValue(x[i], y[i]) {
				return false
			}
		}
		return true
	case float64:
		y, ok := y.(float64)
		return ok && (x == y || x != x && y != y)
	}
	return x == y
}
