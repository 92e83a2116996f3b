package expr

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
)

type cmpOp uint8

const (
	opEq cmpOp = iota
	opNe
	opLt
	opLe
	opGt
	opGe
	opDistinct
	opSame // IS NOT DISTINCT FROM
)

var cmpOps = map[string]cmpOp{
	"=": opEq, "!=": opNe, "<>": opNe, "<": opLt, "<=": opLe, ">": opGt, ">=": opGe,
	"IS DISTINCT FROM": opDistinct, "IS NOT DISTINCT FROM": opSame,
}

// negated holds NOT (x op y) for values that are not NULL: the order is total, NaN included.
var negated = [...]cmpOp{opEq: opNe, opNe: opEq, opLt: opGe, opLe: opGt, opGt: opLe, opGe: opLt, opDistinct: opSame, opSame: opDistinct}

// swapped holds y op x.
var swapped = [...]cmpOp{opEq: opEq, opNe: opNe, opLt: opGt, opLe: opGe, opGt: opLt, opGe: opLe, opDistinct: opDistinct, opSame: opSame}

// of turns a three-way comparison into the answer of op.
func (op cmpOp) of(c int) bool {
	switch op {
	case opEq, opSame:
		return c == 0
	case opNe, opDistinct:
		return c != 0
	case opLt:
		return c < 0
	case opLe:
		return c <= 0
	case opGt:
		return c > 0
	}
	return c >= 0
}

// bound is a comparison of a column with a constant, ready to run: x op v for the values of the
// column, or the same answer for all of them.
type bound struct {
	op      cmpOp
	v       any // int64, uint64, float64, []byte
	fixed   bool
	outcome bool
}

// narrow states the comparison of x, of type t, with a constant of a wider type in t's own values: for
// integers x > 0.5 becomes x > 0, for FLOAT x > 0.3 becomes x > the largest FLOAT below 0.3.
func narrow(t arrow.DataType, op cmpOp, v any) (bound, bool, error) {
	same := bound{op: op, v: v}
	constantly := func(c int) (bound, bool, error) {
		return bound{fixed: true, outcome: op.of(c)}, true, nil
	}
	switch kindOf(t) {
	case kInt, kUint:
		lo, hi := intRange(t)
		if f, ok := v.(float64); ok {
			switch {
			case f != f || f > hi || f == hi && bitWidth(t) == 64:
				return constantly(-1) // every x is below
			case f < lo:
				return constantly(1)
			}
			below := math.Floor(f)
			if below != f {
				switch op {
				case opEq:
					return bound{fixed: true}, true, nil
				case opNe:
					return bound{fixed: true, outcome: true}, true, nil
				case opLt: // x < 1.5  ->  x <= 1
					same.op = opLe
				case opGe: // x >= 1.5  ->  x > 1
					same.op = opGt
				}
			}
			if below < lo { // lo is not an integer below lo: lo-0.5 was caught above
				return constantly(1)
			}
			if kindOf(t) == kInt {
				same.v = int64(below)
			} else {
				same.v = uint64(below)
			}
			return same, true, nil
		}
		switch c := v.(type) {
		case int64:
			if kindOf(t) == kUint {
				if c < 0 {
					return constantly(1)
				}
				v = uint64(c)
			}
		case uint64:
			if kindOf(t) == kInt {
				if c > math.MaxInt64 {
					return constantly(-1)
				}
				v = int64(c)
			}
		default:
			return same, false, nil
		}
		switch c := v.(type) {
		case int64:
			if float64(c) > hi && bitWidth(t) < 64 {
				return constantly(-1)
			}
			if float64(c) < lo && bitWidth(t) < 64 {
				return constantly(1)
			}
		case uint64:
			if float64(c) > hi && bitWidth(t) < 64 {
				return constantly(-1)
			}
		}
		same.v = v
		return same, true, nil
	case kFloat:
		c, ok := v.(float64)
		if !ok {
			return same, false, nil
		}
		if bitWidth(t) == 64 || c != c {
			return same, true, nil
		}
		f := float32(c)
		if float64(f) == c {
			return same, true, nil
		}
		// No FLOAT equals c: compare with the neighbour below.
		if float64(f) > c {
			f = math.Nextafter32(f, float32(math.Inf(-1)))
		}
		same.v = float64(f)
		switch op {
		case opEq:
			return bound{fixed: true}, true, nil
		case opNe:
			return bound{fixed: true, outcome: true}, true, nil
		case opLt:
			same.op = opLe
		case opGe:
			same.op = opGt
		}
		return same, true, nil
	}
	return same, false, nil
}
