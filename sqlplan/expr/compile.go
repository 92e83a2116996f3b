package expr

import (
	"lanceflight/internal/fault"
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

// The cost of a condition, to test cheap ones first.
const (
	costWords = iota // a comparison of numbers
	costText         // a comparison of strings
	costScan         // a walk over strings, arithmetic
	costHeavy        // patterns, vectors
)

// cost estimates a condition.
func cost(e Expr) int {
	own := costScan
	switch e := e.(type) {
	case *Column, *Literal, *Param, *IsNull, *IsBool, *Not, *Logic:
		own = costWords
	case *Compare:
		own = costWords
		if k := kindOf(plain(e.X.Type())); k >= kText && k <= kBinary || k >= kList {
			own = costText
		}
	case *In:
		own = costText
	case *Cast:
		if lossless(e) {
			own = costWords
		}
	case *RegexMatch:
		own = costHeavy
	case *Like:
		if e.Kind != "LIKE" {
			own = costHeavy
		}
	case *Call:
		if e.fn.heavy {
			own = costHeavy
		}
	}
	for _, c := range e.Children() {
		own = max(own, cost(c))
	}
	return own
}

// canFail says whether some row can make e fail.
func canFail(e Expr) bool {
	switch e := e.(type) {
	case *Arith:
		if !(kindOf(e.T) == kFloat && e.Op != "%" && e.Op != "^") {
			return true
		}
	case *Negate:
		if kindOf(e.Type()) != kFloat {
			return true
		}
	case *Cast:
		if !e.Try && !lossless(e) && !implicit(e.X.Type(), e.To) {
			return true
		}
	case *Call:
		if !e.fn.safe {
			return true
		}
	}
	for _, c := range e.Children() {
		if canFail(c) {
			return true
		}
	}
	return false
}

// lossless says whether a cast keeps the order and identity of all values: numbers that widen.
func lossless(c *Cast) bool {
	from, to := c.X.Type(), c.To
	kf, kt := kindOf(from), kindOf(to)
	switch {
	case kf == kt && (kf == kInt || kf == kUint):
		return bitWidth(from) <= bitWidth(to)
	case kf == kFloat && kt == kFloat:
		return bitWidth(from) <= bitWidth(to)
	case kf == kUint && kt == kInt:
		return bitWidth(from) < bitWidth(to)
	case kf.integer() && kt == kFloat:
		return bitWidth(from) < 64 && bitWidth(to) == 64 || bitWidth(from) < 32 && bitWidth(to) == 32
	}
	return false
}
