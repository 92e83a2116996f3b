package expr

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"lanceflight/sqlplan/expr/value"
)

// What an expression costs, whether it can fail, and whether it gives the same value twice is decided
// here and nowhere else. A node answers for itself in this file. A function answers in its entry of
// the function table.

// Volatility says when two evaluations of an expression over the same row give the same value. The
// levels are those of PostgreSQL.
type Volatility uint8

const (
	// Immutable values are the same always, so constant ones are computed when a statement is planned.
	Immutable Volatility = iota + 1
	// Stable values are the same within one execution of a statement: parameters and the time.
	Stable
	// Volatile values may differ from call to call. Such an expression is neither copied nor moved.
	Volatile
)

// Cost classes what the evaluation of an expression costs per row, apart from reading its columns.
type Cost uint8

const (
	// CostFixed is a comparison of numbers, which takes 64 rows at a time.
	CostFixed Cost = iota + 1
	// CostText is a comparison of strings or a look-up in a set.
	CostText
	// CostScan is arithmetic, or a walk over a string.
	CostScan
	// CostHeavy is a regular expression, a digest, JSON, or a distance between vectors.
	CostHeavy
)

// Failure says what rows an evaluation can fail for. A failure ends the statement, so it matters which
// rows an expression is evaluated for.
type Failure uint8

const (
	// FailsNever expressions have a value for every row.
	FailsNever Failure = iota + 1
	// FailsOnOption calls fail for a bad option, such as a regular expression that does not compile.
	// A call whose options are all constant has been checked when it was made and cannot fail.
	FailsOnOption
	// FailsOnRange expressions fail where the result does not fit its type, as in an integer overflow
	// or a text that grows beyond all bounds.
	FailsOnRange
	// FailsOnValue expressions fail for ordinary values for which they are not defined: division by
	// zero, a text that is no number, the square root of a negative number.
	FailsOnValue
)

// VolatilityOf is the highest volatility of e and of everything below it.
func VolatilityOf(e Expr) Volatility {
	out := Immutable
	Walk(e, func(x Expr) bool {
		switch x := x.(type) {
		case *Param:
			out = max(out, Stable)
		case *Call:
			out = max(out, x.fn.Volatility)
		}
		return out < Volatile
	})
	return out
}

// IsVolatile says whether e may differ from one evaluation to the next within a statement.
func IsVolatile(e Expr) bool { return VolatilityOf(e) == Volatile }

// CostOf is the class of the dearest part of e.
func CostOf(e Expr) Cost {
	out := ownCost(e)
	for _, c := range e.Children() {
		out = max(out, CostOf(c))
	}
	return out
}

// ownCost is the cost of a node without its operands.
func ownCost(e Expr) Cost {
	switch e := e.(type) {
	case *Column, *Literal, *Param, *IsNull, *IsBool, *Not, *Logic:
		return CostFixed
	case *Compare:
		if k := value.KindOf(value.PlainType(e.X.Type())); k >= value.KindText && k <= value.KindBinary || k >= value.KindList {
			return CostText
		}
		return CostFixed
	case *In:
		return CostText
	case *Cast:
		if lossless(e) {
			return CostFixed
		}
	case *RegexMatch:
		return CostHeavy
	case *Like:
		if e.Kind != "LIKE" {
			return CostHeavy
		}
	case *Call:
		return e.fn.Cost
	}
	return CostScan
}

// FailureOf is the worst that can happen to a row in e or in anything below it: FailsNever,
// FailsOnRange or FailsOnValue.
func FailureOf(e Expr) Failure {
	out := ownFailure(e)
	for _, c := range e.Children() {
		if out == FailsOnValue {
			return out
		}
		out = max(out, FailureOf(c))
	}
	return out
}

// CanFail says whether some row can make e fail.
func CanFail(e Expr) bool { return FailureOf(e) != FailsNever }

// ownFailure is the failure of a node whose operands do not fail.
func ownFailure(e Expr) Failure {
	switch e := e.(type) {
	case *Arith:
		return arithFailure(e)
	case *Negate:
		if value.KindOf(e.Type()) != value.KindFloat {
			return FailsOnRange
		}
	case *Cast:
		return castFailure(e)
	case *Like:
		return optionFailure(e.Pattern, e.Escape)
	case *RegexMatch:
		return optionFailure(e.Pattern)
	case *Call:
		if e.fn.Fails == FailsOnOption {
			var options []Expr
			for _, i := range e.fn.Options {
				if i < len(e.Args) {
					options = append(options, e.Args[i])
				}
			}
			return optionFailure(options...)
		}
		return e.fn.Fails
	}
	return FailsNever
}

func arithFailure(e *Arith) Failure {
	switch k := value.KindOf(e.T); {
	case e.Op == "||" || e.Op == "&" || e.Op == "|" || e.Op == "#":
		return FailsNever
	case e.Op == "<<" || e.Op == ">>":
		return FailsOnValue
	case e.Op == "^":
		return FailsOnValue
	case k == value.KindFloat && e.Op != "%" && value.KindOf(e.Y.Type()) != value.KindDecimal:
		return FailsNever
	case e.Op == "/" || e.Op == "%":
		if l, ok := e.Y.(*Literal); ok && !isZero(l) {
			return FailsOnRange
		}
		return FailsOnValue
	}
	return FailsOnRange
}

// isZero says whether a constant may be zero: it is taken for zero unless it is a number that is not.
func isZero(l *Literal) bool {
	switch v := l.Value.(type) {
	case int64:
		return v == 0
	case uint64:
		return v == 0
	case float64:
		return v == 0
	case decimal128.Num:
		return v.Sign() == 0
	}
	return true
}

func castFailure(e *Cast) Failure {
	from, to := value.KindOf(value.PlainType(e.X.Type())), value.KindOf(value.PlainType(e.To))
	switch {
	case !e.Try && to == value.KindTimestamp && (from == value.KindDate || from == value.KindTimestamp) &&
		!arrow.TypeEqual(value.PlainType(e.X.Type()), value.PlainType(e.To)):
		return FailsOnRange // finer units reach less far
	case e.Try || lossless(e) || implicit(e.X.Type(), e.To):
		return FailsNever
	case from.Numeric() && to.Numeric():
		return FailsOnRange
	case to == value.KindText && (from.Numeric() || from == value.KindBool || from >= value.KindDate && from <= value.KindInterval):
		return FailsNever // everything that has digits has a text
	}
	return FailsOnValue
}

// optionFailure is FailsOnValue if an option varies from row to row, for then any of its values may be
// bad. Constants were checked before, and a parameter is bad for all rows or for none.
func optionFailure(options ...Expr) Failure {
	for _, o := range options {
		switch o.(type) {
		case nil, *Literal, *Param:
		default:
			return FailsOnValue
		}
	}
	return FailsNever
}

// lossless says whether a cast keeps the order and identity of all values: numbers that widen.
func lossless(c *Cast) bool {
	from, to := c.X.Type(), c.To
	kf, kt := value.KindOf(from), value.KindOf(to)
	switch {
	case kf == kt && (kf == value.KindInt || kf == value.KindUint):
		return value.BitWidth(from) <= value.BitWidth(to)
	case kf == value.KindFloat && kt == value.KindFloat:
		return value.BitWidth(from) <= value.BitWidth(to)
	case kf == value.KindUint && kt == value.KindInt:
		return value.BitWidth(from) < value.BitWidth(to)
	case kf.Integer() && kt == value.KindFloat:
		return value.BitWidth(from) < 64 && value.BitWidth(to) == 64 || value.BitWidth(from) < 32 && value.BitWidth(to) == 32
	}
	return false
}

// ---- The order of conditions -------------------------------------------------------------------

// Conjuncts are the operands of the ANDs at the top of e, or e itself; none for nil.
func Conjuncts(e Expr) []Expr {
	if e == nil {
		return nil
	}
	if l, ok := e.(*Logic); ok && l.Op == "AND" {
		var out []Expr
		for _, a := range l.Args {
			out = append(out, Conjuncts(a)...)
		}
		return out
	}
	return []Expr{e}
}

// Conjoin is the inverse of Conjuncts.
func Conjoin(conditions []Expr) Expr {
	switch len(conditions) {
	case 0:
		return nil
	case 1:
		return conditions[0]
	}
	return &Logic{Op: "AND", Args: conditions}
}

// OrderConditions returns the operands of an AND or an OR in the order in which they are best tried.
// The argument is not changed. weight classes what reading a column costs; nil weighs all the same.
//
//	caption LIKE '%cat%' AND 100 / width > 2 AND width <> 0
//	->  width <> 0 AND 100 / width > 2 AND caption LIKE '%cat%'
//
// These rules decide, the first one that tells two conditions apart:
//
//   - A condition over lighter columns comes first, because the rows that it drops need not be read
//     any further. A condition that fails for ordinary values (FailsOnValue) counts as heavy as the
//     heaviest one that it was written behind, for that one may guard it.
//   - Conditions that fail for ordinary values come last among those of their weight, in the order in
//     which they were written. Any other of them may be their guard.
//   - A cheaper condition comes first. One that fails on its range (FailsOnRange) counts as dear as the
//     dearest one that it was written behind.
//
// Ordering what is in order already changes nothing.
func OrderConditions(conditions []Expr, weight func(ColID) int) []Expr {
	ranked := rankConditions(conditions, weight)
	out := make([]Expr, len(ranked))
	for i, r := range ranked {
		out[i] = r.e
	}
	return out
}

// StageConditions is OrderConditions, cut into groups of equal weight, lightest first: the columns of a
// group need to be read only for the rows that the groups before it left over.
func StageConditions(conditions []Expr, weight func(ColID) int) [][]Expr {
	var out [][]Expr
	last := 0
	for _, r := range rankConditions(conditions, weight) {
		if len(out) == 0 || r.weight != last {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], r.e)
		last = r.weight
	}
	return out
}

// rankedCondition is a condition with what OrderConditions compares.
type rankedCondition struct {
	e      Expr
	weight int
	fails  bool // for ordinary values
	cost   Cost
}

func rankConditions(conditions []Expr, weight func(ColID) int) []rankedCondition {
	ranked := make([]rankedCondition, len(conditions))
	heaviest, dearest := 0, CostFixed
	for i, e := range conditions {
		r := rankedCondition{e: e, cost: CostOf(e)}
		if weight != nil {
			for _, id := range Columns(e) {
				r.weight = max(r.weight, weight(id))
			}
		}
		failure := FailureOf(e)
		heaviest = max(heaviest, r.weight)
		if failure == FailsOnValue {
			r.weight, r.fails, r.cost = heaviest, true, CostFixed
		} else {
			dearest = max(dearest, r.cost)
			if failure == FailsOnRange {
				r.cost = dearest
			}
		}
		ranked[i] = r
	}
	slices.SortStableFunc(ranked, func(a, b rankedCondition) int {
		switch {
		case a.weight != b.weight:
			return a.weight - b.weight
		case a.fails != b.fails && b.fails:
			return -1
		case a.fails != b.fails:
			return 1
		}
		return int(a.cost) - int(b.cost)
	})
	return ranked
}
