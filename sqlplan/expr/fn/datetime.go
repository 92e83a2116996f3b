package fn

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
)

// Functions of dates and times. A value with a time zone is looked at on the clocks of its zone.

func init() {
	expr.Register(
		&expr.Function{
			Name:       "date_part",
			Aliases:    []string{"extract", "datepart"},
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.TextArg, expr.InstantArg},
			Result:     partType,
			Kernel:     partKernel,
		},
		&expr.Function{
			Name:       "date_trunc",
			Aliases:    []string{"datetrunc"},
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.TextArg, expr.InstantArg, expr.TextArg},
			Required:   2,
			Result:     truncType,
			Kernel:     truncKernel,
		},
		&expr.Function{
			Name:       "date_bin",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.AnyArg, expr.InstantArg, expr.InstantArg},
			Required:   2,
			Result:     binTypes,
			Kernel:     binKernel,
		},
		&expr.Function{
			Name:       "$round_time",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.InstantArg, expr.IntArg},
			Result:     func(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) { return a, a[0].Type(), nil },
			Kernel:     roundTimeKernel,
		},
		&expr.Function{
			Name:       "date_diff",
			Aliases:    []string{"datediff"},
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.TextArg, expr.InstantArg, expr.InstantArg},
			Out:        value.TypeInt64,
			Result:     diffTypes,
			Kernel:     diffKernel,
		},
		&expr.Function{
			Name:       "make_date",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.IntArg, expr.IntArg, expr.IntArg},
			Out:        value.TypeDate,
			Kernel:     expr.FixedOut(makeDate),
		},
		&expr.Function{
			Name:       "make_time",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.IntArg, expr.IntArg, expr.FloatArg},
			Out:        value.TypeTime,
			Kernel: expr.FixedOut(func(a *expr.RowArgs, i int) (int64, bool, error) {
				v, err := makeClock(a, i, 0)
				return v, true, err
			}),
		},
		&expr.Function{
			Name:       "make_timestamp",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.IntArg, expr.IntArg, expr.IntArg, expr.IntArg, expr.IntArg, expr.FloatArg},
			Out:        value.TypeTimestamp,
			Kernel: expr.FixedOut(func(a *expr.RowArgs, i int) (int64, bool, error) {
				d, _, err := makeDate(a, i)
				if err != nil {
					return 0, false, err
				}
				v, err := makeClock(a, i, 3)
				return int64(d)*cast.MicrosPerDay + v, true, err
			}),
		},
		&expr.Function{
			Name:       "to_timestamp",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.FloatArg},
			Out:        &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
			Kernel: expr.PlainKernel(value.MapFixedErr(func(s float64) (int64, error) {
				if !(math.Abs(s) < 9e12) {
					return 0, fault.New(fault.InvalidArgument, "to_timestamp(%v) is out of the range of TIMESTAMP", s)
				}
				whole := math.Floor(s)
				return int64(whole)*1e6 + int64(math.Round((s-whole)*1e6)), nil
			})),
		},
		&expr.Function{
			Name:       "epoch_ms",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.AnyArg},
			Rewrite: func(a []expr.Expr) (expr.Expr, error) {
				if value.KindOf(a[0].Type()).Integer() {
					return expr.NewCall("make_timestamp_ms", a)
				}
				return expr.NewCall("$epoch_ms", a)
			},
		},
		&expr.Function{
			Name:       "make_timestamp_ms",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnRange,
			Args:       []expr.ArgClass{expr.IntArg},
			Out:        value.TypeTimestamp,
			Kernel: expr.PlainKernel(value.MapFixedErr(func(ms int64) (int64, error) {
				v, ok := cast.Mul64(ms, 1e3)
				if !ok {
					return 0, value.OutOfRange(value.TypeTimestamp)
				}
				return v, nil
			})),
		},
		&expr.Function{
			Name:       "$epoch_ms",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.InstantArg},
			Out:        value.TypeInt64,
			Kernel: expr.PlainKernel(func(c *value.KernelCall) (arrow.Array, error) {
				f, err := fieldReader("epoch_ms", c.Args[0])
				if err != nil {
					return nil, err
				}
				return f.ints(c)
			}),
		},
		&expr.Function{
			Name:       "strftime",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.AnyArg, expr.AnyArg},
			Rewrite: func(a []expr.Expr) (expr.Expr, error) {
				if value.KindOf(a[0].Type()) == value.KindText && value.KindOf(a[1].Type()) != value.KindText { // either order, as in DuckDB
					a[0], a[1] = a[1], a[0]
				}
				return expr.NewCall("$strftime", a)
			},
		},
		&expr.Function{
			Name:       "$strftime",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.InstantArg, expr.TextArg},
			Out:        value.TypeText,
			Result:     strftimeArgs,
			Kernel:     strftimeKernel,
		},
		&expr.Function{
			Name:       "strptime",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.TextArg, expr.TextArg},
			Out:        value.TypeTimestamp,
			Result:     strptimeType,
			Kernel:     strptimeKernel,
		},
		&expr.Function{
			Name:       "timezone",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.TextArg, expr.OpenArg},
			Result:     zoneType,
			Kernel:     zoneKernel,
		},
		&expr.Function{
			Name:       "last_day",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.InstantArg},
			Out:        value.TypeDate,
			Result:     asDate,
			Kernel: expr.PlainKernel(value.MapFixed(func(d int32) int32 {
				y, m, _ := cast.Civil(int64(d))
				return int32(cast.DaysOf(y, m, cast.DaysIn(y, m)))
			})),
		},
		&expr.Function{
			Name:       "monthname",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.InstantArg},
			Out:        value.TypeText,
			Result:     asDateText,
			Kernel: expr.TextOut(func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
				_, m, _ := cast.Civil(int64(value.NumsOf[int32](a.C.Args[0]).At(i)))
				w.WriteString(time.Month(m).String())
				return true, nil
			}),
		},
		&expr.Function{
			Name:       "dayname",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.InstantArg},
			Out:        value.TypeText,
			Result:     asDateText,
			Kernel: expr.TextOut(func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
				w.WriteString(time.Weekday(cast.FloorMod(int64(value.NumsOf[int32](a.C.Args[0]).At(i))+4, 7)).String())
				return true, nil
			}),
		},
		&expr.Function{
			Name:       "date",
			Category:   "datetime",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.AnyArg},
			Rewrite:    func(a []expr.Expr) (expr.Expr, error) { return expr.NewCast(a[0], value.TypeDate, false) },
		},
	)
	// year(x) is date_part('year', x), and so on.
	for name, part := range map[string]string{
		"year": "year", "quarter": "quarter", "month": "month", "week": "week", "weekofyear": "week", "day": "day", "dayofmonth": "day",
		"dayofweek": "dow", "weekday": "dow", "isodow": "isodow", "dayofyear": "doy", "isoyear": "isoyear", "decade": "decade",
		"century":    "century",
		"millennium": "millennium", "hour": "hour", "minute": "minute", "second": "second", "millisecond": "millisecond",
		"microsecond": "microsecond",
		"epoch":       "epoch",
	} {
		expr.Register(
			&expr.Function{
				Name:       name,
				Category:   "datetime",
				Volatility: expr.Immutable,
				Args:       []expr.ArgClass{expr.InstantArg},
				Rewrite: func(a []expr.Expr) (expr.Expr, error) {
					return expr.NewCall("date_part", []expr.Expr{expr.NewLiteral(part, value.TypeText), a[0]})
				},
			},
		)
	}
	// Each of these reads the clock where the call is made. The binder puts one value for the whole
	// execution of a statement in their place, and takes only their types from here.
	for _, f := range []struct {
		names []string
		t     arrow.DataType
	}{
		{[]string{"now", "current_timestamp", "get_current_timestamp", "transaction_timestamp", "statement_timestamp"},
			&arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}},
		{[]string{"localtimestamp", "current_localtimestamp"}, value.TypeTimestamp},
		{[]string{"current_date", "today"}, value.TypeDate},
		{[]string{"current_time", "localtime"}, value.TypeTime},
	} {
		t := f.t
		expr.Register(
			&expr.Function{
				Name:       f.names[0],
				Aliases:    f.names[1:],
				Category:   "datetime",
				Volatility: expr.Stable,
				Rewrite: func([]expr.Expr) (expr.Expr, error) {
					return expr.NewCast(expr.NewLiteral(time.Now().UnixMicro(), value.TypeTimestamp), t, false)
				},
			},
		)
	}
}

// parts are the names of fields, by every spelling.
var parts = map[string]string{}

func init() {
	for _, names := range []string{
		"year years yr yrs y", "quarter quarters", "month months mon mons", "week weeks w", "day days d dayofmonth",
		"dow dayofweek weekday", "isodow", "doy dayofyear", "isoyear", "decade decades", "century centuries c",
		"millennium millennia mil millenniums",
		"hour hours hr hrs h", "minute minutes min mins m", "second seconds sec secs s", "millisecond milliseconds ms msec msecs",
		"microsecond microseconds us usec usecs", "nanosecond nanoseconds ns", "epoch", "julian", "timezone", "timezone_hour",
		"timezone_minute", "epoch_ms", "era",
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
		return "", fault.New(fault.InvalidArgument, "there is no date part '%s'%s", name, expr.DidYouMean(name, known))
	}
	return p, nil
}

// constantPart is the part named by a constant first argument.
func constantPart(e expr.Expr, fn string) (string, error) {
	s, ok := expr.LiteralText(e)
	if !ok {
		return "", fault.New(fault.Unsupported, "%s with a part that is not a constant", fn)
	}
	return partOf(s)
}

// fractional parts are DOUBLE, all others BIGINT.
func fractional(part string) bool {
	return part == "second" || part == "millisecond" || part == "epoch" || part == "julian"
}

func partType(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	p, err := constantPart(a[0], "date_part")
	if err != nil {
		return nil, nil, err
	}
	if fractional(p) {
		return a, value.TypeFloat64, nil
	}
	return a, value.TypeInt64, nil
}

// field reads one part of each row.
type field struct {
	int   func(i int) int64
	float func(i int) float64 // fractional parts
}

func (f field) ints(c *value.KernelCall) (arrow.Array, error) {
	buf, out := value.NewFixed[int64](c.Mem(), c.N)
	for i := range out {
		if out[i] = 0; !c.Null(i) {
			out[i] = f.int(i)
		}
	}
	return c.Finish(buf), nil
}

func (f field) floats(c *value.KernelCall) (arrow.Array, error) {
	buf, out := value.NewFixed[float64](c.Mem(), c.N)
	for i := range out {
		if out[i] = 0; !c.Null(i) {
			out[i] = f.float(i)
		}
	}
	return c.Finish(buf), nil
}

func partKernel(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	part, err := constantPart(e.Args[0], "date_part")
	if err != nil {
		return nil, err
	}
	// Whether the type has the part shows without rows.
	if err := partFits(part, e.Args[1].Type()); err != nil {
		return nil, err
	}
	return func(c *value.KernelCall) (arrow.Array, error) {
		f, err := fieldReader(part, c.Args[1])
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
	clock := part == "hour" || part == "minute" || part == "second" || part == "millisecond" || part == "microsecond" ||
		part == "nanosecond" ||
		part == "epoch"
	ok := true
	switch value.KindOf(t) {
	case value.KindTime:
		ok = clock
	case value.KindInterval:
		switch part {
		case "year", "month", "day", "quarter", "decade", "century", "millennium":
		default:
			ok = clock
		}
	}
	if !ok {
		return fault.New(fault.InvalidArgument, "%s has no part '%s'", value.TypeName(t), part)
	}
	return nil
}

// fieldReader reads a part of dates, timestamps, times or intervals.
func fieldReader(part string, v value.Vec) (field, error) {
	switch value.KindOf(v.Arr.DataType()) {
	case value.KindInterval:
		return intervalField(part, cast.Intervals(v)), nil
	case value.KindTime:
		x, per := cast.Int64s(v), cast.PerSecond(value.TimeUnit(v.Arr.DataType()))
		return clockField(part, per, func(i int) int64 { n, _ := x(i); return n }), nil
	case value.KindDate:
		x := cast.Dates(v)
		return dateField(part, 1, x, func(i int) int64 { return x(i) * cast.SecondsPerDay }, func(int) int64 { return 0 }), nil
	}
	t := v.Arr.DataType().(*arrow.TimestampType)
	loc, err := cast.ZoneOf(t)
	if err != nil {
		return field{}, err
	}
	wall, per, err := cast.Walls(v)
	if err != nil {
		return field{}, err
	}
	raw := value.NumsOf[int64](v)
	days := func(i int) int64 { return cast.FloorDiv(wall(i), per*cast.SecondsPerDay) }
	switch part {
	case "hour", "minute", "second", "millisecond", "microsecond", "nanosecond":
		return clockField(part, per, func(i int) int64 { return cast.FloorMod(wall(i), per*cast.SecondsPerDay) }), nil
	}
	return dateField(part, per, days, raw.At, func(i int) int64 { return cast.OffsetAt(loc, cast.FloorDiv(raw.At(i), per)) }), nil
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
		return field{int: func(i int) int64 { v, _ := cast.RescaleUnit(minute(i), per, 1e6); return v }}
	case "nanosecond":
		return field{int: func(i int) int64 { return minute(i) * (1e9 / per) }}
	}
	return field{float: func(i int) float64 { return float64(clock(i)) / float64(per) }} // epoch
}

// dateField reads parts of a date; instant is in units of 1/per seconds, offset in seconds.
func dateField(part string, per int64, days, instant, offset func(i int) int64) field {
	year := func(i int) int64 { y, _, _ := cast.Civil(days(i)); return y }
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
		return field{int: func(i int) int64 { return int64(value.Bit(year(i) > 0)) }}
	case "year":
		return field{int: func(i int) int64 { return shown(year(i)) }}
	case "decade":
		return field{int: func(i int) int64 { return cast.FloorDiv(year(i), 10) }}
	case "century":
		return field{int: func(i int) int64 { return ages(year(i), 100) }}
	case "millennium":
		return field{int: func(i int) int64 { return ages(year(i), 1000) }}
	case "quarter":
		return field{int: func(i int) int64 { _, m, _ := cast.Civil(days(i)); return int64(m-1)/3 + 1 }}
	case "month":
		return field{int: func(i int) int64 { _, m, _ := cast.Civil(days(i)); return int64(m) }}
	case "day":
		return field{int: func(i int) int64 { _, _, d := cast.Civil(days(i)); return int64(d) }}
	case "dow":
		return field{int: func(i int) int64 { return cast.FloorMod(days(i)+4, 7) }}
	case "isodow":
		return field{int: func(i int) int64 { return cast.FloorMod(days(i)+3, 7) + 1 }}
	case "doy":
		return field{int: func(i int) int64 { d := days(i); y, _, _ := cast.Civil(d); return d - cast.DaysOf(y, 1, 1) + 1 }}
	case "week":
		return field{int: func(i int) int64 { _, w := cast.IsoWeek(days(i)); return w }}
	case "isoyear":
		return field{int: func(i int) int64 { y, _ := cast.IsoWeek(days(i)); return shown(y) }}
	case "epoch":
		return field{float: func(i int) float64 { return float64(instant(i)) / float64(per) }}
	case "epoch_ms":
		return field{int: func(i int) int64 {
			v, ok := cast.RescaleUnit(instant(i), per, 1e3)
			if !ok {
				return math.MaxInt64
			}
			return v
		}}
	case "julian":
		return field{float: func(i int) float64 {
			wall := float64(instant(i))/float64(per) + float64(offset(i))
			return 2440588 + wall/cast.SecondsPerDay
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
			return float64(
				v.Months/12,
			)*365.25*cast.SecondsPerDay + float64(
				v.Months%12,
			)*30*cast.SecondsPerDay + float64(
				v.Days,
			)*cast.SecondsPerDay + float64(
				v.Nanoseconds,
			)/1e9
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
func truncType(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	p, err := constantPart(a[0], "date_trunc")
	if err != nil {
		return nil, nil, err
	}
	switch p {
	case "dow", "isodow", "doy", "epoch", "julian", "timezone", "timezone_hour", "timezone_minute", "epoch_ms", "era", "isoyear":
		return nil, nil, fault.New(fault.InvalidArgument, "date_trunc does not cut to '%s'; it takes year, quarter, month, week, day, hour, …", p)
	}
	x := a[1]
	switch value.KindOf(x.Type()) {
	case value.KindDate:
		x = expr.ImplicitCast(x, value.TypeTimestamp)
	case value.KindTime:
		x = expr.ImplicitCast(x, value.TypeInterval)
	}
	if len(a) == 2 {
		return []expr.Expr{a[0], x}, x.Type(), nil
	}
	if t, ok := x.Type().(*arrow.TimestampType); !ok || t.TimeZone == "" {
		return nil, nil, fault.New(fault.InvalidArgument, "date_trunc in a zone needs TIMESTAMP WITH TIME ZONE, but %s is %s",
			expr.ShortText(x), value.TypeName(x.Type()))
	}
	return []expr.Expr{a[0], x, a[2]}, x.Type(), nil
}

func truncKernel(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	part, err := constantPart(e.Args[0], "date_trunc")
	if err != nil {
		return nil, err
	}
	if value.KindOf(e.T) == value.KindInterval {
		return func(c *value.KernelCall) (arrow.Array, error) {
			x := cast.Intervals(c.Args[1])
			buf, out := value.NewFixed[arrow.MonthDayNanoInterval](c.Mem(), c.N)
			for i := range out {
				out[i] = truncInterval(part, x(i))
			}
			return c.Finish(buf), nil
		}, nil
	}
	// The clocks of a zone can show an hour twice. What is cut off below a day is cut off the instant, so
	// that it stays in its hour; a day begins where its wall time says.
	days := !slices.Contains([]string{"hour", "minute", "second", "millisecond", "microsecond", "nanosecond"}, part)
	return func(c *value.KernelCall) (arrow.Array, error) {
		t := c.Type.(*arrow.TimestampType)
		zone := zones{name: t.TimeZone}
		var names value.Texts
		if len(c.Args) > 2 {
			names = value.TextsOf(c.Args[2])
		}
		loc, err := zone.location()
		if err != nil {
			return nil, err
		}
		per, x := cast.PerSecond(t.Unit), value.NumsOf[int64](c.Args[1])
		buf, out := value.NewFixed[int64](c.Mem(), c.N)
		for i := range out {
			if out[i] = 0; c.Null(i) {
				continue
			}
			if len(c.Args) > 2 {
				if loc, err = zone.at(names.Str(i)); err != nil {
					buf.Release()
					return nil, err
				}
			}
			v := x.At(i)
			wall := cast.Local(loc, v, per)
			if cut := truncWall(part, wall, per); days {
				out[i] = cast.Instant(loc, cut, per)
			} else {
				out[i] = v - (wall - cut)
			}
		}
		return c.Finish(buf), nil
	}, nil
}

// zones loads time zones by name, and keeps the last one.
type zones struct {
	name string
	loc  *time.Location
}

func (z *zones) location() (*time.Location, error) {
	if z.loc == nil {
		loc, err := cast.LoadZone(z.name)
		if err != nil {
			return nil, err
		}
		z.loc = loc
	}
	return z.loc, nil
}

func (z *zones) at(name string) (*time.Location, error) {
	if name != z.name {
		*z = zones{name: strings.Clone(name)}
	}
	return z.location()
}

// truncWall cuts wall time, in units of 1/per seconds, to a part.
func truncWall(part string, wall, per int64) int64 {
	perDay := per * cast.SecondsPerDay
	days := cast.FloorDiv(wall, perDay)
	switch part {
	case "microsecond", "millisecond", "second", "minute", "hour":
		step := map[string]int64{"second": per, "minute": 60 * per, "hour": 3600 * per, "millisecond": per / 1e3, "microsecond": per / 1e6}[part]
		if step <= 1 {
			return wall
		}
		return cast.FloorDiv(wall, step) * step
	case "nanosecond":
		return wall
	}
	return truncDays(part, days) * perDay
}

func truncDays(part string, days int64) int64 {
	y, m, _ := cast.Civil(days)
	switch part {
	case "week":
		return days - cast.FloorMod(days+3, 7)
	case "month":
		return cast.DaysOf(y, m, 1)
	case "quarter":
		return cast.DaysOf(y, (m-1)/3*3+1, 1)
	case "year":
		return cast.DaysOf(y, 1, 1)
	case "decade":
		return cast.DaysOf(cast.FloorDiv(y, 10)*10, 1, 1)
	case "century":
		return cast.DaysOf(cast.FloorDiv(y-1, 100)*100+1, 1, 1)
	case "millennium":
		return cast.DaysOf(cast.FloorDiv(y-1, 1000)*1000+1, 1, 1)
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

func diffTypes(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	if _, err := constantPart(a[0], "date_diff"); err != nil {
		return nil, nil, err
	}
	both, t, err := expr.Unify("date_diff", a[1:])
	if err != nil {
		return nil, nil, err
	}
	if value.KindOf(t) == value.KindDate {
		both = []expr.Expr{expr.ImplicitCast(both[0], value.TypeTimestamp), expr.ImplicitCast(both[1], value.TypeTimestamp)}
	} else if value.KindOf(t) != value.KindTimestamp {
		return nil, nil, fault.New(fault.InvalidArgument, "date_diff needs dates or timestamps, not %s", value.TypeName(t))
	}
	return []expr.Expr{a[0], both[0], both[1]}, value.TypeInt64, nil
}

// diffKernel counts how many borders between parts lie between two times, as DuckDB does.
func diffKernel(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	part, err := constantPart(e.Args[0], "date_diff")
	if err != nil {
		return nil, err
	}
	return func(c *value.KernelCall) (arrow.Array, error) {
		x, per, err := cast.Walls(c.Args[1])
		if err != nil {
			return nil, err
		}
		y, _, err := cast.Walls(c.Args[2])
		if err != nil {
			return nil, err
		}
		number, err := partNumber(part, per)
		if err != nil {
			return nil, err
		}
		buf, out := value.NewFixed[int64](c.Mem(), c.N)
		for i := range out {
			if out[i] = 0; !c.Null(i) {
				out[i] = number(y(i)) - number(x(i))
			}
		}
		return c.Finish(buf), nil
	}, nil
}

// partNumber numbers the parts of the time line, so that differences count borders.
func partNumber(part string, per int64) (func(wall int64) int64, error) {
	perDay := per * cast.SecondsPerDay
	month := func(wall int64) int64 { y, m, _ := cast.Civil(cast.FloorDiv(wall, perDay)); return y*12 + int64(m-1) }
	switch part {
	case "millennium":
		return func(w int64) int64 { return cast.FloorDiv(month(w), 12000) }, nil
	case "century":
		return func(w int64) int64 { return cast.FloorDiv(month(w), 1200) }, nil
	case "decade":
		return func(w int64) int64 { return cast.FloorDiv(month(w), 120) }, nil
	case "year":
		return func(w int64) int64 { return cast.FloorDiv(month(w), 12) }, nil
	case "quarter":
		return func(w int64) int64 { return cast.FloorDiv(month(w), 3) }, nil
	case "month":
		return month, nil
	case "week":
		return func(w int64) int64 { return cast.FloorDiv(cast.FloorDiv(w, perDay)+3, 7) }, nil
	case "day", "dow", "doy":
		return func(w int64) int64 { return cast.FloorDiv(w, perDay) }, nil
	case "hour":
		return func(w int64) int64 { return cast.FloorDiv(w, 3600*per) }, nil
	case "minute":
		return func(w int64) int64 { return cast.FloorDiv(w, 60*per) }, nil
	case "second", "epoch":
		return func(w int64) int64 { return cast.FloorDiv(w, per) }, nil
	case "millisecond", "microsecond", "nanosecond":
		to := map[string]int64{"millisecond": 1e3, "microsecond": 1e6, "nanosecond": 1e9}[part]
		return func(w int64) int64 {
			if to >= per {
				return w * (to / per)
			}
			return cast.FloorDiv(w, per/to)
		}, nil
	}
	return nil, fault.New(fault.InvalidArgument, "date_diff does not count '%s'; it takes year, month, week, day, hour, …", part)
}

// ---- Making -----------------------------------------------------------------------------------

// makeDate takes years before 1 as extract shows them: the year before 1 is -1, and there is no year 0.
func makeDate(a *expr.RowArgs, i int) (int32, bool, error) {
	shown, m, d := a.Int(0, i), a.Int(1, i), a.Int(2, i)
	y := shown
	if y < 0 {
		y++
	}
	if shown == 0 || y < -290000 || y > 294276 || m < 1 || m > 12 || d < 1 || d > int64(cast.DaysIn(y, int(m))) {
		return 0, false, fault.New(fault.InvalidArgument, "there is no date %d-%02d-%02d", shown, m, d)
	}
	return int32(cast.DaysOf(y, int(m), int(d))), true, nil
}

// makeClock makes a time of day in microseconds out of hour, minute and second from argument k on.
func makeClock(a *expr.RowArgs, i, k int) (int64, error) {
	h, m, s := a.Int(k, i), a.Int(k+1, i), a.Float(k+2, i)
	// 60 seconds are a minute, and 24:00:00 is the end of the day.
	if h < 0 || h > 24 || m < 0 || m > 59 || !(s >= 0 && s <= 60) || h == 24 && (m > 0 || s > 0) {
		return 0, fault.New(fault.InvalidArgument, "there is no time %02d:%02d:%v", h, m, s)
	}
	return (h*3600+m*60)*1e6 + int64(math.Round(s*1e6)), nil
}

func asDate(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	if k := value.KindOf(a[0].Type()); k != value.KindDate && k != value.KindTimestamp {
		return nil, nil, fault.New(
			fault.InvalidArgument,
			"a date or timestamp is needed, but %s is %s",
			expr.ShortText(a[0]),
			value.TypeName(a[0].Type()),
		)
	}
	return []expr.Expr{expr.ImplicitCast(a[0], value.TypeDate)}, value.TypeDate, nil
}

func asDateText(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	a, _, err := asDate(a)
	return a, value.TypeText, err
}

// zoneType is x AT TIME ZONE z: a time without a zone is read on the clocks of z, one with a zone is
// shown on them.
// A literal is an instant, as in PostgreSQL: an offset in it counts, and without one it is in UTC.
func zoneType(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	x := expr.Decoded(a[1])
	switch {
	case expr.UnknownString(x):
		var err error
		if x, err = expr.Coerce(x, &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}); err != nil {
			return nil, nil, err
		}
	case expr.Undecided(x):
		var err error
		if x, err = expr.Coerce(x, value.TypeTimestamp); err != nil {
			return nil, nil, err
		}
	}
	if value.KindOf(x.Type()) == value.KindDate {
		x = expr.ImplicitCast(x, value.TypeTimestamp)
	}
	t, ok := x.Type().(*arrow.TimestampType)
	if !ok {
		return nil, nil, fault.New(
			fault.InvalidArgument,
			"AT TIME ZONE needs a timestamp, but %s is %s",
			expr.ShortText(x),
			value.TypeName(x.Type()),
		)
	}
	out := &arrow.TimestampType{Unit: t.Unit}
	if t.TimeZone == "" {
		out.TimeZone = "UTC"
	}
	return []expr.Expr{a[0], x}, out, nil
}

func zoneKernel(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	in := e.Args[1].Type().(*arrow.TimestampType)
	per := cast.PerSecond(in.Unit)
	if z, ok := expr.LiteralText(e.Args[0]); ok {
		if _, err := cast.LoadZone(z); err != nil {
			return nil, err
		}
	}
	return func(c *value.KernelCall) (arrow.Array, error) {
		names, x := value.TextsOf(c.Args[0]), value.NumsOf[int64](c.Args[1])
		buf, out := value.NewFixed[int64](c.Mem(), c.N)
		var zone zones
		for i := range out {
			if out[i] = 0; c.Null(i) {
				continue
			}
			loc, err := zone.at(names.Str(i))
			if err != nil {
				buf.Release()
				return nil, err
			}
			if in.TimeZone == "" {
				out[i] = cast.Instant(loc, x.At(i), per)
			} else {
				out[i] = cast.Local(loc, x.At(i), per)
			}
		}
		return c.Finish(buf), nil
	}, nil
}
