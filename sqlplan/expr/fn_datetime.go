package expr

import (
	"math"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// Functions of dates and times. A value with a time zone is looked at on the clocks of its zone.

func init() {
	register(
		&function{name: "date_part", aliases: []string{"extract", "datepart"}, category: "datetime", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{textArg, instantArg}, result: partType, kernel: partKernel},
		&function{name: "date_trunc", aliases: []string{"datetrunc"}, category: "datetime", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{textArg, instantArg}, result: truncType, kernel: truncKernel},
		&function{name: "date_diff", aliases: []string{"datediff"}, category: "datetime", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{textArg, instantArg, instantArg}, out: tInt64, result: diffTypes, kernel: diffKernel},
		&function{name: "make_date", category: "datetime", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{intArg, intArg, intArg}, out: tDate, kernel: fixedOut(makeDate)},
		&function{name: "make_time", category: "datetime", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{intArg, intArg, floatArg}, out: tTime, kernel: fixedOut(func(a *rowArgs, i int) (int64, bool, error) {
			v, err := makeClock(a, i, 0)
			return v, true, err
		})},
		&function{name: "make_timestamp", category: "datetime", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{intArg, intArg, intArg, intArg, intArg, floatArg}, out: tTimestamp, kernel: fixedOut(func(a *rowArgs, i int) (int64, bool, error) {
			d, _, err := makeDate(a, i)
			if err != nil {
				return 0, false, err
			}
			v, err := makeClock(a, i, 3)
			return int64(d)*microsPerDay + v, true, err
		})},
		&function{name: "to_timestamp", category: "datetime", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{floatArg}, out: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, kernel: plainKernel(mapFixedErr(func(s float64) (int64, error) {
			if !(math.Abs(s) < 9e12) {
				return 0, fault.New(fault.InvalidArgument, "to_timestamp(%v) is out of the range of TIMESTAMP", s)
			}
			whole := math.Floor(s)
			return int64(whole)*1e6 + int64(math.Round((s-whole)*1e6)), nil
		}))},
		&function{name: "epoch_ms", category: "datetime", volatility: Immutable, args: []argClass{anyArg}, rewrite: func(a []Expr) (Expr, error) {
			if kindOf(a[0].Type()).integer() {
				return NewCall("make_timestamp_ms", a)
			}
			return NewCall("$epoch_ms", a)
		}},
		&function{name: "make_timestamp_ms", category: "datetime", volatility: Immutable, cost: CostScan, fails: FailsOnRange, args: []argClass{intArg}, out: tTimestamp, kernel: plainKernel(mapFixedErr(func(ms int64) (int64, error) {
			v, ok := mul64(ms, 1e3)
			if !ok {
				return 0, outOfRange(tTimestamp)
			}
			return v, nil
		}))},
		&function{name: "$epoch_ms", category: "datetime", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{instantArg}, out: tInt64, kernel: plainKernel(func(c *call) (arrow.Array, error) {
			f, err := fieldReader("epoch_ms", c.args[0])
			if err != nil {
				return nil, err
			}
			return f.ints(c)
		})},
		&function{name: "strftime", category: "datetime", volatility: Immutable, args: []argClass{anyArg, anyArg}, rewrite: func(a []Expr) (Expr, error) {
			if kindOf(a[0].Type()) == kText && kindOf(a[1].Type()) != kText { // either order, as in DuckDB
				a[0], a[1] = a[1], a[0]
			}
			return NewCall("$strftime", a)
		}},
		&function{name: "$strftime", category: "datetime", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{instantArg, textArg}, out: tText, result: strftimeArgs, kernel: strftimeKernel},
		&function{name: "strptime", category: "datetime", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{textArg, textArg}, out: tTimestamp, kernel: fixedOut(strptime)},
		&function{name: "timezone", category: "datetime", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{textArg, instantArg}, result: zoneType, kernel: zoneKernel},
		&function{name: "last_day", category: "datetime", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{instantArg}, out: tDate, result: asDate, kernel: plainKernel(mapFixed(func(d int32) int32 {
			y, m, _ := civil(int64(d))
			return int32(daysOf(y, m, daysIn(y, m)))
		}))},
		&function{name: "monthname", category: "datetime", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{instantArg}, out: tText, result: asDateText, kernel: textOut(func(a *rowArgs, i int, w *textWriter) (bool, error) {
			_, m, _ := civil(int64(numsOf[int32](a.c.args[0]).at(i)))
			w.writeString(time.Month(m).String())
			return true, nil
		})},
		&function{name: "dayname", category: "datetime", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{instantArg}, out: tText, result: asDateText, kernel: textOut(func(a *rowArgs, i int, w *textWriter) (bool, error) {
			w.writeString(time.Weekday(floorMod(int64(numsOf[int32](a.c.args[0]).at(i))+4, 7)).String())
			return true, nil
		})},
		&function{name: "date", category: "datetime", volatility: Immutable, args: []argClass{anyArg}, rewrite: func(a []Expr) (Expr, error) { return NewCast(a[0], tDate, false) }},
	)
	// year(x) is date_part('year', x), and so on.
	for name, part := range map[string]string{
		"year": "year", "quarter": "quarter", "month": "month", "week": "week", "weekofyear": "week", "day": "day", "dayofmonth": "day",
		"dayofweek": "dow", "weekday": "dow", "isodow": "isodow", "dayofyear": "doy", "isoyear": "isoyear", "decade": "decade", "century": "century",
		"millennium": "millennium", "hour": "hour", "minute": "minute", "second": "second", "millisecond": "millisecond", "microsecond": "microsecond",
		"epoch": "epoch",
	} {
		register(&function{name: name, category: "datetime", volatility: Immutable, args: []argClass{instantArg}, rewrite: func(a []Expr) (Expr, error) {
			return NewCall("date_part", []Expr{NewLiteral(part, tText), a[0]})
		}})
	}
	// The clock is read when the statement is bound, so that a statement sees one time; a binder may
	// put its own value in the place of these names.
	for _, f := range []struct {
		names []string
		t     arrow.DataType
	}{
		{[]string{"now", "current_timestamp", "get_current_timestamp", "transaction_timestamp", "statement_timestamp"}, &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}},
		{[]string{"localtimestamp", "current_localtimestamp"}, tTimestamp},
		{[]string{"current_date", "today"}, tDate},
		{[]string{"current_time", "localtime"}, tTime},
	} {
		t := f.t
		register(&function{name: f.names[0], aliases: f.names[1:], category: "datetime", volatility: Stable, rewrite: func([]Expr) (Expr, error) {
			return NewCast(NewLiteral(time.Now().UnixMicro(), tTimestamp), t, false)
		}})
	}
}

// parts are the names of fields, by every spelling.
var parts = map[string]string{}

func init() {
	for _, names := range []string{
		"year years yr yrs y", "quarter quarters", "month months mon mons", "week weeks w", "day days d dayofmonth",
		"dow dayofweek weekday", "isodow", "doy dayofyear", "isoyear", "decade decades", "century centuries c", "millennium millennia mil millenniums",
		"hour hours hr hrs h", "minute minutes min mins m", "second seconds sec secs s", "millisecond milliseconds ms msec msecs",
		"microsecond microseconds us usec usecs", "nanosecond nanoseconds ns", "epoch", "julian", "timezone", "timezone_hour", "timezone_minute", "epoch_ms", "era",
	} {
		all := strings.Fields(names)
		for _, n := range all {
			parts[n] = all[0]
		}
	}
}

func partOf(name string) (string, error) {
	p, ok := parts[strings.ToLower(strings.TrimSpace(name))]
	if !ok {
		var known []string
		for n := range parts {
			known = append(known, n)
		}
		return "", fault.New(fault.InvalidArgument, "there is no date part '%s'%s", name, didYouMean(name, known))
	}
	return p, nil
}

// constantPart is the part named by a constant first argument.
func constantPart(e Expr, fn string) (string, error) {
	s, ok := literalText(e)
	if !ok {
		return "", fault.New(fault.Unsupported, "%s with a part that is not a constant", fn)
	}
	return partOf(s)
}

// fractional parts are DOUBLE, all others BIGINT.
func fractional(part string) bool {
	return part == "second" || part == "millisecond" || part == "epoch" || part == "julian"
}

func partType(a []Expr) ([]Expr, arrow.DataType, error) {
	p, err := constantPart(a[0], "date_part")
	if err != nil {
		return nil, nil, err
	}
	if fractional(p) {
		return a, tFloat64, nil
	}
	return a, tInt64, nil
}

// field reads one part of each row.
type field struct {
	int   func(i int) int64
	float func(i int) float64 // fractional parts
}

func (f field) ints(c *call) (arrow.Array, error) {
	buf, out := newFixed[int64](c.mem(), c.n)
	for i := range out {
		if out[i] = 0; !c.null(i) {
			out[i] = f.int(i)
		}
	}
	return c.finish(buf), nil
}

func (f field) floats(c *call) (arrow.Array, error) {
	buf, out := newFixed[float64](c.mem(), c.n)
	for i := range out {
		if out[i] = 0; !c.null(i) {
			out[i] = f.float(i)
		}
	}
	return c.finish(buf), nil
}

func partKernel(e *Call) (func(*call) (arrow.Array, error), error) {
	part, err := constantPart(e.Args[0], "date_part")
	if err != nil {
		return nil, err
	}
	// Whether the type has the part shows without rows.
	if err := partFits(part, e.Args[1].Type()); err != nil {
		return nil, err
	}
	return func(c *call) (arrow.Array, error) {
		f, err := fieldReader(part, c.args[1])
		if err != nil {
			return nil, err
		}
		if f.float != nil {
			return f.floats(c)
		}
		return f.ints(c)
	}, nil
}

func partFits(part string, t arrow.DataType) error {
	clock := part == "hour" || part == "minute" || part == "second" || part == "millisecond" || part == "microsecond" || part == "nanosecond" || part == "epoch"
	ok := true
	switch kindOf(t) {
	case kTime:
		ok = clock
	case kInterval:
		switch part {
		case "year", "month", "day", "quarter", "decade", "century", "millennium":
		default:
			ok = clock
		}
	}
	if !ok {
		return fault.New(fault.InvalidArgument, "%s has no part '%s'", TypeName(t), part)
	}
	return nil
}

// fieldReader reads a part of dates, timestamps, times or intervals.
func fieldReader(part string, v vec) (field, error) {
	switch kindOf(v.arr.DataType()) {
	case kInterval:
		return intervalField(part, intervals(v)), nil
	case kTime:
		x, per := int64s(v), perSecond(timeUnit(v.arr.DataType()))
		return clockField(part, per, func(i int) int64 { n, _ := x(i); return n }), nil
	case kDate:
		x := dates(v)
		return dateField(part, 1, x, func(i int) int64 { return x(i) * secondsPerDay }, func(int) int64 { return 0 }), nil
	}
	t := v.arr.DataType().(*arrow.TimestampType)
	loc, err := zoneOf(t)
	if err != nil {
		return field{}, err
	}
	wall, per, err := walls(v)
	if err != nil {
		return field{}, err
	}
	raw := numsOf[int64](v)
	days := func(i int) int64 { return floorDiv(wall(i), per*secondsPerDay) }
	switch part {
	case "hour", "minute", "second", "millisecond", "microsecond", "nanosecond":
		return clockField(part, per, func(i int) int64 { return floorMod(wall(i), per*secondsPerDay) }), nil
	}
	return dateField(part, per, days, raw.at, func(i int) int64 { return offsetAt(loc, floorDiv(raw.at(i), per)) }), nil
}

// clockField reads parts of the time of day, given in units of 1/per seconds.
func clockField(part string, per int64, clock func(i int) int64) field {
	minute := func(i int) int64 { return clock(i) % (60 * per) }
	switch part {
	case "hour":
		return field{int: func(i int) int64 { return clock(i) / (3600 * per) }}
	case "minute":
		return field{int: func(i int) int64 { return clock(i) / (60 * per) % 60 }}
	case "second":
		return field{float: func(i int) float64 { return float64(minute(i)) / float64(per) }}
	case "millisecond":
		return field{float: func(i int) float64 { return float64(minute(i)) * 1e3 / float64(per) }}
	case "microsecond":
		return field{int: func(i int) int64 { v, _ := rescaleUnit(minute(i), per, 1e6); return v }}
	case "nanosecond":
		return field{int: func(i int) int64 { return minute(i) * (1e9 / per) }}
	}
	return field{float: func(i int) float64 { return float64(clock(i)) / float64(per) }} // epoch
}

// dateField reads parts of a date; instant is in units of 1/per seconds, offset in seconds.
func dateField(part string, per int64, days, instant, offset func(i int) int64) field {
	year := func(i int) int64 { y, _, _ := civil(days(i)); return y }
	// Years before 1 count without a year 0: 1 BC is -1.
	shown := func(y int64) int64 {
		if y <= 0 {
			return y - 1
		}
		return y
	}
	// ages rounds away from zero: the first century is 1 to 100, the one before it -1.
	ages := func(y, n int64) int64 {
		if y > 0 {
			return (y + n - 1) / n
		}
		return -((n - 1 - (y - 1)) / n)
	}
	switch part {
	case "era":
		return field{int: func(i int) int64 { return int64(b2u(year(i) > 0)) }}
	case "year":
		return field{int: func(i int) int64 { return shown(year(i)) }}
	case "decade":
		return field{int: func(i int) int64 { return floorDiv(year(i), 10) }}
	case "century":
		return field{int: func(i int) int64 { return ages(year(i), 100) }}
	case "millennium":
		return field{int: func(i int) int64 { return ages(year(i), 1000) }}
	case "quarter":
		return field{int: func(i int) int64 { _, m, _ := civil(days(i)); return int64(m-1)/3 + 1 }}
	case "month":
		return field{int: func(i int) int64 { _, m, _ := civil(days(i)); return int64(m) }}
	case "day":
		return field{int: func(i int) int64 { _, _, d := civil(days(i)); return int64(d) }}
	case "dow":
		return field{int: func(i int) int64 { return floorMod(days(i)+4, 7) }}
	case "isodow":
		return field{int: func(i int) int64 { return floorMod(days(i)+3, 7) + 1 }}
	case "doy":
		return field{int: func(i int) int64 { d := days(i); y, _, _ := civil(d); return d - daysOf(y, 1, 1) + 1 }}
	case "week":
		return field{int: func(i int) int64 { _, w := isoWeek(days(i)); return w }}
	case "isoyear":
		return field{int: func(i int) int64 { y, _ := isoWeek(days(i)); return shown(y) }}
	case "epoch":
		return field{float: func(i int) float64 { return float64(instant(i)) / float64(per) }}
	case "epoch_ms":
		return field{int: func(i int) int64 {
			v, ok := rescaleUnit(instant(i), per, 1e3)
			if !ok {
				return math.MaxInt64
			}
			return v
		}}
	case "julian":
		return field{float: func(i int) float64 {
			wall := float64(instant(i))/float64(per) + float64(offset(i))
			return 2440588 + wall/secondsPerDay
		}}
	case "timezone":
		return field{int: offset}
	case "timezone_hour":
		return field{int: func(i int) int64 { return offset(i) / 3600 }}
	case "timezone_minute":
		return field{int: func(i int) int64 { return offset(i) / 60 % 60 }}
	}
	// Parts of the clock, of a date: midnight.
	return clockField(part, 1, func(int) int64 { return 0 })
}

func intervalField(part string, at func(i int) arrow.MonthDayNanoInterval) field {
	months := func(i int) int64 { return int64(at(i).Months) }
	nanos := func(i int) int64 { return at(i).Nanoseconds }
	switch part {
	case "year":
		return field{int: func(i int) int64 { return months(i) / 12 }}
	case "decade":
		return field{int: func(i int) int64 { return months(i) / 120 }}
	case "century":
		return field{int: func(i int) int64 { return months(i) / 1200 }}
	case "millennium":
		return field{int: func(i int) int64 { return months(i) / 12000 }}
	case "quarter":
		return field{int: func(i int) int64 { return months(i)%12/3 + 1 }}
	case "month":
		return field{int: func(i int) int64 { return months(i) % 12 }}
	case "day":
		return field{int: func(i int) int64 { return int64(at(i).Days) }}
	case "epoch", "epoch_ms":
		// A year is 365.25 days, a month of a broken year 30.
		seconds := func(i int) float64 {
			v := at(i)
			return float64(v.Months/12)*365.25*secondsPerDay + float64(v.Months%12)*30*secondsPerDay + float64(v.Days)*secondsPerDay + float64(v.Nanoseconds)/1e9
		}
		if part == "epoch_ms" {
			return field{int: func(i int) int64 { return int64(seconds(i) * 1e3) }}
		}
		return field{float: seconds}
	case "hour":
		return field{int: func(i int) int64 { return nanos(i) / 3600e9 }}
	}
	return clockField(part, 1e9, nanos)
}

// ---- date_trunc, date_diff --------------------------------------------------------------------

// truncType: a date becomes a timestamp, as in PostgreSQL; intervals and timestamps stay what they are.
func truncType(a []Expr) ([]Expr, arrow.DataType, error) {
	p, err := constantPart(a[0], "date_trunc")
	if err != nil {
		return nil, nil, err
	}
	switch p {
	case "dow", "isodow", "doy", "epoch", "julian", "timezone", "timezone_hour", "timezone_minute", "epoch_ms", "era", "isoyear":
		return nil, nil, fault.New(fault.InvalidArgument, "date_trunc does not cut to '%s'; it takes year, quarter, month, week, day, hour, …", p)
	}
	x := a[1]
	switch kindOf(x.Type()) {
	case kDate:
		x = implicitCast(x, tTimestamp)
	case kTime:
		x = implicitCast(x, tInterval)
	}
	return []Expr{a[0], x}, x.Type(), nil
}

func truncKernel(e *Call) (func(*call) (arrow.Array, error), error) {
	part, err := constantPart(e.Args[0], "date_trunc")
	if err != nil {
		return nil, err
	}
	if kindOf(e.T) == kInterval {
		return func(c *call) (arrow.Array, error) {
			x := intervals(c.args[1])
			buf, out := newFixed[arrow.MonthDayNanoInterval](c.mem(), c.n)
			for i := range out {
				out[i] = truncInterval(part, x(i))
			}
			return c.finish(buf), nil
		}, nil
	}
	return func(c *call) (arrow.Array, error) {
		t := c.t.(*arrow.TimestampType)
		loc, err := zoneOf(t)
		if err != nil {
			return nil, err
		}
		wall, per, err := walls(c.args[1])
		if err != nil {
			return nil, err
		}
		buf, out := newFixed[int64](c.mem(), c.n)
		for i := range out {
			if out[i] = 0; !c.null(i) {
				out[i] = instant(loc, truncWall(part, wall(i), per), per)
			}
		}
		return c.finish(buf), nil
	}, nil
}

// truncWall cuts wall time, in units of 1/per seconds, to a part.
func truncWall(part string, wall, per int64) int64 {
	perDay := per * secondsPerDay
	days := floorDiv(wall, perDay)
	switch part {
	case "microsecond", "millisecond", "second", "minute", "hour":
		step := map[string]int64{"second": per, "minute": 60 * per, "hour": 3600 * per, "millisecond": per / 1e3, "microsecond": per / 1e6}[part]
		if step <= 1 {
			return wall
		}
		return floorDiv(wall, step) * step
	case "nanosecond":
		return wall
	}
	return truncDays(part, days) * perDay
}

func truncDays(part string, days int64) int64 {
	y, m, _ := civil(days)
	switch part {
	case "week":
		return days - floorMod(days+3, 7)
	case "month":
		return daysOf(y, m, 1)
	case "quarter":
		return daysOf(y, (m-1)/3*3+1, 1)
	case "year":
		return daysOf(y, 1, 1)
	case "decade":
		return daysOf(floorDiv(y, 10)*10, 1, 1)
	case "century":
		return daysOf(floorDiv(y-1, 100)*100+1, 1, 1)
	case "millennium":
		return daysOf(floorDiv(y-1, 1000)*1000+1, 1, 1)
	}
	return days
}

func truncInterval(part string, v arrow.MonthDayNanoInterval) arrow.MonthDayNanoInterval {
	months := map[string]int32{"millennium": 12000, "century": 1200, "decade": 120, "year": 12, "quarter": 3, "month": 1}
	if n, ok := months[part]; ok {
		return arrow.MonthDayNanoInterval{Months: v.Months / n * n}
	}
	if part == "week" {
		return arrow.MonthDayNanoInterval{Months: v.Months, Days: v.Days / 7 * 7}
	}
	nanos := map[string]int64{"hour": 3600e9, "minute": 60e9, "second": 1e9, "millisecond": 1e6, "microsecond": 1e3, "nanosecond": 1}
	if n, ok := nanos[part]; ok {
		v.Nanoseconds = v.Nanoseconds / n * n
	} else {
		v.Nanoseconds = 0
	}
	return v
}

func diffTypes(a []Expr) ([]Expr, arrow.DataType, error) {
	if _, err := constantPart(a[0], "date_diff"); err != nil {
		return nil, nil, err
	}
	both, t, err := unify("date_diff", a[1:])
	if err != nil {
		return nil, nil, err
	}
	if kindOf(t) == kDate {
		both = []Expr{implicitCast(both[0], tTimestamp), implicitCast(both[1], tTimestamp)}
	} else if kindOf(t) != kTimestamp {
		return nil, nil, fault.New(fault.InvalidArgument, "date_diff needs dates or timestamps, not %s", TypeName(t))
	}
	return []Expr{a[0], both[0], both[1]}, tInt64, nil
}

// diffKernel counts how many borders between parts lie between two times, as DuckDB does.
func diffKernel(e *Call) (func(*call) (arrow.Array, error), error) {
	part, err := constantPart(e.Args[0], "date_diff")
	if err != nil {
		return nil, err
	}
	return func(c *call) (arrow.Array, error) {
		x, per, err := walls(c.args[1])
		if err != nil {
			return nil, err
		}
		y, _, err := walls(c.args[2])
		if err != nil {
			return nil, err
		}
		number, err := partNumber(part, per)
		if err != nil {
			return nil, err
		}
		buf, out := newFixed[int64](c.mem(), c.n)
		for i := range out {
			if out[i] = 0; !c.null(i) {
				out[i] = number(y(i)) - number(x(i))
			}
		}
		return c.finish(buf), nil
	}, nil
}

// partNumber numbers the parts of the time line, so that differences count borders.
func partNumber(part string, per int64) (func(wall int64) int64, error) {
	perDay := per * secondsPerDay
	month := func(wall int64) int64 { y, m, _ := civil(floorDiv(wall, perDay)); return y*12 + int64(m-1) }
	switch part {
	case "millennium":
		return func(w int64) int64 { return floorDiv(month(w), 12000) }, nil
	case "century":
		return func(w int64) int64 { return floorDiv(month(w), 1200) }, nil
	case "decade":
		return func(w int64) int64 { return floorDiv(month(w), 120) }, nil
	case "year":
		return func(w int64) int64 { return floorDiv(month(w), 12) }, nil
	case "quarter":
		return func(w int64) int64 { return floorDiv(month(w), 3) }, nil
	case "month":
		return month, nil
	case "week":
		return func(w int64) int64 { return floorDiv(floorDiv(w, perDay)+3, 7) }, nil
	case "day", "dow", "doy":
		return func(w int64) int64 { return floorDiv(w, perDay) }, nil
	case "hour":
		return func(w int64) int64 { return floorDiv(w, 3600*per) }, nil
	case "minute":
		return func(w int64) int64 { return floorDiv(w, 60*per) }, nil
	case "second", "epoch":
		return func(w int64) int64 { return floorDiv(w, per) }, nil
	case "millisecond", "microsecond", "nanosecond":
		to := map[string]int64{"millisecond": 1e3, "microsecond": 1e6, "nanosecond": 1e9}[part]
		return func(w int64) int64 {
			if to >= per {
				return w * (to / per)
			}
			return floorDiv(w, per/to)
		}, nil
	}
	return nil, fault.New(fault.InvalidArgument, "date_diff does not count '%s'; it takes year, month, week, day, hour, …", part)
}

// ---- Making -----------------------------------------------------------------------------------

func makeDate(a *rowArgs, i int) (int32, bool, error) {
	y, m, d := a.int(0, i), a.int(1, i), a.int(2, i)
	if y < -290000 || y > 294276 || m < 1 || m > 12 || d < 1 || d > int64(daysIn(y, int(m))) {
		return 0, false, fault.New(fault.InvalidArgument, "there is no date %d-%02d-%02d", y, m, d)
	}
	return int32(daysOf(y, int(m), int(d))), true, nil
}

// makeClock makes a time of day in microseconds out of hour, minute and second from argument k on.
func makeClock(a *rowArgs, i, k int) (int64, error) {
	h, m, s := a.int(k, i), a.int(k+1, i), a.float(k+2, i)
	if h < 0 || h > 23 || m < 0 || m > 59 || !(s >= 0 && s < 60) {
		return 0, fault.New(fault.InvalidArgument, "there is no time %02d:%02d:%v", h, m, s)
	}
	return (h*3600+m*60)*1e6 + int64(math.Round(s*1e6)), nil
}

func asDate(a []Expr) ([]Expr, arrow.DataType, error) {
	if k := kindOf(a[0].Type()); k != kDate && k != kTimestamp {
		return nil, nil, fault.New(fault.InvalidArgument, "a date or timestamp is needed, but %s is %s", shortText(a[0]), TypeName(a[0].Type()))
	}
	return []Expr{implicitCast(a[0], tDate)}, tDate, nil
}

func asDateText(a []Expr) ([]Expr, arrow.DataType, error) {
	a, _, err := asDate(a)
	return a, tText, err
}

// zoneType is x AT TIME ZONE z: a time without a zone is read on the clocks of z, one with a zone is
// shown on them.
func zoneType(a []Expr) ([]Expr, arrow.DataType, error) {
	x := a[1]
	if kindOf(x.Type()) == kDate {
		x = implicitCast(x, tTimestamp)
	}
	t, ok := x.Type().(*arrow.TimestampType)
	if !ok {
		return nil, nil, fault.New(fault.InvalidArgument, "AT TIME ZONE needs a timestamp, but %s is %s", shortText(x), TypeName(x.Type()))
	}
	out := &arrow.TimestampType{Unit: t.Unit}
	if t.TimeZone == "" {
		out.TimeZone = "UTC"
	}
	return []Expr{a[0], x}, out, nil
}

func zoneKernel(e *Call) (func(*call) (arrow.Array, error), error) {
	in := e.Args[1].Type().(*arrow.TimestampType)
	per := perSecond(in.Unit)
	if z, ok := literalText(e.Args[0]); ok {
		if _, err := loadZone(z); err != nil {
			return nil, err
		}
	}
	return func(c *call) (arrow.Array, error) {
		zones, x := textsOf(c.args[0]), numsOf[int64](c.args[1])
		buf, out := newFixed[int64](c.mem(), c.n)
		var loc *time.Location
		last := ""
		for i := range out {
			if out[i] = 0; c.null(i) {
				continue
			}
			if z := zones.str(i); loc == nil || z != last {
				var err error
				if loc, err = loadZone(z); err != nil {
					buf.Release()
					return nil, err
				}
				last = z
			}
			if in.TimeZone == "" {
				out[i] = instant(loc, x.at(i), per)
			} else {
				out[i] = local(loc, x.at(i), per)
			}
		}
		return c.finish(buf), nil
	}, nil
}
