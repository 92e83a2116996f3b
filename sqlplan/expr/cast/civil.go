package cast

import (
	"strings"
	"time"
	_ "time/tzdata" // zones must be known where the system has no database of them

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// The proleptic Gregorian calendar on plain integers. Go's time package does the same, but at ten times
// the cost, and these run once per row.

const (
	SecondsPerDay = 86400
	NanosPerDay   = SecondsPerDay * 1e9
	MicrosPerDay  = SecondsPerDay * 1e6
)

// Civil returns year (astronomical: 0 is 1 BC), month and day of a day number since 1970-01-01.
//
// The years are counted from 1 March, so that the leap day ends a year: day numbers of months are then
// (153m+2)/5. Source: Howard Hinnant, "chrono-compatible low-level date algorithms".
func Civil(days int64) (year int64, month, day int) {
	z := days + 719468 // since 0000-03-01
	era := FloorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = int(doy-(153*mp+2)/5) + 1
	month = int(mp) + 3
	year = yoe + era*400
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

// DaysOf is the day number of a date; month and day must be in range.
func DaysOf(year int64, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := FloorDiv(year, 400)
	yoe := year - era*400
	doy := int64((153*(month-3)+2)/5 + day - 1)
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

func leap(year int64) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func DaysIn(year int64, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if leap(year) {
			return 29
		}
		return 28
	}
	return 31
}

// AddMonths moves a day number by months, to the last day of the month where the day does not exist.
func AddMonths(days, months int64) int64 {
	if months == 0 {
		return days
	}
	y, m, d := Civil(days)
	total := y*12 + int64(m-1) + months
	y, m = FloorDiv(total, 12), int(FloorMod(total, 12))+1
	return DaysOf(y, m, min(d, DaysIn(y, m)))
}

func FloorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

func FloorMod(a, b int64) int64 { return a - FloorDiv(a, b)*b }

// PerSecond is how many of a unit make a second.
func PerSecond(u arrow.TimeUnit) int64 {
	switch u {
	case arrow.Second:
		return 1
	case arrow.Millisecond:
		return 1e3
	case arrow.Microsecond:
		return 1e6
	}
	return 1e9
}

// ZoneOf loads the location of a timestamp type; UTC if it has none.
func ZoneOf(t *arrow.TimestampType) (*time.Location, error) { return LoadZone(t.TimeZone) }

// LoadZone understands names of the IANA database and offsets such as +05:30.
func LoadZone(name string) (*time.Location, error) {
	switch strings.ToUpper(name) {
	case "", "UTC", "Z", "GMT":
		return time.UTC, nil
	}
	if name[0] == '+' || name[0] == '-' {
		p := Scanner{S: name}
		if off, ok := p.Offset(); ok && p.Done() {
			return time.FixedZone(name, off), nil
		}
	} else if !strings.EqualFold(name, "local") {
		if loc, err := time.LoadLocation(name); err == nil {
			return loc, nil
		}
	}
	return nil, fault.New(fault.InvalidArgument, "unknown time zone %q; use a name such as Europe/Berlin or an offset such as +02:00", name)
}

// OffsetAt is the offset of a zone in seconds at an instant in seconds since 1970.
func OffsetAt(loc *time.Location, unix int64) int64 {
	if loc == time.UTC {
		return 0
	}
	_, off := time.Unix(unix, 0).In(loc).Zone()
	return int64(off)
}

// instantOf is the instant (seconds since 1970) at which clocks in loc show wall (seconds since 1970 as
// if in UTC). A wall time that a change to summer time skips is read with the offset before the change.
func instantOf(loc *time.Location, wall int64) int64 {
	if loc == time.UTC {
		return wall
	}
	before := wall - OffsetAt(loc, wall-SecondsPerDay)
	after := wall - OffsetAt(loc, wall+SecondsPerDay)
	if before == after {
		return before
	}
	// Clocks that are put back show a time twice: take the second, which is standard time.
	if after+OffsetAt(loc, after) == wall {
		return after
	}
	return before
}

// Local turns an instant in units per second into local wall time in the same unit.
func Local(loc *time.Location, v, per int64) int64 {
	if loc == time.UTC {
		return v
	}
	return v + OffsetAt(loc, FloorDiv(v, per))*per
}

// Instant is the inverse of local.
func Instant(loc *time.Location, wall, per int64) int64 {
	if loc == time.UTC {
		return wall
	}
	s := FloorDiv(wall, per)
	return wall + (instantOf(loc, s)-s)*per
}

// IntervalSpan is the length of an interval in days and nanoseconds of a day.
func IntervalSpan(v arrow.MonthDayNanoInterval) (days, nanos int64) {
	days = FloorDiv(v.Nanoseconds, NanosPerDay)
	return days + int64(v.Months)*30 + int64(v.Days), v.Nanoseconds - days*NanosPerDay
}

// IsoWeek is the year and the week, from 1, that a day belongs to under ISO 8601.
func IsoWeek(days int64) (year, week int64) {
	thursday := days - FloorMod(days+3, 7) + 3
	y, _, _ := Civil(thursday)
	return y, (thursday-DaysOf(y, 1, 1))/7 + 1
}
