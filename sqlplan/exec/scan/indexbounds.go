package scan

import (
	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/sqlplan/question"
)

// rowMask is a set of rows of one fragment, by offset: those of rows (nil = none), or all others. Masks are shared
// and never changed.
type rowMask struct {
	rows     *roaring.Bitmap
	inverted bool
}

var (
	noRows  = rowMask{}
	allRows = rowMask{inverted: true}
)

func (m rowMask) empty() bool { return !m.inverted && (m.rows == nil || m.rows.IsEmpty()) }
func (m rowMask) all() bool   { return m.inverted && (m.rows == nil || m.rows.IsEmpty()) }
func (m rowMask) not() rowMask {
	return rowMask{rows: m.rows, inverted: !m.inverted}
}

// and is the intersection.
func (m rowMask) and(o rowMask) rowMask {
	switch {
	case m == o || m.empty() || o.all():
		return m
	case o.empty() || m.all():
		return o
	case !m.inverted && !o.inverted:
		return rowMask{rows: roaring.And(m.rows, o.rows)}
	case !m.inverted:
		return rowMask{rows: roaring.AndNot(m.rows, o.rows)}
	case !o.inverted:
		return rowMask{rows: roaring.AndNot(o.rows, m.rows)}
	}
	return rowMask{rows: roaring.Or(m.rows, o.rows), inverted: true}
}

// or is the union.
func (m rowMask) or(o rowMask) rowMask { return m.not().and(o.not()).not() }

// within returns the rows of the mask among the first n rows of a fragment, less the deleted ones. The caller owns the
// bitmap.
func (m rowMask) within(n int64, deleted *roaring.Bitmap) *roaring.Bitmap {
	var b *roaring.Bitmap
	switch {
	case m.inverted:
		b = roaring.New()
		b.AddRange(0, uint64(n))
		if m.rows != nil {
			b.AndNot(m.rows)
		}
	case m.rows == nil:
		return roaring.New()
	default:
		b = m.rows.Clone()
		if !b.IsEmpty() && int64(b.Maximum()) >= n {
			b.RemoveRange(uint64(n), uint64(b.Maximum())+1)
		}
	}
	if deleted != nil {
		b.AndNot(deleted)
	}
	return b
}

// truthBounds are bounds of the rows for which a condition has a truth value: it has it for none outside of may, and for all
// of sure.
type truthBounds struct{ may, sure rowMask }

var unknownBounds = truthBounds{may: allRows, sure: noRows}

func exactly(m rowMask) truthBounds { return truthBounds{may: m, sure: m} }

// exact reports whether the bounds coincide.
func (b truthBounds) exact() bool {
	if b.may == b.sure {
		return true
	}
	return b.may.and(b.sure.not()).empty()
}

// not are the bounds of the rows that do not have the truth value.
func (b truthBounds) not() truthBounds { return truthBounds{may: b.sure.not(), sure: b.may.not()} }

// boundsOf evaluates an index expression for the rows of one fragment where its value is truth. leaf answers for a leaf.
//
// In three-valued logic AND is true where all operands are, and false where any is; OR the other way round; and NOT is
// true where its operand is false. What is neither true nor false is NULL and in neither set.
func boundsOf(x question.Expr, truth bool, leaf func(*question.Leaf, bool) truthBounds) truthBounds {
	switch x := x.(type) {
	case *question.Leaf:
		return leaf(x, truth)
	case *question.Not:
		return boundsOf(x.X, !truth, leaf)
	case *question.Logic:
		all := x.And == truth // all operands must have the value
		out := exactly(noRows)
		if all {
			out = exactly(allRows)
		}
		for _, a := range x.Args {
			b := boundsOf(a, truth, leaf)
			if all {
				out = truthBounds{out.may.and(b.may), out.sure.and(b.sure)}
			} else {
				out = truthBounds{out.may.or(b.may), out.sure.or(b.sure)}
			}
		}
		return out
	case *question.IsTrue:
		b := boundsOf(x.X, true, leaf)
		if !truth {
			b = b.not()
		}
		return b
	case *question.Weak:
		switch {
		case x.Mode == question.NeverFalse && !truth:
			return exactly(noRows)
		case x.Mode == question.Implies && truth:
			return truthBounds{may: boundsOf(x.X, true, leaf).may, sure: noRows}
		case x.Mode == question.Implies:
			return truthBounds{may: allRows, sure: boundsOf(x.X, false, leaf).sure}
		case x.Mode == question.MaybeNull && !truth:
			return truthBounds{may: boundsOf(x.X, false, leaf).may, sure: noRows}
		}
		return boundsOf(x.X, truth, leaf)
	case *question.Const:
		if x.Value != nil && *x.Value == truth {
			return exactly(allRows)
		}
		return exactly(noRows)
	}
	return unknownBounds
}
