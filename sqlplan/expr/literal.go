package expr

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/compare"
	"lanceflight/sqlplan/expr/value"
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
				return NewLiteral(v, value.TypeInt32), nil
			}
			return NewLiteral(v, value.TypeInt64), nil
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
	return NewLiteral(f, value.TypeFloat64), nil
}

// NewInterval makes the literal for INTERVAL 'text' unit; unit is upper case ("DAY", "YEAR TO MONTH")
// or "".
func NewInterval(text, unit string) (*Literal, error) {
	v, ok := cast.ScanInterval(text, unit)
	if !ok {
		return nil, fault.New(fault.InvalidArgument, "'%s' is not an INTERVAL; write for example '1 day 02:30:00' or '2 months'", text)
	}
	return NewLiteral(v, value.TypeInterval), nil
}

// String is SQL text. Long lists are abbreviated.
func (l *Literal) String() string { return cast.SQLText(l.Value, l.T) }

func (p *Param) String() string {
	if p.Name != "" {
		return p.Name
	}
	return "$" + strconv.Itoa(p.Slot+1)
}

// LiteralAt returns row i of an array as a constant of the array's type, or of the type that the row has
// where the array is a union. Values are copied.
func LiteralAt(arr arrow.Array, i int) (Literal, error) {
	arr, i, err := value.Chosen(arr, i)
	if err != nil {
		return Literal{}, err
	}
	v, err := value.ValueAt(arr, i)
	return Literal{Value: v, T: value.ConstantType(arr.DataType())}, err
}

// BoundLiteral is LiteralAt for an array that a client has bound. Decimals in 256 bits, with which no
// expression computes, become such of 128 bits if they have up to 38 digits.
func BoundLiteral(arr arrow.Array, i int) (Literal, error) {
	arr, i, err := value.Chosen(arr, i)
	if err != nil {
		return Literal{}, err
	}
	d, ok := arr.(*array.Decimal256)
	if !ok || d.IsNull(i) {
		return LiteralAt(arr, i)
	}
	const digits = 38
	t := d.DataType().(*arrow.Decimal256Type)
	unscaled := d.Value(i).BigInt()
	if t.Scale > digits || len(new(big.Int).Abs(unscaled).String()) > digits {
		return Literal{}, fault.New(fault.Unsupported, "the value %s, a decimal of more than %d digits", d.ValueStr(i), digits)
	}
	return Literal{Value: decimal128.FromBigInt(unscaled), T: &arrow.Decimal128Type{Precision: digits, Scale: t.Scale}}, nil
}

// HasValues says whether expressions compute with values of type t.
func HasValues(t arrow.DataType) bool {
	switch k := value.KindOf(t); k {
	case value.KindNull, value.KindOther, value.KindMap, value.KindStruct:
		return false
	case value.KindList:
		return HasValues(value.ElemOf(t))
	}
	return value.NotComputed(t) == nil
}

// MayChange says whether a value of type from can become another one when it is cast to a number, date,
// time or timestamp type. Numbers that become floats count as kept: those are rounded wherever they meet one.
func MayChange(from, to arrow.DataType) bool {
	f, t := value.KindOf(value.PlainType(from)), value.KindOf(value.PlainType(to))
	temporal := func(k value.Kind) bool {
		return k == value.KindDate || k == value.KindTime || k == value.KindTimestamp
	}
	return !arrow.TypeEqual(from, to) &&
		(f.Numeric() && (t.Integer() || t == value.KindDecimal) || temporal(f) && temporal(t))
}

// KeepsValue says whether a value stays what it is when it is cast to t; see MayChange.
func KeepsValue(l Literal, t arrow.DataType) bool {
	if l.Value == nil || !MayChange(l.T, t) {
		return true
	}
	c, err := CastLiteral(l, t)
	if err != nil {
		return false
	}
	back, err := CastLiteral(c, l.T)
	return err == nil && back.Value == l.Value
}

// Broadcast makes an array of n copies of a constant; the caller releases it.
func Broadcast(l Literal, n int, mem memory.Allocator) (arrow.Array, error) {
	if l.T == nil || l.T.ID() == arrow.NULL {
		return array.NewNull(n), nil
	}
	if l.Value == nil {
		return value.NullArray(mem, l.T, n)
	}
	one, err := value.OneValue(l.Value, l.T, mem)
	if err != nil || n == 1 {
		return one, err
	}
	defer one.Release()
	return value.RepeatRow(mem, one, n)
}

// CompareValues orders two values of Literals of one type, neither of them NULL: negative, zero or positive. NaN is above
// every number and equal to itself.
func CompareValues(x, y any) int { return compare.Values(x, y) }

// TypeName is the SQL name of an Arrow type, as value.TypeName has it.
func TypeName(t arrow.DataType) string { return value.TypeName(t) }
