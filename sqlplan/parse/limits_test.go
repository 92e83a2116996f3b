package parse

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
)

// Text that nests without end, or goes on without end, is refused by a bound that the message names,
// before the stack or the memory is.
func TestEndlessText(t *testing.T) {
	const size = 4 << 20
	repeat := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for _, c := range []struct{ name, sql, message string }{
		{"not", "SELECT " + strings.Repeat("NOT ", 4<<20) + "a", "nests deeper than 150 levels"},
		{"minus", "SELECT " + repeat("- ") + "1", "nests deeper than 150 levels"},
		{"tilde", "SELECT " + repeat("~ ") + "1", "nests deeper than 150 levels"},
		{"parens", "SELECT " + repeat("("), "nests deeper than 150 levels"},
		{"subqueries", repeat("(SELECT "), "nests deeper than 150 levels"},
		{"scalar subqueries", "SELECT " + repeat("(SELECT "), "nests deeper than 150 levels"},
		{"from", "SELECT * FROM " + repeat("("), "nests deeper than 150 levels"},
		{"with", repeat("WITH a AS ("), "nests deeper than 150 levels"},
		{"case", "SELECT " + repeat("CASE WHEN "), "nests deeper than 150 levels"},
		{"calls", "SELECT " + repeat("f("), "nests deeper than 150 levels"},
		{"arrays", "SELECT " + repeat("["), "nests deeper than 150 levels"},
		{"indexes", "SELECT " + repeat("a["), "nests deeper than 150 levels"},
		{"casts", "SELECT " + repeat("CAST("), "nests deeper than 150 levels"},
		{"types", "SELECT a::" + repeat("MAP("), "nests deeper than 150 levels"},
		{"joins to the right", "SELECT * FROM a " + repeat("JOIN a "), "nests deeper than 150 levels"},
		{"in", "SELECT a " + repeat("IN (a "), "nests deeper than 150 levels"},
		{"exists", "SELECT " + repeat("EXISTS (SELECT "), "nests deeper than 150 levels"},
		{"explain", repeat("EXPLAIN "), "EXPLAIN cannot explain itself"},
		{"words", "SELECT " + repeat("a"), "longer than 1048576 bytes"},
		{"spaces", "SELECT " + repeat(" ") + "a", "longer than 1048576 bytes"},
		{"comment", "SELECT /*" + repeat("a") + "*/ a", "longer than 1048576 bytes"},
		{"columns", "SELECT a" + repeat(", a"), "longer than 1048576 bytes"},
		{"or", "SELECT a" + repeat(" OR a"), "longer than 1048576 bytes"},
		{"unknown statement", "INSERT INTO t VALUES " + repeat("(1), "), ""},
		{"open comment", "SELECT " + repeat("/*"), "not closed by */"},
		{"open string", "SELECT '" + repeat("a"), "not closed by '"},
		{"open name", `SELECT "` + repeat("a"), `not closed by "`},
		{"digits", "SELECT " + repeat("1"), "longer than 1000 characters"},
		{"hexadecimal digits", "SELECT 0x" + repeat("1"), "longer than 1000 characters"},
		{"dots", "SELECT a" + repeat(".a"), "longer than 1048576 bytes"},
		{"semicolons", "SELECT a" + repeat(";"), "longer than 1048576 bytes"},
		{"invalid", "SELECT '" + repeat("a") + "\xff'", "not valid UTF-8: byte 0xff"},
		{"NUL", "SELECT '" + repeat("a") + "\x00'", "NUL byte"},
	} {
		t.Run(c.name, func(t *testing.T) {
			st, err := Parse(c.sql)
			if c.message == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.message)
			require.Nil(t, st)
			require.Less(t, len(err.Error()), 1000)
		})
	}
}

// Literals are not counted, so that a long vector, string or IN list of strings passes.
func TestLiteralsAreNotCounted(t *testing.T) {
	for _, sql := range []string{
		"SELECT '" + strings.Repeat("a", 4<<20) + "'",
		"SELECT X'" + strings.Repeat("ab", 2<<20) + "'",
		"SELECT [" + strings.Repeat("0.1234567, ", 400_000) + "1]",
		"SELECT a IN ('" + strings.Repeat(strings.Repeat("x", 90)+"', '", 40_000) + "')",
		"SELECT a IN (" + strings.Repeat("123456789012345,", 100_000) + "1)",
	} {
		_, err := Parse(sql)
		require.NoError(t, err)
	}
	_, err := ParseWith("SELECT 'abcdefghij', a", Options{MaxBytes: 10})
	require.NoError(t, err)
	_, err = ParseWith("SELECT 'abcdefghij', a", Options{MaxBytes: 9})
	require.Equal(t, fault.ResourceExhausted, fault.KindOf(err))
}

// Nesting up to the bound passes, one level more does not; parentheses, operators, calls and
// subqueries count alike.
func TestDepthIsExact(t *testing.T) {
	o := Options{MaxDepth: 10}
	for _, c := range []struct{ open, shut string }{
		{"(", ")"}, {"NOT ", ""}, {"f(", ")"}, {"- ", ""}, {"CASE WHEN ", " THEN 1 END"}, {"[a, ", "]"},
		{"(SELECT ", ")"}, {"a[", "]"}, {"CAST(", " AS TEXT)"},
	} {
		at := func(n int) error {
			_, err := ParseWith("SELECT "+strings.Repeat(c.open, n)+"a"+strings.Repeat(c.shut, n), o)
			return err
		}
		n := 0
		for at(n+1) == nil {
			n++
		}
		require.LessOrEqual(t, n, 9, c.open)
		require.GreaterOrEqual(t, n, 4, c.open)
		err := at(n + 1)
		require.Equal(t, fault.ResourceExhausted, fault.KindOf(err), c.open)
		require.ErrorContains(t, err, "deeper than 10 levels")
	}
}

// height is the number of levels of a tree.
func height(n any) int {
	most := 0
	children(n, func(c any) { most = max(most, height(c)) })
	return most + 1
}

// What ORMs generate by the thousand does not nest by the thousand.
func TestLongChainsStayLow(t *testing.T) {
	const terms = 20_000
	for _, c := range []struct {
		name, sql string
		most      int
	}{
		{"or", "SELECT a WHERE x = 1" + strings.Repeat(" OR x = 1", terms), 20},
		{"and", "SELECT a WHERE x" + strings.Repeat(" AND x", terms), 20},
		{"or in parentheses", "SELECT a WHERE (x = 1)" + strings.Repeat(" OR (x = 1 AND y)", terms), 22},
		{"in", "SELECT a WHERE x IN (1" + strings.Repeat(", 1", terms) + ")", 6},
		{"union all", "SELECT 1" + strings.Repeat(" UNION ALL SELECT 1", terms), 20},
		{"values", "VALUES (1)" + strings.Repeat(", (1)", terms), 4},
		{"case", "SELECT CASE" + strings.Repeat(" WHEN a THEN 1", terms) + " END", 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			st, err := Parse(c.sql)
			require.NoError(t, err)
			require.LessOrEqual(t, height(st), c.most)
			again, err := Parse(Format(st))
			require.NoError(t, err)
			require.Equal(t, Format(st), Format(again))
		})
	}
}

// Chains that must nest leftwards are bounded, with the place in the message.
func TestChainsAreBounded(t *testing.T) {
	sum := func(n int) string { return "SELECT a" + strings.Repeat(" + a", n) }
	_, err := Parse(sum(4000))
	require.NoError(t, err)
	for _, sql := range []string{
		sum(100_000),
		"SELECT a" + strings.Repeat("::TEXT", 100_000),
		"SELECT a" + strings.Repeat("[1]", 100_000),
		"SELECT (a)" + strings.Repeat(".a", 100_000),
		"SELECT a" + strings.Repeat(" IS NULL", 100_000),
		"SELECT 1" + strings.Repeat(" EXCEPT SELECT 1", 50_000),
		"SELECT * FROM a" + strings.Repeat(" CROSS JOIN a", 50_000),
	} {
		_, err := Parse(sql)
		require.Equal(t, fault.ResourceExhausted, fault.KindOf(err), "%.40s", sql)
		require.ErrorContains(t, err, "longer than 4096")
	}
}

func TestParametersAreNumbered(t *testing.T) {
	_, err := Parse("SELECT ?" + strings.Repeat(", ?", maxParam))
	require.ErrorContains(t, err, "at most 65535 parameters")
	_, err = Parse("SELECT $65535")
	require.NoError(t, err)
}

func TestInvalidUTF8(t *testing.T) {
	for _, c := range []struct {
		sql string
		pos int
	}{{"SELECT \xff", 7}, {"\x80", 0}, {"SELECT 'é\xc3'", 10}, {"SELECT '\ufffd', \"\xed\xa0\x80\"", 15}} {
		_, err := Parse(c.sql)
		var e *fault.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, fault.InvalidArgument, e.Kind)
		require.Equal(t, c.pos, e.Pos)
	}
	_, err := Parse("SELECT '\ufffd'")
	require.NoError(t, err)
}

// The text of an item, and the position of every node, lie where the node was written.
func TestPositions(t *testing.T) {
	const sql = `SELECT a + b AS s, f( x ) , "q".* FROM t JOIN u ON t.x = u.x WHERE c IN (1, 2)`
	st, err := Parse(sql)
	require.NoError(t, err)
	sel := st.(*Query).Body.(*Select)
	var texts []string
	for _, it := range sel.Items {
		texts = append(texts, sql[it.Pos:it.End])
	}
	require.Equal(t, []string{"a + b", "f( x )", `"q".*`}, texts)
	for _, c := range []struct {
		pos  Pos
		text string
	}{
		{sel.Items[0].Expr.Position(), "+ b"}, {sel.Items[1].Expr.Position(), "f("}, {sel.Pos, "SELECT"},
		{sel.From[0].(*Join).Pos, "JOIN u"}, {sel.From[0].(*Join).On.Position(), "= u.x"},
		{sel.Where.Position(), "IN (1"}, {sel.Where.(*In).List[1].Position(), "2)"},
		{sel.From[0].(*Join).Left.(*NamedTable).Pos, "t JOIN"},
	} {
		require.True(t, strings.HasPrefix(sql[c.pos:], c.text), "%s at %q", c.text, sql[c.pos:])
	}
}

func TestParseExpr(t *testing.T) {
	e, err := ParseExpr(`"NSFW" = 0 AND similarity > 0.3`)
	require.NoError(t, err)
	require.Equal(t, `"NSFW" = 0 AND similarity > 0.3`, FormatExpr(e))
	_, err = ParseExpr("a b")
	require.ErrorContains(t, err, `found "b", expected the end of the expression`)
	_, err = ParseExpr("")
	require.ErrorContains(t, err, "expected an expression")
}

func vectorSQL(n int) string {
	var b strings.Builder
	b.WriteString("SELECT key FROM train ORDER BY img_emb <-> [")
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.FormatFloat(float64(float32(i%97)/977-0.05), 'g', -1, 32))
	}
	b.WriteString("] LIMIT 10")
	return b.String()
}

func BenchmarkParse(b *testing.B) {
	card := `SELECT key, url, img_emb <-> (SELECT img_emb FROM train WHERE key = 42) AS d FROM train ` +
		`WHERE "NSFW" = 0 AND similarity > 0.3 AND width >= 512 ORDER BY d LIMIT 10`
	for name, sql := range map[string]string{
		"card": card, "vector768": vectorSQL(768), "in1000": "SELECT a WHERE x IN (1" + strings.Repeat(", 1", 999) + ")",
		"or10000": "SELECT a WHERE x = 1" + strings.Repeat(" OR x = 1", 9999),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(sql)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(sql); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A vector's numbers are the ones written.
func TestVectorValues(t *testing.T) {
	st, err := Parse(vectorSQL(768))
	require.NoError(t, err)
	v := st.(*Query).OrderBy[0].Expr.(*Binary).Y.(*Vector)
	require.Len(t, v.Values, 768)
	require.False(t, v.Ints)
	for i, x := range v.Values {
		require.Equal(t, float32(i%97)/977-0.05, float32(x), i)
	}
}
