package v20

import (
	"sort"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
)

// pageRows is the piece of a Read that falls into one page.
type pageRows struct {
	page int              // position in starts
	at   int              // first row of the piece in the result
	rows []encoding.Range // relative to the page, ascending, touching ranges joined
	n    int              // rows in the piece
}

// splitRows cuts rows at the page boundaries. starts has the first row of each page and, last, the
// number of all rows. Rows outside are an error: a file whose columns differ in length is corrupt.
func splitRows(rows []encoding.Range, starts []int64) ([]pageRows, error) {
	total := starts[len(starts)-1]
	var pieces []pageRows
	var all []encoding.Range // backing of the pieces' rows; grows, so pieces are cut out at the end
	var cuts []int
	last, at, page := int64(0), 0, 0
	for _, r := range rows {
		if r.Start < last || r.End < r.Start {
			return nil, fault.New(fault.Internal, "rows %d to %d of a read are out of order", r.Start, r.End)
		}
		if r.End > total {
			return nil, fault.Corruptf("row %d is wanted of a column of %d rows", r.End-1, total)
		}
		last = r.End
		for r.Start < r.End {
			if len(pieces) == 0 || r.Start >= starts[page+1] {
				page += sort.Search(len(starts)-2-page, func(i int) bool { return starts[page+i+1] > r.Start })
				pieces = append(pieces, pageRows{page: page, at: at})
				cuts = append(cuts, len(all))
			}
			end := min(r.End, starts[page+1])
			local := encoding.Range{Start: r.Start - starts[page], End: end - starts[page]}
			if n := len(all); n > cuts[len(cuts)-1] && all[n-1].End == local.Start {
				all[n-1].End = local.End
			} else {
				all = append(all, local)
			}
			n := int(end - r.Start)
			pieces[len(pieces)-1].n += n
			at += n
			r.Start = end
		}
	}
	cuts = append(cuts, len(all))
	for i := range pieces {
		pieces[i].rows = all[cuts[i]:cuts[i+1]:cuts[i+1]]
	}
	return pieces, nil
}

// scaleRows returns the ranges of the items of fixed-size lists. Nodes are built only if the last
// item number of their page fits, so nothing overflows here.
func scaleRows(rows []encoding.Range, dim int64) []encoding.Range {
	if dim == 1 {
		return rows
	}
	scaled := make([]encoding.Range, len(rows))
	for i, r := range rows {
		scaled[i] = encoding.Range{Start: r.Start * dim, End: r.End * dim}
	}
	return scaled
}

// withPrevious extends every range by the value before it, where there is one: offsets say where a
// value ends, and the one before says where it starts.
func withPrevious(rows []encoding.Range) []encoding.Range {
	extended := make([]encoding.Range, len(rows))
	for i, r := range rows {
		extended[i] = encoding.Range{Start: max(r.Start-1, 0), End: r.End}
	}
	return extended
}
