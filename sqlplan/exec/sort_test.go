package exec

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/exec/order"
	"lanceflight/sqlplan/plan"
)

// sortCase is a random relation with random keys; the last column numbers the rows.
func sortCase(rt *rapid.T) (data []column, keys []plan.SortKey, by []int) {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
	n := rapid.IntRange(0, 60).Draw(rt, "rows")
	for range rapid.IntRange(1, 3).Draw(rt, "keys") {
		by = append(by, len(data))
		data = append(data, randomColumn(r, "k", rapid.SampledFrom(testTypes).Draw(rt, "type"), n, rapid.Bool().Draw(rt, "nulls")))
	}
	number := column{name: "n", dt: int64Type}
	for i := range n {
		number.values = append(number.values, int64(i))
	}
	data = append(data, number)
	cols := relation(1, data)
	for _, c := range by {
		keys = append(keys, plan.SortKey{Expr: col(cols, c), Desc: rapid.Bool().Draw(rt, "desc"),
			NullsFirst: rapid.Bool().Draw(rt, "nulls first")})
	}
	return data, keys, by
}

func TestSortAgainstGo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		data, keys, by := sortCase(rt)
		want := texts(naiveSort(transpose(data), by, keys))
		runVariants(t, func(v variant) {
			in := newMemOp(v.env, relation(1, data), data, v.size, v.split)
			op, err := order.NewSort(&plan.Sort{Keys: keys}, v.env, in)
			require.NoError(t, err)
			require.Equal(t, want, append([]string{}, texts(drain(t, op))...))
		})
	})
}

func TestTopKAgainstGo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		data, keys, by := sortCase(rt)
		want := texts(naiveSort(transpose(data), by, keys))
		k := rapid.IntRange(0, 70).Draw(rt, "k")
		want = want[:min(k, len(want))]
		runVariants(t, func(v variant) {
			in := newMemOp(v.env, relation(1, data), data, v.size, v.split)
			op, err := order.NewSort(&plan.Sort{Keys: keys, Limit: intLiteral(int64(k))}, v.env, in)
			require.NoError(t, err)
			require.Equal(t, want, append([]string{}, texts(drain(t, op))...))
		})
	})
}

func TestTopKCompactsItsCopies(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	env := &op.Env{Mem: mem, Workers: 2, Budget: op.NewBudget(0)}
	const n = 50_000
	data := []column{{name: "n", dt: int64Type}}
	for i := range n { // descending, so that every row enters the heap
		data[0].values = append(data[0].values, int64(n-i))
	}
	cols := relation(1, data)
	op, err := order.NewSort(&plan.Sort{Keys: []plan.SortKey{{Expr: col(cols, 0)}}, Limit: intLiteral(10)}, env,
		newMemOp(env, cols, data, 100, true))
	require.NoError(t, err)
	rows := drain(t, op)
	for i, row := range rows {
		require.EqualValues(t, i+1, row[0])
	}
	require.Less(t, env.Budget.Peak(), int64(100_000))
}

func TestLargeTopKSortsInFull(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	env := &op.Env{Mem: mem, Workers: 2, Budget: op.NewBudget(0), BatchBytes: 1000}
	data := testData(5000, true)
	cols := relation(1, data)
	keys := []plan.SortKey{{Expr: col(cols, 0), Desc: true, NullsFirst: true}}
	op, err := order.NewSort(&plan.Sort{Keys: keys, Limit: intLiteral(order.HeapMax + 1)}, env, newMemOp(env, cols, data, 100, true))
	require.NoError(t, err)
	require.Equal(t, texts(naiveSort(transpose(data), []int{0}, keys)), texts(drain(t, op)))
	require.Zero(t, env.Budget.Used())
}

func TestSortSpills(t *testing.T) {
	for _, by := range [][]int{{0}, {1}, {2, 0}, {1, 2}} {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		dir := t.TempDir()
		env := &op.Env{Mem: mem, Budget: op.NewBudget(40_000), BatchBytes: 4000, SpillDir: dir}
		data := testData(5000, true)
		cols := relation(1, data)
		var keys []plan.SortKey
		for i, c := range by {
			keys = append(keys, plan.SortKey{Expr: col(cols, c), Desc: i == 0, NullsFirst: i == 0})
		}
		op, err := order.NewSort(&plan.Sort{Keys: keys}, env, newMemOp(env, cols, data, 100, false))
		require.NoError(t, err)
		require.Equal(t, texts(naiveSort(transpose(data), by, keys)), texts(drain(t, op)))
		require.Positive(t, op.Stats().SpillBytes.Load())
		require.NotEmpty(t, op.Stats().Notes())
		require.Zero(t, env.Budget.Used())
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left)
		mem.AssertSize(t, 0)
	}
}

func TestSortCannotSpill(t *testing.T) {
	env := &op.Env{Mem: memory.DefaultAllocator, Budget: op.NewBudget(20_000), SpillDir: "/nowhere/at/all"}
	data := testData(5000, true)
	cols := relation(1, data)
	op, err := order.NewSort(&plan.Sort{Keys: []plan.SortKey{{Expr: col(cols, 0)}}}, env, newMemOp(env, cols, data, 100, false))
	require.NoError(t, err)
	_, err = tryDrain(t, op)
	require.True(t, fault.Is(err, fault.ResourceExhausted))
	require.ErrorContains(t, err, "cannot spill")
	require.Zero(t, env.Budget.Used())
}

// A batch that exceeds the limit by itself cannot be helped by spilling.
func TestSortOfOneHugeBatch(t *testing.T) {
	env := &op.Env{Mem: memory.DefaultAllocator, Budget: op.NewBudget(1000), SpillDir: t.TempDir()}
	data := testData(5000, true)
	cols := relation(1, data)
	op, err := order.NewSort(&plan.Sort{Keys: []plan.SortKey{{Expr: col(cols, 0)}}}, env, newMemOp(env, cols, data, 5000, false))
	require.NoError(t, err)
	_, err = tryDrain(t, op)
	require.True(t, fault.Is(err, fault.ResourceExhausted))
	require.Zero(t, env.Budget.Used())
}
