package index

import (
	"bytes"
	"math"
	"strings"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
)

// Summary is what is known of the values of some rows of a column: a zone of a ZONEMAP index that
// nobody wrote. It is a value, and does not alias Arrow memory.
type Summary struct {
	rows, nulls, nans uint32
	numbers           span // holds all values that are neither NULL nor NaN; longer values are cut
}

// Rows is the number of rows summarised; 0 in a Summary of nothing.
func (s *Summary) Rows() int { return int(s.rows) }

// maxSummaryBytes is the length to which bounds of strings are cut: a summary stays small, and its bounds hold.
const maxSummaryBytes = 32

// SummaryBytes is about the memory that a Summary takes, with its strings.
const SummaryBytes = int64(unsafe.Sizeof(Summary{})) + maxSummaryBytes

// Summaries makes summaries of a column, and asks them.
type Summaries struct{ typ keyType }

// NewSummaries returns those of a column's type; ok is false if its values have no order here.
func NewSummaries(t arrow.DataType) (s Summaries, ok bool) {
	switch t.ID() {
	case arrow.DICTIONARY, arrow.FLOAT16, arrow.DECIMAL256:
		return s, false // not worth it
	}
	typ, err := newKeyType(t)
	return Summaries{typ}, err == nil
}

// Of summarises rows from <= i < to of an array of the column's type. It touches the array's bytes: call
// it below storage.Guard.
func (t Summaries) Of(arr arrow.Array, from, to int) Summary {
	s := Summary{rows: uint32(to - from)}
	valid := validity{arr.NullBitmapBytes(), arr.Data().Offset()}
	if arr.NullN() == 0 {
		valid.bits = nil
	} else {
		s.nulls = s.rows - uint32(bitutil.CountSetBits(valid.bits, valid.offset+from, to-from))
	}
	if s.nulls == s.rows {
		return s
	}
	switch a := arr.(type) {
	case *array.Boolean:
		lo, hi := key{word: 1}, key{}
		for i := from; i < to; i++ {
			if valid.at(i) {
				k := key{}
				if a.Value(i) {
					k.word = 1
				}
				lo, hi = key{word: min(lo.word, k.word)}, key{word: max(hi.word, k.word)}
			}
		}
		s.numbers = t.closed(lo, hi)
	case *array.Float32:
		lo, hi, nans := floats(a.Values(), valid, from, to)
		s.summariseFloats(t, lo, hi, nans)
	case *array.Float64:
		lo, hi, nans := floats(a.Values(), valid, from, to)
		s.summariseFloats(t, lo, hi, nans)
	case *array.String:
		s.numbers = texts(a, valid, from, to)
	case *array.LargeString:
		s.numbers = texts(a, valid, from, to)
	case *array.Binary:
		s.numbers = blobs(a, valid, from, to)
	case *array.LargeBinary:
		s.numbers = blobs(a, valid, from, to)
	case *array.FixedSizeBinary:
		s.numbers = blobs(a, valid, from, to)
	case *array.Decimal128:
		first := true
		var lo, hi = a.Value(from), a.Value(from)
		for i := from; i < to; i++ {
			if !valid.at(i) {
				continue
			}
			v := a.Value(i)
			if first || v.Less(lo) {
				lo = v
			}
			if first || hi.Less(v) {
				hi = v
			}
			first = false
		}
		s.numbers = t.closed(decimal128Key(lo), decimal128Key(hi))
	default:
		s.numbers = t.integers(arr, valid, from, to)
	}
	return s
}

// closed is the span of the keys from lo to hi.
func (t Summaries) closed(lo, hi key) span {
	end, ok := t.typ.next(hi)
	return span{lo: lo, end: end, toEnd: !ok}
}

// validity is a validity bitmap; nil bits say that all is valid.
type validity struct {
	bits   []byte
	offset int
}

func (v validity) at(i int) bool { return v.bits == nil || bitutil.BitIsSet(v.bits, v.offset+i) }

func (t Summaries) integers(arr arrow.Array, valid validity, from, to int) span {
	signed := func(lo, hi int64) span { return t.closed(intKey(lo), intKey(hi)) }
	unsigned := func(lo, hi uint64) span { return t.closed(key{word: lo}, key{word: hi}) }
	switch arr.DataType().ID() {
	case arrow.INT8:
		lo, hi := extremes(raw[int8](arr), valid, from, to)
		return signed(int64(lo), int64(hi))
	case arrow.INT16:
		lo, hi := extremes(raw[int16](arr), valid, from, to)
		return signed(int64(lo), int64(hi))
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		lo, hi := extremes(raw[int32](arr), valid, from, to)
		return signed(int64(lo), int64(hi))
	case arrow.INT64, arrow.DATE64, arrow.TIME64, arrow.TIMESTAMP, arrow.DURATION:
		return signed(extremes(raw[int64](arr), valid, from, to))
	case arrow.UINT8:
		lo, hi := extremes(raw[uint8](arr), valid, from, to)
		return unsigned(uint64(lo), uint64(hi))
	case arrow.UINT16:
		lo, hi := extremes(raw[uint16](arr), valid, from, to)
		return unsigned(uint64(lo), uint64(hi))
	case arrow.UINT32:
		lo, hi := extremes(raw[uint32](arr), valid, from, to)
		return unsigned(uint64(lo), uint64(hi))
	case arrow.UINT64:
		return unsigned(extremes(raw[uint64](arr), valid, from, to))
	}
	return span{toEnd: true} // anything
}

// raw views the values of an array of fixed width.
func raw[T any](arr arrow.Array) []T {
	var v T
	b := arr.Data().Buffers()[1].Bytes()
	all := unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(v)))
	return all[arr.Data().Offset():]
}

// extremes returns the least and the greatest valid value, of which there is one.
func extremes[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](values []T, valid validity, from, to int) (lo, hi T) {
	if valid.bits == nil {
		lo, hi = values[from], values[from]
		for _, v := range values[from:to] {
			lo, hi = min(lo, v), max(hi, v)
		}
		return lo, hi
	}
	first := true
	for i := from; i < to; i++ {
		if !valid.at(i) {
			continue
		}
		v := values[i]
		if first {
			lo, hi, first = v, v, false
		}
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}

// floats returns the extremes of the numbers and how many NaNs there are. Zeros of either sign are one number.
func floats[T float32 | float64](values []T, valid validity, from, to int) (lo, hi float64, nans uint32) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for i := from; i < to; i++ {
		v := float64(values[i])
		switch {
		case !valid.at(i):
		case v != v:
			nans++
		default:
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	return lo, hi, nans
}

func (s *Summary) summariseFloats(t Summaries, lo, hi float64, nans uint32) {
	s.nans = nans
	if s.nulls+s.nans < s.rows {
		if lo == 0 {
			lo = math.Copysign(0, -1)
		}
		if hi == 0 {
			hi = 0
		}
		s.numbers = t.closed(floatKey(lo), floatKey(hi))
	}
}

func texts(a interface{ Value(int) string }, valid validity, from, to int) span {
	var lo, hi string
	first := true
	for i := from; i < to; i++ {
		if !valid.at(i) {
			continue
		}
		v := a.Value(i)
		if first {
			lo, hi, first = v, v, false
			continue
		}
		if v < lo {
			lo = v
		} else if v > hi {
			hi = v
		}
	}
	return cut(lo, hi)
}

func blobs(a interface{ Value(int) []byte }, valid validity, from, to int) span {
	var lo, hi []byte
	first := true
	for i := from; i < to; i++ {
		if !valid.at(i) {
			continue
		}
		v := a.Value(i)
		if first {
			lo, hi, first = v, v, false
			continue
		}
		if bytes.Compare(v, lo) < 0 {
			lo = v
		} else if bytes.Compare(v, hi) > 0 {
			hi = v
		}
	}
	return cut(string(lo[:min(len(lo), maxSummaryBytes+1)]), string(hi[:min(len(hi), maxSummaryBytes+1)]))
}

// cut is the span from lo to hi, or a larger one with short bounds.
func cut(lo, hi string) span {
	s := span{lo: key{str: strings.Clone(lo[:min(len(lo), maxSummaryBytes)])}}
	if len(hi) <= maxSummaryBytes {
		s.end = key{str: hi + "\x00"}
		return s
	}
	end, ok := afterPrefix(hi[:maxSummaryBytes])
	s.end, s.toEnd = key{str: end}, !ok
	return s
}

// Question is a predicate that summaries answer.
type Question struct {
	isNull bool
	spans  []span
	nan    bool // it holds for NaN
}

// Question prepares a predicate; ok is false if summaries say nothing about it.
func (t Summaries) Question(p Predicate) (q Question, ok bool) {
	if !ordered(t.typ, p) {
		return q, false
	}
	if p.Op == IsNull {
		return Question{isNull: true}, true
	}
	spans, err := t.typ.spans(p)
	if err != nil {
		return q, false
	}
	for _, s := range spans {
		q.nan = q.nan || t.typ.float() && (s.toEnd || s.end.word > posInf.word+1)
	}
	q.spans = spans
	return q, true
}

// Truth says for which of the summarised rows a predicate can be true or false, and whether it is so for all.
type Truth struct{ MaybeTrue, AllTrue, MaybeFalse, AllFalse bool }

// Ask answers a question about the rows that were summarised.
func (q *Question) Ask(s *Summary) Truth {
	if q.isNull {
		return Truth{s.nulls > 0, s.nulls == s.rows, s.nulls < s.rows, s.nulls == 0}
	}
	values, hit, all := s.rows-s.nulls, false, true
	if s.nans < values {
		for _, x := range q.spans {
			hit = hit || x.overlaps(s.numbers)
		}
		all = false
		for _, x := range q.spans {
			all = all || x.covers(s.numbers)
		}
	}
	if s.nans > 0 {
		hit, all = hit || q.nan, all && q.nan
	}
	switch {
	case values == 0:
		return Truth{}
	case !hit:
		return Truth{MaybeFalse: true, AllFalse: s.nulls == 0}
	}
	return Truth{MaybeTrue: true, AllTrue: all && s.nulls == 0, MaybeFalse: !all}
}
