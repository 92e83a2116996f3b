package fn

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/value"
	"lanceflight/vecindex/distance"
)

// hamming_distance counts the bits in which two vectors of bytes differ, as FLOAT, which is what an index search over the same rows
// yields. A vector with a NULL element has no distance: NULL.

func init() {
	expr.Register(&expr.Function{
		Name: "hamming_distance", Category: "vector", Volatility: expr.Immutable, Cost: expr.CostHeavy, Fails: expr.FailsNever,
		Args: []expr.ArgClass{expr.VectorArg, expr.VectorArg, expr.TextArg}, Required: 2,
		Result: bytesPair, Kernel: expr.PlainKernel(hammingRows),
	})
}

// bytesPair makes both vectors those of bytes: one side tells the dimension, the other may be any numbers that are bytes.
func bytesPair(args []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	dim := -1
	for _, x := range args[:2] {
		n, ok := expr.BytesDim(x.Type())
		switch {
		case !ok:
		case dim >= 0 && n != dim:
			return nil, nil, fault.New(
				fault.InvalidArgument,
				"%s has %d dimensions, but %s has %d",
				expr.ShortText(args[0]),
				dim,
				expr.ShortText(args[1]),
				n,
			)
		default:
			dim = n
		}
	}
	if dim < 0 {
		return nil, nil, fault.New(
			fault.InvalidArgument,
			"hamming_distance compares vectors of bytes, of which one must have a type that says so: UTINYINT[n]",
		)
	}
	conv := append([]expr.Expr{}, args...)
	t := arrow.FixedSizeListOf(int32(dim), arrow.PrimitiveTypes.Uint8)
	for i, x := range args[:2] {
		if _, ok := expr.BytesDim(x.Type()); ok {
			continue
		}
		l, ok := x.(*expr.Literal)
		if !ok {
			conv[i] = expr.ImplicitCast(x, t)
			continue
		}
		if l.Value != nil {
			v, err := expr.VectorOf(*l, dim)
			if err != nil {
				return nil, nil, err
			}
			for j, f := range v {
				if f < 0 || f > math.MaxUint8 || f != float32(math.Trunc(float64(f))) {
					return nil, nil, fault.New(
						fault.InvalidArgument,
						"element %d of the vector is %v; hamming_distance takes whole numbers from 0 to 255",
						j+1,
						f,
					)
				}
			}
		}
		c, err := expr.CastLiteral(*l, t)
		if err != nil {
			return nil, nil, err
		}
		conv[i] = &c
	}
	return conv, value.TypeFloat32, nil
}

func hammingRows(c *value.KernelCall) (arrow.Array, error) {
	var items [2][]uint8
	var rows [2]vectorRows
	for i := range rows {
		rows[i] = vectorRows{v: c.Args[i], list: c.Args[i].Arr.(array.ListLike)}
		values := rows[i].list.ListValues()
		items[i], rows[i].nulls = value.FixedOf[uint8](values), values.NullN() > 0
	}
	buf, out := value.NewFixed[float32](c.Mem(), c.N)
	for i := range out {
		out[i] = 0
		if c.Null(i) {
			continue
		}
		xs, xe, okX := rows[0].span(i)
		ys, ye, okY := rows[1].span(i)
		if xe-xs != ye-ys {
			buf.Release()
			return nil, differentDims(xe-xs, ye-ys)
		}
		if !okX || !okY {
			c.SetNull(i)
			continue
		}
		out[i] = float32(distance.HammingBytes(items[0][xs:xe], items[1][ys:ye]))
	}
	return c.Finish(buf), nil
}
