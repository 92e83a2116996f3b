package parse

import (
	"fmt"

	"lanceflight/internal/fault"
)

// Walk calls visit for n and everything below it, parents first and in text order: Statement,
// QueryBody, TableRef and Expr values (pointers, never nil). What is below a node is left out where
// visit returns false. The recursion is bounded because the height of every parsed tree is.
func Walk(n any, visit func(n any) bool) {
	if !visit(n) {
		return
	}
	children(n, func(c any) { Walk(c, visit) })
}

// checkHeight bounds the levels of a finished tree.
func (p *parser) checkHeight(n any) {
	level := 0
	var down func(n any)
	down = func(n any) {
		level++
		if level > p.opt.MaxHeight {
			at := 0
			if e, ok := n.(Expr); ok {
				at = int(e.Position())
			}
			p.bail(
				fault.At(
					fault.ResourceExhausted,
					at,
					"a chain of operators or joins is longer than %d; split it with parentheses, or write a list",
					p.opt.MaxHeight,
				),
			)
		}
		children(n, down)
		level--
	}
	down(n)
}

// children calls f for the nodes directly below n, in text order.
func children(n any, f func(any)) {
	expr := func(e Expr) {
		if e != nil {
			f(e)
		}
	}
	exprs := func(list []Expr) {
		for _, e := range list {
			f(e)
		}
	}
	order := func(items []OrderItem) {
		for _, o := range items {
			f(o.Expr)
		}
	}
	query := func(q *Query) {
		if q != nil {
			f(q)
		}
	}
	window := func(w *Window) {
		if w == nil {
			return
		}
		exprs(w.PartitionBy)
		order(w.OrderBy)
		if w.Frame != nil {
			expr(w.Frame.Start.Offset)
			expr(w.Frame.End.Offset)
		}
	}
	switch n := n.(type) {
	// Statements.
	case *Query:
		if n.With != nil {
			for _, c := range n.With.CTEs {
				query(c.Query)
			}
		}
		f(n.Body)
		order(n.OrderBy)
		if n.Limit != nil {
			expr(n.Limit.Count)
			expr(n.Limit.Offset)
		}
	case *Explain:
		f(n.Statement)
	case *Describe:
		f(n.Table)
	case *Set:
		expr(n.Value)
	case *Show, *Use, *Unsupported:
	// Bodies.
	case *Select:
		exprs(n.DistinctOn)
		for _, it := range n.Items {
			expr(it.Expr)
		}
		for _, t := range n.From {
			f(t)
		}
		expr(n.Where)
		if n.GroupBy != nil {
			exprs(n.GroupBy.Items)
		}
		expr(n.Having)
		expr(n.Qualify)
		for _, w := range n.Windows {
			window(w.Window)
		}
	case *SetOp:
		f(n.Left)
		f(n.Right)
	case *Values:
		for _, r := range n.Rows {
			exprs(r)
		}
	case *Nested:
		f(n.Query)
	// Tables.
	case *NamedTable:
		if n.AsOf != nil {
			f(n.AsOf.Value)
		}
		if n.Sample != nil {
			expr(n.Sample.Size)
			expr(n.Sample.Seed)
		}
	case *Derived:
		f(n.Query)
	case *TableFunc:
		f(n.Call)
	case *Join:
		f(n.Left)
		f(n.Right)
		expr(n.On)
	// Expressions.
	case *Column, *Number, *String, *Bytes, *Bool, *Null, *TypedString, *Vector, *Param:
	case *Array:
		exprs(n.Items)
	case *Unary:
		f(n.X)
	case *Binary:
		f(n.X)
		f(n.Y)
	case *IsNull:
		f(n.X)
	case *IsBool:
		f(n.X)
	case *IsDistinct:
		f(n.X)
		f(n.Y)
	case *Between:
		f(n.X)
		f(n.Lo)
		f(n.Hi)
	case *In:
		f(n.X)
		exprs(n.List)
		query(n.Query)
	case *Like:
		f(n.X)
		f(n.Pattern)
		expr(n.Escape)
	case *Quantified:
		f(n.X)
		query(n.Query)
		expr(n.Array)
	case *Exists:
		f(n.Query)
	case *Subquery:
		f(n.Query)
	case *Tuple:
		exprs(n.Items)
	case *Case:
		expr(n.Operand)
		for _, w := range n.Whens {
			f(w.Cond)
			f(w.Result)
		}
		expr(n.Else)
	case *Cast:
		f(n.X)
	case *Call:
		for _, a := range n.Args {
			f(a.Expr)
		}
		order(n.OrderBy)
		expr(n.Filter)
		window(n.Over)
	case *Index:
		f(n.X)
		expr(n.I)
		expr(n.Hi)
	case *FieldAccess:
		f(n.X)
	case *AtTimeZone:
		f(n.X)
		f(n.Zone)
	default:
		panic(fmt.Sprintf("parse: no children known for %T", n))
	}
}
