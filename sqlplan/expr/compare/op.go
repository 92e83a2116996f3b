package compare

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr/value"
)

type Op uint8

const (
	OpEq Op = iota
	OpNe
	OpLt
	OpLe
	OpGt
	OpGe
	OpDistinct
	opSame // IS NOT DISTINCT FROM
)

var Ops = map[string]Op{
	"=": OpEq, "!=": OpNe, "<>": OpNe, "<": OpLt, "<=": OpLe, ">": OpGt, ">=": OpGe,
	"IS DISTINCT FROM": OpDistinct, "IS NOT DISTINCT FROM": opSame,
}

// Negated holds NOT (x op y) for values that are not NULL: the order is total, NaN included.
var Negated = [...]Op{OpEq: OpNe, OpNe: OpEq, OpLt: OpGe, OpLe: OpGt, OpGt: OpLe, OpGe: OpLt, OpDistinct: opSame, opSame: OpDistinct}

// Swapped holds y op x.
var Swapped = [...]Op{OpEq: OpEq, OpNe: OpNe, OpLt: OpGt, OpLe: OpGe, OpGt: OpLt, OpGe: OpLe, OpDistinct: OpDistinct, opSame: opSame}

// Holds turns a three-way comparison into the answer of op.
func (op Op) Holds(c int) bool {
	switch op {
	case OpEq, opSame:
		return c == 0
	case OpNe, OpDistinct:
		return c != 0
	case OpLt:
		return c < 0
	case OpLe:
		return c <= 0
	case OpGt:
		return c > 0
	}
	return c >= 0
}

// Bound is a comparison of a column with a constant, ready to run: x op v for the values of the
// column, or the same answer for all of them.
type Bound struct {
	Op      Op
	Value   any // int64, uint64, float64, []byte
	Fixed   bool
	Outcome bool
}

// Narrow states the comparison of x, of type t, with a constant of a wider type in t's own values: for
// integers x > 0.5 becomes x > 0, for FLOAT x > 0.3 becomes x > the largest FLOAT below 0.3.
func Narrow(t arrow.DataType, op Op, v any) (Bound, bool, error) {
	same := Bound{Op: op, Value: v}
	constantly := func(c int) (Bound, bool, error) {
		return Bound{Fixed: true, Outcome: op.Holds(c)}, true, nil
	}
	switch value.KindOf(t) {
	case value.KindInt, value.KindUint:
		lo, hi := value.IntRange(t)
		if f, ok := v.(float64); ok {
			switch {
			case f != f || f > hi || f == hi && value.BitWidth(t) == 64:
				return constantly(-1) // every x is below
			case f < lo:
				return constantly(1)
			}
			below := math.Floor(f)
			if below != f {
				switch op {
				case OpEq:
					return Bound{Fixed: true}, true, nil
				case OpNe:
					return Bound{Fixed: true, Outcome: true}, true, nil
				case OpLt: // x < 1.5  ->  x <= 1
					same.Op = OpLe
				case OpGe: // x >= 1.5  ->  x > 1
					same.Op = OpGt
				}
			}
			if below < lo { // lo is not an integer below lo: lo-0.5 was caught above
				return constantly(1)
			}
			if value.KindOf(t) == value.KindInt {
				same.Value = int64(below)
			} else {
				same.Value = uint64(below)
			}
			return same, true, nil
		}
		switch c := v.(type) {
		case int64:
			if value.KindOf(t) == value.KindUint {
				if c < 0 {
					return constantly(1)
				}
				v = uint64(c)
			}
		case uint64:
			if value.KindOf(t) == value.KindInt {
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
			if float64(c) > hi && value.BitWidth(t) < 64 {
				return constantly(-1)
			}
			if float64(c) < lo && value.BitWidth(t) < 64 {
				return constantly(1)
			}
		case uint64:
			if float64(c) > hi && value.BitWidth(t) < 64 {
				return constantly(-1)
			}
		}
		same.Value = v
		return same, true, nil
	case value.KindFloat:
		c, ok := v.(float64)
		if !ok {
			return same, false, nil
		}
		if value.BitWidth(t) == 64 || c != c {
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
		same.Value = float64(f)
		switch op {
		case OpEq:
			return Bound{Fixed: true}, true, nil
		case OpNe:
			return Bound{Fixed: true, Outcome: true}, true, nil
		case OpLt:
			same.Op = OpLe
		case OpGe:
			same.Op = OpGt
		}
		return same, true, nil
	}
	return same, false, nil
}
