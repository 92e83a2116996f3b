package value

import (
	"unsafe"

	"lanceflight/internal/fault"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

func newBuffer(mem memory.Allocator, n int) *memory.Buffer {
	b := memory.NewResizableBuffer(mem)
	b.Resize(n)
	return b
}

// NewFixed allocates n values; their content is arbitrary.
func NewFixed[T any](mem memory.Allocator, n int) (*memory.Buffer, []T) {
	var t T
	buf := newBuffer(mem, n*int(unsafe.Sizeof(t)))
	if n == 0 {
		return buf, nil
	}
	return buf, unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(buf.Bytes()))), n)
}

// NewBits allocates a bitmap of n bits as words, rounded up; their content is arbitrary.
func NewBits(mem memory.Allocator, n int) (*memory.Buffer, []uint64) {
	return NewFixed[uint64](mem, (n+63)/64)
}

// MakeArray makes an array from buffers, whose references it takes over; valid may be nil.
func MakeArray(t arrow.DataType, n int, valid *memory.Buffer, nulls int, bufs ...*memory.Buffer) arrow.Array {
	all := append([]*memory.Buffer{valid}, bufs...)
	d := array.NewData(t, n, all, nil, nulls, 0)
	defer d.Release()
	for _, b := range all {
		if b != nil {
			b.Release()
		}
	}
	return array.MakeFromData(d)
}

// MakeBools makes a boolean array from words; valid may be nil. It takes the buffers over.
func MakeBools(n int, vals, valid *memory.Buffer) arrow.Array {
	nulls := 0
	if valid != nil {
		nulls = n - bitutil.CountSetBits(valid.Bytes(), 0, n)
		if nulls == 0 {
			valid.Release()
			valid = nil
		}
	}
	return MakeArray(TypeBool, n, valid, nulls, vals)
}

// WithValidity returns a with another validity bitmap (offset 0, taken over), sharing its values.
func WithValidity(mem memory.Allocator, a arrow.Array, valid *memory.Buffer) arrow.Array {
	d := a.Data()
	bufs := append([]*memory.Buffer{}, d.Buffers()...)
	n, off := d.Len(), d.Offset()
	if off > 0 {
		// The bitmap has to stand at the array's offset.
		shifted := newBuffer(mem, int(bitutil.BytesForBits(int64(off+n))))
		bitutil.CopyBitmap(valid.Bytes(), 0, n, shifted.Bytes(), off)
		valid.Release()
		valid = shifted
	}
	bufs[0] = valid
	nulls := n - bitutil.CountSetBits(valid.Bytes(), off, n)
	var nd *array.Data
	if dict, ok := a.(*array.Dictionary); ok {
		nd = array.NewDataWithDictionary(d.DataType(), n, bufs, nulls, off, dict.Dictionary().Data().(*array.Data))
	} else {
		nd = array.NewData(d.DataType(), n, bufs, d.Children(), nulls, off)
	}
	defer nd.Release()
	valid.Release()
	return array.MakeFromData(nd)
}

// TextWriter builds a utf8 or binary array row by row.
type TextWriter struct {
	T       arrow.DataType
	offsets *memory.Buffer
	off     []int32
	data    *memory.Buffer
	buf     []byte // data's bytes, beyond its length too
	Used    int
	rows    int
}

func NewTextWriter(mem memory.Allocator, t arrow.DataType, n, sizeHint int) *TextWriter {
	w := &TextWriter{T: t}
	w.offsets, w.off = NewFixed[int32](mem, n+1)
	w.off[0] = 0
	w.data = newBuffer(mem, max(sizeHint, 64))
	w.buf = w.data.Bytes()
	return w
}

// room returns at least n free bytes; commit says how many were used.
func (w *TextWriter) room(n int) []byte {
	if len(w.buf)-w.Used < n {
		w.data.Resize(max(2*len(w.buf), w.Used+n))
		w.buf = w.data.Bytes()
	}
	return w.buf[w.Used:]
}

func (w *TextWriter) Write(b []byte) { w.Used += copy(w.room(len(b)), b) }

func (w *TextWriter) WriteString(s string) { w.Used += copy(w.room(len(s)), s) }

// End ends a row. Batches are cut by bytes, so 2 GiB in one column of a batch means that a function
// blew its input up.
func (w *TextWriter) End() error {
	if w.Used > 1<<31-1 {
		return fault.New(fault.ResourceExhausted, "an expression made more than 2 GiB of text in one batch")
	}
	w.rows++
	w.off[w.rows] = int32(w.Used)
	return nil
}

func (w *TextWriter) Free() {
	w.offsets.Release()
	w.data.Release()
}

// Finish makes the array and takes valid over.
func (w *TextWriter) Finish(valid *memory.Buffer, nulls int) arrow.Array {
	w.data.Resize(w.Used)
	return MakeArray(w.T, w.rows, valid, nulls, w.offsets, w.data)
}

// Append lets fn append to the row in place if there is room, else copies what it made.
func (w *TextWriter) Append(fn func(dst []byte) []byte) {
	free := w.room(64)
	out := fn(free[:0:len(free)])
	if len(out) > len(free) {
		w.Write(out)
		return
	}
	if len(out) > 0 && &out[0] != &free[0] {
		copy(free, out)
	}
	w.Used += len(out)
}

// FixedWords is a bitmap made by NewBits, as words.
func FixedWords(b *memory.Buffer) []uint64 {
	return arrow.Uint64Traits.CastFromBytes(b.Bytes())
}

func buffers(b ...*memory.Buffer) []*memory.Buffer { return b }
