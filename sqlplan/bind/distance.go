package bind

import (
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
	"lanceflight/vecindex"
)

// vectorType is the type of query vectors.
func vectorType(dim int) arrow.DataType {
	return arrow.FixedSizeListOf(int32(dim), arrow.PrimitiveTypes.Float32)
}

// distance binds a distance operator or function. One side tells the dimension; a literal, a text or
// a parameter on the other side is a vector of that dimension.
func (b *binder) distance(d plan.DistanceFn, args []parse.Expr, c exprCtx, pos parse.Pos) (expr.Expr, error) {
	if len(args) < 2 || len(args) > 3 {
		return nil, invalid(pos, "%s takes two vectors and an optional string of options, got %d arguments", d.Name, len(args))
	}
	xs := make([]expr.Expr, 2)
	dim, lists := -1, false
	for i := range xs {
		switch a := args[i].(type) {
		case *parse.Vector, *parse.String, *parse.Param:
			continue // once the dimension is known
		case *parse.Array:
			if _, ok := vectorsOfArray(a); ok {
				continue
			}
		}
		x, err := b.expr(args[i], c)
		if err != nil {
			return nil, err
		}
		xs[i] = x
		n, ok := d.RowsDim(x.Type())
		if many, isList := expr.IsMultivector(x.Type()); isList {
			n, ok, lists = many, true, true
		}
		if !ok {
			continue
		}
		if dim >= 0 && n != dim {
			return nil, invalid(pos, "%s compares vectors of %d and %d dimensions", d.Name, dim, n)
		}
		dim = n
	}
	for i := range xs {
		if v, ok := args[i].(*parse.Vector); ok && dim < 0 {
			dim = len(v.Values)
		}
	}
	for i := range xs {
		if xs[i] != nil {
			continue
		}
		if dim < 0 {
			if xs[1-i] != nil {
				// A list column has no dimension; the function compares the lengths row by row.
				x, err := b.expr(args[i], c)
				if err != nil {
					return nil, err
				}
				xs[i] = x
				continue
			}
			if p, ok := args[i].(*parse.Param); ok {
				x, err := b.param(p)
				if err != nil {
					return nil, err
				}
				if xs[i], err = expr.GuessType(x, arrow.ListOf(arrow.PrimitiveTypes.Float64)); err != nil {
					return nil, err
				}
				continue
			}
			return nil, invalid(pos, "%s cannot tell the dimension of its vectors: cast one of them, such as %s::FLOAT[768]",
				d.Name, outputName(args[i]))
		}
		var x expr.Expr
		var err error
		if p, ok := args[i].(*parse.Param); ok && d.Metric == vecindex.Hamming {
			if x, err = b.param(p); err == nil {
				x = expr.WithParamType(x, arrow.FixedSizeListOf(int32(dim), arrow.PrimitiveTypes.Uint8))
			}
		} else {
			x, err = b.queryVectors(args[i], dim, lists, c)
		}
		if err != nil {
			return nil, err
		}
		xs[i] = x
	}
	if lists && len(expr.Columns(xs[0])) == 0 && len(expr.Columns(xs[1])) > 0 {
		xs[0], xs[1] = xs[1], xs[0] // of two lists of vectors the second one is the query, and a constant always is
	}
	if len(args) == 3 {
		if err := b.distanceOptions(args[2], xs); err != nil {
			return nil, err
		}
	}
	x, err := expr.NewCall(d.Name, xs)
	return x, place(err, pos)
}

// vectorsOfArray are the items of a list of plain vectors.
func vectorsOfArray(a *parse.Array) (vectors []*parse.Vector, ok bool) {
	for _, item := range a.Items {
		v, ok := item.(*parse.Vector)
		if !ok {
			return nil, false
		}
		vectors = append(vectors, v)
	}
	return vectors, len(vectors) > 0
}

// queryVectors binds what stands for one vector or, beside lists of vectors, also for several.
func (b *binder) queryVectors(e parse.Expr, dim int, lists bool, c exprCtx) (expr.Expr, error) {
	if !lists {
		if _, ok := e.(*parse.Array); ok {
			return b.expr(e, c) // its type tells what is wrong
		}
		x, _, err := b.vectorText(e, dim, c)
		return x, err
	}
	switch e := e.(type) {
	case *parse.Vector:
		if len(e.Values) == 0 {
			return nil, invalid(e.Pos, "the query has no vectors; at least one is needed")
		}
	case *parse.Array:
		vectors, _ := vectorsOfArray(e)
		values := make([][]float32, len(vectors))
		for i, v := range vectors {
			x, _, err := b.vectorText(v, dim, c)
			if err != nil {
				return nil, err
			}
			values[i] = x.(*expr.Literal).Value.([]float32)
		}
		return expr.MultivectorLiteral(values), nil
	case *parse.String:
		values, err := expr.VectorsOf(expr.Literal{Value: e.Value, T: arrow.BinaryTypes.String}, dim)
		if err != nil {
			return nil, place(err, e.Pos)
		}
		return expr.MultivectorLiteral(values), nil
	case *parse.Param:
		x, err := b.param(e)
		if err != nil {
			return nil, err
		}
		return expr.WithParamType(x, arrow.ListOf(vectorType(dim))), nil
	}
	x, _, err := b.vectorText(e, dim, c)
	return x, err
}

// vectorText binds what stands for a vector of a known dimension without having its type: a list of
// numbers, a text, or a parameter. ok is false for other expressions.
func (b *binder) vectorText(e parse.Expr, dim int, c exprCtx) (x expr.Expr, ok bool, err error) {
	switch e := e.(type) {
	case *parse.Vector:
		if len(e.Values) != dim {
			return nil, true, invalid(e.Pos, "the vector has %d dimensions, %d are needed here", len(e.Values), dim)
		}
		values := make([]float32, dim)
		for i, v := range e.Values {
			if values[i] = float32(v); math.IsInf(float64(values[i]), 0) {
				return nil, true, invalid(e.Pos, "item %d of the vector, %s, is out of the range of FLOAT", i+1, strconv.FormatFloat(v, 'g', -1, 64))
			}
		}
		return expr.NewLiteral(values, vectorType(dim)), true, nil
	case *parse.String:
		values, err := expr.VectorOf(expr.Literal{Value: e.Value, T: arrow.BinaryTypes.String}, dim)
		if err != nil {
			return nil, true, place(err, e.Pos)
		}
		return expr.NewLiteral(values, vectorType(dim)), true, nil
	case *parse.Param:
		x, err := b.param(e)
		if err != nil {
			return nil, true, err
		}
		if x.Type().ID() == arrow.NULL {
			return expr.WithParamType(x, vectorType(dim)), true, nil
		}
		return x, true, nil
	}
	return nil, false, nil
}

// distanceOptions reads the third argument of a distance function. It holds for searches of the
// column that the function reads.
func (b *binder) distanceOptions(arg parse.Expr, xs []expr.Expr) error {
	s, ok := arg.(*parse.String)
	if !ok {
		return invalid(arg.Position(), "the options of a distance function are a text literal such as 'nprobes=20, refine_factor=10'")
	}
	o := *b.hints
	if err := o.Parse(s.Value); err != nil {
		return place(err, s.Pos)
	}
	for _, x := range xs {
		for _, id := range expr.Columns(x) {
			b.search[id] = o
		}
	}
	return nil
}

// numberExpr writes a value of a vector literal back as the number it was.
func numberExpr(v float64, pos parse.Pos) parse.Expr {
	n := &parse.Number{Text: strconv.FormatFloat(math.Abs(v), 'f', -1, 64), Pos: pos}
	if v < 0 {
		return &parse.Unary{Op: "-", X: n, Pos: pos}
	}
	return n
}
