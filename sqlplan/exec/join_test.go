package exec

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/agg"
	"lanceflight/sqlplan/exec/join"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// naiveJoin is the nested loop.
func naiveJoin(kind plan.JoinKind, left, right [][]any, match func(l, r []any) bool, nl, nr int) (out [][]any) {
	nulls := func(n int) []any { return make([]any, n) }
	used := make([]bool, len(right))
	for _, l := range left {
		any := false
		for i, r := range right {
			if match(l, r) {
				any, used[i] = true, true
				if kind != "SEMI" && kind != "ANTI" {
					out = append(out, slices.Concat(l, r))
				}
			}
		}
		switch {
		case !any && (kind == "LEFT" || kind == "FULL"):
			out = append(out, slices.Concat(l, nulls(nr)))
		case any && kind == "SEMI", !any && kind == "ANTI":
			out = append(out, l)
		}
	}
	if kind == "RIGHT" || kind == "FULL" {
		for i, r := range right {
			if !used[i] {
				out = append(out, slices.Concat(nulls(nl), r))
			}
		}
	}
	return out
}

func TestJoinAgainstGo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		kind := rapid.SampledFrom([]plan.JoinKind{"INNER", "LEFT", "RIGHT", "FULL", "CROSS", "SEMI", "ANTI"}).Draw(rt, "kind")
		keys := rapid.IntRange(0, 2).Draw(rt, "keys")
		if kind == "CROSS" {
			keys = 0
		}
		var left, right []column
		nl, nr := rapid.IntRange(0, 20).Draw(rt, "left"), rapid.IntRange(0, 20).Draw(rt, "right")
		for range keys {
			dt := rapid.SampledFrom(testTypes[:9]).Draw(rt, "type")
			left = append(left, randomColumn(r, "k", dt, nl, true))
			right = append(right, randomColumn(r, "k", dt, nr, true))
		}
		left = append(left, randomColumn(r, "l", int64Type, nl, true))
		right = append(right, randomColumn(r, "r", int64Type, nr, true))
		lc, rc := relation(1, left), relation(50, right)
		node := &plan.Join{Kind: kind}
		for k := range keys {
			node.LeftKeys = append(node.LeftKeys, col(lc, k))
			node.RightKeys = append(node.RightKeys, col(rc, k))
		}
		residual := kind != "CROSS" && rapid.Bool().Draw(rt, "residual")
		if residual {
			node.Residual = &expr.Compare{Op: "<", X: col(lc, keys), Y: col(rc, keys)}
		}
		node.Out = slices.Clone(lc)
		if kind != "SEMI" && kind != "ANTI" {
			node.Out = append(node.Out, rc...)
		}
		match := func(l, r []any) bool {
			for k := range keys {
				if l[k] == nil || r[k] == nil || compareAny(l[k], r[k]) != 0 {
					return false
				}
			}
			if !residual {
				return true
			}
			x, ok1 := l[keys].(int64)
			y, ok2 := r[keys].(int64)
			return ok1 && ok2 && x < y
		}
		want := texts(naiveJoin(kind, transpose(left), transpose(right), match, len(left), len(right)))
		slices.Sort(want)
		runVariants(t, func(v variant) {
			run := func() op.Operator {
				op, err := join.NewJoin(node, v.env, newMemOp(v.env, lc, left, v.size, v.split), newMemOp(v.env, rc, right, v.size, false))
				require.NoError(t, err)
				return op
			}
			got := texts(drain(t, run()))
			slices.Sort(got)
			require.Equal(t, want, append([]string{}, got...))

			// The same, driven in parallel by an aggregate.
			sum, err := agg.NewAggregate(&plan.Aggregate{Aggs: []plan.AggCall{{Name: "count", Col: outCol(99, "n", int64Type)}}}, v.env, run())
			require.NoError(t, err)
			require.Equal(t, [][]any{{int64(len(want))}}, drain(t, sum))
		})
	})
}

func TestJoinIsRefused(t *testing.T) {
	env := &op.Env{Mem: newChecked(t)}
	data := testData(3, false)
	cols := relation(1, data)
	_, err := join.NewJoin(&plan.Join{Kind: "ASOF"}, env, newMemOp(env, cols, data, 1, false), newMemOp(env, cols, data, 1, false))
	require.True(t, fault.Is(err, fault.Unsupported))

	env.Budget = op.NewBudget(500)
	op, err := join.NewJoin(&plan.Join{Kind: "CROSS", Out: cols}, env, newMemOp(env, cols, data, 1, false),
		newMemOp(env, relation(20, testData(500, false)), testData(500, false), 100, false))
	require.NoError(t, err)
	_, err = tryDrain(t, op)
	require.True(t, fault.Is(err, fault.ResourceExhausted))
	require.ErrorContains(t, err, "hash join wants")
	require.Zero(t, env.Budget.Used())
}

// One left row with many partners must not make one huge batch.
func TestJoinCutsBatches(t *testing.T) {
	env := &op.Env{Mem: newChecked(t), BatchBytes: 1000}
	left := []column{ints(1)}
	right := []column{{name: "r", dt: arrow.BinaryTypes.String}}
	for range 1000 {
		right[0].values = append(right[0].values, "some text of thirty characters")
	}
	lc, rc := relation(1, left), relation(20, right)
	op, err := join.NewJoin(&plan.Join{Kind: "CROSS", Out: append(lc, rc...)}, env, newMemOp(env, lc, left, 1, false),
		newMemOp(env, rc, right, 100, false))
	require.NoError(t, err)
	require.Len(t, drain(t, op), 1000)
	require.Greater(t, op.Stats().Batches.Load(), int64(20))
}
