package expr

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"lanceflight/internal/fault"
)

// NewLiteral makes a constant; v is of the Go type that Literal documents, or nil for NULL.
func NewLiteral(v any, t arrow.DataType) *Literal { return &Literal{Value: v, T: t} }

// NewNumber makes the literal for a number as written in SQL, without sign: INTEGER or BIGINT if it
// fits, DECIMAL for other numbers without exponent of up to 38 digits, else DOUBLE.
func NewNumber(text string) (*Literal, error) {
	bad := func() error {
		return fault.New(fault.InvalidArgument, "%q is not a number", text)
	}
	if !strings.ContainsAny(text, ".eE") {
		if v, err := strconv.ParseInt(text, 10, 64); err == nil {
			if int64(int32(v)) == v {
				return NewLiteral(v, tInt32), nil
			}
			return NewLiteral(v, tInt64), nil
		}
	}
	if !strings.ContainsAny(text, "eE") {
		whole, frac, _ := strings.Cut(text, ".")
		digits := strings.TrimLeft(whole, "0") + frac
		if len(digits) <= 38 && len(digits) > 0 || strings.Trim(text, "0.") == "" && len(frac) <= 38 {
			n, ok := new(big.Int).SetString("0"+digits, 10)
			if !ok || strings.ContainsAny(text, "+-_") {
				return nil, bad()
			}
			t := &arrow.Decimal128Type{Precision: int32(max(1, len(digits))), Scale: int32(len(frac))}
			return NewLiteral(decimal128.FromBigInt(n), t), nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		if math.IsInf(f, 0) {
			return nil, fault.New(fault.InvalidArgument, "the number %s is out of the range of DOUBLE", text)
		}
		return nil, bad()
	}
	return NewLiteral(f, tFloat64), nil
}

// NewInterval makes the literal for INTERVAL 'value' unit; unit is upper case ("DAY", "YEAR TO MONTH")
// or "".
func NewInterval(value, unit string) (*Literal, error) {
	v, ok := scanInterval(value, unit)
	if !ok {
		return nil, fault.New(fault.InvalidArgument, "'%s' is not an INTERVAL; write for example '1 day 02:30:00' or '2 months'", value)
	}
	return NewLiteral(v, tInterval), nil
}

func (p *Param) String() string {
	if p.Name != "" {
		return p.Name
	}
	return "$" + strconv.Itoa(p.Slot+1)
}

// String is SQL text; long lists are abbreviated.
func (l *Literal) String() string {
	if l.Value == nil {
		return "NULL"
	}
	text := func() string { return quoteText(l.text()) }
	switch kindOf(plain(l.T)) {
	case kBool, kInt, kUint, kDecimal:
		return l.text()
	case kFloat:
		s := l.text()
		if f := l.Value.(float64); math.IsNaN(f) || math.IsInf(f, 0) {
			return "CAST('" + s + "' AS " + TypeName(l.T) + ")"
		}
		return s
	case kBinary:
		b := l.Value.([]byte)
		if len(b) > 32 {
			return "X'" + hex.EncodeToString(b[:32]) + "…'"
		}
		return "X'" + hex.EncodeToString(b) + "'"
	case kDate:
		return "DATE " + text()
	case kTime:
		return "TIME " + text()
	case kTimestamp:
		return "TIMESTAMP " + text()
	case kInterval:
		return "INTERVAL " + text()
	case kText:
		return text()
	}
	return l.text()
}

func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// text is the value without SQL's quotes; NULL is "NULL".
func (l *Literal) text() string {
	switch v := l.Value.(type) {
	case nil:
		return "NULL"
	case bool:
		return boolText(v)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		bits := 64
		if t := plain(l.T); kindOf(t) == kFloat && bitWidth(t) < 64 {
			bits = 32
		}
		return string(appendFloat(nil, v, bits))
	case string:
		return v
	case []byte:
		return string(appendHex(nil, v))
	case decimal128.Num:
		if t, ok := plain(l.T).(*arrow.Decimal128Type); ok {
			return v.ToString(t.Scale)
		}
	case arrow.MonthDayNanoInterval:
		return string(appendInterval(nil, v))
	case []float32:
		var b []byte
		return string(abbreviated(b, len(v), func(b []byte, i int) []byte { return appendFloat(b, float64(v[i]), 32) }))
	case []any:
		return string(abbreviated(nil, len(v), func(b []byte, i int) []byte {
			t := l.T
			switch pt := plain(l.T).(type) {
			case *arrow.StructType:
				t = pt.Field(i).Type
			case arrow.ListLikeType:
				t = pt.Elem()
			}
			item := Literal{Value: v[i], T: t}
			return append(b, item.String()...)
		}))
	case int64:
		return l.int64Text(v)
	}
	return fmt.Sprint(l.Value)
}

func (l *Literal) int64Text(v int64) string {
	switch t := plain(l.T).(type) {
	case *arrow.Date32Type:
		return string(appendDate(nil, v))
	case *arrow.Date64Type:
		return string(appendDate(nil, floorDiv(v, secondsPerDay*1e3)))
	case *arrow.Time32Type, *arrow.Time64Type:
		return string(appendClock(nil, v, perSecond(timeUnit(t))))
	case *arrow.DurationType:
		return string(appendInterval(nil, durationInterval(v, t.Unit)))
	case *arrow.TimestampType:
		loc, err := zoneOf(t)
		if err != nil {
			loc, _ = loadZone("")
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

// VectorOf returns the value of l as a vector of dim float32. It takes whatever CastLiteral can turn
// into a vector: lists, text, little-endian float32 bytes. NULL, another dimension, NaN and infinities
// are InvalidArgument.
func VectorOf(l Literal, dim int) ([]float32, error) {
	if l.Value == nil {
		return nil, fault.New(fault.InvalidArgument, "the query vector is NULL; a vector of %d dimensions is needed", dim)
	}
	v, ok := l.Value.([]float32)
	if !ok {
		c, err := CastLiteral(l, arrow.ListOf(tFloat32))
		if err != nil {
			return nil, err
		}
		items := c.Value.([]any)
		v = make([]float32, len(items))
		for i, x := range items {
			f, ok := x.(float64)
			if !ok {
				return nil, fault.New(fault.InvalidArgument, "element %d of the query vector is NULL", i+1)
			}
			v[i] = float32(f)
		}
	}
	if len(v) != dim {
		return nil, dimensionError(len(v), dim)
	}
	for i, x := range v {
		if x-x != 0 { // NaN for infinities and NaN
			return nil, fault.New(fault.InvalidArgument, "element %d of the query vector is %v; only finite numbers are allowed", i+1, x)
		}
	}
	return v, nil
}

func dimensionError(got, want int) error {
	return fault.New(fault.InvalidArgument, "the vector has %d dimensions, but %d are needed", got, want)
}
