package table

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
	"sort"
	"sync"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/tablepb"
)

// RowIDSequence is the stable row ids of a fragment, by physical offset: deleted rows have theirs,
// too. It keeps the segments in their stored form, so a fragment of a million consecutive ids takes
// some tens of bytes.
//
//	range               start, end                  start, start+1, …, end-1
//	range_with_holes    start, end, holes           the same without the holes
//	range_with_bitmap   start, end, bitmap          start+i for each set bit i
//	sorted_array        base, offsets of 2 or 4 bytes, or values of 8
//	array               the same, in any order
type RowIDSequence struct {
	segments []u64Segment
	// starts is the offset of the first row of each segment, and the number of rows at the end.
	// Empty segments are left out.
	starts []int64
}

// u64Segment is one run of values. Implementations answer by position and by value, the latter
// without a table where the values ascend. Source: rowids.proto; lance-table 14.0.2,
// rowids/serde.rs.
type u64Segment interface {
	len() int64
	at(i int64) uint64          // 0 <= i < len
	index(v uint64) int64       // -1 if v is not in the segment
	bounds() (lo, hi uint64)    // smallest and largest value; only if len > 0
	fill(dst []uint64, i int64) // values i … i+len(dst)
}

// DecodeRowIDs decodes a serialised RowIdSequence of a fragment with rows rows. The bytes are kept.
// A sequence of another length is corrupt.
func DecodeRowIDs(data []byte, rows int64) (*RowIDSequence, error) {
	p := new(tablepb.RowIdSequence)
	if err := unmarshal(data, p, "row id sequence"); err != nil {
		return nil, err
	}
	s := &RowIDSequence{starts: make([]int64, 1, len(p.GetSegments())+1)}
	var n int64
	for _, q := range p.GetSegments() {
		segment, err := newSegment(q)
		if err != nil {
			return nil, err
		}
		// Lengths of ranges are not backed by bytes, so the sum could overflow.
		if segment.len() > rows-n {
			return nil, fault.Corruptf("the row id sequence is longer than the fragment's %d rows", rows)
		}
		if segment.len() == 0 {
			continue
		}
		n += segment.len()
		s.segments = append(s.segments, segment)
		s.starts = append(s.starts, n)
	}
	if n != rows {
		return nil, fault.Corruptf("the row id sequence has %d ids for a fragment of %d rows", n, rows)
	}
	return s, nil
}

// RowIDsOf makes a sequence of plain values.
func RowIDsOf(values []uint64) *RowIDSequence {
	if len(values) == 0 {
		return &RowIDSequence{starts: []int64{0}}
	}
	return &RowIDSequence{segments: []u64Segment{newSliceSegment(values)}, starts: []int64{0, int64(len(values))}}
}

// Len returns the number of ids.
func (s *RowIDSequence) Len() int64 { return s.starts[len(s.segments)] }

// Fill sets dst to the ids of the rows from … from+len(dst), which exist.
func (s *RowIDSequence) Fill(dst []uint64, from int64) {
	k := sort.Search(len(s.segments), func(i int) bool { return s.starts[i+1] > from })
	for len(dst) > 0 {
		within := from - s.starts[k]
		n := min(int64(len(dst)), s.segments[k].len()-within)
		s.segments[k].fill(dst[:n], within)
		dst, from, k = dst[n:], from+n, k+1
	}
}

// Offset returns the physical offset of a row id.
func (s *RowIDSequence) Offset(id uint64) (int64, bool) {
	for k, segment := range s.segments {
		if i := segment.index(id); i >= 0 {
			return s.starts[k] + i, true
		}
	}
	return 0, false
}

// Bounds yields the smallest and the largest id of each run of the sequence: the raw material of an
// index over fragments.
func (s *RowIDSequence) Bounds(yield func(run int, lo, hi uint64)) {
	for k, segment := range s.segments {
		lo, hi := segment.bounds()
		yield(k, lo, hi)
	}
}

// OffsetInRun is Offset for ids that lie in the bounds of a run.
func (s *RowIDSequence) OffsetInRun(run int, id uint64) (int64, bool) {
	if i := s.segments[run].index(id); i >= 0 {
		return s.starts[run] + i, true
	}
	return 0, false
}

// newSegment checks a segment: ranges that do not end before they start, holes and arrays in order,
// bitmaps of the right size. The methods of segments rely on that and check nothing.
func newSegment(p *tablepb.U64Segment) (u64Segment, error) {
	// The bound keeps lengths, and sums of two of them, inside of int64.
	span := func(start, end uint64) error {
		if start > end || end-start > 1<<62 {
			return fault.Corruptf("a row id range goes from %d to %d", start, end)
		}
		return nil
	}
	switch q := p.GetSegment().(type) {
	case *tablepb.U64Segment_Range_:
		r := rangeSegment{q.Range.GetStart(), q.Range.GetEnd()}
		return r, span(r.start, r.end)
	case *tablepb.U64Segment_RangeWithHoles_:
		start, end := q.RangeWithHoles.GetStart(), q.RangeWithHoles.GetEnd()
		if err := span(start, end); err != nil {
			return nil, err
		}
		holes, err := newArraySegment(q.RangeWithHoles.GetHoles())
		if err != nil {
			return nil, err
		}
		if !holes.ascending() {
			return nil, fault.Corruptf("the holes of a row id range are not in order")
		}
		if lo, hi := holes.bounds(); holes.len() > 0 && (lo < start || hi >= end) {
			return nil, fault.Corruptf("the holes %d to %d lie outside the row id range %d to %d", lo, hi, start, end)
		}
		return &holesSegment{start: start, end: end, holes: holes}, nil
	case *tablepb.U64Segment_RangeWithBitmap_:
		start, end, bitmap := q.RangeWithBitmap.GetStart(), q.RangeWithBitmap.GetEnd(), q.RangeWithBitmap.GetBitmap()
		if err := span(start, end); err != nil {
			return nil, err
		}
		if want := (end - start + 7) / 8; uint64(len(bitmap)) != want {
			return nil, fault.Corruptf("the bitmap of the row id range %d to %d has %d bytes, not %d", start, end, len(bitmap), want)
		}
		// Counting set bits counts whole bytes, so a bit behind the end would count as a value.
		if tail := (end - start) % 8; tail != 0 && bitmap[len(bitmap)-1]>>tail != 0 {
			return nil, fault.Corruptf("the bitmap of the row id range %d to %d has bits behind its end", start, end)
		}
		return newBitmapSegment(start, bitmap), nil
	case *tablepb.U64Segment_SortedArray:
		a, err := newArraySegment(q.SortedArray)
		if err == nil && !a.ascending() {
			err = fault.Corruptf("a sorted array of row ids is not in order")
		}
		return sortedSegment{a}, err
	case *tablepb.U64Segment_Array:
		a, err := newArraySegment(q.Array)
		return &unsortedSegment{arraySegment: a}, err
	}
	return nil, fault.Corruptf("a segment of a row id sequence has no known kind")
}

// rangeSegment has all values from start to end, end excluded.
type rangeSegment struct{ start, end uint64 }

func (r rangeSegment) len() int64              { return int64(r.end - r.start) }
func (r rangeSegment) at(i int64) uint64       { return r.start + uint64(i) }
func (r rangeSegment) bounds() (lo, hi uint64) { return r.start, r.end - 1 }
func (r rangeSegment) index(v uint64) int64 {
	if v < r.start || v >= r.end {
		return -1
	}
	return int64(v - r.start)
}
func (r rangeSegment) fill(dst []uint64, i int64) {
	for k := range dst {
		dst[k] = r.start + uint64(i) + uint64(k)
	}
}

// holesSegment is a range without some values.
type holesSegment struct {
	start, end uint64
	holes      *arraySegment // ascending, inside the range
}

func (h *holesSegment) len() int64 { return int64(h.end-h.start) - h.holes.len() }

// holesBefore returns how many holes are smaller than v.
func (h *holesSegment) holesBefore(v uint64) int64 { return h.holes.search(v) }

func (h *holesSegment) at(i int64) uint64 {
	// The value of row i has k holes before it, where k is the number of holes whose own rank
	// among the values, hole - start - (holes before it), is at most i.
	k := sort.Search(int(h.holes.len()), func(k int) bool {
		return int64(h.holes.at(int64(k))-h.start)-int64(k) > i
	})
	return h.start + uint64(i) + uint64(k)
}

func (h *holesSegment) bounds() (lo, hi uint64) { return h.at(0), h.at(h.len() - 1) }

func (h *holesSegment) index(v uint64) int64 {
	if v < h.start || v >= h.end {
		return -1
	}
	k := h.holesBefore(v)
	if k < h.holes.len() && h.holes.at(k) == v {
		return -1
	}
	return int64(v-h.start) - k
}

func (h *holesSegment) fill(dst []uint64, i int64) {
	if len(dst) == 0 {
		return
	}
	v := h.at(i)
	next := h.holesBefore(v)
	for k := range dst {
		for next < h.holes.len() && h.holes.at(next) == v {
			v, next = v+1, next+1
		}
		dst[k] = v
		v++
	}
}

// bitmapSegment has the values start+i whose bit i is set, lowest bit of the first byte first.
// ranks makes both directions cheap: a block is found by searching them, and then at most rankBytes
// bytes are looked at.
type bitmapSegment struct {
	start  uint64
	bitmap []byte
	ranks  []int64 // set bits before each block of rankBytes bytes, then all of them
}

const rankBytes = 64

func newBitmapSegment(start uint64, bitmap []byte) *bitmapSegment {
	b := &bitmapSegment{start: start, bitmap: bitmap, ranks: make([]int64, 1, len(bitmap)/rankBytes+2)}
	for at := 0; at < len(bitmap); at += rankBytes {
		b.ranks = append(b.ranks, b.ranks[len(b.ranks)-1]+ones(bitmap[at:min(at+rankBytes, len(bitmap))]))
	}
	return b
}

func ones(p []byte) (n int64) {
	for ; len(p) >= 8; p = p[8:] {
		n += int64(bits.OnesCount64(binary.LittleEndian.Uint64(p)))
	}
	for _, b := range p {
		n += int64(bits.OnesCount8(b))
	}
	return n
}

func (b *bitmapSegment) len() int64 { return b.ranks[len(b.ranks)-1] }

// sel returns the number of the bit that is the i-th set one.
func (b *bitmapSegment) sel(i int64) int64 {
	block := sort.Search(len(b.ranks)-1, func(k int) bool { return b.ranks[k+1] > i })
	left := i - b.ranks[block]
	for at := block * rankBytes; ; at++ {
		set := b.bitmap[at]
		if n := int64(bits.OnesCount8(set)); left >= n {
			left -= n
			continue
		}
		for ; left > 0; left-- {
			set &= set - 1
		}
		return int64(at)*8 + int64(bits.TrailingZeros8(set))
	}
}

func (b *bitmapSegment) at(i int64) uint64       { return b.start + uint64(b.sel(i)) }
func (b *bitmapSegment) bounds() (lo, hi uint64) { return b.at(0), b.at(b.len() - 1) }

func (b *bitmapSegment) index(v uint64) int64 {
	bit := v - b.start
	if v < b.start || bit >= uint64(len(b.bitmap))*8 || b.bitmap[bit/8]>>(bit%8)&1 == 0 {
		return -1
	}
	block := bit / 8 / rankBytes
	rank := b.ranks[block] + ones(b.bitmap[block*rankBytes:bit/8])
	return rank + int64(bits.OnesCount8(b.bitmap[bit/8]&(1<<(bit%8)-1)))
}

func (b *bitmapSegment) fill(dst []uint64, i int64) {
	if len(dst) == 0 {
		return
	}
	bit := b.sel(i)
	at, set := bit/8, b.bitmap[bit/8]>>(bit%8)<<(bit%8)
	for k := range dst {
		for set == 0 {
			at++
			set = b.bitmap[at]
		}
		dst[k] = b.start + uint64(at)*8 + uint64(bits.TrailingZeros8(set))
		set &= set - 1
	}
}

// arraySegment is an array of values of 2, 4 or 8 bytes above base, little endian. Arrays of 8
// bytes have base 0.
type arraySegment struct {
	base  uint64
	width int
	data  []byte
}

func newArraySegment(p *tablepb.EncodedU64Array) (*arraySegment, error) {
	var a *arraySegment
	switch q := p.GetArray().(type) {
	case *tablepb.EncodedU64Array_U16Array_:
		a = &arraySegment{q.U16Array.GetBase(), 2, q.U16Array.GetOffsets()}
	case *tablepb.EncodedU64Array_U32Array_:
		a = &arraySegment{q.U32Array.GetBase(), 4, q.U32Array.GetOffsets()}
	case *tablepb.EncodedU64Array_U64Array_:
		a = &arraySegment{0, 8, q.U64Array.GetValues()}
	default:
		return nil, fault.Corruptf("an array of row ids has no known kind")
	}
	if len(a.data)%a.width != 0 {
		return nil, fault.Corruptf("an array of %d-byte row ids has %d bytes", a.width, len(a.data))
	}
	if a.width < 8 && a.base+(1<<(8*a.width)-1) < a.base {
		return nil, fault.Corruptf("row ids that start at %d leave the range of 64 bits", a.base)
	}
	return a, nil
}

func (a *arraySegment) len() int64 { return int64(len(a.data) / a.width) }

func (a *arraySegment) at(i int64) uint64 {
	switch a.width {
	case 2:
		return a.base + uint64(binary.LittleEndian.Uint16(a.data[2*i:]))
	case 4:
		return a.base + uint64(binary.LittleEndian.Uint32(a.data[4*i:]))
	}
	return binary.LittleEndian.Uint64(a.data[8*i:])
}

func (a *arraySegment) ascending() bool {
	for i := int64(1); i < a.len(); i++ {
		if a.at(i-1) >= a.at(i) {
			return false
		}
	}
	return true
}

// search returns the position of the first value that is at least v in an ascending array.
func (a *arraySegment) search(v uint64) int64 {
	return int64(sort.Search(int(a.len()), func(i int) bool { return a.at(int64(i)) >= v }))
}

func (a *arraySegment) bounds() (lo, hi uint64) { // of an ascending array
	if a.len() == 0 {
		return 0, 0
	}
	return a.at(0), a.at(a.len() - 1)
}

func (a *arraySegment) fill(dst []uint64, i int64) {
	for k := range dst {
		dst[k] = a.at(i + int64(k))
	}
}

type sortedSegment struct{ *arraySegment }

func (s sortedSegment) index(v uint64) int64 {
	if i := s.search(v); i < s.len() && s.at(i) == v {
		return i
	}
	return -1
}

// unsortedSegment is searched through an order that is made when first needed.
type unsortedSegment struct {
	*arraySegment
	once  sync.Once
	order []uint32 // positions, by value
}

func newSliceSegment(values []uint64) u64Segment {
	data := make([]byte, 0, 8*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint64(data, v)
	}
	return &unsortedSegment{arraySegment: &arraySegment{width: 8, data: data}}
}

func (u *unsortedSegment) sort() {
	u.once.Do(func() {
		u.order = make([]uint32, u.len())
		for i := range u.order {
			u.order[i] = uint32(i)
		}
		slices.SortStableFunc(u.order, func(a, b uint32) int { return cmp.Compare(u.at(int64(a)), u.at(int64(b))) })
	})
}

func (u *unsortedSegment) bounds() (lo, hi uint64) {
	u.sort()
	return u.at(int64(u.order[0])), u.at(int64(u.order[len(u.order)-1]))
}

func (u *unsortedSegment) index(v uint64) int64 {
	u.sort()
	i := sort.Search(len(u.order), func(i int) bool { return u.at(int64(u.order[i])) >= v })
	if i < len(u.order) && u.at(int64(u.order[i])) == v {
		return int64(u.order[i])
	}
	return -1
}
