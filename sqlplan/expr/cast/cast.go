package cast

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
	"lanceflight/internal/gather"
	"lanceflight/internal/half"
	"lanceflight/sqlplan/expr/value"
	"lanceflight/vecindex/distance"
)

// Casts. A kernel is chosen by the kinds of both types; it converts row by row, and a row that does not
// convert fails the batch, or is NULL under TRY_CAST.

// caster is a call of a cast kernel.
type caster struct {
	*value.KernelCall
	from, to arrow.DataType
	try      bool
}

type castFunc func(c *caster) (arrow.Array, error)

// fails handles row i, which does not convert: an error, or NULL under TRY_CAST. text is the value.
func (c *caster) fails(i int, text string) error {
	if c.try {
		c.SetNull(i)
		return nil
	}
	return fault.New(fault.InvalidArgument, "cannot cast %s to %s", text, value.TypeName(c.to))
}

func NoCast(from, to arrow.DataType) error {
	if err := value.NotComputed(from, to); err != nil {
		return err
	}
	return fault.New(fault.InvalidArgument, "%s cannot be cast to %s", value.TypeName(from), value.TypeName(to))
}

// Array casts a whole array; a stays the caller's.
func Array(mem memory.Allocator, a arrow.Array, to arrow.DataType, try bool) (arrow.Array, error) {
	if arrow.TypeEqual(a.DataType(), to) {
		a.Retain()
		return a, nil
	}
	fn, ok := castKernel(a.DataType(), to)
	if !ok {
		return nil, NoCast(a.DataType(), to)
	}
	c := &value.KernelCall{Alloc: mem, Args: []value.Vec{{Arr: a}}, N: a.Len(), Type: to}
	defer c.Free()
	c.CombineValidity()
	return fn(&caster{c, a.DataType(), to, try})
}

// Exists says whether there is a cast between two types at all.
func Exists(from, to arrow.DataType) bool {
	_, ok := castKernel(from, to)
	return ok
}

// Kernel is the kernel of a cast as the kernel of a call with one argument. ok is false if there is no
// such cast.
func Kernel(from, to arrow.DataType, try bool) (run func(*value.KernelCall) (arrow.Array, error), ok bool) {
	fn, ok := castKernel(from, to)
	return func(c *value.KernelCall) (arrow.Array, error) {
		return fn(&caster{c, c.Args[0].Arr.DataType(), to, try})
	}, ok
}

// Value casts one value, which is not NULL, of the Go type that constants have for from.
func Value(v any, from, to arrow.DataType) (any, error) {
	if arrow.TypeEqual(from, to) {
		return v, nil
	}
	mem := memory.NewGoAllocator()
	a, err := value.OneValue(v, from, mem)
	if err != nil {
		return nil, err
	}
	defer a.Release()
	b, err := Array(mem, a, to, false)
	if err != nil {
		return nil, err
	}
	defer b.Release()
	return value.ValueAt(b, 0)
}

// castKernel finds the kernel for a pair of types; ok false if there is no such cast.
func castKernel(from, to arrow.DataType) (castFunc, bool) {
	if arrow.TypeEqual(from, to) {
		return castSame, true
	}
	if from.ID() == arrow.NULL {
		return func(c *caster) (arrow.Array, error) { return value.NullArray(c.Mem(), c.Type, c.N) }, true
	}
	if p := value.PlainType(from); p != from {
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
		if value.KindOf(t) == value.KindUUID && value.KindOf(from) == value.KindText {
			return castTextToUUID, true
		}
		_, ok := castKernel(from, t.StorageType())
		return castExtension, ok
	}
	kf, kt := value.KindOf(from), value.KindOf(to)
	switch {
	case kt == value.KindText:
		return castToText, kf != value.KindOther
	case kf == value.KindText:
		fn, ok := textCasts[kt]
		return fn, ok
	case from.ID() == arrow.FLOAT16 && to.ID() == arrow.FLOAT32:
		return castFromHalf, true
	case from.ID() == arrow.FLOAT16:
		_, ok := castKernel(value.TypeFloat32, to)
		return castVia(value.TypeFloat32), ok
	case to.ID() == arrow.FLOAT16:
		switch from.ID() {
		case arrow.FLOAT32:
			return castFloatToHalf, true
		case arrow.FLOAT64:
			return castDoubleToHalf, true
		}
		// Not by way of FLOAT, which would round twice.
		_, ok := castKernel(from, value.TypeFloat64)
		return castVia(value.TypeFloat64), ok
	case (kf.Integer() || kf == value.KindFloat) && (kt.Integer() || kt == value.KindFloat):
		return castNumber, true
	case (kf.Integer() || kf == value.KindFloat) && kt == value.KindDecimal:
		return castToDecimal, true
	case kf == value.KindDecimal && (kt.Numeric() || kt == value.KindBool):
		return castFromDecimal, true
	case kf.Numeric() && kt == value.KindBool:
		return castToBool, true
	case kf == value.KindBool && kt.Numeric():
		return castFromBool, true
	case (kf == value.KindBinary || kf == value.KindUUID) && kt == value.KindBinary:
		return castBytes, true
	case kf == value.KindBinary && kt == value.KindList:
		return castBytesToVector, arrow.IsFloating(value.PlainType(value.ElemOf(to)).ID())
	case kf >= value.KindDate && kf <= value.KindInterval && kt >= value.KindDate && kt <= value.KindInterval:
		return temporalCast(kf, kt)
	case kf == value.KindList && kt == value.KindList:
		_, ok := castKernel(value.ElemOf(from), value.ElemOf(to))
		return castList, ok
	case kf == value.KindStruct && kt == value.KindStruct:
		return castStruct, structsCast(from.(*arrow.StructType), to.(*arrow.StructType))
	}
	return nil, false
}

func castSame(c *caster) (arrow.Array, error) {
	c.Args[0].Arr.Retain()
	return c.Args[0].Arr, nil
}

// castVia casts in two steps.
func castVia(mid arrow.DataType) castFunc {
	return func(c *caster) (arrow.Array, error) {
		a, err := Array(c.Mem(), c.Args[0].Arr, mid, c.try)
		if err != nil {
			return nil, err
		}
		defer a.Release()
		return Array(c.Mem(), a, c.to, c.try)
	}
}

// castDecoded casts what stands behind a dictionary, an extension or run ends.
func castDecoded(c *caster) (arrow.Array, error) {
	a, err := decode(c.Mem(), c.Args[0].Arr)
	if err != nil {
		return nil, err
	}
	defer a.Release()
	return Array(c.Mem(), a, c.to, c.try)
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
			return value.NullArray(mem, values.DataType(), a.Len())
		}
	case *array.RunEndEncoded:
		values = a.Values()
		for i := range at {
			at[i] = int32(a.GetPhysicalIndex(i))
		}
		return gather.Take(mem, values, at)
	default:
		return nil, fault.New(fault.Unsupported, "values of type %s", a.DataType())
	}
	out, err := gather.Take(mem, values, at)
	if err != nil || a.NullN() == 0 {
		return out, err
	}
	defer out.Release()
	buf, bits := value.NewBits(mem, a.Len())
	outer, inner := value.Words{Bytes: a.NullBitmapBytes(), Off: a.Data().Offset(), N: a.Len()}, value.Validity(value.Vec{Arr: out})
	for k := range bits {
		bits[k] = outer.Word(k) & inner.Word(k)
	}
	return value.WithValidity(mem, out, buf), nil
}

func castDictionary(c *caster) (arrow.Array, error) {
	t := c.to.(*arrow.DictionaryType)
	a, err := Array(c.Mem(), c.Args[0].Arr, t.ValueType, c.try)
	if err != nil {
		return nil, err
	}
	defer a.Release()
	b := array.NewDictionaryBuilder(c.Mem(), t)
	defer b.Release()
	if err := b.AppendArray(a); err != nil {
		return nil, fault.New(fault.Unsupported, "making values of type %s: %w", t, err)
	}
	return b.NewArray(), nil
}

func castExtension(c *caster) (arrow.Array, error) {
	t := c.to.(arrow.ExtensionType)
	a, err := Array(c.Mem(), c.Args[0].Arr, t.StorageType(), c.try)
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

func castFrom[T value.Fixed](c *caster) (arrow.Array, error) {
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
func convert[T, U value.Fixed](c *caster) (arrow.Array, error) {
	x := value.NumsOf[T](c.Args[0])
	buf, out := value.NewFixed[U](c.Mem(), c.N)
	vals := x.Vals[:c.N]
	fromFloat, toFloat := value.KindOf(c.from) == value.KindFloat, value.KindOf(c.to) == value.KindFloat
	if toFloat && (!fromFloat || value.BitWidth(c.from) <= value.BitWidth(c.to)) {
		for i, v := range vals {
			out[i] = U(v)
		}
		return c.Finish(buf), nil
	}
	lo, hi := 0.0, 0.0
	if !toFloat {
		lo, hi = value.IntRange(c.to)
	}
	wide := !toFloat && value.BitWidth(c.to) == 64
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
			if c.Null(i) {
				continue
			}
			if err := c.fails(i, fmt.Sprint(v)); err != nil {
				buf.Release()
				return nil, err
			}
		}
	}
	return c.Finish(buf), nil
}

func castFromHalf(c *caster) (arrow.Array, error) {
	x := value.NumsOf[float16.Num](c.Args[0])
	buf, out := value.NewFixed[float32](c.Mem(), c.N)
	distance.WidenHalves(out, x.Vals[:c.N])
	return c.Finish(buf), nil
}

func castFloatToHalf(c *caster) (arrow.Array, error)  { return castToHalf(c, half.FromFloat32) }
func castDoubleToHalf(c *caster) (arrow.Array, error) { return castToHalf(c, half.FromFloat64) }

func castToHalf[T float32 | float64](c *caster, narrow func(T) float16.Num) (arrow.Array, error) {
	x := value.NumsOf[T](c.Args[0])
	buf, out := value.NewFixed[float16.Num](c.Mem(), c.N)
	for i := range out {
		v := x.At(i)
		out[i] = narrow(v)
		if out[i].IsInf() && v-v == 0 && !c.Null(i) {
			if err := c.fails(i, fmt.Sprint(v)); err != nil {
				buf.Release()
				return nil, err
			}
		}
	}
	return c.Finish(buf), nil
}

// Int64s reads an integer column as int64; values above that (of UBIGINT) are not ok.
func Int64s(v value.Vec) func(i int) (int64, bool) {
	switch v.Arr.DataType().ID() {
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
		n := value.NumsOf[uint64](v)
		return func(i int) (int64, bool) { u := n.At(i); return int64(u), u <= math.MaxInt64 }
	}
	return readInt[int64](v)
}

func readInt[T value.Integer](v value.Vec) func(i int) (int64, bool) {
	n := value.NumsOf[T](v)
	return func(i int) (int64, bool) { return int64(n.At(i)), true }
}

func float64s(v value.Vec) func(i int) float64 {
	if v.Arr.DataType().ID() == arrow.FLOAT32 {
		n := value.NumsOf[float32](v)
		return func(i int) float64 { return float64(n.At(i)) }
	}
	return value.NumsOf[float64](v).At
}

// rowText is row i of an argument for a message.
func (c *caster) rowText(i int) string {
	v, err := value.ValueAt(c.Args[0].Arr, c.Args[0].Row(i))
	if err != nil {
		return "the value"
	}
	return SQLText(v, c.from)
}

// each runs fn for every row that is not NULL; fn returns false for a row that does not convert.
func (c *caster) each(fn func(i int) bool) error {
	for i := range c.N {
		if c.Null(i) || fn(i) {
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
	buf, out := value.NewFixed[R](c.Mem(), c.N)
	clear(out)
	if err := c.each(func(i int) bool { return set(i, &out[i]) }); err != nil {
		buf.Release()
		return nil, err
	}
	return c.Finish(buf), nil
}

func castToDecimal(c *caster) (arrow.Array, error) {
	t := c.to.(*arrow.Decimal128Type)
	switch {
	case value.KindOf(c.from) == value.KindFloat:
		x := float64s(c.Args[0])
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
		x := value.NumsOf[uint64](c.Args[0])
		return fill(c, func(i int, out *decimal128.Num) (ok bool) {
			*out, ok = Rescale(decimal128.FromU64(x.At(i)), 0, t.Scale, t.Precision)
			return ok
		})
	}
	x := Int64s(c.Args[0])
	return fill(c, func(i int, out *decimal128.Num) (ok bool) {
		v, _ := x(i)
		*out, ok = Rescale(decimal128.FromI64(v), 0, t.Scale, t.Precision)
		return ok
	})
}

func castFromDecimal(c *caster) (arrow.Array, error) {
	x := value.NumsOf[decimal128.Num](c.Args[0])
	scale := c.from.(*arrow.Decimal128Type).Scale
	switch value.KindOf(c.to) {
	case value.KindDecimal:
		t := c.to.(*arrow.Decimal128Type)
		return fill(c, func(i int, out *decimal128.Num) (ok bool) {
			*out, ok = Rescale(x.At(i), scale, t.Scale, t.Precision)
			return ok
		})
	case value.KindFloat:
		if c.to.ID() == arrow.FLOAT32 {
			return fill(c, func(i int, out *float32) bool {
				*out = float32(decimalFloat(x.At(i), scale))
				return true
			})
		}
		return fill(c, func(i int, out *float64) bool {
			*out = decimalFloat(x.At(i), scale)
			return true
		})
	case value.KindBool:
		return castBools(c, func(i int) bool { return x.At(i).Sign() != 0 })
	}
	// Integers: round half away from zero, then as int64 or uint64.
	if c.to.ID() == arrow.UINT64 {
		return fill(c, func(i int, out *uint64) bool {
			n, ok := Rescale(x.At(i), scale, 0, 38)
			*out = n.LowBits()
			return ok && n.HighBits() == 0
		})
	}
	wide := &value.KernelCall{Alloc: c.Alloc, Args: c.Args, N: c.N, Type: value.TypeInt64}
	defer wide.Free()
	wide.CombineValidity()
	w := &caster{wide, c.from, value.TypeInt64, c.try}
	a, err := fill(w, func(i int, out *int64) bool {
		n, ok := Rescale(x.At(i), scale, 0, 38)
		v, fits := SmallDecimal(n)
		*out = v
		return ok && fits
	})
	if err != nil {
		return nil, err
	}
	defer a.Release()
	return Array(c.Mem(), a, c.to, c.try)
}

// castBools makes booleans; fn cannot fail.
func castBools(c *caster, fn func(i int) bool) (arrow.Array, error) {
	buf, vals := value.NewBits(c.Mem(), c.N)
	clear(vals)
	for i := range c.N {
		if !c.Null(i) {
			vals[i>>6] |= value.Bit(fn(i)) << (i & 63)
		}
	}
	return value.MakeBools(c.N, buf, c.TakeValid()), nil
}

func castToBool(c *caster) (arrow.Array, error) {
	if value.KindOf(c.from) == value.KindFloat {
		x := float64s(c.Args[0])
		return castBools(c, func(i int) bool { return x(i) != 0 })
	}
	x := Int64s(c.Args[0])
	return castBools(c, func(i int) bool { v, _ := x(i); return v != 0 })
}

// castFromBool makes 0 and 1, through TINYINT.
func castFromBool(c *caster) (arrow.Array, error) {
	b := value.BoolsOf(c.Args[0])
	tiny := &value.KernelCall{Alloc: c.Alloc, Args: c.Args, N: c.N, Type: arrow.PrimitiveTypes.Int8}
	defer tiny.Free()
	tiny.CombineValidity()
	buf, out := value.NewFixed[int8](c.Mem(), c.N)
	for i := range out {
		yes, _ := b.Pair(i >> 6)
		out[i] = int8(yes >> (i & 63) & 1)
	}
	a := tiny.Finish(buf)
	defer a.Release()
	return Array(c.Mem(), a, c.to, c.try)
}

// ---- Text -------------------------------------------------------------------------------------

// castToText writes every type; see format.go for the forms.
func castToText(c *caster) (arrow.Array, error) {
	if c.to.ID() != arrow.STRING {
		return castLayout(c)
	}
	v := c.Args[0]
	var write func(b []byte, i int) []byte
	switch value.KindOf(c.from) {
	case value.KindText:
		x := value.TextsOf(v)
		write = func(b []byte, i int) []byte { return append(b, x.At(i)...) }
	case value.KindInt:
		x := Int64s(v)
		write = func(b []byte, i int) []byte { n, _ := x(i); return strconv.AppendInt(b, n, 10) }
	case value.KindFloat:
		if c.from.ID() == arrow.FLOAT16 {
			return castVia(value.TypeFloat32)(c)
		}
		x, bits := float64s(v), value.BitWidth(c.from)
		write = func(b []byte, i int) []byte { return appendFloat(b, x(i), bits) }
	case value.KindBinary:
		x := value.TextsOf(v)
		write = func(b []byte, i int) []byte { return appendHex(b, x.At(i)) }
	case value.KindUUID:
		x := value.TextsOf(v)
		write = func(b []byte, i int) []byte { return append(b, value.FormatUUID(x.At(i))...) }
	case value.KindDate:
		if c.from.ID() == arrow.DATE32 {
			x := Int64s(v)
			write = func(b []byte, i int) []byte { n, _ := x(i); return AppendDate(b, n) }
		}
	case value.KindTimestamp:
		t := c.from.(*arrow.TimestampType)
		loc, err := ZoneOf(t)
		if err != nil {
			return nil, err
		}
		x := value.NumsOf[int64](v)
		write = func(b []byte, i int) []byte { return appendTimestamp(b, x.At(i), t, loc) }
	}
	var failed error
	if write == nil {
		write = func(b []byte, i int) []byte {
			b, err := AppendRow(b, v.Arr, v.Row(i), false)
			if err != nil {
				failed = err
			}
			return b
		}
	}
	w := value.NewTextWriter(c.Mem(), c.to, c.N, 16*c.N)
	var line []byte
	for i := range c.N {
		if !c.Null(i) {
			line = write(line[:0], i)
			w.Write(line)
		}
		if err := w.End(); err != nil || failed != nil {
			w.Free()
			if err == nil {
				err = failed
			}
			return nil, err
		}
	}
	return w.Finish(c.CountedValid()), nil
}

// castLayout writes strings in another layout than utf8.
func castLayout(c *caster) (arrow.Array, error) {
	if value.KindOf(c.from) != value.KindText {
		return castVia(value.TypeText)(c)
	}
	x := value.TextsOf(c.Args[0])
	b := array.NewBuilder(c.Mem(), c.to)
	defer b.Release()
	sb, ok := b.(array.StringLikeBuilder)
	if !ok {
		return nil, NoCast(c.from, c.to)
	}
	for i := range c.N {
		if c.Null(i) {
			sb.AppendNull()
		} else {
			sb.Append(x.Str(i))
		}
	}
	return sb.NewArray(), nil
}

// AppendRow writes row i of any array; nested says that it is inside a list or struct, where strings
// are quoted if they could be misread.
func AppendRow(b []byte, a arrow.Array, i int, nested bool) ([]byte, error) {
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
			if b, err = AppendRow(b, x.Field(k), i, true); err != nil {
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
			if b, err = AppendRow(b, x.Keys(), int(j), true); err != nil {
				return nil, err
			}
			b = append(b, '=')
			if b, err = AppendRow(b, x.Items(), int(j), true); err != nil {
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
			if b, err = AppendRow(b, x.ListValues(), int(j), true); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	v, err := value.ValueAt(a, i)
	if err != nil {
		return nil, err
	}
	s := valueText(v, a.DataType())
	if nested && value.KindOf(value.PlainType(a.DataType())) == value.KindText && needsQuotes(s) {
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
