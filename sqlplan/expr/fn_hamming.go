package expr

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/vecindex/distance"
)

// hamming_distance counts the bits in which two vectors of bytes differ, as FLOAT, which is what an index search over the same rows
// yields. A vector with a NULL element has no distance: NULL.

func init() {
	register(&function{
		name: "hamming_distance", category: "vector", volatility: Immutable, cost: CostHeavy, fails: FailsNever, args: []argClass{vectorArg, vectorArg, textArg}, required: 2,
		result: bytesPair, kernel: plainKernel(hammingRows),
	})
}

// bytesPair makes both vectors those of bytes: one side tells the dimension, the other may be any numbers that are bytes.
func bytesPair(args []Expr) ([]Expr, arrow.DataType, error) {
	dim := -1
	for _, x := range args[:2] {
		n, ok := BytesDim(x.Type())
		switch {
		case !ok:
		case dim >= 0 && n != dim:
			return nil, nil, fault.New(fault.InvalidArgument, "%s has %d dimensions, but %s has %d", shortText(args[0]), dim, shortText(args[1]), n)
		default:
			dim = n
		}
	}
	if dim < 0 {
		return nil, nil, fault.New(fault.InvalidArgument, "hamming_distance compares vectors of bytes, of which one must have a type that says so: UTINYINT[n]")
	}
	conv := append([]Expr{}, args...)
	t := arrow.FixedSizeListOf(int32(dim), arrow.PrimitiveTypes.Uint8)
	for i, x := range args[:2] {
		if _, ok := BytesDim(x.Type()); ok {
			continue
		}
		l, ok := x.(*Literal)
		if !ok {
			conv[i] = implicitCast(x, t)
			continue
		}
		if l.Value != nil {
			v, err := VectorOf(*l, dim)
			if err != nil {
				return nil, nil, err
			}
			for j, f := range v {
				if f < 0 || f > math.MaxUint8 || f != float32(math.Trunc(float64(f))) {
					return nil, nil, fault.New(fault.InvalidArgument, "element %d of the vector is %v; hamming_distance takes whole numbers from 0 to 255", j+1, f)
				}
			}
		}
		c, err := CastLiteral(*l, t)
		if err != nil {
			return nil, nil, err
		}
		conv[i] = &c
	}
	return conv, tFloat32, nil
}

func hammingRows(c *call) (arrow.Array, error) {
	var items [2][]uint8
	var rows [2]vectorRows
	for i := range rows {
		rows[i] = vectorRows{v: c.args[i], list: c.args[i].arr.(array.ListLike)}
		values := rows[i].list.ListValues()
		items[i], rows[i].nulls = fixedOf[uint8](values), values.NullN() > 0
	}
	buf, out := newFixed[float32](c.mem(), c.n)
	for i := range out {
		out[i] = 0
		if c.null(i) {
			continue
		}
		xs, xe, okX := rows[0].span(i)
		ys, ye, okY := rows[1].span(i)
		if xe-xs != ye-ys {
			buf.Release()
			return nil, differentDims(xe-xs, ye-ys)
		}
		if !okX || !okY {
			c.setNull(i)
			continue
		}
		out[i] = float32(distance.HammingBytes(items[0][xs:xe], items[1][ys:ye]))
	}
	return c.finish(buf), nil
}
