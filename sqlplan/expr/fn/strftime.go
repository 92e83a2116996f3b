package fn

import (
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/value"
)

// strftime and strptime with the codes of C, as in DuckDB.

func strftimeArgs(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	x := a[0]
	switch value.KindOf(x.Type()) {
	case value.KindDate:
		x = expr.ImplicitCast(x, value.TypeTimestamp)
	case value.KindTimestamp:
	default:
		return nil, nil, fault.New(
			fault.InvalidArgument,
			"strftime needs a date or timestamp, but %s is %s",
			expr.ShortText(x),
			value.TypeName(x.Type()),
		)
	}
	return []expr.Expr{x, a[1]}, value.TypeText, nil
}

func strftimeKernel(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	t := e.Args[0].Type().(*arrow.TimestampType)
	loc, err := cast.ZoneOf(t)
	if err != nil {
		return nil, err
	}
	per := cast.PerSecond(t.Unit)
	return expr.TextOut(func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
		v := value.NumsOf[int64](a.C.Args[0]).At(i)
		var err error
		w.Append(func(dst []byte) []byte {
			dst, err = appendStrftime(dst, a.Str(1, i), v, per, loc, t.TimeZone)
			return dst
		})
		return true, err
	})(e)
}

// appendStrftime writes an instant, in units of 1/per seconds, after a format.
func appendStrftime(b []byte, format string, v, per int64, loc *time.Location, zone string) ([]byte, error) {
	wall := cast.Local(loc, v, per)
	days := cast.FloorDiv(wall, per*cast.SecondsPerDay)
	clock := wall - days*per*cast.SecondsPerDay
	year, month, day := cast.Civil(days)
	hour, minute, second := clock/per/3600, clock/per/60%60, clock/per%60
	nanos := clock % per * (1e9 / per)
	dow := cast.FloorMod(days+4, 7)
	doy := days - cast.DaysOf(year, 1, 1)
	hour12 := (hour+11)%12 + 1
	ampm := "AM"
	if hour >= 12 {
		ampm = "PM"
	}
	num := func(n int64, width int, padded bool) {
		if padded {
			b = cast.AppendPadded(b, n, width)
		} else {
			b = strconv.AppendInt(b, n, 10)
		}
	}
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b = append(b, format[i])
			continue
		}
		i++
		padded := true
		if i < len(format) && format[i] == '-' {
			padded = false
			i++
		}
		if i >= len(format) {
			return b, fault.New(fault.InvalidArgument, "the format '%s' ends with %%", format)
		}
		switch format[i] {
		case 'Y':
			num(year, 4, padded)
		case 'y':
			num(cast.FloorMod(year, 100), 2, padded)
		case 'm':
			num(int64(month), 2, padded)
		case 'd':
			num(int64(day), 2, padded)
		case 'H':
			num(hour, 2, padded)
		case 'I':
			num(hour12, 2, padded)
		case 'M':
			num(minute, 2, padded)
		case 'S':
			num(second, 2, padded)
		case 'f':
			num(nanos/1e3, 6, padded)
		case 'g':
			num(nanos/1e6, 3, padded)
		case 'n':
			num(nanos, 9, padded)
		case 'j':
			num(doy+1, 3, padded)
		case 'p':
			b = append(b, ampm...)
		case 'a':
			b = append(b, time.Weekday(dow).String()[:3]...)
		case 'A':
			b = append(b, time.Weekday(dow).String()...)
		case 'b', 'h':
			b = append(b, time.Month(month).String()[:3]...)
		case 'B':
			b = append(b, time.Month(month).String()...)
		case 'w':
			num(dow, 1, padded)
		case 'u':
			num(cast.FloorMod(dow+6, 7)+1, 1, padded)
		case 'U':
			num((doy+7-dow)/7, 2, padded)
		case 'W':
			num((doy+7-cast.FloorMod(dow+6, 7))/7, 2, padded)
		case 'V':
			_, w := cast.IsoWeek(days)
			num(w, 2, padded)
		case 'G':
			y, _ := cast.IsoWeek(days)
			num(y, 4, padded)
		case 's':
			num(cast.FloorDiv(v, per), 1, false)
		case 'z':
			b = cast.AppendOffset(b, cast.OffsetAt(loc, cast.FloorDiv(v, per)))
		case 'Z':
			b = append(b, zone...)
		case 'F', 'x':
			b = cast.AppendDate(b, days)
		case 'T', 'X':
			b = cast.AppendClock(b, hour*3600+minute*60+second, 1)
		case 'c':
			b = append(cast.AppendDate(b, days), ' ')
			b = cast.AppendClock(b, hour*3600+minute*60+second, 1)
		case '%':
			b = append(b, '%')
		default:
			return b, fault.New(fault.InvalidArgument, "unknown format code %%%c in '%s'", format[i], format)
		}
	}
	return b, nil
}

// strptimeType is the type of what strptime reads: nanoseconds where the format has them, microseconds
// otherwise.
func strptimeType(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	if format, ok := expr.LiteralText(a[1]); ok && strings.Contains(strings.ReplaceAll(format, "%%", ""), "%n") {
		return a, &arrow.TimestampType{Unit: arrow.Nanosecond}, nil
	}
	return a, value.TypeTimestamp, nil
}

// strptimeKernel reads a time after a format. What the format leaves out is 1900-01-01 00:00:00.
func strptimeKernel(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	per := cast.PerSecond(e.T.(*arrow.TimestampType).Unit)
	return expr.FixedOut(func(a *expr.RowArgs, i int) (int64, bool, error) {
		text, format := a.Str(0, i), a.Str(1, i)
		seconds, nanos, ok, err := scanStrptime(text, format)
		if err != nil {
			return 0, false, err
		}
		if !ok {
			return 0, false, fault.New(fault.InvalidArgument, "%s does not match the format %s", cast.ShortQuoted(text), cast.ShortQuoted(format))
		}
		v, ok := cast.MulAdd(seconds, per, nanos/(1e9/per))
		if !ok {
			return 0, false, value.OutOfRange(e.T)
		}
		return v, true, nil
	})(e)
}

func scanStrptime(text, format string) (seconds, nanos int64, ok bool, err error) {
	p := &cast.Scanner{S: text}
	year, month, day, doy := int64(1900), int64(1), int64(1), int64(0)
	var hour, minute, second, offset int64
	pm, twelve := false, false
	number := func(to *int64, most int) bool { v, ok := p.Number(1, most); *to = v; return ok }
	name := func(to *int64, names func(int) string, first, n, short int) bool {
		rest := strings.ToLower(p.S[p.I:])
		for k := range n {
			full := strings.ToLower(names(first + k))
			for _, s := range []string{full, full[:min(short, len(full))]} {
				if strings.HasPrefix(rest, s) {
					*to = int64(first + k)
					p.I += len(s)
					return true
				}
			}
		}
		return false
	}
	monthName := func(k int) string { return time.Month(k).String() }
	dayName := func(k int) string { return time.Weekday(k).String() }
	// %F and %T stand for other codes.
	format = strings.NewReplacer("%%", "%%", "%F", "%Y-%m-%d", "%x", "%Y-%m-%d", "%T", "%H:%M:%S", "%X", "%H:%M:%S", "%c",
		"%Y-%m-%d %H:%M:%S", "%-", "%").
		Replace(format)
	for i := 0; i < len(format); i++ {
		if format[i] == ' ' {
			p.Spaces()
			continue
		}
		if format[i] != '%' || i+1 == len(format) {
			if !p.Accept(format[i]) {
				return 0, 0, false, nil
			}
			continue
		}
		i++
		ok, ignored := true, int64(0)
		switch format[i] {
		case 'Y':
			neg := p.Accept('-')
			ok = number(&year, 6)
			if neg {
				year = -year
			}
		case 'y':
			ok = number(&year, 2)
			if year += 1900; year < 1969 {
				year += 100
			}
		case 'm':
			ok = number(&month, 2)
		case 'd':
			ok = number(&day, 2)
		case 'j':
			ok = number(&doy, 3)
		case 'H':
			ok = number(&hour, 2)
		case 'I':
			ok = number(&hour, 2)
			twelve = true
		case 'M':
			ok = number(&minute, 2)
		case 'S':
			ok = number(&second, 2)
		case 'f', 'g', 'n':
			nanos, ok = p.Fraction()
		case 'p':
			switch p.Word() {
			case "pm":
				pm = true
			case "am":
			default:
				ok = false
			}
		case 'b', 'B', 'h':
			ok = name(&month, monthName, 1, 12, 3)
		case 'a', 'A':
			ok = name(&ignored, dayName, 0, 7, 3)
		case 'w', 'u':
			ok = number(&ignored, 1)
		case 'z':
			if p.Accept('Z') {
				break
			}
			var off int
			off, ok = p.Offset()
			offset = int64(off)
		case 's':
			var unix int64
			ok = number(&unix, 12)
			y, m, d := cast.Civil(cast.FloorDiv(unix, cast.SecondsPerDay))
			year, month, day = y, int64(m), int64(d)
			hour, minute, second = unix/3600%24, unix/60%60, unix%60
		case '%':
			ok = p.Accept('%')
		default:
			return 0, 0, false, fault.New(fault.InvalidArgument, "unknown format code %%%c in '%s'", format[i], format)
		}
		if !ok {
			return 0, 0, false, nil
		}
	}
	if twelve {
		hour %= 12
		if pm {
			hour += 12
		}
	}
	if !p.Done() || month < 1 || month > 12 || day < 1 || day > int64(cast.DaysIn(year, int(month))) || hour > 23 || minute > 59 ||
		second > 59 ||
		doy > 366 {
		return 0, 0, false, nil
	}
	days := cast.DaysOf(year, int(month), int(day))
	if doy > 0 {
		days = cast.DaysOf(year, 1, 1) + doy - 1
	}
	return days*cast.SecondsPerDay + hour*3600 + minute*60 + second - offset, nanos, true, nil
}
