package v21

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
)

// encodeDictionary dictionary-encodes an array of plain values. Pages have dictionaries of their
// own, or none, so the array's one is made anew, with items in the order in which they first occur.
// More distinct values than the index type can count are fault.ResourceExhausted. The caller keeps
// plain.
func encodeDictionary(plain arrow.ArrayData, t *arrow.DictionaryType, mem memory.Allocator) (arrow.ArrayData, error) {
	width := t.IndexType.(arrow.FixedWidthDataType).BitWidth()
	limit := indexLimit(t)
	arr := array.MakeFromData(plain)
	defer arr.Release()
	key, err := valueKeys(arr)
	if err != nil {
		return nil, err
	}
	index := newBytes(mem)
	defer index.release()
	dst, err := index.extend(arr.Len() * width / 8)
	if err != nil {
		return nil, err
	}
	// NULLs keep index 0, which the validity bitmap hides.
	clear(dst)
	codes := make(map[string]uint64)
	var first []int // row of each item
	for i := range arr.Len() {
		if arr.IsNull(i) {
			continue
		}
		k := key(i)
		code, ok := codes[string(k)]
		if !ok {
			if code = uint64(len(first)); code > limit {
				return nil, fault.New(fault.ResourceExhausted, "more than %d distinct values in an array of %s: read fewer rows at a time", limit+1, t)
			}
			codes[string(k)] = code
			first = append(first, i)
		}
		for b := range width / 8 {
			dst[i*width/8+b] = byte(code >> (8 * b))
		}
	}
	items, err := itemsOf(arr, first, mem)
	if err != nil {
		return nil, err
	}
	defer items.Release()
	buf := index.finish()
	defer buf.Release()
	return array.NewDataWithDictionary(t, arr.Len(), []*memory.Buffer{plain.Buffers()[0], buf}, plain.NullN(), 0, items), nil
}

// indexLimit is the highest index of a dictionary type. Signed types lose the highest bit, and
// arrow-go's lengths bound the wide ones.
func indexLimit(t *arrow.DictionaryType) uint64 {
	width := t.IndexType.(arrow.FixedWidthDataType).BitWidth()
	if width >= 32 {
		return math.MaxInt32
	}
	limit := uint64(1)<<width - 1
	if arrow.IsSignedInteger(t.IndexType.ID()) {
		limit >>= 1
	}
	return limit
}

// valueKeys returns the bytes by which values are told apart: those of the value as it is stored.
// So NaNs of different bits are different items, as are zeros of either sign.
func valueKeys(arr arrow.Array) (func(i int) []byte, error) {
	data := arr.Data()
	switch a := arr.(type) {
	case *array.String:
		ends, text := a.ValueOffsets(), a.ValueBytes()
		return func(i int) []byte { return text[ends[i]-ends[0] : ends[i+1]-ends[0]] }, nil
	case *array.LargeString:
		ends, text := a.ValueOffsets(), a.ValueBytes()
		return func(i int) []byte { return text[ends[i]-ends[0] : ends[i+1]-ends[0]] }, nil
	case *array.Binary:
		return a.Value, nil
	case *array.LargeBinary:
		return a.Value, nil
	case *array.Boolean:
		return func(i int) []byte {
			if a.Value(i) {
				return []byte{1}
			}
			return []byte{0}
		}, nil
	}
	fixed, ok := arr.DataType().(arrow.FixedWidthDataType)
	if !ok || fixed.BitWidth()%8 != 0 {
		return nil, fault.New(fault.Unsupported, "dictionary of %s", arr.DataType())
	}
	size := fixed.BitWidth() / 8
	var b []byte
	if data.Buffers()[1] != nil {
		b = data.Buffers()[1].Bytes()
	}
	return func(i int) []byte { return b[i*size : (i+1)*size] }, nil
}

// itemsOf returns the values at rows, without NULLs.
func itemsOf(arr arrow.Array, rows []int, mem memory.Allocator) (*array.Data, error) {
	s, err := newShape(arr.DataType())
	if err != nil {
		return nil, err
	}
	v, err := newValues(s, mem, len(rows), 0)
	if err != nil {
		return nil, err
	}
	defer v.release()
	key, err := valueKeys(arr)
	if err != nil {
		return nil, err
	}
	for _, i := range rows {
		switch {
		case s.kind == kindVariable:
			err = v.appendBytes(key(i))
		case v.bits != nil:
			err = v.appendBits(key(i), 0, 1)
		default:
			var dst []byte
			if dst, err = v.extend(1); err == nil {
				copy(dst, key(i))
			}
		}
		if err != nil {
			return nil, err
		}
	}
	data, err := v.finish(nil, 0)
	if err != nil {
		return nil, err
	}
	return data.(*array.Data), nil
}
