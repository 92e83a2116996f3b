package expr

import (
	"fmt"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/kernel"
	"lanceflight/vecindex/distance"
)

// Casts. A kernel is chosen by the kinds of both types; it converts row by row, and a row that does not
// convert fails the batch, or is NULL under TRY_CAST.

// caster is a call of a cast kernel.
type caster struct {
	*call
	from, to arrow.DataType
	try      bool
}

type castFunc func(c *caster) (arrow.Array, error)

// fails handles row i, which does not convert: an error, or NULL under TRY_CAST. text is the value.
func (c *caster) fails(i int, text string) error {
	if c.try {
		c.setNull(i)
		return nil
	}
	return fault.New(fault.InvalidArgument, "cannot cast %s to %s", text, TypeName(c.to))
}

func noCast(from, to arrow.DataType) error {
	if err := beyond(from, to); err != nil {
		return err
	}
	return fault.New(fault.InvalidArgument, "%s cannot be cast to %s", TypeName(from), TypeName(to))
}

// castArray casts a whole array; a stays the caller's.
func castArray(mem memory.Allocator, a arrow.Array, to arrow.DataType, try bool) (arrow.Array, error) {
	if arrow.TypeEqual(a.DataType(), to) {
		a.Retain()
		return a, nil
	}
	fn, ok := castKernel(a.DataType(), to)
	if !ok {
		return nil, noCast(a.DataType(), to)
	}
	c := &call{alloc: mem, args: []vec{{arr: a}}, n: a.Len(), t: to}
	defer c.free()
	c.combineValidity()
	return fn(&caster{c, a.DataType(), to, try})
}

// canCast says whether there is a cast between two types at all.
func canCast(from, to arrow.DataType) bool {
	_, ok := castKernel(from, to)
	return ok
}

// castRunner is the kernel of a cast as the kernel of a call with one argument. ok is false if there is no
// such cast.
func castRunner(from, to arrow.DataType, try bool) (run func(*call) (arrow.Array, error), ok bool) {
	fn, ok := castKernel(from, to)
	return func(c *call) (arrow.Array, error) {
		return fn(&caster{c, c.args[0].arr.DataType(), to, try})
	}, ok
}

// castValue casts one value, which is not NULL, of the Go type that constants have for from.
func castValue(v any, from, to arrow.DataType) (any, error) {
	if arrow.TypeEqual(from, to) {
		return v, nil
	}
	mem := memory.NewGoAllocator()
	a, err := oneValue(v, from, mem)
	if err != nil {
		return nil, err
	}
	defer a.Release()
	b, err := castArray(mem, a, to, false)
	if err != nil {
		return nil, err
	}
	defer b.Release()
	return valueAt(b, 0)
}

// castKernel finds the kernel for a pair of types; ok false if there is no such cast.
func castKernel(from, to arrow.DataType) (castFunc, bool) {
	if arrow.TypeEqual(from, to) {
		return castSame, true
	}
	if from.ID() == arrow.NULL {
		return func(c *caster) (arrow.Array, error) { return nullArray(c.mem(), c.t, c.n) }, true
	}
	if p := plain(from); p != from {
		if _, ok := castKernel(p, to); !ok {
			return nil, false
		}
		return castDecoded, true
	}
	switch t := to.(type) {
	case *arrow.DictionaryType:
		_, ok := castKernel(from, t.ValueType)
		return castDictionary, ok
	case arrow.ExtensionType:
		_, ok := castKernel(from, t.StorageType())
		return castExtension, ok
	}
	kf, kt := kindOf(from), kindOf(to)
	switch {
	case kt == kText:
		return castToText, kf != kOther
	case kf == kText:
		fn, ok := textCasts[kt]
		return fn, ok
	case from.ID() == arrow.FLOAT16 && to.ID() == arrow.FLOAT32:
		return castFromHalf, true
	case from.ID() == arrow.FLOAT16:
		_, ok := castKernel(tFloat32, to)
		return castVia(tFloat32), ok
	case to.ID() == arrow.FLOAT16:
		if from.ID() == arrow.FLOAT32 {
			return castToHalf, true
		}
		_, ok := castKernel(from, tFloat32)
		return castVia(tFloat32), ok
	case (kf.integer() || kf == kFloat) && (kt.integer() || kt == kFloat):
		return castNumber, true
	case (kf.integer() || kf == kFloat) && kt == kDecimal:
		return castToDecimal, true
	case kf == kDecimal && (kt.numeric() || kt == kBool):
		return castFromDecimal, true
	case kf.numeric() && kt == kBool:
		return castToBool, true
	case kf == kBool && kt.numeric():
		return castFromBool, true
	case kf == kBinary && kt == kBinary:
		return castBytes, true
	case kf == kBinary && kt == kList:
		return castBytesToVector, arrow.IsFloating(plain(elemOf(to)).ID())
	case kf >= kDate && kf <= kInterval && kt >= kDate && kt <= kInterval:
		return temporalCast(kf, kt)
	case kf == kList && kt == kList:
		_, ok := castKernel(elemOf(from), elemOf(to))
		return castList, ok
	case kf == kStruct && kt == kStruct:
		return castStruct, structsCast(from.(*arrow.StructType), to.(*arrow.StructType))
	}
	return nil, false
}

func castSame(c *caster) (arrow.Array, error) {
	c.args[0].arr.Retain()
	return c.args[0].arr, nil
}

// castVia casts in two steps.
func castVia(mid arrow.DataType) castFunc {
	return func(c *caster) (arrow.Array, error) {
		a, err := castArray(c.mem(), c.args[0].arr, mid, c.try)
		if err != nil {
			return nil, err
		}
		defer a.Release()
		return castArray(c.mem(), a, c.to, c.try)
	}
}

// castDecoded casts what stands behind a dictionary, an extension or run ends.
func castDecoded(c *caster) (arrow.Array, error) {
	a, err := decode(c.mem(), c.args[0].arr)
	if err != nil {
		return nil, err
	}
	defer a.Release()
	return castArray(c.mem(), a, c.to, c.try)
}

// decode peels one layer of encoding; the caller releases the result.
func decode(mem memory.Allocator, a arrow.Array) (arrow.Array, error) {
	var values arrow.Array
	at := make([]int32, a.Len())
	switch a := a.(type) {
	case array.ExtensionArray:
		a.Storage().Retain()
		return a.Storage(), nil
	case *array.Dictionary:
		values = a.Dictionary()
		for i := range at {
			if a.IsValid(i) {
				at[i] = int32(a.GetValueIndex(i))
			}
		}
		if values.Len() == 0 {
			return nullArray(mem, values.DataType(), a.Len())
		}
	case *array.RunEndEncoded:
		values = a.Values()
		for i := range at {
			at[i] = int32(a.GetPhysicalIndex(i))
		}
		return kernel.Take(mem, values, at)
	default:
		return nil, fault.New(fault.Unsupported, "values of type %s", a.DataType())
	}
	out, err := kernel.Take(mem, values, at)
	if err != nil || a.NullN() == 0 {
		return out, err
	}
	defer out.Release()
	buf, bits := newBits(mem, a.Len())
	outer, inner := words{a.NullBitmapBytes(), a.Data().Offset(), a.Len()}, validity(vec{arr: out})
	for k := range bits {
		bits[k] = outer.word(k) & inner.word(k)
	}
	return withValidity(mem, out, buf), nil
}

func castDictionary(c *caster) (arrow.Array, error) {
	t := c.to.(*arrow.DictionaryType)
	a, err := castArray(c.mem(), c.args[0].arr, t.ValueType, c.try)
	if err != nil {
		return nil, err
	}
	defer a.Release()
	b := array.NewDictionaryBuilder(c.mem(), t)
	defer b.Release()
	if err := b.AppendArray(a); err != nil {
		return nil, fault.New(fault.Unsupported, "making values of type %s: %w", t, err)
	}
	return b.NewArray(), nil
}

func castExtension(c *caster) (arrow.Array, error) {
	t := c.to.(arrow.ExtensionType)
	a, err := castArray(c.mem(), c.args[0].arr, t.StorageType(), c.try)
	if err != nil {
		return nil, err
	}
	defer a.Release()
	return array.NewExtensionArrayWithStorage(t, a), nil
}

// ---- Numbers ----------------------------------------------------------------------------------

func castNumber(c *caster) (arrow.Array, error) {
	switch c.from.ID() {
	case arrow.INT8:
		return castFrom[int8](c)
	case arrow.INT16:
		return castFrom[int16](c)
	case arrow.INT32:
		return castFrom[int32](c)
	case arrow.INT64:
		return castFrom[int64](c)
	case arrow.UINT8:
		return castFrom[uint8](c)
	case arrow.UINT16:
		return castFrom[uint16](c)
	case arrow.UINT32:
		return castFrom[uint32](c)
	case arrow.UINT64:
		return castFrom[uint64](c)
	case arrow.FLOAT32:
		return castFrom[float32](c)
	}
	return castFrom[float64](c)
}

func castFrom[T fixed](c *caster) (arrow.Array, error) {
	switch c.to.ID() {
	case arrow.INT8:
		return convert[T, int8](c)
	case arrow.INT16:
		return convert[T, int16](c)
	case arrow.INT32:
		return convert[T, int32](c)
	case arrow.INT64:
		return convert[T, int64](c)
	case arrow.UINT8:
		return convert[T, uint8](c)
	case arrow.UINT16:
		return convert[T, uint16](c)
	case arrow.UINT32:
		return convert[T, uint32](c)
	case arrow.UINT64:
		return convert[T, uint64](c)
	case arrow.FLOAT32:
		return convert[T, float32](c)
	}
	return convert[T, float64](c)
}

// convert converts numbers. Floats round to the nearest integer, halves to even.
func convert[T, U fixed](c *caster) (arrow.Array, error) {
	x := numsOf[T](c.args[0])
	buf, out := newFixed[U](c.mem(), c.n)
	vals := x.vals[:c.n]
	fromFloat, toFloat := kindOf(c.from) == kFloat, kindOf(c.to) == kFloat
	if toFloat && (!fromFloat || bitWidth(c.from) <= bitWidth(c.to)) {
		for i, v := range vals {
			out[i] = U(v)
		}
		return c.finish(buf), nil
	}
	lo, hi := 0.0, 0.0
	if !toFloat {
		lo, hi = intRange(c.to)
	}
	wide := !toFloat && bitWidth(c.to) == 64
	for i, v := range vals {
		var ok bool
		switch {
		case toFloat: // DOUBLE to FLOAT
			r := U(v)
			out[i] = r
			ok = r-r == 0 || v-v != 0
		case fromFloat:
			f := math.RoundToEven(float64(v))
			ok = f >= lo && (f < hi || f == hi && !wide)
			if ok {
				out[i] = U(f)
			}
		default:
			r := U(v)
			out[i] = r
			ok = T(r) == v && (r < 0) == (v < 0)
		}
		if !ok {
			out[i] = 0
			if c.null(i) {
				continue
			}
			if err := c.fails(i, fmt.Sprint(v)); err != nil {
				buf.Release()
				return nil, err
			}
		}
	}
	return c.finish(buf), nil
}

func castFromHalf(c *caster) (arrow.Array, error) {
	x := numsOf[float16.Num](c.args[0])
	buf, out := newFixed[float32](c.mem(), c.n)
	distance.WidenHalves(out, x.vals[:c.n])
	return c.finish(buf), nil
}

func castToHalf(c *caster) (arrow.Array, error) {
	x := numsOf[float32](c.args[0])
	buf, out := newFixed[float16.Num](c.mem(), c.n)
	for i := range out {
		v := x.at(i)
		out[i] = float16.New(v)
		if out[i].IsInf() && v-v == 0 && !c.null(i) {
			if err := c.fails(i, fmt.Sprint(v)); err != nil {
				buf.Release()
				return nil, err
			}
		}
	}
	return c.finish(buf), nil
}

// int64s reads an integer column as int64; values above that (of UBIGINT) are not ok.
func int64s(v vec) func(i int) (int64, bool) {
	switch v.arr.DataType().ID() {
	case arrow.INT8:
		return readInt[int8](v)
	case arrow.INT16:
		return readInt[int16](v)
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		return readInt[int32](v)
	case arrow.UINT8:
		return readInt[uint8](v)
	case arrow.UINT16:
		return readInt[uint16](v)
	case arrow.UINT32:
		return readInt[uint32](v)
	case arrow.UINT64:
		n := numsOf[uint64](v)
		return func(i int) (int64, bool) { u := n.at(i); return int64(u), u <= math.MaxInt64 }
	}
	return readInt[int64](v)
}

func readInt[T integer](v vec) func(i int) (int64, bool) {
	n := numsOf[T](v)
	return func(i int) (int64, bool) { return int64(n.at(i)), true }
}

func float64s(v vec) func(i int) float64 {
	if v.arr.DataType().ID() == arrow.FLOAT32 {
		n := numsOf[float32](v)
		return func(i int) float64 { return float64(n.at(i)) }
	}
	return numsOf[float64](v).at
}

// rowText is row i of an argument for a message.
func (c *caster) rowText(i int) string {
	v, err := valueAt(c.args[0].arr, c.args[0].row(i))
	if err != nil {
		return "the value"
	}
	return sqlText(v, c.from)
}

// each runs fn for every row that is not NULL; fn returns false for a row that does not convert.
func (c *caster) each(fn func(i int) bool) error {
	for i := range c.n {
		if c.null(i) || fn(i) {
			continue
		}
		if err := c.fails(i, c.rowText(i)); err != nil {
			return err
		}
	}
	return nil
}

// fill makes a fixed-width result of which set computes each row.
func fill[R any](c *caster, set func(i int, out *R) bool) (arrow.Array, error) {
	buf, out := newFixed[R](c.mem(), c.n)
	clear(out)
	if err := c.each(func(i int) bool { return set(i, &out[i]) }); err != nil {
		buf.Release()
		return nil, err
	}
	return c.finish(buf), nil
}

func castToDecimal(c *caster) (arrow.Array, error) {
	t := c.to.(*arrow.Decimal128Type)
	switch {
	case kindOf(c.from) == kFloat:
		x := float64s(c.args[0])
		if c.from.ID() == arrow.FLOAT32 {
			return fill(c, func(i int, out *decimal128.Num) (ok bool) {
				f := x(i)
				if f-f != 0 {
					return false
				}
				*out, ok = scanDecimal(string(appendFloat(nil, f, 32)), t)
				return ok
			})
		}
		return fill(c, func(i int, out *decimal128.Num) (ok bool) {
			*out, ok = floatDecimal(x(i), t)
			return ok
		})
	case c.from.ID() == arrow.UINT64:
		x := numsOf[uint64](c.args[0])
		return fill(c, func(i int, out *decimal128.Num) (ok bool) {
			*out, ok = rescale(decimal128.FromU64(x.at(i)), 0, t.Scale, t.Precision)
			return ok
		})
	}
	x := int64s(c.args[0])
	return fill(c, func(i int, out *decimal128.Num) (ok bool) {
		v, _ := x(i)
		*out, ok = rescale(decimal128.FromI64(v), 0, t.Scale, t.Precision)
		return ok
	})
}

func castFromDecimal(c *caster) (arrow.Array, error) {
	x := numsOf[decimal128.Num](c.args[0])
	scale := c.from.(*arrow.Decimal128Type).Scale
	switch kindOf(c.to) {
	case kDecimal:
		t := c.to.(*arrow.Decimal128Type)
		return fill(c, func(i int, out *decimal128.Num) (ok bool) {
			*out, ok = rescale(x.at(i), scale, t.Scale, t.Precision)
			return ok
		})
	case kFloat:
		if c.to.ID() == arrow.FLOAT32 {
			return fill(c, func(i int, out *float32) bool {
				*out = float32(decimalFloat(x.at(i), scale))
				return true
			})
		}
		return fill(c, func(i int, out *float64) bool {
			*out = decimalFloat(x.at(i), scale)
			return true
		})
	case kBool:
		return castBools(c, func(i int) bool { return x.at(i).Sign() != 0 })
	}
	// Integers: round half away from zero, then as int64 or uint64.
	if c.to.ID() == arrow.UINT64 {
		return fill(c, func(i int, out *uint64) bool {
			n, ok := rescale(x.at(i), scale, 0, 38)
			*out = n.LowBits()
			return ok && n.HighBits() == 0
		})
	}
	wide := &call{alloc: c.alloc, args: c.args, n: c.n, t: tInt64}
	defer wide.free()
	wide.combineValidity()
	w := &caster{wide, c.from, tInt64, c.try}
	a, err := fill(w, func(i int, out *int64) bool {
		n, ok := rescale(x.at(i), scale, 0, 38)
		v, fits := small(n)
		*out = v
		return ok && fits
	})
	if err != nil {
		return nil, err
	}
	defer a.Release()
	return castArray(c.mem(), a, c.to, c.try)
}

// castBools makes booleans; fn cannot fail.
func castBools(c *caster, fn func(i int) bool) (arrow.Array, error) {
	buf, vals := newBits(c.mem(), c.n)
	clear(vals)
	for i := range c.n {
		if !c.null(i) {
			vals[i>>6] |= b2u(fn(i)) << (i & 63)
		}
	}
	return makeBools(c.n, buf, c.takeValid()), nil
}

func castToBool(c *caster) (arrow.Array, error) {
	if kindOf(c.from) == kFloat {
		x := float64s(c.args[0])
		return castBools(c, func(i int) bool { return x(i) != 0 })
	}
	x := int64s(c.args[0])
	return castBools(c, func(i int) bool { v, _ := x(i); return v != 0 })
}

// castFromBool makes 0 and 1, through TINYINT.
func castFromBool(c *caster) (arrow.Array, error) {
	b := boolsOf(c.args[0])
	tiny := &call{alloc: c.alloc, args: c.args, n: c.n, t: arrow.PrimitiveTypes.Int8}
	defer tiny.free()
	tiny.combineValidity()
	buf, out := newFixed[int8](c.mem(), c.n)
	for i := range out {
		yes, _ := b.pair(i >> 6)
		out[i] = int8(yes >> (i & 63) & 1)
	}
	a := tiny.finish(buf)
	defer a.Release()
	return castArray(c.mem(), a, c.to, c.try)
}

// ---- Text -------------------------------------------------------------------------------------

// castToText writes every type; see format.go for the forms.
func castToText(c *caster) (arrow.Array, error) {
	if c.to.ID() != arrow.STRING {
		return castLayout(c)
	}
	v := c.args[0]
	var write func(b []byte, i int) []byte
	switch kindOf(c.from) {
	case kText:
		x := textsOf(v)
		write = func(b []byte, i int) []byte { return append(b, x.at(i)...) }
	case kInt:
		x := int64s(v)
		write = func(b []byte, i int) []byte { n, _ := x(i); return strconv.AppendInt(b, n, 10) }
	case kFloat:
		if c.from.ID() == arrow.FLOAT16 {
			return castVia(tFloat32)(c)
		}
		x, bits := float64s(v), bitWidth(c.from)
		write = func(b []byte, i int) []byte { return appendFloat(b, x(i), bits) }
	case kBinary:
		x := textsOf(v)
		write = func(b []byte, i int) []byte { return appendHex(b, x.at(i)) }
	case kDate:
		if c.from.ID() == arrow.DATE32 {
			x := int64s(v)
			write = func(b []byte, i int) []byte { n, _ := x(i); return appendDate(b, n) }
		}
	case kTimestamp:
		t := c.from.(*arrow.TimestampType)
		loc, err := zoneOf(t)
		if err != nil {
			return nil, err
		}
		x := numsOf[int64](v)
		write = func(b []byte, i int) []byte { return appendTimestamp(b, x.at(i), t, loc) }
	}
	var failed error
	if write == nil {
		write = func(b []byte, i int) []byte {
			b, err := appendRow(b, v.arr, v.row(i), false)
			if err != nil {
				failed = err
			}
			return b
		}
	}
	w := newTextWriter(c.mem(), c.to, c.n, 16*c.n)
	var line []byte
	for i := range c.n {
		if !c.null(i) {
			line = write(line[:0], i)
			w.write(line)
		}
		if err := w.end(); err != nil || failed != nil {
			w.free()
			if err == nil {
				err = failed
			}
			return nil, err
		}
	}
	return w.finish(c.countedValid()), nil
}

// castLayout writes strings in another layout than utf8.
func castLayout(c *caster) (arrow.Array, error) {
	if kindOf(c.from) != kText {
		return castVia(tText)(c)
	}
	x := textsOf(c.args[0])
	b := array.NewBuilder(c.mem(), c.to)
	defer b.Release()
	sb, ok := b.(array.StringLikeBuilder)
	if !ok {
		return nil, noCast(c.from, c.to)
	}
	for i := range c.n {
		if c.null(i) {
			sb.AppendNull()
		} else {
			sb.Append(x.str(i))
		}
	}
	return sb.NewArray(), nil
}

// appendRow writes row i of any array; nested says that it is inside a list or struct, where strings
// are quoted if they could be misread.
func appendRow(b []byte, a arrow.Array, i int, nested bool) ([]byte, error) {
	if a.IsNull(i) {
		return append(b, "NULL"...), nil
	}
	var err error
	switch x := a.(type) {
	case *array.Struct:
		t := x.DataType().(*arrow.StructType)
		b = append(b, '{')
		for k := range x.NumField() {
			if k > 0 {
				b = append(b, ", "...)
			}
			b = append(b, quoteText(t.Field(k).Name)...)
			b = append(b, ": "...)
			if b, err = appendRow(b, x.Field(k), i, true); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case *array.Map:
		start, end := x.ValueOffsets(i)
		b = append(b, '{')
		for j := start; j < end; j++ {
			if j > start {
				b = append(b, ", "...)
			}
			if b, err = appendRow(b, x.Keys(), int(j), true); err != nil {
				return nil, err
			}
			b = append(b, '=')
			if b, err = appendRow(b, x.Items(), int(j), true); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case array.ListLike:
		start, end := x.ValueOffsets(i)
		b = append(b, '[')
		for j := start; j < end; j++ {
			if j > start {
				b = append(b, ", "...)
			}
			if b, err = appendRow(b, x.ListValues(), int(j), true); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	v, err := valueAt(a, i)
	if err != nil {
		return nil, err
	}
	s := valueText(v, a.DataType())
	if nested && kindOf(plain(a.DataType())) == kText && needsQuotes(s) {
		s = quoteText(s)
	}
	return append(b, s...), nil
}

func needsQuotes(s string) bool {
	if s == "" || s == "NULL" || s[0] == ' ' || s[len(s)-1] == ' ' {
		return true
	}
	for _, r := range s {
		switch r {
		case ',', '[', ']', '{', '}', '\'', '"', '=', ':', '\\':
			return true
		}
	}
	return false
}
