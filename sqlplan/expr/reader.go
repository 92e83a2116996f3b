package expr

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Readers give kernels the values of a vec by row, whatever its offset, encoding and whether it is a
// scalar: a scalar has mask 0, so that index i&mask is always its only row.

// fixed is a type of fixed width as it lies in Arrow buffers.
type fixed interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

// fixedOf returns the values of an array of fixed-width type T (or of a type laid out like it).
func fixedOf[T any](a arrow.Array) []T {
	d := a.Data()
	buf := d.Buffers()[1]
	if d.Len() == 0 || buf == nil {
		return nil
	}
	b := buf.Bytes()
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(t)))[d.Offset() : d.Offset()+d.Len()]
}

// nums reads fixed-width values.
type nums[T any] struct {
	vals []T
	mask int
}

func numsOf[T any](v vec) nums[T] {
	n := nums[T]{vals: fixedOf[T](v.arr), mask: -1}
	if v.scalar {
		n.mask = 0
	}
	return n
}

func (n nums[T]) at(i int) T { return n.vals[i&n.mask] }

// texts reads strings and binaries of any layout, lazy ones included.
type texts struct {
	data  []byte
	off32 []int32 // of row i: off32[i], off32[i+1]
	off64 []int64
	views []arrow.ViewHeader
	parts []*memory.Buffer
	width int // fixed-size binary
	start int // first row, for width
	mask  int
	sel   []int32
}

func textsOf(v vec) texts {
	t := texts{mask: -1}
	if v.scalar {
		t.mask = 0
	}
	if v.lazy {
		t.sel = v.sel
	}
	d := v.arr.Data()
	if d.Len() == 0 {
		return t
	}
	bufs := d.Buffers()
	from, to := d.Offset(), d.Offset()+d.Len()+1
	if len(bufs) > 2 && bufs[2] != nil {
		t.data = bufs[2].Bytes()
	}
	switch d.DataType().ID() {
	case arrow.STRING, arrow.BINARY:
		t.off32 = arrow.Int32Traits.CastFromBytes(bufs[1].Bytes())[from:to]
	case arrow.LARGE_STRING, arrow.LARGE_BINARY:
		t.off64 = arrow.Int64Traits.CastFromBytes(bufs[1].Bytes())[from:to]
	case arrow.STRING_VIEW, arrow.BINARY_VIEW:
		t.views = arrow.ViewHeaderTraits.CastFromBytes(bufs[1].Bytes())[from : to-1]
		t.parts = bufs[2:]
	case arrow.FIXED_SIZE_BINARY:
		t.width = d.DataType().(*arrow.FixedSizeBinaryType).ByteWidth
		t.start = d.Offset()
		t.data = bufs[1].Bytes()
	}
	return t
}

// at is the bytes of row i, borrowed; anything for a NULL.
func (t *texts) at(i int) []byte {
	if t.sel != nil {
		i = int(t.sel[i])
	}
	i &= t.mask
	switch {
	case t.off32 != nil:
		return t.data[t.off32[i]:t.off32[i+1]]
	case t.off64 != nil:
		return t.data[t.off64[i]:t.off64[i+1]]
	case t.views != nil:
		h := &t.views[i]
		if h.IsInline() {
			return h.InlineBytes()
		}
		return t.parts[h.BufferIndex()].Bytes()[h.BufferOffset():][:h.Len()]
	}
	return t.data[(t.start+i)*t.width:][:t.width]
}

// length is len(at(i)), without touching the bytes.
func (t *texts) length(i int) int {
	if t.sel != nil {
		i = int(t.sel[i])
	}
	i &= t.mask
	switch {
	case t.off32 != nil:
		return int(t.off32[i+1] - t.off32[i])
	case t.off64 != nil:
		return int(t.off64[i+1] - t.off64[i])
	case t.views != nil:
		return t.views[i].Len()
	}
	return t.width
}

// str is at as a string that shares memory; it must not outlive the batch.
func (t *texts) str(i int) string {
	b := t.at(i)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// words reads a bitmap 64 bits at a time from any offset.
type words struct {
	bytes []byte
	off   int
	n     int
}

// word returns bits 64k … 64k+63; those behind the end are 0.
func (w words) word(k int) uint64 {
	if w.bytes == nil {
		return tail(^uint64(0), w.n-64*k)
	}
	bit := w.off + 64*k
	left := w.n - 64*k
	b := w.bytes[bit>>3:]
	shift := uint(bit & 7)
	if len(b) >= 9 && left >= 64 {
		lo := *(*uint64)(unsafe.Pointer(&b[0]))
		return lo>>shift | uint64(b[8])<<1<<(63-shift)
	}
	var lo uint64
	for i := 0; i < 8 && i < len(b); i++ {
		lo |= uint64(b[i]) << (8 * i)
	}
	v := lo >> shift
	if shift > 0 && len(b) > 8 {
		v |= uint64(b[8]) << (64 - shift)
	}
	return tail(v, left)
}

// tail clears the bits from n on.
func tail(w uint64, n int) uint64 {
	if n >= 64 {
		return w
	}
	if n <= 0 {
		return 0
	}
	return w & (1<<n - 1)
}

// bools reads booleans as bitmaps of truth and of falsehood; a NULL is in neither.
type bools struct {
	vals   words
	valid  words // bytes nil: no NULLs
	scalar bool
	one    uint64 // scalar: all ones for true
	known  uint64 // scalar: all ones unless NULL
	n      int
}

// boolsOf reads a flat or scalar boolean vec, or one of type NULL.
func boolsOf(v vec) bools {
	b := bools{n: v.arr.Len(), scalar: v.scalar}
	if v.arr.DataType().ID() == arrow.NULL {
		b.scalar = true
		return b
	}
	d := v.arr.Data()
	if d.Len() == 0 {
		return b
	}
	b.vals = words{d.Buffers()[1].Bytes(), d.Offset(), d.Len()}
	b.valid = words{nil, 0, d.Len()}
	if v.arr.NullN() > 0 {
		b.valid = words{v.arr.NullBitmapBytes(), d.Offset(), d.Len()}
	}
	if v.scalar {
		b.one, b.known = -(b.vals.word(0) & 1), -(b.valid.word(0) & 1)
	}
	return b
}

func (b *bools) pair(k int) (yes, no uint64) {
	if b.scalar {
		return b.one & b.known, ^b.one & b.known
	}
	v, ok := b.vals.word(k), b.valid.word(k)
	return v & ok, ^v & ok
}

func (b *bools) is(k int, want bool) uint64 {
	yes, no := b.pair(k)
	if want {
		return yes
	}
	return no
}

// ---- Writing ----------------------------------------------------------------------------------
