package plan

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
)

// Accuracy says what a column of a result is worth if it is a distance.
type Accuracy string

const (
	NoDistance Accuracy = ""         // the column is not a distance
	Exact      Accuracy = "exact"    // distances of the vectors themselves
	Estimate   Accuracy = "estimate" // some may be a quantizer's estimates
)

// DistanceColumns says which columns of a bound query are distances: a call of a distance function, or a number that is computed from
// distances and constants alone, such as a similarity, wherever below the root that is done.
//
// It has to be asked before the rewrites, which fold distances of constants and replace others by what a search returns. columns are in
// the order of q.Root.Columns(), which the rewrites keep.
func DistanceColumns(q *Query) (columns []bool) {
	f := flow{cols: map[expr.ColID]bool{}, slots: map[int]bool{}, whole: true}
	f.reads = f.isDistance
	return f.query(q)
}

// EstimatedColumns says which columns of a rewritten query are computed from estimated distances, see VectorSearch.Estimated.
func EstimatedColumns(q *Query) (columns []bool) {
	f := flow{cols: map[expr.ColID]bool{}, slots: map[int]bool{}}
	f.reads = f.readsMarked
	return f.query(q)
}

// flow follows marked values from where they arise up to the root of a plan.
type flow struct {
	cols  map[expr.ColID]bool
	slots map[int]bool // of subqueries and of lateral joins
	// reads decides whether the value of an expression is marked, given the columns and slots that are.
	reads func(expr.Expr) bool
	// whole: what several expressions contribute to is marked if all of them are; else if one is.
	whole bool
}

func (f *flow) query(q *Query) []bool {
	f.subplans(q.Subplans)
	f.node(q.Root)
	cols := q.Root.Columns()
	out := make([]bool, len(cols))
	for i, c := range cols {
		out[i] = f.cols[c.ID]
	}
	return out
}

func (f *flow) subplans(all []Subplan) {
	for _, s := range all {
		f.node(s.Root)
		if cols := s.Root.Columns(); len(cols) == 1 && f.cols[cols[0].ID] {
			f.slots[s.Slot] = true
		}
	}
}

// node marks the columns that arise in a node and below it.
func (f *flow) node(n Node) {
	if l, ok := n.(*LateralJoin); ok {
		f.node(l.Left)
		for _, a := range l.Args {
			if f.reads(a.Expr) {
				f.slots[a.Slot] = true
			}
		}
		f.subplans(l.Subplans)
		f.node(l.Right)
		return
	}
	for _, in := range n.Inputs() {
		f.node(in)
	}
	switch n := n.(type) {
	case *VectorSearch:
		if !f.whole && n.Estimated() {
			f.cols[n.Distance.ID] = true
		}
	case *Project:
		f.named(n.Exprs)
	case *Aggregate:
		f.named(n.Groups)
		for _, a := range n.Aggs {
			if len(a.Args) > 0 && (!f.whole || isFraction(a.Col.Type)) && f.combined(len(a.Args), func(i int) bool { return f.reads(a.Args[i]) }) {
				f.cols[a.Col.ID] = true
			}
		}
	case *Values:
		for i, c := range n.Out {
			if f.combined(len(n.Rows), func(row int) bool { return f.reads(n.Rows[row][i]) }) {
				f.cols[c.ID] = true
			}
		}
	case *Union:
		for i, c := range n.Out {
			if f.combined(len(n.In), func(in int) bool { return f.cols[n.In[in].Columns()[i].ID] }) {
				f.cols[c.ID] = true
			}
		}
	}
}

func (f *flow) named(exprs []NamedExpr) {
	for _, e := range exprs {
		if f.reads(e.Expr) {
			f.cols[e.Col.ID] = true
		}
	}
}

// combined tells of n contributions whether all of them are marked, or one of them.
func (f *flow) combined(n int, marked func(i int) bool) bool {
	for i := range n {
		if marked(i) != f.whole {
			return !f.whole
		}
	}
	return f.whole && n > 0
}

// isDistance reports whether e is a fraction that is computed from distances and constants alone.
func (f *flow) isDistance(e expr.Expr) bool {
	if !isFraction(e.Type()) {
		return false
	}
	found, other := false, false
	expr.Walk(e, func(x expr.Expr) bool {
		switch x := x.(type) {
		case *expr.Call:
			if fn, ok := DistanceFunctions[x.Name]; ok && fn.Name == x.Name {
				found = true
				return false
			}
		case *expr.Column:
			if f.cols[x.ID] {
				found = true
			} else {
				other = true
			}
		case *expr.Param:
			found = found || f.slots[x.Slot]
		}
		return !other
	})
	return found && !other
}

// readsMarked reports whether e reads something that is marked.
func (f *flow) readsMarked(e expr.Expr) bool {
	found := false
	expr.Walk(e, func(x expr.Expr) bool {
		switch x := x.(type) {
		case *expr.Column:
			found = found || f.cols[x.ID]
		case *expr.Param:
			found = found || f.slots[x.Slot]
		}
		return !found
	})
	return found
}

// isFraction reports whether values of a type are numbers with digits behind the point.
func isFraction(t arrow.DataType) bool {
	switch t.ID() {
	case arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64, arrow.DECIMAL32, arrow.DECIMAL64, arrow.DECIMAL128, arrow.DECIMAL256:
		return true
	}
	return false
}

// Estimated reports whether distances of the search may be estimates: those of an index that keeps codes of the vectors, where no refine
// factor has candidates compared with the vectors themselves. Beside rows that no index covers they are refined in any case, because
// estimates cannot be merged with exact distances. A search that turns out to compare rows one by one, because few of them pass the
// filter, has exact distances all the same.
func (n *VectorSearch) Estimated() bool {
	if len(n.Indexes) == 0 || !n.Quantized && !n.comparesLists() {
		return false
	}
	if n.Options.MinRecall > 0 && n.Calibrated == nil || n.Options.RefineFactor > 0 {
		return false // of a quantizer, min_recall chooses a refine factor
	}
	return n.Options.FastSearch || n.coversAll()
}

// coversAll reports whether every fragment has a segment of the index.
func (n *VectorSearch) coversAll() bool {
	for _, f := range n.Snap.Fragments() {
		covered := false
		for _, x := range n.Indexes {
			covered = covered || x.Fragments != nil && x.Fragments.Contains(f.ID())
		}
		if !covered {
			return false
		}
	}
	return true
}
