package fn

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
)

// date_bin(stride, x, origin) puts times into bins of equal length, counted from an origin, which is
// 1970-01-01 unless given. With a time zone it counts instants, so a day has always 24 hours.

func binTypes(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	stride, err := expr.Coerce(expr.Decoded(a[0]), value.TypeInterval)
	if err != nil || value.KindOf(stride.Type()) != value.KindInterval {
		return nil, nil, fault.New(fault.InvalidArgument, "date_bin needs an INTERVAL first, but %s is %s",
			expr.ShortText(a[0]), value.TypeName(a[0].Type()))
	}
	if len(a) == 2 {
		a = append(a, expr.NewLiteral(int64(0), value.TypeDate))
	}
	both, t, err := expr.Unify("date_bin", a[1:])
	if err != nil {
		return nil, nil, err
	}
	if value.KindOf(t) == value.KindDate {
		t = value.TypeTimestamp
		both = []expr.Expr{expr.ImplicitCast(both[0], t), expr.ImplicitCast(both[1], t)}
	} else if value.KindOf(t) != value.KindTimestamp {
		return nil, nil, fault.New(fault.InvalidArgument, "date_bin needs dates or timestamps, not %s", value.TypeName(t))
	}
	return []expr.Expr{stride, both[0], both[1]}, t, nil
}

func binKernel(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	per := cast.PerSecond(e.T.(*arrow.TimestampType).Unit)
	return func(c *value.KernelCall) (arrow.Array, error) {
		strides := cast.Intervals(c.Args[0])
		x, origin := value.NumsOf[int64](c.Args[1]), value.NumsOf[int64](c.Args[2])
		buf, out := value.NewFixed[int64](c.Mem(), c.N)
		for i := range out {
			if out[i] = 0; c.Null(i) {
				continue
			}
			step, err := strideOf(strides(i), per)
			if err == nil {
				out[i], err = binOf(x.At(i), origin.At(i), step, c.Type)
			}
			if err != nil {
				buf.Release()
				return nil, err
			}
		}
		return c.Finish(buf), nil
	}, nil
}

// strideOf is the length of a bin in units of 1/per seconds.
func strideOf(v arrow.MonthDayNanoInterval, per int64) (int64, error) {
	if v.Months != 0 {
		return 0, fault.New(fault.InvalidArgument, "the bins of date_bin have one length, which months do not have; use date_trunc")
	}
	unit := int64(1e9) / per
	step, ok := cast.MulAdd(int64(v.Days), cast.SecondsPerDay*per, v.Nanoseconds/unit)
	if !ok {
		return 0, value.OutOfRange(value.TypeInterval)
	}
	if step <= 0 {
		return 0, fault.New(fault.InvalidArgument, "the bins of date_bin have to be longer than nothing")
	}
	return step, nil
}

func binOf(x, origin, step int64, t arrow.DataType) (int64, error) {
	d := x - origin
	if (x^origin)&(x^d) < 0 {
		return 0, value.OutOfRange(t)
	}
	rest := cast.FloorMod(d, step)
	if x < math.MinInt64+rest {
		return 0, value.OutOfRange(t)
	}
	return x - rest, nil
}

// year2000 is the second from which PostgreSQL counts time. Halves are rounded away from it.
const year2000 = 946684800

// roundTimeKernel rounds to a number of digits of a second, for TIMESTAMP(p) and TIME(p).
func roundTimeKernel(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	unit, epoch := arrow.Microsecond, int64(0)
	if t, ok := e.T.(*arrow.TimestampType); ok {
		unit, epoch = t.Unit, year2000
	} else if e.T.ID() == arrow.TIME64 {
		unit = e.T.(*arrow.Time64Type).Unit
	}
	per := cast.PerSecond(unit)
	return func(c *value.KernelCall) (arrow.Array, error) {
		x, digits := value.NumsOf[int64](c.Args[0]), value.NumsOf[int64](c.Args[1])
		buf, out := value.NewFixed[int64](c.Mem(), c.N)
		for i := range out {
			if out[i] = 0; c.Null(i) {
				continue
			}
			step := per
			for range digits.At(i) {
				step = max(1, step/10)
			}
			v := x.At(i) - epoch*per
			if v >= 0 {
				v = (v + step/2) / step * step
			} else {
				v = -((step/2 - v) / step * step)
			}
			out[i] = v + epoch*per
		}
		return c.Finish(buf), nil
	}, nil
}
