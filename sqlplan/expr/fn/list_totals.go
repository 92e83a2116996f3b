package fn

import (
	"math/big"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/value"
)

// list_sum and list_avg. Whole numbers and decimals are added exactly. Items that are NULL do not
// count, and the total of no items is NULL.

// sumType brings the items to the type in which they are added: BIGINT, DECIMAL of their scale, or
// DOUBLE.
func sumType(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	elem := value.PlainType(value.ElemOf(a[0].Type()))
	var t arrow.DataType
	switch k := value.KindOf(elem); {
	case k == value.KindInt, elem.ID() == arrow.NULL, k == value.KindUint && value.BitWidth(elem) < 64:
		t = value.TypeInt64
	case k == value.KindUint:
		t = &arrow.Decimal128Type{Precision: 38}
	case k == value.KindDecimal:
		t = &arrow.Decimal128Type{Precision: 38, Scale: elem.(arrow.DecimalType).GetScale()}
	case k == value.KindFloat:
		t = value.TypeFloat64
	default:
		return nil, nil, fault.New(fault.InvalidArgument, "the items of %s are %s, but numbers are needed",
			expr.ShortText(a[0]), value.TypeName(value.ElemOf(a[0].Type())))
	}
	return []expr.Expr{expr.ImplicitCast(a[0], arrow.ListOf(t))}, t, nil
}

// wideSum is a sum in 128 bits, which no number of BIGINT items in a list overflows.
type wideSum struct {
	hi int64
	lo uint64
}

func (s *wideSum) add(v int64) {
	lo, carry := bits.Add64(s.lo, uint64(v), 0)
	s.lo = lo
	s.hi += v>>63 + int64(carry)
}

func (s wideSum) big() *big.Int { return decimal128.New(s.hi, s.lo).BigInt() }

// eachItem calls fn for the items of row i that are not NULL, and returns how many there are.
func eachItem(a *expr.RowArgs, i int, values arrow.Array, fn func(j int)) (n int64) {
	s, e := a.Items(0, i)
	for j := s; j < e; j++ {
		if values.IsValid(j) {
			fn(j)
			n++
		}
	}
	return n
}

func itemsOf(a *expr.RowArgs) arrow.Array { return a.C.Args[0].Arr.(array.ListLike).ListValues() }

func listSum(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	switch e.T.ID() {
	case arrow.INT64:
		return expr.FixedOut(func(a *expr.RowArgs, i int) (int64, bool, error) {
			var sum wideSum
			values := itemsOf(a)
			x := value.FixedOf[int64](values)
			n := eachItem(a, i, values, func(j int) { sum.add(x[j]) })
			if sum.hi != int64(sum.lo)>>63 {
				return 0, false, fault.New(fault.InvalidArgument,
					"integer overflow: the sum %s does not fit BIGINT; cast the items to DECIMAL(38, 0)", sum.big())
			}
			return int64(sum.lo), n > 0, nil
		})(e)
	case arrow.DECIMAL128:
		return expr.FixedOut(func(a *expr.RowArgs, i int) (decimal128.Num, bool, error) {
			sum, n, err := decimalSum(a, i)
			return sum, n > 0, err
		})(e)
	}
	return expr.FixedOut(func(a *expr.RowArgs, i int) (float64, bool, error) {
		sum := 0.0
		values := itemsOf(a)
		x := value.FixedOf[float64](values)
		n := eachItem(a, i, values, func(j int) { sum += x[j] })
		return sum, n > 0, nil
	})(e)
}

func decimalSum(a *expr.RowArgs, i int) (sum decimal128.Num, n int64, err error) {
	values := itemsOf(a)
	x := value.FixedOf[decimal128.Num](values)
	n = eachItem(a, i, values, func(j int) {
		sum = sum.Add(x[j])
		if !sum.FitsInPrecision(38) {
			err = fault.New(fault.InvalidArgument, "the sum does not fit %s", value.TypeName(values.DataType()))
		}
	})
	return sum, n, err
}

// listAvg is the mean, rounded once: of the exact sum where the items are no floats.
func listAvg(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	elem := value.ElemOf(e.Args[0].Type())
	mean := func(sum *big.Int, scale int32, n int64) float64 {
		den := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)
		v, _ := new(big.Rat).SetFrac(sum, den.Mul(den, big.NewInt(n))).Float64()
		return v
	}
	switch elem.ID() {
	case arrow.INT64:
		return expr.FixedOut(func(a *expr.RowArgs, i int) (float64, bool, error) {
			var sum wideSum
			values := itemsOf(a)
			x := value.FixedOf[int64](values)
			n := eachItem(a, i, values, func(j int) { sum.add(x[j]) })
			const exact = 1 << 53
			switch {
			case n == 0:
				return 0, false, nil
			case sum.hi == int64(sum.lo)>>63 && int64(sum.lo) < exact && int64(sum.lo) > -exact:
				return float64(int64(sum.lo)) / float64(n), true, nil
			}
			return mean(sum.big(), 0, n), true, nil
		})(e)
	case arrow.DECIMAL128:
		scale := elem.(*arrow.Decimal128Type).Scale
		return expr.FixedOut(func(a *expr.RowArgs, i int) (float64, bool, error) {
			sum, n, err := decimalSum(a, i)
			if err != nil || n == 0 {
				return 0, false, err
			}
			return mean(sum.BigInt(), scale, n), true, nil
		})(e)
	}
	return expr.FixedOut(func(a *expr.RowArgs, i int) (float64, bool, error) {
		sum := 0.0
		values := itemsOf(a)
		x := value.FixedOf[float64](values)
		n := eachItem(a, i, values, func(j int) { sum += x[j] })
		return sum / float64(n), n > 0, nil
	})(e)
}
