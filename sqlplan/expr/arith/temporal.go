package arith

import (
	"math"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
)

// temporalKernel computes what temporalResult allows.
func temporalKernel(op string, tx, ty, t arrow.DataType) (func(*value.KernelCall) (arrow.Array, error), error) {
	kx, ky := value.KindOf(tx), value.KindOf(ty)
	sign := int64(1)
	if op == "-" {
		sign = -1
	}
	switch {
	case kx == value.KindDate && ky == value.KindDate:
		return value.MapFixed2Err(func(a, b int32) (int64, error) { return int64(a) - int64(b), nil }), nil
	case kx == value.KindDate:
		return value.MapFixed2Err(func(a int32, b int64) (int32, error) {
			r := int64(a) + sign*b
			if int64(int32(r)) != r || b > 1<<40 || b < -1<<40 {
				return 0, value.OutOfRange(value.TypeDate)
			}
			return int32(r), nil
		}), nil
	case kx == value.KindTimestamp && ky == value.KindInterval:
		t := t.(*arrow.TimestampType)
		loc, err := cast.ZoneOf(t)
		if err != nil {
			return nil, err
		}
		return value.MapFixed2Err(func(a int64, b arrow.MonthDayNanoInterval) (int64, error) {
			return addInterval(a, b, sign, t, loc)
		}), nil
	case kx == value.KindTime && ky == value.KindInterval:
		per := cast.PerSecond(value.TimeUnit(t))
		return value.MapFixed2Err(func(a int64, b arrow.MonthDayNanoInterval) (int64, error) {
			// The date part of the interval is dropped, and the clock wraps around.
			return cast.FloorMod(a+sign*(b.Nanoseconds%cast.NanosPerDay)/(1e9/per), per*cast.SecondsPerDay), nil
		}), nil
	case kx == value.KindTimestamp:
		per := cast.PerSecond(value.TimeUnit(tx))
		return value.MapFixed2Err(func(a, b int64) (arrow.MonthDayNanoInterval, error) {
			d := a - b
			if (d > a) != (b < 0) {
				return arrow.MonthDayNanoInterval{}, value.OutOfRange(value.TypeInterval)
			}
			days := d / (per * cast.SecondsPerDay)
			if int64(int32(days)) != days {
				return arrow.MonthDayNanoInterval{}, value.OutOfRange(value.TypeInterval)
			}
			return arrow.MonthDayNanoInterval{Days: int32(days), Nanoseconds: d % (per * cast.SecondsPerDay) * (1e9 / per)}, nil
		}), nil
	case kx == value.KindTime:
		scale := 1e9 / cast.PerSecond(value.TimeUnit(tx))
		wide := value.BitWidth(tx) == 64
		if wide {
			return value.MapFixed2Err(func(a, b int64) (arrow.MonthDayNanoInterval, error) {
				return arrow.MonthDayNanoInterval{Nanoseconds: (a - b) * scale}, nil
			}), nil
		}
		return value.MapFixed2Err(func(a, b int32) (arrow.MonthDayNanoInterval, error) {
			return arrow.MonthDayNanoInterval{Nanoseconds: int64(a-b) * scale}, nil
		}), nil
	case ky == value.KindInterval:
		return value.MapFixed2Err(func(a, b arrow.MonthDayNanoInterval) (arrow.MonthDayNanoInterval, error) {
			months, days := int64(a.Months)+sign*int64(b.Months), int64(a.Days)+sign*int64(b.Days)
			nanos, ok := cast.MulAdd(b.Nanoseconds, sign, 0)
			s := a.Nanoseconds + nanos
			ok = ok && (a.Nanoseconds^s)&(nanos^s) >= 0
			if !ok || int64(int32(months)) != months || int64(int32(days)) != days {
				return a, value.OutOfRange(value.TypeInterval)
			}
			return arrow.MonthDayNanoInterval{Months: int32(months), Days: int32(days), Nanoseconds: s}, nil
		}), nil
	default:
		return value.MapFixed2Err(func(a arrow.MonthDayNanoInterval, b float64) (arrow.MonthDayNanoInterval, error) {
			if op == "/" {
				if b == 0 {
					return a, value.DivisionByZero()
				}
				return scaleInterval(a, func(f float64) float64 { return f / b })
			}
			return scaleInterval(a, func(f float64) float64 { return f * b })
		}), nil
	}
}

// addInterval adds sign·b to a timestamp: months and days on the local calendar, then the exact time.
func addInterval(a int64, b arrow.MonthDayNanoInterval, sign int64, t *arrow.TimestampType, loc *time.Location) (int64, error) {
	per := cast.PerSecond(t.Unit)
	perDay := per * cast.SecondsPerDay
	v := a
	if b.Months != 0 || b.Days != 0 {
		wall := cast.Local(loc, a, per)
		days := cast.FloorDiv(wall, perDay)
		clock := wall - days*perDay
		days = cast.AddMonths(days, sign*int64(b.Months)) + sign*int64(b.Days)
		w, ok := cast.MulAdd(days, perDay, clock)
		if !ok {
			return 0, value.OutOfRange(t)
		}
		v = cast.Instant(loc, w, per)
	}
	d := sign * (b.Nanoseconds / (1e9 / per))
	r := v + d
	if (v^r)&(d^r) < 0 {
		return 0, value.OutOfRange(t)
	}
	return r, nil
}

// scaleInterval scales each part. As in PostgreSQL, parts of a month become days of a 30-day month, and
// parts of a day become time, to the microsecond.
func scaleInterval(v arrow.MonthDayNanoInterval, scale func(float64) float64) (arrow.MonthDayNanoInterval, error) {
	months := scale(float64(v.Months))
	wholeMonths := math.Trunc(months)
	days := scale(float64(v.Days))
	wholeDays := math.Trunc(days)
	// 0.1 months are 3 days and not 2.9999: round what is left to a millionth first.
	rest := roundMillionth((months - wholeMonths) * 30)
	restDays := math.Trunc(rest)
	seconds := roundMillionth((days - wholeDays + rest - restDays) * cast.SecondsPerDay)
	totalDays := wholeDays + restDays
	if math.Abs(seconds) >= cast.SecondsPerDay { // the fractions of months and of days together
		more := math.Trunc(seconds / cast.SecondsPerDay)
		totalDays += more
		seconds -= more * cast.SecondsPerDay
	}
	micros := math.RoundToEven(scale(float64(v.Nanoseconds)/1e3) + seconds*1e6)
	if !(math.Abs(wholeMonths) <= math.MaxInt32 && math.Abs(totalDays) <= math.MaxInt32 && math.Abs(micros) < math.MaxInt64/1e3) {
		return v, value.OutOfRange(value.TypeInterval)
	}
	return arrow.MonthDayNanoInterval{Months: int32(wholeMonths), Days: int32(totalDays), Nanoseconds: int64(micros) * 1e3}, nil
}

func roundMillionth(v float64) float64 { return math.RoundToEven(v*1e6) / 1e6 }
