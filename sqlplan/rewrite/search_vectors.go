package rewrite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/settings"
	"lanceflight/vecindex"
)

// searchVectors turns the k nearest rows into a vector search.
//
//	Limit 10                                        Project key, sqrt(_distance)
//	  Sort d                                          Take key
//	    Project key, img_emb <-> $1 AS d      ->        VectorSearch img_emb l2, k = 10, filter: width > 512
//	      LanceScan filter: width > 512
//
// The sort key may wrap the distance in what keeps its order (a cast, sqrt, 1 - d with DESC), and may
// come by alias, from a subquery or from WITH. A bound on the same distance in the filter becomes the
// range of the search. The table's index on the column is used if its metric is that of the distance.
//
// Further sort keys order equal distances: then the search returns its k rows, which are sorted again,
// and only an index is worth it; without one the rows are sorted by the expression itself.
//
// A search finds no row without a distance. Sorts that are like a search and do not become one, such as
// those above a join, are marked to leave such rows out as well: nearest_sort.go.
func (r *rewriter) searchVectors(n plan.Node) (plan.Node, error) {
	var failed error
	out := plan.MapNodes(n, func(n plan.Node) plan.Node {
		if failed != nil {
			return n
		}
		l, ok := n.(*plan.Limit)
		if !ok || l.Count == nil {
			return n
		}
		s, ok := l.Input.(*plan.Sort)
		if !ok || s.Limit != nil {
			return n
		}
		found, err := r.searchVector(l, s)
		if err != nil {
			failed = err
		}
		switch {
		case found != nil:
			return found
		case sortsNearest(s):
			c := *s
			c.Nearest = true
			return l.WithInputs([]plan.Node{&c})
		}
		return n
	})
	return out, failed
}

// nearest is a sort by distance over a scan, taken apart.
type nearest struct {
	top    *plan.Project // what is computed per row, over the scan's columns
	scan   *plan.Scan
	column plan.ScanCol
	call   *expr.Call
	fn     plan.DistanceFn
	query  expr.Expr
}

func (r *rewriter) searchVector(l *plan.Limit, s *plan.Sort) (plan.Node, error) {
	m, ok := matchNearest(s)
	if !ok {
		return nil, nil
	}
	k := addRows(l.Count, l.Offset)
	if k == nil {
		return nil, nil
	}
	opts := m.scan.Search
	if o, ok := r.knobs[m.column.ID]; ok {
		opts = o
	}
	indexes, why, err := r.chooseIndex(m, opts)
	if err != nil {
		return nil, err
	}
	if len(s.Keys) > 1 && len(indexes) == 0 {
		return nil, nil
	}
	node := r.buildSearch(m, opts, k)
	vs := node.search
	vs.Indexes, vs.Why, vs.Quantized = indexes, why, r.quantized(m.scan.Snap, indexes)
	if vs.Filter != nil {
		vs.Why += "; the filter is applied before the search"
	}
	out := node.top
	if len(s.Keys) > 1 {
		out = &plan.Sort{Input: out, Keys: s.Keys}
	}
	if l.Offset == nil {
		return out, nil // the search returns no more rows than that
	}
	return &plan.Limit{Input: out, Count: l.Count, Offset: l.Offset}, nil
}

// matchNearest recognises a sort whose first key is a distance between a vector column of a scan and
// a constant, nearest first.
func matchNearest(s *plan.Sort) (nearest, bool) {
	top, scan, ok := overScan(s.Input)
	if !ok || scan.Limit >= 0 || len(s.Keys) == 0 {
		return nearest{}, false
	}
	call, ok := nearestFirst(s.Keys[0], plan.Substitute(s.Keys[0].Expr, plan.Definitions(top)))
	if !ok {
		return nearest{}, false
	}
	m := nearest{top: top, scan: scan, call: call, fn: plan.DistanceFunctions[call.Name]}
	m.column, m.query, ok = m.operands(call)
	return m, ok
}

// operands splits a distance call into the vector column and the constant.
func (m *nearest) operands(call *expr.Call) (plan.ScanCol, expr.Expr, bool) {
	if len(call.Args) != 2 {
		return plan.ScanCol{}, nil, false
	}
	for i, x := range call.Args {
		col, ok := uncast(x).(*expr.Column) // half and double floats are compared as floats
		other := call.Args[1-i]
		if !ok || len(expr.Columns(other)) > 0 || expr.IsVolatile(other) {
			continue
		}
		if _, isVector := m.fn.RowsDim(col.T); !isVector {
			// Of two lists of vectors the first one holds the rows.
			if _, lists := expr.IsMultivector(col.T); !lists || i == 1 && !isSingle(other) {
				continue
			}
		}
		for _, c := range m.scan.Read {
			if c.ID == col.ID {
				return c, other, true
			}
		}
	}
	return plan.ScanCol{}, nil, false
}

// isSingle says whether a query is one vector.
func isSingle(query expr.Expr) bool {
	_, ok := plan.VectorDim(query.Type())
	return ok
}

// numVectors is the number of vectors of the query, a constant DOUBLE.
func (m *nearest) numVectors() (expr.Expr, error) {
	if m.fn.Metric == vecindex.Hamming || isSingle(m.query) {
		return double(1), nil
	}
	n, err := expr.NewCall("array_length", []expr.Expr{m.query})
	if err != nil {
		return nil, err
	}
	n, err = expr.NewCast(n, arrow.PrimitiveTypes.Float64, false)
	if err != nil {
		return nil, err
	}
	return foldExpr(n), nil
}

// monotone strips from an expression what keeps or reverses the order of a distance, which is never
// negative for l2 and cosine. descending says that larger values are nearer.
func monotone(e expr.Expr) (call *expr.Call, descending, ok bool) {
	switch e := e.(type) {
	case *expr.Call:
		if fn, ok := plan.DistanceFunctions[e.Name]; ok && fn.Name == e.Name {
			return e, false, true
		}
		switch e.Name {
		case "sqrt", "cbrt", "exp", "ln", "log10", "log2":
			if len(e.Args) == 1 {
				call, descending, ok = monotone(e.Args[0])
				// Roots and logarithms of negative numbers are errors or NaN.
				positive := ok && call == uncast(e.Args[0]) && plan.DistanceFunctions[call.Name].Metric != vecindex.Dot
				return call, descending, ok && (positive || e.Name == "exp" || e.Name == "cbrt")
			}
		}
	case *expr.Cast:
		switch e.To.ID() {
		case arrow.FLOAT32, arrow.FLOAT64:
			return monotone(e.X)
		}
	case *expr.Negate:
		call, descending, ok = monotone(e.X)
		return call, !descending, ok
	case *expr.Arith:
		if c, ok := number(e.Y); ok {
			call, descending, ok := monotone(e.X)
			switch e.Op {
			case "+", "-":
				return call, descending, ok
			case "*", "/":
				return call, descending != (c < 0), ok && c != 0
			}
		}
		if c, ok := number(e.X); ok {
			call, descending, ok := monotone(e.Y)
			switch e.Op {
			case "+":
				return call, descending, ok
			case "-":
				return call, !descending, ok
			case "*":
				return call, descending != (c < 0), ok && c != 0
			}
		}
	}
	return nil, false, false
}

// uncast is what stands below a conversion that the binder put in.
func uncast(e expr.Expr) expr.Expr {
	if c, ok := e.(*expr.Cast); ok && c.Implicit {
		return c.X
	}
	return e
}

// number is the value of a numeric constant.
func number(e expr.Expr) (float64, bool) {
	l, ok := uncast(e).(*expr.Literal)
	if !ok {
		return 0, false
	}
	switch v := l.Value.(type) {
	case float64:
		return v, v == v
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case decimal128.Num:
		if t, ok := l.T.(arrow.DecimalType); ok {
			return v.ToFloat64(t.GetScale()), true
		}
	}
	return 0, false
}

// searchNode is a search with what computes the result over it.
type searchNode struct {
	search *plan.VectorSearch
	top    plan.Node
}

// buildSearch makes VectorSearch, Take and Project of a match.
func (r *rewriter) buildSearch(m nearest, opts settings.SearchOptions, k expr.Expr) searchNode {
	vs := &plan.VectorSearch{
		Selection: plan.Selection{Snap: m.scan.Snap, Name: m.scan.Name, Selectivity: -1},
		Column:    m.column.Source, Metric: m.fn.Metric, Query: m.query, K: k, Options: opts,
	}
	dist := r.newCol("_distance", arrow.PrimitiveTypes.Float32, false)
	vs.Distance = dist
	// The scan's own columns for row id and address, so that expressions that read them still do.
	id, _ := findSource(m.scan, plan.RowIDColumn)
	addr, _ := findSource(m.scan, plan.RowAddrColumn)
	vs.RowID, vs.RowAddr = id.Col, addr.Col

	var rest []expr.Expr
	for _, c := range expr.Conjuncts(m.scan.Filter) {
		bound, exclusive, ok := m.upperBound(c)
		switch {
		case !ok:
			rest = append(rest, c)
			continue
		case vs.Within != nil:
			have, known1 := number(vs.Within)
			this, known2 := number(bound)
			if !known1 || !known2 {
				rest = append(rest, c) // which one is stricter shows at run time
				continue
			}
			if this > have || this == have && vs.WithinExclusive {
				continue // the other bound is the stricter one
			}
		}
		vs.Within, vs.WithinExclusive = bound, exclusive
	}
	vs.Filter = expr.Conjoin(rest)
	inFilter := idSet(expr.Columns(vs.Filter))
	for _, c := range m.scan.Read {
		if inFilter[c.ID] {
			vs.Read = append(vs.Read, c)
		}
	}

	top := &plan.Project{Exprs: make([]plan.NamedExpr, len(m.top.Exprs))}
	for i, e := range m.top.Exprs {
		top.Exprs[i] = plan.NamedExpr{Expr: m.useDistance(e.Expr, dist), Col: e.Col}
	}
	needed := idSet(expr.Columns(exprsOf(top)...))
	take := &plan.Take{Input: vs, Snap: vs.Snap, Name: vs.Name, RowAddr: addr.ID}
	for _, c := range vs.Columns() {
		if needed[c.ID] {
			take.Out = append(take.Out, c)
		}
	}
	for _, c := range m.scan.Read {
		if needed[c.ID] && !plan.IsSystem(c.Source) {
			take.Fetch = append(take.Fetch, c)
			take.Out = append(take.Out, c.Col)
		}
	}
	top.Input = take
	if len(take.Fetch) == 0 {
		top.Input = vs
	}
	return searchNode{search: vs, top: top}
}

// useDistance replaces calls of the distance, and of the other function of its metric, by what the
// search returns.
func (m *nearest) useDistance(e expr.Expr, dist plan.Col) expr.Expr {
	return expr.Rewrite(e, func(x expr.Expr) expr.Expr {
		c, ok := x.(*expr.Call)
		if !ok {
			return x
		}
		fn, ok := plan.DistanceFunctions[c.Name]
		if !ok || fn.Metric != m.fn.Metric || len(c.Args) != 2 {
			return x
		}
		col, query, ok := m.operands(c)
		if !ok || col.ID != m.column.ID || !expr.Equal(query, m.query) {
			return x
		}
		v, err := m.sqlDistance(fn, dist, c.T)
		if err != nil {
			return x
		}
		return v
	})
}

// sqlDistance computes the SQL value of a distance function from Lance's _distance: the root for l2
// (Lance has the square), the same for cosine, one less for the negative inner product; of a query of several
// vectors, as many less.
func (m *nearest) sqlDistance(fn plan.DistanceFn, dist plan.Col, t arrow.DataType) (expr.Expr, error) {
	if fn == plan.CosineDistance {
		return expr.NewCast(plan.Ref(dist), t, false)
	}
	raw, err := expr.NewCast(plan.Ref(dist), arrow.PrimitiveTypes.Float64, false)
	if err != nil {
		return nil, err
	}
	n, err := m.numVectors()
	if err != nil {
		return nil, err
	}
	switch {
	case fn.Metric == vecindex.L2:
		raw, err = expr.NewCall("sqrt", []expr.Expr{raw})
	case fn.Negated:
		raw, err = expr.NewArith("-", n, raw)
	case fn.Metric == vecindex.Dot:
		raw, err = expr.NewArith("-", raw, n)
	}
	if err != nil || arrow.TypeEqual(raw.Type(), t) {
		return raw, err
	}
	return expr.NewCast(raw, t, false)
}

// upperBound reads distance < 0.5, $2 > distance, 1 - distance > 0.5 and the like over the distance
// that is searched by, as a bound on Lance's _distance: a constant DOUBLE.
func (m *nearest) upperBound(e expr.Expr) (bound expr.Expr, exclusive, ok bool) {
	c, isCompare := e.(*expr.Compare)
	if !isCompare {
		return nil, false, false
	}
	x, v, op := c.X, c.Y, c.Op
	if len(expr.Columns(v)) > 0 {
		x, v, op = c.Y, c.X, flipped[op]
	}
	if len(expr.Columns(v)) > 0 || expr.IsVolatile(v) || flipped[op] == "" {
		return nil, false, false
	}
	v, err := expr.NewCast(uncast(v), arrow.PrimitiveTypes.Float64, false)
	// Undo what stands around the call, from the outside in.
	for err == nil {
		switch y := x.(type) {
		case *expr.Cast:
			if !y.Implicit || y.To.ID() != arrow.FLOAT64 {
				return nil, false, false
			}
			x = y.X
			continue
		case *expr.Negate:
			x, op = y.X, flipped[op]
			v, err = expr.NewNegate(v)
			continue
		case *expr.Arith:
			if y.T.ID() != arrow.FLOAT64 && y.T.ID() != arrow.FLOAT32 {
				return nil, false, false
			}
			if k, ok := number(y.Y); ok && (y.Op == "+" || y.Op == "-") {
				x = y.X
				v, err = expr.NewArith(map[string]string{"+": "-", "-": "+"}[y.Op], v, double(k))
				continue
			}
			if k, ok := number(y.X); ok && y.Op == "-" {
				x, op = y.Y, flipped[op]
				v, err = expr.NewArith("-", double(k), v)
				continue
			}
			return nil, false, false
		case *expr.Call:
			fn, isDistance := plan.DistanceFunctions[y.Name]
			if !isDistance || fn.Metric != m.fn.Metric {
				return nil, false, false
			}
			col, query, ok := m.operands(y)
			if !ok || col.ID != m.column.ID || !expr.Equal(query, m.query) {
				return nil, false, false
			}
			if fn.Negated {
				op = flipped[op]
			}
			if v, err = m.lanceBound(fn, v); err != nil {
				return nil, false, false
			}
			return foldExpr(v), op == "<", op == "<" || op == "<="
		}
		return nil, false, false
	}
	return nil, false, false
}

var flipped = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}

func double(v float64) expr.Expr { return expr.NewLiteral(v, arrow.PrimitiveTypes.Float64) }

// lanceBound turns a bound on the SQL value into one on Lance's _distance.
func (m *nearest) lanceBound(fn plan.DistanceFn, v expr.Expr) (expr.Expr, error) {
	n, err := m.numVectors()
	if err != nil {
		return nil, err
	}
	switch {
	case fn.Negated: // 1 - cos and 1 - a·b, where SQL has cos and a·b
		return expr.NewArith("-", n, v)
	case fn.Metric == vecindex.Dot:
		return expr.NewArith("+", v, n)
	case fn.Metric == vecindex.L2: // the square, but a negative bound stays below every distance
		size, err := expr.NewCall("abs", []expr.Expr{v})
		if err != nil {
			return nil, err
		}
		return expr.NewArith("*", v, size)
	}
	return v, nil
}

// chooseIndex finds the index to search with, and says in words why it is or is not used.
func (r *rewriter) chooseIndex(m nearest, opts settings.SearchOptions) (segments []*lancefmt.Index, why string, err error) {
	if !opts.UseIndex {
		return nil, "exact search: use_index is false", nil
	}
	if opts.MinRecall == 1 {
		return nil, "exact search: min_recall is 1", nil
	}
	if r.env.Indexes == nil {
		return nil, "exact search: indices are not opened here", nil
	}
	var others []string
	var names []string
	byName := map[string][]*lancefmt.Index{}
	for _, x := range m.scan.Snap.Indexes() {
		if len(x.Fields) != 1 || x.Fields[0] != m.column.Source || !plan.IsVectorIndex(x) {
			continue
		}
		if byName[x.Name] == nil {
			names = append(names, x.Name)
		}
		byName[x.Name] = append(byName[x.Name], x)
	}
	slices.Sort(names)
	var unread error
	for _, name := range names {
		x, metric, err := r.firstReadable(m.scan.Snap, byName[name])
		if err != nil {
			if r.ctx.Err() != nil {
				return nil, "", err
			}
			// An index that cannot be read costs speed, not the answer.
			others = append(others, fmt.Sprintf("%s cannot be read (%v)", name, err))
			unread = plan.UnusableIndex(x, err)
			continue
		}
		if metric != m.fn.Metric {
			others = append(others, fmt.Sprintf("%s is for %s", name, metric))
			continue
		}
		return byName[name], fmt.Sprintf("index %s (%s) is on %s with metric %s", name, x.Kind, m.column.Source, metric), nil
	}
	if unread != nil && opts.MustUse {
		return nil, "", unread
	}
	if len(others) == 0 {
		return nil, fmt.Sprintf("exact search: no vector index on %s", m.column.Source), nil
	}
	return nil, fmt.Sprintf("exact search: no index on %s for %s: %s", m.column.Source, m.fn.Metric, strings.Join(others, ", ")), nil
}

// quantized reports whether one of an index's segments has estimates of distances. A segment that cannot be
// read is left out of the search, so it has none.
func (r *rewriter) quantized(snap *lancefmt.Snapshot, segments []*lancefmt.Index) bool {
	return slices.ContainsFunc(segments, func(x *lancefmt.Index) bool {
		q, err := r.env.Indexes.Quantized(r.ctx, snap, x)
		return err == nil && q
	})
}

// firstReadable is the first of an index's segments that can be opened, and its metric; the execution does
// without the others. If there is none, it is the first segment, and the error is why that cannot be read.
func (r *rewriter) firstReadable(snap *lancefmt.Snapshot, segments []*lancefmt.Index) (*lancefmt.Index, vecindex.Metric, error) {
	var first error
	for _, x := range segments {
		metric, err := r.env.Indexes.Metric(r.ctx, snap, x)
		if err == nil || r.ctx.Err() != nil {
			return x, metric, err
		}
		if first == nil {
			first = err
		}
	}
	return segments[0], 0, first
}
