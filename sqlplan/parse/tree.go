package parse

// This file is the tree: what every SQL text becomes, whatever stands behind Parse. It is written
// once for the whole surface, so that a statement the binder does not support yet is still a tree,
// and its refusal can point at the clause.

// Pos is a byte offset into the statement's text.
type Pos int

// Statement is any statement.
type Statement interface{ statement() }

// Ident is a name. Quoted says that it was written "so" or `so` and must match exactly.
type Ident struct {
	Name   string
	Quoted bool
	Pos    Pos
}

// TableName is [catalog.][schema.]table; absent parts have an empty Name. Where only a schema can be
// named (USE, SHOW TABLES FROM), Table is the absent part.
type TableName struct {
	Catalog, Schema, Table Ident
	Pos                    Pos
}

// ---- Statements -------------------------------------------------------------------------------

type (
	// Query is a query expression used as a statement or nested in one.
	Query struct {
		With    *With
		Body    QueryBody
		OrderBy []OrderItem
		Limit   *Limit
		Hints   []Hint // /*+ name(value) … */ after the first SELECT
		Pos     Pos
	}
	// With is WITH [RECURSIVE] a AS (…), ….
	With struct {
		Recursive bool
		CTEs      []CTE
		Pos       Pos
	}
	// CTE is one name [(columns)] AS [[NOT] MATERIALIZED] (query).
	CTE struct {
		Name    Ident
		Columns []Ident
		Query   *Query
	}
	// Limit holds LIMIT/OFFSET/FETCH; LIMIT ALL is Count nil.
	Limit struct {
		Count, Offset Expr // nil = absent
		Pos           Pos
	}
	// OrderItem is one ORDER BY key. NullsFirst is nil when not written.
	OrderItem struct {
		Expr       Expr
		Desc       bool
		NullsFirst *bool
		Pos        Pos
	}
	// Hint is one entry of an optimizer comment: /*+ nprobes(40) */.
	Hint struct {
		Name, Value string
		Pos         Pos
	}
	// Explain is EXPLAIN [ANALYZE] [VERBOSE] [(FORMAT JSON)] statement.
	Explain struct {
		Analyze, Verbose, JSON bool
		Statement              Statement
		Pos                    Pos
	}
	// Show is SHOW TABLES|SCHEMAS|DATABASES|CATALOGS|FUNCTIONS|VIEWS|ALL [FROM schema] |
	// SHOW VERSIONS|TAGS|BRANCHES|INDEXES|FRAGMENTS|COLUMNS FROM table | SHOW name.
	// What is upper case for the keyword forms ("TABLES", "VERSIONS"), else the name of a setting in
	// lower case ("lance.nprobes"; SHOW TIME ZONE is "timezone"). LIKE 'pattern' after the list
	// forms is Like.
	Show struct {
		What  string
		Table *TableName
		Like  *String
		Pos   Pos
	}
	// Describe is DESCRIBE t | DESC t | DESCRIBE SELECT … (Table is then a Derived).
	Describe struct {
		Table TableRef
		Pos   Pos
	}
	// Set is SET name = value | SET name TO value; Value nil with Reset for RESET name, SET name TO
	// DEFAULT and RESET ALL (Name "all"). Name is in lower case ("lance.as_of"; SET TIME ZONE is
	// "timezone"). A bare word as value (SET x = on) is a String; several values are an Array.
	Set struct {
		Name  string
		Value Expr
		Reset bool
		Pos   Pos
	}
	// Use is USE [catalog.]schema: USE a has Name.Schema a, which may also be meant as a catalog.
	Use struct {
		Name TableName
		Pos  Pos
	}
	// Unsupported is a statement whose head is known but which is not supported: INSERT, UPDATE,
	// DELETE, MERGE, CREATE …, ALTER …, DROP …, OPTIMIZE, VACUUM, RESTORE, BEGIN, COMMIT, COPY ….
	// What is its head in upper case ("CREATE TABLE").
	Unsupported struct {
		What string
		Pos  Pos
	}
)

func (*Query) statement()       {}
func (*Explain) statement()     {}
func (*Show) statement()        {}
func (*Describe) statement()    {}
func (*Set) statement()         {}
func (*Use) statement()         {}
func (*Unsupported) statement() {}

// ---- Query bodies -----------------------------------------------------------------------------

// QueryBody is a SELECT block, a set operation, VALUES, or a parenthesised query.
type QueryBody interface{ queryBody() }

type (
	// Select is one SELECT block; DISTINCT ON (…) sets Distinct and DistinctOn. FROM t alone and
	// TABLE t are SELECT * FROM t.
	Select struct {
		Distinct   bool
		DistinctOn []Expr
		Items      []SelectItem
		From       []TableRef // comma list; nil for a FROM-less SELECT
		Where      Expr
		GroupBy    *GroupBy
		Having     Expr
		Qualify    Expr
		Windows    []NamedWindow
		Pos        Pos
	}
	// SetOp is left UNION|INTERSECT|EXCEPT [ALL] right. A chain of one UNION [ALL] is a balanced tree
	// (the operator is associative), so that a thousand terms nest ten deep; the rest nests leftwards.
	SetOp struct {
		Op          string // "UNION", "INTERSECT", "EXCEPT"
		All         bool
		Left, Right QueryBody
		Pos         Pos
	}
	// Values is VALUES (…), ….
	Values struct {
		Rows [][]Expr
		Pos  Pos
	}
	// Nested is a query expression in parentheses used as a body.
	Nested struct{ Query *Query }
	// SelectItem is an expression with an optional alias, or a star. The text of the item without
	// its alias is sql[Pos:End].
	SelectItem struct {
		Expr     Expr
		Alias    Ident // Name "" = none
		Star     *Star // set instead of Expr
		Pos, End Pos
	}
	// Star is * or t.*, with EXCLUDE (columns).
	Star struct {
		Table   *TableName
		Exclude []Ident
	}
	// GroupBy is GROUP BY …; All is GROUP BY ALL.
	GroupBy struct {
		All   bool
		Items []Expr
		Pos   Pos
	}
	// NamedWindow is WINDOW name AS (…).
	NamedWindow struct {
		Name   Ident
		Window *Window
	}
)

func (*Select) queryBody() {}
func (*SetOp) queryBody()  {}
func (*Values) queryBody() {}
func (*Nested) queryBody() {}

// ---- Table references -------------------------------------------------------------------------

// TableRef is something in FROM.
type TableRef interface{ tableRef() }

type (
	// NamedTable is a table by name, at a version, with an alias and a sample.
	NamedTable struct {
		Name    TableName
		AsOf    *AsOf
		Alias   Ident
		Columns []Ident
		Sample  *Sample
		Pos     Pos
	}
	// AsOf is [FOR] [SYSTEM_]VERSION AS OF n | 'tag', or [FOR] TIMESTAMP|SYSTEM_TIME AS OF '…'.
	AsOf struct {
		Timestamp bool
		Value     Expr // Number, String, Param; with Timestamp also a TypedString
		Pos       Pos
	}
	// Sample is TABLESAMPLE [method] (n PERCENT|ROWS) [REPEATABLE (seed)].
	Sample struct {
		Method  string
		Size    Expr
		Percent bool
		Seed    Expr
		Pos     Pos
	}
	// Derived is [LATERAL] (query) [[AS] alias [(columns)]].
	Derived struct {
		Query   *Query
		Lateral bool
		Alias   Ident
		Columns []Ident
		Pos     Pos
	}
	// TableFunc is a function in FROM: vector_search(…), with named arguments k => 10.
	TableFunc struct {
		Call    *Call
		Lateral bool
		Alias   Ident
		Columns []Ident
		Pos     Pos
	}
	// Join is left [kind] JOIN right [ON … | USING (…) [AS alias]], or that in parentheses with an
	// alias behind them, which hides the tables inside.
	Join struct {
		Kind        JoinKind
		Natural     bool
		Left, Right TableRef
		On          Expr
		Using       []Ident
		UsingAlias  Ident
		Alias       Ident
		Columns     []Ident
		Pos         Pos
	}
)

func (*NamedTable) tableRef() {}
func (*Derived) tableRef()    {}
func (*TableFunc) tableRef()  {}
func (*Join) tableRef()       {}

// ---- Expressions ------------------------------------------------------------------------------

// Expr is an expression; Position is where its text begins (operators: the operator's place).
type Expr interface{ Position() Pos }

type (
	// Column is [[[catalog.]schema.]table.]column or a path into a struct: Parts in order, at
	// least one.
	Column struct{ Parts []Ident }
	// Number is an integer or decimal literal, as written ("42", "1e-3"), without sign; digits in
	// another base and underscores are made plain (0x1F is "31", 1_000 is "1000").
	Number struct {
		Text string
		Pos  Pos
	}
	// String is '…', unescaped.
	String struct {
		Value string
		Pos   Pos
	}
	// Bytes is X'…'.
	Bytes struct {
		Value []byte
		Pos   Pos
	}
	// Bool is TRUE or FALSE.
	Bool struct {
		Value bool
		Pos   Pos
	}
	// Null is NULL.
	Null struct{ Pos Pos }
	// TypedString is DATE '…', TIME '…', TIMESTAMP '…', TIMESTAMPTZ, TIMETZ, INTERVAL '…' [unit]; Type is
	// upper case, Unit too and singular ("DAY", "YEAR TO MONTH"). INTERVAL 1 DAY has Value "1".
	TypedString struct {
		Type, Value, Unit string
		Args              []int // the digits of TIMESTAMP(3) '…'
		Pos               Pos
	}
	// Vector is a bracketed list whose items are all plain numbers: [0.1, -2]; kept as float64,
	// and Ints says that no item had a point or exponent. Other lists are Array, and so are lists
	// with a number that a float64 cannot hold: an integer of 2^53 or more, 1e400.
	Vector struct {
		Values []float64
		Ints   bool
		Pos    Pos
	}
	// Array is [a, b] or ARRAY[a, b] with general items.
	Array struct {
		Items []Expr
		Pos   Pos
	}
	// Param is ? (numbered from 1 in text order) or $n.
	Param struct {
		Number int
		Pos    Pos
	}
	// Unary is NOT x, -x, +x, ~x.
	Unary struct {
		Op  string // "NOT", "-", "+", "~"
		X   Expr
		Pos Pos
	}
	// Binary is x op y. Op is upper case for words: "AND", "OR"; symbols as in text, with "!=" for
	// "<>": = != < <= > >= + - * / % ^ || & | << >> <-> <=> <#> -> ->> ~ ~* !~ !~*.
	// A chain of ANDs, or of ORs, is a balanced tree whatever parentheses are in it, so that ten
	// thousand terms nest fourteen deep; the terms stay in order. Other operators nest leftwards.
	Binary struct {
		Op   string
		X, Y Expr
		Pos  Pos
	}
	// IsNull is x IS [NOT] NULL.
	IsNull struct {
		X   Expr
		Not bool
		Pos Pos
	}
	// IsBool is x IS [NOT] TRUE|FALSE|UNKNOWN; Value nil for UNKNOWN.
	IsBool struct {
		X     Expr
		Value *bool
		Not   bool
		Pos   Pos
	}
	// IsDistinct is x IS [NOT] DISTINCT FROM y.
	IsDistinct struct {
		X, Y Expr
		Not  bool
		Pos  Pos
	}
	// Between is x [NOT] BETWEEN [SYMMETRIC] lo AND hi.
	Between struct {
		X, Lo, Hi Expr
		Not       bool
		Symmetric bool
		Pos       Pos
	}
	// In is x [NOT] IN (list) or x [NOT] IN (query): one of List, Query is set.
	In struct {
		X     Expr
		List  []Expr
		Query *Query
		Not   bool
		Pos   Pos
	}
	// Like is x [NOT] LIKE|ILIKE|SIMILAR TO pattern [ESCAPE e].
	Like struct {
		Kind       string // "LIKE", "ILIKE", "SIMILAR"
		X, Pattern Expr
		Escape     Expr
		Not        bool
		Pos        Pos
	}
	// Quantified is x op ANY|ALL (query or array).
	Quantified struct {
		Op, Quantifier string
		X              Expr
		Query          *Query
		Array          Expr
		Pos            Pos
	}
	// Exists is [NOT is a Unary] EXISTS (query).
	Exists struct {
		Query *Query
		Pos   Pos
	}
	// Subquery is a scalar subquery.
	Subquery struct {
		Query *Query
		Pos   Pos
	}
	// Tuple is (a, b, …), two or more items.
	Tuple struct {
		Items []Expr
		Pos   Pos
	}
	// Case is CASE [operand] WHEN … THEN … [ELSE …] END.
	Case struct {
		Operand Expr
		Whens   []When
		Else    Expr
		Pos     Pos
	}
	// When is one arm of a Case.
	When struct{ Cond, Result Expr }
	// Cast is CAST(x AS t), TRY_CAST(x AS t), x::t.
	Cast struct {
		X    Expr
		Type TypeName
		Try  bool
		Pos  Pos
	}
	// TypeName is a type as written: Name upper case ("DOUBLE PRECISION" becomes "DOUBLE"),
	// Args of DECIMAL(p,s) or VARCHAR(n), Dims of FLOAT[768] (a 0 for FLOAT[]), Fields of
	// STRUCT(a INTEGER, …) and, without names, of MAP(key, value) and LIST(item).
	TypeName struct {
		Name     string
		Args     []int
		Dims     []int
		Fields   []TypeField
		TimeZone bool // TIMESTAMP or TIME WITH TIME ZONE, TIMESTAMPTZ, TIMETZ; Name is "TIMESTAMP", "TIME"
		Pos      Pos
	}
	// TypeField is one member of a nested type.
	TypeField struct {
		Name Ident
		Type TypeName
	}
	// Call is f(args), with the special syntaxes (EXTRACT, SUBSTRING … FROM, POSITION, TRIM,
	// OVERLAY) turned into plain calls: extract('year', x), substring(x, a, b), position(a, x),
	// trim/ltrim/rtrim(x [, chars]), overlay(x, y, a [, b]). CURRENT_DATE and its kin are calls
	// without arguments. Name is lower case unless Quoted. Star is f(*).
	Call struct {
		Qualifier   []Ident // schema, or catalog and schema, before the name: pg_catalog.f(x)
		Name        string
		Quoted      bool
		Args        []Arg
		Star        bool
		Distinct    bool
		OrderBy     []OrderItem // inside the parentheses, or
		WithinGroup bool        // OrderBy was written behind them: WITHIN GROUP (ORDER BY …)
		Filter      Expr        // FILTER (WHERE …)
		Over        *Window
		Pos         Pos
	}
	// Arg is an argument, with its name for name => value.
	Arg struct {
		Name string
		Expr Expr
	}
	// Window is OVER name or OVER ([name] …): Name is the window it builds on.
	Window struct {
		Name        Ident
		PartitionBy []Expr
		OrderBy     []OrderItem
		Frame       *Frame
		Pos         Pos
	}
	// Frame is ROWS|RANGE|GROUPS BETWEEN start AND end [EXCLUDE …]; without BETWEEN, End is CURRENT
	// ROW. Exclude is "", "CURRENT ROW", "GROUP", "TIES" (NO OTHERS is "").
	Frame struct {
		Unit       string
		Start, End Bound
		Exclude    string
	}
	// Bound is UNBOUNDED PRECEDING|FOLLOWING, CURRENT ROW, n PRECEDING|FOLLOWING.
	Bound struct {
		Kind   string // "UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING"
		Offset Expr
	}
	// Index is x[i] (1-based, as in PostgreSQL and DuckDB) or a slice x[a:b]; a side left out of a
	// slice is nil.
	Index struct {
		X, I  Expr
		Hi    Expr
		Slice bool
		Pos   Pos
	}
	// FieldAccess is (x).name.
	FieldAccess struct {
		X    Expr
		Name Ident
		Pos  Pos
	}
	// AtTimeZone is x AT TIME ZONE z.
	AtTimeZone struct {
		X, Zone Expr
		Pos     Pos
	}
)

func (e *Column) Position() Pos      { return e.Parts[0].Pos }
func (e *Number) Position() Pos      { return e.Pos }
func (e *String) Position() Pos      { return e.Pos }
func (e *Bytes) Position() Pos       { return e.Pos }
func (e *Bool) Position() Pos        { return e.Pos }
func (e *Null) Position() Pos        { return e.Pos }
func (e *TypedString) Position() Pos { return e.Pos }
func (e *Vector) Position() Pos      { return e.Pos }
func (e *Array) Position() Pos       { return e.Pos }
func (e *Param) Position() Pos       { return e.Pos }
func (e *Unary) Position() Pos       { return e.Pos }
func (e *Binary) Position() Pos      { return e.Pos }
func (e *IsNull) Position() Pos      { return e.Pos }
func (e *IsBool) Position() Pos      { return e.Pos }
func (e *IsDistinct) Position() Pos  { return e.Pos }
func (e *Between) Position() Pos     { return e.Pos }
func (e *In) Position() Pos          { return e.Pos }
func (e *Like) Position() Pos        { return e.Pos }
func (e *Quantified) Position() Pos  { return e.Pos }
func (e *Exists) Position() Pos      { return e.Pos }
func (e *Subquery) Position() Pos    { return e.Pos }
func (e *Tuple) Position() Pos       { return e.Pos }
func (e *Case) Position() Pos        { return e.Pos }
func (e *Cast) Position() Pos        { return e.Pos }
func (e *Call) Position() Pos        { return e.Pos }
func (e *Index) Position() Pos       { return e.Pos }
func (e *FieldAccess) Position() Pos { return e.Pos }
func (e *AtTimeZone) Position() Pos  { return e.Pos }
