package question

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"lanceflight/lancefmt/index"
	"lanceflight/sqlplan/expr"
)

// An index compares values of the column's own type, a condition those of a type that holds both sides. This file states
// such a condition in values of the column.

// storageType is the type of the values behind an encoding or an extension.
func storageType(t arrow.DataType) arrow.DataType {
	for {
		switch x := t.(type) {
		case *arrow.DictionaryType:
			t = x.ValueType
		case arrow.ExtensionType:
			t = x.StorageType()
		default:
			return t
		}
	}
}

// typeClass groups types whose values are Go values of one type, in one order.
type typeClass int

const (
	otherClass typeClass = iota
	boolClass
	intClass
	uintClass
	floatClass
	decimalClass
	textClass
	binaryClass
	dateClass
	timeClass
	timestampClass
	durationClass
)

func classOf(t arrow.DataType) typeClass {
	switch t.ID() {
	case arrow.BOOL:
		return boolClass
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64:
		return intClass
	case arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64:
		return uintClass
	case arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64:
		return floatClass
	case arrow.DECIMAL128:
		return decimalClass
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		return textClass
	case arrow.BINARY, arrow.LARGE_BINARY, arrow.BINARY_VIEW, arrow.FIXED_SIZE_BINARY:
		return binaryClass
	case arrow.DATE32, arrow.DATE64:
		return dateClass
	case arrow.TIME32, arrow.TIME64:
		return timeClass
	case arrow.TIMESTAMP:
		return timestampClass
	case arrow.DURATION:
		return durationClass
	}
	return otherClass
}

func bits(t arrow.DataType) int { return t.(arrow.FixedWidthDataType).BitWidth() }

// unitOf is the number of nanoseconds of a unit of time.
func unitOf(t arrow.DataType) int64 {
	if u, ok := t.(arrow.TemporalWithUnit); ok {
		return int64(u.TimeUnit().Multiplier())
	}
	return 0
}

// keepsOrder reports whether a cast keeps the order of values and which of them are equal. Doubles do so for
// integers below 2^53 only, which toColumn looks after.
func keepsOrder(from, to arrow.DataType) bool {
	from, to = storageType(from), storageType(to)
	if arrow.TypeEqual(from, to) {
		return true
	}
	f, t := classOf(from), classOf(to)
	switch {
	case f == otherClass || t == otherClass:
		return false
	case f == t && (f == textClass || f == binaryClass):
		return true
	case f == t && (f == intClass || f == uintClass || f == floatClass):
		return bits(from) <= bits(to)
	case f == uintClass && t == intClass:
		return bits(from) < bits(to)
	case (f == intClass || f == uintClass) && t == floatClass:
		return bits(to) == 64 || bits(to) == 32 && bits(from) <= 16
	case (f == intClass || f == uintClass) && t == decimalClass:
		return true // or it fails
	case f == decimalClass && t == decimalClass:
		return from.(*arrow.Decimal128Type).Scale <= to.(*arrow.Decimal128Type).Scale
	case f == decimalClass && t == floatClass:
		return bits(to) == 64 && from.(*arrow.Decimal128Type).Precision <= 15
	case f == dateClass && t == timestampClass:
		return from.ID() == arrow.DATE32 && zone(to) == ""
	case f == timestampClass && t == timestampClass:
		return (zone(from) == "") == (zone(to) == "") && unitOf(from) >= unitOf(to)
	case f == t && (f == timeClass || f == durationClass):
		return unitOf(from) >= unitOf(to)
	}
	return false
}

func zone(t arrow.DataType) string { return t.(*arrow.TimestampType).TimeZone }

// columnValue is a constant in a column's type: the value, and how it lies to the constant (-1 below, 0 equal, 1
// above). beyond says that the constant lies outside of the type, above all values (lies 1) or below them (-1).
type columnValue struct {
	value  any
	lies   int
	beyond bool
}

// toColumn converts a constant to a column's type, if that can be done so that comparisons hold.
func toColumn(l expr.Literal, column arrow.DataType) (v columnValue, ok bool) {
	column = storageType(column)
	domain := storageType(l.T)
	from, to := classOf(domain), classOf(column)
	if arrow.TypeEqual(domain, column) || from == to && (from == textClass || from == binaryClass) {
		return columnValue{value: l.Value}, true
	}
	if f, isFloat := l.Value.(float64); isFloat {
		switch {
		case f != f && to != floatClass:
			return columnValue{beyond: true, lies: 1}, true // NaN is above every number
		case (to == intClass || to == uintClass) && bits(column) == 64 && math.Abs(f) >= 1<<53 && !math.IsInf(f, 0):
			return columnValue{}, false // several integers are this double
		}
	}
	c, err := expr.CastLiteral(l, column)
	if err != nil {
		s, ok := sign(l.Value)
		if largest := map[int]float64{16: 65504, 32: math.MaxFloat32}; ok && to == floatClass && largest[bits(column)] > 0 {
			// Infinities and NaN lie beyond.
			return columnValue{value: float64(s) * largest[bits(column)], lies: -s}, true
		}
		return columnValue{beyond: true, lies: s}, ok && from >= intClass && from <= decimalClass && to >= intClass && to <= decimalClass
	}
	back, err := expr.CastLiteral(c, domain)
	if err != nil {
		return columnValue{}, false
	}
	return columnValue{value: c.Value, lies: expr.CompareValues(back.Value, l.Value)}, true
}

// sign says where a number lies that a type cannot hold.
func sign(v any) (int, bool) {
	switch v := v.(type) {
	case int64:
		if v < 0 {
			return -1, true
		}
		return 1, true
	case uint64:
		return 1, true
	case float64:
		if v < 0 {
			return -1, true
		}
		return 1, true
	case decimal128.Num:
		if v.Sign() < 0 {
			return -1, true
		}
		return 1, true
	}
	return 0, false
}

// rangeOf is the range of column values c with c op v, for a comparison that is not = or !=. all and none say that it is
// everything or nothing.
func rangeOf(op string, v columnValue) (low, high *index.Bound, all, none bool) {
	below := op == "<" || op == "<="
	if v.beyond {
		all = below == (v.lies > 0)
		return nil, nil, all, !all
	}
	inclusive := op == "<=" || op == ">="
	switch {
	case v.lies < 0: // the next value of the column is above the constant
		inclusive = below
	case v.lies > 0:
		inclusive = !below
	}
	b := &index.Bound{Value: v.value, Inclusive: inclusive}
	if below {
		return nil, b, false, false
	}
	return b, nil, false, false
}

// intersect is the range that two ranges have in common.
func intersect(a, b *index.Predicate) *index.Predicate {
	tighter := func(x, y *index.Bound, low bool) *index.Bound {
		if x == nil || y == nil {
			if x == nil {
				return y
			}
			return x
		}
		c := expr.CompareValues(x.Value, y.Value)
		switch {
		case c == 0 && x.Inclusive:
			return y
		case c == 0 || (c > 0) == low:
			return x
		}
		return y
	}
	return &index.Predicate{Op: index.InRange, Low: tighter(a.Low, b.Low, true), High: tighter(a.High, b.High, false)}
}
