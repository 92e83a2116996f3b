package v21

import (
	"math"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding/variable"
)

// values collects the values of a leaf, page after page, in the layout of its Arrow type.
//
//	kindFixed     items (bits, if items have one bit) and per list layer the validity of its items
//	kindVariable  ends of the values, bytes
//	kindPacked    one values per field
//	kindNull      a count, as for kindAbsent
//
// All parts have the same number of values between two calls: n. Validity of the values themselves
// is not here but in the sink, because pages find out about it in other ways. A NULL takes a place
// like any other value, with any content (zeros, an empty string).
//
//	"ab", NULL, "cde"         ends 0 2 2 5     data abcde
//	[1 2] NULL [3 NULL]       items 1 2 0 0 3 0     inner[0] 1 1 1 1 1 0
type values struct {
	shape *shape
	want  want
	mem   memory.Allocator
	n     int
	// expect is the number of values to come in all, so that buffers get exact sizes. It is 0 if
	// unknown.
	expect int

	items bytes
	// bits is in place of items where an item has one bit.
	bits *bitmap
	// inner has the validity of the items of each fixed-size list layer. It is nil while all are
	// valid.
	inner []*bitmap
	// ends has n+1 offsets, the first of which is 0, of four or eight bytes as the type has them.
	ends bytes
	data bytes
	// limit is the largest offset that the type can hold. Beyond it the caller must read fewer
	// rows.
	limit  int64
	fields []*values
	// codes says that items are codes of its dictionaries' items instead of values. It is nil for
	// values.
	codes *dictCodes
}

// want is what of the values is asked for. Less than all saves reading where something else tells
// it.
type want uint8

const (
	wantAll      want = iota
	wantLengths       // of kindVariable: the ends, with no bytes behind them
	wantValidity      // their number
)

// newValues makes room for expect values (0: unknown) and dataBytes bytes of variable-width data.
func newValues(s *shape, mem memory.Allocator, expect, dataBytes int) (*values, error) {
	v := &values{shape: s, mem: mem, expect: expect}
	if err := v.init(expect, dataBytes); err != nil {
		v.release()
		return nil, err
	}
	return v, nil
}

// newPartial is newValues for less than all of the values. Lengths have offsets of 64 bits whatever
// the type, since their sum is of no array and may exceed 32 bits.
func newPartial(w want, s *shape, mem memory.Allocator, expect int) (*values, error) {
	v := &values{shape: s, want: w, mem: mem, expect: expect}
	if w == wantValidity {
		return v, nil
	}
	if s.kind != kindVariable || s.dictionary != nil {
		return nil, fault.New(fault.Unsupported, "octet length of %s", s.typ)
	}
	v.shape = &shape{kind: kindVariable, wide: true, perValue: 1, typ: s.typ}
	if err := v.init(expect, 0); err != nil {
		v.release()
		return nil, err
	}
	return v, nil
}

// init makes the empty buffers of a shape.
func (v *values) init(expect, dataBytes int) (err error) {
	s, mem := v.shape, v.mem
	switch s.kind {
	case kindFixed:
		v.inner = make([]*bitmap, len(s.dims))
		if s.itemBits == 1 {
			v.bits, err = newBitmap(mem, expect*s.perValue)
			return err
		}
		v.items = newBytes(mem)
		// The product would be beyond what one buffer may have, or overflow: the error is the same
		// as that of a buffer that grew too large.
		if expect > maxBufferBytes/max(1, s.valueBits()/8) {
			return v.items.reserve(maxBufferBytes+1, true)
		}
		err = v.items.reserve(expect*s.valueBits()/8, true)
	case kindVariable:
		v.ends, v.data = newBytes(mem), newBytes(mem)
		v.limit = math.MaxInt32
		if s.wide {
			v.limit = math.MaxInt64
		}
		if err = v.ends.reserve((expect+1)*v.endBytes(), true); err != nil {
			return err
		}
		// The first offset is there from the beginning, so that value i always ends at offset i+1.
		// The room for it was just taken, so this cannot fail.
		first, _ := v.ends.extend(v.endBytes())
		clear(first)
		err = v.data.reserve(min(dataBytes, maxBufferBytes), true)
	case kindPacked:
		for _, f := range s.fields {
			field, err := newValues(f, mem, expect, 0)
			if err != nil {
				return err
			}
			v.fields = append(v.fields, field)
		}
	}
	return err
}

// endBytes returns the bytes of an offset.
func (v *values) endBytes() int {
	if v.shape.wide {
		return 8
	}
	return 4
}

// extend appends n values of kindFixed without inner NULLs and returns their bytes. Items of one
// bit go through appendBits.
func (v *values) extend(n int) ([]byte, error) {
	size := v.shape.valueBits() / 8
	if size > 0 && n > maxBufferBytes/size {
		return nil, v.items.reserve(maxBufferBytes+1, true)
	}
	dst, err := v.items.extend(n * size)
	if err != nil {
		return nil, err
	}
	return dst, v.extendInner(n)
}

// appendBits appends n values of items of one bit, found from bit off of src on.
func (v *values) appendBits(src []byte, off, n int) error {
	if err := v.bits.appendBits(src, off, n*v.shape.perValue); err != nil {
		return err
	}
	return v.extendInner(n)
}

// extendInner counts n more values whose inner items are all valid. A layer without a bitmap has no
// NULL so far, and needs none.
func (v *values) extendInner(n int) error {
	items := n
	for i, dim := range v.shape.dims {
		items *= dim
		if v.inner[i] != nil {
			if err := v.inner[i].appendRun(true, items); err != nil {
				return err
			}
		}
	}
	v.n += n
	return nil
}

// setInner overwrites the validity of list layer i for the last n values, which were appended just
// before as all valid: their items' bits are those of src from bit off on. The bitmap of a layer is
// made when the first validity arrives.
func (v *values) setInner(i, n int, src []byte, off int) error {
	items, before := n, v.n-n
	for _, dim := range v.shape.dims[:i+1] {
		items *= dim
		before *= dim
	}
	m := v.inner[i]
	// Values before the first inner NULL were valid.
	if m == nil {
		var err error
		if m, err = newBitmap(v.mem, before+items); err != nil {
			return err
		}
		v.inner[i] = m
		if err := m.appendRun(true, before); err != nil {
			return err
		}
	} else {
		m.truncateOnes(items)
	}
	return m.appendBits(src, off, items)
}

// truncateOnes removes the last n bits, which are all set. Since the bits behind the last must be
// zero, those of the last byte are cleared.
func (m *bitmap) truncateOnes(n int) {
	m.n -= n
	m.b.n = (m.n + 7) / 8
	if rest := m.n & 7; rest != 0 {
		m.bytes()[m.b.n-1] &= 1<<rest - 1
	}
}

// appendBytes appends one value of kindVariable.
func (v *values) appendBytes(p []byte) error {
	if err := v.appendData(p); err != nil {
		return err
	}
	return v.end(1)
}

// appendCopies appends n times the same value of kindVariable. The bytes are multiplied by n in
// memory that the file does not have, so the product is checked first.
func (v *values) appendCopies(p []byte, n int) error {
	size, at := int64(len(p)), int64(v.data.n)
	if size > 0 && int64(n) > maxBufferBytes/size {
		return v.data.reserve(maxBufferBytes+1, true)
	}
	if err := variable.CheckEnd(at+int64(n)*size, v.limit); err != nil {
		return err
	}
	ends, err := v.ends.extend(n * v.endBytes())
	if err != nil {
		return err
	}
	if v.shape.wide {
		for i := range int64s(ends) {
			at += size
			int64s(ends)[i] = at
		}
	} else {
		for i := range int32s(ends) {
			at += size
			int32s(ends)[i] = int32(at)
		}
	}
	v.n += n
	if v.want == wantLengths {
		v.data.n += n * len(p)
		return nil
	}
	dst, err := v.data.extend(n * len(p))
	if err != nil {
		return err
	}
	if len(dst) > 0 {
		// What is there is doubled until dst is full.
		for k := copy(dst, p); k < len(dst); k *= 2 {
			copy(dst[k:], dst[:k])
		}
	}
	return nil
}

// appendData appends bytes of values of kindVariable, or counts them.
func (v *values) appendData(p []byte) error {
	if v.want == wantLengths {
		v.data.n += len(p)
		return nil
	}
	return v.data.append(p)
}

// end appends n ends at the current length of the data: the first is that of the bytes appended
// just before, and the others are of empty values.
func (v *values) end(n int) error {
	at := int64(v.data.n)
	if err := variable.CheckEnd(at, v.limit); err != nil {
		return err
	}
	dst, err := v.ends.extend(n * v.endBytes())
	if err != nil {
		return err
	}
	if v.shape.wide {
		for i := range int64s(dst) {
			int64s(dst)[i] = at
		}
	} else {
		for i := range int32s(dst) {
			int32s(dst)[i] = int32(at)
		}
	}
	v.n += n
	return nil
}

// endOne counts one value, which ends where the data do.
func (v *values) endOne() error {
	if v.want == wantValidity {
		v.n++
		return nil
	}
	return v.end(1)
}

// appendView appends values from..to of a view.
func (v *values) appendView(view variable.View, from, to int) error {
	n := to - from
	dst, err := v.ends.extend(n * v.endBytes())
	if err != nil {
		return err
	}
	var data []byte
	if v.shape.wide {
		// Append writes the ends into the room that was taken for them, and checks that they
		// ascend.
		_, data, err = variable.Append(view, int64s(dst)[:0:n], int64(v.data.n), from, to, v.limit)
	} else {
		_, data, err = variable.Append(view, int32s(dst)[:0:n], int64(v.data.n), from, to, v.limit)
	}
	if err != nil {
		return err
	}
	v.n += n
	return v.appendData(data)
}

// appendEmpty appends n values that stand for nothing: zeros, empty strings.
func (v *values) appendEmpty(n int) error {
	if v.want == wantValidity {
		v.n += n
		return nil
	}
	switch v.shape.kind {
	case kindFixed:
		if v.bits != nil {
			if err := v.bits.appendRun(false, n*v.shape.perValue); err != nil {
				return err
			}
			return v.extendInner(n)
		}
		dst, err := v.extend(n)
		clear(dst)
		return err
	case kindVariable:
		return v.end(n)
	case kindPacked:
		for _, f := range v.fields {
			if err := f.appendEmpty(n); err != nil {
				return err
			}
		}
	}
	v.n += n
	return nil
}

// int32s, int64s and uint16s view bytes as numbers without a copy. Those of an Arrow buffer and of
// the arena are aligned to 64 and 8 bytes; other bytes must have been looked at.
func int32s(b []byte) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

func int64s(b []byte) []int64 {
	return unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)
}

func uint16s(b []byte) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/2)
}

// adopt makes buf, which holds exactly n values of kindFixed, the values; v is empty before.
func (v *values) adopt(buf *memory.Buffer, n int) {
	v.items.release()
	v.items = bytes{buf: buf, n: buf.Len()}
	v.n = n
}

// finish builds the Arrow data of all values. validity may be nil. It takes over validity and
// everything v holds, also if it fails. A dictionary type gets plain values here, which the leaf
// encodes.
func (v *values) finish(validity *memory.Buffer, nulls int) (data arrow.ArrayData, err error) {
	defer v.release()
	defer func() {
		if validity != nil {
			validity.Release()
		}
	}()
	switch v.shape.kind {
	case kindAbsent:
		absent := array.MakeArrayOfNull(zeroed{v.mem}, v.shape.typ, v.n)
		defer absent.Release()
		absent.Data().Retain()
		return absent.Data(), nil
	case kindNull:
		return array.NewData(arrow.Null, v.n, []*memory.Buffer{nil}, nil, v.n, 0), nil
	case kindVariable:
		ends, text := v.ends.finish(), v.data.finish()
		defer ends.Release()
		defer text.Release()
		return array.NewData(v.shape.typ, v.n, []*memory.Buffer{validity, ends, text}, nil, nulls, 0), nil
	case kindPacked:
		children := make([]arrow.ArrayData, 0, len(v.fields))
		defer func() {
			for _, c := range children {
				c.Release()
			}
		}()
		for _, f := range v.fields {
			if f.n != v.n {
				return nil, fault.New(fault.Internal, "packed field has %d values instead of %d", f.n, v.n)
			}
			// Fields of packed structs have no NULLs of their own: the file has no place for them.
			child, err := f.finish(nil, 0)
			if err != nil {
				return nil, err
			}
			children = append(children, child)
		}
		return array.NewData(v.shape.typ, v.n, []*memory.Buffer{validity}, children, nulls, 0), nil
	}
	var items *memory.Buffer
	if v.bits != nil {
		items = v.bits.b.finish()
	} else {
		items = v.items.finish()
	}
	defer items.Release()
	return v.finishLists(v.shape.typ, 0, v.n, validity, nulls, items), nil
}

// finishLists wraps the items in the fixed-size lists of t, which has the dimensions from depth on.
// The validity of the lists themselves is given; that of their items is in inner[depth].
func (v *values) finishLists(t arrow.DataType, depth, n int, validity *memory.Buffer, nulls int, items *memory.Buffer) arrow.ArrayData {
	list, ok := t.(*arrow.FixedSizeListType)
	if !ok {
		return array.NewData(t, n, []*memory.Buffer{validity, items}, nil, nulls, 0)
	}
	var below *memory.Buffer
	belowNulls := 0
	if m := v.inner[depth]; m != nil && m.zeros > 0 {
		belowNulls = m.zeros
		below = m.b.finish()
		defer below.Release()
	}
	child := v.finishLists(list.Elem(), depth+1, n*v.shape.dims[depth], below, belowNulls, items)
	defer child.Release()
	return array.NewData(t, n, []*memory.Buffer{validity}, []arrow.ArrayData{child}, nulls, 0)
}

// zeroed clears what it allocates. MakeArrayOfNull of arrow-go takes for granted that new memory is
// zero and so invalid, but an allocator with a pool does not clear it.
type zeroed struct{ memory.Allocator }

func (z zeroed) Allocate(size int) []byte {
	b := z.Allocator.Allocate(size)
	clear(b)
	return b
}

// finishLengths builds an int64 array of the lengths, in the memory of the offsets.
func (v *values) finishLengths(validity *memory.Buffer, nulls int) (arrow.ArrayData, error) {
	ends := int64s(v.ends.buf.Buf()[:v.ends.n])
	for i := range v.n {
		ends[i] = ends[i+1] - ends[i]
	}
	v.ends.n = 8 * v.n
	v.data.n = 0
	buf := v.ends.finish()
	defer buf.Release()
	if validity != nil {
		defer validity.Release()
	}
	return array.NewData(arrow.PrimitiveTypes.Int64, v.n, []*memory.Buffer{validity, buf}, nil, nulls, 0), nil
}

// release gives back what finish has not taken.
func (v *values) release() {
	v.items.release()
	v.ends.release()
	v.data.release()
	if v.bits != nil {
		v.bits.release()
	}
	for _, m := range v.inner {
		if m != nil {
			m.release()
		}
	}
	for _, f := range v.fields {
		f.release()
	}
}
