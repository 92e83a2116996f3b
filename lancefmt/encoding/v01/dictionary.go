package v01

import (
	"context"
	"encoding/binary"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
)

// dictionaryReader reads dictionaries: indices in pages, and one dictionary for the file, which is
// a page that the schema points at. Strings of the dictionary that are empty are NULL, as those of
// nullable columns are; so are the rows that have them.
type dictionaryReader struct {
	indices *plainReader
	dt      arrow.DataType
	signed  bool
	entries reader // the dictionary as a column of one page

	mu   sync.Mutex
	dict *array.Data // in Go's memory, read once
	null []bool      // which entries are NULL, nil if none is
}

// openDictionary opens the indices, and the dictionary as a column of one page, whose number of
// values follows from its length: fixed-width values, or positions, of which there is one more.
func openDictionary(p *pages, col encoding.Column, dt arrow.DataType, t *arrow.DictionaryType) (reader, error) {
	indices, err := openPlain(p, t.IndexType)
	if err != nil {
		return nil, err
	}
	r := &dictionaryReader{indices: indices, dt: dt, signed: arrow.IsSignedInteger(t.IndexType.ID())}
	if len(col.BufRanges) == 0 {
		return nil, fault.Corruptf("the file's schema does not say where the dictionary is")
	}
	at := col.BufRanges[0]
	extra := int64(0)
	bits, ok := bitsOf(t.ValueType)
	if !ok {
		bits, extra = 64, 1
	}
	// A dictionary without entries has one position all the same.
	page := encoding.Page{NumRows: max(at.Length*8/bits-extra, 0), BufRanges: col.BufRanges[:1]}
	entries := encoding.Column{Index: col.Index, Pages: []encoding.Page{page}}
	if at.Length == 0 {
		entries.Pages = nil
	}
	dp, err := openPages(p.src, p.number, entries)
	if err != nil {
		return nil, err
	}
	dp.apart = true
	switch storageType(t.ValueType).(type) {
	case *arrow.StringType, *arrow.BinaryType, *arrow.LargeStringType, *arrow.LargeBinaryType:
		r.entries, err = openBinary(dp, t.ValueType, true)
	default:
		r.entries, err = openPlain(dp, t.ValueType)
	}
	return r, err
}

func (r *dictionaryReader) rows() int64 { return r.indices.rows() }

// dictionary returns the dictionary, which stays with r.
func (r *dictionaryReader) dictionary(ctx context.Context) (*array.Data, []bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dict != nil {
		return r.dict, r.null, nil
	}
	n := r.entries.rows()
	var all []encoding.Range
	if n > 0 {
		all = []encoding.Range{{Start: 0, End: n}}
	}
	read, err := r.entries.read(ctx, all, memory.DefaultAllocator)
	if err != nil {
		return nil, nil, err
	}
	defer read.Release()
	// Not the file's mapping: the dictionary stays with every array that has it.
	bufs := make([]*memory.Buffer, len(read.Buffers()))
	for i, b := range read.Buffers() {
		if b != nil {
			bufs[i] = memory.NewBufferBytes(append([]byte{}, b.Bytes()...))
		}
	}
	r.dict = array.NewData(read.DataType(), read.Len(), bufs, nil, read.NullN(), 0)
	if read.NullN() > 0 {
		r.null = make([]bool, read.Len())
		for i := range r.null {
			r.null[i] = !bitutil.BitIsSet(bufs[0].Bytes(), i)
		}
	}
	return r.dict, r.null, nil
}

// read reads the indices of rows and checks that the dictionary has them.
func (r *dictionaryReader) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (*array.Data, error) {
	n, err := count(rows)
	if err != nil {
		return nil, err
	}
	dict, null, err := r.dictionary(ctx)
	if err != nil {
		return nil, err
	}
	indices, err := r.indices.values(ctx, rows, n, mem)
	if err != nil {
		return nil, err
	}
	defer indices.Release()
	k := uint64(dict.Len())
	b := indices.Bytes()
	var top uint64 // largest index; negative ones are larger than any
	width := int(r.indices.bits / 8)
	switch {
	case width == 1:
		for _, v := range b[:n] {
			top = max(top, uint64(v))
		}
	default:
		for i := range n {
			top = max(top, loadUint(b, i, width))
		}
	}
	if r.signed {
		k = min(k, 1<<(8*width-1))
	}
	if n > 0 && top >= k {
		return nil, r.outside(rows, b, k, width)
	}
	var bitmap *memory.Buffer
	nulls := 0
	if null != nil {
		bitmap = resized(mem, (n+7)/8)
		defer bitmap.Release()
		w := bitWriter{dst: bitmap.Bytes()}
		for i := range n {
			isNull := null[loadUint(b, i, width)]
			if isNull {
				nulls++
			}
			w.put(!isNull)
		}
		w.flush()
	}
	return array.NewDataWithDictionary(r.dt, n, []*memory.Buffer{bitmap, indices}, nulls, 0, dict), nil
}

// outside returns the error of the first index that is not below k.
func (r *dictionaryReader) outside(rows []encoding.Range, indices []byte, k uint64, width int) error {
	pieces, err := r.indices.split(rows)
	if err != nil {
		return err
	}
	i := 0
	for _, p := range pieces {
		for row := p.from; row < p.to; row++ {
			if v := loadUint(indices, i, width); v >= k {
				return r.indices.place(fault.Corruptf("value %d is index %d into a dictionary of %d entries", row, v, k), p.page)
			}
			i++
		}
	}
	return nil
}

// loadUint returns number i of width bytes.
func loadUint(b []byte, i, width int) uint64 {
	switch width {
	case 1:
		return uint64(b[i])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b[2*i:]))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return binary.LittleEndian.Uint64(b[8*i:])
}
