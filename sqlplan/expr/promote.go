package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// This file decides which type operands of different types meet at, and what converts silently.
//
// The rules are PostgreSQL's: integers widen, an integer or a 32-bit float next to another number type
// becomes DOUBLE, a decimal next to a float becomes DOUBLE, a date next to a timestamp a timestamp. A
// string literal, a NULL and an undecided parameter take the type of what they stand next to.

// undecided says whether e takes its type from its surroundings: NULL or a parameter without a type.
func undecided(e Expr) bool { return e.Type().ID() == arrow.NULL }

// unknownString says whether e is a string literal, which may stand for a value of any type.
func unknownString(e Expr) bool {
	l, ok := e.(*Literal)
	if !ok || l.T.ID() != arrow.STRING {
		return false
	}
	_, ok = l.Value.(string)
	return ok
}

// WithParamType gives an undecided parameter the type t; anything else comes back unchanged.
func WithParamType(e Expr, t arrow.DataType) Expr {
	if p, ok := e.(*Param); ok && (p.T == nil || p.T.ID() == arrow.NULL) && t.ID() != arrow.NULL {
		return &Param{Slot: p.Slot, T: t, Name: p.Name}
	}
	return e
}

// decoded returns e with its plain type: dictionary columns become their values. float16 and date64
// have no operators of their own: they become FLOAT and DATE.
func decoded(e Expr) Expr {
	t := plain(e.Type())
	switch t.ID() {
	case arrow.FLOAT16:
		t = tFloat32
	case arrow.DATE64:
		t = tDate
	case arrow.DURATION, arrow.INTERVAL_MONTHS, arrow.INTERVAL_DAY_TIME:
		t = tInterval
	}
	return implicitCast(e, t)
}

func decodedAll(xs []Expr) []Expr {
	out := make([]Expr, len(xs))
	for i, x := range xs {
		out[i] = decoded(x)
	}
	return out
}

// implicitCast wraps e unless it has the type already. Literals that convert are converted here.
func implicitCast(e Expr, to arrow.DataType) Expr {
	if arrow.TypeEqual(e.Type(), to) {
		return e
	}
	switch x := e.(type) {
	case *Literal:
		if l, err := CastLiteral(*x, to); err == nil {
			return &l
		}
	case *Param:
		if undecided(x) {
			return WithParamType(x, to)
		}
	}
	return &Cast{X: e, To: to, Implicit: true}
}

// CommonType is the type at which values of the given types meet, in CASE, UNION, comparisons. Without
// types, or NULLs only, it is arrow.Null. InvalidArgument names two types that do not meet.
func CommonType(ts ...arrow.DataType) (arrow.DataType, error) {
	var out arrow.DataType = arrow.Null
	for _, t := range ts {
		c, ok := common(out, t)
		if !ok {
			return nil, fault.New(fault.InvalidArgument, "types %s and %s do not go together; use CAST to convert one of them", TypeName(out), TypeName(t))
		}
		out = c
	}
	return out, nil
}

func common(a, b arrow.DataType) (arrow.DataType, bool) {
	if arrow.TypeEqual(a, b) {
		return a, true
	}
	a, b = plain(a), plain(b)
	if arrow.TypeEqual(a, b) {
		return a, true
	}
	ka, kb := kindOf(a), kindOf(b)
	if ka == kNull {
		return b, true
	}
	if kb == kNull {
		return a, true
	}
	if ka > kb {
		a, b, ka, kb = b, a, kb, ka
	}
	switch {
	case ka.numeric() && kb.numeric():
		return commonNumber(a, b, ka, kb), true
	case ka == kDate && kb == kTimestamp:
		return b, true
	case ka != kb:
		return nil, false
	}
	switch ka {
	case kText:
		if a.ID() == arrow.LARGE_STRING || b.ID() == arrow.LARGE_STRING {
			return arrow.BinaryTypes.LargeString, true
		}
		return tText, true
	case kBinary:
		if a.ID() == arrow.LARGE_BINARY || b.ID() == arrow.LARGE_BINARY {
			return arrow.BinaryTypes.LargeBinary, true
		}
		return tBinary, true
	case kDate:
		return tDate, true
	case kTime:
		return &arrow.Time64Type{Unit: max(timeUnit(a), timeUnit(b), arrow.Microsecond)}, true
	case kTimestamp:
		x, y := a.(*arrow.TimestampType), b.(*arrow.TimestampType)
		zone := x.TimeZone
		if zone == "" {
			zone = y.TimeZone
		}
		return &arrow.TimestampType{Unit: max(x.Unit, y.Unit), TimeZone: zone}, true
	case kInterval:
		return tInterval, true
	case kList:
		elem, ok := common(elemOf(a), elemOf(b))
		if !ok {
			return nil, false
		}
		x, okX := a.(*arrow.FixedSizeListType)
		y, okY := b.(*arrow.FixedSizeListType)
		switch {
		case okX && okY && x.Len() == y.Len():
			return arrow.FixedSizeListOf(x.Len(), elem), true
		case a.ID() == arrow.LARGE_LIST || b.ID() == arrow.LARGE_LIST:
			return arrow.LargeListOf(elem), true
		}
		return arrow.ListOf(elem), true
	case kStruct:
		x, y := a.(*arrow.StructType), b.(*arrow.StructType)
		if x.NumFields() != y.NumFields() {
			return nil, false
		}
		fields := make([]arrow.Field, x.NumFields())
		for i := range fields {
			t, ok := common(x.Field(i).Type, y.Field(i).Type)
			if !ok || x.Field(i).Name != y.Field(i).Name {
				return nil, false
			}
			fields[i] = arrow.Field{Name: x.Field(i).Name, Type: t, Nullable: true}
		}
		return arrow.StructOf(fields...), true
	}
	return nil, false
}

// commonNumber is common for different number types with ka <= kb.
func commonNumber(a, b arrow.DataType, ka, kb kind) arrow.DataType {
	switch {
	case ka == kInt && kb == kInt:
		return intType(max(bitWidth(a), bitWidth(b)))
	case ka == kUint && kb == kUint:
		return uintType(max(bitWidth(a), bitWidth(b)))
	case ka == kInt && kb == kUint:
		if bitWidth(b) < 64 {
			return intType(max(bitWidth(a), 2*bitWidth(b)))
		}
		return &arrow.Decimal128Type{Precision: 20}
	case ka == kFloat && kb == kFloat && bitWidth(a) < 64 && bitWidth(b) < 64:
		return tFloat32
	case ka == kFloat || kb == kFloat:
		return tFloat64
	}
	x, y := asDecimalType(a), asDecimalType(b)
	scale := max(x.Scale, y.Scale)
	whole := max(x.Precision-x.Scale, y.Precision-y.Scale)
	return &arrow.Decimal128Type{Precision: min(38, whole+scale), Scale: min(scale, max(0, 38-whole))}
}

// asDecimalType is the decimal type that holds every value of an integer or decimal type.
func asDecimalType(t arrow.DataType) *arrow.Decimal128Type {
	if d, ok := t.(*arrow.Decimal128Type); ok {
		return d
	}
	return &arrow.Decimal128Type{Precision: digits(t)}
}

// implicit says whether values of type from become type to without being asked: what widens, what
// changes only the physical layout, and lists that become vectors (the dimension is checked on each).
func implicit(from, to arrow.DataType) bool {
	from, to = plain(from), plain(to)
	if arrow.TypeEqual(from, to) {
		return true
	}
	kf, kt := kindOf(from), kindOf(to)
	switch {
	case kf == kNull:
		return true
	case kf == kt:
		switch kf {
		case kInt, kUint, kFloat:
			return bitWidth(from) <= bitWidth(to)
		case kDecimal:
			f, t := from.(*arrow.Decimal128Type), to.(*arrow.Decimal128Type)
			return f.Scale <= t.Scale && f.Precision-f.Scale <= t.Precision-t.Scale
		case kText, kBinary, kDate, kTime, kTimestamp, kInterval, kBool:
			return true
		case kList:
			f, fixedF := from.(*arrow.FixedSizeListType)
			t, fixedT := to.(*arrow.FixedSizeListType)
			if fixedF && fixedT && f.Len() != t.Len() {
				return false
			}
			return implicit(elemOf(from), elemOf(to)) || kindOf(plain(elemOf(from))).numeric() && kindOf(plain(elemOf(to))) == kFloat
		case kStruct:
			f, t := from.(*arrow.StructType), to.(*arrow.StructType)
			if f.NumFields() != t.NumFields() {
				return false
			}
			for i := range f.NumFields() {
				if f.Field(i).Name != t.Field(i).Name || !implicit(f.Field(i).Type, t.Field(i).Type) {
					return false
				}
			}
			return true
		}
	case kf == kUint && kt == kInt:
		return bitWidth(from) < bitWidth(to)
	case kf.integer() && kt == kDecimal:
		t := to.(*arrow.Decimal128Type)
		return digits(from) <= t.Precision-t.Scale
	case kf.integer() && kt == kFloat, kf == kDecimal && kt == kFloat:
		return true
	case kf == kDate && kt == kTimestamp:
		return true
	}
	return false
}

// Coerce converts x to a type where SQL does so silently: widening, NULL, undecided parameters, string
// and number literals that denote a value of the type. Otherwise InvalidArgument says both types.
func Coerce(x Expr, to arrow.DataType) (Expr, error) {
	if arrow.TypeEqual(x.Type(), to) {
		return x, nil
	}
	if p, ok := x.(*Param); ok && undecided(p) {
		return WithParamType(p, to), nil
	}
	if l, ok := x.(*Literal); ok {
		if l.Value == nil || unknownString(x) {
			c, err := CastLiteral(*l, to)
			if err != nil {
				return nil, err
			}
			return &c, nil
		}
		if c, ok := sameNumber(l, to); ok {
			return c, nil
		}
		if kindOf(plain(l.T)) == kDecimal && kindOf(plain(to)) == kFloat || kindOf(plain(l.T)) == kFloat && kindOf(plain(to)) == kFloat ||
			kindOf(plain(l.T)) == kList && kindOf(plain(to)) == kList {
			c, err := CastLiteral(*l, to)
			if err != nil {
				return nil, err
			}
			return &c, nil
		}
	}
	if implicit(x.Type(), to) {
		return implicitCast(x, to), nil
	}
	return nil, fault.New(fault.InvalidArgument, "%s is %s, but %s is needed here; CAST(%s AS %s) converts it", shortText(x), TypeName(x.Type()), TypeName(to), shortText(x), TypeName(to))
}

// sameNumber converts a number literal to another number type if it is exactly representable there.
func sameNumber(l *Literal, to arrow.DataType) (*Literal, bool) {
	if !kindOf(plain(l.T)).numeric() || !kindOf(plain(to)).numeric() {
		return nil, false
	}
	c, err := CastLiteral(*l, to)
	if err != nil {
		return nil, false
	}
	back, err := CastLiteral(c, l.T)
	if err != nil || back.Value != l.Value {
		return nil, false
	}
	return &c, true
}

// shortText renders an operand for a message, cut to a reasonable length.
func shortText(x Expr) string {
	const most = 60
	s := x.String()
	if len(s) <= most {
		return s
	}
	for i := range s {
		if i > most {
			return s[:i] + "…"
		}
	}
	return s
}

// unify converts operands to their common type; see the head of this file. what names the construct
// for the message ("=").
func unify(what string, xs []Expr) ([]Expr, arrow.DataType, error) {
	xs = decodedAll(xs)
	var t arrow.DataType = arrow.Null
	strings, literals := false, false
	var from Expr
	for _, x := range xs {
		switch {
		case undecided(x):
			continue
		case unknownString(x):
			strings = true
			continue
		case intLiteral(x):
			literals = true
			continue
		}
		c, ok := common(t, x.Type())
		if !ok {
			return nil, nil, mismatch(what, from, x)
		}
		t, from = c, x
	}
	if literals {
		for _, x := range xs {
			if !intLiteral(x) {
				continue
			}
			// An integer literal fits in with unsigned numbers if it can, so that `u + 1` stays unsigned.
			if kindOf(t) == kUint {
				if _, ok := sameNumber(x.(*Literal), t); ok {
					continue
				}
			}
			c, ok := common(t, x.Type())
			if !ok {
				return nil, nil, mismatch(what, from, x)
			}
			t, from = c, x
		}
	}
	if t.ID() == arrow.NULL {
		params := false
		for _, x := range xs {
			_, isParam := x.(*Param)
			params = params || isParam
		}
		if strings || params {
			t = tText
		}
	}
	out := make([]Expr, len(xs))
	for i, x := range xs {
		c, err := Coerce(x, t)
		if err != nil {
			// The common type exists, so only the loss of digits can forbid the conversion.
			if unknownString(x) {
				return nil, nil, err
			}
			c = implicitCast(x, t)
		}
		out[i] = c
	}
	return out, t, nil
}

func intLiteral(x Expr) bool {
	l, ok := x.(*Literal)
	return ok && kindOf(l.T) == kInt
}

func mismatch(what string, x, y Expr) error {
	if err := beyond(x.Type(), y.Type()); err != nil {
		return err
	}
	advice := ""
	if canCast(y.Type(), x.Type()) {
		advice = "; CAST(" + shortText(y) + " AS " + TypeName(x.Type()) + ") converts one"
	} else if canCast(x.Type(), y.Type()) {
		advice = "; CAST(" + shortText(x) + " AS " + TypeName(y.Type()) + ") converts one"
	}
	return fault.New(fault.InvalidArgument, "%s: %s is %s and %s is %s, which do not go together%s",
		what, shortText(x), TypeName(x.Type()), shortText(y), TypeName(y.Type()), advice)
}

// CastLiteral casts a constant as CAST does. Lists, text and little-endian float32 bytes become
// vectors if they have the right dimension; the error names both dimensions.
func CastLiteral(l Literal, to arrow.DataType) (Literal, error) {
	if l.T == nil || l.T.ID() == arrow.NULL || l.Value == nil {
		return Literal{nil, to}, nil
	}
	v, err := castValue(l.Value, l.T, to)
	if err != nil {
		return Literal{}, err
	}
	return Literal{v, to}, nil
}
