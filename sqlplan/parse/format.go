package parse

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"lanceflight/internal/sqlname"
)

// Format writes a statement as canonical SQL: one line, keywords in upper case, AS before every
// alias, parentheses where the tree needs them, parameters as $n, special call syntaxes and x::t as
// plain calls and CAST. Parsing it gives the same tree, positions aside. Hints are kept; comments
// and the words that change nothing (MATERIALIZED, RESPECT NULLS) are not.
func Format(s Statement) string {
	var f formatter
	f.statement(s)
	return f.b.String()
}

// FormatExpr writes an expression as Format does.
func FormatExpr(e Expr) string {
	var f formatter
	f.expr(e, 0)
	return f.b.String()
}

type formatter struct {
	b     strings.Builder
	hints []Hint // of the query whose first SELECT is still to come
}

func (f *formatter) put(parts ...string) {
	for _, s := range parts {
		f.b.WriteString(s)
	}
}

func (f *formatter) statement(s Statement) {
	switch s := s.(type) {
	case *Query:
		f.query(s)
	case *Explain:
		f.put("EXPLAIN ")
		var o []string
		if s.Analyze {
			o = append(o, "ANALYZE")
		}
		if s.Verbose {
			o = append(o, "VERBOSE")
		}
		if s.JSON {
			o = append(o, "FORMAT JSON")
		}
		if o != nil {
			f.put("(", strings.Join(o, ", "), ") ")
		}
		f.statement(s.Statement)
	case *Show:
		f.put("SHOW ")
		if up := strings.ToUpper(s.What); s.What == up && (showOfTable[up] || showOfSchema[up]) {
			f.put(s.What)
		} else {
			f.put(settingText(s.What))
		}
		if s.Table != nil {
			f.put(" FROM ", tableText(*s.Table))
		}
		if s.Like != nil {
			f.put(" LIKE ", quoteString(s.Like.Value))
		}
	case *Describe:
		f.put("DESCRIBE ")
		if d, ok := s.Table.(*Derived); ok {
			f.query(d.Query)
		} else {
			f.table(s.Table)
		}
	case *Set:
		if s.Reset {
			f.put("RESET ", settingText(s.Name))
			return
		}
		f.put("SET ", settingText(s.Name), " = ")
		f.expr(s.Value, 0)
	case *Use:
		f.put("USE ", tableText(s.Name))
	case *Unsupported:
		f.put(s.What)
	default:
		panic(fmt.Sprintf("parse: no text known for %T", s))
	}
}

// settingText writes a setting's dotted name so that no keyword form takes it.
func settingText(name string) string {
	up := strings.ToUpper(name)
	if showOfTable[up] || showOfSchema[up] && up != "ALL" || up == "CREATE" {
		return sqlname.Quote(name)
	}
	for part := range strings.SplitSeq(name, ".") {
		if !isWord(part) {
			return sqlname.Quote(name)
		}
	}
	return name
}

// ---- Names --------------------------------------------------------------------------------------

func quoteString(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

// isWord says whether s lexes as one bare word.
func isWord(s string) bool {
	l := lexer{src: s}
	t, err := l.next()
	return err == nil && t.kind == tkWord && t.pos == 0 && t.end == len(s)
}

// quoteIfNeeded writes a name; it is quoted where it was, and where it could not be bare.
func quoteIfNeeded(id Ident) string {
	if id.Quoted || !isWord(id.Name) || reserved[upper(id.Name)] {
		return sqlname.Quote(id.Name)
	}
	return id.Name
}

// labelText writes a name behind AS or a dot, where keywords need no quotes.
func labelText(id Ident) string {
	if id.Quoted || !isWord(id.Name) {
		return sqlname.Quote(id.Name)
	}
	return id.Name
}

func dottedText(ids []Ident) string {
	s := quoteIfNeeded(ids[0])
	for _, id := range ids[1:] {
		s += "." + labelText(id)
	}
	return s
}

func tableText(n TableName) string {
	var ids []Ident
	for _, id := range []Ident{n.Catalog, n.Schema, n.Table} {
		if id.Name != "" {
			ids = append(ids, id)
		}
	}
	return dottedText(ids)
}

func (f *formatter) names(ids []Ident) {
	f.put("(")
	for i, id := range ids {
		f.comma(i)
		f.put(quoteIfNeeded(id))
	}
	f.put(")")
}

func (f *formatter) comma(i int) {
	if i > 0 {
		f.put(", ")
	}
}

// ---- Queries ------------------------------------------------------------------------------------

func (f *formatter) query(q *Query) {
	if q.With != nil {
		f.put("WITH ")
		if q.With.Recursive {
			f.put("RECURSIVE ")
		}
		for i, c := range q.With.CTEs {
			f.comma(i)
			f.put(quoteIfNeeded(c.Name))
			if c.Columns != nil {
				f.put(" ")
				f.names(c.Columns)
			}
			f.put(" AS (")
			f.query(c.Query)
			f.put(")")
		}
		f.put(" ")
	}
	f.hints = q.Hints
	f.body(q.Body, 0)
	f.hints = nil
	f.orderBy(" ORDER BY ", q.OrderBy)
	if l := q.Limit; l != nil {
		if l.Count != nil {
			f.put(" LIMIT ")
			f.expr(l.Count, 0)
		} else if l.Offset == nil {
			f.put(" LIMIT ALL")
		}
		if l.Offset != nil {
			f.put(" OFFSET ")
			f.expr(l.Offset, 0)
		}
	}
}

func (f *formatter) orderBy(lead string, items []OrderItem) {
	for i, o := range items {
		if i == 0 {
			f.put(lead)
		}
		f.comma(i)
		f.expr(o.Expr, 0)
		if o.Desc {
			f.put(" DESC")
		}
		if o.NullsFirst != nil {
			if *o.NullsFirst {
				f.put(" NULLS FIRST")
			} else {
				f.put(" NULLS LAST")
			}
		}
	}
}

// body writes a query body that stands where set operations must bind at least at a level: 0 any,
// 1 the right side of UNION or EXCEPT, 2 an operand of INTERSECT.
func (f *formatter) body(b QueryBody, level int) {
	switch b := b.(type) {
	case *Select:
		f.selectBlock(b)
	case *Values:
		f.put("VALUES ")
		for i, row := range b.Rows {
			f.comma(i)
			f.put("(")
			f.exprs(row)
			f.put(")")
		}
	case *Nested:
		f.put("(")
		f.query(b.Query)
		f.put(")")
	case *SetOp:
		f.setOp(b, level)
	default:
		panic(fmt.Sprintf("parse: no text known for %T", b))
	}
}

func (f *formatter) setOp(b *SetOp, level int) {
	left, right, own := 0, 1, 0
	if b.Op == "INTERSECT" {
		left, right, own = 1, 2, 1
	}
	if own < level {
		f.put("(")
		defer f.put(")")
	}
	f.body(b.Left, left)
	f.put(" ", b.Op, " ")
	if b.All {
		f.put("ALL ")
	}
	if r, ok := b.Right.(*SetOp); ok && b.Op == "UNION" && r.Op == b.Op && r.All == b.All {
		right = 0 // a balanced chain
	}
	f.body(b.Right, right)
}

func (f *formatter) selectBlock(s *Select) {
	f.put("SELECT ")
	if f.hints != nil {
		f.put("/*+ ")
		for _, h := range f.hints {
			f.put(h.Name, "(", h.Value, ") ")
		}
		f.put("*/ ")
		f.hints = nil
	}
	if s.Distinct || s.DistinctOn != nil {
		f.put("DISTINCT ")
	}
	if s.DistinctOn != nil {
		f.put("ON (")
		f.exprs(s.DistinctOn)
		f.put(") ")
	}
	for i, it := range s.Items {
		f.comma(i)
		if it.Star != nil {
			if it.Star.Table != nil {
				f.put(tableText(*it.Star.Table), ".")
			}
			f.put("*")
			if it.Star.Exclude != nil {
				f.put(" EXCLUDE ")
				f.names(it.Star.Exclude)
			}
			continue
		}
		f.expr(it.Expr, 0)
		if it.Alias.Name != "" {
			f.put(" AS ", labelText(it.Alias))
		}
	}
	for i, t := range s.From {
		if i == 0 {
			f.put(" FROM ")
		}
		f.comma(i)
		f.table(t)
	}
	f.clause(" WHERE ", s.Where)
	if g := s.GroupBy; g != nil {
		f.put(" GROUP BY ")
		if g.All {
			f.put("ALL")
		}
		for i, e := range g.Items {
			f.comma(i)
			f.atom(e)
		}
	}
	f.clause(" HAVING ", s.Having)
	f.clause(" QUALIFY ", s.Qualify)
	for i, w := range s.Windows {
		if i == 0 {
			f.put(" WINDOW ")
		}
		f.comma(i)
		f.put(quoteIfNeeded(w.Name), " AS ")
		f.window(w.Window)
	}
}

func (f *formatter) clause(lead string, e Expr) {
	if e != nil {
		f.put(lead)
		f.expr(e, 0)
	}
}

// ---- Tables -------------------------------------------------------------------------------------

func (f *formatter) table(t TableRef) {
	switch t := t.(type) {
	case *NamedTable:
		f.put(tableText(t.Name))
		if a := t.AsOf; a != nil {
			if a.Timestamp {
				f.put(" FOR TIMESTAMP AS OF ")
			} else {
				f.put(" FOR VERSION AS OF ")
			}
			f.expr(a.Value, 0)
		}
		f.alias(t.Alias, t.Columns)
		if s := t.Sample; s != nil {
			f.put(" TABLESAMPLE ")
			if s.Method != "" {
				f.put(s.Method, " ")
			}
			f.put("(")
			f.expr(s.Size, 0)
			if s.Percent {
				f.put(" PERCENT)")
			} else {
				f.put(" ROWS)")
			}
			if s.Seed != nil {
				f.put(" REPEATABLE (")
				f.expr(s.Seed, 0)
				f.put(")")
			}
		}
	case *Derived:
		if t.Lateral {
			f.put("LATERAL ")
		}
		f.put("(")
		f.query(t.Query)
		f.put(")")
		f.alias(t.Alias, t.Columns)
	case *TableFunc:
		if t.Lateral {
			f.put("LATERAL ")
		}
		f.call(t.Call)
		f.alias(t.Alias, t.Columns)
	case *Join:
		f.join(t)
	default:
		panic(fmt.Sprintf("parse: no text known for %T", t))
	}
}

func (f *formatter) alias(alias Ident, columns []Ident) {
	if alias.Name == "" {
		return
	}
	f.put(" AS ", quoteIfNeeded(alias))
	if columns != nil {
		f.names(columns)
	}
}

func (f *formatter) join(j *Join) {
	if j.Alias.Name != "" {
		f.put("(")
		defer func() {
			f.put(")")
			f.alias(j.Alias, j.Columns)
		}()
	}
	f.table(j.Left)
	f.put(" ")
	if j.Natural {
		f.put("NATURAL ")
	}
	if j.Kind != InnerJoin {
		f.put(string(j.Kind), " ")
	}
	f.put("JOIN ")
	if right, ok := j.Right.(*Join); ok && right.Alias.Name == "" {
		f.put("(")
		f.table(j.Right)
		f.put(")")
	} else {
		f.table(j.Right)
	}
	if j.Using != nil {
		f.put(" USING ")
		f.names(j.Using)
		if j.UsingAlias.Name != "" {
			f.put(" AS ", quoteIfNeeded(j.UsingAlias))
		}
	}
	f.clause(" ON ", j.On)
}

// ---- Expressions --------------------------------------------------------------------------------

// level is the level at which an expression's outermost operator binds.
func level(e Expr) int {
	switch e := e.(type) {
	case *Unary:
		switch e.Op {
		case "NOT":
			return precNot
		case "~":
			return precOp
		}
		return precSign
	case *Binary:
		switch e.Op {
		case "AND":
			return precAnd
		case "OR":
			return precOr
		}
		return binaryOps[e.Op]
	case *IsNull, *IsBool, *IsDistinct:
		return precIs
	case *Quantified:
		return precCmp
	case *Between, *In, *Like:
		return precRange
	case *AtTimeZone:
		return precAt
	}
	return precIndex
}

// atom writes an expression so that no keyword of the context can be taken for its first or last
// word, and none of it for the context's: literals and columns bare, the rest in parentheses.
func (f *formatter) atom(e Expr) {
	switch e.(type) {
	case *Column, *Number, *String, *Param, *TypedString, *Subquery, *Tuple:
		f.expr(e, 0)
	default:
		f.put("(")
		f.expr(e, 0)
		f.put(")")
	}
}

func (f *formatter) exprs(list []Expr) {
	for i, e := range list {
		f.comma(i)
		f.expr(e, 0)
	}
}

// expr writes e, in parentheses where it binds looser than min.
func (f *formatter) expr(e Expr, min int) {
	own := level(e)
	if own < min {
		f.put("(")
		f.expr(e, 0)
		f.put(")")
		return
	}
	not := func(n bool) string {
		if n {
			return "NOT "
		}
		return ""
	}
	switch e := e.(type) {
	case *Column:
		f.put(dottedText(e.Parts))
	case *Number:
		f.put(e.Text)
	case *String:
		f.put(quoteString(e.Value))
	case *Bytes:
		f.put("X'", strings.ToUpper(hex.EncodeToString(e.Value)), "'")
	case *Bool:
		f.put(strings.ToUpper(strconv.FormatBool(e.Value)))
	case *Null:
		f.put("NULL")
	case *TypedString:
		f.put(e.Type)
		if len(e.Args) > 0 {
			f.put("(", strconv.Itoa(e.Args[0]), ")")
		}
		f.put(" ", quoteString(e.Value))
		if e.Unit != "" {
			f.put(" ", e.Unit)
		}
	case *Vector:
		f.vector(e)
	case *Array:
		f.put("[")
		f.exprs(e.Items)
		f.put("]")
	case *Param:
		f.put("$", strconv.Itoa(e.Number))
	case *Unary:
		f.unary(e)
	case *Binary:
		left, right := own, own+1
		switch own {
		case precAnd, precOr:
			right = own // a balanced chain
		case precCmp:
			left = own + 1 // comparisons do not chain
		}
		f.expr(e.X, left)
		f.put(" ", e.Op, " ")
		f.expr(e.Y, right)
	case *IsNull:
		f.expr(e.X, precIs)
		f.put(" IS ", not(e.Not), "NULL")
	case *IsBool:
		f.expr(e.X, precIs)
		f.put(" IS ", not(e.Not))
		switch {
		case e.Value == nil:
			f.put("UNKNOWN")
		case *e.Value:
			f.put("TRUE")
		default:
			f.put("FALSE")
		}
	case *IsDistinct:
		f.expr(e.X, precIs)
		f.put(" IS ", not(e.Not), "DISTINCT FROM ")
		f.expr(e.Y, precIs+1)
	case *Between:
		f.expr(e.X, precRange+1)
		f.put(" ", not(e.Not), "BETWEEN ")
		if e.Symmetric {
			f.put("SYMMETRIC ")
		}
		f.expr(e.Lo, precRange+1)
		f.put(" AND ")
		f.expr(e.Hi, precRange+1)
	case *In:
		f.expr(e.X, precRange+1)
		f.put(" ", not(e.Not), "IN (")
		if e.Query != nil {
			f.query(e.Query)
		} else {
			f.exprs(e.List)
		}
		f.put(")")
	case *Like:
		f.expr(e.X, precRange+1)
		f.put(" ", not(e.Not), e.Kind)
		if e.Kind == "SIMILAR" {
			f.put(" TO")
		}
		f.put(" ")
		f.expr(e.Pattern, precRange+1)
		if e.Escape != nil {
			f.put(" ESCAPE ")
			f.expr(e.Escape, precRange+1)
		}
	case *Quantified:
		f.expr(e.X, precCmp+1)
		f.put(" ", e.Op, " ", e.Quantifier, " (")
		if e.Query != nil {
			f.query(e.Query)
		} else {
			f.expr(e.Array, 0)
		}
		f.put(")")
	case *Exists:
		f.put("EXISTS (")
		f.query(e.Query)
		f.put(")")
	case *Subquery:
		f.put("(")
		f.query(e.Query)
		f.put(")")
	case *Tuple:
		f.put("(")
		f.exprs(e.Items)
		f.put(")")
	case *Case:
		f.caseExpr(e)
	case *Cast:
		if e.Try {
			f.put("TRY_")
		}
		f.put("CAST(")
		f.expr(e.X, 0)
		f.put(" AS ")
		f.typeName(e.Type)
		f.put(")")
	case *Call:
		f.call(e)
	case *Index:
		f.index(e)
	case *FieldAccess:
		switch e.X.(type) {
		case *Index, *FieldAccess:
			f.expr(e.X, 0)
		default:
			f.put("(")
			f.expr(e.X, 0)
			f.put(")")
		}
		f.put(".", labelText(e.Name))
	case *AtTimeZone:
		f.expr(e.X, precAt)
		f.put(" AT TIME ZONE ")
		f.expr(e.Zone, precAt+1)
	default:
		panic(fmt.Sprintf("parse: no text known for %T", e))
	}
}

func (f *formatter) unary(e *Unary) {
	f.put(e.Op)
	switch e.Op {
	case "NOT":
		f.put(" ")
		f.expr(e.X, precNot)
	case "~":
		f.expr(e.X, precOp+1)
	default:
		if u, ok := e.X.(*Unary); ok && u.Op != "NOT" && u.Op != "~" { // -- would begin a comment
			f.put("(")
			f.expr(e.X, 0)
			f.put(")")
			return
		}
		f.expr(e.X, precSign)
	}
}

func (f *formatter) vector(v *Vector) {
	f.put("[")
	var buf [32]byte
	for i, x := range v.Values {
		f.comma(i)
		if v.Ints {
			f.b.Write(strconv.AppendFloat(buf[:0], x, 'f', -1, 64))
			continue
		}
		n := strconv.AppendFloat(buf[:0], x, 'g', -1, 64)
		f.b.Write(n)
		if !strings.ContainsAny(string(n), ".e") {
			f.put(".0")
		}
	}
	f.put("]")
}

func (f *formatter) caseExpr(e *Case) {
	f.put("CASE")
	if e.Operand != nil {
		f.put(" ")
		f.expr(e.Operand, 0)
	}
	for _, w := range e.Whens {
		f.put(" WHEN ")
		f.expr(w.Cond, 0)
		f.put(" THEN ")
		f.expr(w.Result, 0)
	}
	f.clause(" ELSE ", e.Else)
	f.put(" END")
}

func (f *formatter) index(e *Index) {
	f.expr(e.X, precIndex)
	f.put("[")
	if e.I != nil {
		f.expr(e.I, 0)
	}
	if e.Slice {
		f.put(" : ")
		if e.Hi != nil {
			f.expr(e.Hi, 0)
		}
	}
	f.put("]")
}

func (f *formatter) typeName(t TypeName) {
	f.put(t.Name)
	if t.Args != nil || t.Fields != nil {
		f.put("(")
		for i, a := range t.Args {
			f.comma(i)
			f.put(strconv.Itoa(a))
		}
		for i, field := range t.Fields {
			f.comma(i)
			if field.Name.Name != "" {
				f.put(labelText(field.Name), " ")
			}
			f.typeName(field.Type)
		}
		f.put(")")
	}
	if t.TimeZone {
		f.put(" WITH TIME ZONE")
	}
	for _, d := range t.Dims {
		if d == 0 {
			f.put("[]")
		} else {
			f.put("[", strconv.Itoa(d), "]")
		}
	}
}

func (f *formatter) call(c *Call) {
	if c.Qualifier != nil {
		f.put(dottedText(c.Qualifier), ".")
	}
	if c.Quoted {
		f.put(sqlname.Quote(c.Name))
	} else {
		f.put(c.Name)
	}
	f.put("(")
	if c.Star {
		f.put("*")
	}
	if c.Distinct {
		f.put("DISTINCT ")
	}
	for i, a := range c.Args {
		f.comma(i)
		if a.Name != "" {
			if isWord(a.Name) && a.Name == strings.ToLower(a.Name) {
				f.put(a.Name, " => ")
			} else {
				f.put(sqlname.Quote(a.Name), " => ")
			}
			f.expr(a.Expr, 0)
		} else if i == 0 && !c.Quoted && c.Qualifier == nil && (c.Name == "position" || c.Name == "trim") {
			f.atom(a.Expr) // POSITION(a IN b), TRIM(LEADING x) mean something else
		} else {
			f.expr(a.Expr, 0)
		}
	}
	if !c.WithinGroup {
		f.orderBy(" ORDER BY ", c.OrderBy)
	}
	f.put(")")
	if c.WithinGroup {
		f.orderBy(" WITHIN GROUP (ORDER BY ", c.OrderBy)
		f.put(")")
	}
	if c.Filter != nil {
		f.clause(" FILTER (WHERE ", c.Filter)
		f.put(")")
	}
	if c.Over != nil {
		f.put(" OVER ")
		if w := c.Over; w.Name.Name != "" && w.PartitionBy == nil && w.OrderBy == nil && w.Frame == nil {
			f.put(quoteIfNeeded(w.Name))
		} else {
			f.window(w)
		}
	}
}

func (f *formatter) window(w *Window) {
	f.put("(")
	gap := ""
	if w.Name.Name != "" {
		f.put(quoteIfNeeded(w.Name))
		gap = " "
	}
	if w.PartitionBy != nil {
		f.put(gap, "PARTITION BY ")
		f.exprs(w.PartitionBy)
		gap = " "
	}
	if w.OrderBy != nil {
		f.orderBy(gap+"ORDER BY ", w.OrderBy)
		gap = " "
	}
	if fr := w.Frame; fr != nil {
		f.put(gap, fr.Unit, " BETWEEN ")
		f.frameBound(fr.Start)
		f.put(" AND ")
		f.frameBound(fr.End)
		if fr.Exclude != "" {
			f.put(" EXCLUDE ", fr.Exclude)
		}
	}
	f.put(")")
}

func (f *formatter) frameBound(b Bound) {
	if b.Offset != nil {
		switch b.Offset.(type) {
		case *Number, *TypedString, *Param:
			f.expr(b.Offset, 0)
		default:
			f.put("(")
			f.expr(b.Offset, 0)
			f.put(")")
		}
		f.put(" ")
	}
	f.put(b.Kind)
}
