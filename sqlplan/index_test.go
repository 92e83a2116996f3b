package sqlplan_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/expr"
)

// withIndex and withoutIndex are sessions whose filters may and may not use scalar indices.
var (
	withIndex    = sqlplan.Session{}
	withoutIndex = sqlplan.Session{Settings: map[string]string{"lance.use_scalar_index": "false"}}
)

// bothWays checks that a statement has the same rows in the same order with scalar indices and without, and reports whether
// indices were asked.
func bothWays(t require.TestingT, e *engine, sql string, params ...expr.Literal) (used bool) {
	want, wantErr := texts(e, sql, withoutIndex, params...)
	got, gotErr := texts(e, sql, withIndex, params...)
	if wantErr != nil {
		return false // an index can spare a row that fails
	}
	require.NoError(t, gotErr, sql)
	if !slices.Equal(want, got) {
		missing := slices.DeleteFunc(slices.Clone(want), func(r string) bool { return slices.Contains(got, r) })
		extra := slices.DeleteFunc(slices.Clone(got), func(r string) bool { return slices.Contains(want, r) })
		t.Errorf("%s: %d rows without indices, %d with them\nmissing %q\nextra %q", sql, len(want), len(got),
			missing[:min(5, len(missing))], extra[:min(5, len(extra))])
	}
	plan, err := e.Prepare(context.Background(), withIndex, "EXPLAIN "+sql, nil)
	require.NoError(t, err)
	lines, err := drain(plan)
	require.NoError(t, err)
	return strings.Contains(strings.Join(lines, "\n"), "index=[")
}

// texts are the rows of a statement as text.
func texts(e *engine, sql string, s sqlplan.Session, params ...expr.Literal) ([]string, error) {
	p, err := e.Prepare(context.Background(), s, sql, nil)
	if err != nil {
		return nil, err
	}
	return drain(p, params...)
}

func drain(p *sqlplan.Prepared, params ...expr.Literal) (rows []string, err error) {
	ctx := context.Background()
	stream, err := p.Execute(ctx, sqlplan.ExecOptions{Params: params})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	for {
		rec, err := stream.Next(ctx)
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range int(rec.NumRows()) {
			row := make([]any, rec.NumCols())
			for c := range row {
				row[c] = plainValue(rec.Column(c), i)
			}
			rows = append(rows, fmt.Sprint(row...))
		}
		rec.Release()
	}
}

// The filters of the fixtures, which other tests compare with pylance's answers, have the same rows with indices and without.
func TestIndexedFixtureFilters(t *testing.T) {
	used := 0
	forEachFixture(t, func(x expected) bool { return len(x.Filters) > 0 }, func(t *testing.T, e *engine, x expected) {
		for _, f := range x.Filters {
			if f.Error == "" && bothWays(t, e, fmt.Sprintf("SELECT key FROM %q WHERE %s", x.Name, f.Where)) {
				used++
			}
		}
	})
	require.Greater(t, used, 60, "filters that asked an index")
}

// indexedTables are the tables of testdata/indexed, see make.py, and the fixtures with scalar indices.
func indexedTables(t testing.TB) (e *engine, fixed []string) {
	tt, ok := t.(*testing.T)
	require.True(t, ok)
	dir := t.TempDir()
	require.NoError(t, linkAll(dir, filepath.Join("testdata", "indexed"), "plain", "stable"))
	for _, name := range []string{"scalar_indices", "laion_v2_2", "laion_stable_row_ids", "laion_history", "deletions_arrow_and_bitmap",
		"vector_ivf_pq_delta_segments", "compacted", "compacted_deferred_remap"} {
		require.NoError(t, linkAll(dir, filepath.Dir(fixtures.Path(t, name+".lance")), name))
		fixed = append(fixed, name)
	}
	return newEngineOver(tt, dir, sqlplan.Options{}), fixed
}

// indexedFilters are conditions over plain and stable that each once seemed worth a thought.
var indexedFilters = []string{
	// Constants of other types, out of range, between two values, NULL.
	"i8 = 7", "i8 = 7.0", "i8 = 7.5", "i8 <> 7.5", "i8 < 7.5", "i8 <= 7.5", "i8 > 7.5", "i8 >= -7.5", "i8 < 1000",
	"i8 > 1000", "NOT i8 > 1000", "i8 >= -129", "i8 = 128",
	"NOT (i8 = 128)", "i8 <> 128", "i8 < 'NaN'::double", "i8 > '-Infinity'::double", "i8 = NULL", "NOT (i8 = NULL)",
	"i8 IS DISTINCT FROM NULL", "i8 IS NOT DISTINCT FROM NULL",
	"i8 IS DISTINCT FROM 7", "i8 IS NOT DISTINCT FROM 7", "i8 IS DISTINCT FROM 7.5", "7 = i8", "7 < i8",
	"i8 BETWEEN -5 AND 5", "i8 NOT BETWEEN -5 AND 5", "i8 BETWEEN 5 AND -5",
	"i8 BETWEEN SYMMETRIC 5 AND -5", "i8 BETWEEN NULL AND 5", "NOT (i8 BETWEEN NULL AND 5)", "i8 IN (1, 2, 300)",
	"i8 IN (300)", "i8 NOT IN (300)", "i8 NOT IN (1, 2)",
	"i8 IN (1, NULL)", "i8 NOT IN (1, NULL)", "NOT (i8 NOT IN (1, NULL))", "i8 IN (NULL)", "i8 IN (1, 2.5)",
	"i8 = ANY (ARRAY[1, 2])", "i8 = ANY ('{1,2,NULL}')", "i8 <> ALL (ARRAY[1, 2])",
	"i8 <> ALL ('{1,2,NULL}')", "i8::bigint = 7", "i8::double = 7", "i8::text = '7'", "i8 + 1 = 8",
	"i8 > 5 AND i8 < 9 AND i8 <> 7", "i8 > 5 AND i8 < NULL", "(i8 > 5) IS TRUE",
	"(i8 > 5) IS NOT TRUE", "(i8 > 5) IS FALSE", "(i8 > 5) IS NOT FALSE", "(i8 > 5) IS UNKNOWN", "(i8 > 5) IS NOT UNKNOWN",
	"(i8 > 5 AND w > 3) IS UNKNOWN", "(i8 > 5 OR w > 3) IS NOT TRUE",
	"u64 = 18446744073709551615", "u64 > 9007199254740992", "u64 >= 9007199254740993", "u64 = 9007199254740992::double",
	"u64 < -1", "u64 > -1", "u64 = 1.5", "u64 > 5e300", "u64 IN (0, -1, 18446744073709551615)",
	// Floats: NaN is above all and equal to itself, the zeros are equal, 0.1 is no float32.
	"f32 = 'NaN'", "f32 > 1e30", "f32 < 'NaN'", "f32 >= 'NaN'", "isnan(f32)", "NOT isnan(f32)", "isnan(f64)", "f32 = 0",
	"f32 = -0.0", "f32 < 0", "f32 <= 0", "f32 >= -0.0", "f32 > -0.0::real", "f64 = 0", "f64 > -0.0",
	"f64 <= '-0'::double", "f32 = 0.1", "f32 = 0.1::real", "f32 = 0.1::double", "f32 > 0.1::double", "f32 >= 0.1",
	"f32 <= 0.1", "f64 = 0.1", "f32 IN (0.1, 1.5)", "f64 IN ('NaN', 0)", "f64 NOT IN ('NaN', 0)",
	"f32 = 'Infinity'", "f32 < 1e300::double", "f32 > -1e300::double", "f32 BETWEEN 0 AND 'NaN'", "f64 = f32",
	"dec = 1.5", "dec = 1.505", "dec > 1.505", "dec < 1.505", "dec >= 10", "dec = 10", "dec < 99999999999",
	"dec > -99999999999.5", "dec IN (1.5, 2.25, 1.505)", "dec > 1.5::double", "dec < 0.1::double",
	// Strings.
	"s = 's1'", "s > 's3'", "s <= 's2' AND s >= 's1'", "s = ''", "s IN ('s1', 's2', 'nowhere')", "s LIKE 's1%'",
	"s LIKE 's_'", "s LIKE 's1_'", "s LIKE '%1'", "s LIKE 's%9'", "s LIKE 's1'", "s LIKE ''", "s LIKE '%'",
	"s LIKE 's1\\\\'", "s LIKE 'ä\\%\\_'", "s LIKE 'ä!%!_' ESCAPE '!'", "s NOT LIKE 's1%'", "s NOT LIKE 's_'",
	"s LIKE NULL", "s NOT LIKE NULL", "s ILIKE 's1%'", "starts_with(s, 's1')", "starts_with(s, '')",
	"NOT starts_with(s, 's3')", "s ~ '^s1'", "s ~ '^s1$'", "s ~ '^s1|^s2'", "s ~ '1'", "s !~ '^s1'", "s ~* '^S1'",
	"s ~ '^(s1)'", "starts_with(s, NULL)", "s < 5::text", "lower(s) = 's1'", "s || '' = 's1'", "s = note",
	"ls = 'cat'", "ls <> 'cat'", "ls > 'd'", "ls BETWEEN 'a' AND 'd'", "ls IS NULL", "ls IS NOT NULL", "ls = ''",
	"ls LIKE 'c%'", "ls LIKE '%at'", "ls IN ('cat', 'dog') AND NOT flag",
	"txt LIKE '%photo of%'", "contains(txt, 'cat')", "contains(txt, 'ca')", "contains(txt, '')",
	"NOT contains(txt, 'cat')", "txt LIKE '%cat%dog%'", "txt NOT LIKE '%cat%dog%'", "txt LIKE 'cat%'", "txt LIKE '%cat'",
	"txt ~ 'ca.*og'", "txt ~ 'cat'", "txt ~ '^cat'", "txt ~ 'кошка'", "contains(txt, 'КОШКА')",
	"txt LIKE '%Katze%' OR txt LIKE '%кошка%'", "contains(txt, 'photo of') AND contains(txt, 'zebra')", "txt IS NULL", "txt LIKE '%50\\%%'",
	"bl = 'b17'", "bl <> 'b17'", "bl IN ('b17', 'b300', 'b0')", "bl IS NULL", "bl IS NOT NULL", "NOT (bl = 'b17')", "bl > 'b3'",
	// Booleans.
	"flag", "NOT flag", "flag = true", "flag = false", "flag <> true", "flag IS TRUE", "flag IS NOT TRUE", "flag IS FALSE",
	"flag IS UNKNOWN", "flag IS NULL", "flag AND i8 > 0", "flag OR i8 > 0", "NOT (flag OR i8 > 0)", "NOT (flag AND i8 > 0)",
	"flag IN (true)", "flag > false", "flag AND w > 5", "flag OR w > 5", "NOT (flag AND w > 5)", "NOT (flag OR w > 5)",
	"flag AND (i8 > 0 OR w > 5)", "flag OR (i8 > 0 AND w > 5)", "flag = (i8 > 0)", "CASE WHEN flag THEN i8 > 0 END",
	// Dates and times.
	"d = DATE '1969-12-31'", "d < TIMESTAMP '1969-12-31 12:00:00'", "d <= TIMESTAMP '1969-12-31 00:00:00'",
	"d > TIMESTAMP '1969-12-31 12:00:00'", "d >= TIMESTAMP '1970-01-01 00:00:00.000001'", "d = TIMESTAMP '1970-01-01 00:00:00'",
	"d = TIMESTAMP '1970-01-01 00:00:01'", "d IN ('1969-12-25', '1970-01-02')", "d BETWEEN '1969-12-25' AND '1970-01-02'",
	"ts = TIMESTAMP '1969-12-31 12:00:00'", "ts >= TIMESTAMP '1969-12-31 12:00:00.000001'", "ts < DATE '1970-01-01'",
	"ts > DATE '1969-12-31'", "ts <= TIMESTAMP '1969-12-31 00:00:00.000001'", "ts_s < TIMESTAMP '1969-12-31 10:00:00.5'",
	"ts_s <= TIMESTAMP '1969-12-31 10:00:00'", "ts_s >= DATE '1970-01-01'", "ts_s = TIMESTAMP '1969-12-31 00:00:00.5'", "ts_s > ts",
	// Lists.
	"array_has(tags, 'cat')", "NOT array_has(tags, 'cat')", "array_has(tags, NULL)", "NOT array_has(tags, NULL)",
	"array_has_any(tags, ['cat', 'dog'])", "NOT array_has_any(tags, ['cat', 'dog'])", "array_has_all(tags, ['cat', 'dog'])",
	"NOT array_has_all(tags, ['cat', 'dog'])", "array_has_any(tags, [])", "array_has_all(tags, [])",
	"NOT array_has_all(tags, [])", "array_has_any(tags, [NULL])", "array_has_all(tags, ['cat', NULL])", "tags && ARRAY['cat', 'nowhere']",
	"tags @> ARRAY['cat']", "tags @> ARRAY['cat', NULL]", "NOT tags @> ARRAY['cat', NULL]", "ARRAY['cat'] <@ tags",
	"tags <@ ARRAY['cat']", "'cat' = ANY (tags)", "NOT ('cat' = ANY (tags))", "'cat' <> ALL (tags)", "NULL = ANY (tags)", "tags IS NULL",
	"tags IS NOT NULL", "contains(tags, 'dog')", "array_has_any(nums, [1, 2])", "array_has_all(nums, [1, 2])",
	"array_has(nums, 3000000000)", "array_has_any(nums, [1, 3000000000])", "array_has_all(nums, [1, 3000000000])", "array_has(nums, 1.5)",
	"NOT array_has_all(nums, [1, 3000000000])", "3 = ANY (nums)", "nums IS NULL AND NOT flag",
	"array_has(tags, 'cat') AND array_has(nums, 3) AND w > 3", "array_has(tags, note)",
	// Zone maps.
	"z = 100", "z > 300", "z BETWEEN 50 AND 60", "z < 20 OR z > 330", "NOT (z > 100)", "z IS NULL", "z IS NOT NULL",
	"z IN (5, 100, 1000)", "fz > 30", "fz = 'NaN'", "fz < 'NaN'", "isnan(fz)", "NOT (fz > 30)", "fz BETWEEN 10 AND 20 AND flag",
	// Members of structs, and what no index knows.
	"place.zip = 5", "place.zip < 10", "place.zip IS NULL", "NOT (place.zip < 50)", "place.zip < 10 OR i8 > 100",
	"place IS NULL", "place.city = 'cat'", "place.zip BETWEEN 5 AND 15", "place.zip NOT BETWEEN 5 AND 15",
	"w = 5", "w = 5 AND i8 > 0", "w = 5 OR i8 > 0", "key = 17", "key IN (17, 18, 5, 360, 100000)", "key < 10",
	"key >= 380", "key <> 17", "key = 17 OR key = 18 OR w = 3", "key % 2 = 0 AND key < 50", "true", "false", "NULL",
	"key = 17 AND NULL", "key = 17 OR NULL",
	"NOT (key = 17 AND NULL)", "key = (SELECT min(key) + 3 FROM plain)", "key < 20 AND 10 / (w - 3) > 1",
}

func TestIndexedFilters(t *testing.T) {
	e, _ := indexedTables(t)
	for _, table := range []string{"plain", "stable"} {
		t.Run(table, func(t *testing.T) {
			for i, where := range indexedFilters {
				bothWays(t, e, fmt.Sprintf("SELECT key, s, w FROM %s WHERE %s", table, where))
				bothWays(t, e, fmt.Sprintf("SELECT key FROM %s WHERE NOT (%s)", table, where))
				// Other uses of the same rows take turns.
				bothWays(t, e, fmt.Sprintf([]string{
					"SELECT count(*) FROM %s WHERE %s", "SELECT i8, flag, txt FROM %s WHERE %s", "SELECT key, tags FROM %s WHERE %s LIMIT 3 OFFSET 1",
					"SELECT key, txt FROM %s WHERE %s ORDER BY w, key LIMIT 5", "SELECT _rowid, _rowaddr FROM %s WHERE %s",
				}[i%5], table, where))
			}
		})
	}
}

// Constants that are parameters are looked up when the statement runs.
func TestIndexedParams(t *testing.T) {
	e, _ := indexedTables(t)
	number := func(v any) expr.Literal { return expr.Literal{Value: v, T: arrow.PrimitiveTypes.Int64} }
	text := func(v any) expr.Literal { return expr.Literal{Value: v, T: arrow.BinaryTypes.String} }
	for _, c := range []struct {
		where  string
		params [][]expr.Literal
	}{
		{"key = ?", [][]expr.Literal{{number(int64(17))}, {number(int64(-1))}, {number(nil)}}},
		{"key BETWEEN ? AND ?", [][]expr.Literal{{number(int64(17)), number(int64(40))},
			{number(int64(40)), number(int64(17))}, {number(nil), number(int64(17))}}},
		{"key IN (?, 5, ?)", [][]expr.Literal{{number(int64(17)), number(int64(40))}, {number(nil), number(int64(17))}}},
		{"key NOT IN (?, 5)", [][]expr.Literal{{number(int64(17))}, {number(nil)}}},
		{"NOT (s = ? OR key > ?)", [][]expr.Literal{{text("s1"), number(int64(40))}, {text(nil), number(int64(40))}}},
		{"s LIKE ?", [][]expr.Literal{{text("s1%")}, {text("%1")}, {text(nil)}, {text("s1")}}},
		{"txt LIKE ?", [][]expr.Literal{{text("%cat%")}, {text("cat%")}}},
		{"starts_with(s, ?)", [][]expr.Literal{{text("s1")}, {text("")}, {text(nil)}}},
		{"array_has(tags, ?)", [][]expr.Literal{{text("cat")}, {text(nil)}}},
		{"i8 = ? + 1", [][]expr.Literal{{expr.Literal{Value: int64(6), T: arrow.PrimitiveTypes.Int8}}}},
	} {
		for _, params := range c.params {
			sql := "SELECT key FROM plain WHERE " + c.where
			p, err := e.Prepare(context.Background(), withIndex, sql, nil)
			require.NoError(t, err, sql)
			for i, info := range p.Plan().Common().Params {
				if !arrow.TypeEqual(params[i].T, info.Type) {
					params[i], err = expr.CastLiteral(params[i], info.Type)
					require.NoError(t, err)
				}
			}
			require.True(t, bothWays(t, e, sql, params...), sql)
		}
	}
}

// sampleColumn is a column that random conditions are made of, with constants from its values.
type sampleColumn struct {
	name     string
	class    string // "number", "text", "bool", "list", "other"
	literals []string
}

// sampleColumns looks at the values of a table.
func sampleColumns(t *testing.T, e *engine, table string) []sampleColumn {
	t.Helper()
	schema, _, err := e.rows(t, fmt.Sprintf("SELECT * FROM %q LIMIT 0", table), withoutIndex)
	require.NoError(t, err)
	var out []sampleColumn
	for _, f := range schema.Fields() {
		c := sampleColumn{name: fmt.Sprintf("%q", f.Name)}
		query := c.name
		switch f.Type.ID() {
		case arrow.BOOL:
			c.class = "bool"
		case arrow.STRING, arrow.LARGE_STRING:
			c.class = "text"
		case arrow.LIST, arrow.LARGE_LIST:
			if item := f.Type.(arrow.ListLikeType).Elem().ID(); item != arrow.STRING && item != arrow.INT32 {
				continue
			}
			c.class, query = "list", c.name+"[1]"
		case arrow.STRUCT, arrow.MAP, arrow.FIXED_SIZE_LIST, arrow.BINARY, arrow.LARGE_BINARY, arrow.FIXED_SIZE_BINARY,
			arrow.DURATION, arrow.TIME32, arrow.TIME64:
			continue
		default:
			c.class = "number"
		}
		p, err := e.Prepare(context.Background(), withoutIndex,
			fmt.Sprintf("SELECT %s FROM %q WHERE %s IS NOT NULL LIMIT 200", query, table, query), nil)
		require.NoError(t, err)
		stream, err := p.Execute(context.Background(), sqlplan.ExecOptions{})
		require.NoError(t, err)
		for {
			rec, err := stream.Next(context.Background())
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			for i := range int(rec.NumRows()) {
				l, err := expr.LiteralAt(rec.Column(0), i)
				require.NoError(t, err)
				if text := l.String(); i%7 == 0 && !slices.Contains(c.literals, text) && len(text) < 100 {
					c.literals = append(c.literals, text)
				}
			}
			rec.Release()
		}
		require.NoError(t, stream.Close())
		if len(c.literals) > 0 {
			out = append(out, c)
		}
	}
	return out
}

// condition draws a condition: AND, OR, NOT over comparisons of columns with constants.
func condition(t *rapid.T, cols []sampleColumn, depth int) string {
	if depth > 0 {
		switch rapid.IntRange(0, 9).Draw(t, "node") {
		case 0, 1, 2:
			return "(" + condition(t, cols, depth-1) + " AND " + condition(t, cols, depth-1) + ")"
		case 3, 4, 5:
			return "(" + condition(t, cols, depth-1) + " OR " + condition(t, cols, depth-1) + ")"
		case 6, 7:
			return "NOT (" + condition(t, cols, depth-1) + ")"
		case 8:
			return "(" + condition(t, cols, depth-1) + ") IS " +
				rapid.SampledFrom([]string{"TRUE", "NOT TRUE", "FALSE", "NOT FALSE", "UNKNOWN", "NOT UNKNOWN"}).Draw(t, "is")
		}
	}
	c := rapid.SampledFrom(cols).Draw(t, "column")
	lit := func() string {
		if rapid.IntRange(0, 19).Draw(t, "null") == 0 {
			return "NULL"
		}
		return rapid.SampledFrom(c.literals).Draw(t, "literal")
	}
	list := func() string {
		items := make([]string, rapid.IntRange(1, 4).Draw(t, "items"))
		for i := range items {
			items[i] = lit()
		}
		return strings.Join(items, ", ")
	}
	piece := func() string {
		l := []rune(strings.Trim(rapid.SampledFrom(c.literals).Draw(t, "text"), "'"))
		from := rapid.IntRange(0, len(l)).Draw(t, "from")
		return strings.ReplaceAll(strings.ReplaceAll(string(l[from:min(len(l), from+rapid.IntRange(0, 6).Draw(t, "length"))]), "'", ""), `\`, "")
	}
	kind := rapid.IntRange(0, 9).Draw(t, "leaf")
	if kind == 0 {
		return c.name + rapid.SampledFrom([]string{" IS NULL", " IS NOT NULL"}).Draw(t, "null")
	}
	switch c.class {
	case "bool":
		return c.name + rapid.SampledFrom([]string{"", " = true", " <> true", " = false", " IS TRUE"}).Draw(t, "bool")
	case "list":
		switch kind % 4 {
		case 0:
			return fmt.Sprintf("array_has(%s, %s)", c.name, lit())
		case 1:
			return fmt.Sprintf("%s = ANY (%s)", lit(), c.name)
		case 2:
			return fmt.Sprintf("array_has_any(%s, [%s])", c.name, list())
		}
		return fmt.Sprintf("array_has_all(%s, [%s])", c.name, list())
	case "text":
		switch kind {
		case 1:
			return fmt.Sprintf("starts_with(%s, '%s')", c.name, piece())
		case 2:
			return fmt.Sprintf("contains(%s, '%s')", c.name, piece())
		case 3:
			return fmt.Sprintf("%s LIKE '%s%%'", c.name, piece())
		case 4:
			return fmt.Sprintf("%s NOT LIKE '%%%s%%%s'", c.name, piece(), piece())
		}
	}
	switch kind {
	case 5:
		return fmt.Sprintf("%s BETWEEN %s AND %s", c.name, lit(), lit())
	case 6:
		return fmt.Sprintf("%s NOT BETWEEN %s AND %s", c.name, lit(), lit())
	case 7:
		return fmt.Sprintf("%s%s IN (%s)", c.name, rapid.SampledFrom([]string{"", " NOT"}).Draw(t, "not"), list())
	case 8:
		return fmt.Sprintf("%s IS%s DISTINCT FROM %s", c.name, rapid.SampledFrom([]string{"", " NOT"}).Draw(t, "not"), lit())
	}
	return fmt.Sprintf("%s %s %s", c.name, rapid.SampledFrom([]string{"=", "<>", "<", "<=", ">", ">="}).Draw(t, "op"), lit())
}

// Random conditions over indexed and other columns.
func TestIndexedRandom(t *testing.T) {
	e, fixed := indexedTables(t)
	for _, table := range append(fixed, "plain", "stable") {
		t.Run(table, func(t *testing.T) {
			cols := sampleColumns(t, e, table)
			used := 0
			rapid.Check(t, func(r *rapid.T) {
				sql := fmt.Sprintf("SELECT key FROM %q WHERE %s", table, condition(r, cols, 3))
				if bothWays(t, e, sql) {
					used++
				}
			})
			t.Logf("%d conditions asked an index", used)
		})
	}
}
