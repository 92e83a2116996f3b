package exec

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/agg"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

func TestDistinctAgainstGo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		n := rapid.IntRange(0, 60).Draw(rt, "rows")
		var data []column
		for range rapid.IntRange(1, 3).Draw(rt, "columns") {
			data = append(data, randomColumn(r, "k", rapid.SampledFrom(testTypes).Draw(rt, "type"), n, rapid.Bool().Draw(rt, "nulls")))
		}
		cols := relation(1, data)
		node := &plan.Distinct{}
		var by []int
		for c := range data {
			if rapid.Bool().Draw(rt, "on") {
				node.On = append(node.On, cols[c].ID)
				by = append(by, c)
			}
		}
		if node.On == nil {
			for c := range data {
				by = append(by, c)
			}
		}
		var want [][]any
		for _, g := range naiveGroups(transpose(data), by) {
			if len(g) > 0 {
				want = append(want, g[0])
			}
		}
		runVariants(t, func(v variant) {
			op, err := agg.NewDistinct(node, v.env, newMemOp(v.env, cols, data, v.size, v.split))
			require.NoError(t, err)
			require.Equal(t, texts(want), texts(drain(t, op)))
		})
	})
}

func TestDistinctOverTheLimit(t *testing.T) {
	env := &op.Env{Mem: newChecked(t), Budget: op.NewBudget(10_000)}
	data := []column{{name: "n", dt: int64Type}}
	for i := range 10_000 {
		data[0].values = append(data[0].values, int64(i))
	}
	cols := relation(1, data)
	op, err := agg.NewDistinct(&plan.Distinct{}, env, newMemOp(env, cols, data, 100, false))
	require.NoError(t, err)
	_, err = tryDrain(t, op)
	require.True(t, fault.Is(err, fault.ResourceExhausted))
	require.ErrorContains(t, err, "DISTINCT wants")
}

func TestDistinctOnMissingColumn(t *testing.T) {
	env := &op.Env{Mem: newChecked(t)}
	_, err := agg.NewDistinct(&plan.Distinct{On: []expr.ColID{99}}, env, newMemOp(env, nil, nil, 1, false))
	require.True(t, fault.Is(err, fault.Internal))
}
