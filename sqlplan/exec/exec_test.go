package exec

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// column is a column of a test relation: values are nil for NULL, else what array builders print.
type column struct {
	name   string
	dt     arrow.DataType
	values []any
}

// col is a reference to column number i of a test relation.
func col(in []plan.Col, i int) *expr.Column {
	return &expr.Column{ID: in[i].ID, Name: in[i].Name, T: in[i].Type}
}

// relation makes plan columns with ids from first on.
func relation(first expr.ColID, cols []column) []plan.Col {
	out := make([]plan.Col, len(cols))
	for i, c := range cols {
		out[i] = plan.Col{ID: first + expr.ColID(i), Name: c.name, Type: c.dt, Nullable: true}
	}
	return out
}

func outCol(id expr.ColID, name string, t arrow.DataType) plan.Col {
	return plan.Col{ID: id, Name: name, Type: t, Nullable: true}
}

// memOp yields a relation in batches of a given size; it splits into morsels of two batches if it may.
type memOp struct {
	op.Base
	data   []column
	size   int
	may    bool
	at     int
	opened bool
	fail   error // returned instead of io.EOF
}

func newMemOp(env *op.Env, cols []plan.Col, data []column, size int, may bool) *memOp {
	return &memOp{Base: op.NewBase(env, "Mem", cols), data: data, size: size, may: may}
}

func (m *memOp) Open(context.Context) error { m.opened = true; return nil }

func (m *memOp) rows() int {
	if len(m.data) == 0 {
		return 0
	}
	return len(m.data[0].values)
}

func (m *memOp) batch(from int) arrow.RecordBatch {
	to := min(from+m.size, m.rows())
	cols := make([]arrow.Array, len(m.data))
	for i, c := range m.data {
		cols[i] = makeArray(m.Env.Mem, c.dt, c.values[from:to])
	}
	defer op.ReleaseAll(cols)
	return array.NewRecordBatch(m.Schema, cols, int64(to-from))
}

func (m *memOp) Next(ctx context.Context) (arrow.RecordBatch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if m.at >= m.rows() {
		if m.fail != nil {
			return nil, m.fail
		}
		return nil, io.EOF
	}
	b := m.batch(m.at)
	m.at += m.size
	return b, nil
}

func (m *memOp) Splits() bool { return m.may }

func (m *memOp) Each(ctx context.Context, fn op.EachFunc) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	next := 0
	var first error
	for w := range m.Env.NumWorkers() {
		wg.Go(func() {
			for {
				mu.Lock()
				n := next
				next++
				stop := first != nil
				mu.Unlock()
				if stop || n*2*m.size >= m.rows() {
					return
				}
				for i := range 2 {
					from := (2*n + i) * m.size
					if from >= m.rows() {
						break
					}
					b := m.batch(from)
					err := op.Guard(func() error { return fn(ctx, w, op.MorselPosition(n, int64(i*m.size)), b) })
					b.Release()
					if err != nil {
						mu.Lock()
						first = err
						mu.Unlock()
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if errors.Is(first, op.ErrStop) {
		return nil
	}
	if first == nil {
		first = m.fail
	}
	return first
}

// makeArray builds an array of Go values; see goValue for the types.
func makeArray(mem memory.Allocator, dt arrow.DataType, values []any) arrow.Array {
	b := array.NewBuilder(mem, dt)
	defer b.Release()
	for _, v := range values {
		appendValue(b, v)
	}
	return b.NewArray()
}

func appendValue(b array.Builder, v any) {
	if v == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.Int64Builder:
		b.Append(v.(int64))
	case *array.Int32Builder:
		b.Append(int32(v.(int64)))
	case *array.Int8Builder:
		b.Append(int8(v.(int64)))
	case *array.Uint64Builder:
		b.Append(uint64(v.(int64)))
	case *array.Float64Builder:
		b.Append(v.(float64))
	case *array.Float32Builder:
		b.Append(float32(v.(float64)))
	case *array.BooleanBuilder:
		b.Append(v.(bool))
	case *array.StringBuilder:
		b.Append(v.(string))
	case *array.LargeStringBuilder:
		b.Append(v.(string))
	case *array.BinaryBuilder:
		b.AppendString(v.(string))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.(int64)))
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.(int64)))
	case *array.BinaryDictionaryBuilder:
		if err := b.AppendString(v.(string)); err != nil {
			panic(err)
		}
	case *array.ListBuilder:
		b.Append(true)
		for _, e := range v.([]any) {
			appendValue(b.ValueBuilder(), e)
		}
	default:
		panic("appendValue: " + b.Type().String())
	}
}

// goValue is a value as makeArray takes it.
func goValue(a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	switch a := a.(type) {
	case *array.Int64:
		return a.Value(i)
	case *array.Int32:
		return int64(a.Value(i))
	case *array.Int8:
		return int64(a.Value(i))
	case *array.Uint64:
		return int64(a.Value(i))
	case *array.Float64:
		return a.Value(i)
	case *array.Float32:
		return float64(a.Value(i))
	case *array.Boolean:
		return a.Value(i)
	case *array.String:
		return a.Value(i)
	case *array.LargeString:
		return a.Value(i)
	case *array.Binary:
		return a.ValueString(i)
	case *array.Timestamp:
		return int64(a.Value(i))
	case *array.Date32:
		return int64(a.Value(i))
	case *array.Dictionary:
		return goValue(a.Dictionary(), a.GetValueIndex(i))
	case array.ListLike:
		start, end := a.ValueOffsets(i)
		out := []any{}
		for j := start; j < end; j++ {
			out = append(out, goValue(a.ListValues(), int(j)))
		}
		return out
	}
	return a.ValueStr(i)
}

// drain opens op, reads everything, checks what the Operator interface promises, and closes it.
func drain(t testing.TB, op op.Operator) [][]any {
	t.Helper()
	rows, err := tryDrain(t, op)
	require.NoError(t, err)
	return rows
}

func tryDrain(t testing.TB, op op.Operator) (rows [][]any, err error) {
	t.Helper()
	defer func() {
		require.NoError(t, op.Close())
		require.NoError(t, op.Close(), "Close is idempotent")
	}()
	ctx := context.Background()
	if err := op.Open(ctx); err != nil {
		return nil, err
	}
	for {
		b, err := op.Next(ctx)
		if err != nil {
			_, again := op.Next(ctx)
			require.Equal(t, err, again, "the end repeats")
			if err == io.EOF {
				return rows, nil
			}
			return rows, err
		}
		require.Positive(t, b.NumRows(), "an empty batch")
		require.EqualValues(t, len(op.Columns()), b.NumCols())
		for i, c := range op.Columns() {
			require.Equal(t, c.Name, b.Schema().Field(i).Name)
			require.True(t, arrow.TypeEqual(c.Type, b.Column(i).DataType()), "%s: %s", c.Type, b.Column(i).DataType())
		}
		for r := range int(b.NumRows()) {
			row := make([]any, b.NumCols())
			for i := range row {
				row[i] = goValue(b.Column(i), r)
			}
			rows = append(rows, row)
		}
		b.Release()
	}
}

// variant is one way to run an operator.
type variant struct {
	env   *op.Env
	size  int // rows of input batches
	split bool
}

// runVariants runs check for many batch sizes, in sequence and in parallel, on a checked allocator that
// must end at zero, with a budget that must end unused.
func runVariants(t testing.TB, check func(v variant)) {
	t.Helper()
	for _, size := range []int{1, 3, 7, 1000} {
		for _, split := range []bool{false, true} {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			env := &op.Env{Mem: mem, Budget: op.NewBudget(0), Workers: 3, BatchBytes: int64(40 * size)}
			check(variant{env, size, split})
			mem.AssertSize(t, 0)
			require.Zero(t, env.Budget.Used(), "the budget is given back")
		}
	}
}

// randomValue draws from small domains, so that keys repeat; one in six is NULL if nulls.
func randomValue(r *rand.Rand, dt arrow.DataType, nulls bool) any {
	if nulls && r.IntN(6) == 0 {
		return nil
	}
	switch dt.ID() {
	case arrow.BOOL:
		return r.IntN(2) == 0
	case arrow.FLOAT64, arrow.FLOAT32:
		return []float64{0, negZero, 1, -1, 2.5, 3, nan, inf, -inf, 0.25}[r.IntN(10)]
	case arrow.STRING, arrow.LARGE_STRING, arrow.BINARY, arrow.DICTIONARY:
		return []string{"", "a", "b", "a\x00", "ab", "日本", "zzzzzzzzzzzz"}[r.IntN(7)]
	}
	return int64(r.IntN(11) - 5)
}

func randomColumn(r *rand.Rand, name string, dt arrow.DataType, n int, nulls bool) column {
	c := column{name: name, dt: dt, values: make([]any, n)}
	for i := range c.values {
		c.values[i] = randomValue(r, dt, nulls)
	}
	return c
}

// newChecked returns an allocator that must be empty when the test ends.
func newChecked(t testing.TB) memory.Allocator {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return mem
}
