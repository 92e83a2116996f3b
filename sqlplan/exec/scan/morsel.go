package scan

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
)

// morsel is a piece of a scan: a range of physical rows of one fragment.
type morsel struct {
	frag       *lancefmt.Fragment
	start, end int64
}

// cutter cuts a snapshot into morsels, in order. Morsels start small, so that the first batch
// comes soon and a LIMIT that is met early wastes little, and grow by growth until full size. It is not
// safe for concurrent use: the queue's lock, or the caller's, guards it.
type cutter struct {
	frags []*lancefmt.Fragment
	next  int   // fragment
	row   int64 // in that fragment
	size  func(*lancefmt.Fragment) int64
	rows  func(*lancefmt.Fragment) *roaring.Bitmap // those to look at, nil = all
	now   float64                                  // fraction of the full size
	unit  int64                                    // morsels of all rows have a multiple of so many; 0 = any number
}

// Morsels start at firstFraction of the full size.
const (
	firstFraction = 1.0 / 16
	growth        = 4
)

func newCutter(frags []*lancefmt.Fragment, size func(*lancefmt.Fragment) int64, rows func(*lancefmt.Fragment) *roaring.Bitmap) *cutter {
	return &cutter{frags: frags, size: size, rows: rows, now: firstFraction}
}

func (c *cutter) cut() (m morsel, ok bool) {
	for c.next < len(c.frags) {
		f := c.frags[c.next]
		total := f.NumPhysicalRows()
		if c.row >= total {
			c.next, c.row = c.next+1, 0
			continue
		}
		rows := c.rows(f)
		if rows != nil && c.row == 0 && rows.IsEmpty() {
			c.row = total
			continue
		}
		full := c.size(f)
		n := max(1, int64(float64(full)*c.now))
		c.now = min(1, c.now*growth)
		if rows != nil {
			m, c.row = cutRows(f, rows, c.row, n)
			return m, true
		}
		if c.unit > 0 {
			n = (n + c.unit - 1) / c.unit * c.unit
		}
		end := min(c.row+n, total)
		if total-end < n/2 {
			end = total // no crumbs
		}
		m = morsel{frag: f, start: c.row, end: end}
		c.row = end
		return m, true
	}
	return morsel{}, false
}

// cutRows makes a morsel of n of the given rows from a row on, which has some; next is where the next one starts.
func cutRows(f *lancefmt.Fragment, rows *roaring.Bitmap, from, n int64) (m morsel, next int64) {
	before := int64(0)
	if from > 0 {
		before = int64(rows.Rank(uint32(from - 1)))
	}
	all := int64(rows.GetCardinality())
	if all-before < n+n/2 { // no crumbs
		return morsel{frag: f, start: from, end: f.NumPhysicalRows()}, f.NumPhysicalRows()
	}
	last, err := rows.Select(uint32(before + n - 1))
	if err != nil {
		return morsel{frag: f, start: from, end: f.NumPhysicalRows()}, f.NumPhysicalRows()
	}
	return morsel{frag: f, start: from, end: int64(last) + 1}, int64(last) + 1
}

// Live returns the rows of [start, end) that are not deleted, as ranges in order.
func Live(deleted *roaring.Bitmap, start, end int64) []encoding.Range {
	if start >= end {
		return nil
	}
	if deleted == nil || deleted.IsEmpty() {
		return []encoding.Range{{Start: start, End: end}}
	}
	var out []encoding.Range
	it := deleted.Iterator()
	it.AdvanceIfNeeded(uint32(start))
	for it.HasNext() {
		d := int64(it.Next())
		if d >= end {
			break
		}
		if d > start {
			out = append(out, encoding.Range{Start: start, End: d})
		}
		start = d + 1
	}
	if start < end {
		out = append(out, encoding.Range{Start: start, End: end})
	}
	return out
}

// Pick returns the rows of ranges with the given ordinals (sorted): the survivors of a filter that
// saw the rows of ranges one behind the other.
func Pick(ranges []encoding.Range, sel []int32) []encoding.Range {
	var out []encoding.Range
	at, before := 0, int64(0)
	for _, s := range sel {
		for int64(s)-before >= ranges[at].Len() {
			before += ranges[at].Len()
			at++
		}
		row := ranges[at].Start + int64(s) - before
		if n := len(out); n > 0 && out[n-1].End == row {
			out[n-1].End++
		} else {
			out = append(out, encoding.Range{Start: row, End: row + 1})
		}
	}
	return out
}

// CutRanges splits ranges into the first n rows and the rest.
func CutRanges(ranges []encoding.Range, n int64) (head, tail []encoding.Range) {
	for i, r := range ranges {
		if n < r.Len() {
			head = append(head, ranges[:i]...)
			tail = append(tail, encoding.Range{Start: r.Start + n, End: r.End})
			if n > 0 {
				head = append(head, encoding.Range{Start: r.Start, End: r.Start + n})
			}
			return head, append(tail, ranges[i+1:]...)
		}
		if n -= r.Len(); n == 0 {
			return ranges[:i+1], ranges[i+1:]
		}
	}
	return ranges, nil
}

// DeletedRows returns the offsets of a fragment's deleted rows, nil if there are none.
func DeletedRows(ctx context.Context, f *lancefmt.Fragment) (*roaring.Bitmap, error) {
	if f.NumRows() == f.NumPhysicalRows() {
		return nil, nil
	}
	return f.Deleted(ctx)
}
