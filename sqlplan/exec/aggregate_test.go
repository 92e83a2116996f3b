package exec

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/agg"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

var float64Type arrow.DataType = arrow.PrimitiveTypes.Float64

// naiveAgg computes one aggregate over the values of a group, in order.
func naiveAgg(name string, values []any, distinct bool) any {
	var live []any
	for _, v := range values {
		if (v != nil || name == "array_agg") &&
			!(distinct && slices.ContainsFunc(live, func(o any) bool { return groupText(o) == groupText(v) })) {
			live = append(live, v)
		}
	}
	if name == "count" {
		return int64(len(live))
	}
	if len(live) == 0 {
		return nil
	}
	switch name {
	case "sum", "avg":
		if _, ok := live[0].(int64); ok {
			var sum int64
			for _, v := range live {
				sum += v.(int64)
			}
			if name == "avg" {
				return float64(sum) / float64(len(live))
			}
			return sum
		}
		sum, special := new(big.Float).SetPrec(2000), 0.0
		for _, v := range live {
			if f := v.(float64); f-f != 0 {
				special += f
			} else {
				sum.Add(sum, big.NewFloat(f))
			}
		}
		f, _ := sum.Float64()
		if f += special; name == "avg" {
			f /= float64(len(live))
		}
		return f
	case "min", "max":
		best := live[0]
		for _, v := range live {
			if c := compareAny(v, best); c != 0 && (c > 0) == (name == "max") {
				best = v
			}
		}
		return best
	case "bool_and", "bool_or":
		for _, v := range live {
			if v.(bool) == (name == "bool_or") {
				return v
			}
		}
		return name == "bool_and"
	case "any_value":
		return live[0]
	case "array_agg":
		return append([]any{}, live...)
	case "string_agg":
		var parts []string
		for _, v := range live {
			parts = append(parts, v.(string))
		}
		return strings.Join(parts, ",")
	}
	panic(name)
}

// outType is what the binder would plan.
func outType(name string, t arrow.DataType) arrow.DataType {
	switch name {
	case "count":
		return int64Type
	case "sum":
		if arrow.IsInteger(t.ID()) {
			return int64Type
		}
		return float64Type
	case "avg":
		return float64Type
	case "array_agg":
		return arrow.ListOf(t)
	}
	return t
}

// aggsOf are the aggregates that a type has.
func aggsOf(t arrow.DataType) []string {
	out := []string{"count", "min", "max", "any_value", "array_agg"}
	switch t.ID() {
	case arrow.INT64, arrow.INT32, arrow.INT8, arrow.FLOAT64, arrow.FLOAT32:
		return append(out, "sum", "avg")
	case arrow.BOOL:
		return append(out, "bool_and", "bool_or")
	case arrow.STRING, arrow.LARGE_STRING:
		return append(out, "string_agg")
	}
	return out
}

func TestAggregateAgainstGo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		n := rapid.IntRange(0, 60).Draw(rt, "rows")
		var data []column
		var by []int
		for range rapid.IntRange(0, 2).Draw(rt, "groups") {
			by = append(by, len(data))
			data = append(data, randomColumn(r, "g", rapid.SampledFrom(testTypes).Draw(rt, "type"), n, rapid.Bool().Draw(rt, "nulls")))
		}
		type call struct {
			arg      int
			name     string
			distinct bool
			filter   bool
		}
		var calls []call
		for range rapid.IntRange(0, 3).Draw(rt, "aggregates") {
			dt := rapid.SampledFrom(testTypes).Draw(rt, "type")
			if dt.ID() == arrow.DICTIONARY {
				dt = arrow.BinaryTypes.String
			}
			calls = append(calls, call{len(data), rapid.SampledFrom(aggsOf(dt)).Draw(rt, "name"),
				rapid.Bool().Draw(rt, "distinct"), rapid.Bool().Draw(rt, "filter")})
			data = append(data, randomColumn(r, "x", dt, n, rapid.Bool().Draw(rt, "nulls")))
		}
		flag := len(data)
		data = append(data, randomColumn(r, "f", int64Type, n, true))
		cols := relation(1, data)
		node := &plan.Aggregate{}
		for i, c := range by {
			node.Groups = append(node.Groups, plan.NamedExpr{Expr: col(cols, c), Col: outCol(expr.ColID(100+i), "g", data[c].dt)})
		}
		for i, c := range calls {
			a := plan.AggCall{Name: c.name, Args: []expr.Expr{col(cols, c.arg)}, Distinct: c.distinct,
				Col: outCol(expr.ColID(200+i), c.name, outType(c.name, data[c.arg].dt))}
			if c.filter {
				a.Filter = greater(col(cols, flag), 0)
			}
			node.Aggs = append(node.Aggs, a)
		}
		node.Aggs = append(node.Aggs, plan.AggCall{Name: "count", Col: outCol(300, "n", int64Type)})
		var want [][]any
		for _, g := range naiveGroups(transpose(data), by) {
			var row []any
			for _, c := range by {
				row = append(row, g[0][c])
			}
			for _, c := range calls {
				var values []any
				for _, r := range g {
					if f, ok := r[flag].(int64); !c.filter || ok && f > 0 {
						values = append(values, r[c.arg])
					}
				}
				row = append(row, naiveAgg(c.name, values, c.distinct))
			}
			want = append(want, append(row, int64(len(g))))
		}
		runVariants(t, func(v variant) {
			op, err := agg.NewAggregate(node, v.env, newMemOp(v.env, cols, data, v.size, v.split))
			require.NoError(t, err)
			got := drain(t, op)
			for i := range got {
				for j := range got[i] {
					if f, ok := got[i][j].(float64); ok && j < len(want[i]) && want[i][j] != nil {
						if w := want[i][j].(float64); math.Abs(f-w) <= 1e-15*math.Abs(w) {
							got[i][j] = w // the division of an average rounds twice here
						}
					}
				}
			}
			require.Equal(t, texts(want), texts(got))
		})
	})
}

// aggregateOne runs one ungrouped aggregate over one column.
func aggregateOne(t *testing.T, v variant, name string, out arrow.DataType, data ...column) (any, error) {
	cols := relation(1, data)
	var args []expr.Expr
	for i := range data {
		args = append(args, col(cols, i))
	}
	op, err := agg.NewAggregate(&plan.Aggregate{Aggs: []plan.AggCall{{Name: name, Args: args, Col: outCol(9, name, out)}}}, v.env,
		newMemOp(v.env, cols, data, v.size, v.split))
	if err != nil {
		return nil, err
	}
	rows, err := tryDrain(t, op)
	if err != nil {
		return nil, err
	}
	require.Len(t, rows, 1)
	return rows[0][0], nil
}

func ints(values ...int64) column {
	c := column{name: "x", dt: int64Type}
	for _, v := range values {
		c.values = append(c.values, v)
	}
	return c
}

func doubles(values ...float64) column {
	c := column{name: "x", dt: float64Type}
	for _, v := range values {
		c.values = append(c.values, v)
	}
	return c
}

func TestSumOverflow(t *testing.T) {
	runVariants(t, func(v variant) {
		_, err := aggregateOne(t, v, "sum", int64Type, ints(math.MaxInt64, 1))
		require.True(t, fault.Is(err, fault.InvalidArgument))
		require.EqualError(t, err, "sum does not fit BIGINT; sum(CAST(x AS DECIMAL(38, 0))) has room for 38 digits")
		// What overflows on the way but not in the end is right.
		got, err := aggregateOne(t, v, "sum", int64Type, ints(math.MaxInt64, math.MaxInt64, -math.MaxInt64, -5))
		require.NoError(t, err)
		require.EqualValues(t, math.MaxInt64-5, got)
		got, err = aggregateOne(t, v, "avg", float64Type, ints(math.MaxInt64, math.MaxInt64, math.MaxInt64))
		require.NoError(t, err)
		require.EqualValues(t, float64(math.MaxInt64), got)
		got, err = aggregateOne(t, v, "sum", &arrow.Decimal128Type{Precision: 38}, ints(math.MaxInt64, math.MaxInt64))
		require.NoError(t, err)
		require.Equal(t, decimal128.FromBigInt(new(big.Int).Lsh(big.NewInt(math.MaxInt64), 1)).ToString(0), got)
	})
}

// The sum must not depend on which worker adds what: ten runs of a cancelling sum agree to the bit with
// the exact one.
func TestFloatSumsAreReproducible(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var values []float64
	exact := new(big.Float).SetPrec(3000)
	for range 20_000 {
		f := (r.Float64() - 0.5) * math.Pow(10, float64(r.IntN(12)))
		values = append(values, f)
		exact.Add(exact, big.NewFloat(f))
	}
	want, _ := exact.Float64()
	for _, split := range []bool{false, true} {
		for range 5 {
			v := variant{&op.Env{Mem: newChecked(t), Workers: 4}, 300, split}
			got, err := aggregateOne(t, v, "sum", float64Type, doubles(values...))
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
}

func TestSumsOfInfinities(t *testing.T) {
	runVariants(t, func(v variant) {
		for _, c := range []struct {
			in   []float64
			want float64
		}{{[]float64{1, inf, 2}, inf}, {[]float64{-inf, 3}, -inf}, {[]float64{inf, 1, -inf}, nan}, {[]float64{nan, 1}, nan}} {
			got, err := aggregateOne(t, v, "sum", float64Type, doubles(c.in...))
			require.NoError(t, err)
			require.Equal(t, groupText(c.want), groupText(got))
		}
	})
}

func TestStatistics(t *testing.T) {
	x := doubles(1, 2, 4, 8, 16, 1e9, 1e9+1)
	y := doubles(3, 1, 4, 1, 5, 9, 2)
	mean := func(c column) (m float64) {
		for _, v := range c.values {
			m += v.(float64) / float64(len(c.values))
		}
		return m
	}
	dot := func(a, b column) (s float64) {
		for i := range a.values {
			s += (a.values[i].(float64) - mean(a)) * (b.values[i].(float64) - mean(b))
		}
		return s
	}
	n := float64(len(x.values))
	runVariants(t, func(v variant) {
		for name, want := range map[string]float64{
			"variance": dot(x, x) / (n - 1), "var_samp": dot(x, x) / (n - 1), "var_pop": dot(x, x) / n,
			"stddev": math.Sqrt(dot(x, x) / (n - 1)), "stddev_pop": math.Sqrt(dot(x, x) / n),
		} {
			got, err := aggregateOne(t, v, name, float64Type, x)
			require.NoError(t, err)
			require.InEpsilon(t, want, got, 1e-12, name)
		}
		for name, want := range map[string]float64{
			"covar_samp": dot(x, y) / (n - 1), "covar_pop": dot(x, y) / n, "corr": dot(x, y) / math.Sqrt(dot(x, x)*dot(y, y)),
			"regr_slope": dot(x, y) / dot(x, x), "regr_avgx": mean(x), "regr_avgy": mean(y),
			"regr_intercept": mean(y) - dot(x, y)/dot(x, x)*mean(x), "regr_r2": dot(x, y) * dot(x, y) / dot(x, x) / dot(y, y),
		} {
			got, err := aggregateOne(t, v, name, float64Type, y, x)
			require.NoError(t, err)
			require.InEpsilon(t, want, got, 1e-9, name)
		}
		got, err := aggregateOne(t, v, "variance", float64Type, doubles(5))
		require.NoError(t, err)
		require.Nil(t, got)
		got, err = aggregateOne(t, v, "var_pop", float64Type, doubles(0.1, 0.1, 0.1))
		require.NoError(t, err)
		require.EqualValues(t, 0, got)
	})
}

func TestQuantiles(t *testing.T) {
	x := ints(5, 1, 4, 1, 3, 2)
	q := func(f float64) column { return doubles(f, f, f, f, f, f) }
	runVariants(t, func(v variant) {
		for _, c := range []struct {
			name string
			args []column
			out  arrow.DataType
			want any
		}{
			{"median", []column{x}, float64Type, 2.5},
			{"mode", []column{x}, int64Type, int64(1)},
			{"quantile_cont", []column{x, q(0.25)}, float64Type, 1.25},
			{"quantile_disc", []column{x, q(0.5)}, int64Type, int64(2)},
			{"quantile_disc", []column{x, q(0)}, int64Type, int64(1)},
			{"quantile_cont", []column{x, q(1)}, float64Type, 5.0},
		} {
			got, err := aggregateOne(t, v, c.name, c.out, c.args...)
			require.NoError(t, err)
			require.Equal(t, c.want, got, c.name)
		}
		_, err := aggregateOne(t, v, "quantile_cont", float64Type, x, q(2))
		require.True(t, fault.Is(err, fault.InvalidArgument))
	})
}

func TestModeOfText(t *testing.T) {
	words := column{name: "w", dt: arrow.BinaryTypes.String, values: []any{"b", "a", nil, "b", "a", "c", nil, nil}}
	runVariants(t, func(v variant) {
		got, err := aggregateOne(t, v, "mode", words.dt, words)
		require.NoError(t, err)
		require.Equal(t, "a", got)
		words := words
		words.values = []any{nil, nil}
		got, err = aggregateOne(t, v, "mode", words.dt, words)
		require.NoError(t, err)
		require.Nil(t, got)
	})
}

func TestArgMin(t *testing.T) {
	x := column{name: "x", dt: arrow.BinaryTypes.String, values: []any{"a", "b", "c", nil, "e", "f"}}
	by := column{name: "by", dt: int64Type, values: []any{int64(3), int64(1), int64(1), int64(0), int64(9), nil}}
	runVariants(t, func(v variant) {
		for name, want := range map[string]any{"arg_min": "b", "min_by": "b", "arg_max": "e", "max_by": "e"} {
			got, err := aggregateOne(t, v, name, x.dt, x, by)
			require.NoError(t, err)
			require.Equal(t, want, got, name)
		}
	})
}

func TestIntervals(t *testing.T) {
	b := array.NewMonthDayNanoIntervalBuilder(memory.DefaultAllocator)
	b.Append(arrow.MonthDayNanoInterval{Months: 1, Days: 1})
	b.AppendNull()
	b.Append(arrow.MonthDayNanoInterval{Months: 2, Days: 2, Nanoseconds: 7})
	a := b.NewArray()
	for avg, want := range map[bool]arrow.MonthDayNanoInterval{
		false: {Months: 3, Days: 3, Nanoseconds: 7},
		true:  {Months: 1, Days: 16, Nanoseconds: 12*3600*1_000_000_000 + 4}, // half of 33 days, 7 ns rounded
	} {
		env := &op.Env{Mem: memory.DefaultAllocator}
		s, o := &agg.IntervalSum{Env: env, Avg: avg}, &agg.IntervalSum{Env: env, Avg: avg}
		s.Resize(1)
		o.Resize(2)
		require.NoError(t, o.Add(op.GroupInput{Args: []arrow.Array{a}, Rows: a.Len()}))
		require.NoError(t, s.Merge(o, []int32{0, 0}))
		got, err := s.Result([]int32{0})
		require.NoError(t, err)
		require.Equal(t, want, got.(*array.MonthDayNanoInterval).Value(0))
	}
}

func TestBits(t *testing.T) {
	runVariants(t, func(v variant) {
		for name, want := range map[string]int64{"bit_and": -1 & 6 & 4 & 7, "bit_or": -1 | 6 | 4 | 7, "bit_xor": -1 ^ 6 ^ 4 ^ 7} {
			got, err := aggregateOne(t, v, name, int64Type, ints(-1, 6, 4, 7))
			require.NoError(t, err)
			require.Equal(t, want, got, name)
		}
	})
}

func TestMinMaxOfLists(t *testing.T) {
	lists := column{name: "l", dt: arrow.ListOf(int64Type), values: []any{[]any{int64(2)}, []any{int64(1), int64(9)}, nil, []any{int64(1)}}}
	runVariants(t, func(v variant) {
		got, err := aggregateOne(t, v, "min", lists.dt, lists)
		require.NoError(t, err)
		require.Equal(t, []any{int64(1)}, got)
		got, err = aggregateOne(t, v, "max", lists.dt, lists)
		require.NoError(t, err)
		require.Equal(t, []any{int64(2)}, got)
	})
}

func TestUnknownAggregate(t *testing.T) {
	_, err := aggregateOne(t, variant{env: &op.Env{}}, "geomean", float64Type, doubles(1))
	require.True(t, fault.Is(err, fault.Unsupported))
	require.ErrorContains(t, err, "not supported: aggregate function geomean")
}

func TestManyGroups(t *testing.T) {
	const n = 40_000
	data := []column{{name: "g", dt: int64Type}, {name: "s", dt: arrow.BinaryTypes.String}, {name: "x", dt: int64Type}}
	for i := range n {
		data[0].values = append(data[0].values, int64(i*7919%n/2))
		data[1].values = append(data[1].values, fmt.Sprint("text ", i*7919%n/2))
		data[2].values = append(data[2].values, int64(1))
	}
	cols := relation(1, data)
	for _, by := range [][]int{{0}, {1}, {0, 1}} {
		for _, split := range []bool{false, true} {
			env := &op.Env{Mem: newChecked(t), Workers: 3, Budget: op.NewBudget(0)}
			node := &plan.Aggregate{Aggs: []plan.AggCall{{Name: "sum", Args: []expr.Expr{col(cols, 2)}, Col: outCol(9, "s", int64Type)}}}
			for _, c := range by {
				node.Groups = append(node.Groups, plan.NamedExpr{Expr: col(cols, c), Col: cols[c]})
			}
			op, err := agg.NewAggregate(node, env, newMemOp(env, cols, data, 1000, split))
			require.NoError(t, err)
			rows := drain(t, op)
			require.Len(t, rows, n/2)
			for i, row := range rows[:100] {
				require.Equal(t, data[by[0]].values[i], row[0], "groups come in order of appearance")
				require.EqualValues(t, 2, row[len(row)-1])
			}
			require.Positive(t, op.Stats().PeakBytes.Load())
			require.Zero(t, env.Budget.Used())
		}
	}
}

func TestAggregateOverTheLimit(t *testing.T) {
	env := &op.Env{Mem: newChecked(t), Workers: 2, Budget: op.NewBudget(100_000)}
	data := []column{{name: "g", dt: int64Type}}
	for i := range 40_000 {
		data[0].values = append(data[0].values, int64(i))
	}
	cols := relation(1, data)
	op, err := agg.NewAggregate(&plan.Aggregate{Groups: []plan.NamedExpr{{Expr: col(cols, 0), Col: cols[0]}}}, env,
		newMemOp(env, cols, data, 1000, true))
	require.NoError(t, err)
	_, err = tryDrain(t, op)
	require.True(t, fault.Is(err, fault.ResourceExhausted))
	require.Zero(t, env.Budget.Used())
}
