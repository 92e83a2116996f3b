package expr

import (
	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr/arith"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
)

// compiler turns expressions into nodes.
type compiler struct {
	position map[ColID]int
}

func (c *compiler) compile(e Expr) (node, error) {
	switch e := e.(type) {
	case *Column:
		pos, ok := c.position[e.ID]
		if !ok {
			return nil, fault.New(fault.Internal, "column %q (id %d) is not available here", e.Name, e.ID)
		}
		return &colNode{pos: pos, t: e.T, name: e.Name}, nil
	case *Literal:
		return newConst(*e)
	case *Param:
		return &paramNode{p: *e}, nil
	case *Logic:
		return c.logic(e)
	case *Compare:
		return c.compare(e)
	case *In:
		return c.in(e)
	case *Like:
		return c.like(e)
	case *RegexMatch:
		return c.regexMatch(e)
	case *Case:
		return c.caseWhen(e)
	}
	args, err := c.compileAll(e.Children())
	if err != nil {
		return nil, err
	}
	switch e := e.(type) {
	case *Not:
		return &notNode{x: args[0]}, nil
	case *IsNull:
		return &isNullNode{x: args[0], negated: e.Negated}, nil
	case *IsBool:
		return &isBoolNode{x: args[0], want: e.Want, negated: e.Negated}, nil
	case *Between:
		return c.between(e, args)
	case *Coalesce:
		return &coalesceNode{args: args, t: e.T}, nil
	case *Arith:
		return c.arith(e, args)
	case *Negate:
		return c.negate(e, args[0])
	case *Cast:
		return c.cast(e, args[0])
	case *Field:
		return &fieldNode{x: args[0], index: e.Index, t: e.T}, nil
	case *Call:
		return c.call(e, args)
	}
	return nil, fault.New(fault.Internal, "unknown expression %T", e)
}

func (c *compiler) compileAll(xs []Expr) ([]node, error) {
	out := make([]node, len(xs))
	for i, x := range xs {
		n, err := c.compile(x)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

// constant says whether a node has one value for all rows.
func constant(n node) bool {
	switch n.(type) {
	case *constNode, *paramNode:
		return true
	}
	return false
}

func (c *compiler) arith(e *Arith, args []node) (node, error) {
	n := &kernelNode{args: args, t: e.T, loose: e.Op == "||" && value.KindOf(e.T) == value.KindList}
	run, err := arith.Kernel(e.Op, e.X.Type(), e.Y.Type(), e.T)
	n.run = run
	return n, err
}

// negate compiles -x.
func (c *compiler) negate(e *Negate, x node) (node, error) {
	run, err := arith.NegateKernel(e.Type())
	return &kernelNode{args: []node{x}, t: e.Type(), run: run}, err
}

func (c *compiler) cast(e *Cast, x node) (node, error) {
	run, ok := cast.Kernel(e.X.Type(), e.To, e.Try)
	if !ok {
		return nil, cast.NoCast(e.X.Type(), e.To)
	}
	return &kernelNode{args: []node{x}, t: e.To, run: run}, nil
}
