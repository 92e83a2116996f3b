package expr

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr/arith"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/compare"
	"lanceflight/sqlplan/expr/match"
	"lanceflight/sqlplan/expr/value"
)

// Constructors. Each checks the types of its operands, converts what converts silently, and otherwise
// fails with fault.InvalidArgument, without a position: the binder knows that.

// boolean converts an operand of a logical operator.
func boolean(what string, x Expr) (Expr, error) {
	x = Decoded(x)
	if x.Type().ID() == arrow.BOOL {
		return x, nil
	}
	if Undecided(x) || UnknownString(x) {
		return Coerce(x, value.TypeBool)
	}
	advice := ""
	if value.KindOf(x.Type()).Numeric() {
		advice = "; write " + ShortText(x) + " != 0"
	}
	return nil, fault.New(fault.InvalidArgument, "%s needs BOOLEAN, but %s is %s%s", what, ShortText(x), value.TypeName(x.Type()), advice)
}

// NewNot is NOT x.
func NewNot(x Expr) (Expr, error) {
	x, err := boolean("NOT", x)
	if err != nil {
		return nil, err
	}
	if n, ok := x.(*Not); ok {
		return n.X, nil
	}
	return &Not{X: x}, nil
}

// NewAnd is the conjunction of its operands, flattened; of one operand, that; of none, TRUE.
func NewAnd(xs ...Expr) (Expr, error) { return newLogic("AND", xs) }

// NewOr is the disjunction of its operands, flattened; of one operand, that; of none, FALSE.
func NewOr(xs ...Expr) (Expr, error) { return newLogic("OR", xs) }

func newLogic(op string, xs []Expr) (Expr, error) {
	var args []Expr
	for _, x := range xs {
		x, err := boolean(op, x)
		if err != nil {
			return nil, err
		}
		if l, ok := x.(*Logic); ok && l.Op == op {
			args = append(args, l.Args...)
		} else {
			args = append(args, x)
		}
	}
	switch len(args) {
	case 0:
		return NewLiteral(op == "AND", value.TypeBool), nil
	case 1:
		return args[0], nil
	}
	return &Logic{Op: op, Args: args}, nil
}

// NewCompare is x op y; op is one of = != <> < <= > >=, IS DISTINCT FROM, IS NOT DISTINCT FROM.
func NewCompare(op string, x, y Expr) (Expr, error) {
	if _, ok := compare.Ops[op]; !ok {
		return nil, fault.New(fault.Internal, "unknown comparison %q", op)
	}
	if op == "<>" {
		op = "!="
	}
	x, y, err := Comparable(op, x, y)
	if err != nil {
		return nil, err
	}
	switch k := value.KindOf(x.Type()); k {
	case value.KindOther:
		return nil, fault.New(fault.Unsupported, "comparing values of type %s", value.TypeName(x.Type()))
	}
	return &Compare{Op: op, X: x, Y: y}, nil
}

// Comparable converts two operands to a type at which they compare. A number literal next to a column
// takes the column's type if that holds it exactly, so that the column is compared as it lies.
func Comparable(what string, x, y Expr) (Expr, Expr, error) {
	x, y = Decoded(x), Decoded(y)
	if a, b, ok := adaptLiteral(x, y); ok {
		return a, b, nil
	}
	if b, a, ok := adaptLiteral(y, x); ok {
		return a, b, nil
	}
	if kx, ky := value.KindOf(x.Type()), value.KindOf(y.Type()); kx == ky && (kx == value.KindText || kx == value.KindBinary) {
		return x, y, nil // layouts of strings mix
	}
	if tooWide(x, y) {
		return asDecimal(x), asDecimal(y), nil
	}
	both, _, err := Unify(what, []Expr{x, y})
	if err != nil {
		return nil, nil, err
	}
	return both[0], both[1], nil
}

// adaptLiteral converts the number literal y to the type of x, which is not one.
func adaptLiteral(x, y Expr) (Expr, Expr, bool) {
	l, ok := y.(*Literal)
	if _, both := x.(*Literal); !ok || both || l.Value == nil {
		return nil, nil, false
	}
	kx, ky := value.KindOf(x.Type()), value.KindOf(l.T)
	if !kx.Numeric() || !ky.Numeric() {
		return nil, nil, false
	}
	if kx == value.KindFloat && exact(ky) {
		c, ok := floatLiteral(l, x)
		return x, c, ok
	}
	if c, ok := SameNumber(l, x.Type()); ok {
		return x, c, true
	}
	if kx.Integer() && ky == value.KindDecimal && value.BitWidth(x.Type()) < 64 && l.T.(*arrow.Decimal128Type).Precision <= 15 {
		// A fraction next to a small integer: DOUBLE holds 15 digits, so no fraction becomes a whole number,
		// and compares fast.
		if c, err := CastLiteral(*l, value.TypeFloat64); err == nil {
			return ImplicitCast(x, value.TypeFloat64), &c, true
		}
	}
	return nil, nil, false
}

// floatLiteral is the number that an exact literal is beside the FLOAT x: the nearest FLOAT, so that
// f32 = 0.1 finds what was stored as 0.1. ok is false if x is a DOUBLE, or no FLOAT is near: the two are
// compared as DOUBLE then. Half floats are compared as FLOAT, with what the nearest half float is.
func floatLiteral(l *Literal, x Expr) (Expr, bool) {
	if value.BitWidth(x.Type()) != 32 {
		return nil, false
	}
	t := x.Type()
	if c, ok := x.(*Cast); ok && c.Implicit && value.PlainType(c.X.Type()).ID() == arrow.FLOAT16 {
		t = value.PlainType(c.X.Type())
	}
	near, err := CastLiteral(*l, t)
	if err == nil {
		near, err = CastLiteral(near, x.Type())
	}
	if err != nil {
		return nil, false
	}
	if f := near.Value.(float64); f-f != 0 || f == 0 && !isZero(l) {
		return nil, false
	}
	return &near, true
}

// NewBetween is x [NOT] BETWEEN lo AND hi.
func NewBetween(x, lo, hi Expr, not bool) (Expr, error) {
	x1, lo, err := Comparable("BETWEEN", x, lo)
	if err != nil {
		return nil, err
	}
	x2, hi, err := Comparable("BETWEEN", x, hi)
	if err != nil {
		return nil, err
	}
	if cheap(x1) || tooWide(x, lo, hi) {
		if not {
			return &Logic{Op: "OR", Args: []Expr{&Compare{Op: "<", X: x1, Y: lo}, &Compare{Op: ">", X: x2, Y: hi}}}, nil
		}
		return &Logic{Op: "AND", Args: []Expr{&Compare{Op: ">=", X: x1, Y: lo}, &Compare{Op: "<=", X: x2, Y: hi}}}, nil
	}
	all, _, err := Unify("BETWEEN", []Expr{x1, lo, hi})
	if err != nil {
		return nil, err
	}
	return &Between{X: all[0], Lo: all[1], Hi: all[2], Negated: not}, nil
}

// cheap says whether computing x twice costs nothing to speak of.
func cheap(x Expr) bool {
	switch x := x.(type) {
	case *Column, *Literal, *Param:
		return true
	case *Cast:
		return x.Implicit && cheap(x.X)
	}
	return false
}

// NewIn is x [NOT] IN (list).
func NewIn(x Expr, list []Expr, not bool) (Expr, error) {
	if len(list) == 0 {
		// x IN () is FALSE, also for NULL.
		return NewLiteral(not, value.TypeBool), nil
	}
	x = Decoded(x)
	items := make([]Expr, 0, len(list))
	adapted := true
	kx := value.KindOf(x.Type())
	for _, it := range list {
		l, isLiteral := it.(*Literal)
		var k value.Kind
		if isLiteral && l.Value != nil {
			k = value.KindOf(value.PlainType(l.T))
		}
		switch {
		case exact(kx) && exact(k):
			if c, ok := SameNumber(l, x.Type()); ok {
				items = append(items, c)
			} // else there is no such x
		case kx.Integer() && k == value.KindFloat:
			c, ok := SameNumber(l, x.Type())
			if !ok {
				adapted = false
			}
			items = append(items, c)
		case kx == value.KindFloat && value.BitWidth(x.Type()) == 32 && k.Numeric():
			if _, c, ok := adaptLiteral(x, l); ok {
				items = append(items, c)
			} // else there is no such FLOAT
		case Undecided(it) || UnknownString(it) || arrow.TypeEqual(value.PlainType(it.Type()), x.Type()):
			items = append(items, it)
		default:
			adapted = false
		}
	}
	if _, isLiteral := x.(*Literal); !adapted || Undecided(x) || isLiteral {
		if tooWide(append([]Expr{x}, list...)...) {
			return eachOf(x, list, not)
		}
		all, _, err := Unify("IN", append([]Expr{x}, list...))
		if err != nil {
			return nil, err
		}
		x, items = all[0], all[1:]
	} else {
		for i, it := range items {
			c, err := Coerce(Decoded(it), x.Type())
			if err != nil {
				return nil, err
			}
			items[i] = c
		}
	}
	return splitIn(x, items, not)
}

// eachOf is x [NOT] IN (items), one comparison for each.
func eachOf(x Expr, items []Expr, not bool) (Expr, error) {
	op, join := "=", NewOr
	if not {
		op, join = "!=", NewAnd
	}
	parts := make([]Expr, len(items))
	for i, it := range items {
		var err error
		if parts[i], err = NewCompare(op, x, it); err != nil {
			return nil, err
		}
	}
	return join(parts...)
}

// splitIn looks constants up in a set and compares with the others one by one.
func splitIn(x Expr, items []Expr, not bool) (Expr, error) {
	var set, rest []Expr
	hashable := false
	switch k := value.KindOf(x.Type()); k {
	case value.KindBool,
		value.KindInt,
		value.KindUint,
		value.KindFloat,
		value.KindDecimal,
		value.KindText,
		value.KindBinary,
		value.KindDate,
		value.KindTime,
		value.KindTimestamp,
		value.KindUUID:
		hashable = true
	}
	for _, it := range items {
		switch it.(type) {
		case *Literal, *Param:
			if hashable {
				set = append(set, it)
				continue
			}
		}
		rest = append(rest, it)
	}
	if len(rest) == 0 {
		return &In{X: x, List: set, Negated: not}, nil
	}
	others, err := eachOf(x, rest, not)
	if err != nil || len(set) == 0 {
		return others, err
	}
	if in := (&In{X: x, List: set, Negated: not}); not {
		return NewAnd(in, others)
	} else {
		return NewOr(in, others)
	}
}

// text converts an operand that has to be a string.
func text(what string, x Expr) (Expr, error) {
	x = Decoded(x)
	if value.KindOf(x.Type()) == value.KindText {
		return x, nil
	}
	if Undecided(x) {
		return Coerce(x, value.TypeText)
	}
	return nil, fault.New(
		fault.InvalidArgument,
		"%s needs VARCHAR, but %s is %s; CAST(%s AS VARCHAR) converts it",
		what,
		ShortText(x),
		value.TypeName(x.Type()),
		ShortText(x),
	)
}

// NewLike is x [NOT] LIKE|ILIKE|SIMILAR pattern [ESCAPE escape]; escape may be nil.
func NewLike(kind string, x, pattern, escape Expr, not bool) (Expr, error) {
	l := &Like{Kind: kind, Negated: not}
	var err error
	if l.X, err = text(kind, x); err != nil {
		return nil, err
	}
	if l.Pattern, err = text(kind, pattern); err != nil {
		return nil, err
	}
	if escape != nil {
		if l.Escape, err = text("ESCAPE", escape); err != nil {
			return nil, err
		}
	}
	// A pattern that cannot be compiled is known now.
	if p, ok := l.Pattern.(*Literal); ok && p.Value != nil {
		if _, err := (&compiler{}).like(&Like{Kind: kind, X: NewLiteral("", value.TypeText), Pattern: p,
			Escape: literalOr(l.Escape)}); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// literalOr returns e if it is a literal, else nil.
func literalOr(e Expr) Expr {
	if l, ok := e.(*Literal); ok {
		return l
	}
	return nil
}

// NewRegexMatch is x op pattern; op is one of ~ ~* !~ !~*.
func NewRegexMatch(op string, x, pattern Expr) (Expr, error) {
	x, err := text(op, x)
	if err != nil {
		return nil, err
	}
	if pattern, err = text(op, pattern); err != nil {
		return nil, err
	}
	if p, ok := pattern.(*Literal); ok && p.Value != nil {
		if _, err := match.CompileRegexp(p.Value.(string), false); err != nil {
			return nil, err
		}
	}
	return &RegexMatch{Op: op, X: x, Pattern: pattern}, nil
}

// NewIsNull is x IS [NOT] NULL.
func NewIsNull(x Expr, not bool) Expr {
	return &IsNull{X: x, Negated: not}
}

// NewIsBool is x IS [NOT] TRUE|FALSE|UNKNOWN; want is nil for UNKNOWN.
func NewIsBool(x Expr, want *bool, not bool) (Expr, error) {
	x, err := boolean("IS TRUE, FALSE or UNKNOWN", x)
	if err != nil {
		return nil, err
	}
	return &IsBool{X: x, Want: want, Negated: not}, nil
}

// NewCase is CASE [operand] WHEN … THEN … [ELSE els] END; operand and els may be nil.
func NewCase(operand Expr, whens []CaseWhen, els Expr) (Expr, error) {
	results := make([]Expr, 0, len(whens)+1)
	for _, w := range whens {
		results = append(results, w.Result)
	}
	if els != nil {
		results = append(results, els)
	}
	results, t, err := UnifyExact("CASE", results)
	if err != nil {
		return nil, err
	}
	out := &Case{T: t}
	for i, w := range whens {
		cond := w.Cond
		if operand != nil {
			cond, err = NewCompare("=", operand, cond)
		} else {
			cond, err = boolean("WHEN", cond)
		}
		if err != nil {
			return nil, err
		}
		out.Whens = append(out.Whens, CaseWhen{Cond: cond, Result: results[i]})
	}
	if els != nil {
		out.Else = results[len(results)-1]
	}
	return out, nil
}

// UnifyExact is unify for operands that all become the result: they have to have the very same type.
func UnifyExact(what string, xs []Expr) ([]Expr, arrow.DataType, error) {
	// Operands of one type keep it, whatever it is; NULLs and parameters join them.
	var t arrow.DataType
	open, insist := false, false
	for _, x := range xs {
		insist = insist || !Undecided(x) && decisive(x)
		switch {
		case Undecided(x) || UnknownString(x):
			open = true
		case t == nil:
			t = x.Type()
		case !arrow.TypeEqual(t, x.Type()):
			return Unify(what, xs)
		}
	}
	if t == nil || open && value.PlainType(t) != t {
		return Unify(what, xs)
	}
	out := make([]Expr, len(xs))
	for i, x := range xs {
		var err error
		if out[i], err = coerceBy(insist, x, t); err != nil {
			return nil, nil, err
		}
	}
	return out, t, nil
}

// NewCoalesce is the first of its arguments that is not NULL.
func NewCoalesce(args []Expr) (Expr, error) {
	args, t, err := UnifyExact("coalesce", args)
	if err != nil {
		return nil, err
	}
	if len(args) == 1 {
		return args[0], nil
	}
	return &Coalesce{Args: args, T: t}, nil
}

// NewCast is CAST(x AS to), or TRY_CAST, which yields NULL for values that do not convert.
func NewCast(x Expr, to arrow.DataType, try bool) (Expr, error) {
	if Undecided(x) {
		if p, ok := x.(*Param); ok {
			return WithParamType(p, to), nil
		}
		return Coerce(x, to)
	}
	if arrow.TypeEqual(x.Type(), to) {
		return x, nil
	}
	if !cast.Exists(x.Type(), to) {
		return nil, cast.NoCast(x.Type(), to)
	}
	if l, ok := x.(*Literal); ok {
		c, err := CastLiteral(*l, to)
		if err == nil {
			return &c, nil
		}
		if !try {
			return nil, err // also inside a CASE that would not come here, as in PostgreSQL
		}
		return NewLiteral(nil, to), nil
	}
	return &Cast{X: x, To: to, Try: try}, nil
}

// NewField is access to a member of a struct; the name matches exactly, else if unique in any case.
func NewField(x Expr, name string) (Expr, error) {
	x = Decoded(x)
	t, ok := x.Type().(*arrow.StructType)
	if !ok {
		return nil, fault.New(fault.InvalidArgument, "%s is %s and has no member %q", ShortText(x), value.TypeName(x.Type()), name)
	}
	index, ok := t.FieldIdx(name)
	if !ok {
		index = -1
		var names []string
		for i, f := range t.Fields() {
			names = append(names, f.Name)
			if strings.EqualFold(f.Name, name) {
				if index >= 0 {
					return nil, fault.New(fault.InvalidArgument, "%s has several members %q that differ in case; quote the name", ShortText(x), name)
				}
				index = i
			}
		}
		if index < 0 {
			return nil, fault.New(fault.InvalidArgument, "%s has no member %q%s", ShortText(x), name, DidYouMean(name, names))
		}
	}
	return &Field{X: x, Name: t.Field(index).Name, Index: index, T: t.Field(index).Type}, nil
}

// NewList is ARRAY[items]: a constant if all items are.
func NewList(items []Expr) (Expr, error) {
	args, t, err := UnifyExact("ARRAY", items)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		t = value.TypeInt32
	}
	vals := make([]any, len(args))
	for i, a := range args {
		l, ok := a.(*Literal)
		if !ok {
			return NewCall("list_value", args)
		}
		vals[i] = l.Value
	}
	return NewLiteral(vals, arrow.ListOf(t)), nil
}

// NewNegate is -x.
func NewNegate(x Expr) (Expr, error) {
	x = Decoded(x)
	if Undecided(x) {
		x, _ = GuessType(x, value.TypeFloat64)
	}
	switch value.KindOf(x.Type()) {
	case value.KindInt, value.KindFloat, value.KindDecimal, value.KindInterval:
	case value.KindUint:
		// A negative number needs a signed type.
		w := value.BitWidth(x.Type())
		if w == 64 {
			x = ImplicitCast(x, &arrow.Decimal128Type{Precision: 20})
		} else {
			x = ImplicitCast(x, value.IntType(2*w))
		}
	default:
		return nil, fault.New(fault.InvalidArgument, "- needs a number or an interval, but %s is %s", ShortText(x), value.TypeName(x.Type()))
	}
	if l, ok := x.(*Literal); ok {
		if v, err := ConstValue(&Negate{X: l}, nil); err == nil {
			// 2147483648 is a BIGINT, but its negation is the smallest INTEGER.
			return &v, nil
		}
	}
	return &Negate{X: x}, nil
}

// castAdvice says how to convert x, if that is possible.
func castAdvice(x Expr, to arrow.DataType) string {
	if !cast.Exists(x.Type(), to) {
		return ""
	}
	return "; CAST(" + ShortText(x) + " AS " + value.TypeName(to) + ") converts it"
}

// NewArith is x op y for + - * / % ^ ||, the bits & | # << >>, the distances <-> <=> <#>, and -> ->> of
// JSON text.
func NewArith(op string, x, y Expr) (Expr, error) {
	for name, symbol := range distanceOps {
		if op == symbol {
			return NewCall(name, []Expr{x, y})
		}
	}
	x, y = Decoded(x), Decoded(y)
	switch op {
	case "||":
		return newConcat(x, y)
	case "&", "|", "#", "<<", ">>":
		return newBitwise(op, x, y)
	case "&&":
		return NewCall("list_has_any", []Expr{x, y})
	case "@>":
		return NewCall("arraycontains", []Expr{x, y})
	case "<@":
		return NewCall("arraycontained", []Expr{x, y})
	case "->":
		return NewCall("json_extract", []Expr{x, y})
	case "->>":
		return NewCall("json_extract_string", []Expr{x, y})
	}
	if !strings.Contains("+-*/%^", op) || len(op) != 1 {
		return nil, fault.New(fault.Unsupported, "the operator %s", op)
	}
	x, y, err := decideArith(op, x, y)
	if err != nil {
		return nil, err
	}
	kx, ky := value.KindOf(x.Type()), value.KindOf(y.Type())
	switch {
	case kx == value.KindNull && ky == value.KindNull:
		return NewLiteral(nil, value.TypeInt32), nil
	case kx >= value.KindDate && kx <= value.KindInterval || ky >= value.KindDate && ky <= value.KindInterval:
		return temporalResult(op, x, y)
	case !kx.Numeric() || !ky.Numeric():
		bad := x
		if kx.Numeric() {
			bad = y
		}
		if err := value.NotComputed(bad.Type()); err != nil {
			return nil, err
		}
		return nil, fault.New(
			fault.InvalidArgument,
			"%s needs numbers, but %s is %s%s",
			op,
			ShortText(bad),
			value.TypeName(bad.Type()),
			castAdvice(bad, value.TypeFloat64),
		)
	case op == "^":
		return &Arith{Op: op, X: ImplicitCast(x, value.TypeFloat64), Y: ImplicitCast(y, value.TypeFloat64), T: value.TypeFloat64}, nil
	case kx != value.KindFloat && ky != value.KindFloat && (kx == value.KindDecimal || ky == value.KindDecimal):
		return decimalArith(op, x, y)
	}
	both, t, err := Unify(op, []Expr{x, y})
	if err != nil {
		return nil, err
	}
	if value.KindOf(t) == value.KindDecimal { // UBIGINT with signed integers
		return decimalArith(op, x, y)
	}
	return &Arith{Op: op, X: both[0], Y: both[1], T: t}, nil
}

// decimalArith is x op y for exact numbers that meet as decimals.
func decimalArith(op string, x, y Expr) (Expr, error) {
	tx, ty := asDecimalType(x.Type()), asDecimalType(y.Type())
	if op == "/" {
		tx, ty = literalDigits(x, tx), literalDigits(y, ty)
	}
	t, err := arith.DecimalResult(op, tx, ty)
	if err != nil {
		return nil, err
	}
	return &Arith{Op: op, X: ImplicitCast(x, tx), Y: ImplicitCast(y, ty), T: t}, nil
}

// literalDigits is the type of as many digits as an integer literal has: 2 has one, and not the ten of INTEGER.
func literalDigits(x Expr, t *arrow.Decimal128Type) *arrow.Decimal128Type {
	l, ok := x.(*Literal)
	if !ok {
		return t
	}
	for p := int32(1); p < t.Precision && t.Scale == 0; p++ {
		if c, ok := SameNumber(l, &arrow.Decimal128Type{Precision: p}); ok {
			return c.T.(*arrow.Decimal128Type)
		}
	}
	return t
}

// decideArith gives types to NULLs, undecided parameters and string literals: that of the other side,
// except that next to dates and timestamps an interval, or a number of days, is what makes sense.
func decideArith(op string, x, y Expr) (Expr, Expr, error) {
	open := func(e Expr) bool { return Undecided(e) || UnknownString(e) }
	if open(x) && open(y) {
		if isNull(x) && isNull(y) {
			return x, y, nil
		}
		var err error
		if x, err = GuessType(x, value.TypeFloat64); err != nil {
			return nil, nil, err
		}
		y, err = GuessType(y, value.TypeFloat64)
		return x, y, err
	}
	if open(x) {
		// Only what commutes can have an interval on the left.
		y, x, err := decideOne(op, y, x, op == "+")
		return x, y, err
	}
	if open(y) {
		return decideOne(op, x, y, true)
	}
	return x, y, nil
}

// decideOne gives open the type that goes with x.
func decideOne(op string, x, open Expr, right bool) (Expr, Expr, error) {
	t := x.Type()
	switch k := value.KindOf(t); {
	case k == value.KindDate || k == value.KindTimestamp || k == value.KindTime:
		if l, ok := open.(*Literal); ok && l.Value != nil && right {
			if op == "-" {
				// A text that is a date or a time is one: what lies between the two is wanted.
				if c, err := CastLiteral(*l, t); err == nil {
					return x, &c, nil
				}
			}
			if iv, err := NewInterval(l.Value.(string), ""); err == nil {
				return x, iv, nil
			}
		}
		switch {
		case op == "+" || right && unknownParam(open):
			t = value.TypeInterval
		}
	case k == value.KindInterval && (op == "*" || op == "/"):
		t = value.TypeFloat64
	case !k.Numeric() && k != value.KindInterval:
		return x, open, nil
	}
	// A number may be divided by, and a date moved by, values of several types: a client that binds 2.0
	// does not mean a division of whole numbers.
	c, err := GuessType(open, t)
	return x, c, err
}

// isNull says whether e is the literal NULL.
func isNull(e Expr) bool {
	l, ok := e.(*Literal)
	return ok && l.Value == nil
}

func unknownParam(e Expr) bool {
	_, ok := e.(*Param)
	return ok
}

// newConcat is x || y: strings with anything, binaries, lists with lists and with items.
func newConcat(x, y Expr) (Expr, error) {
	if Undecided(x) && Undecided(y) && !(isNull(x) && isNull(y)) {
		var err error
		if x, err = GuessType(x, value.TypeText); err != nil {
			return nil, err
		}
		if y, err = GuessType(y, value.TypeText); err != nil {
			return nil, err
		}
	}
	kx, ky := value.KindOf(x.Type()), value.KindOf(y.Type())
	switch {
	case kx == value.KindList || ky == value.KindList:
		return newListConcat(x, y)
	case (kx == value.KindBinary || Undecided(x)) && (ky == value.KindBinary || Undecided(y)) &&
		(kx == value.KindBinary || ky == value.KindBinary),
		kx == value.KindBinary && UnknownString(y),
		ky == value.KindBinary && UnknownString(x):
		a, err := Coerce(x, value.TypeBinary)
		if err != nil {
			return nil, err
		}
		b, err := Coerce(y, value.TypeBinary)
		return &Arith{Op: "||", X: a, Y: b, T: value.TypeBinary}, err
	case kx == value.KindBinary || ky == value.KindBinary, kx != value.KindText && ky != value.KindText && !becomesText(x) && !becomesText(y):
		return nil, fault.New(
			fault.InvalidArgument,
			"|| joins strings, binaries or lists, not %s and %s; CAST(… AS VARCHAR) converts one",
			value.TypeName(x.Type()),
			value.TypeName(y.Type()),
		)
	}
	a, err := AsText(x)
	if err != nil {
		return nil, err
	}
	b, err := AsText(y)
	return &Arith{Op: "||", X: a, Y: b, T: value.TypeText}, err
}

// becomesText says whether an operand of || is text for want of another type: a number that is bound to a
// parameter joins another one as text.
func becomesText(x Expr) bool {
	_, isParam := x.(*Param)
	return isParam || Undecided(x)
}

// AsText is the operand as a string, cast if it is something else.
func AsText(x Expr) (Expr, error) {
	x = Decoded(x)
	if value.KindOf(x.Type()) == value.KindText {
		return x, nil
	}
	if Undecided(x) {
		return Coerce(x, value.TypeText)
	}
	if !cast.Exists(x.Type(), value.TypeText) {
		return nil, cast.NoCast(x.Type(), value.TypeText)
	}
	return ImplicitCast(x, value.TypeText), nil
}

func newListConcat(x, y Expr) (Expr, error) {
	kx, ky := value.KindOf(x.Type()), value.KindOf(y.Type())
	one := func(e Expr) (Expr, error) { return NewList([]Expr{e}) }
	var err error
	if kx != value.KindList && !Undecided(x) {
		x, err = one(x)
	}
	if err == nil && ky != value.KindList && !Undecided(y) {
		y, err = one(y)
	}
	if err != nil {
		return nil, err
	}
	both, t, err := Unify("||", []Expr{x, y})
	if err != nil {
		return nil, err
	}
	t = arrow.ListOf(value.ElemOf(t))
	return &Arith{Op: "||", X: ImplicitCast(both[0], t), Y: ImplicitCast(both[1], t), T: t}, nil
}

func newBitwise(op string, x, y Expr) (Expr, error) {
	both, t, err := Unify(op, []Expr{x, y})
	if err != nil {
		return nil, err
	}
	if t.ID() == arrow.NULL {
		t = value.TypeInt64
		for i := range both {
			if both[i], err = GuessType(both[i], t); err != nil {
				return nil, err
			}
		}
	}
	for _, e := range both {
		if !value.KindOf(e.Type()).Integer() {
			return nil, fault.New(fault.InvalidArgument, "%s needs integers, but %s is %s", op, ShortText(e), value.TypeName(e.Type()))
		}
	}
	if (op == "<<" || op == ">>") && value.KindOf(x.Type()).Integer() {
		// The type of what is shifted, whatever that of the distance.
		t = x.Type()
		both = []Expr{x, ImplicitCast(both[1], t)}
	}
	return &Arith{Op: op, X: both[0], Y: both[1], T: t}, nil
}

// temporalResult decides x op y where one side is a date, time, timestamp or interval, and converts the
// operands to what temporalKernel expects.
func temporalResult(op string, x, y Expr) (Expr, error) {
	kx, ky := value.KindOf(x.Type()), value.KindOf(y.Type())
	arith := func(x, y Expr, t arrow.DataType) (Expr, error) { return &Arith{Op: op, X: x, Y: y, T: t}, nil }
	switch {
	case kx == value.KindDate && ky == value.KindDate && op == "-":
		return arith(x, y, value.TypeInt64)
	case kx == value.KindDate && ky.Integer() && (op == "+" || op == "-"):
		return arith(x, ImplicitCast(y, value.TypeInt64), value.TypeDate)
	case kx.Integer() && ky == value.KindDate && op == "+":
		return arith(y, ImplicitCast(x, value.TypeInt64), value.TypeDate)
	case kx == value.KindDate && ky == value.KindInterval && (op == "+" || op == "-"):
		return arith(ImplicitCast(x, value.TypeTimestamp), y, value.TypeTimestamp)
	case kx == value.KindDate && ky == value.KindTime && op == "+":
		return arith(ImplicitCast(x, value.TypeTimestamp), ImplicitCast(y, value.TypeInterval), value.TypeTimestamp)
	case kx == value.KindTimestamp && ky == value.KindInterval && (op == "+" || op == "-"):
		t := x.Type().(*arrow.TimestampType)
		if t.Unit < arrow.Microsecond { // an interval may have parts of a second
			t = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: t.TimeZone}
		}
		return arith(ImplicitCast(x, t), y, t)
	case kx == value.KindInterval && (ky == value.KindDate || ky == value.KindTimestamp || ky == value.KindTime) && op == "+":
		return temporalResult(op, y, x)
	case kx == value.KindTime && ky == value.KindDate && op == "+":
		return temporalResult(op, y, x)
	case kx == value.KindTime && ky == value.KindInterval && (op == "+" || op == "-"):
		t := &arrow.Time64Type{Unit: max(value.TimeUnit(x.Type()), arrow.Microsecond)}
		return arith(ImplicitCast(x, t), y, t)
	case (kx == value.KindTimestamp || kx == value.KindDate) && (ky == value.KindTimestamp || ky == value.KindDate) && op == "-",
		kx == value.KindTime && ky == value.KindTime && op == "-":
		both, _, err := Unify(op, []Expr{x, y})
		if err != nil {
			return nil, err
		}
		return arith(both[0], both[1], value.TypeInterval)
	case kx == value.KindInterval && ky == value.KindInterval && (op == "+" || op == "-"):
		return arith(x, y, value.TypeInterval)
	case kx == value.KindInterval && ky.Numeric() && (op == "*" || op == "/"):
		return arith(x, ImplicitCast(y, value.TypeFloat64), value.TypeInterval)
	case kx.Numeric() && ky == value.KindInterval && op == "*":
		return arith(y, ImplicitCast(x, value.TypeFloat64), value.TypeInterval)
	}
	return nil, fault.New(
		fault.InvalidArgument,
		"there is no %s %s %s; dates and timestamps take + and - with INTERVAL '1 day', and dates with whole days",
		value.TypeName(x.Type()),
		op,
		value.TypeName(y.Type()),
	)
}
