package expr_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/gather"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
)

// Every expression of the golden file that has answers is evaluated in many shapes of input; each row
// must come out as it does alone.

// corpus are the expressions that evaluate over the golden table, with their answers.
func corpus(t *testing.T, batch arrow.RecordBatch) map[string][]string {
	out := map[string][]string{}
	for _, g := range readGolden(t) {
		a, err := goldenAnswer(t, g.SQL, batch, memory.NewGoAllocator())
		if err == nil {
			out[g.SQL] = a.rows
		}
	}
	require.Greater(t, len(out), 900)
	return out
}

// rowsOf takes rows of a batch, in order.
func rowsOf(t testing.TB, batch arrow.RecordBatch, rows []int32) arrow.RecordBatch {
	b, err := gather.TakeBatch(memory.NewGoAllocator(), batch, rows)
	require.NoError(t, err)
	return b
}

// checkRows evaluates sql over batch, whose row i is row rows[i] of the golden table.
func checkRows(t *testing.T, sql string, batch arrow.RecordBatch, rows []int32, want []string) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	got, err := goldenAnswer(t, sql, batch, mem)
	require.NoError(t, err, sql)
	for i, r := range rows {
		require.Equal(t, want[r], got.rows[i], "%s: row %d, which is golden row %d", sql, i, r)
	}
}

func shuffled(n int, seed uint64) []int32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(rng.IntN(12))
	}
	return rows
}

func TestRowsDoNotDependOnTheirNeighbours(t *testing.T) {
	batch := goldenTable(t, memory.NewGoAllocator())
	all := corpus(t, batch)
	shapes := map[string][]int32{"one row": {4}, "long": shuffled(200, 1), "without NULL rows": nil, "NULLs only": {5, 5, 5}, "none": {}}
	for _, r := range shuffled(150, 2) {
		if r != 5 && r != 4 && r != 6 && r != 7 && r != 8 {
			shapes["without NULL rows"] = append(shapes["without NULL rows"], r)
		}
	}
	for name, rows := range shapes {
		b := rowsOf(t, batch, rows)
		for sql, want := range all {
			checkRows(t, sql, b, rows, want)
		}
		_ = name
	}
}

func TestSlicesWithOffsets(t *testing.T) {
	batch := goldenTable(t, memory.NewGoAllocator())
	rows := shuffled(300, 3)
	long := rowsOf(t, batch, rows)
	for sql, want := range corpus(t, batch) {
		for _, cut := range [][2]int64{{1, 300}, {7, 80}, {64, 128}, {67, 200}, {299, 300}} {
			checkRows(t, sql, long.NewSlice(cut[0], cut[1]), rows[cut[0]:cut[1]], want)
		}
	}
}

// mapColumns rebuilds the columns of a batch.
func mapColumns(batch arrow.RecordBatch, f func(a arrow.Array) arrow.Array) arrow.RecordBatch {
	var fields []arrow.Field
	var cols []arrow.Array
	for i, c := range batch.Columns() {
		n := f(c)
		fields = append(fields, arrow.Field{Name: batch.ColumnName(i), Type: n.DataType(), Nullable: true})
		cols = append(cols, n)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, batch.NumRows())
}

func TestOtherLayoutsOfTheSameValues(t *testing.T) {
	batch := goldenTable(t, memory.NewGoAllocator())
	all := corpus(t, batch)
	rows := shuffled(100, 4)
	mem := memory.NewGoAllocator()
	cast := func(a arrow.Array, to arrow.DataType) arrow.Array {
		c, err := cast.Array(mem, a, to, false)
		require.NoError(t, err)
		return c
	}
	dict := func(t arrow.DataType) arrow.DataType {
		return &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: t}
	}
	for name, f := range map[string]func(arrow.Array) arrow.Array{
		"large": func(a arrow.Array) arrow.Array {
			switch a.DataType().ID() {
			case arrow.STRING:
				return cast(a, arrow.BinaryTypes.LargeString)
			case arrow.BINARY:
				return cast(a, arrow.BinaryTypes.LargeBinary)
			case arrow.LIST:
				return cast(a, arrow.LargeListOf(value.TypeInt32))
			}
			return a
		},
		"view": func(a arrow.Array) arrow.Array {
			switch a.DataType().ID() {
			case arrow.STRING:
				return cast(a, arrow.BinaryTypes.StringView)
			case arrow.BINARY:
				return cast(a, arrow.BinaryTypes.BinaryView)
			}
			return a
		},
		"dictionary": func(a arrow.Array) arrow.Array {
			switch a.DataType().ID() {
			case arrow.STRING, arrow.INT32, arrow.INT64, arrow.FLOAT64, arrow.BINARY:
				return cast(a, dict(a.DataType()))
			}
			return a
		},
	} {
		other := mapColumns(rowsOf(t, batch, rows), f)
		sliced := other.NewSlice(13, 90)
		for sql, want := range all {
			if strings.Contains(sql, "::") && name != "large" {
				continue // the same casts again
			}
			checkRows(t, sql, other, rows, want)
			checkRows(t, sql, sliced, rows[13:90], want)
		}
	}
}

// withMask adds boolean column m, true for the chosen rows.
func withMask(batch arrow.RecordBatch, chosen func(i int) bool) arrow.RecordBatch {
	b := array.NewBooleanBuilder(memory.NewGoAllocator())
	for i := range int(batch.NumRows()) {
		b.Append(chosen(i))
	}
	fields := append(batch.Schema().Fields(), arrow.Field{Name: "m", Type: value.TypeBool})
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), append(batch.Columns(), b.NewArray()), batch.NumRows())
}

// Inside a CASE an expression sees some of the rows only.
func TestExpressionsOverSomeRows(t *testing.T) {
	batch := goldenTable(t, memory.NewGoAllocator())
	rows := shuffled(140, 5)
	mask := func(i int) bool { return i%3 == 1 || i > 120 }
	b := withMask(rowsOf(t, batch, rows), mask)
	sliced := b.NewSlice(9, 131)
	for sql, want := range corpus(t, batch) {
		if strings.Contains(sql, "::") && strings.HasPrefix(sql, "'") {
			continue
		}
		check := func(b arrow.RecordBatch, rows []int32, shift int) {
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			defer func() { require.Zero(t, mem.CurrentAlloc(), sql) }()
			guarded := "CASE WHEN m THEN (" + sql + ") END"
			got, err := goldenAnswer(t, guarded, b, mem)
			require.NoError(t, err, guarded)
			for i, r := range rows {
				w := "NULL"
				if mask(i + shift) {
					w = want[r]
				}
				require.Equal(t, w, got.rows[i], "%s, row %d", guarded, i)
			}
		}
		check(b, rows, 0)
		check(sliced, rows[9:131], 9)
	}
}

// Select finds the rows where Eval is true, in every context.
func TestSelectAgreesWithEval(t *testing.T) {
	batch := goldenTable(t, memory.NewGoAllocator())
	rows := shuffled(200, 6)
	b := withMask(rowsOf(t, batch, rows), func(i int) bool { return i%5 != 2 })
	sliced := b.NewSlice(3, 197)
	ctx := context.Background()
	conditions := 0
	for sql, want := range corpus(t, batch) {
		e, err := bindText(sql, b.Schema())
		require.NoError(t, err)
		if e.Type().ID() != arrow.BOOL {
			continue
		}
		conditions++
		for form, expect := range map[string]func(value string, m bool) bool{
			"(%)":                            func(v string, m bool) bool { return v == "true" },
			"NOT (%)":                        func(v string, m bool) bool { return v == "false" },
			"m AND (%)":                      func(v string, m bool) bool { return m && v == "true" },
			"m AND NOT (%)":                  func(v string, m bool) bool { return m && v == "false" },
			"NOT (NOT m OR (%))":             func(v string, m bool) bool { return m && v == "false" },
			"NOT m OR (%)":                   func(v string, m bool) bool { return !m || v == "true" },
			"NOT (m AND (%))":                func(v string, m bool) bool { return !m || v == "false" },
			"(%) OR (NOT m AND id > 3)":      nil,
			"(%) IS NULL":                    func(v string, m bool) bool { return v == "NULL" },
			"((%) AND m) OR ((%) AND NOT m)": func(v string, m bool) bool { return v == "true" },
		} {
			text := strings.ReplaceAll(form, "%", sql)
			e, err := bindText(text, b.Schema())
			require.NoError(t, err, text)
			for _, in := range []struct {
				batch arrow.RecordBatch
				rows  []int32
				shift int
			}{{b, rows, 0}, {sliced, rows[3:197], 3}} {
				p, err := expr.Compile(e, positions(in.batch))
				require.NoError(t, err, text)
				mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
				input := inputOf(in.batch, mem)
				sel, err := p.Select(ctx, input, []int32{-7})
				require.NoError(t, err, text)
				require.Equal(t, int32(-7), sel[0])
				a, err := p.Eval(ctx, input)
				require.NoError(t, err, text)
				var fromEval, byRow []int32
				for i := range in.rows {
					if a.IsValid(i) && a.(*array.Boolean).Value(i) {
						fromEval = append(fromEval, int32(i))
					}
					if expect != nil && expect(want[in.rows[i]], (i+in.shift)%5 != 2) {
						byRow = append(byRow, int32(i))
					}
				}
				a.Release()
				mem.AssertSize(t, 0)
				require.Equal(t, fromEval, append([]int32(nil), sel[1:]...), text)
				if expect != nil {
					require.Equal(t, byRow, fromEval, text)
				}
			}
		}
	}
	require.Greater(t, conditions, 300)
}
