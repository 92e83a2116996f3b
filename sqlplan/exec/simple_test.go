package exec

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/agg"
	"lanceflight/sqlplan/exec/join"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/exec/order"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

var int64Type arrow.DataType = arrow.PrimitiveTypes.Int64

func intLiteral(v int64) *expr.Literal { return &expr.Literal{Value: v, T: int64Type} }

func greater(x expr.Expr, v int64) expr.Expr {
	return &expr.Compare{Op: ">", X: x, Y: intLiteral(v)}
}

// testData is a relation of n rows: a BIGINT, b TEXT, c DOUBLE, n BIGINT ascending.
func testData(n int, nulls bool) []column {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	cols := []column{
		randomColumn(r, "a", int64Type, n, nulls),
		randomColumn(r, "b", arrow.BinaryTypes.String, n, nulls),
		randomColumn(r, "c", arrow.PrimitiveTypes.Float64, n, nulls),
		{name: "n", dt: int64Type},
	}
	for i := range n {
		cols[3].values = append(cols[3].values, int64(i))
	}
	return cols
}

func TestFilter(t *testing.T) {
	runVariants(t, func(v variant) {
		data := testData(50, true)
		cols := relation(1, data)
		in := newMemOp(v.env, cols, data, v.size, v.split)
		op, err := op.NewFilter(&plan.Filter{Cond: greater(col(cols, 0), 1)}, v.env, in)
		require.NoError(t, err)
		var want [][]any
		for _, row := range transpose(data) {
			if a, ok := row[0].(int64); ok && a > 1 {
				want = append(want, row)
			}
		}
		require.Equal(t, texts(want), texts(drain(t, op)))
		require.EqualValues(t, len(want), op.Stats().Rows.Load())
		require.EqualValues(t, 50, op.Stats().RowsRead.Load())
	})
}

func TestProject(t *testing.T) {
	runVariants(t, func(v variant) {
		data := testData(20, true)
		cols := relation(1, data)
		in := newMemOp(v.env, cols, data, v.size, v.split)
		op, err := op.NewProject(&plan.Project{Exprs: []plan.NamedExpr{
			{Expr: col(cols, 3), Col: outCol(10, "x", int64Type)},
			{Expr: &expr.IsNull{X: col(cols, 0)}, Col: outCol(11, "y", arrow.FixedWidthTypes.Boolean)},
			{Expr: intLiteral(7), Col: outCol(12, "z", int64Type)},
		}}, v.env, in)
		require.NoError(t, err)
		for i, row := range drain(t, op) {
			require.Equal(t, []any{int64(i), data[0].values[i] == nil, int64(7)}, row)
		}
		require.EqualValues(t, 20, op.Stats().Rows.Load())
	})
}

func TestProjectOfAnotherTypeThanPlanned(t *testing.T) {
	env := &op.Env{Mem: memory.DefaultAllocator}
	data := testData(5, false)
	cols := relation(1, data)
	op, err := op.NewProject(&plan.Project{Exprs: []plan.NamedExpr{{Expr: col(cols, 0), Col: outCol(9, "x", arrow.BinaryTypes.String)}}},
		env, newMemOp(env, cols, data, 5, false))
	require.NoError(t, err)
	_, err = tryDrain(t, op)
	require.True(t, fault.Is(err, fault.Internal))
	require.ErrorContains(t, err, `column "x" was planned as utf8 and came out as int64`)
}

func TestLimit(t *testing.T) {
	for _, c := range []struct{ count, offset, from, to int64 }{
		{-1, -1, 0, 20}, {5, -1, 0, 5}, {0, 0, 0, 0}, {5, 3, 3, 8}, {100, 18, 18, 20}, {3, 30, 20, 20}, {-1, 7, 7, 20},
	} {
		runVariants(t, func(v variant) {
			data := testData(20, false)
			cols := relation(1, data)
			n := &plan.Limit{}
			if c.count >= 0 {
				n.Count = intLiteral(c.count)
			}
			if c.offset >= 0 {
				n.Offset = intLiteral(c.offset)
			}
			in := newMemOp(v.env, cols, data, v.size, v.split)
			op, err := op.NewLimit(n, v.env, in)
			require.NoError(t, err)
			rows := drain(t, op)
			require.Len(t, rows, int(c.to-c.from))
			for i, row := range rows {
				require.Equal(t, c.from+int64(i), row[3])
			}
			if c.count == 0 {
				require.Zero(t, in.at, "nothing is read for LIMIT 0")
			}
		})
	}
}

func TestLimitOfParameters(t *testing.T) {
	env := &op.Env{Mem: memory.DefaultAllocator, Params: []expr.Literal{{Value: int64(-1), T: int64Type}}}
	data := testData(5, false)
	op, err := op.NewLimit(&plan.Limit{Count: &expr.Param{Slot: 0, T: int64Type}}, env, newMemOp(env, relation(1, data), data, 5, false))
	require.NoError(t, err)
	_, err = tryDrain(t, op)
	require.True(t, fault.Is(err, fault.InvalidArgument))
	require.ErrorContains(t, err, "LIMIT must not be negative, got -1")
}

func TestUnion(t *testing.T) {
	runVariants(t, func(v variant) {
		a, b := testData(9, true), testData(13, false)
		n := &plan.Union{Out: relation(50, a)}
		ina := newMemOp(v.env, relation(1, a), a, v.size, v.split)
		inb := newMemOp(v.env, relation(20, b), b, v.size, false)
		op, err := op.NewUnion(n, v.env, []op.Operator{ina, inb})
		require.NoError(t, err)
		require.Equal(t, texts(append(transpose(a), transpose(b)...)), texts(drain(t, op)))
	})
}

// Positions of a union must follow the order of its rows, or else sorts above it would not be stable.
func TestUnionPositions(t *testing.T) {
	runVariants(t, func(v variant) {
		a, b := testData(30, false), testData(30, false)
		n := &plan.Union{Out: relation(50, a)}
		op, err := op.NewUnion(n, v.env, []op.Operator{
			newMemOp(v.env, relation(1, a), a, v.size, v.split), newMemOp(v.env, relation(1, b), b, v.size, v.split)})
		require.NoError(t, err)
		top, err := order.NewSort(&plan.Sort{Keys: []plan.SortKey{{Expr: intLiteral(0)}}, Limit: intLiteral(45)}, v.env, op)
		require.NoError(t, err)
		for i, row := range drain(t, top) {
			require.EqualValues(t, i%30, row[3])
		}
	})
}

func TestValues(t *testing.T) {
	runVariants(t, func(v variant) {
		v.env.Params = []expr.Literal{{Value: "p", T: arrow.BinaryTypes.String}}
		n := &plan.Values{Out: []plan.Col{outCol(1, "a", int64Type), outCol(2, "b", arrow.BinaryTypes.String)}, Rows: [][]expr.Expr{
			{intLiteral(1), &expr.Literal{Value: "x", T: arrow.BinaryTypes.String}},
			{&expr.Literal{T: int64Type}, &expr.Param{Slot: 0, T: arrow.BinaryTypes.String}},
		}}
		op, err := Build(n, v.env)
		require.NoError(t, err)
		require.Equal(t, [][]any{{int64(1), "x"}, {nil, "p"}}, drain(t, op))

		op, err = Build(&plan.Values{Rows: [][]expr.Expr{{}}}, v.env)
		require.NoError(t, err)
		require.Equal(t, [][]any{{}}, drain(t, op), "FROM-less SELECT has one row")
	})
}

func TestRecords(t *testing.T) {
	runVariants(t, func(v variant) {
		data := testData(25, true)
		cols := relation(1, data)
		op, err := Build(&plan.Records{Name: "tables", Out: cols, Make: func() (arrow.RecordBatch, error) {
			return newMemOp(v.env, cols, data, 25, false).batch(0), nil
		}}, v.env)
		require.NoError(t, err)
		require.Equal(t, texts(transpose(data)), texts(drain(t, op)))

		op, err = Build(&plan.Records{Out: cols, Make: func() (arrow.RecordBatch, error) { return nil, io.ErrUnexpectedEOF }}, v.env)
		require.NoError(t, err)
		_, err = tryDrain(t, op)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})
}

func TestCloseBeforeOpen(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	env := &op.Env{Mem: mem}
	data := testData(5, false)
	cols := relation(1, data)
	key := []plan.SortKey{{Expr: col(cols, 0)}}
	for _, n := range []plan.Node{
		&plan.Filter{Input: &plan.Values{Out: cols}, Cond: greater(col(cols, 0), 1)},
		&plan.Sort{Input: &plan.Values{Out: cols}, Keys: key},
		&plan.Sort{Input: &plan.Values{Out: cols}, Keys: key, Limit: intLiteral(3)},
		&plan.Distinct{Input: &plan.Values{Out: cols}},
		&plan.Aggregate{Input: &plan.Values{Out: cols}},
		&plan.Join{Kind: "INNER", Left: &plan.Values{Out: cols}, Right: &plan.Values{Out: cols}},
	} {
		op, err := Build(n, env)
		require.NoError(t, err)
		require.NoError(t, op.Close())
		_, err = op.Next(context.Background())
		require.Error(t, err, "%T", n)
	}
}

func TestErrorsOfInputsPass(t *testing.T) {
	broken := errors.New("broken")
	runVariants(t, func(v variant) {
		data := testData(20, false)
		cols := relation(1, data)
		key := []plan.SortKey{{Expr: col(cols, 0)}}
		for _, make := range []func(in op.Operator) (op.Operator, error){
			func(in op.Operator) (op.Operator, error) {
				return op.NewFilter(&plan.Filter{Cond: greater(col(cols, 0), 1)}, v.env, in)
			},
			func(in op.Operator) (op.Operator, error) { return order.NewSort(&plan.Sort{Keys: key}, v.env, in) },
			func(in op.Operator) (op.Operator, error) {
				return order.NewSort(&plan.Sort{Keys: key, Limit: intLiteral(3)}, v.env, in)
			},
			func(in op.Operator) (op.Operator, error) { return agg.NewDistinct(&plan.Distinct{}, v.env, in) },
			func(in op.Operator) (op.Operator, error) { return op.NewLimit(&plan.Limit{}, v.env, in) },
			func(in op.Operator) (op.Operator, error) {
				return agg.NewAggregate(&plan.Aggregate{Aggs: []plan.AggCall{{Name: "count", Col: outCol(9, "n", int64Type)}}}, v.env, in)
			},
			func(in op.Operator) (op.Operator, error) {
				right := newMemOp(v.env, relation(20, data), data, v.size, false)
				return join.NewJoin(&plan.Join{Kind: "CROSS", Out: cols}, v.env, in, right)
			},
		} {
			in := newMemOp(v.env, cols, data, v.size, v.split)
			in.fail = broken
			op, err := make(in)
			require.NoError(t, err)
			_, err = tryDrain(t, op)
			require.ErrorIs(t, err, broken, op.Stats().Name)
		}
	})
}

func TestPanicsBecomeErrors(t *testing.T) {
	env := &op.Env{Mem: memory.DefaultAllocator}
	op, err := Build(&plan.Records{Name: "x", Make: func() (arrow.RecordBatch, error) { panic("boom") }}, env)
	require.NoError(t, err)
	_, err = tryDrain(t, op)
	require.True(t, fault.Is(err, fault.Internal))
	require.ErrorContains(t, err, "boom")
}

func TestSubplans(t *testing.T) {
	env := &op.Env{Mem: memory.DefaultAllocator, Params: []expr.Literal{{Value: int64(5), T: int64Type}}}
	one := &plan.Values{Out: []plan.Col{outCol(1, "a", int64Type)}, Rows: [][]expr.Expr{{&expr.Param{Slot: 0, T: int64Type}}}}
	none := &plan.Values{Out: one.Out}
	subplans := []plan.Subplan{{Slot: 1, Root: one, Type: int64Type}, {Slot: 2, Root: none, Type: int64Type}}
	require.NoError(t, RunSubplans(context.Background(), subplans, env))
	require.Equal(t, []expr.Literal{{Value: int64(5), T: int64Type}, {Value: int64(5), T: int64Type}, {T: int64Type}}, env.Params)

	two := &plan.Values{Out: one.Out, Rows: append(one.Rows, one.Rows...)}
	subplans = []plan.Subplan{{Slot: 1, Root: two, Type: int64Type}}
	err := RunSubplans(context.Background(), subplans, env)
	require.True(t, fault.Is(err, fault.InvalidArgument))
	require.ErrorContains(t, err, "more than one row")
}

func TestBudget(t *testing.T) {
	b := op.NewBudget(1 << 20)
	require.NoError(t, b.Reserve(1<<20, "sort"))
	err := b.Reserve(1, "sort")
	require.True(t, fault.Is(err, fault.ResourceExhausted))
	require.ErrorContains(t, err, "limit of 1 MiB: sort wants 1 KiB more, 1024 KiB are in use")
	b.Release(1 << 20)
	require.Zero(t, b.Used())
	require.EqualValues(t, 1<<20, b.Peak())
	var none *op.Budget
	require.NoError(t, none.Reserve(1<<40, "x"))
	require.Zero(t, none.Used()+none.Peak()+none.Limit())
}

func TestCancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(fault.New(fault.DeadlineExceeded, "statement timeout"))
	env := &op.Env{Mem: memory.DefaultAllocator}
	data := testData(5, false)
	op, err := op.NewLimit(&plan.Limit{}, env, newMemOp(env, relation(1, data), data, 5, false))
	require.NoError(t, err)
	require.NoError(t, op.Open(ctx))
	_, err = op.Next(ctx)
	require.ErrorContains(t, err, "statement timeout")
	require.NoError(t, op.Close())
}
