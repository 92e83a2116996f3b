package v20

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
)

// dictOut holds indices into dictionaries. Every page has a dictionary of its own, and an Arrow
// array has one: finish brings them to one, which costs a comparison while they are equal.
type dictOut struct {
	dt    arrow.DataType
	typ   *arrow.DictionaryType
	index *fixedOut
	mem   memoryOf
	parts []dictPart // in row order
}

// dictPart is the values of one page: n of them from at on.
type dictPart struct {
	at, n int
	dict  arrow.Array // nil if all are NULL. Not retained: the page's cache or the job owns it.
}

func (o *dictOut) length() int      { return o.index.n }
func (o *dictOut) nulls() *validity { return &o.index.valid }

func (o *dictOut) fillNull(at, n int) error        { return o.index.fillNull(at, n) }
func (o *dictOut) nullBytes(n int64) (int64, bool) { return o.index.nullBytes(n) }
func (o *dictOut) release()                        { o.index.release() }

// reserve adds the part of a page and returns its number; the page's step sets the dictionary.
func (o *dictOut) reserve(at, n int) int {
	o.parts = append(o.parts, dictPart{at: at, n: n})
	return len(o.parts) - 1
}

func (o *dictOut) finish() (*array.Data, error) {
	if _, err := o.index.bytes(); err != nil {
		return nil, err
	}
	dict, err := o.unify()
	if err != nil {
		return nil, err
	}
	defer dict.Release()
	bitmap, nulls := o.index.valid.finish()
	return array.NewDataWithDictionary(o.dt, o.index.n, []*memory.Buffer{bitmap, o.index.buf}, nulls, 0, dict.Data().(*array.Data)), nil
}

// unify returns the dictionary of all parts, and rewrites the indices if the parts differ.
func (o *dictOut) unify() (arrow.Array, error) {
	var first arrow.Array
	same := true
	for _, p := range o.parts {
		switch {
		case p.dict == nil:
		case first == nil:
			first = p.dict
		case first != p.dict && !array.Equal(first, p.dict):
			same = false
		}
	}
	if first == nil {
		empty := array.MakeArrayOfNull(o.mem, o.typ.ValueType, 0)
		return empty, nil
	}
	if same {
		first.Retain()
		return first, nil
	}
	u := newUnion(o.typ.ValueType)
	maps := make([][]uint64, len(o.parts))
	for i, p := range o.parts {
		switch {
		case p.dict == nil:
		case i > 0 && o.parts[i-1].dict == p.dict:
			maps[i] = maps[i-1]
		default:
			maps[i] = u.add(p.dict)
		}
	}
	if u.n > 0 && uint64(u.n-1) > maxIndex(o.typ.IndexType) {
		return nil, fault.New(fault.ResourceExhausted,
			"the dictionaries of the rows read at once have more entries together than %s indices reach; read fewer rows at a time", o.typ.IndexType)
	}
	dict, err := u.finish(o.mem)
	if err != nil {
		return nil, err
	}
	for i, p := range o.parts {
		if p.dict != nil {
			o.rewrite(p, maps[i])
		}
	}
	return dict, nil
}

// maxIndex returns the largest number of an integer type.
func maxIndex(t arrow.DataType) uint64 {
	width := t.(arrow.FixedWidthDataType).BitWidth()
	if arrow.IsSignedInteger(t.ID()) {
		width--
	}
	return 1<<width - 1
}

// rewrite maps the indices of a part to those of the common dictionary. Indices below NULLs may be
// anything, also beyond the dictionary, and become 0.
func (o *dictOut) rewrite(p dictPart, to []uint64) {
	w := o.index.width / 8
	b := o.index.buf.Bytes()[p.at*w : (p.at+p.n)*w]
	for i := range p.n {
		v := b[i*w : (i+1)*w]
		k, next := loadUint(v), uint64(0)
		if k < uint64(len(to)) {
			next = to[k]
		}
		storeUint(v, next)
	}
}

// loadUint reads a little-endian number of 1, 2, 4 or 8 bytes.
func loadUint(b []byte) (v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

// storeUint writes a little-endian number of as many bytes as b has.
func storeUint(b []byte, v uint64) {
	for i := range b {
		b[i] = byte(v)
		v >>= 8
	}
}
