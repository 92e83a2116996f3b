package fn

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/value"
	"lanceflight/vecindex/distance"
)

// Distances between lists of vectors, Lance's multivectors: Σ over the query's vectors of the distance of the row's vector that is
// nearest to it. The first operand holds the rows and the second one the query; a single vector is a query of one, on either side.
// Values are FLOAT, and made of Lance's sum so that one vector against a list of one is what vectors alone have:
//
//	l2_distance             √Σ min |q − v|²
//	cosine_distance          Σ min 1 − cos(q, v)
//	cosine_similarity        Σ max cos(q, v)
//	inner_product            Σ max q·v, which late interaction calls max-sim
//	negative_inner_product   its negative

// lanceMetric is the metric whose sum a distance function is made of.
var lanceMetric = map[string]distance.Metric{
	"l2_distance": distance.L2, "cosine_distance": distance.Cosine, "cosine_similarity": distance.Cosine,
	"inner_product": distance.Dot, "negative_inner_product": distance.Dot,
}

// multivectorPair makes the operands of a distance agree in type, if one of them is a list of vectors; ok false if none is.
func multivectorPair(args []expr.Expr) (conv []expr.Expr, t arrow.DataType, ok bool, err error) {
	x, y := args[0], args[1]
	manyX, manyY := expr.ListOfLists(x), expr.ListOfLists(y)
	if !manyX && !manyY {
		return nil, nil, false, nil
	}
	rows, query := 0, 1
	if !manyX {
		rows, query = 1, 0 // the single vector is the query
	}
	conv = append(conv, args...)
	dim, ok := expr.IsMultivector(value.PlainType(args[rows].Type()))
	if l, isConst := args[rows].(*expr.Literal); !ok && isConst && l.Value != nil {
		c, err := expr.CastLiteral(*l, arrow.ListOf(arrow.ListOf(value.TypeFloat32)))
		if err != nil {
			return nil, nil, true, err
		}
		if vs := c.Value.([]any); len(vs) > 0 {
			if first, isList := vs[0].([]any); isList {
				dim, ok = len(first), true
			}
		}
		if c, err = expr.CastLiteral(c, expr.MultivectorType(dim)); err != nil {
			return nil, nil, true, err
		}
		conv[rows] = &c
	}
	switch {
	case !ok:
		return nil, nil, true, fault.New(
			fault.InvalidArgument,
			"%s is %s; distances of lists of vectors need vectors of one dimension, such as FLOAT[128][]",
			expr.ShortText(args[rows]),
			value.TypeName(args[rows].Type()),
		)
	case manyX != manyY && typedVector(args[query]) && len(expr.Columns(args[query])) > 0 && len(expr.Columns(args[rows])) == 0:
		return nil, nil, true, fault.New(
			fault.InvalidArgument,
			"%s is a single vector in each row, and cannot be compared with a list of vectors",
			expr.ShortText(args[query]),
		)
	}
	if conv[rows].Type() != value.PlainType(conv[rows].Type()) {
		conv[rows] = expr.ImplicitCast(conv[rows], value.PlainType(conv[rows].Type()))
	}
	want := expr.MultivectorType(dim)
	switch q := args[query].(type) {
	case *expr.Literal:
		if q.Value == nil {
			conv[query] = expr.NewLiteral(nil, want)
			break
		}
		vectors, err := expr.VectorsOf(*q, dim)
		if err != nil {
			return nil, nil, true, err
		}
		if conv[query] = expr.MultivectorLiteral(vectors); len(vectors) == 1 && !expr.ListOfLists(q) {
			conv[query] = expr.NewLiteral(vectors[0], arrow.FixedSizeListOf(int32(dim), value.TypeFloat32))
		}
	default:
		t := value.PlainType(q.Type())
		d, fixed := value.IsVector(t)
		if many, ok := expr.IsMultivector(t); ok {
			d, fixed = many, true
		}
		if fixed && d != dim {
			return nil, nil, true, fault.New(fault.InvalidArgument, "%s has vectors of %d dimensions, but %s has %d",
				expr.ShortText(args[rows]), dim, expr.ShortText(q), d)
		}
		if !expr.Undecided(q) && !expr.ListOfLists(q) && value.KindOf(t) != value.KindText { // a text whose value is not known yet is of lists
			want = arrow.FixedSizeListOf(int32(dim), value.TypeFloat32)
		}
		if !sameItems(t, want) {
			conv[query] = expr.ImplicitCast(q, want)
		}
	}
	return conv, value.TypeFloat32, true, nil
}

// sameItems says whether a is b but for the names of its items, and a list that may be a large one.
func sameItems(a, b arrow.DataType) bool {
	if value.KindOf(a) != value.KindList || value.KindOf(b) != value.KindList ||
		(a.ID() == arrow.FIXED_SIZE_LIST) != (b.ID() == arrow.FIXED_SIZE_LIST) {
		return a.ID() == b.ID()
	}
	if f, ok := a.(*arrow.FixedSizeListType); ok && f.Len() != b.(*arrow.FixedSizeListType).Len() {
		return false
	}
	return sameItems(value.ElemOf(a), value.ElemOf(b))
}

// runMulti computes the distances of lists of vectors.
func runMulti(c *value.KernelCall, name string) (arrow.Array, error) {
	rows, query := c.Args[0], c.Args[1]
	if _, ok := expr.IsMultivector(rows.Arr.DataType()); !ok {
		rows, query = query, rows
	}
	m, err := distance.NewMultivectors(rows.Arr)
	if err != nil {
		return nil, err
	}
	buf, out := value.NewFixed[float32](c.Mem(), c.N)
	if err := multiInto(c, name, out, m, rows, query); err != nil {
		buf.Release()
		return nil, err
	}
	return c.Finish(buf), nil
}

func multiInto(c *value.KernelCall, name string, out []float32, m *distance.Multivectors, rows, query value.Vec) error {
	metric := lanceMetric[name]
	var q *distance.MultiQuery
	var s *distance.MaxSim
	for i := 0; i < len(out); {
		out[i] = 0
		if c.Null(i) || m.RowLen(rows.Source(i)) == 0 {
			if !c.Null(i) {
				c.SetNull(i)
			}
			i++
			continue
		}
		if q == nil || !query.Scalar {
			vectors, err := queryVectors(query, i)
			if err != nil {
				return err
			}
			if len(vectors) == 0 {
				if query.Scalar {
					return expr.NoVectors()
				}
				c.SetNull(i)
				i++
				continue
			}
			if q, err = distance.NewMultiQuery(metric, vectors); err != nil {
				return err
			}
			s = distance.NewMaxSim(q)
		}
		// Rows that lie one after the other are compared together.
		first, n := rows.Source(i), 1
		for query.Scalar && !rows.Scalar && i+n < len(out) && rows.Source(i+n) == first+n && !c.Null(i+n) && m.RowLen(first+n) > 0 {
			n++
		}
		if err := s.Distances(out[i:i+n], m, first); err != nil {
			return err
		}
		for j := i; j < i+n; j++ {
			setDistance(c, out, j, sqlValue(name, out[j], float32(q.Len())))
		}
		i += n
	}
	return nil
}

// sqlValue makes a function's value of Lance's sum over n query vectors.
func sqlValue(name string, d, n float32) float32 {
	switch name {
	case "l2_distance":
		return float32(math.Sqrt(float64(d)))
	case "cosine_similarity", "inner_product":
		return n - d
	case "negative_inner_product":
		return d - n
	}
	return d
}

// queryVectors are the vectors of the query of row i, which is a list of them, or one. A vector with a NULL is an error.
func queryVectors(query value.Vec, i int) ([][]float32, error) {
	v, err := value.ValueAt(query.Arr, query.Source(i))
	if err != nil || v == nil {
		return nil, err
	}
	l := expr.Literal{Value: v, T: query.Arr.DataType()}
	if items, ok := v.([]any); ok && len(items) == 0 {
		return nil, nil
	}
	dim, ok := expr.IsMultivector(l.T)
	if !ok {
		dim, _ = value.IsVector(l.T)
	}
	return expr.VectorsOf(l, dim)
}
