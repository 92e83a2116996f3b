package expr

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
)

// Casts between dates, times, timestamps and intervals.

func temporalCast(from, to kind) (castFunc, bool) {
	switch {
	case from == kDate && to == kDate:
		return dateToDate, true
	case from == kDate && to == kTimestamp:
		return dateToTimestamp, true
	case from == kTimestamp && to == kDate:
		return timestampToDate, true
	case from == kTimestamp && to == kTimestamp:
		return timestampToTimestamp, true
	case from == kTimestamp && to == kTime:
		return timestampToTime, true
	case from == kTime && to == kTime:
		return timeToTime, true
	case from == kTime && to == kInterval:
		return timeToInterval, true
	case from == kInterval && to == kInterval:
		return intervalToInterval, true
	case from == kInterval && to == kTime:
		return intervalToTime, true
	}
	return nil, false
}

// dates reads a date column as day numbers.
func dates(v vec) func(i int) int64 {
	if v.arr.DataType().ID() == arrow.DATE64 {
		n := numsOf[int64](v)
		return func(i int) int64 { return floorDiv(n.at(i), secondsPerDay*1e3) }
	}
	n := numsOf[int32](v)
	return func(i int) int64 { return int64(n.at(i)) }
}

func dateToDate(c *caster) (arrow.Array, error) {
	x := dates(c.args[0])
	return fillDate(c, func(i int) (int64, bool) { return x(i), true })
}

// fillDate writes day numbers as the target's kind of date.
func fillDate(c *caster, day func(i int) (int64, bool)) (arrow.Array, error) {
	if c.to.ID() == arrow.DATE64 {
		return fill(c, func(i int, out *int64) bool {
			d, ok := day(i)
			*out = d * secondsPerDay * 1e3
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
	x, t := dates(c.args[0]), c.to.(*arrow.TimestampType)
	loc, err := zoneOf(t)
	if err != nil {
		return nil, err
	}
	per := perSecond(t.Unit)
	return fill(c, func(i int, out *int64) (ok bool) {
		v, ok := mulAdd(x(i), secondsPerDay*per, 0)
		*out = v
		if ok && t.TimeZone != "" {
			*out = instant(loc, v, per)
		}
		return ok
	})
}

// walls reads timestamps as wall time in their zone, UTC for those without a zone.
func walls(v vec) (read func(i int) int64, per int64, err error) {
	t := v.arr.DataType().(*arrow.TimestampType)
	loc, err := zoneOf(t)
	if err != nil {
		return nil, 0, err
	}
	n := numsOf[int64](v)
	per = perSecond(t.Unit)
	return func(i int) int64 { return local(loc, n.at(i), per) }, per, nil
}

func timestampToDate(c *caster) (arrow.Array, error) {
	x, per, err := walls(c.args[0])
	if err != nil {
		return nil, err
	}
	return fillDate(c, func(i int) (int64, bool) { return floorDiv(x(i), per*secondsPerDay), true })
}

func timestampToTime(c *caster) (arrow.Array, error) {
	x, per, err := walls(c.args[0])
	if err != nil {
		return nil, err
	}
	return fillTime(c, per, func(i int) int64 { return floorMod(x(i), per*secondsPerDay) })
}

// fillTime writes times of day, given in units of 1/per seconds.
func fillTime(c *caster, per int64, read func(i int) int64) (arrow.Array, error) {
	to := perSecond(timeUnit(c.to))
	if bitWidth(c.to) == 32 {
		return fill(c, func(i int, out *int32) bool {
			v, _ := rescaleUnit(read(i), per, to)
			*out = int32(v)
			return true
		})
	}
	return fill(c, func(i int, out *int64) bool {
		v, _ := rescaleUnit(read(i), per, to)
		*out = v
		return true
	})
}

// rescaleUnit changes the unit of a count of 1/from seconds, rounding half up to a coarser one.
func rescaleUnit(v, from, to int64) (int64, bool) {
	if to >= from {
		return mul64(v, to/from)
	}
	step := from / to
	q := floorDiv(v, step)
	if v-q*step >= step/2 {
		q++
	}
	return q, true
}

func timeToTime(c *caster) (arrow.Array, error) {
	x := int64s(c.args[0])
	return fillTime(c, perSecond(timeUnit(c.from)), func(i int) int64 { v, _ := x(i); return v })
}

func timeToInterval(c *caster) (arrow.Array, error) {
	if c.to.ID() != arrow.INTERVAL_MONTH_DAY_NANO {
		return castVia(tInterval)(c)
	}
	x, step := int64s(c.args[0]), 1e9/perSecond(timeUnit(c.from))
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
	x := numsOf[int64](c.args[0])
	perFrom, perTo := perSecond(from.Unit), perSecond(to.Unit)
	locFrom, err := zoneOf(from)
	if err != nil {
		return nil, err
	}
	locTo, err := zoneOf(to)
	if err != nil {
		return nil, err
	}
	return fill(c, func(i int, out *int64) bool {
		v := x.at(i)
		switch {
		case from.TimeZone != "" && to.TimeZone == "":
			v = local(locFrom, v, perFrom)
		case from.TimeZone == "" && to.TimeZone != "":
			v = instant(locTo, v, perFrom)
		}
		v, ok := rescaleUnit(v, perFrom, perTo)
		*out = v
		return ok
	})
}

// durationInterval is a duration as days and time. One of more than 2^31 days is the longest interval.
func durationInterval(d int64, u arrow.TimeUnit) arrow.MonthDayNanoInterval {
	per := perSecond(u)
	days := max(math.MinInt32, min(math.MaxInt32, d/(per*secondsPerDay)))
	if days == math.MinInt32 || days == math.MaxInt32 {
		return arrow.MonthDayNanoInterval{Days: int32(days)}
	}
	return arrow.MonthDayNanoInterval{Days: int32(days), Nanoseconds: (d - days*per*secondsPerDay) * (1e9 / per)}
}

// intervals reads any interval type.
func intervals(v vec) func(i int) arrow.MonthDayNanoInterval {
	switch t := v.arr.DataType().(type) {
	case *arrow.DurationType:
		n := numsOf[int64](v)
		return func(i int) arrow.MonthDayNanoInterval {
			return durationInterval(n.at(i), t.Unit)
		}
	case *arrow.MonthIntervalType:
		n := numsOf[int32](v)
		return func(i int) arrow.MonthDayNanoInterval { return arrow.MonthDayNanoInterval{Months: n.at(i)} }
	case *arrow.DayTimeIntervalType:
		n := numsOf[arrow.DayTimeInterval](v)
		return func(i int) arrow.MonthDayNanoInterval {
			d := n.at(i)
			return arrow.MonthDayNanoInterval{Days: d.Days, Nanoseconds: int64(d.Milliseconds) * 1e6}
		}
	}
	return numsOf[arrow.MonthDayNanoInterval](v).at
}

func intervalToInterval(c *caster) (arrow.Array, error) {
	x := intervals(c.args[0])
	switch t := c.to.(type) {
	case *arrow.DurationType:
		step := 1e9 / perSecond(t.Unit)
		return fill(c, func(i int, out *int64) bool {
			days, nanos := intervalSpan(x(i))
			v, ok := mulAdd(days, nanosPerDay/step, nanos/step)
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
	x := intervals(c.args[0])
	return fillTime(c, 1e9, func(i int) int64 { return floorMod(x(i).Nanoseconds, nanosPerDay) })
}
