package expr

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
)

// testdata/messages: expressions over the golden table, what type and text they have after binding and
// folding, or the message a user sees.
func TestBindingAndMessages(t *testing.T) {
	batch := goldenTable(t, memory.NewGoAllocator())
	vectors := vectorBatch(t, memory.NewGoAllocator())
	fields := append(batch.Schema().Fields(), vectors.Schema().Fields()[:6]...)
	schema := arrow.NewSchema(append(fields,
		arrow.Field{Name: "u8", Type: arrow.PrimitiveTypes.Uint8}, arrow.Field{Name: "u64", Type: tUint64},
		arrow.Field{Name: "dict", Type: &arrow.DictionaryType{IndexType: tInt32, ValueType: tText}},
		arrow.Field{Name: "st", Type: arrow.StructOf(arrow.Field{Name: "a", Type: tInt32, Nullable: true}, arrow.Field{Name: "Name", Type: tText, Nullable: true})},
		arrow.Field{Name: "NSFW", Type: tText},
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
			e, err = Fold(e)
			require.NoError(t, err)
			out.WriteString(TypeName(e.Type()) + ": " + e.String() + "\n")
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
		{"FLOAT", nil, []int{768}, false, "FLOAT[768]"}, {"INTEGER", nil, []int{0}, false, "INTEGER[]"}, {"INTEGER", nil, []int{3, 0}, false, "INTEGER[3][]"},
		{"DECIMAL", nil, nil, false, "DECIMAL(18,3)"}, {"NUMERIC", []int{10}, nil, false, "DECIMAL(10,0)"}, {"DECIMAL", []int{38, 38}, nil, false, "DECIMAL(38,38)"},
		{"VARCHAR", []int{10}, nil, false, "VARCHAR"}, {"BYTEA", nil, nil, false, "BLOB"}, {"VECTOR", []int{3}, nil, false, "FLOAT[3]"}, {"HALFVEC", []int{3}, nil, false, "HALF[3]"},
		{"TIMESTAMP", nil, nil, false, "TIMESTAMP"}, {"TIMESTAMP", []int{0}, nil, false, "TIMESTAMP_S"}, {"TIMESTAMP", []int{9}, nil, false, "TIMESTAMP_NS"},
		{"TIMESTAMP", nil, nil, true, "TIMESTAMP WITH TIME ZONE"}, {"TIMESTAMPTZ", nil, nil, false, "TIMESTAMP WITH TIME ZONE"}, {"DATE", nil, nil, false, "DATE"},
		{"TIME", nil, nil, false, "TIME"}, {"INTERVAL", nil, nil, false, "INTERVAL"}, {"BOOL", nil, nil, false, "BOOLEAN"}, {"UBIGINT", nil, nil, false, "UBIGINT"},
	} {
		typ, err := ParseType(c.name, c.args, c.dims, c.tz)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, TypeName(typ), c.name)
	}
	for want, c := range map[string]struct {
		name       string
		args, dims []int
	}{
		"there is no type BIGNIT; did you mean BIGINT?":                                          {"BIGNIT", nil, nil},
		"DECIMAL takes a precision from 1 to 38 and a scale from 0 to the precision, not (39,0)": {"DECIMAL", []int{39}, nil},
		"the array size -1 is not between 1 and 1048576":                                         {"FLOAT", nil, []int{-1}},
		"the array size 1073741824 is not between 1 and 1048576":                                 {"FLOAT", nil, []int{1 << 30}},
		"not supported: the type UUID":                                                           {"UUID", nil, nil},
		"VECTOR takes its number of dimensions, from 1 to 1048576: VECTOR(768)":                  {"VECTOR", nil, nil},
		"TIMESTAMP takes a precision from 0 to 9, not 12":                                        {"TIMESTAMP", []int{12}, nil},
		"the type DATE takes no arguments":                                                       {"DATE", []int{3}, nil},
	} {
		_, err := ParseType(c.name, c.args, c.dims, false)
		require.EqualError(t, err, want)
	}
}

func TestAggregatesResolve(t *testing.T) {
	col := func(t arrow.DataType) Expr { return &Column{ID: 1, Name: "x", T: t} }
	dec := &arrow.Decimal128Type{Precision: 10, Scale: 2}
	for _, c := range []struct {
		name string
		args []Expr
		want string
	}{
		{"count", []Expr{col(tText)}, "BIGINT"}, {"count", nil, "BIGINT"},
		{"sum", []Expr{col(tInt32)}, "BIGINT"}, {"sum", []Expr{col(tInt64)}, "DECIMAL(38,0)"}, {"sum", []Expr{col(tFloat32)}, "DOUBLE"}, {"sum", []Expr{col(dec)}, "DECIMAL(38,2)"},
		{"avg", []Expr{col(tInt64)}, "DOUBLE"}, {"avg", []Expr{col(dec)}, "DOUBLE"}, {"min", []Expr{col(tText)}, "VARCHAR"}, {"max", []Expr{col(tDate)}, "DATE"},
		{"min", []Expr{col(&arrow.DictionaryType{IndexType: tInt32, ValueType: tText})}, "VARCHAR"},
		{"stddev", []Expr{col(tInt32)}, "DOUBLE"}, {"corr", []Expr{col(tInt32), col(tFloat32)}, "DOUBLE"}, {"bool_and", []Expr{col(tBool)}, "BOOLEAN"},
		{"bit_or", []Expr{col(tInt32)}, "INTEGER"}, {"arg_max", []Expr{col(tText), col(tInt32)}, "VARCHAR"}, {"array_agg", []Expr{col(tInt32)}, "INTEGER[]"},
		{"string_agg", []Expr{col(tText), NewLiteral(",", tText)}, "VARCHAR"}, {"string_agg", []Expr{col(tInt32)}, "VARCHAR"}, {"count_if", []Expr{col(tBool)}, "BIGINT"},
		{"quantile_disc", []Expr{col(tDate), NewLiteral(0.5, tFloat64)}, "DATE"}, {"median", []Expr{col(tInt32)}, "DOUBLE"},
	} {
		out, args, err := ResolveAggregate(c.name, c.args, false, false)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, TypeName(out), c.name)
		require.GreaterOrEqual(t, len(args), len(c.args))
	}
	for want, c := range map[string]struct {
		name string
		args []Expr
		star bool
	}{
		"there is no aggregate function summ":                     {"summ", nil, false},
		"sum(*) does not exist; only count(*) does":               {"sum", nil, true},
		"sum takes 1 argument(s), not 2":                          {"sum", []Expr{col(tInt32), col(tInt32)}, false},
		"sum: x is VARCHAR, but a number is needed":               {"sum", []Expr{col(tText)}, false},
		"max: x is INTEGER[], but a type with an order is needed": {"max", []Expr{col(arrow.ListOf(tInt32))}, false},
		"bit_and: x is DOUBLE, but an integer is needed":          {"bit_and", []Expr{col(tFloat64)}, false},
	} {
		_, _, err := ResolveAggregate(c.name, c.args, c.star, false)
		require.EqualError(t, err, want)
		require.True(t, fault.Is(err, fault.InvalidArgument))
	}
}

// What may be legal one day is not called a mistake.
func TestComputingWithLargeDecimals(t *testing.T) {
	col := func(t arrow.DataType) Expr { return &Column{Name: "x", T: t} }
	big := col(&arrow.Decimal256Type{Precision: 60, Scale: 2})
	_, _, aggregate := ResolveAggregate("max", []Expr{big}, false, false)
	_, call := NewCall("abs", []Expr{big})
	for what, err := range map[string]error{
		"max": aggregate, "abs": call, "cast": noCast(big.Type(), tFloat64), "comparison": mismatch(">", big, col(tInt32)),
	} {
		require.True(t, fault.Is(err, fault.Unsupported), "%s: %v", what, err)
	}
}

func TestFunctionNamesAreSortedAndKnown(t *testing.T) {
	names := FunctionNames()
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
		copied := Rewrite(e, func(x Expr) Expr {
			if c, ok := x.(*Column); ok {
				n := *c
				return &n
			}
			return x
		})
		require.True(t, Equal(e, copied), g.SQL)
		require.Equal(t, e.String(), copied.String(), g.SQL)
		require.True(t, arrow.TypeEqual(e.Type(), copied.Type()), g.SQL)
		moved := Rewrite(e, func(x Expr) Expr {
			if c, ok := x.(*Column); ok {
				return &Column{ID: c.ID + 100, Name: c.Name, T: c.T}
			}
			return x
		})
		if len(Columns(e)) > 0 {
			require.False(t, Equal(e, moved), g.SQL)
			require.Equal(t, len(Columns(e)), len(Columns(moved)))
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
		batch := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{{Name: "x", Type: tInt64, Nullable: true}}, nil), []arrow.Array{b.NewArray()}, int64(len(values)))
		col := &Column{ID: 0, Name: "x", T: tInt64}
		var list, terms []Expr
		for _, v := range items {
			list = append(list, NewLiteral(v, tInt64))
		}
		if withNull {
			list = append(list, NewLiteral(nil, tInt64))
		}
		for _, l := range list {
			c, err := NewCompare("=", col, l)
			require.NoError(rt, err)
			terms = append(terms, c)
		}
		in, err := NewIn(col, list, negated)
		require.NoError(rt, err)
		or, err := NewOr(terms...)
		require.NoError(rt, err)
		if negated {
			or, err = NewNot(or)
			require.NoError(rt, err)
		}
		results := make([]string, 2)
		for i, e := range []Expr{in, or} {
			p, err := Compile(e, map[ColID]int{0: 0})
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
	p, err := Compile(e, positions(batch))
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
