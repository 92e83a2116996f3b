package value

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Readers give kernels the values of a vec by row, whatever its offset, encoding and whether it is a
// scalar: a scalar has mask 0, so that index i&mask is always its only row.

// Fixed is a type of fixed width as it lies in Arrow buffers.
type Fixed interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

// FixedOf returns the values of an array of fixed-width type T (or of a type laid out like it).
func FixedOf[T any](a arrow.Array) []T {
	d := a.Data()
	buf := d.Buffers()[1]
	if d.Len() == 0 || buf == nil {
		return nil
	}
	b := buf.Bytes()
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(t)))[d.Offset() : d.Offset()+d.Len()]
}

// Nums reads fixed-width values.
type Nums[T any] struct {
	Vals []T
	Mask int
}

func NumsOf[T any](v Vec) Nums[T] {
	n := Nums[T]{Vals: FixedOf[T](v.Arr), Mask: -1}
	if v.Scalar {
		n.Mask = 0
	}
	return n
}

func (n Nums[T]) At(i int) T { return n.Vals[i&n.Mask] }

// Texts reads strings and binaries of any layout, lazy ones included.
type Texts struct {
	Data  []byte
	Off32 []int32 // of row i: off32[i], off32[i+1]
	off64 []int64
	views []arrow.ViewHeader
	parts []*memory.Buffer
	width int // fixed-size binary
	start int // first row, for width
	mask  int
	sel   []int32
}

func TextsOf(v Vec) Texts {
	t := Texts{mask: -1}
	if v.Scalar {
		t.mask = 0
	}
	if v.Lazy {
		t.sel = v.Sel
	}
	d := v.Arr.Data()
	if d.Len() == 0 {
		return t
	}
	bufs := d.Buffers()
	from, to := d.Offset(), d.Offset()+d.Len()+1
	if len(bufs) > 2 && bufs[2] != nil {
		t.Data = bufs[2].Bytes()
	}
	switch d.DataType().ID() {
	case arrow.STRING, arrow.BINARY:
		t.Off32 = arrow.Int32Traits.CastFromBytes(bufs[1].Bytes())[from:to]
	case arrow.LARGE_STRING, arrow.LARGE_BINARY:
		t.off64 = arrow.Int64Traits.CastFromBytes(bufs[1].Bytes())[from:to]
	case arrow.STRING_VIEW, arrow.BINARY_VIEW:
		t.views = arrow.ViewHeaderTraits.CastFromBytes(bufs[1].Bytes())[from : to-1]
		t.parts = bufs[2:]
	case arrow.FIXED_SIZE_BINARY:
		t.width = d.DataType().(*arrow.FixedSizeBinaryType).ByteWidth
		t.start = d.Offset()
		t.Data = bufs[1].Bytes()
	case arrow.EXTENSION: // a UUID
		t.width = uuidBytes
		t.start = d.Offset()
		t.Data = bufs[1].Bytes()
	}
	return t
}

// At is the bytes of row i, borrowed; anything for a NULL.
func (t *Texts) At(i int) []byte {
	if t.sel != nil {
		i = int(t.sel[i])
	}
	i &= t.mask
	switch {
	case t.Off32 != nil:
		return t.Data[t.Off32[i]:t.Off32[i+1]]
	case t.off64 != nil:
		return t.Data[t.off64[i]:t.off64[i+1]]
	case t.views != nil:
		h := &t.views[i]
		if h.IsInline() {
			return h.InlineBytes()
		}
		return t.parts[h.BufferIndex()].Bytes()[h.BufferOffset():][:h.Len()]
	}
	return t.Data[(t.start+i)*t.width:][:t.width]
}

// Length is len(at(i)), without touching the bytes.
func (t *Texts) Length(i int) int {
	if t.sel != nil {
		i = int(t.sel[i])
	}
	i &= t.mask
	switch {
	case t.Off32 != nil:
		return int(t.Off32[i+1] - t.Off32[i])
	case t.off64 != nil:
		return int(t.off64[i+1] - t.off64[i])
	case t.views != nil:
		return t.views[i].Len()
	}
	return t.width
}

// Str is at as a string that shares memory; it must not outlive the batch.
func (t *Texts) Str(i int) string {
	b := t.At(i)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Words reads a bitmap 64 bits at a time from any offset.
type Words struct {
	Bytes []byte
	Off   int
	N     int
}

// Word returns bits 64k … 64k+63; those behind the end are 0.
func (w Words) Word(k int) uint64 {
	if w.Bytes == nil {
		return Tail(^uint64(0), w.N-64*k)
	}
	bit := w.Off + 64*k
	left := w.N - 64*k
	b := w.Bytes[bit>>3:]
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
	return Tail(v, left)
}

// Tail clears the bits from n on.
func Tail(w uint64, n int) uint64 {
	if n >= 64 {
		return w
	}
	if n <= 0 {
		return 0
	}
	return w & (1<<n - 1)
}

// Bools reads booleans as bitmaps of truth and of falsehood; a NULL is in neither.
type Bools struct {
	Vals   Words
	Valid  Words // bytes nil: no NULLs
	Scalar bool
	one    uint64 // scalar: all ones for true
	known  uint64 // scalar: all ones unless NULL
	N      int
}

// BoolsOf reads a flat or scalar boolean vec, or one of type NULL.
func BoolsOf(v Vec) Bools {
	b := Bools{N: v.Arr.Len(), Scalar: v.Scalar}
	if v.Arr.DataType().ID() == arrow.NULL {
		b.Scalar = true
		return b
	}
	d := v.Arr.Data()
	if d.Len() == 0 {
		return b
	}
	b.Vals = Words{d.Buffers()[1].Bytes(), d.Offset(), d.Len()}
	b.Valid = Words{nil, 0, d.Len()}
	if v.Arr.NullN() > 0 {
		b.Valid = Words{v.Arr.NullBitmapBytes(), d.Offset(), d.Len()}
	}
	if v.Scalar {
		b.one, b.known = -(b.Vals.Word(0) & 1), -(b.Valid.Word(0) & 1)
	}
	return b
}

func (b *Bools) Pair(k int) (yes, no uint64) {
	if b.Scalar {
		return b.one & b.known, ^b.one & b.known
	}
	v, ok := b.Vals.Word(k), b.Valid.Word(k)
	return v & ok, ^v & ok
}

func (b *Bools) Is(k int, want bool) uint64 {
	yes, no := b.Pair(k)
	if want {
		return yes
	}
	return no
}

// ---- Writing ----------------------------------------------------------------------------------
