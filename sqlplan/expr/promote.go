package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
)

// This file decides which type operands of different types meet at, and what converts silently.
//
// The rules are PostgreSQL's: integers widen, an integer or a 32-bit float next to another number type
// becomes DOUBLE, a decimal next to a float becomes DOUBLE, a date next to a timestamp a timestamp. A
// string literal, a NULL and an undecided parameter take the type of what they stand next to.
//
// Decimals meet at the larger scale: digits behind the point are never given up, and a value that needs
// more than 38 digits then is an error. Comparisons need no such type (tooWide).

// Undecided says whether e takes its type from its surroundings: NULL or a parameter without a type.
func Undecided(e Expr) bool { return e.Type().ID() == arrow.NULL }

// ListOfNulls says whether t is the type of a list whose items have no type, such as [$1, NULL].
func ListOfNulls(t arrow.DataType) bool {
	l, ok := t.(arrow.ListLikeType)
	return ok && l.Elem().ID() == arrow.NULL
}

// UnknownString says whether e is a string literal, which may stand for a value of any type.
func UnknownString(e Expr) bool {
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

// GuessType gives an undecided expression a type that its surroundings suggest without insisting on it:
// see Param.Guessed. Anything else is coerced.
func GuessType(e Expr, t arrow.DataType) (Expr, error) {
	switch x := e.(type) {
	case *Param:
		if Undecided(x) && t.ID() != arrow.NULL {
			return &Param{Slot: x.Slot, T: t, Name: x.Name, Guessed: true}, nil
		}
	case *Literal:
	default:
		if Undecided(x) && t.ID() != arrow.NULL {
			return &Cast{X: e, To: t, Implicit: true, Guessed: true}, nil
		}
	}
	return Coerce(e, t)
}

// coerceBy is Coerce where insist is true, and GuessType where it is not.
func coerceBy(insist bool, e Expr, t arrow.DataType) (Expr, error) {
	if insist {
		return Coerce(e, t)
	}
	return GuessType(e, t)
}

// Decoded returns e with its plain type: dictionary columns become their values. float16 and date64
// have no operators of their own: they become FLOAT and DATE.
func Decoded(e Expr) Expr {
	t := value.PlainType(e.Type())
	switch t.ID() {
	case arrow.FLOAT16:
		t = value.TypeFloat32
	case arrow.DATE64:
		t = value.TypeDate
	case arrow.DURATION, arrow.INTERVAL_MONTHS, arrow.INTERVAL_DAY_TIME:
		t = value.TypeInterval
	}
	return ImplicitCast(e, t)
}

func decodedAll(xs []Expr) []Expr {
	out := make([]Expr, len(xs))
	for i, x := range xs {
		out[i] = Decoded(x)
	}
	return out
}

// ImplicitCast wraps e unless it has the type already. Literals that convert are converted here.
func ImplicitCast(e Expr, to arrow.DataType) Expr {
	if arrow.TypeEqual(e.Type(), to) {
		return e
	}
	switch x := e.(type) {
	case *Literal:
		if l, err := CastLiteral(*x, to); err == nil {
			return &l
		}
	case *Param:
		if Undecided(x) {
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
			return nil, fault.New(
				fault.InvalidArgument,
				"types %s and %s do not go together; use CAST to convert one of them",
				value.TypeName(out),
				value.TypeName(t),
			)
		}
		out = c
	}
	return out, nil
}

func common(a, b arrow.DataType) (arrow.DataType, bool) {
	if arrow.TypeEqual(a, b) {
		return a, true
	}
	a, b = value.PlainType(a), value.PlainType(b)
	if arrow.TypeEqual(a, b) {
		return a, true
	}
	ka, kb := value.KindOf(a), value.KindOf(b)
	if ka == value.KindNull {
		return b, true
	}
	if kb == value.KindNull {
		return a, true
	}
	if ka > kb {
		a, b, ka, kb = b, a, kb, ka
	}
	switch {
	case ka.Numeric() && kb.Numeric():
		return commonNumber(a, b, ka, kb), true
	case ka == value.KindDate && kb == value.KindTimestamp:
		return b, true
	case kb == value.KindUUID && (ka == value.KindText || ka == value.KindBinary):
		return b, true
	case ka != kb:
		return nil, false
	}
	switch ka {
	case value.KindText:
		if a.ID() == arrow.LARGE_STRING || b.ID() == arrow.LARGE_STRING {
			return arrow.BinaryTypes.LargeString, true
		}
		return value.TypeText, true
	case value.KindBinary:
		if a.ID() == arrow.LARGE_BINARY || b.ID() == arrow.LARGE_BINARY {
			return arrow.BinaryTypes.LargeBinary, true
		}
		return value.TypeBinary, true
	case value.KindDate:
		return value.TypeDate, true
	case value.KindTime:
		return &arrow.Time64Type{Unit: max(value.TimeUnit(a), value.TimeUnit(b), arrow.Microsecond)}, true
	case value.KindTimestamp:
		x, y := a.(*arrow.TimestampType), b.(*arrow.TimestampType)
		zone := x.TimeZone
		if zone == "" {
			zone = y.TimeZone
		}
		return &arrow.TimestampType{Unit: max(x.Unit, y.Unit), TimeZone: zone}, true
	case value.KindInterval:
		return value.TypeInterval, true
	case value.KindList:
		elem, ok := common(value.ElemOf(a), value.ElemOf(b))
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
	case value.KindStruct:
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
func commonNumber(a, b arrow.DataType, ka, kb value.Kind) arrow.DataType {
	switch {
	case ka == value.KindInt && kb == value.KindInt:
		return value.IntType(max(value.BitWidth(a), value.BitWidth(b)))
	case ka == value.KindUint && kb == value.KindUint:
		return value.UintType(max(value.BitWidth(a), value.BitWidth(b)))
	case ka == value.KindInt && kb == value.KindUint:
		if value.BitWidth(b) < 64 {
			return value.IntType(max(value.BitWidth(a), 2*value.BitWidth(b)))
		}
		return &arrow.Decimal128Type{Precision: 20}
	case ka == value.KindFloat && kb == value.KindFloat && value.BitWidth(a) < 64 && value.BitWidth(b) < 64:
		return value.TypeFloat32
	case ka == value.KindFloat || kb == value.KindFloat:
		return value.TypeFloat64
	}
	x, y := asDecimalType(a), asDecimalType(b)
	scale, whole := max(x.Scale, y.Scale), max(x.Precision-x.Scale, y.Precision-y.Scale)
	return &arrow.Decimal128Type{Precision: min(38, whole+scale), Scale: scale}
}

// exact says whether numbers of a kind are not rounded.
func exact(k value.Kind) bool { return k.Integer() || k == value.KindDecimal }

// tooWide says whether exact numbers of the types of some operands have no type in common that holds them
// all: a decimal of enough digits behind the point for one of them has too few before it for another. Such
// numbers are compared as they are.
func tooWide(xs ...Expr) bool {
	var scale, whole int32
	for _, x := range xs {
		t := value.PlainType(x.Type())
		if Undecided(x) || UnknownString(x) {
			continue
		}
		if !exact(value.KindOf(t)) {
			return false
		}
		d := asDecimalType(t)
		scale, whole = max(scale, d.Scale), max(whole, d.Precision-d.Scale)
	}
	return scale > 0 && scale+whole > 38
}

// asDecimal converts an exact number to the decimal that holds all values of its type.
func asDecimal(x Expr) Expr { return ImplicitCast(x, asDecimalType(x.Type())) }

// JoinKeys are the sides of the comparison x = y as values of one type, which are equal where x = y, and
// NULL where no value of the other side can be equal.
func JoinKeys(x, y Expr) (Expr, Expr) {
	a, okA := x.Type().(*arrow.Decimal128Type)
	b, okB := y.Type().(*arrow.Decimal128Type)
	if !okA || !okB || a.Scale == b.Scale {
		return x, y
	}
	t := commonNumber(a, b, value.KindDecimal, value.KindDecimal)
	key := func(e Expr) Expr { return &Cast{X: e, To: t, Try: true, Implicit: true} }
	return key(x), key(y)
}

// asDecimalType is the decimal type that holds every value of an integer or decimal type.
func asDecimalType(t arrow.DataType) *arrow.Decimal128Type {
	if d, ok := t.(*arrow.Decimal128Type); ok {
		return d
	}
	return &arrow.Decimal128Type{Precision: value.Digits(t)}
}

// implicit says whether values of type from become type to without being asked: what widens, what
// changes only the physical layout, and lists that become vectors (the dimension is checked on each).
func implicit(from, to arrow.DataType) bool {
	from, to = value.PlainType(from), value.PlainType(to)
	if arrow.TypeEqual(from, to) {
		return true
	}
	kf, kt := value.KindOf(from), value.KindOf(to)
	switch {
	case kf == value.KindNull:
		return true
	case kf == kt:
		switch kf {
		case value.KindInt, value.KindUint, value.KindFloat:
			return value.BitWidth(from) <= value.BitWidth(to)
		case value.KindDecimal:
			f, t := from.(*arrow.Decimal128Type), to.(*arrow.Decimal128Type)
			return f.Scale <= t.Scale && f.Precision-f.Scale <= t.Precision-t.Scale
		case value.KindText, value.KindBinary, value.KindDate, value.KindTime, value.KindTimestamp, value.KindInterval, value.KindBool,
			value.KindUUID:
			return true
		case value.KindList:
			f, fixedF := from.(*arrow.FixedSizeListType)
			t, fixedT := to.(*arrow.FixedSizeListType)
			if fixedF && fixedT && f.Len() != t.Len() {
				return false
			}
			return implicit(value.ElemOf(from), value.ElemOf(to)) ||
				value.KindOf(value.PlainType(value.ElemOf(from))).Numeric() && value.KindOf(value.PlainType(value.ElemOf(to))) == value.KindFloat
		case value.KindStruct:
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
	case kf == value.KindUint && kt == value.KindInt:
		return value.BitWidth(from) < value.BitWidth(to)
	case kf.Integer() && kt == value.KindDecimal:
		t := to.(*arrow.Decimal128Type)
		return value.Digits(from) <= t.Precision-t.Scale
	case kf.Integer() && kt == value.KindFloat, kf == value.KindDecimal && kt == value.KindFloat:
		return true
	case kf == value.KindDate && kt == value.KindTimestamp:
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
	if p, ok := x.(*Param); ok && Undecided(p) {
		return WithParamType(p, to), nil
	}
	if l, ok := x.(*Literal); ok {
		if l.Value == nil || UnknownString(x) {
			c, err := CastLiteral(*l, to)
			if err != nil {
				return nil, err
			}
			return &c, nil
		}
		if c, ok := SameNumber(l, to); ok {
			return c, nil
		}
		if value.KindOf(value.PlainType(l.T)) == value.KindDecimal && value.KindOf(value.PlainType(to)) == value.KindFloat ||
			value.KindOf(value.PlainType(l.T)) == value.KindFloat && value.KindOf(value.PlainType(to)) == value.KindFloat ||
			value.KindOf(value.PlainType(l.T)) == value.KindList && value.KindOf(value.PlainType(to)) == value.KindList {
			c, err := CastLiteral(*l, to)
			if err != nil {
				return nil, err
			}
			return &c, nil
		}
	}
	if implicit(x.Type(), to) {
		return ImplicitCast(x, to), nil
	}
	return nil, fault.New(
		fault.InvalidArgument,
		"%s is %s, but %s is needed here; CAST(%s AS %s) converts it",
		ShortText(x),
		value.TypeName(x.Type()),
		value.TypeName(to),
		ShortText(x),
		value.TypeName(to),
	)
}

// SameNumber converts a number literal to another number type if it is exactly representable there.
func SameNumber(l *Literal, to arrow.DataType) (*Literal, bool) {
	if !value.KindOf(value.PlainType(l.T)).Numeric() || !value.KindOf(value.PlainType(to)).Numeric() {
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

// ShortText renders an operand for a message, cut to a reasonable length.
func ShortText(x Expr) string {
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

// Unify converts operands to their common type; see the head of this file. what names the construct
// for the message ("=").
func Unify(what string, xs []Expr) ([]Expr, arrow.DataType, error) {
	xs = decodedAll(xs)
	var t arrow.DataType = arrow.Null
	strings, literals := false, false
	insist := false // some operand is more than a literal, so that it decides what parameters are
	var from Expr
	for _, x := range xs {
		switch {
		case Undecided(x):
			continue
		case UnknownString(x):
			strings = true
			continue
		case intLiteral(x):
			literals = true
			continue
		}
		insist = insist || decisive(x)
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
			if value.KindOf(t) == value.KindUint {
				if _, ok := SameNumber(x.(*Literal), t); ok {
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
	if t.ID() == arrow.NULL && strings {
		t = value.TypeText
	}
	out := make([]Expr, len(xs))
	for i, x := range xs {
		c, err := coerceBy(insist, x, t)
		if err != nil {
			// The common type exists, so only the loss of digits can forbid the conversion.
			if UnknownString(x) {
				return nil, nil, err
			}
			c = ImplicitCast(x, t)
		}
		out[i] = c
	}
	return out, t, nil
}

// decisive says whether the type of x is one that the statement asks for. The type of a literal is only
// the smallest that holds it: $1 + 1 and $1 > 0.5 say little about what $1 is.
func decisive(x Expr) bool {
	switch x := x.(type) {
	case *Literal:
		return false
	case *Param:
		return !x.Guessed
	case *Cast:
		return !x.Implicit || decisive(x.X)
	}
	return true
}

func intLiteral(x Expr) bool {
	l, ok := x.(*Literal)
	return ok && value.KindOf(l.T) == value.KindInt
}

func mismatch(what string, x, y Expr) error {
	if err := value.NotComputed(x.Type(), y.Type()); err != nil {
		return err
	}
	advice := ""
	if cast.Exists(y.Type(), x.Type()) {
		advice = "; CAST(" + ShortText(y) + " AS " + value.TypeName(x.Type()) + ") converts one"
	} else if cast.Exists(x.Type(), y.Type()) {
		advice = "; CAST(" + ShortText(x) + " AS " + value.TypeName(y.Type()) + ") converts one"
	}
	return fault.New(fault.InvalidArgument, "%s: %s is %s and %s is %s, which do not go together%s",
		what, ShortText(x), value.TypeName(x.Type()), ShortText(y), value.TypeName(y.Type()), advice)
}

// CastLiteral casts a constant as CAST does. Lists, text and little-endian float32 bytes become
// vectors if they have the right dimension; the error names both dimensions.
func CastLiteral(l Literal, to arrow.DataType) (Literal, error) {
	if l.T == nil || l.T.ID() == arrow.NULL || l.Value == nil {
		return Literal{nil, to}, nil
	}
	v, err := cast.Value(l.Value, l.T, to)
	if err != nil {
		return Literal{}, err
	}
	return Literal{v, to}, nil
}
