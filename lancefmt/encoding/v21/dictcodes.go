package v21

import (
	"encoding/binary"
	"math"
	"sort"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
)

// dictCodes collects codes in place of values, for columns of a dictionary type whose pages all
// have dictionaries. The items of all pages that were met are numbered one after the other, so a
// code says both page and item: code - first[i] is an index into dicts[i], for the last i whose
// first[i] is not above code.
//
//	page 0: items a b     indices 0 1     codes 0 1      first[0] = 0
//	page 1: items b c     indices 0 1     codes 2 3      first[1] = 2
//	array:  items a b c   indices 0 1 1 2                place  1 2 2 3, of codes 0 to 3
type dictCodes struct {
	dicts []*dictionary
	first []int
	// n is the number of items of all dictionaries, which is the first code of the next one.
	n int
	// size is the bytes of an item of fixed width.
	size int
}

// codeShape is the shape of the codes, in place of that of the column.
var codeShape = &shape{kind: kindFixed, itemBits: 32, perValue: 1, typ: arrow.PrimitiveTypes.Uint32}

// ofDictionaries reports whether every page of a read has a dictionary. One page that has none
// would need values, so then all pages give values.
func ofDictionaries(parts []part) bool {
	for _, p := range parts {
		m, ok := p.page.(*miniPage)
		if !ok {
			return false
		}
		if _, ok := m.values.(*dictionaryMini); !ok {
			return false
		}
	}
	return len(parts) > 0
}

// base returns the code of the first item of a page's dictionary. Pages are decoded in order, and
// each only once in a read, so only the last one can have been met already.
func (c *dictCodes) base(d *dictionary) (int, error) {
	if k := len(c.dicts) - 1; k >= 0 && c.dicts[k] == d {
		return c.first[k], nil
	}
	if c.n > math.MaxInt32-d.n {
		return 0, fault.New(fault.ResourceExhausted, "dictionaries of more than %d items in one array: read fewer rows at a time", math.MaxInt32)
	}
	c.dicts, c.first = append(c.dicts, d), append(c.first, c.n)
	c.n += d.n
	return c.n - d.n, nil
}

// append appends the codes of indices into a page's dictionary, which were checked.
func (c *dictCodes) append(d *dictionary, index []int32, out *values) error {
	base, err := c.base(d)
	if err != nil {
		return err
	}
	dst, err := out.extend(len(index))
	if err != nil {
		return err
	}
	if base == 0 {
		copy(int32s(dst), index)
		return nil
	}
	for i, x := range index {
		binary.LittleEndian.PutUint32(dst[4*i:], uint32(base)+uint32(x))
	}
	return nil
}

// item returns the bytes of an item.
func (c *dictCodes) item(code uint32) []byte {
	k := sort.SearchInts(c.first, int(code)+1) - 1
	return c.dicts[k].item(int(code)-c.first[k], c.size)
}

// share makes a dictionary array of codes of a single page by giving it the page's own dictionary,
// with no look at its items. It returns nil if that dictionary would be larger than the codes are
// worth (a take of ten rows from a page of a thousand items), or does not fit the index type.
func (c *dictCodes) share(plain arrow.ArrayData, s *shape, mem memory.Allocator) (arrow.ArrayData, error) {
	t, n := s.dictionary, plain.Len()
	if len(c.dicts) != 1 || c.n == 0 || n < c.n || uint64(c.n)-1 > indexLimit(t) {
		return nil, nil
	}
	items := c.dicts[0].array(s)
	if items == nil {
		return nil, nil
	}
	buf := plain.Buffers()[1]
	// Codes are below 2^31, so that the same bytes are signed indices, too.
	if width := t.IndexType.(arrow.FixedWidthDataType).BitWidth(); width == 32 {
		buf.Retain()
	} else {
		index := newBytes(mem)
		defer index.release()
		dst, err := index.extend(n * width / 8)
		if err != nil {
			return nil, err
		}
		codes := words32(buf.Bytes())[:n]
		switch width {
		case 8:
			convert(dst, codes)
		case 16:
			convert(uint16s(dst), codes)
		default:
			convert(words64(dst), codes)
		}
		buf = index.finish()
	}
	defer buf.Release()
	return array.NewDataWithDictionary(t, n, []*memory.Buffer{plain.Buffers()[0], buf}, plain.NullN(), 0, items), nil
}

// convert copies codes that the other type is known to hold.
func convert[T uint8 | uint16 | uint64](dst []T, codes []uint32) {
	dst = dst[:len(codes)]
	for i, code := range codes {
		dst[i] = T(code)
	}
}

// encode makes a dictionary array of an array of codes. The values of its rows are those of what
// encodeDictionary would make. Its dictionary is also like that one, unless a page's own is shared.
//
// Each code is looked up in a table of its new place. Items are compared by their bytes only when a
// code is met for the first time, since the dictionaries of two pages may have an item in common.
func (c *dictCodes) encode(plain arrow.ArrayData, s *shape, mem memory.Allocator) (arrow.ArrayData, error) {
	t, n := s.dictionary, plain.Len()
	width := t.IndexType.(arrow.FixedWidthDataType).BitWidth()
	if data, err := c.share(plain, s, mem); data != nil || err != nil {
		return data, err
	}
	limit := indexLimit(t)
	if s.kind == kindFixed {
		c.size = max(1, s.valueBits()/8) // of booleans a byte each
	}
	items, err := newValues(s, mem, 0, 0)
	if err != nil {
		return nil, err
	}
	defer items.release()
	seen := make(map[string]uint32)
	// place has the place of each code in the array's dictionary plus 1, or 0 for a code that was
	// not met yet.
	place := make([]uint32, c.n)
	add := func(code uint32) error {
		b := c.item(code)
		at, ok := seen[string(b)]
		if !ok {
			if at = uint32(len(seen)); uint64(at) > limit {
				return fault.New(fault.ResourceExhausted, "more than %d distinct values in an array of %s: read fewer rows at a time", limit+1, t)
			}
			seen[string(b)] = at
			switch {
			case s.kind == kindVariable:
				err = items.appendBytes(b)
			case items.bits != nil:
				err = items.appendBits(b, 0, 1)
			default:
				var dst []byte
				if dst, err = items.extend(1); err == nil {
					copy(dst, b)
				}
			}
			if err != nil {
				return err
			}
		}
		place[code] = at + 1
		return nil
	}
	var valid []byte
	if b := plain.Buffers()[0]; b != nil && plain.NullN() > 0 {
		valid = b.Bytes()
	}
	var codes []uint32
	if n > 0 {
		codes = words32(plain.Buffers()[1].Bytes())[:n]
	}
	buf := plain.Buffers()[1]
	// The codes are not needed any more once they are translated, so they are overwritten.
	if width == 32 {
		buf.Retain()
		err = translate(codes, codes, valid, place, add)
	} else {
		index := newBytes(mem)
		defer index.release()
		var dst []byte
		if dst, err = index.extend(n * width / 8); err != nil {
			return nil, err
		}
		switch width {
		case 8:
			err = translate(dst, codes, valid, place, add)
		case 16:
			err = translate(uint16s(dst), codes, valid, place, add)
		default:
			err = translate(words64(dst), codes, valid, place, add)
		}
		buf = index.finish()
	}
	defer buf.Release()
	if err != nil {
		return nil, err
	}
	dictionary, err := items.finish(nil, 0)
	if err != nil {
		return nil, err
	}
	defer dictionary.Release()
	return array.NewDataWithDictionary(t, n, []*memory.Buffer{plain.Buffers()[0], buf}, plain.NullN(), 0, dictionary.(*array.Data)), nil
}

// translate writes the place of each code. Codes of NULLs become 0 and are not looked up, so that
// an item which only NULLs have does not enter the dictionary. dst may be codes.
func translate[T uint8 | uint16 | uint32 | uint64](dst []T, codes []uint32, valid []byte, place []uint32,
	add func(code uint32) error) error {
	dst = dst[:len(codes)]
	for i, code := range codes {
		if valid != nil && !bitutil.BitIsSet(valid, i) {
			dst[i] = 0
			continue
		}
		at := place[code]
		if at == 0 {
			if err := add(code); err != nil {
				return err
			}
			at = place[code]
		}
		dst[i] = T(at - 1)
	}
	return nil
}

func words32(b []byte) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

func words64(b []byte) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)
}
