package cast

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"lanceflight/sqlplan/expr/value"
)

// Values as text, in PostgreSQL's forms. All append to b.

func BoolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// appendFloat writes the shortest text that reads back as the same number of the given width.
func appendFloat(b []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	}
	// PostgreSQL switches to exponents as printf's %g does, at 15 digits (6 for 32 bits).
	limit := 1e15
	if bits == 32 {
		limit = 1e6
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= limit) {
		return strconv.AppendFloat(b, f, 'e', -1, bits)
	}
	return strconv.AppendFloat(b, f, 'f', -1, bits)
}

func AppendPadded(b []byte, v int64, width int) []byte {
	if v < 0 {
		b = append(b, '-')
		v = -v
	}
	var buf [20]byte
	s := strconv.AppendInt(buf[:0], v, 10)
	for range width - len(s) {
		b = append(b, '0')
	}
	return append(b, s...)
}

// AppendDate writes YYYY-MM-DD, with " BC" behind years before 1.
func AppendDate(b []byte, days int64) []byte {
	y, m, d := Civil(days)
	bc := y < 1
	if bc {
		y = 1 - y
	}
	b = AppendPadded(b, y, 4)
	b = append(b, '-')
	b = AppendPadded(b, int64(m), 2)
	b = append(b, '-')
	b = AppendPadded(b, int64(d), 2)
	if bc {
		b = append(b, " BC"...)
	}
	return b
}

// AppendClock writes HH:MM:SS[.fraction] of v, a time of day in units of 1/per seconds.
func AppendClock(b []byte, v, per int64) []byte {
	s, frac := v/per, v%per
	b = AppendPadded(b, s/3600, 2)
	b = append(b, ':')
	b = AppendPadded(b, s/60%60, 2)
	b = append(b, ':')
	b = AppendPadded(b, s%60, 2)
	if frac == 0 {
		return b
	}
	b = append(b, '.')
	for per > 1 && frac > 0 {
		per /= 10
		b = append(b, byte('0'+frac/per))
		frac %= per
	}
	return b
}

// appendTimestamp writes v in the zone of its type, with the offset if the type has a zone.
func appendTimestamp(b []byte, v int64, t *arrow.TimestampType, loc *time.Location) []byte {
	per := PerSecond(t.Unit)
	wall := v
	if t.TimeZone != "" {
		wall = Local(loc, v, per)
	}
	days := FloorDiv(wall, per*SecondsPerDay)
	bc := len(b)
	b = AppendDate(b, days)
	suffix := ""
	if n := len(b) - 3; n > bc && string(b[n:]) == " BC" {
		b, suffix = b[:n], " BC"
	}
	b = append(b, ' ')
	b = AppendClock(b, wall-days*per*SecondsPerDay, per)
	if t.TimeZone != "" {
		b = AppendOffset(b, OffsetAt(loc, FloorDiv(v, per)))
	}
	return append(b, suffix...)
}

// AppendOffset writes +HH[:MM[:SS]].
func AppendOffset(b []byte, off int64) []byte {
	if off < 0 {
		b = append(b, '-')
		off = -off
	} else {
		b = append(b, '+')
	}
	b = AppendPadded(b, off/3600, 2)
	if off%3600 != 0 {
		b = append(b, ':')
		b = AppendPadded(b, off/60%60, 2)
	}
	if off%60 != 0 {
		b = append(b, ':')
		b = AppendPadded(b, off%60, 2)
	}
	return b
}

// appendInterval writes "1 year 2 mons 3 days 04:05:06.7".
func appendInterval(b []byte, v arrow.MonthDayNanoInterval) []byte {
	start := len(b)
	// A positive part behind a negative one shows its sign, or it would read as negative too.
	negative := false
	unit := func(n int64, one, many string) {
		if n == 0 {
			return
		}
		if len(b) > start {
			b = append(b, ' ')
		}
		if negative && n > 0 {
			b = append(b, '+')
		}
		negative = n < 0
		b = strconv.AppendInt(b, n, 10)
		if n == 1 {
			b = append(b, one...)
		} else {
			b = append(b, many...)
		}
	}
	unit(int64(v.Months/12), " year", " years")
	unit(int64(v.Months%12), " mon", " mons")
	unit(int64(v.Days), " day", " days")
	if v.Nanoseconds != 0 || len(b) == start {
		if len(b) > start {
			b = append(b, ' ')
		}
		n := uint64(v.Nanoseconds)
		if v.Nanoseconds < 0 {
			b = append(b, '-')
			n = -n
		} else if negative {
			b = append(b, '+')
		}
		// The magnitude of the most negative value fits once it is cut to seconds.
		s, frac := int64(n/1e9), int64(n%1e9)
		b = AppendPadded(b, s/3600, 2)
		clock := AppendClock(nil, s%3600*1e9+frac, 1e9)
		b = append(b, clock[2:]...)
	}
	return b
}

// appendHex writes bytes as PostgreSQL does: \x0aff.
func appendHex(b, v []byte) []byte {
	b = append(b, `\x`...)
	return hex.AppendEncode(b, v)
}

func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// SQLText is a value of the Go type that constants have for t, as SQL text. Long lists are abbreviated.
func SQLText(v any, t arrow.DataType) string {
	if v == nil {
		return "NULL"
	}
	text := func() string { return quoteText(valueText(v, t)) }
	switch value.KindOf(value.PlainType(t)) {
	case value.KindBool, value.KindInt, value.KindUint, value.KindDecimal:
		return valueText(v, t)
	case value.KindFloat:
		s := valueText(v, t)
		if f := v.(float64); math.IsNaN(f) || math.IsInf(f, 0) {
			return "CAST('" + s + "' AS " + value.TypeName(t) + ")"
		}
		return s
	case value.KindBinary:
		b := v.([]byte)
		if len(b) > 32 {
			return "X'" + hex.EncodeToString(b[:32]) + "…'"
		}
		return "X'" + hex.EncodeToString(b) + "'"
	case value.KindDate:
		return "DATE " + text()
	case value.KindTime:
		return "TIME " + text()
	case value.KindTimestamp:
		return "TIMESTAMP " + text()
	case value.KindInterval:
		return "INTERVAL " + text()
	case value.KindUUID:
		return "CAST('" + value.FormatUUID(v.([]byte)) + "' AS UUID)"
	case value.KindText:
		return text()
	}
	return valueText(v, t)
}

// valueText is the value without SQL's quotes; NULL is "NULL".
func valueText(v any, t arrow.DataType) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case bool:
		return BoolText(v)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		bits := 64
		if t := value.PlainType(t); value.KindOf(t) == value.KindFloat && value.BitWidth(t) < 64 {
			bits = 32
		}
		return string(appendFloat(nil, v, bits))
	case string:
		return v
	case []byte:
		return string(appendHex(nil, v))
	case decimal128.Num:
		if t, ok := value.PlainType(t).(*arrow.Decimal128Type); ok {
			return v.ToString(t.Scale)
		}
	case arrow.MonthDayNanoInterval:
		return string(appendInterval(nil, v))
	case []float32:
		var b []byte
		return string(abbreviated(b, len(v), func(b []byte, i int) []byte { return appendFloat(b, float64(v[i]), 32) }))
	case []any:
		return string(abbreviated(nil, len(v), func(b []byte, i int) []byte {
			item := t
			switch t := value.PlainType(t).(type) {
			case *arrow.StructType:
				item = t.Field(i).Type
			case arrow.ListLikeType:
				item = t.Elem()
			}
			return append(b, SQLText(v[i], item)...)
		}))
	case int64:
		return int64Text(v, t)
	}
	return fmt.Sprint(v)
}

func int64Text(v int64, t arrow.DataType) string {
	switch t := value.PlainType(t).(type) {
	case *arrow.Date32Type:
		return string(AppendDate(nil, v))
	case *arrow.Date64Type:
		return string(AppendDate(nil, FloorDiv(v, SecondsPerDay*1e3)))
	case *arrow.Time32Type, *arrow.Time64Type:
		return string(AppendClock(nil, v, PerSecond(value.TimeUnit(t))))
	case *arrow.DurationType:
		return string(appendInterval(nil, durationInterval(v, t.Unit)))
	case *arrow.TimestampType:
		loc, err := ZoneOf(t)
		if err != nil {
			loc, _ = LoadZone("")
		}
		return string(appendTimestamp(nil, v, t, loc))
	}
	return strconv.FormatInt(v, 10)
}

// abbreviated writes [a, b, …, n items] for long lists.
func abbreviated(b []byte, n int, item func([]byte, int) []byte) []byte {
	const most = 8
	b = append(b, '[')
	for i := range min(n, most) {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = item(b, i)
	}
	if n > most {
		b = fmt.Appendf(b, ", … %d in all", n)
	}
	return append(b, ']')
}
