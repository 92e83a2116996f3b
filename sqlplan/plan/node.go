package plan

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/settings"
	"lanceflight/vecindex"
)

// Col is an output column of a node.
type Col struct {
	ID       expr.ColID
	Name     string
	Type     arrow.DataType
	Nullable bool
	// Schema, Table, Source: where the column comes from, for metadata of result fields; may be empty.
	Schema, Table, Source string
	// Metadata is that of the table's field: the name of an extension type, and whatever its writer put
	// there.
	Metadata arrow.Metadata
}

// Node is a relational operator. Columns are its output, in order.
type Node interface {
	Columns() []Col
	Inputs() []Node
	WithInputs([]Node) Node
}

// Scan reads a snapshot, filters, and returns the surviving rows in row-address order unless
// Unordered. Columns that only Filter needs are in Read and not in Out.
type Scan struct {
	Selection
	Out       []Col // what it returns: a subset of Read
	Limit     int64 // stop after that many survivors; -1 = none
	Unordered bool  // the parent does not care about row order
	// EstimatedRows is the planner's guess of survivors; -1 = unknown.
	EstimatedRows int64
	// Search are the knobs for a vector search that this scan may become; the executor ignores them.
	Search settings.SearchOptions
}

// ScanCol is a column read from storage: Source is its name in the snapshot's schema, or one of the
// system columns "_rowid", "_rowaddr", "_row_created_at_version", "_row_last_updated_at_version".
// Part says whether the column holds its values, or their lengths or validity alone.
type ScanCol struct {
	Col
	Source string
	Part   lancefmt.Part
}

// Ref is what is read for the column.
func (c ScanCol) Ref() lancefmt.ColumnRef { return lancefmt.ColumnRef{Name: c.Source, Part: c.Part} }

// VectorSearch returns the K rows of a snapshot nearest to Query, nearest first, ties by row id. It is
// what ORDER BY distance LIMIT k over a scan becomes. NULL vectors never qualify.
type VectorSearch struct {
	Selection              // the prefilter; Read has the columns that it needs
	Column          string // vector column
	Metric          vecindex.Metric
	Query           expr.Expr // constant for the execution: Literal or Param, type fixed_size_list<float32, dim>
	K               expr.Expr // constant int64: LIMIT + OFFSET rows are searched; the Limit node above skips
	Within          expr.Expr // nil, or the inclusive bound of a range search, in Lance's distance
	WithinExclusive bool
	Distance        Col // float32 `_distance` as Lance reports it (squared L2, 1-cos, 1-dot)
	RowID, RowAddr  Col // uint64 output columns
	Options         settings.SearchOptions
	// Indexes are the segments of the chosen index; empty = exact search. Why says in words why
	// this strategy was chosen (EXPLAIN).
	Indexes []*lancefmt.Index
	Why     string
	// Quantized says that Indexes keep codes of the vectors, so that their distances are estimates.
	Quantized bool
	// Calibrated is what MinRecall has been turned into; nil if that is left to the execution, as it is
	// but in EXPLAIN.
	Calibrated *Calibrated
	// Expectation says whether the search is expected to compare the rows that pass Filter one by one
	// or to use the index under them; "" if that is not known.
	Expectation string
}

// Take fetches further columns for the rows of its input by row address, keeping order.
type Take struct {
	Input   Node
	Snap    *lancefmt.Snapshot
	Name    string
	RowAddr expr.ColID // uint64 column of the input
	Fetch   []ScanCol
	Out     []Col // any of the input's columns and of Fetch
}

// Filter keeps the rows for which Cond is true.
type Filter struct {
	Input Node
	Cond  expr.Expr
}

// Project computes columns.
type Project struct {
	Input Node
	Exprs []NamedExpr
}

// NamedExpr is an expression with the column it becomes.
type NamedExpr struct {
	Expr expr.Expr
	Col  Col
}

// Aggregate groups by Groups (none: one row always) and computes Aggs. Output: groups, then aggs.
type Aggregate struct {
	Input  Node
	Groups []NamedExpr
	Aggs   []AggCall
}

// AggCall is one aggregate: Name is lower case ("count", "sum", …); count(*) has no Args.
type AggCall struct {
	Name     string
	Args     []expr.Expr
	Distinct bool
	Filter   expr.Expr // FILTER (WHERE …), nil = none
	Col      Col
}

// Distinct drops duplicate rows (NULLs equal each other); On limits the comparison to some columns
// and keeps the first row of each group in input order.
type Distinct struct {
	Input Node
	On    []expr.ColID // nil = all
}

// Sort orders rows; with Limit >= 0 only the first Limit rows are needed (top-k). Stable.
type Sort struct {
	Input Node
	Keys  []SortKey
	Limit expr.Expr // nil = all; constant int64
	// Nearest says that the first key is a distance and the rows wanted are the nearest: rows whose first
	// key is NULL are left out, as a VectorSearch leaves them out.
	Nearest bool
}

// SortKey is one key; NULLs are placed explicitly. NaN sorts above every number.
type SortKey struct {
	Expr       expr.Expr
	Desc       bool
	NullsFirst bool
}

// Limit skips Offset rows and returns Count at most; nil = 0 and unlimited. Constant int64 exprs.
type Limit struct {
	Input         Node
	Count, Offset expr.Expr
}

// Values is literal rows; also the one empty row of a FROM-less SELECT.
type Values struct {
	Out  []Col
	Rows [][]expr.Expr
}

// Records is an in-memory relation made when the plan is built or run: information_schema, SHOW,
// EXPLAIN, system tables. Make returns a batch the caller releases.
type Records struct {
	Name string
	Out  []Col
	Make func() (arrow.RecordBatch, error)
}

// Union concatenates its inputs (UNION ALL); columns correspond by position and have equal types.
type Union struct {
	In  []Node
	Out []Col
}

// Join pairs the rows of its sides for which LeftKeys equal RightKeys and Residual, if there is one, is
// true.
type Join struct {
	Kind                JoinKind
	Left, Right         Node
	LeftKeys, RightKeys []expr.Expr // equi-keys
	Residual            expr.Expr
	Out                 []Col
}

// LateralJoin runs Right once for every row of Left, which Right sees through parameters, and joins what
// comes out with that row. A left join keeps rows of Left for which nothing comes out. Rows come in the
// order of Left. It is what LATERAL becomes where no rewrite knows better.
type LateralJoin struct {
	Kind        JoinKind // InnerJoin or LeftJoin
	Left, Right Node
	Args        []LateralArg
	// Subplans fill their slots for each row of Left, before Right runs.
	Subplans []Subplan
	Out      []Col // of Left, then of Right
}

// LateralArg is a value over the columns of a LateralJoin's left side that its right side reads from a
// parameter slot.
type LateralArg struct {
	Slot int
	Expr expr.Expr
}

func (n *Scan) Columns() []Col         { return n.Out }
func (n *VectorSearch) Columns() []Col { return []Col{n.RowAddr, n.RowID, n.Distance} }
func (n *Take) Columns() []Col         { return n.Out }
func (n *Filter) Columns() []Col       { return n.Input.Columns() }
func (n *Project) Columns() []Col {
	out := make([]Col, len(n.Exprs))
	for i, e := range n.Exprs {
		out[i] = e.Col
	}
	return out
}
func (n *Aggregate) Columns() []Col {
	out := make([]Col, 0, len(n.Groups)+len(n.Aggs))
	for _, g := range n.Groups {
		out = append(out, g.Col)
	}
	for _, a := range n.Aggs {
		out = append(out, a.Col)
	}
	return out
}
func (n *Distinct) Columns() []Col    { return n.Input.Columns() }
func (n *Sort) Columns() []Col        { return n.Input.Columns() }
func (n *Limit) Columns() []Col       { return n.Input.Columns() }
func (n *Values) Columns() []Col      { return n.Out }
func (n *Records) Columns() []Col     { return n.Out }
func (n *Union) Columns() []Col       { return n.Out }
func (n *Join) Columns() []Col        { return n.Out }
func (n *LateralJoin) Columns() []Col { return n.Out }

func (n *Scan) Inputs() []Node         { return nil }
func (n *VectorSearch) Inputs() []Node { return nil }
func (n *Take) Inputs() []Node         { return []Node{n.Input} }
func (n *Filter) Inputs() []Node       { return []Node{n.Input} }
func (n *Project) Inputs() []Node      { return []Node{n.Input} }
func (n *Aggregate) Inputs() []Node    { return []Node{n.Input} }
func (n *Distinct) Inputs() []Node     { return []Node{n.Input} }
func (n *Sort) Inputs() []Node         { return []Node{n.Input} }
func (n *Limit) Inputs() []Node        { return []Node{n.Input} }
func (n *Values) Inputs() []Node       { return nil }
func (n *Records) Inputs() []Node      { return nil }
func (n *Union) Inputs() []Node        { return n.In }
func (n *Join) Inputs() []Node         { return []Node{n.Left, n.Right} }

// Inputs are the two sides, and then the roots of the subplans.
func (n *LateralJoin) Inputs() []Node {
	in := []Node{n.Left, n.Right}
	for _, s := range n.Subplans {
		in = append(in, s.Root)
	}
	return in
}

func (n *Scan) WithInputs([]Node) Node         { return n }
func (n *VectorSearch) WithInputs([]Node) Node { return n }
func (n *Take) WithInputs(in []Node) Node      { c := *n; c.Input = in[0]; return &c }
func (n *Filter) WithInputs(in []Node) Node    { c := *n; c.Input = in[0]; return &c }
func (n *Project) WithInputs(in []Node) Node   { c := *n; c.Input = in[0]; return &c }
func (n *Aggregate) WithInputs(in []Node) Node { c := *n; c.Input = in[0]; return &c }
func (n *Distinct) WithInputs(in []Node) Node  { c := *n; c.Input = in[0]; return &c }
func (n *Sort) WithInputs(in []Node) Node      { c := *n; c.Input = in[0]; return &c }
func (n *Limit) WithInputs(in []Node) Node     { c := *n; c.Input = in[0]; return &c }
func (n *Values) WithInputs([]Node) Node       { return n }
func (n *Records) WithInputs([]Node) Node      { return n }
func (n *Union) WithInputs(in []Node) Node     { c := *n; c.In = in; return &c }
func (n *Join) WithInputs(in []Node) Node      { c := *n; c.Left, c.Right = in[0], in[1]; return &c }
func (n *LateralJoin) WithInputs(in []Node) Node {
	c := *n
	c.Left, c.Right, c.Subplans = in[0], in[1], slices.Clone(n.Subplans)
	for i := range c.Subplans {
		c.Subplans[i].Root = in[2+i]
	}
	return &c
}
