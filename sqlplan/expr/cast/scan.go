package cast

import (
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// Text as dates, times and intervals. Everything returns ok false for text that is not of the form;
// the caller knows the types for the message.

// Scanner reads a text from the left.
type Scanner struct {
	S string
	I int
}

func (p *Scanner) Done() bool { return p.I >= len(p.S) }

func (p *Scanner) peek() byte {
	if p.I < len(p.S) {
		return p.S[p.I]
	}
	return 0
}

func (p *Scanner) Accept(c byte) bool {
	if p.peek() == c {
		p.I++
		return true
	}
	return false
}

func (p *Scanner) Spaces() {
	for p.peek() == ' ' || p.peek() == '\t' {
		p.I++
	}
}

func IsDigit(c byte) bool { return c >= '0' && c <= '9' }

// Number reads between least and most digits.
func (p *Scanner) Number(least, most int) (int64, bool) {
	start := p.I
	var v int64
	for p.I-start < most && IsDigit(p.peek()) {
		v = v*10 + int64(p.S[p.I]-'0')
		p.I++
	}
	return v, p.I-start >= least
}

// Word reads letters.
func (p *Scanner) Word() string {
	start := p.I
	for c := p.peek(); c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'; c = p.peek() {
		p.I++
	}
	return strings.ToLower(p.S[start:p.I])
}

// date reads YYYY-MM-DD, YYYY/MM/DD or YYYYMMDD; bc says that the year is one before Christ.
func (p *Scanner) date(bc bool) (days int64, ok bool) {
	year, ok := p.Number(1, 8)
	if !ok {
		return 0, false
	}
	var month, day int64
	if sep := p.peek(); sep == '-' || sep == '/' {
		p.I++
		if month, ok = p.Number(1, 2); !ok || !p.Accept(sep) {
			return 0, false
		}
		if day, ok = p.Number(1, 2); !ok {
			return 0, false
		}
	} else {
		month, day, year = year/100%100, year%100, year/10000
	}
	if bc {
		if year = 1 - year; year > 0 {
			return 0, false
		}
	}
	if !bc && year == 0 || month < 1 || month > 12 || day < 1 || year > 294276 || int(day) > DaysIn(year, int(month)) {
		return 0, false
	}
	return DaysOf(year, int(month), int(day)), true
}

// clock reads HH:MM[:SS[.fraction]] [AM|PM] as nanoseconds of the day; 24:00:00 is allowed.
func (p *Scanner) clock() (nanos int64, ok bool) {
	h, ok := p.Number(1, 2)
	if !ok || !p.Accept(':') {
		return 0, false
	}
	m, ok := p.Number(2, 2)
	if !ok {
		return 0, false
	}
	var s, frac int64
	if p.Accept(':') {
		if s, ok = p.Number(2, 2); !ok {
			return 0, false
		}
		if p.Accept('.') {
			if frac, ok = p.Fraction(); !ok {
				return 0, false
			}
		}
	}
	save := p.I
	p.Spaces()
	switch p.Word() {
	case "am":
		if h < 1 || h > 12 {
			return 0, false
		}
		h %= 12
	case "pm":
		if h < 1 || h > 12 {
			return 0, false
		}
		h = h%12 + 12
	default:
		p.I = save
	}
	nanos = (h*3600+m*60+s)*1e9 + frac
	if h > 24 || m > 59 || s > 60 || nanos > NanosPerDay {
		return 0, false
	}
	return nanos, true
}

// Fraction reads the digits behind a point as nanoseconds; digits beyond the ninth are dropped.
func (p *Scanner) Fraction() (int64, bool) {
	start := p.I
	var v int64
	for n := 0; IsDigit(p.peek()); n++ {
		if n < 9 {
			v = v*10 + int64(p.peek()-'0')
		}
		p.I++
	}
	for n := p.I - start; n < 9; n++ {
		v *= 10
	}
	return v, p.I > start
}

// Offset reads +HH, +HHMM, +HH:MM[:SS] as seconds.
func (p *Scanner) Offset() (int, bool) {
	sign := 1
	switch {
	case p.Accept('-'):
		sign = -1
	case !p.Accept('+'):
		return 0, false
	}
	h, ok := p.Number(2, 2)
	if !ok {
		if h, ok = p.Number(1, 1); !ok {
			p.I--
			if h, ok = p.Number(1, 1); !ok {
				return 0, false
			}
		}
	}
	var m, s int64
	if p.Accept(':') {
		if m, ok = p.Number(2, 2); !ok {
			return 0, false
		}
		if p.Accept(':') {
			if s, ok = p.Number(2, 2); !ok {
				return 0, false
			}
		}
	} else if IsDigit(p.peek()) {
		if m, ok = p.Number(2, 2); !ok {
			return 0, false
		}
	}
	if h > 15 || m > 59 || s > 59 {
		return 0, false
	}
	return sign * int(h*3600+m*60+s), true
}

// HasZone reports whether a text is a timestamp that names its zone or offset.
func HasZone(s string) bool {
	t, ok := scanTimestamp(s)
	return ok && t.zone != nil
}

// instantText is a parsed timestamp: wall time, and the zone if the text has one.
type instantText struct {
	days, nanos int64 // wall time
	zone        *time.Location
}

// scanTimestamp reads a date with an optional time of day and zone, and BC at the end.
func scanTimestamp(s string) (t instantText, ok bool) {
	s = strings.TrimSpace(s)
	bc := len(s) > 3 && strings.EqualFold(s[len(s)-3:], " bc")
	if bc {
		s = strings.TrimSpace(s[:len(s)-3])
	}
	p := &Scanner{S: s}
	if t.days, ok = p.date(bc); !ok {
		return t, false
	}
	if p.Done() {
		return t, true
	}
	if c := p.peek(); c == 'T' || c == 't' {
		p.I++
	} else if c == ' ' || c == '\t' {
		p.Spaces()
	} else {
		return t, false
	}
	if t.nanos, ok = p.clock(); !ok {
		return t, false
	}
	p.Spaces()
	if p.Done() {
		return t, true
	}
	if c := p.peek(); c == '+' || c == '-' {
		off, ok := p.Offset()
		t.zone = time.FixedZone("", off)
		return t, ok && p.Done()
	}
	loc, err := LoadZone(p.S[p.I:])
	t.zone = loc
	return t, err == nil
}

// scanDate reads a date; a time of day behind it is dropped, as PostgreSQL does.
func scanDate(s string) (days int64, ok bool) {
	t, ok := scanTimestamp(s)
	return t.days, ok && t.days >= math.MinInt32 && t.days <= math.MaxInt32
}

// in returns the timestamp in the unit of its type. Without a zone in the type, a zone in the text is
// ignored; with one, a text without a zone is local time there.
func (t instantText) in(typ *arrow.TimestampType, loc *time.Location) (int64, bool) {
	per := PerSecond(typ.Unit)
	nanos := t.nanos
	ticks := roundEven(nanos, int64(1e9)/per)
	v, ok := MulAdd(t.days, SecondsPerDay*per, ticks)
	if !ok {
		return 0, false
	}
	if typ.TimeZone == "" {
		return v, true
	}
	if t.zone != nil {
		loc = t.zone
	}
	return Instant(loc, v, per), true
}

// roundEven is how many steps there are in v, which is not negative, a half going to the even number as
// in PostgreSQL's reading of fractions of a second.
func roundEven(v, step int64) int64 {
	q, rest := v/step, v%step
	if rest > step/2 || step > 1 && rest == step/2 && q%2 == 1 {
		q++
	}
	return q
}

// MulAdd is a*b+c without overflow; b > 0.
func MulAdd(a, b, c int64) (int64, bool) {
	p, ok := Mul64(a, b)
	if !ok {
		return 0, false
	}
	s := p + c
	return s, (p^s)&(c^s) >= 0
}

func Mul64(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	h := int64(hi)
	if a < 0 {
		h -= b
	}
	if b < 0 {
		h -= a
	}
	return int64(lo), h == int64(lo)>>63
}

func scanTime(s string) (nanos int64, ok bool) {
	p := &Scanner{S: strings.TrimSpace(s)}
	if nanos, ok = p.clock(); ok && p.Done() {
		return nanos, true
	}
	// A whole timestamp yields its time of day.
	t, ok := scanTimestamp(s)
	return t.nanos, ok && strings.ContainsRune(s, ':')
}

// intervalUnits are the parts one unit stands for.
var intervalUnits = map[string]struct{ months, days, nanos int64 }{
	"millennium": {months: 12000}, "millennia": {months: 12000}, "mil": {months: 12000},
	"century": {months: 1200}, "centuries": {months: 1200}, "c": {months: 1200},
	"decade": {months: 120}, "decades": {months: 120}, "dec": {months: 120},
	"year": {months: 12}, "years": {months: 12}, "yr": {months: 12}, "yrs": {months: 12}, "y": {months: 12},
	"quarter": {months: 3}, "quarters": {months: 3},
	"month": {months: 1}, "months": {months: 1}, "mon": {months: 1}, "mons": {months: 1},
	"week": {days: 7}, "weeks": {days: 7}, "w": {days: 7},
	"day": {days: 1}, "days": {days: 1}, "d": {days: 1},
	"hour": {nanos: 3600e9}, "hours": {nanos: 3600e9}, "hr": {nanos: 3600e9}, "hrs": {nanos: 3600e9}, "h": {nanos: 3600e9},
	"minute": {nanos: 60e9}, "minutes": {nanos: 60e9}, "min": {nanos: 60e9}, "mins": {nanos: 60e9}, "m": {nanos: 60e9},
	"second": {nanos: 1e9}, "seconds": {nanos: 1e9}, "sec": {nanos: 1e9}, "secs": {nanos: 1e9}, "s": {nanos: 1e9},
	"millisecond": {nanos: 1e6}, "milliseconds": {nanos: 1e6}, "msec": {nanos: 1e6}, "msecs": {nanos: 1e6}, "ms": {nanos: 1e6},
	"microsecond": {nanos: 1e3}, "microseconds": {nanos: 1e3}, "usec": {nanos: 1e3}, "usecs": {nanos: 1e3}, "us": {nanos: 1e3},
	"nanosecond": {nanos: 1}, "nanoseconds": {nanos: 1}, "ns": {nanos: 1},
}

// intervalSum adds up the parts of an interval and remembers whether they fit.
type intervalSum struct {
	months, days, nanos int64
	bad                 bool
}

// add adds n units, plus frac units (0 <= frac < 1) of the same sign as n. As in PostgreSQL, fractions
// of years become months, rounded to whole ones; fractions of months become days (30 each), and
// fractions of days become time.
func (v *intervalSum) add(n int64, frac float64, unit struct{ months, days, nanos int64 }) {
	sum := func(to *int64, by int64) {
		p, ok := MulAdd(n, by, *to)
		*to, v.bad = p, v.bad || !ok
	}
	switch {
	case unit.months%12 == 0 && unit.months != 0:
		sum(&v.months, unit.months)
		v.months += int64(math.RoundToEven(frac * float64(unit.months)))
	case unit.months != 0:
		sum(&v.months, unit.months)
		part := frac * float64(unit.months)
		whole := math.Trunc(part)
		v.months += int64(whole)
		v.addDays((part - whole) * 30)
	case unit.days != 0:
		sum(&v.days, unit.days)
		v.addDays(frac * float64(unit.days))
	default:
		sum(&v.nanos, unit.nanos)
		v.nanos += int64(math.Round(frac * float64(unit.nanos)))
	}
}

// addDays adds a number of days that need not be whole, to the microsecond.
func (v *intervalSum) addDays(days float64) {
	whole := math.Trunc(days)
	v.days += int64(whole)
	v.nanos += roundMicros((days - whole) * NanosPerDay)
}

func roundMicros(nanos float64) int64 { return int64(math.Round(nanos/1e3)) * 1e3 }

func (v *intervalSum) value() (arrow.MonthDayNanoInterval, bool) {
	ok := !v.bad && int64(int32(v.months)) == v.months && int64(int32(v.days)) == v.days
	return arrow.MonthDayNanoInterval{Months: int32(v.months), Days: int32(v.days), Nanoseconds: v.nanos}, ok
}

// ScanInterval reads PostgreSQL's and ISO 8601's forms: "1 year 2 days 03:04:05", "-1.5 hours",
// "3 days ago", "P1Y2M3DT4H5M6S", "1-2" (years and months). unit, upper case, is that of INTERVAL '1'
// DAY, or "". What is smaller than the unit is cut off.
func ScanInterval(s, unit string) (arrow.MonthDayNanoInterval, bool) {
	v, ok := scanInterval(s, unit)
	switch unit[strings.LastIndexByte(unit, ' ')+1:] {
	case "YEAR":
		v = arrow.MonthDayNanoInterval{Months: v.Months / 12 * 12}
	case "MONTH":
		v = arrow.MonthDayNanoInterval{Months: v.Months}
	case "DAY":
		v.Nanoseconds = 0
	case "HOUR":
		v.Nanoseconds -= v.Nanoseconds % 3600e9
	case "MINUTE":
		v.Nanoseconds -= v.Nanoseconds % 60e9
	}
	return v, ok
}

func scanInterval(s, unit string) (arrow.MonthDayNanoInterval, bool) {
	var v intervalSum
	p := &Scanner{S: strings.TrimSpace(s)}
	if p.Done() {
		return arrow.MonthDayNanoInterval{}, false
	}
	if c := p.peek(); c == 'P' || c == 'p' {
		return scanISOInterval(p)
	}
	// "DAY TO SECOND": a bare number counts the last unit.
	if i := strings.LastIndexByte(unit, ' '); i >= 0 {
		unit = unit[i+1:]
	}
	bare := "second"
	if unit != "" {
		bare = strings.ToLower(unit)
	}
	ago, seenBare := false, false
	for p.Spaces(); !p.Done(); p.Spaces() {
		if p.Accept('@') {
			continue
		}
		if w := p.S[p.I:]; strings.EqualFold(w, "ago") {
			ago = true
			break
		}
		sign := int64(1)
		if p.Accept('-') {
			sign = -1
		} else {
			p.Accept('+')
		}
		start := p.I
		n, ok := p.Number(1, 18)
		if !ok && p.peek() != '.' {
			return arrow.MonthDayNanoInterval{}, false
		}
		switch {
		case p.peek() == ':': // clock
			p.I = start
			nanos, ok := p.hours()
			if !ok {
				return arrow.MonthDayNanoInterval{}, false
			}
			v.nanos += sign * nanos
			continue
		case p.peek() == '-' && p.I > start: // years-months
			p.I++
			m, ok := p.Number(1, 2)
			if !ok || m > 11 || !p.Done() && p.peek() != ' ' && p.peek() != '\t' { // "2024-03-05" is a date
				return arrow.MonthDayNanoInterval{}, false
			}
			v.add(sign*n, 0, intervalUnits["year"])
			v.months += sign * m
			continue
		}
		frac := 0.0
		if p.Accept('.') {
			from := p.I - 1
			for IsDigit(p.peek()) {
				p.I++
			}
			frac, _ = strconv.ParseFloat("0"+p.S[from:p.I], 64)
			if p.I == from+1 && p.I == start+1 {
				return arrow.MonthDayNanoInterval{}, false
			}
		}
		p.Spaces()
		save := p.I
		name := p.Word()
		if name == "" || name == "ago" {
			p.I = save
			name = bare
			if p.clockAhead() { // "1 12:30:00"
				name = "day"
			} else if seenBare { // "1 2 3" does not say what each number counts.
				return arrow.MonthDayNanoInterval{}, false
			} else {
				seenBare = true
			}
		}
		u, ok := intervalUnits[name]
		if !ok {
			return arrow.MonthDayNanoInterval{}, false
		}
		v.add(sign*n, float64(sign)*frac, u)
	}
	if ago {
		v.months, v.days, v.nanos = -v.months, -v.days, -v.nanos
	}
	return v.value()
}

// clockAhead says whether digits and a colon come next.
func (p *Scanner) clockAhead() bool {
	q := *p
	if !q.Accept('+') {
		q.Accept('-')
	}
	_, ok := q.Number(1, 7)
	return ok && q.peek() == ':'
}

// hours reads H:MM[:SS[.fraction]] with any number of hours.
func (p *Scanner) hours() (int64, bool) {
	h, ok := p.Number(1, 7)
	if !ok || h > 2562047 || !p.Accept(':') {
		return 0, false
	}
	m, ok := p.Number(1, 2)
	if !ok || m > 59 {
		return 0, false
	}
	var s, frac int64
	if p.Accept(':') {
		if s, ok = p.Number(1, 2); !ok || s > 59 {
			return 0, false
		}
		if p.Accept('.') {
			if frac, ok = p.Fraction(); !ok {
				return 0, false
			}
		}
	}
	return (h*3600+m*60+s)*1e9 + frac, true
}

// scanISOInterval reads P1Y2M3W4DT5H6M7.8S.
func scanISOInterval(p *Scanner) (arrow.MonthDayNanoInterval, bool) {
	var v intervalSum
	p.I++
	inTime, any := false, false
	for !p.Done() {
		if p.Accept('T') || p.Accept('t') {
			inTime = true
			continue
		}
		sign := int64(1)
		if p.Accept('-') {
			sign = -1
		}
		n, ok := p.Number(1, 18)
		if !ok {
			return arrow.MonthDayNanoInterval{}, false
		}
		frac := 0.0
		if p.peek() == '.' {
			from := p.I
			p.I++
			for IsDigit(p.peek()) {
				p.I++
			}
			frac, _ = strconv.ParseFloat("0"+p.S[from:p.I], 64)
		}
		name, ok := map[byte]string{'Y': "year", 'M': "month", 'W': "week", 'D': "day"}[p.peek()&^0x20]
		if inTime {
			name, ok = map[byte]string{'H': "hour", 'M': "minute", 'S': "second"}[p.peek()&^0x20]
		}
		if !ok {
			return arrow.MonthDayNanoInterval{}, false
		}
		p.I++
		v.add(sign*n, float64(sign)*frac, intervalUnits[name])
		any = true
	}
	if !any {
		return arrow.MonthDayNanoInterval{}, false
	}
	return v.value()
}
