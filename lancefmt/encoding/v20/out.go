package v20

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
)

// out is an array under construction: the values of all pages that one Read touches. Memory is
// allocated when the first step writes, after all pages have been planned and charged.
type out interface {
	releaser // releases what finish has not handed over
	// length is the number of values.
	length() int
	// nulls is where NULLs are marked. It is nil if the type has no validity (null).
	nulls() *validity
	// fillNull makes n values from at NULL and gives them the value zero.
	fillNull(at, n int) error
	// nullBytes is what fillNull would allocate for n values, in bytes.
	nullBytes(n int64) (int64, bool)
	// finish returns the array's data; the caller releases it.
	finish() (*array.Data, error)
}

// memoryOf says where an out's memory comes from.
type memoryOf struct {
	memory.Allocator
	// copies forbids sharing fetched buffers, which a cached array would keep from being released.
	copies bool
}

// newOut returns an empty out of n values. It knows all types that storage version 2.0 keeps in one
// column; others are Unsupported.
func newOut(dt arrow.DataType, n int, mem memoryOf) (out, error) {
	switch t := storageType(dt).(type) {
	case *arrow.NullType:
		return &nullOut{dt: dt, n: n}, nil
	case *arrow.FixedSizeListType:
		items, ok := product(int64(n), int64(t.Len()))
		if !ok {
			return nil, fault.New(fault.ResourceExhausted, "%d fixed-size lists of %d items are too many for one array", n, t.Len())
		}
		child, err := newOut(t.Elem(), int(items), mem)
		if err != nil {
			return nil, err
		}
		return &fixedListOut{dt: dt, n: n, dim: int(t.Len()), child: child, valid: validity{n: n, mem: mem}}, nil
	case *arrow.StructType:
		o := &structOut{dt: dt, n: n, valid: validity{n: n, mem: mem}}
		for _, f := range t.Fields() {
			child, err := newOut(f.Type, n, mem)
			if err != nil {
				return nil, err
			}
			o.children = append(o.children, child)
		}
		return o, nil
	case *arrow.DictionaryType:
		index, err := newOut(t.IndexType, n, mem)
		if err != nil {
			return nil, err
		}
		return &dictOut{dt: dt, typ: t, index: index.(*fixedOut), mem: mem}, nil
	}
	if wide, ok := offsetsOf(dt); ok {
		return &varOut{dt: dt, n: n, wide: wide, mem: mem, valid: validity{n: n, mem: mem}}, nil
	}
	if width, ok := bitsOf(dt); ok {
		return newFixed(dt, width, n, mem), nil
	}
	return nil, fault.New(fault.Unsupported, "columns of type %s in storage version 2.0", dt)
}

// storageType looks through extension types.
func storageType(dt arrow.DataType) arrow.DataType {
	for {
		ext, ok := dt.(arrow.ExtensionType)
		if !ok {
			return dt
		}
		dt = ext.StorageType()
	}
}

// bitsOf returns the width of the values of a fixed-width type.
func bitsOf(dt arrow.DataType) (int, bool) {
	switch t := storageType(dt).(type) {
	case *arrow.DictionaryType:
		return 0, false
	case *arrow.FixedSizeBinaryType:
		return t.ByteWidth * 8, t.ByteWidth > 0
	case arrow.FixedWidthDataType:
		return t.BitWidth(), t.BitWidth() > 0
	}
	return 0, false
}

// offsetsOf says whether a type is string or binary, and whether its offsets have 64 bits.
func offsetsOf(dt arrow.DataType) (wide, ok bool) {
	switch storageType(dt).ID() {
	case arrow.STRING, arrow.BINARY:
		return false, true
	case arrow.LARGE_STRING, arrow.LARGE_BINARY:
		return true, true
	}
	return false, false
}

// resized returns a buffer of size bytes, whose contents are undefined.
func resized(mem memory.Allocator, size int) *memory.Buffer {
	b := memory.NewResizableBuffer(mem)
	b.Resize(size)
	return b
}

// validity is the validity bitmap of an out. It exists from the first NULL on, and begins with all
// values valid.
type validity struct {
	n   int
	mem memoryOf
	buf *memory.Buffer
}

// bits returns the bitmap, and makes it if there is none.
func (v *validity) bits() []byte {
	if v.buf == nil {
		v.buf = resized(v.mem, (v.n+7)/8)
		memory.Set(v.buf.Bytes(), 0xff)
	}
	return v.buf.Bytes()
}

// isNull says whether value i has been marked so far.
func (v *validity) isNull(i int) bool { return v.buf != nil && !bitutil.BitIsSet(v.buf.Bytes(), i) }

// clear marks value i as NULL, and clearRange n values from at on.
func (v *validity) clear(i int) { bitutil.ClearBit(v.bits(), i) }

func (v *validity) clearRange(at, n int) { bitutil.SetBitsTo(v.bits(), int64(at), int64(n), false) }

// and marks those of the n values from at whose bit in src is 0.
func (v *validity) and(at, n int, src []byte) {
	if bitutil.CountSetBits(src, 0, n) == n {
		return
	}
	dst := v.bits()
	for i := 0; i < n; {
		switch {
		case (at+i)%8 == 0 && i%8 == 0 && n-i >= 8:
			dst[(at+i)/8] &= src[i/8]
			i += 8
		default:
			if !bitutil.BitIsSet(src, i) {
				bitutil.ClearBit(dst, at+i)
			}
			i++
		}
	}
}

// finish returns the bitmap (nil if nothing is NULL) and the number of NULLs. The bitmap stays with
// v.
func (v *validity) finish() (*memory.Buffer, int) {
	if v.buf == nil {
		return nil, 0
	}
	nulls := v.n - bitutil.CountSetBits(v.buf.Bytes(), 0, v.n)
	if nulls == 0 {
		return nil, 0
	}
	return v.buf, nulls
}

func (v *validity) release() {
	if v.buf != nil {
		v.buf.Release()
		v.buf = nil
	}
}

// fixedOut holds values of a fixed number of bits: 1, or a multiple of 8.
type fixedOut struct {
	dt    arrow.DataType
	width int // bits
	n     int
	mem   memoryOf
	buf   *memory.Buffer
	valid validity
}

func newFixed(dt arrow.DataType, width, n int, mem memoryOf) *fixedOut {
	return &fixedOut{dt: dt, width: width, n: n, mem: mem, valid: validity{n: n, mem: mem}}
}

func (o *fixedOut) length() int      { return o.n }
func (o *fixedOut) nulls() *validity { return &o.valid }

// size is the length of the values' buffer. Nodes have checked their rows against buffers, and
// all-NULL rows are charged, so that it fits.
func (o *fixedOut) size() (int64, bool) { return bytesFor(int64(o.n), uint64(o.width)) }

// bytes returns the values' buffer for writing.
func (o *fixedOut) bytes() ([]byte, error) {
	if o.buf == nil {
		size, ok := o.size()
		if !ok {
			return nil, fault.New(fault.ResourceExhausted, "%d values of %d bits are too many for one array", o.n, o.width)
		}
		o.buf = resized(o.mem, int(size))
		// Bits behind the last value are never written, and must not be what the pool left there.
		if o.width == 1 && size > 0 {
			o.buf.Bytes()[size-1] = 0
		}
	}
	return o.buf.Bytes(), nil
}

// slot returns the bytes of n values from at on; width is not 1.
func (o *fixedOut) slot(at, n int) ([]byte, error) {
	b, err := o.bytes()
	if err != nil {
		return nil, err
	}
	w := o.width / 8
	return b[at*w : (at+n)*w], nil
}

// alias takes over fetched bytes as the whole buffer, if they are all values of the array and lie
// at an address that the type allows. The array then keeps the fetched memory, which may be a
// mapped file.
func (o *fixedOut) alias(s span, at, n int) bool {
	if o.buf != nil || o.mem.copies || o.width == 1 || at != 0 || n != o.n || n == 0 || !aligned(s.bytes(), o.width/8) {
		return false
	}
	o.buf = s.share()
	return true
}

func (o *fixedOut) fillNull(at, n int) error {
	b, err := o.bytes()
	if err != nil {
		return err
	}
	if o.width == 1 {
		bitutil.SetBitsTo(b, int64(at), int64(n), false)
	} else {
		clear(b[at*(o.width/8) : (at+n)*(o.width/8)])
	}
	o.valid.clearRange(at, n)
	return nil
}

func (o *fixedOut) nullBytes(n int64) (int64, bool) { return bytesFor(n, uint64(o.width)+1) }

func (o *fixedOut) finish() (*array.Data, error) {
	if _, err := o.bytes(); err != nil {
		return nil, err
	}
	bitmap, nulls := o.valid.finish()
	return array.NewData(o.dt, o.n, []*memory.Buffer{bitmap, o.buf}, nil, nulls, 0), nil
}

func (o *fixedOut) release() {
	o.valid.release()
	if o.buf != nil {
		o.buf.Release()
		o.buf = nil
	}
}

// nullOut is an array of type null.
type nullOut struct {
	dt arrow.DataType
	n  int
}

func (o *nullOut) length() int                   { return o.n }
func (o *nullOut) nulls() *validity              { return nil }
func (o *nullOut) fillNull(int, int) error       { return nil }
func (o *nullOut) nullBytes(int64) (int64, bool) { return 0, true }
func (o *nullOut) release()                      {}
func (o *nullOut) finish() (*array.Data, error) {
	return array.NewData(o.dt, o.n, []*memory.Buffer{nil}, nil, o.n, 0), nil
}

// fixedListOut holds fixed-size lists; the child has n·dim items.
type fixedListOut struct {
	dt     arrow.DataType
	n, dim int
	child  out
	valid  validity
}

func (o *fixedListOut) length() int      { return o.n }
func (o *fixedListOut) nulls() *validity { return &o.valid }

func (o *fixedListOut) fillNull(at, n int) error {
	if err := o.child.fillNull(at*o.dim, n*o.dim); err != nil {
		return err
	}
	o.valid.clearRange(at, n)
	return nil
}

func (o *fixedListOut) nullBytes(n int64) (int64, bool) {
	items, ok := product(n, int64(o.dim))
	if !ok {
		return 0, false
	}
	size, ok := o.child.nullBytes(items)
	return size + n/8, ok && size+n/8 >= 0
}

func (o *fixedListOut) finish() (*array.Data, error) {
	child, err := o.child.finish()
	if err != nil {
		return nil, err
	}
	defer child.Release()
	bitmap, nulls := o.valid.finish()
	return array.NewData(o.dt, o.n, []*memory.Buffer{bitmap}, []arrow.ArrayData{child}, nulls, 0), nil
}

func (o *fixedListOut) release() {
	o.valid.release()
	o.child.release()
}

// structOut holds structs whose children share one page.
type structOut struct {
	dt       arrow.DataType
	n        int
	children []out
	valid    validity
}

func (o *structOut) length() int      { return o.n }
func (o *structOut) nulls() *validity { return &o.valid }

func (o *structOut) fillNull(at, n int) error {
	for _, c := range o.children {
		if err := c.fillNull(at, n); err != nil {
			return err
		}
	}
	o.valid.clearRange(at, n)
	return nil
}

func (o *structOut) nullBytes(n int64) (total int64, ok bool) {
	for _, c := range o.children {
		size, ok := c.nullBytes(n)
		if total += size; !ok || total < 0 {
			return 0, false
		}
	}
	return total + n/8, total+n/8 >= 0
}

func (o *structOut) finish() (*array.Data, error) {
	children := make([]arrow.ArrayData, 0, len(o.children))
	defer func() {
		for _, c := range children {
			c.Release()
		}
	}()
	for _, c := range o.children {
		child, err := c.finish()
		if err != nil {
			return nil, err
		}
		children = append(children, child)
	}
	bitmap, nulls := o.valid.finish()
	return array.NewData(o.dt, o.n, []*memory.Buffer{bitmap}, children, nulls, 0), nil
}

func (o *structOut) release() {
	o.valid.release()
	for _, c := range o.children {
		c.release()
	}
}
