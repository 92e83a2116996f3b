package sqlplan_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
)

// statements writes SQL that the grammar allows and the types mostly do not: any expression in any place. Choices come
// from next, which returns a number from 0 to n-1.
type statements struct {
	next   func(n int) int
	params int
}

func (s *statements) pick(list ...string) string { return list[s.next(len(list))] }

// one makes one of the texts.
func (s *statements) one(make ...func() string) string { return make[s.next(len(make))]() }

func (s *statements) list(most int, item func() string) string {
	items := make([]string, 1+s.next(most))
	for i := range items {
		items[i] = item()
	}
	return strings.Join(items, ", ")
}

// maybe is the text in one of three cases.
func (s *statements) maybe(make func() string) string {
	if s.next(3) > 0 {
		return ""
	}
	return " " + make()
}

// typedColumns are the columns of the table v, of every type, with a value and a NULL.
var typedColumns = []struct{ name, value string }{
	{"b", "TRUE"}, {"i8", "CAST(7 AS TINYINT)"}, {"i32", "-3"}, {"i64", "9223372036854775807"},
	{"u8", "CAST(200 AS UTINYINT)"}, {"u64", "CAST(18446744073709551615 AS UBIGINT)"}, {"f32", "CAST(0.1 AS FLOAT)"}, {"f64", "1e0"},
	{"d", "1.50"}, {"dd", "CAST(1 AS DECIMAL(38,10))"}, {"s", "'abc'"}, {"n", "'42'"}, {"x", "X'00ff'"}, {"dt", "DATE '2024-02-29'"},
	{"tm", "TIME '12:34:56'"}, {"ts", "TIMESTAMP '2024-02-29 12:34:56.789'"}, {"tz", "TIMESTAMPTZ '2024-02-29 12:34:56Z'"},
	{"iv", "INTERVAL '1 month 2 days'"}, {"l", "[1, 2, 3]"}, {"ls", "ARRAY['a', 'b']"}, {"ll", "[[1], [2]]"},
	{"e", "CAST([1, 2, 3] AS FLOAT[3])"}, {"nul", "NULL"},
}

// table is the text of the table v.
func typedTable() string {
	var names, values, nulls []string
	for _, c := range typedColumns {
		names, values = append(names, c.name), append(values, c.value)
		nulls = append(nulls, "NULL")
	}
	return fmt.Sprintf("(VALUES (%s), (%s)) v(%s)", strings.Join(values, ", "), strings.Join(nulls, ", "), strings.Join(names, ", "))
}

func (s *statements) column() string { return typedColumns[s.next(len(typedColumns))].name }

func (s *statements) typeName() string {
	return s.pick("BOOLEAN", "TINYINT", "INTEGER", "BIGINT", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL(5,2)", "DECIMAL(38,38)", "VARCHAR", "BLOB",
		"DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "INTERVAL", "INTEGER[]", "FLOAT[3]", "VARCHAR[]",
		"STRUCT(a INTEGER, b VARCHAR)", "BIGINT[][]")
}

func (s *statements) leaf() string {
	return s.one(
		s.column, s.column, s.column,
		func() string {
			return s.pick("NULL", "TRUE", "FALSE", "0", "1", "-1", "3", "2147483648", "9223372036854775807", "0.1", "-1.5", "1e300",
				"0.00000000000000000000000000000000000001", "99999999999999999999999999999999999999", "X'ff'", "[1, 2, 3]", "[]", "[0.5, 1e3]")
		},
		func() string {
			return s.pick("'abc'", "''", "'t'", "'1'", "'-5'", "'1.5e3'", "'2024-02-29'", "'12:00'", "'1 day'", "'[1,2,3]'", "'{\"a\": 1}'", "'%a_'",
				"'('", "'UTC'", "'day'", "'Ünïcødé'", "'NaN'")
		},
		func() string {
			return s.pick("DATE '2024-02-29'", "TIMESTAMP '2024-02-29 01:02:03'", "INTERVAL '1 year -3 days'", "INTERVAL 5 DAY", "TIME '00:00'",
				"INTERVAL '7' HOUR", "E'\\t'", "current_user", "current_date", "now()", "ARRAY[TRUE, NULL]", "ARRAY['x', NULL]")
		},
		func() string {
			n := 1 + s.next(3)
			s.params = max(s.params, n)
			return fmt.Sprintf("$%d", n)
		},
	)
}

var functionNames = func() (names, aggregates []string) {
	for _, f := range expr.FunctionNames() {
		if f.Category == "aggregate" {
			aggregates = append(aggregates, f.Name)
		} else if f.Name != "pg_sleep" {
			names = append(names, f.Name)
		}
	}
	return names, aggregates
}

// kinds are literals and columns of the table v by what they are.
var kinds = map[string][]string{
	"number": {"i8", "i32", "i64", "u8", "u64", "f32", "f64", "d", "dd", "0", "1", "-7", "2.5", "1e3", "$1"},
	"text":   {"s", "n", "'abc'", "'5'", "NULL", "$2"},
	"bool":   {"b", "TRUE", "FALSE", "NULL", "'t'", "$3"},
	"time":   {"dt", "ts", "tz", "DATE '2024-02-29'", "'2024-02-29 01:02:03'::TIMESTAMP"},
	"list":   {"l", "e", "[1, 2, 3]", "ARRAY[0.5, NULL]"},
}

// of is an expression of a kind, or now and then one of any: if every place had a wrong type, no statement
// would come further than its first one.
func (s *statements) of(kind string, depth int) string {
	if s.next(12) == 0 {
		return s.expr(depth)
	}
	if depth <= 0 || s.next(4) == 0 {
		leaf := s.pick(kinds[kind]...)
		if leaf[0] == '$' {
			s.params = max(s.params, int(leaf[1]-'0'))
		}
		return leaf
	}
	a := func(kind string) string { return s.of(kind, depth-1) }
	some := func() string { return s.pick("number", "text", "time", "bool") }
	same := some()
	any := func() string {
		return s.one(
			func() string {
				return "CASE WHEN " + a("bool") + " THEN " + a(kind) + s.maybe(func() string { return "ELSE " + a(kind) }) + " END"
			},
			func() string {
				return s.pick("coalesce(", "greatest(", "least(", "nullif(") + a(kind) + ", " + a(kind) + ")"
			},
			func() string {
				return "(SELECT " + a(kind) + " FROM " + typedTable() + s.pick(" LIMIT 1", " WHERE "+a("bool")) + ")"
			},
		)
	}
	switch kind {
	case "number":
		return s.one(any,
			func() string {
				return "(" + a("number") + s.pick(" + ", " - ", " * ", " / ", " % ", " & ") + a("number") + ")"
			},
			func() string {
				return s.pick("abs(", "round(", "sqrt(", "-(", "sign(") + a("number") + ")"
			},
			func() string { return s.pick("length(", "ascii(") + a("text") + ")" },
			func() string {
				return s.pick("CAST(", "TRY_CAST(") + a(some()) + " AS " + s.pick("INTEGER", "BIGINT", "DOUBLE", "DECIMAL(20,5)", "FLOAT") + ")"
			},
			func() string { return "extract(year FROM " + a("time") + ")" },
			func() string { return "(" + a("list") + ")[" + a("number") + "]" },
			func() string { return "(" + a("list") + " <-> " + a("list") + ")" })
	case "text":
		return s.one(any,
			func() string { return "(" + a("text") + " || " + a(some()) + ")" },
			func() string { return s.pick("upper(", "lower(", "trim(", "reverse(") + a("text") + ")" },
			func() string { return "substr(" + a("text") + ", " + a("number") + ")" },
			func() string { return "CAST(" + a(some()) + " AS VARCHAR)" })
	case "time":
		return s.one(any,
			func() string { return "(" + a("time") + s.pick(" + ", " - ") + "INTERVAL '1 day')" },
			func() string { return "date_trunc('month', " + a("time") + ")" },
			func() string { return "CAST(" + a("time") + " AS " + s.pick("DATE", "TIMESTAMP", "TIMESTAMPTZ") + ")" })
	case "list":
		return s.one(any,
			func() string { return "[" + a("number") + ", " + a("number") + "]" },
			func() string { return "(" + a("list") + " || " + a("list") + ")" })
	}
	return s.one(any,
		func() string {
			return "(" + a(same) + s.pick(" = ", " <> ", " < ", " >= ", " IS DISTINCT FROM ") + a(same) + ")"
		},
		func() string { return "(" + a("bool") + s.pick(" AND ", " OR ") + a("bool") + ")" },
		func() string { return "NOT " + a("bool") },
		func() string { return "(" + a(same) + " BETWEEN " + a(same) + " AND " + a(same) + ")" },
		func() string { return "(" + a(same) + s.pick(" IN (", " NOT IN (") + a(same) + ", " + a(same) + "))" },
		func() string { return "(" + a("text") + s.pick(" LIKE ", " ILIKE ", " SIMILAR TO ") + "'a%')" },
		func() string { return "(" + a(some()) + " IS NULL)" },
		func() string { return "(" + a("number") + " = ANY (" + a("list") + "))" },
		func() string { return "(" + a(same) + " IN (SELECT " + a(same) + " FROM " + typedTable() + "))" })
}

// kind is an expression of some kind.
func (s *statements) kind(depth int) string {
	return s.of(s.pick("number", "text", "bool", "time", "list"), depth)
}

func (s *statements) expr(depth int) string {
	if depth <= 0 || s.next(6) == 0 {
		return s.leaf()
	}
	x := func() string { return s.expr(depth - 1) }
	functions, aggregates := functionNames()
	not := func() string { return s.pick("", "NOT ") }
	return s.one(
		func() string { return s.pick("-", "+", "NOT ") + "(" + x() + ")" },
		func() string {
			return "(" + x() + " " + s.pick("+", "-", "*", "/", "%", "^", "||", "&", "|", "<<", ">>", "->", "->>", "&&", "@>", "<@", "<->", "<=>",
				"<#>", "~", "!~*") + " " + x() + ")"
		},
		func() string { return "(" + x() + " " + s.pick("=", "<>", "<", "<=", ">", ">=") + " " + x() + ")" },
		func() string { return "(" + x() + " " + s.pick("AND", "OR") + " " + x() + ")" },
		func() string { return "(" + x() + " IS " + not() + s.pick("NULL", "TRUE", "FALSE", "UNKNOWN") + ")" },
		func() string { return "(" + x() + " IS " + not() + "DISTINCT FROM " + x() + ")" },
		func() string {
			return "(" + x() + " " + not() + "BETWEEN " + s.pick("", "SYMMETRIC ") + x() + " AND " + x() + ")"
		},
		func() string { return "(" + x() + " " + not() + "IN (" + s.list(3, x) + "))" },
		func() string { return "(" + x() + " " + not() + "IN (SELECT " + x() + " FROM " + typedTable() + "))" },
		func() string {
			return "(" + x() + " " + not() + s.pick("LIKE ", "ILIKE ", "SIMILAR TO ") + x() + s.maybe(func() string { return "ESCAPE " + x() }) + ")"
		},
		func() string {
			return "(" + x() + s.pick(" = ", " < ", " <> ") + s.pick("ANY", "ALL") + " (" + x() + "))"
		},
		func() string {
			return "CASE WHEN " + x() + " THEN " + x() + s.maybe(func() string { return "ELSE " + x() }) + " END"
		},
		func() string {
			return "CASE " + x() + " WHEN " + x() + " THEN " + x() + " WHEN " + x() + " THEN " + x() +
				s.maybe(func() string { return "ELSE " + x() }) +
				" END"
		},
		func() string { return s.pick("CAST(", "TRY_CAST(") + x() + " AS " + s.typeName() + ")" },
		func() string { return "(" + x() + ")::" + s.typeName() },
		func() string { return functions[s.next(len(functions))] + "(" + s.list(3, x) + ")" },
		func() string { return functions[s.next(len(functions))] + "(" + s.list(3, x) + ")" },
		func() string {
			return aggregates[s.next(len(aggregates))] + "(" + s.pick("", "DISTINCT ") + s.list(2, x) + ")" +
				s.maybe(func() string { return "FILTER (WHERE " + x() + ")" })
		},
		func() string { return s.pick("count(*)", "count(DISTINCT *)", "sum(*)", "row_number() OVER ()") },
		func() string { return "(" + x() + ")[" + x() + s.pick("", ":"+s.leaf()) + "]" },
		func() string { return "(" + x() + ").a" },
		func() string { return "(" + x() + " AT TIME ZONE " + x() + ")" },
		func() string {
			return "(" + not() + "EXISTS (SELECT " + x() + " FROM " + typedTable() + " WHERE " + x() + "))"
		},
		func() string { return "(SELECT " + x() + ")" },
		func() string { return "((" + s.list(3, x) + ") = (" + s.list(3, x) + "))" },
		func() string { return "ARRAY[" + s.list(3, x) + "]" },
		func() string { return "(" + x() + ", " + x() + ")" },
		func() string {
			return s.pick("coalesce", "greatest", "least", "nullif", "if") + "(" + s.list(3, x) + ")"
		},
		func() string { return "extract(" + s.pick("YEAR", "epoch", "dow") + " FROM " + x() + ")" },
		func() string { return "substring(" + x() + " FROM " + x() + " FOR " + x() + ")" },
		func() string { return s.pick("trim(both ", "position(") + x() + s.pick(" FROM ", " IN ") + x() + ")" },
		func() string { return "l2_distance(" + x() + ", " + x() + ", 'nprobes=3')" },
	)
}

// source is a FROM clause.
func (s *statements) source(depth int) string {
	x := func() string { return s.kind(depth) }
	cond := func() string { return s.of("bool", depth) }
	return s.one(
		typedTable, typedTable, typedTable,
		func() string { return "plain" },
		func() string {
			return typedTable() + s.pick(" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", " SEMI JOIN ", " ANTI JOIN ") +
				strings.Replace(typedTable(), ") v(", ") w(", 1) + " ON " + s.one(cond, func() string {
				return "v." +
					s.column() + " = w." + s.column()
			})
		},
		func() string {
			return typedTable() + " JOIN (SELECT " + x() + " AS " + s.column() + " FROM " + typedTable() + ") u USING (" + s.column() + ")"
		},
		func() string { return typedTable() + " NATURAL JOIN (SELECT " + x() + " AS " + s.column() + ") u" },
		func() string { return typedTable() + ", LATERAL (SELECT " + x() + " AS la) q" },
		func() string { return "(SELECT *, " + s.list(2, x) + " FROM " + typedTable() + ") u" },
		func() string { return "(VALUES (" + x() + "), (" + x() + ")) u(" + s.column() + ")" },
	)
}

func (s *statements) block(depth int) string {
	x := func() string { return s.kind(depth) }
	if s.next(5) == 0 {
		x = func() string {
			return s.pick("min(", "max(", "count(", "sum(", "avg(", "sum(DISTINCT ", "array_agg(", "bool_or(") + s.kind(depth) + ")" +
				s.maybe(func() string { return "FILTER (WHERE " + s.of("bool", depth) + ")" })
		}
	}
	cond := func() string { return s.of("bool", depth) }
	order := func() string { return x() + s.pick("", " DESC", " NULLS FIRST") }
	return "SELECT " + s.pick("", "", "DISTINCT ", "DISTINCT ON ("+s.leaf()+") ") + s.list(3, func() string {
		return x() + s.maybe(func() string { return "AS " + s.column() })
	}) + s.pick(s.pick("", " FROM "+typedTable()), " FROM "+s.source(depth-1), " FROM "+typedTable(), " FROM "+typedTable()) +
		s.maybe(func() string { return "WHERE " + cond() }) +
		s.maybe(func() string {
			return s.pick("", "GROUP BY "+s.list(2, x), "GROUP BY ALL", "GROUP BY 1") + s.maybe(func() string { return "HAVING " + cond() })
		}) +
		s.maybe(func() string { return "ORDER BY " + s.list(2, order) }) +
		s.maybe(func() string { return "LIMIT " + s.pick("1", "2", "$3", "NULL", s.leaf()) }) +
		s.maybe(func() string { return "OFFSET " + s.pick("0", "1", "1.5", "$3", s.leaf()) })
}

func (s *statements) statement() string {
	depth := 1 + s.next(3)
	block := func() string { return s.block(depth) }
	return s.one(block, block, block, block, block, block,
		func() string {
			return "(" + s.block(depth) + ")" + s.pick(" UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT ") + "(" + s.block(depth) + ")" +
				s.maybe(func() string { return "ORDER BY 1" })
		},
		func() string { return "VALUES (" + s.list(3, s.leaf) + ")" },
		func() string {
			return "WITH w AS (SELECT *, " + s.kind(depth) + " AS x FROM " + typedTable() + ") SELECT x, " + s.kind(depth) + " FROM w"
		},
		func() string { return "EXPLAIN " + s.pick("", "ANALYZE ") + s.block(depth) },
	)
}

// values are values for the parameters of a statement, none of which knows what is wanted.
func (s *statements) values() []expr.Literal {
	out := make([]expr.Literal, s.params)
	for i := range out {
		out[i] = []expr.Literal{
			whole(3), double(0.5), txt("abc"), txt("1"), lit(nil, arrow.Null), lit(true, arrow.FixedWidthTypes.Boolean),
			lit([]byte{1}, arrow.BinaryTypes.Binary),
			lit(int64(19000), arrow.FixedWidthTypes.Date32), lit([]any{1.0, 2.0, 3.0}, arrow.ListOf(arrow.PrimitiveTypes.Float64)),
			lit(int64(1), &arrow.TimestampType{Unit: arrow.Microsecond}),
		}[s.next(10)]
	}
	return out
}

// illTyped prepares and runs statements and holds that they have rows or an error that is the statement's own.
type illTyped struct {
	e *sqlplan.Engine
}

// try runs a statement as a client does: it is prepared, then bound, then run. ran says that it had a result.
func (i illTyped) try(t testing.TB, sql string, s *statements) (ran bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s\npanics: %v\n%s", sql, p, debug.Stack())
		}
	}()
	own := func(err error) {
		if err != nil && fault.KindOf(err) == fault.Internal {
			t.Errorf("%s\n%v", sql, err)
		}
	}
	if _, err := i.e.Prepare(ctx, sqlplan.Session{}, sql, nil); err != nil {
		own(err)
		return false
	}
	var recs []arrow.RecordBatch
	if s.params > 0 {
		recs = []arrow.RecordBatch{record(t, memory.NewGoAllocator(), s.values())}
	}
	p, runs, err := i.e.PrepareBound(ctx, sqlplan.Session{}, sql, nil, recs)
	if err != nil {
		own(err)
		return false
	}
	if len(runs) == 0 {
		runs = [][]expr.Literal{nil}
	}
	stream, err := p.Execute(ctx, sqlplan.ExecOptions{Params: runs[0]})
	if err != nil {
		own(err)
		return false
	}
	defer stream.Close()
	for range 20 {
		rec, err := stream.Next(ctx)
		if err == io.EOF {
			return true
		}
		if err != nil {
			own(err)
			return false
		}
		rec.Release()
	}
	return true
}

// Every statement that the grammar allows is planned and run, or refused with an error that says what is wrong
// with it: no panic, and no error of kind Internal. The statements are the same in every run, and have every kind of
// expression in them.
func TestIllTypedStatements(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, linkAll(dir, filepath.Join("testdata", "indexed"), "plain"))
	e := newEngineOver(t, dir, sqlplan.Options{Workers: 1, MemoryLimitBytes: 256 << 20})
	rng := rand.New(rand.NewPCG(11, 10))
	seen, ran := map[string]bool{}, 0
	const n = 3000
	for i := range n {
		if leftOut(i, 20) {
			continue
		}
		s := &statements{next: rng.IntN}
		sql := s.statement()
		if parsed, err := parse.Parse(sql); err == nil {
			parse.Walk(parsed, func(x any) bool {
				seen[strings.TrimPrefix(fmt.Sprintf("%T", x), "*parse.")] = true
				return true
			})
		}
		if (illTyped{e.Engine}).try(t, sql, s) {
			ran++
		}
	}
	if testing.Short() {
		return
	}
	for _, kind := range []string{"Column", "Number", "String", "Bytes", "Bool", "Null", "TypedString", "Vector",
		"Array", "Param", "Unary", "Binary",
		"IsNull", "IsBool", "IsDistinct", "Between", "In", "Like", "Quantified", "Exists", "Subquery", "Tuple", "Case", "Cast", "Call", "Index",
		"FieldAccess", "AtTimeZone", "Query", "Select", "SetOp", "Values", "NamedTable", "Derived", "Join", "Explain"} {
		require.True(t, seen[kind], "no statement has a %s", kind)
	}
	t.Logf("%d of %d statements ran", ran, n)
	require.Greater(t, ran, n/10)
}

// FuzzIllTyped does the same with choices that the fuzzer makes.
func FuzzIllTyped(f *testing.F) {
	dir := f.TempDir()
	if err := linkAll(dir, filepath.Join("testdata", "indexed"), "plain"); err != nil {
		f.Fatal(err)
	}
	cat, err := catalog.Open(context.Background(), []string{dir}, catalog.Options{})
	if err != nil {
		f.Fatal(err)
	}
	e := sqlplan.NewEngine(cat, sqlplan.Options{Workers: 1, MemoryLimitBytes: 256 << 20})
	f.Cleanup(func() { e.Close(); cat.Close() })
	for seed := range 20 {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		choices := make([]byte, 200)
		for i := range choices {
			choices[i] = byte(rng.IntN(256))
		}
		f.Add(choices)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		s := &statements{}
		s.next = func(n int) int { // the first of all where no choices are left
			if len(choices) == 0 {
				return 0
			}
			c := int(choices[0])
			choices = choices[1:]
			return c % n
		}
		illTyped{e}.try(t, s.statement(), s)
	})
}
