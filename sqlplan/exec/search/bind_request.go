package search

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
	"lanceflight/vecindex/distance"
)

// NewRequest makes the request of a plan node, but for what is constant only within an execution: k and the query, see bindSearch.
func NewRequest(n *plan.VectorSearch) (Request, error) {
	r := Request{Selection: n.Selection, column: n.Column, metric: n.Metric, indexes: n.Indexes, Options: n.Options}
	r.calibrated = n.Calibrated != nil
	r.columns = searchColumns{vector: n.Distance.ID, rowID: n.RowID.ID, rowAddr: n.RowAddr.ID}
	i := n.Snap.Schema().FieldIndices(n.Column)
	if len(i) != 1 {
		return r, fault.New(fault.Unsupported, "vector search over column %q, which is not a column of the table itself", n.Column)
	}
	r.field = n.Snap.Schema().Field(i[0])
	t, ok := r.field.Type.(*arrow.FixedSizeListType)
	switch dim, lists := distance.MultivectorDim(r.field.Type); {
	case lists:
		r.dim, r.lists = dim, true
	case ok:
		r.dim = int(t.Len())
	default:
		return r, fault.New(fault.Unsupported, "vector search over column %q of type %s; a fixed-size list of numbers is needed",
			n.Column, r.field.Type)
	}
	return r, nil
}

// bindSearch evaluates what an execution searches for: the number of rows and one query, with its range.
func bindSearch(r *Request, n *plan.VectorSearch, env *op.Env) (k int, q Query, err error) {
	rows, err := op.ConstInt(n.K, env, 0, "the number of rows of a vector search")
	if err != nil {
		return 0, q, err
	}
	k = int(min(rows, n.Snap.NumRows()))
	if q, err = bindQuery(r, n, env); err != nil {
		return 0, q, err
	}
	if n.Within != nil {
		q.Upper, err = bindBound(n, env)
	}
	return k, q, err
}

// bindQuery evaluates the query of a search, without its range.
func bindQuery(r *Request, n *plan.VectorSearch, env *op.Env) (q Query, err error) {
	l, err := expr.ConstValue(n.Query, env.Params)
	if err != nil {
		return q, err
	}
	if l.Value == nil {
		if _, ok := n.Query.(*expr.Literal); ok {
			return q, fault.New(fault.InvalidArgument, "the query vector is NULL")
		}
		return q, fault.New(fault.InvalidArgument,
			"the query vector is NULL: the parameter is NULL, or the subquery for it returned no row or a NULL vector")
	}
	if r.lists {
		vectors, err := expr.VectorsOf(l, r.dim)
		if err != nil {
			return q, err
		}
		return r.NewSearchQuery(vectors)
	}
	vector, err := expr.VectorOf(l, r.dim)
	if err != nil {
		return q, err
	}
	if len(vector) != r.dim {
		return q, fault.New(fault.InvalidArgument, "the query vector has %d dimensions, but column %q has %d", len(vector), r.column, r.dim)
	}
	return r.NewSearchQuery([][]float32{vector})
}

// bindBound turns the bound of a range search, any number, into the float32 below which distances qualify.
func bindBound(n *plan.VectorSearch, env *op.Env) (*float32, error) {
	l, err := expr.ConstValue(n.Within, env.Params)
	if err != nil {
		return nil, err
	}
	var w float64
	switch x := l.Value.(type) {
	case nil:
		w = math.Inf(-1) // distance < NULL is never true
	case float64:
		w = x
	case int64:
		w = float64(x)
	case uint64:
		w = float64(x)
	default:
		return nil, fault.New(fault.InvalidArgument, "the bound of a distance must be a number, got %v", l.Value)
	}
	u := UpperBound(w, n.WithinExclusive)
	return &u, nil
}

// UpperBound is the smallest float32 u for which d < u is false for every float32 d that fails
// d <= w (or d < w).
func UpperBound(w float64, exclusive bool) float32 {
	if w != w { // NaN is greater than every distance
		return float32(math.Inf(1))
	}
	u := float32(w)
	inf := float32(math.Inf(1))
	if exclusive {
		if float64(u) < w {
			u = math.Nextafter32(u, inf)
		}
		return u
	}
	if float64(u) <= w {
		u = math.Nextafter32(u, inf)
	}
	return u
}
