package expr_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
	"lanceflight/sqlplan/parse"
)

// bindText parses an expression and binds it to columns by name. It is the smallest binder that can
// drive the constructors; the real one is in sqlplan/logical.
func bindText(sql string, schema *arrow.Schema) (expr.Expr, error) {
	t, err := parse.ParseExpr(sql)
	if err != nil {
		return nil, err
	}
	return testBinder{schema}.bind(t)
}

type testBinder struct{ schema *arrow.Schema }

func (b testBinder) all(xs []parse.Expr) ([]expr.Expr, error) {
	out := make([]expr.Expr, len(xs))
	for i, x := range xs {
		var err error
		if out[i], err = b.bind(x); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b testBinder) two(x, y parse.Expr) (expr.Expr, expr.Expr, error) {
	xs, err := b.all([]parse.Expr{x, y})
	if err != nil {
		return nil, nil, err
	}
	return xs[0], xs[1], nil
}

func (b testBinder) bind(t parse.Expr) (expr.Expr, error) {
	switch t := t.(type) {
	case *parse.Column:
		name := t.Parts[0].Name
		i := b.schema.FieldIndices(name)
		if len(i) == 0 {
			return nil, fmt.Errorf("no column %s", name)
		}
		var e expr.Expr = &expr.Column{ID: expr.ColID(i[0]), Name: name, T: b.schema.Field(i[0]).Type}
		for _, p := range t.Parts[1:] {
			var err error
			if e, err = expr.NewField(e, p.Name); err != nil {
				return nil, err
			}
		}
		return e, nil
	case *parse.FieldAccess:
		x, err := b.bind(t.X)
		if err != nil {
			return nil, err
		}
		return expr.NewField(x, t.Name.Name)
	case *parse.Number:
		return expr.NewNumber(t.Text)
	case *parse.String:
		return expr.NewLiteral(t.Value, value.TypeText), nil
	case *parse.Bytes:
		return expr.NewLiteral(t.Value, value.TypeBinary), nil
	case *parse.Bool:
		return expr.NewLiteral(t.Value, value.TypeBool), nil
	case *parse.Null:
		return expr.NewLiteral(nil, arrow.Null), nil
	case *parse.Param:
		return &expr.Param{Slot: t.Number - 1, T: arrow.Null}, nil
	case *parse.Vector:
		items := make([]any, len(t.Values))
		for i, v := range t.Values {
			if t.Ints {
				items[i] = int64(v)
			} else {
				items[i] = v
			}
		}
		if t.Ints {
			return expr.NewLiteral(items, arrow.ListOf(value.TypeInt64)), nil
		}
		return expr.NewLiteral(items, arrow.ListOf(value.TypeFloat64)), nil
	case *parse.Array:
		xs, err := b.all(t.Items)
		if err != nil {
			return nil, err
		}
		return expr.NewList(xs)
	case *parse.TypedString:
		if t.Type == "INTERVAL" {
			return expr.NewInterval(t.Value, t.Unit)
		}
		typ, err := expr.ParseType(t.Type, nil, nil, false)
		if err != nil {
			return nil, err
		}
		return expr.NewCast(expr.NewLiteral(t.Value, value.TypeText), typ, false)
	case *parse.Unary:
		x, err := b.bind(t.X)
		if err != nil {
			return nil, err
		}
		switch t.Op {
		case "NOT":
			return expr.NewNot(x)
		case "-":
			return expr.NewNegate(x)
		}
		return x, nil
	case *parse.Binary:
		x, y, err := b.two(t.X, t.Y)
		if err != nil {
			return nil, err
		}
		switch t.Op {
		case "AND":
			return expr.NewAnd(x, y)
		case "OR":
			return expr.NewOr(x, y)
		case "=", "!=", "<", "<=", ">", ">=":
			return expr.NewCompare(t.Op, x, y)
		case "~", "~*", "!~", "!~*":
			return expr.NewRegexMatch(t.Op, x, y)
		}
		return expr.NewArith(t.Op, x, y)
	case *parse.Quantified:
		x, list, err := b.two(t.X, t.Array)
		if err != nil {
			return nil, err
		}
		return expr.NewQuantified(t.Op, t.Quantifier, x, list)
	case *parse.IsNull:
		x, err := b.bind(t.X)
		if err != nil {
			return nil, err
		}
		return expr.NewIsNull(x, t.Not), nil
	case *parse.IsBool:
		x, err := b.bind(t.X)
		if err != nil {
			return nil, err
		}
		return expr.NewIsBool(x, t.Value, t.Not)
	case *parse.IsDistinct:
		x, y, err := b.two(t.X, t.Y)
		if err != nil {
			return nil, err
		}
		if t.Not {
			return expr.NewCompare("IS NOT DISTINCT FROM", x, y)
		}
		return expr.NewCompare("IS DISTINCT FROM", x, y)
	case *parse.Between:
		xs, err := b.all([]parse.Expr{t.X, t.Lo, t.Hi})
		if err != nil {
			return nil, err
		}
		return expr.NewBetween(xs[0], xs[1], xs[2], t.Not)
	case *parse.In:
		xs, err := b.all(append([]parse.Expr{t.X}, t.List...))
		if err != nil {
			return nil, err
		}
		return expr.NewIn(xs[0], xs[1:], t.Not)
	case *parse.Like:
		x, y, err := b.two(t.X, t.Pattern)
		if err != nil {
			return nil, err
		}
		var esc expr.Expr
		if t.Escape != nil {
			if esc, err = b.bind(t.Escape); err != nil {
				return nil, err
			}
		}
		return expr.NewLike(t.Kind, x, y, esc, t.Not)
	case *parse.Case:
		var operand, els expr.Expr
		var err error
		if t.Operand != nil {
			if operand, err = b.bind(t.Operand); err != nil {
				return nil, err
			}
		}
		if t.Else != nil {
			if els, err = b.bind(t.Else); err != nil {
				return nil, err
			}
		}
		var whens []expr.CaseWhen
		for _, w := range t.Whens {
			c, r, err := b.two(w.Cond, w.Result)
			if err != nil {
				return nil, err
			}
			whens = append(whens, expr.CaseWhen{Cond: c, Result: r})
		}
		return expr.NewCase(operand, whens, els)
	case *parse.Cast:
		x, err := b.bind(t.X)
		if err != nil {
			return nil, err
		}
		typ, err := expr.ParseType(t.Type.Name, t.Type.Args, t.Type.Dims, t.Type.TimeZone)
		if err != nil {
			return nil, err
		}
		return expr.NewCast(x, typ, t.Try)
	case *parse.Index:
		x, i, err := b.two(t.X, t.I)
		if err != nil {
			return nil, err
		}
		if t.Slice {
			hi, err := b.bind(t.Hi)
			if err != nil {
				return nil, err
			}
			return expr.NewCall("list_slice", []expr.Expr{x, i, hi})
		}
		return expr.NewCall("list_extract", []expr.Expr{x, i})
	case *parse.AtTimeZone:
		x, z, err := b.two(t.X, t.Zone)
		if err != nil {
			return nil, err
		}
		return expr.NewCall("timezone", []expr.Expr{z, x})
	case *parse.Call:
		var args []expr.Expr
		for _, a := range t.Args {
			x, err := b.bind(a.Expr)
			if err != nil {
				return nil, err
			}
			args = append(args, x)
		}
		return expr.NewCall(t.Name, args)
	}
	return nil, fmt.Errorf("the test binder does not know %T", t)
}

// evalText evaluates an expression over a batch; the caller releases the array.
func evalText(t testing.TB, sql string, batch arrow.RecordBatch, mem memory.Allocator, params ...expr.Literal) (arrow.Array, error) {
	t.Helper()
	e, err := bindText(sql, batch.Schema())
	if err != nil {
		return nil, err
	}
	p, err := expr.Compile(e, positions(batch))
	if err != nil {
		return nil, err
	}
	a, err := p.Eval(context.Background(), inputOf(batch, mem, params...))
	if err != nil {
		return nil, err
	}
	require.Equal(t, int(batch.NumRows()), a.Len(), sql)
	require.True(t, arrow.TypeEqual(e.Type(), a.DataType()), "%s: planned %s, got %s", sql, e.Type(), a.DataType())
	return a, nil
}

func positions(batch arrow.RecordBatch) map[expr.ColID]int {
	m := map[expr.ColID]int{}
	for i := range int(batch.NumCols()) {
		m[expr.ColID(i)] = i
	}
	return m
}

func inputOf(batch arrow.RecordBatch, mem memory.Allocator, params ...expr.Literal) expr.Input {
	return expr.Input{Cols: batch.Columns(), Rows: int(batch.NumRows()), Params: params, Mem: mem}
}

// render is an array as text, one value per row.
func render(t testing.TB, a arrow.Array) string {
	t.Helper()
	parts := make([]string, a.Len())
	for i := range parts {
		b, err := cast.AppendRow(nil, a, i, false)
		require.NoError(t, err)
		parts[i] = string(b)
	}
	return strings.Join(parts, " | ")
}

// oneRow is a batch without columns.
func oneRow() arrow.RecordBatch {
	return array.NewRecordBatch(arrow.NewSchema(nil, nil), nil, 1)
}

func TestConstants(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"1 + 2", "3"},
		{"7 / 2", "3"},
		{"-7 / 2", "-3"},
		{"-7 % 3", "-1"},
		{"7.0 / 2", "3.500000000000000000"},
		{"2 ^ 10", "1024"},
		{"0.1 + 0.2", "0.3"},
		{"1e0 / 0", "Infinity"},
		{"'a' || 1 || NULL", "NULL"},
		{"'a' || 1", "a1"},
		{"'42' = 42", "true"},
		{"NULL AND FALSE", "false"},
		{"NULL OR FALSE", "NULL"},
		{"1 IN (1, NULL)", "true"},
		{"2 IN (1, NULL)", "NULL"},
		{"2 NOT IN (1, 3)", "true"},
		{"'abc' LIKE 'a_c'", "true"},
		{"'äbc' LIKE '_bc'", "true"},
		{"'ÄBC' ILIKE 'äb%'", "true"},
		{"'abc' SIMILAR TO '(a|b)%'", "true"},
		{"'abc' ~ 'b.$'", "true"},
		{"CAST('12' AS INTEGER) + 1", "13"},
		{"TRY_CAST('x' AS INTEGER)", "NULL"},
		{"CASE WHEN 1 = 0 THEN 1 / 0 ELSE 5 END", "5"},
		{"coalesce(NULL, 3, 1 / 0)", "3"},
		{"DATE '2024-02-29' + INTERVAL '1 year'", "2025-02-28 00:00:00"},
		{"DATE '2024-03-01' - DATE '2024-02-01'", "29"},
		{"TIMESTAMP '2024-01-02 03:04:05' - TIMESTAMP '2024-01-01 00:00:00'", "1 day 03:04:05"},
		{"INTERVAL '1.5 hours' * 2", "03:00:00"},
		{"[1, 2, 3] <-> [1, 2, 5]", "2"},
		{"cosine_distance([1, 0], [0, 1])", "1"},
		{"[1, 2] <#> '[3, 4]'", "-11"},
		{"l2_norm([3, 4])", "5"},
		{"nullif(1, 1)", "NULL"},
		{"greatest(1, NULL, 3)", "3"},
		{"least('b', 'a')", "a"},
		{"1 BETWEEN 0 AND 2", "true"},
		{"NULL IS DISTINCT FROM 1", "true"},
		{"NULL IS NOT DISTINCT FROM NULL", "true"},
		{"CAST('[1, 2, 3]' AS FLOAT[3])", "[1, 2, 3]"},
		{"-9223372036854775807 - 1", "-9223372036854775808"},
		{"typeof(1.5)", "DECIMAL(2,1)"},
	} {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		a, err := evalText(t, c.sql, oneRow(), mem)
		require.NoError(t, err, c.sql)
		require.Equal(t, c.want, render(t, a), c.sql)
		a.Release()
		mem.AssertSize(t, 0)
	}
}
