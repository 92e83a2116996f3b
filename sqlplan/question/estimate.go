package question

import (
	"fmt"
	"slices"

	"lanceflight/lancefmt/index"
)

// RowEstimate is an index's guess of the rows that satisfy a predicate.
type Estimate struct {
	Found, Of int64
	Known     bool // false: the index has no cheap guess
	// Problems are segments that cannot be read; their rows are scanned.
	Problems []string
}

// Share of the rows; the caller has looked at Known.
func (e Estimate) Share() float64 { return float64(e.Found) / float64(max(1, e.Of)) }

// Taking a row out of an index costs about twice what a scan of a column of numbers does: it pays for the share of rows below
// mostRows. Below smallRows it does not matter.
const (
	mostRows  = 0.5
	smallRows = 4096
)

// TooMany reports whether a search would find so many rows that scanning them is cheaper.
func (e Estimate) TooMany(op index.Op) bool {
	return e.Known && (op == index.InRange || op == index.Prefix) && e.Found > smallRows && e.Share() > mostRows
}

// Share is the share of rows for which an index expression is true, operands taken to have nothing to do with each other; ok is false if
// one of them is not known.
func (f *Filter) Share(x Expr) (share float64, ok bool) {
	switch x := x.(type) {
	case *Leaf:
		e := f.Estimates[x]
		return e.Share(), e.Known
	case *Not:
		s, ok := f.Share(x.X)
		return 1 - s, ok
	case *Logic:
		share = 1
		for _, a := range x.Args {
			s, ok := f.Share(a)
			if !ok {
				return 0, false
			}
			if !x.And {
				s = 1 - s
			}
			share *= s
		}
		if !x.And {
			share = 1 - share
		}
		return share, true
	case *IsTrue:
		return f.Share(x.X)
	case *Weak:
		return f.Share(x.X)
	case *Const:
		if x.Value != nil && *x.Value {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// EstimateTexts are the estimates as EXPLAIN shows them.
func (f *Filter) EstimateTexts() (texts []string) {
	f.EachEstimate(func(l *Leaf, e Estimate) {
		if e.Known {
			texts = append(texts, fmt.Sprintf("%s: %d of %d rows", l.Text, e.Found, e.Of))
		}
	})
	return texts
}

// Problems are the segments that cannot be read.
func (f *Filter) Problems() (texts []string) {
	f.EachEstimate(func(_ *Leaf, e Estimate) {
		for _, p := range e.Problems {
			if !slices.Contains(texts, p) {
				texts = append(texts, p)
			}
		}
	})
	return texts
}

func (f *Filter) EachEstimate(fn func(l *Leaf, e Estimate)) {
	seen := map[*Leaf]bool{}
	for _, t := range f.Terms {
		Walk(t.Index, true, func(l *Leaf, _ bool) {
			if e, ok := f.Estimates[l]; ok && !seen[l] {
				seen[l] = true
				fn(l, e)
			}
		})
	}
}
