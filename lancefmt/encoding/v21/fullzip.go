package v21

import (
	"context"
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/internal/prefetch"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/levels"
	"lanceflight/lancefmt/pb/enc21pb"
	"lanceflight/lancefmt/storage"
)

// fullZip is a page in which each value is addressable: a take of one row reads the bytes of that
// row.
//
//	buffers: values | row offsets, numRows+1 of 1, 2, 4 or 8 bytes each (absent if values have a
//	         fixed width and there are no lists)
//	value:   control word | length, if widths vary | bytes
//
// A NULL or empty list is a control word alone. A NULL value is a control word alone if widths
// vary; else its bytes are there and mean nothing, so that a row's place still follows from its
// number.
//
// There are three ways through a page, by what it holds:
//
//	fixed width, no lists     decodeStrided    rows lie stride bytes apart
//	fixed width, lists        decodeItems      row offsets, then entries of one size or of no bytes
//	varying width             decodeText       row offsets, then entries with lengths
//
// Spec: file/encoding.md, "Full Zip Page Layout".
type fullZip struct {
	shape  *shape
	schema *levels.Schema
	// word is the form of control words; its Bytes are 0 if the page stores no levels.
	word    levels.ControlWord
	numRows int64
	data    storage.Range
	// offsets is where the row offsets lie; its length is 0 if there are none.
	offsets storage.Range

	// Exactly one of fixed and text is set. lenBytes is the width of lengths with text.
	fixed    zipFixed
	text     zipText // varying width
	lenBytes int

	// index is the row offsets, retained from prepare to close, and indexWord the bytes of an
	// offset. They are used as they are in the file: a page may have millions of rows, of which a
	// take wants a few.
	index     *memory.Buffer
	indexWord int
}

// newFullZip checks the message of a page against its layers, its buffers and the column's type.
func newFullZip(l *enc21pb.FullZipLayout, p *encoding.Page, s *shape) (*fullZip, error) {
	z := &fullZip{shape: s, numRows: p.NumRows}
	var err error
	if z.schema, err = newSchema(l.GetLayers()); err != nil {
		return nil, err
	}
	if z.word, err = levels.NewControlWord(l.GetBitsRep(), l.GetBitsDef()); err != nil {
		return nil, err
	}
	// Without repetition levels a page of lists could not say where one ends.
	if z.word.HasRep() != (z.schema.MaxRep > 0) {
		return nil, fault.Corruptf("lists and repetition levels disagree")
	}
	// Layers without levels are no contradiction: nothing is NULL or empty then.
	if l.GetBitsDef() > 0 && z.schema.MaxDef == 0 { // the other way round: nothing is NULL or empty after all
		return nil, fault.Corruptf("layers and definition levels disagree")
	}
	if len(p.BufRanges) == 0 {
		return nil, fault.Corruptf("full-zip page without buffers")
	}
	z.data = p.BufRanges[0]
	if len(p.BufRanges) > 1 {
		z.offsets = p.BufRanges[1]
	}
	switch d := l.GetDetails().(type) {
	// All values have one width.
	case *enc21pb.FullZipLayout_BitsPerValue:
		if z.fixed, err = newZipFixed(l.GetValueCompression(), s); err != nil {
			return nil, err
		}
		// Both the message and the encoding say how wide a value is. They must agree, since the one
		// finds values and the other decodes them.
		if int64(d.BitsPerValue) != 8*int64(z.fixed.size()) {
			return nil, fault.Corruptf("values of %d bits, their encoding has %d bytes", d.BitsPerValue, z.fixed.size())
		}
	// Values have lengths of so many bits in front of them.
	case *enc21pb.FullZipLayout_BitsPerOffset:
		switch d.BitsPerOffset {
		case 8, 16, 32, 64:
			z.lenBytes = int(d.BitsPerOffset / 8)
		default:
			return nil, fault.Corruptf("lengths of %d bits", d.BitsPerOffset)
		}
		z.text, err = newZipText(l.GetValueCompression(), s)
	default:
		err = fault.Corruptf("full-zip page says neither how wide values nor how wide lengths are")
	}
	return z, err
}

// strided reports whether the place of a row follows from its number.
func (z *fullZip) strided() bool { return z.fixed != nil && !z.word.HasRep() }

// stride returns the bytes from one row to the next in a strided page.
func (z *fullZip) stride() int { return z.word.Bytes + z.fixed.size() }

// metadata asks for the row offsets, which strided pages do not need even if they have them.
func (z *fullZip) metadata() []storage.Range {
	if z.strided() {
		return nil
	}
	return []storage.Range{z.offsets}
}

// prepare makes sure that rows and offsets fit the buffers. Offsets are checked where they are
// used, not here, where it would cost a look at all of them.
func (z *fullZip) prepare(_ context.Context, _ encoding.Source, meta []*memory.Buffer) error {
	if z.strided() {
		if n := int64(z.stride()); n > 0 && z.numRows > z.data.Length/n {
			return fault.Place(fault.Corruptf("%d rows of %d bytes in %d bytes", z.numRows, n, z.data.Length), "", -1, -1, z.data.Offset)
		}
		return nil
	}
	// The message does not say how wide offsets are; the size of their buffer does. A page of other
	// widths, or with a buffer of another length, is corrupt.
	n := z.numRows + 1
	word := z.offsets.Length / n
	if z.offsets.Length%n != 0 || word != 1 && word != 2 && word != 4 && word != 8 {
		return fault.Place(fault.Corruptf("%d bytes of offsets for %d rows", z.offsets.Length, z.numRows), "", -1, -1, z.offsets.Offset)
	}
	z.indexWord = int(word)
	// The caller releases the metadata of a read; the offsets are needed until close.
	meta[0].Retain()
	z.index = meta[0]
	return nil
}

func (z *fullZip) close() {
	if z.index != nil {
		z.index.Release()
		z.index = nil
	}
}

// offset returns where row starts in the value buffer. For row numRows it returns where the data
// end. Nothing has checked the result.
func (z *fullZip) offset(row int64) uint64 {
	b := z.index.Bytes()[row*int64(z.indexWord):]
	switch z.indexWord {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// plan asks for one byte range for each range of rows.
func (z *fullZip) plan(rows []encoding.Range, w want, ranges []storage.Range) ([]storage.Range, int, error) {
	if z.indexed(w) {
		return ranges, 0, nil
	}
	total := int64(0)
	for _, r := range rows {
		var at storage.Range
		if z.strided() {
			at = storage.Range{Offset: r.Start * int64(z.stride()), Length: r.Len() * int64(z.stride())}
		} else {
			// A range of rows is one range of bytes, from the start of its first row to the start
			// of the row behind it. Offsets between them are not looked at.
			lo, hi := z.offset(r.Start), z.offset(r.End)
			if lo > hi || hi > uint64(z.data.Length) {
				return ranges, 0, fault.Place(fault.Corruptf("rows %d..%d lie at %d..%d of %d bytes",
					r.Start, r.End, lo, hi, z.data.Length), "", -1, -1, z.offsets.Offset)
			}
			at = storage.Range{Offset: int64(lo), Length: int64(hi - lo)}
			// The hint for the bytes of strings leaves the control words out, but not the lengths.
			total += at.Length - r.Len()*int64(z.word.Bytes)
		}
		// Offsets count from the start of the value buffer.
		at.Offset += z.data.Offset
		ranges = append(ranges, at)
	}
	return ranges, int(max(total, 0)), nil
}

// decode appends rows. bufs has a buffer for each range of rows, unless the row offsets tell all
// that is wanted.
func (z *fullZip) decode(rows []encoding.Range, bufs []*memory.Buffer, out *sink) error {
	if err := out.accept(z.schema); err != nil {
		return err
	}
	indexed := z.indexed(out.values.want)
	for i, r := range rows {
		if !indexed {
			fetchAhead(bufs, i)
		}
		var b []byte
		if !indexed {
			b = bufs[i].Bytes()
		}
		if err := z.decodeRange(r, b, out); err != nil {
			return fault.Place(fmt.Errorf("rows from %d on: %w", r.Start, err), "", -1, -1, z.data.Offset)
		}
	}
	return nil
}

// A row taken alone lies anywhere in the page, and its first byte is waited for as long as a
// hundred others take to copy. So the rows after it are asked for in time.
const (
	aheadRows = 8
	// aheadBytes is how much of each row is asked for. From there on the processor sees a stream of
	// reads and goes on by itself.
	aheadBytes = 4096
)

// fetchAhead asks for the bytes of the range that comes aheadRows after range i. At the first range
// it asks for those between, too, for which nobody else has asked.
func fetchAhead(bufs []*memory.Buffer, i int) {
	from := i + aheadRows
	if i == 0 {
		from = 1
	}
	for j := from; j <= i+aheadRows && j < len(bufs); j++ {
		b := bufs[j].Bytes()
		prefetch.Lines(b[:min(len(b), aheadBytes)])
	}
}

// decodeRange appends the rows of a range, whose bytes are b. b is not used where the row offsets
// tell what is wanted.
func (z *fullZip) decodeRange(r encoding.Range, b []byte, out *sink) error {
	switch {
	case z.indexed(out.values.want):
		return z.decodeIndexed(r, out)
	case z.strided():
		return z.decodeStrided(b, int(r.Len()), out)
	case z.fixed != nil:
		return z.decodeItems(b, r.Len(), out)
	}
	return z.decodeText(b, r.Len(), out)
}

// batchValues is how many values are unzipped at a time. It bounds the scratch memory for their
// levels: a range may be a whole page.
const batchValues = 4096

// decodeStrided appends n rows that lie stride bytes apart. Control words and values are taken
// apart in two passes over a batch, because the codec copies all values of a batch in one call.
//
// For int32 values with one bit of definition level, of which the third is NULL:
//
//	00 a3040000 | 00 760b0000 | 01 38040000        1187, 2934, NULL
func (z *fullZip) decodeStrided(b []byte, n int, out *sink) error {
	stride, head := z.stride(), z.word.Bytes
	for n > 0 {
		k := n
		// Without control words there are no levels to hold, and the whole range is one batch.
		if head > 0 {
			k = min(n, batchValues)
		}
		// The control words come first, since levels must be added even if values are not wanted.
		var def []uint16
		if z.word.HasDef() {
			// The levels of the batch before have been copied by addLevels.
			out.a.reset()
			def = out.a.levels(k)
			for i := range def {
				_, def[i] = z.word.Parse(b[i*stride:])
			}
		}
		if err := out.addLevels(z.schema, nil, def, k); err != nil {
			return err
		}
		if out.values.want == wantValidity {
			out.values.n += k
		} else if err := z.fixed.append(b[head:], stride, k, out.values); err != nil {
			return err
		}
		b, n = b[k*stride:], n-k
		// Rows without bytes and without control words would not end the loop by running out of
		// bytes.
		if n > 0 && stride == 0 {
			return fault.Corruptf("rows without bytes")
		}
	}
	return nil
}

// indexed reports whether the row offsets, or nothing at all, tell what is wanted, so that the
// values need not be read. The length of a row is that of its control word, its length field and
// its value, so the offsets tell the lengths of plain text. Of compressed text they tell only which
// rows are NULL. Rows with lists have several values each, and their offsets tell nothing.
func (z *fullZip) indexed(w want) bool {
	switch {
	case w == wantAll || z.word.HasRep():
		return false
	case z.fixed != nil:
		return w == wantValidity && !z.word.HasDef()
	}
	_, plain := z.text.(plainText)
	return plain || w == wantValidity
}

// decodeIndexed appends lengths or NULLs of a range from the offsets of its rows. A row that is not
// longer than its control word is NULL: a value has at least its length field.
func (z *fullZip) decodeIndexed(r encoding.Range, out *sink) error {
	// indexed allows this only for validity of a page without definition levels.
	if z.fixed != nil {
		out.values.n += int(r.Len())
		return out.addLevels(z.schema, nil, nil, int(r.Len()))
	}
	head := uint64(z.word.Bytes)
	at := z.offset(r.Start)
	for row := r.Start; row < r.End; {
		out.a.reset()
		n := int(min(r.End-row, batchValues))
		def := out.a.levels(n)
		for i := range def {
			end := z.offset(row + int64(i) + 1)
			size := end - at
			// A row that is longer than its control word but has no room for its length field
			// cannot be.
			if end < at || end > uint64(z.data.Length) || size < head || size > head && size < head+uint64(z.lenBytes) {
				return fault.Corruptf("row %d lies at %d..%d of %d bytes", row+int64(i), at, end, z.data.Length)
			}
			at = end
			def[i] = 0
			if size -= head; size == 0 {
				if !z.word.HasDef() {
					return fault.Corruptf("row %d has no length", row+int64(i))
				}
				def[i] = 1
			} else if out.values.want == wantLengths {
				out.values.data.n += int(size) - z.lenBytes
			}
			if err := out.values.endOne(); err != nil {
				return err
			}
		}
		if !z.word.HasDef() {
			def = nil
		}
		if err := out.addLevels(z.schema, nil, def, n); err != nil {
			return err
		}
		row += int64(n)
	}
	return nil
}

// alias returns the bytes of rows as an Arrow buffer, if they are one: plain values of whole bytes
// without control words, in one range, at an address at which Arrow's kernels may load their items.
// It returns nil otherwise. The buffer may be a mapped file, so it is read-only.
func (z *fullZip) alias(rows []encoding.Range, bufs []*memory.Buffer) *memory.Buffer {
	flat, ok := z.fixed.(flatZip)
	if !ok || z.word.Bytes != 0 || len(rows) != 1 || len(bufs) != 1 {
		return nil
	}
	b := bufs[0].Bytes()
	align := uintptr(min(8, z.shape.itemBits/8))
	if len(b) == 0 || int64(len(b)) != rows[0].Len()*int64(flat) || align == 0 || align&(align-1) != 0 ||
		uintptr(unsafe.Pointer(unsafe.SliceData(b)))%align != 0 {
		return nil
	}
	return bufs[0]
}

// decodeItems appends n rows of lists of fixed-width items. Entries have two sizes, a control word
// with or without a value, so that they must be walked one by one. Values that follow each other
// without an entry of a NULL or empty list between them are a run, and are copied in one call.
//
// For the rows [5 6] [] [7] of int32 items, with one bit of each level, where definition level 1 is
// an empty list:
//
//	02 05000000 | 00 06000000 | 03 | 02 07000000        row offsets 0, 10, 11, 16
func (z *fullZip) decodeItems(b []byte, n int64, out *sink) error {
	size, head := z.fixed.size(), z.word.Bytes
	rows := int64(0)
	for len(b) > 0 {
		out.a.reset()
		// Each batch has at most batchValues entries, so that the appends below stay in the arena.
		rep, def := out.a.levels(batchValues)[:0], out.a.levels(batchValues)[:0]
		values, run, from := 0, 0, b
		// flush appends the values of a run, which began at from: between two values lies one
		// control word.
		flush := func() error {
			if run == 0 {
				return nil
			}
			err := z.fixed.append(from[head:], head+size, run, out.values)
			values, run = values+run, 0
			return err
		}
		for len(b) > 0 && len(rep) < batchValues {
			if len(b) < head {
				return fault.Corruptf("control word of %d bytes in %d", head, len(b))
			}
			r, d := z.word.Parse(b)
			rep, def = append(rep, r), append(def, d)
			if r == z.schema.MaxRep {
				rows++
			}
			// The entry is of a list that is NULL or empty, and has no value behind it.
			if d > z.schema.MaxVisible {
				if err := flush(); err != nil {
					return err
				}
				b = b[head:]
				continue
			}
			if len(b) < head+size {
				return fault.Corruptf("value of %d bytes in %d", size, len(b)-head)
			}
			// A run begins: from is its first control word.
			if run == 0 {
				from = b
			}
			run++
			b = b[head+size:]
		}
		if err := flush(); err != nil {
			return err
		}
		if !z.word.HasDef() {
			def = nil
		}
		if err := out.addLevels(z.schema, rep, def, values); err != nil {
			return err
		}
	}
	// The bytes of the range are those between two row offsets; the control words must agree.
	if rows != n {
		return fault.Corruptf("%d rows instead of %d", rows, n)
	}
	return nil
}

// decodeText appends n rows of values of varying width, or lists of such.
//
// For the rows "ab", NULL and "" with one bit of definition level and lengths of 32 bits:
//
//	00 02000000 6162 | 01 | 00 00000000        row offsets 0, 7, 8, 13
func (z *fullZip) decodeText(b []byte, n int64, out *sink) error {
	head := z.word.Bytes
	rows := int64(0)
	for len(b) > 0 {
		out.a.reset()
		rep, def := out.a.levels(batchValues)[:0], out.a.levels(batchValues)[:0]
		values := 0
		for len(b) > 0 && len(rep) < batchValues {
			if len(b) < head {
				return fault.Corruptf("control word of %d bytes in %d", head, len(b))
			}
			r, d := z.word.Parse(b)
			rep, def = append(rep, r), append(def, d)
			if r == z.schema.MaxRep {
				rows++
			}
			b = b[head:]
			if d > z.schema.MaxVisible {
				continue
			}
			// The entry has a place in the array, whether it is NULL or not.
			values++
			// A NULL value, or a NULL struct around it, has no length field and no bytes. It still
			// takes a place in the array.
			if d != 0 {
				if err := out.values.appendEmpty(1); err != nil {
					return err
				}
				continue
			}
			if len(b) < z.lenBytes {
				return fault.Corruptf("length of %d bytes in %d", z.lenBytes, len(b))
			}
			// The length is compared with the bytes that are left before anything is sliced.
			size := z.length(b)
			b = b[z.lenBytes:]
			if size > uint64(len(b)) {
				return fault.Corruptf("value of %d bytes in %d", size, len(b))
			}
			if err := z.text.append(b[:size], out.values, out.a); err != nil {
				return err
			}
			b = b[size:]
		}
		if !z.word.HasRep() {
			rep = nil
		}
		if !z.word.HasDef() {
			def = nil
		}
		if err := out.addLevels(z.schema, rep, def, values); err != nil {
			return err
		}
	}
	if rows != n {
		return fault.Corruptf("%d rows instead of %d", rows, n)
	}
	return nil
}

// length reads the length field at the start of b, which has lenBytes bytes.
func (z *fullZip) length(b []byte) uint64 {
	switch z.lenBytes {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}
