package expr_test

import (
	"sort"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
)

// testdata/messages: expressions over the golden table, what type and text they have after binding and
// folding, or the message a user sees.
func TestBindingAndMessages(t *testing.T) {
	batch := goldenTable(t, memory.NewGoAllocator())
	vectors := vectorBatch(t, memory.NewGoAllocator())
	fields := append(batch.Schema().Fields(), vectors.Schema().Fields()[:6]...)
	schema := arrow.NewSchema(append(
		fields,
		arrow.Field{Name: "u8", Type: arrow.PrimitiveTypes.Uint8},
		arrow.Field{Name: "u64", Type: value.TypeUint64},
		arrow.Field{Name: "dict", Type: &arrow.DictionaryType{IndexType: value.TypeInt32, ValueType: value.TypeText}},
		arrow.Field{
			Name: "st",
			Type: arrow.StructOf(
				arrow.Field{Name: "a", Type: value.TypeInt32, Nullable: true},
				arrow.Field{Name: "Name", Type: value.TypeText, Nullable: true},
			),
		},
		arrow.Field{Name: "NSFW", Type: value.TypeText},
	), nil)
	datadriven.RunTest(t, "testdata/messages", func(t *testing.T, d *datadriven.TestData) string {
		var out strings.Builder
		for _, line := range strings.Split(d.Input, "\n") {
			e, err := bindText(line, schema)
			if err == nil && d.Cmd == "eval" {
				var a arrow.Array
				if a, err = evalText(t, line, oneRow(), memory.NewGoAllocator()); err == nil {
					out.WriteString(render(t, a) + "\n")
					continue
				}
			}
			if err != nil {
				require.NotEqual(t, fault.Internal, fault.KindOf(err), "%s: %v", line, err)
				out.WriteString("error: " + err.Error() + "\n")
				continue
			}
			e, err = expr.Fold(e)
			require.NoError(t, err)
			out.WriteString(value.TypeName(e.Type()) + ": " + e.String() + "\n")
		}
		return out.String()
	})
}

func TestTypeNamesReadBack(t *testing.T) {
	for _, c := range []struct {
		name       string
		args, dims []int
		tz         bool
		want       string
	}{
		{"BIGINT", nil, nil, false, "BIGINT"}, {"INT8", nil, nil, false, "BIGINT"}, {"int", nil, nil, false, "INTEGER"},
		{"FLOAT", nil, nil, false, "FLOAT"}, {"FLOAT", []int{53}, nil, false, "DOUBLE"}, {"DOUBLE", nil, nil, false, "DOUBLE"},
		{"FLOAT", nil, []int{768}, false, "FLOAT[768]"}, {"INTEGER", nil, []int{0}, false, "INTEGER[]"},
		{"INTEGER", nil, []int{3, 0}, false, "INTEGER[3][]"},
		{"DECIMAL", nil, nil, false, "DECIMAL(18,3)"}, {"NUMERIC", []int{10}, nil, false, "DECIMAL(10,0)"},
		{"DECIMAL", []int{38, 38}, nil, false, "DECIMAL(38,38)"},
		{"VARCHAR", []int{10}, nil, false, "VARCHAR"}, {"BYTEA", nil, nil, false, "BLOB"},
		{"VECTOR", []int{3}, nil, false, "FLOAT[3]"}, {"HALFVEC", []int{3}, nil, false, "HALF[3]"},
		{"TIMESTAMP", nil, nil, false, "TIMESTAMP"}, {"TIMESTAMP", []int{0}, nil, false, "TIMESTAMP_S"},
		{"TIMESTAMP", []int{9}, nil, false, "TIMESTAMP_NS"},
		{"TIMESTAMP", nil, nil, true, "TIMESTAMP WITH TIME ZONE"}, {"TIMESTAMPTZ", nil, nil, false, "TIMESTAMP WITH TIME ZONE"},
		{"DATE", nil, nil, false, "DATE"},
		{"TIME", nil, nil, false, "TIME"}, {"INTERVAL", nil, nil, false, "INTERVAL"}, {"BOOL", nil, nil, false, "BOOLEAN"},
		{"UBIGINT", nil, nil, false, "UBIGINT"},
	} {
		typ, err := expr.ParseType(c.name, c.args, c.dims, c.tz)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, value.TypeName(typ), c.name)
	}
	for want, c := range map[string]struct {
		name       string
		args, dims []int
	}{
		"there is no type BIGNIT; did you mean BIGINT?":                                          {"BIGNIT", nil, nil},
		"DECIMAL takes a precision from 1 to 38 and a scale from 0 to the precision, not (39,0)": {"DECIMAL", []int{39}, nil},
		"the array size -1 is not between 1 and 1048576":                                         {"FLOAT", nil, []int{-1}},
		"the array size 1073741824 is not between 1 and 1048576":                                 {"FLOAT", nil, []int{1 << 30}},
		"not supported: the type HUGEINT":                                                        {"HUGEINT", nil, nil},
		"VECTOR takes its number of dimensions, from 1 to 1048576: VECTOR(768)":                  {"VECTOR", nil, nil},
		"TIMESTAMP takes a precision from 0 to 9, not 12":                                        {"TIMESTAMP", []int{12}, nil},
		"the type DATE takes no arguments":                                                       {"DATE", []int{3}, nil},
	} {
		_, err := expr.ParseType(c.name, c.args, c.dims, false)
		require.EqualError(t, err, want)
	}
}

func TestAggregatesResolve(t *testing.T) {
	col := func(t arrow.DataType) expr.Expr { return &expr.Column{ID: 1, Name: "x", T: t} }
	dec := &arrow.Decimal128Type{Precision: 10, Scale: 2}
	for _, c := range []struct {
		name string
		args []expr.Expr
		want string
	}{
		{"count", []expr.Expr{col(value.TypeText)}, "BIGINT"}, {"count", nil, "BIGINT"},
		{"sum", []expr.Expr{col(value.TypeInt32)}, "BIGINT"}, {"sum", []expr.Expr{col(value.TypeInt64)}, "BIGINT"},
		{"sum", []expr.Expr{col(value.TypeUint64)}, "UBIGINT"}, {"sum", []expr.Expr{col(value.UintType(32))}, "BIGINT"},
		{"sum", []expr.Expr{col(value.TypeFloat32)}, "DOUBLE"}, {"sum", []expr.Expr{col(dec)}, "DECIMAL(38,2)"},
		{"avg", []expr.Expr{col(value.TypeInt64)}, "DOUBLE"}, {"avg", []expr.Expr{col(dec)}, "DOUBLE"},
		{"min", []expr.Expr{col(value.TypeText)}, "VARCHAR"}, {"max", []expr.Expr{col(value.TypeDate)}, "DATE"},
		{"min", []expr.Expr{col(&arrow.DictionaryType{IndexType: value.TypeInt32, ValueType: value.TypeText})}, "VARCHAR"},
		{"stddev", []expr.Expr{col(value.TypeInt32)}, "DOUBLE"}, {"corr",
			[]expr.Expr{col(value.TypeInt32), col(value.TypeFloat32)}, "DOUBLE"}, {"bool_and", []expr.Expr{col(value.TypeBool)}, "BOOLEAN"},
		{"bit_or", []expr.Expr{col(value.TypeInt32)}, "INTEGER"}, {"arg_max",
			[]expr.Expr{col(value.TypeText), col(value.TypeInt32)}, "VARCHAR"}, {"array_agg", []expr.Expr{col(value.TypeInt32)}, "INTEGER[]"},
		{"string_agg", []expr.Expr{col(value.TypeText), expr.NewLiteral(",", value.TypeText)}, "VARCHAR"},
		{"string_agg", []expr.Expr{col(value.TypeInt32)}, "VARCHAR"}, {"count_if", []expr.Expr{col(value.TypeBool)}, "BIGINT"},
		{"quantile_disc", []expr.Expr{col(value.TypeDate), expr.NewLiteral(0.5, value.TypeFloat64)}, "DATE"},
		{"median", []expr.Expr{col(value.TypeInt32)}, "DOUBLE"},
	} {
		out, args, err := expr.ResolveAggregate(c.name, c.args, false, false)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, value.TypeName(out), c.name)
		require.GreaterOrEqual(t, len(args), len(c.args))
	}
	for want, c := range map[string]struct {
		name string
		args []expr.Expr
		star bool
	}{
		"there is no aggregate function summ":                     {"summ", nil, false},
		"sum(*) does not exist; only count(*) does":               {"sum", nil, true},
		"sum takes 1 argument(s), not 2":                          {"sum", []expr.Expr{col(value.TypeInt32), col(value.TypeInt32)}, false},
		"sum: x is VARCHAR, but a number is needed":               {"sum", []expr.Expr{col(value.TypeText)}, false},
		"max: x is INTEGER[], but a type with an order is needed": {"max", []expr.Expr{col(arrow.ListOf(value.TypeInt32))}, false},
		"bit_and: x is DOUBLE, but an integer is needed":          {"bit_and", []expr.Expr{col(value.TypeFloat64)}, false},
	} {
		_, _, err := expr.ResolveAggregate(c.name, c.args, c.star, false)
		require.EqualError(t, err, want)
		require.True(t, fault.Is(err, fault.InvalidArgument))
	}
}

// What may be legal one day is not called a mistake.
func TestComputingWithLargeDecimals(t *testing.T) {
	col := func(t arrow.DataType) expr.Expr { return &expr.Column{Name: "x", T: t} }
	big := col(&arrow.Decimal256Type{Precision: 60, Scale: 2})
	_, _, aggregate := expr.ResolveAggregate("max", []expr.Expr{big}, false, false)
	_, call := expr.NewCall("abs", []expr.Expr{big})
	for what, err := range map[string]error{
		"max": aggregate, "abs": call, "cast": cast.NoCast(big.Type(), value.TypeFloat64),
		"comparison": expr.Mismatch(">", big, col(value.TypeInt32)),
	} {
		require.True(t, fault.Is(err, fault.Unsupported), "%s: %v", what, err)
	}
}

func TestFunctionNamesAreSortedAndKnown(t *testing.T) {
	names := expr.FunctionNames()
	require.True(t, sort.SliceIsSorted(names, func(i, j int) bool { return names[i].Name < names[j].Name }))
	seen := map[string]string{}
	for _, n := range names {
		require.NotContains(t, n.Name, "$")
		require.NotEmpty(t, n.Category)
		seen[n.Name] = n.Category
	}
	require.Equal(t, "vector", seen["l2_distance"])
	require.Equal(t, "aggregate", seen["sum"])
	require.Equal(t, "string", seen["upper"])
	require.Greater(t, len(names), 200)
}

// Every node survives a rewrite that rebuilds everything, and equals itself but not a changed copy.
func TestRewriteRebuildsEveryNode(t *testing.T) {
	batch := goldenTable(t, memory.NewGoAllocator())
	for _, g := range readGolden(t) {
		e, err := bindText(g.SQL, batch.Schema())
		if err != nil {
			continue
		}
		copied := expr.Rewrite(e, func(x expr.Expr) expr.Expr {
			if c, ok := x.(*expr.Column); ok {
				n := *c
				return &n
			}
			return x
		})
		require.True(t, expr.Equal(e, copied), g.SQL)
		require.Equal(t, e.String(), copied.String(), g.SQL)
		require.True(t, arrow.TypeEqual(e.Type(), copied.Type()), g.SQL)
		moved := expr.Rewrite(e, func(x expr.Expr) expr.Expr {
			if c, ok := x.(*expr.Column); ok {
				return &expr.Column{ID: c.ID + 100, Name: c.Name, T: c.T}
			}
			return x
		})
		if len(expr.Columns(e)) > 0 {
			require.False(t, expr.Equal(e, moved), g.SQL)
			require.Equal(t, len(expr.Columns(e)), len(expr.Columns(moved)))
		}
	}
}

// The sets behind IN agree with a chain of comparisons, whatever shape the set takes.
func TestInAgreesWithOr(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		spread := rapid.SampledFrom([]int64{3, 50, 1 << 20, 1 << 62}).Draw(rt, "spread")
		values := rapid.SliceOfN(rapid.Int64Range(-spread, spread), 1, 130).Draw(rt, "column")
		items := rapid.SliceOfN(rapid.Int64Range(-spread, spread), 1, 30).Draw(rt, "items")
		withNull := rapid.Bool().Draw(rt, "NULL among the items")
		negated := rapid.Bool().Draw(rt, "NOT")
		b := array.NewInt64Builder(memory.NewGoAllocator())
		for i, v := range values {
			if i%7 == 3 {
				b.AppendNull()
			} else {
				b.Append(v)
			}
		}
		batch := array.NewRecordBatch(
			arrow.NewSchema([]arrow.Field{{Name: "x", Type: value.TypeInt64, Nullable: true}}, nil),
			[]arrow.Array{b.NewArray()},
			int64(len(values)),
		)
		col := &expr.Column{ID: 0, Name: "x", T: value.TypeInt64}
		var list, terms []expr.Expr
		for _, v := range items {
			list = append(list, expr.NewLiteral(v, value.TypeInt64))
		}
		if withNull {
			list = append(list, expr.NewLiteral(nil, value.TypeInt64))
		}
		for _, l := range list {
			c, err := expr.NewCompare("=", col, l)
			require.NoError(rt, err)
			terms = append(terms, c)
		}
		in, err := expr.NewIn(col, list, negated)
		require.NoError(rt, err)
		or, err := expr.NewOr(terms...)
		require.NoError(rt, err)
		if negated {
			or, err = expr.NewNot(or)
			require.NoError(rt, err)
		}
		results := make([]string, 2)
		for i, e := range []expr.Expr{in, or} {
			p, err := expr.Compile(e, map[expr.ColID]int{0: 0})
			require.NoError(rt, err)
			a, err := p.Eval(t.Context(), inputOf(batch, nil))
			require.NoError(rt, err)
			results[i] = render(t, a)
			sel, err := p.Select(t.Context(), inputOf(batch, nil), nil)
			require.NoError(rt, err)
			require.Equal(rt, strings.Count(results[i], "true"), len(sel))
		}
		require.Equal(rt, results[1], results[0])
	})
}

func TestProgramsAreSafeForConcurrentUse(t *testing.T) {
	batch := goldenTable(t, memory.NewGoAllocator())
	e, err := bindText("s ILIKE '%A%' AND i32 IN (1, 5, 42, 43) OR regexp_replace(s, 'b.', 'X') = 'aX' OR s LIKE '%b%'", batch.Schema())
	require.NoError(t, err)
	p, err := expr.Compile(e, positions(batch))
	require.NoError(t, err)
	want, err := p.Select(t.Context(), inputOf(batch, nil), nil)
	require.NoError(t, err)
	done := make(chan error, 8)
	for range cap(done) {
		go func() {
			for range 50 {
				got, err := p.Select(t.Context(), inputOf(batch, nil), nil)
				if err != nil || len(got) != len(want) {
					done <- fault.New(fault.Internal, "%v, %v", got, err)
					return
				}
			}
			done <- nil
		}()
	}
	for range cap(done) {
		require.NoError(t, <-done)
	}
}
