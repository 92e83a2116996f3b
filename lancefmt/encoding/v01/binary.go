package v01

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
)

// binaryReader reads strings and binary values.
//
// A page is the positions of its values in the file as int64, one more than values. The bytes lie
// in front of the positions.
//
//	"ab", "", "cde" from byte 100 on   bytes abcde   positions 100, 102, 102, 105
//
// An empty value of a nullable field is NULL: the format does not tell them apart. A read takes two
// rounds, one for positions and one for bytes.
type binaryReader struct {
	*pages
	dt       arrow.DataType
	nullable bool
	wide     bool // offsets of 64 bits
}

// openBinary opens a column of positions of 64 bits, one more than values in each page.
func openBinary(p *pages, dt arrow.DataType, nullable bool) (*binaryReader, error) {
	r := &binaryReader{pages: p, dt: dt, nullable: nullable}
	switch storageType(dt).ID() {
	case arrow.LARGE_STRING, arrow.LARGE_BINARY:
		r.wide = true
	}
	return r, p.fits(64, 1)
}

// positions fetches the positions of rows, one more than values for each piece.
func (r *binaryReader) positions(ctx context.Context, rows []encoding.Range) ([]piece, *fetched, error) {
	pieces, err := r.split(rows)
	if err != nil {
		return nil, nil, err
	}
	wants := make([]storage.Range, len(pieces))
	for i, p := range pieces {
		wants[i] = storage.Range{Offset: r.pages.pages[p.page].BufRanges[0].Offset + 8*p.from, Length: 8 * (p.to - p.from + 1)}
	}
	f, err := r.fetch(ctx, wants)
	return pieces, f, err
}

// checked returns the byte range of the values between positions, which it checks: they ascend, and
// lie in front of the positions.
func (r *binaryReader) checked(p piece, positions []byte) (storage.Range, error) {
	first := int64(binary.LittleEndian.Uint64(positions))
	last := int64(binary.LittleEndian.Uint64(positions[len(positions)-8:]))
	// Values end where the positions of their page begin, or before.
	if end := r.pages.pages[p.page].BufRanges[0].Offset; first < 0 || last < first || last > end {
		return storage.Range{}, r.place(fault.Corruptf("values %d to %d lie from byte %d to byte %d, their positions at byte %d",
			p.from, p.to-1, first, last, end), p.page)
	}
	before, down := first, int64(0)
	for b := positions[8:]; len(b) >= 8; b = b[8:] {
		next := int64(binary.LittleEndian.Uint64(b))
		down |= next | (next - before) // negative if a value ends before it starts, or before the file does
		before = next
	}
	if down < 0 {
		return storage.Range{}, r.place(fault.Corruptf("the positions of values %d to %d do not ascend", p.from, p.to-1), p.page)
	}
	return storage.Range{Offset: first, Length: last - first}, nil
}

// read reads the positions of rows, and then the bytes between them.
func (r *binaryReader) read(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (*array.Data, error) {
	n, err := count(rows)
	if err != nil {
		return nil, err
	}
	pieces, positions, err := r.positions(ctx, rows)
	if err != nil {
		return nil, err
	}
	defer positions.release()
	wants := make([]storage.Range, 0, len(pieces))
	var total int64
	for i, p := range pieces {
		w, err := r.checked(p, positions.spans[i].bytes())
		if err != nil {
			return nil, err
		}
		if w.Length == 0 {
			continue
		}
		if total += w.Length; total > r.src.SizeBytes() {
			return nil, r.place(fault.Corruptf("the values up to this page have more bytes than the file of %d bytes", r.src.SizeBytes()), p.page)
		}
		wants = append(wants, w)
	}
	if !r.wide && total > math.MaxInt32 {
		return nil, fault.New(fault.ResourceExhausted, "%d bytes of %s are too many for one array; read fewer rows at a time", total, r.dt)
	}
	values, err := r.bytes(ctx, wants, int(total), mem)
	if err != nil {
		return nil, err
	}
	defer values.Release()
	var offsets *memory.Buffer
	if r.wide {
		offsets = resized(mem, arrow.Int64Traits.BytesRequired(n+1))
		rebase(arrow.Int64Traits.CastFromBytes(offsets.Bytes()), positions.spans)
	} else {
		offsets = resized(mem, arrow.Int32Traits.BytesRequired(n+1))
		rebase(arrow.Int32Traits.CastFromBytes(offsets.Bytes()), positions.spans)
	}
	defer offsets.Release()
	bitmap, nulls := r.bitmap(n, positions.spans, mem)
	if bitmap != nil {
		defer bitmap.Release()
	}
	data := array.NewData(r.dt, n, []*memory.Buffer{bitmap, offsets, values}, nil, nulls, 0)
	if value, err := encoding.CheckText(data); err != nil {
		data.Release()
		return nil, r.placeValue(err, pieces, value)
	}
	return data, nil
}

// placeValue places an error about a value of a read in its page.
func (r *binaryReader) placeValue(err error, pieces []piece, value int) error {
	for _, p := range pieces {
		if n := int(p.to - p.from); value >= n {
			value -= n
			continue
		}
		return r.place(err, p.page)
	}
	return r.place(err, -1)
}

// bytes returns the bytes of ranges in one buffer.
func (r *binaryReader) bytes(ctx context.Context, wants []storage.Range, total int, mem memory.Allocator) (*memory.Buffer, error) {
	f, err := r.fetch(ctx, wants)
	if err != nil {
		return nil, err
	}
	defer f.release()
	if len(wants) == 1 {
		return f.spans[0].share(), nil
	}
	out := resized(mem, total)
	dst := out.Bytes()
	for _, s := range f.spans {
		dst = dst[copy(dst, s.bytes()):]
	}
	return out, nil
}

// rebase turns the positions of pieces, which have been checked, to offsets that follow one
// another.
func rebase[O int32 | int64](dst []O, spans []span) {
	dst[0] = 0
	at, sum := 1, int64(0)
	for _, s := range spans {
		b := s.bytes()
		shift := sum - int64(binary.LittleEndian.Uint64(b))
		out := dst[at : at+len(b)/8-1]
		b = b[8:]
		for i := range out {
			out[i] = O(int64(binary.LittleEndian.Uint64(b[8*i:])) + shift)
		}
		at += len(out)
		if len(out) > 0 {
			sum = int64(out[len(out)-1])
		}
	}
}

// bitmap returns which values are not empty, nil if the field is not nullable or all are.
func (r *binaryReader) bitmap(n int, spans []span, mem memory.Allocator) (*memory.Buffer, int) {
	if !r.nullable {
		return nil, 0
	}
	nulls := 0
	for _, s := range spans {
		b := s.bytes()
		before := binary.LittleEndian.Uint64(b)
		for b = b[8:]; len(b) >= 8; b = b[8:] {
			next := binary.LittleEndian.Uint64(b)
			if next == before {
				nulls++
			}
			before = next
		}
	}
	if nulls == 0 {
		return nil, 0
	}
	out := resized(mem, (n+7)/8)
	w := bitWriter{dst: out.Bytes()}
	for _, s := range spans {
		b := s.bytes()
		before := binary.LittleEndian.Uint64(b)
		for b = b[8:]; len(b) >= 8; b = b[8:] {
			next := binary.LittleEndian.Uint64(b)
			w.put(next != before)
			before = next
		}
	}
	w.flush()
	return out, nulls
}

// bitWriter fills a bitmap from the front.
type bitWriter struct {
	dst  []byte
	word byte
	n    uint
}

func (w *bitWriter) put(set bool) {
	var b byte
	if set {
		b = 1
	}
	w.word |= b << w.n
	if w.n++; w.n == 8 {
		w.dst[0] = w.word
		w.dst, w.word, w.n = w.dst[1:], 0, 0
	}
}

func (w *bitWriter) flush() {
	if w.n > 0 {
		w.dst[0] = w.word
	}
}

// lengths returns the octet length of each value as int64.
func (r *binaryReader) lengths(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (*array.Data, error) {
	n, err := count(rows)
	if err != nil {
		return nil, err
	}
	pieces, positions, err := r.positions(ctx, rows)
	if err != nil {
		return nil, err
	}
	defer positions.release()
	for i, p := range pieces {
		if _, err := r.checked(p, positions.spans[i].bytes()); err != nil {
			return nil, err
		}
	}
	out := resized(mem, arrow.Int64Traits.BytesRequired(n))
	defer out.Release()
	dst := arrow.Int64Traits.CastFromBytes(out.Bytes())
	for _, s := range positions.spans {
		b := s.bytes()
		before := binary.LittleEndian.Uint64(b)
		for b = b[8:]; len(b) >= 8; b = b[8:] {
			next := binary.LittleEndian.Uint64(b)
			dst[0] = int64(next - before)
			dst, before = dst[1:], next
		}
	}
	bitmap, nulls := r.bitmap(n, positions.spans, mem)
	if bitmap != nil {
		defer bitmap.Release()
	}
	return array.NewData(arrow.PrimitiveTypes.Int64, n, []*memory.Buffer{bitmap, out}, nil, nulls, 0), nil
}

// validity returns a boolean for each value, true where it is not NULL.
func (r *binaryReader) validity(ctx context.Context, rows []encoding.Range, mem memory.Allocator) (*array.Data, error) {
	n, err := count(rows)
	if err != nil {
		return nil, err
	}
	pieces, positions, err := r.positions(ctx, rows)
	if err != nil {
		return nil, err
	}
	defer positions.release()
	for i, p := range pieces {
		if _, err := r.checked(p, positions.spans[i].bytes()); err != nil {
			return nil, err
		}
	}
	valid, _ := r.bitmap(n, positions.spans, mem)
	if valid == nil {
		valid = resized(mem, (n+7)/8)
		memory.Set(valid.Bytes(), 0xff)
	}
	defer valid.Release()
	return array.NewData(arrow.FixedWidthTypes.Boolean, n, []*memory.Buffer{nil, valid}, nil, 0, 0), nil
}
