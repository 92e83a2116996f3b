package kernel

import (
	"bytes"
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/internal/half"
)

// Order is how one column of a key sorts.
type Order struct {
	Desc       bool
	NullsFirst bool
}

// Keys encodes rows of several columns as byte strings whose order under bytes.Compare is the SQL
// order of the rows, and which are equal exactly when the rows are (NULLs equal each other):
//
//	row = column*    column = tag, value     tag: 0 NULL first, 1 value, 2 NULL last
//	value            integers big endian with the sign bit flipped; floats likewise after a fold of
//	                 -0 to 0 and of every NaN to the one above +Inf (PostgreSQL's order); strings
//	                 with 00 as 00 FF, ended by 00 01; lists 01 before each element, ended by 00
//	descending       value complemented
//
// No encoding is the prefix of another of the same columns, so columns simply follow each other.
type Keys struct {
	Data    []byte
	Offsets []int64 // len(rows)+1
}

// Len returns the number of rows.
func (k *Keys) Len() int { return max(0, len(k.Offsets)-1) }

// Row returns the key of row i; it aliases Data.
func (k *Keys) Row(i int) []byte { return k.Data[k.Offsets[i]:k.Offsets[i+1]] }

// Bytes is the memory the keys take.
func (k *Keys) Bytes() int64 { return int64(cap(k.Data)) + 8*int64(cap(k.Offsets)) }

// Encode replaces k's rows by those of the columns (rows of them each; orders nil = ascending, NULLs
// last). Memory is reused. Types without an order are fault.Unsupported.
func (k *Keys) Encode(cols []arrow.Array, orders []Order, rows int) error {
	k.Data, k.Offsets = k.Data[:0], k.Offsets[:0]
	return k.Append(cols, orders, rows)
}

// Append adds the rows behind those already there.
func (k *Keys) Append(cols []arrow.Array, orders []Order, rows int) error {
	if len(k.Offsets) == 0 {
		k.Offsets = append(k.Offsets, 0)
	}
	put := make([]putter, len(cols))
	for c, a := range cols {
		var o Order
		if orders != nil {
			o = orders[c]
		}
		p, err := column(a, o)
		if err != nil {
			return err
		}
		put[c] = p
	}
	// Room for all rows at once, and at least twice the old: append alone grows large slices by a quarter.
	var need int
	for _, a := range cols {
		need += int(ArrayBytes(a)) + 8*rows
	}
	if cap(k.Data)-len(k.Data) < need {
		k.Data = append(make([]byte, 0, max(2*cap(k.Data), len(k.Data)+need)), k.Data...)
	}
	dst := k.Data
	for r := range rows {
		for _, p := range put {
			dst = p(dst, r)
		}
		k.Offsets = append(k.Offsets, int64(len(dst)))
	}
	k.Data = dst
	return nil
}

// putter appends the encoding of one row's value.
type putter func(dst []byte, row int) []byte

// Tags of a column; they sort NULLs on the side asked for, whatever the direction.
const (
	tagNullFirst = 0
	tagValue     = 1
	tagNullLast  = 2
)

// column is the putter of a column: tag, then value unless NULL.
func column(a arrow.Array, o Order) (putter, error) {
	v, err := value(a)
	if err != nil {
		return nil, err
	}
	null := byte(tagNullLast)
	if o.NullsFirst {
		null = tagNullFirst
	}
	if o.Desc {
		asc := v
		v = func(dst []byte, row int) []byte {
			n := len(dst)
			dst = asc(dst, row)
			for i := n; i < len(dst); i++ {
				dst[i] = ^dst[i]
			}
			return dst
		}
	}
	if a.DataType().ID() == arrow.NULL {
		return func(dst []byte, _ int) []byte { return append(dst, null) }, nil
	}
	if d, ok := a.(*array.Dictionary); ok {
		// An entry of the dictionary may itself be NULL.
		return func(dst []byte, row int) []byte {
			if d.IsNull(row) || d.Dictionary().IsNull(d.GetValueIndex(row)) {
				return append(dst, null)
			}
			return v(append(dst, tagValue), row)
		}, nil
	}
	if a.NullN() == 0 {
		return func(dst []byte, row int) []byte { return v(append(dst, tagValue), row) }, nil
	}
	return func(dst []byte, row int) []byte {
		if a.IsNull(row) {
			return append(dst, null)
		}
		return v(append(dst, tagValue), row)
	}, nil
}

// value is the putter of a column's non-NULL values, ascending.
func value(a arrow.Array) (putter, error) {
	if words, width, ok := normaliser(a); ok {
		switch width {
		case 1:
			return func(dst []byte, row int) []byte { return append(dst, byte(words(row))) }, nil
		case 2:
			return func(dst []byte, row int) []byte { return binary.BigEndian.AppendUint16(dst, uint16(words(row))) }, nil
		case 4:
			return func(dst []byte, row int) []byte { return binary.BigEndian.AppendUint32(dst, uint32(words(row))) }, nil
		}
		return func(dst []byte, row int) []byte { return binary.BigEndian.AppendUint64(dst, words(row)) }, nil
	}
	switch a := a.(type) {
	case *array.Null:
		return func(dst []byte, _ int) []byte { return dst }, nil
	case *array.String:
		return func(dst []byte, row int) []byte { return appendText(dst, textBytes(a.Value(row))) }, nil
	case *array.LargeString:
		return func(dst []byte, row int) []byte { return appendText(dst, textBytes(a.Value(row))) }, nil
	case *array.StringView:
		return func(dst []byte, row int) []byte { return appendText(dst, textBytes(a.Value(row))) }, nil
	case *array.Binary:
		return func(dst []byte, row int) []byte { return appendText(dst, a.Value(row)) }, nil
	case *array.LargeBinary:
		return func(dst []byte, row int) []byte { return appendText(dst, a.Value(row)) }, nil
	case *array.BinaryView:
		return func(dst []byte, row int) []byte { return appendText(dst, a.Value(row)) }, nil
	case *array.FixedSizeBinary:
		return func(dst []byte, row int) []byte { return append(dst, a.Value(row)...) }, nil
	case *array.Decimal128:
		return func(dst []byte, row int) []byte {
			n := a.Value(row)
			dst = binary.BigEndian.AppendUint64(dst, uint64(n.HighBits())^1<<63)
			return binary.BigEndian.AppendUint64(dst, n.LowBits())
		}, nil
	case *array.Decimal256:
		return func(dst []byte, row int) []byte {
			w := a.Value(row).Array() // little endian words
			dst = binary.BigEndian.AppendUint64(dst, w[3]^1<<63)
			dst = binary.BigEndian.AppendUint64(dst, w[2])
			dst = binary.BigEndian.AppendUint64(dst, w[1])
			return binary.BigEndian.AppendUint64(dst, w[0])
		}, nil
	case *array.MonthDayNanoInterval:
		return func(dst []byte, row int) []byte {
			v := a.Value(row)
			return appendInterval(dst, int64(v.Months), int64(v.Days), v.Nanoseconds)
		}, nil
	case *array.DayTimeInterval:
		return func(dst []byte, row int) []byte {
			v := a.Value(row)
			return appendInterval(dst, 0, int64(v.Days), int64(v.Milliseconds)*1e6)
		}, nil
	case *array.Dictionary:
		v, err := value(a.Dictionary())
		if err != nil {
			return nil, err
		}
		return func(dst []byte, row int) []byte { return v(dst, a.GetValueIndex(row)) }, nil
	case array.ExtensionArray:
		return value(a.Storage())
	case *array.Struct:
		return structValue(a)
	case array.ListLike:
		return listValue(a)
	}
	return nil, fault.New(fault.Unsupported, "comparing or grouping values of type %s", a.DataType())
}

// appendText writes a string so that the end sorts before any further byte.
func appendText(dst, b []byte) []byte {
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return append(append(dst, b...), 0, 1)
		}
		dst = append(append(dst, b[:i]...), 0, 0xff)
		b = b[i+1:]
	}
}

// textBytes are the bytes of a string, not copied; read-only.
func textBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// appendInterval orders intervals as PostgreSQL does, a month counting as 30 days and a day as 24
// hours: 1 month and 30 days are equal. The sum does not fit 64 bits, so whole days go first.
func appendInterval(dst []byte, months, days, nanos int64) []byte {
	const day = 24 * 3600 * 1_000_000_000
	d := months*30 + days + nanos/day
	rest := nanos % day
	if rest < 0 {
		d, rest = d-1, rest+day
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(d)^1<<63)
	return binary.BigEndian.AppendUint64(dst, uint64(rest))
}

func structValue(a *array.Struct) (putter, error) {
	fields := make([]putter, a.NumField())
	for i := range fields {
		p, err := column(a.Field(i), Order{})
		if err != nil {
			return nil, err
		}
		fields[i] = p
	}
	return func(dst []byte, row int) []byte {
		for _, p := range fields {
			dst = p(dst, row)
		}
		return dst
	}, nil
}

func listValue(a array.ListLike) (putter, error) {
	elem, err := column(a.ListValues(), Order{})
	if err != nil {
		return nil, err
	}
	return func(dst []byte, row int) []byte {
		start, end := a.ValueOffsets(row)
		for j := start; j < end; j++ {
			dst = elem(append(dst, 1), int(j))
		}
		return append(dst, 0)
	}, nil
}

// Normalise maps the values of a column of numbers, booleans, dates or times to words that compare as
// the values do, ascending; what stands at a NULL is undefined. ok is false for other types, dst
// then is returned unchanged.
func Normalise(a arrow.Array, dst []uint64) (words []uint64, ok bool) {
	n := a.Len()
	switch a := a.(type) {
	case *array.Int64:
		return signed(a.Int64Values(), dst), true
	case *array.Int32:
		return signed(a.Int32Values(), dst), true
	case *array.Int16:
		return signed(a.Int16Values(), dst), true
	case *array.Int8:
		return signed(a.Int8Values(), dst), true
	case *array.Float64:
		for _, v := range a.Float64Values() {
			dst = append(dst, Float64Word(v))
		}
		return dst, true
	case *array.Float32:
		for _, v := range a.Float32Values() {
			dst = append(dst, Float64Word(float64(v)))
		}
		return dst, true
	}
	f, _, ok := normaliser(a)
	if !ok {
		return dst, false
	}
	for i := range n {
		dst = append(dst, f(i))
	}
	return dst, true
}

func signed[T int8 | int16 | int32 | int64](values []T, dst []uint64) []uint64 {
	for _, v := range values {
		dst = append(dst, uint64(v)^1<<63)
	}
	return dst
}

// normaliser returns a function from row to word, see Normalise, and the number of low bytes of the
// word that matter.
func normaliser(a arrow.Array) (f func(row int) uint64, width int, ok bool) {
	switch a := a.(type) {
	case *array.Int8:
		return func(r int) uint64 { return uint64(a.Value(r)) ^ 1<<63 }, 8, true
	case *array.Int16:
		return func(r int) uint64 { return uint64(a.Value(r)) ^ 1<<63 }, 8, true
	case *array.Int32:
		return func(r int) uint64 { return uint64(a.Value(r)) ^ 1<<63 }, 8, true
	case *array.Int64:
		return func(r int) uint64 { return uint64(a.Value(r)) ^ 1<<63 }, 8, true
	case *array.Uint8:
		return func(r int) uint64 { return uint64(a.Value(r)) }, 1, true
	case *array.Uint16:
		return func(r int) uint64 { return uint64(a.Value(r)) }, 2, true
	case *array.Uint32:
		return func(r int) uint64 { return uint64(a.Value(r)) }, 4, true
	case *array.Uint64:
		return func(r int) uint64 { return a.Value(r) }, 8, true
	case *array.Float16:
		return func(r int) uint64 { return Float64Word(half.Float64(a.Value(r))) }, 8, true
	case *array.Float32:
		return func(r int) uint64 { return Float64Word(float64(a.Value(r))) }, 8, true
	case *array.Float64:
		return func(r int) uint64 { return Float64Word(a.Value(r)) }, 8, true
	case *array.Boolean:
		return func(r int) uint64 {
			if a.Value(r) {
				return 1
			}
			return 0
		}, 1, true
	case *array.Date32:
		return func(r int) uint64 { return uint64(a.Value(r)) ^ 1<<63 }, 8, true
	case *array.Date64:
		return func(r int) uint64 { return uint64(a.Value(r)) ^ 1<<63 }, 8, true
	case *array.Time32:
		return func(r int) uint64 { return uint64(a.Value(r)) ^ 1<<63 }, 8, true
	case *array.Time64:
		return func(r int) uint64 { return uint64(a.Value(r)) ^ 1<<63 }, 8, true
	case *array.Timestamp:
		return func(r int) uint64 { return uint64(a.Value(r)) ^ 1<<63 }, 8, true
	case *array.Duration:
		return func(r int) uint64 { return uint64(a.Value(r)) ^ 1<<63 }, 8, true
	case *array.MonthInterval:
		return func(r int) uint64 { return uint64(a.Value(r)) ^ 1<<63 }, 8, true
	}
	return nil, 0, false
}

// nanWord is where every NaN sorts: above +Inf and equal to itself.
const nanWord = 0xfff8_0000_0000_0000

// Float64Word maps a float to a word that compares as PostgreSQL compares floats: -0 equals 0, NaN
// equals NaN and is greater than all else.
func Float64Word(v float64) uint64 {
	if v == 0 {
		return 1 << 63
	}
	if v != v {
		return nanWord
	}
	b := math.Float64bits(v)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

// Float64FromWord is the inverse of Float64Word.
func Float64FromWord(w uint64) float64 {
	if w>>63 != 0 {
		return math.Float64frombits(w &^ (1 << 63))
	}
	return math.Float64frombits(^w)
}

// AppendWordKey appends the key of one column whose value normalises to word. It sorts among others
// of its kind only: Keys stores narrow types in fewer bytes.
func AppendWordKey(dst []byte, word uint64, null bool, o Order) []byte {
	if null {
		if o.NullsFirst {
			return append(dst, tagNullFirst)
		}
		return append(dst, tagNullLast)
	}
	if o.Desc {
		word = ^word
	}
	return binary.BigEndian.AppendUint64(append(dst, tagValue), word)
}
