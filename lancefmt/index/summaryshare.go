package index

import "math"

// Shares of rows for which a predicate is taken to hold where bounds of strings do not tell.
const (
	textShareRange = 0.5
	textShareIn    = 0.01
)

// Share is the share of the summarised rows for which a predicate is true, about: numbers are taken to be spread evenly
// between their bounds.
func (t Summaries) Share(q *Question, s *Summary) float64 {
	rows := float64(s.rows)
	switch {
	case s.rows == 0:
		return 0
	case q.isNull:
		return float64(s.nulls) / rows
	}
	share := 0.0
	if numbers := s.rows - s.nulls - s.nans; numbers > 0 {
		for _, x := range q.spans {
			share += t.overlap(x, s.numbers)
		}
		share = min(share, 1) * float64(numbers) / rows
	}
	if q.nan {
		share += float64(s.nans) / rows
	}
	return share
}

// overlap is the share of the values in a span that lie in x.
func (t Summaries) overlap(x, values span) float64 {
	switch {
	case !x.overlaps(values):
		return 0
	case x.covers(values):
		return 1
	case !t.typ.words:
		if !x.toEnd && x.end.str == x.lo.str+"\x00" { // one value
			return textShareIn
		}
		return textShareRange
	}
	if t.typ.float() {
		return part(floatAt(values.lo), floatEnd(values), floatAt(x.lo), floatEnd(x))
	}
	// Integers are counted from the least value on, since their words are too large for a float.
	from := values.lo.word
	return part(0, float64(wordEnd(values)-from), float64(max(x.lo.word, from)-from), float64(max(wordEnd(x), from)-from))
}

// part is the share of from…to that is in lo…hi.
func part(from, to, lo, hi float64) float64 {
	if share := (min(hi, to) - max(lo, from)) / (to - from); share > 0 {
		return share
	}
	return 0
}

func wordEnd(s span) uint64 {
	if s.toEnd {
		return math.MaxUint64
	}
	return s.end.word
}

// mostFloat is small enough for differences to be finite.
const mostFloat = math.MaxFloat64 / 4

func floatEnd(s span) float64 {
	if s.toEnd {
		return mostFloat
	}
	return floatAt(s.end)
}

// floatAt is the number of a key, brought into range.
func floatAt(k key) float64 {
	bits := ^k.word
	if k.word&signBit != 0 {
		bits = k.word &^ signBit
	}
	f := math.Float64frombits(bits)
	if f != f { // above infinity
		return mostFloat
	}
	return min(max(f, -mostFloat), mostFloat)
}
