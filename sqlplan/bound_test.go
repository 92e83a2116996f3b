package sqlplan_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
	"lanceflight/sqlplan/expr"
)

// boundKind is a type that clients bind, with three values in rising order as SQL text.
type boundKind struct {
	sql    string
	t      arrow.DataType
	values [3]string
}

var boundKinds = []boundKind{
	{"TINYINT", arrow.PrimitiveTypes.Int8, [3]string{"-7", "9", "10"}},
	{"SMALLINT", arrow.PrimitiveTypes.Int16, [3]string{"-7", "9", "1000"}},
	{"INTEGER", arrow.PrimitiveTypes.Int32, [3]string{"-7", "9", "100000"}},
	{"BIGINT", arrow.PrimitiveTypes.Int64, [3]string{"-7", "9", "9007199254740993"}},
	{"UTINYINT", arrow.PrimitiveTypes.Uint8, [3]string{"0", "9", "200"}},
	{"USMALLINT", arrow.PrimitiveTypes.Uint16, [3]string{"0", "9", "60000"}},
	{"UINTEGER", arrow.PrimitiveTypes.Uint32, [3]string{"0", "9", "4000000000"}},
	{"UBIGINT", arrow.PrimitiveTypes.Uint64, [3]string{"0", "9", "18446744073709551615"}},
	{"FLOAT", arrow.PrimitiveTypes.Float32, [3]string{"-0.5", "9", "10.25"}},
	{"DOUBLE", arrow.PrimitiveTypes.Float64, [3]string{"-0.1", "9", "10.7"}},
	{"DECIMAL(12,3)", &arrow.Decimal128Type{Precision: 12, Scale: 3}, [3]string{"-0.125", "9.5", "123456789.001"}},
	{"BOOLEAN", arrow.FixedWidthTypes.Boolean, [3]string{"false", "true", "true"}},
	{"VARCHAR", arrow.BinaryTypes.String, [3]string{"10", "9", "a"}},
	{"BLOB", arrow.BinaryTypes.Binary, [3]string{"10", "9", "a"}},
	{"DATE", arrow.FixedWidthTypes.Date32, [3]string{"0999-01-01", "2024-02-29", "2024-11-05"}},
	{"TIME", arrow.FixedWidthTypes.Time64us, [3]string{"09:59:59", "10:00:00", "23:59:59.999999"}},
	{"TIMESTAMP", &arrow.TimestampType{Unit: arrow.Microsecond},
		[3]string{"1969-12-31 23:59:59.5", "2024-02-29 00:00:00", "2024-02-29 00:00:00.000001"}},
	{"TIMESTAMPTZ", &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
		[3]string{"1969-12-31 23:59:59.5Z", "2024-02-29 00:00:00Z", "2024-02-29 00:00:00.000001Z"}},
	{"BIGINT[]", arrow.ListOf(arrow.PrimitiveTypes.Int64), [3]string{"[9007199254740992]", "[9007199254740993]", "[9007199254740993,1]"}},
}

// value is the i-th value as a constant.
func (k boundKind) value(t *testing.T, i int) expr.Literal {
	t.Helper()
	l, err := expr.CastLiteral(expr.Literal{Value: k.values[i], T: arrow.BinaryTypes.String}, k.t)
	require.NoError(t, err)
	return l
}

// record is a batch of values, one row for each list of them.
func record(t testing.TB, mem memory.Allocator, rows ...[]expr.Literal) arrow.RecordBatch {
	t.Helper()
	var fields []arrow.Field
	var cols []arrow.Array
	for c := range rows[0] {
		var parts []arrow.Array
		for _, row := range rows {
			a, err := expr.Broadcast(row[c], 1, mem)
			require.NoError(t, err)
			defer a.Release()
			parts = append(parts, a)
		}
		whole, err := array.Concatenate(parts, mem)
		require.NoError(t, err)
		defer whole.Release()
		fields = append(fields, arrow.Field{Name: fmt.Sprint(c), Type: whole.DataType(), Nullable: true})
		cols = append(cols, whole)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, int64(len(rows)))
}

// bound runs a statement once for each row of values, as a client that binds them.
func (e *engine) bound(t *testing.T, sql string, rows ...[]expr.Literal) (*arrow.Schema, [][]any, error) {
	t.Helper()
	rec := record(t, e.mem, rows...)
	defer rec.Release()
	p, runs, err := e.PrepareBound(context.Background(), sqlplan.Session{}, sql, nil, []arrow.RecordBatch{rec})
	if err != nil {
		return nil, nil, err
	}
	var schema *arrow.Schema
	var out [][]any
	for _, params := range runs {
		s, got, err := run(t, p, params...)
		if err != nil {
			return nil, nil, err
		}
		schema, out = s, append(out, got...)
	}
	return schema, out, nil
}

// Where the statement says nothing about the type of a parameter, it is as good as a constant of the type
// that the client binds: with CAST('…' AS type) in the place of the parameter, the statement returns the
// same type and the same rows, or the same kind of error.
func TestBoundTypesAreThoseOfConstants(t *testing.T) {
	e := newEngineOver(t, t.TempDir(), sqlplan.Options{})
	for _, sql := range []string{
		"SELECT ?1", "SELECT ?1 AS x, ?2 AS y", "SELECT ?1 IS NULL, ?1 IS NOT NULL, ?1",
		"SELECT greatest(?1, ?2)", "SELECT least(?1, ?2, ?3)", "SELECT coalesce(?1, ?2)", "SELECT coalesce(NULL, ?1)",
		"SELECT nullif(?1, ?2)", "SELECT ifnull(?2, ?1)", "SELECT if(TRUE, ?1, ?2)",
		"SELECT CASE WHEN ?1 > ?2 THEN 'greater' ELSE 'less' END", "SELECT CASE WHEN ?1 < ?2 THEN ?1 ELSE ?3 END",
		"SELECT CASE ?1 WHEN ?2 THEN 1 WHEN ?1 THEN 2 END", "SELECT CASE WHEN FALSE THEN ?1 END",
		"SELECT ?2 BETWEEN ?1 AND ?3, ?1 NOT BETWEEN ?2 AND ?3", "SELECT ?2 BETWEEN SYMMETRIC ?3 AND ?1",
		"SELECT ?1 IN (?2, ?3), ?3 NOT IN (?1, ?2), ?1 IN (?1)", "SELECT ?1 = ?2, ?1 != ?2, ?1 < ?2, ?1 >= ?3",
		"SELECT ?1 IS DISTINCT FROM ?2, ?1 IS NOT DISTINCT FROM ?1", "SELECT (?1, ?2) = (?1, ?3)",
		"SELECT ?1 + ?2", "SELECT ?1 - ?2", "SELECT ?1 * ?2", "SELECT ?2 / ?3", "SELECT ?3 % ?2", "SELECT -?1", "SELECT ?1 || ?2",
		"SELECT ?1 + 1", "SELECT 2 * ?1", "SELECT ?2 / 2", "SELECT ?1 + 0.5", "SELECT ?1 > 9", "SELECT ?1 IN (9, 10)",
		"SELECT ?1 BETWEEN 0 AND 10", "SELECT coalesce(?1, 0)", "SELECT ?1 & ?2, ?1 | ?2",
		"SELECT abs(?1)", "SELECT round(?1)", "SELECT sign(?1)", "SELECT typeof(?1)", "SELECT [?1, ?2]", "SELECT [?1, ?2][1]",
		"SELECT length(?1)", "SELECT upper(?1)", "SELECT date_trunc('month', ?1)", "SELECT extract(YEAR FROM ?1)",
		"SELECT sum(?1), avg(?1)", "SELECT min(?1), max(?1), count(?1)", "SELECT max(x) FROM (VALUES (?1), (?3)) v(x)",
		"SELECT sum(x) FROM (VALUES (?1), (?2)) v(x)", "SELECT x, count(*) FROM (VALUES (?1), (?2), (?1)) v(x) GROUP BY x ORDER BY x",
		"WITH p AS (SELECT ?1 AS x) SELECT x FROM p", "WITH p AS (SELECT ?1 AS x, ?2 AS y) SELECT x < y, greatest(x, y) FROM p",
		"SELECT (SELECT ?1)", "SELECT (SELECT ?1) = ?2", "SELECT x FROM (SELECT ?1 AS x) t WHERE x = ?1",
		"VALUES (?1), (?2)", "SELECT * FROM (VALUES (?3, ?1), (?2, ?2)) v(a, b) ORDER BY a",
		"SELECT ?1 UNION ALL SELECT ?2", "SELECT ?1 UNION SELECT ?1", "SELECT ?1 EXCEPT SELECT ?2", "SELECT ?1 INTERSECT SELECT ?1",
		"SELECT a.x FROM (VALUES (?1), (?2)) a(x) JOIN (VALUES (?2), (?3)) b(x) ON a.x = b.x",
		"SELECT x FROM (VALUES (?1), (?2)) a(x) JOIN (VALUES (?2), (?3)) b(x) USING (x)",
		"SELECT x FROM (VALUES (?1), (?2)) a(x) WHERE x IN (SELECT ?2)", "SELECT x FROM (VALUES (?3), (?1)) a(x) ORDER BY x DESC LIMIT 1",
		"SELECT l.y FROM (VALUES (?1), (?2)) a(x), LATERAL (SELECT greatest(a.x, ?2) AS y) l",
		"SELECT DISTINCT x FROM (VALUES (?1), (?1)) a(x)",
	} {
		for _, k := range boundKinds {
			var values []expr.Literal
			constant, parameters := sql, sql
			for i := range 3 {
				place := fmt.Sprintf("?%d", i+1)
				constant = strings.ReplaceAll(constant, place, fmt.Sprintf("CAST('%s' AS %s)", k.values[i], k.sql))
				parameters = strings.ReplaceAll(parameters, place, fmt.Sprintf("$%d", i+1))
				if strings.Contains(sql, place) {
					for len(values) < i { // the statement skips a number
						values = append(values, k.value(t, len(values)))
					}
					values = append(values, k.value(t, i))
				}
			}
			wantSchema, want, wantErr := e.rows(t, constant, sqlplan.Session{})
			gotSchema, got, err := e.bound(t, parameters, values)
			if k.sql == "VARCHAR" {
				// Text is what clients bind that know no better, so the statement may still want a number.
				wantsNumber := strings.ContainsAny(sql, "+-*/%&9") || strings.Contains(sql, "sum(") || strings.Contains(sql, "0)")
				if wantErr != nil || wantsNumber {
					continue
				}
			}
			if wantErr != nil {
				// These ask for text, and what is bound becomes text.
				if !strings.Contains(sql, "upper") && !strings.Contains(sql, "||") {
					require.Error(t, err, "%s of %s is an error for constants: %v", parameters, k.sql, wantErr)
				}
				continue
			}
			require.NoError(t, err, "%s of %s", parameters, k.sql)
			require.Equal(t, want, got, "%s of %s", parameters, k.sql)
			for i, f := range wantSchema.Fields() {
				require.True(t, arrow.TypeEqual(f.Type, gotSchema.Field(i).Type), "%s of %s: %s, and with constants %s",
					parameters, k.sql, gotSchema.Field(i).Type, f.Type)
			}
		}
	}
}

func lit(v any, t arrow.DataType) expr.Literal { return expr.Literal{Value: v, T: t} }

func whole(v int64) expr.Literal { return lit(v, arrow.PrimitiveTypes.Int64) }

func double(v float64) expr.Literal { return lit(v, arrow.PrimitiveTypes.Float64) }

func txt(v string) expr.Literal { return lit(v, arrow.BinaryTypes.String) }

func TestBoundTypes(t *testing.T) {
	e := newEngineOver(t, t.TempDir(), sqlplan.Options{})
	const ids = "(VALUES (1), (2), (10), (11)) t(id)"
	big := whole(9007199254740993)
	vector := lit([]any{1.0, 2.0}, arrow.ListOf(arrow.PrimitiveTypes.Float64))
	for _, c := range []struct {
		sql    string
		params []expr.Literal
		want   string // the rows, or a part of the error
		typ    string // of the first column; "" = whatever
	}{
		{"SELECT ? + ?", []expr.Literal{big, whole(0)}, "[[map[int:9007199254740993]]]", "int64"},
		{"SELECT CAST(? + ? AS VARCHAR)", []expr.Literal{big, whole(0)}, "[[9007199254740993]]", ""},
		{"SELECT CAST(abs(?) AS VARCHAR)", []expr.Literal{whole(-9007199254740993)}, "[[9007199254740993]]", ""},
		{"SELECT count(*) FROM " + ids + " WHERE ? BETWEEN ? AND ?", []expr.Literal{whole(10), whole(9), whole(100)}, "[[4]]", ""},
		{"WITH p AS (SELECT ? AS lim) SELECT count(*) FROM " + ids + ", p WHERE id < p.lim", []expr.Literal{whole(10)}, "[[2]]", ""},
		{"SELECT count(*) FROM " + ids + " JOIN (VALUES (?)) v(x) ON v.x = t.id", []expr.Literal{whole(10)}, "[[1]]", ""},
		{"SELECT t.id FROM " + ids + " JOIN (VALUES (?), (?)) v(id) USING (id) ORDER BY t.id",
			[]expr.Literal{whole(10), txt("2")}, "[[2] [10]]", ""},
		// Several types: those that say something meet, and a text is read as one of them.
		{"SELECT greatest(?, ?)", []expr.Literal{whole(10), double(9.5)}, "[[10]]", "float64"},
		{"SELECT greatest(?, ?)", []expr.Literal{whole(10), txt("9")}, "[[10]]", "int64"},
		{"SELECT greatest(?, ?)", []expr.Literal{whole(10), txt("nine")}, "parameter $2: cannot cast 'nine' to BIGINT", ""},
		{"SELECT greatest(?, ?)", []expr.Literal{whole(10), lit(nil, arrow.Null)}, "[[10]]", "int64"},
		{"SELECT greatest(?, ?)", []expr.Literal{txt("10"), txt("9")}, "[[9]]", "utf8"},
		{"SELECT greatest(?, ?)", []expr.Literal{whole(10), lit(true, arrow.FixedWidthTypes.Boolean)}, "do not go together", ""},
		{"SELECT ? + ?", []expr.Literal{txt("1.5"), txt("2")}, "[[3.5]]", "float64"},
		{"SELECT ? + ?", []expr.Literal{lit(nil, arrow.Null), lit(nil, arrow.Null)}, "[[<nil>]]", "float64"},
		{"SELECT ?", []expr.Literal{lit(nil, arrow.Null)}, "[[<nil>]]", "utf8"},
		{"SELECT ? / 2, ? * 2", []expr.Literal{double(5), double(1.5)}, "[[2.5 3]]", "float64"},
		{"SELECT ? + 1", []expr.Literal{big}, "[[map[int:9007199254740994]]]", "int64"},
		{"SELECT id / ? FROM " + ids + " WHERE id = 11", []expr.Literal{double(2)}, "[[5.5]]", "float64"},
		{"SELECT DATE '2024-01-31' + ?", []expr.Literal{whole(1)}, "[[2024-02-01]]", "date32"},
		// What the statement asks for goes first: texts are read as it, numbers become it.
		{"SELECT id FROM " + ids + " WHERE id = ?", []expr.Literal{txt("10")}, "[[10]]", ""},
		{"SELECT id FROM " + ids + " WHERE id = ?", []expr.Literal{double(10)}, "[[10]]", ""},
		{"SELECT id FROM " + ids + " WHERE $1 IS NULL OR id = $1", []expr.Literal{whole(2)}, "[[2]]", ""},
		{"SELECT id FROM " + ids + " WHERE $1 IS NULL OR id = $1", []expr.Literal{lit(nil, arrow.Null)}, "[[1] [2] [10] [11]]", ""},
		{"SELECT upper(?)", []expr.Literal{whole(10)}, "[[10]]", "utf8"},
		{"SELECT id FROM " + ids + " WHERE ?", []expr.Literal{txt("true")}, "[[1] [2] [10] [11]]", ""},
		{"SELECT id FROM " + ids + " ORDER BY id LIMIT ? OFFSET ?",
			[]expr.Literal{txt("1"), lit(int64(2), arrow.PrimitiveTypes.Int8)}, "[[10]]", ""},
		// But a value does not become another one.
		{"SELECT id FROM " + ids + " WHERE id > ?", []expr.Literal{double(10.5)}, "[[11]]", ""},
		{"SELECT id FROM " + ids + " WHERE id < ?", []expr.Literal{double(1.5)}, "[[1]]", ""},
		{"SELECT id FROM " + ids + " WHERE id IN (?, ?)", []expr.Literal{double(10.5), whole(2)}, "[[2]]", ""},
		{"SELECT id FROM " + ids + " WHERE id < ?", []expr.Literal{whole(3000000000)}, "[[1] [2] [10] [11]]", ""},
		{"SELECT coalesce(NULL::INTEGER, ?)", []expr.Literal{double(0.5)}, "[[0.5]]", "float64"},
		{"SELECT 1.25::DECIMAL(5,2) = ?", []expr.Literal{double(1.254)}, "[[false]]", ""},
		{"SELECT DATE '2024-02-29' = ?",
			[]expr.Literal{lit(int64(1709200800000000), &arrow.TimestampType{Unit: arrow.Microsecond})}, "[[false]]", ""},
		{"SELECT id FROM " + ids + " LIMIT ?", []expr.Literal{double(1.5)}, "LIMIT needs a whole number", ""},
		// Vectors and lists.
		{"SELECT ? <-> ?", []expr.Literal{vector, vector}, "[[0]]", ""},
		{"SELECT l2_distance(?, [1, 4])", []expr.Literal{vector}, "[[2]]", ""},
		{"SELECT id FROM " + ids + " WHERE id = ANY(?)",
			[]expr.Literal{lit([]any{int64(2), int64(11)}, arrow.ListOf(arrow.PrimitiveTypes.Int64))}, "[[2] [11]]", ""},
		{"SELECT list_sum(?)", []expr.Literal{vector}, "[[3]]", ""},
		{"SELECT list_contains([?, ?], 3)", []expr.Literal{whole(3), whole(4)}, "[[true]]", ""},
	} {
		schema, rows, err := e.bound(t, c.sql, c.params)
		got := fmt.Sprint(rows)
		if err != nil {
			got = err.Error()
			require.Contains(t, got, c.want, c.sql)
			continue
		}
		require.Equal(t, c.want, got, "%s of %v", c.sql, c.params)
		if c.typ != "" {
			require.Equal(t, c.typ, schema.Field(0).Type.String(), "%s of %v", c.sql, c.params)
		}
	}
}

// The rows of a batch are executions of one plan, which has to hold all of their values.
func TestBoundRows(t *testing.T) {
	e := newEngineOver(t, t.TempDir(), sqlplan.Options{})
	schema, rows, err := e.bound(t, "SELECT greatest($1, $2)", []expr.Literal{whole(10), whole(9)},
		[]expr.Literal{lit(nil, arrow.PrimitiveTypes.Int64), whole(3)})
	require.NoError(t, err)
	require.Equal(t, "int64", schema.Field(0).Type.String())
	require.Equal(t, "[[10] [3]]", fmt.Sprint(rows))
	_, rows, err = e.bound(t, "SELECT id FROM (VALUES (1), (2)) t(id) WHERE id > ?",
		[]expr.Literal{double(1)}, []expr.Literal{double(0.5)})
	require.NoError(t, err)
	require.Equal(t, "[[2] [1] [2]]", fmt.Sprint(rows))
}
