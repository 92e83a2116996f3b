package expr_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/value"
)

func TestEveryFunctionStatesItself(t *testing.T) {
	stated := 0
	for _, f := range expr.FunctionNames() {
		want := expr.Immutable
		if expr.ReadsClock(f.Name) {
			want = expr.Stable
		}
		require.Equal(t, want, f.Volatility, f.Name)
		require.Equal(t, f.Cost == 0, f.Fails == 0, f.Name)
		if f.Cost != 0 {
			stated++
		}
	}
	require.Greater(t, stated, 150)
	require.True(t, expr.ReadsClock("now"))
	require.Panics(t, func() { expr.Register(&expr.Function{Name: "says_nothing"}) })
	require.Panics(t, func() { expr.Register(&expr.Function{Name: "no_cost", Volatility: expr.Immutable}) })
	require.Panics(t, func() {
		expr.Register(&expr.Function{Name: "no_options", Volatility: expr.Immutable, Cost: expr.CostScan, Fails: expr.FailsOnOption})
	})
}

// extremes is a table with the columns of the golden one that holds the values at the ends of their
// types, which is where computations overflow.
func extremes(t *testing.T, schema *arrow.Schema) arrow.RecordBatch {
	t.Helper()
	ints := map[int][]any{
		16: {int64(math.MinInt16), int64(math.MaxInt16), int64(0), int64(-1)},
		32: {int64(math.MinInt32), int64(math.MaxInt32), int64(0), int64(-1)},
		64: {int64(math.MinInt64), int64(math.MaxInt64), int64(0), int64(-1)},
	}
	cols := make([]arrow.Array, schema.NumFields())
	for i, f := range schema.Fields() {
		var values []any
		switch value.KindOf(f.Type) {
		case value.KindInt:
			values = ints[value.BitWidth(f.Type)]
		case value.KindFloat:
			values = []any{math.Inf(1), math.Inf(-1), math.NaN(), -1e-30}
		case value.KindDecimal:
			most := decimal128.GetMaxValue(f.Type.(*arrow.Decimal128Type).Precision)
			values = []any{most, most.Negate(), decimal128.Num{}, decimal128.FromI64(-1)}
		case value.KindText:
			values = []any{"", "\x00", "\\", "[(*"}
		case value.KindBinary:
			values = []any{[]byte{}, []byte{0}, []byte{255}, []byte("x")}
		case value.KindBool:
			values = []any{true, false, nil, true}
		case value.KindDate:
			values = []any{int64(math.MinInt32), int64(math.MaxInt32), int64(0), int64(-1)}
		case value.KindTimestamp:
			values = ints[64]
		case value.KindInterval:
			values = []any{arrow.MonthDayNanoInterval{Months: math.MinInt32, Days: math.MinInt32, Nanoseconds: math.MinInt64},
				arrow.MonthDayNanoInterval{Months: math.MaxInt32, Days: math.MaxInt32, Nanoseconds: math.MaxInt64}, arrow.MonthDayNanoInterval{}, nil}
		case value.KindList:
			values = []any{[]any{}, []any{nil}, []any{int64(math.MinInt32), int64(math.MaxInt32)}, nil}
		}
		require.Len(t, values, 4, f.Name)
		b := array.NewBuilder(memory.NewGoAllocator(), f.Type)
		for _, v := range values {
			require.NoError(t, value.AppendValue(b, v), f.Name)
		}
		cols[i] = b.NewArray()
	}
	return array.NewRecordBatch(schema, cols, 4)
}

// An expression that fails over some table has to say that it can.
func TestWhatFailsSaysSo(t *testing.T) {
	batch := goldenTable(t, memory.NewGoAllocator())
	failed := 0
	for _, g := range readGolden(t) {
		e, err := bindText(g.SQL, batch.Schema())
		if err != nil {
			continue
		}
		if e, err = expr.Fold(e); err != nil || len(expr.Columns(e)) == 0 {
			continue // the failure of a constant is not that of a row
		}
		for _, b := range []arrow.RecordBatch{batch, extremes(t, batch.Schema())} {
			if _, err := evalText(t, g.SQL, b, memory.NewGoAllocator()); err != nil {
				failed++
				assert.True(t, expr.CanFail(e), "%s: %v", g.SQL, err)
			}
		}
	}
	require.Greater(t, failed, 50)
}

// conditions are the boolean expressions of the golden file that have an answer, and some that fail
// unless a guard keeps them from it.
func conditions(t *testing.T, batch arrow.RecordBatch) []expr.Expr {
	var out []expr.Expr
	for sql := range corpus(t, batch) {
		e, err := bindText(sql, batch.Schema())
		require.NoError(t, err)
		if e.Type().ID() == arrow.BOOL && len(expr.Columns(e)) > 0 {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b expr.Expr) int { return strings.Compare(a.String(), b.String()) })
	require.Greater(t, len(out), 100)
	return out
}

func bindAll(t *testing.T, schema *arrow.Schema, texts ...string) []expr.Expr {
	t.Helper()
	out := make([]expr.Expr, len(texts))
	for i, sql := range texts {
		var err error
		out[i], err = bindText(sql, schema)
		require.NoError(t, err, sql)
	}
	return out
}

// selected are the rows for which e is true.
func selected(t *testing.T, e expr.Expr, batch arrow.RecordBatch) ([]int32, error) {
	position := map[expr.ColID]int{}
	for i := range batch.NumCols() {
		position[expr.ColID(i)] = int(i)
	}
	p, err := expr.Compile(e, position)
	require.NoError(t, err)
	return p.Select(context.Background(), expr.Input{Cols: batch.Columns(), Rows: int(batch.NumRows())}, []int32{})
}

func TestOrderOfConditionsChangesNoAnswer(t *testing.T) {
	batch := goldenTable(t, memory.NewGoAllocator())
	all := conditions(t, batch)
	rng := rand.New(rand.NewPCG(7, 1))
	for range 400 {
		picked := make([]expr.Expr, 2+rng.IntN(4))
		for i := range picked {
			picked[i] = all[rng.IntN(len(all))]
		}
		weights := map[expr.ColID]int{}
		weight := func(id expr.ColID) int {
			if _, ok := weights[id]; !ok {
				weights[id] = rng.IntN(3)
			}
			return weights[id]
		}
		for _, op := range []string{"AND", "OR"} {
			want, err := selected(t, &expr.Logic{Op: op, Args: picked}, batch)
			require.NoError(t, err)
			for range 3 {
				mixed := slices.Clone(picked)
				rng.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
				for _, args := range [][]expr.Expr{mixed, expr.OrderConditions(mixed, nil), expr.OrderConditions(mixed, weight)} {
					got, err := selected(t, &expr.Logic{Op: op, Args: args}, batch)
					require.NoError(t, err)
					require.Equal(t, want, got, "%s of %v", op, args)
				}
			}
		}
	}
}

func TestOrderIsStable(t *testing.T) {
	batch := goldenTable(t, memory.NewGoAllocator())
	all := append(conditions(t, batch), bindAll(t, batch.Schema(), "10 / a > 1", "a * b > 3", "sqrt(f64) > 1", "s::INTEGER = 3")...)
	rng := rand.New(rand.NewPCG(8, 1))
	for range 300 {
		picked := make([]expr.Expr, 2+rng.IntN(5))
		for i := range picked {
			picked[i] = all[rng.IntN(len(all))]
		}
		weight := func(id expr.ColID) int { return int(id) % 3 }
		once := expr.OrderConditions(picked, weight)
		require.Equal(t, once, expr.OrderConditions(once, weight))
		require.Equal(t, once, slices.Concat(expr.StageConditions(picked, weight)...))
		require.ElementsMatch(t, picked, once)
	}
}

// What fails for ordinary values comes behind everything that may guard it.
func TestGuardsComeFirst(t *testing.T) {
	batch := goldenTable(t, memory.NewGoAllocator())
	column := map[string]expr.ColID{}
	for i := range batch.NumCols() {
		column[batch.ColumnName(int(i))] = expr.ColID(i)
	}
	textHeavy := func(id expr.ColID) int {
		if id == column["s"] {
			return 1
		}
		return 0
	}
	for _, c := range []struct {
		conditions []string
		weight     func(expr.ColID) int
		want       []int
	}{
		{[]string{"10 / a > 1", "a <> 0"}, nil, []int{1, 0}},
		{[]string{"10 / a > 1", "s LIKE '%a%'", "a <> 0"}, nil, []int{2, 1, 0}},
		{[]string{"a * 2 > 1", "s LIKE '%a%'", "a < 100"}, nil, []int{2, 0, 1}},
		{[]string{"s ~ 'a+'", "a * 2 > 1", "a < 100"}, nil, []int{2, 0, 1}},
		{[]string{"s LIKE '%a%'", "a > 0"}, textHeavy, []int{1, 0}},
		{[]string{"s LIKE '%a%'", "a * 2 > 1"}, textHeavy, []int{1, 0}},
		{[]string{"s LIKE '%a%'", "10 / a > 1"}, textHeavy, []int{0, 1}},
		{[]string{"10 / a > 1", "s LIKE '%a%'"}, textHeavy, []int{0, 1}},
		{[]string{"sqrt(f64) > 1", "10 / a > 1", "a <> 0", "f64 >= 0"}, nil, []int{2, 3, 0, 1}},
	} {
		es := bindAll(t, batch.Schema(), c.conditions...)
		want := make([]expr.Expr, len(es))
		for i, k := range c.want {
			want[i] = es[k]
		}
		require.Equal(t, fmt.Sprint(want), fmt.Sprint(expr.OrderConditions(es, c.weight)))
	}
	whole := bindAll(t, batch.Schema(), "a > 0 AND (s = 'x' AND b > 0)", "a > 0 OR b > 0")
	require.Len(t, expr.Conjuncts(whole[0]), 3)
	require.Len(t, expr.Conjuncts(whole[1]), 1)
	require.Empty(t, expr.Conjuncts(nil))
	require.Nil(t, expr.Conjoin(nil))
	for _, op := range [][]string{{"a <> 0", "10 / a > 1"}, {"10 / a > 1", "a <> 0"}} {
		got, err := selected(t, expr.Conjoin(bindAll(t, batch.Schema(), op...)), batch)
		require.NoError(t, err)
		require.NotEmpty(t, got)
	}
}

func TestVolatility(t *testing.T) {
	batch := goldenTable(t, memory.NewGoAllocator())
	e := bindAll(t, batch.Schema(), "a + 1", "upper(s)", "now()")
	require.Equal(t, expr.Immutable, expr.VolatilityOf(e[0]))
	require.Equal(t, expr.Immutable, expr.VolatilityOf(e[1]))
	require.Equal(t, expr.Immutable, expr.VolatilityOf(e[2]), "the time is a constant once it was read")
	require.Equal(t, expr.Stable, expr.VolatilityOf(&expr.Not{X: &expr.Param{T: value.TypeBool}}))
	expr.Register(
		&expr.Function{Name: "test_dice", Volatility: expr.Volatile, Cost: expr.CostScan, Fails: expr.FailsNever, Out: value.TypeInt64,
			Kernel: expr.PlainKernel(func(*value.KernelCall) (arrow.Array, error) { panic("a volatile function was folded") })},
	)
	dice, err := expr.NewCall("test_dice", nil)
	require.NoError(t, err)
	require.True(t, expr.IsVolatile(&expr.IsNull{X: dice}))
	require.False(t, expr.IsVolatile(e[1]))
	folded, err := expr.Fold(dice)
	require.NoError(t, err)
	require.Same(t, dice, folded)
}
