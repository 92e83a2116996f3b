package expr_test

import (
	"context"
	"encoding/binary"
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
)

// vectorBatch has vectors of three dimensions in every element type, lists, and a NULL in row 2.
func vectorBatch(t testing.TB, mem memory.Allocator) arrow.RecordBatch {
	t.Helper()
	values := [][]any{{1.0, 2.0, 3.0}, {0.0, 0.0, 0.0}, nil, {-1.0, 0.5, 4.0}, {3.0, 2.0, 1.0}}
	var fields []arrow.Field
	var cols []arrow.Array
	add := func(name string, typ arrow.DataType, rows []any) {
		b := array.NewBuilder(mem, typ)
		defer b.Release()
		for _, r := range rows {
			require.NoError(t, value.AppendValue(b, r))
		}
		fields = append(fields, arrow.Field{Name: name, Type: typ, Nullable: true})
		cols = append(cols, b.NewArray())
	}
	vectors := make([]any, len(values))
	for i, v := range values {
		if v != nil {
			vectors[i] = v
		}
	}
	add("v16", arrow.FixedSizeListOf(3, arrow.FixedWidthTypes.Float16), vectors)
	add("v32", arrow.FixedSizeListOf(3, value.TypeFloat32), vectors)
	add("v64", arrow.FixedSizeListOf(3, value.TypeFloat64), vectors)
	add("l32", arrow.ListOf(value.TypeFloat32), vectors)
	add("l64", arrow.LargeListOf(value.TypeFloat64), vectors)
	add("holes", arrow.FixedSizeListOf(3, value.TypeFloat32), []any{[]any{1.0, nil, 3.0}, vectors[1], nil, vectors[3], vectors[4]})
	add("key", value.TypeInt64, []any{int64(1), int64(2), int64(3), nil, int64(5)})
	add("m", value.TypeBool, []any{true, true, true, true, false})
	batch := array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, int64(len(values)))
	for _, c := range cols {
		c.Release()
	}
	return batch
}

func float32Bytes(v ...float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func TestDistancesOfAllLayouts(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	batch := vectorBatch(t, mem)
	defer batch.Release()
	for _, c := range []struct{ sql, want string }{
		{"v32 <-> [1, 2, 5]", "2 | 5.477226 | NULL | 2.6925824 | 4.472136"},
		{"[1, 2, 5] <-> v32", "2 | 5.477226 | NULL | 2.6925824 | 4.472136"},
		{"v16 <-> [1, 2, 5]", "2 | 5.477226 | NULL | 2.6925824 | 4.472136"},
		{"v64 <-> [1, 2, 5]", "2 | 5.477225575051661 | NULL | 2.692582403567252 | 4.47213595499958"},
		{"l32 <-> '[1, 2, 5]'", "2 | 5.477226 | NULL | 2.6925824 | 4.472136"},
		{"l64 <-> '[1, 2, 5]'", "2 | 5.477225575051661 | NULL | 2.692582403567252 | 4.47213595499958"},
		{"v32 <-> v16", "0 | 0 | NULL | 0 | 0"},
		{"v32 <-> v64", "0 | 0 | NULL | 0 | 0"},
		{"v32 <-> l32", "0 | 0 | NULL | 0 | 0"},
		{"l32 <-> l64", "0 | 0 | NULL | 0 | 0"},
		{"v32 <#> [1, 1, 1]", "-6 | -0 | NULL | -3.5 | -6"},
		{"inner_product(v32, [1, 1, 1])", "6 | 0 | NULL | 3.5 | 6"},
		{"v64 <#> [1, 1, 1]", "-6 | -0 | NULL | -3.5 | -6"},
		{"v32 <=> [1, 2, 3]", "0 | NULL | NULL | 0.22781265 | 0.28571427"},
		{"cosine_similarity(v64, [1, 2, 3])", "1 | NULL | NULL | 0.7721873640930286 | 0.7142857142857143"},
		{"holes <-> [0, 0, 0]", "NULL | 0 | NULL | 4.153312 | 3.7416575"},
		{"holes <-> v32", "NULL | 0 | NULL | 0 | 0"},
		{"l2_distance(v32, [1, 2, 5], 'nprobes=20')", "2 | 5.477226 | NULL | 2.6925824 | 4.472136"},
		{"v32 <-> NULL", "NULL | NULL | NULL | NULL | NULL"},
		{"l2_norm(v32)", "3.7416575 | 0 | NULL | 4.153312 | 3.7416575"},
		{"l2_norm(v16)", "3.7416575 | 0 | NULL | 4.153312 | 3.7416575"},
		{"vector_norm(l64)", "3.7416573867739413 | 0 | NULL | 4.153311931459037 | 3.7416573867739413"},
		{"vector_dims(v32)", "3 | 3 | NULL | 3 | 3"},
		{"1 - (v32 <=> [1, 2, 3]) > 0.75", "true | NULL | NULL | true | false"},
		{"CASE WHEN m THEN v32 <-> [1, 2, 5] END", "2 | 5.477226 | NULL | 2.6925824 | NULL"},
		{"CASE WHEN key <> 2 THEN v16 <-> [1, 2, 5] END", "2 | NULL | NULL | NULL | 4.472136"},
	} {
		a, err := evalText(t, c.sql, batch, mem)
		require.NoError(t, err, c.sql)
		want := []string{}
		want = append(want, splitRows(c.want)...)
		got := splitRows(render(t, a))
		for i := range want {
			bits := 32
			if a.DataType().ID() == arrow.FLOAT64 {
				bits = 64
			}
			require.True(t, sameText(want[i], got[i], bits) || near(want[i], got[i]), "%s: row %d is %s, want %s", c.sql, i, got[i], want[i])
		}
		a.Release()
	}
	// The same over a slice, whose first row is row 3 of the batch.
	sliced := batch.NewSlice(3, 5)
	defer sliced.Release()
	a, err := evalText(t, "v32 <-> [1, 2, 5]", sliced, mem)
	require.NoError(t, err)
	require.Equal(t, "2.6925824 | 4.472136", render(t, a))
	a.Release()
}

// near forgives zero results that are off by rounding.
func near(want, got string) bool {
	w, okW := cast.ScanFloat(want, 64)
	g, okG := cast.ScanFloat(got, 64)
	return okW && okG && math.Abs(w-g) < 1e-6
}

func splitRows(s string) (out []string) {
	for len(s) > 0 {
		i := 0
		for i < len(s) && !(s[i] == ' ' && i+2 < len(s) && s[i+1] == '|') {
			i++
		}
		out = append(out, s[:i])
		if i == len(s) {
			break
		}
		s = s[i+3:]
	}
	return out
}

func TestParametersTakeTheTypeOfTheirSurroundings(t *testing.T) {
	batch := vectorBatch(t, memory.NewGoAllocator())
	for sql, want := range map[string]arrow.DataType{
		"key = ?":                          value.TypeInt64,
		"? < key":                          value.TypeInt64,
		"key IN (1, ?)":                    value.TypeInt64,
		"key BETWEEN ? AND 10":             value.TypeInt64,
		"key + ?":                          value.TypeInt64,
		"v32 <-> ?":                        arrow.FixedSizeListOf(3, value.TypeFloat32),
		"? <=> v16":                        arrow.FixedSizeListOf(3, value.TypeFloat32),
		"v64 <-> ?":                        arrow.FixedSizeListOf(3, value.TypeFloat64),
		"l32 <-> ?":                        arrow.ListOf(value.TypeFloat32),
		"m AND ?":                          value.TypeBool,
		"NOT ?":                            value.TypeBool,
		"CAST(? AS DATE)":                  value.TypeDate,
		"'a' || ?":                         value.TypeText,
		"'a' LIKE ?":                       value.TypeText,
		"upper(?)":                         value.TypeText,
		"sqrt(?)":                          value.TypeFloat64,
		"coalesce(key, ?)":                 value.TypeInt64,
		"CASE WHEN m THEN ? ELSE key END":  value.TypeInt64,
		"DATE '2024-01-01' < ?":            value.TypeDate,
		"DATE '2024-01-01' + ?":            value.TypeInterval,
		"? = ?":                            arrow.Null, // what is bound decides, and the binder else
		"l2_distance(v32, ?, 'nprobes=3')": arrow.FixedSizeListOf(3, value.TypeFloat32),
	} {
		e, err := bindText(sql, batch.Schema())
		require.NoError(t, err, sql)
		seen := 0
		expr.Walk(e, func(x expr.Expr) bool {
			if p, ok := x.(*expr.Param); ok {
				seen++
				require.True(t, arrow.TypeEqual(want, p.T), "%s: got %s, want %s", sql, p.T, want)
			}
			return true
		})
		require.NotZero(t, seen, sql)
	}
}

func TestParametersOfOtherTypesAreCast(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	batch := vectorBatch(t, mem)
	defer batch.Release()
	vec := []float32{1, 2, 5}
	const dist = "2 | 5.477226 | NULL | 2.6925824 | 4.472136"
	for name, c := range map[string]struct {
		sql  string
		p    expr.Literal
		want string
		err  string
	}{
		"int32":                {"key = ?", expr.Literal{Value: int64(2), T: value.TypeInt32}, "false | true | false | NULL | false", ""},
		"text for a number":    {"key = ?", expr.Literal{Value: "2", T: value.TypeText}, "false | true | false | NULL | false", ""},
		"bad text":             {"key = ?", expr.Literal{Value: "x", T: value.TypeText}, "", "parameter $1: cannot cast 'x' to BIGINT"},
		"double that is whole": {"key = ?", expr.Literal{Value: 2.0, T: value.TypeFloat64}, "false | true | false | NULL | false", ""},
		"decimal": {"key = ?", expr.Literal{Value: decimal128.FromI64(200),
			T: &arrow.Decimal128Type{Precision: 5, Scale: 2}}, "false | true | false | NULL | false", ""},
		"NULL":                 {"key = ?", expr.Literal{Value: nil, T: arrow.Null}, "NULL | NULL | NULL | NULL | NULL", ""},
		"IN":                   {"key IN (1, ?)", expr.Literal{Value: int64(5), T: value.TypeInt32}, "true | false | false | NULL | true", ""},
		"IN NULL":              {"key IN (1, ?)", expr.Literal{Value: nil, T: value.TypeInt64}, "true | NULL | NULL | NULL | NULL", ""},
		"vector":               {"v32 <-> ?", expr.Literal{Value: vec, T: arrow.FixedSizeListOf(3, value.TypeFloat32)}, dist, ""},
		"vector as list":       {"v32 <-> ?", expr.Literal{Value: []any{1.0, 2.0, 5.0}, T: arrow.ListOf(value.TypeFloat64)}, dist, ""},
		"vector as large list": {"v32 <-> ?", expr.Literal{Value: []any{1.0, 2.0, 5.0}, T: arrow.LargeListOf(value.TypeFloat32)}, dist, ""},
		"vector as integers": {"v32 <-> ?", expr.Literal{Value: []any{int64(1), int64(2), int64(5)},
			T: arrow.ListOf(value.TypeInt64)}, dist, ""},
		"vector as text":        {"v32 <-> ?", expr.Literal{Value: "[1, 2,5e0]", T: value.TypeText}, dist, ""},
		"vector as braces":      {"v32 <-> ?", expr.Literal{Value: "{1,2,5}", T: value.TypeText}, dist, ""},
		"vector as bytes":       {"v32 <-> ?", expr.Literal{Value: float32Bytes(vec...), T: value.TypeBinary}, dist, ""},
		"vector as fixed bytes": {"v32 <-> ?", expr.Literal{Value: float32Bytes(vec...), T: &arrow.FixedSizeBinaryType{ByteWidth: 12}}, dist, ""},
		"vector of halves": {"v32 <-> ?", expr.Literal{Value: []any{1.0, 2.0, 5.0},
			T: arrow.FixedSizeListOf(3, arrow.FixedWidthTypes.Float16)}, dist, ""},
		"wrong dimension": {"v32 <-> ?", expr.Literal{Value: []float32{1, 2},
			T: arrow.FixedSizeListOf(2, value.TypeFloat32)}, "", "parameter $1: the vector has 2 dimensions, but 3 are needed"},
		"wrong text": {"v32 <-> ?", expr.Literal{Value: "[1, 2]", T: value.TypeText}, "",
			"parameter $1: the vector has 2 dimensions, but 3 are needed"},
		"wrong bytes": {"v32 <-> ?", expr.Literal{Value: float32Bytes(1, 2), T: value.TypeBinary}, "",
			"parameter $1: the vector has 2 dimensions, but 3 are needed"},
		"odd bytes": {"v32 <-> ?", expr.Literal{Value: []byte{1, 2, 3}, T: value.TypeBinary}, "",
			"parameter $1: 3 bytes are no vector of 4-byte numbers"},
		"no list": {"v32 <-> ?", expr.Literal{Value: "hello", T: value.TypeText}, "",
			"parameter $1: cannot cast 'hello' to FLOAT[3]; a list is written '[1, 2, 3]'"},
		"NaN": {"v32 <-> ?", expr.Literal{Value: []float32{1, 2, float32(math.NaN())},
			T: arrow.FixedSizeListOf(3, value.TypeFloat32)}, "", "element 2 of the query vector is NaN; it must be a finite float32"},
		"missing": {"key = $2", expr.Literal{Value: int64(2), T: value.TypeInt64}, "",
			"parameter $2 has no value; 1 parameters were given"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := evalText(t, c.sql, batch, mem, c.p)
			if c.err != "" {
				require.Error(t, err)
				require.Equal(t, fault.InvalidArgument, fault.KindOf(err))
				require.Equal(t, c.err, err.Error())
				return
			}
			require.NoError(t, err)
			defer a.Release()
			require.Equal(t, c.want, render(t, a))
		})
	}
}

func TestVectorOf(t *testing.T) {
	fsl := func(dim int32) arrow.DataType { return arrow.FixedSizeListOf(dim, value.TypeFloat32) }
	for _, c := range []struct {
		l    expr.Literal
		want []float32
		err  string
	}{
		{expr.Literal{Value: []float32{1, 2}, T: fsl(2)}, []float32{1, 2}, ""},
		{expr.Literal{Value: "[1, 2.5]", T: value.TypeText}, []float32{1, 2.5}, ""},
		{expr.Literal{Value: []any{int64(1), int64(2)}, T: arrow.ListOf(value.TypeInt32)}, []float32{1, 2}, ""},
		{expr.Literal{Value: []any{1.0, nil}, T: arrow.ListOf(value.TypeFloat64)}, nil, "element 2 of the query vector is NULL"},
		{expr.Literal{Value: nil, T: fsl(2)}, nil, "the query vector is NULL; a vector of 2 dimensions is needed"},
		{expr.Literal{Value: []float32{1}, T: fsl(1)}, nil, "the vector has 1 dimensions, but 2 are needed"},
		{expr.Literal{Value: []float32{1, float32(math.Inf(1))}, T: fsl(2)}, nil,
			"element 2 of the query vector is +Inf; only finite numbers are allowed"},
		{expr.Literal{Value: true, T: value.TypeBool}, nil, "BOOLEAN cannot be cast to FLOAT[]"},
	} {
		v, err := expr.VectorOf(c.l, 2)
		if c.err != "" {
			require.EqualError(t, err, c.err)
			require.True(t, fault.Is(err, fault.InvalidArgument))
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, v)
	}
}

// everyType is one value of every type that a Literal can have.
func everyType() []expr.Literal {
	return []expr.Literal{
		{Value: true, T: value.TypeBool}, {Value: int64(-5), T: arrow.PrimitiveTypes.Int8},
		{Value: int64(-5), T: arrow.PrimitiveTypes.Int16}, {Value: int64(-5), T: value.TypeInt32}, {Value: int64(-5), T: value.TypeInt64},
		{Value: uint64(5), T: arrow.PrimitiveTypes.Uint8}, {Value: uint64(5), T: arrow.PrimitiveTypes.Uint16},
		{Value: uint64(5), T: arrow.PrimitiveTypes.Uint32}, {Value: uint64(math.MaxUint64), T: value.TypeUint64},
		{Value: 0.5, T: arrow.FixedWidthTypes.Float16}, {Value: 0.5, T: value.TypeFloat32}, {Value: 0.1, T: value.TypeFloat64},
		{Value: decimal128.FromI64(-12345), T: &arrow.Decimal128Type{Precision: 10, Scale: 2}},
		{Value: "ä", T: value.TypeText}, {Value: "ä", T: arrow.BinaryTypes.LargeString},
		{Value: "a string that is no inline view", T: arrow.BinaryTypes.StringView},
		{Value: []byte{0, 255}, T: value.TypeBinary}, {Value: []byte{0, 255}, T: arrow.BinaryTypes.LargeBinary},
		{Value: []byte{0, 255}, T: arrow.BinaryTypes.BinaryView}, {Value: []byte{0, 255}, T: &arrow.FixedSizeBinaryType{ByteWidth: 2}},
		{Value: int64(19000), T: value.TypeDate}, {Value: int64(19000 * 86400000), T: arrow.FixedWidthTypes.Date64},
		{Value: int64(3600), T: arrow.FixedWidthTypes.Time32s}, {Value: int64(3600e6), T: value.TypeTime},
		{Value: int64(1e15), T: value.TypeTimestamp}, {Value: int64(1e9),
			T: &arrow.TimestampType{Unit: arrow.Second, TimeZone: "Europe/Berlin"}}, {Value: int64(5), T: arrow.FixedWidthTypes.Duration_ms},
		{Value: arrow.MonthDayNanoInterval{Months: 1, Days: 2, Nanoseconds: 3}, T: value.TypeInterval},
		{Value: arrow.MonthDayNanoInterval{Months: 7}, T: arrow.FixedWidthTypes.MonthInterval},
		{Value: arrow.MonthDayNanoInterval{Days: 2, Nanoseconds: 3e6}, T: arrow.FixedWidthTypes.DayTimeInterval},
		{Value: []float32{1, 2}, T: arrow.FixedSizeListOf(2, value.TypeFloat32)},
		{Value: []any{1.0, nil}, T: arrow.FixedSizeListOf(2, value.TypeFloat32)},
		{Value: []any{1.0, 2.0}, T: arrow.FixedSizeListOf(2, value.TypeFloat64)},
		{Value: []any{int64(1), nil}, T: arrow.ListOf(value.TypeInt32)},
		{Value: []any{[]any{"x"}, nil}, T: arrow.LargeListOf(arrow.ListOf(value.TypeText))},
		{Value: []any{int64(1), "x"}, T: arrow.StructOf(arrow.Field{Name: "a", Type: value.TypeInt32, Nullable: true},
			arrow.Field{Name: "b", Type: value.TypeText, Nullable: true})},
		{Value: "ä", T: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: value.TypeText}},
	}
}

func TestLiteralsBecomeArraysAndBack(t *testing.T) {
	for _, l := range everyType() {
		for _, n := range []int{0, 1, 3, 130} {
			for _, v := range []expr.Literal{l, {Value: nil, T: l.T}} {
				mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
				a, err := expr.Broadcast(v, n, mem)
				require.NoError(t, err, "%s", l.T)
				require.Equal(t, n, a.Len())
				require.True(t, arrow.TypeEqual(l.T, a.DataType()))
				for i := range n {
					got, err := expr.LiteralAt(a, i)
					require.NoError(t, err)
					require.Equal(t, v, got)
				}
				a.Release()
				mem.AssertSize(t, 0)
			}
		}
	}
}

// A column of any type can be passed on, tested for NULL, coalesced, chosen by CASE and written as text.
func TestEveryTypeThroughTheGenericNodes(t *testing.T) {
	for _, l := range everyType() {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		b := array.NewBuilder(mem, value.PlainType(l.T))
		for i := range 150 {
			if i%3 == 0 {
				b.AppendNull()
			} else {
				require.NoError(t, value.AppendValue(b, l.Value))
			}
		}
		col := b.NewArray()
		b.Release()
		m := array.NewBooleanBuilder(mem)
		for i := range 150 {
			m.Append(i%2 == 0)
		}
		mask := m.NewArray()
		m.Release()
		whole := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{{Name: "x", Type: col.DataType(), Nullable: true},
			{Name: "m", Type: value.TypeBool}}, nil), []arrow.Array{col, mask}, 150)
		col.Release()
		mask.Release()
		batch := whole.NewSlice(7, 140)
		whole.Release()
		text := func(i int) string {
			if i%3 == 0 {
				return "NULL"
			}
			out, err := cast.AppendRow(nil, batch.Column(0), i-7, false)
			require.NoError(t, err)
			return string(out)
		}
		check := func(sql string, want func(i int) string) {
			a, err := evalText(t, sql, batch, mem)
			require.NoError(t, err, "%s over %s", sql, l.T)
			for i := 7; i < 140; i++ {
				got, err := cast.AppendRow(nil, a, i-7, false)
				require.NoError(t, err)
				require.Equal(t, want(i), string(got), "%s over %s, row %d", sql, l.T, i)
			}
			a.Release()
		}
		check("x", text)
		check("x IS NULL", func(i int) string { return cast.BoolText(i%3 == 0) })
		check("CASE WHEN m THEN x END", func(i int) string {
			if i%2 != 0 {
				return "NULL"
			}
			return text(i)
		})
		check("coalesce(NULL, x, NULL)", text)
		if cast.Exists(l.T, value.TypeText) {
			check("CAST(x AS VARCHAR)", text)
			check("CASE WHEN m THEN CAST(x AS VARCHAR) ELSE 'no' END", func(i int) string {
				if i%2 != 0 {
					return "no"
				}
				return text(i)
			})
		}
		if k := value.KindOf(value.PlainType(l.T)); k != value.KindMap {
			check("x = x", func(i int) string {
				if i%3 == 0 {
					return "NULL"
				}
				return "true"
			})
			check("x IS NOT DISTINCT FROM x", func(int) string { return "true" })
			check("nullif(x, x)", func(int) string { return "NULL" })
			check("greatest(x, x)", text)
		}
		batch.Release()
		mem.AssertSize(t, 0)
	}
}

func TestSelectStopsWhenCancelled(t *testing.T) {
	batch := vectorBatch(t, memory.NewGoAllocator())
	e, err := bindText("v32 <-> [1, 2, 3] < 2", batch.Schema())
	require.NoError(t, err)
	p, err := expr.Compile(e, positions(batch))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = p.Select(ctx, inputOf(batch, nil), nil)
	require.ErrorIs(t, err, context.Canceled)
}
