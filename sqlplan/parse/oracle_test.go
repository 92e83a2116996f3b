package parse

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xwb1989/sqlparser"
	"pgregory.net/rapid"
)

// Another parser must agree. github.com/xwb1989/sqlparser has an LALR grammar of MySQL's dialect; where
// that dialect and ours are one language (see commonSQL) both get the same random statements, and
// their trees, written in one prefix notation, must be equal. Chains of AND, OR and UNION are written
// flat, because ours are balanced and theirs nest leftwards.
func TestAgreesWithSQLParser(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		sql := (&commonSQL{r: r}).query(0)
		ours, err := Parse(sql)
		require.NoError(r, err)
		theirs, err := sqlparser.Parse(sql)
		require.NoError(r, err)
		var o ourTree
		require.Equal(r, theirTree{}.node(theirs), o.query(ours.(*Query)), sql)
	})
}

// The same on statements of the common language that people write.
func TestAgreesWithSQLParserOn(t *testing.T) {
	for _, sql := range []string{
		"select a, b as c, t.* from t where a = 1 and b = 2 or not c = 3 order by a desc, b limit 5, 10",
		"select a from t where a + b * c - -d / e % f > 3 and a in (1, 2) and b not in (select x from u)",
		"select a from t where a between 1 and 2 and b not between 3 and 4 or c like 'x%' and d not like 'y'",
		"select case when a then b when c then d else e end, case a when 1 then 2 end from t",
		"select count(*), count(distinct a), f(a, b) from t group by a, b having count(*) > 1",
		"select a from t join u on t.x = u.x left join v on v.y = u.y cross join w",
		"select a from (select b from t) x where exists (select 1 from u where u.a = x.b) limit 3 offset 4",
		"select a from t union all select b from u union all select c from v order by a limit 1",
		"select a from t where a is null or b is not null and c is true",
	} {
		ours, err := Parse(sql)
		require.NoError(t, err)
		theirs, err := sqlparser.Parse(sql)
		require.NoError(t, err)
		var o ourTree
		require.Equal(t, theirTree{}.node(theirs), o.query(ours.(*Query)), sql)
	}
}

// What that parser cannot take, so that it could not stand behind Parse: each was a reason for a
// parser of our own (doc.go), and would be news if it changed.
func TestWhatSQLParserCannotTake(t *testing.T) {
	for _, sql := range []string{
		"select key from t",
		"select [1.0, 2.0] from t",
		"select a::int from t",
		"select a <-> b from t",
		"with a as (select 1) select * from a",
		"select row_number() over (order by a) from t",
		"select a from t for version as of 5",
		"select * exclude (a) from t",
		"select a from vector_search('t', k => 10)",
		"values (1)",
		"select a from t intersect select b from u",
	} {
		_, err := sqlparser.Parse(sql)
		require.Error(t, err, sql)
		_, err = Parse(sql)
		require.NoError(t, err, sql)
	}
	st, err := sqlparser.Parse(`select "NSFW", a || b from t`)
	require.NoError(t, err)
	require.Equal(t, "select 'NSFW', a or b from t", sqlparser.String(st), "a name becomes a string, concatenation a disjunction")
	for sql, want := range map[string]string{"explain select a from t": "otherread", "create view v as select a from t": "create table v"} {
		st, err = sqlparser.Parse(sql)
		require.NoError(t, err)
		require.Equal(t, want, sqlparser.String(st), "the statement's body is dropped")
	}
}

// commonSQL makes statements of the language that both parsers read alike: no comparison is an
// operand of a predicate unless in parentheses (the levels of BETWEEN and the comparisons differ),
// no | & << >> || (levels differ, or meaning), no minus before a number (theirs folds it).
type commonSQL struct{ r *rapid.T }

func (c *commonSQL) n(most int) int { return rapid.IntRange(0, most).Draw(c.r, "") }
func (c *commonSQL) pick(from ...string) string {
	return from[c.n(len(from)-1)]
}

func (c *commonSQL) column() string { return c.pick("a", "b", "c", "t.d", "u.e", "`key`") }

// value is an operand of a predicate.
func (c *commonSQL) value(depth int) string {
	if depth > 4 {
		return c.column()
	}
	switch c.n(13) {
	case 0, 1, 2:
		return c.value(depth+1) + c.pick(" + ", " - ", " * ", " / ", " % ", " ^ ") + c.value(depth+1)
	case 3:
		return "-" + c.column()
	case 4:
		return "- (" + c.value(depth+1) + ")"
	case 5:
		return "(" + c.value(depth+1) + ")"
	case 6:
		return "(" + c.condition(depth+1) + ")"
	case 7:
		return c.pick("f(", "sum(", "count(distinct ", "coalesce(") + c.value(depth+1) + ")"
	case 8:
		return c.pick("1", "42", "1.5", "'x'", "'it''s'", "null", "true")
	case 9:
		return "case when " + c.condition(depth+1) + " then " + c.value(depth+1) + c.pick("", " else "+c.column()) + " end"
	case 10:
		return "case " + c.column() + " when " + c.value(depth+1) + " then " + c.value(depth+1) + " end"
	case 11:
		if depth < 2 {
			return "(" + c.query(depth+2) + ")"
		}
	}
	return c.column()
}

func (c *commonSQL) condition(depth int) string {
	if depth > 4 {
		return c.value(depth) + " = " + c.value(depth)
	}
	not := c.pick("", "not ")
	switch c.n(12) {
	case 0, 1:
		return c.condition(depth+1) + " and " + c.condition(depth+1)
	case 2, 3:
		return c.condition(depth+1) + " or " + c.condition(depth+1)
	case 4:
		return "not " + c.condition(depth+1)
	case 5:
		return "(" + c.condition(depth+1) + ")"
	case 6:
		return c.value(depth+1) + " " + not + "between " + c.value(depth+1) + " and " + c.value(depth+1)
	case 7:
		return c.value(depth+1) + " " + not + "in (" + c.value(depth+1) + ", " + c.value(depth+1) + ")"
	case 8:
		return c.value(depth+1) + " " + not + "like " + c.value(depth+1)
	case 9:
		return c.value(depth+1) + " is " + not + c.pick("null", "true", "false")
	case 10:
		if depth < 2 {
			return "exists (" + c.query(depth+2) + ")"
		}
	}
	return c.value(depth+1) + c.pick(" = ", " != ", " <> ", " < ", " <= ", " > ", " >= ") + c.value(depth+1)
}

func (c *commonSQL) query(depth int) string {
	q := c.selectBlock(depth)
	for depth < 2 && c.n(4) == 0 {
		q += c.pick(" union ", " union all ") + c.selectBlock(depth)
	}
	if c.n(2) == 0 {
		q += " order by " + c.value(depth+2) + c.pick("", " asc", " desc") + ", a"
	}
	return q + c.pick("", "", " limit 5", " limit 5, 10", " limit 10 offset 5")
}

func (c *commonSQL) selectBlock(depth int) string {
	q := "select " + c.pick("", "distinct ")
	for i := range 1 + c.n(2) {
		if i > 0 {
			q += ", "
		}
		switch c.n(4) {
		case 0:
			q += c.pick("*", "t.*")
		case 1:
			q += c.condition(depth + 2)
		default:
			q += c.value(depth+1) + c.pick("", " as x", " y")
		}
	}
	q += " from " + c.table(depth)
	if c.n(4) == 0 {
		q += ", " + c.table(depth)
	}
	if c.n(1) == 0 {
		q += " where " + c.condition(depth)
	}
	if c.n(3) == 0 {
		q += " group by " + c.value(depth+2) + ", b"
		if c.n(1) == 0 {
			q += " having " + c.condition(depth+2)
		}
	}
	return q
}

func (c *commonSQL) table(depth int) string {
	t := c.pick("t", "s.t as v", "u w")
	if depth < 2 && c.n(5) == 0 {
		t = "(" + c.query(depth+2) + ") as q"
	}
	for c.n(3) == 0 {
		t += c.pick(
			" join ",
			" inner join ",
			" left join ",
			" left outer join ",
			" right join ",
		) + c.pick(
			"u",
			"t as z",
		) + " on " + c.condition(
			depth+3,
		)
	}
	return t
}

// ---- Both trees in one notation -----------------------------------------------------------------

func list[T any](items []T, f func(T) string) string {
	var parts []string
	for _, it := range items {
		parts = append(parts, f(it))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// flat writes an associative chain.
func flat(op string, parts ...string) string {
	var terms []string
	for _, p := range parts {
		if rest, ok := strings.CutPrefix(p, "("+op+" "); ok {
			terms = append(terms, strings.TrimSuffix(rest, ")"))
		} else {
			terms = append(terms, p)
		}
	}
	return "(" + op + " " + strings.Join(terms, " ") + ")"
}

type ourTree struct{}

func (o ourTree) query(q *Query) string {
	s := o.body(q.Body)
	var order string
	if q.OrderBy != nil {
		order = " order=" + list(q.OrderBy, func(i OrderItem) string { return fmt.Sprint(o.expr(i.Expr), i.Desc) })
	}
	if q.Limit != nil {
		order += " limit=" + o.expr(q.Limit.Count) + " offset=" + o.expr(q.Limit.Offset)
	}
	return s + order
}

func (o ourTree) body(b QueryBody) string {
	switch b := b.(type) {
	case *SetOp:
		return flat(strings.ToLower(fmt.Sprintf("%s-%v", b.Op, b.All)), o.body(b.Left), o.body(b.Right))
	case *Select:
		s := fmt.Sprintf("(select distinct=%v %s from=%s", b.Distinct, list(b.Items, func(i SelectItem) string {
			if i.Star != nil {
				if i.Star.Table != nil {
					return i.Star.Table.Table.Name + ".*"
				}
				return "*"
			}
			return o.expr(i.Expr) + ":" + i.Alias.Name
		}), list(b.From, o.table))
		s += " where=" + o.expr(b.Where)
		if b.GroupBy != nil {
			s += " group=" + list(b.GroupBy.Items, o.expr)
		}
		return s + " having=" + o.expr(b.Having) + ")"
	}
	return fmt.Sprintf("?%T", b)
}

func (o ourTree) table(t TableRef) string {
	switch t := t.(type) {
	case *NamedTable:
		return t.Name.Schema.Name + "." + t.Name.Table.Name + ":" + t.Alias.Name
	case *Derived:
		return "(" + o.query(t.Query) + "):" + t.Alias.Name
	case *Join:
		kind := t.Kind
		if kind == "CROSS" {
			kind = "INNER"
		}
		return "(" + strings.ToLower(string(kind)) + " " + o.table(t.Left) + " " + o.table(t.Right) + " " + o.expr(t.On) + ")"
	}
	return fmt.Sprintf("?%T", t)
}

func (o ourTree) expr(e Expr) string {
	not := func(n bool) string {
		if n {
			return "not "
		}
		return ""
	}
	switch e := e.(type) {
	case nil:
		return ""
	case *Column:
		return list(e.Parts, func(i Ident) string { return i.Name })
	case *Number:
		return e.Text
	case *String:
		return quoteString(e.Value)
	case *Null:
		return "null"
	case *Bool:
		return fmt.Sprint(e.Value)
	case *Unary:
		return "(" + strings.ToLower(e.Op) + " " + o.expr(e.X) + ")"
	case *Binary:
		if e.Op == "AND" || e.Op == "OR" {
			return flat(strings.ToLower(e.Op), o.expr(e.X), o.expr(e.Y))
		}
		return "(" + e.Op + " " + o.expr(e.X) + " " + o.expr(e.Y) + ")"
	case *Between:
		return "(" + not(e.Not) + "between " + o.expr(e.X) + " " + o.expr(e.Lo) + " " + o.expr(e.Hi) + ")"
	case *In:
		right := list(e.List, o.expr)
		if e.Query != nil {
			right = "{" + o.query(e.Query) + "}"
		}
		return "(" + not(e.Not) + "in " + o.expr(e.X) + " " + right + ")"
	case *Like:
		return "(" + not(e.Not) + "like " + o.expr(e.X) + " " + o.expr(e.Pattern) + ")"
	case *IsNull:
		return "(is " + not(e.Not) + "null " + o.expr(e.X) + ")"
	case *IsBool:
		return "(is " + not(e.Not) + fmt.Sprint(*e.Value) + " " + o.expr(e.X) + ")"
	case *Exists:
		return "(exists {" + o.query(e.Query) + "})"
	case *Subquery:
		return "{" + o.query(e.Query) + "}"
	case *Case:
		return "(case " + o.expr(e.Operand) + list(e.Whens, func(w When) string {
			return o.expr(w.Cond) + ":" +
				o.expr(w.Result)
		}) + o.expr(e.Else) + ")"
	case *Call:
		if e.Star {
			return e.Name + "(*)"
		}
		return fmt.Sprint(e.Name, e.Distinct, list(e.Args, func(a Arg) string { return o.expr(a.Expr) }))
	}
	return fmt.Sprintf("?%T", e)
}

type theirTree struct{}

func (t theirTree) node(n sqlparser.SQLNode) string {
	switch n := n.(type) {
	case *sqlparser.Union:
		return flat(fmt.Sprintf("union-%v", n.Type == sqlparser.UnionAllStr), t.node(n.Left), t.node(n.Right)) + t.tail(n.OrderBy, n.Limit)
	case *sqlparser.ParenSelect:
		return t.node(n.Select)
	case *sqlparser.Select:
		s := fmt.Sprintf("(select distinct=%v %s from=%s", n.Distinct != "",
			list(n.SelectExprs, func(e sqlparser.SelectExpr) string { return t.node(e) }),
			list(n.From, func(e sqlparser.TableExpr) string { return t.node(e) }))
		where := func(w *sqlparser.Where) string {
			if w == nil {
				return ""
			}
			return t.expr(w.Expr)
		}
		s += " where=" + where(n.Where)
		if n.GroupBy != nil {
			s += " group=" + list(n.GroupBy, t.expr)
		}
		return s + " having=" + where(n.Having) + ")" + t.tail(n.OrderBy, n.Limit)
	case *sqlparser.StarExpr:
		if n.TableName.IsEmpty() {
			return "*"
		}
		return n.TableName.Name.String() + ".*"
	case *sqlparser.AliasedExpr:
		return t.expr(n.Expr) + ":" + n.As.String()
	case *sqlparser.AliasedTableExpr:
		if q, ok := n.Expr.(*sqlparser.Subquery); ok {
			return "(" + t.node(q.Select) + "):" + n.As.String()
		}
		name := n.Expr.(sqlparser.TableName)
		return name.Qualifier.String() + "." + name.Name.String() + ":" + n.As.String()
	case *sqlparser.JoinTableExpr:
		kind := map[string]string{"join": "inner", "left join": "left", "right join": "right"}[n.Join]
		return "(" + kind + " " + t.node(n.LeftExpr) + " " + t.node(n.RightExpr) + " " + t.expr(n.Condition.On) + ")"
	}
	return fmt.Sprintf("?%T", n)
}

func (t theirTree) tail(order sqlparser.OrderBy, limit *sqlparser.Limit) (s string) {
	if order != nil {
		s = " order=" + list(order, func(o *sqlparser.Order) string { return fmt.Sprint(t.expr(o.Expr), o.Direction == sqlparser.DescScr) })
	}
	if limit != nil {
		s += " limit=" + t.expr(limit.Rowcount) + " offset=" + t.expr(limit.Offset)
	}
	return s
}

func (t theirTree) expr(e sqlparser.Expr) string {
	switch e := e.(type) {
	case nil:
		return ""
	case *sqlparser.ParenExpr:
		return t.expr(e.Expr)
	case *sqlparser.ColName:
		var parts []string
		if !e.Qualifier.IsEmpty() {
			parts = append(parts, e.Qualifier.Name.String())
		}
		return list(append(parts, e.Name.String()), func(s string) string { return s })
	case *sqlparser.SQLVal:
		if e.Type == sqlparser.StrVal {
			return quoteString(string(e.Val))
		}
		return string(e.Val)
	case *sqlparser.NullVal:
		return "null"
	case sqlparser.BoolVal:
		return fmt.Sprint(bool(e))
	case *sqlparser.NotExpr:
		return "(not " + t.expr(e.Expr) + ")"
	case *sqlparser.UnaryExpr:
		return "(" + strings.TrimSpace(e.Operator) + " " + t.expr(e.Expr) + ")"
	case *sqlparser.AndExpr:
		return flat("and", t.expr(e.Left), t.expr(e.Right))
	case *sqlparser.OrExpr:
		return flat("or", t.expr(e.Left), t.expr(e.Right))
	case *sqlparser.BinaryExpr:
		return "(" + e.Operator + " " + t.expr(e.Left) + " " + t.expr(e.Right) + ")"
	case *sqlparser.ComparisonExpr:
		return "(" + e.Operator + " " + t.expr(e.Left) + " " + t.expr(e.Right) + ")"
	case *sqlparser.RangeCond:
		return "(" + e.Operator + " " + t.expr(e.Left) + " " + t.expr(e.From) + " " + t.expr(e.To) + ")"
	case *sqlparser.IsExpr:
		return "(" + e.Operator + " " + t.expr(e.Expr) + ")"
	case *sqlparser.ExistsExpr:
		return "(exists " + t.expr(e.Subquery) + ")"
	case *sqlparser.Subquery:
		return "{" + t.node(e.Select) + "}"
	case sqlparser.ValTuple:
		return list(e, t.expr)
	case *sqlparser.CaseExpr:
		return "(case " + t.expr(e.Expr) + list(e.Whens, func(w *sqlparser.When) string {
			return t.expr(w.Cond) + ":" +
				t.expr(w.Val)
		}) + t.expr(e.Else) + ")"
	case *sqlparser.FuncExpr:
		if len(e.Exprs) == 1 {
			if _, ok := e.Exprs[0].(*sqlparser.StarExpr); ok {
				return e.Name.Lowered() + "(*)"
			}
		}
		return fmt.Sprint(e.Name.Lowered(), e.Distinct, list(e.Exprs,
			func(x sqlparser.SelectExpr) string { return strings.TrimSuffix(t.node(x), ":") }))
	}
	return fmt.Sprintf("?%T", e)
}
