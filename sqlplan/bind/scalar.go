package bind

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/expr"
	_ "lanceflight/sqlplan/expr/fn" // the functions that a call is bound to
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/settings"
)

// exprCtx is where an expression stands: what its names mean and what it may contain.
type exprCtx struct {
	scope *scope
	// aliases are the output columns of the block, for names that no input column has; nil where
	// they are not visible. An expression that is being bound is not visible to itself.
	aliases *aliasSet
	// aggs collects aggregate calls; nil where none may stand, and then clause says where that is.
	aggs   *aggSet
	clause string
}

// with returns the context for another clause of the same block.
func (c exprCtx) in(clause string) exprCtx {
	c.clause, c.aggs = clause, nil
	return c
}

// place gives an error from a constructor of package expr the position of what is being bound.
func place(err error, pos parse.Pos) error {
	if err == nil {
		return nil
	}
	var e *fault.Error
	if errors.As(err, &e) && e.SQL != "" {
		return err // has a place already
	}
	return fault.At(fault.KindOf(err), int(pos), "%s", strings.TrimPrefix(err.Error(), "not supported: "))
}

// expr binds an expression.
func (b *binder) expr(e parse.Expr, c exprCtx) (expr.Expr, error) {
	bound, err := b.bindExpr(e, c)
	if err != nil {
		return nil, place(err, e.Position())
	}
	return bound, nil
}

func (b *binder) exprs(list []parse.Expr, c exprCtx) ([]expr.Expr, error) {
	out := make([]expr.Expr, len(list))
	for i, e := range list {
		var err error
		if out[i], err = b.expr(e, c); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// optional binds an expression that may be absent.
func (b *binder) optional(e parse.Expr, c exprCtx) (expr.Expr, error) {
	if e == nil {
		return nil, nil
	}
	return b.expr(e, c)
}

// condition binds a boolean expression.
func (b *binder) condition(e parse.Expr, c exprCtx) (expr.Expr, error) {
	x, err := b.expr(e, c)
	if err != nil {
		return nil, err
	}
	if x.Type().ID() == arrow.BOOL {
		return x, nil
	}
	if id := x.Type().ID(); id == arrow.NULL {
		x, err = expr.Coerce(x, arrow.FixedWidthTypes.Boolean)
		return x, place(err, e.Position())
	}
	if expr.UnknownString(x) {
		x, err = expr.Coerce(x, arrow.FixedWidthTypes.Boolean)
		return x, place(err, e.Position())
	}
	return nil, invalid(e.Position(), "%s needs a condition, got %s", c.clause, expr.TypeName(x.Type()))
}

func (b *binder) bindExpr(e parse.Expr, c exprCtx) (expr.Expr, error) {
	switch e := e.(type) {
	case *parse.Column:
		return b.column(e, c)
	case *parse.Number:
		return expr.NewNumber(e.Text)
	case *parse.String:
		return expr.NewLiteral(e.Value, arrow.BinaryTypes.String), nil
	case *parse.Bytes:
		return expr.NewLiteral(e.Value, arrow.BinaryTypes.Binary), nil
	case *parse.Bool:
		return expr.NewLiteral(e.Value, arrow.FixedWidthTypes.Boolean), nil
	case *parse.Null:
		return expr.NewLiteral(nil, arrow.Null), nil
	case *parse.TypedString:
		return typedString(e)
	case *parse.Vector:
		return vectorLiteral(e), nil
	case *parse.Array:
		items, err := b.exprs(e.Items, c)
		if err != nil {
			return nil, err
		}
		return expr.NewList(items)
	case *parse.Param:
		return b.param(e)
	case *parse.Unary:
		return b.unary(e, c)
	case *parse.Binary:
		return b.binary(e, c)
	case *parse.IsNull:
		x, err := b.expr(e.X, c)
		if err != nil {
			return nil, err
		}
		return expr.NewIsNull(x, e.Not), nil
	case *parse.IsBool:
		x, err := b.expr(e.X, c)
		if err != nil {
			return nil, err
		}
		return expr.NewIsBool(x, e.Value, e.Not)
	case *parse.IsDistinct:
		xs, err := b.exprs([]parse.Expr{e.X, e.Y}, c)
		if err != nil {
			return nil, err
		}
		op := "IS DISTINCT FROM"
		if e.Not {
			op = "IS NOT DISTINCT FROM"
		}
		return expr.NewCompare(op, xs[0], xs[1])
	case *parse.Between:
		return b.between(e, c)
	case *parse.In:
		return b.in(e, c)
	case *parse.Like:
		return b.like(e, c)
	case *parse.Quantified:
		return b.quantified(e, c)
	case *parse.Exists:
		return b.exists(e, c)
	case *parse.Subquery:
		return b.subquery(e, c)
	case *parse.Tuple:
		return nil, unsupported(e.Pos, "a row of values here; compare the values one by one")
	case *parse.Case:
		return b.caseExpr(e, c)
	case *parse.Cast:
		return b.cast(e, c)
	case *parse.Call:
		return b.call(e, c)
	case *parse.Index:
		return b.index(e, c)
	case *parse.FieldAccess:
		x, err := b.expr(e.X, c)
		if err != nil {
			return nil, err
		}
		return field(x, e.Name)
	case *parse.AtTimeZone:
		xs, err := b.exprs([]parse.Expr{e.Zone, e.X}, c)
		if err != nil {
			return nil, err
		}
		return expr.NewCall("timezone", xs)
	}
	return nil, fault.New(fault.Internal, "expression %T has no binding", e)
}

// column resolves a name: input columns first, then aliases of the SELECT list, then the functions
// that SQL writes without parentheses.
func (b *binder) column(e *parse.Column, c exprCtx) (expr.Expr, error) {
	if c.scope != nil {
		col, rest, ok, err := c.scope.resolve(e.Parts)
		if err != nil {
			return nil, err
		}
		if ok {
			b.colPos[col.ID] = e.Parts[0].Pos
			x := plan.Ref(col)
			for _, f := range rest {
				if x, err = field(x, f); err != nil {
					return nil, err
				}
			}
			return x, nil
		}
	}
	if len(e.Parts) == 1 && c.aliases != nil {
		if x, ok, err := b.alias(e.Parts[0], c); ok || err != nil {
			return x, err
		}
	}
	if len(e.Parts) == 1 && !e.Parts[0].Quoted {
		if x, ok := b.sessionFunction(strings.ToLower(e.Parts[0].Name)); ok {
			return x, nil
		}
	}
	for s := c.scope; s != nil && s.parent != nil; {
		allowed := s == c.scope && s.correlates
		s = s.parent
		col, rest, ok, err := s.resolve(e.Parts)
		if s.lateral != nil && err != nil {
			return nil, err
		}
		if s.lateral != nil && ok {
			return b.outerColumn(s, e, col, rest)
		}
		if ok {
			if allowed && len(rest) == 0 {
				b.colPos[col.ID] = e.Parts[0].Pos
				return plan.Ref(col), nil
			}
			return nil, unsupported(e.Parts[0].Pos, "correlated subqueries: column %q belongs to the query around this one",
				e.Parts[len(e.Parts)-1].Name)
		}
	}
	s := c.scope
	if s == nil {
		s = &scope{}
	}
	return nil, s.notFound(e.Parts, c.aliases.names())
}

func field(x expr.Expr, name parse.Ident) (expr.Expr, error) {
	t, ok := x.Type().(*arrow.StructType)
	if !ok {
		return nil, invalid(name.Pos, "%s is %s, which has no field %q", x.String(), expr.TypeName(x.Type()), name.Name)
	}
	var folded []string
	names := make([]string, t.NumFields())
	for i := range names {
		names[i] = t.Field(i).Name
		switch matchIdent(name, names[i]) {
		case exactMatch:
			f, err := expr.NewField(x, names[i])
			return f, place(err, name.Pos)
		case foldMatch:
			folded = append(folded, names[i])
		}
	}
	switch len(folded) {
	case 1:
		f, err := expr.NewField(x, folded[0])
		return f, place(err, name.Pos)
	case 0:
		return nil, invalid(name.Pos, "%s has no field %q%s", x.String(), name.Name, catalog.Hint(name.Name, names, "fields"))
	}
	return nil, invalid(name.Pos, "field name %q is ambiguous: it matches %s", name.Name, strings.Join(folded, " and "))
}

func typedString(e *parse.TypedString) (expr.Expr, error) {
	if e.Type == "INTERVAL" {
		return expr.NewInterval(e.Value, e.Unit)
	}
	name, tz := e.Type, false
	if s, ok := strings.CutSuffix(name, "TZ"); ok {
		name, tz = s, true
	}
	t, err := expr.ParseType(name, e.Args, nil, tz)
	if err != nil {
		return nil, err
	}
	if p, ok := precisionOf(name, e.Args, nil); ok {
		x, err := precise(expr.NewLiteral(e.Value, arrow.BinaryTypes.String), t, p, false)
		if err != nil {
			return nil, err
		}
		l, err := expr.ConstValue(x, nil)
		return &l, err
	}
	l, err := expr.CastLiteral(expr.Literal{Value: e.Value, T: arrow.BinaryTypes.String}, t)
	if err != nil {
		return nil, err
	}
	return &l, nil
}

// vectorLiteral is a list of plain numbers where no vector is expected: BIGINT[] or DOUBLE[].
func vectorLiteral(e *parse.Vector) expr.Expr {
	items := make([]any, len(e.Values))
	for i, v := range e.Values {
		if e.Ints {
			items[i] = int64(v)
		} else {
			items[i] = v
		}
	}
	if e.Ints {
		return expr.NewLiteral(items, arrow.ListOf(arrow.PrimitiveTypes.Int64))
	}
	return expr.NewLiteral(items, arrow.ListOf(arrow.PrimitiveTypes.Float64))
}

// maxParam bounds parameter numbers: a statement with $99999999 is a mistake, not a request for that
// many values.
const maxParam = 65535

func (b *binder) param(e *parse.Param) (expr.Expr, error) {
	if e.Number < 1 || e.Number > maxParam {
		return nil, invalid(e.Pos, "parameters are numbered from 1 to %d, got %d", maxParam, e.Number)
	}
	b.params = max(b.params, e.Number)
	b.paramPos[e.Number-1] = e.Pos
	var t arrow.DataType = arrow.Null
	if i := e.Number - 1; i < len(b.paramTypes) && b.paramTypes[i] != nil {
		t = b.paramTypes[i]
	}
	b.undecided = b.undecided || t.ID() == arrow.NULL
	return &expr.Param{Slot: e.Number - 1, T: t}, nil
}

func (b *binder) unary(e *parse.Unary, c exprCtx) (expr.Expr, error) {
	switch e.Op {
	case "NOT":
		x, err := b.condition(e.X, exprCtx{scope: c.scope, aliases: c.aliases, aggs: c.aggs, clause: "NOT"})
		if err != nil {
			return nil, err
		}
		return expr.NewNot(x)
	case "-":
		// -9223372036854775808 is a BIGINT though 9223372036854775808 is not.
		if n, ok := e.X.(*parse.Number); ok && n.Text == "9223372036854775808" {
			return expr.NewLiteral(int64(-1<<63), arrow.PrimitiveTypes.Int64), nil
		} else if ok && n.Text == "2147483648" {
			return expr.NewLiteral(int64(-1<<31), arrow.PrimitiveTypes.Int32), nil
		} else if u, ok := e.X.(*parse.Unary); ok && u.Op == "-" {
			if n, ok := u.X.(*parse.Number); ok {
				return expr.NewNumber(n.Text) // of two signs nothing is left
			}
		}
		x, err := b.expr(e.X, c)
		if err != nil {
			return nil, err
		}
		x, err = expr.NewNegate(x)
		if err != nil {
			return nil, place(err, e.Pos)
		}
		return foldSign(x), nil
	case "+":
		return b.expr(e.X, c)
	case "~":
		x, err := b.expr(e.X, c)
		if err != nil {
			return nil, err
		}
		x, err = expr.NewCall("bit_not", []expr.Expr{x})
		return x, place(err, e.Pos)
	}
	return nil, unsupported(e.Pos, "operator %s", e.Op)
}

// foldSign turns minus and a number into a negative number, which comparisons then take for a literal.
func foldSign(x expr.Expr) expr.Expr {
	if n, ok := x.(*expr.Negate); ok {
		if _, ok := n.X.(*expr.Literal); ok {
			if f, err := expr.Fold(x); err == nil {
				return f
			}
		}
	}
	return x
}

func (b *binder) binary(e *parse.Binary, c exprCtx) (expr.Expr, error) {
	switch e.Op {
	case "AND", "OR":
		return b.logic(e, c)
	case "<->", "<=>", "<#>":
		return b.distance(plan.DistanceOps[e.Op], []parse.Expr{e.X, e.Y}, c, e.Pos)
	}
	if e.Op == "=" || e.Op == "!=" {
		if x, ok := e.X.(*parse.Tuple); ok {
			if y, ok := e.Y.(*parse.Tuple); ok {
				return b.compareTuples(e.Op, x, y, c)
			}
		}
	}
	xs, err := b.exprs([]parse.Expr{e.X, e.Y}, c)
	if err != nil {
		return nil, err
	}
	x, err := newBinary(e.Op, xs[0], xs[1])
	return x, place(err, e.Pos)
}

func newBinary(op string, x, y expr.Expr) (expr.Expr, error) {
	switch op {
	case "=", "!=", "<", "<=", ">", ">=":
		return expr.NewCompare(op, x, y)
	case "+", "-", "*", "/", "%", "^", "||", "&", "|", "<<", ">>", "->", "->>", "&&", "@>", "<@":
		return expr.NewArith(op, x, y)
	case "~", "~*", "!~", "!~*":
		return expr.NewRegexMatch(op, x, y)
	}
	return nil, fault.New(fault.Unsupported, "operator %s", op)
}

// logic binds a chain of ANDs or ORs at once: the parser makes a balanced tree of it.
func (b *binder) logic(e *parse.Binary, c exprCtx) (expr.Expr, error) {
	var terms []expr.Expr
	in := c
	in.clause = e.Op
	var walk func(x parse.Expr) error
	walk = func(x parse.Expr) error {
		if n, ok := x.(*parse.Binary); ok && n.Op == e.Op {
			if err := walk(n.X); err != nil {
				return err
			}
			return walk(n.Y)
		}
		t, err := b.condition(x, in)
		terms = append(terms, t)
		return err
	}
	if err := walk(e); err != nil {
		return nil, err
	}
	if e.Op == "AND" {
		return expr.NewAnd(terms...)
	}
	return expr.NewOr(terms...)
}

// compareTuples is (a, b) = (c, d): both pairs equal.
func (b *binder) compareTuples(op string, x, y *parse.Tuple, c exprCtx) (expr.Expr, error) {
	if len(x.Items) != len(y.Items) {
		return nil, invalid(y.Pos, "a row of %d values is compared with one of %d", len(x.Items), len(y.Items))
	}
	var terms []expr.Expr
	for i := range x.Items {
		xs, err := b.exprs([]parse.Expr{x.Items[i], y.Items[i]}, c)
		if err != nil {
			return nil, err
		}
		t, err := expr.NewCompare(op, xs[0], xs[1])
		if err != nil {
			return nil, place(err, x.Items[i].Position())
		}
		terms = append(terms, t)
	}
	if op == "=" {
		return expr.NewAnd(terms...)
	}
	return expr.NewOr(terms...)
}

func (b *binder) between(e *parse.Between, c exprCtx) (expr.Expr, error) {
	xs, err := b.exprs([]parse.Expr{e.X, e.Lo, e.Hi}, c)
	if err != nil {
		return nil, err
	}
	if !e.Symmetric {
		return expr.NewBetween(xs[0], xs[1], xs[2], e.Not)
	}
	one, err := expr.NewBetween(xs[0], xs[1], xs[2], e.Not)
	if err != nil {
		return nil, err
	}
	other, err := expr.NewBetween(xs[0], xs[2], xs[1], e.Not)
	if err != nil {
		return nil, err
	}
	if e.Not {
		return expr.NewAnd(one, other)
	}
	return expr.NewOr(one, other)
}

func (b *binder) in(e *parse.In, c exprCtx) (expr.Expr, error) {
	if e.Query != nil {
		return nil, unsupported(e.Pos, "IN (query) except as a term of WHERE … AND …")
	}
	if x, ok := e.X.(*parse.Tuple); ok {
		var terms []expr.Expr
		for _, item := range e.List {
			y, ok := item.(*parse.Tuple)
			if !ok {
				return nil, invalid(item.Position(), "a row of %d values is compared with a single value", len(x.Items))
			}
			t, err := b.compareTuples("=", x, y, c)
			if err != nil {
				return nil, err
			}
			terms = append(terms, t)
		}
		in, err := expr.NewOr(terms...)
		if err != nil || !e.Not {
			return in, err
		}
		return expr.NewNot(in)
	}
	x, err := b.expr(e.X, c)
	if err != nil {
		return nil, err
	}
	list, err := b.exprs(e.List, c)
	if err != nil {
		return nil, err
	}
	in, err := expr.NewIn(x, list, e.Not)
	return in, place(err, e.Pos)
}

func (b *binder) like(e *parse.Like, c exprCtx) (expr.Expr, error) {
	xs, err := b.exprs([]parse.Expr{e.X, e.Pattern}, c)
	if err != nil {
		return nil, err
	}
	escape, err := b.optional(e.Escape, c)
	if err != nil {
		return nil, err
	}
	x, err := expr.NewLike(e.Kind, xs[0], xs[1], escape, e.Not)
	return x, place(err, e.Pos)
}

// quantified is x op ANY (list) and x op ALL (list). Drivers write x = ANY (ARRAY[…]) and x != ALL (ARRAY[…])
// for IN, so that is what these become.
func (b *binder) quantified(e *parse.Quantified, c exprCtx) (expr.Expr, error) {
	var items []parse.Expr
	switch a := e.Array.(type) {
	case *parse.Array:
		items = a.Items
	case *parse.Vector:
		for _, v := range a.Values {
			items = append(items, numberExpr(v, a.Pos))
		}
	}
	isIn, notIn := e.Op == "=" && e.Quantifier == "ANY", e.Op == "!=" && e.Quantifier == "ALL"
	if e.Query != nil {
		return nil, unsupported(e.Pos, "%s %s (query); write IN, EXISTS or a comparison with min or max", e.Op, e.Quantifier)
	}
	if len(items) == 0 || !isIn && !notIn {
		xs, err := b.exprs([]parse.Expr{e.X, e.Array}, c)
		if err != nil {
			return nil, err
		}
		x, err := expr.NewQuantified(e.Op, e.Quantifier, xs[0], xs[1])
		return x, place(err, e.Pos)
	}
	return b.in(&parse.In{X: e.X, List: items, Not: notIn, Pos: e.Pos}, c)
}

func (b *binder) caseExpr(e *parse.Case, c exprCtx) (expr.Expr, error) {
	operand, err := b.optional(e.Operand, c)
	if err != nil {
		return nil, err
	}
	cond := c
	cond.clause = "WHEN"
	whens := make([]expr.CaseWhen, len(e.Whens))
	for i, w := range e.Whens {
		if operand != nil {
			whens[i].Cond, err = b.expr(w.Cond, c)
		} else {
			whens[i].Cond, err = b.condition(w.Cond, cond)
		}
		if err != nil {
			return nil, err
		}
		if whens[i].Result, err = b.expr(w.Result, c); err != nil {
			return nil, err
		}
	}
	els, err := b.optional(e.Else, c)
	if err != nil {
		return nil, err
	}
	return expr.NewCase(operand, whens, els)
}

func (b *binder) cast(e *parse.Cast, c exprCtx) (expr.Expr, error) {
	t, err := typeOf(e.Type)
	if err != nil {
		return nil, place(err, e.Type.Pos)
	}
	if dim, ok := plan.VectorDim(t); ok && t.(*arrow.FixedSizeListType).Elem().ID() == arrow.FLOAT32 {
		if x, ok, err := b.vectorText(e.X, dim, c); ok || err != nil {
			return x, err
		}
	}
	x, err := b.castOperand(e.X, t, c)
	if err != nil {
		return nil, err
	}
	if p, ok := precisionOf(e.Type.Name, e.Type.Args, e.Type.Dims); ok {
		return precise(x, t, p, e.Try)
	}
	// A cast decides the type of a parameter.
	if p, ok := x.(*expr.Param); ok && p.T.ID() == arrow.NULL {
		return expr.WithParamType(p, t), nil
	}
	return expr.NewCast(x, t, e.Try)
}

// castOperand binds what is cast to a type. A list of numbers with points holds doubles, and where it
// becomes a list of something else, each item is what it would be alone: a DECIMAL.
func (b *binder) castOperand(e parse.Expr, t arrow.DataType, c exprCtx) (expr.Expr, error) {
	v, ok := e.(*parse.Vector)
	list, isList := t.(arrow.ListLikeType)
	if !ok || v.Ints || !isList || arrow.IsFloating(list.Elem().ID()) {
		return b.expr(e, c)
	}
	items := make([]expr.Expr, len(v.Values))
	for i, x := range v.Values {
		n, err := expr.NewNumber(strconv.FormatFloat(math.Abs(x), 'f', -1, 64))
		if err != nil {
			return nil, place(err, e.Position())
		}
		items[i] = n
		if math.Signbit(x) {
			if items[i], err = expr.NewNegate(n); err != nil {
				return nil, place(err, e.Position())
			}
		}
	}
	x, err := expr.NewList(items)
	return x, place(err, e.Position())
}

// typeOf turns a type as written into an Arrow type.
func typeOf(t parse.TypeName) (arrow.DataType, error) {
	if len(t.Fields) == 0 {
		return expr.ParseType(t.Name, t.Args, t.Dims, t.TimeZone)
	}
	fields := make([]arrow.Field, len(t.Fields))
	for i, f := range t.Fields {
		ft, err := typeOf(f.Type)
		if err != nil {
			return nil, err
		}
		fields[i] = arrow.Field{Name: f.Name.Name, Type: ft, Nullable: true}
	}
	var out arrow.DataType
	switch {
	case t.Name == "STRUCT" || t.Name == "ROW":
		out = arrow.StructOf(fields...)
	case t.Name == "MAP" && len(fields) == 2:
		out = arrow.MapOf(fields[0].Type, fields[1].Type)
	case t.Name == "LIST" && len(fields) == 1:
		out = arrow.ListOf(fields[0].Type)
	default:
		return nil, fault.New(fault.InvalidArgument, "type %s takes no member types", t.Name)
	}
	for _, d := range t.Dims {
		if d > 0 {
			out = arrow.FixedSizeListOf(int32(d), out)
		} else {
			out = arrow.ListOf(out)
		}
	}
	return out, nil
}

func (b *binder) index(e *parse.Index, c exprCtx) (expr.Expr, error) {
	x, err := b.expr(e.X, c)
	if err != nil {
		return nil, err
	}
	if s, ok := e.I.(*parse.String); ok && !e.Slice && x.Type().ID() == arrow.STRUCT {
		return field(x, parse.Ident{Name: s.Value, Quoted: true, Pos: s.Pos})
	} else if ok && x.Type().ID() == arrow.STRING {
		return nil, invalid(s.Pos, "a subscript of text is a position; ->> '%s' reads a field of JSON", s.Value)
	}
	if x.Type().ID() == arrow.MAP {
		return nil, unsupported(e.Pos, "subscripts of maps; map_keys and map_values return lists")
	}
	args := []expr.Expr{x}
	for _, side := range []parse.Expr{e.I, e.Hi} {
		if side == nil {
			if e.Slice {
				return nil, unsupported(e.Pos, "a slice with an open end; write both ends")
			}
			continue
		}
		i, err := b.expr(side, c)
		if err != nil {
			return nil, err
		}
		args = append(args, i)
	}
	name := "list_extract"
	if e.Slice {
		name = "list_slice"
	}
	x, err = expr.NewCall(name, args)
	return x, place(err, e.Pos)
}

// scalarAt names a scalar subquery: a place in the statement, and the scope that it is bound in.
type scalarAt struct {
	at    *parse.Subquery
	scope *scope
}

// subquery binds a scalar subquery. It is run once, before the statement, and its value is a
// parameter. An expression may be bound several times, as one with an alias is for each clause that
// uses the alias. Its subqueries have one value there, so they are bound and run once, and the clauses
// hold equal expressions.
func (b *binder) subquery(e *parse.Subquery, c exprCtx) (expr.Expr, error) {
	at := scalarAt{e, c.scope}
	if p, ok := b.scalars[at]; ok {
		return &p, nil
	}
	ctes, hints := b.ctes, b.hints
	q, err := b.query(e.Query, c.scope)
	b.ctes, b.hints = ctes, hints
	if err != nil {
		return nil, err
	}
	if len(q.cols) != 1 {
		return nil, invalid(e.Pos, "a subquery used as a value must return one column, this one returns %d", len(q.cols))
	}
	slot := b.newSlot()
	t := q.cols[0].Type
	b.subplans = append(b.subplans, plan.Subplan{Slot: slot, Root: q.node, Type: t})
	p := expr.Param{Slot: slot, T: t}
	b.scalars[at] = p
	return &p, nil
}

// call binds a function call.
func (b *binder) call(e *parse.Call, c exprCtx) (expr.Expr, error) {
	if len(e.Qualifier) > 0 {
		if q := e.Qualifier[len(e.Qualifier)-1].Name; !slices.Contains([]string{"pg_catalog", "main", "system"}, strings.ToLower(q)) {
			return nil, invalid(e.Qualifier[0].Pos, "no schema of functions is called %q", q)
		}
	}
	if e.Over != nil {
		return nil, unsupported(e.Pos, "window functions: %s(…) OVER", e.Name)
	}
	name := strings.ToLower(e.Name)
	if d, ok := plan.DistanceFunctions[name]; ok {
		args := make([]parse.Expr, len(e.Args))
		for i, a := range e.Args {
			args[i] = a.Expr
		}
		return b.distance(d, args, c, e.Pos)
	}
	if expr.IsAggregate(name) {
		return b.aggregate(name, e, c)
	}
	switch {
	case e.Star:
		return nil, invalid(e.Pos, "%s(*): only count takes a star", e.Name)
	case e.Distinct:
		return nil, invalid(e.Pos, "DISTINCT stands in aggregate functions only, and %s is none", e.Name)
	case e.Filter != nil:
		return nil, invalid(e.Pos, "FILTER stands behind aggregate functions only, and %s is none", e.Name)
	case len(e.OrderBy) > 0:
		return nil, invalid(e.Pos, "ORDER BY stands in aggregate functions only, and %s is none", e.Name)
	}
	if len(e.Args) == 0 {
		if x, ok := b.sessionFunction(name); ok {
			return x, nil
		}
	}
	if fullText[name] {
		return nil, unsupported(e.Pos, "full text search (%s); LIKE, ILIKE and ~ search text without an index", e.Name)
	}
	if name == "current_setting" && len(e.Args) == 1 {
		if s, ok := e.Args[0].Expr.(*parse.String); ok {
			set, err := settings.Find(s.Value)
			if err != nil {
				return nil, place(err, s.Pos)
			}
			return expr.NewLiteral(b.env.Session.Get(set.Name), arrow.BinaryTypes.String), nil
		}
	}
	args := make([]expr.Expr, len(e.Args))
	for i, a := range e.Args {
		if a.Name != "" {
			return nil, invalid(a.Expr.Position(), "%s takes no argument by name", e.Name)
		}
		var err error
		if args[i], err = b.expr(a.Expr, c); err != nil {
			return nil, err
		}
	}
	if expr.ReadsClock(name) {
		x, err := b.clockTo(name, args, e)
		return x, place(err, e.Pos)
	}
	x, err := expr.NewCall(name, args)
	return x, place(err, e.Pos)
}

// fullText are the functions that the INVERTED index will serve.
var fullText = map[string]bool{"match": true, "bm25": true, "rrf": true}

// sessionFunction is a function whose value the session knows.
func (b *binder) sessionFunction(name string) (expr.Expr, bool) {
	text := func(s string) (expr.Expr, bool) { return expr.NewLiteral(s, arrow.BinaryTypes.String), true }
	switch name {
	case "version":
		return text("lanceflight " + b.env.Session.Version)
	case "current_catalog", "current_database":
		return text(b.env.Session.Get("catalog"))
	case "current_schema":
		return text(b.env.Session.Get("schema"))
	case "current_user", "session_user", "user":
		return text(b.env.Session.User)
	}
	return nil, false
}
