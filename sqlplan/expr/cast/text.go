package cast

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr/value"
)

// Casts from text.

var textCasts map[value.Kind]castFunc

func init() { // not a literal, because list items are cast through this table again
	textCasts = map[value.Kind]castFunc{
		value.KindBool: textToBool, value.KindInt: textToInt, value.KindUint: textToUint, value.KindFloat: textToFloat,
		value.KindDecimal: textToDecimal,
		value.KindBinary:  textToBytes, value.KindDate: textToDate, value.KindTime: textToTime, value.KindTimestamp: textToTimestamp,
		value.KindInterval: textToInterval, value.KindList: textToList,
	}
}

func textToBool(c *caster) (arrow.Array, error) {
	x := value.TextsOf(c.Args[0])
	buf, vals := value.NewBits(c.Mem(), c.N)
	clear(vals)
	err := c.each(func(i int) bool {
		b, ok := scanBool(x.Str(i))
		vals[i>>6] |= value.Bit(b) << (i & 63)
		return ok
	})
	if err != nil {
		buf.Release()
		return nil, err
	}
	return value.MakeBools(c.N, buf, c.TakeValid()), nil
}

// scanBool takes any unique prefix of true, false, yes, no, on, off, and 1 and 0.
func scanBool(s string) (v, ok bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	prefix := func(word string, least int) bool { return len(s) >= least && strings.HasPrefix(word, s) }
	switch {
	case s == "1", prefix("true", 1), prefix("yes", 1), s == "on":
		return true, true
	case s == "0", prefix("false", 1), prefix("no", 1), prefix("off", 2):
		return false, true
	}
	return false, false
}

func textToInt(c *caster) (arrow.Array, error) {
	x, bits := value.TextsOf(c.Args[0]), value.BitWidth(c.to)
	parse := func(i int) (int64, bool) {
		v, err := strconv.ParseInt(strings.TrimSpace(x.Str(i)), 10, bits)
		return v, err == nil
	}
	switch bits {
	case 8:
		return fillInt[int8](c, parse)
	case 16:
		return fillInt[int16](c, parse)
	case 32:
		return fillInt[int32](c, parse)
	}
	return fillInt[int64](c, parse)
}

func fillInt[T value.Integer](c *caster, parse func(i int) (int64, bool)) (arrow.Array, error) {
	return fill(c, func(i int, out *T) bool {
		v, ok := parse(i)
		*out = T(v)
		return ok
	})
}

func textToUint(c *caster) (arrow.Array, error) {
	x, bits := value.TextsOf(c.Args[0]), value.BitWidth(c.to)
	parse := func(i int) (int64, bool) {
		v, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimSpace(x.Str(i)), "+"), 10, bits)
		return int64(v), err == nil
	}
	switch bits {
	case 8:
		return fillInt[uint8](c, parse)
	case 16:
		return fillInt[uint16](c, parse)
	case 32:
		return fillInt[uint32](c, parse)
	}
	return fillInt[uint64](c, parse)
}

func textToFloat(c *caster) (arrow.Array, error) {
	x := value.TextsOf(c.Args[0])
	switch c.to.ID() {
	case arrow.FLOAT16:
		return castVia(value.TypeFloat64)(c)
	case arrow.FLOAT32:
		return fill(c, func(i int, out *float32) bool {
			f, ok := ScanFloat(x.Str(i), 32)
			*out = float32(f)
			return ok
		})
	}
	return fill(c, func(i int, out *float64) (ok bool) {
		*out, ok = ScanFloat(x.Str(i), 64)
		return ok
	})
}

func ScanFloat(s string, bits int) (float64, bool) {
	s = strings.TrimSpace(s)
	if strings.ContainsAny(s, "xX_pP") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, bits)
	return f, err == nil
}

func textToDecimal(c *caster) (arrow.Array, error) {
	x, t := value.TextsOf(c.Args[0]), c.to.(*arrow.Decimal128Type)
	return fill(c, func(i int, out *decimal128.Num) (ok bool) {
		*out, ok = scanDecimal(strings.TrimSpace(x.Str(i)), t)
		return ok
	})
}

func textToDate(c *caster) (arrow.Array, error) {
	if c.to.ID() == arrow.DATE64 {
		return castVia(value.TypeDate)(c)
	}
	x := value.TextsOf(c.Args[0])
	return fill(c, func(i int, out *int32) bool {
		d, ok := scanDate(x.Str(i))
		*out = int32(d)
		return ok
	})
}

func textToTime(c *caster) (arrow.Array, error) {
	x, step := value.TextsOf(c.Args[0]), 1e9/PerSecond(value.TimeUnit(c.to))
	if value.BitWidth(c.to) == 32 {
		return fill(c, func(i int, out *int32) bool {
			v, ok := scanTime(x.Str(i))
			*out = int32(roundEven(v, step))
			return ok
		})
	}
	return fill(c, func(i int, out *int64) bool {
		v, ok := scanTime(x.Str(i))
		*out = roundEven(v, step)
		return ok
	})
}

func textToTimestamp(c *caster) (arrow.Array, error) {
	x, t := value.TextsOf(c.Args[0]), c.to.(*arrow.TimestampType)
	loc, err := ZoneOf(t)
	if err != nil {
		return nil, err
	}
	return fill(c, func(i int, out *int64) bool {
		v, ok := scanTimestamp(x.Str(i))
		if ok {
			*out, ok = v.in(t, loc)
		}
		return ok
	})
}

func textToInterval(c *caster) (arrow.Array, error) {
	if c.to.ID() != arrow.INTERVAL_MONTH_DAY_NANO {
		return castVia(value.TypeInterval)(c)
	}
	x := value.TextsOf(c.Args[0])
	return fill(c, func(i int, out *arrow.MonthDayNanoInterval) (ok bool) {
		*out, ok = ScanInterval(x.Str(i), "")
		return ok
	})
}

// textToBytes takes PostgreSQL's forms of bytes: \x0aff, or text in which \\ is a backslash and \ooo an
// octal byte.
func textToBytes(c *caster) (arrow.Array, error) {
	if c.to.ID() != arrow.BINARY {
		return castVia(value.TypeBinary)(c)
	}
	x := value.TextsOf(c.Args[0])
	w := value.NewTextWriter(c.Mem(), value.TypeBinary, c.N, 16*c.N)
	for i := range c.N {
		if !c.Null(i) {
			b, ok := ScanBytes(x.Str(i))
			if !ok {
				if err := c.fails(i, c.rowText(i)); err != nil {
					w.Free()
					return nil, err
				}
			}
			w.Write(b)
		}
		if err := w.End(); err != nil {
			w.Free()
			return nil, err
		}
	}
	return w.Finish(c.CountedValid()), nil
}

func ScanBytes(s string) ([]byte, bool) {
	if strings.HasPrefix(s, `\x`) {
		b, err := hex.DecodeString(strings.Join(strings.Fields(s[2:]), ""))
		return b, err == nil
	}
	if !strings.Contains(s, `\`) {
		return []byte(s), true
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			b = append(b, s[i])
		case strings.HasPrefix(s[i:], `\\`):
			b = append(b, '\\')
			i++
		case len(s)-i >= 4:
			v, err := strconv.ParseUint(s[i+1:i+4], 8, 8)
			if err != nil {
				return nil, false
			}
			b = append(b, byte(v))
			i += 3
		default:
			return nil, false
		}
	}
	return b, true
}

// castBytes changes the layout of binaries.
func castBytes(c *caster) (arrow.Array, error) {
	x := value.TextsOf(c.Args[0])
	b := array.NewBuilder(c.Mem(), c.to)
	defer b.Release()
	for i := range c.N {
		if c.Null(i) {
			b.AppendNull()
			continue
		}
		if t, ok := c.to.(*arrow.FixedSizeBinaryType); ok && x.Length(i) != t.ByteWidth {
			if !c.try {
				return nil, fault.New(fault.InvalidArgument, "cannot cast a value of %d bytes to %s, which has %d", x.Length(i), c.to, t.ByteWidth)
			}
			b.AppendNull()
			continue
		}
		if err := value.AppendValue(b, x.At(i)); err != nil {
			return nil, err
		}
	}
	return b.NewArray(), nil
}

// castBytesToVector takes bytes for the little-endian float32 of a vector.
func castBytesToVector(c *caster) (arrow.Array, error) {
	x := value.TextsOf(c.Args[0])
	b := array.NewBuilder(c.Mem(), c.to)
	defer b.Release()
	for i := range c.N {
		if c.Null(i) {
			b.AppendNull()
			continue
		}
		v, err := value.VectorOfBytes(x.At(i), c.to)
		if err == nil {
			err = value.AppendValue(b, v)
		}
		if err != nil {
			if !c.try {
				return nil, err
			}
			b.AppendNull()
		}
	}
	return b.NewArray(), nil
}

// textToList reads [a, b, …] or {a, b, …} with quoted and nested items.
func textToList(c *caster) (arrow.Array, error) {
	x := value.TextsOf(c.Args[0])
	b := array.NewBuilder(c.Mem(), c.to)
	defer b.Release()
	for i := range c.N {
		if c.Null(i) {
			b.AppendNull()
			continue
		}
		v, err := scanList(x.Str(i), c.to)
		if err == nil {
			err = value.AppendValue(b, v)
		}
		if err != nil {
			if !c.try {
				return nil, err
			}
			b.AppendNull()
		}
	}
	return b.NewArray(), nil
}

// scanList reads a list as the Go value of a Literal of type t.
func scanList(s string, t arrow.DataType) (any, error) {
	bad := func() error {
		return fault.New(fault.InvalidArgument, "cannot cast %s to %s; a list is written '[1, 2, 3]'", ShortQuoted(s), value.TypeName(t))
	}
	items, ok := splitList(s)
	if !ok {
		return nil, bad()
	}
	elem := value.ElemOf(t)
	if f, ok := t.(*arrow.FixedSizeListType); ok && int(f.Len()) != len(items) {
		return nil, value.DimensionError(len(items), int(f.Len()))
	}
	if elem.ID() == arrow.FLOAT32 && t.ID() == arrow.FIXED_SIZE_LIST {
		out := make([]float32, len(items))
		for i, it := range items {
			f, ok := ScanFloat(it.text, 32)
			if !ok || it.quoted {
				return nil, fault.New(
					fault.InvalidArgument,
					"cannot cast %s to %s: element %d is %s",
					ShortQuoted(s),
					value.TypeName(t),
					i+1,
					ShortQuoted(it.text),
				)
			}
			out[i] = float32(f)
		}
		return out, nil
	}
	out := make([]any, len(items))
	for i, it := range items {
		if !it.quoted && strings.EqualFold(it.text, "null") {
			continue
		}
		if value.KindOf(value.PlainType(elem)) == value.KindList {
			v, err := scanList(it.text, value.PlainType(elem))
			if err != nil {
				return nil, err
			}
			out[i] = v
			continue
		}
		v, err := Value(it.text, value.TypeText, elem)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func ShortQuoted(s string) string {
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "") + "…"
	}
	return quoteText(s)
}

type listItem struct {
	text   string
	quoted bool
}

// splitList cuts the text of a list at the commas of its outermost level.
func splitList(s string) (items []listItem, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) < 2 || !(s[0] == '[' && s[len(s)-1] == ']' || s[0] == '{' && s[len(s)-1] == '}') {
		return nil, false
	}
	s = strings.TrimSpace(s[1 : len(s)-1])
	if s == "" {
		return nil, true
	}
	items = make([]listItem, 0, strings.Count(s, ",")+1)
	for {
		s = strings.TrimLeft(s, " \t\r\n")
		if s == "" {
			return nil, false
		}
		if q := s[0]; q == '\'' || q == '"' {
			var b strings.Builder
			i := 1
			for ; ; i++ {
				if i >= len(s) {
					return nil, false
				}
				if s[i] == '\\' && q == '"' && i+1 < len(s) {
					i++
				} else if s[i] == q {
					if q != '\'' || i+1 >= len(s) || s[i+1] != q {
						break
					}
					i++
				}
				b.WriteByte(s[i])
			}
			items = append(items, listItem{b.String(), true})
			s = strings.TrimLeft(s[i+1:], " \t\r\n")
		} else {
			depth, i := 0, 0
			for ; i < len(s) && (depth > 0 || s[i] != ','); i++ {
				switch s[i] {
				case '[', '{':
					depth++
				case ']', '}':
					depth--
				}
			}
			it := strings.TrimSpace(s[:i])
			if depth != 0 || it == "" {
				return nil, false
			}
			items = append(items, listItem{it, false})
			s = s[i:]
		}
		if s == "" {
			return items, true
		}
		if s[0] != ',' {
			return nil, false
		}
		s = s[1:]
	}
}

// ---- Lists and structs ------------------------------------------------------------------------

// castList casts the items, and checks the length where the target has a fixed one.
func castList(c *caster) (arrow.Array, error) {
	src := c.Args[0].Arr.(array.ListLike)
	if to, ok := c.to.(*arrow.FixedSizeListType); ok {
		return castFixedList(c, src, to)
	}
	// Gather the items of the rows, so that what lies outside of the slice or under NULLs is not cast.
	refs := make([]value.Interleaved, 0, src.ListValues().Len())
	off := make([]int64, c.N+1)
	for i := range c.N {
		if !c.Null(i) {
			start, end := src.ValueOffsets(i)
			for j := start; j < end; j++ {
				refs = append(refs, value.Interleaved{Row: int32(j)})
			}
		}
		off[i+1] = int64(len(refs))
	}
	items, err := value.Interleave(c.Mem(), src.ListValues().DataType(), []arrow.Array{src.ListValues()}, refs)
	if err != nil {
		return nil, err
	}
	defer items.Release()
	cast, err := Array(c.Mem(), items, value.ElemOf(c.to), c.try)
	if err != nil {
		return nil, err
	}
	defer cast.Release()
	var offBuf *memory.Buffer
	if c.to.ID() == arrow.LARGE_LIST {
		var o []int64
		offBuf, o = value.NewFixed[int64](c.Mem(), c.N+1)
		copy(o, off)
	} else {
		var o []int32
		offBuf, o = value.NewFixed[int32](c.Mem(), c.N+1)
		for i, v := range off {
			o[i] = int32(v)
		}
	}
	return c.Nested([]arrow.ArrayData{cast.Data()}, offBuf), nil
}

func castFixedList(c *caster, src array.ListLike, to *arrow.FixedSizeListType) (arrow.Array, error) {
	dim := int(to.Len())
	refs := make([]value.Interleaved, 0, c.N*dim)
	for i := range c.N {
		if !c.Null(i) {
			start, end := src.ValueOffsets(i)
			if n := int(end - start); n == dim {
				for j := start; j < end; j++ {
					refs = append(refs, value.Interleaved{Row: int32(j)})
				}
				continue
			} else if !c.try {
				return nil, value.DimensionError(n, dim)
			}
			c.SetNull(i)
		}
		// The items under a NULL are arbitrary; any row will do, and the first if there is one.
		for range dim {
			refs = append(refs, value.Interleaved{Row: 0})
		}
	}
	values := src.ListValues()
	if values.Len() == 0 && len(refs) > 0 {
		return value.NullArray(c.Mem(), c.Type, c.N)
	}
	items, err := value.Interleave(c.Mem(), values.DataType(), []arrow.Array{values}, refs)
	if err != nil {
		return nil, err
	}
	defer items.Release()
	cast, err := Array(c.Mem(), items, value.ElemOf(c.to), c.try)
	if err != nil {
		return nil, err
	}
	defer cast.Release()
	return c.Nested([]arrow.ArrayData{cast.Data()}), nil
}

// structsCast says whether every member of to is in from and casts.
func structsCast(from, to *arrow.StructType) bool {
	for i := range to.NumFields() {
		j, ok := from.FieldIdx(to.Field(i).Name)
		if !ok {
			return false
		}
		if _, ok := castKernel(from.Field(j).Type, to.Field(i).Type); !ok {
			return false
		}
	}
	return true
}

func castStruct(c *caster) (arrow.Array, error) {
	from, to := c.from.(*arrow.StructType), c.to.(*arrow.StructType)
	src := c.Args[0].Arr.(*array.Struct)
	children := make([]arrow.ArrayData, 0, to.NumFields())
	for i := range to.NumFields() {
		j, _ := from.FieldIdx(to.Field(i).Name)
		a, err := Array(c.Mem(), src.Field(j), to.Field(i).Type, c.try)
		if err != nil {
			return nil, err
		}
		defer a.Release()
		children = append(children, a.Data())
	}
	return c.Nested(children), nil
}
