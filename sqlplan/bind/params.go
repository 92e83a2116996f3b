package bind

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// This file decides the types of parameters.
//
// A pass over the statement binds a parameter without a type as an undecided expression, which its
// surroundings give a type (expr.Coerce), or suggest one to (expr.GuessType). What is made of undecided
// expressions alone, such as greatest($1, $2) or a column of WITH p AS (SELECT $1 AS x), is undecided too,
// so that x < 5 behind it still says something about $1: the plan leads back from a column to what
// it is made of. After each pass, in this order,
//
//  1. what the statement asks for is so, unless a client has bound a value that it would change
//     (Bound.Keep);
//  2. else the type of the value that the client binds counts. Texts and NULLs say nothing: clients that
//     know no better bind everything as text;
//  3. else, if the first two have decided nothing new in this pass, what was suggested is so;
//  4. else, if nothing was suggested either, the parameter is text, as in PostgreSQL.
//
// The next pass starts with the types that are known by then, and sees these parameters as it sees
// columns. Types are decided once, so the passes come to an end.

// Bound is what is known of the value that a client binds to a parameter.
type Bound struct {
	// Type is the type of the value; nil or arrow.Null if nothing is bound, or NULL.
	Type arrow.DataType
	// Keep says that the value cannot be converted to the type that the statement asks for without
	// becoming another one, so that it keeps its own: 10.5 beside a BIGINT.
	Keep bool
}

// tells says whether the type of the value is one to go by.
func (v Bound) tells() bool {
	if v.Type == nil {
		return false
	}
	switch v.Type.ID() {
	case arrow.NULL, arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		return false
	}
	return true
}

// wish is what the places where a parameter stands say about its type.
type wish struct {
	asked, guessed arrow.DataType // nil: nothing
	open           bool           // it stands somewhere without a type
	differs        bool           // it has several types
}

// settleParams looks at the plan of a pass, and returns the types to start the next one with, nil where
// nothing is decided yet. The second result says that the plan is the one to take, and that all types
// are known.
func (b *binder) settleParams(planned plan.Plan) ([]arrow.DataType, bool, error) {
	wishes, err := b.wishes(planned)
	if err != nil {
		return nil, false, err
	}
	types := make([]arrow.DataType, b.params)
	copy(types, b.paramTypes)
	// decide gives types to those that have none, and says whether the plan has them all already.
	decide := func(choose func(i int) arrow.DataType) bool {
		settled := true
		for i := range types {
			if types[i] == nil {
				if types[i] = choose(i); types[i] != nil {
					settled = settled && wishes[i].grants(types[i])
				}
			}
		}
		return settled
	}
	if !decide(func(i int) arrow.DataType {
		v := b.boundTo(i)
		switch {
		case wishes[i].asked != nil && !(v.Keep && v.tells()):
			return wishes[i].asked
		case v.tells():
			return v.Type
		}
		return nil
	}) {
		return types, false, nil
	}
	if !decide(func(i int) arrow.DataType { return wishes[i].guessed }) {
		return types, false, nil
	}
	settled := decide(func(int) arrow.DataType { return arrow.BinaryTypes.String })
	return types, settled, nil
}

// grants says whether the parameter has the type t wherever it stands.
func (w wish) grants(t arrow.DataType) bool {
	return !w.open && (w.asked == nil || arrow.TypeEqual(w.asked, t)) && (w.guessed == nil || arrow.TypeEqual(w.guessed, t)) && !w.differs
}

// boundTo is what is bound to parameter i.
func (b *binder) boundTo(i int) Bound {
	if i < len(b.env.Bound) {
		return b.env.Bound[i]
	}
	return Bound{}
}

// wishes collects what a plan says about the types of the parameters.
func (b *binder) wishes(planned plan.Plan) ([]wish, error) {
	out := make([]wish, b.params)
	if b.params == 0 {
		return out, nil
	}
	var conflict error
	note := func(slot int, t arrow.DataType, guessed bool) {
		w := &out[slot]
		have := &w.asked
		if guessed {
			have = &w.guessed
		}
		if *have == nil {
			*have = t
			return
		}
		if arrow.TypeEqual(*have, t) {
			return
		}
		w.differs = true
		common, err := expr.CommonType(*have, t)
		switch {
		case err == nil:
			*have = common
		case !guessed && conflict == nil:
			conflict = invalid(b.paramPos[slot],
				"parameter $%d stands for %s in one place and for %s in another; use two parameters, or cast it",
				slot+1, expr.TypeName(*have), expr.TypeName(t))
		}
	}
	var made *origins
	trace := func(x expr.Expr, t arrow.DataType, guessed bool) {
		if made == nil {
			made = originsOf(planned)
		}
		made.params(x, t, func(slot int, t arrow.DataType) { note(slot, t, guessed) })
	}
	visit := func(e expr.Expr) {
		expr.Walk(e, func(x expr.Expr) bool {
			switch x := x.(type) {
			case *expr.Param:
				switch {
				case x.Slot >= subplanSlot:
					if b.undecided && x.T.ID() != arrow.NULL {
						trace(x, x.T, x.Guessed)
					}
				case expr.Undecided(x):
					out[x.Slot].open = true
				default:
					note(x.Slot, x.T, x.Guessed)
				}
			case *expr.Cast:
				if b.undecided {
					trace(x.X, x.To, x.Guessed)
				}
			}
			return true
		})
	}
	_, err := planned.MapRoots(func(root plan.Node) (plan.Node, error) {
		plan.WalkNodes(root, func(n plan.Node) { plan.VisitExprs(n, visit) })
		return root, nil
	})
	if err == nil {
		err = conflict
	}
	for i, w := range out {
		if w.asked == nil && w.guessed == nil && (i >= len(b.paramTypes) || b.paramTypes[i] == nil) {
			out[i].open = true // nothing is left of it in the plan, but its type may be, as that of typeof($1)
		}
	}
	return out, err
}

// origins leads from the columns of a plan, and from the slots of its subplans, to the expressions that
// they are made of.
type origins struct {
	cols  map[expr.ColID][]expr.Expr
	slots map[int]expr.Expr
}

func originsOf(planned plan.Plan) *origins {
	o := &origins{cols: map[expr.ColID][]expr.Expr{}, slots: map[int]expr.Expr{}}
	subplans := func(list []plan.Subplan) {
		for _, s := range list {
			o.slots[s.Slot] = plan.Ref(s.Root.Columns()[0])
		}
	}
	subplans(planned.Common().Subplans)
	add := func(c plan.Col, from ...expr.Expr) {
		if c.Type.ID() == arrow.NULL || expr.ListOfNulls(c.Type) {
			o.cols[c.ID] = append(o.cols[c.ID], from...)
		}
	}
	visit := func(n plan.Node) {
		switch n := n.(type) {
		case *plan.Project:
			for _, e := range n.Exprs {
				add(e.Col, e.Expr)
			}
		case *plan.Aggregate:
			for _, g := range n.Groups {
				add(g.Col, g.Expr)
			}
			for _, a := range n.Aggs {
				add(a.Col, a.Args...)
			}
		case *plan.Values:
			for i, c := range n.Out {
				for _, row := range n.Rows {
					add(c, row[i])
				}
			}
		case *plan.Union:
			for i, c := range n.Out {
				for _, in := range n.In {
					add(c, plan.Ref(in.Columns()[i]))
				}
			}
		case *plan.LateralJoin:
			for _, a := range n.Args {
				o.slots[a.Slot] = a.Expr
			}
			subplans(n.Subplans)
		}
	}
	// Nothing fails: nothing is changed.
	_, _ = planned.MapRoots(func(root plan.Node) (plan.Node, error) {
		plan.WalkNodes(root, visit)
		return root, nil
	})
	return o
}

// params calls note for each parameter that x is made of, if x has no type or is a list of what has
// none, with the type that it has if x is a t.
func (o *origins) params(x expr.Expr, t arrow.DataType, note func(slot int, t arrow.DataType)) {
	seen := map[expr.ColID]bool{}
	var walk func(x expr.Expr, t arrow.DataType)
	walk = func(x expr.Expr, t arrow.DataType) {
		list, isList := t.(arrow.ListLikeType)
		switch {
		case expr.Undecided(x):
		case isList && expr.ListOfNulls(x.Type()):
		default:
			return
		}
		switch x := x.(type) {
		case *expr.Param:
			if x.Slot < subplanSlot {
				note(x.Slot, t)
			} else if from := o.slots[x.Slot]; from != nil {
				walk(from, t)
			}
		case *expr.Column:
			if !seen[x.ID] {
				seen[x.ID] = true
				for _, from := range o.cols[x.ID] {
					walk(from, t)
				}
			}
		default:
			for _, c := range x.Children() {
				if isList && expr.Undecided(c) && !expr.Undecided(x) {
					walk(c, list.Elem())
				} else {
					walk(c, t)
				}
			}
		}
	}
	walk(x, t)
}
