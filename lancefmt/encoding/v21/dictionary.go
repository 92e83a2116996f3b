package v21

import (
	"encoding/binary"
	"math"
	"sync"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding/general"
	"lanceflight/lancefmt/encoding/variable"
	"lanceflight/lancefmt/pb/enc21pb"
)

// dictionary is the values that a page's indices choose from. It is decoded once for a page, in
// prepare, and is immutable but for whole, which makes itself when it is first needed.
//
// Items are not necessarily distinct. The index of a NULL chooses some item, and it does not matter
// which: the definition levels say which rows are NULL.
type dictionary struct {
	n int
	// Of kindVariable: the bytes of all items, and n+1 ends of which the first is 0.
	text []byte
	ends []uint64
	// Of kindFixed: n values. Booleans have a byte each, and lists with NULL items are rows of
	// lists.
	fixed []byte
	// lists is set if items are fixed-size lists that may have NULL items.
	lists *listZip

	whole wholeDictionary
}

// wholeDictionary is a page's dictionary as an Arrow array, made when first asked for. All reads of
// the page share it.
type wholeDictionary struct {
	once sync.Once
	data *array.Data // nil: the items are not distinct, or of a kind that is not shared
}

// array returns all items as an Arrow array that all reads of the page share, in memory of the Go
// heap. It is nil where an item occurs twice: consumers of a dictionary array may take different
// codes for different values. s is the shape of the page's column.
func (d *dictionary) array(s *shape) *array.Data {
	d.whole.once.Do(func() {
		if d.lists != nil || s.itemBits == 1 || !d.distinct(s) {
			return
		}
		v, err := newValues(s, memory.NewGoAllocator(), d.n, len(d.text))
		if err != nil {
			return
		}
		defer v.release()
		index := make([]int32, d.n)
		for i := range index {
			index[i] = int32(i)
		}
		// The items may be longer together than 32-bit offsets can say. Then each read chooses what
		// it needs.
		if d.append(index, v) != nil {
			return
		}
		if data, err := v.finish(nil, 0); err == nil {
			d.whole.data = data.(*array.Data)
		}
	})
	return d.whole.data
}

// item returns the bytes of item i, of size bytes unless its kind is variable.
func (d *dictionary) item(i, size int) []byte {
	if d.ends != nil {
		return d.text[d.ends[i]:d.ends[i+1]]
	}
	return d.fixed[i*size : (i+1)*size]
}

// distinct reports whether no item occurs twice.
func (d *dictionary) distinct(s *shape) bool {
	size := 0
	if s.kind == kindFixed {
		size = s.valueBits() / 8
	}
	seen := make(map[string]struct{}, d.n)
	for i := range d.n {
		seen[string(d.item(i, size))] = struct{}{}
	}
	return len(seen) == d.n
}

// newDictionary decodes a dictionary of n items for values of shape s. src is not retained: it may
// be mapped, and items are needed as long as the page is.
func newDictionary(e *enc21pb.CompressiveEncoding, s *shape, src []byte, n uint64) (*dictionary, error) {
	if n > math.MaxInt32 {
		return nil, fault.Corruptf("dictionary of %d items", n)
	}
	d := &dictionary{n: int(n)}
	switch s.kind {
	case kindVariable:
		view, err := newBlockView(e, src, d.n, 0)
		if err == nil {
			// All offsets are checked once, so that looking up an item needs no check.
			err = view.Check()
		}
		if err != nil {
			return nil, err
		}
		text, err := view.Bytes(0, d.n)
		d.text = append([]byte(nil), text...)
		d.ends = make([]uint64, d.n+1)
		for i := range d.ends {
			d.ends[i] = view.Offset(i) - view.Offset(0)
		}
		return d, err
	case kindFixed:
		if done, err := d.newLists(e, s, src); done || err != nil {
			return d, err
		}
		c, err := newBlockCodec(e, 0)
		if err != nil {
			return nil, err
		}
		if c.bits() != s.valueBits() {
			return nil, fault.Corruptf("dictionary of values of %d bits in a column of type %s", c.bits(), s.typ)
		}
		if c.bits()%8 != 0 && c.bits() != 1 {
			return nil, fault.New(fault.Unsupported, "dictionary of values of %d bits", c.bits())
		}
		a := newArena()
		defer a.free()
		items, err := c.decode(src, d.n, a)
		if err == nil && len(items) != byteLen(c.bits(), d.n) {
			err = fault.Corruptf("dictionary of %d values has %d bytes", d.n, len(items))
		}
		// Bits are spread to a byte each, which is faster to look up.
		if err == nil && c.bits() == 1 {
			d.fixed = make([]byte, d.n)
			for i := range d.fixed {
				d.fixed[i] = items[i/8] >> (i % 8) & 1
			}
			return d, nil
		}
		d.fixed = append([]byte(nil), items...)
		return d, err
	}
	return nil, fault.New(fault.Unsupported, "dictionary of %s", s.typ)
}

// newLists decodes a dictionary of fixed-size lists that tell which of their items are NULL, as
// pages of 2.3 have. done reports whether it is one. The rows are those of full-zip pages:
// validity, then items.
func (d *dictionary) newLists(e *enc21pb.CompressiveEncoding, s *shape, src []byte) (done bool, err error) {
	if g := e.GetGeneral(); g != nil && g.GetValues().GetFixedSizeList() != nil {
		scheme, err := generalScheme(g)
		if err != nil {
			return false, err
		}
		plain, err := general.Decompress(nil, scheme, src, maxGeneralBytes)
		if err != nil {
			return false, err
		}
		e, src = g.GetValues(), plain
	}
	if e.GetFixedSizeList() == nil || s.itemBits == 1 {
		return false, nil
	}
	dims, bits, err := flatList(e.GetFixedSizeList())
	if err != nil || !dims.validity {
		return false, err
	}
	if err := dims.fit(s, bits); err != nil {
		return false, err
	}
	if bits%8 != 0 {
		return false, fault.New(fault.Unsupported, "dictionary of lists of items of %d bits", bits)
	}
	d.lists = &listZip{dims, bits / 8}
	if size := d.lists.size(); len(src)%size != 0 || len(src)/size != d.n {
		return false, fault.Corruptf("dictionary of %d lists has %d bytes", d.n, len(src))
	}
	d.fixed = append([]byte(nil), src...)
	return true, nil
}

// dictionaryMini is the codec of chunks of indices: it decodes these and appends the items that
// they choose, or the codes alone where the column is of a dictionary type.
//
//	items     "red" "green"         in the page's dictionary buffer
//	indices   0 1 1 0               in the chunk, encoded as any words are
//	values    red green green red
type dictionaryMini struct {
	indices wordCodec
	dict    *dictionary
}

func (m *dictionaryMini) buffers() int         { return m.indices.buffers() }
func (m *dictionaryMini) firstLimit(n int) int { return m.indices.firstLimit(n) }

// decode decodes all indices of the chunk, and looks up those that are wanted.
func (m *dictionaryMini) decode(c *chunk, out *values) error {
	if err := m.indices.check(c.bufs, c.n); err != nil {
		return err
	}
	words := c.a.bytes(c.n * m.indices.bits() / 8)
	if err := m.indices.words(c.bufs, c.n, words, c.a); err != nil {
		return err
	}
	for _, s := range c.want {
		n := s.to - s.from
		index := c.a.bytes(4 * n)
		if err := m.narrow(words[s.from*m.indices.bits()/8:], n, int32s(index)); err != nil {
			return err
		}
		var err error
		if out.codes != nil {
			err = out.codes.append(m.dict, int32s(index), out)
		} else {
			err = m.dict.append(int32s(index), out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// narrow checks n indices and writes them as int32. The largest is compared with the number of
// items once for all. Indices of NULLs are checked, too, since writers store a valid one for them.
func (m *dictionaryMini) narrow(words []byte, n int, dst []int32) error {
	dst = dst[:n]
	var most uint64
	switch m.indices.bits() {
	case 8:
		for i, v := range words[:n] {
			most = max(most, uint64(v))
			dst[i] = int32(v)
		}
	case 16:
		for i := range dst {
			v := binary.LittleEndian.Uint16(words[2*i:])
			most = max(most, uint64(v))
			dst[i] = int32(v)
		}
	case 32:
		for i := range dst {
			v := binary.LittleEndian.Uint32(words[4*i:])
			most = max(most, uint64(v))
			dst[i] = int32(v)
		}
	// A wider index may lose bits here, but then most is beyond any dictionary and the check below
	// fails.
	case 64:
		for i := range dst {
			v := binary.LittleEndian.Uint64(words[8*i:])
			most = max(most, v)
			dst[i] = int32(v)
		}
	default:
		return fault.Corruptf("dictionary indices of %d bits", m.indices.bits())
	}
	if n > 0 && most >= uint64(m.dict.n) {
		return fault.Corruptf("index %d into a dictionary of %d items", most, m.dict.n)
	}
	return nil
}

// append appends the items that the indices, already checked, choose.
func (d *dictionary) append(index []int32, out *values) error {
	if d.lists != nil {
		size := d.lists.size()
		for _, x := range index {
			if err := d.lists.append(d.fixed[int(x)*size:], size, 1, out); err != nil {
				return err
			}
		}
		return nil
	}
	if out.bits != nil {
		bools := make([]byte, len(index))
		for i, x := range index {
			bools[i] = d.fixed[x]
		}
		if err := out.bits.appendBools(bools); err != nil {
			return err
		}
		return out.extendInner(len(index))
	}
	if out.shape.kind == kindFixed {
		size := out.shape.valueBits() / 8
		dst, err := out.extend(len(index))
		if err != nil {
			return err
		}
		// Words of the usual widths are loaded and stored at once instead of copied byte by byte.
		switch size {
		case 8:
			for i, x := range index {
				binary.LittleEndian.PutUint64(dst[8*i:], binary.LittleEndian.Uint64(d.fixed[8*int(x):]))
			}
		case 4:
			for i, x := range index {
				binary.LittleEndian.PutUint32(dst[4*i:], binary.LittleEndian.Uint32(d.fixed[4*int(x):]))
			}
		default:
			for i, x := range index {
				copy(dst[size*i:size*(i+1)], d.fixed[size*int(x):])
			}
		}
		return nil
	}
	// Strings are measured first, so that their bytes are appended to room of the right size.
	total := 0
	for _, x := range index {
		total += int(d.ends[x+1] - d.ends[x])
	}
	at := int64(out.data.n)
	if err := variable.CheckEnd(at+int64(total), out.limit); err != nil {
		return err
	}
	ends, err := out.ends.extend(len(index) * out.endBytes())
	if err != nil {
		return err
	}
	if out.want == wantLengths {
		for i, x := range index {
			at += int64(d.ends[x+1] - d.ends[x])
			int64s(ends)[i] = at
		}
		out.data.n += total
		out.n += len(index)
		return nil
	}
	dst, err := out.data.extend(total)
	if err != nil {
		return err
	}
	for i, x := range index {
		n := copy(dst, d.text[d.ends[x]:d.ends[x+1]])
		dst = dst[n:]
		at += int64(n)
		if out.shape.wide {
			int64s(ends)[i] = at
		} else {
			int32s(ends)[i] = int32(at)
		}
	}
	out.n += len(index)
	return nil
}
