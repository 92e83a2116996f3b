package cast

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr/value"
)

// Casts between dates, times, timestamps and intervals.

func temporalCast(from, to value.Kind) (castFunc, bool) {
	switch {
	case from == value.KindDate && to == value.KindDate:
		return dateToDate, true
	case from == value.KindDate && to == value.KindTimestamp:
		return dateToTimestamp, true
	case from == value.KindTimestamp && to == value.KindDate:
		return timestampToDate, true
	case from == value.KindTimestamp && to == value.KindTimestamp:
		return timestampToTimestamp, true
	case from == value.KindTimestamp && to == value.KindTime:
		return timestampToTime, true
	case from == value.KindTime && to == value.KindTime:
		return timeToTime, true
	case from == value.KindTime && to == value.KindInterval:
		return timeToInterval, true
	case from == value.KindInterval && to == value.KindInterval:
		return intervalToInterval, true
	case from == value.KindInterval && to == value.KindTime:
		return intervalToTime, true
	}
	return nil, false
}

// Dates reads a date column as day numbers.
func Dates(v value.Vec) func(i int) int64 {
	if v.Arr.DataType().ID() == arrow.DATE64 {
		n := value.NumsOf[int64](v)
		return func(i int) int64 { return FloorDiv(n.At(i), SecondsPerDay*1e3) }
	}
	n := value.NumsOf[int32](v)
	return func(i int) int64 { return int64(n.At(i)) }
}

func dateToDate(c *caster) (arrow.Array, error) {
	x := Dates(c.Args[0])
	return fillDate(c, func(i int) (int64, bool) { return x(i), true })
}

// fillDate writes day numbers as the target's kind of date.
func fillDate(c *caster, day func(i int) (int64, bool)) (arrow.Array, error) {
	if c.to.ID() == arrow.DATE64 {
		return fill(c, func(i int, out *int64) bool {
			d, ok := day(i)
			*out = d * SecondsPerDay * 1e3
			return ok
		})
	}
	return fill(c, func(i int, out *int32) bool {
		d, ok := day(i)
		*out = int32(d)
		return ok && int64(int32(d)) == d
	})
}

func dateToTimestamp(c *caster) (arrow.Array, error) {
	x, t := Dates(c.Args[0]), c.to.(*arrow.TimestampType)
	loc, err := ZoneOf(t)
	if err != nil {
		return nil, err
	}
	per := PerSecond(t.Unit)
	return fill(c, func(i int, out *int64) (ok bool) {
		v, ok := MulAdd(x(i), SecondsPerDay*per, 0)
		*out = v
		if ok && t.TimeZone != "" {
			*out = Instant(loc, v, per)
		}
		return ok
	})
}

// Walls reads timestamps as wall time in their zone, UTC for those without a zone.
func Walls(v value.Vec) (read func(i int) int64, per int64, err error) {
	t := v.Arr.DataType().(*arrow.TimestampType)
	loc, err := ZoneOf(t)
	if err != nil {
		return nil, 0, err
	}
	n := value.NumsOf[int64](v)
	per = PerSecond(t.Unit)
	return func(i int) int64 { return Local(loc, n.At(i), per) }, per, nil
}

func timestampToDate(c *caster) (arrow.Array, error) {
	x, per, err := Walls(c.Args[0])
	if err != nil {
		return nil, err
	}
	return fillDate(c, func(i int) (int64, bool) { return FloorDiv(x(i), per*SecondsPerDay), true })
}

func timestampToTime(c *caster) (arrow.Array, error) {
	x, per, err := Walls(c.Args[0])
	if err != nil {
		return nil, err
	}
	return fillTime(c, per, func(i int) int64 { return FloorMod(x(i), per*SecondsPerDay) })
}

// fillTime writes times of day, given in units of 1/per seconds.
func fillTime(c *caster, per int64, read func(i int) int64) (arrow.Array, error) {
	to := PerSecond(value.TimeUnit(c.to))
	if value.BitWidth(c.to) == 32 {
		return fill(c, func(i int, out *int32) bool {
			v, _ := RescaleUnit(read(i), per, to)
			*out = int32(v)
			return true
		})
	}
	return fill(c, func(i int, out *int64) bool {
		v, _ := RescaleUnit(read(i), per, to)
		*out = v
		return true
	})
}

// RescaleUnit changes the unit of a count of 1/from seconds, rounding half up to a coarser one.
func RescaleUnit(v, from, to int64) (int64, bool) {
	if to >= from {
		return Mul64(v, to/from)
	}
	step := from / to
	q := FloorDiv(v, step)
	if v-q*step >= step/2 {
		q++
	}
	return q, true
}

func timeToTime(c *caster) (arrow.Array, error) {
	x := Int64s(c.Args[0])
	return fillTime(c, PerSecond(value.TimeUnit(c.from)), func(i int) int64 { v, _ := x(i); return v })
}

func timeToInterval(c *caster) (arrow.Array, error) {
	if c.to.ID() != arrow.INTERVAL_MONTH_DAY_NANO {
		return castVia(value.TypeInterval)(c)
	}
	x, step := Int64s(c.Args[0]), 1e9/PerSecond(value.TimeUnit(c.from))
	return fill(c, func(i int, out *arrow.MonthDayNanoInterval) bool {
		v, _ := x(i)
		out.Nanoseconds = v * step
		return true
	})
}

// timestampToTimestamp changes unit and zone. Between types with a zone the instant stays; towards or
// from one without a zone, the wall time does.
func timestampToTimestamp(c *caster) (arrow.Array, error) {
	from, to := c.from.(*arrow.TimestampType), c.to.(*arrow.TimestampType)
	x := value.NumsOf[int64](c.Args[0])
	perFrom, perTo := PerSecond(from.Unit), PerSecond(to.Unit)
	locFrom, err := ZoneOf(from)
	if err != nil {
		return nil, err
	}
	locTo, err := ZoneOf(to)
	if err != nil {
		return nil, err
	}
	return fill(c, func(i int, out *int64) bool {
		v := x.At(i)
		switch {
		case from.TimeZone != "" && to.TimeZone == "":
			v = Local(locFrom, v, perFrom)
		case from.TimeZone == "" && to.TimeZone != "":
			v = Instant(locTo, v, perFrom)
		}
		v, ok := RescaleUnit(v, perFrom, perTo)
		*out = v
		return ok
	})
}

// durationInterval is a duration as days and time. One of more than 2^31 days is the longest interval.
func durationInterval(d int64, u arrow.TimeUnit) arrow.MonthDayNanoInterval {
	per := PerSecond(u)
	days := max(math.MinInt32, min(math.MaxInt32, d/(per*SecondsPerDay)))
	if days == math.MinInt32 || days == math.MaxInt32 {
		return arrow.MonthDayNanoInterval{Days: int32(days)}
	}
	return arrow.MonthDayNanoInterval{Days: int32(days), Nanoseconds: (d - days*per*SecondsPerDay) * (1e9 / per)}
}

// Intervals reads any interval type.
func Intervals(v value.Vec) func(i int) arrow.MonthDayNanoInterval {
	switch t := v.Arr.DataType().(type) {
	case *arrow.DurationType:
		n := value.NumsOf[int64](v)
		return func(i int) arrow.MonthDayNanoInterval {
			return durationInterval(n.At(i), t.Unit)
		}
	case *arrow.MonthIntervalType:
		n := value.NumsOf[int32](v)
		return func(i int) arrow.MonthDayNanoInterval { return arrow.MonthDayNanoInterval{Months: n.At(i)} }
	case *arrow.DayTimeIntervalType:
		n := value.NumsOf[arrow.DayTimeInterval](v)
		return func(i int) arrow.MonthDayNanoInterval {
			d := n.At(i)
			return arrow.MonthDayNanoInterval{Days: d.Days, Nanoseconds: int64(d.Milliseconds) * 1e6}
		}
	}
	return value.NumsOf[arrow.MonthDayNanoInterval](v).At
}

func intervalToInterval(c *caster) (arrow.Array, error) {
	x := Intervals(c.Args[0])
	switch t := c.to.(type) {
	case *arrow.DurationType:
		step := 1e9 / PerSecond(t.Unit)
		return fill(c, func(i int, out *int64) bool {
			days, nanos := IntervalSpan(x(i))
			v, ok := MulAdd(days, NanosPerDay/step, nanos/step)
			*out = v
			return ok && x(i).Months == 0
		})
	case *arrow.MonthIntervalType:
		return fill(c, func(i int, out *int32) bool {
			v := x(i)
			*out = v.Months
			return v.Days == 0 && v.Nanoseconds == 0
		})
	case *arrow.DayTimeIntervalType:
		return fill(c, func(i int, out *arrow.DayTimeInterval) bool {
			v := x(i)
			ms := v.Nanoseconds / 1e6
			*out = arrow.DayTimeInterval{Days: v.Days, Milliseconds: int32(ms)}
			return v.Months == 0 && ms >= math.MinInt32 && ms <= math.MaxInt32
		})
	}
	return fill(c, func(i int, out *arrow.MonthDayNanoInterval) bool {
		*out = x(i)
		return true
	})
}

func intervalToTime(c *caster) (arrow.Array, error) {
	x := Intervals(c.Args[0])
	return fillTime(c, 1e9, func(i int) int64 { return FloorMod(x(i).Nanoseconds, NanosPerDay) })
}
