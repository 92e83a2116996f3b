package expr

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
			require.NoError(t, appendValue(b, r))
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
	add("v32", arrow.FixedSizeListOf(3, tFloat32), vectors)
	add("v64", arrow.FixedSizeListOf(3, tFloat64), vectors)
	add("l32", arrow.ListOf(tFloat32), vectors)
	add("l64", arrow.LargeListOf(tFloat64), vectors)
	add("holes", arrow.FixedSizeListOf(3, tFloat32), []any{[]any{1.0, nil, 3.0}, vectors[1], nil, vectors[3], vectors[4]})
	add("key", tInt64, []any{int64(1), int64(2), int64(3), nil, int64(5)})
	add("m", tBool, []any{true, true, true, true, false})
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
		{"v32 <=> [1, 2, 3]", "0 | NaN | NULL | 0.22781265 | 0.28571427"},
		{"cosine_similarity(v64, [1, 2, 3])", "1 | NaN | NULL | 0.7721873640930286 | 0.7142857142857143"},
		{"holes <-> [0, 0, 0]", "NULL | 0 | NULL | 4.153312 | 3.7416575"},
		{"holes <-> v32", "NULL | 0 | NULL | 0 | 0"},
		{"l2_distance(v32, [1, 2, 5], 'nprobes=20')", "2 | 5.477226 | NULL | 2.6925824 | 4.472136"},
		{"v32 <-> NULL", "NULL | NULL | NULL | NULL | NULL"},
		{"l2_norm(v32)", "3.7416575 | 0 | NULL | 4.153312 | 3.7416575"},
		{"l2_norm(v16)", "3.7416575 | 0 | NULL | 4.153312 | 3.7416575"},
		{"vector_norm(l64)", "3.7416573867739413 | 0 | NULL | 4.153311931459037 | 3.7416573867739413"},
		{"vector_dims(v32)", "3 | 3 | NULL | 3 | 3"},
		{"1 - (v32 <=> [1, 2, 3]) > 0.75", "true | true | NULL | true | false"},
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
	w, okW := scanFloat(want, 64)
	g, okG := scanFloat(got, 64)
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
		"key = ?":                          tInt64,
		"? < key":                          tInt64,
		"key IN (1, ?)":                    tInt64,
		"key BETWEEN ? AND 10":             tInt64,
		"key + ?":                          tInt64,
		"v32 <-> ?":                        arrow.FixedSizeListOf(3, tFloat32),
		"? <=> v16":                        arrow.FixedSizeListOf(3, tFloat32),
		"v64 <-> ?":                        arrow.FixedSizeListOf(3, tFloat64),
		"l32 <-> ?":                        arrow.ListOf(tFloat32),
		"m AND ?":                          tBool,
		"NOT ?":                            tBool,
		"CAST(? AS DATE)":                  tDate,
		"'a' || ?":                         tText,
		"'a' LIKE ?":                       tText,
		"upper(?)":                         tText,
		"sqrt(?)":                          tFloat64,
		"coalesce(key, ?)":                 tInt64,
		"CASE WHEN m THEN ? ELSE key END":  tInt64,
		"DATE '2024-01-01' < ?":            tDate,
		"DATE '2024-01-01' + ?":            tInterval,
		"? = ?":                            tText,
		"l2_distance(v32, ?, 'nprobes=3')": arrow.FixedSizeListOf(3, tFloat32),
	} {
		e, err := bindText(sql, batch.Schema())
		require.NoError(t, err, sql)
		seen := 0
		Walk(e, func(x Expr) bool {
			if p, ok := x.(*Param); ok {
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
		p    Literal
		want string
		err  string
	}{
		"int32":                 {"key = ?", Literal{int64(2), tInt32}, "false | true | false | NULL | false", ""},
		"text for a number":     {"key = ?", Literal{"2", tText}, "false | true | false | NULL | false", ""},
		"bad text":              {"key = ?", Literal{"x", tText}, "", "parameter $1: cannot cast 'x' to BIGINT"},
		"double that is whole":  {"key = ?", Literal{2.0, tFloat64}, "false | true | false | NULL | false", ""},
		"decimal":               {"key = ?", Literal{decimal128.FromI64(200), &arrow.Decimal128Type{Precision: 5, Scale: 2}}, "false | true | false | NULL | false", ""},
		"NULL":                  {"key = ?", Literal{nil, arrow.Null}, "NULL | NULL | NULL | NULL | NULL", ""},
		"IN":                    {"key IN (1, ?)", Literal{int64(5), tInt32}, "true | false | false | NULL | true", ""},
		"IN NULL":               {"key IN (1, ?)", Literal{nil, tInt64}, "true | NULL | NULL | NULL | NULL", ""},
		"vector":                {"v32 <-> ?", Literal{vec, arrow.FixedSizeListOf(3, tFloat32)}, dist, ""},
		"vector as list":        {"v32 <-> ?", Literal{[]any{1.0, 2.0, 5.0}, arrow.ListOf(tFloat64)}, dist, ""},
		"vector as large list":  {"v32 <-> ?", Literal{[]any{1.0, 2.0, 5.0}, arrow.LargeListOf(tFloat32)}, dist, ""},
		"vector as integers":    {"v32 <-> ?", Literal{[]any{int64(1), int64(2), int64(5)}, arrow.ListOf(tInt64)}, dist, ""},
		"vector as text":        {"v32 <-> ?", Literal{"[1, 2,5e0]", tText}, dist, ""},
		"vector as braces":      {"v32 <-> ?", Literal{"{1,2,5}", tText}, dist, ""},
		"vector as bytes":       {"v32 <-> ?", Literal{float32Bytes(vec...), tBinary}, dist, ""},
		"vector as fixed bytes": {"v32 <-> ?", Literal{float32Bytes(vec...), &arrow.FixedSizeBinaryType{ByteWidth: 12}}, dist, ""},
		"vector of halves":      {"v32 <-> ?", Literal{[]any{1.0, 2.0, 5.0}, arrow.FixedSizeListOf(3, arrow.FixedWidthTypes.Float16)}, dist, ""},
		"wrong dimension":       {"v32 <-> ?", Literal{[]float32{1, 2}, arrow.FixedSizeListOf(2, tFloat32)}, "", "parameter $1: the vector has 2 dimensions, but 3 are needed"},
		"wrong text":            {"v32 <-> ?", Literal{"[1, 2]", tText}, "", "parameter $1: the vector has 2 dimensions, but 3 are needed"},
		"wrong bytes":           {"v32 <-> ?", Literal{float32Bytes(1, 2), tBinary}, "", "parameter $1: the vector has 2 dimensions, but 3 are needed"},
		"odd bytes":             {"v32 <-> ?", Literal{[]byte{1, 2, 3}, tBinary}, "", "parameter $1: 3 bytes are no vector of 4-byte numbers"},
		"no list":               {"v32 <-> ?", Literal{"hello", tText}, "", "parameter $1: cannot cast 'hello' to FLOAT[3]; a list is written '[1, 2, 3]'"},
		"NaN":                   {"v32 <-> ?", Literal{[]float32{1, 2, float32(math.NaN())}, arrow.FixedSizeListOf(3, tFloat32)}, "", "element 2 of the query vector is NaN; it must be a finite float32"},
		"missing":               {"key = $2", Literal{int64(2), tInt64}, "", "parameter $2 has no value; 1 parameters were given"},
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
	fsl := func(dim int32) arrow.DataType { return arrow.FixedSizeListOf(dim, tFloat32) }
	for _, c := range []struct {
		l    Literal
		want []float32
		err  string
	}{
		{Literal{[]float32{1, 2}, fsl(2)}, []float32{1, 2}, ""},
		{Literal{"[1, 2.5]", tText}, []float32{1, 2.5}, ""},
		{Literal{[]any{int64(1), int64(2)}, arrow.ListOf(tInt32)}, []float32{1, 2}, ""},
		{Literal{[]any{1.0, nil}, arrow.ListOf(tFloat64)}, nil, "element 2 of the query vector is NULL"},
		{Literal{nil, fsl(2)}, nil, "the query vector is NULL; a vector of 2 dimensions is needed"},
		{Literal{[]float32{1}, fsl(1)}, nil, "the vector has 1 dimensions, but 2 are needed"},
		{Literal{[]float32{1, float32(math.Inf(1))}, fsl(2)}, nil, "element 2 of the query vector is +Inf; only finite numbers are allowed"},
		{Literal{true, tBool}, nil, "BOOLEAN cannot be cast to FLOAT[]"},
	} {
		v, err := VectorOf(c.l, 2)
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
func everyType() []Literal {
	return []Literal{
		{true, tBool}, {int64(-5), arrow.PrimitiveTypes.Int8}, {int64(-5), arrow.PrimitiveTypes.Int16}, {int64(-5), tInt32}, {int64(-5), tInt64},
		{uint64(5), arrow.PrimitiveTypes.Uint8}, {uint64(5), arrow.PrimitiveTypes.Uint16}, {uint64(5), arrow.PrimitiveTypes.Uint32}, {uint64(math.MaxUint64), tUint64},
		{0.5, arrow.FixedWidthTypes.Float16}, {0.5, tFloat32}, {0.1, tFloat64},
		{decimal128.FromI64(-12345), &arrow.Decimal128Type{Precision: 10, Scale: 2}},
		{"ä", tText}, {"ä", arrow.BinaryTypes.LargeString}, {"a string that is no inline view", arrow.BinaryTypes.StringView},
		{[]byte{0, 255}, tBinary}, {[]byte{0, 255}, arrow.BinaryTypes.LargeBinary}, {[]byte{0, 255}, arrow.BinaryTypes.BinaryView}, {[]byte{0, 255}, &arrow.FixedSizeBinaryType{ByteWidth: 2}},
		{int64(19000), tDate}, {int64(19000 * 86400000), arrow.FixedWidthTypes.Date64}, {int64(3600), arrow.FixedWidthTypes.Time32s}, {int64(3600e6), tTime},
		{int64(1e15), tTimestamp}, {int64(1e9), &arrow.TimestampType{Unit: arrow.Second, TimeZone: "Europe/Berlin"}}, {int64(5), arrow.FixedWidthTypes.Duration_ms},
		{arrow.MonthDayNanoInterval{Months: 1, Days: 2, Nanoseconds: 3}, tInterval}, {arrow.MonthDayNanoInterval{Months: 7}, arrow.FixedWidthTypes.MonthInterval},
		{arrow.MonthDayNanoInterval{Days: 2, Nanoseconds: 3e6}, arrow.FixedWidthTypes.DayTimeInterval},
		{[]float32{1, 2}, arrow.FixedSizeListOf(2, tFloat32)}, {[]any{1.0, nil}, arrow.FixedSizeListOf(2, tFloat32)}, {[]any{1.0, 2.0}, arrow.FixedSizeListOf(2, tFloat64)},
		{[]any{int64(1), nil}, arrow.ListOf(tInt32)}, {[]any{[]any{"x"}, nil}, arrow.LargeListOf(arrow.ListOf(tText))},
		{[]any{int64(1), "x"}, arrow.StructOf(arrow.Field{Name: "a", Type: tInt32, Nullable: true}, arrow.Field{Name: "b", Type: tText, Nullable: true})},
		{"ä", &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: tText}},
	}
}

func TestLiteralsBecomeArraysAndBack(t *testing.T) {
	for _, l := range everyType() {
		for _, n := range []int{0, 1, 3, 130} {
			for _, v := range []Literal{l, {nil, l.T}} {
				mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
				a, err := Broadcast(v, n, mem)
				require.NoError(t, err, "%s", l.T)
				require.Equal(t, n, a.Len())
				require.True(t, arrow.TypeEqual(l.T, a.DataType()))
				for i := range n {
					got, err := LiteralAt(a, i)
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
		b := array.NewBuilder(mem, plain(l.T))
		for i := range 150 {
			if i%3 == 0 {
				b.AppendNull()
			} else {
				require.NoError(t, appendValue(b, l.Value))
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
		whole := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{{Name: "x", Type: col.DataType(), Nullable: true}, {Name: "m", Type: tBool}}, nil), []arrow.Array{col, mask}, 150)
		col.Release()
		mask.Release()
		batch := whole.NewSlice(7, 140)
		whole.Release()
		text := func(i int) string {
			if i%3 == 0 {
				return "NULL"
			}
			out, err := appendRow(nil, batch.Column(0), i-7, false)
			require.NoError(t, err)
			return string(out)
		}
		check := func(sql string, want func(i int) string) {
			a, err := evalText(t, sql, batch, mem)
			require.NoError(t, err, "%s over %s", sql, l.T)
			for i := 7; i < 140; i++ {
				got, err := appendRow(nil, a, i-7, false)
				require.NoError(t, err)
				require.Equal(t, want(i), string(got), "%s over %s, row %d", sql, l.T, i)
			}
			a.Release()
		}
		check("x", text)
		check("x IS NULL", func(i int) string { return boolText(i%3 == 0) })
		check("CASE WHEN m THEN x END", func(i int) string {
			if i%2 != 0 {
				return "NULL"
			}
			return text(i)
		})
		check("coalesce(NULL, x, NULL)", text)
		if canCast(l.T, tText) {
			check("CAST(x AS VARCHAR)", text)
			check("CASE WHEN m THEN CAST(x AS VARCHAR) ELSE 'no' END", func(i int) string {
				if i%2 != 0 {
					return "no"
				}
				return text(i)
			})
		}
		if k := kindOf(plain(l.T)); k != kMap {
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
	p, err := Compile(e, positions(batch))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = p.Select(ctx, inputOf(batch, nil), nil)
	require.ErrorIs(t, err, context.Canceled)
}
