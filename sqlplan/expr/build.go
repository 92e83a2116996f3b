package expr

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// Constructors. Each checks the types of its operands, converts what converts silently, and otherwise
// fails with fault.InvalidArgument, without a position: the binder knows that.

// boolean converts an operand of a logical operator.
func boolean(what string, x Expr) (Expr, error) {
	x = decoded(x)
	if x.Type().ID() == arrow.BOOL {
		return x, nil
	}
	if undecided(x) || unknownString(x) {
		return Coerce(x, tBool)
	}
	advice := ""
	if kindOf(x.Type()).numeric() {
		advice = "; write " + shortText(x) + " != 0"
	}
	return nil, fault.New(fault.InvalidArgument, "%s needs BOOLEAN, but %s is %s%s", what, shortText(x), TypeName(x.Type()), advice)
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
		return NewLiteral(op == "AND", tBool), nil
	case 1:
		return args[0], nil
	}
	return &Logic{Op: op, Args: args}, nil
}

// NewCompare is x op y; op is one of = != <> < <= > >=, IS DISTINCT FROM, IS NOT DISTINCT FROM.
func NewCompare(op string, x, y Expr) (Expr, error) {
	if _, ok := cmpOps[op]; !ok {
		return nil, fault.New(fault.Internal, "unknown comparison %q", op)
	}
	if op == "<>" {
		op = "!="
	}
	x, y, err := comparable(op, x, y)
	if err != nil {
		return nil, err
	}
	switch k := kindOf(x.Type()); k {
	case kOther:
		return nil, fault.New(fault.Unsupported, "comparing values of type %s", TypeName(x.Type()))
	}
	return &Compare{Op: op, X: x, Y: y}, nil
}

// comparable converts two operands to a type at which they compare. A number literal next to a column
// takes the column's type if that holds it exactly, so that the column is compared as it lies.
func comparable(what string, x, y Expr) (Expr, Expr, error) {
	x, y = decoded(x), decoded(y)
	if a, b, ok := adaptLiteral(x, y); ok {
		return a, b, nil
	}
	if b, a, ok := adaptLiteral(y, x); ok {
		return a, b, nil
	}
	if kx, ky := kindOf(x.Type()), kindOf(y.Type()); kx == ky && (kx == kText || kx == kBinary) {
		return x, y, nil // layouts of strings mix
	}
	both, _, err := unify(what, []Expr{x, y})
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
	kx, ky := kindOf(x.Type()), kindOf(l.T)
	if !kx.numeric() || !ky.numeric() {
		return nil, nil, false
	}
	if kx != kFloat || ky == kFloat {
		if c, ok := sameNumber(l, x.Type()); ok {
			return x, c, true
		}
	}
	if kx.integer() && ky == kDecimal && bitWidth(x.Type()) < 64 {
		// A fraction next to a small integer: DOUBLE holds both exactly enough, and compares fast.
		if c, err := CastLiteral(*l, tFloat64); err == nil {
			return implicitCast(x, tFloat64), &c, true
		}
	}
	return nil, nil, false
}

// NewBetween is x [NOT] BETWEEN lo AND hi.
func NewBetween(x, lo, hi Expr, not bool) (Expr, error) {
	x1, lo, err := comparable("BETWEEN", x, lo)
	if err != nil {
		return nil, err
	}
	x2, hi, err := comparable("BETWEEN", x, hi)
	if err != nil {
		return nil, err
	}
	if cheap(x1) {
		if not {
			return &Logic{Op: "OR", Args: []Expr{&Compare{Op: "<", X: x1, Y: lo}, &Compare{Op: ">", X: x2, Y: hi}}}, nil
		}
		return &Logic{Op: "AND", Args: []Expr{&Compare{Op: ">=", X: x1, Y: lo}, &Compare{Op: "<=", X: x2, Y: hi}}}, nil
	}
	all, _, err := unify("BETWEEN", []Expr{x1, lo, hi})
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
		return NewLiteral(not, tBool), nil
	}
	x = decoded(x)
	items := make([]Expr, 0, len(list))
	adapted := true
	for _, it := range list {
		l, isLiteral := it.(*Literal)
		switch {
		case isLiteral && kindOf(x.Type()).integer() && kindOf(plain(l.T)).numeric() && l.Value != nil:
			c, ok := sameNumber(l, x.Type())
			if !ok {
				if kindOf(plain(l.T)).integer() {
					continue // out of x's range: never equal
				}
				adapted = false
			}
			items = append(items, c)
		case undecided(it) || unknownString(it) || arrow.TypeEqual(plain(it.Type()), x.Type()):
			items = append(items, it)
		default:
			adapted = false
		}
	}
	if _, isLiteral := x.(*Literal); !adapted || undecided(x) || isLiteral {
		all, _, err := unify("IN", append([]Expr{x}, list...))
		if err != nil {
			return nil, err
		}
		x, items = all[0], all[1:]
	} else {
		for i, it := range items {
			c, err := Coerce(decoded(it), x.Type())
			if err != nil {
				return nil, err
			}
			items[i] = c
		}
	}
	return splitIn(x, items, not)
}

// splitIn looks constants up in a set and compares with the others one by one.
func splitIn(x Expr, items []Expr, not bool) (Expr, error) {
	var set, rest []Expr
	hashable := false
	switch k := kindOf(x.Type()); k {
	case kBool, kInt, kUint, kFloat, kDecimal, kText, kBinary, kDate, kTime, kTimestamp:
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
	op, join := "=", NewOr
	if not {
		op, join = "!=", NewAnd
	}
	var parts []Expr
	if len(set) > 0 || len(items) == 0 {
		parts = append(parts, &In{X: x, List: set, Negated: not})
	}
	for _, it := range rest {
		c, err := NewCompare(op, x, it)
		if err != nil {
			return nil, err
		}
		parts = append(parts, c)
	}
	return join(parts...)
}

// text converts an operand that has to be a string.
func text(what string, x Expr) (Expr, error) {
	x = decoded(x)
	if kindOf(x.Type()) == kText {
		return x, nil
	}
	if undecided(x) {
		return Coerce(x, tText)
	}
	return nil, fault.New(fault.InvalidArgument, "%s needs VARCHAR, but %s is %s; CAST(%s AS VARCHAR) converts it", what, shortText(x), TypeName(x.Type()), shortText(x))
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
		if _, err := (&compiler{}).like(&Like{Kind: kind, X: NewLiteral("", tText), Pattern: p, Escape: literalOr(l.Escape)}); err != nil {
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
		if _, err := compileRegexp(p.Value.(string), false); err != nil {
			return nil, err
		}
	}
	return &RegexMatch{Op: op, X: x, Pattern: pattern}, nil
}

// NewIsNull is x IS [NOT] NULL.
func NewIsNull(x Expr, not bool) Expr {
	if p, ok := x.(*Param); ok {
		x = WithParamType(p, tText)
	}
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
	results, t, err := unifyExact("CASE", results)
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

// unifyExact is unify for operands that all become the result: they have to have the very same type.
func unifyExact(what string, xs []Expr) ([]Expr, arrow.DataType, error) {
	// Operands of one type keep it, whatever it is; NULLs and parameters join them.
	var t arrow.DataType
	open := false
	for _, x := range xs {
		switch {
		case undecided(x) || unknownString(x):
			open = true
		case t == nil:
			t = x.Type()
		case !arrow.TypeEqual(t, x.Type()):
			return unify(what, xs)
		}
	}
	if t == nil || open && plain(t) != t {
		return unify(what, xs)
	}
	out := make([]Expr, len(xs))
	for i, x := range xs {
		var err error
		if out[i], err = Coerce(x, t); err != nil {
			return nil, nil, err
		}
	}
	return out, t, nil
}

func newCoalesce(args []Expr) (Expr, error) {
	args, t, err := unifyExact("coalesce", args)
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
	if undecided(x) {
		if p, ok := x.(*Param); ok {
			return WithParamType(p, to), nil
		}
		return Coerce(x, to)
	}
	if arrow.TypeEqual(x.Type(), to) {
		return x, nil
	}
	if !canCast(x.Type(), to) {
		return nil, noCast(x.Type(), to)
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
	x = decoded(x)
	t, ok := x.Type().(*arrow.StructType)
	if !ok {
		return nil, fault.New(fault.InvalidArgument, "%s is %s and has no member %q", shortText(x), TypeName(x.Type()), name)
	}
	index, ok := t.FieldIdx(name)
	if !ok {
		index = -1
		var names []string
		for i, f := range t.Fields() {
			names = append(names, f.Name)
			if strings.EqualFold(f.Name, name) {
				if index >= 0 {
					return nil, fault.New(fault.InvalidArgument, "%s has several members %q that differ in case; quote the name", shortText(x), name)
				}
				index = i
			}
		}
		if index < 0 {
			return nil, fault.New(fault.InvalidArgument, "%s has no member %q%s", shortText(x), name, didYouMean(name, names))
		}
	}
	return &Field{X: x, Name: t.Field(index).Name, Index: index, T: t.Field(index).Type}, nil
}

// NewList is ARRAY[items]: a constant if all items are.
func NewList(items []Expr) (Expr, error) {
	args, t, err := unifyExact("ARRAY", items)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		t = tInt32
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
	x = decoded(x)
	if undecided(x) {
		x, _ = Coerce(x, tFloat64)
	}
	switch kindOf(x.Type()) {
	case kInt, kFloat, kDecimal, kInterval:
	case kUint:
		// A negative number needs a signed type.
		w := bitWidth(x.Type())
		if w == 64 {
			x = implicitCast(x, &arrow.Decimal128Type{Precision: 20})
		} else {
			x = implicitCast(x, intType(2*w))
		}
	default:
		return nil, fault.New(fault.InvalidArgument, "- needs a number or an interval, but %s is %s", shortText(x), TypeName(x.Type()))
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
	if !canCast(x.Type(), to) {
		return ""
	}
	return "; CAST(" + shortText(x) + " AS " + TypeName(to) + ") converts it"
}

// NewArith is x op y for + - * / % ^ ||, the bits & | # << >>, the distances <-> <=> <#>, and -> ->> of
// JSON text.
func NewArith(op string, x, y Expr) (Expr, error) {
	for name, symbol := range distanceOps {
		if op == symbol {
			return NewCall(name, []Expr{x, y})
		}
	}
	x, y = decoded(x), decoded(y)
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
	kx, ky := kindOf(x.Type()), kindOf(y.Type())
	switch {
	case kx == kNull && ky == kNull:
		return NewLiteral(nil, tInt32), nil
	case kx >= kDate && kx <= kInterval || ky >= kDate && ky <= kInterval:
		return temporalResult(op, x, y)
	case !kx.numeric() || !ky.numeric():
		bad := x
		if kx.numeric() {
			bad = y
		}
		if err := beyond(bad.Type()); err != nil {
			return nil, err
		}
		return nil, fault.New(fault.InvalidArgument, "%s needs numbers, but %s is %s%s", op, shortText(bad), TypeName(bad.Type()), castAdvice(bad, tFloat64))
	case op == "^":
		return &Arith{Op: op, X: implicitCast(x, tFloat64), Y: implicitCast(y, tFloat64), T: tFloat64}, nil
	case kx != kFloat && ky != kFloat && (kx == kDecimal || ky == kDecimal):
		tx, ty := asDecimalType(x.Type()), asDecimalType(y.Type())
		return &Arith{Op: op, X: implicitCast(x, tx), Y: implicitCast(y, ty), T: decimalResult(op, tx, ty)}, nil
	}
	both, t, err := unify(op, []Expr{x, y})
	if err != nil {
		return nil, err
	}
	if d, ok := t.(*arrow.Decimal128Type); ok { // UBIGINT with signed integers
		t = decimalResult(op, d, d)
	}
	return &Arith{Op: op, X: both[0], Y: both[1], T: t}, nil
}

// decideArith gives types to NULLs, undecided parameters and string literals: that of the other side,
// except that next to dates and timestamps an interval, or a number of days, is what makes sense.
func decideArith(op string, x, y Expr) (Expr, Expr, error) {
	open := func(e Expr) bool { return undecided(e) || unknownString(e) }
	if open(x) && open(y) {
		_, px := x.(*Param)
		_, py := y.(*Param)
		if px || py || unknownString(x) || unknownString(y) {
			var err error
			if x, err = Coerce(x, tFloat64); err != nil {
				return nil, nil, err
			}
			y, err = Coerce(y, tFloat64)
			return x, y, err
		}
		return x, y, nil
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
	switch k := kindOf(t); {
	case k == kDate || k == kTimestamp || k == kTime:
		if l, ok := open.(*Literal); ok && l.Value != nil && right {
			if iv, err := NewInterval(l.Value.(string), ""); err == nil {
				return x, iv, nil
			}
		}
		switch {
		case op == "+" || right && unknownParam(open):
			t = tInterval
		}
	case k == kInterval && (op == "*" || op == "/"):
		t = tFloat64
	case !k.numeric() && k != kInterval:
		return x, open, nil
	}
	c, err := Coerce(open, t)
	return x, c, err
}

func unknownParam(e Expr) bool {
	_, ok := e.(*Param)
	return ok
}

// newConcat is x || y: strings with anything, binaries, lists with lists and with items.
func newConcat(x, y Expr) (Expr, error) {
	kx, ky := kindOf(x.Type()), kindOf(y.Type())
	switch {
	case kx == kList || ky == kList:
		return newListConcat(x, y)
	case (kx == kBinary || undecided(x)) && (ky == kBinary || undecided(y)) && (kx == kBinary || ky == kBinary),
		kx == kBinary && unknownString(y), ky == kBinary && unknownString(x):
		a, err := Coerce(x, tBinary)
		if err != nil {
			return nil, err
		}
		b, err := Coerce(y, tBinary)
		return &Arith{Op: "||", X: a, Y: b, T: tBinary}, err
	case kx == kBinary || ky == kBinary || kx != kText && ky != kText && !undecided(x) && !undecided(y):
		return nil, fault.New(fault.InvalidArgument, "|| joins strings, binaries or lists, not %s and %s; CAST(… AS VARCHAR) converts one", TypeName(x.Type()), TypeName(y.Type()))
	}
	a, err := asText(x)
	if err != nil {
		return nil, err
	}
	b, err := asText(y)
	return &Arith{Op: "||", X: a, Y: b, T: tText}, err
}

// asText is the operand as a string, cast if it is something else.
func asText(x Expr) (Expr, error) {
	x = decoded(x)
	if kindOf(x.Type()) == kText {
		return x, nil
	}
	if undecided(x) {
		return Coerce(x, tText)
	}
	if !canCast(x.Type(), tText) {
		return nil, noCast(x.Type(), tText)
	}
	return implicitCast(x, tText), nil
}

func newListConcat(x, y Expr) (Expr, error) {
	kx, ky := kindOf(x.Type()), kindOf(y.Type())
	one := func(e Expr) (Expr, error) { return NewList([]Expr{e}) }
	var err error
	if kx != kList && !undecided(x) {
		x, err = one(x)
	}
	if err == nil && ky != kList && !undecided(y) {
		y, err = one(y)
	}
	if err != nil {
		return nil, err
	}
	both, t, err := unify("||", []Expr{x, y})
	if err != nil {
		return nil, err
	}
	t = arrow.ListOf(elemOf(t))
	return &Arith{Op: "||", X: implicitCast(both[0], t), Y: implicitCast(both[1], t), T: t}, nil
}

func newBitwise(op string, x, y Expr) (Expr, error) {
	both, t, err := unify(op, []Expr{x, y})
	if err != nil {
		return nil, err
	}
	for _, e := range both {
		if !kindOf(e.Type()).integer() {
			return nil, fault.New(fault.InvalidArgument, "%s needs integers, but %s is %s", op, shortText(e), TypeName(e.Type()))
		}
	}
	if (op == "<<" || op == ">>") && kindOf(x.Type()).integer() {
		// The type of what is shifted, whatever that of the distance.
		t = x.Type()
		both = []Expr{x, implicitCast(both[1], t)}
	}
	return &Arith{Op: op, X: both[0], Y: both[1], T: t}, nil
}

// temporalResult decides x op y where one side is a date, time, timestamp or interval, and converts the
// operands to what temporalKernel expects.
func temporalResult(op string, x, y Expr) (Expr, error) {
	kx, ky := kindOf(x.Type()), kindOf(y.Type())
	arith := func(x, y Expr, t arrow.DataType) (Expr, error) { return &Arith{Op: op, X: x, Y: y, T: t}, nil }
	switch {
	case kx == kDate && ky == kDate && op == "-":
		return arith(x, y, tInt64)
	case kx == kDate && ky.integer() && (op == "+" || op == "-"):
		return arith(x, implicitCast(y, tInt64), tDate)
	case kx.integer() && ky == kDate && op == "+":
		return arith(y, implicitCast(x, tInt64), tDate)
	case kx == kDate && ky == kInterval && (op == "+" || op == "-"):
		return arith(implicitCast(x, tTimestamp), y, tTimestamp)
	case kx == kDate && ky == kTime && op == "+":
		return arith(implicitCast(x, tTimestamp), implicitCast(y, tInterval), tTimestamp)
	case kx == kTimestamp && ky == kInterval && (op == "+" || op == "-"):
		t := x.Type().(*arrow.TimestampType)
		if t.Unit < arrow.Microsecond { // an interval may have parts of a second
			t = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: t.TimeZone}
		}
		return arith(implicitCast(x, t), y, t)
	case kx == kInterval && (ky == kDate || ky == kTimestamp || ky == kTime) && op == "+":
		return temporalResult(op, y, x)
	case kx == kTime && ky == kDate && op == "+":
		return temporalResult(op, y, x)
	case kx == kTime && ky == kInterval && (op == "+" || op == "-"):
		t := &arrow.Time64Type{Unit: max(timeUnit(x.Type()), arrow.Microsecond)}
		return arith(implicitCast(x, t), y, t)
	case (kx == kTimestamp || kx == kDate) && (ky == kTimestamp || ky == kDate) && op == "-",
		kx == kTime && ky == kTime && op == "-":
		both, _, err := unify(op, []Expr{x, y})
		if err != nil {
			return nil, err
		}
		return arith(both[0], both[1], tInterval)
	case kx == kInterval && ky == kInterval && (op == "+" || op == "-"):
		return arith(x, y, tInterval)
	case kx == kInterval && ky.numeric() && (op == "*" || op == "/"):
		return arith(x, implicitCast(y, tFloat64), tInterval)
	case kx.numeric() && ky == kInterval && op == "*":
		return arith(y, implicitCast(x, tFloat64), tInterval)
	}
	return nil, fault.New(fault.InvalidArgument, "there is no %s %s %s; dates and timestamps take + and - with INTERVAL '1 day', and dates with whole days", TypeName(x.Type()), op, TypeName(y.Type()))
}
