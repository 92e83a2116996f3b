package parse

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
)

// ignorePos compares trees without their positions.
var ignorePos = cmpopts.IgnoreTypes(Pos(0))

// A tree that the generator made is what its canonical text parses to. The generator is the
// definition of what the parser can produce: nothing in it knows how text is written or read. Of
// the trees that fail the one with the shortest text is shown.
func TestFormatRoundTrip(t *testing.T) {
	const trees = 3000
	failure, shortest := "", ""
	for seed := range uint64(trees) {
		want := (&gen{r: rand.New(rand.NewPCG(seed, 0)), depth: int(seed % 4)}).statement()
		text := Format(want)
		if failure != "" && len(text) >= len(shortest) {
			continue
		}
		got, err := ParseWith(text, Options{MaxDepth: 1000})
		if err != nil {
			failure, shortest = fmt.Sprintf("%v\n%s", err, text), text
			continue
		}
		if diff := cmp.Diff(want, got, ignorePos); diff != "" {
			failure, shortest = fmt.Sprintf("%s\nparses to another tree (-made +parsed):\n%s", text, diff), text
			continue
		}
		require.Equal(t, text, Format(got))
		nodes := 0
		Walk(got, func(any) bool { nodes++; return true })
		require.Positive(t, nodes)
	}
	require.Empty(t, failure)
}

// gen makes random trees. It begins at a depth, and what is deep is small.
type gen struct {
	r     *rand.Rand
	depth int
}

func (g *gen) n(most int) int             { return g.r.IntN(most + 1) }
func (g *gen) flip() bool                 { return g.n(3) == 0 }
func (g *gen) pick(from ...string) string { return from[g.r.IntN(len(from))] }

func (g *gen) name() Ident {
	switch g.n(5) {
	case 0:
		return Ident{Name: g.pick("NSFW", "a b", `quo"te`, "select", "train@5", "train$versions", "é'", "`"), Quoted: true}
	case 1: // keywords that are names
		return Ident{
			Name: g.pick(
				"key",
				"user",
				"version",
				"timestamp",
				"date",
				"values",
				"both",
				"leading",
				"row",
				"position",
				"first",
				"rollup",
				"unbounded",
				"partition",
				"time",
				"filter",
				"over",
				"semi",
				"exists",
				"interval",
				"extract",
				"trim",
				"symmetry",
				"asof",
			),
		}
	}
	return Ident{Name: g.pick("a", "b", "c", "Width", "img_emb", "größe", "x$1", "_")}
}

func (g *gen) names() []Ident {
	ids := []Ident{g.name()}
	for range g.n(2) {
		ids = append(ids, g.name())
	}
	return ids
}

func (g *gen) tableName() TableName {
	n := TableName{Table: g.name()}
	if g.flip() {
		n.Schema = g.name()
		if g.flip() {
			n.Catalog = g.name()
		}
	}
	return n
}

func (g *gen) statement() Statement {
	switch g.n(15) {
	case 0:
		return &Explain{Analyze: g.flip(), Verbose: g.flip(), JSON: g.flip(), Statement: g.query()}
	case 1:
		name := g.tableName()
		return &Show{What: g.pick("VERSIONS", "TAGS", "BRANCHES", "INDEXES", "FRAGMENTS", "COLUMNS"), Table: &name}
	case 2:
		s := &Show{What: g.pick("TABLES", "SCHEMAS", "ALL")}
		if g.flip() {
			s.Table = &TableName{Schema: g.name()}
			if g.flip() {
				s.Table.Catalog = g.name()
			}
		}
		if g.flip() {
			s.Like = &String{Value: "a%"}
		}
		return s
	case 3:
		return &Show{What: g.pick("lance.nprobes", "timezone", "a b", "tables", "versions", "create")}
	case 4:
		if g.flip() {
			return &Describe{Table: &Derived{Query: g.query()}}
		}
		return &Describe{Table: &NamedTable{Name: g.tableName(), AsOf: g.asOf()}}
	case 5:
		s := &Set{Name: g.pick("lance.as_of", "timezone", "schema", "search_path", "session", "local", "role")}
		if g.flip() {
			s.Reset = true
		} else {
			s.Value = g.expr()
			if _, ok := s.Value.(*Column); ok {
				s.Value = &String{Value: "main"}
			}
		}
		return s
	case 6:
		u := &Use{Name: TableName{Schema: g.name()}}
		if g.flip() {
			u.Name.Catalog = g.name()
		}
		return u
	case 7:
		return &Unsupported{
			What: g.pick("INSERT INTO", "CREATE TABLE", "DROP TAG", "UPDATE", "CREATE MATERIALIZED VIEW", "SET TRANSACTION", "SET ROLE", "VACUUM"),
		}
	}
	return g.query()
}

func (g *gen) query() *Query {
	q := &Query{}
	if g.flip() && g.depth < 3 {
		q.With = &With{Recursive: g.flip()}
		for range 1 + g.n(1) {
			c := CTE{Name: g.name(), Query: g.sub()}
			if g.flip() {
				c.Columns = g.names()
			}
			q.With.CTEs = append(q.With.CTEs, c)
		}
	}
	q.Body = g.body()
	if first, ok := leftmost(q.Body).(*Select); ok && first != nil && g.flip() {
		q.Hints = []Hint{{Name: "nprobes", Value: "40"}, {Name: "use_index", Value: "false"}}
	}
	if g.flip() {
		q.OrderBy = g.order()
	}
	switch g.n(8) {
	case 0:
		q.Limit = &Limit{Count: g.expr()}
	case 1:
		q.Limit = &Limit{Count: g.expr(), Offset: g.expr()}
	case 2:
		q.Limit = &Limit{Offset: g.expr()}
	case 3:
		q.Limit = &Limit{}
	}
	return unwrap(q)
}

func leftmost(b QueryBody) QueryBody {
	for {
		s, ok := b.(*SetOp)
		if !ok {
			return b
		}
		b = s.Left
	}
}

// sub makes a query one level down; deep ones are small.
func (g *gen) sub() *Query {
	g.depth++
	defer func() { g.depth-- }()
	if g.depth > 3 {
		return &Query{Body: &Select{Items: []SelectItem{{Expr: g.leaf()}}}}
	}
	return g.query()
}

// body makes set operations the way the grammar nests them: UNION and EXCEPT to the left over
// INTERSECT to the left over operands, chains of one UNION balanced.
func (g *gen) body() QueryBody {
	if g.depth > 2 || !g.flip() {
		return g.operand()
	}
	left := g.intersects()
	kind := ""
	for range 1 + g.n(2) {
		op, all := g.pick("UNION", "EXCEPT"), g.flip()
		if op == "EXCEPT" {
			left, kind = &SetOp{Op: op, All: all, Left: left, Right: g.intersects()}, ""
			continue
		}
		if kind == fmt.Sprint(all) { // the same UNION again would have been one chain
			continue
		}
		kind = fmt.Sprint(all)
		terms := []QueryBody{left}
		for range 1 + g.n(3) {
			terms = append(terms, g.intersects())
		}
		left = balanceUnion(all, terms, make([]Pos, len(terms)-1))
	}
	return left
}

func (g *gen) intersects() QueryBody {
	left := g.operand()
	for g.flip() {
		left = &SetOp{Op: "INTERSECT", All: g.flip(), Left: left, Right: g.operand()}
	}
	return left
}

func (g *gen) operand() QueryBody {
	switch g.n(9) {
	case 0:
		return &Nested{Query: g.sub()}
	case 1:
		v := &Values{}
		width := 1 + g.n(1)
		for range 1 + g.n(1) {
			var row []Expr
			for range width {
				row = append(row, g.expr())
			}
			v.Rows = append(v.Rows, row)
		}
		return v
	}
	return g.selectBlock()
}

func (g *gen) selectBlock() *Select {
	s := &Select{Distinct: g.flip()}
	if s.Distinct && g.flip() {
		s.DistinctOn = g.exprs()
	}
	for range 1 + g.n(2) {
		it := SelectItem{}
		if g.flip() {
			it.Star = &Star{}
			if g.flip() {
				n := g.tableName()
				it.Star.Table = &n
			}
			if g.flip() {
				it.Star.Exclude = g.names()
			}
		} else {
			it.Expr = g.expr()
			if g.flip() {
				it.Alias = g.name()
			}
		}
		s.Items = append(s.Items, it)
	}
	for range g.n(2) {
		s.From = append(s.From, g.table())
	}
	if g.flip() {
		s.Where = g.expr()
	}
	if g.flip() {
		s.GroupBy = &GroupBy{All: g.flip()}
		if !s.GroupBy.All {
			s.GroupBy.Items = g.exprs()
		}
	}
	if g.flip() {
		s.Having = g.expr()
	}
	if g.flip() {
		s.Qualify = g.expr()
	}
	if g.flip() {
		s.Windows = []NamedWindow{{Name: g.name(), Window: g.window()}}
	}
	return s
}

func (g *gen) table() TableRef {
	g.depth++
	defer func() { g.depth-- }()
	alias := func() (Ident, []Ident) {
		if !g.flip() {
			return Ident{}, nil
		}
		if g.flip() {
			return g.name(), g.names()
		}
		return g.name(), nil
	}
	kind := g.n(6)
	switch {
	case kind == 0:
		d := &Derived{Query: g.sub(), Lateral: g.flip()}
		d.Alias, d.Columns = alias()
		return d
	case kind == 1:
		c := g.call()
		c.Filter, c.Over = nil, nil
		if reserved[upper(c.Name)] && c.Qualifier == nil { // no name of a table, so it needs its quotes there
			c.Quoted = true
		}
		f := &TableFunc{Call: c, Lateral: g.flip()}
		f.Alias, f.Columns = alias()
		return f
	case kind < 4 && g.depth < 4:
		j := &Join{Kind: JoinKind(g.pick("INNER", "LEFT", "RIGHT", "FULL", "CROSS", "SEMI", "ANTI")), Left: g.table(), Right: g.table()}
		switch {
		case j.Kind == "CROSS":
		case g.flip():
			j.Natural = true
		case g.flip():
			j.Using = g.names()
			if g.flip() {
				j.UsingAlias = g.name()
			}
		default:
			j.On = g.expr()
		}
		j.Alias, j.Columns = alias()
		return j
	}
	n := &NamedTable{Name: g.tableName(), AsOf: g.asOf()}
	n.Alias, n.Columns = alias()
	if g.flip() {
		n.Sample = &Sample{Method: g.pick("", "BERNOULLI", "SYSTEM", "RESERVOIR"), Size: &Number{Text: "10"}, Percent: g.flip()}
		if g.flip() {
			n.Sample.Seed = g.expr()
		}
	}
	return n
}

func (g *gen) asOf() *AsOf {
	if !g.flip() {
		return nil
	}
	if g.flip() {
		return &AsOf{Timestamp: true, Value: &TypedString{Type: "TIMESTAMP", Value: "2026-01-01"}}
	}
	if g.flip() {
		return &AsOf{Value: &String{Value: "aesthetic-v1"}}
	}
	return &AsOf{Value: &Number{Text: "5"}}
}

func (g *gen) order() []OrderItem {
	var items []OrderItem
	for range 1 + g.n(1) {
		o := OrderItem{Expr: g.expr(), Desc: g.flip()}
		if g.flip() {
			first := g.flip()
			o.NullsFirst = &first
		}
		items = append(items, o)
	}
	return items
}

func (g *gen) exprs() []Expr {
	var list []Expr
	for range 1 + g.n(2) {
		list = append(list, g.expr())
	}
	return list
}

func (g *gen) window() *Window {
	w := &Window{}
	if g.flip() {
		w.Name = Ident{Name: "w"}
	}
	if g.flip() {
		w.PartitionBy = g.exprs()
	}
	if g.flip() {
		w.OrderBy = g.order()
	}
	if g.flip() {
		w.Frame = &Frame{Unit: g.pick("ROWS", "RANGE", "GROUPS"), Exclude: g.pick("", "CURRENT ROW", "GROUP", "TIES")}
		ends := []Bound{
			{Kind: unboundedPreceding},
			{Kind: preceding, Offset: g.expr()},
			{Kind: currentRow},
			{Kind: following, Offset: g.expr()},
			{Kind: unboundedFollowing},
		}
		from := g.n(3)
		w.Frame.Start = ends[from]
		w.Frame.End = ends[max(1, from+g.n(4-from))]
	}
	return w
}

func (g *gen) call() *Call {
	c := &Call{
		Name: g.pick("f", "count", "substring", "position", "trim", "extract", "overlay", "left", "date", "coalesce", "current_date", "both"),
	}
	if g.flip() {
		c.Name, c.Quoted = g.pick("F", "a b", "select", "cast"), true
	}
	if g.flip() {
		c.Qualifier = g.names()
		if len(c.Qualifier) > 2 {
			c.Qualifier = c.Qualifier[:2]
		}
	}
	switch g.n(6) {
	case 0:
		c.Star = true
	case 1:
	default:
		c.Distinct = g.flip()
		for i := range 1 + g.n(2) {
			a := Arg{Expr: g.expr()}
			if i > 0 && g.flip() {
				a.Name = g.pick("k", "nprobes", "A b")
			}
			c.Args = append(c.Args, a)
		}
		if g.flip() {
			c.OrderBy = g.order()
		}
	}
	if c.OrderBy == nil && g.flip() {
		c.OrderBy, c.WithinGroup = g.order(), true
	}
	if g.flip() {
		c.Filter = g.expr()
	}
	if g.flip() {
		c.Over = g.window()
	}
	return c
}

func (g *gen) leaf() Expr {
	switch g.n(12) {
	case 0:
		return &Number{Text: g.pick("0", "42", "1e-3", ".5", "1.", "12345678901234567890")}
	case 1:
		return &String{Value: g.pick("", "it's", `back\slash`, "two\nlines", "é")}
	case 2:
		return &Bytes{Value: []byte{0, 255}}
	case 3:
		return &Bool{Value: g.flip()}
	case 4:
		return &Null{}
	case 5:
		if g.flip() {
			return &TypedString{Type: "INTERVAL", Value: "1", Unit: g.pick("", "DAY", "YEAR TO MONTH")}
		}
		return &TypedString{Type: g.pick("DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ"), Value: "2026-01-01"}
	case 6:
		if g.flip() {
			return &Vector{Values: []float64{1, -2, 0, maxExactInt}, Ints: true}
		}
		return &Vector{Values: []float64{1, -2e-30, 0.1, 1e300, 3}}
	case 7:
		return &Param{Number: 1 + g.n(2)}
	case 8:
		return &Call{Name: "current_timestamp"}
	}
	return &Column{Parts: g.names()}
}

func (g *gen) expr() Expr {
	if g.depth > 3 || g.flip() {
		return g.leaf()
	}
	g.depth++
	defer func() { g.depth-- }()
	switch g.n(23) {
	case 0:
		return &Unary{Op: g.pick("NOT", "-", "+", "~"), X: g.expr()}
	case 1, 2, 3, 4:
		return &Binary{
			Op: g.pick(
				"=",
				"!=",
				"<",
				"<=",
				">",
				">=",
				"+",
				"-",
				"*",
				"/",
				"%",
				"^",
				"||",
				"&&",
				"@>",
				"<@",
				"&",
				"|",
				"<<",
				">>",
				"<->",
				"<=>",
				"<#>",
				"->",
				"->>",
				"~",
				"~*",
				"!~",
				"!~*",
			),
			X: g.expr(),
			Y: g.expr(),
		}
	case 5, 6:
		op := g.pick("AND", "OR")
		var terms []Expr
		var places []Pos
		for range 2 + g.n(4) {
			terms, places = appendTerms(op, g.expr(), terms, places)
			places = append(places, 0)
		}
		return balance(op, terms, places[:len(terms)-1])
	case 7:
		return &IsNull{X: g.expr(), Not: g.flip()}
	case 8:
		b := &IsBool{X: g.expr(), Not: g.flip()}
		if g.flip() {
			v := g.flip()
			b.Value = &v
		}
		return b
	case 9:
		return &IsDistinct{X: g.expr(), Y: g.expr(), Not: g.flip()}
	case 10:
		return &Between{X: g.expr(), Lo: g.expr(), Hi: g.expr(), Not: g.flip(), Symmetric: g.flip()}
	case 11:
		in := &In{X: g.expr(), Not: g.flip()}
		if g.flip() {
			in.Query = g.sub()
			return in
		}
		in.List = g.exprs()
		if s, ok := in.List[0].(*Subquery); ok && len(in.List) == 1 {
			in.List, in.Query = nil, s.Query
		}
		return in
	case 12:
		l := &Like{Kind: g.pick("LIKE", "ILIKE", "SIMILAR"), X: g.expr(), Pattern: g.expr(), Not: g.flip()}
		if g.flip() {
			l.Escape = g.expr()
		}
		return l
	case 13:
		q := &Quantified{Op: g.pick("=", "!=", "<"), Quantifier: g.pick("ANY", "ALL"), X: g.expr()}
		if q.Array = g.expr(); g.flip() {
			q.Array, q.Query = nil, g.sub()
		} else if s, ok := q.Array.(*Subquery); ok {
			q.Array, q.Query = nil, s.Query
		}
		return q
	case 14:
		return &Exists{Query: g.sub()}
	case 15:
		return &Subquery{Query: g.sub()}
	case 16:
		return &Tuple{Items: append(g.exprs(), g.expr())}
	case 17:
		c := &Case{Whens: []When{{Cond: g.expr(), Result: g.expr()}}}
		if g.flip() {
			c.Operand = g.expr()
		}
		if g.flip() {
			c.Whens = append(c.Whens, When{Cond: g.expr(), Result: g.expr()})
		}
		if g.flip() {
			c.Else = g.expr()
		}
		return c
	case 18:
		return &Cast{X: g.expr(), Type: g.typeName(), Try: g.flip()}
	case 19:
		i := &Index{X: g.expr(), I: g.expr()}
		if g.flip() {
			i.Slice = true
			if g.flip() {
				i.I = nil
			}
			if g.flip() {
				i.Hi = g.expr()
			}
		}
		return i
	case 20:
		return &FieldAccess{X: g.expr(), Name: g.name()}
	case 21:
		return &AtTimeZone{X: g.expr(), Zone: g.expr()}
	case 22:
		return &Array{Items: append(g.exprs(), &Null{})}
	}
	return g.call()
}

func (g *gen) typeName() TypeName {
	switch g.n(5) {
	case 0:
		return TypeName{Name: "DECIMAL", Args: []int{10, 2}}
	case 1:
		return TypeName{Name: "FLOAT", Dims: []int{768}}
	case 2:
		return TypeName{Name: "TIMESTAMP", Args: []int{3}, TimeZone: true, Dims: []int{0, 0}}
	case 3:
		return TypeName{
			Name: "STRUCT",
			Fields: []TypeField{
				{Name: g.name(), Type: TypeName{Name: "MAP", Fields: []TypeField{{Type: TypeName{Name: "VARCHAR"}}, {Type: TypeName{Name: "BLOB"}}}}},
			},
		}
	}
	return TypeName{Name: g.pick("DOUBLE", "REAL", "BIGINT", "VARCHAR", "DATE", "TIME")}
}
